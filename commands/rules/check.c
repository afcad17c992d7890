/* penstock rules check: prints every problem of a rules file, the engine of each expression, costly expressions, and the
 * size of the compiled set. Starts nothing, opens no port. Thread: main. */
#include "conf/conf.h"
#include "conf/report.h"
#include "commands/rules/rules.h"
#include "core/text/printable.h"
#include "stages/lib/rules/stage.h"
#include "stages/table.h"
#include "core/quantity.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define COSTLY_SHOWN 20U
/* Above this number, only expressions that look costly are compiled one by one. */
#define ALONE_MAX 1000U

static const char *const engines[] = {"none", "Hyperscan", "Hyperscan+PCRE2", "PCRE2"};
static const char *const grades[] = {"fine", "high", "ruinous"};

struct check {
    struct ps_rules_command *command;
    struct ps_rules_harness harness;
    const char *file;
    const struct ps_rules *rules;  /* NULL: the file is bad or the compilation failed */
    struct ps_matcher_cost *costs; /* by pattern */
    size_t engine_counts[PS_COUNT_OF(engines)];
    size_t costly;
};

/* ---- the channels of an agent's source ---- */

static bool part_has_rules(const struct ps_conf_part *part)
{
    return part->ops != NULL && strcmp(part->ops->name, "rules") == 0;
}

static void use_part(struct ps_rules_command *command, const struct ps_conf_source *source,
                     const struct ps_conf_part *part, bool interceptor)
{
    const struct ps_rules_stage *stage = part->plan;
    command->interceptor = interceptor;
    command->routes_known = true;
    if (command->files.count == 0) {
        const char **items = ps_arena_alloc(command->arena, sizeof *items);
        items[0] = ps_arena_text(command->arena, stage->file);
        command->files = (struct ps_texts){1, items};
    }
    const char **names = ps_arena_alloc(command->arena, (source->channels.count + 1) * sizeof *names);
    for (size_t i = 0; i < source->channels.count; i++)
        names[i] = ps_arena_text(command->arena, source->channels.items[i]);
    command->channels = (struct ps_texts){source->channels.count, names};
    command->compile_memory_bytes = (uint64_t)stage->compile_memory_bytes;
    command->compile_time_ms = (uint64_t)stage->compile_time_s * 1000;
    if (command->cache == NULL && stage->cache != NULL && strcmp(stage->cache, "none") != 0)
        command->cache = ps_arena_text(command->arena, stage->cache);
}

/* Reads the configured channels of the named source. Returns the number of sources with rules. */
static size_t sources_look(struct ps_rules_command *command, const struct ps_conf_agent *agent)
{
    size_t found = 0;
    for (size_t i = 0; i < agent->source_count; i++) {
        const struct ps_conf_source *source = &agent->sources[i];
        if (command->source != NULL && strcmp(command->source, source->part.name) != 0)
            continue;
        const struct ps_conf_part *part = part_has_rules(&source->selector) ? &source->selector : NULL;
        bool interceptor = part == NULL;
        for (size_t j = 0; j < source->interceptor_count && part == NULL; j++)
            if (part_has_rules(&source->interceptors[j]))
                part = &source->interceptors[j];
        if (part != NULL && found++ == 0)
            use_part(command, source, part, interceptor);
    }
    return found;
}

/* Returns 0, or the exit code after printing the reason. */
static int agent_look(struct ps_rules_command *command)
{
    struct ps_command agent = {
        .arena = command->arena, .agent = command->agent, .files = command->agent_files, .dry_run = true};
    struct ps_conf *conf;
    if (command->agent_files.count == 0) {
        fputs("penstock rules check: -n also needs a configuration: -f FILE\n", stderr);
        return 2;
    }
    (void)ps_conf_load(&agent, ps_stages, &conf); /* `penstock check` reports its problems */
    size_t found = sources_look(command, &conf->agent);
    if (found == 0) {
        ps_report_problems(stderr, conf, ps_report_colour(stderr));
        fprintf(stderr,
                "penstock rules check: no source%s%s of agent %s has valid rules (selector.type = rules)\n",
                command->source != NULL ? " " : "", command->source != NULL ? command->source : "",
                command->agent);
    }
    if (found > 1)
        fprintf(stderr, "penstock rules check: %zu sources of agent %s have rules; name one with --source\n",
                found, command->agent);
    ps_conf_destroy(conf);
    return found == 1 ? 0 : found == 0 ? 1 : 2;
}

/* ---- expressions ---- */

static bool is_costly(const struct ps_regex *regex)
{
    const struct ps_java_regex *java = ps_regex_java(regex);
    return java->exactness == PS_REGEX_CONFIRM || java->states > PS_REGEX_STATES_HIGH / 10;
}

