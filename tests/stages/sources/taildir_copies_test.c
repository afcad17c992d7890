/* Source taildir and files that resemble each other: heads of more than 1 KiB that are equal, and copies. The stage's
 * clock is slow where no time-out may pass. */
#include "tests/stages/sources/taildir_support.h"
#include "stages/lib/tail/tailer/copy.h"

#include <sys/syscall.h>

#define LINES 1000U
/* How long a copy waits for its original to be cut. */
#define COPY_WAITS_MS (PS_TAIL_GRACE_NS / PS_NS_PER_MS)
#define SLOWER 20U /* the stage's clock runs so many times slower than the real one in wait_for */

static char banner[2048];
static _Thread_local bool is_test_thread;

/* Replaces libc's function: the source's thread sees the slow clock, too. It measures how long a look at the directory takes, and the
 * source leaves the directory alone for ten times as long by the stage's clock. */
int clock_gettime(clockid_t clock, struct timespec *time)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, time);
    if (failed == 0 && clock == CLOCK_MONOTONIC && !is_test_thread) {
        uint64_t slow_ns = ((uint64_t)time->tv_sec * PS_NS_PER_S + (uint64_t)time->tv_nsec) / SLOWER;
        *time = (struct timespec){.tv_sec = (time_t)(slow_ns / PS_NS_PER_S),
                                  .tv_nsec = (long)(slow_ns % PS_NS_PER_S)};
    }
    return failed;
}

static int setup_banner(void **state)
{
    is_test_thread = true;
    memset(banner, '#', sizeof banner - 2);
    banner[sizeof banner - 2] = '\n';
    return setup(state);
}

/* Lines of 40 bytes that differ in their number alone. */
static void write_lines(const char *name, const char *what, unsigned from, unsigned to)
{
    FILE *file = fopen(ps_test_folder_path(name), "a");
    assert_non_null(file);
    for (unsigned i = from; i < to; i++)
        fprintf(file, "%-5s %06u ..........................\n", what, i);
    assert_int_equal(fclose(file), 0);
}

/* For each line by number: how often count_lines found it. */
static unsigned char came[4 * LINES];

static unsigned count_lines(const char *what, unsigned limit)
{
    unsigned count = 0;
    memset(came, 0, sizeof came);
    for (size_t i = 0; i < stage.event_count; i++) {
        char kind[8];
        unsigned number;
        if (sscanf(stage.events[i].body, "%5s %u", kind, &number) != 2 || strcmp(kind, what) != 0)
            continue;
        assert_true(number < limit);
        came[number]++;
        count++;
    }
    return count;
}

/* Works until this many events came. The stage's clock advances by a twentieth of the real time, and stops before a copy has waited
 * its time: a file that waits like a copy never comes. */
static void wait_for(size_t count)
{
    uint64_t begin_ns = ps_clock_now().mono_ns, until = ps_test_patience_end_ns();
    for (uint64_t passed_ms = 0, now_ms; stage.event_count < count; passed_ms = now_ms) {
        now_ms = (ps_clock_now().mono_ns - begin_ns) / PS_NS_PER_MS / SLOWER;
        if (now_ms > COPY_WAITS_MS - 1000)
            now_ms = COPY_WAITS_MS - 1000;
        ps_test_stage_pass_ms(&stage, now_ms - passed_ms);
        if (ps_test_source_work(&stage) == PS_IDLE)
            usleep(200);
        ps_test_source_close_batch(&stage);
        assert_true(ps_test_patient_ns() < until);
    }
}

static void expect_all_once(const char *what, unsigned count)
{
    assert_int_equal(count_lines(what, count), count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(came[i], 1);
}

static void copy_file(const char *from, const char *to, size_t less)
{
    static char bytes[1U << 20];
    FILE *in = fopen(ps_test_folder_path(from), "r");
    assert_non_null(in);
    size_t length = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    assert_true(length > less);
    ps_test_folder_append(to, bytes, length - less);
}

/* Files that begin alike are all read completely, also a new one that is shorter. */
static void test_equal_heads(void **unused)
{
    char name[32], what[8];
    for (unsigned i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "app.%u", i);
        snprintf(what, sizeof what, "f%u", i);
        append(name, banner);
        write_lines(name, what, 0, LINES);
    }
    PS_START(NULL);
    wait_for(12 * (size_t)(LINES + 1));
    for (unsigned i = 0; i < 12; i++) {
        snprintf(what, sizeof what, "f%u", i);
        expect_all_once(what, LINES);
    }
    ps_test_source_clear(&stage);
    append("tmp", banner);
    write_lines("tmp", "short", 0, 10);
    move("tmp", "app.short");
    wait_for(11);
    expect_all_once("short", 10);
    ps_test_stage_fini(&stage);
}

