/* Source taildir with penstock.decompress = auto: which lines of compressed files it reads, and which ones it has read before they were
 * compressed. Every line of a text has its number, so that each one is counted. */
#include "stages/lib/tail/tailer/tailer.h"
#include "tests/stages/sources/taildir_packed.h"

#include <fcntl.h>

static void remove_file(const char *name)
{
    assert_int_equal(unlink(ps_test_folder_path(name)), 0);
}

static void wait_for_warnings(uint64_t count)
{
    uint64_t until = ps_test_patience_end_ns();
    while (ps_log_count(PS_LOG_WARN) < count) {
        ps_test_stage_pass_ms(&stage, 1000);
        ps_test_source_settle(&stage, 0, 10);
        assert_true(ps_test_patient_ns() < until);
    }
}

/* The source reads new files of both formats, also without lines, or with a last line that has no end; and a text
 * with such a name. */
static void test_new_files(void **unused)
{
    compressed("app.1.gz", "one\ntwo\n");
    PS_START(AUTO);
    expect("one two");
    compressed("app.2.zst", "three\n\nfour");
    expect("three  four");
    compressed("app.3.gz", "");
    compressed("app.4.zst", "");
    append("app.5.gz", "a-text\n");
    expect("a-text");
    fence();
    wait_for_open(1); /* only the text stays open */
    restart();
    fence();
    wait_for_open(1);
    ps_test_stage_fini(&stage);
}

/* The lines read from a log are not read again when it is compressed, while the agent runs, or while it is
 * stopped. */
static void test_read_before(void **unused)
{
    static const char *const names[] = {"app.log.1.gz", "app.log.1.zst"};
    for (unsigned i = 0; i < 4; i++) {
        const char *name = names[i % 2];
        append("app.log", "one\ntwo\n");
        PS_START(AUTO);
        expect("one two");
        if (i >= 2)
            ps_test_stage_close(&stage);
        move("app.log", "app.log.1");
        compressed(name, "one\ntwo\n");
        remove_file("app.log.1");
        if (i >= 2)
            assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        fence();
        restart();
        append("app.log", "three\n");
        expect("three");
        fence();
        ps_test_stage_fini(&stage);
        fresh_folder();
    }
}

/* Lines of the log that were not read yet come from the compressed file. They begin at any position, also at the end of
 * the fingerprint or of a piece that is checked at a time. */
static void test_rest(void **unused)
{
    enum { LINE_BYTES = 64, COUNT = 20000 };
    static const unsigned counts[] = {1, 15, 16, 17, 1023, 1024, 1025, 8192, COUNT - 1, COUNT};
    for (unsigned i = 0; i < PS_COUNT_OF(counts); i++) {
        size_t length = lines_make(text, 0, COUNT, LINE_BYTES);
        ps_test_folder_append("app.log", text, (size_t)counts[i] * LINE_BYTES);
        PS_START(AUTO);
        expect_numbers(0, counts[i]);
        ps_test_stage_close(&stage);
        compressed_text(i % 2 == 0 ? "app.log.1.gz" : "app.log.1.zst", text, length);
        remove_file("app.log");
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        expect_numbers(counts[i], COUNT - counts[i]);
        fence();
        restart();
        fence();
        ps_test_stage_fini(&stage);
        fresh_folder();
    }
}

/* A stop in the middle: reading continues there. Long texts are decompressed again up to the position. */
static void test_restart_in_the_middle(void **unused)
{
    enum { LINE_BYTES = 100, COUNT = 20000, PART = 512 };
    compressed_text("app.1.gz", text, lines_make(text, 0, COUNT, LINE_BYTES));
    PS_START(AUTO, "batchSize", "64");
    size_t before = 0;
    for (unsigned lives = 0; before < COUNT; lives++) {
        size_t want = lives < 6 ? PART : COUNT - before;
        ps_test_source_wait(&stage, want, PS_TEST_PATIENCE_MS);
        for (size_t i = 0; i < stage.event_count; i++)
            assert_int_equal(strtoul(stage.events[i].body, NULL, 10), before + i);
        before += stage.event_count;
        ps_test_source_clear(&stage);
        restart();
    }
    fence();
    ps_test_stage_fini(&stage);
}

