/* Source taildir with real files. */
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ps_test_stage stage;
static char pattern[512], positions[512];

static int setup(void **state)
{
    ps_test_folder_setup(state);
    snprintf(pattern, sizeof pattern, "%s/app.*", ps_test_folder());
    snprintf(positions, sizeof positions, "%s/state/positions.json", ps_test_folder());
    return 0;
}

static void append(const char *name, const char *text)
{
    ps_test_folder_append(name, text, strlen(text));
}

static void move(const char *from, const char *to)
{
    assert_int_equal(rename(ps_test_folder_path(from), ps_test_folder_path(to)), 0);
}

/* PS_START("key", "value", ..): the source of all files app.*, with further keys. */
static void start_with(const char *const *keys)
{
    const char *all[64] = {NULL};
    size_t count = 0;
    for (; *keys != NULL; keys++) /* the first one of a key counts */
        all[count++] = *keys;
    const char *const usual[] = {"filegroups", "g", "filegroups.g", pattern, "positionFile", positions};
    memcpy(&all[count], usual, sizeof usual);
    ps_test_stage_start(&stage, &ps_source_taildir, all);
}
#define PS_START(...) start_with(PS_KEYS(__VA_ARGS__))

static void restart(void)
{
    ps_test_stage_close(&stage);
    ps_test_source_clear(&stage);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
}

/* Waits for these lines, separated by blanks, and forgets them. */
static void expect(const char *lines)
{
    char text[4096] = "";
    size_t count = 0;
    for (const char *at = lines; *at != '\0'; at++)
        count += at == lines || *at == ' ';
    ps_test_source_wait(&stage, count, PS_TEST_PATIENCE_MS);
    for (size_t i = 0; i < stage.event_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " " : "",
                 stage.events[i].body);
    assert_string_equal(text, lines);
    ps_test_source_clear(&stage);
}

/* Until so many files are open. */
static void wait_for_open(unsigned count)
{
    uint64_t until = ps_clock_now().mono_ns + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
    while (ps_test_stage_counter(&stage, PS_COUNTER_extra + 1) != count) {
        ps_test_source_settle(&stage, 0, 10);
        assert_true(ps_clock_now().mono_ns < until);
    }
}

static void expect_nothing(void)
{
    ps_test_source_settle(&stage, 0, 100);
}

