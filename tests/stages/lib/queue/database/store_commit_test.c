/* A COMMIT that fails although it was carried out, and one that fails and was not: an event is promised if and only if
 * it is there, all accounts are exact, and each event is fed once, after a second failure too. */
#include <sqlite3.h>
#include <unistd.h>

#include "core/log/log.h"
#include "tests/stages/lib/queue/database/store_support.h"
#include "tests/support/system_calls.h"

static struct ps_err err;
static unsigned next;          /* the number of the next event that is appended */
static unsigned taken;         /* number of the next event that is fed */
static uint64_t promised;      /* frames promised since the opening */
static uint64_t events, bytes; /* promised and not taken */
static uint64_t lost;          /* databases lost since the opening */

static void expect_accounts(void)
{
    struct ps_segment_fill fill;
    ps_database_store.fill(store, &fill);
    assert_int_equal(fill.events, events);
    assert_int_equal(fill.bytes, bytes);
    assert_int_equal(fill.frames_lost, lost);
    assert_int_equal(ps_database_store.promised(store), promised);
}

static void promise(unsigned count)
{
    uint64_t more = append(next, count);
    assert_true(more > 0);
    assert_int_equal(ps_database_store.sync(store, &err), PS_OK);
    next += count;
    promised++;
    events += count;
    bytes += more;
    expect_accounts();
}

/* Feeds a frame and takes it. Returns false if there is none. */
static bool take(void)
{
    struct ps_store_frame frame = {.blocks = &blocks};
    enum ps_store_fed fed = ps_database_store.feed(store, &frame, &err);
    if (fed != PS_STORE_FED)
        assert_int_equal(fed, PS_STORE_EMPTY);
    if (fed != PS_STORE_FED)
        return false;
    taken = look_at(&frame, taken);
    ps_database_store.release(&frame);
    ps_database_store.take(store, &frame);
    events -= frame.count;
    bytes -= frame.bytes;
    expect_accounts();
    return true;
}

static void take_all(void)
{
    while (take()) {
    }
    assert_int_equal(taken, next);
    assert_int_equal(events, 0);
}

static void begin_store(void)
{
    begin_memory();
    long_every = 10; /* a frame has fewer events than are read at once */
    next = taken = 0;
    promised = events = bytes = lost = 0;
    uint64_t errors = ps_log_count(PS_LOG_ERROR);
    if (!open_store(&err))
        fail_msg("%s", err.text);
    assert_int_equal(ps_log_count(PS_LOG_ERROR), errors);
}

/* Opening the store again finds no loss, and no event that was taken. */
static void end_store(void)
{
    uint64_t errors = ps_log_count(PS_LOG_ERROR);
    for (unsigned round = 0; round < 2; round++) {
        take_all();
        assert_int_equal(ps_database_store.sync(store, &err), PS_OK);
        ps_database_store.close(store);
        if (!open_store(&err))
            fail_msg("%s", err.text);
        promised = 0;
        expect_accounts();
        promise(1 + round); /* the second opening finds all that the first one promised */
    }
    ps_database_store.close(store);
    if (!open_store(&err))
        fail_msg("%s", err.text);
    promised = 0;
    expect_accounts();
    assert_int_equal(ps_log_count(PS_LOG_ERROR), errors);
    take_all();
    ps_database_store.close(store);
    end_memory();
}

/* The database has another name while it is committed, and then its own again. */
static void test_carried_out(void **state)
{
    char aside[600];
    snprintf(aside, sizeof aside, "%s", ps_test_folder_path("aside"));
    begin_store();
    for (unsigned round = 0; round < 3; round++) {
        promise(400); /* of several frames, as they are fed */
        promise(400);
        assert_true(take());
        uint64_t more = append(next, 45) + append(next + 45, 40);
        assert_int_equal(rename(settings.database.path, aside), 0);
        assert_int_equal(ps_database_store.sync(store, &err), PS_FAIL);
        expect_accounts();
        assert_false(take()); /* a store whose file is gone feeds nothing */
        assert_int_equal(rename(aside, settings.database.path), 0);
        assert_int_equal(ps_database_store.renew(store, &err), PS_OK);
        next += 85;
        promised += 2;
        events += 85;
        bytes += more;
        expect_accounts();
        if (round > 0)
            take_all();
    }
    end_store();
}

/* ---- a disk that cannot be written ---- */

static sqlite3_vfs failing;
static sqlite3_vfs *machine;
static const sqlite3_io_methods *kinds[4];
static sqlite3_io_methods methods[4];
static int (*machine_write)(sqlite3_file *file, const void *from, int length, sqlite3_int64 offset);
static bool is_full, cannot_open;

static int write_or_fail(sqlite3_file *file, const void *from, int length, sqlite3_int64 offset)
{
    return is_full ? SQLITE_FULL : machine_write(file, from, length, offset);
}

