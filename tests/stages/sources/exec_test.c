/* Source exec with real commands. */
#include "tests/support/no_descriptors.h"
#include "tests/support/stage.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void start(struct ps_test_stage *stage, const char *const *keys)
{
    ps_test_stage_start(stage, &ps_source_exec, keys);
}

static void assert_bodies(struct ps_test_stage *stage, const char *const *bodies)
{
    size_t count = 0;
    while (bodies[count] != NULL)
        count++;
    ps_test_source_wait(stage, count, PS_TEST_PATIENCE_MS);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(stage->events[i].body, bodies[i]);
        assert_int_equal(ps_test_event_header_count(&stage->events[i]), 0);
    }
    ps_test_source_settle(stage, count, 50);
}

static void test_words(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("command", "printf one\\ntwo\\n\\nfour"));
    assert_bodies(&stage, PS_WORDS("one", "two", "", "four"));
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount), 4);
    ps_test_stage_fini(&stage);
}

/* Without a shell quotes have no meaning; with a shell the command is one word. */
static void test_shell(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("command", "echo 'a  b'"));
    assert_bodies(&stage, PS_WORDS("'a b'"));
    ps_test_stage_fini(&stage);
    start(&stage, PS_KEYS("shell", "/bin/sh  -c", "command", "for i in 1 2; do echo \"a  $i\"; done"));
    assert_bodies(&stage, PS_WORDS("a  1", "a  2"));
    ps_test_stage_fini(&stage);
}

/* Lines end as for BufferedReader.readLine: at \n, \r and \r\n, also across two reads. */
static void test_line_ends(void **unused)
{
    struct ps_test_stage stage;
    start(&stage,
          PS_KEYS("shell", "/bin/sh -c", "command",
                  "printf 'a\\r\\nb\\rc\\n\\rd\\r\\n\\r\\n'; printf 'e\\r'; sleep 0.1; printf '\\nf\\r'; "
                  "sleep 0.1; printf 'g'"));
    assert_bodies(&stage, PS_WORDS("a", "b", "c", "", "d", "", "e", "f", "g"));
    ps_test_stage_fini(&stage);
}

static void test_charsets(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("command", "printf a\\303\\251b\\ncut\\303\\n\\377x\\n"));
    assert_bodies(&stage, PS_WORDS("a\xc3\xa9"
                                   "b",
                                   "cut\xef\xbf\xbd", "\xef\xbf\xbdx"));
    ps_test_stage_fini(&stage);
    start(&stage, PS_KEYS("command", "printf a\\303b\\n", "charset", "ISO-8859-1"));
    assert_bodies(&stage, PS_WORDS("a\xc3"
                                   "b"));
    ps_test_stage_fini(&stage);
    start(&stage, PS_KEYS("command", "printf a\\201\\200b\\n", "charset", "Cp1252"));
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_bodies(&stage, PS_WORDS("a?\x80\x62")); /* 0x81 is no character */
    ps_test_stage_fini(&stage);
    start(&stage, PS_KEYS("command", "printf a\\223\\372b\\n", "charset", "ms_kanji"));
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_bodies(&stage, PS_WORDS("a\x93\xFA\x62"));
    ps_test_stage_fini(&stage);
    start(&stage, PS_KEYS("command", "printf a\\303b\\n", "charset", "us-ascii"));
    assert_bodies(&stage, PS_WORDS("a?b"));
    ps_test_stage_fini(&stage);
    ps_test_stage_init(&stage, &ps_source_exec);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("command", "true", "charset", "UTF-16")), PS_FAIL);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "UTF-16"));
    ps_test_stage_fini(&stage);
    ps_test_stage_init(&stage, &ps_source_exec);
    assert_int_equal(ps_test_stage_bind(&stage, NULL), PS_FAIL);
    ps_test_stage_fini(&stage);
}

/* Every line of a large output comes once, in order, through small and large batches. */
static void test_many_lines(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("command", "seq 1 200000"));
    size_t next = 1;
    char expected[24];
    uint64_t until = ps_test_patience_end_ns();
    while (next <= 200000) {
        assert_true(ps_test_patient_ns() < until);
        (void)ps_test_source_work(&stage);
        if (stage.batch != NULL && stage.batch->count > 0 && next % 3 == 0)
            ps_test_source_close_batch(&stage);
        for (size_t i = 0; i < stage.event_count; i++) {
            snprintf(expected, sizeof expected, "%zu", next++);
            assert_string_equal(stage.events[i].body, expected);
        }
        ps_test_source_clear(&stage);
        if (stage.batch != NULL && next > 199000)
            ps_test_source_close_batch(&stage);
    }
    ps_test_stage_fini(&stage);
}

