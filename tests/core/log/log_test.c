/* The log: format of a line, escaping, rate limit, rotated files, a reader that stops reading. */
#include "core/log/log.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINES 10 /* of a kind that come whole in ten seconds */

static char directory[64];
static char path[96];

static int setup(void **state)
{
    snprintf(directory, sizeof directory, "/tmp/ps_log_test_XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/agent.log", directory);
    return 0;
}

static int teardown(void **state)
{
    char other[128];
    ps_log_open(NULL, NULL);
    snprintf(other, sizeof other, "%s.1", path);
    unlink(other);
    unlink(path);
    return rmdir(directory);
}

static size_t file_read(const char *name, char *text, size_t room)
{
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    size_t length = fread(text, 1, room - 1, file);
    text[length] = '\0';
    fclose(file);
    return length;
}

/* Returns the text after "message": of the last line. */
static const char *message_of(char *text)
{
    const char *at = strstr(text, "\"message\":");
    assert_non_null(at);
    assert_string_equal(text + strlen(text) - 2, "}\n");
    return at + strlen("\"message\":");
}

static void test_json(void **state)
{
    static char text[40000], longest[20001];
    struct ps_err err;
    memset(longest, '"', sizeof longest - 1);
    assert_int_equal(ps_log_open(path, &err), PS_OK);
    ps_log_set_json(true);
    ps_log(PS_LOG_WARN, "source \"r1\"", "a\tb \\ \"c\" \xc3\xa9 \xff \xe2\x82");
    size_t length = file_read(path, text, sizeof text);
    assert_true(strncmp(text, "{\"time\":\"2", 10) == 0);
    assert_non_null(
        strstr(text, "Z\",\"level\":\"WARN\",\"component\":\"source \\\"r1\\\"\",\"message\":\""));
    assert_string_equal(message_of(text), "\"a\\u0009b \\\\ \\\"c\\\" \xc3\xa9 \\ufffd \\ufffd\\ufffd\"}\n");
    assert_int_equal(length, strlen(text));
    unlink(path);
    ps_log_open(path, &err);
    ps_log(PS_LOG_WARN, "agent", "a\xc2\x9b\xe2\x80\xae\xf3\xa0\x80\x81z");
    file_read(path, text, sizeof text);
    assert_string_equal(message_of(text), "\"a\\u009b\\u202e\\udb40\\udc01z\"}\n");
    unlink(path);
    ps_log_open(path, &err);
    ps_log(PS_LOG_WARN, "agent", "%.4000s", longest); /* doubled by the escapes: cut, and closed */
    length = file_read(path, text, sizeof text);
    assert_true(length <= 4096 && strcmp(text + length - 6, "...\"}\n") == 0);
    unlink(path);
    ps_log_open(path, &err);
    assert_true(ps_log_text(PS_LOG_INFO, "sink k1", longest, sizeof longest - 1));
    length = file_read(path, text, sizeof text);
    assert_true(length <= 16384 && strcmp(text + length - 6, "...\"}\n") == 0);
    ps_log_set_json(false);
    unlink(path);
}

static void test_line(void **state)
{
    char text[8192];
    struct ps_err err;
    assert_int_equal(ps_log_open(path, &err), PS_OK);
    uint64_t before = ps_log_count(PS_LOG_WARN);
    ps_log(PS_LOG_WARN, "source r1", "port %d is in use", 514);
    ps_log(PS_LOG_DEBUG, "source r1", "not asked for");
    size_t length = file_read(path, text, sizeof text);
    /* 2026-11-20T09:00:00.123Z WARN source r1: port 514 is in use */
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    for (size_t i = 0; i < sizeof shape - 1; i++) {
        if (shape[i] == 'd')
            assert_in_range(text[i], '0', '9');
        else
            assert_int_equal(text[i], shape[i]);
    }
    assert_string_equal(text + sizeof shape - 1, " WARN source r1: port 514 is in use\n");
    assert_int_equal(text[length - 1], '\n');
    assert_int_equal(ps_log_count(PS_LOG_WARN), before + 1);
}

