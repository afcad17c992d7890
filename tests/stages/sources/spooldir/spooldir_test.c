/* The source spooldir on real directories, under a fake clock: orders, names, headers, finished files, positions over
 * restarts, and files that are changed or come back, which a spooling directory forbids. */
#include "stages/lib/spool/meta.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writes these contents in place, with a modification time of this number of milliseconds after 1970. */
static void write_file(const char *name, const char *contents, long ms)
{
    FILE *file = fopen(ps_test_folder_path(name), "w");
    assert_non_null(file);
    assert_true(fputs(contents, file) >= 0);
    assert_int_equal(fclose(file), 0);
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    const struct timespec times[2] = {time, time};
    assert_int_equal(utimensat(AT_FDCWD, ps_test_folder_path(name), times, 0), 0);
}

/* A new file. It appears complete, as a spooling directory requires: the source's thread may look at any time. */
static void put(const char *name, const char *contents, long ms)
{
    write_file(".put", contents, ms);
    assert_int_equal(rename(ps_test_folder_path(".put"), ps_test_folder_path(name)), 0);
}

static bool is_there(const char *name)
{
    return access(ps_test_folder_path(name), F_OK) == 0;
}

#define START(stage, ...)                                                                                    \
    ps_test_stage_start((stage), &ps_source_spooldir,                                                        \
                        PS_KEYS("spoolDir", ps_test_folder(), "pollDelay", "10", __VA_ARGS__))

/* Works until there are `count` events, then closes the batch: they are delivered. */
static void read_events(struct ps_test_stage *stage, size_t count)
{
    uint64_t until = ps_test_patience_end_ns();
    while (stage->event_count + (stage->batch != NULL ? stage->batch->count : 0) < count) {
        if (ps_test_patient_ns() > until)
            fail_msg("%zu events, not %zu",
                     stage->event_count + (stage->batch != NULL ? stage->batch->count : 0), count);
        if (ps_test_source_work(stage) == PS_IDLE)
            usleep(1000);
        ps_test_stage_pass_ms(stage, 1);
    }
}

/* Works until the condition holds; batches are delivered. */
#define UNTIL(stage, condition)                                                                              \
    do {                                                                                                     \
        uint64_t until_ = ps_test_patience_end_ns();                                                         \
        while (!(condition)) {                                                                               \
            assert_true(ps_test_patient_ns() < until_);                                                      \
            (void)ps_test_source_work(stage);                                                                \
            ps_test_source_close_batch(stage);                                                               \
            ps_test_stage_pass_ms(stage, 1);                                                                 \
            usleep(1000);                                                                                    \
        }                                                                                                    \
    } while (0)

