/* Opening a log with a large backlog, 1 TiB in sparse files, takes a few system calls for each segment; the reads of
 * all heads are requested before the first one waits for the disk. Its memory does not depend on the bytes. */
#include "stages/lib/queue/segment/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/lib/queue/segment/format.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#define SEGMENTS 2048U
#define SEGMENT_BYTES ((uint64_t)512 << 20)
#define LOG_ID 77U

static struct ps_segment_files files; /* the machine's; calls are counted */
static unsigned opened, expected, reads, reads_before_the_last_is_expected;
static uint64_t bytes_read;
static unsigned closed, reports;

static int count_open(void *argument, const char *path, bool create)
{
    int fd = ps_segment_disk.open(argument, path, create);
    opened += fd >= 0;
    return fd;
}

static int count_close(void *argument, int fd)
{
    closed++;
    return ps_segment_disk.close(argument, fd);
}

static void count_expect(void *argument, int fd, uint64_t offset, size_t length)
{
    expected++;
    ps_segment_disk.expect(argument, fd, offset, length);
}

static ssize_t count_read(void *argument, int fd, void *to, size_t length, uint64_t offset)
{
    reads++;
    reads_before_the_last_is_expected += expected < SEGMENTS;
    ssize_t got = ps_segment_disk.read(argument, fd, to, length, offset);
    bytes_read += got > 0 ? (uint64_t)got : 0;
    return got;
}

static void note(void *argument, const char *text)
{
    print_message("%s\n", text);
    reports++;
}

static void write_file(const char *name, const void *from, size_t length, uint64_t at, uint64_t size)
{
    FILE *file = fopen(ps_test_folder_path(name), "wb");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
    assert_int_equal(fwrite(from, 1, length, file), length);
    assert_int_equal(fflush(file), 0);
    assert_int_equal(ftruncate(fileno(file), (off_t)size), 0);
    assert_int_equal(fclose(file), 0);
}

/* Writes only the head of each segment, as if its frames were somewhere in it; the frames are not read. */
static int make_backlog(void **state)
{
    char head[PS_SEGMENT_HEAD_BYTES], name[64];
    static char slot[PS_STATE_SLOT_BYTES];
    struct ps_segment_state last = {.generation = 1,
                                    .log = LOG_ID,
                                    .low = 1,
                                    .segment = SEGMENTS,
                                    .offset = PS_SEGMENT_HEAD_BYTES,
                                    .next = SEGMENTS + 1,
                                    .events = SEGMENTS,
                                    .bytes = SEGMENTS * SEGMENT_BYTES / 2};
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < SEGMENTS + 64)
        ps_test_skip("the process may not open so many files");
    assert_int_equal(ps_test_folder_setup(state), 0);
    for (uint64_t i = 1; i <= SEGMENTS; i++) {
        struct ps_segment_head of = {
            .log = LOG_ID, .segment = i, .first = i, .size = SEGMENT_BYTES, .salt = (uint32_t)i * 7919};
        snprintf(name, sizeof name, "%012llu.segment", (unsigned long long)i);
        ps_segment_head_write(head, &of);
        write_file(name, head, sizeof head, 0, SEGMENT_BYTES);
    }
    ps_segment_state_write(slot, &last);
    write_file("state", slot, sizeof slot, PS_STATE_SLOT_BYTES, 2 * (uint64_t)PS_STATE_SLOT_BYTES);
    files = ps_segment_disk;
    files.open = count_open;
    files.close = count_close;
    files.expect = count_expect;
    files.read = count_read;
    opened = closed = expected = reads = reads_before_the_last_is_expected = reports = 0;
    bytes_read = 0;
    return 0;
}

static struct ps_segment_log *open_log(struct ps_err *err)
{
    static const char *directories[1];
    directories[0] = ps_test_folder();
    struct ps_segment_options options = {.directories = {1, directories},
                                         .state_directory = ps_test_folder(),
                                         .segment_bytes = SEGMENT_BYTES,
                                         .files = &files,
                                         .report = note};
    return ps_segment_log_open(&options, err);
}

/* Returns the memory of the process, bytes. */
static uint64_t resident(void)
{
    unsigned long long size, pages;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%llu %llu", &size, &pages), 2);
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void test_few_calls_and_little_memory(void **state)
{
    struct ps_err err = {0};
    uint64_t before = resident();
    struct ps_segment_log *log = open_log(&err);
    if (log == NULL)
        fail_msg("%s", err.text);
    uint64_t after = resident();
    assert_int_equal(reports, 0);
    struct ps_segment_fill fill;
    ps_segment_log_fill(log, &fill);
    assert_int_equal(fill.events, SEGMENTS);
    assert_int_equal(fill.segments, SEGMENTS);
    assert_int_equal(opened, SEGMENTS + 1);
    assert_int_equal(expected, SEGMENTS);
    assert_int_equal(reads_before_the_last_is_expected, 0);
    assert_true(reads < SEGMENTS + 64); /* each head; the state and the tail */
    assert_true(bytes_read < SEGMENTS * PS_SEGMENT_SEALED_HEAD_BYTES + (4U << 20));
    print_message("%u reads, %llu bytes, %llu KiB of memory\n", reads, (unsigned long long)bytes_read,
                  (unsigned long long)(after > before ? (after - before) >> 10 : 0));
    assert_true(after < before + (48U << 20)); /* most of the growth is memory for the next writes */
    ps_segment_log_close(log);
    assert_int_equal(closed, opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_few_calls_and_little_memory, make_backlog,
                                        ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