/* Returns the engine that an expression probably gets, without compiling it. */
static enum ps_matcher_engine engine_expected(const struct ps_regex *regex)
{
    const struct ps_java_regex *java = ps_regex_java(regex);
    if (java->exactness == PS_REGEX_ALWAYS)
        return PS_ENGINE_NONE;
    if (java->exactness == PS_REGEX_NONE)
        return PS_ENGINE_PCRE2;
    return java->exactness == PS_REGEX_CONFIRM ? PS_ENGINE_PREFILTER : PS_ENGINE_HYPERSCAN;
}

static void check_patterns(struct check *check)
{
    const struct ps_rules *rules = check->rules;
    bool one_by_one = check->command->verbose || rules->pattern_count <= ALONE_MAX;
    check->costs = ps_arena_alloc(check->harness.arena, (rules->pattern_count + 1) * sizeof *check->costs);
    for (uint32_t i = 0; i < rules->pattern_count; i++) {
        struct ps_matcher_cost *cost = &check->costs[i];
        const struct ps_rules_pattern *pattern = &rules->patterns[i];
        if (one_by_one || is_costly(pattern->regex))
            ps_matcher_cost_of(pattern->regex, cost);
        else
            cost->engine = engine_expected(pattern->regex);
        check->engine_counts[cost->engine]++;
        check->costly += cost->grade != PS_COST_FINE;
        if (cost->grade == PS_COST_RUINOUS)
            ps_rules_problem_add(check->harness.problems, PS_RULES_WARNING, pattern->place,
                                 "lower its repeats; until then PCRE2 checks every event",
                                 "this expression is ruinous: %s", cost->why);
        ps_rules_progress_say(&check->harness.progress, "looking at expression %u of %u ...", i + 1,
                              rules->pattern_count);
    }
    ps_rules_progress_end(&check->harness.progress);
}

/* Sorts by database size, the most expensive first. */
static const struct check *sorting;

static int pattern_compare(const void *left, const void *right)
{
    const struct ps_matcher_cost *a = &sorting->costs[*(const uint32_t *)left],
                                 *b = &sorting->costs[*(const uint32_t *)right];
    if (a->grade != b->grade)
        return a->grade > b->grade ? -1 : 1;
    if (a->database_bytes != b->database_bytes)
        return a->database_bytes > b->database_bytes ? -1 : 1;
    return *(const uint32_t *)left < *(const uint32_t *)right ? -1 : 1;
}

static uint32_t *patterns_sorted(const struct check *check)
{
    uint32_t count = check->rules->pattern_count;
    uint32_t *order = ps_arena_alloc(check->harness.arena, (count + 1) * sizeof *order);
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    sorting = check;
    qsort(order, count, sizeof *order, pattern_compare);
    return order;
}

static void print_patterns(const struct check *check)
{
    struct ps_arena *arena = check->harness.arena;
    const uint32_t *order = patterns_sorted(check);
    bool all = check->command->verbose;
    uint32_t shown = 0, count = check->rules->pattern_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct ps_matcher_cost *cost = &check->costs[order[i]];
        const struct ps_rules_pattern *pattern = &check->rules->patterns[order[i]];
        if (!all && (cost->grade == PS_COST_FINE || shown == COSTLY_SHOWN))
            break;
        if (shown++ == 0)
            puts(all ? "expressions:" : "costly expressions:");
        const char *text = ps_rules_regex_text(arena, pattern->regex);
        printf("  %-20s %-8s %10s  ", ps_rules_place_text(arena, pattern->place), grades[cost->grade],
               cost->database_bytes > 0 ? ps_quantity_print_bytes(cost->database_bytes).text : "-");
        ps_printable_write(stdout, text, strlen(text) > 60 ? 57 : strlen(text));
        printf("%s\n      %s%s%s\n", strlen(text) > 60 ? "..." : "", cost->engine_words,
               cost->why[0] != '\0' ? "; " : "", cost->why);
    }
    if (!all && check->costly > shown)
        printf("  ... and %zu more; --verbose shows all\n", check->costly - shown);
}

/* ---- totals ---- */

