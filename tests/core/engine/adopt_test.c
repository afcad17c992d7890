/* Plans that follow each other: which one tears the stages down, and when their memory is freed. */
#include "tests/support/flow.h"

static const struct ps_machine machine = {.cores = 9, .memory_bytes = UINT64_C(1) << 30};
static unsigned built; /* sinks, or interceptors */

static enum ps_status count_build(void *plan, struct ps_context *context, struct ps_err *err)
{
    built++;
    return PS_OK;
}

static void count_teardown(void *plan)
{
    assert_true(built > 0);
    built--;
}

static struct ps_plan *plan_with(struct flow *flow, struct ps_plan *before, const struct ps_stage_ops *sink,
                                 const struct ps_stage_ops *interceptor)
{
    struct ps_err err = {0};
    struct ps_agent_spec *spec = flow_spec(flow);
    for (size_t i = 0; i < spec->sink_count; i++)
        spec->sinks[i].stage.ops = sink;
    for (size_t i = 0; i < spec->source_count; i++)
        spec->sources[i].interceptors[0].ops = interceptor;
    struct ps_plan *plan = ps_plan_create(spec, &machine, before, &err);
    assert_non_null(plan);
    if (before != NULL)
        ps_plan_adopt(plan, before);
    assert_int_equal(ps_plan_build(plan, &err), PS_OK);
    return plan;
}

static struct ps_plan *plan_after(struct flow *flow, struct ps_plan *before, const struct ps_stage_ops *sink)
{
    return plan_with(flow, before, sink, &flow_interceptor);
}

/* Sets which of k0 .. k2 stay; a mask. */
static void stay(struct flow *flow, unsigned sinks)
{
    flow->channels_stay = UINT32_MAX;
    for (unsigned i = 0; i < flow->sink_count; i++)
        flow->sinks[i].stays = sinks >> i & 1;
}

/* An adopted stage is not built again. Others are torn down immediately, and once; a plan is kept as long as
 * something is in its memory. */
static void test_who_tears_down(void **state)
{
    struct ps_stage_ops sink = flow_sink_stage;
    struct flow flow = {.total = 1,
                        .source_count = 2,
                        .channel_count = 2,
                        .sink_count = 3,
                        .sinks = {{.channel = 0}, {.channel = 1}, {.channel = 1}}};
    sink.build = count_build;
    sink.teardown = count_teardown;
    flow_init(&flow);
    struct ps_plan *a = plan_after(&flow, NULL, &sink);
    assert_int_equal(built, 3);
    stay(&flow, 3);
    struct ps_plan *b = plan_after(&flow, a, &sink);
    assert_int_equal(built, 4);
    ps_plan_destroy(b); /* the reload is refused: the stages that it would have adopted stay */
    assert_int_equal(built, 3);
    flow_take_back(&flow);
    b = plan_after(&flow, a, &sink);
    ps_plan_retire(a, b);
    assert_int_equal(built, 3);
    assert_ptr_equal(b->older, a);
    stay(&flow, 7);
    struct ps_plan *c = plan_after(&flow, b, &sink);
    assert_int_equal(built, 3);
    ps_plan_retire(b, c);
    assert_int_equal(built, 3);
    assert_ptr_equal(c->older, b); /* k2 */
    assert_ptr_equal(b->older, a); /* k0, k1, sources and channels */
    stay(&flow, 3);
    struct ps_plan *d = plan_after(&flow, c, &sink);
    assert_int_equal(built, 4);
    ps_plan_retire(c, d);
    assert_int_equal(built, 3);
    assert_ptr_equal(d->older, a); /* nothing is left in b and c */
    assert_null(a->older);
    stay(&flow, 0);
    flow.channels_stay = 0;
    flow.sources[0].changes = flow.sources[1].changes = 1;
    struct ps_plan *e = plan_after(&flow, d, &sink);
    assert_int_equal(built, 6);
    ps_plan_retire(d, e);
    assert_int_equal(built, 3);
    assert_null(e->older);
    ps_plan_destroy(e);
    assert_int_equal(built, 0);
    flow_fini(&flow);
}

/* A source whose chain alone changes stays, and gets the new chain; the old one is torn down when it is retired, and the plan
 * that built the source is kept. */
static void test_a_chain_alone(void **state)
{
    struct ps_stage_ops interceptor = flow_interceptor;
    struct flow flow = {.total = 1, .source_count = 2, .channel_count = 1, .sink_count = 1};
    interceptor.build = count_build;
    interceptor.teardown = count_teardown;
    flow_init(&flow);
    struct ps_plan *a = plan_with(&flow, NULL, &flow_sink_stage, &interceptor);
    assert_int_equal(built, 2);
    flow.sources[0].chain_changes = 1;
    struct ps_plan *b = plan_with(&flow, a, &flow_sink_stage, &interceptor);
    assert_int_equal(built, 3);
    ps_plan_destroy(b); /* refused */
    assert_int_equal(built, 2);
    flow_take_back(&flow);
    b = plan_with(&flow, a, &flow_sink_stage, &interceptor);
    assert_ptr_equal(b->sources[0].stages, &a->spec->sources[0]);
    assert_ptr_equal(b->sources[0].chain_stages, &b->spec->sources[0]);
    assert_ptr_equal(b->sources[1].chain_stages, &a->spec->sources[1]);
    ps_plan_retire(a, b);
    assert_int_equal(built, 2);
    assert_ptr_equal(b->older, a); /* both sources, and r1's chain */
    flow.sources[0].chain_changes = 0;
    flow.sources[0].changes = flow.sources[1].changes = 1;
    struct ps_plan *c = plan_with(&flow, b, &flow_sink_stage, &interceptor);
    assert_int_equal(built, 4);
    ps_plan_retire(b, c);
    assert_int_equal(built, 2);
    assert_null(c->older);
    flow.sources[0].changes = flow.sources[1].changes = 0;
    flow.sources[0].chain_changes = flow.sources[1].chain_changes = 1;
    struct ps_plan *d = plan_with(&flow, c, &flow_sink_stage, &interceptor);
    ps_plan_retire(c, d);
    flow.sources[0].chain_changes = flow.sources[1].chain_changes = 0;
    flow.sources[0].changes = flow.sources[1].changes = 1;
    struct ps_plan *e = plan_with(&flow, d, &flow_sink_stage, &interceptor);
    e->sources[1].chain_built.by = d; /* as if r1 had stayed with the chain of `d`, but not its source */
    ps_plan_retire(d, e);
    assert_ptr_equal(e->older, d);
    assert_null(d->older);
    ps_plan_destroy(e);
    assert_int_equal(built, 0);
    flow_fini(&flow);
}

int main(void)
{
    ps_log_set_level(PS_LOG_OFF);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_who_tears_down),
                                       cmocka_unit_test(test_a_chain_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
