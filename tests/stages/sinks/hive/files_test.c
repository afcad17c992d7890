/* Sink hive with tables that are not transactional: files of text and JSON, on the local disk. With the real Hive:
 * tests/real/hive_sink_test.sh. */
#include "stages/sinks/hive/internal.h"
#include "tests/support/dead_letters.h"
#include "tests/support/hadoop_file.h"
#include "tests/support/hash_tables.h"
#include "tests/support/hive_stage.h"

#include "stages/lib/hadoop/bucket_writer/sink.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LAZY "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
#define JSON "org.apache.hadoop.hive.serde2.JsonSerDe"
#define KEYS(...)                                                                                            \
    PS_HIVE_KEYS("penstock.table.type", "plain", "serializer", "DELIMITED", "serializer.fieldnames",         \
                 "id,name", __VA_ARGS__)
#define UNTIL_CLOSED "penstock.roll.interval", "0"
#define BY_DAY "hive.partition", "%{day}"
#define DAY(text, day) PS_EVENT(text, "day", day)
#define ORPHANS (PS_COUNTER_extra + 4)

static struct ps_test_metastore_table table_of(const char *keys)
{
    return (struct ps_test_metastore_table){.location = ps_test_hive_folder(),
                                            .columns = "id:int,name:string",
                                            .keys = keys,
                                            .bucket_columns = "",
                                            .parameters = "",
                                            .serde = LAZY,
                                            .serde_parameters = "field.delim=|"};
}

static int begin(void **state)
{
    if (ps_test_folder_setup(state) != 0)
        return -1;
    struct ps_test_metastore_table table = table_of("");
    ps_test_metastore_set_table(&table);
    return 0;
}

static int compare(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Returns the bytes of the only file in the table's folder whose name has this ending. The caller frees it. */
static char *bytes_of_file(const char *ending, size_t *length)
{
    char path[800], *bytes;
    struct dirent **names;
    FILE *out = open_memstream(&bytes, length);
    int found = scandir(ps_test_hive_folder(), &names, NULL, compare), files = 0;
    for (int i = 0; i < found; i++) {
        size_t all = strlen(names[i]->d_name), end = strlen(ending);
        if (all > end && strcmp(names[i]->d_name + all - end, ending) == 0) {
            snprintf(path, sizeof path, "%s/%s", ps_test_hive_folder(), names[i]->d_name);
            FILE *in = fopen(path, "r");
            assert_non_null(in);
            for (int byte; (byte = fgetc(in)) != EOF;)
                fputc(byte, out);
            fclose(in);
            files++;
        }
        free(names[i]);
    }
    free(names);
    fclose(out);
    assert_int_equal(files, 1);
    return bytes;
}

/* Returns the contents of a folder's files, by name: of those whose names begin with '_' (`hidden`), or of the others.
 * The caller frees it. */
static char *content_of(const char *day, bool hidden, unsigned *count)
{
    char folder[400], path[800], *text;
    size_t length;
    struct dirent **names;
    FILE *out = open_memstream(&text, &length);
    snprintf(folder, sizeof folder, "%s%s%s", ps_test_hive_folder(), day[0] != '\0' ? "/" : "", day);
    int found = scandir(folder, &names, NULL, compare);
    *count = 0;
    for (int i = 0; i < found; i++) {
        struct stat status;
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        FILE *in =
            stat(path, &status) == 0 && S_ISREG(status.st_mode) && (names[i]->d_name[0] == '_') == hidden
                ? fopen(path, "r")
                : NULL;
        for (int byte; in != NULL && (byte = fgetc(in)) != EOF;)
            fputc(byte, out);
        *count += in != NULL;
        if (in != NULL)
            fclose(in);
        free(names[i]);
    }
    if (found >= 0)
        free(names);
    fclose(out);
    return text;
}

static void assert_files(const char *day, bool hidden, unsigned files, const char *expected)
{
    unsigned count;
    char *text = content_of(day, hidden, &count);
    assert_string_equal(text, expected);
    assert_int_equal(count, files);
    free(text);
}
#define ASSERT_WHOLE(day, files, expected) assert_files(day, false, files, expected)
#define ASSERT_IN_USE(day, files, expected) assert_files(day, true, files, expected)

static bool has_whole(const char *day, unsigned files)
{
    unsigned count;
    free(content_of(day, false, &count));
    return count == files;
}

/* Events are delivered when they are in a hidden file, which Hive ignores; they are visible when the file is complete. */
static void test_rows_are_seen_in_whole_files(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, KEYS(UNTIL_CLOSED));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("1,one"), PS_BODY("x,two,more"), PS_BODY("3")));
    ASSERT_IN_USE("", 1, "1|one\n\\N|two\n3|\\N\n");
    ASSERT_WHOLE("", 0, "");
    assert_null(ps_test_sink_recall(&stage));
    ASSERT_IN_USE("", 0, "");
    ASSERT_WHOLE("", 1, "1|one\n\\N|two\n3|\\N\n");
    assert_int_equal(ps_test_metastore_calls("open_txns"), 0);
    ps_test_stage_fini(&stage);
}

