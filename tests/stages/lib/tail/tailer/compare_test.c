/* Whether a new file is a copy of a file that was read: each way in which the two may differ. Before the file there
 * is a candidate that is another file of another content, and the results of an earlier comparison, which may not stay. */
#include "stages/lib/tail/tailer/match.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"
#include "tests/support/system_calls.h"

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
    UNREAD, /* of its present content, which was not read yet */
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

static void compare(const struct row *row)
{
    static const struct row decoy = {.was = {'D', 4000}, .read = 4000, .marks = {4000}};
    struct ps_tail_match *match = ps_must_alloc(1, sizeof *match, "a test");
    enum result result = row->result;
    candidate_make(&match->items[0], "decoy", &decoy);
    candidate_make(&match->items[1], "app", row);
    match->count = 2;
    match->alive = match->unread = match->pending = true;
    match->offset = match->mark.offset = 77;
    if (row->now.kind != SAME)
        close(file_of("app", row->now));
    int fd = file_of("copy", row->copy);
    ps_tail_match_run(match, fd);
    assert_int_equal(match->own_error, 0);
    assert_int_equal(match->other_error, 0);
    enum result got = match->found < 0 ? NONE : match->unread ? UNREAD : match->alive ? ALIVE : MARKED;
    if (got != result || match->mark.offset != row->offset || match->offset != row->offset)
        fail_msg("a file %s: result %d up to %lld, %lld", row->what, (int)got, (long long)match->offset,
                 (long long)match->mark.offset);
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
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        compare(&rows[i]);
}

/* ---- the last mark counts ---- */

/* A new file that shares a part of the content: it is a copy of a cut file only if it has the last of the marks that fit into it. */
static void test_last_mark(void **unused)
{
    static const struct {
        int same, size; /* so many bytes are the same */
        int offset;     /* of the mark up to where it is a copy; -1: it is none */
    } parts[] = {{5000, 5000, 4000}, {4000, 5000, 4000}, {3999, 5000, -1}, {3999, 4000, -1},
                 {3999, 3999, 2000}, {2000, 3999, 2000}, {1999, 3999, -1}, {2000, 2000, 2000},
                 {1744, 2000, -1},   {1745, 1999, -1},   {0, 5000, -1}};
    static const struct row row = {.was = {'A', 5000}, .now = {'C', 99}, .read = 5000, .marks = {2000, 4000}};
    for (size_t i = 0; i < PS_COUNT_OF(parts); i++) {
        static char copy[MOST];
        struct ps_tail_match *match = ps_must_alloc(1, sizeof *match, "a test");
        candidate_make(&match->items[0], "app", &row);
        match->count = 1;
        close(file_of("app", row.now));
        memset(copy, '#', sizeof copy); /* which no content has */
        memcpy(copy, text_of(row.was), (size_t)parts[i].same);
        int fd = file_of("copy", (struct content){'B', 0});
        assert_int_equal(pwrite(fd, copy, (size_t)parts[i].size, 0), parts[i].size);
        ps_tail_match_run(match, fd);
        bool is_copy = parts[i].offset >= 0;
        if ((match->found == 0) != is_copy || (is_copy && match->mark.offset != parts[i].offset))
            fail_msg("%d of %d bytes of a file are the same: found %d, up to %lld", parts[i].same,
                     parts[i].size, match->found, (long long)match->mark.offset);
        assert_false(match->alive || match->pending);
        assert_int_equal(match->items[0].unsure, !is_copy);
        close(fd);
        close(match->items[0].fd);
        ps_tail_match_free(match);
    }
}

/* ---- an original that is there ---- */

/* A new file that is none of its copies may share what was read of it: then what was read ahead is given up. Nothing is certain of a file of which
 * nothing was read, and which is shorter. A deleted file may still be copied: the new one waits while it is shorter. */