static int open_failing(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    int code = cannot_open ? SQLITE_CANTOPEN : machine->xOpen(machine, name, file, flags, out);
    if (code != SQLITE_OK || file->pMethods == NULL)
        return code;
    unsigned kind = 0;
    while (kinds[kind] != NULL && kinds[kind] != file->pMethods)
        assert_true(++kind < PS_COUNT_OF(kinds));
    machine_write = file->pMethods->xWrite;
    kinds[kind] = file->pMethods;
    methods[kind] = *file->pMethods;
    methods[kind].xWrite = write_or_fail;
    file->pMethods = &methods[kind];
    return SQLITE_OK;
}

static void begin_full_disk(void)
{
    machine = sqlite3_vfs_find(NULL);
    failing = *machine;
    failing.zName = "full";
    failing.xOpen = open_failing;
    failing.pNext = NULL;
    assert_int_equal(sqlite3_vfs_register(&failing, 1), SQLITE_OK);
}

/* The file is removed, or another one has its name, after a renewal that could not connect: the next renewal that connects
 * reports it, and begins a new store. Events delivered from the old one are not removed from the new one. */
static void test_replaced_out_of_reach(void **state)
{
    begin_full_disk();
    begin_store();
    for (unsigned round = 0; round < 2; round++) {
        promise(400);
        take_all();
        promise(40);
        is_full = true;
        assert_true(append(next, 45) > 0);
        assert_int_equal(ps_database_store.sync(store, &err), PS_FAIL);
        cannot_open = true;
        assert_int_equal(ps_database_store.renew(store, &err), PS_FAIL);
        assert_int_equal(unlink(settings.database.path), 0);
        if (round > 0) /* round 1: an empty file, which is a new database */
            fclose(fopen(settings.database.path, "w"));
        assert_int_equal(ps_database_store.renew(store, &err), PS_FAIL);
        is_full = cannot_open = false;
        uint64_t errors = ps_log_count(PS_LOG_ERROR);
        assert_int_equal(ps_database_store.renew(store, &err), PS_OK);
        assert_int_equal(ps_log_count(PS_LOG_ERROR), errors + 1);
        lost++;
        events = bytes = 0;
        taken = next;
        expect_accounts();
        promise(60);
        take_all();
    }
    lost = 0; /* counted from the opening */
    assert_int_equal(ps_database_store.sync(store, &err), PS_OK);
    ps_database_store.close(store);
    if (!open_store(&err))
        fail_msg("%s", err.text);
    promised = 0;
    end_store();
    sqlite3_vfs_unregister(&failing);
}

/* The backlog is fed while the disk is full; frames that could not be committed are appended again. */
static void test_not_carried_out(void **state)
{
    begin_full_disk();
    begin_store();
    for (unsigned round = 0; round < 3; round++) {
        promise(400); /* of several frames, as they are fed */
        promise(400);
        assert_true(take());
        is_full = true;
        assert_true(append(next, 45) > 0);
        assert_int_equal(ps_database_store.sync(store, &err), PS_FAIL);
        expect_accounts();
        assert_true(take());
        cannot_open = true;
        assert_int_equal(ps_database_store.renew(store, &err), PS_FAIL);
        expect_accounts();
        assert_false(take());
        is_full = cannot_open = false;
        assert_int_equal(ps_database_store.renew(store, &err), PS_OK);
        expect_accounts();
        promise(45);
        assert_true(take());
        if (round > 0)
            take_all();
    }
    end_store();
    sqlite3_vfs_unregister(&failing);
}

/* The disk is full, and more was delivered than one transaction removes: all of it is removed, and nothing else. */
static void test_much_was_delivered(void **state)
{
    begin_full_disk();
    begin_store();
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 5; i++)
            promise(400);
        for (unsigned i = 0; i < 19; i++)
            assert_true(take());
        is_full = true;
        (void)append(next, 45);
        assert_int_equal(ps_database_store.sync(store, &err), PS_FAIL);
        is_full = false;
        assert_int_equal(ps_database_store.renew(store, &err), PS_OK);
        expect_accounts();
        ps_database_store.close(store);
        if (!open_store(&err))
            fail_msg("%s", err.text);
        promised = 0;
        expect_accounts();
    }
    end_store();
    sqlite3_vfs_unregister(&failing);
}

/* For a moment stat() of the file fails: afterwards the database is the same one, and nothing comes again. */
static void test_a_name_that_cannot_be_looked_at(void **state)
{
    static const int errors[] = {EACCES, EIO, ENOMEM};
    begin_full_disk();
    begin_store();
    for (unsigned round = 0; round < PS_COUNT_OF(errors); round++) {
        promise(400);
        promise(400);
        assert_true(take());
        is_full = true;
        (void)append(next, 45);
        assert_int_equal(ps_database_store.sync(store, &err), PS_FAIL);
        is_full = false;
        ps_test_call_broken = "stat";
        ps_test_call_error = errors[round];
        assert_int_equal(ps_database_store.renew(store, &err), PS_FAIL);
        ps_test_call_broken = NULL;
        assert_int_equal(ps_database_store.renew(store, &err), PS_OK);
        expect_accounts();
        assert_true(take());
    }
    end_store();
    sqlite3_vfs_unregister(&failing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_name_that_cannot_be_looked_at, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_carried_out, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_much_was_delivered, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_not_carried_out, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_replaced_out_of_reach, ps_test_folder_setup,
                                        ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
