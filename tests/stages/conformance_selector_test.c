/* Checks what core/stage.h requires of every selector: each event goes where its configuration says, once to each
 * channel, rows in order, or nowhere; after PS_RETRY for lack of memory no route and no edit is repeated; once warm it
 * allocates nothing; it closes without leaks and opens again. */
#include "stages/table.h"
#include "tests/support/conformance.h"
#include "tests/support/allocations.h"
#include "tests/support/fake_route.h"
#include "tests/support/folder.h"
#include "tests/support/rules/files.h"

#include <stdio.h>

#define EVENTS 300U
#define BLOCKS 64U
#define CHANNELS 3U

static const char *const channels[CHANNELS] = {"c1", "c2", "c3"};

struct adapter {
    const struct ps_stage_ops *ops;
    const char *keys[16];
    /* Where the event at this position of a lease goes, by its kind (a, b, c; '-': none): a letter for each channel, r
     * required, o optional, - not at all. NULL: the test cannot know it. */
    const char *(*ways)(char kind, uint32_t position);
    bool exactly_one; /* each event goes to one channel, as required */
    bool counts_hits; /* it has series rule_hits and rule_dropped */
};

/* ---- adapters ---- */

#ifdef PS_TEST_PLUGIN /* tests/plugin */
static struct adapter adapters[1];
static char learned[EVENTS][CHANNELS + 1]; /* the routes of the first lease */

static const char *ways_learned(char kind, uint32_t position)
{
    return learned[position];
}
#else
static char rules_path[4096];

#define RULES                                                                                                \
    "rule a { when header.kind == \"a\" route c1 route optional c3 set header.seen = \"yes\" }\n"            \
    "rule b { when header.kind == \"b\" set header.note = \"one of kind b\" route c2, c3 }\n"                \
    "rule c { when header.kind == \"c\" drop }\n"

static const char *ways_to_all(char kind, uint32_t position)
{
    return "rro";
}

static const char *ways_by_kind(char kind, uint32_t position)
{
    return kind == 'a' ? "r-o" : kind == 'b' ? "-rr" : "---";
}

static const char *ways_by_kind_or_default(char kind, uint32_t position)
{
    return kind == 'a' ? "r--" : kind == 'b' ? "-ro" : "--r";
}

static const char *ways_in_turn(char kind, uint32_t position)
{
    static const char *const ways[CHANNELS] = {"r--", "-r-", "--r"};
    return ways[position % CHANNELS];
}

static const struct adapter adapters[] = {
    {.ops = &ps_selector_replicating, .keys = {"optional", "c3"}, .ways = ways_to_all},
    {.ops = &ps_selector_multiplexing,
     .keys = {"header", "kind", "mapping.a", "c1", "optional.a", "c3", "mapping.b", "c2 c3"},
     .ways = ways_by_kind},
    {.ops = &ps_selector_multiplexing,
     .keys = {"header", "kind", "mapping.a", "c1", "mapping.b", "c2", "optional.b", "c3", "default", "c3"},
     .ways = ways_by_kind_or_default},
    {.ops = &ps_selector_load_balancing, .ways = ways_in_turn},
    {.ops = &ps_selector_load_balancing, .keys = {"policy", "random"}, .exactly_one = true},
    {.ops = &ps_selector_rules,
     .keys = {"rules.file", rules_path, "rules.cache", "none", "rules.watch", "false"},
     .ways = ways_by_kind,
     .counts_hits = true},
};
#endif

static void test_all_are_here(void **unused)
{
    for (size_t i = 0; ps_stages[i] != NULL; i++) {
        bool here = ps_stages[i]->kind != PS_KIND_SELECTOR;
        for (size_t k = 0; k < PS_COUNT_OF(adapters); k++)
            here |= adapters[k].ops == ps_stages[i];
        if (!here)
            fail_msg("selector %s has no entry in `adapters` of this file", ps_stages[i]->name);
    }
}

/* ---- leases and routes ---- */

/* It is not known what a plug-in's selector keeps from one lease to the next, so it is opened again before each lease whose
 * routes are compared. */
static void forget(struct ps_test_stage *stage)
{
#ifdef PS_TEST_PLUGIN
    ps_test_stage_close(stage);
    assert_int_equal(ps_test_stage_open(stage), PS_OK);
#endif
}

static char kind_of(uint32_t row)
{
    return "abc-"[row % 7 % 4];
}

static void start(struct ps_test_stage *stage, const struct adapter *adapter)
{
    ps_test_stage_init_sized(stage, adapter->ops, UINT64_C(1) * BLOCKS * PS_BLOCK_BYTES);
    stage->context.channels = (struct ps_texts){CHANNELS, channels};
    if (ps_test_stage_bind(stage, adapter->keys) != PS_OK || ps_test_stage_build(stage) != PS_OK ||
        ps_test_stage_open(stage) != PS_OK)
        fail_msg("%s: %s", adapter->ops->name, stage->err.text);
}

