#define PS_TEST_CALLS_OF_ALL_THREADS

#include "stages/lib/tail/directory.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"
#include "tests/support/system_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct ps_tail_directory *directory;
static struct ps_tail_changes changes;

/* Names that begin with "app" matter. */
static int match(void *argument, const char *name, size_t length)
{
    return length >= 3 && strncmp(name, "app", 3) == 0 ? 7 : -1;
}

static void directory_make(void)
{
    const struct ps_tail_filter filter = {.match = match};
    directory = ps_tail_directory_create(ps_test_folder(), &filter, true);
}

static void directory_free(void)
{
    ps_tail_directory_destroy(directory);
    ps_tail_changes_free(&changes);
}

static int setup(void **state)
{
    ps_test_folder_setup(state);
    directory_make();
    return 0;
}

static int teardown(void **state)
{
    directory_free();
    return ps_test_folder_teardown(state);
}

static void append(const char *name, const char *text)
{
    ps_test_folder_append(name, text, strlen(text));
}

static void move(const char *from, const char *to)
{
    assert_int_equal(rename(ps_test_folder_path(from), ps_test_folder_path(to)), 0);
}

/* Looks, and compares the changes with "kind name, kind name". */
static void expect(const char *expected)
{
    static const char *const kinds[] = {"gone", "renamed", "changed", "new"};
    char text[4096] = "";
    ps_tail_directory_look(directory, false, &changes);
    assert_int_equal(changes.error, 0);
    for (size_t i = 0; i < changes.count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s %s%s", i > 0 ? ", " : "",
                 kinds[changes.items[i].kind], changes.items[i].name, changes.items[i].group < 0 ? " -" : "");
    assert_string_equal(text, expected);
}

static void set_time(const char *name, time_t seconds)
{
    const struct timespec times[2] = {{seconds, 0}, {seconds, 0}};
    assert_int_equal(utimensat(AT_FDCWD, ps_test_folder_path(name), times, 0), 0);
}

static void test_new_and_changed(void **unused)
{
    append("other", "x");
    append("app2", "x");
    append("app1", "x");
    set_time("app2", 1000);
    set_time("app1", 2000);
    assert_int_equal(mkdir(ps_test_folder_path("app.d"), 0700), 0);
    assert_int_equal(mkfifo(ps_test_folder_path("app.fifo"), 0600), 0);
    expect("new app2, new app1"); /* the older file first */
    assert_int_equal(changes.items[0].group, 7);
    expect("");
    append("app1", "y");
    append("other", "y");
    expect("changed app1");
    assert_int_equal(changes.items[0].size_bytes, 2);
    assert_int_equal(unlink(ps_test_folder_path("app2")), 0);
    expect("gone app2");
    append("app2", "z");
    expect("new app2");
}

static void test_rotation(void **unused)
{
    append("app", "x");
    expect("new app");
    move("app", "old.1");
    append("app", "new");
    expect("renamed old.1 -, new app"); /* the rotated file before the new one */
    append("old.1", "y");
    expect("changed old.1 -"); /* it is still followed */
    move("old.1", "old.2");
    move("app", "old.1");
    append("app", "third");
    ps_tail_directory_look(directory, false, &changes);
    assert_int_equal(changes.count, 3);
    assert_int_equal(changes.items[0].kind, PS_TAIL_FILE_RENAMED);
    assert_int_equal(changes.items[1].kind, PS_TAIL_FILE_RENAMED);
    assert_int_equal(changes.items[2].kind, PS_TAIL_FILE_NEW);
    struct stat status;
    assert_int_equal(stat(ps_test_folder_path("old.2"), &status), 0);
    ps_tail_directory_forget(directory, status.st_dev, status.st_ino);
    append("old.2", "y");
    expect("");
    move("old.2", "app.2");
    expect("new app.2"); /* it was forgotten, and matches now */
}

