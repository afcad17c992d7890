/* Plans: assignment of stages to workers, numbering of producers and consumers, budgets, and the teardown
 * when a stage cannot be built. */
#include "tests/support/flow.h"

#include <stdio.h>

static const struct ps_machine machine = {.cores = 9, .memory_bytes = UINT64_C(1) << 30};

static struct ps_plan *plan_of(struct flow *flow, const struct ps_machine *on, unsigned workers,
                               struct ps_err *err)
{
    if (flow->seen[0][0] == NULL)
        flow_init(flow);
    if (workers > 0)
        flow->options.workers = workers;
    return ps_plan_create(flow_spec(flow), on, NULL, err);
}

static struct flow small_flow(void)
{
    return (struct flow){.total = 1,
                         .source_count = 2,
                         .channel_count = 2,
                         .sink_count = 3,
                         .sinks = {{.channel = 0}, {.channel = 1}, {.channel = 1}}};
}

static void test_batch_limit(void **state)
{
    assert_int_equal(ps_batch_events_limit(0, 1024), 1024);
    assert_int_equal(ps_batch_events_limit(1, 1024), 1);
    assert_int_equal(ps_batch_events_limit(100, 1024), 25);
    assert_int_equal(ps_batch_events_limit(1000000, 1024), 1024);
}

/* Workers: min(units, cores - 1), at least 1, and not fewer than the source with the most instances needs. */
static void test_worker_count(void **state)
{
    const struct {
        unsigned cores, instances;
        int64_t asked;
        unsigned expected;
    } cases[] = {
        {1, 1, 0, 1}, {2, 1, 0, 1}, {4, 1, 0, 3}, {64, 1, 0, 5}, {2, 3, 0, 3}, {2, 1, 7, 7}, {64, 4, 2, 4},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {0};
        struct ps_machine on = {.cores = cases[i].cores, .memory_bytes = UINT64_C(1) << 30};
        struct flow flow = small_flow();
        flow.sources[0].instances = cases[i].instances;
        flow.options.workers = cases[i].asked;
        struct ps_plan *plan = plan_of(&flow, &on, 0, &err);
        assert_non_null(plan);
        assert_int_equal(plan->worker_count, cases[i].expected);
        ps_plan_destroy(plan);
        flow_fini(&flow);
    }
}

/* Units take workers in turn; producers and consumers of a channel are numbered without gaps. */
static void test_places(void **state)
{
    struct ps_err err = {0};
    struct flow flow = small_flow();
    flow.sources[0].instances = 3;
    flow.sources[1].channels = 2;
    struct ps_plan *plan = plan_of(&flow, &machine, 3, &err);
    assert_non_null(plan);
    for (unsigned k = 0; k < 3; k++) {
        assert_int_equal(plan->sources[0].workers[k], k);
        assert_int_equal(plan->sources[0].producers[2 * k], k);
        assert_int_equal(plan->sources[0].producers[2 * k + 1], k);
    }
    assert_int_equal(plan->sources[1].workers[0], 0);
    assert_int_equal(plan->sources[1].producers[0], 3);
    assert_int_equal(plan->channels[0].producer_count, 3);
    assert_int_equal(plan->channels[1].producer_count, 4);
    assert_int_equal(plan->channels[1].producer_workers[3], 0);
    assert_int_equal(plan->channels[0].consumer_count, 1);
    assert_int_equal(plan->channels[1].consumer_count, 2);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(plan->sinks[i].worker, (4 + i) % 3);
        assert_int_equal(plan->channels[flow.sinks[i].channel].consumer_workers[plan->sinks[i].consumer],
                         plan->sinks[i].worker);
    }
    assert_int_equal(plan->sources[0].batch_events_max, 250);
    ps_plan_destroy(plan);
    flow_fini(&flow);
}

