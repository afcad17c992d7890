/* The survey of a log: every promised frame once, no void or unpromised frame, and each damaged place with the frames that
 * were lost there. tests/commands/channel/channel_test.c changes every byte. */
#include "stages/lib/queue/segment/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/support.h"

static struct ps_segment_files disk; /* the machine's, but sync can fail */
static bool sync_fails;
static char numbers[256], damages[512];
static uint64_t segment_bytes = 1024;
static unsigned damage_count, segment_count, lost_count, unsure_count, delivered_count;

static int sync_or_fail(void *argument, int fd)
{
    if (!sync_fails)
        return ps_segment_disk.sync(argument, fd);
    errno = EIO;
    return -1;
}

static struct ps_segment_log *open_log(const struct ps_segment_files *files)
{
    static const char *directories[1];
    struct ps_err err = {0};
    directories[0] = ps_test_folder();
    struct ps_segment_options options = {.directories = {1, directories},
                                         .state_directory = ps_test_folder(),
                                         .segment_bytes = segment_bytes,
                                         .files = files};
    struct ps_segment_log *log = ps_segment_log_open(&options, &err);
    if (log == NULL)
        fail_msg("%s", err.text);
    return log;
}

static void append(struct ps_segment_log *log, unsigned number, enum ps_status synced)
{
    struct ps_segment_place place;
    struct ps_err err = {0};
    char payload[200];
    memset(payload, (int)number, sizeof payload);
    assert_int_equal(ps_segment_log_append(log, payload, sizeof payload, 1, 1, &place, &err), PS_OK);
    assert_int_equal(place.number, number);
    assert_int_equal(ps_segment_log_sync(log, &err), synced);
}

static const char *frame_seen(void *argument, const struct ps_survey_frame *frame)
{
    snprintf(numbers + strlen(numbers), sizeof numbers - strlen(numbers), "%s%llu%s", numbers[0] ? " " : "",
             (unsigned long long)frame->frame.number, frame->delivered ? "d" : "");
    delivered_count += frame->delivered;
    if (frame->payload != NULL)
        assert_int_equal(frame->payload[0], (char)frame->frame.number);
    return NULL;
}

static void damage_seen(void *argument, const struct ps_survey_damage *damage)
{
    damage_count += damage->unfinished ? 0 : 1;
    lost_count += damage->first > 0 ? (unsigned)(damage->last - damage->first + 1) : 0;
    unsure_count += damage->unsure ? 1 : 0;
    snprintf(damages, sizeof damages, "%llu at %llu: %s", (unsigned long long)damage->segment,
             (unsigned long long)damage->offset, damage->reason);
}

static void segment_seen(void *argument, const struct ps_survey_segment *segment)
{
    segment_count++;
}

static void survey(bool heads_only)
{
    const struct ps_survey_visitor visitor = {
        .frame = frame_seen, .damage = damage_seen, .segment = segment_seen, .heads_only = heads_only};
    struct ps_segment_log *log = open_log(&ps_segment_disk_read_only);
    numbers[0] = damages[0] = 0;
    damage_count = segment_count = lost_count = unsure_count = delivered_count = 0;
    ps_segment_survey(log, &visitor);
    ps_segment_log_close(log);
}

static void take(struct ps_segment_log *log, uint64_t number)
{
    struct ps_segment_place place;
    do {
        assert_true(ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED);
    } while (place.number != number);
    ps_segment_log_take(log, &place);
}

static void test_frames_in_order(void **state)
{
    disk = ps_segment_disk;
    struct ps_segment_log *log = open_log(&disk);
    for (unsigned number = 1; number <= 7; number++)
        append(log, number, PS_OK);
    take(log, 3);
    ps_segment_log_close(log);
    survey(false);
    assert_string_equal(numbers, "1 2 3d 4 5 6 7");
    assert_int_equal(damage_count, 0);
    assert_int_equal(segment_count, 3);
    survey(true);
    assert_string_equal(numbers, "1 2 3d 4 5 6 7");
}