static char *read_positions(void)
{
    static char text[4096];
    FILE *file = fopen(positions, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void write_positions(const char *text)
{
    (void)mkdir(ps_test_folder_path("state"), 0700);
    FILE *file = fopen(positions, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static unsigned long inode_of(const char *name)
{
    struct stat status;
    assert_int_equal(stat(ps_test_folder_path(name), &status), 0);
    return (unsigned long)status.st_ino;
}

static void test_lines(void **unused)
{
    (void)unused;
    append("app.log", "one\ntwo\r\n");
    PS_START(NULL);
    expect("one two");
    append("app.log", "thr");
    expect_nothing();
    append("app.log", "ee\n\r\n");
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    assert_string_equal(stage.events[0].body, "three");
    assert_int_equal(stage.events[1].length, 0);
    assert_int_equal(ps_test_event_header_count(&stage.events[0]), 0);
    ps_test_source_clear(&stage);
    append("app.second", "four\n");
    append("other", "no\n");
    expect("four");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount), 5);
    ps_test_stage_fini(&stage);
}

static void test_headers(void **unused)
{
    (void)unused;
    char second[512], path[512];
    snprintf(second, sizeof second, "%s//second\\.\\d", ps_test_folder());
    append("app.log", "one\ntwo\n");
    append("second.1", "three\n");
    PS_START("filegroups", "g h", "filegroups.h", second, "headers.g.kind", "first", "headers.h.kind",
             "other", "headers.h.more.dots", "x", "fileHeader", "true", "fileHeaderKey", "path",
             "byteOffsetHeader", "true");
    ps_test_source_wait(&stage, 3, PS_TEST_PATIENCE_MS);
    size_t third = strcmp(stage.events[0].body, "three") == 0 ? 0 : 2;
    const struct ps_test_event *two = &stage.events[third == 0 ? 2 : 1], *three = &stage.events[third];
    assert_string_equal(ps_test_event_header(two, "kind"), "first");
    assert_string_equal(ps_test_event_header(two, "byteoffset"), "4");
    snprintf(path, sizeof path, "%s/app.log", ps_test_folder());
    assert_string_equal(ps_test_event_header(two, "path"), path);
    assert_int_equal(ps_test_event_header_count(two), 3);
    assert_string_equal(ps_test_event_header(three, "kind"), "other");
    assert_string_equal(ps_test_event_header(three, "more.dots"), "x");
    assert_string_equal(ps_test_event_header(three, "byteoffset"), "0");
    ps_test_stage_fini(&stage);
}

static void test_restart(void **unused)
{
    (void)unused;
    char expected[512];
    append("app.log", "one\ntwo\nhal");
    PS_START(NULL);
    expect("one two");
    ps_test_stage_close(&stage);
    snprintf(expected, sizeof expected, "[{\"inode\":%lu,\"pos\":8,\"file\":\"%s/app.log\"}]\n",
             inode_of("app.log"), ps_test_folder());
    assert_string_equal(read_positions(), expected);
    append("app.log", "f\nthree\n");
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    expect("half three");
    restart();
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* Lines that are not delivered are read again. */
static void test_positions_follow_delivery(void **unused)
{
    (void)unused;
    append("app.log", "one\ntwo\n");
    PS_START(NULL);
    expect("one two");
    append("app.log", "three\n");
    while (stage.batch == NULL || stage.batch->count == 0)
        ps_test_source_work(&stage);
    ps_test_stage_close(&stage); /* the batch was not closed */
    assert_non_null(strstr(read_positions(), "\"pos\":8,"));
    ps_test_stage_fini(&stage);
    PS_START(NULL);
    expect("three");
    ps_test_stage_fini(&stage);
}

/* Flume's position file, as its Gson writes it. */
static void test_flumes_positions(void **unused)
{
    (void)unused;
    char text[1024];
    append("app.a=b", "one\ntwo\n");
    append("app.renamed", "three\nfour\n");
    append("app.shorter", "five\n");
    snprintf(text, sizeof text,
             "[{\"inode\":%lu,\"pos\":4,\"file\":\"%s/"
             "app.a\\u003db\"},{\"inode\":%lu,\"pos\":6,\"file\":\"%s/app.before\"},"
             "{\"inode\":%lu,\"pos\":600,\"file\":\"%s/app.shorter\"}]",
             inode_of("app.a=b"), ps_test_folder(), inode_of("app.renamed"), ps_test_folder(),
             inode_of("app.shorter"), ps_test_folder());
    write_positions(text);
    PS_START(NULL);
    ps_test_source_wait(&stage, 3, PS_TEST_PATIENCE_MS);
    ps_test_source_settle(&stage, 3, 100);
    bool two = false, four = false, five = false;
    for (size_t i = 0; i < 3; i++) {
        two |= strcmp(stage.events[i].body, "two") == 0;
        four |= strcmp(stage.events[i].body, "four") == 0;
        five |= strcmp(stage.events[i].body, "five") == 0;
    }
    assert_true(two && four && five);
    ps_test_stage_fini(&stage);
}

static void test_rename(void **unused)
{
    (void)unused;
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    append("app.log", "two\n");
    move("app.log", "app.log.1");
    append("app.log", "three\n");
    expect("two three");
    append("app.log.1", "four\n"); /* its writer did not notice yet */
    expect("four");
    move("app.log.1", "gone.1"); /* a name that does not match */
    move("app.log", "app.log.1");
    append("gone.1", "five\n");
    expect("five");
    append("app.log", "six\n");
    expect("six");
    restart();
    expect_nothing();
    append("gone.1", "seven\n"); /* also after a restart */
    expect("seven");
    ps_test_stage_fini(&stage);
}

static void test_renamed_while_stopped(void **unused)
{
    (void)unused;
    append("app.log", "one\ntwo\n");
    append("app.same", "one\ntwo\n");
    PS_START(NULL);
    expect("one two one two");
    ps_test_stage_close(&stage);
    append("app.log", "three\n");
    move("app.log", "rotated.1");
    append("app.log", "four\n");
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    expect("three four");
    restart();
    expect_nothing();
    ps_test_stage_fini(&stage);
}

static void test_cut(void **unused)
{
    (void)unused;
    append("app.log", "one\ntwo\n");
    PS_START(NULL);
    expect("one two");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "x\n");
    expect("x");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "longer than before\n"); /* at once: the size alone does not tell */
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_string_equal(stage.events[0].body, "longer than before");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_extra + 2), 2);
    ps_test_source_clear(&stage);
    ps_test_stage_close(&stage);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "while it was stopped, much longer\n");
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_string_equal(stage.events[0].body, "while it was stopped, much longer");
    ps_test_stage_fini(&stage);
}