/* Events of each kind; an interceptor has dropped every fifth. */
static struct ps_lease *some_lease(struct ps_test_stage *stage)
{
    static struct ps_test_event events[EVENTS];
    static char bodies[EVENTS][16];
    static const char *const headers[][3] = {{"kind", "a", NULL}, {"kind", "b", NULL}, {"kind", "c", NULL}};
    uint64_t keep[PS_BATCH_EVENTS_MAX / 64] = {0};
    uint32_t count = 0;
    for (uint32_t row = 0; row < EVENTS; row++) {
        snprintf(bodies[row], sizeof bodies[row], "event %u", row);
        events[row] = PS_BODY(bodies[row]);
        if (kind_of(row) != '-')
            events[row].headers = headers[kind_of(row) - 'a'];
        if (row % 5 != 0)
            keep[row / 64] |= UINT64_C(1) << row % 64, count++;
    }
    struct ps_lease *lease = ps_test_lease(stage, events, EVENTS);
    assert_true(ps_lease_filter_bits(lease, keep));
    assert_int_equal(lease->count, count);
    return lease;
}

static struct ps_route *new_route(const struct ps_test_stage *stage)
{
    struct ps_route *route = calloc(1, sizeof *route);
    assert_non_null(route);
    route->channel_count = stage->context.channels.count;
    return route;
}

static enum ps_result work(struct ps_test_stage *stage, struct ps_lease *lease, struct ps_route *route)
{
    return stage->ops->selector->work(stage->plan, stage->state, lease, route, &stage->now);
}

/* ps_test_route_way fails when an event goes to a channel twice, and ps_route_row when rows are not in order. */
static void assert_ways(const struct adapter *adapter, const struct ps_lease *lease,
                        const struct ps_route *route)
{
    size_t found = 0, routed = 0;
    for (uint32_t position = 0; position < lease->count; position++) {
        char ways[CHANNELS + 1] = "";
        unsigned count = 0;
        for (unsigned channel = 0; channel < CHANNELS; channel++) {
            ways[channel] = "-ro"[ps_test_route_way(route, lease, position, channel)];
            count += ways[channel] != '-';
        }
        found += count;
#ifdef PS_TEST_PLUGIN
        if (learned[position][0] == '\0')
            memcpy(learned[position], ways, sizeof ways);
#endif
        if (adapter->exactly_one) {
            assert_int_equal(count, 1);
            assert_null(strchr(ways, 'o'));
        }
        if (adapter->ways == NULL)
            continue;
        const char *wanted = adapter->ways(kind_of(ps_lease_row(lease, position)), position);
        if (strcmp(ways, wanted) != 0)
            fail_msg("%s: event %u goes %s, not %s", adapter->ops->name, position, ways, wanted);
    }
    for (size_t slot = 0; slot < 2 * (size_t)CHANNELS; slot++)
        routed += route->slots[slot].all ? lease->count : route->slots[slot].count;
    assert_int_equal(routed, found); /* each row is one of the lease */
}

/* Bodies and headers of the lease's events as one text. */
static char *lease_text(struct ps_test_stage *stage, const struct ps_lease *lease)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    assert_non_null(file);
    for (uint32_t i = 0; i < lease->count; i++) {
        struct ps_test_event event = ps_test_lease_event(stage, lease, i);
        fprintf(file, "%u: %s", ps_lease_row(lease, i), event.body);
        for (size_t k = 0; event.headers[k] != NULL; k += 2)
            fprintf(file, " %s=%s", event.headers[k], event.headers[k + 1]);
        fputc('\n', file);
    }
    fclose(file);
    return text;
}

/* ---- checks ---- */

static void test_routes(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        start(&stage, &adapters[i]);
        unsigned fds = ps_test_open_fds();
        for (unsigned round = 0; round < 3; round++) {
            struct ps_lease *lease = some_lease(&stage);
            struct ps_route *route = new_route(&stage);
            assert_int_equal(work(&stage, lease, route), PS_DONE);
            assert_ways(&adapters[i], lease, route);
            free(route);
            lease->count = 0; /* earlier interceptors dropped all events */
            route = new_route(&stage);
            assert_int_equal(work(&stage, lease, route), PS_DONE);
            assert_ways(&adapters[i], lease, route);
            free(route);
            ps_test_stage_close(&stage);
            assert_int_equal(ps_test_stage_open(&stage), PS_OK);
            assert_int_equal(ps_test_open_fds(), fds);
            ps_test_stage_recycle(&stage);
        }
        ps_test_stage_fini(&stage);
    }
}

/* Like the engine: after PS_RETRY it calls again with the same lease and an empty route. */
static unsigned work_short_of_memory(struct ps_test_stage *stage, struct ps_lease *lease,
                                     struct ps_route *route)
{
    struct ps_block_cache hoard;
    struct ps_block *taken[BLOCKS + 1];
    unsigned count = ps_test_stage_hoard(stage, &hoard, taken, lease), retries = 0;
    enum ps_result result;
    for (; (result = work(stage, lease, route)) == PS_RETRY; retries++) {
        assert_true(count > 0);
        size_t channel_count = route->channel_count;
        *route = (struct ps_route){.channel_count = channel_count};
        if (retries % 2 == 0)
            continue;
        ps_block_drop(&hoard, taken[--count]);
        /* another stage takes nearly all of it */
        if (retries < 20)
            (void)ps_batch_alloc(lease->batch, PS_BLOCK_BYTES - 1000);
    }
    assert_int_equal(result, PS_DONE);
    while (count > 0)
        ps_block_drop(&hoard, taken[--count]);
    ps_block_cache_fini(&hoard);
    return retries;
}

