/* Sink hdfs on the local disk: its keys, and their effects on files. tests/stages/lib/hadoop/bucket_writer tests the
 * failures of file systems. */
#include "tests/support/dead_letters.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#define START_MS "1700000000001" /* number of the first file: the clock's first millisecond + 1 */

static char url[300];

static void assert_content(const char *name, const char *expected)
{
    const char *text = ps_test_folder_read(name);
    if (text == NULL)
        fail_msg("no file %s", name);
    assert_string_equal(text, expected);
}

static unsigned file_count(const char *name)
{
    unsigned count = 0;
    DIR *directory = opendir(ps_test_folder_path(name));
    if (directory == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

#define KEYS(...) PS_KEYS("hdfs.path", url, "hdfs.fileType", "DataStream", __VA_ARGS__)
#define ENDLESS "hdfs.rollInterval", "0", "hdfs.rollSize", "0", "hdfs.rollCount", "0"

static void start(struct ps_test_stage *stage, const char *const *keys)
{
    ps_test_stage_start(stage, &ps_sink_hdfs, keys);
}

static void deliver(struct ps_test_stage *stage, struct ps_lease *lease)
{
    size_t done = stage->done_count;
    assert_int_equal(ps_test_sink_work(stage, &lease), PS_TAKEN);
    ps_test_sink_wait(stage, done + 1, PS_TEST_PATIENCE_MS);
}

/* Turns of the worker without events; background work ends in them. */
static void pass(struct ps_test_stage *stage, uint64_t ms)
{
    ps_test_stage_pass_ms(stage, ms);
    for (int i = 0; i < 10; i++)
        (void)ps_test_sink_tick(stage);
}

static int begin(void **state)
{
    if (ps_test_folder_setup(state) != 0)
        return -1;
    snprintf(url, sizeof url, "file://%s", ps_test_folder());
    return 0;
}

static void test_no_name_in_use(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, KEYS(ENDLESS, "hdfs.emptyInUseSuffix", "true", "hdfs.inUseSuffix", ".x"));
    assert_true(ps_test_stage_reported(&stage, PS_LOG_WARN, "hdfs.inUseSuffix"));
    deliver(&stage, PS_LEASE(&stage, PS_BODY("one")));
    assert_content("FlumeData." START_MS, "one\n");
    assert_null(ps_test_sink_recall(&stage));
    assert_content("FlumeData." START_MS, "one\n");
    ps_test_stage_fini(&stage);
}

static void test_local_time(void **unused)
{
    struct ps_test_stage stage;
    char path[350];
    snprintf(path, sizeof path, "%s/%%Y", url);
    start(&stage, PS_KEYS("hdfs.path", path, "hdfs.fileType", "DataStream", ENDLESS, "hdfs.useLocalTimeStamp",
                          "true", "hdfs.timeZone", "UTC"));
    deliver(&stage, PS_LEASE(&stage, PS_BODY("1")));
    assert_content("2023/FlumeData." START_MS ".tmp", "1\n");
    ps_test_stage_fini(&stage);
}

/* Without dead letters the batch is rolled back, as in Flume. */
static void test_no_timestamp(void **unused)
{
    struct ps_test_stage stage;
    char path[350];
    snprintf(path, sizeof path, "%s/%%Y", url);
    start(&stage, PS_KEYS("hdfs.path", path, "hdfs.fileType", "DataStream"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("1", "timestamp", "1700000000000"), PS_BODY("2"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_RETRY);
    assert_int_equal(lease->settled, 0);
    pass(&stage, 1);
    assert_int_equal(file_count("."), 0);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail), 1);
    ps_test_stage_fini(&stage);
}

/* A header cannot lead out of the directory. */
static void test_parent(void **unused)
{
    struct ps_test_stage stage;
    char path[350];
    snprintf(path, sizeof path, "%s/in/%%{d}", url);
    start(&stage, PS_KEYS("hdfs.path", path, "hdfs.fileType", "DataStream"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("1", "d", "../../up"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_RETRY);
    lease = PS_LEASE(&stage, PS_EVENT("1", "d", "..up"));
    deliver(&stage, lease);
    assert_content("in/..up/FlumeData." START_MS ".tmp", "1\n");
    ps_test_stage_fini(&stage);
}

/* Existing names, in use or final, are left alone: the next number is taken. */
static void test_names_taken(void **unused)
{
    struct ps_test_stage stage;
    ps_test_folder_append("FlumeData." START_MS ".tmp", "old", 3);
    ps_test_folder_append("FlumeData.1700000000002", "old", 3);
    start(&stage, KEYS(ENDLESS));
    deliver(&stage, PS_LEASE(&stage, PS_BODY("1")));
    assert_content("FlumeData.1700000000002.tmp", "1\n");
    assert_null(ps_test_sink_recall(&stage));
    assert_content("FlumeData." START_MS ".tmp", "old");
    assert_content("FlumeData.1700000000002", "old");
    assert_content("FlumeData.1700000000003", "1\n");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail), 0);
    ps_test_stage_fini(&stage);
}

/* A path may be relative, or have no scheme. */
static void test_plain_paths(void **unused)
{
    struct ps_test_stage stage;
    char before[1024];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(ps_test_folder()), 0);
    start(&stage, PS_KEYS("hdfs.path", "sub/dir", "hdfs.fileType", "DataStream", ENDLESS));
    assert_int_equal(chdir(before), 0);
    deliver(&stage, PS_LEASE(&stage, PS_BODY("1")));
    assert_content("sub/dir/FlumeData." START_MS ".tmp", "1\n");
    ps_test_stage_fini(&stage);
    start(&stage, PS_KEYS("hdfs.path", ps_test_folder_path("plain"), "hdfs.fileType", "DataStream", ENDLESS));
    deliver(&stage, PS_LEASE(&stage, PS_BODY("1")));
    assert_content("plain/FlumeData." START_MS ".tmp", "1\n");
    ps_test_stage_fini(&stage);
}

