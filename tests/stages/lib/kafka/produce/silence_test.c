/* Brokers that do not answer, under the fake clock: the sink names the cause, and the worker sleeps meanwhile. */
#include "tests/support/kafka/fake_producer.h"

#include <sys/eventfd.h>

/* Runs as a worker that sleeps until the time that the sender names. Returns how often it woke. */
static unsigned sleep_s(unsigned seconds)
{
    uint64_t end_ns = stage.now.mono_ns + seconds * PS_NS_PER_S;
    unsigned wakes = 0;
    for (; stage.now.mono_ns < end_ns; wakes++) {
        if (offered_count < lease_count) {
            struct ps_lease *lease = leases[offered_count];
            offered_count += ps_kafka_sender_take(sender, &lease, &stage.now) == PS_TAKEN;
        }
        uint64_t due_ns = ps_kafka_sender_tick(sender, &stage.now);
        assert_true(due_ns > stage.now.mono_ns); /* a time that is over would keep the worker awake */
        due_ns = due_ns < end_ns ? due_ns : end_ns;
        ps_test_stage_pass_ms(&stage, (due_ns - stage.now.mono_ns + PS_NS_PER_MS - 1) / PS_NS_PER_MS);
    }
    return wakes;
}

static void begin(void)
{
    start(1);
    stage.port.wake_fd = eventfd(0, EFD_CLOEXEC);
    assert_true(stage.port.wake_fd >= 0);
    fake.silent = true;
    add_leases(1, 16, 32);
}

static void end(void)
{
    fake.silent = false;
    wait_done();
    assert_all();
    close(stage.port.wake_fd);
    stage.port.wake_fd = -1;
    stop();
}

/* The worker sleeps while it waits, also when each new connection breaks. */
static void test_worker_sleeps(void **state)
{
    begin();
    assert_in_range(sleep_s(63), 4, 100);
    for (unsigned i = 0; i < 10; i++) {
        fake.breaks = true;
        assert_in_range(sleep_s(10), 1, 20);
    }
    end();
}

static char told[512]; /* the last reason that the sink gave */

static void record_trouble(struct ps_port *port, const struct ps_err *reason)
{
    snprintf(told, sizeof told, "%.500s", reason->text);
}

/* The reason names the cause of this silence, not the error of an outage that is over, however often there was one. */
static void test_reasons(void **state)
{
    begin();
    stage.port.troubled = record_trouble;
    for (unsigned round = 0; round < 6; round++) {
        told[0] = '\0';
        fake.breaks = round % 2 == 0;
        (void)sleep_s(12);
        assert_non_null(strstr(told, "nothing was delivered for 1"));
        assert_true((strstr(told, "broken") != NULL) == (round % 2 == 0));
        assert_true((strstr(told, "check that the topic exists") != NULL) == (round % 2 == 1));
        fake.silent = false;
        wait_done();
        fake.silent = true;
        add_leases(1, 16, 32);
    }
    end();
}

/* A delay that was told after the last delivery is not the reason of a silence that begins later. */
static void test_delay_that_is_over(void **state)
{
    begin();
    stage.port.troubled = record_trouble;
    fake.silent = false;
    fake.throttles = true;
    wait_done();
    assert_false(fake.throttles);
    (void)sleep_s(1);
    fake.silent = true;
    add_leases(1, 16, 32);
    told[0] = '\0';
    (void)sleep_s(12);
    assert_non_null(strstr(told, "check that the topic exists"));
    end();
}

/* A broker that was down before the events came is still named. */
static void test_broken_before(void **state)
{
    begin();
    stage.port.troubled = record_trouble;
    fake.silent = false;
    wait_done();
    fake.breaks = true;
    (void)sleep_s(1);
    assert_false(fake.breaks);
    fake.silent = true;
    add_leases(1, 16, 32);
    told[0] = '\0';
    (void)sleep_s(12);
    assert_non_null(strstr(told, "broken"));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_worker_sleeps), cmocka_unit_test(test_reasons),
                                       cmocka_unit_test(test_delay_that_is_over),
                                       cmocka_unit_test(test_broken_before)};
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
