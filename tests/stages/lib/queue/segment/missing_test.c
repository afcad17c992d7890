/* Files of a log that are missing, empty or truncated when it is opened again, after a kill or a stop: each is
 * named, at the start and by a survey, and its frames are counted as lost. The states that a crash may leave
 * are not damage. */
#include "stages/lib/queue/segment/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/support.h"

#define SEGMENT_BYTES 1024U /* three frames of 200 bytes */

static struct ps_segment_files disk; /* the machine's calls, until the process is killed */
static bool dead;
static char reports[2048], damages[2048];
static const char *directories[1], *state_directory;

static ssize_t write_alive(void *argument, int fd, const void *from, size_t length, uint64_t offset)
{
    errno = EIO;
    return dead ? -1 : ps_segment_disk.write(argument, fd, from, length, offset);
}

static int remove_alive(void *argument, const char *path)
{
    return dead ? 0 : ps_segment_disk.remove(argument, path);
}

static void note(void *argument, const char *text)
{
    size_t length = strlen(reports);
    snprintf(reports + length, sizeof reports - length, "%s\n", text);
}

static int set_up(void **state)
{
    assert_int_equal(ps_test_folder_setup(state), 0);
    static char data[512], checkpoint[512];
    snprintf(data, sizeof data, "%s/data", ps_test_folder());
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", ps_test_folder());
    directories[0] = data;
    state_directory = checkpoint;
    assert_int_equal(mkdir(data, 0750), 0);
    assert_int_equal(mkdir(checkpoint, 0750), 0);
    disk = ps_segment_disk;
    disk.write = write_alive;
    disk.remove = remove_alive;
    disk.open_direct = NULL;
    dead = false;
    return 0;
}

static struct ps_segment_log *try_open(const struct ps_segment_files *files, struct ps_err *err)
{
    struct ps_segment_options options = {.directories = {1, directories},
                                         .state_directory = state_directory,
                                         .segment_bytes = SEGMENT_BYTES,
                                         .files = files,
                                         .report = note};
    reports[0] = '\0';
    return ps_segment_log_open(&options, err);
}

static struct ps_segment_log *open_log(const struct ps_segment_files *files)
{
    struct ps_err err = {0};
    struct ps_segment_log *log = try_open(files, &err);
    if (log == NULL)
        fail_msg("%s", err.text);
    return log;
}

static void append(struct ps_segment_log *log, unsigned first, unsigned last, bool synced)
{
    struct ps_segment_place place;
    struct ps_err err = {0};
    char payload[200];
    for (unsigned number = first; number <= last; number++) {
        memset(payload, (int)number, sizeof payload);
        assert_int_equal(ps_segment_log_append(log, payload, sizeof payload, 1, 1, &place, &err), PS_OK);
        assert_int_equal(place.number, number);
        if (synced)
            assert_int_equal(ps_segment_log_sync(log, &err), PS_OK);
    }
}

/* The process is killed: nothing more is written. */
static void kill_log(struct ps_segment_log *log)
{
    dead = true;
    ps_segment_log_close(log);
    dead = false;
}

/* Makes a log with frames 1 .. last, in segments of three. */
static void make_log(unsigned last, bool killed)
{
    struct ps_segment_log *log = open_log(&disk);
    append(log, 1, last, true);
    if (killed)
        kill_log(log);
    else
        ps_segment_log_close(log);
}

static const char *segment_path(unsigned number)
{
    char name[64];
    snprintf(name, sizeof name, "data/%012u.segment", number);
    return ps_test_folder_path(name);
}

static const char *no_wrong(void *argument, const struct ps_survey_frame *frame)
{
    return NULL;
}

static void damage_seen(void *argument, const struct ps_survey_damage *damage)
{
    unsigned *count = argument;
    size_t length = strlen(damages);
    *count += damage->unfinished ? 0 : 1;
    snprintf(damages + length, sizeof damages - length, "%llu: %llu to %llu, %s\n",
             (unsigned long long)damage->segment, (unsigned long long)damage->first,
             (unsigned long long)damage->last, damage->reason);
}

static void segment_seen(void *argument, const struct ps_survey_segment *segment)
{
}

/* Returns how many places are damaged, as `penstock channel verify` would. */
static unsigned survey(void)
{
    unsigned count = 0;
    const struct ps_survey_visitor visitor = {
        .argument = &count, .frame = no_wrong, .damage = damage_seen, .segment = segment_seen};
    damages[0] = '\0';
    struct ps_segment_log *log = open_log(&ps_segment_disk_read_only);
    ps_segment_survey(log, &visitor);
    ps_segment_log_close(log);
    return count;
}