struct wrong {
    const char *const *keys;
    enum ps_log_level level;
    const char *text;
};

static void test_check(void **unused)
{
    const struct wrong wrongs[] = {
        {PS_KEYS("hdfs.fileType", "DataStream"), PS_LOG_ERROR, "hdfs.path"},
        {PS_KEYS("hdfs.path", url, "hdfs.fileType", "Stream"), PS_LOG_ERROR, "hdfs.fileType"},
        {PS_KEYS("hdfs.path", url, "hdfs.fileType", "CompressedStream"), PS_LOG_ERROR, "needs a codec"},
        {KEYS("hdfs.codeC", "gzip"), PS_LOG_ERROR, "not compressed"},
        {PS_KEYS("hdfs.path", url, "hdfs.codeC", "lzop"), PS_LOG_ERROR, "LZO"},
        {PS_KEYS("hdfs.path", url, "hdfs.codeC", "rar"), PS_LOG_ERROR, "not a codec"},
        {PS_KEYS("hdfs.path", url, "hdfs.writeFormat", "x.Y"), PS_LOG_ERROR, "hdfs.writeFormat"},
        {KEYS("hdfs.batchSize", "0"), PS_LOG_ERROR, "hdfs.batchSize"},
        {KEYS("hdfs.minBlockReplicas", "-2"), PS_LOG_ERROR, "hdfs.minBlockReplicas"},
        {KEYS("hdfs.round", "true", "hdfs.roundValue", "61"), PS_LOG_ERROR, "hdfs.roundValue"},
        {KEYS("hdfs.round", "true", "hdfs.roundUnit", "hour", "hdfs.roundValue", "25"), PS_LOG_ERROR,
         "from 1 to 24"},
        {KEYS("hdfs.round", "true", "hdfs.roundUnit", "day"), PS_LOG_WARN, "not rounded"},
        {PS_KEYS("hdfs.path", "/a/b", "hdfs.fileType", "DataStream"), PS_LOG_WARN, "local disk"},
        {KEYS("hdfs.kerberosPrincipal", "a@B"), PS_LOG_ERROR, "hdfs.kerberosKeytab"},
        {KEYS("hdfs.kerberosKeytab", "/a"), PS_LOG_ERROR, "hdfs.kerberosPrincipal"},
        {KEYS("hdfs.timeZone", "Mars/Phobos"), PS_LOG_WARN, "is not a time zone"},
        {KEYS("hdfs.maxOpenFiles", "0"), PS_LOG_WARN, "hdfs.maxOpenFiles"},
        {KEYS(ENDLESS), PS_LOG_WARN, "only when the agent stops"},
        {PS_KEYS("hdfs.path", url, "serializer.a", "b"), PS_LOG_WARN, "serializer.a"},
        {PS_KEYS("hdfs.path", "hdfs://nn:9870/a"), PS_LOG_WARN, "webhdfs://nn:9870"},
        {PS_KEYS("hdfs.path", "hdfs://nn.a/%H:%M"), PS_LOG_ERROR, "no colon"},
        {PS_KEYS("hdfs.path", "hdfs://nn.a/%c"), PS_LOG_ERROR, "%c"},
        {PS_KEYS("hdfs.path", "hdfs://nn.a/x", "hdfs.filePrefix", "a:b"), PS_LOG_ERROR, "hdfs.filePrefix"},
        {PS_KEYS("hdfs.path", "hdfs://nn.a/x", "hdfs.fileSuffix", ":x"), PS_LOG_ERROR, "hdfs.fileSuffix"},
        {PS_KEYS("hdfs.path", "hdfs://nn.a/x", "hdfs.inUsePrefix", ":x"), PS_LOG_ERROR, "hdfs.inUsePrefix"},
        {PS_KEYS("hdfs.path", "hdfs://nn.a/x", "hdfs.inUseSuffix", ":x"), PS_LOG_ERROR, "hdfs.inUseSuffix"},
        {KEYS("hdfs.fileSuffix", "/.."), PS_LOG_ERROR, "hdfs.fileSuffix"},
        {KEYS("hdfs.inUsePrefix", "../tmp/"), PS_LOG_ERROR, "hdfs.inUsePrefix"},
        {KEYS("hdfs.inUseSuffix", "/../x"), PS_LOG_ERROR, "hdfs.inUseSuffix"},
        {PS_KEYS("hdfs.path", "hdfs://nn.a/%Q/x"), PS_LOG_WARN, "%Q is not an escape"},
        {PS_KEYS("hdfs.path", "hdfs://nn.a/x", "hdfs.filePrefix", "%{}"), PS_LOG_WARN,
         "%{} is not an escape"},
        {PS_KEYS("hdfs.path", "hdfs://nn.a/%{h}/../x"), PS_LOG_ERROR, "follows an escape"},
        {PS_KEYS("hdfs.path", url, "serializer", "avro_event"), PS_LOG_WARN, "SequenceFile"},
        {KEYS("hdfs.retryInterval", "0"), PS_LOG_WARN, "hdfs.retryInterval"},
        {PS_KEYS("hdfs.path", "hdfs://%{h}:8020/a", "hdfs.fileType", "DataStream"), PS_LOG_ERROR, "escape"},
        {PS_KEYS("hdfs.path", "ftp://h/a", "hdfs.fileType", "DataStream"), PS_LOG_ERROR, "hdfs.path"},
        {PS_KEYS("hdfs.path", "hdfs://h/a", "penstock.hadoop.conf", "/none"), PS_LOG_ERROR,
         "penstock.hadoop.conf"},
        {PS_KEYS("hdfs.path", "/a/%[nobody]", "hdfs.fileType", "DataStream"), PS_LOG_ERROR, "hdfs.path"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(wrongs); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_sink_hdfs);
        enum ps_status status = ps_test_stage_bind(&stage, wrongs[i].keys);
        bool said = ps_test_stage_reported(&stage, wrongs[i].level, wrongs[i].text) ||
                    strstr(stage.err.text, wrongs[i].text) != NULL;
        if (!said || (status == PS_OK) != (wrongs[i].level == PS_LOG_WARN))
            fail_msg("%zu: %s is not said: %s", i, wrongs[i].text, stage.err.text);
        ps_test_stage_fini(&stage);
    }
}

