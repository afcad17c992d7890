/* penstock rules bench: measures the cost of rules on a sample log. Runs the same batches alternately through the rules
 * and through a bare scan for the same expressions, so that noise affects both. Thread: main. */

#include "commands/rules/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAMPLE_BYTES_MAX ((size_t)64 << 20)
#define SAMPLE_LINES_MAX ((size_t)4 << 20)
#define LINE_BYTES_MAX ((size_t)16 << 20)
#define FINDS_LINES 256U

/* ---- the sample ---- */

static bool sample_fail(const struct ps_rules_bench *bench, const char *why)
{
    fprintf(stderr, "penstock rules bench: cannot read %s: %s\n", bench->command->sample, why);
    return false;
}

/* Reads the file up to the limit into bench->text. */
static bool sample_text(struct ps_rules_bench *bench, size_t *length)
{
    const char *name = bench->command->sample;
    bool input = strcmp(name, "-") == 0;
    FILE *file = input ? stdin : fopen(name, "re");
    if (file == NULL)
        return sample_fail(bench, strerror(errno));
    bench->text = ps_must_alloc(1, SAMPLE_BYTES_MAX + 1, "the sample");
    *length = fread(bench->text, 1, SAMPLE_BYTES_MAX + 1, file);
    int error = ferror(file) ? errno : 0;
    if (!input)
        fclose(file);
    if (error != 0)
        return sample_fail(bench, strerror(error));
    if (*length > SAMPLE_BYTES_MAX) {
        *length = SAMPLE_BYTES_MAX;
        bench->cut = true;
    }
    return *length > 0 || sample_fail(bench, "it is empty");
}

static bool sample_read(struct ps_rules_bench *bench)
{
    size_t length = 0, room = 0;
    if (!sample_text(bench, &length))
        return false;
    for (const char *at = bench->text, *end = at + length; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline != NULL ? newline : end;
        size_t size = (size_t)(stop - at);
        if (size > LINE_BYTES_MAX)
            return sample_fail(bench, "a line is longer than 16 MiB");
        if (bench->line_count == SAMPLE_LINES_MAX) {
            bench->cut = true;
            break;
        }
        if (newline == NULL && bench->cut && bench->line_count > 0)
            break; /* an incomplete line */
        if (bench->line_count == room) {
            room = room == 0 ? 4096 : 2 * room;
            bench->lines = ps_must_realloc(bench->lines, room * sizeof *bench->lines, "the sample");
        }
        bench->lines[bench->line_count++] = (struct ps_slice){at, (uint32_t)size};
        bench->bytes += size;
        at = stop + 1;
    }
    return true;
}

/* ---- measuring ---- */

struct scan {
    struct ps_matcher *matcher;
    struct ps_matcher_scratch *scratch;
    uint64_t hits;
};

static void on_hits(void *argument, uint32_t, const uint32_t *, uint32_t count)
{
    struct scan *scan = argument;
    scan->hits += count;
}

/* Compiles only the expressions over the body; makes no matcher if there are none. */
static bool scan_open(struct ps_rules_bench *bench, struct scan *scan)
{
    const struct ps_rules *rules = bench->harness.rules;
    const struct ps_regex **regexes =
        ps_arena_alloc(bench->arena, (rules->pattern_count + 1) * sizeof *regexes);
    struct ps_err err = {.length = 0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < rules->pattern_count; i++)
        if (rules->patterns[i].subject.header == NULL)
            regexes[count++] = rules->patterns[i].regex;
    if (count == 0)
        return true;
    const struct ps_matcher_options options = {.cache_directory = bench->command->cache,
                                               .program = "/proc/self/exe",
                                               .compile_memory_bytes = bench->command->compile_memory_bytes,
                                               .compile_time_ms = bench->command->compile_time_ms};
    scan->matcher = ps_matcher_create(regexes, count, &options, NULL, &err);
    if (scan->matcher != NULL)
        scan->scratch = ps_matcher_scratch_create(scan->matcher, &err);
    if (scan->scratch != NULL)
        return true;
    fprintf(stderr, "penstock rules bench: %s\n", err.text);
    return false;
}