/* Files that lose their matching name before they are seen under it. */
static void test_renamed_before_it_was_seen(void **unused)
{
    append("first", "x");
    ps_tail_directory_renamed(directory, "app", "first"); /* app was created and renamed */
    append("foreign", "x");
    ps_tail_directory_renamed(directory, "other", "foreign"); /* its name never mattered */
    expect("new first -");
    assert_string_equal(changes.items[0].from, "app");
    assert_int_equal(changes.items[0].from_group, 7);
    append("foreign", "y");
    append("first", "y");
    expect("changed first -"); /* it is followed */

    append("old.2", "x");
    ps_tail_directory_renamed(directory, "app", "old.1"); /* a burst: app -> old.1 -> old.2 */
    ps_tail_directory_renamed(directory, "old.1", "old.2");
    append("app", "x");
    expect("new old.2 -, new app");
    assert_null(changes.items[1].from);

    ps_tail_directory_renamed(directory, "app.new", "back");
    ps_tail_directory_renamed(directory, "back", "app.back"); /* its last name matches */
    ps_tail_directory_renamed(directory, "app.over", "over");
    ps_tail_directory_renamed(directory, "elsewhere", "over"); /* replaced by a file that never mattered */
    ps_tail_directory_renamed(directory, "app.gone", "gone");  /* deleted since */
    append("app.back", "x");
    append("over", "x");
    append("back", "x"); /* another file */
    expect("new app.back");
    assert_null(changes.items[0].from);
    append("gone", "x"); /* the result holds for one look */
    ps_tail_directory_look(directory, true, &changes);
    assert_int_equal(changes.count, 0);
}

static void test_followed_from_earlier(void **unused)
{
    struct stat status;
    append("rotated", "x");
    append("foreign", "x");
    assert_int_equal(stat(ps_test_folder_path("rotated"), &status), 0);
    ps_tail_directory_follow(directory, status.st_ino);
    expect("new rotated -");
}

/* Many files of the position file are followed, some are no longer, and some of these again. A look finds only the
 * files that are followed now. */
static void test_many_followed(void **unused)
{
    enum { FILES = 200, ROUNDS = 3 };
    const struct ps_tail_filter filter = {.match = match};
    uint64_t random = ps_test_seed();
    struct stat status[FILES];
    for (unsigned i = 0; i < FILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "other%03u", i);
        append(name, "x");
        assert_int_equal(stat(ps_test_folder_path(name), &status[i]), 0);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        bool follows[FILES] = {false}, found[FILES] = {false};
        ps_tail_directory_destroy(directory);
        directory = ps_tail_directory_create(ps_test_folder(), &filter, true);
        for (unsigned i = 0; i < FILES; i++) {
            ps_tail_directory_follow(directory, status[i].st_ino);
            follows[i] = true;
        }
        for (unsigned step = 0; step < 2 * FILES; step++) {
            unsigned i = (unsigned)(ps_test_random(&random) % FILES);
            follows[i] = ps_test_random(&random) % 3 == 0;
            if (follows[i])
                ps_tail_directory_follow(directory, status[i].st_ino);
            else
                ps_tail_directory_forget(directory, status[i].st_dev, status[i].st_ino);
        }
        ps_tail_directory_look(directory, false, &changes);
        for (size_t k = 0; k < changes.count; k++) {
            assert_int_equal(changes.items[k].kind, PS_TAIL_FILE_NEW);
            found[atoi(changes.items[k].name + strlen("other"))] = true;
        }
        for (unsigned i = 0; i < FILES; i++)
            if (found[i] != follows[i])
                fail_msg("round %u: file %u is %sfollowed", round, i, found[i] ? "" : "not ");
    }
}

static void test_two_names_of_one_file(void **unused)
{
    append("app", "x");
    expect("new app");
    assert_int_equal(link(ps_test_folder_path("app"), ps_test_folder_path("app-linked")), 0);
    expect(""); /* the target keeps its name */
    assert_int_equal(unlink(ps_test_folder_path("app")), 0);
    expect("renamed app-linked");
}

static void test_links(void **unused)
{
    append("target1", "x");
    append("target2", "x");
    assert_int_equal(symlink("target1", ps_test_folder_path("app")), 0);
    assert_int_equal(symlink("nowhere", ps_test_folder_path("app.broken")), 0);
    expect("new app");
    assert_true(changes.items[0].link);
    append("target1", "y");
    expect("changed app");
    assert_int_equal(unlink(ps_test_folder_path("app")), 0);
    assert_int_equal(symlink("target2", ps_test_folder_path("app")), 0);
    /* no name of the first target matches, but it is followed under its own name */
    expect("renamed target1 -, new app");
}

static void test_directory_goes_and_comes_back(void **unused)
{
    char moved[4096];
    append("app", "x");
    expect("new app");
    snprintf(moved, sizeof moved, "%s.moved", ps_test_folder());
    assert_int_equal(rename(ps_test_folder(), moved), 0);
    ps_tail_directory_look(directory, false, &changes);
    assert_int_equal(changes.error, ENOENT);
    assert_int_equal(changes.count, 1);
    assert_int_equal(changes.items[0].kind, PS_TAIL_FILE_GONE);
    assert_int_equal(rename(moved, ps_test_folder()), 0);
    expect("new app");
}

