/* What every selector promises (core/stage.h), asked of each of them: every event that the lease still has
 * gets its ways, no event two ways to one channel, rows stand in order, events that were dropped get none;
 * once warm it allocates nothing, and closed and opened again it does the same. */
#include "stages/table.h"
#include "tests/support/allocations.h"
#include "tests/support/fake_route.h"
#include "tests/support/folder.h"
#include "tests/support/rules/files.h"

#include <stdio.h>

#define EVENTS 300U
#define CHANNELS 3U

static char rules[512]; /* path of a rules file */

struct adapter {
    const struct ps_stage_ops *ops;
    const char *keys[12];
    bool random; /* ways differ from call to call */
};

/* Each of them sends every event at least one way. */
static const struct adapter adapters[] = {
    {.ops = &ps_selector_replicating, .keys = {"optional", "c2"}},
    {.ops = &ps_selector_multiplexing,
     .keys = {"header", "kind", "mapping.a", "c1", "mapping.b", "c2 c3", "optional.b", "c1", "default",
              "c3"}},
    {.ops = &ps_selector_load_balancing, .random = true},
    {.ops = &ps_selector_rules, .keys = {"rules.file", rules, "rules.cache", "none", "rules.watch", "false"}},
};

static void test_all_are_here(void **state)
{
    (void)state;
    for (size_t i = 0; ps_stages[i] != NULL; i++) {
        unsigned times = 0;
        for (size_t k = 0; k < PS_COUNT_OF(adapters); k++)
            times += adapters[k].ops == ps_stages[i];
        if (times != (ps_stages[i]->kind == PS_KIND_SELECTOR))
            fail_msg("%s is asked %u times", ps_stages[i]->name, times);
    }
}

static void start(struct ps_test_stage *stage, const struct adapter *adapter)
{
    static const char *const channels[CHANNELS] = {"c1", "c2", "c3"};
    ps_test_stage_init(stage, adapter->ops);
    stage->context.channels = (struct ps_texts){CHANNELS, channels};
    if (ps_test_stage_bind(stage, adapter->keys) != PS_OK || ps_test_stage_build(stage) != PS_OK ||
        ps_test_stage_open(stage) != PS_OK)
        fail_msg("%s: %s", adapter->ops->name, stage->err.text);
}

/* Every third event is of kind a, every third of kind b; every seventh was dropped by an interceptor. */
static struct ps_lease *some_lease(struct ps_test_stage *stage)
{
    static struct ps_test_event events[EVENTS];
    static const char *const kinds[3][3] = {{"kind", "a", NULL}, {"kind", "b", NULL}, {NULL}};
    uint64_t keep[PS_BATCH_EVENTS_MAX / 64] = {0};
    for (unsigned i = 0; i < EVENTS; i++) {
        events[i] = (struct ps_test_event){.body = "body", .length = 4, .headers = kinds[i % 3]};
        keep[i / 64] |= (uint64_t)(i % 7 != 0) << i % 64;
    }
    struct ps_lease *lease = ps_test_lease(stage, events, EVENTS);
    assert_true(ps_lease_filter_bits(lease, keep));
    assert_int_equal(lease->count, EVENTS - (EVENTS + 6) / 7);
    return lease;
}

/* The ways of all events, a letter for each channel: "r-o" is required to c1 and optional to c3. Checks that
 * the rows of a route are the lease's (the fake checks their order, and that no event goes one way twice). */
static char *ways_of(const struct adapter *adapter, struct ps_test_stage *stage, struct ps_lease *lease)
{
    struct ps_route *route = ps_test_selector_work(stage, lease);
    char *ways = calloc(lease->count, CHANNELS + 1);
    assert_non_null(ways);
    uint32_t by_position = 0, by_slot = 0;
    for (uint32_t position = 0; position < lease->count; position++) {
        char *text = ways + (size_t)position * (CHANNELS + 1);
        for (unsigned channel = 0; channel < CHANNELS; channel++) {
            text[channel] = "-ro"[ps_test_route_way(route, lease, position, channel)];
            by_position += text[channel] != '-';
        }
        if (strspn(text, "-") == CHANNELS)
            fail_msg("%s: event %u goes nowhere", adapter->ops->name, position);
        text[CHANNELS] = position + 1 < lease->count ? ' ' : '\0';
    }
    for (size_t slot = 0; slot < PS_COUNT_OF(route->slots); slot++)
        by_slot += route->slots[slot].all ? lease->count : route->slots[slot].count;
    if (by_position != by_slot)
        fail_msg("%s: %u ways, %u of them of events in the lease", adapter->ops->name, by_slot, by_position);
    ps_test_route_free(route);
    return ways;
}

static void test_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        start(&stage, &adapters[i]);
        char *first = ways_of(&adapters[i], &stage, some_lease(&stage));
        for (unsigned round = 0; round < 3; round++) {
            char *ways = ways_of(&adapters[i], &stage, some_lease(&stage));
            if (!adapters[i].random)
                assert_string_equal(ways, first);
            free(ways);
            ps_test_stage_close(&stage);
            assert_int_equal(ps_test_stage_open(&stage), PS_OK);
            ps_test_stage_recycle(&stage);
        }
        free(first);
        ps_test_stage_fini(&stage);
    }
}

static void test_allocates_nothing(void **state)
{
    (void)state;
    if (!PS_TEST_ALLOCATIONS)
        skip();
    static struct ps_route route;
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        start(&stage, &adapters[i]);
        for (unsigned round = 0; round < 6; round++) {
            struct ps_lease *lease = some_lease(&stage);
            memset(&route, 0, sizeof route);
            route.channel_count = CHANNELS;
            uint64_t before = ps_test_allocation_count;
            enum ps_result result =
                stage.ops->selector->work(stage.plan, stage.state, lease, &route, &stage.now);
            if (round > 1 && ps_test_allocation_count != before)
                fail_msg("%s allocates", adapters[i].ops->name);
            assert_int_equal(result, PS_DONE);
        }
        ps_test_stage_fini(&stage);
    }
}

static int set_up(void **state)
{
    int failed = ps_test_folder_setup(state);
    if (failed == 0)
        snprintf(rules, sizeof rules, "%s",
                 ps_test_rules_write("a.rules",
                                     "default c3\n"
                                     "rule a { when header.kind == \"a\" route c1 }\n"
                                     "rule b { when header.kind == \"b\" route c2 route optional c1 }\n"));
    return failed;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_here),
        cmocka_unit_test(test_ways),
        cmocka_unit_test(test_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, ps_test_folder_teardown);
}
