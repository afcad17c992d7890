/* No allocation in `work`: after a warm-up, ten thousand duty cycles of whole agents do not call the
 * allocator. This program defines the allocator's functions and counts their calls. */
#include "core/engine/engine.h"

#include "conf/bind.h"
#include "conf/problem.h"
#include "core/arena.h"
#include "rings/tsan.h"
#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>

#if defined(PS_TSAN) || defined(__SANITIZE_ADDRESS__)
int main(void)
{
    puts("SKIP: the sanitizers have an allocator of their own");
    return 77;
}
#else

/* ---- the counting allocator, over glibc's ---- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static uint64_t asked;

static void count(void)
{
    __atomic_fetch_add(&asked, 1, __ATOMIC_RELAXED);
}

void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    count();
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size)
{
    count();
    return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    count();
    *memory = __libc_memalign(alignment, size);
    return *memory != NULL ? 0 : ENOMEM;
}

/* ---- agents of real stages, bound by hand ---- */

#define STAGE(kind, name) extern const struct ps_stage_ops ps_##kind##_##name;
STAGE(source, stress)
STAGE(source, seq)
STAGE(interceptor, timestamp)
STAGE(interceptor, static)
STAGE(selector, replicating)
STAGE(selector, multiplexing)
STAGE(channel, memory)
STAGE(sink, null)
#undef STAGE

struct agent {
    struct ps_agent_spec *spec;
    struct ps_plan *plan;
    struct ps_engine *engine;
    struct ps_now now;
};

/* `keys`: name, value, .., NULL. */
static struct ps_stage_spec stage(struct agent *agent, const struct ps_stage_ops *ops, const char *name,
                                  const char *const *keys)
{
    struct ps_arena *arena = agent->spec->arena;
    size_t key_count = 0;
    while (keys != NULL && keys[key_count] != NULL)
        key_count += 2;
    struct ps_pair *items = ps_arena_alloc(arena, (key_count / 2 + 1) * sizeof *items);
    for (size_t i = 0; i < key_count; i += 2)
        items[i / 2] = (struct ps_pair){.key = keys[i], .value = keys[i + 1]};
    struct ps_pairs pairs = {key_count / 2, items};
    struct ps_problems problems;
    ps_problems_init(&problems, arena);
    struct ps_bind bind = {.arena = arena, .problems = &problems, .prefix = "a1."};
    struct ps_stage_spec spec = {.name = name, .component = name, .ops = ops};
    spec.plan = ps_arena_alloc(arena, ops->plan_size + 1);
    assert_int_equal(ps_bind_options(&bind, ops->options, NULL, &pairs, spec.plan), PS_OK);
    ps_problems_fini(&problems);
    return spec;
}

static void agent_init(struct agent *agent, int64_t workers)
{
    struct ps_arena *arena = ps_arena_create();
    *agent = (struct agent){.spec = ps_arena_alloc(arena, sizeof *agent->spec),
                            .now = {.mono_ns = PS_NS_PER_S, .wall_ms = 1700000000000}};
    *agent->spec = (struct ps_agent_spec){
        .name = "a1",
        .arena = arena,
        .options = {.workers = workers, .memory_budget = 64 << 20, .batch_events = PS_BATCH_EVENTS_MAX},
        .sources = ps_arena_alloc(arena, sizeof *agent->spec->sources),
        .channels = ps_arena_alloc(arena, 2 * sizeof *agent->spec->channels),
        .sinks = ps_arena_alloc(arena, 2 * sizeof *agent->spec->sinks),
        .source_count = 1,
    };
    struct ps_source_spec *source = &agent->spec->sources[0];
    source->interceptors = ps_arena_alloc(arena, 2 * sizeof *source->interceptors);
    source->channels = ps_arena_alloc(arena, 2 * sizeof *source->channels);
    source->common = ps_arena_alloc(arena, sizeof *source->common);
    *source->common = (struct ps_source_common){1000, 5000, 1};
}

static void add_channel(struct agent *agent, const char *name, const char *sink)
{
    struct ps_agent_spec *spec = agent->spec;
    unsigned number = (unsigned)spec->channel_count++;
    spec->channels[number].stage = stage(agent, &ps_channel_memory, name, PS_WORDS("capacity", "10000"));
    spec->sinks[spec->sink_count++] = (struct ps_sink_spec){
        .stage = stage(agent, &ps_sink_null, sink, PS_WORDS("logEveryNEvents", "2147483647")),
        .channel = number};
    spec->sources[0].channels[spec->sources[0].channel_count++] = number;
}

