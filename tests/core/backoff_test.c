#include "core/backoff.h"
#include "tests/support/support.h"

static void test_linear(void **state)
{
    static const uint64_t waits[] = {10, 20, 30, 35, 35};
    for (unsigned i = 0; i < sizeof waits / sizeof *waits; i++)
        assert_int_equal(ps_backoff_linear(10, 35, i + 1), waits[i]);
    assert_int_equal(ps_backoff_linear(10, 35, UINT64_MAX), 35);
    assert_int_equal(ps_backoff_linear(10, 5, 1), 5);
    assert_int_equal(ps_backoff_linear(0, 35, 7), 0);
}

static void test_doubled(void **state)
{
    static const uint64_t waits[] = {3, 6, 12, 24, 40, 40};
    uint64_t last = 0;
    for (unsigned i = 0; i < sizeof waits / sizeof *waits; i++) {
        last = ps_backoff_next(last, 3, 40);
        assert_int_equal(last, waits[i]);
        assert_int_equal(ps_backoff_doubled(3, 40, i), waits[i]);
    }
    assert_int_equal(ps_backoff_doubled(3, 24, 3), 24);
    assert_int_equal(ps_backoff_doubled(3, 25, 3), 24);
    assert_int_equal(ps_backoff_doubled(3, 23, 3), 23);
    assert_int_equal(ps_backoff_doubled(50, 40, 0), 40);
    assert_int_equal(ps_backoff_next(0, 50, 40), 40);
}

/* No number of failures makes a wait short again. */
static void test_no_overflow(void **state)
{
    for (uint64_t doublings = 0; doublings < 200; doublings++) {
        assert_int_equal(ps_backoff_doubled(7, 1000, doublings + 8), 1000);
        assert_true(ps_backoff_doubled(1, UINT64_MAX, doublings) <=
                    ps_backoff_doubled(1, UINT64_MAX, doublings + 1));
    }
    assert_int_equal(ps_backoff_doubled(1, UINT64_MAX, 63), UINT64_C(1) << 63);
    assert_int_equal(ps_backoff_doubled(1, UINT64_MAX, 64), UINT64_MAX);
    assert_int_equal(ps_backoff_next(UINT64_MAX - 1, 1, UINT64_MAX), UINT64_MAX);
}

/* A wait of 15 s has enough random bits for its whole range. */
static void test_spread(void **state)
{
    const uint64_t wait = UINT64_C(15000000000);
    uint64_t least = UINT64_MAX, most = 0, random = 1;
    for (unsigned i = 0; i < 10000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407U;
        uint64_t spread = ps_backoff_spread(wait, 5, random);
        assert_in_range(spread, wait - wait / 5, wait + wait / 5);
        least = spread < least ? spread : least;
        most = spread > most ? spread : most;
    }
    assert_true(least < wait - wait / 6 && most > wait + wait / 6);
    assert_int_equal(ps_backoff_spread(0, 2, random), 0);
    assert_int_equal(ps_backoff_spread(3, 5, random), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_doubled),
        cmocka_unit_test(test_no_overflow),
        cmocka_unit_test(test_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
