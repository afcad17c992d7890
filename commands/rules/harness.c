/* Compiles a rules file into a set and runs events through it: the necessary parts of an engine, on one thread.
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

enum ps_status ps_rules_harness_load(struct ps_rules_harness *harness, const struct ps_rules_command *command,
                                     const char *file, struct ps_rules **rules)
{
    *harness = (struct ps_rules_harness){.arena = ps_arena_create()};
    harness->problems = ps_arena_alloc(harness->arena, sizeof *harness->problems);
    harness->problems->arena = harness->arena;
    harness->problems->keep_routes = true;
    ps_rules_progress_begin(&harness->progress);
    *rules = NULL;
    if (strcmp(file, "-") == 0) {
        size_t length;
        char *text = input_read(harness->problems, &length);
        if (text != NULL)
            *rules = ps_rules_parse("standard input", text, length, harness->problems);
        free(text);
    } else {
        *rules = ps_rules_load(file, harness->problems);
    }
    if (*rules == NULL) {
        const struct ps_rules_set_options options = {.channels = command->channels,
                                                     .any_channel = !command->routes_known,
                                                     .routes = !command->interceptor};
        ps_rules_set_check_routes(&options, harness->problems);
        return PS_FAIL;
    }
    harness->routes = !command->interceptor && (command->routes_known || names_channels(*rules));
    return PS_OK;
}

/* ---- compiling ---- */

struct compiling {
    struct ps_rules_harness *harness;
    struct ps_arena *arena;
    uint32_t patterns;
};

/* Called by the compiler now and then; only shows progress. */
static bool compile_watch(void *argument)
{
    struct compiling *compiling = argument;
    ps_rules_progress_say(&compiling->harness->progress, "compiling %u expressions ...", compiling->patterns);
    return false;
}

static enum ps_status rooms_make(struct ps_rules_harness *harness, struct ps_err *err)
{
    harness->channels = ps_rules_set_channels(harness->set);
    harness->scratch = ps_rules_scratch_create(harness->set, 0, err);
    if (harness->scratch == NULL)
        return PS_FAIL;
    harness->depot = ps_depot_create(BUDGET_BYTES, err);
    if (harness->depot == NULL)
        return PS_FAIL;
    harness->pool = ps_pool_create(harness->depot, 0);
    ps_bump_init(&harness->bump, harness->pool);
    if (harness->routes)
        harness->route = ps_route_create(harness->channels.count);
    return PS_OK;
}

enum ps_status ps_rules_harness_compile(struct ps_rules_harness *harness,
                                        const struct ps_rules_command *command, struct ps_rules *rules)
{
    struct compiling compiling = {.harness = harness, .patterns = rules->pattern_count};
    struct ps_err err = {.length = 0};
    const struct ps_rules_set_options options = {
        .channels = command->channels,
        .any_channel = !command->routes_known,
        .routes = harness->routes,
        .instances = 1,
        .matcher = {.cache_directory = command->cache,
                    .program = PROGRAM,
                    .compile_memory_bytes = command->compile_memory_bytes,
                    .compile_time_ms = command->compile_time_ms,
                    .cancelled = compile_watch,
                    .argument = &compiling}};
    harness->set = ps_rules_set_create(rules, &options, &harness->report, harness->problems);
    ps_rules_progress_end(&harness->progress);
    if (harness->set == NULL)
        return PS_FAIL;
    harness->rules = ps_rules_set_rules(harness->set);
    if (rooms_make(harness, &err) == PS_OK)
        return PS_OK;
    ps_rules_problem_add(harness->problems, PS_RULES_ERROR, (struct ps_rules_place){0}, NULL, "%s", err.text);
    return PS_FAIL;
}

enum ps_status ps_rules_harness_open(struct ps_rules_harness *harness, const struct ps_rules_command *command,
                                     const char *file)
{
    struct ps_rules *rules;
    enum ps_status status = ps_rules_harness_load(harness, command, file, &rules);
    if (status == PS_OK)
        status = ps_rules_harness_compile(harness, command, rules);
    if (status != PS_OK)
        ps_rules_print_problems(stderr, harness->problems);
    return status;
}

