/* Source taildir with real files; rotations are in taildir_rotation_test.c. */
#include "tests/stages/sources/taildir_support.h"

#include "stages/lib/tail/positions.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>

static void test_lines(void **unused)
{
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
    char second[512], path[512];
    snprintf(second, sizeof second, "%s//second\\.\\d", ps_test_folder());
    append("app.log", "one\ntwo\n");
    append("second.1", "three\n");
    PS_START("filegroups", "g h gg", "filegroups.h", second, "headers.gg.kind", "not of g", "headers.g.kind",
             "first", "headers.h.kind", "other", "headers.h.more.dots", "x", "fileHeader", "true",
             "fileHeaderKey", "path", "byteOffsetHeader", "true");
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

static void test_idle(void **unused)
{
    append("app.log", "one\ntw");
    PS_START("idleTimeout", "200");
    expect("one tw"); /* the rest of a file that no longer changes */
    wait_for_open(0);
    append("app.log", "o\nthree\n");
    expect("o three");
    ps_test_stage_fini(&stage);
}

/* A line that is still being written is not cut: each addition restarts its time-out, however old the last whole line is. */
static void test_line_that_grows_does_not_rest(void **unused)
{
    append("app.log", "one\nha");
    PS_START("idleTimeout", "3600000");
    expect("one");
    for (const char *piece = "l...."; *piece != '\0'; piece++) {
        ps_test_stage_pass_ms(&stage, 3500000);
        append("app.log", (const char[]){*piece, '\0'});
        expect_nothing();
        ps_test_stage_pass_ms(&stage, 200000);
        expect_nothing();
    }
    append("app.log", "f\n");
    expect("hal....f");
    ps_test_stage_fini(&stage);
}

/* After a line that counted without a newline, each line waits for a rest of its own. */
static void test_each_line_has_its_own_rest(void **unused)
{
    append("app.log", "one\ntw");
    PS_START("idleTimeout", "3600000");
    expect("one");
    for (int i = 0; i < 2; i++) {
        ps_test_stage_pass_ms(&stage, 3700000);
        expect("tw");
        append("app.log", "o\nthr");
        expect("o");
        append("app.log", "ee\nfo");
        expect("three");
        append("app.log", "ur\ntw");
        expect("four");
    }
    ps_test_stage_fini(&stage);
}

static void test_skip_to_end(void **unused)
{
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

/* Lines that came while the agent ran are not skipped at the next start: also of a file that had none when it was
 * found, or when the agent stopped, and of one that could not be opened before the stop. */
static void test_skip_to_end_skips_nothing_new(void **unused)
{
    append("app.empty", "");
    append("app.old", "old\n");
    PS_START("skipToEnd", "true");
    wait_for_open(1);
    append("app.empty", "one\n");
    expect("one");
    append("app.new", "");
    work_until(PS_COUNTER_extra, 3);
    ps_test_stage_close(&stage);
    append("app.new", "two\n");
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    expect("two");
    char name[32], text[32];
    for (unsigned i = 0; i < 1200; i++) { /* more than are opened at once */
        snprintf(name, sizeof name, "app.%u", i);
        snprintf(text, sizeof text, "%u three\n", i);
        append(name, text);
    }
    work_until(PS_COUNTER_extra, 1203);
    ps_test_source_close_batch(&stage); /* delivers the lines that were read from some of them */
    ps_test_stage_close(&stage);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    ps_test_source_wait(&stage, 1200, PS_TEST_PATIENCE_MS);
    for (size_t i = 0; i < stage.event_count; i++)
        assert_non_null(strstr(stage.events[i].body, "three"));
    ps_test_source_clear(&stage);
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* A file without lines, and a directory that is missing, at the start: lines that come while the agent runs, or just
 * before it stops, are not skipped at the next start. A file that was skipped to the middle of a line is continued
 * there after it was closed. */
static void test_skip_to_end_of_what_was_empty(void **unused)
{
    char late_files[620], late[600];
    snprintf(late, sizeof late, "%s/late", ps_test_folder());
    snprintf(late_files, sizeof late_files, "%s/l.*", late);
    append("app.empty", "");
    append("app.half", "ha");
    PS_START("skipToEnd", "true", "idleTimeout", "100", "filegroups", "g h", "filegroups.h", late_files);
    work_until(PS_COUNTER_extra, 2);
    ps_test_stage_pass_ms(&stage, 6000);
    wait_for_open(0);
    append("app.half", "lf\ntwo\n");
    expect("lf two");
    assert_int_equal(mkdir(late, 0755), 0);
    append("late/log", "three\n");
    ps_test_stage_pass_ms(&stage, 6000);
    expect("three");
    ps_test_stage_close(&stage);
    append("app.empty", "four\n");
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    expect("four");
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* A copy that exists at the start waits until the fate of its original is known, and is a new file then. */
static void test_skip_to_end_of_a_copy(void **unused)
{
    append("app.log", "one\n");
    append("app.copy", "one\n");
    PS_START("skipToEnd", "true", "idleTimeout", "3600000");
    wait_for_open(1);
    ps_test_stage_pass_ms(&stage, 11000);
    wait_for_open(2);
    append("app.copy", "two\n");
    expect("two");
    ps_test_stage_fini(&stage);
}

static void test_long_lines(void **unused)
{
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

/* A line of penstock.line.max bytes is not cut: no event with a rest follows. */
static void test_lines_of_the_longest_length(void **unused)
{
    append("app.log", "12345\n1234\r\n123456\n1234\n");
    PS_START("penstock.line.max", "5");
    ps_test_source_wait(&stage, 5, PS_TEST_PATIENCE_MS);
    assert_string_equal(stage.events[0].body, "12345");
    assert_string_equal(stage.events[1].body, "1234");
    assert_string_equal(stage.events[2].body, "12345");
    assert_string_equal(stage.events[3].body, "6");
    assert_string_equal(stage.events[4].body, "1234");
    ps_test_stage_fini(&stage);
}

static void test_batches_and_turns(void **unused)
{
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
    unsigned next[3] = {0}, turn = 0;
    for (size_t i = 0; i < stage.event_count; i++) {
        int file = stage.events[i].body[0] - '0', before = i > 0 ? stage.events[i - 1].body[0] - '0' : file;
        assert_int_equal(atoi(stage.events[i].body + 2), next[file]++);
        if (file != before && next[before] < 250)
            assert_int_equal(turn, 20); /* in each turn, not only in the first */
        turn = file != before ? 1 : turn + 1;
    }
    ps_test_stage_fini(&stage);
}

/* A file that was followed is no longer read when no group matches it. */
static void test_narrower_group(void **unused)
{
    char narrow[600];
    snprintf(narrow, sizeof narrow, "%s/app[.]log", ps_test_folder());
    append("app.log", "one\n");
    append("app.secret", "two\n");
    PS_START(NULL);
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    ps_test_stage_fini(&stage);
    append("app.secret", "three\n");
    append("app.log", "four\n");
    PS_START("filegroups.g", narrow);
    expect("four");
    append("app.secret", "five\n");
    append("app.log", "six\n");
    expect("six");
    expect_nothing();
    ps_test_stage_fini(&stage);
}

/* A file that could not be opened is tried again, even if nothing is written to it. */
static void test_unreadable(void **unused)
{
    if (geteuid() == 0)
        ps_test_skip("root may read every file");
    append("app.log", "one\n");
    assert_int_equal(chmod(ps_test_folder_path("app.log"), 0), 0);
    PS_START(NULL);
    work_until(PS_COUNTER_EventReadFail, 1);
    assert_int_equal(chmod(ps_test_folder_path("app.log"), 0600), 0);
    expect("one");
    ps_test_stage_fini(&stage);
}

/* More files than may be open at once: files read to their end make room. */
static void test_more_files_than_descriptors(void **unused)
{
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = 64, .rlim_max = before.rlim_max};
    char name[32];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "app.%d", i);
        append(name, "one\n");
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    uint64_t warnings = ps_log_count(PS_LOG_WARN), errors = ps_log_count(PS_LOG_ERROR);
    PS_START(NULL);
    ps_test_source_wait(&stage, 100, PS_TEST_PATIENCE_MS);
    ps_test_source_clear(&stage);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "app.%d", i);
        append(name, "two\n");
    }
    ps_test_source_wait(&stage, 100, PS_TEST_PATIENCE_MS);
    assert_int_equal(ps_log_count(PS_LOG_WARN), warnings); /* the process has not run out of descriptors */
    assert_int_equal(ps_log_count(PS_LOG_ERROR), errors);
    ps_test_stage_fini(&stage);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* The process runs out of descriptors all the same: the source keeps fewer open, and logs that once. */
static void test_fewer_descriptors_than_at_the_start(void **unused)
{
    struct rlimit before, few;
    char name[32];
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = 64, .rlim_max = before.rlim_max};
    append("app.log", "one\n");
    PS_START("idleTimeout", "3600000", NULL);
    expect("one");
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        for (unsigned i = 0; i < 100; i++) {
            snprintf(name, sizeof name, "app.%u.%u", round, i);
            ps_test_folder_append(name, name, strlen(name));
            append(name, "\n");
        }
        ps_test_source_wait(&stage, 100, PS_TEST_PATIENCE_MS);
        assert_int_equal(stage.event_count, 100);
        ps_test_source_clear(&stage);
    }
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    ps_test_stage_fini(&stage);
}

