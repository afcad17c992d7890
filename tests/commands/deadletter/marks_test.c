/* Marks of replayed letters compared with a model that remembers each of them, over several runs, and the calls that
 * keep them over a power cut. */
#include "commands/deadletter/internal.h"

#include "core/base.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LETTERS 12U

static unsigned data_syncs, folder_syncs;
static bool sync_fails;

/* Replaces libc's fdatasync in this program. */
int fdatasync(int fd)
{
    data_syncs++;
    errno = EIO;
    return sync_fails ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    folder_syncs++;
    return (int)syscall(SYS_fsync, fd);
}

struct model_letter {
    struct ps_deadletter letter;
    char file[16], line[32], body[16];
    bool replayed;
};

static struct model_letter letters[LETTERS];

/* Letters of three files; some have the body of another one, and two the same offset and line in other files. */
static void make_letters(void)
{
    for (unsigned i = 0; i < LETTERS; i++) {
        struct model_letter *one = &letters[i];
        snprintf(one->file, sizeof one->file, "%c.dead", 'a' + i % 3);
        snprintf(one->body, sizeof one->body, "body %u", i / 4);
        snprintf(one->line, sizeof one->line, "{\"line\":%u}\n", i < 2 ? 0 : i);
        one->letter = (struct ps_deadletter){.file = one->file,
                                             .offset = i < 2 ? 0 : 100 * i,
                                             .line = one->line,
                                             .line_length = strlen(one->line),
                                             .body = one->body,
                                             .body_length = strlen(one->body),
                                             .replays = 99,
                                             .replayed = true};
        one->replayed = false;
    }
}

/* Returns a body's replays: the largest number in the marks of all letters with this body. */
static unsigned replays_of(const char *body, const unsigned *replays)
{
    unsigned most = 0;
    for (unsigned i = 0; i < LETTERS; i++)
        most = strcmp(letters[i].body, body) == 0 && replays[i] > most ? replays[i] : most;
    return most;
}

static void assert_all(const unsigned *replays)
{
    struct ps_deadletter_marks *marks = ps_deadletter_marks_read(ps_test_folder());
    assert_non_null(marks);
    for (unsigned i = 0; i < LETTERS; i++) {
        ps_deadletter_marks_look(marks, &letters[i].letter);
        assert_int_equal(letters[i].letter.replayed, letters[i].replayed);
        assert_int_equal(letters[i].letter.replays, replays_of(letters[i].body, replays));
    }
    ps_deadletter_marks_free(marks);
}

/* Runs of a replay, each of which marks some letters: nearly every letter is in another file than the one before it. */
static void test_drawn(void **state)
{
    uint64_t random = ps_test_seed() | 1;
    unsigned replays[LETTERS] = {0};
    make_letters();
    for (unsigned run = 0; run < 12; run++) {
        assert_all(replays);
        struct ps_deadletter_marker *marker = ps_deadletter_marker_open(ps_test_folder());
        assert_non_null(marker);
        assert_null(ps_deadletter_marker_open(ps_test_folder())); /* one replay at a time */
        for (unsigned k = 0; k < run; k++) {
            unsigned i = (unsigned)(ps_test_random(&random) % LETTERS);
            const struct ps_deadletter_mark mark = ps_deadletter_mark_of(&letters[i].letter);
            assert_int_equal(mark.replays, letters[i].letter.replays + 1);
            assert_true(ps_deadletter_marker_add(marker, &mark));
            letters[i].replayed = true;
            replays[i] = mark.replays > replays[i] ? mark.replays : replays[i];
        }
        assert_true(ps_deadletter_marker_close(marker));
    }
    assert_all(replays);
}

