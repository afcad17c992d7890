/* Whether a new file, or the text of a compressed one, is a copy of a file that was read: each way in which the two may differ. Before the file there
 * is a candidate that is another file of another content, and the results of an earlier comparison, which may not stay. */
#include "stages/lib/tail/tailer/match.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 6000
#define MARKS 3
#define SAME 0 /* the content now: as it was read */

enum result {
    NONE,
    ALIVE,  /* a copy of the file as it is now */
    MARKED, /* of the content that the file had */
    UNREAD, /* of its present content, which was not read yet; a text is never compared with that */
};

struct content {
    char kind; /* contents of the same kind begin alike */
    int size;
};

static const struct row {
    const char *what;
    struct content was, now, copy;
    int read; /* how far the file was read */
    int marks[MARKS];
    bool unnamed;
    enum result result;
    int offset; /* up to where both have the same bytes */
} rows[] = {
    {"whole", {'A', 5000}, {SAME}, {'A', 5000}, 5000, {5000}, false, ALIVE, 5000},
    {"still written", {'A', 5000}, {SAME}, {'A', 3000}, 5000, {5000}, false, ALIVE, 3000},
    {"one byte", {'A', 5000}, {SAME}, {'A', 1}, 5000, {5000}, false, ALIVE, 1},
    {"empty", {'A', 5000}, {SAME}, {'A', 0}, 5000, {5000}, false, NONE, 0},
    {"of a file that was not read", {'A', 5000}, {SAME}, {'A', 3000}, 0, {0}, false, ALIVE, 3000},
    {"longer", {'A', 5000}, {SAME}, {'A', 5001}, 5000, {5000}, false, NONE, 0},
    {"longer, of a deleted file", {'A', 5000}, {SAME}, {'A', 5001}, 5000, {5000}, true, ALIVE, 5000},
    {"of another file", {'A', 5000}, {SAME}, {'B', 5000}, 5000, {5000}, false, NONE, 0},
    {"of a cut file", {'A', 5000}, {'C', 99}, {'A', 5000}, 5000, {2000, 4000, 5000}, false, MARKED, 5000},
    {"longer than was read", {'A', 6000}, {'C', 99}, {'A', 6000}, 5000, {4000, 5000}, false, MARKED, 5000},
    {"to a mark", {'A', 5000}, {'C', 99}, {'A', 4000}, 5000, {2000, 4000, 5000}, false, MARKED, 4000},
    {"before a mark", {'A', 5000}, {'C', 99}, {'A', 3999}, 5000, {2000, 4000, 5000}, false, MARKED, 2000},
    {"before all marks", {'A', 5000}, {'C', 99}, {'A', 1999}, 5000, {2000, 4000, 5000}, false, NONE, 0},
    {"of another cut file", {'A', 5000}, {'C', 99}, {'B', 5000}, 5000, {2000, 5000}, false, NONE, 0},
    {"of a short file", {'A', 40}, {'C', 99}, {'A', 40}, 40, {0}, false, MARKED, 40},
    {"longer, of a short file", {'A', 40}, {'C', 99}, {'A', 41}, 40, {0}, false, MARKED, 40},
    {"of less than was read", {'A', 40}, {'C', 99}, {'A', 39}, 40, {0}, false, NONE, 0},
    {"of a file without marks", {'A', 1025}, {'C', 99}, {'A', 1025}, 1025, {0}, false, NONE, 0},
    {"of a file that the fingerprint covers",
     {'A', 1025},
     {'C', 99},
     {'A', 1025},
     1024,
     {0},
     false,
     MARKED,
     1024},
    {"of the new content", {'A', 5000}, {'C', 3000}, {'C', 3000}, 5000, {5000}, false, UNREAD, 0},
    {"of new content that is written", {'A', 5000}, {'C', 3000}, {'C', 1}, 5000, {5000}, false, UNREAD, 0},
    {"longer than the new content", {'A', 5000}, {'C', 3000}, {'C', 3001}, 5000, {5000}, false, NONE, 0},
    {"beside new content", {'A', 5000}, {'C', 3000}, {'C', 0}, 5000, {5000}, false, NONE, 0},
};

static char bytes[MOST];

static const char *text_of(struct content content)
{
    uint64_t state = (uint64_t)content.kind;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)('a' + ps_test_random(&state) % 26);
    return bytes;
}

