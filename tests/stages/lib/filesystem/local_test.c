/* The local file system: outcomes come from ps_filesystem_turn, in order; bytes that were not acknowledged are cut off. */
#include "core/durable.h"
#include "stages/lib/filesystem/local.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned sync_count;
static bool sync_fails; /* the second call of fsync fails */

/* Replaces libc's fsync in this program. */
int fsync(int fd)
{
    errno = EIO;
    return ++sync_count == 2 && sync_fails ? -1 : 0;
}

static int status_error; /* errno of the names that begin with "bad"; 0: none */
static bool names_end;   /* the next name of a directory cannot be read */

/* Replaces libc's fstatat in this program. */
int fstatat(int folder, const char *restrict path, struct stat *restrict status, int flags)
{
    static int (*real)(int, const char *restrict, struct stat *restrict, int);
    if (real == NULL) {
        void *found = dlsym(RTLD_NEXT, "fstatat");
        memcpy(&real, &found, sizeof real);
    }
    if (status_error == 0 || strncmp(path, "bad", 3) != 0)
        return real(folder, path, status, flags);
    errno = status_error;
    return -1;
}

/* Replaces libc's readdir in this program. */
struct dirent *readdir(DIR *directory)
{
    static struct dirent *(*real)(DIR *);
    if (real == NULL) {
        void *found = dlsym(RTLD_NEXT, "readdir");
        memcpy(&real, &found, sizeof real);
    }
    if (!names_end)
        return real(directory);
    errno = EIO;
    return NULL;
}

static struct ps_filesystem *filesystem;
static const struct ps_now now = {.mono_ns = 1};

struct outcome {
    unsigned calls;
    enum ps_file_error error;
    char reason[PS_FILE_REASON_BYTES];
    size_t entry_count;
    struct ps_file_status status; /* of the last entry */
    char names[512], content[64];
};

static void note(void *argument, const struct ps_file_answer *answer)
{
    struct outcome *outcome = argument;
    outcome->calls++;
    outcome->error = answer->error;
    snprintf(outcome->reason, sizeof outcome->reason, "%s", answer->reason);
    outcome->entry_count = answer->entry_count;
    outcome->names[0] = '\0';
    for (size_t i = 0; i < answer->entry_count; i++) {
        outcome->status = answer->entries[i];
        snprintf(outcome->names + strlen(outcome->names), sizeof outcome->names - strlen(outcome->names),
                 "%s ", answer->entries[i].name);
    }
    snprintf(outcome->content, sizeof outcome->content, "%.*s", (int)answer->content_length,
             answer->content_length > 0 ? answer->content : "");
}

static void turn(void)
{
    assert_int_equal(ps_filesystem_turn(filesystem, &now), PS_NEVER);
}

/* Runs a turn, and checks its one outcome. */
static void assert_outcome(struct outcome *outcome, enum ps_file_error error)
{
    assert_int_equal(outcome->calls, 0);
    turn();
    assert_int_equal(outcome->calls, 1);
    if (outcome->error != error)
        fail_msg("%u, not %u: %s", outcome->error, error, outcome->reason);
    assert_int_equal(outcome->reason[0] == '\0', error == PS_FILE_OK);
}

static struct ps_file_stream *create(const char *name)
{
    struct outcome outcome = {0};
    struct ps_file_stream *stream = ps_file_create(filesystem, ps_test_folder_path(name), note, &outcome);
    assert_outcome(&outcome, PS_FILE_OK);
    return stream;
}

static void flush(struct ps_file_stream *stream, enum ps_file_error error)
{
    struct outcome outcome = {0};
    ps_file_flush(stream, PS_FILE_HFLUSH, note, &outcome);
    assert_outcome(&outcome, error);
}

static void close_stream(struct ps_file_stream *stream, enum ps_file_error error)
{
    struct outcome outcome = {0};
    ps_file_close(stream, note, &outcome);
    assert_outcome(&outcome, error);
}

static int begin(void **state)
{
    filesystem = ps_filesystem_local_open();
    return filesystem == NULL || ps_test_folder_setup(state) != 0;
}