/* A file is deleted and created again with the same head while the agent is stopped. */
static void test_equal_head_while_stopped(void **unused)
{
    append("app.log", banner);
    write_lines("app.log", "old", 0, LINES);
    PS_START(NULL);
    wait_for(LINES + 1);
    ps_test_stage_close(&stage);
    ps_test_source_clear(&stage);
    assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
    append("app.log", banner);
    write_lines("app.log", "new", 0, LINES + 300);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    wait_for(LINES + 301);
    expect_all_once("new", LINES + 300);
    ps_test_stage_fini(&stage);
}

/* sed -i replaces a file by an equal one, while the agent runs and while it is stopped, and then by one with changed
 * lines. */
static void test_replaced_by_a_copy(void **unused)
{
    append("app.log", banner);
    write_lines("app.log", "line", 0, LINES);
    PS_START(NULL);
    wait_for(LINES + 1);
    copy_file("app.log", "sedXyz", 0);
    move("sedXyz", "app.log");
    write_lines("app.log", "line", LINES, LINES + 10);
    wait_for(LINES + 11);
    ps_test_source_settle(&stage, LINES + 11, 100);
    expect_all_once("line", LINES + 10);
    ps_test_stage_close(&stage);
    copy_file("app.log", "sedXyz", 0);
    move("sedXyz", "app.log");
    write_lines("app.log", "line", LINES + 10, LINES + 20);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    wait_for(LINES + 21);
    ps_test_source_settle(&stage, LINES + 21, 100);
    expect_all_once("line", LINES + 20);
    ps_test_source_clear(&stage);
    append("sedXyz", banner); /* as long as it was */
    write_lines("sedXyz", "LINE", 0, LINES + 20);
    move("sedXyz", "app.log");
    wait_for(LINES + 21);
    expect_all_once("LINE", LINES + 20);
    ps_test_stage_fini(&stage);
}

/* cp app.log aside; rm app.log; cp aside app.log */
static void test_copied_back(void **unused)
{
    append("app.log", banner);
    write_lines("app.log", "line", 0, LINES);
    PS_START(NULL);
    wait_for(LINES + 1);
    copy_file("app.log", "aside", 0);
    assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
    ps_test_source_settle(&stage, LINES + 1, 50);
    copy_file("aside", "app.log", 0);
    ps_test_source_settle(&stage, LINES + 1, 100);
    write_lines("app.log", "line", LINES, LINES + 10);
    wait_for(LINES + 11);
    ps_test_source_settle(&stage, LINES + 11, 100);
    expect_all_once("line", LINES + 10);
    ps_test_stage_fini(&stage);
}

/* Lines are written, and read, between the copy and the truncation; the source sees the copy before the truncation, or after it. */
static void copytruncate(bool seen)
{
    append("app.log", banner);
    write_lines("app.log", "line", 0, LINES);
    PS_START(NULL);
    wait_for(LINES + 1);
    if (seen) {
        int watch = watch_copies();
        copy_file("app.log", "app.log.1", 0);
        write_lines("app.log", "line", LINES, LINES + 20);
        wait_for(LINES + 21);
        wait_for_copy(watch, "app.log.1", LINES + 21);
    } else {
        write_lines("app.log", "line", LINES, LINES + 20);
        wait_for(LINES + 21);
        copy_file("app.log", "app.log.1", 20 * 40 + 11);
    }
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", banner);
    write_lines("app.log", "next", 0, 10);
    wait_for(LINES + 21 + 11);
    ps_test_source_settle(&stage, stage.event_count, 200);
    expect_all_once("next", 10);
    unsigned count = count_lines("line", LINES + 20);
    for (unsigned i = 0; i < LINES + 20; i++)
        assert_true(came[i] >= 1);
    assert_true(count <= LINES + 20 + (seen ? 0 : 40)); /* lines after the copy's last mark may repeat */
    ps_test_stage_fini(&stage);
}

static void test_copytruncate_seen(void **unused)
{
    copytruncate(true);
}

static void test_copytruncate_at_once(void **unused)
{
    copytruncate(false);
}