/* Lines may be longer than a block, or be cut; the lines after them are complete. */
static void test_long_lines(void **unused)
{
    struct ps_test_stage stage;
    const char *command =
        "head -c 1000000 /dev/zero | tr '\\0' x; echo; echo short; head -c 300000 /dev/zero | tr "
        "'\\0' y; printf '\\r\\nlast'";
    start(&stage, PS_KEYS("shell", "/bin/bash -c", "command", command));
    ps_test_source_wait(&stage, 4, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.events[0].length, 1000000);
    assert_int_equal(strspn(stage.events[0].body, "x"), 1000000);
    assert_string_equal(stage.events[1].body, "short");
    assert_int_equal(stage.events[2].length, 300000);
    assert_int_equal(strspn(stage.events[2].body, "y"), 300000);
    assert_string_equal(stage.events[3].body, "last");
    ps_test_stage_fini(&stage);

    start(&stage, PS_KEYS("shell", "/bin/bash -c", "command", command, "penstock.line.max", "400k"));
    ps_test_source_wait(&stage, 6, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.events[0].length, 409600);
    assert_int_equal(stage.events[1].length, 409600);
    assert_int_equal(stage.events[2].length, 1000000 - 2 * 409600);
    assert_string_equal(stage.events[3].body, "short");
    assert_int_equal(stage.events[4].length, 300000);
    assert_string_equal(stage.events[5].body, "last");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 2);
    ps_test_stage_fini(&stage);

    start(&stage,
          PS_KEYS("shell", "/bin/bash -c", "command", "echo first; head -c 300000 /dev/zero | tr '\\0' z"));
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS); /* the last line has no line end */
    assert_string_equal(stage.events[0].body, "first");
    assert_int_equal(stage.events[1].length, 300000);
    assert_int_equal(strspn(stage.events[1].body, "z"), 300000);
    ps_test_stage_fini(&stage);

    /* A line is not cut inside a character. */
    start(&stage, PS_KEYS("command", "printf a\\303\\251\\303\\251\\303\\251\\n", "penstock.line.max", "4"));
    assert_bodies(&stage, PS_WORDS("a\xc3\xa9", "\xc3\xa9\xc3\xa9"));
    ps_test_stage_fini(&stage);
}

static void test_restart(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("command", "echo again", "restart", "true", "restartThrottle", "30"));
    ps_test_source_wait(&stage, 4, PS_TEST_PATIENCE_MS);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(stage.events[i].body, "again");
    ps_test_stage_fini(&stage);
    start(&stage, PS_KEYS("command", "echo once", "restart", "false", "restartThrottle", "1"));
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    ps_test_source_settle(&stage, 1, 200);
    ps_test_stage_fini(&stage);
}

static void test_no_such_command(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("command", "/no/such/command x", "restart", "true", "restartThrottle", "10"));
    ps_test_source_settle(&stage, 0, 100);
    ps_test_stage_fini(&stage);
}

/* A command whose output cannot be watched is ended, and started again after the pause, like one that could not be
 * started. */
static void test_no_epoll(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("shell", "/bin/sh -c", "command", "echo again; exec sleep 60", "restart", "true",
                          "restartThrottle", "10"));
    int epoll_fd = stage.port.epoll_fd;
    stage.port.epoll_fd = stage.port.wake_fd; /* EPOLL_CTL_ADD fails with EINVAL */
    ps_test_source_settle(&stage, 0, 300);
    stage.port.epoll_fd = epoll_fd;
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS); /* so the previous command was ended */
    assert_string_equal(stage.events[0].body, "again");
    ps_test_stage_fini(&stage);
}

/* Waits for the process to end, and returns whether it did; a zombie that init has not reaped yet has
 * ended. */