/* Returns the bodies of all events, each followed by a blank. */
static const char *bodies(struct ps_test_stage *stage)
{
    static char text[1024];
    size_t at = 0;
    ps_test_source_close_batch(stage);
    text[0] = '\0';
    for (size_t i = 0; i < stage->event_count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s ", stage->events[i].body);
    return text;
}

static void test_orders(void **state)
{
    static const struct {
        const char *order, *policy, *expected;
    } rows[] = {{"oldest", "immediate", "c a b d "}, {"YOUNGEST", "IMMEDIATE", "b d a c "}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_test_stage stage;
        put("d", "d\n", 2999);
        put("b", "b\n", 2999);
        put("a", "a\n", 2998);
        put("c", "c\n", 1999);
        START(&stage, "consumeOrder", rows[i].order, "deletePolicy", rows[i].policy);
        read_events(&stage, 4);
        assert_string_equal(bodies(&stage), rows[i].expected);
        UNTIL(&stage, !is_there("a") && !is_there("b") && !is_there("c") && !is_there("d"));
        assert_false(is_there("a.COMPLETED") || is_there("d.COMPLETED"));
        ps_test_stage_fini(&stage);
    }
}

static void test_names(void **state)
{
    struct ps_test_stage stage;
    put("one.log", "1\n", 1000);
    put("two.txt", "2\n", 1001);
    put(".hidden.log", "3\n", 1002);
    put("old.log.DONE", "4\n", 1003);
    put("bad.log", "5\n", 1004);
    assert_int_equal(mkdir(ps_test_folder_path("sub"), 0755), 0);
    assert_int_equal(mkdir(ps_test_folder_path("skipped"), 0755), 0);
    assert_int_equal(mkdir(ps_test_folder_path(".dot"), 0755), 0);
    put("sub/deep.log", "6\n", 1005);
    put("skipped/x.log", "7\n", 1006);
    put(".dot/x.log", "8\n", 1007);
    assert_int_equal(mkfifo(ps_test_folder_path("pipe.log"), 0644), 0);
    START(&stage, "fileSuffix", ".DONE", "includePattern", ".*\\.log", "ignorePattern", "bad.*|skipped",
          "recursiveDirectorySearch", "true", "fileHeader", "true", "fileHeaderKey", "path", "basenameHeader",
          "true", "basenameHeaderKey", "name");
    read_events(&stage, 2);
    ps_test_source_settle(&stage, 2, 50);
    assert_string_equal(bodies(&stage), "1 6 ");
    assert_string_equal(ps_test_event_header(&stage.events[0], "path"), ps_test_folder_path("one.log"));
    assert_string_equal(ps_test_event_header(&stage.events[0], "name"), "one.log");
    assert_string_equal(ps_test_event_header(&stage.events[1], "path"), ps_test_folder_path("sub/deep.log"));
    assert_string_equal(ps_test_event_header(&stage.events[1], "name"), "deep.log");
    UNTIL(&stage, is_there("one.log.DONE") && is_there("sub/deep.log.DONE"));
    assert_true(is_there("bad.log") && is_there("two.txt") && is_there("skipped/x.log"));
    ps_test_stage_fini(&stage);
}

/* New files are found; a file without bytes is one empty event. */
static void test_files_come(void **state)
{
    struct ps_test_stage stage;
    START(&stage, "fileHeader", "false");
    put("empty", "", 1000);
    read_events(&stage, 1);
    put("later", "x\ny", 1001);
    read_events(&stage, 3);
    assert_string_equal(bodies(&stage), " x y ");
    UNTIL(&stage, is_there("empty.COMPLETED") && is_there("later.COMPLETED"));
    assert_false(is_there(".flumespool/.flumespool-main.meta"));
    ps_test_stage_fini(&stage);
}

static void test_markers(void **state)
{
    struct ps_test_stage stage;
    for (int life = 0; life < 2; life++) {
        if (life == 0) {
            put("a", "a\n", 1000);
            assert_int_equal(mkdir(ps_test_folder_path("sub"), 0755), 0);
            put("sub/b", "b\n", 1001);
        } else {
            put("c", "c\n", 1002);
        }
        START(&stage, "trackingPolicy", "TRACKER_DIR", "trackerDir", "seen", "recursiveDirectorySearch",
              "true");
        read_events(&stage, life == 0 ? 2 : 1);
        assert_string_equal(bodies(&stage), life == 0 ? "a b " : "c ");
        UNTIL(&stage, is_there(life == 0 ? "seen/sub/b.COMPLETED" : "seen/c.COMPLETED"));
        assert_true(is_there("a") && is_there("sub/b") && is_there("seen/a.COMPLETED"));
        ps_test_stage_fini(&stage);
    }
}

/* A file is renamed only when all of it is delivered; a source that is stopped before that continues after the last delivered event. */
static void test_a_second_life(void **state)
{
    struct ps_test_stage stage;
    char contents[16384];
    size_t length = 0;
    for (unsigned i = 0; i < 2000; i++)
        length += (size_t)sprintf(contents + length, "%u\n", i);
    put("first", contents, 1000);
    put("second", "last\n", 2000);
    START(&stage, "fileHeader", "false");
    read_events(&stage, 1024); /* a full batch: delivered */
    size_t delivered = stage.event_count;
    assert_int_equal(delivered, 1024);
    UNTIL(&stage, is_there(".flumespool/.flumespool-main.meta") || stage.event_count > delivered);
    delivered = stage.event_count;
    /* delivered events are drained; events read afterwards are not */
    while (!stage.ops->source->drain(stage.plan, stage.state, &stage.now)) {
        ps_test_source_close_batch(&stage);
        ps_test_stage_pass_ms(&stage, 1);
        usleep(1000);
    }
    ps_test_source_close_batch(&stage);
    delivered = stage.event_count;
    ps_test_source_clear(&stage);
    ps_test_stage_close(&stage);
    put("older", "came later\n", 10); /* does not come first: Flume would forget the position */
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    read_events(&stage, 2002 - delivered);
    ps_test_source_close_batch(&stage);
    char expected[16];
    snprintf(expected, sizeof expected, "%zu", delivered);
    if (delivered < 2000)
        assert_string_equal(stage.events[0].body, expected);
    UNTIL(&stage, is_there("first.COMPLETED") && is_there("second.COMPLETED") && is_there("older.COMPLETED"));
    ps_test_stage_fini(&stage);
}

/* After a close without a delivery no file is renamed, and all events come again. */
static void test_nothing_is_delivered(void **state)
{
    struct ps_test_stage stage;
    put("a", "1\n2\n", 1000);
    START(&stage, "fileHeader", "false");
    for (int life = 0; life < 2; life++) {
        read_events(&stage, 2);
        ps_test_stage_close(&stage);
        ps_test_stage_recycle(&stage);
        assert_true(is_there("a"));
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    }
    read_events(&stage, 2);
    UNTIL(&stage, is_there("a.COMPLETED"));
    ps_test_stage_fini(&stage);
}

/* A damaged positions file only makes events come again. */
static void test_a_damaged_position(void **state)
{
    struct ps_test_stage stage;
    put("a", "1\n2\n", 1000);
    assert_int_equal(mkdir(ps_test_folder_path(".flumespool"), 0755), 0);
    FILE *file = fopen(ps_test_folder_path(".flumespool/.flumespool-main.meta"), "w");
    assert_non_null(file);
    assert_true(fputs("this is no Avro file", file) >= 0);
    assert_int_equal(fclose(file), 0);
    START(&stage, "fileHeader", "false");
    read_events(&stage, 2);
    UNTIL(&stage, is_there("a.COMPLETED"));
    ps_test_stage_fini(&stage);
}

/* A positions file that cannot be read does not count as missing: nothing is read before it is readable, and then from
 * its position. Tested twice in a row. */
static void test_an_unreadable_position(void **state)
{
    struct ps_test_stage stage;
    struct ps_err err;
    struct stat status;
    char target[256], meta_path[256], aside[256];
    put("a", "1\n2\n", 1000);
    snprintf(target, sizeof target, "%s", ps_test_folder_path("a"));
    snprintf(meta_path, sizeof meta_path, "%s", ps_test_folder_path(".flumespool/.flumespool-main.meta"));
    snprintf(aside, sizeof aside, "%s", ps_test_folder_path(".flumespool/aside"));
    assert_int_equal(stat(target, &status), 0);
    const struct ps_spool_meta meta = {
        .target = target, .position = 2, .device = status.st_dev, .inode = status.st_ino};
    assert_int_equal(mkdir(ps_test_folder_path(".flumespool"), 0755), 0);
    assert_int_equal(ps_spool_meta_write(aside, &meta, &err), PS_OK);
    assert_int_equal(symlink(".flumespool-main.meta", meta_path), 0); /* ELOOP */
    START(&stage, "fileHeader", "false");
    for (unsigned round = 0; round < 2; round++) {
        UNTIL(&stage, stage.failed);
        assert_int_equal(stage.event_count, 0);
        assert_non_null(strstr(stage.err.text, "the position cannot be read"));
        if (round == 1) {
            assert_int_equal(unlink(meta_path), 0);
            assert_int_equal(rename(aside, meta_path), 0);
        }
        ps_test_stage_close(&stage);
        ps_test_stage_recycle(&stage);
        stage.failed = false;
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    }
    UNTIL(&stage, is_there("a.COMPLETED"));
    assert_string_equal(bodies(&stage), "2 ");
    ps_test_stage_fini(&stage);
}

/* A position whose file is gone is deleted. */
static void test_a_position_that_is_left(void **state)
{
    struct ps_test_stage stage;
    struct ps_err err;
    char target[256];
    snprintf(target, sizeof target, "%s", ps_test_folder_path("gone"));
    const struct ps_spool_meta meta = {.target = target, .position = 5, .device = 1, .inode = 2};
    assert_int_equal(mkdir(ps_test_folder_path(".flumespool"), 0755), 0);
    assert_int_equal(
        ps_spool_meta_write(ps_test_folder_path(".flumespool/.flumespool-main.meta"), &meta, &err), PS_OK);
    START(&stage, "fileHeader", "false");
    put("a", "1\n", 1000);
    read_events(&stage, 1);
    UNTIL(&stage, is_there("a.COMPLETED"));
    assert_false(is_there(".flumespool/.flumespool-main.meta"));
    ps_test_stage_fini(&stage);
}

/* An earlier run left a position before, at or beyond the end of the file: all of it is read again only if the file
 * is shorter than the position. */
static void test_positions_at_the_end(void **state)
{
    static const struct {
        uint64_t position;
        const char *expected;
    } rows[] = {{0, "1 2 next "}, {2, "2 next "}, {4, "next "}, {5, "1 2 next "}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_test_stage stage;
        struct ps_err err;
        struct stat status;
        char target[256];
        put("a", "1\n2\n", 1000);
        put("b", "next\n", 2000);
        snprintf(target, sizeof target, "%s", ps_test_folder_path("a"));
        assert_int_equal(stat(target, &status), 0);
        const struct ps_spool_meta meta = {
            .target = target, .position = rows[i].position, .device = status.st_dev, .inode = status.st_ino};
        assert_int_equal(mkdir(ps_test_folder_path(".flumespool"), 0755), 0);
        assert_int_equal(
            ps_spool_meta_write(ps_test_folder_path(".flumespool/.flumespool-main.meta"), &meta, &err),
            PS_OK);
        START(&stage, "fileHeader", "false");
        UNTIL(&stage, is_there("a.COMPLETED") && is_there("b.COMPLETED"));
        assert_string_equal(bodies(&stage), rows[i].expected);
        ps_test_stage_fini(&stage);
        ps_test_folder_teardown(NULL);
        ps_test_folder_setup(NULL);
    }
}

/* The directory is moved away and comes back: that is logged, and its new files are read. */
static void test_the_directory_goes(void **state)
{
    struct ps_test_stage stage;
    char away[80];
    snprintf(away, sizeof away, "%s-away", ps_test_folder());
    put("a", "1\n", 1000);
    START(&stage, "fileHeader", "false");
    UNTIL(&stage, is_there("a.COMPLETED"));
    uint64_t before = ps_log_count(PS_LOG_ERROR);
    assert_int_equal(rename(ps_test_folder(), away), 0);
    UNTIL(&stage, ps_log_count(PS_LOG_ERROR) > before);
    assert_int_equal(rename(away, ps_test_folder()), 0);
    put("b", "2\n", 1000);
    UNTIL(&stage, is_there("b.COMPLETED"));
    assert_string_equal(bodies(&stage), "1 2 ");
    ps_test_stage_fini(&stage);
}

static char halted[1024]; /* the reason why the source has stopped; empty: it has not */

static void record_halted(struct ps_port *port, const char *reason)
{
    snprintf(halted, sizeof halted, "%s", reason);
}

static void assert_stopped(struct ps_test_stage *stage)
{
    UNTIL(stage, ps_test_stage_counter(stage, PS_COUNTER_EventReadFail) == 1);
    assert_non_null(strstr(halted, ps_test_folder_path("a")));
    put("next", "next\n", 9000);
    ps_test_source_close_batch(stage);
    ps_test_source_clear(stage);
    ps_test_source_settle(stage, 0, 50);
    assert_true(is_there("next"));
}

static void assert_went_on(struct ps_test_stage *stage)
{
    UNTIL(stage, ps_test_stage_counter(stage, PS_COUNTER_EventReadFail) == 1);
    put("next", "next\n", 9000);
    ps_test_source_close_batch(stage);
    ps_test_source_clear(stage);
    read_events(stage, 1);
    assert_string_equal(bodies(stage), "next ");
    UNTIL(stage, is_there("next.COMPLETED"));
    assert_string_equal(halted, "");
}

static void test_broken_assumptions(void **state)
{
    static const char *const policies[] = {"stop", "skip"};
    for (size_t i = 0; i < PS_COUNT_OF(policies); i++) {
        for (unsigned what = 0; what < 3; what++) {
            struct ps_test_stage stage;
            put("a", what == 2 ? "1\n\xFF\n" : "1\n", 1000);
            if (what == 1)
                put("a.COMPLETED", "another\n", 500);
            START(&stage, "penstock.onFileError", policies[i]);
            stage.port.halted = record_halted;
            halted[0] = '\0';
            read_events(&stage, 1);
            if (what == 0)
                write_file("a", "1\nmore\n", 2000); /* the same file, changed */
            if (i == 0)
                assert_stopped(&stage);
            else
                assert_went_on(&stage);
            assert_true(is_there("a"));
            ps_test_stage_fini(&stage);
            ps_test_folder_teardown(NULL);
            ps_test_folder_setup(NULL);
        }
    }
}

static unsigned aside_files(void)
{
    unsigned count = 0;
    DIR *tracker = opendir(ps_test_folder_path(".flumespool"));
    assert_non_null(tracker);
    for (const struct dirent *entry; (entry = readdir(tracker)) != NULL;)
        count += strncmp(entry->d_name, ".flumespool-aside-", 18) == 0;
    closedir(tracker);
    return count;
}

/* A restart tries to read a file that was left alone, without repeating its former events; a corrected file is read
 * from its beginning. The file with its position is deleted when the file is finished, or at the first start after it
 * was deleted. */
static void test_left_alone_over_restarts(void **state)
{
    struct ps_test_stage stage;
    put("a", "1\n2\n\xFF\n3\n", 1000);
    for (unsigned life = 0; life < 3; life++) {
        START(&stage, "penstock.onFileError", "skip");
        if (life == 0)
            read_events(&stage, 2);
        UNTIL(&stage, ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail) == 1);
        ps_test_source_close_batch(&stage);
        ps_test_source_settle(&stage, life == 0 ? 2 : 0, 50);
        assert_string_equal(bodies(&stage), life == 0 ? "1 2 " : "");
        ps_test_source_clear(&stage);
        put("next", "next\n", 9000);
        read_events(&stage, 1);
        assert_string_equal(bodies(&stage), "next ");
        UNTIL(&stage, is_there("next.COMPLETED"));
        assert_int_equal(unlink(ps_test_folder_path("next.COMPLETED")), 0);
        assert_int_equal(aside_files(), 1);
        ps_test_stage_fini(&stage);
    }
    write_file("a", "1\n2\n?\n3\n", 1000); /* size, time and inode are unchanged */
    START(&stage, "penstock.onFileError", "skip");
    read_events(&stage, 4);
    assert_string_equal(bodies(&stage), "1 2 ? 3 ");
    UNTIL(&stage, is_there("a.COMPLETED"));
    assert_int_equal(aside_files(), 0);
    put("b", "1\n\xFF\n", 1000);
    UNTIL(&stage, aside_files() == 1);
    ps_test_stage_fini(&stage);
    assert_int_equal(unlink(ps_test_folder_path("b")), 0);
    START(&stage, "penstock.onFileError", "skip");
    UNTIL(&stage, aside_files() == 0);
    ps_test_stage_fini(&stage);
}