static void print_totals(const struct check *check)
{
    const struct ps_rules *rules = check->rules;
    const struct ps_matcher_report *report = &check->harness.report.matcher;
    printf("rules        %s", ps_quantity_print_count(rules->rule_count).text);
    if (rules->disabled_count > 0)
        printf(" (and %s disabled)", ps_quantity_print_count(rules->disabled_count).text);
    printf(", mode %s, %zu test%s, in %zu file%s\n", rules->mode == PS_RULES_FIRST ? "first" : "all",
           rules->test_count, rules->test_count == 1 ? "" : "s", rules->file_count,
           rules->file_count == 1 ? "" : "s");
    printf("expressions  %s:", ps_quantity_print_count(rules->pattern_count).text);
    const char *separator = " ";
    for (size_t i = PS_COUNT_OF(engines); i-- > 0;) {
        if (check->engine_counts[i] == 0)
            continue;
        printf("%s%zu %s", separator, check->engine_counts[i],
               i == PS_ENGINE_NONE ? "that always match" : engines[i]);
        separator = ", ";
    }
    printf("%s\n", rules->pattern_count == 0 ? " -" : "");
    if (check->harness.report.always_count > 0)
        printf("             %u rule%s no expression to search for: evaluated for every event\n",
               check->harness.report.always_count,
               check->harness.report.always_count == 1 ? " has" : "s have");
    printf("database     %s, scratch %s a worker\n", ps_quantity_print_bytes(report->database_bytes).text,
           ps_quantity_print_bytes(report->scratch_bytes).text);
    printf("compiled in  %s%s%s%s\n", ps_quantity_print_ns(report->compile_ns).text,
           report->cached ? " (from the cache)" : "", report->cache_note[0] != '\0' ? "; " : "",
           report->cache_note);
}

static json_t *patterns_json(const struct check *check)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < check->rules->pattern_count; i++) {
        const struct ps_rules_pattern *pattern = &check->rules->patterns[i];
        const struct ps_matcher_cost *cost = &check->costs[i];
        json_t *object =
            json_pack("{s:s, s:i, s:i, s:s*, s:s, s:s, s:s, s:I, s:I, s:I}", "file", pattern->place.file,
                      "line", pattern->place.line, "column", pattern->place.column, "header",
                      pattern->subject.header, "engine", engines[cost->engine], "why", cost->engine_words,
                      "cost", grades[cost->grade], "states", (json_int_t)cost->states, "database_bytes",
                      (json_int_t)cost->database_bytes, "compile_ns", (json_int_t)cost->compile_ns);
        const char *text = ps_regex_text(pattern->regex);
        json_object_set_new(object, "expression", ps_rules_json_text(text, strlen(text)));
        if (cost->why[0] != '\0')
            json_object_set_new(object, "cost_why", ps_rules_json_text(cost->why, strlen(cost->why)));
        json_array_append_new(list, object);
    }
    return list;
}

static void print_json(const struct check *check, bool good)
{
    const struct ps_rules_problems *problems = check->harness.problems;
    const struct ps_matcher_report *report = &check->harness.report.matcher;
    json_t *root = json_pack("{s:s, s:b, s:I, s:I}", "file", check->file, "good", good, "errors",
                             (json_int_t)problems->errors, "warnings", (json_int_t)problems->warnings);
    json_object_set_new(root, "problems", ps_rules_json_problems(problems));
    if (check->rules != NULL) {
        json_t *set = json_pack(
            "{s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:b}", "mode",
            check->rules->mode == PS_RULES_FIRST ? "first" : "all", "rules",
            (json_int_t)check->rules->rule_count, "disabled", (json_int_t)check->rules->disabled_count,
            "tests", (json_int_t)check->rules->test_count, "database_bytes",
            (json_int_t)report->database_bytes, "scratch_bytes", (json_int_t)report->scratch_bytes,
            "compile_seconds", (double)report->compile_ns / 1e9, "cached", report->cached);
        json_object_update_missing(root, set);
        json_decref(set);
        json_object_set_new(root, "expressions", patterns_json(check));
    }
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    puts(text);
    free(text);
    json_decref(root);
}

int ps_main_rules_check(struct ps_rules_command *command)
{
    struct check check = {.command = command};
    struct ps_rules *rules;
    int code = command->agent != NULL ? agent_look(command) : 0;
    if (code != 0)
        return code;
    if (command->channels.count > 0)
        command->routes_known = true;
    check.file = command->files.items[0];
    enum ps_status status = ps_rules_harness_load(&check.harness, command, check.file, &rules);
    if (status == PS_OK)
        status = ps_rules_harness_compile(&check.harness, command, rules);
    check.rules = check.harness.rules;
    if (status == PS_OK) {
        check_patterns(&check);
        ps_rules_shadows(check.rules, check.harness.problems);
    }
    const struct ps_rules_problems *problems = check.harness.problems;
    bool good = status == PS_OK && problems->errors == 0;
    if (command->json) {
        print_json(&check, good);
    } else {
        ps_rules_print_problems(stdout, problems);
        if (status == PS_OK) {
            print_patterns(&check);
            print_totals(&check);
        }
        ps_rules_print_summary(stdout, check.file, problems);
    }
    bool strict = command->strict && problems->warnings > 0;
    ps_rules_harness_close(&check.harness);
    return good && !strict ? 0 : 1;
}
