/* What taildir makes of a file that it opens again after a stop. */
#include "stages/lib/tail/identity.h"
#include "tests/stages/sources/taildir_support.h"
#include "tests/stages/sources/taildir_positions.h"

#include <stdatomic.h>
#include <sys/syscall.h>

#define EARLIER_S 3600

static char text[1024];

static _Atomic time_t made_earlier_s; /* how much earlier files were made, as the source sees it */
static _Atomic time_t made_s;         /* when all files were made, as the source sees it; 0: when they were */

/* Called in place of libc's function. */
int statx(int folder, const char *restrict path, int flags, unsigned mask, struct statx *restrict status)
{
    int result = (int)syscall(SYS_statx, folder, path, flags, mask, status);
    if (result == 0)
        status->stx_btime.tv_sec -= made_earlier_s;
    if (result == 0 && made_s != 0) {
        status->stx_mask |= STATX_BTIME;
        status->stx_btime = (struct statx_timestamp){.tv_sec = made_s, .tv_nsec = 7};
    }
    return result;
}

static void fresh_folder(void)
{
    ps_test_folder_teardown(NULL);
    setup(NULL);
}

static void changed_earlier(const char *name)
{
    const struct timespec times[2] = {{.tv_sec = time(NULL) - EARLIER_S}, {.tv_sec = time(NULL) - EARLIER_S}};
    assert_int_equal(utimensat(AT_FDCWD, ps_test_folder_path(name), times, 0), 0);
}

/* A file was written over while the source was stopped: with skipToEnd, too, all of its lines are new, whether it is shorter now, as long as it was, or
 * longer, and whatever of it had been read. What it had before the first start is skipped. */