void ps_rules_harness_close(struct ps_rules_harness *harness)
{
    ps_route_destroy(harness->route);
    if (harness->pool != NULL) {
        ps_bump_fini(&harness->bump);
        ps_pool_destroy(harness->pool);
    }
    if (harness->depot != NULL)
        ps_depot_destroy(harness->depot);
    ps_rules_scratch_destroy(harness->scratch);
    ps_rules_set_destroy(harness->set);
    ps_arena_destroy(harness->arena);
}

void ps_rules_harness_forget(struct ps_rules_harness *harness)
{
    struct ps_err err = {.length = 0};
    ps_rules_scratch_destroy(harness->scratch);
    harness->scratch = ps_rules_scratch_create(harness->set, 0, &err);
    /* unlikely: a scratch of the same size was just freed */
    if (harness->scratch == NULL)
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

struct ps_rules_header_value *ps_rules_harness_headers(const struct ps_rules_harness *harness,
                                                       const struct ps_pairs *pairs)
{
    struct ps_rules_header_value *headers =
        ps_arena_alloc(harness->arena, (pairs->count + 1) * sizeof *headers);
    for (size_t i = 0; i < pairs->count; i++)
        headers[i] = (struct ps_rules_header_value){
            pairs->items[i].key, {pairs->items[i].value, (uint32_t)strlen(pairs->items[i].value)}};
    return headers;
}

/* Adds a body with a newline behind it, right behind the body before if they fit into one block. */
static struct ps_event *body_add_in_place(struct ps_batch *batch, struct ps_slice body)
{
    uint32_t room;
    char *to = ps_batch_reserve(batch, body.length + 1, &room);
    if (to == NULL)
        return NULL;
    memcpy(to, body.data, body.length);
    to[body.length] = '\n';
    ps_batch_commit(batch, body.length + 1);
    return ps_batch_add(batch, to, body.length);
}

struct ps_batch *ps_rules_harness_events(struct ps_rules_harness *harness, const struct ps_slice *bodies,
                                         size_t count, const struct ps_rules_header_value *headers,
                                         size_t header_count, bool in_place, size_t *taken)
{
    harness->now = ps_clock_now();
    struct ps_batch *batch = ps_batch_take(&harness->bump, harness->now);
    bool good = true;
    *taken = 0;
    if (batch == NULL)
        return NULL;
    for (; *taken < count && *taken < PS_BATCH_EVENTS_MAX && good; ++*taken) {
        struct ps_slice body = bodies[*taken];
        struct ps_event *event =
            in_place && body.length < PS_BLOCK_BYTES
                ? body_add_in_place(batch, body)
                : ps_batch_add_copy(batch, body.data != NULL ? body.data : "", body.length);
        if (event == NULL)
            break; /* the batch is full */
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

struct ps_batch *ps_rules_harness_event(struct ps_rules_harness *harness, struct ps_slice body,
                                        const struct ps_rules_header_value *headers, size_t header_count)
{
    size_t taken;
    return ps_rules_harness_events(harness, &body, 1, headers, header_count, false, &taken);
}

bool ps_rules_harness_run(struct ps_rules_harness *harness, struct ps_batch *batch, ps_rules_trace trace,
                          void *argument)
{
    if (harness->route != NULL)
        ps_route_clear(harness->route);
    return ps_rules_set_work(harness->set, harness->scratch, ps_batch_chain(batch), harness->route,
                             &harness->now, trace, argument) == PS_DONE;
}

bool ps_rules_harness_goes_to(const struct ps_rules_harness *harness, size_t channel, uint16_t row,
                              bool *required)
{
    *required = ps_route_has(harness->route, (unsigned)channel, true, row);
    return *required || ps_route_has(harness->route, (unsigned)channel, false, row);
}

bool ps_rules_harness_dropped(const struct ps_rules_harness *harness, const struct ps_batch *batch,
                              uint16_t row)
{
    const struct ps_lease *lease = ps_batch_chain(batch);
    bool required;
    if (harness->route != NULL) {
        for (size_t i = 0; i < harness->channels.count; i++)
            if (ps_rules_harness_goes_to(harness, i, row, &required))
                return false;
        return true;
    }
    for (uint32_t i = 0; i < lease->count; i++)
        if (ps_lease_row(lease, i) == row)
            return false;
    return true;
}