/* The copy that logrotate's copytruncate makes is no new file; what was not read of the original is read from it. */
static void test_copy_and_cut(void **unused)
{
    (void)unused;
    append("app.log", "one\ntwo\n");
    PS_START(NULL);
    expect("one two");
    append("app.log.1", "one\ntwo\nthree\n"); /* "three" came before the copy was made, and was not read */
    for (int i = 0; i < 20; i++)
        ps_test_source_work(&stage);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "four\n");
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    ps_test_source_settle(&stage, 2, 100);
    ps_test_source_clear(&stage);
    restart();
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* The copy is known as one also when the original was cut before it was read to its end. */
static void test_copy_of_what_was_read_in_part(void **unused)
{
    (void)unused;
    append("app.log", "one\n");
    PS_START("batchSize", "1");
    expect("one");
    append("app.log", "two\nthree\nfour\n");
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.event_count, 1);
    append("app.log.1", "one\ntwo\nthree\nfour\n");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    ps_test_source_wait(&stage, 3, PS_TEST_PATIENCE_MS);
    ps_test_source_settle(&stage, 3, 100);
    ps_test_stage_fini(&stage);
}

/* A file that is cut before anything of it was read is known by its new beginning. */
static void test_cut_before_it_was_read(void **unused)
{
    (void)unused;
    append("app.log", "no line yet");
    PS_START(NULL);
    wait_for_open(1);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "another line\n");
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_string_equal(stage.events[0].body, "another line");
    restart();
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* Until the counter has reached this; the open batch is not delivered. */
static void work_until(enum ps_counter counter, uint64_t value)
{
    uint64_t until = ps_clock_now().mono_ns + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
    while (ps_test_stage_counter(&stage, counter) < value) {
        ps_test_stage_real_clock(&stage);
        (void)ps_test_source_work(&stage);
        assert_true(ps_clock_now().mono_ns < until);
    }
}

/* What was read of a file that was copied and cut, and not delivered, is read from the copy after a crash. */
static void test_copy_of_what_is_not_delivered(void **unused)
{
    (void)unused;
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    append("app.log", "two\n");
    work_until(PS_COUNTER_EventReceivedCount, 2);
    append("app.log.1", "one\ntwo\n");
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    uint64_t until = ps_clock_now().mono_ns + 300 * PS_NS_PER_MS;
    while (ps_clock_now().mono_ns < until) { /* it notices, and waits */
        ps_test_stage_real_clock(&stage);
        (void)ps_test_source_work(&stage);
    }
    ps_test_stage_close(&stage);
    ps_test_stage_recycle(&stage); /* the batch is lost */
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    expect("two");
    append("app.log", "three\n");
    expect("three");
    ps_test_stage_fini(&stage);
}

/* The same for a copy that turns up after its original began anew. */
static void test_late_copy_of_what_is_not_delivered(void **unused)
{
    (void)unused;
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    append("app.log", "two\n");
    work_until(PS_COUNTER_EventReceivedCount, 2);
    assert_int_equal(truncate(ps_test_folder_path("app.log"), 0), 0);
    append("app.log", "three\n");
    work_until(PS_COUNTER_EventReceivedCount, 3);
    append("app.log.1", "one\ntwo\n");
    work_until(PS_COUNTER_extra + 1, 2); /* both are open */
    ps_test_stage_close(&stage);
    ps_test_stage_recycle(&stage); /* the batch is lost */
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    bool two_first = strcmp(stage.events[0].body, "two") == 0;
    assert_string_equal(stage.events[two_first ? 0 : 1].body, "two");
    assert_string_equal(stage.events[two_first ? 1 : 0].body, "three");
    ps_test_source_clear(&stage);
    restart();
    expect_nothing();
    ps_test_stage_fini(&stage);
}

static void test_deleted_while_it_is_read(void **unused)
{
    (void)unused;
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    FILE *writer = fopen(ps_test_folder_path("app.log"), "a");
    assert_non_null(writer);
    assert_int_equal(unlink(ps_test_folder_path("app.log")), 0);
    fputs("two\n", writer);
    fflush(writer);
    expect("two");
    append("app.log", "three\n"); /* may have its inode */
    expect("three");
    fclose(writer);
    ps_test_stage_fini(&stage);
}