/* Position files in a followed directory are not read as logs, whichever of them a stop has left. A file whose name only begins
 * like theirs is. */
static void test_positions_among_the_files(void **unused)
{
    static const char *const suffixes[] = {PS_TAIL_POSITION_FILES};
    char own[512];
    snprintf(own, sizeof own, "%s/app.positions", ps_test_folder());
    append("app.positions.log", "one\n");
    append("app.positions2", "two\n");
    PS_START("positionFile", own);
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    ps_test_source_clear(&stage);
    ps_test_stage_close(&stage); /* writes the positions */
    assert_int_equal(access(own, F_OK), 0);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    for (size_t i = 0; i < PS_COUNT_OF(suffixes); i++) {
        char name[64];
        snprintf(name, sizeof name, "app.positions%s", suffixes[i]);
        if (access(ps_test_folder_path(name), F_OK) != 0)
            append(name, "a part of the positions\n");
    }
    append("app.positions.log", "three\n");
    expect("three");
    expect_nothing();
    for (size_t i = 1; i < PS_COUNT_OF(suffixes); i++) {
        char name[64], line[80];
        snprintf(name, sizeof name, "app.positions%sx", suffixes[i]);
        snprintf(line, sizeof line, "of:%s\n", name);
        append(name, line);
        line[strlen(line) - 1] = '\0';
        expect(line);
    }
    expect_nothing();
    ps_test_stage_fini(&stage);
}