static bool ends(pid_t pid)
{
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS / 10; i++) {
        char path[64], state = '?';
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *file = fopen(path, "r");
        bool gone = file == NULL || (fscanf(file, "%*d %*s %c", &state) == 1 && state == 'Z');
        if (file != NULL)
            fclose(file);
        if (gone)
            return true;
        usleep(10000);
    }
    return false;
}

/* All processes that the command left running are killed when the source closes: those of its group and those in a
 * session of their own, also if their parent or the command has ended. */
static void test_descendants_are_killed(void **unused)
{
    static const char *const commands[] = {
        "trap '' TERM; sleep 1000 & echo $!; wait",
        "setsid /bin/sh -c 'echo $$; trap \"\" TERM; while :; do sleep 1; done'",
        "(setsid /bin/sh -c 'echo $$; exec sleep 1000' &) ; wait; sleep 1000",
        "setsid /bin/sh -c 'echo $$; exec sleep 1000' & exit 0",
    };
    for (size_t i = 0; i < PS_COUNT_OF(commands); i++) {
        struct ps_test_stage stage;
        start(&stage, PS_KEYS("shell", "/bin/sh -c", "command", commands[i]));
        ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
        pid_t sleeper = (pid_t)atoi(stage.events[0].body);
        assert_int_equal(kill(sleeper, 0), 0);
        ps_test_stage_close(&stage);
        assert_true(ends(sleeper));
        ps_test_stage_fini(&stage);
    }
}

/* Sends the log to a file. */
static int log_begin(char *path)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ps_log_open(path, NULL), PS_OK);
    return fd;
}

/* Runs the source, which has `count` events, until its log says that the command exited. */
static void await_exit(struct ps_test_stage *stage, size_t count, const char *path)
{
    static char text[65536];
    uint64_t until = ps_test_patience_end_ns();
    do {
        ps_test_source_settle(stage, count, 10);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
    } while (strstr(text, " exited with ") == NULL && ps_test_patient_ns() < until);
}

/* Reads what was logged since log_begin, and removes the file. */
static void log_end(const char *path, int fd, char *text, size_t room)
{
    assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
    ssize_t length = read(fd, text, room - 1);
    assert_true(length > 0);
    text[length] = '\0';
    close(fd);
    unlink(path);
}

/* Starts the source at the limit of descriptors, and reads what is logged. */
static void start_without_descriptors(struct ps_test_stage *stage, const char *command, char *text,
                                      size_t room)
{
    char path[] = "/tmp/penstock-exec-XXXXXX";
    struct rlimit before;
    start(stage, PS_KEYS("command", command));
    int fd = log_begin(path);
    ps_test_no_descriptors(&before);
    for (unsigned i = 0; i < 2000; i += 100) { /* less than the pause */
        (void)stage->ops->source->tick(stage->plan, stage->state, &stage->now);
        ps_test_stage_pass_ms(stage, 100);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    log_end(path, fd, text, room);
}

/* The system refuses the start: it is tried again, without `restart`, too. The log has the reason, and no advice on the command. */
static void test_refused_start(void **unused)
{
    struct ps_test_stage stage;
    static char text[65536];
    start_without_descriptors(&stage, "echo late", text, sizeof text);
    assert_non_null(strstr(text, "cannot start echo: Too many open files; it is tried again every 3 s"));
    assert_null(strstr(text, "full path"));
    assert_null(strstr(text, "exited with"));
    ps_test_stage_pass_ms(&stage, 3000);
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_string_equal(stage.events[0].body, "late");
    ps_test_source_settle(&stage, 1, 100); /* once */
    ps_test_stage_fini(&stage);
}

/* The advice is for a command that is not there. */
static void test_advice(void **unused)
{
    struct ps_test_stage stage;
    static char text[65536];
    char path[] = "/tmp/penstock-exec-XXXXXX";
    start(&stage, PS_KEYS("command", "/no/such/command x"));
    int fd = log_begin(path);
    ps_test_source_settle(&stage, 0, 100);
    log_end(path, fd, text, sizeof text);
    assert_non_null(
        strstr(text, "cannot start /no/such/command: No such file or directory; write the full path"));
    ps_test_stage_fini(&stage);
}

/* Stopping: the command gets SIGTERM, and its last output is still read. It is not started again, and the log does not
 * say that it will be. */
static void test_drain(void **unused)
{
    char path[] = "/tmp/penstock-exec-XXXXXX", text[4096];
    int fd = log_begin(path);
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("shell", "/bin/bash -c", "restart", "true", "command",
                          "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done"));
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    uint64_t until = ps_test_patience_end_ns();
    while (!stage.ops->source->drain(stage.plan, stage.state, &stage.now)) {
        (void)ps_test_source_work(&stage);
        assert_true(ps_test_patient_ns() < until);
    }
    ps_test_source_close_batch(&stage);
    assert_int_equal(stage.event_count, 2);
    assert_string_equal(stage.events[1].body, "bye");
    ps_test_stage_pass_ms(&stage, 20000);
    ps_test_source_settle(&stage, 2, 50);
    ps_test_stage_fini(&stage);
    log_end(path, fd, text, sizeof text);
    assert_non_null(strstr(text, "exited with 3"));
    assert_null(strstr(text, "restarting"));
}

