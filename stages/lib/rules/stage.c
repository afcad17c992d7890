/* Thread: control, except open, close and work (the worker) and series (any). */
#include "stages/lib/rules/stage.h"
#include "core/quantity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct ps_rules_stage, name)
#define DESCRIBED_MAX 50U /* expressions that `describe` prints one by one */

const struct ps_option ps_rules_stage_options[] = {
    PS_OPTION_ROW(
        "rules.file", TEXT, FIELD(file),
        "file with the rules (docs/RULES.md); a relative path is looked for in the working directory, "
        "then beside the agent file",
        .flags = PS_OPTION_REQUIRED | PS_OPTION_FILE),
    PS_OPTION_ROW("rules.watch", BOOL, FIELD(watch),
                  "load changes of the file and its includes at once; false: only on SIGHUP",
                  .fallback = "true"),
    PS_OPTION_ROW("rules.settle", INT, FIELD(settle_ms),
                  "time without further changes before the files are read; at most five times that",
                  .fallback = "200", .min = 0, .max = 60000, .unit = "ms"),
    PS_OPTION_ROW(
        "rules.cache", TEXT, FIELD(cache),
        "directory for compiled expressions, made if missing; none: not kept; unset: $CACHE_DIRECTORY, "
        "which systemd sets, else $XDG_CACHE_HOME/penstock, else $HOME/.cache/penstock"),
    PS_OPTION_ROW("rules.compile.memory", SIZE, FIELD(compile_memory_bytes),
                  "limit of the memory that compiling may use; rules that need more are refused",
                  .fallback = "2g", .min = INT64_C(64) << 20, .max = INT64_C(1) << 40, .unit = "bytes"),
    PS_OPTION_ROW("rules.compile.time", INT, FIELD(compile_time_s),
                  "limit of the CPU time that compiling may use; rules that need more are refused",
                  .fallback = "120", .min = 1, .max = 86400, .unit = "s"),
    PS_OPTION_END,
};

/* ---- check ---- */

static void report_problem(const struct ps_context *context, const struct ps_rules_problem *problem)
{
    const struct ps_rules_place *place = &problem->place;
    char position[32] = "";
    if (place->line > 0)
        snprintf(position, sizeof position, ":%d:%d", place->line, place->column);
    ps_report(context,
              problem->severity == PS_RULES_ERROR     ? PS_LOG_ERROR
              : problem->severity == PS_RULES_WARNING ? PS_LOG_WARN
                                                      : PS_LOG_INFO,
              "rules.file", "%s%s: %s%s%s", place->file, position, problem->what,
              problem->cure != NULL ? "; " : "", problem->cure != NULL ? problem->cure : "");
}

static void report_problems(const struct ps_context *context, const struct ps_rules_problems *problems)
{
    size_t kept = ps_rules_problems_kept(problems);
    for (size_t i = 0; i < kept; i++)
        report_problem(context, &problems->items[i]);
    if (problems->count > kept)
        ps_report(context, PS_LOG_WARN, "rules.file", "%zu more like these", problems->count - kept);
}

enum ps_status ps_rules_stage_check(const struct ps_rules_stage *stage, const struct ps_context *context,
                                    bool routes)
{
    struct ps_rules_set_options options = {.channels = context->channels, .routes = routes};
    struct ps_rules_problems *problems = ps_arena_alloc(context->arena, sizeof *problems);
    problems->arena = context->arena;
    problems->keep_routes = true;
    struct ps_rules *rules = ps_rules_load(stage->file, problems);
    bool good = rules != NULL && ps_rules_set_check(rules, &options, problems);
    if (rules == NULL)
        ps_rules_set_check_routes(&options, problems);
    report_problems(context, problems);
    ps_rules_destroy(rules);
    return good ? PS_OK : PS_FAIL;
}

/* ---- build ---- */

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] == '/' ? value : NULL;
}

/* Returns the directory of the cache of compiled expressions; NULL if there is none. */
static const char *cache_directory(const struct ps_rules_stage *stage, struct ps_arena *arena)
{
    const char *base;
    if (stage->cache != NULL)
        return strcmp(stage->cache, "none") == 0 ? NULL : stage->cache;
    if ((base = environment("CACHE_DIRECTORY")) != NULL)
        return ps_arena_copy(arena, base, strcspn(base, ":")); /* the first of several directories */
    if ((base = environment("XDG_CACHE_HOME")) != NULL)
        return ps_arena_format(arena, "%s/penstock", base);
    if ((base = environment("HOME")) != NULL)
        return ps_arena_format(arena, "%s/.cache/penstock", base);
    return NULL;
}

enum ps_status ps_rules_stage_build(struct ps_rules_stage *stage, struct ps_context *context, bool routes,
                                    struct ps_err *err)
{
    const struct ps_rules_live_options options = {
        .file = stage->file,
        .settle_ms = stage->settle_ms,
        .watch = stage->watch,
        .component = context->component,
        .set = {.channels = context->channels,
                .routes = routes,
                .instances = context->instances,
                .component = context->component,
                .matcher = {.cache_directory = cache_directory(stage, context->arena),
                            .program = context->program,
                            .compile_memory_bytes = (uint64_t)stage->compile_memory_bytes,
                            .compile_time_ms = (uint64_t)stage->compile_time_s * 1000,
                            .idle = context->running}}};
    stage->live = ps_rules_live_create(&options, err);
    return stage->live != NULL ? PS_OK : PS_FAIL;
}

