/* Sink file_roll on a slow file system. A write takes the worker's time (it is one thread), so slow writes are counted
 * and reported. The file system is a real one; `writev` of this program waits before it calls the kernel. */
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SLOW_MS 150U

static unsigned slow_calls, fail_with;

/* Replaces the function of the C library. */
ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    if (slow_calls > 0) {
        slow_calls--;
        usleep(SLOW_MS * 1000);
    }
    if (fail_with != 0) {
        errno = (int)fail_with;
        return -1;
    }
    return (ssize_t)syscall(SYS_writev, fd, pieces, count);
}

static uint64_t own(const struct ps_test_stage *stage, unsigned number)
{
    return ps_test_stage_counter(stage, (enum ps_counter)(PS_COUNTER_extra + number));
}

static void test_slow_writes_are_counted(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_sink_file_roll,
                        PS_KEYS("sink.directory", ps_test_folder(), "sink.rollInterval", "0"));
    (void)ps_test_sink_tick(&stage);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("quick"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_DONE);
    uint64_t quick = own(&stage, 0); /* 0, unless this machine is slow itself */

    slow_calls = 1;
    uint64_t began_ns = ps_clock_now().mono_ns;
    lease = PS_LEASE(&stage, PS_BODY("slow"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_DONE); /* the worker waited */
    assert_true(ps_clock_now().mono_ns - began_ns >= SLOW_MS * PS_NS_PER_MS);
    assert_int_equal(own(&stage, 0), quick + 1);
    assert_true(own(&stage, 1) >= SLOW_MS * 1000);

    slow_calls = 1; /* a write that fails delays the others as well */
    fail_with = EIO;
    lease = PS_LEASE(&stage, PS_BODY("slow and failing"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_RETRY);
    assert_int_equal(own(&stage, 0), quick + 2);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail), 1);
    fail_with = 0;
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_DONE);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_slow_writes_are_counted)};
    return cmocka_run_group_tests(tests, ps_test_folder_setup, ps_test_folder_teardown);
}
