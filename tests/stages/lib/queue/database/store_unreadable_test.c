/* A database whose file cannot be read: reads of SQLite fail, once and once more, while the store is opened, fed and
 * emptied. No event is lost or skipped: the store fails, is renewed, and continues where it was. */
#include <errno.h>
#include <sqlite3.h>
#include <unistd.h>

#include "tests/stages/lib/queue/database/store_support.h"

#define FRAMES 12U
#define EVENTS 40U /* of a frame */

/* ---- SQLite's files, of which a read fails ---- */

static sqlite3_vfs failing;
static sqlite3_vfs *machine;
/* SQLite's methods for each kind of file; `methods` are the same with a read that fails. */
static const sqlite3_io_methods *kinds[4];
static sqlite3_io_methods methods[4];
static int (*machine_read)(sqlite3_file *file, void *to, int length, sqlite3_int64 offset);
static unsigned reads, fail_at, again; /* reads so far; the read that fails (0: none), and another one `again`
                                        * reads later */

static int read_or_fail(sqlite3_file *file, void *to, int length, sqlite3_int64 offset)
{
    reads++;
    if (fail_at > 0 && (reads == fail_at || (again > 0 && reads == fail_at + again)))
        return SQLITE_IOERR_READ;
    return machine_read(file, to, length, offset);
}

static int open_failing(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    int code = machine->xOpen(machine, name, file, flags, out);
    if (code != SQLITE_OK || file->pMethods == NULL)
        return code;
    unsigned kind = 0;
    while (kinds[kind] != NULL && kinds[kind] != file->pMethods)
        assert_true(++kind < PS_COUNT_OF(kinds));
    assert_true(machine_read == NULL || machine_read == file->pMethods->xRead);
    machine_read = file->pMethods->xRead;
    kinds[kind] = file->pMethods;
    methods[kind] = *file->pMethods;
    methods[kind].xRead = read_or_fail;
    file->pMethods = &methods[kind];
    return SQLITE_OK;
}

static int begin(void **state)
{
    begin_memory();
    ps_test_folder_in_memory();
    machine = sqlite3_vfs_find(NULL);
    failing = *machine;
    failing.zName = "failing";
    failing.xOpen = open_failing;
    failing.pNext = NULL;
    return sqlite3_vfs_register(&failing, 1) == SQLITE_OK ? ps_test_folder_setup(state) : -1;
}

/* ---- the store ---- */

static void fill(void)
{
    struct ps_err err = {0};
    if (!open_store(&err))
        fail_msg("%s", err.text);
    for (unsigned frame = 0; frame < FRAMES; frame++)
        append(frame * EVENTS, EVENTS);
    assert_int_equal(ps_database_store.sync(store, &err), PS_OK);
    ps_database_store.close(store);
}

/* Feeds and takes everything, renewing the store after each failure. Returns how often something failed. */
static unsigned empty(void)
{
    struct ps_err err = {0};
    struct ps_store_frame frame = {.blocks = &blocks};
    struct ps_segment_fill left;
    unsigned next = 0, failures = 0;
    for (; !open_store(&err); failures++)
        assert_true(failures < 1000);
    while (next < FRAMES * EVENTS) {
        enum ps_store_fed fed = ps_database_store.feed(store, &frame, &err);
        if (fed == PS_STORE_EMPTY)
            fail_msg("read %u fails: there are no more events behind %u", fail_at, next);
        if (fed == PS_STORE_FED) {
            next = look_at(&frame, next);
            ps_database_store.release(&frame);
            ps_database_store.take(store, &frame);
            continue;
        }
        do
            assert_true(++failures < 1000);
        while (ps_database_store.renew(store, &err) != PS_OK);
    }
    while (ps_database_store.sync(store, &err) != PS_OK) {
        do
            assert_true(++failures < 1000);
        while (ps_database_store.renew(store, &err) != PS_OK);
    }
    assert_int_equal(ps_database_store.feed(store, &frame, &err), PS_STORE_EMPTY);
    ps_database_store.fill(store, &left);
    assert_int_equal(left.events, 0);
    assert_int_equal(left.frames_lost, 0);
    ps_database_store.close(store);
    return failures;
}

static void copy(const char *from, const char *to)
{
    char command[1600], first[512];
    snprintf(first, sizeof first, "%s", ps_test_folder_path(from));
    snprintf(command, sizeof command, "cp '%s' '%s'", first, ps_test_folder_path(to));
    assert_int_equal(system(command), 0);
}

/* Restores the filled database. After a failed read, closing leaves the write-ahead log. */
static void restore(void)
{
    (void)unlink(ps_test_folder_path("events.sqlite-wal"));
    (void)unlink(ps_test_folder_path("events.sqlite-shm"));
    copy("full", "events.sqlite");
    reads = 0;
}

static void test_each_read_fails(void **state)
{
    unsigned failed = 0;
    fill();
    copy("events.sqlite", "full");
    reads = 0;
    assert_int_equal(empty(), 0);
    unsigned all = reads;
    assert_true(all > 50);
    for (fail_at = 1; fail_at <= all; fail_at++) {
        restore();
        failed += empty() > 0;
    }
    assert_true(failed > 10); /* SQLite reads some bytes that it does not need */
    failed = 0;
    for (fail_at = 1; fail_at <= all; fail_at += 1 + all / 20) { /* some, and a later one, too */
        again = 1 + fail_at % 40;
        restore();
        failed += empty() > 1;
    }
    assert_true(failed > 3);
}

static int end(void **state)
{
    end_memory();
    return ps_test_folder_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_read_fails, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