/* A sync failed: the frames of that sync are void, and were written again. */
static void test_void_frames_are_not_of_the_log(void **state)
{
    struct ps_err err = {0};
    disk = ps_segment_disk;
    disk.sync = sync_or_fail;
    struct ps_segment_log *log = open_log(&disk);
    append(log, 1, PS_OK);
    sync_fails = true;
    append(log, 2, PS_FAIL);
    sync_fails = false;
    assert_int_equal(ps_segment_log_renew(log, &err), PS_OK);
    append(log, 2, PS_OK);
    append(log, 3, PS_OK);
    ps_segment_log_close(log);
    survey(false);
    assert_string_equal(numbers, "1 2 3");
    assert_int_equal(damage_count, 0);
    assert_string_equal(damages, "");
}

static void test_missing_segment_is_named(void **state)
{
    struct ps_segment_log *log = open_log(&ps_segment_disk);
    for (unsigned number = 1; number <= 10; number++)
        append(log, number, PS_OK);
    ps_segment_log_close(log);
    assert_int_equal(remove(ps_test_folder_path("000000000002.segment")), 0);
    survey(false);
    assert_int_equal(damage_count, 1);
    assert_int_equal(lost_count, 3);
    assert_string_equal(numbers, "1 2 3 7 8 9 10");
    assert_string_equal(damages,
                        "2 at 0: the file is missing, although the channel had acknowledged frames in it");
}

/* A frame that is not delivered keeps its own segment only: segments delivered after it are removed, which does not
 * count as damage. The segment of frame 4 has no end, as after a kill. */
static void test_delivered_segments_behind_an_open_frame_go(void **state)
{
    struct ps_segment_place places[15];
    struct ps_err err = {0};
    struct ps_segment_log *log = open_log(&ps_segment_disk);
    for (unsigned number = 1; number <= 4; number++)
        append(log, number, PS_OK);
    ps_segment_log_close(log);
    log = open_log(&ps_segment_disk);
    for (unsigned number = 5; number <= 14; number++)
        append(log, number, PS_OK);
    for (unsigned number = 1; number <= 14; number++) {
        assert_true(ps_segment_log_feed(log, &places[number], NULL) == PS_SEGMENT_FED);
        assert_int_equal(places[number].number, number);
    }
    for (unsigned number = 13; number > 0; number--) { /* newest first */
        if (number != 4)
            ps_segment_log_take(log, &places[number]);
    }
    assert_int_equal(ps_segment_log_sync(log, &err), PS_OK);
    for (unsigned segment = 1; segment <= 6; segment++) {
        char name[32];
        snprintf(name, sizeof name, "%012u.segment", segment);
        assert_int_equal(access(ps_test_folder_path(name), F_OK), segment == 2 || segment == 6 ? 0 : -1);
    }
    append(log, 15, PS_OK);
    ps_segment_log_close(log);
    survey(false);
    assert_string_equal(numbers, "4 14 15");
    assert_string_equal(damages, "");
    log = open_log(&ps_segment_disk);
    for (unsigned number = 4; number <= 15; number += number == 4 ? 10 : 1) {
        assert_true(ps_segment_log_feed(log, &places[0], NULL) == PS_SEGMENT_FED);
        assert_int_equal(places[0].number, number);
        ps_segment_log_take(log, &places[0]);
    }
    struct ps_segment_fill fill;
    ps_segment_log_fill(log, &fill);
    assert_int_equal(fill.events, 0);
    assert_int_equal(fill.frames_lost, 0);
    assert_int_equal(ps_segment_log_sync(log, &err), PS_OK);
    ps_segment_log_close(log);
}

/* The last segment has a damaged head: no later number shows that its frames are missing, so the damage itself must say it. */
static void test_last_head_is_damaged(void **state)
{
    disk = ps_segment_disk;
    struct ps_segment_log *log = open_log(&disk);
    for (unsigned number = 1; number <= 7; number++)
        append(log, number, PS_OK);
    ps_segment_log_close(log);
    survey(false);
    assert_int_equal(unsure_count, 0);
    int fd = open(ps_test_folder_path("000000000003.segment"), O_RDWR);
    assert_int_equal(pwrite(fd, "x", 1, 0), 1);
    close(fd);
    survey(false);
    assert_int_equal(unsure_count, 1);
}