static void test_mistakes(void **unused)
{
    static const struct {
        const char *keys[8], *problem;
    } cases[] = {
        {{"filegroups", "g"}, "no group has files"},
        {{"filegroups", "g", "filegroups.g", "name"}, "has no directory"},
        {{"filegroups", "g", "filegroups.g", "/tmp/(x"}, "(x"},
        {{"filegroups", "g", "filegroups.g", "/tmp/*.x"}, "write /tmp/.*[.]x"},
        {{"filegroups", "g", "filegroups.g", "//tmp//y//*.x"}, "write /tmp/y/.*[.]x"},
        {{"filegroups", "g", "filegroups.g", "/*.x"},
         "write /.*[.]x"}, /* of the root, not of the working directory */
        {{"filegroups", "g", "filegroups.g", "/tmp/x", "headers.g", "x"}, "no header"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        ps_test_stage_init(&stage, &ps_source_taildir);
        assert_int_equal(ps_test_stage_bind(&stage, cases[i].keys), PS_FAIL);
        assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, cases[i].problem));
        ps_test_stage_fini(&stage);
    }
}

/* Another process has the lock of the position file. */
static void test_two_agents(void **unused)
{
    char lock[600];
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one");
    ps_test_stage_close(&stage);
    snprintf(lock, sizeof lock, "%s.lock", positions);
    int fd = open(lock, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0); /* the source released the lock */
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, "4711\n", 5, 0), 5);
    assert_int_equal(ps_test_stage_open(&stage), PS_FAIL);
    const char *reason = ps_err_join(&stage.err);
    assert_non_null(strstr(reason, positions));
    assert_non_null(strstr(reason, "in use by process 4711, another agent; set another positionFile"));
    close(fd);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    append("app.log", "two\n");
    expect("two");
    ps_test_stage_fini(&stage);
}