/* Works with the smallest steps: the thread can answer between two calls. */
static void work_slowly(unsigned calls)
{
    for (; calls > 0; calls--) {
        ps_test_stage_pass_ms(&stage, 1);
        (void)ps_test_source_work(&stage);
        ps_test_source_close_batch(&stage);
        usleep(500);
    }
}

/* The source has read to the end of a file, and taken some of its lines. The file is copied and truncated: the lines that
 * were read are in the copy. */
static void cut_behind_the_reader(bool in_banner, const char *lines_per_batch, const char *fresh)
{
    char text[101];
    memset(text, '#', sizeof text);
    snprintf(text + 99, 2, "\n");
    for (unsigned i = 0; i < 30;
         i++) /* many lines, so that the truncation finds the source's position after one of them */
        append("app.log", text);
    write_lines("app.log", "line", 0, LINES);
    PS_START("batchSize", lines_per_batch);
    uint64_t until = ps_test_patience_end_ns();
    while (stage.event_count < (in_banner ? 2U : 60U)) {
        ps_test_stage_pass_ms(&stage, 1);
        (void)ps_test_source_work(&stage);
        ps_test_source_close_batch(&stage);
        assert_true(ps_test_patient_ns() < until);
    }
    copy_file("app.log", "app.log.1", 0);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    for (unsigned i = 0; i < 30; i++)
        append("app.log", text);
    write_lines("app.log", fresh, 0, 10);
    until = ps_test_patience_end_ns();
    while (count_lines("line", LINES) < LINES || count_lines(fresh, 10) < 10) {
        work_slowly(20);
        assert_true(ps_test_patient_ns() < until);
    }
    work_slowly(200);
    expect_all_once("line", LINES);
    expect_all_once(fresh, 10);
    ps_test_stage_fini(&stage);
}

static void test_cut_behind_the_reader(void **unused)
{
    cut_behind_the_reader(false, "5", "next");
}

/* The source has taken lines that are the beginning both of the copy and of the file written since. */
static void test_cut_behind_the_reader_in_the_banner(void **unused)
{
    cut_behind_the_reader(true, "2", "next");
}

/* A new file that begins alike appears before the copy: it also has the original's mark in the banner. */
static void test_copy_behind_one_that_begins_alike(void **unused)
{
    static char wide[20002];
    memset(wide, 'w', 20000);
    wide[20000] = '\n';
    append("app.log", banner);
    PS_START(NULL);
    wait_for(1);
    append("app.log", wide);
    write_lines("app.log", "line", 0, LINES);
    wait_for(LINES + 2);
    copy_file("app.log", "aside", 0);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    ps_test_source_settle(&stage, LINES + 2, 20);
    append("tmp", banner);
    write_lines("tmp", "other", 0, 10);
    move("tmp", "app.log.2");
    wait_for(LINES + 2 + 10);
    ps_test_source_settle(&stage, stage.event_count, 20);
    move("aside", "app.log.1");
    ps_test_source_settle(&stage, stage.event_count, 200);
    expect_all_once("line", LINES);
    expect_all_once("other", 10);
    ps_test_stage_fini(&stage);
}

/* Works without delivering a batch. */
static void work_undelivered(unsigned calls)
{
    for (; calls > 0; calls--) {
        ps_test_stage_pass_ms(&stage, 1);
        (void)ps_test_source_work(&stage);
        usleep(500);
    }
}

/* A file that was truncated waits until its former lines are delivered. It has new lines already, and is copied and truncated again. */
static void test_copied_before_it_was_read(void **unused)
{
    append("app.log", banner);
    write_lines("app.log", "line", 0, 100);
    PS_START(NULL);
    work_until(PS_COUNTER_EventReceivedCount, 101);
    copy_file("app.log", "app.log.1", 0);
    work_undelivered(60); /* the copy waits */
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", banner);
    write_lines("app.log", "next", 0, 90);
    work_undelivered(60);
    copy_file("app.log", "app.log.2", 0);
    work_undelivered(100);
    ps_test_source_close_batch(&stage);
    wait_for(101 + 91);
    ps_test_source_settle(&stage, stage.event_count, 500);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    ps_test_source_settle(&stage, stage.event_count, 500);
    write_lines("app.log", "last", 0, 5);
    wait_for(101 + 91 + 5);
    ps_test_source_settle(&stage, stage.event_count, 200);
    expect_all_once("line", 100);
    expect_all_once("next", 90);
    expect_all_once("last", 5);
    ps_test_stage_fini(&stage);
}