/* Asserts that the survey and the start each report the segment once. If last > 0, the frames `first` to `last` are
 * lost. The log delivers the frames whose numbers are in `left` (ended by 0), and accepts more. */
static void expect_missed(unsigned segment, const char *words, unsigned first, unsigned last,
                          const unsigned *left)
{
    char named[128], frames[128];
    struct ps_segment_place place;
    struct ps_segment_fill fill;
    assert_int_equal(survey(), 1);
    snprintf(frames, sizeof frames, "%u: %u to %u, ", segment, first, last);
    if (strncmp(damages, frames, strlen(frames)) != 0 || strstr(damages, words) == NULL)
        fail_msg("not \"%s .. %s\": %s", frames, words, damages);
    struct ps_segment_log *log = open_log(&disk);
    snprintf(named, sizeof named, "%s: ", segment_path(segment));
    snprintf(frames, sizeof frames,
             first == last ? "1 frame, %u to %u, is lost" : "frames, %u to %u, are lost", first, last);
    if (strncmp(reports, named, strlen(named)) != 0 || strstr(reports, words) == NULL ||
        (last > 0 && strstr(reports, frames) == NULL) ||
        strchr(reports, '\n') != reports + strlen(reports) - 1)
        fail_msg("not \"%s%s\", %s: %s", named, words, frames, reports);
    ps_segment_log_fill(log, &fill);
    assert_true(fill.frames_lost >= (last > 0 ? last - first + 1 : 1));
    for (; *left != 0; left++) {
        assert_true(ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED);
        assert_int_equal(place.number, *left);
    }
    assert_false(ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED);
    append(log, (unsigned)ps_segment_log_promised(log) + 1, (unsigned)ps_segment_log_promised(log) + 2, true);
    ps_segment_log_close(log);
    log = open_log(&disk);
    assert_string_equal(reports, "");
    ps_segment_log_close(log);
}

#define LEFT(...) ((const unsigned[]){__VA_ARGS__, 0})

/* ---- the newest segment ---- */

/* The state that was written with its first sync knows of frame 7; 8 was promised later. */
static void test_newest_gone_after_a_kill(void **state)
{
    make_log(8, true);
    assert_int_equal(unlink(segment_path(3)), 0);
    expect_missed(3, "the file is missing", 7, 7, LEFT(1, 2, 3, 4, 5, 6));
}

/* The state was removed, and written anew while the newest segment was empty: it is written again with the first frame there. */
static void test_newest_gone_that_was_empty(void **state)
{
    struct ps_err err = {0};
    make_log(6, false);
    struct ps_segment_log *log = open_log(&disk);
    assert_int_equal(ps_segment_log_renew(log, &err), PS_OK); /* begins segment 3 */
    assert_int_equal(unlink(ps_test_folder_path("checkpoint/state")), 0);
    assert_int_equal(ps_segment_log_sync(log, &err), PS_OK);
    append(log, 7, 8, true);
    kill_log(log);
    assert_int_equal(unlink(segment_path(3)), 0);
    expect_missed(3, "the file is missing", 7, 7, LEFT(1, 2, 3, 4, 5, 6));
}

static void test_newest_gone_after_a_stop(void **state)
{
    make_log(8, false);
    assert_int_equal(unlink(segment_path(3)), 0);
    expect_missed(3, "the file is missing", 7, 8, LEFT(1, 2, 3, 4, 5, 6));
}

static void test_newest_emptied(void **state)
{
    make_log(8, true);
    assert_int_equal(truncate(segment_path(3), 0), 0);
    expect_missed(3, "its head is zero", 7, 7, LEFT(1, 2, 3, 4, 5, 6));
    assert_int_equal(access(segment_path(3), F_OK), 0); /* nothing is deleted */
}

static void test_newest_with_a_zero_head(void **state)
{
    make_log(8, false);
    static const char zeros[PS_SEGMENT_SEALED_HEAD_BYTES];
    int fd = open(segment_path(3), O_WRONLY);
    assert_int_equal(pwrite(fd, zeros, sizeof zeros, 0), sizeof zeros);
    close(fd);
    expect_missed(3, "its head is zero", 7, 8, LEFT(1, 2, 3, 4, 5, 6));
    assert_int_equal(access(segment_path(3), F_OK), 0);
}

static void test_newest_cut(void **state)
{
    make_log(9, false);
    assert_int_equal(truncate(segment_path(3), 64 + 250), 0); /* within frame 8 */
    struct ps_segment_log *log = open_log(&disk);
    assert_non_null(strstr(
        reports, "000000000003.segment: the file is shorter than when it was created; 2 frames, 8 to 9"));
    ps_segment_log_close(log);
    assert_int_equal(survey(), 1);
}

