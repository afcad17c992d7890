/* A COMMIT that fails although it was carried out: its events are promised, all accounts are exact, and each event is fed once, after a
 * second failure too. */
#include <unistd.h>

#include "core/log/log.h"
#include "tests/stages/lib/queue/database/store_support.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_carried_out, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