static void scan_close(struct scan *scan)
{
    ps_matcher_scratch_destroy(scan->scratch);
    ps_matcher_destroy(scan->matcher);
}

static uint64_t scan_time(struct scan *scan, const struct ps_slice *bodies, uint32_t count)
{
    if (scan->matcher == NULL)
        return 0;
    uint64_t before = ps_clock_now().mono_ns;
    ps_matcher_scan_each(scan->matcher, scan->scratch, bodies, count, on_hits, scan);
    return ps_clock_now().mono_ns - before;
}

static uint64_t rules_time(struct ps_rules_bench *bench, struct ps_batch *batch)
{
    uint64_t before = ps_clock_now().mono_ns;
    (void)ps_rules_harness_run(&bench->harness, batch, NULL, NULL);
    return ps_clock_now().mono_ns - before;
}

/* Runs one batch from line `from` on. Returns the number of lines. */
static size_t batch_measure(struct ps_rules_bench *bench, struct scan *scan, size_t from, bool scan_first)
{
    struct ps_slice bodies[PS_BATCH_EVENTS_MAX];
    size_t count;
    struct ps_batch *batch =
        ps_rules_harness_events(&bench->harness, &bench->lines[from], bench->line_count - from,
                                bench->headers, bench->header_count, &count);
    if (batch == NULL)
        return 0;
    for (size_t i = 0; i < count; i++) {
        bodies[i] = (struct ps_slice){batch->events[i].body, batch->events[i].body_length};
        bench->event_bytes += bodies[i].length;
    }
    if (scan_first)
        bench->scan_ns += scan_time(scan, bodies, (uint32_t)count);
    bench->rules_ns += rules_time(bench, batch);
    if (!scan_first)
        bench->scan_ns += scan_time(scan, bodies, (uint32_t)count);
    bench->events += count;
    ps_batch_give(batch);
    return count;
}

static bool measure(struct ps_rules_bench *bench)
{
    struct scan scan = {0};
    bool good = scan_open(bench, &scan), scan_first = false;
    uint64_t began = ps_clock_now().mono_ns, limit = (uint64_t)(bench->command->seconds * 1e9);
    size_t at = 0;
    ps_rules_harness_forget(&bench->harness);
    ps_rules_progress_begin(&bench->harness.progress);
    for (uint64_t spent = 0; good && spent < limit; spent = ps_clock_now().mono_ns - began) {
        size_t count = batch_measure(bench, &scan, at, scan_first);
        good = count > 0;
        at = at + count >= bench->line_count ? 0 : at + count;
        scan_first = !scan_first;
        ps_rules_progress_say(&bench->harness.progress, "measuring, %.0f %% ...",
                              100 * (double)spent / (double)limit);
    }
    ps_rules_progress_end(&bench->harness.progress);
    ps_rules_scratch_counts(bench->harness.scratch, &bench->counts);
    scan_close(&scan);
    return good;
}

/* ---- cost of PCRE2 ---- */

/* Returns how many ns one find with all groups takes on average over `count` lines; `numbers` NULL: the first lines. */
static double find_ns(const struct ps_rules_bench *bench, struct ps_regex_scratch *scratch,
                      const struct ps_regex *regex, const uint32_t *numbers, size_t count)
{
    struct ps_slice groups[PS_REGEX_GROUPS_MAX];
    unsigned group_count = ps_regex_group_count(regex) + 1;
    group_count = group_count < PS_REGEX_GROUPS_MAX ? group_count : PS_REGEX_GROUPS_MAX;
    uint64_t before = 0;
    for (size_t i = 0; i < 2 * count; i++) { /* the first round warms the caches */
        struct ps_slice line = bench->lines[numbers != NULL ? numbers[i % count] : i % count];
        before = i == count ? ps_clock_now().mono_ns : before;
        (void)ps_regex_find(regex, scratch, line.data, line.length, 0, groups, group_count);
    }
    return count == 0 ? 0 : (double)(ps_clock_now().mono_ns - before) / (double)count;
}

