#include "tests/support/stage.h"

#include "conf/bind.h"
#include "conf/properties/properties.h"
#include "core/flow/window.h"
#include "core/stage_call.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DEFAULT_BUDGET_BYTES (UINT64_C(64) << 20)

const char *ps_test_event_header(const struct ps_test_event *event, const char *name)
{
    for (size_t i = 0; event->headers != NULL && event->headers[i] != NULL; i += 2) {
        if (strcmp(event->headers[i], name) == 0)
            return event->headers[i + 1];
    }
    return NULL;
}

size_t ps_test_event_header_count(const struct ps_test_event *event)
{
    size_t count = 0;
    while (event->headers != NULL && event->headers[count] != NULL)
        count += 2;
    return count / 2;
}

/* ---- what the engine passes to a stage ---- */

/* A struct of its own: some stages also have a `struct ps_problems`. */
struct ps_test_problems {
    struct ps_problems list;
};

/* Returns the stage of a context or port made here. */
static struct ps_test_stage *stage_of_context(const struct ps_context *context)
{
    return (struct ps_test_stage *)((char *)(uintptr_t)context - offsetof(struct ps_test_stage, context));
}

static struct ps_test_stage *stage_of_port(struct ps_port *port)
{
    return (struct ps_test_stage *)((char *)port - offsetof(struct ps_test_stage, port));
}

static void record_problem(const struct ps_context *context, enum ps_log_level level, const char *key,
                           const char *message)
{
    struct ps_test_stage *stage = stage_of_context(context);
    enum ps_severity severity = level >= PS_LOG_ERROR  ? PS_SEVERITY_ERROR
                                : level == PS_LOG_WARN ? PS_SEVERITY_WARNING
                                                       : PS_SEVERITY_NOTE;
    ps_problem_add(&stage->problems->list, severity, (struct ps_place){.key = key}, NULL, "%s", message);
}

static const char *system_property(const void *argument, const char *name)
{
    const struct ps_test_stage *stage = argument;
    return ps_pairs_get(&stage->system, name);
}

static struct ps_bind binding(struct ps_test_stage *stage)
{
    return (struct ps_bind){
        .arena = stage->arena, .problems = &stage->problems->list, .prefix = "a1.test.t1."};
}

/* What a stage builds for itself. With the table of all stages each test's program would have the whole product in it: that takes
 * AddressSanitizer's build ten times as long to link. */
static const struct ps_stage_ops *const sub_stages[] = {
#define SUB_STAGE_source(name)
#define SUB_STAGE_interceptor(name)
#define SUB_STAGE_selector(name)
#define SUB_STAGE_channel(name)
#define SUB_STAGE_sink(name)
#define SUB_STAGE_serializer(name) &ps_serializer_##name,
#define SUB_STAGE_deserializer(name) &ps_deserializer_##name,
#define STAGE(kind, name) SUB_STAGE_##kind(name)
#include "stages/stages.def"
#undef STAGE
};

static bool stage_is_called(const struct ps_stage_ops *ops, const char *type)
{
    if (strcasecmp(ops->name, type) == 0)
        return true;
    for (size_t i = 0; ops->aliases != NULL && ops->aliases[i] != NULL; i++) {
        if (strcasecmp(ops->aliases[i], type) == 0)
            return true;
    }
    return false;
}

static const struct ps_stage_ops *build_sub_stage(struct ps_context *context, enum ps_kind kind,
                                                  const char *type, const struct ps_pairs *pairs, void **plan,
                                                  struct ps_err *err)
{
    struct ps_test_stage *stage = stage_of_context(context);
    const struct ps_stage_ops *ops = NULL;
    assert_true(kind == PS_KIND_SERIALIZER || kind == PS_KIND_DESERIALIZER);
    for (size_t i = 0; i < PS_COUNT_OF(sub_stages); i++) {
        if (sub_stages[i]->kind == kind && stage_is_called(sub_stages[i], type))
            ops = sub_stages[i];
    }
    if (stage->sub != NULL && stage->sub->kind == kind)
        ops = stage->sub;
    if (ops == NULL) {
        ps_err_set(err, "unknown type %s", type);
        return NULL;
    }
    assert_true(stage->sub_count < PS_COUNT_OF(stage->subs));
    *plan = ps_arena_alloc(stage->arena, ops->plan_size);
    struct ps_bind bind = binding(stage);
    if (ps_bind_options(&bind, ops->options, NULL, pairs, *plan) != PS_OK) {
        ps_err_set(err, "bad keys for %s", type);
        return NULL;
    }
    if ((ops->check != NULL && ops->check(*plan, context) != PS_OK) ||
        ps_stage_build(ops, *plan, context, err) != PS_OK)
        return NULL;
    stage->subs[stage->sub_count].ops = ops;
    stage->subs[stage->sub_count++].plan = *plan;
    return ops;
}

