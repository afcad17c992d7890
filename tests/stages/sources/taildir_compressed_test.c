/* Source taildir: files that are compressed, and files that get their inodes. */
#include "stages/lib/tail/tailer/tailer.h"
#include "tests/stages/sources/taildir_support.h"

#include <zlib.h>
#include <zstd.h>

static void test_compressed(void **unused)
{
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    ps_test_folder_append("app.log.1.gz", "\x1f\x8b\x08\x00garbage\nmore\n", 17);
    append("app.new", "two\n");
    expect("two");
    expect_nothing();
    ps_test_stage_fini(&stage);
}

#define GZIP_TEXT "\x1f\x8b\x08\x00garbage\nmore\n"
#define GZIP_BYTES 17

/* gzip makes an empty file first; its inode may be in the position file. */
static void test_compressed_was_empty(void **unused)
{
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    ps_test_stage_close(&stage);
    ps_test_source_clear(&stage);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    move("app.log", "app.log.1.gz");
    append("app.log", "two\n");
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    expect("two");
    wait_for_open(2);
    ps_test_folder_append("app.log.1.gz", GZIP_TEXT, GZIP_BYTES);
    wait_for_open(1); /* the source has noticed that the file is compressed */
    append("app.log", "three\n");
    expect("three");
    ps_test_stage_fini(&stage);
}

/* The oldest compressed file is deleted, and the new log gets its inode. */
static void test_inode_of_compressed_file(void **unused)
{
    static const char *const lines[] = {"short\n", "longer-than-what-was-compressed\n"};
    for (size_t i = 0; i < PS_COUNT_OF(lines); i++) {
        char gz[32], new[32], line[64];
        snprintf(gz, sizeof gz, "app.%zu.gz", i);
        snprintf(new, sizeof new, "app.%zu.new", i);
        ps_test_folder_append(gz, GZIP_TEXT, GZIP_BYTES);
        append("app.log", "one\n");
        PS_START(NULL);
        expect(i == 0 ? "one" : "one one");
        assert_int_equal(truncate(ps_test_folder_path(gz), 0), 0);
        append(gz, lines[i]);
        move(gz, new);
        snprintf(line, sizeof line, "%.*s", (int)strcspn(lines[i], "\n"), lines[i]);
        expect(line);
        ps_test_stage_fini(&stage);
        assert_int_equal(unlink(ps_test_folder_path(new)), 0);
        assert_int_equal(unlink(positions), 0);
        assert_int_equal(unlink(ps_test_folder_path("state/positions.json.identities")), 0);
    }
}

/* A copy that gets the inode of a compressed file is read from its beginning, or from where its original was read to. */
static void test_copy_on_inode_of_compressed_file(void **unused)
{
    ps_test_folder_append("app.1.gz", GZIP_TEXT, GZIP_BYTES);
    append("app.log", "first-line-of-the-log\n");
    PS_START(NULL);
    expect("first-line-of-the-log");
    assert_int_equal(truncate(ps_test_folder_path("app.1.gz"), 0), 0);
    append("app.1.gz",
           "first-line-of-the-log\nsecond-line\n"); /* the original was truncated before it was read to its
                                                     * end */
    move("app.1.gz", "app.log.1");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "third\n");
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    for (size_t i = 0; i < stage.event_count; i++)
        assert_true(strcmp(stage.events[i].body, "third") == 0 ||
                    strcmp(stage.events[i].body, "second-line") == 0 ||
                    strcmp(stage.events[i].body, "first-line-of-the-log") == 0);
    ps_test_stage_fini(&stage);
}

