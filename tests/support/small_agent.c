#include "tests/support/small_agent.h"

#include "conf/bind.h"
#include "conf/problem.h"
#include "core/arena.h"

extern const struct ps_stage_ops ps_channel_memory, ps_selector_replicating;

static void *bound_channel(struct ps_arena *arena, const char *capacity)
{
    struct ps_pair *items = ps_arena_alloc(arena, 2 * sizeof *items);
    items[0] = (struct ps_pair){.key = "capacity", .value = capacity};
    items[1] = (struct ps_pair){.key = "transactionCapacity", .value = "1"};
    struct ps_pairs pairs = {2, items};
    struct ps_problems problems;
    ps_problems_init(&problems, arena);
    struct ps_bind bind = {.arena = arena, .problems = &problems, .prefix = "a1.channels.c1."};
    void *bound = ps_arena_alloc(arena, ps_channel_memory.plan_size);
    assert_int_equal(ps_bind_options(&bind, ps_channel_memory.options, NULL, &pairs, bound), PS_OK);
    ps_problems_fini(&problems);
    return bound;
}

static struct ps_stage_spec channel_spec(struct ps_arena *arena, const char *name, const char *component,
                                         const char *capacity)
{
    return (struct ps_stage_spec){.name = name,
                                  .component = component,
                                  .ops = &ps_channel_memory,
                                  .plan = bound_channel(arena, capacity)};
}

static void make_group(struct ps_agent_spec *spec, const struct ps_test_small_stages *stages)
{
    spec->groups = ps_arena_alloc(spec->arena, sizeof *spec->groups);
    spec->group_count = 1;
    spec->groups[0] =
        (struct ps_group_spec){.name = "g1", .component = "sink group g1", .settings = *stages->group};
    spec->sink_count = stages->group->count;
    for (unsigned i = 0; i < spec->sink_count; i++)
        spec->sinks[i] =
            (struct ps_sink_spec){.stage = {.name = ps_arena_format(spec->arena, "k%u", i + 1),
                                            .component = ps_arena_format(spec->arena, "sink k%u", i + 1),
                                            .ops = stages->sink},
                                  .group = &spec->groups[0],
                                  .member = i};
}

/* The stages have no options, so the name of a type says all that a reload compares. */
static void set_fingerprints(struct ps_agent_spec *spec)
{
    struct ps_source_spec *source = &spec->sources[0];
    source->stage.fingerprint = source->stage.ops->name;
    source->selector.fingerprint = source->selector.ops->name;
    source->interceptors[0].fingerprint = source->interceptors[0].ops->name;
    for (size_t i = 0; i < spec->channel_count; i++)
        spec->channels[i].stage.fingerprint = spec->channels[i].stage.ops->name;
    for (size_t i = 0; i < spec->sink_count; i++)
        spec->sinks[i].stage.fingerprint = spec->sinks[i].stage.ops->name;
}

