/* The settings that the sink hdfs computes from its keys: each number at its limits, and beyond them, as Flume reads it. */
#include "stages/lib/hadoop/bucket_writer/sink.h"
#include "stages/sinks/hdfs/keys.h"
#include "tests/support/stage.h"

extern const struct ps_stage_ops ps_sink_hdfs;

#define NEVER_NS (UINT64_C(10) * 365 * 86400 * PS_NS_PER_S)
#define SECONDS(number) ((uint64_t)(number)*PS_NS_PER_S)
#define SETTING(name)                                                                                        \
    offsetof(struct ps_bucket_writer_settings, name), sizeof(((struct ps_bucket_writer_settings *)0)->name)

static const struct {
    const char *key, *value;
    size_t at, bytes;
    uint64_t wanted;
} cases[] = {
    {"hdfs.rollInterval", NULL, SETTING(roll_interval_ns), SECONDS(30)},
    {"hdfs.rollInterval", "-1", SETTING(roll_interval_ns), 0},
    {"hdfs.rollInterval", "0", SETTING(roll_interval_ns), 0},
    {"hdfs.rollInterval", "1", SETTING(roll_interval_ns), SECONDS(1)},
    {"hdfs.rollInterval", "315360000", SETTING(roll_interval_ns), NEVER_NS},
    {"hdfs.rollInterval", "315360001", SETTING(roll_interval_ns), 0}, /* never */
    {"hdfs.rollInterval", "9223372036854775807", SETTING(roll_interval_ns), 0},
    {"hdfs.rollSize", NULL, SETTING(roll_bytes), 1024},
    {"hdfs.rollSize", "-1", SETTING(roll_bytes), 0},
    {"hdfs.rollSize", "0", SETTING(roll_bytes), 0},
    {"hdfs.rollSize", "1", SETTING(roll_bytes), 1},
    {"hdfs.rollCount", NULL, SETTING(roll_events), 10},
    {"hdfs.rollCount", "-1", SETTING(roll_events), 0},
    {"hdfs.rollCount", "0", SETTING(roll_events), 0},
    {"hdfs.rollCount", "1", SETTING(roll_events), 1},
    {"hdfs.idleTimeout", NULL, SETTING(idle_ns), 0},
    {"hdfs.idleTimeout", "-1", SETTING(idle_ns), 0},
    {"hdfs.idleTimeout", "1", SETTING(idle_ns), SECONDS(1)},
    {"hdfs.idleTimeout", "2147483647", SETTING(idle_ns), 0},
    {"hdfs.maxOpenFiles", NULL, SETTING(open_files_max), 5000},
    {"hdfs.maxOpenFiles", "-1", SETTING(open_files_max), 1},
    {"hdfs.maxOpenFiles", "0", SETTING(open_files_max), 1},
    {"hdfs.maxOpenFiles", "1", SETTING(open_files_max), 1},
    {"hdfs.maxOpenFiles", "2", SETTING(open_files_max), 2},
    {"hdfs.minBlockReplicas", NULL, SETTING(replicas_min), UINT64_MAX},
    {"hdfs.minBlockReplicas", "0", SETTING(replicas_min), 0},
    {"hdfs.minBlockReplicas", "2", SETTING(replicas_min), 2},
    {"hdfs.closeTries", NULL, SETTING(close_tries), PS_BUCKET_TRIES_ENDLESS},
    {"hdfs.closeTries", "-1", SETTING(close_tries), PS_BUCKET_TRIES_ENDLESS},
    {"hdfs.closeTries", "0", SETTING(close_tries), PS_BUCKET_TRIES_ENDLESS},
    {"hdfs.closeTries", "1", SETTING(close_tries), 1},
    {"hdfs.closeTries", "7", SETTING(close_tries), 7},
    {"hdfs.retryInterval", NULL, SETTING(retry_ns), SECONDS(180)},
    {"hdfs.retryInterval", "1", SETTING(retry_ns), SECONDS(1)},
    {"hdfs.retryInterval", "315360000", SETTING(retry_ns), SECONDS(315360000)},
    {"hdfs.retryInterval", "315360001", SETTING(retry_ns), SECONDS(315360000)},
    {"hdfs.retryInterval", "9223372036854775807", SETTING(retry_ns), SECONDS(315360000)},
    {"hdfs.retryInterval", "1", SETTING(close_tries), PS_BUCKET_TRIES_ENDLESS},
    {"hdfs.retryInterval", "0", SETTING(close_tries), 1}, /* one try only */
    {"hdfs.retryInterval", "-1", SETTING(close_tries), 1},
    {"hdfs.callTimeout", "9223372036854775807", SETTING(call_timeout_ns), SECONDS(315360000)},
    {"hdfs.callTimeout", NULL, SETTING(call_timeout_ns), SECONDS(30)},
    {"hdfs.callTimeout", "-1", SETTING(call_timeout_ns), NEVER_NS},
    {"hdfs.callTimeout", "0", SETTING(call_timeout_ns), NEVER_NS},
    {"hdfs.callTimeout", "1", SETTING(call_timeout_ns), PS_NS_PER_MS},
    {"penstock.hsync", NULL, SETTING(flush), PS_FILE_HFLUSH},
    {"penstock.hsync", "true", SETTING(flush), PS_FILE_HSYNC},
    {"penstock.orphans", NULL, SETTING(recovers_orphans), false},
    {"penstock.orphans", "report", SETTING(recovers_orphans), false},
    {"penstock.orphans", "recover", SETTING(recovers_orphans), true},
};

