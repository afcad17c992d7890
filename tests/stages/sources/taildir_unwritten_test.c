/* Source taildir and files that have NULs where nothing is written yet: made long at once and filled from the front (preallocated, sparse, mapped into
 * memory). A line comes when it is written, whatever is behind it, and once; NULs are no events. */
#include "stages/lib/tail/tailer/tailer.h"
#include "tests/stages/sources/taildir_positions.h"
#include "tests/stages/sources/taildir_support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LONG_BYTES (3 << 20)
#define SOON_MS 500 /* the source waits for a second */
#define SEEN_MS 200
#define LOST ((enum ps_counter)PS_TAIL_COUNTER_lost_bytes)
#define TRUNCATED ((enum ps_counter)PS_TAIL_COUNTER_truncated)
#define FILLER ((enum ps_counter)PS_TAIL_COUNTER_filler_bytes)

/* How a file is made long before anything is in it. */
enum maker { SPARSE, ALLOCATED, ZEROS, MAKERS };

static void make(const char *name, enum maker maker, off_t bytes)
{
    int fd = open(ps_test_folder_path(name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    if (maker == SPARSE) {
        assert_int_equal(ftruncate(fd, bytes), 0);
    } else if (maker == ALLOCATED) {
        assert_int_equal(posix_fallocate(fd, 0, bytes), 0);
    } else {
        static const char zeros[65536];
        for (off_t at = 0; at < bytes; at += (off_t)sizeof zeros)
            assert_true(pwrite(fd, zeros,
                               (size_t)(bytes - at < (off_t)sizeof zeros ? bytes - at : (off_t)sizeof zeros),
                               at) > 0);
    }
    close(fd);
}

static void put(const char *name, off_t offset, const char *text)
{
    int fd = open(ps_test_folder_path(name), O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, strlen(text), offset), strlen(text));
    close(fd);
}

/* Waits for so many events; the source's clock moves by less than the second for which it waits. */
static void expect_soon(size_t count)
{
    uint64_t until = ps_test_patience_end_ns();
    for (unsigned ms = 0; stage.event_count < count; ms++) {
        (void)ps_test_source_work(&stage);
        if (stage.batch != NULL && stage.batch->count > 0)
            ps_test_source_close_batch(&stage);
        usleep(1000);
        if (ms < SOON_MS)
            ps_test_stage_pass_ms(&stage, 1);
        assert_true(ps_test_patient_ns() < until);
    }
    assert_int_equal(stage.event_count, count);
}

/* Lets the source see what is there, and rest. */
static void see(void)
{
    for (unsigned ms = 0; ms < SEEN_MS; ms++) {
        (void)ps_test_source_work(&stage);
        usleep(500);
        ps_test_stage_pass_ms(&stage, 1);
    }
}

static void expect_no_loss(void)
{
    expect_nothing();
    assert_int_equal(stage.event_count, 0);
    assert_int_equal(ps_test_stage_counter(&stage, LOST), 0);
    assert_int_equal(ps_test_stage_counter(&stage, TRUNCATED), 0);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 0);
}

/* Lines come as they are written, also those that were there at the start, and after a restart. A part of a line waits for its end. */
static void test_filled_from_the_front(void **unused)
{
    static const off_t sizes[] = {100, 4096, 16384, 65536, 70001, LONG_BYTES};
    for (unsigned maker = 0; maker < MAKERS; maker++) {
        for (size_t i = 0; i < PS_COUNT_OF(sizes); i++) {
            make("app.log", (enum maker)maker, sizes[i]);
            if (i % 2 == 0)
                put("app.log", 0, "1234567\n");
            PS_START("penstock.line.max", "20000");
            if (i % 2 == 0)
                expect("1234567");
            expect_no_loss();
            put("app.log", 0, "1234567\n");
            if (i % 2 != 0)
                expect("1234567");
            put("app.log", 8, "two\nthr");
            expect("two");
            expect_no_loss();
            put("app.log", 15, "ee\n");
            expect("three");
            restart();
            put("app.log", 18, "four\n");
            expect("four");
            expect_no_loss();
            assert_int_equal(truncate(ps_test_folder_path("app.log"), 23), 0); /* the writer ends */
            expect_no_loss();
            append("app.log", "five\n");
            expect("five");
            expect_no_loss();
            ps_test_stage_fini(&stage);
            assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
            assert_int_equal(unlink(positions), 0);
        }
    }
}