/* A file that only begins like one that was read is read. */
static void test_begins_alike(void **unused)
{
    enum { LINE_BYTES = 64, COUNT = 64, ALIKE = 40 };
    size_t length = lines_make(text, 0, COUNT, LINE_BYTES);
    ps_test_folder_append("app.log", text, length);
    PS_START(AUTO);
    expect_numbers(0, COUNT);
    ps_test_stage_close(&stage);
    remove_file("app.log");
    lines_make(text + (size_t)ALIKE * LINE_BYTES, ALIKE + 1000, COUNT - ALIKE, LINE_BYTES);
    compressed_text("app.1.gz", text, length);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    ps_test_source_wait(&stage, COUNT, PS_TEST_PATIENCE_MS);
    ps_test_source_clear(&stage);
    /* the same while the other file is there */
    lines_make(text + (size_t)ALIKE * LINE_BYTES, ALIKE + 2000, COUNT - ALIKE, LINE_BYTES);
    ps_test_folder_append("app.log", text, length);
    ps_test_source_wait(&stage, COUNT, PS_TEST_PATIENCE_MS);
    ps_test_source_clear(&stage);
    lines_make(text + (size_t)ALIKE * LINE_BYTES, ALIKE + 3000, COUNT - ALIKE, LINE_BYTES);
    compressed_text("app.2.gz", text, length);
    ps_test_source_wait(&stage, COUNT, PS_TEST_PATIENCE_MS);
    ps_test_source_clear(&stage);
    fence();
    ps_test_stage_fini(&stage);
}

/* gzip -k: the original stays, and grows. */
static void test_original_stays(void **unused)
{
    append("app.log", "one\ntwo");
    PS_START(AUTO, "idleTimeout", "50");
    expect("one");
    compressed("app.log.1.gz", "one\ntwo");
    expect("two");
    ps_test_stage_pass_ms(&stage, 61000);
    fence();
    ps_test_stage_pass_ms(&stage, 61000);
    fence();
    append("app.log", "more\n");
    expect("more");
    remove_file("app.log");
    fence();
    ps_test_stage_pass_ms(&stage, 61000);
    fence();
    ps_test_stage_fini(&stage);
}

/* gzip is still writing the file, or was killed: the source waits until the file is complete. */
static void test_ends_early(void **unused)
{
    enum { LINE_BYTES = 64, COUNT = 2000 };
    static const char *const names[] = {"app.1.gz", "app.1.zst"};
    for (unsigned i = 0; i < PS_COUNT_OF(names); i++) {
        size_t length = pack(names[i], text, lines_make(text, 0, COUNT, LINE_BYTES), packed, sizeof packed);
        PS_START(AUTO);
        static const unsigned parts[] = {1, 2, 3, 10, 18, 200};
        size_t at = 0;
        for (unsigned k = 0; k < PS_COUNT_OF(parts); at = parts[k++]) {
            ps_test_folder_append(names[i], packed + at, parts[k] - at);
            fence();
        }
        uint64_t warnings = ps_log_count(PS_LOG_WARN);
        wait_for_warnings(warnings + 1);
        ps_test_stage_pass_ms(&stage, 11000);
        fence();
        assert_int_equal(ps_log_count(PS_LOG_WARN), warnings + 1);
        restart();
        fence();
        ps_test_folder_append(names[i], packed + at, length - at);
        expect_numbers(0, COUNT);
        fence();
        ps_test_stage_fini(&stage);
        fresh_folder();
    }
}

/* The original is deleted while its compressed file still grows slowly: lines that were read before do not come again,
 * the others come. */
