/* What a log of many segments reports while its state cannot be written, and how many descriptors it has open. */
#include "tests/stages/lib/queue/segment/lossy_log.h"

static struct ps_segment_log *lg;

static void open_log(bool direct)
{
    lossy_init(&disk);
    disk.direct = direct;
    lg = lossy_log_open((struct ps_segment_options){.directories.count = 1, .segment_bytes = 4096});
}

static void append(uint32_t length)
{
    static const char payload[1000];
    struct ps_segment_place place;
    lossy_log_append(lg, payload, length, &place);
}

static void deliver_all(void)
{
    struct ps_segment_place place;
    while (ps_segment_log_feed(lg, &place, NULL) == PS_SEGMENT_FED)
        ps_segment_log_take(lg, &place);
}

/* Delivered segments stay because the state cannot be written: each time that this begins it is reported once. */
static void test_state_cannot_be_written(void **state)
{
    open_log(false);
    for (unsigned outages = 1; outages <= 2; outages++) {
        while (lg->count < 3) {
            append(1000);
            lossy_log_sync(lg);
        }
        deliver_all();
        for (unsigned tries = 0; tries < 3; tries++) {
            append(10);
            strcpy(disk.unwritable, "/state/state");
            lossy_log_sync(lg);
            assert_int_equal(report_count, outages);
            assert_non_null(strstr(reports[outages - 1], "delivered segments stay on the disk for now: "));
        }
        disk.unwritable[0] = '\0';
        lossy_log_sync(lg);
        assert_in_range(lg->count, 1, 2);
    }
    assert_int_equal(report_count, 2);
    ps_segment_log_close(lg);
    lossy_fini(&disk);
}

/* A file of a segment is open as long as the log needs it, and no longer. */
static void test_handles_are_closed(void **state)
{
    for (unsigned direct = 0; direct < 2; direct++) {
        open_log(direct == 1);
        for (unsigned i = 0; i < 30; i++) {
            append(1000);
            lossy_log_sync(lg);
            deliver_all();
        }
        assert_in_range(disk.handles, 1, 6);
        ps_segment_log_close(lg);
        assert_int_equal(disk.handles, 0);
        lossy_fini(&disk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_cannot_be_written),
        cmocka_unit_test(test_handles_are_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
