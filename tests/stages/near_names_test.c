/* Header names and values that differ little from the configured one: shorter, longer, in different case. Each stage
 * must leave them alone. */
#include "tests/support/fake_route.h"
#include "tests/support/stage.h"

#include <stdlib.h>

static const char *const near[] = {"stat", "states", "State", "xstate", "state ", "s", NULL};

/* Returns a lease of one event with all similar names, without the configured one. */
static struct ps_lease *near_lease(struct ps_test_stage *stage)
{
    return PS_LEASE(stage, PS_EVENT("body", "stat", "v", "states", "v", "State", "v", "xstate", "v", "state ",
                                    "v", "s", "v"));
}

static void start(struct ps_test_stage *stage, const struct ps_stage_ops *ops, const char *const *keys)
{
    static const char *const channels[] = {"c", "c1", "c10"};
    ps_test_stage_init(stage, ops);
    stage->context.channels = (struct ps_texts){PS_COUNT_OF(channels), channels};
    if (ps_test_stage_bind(stage, keys) != PS_OK || ps_test_stage_build(stage) != PS_OK ||
        ps_test_stage_open(stage) != PS_OK)
        fail_msg("%s: %s", ops->name, stage->err.text);
}

/* Works on the near names. `adds`: the stage sets the header `state`; otherwise it removes it. */
static void assert_left_alone(const struct ps_stage_ops *ops, const char *const *keys, bool adds)
{
    struct ps_test_stage stage;
    start(&stage, ops, keys);
    struct ps_lease *lease = near_lease(&stage);
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    struct ps_test_event event = ps_test_lease_event(&stage, lease, 0);
    for (size_t i = 0; near[i] != NULL; i++) {
        const char *value = ps_test_event_header(&event, near[i]);
        if (value == NULL || strcmp(value, "v") != 0)
            fail_msg("%s: header %s is %s", ops->name, near[i], value != NULL ? value : "gone");
    }
    assert_true((ps_test_event_header(&event, "state") != NULL) == adds);
    ps_test_stage_fini(&stage);
}

static void test_interceptors(void **unused)
{
    assert_left_alone(&ps_interceptor_static, PS_KEYS("key", "state", "value", "new"), true);
    assert_left_alone(&ps_interceptor_static,
                      PS_KEYS("key", "state", "value", "new", "preserveExisting", "false"), true);
    assert_left_alone(&ps_interceptor_host, PS_KEYS("hostHeader", "state"), true);
    assert_left_alone(&ps_interceptor_timestamp, PS_KEYS("headerName", "state"), true);
    assert_left_alone(&ps_interceptor_timestamp, PS_KEYS("headerName", "state", "preserveExisting", "true"),
                      true);
    assert_left_alone(&ps_interceptor_uuid, PS_KEYS("headerName", "state"), true);
    assert_left_alone(&ps_interceptor_remove_header, PS_KEYS("withName", "state"), false);
    assert_left_alone(&ps_interceptor_remove_header, PS_KEYS("fromList", "state,state2,stat3"), false);
    assert_left_alone(&ps_interceptor_remove_header, PS_KEYS("matching", "state"), false);
    assert_left_alone(&ps_interceptor_regex_extractor,
                      PS_KEYS("regex", "(b)ody", "serializers", "s1", "serializers.s1.name", "state"), true);
}

/* An event without the header, or with a value similar to a mapped one, goes to the default; c, c1 and c10 are different channels. */
static void test_selector(void **unused)
{
    static const char *const values[] = {"CZ", "C", "CZE", "cz", " CZ", "CZ ", "", "CZ1"};
    struct ps_test_stage stage;
    start(&stage, &ps_selector_multiplexing,
          PS_KEYS("header", "state", "mapping.CZ", "c1", "mapping.CZ1", "c10", "default", "c"));
    for (size_t i = 0; i <= PS_COUNT_OF(values); i++) {
        struct ps_lease *lease = i < PS_COUNT_OF(values)
                                     ? PS_LEASE(&stage, PS_EVENT("body", "state", values[i], "states", "CZ"))
                                     : near_lease(&stage);
        struct ps_route *route = calloc(1, sizeof *route);
        route->channel_count = stage.context.channels.count;
        assert_int_equal(stage.ops->selector->work(stage.plan, stage.state, lease, route, &stage.now),
                         PS_DONE);
        unsigned wanted = i == 0 ? 1 : i == PS_COUNT_OF(values) - 1 ? 2 : 0;
        for (unsigned channel = 0; channel < 3; channel++) {
            if (ps_test_route_way(route, lease, 0, channel) !=
                (channel == wanted ? PS_WAY_REQUIRED : PS_WAY_NONE))
                fail_msg("value %zu: channel %u", i, channel);
        }
        free(route);
    }
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_interceptors), cmocka_unit_test(test_selector)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