static void test_partitions_are_made(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = table_of("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, KEYS(BY_DAY, UNTIL_CLOSED));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, DAY("1,a", "mon"), DAY("2,b", "tue"), DAY("3,c", "mon")));
    assert_int_equal(ps_test_metastore_calls("append_partition"), 2);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, DAY("4,d", "tue")));
    assert_int_equal(ps_test_metastore_calls("get_partition"), 4); /* two for each, before it was made */
    assert_null(ps_test_sink_recall(&stage));
    ASSERT_WHOLE("mon", 1, "1|a\n3|c\n");
    ASSERT_WHOLE("tue", 1, "2|b\n4|d\n");
    ps_test_stage_fini(&stage);
}

/* A metastore that does not answer delays only events of partitions that are not known yet. */
static void test_a_metastore_that_is_down(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = table_of("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, KEYS(BY_DAY, UNTIL_CLOSED));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, DAY("1,a", "mon")));
    ps_test_metastore_set(PS_TEST_FAR_END_DOWN);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, DAY("2,b", "mon")));
    struct ps_lease *lease = PS_LEASE(&stage, DAY("3,c", "mon"), DAY("4,d", "wed"));
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_LATER);
        ps_test_hive_turn(&stage);
    }
    ps_test_metastore_set(PS_TEST_FAR_END_UP);
    ps_test_hive_deliver(&stage, lease);
    assert_null(ps_test_sink_recall(&stage));
    ASSERT_WHOLE("mon", 1, "1|a\n2|b\n3|c\n");
    ASSERT_WHOLE("wed", 1, "4|d\n");
    ps_test_stage_fini(&stage);
}

static uint64_t open_partitions(const struct ps_test_stage *stage)
{
    return ps_test_stage_counter(stage, (enum ps_counter)PS_HIVE_PARTITIONS_OPEN);
}

/* Partitions without events for idleTimeout are forgotten, in any order; one whose events come back is looked up again. */
static void test_quiet_partitions_are_forgotten(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = table_of("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, KEYS(BY_DAY, "penstock.roll.count", "1", "idleTimeout", "60000"));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, DAY("1,a", "mon"), DAY("2,b", "tue")));
    ps_test_stage_pass_ms(&stage, 40000);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, DAY("3,c", "mon")));
    assert_int_equal(open_partitions(&stage), 2);
    ps_test_stage_pass_ms(&stage, 21000);
    PS_HIVE_AWAIT(&stage, open_partitions(&stage) == 1);
    for (unsigned i = 0; i < 20; i++)
        ps_test_hive_turn(&stage);
    assert_int_equal(open_partitions(&stage), 1);
    unsigned asked = ps_test_metastore_calls("get_partition");
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, DAY("4,d", "tue")));
    assert_int_equal(ps_test_metastore_calls("get_partition"), asked + 1);
    ps_test_stage_pass_ms(&stage, 61000);
    PS_HIVE_AWAIT(&stage, open_partitions(&stage) == 0);
    ps_test_stage_fini(&stage);
}

