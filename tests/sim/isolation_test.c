/* Sinks that deliver nothing must not stop the others: whatever piles up in front of them (descriptors, small events, large
 * ones, leases that a sink holds, headers that interceptors add), a pipeline whose sink works continues, on the same
 * workers and with the smallest budget that is allowed. */
#include "core/engine/engine.h"

#include "core/arena.h"
#include "conf/bind.h"
#include "conf/problem.h"
#include "tests/support/support.h"

#define PIPELINES_MAX 16U
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CYCLES 2000U
#else
#define CYCLES 12000U
#endif
#define DELIVERED_MIN 500U

extern const struct ps_stage_ops ps_channel_memory;

/* One kind of trouble. The first `dead` pipelines have a dead sink; one more has a working one. */
static const struct shape {
    const char *name;
    unsigned dead, workers;
    int64_t budget; /* 0: the least that the plan allows */
    uint32_t events, body_bytes;
    uint32_t sparse;     /* every n-th batch goes to the dead sink, the others to a working one; 0: none */
    uint32_t grow_bytes; /* length to which an interceptor extends each body; 0: it does not */
    unsigned grow_after; /* batches */
    unsigned holds;      /* leases that a dead sink takes */
} shapes[] = {
    {"answered lines", 1, 1, 256 << 20, 1, 100, 1, 0, 0, 16},
    {"answered lines, 2 workers", 2, 2, 256 << 20, 1, 100, 1, 0, 0, 0},
    {"answered lines, held", 1, 1, 64 << 20, 1, 100, 1, 0, 0, 100000},
    {"few of many", 1, 1, 64 << 20, 1, 2000, 500, 0, 0, 0},
    {"few of many, held", 1, 1, 64 << 20, 1, 2000, 500, 0, 0, 100000},
    {"full batches", 3, 1, 0, 1024, 1000, 1, 0, 0, 0},
    {"full batches, held", 3, 1, 0, 1024, 1000, 1, 0, 0, 100000},
    {"many pipelines", 15, 3, 0, 1024, 1000, 1, 0, 0, 4},
    {"many pipelines, small", 15, 2, 0, 1, 10, 1, 0, 0, 100000},
    {"many pipelines, few of many", 7, 1, 0, 1, 10, 300, 0, 0, 100000},
    {"long bodies", 3, 1, 0, 8, 300000, 1, 0, 0, 4},
    {"bodies made longer", 1, 1, 64 << 20, 100, 100, 1, 20000, 0, 4},
    {"bodies made much longer", 4, 1, 0, 1000, 10, 1, 14000, 0, 4},
    {"bodies made much longer, all delivered", 4, 1, 0, 1000, 10, 0, 14000, 0, 4},
    {"bodies suddenly much longer, all delivered", 4, 1, 0, 1000, 10, 0, 14000, 100, 4},
};

static struct {
    const struct shape *shape;
    uint64_t delivered; /* batches of the pipeline that works */
    struct pipeline {
        unsigned number;
        uint64_t batches; /* batches that its selector has seen */
        uint32_t grown;   /* events of the batch in the chain whose bodies are extended already */
        struct ps_lease *held, **held_end;
        unsigned held_count;
    } pipelines[PIPELINES_MAX];
} world;

static struct ps_engine *engine;
static struct ps_plan *plan;
static struct ps_now now;

static bool is_dead(const struct pipeline *pipeline)
{
    return pipeline->number < world.shape->dead;
}

/* ---- stages: the plan of each is its pipeline ---- */

static enum ps_result source_work(const void *p, void *state, struct ps_batch *batch, const struct ps_now *at)
{
    static char body[1 << 20];
    const struct pipeline *pipeline = *(struct pipeline *const *)p;
    uint32_t events = is_dead(pipeline) ? world.shape->events : 1;
    uint32_t bytes = is_dead(pipeline) ? world.shape->body_bytes : 100;
    while (batch->count < events && !batch->full) {
        if (ps_batch_add_copy(batch, body, bytes) == NULL)
            break;
    }
    batch->flush = batch->count == events;
    return batch->flush || batch->full ? PS_DONE : PS_IDLE;
}

static enum ps_result grow_work(const void *p, void *state, struct ps_lease *lease, const struct ps_now *at)
{
    struct pipeline *pipeline = *(struct pipeline *const *)p;
    if (!is_dead(pipeline) || world.shape->grow_bytes == 0 || pipeline->batches < world.shape->grow_after)
        return PS_DONE;
    for (uint32_t done = 0; pipeline->grown < lease->count; pipeline->grown++) {
        if (world.shape->grow_after > 0 && done++ == 50)
            return PS_LATER; /* so that the batches of all pipelines grow side by side */
        char *body = ps_batch_alloc(lease->batch, world.shape->grow_bytes);
        if (body == NULL)
            return PS_RETRY;
        memset(body, 'x', world.shape->grow_bytes);
        ps_lease_body_set(lease, ps_lease_event(lease, pipeline->grown), body, world.shape->grow_bytes);
    }
    pipeline->grown = 0;
    return PS_DONE;
}