static void note_tracker(void *argument, const struct ps_claim *claim)
{
    if (strcmp(claim->key, "trackerDir") == 0)
        snprintf(argument, 256, "%s", claim->path);
}

/* The source claims its tracker directory, which another source must not use. A relative path is below the
 * source's own directory. */
static void test_claims(void **state)
{
    static const struct {
        const char *tracker, *path;
    } rows[] = {
        {NULL, "/spool/one/.flumespool"}, {"state", "/spool/one/state"}, {"/spool/two", "/spool/two"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_test_stage stage;
        char path[256] = "";
        ps_test_stage_init(&stage, &ps_source_spooldir);
        assert_int_equal(
            ps_test_stage_bind(&stage, PS_KEYS("spoolDir", "/spool/one",
                                               rows[i].tracker != NULL ? "trackerDir" : "fileHeader",
                                               rows[i].tracker != NULL ? rows[i].tracker : "false")),
            PS_OK);
        stage.ops->claims(stage.plan, &stage.context, note_tracker, path);
        assert_string_equal(path, rows[i].path);
        ps_test_stage_fini(&stage);
    }
}

static void test_keys(void **state)
{
    static const struct {
        const char *keys[5], *names;
    } rows[] = {
        {{"spoolDir", "/x", "deletePolicy", "later", NULL}, "deletePolicy"},
        {{"spoolDir", "/x", "trackingPolicy", "both", NULL}, "trackingPolicy"},
        {{"spoolDir", "/x", "includePattern", "(", NULL}, "includePattern"},
        {{"spoolDir", "/x", "ignorePattern", "[", NULL}, "ignorePattern"},
        {{"spoolDir", "/x", "inputCharset", "nonsense", NULL}, "inputCharset"},
        {{"spoolDir", "/x", "inputCharset", "IBM037", NULL}, "line ends"},
        {{"spoolDir", "/x", "bufferMaxLineLength", "many", NULL}, "maxLineLength"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_source_spooldir);
        assert_int_equal(ps_test_stage_bind(&stage, rows[i].keys), PS_FAIL);
        assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, rows[i].names));
        ps_test_stage_fini(&stage);
    }
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_source_spooldir);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("spoolDir", ps_test_folder_path("missing"))), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_FAIL);
    assert_non_null(strstr(stage.err.text, "Directory does not exist"));
    ps_test_stage_fini(&stage);
}

