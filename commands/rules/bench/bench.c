/* penstock rules bench: measures the cost of rules on a sample log. Thread: main. */

#include "commands/rules/bench/bench.h"
#include "core/array.h"

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
        PS_ARRAY_GROW(bench->lines, bench->line_count, room, "the sample");
        bench->lines[bench->line_count++] = (struct ps_slice){at, (uint32_t)size};
        bench->bytes += size;
        at = stop + 1;
    }
    return true;
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
    return ps_rules_bench_measure(bench);
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
