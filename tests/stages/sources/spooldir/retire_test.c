/* The source spooldir when the system cannot rename finished files for a while: it goes on with the next files, tries again, and does
 * not read them again after a restart. */
#define PS_TEST_CALLS_OF_ALL_THREADS

#include "tests/support/folder.h"
#include "tests/support/stage.h"
#include "tests/support/system_calls.h"

static struct ps_test_stage stage;
static char halted[256];

static void record_halted(struct ps_port *port, const char *reason)
{
    snprintf(halted, sizeof halted, "%s", reason);
}

static void start(void)
{
    ps_test_stage_start(
        &stage, &ps_source_spooldir,
        PS_KEYS("spoolDir", ps_test_folder(), "pollDelay", "10", "penstock.onFileError", "stop"));
    stage.port.halted = record_halted;
    stage.port.retry_step_ns = stage.port.retry_rest_max_ns = 500 * PS_NS_PER_MS;
    halted[0] = '\0';
}

static void put(const char *name)
{
    char text[16];
    int length = snprintf(text, sizeof text, "%s\n", name);
    ps_test_folder_append(".put", text, (size_t)length);
    assert_int_equal(rename(ps_test_folder_path(".put"), ps_test_folder_path(name)), 0);
}

static bool is_there(const char *name)
{
    return access(ps_test_folder_path(name), F_OK) == 0;
}

static void renames_fail(int error)
{
    ps_test_call_error = error;
    ps_test_call_broken = error != 0 ? "renameat2" : NULL;
    ps_test_calls_count = error != 0;
    ps_test_call_failed = NULL;
}

/* Runs a turn; what is read is delivered, also the end of a file without events. */
static void turn(void)
{
    (void)ps_test_source_work(&stage);
    ps_test_source_close_batch(&stage);
    ps_test_stage_pass_ms(&stage, 1);
    usleep(1000);
}

/* Runs turns until the condition holds. */
#define UNTIL(condition)                                                                                     \
    for (unsigned waited = 0; !(condition); waited++) {                                                      \
        assert_in_range(waited, 0, PS_TEST_PATIENCE_MS);                                                     \
        turn();                                                                                              \
    }

/* Returns the bodies since the last call, each followed by a blank, when there are so many, and this many turns have passed. */
static const char *bodies(size_t count, unsigned turns)
{
    static char text[256];
    size_t at = 0;
    UNTIL(stage.event_count >= count);
    while (turns-- > 0)
        turn();
    text[0] = '\0';
    for (size_t i = 0; i < stage.event_count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s ", stage.events[i].body);
    ps_test_source_clear(&stage);
    return text;
}

static void test_names_that_come_later(void **unused)
{
    put("a");
    put("b");
    start();
    renames_fail(ENOSPC);
    assert_string_equal(bodies(2, 0), "a b ");
    UNTIL(ps_test_call_failed != NULL);
    put("c"); /* is read although the others wait */
    assert_string_equal(bodies(1, 1200), "c ");
    assert_true(is_there("a") && is_there("b") && is_there("c"));
    assert_string_equal(halted, "");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), 0);
    renames_fail(0);
    UNTIL(is_there("c.COMPLETED"));
    assert_true(is_there("a.COMPLETED") && is_there("b.COMPLETED"));
    put("d");
    assert_string_equal(bodies(1, 50), "d ");
    UNTIL(is_there("d.COMPLETED"));
    ps_test_stage_fini(&stage);
}

/* The worker sleeps between two tries, and files that wait do not keep the source from ending. */
static void test_rest_and_drain(void **unused)
{
    put("a");
    put("b");
    start();
    renames_fail(EROFS);
    assert_string_equal(bodies(2, 100), "a b ");
    UNTIL(ps_test_call_failed != NULL);
    for (unsigned i = 0; i < 20; i++)
        turn();
    for (unsigned i = 0; i < 100; i++) {
        uint64_t next_ns = stage.ops->source->tick(stage.plan, stage.state, &stage.now);
        assert_true(next_ns > stage.now.mono_ns);
        ps_test_stage_pass_ms(&stage, 7);
        usleep(500);
    }
    for (unsigned waited = 0; !stage.ops->source->drain(stage.plan, stage.state, &stage.now); waited++) {
        assert_in_range(waited, 0, PS_TEST_PATIENCE_MS);
        ps_test_stage_pass_ms(&stage, 1);
        usleep(1000);
    }
    ps_test_stage_fini(&stage);
    start(); /* a restart while it lasts */
    assert_string_equal(bodies(0, 700), "");
    assert_true(is_there("a") && is_there("b"));
    renames_fail(0);
    UNTIL(is_there("b.COMPLETED"));
    assert_true(is_there("a.COMPLETED"));
    assert_string_equal(bodies(0, 50), "");
    ps_test_stage_fini(&stage);
}

/* A reason that does not pass stops the source as before. */
static void test_a_right_that_is_missing(void **unused)
{
    put("a");
    start();
    renames_fail(EACCES);
    assert_string_equal(bodies(1, 100), "a ");
    UNTIL(halted[0] != '\0');
    assert_non_null(strstr(halted, "Unable to move"));
    renames_fail(0);
    ps_test_stage_fini(&stage);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(names_that_come_later), TEST(rest_and_drain),
                                       TEST(a_right_that_is_missing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