static void test_many_files(void **unused)
{
    char name[32];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "app%d", i);
        append(name, "x");
    }
    ps_tail_directory_look(directory, false, &changes);
    assert_int_equal(changes.count, 300);
    for (int i = 0; i < 300; i += 3) {
        snprintf(name, sizeof name, "app%d", i);
        append(name, "y");
    }
    ps_tail_directory_look(directory, true, &changes);
    assert_int_equal(changes.count, 100);
    expect("");
}

/* A file has changed if its size, or the second or nanosecond of its modification time differs; each is tested alone. */
static void test_each_sign_of_a_change(void **unused)
{
    static const struct timespec times[] = {
        {1000, 0}, {1001, 0}, {1001, 1}, {1001, 999999999}, {1000, 999999999}};
    append("app", "x");
    set_time("app", 0);
    expect("new app");
    for (size_t i = 0; i < PS_COUNT_OF(times); i++) {
        const struct timespec both[2] = {times[i], times[i]};
        assert_int_equal(utimensat(AT_FDCWD, ps_test_folder_path("app"), both, 0), 0);
        expect("changed app");
        expect("");
        append("app", "x");
        assert_int_equal(utimensat(AT_FDCWD, ps_test_folder_path("app"), both, 0), 0);
        expect("changed app");
        expect("");
    }
}

struct seen {
    unsigned made, grown, gone;
};

static void note(struct seen *seen, const char *made, const char *gone)
{
    assert_true(changes.error == 0 || changes.count == 0); /* a look that failed reports nothing */
    for (size_t i = 0; i < changes.count; i++) {
        const struct ps_tail_change *change = &changes.items[i];
        bool is_made = strcmp(change->name, made) == 0, is_gone = strcmp(change->name, gone) == 0;
        if (change->kind == PS_TAIL_FILE_NEW && is_made)
            seen->made++;
        else if (change->kind == PS_TAIL_FILE_CHANGED && strcmp(change->name, "app") == 0)
            seen->grown++;
        else if (change->kind == PS_TAIL_FILE_GONE && is_gone)
            seen->gone++;
        else
            fail_msg("%s: a change of kind %d that there was not", change->name, (int)change->kind);
    }
}

/* Makes files with two names each, half of them with the better name (the first one in the alphabet) first, so that a folder which lists its
 * names in the order of their making, or the other way round, has both orders. */
static void make_pairs(void)
{
    enum { PAIRS = 4 };
    for (int i = 0; i < PAIRS; i++) {
        char first[32], second[32];
        snprintf(first, sizeof first, "app.%d%s", i, i % 2 == 0 ? "" : "-linked");
        snprintf(second, sizeof second, "app.%d%s", i, i % 2 == 0 ? "-linked" : "");
        append(first, "x");
        assert_int_equal(link(ps_test_folder_path(first), ps_test_folder_path(second)), 0);
    }
}

/* Each system call of a look fails once: no file is new, renamed, changed or gone because of it, and the next look reports what this one did not. */
static void test_each_call_fails(void **unused)
{
    static const int errors[] = {EIO, ENOMEM, EMFILE};
    char made[32], gone[32] = "app0";
    unsigned round = 0;
    append("app", "x");
    append("app.stays", "x");
    make_pairs();
    append(gone, "x");
    ps_tail_directory_look(directory, false, &changes);
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        bool failed = true;
        for (uint64_t nth = 1; failed; nth++) {
            struct seen seen = {0};
            snprintf(made, sizeof made, "app%u", ++round);
            append(made, "x");
            append("app", "x");
            assert_int_equal(unlink(ps_test_folder_path(gone)), 0);
            ps_test_call_error = errors[i];
            ps_test_call_fails = nth;
            ps_test_calls_count = true;
            ps_tail_directory_look(directory, nth % 2 == 0, &changes);
            ps_test_calls_count = false;
            failed = ps_test_call_fails == 0;
            ps_test_call_fails = 0;
            note(&seen, made, gone);
            ps_tail_directory_look(directory, false, &changes);
            assert_int_equal(changes.error, 0);
            note(&seen, made, gone);
            if (seen.made != 1 || seen.grown != 1 || seen.gone != 1)
                fail_msg("call %llu fails with %s: reported as new %u times, as changed %u, as gone %u",
                         (unsigned long long)nth, strerror(errors[i]), seen.made, seen.grown, seen.gone);
            snprintf(gone, sizeof gone, "%s", made);
        }
    }
    assert_true(round > 3 * 10);
}