static void test_old_line_length(void **state)
{
    struct ps_test_stage stage;
    put("a", "abcdef\n", 1000);
    START(&stage, "bufferMaxLineLength", "4", "deserializer.maxLineLength", "100");
    read_events(&stage, 2);
    assert_string_equal(bodies(&stage), "abcd ef ");
    ps_test_stage_fini(&stage);
}

/* Lines that are split are counted, and the first one of each file is logged; a line of exactly the length is followed by an
 * empty event, except at the end of the file. */
static void test_cut_lines_are_counted(void **state)
{
    struct ps_test_stage stage;
    char said[512];
    assert_int_equal(ps_log_open(ps_test_folder_path(".said"), NULL), PS_OK);
    put("a", "abcdef\nabc\nabcd\nabcdefghi\n", 1000);
    START(&stage, "deserializer.maxLineLength", "4");
    read_events(&stage, 8);
    put("b", "ab\nabcde\nabcdefghi\nab\nabcd", 2000);
    read_events(&stage, 16);
    assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
    assert_string_equal(bodies(&stage), "abcd ef abc abcd  abcd efgh i ab abcd e abcd efgh i ab abcd ");
    const char *at = ps_test_folder_read(".said");
    for (unsigned file = 0; file < 2; file++) {
        snprintf(said, sizeof said,
                 "%s has a line after byte 0 that is longer than deserializer.maxLineLength: it becomes "
                 "several events (lines_cut counts them all; this message appears once for each file)\n",
                 ps_test_folder_path(file == 0 ? "a" : "b"));
        at = strstr(at, said);
        assert_non_null(at);
        at += strlen(said);
    }
    assert_null(strstr(at, "maxLineLength"));
    assert_string_equal(ps_source_spooldir.counters[0], "lines_cut");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_extra), 7);
    ps_test_stage_fini(&stage);
}

