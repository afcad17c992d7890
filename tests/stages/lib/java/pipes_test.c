/* The pipes of the Java host: which of their ends block, that a failure leaves none open, and which bytes are read when the
 * process has ended. */
#include "stages/lib/java/pipes.h"

#include "tests/support/no_descriptors.h"
#include "tests/support/support.h"

#define ALL_FDS 256

static unsigned open_fds(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < ALL_FDS; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void test_which_ends_block(void **state)
{
    struct ps_java_pipes pipes;
    unsigned before = open_fds();
    assert_true(ps_java_make_pipes(&pipes));
    assert_int_equal(open_fds(), before + 6);
    int *const all[] = {pipes.input, pipes.output, pipes.log};
    for (size_t i = 0; i < PS_COUNT_OF(all); i++) {
        const int ours = i == 0 ? 1 : 0; /* the host reads its input, and writes the others */
        for (int end = 0; end < 2; end++) {
            assert_true(all[i][end] >= PS_JAVA_LOW_FD);
            assert_int_equal(fcntl(all[i][end], F_GETFD), FD_CLOEXEC);
            assert_int_equal((fcntl(all[i][end], F_GETFL) & O_NONBLOCK) != 0, end == ours);
        }
        char byte = 'x';
        assert_int_equal(write(all[i][1], &byte, 1), 1);
        assert_int_equal(read(all[i][0], &byte, 1), 1);
    }
    ps_java_close_pipes(&pipes);
    assert_int_equal(open_fds(), before);
    for (size_t i = 0; i < PS_COUNT_OF(all); i++)
        assert_true(all[i][0] == -1 && all[i][1] == -1);
    ps_java_close_pipes(&pipes); /* a second time */
}

/* The limit of open files is reached at each of the calls: whatever was opened is closed again. */
static void test_too_few_descriptors(void **state)
{
    unsigned before = open_fds(), failed = 0;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (rlim_t most = 3; most < PS_JAVA_LOW_FD + 40; most++) {
        struct ps_java_pipes pipes;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){most, limit.rlim_max}), 0);
        bool made = ps_java_make_pipes(&pipes);
        int error = errno;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        failed += !made;
        assert_true(made || error == EMFILE || error == EINVAL);
        ps_java_close_pipes(&pipes);
        assert_int_equal(open_fds(), before);
    }
    assert_in_range(failed, PS_JAVA_LOW_FD - 2, PS_JAVA_LOW_FD + 36); /* the last ones have enough */
}

/* ---- what is left in a pipe ---- */

struct reader {
    int fd, end;
    size_t piece, more; /* bytes of one read; bytes that a child writes meanwhile */
    unsigned closes_at; /* this call closes the pipe; 0: none does */
    unsigned calls;
    size_t got;
};

static size_t read_some(void *reader_)
{
    struct reader *reader = reader_;
    char bytes[64];
    assert_true(reader->piece <= sizeof bytes && ++reader->calls < 100);
    if (reader->calls == reader->closes_at) {
        ps_java_close_fd(&reader->fd);
        return 1;
    }
    ssize_t got = read(reader->fd, bytes, reader->piece);
    if (got <= 0)
        return 0;
    reader->got += (size_t)got;
    if (reader->more > 0)
        assert_int_equal(write(reader->end, bytes, reader->more), reader->more);
    return (size_t)got;
}

static void test_what_is_drained(void **state)
{
    static const struct {
        size_t bytes, piece, more;
        unsigned closes_at, calls;
        size_t got;
    } rows[] = {
        {0, 4, 0, 0, 0, 0},                         /* nothing is there: no read */
        {10, 20, 0, 0, 1, 10},                      /* all at once */
        {10, 5, 0, 0, 2, 10},                       /* exactly two pieces */
        {11, 5, 0, 0, 3, 11},                       /* and one byte more */
        {10, 4, 4, 0, 3, 12},                       /* a child writes without end */
        {8, 4, 4, 0, 2, 8},    {10, 4, 0, 2, 2, 4}, /* the reader closes it */
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        int ends[2];
        assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        struct reader reader = {.fd = ends[0],
                                .end = ends[1],
                                .piece = rows[i].piece,
                                .more = rows[i].more,
                                .closes_at = rows[i].closes_at};
        assert_int_equal(write(ends[1], "0123456789a", rows[i].bytes), rows[i].bytes);
        ps_java_pipe_drain(&reader.fd, read_some, &reader);
        if (reader.calls != rows[i].calls || reader.got != rows[i].got)
            fail_msg("row %zu: %u calls, %zu bytes", i, reader.calls, reader.got);
        ps_java_close_fd(&reader.fd);
        assert_int_equal(reader.fd, -1);
        ps_java_pipe_drain(&reader.fd, read_some, &reader); /* a closed one has nothing */
        assert_int_equal(reader.calls, rows[i].calls);
        close(ends[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_ends_block),
        cmocka_unit_test(test_too_few_descriptors),
        cmocka_unit_test(test_what_is_drained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