/* Only frames that the state does not name were cut off; frames that were promised later may have been there. */
static void test_newest_cut_behind_its_frames(void **state)
{
    make_log(7, true);
    assert_int_equal(truncate(segment_path(3), 64 + 248), 0);
    assert_int_equal(survey(), 1);
    assert_string_equal(damages, "3: 0 to 0, the file is shorter than when it was created\n");
    struct ps_segment_log *log = open_log(&disk);
    assert_non_null(
        strstr(reports, "000000000003.segment: the file is shorter than when it was created; the number"));
    append(log, 8, 9, true);
    ps_segment_log_close(log);
}

/* Frame 2 is damaged, and only the deliveries that were recorded after it show that it was promised: no other frame gets its number. */
static void test_last_promised_damaged(void **state)
{
    struct ps_err err = {0};
    struct ps_segment_place place;
    struct ps_segment_fill fill;
    struct ps_segment_log *log = open_log(&disk);
    append(log, 1, 2, true);
    assert_true(ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED);
    ps_segment_log_take(log, &place);
    assert_int_equal(ps_segment_log_write(log, &err), PS_OK);
    kill_log(log);
    int fd = open(segment_path(1), O_WRONLY);
    assert_int_equal(pwrite(fd, "?", 1, 64 + 248 + 100), 1); /* within frame 2 */
    close(fd);
    log = open_log(&disk);
    assert_non_null(strstr(reports, "2 to 2"));
    ps_segment_log_fill(log, &fill);
    assert_int_equal(fill.frames_lost, 1);
    append(log, 3, 4, true);
    ps_segment_log_close(log);
}

/* ---- earlier ones ---- */

static void test_oldest_gone(void **state)
{
    make_log(8, true);
    assert_int_equal(unlink(segment_path(1)), 0);
    expect_missed(1, "the file is missing", 1, 3, LEFT(4, 5, 6, 7, 8));
}

static void test_middle_gone(void **state)
{
    make_log(8, false);
    assert_int_equal(unlink(segment_path(2)), 0);
    expect_missed(2, "the file is missing", 4, 6, LEFT(1, 2, 3, 7, 8));
}

static void test_middle_emptied(void **state)
{
    make_log(8, false);
    assert_int_equal(truncate(segment_path(2), 0), 0);
    struct ps_segment_log *log = open_log(&disk);
    assert_non_null(strstr(reports, "000000000002.segment: its head is zero"));
    ps_segment_log_close(log);
    log = open_log(&disk);
    assert_int_equal(access(segment_path(2), F_OK), 0);
    ps_segment_log_close(log);
}

/* Two faults at once: the remains of the middle segment are not removed, and every frame is counted once. */
static void test_middle_with_a_zero_head_and_newest_gone(void **state)
{
    static const char zeros[PS_SEGMENT_SEALED_HEAD_BYTES];
    make_log(8, false);
    int fd = open(segment_path(2), O_WRONLY);
    assert_int_equal(pwrite(fd, zeros, sizeof zeros, 0), sizeof zeros);
    close(fd);
    assert_int_equal(unlink(segment_path(3)), 0);
    struct ps_segment_fill fill;
    struct ps_segment_log *log = open_log(&disk);
    assert_non_null(strstr(reports, "000000000002.segment: its head is zero"));
    assert_non_null(strstr(reports, "5 frames, 4 to 8, are lost"));
    assert_non_null(strstr(reports, "000000000003.segment: the file is missing"));
    ps_segment_log_fill(log, &fill);
    assert_true(fill.frames_lost >= 5);
    append(log, 9, 10, true);
    ps_segment_log_close(log);
    assert_int_equal(access(segment_path(2), F_OK), 0);
    log = open_log(&disk);
    assert_null(strstr(reports, "are lost"));
    ps_segment_log_close(log);
}

/* A file whose name the log would not give is not part of the log, whatever its contents. */
static void test_copy_of_a_segment_is_skipped(void **state)
{
    make_log(2, false);
    char command[1200];
    snprintf(command, sizeof command, "cp %s %s", segment_path(1), ps_test_folder_path("data/1.segment"));
    assert_int_equal(system(command), 0);
    assert_int_equal(survey(), 0);
    assert_non_null(strstr(reports, "data/1.segment: a segment's name has another form"));
    struct ps_segment_fill fill;
    struct ps_segment_log *log = open_log(&disk);
    ps_segment_log_fill(log, &fill);
    assert_int_equal(fill.events, 2);
    assert_int_equal(fill.frames_lost, 0);
    ps_segment_log_close(log);
}