static void test_standard_error(void **unused)
{
    char path[] = "/tmp/penstock-exec-XXXXXX", text[4096];
    int fd = log_begin(path);
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("shell", "/bin/sh -c", "command", "echo oops >&2; printf half >&2; echo out",
                          "logStdErr", "true"));
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    await_exit(&stage, 1, path);
    ps_test_stage_fini(&stage);
    log_end(path, fd, text, sizeof text);
    assert_non_null(strstr(text, "StderrLogger[1] = 'oops'"));
    assert_non_null(strstr(text, "StderrLogger[2] = 'half'"));
    assert_non_null(strstr(text, "exited with 0"));
}

/* A line of standard error that is longer than the buffer is logged in pieces. */
static void test_long_standard_error(void **unused)
{
    char path[] = "/tmp/penstock-exec-XXXXXX", text[16384];
    int fd = log_begin(path);
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("shell", "/bin/bash -c", "command",
                          "head -c 5000 /dev/zero | tr '\\0' e >&2; echo >&2; echo end >&2; echo out",
                          "logStdErr", "true"));
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    await_exit(&stage, 1, path);
    ps_test_stage_fini(&stage);
    log_end(path, fd, text, sizeof text);
    static const size_t lengths[] = {2048, 2048, 904};
    const char *at = text;
    for (unsigned i = 0; i < PS_COUNT_OF(lengths); i++) {
        char begin[32];
        snprintf(begin, sizeof begin, "StderrLogger[%u] = '", i + 1);
        at = strstr(at, begin);
        assert_non_null(at);
        at += strlen(begin);
        assert_int_equal(strspn(at, "e"), lengths[i]);
    }
    assert_non_null(strstr(at, "StderrLogger[4] = 'end'"));
}

/* Arguments may be secrets: the log names the program and counts them. The exit code is 0, or 143 when the
 * SIGTERM at the end of the output came first. */
static void test_arguments_are_not_logged(void **unused)
{
    char path[] = "/tmp/penstock-exec-XXXXXX", text[4096];
    int fd = log_begin(path);
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("command", "echo --password hunter2"));
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    await_exit(&stage, 1, path);
    ps_test_stage_fini(&stage);
    log_end(path, fd, text, sizeof text);
    assert_non_null(strstr(text, "command [echo] with 2 arguments exited with "));
    assert_null(strstr(text, "hunter2"));
}

static void test_tail(void **unused)
{
    char path[] = "/tmp/penstock-tail-XXXXXX", command[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "one\n", 4), 4);
    snprintf(command, sizeof command, "tail -n +1 -F %s", path);
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("command", command));
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_int_equal(write(fd, "two\nthr", 7), 7);
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    assert_int_equal(write(fd, "ee\n", 3), 3);
    ps_test_source_wait(&stage, 3, PS_TEST_PATIENCE_MS);
    assert_string_equal(stage.events[2].body, "three");
    ps_test_stage_fini(&stage);
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_shell),
        cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_charsets),
        cmocka_unit_test(test_many_lines),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_refused_start),
        cmocka_unit_test(test_advice),
        cmocka_unit_test(test_no_such_command),
        cmocka_unit_test(test_descendants_are_killed),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_standard_error),
        cmocka_unit_test(test_long_standard_error),
        cmocka_unit_test(test_tail),
        cmocka_unit_test(test_no_epoll),
        cmocka_unit_test(test_arguments_are_not_logged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