static void record_done(struct ps_port *port, struct ps_lease **lease)
{
    struct ps_test_stage *stage = stage_of_port(port);
    assert_true(stage->done_count < PS_TEST_BATCHES_MAX);
    assert_int_equal((*lease)->settled, (*lease)->count);
    stage->done[stage->done_count++] = *lease;
    *lease = NULL;
}

static void record_home(struct ps_port *port, struct ps_lease **lease)
{
    struct ps_test_stage *stage = stage_of_port(port);
    assert_true(stage->home_count < PS_TEST_BATCHES_MAX);
    stage->home[stage->home_count++] = *lease;
    *lease = NULL;
}

/* The first reason counts, as in the engine. */
static void record_failed(struct ps_port *port, const struct ps_err *reason)
{
    struct ps_test_stage *stage = stage_of_port(port);
    if (!stage->failed)
        stage->err = *reason;
    stage->failed = true;
}

/* ---- life cycle ---- */

void ps_test_stage_init_sized(struct ps_test_stage *stage, const struct ps_stage_ops *ops,
                              uint64_t budget_bytes)
{
    static const char *const channels[] = {"c1"};
    *stage = (struct ps_test_stage){.ops = ops};
    stage->arena = ps_arena_create();
    stage->problems = ps_arena_alloc(stage->arena, sizeof *stage->problems);
    ps_problems_init(&stage->problems->list, stage->arena);
    stage->depot = ps_depot_create(budget_bytes, &stage->err);
    assert_non_null(stage->depot);
    stage->pool = ps_pool_create(stage->depot, 0);
    assert_non_null(stage->pool);
    ps_bump_init(&stage->bump, stage->pool);
    stage->now = (struct ps_now){.mono_ns = 1000 * PS_NS_PER_S, .wall_ms = 1700000000000};
    stage->context = (struct ps_context){
        .agent = "a1",
        .component = "test t1",
        .name = "t1",
        .arena = stage->arena,
        .system_property = system_property,
        .read_properties = ps_properties_read,
        .sub_stage = build_sub_stage,
        .report = record_problem,
        .argument = stage,
        .channels = {PS_COUNT_OF(channels), channels},
        .instances = 1,
        .producers = 1,
        .consumers = 1,
        .batch_events_max = PS_BATCH_EVENTS_MAX,
        .memory_budget_bytes = budget_bytes,
        .channel_quota_bytes = budget_bytes,
        .client_queue_bytes = UINT64_C(16) << 20,
        .chain = &stage->chain_built,
    };
    stage->port = (struct ps_port){
        .component = "test t1",
        .name = "t1",
        .counters = &stage->counters,
        .instances = 1,
        .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
        .worker_epoll_fd = -1,
        .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .blocks = ps_pool_cache(stage->pool),
        .pool = stage->pool,
        .chain = &stage->chain_open,
        .done = record_done,
        .home = record_home,
        .failed = record_failed,
    };
    assert_true(stage->port.epoll_fd >= 0 && stage->port.wake_fd >= 0);
    ps_log_unlimited();
}

void ps_test_stage_init(struct ps_test_stage *stage, const struct ps_stage_ops *ops)
{
    ps_test_stage_init_sized(stage, ops, DEFAULT_BUDGET_BYTES);
}

static const char *last_problem(struct ps_test_stage *stage)
{
    const struct ps_problems *list = &stage->problems->list;
    if (list->count == 0)
        return "no problem was recorded";
    return ps_problem_text(stage->arena, &list->items[list->count - 1]);
}

