/* Source taildir while the system fails: a file that cannot be read now does not count as another file or as
 * ended. It keeps its position and is tried again. */
#define PS_TEST_CALLS_OF_ALL_THREADS

#include "stages/lib/tail/directory.h"
#include "stages/lib/tail/reader.h"
#include "tests/stages/sources/taildir_positions.h"
#include "tests/stages/sources/taildir_support.h"
#include "tests/support/system_calls.h"

/* Every read of a file fails with EIO, by the worker and by the source's thread. */
static void reads_fail(bool fail)
{
    ps_test_call_error = EIO;
    ps_test_call_broken = fail ? "preadv2" : NULL;
    ps_test_calls_count = fail;
}

static void wait_for_failure(void)
{
    work_until(PS_COUNTER_EventReadFail, 1);
    assert_string_equal(ps_test_call_failed, "preadv2");
}

/* Nothing happens to the file after the read failed. */
static void test_read_is_tried_again(void **unused)
{
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    append("app.log", "two\nthree\n");
    reads_fail(true);
    wait_for_failure();
    ps_test_source_settle(&stage, 0, 300); /* further tries fail */
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), 1);
    reads_fail(false);
    expect("two three");
    append("app.log", "four\n");
    reads_fail(true);
    work_until(PS_COUNTER_EventReadFail, 2); /* readable in between */
    reads_fail(false);
    expect("four");
    ps_test_stage_fini(&stage);
}

/* A deleted file is not found by its name: it stays open until it was read. */
static void test_deleted_file(void **unused)
{
    append("app.log", "one\n");
    PS_START("idleTimeout", "50");
    expect("one");
    append("app.log", "two\n");
    wait_for_open(1);
    reads_fail(true);
    append("app.log", "three\n");
    wait_for_failure();
    assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
    ps_test_source_settle(&stage, 0, 300);
    reads_fail(false);
    expect("two three");
    assert_int_equal(ps_test_stage_counter(&stage, (enum ps_counter)(PS_COUNTER_extra + 3)), 0);
    ps_test_stage_fini(&stage);
}

/* The beginning cannot be read when the file is opened again: reading continues where it was. */
static void test_beginning(void **unused)
{
    append("app.log", "one\n");
    PS_START("idleTimeout", "50");
    expect("one");
    for (unsigned call = 1; call <= 4; call++) {
        wait_for_open(0);
        ps_test_call_error = EIO;
        ps_test_call_broken = "pread";
        ps_test_calls_count = true;
        append("app.log", "two\n");
        work_until(PS_COUNTER_EventReadFail, call);
        ps_test_calls_count = false;
        expect("two");
    }
    assert_int_equal(ps_test_stage_counter(&stage, (enum ps_counter)(PS_COUNTER_extra + 2)), 0);
    ps_test_stage_fini(&stage);
}

/* The thread looks for the end of a long line: a failed read does not count as the end of the file, and the line is
 * whole. */
static void test_long_line(void **unused)
{
    size_t length = 2 * PS_BLOCK_BYTES;
    char *line = malloc(length + 1);
    assert_non_null(line);
    memset(line, 'x', length);
    line[length] = '\0';
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    ps_test_call_error = EIO;
    ps_test_call_broken = "pread";
    append("app.log", line);
    append("app.log", "\n");
    ps_test_calls_count = true;
    work_until(PS_COUNTER_EventReadFail, 1);
    ps_test_source_settle(&stage, 0, 300);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), 1);
    ps_test_calls_count = false;
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.events[0].length, length);
    free(line);
    ps_test_stage_fini(&stage);
}

/* A file is truncated while another one cannot be opened, which may be its copy: the source first looks at the directory
 * several times, then reads it. The same happens at each truncation. */
static void test_cut_beside_an_unknown_file(void **unused)
{
    char stuck[256];
    uint64_t first = 0;
    snprintf(stuck, sizeof stuck, "%s", ps_test_folder_path("app.stuck"));
    append("app.log", "a first line\n");
    append("app.stuck", "a file\n");
    ps_test_call_error = EACCES;
    ps_test_call_broken = "open";
    ps_test_call_path = stuck;
    ps_test_calls_count = true;
    PS_START("penstock.poll.interval", "10");
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    for (unsigned round = 0; round < 3; round++) {
        ps_test_source_clear(&stage);
        ps_test_source_settle(&stage, 0, 50);
        ps_test_call_count = 0;
        assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
        append("app.log", "again\n");
        ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
        assert_string_equal(stage.events[0].body, "again");
        uint64_t calls = ps_test_call_count;
        first = round == 0 ? calls : first;
        assert_true(calls >= 20 && calls > first / 2);
        append("app.log", "and a longer line\n"); /* longer, so that the next truncation is noticed */
        ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    }
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), 1);
    ps_test_calls_count = false;
    ps_test_call_broken = ps_test_call_path = NULL;
    ps_test_stage_fini(&stage);
}