/* A source that waits for its deliveries reads no events: they do not wake the worker again and again. */
static void test_events_while_draining(void **unused)
{
    struct epoll_event event;
    append("app.log", "one\n");
    PS_START(NULL);
    expect("one"); /* from now on the directory is watched */
    append("app.log", "two\n");
    work_until(PS_COUNTER_EventReceivedCount, 2);
    assert_false(stage.ops->source->drain(stage.plan, stage.state, &stage.now));
    append("app.log", "three\n");
    append("app.new", "four\n");
    assert_int_equal(ps_test_source_work(&stage), PS_IDLE);
    assert_int_equal(epoll_wait(stage.port.epoll_fd, &event, 1, 0), 0);
    ps_test_source_close_batch(&stage);
    ps_test_stage_fini(&stage);
}

static bool drain_for(unsigned ms)
{
    for (unsigned i = 0; i < ms; i++) {
        if (stage.ops->source->drain(stage.plan, stage.state, &stage.now))
            return true;
        (void)ps_test_source_work(&stage);
        ps_test_stage_pass_ms(&stage, 1);
        usleep(1000);
    }
    return false;
}

/* The positions cannot be written for a moment, while the agent stops: no line comes twice. */
static void test_positions_fail_while_draining(void **unused)
{
    char blocker[600];
    append("app.log", "one\n");
    PS_START("writePosInterval", "3600000", NULL);
    expect("one");
    snprintf(blocker, sizeof blocker, "%s.identities.new", positions);
    assert_int_equal(mkdir(blocker, 0700), 0); /* the file that is written first */
    assert_false(drain_for(20));
    work_until(PS_COUNTER_GenericProcessingFail, 1);
    assert_int_equal(rmdir(blocker), 0);
    assert_true(drain_for(PS_TEST_PATIENCE_MS));
    restart();
    append("app.log", "two\n");
    expect("two");
    ps_test_stage_fini(&stage);
}

/* The positions can never be written: the stop still ends. */
static void test_positions_fail_for_good(void **unused)
{
    char blocker[600];
    append("app.log", "one\n");
    PS_START("writePosInterval", "3600000", NULL);
    expect("one");
    snprintf(blocker, sizeof blocker, "%s.identities.new", positions);
    assert_int_equal(mkdir(blocker, 0700), 0);
    assert_true(drain_for(PS_TEST_PATIENCE_MS));
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_GenericProcessingFail), 6);
    restart();
    expect("one");
    ps_test_stage_fini(&stage);
    assert_int_equal(rmdir(blocker), 0);
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
        TEST(events_while_draining),
        TEST(positions_fail_while_draining),
        TEST(positions_fail_for_good),
        TEST(idle),
        TEST(line_that_grows_does_not_rest),
        TEST(each_line_has_its_own_rest),
        TEST(skip_to_end),
        TEST(skip_to_end_skips_nothing_new),
        TEST(skip_to_end_of_a_copy),
        TEST(skip_to_end_of_what_was_empty),
        TEST(long_lines),
        TEST(lines_of_the_longest_length),
        TEST(batches_and_turns),
        TEST(narrower_group),
        TEST(unreadable),
        TEST(more_files_than_descriptors),
        TEST(fewer_descriptors_than_at_the_start),
        TEST(positions_among_the_files),
        TEST(mistakes),
        TEST(two_agents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