static void test_budget(void **state)
{
    const struct {
        int64_t asked;
        uint64_t memory, hint, expected_mib; /* 0: refused */
    } cases[] = {
        {0, UINT64_C(4) << 30, 0, 1024},
        {0, UINT64_C(4) << 30, 100 << 20, 100},
        {0, UINT64_C(4) << 30, UINT64_C(2) << 30, 1024}, /* -Xmx lowers the default, and does not raise it */
        {0, 32 << 20, 0, 16},
        {64 << 20, UINT64_C(4) << 30, 100 << 20, 64},
        {(16 << 20) - 1, UINT64_C(4) << 30, 0, 0},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {0};
        struct ps_machine on = {4, cases[i].memory, cases[i].hint};
        struct flow flow = small_flow();
        flow_init(&flow);
        flow.options.memory_budget = cases[i].asked;
        struct ps_plan *plan = plan_of(&flow, &on, 0, &err);
        if (cases[i].expected_mib == 0) {
            assert_null(plan);
            assert_non_null(strstr(err.text, "penstock.memory.budget"));
        } else {
            assert_non_null(plan);
            assert_int_equal(plan->memory_budget_bytes >> 20, cases[i].expected_mib);
            /* together they leave the sources what these need */
            assert_true(plan->channel_quota_bytes * plan->spec->channel_count +
                            plan->sink_quota_bytes * plan->spec->sink_count <
                        plan->block_budget_bytes);
        }
        ps_plan_destroy(plan);
        flow_fini(&flow);
    }
}

/* An -Xmx that is less than the components need is ignored with a warning; an explicit budget overrides it. */
static void test_xmx_below_what_is_needed(void **state)
{
    static const uint64_t needed = 16 << 20;
    const struct {
        uint64_t heap_bytes;
        int64_t budget;
        bool warned;
    } cases[] = {
        {1024, 0, true}, {needed - 1, 0, true}, {needed, 0, false}, {1024, 64 << 20, false}, {0, 0, false}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {0};
        struct flow flow = small_flow();
        struct ps_machine on = {
            .cores = 4, .memory_bytes = UINT64_C(1) << 30, .heap_hint_bytes = cases[i].heap_bytes};
        flow_init(&flow);
        struct ps_agent_spec *spec = flow_spec(&flow);
        spec->options.memory_budget = cases[i].budget;
        struct ps_plan *plan = ps_plan_create(spec, &on, NULL, &err);
        assert_non_null(plan);
        assert_int_equal(plan->memory_warning != NULL, cases[i].warned);
        if (cases[i].warned)
            assert_non_null(strstr(plan->memory_warning, "need at least 16 MiB"));
        ps_plan_destroy(plan);
        flow_fini(&flow);
    }
}

/* A budget above three quarters of what the process may use, alone or with the heap of Java components, causes a warning with
 * the figures and the cure. */
static void test_budget_and_limit(void **state)
{
    const struct {
        int64_t asked_mib;
        const char *warned;
        uint64_t heap_mib;
    } cases[] = {{0, NULL, 0},
                 {768, NULL, 0},
                 {769, "769 MiB", 0},
                 {1024, "1 GiB", 0},
                 {4096, "4 GiB", 0},
                 {256, NULL, 512},
                 {256, "256 MiB and the heap of Java components is 513 MiB", 513}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {0};
        struct flow flow = small_flow();
        flow.options.memory_budget = cases[i].asked_mib << 20;
        struct ps_machine on = {.cores = 4, .memory_bytes = UINT64_C(1) << 30};
        on.memory_bytes += 100; /* no multiple of 100 bytes */
        on.java_heap_bytes = cases[i].heap_mib << 20;
        struct ps_plan *plan = plan_of(&flow, &on, 0, &err);
        assert_non_null(plan);
        assert_int_equal(plan->memory_warning != NULL, cases[i].warned != NULL);
        if (cases[i].warned != NULL) {
            char expected[128];
            snprintf(expected, sizeof expected, "is %s, more than 75 %% of the 1 GiB", cases[i].warned);
            assert_non_null(strstr(plan->memory_warning, expected));
            assert_non_null(strstr(plan->memory_warning, "MemoryMax="));
            assert_int_equal(strstr(plan->memory_warning, "or -Xmx") != NULL, cases[i].heap_mib > 0);
        }
        ps_plan_destroy(plan);
        flow_fini(&flow);
    }
}

/* Channels share 70 % of what sources leave, sinks the rest, in equal parts: even if all are full, the sources have
 * room. */