/* Lines are written between the copy and the truncation, the copy is found after it, and all lines are delivered only then.
 * The delivery of lines that only the original had does not move the position in the copy: new lines of the copy that were
 * not delivered come again. */
static void test_delivered_beyond_the_copy(void **unused)
{
    append("app.log", banner);
    write_lines("app.log", "line", 0, 100);
    PS_START(NULL);
    work_until(PS_COUNTER_EventReceivedCount, 101);
    copy_file("app.log", "aside", 0);
    write_lines("app.log", "more", 0, 50);
    work_until(PS_COUNTER_EventReceivedCount, 151);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    write_lines("app.log", "fresh", 0, 1);
    work_until(PS_COUNTER_EventReceivedCount, 152);
    move("aside", "app.log.1");
    work_until(PS_COUNTER_extra + 1, 2); /* both are open */
    work_undelivered(100);
    ps_test_source_close_batch(&stage);
    await_saved("app.log.1");
    size_t again = stage.event_count - 152; /* lines before the end of the copy */
    ps_test_source_clear(&stage);
    write_lines("app.log.1", "next", 0, 10);
    work_until(PS_COUNTER_EventReceivedCount, 152 + again + 10);
    ps_test_stage_close(&stage);
    ps_test_stage_recycle(&stage); /* the batch is lost */
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    wait_for(10);
    ps_test_source_settle(&stage, stage.event_count, 200);
    expect_all_once("next", 10);
    assert_int_equal(stage.event_count, 10);
    ps_test_stage_fini(&stage);
}

#define PAIRS 40U /* more than a tick handles, so that a stop comes between the files of a pair */
#define STOPS 16U

static const char *pair_name(char kind, unsigned pair)
{
    static char names[2][16];
    snprintf(names[kind == 'o'], sizeof names[0], "app.%c%u", kind, pair);
    return names[kind == 'o'];
}

/* Works, and delivers the lines that were read. */
static void work_and_take(unsigned calls, unsigned seen[PAIRS], unsigned stop)
{
    for (; calls > 0; calls--) {
        ps_test_stage_pass_ms(&stage, 1);
        (void)ps_test_source_work(&stage);
        ps_test_source_close_batch(&stage);
        usleep(300);
    }
    for (size_t i = 0; i < stage.event_count; i++) {
        unsigned pair, when;
        if (strcmp(stage.events[i].body, "another file") == 0)
            continue;
        assert_int_equal(sscanf(stage.events[i].body, "o %u %u", &pair, &when), 2);
        assert_int_equal(when, stop); /* otherwise the line came before */
        seen[pair]++;
    }
    ps_test_source_clear(&stage);
}

static void work_until_all(unsigned stop, unsigned seen[PAIRS])
{
    uint64_t until = ps_test_patience_end_ns();
    for (unsigned missing = 1; missing > 0;) {
        missing = 0;
        work_and_take(5, seen, stop);
        for (unsigned i = 0; i < PAIRS; i++)
            missing += seen[i] == 0;
        assert_true(ps_test_patient_ns() < until);
    }
    work_and_take(100, seen, stop);
    for (unsigned i = 0; i < PAIRS; i++)
        assert_int_equal(seen[i], 1);
}

static void write_pair(unsigned pair, unsigned stop)
{
    char line[80];
    snprintf(line, sizeof line, "o %u %u ....................................\n", pair, stop);
    append(pair_name('o', pair), line);
}

/* While the agent is stopped, a file is copied over another one that is in the position file, and truncated. Each time,
 * the agent is stopped one call later, after it has looked at some of the files. */
