/* Compiles a rules file into a set and runs events through it: the needed parts of an engine, on one thread.
 * Thread: main. */
#include "commands/rules/rules.h"
#include "core/engine/runner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUDGET_BYTES (UINT64_C(1) << 30)
#define BATCHES_MAX 4
#define PROGRAM "/proc/self/exe" /* runs the compiler process */

/* ---- reading ---- */

/* Reads standard input up to the size limit of a rules file. Returns NULL after reporting the problem. */
static char *input_read(struct ps_rules_problems *problems, size_t *length)
{
    size_t room = 65536;
    char *text = ps_must_alloc(1, room, "the input");
    *length = 0;
    for (;;) {
        size_t got = fread(text + *length, 1, room - *length, stdin);
        *length += got;
        if (got == 0 && !ferror(stdin))
            return text;
        if (ferror(stdin) || *length > PS_RULES_FILE_BYTES_MAX)
            break;
        if (*length == room) {
            room *= 2;
            text = ps_must_realloc(text, room, "the input");
        }
    }
    ps_rules_problem_add(problems, PS_RULES_ERROR, (struct ps_rules_place){.file = "standard input"}, NULL,
                         "%s", ferror(stdin) ? "cannot be read" : "a rules file may have at most 64 MiB");
    free(text);
    return NULL;
}

/* Returns whether the file belongs to a selector, that is, whether some rule routes events. An interceptor's
 * file only changes and drops events. */
static bool names_channels(const struct ps_rules *rules)
{
    bool found = rules->default_count > 0;
    for (size_t i = 0; i < rules->rule_count && !found; i++)
        for (size_t j = 0; j < rules->rules[i].action_count && !found; j++)
            found = rules->rules[i].actions[j].channel_count > 0;
    return found;
}

enum ps_status ps_rules_bed_load(struct ps_rules_bed *bed, const struct ps_rules_command *command,
                                 const char *file, struct ps_rules **rules)
{
    *bed = (struct ps_rules_bed){.arena = ps_arena_create()};
    bed->problems = ps_arena_alloc(bed->arena, sizeof *bed->problems);
    bed->problems->arena = bed->arena;
    bed->problems->keep_routes = true;
    ps_rules_progress_begin(&bed->progress);
    *rules = NULL;
    if (strcmp(file, "-") == 0) {
        size_t length;
        char *text = input_read(bed->problems, &length);
        if (text != NULL)
            *rules = ps_rules_parse("standard input", text, length, bed->problems);
        free(text);
    } else {
        *rules = ps_rules_load(file, bed->problems);
    }
    if (*rules == NULL) {
        const struct ps_rules_set_options options = {.channels = command->channels,
                                                     .any_channel = !command->routes_known,
                                                     .routes = !command->interceptor};
        ps_rules_set_check_routes(&options, bed->problems);
        return PS_FAIL;
    }
    bed->routes = !command->interceptor && (command->routes_known || names_channels(*rules));
    return PS_OK;
}

/* ---- compiling ---- */

struct compiling {
    struct ps_rules_bed *bed;
    struct ps_arena *arena;
    uint32_t patterns;
};

/* The compiler calls this now and then; it only shows progress. */
static bool compile_watch(void *argument)
{
    struct compiling *compiling = argument;
    ps_rules_progress_say(&compiling->bed->progress, "compiling %u expressions ...", compiling->patterns);
    return false;
}

static enum ps_status rooms_make(struct ps_rules_bed *bed, struct ps_err *err)
{
    bed->channels = ps_rules_set_channels(bed->set);
    bed->scratch = ps_rules_scratch_create(bed->set, 0, err);
    if (bed->scratch == NULL)
        return PS_FAIL;
    bed->depot = ps_depot_create(BUDGET_BYTES, err);
    if (bed->depot == NULL)
        return PS_FAIL;
    bed->pool = ps_pool_create(bed->depot, 0);
    ps_bump_init(&bed->bump, bed->pool);
    if (bed->routes)
        bed->route = ps_route_create(bed->channels.count);
    return PS_OK;
}

enum ps_status ps_rules_bed_compile(struct ps_rules_bed *bed, const struct ps_rules_command *command,
                                    struct ps_rules *rules)
{
    struct compiling compiling = {.bed = bed, .patterns = rules->pattern_count};
    struct ps_err err = {.length = 0};
    const struct ps_rules_set_options options = {
        .channels = command->channels,
        .any_channel = !command->routes_known,
        .routes = bed->routes,
        .instances = 1,
        .matcher = {.cache_directory = command->cache,
                    .program = PROGRAM,
                    .compile_memory_bytes = command->compile_memory_bytes,
                    .compile_time_ms = command->compile_time_ms,
                    .cancelled = compile_watch,
                    .argument = &compiling}};
    bed->set = ps_rules_set_create(rules, &options, &bed->report, bed->problems);
    ps_rules_progress_end(&bed->progress);
    if (bed->set == NULL)
        return PS_FAIL;
    bed->rules = ps_rules_set_rules(bed->set);
    if (rooms_make(bed, &err) == PS_OK)
        return PS_OK;
    ps_rules_problem_add(bed->problems, PS_RULES_ERROR, (struct ps_rules_place){0}, NULL, "%s", err.text);
    return PS_FAIL;
}

