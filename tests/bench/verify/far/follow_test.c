/* Far end file, followed: appended data, new files, both kinds of rotation, truncation. */
#include "tests/support/avro.h"
#include "tests/support/far.h"
#include "tests/support/folder.h"

#include "core/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

/* ---- the clock of the far end ----
 *
 * A copy is held back for a second, and a busy machine may stop the reader for longer between two lines of a test. So the clock counts what the
 * reader waits for in poll, at most as long as it wanted to wait, and at most a millisecond between any two of its other readings. */

static uint64_t kernel_ns(void)
{
    struct timespec now;
    assert_int_equal(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * PS_NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t clock_ns = PS_NS_PER_S, read_ns; /* what it shows; kernel_ns() at its last reading */

static void let_pass(uint64_t most_ns)
{
    uint64_t now_ns = kernel_ns(), passed_ns = now_ns - read_ns;
    clock_ns += passed_ns < most_ns ? passed_ns : most_ns;
    read_ns = now_ns;
}

/* These replace functions of libc. */
int clock_gettime(clockid_t clock, struct timespec *time)
{
    if (clock != CLOCK_MONOTONIC)
        return (int)syscall(SYS_clock_gettime, clock, time);
    let_pass(PS_NS_PER_MS);
    *time = (struct timespec){.tv_sec = (time_t)(clock_ns / PS_NS_PER_S),
                              .tv_nsec = (long)(clock_ns % PS_NS_PER_S)};
    return 0;
}

int poll(struct pollfd *polled, nfds_t polled_count, int timeout_ms)
{
    const struct timespec timeout = {.tv_sec = timeout_ms / 1000,
                                     .tv_nsec = timeout_ms % 1000 * (long)PS_NS_PER_MS};
    let_pass(PS_NS_PER_MS);
    int ready = (int)syscall(SYS_ppoll, polled, polled_count, timeout_ms < 0 ? NULL : &timeout, NULL, 0);
    let_pass(timeout_ms < 0 ? UINT64_MAX : (uint64_t)timeout_ms * PS_NS_PER_MS);
    return ready;
}

int __poll_chk(struct pollfd *polled, nfds_t polled_count, int timeout_ms, size_t room);
int __poll_chk(struct pollfd *polled, nfds_t polled_count, int timeout_ms,
               size_t room) /* called for `poll` where libc checks its arguments */
{
    return poll(polled, polled_count, timeout_ms);
}

/* ---- the tests ---- */

static void append_text(const char *name, const char *text)
{
    ps_test_folder_append(name, text, strlen(text));
}

/* Appends lines "NAME 0" .. with consecutive numbers. */
static void append_numbers(const char *name, unsigned first, unsigned count)
{
    FILE *file = fopen(ps_test_folder_path(name), "a");
    assert_non_null(file);
    for (unsigned i = first; i < first + count; i++)
        fprintf(file, "number %u with something behind it\n", i);
    fclose(file);
}

static void copy(const char *from, const char *to)
{
    char data[65536];
    FILE *in = fopen(ps_test_folder_path(from), "r"), *out = fopen(ps_test_folder_path(to), "w");
    assert_non_null(in);
    assert_non_null(out);
    for (size_t length; (length = fread(data, 1, sizeof data, in)) > 0;)
        assert_int_equal(fwrite(data, 1, length, out), length);
    fclose(in);
    fclose(out);
}

static void expect_numbers(struct ps_test_far *far, unsigned count)
{
    ps_test_far_collect(far, count);
    ps_test_far_expect_nothing(far, 150);
    for (unsigned i = 0; i < count; i++)
        if (strtoul(far->records[i].data + 7, NULL, 10) != i)
            fail_msg("record %u is: %s", i, far->records[i].data);
}

static void test_append(void **state)
{
    struct ps_test_far far;
    ps_test_far_open(&far, "file://%s/append?follow=true", ps_test_folder());
    ps_test_far_expect_nothing(&far, 20);
    ps_test_far_expect_remark(&far, "nothing is there yet", false);
    append_text("append", "one\ntw");
    ps_test_far_collect(&far, 1);
    ps_test_far_expect_nothing(&far, 20); /* the line is not complete */
    append_text("append", "o\n");
    ps_test_far_collect(&far, 2);
    ps_test_far_expect(&far, 0, "one");
    ps_test_far_expect(&far, 1, "two");
    ps_test_far_expect_remark(&far, NULL, false);
    assert_null(far.ops->address); /* it does not listen */
    ps_test_far_close(&far);
}

/* The old file is still written to for a while after it was renamed. */
static void test_rename(void **state)
{
    struct ps_test_far far;
    append_numbers("app.log.1", 7000, 10); /* from before the start: not read */
    ps_test_far_open(&far, "file://%s/app.log?follow=true", ps_test_folder());
    append_numbers("app.log", 0, 1000);
    ps_test_far_collect(&far, 1000);
    rename(ps_test_folder_path("app.log.1"), ps_test_folder_path("app.log.2"));
    rename(ps_test_folder_path("app.log"), ps_test_folder_path("app.log.1"));
    append_numbers("app.log.1", 1000, 10);
    append_numbers("app.log", 1010, 1000);
    expect_numbers(&far, 2010);
    ps_test_far_expect_remark(&far, NULL, false);
    ps_test_far_close(&far);
}

/* Several rotations between two scans: the files in between were never seen under the followed name. */
static void test_rename_fast(void **state)
{
    struct ps_test_far far;
    char from[32], to[32];
    ps_test_far_open(&far, "file://%s/fast.log?follow=true", ps_test_folder());
    append_numbers("fast.log", 0, 100);
    ps_test_far_collect(&far, 50 + 50);
    for (unsigned round = 1; round <= 5; round++) {
        for (unsigned i = 9; i > 0; i--) {
            snprintf(from, sizeof from, i == 1 ? "fast.log" : "fast.log.%u", i - 1);
            snprintf(to, sizeof to, "fast.log.%u", i);
            rename(ps_test_folder_path(from), ps_test_folder_path(to));
        }
        append_numbers("fast.log", round * 100, 100);
    }
    expect_numbers(&far, 600);
    ps_test_far_expect_remark(&far, NULL, false);
    ps_test_far_close(&far);
}

/* The copy contains what had not been read when the original was truncated. */
static void test_copytruncate(void **state)
{
    struct ps_test_far far;
    ps_test_far_open(&far, "file://%s/ct.log?follow=true", ps_test_folder());
    append_numbers("ct.log", 0, 1000);
    ps_test_far_collect(&far, 1000);
    append_text("ct.log", "number 1000 has two ");
    ps_test_far_expect_nothing(&far, 120);
    append_text("ct.log", "halves\n");
    append_numbers("ct.log", 1001, 99);
    copy("ct.log", "ct.log.1");
    assert_int_equal(truncate(ps_test_folder_path("ct.log"), 0), 0);
    append_numbers("ct.log", 1100, 10);
    expect_numbers(&far, 1110);
    assert_string_equal(far.records[1000].data, "number 1000 has two halves");

    /* again, with more data after the part that was read, and with a scan between copy and truncation */
    append_numbers("ct.log", 1110, 5000);
    ps_test_far_collect(&far, 6110);
    rename(ps_test_folder_path("ct.log.1"), ps_test_folder_path("ct.log.2"));
    append_numbers("ct.log", 6110, 10);
    copy("ct.log", "ct.log.1");
    expect_numbers(&far, 6120);
    assert_int_equal(truncate(ps_test_folder_path("ct.log"), 0), 0);
    append_numbers("ct.log", 6120, 10000);
    expect_numbers(&far, 16120);
    ps_test_far_expect_remark(&far, NULL, false);
    ps_test_far_close(&far);
}

static void test_truncated(void **state)
{
    struct ps_test_far far;
    append_numbers("cut.log", 0, 100);
    ps_test_far_open(&far, "file://%s/cut.log?follow=true", ps_test_folder());
    ps_test_far_collect(&far, 100);
    assert_int_equal(truncate(ps_test_folder_path("cut.log"), 0), 0);
    append_numbers("cut.log", 100, 10);
    expect_numbers(&far, 110);
    ps_test_far_expect_remark(
        &far, "was truncated: what was written to it after it was last read may be missing", true);
    ps_test_far_close(&far);
}

/* A file whose content was written twice is not a copy before a truncation: it is read a moment later. */
static void test_same_twice(void **state)
{
    struct ps_test_far far;
    assert_int_equal(mkdir(ps_test_folder_path("twice"), 0755), 0);
    ps_test_far_open(&far, "file://%s/twice?follow=true", ps_test_folder());
    append_numbers("twice/1", 0, 50);
    ps_test_far_collect(&far, 50);
    copy("twice/1", "twice/2");
    ps_test_far_collect(&far, 100);
    for (unsigned i = 0; i < 50; i++)
        assert_string_equal(far.records[i].data, far.records[50 + i].data);
    ps_test_far_expect_remark(&far, NULL, false);
    ps_test_far_close(&far);
}

/* As file_roll writes: each file continues where the previous one ended; more files than may stay open. */
static void test_directory(void **state)
{
    struct ps_test_far far;
    ps_test_far_open(&far, "file://%s/roll?follow=true", ps_test_folder()); /* does not exist yet */
    ps_test_far_expect_nothing(&far, 10);
    assert_int_equal(mkdir(ps_test_folder_path("roll"), 0755), 0);
    for (unsigned i = 0; i < 400; i++) {
        char name[32];
        snprintf(name, sizeof name, "roll/1700000000000-%u", i + 1);
        append_numbers(name, i * 100, i % 50 == 49 ? 0 : 100);
        if (i % 50 == 49)
            append_numbers(name, i * 100, 100);
        if (i % 100 == 0)
            ps_test_far_read(&far, 0);
    }
    expect_numbers(&far, 40000);
    append_numbers("roll/1700000000000-1", 40000, 10); /* closed long ago */
    ps_test_far_collect(&far, 40010);
    append_numbers("roll/1700000000000-400", 40010, 10);
    expect_numbers(&far, 40020);
    ps_test_far_expect_remark(&far, NULL, false);
    ps_test_far_close(&far);
}

/* A compressed copy of a file that was read is not read again; one without an original is. */
static void test_compressed(void **state)
{
    struct ps_test_far far;
    assert_int_equal(mkdir(ps_test_folder_path("gz"), 0755), 0);
    ps_test_far_open(&far, "file://%s/gz?follow=true", ps_test_folder());
    append_numbers("gz/a", 0, 100);
    ps_test_far_collect(&far, 100);
    gzFile file = gzopen(ps_test_folder_path("gz/a.gz"), "w");
    gzputs(file, "number 0\n");
    gzclose(file);
    unlink(ps_test_folder_path("gz/a"));
    file = gzopen(ps_test_folder_path("gz/b.gz"), "w");
    gzputs(file, "number 100\nnumber 101\n");
    gzclose(file);
    expect_numbers(&far, 102);
    ps_test_far_close(&far);
}

/* The reader waits for the rest of an incomplete block. */
static void test_avro(void **state)
{
    struct ps_test_far far;
    struct ps_test_avro avro;
    size_t written = 0;
    ps_test_avro_begin(&avro, PS_TEST_AVRO_FLUME, "deflate");
    ps_test_far_open(&far, "file://%s/events.avro?follow=true", ps_test_folder());
    for (unsigned i = 0; i < 20; i++) {
        char body[64];
        for (unsigned k = 0; k < 10; k++)
            ps_test_avro_event(&avro, body, (size_t)sprintf(body, "number %u", i * 10 + k));
        ps_test_avro_end_block(&avro);
        size_t length = avro.length - written - i;
        ps_test_folder_append("events.avro", avro.data + written, length);
        written += length;
        ps_test_far_collect(&far, i == 0 ? 10 : i * 10);
        ps_test_far_expect_remark(&far, NULL, false);
    }
    ps_test_folder_append("events.avro", avro.data + written, avro.length - written);
    expect_numbers(&far, 200);
    ps_test_avro_free(&avro);
    ps_test_far_close(&far);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),      cmocka_unit_test(test_rename),
        cmocka_unit_test(test_rename_fast), cmocka_unit_test(test_copytruncate),
        cmocka_unit_test(test_truncated),   cmocka_unit_test(test_same_twice),
        cmocka_unit_test(test_directory),   cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_avro),
    };
    return cmocka_run_group_tests(tests, ps_test_folder_setup, ps_test_folder_teardown);
}
