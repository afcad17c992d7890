/* Source taildir: files that are compressed, and files that get their inodes. */
#include "stages/lib/tail/tailer/tailer.h"
#include "tests/stages/sources/taildir_support.h"

#include <stdlib.h>

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

/* Compressed files of all formats are not read as text. A text that only begins like a compressed file is read. */
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

static uint64_t left_out(void)
{
    return ps_test_stage_counter(&stage, (enum ps_counter)PS_TAIL_COUNTER_compressed_files);
}

/* Returns how many lines of the log have this word. */
static unsigned logged(const char *word)
{
    unsigned count = 0;
    ps_log_flush();
    for (const char *at = ps_test_folder_read("state/log"); (at = strstr(at, word)) != NULL; at++)
        count++;
    return count;
}

/* One line tells of each compressed file, and it counts once, also over a restart. A file that is found again has no other line. */
static void test_left_out_once(void **unused)
{
    assert_int_equal(mkdir(ps_test_folder_path("state"), 0700), 0);
    assert_int_equal(ps_log_open(ps_test_folder_path("state/log"), NULL), PS_OK);
    uint64_t warnings = ps_log_count(PS_LOG_WARN);
    append("app.log", "one\n");
    ps_test_folder_append("app.log.1.gz", GZIP_TEXT, GZIP_BYTES);
    ps_test_folder_append("app.log.2.bz2", "BZh91AY&SY", 10);
    PS_START(NULL);
    expect("one");
    work_until((enum ps_counter)PS_TAIL_COUNTER_compressed_files, 2);
    assert_int_equal(logged("app.log.1.gz is compressed with gzip: it is left out"), 1);
    assert_int_equal(logged("app.log.2.bz2 is compressed with bzip2: it is left out"), 1);
    move("app.log.1.gz", "app.log.3.gz");
    restart();
    append("app.log", "two\n");
    expect("two");
    expect_nothing();
    assert_int_equal(left_out(), 2);
    assert_int_equal(logged("is left out"), 2);
    assert_int_equal(ps_log_count(PS_LOG_WARN), warnings);
    ps_test_stage_fini(&stage);
    assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
}

/* A log is compressed while it is read, and removed when that is complete: all of its lines are read, and so are those that its writer adds until
 * it opens the new log. */
static void test_compressed_while_it_is_read(void **unused)
{
    enum { LINES = 20000 };
    append("app.log", "first\n");
    PS_START(NULL);
    expect("first");
    FILE *writer = fopen(ps_test_folder_path("app.log"), "a");
    assert_non_null(writer);
    for (unsigned i = 0; i < LINES; i++)
        fprintf(writer, "%u\n", i);
    fflush(writer);
    ps_test_folder_append("app.log.1.gz", GZIP_TEXT, GZIP_BYTES);
    (void)ps_test_source_work(&stage); /* some of the lines are read */
    assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
    fputs("last\n", writer);
    fclose(writer);
    append("app.log", "new\n");
    ps_test_source_wait(&stage, LINES + 2, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.event_count, LINES + 2);
    unsigned next = 0, others = 0;
    for (size_t i = 0; i < stage.event_count; i++) {
        const char *body = stage.events[i].body;
        if (strcmp(body, "last") == 0 || strcmp(body, "new") == 0)
            others++;
        else
            assert_int_equal(strtoul(body, NULL, 10), next++);
    }
    assert_int_equal(next, LINES);
    assert_int_equal(others, 2);
    ps_test_source_clear(&stage);
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* An earlier version has read the text of a compressed file: its position is one in the text, and says nothing of the file's bytes. */
static void test_position_of_a_text(void **unused)
{
    append("app.log", "one\n");
    ps_test_folder_append("app.1.gz", GZIP_TEXT, GZIP_BYTES);
    PS_START(NULL);
    expect("one");
    work_until((enum ps_counter)PS_TAIL_COUNTER_compressed_files, 1);
    ps_test_stage_close(&stage);
    ps_test_source_clear(&stage);
    char positions_text[1024];
    snprintf(positions_text, sizeof positions_text,
             "[{\"inode\":%lu,\"pos\":5,\"file\":\"%s\",\"device\":1,\"head\":7,\"length\":5,\"text\":%d}]\n",
             inode_of("app.1.gz"), ps_test_folder_path("app.1.gz"), GZIP_BYTES);
    FILE *file = fopen(ps_test_folder_path("state/positions.json.identities"), "w");
    assert_non_null(file);
    fputs(positions_text, file);
    fclose(file);
    assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
    snprintf(positions_text, sizeof positions_text, "[{\"inode\":%lu,\"pos\":5,\"file\":\"%s\"}]\n",
             inode_of("app.1.gz"), ps_test_folder_path("app.1.gz"));
    write_positions(positions_text);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    append("app.new", "two\n");
    expect("two");
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* The key of earlier versions: its default is what happens, the other word is refused, and the line names what reads compressed files. */
static void test_key(void **unused)
{
    ps_test_stage_init(&stage, &ps_source_taildir);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("filegroups", "g", "filegroups.g", pattern,
                                                        "penstock.decompress", "never")),
                     PS_OK);
    ps_test_stage_fini(&stage);
    ps_test_stage_init(&stage, &ps_source_taildir);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("filegroups", "g", "filegroups.g", pattern,
                                                        "penstock.decompress", "auto")),
                     PS_FAIL);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "let a source of the type spooldir read"));
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
                                       TEST(formats),
                                       TEST(left_out_once),
                                       TEST(compressed_while_it_is_read),
                                       TEST(position_of_a_text),
                                       TEST(key)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
