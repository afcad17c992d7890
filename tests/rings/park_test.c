/* Parking on one thread: the thread that clears the flag writes once, and cancel empties the descriptor.
 * tests/stress/park_litmus_test.c tests the race. */
#include "rings/park.h"

#include "tests/support/support.h"

#include <poll.h>
#include <unistd.h>

static bool readable(const struct ps_park *park)
{
    struct pollfd ready = {.fd = park->event_fd, .events = POLLIN};
    return poll(&ready, 1, 0) == 1;
}

static void test_park(void **state)
{
    struct ps_park park;
    assert_true(ps_park_init(&park));
    assert_false(ps_park_wake(&park)); /* no thread sleeps */
    assert_false(readable(&park));
    for (unsigned i = 0; i < 3; i++) {
        ps_park_announce(&park);
        assert_true(ps_park_wake(&park));
        assert_false(ps_park_wake(&park)); /* one write for each park */
        assert_true(readable(&park));
        ps_park_cancel(&park);
        assert_false(readable(&park));
    }
    ps_park_announce(&park);
    ps_park_cancel(&park); /* the consumer found work before it slept */
    assert_false(ps_park_wake(&park));
    assert_false(readable(&park));
    uint64_t one = 1; /* a library's thread wakes it several times, only by writing to the descriptor */
    assert_int_equal(write(park.event_fd, &one, sizeof one), sizeof one);
    assert_int_equal(write(park.event_fd, &one, sizeof one), sizeof one);
    assert_true(readable(&park));
    ps_park_cancel(&park);
    assert_false(readable(&park));
    ps_park_fini(&park);
    assert_int_equal(park.event_fd, -1);
    ps_park_fini(&park);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_park)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
