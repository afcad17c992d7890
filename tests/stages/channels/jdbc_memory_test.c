/* The channel jdbc and the memory budget. */
#include "tests/stages/channels/jdbc_support.h"

/* Events that are read ahead count against the memory budget. Without memory nothing is fed and nothing is lost; with
 * memory, and after the next shortage, it continues; all memory is given back at the end. */
static void test_what_is_read_ahead_is_of_the_budget(void **state)
{
    struct ps_test_stage stage;
    enum { EVENTS = 30, BODY_BYTES = 100000, HELD_MAX = 4096 };
    static struct ps_block *held[HELD_MAX];
    struct ps_lease *leases[EVENTS];
    unsigned taken = 0;
    start(&stage);
    char *body = text_of(BODY_BYTES, "x");
    for (unsigned i = 0; i < EVENTS; i++) {
        put(&stage, PS_LEASE(&stage, PS_BODY(body)));
        ps_test_channel_await_home(&stage, i + 1);
    }
    struct ps_block_cache *cache = stage.port.blocks;
    for (unsigned round = 0; taken < EVENTS; round++) {
        unsigned count = 0;
        while (count < HELD_MAX && (held[count] = ps_block_take(cache)) != NULL)
            count++;
        assert_true(count < HELD_MAX);
        for (unsigned i = 0; i < 30; i++) { /* takes nothing, or frames that were read ahead before the
                                             * shortage */
            struct ps_lease *lease = stage.ops->channel->take(stage.plan, 0, &stage.port, &stage.now);
            if (lease != NULL)
                leases[taken++] = lease;
            assert_true(round > 0 || lease == NULL);
            rest();
        }
        while (count > 0)
            ps_block_drop(cache, held[--count]);
        uint64_t used = ps_depot_used_bytes(cache->depot);
        for (unsigned i = 0; round == 0 && ps_depot_used_bytes(cache->depot) < used + 7 * BODY_BYTES; i++) {
            assert_true(i < PS_TEST_PATIENCE_MS); /* eight frames, each with one event, are read ahead */
            rest();
        }
        for (unsigned i = 0; i < 12 && taken < EVENTS; i++)
            leases[taken++] = take(&stage);
    }
    for (unsigned i = 0; i < EVENTS; i++) {
        check_event(&stage, leases[i], 0, &PS_BODY(body));
        deliver(&stage, leases[i]);
    }
    stop(&stage);
    free(body);
}

/* With three quarters of the memory in use one frame is read ahead: the consumer needs memory for what it takes. */
static void test_little_is_read_ahead_in_little_memory(void **state)
{
    struct ps_test_stage stage;
    enum { EVENTS = 12, BODY_BYTES = 100000, HELD_MAX = 4096 };
    static struct ps_block *held[HELD_MAX];
    unsigned count = 0;
    start(&stage);
    char *body = text_of(BODY_BYTES, "x");
    for (unsigned i = 0; i < EVENTS; i++) {
        put(&stage, PS_LEASE(&stage, PS_BODY(body)));
        ps_test_channel_await_home(&stage, i + 1);
    }
    struct ps_block_cache *cache = stage.port.blocks;
    while (ps_depot_used_bytes(cache->depot) < ps_depot_budget_bytes(cache->depot) / 4 * 3) {
        assert_true(count < HELD_MAX);
        held[count] = ps_block_take(cache);
        assert_non_null(held[count++]);
    }
    uint64_t used = ps_depot_used_bytes(cache->depot);
    for (unsigned i = 0; i < EVENTS; i++) {
        struct ps_lease *lease = take(&stage);
        for (unsigned k = 0; k < 5; k++) {
            assert_true(ps_depot_used_bytes(cache->depot) <=
                        used + 4 * PS_BLOCK_BYTES); /* eight bodies are more */
            rest();
        }
        check_event(&stage, lease, 0, &PS_BODY(body));
        deliver(&stage, lease);
    }
    while (count > 0)
        ps_block_drop(cache, held[--count]);
    stop(&stage);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_little_is_read_ahead_in_little_memory, set_up,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_read_ahead_is_of_the_budget, set_up,
                                        ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
