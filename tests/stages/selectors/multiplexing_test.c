/* Selector multiplexing: its rules one by one, then against a naive model of MultiplexingChannelSelector. */
#include "tests/support/fake_route.h"

#include <stdio.h>

static const char *const channels[] = {"c1", "c2", "c3", "c4"};
#define CHANNELS 4U

static enum ps_status try_start(struct ps_test_stage *stage, const char *const *keys)
{
    ps_test_stage_init(stage, &ps_selector_multiplexing);
    stage->context.channels = (struct ps_texts){CHANNELS, channels};
    if (ps_test_stage_bind(stage, keys) != PS_OK)
        return PS_FAIL;
    assert_int_equal(ps_test_stage_build(stage), PS_OK);
    assert_int_equal(ps_test_stage_open(stage), PS_OK);
    return PS_OK;
}

/* "r-o-": required to c1, optional to c3. */
static void assert_ways(struct ps_test_stage *stage, struct ps_lease *lease, uint32_t position,
                        const struct ps_route *route, const char *ways)
{
    for (unsigned channel = 0; channel < CHANNELS; channel++) {
        enum ps_test_way way = ps_test_route_way(route, lease, position, channel);
        char letter = "-ro"[way];
        if (letter != ways[channel])
            fail_msg("event %u, channel %s: %c, not %c", position, channels[channel], letter, ways[channel]);
    }
}

static void test_rules(void **unused)
{
    struct ps_test_stage stage;
    assert_int_equal(
        try_start(&stage, PS_KEYS("header", "state", "mapping.CZ", "c1", "mapping.US", "c2 c3", "default",
                                  "c4", "optional.US", "c3 c1", "optional.XX", "c4 c2")),
        PS_OK);
    struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("", "state", "CZ"), PS_EVENT("", "state", "US"),
                                      PS_EVENT("", "state", "XX"), PS_EVENT("", "state", "NO"),
                                      PS_EVENT("", "state", ""), PS_EVENT("", "state", " \t"), PS_BODY(""),
                                      PS_EVENT("", "state", " CZ"), PS_EVENT("", "other", "CZ"));
    struct ps_route *route = ps_test_selector_work(&stage, lease);
    static const char *const expected[] = {"r---", "orr-", "-o-r", "---r", "---r",
                                           "---r", "---r", "---r", "---r"};
    for (uint32_t i = 0; i < PS_COUNT_OF(expected); i++)
        assert_ways(&stage, lease, i, route, expected[i]);
    ps_test_route_free(route);
    ps_test_stage_fini(&stage);
}

/* All events have a header of the batch, but a header of the event itself overrides it. */
static void test_shared_header(void **unused)
{
    struct ps_test_stage stage;
    assert_int_equal(
        try_start(&stage, PS_KEYS("header", "dc", "mapping.a", "c1", "mapping.b", "c2", "default", "c4")),
        PS_OK);
    const struct ps_name *name = ps_name_intern("dc");
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("1"), PS_BODY("2"));
    assert_true(ps_batch_shared_set(lease->batch, name, "a", 1, true));
    struct ps_route *route = ps_test_selector_work(&stage, lease);
    assert_ways(&stage, lease, 0, route, "r---");
    assert_ways(&stage, lease, 1, route, "r---");
    ps_test_route_free(route);
    assert_true(ps_batch_header_set(lease->batch, ps_lease_event(lease, 1), name, "b", 1));
    route = ps_test_selector_work(&stage, lease);
    assert_ways(&stage, lease, 0, route, "r---");
    assert_ways(&stage, lease, 1, route, "-r--");
    ps_test_route_free(route);
    ps_test_stage_fini(&stage);
}

static void test_refused(void **unused)
{
    struct ps_test_stage stage;
    assert_int_equal(try_start(&stage, PS_KEYS("mapping.a", "c1  c2")), PS_FAIL); /* Flume: an empty name */
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "two blanks"));
    ps_test_stage_fini(&stage);
    assert_int_equal(try_start(&stage, PS_KEYS("mapping.a", "c1\tc2")), PS_FAIL);
    ps_test_stage_fini(&stage);
    assert_int_equal(try_start(&stage, PS_KEYS("default", "c9")), PS_FAIL);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "c9"));
    ps_test_stage_fini(&stage);
    assert_int_equal(try_start(&stage, PS_KEYS("optional.x", "c1 c9")), PS_FAIL);
    ps_test_stage_fini(&stage);
}