static void test_stopped_behind_a_start(void **unused)
{
    unsigned seen[PAIRS] = {0};
    for (unsigned i = 0; i < PAIRS; i++)
        write_pair(i, 0);
    for (unsigned i = 0; i < PAIRS; i++)
        append(pair_name('x', i), "another file\n");
    PS_START(NULL);
    work_until_all(0, seen);
    for (unsigned stop = 1; stop < STOPS; stop++) {
        ps_test_stage_close(&stage);
        for (unsigned i = 0; i < PAIRS; i++) {
            char aside[16];
            snprintf(aside, sizeof aside, "aside%u", i);
            copy_file(pair_name('o', i), aside, 0);
            assert_int_equal(truncate(ps_test_folder_path(pair_name('o', i)), 0), 0);
            write_pair(i, stop);
        }
        for (unsigned i = 0; i < PAIRS; i++) { /* newer files are looked at later */
            char aside[16];
            snprintf(aside, sizeof aside, "aside%u", i);
            assert_int_equal(truncate(ps_test_folder_path(pair_name('x', i)), 0), 0);
            copy_file(aside, pair_name('x', i), 0);
            assert_int_equal(unlink(ps_test_folder_path(aside)), 0);
        }
        memset(seen, 0, sizeof seen);
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        work_and_take(stop, seen, stop);
        ps_test_stage_close(&stage);
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        work_until_all(stop, seen);
    }
    ps_test_stage_fini(&stage);
}

/* More files than are compared begin alike and have the same size: the copy of each is found. */
static void test_many_that_begin_alike(void **unused)
{
    enum { MANY = 40 };
    char name[32], copy[48];
    PS_START(NULL);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "app.%u", i);
        append(name, banner);
        write_lines(name, "old", i, i + 1);
    }
    ps_test_source_wait(&stage, 2 * MANY, PS_TEST_PATIENCE_MS);
    assert_int_equal(count_lines("old", MANY), MANY);
    ps_test_source_clear(&stage);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "app.%u", i);
        snprintf(copy, sizeof copy, "%s.copy", name);
        append(copy, banner);
        write_lines(copy, "old", i, i + 1);
        if (i % 2 == 0) /* for some files, the copy is found while the original exists */
            ps_test_source_settle(&stage, 0, 20);
        assert_int_equal(truncate(ps_test_folder_path(name), 0), 0);
        write_lines(name, "new", i, i + 1);
        ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
        assert_int_equal(count_lines("new", MANY), 1);
        ps_test_source_clear(&stage);
    }
    expect_nothing();
    ps_test_stage_fini(&stage);
}

static void write_banner(const char *name)
{
    for (unsigned i = 0; i < 30; i++) {
        char line[101];
        memset(line, '#', sizeof line);
        line[99] = '\n';
        line[100] = '\0';
        append(name, line);
    }
}

/* Two files that begin alike are truncated, the second one after it was copied. The first one has an early mark in the
 * beginning that all of them share. The copy is still read from the last position in its own original. */
static void test_early_mark_of_another(void **unused)
{
    PS_START(NULL);
    write_banner("packing");
    write_lines("packing", "b", 0, 75);
    move("packing", "app.b");
    ps_test_source_wait(&stage, 105, PS_TEST_PATIENCE_MS);
    write_banner("packing");
    write_lines("packing", "a", 0, 12);
    move("packing", "app.a");
    ps_test_source_wait(&stage, 147, PS_TEST_PATIENCE_MS);
    assert_int_equal(truncate(ps_test_folder_path("app.b"), 0), 0);
    write_banner("app.b");
    write_lines("app.b", "new", 0, 80);
    ps_test_source_wait(&stage, 257, PS_TEST_PATIENCE_MS);
    assert_int_equal(count_lines("a", LINES), 12);
    ps_test_source_clear(&stage);
    write_banner("packing");
    write_lines("packing", "a", 0, 12);
    move("packing", "app.a.1");
    assert_int_equal(truncate(ps_test_folder_path("app.a"), 0), 0);
    write_banner("app.a");
    write_lines("app.a", "new", 80, 157);
    ps_test_source_wait(&stage, 107, PS_TEST_PATIENCE_MS);
    ps_test_source_settle(&stage, 107, 300);
    assert_int_equal(count_lines("a", LINES), 0);
    assert_int_equal(count_lines("new", LINES), 77);
    ps_test_stage_fini(&stage);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup_banner, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(equal_heads),
                                       TEST(equal_head_while_stopped),
                                       TEST(replaced_by_a_copy),
                                       TEST(copied_back),
                                       TEST(copytruncate_seen),
                                       TEST(copytruncate_at_once),
                                       TEST(cut_behind_the_reader),
                                       TEST(cut_behind_the_reader_in_the_banner),
                                       TEST(copy_behind_one_that_begins_alike),
                                       TEST(copied_before_it_was_read),
                                       TEST(delivered_beyond_the_copy),
                                       TEST(stopped_behind_a_start),
                                       TEST(many_that_begin_alike),
                                       TEST(early_mark_of_another)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