enum ps_status ps_test_stage_bind(struct ps_test_stage *stage, const char *const *keys)
{
    size_t count = 0;
    while (keys != NULL && keys[count] != NULL)
        count += 2;
    struct ps_pair *items = ps_arena_alloc(stage->arena, (count / 2 + 1) * sizeof *items);
    for (size_t i = 0; i < count; i += 2)
        items[i / 2] = (struct ps_pair){.key = keys[i], .value = keys[i + 1], .file = "test", .line = 1};
    struct ps_pairs pairs = {count / 2, items};
    /* Programs that run a Kafka sink are run once for each of its engines. */
    const char *engine = getenv("PENSTOCK_TEST_KAFKA_ENGINE");
    if (engine != NULL && stage->ops->kind == PS_KIND_SINK && strcmp(stage->ops->name, "kafka") == 0)
        items[pairs.count++] =
            (struct ps_pair){.key = "penstock.engine", .value = engine, .file = "test", .line = 1};
    stage->plan = ps_arena_alloc(stage->arena, stage->ops->plan_size + 1);
    struct ps_bind bind = binding(stage);
    if (ps_bind_options(&bind, stage->ops->options, NULL, &pairs, stage->plan) != PS_OK)
        return ps_err_set(&stage->err, "binding: %s", last_problem(stage));
    if (stage->ops->check != NULL && stage->ops->check(stage->plan, &stage->context) != PS_OK)
        return ps_err_set(&stage->err, "check: %s", last_problem(stage));
    return PS_OK;
}

static void end_share(struct ps_chain_share *share)
{
    if (share->value != NULL)
        share->destroy(share->value);
    *share = (struct ps_chain_share){.value = NULL};
}

enum ps_status ps_test_silent_open(const void *plan, void *state, struct ps_port *port, struct ps_err *err)
{
    return PS_FAIL;
}

enum ps_status ps_test_stage_build(struct ps_test_stage *stage)
{
    assert_false(stage->built);
    stage->port.instances = stage->context.instances;
    if (ps_stage_build(stage->ops, stage->plan, &stage->context, &stage->err) != PS_OK) {
        end_share(&stage->chain_built);
        return PS_FAIL;
    }
    stage->built = true; /* even when `finish` fails: ps_test_stage_fini tears it down */
    if (stage->chain_built.value != NULL)
        return stage->chain_built.finish(stage->chain_built.value, &stage->err);
    return PS_OK;
}

enum ps_status ps_test_stage_open(struct ps_test_stage *stage)
{
    assert_true(stage->built && !stage->opened);
    stage->state = calloc(1, stage->ops->state_size + 1);
    assert_non_null(stage->state);
    if (stage->ops->open != NULL &&
        stage->ops->open(stage->plan, stage->state, &stage->port, &stage->err) != PS_OK) {
        free(stage->state);
        stage->state = NULL;
        return PS_FAIL;
    }
    stage->opened = true;
    return PS_OK;
}

void ps_test_stage_close(struct ps_test_stage *stage)
{
    assert_true(stage->opened);
    if (stage->ops->close != NULL)
        stage->ops->close(stage->plan, stage->state);
    end_share(&stage->chain_open);
    free(stage->state);
    stage->state = NULL;
    stage->opened = false;
}

void ps_test_stage_start(struct ps_test_stage *stage, const struct ps_stage_ops *ops, const char *const *keys)
{
    ps_test_stage_init(stage, ops);
    if (ps_test_stage_bind(stage, keys) != PS_OK || ps_test_stage_build(stage) != PS_OK ||
        ps_test_stage_open(stage) != PS_OK)
        fail_msg("%s: %s", ops->name, stage->err.text);
}

static void give_batches(struct ps_test_stage *stage)
{
    for (size_t i = 0; i < stage->batch_count; i++)
        ps_batch_give(stage->batches[i]);
    stage->batch_count = stage->done_count = stage->home_count = 0;
    stage->batch = NULL;
}

void ps_test_stage_release_home(struct ps_test_stage *stage, size_t home)
{
    while (stage->home_count > home)
        ps_window_release(stage->home[--stage->home_count]);
}

void ps_test_channel_await_home(struct ps_test_stage *stage, size_t count)
{
    for (unsigned i = 0; stage->home_count < count && i < PS_TEST_PATIENCE_MS; i++) {
        (void)stage->ops->channel->tick(stage->plan, 0, &stage->port, &stage->now);
        usleep(1000);
    }
    assert_int_equal(stage->home_count, count);
}

void ps_test_channel_deliver(struct ps_test_stage *stage, struct ps_lease *lease)
{
    struct ps_lease *going = lease;
    size_t home = stage->home_count;
    stage->ops->channel->done(stage->plan, 0, &going, &stage->port);
    assert_int_equal(stage->home_count, home + 1);
    ps_test_stage_release_home(stage, home);
}