#ifdef PS_TEST_PLUGIN
static void assert_hits(const struct adapter *adapter, const struct ps_test_stage *stage,
                        const struct ps_lease *lease, unsigned retries)
{
}
#else
static uint32_t count_kind(const struct ps_lease *lease, char kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < lease->count; i++)
        count += kind_of(ps_lease_row(lease, i)) == kind;
    return count;
}

/* Each event of both leases is counted once. */
static void assert_hits(const struct adapter *adapter, const struct ps_test_stage *stage,
                        const struct ps_lease *lease, unsigned retries)
{
    if (!adapter->counts_hits)
        return;
    assert_true(retries > 2);
    assert_int_equal(ps_test_series(stage, "rule_hits", "a"), 2 * count_kind(lease, 'a'));
    assert_int_equal(ps_test_series(stage, "rule_hits", "b"), 2 * count_kind(lease, 'b'));
    assert_int_equal(ps_test_series(stage, "rule_hits", "c"), 2 * count_kind(lease, 'c'));
    assert_int_equal(ps_test_series(stage, "rule_dropped", "c"), 2 * count_kind(lease, 'c'));
}
#endif

static void test_short_of_memory(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        const struct adapter *adapter = &adapters[i];
        struct ps_test_stage stage;
        start(&stage, adapter);
        struct ps_route *route = new_route(&stage);
        struct ps_lease *lease = some_lease(&stage);
        assert_int_equal(work(&stage, lease, route), PS_DONE);
        char *wanted = lease_text(&stage, lease);
        free(route);
        ps_test_stage_close(&stage); /* load_balancing begins at the first channel again */
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        route = new_route(&stage);
        lease = some_lease(&stage);
        unsigned retries = work_short_of_memory(&stage, lease, route);
        assert_ways(adapter, lease, route);
        char *got = lease_text(&stage, lease);
        if (strcmp(got, wanted) != 0)
            fail_msg("%s: other events when memory was short", adapter->ops->name);
        assert_hits(adapter, &stage, lease, retries);
        free(got);
        free(wanted);
        free(route);
        ps_test_stage_fini(&stage);
    }
}

/* Memory is short and available in turn: each round takes as many calls, leaves as much memory in use, and has the same
 * routes as the first. */
static void test_short_in_turns(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        const struct adapter *adapter = &adapters[i];
        struct ps_test_stage stage;
        unsigned first_retries = 0;
        uint64_t first_bytes = 0;
        start(&stage, adapter);
        for (unsigned round = 0; round < 4; round++) {
            struct ps_route *route = new_route(&stage);
            struct ps_lease *lease = some_lease(&stage);
            unsigned retries = work_short_of_memory(&stage, lease, route);
            assert_ways(adapter, lease, route);
            free(route);
            forget(&stage);
            route = new_route(&stage);
            lease = some_lease(&stage);
            assert_int_equal(work(&stage, lease, route), PS_DONE);
            assert_ways(adapter, lease, route);
            free(route);
            forget(&stage);
            ps_test_stage_recycle(&stage);
            uint64_t bytes = ps_depot_used_bytes(stage.depot);
            if (round == 0)
                first_retries = retries, first_bytes = bytes;
            if (retries != first_retries || bytes != first_bytes)
                fail_msg("%s, round %u: asked %u times, uses %llu bytes; in the first one %u, %llu",
                         adapter->ops->name, round, retries, (unsigned long long)bytes, first_retries,
                         (unsigned long long)first_bytes);
        }
        ps_test_stage_fini(&stage);
    }
}

static void test_allocates_nothing(void **unused)
{
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("the sanitizer counts allocations of its own");
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        start(&stage, &adapters[i]);
        for (unsigned round = 0; round < 6; round++) {
            struct ps_lease *lease = some_lease(&stage);
            struct ps_route *route = new_route(&stage);
            uint64_t before = ps_test_allocation_count;
            enum ps_result result = work(&stage, lease, route);
            if (round > 1 && ps_test_allocation_count != before)
                fail_msg("%s allocates", adapters[i].ops->name);
            assert_int_equal(result, PS_DONE);
            free(route);
            ps_test_stage_recycle(&stage);
        }
        ps_test_stage_fini(&stage);
    }
}

static int make_rules(void **state)
{
    if (ps_test_folder_setup(state) != 0)
        return -1;
#ifndef PS_TEST_PLUGIN
    snprintf(rules_path, sizeof rules_path, "%s", ps_test_rules_write("selector.rules", "%s", RULES));
#endif
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_here),      cmocka_unit_test(test_routes),
        cmocka_unit_test(test_short_of_memory),   cmocka_unit_test(test_short_in_turns),
        cmocka_unit_test(test_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, make_rules, ps_test_folder_teardown);
}
