/* Alarms: each is rung once for each time that it was set, and nothing that is published while the owner falls asleep
 * is missed. */
#include "rings/alarm.h"

#include "tests/support/support.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ROUNDS 200000U

static void test_rings_once(void **state)
{
    struct ps_alarm alarm = PS_ALARM_INIT;
    int fd = eventfd(0, EFD_NONBLOCK);
    uint64_t count = 0;
    assert_false(ps_alarm_ring(&alarm));
    ps_alarm_set(&alarm, fd);
    ps_alarm_set(&alarm, fd);
    assert_true(ps_alarm_ring(&alarm));
    assert_false(ps_alarm_ring(&alarm));
    assert_int_equal(read(fd, &count, sizeof count), sizeof count);
    assert_int_equal(count, 1);
    assert_int_equal(read(fd, &count, sizeof count), -1);
    ps_alarm_set(&alarm, -1); /* the simulator has no descriptor */
    assert_true(ps_alarm_ring(&alarm));
    close(fd);
}

struct pair {
    struct ps_alarm alarm;
    uint32_t published, seen;
    int fd;
};

/* Publishes the next number when the last one was seen, and rings. */
static void *publish(void *argument)
{
    struct pair *pair = argument;
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        while (__atomic_load_n(&pair->seen, __ATOMIC_ACQUIRE) != i - 1) {
        }
        __atomic_store_n(&pair->published, i, __ATOMIC_RELEASE);
        ps_alarm_ring(&pair->alarm);
    }
    return NULL;
}

static void test_nothing_is_slept_through(void **state)
{
    struct pair pair = {.alarm = PS_ALARM_INIT, .fd = eventfd(0, EFD_NONBLOCK)};
    pthread_t thread;
    uint64_t count;
    assert_int_equal(pthread_create(&thread, NULL, publish, &pair), 0);
    for (uint32_t seen = 0; seen < ROUNDS;) {
        struct pollfd ready = {.fd = pair.fd, .events = POLLIN};
        ps_alarm_set(&pair.alarm, pair.fd);
        uint32_t published = __atomic_load_n(&pair.published, __ATOMIC_ACQUIRE);
        if (published == seen)
            assert_int_equal(poll(&ready, 1, 10000), 1); /* 0: slept through */
        (void)!read(pair.fd, &count, sizeof count);
        seen = __atomic_load_n(&pair.published, __ATOMIC_ACQUIRE);
        __atomic_store_n(&pair.seen, seen, __ATOMIC_RELEASE);
    }
    pthread_join(thread, NULL);
    close(pair.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rings_once),
        cmocka_unit_test(test_nothing_is_slept_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