static enum ps_result select_work(const void *p, void *state, const struct ps_lease *lease,
                                  struct ps_route *route, const struct ps_now *at)
{
    struct pipeline *pipeline = *(struct pipeline *const *)p;
    uint32_t one_of = is_dead(pipeline) ? world.shape->sparse : 1;
    pipeline->batches++;
    ps_route_all(route, one_of > 0 && pipeline->batches % one_of == 0 ? 0 : 1, true);
    return PS_DONE;
}

static enum ps_result dead_work(const void *p, void *state, struct ps_lease **lease, const struct ps_now *at)
{
    struct pipeline *pipeline = *(struct pipeline *const *)p;
    if (!is_dead(pipeline)) {
        ps_lease_settle_all(*lease);
        world.delivered++;
        return PS_DONE;
    }
    if (pipeline->held_count == world.shape->holds)
        return PS_LATER;
    pipeline->held_count++;
    (*lease)->next = NULL;
    *pipeline->held_end = *lease;
    pipeline->held_end = &(*lease)->next;
    *lease = NULL;
    return PS_TAKEN;
}

static bool dead_recall(const void *p, void *state, struct ps_lease **back, const struct ps_now *at)
{
    struct pipeline *pipeline = *(struct pipeline *const *)p;
    *back = pipeline->held;
    return true;
}

static enum ps_result live_work(const void *p, void *state, struct ps_lease **lease, const struct ps_now *at)
{
    ps_lease_settle_all(*lease);
    return PS_DONE;
}

static const struct ps_source_ops source_ops = {
    .needs = PS_LEVEL_ACCEPTED, .when_full = PS_WAIT, .work = source_work};
static const struct ps_interceptor_ops grow_ops = {.work = grow_work};
static const struct ps_selector_ops select_ops = {.work = select_work};
static const struct ps_sink_ops dead_ops = {.work = dead_work, .recall = dead_recall};
static const struct ps_sink_ops live_ops = {.work = live_work};
static const struct ps_stage_ops
    source_stage = {.kind = PS_KIND_SOURCE, .name = "source", .source = &source_ops},
    grow_stage = {.kind = PS_KIND_INTERCEPTOR, .name = "grow", .interceptor = &grow_ops},
    select_stage = {.kind = PS_KIND_SELECTOR, .name = "nth", .selector = &select_ops},
    dead_stage = {.kind = PS_KIND_SINK, .name = "dead", .sink = &dead_ops},
    live_stage = {.kind = PS_KIND_SINK, .name = "live", .sink = &live_ops};

/* ---- the agent: r<i> -> c<2i> -> dead or working sink, c<2i+1> -> working sink ---- */

static struct ps_stage_spec stage_of(struct ps_arena *arena, const struct ps_stage_ops *ops,
                                     unsigned pipeline)
{
    struct pipeline **bound = ps_arena_alloc(arena, sizeof(struct pipeline *));
    *bound = &world.pipelines[pipeline];
    return (struct ps_stage_spec){.name = ops->name, .component = ops->name, .ops = ops, .plan = bound};
}

static struct ps_stage_spec channel_of(struct ps_arena *arena)
{
    struct ps_pair items[] = {{.key = "capacity", .value = "100000"}, {.key = "byteCapacity", .value = "0"}};
    struct ps_pairs pairs = {PS_COUNT_OF(items), items};
    struct ps_problems problems;
    ps_problems_init(&problems, arena);
    struct ps_bind bind = {.arena = arena, .problems = &problems, .prefix = "a1.channels.c."};
    void *bound = ps_arena_alloc(arena, ps_channel_memory.plan_size);
    assert_int_equal(ps_bind_options(&bind, ps_channel_memory.options, NULL, &pairs, bound), PS_OK);
    ps_problems_fini(&problems);
    return (struct ps_stage_spec){
        .name = "c", .component = "channel c", .ops = &ps_channel_memory, .plan = bound};
}