/* Works until the broken function has failed. After a look that took long, the directory is left alone for many times as long: the
 * stage's clock runs ahead, but not by so much that the truncated file would not wait any longer. */
static void wait_for_failed_look(void)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    while (ps_test_call_failed == NULL) {
        ps_test_source_settle(&stage, 0, 10);
        ps_test_stage_pass_ms(&stage, 20);
        assert_true(ps_test_patient_ns() < until_ns);
    }
}

/* A file is copied and truncated while a look at its directory sees nothing, or not the copy. The file keeps its position, by which the copy is
 * found: after a stop no line comes again. */
static void test_cut_while_looks_fail(void **unused)
{
    static const struct {
        const char *call;
        int error;
    } rows[] = {{"open", EMFILE}, {"open", EIO}, {"fdopendir", ENOMEM}, {"readdir", EIO}, {"fstatat", EIO}};
    char folder[256], from[256];
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        assert_int_equal(i == 0 ? 0 : setup(NULL), 0);
        snprintf(folder, sizeof folder, "%s", ps_test_folder());
        snprintf(from, sizeof from, "%s", ps_test_folder_path("app.log"));
        append("app.log", "one\ntwo\n");
        PS_START("writePosInterval", "20");
        expect("one two");
        await_saved("app.log");
        ps_test_call_error = rows[i].error;
        ps_test_call_broken = rows[i].call;
        ps_test_call_path = folder;
        ps_test_file_copy(from, ps_test_folder_path("app.log.1"));
        ps_test_calls_count = true;
        assert_int_equal(truncate(from, 0), 0);
        ps_test_call_failed = NULL;
        wait_for_failed_look();
        ps_test_source_settle(&stage, 0, 300);
        assert_string_equal(ps_test_call_failed, rows[i].call);
        assert_int_equal(ps_test_stage_counter(&stage, (enum ps_counter)(PS_COUNTER_extra + 2)), 0);
        ps_test_stage_close(&stage);
        ps_test_calls_count = false;
        append("app.log", "three\n");
        ps_test_source_clear(&stage);
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        expect("three");
        expect_nothing();
        ps_test_call_broken = ps_test_call_path = NULL;
        ps_test_stage_fini(&stage);
        assert_int_equal(i + 1 == PS_COUNT_OF(rows) ? 0 : ps_test_folder_teardown(NULL), 0);
    }
}

/* The directory cannot be read for longer than a minute, or a name cannot be examined for some looks: the truncated file is read. */
static void test_cut_and_looks_fail_on(void **unused)
{
    static const char *const calls[] = {"open", "fstatat"};
    char folder[256];
    for (size_t i = 0; i < PS_COUNT_OF(calls); i++) {
        assert_int_equal(i == 0 ? 0 : setup(NULL), 0);
        snprintf(folder, sizeof folder, "%s", ps_test_folder());
        append("app.log", "one\ntwo\n");
        PS_START("writePosInterval", "20");
        expect("one two");
        ps_test_call_error = EIO;
        ps_test_call_broken = calls[i];
        ps_test_call_path = folder;
        ps_test_calls_count = true;
        assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
        append("app.log", "three\n");
        for (unsigned waits = 0; waits < 6; waits++) {
            expect_nothing();
            ps_test_stage_pass_ms(&stage, i == 0 ? 9000 : 0);
        }
        ps_test_stage_pass_ms(&stage, i == 0 ? 9000 : 0);
        expect("three");
        ps_test_calls_count = false;
        ps_test_call_broken = ps_test_call_path = NULL;
        ps_test_stage_fini(&stage);
        assert_int_equal(i + 1 == PS_COUNT_OF(calls) ? 0 : ps_test_folder_teardown(NULL), 0);
    }
}

