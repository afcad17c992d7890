/* Source taildir and lines that are longer than a block, in a file that is truncated while such a line is found and
 * read: at each read of the source's thread. An event has bytes of the file, and no others. */
#include "tests/stages/sources/taildir_support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define LENGTH (2U * PS_BLOCK_BYTES + 1000U)
#define READS_MAX 200U

static char line[LENGTH + 2];       /* with its newline */
static _Atomic unsigned reads_left; /* reads until the file is truncated; 0: it is not */
static char cut_path[512];
static off_t cut_to;
static _Atomic bool is_cut;

ssize_t pread(int fd, void *to, size_t length, off_t offset)
{
    unsigned left = reads_left;
    if (left > 0) {
        reads_left = left - 1;
        if (left == 1) {
            (void)!truncate(cut_path, cut_to);
            is_cut = true;
        }
    }
    return syscall(SYS_pread64, fd, to, length, offset);
}

static bool is_text(const struct ps_test_event *event, const char *text, size_t length)
{
    return event->length == length && memcmp(event->body, text, length) == 0;
}

/* Asserts that each event is one of the lines that the file had. Returns whether the last of them has come. */
static bool look_at_events(const char *joined, size_t joined_length)
{
    bool came = false;
    for (size_t i = 0; i < stage.event_count; i++) {
        const struct ps_test_event *event = &stage.events[i];
        came |= is_text(event, joined, joined_length);
        if (!came && !is_text(event, "one", 3) && !is_text(event, line, LENGTH) &&
            !is_text(event, joined, joined_length))
            fail_msg("an event of %u bytes is no line of the file, which was cut to %lld", event->length,
                     (long long)cut_to);
    }
    ps_test_source_clear(&stage);
    return came;
}

static void turn_at_fake_time(uint64_t until_ns)
{
    if (ps_test_source_work(&stage) != PS_DONE)
        usleep(200);
    ps_test_source_close_batch(&stage);
    assert_true(ps_test_patient_ns() < until_ns);
}

static void turn(uint64_t until_ns)
{
    ps_test_stage_real_clock(&stage);
    turn_at_fake_time(until_ns);
}

/* The file is truncated to `size` bytes before this read of the thread, and continues with "rest". Returns whether this read took place. */
static bool play(unsigned number, off_t size)
{
    static char joined[LENGTH + 8];
    size_t kept = size > 4 ? (size_t)size - 4 : 0;
    memcpy(joined, line, kept);
    memcpy(joined + kept, "rest", 4);
    setup(NULL);
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    snprintf(cut_path, sizeof cut_path, "%s", ps_test_folder_path("app.log"));
    cut_to = size;
    is_cut = false;
    reads_left = number;
    append("app.log", line);
    uint64_t until_ns = ps_test_patience_end_ns();
    while (!is_cut && stage.event_count == 0) {
        turn(until_ns);
    }
    bool was_read = is_cut;
    reads_left = 0;
    if (was_read) {
        append("app.log", "rest\n");
        while (!look_at_events(joined, kept + 4)) {
            turn(until_ns);
        }
    }
    ps_test_stage_fini(&stage);
    ps_test_folder_teardown(NULL);
    return was_read;
}

static void test_cut_while_it_is_read(void **unused)
{
    static const off_t sizes[] = {4, 5, 4 + 1000, 4 + LENGTH / 2, 4 + LENGTH - 1, 4 + LENGTH};
    for (size_t i = 0; i < LENGTH; i++)
        line[i] = (char)('a' + i % 23);
    line[LENGTH] = '\n';
    for (size_t i = 0; i < PS_COUNT_OF(sizes); i++) {
        unsigned number = 1;
        while (play(number, sizes[i])) {
            assert_true(number < READS_MAX);
            number++;
        }
        assert_true(number > 4); /* the line's end was found, and the line was read and compared */
    }
}

/* Lines around the largest length, which is more than a block: one that is not longer comes whole, a longer one in two pieces, and the
 * line after it is not touched. */
static void test_around_the_largest(void **unused)
{
    char most[32];
    snprintf(most, sizeof most, "%u", LENGTH - 1);
    for (size_t length = LENGTH - 2; length <= LENGTH; length++) {
        size_t wanted = length > LENGTH - 1 ? 3 : 2, got = 0;
        memset(line, 'x', length);
        memcpy(line + length, "\n", 2);
        setup(NULL);
        append("app.log", "one\n");
        PS_START("penstock.line.max", most);
        expect("one");
        append("app.log", line);
        append("app.log", "two\n");
        uint64_t until_ns = ps_test_patience_end_ns();
        while (stage.event_count < wanted) {
            turn(until_ns);
        }
        assert_int_equal(stage.event_count, wanted);
        for (size_t i = 0; i + 1 < wanted; i++) {
            assert_true(stage.events[i].length < LENGTH);
            got += stage.events[i].length;
        }
        assert_int_equal(got, length);
        assert_true(is_text(&stage.events[wanted - 1], "two", 3));
        ps_test_source_clear(&stage);
        ps_test_stage_fini(&stage);
        ps_test_folder_teardown(NULL);
    }
}

/* A long line that is still being written is not cut. When it no longer grows, it counts without a newline. */
static void test_grows_and_rests(void **unused)
{
    memset(line, 'x', LENGTH);
    line[LENGTH] = '\0';
    setup(NULL);
    append("app.log", "one\n");
    append("app.log", line);
    PS_START("idleTimeout", "3600000");
    expect("one");
    ps_test_stage_pass_ms(&stage, 3500000);
    append("app.log", "y");
    expect_nothing();
    ps_test_stage_pass_ms(&stage, 200000);
    expect_nothing();
    uint64_t until_ns = ps_test_patience_end_ns();
    while (stage.event_count == 0) {
        ps_test_stage_pass_ms(&stage, 3700000);
        for (int i = 0; i < 20; i++)
            turn_at_fake_time(until_ns);
    }
    assert_int_equal(stage.event_count, 1);
    assert_int_equal(stage.events[0].length, LENGTH + 1);
    ps_test_source_clear(&stage);
    ps_test_stage_fini(&stage);
    ps_test_folder_teardown(NULL);
}

/* A last line without a newline counts also when it ends where a page ends: a read that ends there does not show the end of the file. */
static void test_ends_with_a_page_and_rests(void **unused)
{
    enum { PAGE = 4096 };
    for (size_t before = 0; before <= 4; before += 4) { /* with and without a whole line before it */
        memset(line, 'x', 2 * PAGE - before);
        line[2 * PAGE - before] = '\0';
        setup(NULL);
        append("app.log", before > 0 ? "one\n" : "");
        append("app.log", line);
        PS_START("idleTimeout", "200");
        if (before > 0)
            expect("one");
        ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
        assert_true(is_text(&stage.events[0], line, 2 * PAGE - before));
        ps_test_source_clear(&stage);
        wait_for_open(0);
        append("app.log", "two\n");
        expect("two");
        ps_test_stage_fini(&stage);
        ps_test_folder_teardown(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_while_it_is_read), cmocka_unit_test(test_around_the_largest),
        cmocka_unit_test(test_grows_and_rests), cmocka_unit_test(test_ends_with_a_page_and_rests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