static struct ps_agent_spec *make_spec(const struct shape *shape)
{
    unsigned count = shape->dead + 1;
    struct ps_arena *arena = ps_arena_create();
    struct ps_agent_spec *spec = ps_arena_alloc(arena, sizeof *spec);
    *spec = (struct ps_agent_spec){
        .name = "a1",
        .arena = arena,
        .options = {.workers = shape->workers, .memory_budget = shape->budget, .batch_events = 1024},
        .sources = ps_arena_alloc(arena, count * sizeof *spec->sources),
        .channels = ps_arena_alloc(arena, 2 * count * sizeof *spec->channels),
        .sinks = ps_arena_alloc(arena, 2 * count * sizeof *spec->sinks),
        .source_count = count,
        .channel_count = 2 * count,
        .sink_count = 2 * count,
    };
    for (unsigned i = 0; i < count; i++) {
        unsigned *channels = ps_arena_alloc(arena, 2 * sizeof *channels);
        struct ps_stage_spec *interceptors = ps_arena_alloc(arena, sizeof *interceptors);
        struct ps_source_common *common = ps_arena_alloc(arena, sizeof *common);
        channels[0] = 2 * i;
        channels[1] = 2 * i + 1;
        interceptors[0] = stage_of(arena, &grow_stage, i);
        *common = (struct ps_source_common){1000, 5000, 1};
        spec->sources[i] = (struct ps_source_spec){.stage = stage_of(arena, &source_stage, i),
                                                   .interceptors = interceptors,
                                                   .interceptor_count = 1,
                                                   .selector = stage_of(arena, &select_stage, i),
                                                   .channels = channels,
                                                   .channel_count = 2,
                                                   .common = common};
        for (unsigned k = 0; k < 2; k++) {
            spec->channels[2 * i + k].stage = channel_of(arena);
            spec->sinks[2 * i + k] = (struct ps_sink_spec){
                .stage = stage_of(arena, k == 0 ? &dead_stage : &live_stage, i), .channel = 2 * i + k};
        }
    }
    return spec;
}

static void start(const struct shape *shape)
{
    struct ps_err err = {0};
    memset(&world, 0, sizeof world);
    world.shape = shape;
    for (unsigned i = 0; i < PIPELINES_MAX; i++) {
        world.pipelines[i].number = i;
        world.pipelines[i].held_end = &world.pipelines[i].held;
    }
    struct ps_machine machine = {.cores = 4, .memory_bytes = 32 << 20};
    plan = ps_plan_create(make_spec(shape), &machine, 0, &err);
    if (plan == NULL || ps_plan_build(plan, &err) != PS_OK)
        fail_msg("%s", err.text);
    struct ps_engine_settings settings = {.worker_count = plan->worker_count,
                                          .memory_budget_bytes = plan->block_budget_bytes,
                                          .simulated = true};
    engine = ps_engine_create(&settings, &err);
    assert_non_null(engine);
    now = (struct ps_now){.mono_ns = 1000 * PS_NS_PER_S, .wall_ms = 1700000000000};
    (void)ps_engine_order(engine, PS_PHASE_RUN, plan, NULL);
}

static void cycle(void)
{
    now.mono_ns += PS_NS_PER_MS;
    now.wall_ms++;
    for (unsigned k = 0; k < ps_engine_worker_count(engine); k++)
        (void)ps_worker_cycle(ps_engine_worker(engine, k), &now);
}

static void settle(uint64_t number)
{
    for (unsigned i = 0; !ps_engine_reached(engine, number); i++) {
        assert_true(i < 100000);
        cycle();
    }
}

static void stop(void)
{
    struct ps_left carried, lost;
    (void)ps_engine_order(engine, PS_PHASE_DRAIN, plan, NULL);
    settle(ps_engine_order(engine, PS_PHASE_RECALL, plan, NULL));
    settle(ps_engine_order(engine, PS_PHASE_CLOSE, plan, NULL));
    ps_engine_carry_over(engine, plan, NULL, &carried, &lost);
    settle(ps_engine_order(engine, PS_PHASE_CLOSE, NULL, NULL));
    assert_int_equal(ps_engine_batches_out(engine), 0);
    ps_engine_destroy(engine);
    ps_plan_destroy(plan);
}

static void test_others_go_on(void **state)
{
    unsigned failed = 0;
    ps_log_set_level(PS_LOG_OFF);
    for (size_t i = 0; i < PS_COUNT_OF(shapes); i++) {
        start(&shapes[i]);
        for (unsigned k = 0; k < CYCLES; k++)
            cycle();
        uint64_t before = world.delivered;
        for (unsigned k = 0; k < 2 * DELIVERED_MIN; k++)
            cycle();
        if (world.delivered - before < DELIVERED_MIN) {
            print_error("%s: %llu batches in %u cycles, %llu of %llu MiB are used\n", shapes[i].name,
                        (unsigned long long)(world.delivered - before), 2 * DELIVERED_MIN,
                        (unsigned long long)(ps_depot_used_bytes(ps_engine_depot(engine)) >> 20),
                        (unsigned long long)(ps_depot_budget_bytes(ps_engine_depot(engine)) >> 20));
            failed++;
        }
        stop();
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_others_go_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
