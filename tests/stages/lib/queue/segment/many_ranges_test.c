/* A log of which more ranges were delivered than a state has room for, while the disk fails or is full. */
#include "tests/stages/lib/queue/segment/lossy_log.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"

#define SEGMENT_BYTES 65536U
#define LONG_BYTES 20000U

static struct ps_segment_log *lg;

static void open_log(void)
{
    lg = lossy_log_open((struct ps_segment_options){.directories.count = 1, .segment_bytes = SEGMENT_BYTES});
}

/* The process dies, and another one opens the log. */
static void reopen(void)
{
    lossy_log_kill(lg);
    lossy_restart(&disk, NULL);
    open_log();
}

static void end_log(void)
{
    lossy_log_kill(lg);
    lossy_fini(&disk);
}

static void append(uint32_t length)
{
    static const char payload[LONG_BYTES];
    struct ps_segment_place place;
    lossy_log_append(lg, payload, length, &place);
}

static struct ps_segment_place feed(uint64_t number)
{
    struct ps_segment_place place;
    assert_int_equal(ps_segment_log_feed(lg, &place, NULL), PS_SEGMENT_FED);
    assert_int_equal(place.number, number);
    return place;
}

static void take(uint64_t number)
{
    struct ps_segment_place place = feed(number);
    ps_segment_log_take(lg, &place);
}

/* Makes a log of which every second frame of 1 .. 2 * ranges was delivered, and synced. Returns the number of the next frame. */
static uint64_t make_ranges(unsigned ranges)
{
    lossy_init(&disk);
    disk.direct = true;
    open_log();
    for (uint64_t number = 1; number <= 2 * (uint64_t)ranges; number++)
        append(3);
    lossy_log_sync(lg);
    for (uint64_t number = 1; number <= 2 * (uint64_t)ranges; number += 2) {
        feed(number);
        take(number + 1);
    }
    lossy_log_sync(lg);
    assert_int_equal(lg->taken.count, ranges);
    return 2 * (uint64_t)ranges + 1;
}

/* The odd frames before `first` wait, and no other frame. */
static void expect_odd(uint64_t first)
{
    struct ps_segment_place place;
    for (uint64_t number = 1; number < first; number += 2)
        feed(number);
    assert_int_equal(ps_segment_log_feed(lg, &place, NULL), PS_SEGMENT_EMPTY);
}

static void append_and_take(uint64_t number, uint32_t length)
{
    append(length);
    lossy_log_sync(lg);
    take(number);
}

/* A delivery is on the disk, but could not be synced, and the next frame is delivered before the log can be renewed: neither comes again. */
static void test_a_delivery_before_the_renewal(void **state)
{
    struct ps_err err = {0};
    uint64_t next = make_ranges(PS_STATE_RANGES_MAX + 5);
    append(10);
    append(10);
    append(10);
    lossy_log_sync(lg);
    take(next);
    lossy_log_sync(lg);
    take(next + 1);
    assert_int_equal(ps_segment_log_write(lg, &err), PS_OK);
    disk.fail_at = disk.changes + 1;
    disk.fail_errno = EIO;
    assert_int_equal(ps_segment_log_sync(lg, &err), PS_FAIL);
    disk.fail_at = 0;
    disk.allocate_max = 1;
    assert_int_equal(ps_segment_log_renew(lg, &err), PS_FAIL);
    disk.allocate_max = 0;
    take(next + 2);
    assert_int_equal(ps_segment_log_renew(lg, &err), PS_OK);
    reopen();
    expect_odd(next);
    end_log();
}

/* The disk is full when the log is renewed, before a state was written: delivered segments go. When there is room, no frame comes again
 * after the process dies. `restarted`: another process opens the log in between. */
static void full_disk(bool restarted)
{
    struct ps_err err = {0};
    struct ps_segment_place place;
    uint64_t next = make_ranges(PS_STATE_RANGES_MAX + 50);
    snprintf(disk.unwritable, sizeof disk.unwritable, "/state/state");
    for (unsigned i = 0; i < 8; i++)
        append_and_take(next + i, LONG_BYTES);
    lossy_log_sync(lg);
    disk.unwritable[0] = '\0';
    disk.allocate_max = 3 * PS_STATE_SLOT_BYTES / 4;
    disk.allocate_errno = EIO;
    assert_int_equal(ps_segment_log_renew(lg, &err), PS_FAIL);
    assert_true(lg->count >= 4); /* another fault: space would not help */
    disk.allocate_errno = ENOSPC;
    if (restarted) {
        reopen();
        disk.allocate_max = 3 * PS_STATE_SLOT_BYTES / 4;
        assert_int_equal(ps_segment_log_append(lg, "", 0, 1, 0, &place, &err), PS_FAIL);
    }
    size_t before = lg->count;
    assert_int_equal(ps_segment_log_renew(lg, &err), PS_FAIL);
    assert_in_range(lg->count, 1, before - 2);
    uint64_t generation = lg->state.generation;
    assert_int_equal(ps_segment_log_renew(lg, &err), PS_FAIL); /* there is nothing more to remove */
    assert_int_equal(lg->state.generation, generation);
    disk.allocate_max = 0;
    assert_int_equal(ps_segment_log_renew(lg, &err), PS_OK);
    reopen();
    assert_int_equal(report_count, 0);
    assert_int_equal(lg->events, PS_STATE_RANGES_MAX + 50);
    expect_odd(next);
    end_log();
}

static void test_full_disk(void **state)
{
    full_disk(false);
    full_disk(true);
}

/* The power goes at any call while a full disk gets space: no waiting frame is lost. */
static void test_power_goes_on_a_full_disk(void **state)
{
    uint64_t random = ps_test_seed() | 1;
    bool whole = false;
    for (unsigned cut = 1; !whole; cut++) {
        struct ps_err err = {0};
        struct ps_segment_place place;
        const unsigned ranges = PS_STATE_RANGES_MAX + 50;
        uint64_t next = make_ranges(ranges), wanted = 1;
        snprintf(disk.unwritable, sizeof disk.unwritable, "/state/state");
        for (unsigned i = 0; i < 8; i++)
            append_and_take(next + i, LONG_BYTES);
        lossy_log_sync(lg);
        disk.unwritable[0] = '\0';
        disk.power_until = disk.changes + cut;
        disk.allocate_max = 3 * PS_STATE_SLOT_BYTES / 4;
        (void)ps_segment_log_renew(lg, &err);
        disk.allocate_max = 0;
        whole = ps_segment_log_renew(lg, &err) == PS_OK &&
                ps_segment_log_append(lg, "", 0, 1, 0, &place, &err) == PS_OK &&
                ps_segment_log_sync(lg, &err) == PS_OK;
        lossy_log_kill(lg);
        lossy_restart(&disk, &random);
        open_log();
        /* a torn frame at the end may be reported */
        for (unsigned i = 0; i < report_count && i < PS_COUNT_OF(reports); i++)
            assert_non_null(strstr(reports[i], "the last frame, at byte "));
        while (ps_segment_log_feed(lg, &place, NULL) == PS_SEGMENT_FED)
            wanted += place.number == wanted ? 2 : 0;
        assert_in_range(wanted, next, next + 9);
        assert_true(!whole || lg->events == ranges + 1);
        end_log();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_delivery_before_the_renewal),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_power_goes_on_a_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