#define TEST(function)                                                                                       \
    cmocka_unit_test_setup_teardown(function, ps_test_folder_setup, ps_test_folder_teardown)

/* The reason names the deserializer, not the source. */
static void test_deserializer_without_a_reason(void **state)
{
    struct ps_stage_ops silent = ps_deserializer_line;
    struct ps_test_stage stage;
    silent.open = ps_test_silent_open;
    ps_test_stage_init(&stage, &ps_source_spooldir);
    stage.sub = &silent;
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("spoolDir", ps_test_folder())), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_FAIL);
    assert_non_null(strstr(stage.err.text, "open of deserializer line failed and gave no reason"));
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_deserializer_without_a_reason),
        TEST(test_orders),
        TEST(test_names),
        TEST(test_files_come),
        TEST(test_markers),
        TEST(test_a_second_life),
        TEST(test_nothing_is_delivered),
        TEST(test_a_damaged_position),
        TEST(test_an_unreadable_position),
        TEST(test_a_position_that_is_left),
        TEST(test_positions_at_the_end),
        TEST(test_the_directory_goes),
        TEST(test_broken_assumptions),
        TEST(test_left_alone_over_restarts),
        TEST(test_claims),
        TEST(test_keys),
        TEST(test_old_line_length),
        TEST(test_cut_lines_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
