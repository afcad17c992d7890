/* The fingerprint of a file's beginning, built piece by piece, compared with that of the whole; files that are shorter,
 * longer or different there by one byte. */
#include "stages/lib/tail/identity.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char text[2 * PS_TAIL_HEAD_BYTES];

static int setup(void **state)
{
    uint64_t random = 1;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)ps_test_random(&random);
    return ps_test_folder_setup(state);
}

static int file_of(const char *name, size_t length)
{
    ps_test_folder_append(name, text, length);
    int fd = open(ps_test_folder_path(name), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* Pieces that follow each other, overlap or come again, from anywhere: a piece that continues the known part extends it, up
 * to its limit. */
static void test_pieces(void **unused)
{
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 2000; round++) {
        struct ps_tail_identity identity = {.head_length = 0};
        size_t known = 0, longest = round % 4 == 0 ? 2000 : 200;
        for (unsigned step = 0; step < 12; step++) {
            size_t offset = ps_test_random(&random) % 3 == 0 ? ps_test_random(&random) % (known + 3)
                            : known > sizeof text - longest  ? 0
                                                             : known;
            size_t length =
                ps_test_random(&random) % (longest < sizeof text - offset ? longest : sizeof text - offset);
            ps_tail_identity_extend(&identity, text + offset, length, (int64_t)offset);
            if (offset <= known && offset + length > known)
                known = offset + length < PS_TAIL_HEAD_BYTES ? offset + length : PS_TAIL_HEAD_BYTES;
            assert_int_equal(identity.head_length, known);
            assert_true(known == 0 || identity.head == ps_tail_head(text, known));
        }
    }
}

/* A file matches a fingerprint if it has at least the bytes of the fingerprint, and each of them. */
static void test_begins(void **unused)
{
    static const size_t lengths[] = {1, 2, PS_TAIL_HEAD_BYTES - 1, PS_TAIL_HEAD_BYTES,
                                     PS_TAIL_HEAD_BYTES + 1};
    for (size_t i = 0; i < PS_COUNT_OF(lengths); i++) {
        struct ps_tail_identity identity;
        char name[16];
        int64_t size;
        snprintf(name, sizeof name, "f%zu", i);
        int fd = file_of(name, lengths[i]);
        struct stat status;
        assert_int_equal(fstat(fd, &status), 0);
        assert_true(ps_tail_identity_read(fd, &identity, &size));
        assert_int_equal(size, lengths[i]);
        assert_true(ps_tail_identity_is_inode(&identity, status.st_dev, status.st_ino));
        assert_false(ps_tail_identity_is_inode(&identity, status.st_dev + 1, status.st_ino));
        assert_false(ps_tail_identity_is_inode(&identity, status.st_dev, status.st_ino + 1));
        size_t covered = lengths[i] < PS_TAIL_HEAD_BYTES ? lengths[i] : PS_TAIL_HEAD_BYTES;
        assert_int_equal(identity.head_length, covered);
        assert_int_equal(ps_tail_identity_begins(fd, &identity), PS_TAIL_SEEN_SAME);
        assert_true(ps_tail_bytes_begin(&identity, text, covered));
        assert_false(ps_tail_bytes_begin(&identity, text, covered - 1));
        struct ps_tail_identity other = identity;
        other.head ^= 1;
        assert_int_equal(ps_tail_identity_begins(fd, &other), PS_TAIL_SEEN_OTHER);
        assert_int_equal(truncate(ps_test_folder_path(name), (off_t)covered - 1), 0);
        assert_int_equal(ps_tail_identity_begins(fd, &identity), PS_TAIL_SEEN_OTHER);
        identity.head_length = 0;
        assert_int_equal(ps_tail_identity_begins(fd, &identity), PS_TAIL_SEEN_SAME);
        close(fd);
        assert_int_equal(ps_tail_identity_begins(fd, &other), PS_TAIL_SEEN_UNREADABLE);
        assert_int_equal(errno, EBADF);
    }
}

static void test_no_file(void **unused)
{
    struct ps_tail_identity identity;
    int fd = open(ps_test_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_false(ps_tail_identity_read(fd, &identity, NULL));
    assert_int_equal(errno, ENOTSUP);
    close(fd);
}

static void test_read_fully(void **unused)
{
    char bytes[64];
    int fd = file_of("a", 100);
    assert_int_equal(ps_tail_read_fully(fd, bytes, 64, 0), 64);
    assert_memory_equal(bytes, text, 64);
    assert_int_equal(ps_tail_read_fully(fd, bytes, 64, 36), 64);
    assert_memory_equal(bytes, text + 36, 64);
    assert_int_equal(ps_tail_read_fully(fd, bytes, 64, 37), 63);
    assert_int_equal(ps_tail_read_fully(fd, bytes, 64, 100), 0);
    assert_int_equal(ps_tail_read_fully(fd, bytes, 0, 0), 0);
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(pieces), TEST(begins), TEST(no_file), TEST(read_fully)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
