/* The copy of a log's file without its unreadable blocks: which bytes are given up, and for which errors. */
#include "stages/lib/queue/segment/give_up.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base.h"
#include "stages/lib/random.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#define BLOCK_BYTES 4096U
#define BLOCKS (2U * 256U + 3U) /* two pieces of 1 MiB, and some more */
#define FILE_BYTES ((BLOCKS - 1) * BLOCK_BYTES + 100U)

static struct ps_segment_files files;
static bool bad[BLOCKS];    /* blocks that the disk cannot read */
static int bad_error;       /* the errno of their reads */
static unsigned open_count; /* descriptors */
static unsigned sync_count;
static char from[512], to[512];
static char bytes[FILE_BYTES], expected[FILE_BYTES], copied[FILE_BYTES + 1];

static int open_one(void *argument, const char *path, bool create)
{
    int fd = ps_segment_disk.open(argument, path, create);
    open_count += fd >= 0;
    return fd;
}

static int close_one(void *argument, int fd)
{
    open_count--;
    return ps_segment_disk.close(argument, fd);
}

static ssize_t read_some(void *argument, int fd, void *into, size_t length, uint64_t offset)
{
    for (uint64_t block = offset / BLOCK_BYTES; block * BLOCK_BYTES < offset + length && block < BLOCKS;
         block++) {
        if (bad[block]) {
            errno = bad_error;
            return -1;
        }
    }
    return ps_segment_disk.read(argument, fd, into, length, offset);
}

static int sync_one(void *argument, int fd)
{
    sync_count++;
    return 0;
}

static int setup(void **state)
{
    if (ps_test_folder_setup(state) != 0)
        return -1;
    files = ps_segment_disk;
    files.open = open_one;
    files.close = close_one;
    files.read = read_some;
    files.sync = sync_one;
    bad_error = EIO;
    open_count = sync_count = 0;
    memset(bad, 0, sizeof bad);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(1 + i % 251);
    snprintf(from, sizeof from, "%s", ps_test_folder_path("from"));
    snprintf(to, sizeof to, "%s", ps_test_folder_path("to"));
    ps_test_folder_append("from", bytes, sizeof bytes);
    return 0;
}

static struct gaps {
    unsigned count;
    uint64_t from[BLOCKS], to[BLOCKS];
} seen;

static void gap_seen(void *argument, uint64_t offset, uint64_t length)
{
    assert_ptr_equal(argument, &seen);
    assert_in_range(seen.count, 0, BLOCKS - 1);
    seen.from[seen.count] = offset;
    seen.to[seen.count++] = offset + length;
}

static enum ps_status give_up(const char *target, struct ps_err *err)
{
    seen.count = 0;
    enum ps_status status = ps_segment_give_up(&files, from, target, gap_seen, &seen, err);
    assert_int_equal(open_count, 0);
    return status;
}

/* The copy has all bytes but those of bad blocks, which are zero; each run of bad blocks is one gap. */
static void expect_copy(void)
{
    struct ps_err err = {.length = 0};
    struct gaps gaps = {.count = 0};
    memcpy(expected, bytes, sizeof bytes);
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t begin = i * BLOCK_BYTES, end = i + 1 < BLOCKS ? begin + BLOCK_BYTES : FILE_BYTES;
        if (!bad[i])
            continue;
        memset(expected + begin, 0, end - begin);
        if (i == 0 || !bad[i - 1])
            gaps.from[gaps.count++] = begin;
        gaps.to[gaps.count - 1] = end;
    }
    for (unsigned writes = 0; writes < 2; writes++) {
        (void)unlink(to);
        sync_count = 0;
        assert_int_equal(give_up(writes ? to : NULL, &err), PS_OK);
        assert_int_equal(sync_count, writes);
        assert_int_equal(seen.count, gaps.count);
        assert_memory_equal(seen.from, gaps.from, gaps.count * sizeof *gaps.from);
        assert_memory_equal(seen.to, gaps.to, gaps.count * sizeof *gaps.to);
    }
    FILE *file = fopen(to, "r");
    assert_non_null(file);
    assert_int_equal(fread(copied, 1, sizeof copied, file), FILE_BYTES);
    fclose(file);
    assert_memory_equal(copied, expected, FILE_BYTES);
}

/* Only what the disk cannot read is given up. */
static void test_errors_that_are_not_the_disks(void **unused)
{
    static const int disks[] = {EIO, EBADMSG, EUCLEAN, ENODATA};
    static const int others[] = {ENOMEM, EMFILE, ENFILE, EACCES, EPERM, ESTALE, EISDIR, ENOENT, EAGAIN, 0};
    bad[5] = true;
    for (size_t i = 0; i < PS_COUNT_OF(disks); i++) {
        bad_error = disks[i];
        expect_copy();
    }
    for (size_t i = 0; i < PS_COUNT_OF(others); i++) {
        struct ps_err err = {.length = 0};
        (void)unlink(to);
        bad_error = others[i];
        assert_int_equal(give_up(i % 2 == 0 ? to : NULL, &err), PS_FAIL);
        assert_int_equal(seen.count, 0);
        assert_non_null(strstr(err.text, "from cannot be read: "));
    }
}

static void test_gaps(void **unused)
{
    static const unsigned edges[] = {0, 1, 254, 255, 256, 257, 511, 512, BLOCKS - 2, BLOCKS - 1};
    struct ps_random random = {.words = {ps_test_seed(), 1, 2, 3}};
    expect_copy();
    for (size_t i = 0; i < PS_COUNT_OF(edges); i++) { /* one block, and then two neighbours */
        memset(bad, 0, sizeof bad);
        bad[edges[i]] = true;
        expect_copy();
        bad[edges[i] > 0 ? edges[i] - 1 : 1] = true;
        expect_copy();
    }
    for (unsigned round = 0; round < 20; round++) {
        uint64_t often = 1 + ps_random_next(&random) % 50;
        for (size_t i = 0; i < BLOCKS; i++)
            bad[i] = ps_random_next(&random) % often == 0;
        expect_copy();
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(gaps),
        TEST(errors_that_are_not_the_disks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