static void test_original_goes_before_it_is_whole(void **unused)
{
    enum { LINE_BYTES = 64, COUNT = 2000, READ = 700, PARTS = 12 };
    size_t length = pack("app.log.1.gz", text, lines_make(text, 0, COUNT, LINE_BYTES), packed, sizeof packed);
    ps_test_folder_append("app.log", text, (size_t)READ * LINE_BYTES);
    PS_START(AUTO, "idleTimeout", "50");
    expect_numbers(0, READ);
    size_t at = 0;
    for (unsigned part = 1; part < PARTS; part++) {
        size_t end = length * part / PARTS;
        ps_test_folder_append("app.log.1.gz", packed + at, end - at);
        at = end;
        fence();
        if (part == 1)
            remove_file("app.log");
        ps_test_stage_pass_ms(&stage, 7000);
        ps_test_source_settle(&stage, 0, 10);
    }
    ps_test_folder_append("app.log.1.gz", packed + at, length - at);
    expect_numbers(READ, COUNT - READ);
    fence();
    ps_test_stage_fini(&stage);
}

/* The writer of the compressed file pauses after the original is gone. The original's lines do not come again within an
 * hour; after that the file is no longer expected to grow, and counts as a new text. `held`: the original stays open
 * elsewhere; otherwise a later file may have its inode. */
static void writer_pauses(uint64_t pause_ms, unsigned known, bool held)
{
    enum { LINE_BYTES = 64, COUNT = 2000, READ = 700 };
    size_t length = pack("app.log.1.gz", text, lines_make(text, 0, COUNT, LINE_BYTES), packed, sizeof packed);
    ps_test_folder_append("app.log", text, (size_t)READ * LINE_BYTES);
    PS_START(AUTO, "idleTimeout", "50");
    expect_numbers(0, READ);
    ps_test_folder_append("app.log.1.gz", packed, length / 2);
    fence();
    int fd = held ? open(ps_test_folder_path("app.log"), O_RDONLY | O_CLOEXEC) : -1;
    remove_file("app.log");
    fence();
    wait_for_warnings(ps_log_count(PS_LOG_WARN) + 1); /* the file has not changed for a while */
    ps_test_stage_pass_ms(&stage, pause_ms);
    fence();
    ps_test_stage_pass_ms(&stage, 11000); /* a file without a name stays that long before it is forgotten */
    fence();
    ps_test_folder_append("app.log.1.gz", packed + length / 2, length - length / 2);
    expect_numbers(known, COUNT - known);
    fence();
    if (held)
        close(fd);
    ps_test_stage_fini(&stage);
    fresh_folder();
}

static void test_writer_pauses(void **unused)
{
    writer_pauses(3000000, 700, true);
    writer_pauses(3000000, 700, false);
    writer_pauses(3600000, 0, true);
    writer_pauses(3600000, 0, false);
}

/* Meanwhile a plain file that begins like the one that is gone is read as a new file with the same lines. */
static void test_same_lines_meanwhile(void **unused)
{
    enum { LINE_BYTES = 64, COUNT = 100 };
    size_t bytes = lines_make(text, 0, COUNT, LINE_BYTES);
    size_t length = pack("app.log.1.gz", text, bytes, packed, sizeof packed);
    ps_test_folder_append("app.log", text, bytes);
    PS_START(AUTO, "idleTimeout", "50");
    expect_numbers(0, COUNT);
    ps_test_folder_append("app.log.1.gz", packed, length / 2);
    fence();
    int fd = open(ps_test_folder_path("app.log"), O_RDONLY | O_CLOEXEC);
    remove_file("app.log");
    fence();
    ps_test_stage_pass_ms(&stage, 61000);
    fence();
    ps_test_folder_append("app.log", text, bytes);
    expect_numbers(0, COUNT);
    fence();
    close(fd);
    ps_test_stage_fini(&stage);
}