static void test_nothing_configured(void **unused)
{
    struct ps_test_stage stage;
    assert_int_equal(try_start(&stage, NULL), PS_OK);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_WARN, "dropped"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("", "flume.selector.header", "x"), PS_BODY(""));
    struct ps_route *route = ps_test_selector_work(&stage, lease);
    assert_ways(&stage, lease, 0, route, "----");
    assert_ways(&stage, lease, 1, route, "----");
    ps_test_route_free(route);
    ps_test_stage_fini(&stage);
}

/* ---- the property ---- */

#define VALUES 6U

/* Channel sets as bit masks; UINT32_MAX: not configured. */
struct model {
    uint32_t mapping[VALUES], optional[VALUES], fallback;
};

static const char *list_of(struct ps_test_stage *stage, uint32_t set)
{
    char *list = ps_arena_text(stage->arena, "");
    for (unsigned channel = 0; channel < CHANNELS; channel++) {
        if (set >> channel & 1)
            list =
                ps_arena_format(stage->arena, "%s%s%s", list, list[0] != '\0' ? " " : "", channels[channel]);
    }
    return list;
}

static char model_way(const struct model *model, int value, unsigned channel)
{
    uint32_t required =
        value >= 0 && model->mapping[value] != UINT32_MAX ? model->mapping[value] : model->fallback;
    if (required != UINT32_MAX && (required >> channel & 1))
        return 'r';
    if (value >= 0 && model->optional[value] != UINT32_MAX && (model->optional[value] >> channel & 1))
        return 'o';
    return '-';
}

static uint32_t some_channels(uint64_t *random)
{
    return 1 + (uint32_t)(ps_test_random(random) % 15);
}

static void test_against_a_model(void **unused)
{
    uint64_t random = ps_test_seed();
    for (int round = 0; round < 300; round++) {
        struct ps_test_stage stage, texts;
        ps_test_stage_init(&texts, &ps_selector_multiplexing);
        struct model model = {.fallback = UINT32_MAX};
        const char *keys[4 * VALUES + 5];
        size_t used = 0;
        keys[used++] = "header";
        keys[used++] = "h";
        if (ps_test_random(&random) % 3 > 0) {
            model.fallback = some_channels(&random);
            keys[used++] = "default";
            keys[used++] = list_of(&texts, model.fallback);
        }
        for (unsigned value = 0; value < VALUES; value++) {
            model.mapping[value] = model.optional[value] = UINT32_MAX;
            if (ps_test_random(&random) % 2) {
                model.mapping[value] = some_channels(&random);
                keys[used++] = ps_arena_format(texts.arena, "mapping.v%u", value);
                keys[used++] = list_of(&texts, model.mapping[value]);
            }
            if (ps_test_random(&random) % 2) {
                model.optional[value] = some_channels(&random);
                keys[used++] = ps_arena_format(texts.arena, "optional.v%u", value);
                keys[used++] = list_of(&texts, model.optional[value]);
            }
        }
        keys[used] = NULL;
        assert_int_equal(try_start(&stage, keys), PS_OK);
        struct ps_test_event events[64];
        int values[64];
        size_t count = 1 + ps_test_random(&random) % 64;
        for (size_t i = 0; i < count; i++) {
            values[i] =
                (int)(ps_test_random(&random) % (VALUES + 2)) - 2; /* -2: no header, -1: a blank one */
            const char **headers = ps_arena_alloc(texts.arena, 3 * sizeof *headers);
            if (values[i] > -2) {
                headers[0] = "h";
                headers[1] = values[i] < 0 ? " " : ps_arena_format(texts.arena, "v%d", values[i]);
            }
            events[i] = (struct ps_test_event){"body", 4, headers};
        }
        struct ps_lease *lease = ps_test_lease(&stage, events, count);
        struct ps_route *route = ps_test_selector_work(&stage, lease);
        for (uint32_t i = 0; i < count; i++) {
            char ways[CHANNELS];
            for (unsigned channel = 0; channel < CHANNELS; channel++)
                ways[channel] = model_way(&model, values[i], channel);
            assert_ways(&stage, lease, i, route, ways);
        }
        ps_test_route_free(route);
        ps_test_stage_fini(&stage);
        ps_test_stage_fini(&texts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),           cmocka_unit_test(test_shared_header),
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_nothing_configured),
        cmocka_unit_test(test_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