static struct ps_agent_spec *make_spec(const struct ps_test_small_stages *stages, unsigned workers,
                                       const char *capacity)
{
    struct ps_arena *arena = ps_arena_create();
    size_t sinks = stages->group != NULL ? stages->group->count : 0;
    struct ps_agent_spec *spec = ps_arena_alloc(arena, sizeof *spec);
    *spec = (struct ps_agent_spec){
        .name = "a1",
        .arena = arena,
        .options = {.workers = (int64_t)workers, .memory_budget = 16 << 20, .batch_events = 1024},
        .sources = ps_arena_alloc(arena, sizeof *spec->sources),
        .channels = ps_arena_alloc(arena, 2 * sizeof *spec->channels),
        .sinks = ps_arena_alloc(arena, (2 + sinks) * sizeof *spec->sinks),
        .source_count = 1,
        .channel_count = stages->second_sink != NULL ? 2 : 1,
        .sink_count = stages->second_sink != NULL ? 2 : 1,
    };
    spec->sources[0] = (struct ps_source_spec){
        .stage = {.name = "r1", .component = "source r1", .ops = stages->source},
        .interceptors = ps_arena_alloc(arena, sizeof(struct ps_stage_spec)),
        .interceptor_count = 1,
        .selector = {.name = "s1",
                     .component = "selector of source r1",
                     .ops = &ps_selector_replicating,
                     .plan = ps_arena_alloc(arena, ps_selector_replicating.plan_size)},
        .channels = ps_arena_alloc(arena, 2 * sizeof(unsigned)),
        .channel_count = spec->channel_count,
        .common = ps_arena_alloc(arena, sizeof(struct ps_source_common)),
    };
    spec->sources[0].channels[1] = 1;
    if (stages->selector != NULL)
        spec->sources[0].selector.ops = stages->selector;
    spec->sources[0].interceptors[0] =
        (struct ps_stage_spec){.name = "i1", .component = "interceptor i1", .ops = stages->interceptor};
    *spec->sources[0].common =
        (struct ps_source_common){.backoff_increment_ms = 1000, .backoff_max_ms = 5000, .workers = 1};
    if (stages->channel == NULL)
        spec->channels[0].stage = channel_spec(arena, "c1", "channel c1", capacity);
    else
        spec->channels[0].stage =
            (struct ps_stage_spec){.name = "c1",
                                   .component = "channel c1",
                                   .ops = stages->channel,
                                   .plan = ps_arena_alloc(arena, stages->channel->plan_size)};
    spec->sinks[0].stage = (struct ps_stage_spec){.name = "k1", .component = "sink k1", .ops = stages->sink};
    if (stages->second_sink != NULL) {
        spec->channels[1].stage = channel_spec(arena, "c2", "channel c2", stages->second_capacity);
        spec->sinks[1] = (struct ps_sink_spec){
            .stage = {.name = "k2", .component = "sink k2", .ops = stages->second_sink}, .channel = 1};
    }
    if (stages->letters) {
        spec->sources[0].channel_count = 1;
        spec->sources[0].letters = spec->sinks[0].letters = 2;
    }
    if (stages->group != NULL)
        make_group(spec, stages);
    if (stages->without_sinks)
        spec->sink_count = 0;
    set_fingerprints(spec);
    return spec;
}

static const struct ps_machine machine = {.cores = 4, .memory_bytes = UINT64_C(1) << 30};

void ps_test_small_agent_start(struct ps_test_small_agent *agent, const struct ps_test_small_stages *stages,
                               unsigned workers, const char *capacity)
{
    struct ps_err err = {0};
    agent->plan = ps_plan_create(make_spec(stages, workers, capacity), &machine, NULL, &err);
    if (agent->plan == NULL || ps_plan_build(agent->plan, &err) != PS_OK)
        fail_msg("%s", err.text);
    struct ps_engine_settings settings = {.worker_count = agent->plan->worker_count,
                                          .memory_budget_bytes = agent->plan->block_budget_bytes,
                                          .simulated = true};
    agent->engine = ps_engine_create(&settings, &err);
    assert_non_null(agent->engine);
    agent->now = (struct ps_now){.mono_ns = 1000 * PS_NS_PER_S, .wall_ms = 1700000000000};
    (void)ps_engine_order(agent->engine, PS_PHASE_RUN, agent->plan, NULL);
}

void ps_test_small_agent_settle(struct ps_test_small_agent *agent)
{
    bool moved = true;
    for (unsigned i = 0; moved; i++) {
        assert_true(i < 100000);
        moved = false;
        for (unsigned k = 0; k < ps_engine_worker_count(agent->engine); k++)
            moved |= ps_worker_cycle(ps_engine_worker(agent->engine, k), &agent->now);
    }
}

void ps_test_small_agent_advance(struct ps_test_small_agent *agent)
{
    uint64_t next_ns = PS_NEVER;
    for (unsigned k = 0; k < ps_engine_worker_count(agent->engine); k++) {
        uint64_t due_ns = ps_worker_deadline_ns(ps_engine_worker(agent->engine, k));
        next_ns = due_ns < next_ns ? due_ns : next_ns;
    }
    assert_true(next_ns > agent->now.mono_ns); /* otherwise the worker would spin */
    agent->now.wall_ms += (int64_t)((next_ns - agent->now.mono_ns) / PS_NS_PER_MS);
    agent->now.mono_ns = next_ns;
    ps_test_small_agent_settle(agent);
}

