/* Source taildir with penstock.decompress = auto while reads fail, memory is short, the key is changed, positions are changed by hand, and
 * inodes are used again: no line of a text is lost or comes twice, and what is lost is counted. */
#define PS_TEST_CALLS_OF_ALL_THREADS

#include "stages/lib/tail/tailer/tailer.h"
#include "tests/stages/sources/taildir_support.h"
#include "tests/support/system_calls.h"

#include <stdlib.h>
#include <zlib.h>

#define AUTO "penstock.decompress", "auto"
#define LOST_BYTES ((enum ps_counter)PS_TAIL_COUNTER_lost_bytes)

enum { LINE_BYTES = 100, COUNT = 20000, PART = 512 };

static _Atomic bool no_memory, slow;

/* Replaces zlib's function: no memory while `no_memory`. */
int inflateInit2_(z_streamp stream, int window_bits, const char *version, int stream_size)
{
    return no_memory ? Z_MEM_ERROR : PS_TEST_REAL(inflateInit2_)(stream, window_bits, version, stream_size);
}

/* Replaces zlib's function: a survey takes a while if `slow`. */
int inflate(z_streamp stream, int flush)
{
    if (slow)
        usleep(20000);
    return PS_TEST_REAL(inflate)(stream, flush);
}

/* Writes a gzip file with the lines of these numbers, which appears complete. They hardly compress, so that the file is
 * read in pieces. */
static void compressed(const char *name, unsigned first, unsigned count)
{
    gzFile file = gzopen(ps_test_folder_path("packing"), "wb");
    assert_non_null(file);
    for (unsigned i = first; i < first + count; i++) {
        char line[LINE_BYTES + 1];
        uint64_t state = i + 1;
        int length = snprintf(line, sizeof line, "%u ", i);
        for (; length < LINE_BYTES - 1; length++)
            line[length] = (char)('!' + ps_test_random(&state) % 90);
        line[length] = '\n';
        assert_int_equal(gzwrite(file, line, LINE_BYTES), LINE_BYTES);
    }
    assert_int_equal(gzclose(file), Z_OK);
    move("packing", name);
}

/* Waits for the lines with these numbers, in order, and forgets them. */
static void expect_numbers(unsigned first, unsigned count)
{
    ps_test_source_wait(&stage, count, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.event_count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(strtoul(stage.events[i].body, NULL, 10), first + i);
    ps_test_source_clear(&stage);
}

/* Takes the lines that have come, which continue after `before`. Returns how many have come in all. */
static unsigned lines_take(unsigned before)
{
    for (unsigned i = 0; i < stage.event_count; i++)
        assert_int_equal(strtoul(stage.events[i].body, NULL, 10), before + i);
    before += (unsigned)stage.event_count;
    assert_true(before < COUNT);
    ps_test_source_clear(&stage);
    return before;
}

/* Waits for the first lines, but not for the last ones. Returns how many came. */
static unsigned some_come(void)
{
    ps_test_source_wait(&stage, PART, PS_TEST_PATIENCE_MS);
    return lines_take(0);
}

/* Works until the counter is not 0. Returns how many lines have come. */
static unsigned come_until(enum ps_counter counter, unsigned before)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    while (ps_test_stage_counter(&stage, counter) == 0) {
        ps_test_stage_pass_ms(&stage, 10);
        if (ps_test_source_work(&stage) == PS_IDLE)
            usleep(500);
        ps_test_source_close_batch(&stage);
        before = lines_take(before);
        assert_true(ps_test_patient_ns() < until_ns);
    }
    return before;
}

static void reads_fail(const char *function)
{
    ps_test_call_error = EIO;
    ps_test_call_broken = function;
    ps_test_calls_count = function != NULL;
}

static void delete_file(const char *name)
{
    assert_int_equal(unlink(ps_test_folder_path(name)), 0);
}

/* A deleted file is not found by its name: it stays open until it was read, and other files have their turns meanwhile. */
static void test_deleted_and_unreadable(void **unused)
{
    compressed("app.1.gz", 0, COUNT);
    PS_START(AUTO, "batchSize", "64", "idleTimeout", "50");
    unsigned before = some_come();
    delete_file("app.1.gz");
    reads_fail("preadv2");
    before =
        come_until(PS_COUNTER_EventReadFail, before); /* first the lines that were decompressed before the
                                                       * failure */
    ps_test_source_settle(&stage, 0, 300);
    reads_fail(NULL);
    expect_numbers(before, COUNT - before);
    compressed("app.2.gz", COUNT, 10);
    expect_numbers(COUNT, 10);
    assert_int_equal(ps_test_stage_counter(&stage, LOST_BYTES), 0);
    ps_test_stage_fini(&stage);
}