static int file_of(const char *name, struct content content)
{
    int fd = open(ps_test_folder_path(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text_of(content), (size_t)content.size, 0), content.size);
    return fd;
}

/* A file that is followed, as it was when it was read. */
static void candidate_make(struct ps_tail_candidate *candidate, const char *name, const struct row *row)
{
    *candidate = (struct ps_tail_candidate){.kind = PS_TAIL_IS_FOLLOWED,
                                            .offset = row->read,
                                            .first = row->unnamed,
                                            .gone = row->unnamed,
                                            .fd = file_of(name, row->was)};
    assert_true(ps_tail_identity_read(candidate->fd, &candidate->identity, NULL));
    for (size_t i = 0; i < MARKS && row->marks[i] > 0; i++) {
        struct ps_tail_mark mark =
            ps_tail_mark_of(row->marks[i], bytes + row->marks[i] - PS_TAIL_MARK_BYTES, PS_TAIL_MARK_BYTES);
        ps_tail_marks_add(&candidate->marks, &mark, 0);
    }
}

static void compare(const struct row *row, bool text)
{
    static const struct row decoy = {.was = {'D', 4000}, .read = 4000, .marks = {4000}};
    struct ps_tail_match *match = ps_must_alloc(1, sizeof *match, "a test");
    enum result result = text && row->result == UNREAD ? NONE : row->result;
    candidate_make(&match->items[0], "decoy", &decoy);
    candidate_make(&match->items[1], "app", row);
    match->count = 2;
    match->alive = match->unread = match->pending = true;
    match->offset = match->mark.offset = 77;
    if (row->now.kind != SAME)
        close(file_of("app", row->now));
    int fd = file_of("copy", row->copy);
    if (text) {
        match->unread = false;
        struct ps_tail_mark end = ps_tail_mark_of(row->copy.size, bytes, (size_t)row->copy.size);
        if (row->copy.size > 0)
            ps_tail_match_text(match, bytes, 0, (size_t)row->copy.size, 0);
        ps_tail_match_text_end(match, row->copy.size, &end);
    } else {
        ps_tail_match_run(match, fd);
    }
    assert_int_equal(match->own_error, 0);
    assert_int_equal(match->other_error, 0);
    enum result got = match->found < 0 ? NONE : match->unread ? UNREAD : match->alive ? ALIVE : MARKED;
    if (got != result || match->mark.offset != row->offset || match->offset != row->offset)
        fail_msg("a %s %s: result %d up to %lld, %lld", text ? "text" : "file", row->what, (int)got,
                 (long long)match->offset, (long long)match->mark.offset);
    assert_int_equal(match->found, result == NONE ? -1 : 1);
    assert_int_equal(match->alive, result == ALIVE || result == UNREAD);
    assert_int_equal(match->items[1].unsure, result == NONE && row->now.kind != SAME);
    for (size_t i = 0; i < 2; i++)
        close(match->items[i].fd);
    close(fd);
    ps_tail_match_free(match);
}

static void test_rows(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        compare(&rows[i], false);
        compare(&rows[i], true);
    }
}

/* The original grows while its text is compared: bytes that were not there yet were not compared, so nothing shows that the text is a
 * copy of it. */
static void test_original_grows_meanwhile(void **unused)
{
    static const struct row row = {.was = {'A', 3000}, .read = 3000};
    static const char other[1000] = "another line\n";
    struct ps_tail_match *match = ps_must_alloc(1, sizeof *match, "a test");
    candidate_make(&match->items[0], "app", &row);
    match->count = 1;
    ps_tail_match_text(match, bytes, 0, 3000, 0);
    ps_tail_match_text(match, bytes + 3000, 3000, sizeof other, 3000);
    assert_int_equal(pwrite(match->items[0].fd, other, sizeof other, 3000), sizeof other);
    assert_int_equal(pwrite(match->items[0].fd, bytes + 4000, 1000, 4000), 1000);
    ps_tail_match_text(match, bytes + 4000, 4000, 1000, 4000);
    struct ps_tail_mark end = ps_tail_mark_of(5000, bytes, 5000);
    ps_tail_match_text_end(match, 5000, &end);
    assert_int_equal(match->found, -1);
    close(match->items[0].fd);
    ps_tail_match_free(match);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_original_grows_meanwhile, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_rows, ps_test_folder_setup, ps_test_folder_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