/* Waits until /readyz has no trouble of this source, or one with this text. */
static void wait_for_trouble(const char *text)
{
    char said[512];
    uint64_t until_ns = ps_test_patience_end_ns();
    for (;;) {
        bool any = stage.ops->outdated(stage.plan, said, sizeof said);
        if (text != NULL ? any && strstr(said, text) != NULL : !any)
            return;
        assert_true(ps_test_patient_ns() < until_ns);
        ps_test_source_settle(&stage, 0, 10);
    }
}

/* Writes of positions fail and succeed again, several times. /readyz reports each failure until a write succeeds, even if no line is
 * written to the file meanwhile. */
static void test_trouble_ends(void **unused)
{
    char state_path[256], away[256];
    append("app.log", "one\n");
    PS_START("writePosInterval", "20");
    expect("one");
    snprintf(state_path, sizeof state_path, "%s", ps_test_folder_path("state"));
    snprintf(away, sizeof away, "%s", ps_test_folder_path("away"));
    for (unsigned round = 0; round < 3; round++) {
        wait_for_trouble(NULL);
        assert_int_equal(rename(state_path, away), 0);
        ps_test_folder_append("state", "", 0);
        append("app.log", "more\n");
        expect("more");
        wait_for_trouble("cannot be written");
        assert_int_equal(unlink(state_path), 0);
        assert_int_equal(rename(away, state_path), 0);
        wait_for_trouble(NULL);
        char position[32];
        snprintf(position, sizeof position, "\"pos\":%u", 4 + 5 * (round + 1));
        assert_non_null(strstr(read_positions(), position));
    }
    ps_test_stage_fini(&stage);
}

/* A directory that cannot be read at the start, but not because it is missing: its files were there at the start, and
 * with skipToEnd their old lines are skipped when it can be read. */
static void test_skips_behind_a_failed_look(void **unused)
{
    char path[512], link[256];
    append("app.log", "old\n");
    snprintf(path, sizeof path, "%s/link/app.*", ps_test_folder());
    snprintf(link, sizeof link, "%s", ps_test_folder_path("link"));
    assert_int_equal(symlink("link", link), 0); /* ELOOP */
    PS_START("skipToEnd", "true", "filegroups.g", path, "penstock.poll.interval", "10");
    wait_for_trouble("cannot be read");
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink(".", link), 0);
    wait_for_trouble(NULL);
    expect_nothing();
    append("app.log", "new\n");
    expect("new");
    ps_test_stage_fini(&stage);
}

static int match_all(void *argument, const char *name, size_t length)
{
    return 0;
}

/* A name cannot be looked up: the file does not count as gone. */
static void test_look(void **unused)
{
    const struct ps_tail_filter filter = {.match = match_all};
    struct ps_tail_changes changes = {.count = 0};
    struct ps_tail_directory *directory = ps_tail_directory_create(ps_test_folder(), &filter, true);
    append("app.log", "one\n");
    ps_tail_directory_look(directory, true, &changes);
    assert_int_equal(changes.count, 1);
    ps_test_call_error = EIO;
    ps_test_call_broken = "fstatat";
    append("app.new", "two\n");
    for (unsigned names = 0; names < 2; names++) {
        ps_test_calls_count = true;
        ps_tail_directory_look(directory, names == 1, &changes);
        ps_test_calls_count = false;
        assert_int_equal(changes.error, 0);
        assert_int_equal(changes.count, 0);
    }
    ps_tail_directory_look(directory, false, &changes);
    assert_int_equal(changes.count, 1);
    assert_int_equal(changes.items[0].kind, PS_TAIL_FILE_NEW);
    ps_tail_changes_free(&changes);
    ps_tail_directory_destroy(directory);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct ps_tail_change *)a)->name, ((const struct ps_tail_change *)b)->name);
}

/* Compares the changes, which are all of one kind, with "kind name name". */
static void expect_changes(struct ps_tail_changes *changes, const char *expected)
{
    static const char *const kinds[] = {"gone", "renamed", "changed", "new"};
    char text[512] = "";
    if (changes->count > 1)
        qsort(changes->items, changes->count, sizeof *changes->items, by_name);
    for (size_t i = 0; i < changes->count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s %s",
                 i == 0 ? kinds[changes->items[i].kind] : "", changes->items[i].name);
    assert_string_equal(text, expected);
    for (size_t i = 1; i < changes->count; i++)
        assert_int_equal(changes->items[i].kind, changes->items[0].kind);
}