static void test_escapes_and_bound(void **state)
{
    char text[16384], giant[9000];
    assert_int_equal(ps_log_open(path, NULL), PS_OK);
    ps_log(PS_LOG_ERROR, "sink k1", "%s", "a\nb\tc\x01\x1b[31m\xc3\xa4");
    file_read(path, text, sizeof text);
    assert_non_null(strstr(text, "sink k1: a\\nb\\tc\\x01\\x1b[31m\xc3\xa4\n"));
    assert_int_equal(truncate(path, 0), 0);
    ps_log(PS_LOG_ERROR, "k\xc2\x9b", "%s",
           "a\xe2\x80\xae\xc2\x9b"
           "2J\x9bz\xe2\x80\x8b\xc3\xa4"); /* none of them is seen */
    file_read(path, text, sizeof text);
    assert_non_null(strstr(text, "k\\xc2\\x9b: a\\xe2\\x80\\xae\\xc2\\x9b2J\\x9bz\\xe2\\x80\\x8b\xc3\xa4\n"));
    assert_int_equal(truncate(path, 0), 0);
    memset(giant, '\n', sizeof giant);
    giant[sizeof giant - 1] = '\0';
    ps_log(PS_LOG_ERROR, giant, "%s", giant);
    size_t length = file_read(path, text, sizeof text);
    assert_true(length <= 4096);
    assert_int_equal(text[length - 1], '\n');
    assert_ptr_equal(strchr(text, '\n'), text + length - 1);
    assert_non_null(strstr(text, "..."));
}

static void test_level_words(void **state)
{
    enum ps_log_level level;
    assert_int_equal(ps_log_level_parse("INFO", &level), PS_OK);
    assert_int_equal(level, PS_LOG_INFO);
    assert_int_equal(ps_log_level_parse("Warning", &level), PS_OK);
    assert_int_equal(level, PS_LOG_WARN);
    assert_int_equal(ps_log_level_parse("FATAL", &level), PS_OK);
    assert_int_equal(level, PS_LOG_ERROR);
    assert_int_equal(ps_log_level_parse("loud", &level), PS_FAIL);
}

static void test_open_error(void **state)
{
    struct ps_err err;
    assert_int_equal(ps_log_open("/nonexistent/agent.log", &err), PS_FAIL);
    assert_string_equal(err.text, "cannot open log file /nonexistent/agent.log: No such file or directory");
}

/* The child has its own stderr: the log decides once per process whether it writes to the journal. */
static void stderr_of_child(const char *journal_stream_of, char *text, size_t room)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], STDERR_FILENO);
        struct stat status;
        char stream[64] = "1:2";
        if (journal_stream_of != NULL && fstat(STDERR_FILENO, &status) == 0)
            snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev,
                     (unsigned long long)status.st_ino);
        setenv("JOURNAL_STREAM", stream, 1);
        ps_log_open(NULL, NULL);
        ps_log(PS_LOG_ERROR, "agent", "text");
        _exit(0);
    }
    close(pipes[1]);
    ssize_t length = read(pipes[0], text, room - 1);
    assert_true(length > 0);
    text[length] = '\0';
    close(pipes[0]);
    waitpid(child, NULL, 0);
}

static void test_journal(void **state)
{
    char text[256];
    stderr_of_child("stderr", text, sizeof text);
    assert_string_equal(text, "<3>agent: text\n");
    stderr_of_child(NULL, text, sizeof text); /* the variable is inherited but names another stream */
    assert_non_null(strstr(text, "Z ERROR agent: text\n"));
}

static void test_stuck_reader(void **state)
{
    int pipes[2], status;
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], STDERR_FILENO);
        ps_log_open(NULL, NULL);
        ps_log_unlimited();
        for (int i = 0; i < 5000; i++) /* far more than a pipe holds: a blocking write would never return */
            ps_log(PS_LOG_ERROR, "agent", "line %d of many, and nobody reads them", i);
        _exit(42);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
    close(pipes[0]);
    close(pipes[1]);
}