/* For keys that many configurations have although Flume does not know them, `check` names where they belong. */
static void test_keys_of_hadoop(void **unused)
{
    static const char *const keys[][2] = {{"hdfs.replication", "dfs.replication of hdfs-site.xml"},
                                          {"hdfs.blockSize", "dfs.blocksize of hdfs-site.xml"}};
    for (size_t i = 0; i < PS_COUNT_OF(keys); i++) {
        const struct ps_option *row = ps_sink_hdfs.options;
        while (row->key != NULL && strcmp(row->key, keys[i][0]) != 0)
            row++;
        assert_non_null(row->key);
        assert_true(row->flags & PS_OPTION_NO_EFFECT);
        assert_non_null(strstr(row->help, keys[i][1]));
    }
}

/* A message names the codec settings of core-site.xml, which have no effect. */
static void test_codecs_of_hadoop(void **unused)
{
    static const char xml[] =
        "<configuration><property><name>zlib.compress.level</name><value>BEST_SPEED</value>"
        "</property></configuration>";
    struct ps_test_stage stage;
    ps_test_folder_append("core-site.xml", xml, sizeof xml - 1);
    ps_test_stage_init(&stage, &ps_sink_hdfs);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("hdfs.path", "hdfs://h.example:8020/a", "hdfs.codeC",
                                                        "gzip", "penstock.hadoop.conf", ps_test_folder())),
                     PS_OK);
    assert_true(
        ps_test_stage_reported(&stage, PS_LOG_INFO, "core-site.xml:1: zlib.compress.level has no effect"));
    ps_test_stage_fini(&stage);
}