/* A file cannot be read, and is deleted before any look at its directory: it stays open, too. */
static void test_unreadable_and_deleted(void **unused)
{
    compressed("app.1.gz", 0, COUNT);
    PS_START(AUTO, "batchSize", "64", "idleTimeout", "50");
    unsigned before = some_come();
    reads_fail("preadv2");
    before = come_until(PS_COUNTER_EventReadFail, before);
    delete_file("app.1.gz");
    ps_test_source_settle(&stage, 0, 300);
    reads_fail(NULL);
    expect_numbers(before, COUNT - before);
    assert_int_equal(ps_test_stage_counter(&stage, LOST_BYTES), 0);
    ps_test_stage_fini(&stage);
}

/* A file cannot be read while it is surveyed, and is deleted before or after that: it stays open. */
static void survey_fails(bool deleted)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    compressed("app.1.gz", 0, COUNT);
    slow = true;
    PS_START(AUTO, "idleTimeout", "50");
    wait_for_open(1);
    if (deleted)
        delete_file("app.1.gz");
    reads_fail("preadv2");
    while (ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail) == 0) {
        ps_test_source_settle(&stage, 0, 10); /* the next survey waits for a multiple of this one's time */
        assert_true(ps_test_patient_ns() < until_ns);
    }
    if (!deleted)
        delete_file("app.1.gz");
    ps_test_source_settle(&stage, 0, 300);
    slow = false;
    reads_fail(NULL);
    expect_numbers(0, COUNT);
    compressed("app.2.gz", COUNT, 10); /* the next file has its turn */
    expect_numbers(COUNT, 10);
    wait_for_open(0);
    assert_int_equal(ps_test_stage_counter(&stage, LOST_BYTES), 0);
    ps_test_stage_fini(&stage);
}

static void test_deleted_and_survey_fails(void **unused)
{
    survey_fails(true);
}

static void test_survey_fails_and_deleted(void **unused)
{
    survey_fails(false);
}

/* A file is overwritten while it is read, and deleted: its rest is counted as lost. */
static void test_changed_and_deleted(void **unused)
{
    compressed("app.1.gz", 0, COUNT);
    PS_START(AUTO, "batchSize", "64", "idleTimeout", "50");
    unsigned before = some_come();
    append("app.1.gz", "x");
    delete_file("app.1.gz");
    before = come_until(LOST_BYTES, before);
    assert_int_equal(ps_test_stage_counter(&stage, LOST_BYTES), (COUNT - before) * LINE_BYTES);
    ps_test_stage_fini(&stage);
}

/* The decompressor gets no memory when a file is opened, for the first time or in the middle of it: the file must not be
 * taken for another one. */
static void test_no_memory(void **unused)
{
    compressed("app.1.gz", 0, 100);
    no_memory = true;
    PS_START(AUTO);
    work_until(PS_COUNTER_EventReadFail, 1);
    no_memory = false;
    expect_numbers(0, 100);
    no_memory = true;
    move("app.1.gz", "app.2.gz"); /* the file is opened again */
    work_until(PS_COUNTER_EventReadFail, 2);
    no_memory = false;
    compressed("app.3.gz", 100, 10);
    expect_numbers(100, 10);
    ps_test_stage_close(&stage);
    no_memory = true;
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    work_until(PS_COUNTER_EventReadFail, 1);
    no_memory = false;
    compressed("app.4.gz", 110, 10);
    expect_numbers(110, 10);
    ps_test_stage_fini(&stage);
}

/* The log says once how far the file was read. */
static void expect_said(const char *name, unsigned lines)
{
    char text[4096], wanted[1024];
    FILE *log = fopen(ps_test_folder_path("said"), "r");
    assert_non_null(log);
    text[fread(text, 1, sizeof text - 1, log)] = '\0';
    fclose(log);
    snprintf(wanted, sizeof wanted,
             "%s is compressed, and was read to byte %u of its text: the rest is not read, because "
             "penstock.decompress is never; set it to auto to read on\n",
             ps_test_folder_path(name), lines * LINE_BYTES);
    const char *at = strstr(text, wanted);
    if (at == NULL || strstr(at + strlen(wanted), "is compressed, and was read") != NULL)
        fail_msg("the log does not have once: %sbut: %s", wanted, text);
}