static void test_rotation(void **state)
{
    char text[4096], rotated[128];
    snprintf(rotated, sizeof rotated, "%s.1", path);
    assert_int_equal(ps_log_open(path, NULL), PS_OK);
    ps_log(PS_LOG_INFO, "agent", "before");
    assert_int_equal(rename(path, rotated), 0);
    /* The log checks the path at most once a second: write until the new file exists. */
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS / 20 && access(path, F_OK) != 0; i++) {
        char component[32]; /* a different one each time, so that the rate limit does not apply */
        snprintf(component, sizeof component, "c%u", i);
        usleep(20000);
        ps_log(PS_LOG_INFO, component, "moves on");
    }
    file_read(path, text, sizeof text);
    assert_non_null(strstr(text, "moves on"));
    file_read(rotated, text, sizeof text);
    assert_non_null(strstr(text, "before"));
}

/* The number of suppressed lines is logged with the period in which they came: with the next line, and at the end. */
static void test_held_back(void **state)
{
    char text[16384];
    assert_int_equal(ps_log_open(path, NULL), PS_OK);
    for (unsigned i = 0; i < LINES + 3; i++)
        ps_log(PS_LOG_WARN, "sink held", "try %u", i);
    ps_log_turn(); /* the 10 seconds are not over */
    file_read(path, text, sizeof text);
    assert_null(strstr(text, "held back"));
    ps_log_flush();
    file_read(path, text, sizeof text);
    const char *said = strstr(text, "sink held: try 12 (2 more like this held back in the last ");
    assert_non_null(said);
    assert_non_null(strstr(said, ", this one for "));
}

/* Lines that the disk has no room for are counted with its reason; the reader is not blamed. */
static void test_full_disk(void **state)
{
    char text[4096];
    assert_int_equal(ps_log_open("/dev/full", NULL), PS_OK);
    ps_log(PS_LOG_WARN, "agent", "lost 1");
    ps_log(PS_LOG_WARN, "agent", "lost 2");
    assert_int_equal(ps_log_open(path, NULL), PS_OK);
    ps_log(PS_LOG_WARN, "agent", "there is room");
    ps_log(PS_LOG_WARN, "agent", "the next one");
    file_read(path, text, sizeof text);
    assert_non_null(strstr(text,
                           "agent: there is room (2 lines dropped: the log could not be written: No space "
                           "left on device)\n"));
    assert_non_null(strstr(text, "agent: the next one\n"));
    assert_null(strstr(text, "too slow"));
}

/* A line of which only a part could be written does not spoil the next one. */
static void test_torn_line(void **state)
{
    char text[4096];
    struct rlimit before;
    assert_int_equal(ps_log_open(path, NULL), PS_OK);
    ps_log(PS_LOG_WARN, "agent", "whole");
    size_t length = file_read(path, text, sizeof text);
    void (*former)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){length + 10, before.rlim_max}), 0);
    ps_log(PS_LOG_WARN, "agent", "torn");
    ps_log(PS_LOG_WARN, "agent", "lost");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, former);
    ps_log(PS_LOG_WARN, "agent", "whole again");
    assert_true(file_read(path, text, sizeof text) > length + 11);
    assert_int_equal(text[length + 10], '\n');
    assert_memory_equal(text + length, text + length + 11, 10); /* the beginning of the date */
    assert_non_null(strstr(text + length + 11,
                           "agent: whole again (2 lines dropped: the log could not be written: File too "
                           "large)\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_escapes_and_bound, setup, teardown),
        cmocka_unit_test(test_level_words),
        cmocka_unit_test_setup_teardown(test_open_error, setup, teardown),
        cmocka_unit_test(test_journal),
        cmocka_unit_test(test_stuck_reader),
        cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_held_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_torn_line, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