static int match_app(void *argument, const char *name, size_t length)
{
    return strncmp(name, "app", 3) == 0 ? 0 : -1;
}

/* Files are renamed, and their new names cannot be examined: they are known by the inodes that the directory lists. */
static void test_renamed_and_not_examined(void **unused)
{
    static const struct {
        const char *from[3], *to[3]; /* renames, one after the other */
        const char *made;            /* a new file, or NULL */
        const char *first, *second, *renamed,
            *examined; /* names of the two files; changes of the two looks */
    } rows[] = {
        {{"app.1"}, {"app.3"}, NULL, "app.3", "app.2", "renamed app.3", ""},
        {{"app.1"}, {"old"}, NULL, "old", "app.2", "renamed old", ""},
        {{"app.1"}, {"app.3"}, "app.1", "app.3", "app.2", "renamed app.3", "new app.1"},
        {{"app.1"}, {"old"}, "app.1", "old", "app.2", "renamed old", "new app.1"},
        {{"app.2", "app.1"},
         {"app.3", "app.2"},
         "app.1",
         "app.2",
         "app.3",
         "renamed app.2 app.3",
         "new app.1"},
        {{"app.1", "app.2", "x"}, {"x", "app.1", "app.2"}, NULL, "app.2", "app.1", "renamed app.1 app.2", ""},
    };
    static const int errors[] = {EIO, EACCES, EPERM};
    const struct ps_tail_filter filter = {.match = match_app};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_tail_changes changes = {.count = 0};
        const int error = errors[i % PS_COUNT_OF(errors)];
        assert_int_equal(i == 0 ? 0 : setup(NULL), 0);
        struct ps_tail_directory *directory = ps_tail_directory_create(ps_test_folder(), &filter, true);
        append("app.1", "one\n");
        append("app.2", "two\n");
        ps_tail_directory_look(directory, true, &changes);
        assert_int_equal(changes.count, 2);
        unsigned long first = inode_of("app.1"), second = inode_of("app.2");
        for (size_t n = 0; n < 3 && rows[i].from[n] != NULL; n++)
            move(rows[i].from[n], rows[i].to[n]);
        if (rows[i].made != NULL)
            append(rows[i].made, "three\n");
        ps_test_call_error = error;
        ps_test_call_broken = "fstatat";
        ps_test_calls_count = true;
        ps_tail_directory_look(directory, true, &changes);
        ps_test_calls_count = false;
        ps_test_call_broken = NULL;
        /* Truncated files do not wait for what this user may never examine. */
        assert_int_equal(changes.unsure, error == EIO);
        expect_changes(&changes, rows[i].renamed);
        for (size_t n = 0; n < changes.count; n++) {
            const struct ps_tail_change *change = &changes.items[n];
            assert_int_equal(change->inode, strcmp(change->name, rows[i].first) == 0 ? first : second);
        }
        assert_int_equal(inode_of(rows[i].second), second);
        ps_tail_directory_look(directory, false, &changes);
        assert_false(changes.unsure);
        expect_changes(&changes, rows[i].examined);
        ps_tail_changes_free(&changes);
        ps_tail_directory_destroy(directory);
        assert_int_equal(i + 1 == PS_COUNT_OF(rows) ? 0 : ps_test_folder_teardown(NULL), 0);
    }
}

/* A file that cannot be examined is not one of the wrong kind. */
static void test_reason(void **unused)
{
    append("app.log", "one\n");
    ps_test_call_error = EIO;
    ps_test_call_broken = "fstat";
    ps_test_calls_count = true;
    int fd = ps_tail_open(ps_test_folder_path("app.log"));
    int error = errno;
    ps_test_calls_count = false;
    ps_test_call_broken = NULL;
    assert_int_equal(fd, -1);
    assert_int_equal(error, EIO);
    assert_int_equal(ps_tail_open(ps_test_folder()), -1);
    assert_int_equal(errno, ENOTSUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_is_tried_again, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_deleted_file, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_beginning, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_long_line, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_cut_beside_an_unknown_file, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_cut_while_looks_fail, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_cut_and_looks_fail_on, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_trouble_ends, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_skips_behind_a_failed_look, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_look, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_renamed_and_not_examined, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_reason, setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
