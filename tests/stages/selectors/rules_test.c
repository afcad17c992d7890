/* Selector rules: where events go, unknown channels, several workers. The meaning of the
 * language, and changes of files, are asked by tests/scenarios/rules_*.scn. */
#include "tests/support/folder.h"
#include "tests/support/fake_route.h"
#include "tests/support/rules/files.h"

#include <stdio.h>

static const char *const channels[] = {"c1", "c2", "c3"};

static enum ps_status try_bind(struct ps_test_stage *stage, const char *text)
{
    static char file[4096]; /* used by the plan as long as it exists */
    snprintf(file, sizeof file, "%s", ps_test_rules_write("a.rules", "%s", text));
    ps_test_stage_init(stage, &ps_selector_rules);
    stage->context.channels = (struct ps_texts){PS_COUNT_OF(channels), channels};
    return ps_test_stage_bind(stage, PS_KEYS("rules.file", file, "rules.cache", "none", "rules.settle", "0"));
}

static void start(struct ps_test_stage *stage, const char *text)
{
    if (try_bind(stage, text) != PS_OK || ps_test_stage_build(stage) != PS_OK ||
        ps_test_stage_open(stage) != PS_OK)
        fail_msg("%s", stage->err.text);
}

/* "r-o": required to c1, optional to c3. */
static void assert_ways(struct ps_lease *lease, uint32_t position, const struct ps_route *route,
                        const char *ways)
{
    for (unsigned channel = 0; channel < PS_COUNT_OF(channels); channel++) {
        char way = "-ro"[ps_test_route_way(route, lease, position, channel)];
        if (way != ways[channel])
            fail_msg("event %u, channel %s: %c, not %c", position, channels[channel], way, ways[channel]);
    }
}

static void test_routes(void **state)
{
    struct ps_test_stage stage;
    start(&stage, "default c3\n"
                  "rule errors { when body ~ /status=5\\d\\d/ route c1 route optional c2 set header.topic = "
                  "\"errors\" }\n"
                  "rule two { when header.dc == \"a\" route c1, c2 }\n"
                  "rule debug { when body contains \"DEBUG\" drop }\n");
    struct ps_lease *lease =
        PS_LEASE(&stage, PS_BODY("status=503"), PS_BODY("status=200"), PS_BODY("DEBUG status=200"),
                 PS_EVENT("status=200", "dc", "a"), PS_EVENT("status=500 DEBUG", "dc", "a"));
    struct ps_route *route = ps_test_selector_work(&stage, lease);
    static const char *const expected[] = {"ro-", "--r", "---", "rr-", "ro-"};
    for (uint32_t i = 0; i < PS_COUNT_OF(expected); i++)
        assert_ways(lease, i, route, expected[i]);
    struct ps_test_event event = ps_test_lease_event(&stage, lease, 0);
    assert_string_equal(ps_test_event_header(&event, "topic"), "errors");
    assert_true(ps_test_series(&stage, "rule_hits", "errors") == 2);
    assert_true(ps_test_series(&stage, "rule_dropped", "debug") == 1);
    ps_test_route_free(route);
    ps_test_stage_fini(&stage);
}

static void test_no_default(void **state)
{
    struct ps_test_stage stage;
    start(&stage, "rule one { when body ~ /^x/ route c2 }\n");
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("x"), PS_BODY("ax"));
    struct ps_route *route = ps_test_selector_work(&stage, lease);
    assert_ways(lease, 0, route, "-r-");
    assert_ways(lease, 1, route, "---");
    ps_test_route_free(route);
    ps_test_stage_fini(&stage);
}

static void test_unknown_channels(void **state)
{
    struct ps_test_stage stage;
    assert_int_equal(try_bind(&stage, "default c9\nrule a {\n  when true\n  route c1, c10\n}\n"
                                      "rule b { when true limit 5/s else route c11 }\n"),
                     PS_FAIL);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "a.rules:1:9"));
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "a.rules:4:13"));
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "a.rules:6:"));
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "c11"));
    ps_test_stage_fini(&stage);
}