static void test_numbers(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        uint64_t got = 0;
        const char *const keys[] = {"hdfs.path", "/tmp/never", cases[i].value != NULL ? cases[i].key : NULL,
                                    cases[i].value, NULL};
        ps_test_stage_init(&stage, &ps_sink_hdfs);
        assert_int_equal(ps_test_stage_bind(&stage, keys), PS_OK);
        assert_int_equal(ps_test_stage_build(&stage), PS_OK);
        const struct ps_hdfs_sink_plan *plan = stage.plan;
        memcpy(&got, (const char *)&plan->settings + cases[i].at, cases[i].bytes);
        if (got != cases[i].wanted)
            fail_msg("%s = %s: %llu, not %llu", cases[i].key,
                     cases[i].value != NULL ? cases[i].value : "(its default)", (unsigned long long)got,
                     (unsigned long long)cases[i].wanted);
        ps_test_stage_fini(&stage);
    }
}

/* Flume reads them as an Integer. */
static void test_beyond_an_integer(void **unused)
{
    static const char *const keys[] = {"hdfs.idleTimeout",     "hdfs.maxOpenFiles",      "hdfs.closeTries",
                                       "hdfs.threadsPoolSize", "hdfs.rollTimerPoolSize", "hdfs.roundValue"};
    for (size_t i = 0; i < PS_COUNT_OF(keys); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_sink_hdfs);
        assert_int_equal(
            ps_test_stage_bind(&stage, PS_KEYS("hdfs.path", "/tmp/never", keys[i], "2147483648")), PS_FAIL);
        assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, keys[i]));
        ps_test_stage_fini(&stage);
    }
}

static void test_suffixes_in_use(void **unused)
{
    static const struct {
        const char *suffix, *empty, *wanted;
    } suffixes[] = {
        {NULL, "false", ".tmp"}, {".part", "false", ".part"}, {".part", "true", ""}, {NULL, "true", ""}};
    for (size_t i = 0; i < PS_COUNT_OF(suffixes); i++) {
        struct ps_test_stage stage;
        const char *const keys[] = {"hdfs.path",
                                    "/tmp/never",
                                    "hdfs.emptyInUseSuffix",
                                    suffixes[i].empty,
                                    suffixes[i].suffix != NULL ? "hdfs.inUseSuffix" : NULL,
                                    suffixes[i].suffix,
                                    NULL};
        ps_test_stage_init(&stage, &ps_sink_hdfs);
        assert_int_equal(ps_test_stage_bind(&stage, keys), PS_OK);
        assert_int_equal(ps_test_stage_build(&stage), PS_OK);
        const struct ps_hdfs_sink_plan *plan = stage.plan;
        assert_string_equal(plan->settings.in_use_suffix, suffixes[i].wanted);
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers),
                                       cmocka_unit_test(test_beyond_an_integer),
                                       cmocka_unit_test(test_suffixes_in_use)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
