/* The source spooldir while its position cannot be written: it is written as soon as that is possible, without a further event, and a stop
 * does not wait for it. */
#include "stages/lib/avro/binary.h"
#include "stages/lib/avro/container.h"
#include "stages/lib/spool/meta.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES 5000U
#define TRACKER ".flumespool"

static struct ps_test_stage stage;

static void start(void)
{
    char line[16];
    for (unsigned i = 0; i < LINES; i++) {
        snprintf(line, sizeof line, "%04u\n", i);
        ps_test_folder_append("file", line, 5);
    }
    ps_test_stage_start(&stage, &ps_source_spooldir,
                        PS_KEYS("spoolDir", ps_test_folder(), "pollDelay", "10"));
}

/* Puts a plain file in the place of the tracker directory, so that no position can be written; or restores it. */
static void break_tracker(bool breaks)
{
    char tracker[256], away[256];
    snprintf(tracker, sizeof tracker, "%s", ps_test_folder_path(TRACKER));
    snprintf(away, sizeof away, "%s", ps_test_folder_path(".away"));
    if (breaks) {
        assert_int_equal(rename(tracker, away), 0);
        ps_test_folder_append(TRACKER, "", 0);
    } else {
        assert_int_equal(unlink(tracker), 0);
        assert_int_equal(rename(away, tracker), 0);
    }
}

/* Reads and delivers one more batch; the rest of the file stays unread. */
static void deliver_batch(void)
{
    size_t before = stage.event_count;
    uint64_t until_ns = ps_test_patience_end_ns();
    while (stage.batch == NULL || !stage.batch->full) {
        assert_true(ps_test_patient_ns() < until_ns);
        ps_test_source_read(&stage);
        (void)stage.ops->source->tick(stage.plan, stage.state, &stage.now);
        usleep(100);
    }
    ps_test_source_close_batch(&stage);
    assert_true(stage.event_count > before);
}

/* Returns 0 if no position is written. */
static uint64_t written_position(void)
{
    struct ps_spool_meta meta;
    struct ps_err err;
    enum ps_spool_meta_read read =
        ps_spool_meta_read(ps_test_folder_path(TRACKER "/" PS_SPOOL_META_NAME), &meta, &err);
    uint64_t position = read == PS_SPOOL_META_READ && meta.target != NULL ? meta.position : 0;
    ps_spool_meta_fini(&meta);
    return position;
}

static bool position_is_written(void)
{
    return written_position() == 5 * (uint64_t)stage.event_count;
}

/* Only ticks, so that nothing is read or delivered. */
#define TICK_UNTIL(condition)                                                                                \
    do {                                                                                                     \
        uint64_t until_ = ps_test_patience_end_ns();                                                         \
        while (!(condition)) {                                                                               \
            assert_true(ps_test_patient_ns() < until_);                                                      \
            (void)stage.ops->source->tick(stage.plan, stage.state, &stage.now);                              \
            ps_test_stage_pass_ms(&stage, 10);                                                               \
            usleep(1000);                                                                                    \
        }                                                                                                    \
    } while (0)

static void test_written_when_possible(void **unused)
{
    start();
    for (unsigned round = 0; round < 3; round++) {
        uint64_t failures = ps_log_count(PS_LOG_ERROR);
        if (round > 0)
            break_tracker(true);
        deliver_batch();
        if (round > 0) {
            TICK_UNTIL(ps_log_count(PS_LOG_ERROR) > failures);
            break_tracker(false);
        }
        TICK_UNTIL(position_is_written());
    }
    ps_test_stage_fini(&stage);
}

static void test_stop(void **unused)
{
    start();
    deliver_batch();
    break_tracker(true);
    TICK_UNTIL(stage.ops->source->drain(stage.plan, stage.state, &stage.now));
    ps_test_stage_fini(&stage);
}

/* An Avro file of two blocks, each with this many numbers. */
static void put_blocks(unsigned records)
{
    static const uint8_t marker[PS_AVRO_SYNC_BYTES] = "0123456789abcdef";
    const char *const pairs[] = {"avro.schema", "\"string\"", "avro.codec", "null", NULL};
    char text[512];
    size_t length = ps_avro_container_header_write(pairs, marker, text, sizeof text);
    ps_test_folder_append(".put", text, length);
    for (unsigned i = 0; i < 2 * records; i++) {
        if (i % records == 0) {
            length = ps_avro_put_long(text, records);
            length += ps_avro_put_long(text + length, (int64_t)records * 7);
            ps_test_folder_append(".put", text, length);
        }
        snprintf(text, sizeof text, "\x0C%06u", i);
        ps_test_folder_append(".put", text, 7);
        if (i % records == records - 1)
            ps_test_folder_append(".put", (const char *)marker, sizeof marker);
    }
    assert_int_equal(rename(ps_test_folder_path(".put"), ps_test_folder_path("a")), 0);
}