/* Reading the heads does not check the payloads. */
static void test_payloads_are_read(void **state)
{
    struct ps_segment_log *log = open_log(&ps_segment_disk);
    append(log, 1, PS_OK);
    append(log, 2, PS_OK);
    ps_segment_log_close(log);
    int fd = open(ps_test_folder_path("000000000001.segment"), O_RDWR);
    assert_int_equal(pwrite(fd, "x", 1, PS_SEGMENT_HEAD_BYTES + PS_FRAME_HEAD_BYTES + 20), 1);
    close(fd);
    survey(true);
    assert_string_equal(numbers, "1 2");
    assert_int_equal(damage_count, 0);
    survey(false);
    assert_string_equal(numbers, "2");
    assert_string_equal(damages, "1 at 64: the payload of the frame has a wrong checksum");
    assert_int_equal(lost_count, 1);
}

/* A survey neither makes nor changes a file. */
static void test_looking_changes_nothing(void **state)
{
    struct stat before, after;
    survey(false);
    assert_int_not_equal(access(ps_test_folder_path("state"), F_OK), 0);
    struct ps_segment_log *log = open_log(&ps_segment_disk);
    append(log, 1, PS_OK);
    ps_segment_log_close(log);
    assert_int_equal(remove(ps_test_folder_path("state")), 0);
    assert_int_equal(stat(ps_test_folder_path("000000000001.segment"), &before), 0);
    survey(false);
    assert_string_equal(numbers, "1");
    assert_int_not_equal(access(ps_test_folder_path("state"), F_OK), 0);
    assert_int_equal(stat(ps_test_folder_path("000000000001.segment"), &after), 0);
    assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
}

static void append_bytes(struct ps_segment_log *log, unsigned number, uint32_t length)
{
    static char payload[300000];
    struct ps_segment_place place;
    struct ps_err err = {0};
    payload[0] = (char)number;
    assert_int_equal(ps_segment_log_append(log, payload, length, 1, 1, &place, &err), PS_OK);
    assert_int_equal(place.number, number);
}

/* The state has no room for all ranges. One of the others was delivered in parts, of which the state's segment has only the last one: the
 * survey knows all of it. */
static void test_more_ranges_than_a_state_has_room_for(void **state)
{
    const unsigned ranges = PS_STATE_RANGES_MAX + 5, first = 2 * ranges + 2, last = first + 8;
    struct ps_err err = {0};
    struct ps_segment_place places[2 * (PS_STATE_RANGES_MAX + 5) + 12];
    segment_bytes = 400000;
    struct ps_segment_log *log = open_log(&ps_segment_disk);
    for (unsigned number = 1; number <= last + 1; number++)
        append_bytes(log, number, 1);
    assert_int_equal(ps_segment_log_sync(log, &err), PS_OK);
    for (unsigned number = 1; number <= last; number++) {
        assert_true(ps_segment_log_feed(log, &places[number], NULL) == PS_SEGMENT_FED);
        if (number > first || (number < first && number > 12 && number % 2 == 0))
            ps_segment_log_take(log, &places[number]);
    }
    assert_int_equal(ps_segment_log_sync(log, &err), PS_OK);
    append_bytes(log, last + 2, 200000); /* begins another segment */
    assert_int_equal(ps_segment_log_sync(log, &err), PS_OK);
    ps_segment_log_take(log, &places[first]);
    for (unsigned number = 2; number <= 12; number += 2)
        ps_segment_log_take(log, &places[number]);
    assert_int_equal(ps_segment_log_sync(log, &err), PS_OK);
    ps_segment_log_close(log);
    survey(true);
    segment_bytes = 1024;
    assert_int_equal(segment_count, 2);
    assert_int_equal(damage_count, 0);
    assert_int_equal(delivered_count, ranges + last - first + 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_frames_in_order),
        TEST(test_void_frames_are_not_of_the_log),
        TEST(test_missing_segment_is_named),
        TEST(test_payloads_are_read),
        TEST(test_last_head_is_damaged),
        TEST(test_looking_changes_nothing),
        TEST(test_delivered_segments_behind_an_open_frame_go),
        TEST(test_more_ranges_than_a_state_has_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