static void test_budget_is_shared(void **state)
{
    for (unsigned count = 1; count <= FLOW_CHANNELS_MAX; count++) {
        struct ps_err err = {0};
        struct flow flow = {.total = 1,
                            .source_count = 1,
                            .channel_count = count,
                            .sink_count = 2 * count,
                            .options = {.workers = 2, .memory_budget = 1 << 30}};
        for (unsigned i = 0; i < flow.sink_count; i++)
            flow.sinks[i].channel = i / 2;
        flow_init(&flow);
        struct ps_machine on = {.cores = 4, .memory_bytes = UINT64_C(8) << 30};
        struct ps_plan *plan = plan_of(&flow, &on, 0, &err);
        assert_non_null(plan);
        double budget = (double)plan->block_budget_bytes;
        double channels = (double)(count * (plan->channel_quota_bytes - PS_BATCH_FILL_BYTES));
        double sinks = (double)(2 * count * (plan->sink_quota_bytes - PS_BATCH_FILL_BYTES));
        assert_true(channels <= 0.7 * budget && channels > 0.65 * budget);
        assert_true(sinks <= 0.3 * budget && sinks > 0.27 * budget);
        assert_true(channels + sinks + 3 * count * PS_BATCH_FILL_BYTES < budget);
        ps_plan_destroy(plan);
        flow_fini(&flow);
    }
}

/* Each source keeps blocks of its own: many sources need more than the minimum budget. */
static void test_budget_of_many_sources(void **state)
{
    struct ps_err err = {0};
    struct ps_machine small = {4, 32 << 20, 20 << 20};
    struct flow flow = {
        .total = 1, .source_count = 8, .channel_count = 1, .sink_count = 1, .options = {.workers = 4}};
    for (unsigned i = 0; i < 8; i++)
        flow.sources[i].instances = 4;
    flow_init(&flow);
    flow.options.memory_budget = 16 << 20;
    assert_null(plan_of(&flow, &small, 0, &err));
    assert_non_null(strstr(err.text, "at least 83 MiB"));
    flow.options.memory_budget = 0; /* not configured: the plan chooses a sufficient budget */
    struct ps_plan *plan = plan_of(&flow, &small, 0, &err);
    assert_int_equal(plan->memory_budget_bytes, 83 << 20);
    ps_plan_destroy(plan);
    flow_fini(&flow);
}

/* A client library's memory is subtracted from the blocks: one client for a sink, one for each instance of a
 * source. */
static void test_budget_of_clients(void **state)
{
    struct ps_err err = {0};
    struct flow flow = small_flow();
    struct ps_machine on = {8, UINT64_C(4) << 30, 0};
    flow.sources[1].instances = 2;
    flow.options.memory_budget = 64 << 20;
    flow_init(&flow);
    struct ps_agent_spec *spec = flow_spec(&flow);
    struct ps_stage_ops sink = *spec->sinks[0].stage.ops, source = *spec->sources[1].stage.ops;
    sink.client_holds_events = source.client_holds_events = true;
    spec->sinks[0].stage.ops = &sink;
    spec->sources[1].stage.ops = &source;
    struct ps_plan *plan = ps_plan_create(spec, &on, NULL, &err);
    assert_non_null(plan);
    uint64_t share = (UINT64_C(64) << 20) / 4 / 3;
    assert_int_equal(plan->block_budget_bytes, (UINT64_C(64) << 20) - 3 * share);
    ps_plan_destroy(plan);
    flow_fini(&flow);
}

/* The blocks are reserved at the start. A reload in which a client library goes, or the budget grows, has no
 * more blocks than that; one that needs more is refused. */
static void test_budget_after_a_reload(void **state)
{
    struct ps_err err = {0};
    struct flow flow = small_flow();
    struct ps_machine on = {8, UINT64_C(4) << 30, 0};
    flow.options.memory_budget = 64 << 20;
    flow_init(&flow);
    struct ps_agent_spec *spec = flow_spec(&flow);
    struct ps_stage_ops sink = *spec->sinks[0].stage.ops;
    sink.client_holds_events = true;
    spec->sinks[0].stage.ops = &sink;
    struct ps_plan *first = ps_plan_create(spec, &on, NULL, &err);
    assert_non_null(first);
    struct ps_plan *without = ps_plan_create(flow_spec(&flow), &on, first, &err);
    assert_non_null(without);
    assert_int_equal(without->block_budget_bytes, first->block_budget_bytes);
    flow.options.memory_budget = 32 << 20;
    struct ps_plan *less = ps_plan_create(flow_spec(&flow), &on, without, &err);
    assert_int_equal(less->block_budget_bytes, 32 << 20);
    flow.options.memory_budget = 128 << 20;
    struct ps_plan *more = ps_plan_create(flow_spec(&flow), &on, less, &err);
    assert_int_equal(more->block_budget_bytes,
                     first->block_budget_bytes); /* the reserved amount, not the used one */
    flow.options.memory_budget = 1 << 30;
    for (unsigned i = 0; i < flow.source_count; i++)
        flow.sources[i].instances = 60;
    assert_null(ps_plan_create(flow_spec(&flow), &on, more, &err));
    assert_non_null(strstr(err.text, "restart the agent"));
    ps_plan_destroy(first);
    ps_plan_destroy(without);
    ps_plan_destroy(less);
    ps_plan_destroy(more);
    flow_fini(&flow);
}

