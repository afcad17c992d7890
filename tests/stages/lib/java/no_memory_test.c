/* The kernel has no memory for areas that a component in Java shares with its host: the component says so, and goes on when there is memory.
 * (The host: tests/support/java_host.h.) */
#include "tests/support/java_host.h"
#include "tests/support/stage.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NO_MEMORY "no memory to share with Java: "

/* The kernel has no memory for further areas of the shared memory: `mmap`, which the test replaces, fails. */
static _Atomic bool no_memory;
void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (no_memory && fd >= 0 && (flags & MAP_SHARED) != 0) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}

static int group_setup(void **unused)
{
    ps_test_java_start(PS_TEST_JAVA_SILENCE_MS, 10);
    return 0;
}

static int group_teardown(void **unused)
{
    ps_test_java_stop();
    return 0;
}

static void begin(struct ps_test_stage *stage, const struct ps_stage_ops *ops)
{
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    ps_test_java->edit = PS_TEST_JAVA_GROW;
    ps_test_java->events = ps_test_java->taken = 0;
    ps_test_java_clear();
    ps_test_stage_init_sized(stage, ops, UINT64_C(256) << 20);
    assert_int_equal(ps_test_stage_bind(stage, PS_KEYS("type", "org.example.Class")), PS_OK);
    assert_int_equal(ps_test_stage_build(stage), PS_OK);
    assert_int_equal(ps_test_stage_open(stage), PS_OK);
}

/* Repeats the action, a millisecond each time, as long as the condition holds. */
#define WHILE(action, stage, condition)                                                                      \
    for (uint64_t until_ = ps_test_patience_end_ns(); (condition);) {                                        \
        assert_true(ps_test_patient_ns() < until_);                                                          \
        action;                                                                                              \
        ps_test_stage_pass_ms(stage, 1);                                                                     \
        usleep(1000);                                                                                        \
    }

static void test_sink(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage, &ps_sink_java);
    no_memory = true; /* for the properties */
    WHILE((void)ps_test_sink_tick(&stage), &stage,
          !ps_test_java_is_opening(&stage, ": it waits, because " NO_MEMORY));
    no_memory = false;
    WHILE((void)ps_test_sink_tick(&stage), &stage, ps_test_java_is_opening(&stage, ""));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("one"), PS_BODY("two"));
    no_memory = true; /* for events */
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_TAKEN);
    WHILE((void)ps_test_sink_tick(&stage), &stage, !ps_test_java_is_opening(&stage, NO_MEMORY));
    assert_true(ps_test_java_is_opening(&stage, "Cannot allocate memory; look at vm.max_map_count"));
    assert_true(ps_test_sink_tick(&stage) != PS_NEVER); /* it tries again by itself */
    no_memory = false;
    ps_test_sink_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_false(stage.failed);
    assert_false(ps_test_java_is_opening(&stage, ""));
    assert_string_equal(ps_test_java_text(), "one\ntwo\n");
    ps_test_stage_fini(&stage);
}

/* A call of the class waits for its larger slot. */
static void test_source(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage, &ps_source_java);
    ps_test_java->large_bytes = 3 << 20;
    ps_test_java->events = 1;
    WHILE((void)ps_test_source_work(&stage), &stage, ps_test_java->taken < 1);
    no_memory = true;
    ps_test_java->events = 60;
    WHILE((void)ps_test_source_work(&stage), &stage, !ps_test_java_is_opening(&stage, NO_MEMORY));
    no_memory = false;
    WHILE((void)ps_test_source_work(&stage), &stage, ps_test_java->taken < 60);
    assert_false(stage.failed);
    assert_false(ps_test_java_is_opening(&stage, ""));
    ps_test_stage_fini(&stage);
}

static bool is_outdated(const struct ps_test_stage *stage)
{
    char reason[600] = "";
    return stage->ops->outdated(stage->plan, reason, sizeof reason) && strstr(reason, NO_MEMORY) != NULL;
}

/* A batch waits for the area of its larger reply. */
static void test_interceptor(void **unused)
{
    struct ps_test_stage stage;
    enum ps_result result = PS_LATER;
    begin(&stage, &ps_interceptor_java);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("one"));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    lease = PS_LEASE(&stage, PS_BODY("one"), PS_BODY("two"), PS_BODY("three"));
    no_memory = true;
    WHILE(result = stage.ops->interceptor->work(stage.plan, stage.state, lease, &stage.now), &stage,
          result == PS_LATER);
    assert_int_equal(result, PS_BACKOFF);
    assert_true(is_outdated(&stage));
    no_memory = false;
    WHILE(result = stage.ops->interceptor->work(stage.plan, stage.state, lease, &stage.now), &stage,
          result != PS_DONE);
    assert_int_equal(lease->bytes, 3 << 20);
    assert_false(is_outdated(&stage));
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sink),
        cmocka_unit_test(test_source),
        cmocka_unit_test(test_interceptor),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