/* Sums the cost of the expressions over the body in one condition. */
static void condition_cost(struct ps_rules_bench *bench, struct ps_regex_scratch *scratch,
                           struct ps_rules_bench_rule *rule, const struct ps_condition *condition)
{
    if (condition->left != NULL)
        condition_cost(bench, scratch, rule, condition->left);
    if (condition->right != NULL)
        condition_cost(bench, scratch, rule, condition->right);
    const struct ps_rules *rules = bench->harness.rules;
    if (condition->kind != PS_CONDITION_MATCH || rules->patterns[condition->pattern].subject.header != NULL)
        return;
    const struct ps_regex *regex = rules->patterns[condition->pattern].regex;
    bool named = false;
    for (unsigned i = 1; i <= ps_regex_group_count(regex); i++)
        named = named || ps_regex_group_name(regex, i) != NULL;
    if (ps_regex_java(regex)->exactness == PS_REGEX_NONE) {
        rule->pcre2_alone = true;
        size_t count = bench->line_count < FINDS_LINES ? bench->line_count : FINDS_LINES;
        rule->pcre2_ns += find_ns(bench, scratch, regex, NULL, count);
    } else if (rule->example_count > 0 && (named || ps_regex_java(regex)->exactness == PS_REGEX_CONFIRM)) {
        double share = (double)rule->matches / (double)bench->line_count;
        rule->pcre2_ns += share * find_ns(bench, scratch, regex, rule->examples, rule->example_count);
    }
}

static void costs_estimate(struct ps_rules_bench *bench)
{
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    const struct ps_rules *rules = bench->harness.rules;
    for (size_t i = 0; i < rules->rule_count; i++)
        condition_cost(bench, scratch, &bench->rules[i], rules->rules[i].when);
    ps_regex_scratch_destroy(scratch);
}

/* ---- a private cache: each pass compiles the same expressions ---- */

static int entry_remove(const char *path, const struct stat *, int, struct FTW *)
{
    return remove(path);
}

static bool bench_run(struct ps_rules_bench *bench)
{
    if (ps_rules_harness_open(&bench->harness, bench->command, bench->file) != PS_OK)
        return false;
    bench->headers = ps_rules_harness_headers(&bench->harness, &bench->command->headers);
    bench->header_count = bench->command->headers.count;
    bench->rules =
        ps_arena_alloc(bench->arena, (bench->harness.rules->rule_count + 1) * sizeof *bench->rules);
    if (!ps_rules_bench_look(bench))
        return false;
    costs_estimate(bench);
    if (!measure(bench)) {
        fputs("penstock rules bench: the events are too large to be measured\n", stderr);
        return false;
    }
    return true;
}

int ps_main_rules_bench(struct ps_rules_command *command)
{
    struct ps_rules_bench bench = {.command = command, .file = command->files.items[0]};
    if (command->sample == NULL) {
        fputs("penstock rules bench: name a log to measure with: --sample LOG\n", stderr);
        return 2;
    }
    if (strcmp(bench.file, "-") == 0) {
        fputs("penstock rules bench: the rules are read more than once: give a file\n", stderr);
        return 2;
    }
    const char *base = getenv("TMPDIR");
    char folder[512] = "";
    if (command->cache == NULL) {
        snprintf(folder, sizeof folder, "%s/penstock-rules-XXXXXX",
                 base != NULL && *base != '\0' ? base : "/tmp");
        if (mkdtemp(folder) != NULL)
            command->cache = folder;
    }
    bench.arena = ps_arena_create();
    bool opened = sample_read(&bench), good = opened && bench_run(&bench);
    /* removed before the report is printed, because printing may end the program (SIGPIPE) */
    if (command->cache == folder)
        (void)nftw(folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
    if (good && command->json)
        ps_rules_bench_print_json(&bench);
    else if (good)
        ps_rules_bench_print(&bench);
    if (opened)
        ps_rules_harness_close(&bench.harness);
    free(bench.pairs);
    free(bench.lines);
    free(bench.text);
    ps_arena_destroy(bench.arena);
    return good ? 0 : 1;
}