/* ---- build and teardown ---- */

static unsigned built, build_limit, finished, finish_fails;

static enum ps_status count_finish(void *value, struct ps_err *err)
{
    assert_ptr_equal(value, &finished);
    finished++;
    return finish_fails ? ps_err_set(err, "no chain") : PS_OK;
}

static void count_destroy(void *value)
{
    assert_ptr_equal(value, &finished);
    assert_true(built > 0);
    built--;
}

static enum ps_status count_build(void *plan, struct ps_context *context, struct ps_err *err)
{
    assert_non_null(context->arena);
    if (built == build_limit)
        return ps_err_set(err, "no more");
    built++;
    return PS_OK;
}

static void count_teardown(void *plan)
{
    assert_true(built > 0);
    built--;
}

/* An interceptor that creates its chain's share. */
static enum ps_status share_build(void *plan, struct ps_context *context, struct ps_err *err)
{
    if (count_build(plan, context, err) != PS_OK)
        return PS_FAIL;
    assert_non_null(context->chain);
    assert_null(context->chain->value);
    *context->chain = (struct ps_chain_share){&finished, count_finish, count_destroy};
    built++;
    return PS_OK;
}

/* A chain's share is finished after all stages of the chain are built, and destroyed with the plan. It is not
 * created for a source that stays open over a reload. */
static void test_chain_share(void **state)
{
    struct ps_stage_ops interceptor = flow_interceptor;
    interceptor.build = share_build;
    interceptor.teardown = count_teardown;
    build_limit = UINT32_MAX;
    for (finish_fails = 0; finish_fails < 2; finish_fails++) {
        struct ps_err err = {0};
        struct flow flow = small_flow();
        struct ps_plan *plans[2];
        finished = 0;
        flow_init(&flow);
        for (unsigned i = 0; i < 2; i++) {
            struct ps_agent_spec *spec = flow_spec(&flow);
            spec->sources[0].interceptors[0].ops = spec->sources[1].interceptors[0].ops = &interceptor;
            plans[i] = ps_plan_create(spec, &machine, NULL, &err);
            assert_non_null(plans[i]);
        }
        if (finish_fails) {
            assert_int_equal(ps_plan_build(plans[0], &err), PS_FAIL);
            assert_non_null(strstr(err.text, "while building the chain of source"));
            assert_int_equal(built, 0);
        } else {
            assert_int_equal(ps_plan_build(plans[0], &err), PS_OK);
            assert_int_equal(finished, 2);
            assert_int_equal(built, 4);
            ps_plan_adopt(plans[1], plans[0]);
            assert_int_equal(ps_plan_build(plans[1], &err), PS_OK);
            assert_int_equal(built, 4);
        }
        ps_plan_destroy(plans[1]);
        ps_plan_destroy(plans[0]);
        assert_int_equal(built, 0);
        flow_fini(&flow);
    }
}