/* ---- states that are not damage ---- */

/* A segment in which nothing was promised yet may be gone, empty or short after a power cut. */
static void test_unsynced_segments_may_be_anything(void **state)
{
    for (unsigned how = 0; how < 3; how++) {
        struct ps_segment_place place;
        struct ps_segment_log *log = open_log(&disk);
        append(log, 1, 3, true);
        append(log, 4, 4, false); /* in segment 2 */
        kill_log(log);
        assert_int_equal(how == 0 ? unlink(segment_path(2)) : truncate(segment_path(2), how == 1 ? 0 : 64),
                         0);
        assert_int_equal(survey(), 0);
        log = open_log(&disk);
        assert_string_equal(reports, "");
        for (unsigned number = 1; number <= 3; number++)
            assert_true(ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED && place.number == number);
        append(log, 4, 4, true);
        ps_segment_log_close(log);
        ps_test_folder_teardown(state);
        set_up(state);
    }
}

/* Makes a log with frames 1 to 6 whose newest segment, 3, has none, and whose state says so: its offset is 0. */
static void make_log_with_an_unused_segment(void)
{
    struct ps_err err = {0};
    make_log(6, false);
    struct ps_segment_log *log = open_log(&disk);
    assert_int_equal(ps_segment_log_renew(log, &err), PS_OK);
    assert_int_equal(unlink(ps_test_folder_path("checkpoint/state")), 0);
    assert_int_equal(ps_segment_log_sync(log, &err), PS_OK);
    assert_int_equal(access(segment_path(3), F_OK), 0);
    kill_log(log);
}

/* Damage that a crash or a person may do to a segment that was begun. */
enum harm { HARM_NONE, HARM_GONE, HARM_EMPTY, HARM_ZERO_HEAD, HARM_CUT, HARM_LAST };

static void harm_segment(unsigned number, enum harm harm)
{
    static const char zeros[PS_SEGMENT_SEALED_HEAD_BYTES];
    if (harm == HARM_GONE)
        assert_int_equal(unlink(segment_path(number)), 0);
    if (harm == HARM_EMPTY || harm == HARM_CUT)
        assert_int_equal(truncate(segment_path(number), harm == HARM_EMPTY ? 0 : 300), 0);
    if (harm != HARM_ZERO_HEAD)
        return;
    int fd = open(segment_path(number), O_WRONLY);
    assert_int_equal(pwrite(fd, zeros, sizeof zeros, 0), sizeof zeros);
    close(fd);
}

/* Nothing was promised in the newest segment, and the state shows that: no change of this segment counts as damage, at any number
 * of starts, and no other segment is reported instead. */
static void test_unused_segment_may_be_anything(void **state)
{
    for (enum harm harm = HARM_NONE; harm < HARM_LAST; harm++) {
        make_log_with_an_unused_segment();
        harm_segment(3, harm);
        for (unsigned start = 0; start < 2; start++) {
            struct ps_segment_place place;
            struct ps_segment_fill fill;
            assert_int_equal(survey(), 0);
            struct ps_segment_log *log = open_log(&disk);
            assert_string_equal(reports, "");
            ps_segment_log_fill(log, &fill);
            assert_int_equal(fill.frames_lost, 0);
            for (unsigned number = 1; number <= 6 + start; number++)
                assert_true(ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED &&
                            place.number == number);
            append(log, 7 + start, 7 + start, true);
            ps_segment_log_close(log);
        }
        ps_test_folder_teardown(state);
        set_up(state);
    }
}

/* A second run, which began with such a state, writes to a new segment, which the state names as soon as it has a frame. */
static void test_segment_of_the_next_life_counts(void **state)
{
    static const char *const words[HARM_LAST] = {[HARM_GONE] = "the file is missing",
                                                 [HARM_EMPTY] = "its head is zero",
                                                 [HARM_ZERO_HEAD] = "its head is zero"};
    for (enum harm harm = HARM_GONE; harm <= HARM_ZERO_HEAD; harm++) {
        make_log_with_an_unused_segment();
        struct ps_segment_log *log = open_log(&disk);
        append(log, 7, 8, true);
        kill_log(log);
        harm_segment(4, harm);
        expect_missed(4, words[harm], 7, 7, LEFT(1, 2, 3, 4, 5, 6));
        ps_test_folder_teardown(state);
        set_up(state);
    }
}

