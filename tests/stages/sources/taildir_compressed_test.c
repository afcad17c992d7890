/* Source taildir: files that are compressed, and those that get their inodes. */
#include "stages/tail/tailer.h"
#include "tests/stages/sources/taildir_support.h"

#include <zlib.h>

static void test_compressed(void **unused)
{
    (void)unused;
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

/* gzip makes an empty file first; its inode may be one that the position file has. */
static void test_compressed_was_empty(void **unused)
{
    (void)unused;
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
    wait_for_open(1); /* what it is was noticed */
    append("app.log", "three\n");
    expect("three");
    ps_test_stage_fini(&stage);
}

/* The oldest compressed file is deleted, and the new log gets its inode. */
static void test_inode_of_compressed_file(void **unused)
{
    (void)unused;
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

/* And a copy that gets it is read from its beginning, or as far as its original was. */
static void test_copy_on_inode_of_compressed_file(void **unused)
{
    (void)unused;
    ps_test_folder_append("app.1.gz", GZIP_TEXT, GZIP_BYTES);
    append("app.log", "first-line-of-the-log\n");
    PS_START(NULL);
    expect("first-line-of-the-log");
    assert_int_equal(truncate(ps_test_folder_path("app.1.gz"), 0), 0);
    append("app.1.gz",
           "first-line-of-the-log\nsecond-line\n"); /* the original was cut before it was read to its end */
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
    (void)unused;
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

/* Renamed and compressed while the agent was stopped: what was not read before is not read, and told. */
static void test_compressed_with_a_rest(void **unused)
{
    (void)unused;
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

/* The same, and gzip was killed: what the file ends with is no length. */
static void test_compressed_in_part(void **unused)
{
    (void)unused;
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
    uint64_t until = ps_clock_now().mono_ns + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
    while (ps_log_count(PS_LOG_WARN) == warnings) {
        assert_true(ps_clock_now().mono_ns < until);
        ps_test_source_settle(&stage, 0, 10);
    }
    assert_int_equal(ps_test_stage_counter(&stage, (enum ps_counter)PS_TAIL_COUNTER_lost_bytes), 0);
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
                                       TEST(compressed_in_part)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
