/* The links of components with the Java host: each message for a component wakes its worker. */
#include "tests/support/java_host.h"
#include "tests/support/stage.h"

#include <poll.h>
#include <unistd.h>

static struct ps_test_stage stage;

static enum ps_result call(struct ps_lease *lease)
{
    return stage.ops->interceptor->work(stage.plan, stage.state, lease, &stage.now);
}

/* The host answers later than the worker asks. The worker does nothing until it is woken, and then has the answer: the first one, and each one
 * after it. */
static void test_answers_wake(void **unused)
{
    uint64_t count;
    ps_test_java_start(PS_TEST_JAVA_SILENCE_MS, 10);
    ps_test_java->mode = PS_TEST_JAVA_SLOW;
    ps_test_stage_init(&stage, &ps_interceptor_java);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("type", "org.example.Interceptor$Builder")), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    assert_int_equal(ps_test_interceptor_work(&stage, PS_LEASE(&stage, PS_BODY("configured"))), PS_DONE);
    for (unsigned i = 0; i < 5; i++) {
        (void)!read(stage.port.wake_fd, &count, sizeof count);
        struct pollfd woken = {.fd = stage.port.wake_fd, .events = POLLIN};
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("one"));
        enum ps_result result = call(lease);
        assert_int_equal(result, PS_LATER);
        while (result == PS_LATER) {
            assert_int_equal(poll(&woken, 1, PS_TEST_PATIENCE_MS), 1);
            assert_int_equal(read(stage.port.wake_fd, &count, sizeof count), sizeof count);
            result = call(lease);
        }
        assert_int_equal(result, PS_DONE);
    }
    ps_test_stage_fini(&stage);
    ps_test_java_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers_wake)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
