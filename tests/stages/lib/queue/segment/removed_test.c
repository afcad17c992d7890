/* Files of a log are removed or replaced while it is open: no frame in a file that a restart would not find is promised,
 * and frames that are promised afterwards are there after a restart. */
#include "stages/lib/queue/segment/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/support.h"

static char data[512], state_folder[512], aside[512];
static const char *directories[1] = {data};
static char reports[1024];

static void note(void *argument, const char *text)
{
    size_t length = strlen(reports);
    snprintf(reports + length, sizeof reports - length, "%s\n", text);
}

static int set_up(void **state)
{
    assert_int_equal(ps_test_folder_setup(state), 0);
    snprintf(data, sizeof data, "%s/data", ps_test_folder());
    snprintf(state_folder, sizeof state_folder, "%s/state", ps_test_folder());
    snprintf(aside, sizeof aside, "%s/aside", ps_test_folder());
    assert_int_equal(mkdir(data, 0750), 0);
    assert_int_equal(mkdir(state_folder, 0750), 0);
    return 0;
}

static struct ps_segment_log *open_log(void)
{
    struct ps_err err = {0};
    struct ps_segment_options options = {.directories = {1, directories},
                                         .state_directory = state_folder,
                                         .segment_bytes = 4096,
                                         .files = &ps_segment_disk,
                                         .report = note};
    reports[0] = '\0';
    struct ps_segment_log *log = ps_segment_log_open(&options, &err);
    if (log == NULL)
        fail_msg("%s", err.text);
    return log;
}

static void append(struct ps_segment_log *log, unsigned number)
{
    struct ps_segment_place place;
    struct ps_err err = {0};
    char payload[100];
    memset(payload, (int)number, sizeof payload);
    assert_int_equal(ps_segment_log_append(log, payload, sizeof payload, 1, 1, &place, &err), PS_OK);
    assert_int_equal(place.number, number);
}

static void append_synced(struct ps_segment_log *log, unsigned number)
{
    struct ps_err err = {0};
    append(log, number);
    assert_int_equal(ps_segment_log_sync(log, &err), PS_OK);
}

/* A log with frame 1, which is promised. */
static struct ps_segment_log *open_with_one(void)
{
    struct ps_segment_log *log = open_log();
    append_synced(log, 1);
    return log;
}

typedef enum ps_status operation(struct ps_segment_log *log, struct ps_err *err);

/* Asserts that a sync, a write or a renewal fails, with an error that contains `part`. */
static void expect_failure(struct ps_segment_log *log, operation *fails, const char *part)
{
    struct ps_err err = {0};
    assert_int_equal(fails(log, &err), PS_FAIL);
    if (strstr(err.text, part) == NULL)
        fail_msg("no \"%s\" in: %s", part, err.text);
}

static void renew(struct ps_segment_log *log)
{
    struct ps_err err = {0};
    assert_int_equal(ps_segment_log_renew(log, &err), PS_OK);
}

/* Asserts that frames first .. last come, each once and whole. */
static void expect_frames(struct ps_segment_log *log, unsigned first, unsigned last)
{
    struct ps_segment_place place;
    struct ps_sealer sealer = {.context = NULL};
    char payload[100];
    for (unsigned number = first; number <= last; number++) {
        assert_true(ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED);
        assert_int_equal(place.number, number);
        assert_true(ps_segment_load(&ps_segment_disk, &place, &sealer, payload, NULL) ==
                    PS_SEGMENT_READ_WHOLE);
        assert_int_equal(payload[0], (char)number);
        ps_segment_log_take(log, &place);
    }
    assert_false(ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED);
}

/* Restarts the log, and asserts which frames come. */
static void expect_after_restart(struct ps_segment_log *log, unsigned first, unsigned last)
{
    ps_segment_log_close(log);
    log = open_log();
    assert_string_equal(reports, "");
    expect_frames(log, first, last);
    ps_segment_log_close(log);
}