void ps_test_stage_recycle(struct ps_test_stage *stage)
{
    give_batches(stage);
    ps_bump_fini(&stage->bump); /* the next batches begin where these began */
    ps_test_source_clear(stage);
}

void ps_test_stage_fini(struct ps_test_stage *stage)
{
    if (stage->opened)
        ps_test_stage_close(stage);
    give_batches(stage);
    ps_bump_fini(&stage->bump);
    assert_int_equal(ps_pool_out_count(stage->pool), 0);
    end_share(&stage->chain_built);
    if (stage->built && stage->ops->teardown != NULL)
        stage->ops->teardown(stage->plan);
    while (stage->sub_count > 0) {
        stage->sub_count--;
        if (stage->subs[stage->sub_count].ops->teardown != NULL)
            stage->subs[stage->sub_count].ops->teardown(stage->subs[stage->sub_count].plan);
    }
    close(stage->port.epoll_fd);
    close(stage->port.wake_fd);
    ps_pool_destroy(stage->pool);
    ps_depot_destroy(stage->depot);
    free(stage->events);
    ps_problems_fini(&stage->problems->list);
    ps_arena_destroy(stage->arena);
}

void ps_test_stage_pass_ms(struct ps_test_stage *stage, uint64_t ms)
{
    stage->now.mono_ns += ms * PS_NS_PER_MS;
    stage->now.wall_ms += (int64_t)ms;
}

void ps_test_stage_real_clock(struct ps_test_stage *stage)
{
    struct ps_now now = ps_clock_now();
    if (now.mono_ns + stage->ahead_ns < stage->now.mono_ns)
        stage->ahead_ns = stage->now.mono_ns - now.mono_ns;
    now.mono_ns += stage->ahead_ns;
    stage->now = now;
}

bool ps_test_stage_reported(const struct ps_test_stage *stage, enum ps_log_level level, const char *text)
{
    static const enum ps_log_level levels[] = {
        [PS_SEVERITY_ERROR] = PS_LOG_ERROR,
        [PS_SEVERITY_DROPPED] = PS_LOG_ERROR,
        [PS_SEVERITY_WARNING] = PS_LOG_WARN,
        [PS_SEVERITY_NOTE] = PS_LOG_INFO,
    };
    for (size_t i = 0; i < stage->problems->list.count; i++) {
        const struct ps_problem *problem = &stage->problems->list.items[i];
        if (levels[problem->severity] == level &&
            (strstr(problem->what, text) != NULL ||
             (problem->key != NULL && strstr(problem->key, text) != NULL) ||
             (problem->cure != NULL && strstr(problem->cure, text) != NULL)))
            return true;
    }
    return false;
}

struct ps_test_event ps_test_event_copy(struct ps_test_stage *stage, const struct ps_batch *batch,
                                        const struct ps_event *event)
{
    size_t count = 0;
    const struct ps_header *header;
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    while (ps_headers_next(&cursor) != NULL)
        count++;
    const char **headers = ps_arena_alloc(stage->arena, (2 * count + 1) * sizeof *headers);
    size_t used = 0;
    cursor = ps_headers_begin(batch, event);
    while ((header = ps_headers_next(&cursor)) != NULL) {
        headers[used++] = ps_arena_copy(stage->arena, header->name->text, header->name->length);
        headers[used++] = ps_arena_copy(stage->arena, header->value, header->value_length);
    }
    return (struct ps_test_event){
        .body = ps_arena_copy(stage->arena, event->body, event->body_length),
        .length = event->body_length,
        .headers = headers,
    };
}

/* ---- leases ---- */

struct ps_lease *ps_test_lease(struct ps_test_stage *stage, const struct ps_test_event *events, size_t count)
{
    struct ps_batch *batch = ps_test_stage_take_batch(stage);
    assert_non_null(batch);
    for (size_t i = 0; i < count; i++) {
        struct ps_event *event = ps_batch_add_copy(batch, events[i].body, events[i].length);
        assert_non_null(event);
        for (size_t h = 0; events[i].headers != NULL && events[i].headers[h] != NULL; h += 2) {
            uint32_t length = (uint32_t)strlen(events[i].headers[h + 1]);
            char *value = ps_batch_alloc(batch, length + 1);
            const struct ps_name *name =
                ps_batch_name(batch, events[i].headers[h], strlen(events[i].headers[h]));
            assert_true(value != NULL && name != NULL);
            memcpy(value, events[i].headers[h + 1], length + 1);
            assert_true(ps_batch_header_add(batch, event, name, value, length));
        }
    }
    ps_batch_close(batch);
    struct ps_lease *lease = ps_batch_chain(batch);
    lease->index = NULL;
    lease->count = batch->count;
    lease->bytes = batch->body_bytes;
    return lease;
}