/* The position of an Avro file is before a block: a stop reads to the end of the block, so none of its records come again. */
static void test_stop_within_a_block(void **unused)
{
    enum { RECORDS = 3000 };
    uint64_t until_ns = ps_test_patience_end_ns();
    put_blocks(RECORDS);
    ps_test_stage_start(&stage, &ps_source_spooldir,
                        PS_KEYS("spoolDir", ps_test_folder(), "pollDelay", "10", "deserializer", "AVRO"));
    deliver_batch();
    while (!stage.ops->source->drain(stage.plan, stage.state, &stage.now)) {
        (void)ps_test_source_work(&stage);
        ps_test_source_close_batch(&stage);
        ps_test_stage_pass_ms(&stage, 1);
        usleep(100);
        assert_true(ps_test_patient_ns() < until_ns);
    }
    assert_int_equal(stage.event_count, RECORDS);
    ps_test_stage_close(&stage);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    while (access(ps_test_folder_path("a.COMPLETED"), F_OK) != 0) {
        (void)ps_test_source_work(&stage);
        ps_test_source_close_batch(&stage);
        ps_test_stage_pass_ms(&stage, 1);
        usleep(100);
        assert_true(ps_test_patient_ns() < until_ns);
    }
    assert_int_equal(stage.event_count, 2 * RECORDS);
    for (unsigned i = 0; i < 2 * RECORDS; i++)
        assert_int_equal(strtoul(stage.events[i].body + 1, NULL, 10), i);
    ps_test_stage_fini(&stage);
}

/* A stop that does not wait for the rest of a block: the account has the events that were delivered and come again. */
static void test_stop_that_does_not_wait(void **unused)
{
    enum { RECORDS = 3000 };
    put_blocks(RECORDS);
    ps_test_stage_start(&stage, &ps_source_spooldir,
                        PS_KEYS("spoolDir", ps_test_folder(), "pollDelay", "10", "deserializer", "AVRO"));
    while (stage.event_count <= RECORDS)
        deliver_batch();
    size_t delivered = stage.event_count;
    assert_int_equal(ps_counter_read(stage.port.counters, PS_COUNTER_duplicated), 0);
    TICK_UNTIL(written_position() > 0);
    ps_test_stage_close(&stage);
    assert_in_range(delivered, RECORDS + 1, 2 * RECORDS - 1);
    assert_int_equal(ps_counter_read(stage.port.counters, PS_COUNTER_duplicated), delivered - RECORDS);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    while (stage.event_count <= delivered)
        deliver_batch();
    assert_int_equal(strtoul(stage.events[delivered].body + 1, NULL, 10), RECORDS);
    ps_test_stage_fini(&stage);
}

static unsigned descriptor_count(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 1000; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* A source that stops in the middle of a file leaves no descriptor open, however often. Counted while no thread of the source runs, which
 * opens files of its own. */
static void test_nothing_stays_open(void **unused)
{
    unsigned before = descriptor_count();
    for (unsigned round = 0; round < 3; round++) {
        start();
        deliver_batch();
        ps_test_stage_close(&stage);
        unsigned open_count = descriptor_count();
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        deliver_batch();
        ps_test_stage_close(&stage);
        assert_int_equal(descriptor_count(), open_count);
        ps_test_stage_fini(&stage);
        assert_int_equal(descriptor_count(), before);
    }
}

static const char *aside_file(void)
{
    static char path[512];
    DIR *tracker = opendir(ps_test_folder_path(TRACKER));
    assert_non_null(tracker);
    path[0] = '\0';
    for (const struct dirent *entry; (entry = readdir(tracker)) != NULL;)
        if (strncmp(entry->d_name, ".flumespool-aside-", 18) == 0 && strstr(entry->d_name, ".tmp") == NULL)
            snprintf(path, sizeof path, "%s/%.200s", ps_test_folder_path(TRACKER), entry->d_name);
    closedir(tracker);
    return path;
}

/* The position of a file that was left alone does not count if its record is damaged: its events come again, and the log says so. */
static void test_damaged_aside(void **unused)
{
    ps_log_set_level(PS_LOG_WARN);
    ps_test_folder_append("file", "1\n\xFF\n", 4);
    for (unsigned life = 0; life < 2; life++) {
        uint64_t warnings = ps_log_count(PS_LOG_WARN);
        ps_test_stage_start(
            &stage, &ps_source_spooldir,
            PS_KEYS("spoolDir", ps_test_folder(), "pollDelay", "10", "penstock.onFileError", "skip"));
        uint64_t until_ns = ps_test_patience_end_ns();
        while (stage.event_count == 0 || ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail) == 0) {
            assert_true(ps_test_patient_ns() < until_ns);
            (void)ps_test_source_work(&stage);
            ps_test_source_close_batch(&stage);
            ps_test_stage_pass_ms(&stage, 1);
            usleep(1000);
        }
        assert_int_equal(stage.event_count, 1);
        TICK_UNTIL(*aside_file() != '\0');
        ps_test_stage_fini(&stage);
        assert_int_equal(ps_log_count(PS_LOG_WARN) - warnings, life);
        assert_int_equal(truncate(aside_file(), 20), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_written_when_possible, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_nothing_stays_open, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_damaged_aside, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_stop, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_stop_that_does_not_wait, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_stop_within_a_block, ps_test_folder_setup,
                                        ps_test_folder_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