/* Each stage in turn fails to build: the stages built before it are torn down once. */
static void test_build_failures(void **state)
{
    struct ps_stage_ops source = flow_source_stream, interceptor = flow_interceptor;
    struct ps_stage_ops selector = flow_selector, sink = flow_sink_stage;
    struct ps_stage_ops *const all[] = {&source, &interceptor, &selector, &sink};
    for (size_t i = 0; i < PS_COUNT_OF(all); i++) {
        all[i]->build = count_build;
        all[i]->teardown = count_teardown;
    }
    for (build_limit = 0; build_limit <= 9; build_limit++) {
        struct ps_err err = {0};
        struct flow flow = small_flow();
        flow_init(&flow);
        struct ps_agent_spec *spec = flow_spec(&flow);
        for (size_t i = 0; i < spec->source_count; i++) {
            spec->sources[i].stage.ops = &source;
            spec->sources[i].selector.ops = &selector;
            spec->sources[i].interceptors[0].ops = &interceptor;
        }
        for (size_t i = 0; i < spec->sink_count; i++)
            spec->sinks[i].stage.ops = &sink;
        struct ps_plan *plan = ps_plan_create(spec, &machine, NULL, &err);
        assert_non_null(plan);
        if (build_limit < 9) { /* 3 sinks, 2 sources with an interceptor and a selector each */
            assert_int_equal(ps_plan_build(plan, &err), PS_FAIL);
            assert_non_null(strstr(err.text, "no more"));
            assert_non_null(strstr(err.text, "while building"));
            assert_int_equal(built, 0);
        } else {
            assert_int_equal(ps_plan_build(plan, &err), PS_OK);
            assert_int_equal(built, 9);
        }
        ps_plan_destroy(plan);
        assert_int_equal(built, 0);
        flow_fini(&flow);
    }
}

/* ---- what a reload leaves open ---- */

static void test_adopt(void **state)
{
    struct ps_err err = {0};
    struct flow flow = small_flow();
    struct ps_plan *a = plan_of(&flow, &machine, 2, &err);
    flow.sources[1].changes = 1;
    struct ps_plan *b = plan_of(&flow, &machine, 2, &err), *c = plan_of(&flow, &machine, 3, &err);
    ps_plan_adopt(b, a);
    assert_ptr_equal(b->sources[0].adopts, &a->sources[0]);
    assert_null(b->sources[1].adopts); /* its configuration differs */
    ps_plan_adopt(c, a);
    assert_ptr_equal(c->sources[0].adopts, &a->sources[0]);
    flow.sources[0].channels = 1; /* other channels */
    struct ps_plan *d = plan_of(&flow, &machine, 2, &err);
    ps_plan_adopt(d, a);
    assert_null(d->sources[0].adopts);
    assert_false(ps_plan_is_same(a, b));
    ps_plan_destroy(a);
    ps_plan_destroy(b);
    ps_plan_destroy(c);
    ps_plan_destroy(d);
    flow_fini(&flow);
}

/* ---- where units run after a reload ---- */

static void remove_source(struct ps_agent_spec *spec, size_t number)
{
    spec->source_count--;
    for (size_t i = number; i < spec->source_count; i++)
        spec->sources[i] = spec->sources[i + 1];
}

