/* The last number that a segment can have: that segment is used, no other one comes after it, and nothing is lost. */
#include "tests/stages/lib/queue/segment/lossy_log.h"

#include <stdlib.h>

#define SEGMENT_BYTES 4096U
#define LENGTH 3000U /* each frame gets a segment of its own */

static char *payload, *got;

static struct ps_segment_log *open_log(void)
{
    return lossy_log_open(
        (struct ps_segment_options){.directories.count = 1, .segment_bytes = SEGMENT_BYTES});
}

/* Frames from `first` to `last` come, and no other. */
static void expect_frames(struct ps_segment_log *log, uint64_t first, uint64_t last)
{
    struct ps_segment_place place;
    for (uint64_t number = first; number <= last; number++) {
        assert_int_equal(ps_segment_log_feed(log, &place, NULL), PS_SEGMENT_FED);
        assert_int_equal(place.number, number);
        lossy_log_payload(payload, number, LENGTH);
        assert_int_equal(lossy_log_load(&place, got, NULL), PS_SEGMENT_READ_WHOLE);
        assert_memory_equal(got, payload, LENGTH);
    }
    assert_int_equal(ps_segment_log_feed(log, &place, NULL), PS_SEGMENT_EMPTY);
}

static void test_last_number(void **state)
{
    struct ps_segment_place place;
    struct ps_err err = {0};
    lossy_init(&disk);
    struct ps_segment_log *log = open_log();
    log->last_name = PS_SEGMENT_NUMBER_MAX - 2;
    for (uint64_t number = 1; number <= 2; number++) {
        lossy_log_payload(payload, number, LENGTH);
        lossy_log_append(log, payload, LENGTH, &place);
        lossy_log_sync(log);
    }
    assert_int_equal(place.segment, PS_SEGMENT_NUMBER_MAX);
    for (unsigned opened = 0; opened < 2; opened++) {
        for (unsigned i = 0; i < 3; i++) {
            err.length = 0;
            assert_int_equal(ps_segment_log_append(log, payload, LENGTH, 1, LENGTH, &place, &err), PS_FAIL);
            assert_non_null(strstr(err.text, "999999999999999999.segment"));
        }
        expect_frames(log, 1, 2);
        lossy_log_kill(log);
        lossy_restart(&disk, NULL);
        log = open_log();
    }
    expect_frames(log, 1, 2);
    lossy_log_kill(log);
    lossy_fini(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_last_number)};
    payload = malloc(LENGTH);
    got = malloc(LENGTH);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(payload);
    free(got);
    return failed;
}