struct ps_test_event ps_test_lease_event(struct ps_test_stage *stage, const struct ps_lease *lease,
                                         uint32_t position)
{
    assert_true(position < lease->count);
    return ps_test_event_copy(stage, lease->batch, ps_lease_event(lease, position));
}

enum ps_result ps_test_interceptor_work(struct ps_test_stage *stage, struct ps_lease *lease)
{
    uint64_t until = ps_test_patience_end_ns();
    enum ps_result result;
    while ((result = stage->ops->interceptor->work(stage->plan, stage->state, lease, &stage->now)) ==
           PS_LATER) {
        assert_true(ps_test_patient_ns() < until);
        ps_test_stage_pass_ms(stage, 1);
        usleep(200);
    }
    return result;
}

enum ps_result ps_test_sink_work(struct ps_test_stage *stage, struct ps_lease **lease)
{
    struct ps_lease *offered = *lease;
    enum ps_result result = stage->ops->sink->work(stage->plan, stage->state, lease, &stage->now);
    if (result == PS_TAKEN) {
        assert_null(*lease);
    } else {
        assert_ptr_equal(*lease, offered);
        if (result == PS_DONE)
            assert_int_equal(offered->settled, offered->count);
    }
    return result;
}

uint64_t ps_test_sink_tick(struct ps_test_stage *stage)
{
    if (stage->ops->sink->tick == NULL)
        return PS_NEVER;
    return stage->ops->sink->tick(stage->plan, stage->state, &stage->now);
}

struct ps_lease *ps_test_sink_recall(struct ps_test_stage *stage)
{
    struct ps_lease *back = NULL;
    uint64_t until = ps_test_patience_end_ns();
    while (stage->ops->sink->recall != NULL &&
           !stage->ops->sink->recall(stage->plan, stage->state, &back, &stage->now)) {
        if (ps_test_patient_ns() > until)
            fail_msg("recall did not end");
        ps_test_stage_pass_ms(stage, 1);
        usleep(1000);
    }
    ps_port_finish_settled(&stage->port, &back); /* as the engine does */
    return back;
}

void ps_test_sink_wait(struct ps_test_stage *stage, size_t count, unsigned patience_ms)
{
    uint64_t until = ps_test_wait_ns(patience_ms) + patience_ms * PS_NS_PER_MS;
    while (stage->done_count < count) {
        ps_test_sink_tick(stage);
        if (stage->done_count >= count)
            break;
        if (ps_test_wait_ns(patience_ms) > until)
            fail_msg("%zu leases were done in %u ms, expected %zu", stage->done_count, patience_ms, count);
        struct ps_now before = ps_clock_now();
        usleep(1000);
        stage->now.mono_ns += ps_clock_now().mono_ns - before.mono_ns;
    }
}

/* ---- serializers ---- */

struct memory_output {
    struct ps_output output;
    FILE *stream;
};

static bool memory_write(struct ps_output *output, const void *data, size_t length)
{
    struct memory_output *memory = (struct memory_output *)output;
    return length == 0 || fwrite(data, 1, length, memory->stream) == length;
}

char *ps_test_serializer_run(struct ps_test_stage *stage, const struct ps_lease *lease, size_t *length)
{
    const struct ps_serializer_ops *ops = stage->ops->serializer;
    char *text = NULL;
    struct memory_output memory = {.output = {.write = memory_write},
                                   .stream = open_memstream(&text, length)};
    assert_non_null(memory.stream);
    if (ops->begin != NULL)
        assert_true(ops->begin(stage->plan, stage->state, &memory.output));
    for (uint32_t i = 0; i < lease->count; i++)
        assert_true(
            ops->event(stage->plan, stage->state, lease->batch, ps_lease_event(lease, i), &memory.output));
    if (ops->flush != NULL)
        assert_true(ops->flush(stage->plan, stage->state, &memory.output));
    if (ops->end != NULL)
        assert_true(ops->end(stage->plan, stage->state, &memory.output));
    fclose(memory.stream);
    return text;
}