/* A file that could not be looked at is found by the next look, also when dangling links are beside it, and the directory has not changed in
 * between. */
static void test_fails_beside_links(void **unused)
{
    enum { FILES = 8 };
    char name[32];
    uint64_t nth = 0;
    bool failed = true;
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "app.%d", i);
        append(name, "x");
        snprintf(name, sizeof name, "app.%d.link", i);
        assert_int_equal(symlink("nowhere", ps_test_folder_path(name)), 0);
    }
    set_time("", 1000); /* long ago: the names that were read stay known */
    while (failed) {
        size_t found = 0;
        directory_free();
        directory_make();
        ps_test_call_error = EIO;
        ps_test_call_fails = ++nth;
        ps_test_calls_count = true;
        ps_tail_directory_look(directory, false, &changes);
        ps_test_calls_count = false;
        failed = ps_test_call_fails == 0;
        ps_test_call_fails = 0;
        for (int look = 0; look < 2; look++) {
            for (size_t i = 0; i < changes.count; i++)
                found += changes.items[i].kind == PS_TAIL_FILE_NEW;
            ps_tail_directory_look(directory, false, &changes);
        }
        if (found != FILES)
            fail_msg("call %llu fails: %zu files are found", (unsigned long long)nth, found);
    }
    assert_true(nth > 3 * FILES);
}

/* ---- order and names ---- */

static void set_times(const char *name, time_t seconds, long ns)
{
    const struct timespec times[2] = {{seconds, ns}, {seconds, ns}};
    assert_int_equal(utimensat(AT_FDCWD, ps_test_folder_path(name), times, 0), 0);
}

/* New files: the oldest first, down to the nanosecond; of one time those that do not match, then by name, the last in the alphabet first. */
static void test_order(void **unused)
{
    static const struct {
        const char *name;
        time_t s;
        long ns;
    } files[] = {{"app.c", 1000, 2}, {"app.b", 1000, 1}, {"app.a", 999, 5},  {"app.1", 1001, 0},
                 {"app.2", 1001, 0}, {"app", 1001, 0},   {"old.1", 1001, 0}, {"old.9", 1000, 2}};
    struct stat status;
    for (size_t i = 0; i < PS_COUNT_OF(files); i++) {
        append(files[i].name, "x");
        set_times(files[i].name, files[i].s, files[i].ns);
        assert_int_equal(stat(ps_test_folder_path(files[i].name), &status), 0);
        if (files[i].name[0] == 'o')
            ps_tail_directory_follow(directory, status.st_ino);
    }
    expect("new app.a, new app.b, new old.9 -, new app.c, new old.1 -, new app.2, new app.1, new app");
    move("app.c", "old.7"); /* gone, renamed, changed, new: whatever their times and names are */
    append("app.b", "y");
    append("app.zz", "x"); /* before the other one goes, whose inode it would get */
    set_times("app.zz", 1, 0);
    assert_int_equal(unlink(ps_test_folder_path("app")), 0);
    expect("gone app, renamed old.7 -, changed app.b, new app.zz");
}

/* A file keeps the name that it had, also if a better one appears; a name that matches is better than any other, and a name of its own better than a
 * link. */
static void test_better_names(void **unused)
{
    struct stat status;
    append("app.m", "x");
    expect("new app.m");
    assert_int_equal(link(ps_test_folder_path("app.m"), ps_test_folder_path("app.a")), 0);
    assert_int_equal(symlink("app.m", ps_test_folder_path("app.b")), 0);
    move("app.m", "aside"); /* in a list by age, it now is between the others */
    move("aside", "app.m");
    assert_int_equal(link(ps_test_folder_path("app.m"), ps_test_folder_path("app.c")), 0);
    assert_int_equal(link(ps_test_folder_path("app.m"), ps_test_folder_path("app.z")), 0);
    expect("");
    assert_int_equal(unlink(ps_test_folder_path("app.c")), 0);
    assert_int_equal(unlink(ps_test_folder_path("app.m")), 0);
    assert_int_equal(unlink(ps_test_folder_path("app.b")), 0);
    expect("renamed app.a");
    assert_int_equal(stat(ps_test_folder_path("app.a"), &status), 0);
    assert_int_equal(link(ps_test_folder_path("app.a"), ps_test_folder_path("aaa")), 0);
    move("app.a", "app.y");
    expect("renamed app.y"); /* not aaa, and app.z comes later in the alphabet */
    assert_int_equal(unlink(ps_test_folder_path("app.y")), 0);
    assert_int_equal(unlink(ps_test_folder_path("app.z")), 0);
    expect("renamed aaa -");
    append("app.t", "x");
    assert_int_equal(symlink("app.t", ps_test_folder_path("app.0")), 0);
    assert_int_equal(symlink("app.t", ps_test_folder_path("app.zz")), 0);
    expect("new app.t");
    assert_false(changes.items[0].link);
}