static void agent_start(struct agent *agent)
{
    struct ps_err err = {0};
    struct ps_machine machine = {.cores = 4, .memory_bytes = UINT64_C(1) << 30};
    agent->plan = ps_plan_create(agent->spec, &machine, NULL, &err);
    if (agent->plan == NULL || ps_plan_build(agent->plan, &err) != PS_OK)
        fail_msg("%s", err.text);
    struct ps_engine_settings settings = {.worker_count = agent->plan->worker_count,
                                          .memory_budget_bytes = agent->plan->block_budget_bytes,
                                          .simulated = true};
    agent->engine = ps_engine_create(&settings, &err);
    if (agent->engine == NULL)
        fail_msg("%s", err.text);
    (void)ps_engine_order(agent->engine, PS_PHASE_RUN, agent->plan, NULL);
}

static void cycle(struct agent *agent, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        agent->now.mono_ns += 1000;
        agent->now.wall_ms = 1700000000000 + (int64_t)(agent->now.mono_ns / PS_NS_PER_MS);
        for (unsigned k = 0; k < ps_engine_worker_count(agent->engine); k++)
            (void)ps_worker_cycle(ps_engine_worker(agent->engine, k), &agent->now);
    }
}

static void leave(struct agent *agent, enum ps_phase phase)
{
    uint64_t number = ps_engine_order(agent->engine, phase, agent->plan, NULL);
    for (unsigned i = 0; !ps_engine_reached(agent->engine, number); i++) {
        assert_true(i < 10000);
        cycle(agent, 1);
    }
}

static uint64_t delivered(struct agent *agent)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < ps_engine_worker_count(agent->engine); i++) {
        size_t sinks;
        struct ps_sink_runner **runners = ps_worker_sinks(ps_engine_worker(agent->engine, i), &sinks);
        for (size_t k = 0; k < sinks; k++)
            sum += ps_counter_read(runners[k]->base.counters, PS_COUNTER_EventDrainSuccessCount);
    }
    return sum;
}

static void measure(struct agent *agent)
{
    agent_start(agent);
    cycle(agent, 2000);
    uint64_t before = __atomic_load_n(&asked, __ATOMIC_RELAXED), events = delivered(agent);
    cycle(agent, 10000);
    uint64_t after = __atomic_load_n(&asked, __ATOMIC_RELAXED);
    assert_int_equal(after - before, 0);
    assert_true(delivered(agent) > events + 100000);
    leave(agent, PS_PHASE_DRAIN);
    leave(agent, PS_PHASE_RECALL);
    leave(agent, PS_PHASE_CLOSE);
    assert_int_equal(ps_engine_batches_out(agent->engine), 0);
    ps_engine_destroy(agent->engine);
    ps_plan_destroy(agent->plan);
}

static void test_counts(void **state)
{
    uint64_t before = asked;
    free(ps_arena_create()); /* the functions above see the library's calls */
    assert_true(asked > before);
}

static void test_stress_to_null(void **state)
{
    for (int64_t workers = 1; workers <= 2; workers++) {
        struct agent agent;
        agent_init(&agent, workers);
        struct ps_source_spec *source = &agent.spec->sources[0];
        source->stage = stage(&agent, &ps_source_stress, "r1", PS_WORDS("size", "120"));
        source->selector = stage(&agent, &ps_selector_replicating, "s1", NULL);
        add_channel(&agent, "c1", "k1");
        measure(&agent);
    }
}

static void test_chain(void **state)
{
    for (int64_t workers = 1; workers <= 3; workers++) {
        struct agent agent;
        agent_init(&agent, workers);
        struct ps_source_spec *source = &agent.spec->sources[0];
        source->stage = stage(&agent, &ps_source_seq, "r1", NULL);
        source->interceptors[source->interceptor_count++] =
            stage(&agent, &ps_interceptor_timestamp, "i1", NULL);
        source->interceptors[source->interceptor_count++] =
            stage(&agent, &ps_interceptor_static, "i2", PS_WORDS("key", "where", "value", "here"));
        add_channel(&agent, "c1", "k1");
        add_channel(&agent, "c2", "k2");
        source->selector = stage(&agent, &ps_selector_multiplexing, "s1",
                                 PS_WORDS("header", "where", "mapping.here", "c1 c2", "default", "c2"));
        measure(&agent);
    }
}

int main(void)
{
    ps_log_set_level(PS_LOG_OFF);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_stress_to_null),
        cmocka_unit_test(test_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
