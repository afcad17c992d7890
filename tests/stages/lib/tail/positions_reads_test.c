/* Reads of position files that give less than was asked for, nothing, or an error: no position is another one than was written, and
 * loading ends. */
#include "stages/lib/tail/positions.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"
#include "tests/support/system_calls.h"

static size_t read_piece = SIZE_MAX; /* maximum length of a read, in bytes */
static off_t read_end = -1;          /* files end here for `read`, whatever their size is; -1: at their end */
static unsigned read_ends;           /* reads that have found this end */

/* Takes the place of libc's function. */
ssize_t read(int fd, void *to, size_t length)
{
    off_t at = lseek(fd, 0, SEEK_CUR);
    size_t most = length < read_piece ? length : read_piece;
    if (!ps_test_call_may("read"))
        return -1;
    if (read_end >= 0 && at + (off_t)most > read_end)
        most = at < read_end ? (size_t)(read_end - at) : 0;
    if (most > 0)
        return PS_TEST_REAL(read)(fd, to, most);
    assert_in_range(++read_ends, 1, 2); /* one of each file */
    errno = EINTR;                      /* of an earlier call */
    return 0;
}

static void save_three(void)
{
    struct ps_err err;
    struct ps_tail_positions written = {.count = 0};
    for (uint64_t inode = 1; inode <= 3; inode++)
        ps_tail_positions_add(
            &written, &(struct ps_tail_position){
                          .inode = inode,
                          .offset = 42290 + (int64_t)inode,
                          .path = (char *)(uintptr_t) "/a",
                          .identity = {.device = 3, .inode = inode, .head = 7 * inode, .head_length = 9}});
    assert_int_equal(ps_tail_positions_save(ps_test_folder_path("positions.json"), &written, &err), PS_OK);
    ps_tail_positions_free(&written);
}

/* `identities`: each position must have its own, not none. */
static void assert_first(const struct ps_tail_positions *loaded, size_t count, bool identities)
{
    assert_int_equal(loaded->count, count);
    for (size_t i = 0; i < count; i++) {
        const struct ps_tail_position *position = &loaded->items[i];
        assert_int_equal(position->inode, i + 1);
        assert_int_equal(position->offset, 42291 + i);
        assert_true(position->identity.head == 7 * (i + 1) || (!identities && position->identity.head == 0));
    }
}

/* Loads the positions in reads of a piece each, again and again: each time, the next call fails. */
static void each_call(size_t piece, int error)
{
    unsigned reads = 0;
    bool reached = true;
    read_piece = piece;
    ps_test_call_error = error;
    for (uint64_t call = 1; reached; call += piece == 1 ? 13 : 1) {
        struct ps_err err = {.length = 0};
        struct ps_tail_positions loaded;
        ps_test_call_fails = call;
        enum ps_status status = ps_tail_positions_load(ps_test_folder_path("positions.json"), &loaded, &err);
        reached = ps_test_call_fails == 0;
        ps_test_call_fails = 0;
        bool is_read = reached && strcmp(ps_test_call_failed, "read") == 0;
        if (is_read && (status == PS_OK) != (error == EINTR))
            fail_msg("read %u, of up to %zu bytes, %s: \"%s\"", reads, piece, strerror(error), err.text);
        reads += is_read;
        assert_true(status == PS_OK || err.length > 0);
        assert_first(&loaded, status == PS_OK ? 3 : 0, true);
        ps_tail_positions_free(&loaded);
    }
    assert_true(reads > 1); /* of both files */
    read_piece = SIZE_MAX;
}

/* A read that gives a part of what was asked for, and one that a signal interrupts, are followed by the next one; one that fails is
 * an error. */
static void test_short_reads(void **unused)
{
    static const size_t pieces[] = {1, 7, 64, SIZE_MAX};
    save_three();
    for (size_t i = 0; i < PS_COUNT_OF(pieces); i++) {
        each_call(pieces[i], EINTR);
        each_call(pieces[i], EIO);
    }
}

/* Another program cuts the files while they are read: a read finds no more bytes. The whole
 * entries count, and the positions are marked as cut. */
static void test_reads_end_early(void **unused)
{
    save_three();
    const char *text = ps_test_folder_read("positions.json");
    const off_t length = (off_t)strlen(text);
    for (read_end = 0; read_end <= length; read_end++) {
        struct ps_err err = {.length = 0};
        struct ps_tail_positions whole, loaded;
        ps_tail_positions_parse(text, (size_t)read_end, false, &whole);
        read_ends = 0;
        assert_int_equal(ps_tail_positions_load(ps_test_folder_path("positions.json"), &loaded, &err), PS_OK);
        assert_int_equal(loaded.cut, whole.cut);
        assert_first(&loaded, whole.count, false);
        ps_tail_positions_free(&whole);
        ps_tail_positions_free(&loaded);
    }
    read_end = -1;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(short_reads), TEST(reads_end_early)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