/* A partition whose look-up fails backs off, and is looked up again after the same backoff each time. */
static void test_a_partition_that_fails_again(void **unused)
{
    static const char *const days[] = {"mon", "tue", "wed"};
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = table_of("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, KEYS(BY_DAY, UNTIL_CLOSED));
    const struct ps_hive_sink *sink = *(struct ps_hive_sink **)stage.state;
    for (size_t i = 0; i < PS_COUNT_OF(days); i++) {
        unsigned asked = ps_test_metastore_calls("get_partition");
        ps_test_metastore_refuse("get_partition", 2);
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, DAY("1,a", days[i])));
        assert_int_equal(ps_test_metastore_left(), 0);
        assert_int_equal(ps_test_metastore_calls("get_partition"),
                         asked + 4); /* the last one after append_partition */
        assert_int_equal(TAILQ_FIRST(&sink->recent)->failures, 0);
        PS_HIVE_AWAIT(&stage, TAILQ_EMPTY(&sink->attended));
    }
    ps_test_stage_fini(&stage);
}

/* Thousands of partitions whose values a client has chosen to have one hash are in many chains, and a cycle looks only at the one that
 * backs off. */
static void test_thousands_of_partitions(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = table_of("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, KEYS(BY_DAY, UNTIL_CLOSED));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, DAY("1,a", "mon")));
    struct ps_hive_sink *sink = *(struct ps_hive_sink **)stage.state;
    struct ps_hive_partition *monday = TAILQ_FIRST(&sink->recent);
    for (unsigned i = 0; i < PS_TEST_COLLIDING_NAMES; i++) {
        char key[PS_TEST_COLLIDING_ROOM];
        uint32_t length = (uint32_t)ps_test_colliding_name(key, "", i);
        assert_non_null(ps_hive_partition_get(sink, key, length + 1));
    }
    assert_in_range(PS_TEST_CHAINS_IN_USE(sink->chains, PS_HIVE_CHAINS), 900, PS_HIVE_CHAINS);
    PS_HIVE_AWAIT(&stage, TAILQ_EMPTY(&sink->attended));
    ps_hive_partition_fail(monday, "it fails", "");
    sink->now.mono_ns = monday->rest_ns;
    const struct ps_hive_partitions recent = sink->recent;
    sink->recent.tqh_first = ps_test_nowhere();
    (void)ps_hive_partitions_tick_plain(sink);
    sink->recent = recent;
    assert_int_equal(monday->state, PS_HIVE_PARTITION_EMPTY);
    assert_true(TAILQ_EMPTY(&sink->attended));
    ps_test_stage_fini(&stage);
}

/* A partition that gets events is dropped: the sink makes it again within a minute. */
static void test_a_partition_that_is_dropped(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = table_of("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, KEYS(BY_DAY, "penstock.roll.count", "1", UNTIL_CLOSED));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, DAY("1,a", "mon")));
    ps_test_metastore_set_table(&table); /* without partitions */
    ps_test_stage_pass_ms(&stage, 61000);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, DAY("2,b", "mon")));
    PS_HIVE_AWAIT(&stage, ps_test_metastore_calls("append_partition") == 1);
    (void)ps_test_sink_recall(&stage);
    ps_test_stage_fini(&stage);
}

/* No rows are written to a table that was dropped: the sink looks at the table again before it writes events a second
 * or more after the last look. */
static void test_a_table_that_is_made_again(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = table_of("");
    ps_test_hive_start(&stage, KEYS(UNTIL_CLOSED));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("1,a")));
    table.created_s = 1700000000;
    table.columns = "name:string,id:int";
    ps_test_metastore_alter_table(&table);
    ps_test_stage_pass_ms(&stage, 1100);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("2,b"));
    /* The sink's clock stands still: by it the events wait for the answer no longer than two seconds. */
    uint64_t until_ns = ps_test_patience_end_ns();
    while (!stage.failed) {
        assert_true(ps_test_patient_ns() < until_ns);
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_LATER);
        (void)ps_test_sink_tick(&stage);
        usleep(1000);
    }
    assert_non_null(strstr(stage.err.text, "was altered, or dropped and created again"));
    assert_null(ps_test_sink_recall(&stage));
    ASSERT_WHOLE("", 1, "1|a\n");
    ps_test_stage_close(&stage);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    ps_test_hive_deliver(&stage, lease);
    ASSERT_IN_USE("", 1, "b|2\n");
    (void)ps_test_sink_recall(&stage);
    ps_test_stage_fini(&stage);
}