/* The changed file names a channel that the source does not have: it is refused, and the old rules stay. */
static void test_unknown_channel_later(void **state)
{
    struct ps_test_stage stage;
    start(&stage, "rule a { when true route c1 }\n");
    ps_test_rules_replace("a.rules", "rule a { when true route c4 }\n");
    ps_test_series_wait(&stage, "rules_reload_failures", 1);
    assert_true(ps_test_series(&stage, "rules_generation", NULL) == 1);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("x"));
    struct ps_route *route = ps_test_selector_work(&stage, lease);
    assert_ways(lease, 0, route, "r--");
    ps_test_route_free(route);
    ps_test_rules_replace("a.rules", "rule a { when true route c2 }\n");
    ps_test_series_wait(&stage, "rules_generation", 2);
    route = ps_test_selector_work(&stage, lease);
    assert_ways(lease, 0, route, "-r-");
    ps_test_route_free(route);
    ps_test_stage_fini(&stage);
}

/* Each open instance has a scratch, counts and a share of limits of its own; the counters are their sums. */
static void test_instances(void **state)
{
    struct ps_test_stage stage;
    struct ps_port ports[3];
    void *states[3];
    assert_int_equal(try_bind(&stage, "rule a { when body ~ /a/ route c1 }\n"
                                      "rule l { when body ~ /limited/ limit 6/h burst 6 route c2 }\n"),
                     PS_OK);
    stage.context.instances = 3;
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    for (unsigned i = 0; i < 3; i++) {
        ports[i] = stage.port;
        ports[i].instance = i;
        states[i] = calloc(1, stage.ops->state_size);
        assert_non_null(states[i]);
        assert_int_equal(stage.ops->open(stage.plan, states[i], &ports[i], &stage.err), PS_OK);
    }
    for (unsigned i = 0; i < 3; i++) {
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_BODY("b"));
        stage.state = states[i];
        struct ps_route *route = ps_test_selector_work(&stage, lease);
        assert_ways(lease, 0, route, "r--");
        assert_ways(lease, 1, route, "---");
        ps_test_route_free(route);
        lease = PS_LEASE(&stage, PS_BODY("limited"), PS_BODY("limited"), PS_BODY("limited"));
        route = ps_test_selector_work(&stage, lease);
        assert_ways(lease, 0, route, "-r-");
        assert_ways(lease, 1, route, "-r-");
        assert_ways(lease, 2, route, "---");
        ps_test_route_free(route);
    }
    stage.state = NULL;
    assert_true(ps_test_series(&stage, "rule_hits", "a") == 3);
    assert_true(ps_test_series(&stage, "rule_hits", "l") == 9);
    assert_true(ps_test_series(&stage, "rule_dropped", "l") == 3);
    for (unsigned i = 0; i < 3; i++) {
        stage.ops->close(stage.plan, states[i]);
        free(states[i]);
    }
    ps_test_stage_fini(&stage);
}

/* What the matchers of each instance have counted is one number, which goes on when the rules change. */
static void test_matches_of_instances(void **state)
{
    struct ps_test_stage stage;
    struct ps_port ports[3];
    void *states[3];
    assert_int_equal(try_bind(&stage, "rule a { when body ~ /(ab)\\1/ route c1 }\n"), PS_OK);
    stage.context.instances = 3;
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    for (unsigned i = 0; i < 3; i++) {
        ports[i] = stage.port;
        ports[i].instance = i;
        states[i] = calloc(1, stage.ops->state_size);
        assert_non_null(states[i]);
        assert_int_equal(stage.ops->open(stage.plan, states[i], &ports[i], &stage.err), PS_OK);
    }
    for (unsigned i = 0; i < 3; i++) {
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("abab"), PS_BODY("b"));
        stage.state = states[i];
        struct ps_route *route = ps_test_selector_work(&stage, lease);
        assert_ways(lease, 0, route, "r--");
        assert_ways(lease, 1, route, "---");
        ps_test_route_free(route);
        assert_true(ps_test_series(&stage, "rules_confirmed", NULL) == i + 1);
        assert_true(ps_test_series(&stage, "rules_confirms", NULL) >= i + 1);
    }
    ps_test_rules_replace("a.rules", "rule a { when body ~ /abc/ route c1 }\n");
    ps_test_series_wait(&stage, "rules_generation", 2);
    assert_true(ps_test_series(&stage, "rules_confirmed", NULL) == 3);
    assert_true(ps_test_series(&stage, "rule_hits", "a") == 3);
    stage.state = NULL;
    for (unsigned i = 0; i < 3; i++) {
        stage.ops->close(stage.plan, states[i]);
        free(states[i]);
    }
    ps_test_stage_fini(&stage);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_routes),           TEST(test_no_default),
        TEST(test_unknown_channels), TEST(test_unknown_channel_later),
        TEST(test_instances),        TEST(test_matches_of_instances),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
