/* The clocks: the monotonic one never goes back, the wall clock counts milliseconds since the epoch. */
#include "core/clock.h"

#include "tests/support/support.h"

#include <time.h>

static void test_now(void **state)
{
    time_t before = time(NULL);
    struct ps_now last = ps_clock_now();
    assert_true(last.wall_ms / 1000 >= before - 1);
    assert_true(last.mono_ns > 0 && last.mono_ns < PS_NEVER);
    for (unsigned i = 0; i < 100000; i++) {
        struct ps_now now = ps_clock_now();
        assert_true(now.mono_ns >= last.mono_ns);
        last = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_now)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