void ps_test_small_agent_run(struct ps_test_small_agent *agent, uint64_t ns)
{
    uint64_t until_ns = agent->now.mono_ns + ns;
    ps_test_small_agent_settle(agent);
    while (agent->now.mono_ns < until_ns)
        ps_test_small_agent_advance(agent);
}

void ps_test_small_agent_reach(struct ps_test_small_agent *agent, uint64_t number)
{
    for (unsigned i = 0; !ps_engine_reached(agent->engine, number); i++) {
        assert_true(i < 1000);
        ps_test_small_agent_settle(agent);
        if (!ps_engine_reached(agent->engine, number))
            ps_test_small_agent_advance(agent);
    }
}

void ps_test_small_agent_stop(struct ps_test_small_agent *agent, bool drain)
{
    struct ps_left carried;
    if (drain)
        ps_test_small_agent_reach(agent, ps_engine_order(agent->engine, PS_PHASE_DRAIN, agent->plan, NULL));
    else
        (void)ps_engine_order(agent->engine, PS_PHASE_DRAIN, agent->plan, NULL);
    ps_test_small_agent_reach(agent, ps_engine_order(agent->engine, PS_PHASE_RECALL, agent->plan, NULL));
    ps_test_small_agent_reach(agent, ps_engine_order(agent->engine, PS_PHASE_CLOSE, agent->plan, NULL));
    agent->dropped = ps_counter_read(ps_test_small_agent_source(agent)->base.counters, PS_COUNTER_dropped);
    ps_engine_carry_over(agent->engine, agent->plan, NULL, &carried, &agent->lost);
    ps_test_small_agent_reach(agent, ps_engine_order(agent->engine, PS_PHASE_CLOSE, NULL, NULL));
    assert_int_equal(ps_engine_batches_out(agent->engine), 0);
    ps_engine_destroy(agent->engine);
    ps_plan_destroy(agent->plan);
}

uint64_t ps_test_small_agent_exchange(struct ps_test_small_agent *agent,
                                      const struct ps_test_small_stages *stages, const char *capacity)
{
    struct ps_err err = {0};
    struct ps_left carried, lost;
    struct ps_plan *old = agent->plan;
    struct ps_plan *next =
        ps_plan_create(make_spec(stages, old->worker_count, capacity), &machine, old, &err);
    assert_non_null(next);
    ps_plan_adopt(next, old);
    assert_int_equal(ps_plan_build(next, &err), PS_OK);
    ps_test_small_agent_reach(agent, ps_engine_order(agent->engine, PS_PHASE_DRAIN, old, next));
    ps_test_small_agent_reach(agent, ps_engine_order(agent->engine, PS_PHASE_RECALL, old, next));
    ps_test_small_agent_reach(agent, ps_engine_order(agent->engine, PS_PHASE_CLOSE, old, next));
    ps_engine_carry_over(agent->engine, old, next, &carried, &lost);
    assert_int_equal(lost.events, 0);
    ps_plan_start(next);
    agent->plan = next;
    agent->retired = old;
    return ps_engine_order(agent->engine, PS_PHASE_RUN, next, NULL);
}

void ps_test_small_agent_retire(struct ps_test_small_agent *agent, uint64_t number)
{
    ps_test_small_agent_reach(agent, number);
    ps_plan_retire(agent->retired, agent->plan);
    agent->retired = NULL;
}

struct ps_source_runner *ps_test_small_agent_source(struct ps_test_small_agent *agent)
{
    size_t count;
    struct ps_source_runner **runners =
        ps_worker_sources(ps_engine_worker(agent->engine, agent->plan->sources[0].workers[0]), &count);
    assert_int_equal(count, 1);
    return runners[0];
}

struct ps_sink_runner *ps_test_small_agent_nth_sink(struct ps_test_small_agent *agent, unsigned number)
{
    size_t count;
    const struct ps_sink_plan *sink = &agent->plan->sinks[number];
    struct ps_sink_runner **runners = ps_worker_sinks(ps_engine_worker(agent->engine, sink->worker), &count);
    for (size_t i = 0; i < count; i++) {
        if (runners[i]->base.spec == &sink->spec->stage)
            return runners[i];
    }
    fail_msg("sink k%u is not on its worker", number + 1);
    return NULL;
}
