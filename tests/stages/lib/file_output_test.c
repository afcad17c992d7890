/* Output to a file, against a model: the bytes of the transaction, in order, are in the file after a commit, and none of them after an undo, whatever
 * their lengths are, which of them last, and how much a call of the kernel writes. */
#include "stages/lib/file_output.h"

#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BYTES (1U << 20)

static char bytes[BYTES];       /* they last */
static char model[16U * BYTES]; /* of the transaction */
static size_t model_length;
static uint64_t random_state;

/* Out of a hundred calls, so many write a part, are interrupted, and fail. */
static struct {
    unsigned parts, interruptions, failures, cut_failures;
} faults;
static bool cut_failed;

static unsigned draw(unsigned count)
{
    return (unsigned)(ps_test_random(&random_state) % count);
}

/* These replace libc's functions. */
ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    unsigned fate = draw(100);
    if (fate < faults.failures || fate - faults.failures < faults.interruptions) {
        errno = fate < faults.failures ? ENOSPC : EINTR;
        return -1;
    }
    if (fate - faults.failures - faults.interruptions >= faults.parts)
        return syscall(SYS_writev, fd, pieces, count);
    count = 1 + (int)draw((unsigned)count);
    struct iovec last = pieces[count - 1];
    last.iov_len = last.iov_len > 1 ? 1 + draw((unsigned)last.iov_len) : last.iov_len;
    ssize_t before = count > 1 ? syscall(SYS_writev, fd, pieces, count - 1) : 0;
    assert_true(before >= 0);
    ssize_t after = syscall(SYS_writev, fd, &last, 1);
    assert_true(after >= 0);
    return before + after;
}

int ftruncate(int fd, off_t length)
{
    cut_failed = draw(100) < faults.cut_failures;
    errno = EIO;
    return cut_failed ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

/* What a transaction writes. */
static struct {
    unsigned longs, passing; /* of a hundred */
    unsigned longest, longest_short;
} mixture;

static void draw_mixture(void)
{
    mixture.longs = (unsigned[]){0, 2, 10, 50, 90}[draw(5)];
    mixture.passing = (unsigned[]){0, 0, 25}[draw(3)];
    mixture.longest = (unsigned[]){1025, 1100, 5000, 300000}[draw(4)];
    mixture.longest_short = (unsigned[]){1, 2, 40, 1024}[draw(4)];
}

/* Writes drawn bytes. Those that do not last are gone after the call. */
static bool write_one(struct ps_file_output *output)
{
    static char passing[BYTES];
    unsigned most = draw(100) < mixture.longs ? mixture.longest : mixture.longest_short;
    size_t length = draw(2) == 0 ? most : 1 + draw(most), at = draw((unsigned)(BYTES - length));
    memcpy(model + model_length, bytes + at, length);
    model_length += length;
    if (draw(100) >= mixture.passing) {
        ps_file_output_lasting(output, bytes + at, length);
        return output->output.write(&output->output, bytes + at, length);
    }
    memcpy(passing, bytes + at, length);
    bool good = output->output.write(&output->output, passing, length);
    memset(passing, 0, length);
    return good;
}

static void expect(int fd, size_t before)
{
    static char found[sizeof model];
    struct stat facts;
    assert_int_equal(fstat(fd, &facts), 0);
    assert_int_equal(facts.st_size, before + model_length);
    assert_int_equal(pread(fd, found, model_length, (off_t)before), model_length);
    assert_memory_equal(found, model, model_length);
}

/* `whole`: each transaction is committed if it can be. Returns how many were. */
static unsigned run(bool whole)
{
    enum { TRANSACTIONS = 80 };
    struct ps_file_output output;
    size_t before = 0; /* what is committed */
    unsigned committed = 0;
    int fd = open(ps_test_folder_path(whole ? "whole" : "torn"), O_RDWR | O_APPEND | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_true(ps_file_output_init(&output));
    ps_file_output_begin(&output, fd);
    for (unsigned i = 0; i < TRANSACTIONS; i++) {
        unsigned count = draw(2) == 0 ? draw(10) : draw(2000);
        draw_mixture();
        bool good = true;
        model_length = 0;
        for (unsigned k = 0; k < count && good && model_length < sizeof model - BYTES; k++)
            good = write_one(&output);
        if (good && (whole || draw(3) > 0) && ps_file_output_commit(&output)) {
            expect(fd, before);
            before += model_length;
            committed++;
            continue;
        }
        assert_false(whole);
        cut_failed = false;
        ps_file_output_undo(&output);
        model_length = 0;
        if (!cut_failed)
            expect(fd, before);
    }
    ps_file_output_fini(&output);
    close(fd);
    return committed;
}

static void test_committed(void **unused)
{
    faults.parts = 30;
    faults.interruptions = 10;
    assert_int_equal(run(true), 80);
}

static void test_undone(void **unused)
{
    faults.failures = 4;
    faults.cut_failures = 20;
    assert_in_range(run(false), 10, 79);
}

int main(void)
{
    random_state = ps_test_seed();
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)draw(256);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_committed), cmocka_unit_test(test_undone)};
    return cmocka_run_group_tests(tests, ps_test_folder_setup, ps_test_folder_teardown);
}