/* An agent without the key keeps the position of a text, and says which. */
static void test_key_is_changed_in_the_middle(void **unused)
{
    struct ps_err err = {.length = 0};
    compressed("app.1.gz", 0, COUNT);
    PS_START(AUTO, "batchSize", "64");
    unsigned before = some_come();
    ps_test_stage_fini(&stage);
    for (unsigned lives = 0; lives < 2; lives++) {
        assert_int_equal(ps_log_open(ps_test_folder_path("said"), &err), PS_OK);
        PS_START(NULL);
        append("app.log", "a-log\n");
        expect("a-log");
        assert_int_equal(ps_log_open(NULL, &err), PS_OK);
        expect_said("app.1.gz", before);
        assert_int_equal(unlink(ps_test_folder_path("said")), 0);
        move("app.1.gz", lives == 0 ? "app.2.gz" : "app.1.gz.old");
        if (lives == 0)
            move("app.2.gz", "app.1.gz");
        append("app.log", "another\n");
        expect("another");
        ps_test_stage_fini(&stage);
    }
    PS_START(AUTO);
    expect_numbers(before, COUNT - before);
    compressed("app.3.gz", COUNT, 10);
    expect_numbers(COUNT, 10);
    ps_test_stage_fini(&stage);
}

/* The position in a text is edited in the position file. */
static void test_position_by_hand(void **unused)
{
    char line[1024];
    compressed("app.1.gz", 0, 100);
    PS_START(AUTO);
    expect_numbers(0, 100);
    ps_test_stage_close(&stage);
    snprintf(line, sizeof line, "[{\"inode\":%lu,\"pos\":%u,\"file\":\"%s\"}]\n", inode_of("app.1.gz"),
             90 * LINE_BYTES, ps_test_folder_path("app.1.gz"));
    write_positions(line);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    expect_numbers(90, 10);
    ps_test_stage_close(&stage);
    snprintf(line, sizeof line, "[{\"inode\":%lu,\"pos\":0,\"file\":\"%s\"}]\n", inode_of("app.1.gz"),
             ps_test_folder_path("app.1.gz"));
    write_positions(line);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    expect_numbers(0, 100);
    ps_test_stage_fini(&stage);
}

/* Makes a file whose text has 4 GiB: members of a MiB of zeros, so that it is decompressed for seconds. */
static void long_text(const char *name)
{
    static char zeros[1 << 20], member[1 << 13];
    gzFile file = gzopen(ps_test_folder_path("member"), "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, zeros, sizeof zeros), sizeof zeros);
    assert_int_equal(gzclose(file), Z_OK);
    FILE *in = fopen(ps_test_folder_path("member"), "rb"), *out = fopen(ps_test_folder_path("packing"), "wb");
    assert_non_null(in);
    assert_non_null(out);
    size_t length = fread(member, 1, sizeof member, in);
    assert_true(length > 0 && length < sizeof member);
    for (unsigned i = 0; i < 4096; i++)
        assert_int_equal(fwrite(member, 1, length, out), length);
    assert_int_equal(fclose(in), 0);
    assert_int_equal(fclose(out), 0);
    move("packing", name);
}

/* A log that has the inode of a compressed file does not wait while another one is decompressed. */
static void test_inode_used_again(void **unused)
{
    compressed("app.1.gz", 0, 10);
    PS_START(AUTO, "idleTimeout", "50");
    expect_numbers(0, 10);
    wait_for_open(0);
    long_text("app.2.gz");
    wait_for_open(1);
    assert_int_equal(truncate(ps_test_folder_path("app.1.gz"), 0), 0);
    append("app.1.gz", "one\n");
    move("app.1.gz", "app.log");
    expect("one");
    ps_test_stage_fini(&stage);
}

static int teardown(void **state)
{
    reads_fail(NULL);
    no_memory = slow = false;
    return ps_test_folder_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(deleted_and_unreadable),       TEST(unreadable_and_deleted), TEST(deleted_and_survey_fails),
        TEST(survey_fails_and_deleted),     TEST(changed_and_deleted),    TEST(no_memory),
        TEST(key_is_changed_in_the_middle), TEST(position_by_hand),       TEST(inode_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
