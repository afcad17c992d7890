/* The machine's clock is stepped by hours while files are open. The age of a file comes from the monotonic clock, its name from
 * the clock that is stepped. */
#include "tests/support/bucket_files.h"
#include "tests/support/folder.h"

#include <stdio.h>
#include <stdlib.h>

#define HOUR_MS (3600 * 1000)
#define ROLL_NS (10 * PS_NS_PER_S)

extern const struct ps_stage_ops ps_sink_hdfs;

/* A file is closed 10 s after it was begun, or written to for the last time, whatever the clock says; nothing is due before. */
static void closes_in_time(int64_t step_ms)
{
    struct ps_test_stage *stage = &ps_test_bucket_stage;
    ps_test_bucket_start();
    TAKE(PS_BODY("1"));
    ps_test_bucket_pass(0);
    uint64_t end_ns = stage->now.mono_ns + ROLL_NS;
    stage->now.wall_ms += step_ms;
    assert_int_equal(ps_test_bucket_pass(1), end_ns); /* the worker sleeps until then */
    assert_int_equal(ps_test_bucket_pass(9998), end_ns);
    ps_test_files_expect_names(PS_WORDS(FIRST ".tmp"));
    assert_int_equal(ps_test_bucket_pass(1), PS_NEVER);
    ps_test_files_expect_names(PS_WORDS(FIRST));
}

static void test_roll_interval(void **state)
{
    for (int hours = -5; hours <= 5; hours += 10) {
        ps_test_bucket_setup(state);
        ps_test_bucket_settings.roll_interval_ns = ROLL_NS;
        closes_in_time((int64_t)hours * HOUR_MS);
        ps_test_bucket_finish();
    }
}

static void test_idle_timeout(void **state)
{
    for (int hours = -5; hours <= 5; hours += 10) {
        ps_test_bucket_setup(state);
        ps_test_bucket_settings.idle_ns = ROLL_NS;
        closes_in_time((int64_t)hours * HOUR_MS);
        ps_test_bucket_finish();
    }
}

/* The next file's number comes from the clock, but is never one that was used. */
static void test_numbers(void **unused)
{
    ps_test_bucket_settings.roll_interval_ns = ROLL_NS;
    closes_in_time(-5 * HOUR_MS);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    ps_test_files_expect_names(PS_WORDS(FIRST, SECOND ".tmp"));
    ps_test_bucket_stage.now.wall_ms += 6 * HOUR_MS;
    ps_test_bucket_pass(10000);
    TAKE(PS_BODY("3"));
    ps_test_bucket_pass(0);
    char later[64];
    snprintf(later, sizeof later, "/d/f.%llu.tmp", 1700000000000ULL + HOUR_MS + 20001);
    ps_test_files_expect_names(PS_WORDS(FIRST, SECOND, later));
    ps_test_bucket_finish();
}

/* The step makes the backoff after a failure neither longer nor shorter. */
static void test_rest(void **unused)
{
    ps_test_bucket_start();
    ps_test_files_fail(PS_TEST_CREATE, 0, 1, PS_FILE_UNAVAILABLE);
    TAKE(PS_BODY("1"));
    ps_test_bucket_pass(0);
    ps_test_bucket_stage.now.wall_ms -= 5 * HOUR_MS;
    uint64_t due_ns = ps_test_bucket_pass(999);
    assert_int_equal(due_ns, ps_test_bucket_stage.now.mono_ns + PS_NS_PER_MS);
    assert_int_equal(ps_test_bucket_stage.done_count, 0);
    ps_test_bucket_pass(1);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    ps_test_bucket_finish();
}

/* ---- names by the time ---- */

static void take(struct ps_test_stage *stage, const char *body)
{
    struct ps_lease *lease = PS_LEASE(stage, PS_BODY(body));
    assert_int_equal(ps_test_sink_work(stage, &lease), PS_TAKEN);
    for (int i = 0; i < 20; i++)
        (void)ps_test_sink_tick(stage);
}

/* Expects that the directory has one file, in use or finished, with this content. */
static void expect(const char *directory, const char *content)
{
    char command[1400];
    snprintf(command, sizeof command,
             "test \"$(ls %1$s/%2$s | wc -l)\" = 1 && test \"$(cat %1$s/%2$s/* | xargs)\" = '%3$s'",
             ps_test_folder(), directory, content);
    assert_int_equal(system(command), 0);
}

/* Rounded escapes follow the clock in both directions; when it goes back to a directory, the file there is continued. */
static void test_escapes(void **state)
{
    char url[600];
    struct ps_test_stage stage;
    assert_int_equal(ps_test_folder_setup(state), 0);
    snprintf(url, sizeof url, "file://%s/%%Y-%%m-%%d-%%H%%M", ps_test_folder());
    ps_test_stage_start(&stage, &ps_sink_hdfs,
                        PS_KEYS("hdfs.path", url, "hdfs.fileType", "DataStream", "hdfs.useLocalTimeStamp",
                                "true", "hdfs.timeZone", "UTC", "hdfs.round", "true", "hdfs.roundValue", "10",
                                "hdfs.roundUnit", "minute", "hdfs.rollInterval", "0", "hdfs.rollSize", "0",
                                "hdfs.rollCount", "0"));
    take(&stage, "1"); /* 2023-11-14 22:13:20 */
    stage.now.wall_ms -= 23 * HOUR_MS;
    take(&stage, "2");
    stage.now.wall_ms += 26 * HOUR_MS;
    take(&stage, "3");
    stage.now.wall_ms -= 3 * HOUR_MS;
    take(&stage, "4");
    assert_int_equal(stage.done_count, 4);
    assert_int_equal(ps_test_sink_tick(&stage), PS_NEVER);
    expect("2023-11-14-2210", "1 4");
    expect("2023-11-13-2310", "2");
    expect("2023-11-15-0110", "3");
    assert_null(ps_test_sink_recall(&stage));
    expect("2023-11-14-2210", "1 4");
    ps_test_stage_fini(&stage);
    ps_test_folder_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roll_interval),
        cmocka_unit_test(test_idle_timeout),
        cmocka_unit_test_setup(test_numbers, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_rest, ps_test_bucket_setup),
        cmocka_unit_test(test_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