/* A batch with an event that cannot be written is tried every few seconds, but reported only the first time and then
 * once a minute. */
static void test_flaw_is_said_seldom(void **unused)
{
    struct ps_test_stage stage;
    char path[350];
    snprintf(path, sizeof path, "%s/%%Y", url);
    start(&stage, PS_KEYS("hdfs.path", path, "hdfs.fileType", "DataStream"));
    uint64_t before = ps_log_count(PS_LOG_ERROR);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("1"));
    for (unsigned i = 0; i < 24; i++) {
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_RETRY);
        assert_int_equal(ps_log_count(PS_LOG_ERROR) - before, 1 + i / 12);
        pass(&stage, 5000);
    }
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail), 24);
    ps_test_stage_fini(&stage);
}

/* When such a batch is gone, the next one is reported at once. */
static void test_each_flaw_is_said(void **unused)
{
    struct ps_test_stage stage;
    char path[350];
    snprintf(path, sizeof path, "%s/%%Y", url);
    start(&stage, PS_KEYS("hdfs.path", path, "hdfs.fileType", "DataStream"));
    for (unsigned round = 0; round < 3; round++) {
        uint64_t before = ps_log_count(PS_LOG_ERROR);
        struct ps_lease *good = PS_LEASE(&stage, PS_EVENT("good", "timestamp", "1700000000000"));
        struct ps_lease *bad = PS_LEASE(&stage, PS_BODY("without a time"));
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(ps_test_sink_work(&stage, &bad), PS_RETRY);
        assert_int_equal(ps_log_count(PS_LOG_ERROR) - before, 1);
        deliver(&stage, good);
    }
    ps_test_stage_fini(&stage);
}

int main(void)
{
    unsetenv("HADOOP_CONF_DIR");
    unsetenv("HADOOP_HOME");
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, begin, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_no_name_in_use),    IN_FOLDER(test_local_time),
        IN_FOLDER(test_no_timestamp),      IN_FOLDER(test_parent),
        IN_FOLDER(test_names_taken),       IN_FOLDER(test_plain_paths),
        IN_FOLDER(test_codecs_of_hadoop),  IN_FOLDER(test_check),
        IN_FOLDER(test_keys_of_hadoop),    IN_FOLDER(test_flaw_is_said_seldom),
        IN_FOLDER(test_each_flaw_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
