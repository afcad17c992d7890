/* Files that are renamed, copied, truncated and deleted while the source taildir follows them, and while it is down. */
#include "tests/stages/sources/taildir_support.h"

#include <time.h>

/* Files are created, written and renamed to names that do not match, before the source looks at the directory. */
static void test_renamed_at_once(void **unused)
{
    PS_START(NULL);
    append("app.log", "first\n");
    expect("first"); /* from now on the directory is watched */
    const char *const lines[] = {"one\n", "two\n", "three\n"};
    for (size_t i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "moved.%zu", i);
        append("app.new", lines[i]);
        move("app.new", name);
    }
    ps_test_source_wait(&stage, 3, PS_TEST_PATIENCE_MS);
    ps_test_source_settle(&stage, 3, 100);
    assert_true(stage.event_count == 3);
    ps_test_stage_fini(&stage);
}

/* A file that the source had closed, because it was at rest, is written over and renamed to a name that does not match, before the source
 * looks at it. */
static void written_over_and_renamed(const char *line)
{
    append("app.log", "one\n");
    PS_START("idleTimeout", "50");
    expect("one");
    wait_for_open(0);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", line);
    append("app.log", "\n");
    move("app.log", "rotated");
    expect(line);
    append("rotated", "three\n");
    expect("three");
    ps_test_stage_fini(&stage);
}

static void test_written_over_and_renamed_at_once(void **unused)
{
    written_over_and_renamed("twelve");
}

static void test_cut_and_renamed_at_once(void **unused)
{
    written_over_and_renamed("2");
}

/* The size does not show that it was written over. */
static void test_written_over_by_as_many_bytes_and_renamed(void **unused)
{
    written_over_and_renamed("two");
}

static void test_rename(void **unused)
{
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    append("app.log", "two\n");
    move("app.log", "app.log.1");
    append("app.log", "three\n");
    expect("two three");
    append("app.log.1", "four\n"); /* its writer has not noticed yet */
    expect("four");
    move("app.log.1", "gone.1"); /* a name that does not match */
    move("app.log", "app.log.1");
    append("gone.1", "five\n");
    expect("five");
    append("app.log", "six\n");
    expect("six");
    restart();
    expect_nothing();
    append("gone.1", "seven\n"); /* also after a restart */
    expect("seven");
    ps_test_stage_fini(&stage);
}

static void test_renamed_while_stopped(void **unused)
{
    append("app.log", "one\ntwo\n");
    append("app.same", "one\ntwo\n");
    PS_START(NULL);
    expect("one two one two");
    ps_test_stage_close(&stage);
    append("app.log", "three\n");
    move("app.log", "rotated.1");
    append("app.log", "four\n");
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    expect("three four");
    restart();
    expect_nothing();
    ps_test_stage_fini(&stage);
}

static void cut_and_rename(void (*set_saved)(time_t saved), time_t saved, const char *events)
{
    append("app.log", "one\ntwo\n");
    PS_START(NULL);
    expect("one two");
    ps_test_stage_close(&stage);
    set_saved(saved);
    append("copy.1", "one\ntwo\n");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "three\nfour\n");
    move("app.log", "rotated.1");
    append("app.log", "five\n");
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    expect(events);
    restart();
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* A file is copied, truncated, written again and renamed to a name that no group matches. The position file knows when it was made. */
static void test_cut_and_renamed_while_stopped(void **unused)
{
    cut_and_rename(positions_are_of, time(NULL) + 3600, "three four five");
}

/* The position file is of an older version, and does not know it. The file existed when the positions were saved. */
static void test_cut_and_renamed_before_an_update(void **unused)
{
    cut_and_rename(positions_are_of_older_version, time(NULL) + 3600, "three four five");
}

/* The same, but the file with the inode was made after the positions were saved: nothing proves that it is the same file. */
static void test_inode_of_a_later_file(void **unused)
{
    cut_and_rename(positions_are_of_older_version, time(NULL) - 3600, "five");
}

/* A file is renamed during a restart to a name that no group matches, and the agent stops again before the rest of the file is delivered. */
static void test_renamed_while_stopped_and_stopped_again(void **unused)
{
    char second[512], path[512];
    const char *const keys[] = {
        "filegroups", "h g",        "filegroups.h", second,           "headers.h.kind",
        "other",      "fileHeader", "true",         "headers.g.kind", "usual",
        NULL};
    snprintf(second, sizeof second, "%s/second.*", ps_test_folder());
    append("app.log", "one\n");
    start_with(keys);
    expect("one");
    for (unsigned i = 0; i < 3; i++) {
        ps_test_stage_close(&stage);
        ps_test_stage_recycle(&stage); /* lines that were read and not delivered are lost with the batch */
        if (i == 0) {
            append("app.log", "two\n");
            move("app.log", "rotated-1");
        }
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        work_until(PS_COUNTER_EventReceivedCount, 2 + i);
    }
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    snprintf(path, sizeof path, "%s/app.log", ps_test_folder());
    assert_string_equal(stage.events[0].body, "two");
    assert_string_equal(ps_test_event_header(&stage.events[0], "file"), path);
    assert_string_equal(ps_test_event_header(&stage.events[0], "kind"), "usual");
    ps_test_source_clear(&stage);
    restart();
    expect_nothing();
    ps_test_stage_fini(&stage);
}