/* More marks than the list has room for at first. */
static void test_many(void **state)
{
    char line[32];
    struct ps_deadletter letter = {.file = "a", .line = line, .body = line};
    struct ps_deadletter_marker *marker = ps_deadletter_marker_open(ps_test_folder());
    assert_non_null(marker);
    for (unsigned i = 0; i < 700; i++) {
        letter.offset = i;
        letter.line_length = letter.body_length = (size_t)snprintf(line, sizeof line, "line %u\n", i);
        letter.replays = i % 5;
        const struct ps_deadletter_mark mark = ps_deadletter_mark_of(&letter);
        assert_true(ps_deadletter_marker_add(marker, &mark));
    }
    assert_true(ps_deadletter_marker_close(marker));
    struct ps_deadletter_marks *marks = ps_deadletter_marks_read(ps_test_folder());
    assert_non_null(marks);
    for (unsigned i = 0; i < 702; i++) {
        letter.offset = i;
        letter.line_length = letter.body_length = (size_t)snprintf(line, sizeof line, "line %u\n", i);
        ps_deadletter_marks_look(marks, &letter);
        assert_int_equal(letter.replayed, i < 700);
        assert_int_equal(letter.replays, i < 700 ? i % 5 + 1 : 0);
    }
    ps_deadletter_marks_free(marks);
}

/* Each near miss is another letter: another offset, another line, another file. A mark that a crash has cut is
 * ignored, and the next run ends its line. */
static void test_near_misses(void **state)
{
    struct ps_deadletter letter = {
        .file = "a", .offset = 10, .line = "{1}\n", .line_length = 4, .body = "b", .body_length = 1};
    const struct ps_deadletter others[] = {
        {.file = "a", .offset = 11, .line = "{1}\n", .line_length = 4, .body = "b", .body_length = 1},
        {.file = "a", .offset = 10, .line = "{2}\n", .line_length = 4, .body = "b", .body_length = 1},
        {.file = "b", .offset = 10, .line = "{1}\n", .line_length = 4, .body = "b", .body_length = 1},
        {.file = "a", .offset = 10, .line = "{1}\n", .line_length = 4, .body = "b\0", .body_length = 2},
    };
    ps_test_folder_append("a.replayed", "77 00", 5);
    struct ps_deadletter_marker *marker = ps_deadletter_marker_open(ps_test_folder());
    assert_non_null(marker);
    const struct ps_deadletter_mark mark = ps_deadletter_mark_of(&letter);
    assert_true(ps_deadletter_marker_add(marker, &mark));
    assert_true(ps_deadletter_marker_close(marker));
    ps_test_folder_append("a.replayed", "10 ", 3);
    struct ps_deadletter_marks *marks = ps_deadletter_marks_read(ps_test_folder());
    assert_non_null(marks);
    ps_deadletter_marks_look(marks, &letter);
    assert_true(letter.replayed);
    assert_int_equal(letter.replays, 1);
    for (size_t i = 0; i < PS_COUNT_OF(others); i++) {
        struct ps_deadletter other = others[i];
        ps_deadletter_marks_look(marks, &other);
        assert_false(other.replayed);
        assert_int_equal(other.replays, i < 3 ? 1 : 0); /* the same body, but for the last */
    }
    ps_deadletter_marks_free(marks);
}

/* Each file is on disk before the next one is begun, and the names of all at the end; a disk that fails is reported. */
static void test_syncs(void **state)
{
    make_letters();
    for (int fails = 0; fails < 2; fails++) {
        struct ps_deadletter_marker *marker = ps_deadletter_marker_open(ps_test_folder());
        assert_non_null(marker);
        data_syncs = folder_syncs = 0;
        sync_fails = fails;
        for (unsigned i = 0; i < 6; i++) { /* a a b b c c */
            const struct ps_deadletter_mark mark = ps_deadletter_mark_of(&letters[i / 2 + i % 2 * 3].letter);
            if (ps_deadletter_marker_add(marker, &mark) != (!fails || i < 2))
                fail_msg("mark %u", i);
            assert_int_equal(data_syncs, fails && i >= 2 ? 1 : i / 2);
            if (fails && i == 2)
                break;
        }
        sync_fails = false;
        assert_true(ps_deadletter_marker_close(marker));
        assert_int_equal(data_syncs, fails ? 1 : 3);
        assert_int_equal(folder_syncs, 1);
    }
    struct ps_deadletter_marker *marker = ps_deadletter_marker_open(ps_test_folder());
    assert_non_null(marker);
    const struct ps_deadletter_mark mark = ps_deadletter_mark_of(&letters[0].letter);
    assert_true(ps_deadletter_marker_add(marker, &mark));
    sync_fails = true;
    assert_false(ps_deadletter_marker_close(marker));
    sync_fails = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_drawn, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_many, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_near_misses, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_syncs, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
