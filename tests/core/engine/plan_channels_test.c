/* Plans: the properties of the channel that a source learns, and the properties of the source that a channel learns. */
#include "tests/support/flow.h"

static const struct ps_machine machine = {.cores = 3, .memory_bytes = UINT64_C(1) << 30};

static void small_fill(const void *plan, struct ps_fill *fill)
{
    *fill = (struct ps_fill){.capacity = 40};
}

/* The batches of a source fit into the smallest of its channels, at any place in the list. */
static void test_the_smallest_channel_limits_batches(void **state)
{
    for (unsigned smallest = 0; smallest < 3; smallest++) {
        struct ps_err err = {0};
        struct flow flow = {.total = 1,
                            .source_count = 1,
                            .channel_count = 3,
                            .sink_count = 1,
                            .sources = {{.instances = 1, .channels = 7}}};
        flow_init(&flow);
        struct ps_agent_spec *spec = flow_spec(&flow);
        struct ps_stage_ops stage = *spec->channels[smallest].stage.ops;
        struct ps_channel_ops channel = *stage.channel;
        channel.fill = small_fill;
        stage.channel = &channel;
        spec->channels[smallest].stage.ops = &stage;
        struct ps_plan *plan = ps_plan_create(spec, &machine, NULL, &err);
        assert_non_null(plan);
        assert_int_equal(plan->sources[0].batch_events_max, ps_batch_events_limit(40, 1024));
        ps_plan_destroy(plan);
        flow_fini(&flow);
    }
}

/* If the sinks commit, the batches of a memory channel are held until the commit. A durable channel keeps the events
 * itself. */
static void test_durable_channels_do_not_wait_for_commits(void **state)
{
    for (int commits = 0; commits < 2; commits++) {
        struct ps_err err = {0};
        struct flow flow = {.total = 1,
                            .source_count = 1,
                            .channel_count = 2,
                            .sink_count = 2,
                            .sources = {{.instances = 1, .channels = 3}},
                            .sinks = {{.channel = 0}, {.channel = 1}}};
        flow_init(&flow);
        struct ps_agent_spec *spec = flow_spec(&flow);
        struct ps_stage_ops stage = *spec->sinks[0].stage.ops, durable = *spec->channels[0].stage.ops;
        struct ps_sink_ops sink = *stage.sink;
        struct ps_channel_ops channel = *durable.channel;
        sink.commits = commits;
        stage.sink = &sink;
        spec->sinks[0].stage.ops = spec->sinks[1].stage.ops = &stage;
        channel.promises = PS_LEVEL_ACCEPTED + 1;
        durable.channel = &channel;
        spec->channels[0].stage.ops = &durable;
        assert_true(ps_channel_is_durable(&channel));
        struct ps_plan *plan = ps_plan_create(spec, &machine, NULL, &err);
        assert_non_null(plan);
        assert_false(plan->channels[0].commits);
        assert_int_equal(plan->channels[1].commits, commits);
        ps_plan_destroy(plan);
        flow_fini(&flow);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_smallest_channel_limits_batches),
        cmocka_unit_test(test_durable_channels_do_not_wait_for_commits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