static void test_cut(void **unused)
{
    append("app.log", "one\ntwo\n");
    PS_START(NULL);
    expect("one two");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "x\n");
    expect("x");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "longer than before\n"); /* immediately: the size alone does not show the change */
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_string_equal(stage.events[0].body, "longer than before");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_extra + 2), 2);
    ps_test_source_clear(&stage);
    ps_test_stage_close(&stage);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "while it was stopped, much longer\n");
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_string_equal(stage.events[0].body, "while it was stopped, much longer");
    ps_test_stage_fini(&stage);
}

/* The copy that logrotate's copytruncate makes does not count as a new file; the unread rest of the original
 * is read from it. */
static void test_copy_and_cut(void **unused)
{
    append("app.log", "one\ntwo\n");
    PS_START(NULL);
    expect("one two");
    append("app.log", "three\n"); /* before the copy was made; it is not read before the truncation */
    append("app.log.1", "one\ntwo\nthree\n");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "four\n");
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    ps_test_source_settle(&stage, 2, 100);
    ps_test_source_clear(&stage);
    restart();
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* The copy is recognized even if the original was truncated before it was read to its end. */
static void test_copy_of_what_was_read_in_part(void **unused)
{
    append("app.log", "one\n");
    PS_START("batchSize", "1");
    expect("one");
    append("app.log", "two\nthree\nfour\n");
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.event_count, 1);
    append("app.log.1", "one\ntwo\nthree\nfour\n");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    ps_test_source_wait(&stage, 3, PS_TEST_PATIENCE_MS);
    ps_test_source_settle(&stage, 3, 100);
    ps_test_stage_fini(&stage);
}

/* A file was truncated and is longer now than before; all its lines end alike. Its beginning shows that its lines are new. */
static void test_cut_and_longer_again(void **unused)
{
    char line[128];
    for (int i = 0; i < 20; i++) {
        snprintf(line, sizeof line, "old %02d %064d\n", i, 0);
        append("app.log", line);
    }
    PS_START(NULL);
    ps_test_source_wait(&stage, 20, PS_TEST_PATIENCE_MS);
    ps_test_source_clear(&stage);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    for (int i = 0; i < 30; i++) { /* the source does not run during these */
        snprintf(line, sizeof line, "new %02d %064d\n", i, 0);
        append("app.log", line);
    }
    ps_test_source_wait(&stage, 30, PS_TEST_PATIENCE_MS);
    ps_test_source_settle(&stage, 30, 100);
    assert_memory_equal(stage.events[0].body, "new 00", 6);
    ps_test_stage_fini(&stage);
}