void ps_rules_stage_teardown(void *plan)
{
    struct ps_rules_stage *stage = plan;
    ps_rules_live_destroy(stage->live);
    stage->live = NULL;
}

/* ---- at work ---- */

enum ps_status ps_rules_stage_open(const void *plan, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct ps_rules_stage *stage = plan;
    struct ps_rules_stage_state *state = state_;
    state->instance = port->instance;
    state->port = port;
    return ps_rules_live_open(stage->live, state->instance, err);
}

/* Releases the worker's instance. The engine drops a lease that was not finished when the source closes. */
void ps_rules_stage_close(const void *plan, void *state_)
{
    const struct ps_rules_stage *stage = plan;
    const struct ps_rules_stage_state *state = state_;
    ps_rules_live_release(stage->live, state->instance, true);
}

enum ps_result ps_rules_stage_work(const struct ps_rules_stage *stage,
                                   const struct ps_rules_stage_state *state, struct ps_lease *lease,
                                   struct ps_route *route, const struct ps_now *now)
{
    struct ps_rules_scratch *scratch;
    const struct ps_rules_set *set = ps_rules_live_acquire(stage->live, state->instance, &scratch);
    ps_rules_scratch_set_port(scratch, state->port);
    enum ps_result result = ps_rules_set_work(set, scratch, lease, route, now, NULL, NULL);
    ps_rules_live_release(stage->live, state->instance, result == PS_DONE);
    return result;
}

void ps_rules_stage_reread(const void *plan)
{
    const struct ps_rules_stage *stage = plan;
    ps_rules_live_reread(stage->live);
}

bool ps_rules_stage_outdated(const void *plan, char *text, size_t room)
{
    const struct ps_rules_stage *stage = plan;
    struct ps_rules_live_state state;
    ps_rules_live_look(stage->live, &state);
    int line = (int)strcspn(state.error, "\n"); /* the log has the others */
    if (line > 0)
        snprintf(text, room, "%.*s; the rules before it stay active", line, state.error);
    return line > 0;
}

void ps_rules_stage_series(const void *plan, void (*add)(void *argument, const struct ps_series *series),
                           void *argument)
{
    const struct ps_rules_stage *stage = plan;
    ps_rules_live_series(stage->live, add, argument);
}

/* ---- describe ---- */

struct words {
    void (*line)(void *argument, const char *text);
    void *argument;
    struct ps_arena *arena;
};

static const char *pattern_text(const struct words *words, const struct ps_rules_pattern *pattern)
{
    struct ps_matcher_cost cost;
    const char *subject = pattern->subject.header != NULL
                              ? ps_arena_format(words->arena, "header %s", pattern->subject.header)
                              : "body";
    ps_matcher_cost_of(pattern->regex, &cost);
    return ps_arena_format(words->arena, "  %s:%d:%d: %s ~ /%.200s/: %s", pattern->place.file,
                           pattern->place.line, pattern->place.column, subject, ps_regex_text(pattern->regex),
                           cost.engine_words);
}

static void describe_patterns(const struct words *words, const struct ps_rules *rules)
{
    uint32_t told = rules->pattern_count < DESCRIBED_MAX ? rules->pattern_count : DESCRIBED_MAX;
    for (uint32_t i = 0; i < told; i++)
        words->line(words->argument, pattern_text(words, &rules->patterns[i]));
    if (told < rules->pattern_count)
        words->line(
            words->argument,
            ps_arena_format(words->arena, "  and %s expressions more: penstock rules check --verbose %s",
                            ps_quantity_print_count(rules->pattern_count - told).text, rules->files[0]));
}

void ps_rules_stage_describe(const void *plan, const struct ps_context *context,
                             void (*line)(void *argument, const char *text), void *argument)
{
    const struct ps_rules_stage *stage = plan;
    if (stage->live != NULL) /* a running agent: the log has this already */
        return;
    const struct words words = {line, argument, context->arena};
    struct ps_rules_problems *problems = ps_arena_alloc(context->arena, sizeof *problems);
    problems->arena = context->arena;
    struct ps_rules *rules = ps_rules_load(stage->file, problems);
    if (rules == NULL)
        return;
    const char *cache = cache_directory(stage, context->arena);
    line(argument,
         ps_arena_format(context->arena, "%s: %s: %s rules (%s disabled), %s expressions, %s; cache: %s",
                         context->component, stage->file, ps_quantity_print_count(rules->rule_count).text,
                         ps_quantity_print_count(rules->disabled_count).text,
                         ps_quantity_print_count(rules->pattern_count).text,
                         rules->mode == PS_RULES_FIRST ? "the first rule that matches acts"
                                                       : "all rules that match act",
                         cache != NULL ? cache : "none"));
    describe_patterns(&words, rules);
    ps_rules_destroy(rules);
}
