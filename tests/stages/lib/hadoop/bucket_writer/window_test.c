/* The in-flight window of a file, which bounds the events that a kill of the agent can duplicate. */
#include "stages/lib/hadoop/bucket_writer/internal.h"

#include "tests/support/bucket_files.h"

#define LEAST (2 * PS_BATCH_EVENTS_MAX)

static size_t lines(const char *path)
{
    size_t count = 0;
    for (const char *at = ps_test_files_content(path); at != NULL && (at = strchr(at, '\n')) != NULL; at++)
        count++;
    return count;
}

static void take_events(unsigned count)
{
    struct ps_test_event events[PS_BATCH_EVENTS_MAX];
    for (unsigned i = 0; i < count; i++)
        events[i] = (struct ps_test_event)PS_BODY("x");
    struct ps_lease *lease = ps_test_lease(&ps_test_bucket_stage, events, count);
    assert_int_equal(ps_test_sink_work(&ps_test_bucket_stage, &lease), PS_TAKEN);
}

/* Of five leases, the events that two flushes cover are written. The others wait for the answers to the flushes. */
static void test_no_more_is_written(void **unused)
{
    ps_test_bucket_start();
    ps_test_files_hold(PS_TEST_FLUSH, "");
    for (int i = 0; i < 5; i++)
        take_events(1000);
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 2);
    for (unsigned answered = 1; answered <= 2; answered++) {
        ps_test_files_release(PS_TEST_FLUSH, 1);
        ps_test_bucket_pass(0);
        assert_int_equal(lines(FIRST ".tmp"), answered * LEAST / 2);
        assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 2 + answered);
        assert_int_equal(ps_test_bucket_stage.done_count, answered * LEAST / 2 / 1000);
    }
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    ps_test_bucket_pass(0);
    assert_int_equal(lines(FIRST ".tmp"), 5000);
    assert_int_equal(ps_test_bucket_stage.done_count, 5);
    ps_test_bucket_finish();
}

/* Events that wait for the window use memory like events in flight, so no more leases are taken. */
static void test_waiting_events_are_memory(void **unused)
{
    ps_test_bucket_settings.held_bytes_max =
        2 * LEAST + 500; /* a byte in flight counts twice, a waiting one once */
    ps_test_bucket_start();
    ps_test_files_hold(PS_TEST_FLUSH, "");
    for (int i = 0; i < 3; i++)
        take_events(1000);
    struct ps_lease *lease = PS_LEASE(&ps_test_bucket_stage, PS_BODY("x"));
    assert_int_equal(ps_test_sink_work(&ps_test_bucket_stage, &lease), PS_LATER);
    ps_test_files_fail(PS_TEST_FLUSH, 0, 1, PS_FILE_FAILED); /* all events wait again */
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_sink_work(&ps_test_bucket_stage, &lease), PS_TAKEN); /* 3,000 bytes */
    take_events(1000);
    take_events(1000);
    lease = PS_LEASE(&ps_test_bucket_stage, PS_BODY("x"));
    assert_int_equal(ps_test_sink_work(&ps_test_bucket_stage, &lease), PS_LATER);
    ps_test_bucket_pass(1000);
    assert_int_equal(ps_test_sink_work(&ps_test_bucket_stage, &lease), PS_TAKEN);
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 7);
    ps_test_bucket_finish();
}

/* If the agent were killed in between, the next one would duplicate only the events given to the file system and not
 * acknowledged. */
static void test_failure_writes_the_window_again(void **unused)
{
    ps_test_bucket_start();
    ps_test_files_hold(PS_TEST_FLUSH, "");
    for (int i = 0; i < 5; i++)
        take_events(1000);
    ps_test_bucket_pass(0);
    ps_test_files_fail(PS_TEST_FLUSH, 1, 1, PS_FILE_FAILED);
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    ps_test_bucket_pass(0);
    ps_test_bucket_pass(1000);
    assert_int_equal(lines(FIRST), LEAST / 2);
    assert_int_equal(lines(SECOND ".tmp"), 5000 - LEAST / 2);
    assert_in_range(ps_test_bucket_counter(PS_COUNTER_duplicated), 1, LEAST);
    ps_test_bucket_finish();
}

/* Distant idle datanodes: the window grows with each answer until answers come later. Then it is twice the bytes that
 * they accept in the time of the fastest answer. */
static void test_window_follows_the_datanodes(void **unused)
{
    const uint64_t fastest_ns = 10 * PS_NS_PER_MS, event_ns = 1000; /* of the fastest answer; of an event */
    struct ps_bucket_window window;
    ps_bucket_window_init(&window);
    assert_int_equal(window.events, LEAST);
    for (int i = 0; i < 100; i++) {
        uint64_t busy_ns = window.events * event_ns;
        ps_bucket_window_answered(&window, busy_ns > fastest_ns ? busy_ns : fastest_ns, window.events);
    }
    assert_in_range(window.events, 2 * fastest_ns / event_ns - 100, 2 * fastest_ns / event_ns);
    for (int i = 0; i < 100; i++) /* little to write */
        ps_bucket_window_answered(&window, fastest_ns, 1);
    assert_int_equal(window.events, LEAST);
    ps_bucket_window_answered(&window, 0, UINT32_MAX);
    assert_int_equal(window.events, PS_BUCKET_LEASES_MAX * PS_BATCH_EVENTS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_no_more_is_written, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_waiting_events_are_memory, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_failure_writes_the_window_again, ps_test_bucket_setup),
        cmocka_unit_test(test_window_follows_the_datanodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