/* A writer that does not append leaves a hole, which ends in the middle of a block. */
static void test_hole(void **unused)
{
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    FILE *writer = fopen(ps_test_folder_path("app.log"), "r+");
    assert_non_null(writer);
    assert_int_equal(ftruncate(fileno(writer), 0), 0);
    assert_int_equal(fseek(writer, 10000, SEEK_SET), 0);
    fputs("two\n", writer);
    assert_int_equal(fclose(writer), 0);
    expect("two");
    restart();
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* A file that is truncated before any of it was read is identified by its new beginning. */
static void test_cut_before_it_was_read(void **unused)
{
    append("app.log", "no line yet");
    PS_START(NULL);
    wait_for_open(1);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "another line\n");
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_string_equal(stage.events[0].body, "another line");
    restart();
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* Lines that were read from a file that was copied and truncated, but not delivered, are read from the copy after a
 * crash. */
static void test_copy_of_what_is_not_delivered(void **unused)
{
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    append("app.log", "two\n");
    work_until(PS_COUNTER_EventReceivedCount, 2);
    append("app.log.1", "one\ntwo\n");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    uint64_t until = ps_clock_now().mono_ns + 300 * PS_NS_PER_MS;
    while (ps_clock_now().mono_ns < until) { /* the source notices, and waits */
        ps_test_stage_real_clock(&stage);
        (void)ps_test_source_work(&stage);
    }
    ps_test_stage_close(&stage);
    ps_test_stage_recycle(&stage); /* the batch is lost */
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    expect("two");
    append("app.log", "three\n");
    expect("three");
    ps_test_stage_fini(&stage);
}

/* Returns when everything that was read is delivered and saved. */
static void drain(void)
{
    uint64_t until = ps_test_patience_end_ns();
    while (!stage.ops->source->drain(stage.plan, stage.state, &stage.now)) {
        ps_test_stage_real_clock(&stage);
        (void)ps_test_source_work(&stage);
        usleep(1000);
        assert_true(ps_test_patient_ns() < until);
    }
}

/* Lines of a file that is copied and truncated are delivered a few cycles later: before the copy is found, between that and the
 * new beginning of the original, or after it. The copy gets the new position each time, so that a stop need not wait. */
static void test_delivered_while_a_copy_is_found(void **unused)
{
    PS_START(NULL);
    for (unsigned round = 0; round < 12; round++) {
        char name[32], copy[40];
        snprintf(name, sizeof name, "app.%u", round);
        snprintf(copy, sizeof copy, "app.%u.copy", round);
        append(name, "one\n");
        expect("one");
        append(name, "two\n");
        uint64_t received = ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount);
        work_until(PS_COUNTER_EventReceivedCount, received + 1);
        assert_int_equal(truncate(ps_test_folder_path(name), 0), 0);
        append(copy, "one\ntwo\n");
        for (unsigned i = 0; i < round; i++) {
            ps_test_stage_real_clock(&stage);
            (void)ps_test_source_work(&stage);
            usleep(500);
        }
        expect("two");
        ps_test_source_settle(&stage, 0, 60);
        drain();
        restart();
    }
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* Undelivered lines are also read from a copy that appears after its original began anew. */
static void test_late_copy_of_what_is_not_delivered(void **unused)
{
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    append("app.log", "two\n");
    work_until(PS_COUNTER_EventReceivedCount, 2);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "three\n");
    work_until(PS_COUNTER_EventReceivedCount, 3);
    append("app.log.1", "one\ntwo\n");
    work_until(PS_COUNTER_extra + 1, 2); /* both are open */
    ps_test_stage_close(&stage);
    ps_test_stage_recycle(&stage); /* the batch is lost */
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    bool two_first = strcmp(stage.events[0].body, "two") == 0;
    assert_string_equal(stage.events[two_first ? 0 : 1].body, "two");
    assert_string_equal(stage.events[two_first ? 1 : 0].body, "three");
    ps_test_source_clear(&stage);
    restart();
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* Whichever directory is looked at first, the file is continued where it was, even if it was idle meanwhile. */
static void test_moved_between_directories(void **unused)
{
    char one[600], two[600];
    snprintf(one, sizeof one, "%s/one/app.*", ps_test_folder());
    snprintf(two, sizeof two, "%s/two/app.*", ps_test_folder());
    assert_int_equal(mkdir(ps_test_folder_path("one"), 0700), 0);
    assert_int_equal(mkdir(ps_test_folder_path("two"), 0700), 0);
    append("one/app.log", "one\n");
    PS_START("filegroups", "g h", "filegroups.g", one, "filegroups.h", two, "idleTimeout", "50", NULL);
    expect("one");
    for (unsigned i = 0; i < 4; i++) {
        const char *from = i % 2 == 0 ? "one/app.log" : "two/app.log";
        const char *to = i % 2 == 0 ? "two/app.log" : "one/app.log";
        move(from, to);
        append(to, "two\n");
        expect("two");
        wait_for_open(0);
        append(to, "three\n");
        expect("three");
        wait_for_open(0);
    }
    ps_test_stage_fini(&stage);
}

static void test_deleted_while_it_is_read(void **unused)
{
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    FILE *writer = fopen(ps_test_folder_path("app.log"), "a");
    assert_non_null(writer);
    assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
    fputs("two\n", writer);
    fflush(writer);
    expect("two");
    append("app.log", "three\n"); /* this file may have the inode */
    expect("three");
    fclose(writer);
    ps_test_stage_fini(&stage);
}

/* The worker is late: a line that was written to a deleted file in time is read before the file counts as idle. The clock of the test may be
 * faster than the disk, so the idle time is an hour. */
static void test_deleted_and_read_late(void **unused)
{
    append("app.log", "one\n");
    PS_START("idleTimeout", "3600000", NULL);
    expect("one");
    FILE *writer = fopen(ps_test_folder_path("app.log"), "a");
    assert_non_null(writer);
    assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
    append("app.next", "two\n"); /* the look that finds it misses the other file */
    expect("two");
    for (unsigned i = 0; i < 3; i++) {
        fputs("three\n", writer);
        fflush(writer);
        ps_test_stage_pass_ms(&stage, 3700000);
        expect("three");
    }
    ps_test_stage_pass_ms(&stage, 3700000);
    wait_for_open(0); /* the deleted file is closed when nothing comes */
    fclose(writer);
    ps_test_stage_fini(&stage);
}

/* Works until the position file names this path; the open batch stays open. */
static void wait_for_position(const char *path)
{
    char quoted[600];
    snprintf(quoted, sizeof quoted, "\"%s\"", path);
    uint64_t until_ns = ps_test_patience_end_ns();
    while (access(positions, F_OK) != 0 || strstr(read_positions(), quoted) == NULL) {
        ps_test_stage_pass_ms(&stage, 10);
        (void)ps_test_source_work(&stage);
        usleep(500);
        assert_true(ps_test_patient_ns() < until_ns);
    }
}

/* A batch is open when its file is renamed: later lines have the new path in their header, those before keep the old one. */
static void test_renamed_in_an_open_batch(void **unused)
{
    append("app.log", "one\n");
    PS_START("fileHeader", "true", "writePosInterval", "10");
    for (unsigned i = 0; i < 3; i++) {
        static const char *const names[] = {"app.log", "app.log.1", "app.2", "app.log"};
        char paths[2][512];
        for (unsigned k = 0; k < 2; k++)
            snprintf(paths[k], sizeof paths[k], "%s/%s", ps_test_folder(), names[i + k]);
        work_until(PS_COUNTER_EventReceivedCount, 1 + 2 * i);
        move(names[i], names[i + 1]);
        wait_for_position(paths[1]);
        append(names[i + 1], "two\n");
        ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
        assert_string_equal(ps_test_event_header(&stage.events[0], "file"), paths[0]);
        assert_string_equal(ps_test_event_header(&stage.events[1], "file"), paths[1]);
        ps_test_source_clear(&stage);
        append(names[i + 1], "one\n");
    }
    ps_test_stage_fini(&stage);
}

/* The first look at a start misses a file that is renamed meanwhile, and the agent stops before the second one: Flume's position still
 * counts. */
static void test_missed_by_the_first_look(void **unused)
{
    char text[1024];
    append("app.1", "one\ntwo\n");
    append("app.2", "three\n");
    snprintf(text, sizeof text, "[{\"inode\":%lu,\"pos\":4,\"file\":\"%s/app.1\"}]", inode_of("app.1"),
             ps_test_folder());
    write_positions(text);
    move("app.1", "state/hidden");
    PS_START(NULL);
    expect("three"); /* the directory was looked at */
    ps_test_stage_pass_ms(&stage, 6000);
    (void)ps_test_source_work(&stage); /* the second look is under way */
    ps_test_stage_close(&stage);
    move("state/hidden", "app.3");
    ps_test_source_clear(&stage);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    expect("two");
    ps_test_stage_fini(&stage);
}

/* A copy is continued where its deleted original was read to. A copy of this copy, which still exists, is a new file:
 * its lines come. */
static void test_copy_of_a_copy(void **unused)
{
    append("app.log", "one\ntwo\n");
    PS_START(NULL);
    expect("one two");
    int watch = watch_copies();
    append("app.log.1", "one\ntwo\n");
    wait_for_copy(watch, "app.log.1", 0);
    assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
    ps_test_source_settle(&stage, 0, 100);
    append("app.log.1", "three\n");
    expect("three"); /* the source knows that the original is gone, and goes on with the copy */
    append("app.log.2", "one\ntwo\nthree\n");
    uint64_t until_ns = ps_test_patience_end_ns();
    while (stage.event_count < 3) {
        ps_test_stage_pass_ms(&stage, 100);
        if (ps_test_source_work(&stage) == PS_IDLE)
            usleep(200);
        ps_test_source_close_batch(&stage);
        assert_true(ps_test_patient_ns() < until_ns);
    }
    expect("one two three");
    append("app.log.1", "four\n");
    append("app.log.2", "five\n");
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    ps_test_source_settle(&stage, 2, 50);
    ps_test_stage_fini(&stage);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(renamed_at_once),
        TEST(written_over_and_renamed_at_once),
        TEST(cut_and_renamed_at_once),
        TEST(written_over_by_as_many_bytes_and_renamed),
        TEST(rename),
        TEST(renamed_while_stopped),
        TEST(cut_and_renamed_while_stopped),
        TEST(cut_and_renamed_before_an_update),
        TEST(inode_of_a_later_file),
        TEST(renamed_while_stopped_and_stopped_again),
        TEST(cut),
        TEST(copy_and_cut),
        TEST(copy_of_what_was_read_in_part),
        TEST(cut_and_longer_again),
        TEST(hole),
        TEST(cut_before_it_was_read),
        TEST(copy_of_what_is_not_delivered),
        TEST(late_copy_of_what_is_not_delivered),
        TEST(delivered_while_a_copy_is_found),
        TEST(moved_between_directories),
        TEST(deleted_while_it_is_read),
        TEST(deleted_and_read_late),
        TEST(renamed_in_an_open_batch),
        TEST(missed_by_the_first_look),
        TEST(copy_of_a_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