enum ps_status ps_rules_bed_open(struct ps_rules_bed *bed, const struct ps_rules_command *command,
                                 const char *file)
{
    struct ps_rules *rules;
    enum ps_status status = ps_rules_bed_load(bed, command, file, &rules);
    if (status == PS_OK)
        status = ps_rules_bed_compile(bed, command, rules);
    if (status != PS_OK)
        ps_rules_print_problems(stderr, bed->problems);
    return status;
}

void ps_rules_bed_close(struct ps_rules_bed *bed)
{
    ps_route_destroy(bed->route);
    if (bed->pool != NULL) {
        ps_bump_fini(&bed->bump);
        ps_pool_destroy(bed->pool);
    }
    if (bed->depot != NULL)
        ps_depot_destroy(bed->depot);
    ps_rules_scratch_destroy(bed->scratch);
    ps_rules_set_destroy(bed->set);
    ps_arena_destroy(bed->arena);
}

void ps_rules_bed_forget(struct ps_rules_bed *bed)
{
    struct ps_err err = {.length = 0};
    ps_rules_scratch_destroy(bed->scratch);
    bed->scratch = ps_rules_scratch_create(bed->set, 0, &err);
    if (bed->scratch == NULL) /* a batch of the same size was allocated before */
        ps_out_of_memory(0, "the scratch of the rules");
}

/* ---- events ---- */

static bool headers_add(struct ps_batch *batch, struct ps_event *event,
                        const struct ps_rules_header_value *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct ps_name *name = ps_batch_name(batch, headers[i].name, strlen(headers[i].name));
        char *value = ps_batch_alloc(batch, headers[i].value.length + 1);
        if (name == NULL || value == NULL)
            return false;
        if (headers[i].value.length > 0)
            memcpy(value, headers[i].value.data, headers[i].value.length);
        if (!ps_batch_header_set(batch, event, name, value, headers[i].value.length))
            return false;
    }
    return true;
}

struct ps_batch *ps_rules_bed_events(struct ps_rules_bed *bed, const struct ps_slice *bodies, size_t count,
                                     const struct ps_rules_header_value *headers, size_t header_count,
                                     size_t *taken)
{
    bed->now = ps_clock_now();
    struct ps_batch *batch = ps_batch_take(&bed->bump, bed->now);
    bool good = true;
    *taken = 0;
    if (batch == NULL)
        return NULL;
    for (; *taken < count && *taken < PS_BATCH_EVENTS_MAX && good; ++*taken) {
        struct ps_slice body = bodies[*taken];
        struct ps_event *event = ps_batch_add_copy(batch, body.data != NULL ? body.data : "", body.length);
        if (event == NULL)
            break; /* full */
        good = headers_add(batch, event, headers, header_count);
    }
    ps_batch_close(batch);
    if (!good || *taken == 0) {
        ps_batch_give(batch);
        return NULL;
    }
    struct ps_lease *lease = ps_batch_chain(batch);
    lease->index = NULL;
    lease->count = batch->count;
    lease->bytes = batch->body_bytes;
    return batch;
}

struct ps_batch *ps_rules_bed_event(struct ps_rules_bed *bed, struct ps_slice body,
                                    const struct ps_rules_header_value *headers, size_t header_count)
{
    size_t taken;
    return ps_rules_bed_events(bed, &body, 1, headers, header_count, &taken);
}

bool ps_rules_bed_run(struct ps_rules_bed *bed, struct ps_batch *batch, ps_rules_trace trace, void *argument)
{
    if (bed->route != NULL)
        ps_route_clear(bed->route);
    return ps_rules_set_work(bed->set, bed->scratch, ps_batch_chain(batch), bed->route, &bed->now, trace,
                             argument) == PS_DONE;
}

bool ps_rules_bed_goes_to(const struct ps_rules_bed *bed, size_t channel, uint16_t row, bool *required)
{
    *required = ps_route_has(bed->route, (unsigned)channel, true, row);
    return *required || ps_route_has(bed->route, (unsigned)channel, false, row);
}

bool ps_rules_bed_dropped(const struct ps_rules_bed *bed, const struct ps_batch *batch, uint16_t row)
{
    const struct ps_lease *lease = ps_batch_chain(batch);
    bool required;
    if (bed->route != NULL) {
        for (size_t i = 0; i < bed->channels.count; i++)
            if (ps_rules_bed_goes_to(bed, i, row, &required))
                return false;
        return true;
    }
    for (uint32_t i = 0; i < lease->count; i++)
        if (ps_lease_row(lease, i) == row)
            return false;
    return true;
}