static int finish(void **state)
{
    ps_filesystem_close(filesystem);
    return ps_test_folder_teardown(state);
}

static void test_write(void **unused)
{
    struct ps_file_stream *stream = create("a/b/c"); /* its parents are created */
    assert_true(ps_file_write(stream, "one\n", 4));
    assert_int_equal(filesystem->held_bytes, 4);
    assert_string_equal(ps_test_folder_read("a/b/c"), "");
    struct outcome first = {0}, second = {0};
    ps_file_flush(stream, PS_FILE_HFLUSH, note, &first);
    assert_int_equal(filesystem->held_bytes, 0);
    assert_true(ps_file_write(stream, "two\n", 4));
    ps_file_flush(stream, PS_FILE_HSYNC, note, &second);
    assert_int_equal(stream->acknowledged_bytes, 0);
    assert_int_equal(filesystem->under_way, 2);
    turn();
    assert_int_equal(first.calls + second.calls, 2);
    assert_int_equal(stream->acknowledged_bytes, 8);
    assert_string_equal(ps_test_folder_read("a/b/c"), "one\ntwo\n");
    assert_true(ps_file_write(stream, "three\n", 6));
    close_stream(stream, PS_FILE_OK);
    assert_string_equal(ps_test_folder_read("a/b/c"), "one\ntwo\nthree\n");
    assert_int_equal(filesystem->under_way, 0);
}

/* A power cut after an hsync leaves the file under its name: the first hsync also syncs the directory. */
static void test_hsync_keeps_the_name(void **unused)
{
    struct ps_file_stream *stream = create("synced");
    for (unsigned syncs = 2; syncs >= 1; syncs--) {
        struct outcome outcome = {0};
        sync_count = 0;
        assert_true(ps_file_write(stream, "line\n", 5));
        ps_file_flush(stream, PS_FILE_HSYNC, note, &outcome);
        assert_outcome(&outcome, PS_FILE_OK);
        assert_int_equal(sync_count, syncs);
    }
    close_stream(stream, PS_FILE_OK);
    stream = create("unsynced");
    struct outcome outcome = {0};
    sync_fails = true; /* the sync of the directory */
    sync_count = 0;
    assert_true(ps_file_write(stream, "line\n", 5));
    ps_file_flush(stream, PS_FILE_HSYNC, note, &outcome);
    assert_outcome(&outcome, PS_FILE_FAILED);
    sync_fails = false;
    assert_int_equal(stream->acknowledged_bytes, 0);
    close_stream(stream, PS_FILE_FAILED);
}

static void test_large_writes(void **unused)
{
    static char block[100000], all[2 * sizeof block + 2];
    memset(block, 'x', sizeof block);
    memset(all, 'x', sizeof all);
    all[0] = 'a';
    all[sizeof block + 1] = 'b';
    struct ps_file_stream *stream = create("large");
    assert_true(ps_file_write(stream, "a", 1));
    assert_true(ps_file_write(stream, block, sizeof block));
    assert_true(ps_file_write(stream, "b", 1));
    for (int i = 0; i < 100; i++)
        assert_true(ps_file_write(stream, block, 1000));
    close_stream(stream, PS_FILE_OK);
    assert_int_equal(strlen(ps_test_folder_read("large")), sizeof all);
    assert_memory_equal(ps_test_folder_read("large"), all, sizeof all);
}

/* Many streams at the same time; buffers are used again. */
static void test_many(void **unused)
{
    struct ps_file_stream *streams[100];
    struct outcome outcomes[100] = {0};
    char name[32];
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "many/%u", i);
        streams[i] = create(name);
    }
    for (unsigned round = 0; round < 3; round++) {
        memset(outcomes, 0, sizeof outcomes);
        for (unsigned i = 0; i < 100; i++) {
            assert_true(ps_file_write(streams[i], &"012"[round], 1));
            ps_file_flush(streams[i], PS_FILE_HFLUSH, note, &outcomes[i]);
        }
        turn();
        for (unsigned i = 0; i < 100; i++)
            assert_true(outcomes[i].calls == 1 && outcomes[i].error == PS_FILE_OK);
    }
    for (unsigned i = 0; i < 100; i++)
        close_stream(streams[i], PS_FILE_OK);
    assert_string_equal(ps_test_folder_read("many/0"), "012");
    assert_string_equal(ps_test_folder_read("many/99"), "012");
}

