/* Source taildir while the system fails: a file that cannot be read now is no other file and has no end. It keeps its position and is
 * tried again. */
#define PS_TEST_CALLS_OF_ALL_THREADS

#include "tests/stages/sources/taildir_support.h"
#include "tests/support/system_calls.h"

/* Every read of a file fails with EIO, by the worker and by the source's thread. */
static void reads_fail(bool fail)
{
    ps_test_call_error = EIO;
    ps_test_call_broken = fail ? "preadv2" : NULL;
    ps_test_calls_count = fail;
}

static void wait_for_failure(void)
{
    work_until(PS_COUNTER_EventReadFail, 1);
    assert_string_equal(ps_test_call_failed, "preadv2");
}

/* Nothing happens to the file after the read failed. */
static void test_read_is_tried_again(void **unused)
{
    (void)unused;
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    append("app.log", "two\nthree\n");
    reads_fail(true);
    wait_for_failure();
    ps_test_source_settle(&stage, 0, 300); /* further tries fail */
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), 1);
    reads_fail(false);
    expect("two three");
    append("app.log", "four\n");
    reads_fail(true);
    work_until(PS_COUNTER_EventReadFail, 2); /* it was readable in between */
    reads_fail(false);
    expect("four");
    ps_test_stage_fini(&stage);
}

/* Nobody finds it again by its name: it stays open until it was read. */
static void test_deleted_file(void **unused)
{
    (void)unused;
    append("app.log", "one\n");
    PS_START("idleTimeout", "50");
    expect("one");
    append("app.log", "two\n");
    wait_for_open(1);
    reads_fail(true);
    append("app.log", "three\n");
    wait_for_failure();
    assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
    ps_test_source_settle(&stage, 0, 300);
    reads_fail(false);
    expect("two three");
    assert_int_equal(ps_test_stage_counter(&stage, (enum ps_counter)(PS_COUNTER_extra + 3)), 0);
    ps_test_stage_fini(&stage);
}

/* The beginning cannot be read when the file is opened again: it goes on where it was. */
static void test_beginning(void **unused)
{
    (void)unused;
    append("app.log", "one\n");
    PS_START("idleTimeout", "50");
    expect("one");
    for (unsigned call = 1; call <= 4; call++) {
        wait_for_open(0);
        ps_test_call_error = EIO;
        ps_test_call_broken = "pread";
        ps_test_calls_count = true;
        append("app.log", "two\n");
        work_until(PS_COUNTER_EventReadFail, call);
        ps_test_calls_count = false;
        expect("two");
    }
    assert_int_equal(ps_test_stage_counter(&stage, (enum ps_counter)(PS_COUNTER_extra + 2)), 0);
    ps_test_stage_fini(&stage);
}

/* The thread looks for the end of a long line: a read that fails is no end, and the line is whole. */
static void test_long_line(void **unused)
{
    (void)unused;
    size_t length = 2 * PS_BLOCK_BYTES;
    char *line = malloc(length + 1);
    assert_non_null(line);
    memset(line, 'x', length);
    line[length] = '\0';
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    ps_test_call_error = EIO;
    ps_test_call_broken = "pread";
    append("app.log", line);
    append("app.log", "\n");
    ps_test_calls_count = true;
    work_until(PS_COUNTER_EventReadFail, 1);
    ps_test_source_settle(&stage, 0, 300);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), 1);
    ps_test_calls_count = false;
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.events[0].length, length);
    free(line);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_is_tried_again, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_deleted_file, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_beginning, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_long_line, setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