static void test_compressed_is_renamed(void **unused)
{
    ps_test_folder_append("app.1.gz", GZIP_TEXT, GZIP_BYTES);
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    move("app.1.gz", "app.2.gz");
    append("app.new", "two\n");
    expect("two");
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* A file is renamed and compressed while the agent is stopped: the unread rest is not read, and is reported. */
static void test_compressed_with_a_rest(void **unused)
{
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    ps_test_stage_close(&stage);
    gzFile out = gzopen(ps_test_folder_path("app.log.1.gz"), "wb");
    assert_non_null(out);
    assert_int_equal(gzputs(out, "one\ntwo\nthree\n"), 14);
    assert_int_equal(gzclose(out), Z_OK);
    assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    work_until((enum ps_counter)PS_TAIL_COUNTER_lost_bytes, 10);
    ps_test_stage_fini(&stage);
}

/* The same, and gzip was killed: the file does not end with the length of the text. */
static void test_compressed_in_part(void **unused)
{
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    ps_test_stage_close(&stage);
    gzFile out = gzopen(ps_test_folder_path("app.log.1.gz"), "wb");
    assert_non_null(out);
    assert_int_equal(gzputs(out, "one\ntwo\nthree\n"), 14);
    assert_int_equal(gzclose(out), Z_OK);
    struct stat status;
    assert_int_equal(stat(ps_test_folder_path("app.log.1.gz"), &status), 0);
    assert_int_equal(truncate(ps_test_folder_path("app.log.1.gz"), status.st_size - 4), 0);
    assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
    uint64_t warnings = ps_log_count(PS_LOG_WARN);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    append("app.log", "new\n");
    expect("new");
    uint64_t until = ps_test_patience_end_ns();
    while (ps_log_count(PS_LOG_WARN) == warnings) {
        assert_true(ps_test_patient_ns() < until);
        ps_test_source_settle(&stage, 0, 10);
    }
    assert_int_equal(ps_test_stage_counter(&stage, (enum ps_counter)PS_TAIL_COUNTER_lost_bytes), 0);
    ps_test_stage_fini(&stage);
}

/* Compressed files of all formats are not read as text. Those of gzip and zstd are compared with what was read. A
 * text that only begins like a compressed file is read. */
static void test_formats(void **unused)
{
    static const struct {
        const char *head;
        size_t length;
        bool text;
    } rows[] = {{"\x1f\x8b\x08", 3, false},
                {"\x28\xb5\x2f\xfd", 4, false},
                {"\x50\x2a\x4d\x18\4\0\0\0abcd\x28\xb5\x2f\xfd", 16, false}, /* pzstd */
                {"\x5f\x2a\x4d\x18", 4, false},
                {"BZh91AY&SY", 10, false},
                {"BZh1\x17\x72\x45\x38\x50\x90", 10, false},
                {"\xfd"
                 "7zXZ\0",
                 6, false},
                {"\x04\x22\x4d\x18", 4, false},
                {"\x89LZO\0", 5, false},
                {"LZIP\1", 5, false},
                {"]\0\0\x80", 4, false},
                {"\x1f\x9d\x90", 3, false},
                {"PK\3\4", 4, false},
                {"BZh", 3, true},
                {"BZhello-to-all", 14, true},
                {"BZh9-is-a-word", 14, true},
                {"BZh01AY&SY", 10, true},
                {"LZIP-is-a-word", 14, true},
                {"PK-too", 6, true},
                {"]", 1, true},
                {"P*M", 3, true}};
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char name[32], line[64];
        snprintf(name, sizeof name, "app.%zu", i);
        memcpy(line, rows[i].head, rows[i].length);
        memcpy(line + rows[i].length, "\nmore\n", 7);
        ps_test_folder_append("new", line, rows[i].length + 6);
        move("new", name);
        if (rows[i].text) {
            snprintf(line, sizeof line, "%s more", rows[i].head);
            expect(line);
        }
    }
    append("app.last", "two\n");
    expect("two");
    expect_nothing();
    ps_test_stage_fini(&stage);
}

static void zstd(const char *name, const char *text, size_t length)
{
    char packed[1024];
    size_t made = ZSTD_compress(packed, sizeof packed, text, length, 3);
    assert_false(ZSTD_isError(made));
    ps_test_folder_append(name, packed, made);
}

/* As in test_compressed_with_a_rest, with zstd, which has the length of the text at the beginning. */
static void test_zstd_with_a_rest(void **unused)
{
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    ps_test_stage_close(&stage);
    zstd("app.log.1.zst", "one\ntwo\nthree\n", 14);
    assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    work_until((enum ps_counter)PS_TAIL_COUNTER_lost_bytes, 10);
    ps_test_stage_fini(&stage);
}

static void work_until_warned(uint64_t warnings)
{
    uint64_t until = ps_test_patience_end_ns();
    while (ps_log_count(PS_LOG_WARN) < warnings) {
        ps_test_stage_real_clock(&stage);
        (void)ps_test_source_work(&stage);
        assert_true(ps_test_patient_ns() < until);
    }
}

/* A file that was read is compressed: nothing is logged. A file that was not read is named in the log once, not again
 * after a restart. The text is longer than one block of zstd. */
static void test_named_once(void **unused)
{
    enum { BYTES = 600000 };
    static char text[BYTES], packed[BYTES];
    uint64_t random = ps_test_seed();
    for (size_t i = 0; i < BYTES; i++)
        text[i] = i % 500 == 499 ? '\n' : (char)('a' + ps_test_random(&random) % 26);
    ps_test_folder_append("app.log", text, BYTES);
    PS_START(NULL);
    ps_test_source_wait(&stage, BYTES / 500, PS_TEST_PATIENCE_MS);
    ps_test_source_clear(&stage);
    uint64_t warnings = ps_log_count(PS_LOG_WARN);
    size_t made = ZSTD_compress(packed, sizeof packed, text, BYTES, 3);
    assert_false(ZSTD_isError(made));
    ps_test_folder_append("app.log.1.zst", packed, made);
    assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
    append("app.log", "new\n");
    expect("new");
    assert_int_equal(ps_log_count(PS_LOG_WARN), warnings);
    zstd("app.log.2.zst", "never-seen\n", 11);
    work_until_warned(warnings + 1); /* the files are looked at by another thread, in any order */
    append("app.other", "other\n");
    expect("other");
    assert_int_equal(ps_log_count(PS_LOG_WARN), warnings + 1);
    assert_int_equal(ps_test_stage_counter(&stage, (enum ps_counter)PS_TAIL_COUNTER_lost_bytes), 0);
    restart();
    append("app.log", "newer\n");
    expect("newer");
    expect_nothing();
    assert_int_equal(ps_log_count(PS_LOG_WARN), warnings + 1);
    ps_test_stage_fini(&stage);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(compressed),
                                       TEST(compressed_was_empty),
                                       TEST(inode_of_compressed_file),
                                       TEST(copy_on_inode_of_compressed_file),
                                       TEST(compressed_is_renamed),
                                       TEST(compressed_with_a_rest),
                                       TEST(compressed_in_part),
                                       TEST(formats),
                                       TEST(zstd_with_a_rest),
                                       TEST(named_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