/* The lines before the damage are read when the file no longer changes, and the log names the file once after each start. */
static void damaged(bool stopped)
{
    enum { LINE_BYTES = 64, COUNT = 2000, MORE = 100 };
    size_t length = pack("app.1.gz", text, lines_make(text, 0, COUNT, LINE_BYTES), packed, sizeof packed);
    size_t second = pack("app.1.gz", text, lines_make(text, COUNT, MORE, LINE_BYTES), packed + length,
                         sizeof packed - length);
    char block = packed[length + 10];
    packed[length + 10] = 0x07; /* the first block of the second member has an invalid type */
    write_bytes("app.1.gz", packed, length + second);
    PS_START(AUTO);
    fence();
    uint64_t warnings = ps_log_count(PS_LOG_WARN);
    ps_test_stage_pass_ms(&stage, 11000);
    expect_numbers(0, COUNT);
    fence();
    assert_int_equal(ps_log_count(PS_LOG_WARN), warnings + 1);
    restart();
    fence();
    ps_test_stage_pass_ms(&stage, 11000);
    fence();
    assert_int_equal(ps_log_count(PS_LOG_WARN), warnings + 2);
    packed[length + 10] = block; /* the file is corrected in place */
    if (stopped)
        ps_test_stage_close(&stage);
    int fd = open(ps_test_folder_path("app.1.gz"), O_WRONLY);
    assert_int_equal(pwrite(fd, packed, length + second, 0), length + second);
    assert_int_equal(close(fd), 0);
    if (stopped)
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    expect_numbers(COUNT, MORE);
    fence();
    ps_test_stage_fini(&stage);
}

static void test_damaged(void **unused)
{
    damaged(false);
}

static void test_damaged_and_put_right_while_stopped(void **unused)
{
    damaged(true);
}

/* A file may have several members or frames: one line crosses two of them, and another member is appended later. */
static void test_members(void **unused)
{
    static const char *const names[] = {"app.1.gz", "app.1.zst"};
    for (unsigned i = 0; i < PS_COUNT_OF(names); i++) {
        size_t length = pack(names[i], "one\ntw", 6, packed, sizeof packed);
        length += pack(names[i], "", 0, packed + length, sizeof packed - length);
        length += pack(names[i], "o\nthree\n", 8, packed + length, sizeof packed - length);
        write_bytes(names[i], packed, length);
        PS_START(AUTO);
        expect("one two three");
        ps_test_folder_append(names[i], packed, pack(names[i], "four\n", 5, packed, sizeof packed));
        expect("four");
        restart();
        fence();
        ps_test_folder_append(names[i], packed, pack(names[i], "five\n", 5, packed, sizeof packed));
        expect("five");
        fence();
        ps_test_stage_fini(&stage);
        fresh_folder();
    }
}

/* Lines may be longer than a block, and longer than penstock.line.max. */
static void test_long_lines(void **unused)
{
    enum { LONG = 700000, MAX = 500000 };
    memset(text, 'a', LONG);
    memcpy(text + LONG, "\nshort\n", 7);
    memset(text + LONG + 7, 'b', MAX);
    text[LONG + 7 + MAX] = '\n';
    compressed_text("app.1.gz", text, LONG + 7 + MAX + 1);
    PS_START(AUTO, "penstock.line.max", "500000");
    ps_test_source_wait(&stage, 4, PS_TEST_PATIENCE_MS);
    static const size_t lengths[] = {MAX - 3, LONG - MAX + 3, 5, MAX};
    for (size_t i = 0; i < PS_COUNT_OF(lengths); i++)
        assert_int_equal(stage.events[i].length, lengths[i]);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 1);
    ps_test_source_clear(&stage);
    fence();
    ps_test_stage_fini(&stage);
}