/* Running units keep their workers when others are added before them or removed; so sources keep their connections. */
static void test_places_are_kept(void **state)
{
    struct ps_err err = {0};
    struct flow flow = small_flow();
    flow.source_count = 3;
    flow.sources[2].instances = 2;
    struct ps_plan *a = plan_of(&flow, &machine, 7, &err); /* r0 r1 r2 r2 k0 k1 k2 */
    assert_int_equal(a->sources[1].workers[0], 1);
    struct ps_agent_spec *spec = flow_spec(&flow);
    remove_source(spec, 0);
    struct ps_plan *b = ps_plan_create(spec, &machine, a, &err);
    assert_non_null(b);
    assert_int_equal(b->worker_count, 7);
    assert_int_equal(b->sources[0].workers[0], 1);
    assert_int_equal(b->sources[1].workers[0], 2);
    assert_int_equal(b->sources[1].workers[1], 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(b->sinks[i].worker, 4 + i);
    ps_plan_adopt(b, a);
    assert_ptr_equal(b->sources[0].adopts, &a->sources[1]);
    assert_ptr_equal(b->sources[1].adopts, &a->sources[2]);
    /* r0 is back with changes, and is placed on a worker without units; r1 keeps its place after it. */
    flow.sources[0].changes = 1;
    struct ps_plan *c = ps_plan_create(flow_spec(&flow), &machine, b, &err);
    assert_int_equal(c->sources[0].workers[0], 0);
    ps_plan_adopt(c, b);
    assert_null(c->sources[0].adopts);
    assert_ptr_equal(c->sources[1].adopts, &b->sources[0]);
    assert_ptr_equal(c->sources[2].adopts, &b->sources[1]);
    ps_plan_destroy(c);
    ps_plan_destroy(b);
    ps_plan_destroy(a);
    flow_fini(&flow);
}

/* A reload that adds units adds workers by the rule of a start, but stops none. */
static void test_added_units_get_workers(void **state)
{
    const struct {
        unsigned cores, instances, sources;
        int64_t asked;
        unsigned expected;
    } cases[] = {
        {9, 1, 4, 0, 7},                   /* two units more */
        {9, 4, 2, 0, 8},                   /* three instances more, and eight CPUs for them */
        {5, 4, 2, 0, 5}, {64, 1, 2, 0, 5}, /* as before */
        {5, 6, 2, 0, 6},                   /* every instance needs one */
        {5, 1, 2, 9, 9}, {9, 1, 2, 6, 6},  /* configured: more */
        {9, 1, 2, 5, 5},                   /* as many as there are */
        {9, 1, 2, 4, 5}, {9, 1, 2, 2, 5},  /* not fewer */
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {0};
        struct ps_machine on = {.cores = cases[i].cores, .memory_bytes = UINT64_C(1) << 30};
        struct flow flow = small_flow();
        struct ps_plan *a = plan_of(&flow, &machine, 0, &err);
        assert_int_equal(a->worker_count, 5);
        flow.source_count = cases[i].sources;
        flow.sources[2].channels = flow.sources[3].channels = 1;
        flow.sources[2].instances = flow.sources[3].instances = 1;
        flow.sources[0].instances = cases[i].instances;
        flow.options.workers = cases[i].asked;
        struct ps_plan *b = ps_plan_create(flow_spec(&flow), &on, a, &err);
        assert_non_null(b);
        assert_int_equal(b->worker_count, cases[i].expected);
        assert_int_equal(ps_plan_needs_restart(a, b), cases[i].asked > 0 && cases[i].asked < 5);
        unsigned units[PS_WORKERS_MAX] = {0}, most = 0, least = UINT32_MAX;
        for (unsigned s = 0; s < flow.source_count; s++) {
            for (unsigned k = 0; k < b->sources[s].instance_count; k++) {
                units[b->sources[s].workers[k]]++;
                for (unsigned other = 0; other < k; other++)
                    assert_int_not_equal(b->sources[s].workers[k], b->sources[s].workers[other]);
            }
        }
        for (unsigned k = 0; k < flow.sink_count; k++)
            units[b->sinks[k].worker]++;
        for (unsigned w = 0; w < b->worker_count; w++) {
            most = units[w] > most ? units[w] : most;
            least = units[w] < least ? units[w] : least;
        }
        assert_true(most <= least + 1);
        assert_int_equal(b->sources[0].workers[0], a->sources[0].workers[0]);
        ps_plan_destroy(b);
        ps_plan_destroy(a);
        flow_fini(&flow);
    }
}

/* Sinks are closed in each reload: they leave a worker that has two units more than another. */
static void test_sinks_even_out(void **state)
{
    struct ps_err err = {0};
    struct flow flow = small_flow();
    flow.source_count = 4;
    struct ps_plan *a = plan_of(&flow, &machine, 2, &err); /* r0 r2 k0 k2 on 0; r1 r3 k1 on 1 */
    struct ps_agent_spec *spec = flow_spec(&flow);
    remove_source(spec, 3);
    remove_source(spec, 1);
    struct ps_plan *b = ps_plan_create(spec, &machine, a, &err); /* r0 r2 k0 k2; k1 */
    assert_int_equal(b->sources[0].workers[0], 0);
    assert_int_equal(b->sources[1].workers[0], 0);
    assert_int_equal(b->sinks[0].worker, 1);
    assert_int_equal(b->sinks[1].worker, 1);
    assert_int_equal(b->sinks[2].worker, 0);
    ps_plan_destroy(b);
    ps_plan_destroy(a);
    flow_fini(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_limit),
        cmocka_unit_test(test_worker_count),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_budget_and_limit),
        cmocka_unit_test(test_xmx_below_what_is_needed),
        cmocka_unit_test(test_budget_is_shared),
        cmocka_unit_test(test_budget_of_many_sources),
        cmocka_unit_test(test_budget_of_clients),
        cmocka_unit_test(test_budget_after_a_reload),
        cmocka_unit_test(test_build_failures),
        cmocka_unit_test(test_chain_share),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_places_are_kept),
        cmocka_unit_test(test_added_units_get_workers),
        cmocka_unit_test(test_sinks_even_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