static const char *segment_path(unsigned number)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/%012u.segment", data, number);
    return path;
}

/* Frames after the removal are promised only in another segment; frames promised before are delivered while the log is
 * open. */
static void test_a_removed_segment_promises_nothing(void **state)
{
    struct ps_segment_log *log = open_with_one();
    assert_int_equal(unlink(segment_path(1)), 0);
    append(log, 2);
    expect_failure(log, ps_segment_log_sync, segment_path(1));
    assert_int_equal(ps_segment_log_promised(log), 1);
    renew(log);
    append_synced(log, 2);
    append_synced(log, 3);
    expect_frames(log, 1, 3);
    ps_segment_log_close(log);
}

static void test_what_is_promised_afterwards_survives(void **state)
{
    struct ps_segment_log *log = open_log();
    append(log, 1);
    assert_int_equal(unlink(segment_path(1)), 0);
    expect_failure(log, ps_segment_log_sync, "removed or replaced");
    renew(log);
    append_synced(log, 1);
    append_synced(log, 2);
    expect_after_restart(log, 1, 2);
}

/* The same without a sync: a restart of the process would not find the file. */
static void test_writes_are_not_promised_either(void **state)
{
    struct ps_err err = {0};
    struct ps_segment_log *log = open_log();
    append(log, 1);
    assert_int_equal(ps_segment_log_write(log, &err), PS_OK);
    assert_int_equal(unlink(segment_path(1)), 0);
    append(log, 2);
    expect_failure(log, ps_segment_log_write, "removed or replaced");
    assert_int_equal(ps_segment_log_promised(log), 1);
    ps_segment_log_close(log);
}

static void test_a_copy_in_its_place_is_another_file(void **state)
{
    struct ps_segment_log *log = open_with_one();
    assert_int_equal(rename(segment_path(1), aside), 0);
    int fd = open(segment_path(1), O_WRONLY | O_CREAT | O_EXCL, 0640);
    assert_true(fd >= 0);
    close(fd);
    append(log, 2);
    expect_failure(log, ps_segment_log_sync, "Stale");
    ps_segment_log_close(log);
}

/* The directory was moved away, as if unmounted: the log fails until it is back. */
static void test_a_moved_directory(void **state)
{
    struct ps_segment_log *log = open_with_one();
    assert_int_equal(rename(data, aside), 0);
    append(log, 2);
    expect_failure(log, ps_segment_log_sync, "removed or replaced");
    expect_failure(log, ps_segment_log_renew, "cannot be made: No such file or directory");
    assert_int_equal(rename(aside, data), 0);
    renew(log);
    append_synced(log, 2);
    expect_after_restart(log, 1, 2);
}

/* A kill that follows finds the state in either slot. */
static void expect_both_slots(void)
{
    static const char zeros[PS_STATE_SLOT_BYTES];
    char slot[PS_STATE_SLOT_BYTES];
    int fd = open(ps_test_folder_path("state/state"), O_RDONLY);
    assert_true(fd >= 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pread(fd, slot, sizeof slot, i * (off_t)sizeof slot), sizeof slot);
        assert_memory_not_equal(slot, zeros, sizeof slot);
    }
    close(fd);
}

/* A removed state is written anew: without one, everything would be delivered again. */
static void test_a_removed_state_is_written_anew(void **state)
{
    struct ps_segment_place place;
    struct ps_segment_log *log = open_with_one();
    assert_true(ps_segment_log_feed(log, &place, NULL) == PS_SEGMENT_FED);
    ps_segment_log_take(log, &place);
    assert_int_equal(unlink(ps_test_folder_path("state/state")), 0);
    append_synced(log, 2);
    assert_non_null(strstr(reports, "state/state was removed or replaced"));
    char saved[600];
    snprintf(saved, sizeof saved, "%s", ps_test_folder_path("state/state"));
    assert_int_equal(access(saved, F_OK), 0);
    expect_both_slots();
    append_synced(log, 3);
    expect_after_restart(log, 2, 3);
}