static void test_idle(void **unused)
{
    (void)unused;
    append("app.log", "one\ntw");
    PS_START("idleTimeout", "200");
    expect("one tw"); /* the rest of a file that rests */
    wait_for_open(0);
    append("app.log", "o\nthree\n");
    expect("o three");
    ps_test_stage_fini(&stage);
}

static void test_skip_to_end(void **unused)
{
    (void)unused;
    append("app.log", "one\n");
    PS_START("skipToEnd", "true");
    wait_for_open(1);
    expect_nothing();
    append("app.log", "two\n");
    expect("two");
    append("app.new", "three\n");
    expect("three");
    ps_test_stage_fini(&stage);
}

static void test_long_lines(void **unused)
{
    (void)unused;
    size_t length = 3 * PS_BLOCK_BYTES + 17;
    char *line = malloc(length + 2);
    assert_non_null(line);
    for (size_t i = 0; i < length; i++)
        line[i] = (char)('a' + i % 26);
    line[length] = '\n';
    append("app.log", "one\n");
    ps_test_folder_append("app.log", line, length + 1);
    append("app.log", "two\n");
    PS_START(NULL);
    ps_test_source_wait(&stage, 3, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.events[1].length, length);
    assert_memory_equal(stage.events[1].body, line, length);
    assert_string_equal(stage.events[2].body, "two");
    ps_test_stage_fini(&stage);
    assert_int_equal(unlink(positions), 0);
    PS_START("penstock.line.max", "300k", "byteOffsetHeader", "true");
    ps_test_source_wait(&stage, 5, PS_TEST_PATIENCE_MS);
    size_t at = 0;
    for (size_t i = 1; i < 4; i++) {
        assert_memory_equal(stage.events[i].body, line + at, stage.events[i].length);
        at += stage.events[i].length;
    }
    assert_int_equal(at, length);
    assert_string_equal(stage.events[4].body, "two");
    ps_test_stage_fini(&stage);
    assert_int_equal(unlink(positions), 0);
    PS_START("penstock.line.max", "1");
    ps_test_source_wait(&stage, 6, PS_TEST_PATIENCE_MS);
    assert_string_equal(stage.events[0].body, "o");
    free(line);
    ps_test_stage_fini(&stage);
}

static void test_batches_and_turns(void **unused)
{
    (void)unused;
    char line[32];
    for (int file = 0; file < 3; file++) {
        char name[32];
        snprintf(name, sizeof name, "app.%d", file);
        for (int i = 0; i < 250; i++) {
            snprintf(line, sizeof line, "%d-%03d\n", file, i);
            append(name, line);
        }
    }
    PS_START("batchSize", "10", "maxBatchCount", "2");
    ps_test_source_wait(&stage, 750, PS_TEST_PATIENCE_MS);
    unsigned next[3] = {0}, changes = 0;
    for (size_t i = 0; i < stage.event_count; i++) {
        int file = stage.events[i].body[0] - '0';
        assert_int_equal(atoi(stage.events[i].body + 2), next[file]++);
        changes += i > 0 && stage.events[i - 1].body[0] != stage.events[i].body[0];
    }
    assert_true(changes > 6); /* no file is read to its end at once */
    ps_test_stage_fini(&stage);
}

static void test_mistakes(void **unused)
{
    (void)unused;
    static const struct {
        const char *keys[8], *problem;
    } cases[] = {
        {{"filegroups", "g"}, "no group has files"},
        {{"filegroups", "g", "filegroups.g", "name"}, "has no directory"},
        {{"filegroups", "g", "filegroups.g", "/tmp/(x"}, "(x"},
        {{"filegroups", "g", "filegroups.g", "/tmp/x", "headers.g", "x"}, "no header"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        ps_test_stage_init(&stage, &ps_source_taildir);
        assert_int_equal(ps_test_stage_bind(&stage, cases[i].keys), PS_FAIL);
        assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, cases[i].problem));
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(lines),
        TEST(headers),
        TEST(restart),
        TEST(positions_follow_delivery),
        TEST(flumes_positions),
        TEST(rename),
        TEST(renamed_while_stopped),
        TEST(cut),
        TEST(copy_and_cut),
        TEST(copy_of_what_was_read_in_part),
        TEST(cut_before_it_was_read),
        TEST(copy_of_what_is_not_delivered),
        TEST(late_copy_of_what_is_not_delivered),
        TEST(deleted_while_it_is_read),
        TEST(idle),
        TEST(skip_to_end),
        TEST(long_lines),
        TEST(batches_and_turns),
        TEST(mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