/* A metastore that does not answer delays the next events by two seconds, but not the events after them. */
static void test_a_look_without_an_answer(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, KEYS(UNTIL_CLOSED));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("1,a")));
    ps_test_metastore_set(PS_TEST_FAR_END_DOWN);
    ps_test_stage_pass_ms(&stage, 1100);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("2,b"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_LATER);
    assert_true(ps_test_sink_tick(&stage) <= stage.now.mono_ns + 2 * PS_NS_PER_S);
    ps_test_stage_pass_ms(&stage, 2000);
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_TAKEN);
    ps_test_stage_pass_ms(&stage, 1100);
    lease = PS_LEASE(&stage, PS_BODY("3,c"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_TAKEN);
    ps_test_metastore_set(PS_TEST_FAR_END_UP);
    assert_null(ps_test_sink_recall(&stage));
    ASSERT_WHOLE("", 1, "1|a\n2|b\n3|c\n");
    assert_false(stage.failed);
    ps_test_stage_fini(&stage);
}

/* Without events the table is looked at once a minute. A look that fails is repeated after growing backoffs, and after a
 * success the backoffs begin again with the shortest. */
static void test_looks_without_events(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, KEYS(UNTIL_CLOSED));
    stage.port.retry_step_ns = PS_NS_PER_S;
    stage.port.retry_rest_max_ns = 60 * PS_NS_PER_S;
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("1,a")));
    const struct ps_hive_sink *sink = *(struct ps_hive_sink **)stage.state;
    for (unsigned round = 0; round < 4; round++) {
        PS_HIVE_AWAIT(&stage, sink->look.next_ns > sink->now.mono_ns);
        unsigned calls = ps_test_metastore_calls("get_table_req"), failures = round % 3;
        uint64_t left_ns = sink->look.next_ns - sink->now.mono_ns;
        assert_in_range(left_ns, 50 * PS_NS_PER_S, 60 * PS_NS_PER_S);
        ps_test_stage_pass_ms(&stage, (unsigned)(left_ns / PS_NS_PER_MS) - 20);
        for (unsigned turns = 0; turns < 10; turns++)
            ps_test_hive_turn(&stage);
        assert_int_equal(ps_test_metastore_calls("get_table_req"), calls);
        if (failures > 0)
            ps_test_metastore_cut("get_table_req", failures);
        for (unsigned failed = 1; failed <= failures; failed++) {
            PS_HIVE_AWAIT(&stage, sink->look.failures == failed);
            uint64_t rest_ns = ps_port_rest_ns(&stage.port, failed);
            assert_int_equal(sink->look.next_ns - sink->now.mono_ns, rest_ns);
            ps_test_stage_pass_ms(&stage, (unsigned)(rest_ns / PS_NS_PER_MS));
        }
        PS_HIVE_AWAIT(&stage, ps_test_metastore_calls("get_table_req") == calls + failures + 1);
        PS_HIVE_AWAIT(&stage, !sink->look.under_way);
        assert_int_equal(sink->look.failures, 0);
        assert_int_equal(sink->look.next_ns - sink->now.mono_ns, 60 * PS_NS_PER_S);
    }
    assert_false(stage.failed);
    (void)ps_test_sink_recall(&stage);
    ps_test_stage_fini(&stage);
}

static void test_files_are_rolled(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, KEYS("penstock.roll.interval", "60", "penstock.roll.count", "2"));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("1,a"), PS_BODY("2,b"), PS_BODY("3,c")));
    PS_HIVE_AWAIT(&stage, has_whole("", 1));
    ASSERT_WHOLE("", 1, "1|a\n2|b\n");
    ASSERT_IN_USE("", 1, "3|c\n");
    ps_test_stage_pass_ms(&stage, 61000);
    PS_HIVE_AWAIT(&stage, has_whole("", 2));
    ASSERT_WHOLE("", 2, "1|a\n2|b\n3|c\n");
    ps_test_stage_fini(&stage);
}

