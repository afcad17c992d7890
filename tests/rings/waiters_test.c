/* Waiters on one thread: who joins is taken once, by one take or by one that takes all. tests/stress/park_litmus_test.c
 * tests the race with a park. */
#include "rings/waiters.h"

#include "tests/support/support.h"

static void test_join_and_leave(void **state)
{
    struct ps_waiters waiters = {0};
    for (unsigned worker = 0; worker < PS_WAITERS_MAX; worker++) {
        assert_false(ps_waiters_leave(&waiters, worker));
        assert_true(ps_waiters_join(&waiters, worker));
        assert_false(ps_waiters_join(&waiters, worker)); /* it is among them already */
        if (worker % 2 == 0)
            assert_true(ps_waiters_leave(&waiters, worker));
    }
    uint64_t all = ps_waiters_take_all(&waiters);
    assert_true(all == UINT64_C(0xAAAAAAAAAAAAAAAA));
    assert_true(ps_waiters_take_all(&waiters) == 0);
    assert_false(ps_waiters_leave(&waiters, 1)); /* it was taken already */
    assert_true(ps_waiters_join(&waiters, 1));
}

static void test_take_one(void **state)
{
    struct ps_waiters waiters = {0};
    uint64_t left = 0;
    assert_true(ps_waiters_take_one(&waiters) == 0);
    for (unsigned worker = 0; worker < PS_WAITERS_MAX; worker += 9) {
        assert_true(ps_waiters_join(&waiters, worker));
        left |= UINT64_C(1) << worker;
    }
    while (left != 0) {
        uint64_t one = ps_waiters_take_one(&waiters);
        assert_int_equal(__builtin_popcountll(one), 1);
        assert_true((left & one) != 0);
        left &= ~one;
    }
    assert_true(ps_waiters_take_one(&waiters) == 0);
    assert_int_equal(sizeof waiters, PS_CACHE_GAP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join_and_leave),
        cmocka_unit_test(test_take_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