/* A file of zeros replaces the state: it is not used, and both slots are written anew. */
static void test_a_replaced_state_does_not_count(void **state)
{
    struct ps_segment_log *log = open_with_one();
    ps_segment_log_close(log);
    log = open_log();
    assert_int_equal(rename(ps_test_folder_path("state/state"), aside), 0);
    static char zeros[2 * PS_STATE_SLOT_BYTES];
    ps_test_folder_append("state/state", zeros, sizeof zeros);
    append_synced(log, 2);
    expect_both_slots();
    expect_frames(log, 1, 2);
    expect_after_restart(log, 3, 2); /* none */
}

static void test_a_moved_state_directory(void **state)
{
    struct ps_segment_log *log = open_with_one();
    assert_int_equal(rename(state_folder, aside), 0);
    append(log, 2);
    expect_failure(log, ps_segment_log_sync, "state/state cannot be made: No such file");
    assert_int_equal(ps_segment_log_promised(log), 1);
    expect_failure(log, ps_segment_log_renew, "state/state cannot be made");
    assert_int_equal(mkdir(state_folder, 0750), 0);
    renew(log);
    append_synced(log, 2);
    expect_after_restart(log, 1, 2);
}

static ssize_t failing_write(void *argument, int fd, const void *from, size_t length, uint64_t offset)
{
    return ftruncate(fd, -1); /* EINVAL */
}

/* The state of a log without a segment is removed, and cannot be written: a stop goes on, because nothing was promised. */
static void test_a_state_without_a_segment(void **state)
{
    struct ps_err err = {0};
    struct ps_segment_files files = ps_segment_disk;
    struct ps_segment_options options = {.directories = {1, directories},
                                         .state_directory = state_folder,
                                         .segment_bytes = 4096,
                                         .files = &files,
                                         .report = note};
    struct ps_segment_log *log = ps_segment_log_open(&options, &err);
    assert_non_null(log);
    assert_int_equal(unlink(ps_test_folder_path("state/state")), 0);
    files.write = failing_write;
    assert_int_equal(ps_segment_log_sync(log, &err), PS_OK);
    files.write = ps_segment_disk.write;
    append_synced(log, 1);
    expect_both_slots();
    expect_after_restart(log, 1, 1);
}

static int failing_sync(void *argument, int fd)
{
    return ftruncate(fd, -1); /* EINVAL */
}

/* On a disk where every sync fails, unused segments do not accumulate. */
static void test_unused_segments_are_removed(void **state)
{
    struct ps_err err = {0};
    struct ps_segment_log *log = open_with_one();
    ps_segment_log_close(log);
    struct ps_segment_files files = ps_segment_disk;
    struct ps_segment_options options = {.directories = {1, directories},
                                         .state_directory = state_folder,
                                         .segment_bytes = 4096,
                                         .files = &files};
    log = ps_segment_log_open(&options, &err);
    assert_non_null(log);
    for (unsigned i = 0; i < 5; i++) {
        append(log, 2);
        files.sync = failing_sync;
        assert_int_equal(ps_segment_log_sync(log, &err), PS_FAIL);
        files.sync = ps_segment_disk.sync;
        renew(log);
    }
    for (unsigned number = 2; number <= 6; number++)
        assert_int_not_equal(access(segment_path(number), F_OK), 0);
    append_synced(log, 2);
    expect_frames(log, 1, 2);
    ps_segment_log_close(log);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_removed_segment_promises_nothing),
        TEST(test_what_is_promised_afterwards_survives),
        TEST(test_writes_are_not_promised_either),
        TEST(test_a_copy_in_its_place_is_another_file),
        TEST(test_a_moved_directory),
        TEST(test_a_removed_state_is_written_anew),
        TEST(test_a_replaced_state_does_not_count),
        TEST(test_a_moved_state_directory),
        TEST(test_a_state_without_a_segment),
        TEST(test_unused_segments_are_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