static void test_beside_an_original(void **unused)
{
    static const struct {
        int was, read, mark; /* of the original */
        int same, size;      /* of the new file */
        bool unnamed, cut;
        bool shared, unsure, pending;
    } cases[] = {
        {.was = 5000, .read = 3000, .mark = 3000, .same = 3000, .size = 3001, .shared = true},
        {.was = 5000, .read = 3000, .mark = 3000, .same = 2999, .size = 3001},
        {.was = 5000, .read = 3000, .mark = 3000, .same = 2999, .size = 2999 + 1},
        {.was = 5000, .read = 3000, .mark = 3000, .same = 2998, .size = 2999},
        {.was = 5000, .read = 3000, .mark = 3000, .same = 5000, .size = 5001, .shared = true},
        {.was = 5000, .read = 3000, .same = 3000, .size = 3001},
        {.was = 5000, .read = 0, .same = 5000, .size = 5001, .unsure = true},
        {.was = 5000, .read = 0, .same = 4999, .size = 5000},
        {.was = 5000,
         .read = 5000,
         .mark = 5000,
         .same = 300,
         .size = 300,
         .unnamed = true,
         .cut = true,
         .unsure = true,
         .pending = true},
        {.was = 5000, .read = 5000, .mark = 5000, .same = 300, .size = 300, .cut = true, .unsure = true},
        {.was = 5000,
         .read = 5000,
         .mark = 5000,
         .same = 300,
         .size = 5000,
         .unnamed = true,
         .cut = true,
         .unsure = true},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        const struct row row = {.was = {'A', cases[i].was},
                                .now = {'C', 99},
                                .read = cases[i].read,
                                .marks = {cases[i].mark},
                                .unnamed = cases[i].unnamed};
        static char copy[MOST];
        struct ps_tail_match *match = ps_must_alloc(1, sizeof *match, "a test");
        candidate_make(&match->items[0], "app", &row);
        match->count = 1;
        if (cases[i].cut)
            close(file_of("app", row.now));
        memset(copy, '#', sizeof copy);
        memcpy(copy, text_of(row.was), (size_t)cases[i].same);
        int fd = file_of("copy", (struct content){'B', 0});
        assert_int_equal(pwrite(fd, copy, (size_t)cases[i].size, 0), cases[i].size);
        ps_tail_match_run(match, fd);
        if (match->found >= 0 || match->items[0].shared != cases[i].shared ||
            match->items[0].unsure != cases[i].unsure || match->pending != cases[i].pending)
            fail_msg("case %zu: found %d%s%s%s", i, match->found, match->items[0].shared ? ", shared" : "",
                     match->items[0].unsure ? ", unsure" : "", match->pending ? ", pending" : "");
        close(fd);
        close(match->items[0].fd);
        ps_tail_match_free(match);
    }
}

/* ---- calls that fail ---- */

/* Compares a copy with a file while the call with this number fails. Returns false when there are fewer calls. `by_path`: the file is not open. */
static bool compare_and_fail(const struct row *row, bool by_path, uint64_t number)
{
    struct ps_tail_match *match = ps_must_alloc(1, sizeof *match, "a test");
    candidate_make(&match->items[0], "app", row);
    match->count = 1;
    if (row->now.kind != SAME)
        close(file_of("app", row->now));
    int fd = file_of("copy", row->copy);
    if (by_path) {
        close(match->items[0].fd);
        match->items[0].fd = -1;
        match->items[0].path = strdup(ps_test_folder_path("app"));
        assert_non_null(match->items[0].path);
    }
    ps_test_call_failed = NULL;
    ps_test_call_fails = number;
    ps_tail_match_run(match, fd);
    ps_test_call_fails = 0;
    const char *failed = ps_test_call_failed;
    bool told = match->own_error == EIO || match->other_error == EIO;
    if (failed != NULL && told != (strcmp(failed, "close") != 0))
        fail_msg("a file %s: %s, call %u, failed: errors %d, %d", row->what, failed, (unsigned)number,
                 match->own_error, match->other_error);
    if (!by_path)
        close(match->items[0].fd);
    close(fd);
    ps_tail_match_free(match);
    return failed != NULL;
}

/* Each call fails: nothing is decided about the new file then, so it is compared again. */
static void test_each_call_fails(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        for (unsigned by_path = 0; by_path < 2; by_path++) {
            uint64_t number = 1;
            while (compare_and_fail(&rows[i], by_path > 0, number))
                number++;
            assert_true(number > 2);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(last_mark), TEST(beside_an_original), TEST(each_call_fails),
        cmocka_unit_test_setup_teardown(test_rows, ps_test_folder_setup, ps_test_folder_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
