/* The file system of the machine: the room of a removed file becomes free. */
#include "stages/lib/queue/segment/files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/support.h"

#define FILE_BYTES (UINT64_C(9) << 20)

static char path[] = "/tmp/penstock-files-XXXXXX";

/* Returns a descriptor of a new file, and another one of the same file. */
static int make_file(int *other)
{
    snprintf(path, sizeof path, "/tmp/penstock-files-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ps_segment_disk.allocate(NULL, fd, FILE_BYTES), 0);
    *other = dup(fd);
    return fd;
}

static uint64_t length_of(int fd)
{
    return (uint64_t)ps_segment_disk.size(NULL, fd);
}

static bool is_closed(int fd)
{
    return fcntl(fd, F_GETFD) < 0;
}

static void wait_closed(int fd)
{
    for (unsigned ms = 0; !is_closed(fd); ms++) {
        assert_true(ms < 60000);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

/* A removed file is truncated in steps before it is closed; a second descriptor shows its length. */
static void test_removed_file_is_freed(void **state)
{
    int other, fd = make_file(&other);
    assert_int_equal(ps_segment_disk.remove(NULL, path), 0);
    ps_segment_disk.discard(NULL, fd);
    wait_closed(fd);
    assert_true(length_of(other) <= UINT64_C(2) << 20);
    close(other);
}

/* The file could not be removed: its contents do not change. */
static void test_file_with_a_name_stays(void **state)
{
    int other, fd = make_file(&other);
    ps_segment_disk.discard(NULL, fd);
    wait_closed(fd);
    assert_int_equal(length_of(other), FILE_BYTES);
    close(other);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_removed_file_is_freed),
        cmocka_unit_test(test_file_with_a_name_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
