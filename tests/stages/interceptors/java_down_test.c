/* The interceptor java while the host has ended and is not started again for an hour: there is one rule, whether it ended before the
 * interceptor was opened or later. The source opens, the chain waits, and /readyz has the reason. And while a host that has lied is
 * being ended. */
#include "stages/lib/java/launch.h"
#include "tests/support/java_host.h"
#include "tests/support/stage.h"

#include <string.h>
#include <unistd.h>

#define REST_MS (3600U * 1000U)

static struct ps_test_stage stage;

static enum ps_result call(struct ps_lease *lease)
{
    enum ps_result result = stage.ops->interceptor->work(stage.plan, stage.state, lease, &stage.now);
    ps_test_stage_pass_ms(&stage, 1);
    usleep(1000);
    return result;
}

static bool has_reason(const char *text)
{
    char reason[600] = "";
    return stage.ops->outdated(stage.plan, reason, sizeof reason) && strstr(reason, text) != NULL;
}

static void begin(enum ps_test_java_mode mode, unsigned rest_ms)
{
    ps_test_java_start(PS_TEST_JAVA_SILENCE_MS, rest_ms);
    ps_test_java->mode = mode;
    ps_test_stage_init(&stage, &ps_interceptor_java);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("type", "org.example.Interceptor$Builder")), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
}

static void test_host_is_down(void **unused)
{
    uint64_t until = ps_test_patience_end_ns();
    begin(PS_TEST_JAVA_DIES, REST_MS);
    for (unsigned i = 0; i < 2; i++) { /* it ends later, then it has ended before */
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("one"));
        while (!has_reason("the Java host ended with exit code ")) {
            assert_int_equal(i, 0);
            assert_int_equal(call(lease), PS_LATER);
            assert_true(ps_test_patient_ns() < until);
        }
        for (unsigned k = 0; k < 20; k++) {
            assert_int_equal(call(lease), PS_LATER);
            assert_true(stage.port.is_down); /* for a stop */
        }
        assert_false(ps_test_java_is_opening(&stage, ""));
        ps_test_stage_close(&stage);
    }
    assert_false(stage.failed);
    ps_test_stage_fini(&stage);
    ps_test_java_stop();
}

/* The interceptor is opened again while that host still runs, and may write: the places of its areas are not used again. Regression: a
 * late reply could be in the slot of a sink, whose last bytes say what it has committed. */
static void test_areas_of_liar(void **unused)
{
    static struct ps_java_link link;
    struct ps_java_area before, after;
    struct ps_err why = {.length = 0};
    uint64_t until = ps_test_patience_end_ns();
    begin(PS_TEST_JAVA_NOTHING, 10);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("one"));
    ps_test_java_attach(&link); /* the shared memory of this host is there as long as the link */
    int starts = ps_test_java->starts;
    while (ps_test_java->batches == 0) {
        assert_int_equal(call(lease), PS_LATER);
        assert_true(ps_test_patient_ns() < until);
    }
    assert_true(ps_java_area_take(link.region, 1, &before, &why));
    ps_test_java->mode = PS_TEST_JAVA_STRANGE;
    while (ps_test_java->starts == starts) {
        assert_int_equal(call(lease), PS_LATER);
        assert_true(ps_test_patient_ns() < until);
    }
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_true(ps_java_area_take(link.region, 1, &after, &why));
    assert_true(after.offset > before.offset);
    ps_java_area_give(&before);
    ps_java_area_give(&after);
    ps_test_java_detach(&link);
    ps_test_stage_fini(&stage);
    ps_test_java_stop();
}

/* Each way in which an answer can break the protocol ends the host, with its own reason. */
static void test_lies(void **unused)
{
    static const char *const reasons[PS_TEST_JAVA_LIES] = {
        [PS_TEST_JAVA_LIE_EVENT] = "its answer has invalid events",
        [PS_TEST_JAVA_LIE_BYTES] = "its answer is outside its shared memory",
        [PS_TEST_JAVA_LIE_EVENTS] = "its answer is outside its shared memory",
        [PS_TEST_JAVA_LIE_NOTHING] = "its answer is outside its shared memory",
        [PS_TEST_JAVA_LIE_SHORT] = "it answered a batch that it was not given",
        [PS_TEST_JAVA_LIE_NEED] = "it asked for an invalid amount of memory",
        [PS_TEST_JAVA_LIE_NEEDS] = "it asked for an invalid amount of memory",
        [PS_TEST_JAVA_LIE_TROUBLE] = "it named a batch that it was not given",
        [PS_TEST_JAVA_LIE_READY] = "it sent a message that an interceptor must not send",
        [PS_TEST_JAVA_LIE_COMMIT] = "it sent a message that an interceptor must not send"};
    for (unsigned lie = 0; lie < PS_TEST_JAVA_LIES; lie++) {
        uint64_t until = ps_test_patience_end_ns();
        begin(PS_TEST_JAVA_BEYOND, REST_MS);
        ps_test_java->lie = (enum ps_test_java_lie)lie;
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("one"));
        while (!has_reason("the Java host")) {
            assert_int_equal(call(lease), PS_LATER);
            assert_true(ps_test_patient_ns() < until);
        }
        if (!has_reason(reasons[lie]))
            fail_msg("lie %u: the reason is not that %s", lie, reasons[lie]);
        assert_int_equal(lease->count, 1);
        ps_test_stage_fini(&stage);
        ps_test_java_stop();
    }
}

/* The host has lied and is started again; then the class cannot be configured, which is said as if nothing had been before. */
static void test_broken_behind_a_liar(void **unused)
{
    uint64_t until = ps_test_patience_end_ns();
    begin(PS_TEST_JAVA_STRANGE, 10);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("one"));
    int starts = ps_test_java->starts;
    while (ps_test_java->starts == starts) {
        assert_int_equal(call(lease), PS_LATER);
        assert_true(ps_test_patient_ns() < until);
    }
    ps_test_java->mode = PS_TEST_JAVA_BROKEN;
    enum ps_result result = PS_LATER;
    while (result == PS_LATER) {
        result = call(lease);
        assert_true(ps_test_patient_ns() < until);
    }
    assert_int_equal(result, PS_BACKOFF);
    assert_true(has_reason("org.example.Broken"));
    assert_false(ps_test_java_is_opening(&stage, "")); /* it is not starting any more */
    /* it is tried again after 3 s, of which a few have passed, also without events */
    uint64_t due_ns = stage.ops->interceptor->tick(stage.plan, stage.state, &stage.now);
    assert_in_range(due_ns, stage.now.mono_ns + 2 * PS_NS_PER_S, stage.now.mono_ns + 3 * PS_NS_PER_S);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    ps_test_stage_pass_ms(&stage, 3000);
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_false(has_reason(""));
    ps_test_stage_fini(&stage);
    ps_test_java_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_is_down), cmocka_unit_test(test_areas_of_liar),
        cmocka_unit_test(test_broken_behind_a_liar),
        cmocka_unit_test(
            test_lies), /* the last one: a failure leaves a host that is not started for an hour */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