static void test_written_over_while_stopped(void **unused)
{
    static const struct {
        const char *before, *more; /* at the first start, and while the source runs */
        const char *text, *lines;  /* later */
    } rows[] = {
        {"", "one\n", "new\n", "new"},
        {"", "one\n", "a\n", "a"},
        {"", "one\n", "first\nsecond\n", "first second"},
        {"old\n", "one\n", "new\n", "new"},
        {"old\n", "one\n", "next\nnew\n", "next new"},
        {"old\n", "one\n", "first\nsecond\nthird\n", "first second third"},
        {"old\n", "", "new\n", "new"},
        {"old\n", "", "first\nsecond\n", "first second"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        append("app.log", rows[i].before);
        PS_START("skipToEnd", "true");
        work_until(PS_COUNTER_extra, 1);
        wait_for_open(rows[i].before[0] != '\0');
        append("app.log", rows[i].more);
        if (rows[i].more[0] != '\0')
            expect("one");
        ps_test_stage_close(&stage);
        assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
        append("app.log", rows[i].text);
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        expect(rows[i].lines);
        append("app.log", "last\n");
        expect("last");
        ps_test_stage_fini(&stage);
        assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
        assert_int_equal(unlink(positions), 0);
    }
}

/* Returns whether the file system tells when a file was made. Without this time skipToEnd skips what a kill has left without a position. */
static bool births_known(void)
{
    return ps_tail_path_born_ns(ps_test_folder_path("app.log")) != 0;
}

/* Starts with app.log, which is skipped, and keeps the position file as a kill at this moment leaves it. */
static void start_and_keep(void)
{
    append("app.log", "old\n");
    PS_START("skipToEnd", "true");
    await_saved("app.log");
    ps_test_positions_copy(positions, ps_test_folder_path("state/kept"));
}

/* SIGKILL: the next process finds the position file that was kept. */
static void kill_source(void)
{
    ps_test_stage_close(&stage);
    ps_test_source_clear(&stage);
    ps_test_positions_copy(ps_test_folder_path("state/kept"), positions);
}

/* The agent is killed after a rotation, before the first save that has the new file: with skipToEnd, too, its lines are read, those that were
 * delivered again, and those that came while the agent was down. What had its lines before
 * the first start is not read. */
static void test_killed_after_a_rotation(void **unused)
{
    start_and_keep();
    if (!births_known())
        ps_test_skip("the file system does not tell when a file was made");
    time_t rotated = time(NULL);
    move("app.log", "app.log.1");
    append("app.log", "one\n");
    expect("one");
    append("app.log", "two\n");
    kill_source();
    append("app.log", "three\n");
    append("app.log.1", "rest\n");
    positions_are_of(rotated + 5); /* the save may have begun before the file came, and have ended after */
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    ps_test_source_wait(&stage, 4, PS_TEST_PATIENCE_MS);
    static const char *const lines[] = {"one", "two", "three", "rest"};
    for (size_t i = 0; i < PS_COUNT_OF(lines); i++) {
        size_t times = 0;
        for (size_t event = 0; event < stage.event_count; event++)
            times += strcmp(stage.events[event].body, lines[i]) == 0;
        assert_int_equal(times, 1);
    }
    ps_test_source_clear(&stage);
    expect_nothing();
    restart();
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* A file without a position is skipped if it was made long before the last save: the agent knew of it, and did not follow it. */
static void test_older_than_the_save(void **unused)
{
    start_and_keep();
    kill_source();
    append("app.other", "one\n");
    changed_earlier("app.other");
    made_earlier_s = EARLIER_S;
    positions_are_of(time(NULL));
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    work_until(PS_COUNTER_extra, 2);
    expect_nothing();
    append("app.other", "two\n");
    expect("two");
    ps_test_stage_fini(&stage);
    made_earlier_s = 0;
}

/* Makes a file with one line, which is its name. */
static void append_own(unsigned number)
{
    char name[32];
    snprintf(name, sizeof name, "app.%u", number);
    snprintf(text, sizeof text, "%s\n", name);
    append(name, text);
}

/* A process that does not find app.log writes its position again. */
static void carry_over(unsigned number)
{
    append_own(number);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    ps_test_source_clear(&stage);
    ps_test_stage_close(&stage);
    assert_non_null(strstr(read_positions(), "/app.log\""));
}

/* While the agent is stopped, a file of no group gets the inode of a followed one, with other bytes. If it was made at the same time, it is
 * the followed file, which was cut and renamed: it is read. Else it is another one, however often the position was written since. A position of
 * an older version does not have that time: the file must have been made before the save of that version. */
static void test_inode_of_a_deleted_file(void **unused)
{
    static const struct {
        time_t ago, later_ago; /* how long ago the followed file and the file of no group were made */
        time_t older_ago; /* how long ago the older version has saved the positions; 0: no older version */
        unsigned carried; /* number of processes that do not find the file */
        bool read;
    } rows[] = {
        {3600, 3600, 0, 0, true},     {3600, 3600, 0, 2, true},    {3600, 3599, 0, 0, false},
        {3600, 1800, 0, 0, false},    {3600, 1800, 0, 2, false},   {3600, 3601, 0, 1, false},
        {9000, 9000, 7200, 0, true},  {9000, 9000, 7200, 2, true}, {9000, 3600, 7200, 0, false},
        {9000, 3600, 7200, 2, false}, {9000, 7212, 7200, 2, true}, {9000, 7208, 7200, 2, false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        time_t now = time(NULL);
        fresh_folder();
        made_s = now - rows[i].ago;
        append("app.log", "one\n");
        PS_START("writePosInterval", "20");
        expect("one");
        ps_test_stage_close(&stage);
        assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
        append("app.log", "lines of another\n");
        move("app.log", "state/kept");
        if (rows[i].older_ago != 0)
            positions_are_of_older_version(now - rows[i].older_ago);
        for (unsigned k = 0; k < rows[i].carried; k++)
            carry_over(k);
        move("state/kept", "other");
        made_s = now - rows[i].later_ago;
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        append_own(rows[i].carried);
        ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
        if (rows[i].read)
            ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
        uint64_t until_ns = ps_clock_now().mono_ns + 100 * PS_NS_PER_MS;
        while (ps_clock_now().mono_ns < until_ns)
            (void)ps_test_source_work(&stage);
        ps_test_source_close_batch(&stage);
        if (stage.event_count != (rows[i].read ? 2U : 1U))
            fail_msg("row %zu: %zu lines", i, stage.event_count);
        ps_test_stage_fini(&stage);
    }
    made_s = 0;
}

/* The clock was set back while the agent was down: the time of the last save has not come yet, and says nothing of the files that came
 * meanwhile. All of them are read, once. */
static void test_clock_was_set_back(void **unused)
{
    start_and_keep();
    if (!births_known())
        ps_test_skip("the file system does not tell when a file was made");
    kill_source();
    append("app.other", "one\n");
    positions_are_of(time(NULL) + EARLIER_S);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    expect("one");
    expect_nothing();
    restart();
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* A position file that Flume has written: what was made since is skipped, as Flume does it. */
static void test_positions_of_flume(void **unused)
{
    append("app.log", "old\n");
    snprintf(text, sizeof text, "[{\"inode\":%lu,\"pos\":4,\"file\":\"%s\"}]", inode_of("app.log"),
             ps_test_folder_path("app.log"));
    write_positions(text);
    append("app.other", "one\n");
    PS_START("skipToEnd", "true");
    work_until(PS_COUNTER_extra, 2);
    expect_nothing();
    append("app.other", "two\n");
    append("app.log", "three\n");
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.event_count, 2);
    ps_test_source_clear(&stage);
    ps_test_stage_fini(&stage);
}

/* Files come while the agent is stopped, and it stops again before all of them are opened: the position file names them. */
static void test_stopped_before_they_are_opened(void **unused)
{
    enum { COUNT = 1200 }; /* more than are opened at once */
    char name[32];
    bool came[COUNT] = {false};
    start_and_keep();
    if (!births_known())
        ps_test_skip("the file system does not tell when a file was made");
    ps_test_stage_close(&stage);
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "app.%u", i);
        snprintf(text, sizeof text, "%u\n", i);
        append(name, text);
    }
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    work_until(PS_COUNTER_extra, COUNT + 1);
    ps_test_source_close_batch(&stage); /* delivers the lines that were read from some of them */
    assert_true(stage.event_count < COUNT);
    ps_test_stage_close(&stage);
    made_earlier_s = EARLIER_S;
    positions_are_of(time(NULL));
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    ps_test_source_wait(&stage, COUNT, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.event_count, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        came[strtoul(stage.events[i].body, NULL, 10)] = true;
    for (unsigned i = 0; i < COUNT; i++)
        assert_true(came[i]);
    ps_test_stage_fini(&stage);
    made_earlier_s = 0;
}

/* A directory that is made while the source runs, also in the place of a file: with skipToEnd, too, its files are read from their beginning. */
static void test_directory_comes_later(void **unused)
{
    for (unsigned is_file = 0; is_file < 2; is_file++) {
        char path[600];
        fresh_folder();
        snprintf(path, sizeof path, "%s/logs/app.*", ps_test_folder());
        if (is_file > 0)
            append("logs", "no directory\n");
        append("app.first", "old\n");
        PS_START("skipToEnd", "true", "filegroups", "f g", "filegroups.f", path, "penstock.poll.interval",
                 "10");
        wait_for_open(1); /* the other directory was looked at before */
        if (is_file > 0)
            assert_int_equal(unlink(ps_test_folder_path("logs")), 0);
        assert_int_equal(mkdir(ps_test_folder_path("made"), 0700), 0);
        append("made/app.log", "one\n");
        move("made", "logs");
        uint64_t until_ns = ps_test_patience_end_ns();
        while (stage.event_count == 0) {
            ps_test_stage_pass_ms(&stage, 600000); /* the rest after a look that took long */
            (void)ps_test_source_work(&stage);
            ps_test_source_close_batch(&stage);
            usleep(500);
            assert_true(ps_test_patient_ns() < until_ns);
        }
        expect("one");
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_written_over_while_stopped, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_directory_comes_later, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_killed_after_a_rotation, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_older_than_the_save, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_inode_of_a_deleted_file, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_clock_was_set_back, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_positions_of_flume, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_stopped_before_they_are_opened, setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
