/* The text of a compressed file that is open: random reads and limits compared with the text, files that end early or
 * are damaged, and files that change while they are read. */
#include "stages/lib/tail/text.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define TEXT_BYTES (3U << 20)

static char *plain, *got;
static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

/* Writes the first bytes of the text as a gzip file. */
static int packed_file(size_t length)
{
    const char *path = ps_test_folder_path("file.gz");
    gzFile out = gzopen(path, "wb1");
    assert_non_null(out);
    assert_int_equal(length > 0 ? gzwrite(out, plain, (unsigned)length) : 0, length);
    assert_int_equal(gzclose(out), Z_OK);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static struct ps_tail_text *text_of(int fd)
{
    struct ps_tail_stamp stamp;
    assert_true(ps_tail_stamp_read(fd, &stamp));
    return ps_tail_text_create(fd, PS_COMPRESSION_GZIP, &stamp);
}

/* Reads again as long as the text only asks for more time. */
static ssize_t read_at(struct ps_tail_text *text, size_t room, int64_t offset)
{
    ssize_t length;
    unsigned calls = 0;
    do {
        length = ps_tail_text_read(text, got, room, offset);
        assert_true(++calls < 1000);
    } while (length < 0 && errno == EAGAIN);
    return length;
}

static int setup(void **unused)
{
    state = ps_test_seed() | 1;
    plain = malloc(TEXT_BYTES);
    got = malloc(TEXT_BYTES);
    assert_true(plain != NULL && got != NULL);
    for (size_t i = 0; i < TEXT_BYTES; i++)
        plain[i] = (char)('a' + draw(20));
    return ps_test_folder_setup(unused);
}

static int teardown(void **unused)
{
    free(plain);
    free(got);
    return ps_test_folder_teardown(unused);
}

static void test_drawn_reads(void **unused)
{
    static const size_t lengths[] = {0, 1, 1023, 1024, 1025, 100000, TEXT_BYTES};
    char first[PS_TAIL_HEAD_BYTES];
    for (size_t i = 0; i < PS_COUNT_OF(lengths); i++) {
        size_t length = lengths[i];
        int fd = packed_file(length);
        struct ps_tail_text *text = text_of(fd);
        ps_tail_text_hold(text); /* as a job does */
        int64_t limit = INT64_MAX;
        for (unsigned reads = 0; reads < 24; reads++) {
            if (draw(4) == 0) {
                limit = draw(2) == 0 ? INT64_MAX : (int64_t)draw(length + 1);
                ps_tail_text_limit(text, limit);
            }
            size_t end = limit < (int64_t)length ? (size_t)limit : length;
            size_t offset = draw(4) == 0 ? end : (size_t)draw(end + 1), room = 1 + (size_t)draw(40000);
            if (draw(3) == 0 && end > 2)
                room = end - offset + (size_t)draw(3); /* to the end, or nearly so */
            if (room == 0)
                continue;
            size_t expected = end - offset < room ? end - offset : room;
            assert_int_equal(read_at(text, room, (int64_t)offset), expected);
            assert_true(memcmp(got, plain + offset, expected) == 0);
            size_t first_length = ps_tail_text_first(text, first);
            if (expected > 0) {
                assert_int_equal(first_length, length < sizeof first ? length : sizeof first);
                assert_true(memcmp(first, plain, first_length) == 0);
            }
        }
        ps_tail_text_limit(text, INT64_MAX);
        assert_int_equal(read_at(text, 10, (int64_t)length), 0);
        assert_int_equal(ps_tail_text_end(text), PS_TAIL_TEXT_WHOLE);
        ps_tail_text_drop(text);
        ps_tail_text_drop(text);
        close(fd);
    }
    ps_tail_text_drop(NULL);
}

/* A file that ends early is read to its end. There the text ends; if a limit says that there is more, reading fails. */
static void test_early(void **unused)
{
    for (unsigned round = 0; round < 12; round++) {
        int fd = packed_file(50000);
        struct stat status;
        assert_int_equal(fstat(fd, &status), 0);
        off_t cut = round == 0 ? status.st_size - 1 : 1000 + (off_t)draw((uint64_t)status.st_size - 1000);
        assert_int_equal(ftruncate(fd, cut), 0);
        struct ps_tail_text *text = text_of(fd);
        int64_t length = 0;
        for (ssize_t more; (more = read_at(text, 7000, length)) != 0; length += more) {
            assert_true(more > 0);
            assert_true(memcmp(got, plain + length, (size_t)more) == 0);
        }
        assert_in_range(length, 1, 50000);
        assert_int_equal(ps_tail_text_end(text), PS_TAIL_TEXT_EARLY);
        if (length < 50000) {
            ps_tail_text_limit(text, length + 1);
            for (unsigned again = 0; again < 3; again++) {
                assert_int_equal(read_at(text, 1, length), -1);
                assert_int_equal(errno, EBADMSG);
                assert_int_equal(read_at(text, 1, length - 1), 1); /* the byte before can be read */
            }
        }
        ps_tail_text_drop(text);
        close(fd);
    }
}

/* A file that has changed in size or time: each read fails. */
static void test_changed(void **unused)
{
    for (unsigned which = 0; which < 3; which++) {
        int fd = packed_file(5000);
        struct stat status;
        struct ps_tail_text *text = text_of(fd);
        assert_int_equal(read_at(text, 100, 0), 100);
        assert_int_equal(fstat(fd, &status), 0);
        struct timespec times[2] = {status.st_mtim, status.st_mtim};
        if (which == 0)
            assert_int_equal(ftruncate(fd, status.st_size + 1), 0);
        else if (which == 1)
            times[1].tv_sec++;
        else
            times[1].tv_nsec += times[1].tv_nsec > 500000000 ? -1000 : 1000;
        assert_int_equal(futimens(fd, times), 0);
        for (unsigned again = 0; again < 2; again++) {
            assert_int_equal(read_at(text, 100, 100), -1);
            assert_int_equal(errno, ESTALE);
        }
        times[1] = status.st_mtim; /* as before: reads work again */
        assert_int_equal(ftruncate(fd, status.st_size), 0);
        assert_int_equal(futimens(fd, times), 0);
        assert_int_equal(read_at(text, 100, 100), 100);
        ps_tail_text_drop(text);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn_reads), cmocka_unit_test(test_early),
                                       cmocka_unit_test(test_changed)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
