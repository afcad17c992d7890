/* What a log of many segments reports while its state cannot be written, and how many descriptors it has open. */
#include "stages/lib/queue/segment/log_internal.h"

#include <stdio.h>

#include "tests/support/lossy_files.h"
#include "tests/support/support.h"

static struct lossy_disk disk;
static struct ps_segment_files files;
static struct ps_segment_log *lg;
static char reports[16][512];
static unsigned report_count;

static void note(void *argument, const char *text)
{
    if (report_count < PS_COUNT_OF(reports))
        snprintf(reports[report_count], sizeof reports[0], "%s", text);
    report_count++;
}

static void open_log(bool direct)
{
    static const char *const directories[] = {"/a"};
    const struct ps_segment_options options = {.directories = {1, directories},
                                               .state_directory = "/state",
                                               .segment_bytes = 4096,
                                               .files = &files,
                                               .report = note};
    struct ps_err err = {0};
    lossy_init(&disk);
    disk.direct = direct;
    files = lossy_files(&disk);
    report_count = 0;
    lg = ps_segment_log_open(&options, &err);
    if (lg == NULL)
        fail_msg("%s", err.text);
}

static void sync_log(void)
{
    struct ps_err err = {0};
    assert_int_equal(ps_segment_log_sync(lg, &err), PS_OK);
}

static void append(uint32_t length)
{
    static const char payload[1000];
    struct ps_segment_place place;
    struct ps_err err = {0};
    assert_int_equal(ps_segment_log_append(lg, payload, length, 1, length, &place, &err), PS_OK);
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
            sync_log();
        }
        deliver_all();
        for (unsigned tries = 0; tries < 3; tries++) {
            append(10);
            strcpy(disk.unwritable, "/state/state");
            sync_log();
            assert_int_equal(report_count, outages);
            assert_non_null(strstr(reports[outages - 1], "delivered segments stay on the disk for now: "));
        }
        disk.unwritable[0] = '\0';
        sync_log();
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
            sync_log();
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