/* The leftovers of a killed agent become a complete file, in a partition without new events. */
static void test_orphans(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = table_of("day:string,hour:int");
    char host[256] = "", name[400];
    ps_test_metastore_set_table(&table);
    assert_int_equal(gethostname(host, sizeof host - 1), 0);
    ps_test_stage_init(&stage, &ps_sink_hive);
    (void)mkdir(ps_test_hive_folder(), 0700);
    for (unsigned i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "t/%s", i == 0 ? "mon" : "mon/7");
        assert_int_equal(mkdir(ps_test_folder_path(name), 0700), 0);
    }
    snprintf(name, sizeof name, "t/mon/7/_%s-%s-%s.1500000000000.tmp", "a1", stage.port.name, host);
    ps_test_folder_append(name, "1|a\n", 4);
    snprintf(name, sizeof name, "t/mon/7/_%s-%s-%s.1500000000000.tmp", "a1", stage.port.name, "other");
    ps_test_folder_append(name, "2|b\n", 4);
    ps_test_stage_fini(&stage);
    ps_test_hive_start(&stage, KEYS("hive.partition", "%{day},%{hour}", UNTIL_CLOSED));
    PS_HIVE_AWAIT(&stage, has_whole("mon/7", 1));
    ASSERT_WHOLE("mon/7", 1, "1|a\n");
    ASSERT_IN_USE("mon/7", 1, "2|b\n"); /* of another agent */
    assert_int_equal(ps_test_stage_counter(&stage, (enum ps_counter)ORPHANS), 1);
    (void)ps_test_sink_recall(&stage);
    ps_test_stage_fini(&stage);
}

static void leave(const char *number, const char *text)
{
    char host[256] = "", name[400];
    assert_int_equal(gethostname(host, sizeof host - 1), 0);
    snprintf(name, sizeof name, "t/_a1-t1-%s.%s", host, number);
    ps_test_folder_append(name, text, strlen(text));
}

/* An agent that is killed while it writes leaves a part of a row; the sink cuts it off when it completes the file. A
 * compressed file is not cut. */
static void test_orphans_with_a_part_of_a_row(void **unused)
{
    struct ps_test_stage stage;
    (void)mkdir(ps_test_hive_folder(), 0700);
    leave("1500000000000.tmp", "1|a\n2|b\n3|nam");
    leave("1500000000001.tmp", "4|na");
    leave("1500000000002.tmp", "5|e\n");
    ps_test_hive_start(&stage, KEYS(UNTIL_CLOSED));
    PS_HIVE_AWAIT(&stage, has_whole("", 2));
    ASSERT_WHOLE("", 2, "1|a\n2|b\n5|e\n");
    PS_HIVE_AWAIT(&stage, ps_test_stage_counter(&stage, (enum ps_counter)(ORPHANS - 3)) == 0);
    ASSERT_IN_USE("", 0, "");
    (void)ps_test_sink_recall(&stage);
    ps_test_stage_fini(&stage);
    leave("1500000000003.gz.tmp", "no line feed");
    ps_test_hive_start(&stage, KEYS("penstock.codeC", "gzip", UNTIL_CLOSED));
    PS_HIVE_AWAIT(&stage, has_whole("", 3));
    ASSERT_WHOLE("", 3, "1|a\n2|b\n5|e\nno line feed");
    (void)ps_test_sink_recall(&stage);
    ps_test_stage_fini(&stage);
}

/* An event that cannot become a line of the table is dropped. */
static void test_rows_that_are_dropped(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage,
                       PS_HIVE_KEYS("penstock.table.type", "plain", "serializer", "JSON", UNTIL_CLOSED));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("{\"name\": \"a|b\"}"),
                                          PS_BODY("{\"id\": 2, \"name\": \"c\"}"), PS_BODY("no row")));
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 2);
    assert_null(ps_test_sink_recall(&stage));
    ASSERT_WHOLE("", 1, "2|c\n");
    ps_test_stage_fini(&stage);
}