/* `channel repair` asks which segment the state names: none, as long as nothing was promised in the newest. */
static void test_survey_of_a_state_names_used_segments(void **state)
{
    struct ps_survey_state seen;
    make_log_with_an_unused_segment();
    assert_true(ps_segment_survey_state(state_directory, &seen));
    assert_int_equal(seen.segment, 0);
    struct ps_segment_log *log = open_log(&disk);
    append(log, 7, 7, true);
    ps_segment_log_close(log);
    assert_true(ps_segment_survey_state(state_directory, &seen));
    assert_int_equal(seen.segment, 4); /* each opening of the log begins a new segment */
    assert_int_equal(seen.low, 1);
}

/* Everything was delivered: nothing is lost with the files. */
static void test_delivered_segments_are_not_missed(void **state)
{
    struct ps_segment_place place;
    struct ps_segment_log *log = open_log(&disk);
    append(log, 1, 8, true);
    for (unsigned number = 1; number <= 8; number++) {
        assert_true(ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED);
        ps_segment_log_take(log, &place);
    }
    append(log, 9, 9, true);
    kill_log(log);
    assert_int_equal(survey(), 0);
    log = open_log(&disk);
    assert_string_equal(reports, "");
    ps_segment_log_close(log);
}

/* ---- all of them ---- */

/* An empty directory takes the place of the data, as with a file system that is not mounted. The channel starts empty;
 * when the segments are back, they are refused, not removed. */
static void test_all_gone(void **state)
{
    struct ps_err err = {0};
    char aside[600];
    make_log(8, true);
    snprintf(aside, sizeof aside, "%s", ps_test_folder_path("aside"));
    assert_int_equal(rename(directories[0], aside), 0);
    assert_int_equal(mkdir(directories[0], 0750), 0);
    assert_int_equal(survey(), 1);
    assert_non_null(strstr(damages, "1 to 7, all segments of the log are missing"));
    struct ps_segment_log *log = open_log(&disk);
    assert_non_null(strstr(reports, "data: all segments of the log are missing, although "));
    assert_non_null(strstr(reports, "checkpoint/state says that at least 7 events wait in 7 frames"));
    append(log, 8, 9, true);
    ps_segment_log_close(log);
    log = open_log(&disk);
    assert_string_equal(reports, "");
    ps_segment_log_close(log);
    assert_int_equal(unlink(segment_path(4)), 0);
    assert_int_equal(rmdir(directories[0]), 0);
    assert_int_equal(rename(aside, directories[0]), 0);
    assert_null(try_open(&disk, &err));
    assert_non_null(strstr(err.text, "belongs to another log"));
    for (unsigned number = 1; number <= 3; number++)
        assert_int_equal(access(segment_path(number), F_OK), 0);
}

/* A frame of the last sync is damaged after a kill: no frame tells whether that sync was done. The frames after it are not used, and
 * that is reported. */
static void test_last_sync_damaged_in_its_middle(void **state)
{
    struct ps_err err = {0};
    struct ps_segment_log *log = open_log(&disk);
    append(log, 1, 1, true); /* the state names the segment */
    append(log, 2, 3, false);
    assert_int_equal(ps_segment_log_sync(log, &err), PS_OK);
    kill_log(log);
    int fd = open(segment_path(1), O_RDWR | O_CLOEXEC);
    off_t second = PS_SEGMENT_HEAD_BYTES + (off_t)ps_frame_span(200) + PS_FRAME_HEAD_BYTES;
    assert_int_equal(pwrite(fd, "x", 1, second), 1);
    close(fd);
    log = open_log(&disk);
    assert_int_equal(ps_segment_log_promised(log), 1);
    assert_non_null(strstr(reports, "frame 3, at byte 560, and those after it are not used: frame 2 is not"));
    ps_segment_log_close(log);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_newest_gone_after_a_kill),
        TEST(test_newest_gone_that_was_empty),
        TEST(test_newest_gone_after_a_stop),
        TEST(test_newest_emptied),
        TEST(test_newest_with_a_zero_head),
        TEST(test_middle_with_a_zero_head_and_newest_gone),
        TEST(test_newest_cut),
        TEST(test_newest_cut_behind_its_frames),
        TEST(test_last_promised_damaged),
        TEST(test_last_sync_damaged_in_its_middle),
        TEST(test_oldest_gone),
        TEST(test_middle_gone),
        TEST(test_middle_emptied),
        TEST(test_copy_of_a_segment_is_skipped),
        TEST(test_unsynced_segments_may_be_anything),
        TEST(test_unused_segment_may_be_anything),
        TEST(test_segment_of_the_next_life_counts),
        TEST(test_survey_of_a_state_names_used_segments),
        TEST(test_delivered_segments_are_not_missed),
        TEST(test_all_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