static void test_creation(void **unused)
{
    struct outcome outcome = {0};
    close_stream(create("file"), PS_FILE_OK);
    struct ps_file_stream *stream = ps_file_create(filesystem, ps_test_folder_path("file"), note, &outcome);
    assert_false(ps_file_write(stream, "x", 1));
    assert_outcome(&outcome, PS_FILE_EXISTS);
    ps_file_abandon(stream);
    outcome = (struct outcome){0};
    stream = ps_file_create(filesystem, ps_test_folder_path("file/below"), note, &outcome);
    assert_outcome(&outcome, PS_FILE_PARENT);
    ps_file_abandon(stream);
    char long_name[300];
    memset(long_name, 'x', sizeof long_name);
    memcpy(long_name + 256, "/y", 3); /* a directory of 256 bytes */
    outcome = (struct outcome){0};
    stream = ps_file_create(filesystem, ps_test_folder_path(long_name), note, &outcome);
    assert_outcome(&outcome, PS_FILE_NAME);
    ps_file_abandon(stream);
}

static void move(const char *from, const char *to)
{
    assert_int_equal(rename(ps_test_folder_path(from), ps_test_folder_path(to)), 0);
}

/* What others do with the name of a file while it is written. Only a file without any name loses its bytes. */
static void test_name_of_an_open_file(void **unused)
{
    static const struct {
        bool linked, moved, removed, replaced; /* in this order */
        const char *kept; /* where the bytes are; NULL: nowhere, and no later byte is acknowledged */
    } rows[] = {{.removed = true},
                {.replaced = true},
                {.removed = true, .replaced = true},
                {.moved = true, .kept = "away"},
                {.moved = true, .replaced = true, .kept = "away"},
                {.linked = true, .removed = true, .kept = "linked"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        (void)unlink(ps_test_folder_path("named"));
        struct ps_file_stream *stream = create("named");
        assert_true(ps_file_write(stream, "one", 3));
        flush(stream, PS_FILE_OK);
        if (rows[i].linked)
            assert_int_equal(link(ps_test_folder_path("named"), ps_test_folder_path("linked")), 0);
        if (rows[i].moved)
            move("named", "away");
        if (rows[i].removed)
            assert_int_equal(unlink(ps_test_folder_path("named")), 0);
        ps_test_folder_append("other", "not ours", 8);
        move("other", rows[i].replaced ? "named" : "other");
        assert_true(ps_file_write(stream, "two", 3));
        flush(stream, rows[i].kept != NULL ? PS_FILE_OK : PS_FILE_MISSING);
        ps_file_abandon(stream);
        if (rows[i].kept != NULL)
            assert_string_equal(ps_test_folder_read(rows[i].kept), "onetwo");
        assert_string_equal(ps_test_folder_read(rows[i].replaced ? "named" : "other"), "not ours");
        (void)unlink(ps_test_folder_path("other"));
    }
}

/* Bytes that a flush has acknowledged stay; the callbacks of the other operations are not called. */
static void test_abandon(void **unused)
{
    struct outcome outcome = {0}, other = {0};
    struct ps_file_stream *stream = create("abandoned");
    assert_true(ps_file_write(stream, "kept", 4));
    flush(stream, PS_FILE_OK);
    assert_true(ps_file_write(stream, "one", 3));
    ps_file_flush(stream, PS_FILE_HFLUSH, note, &outcome);
    assert_true(ps_file_write(stream, "two", 3));
    ps_file_stat(filesystem, ps_test_folder(), note, &other);
    ps_file_abandon(stream);
    assert_int_equal(filesystem->held_bytes, 0);
    assert_string_equal(ps_test_folder_read("abandoned"), "kept");
    turn();
    assert_int_equal(outcome.calls, 0);
    assert_int_equal(other.calls, 1);
}

static void abandon(void *argument, const struct ps_file_answer *answer)
{
    assert_int_equal(answer->error, PS_FILE_OK);
    ps_file_abandon(argument);
}

static void test_abandon_in_callback(void **unused)
{
    struct outcome outcome = {0};
    struct ps_file_stream *stream = create("file2");
    ps_file_flush(stream, PS_FILE_HFLUSH, abandon, stream);
    ps_file_flush(stream, PS_FILE_HFLUSH, note, &outcome);
    turn();
    assert_int_equal(outcome.calls, 0);
}

/* A disk is full, simulated by a limit of file sizes: the bytes after the last flush are cut off. */
static void test_no_room(void **unused)
{
    struct ps_file_stream *stream = create("full");
    struct rlimit limit, small;
    assert_true(ps_file_write(stream, "kept", 4));
    flush(stream, PS_FILE_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){.rlim_cur = 6, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_true(ps_file_write(stream, "12345", 5));
    flush(stream, PS_FILE_FAILED);
    assert_false(ps_file_write(stream, "6", 1));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    flush(stream, PS_FILE_FAILED); /* the stream has failed */
    struct outcome outcome = {0};
    ps_file_close(stream, note, &outcome);
    assert_outcome(&outcome, PS_FILE_FAILED);
    assert_string_equal(ps_test_folder_read("full"), "kept");
}

/* A stream that fails is closed before the outcome of an earlier flush was delivered: what that flush wrote stays. */
static void test_no_room_after_a_flush(void **unused)
{
    struct ps_file_stream *stream = create("half");
    struct rlimit limit, small;
    struct outcome first = {0}, second = {0}, last = {0};
    assert_true(ps_file_write(stream, "kept", 4));
    ps_file_flush(stream, PS_FILE_HFLUSH, note, &first);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = (struct rlimit){.rlim_cur = 6, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_true(ps_file_write(stream, "12345", 5));
    ps_file_flush(stream, PS_FILE_HFLUSH, note, &second);
    ps_file_close(stream, note, &last);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    turn();
    assert_int_equal(first.error, PS_FILE_OK);
    assert_int_equal(second.error, PS_FILE_FAILED);
    assert_int_equal(last.error, PS_FILE_FAILED);
    assert_int_equal(first.calls + second.calls + last.calls, 3);
    assert_string_equal(ps_test_folder_read("half"), "kept");
}

static void test_names(void **unused)
{
    struct outcome outcome;
    char from[512], to[512];
    close_stream(create("from"), PS_FILE_OK);
    snprintf(from, sizeof from, "%s/from", ps_test_folder());
    snprintf(to, sizeof to, "%s/to", ps_test_folder());
    static const struct {
        int from, to;
        enum ps_file_error error;
    } renames[] = {{0, 1, PS_FILE_OK}, {0, 1, PS_FILE_MISSING}, {1, 1, PS_FILE_EXISTS}};
    for (size_t i = 0; i < 3; i++) {
        outcome = (struct outcome){0};
        ps_file_rename(filesystem, renames[i].from ? to : from, renames[i].to ? to : from, note, &outcome);
        assert_outcome(&outcome, renames[i].error);
    }
    assert_int_equal(ps_directories_make(ps_test_folder_path("d/e"), 0777), 0);
    outcome = (struct outcome){0};
    ps_file_stat(filesystem, ps_test_folder_path("d/e"), note, &outcome);
    assert_outcome(&outcome, PS_FILE_OK);
    assert_true(outcome.status.directory && outcome.entry_count == 1);
    assert_string_equal(outcome.names, "e ");
    outcome = (struct outcome){0};
    ps_file_remove(filesystem, ps_test_folder_path("d"), note, &outcome);
    assert_outcome(&outcome, PS_FILE_EXISTS); /* not empty */
    outcome = (struct outcome){0};
    ps_file_remove(filesystem, ps_test_folder_path("d/e"), note, &outcome);
    assert_outcome(&outcome, PS_FILE_OK);
    outcome = (struct outcome){0};
    ps_file_stat(filesystem, ps_test_folder_path("d/e"), note, &outcome);
    assert_outcome(&outcome, PS_FILE_MISSING);
    outcome = (struct outcome){0};
    ps_file_recover(filesystem, to, PS_FILE_OWN, note, &outcome);
    assert_outcome(&outcome, PS_FILE_OK);
    outcome = (struct outcome){0};
    ps_file_recover(filesystem, from, PS_FILE_OWN, note, &outcome);
    assert_outcome(&outcome, PS_FILE_MISSING);
}

/* A file that another agent writes is left alone, also while this process cannot look at its lock. */
static void test_abandoned(void **unused)
{
    struct ps_file_stream *stream = create("used");
    struct rlimit limit, none;
    struct outcome outcome = {0};
    ps_file_recover(filesystem, ps_test_folder_path("used"), PS_FILE_ABANDONED, note, &outcome);
    assert_outcome(&outcome, PS_FILE_LEASE);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    outcome = (struct outcome){0};
    ps_file_recover(filesystem, ps_test_folder_path("used"), PS_FILE_ABANDONED, note, &outcome);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_outcome(&outcome, PS_FILE_FAILED);
    close_stream(stream, PS_FILE_OK);
    outcome = (struct outcome){0};
    ps_file_recover(filesystem, ps_test_folder_path("used"), PS_FILE_ABANDONED, note, &outcome);
    assert_outcome(&outcome, PS_FILE_OK);
}

/* Cuts a file of `length` bytes x that has line feeds at these offsets (-1: none); `left` bytes stay. */
static void assert_cut(size_t length, long first, long last, size_t left)
{
    static char bytes[200000];
    struct outcome outcome = {0};
    struct stat facts;
    assert_true(length <= sizeof bytes);
    memset(bytes, 'x', sizeof bytes);
    if (first >= 0)
        bytes[first] = bytes[last] = '\n';
    (void)unlink(ps_test_folder_path("cut"));
    ps_test_folder_append("cut", bytes, length);
    ps_file_cut_line(filesystem, ps_test_folder_path("cut"), note, &outcome);
    assert_outcome(&outcome, PS_FILE_OK);
    assert_int_equal(stat(ps_test_folder_path("cut"), &facts), 0);
    assert_int_equal(facts.st_size, left);
}

static void test_cut_line(void **unused)
{
    assert_cut(0, -1, -1, 0);
    assert_cut(1, -1, -1, 0);
    assert_cut(1, 0, 0, 1);
    assert_cut(10, 0, 9, 10);
    assert_cut(10, 0, 8, 9);
    assert_cut(65536, -1, -1, 0);
    assert_cut(65536, 0, 0, 1);
    assert_cut(65537, 0, 0, 1); /* in the second block that is read */
    assert_cut(65537, 0, 1, 2);
    assert_cut(200000, 3, 4000, 4001);
    assert_cut(200000, -1, -1, 0);
    assert_cut(200000, 5, 199999, 200000);
    struct outcome outcome = {0};
    ps_file_cut_line(filesystem, ps_test_folder_path("nothing"), note, &outcome);
    assert_outcome(&outcome, PS_FILE_MISSING);
}

/* The cut comes before the file's final name: a power cut must not bring the cut bytes back under it. */
static void test_cut_line_is_synced(void **unused)
{
    sync_count = 0;
    assert_cut(10, 0, 9, 10);
    assert_int_equal(sync_count, 0);
    assert_cut(10, 0, 8, 9);
    assert_int_equal(sync_count, 1);
}

static void assert_listed(enum ps_file_error error, const char *names)
{
    struct outcome outcome = {0};
    ps_file_list(filesystem, ps_test_folder_path("u"), note, &outcome);
    assert_outcome(&outcome, error);
    assert_string_equal(outcome.names, names);
}

/* A name that is gone is left out; one that cannot be read now is an error, beside which the others are listed. */
static void test_list_unreadable(void **unused)
{
    assert_int_equal(mkdir(ps_test_folder_path("u"), 0700), 0);
    ps_test_folder_append("u/bad1", "x", 1);
    ps_test_folder_append("u/one", "x", 1);
    ps_test_folder_append("u/bad2", "x", 1);
    static const int gone[] = {ENOENT, ENOTDIR, ELOOP};
    for (size_t i = 0; i < PS_COUNT_OF(gone); i++) {
        status_error = gone[i];
        assert_listed(PS_FILE_OK, "one ");
    }
    status_error = EIO;
    assert_listed(PS_FILE_FAILED, "one ");
    status_error = EACCES;
    assert_listed(PS_FILE_DENIED, "one ");
    status_error = 0;
    names_end = true;
    assert_listed(PS_FILE_FAILED, "");
    names_end = false;
}

static void test_list_and_read(void **unused)
{
    struct outcome outcome = {0};
    ps_file_list(filesystem, ps_test_folder_path("none"), note, &outcome);
    assert_outcome(&outcome, PS_FILE_MISSING);
    struct ps_file_stream *stream = create("l/one");
    assert_true(ps_file_write(stream, "schema", 6));
    close_stream(stream, PS_FILE_OK);
    outcome = (struct outcome){0};
    ps_file_list(filesystem, ps_test_folder_path("l"), note, &outcome);
    assert_outcome(&outcome, PS_FILE_OK);
    assert_string_equal(outcome.names, "one ");
    assert_int_equal(outcome.status.length_bytes, 6);
    assert_true(outcome.status.modified_ms > 1700000000000);
    outcome = (struct outcome){0};
    ps_file_read(filesystem, ps_test_folder_path("l/one"), 6, note, &outcome);
    assert_outcome(&outcome, PS_FILE_OK);
    assert_string_equal(outcome.content, "schema");
    outcome = (struct outcome){0};
    ps_file_read(filesystem, ps_test_folder_path("l/one"), 5, note, &outcome);
    assert_outcome(&outcome, PS_FILE_FAILED);
    outcome = (struct outcome){0};
    ps_file_read(filesystem, ps_test_folder_path("l"), 100, note, &outcome);
    assert_outcome(&outcome, PS_FILE_FAILED);
}

/* The file system is closed with open streams and undelivered outcomes. */
static void test_close(void **unused)
{
    struct outcome outcome = {0};
    struct ps_filesystem *other = ps_filesystem_local_open();
    struct ps_file_stream *open_one = ps_file_create(other, ps_test_folder_path("x"), note, &outcome);
    struct ps_file_stream *closed_one = ps_file_create(other, ps_test_folder_path("y"), note, &outcome);
    assert_true(ps_file_write(open_one, "1", 1) && ps_file_write(closed_one, "2", 1));
    ps_file_close(closed_one, note, &outcome);
    ps_file_list(other, ps_test_folder(), note, &outcome);
    ps_filesystem_close(other);
    assert_int_equal(outcome.calls, 0);
    assert_string_equal(ps_test_folder_read("x"), "");
    assert_string_equal(ps_test_folder_read("y"), "2");
}

/* An operation that a callback began has its outcome in the next turn. */
static void begin_another(void *argument, const struct ps_file_answer *answer)
{
    ps_file_stat(filesystem, ps_test_folder(), note, argument);
}

static void test_turns(void **unused)
{
    struct outcome outcome = {0};
    ps_file_stat(filesystem, ps_test_folder(), begin_another, &outcome);
    assert_int_equal(ps_filesystem_turn(filesystem, &now), now.mono_ns);
    assert_outcome(&outcome, PS_FILE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_hsync_keeps_the_name),
        cmocka_unit_test(test_large_writes),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_creation),
        cmocka_unit_test(test_abandon),
        cmocka_unit_test(test_abandon_in_callback),
        cmocka_unit_test(test_name_of_an_open_file),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_no_room_after_a_flush),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_abandoned),
        cmocka_unit_test(test_cut_line),
        cmocka_unit_test(test_cut_line_is_synced),
        cmocka_unit_test(test_list_unreadable),
        cmocka_unit_test(test_list_and_read),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_turns),
    };
    return cmocka_run_group_tests(tests, begin, finish);
}