/* With dead letters, this event and one without a partition become dead letters. */
static void test_rows_that_become_dead_letters(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = table_of("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, KEYS(BY_DAY, "serializer.delimiter", ";", UNTIL_CLOSED));
    ps_test_dead_letters_open(&stage);
    ps_test_hive_deliver(
        &stage, PS_LEASE(&stage, DAY("1;a|b", "mon"), DAY("2;c", "mon"), DAY("3;|", "mon"), PS_BODY("4;f")));
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 2);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_deadletter), 3);
    assert_null(ps_test_sink_recall(&stage));
    ASSERT_WHOLE("mon", 1, "2|c\n");
    assert_string_equal(ps_test_dead_letters_bodies("event-unwritable"), "4;f\n1;a|b\n3;|\n");
    assert_int_equal(ps_test_dead_letters_with("a value of its partition is empty"), 1);
    assert_int_equal(ps_test_dead_letters_with("column name: byte 0x7c in it separates values"), 2);
    ps_test_stage_close(&stage);
    ps_test_dead_letters_close(&stage);
    ps_test_stage_fini(&stage);
}

static void test_a_table_of_json(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = table_of("");
    table.serde = JSON;
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, KEYS(UNTIL_CLOSED));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("1,\"a\""), PS_BODY("x")));
    assert_null(ps_test_sink_recall(&stage));
    ASSERT_WHOLE("", 1, "{\"id\":1,\"name\":\"\\\"a\\\"\"}\n{}\n");
    ps_test_stage_fini(&stage);
}

/* Hive knows the codec by the ending of the name. */
static void test_files_that_are_compressed(void **unused)
{
    static const char *const names[] = {"gzip", "DEFLATE", "BZip2Codec", "lz4", "snappy", "zstandard"};
    for (unsigned i = 0; i < PS_COUNT_OF(names); i++) {
        struct ps_test_stage stage;
        enum ps_hadoop_codec codec;
        size_t packed_length, length;
        assert_int_equal(ps_hadoop_codec_find(names[i], &codec), PS_HADOOP_CODEC_FOUND);
        ps_test_hive_start(&stage, KEYS("penstock.codeC", names[i], UNTIL_CLOSED));
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("1,one"), PS_BODY("2,two")));
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("3,three")));
        assert_null(ps_test_sink_recall(&stage));
        char *packed = bytes_of_file(ps_hadoop_codecs[codec].extension, &packed_length);
        char *text = ps_test_hadoop_unpack(codec, packed, packed_length, &length);
        assert_int_equal(length, strlen("1|one\n2|two\n3|three\n"));
        assert_memory_equal(text, "1|one\n2|two\n3|three\n", length);
        free(text);
        free(packed);
        ps_test_stage_fini(&stage);
    }
}

/* The sink looks a transactional table up again, until a plain one has its name. */
static void test_a_table_that_is_transactional(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = table_of("");
    table.parameters = "transactional=true";
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, KEYS(UNTIL_CLOSED));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("1,a"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_LATER);
    PS_HIVE_AWAIT(&stage, ps_test_metastore_calls("get_table_req") == 2);
    table = table_of("");
    ps_test_metastore_set_table(&table);
    ps_test_hive_deliver(&stage, lease);
    (void)ps_test_sink_recall(&stage);
    ps_test_stage_fini(&stage);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, ps_test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rows_are_seen_in_whole_files),
        TEST(test_partitions_are_made),
        TEST(test_a_metastore_that_is_down),
        TEST(test_quiet_partitions_are_forgotten),
        TEST(test_a_partition_that_fails_again),
        TEST(test_thousands_of_partitions),
        TEST(test_a_partition_that_is_dropped),
        TEST(test_a_table_that_is_made_again),
        TEST(test_a_look_without_an_answer),
        TEST(test_looks_without_events),
        TEST(test_files_are_rolled),
        TEST(test_orphans),
        TEST(test_orphans_with_a_part_of_a_row),
        TEST(test_rows_that_are_dropped),
        TEST(test_rows_that_become_dead_letters),
        TEST(test_a_table_of_json),
        TEST(test_files_that_are_compressed),
        TEST(test_a_table_that_is_transactional),
    };
    return cmocka_run_group_tests(tests, ps_test_hive_group_setup, ps_test_hive_group_teardown);
}