/* Each rename that was reported counts for one look, however many there are. */
static void test_many_renamed(void **unused)
{
    enum { MANY = 3000 }; /* several in each chain */
    char from[32], to[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(from, sizeof from, "app.%d", i);
        snprintf(to, sizeof to, "old.%d", i);
        ps_tail_directory_renamed(directory, from, to);
        if (i % 100 == 0)
            append(to, "x");
    }
    ps_tail_directory_look(directory, false, &changes);
    assert_int_equal(changes.count, MANY / 100);
    for (size_t i = 0; i < changes.count; i++) {
        assert_string_equal(changes.items[i].from + 4, changes.items[i].name + 4);
        assert_memory_equal(changes.items[i].from, "app.", 4);
        assert_int_equal(changes.items[i].from_group, 7);
        assert_int_equal(changes.items[i].group, -1);
    }
    for (int i = 1; i < MANY; i += 100) {
        snprintf(to, sizeof to, "old.%d", i);
        append(to, "x");
    }
    ps_tail_directory_look(directory, true, &changes);
    assert_int_equal(changes.count, 0);
}

/* ---- names that are read again ---- */

/* Names are not read again as long as the directory's time stays the same, unless the caller wants it, or wants it always. Names of no file do not
 * change that. */
static void test_known_names(void **unused)
{
    static const char *const dangling[] = {"nowhere", "app.loop", "app/none"}; /* ENOENT, ELOOP, ENOTDIR */
    for (unsigned cache = 0; cache < 2; cache++) {
        const struct ps_tail_filter filter = {.match = match};
        directory_free();
        directory = ps_tail_directory_create(ps_test_folder(), &filter, cache > 0);
        if (cache == 0) {
            append("app", "x");
            for (size_t i = 0; i < PS_COUNT_OF(dangling); i++)
                assert_int_equal(symlink(dangling[i], ps_test_folder_path(i == 1   ? "app.loop"
                                                                          : i == 0 ? "app.0"
                                                                                   : "app.2")),
                                 0);
        }
        if (cache > 0) {
            set_time("app", 1);
            set_time("app.new.0", 2);
        }
        set_time("", 1000);
        expect(cache > 0 ? "new app, new app.new.0" : "new app");
        append("app", "y");
        append(cache > 0 ? "app.new.1" : "app.new.0", "x");
        set_time("", 1000);
        expect(cache > 0 ? "changed app" : "changed app, new app.new.0");
        if (cache > 0) {
            ps_tail_directory_look(directory, true, &changes);
            assert_int_equal(changes.count, 1);
            assert_string_equal(changes.items[0].name, "app.new.1");
            append("app.new.2", "x");
            set_time("", 1001);
            expect("new app.new.2");
        }
    }
}

/* The directory is away for a while, as a file system that is mounted again, or there is a file where it was: its files are gone. It comes back as
 * it was, with its former time, and they are found again. */
static void test_away_for_a_while(void **unused)
{
    char moved[4096], path[2048];
    append("app", "x");
    snprintf(path, sizeof path, "%s", ps_test_folder());
    snprintf(moved, sizeof moved, "%s.moved", path);
    set_time("", 1000);
    for (unsigned file = 0; file < 2; file++) {
        expect("new app");
        expect("");
        assert_int_equal(rename(path, moved), 0);
        int fd = file > 0 ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
        assert_int_equal(fd >= 0, file > 0);
        if (fd >= 0)
            close(fd);
        for (unsigned look = 0; look < 2; look++) {
            ps_tail_directory_look(directory, false, &changes);
            assert_int_equal(changes.error, file > 0 ? ENOTDIR : ENOENT);
            assert_int_equal(changes.count, look == 0);
            assert_true(look > 0 || changes.items[0].kind == PS_TAIL_FILE_GONE);
        }
        if (file > 0)
            assert_int_equal(unlink(path), 0);
        assert_int_equal(rename(moved, path), 0);
    }
    expect("new app");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_better_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_renamed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_known_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_away_for_a_while, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fails_beside_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_and_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renamed_before_it_was_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_followed_from_earlier, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_names_of_one_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_directory_goes_and_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_sign_of_a_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_call_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