/* Nothing reports what is written through memory. The file is closed, because it rests, and goes on. */
static void test_mapped_and_closed(void **unused)
{
    make("app.log", SPARSE, LONG_BYTES);
    int fd = open(ps_test_folder_path("app.log"), O_RDWR | O_CLOEXEC);
    char *map = mmap(NULL, LONG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(map != MAP_FAILED);
    memcpy(map, "one\n", 4);
    PS_START("idleTimeout", "50", "penstock.line.max", "20000");
    expect("one");
    memcpy(map + 4, "two\n", 4);
    expect("two");
    wait_for_open(0);
    memcpy(map + 8, "three\nfo", 8);
    expect("three");
    expect("fo"); /* what is left of it is an event, as of any file that rests; its NULs are not */
    wait_for_open(0);
    memcpy(map + 16, "ur\nfive\n", 8);
    expect("ur five");
    munmap(map, LONG_BYTES);
    close(fd);
    expect_no_loss();
    ps_test_stage_fini(&stage);
}

/* Lines fill the file over many blocks, and up to its end; then it is made longer. */
static void test_filled_to_the_end(void **unused)
{
    enum { LINE = 50, LINES = 4000 };
    static char text[LINE * LINES + 1];
    for (unsigned i = 0; i < LINES; i++)
        snprintf(text + (size_t)i * LINE, LINE + 1, "%049u\n", i);
    make("app.log", ALLOCATED, LINE * LINES);
    PS_START(NULL);
    for (unsigned at = 0, step = 1; at < LINES; at += step, step = 2 * step) {
        unsigned count = LINES - at < step ? LINES - at : step;
        char *end = text + (size_t)(at + count) * LINE, kept = *end;
        *end = '\0';
        put("app.log", (off_t)at * LINE, text + (size_t)at * LINE);
        *end = kept;
        ps_test_source_wait(&stage, count, PS_TEST_PATIENCE_MS);
        assert_int_equal(stage.event_count, count);
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(strtoul(stage.events[i].body, NULL, 10), at + i);
        ps_test_source_clear(&stage);
    }
    make("app.log", SPARSE, LINE * LINES + LONG_BYTES);
    expect_nothing();
    put("app.log", LINE * LINES, "more\n");
    expect("more");
    expect_no_loss();
    ps_test_stage_fini(&stage);
}

/* Two writers have places in the file, and the second one writes first: the line of the first one comes, and before the other. Also when NULs before
 * them, few or many, were not filled. */
static void filled_in_another_order(const char *idle)
{
    static const unsigned holes[] = {0, 8, 600};
    make("app.log", SPARSE, LONG_BYTES);
    off_t at = 0;
    PS_START("idleTimeout", idle);
    for (size_t i = 0; i < PS_COUNT_OF(holes); i++) {
        at += holes[i];
        put("app.log", at, "one\n");
        ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
        ps_test_source_clear(&stage);
        put("app.log", at + 1000, "three\n");
        see();
        char line[997];
        memset(line, '.', sizeof line);
        memcpy(line, "two", 3);
        line[995] = '\n';
        line[996] = '\0';
        put("app.log", at + 4, line);
        expect_soon(2);
        assert_int_equal(stage.events[0].length, 995);
        assert_string_equal(stage.events[1].body, "three");
        ps_test_source_clear(&stage);
        at += 1006;
    }
    expect_nothing();
    assert_int_equal(ps_test_stage_counter(&stage, LOST), 600);
    assert_int_equal(ps_test_stage_counter(&stage, TRUNCATED), 0);
    ps_test_stage_fini(&stage);
    assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
    assert_int_equal(unlink(positions), 0);
}

static void test_filled_in_another_order(void **unused)
{
    filled_in_another_order("100000");
    filled_in_another_order("50"); /* the file is closed while the source waits */
}

/* A new file, and one that was cut and made long again, whose first line is written behind others, in another block. */
static void test_filled_from_behind(void **unused)
{
    static char first[8193];
    memset(first, '.', sizeof first - 1);
    first[sizeof first - 2] = '\n';
    for (unsigned cut = 0; cut < 2; cut++) {
        if (cut > 0) {
            append("app.log", "one\n");
            PS_START(NULL);
            expect("one");
            assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
        }
        make("app.log", SPARSE, LONG_BYTES);
        put("app.log", sizeof first - 1, "second\n");
        if (cut == 0)
            PS_START(NULL);
        see();
        put("app.log", 0, first);
        expect_soon(2);
        assert_int_equal(stage.events[0].length, sizeof first - 2);
        assert_string_equal(stage.events[1].body, "second");
        ps_test_source_clear(&stage);
        assert_int_equal(ps_test_stage_counter(&stage, LOST), 0);
        assert_int_equal(ps_test_stage_counter(&stage, FILLER), 0);
        ps_test_stage_fini(&stage);
        assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
        assert_int_equal(unlink(positions), 0);
    }
}

/* How a source learns that a file was cut before its writer goes on at its former place. */
enum { UNSEEN, SEEN, RESTARTED, STOPPED, CUTS };

static void cut(unsigned way)
{
    uint64_t truncated = ps_test_stage_counter(&stage, TRUNCATED), until = ps_test_patience_end_ns();
    if (way == STOPPED)
        ps_test_stage_close(&stage);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    while ((way == SEEN || way == RESTARTED) && ps_test_stage_counter(&stage, TRUNCATED) == truncated) {
        ps_test_source_settle(&stage, 0, 1);
        assert_true(ps_test_patient_ns() < until);
    }
    if (way == RESTARTED)
        ps_test_stage_close(&stage);
}

static void cut_end(unsigned way, const char *line)
{
    if (way == RESTARTED || way == STOPPED)
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    expect_soon(1);
    assert_string_equal(stage.events[0].body, line);
    assert_int_equal(stage.events[0].length, strlen(line));
    ps_test_source_clear(&stage);
}

/* A program that does not append goes on at its former place when its file is cut: the NULs before that are no part of a line, and the line
 * does not wait; also when only a part of a line is there, and when it is cut again. */
static void test_cut_under_its_writer(void **unused)
{
    static const int places[] = {1, 5, 300, 511, 1030, 4096, 70001};
    for (size_t i = 0; i < PS_COUNT_OF(places) * CUTS; i++) {
        int place = places[i / CUTS];
        unsigned way = i % CUTS;
        int fd = open(ps_test_folder_path("app.log"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        dprintf(fd, "%*s\n", place - 1, "");
        PS_START(NULL);
        ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
        ps_test_source_clear(&stage);
        cut(way);
        dprintf(fd, "two\nthr");
        cut_end(way, "two");
        cut(way);
        dprintf(fd, "four\nfi");
        cut_end(way, "four");
        dprintf(fd, "ve\n");
        cut_end(UNSEEN, "five");
        cut(way);
        dprintf(fd, "si");
        if (way == RESTARTED || way == STOPPED)
            assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        ps_test_source_settle(&stage, 0, 10);
        if (way == RESTARTED || way == STOPPED)
            restart();
        dprintf(fd, "x\n");
        cut_end(UNSEEN, "six");
        assert_int_equal(ps_test_stage_counter(&stage, LOST), 0);
        assert_true(ps_test_stage_counter(&stage, FILLER) > 0);
        ps_test_stage_fini(&stage);
        close(fd);
        assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
        assert_int_equal(unlink(positions), 0);
    }
}

/* The file is cut before any line of it was read. */
static void test_cut_before_a_line_is_there(void **unused)
{
    for (unsigned seen = 0; seen < 2; seen++) {
        int fd = open(ps_test_folder_path("app.log"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        dprintf(fd, "no line yet");
        PS_START(NULL);
        wait_for_open(1);
        assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
        ps_test_source_settle(&stage, 0, seen > 0 ? 50 : 0);
        dprintf(fd, "a line\n");
        cut_end(UNSEEN, "a line");
        assert_int_equal(ps_test_stage_counter(&stage, LOST), 0);
        assert_int_equal(ps_test_stage_counter(&stage, FILLER), strlen("no line yet"));
        ps_test_stage_fini(&stage);
        close(fd);
        assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
        assert_int_equal(unlink(positions), 0);
    }
}

/* Nobody fills the NULs: what is behind them comes, and they are counted. They are no part of the line if they are many. */
static void test_given_up(void **unused)
{
    static const struct {
        off_t nuls;
        unsigned lost;
    } rows[] = {{5, 0}, {511, 0}, {512, 512}, {100000, 100000}, {LONG_BYTES, LONG_BYTES}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        append("app.log", "one\n");
        make("app.log", SPARSE, 4 + rows[i].nuls);
        append("app.log", "two\nthree\n");
        PS_START("penstock.line.max", "20000");
        ps_test_source_wait(&stage, 3, PS_TEST_PATIENCE_MS);
        assert_int_equal(stage.event_count, 3);
        assert_int_equal(stage.events[1].length, 3 + rows[i].nuls - rows[i].lost);
        assert_string_equal(stage.events[1].body + rows[i].nuls - rows[i].lost, "two");
        assert_string_equal(stage.events[2].body, "three");
        ps_test_source_clear(&stage);
        append("app.log", "four\n");
        expect("four");
        restart();
        append("app.log", "five\n");
        expect("five");
        assert_int_equal(ps_test_stage_counter(&stage, LOST), rows[i].lost);
        assert_int_equal(ps_test_stage_counter(&stage, TRUNCATED), 0);
        ps_test_stage_fini(&stage);
        assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
        assert_int_equal(unlink(positions), 0);
    }
}

/* NULs in a line are text. */
static void test_in_a_line(void **unused)
{
    static const char text[] = "a\0b\n\0\0c\nd\0\n\0\n";
    PS_START(NULL);
    ps_test_folder_append("app.log", text, sizeof text - 1);
    ps_test_source_wait(&stage, 4, PS_TEST_PATIENCE_MS);
    const struct {
        const char *bytes;
        unsigned length;
    } lines[] = {{"a\0b", 3}, {"\0\0c", 3}, {"d\0", 2}, {"\0", 1}};
    for (size_t i = 0; i < PS_COUNT_OF(lines); i++) {
        assert_int_equal(stage.events[i].length, lines[i].length);
        assert_memory_equal(stage.events[i].body, lines[i].bytes, lines[i].length);
    }
    ps_test_source_clear(&stage);
    expect_no_loss();
    ps_test_stage_fini(&stage);
}

/* skipToEnd skips what is written, and not the NULs behind it. */
static void test_skipped(void **unused)
{
    make("app.log", ALLOCATED, LONG_BYTES);
    put("app.log", 0, "old\n");
    PS_START("skipToEnd", "true");
    work_until(PS_COUNTER_extra, 1);
    wait_for_open(1);
    put("app.log", 4, "new\n");
    expect("new");
    expect_no_loss();
    ps_test_stage_fini(&stage);
}

/* Flume, and earlier versions, took the NULs for a line. */
static void test_position_behind_nuls(void **unused)
{
    char text[700];
    make("app.log", SPARSE, LONG_BYTES);
    put("app.log", 0, "one\n");
    snprintf(text, sizeof text, "[{\"inode\":%lu,\"pos\":%d,\"file\":\"%s\"}]", inode_of("app.log"),
             LONG_BYTES, ps_test_folder_path("app.log"));
    write_positions(text);
    PS_START(NULL);
    wait_for_open(1);
    put("app.log", 4, "two\n");
    expect("two");
    expect_no_loss();
    ps_test_stage_fini(&stage);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(filled_from_the_front),
        TEST(mapped_and_closed),
        TEST(filled_to_the_end),
        TEST(filled_in_another_order),
        TEST(filled_from_behind),
        TEST(cut_under_its_writer),
        TEST(cut_before_a_line_is_there),
        TEST(given_up),
        TEST(in_a_line),
        TEST(skipped),
        TEST(position_behind_nuls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
