/* core/order.h: orders in turn and at random, back-off to the millisecond. tests/core/engine/processor_test.c
 * tests its use by sink groups. */
#include "core/order.h"
#include "tests/support/support.h"

#define COUNT 3

static struct ps_order *make(bool random, bool backoff, int64_t max_ms)
{
    const struct ps_order_settings settings = {
        .count = COUNT, .random = random, .backoff = backoff, .backoff_max_ms = max_ms};
    return ps_order_create(&settings, 42);
}

static void assert_next(struct ps_order *order, int64_t now_ms, unsigned count, const unsigned *wanted)
{
    unsigned members[COUNT];
    assert_int_equal(ps_order_next(order, members, now_ms), count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(members[i], wanted[i]);
}

static void test_each_begins_in_turn(void **state)
{
    struct ps_order *order = make(false, false, PS_ORDER_BACKOFF_MS);
    for (unsigned i = 0; i < 7; i++) {
        ps_order_failed(order, 1, 0); /* counts for nothing without back-off */
        assert_next(order, 0, 3, (unsigned[]){i % 3, (i + 1) % 3, (i + 2) % 3});
    }
    assert_int_equal(ps_order_failures(order, 1), 0);
    ps_order_destroy(order);
}

static void test_a_random_order_has_each_once(void **state)
{
    struct ps_order *order = make(true, false, PS_ORDER_BACKOFF_MS);
    unsigned first[COUNT] = {0};
    for (unsigned i = 0; i < 300; i++) {
        unsigned members[COUNT], seen = 0;
        assert_int_equal(ps_order_next(order, members, 0), COUNT);
        for (unsigned j = 0; j < COUNT; j++)
            seen |= 1U << members[j];
        assert_int_equal(seen, 7);
        first[members[0]]++;
    }
    for (unsigned j = 0; j < COUNT; j++)
        assert_in_range(first[j], 60, 140);
    ps_order_destroy(order);
}

static void test_who_failed_is_left_out_longer_each_time(void **state)
{
    struct ps_order *order = make(false, true, 5000);
    static const int64_t left_out_ms[] = {2000, 4000, 5000, 5000};
    int64_t now_ms = 1000000;
    for (unsigned i = 0; i < PS_COUNT_OF(left_out_ms); i++) {
        ps_order_failed(order, 0, now_ms);
        assert_int_equal(ps_order_failures(order, 0), i + 1);
        now_ms += left_out_ms[i];
        assert_int_equal(ps_order_left_out_until_ms(order, 0, now_ms), now_ms);
        now_ms++;
        assert_int_equal(ps_order_left_out_until_ms(order, 0, now_ms), 0);
    }
    now_ms += 2 * 3600000; /* an old failure is forgotten */
    ps_order_failed(order, 0, now_ms);
    assert_int_equal(ps_order_failures(order, 0), 1);
    assert_next(order, now_ms, 2, (unsigned[]){1, 2});
    assert_next(order, now_ms, 2, (unsigned[]){2, 1});
    ps_order_failed(order, 1, now_ms);
    ps_order_failed(order, 2, now_ms);
    assert_next(order, now_ms, 0, NULL);
    ps_order_destroy(order);
    ps_order_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_begins_in_turn),
        cmocka_unit_test(test_a_random_order_has_each_once),
        cmocka_unit_test(test_who_failed_is_left_out_longer_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