/* Files that are there at the start are skipped. A member that comes later is read. */
static void test_skip_to_end(void **unused)
{
    compressed("app.1.gz", "one\n");
    PS_START(AUTO, "skipToEnd", "true");
    work_until((enum ps_counter)PS_TAIL_COUNTER_files, 1); /* later files are not skipped */
    fence();
    ps_test_folder_append("app.1.gz", packed, pack("app.1.gz", "two\n", 4, packed, sizeof packed));
    expect("two");
    restart();
    ps_test_folder_append("app.1.gz", packed, pack("app.1.gz", "three\n", 6, packed, sizeof packed));
    expect("three");
    ps_test_stage_fini(&stage);
}

/* Files that an agent without the key has named are not read, and those that this one has read are not read again. */
static void test_key_is_changed(void **unused)
{
    compressed("app.1.gz", "one\n");
    append("app.log", "two\n");
    PS_START(NULL);
    expect("two");
    ps_test_stage_fini(&stage);
    PS_START(AUTO);
    fence();
    compressed("app.2.gz", "three\n");
    expect("three");
    ps_test_stage_fini(&stage);
    PS_START(NULL);
    append("app.log", "four\n");
    expect("four");
    ps_test_stage_fini(&stage);
    PS_START(AUTO);
    fence();
    ps_test_stage_fini(&stage);
}

/* The copy that copytruncate made is compressed before the source has seen it. */
static void test_copytruncate(void **unused)
{
    append("app.log", "one\ntwo\n");
    PS_START(AUTO);
    expect("one two");
    compressed("app.log.1.gz", "one\ntwo\nthree\n");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "four\n");
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    for (size_t i = 0; i < 2; i++)
        assert_true(strcmp(stage.events[i].body, "three") == 0 || strcmp(stage.events[i].body, "four") == 0);
    ps_test_source_clear(&stage);
    fence();
    ps_test_stage_fini(&stage);
}

/* Lines that were read and not delivered when the agent ends come again, also when the text was read to its end; delivered ones do
 * not. */
static void test_undelivered(void **unused)
{
    enum { LINE_BYTES = 64, COUNT = 500 };
    static const char *const names[] = {"app.1.gz", "app.1.zst"};
    static const char *const batch_sizes[] = {"1000", "64", "499"}; /* the last batch is not delivered */
    for (unsigned i = 0; i < PS_COUNT_OF(names) * PS_COUNT_OF(batch_sizes); i++) {
        const char *size = batch_sizes[i / PS_COUNT_OF(names)];
        compressed_text(names[i % PS_COUNT_OF(names)], text, lines_make(text, 0, COUNT, LINE_BYTES));
        PS_START(AUTO, "batchSize", size);
        unsigned delivered = COUNT / (unsigned)strtoul(size, NULL, 10) * (unsigned)strtoul(size, NULL, 10);
        work_until(PS_COUNTER_EventReceivedCount, COUNT);
        assert_int_equal(stage.event_count, delivered);
        for (unsigned turn = 0; turn < 200; turn++) { /* the source finds the end of the text, and saves
                                                       * positions */
            ps_test_stage_pass_ms(&stage, 50);
            (void)ps_test_source_work(&stage);
            usleep(500);
        }
        restart();
        ps_test_stage_recycle(&stage); /* the open batch is lost with the agent */
        expect_numbers(delivered, COUNT - delivered);
        fence();
        restart();
        fence();
        ps_test_stage_fini(&stage);
        fresh_folder();
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(new_files),     TEST(read_before),
                                       TEST(rest),          TEST(restart_in_the_middle),
                                       TEST(begins_alike),  TEST(original_stays),
                                       TEST(ends_early),    TEST(original_goes_before_it_is_whole),
                                       TEST(writer_pauses), TEST(same_lines_meanwhile),
                                       TEST(damaged),       TEST(damaged_and_put_right_while_stopped),
                                       TEST(members),       TEST(long_lines),
                                       TEST(skip_to_end),   TEST(key_is_changed),
                                       TEST(copytruncate),  TEST(undelivered)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
