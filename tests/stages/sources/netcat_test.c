#include "tests/support/net.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_netcat;

#define LOCAL "bind", "127.0.0.1", "port", "0"
#define TOO_LONG "FAILED: Event exceeds the maximum length (20 chars, including newline)\n"

static bool modify_fails; /* EPOLL_CTL_MOD */

/* Takes the place of libc's. */
int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_MOD && modify_fails) {
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);
}

static void start(struct ps_test_stage *stage, const char *const *keys)
{
    ps_test_stage_start(stage, &ps_source_netcat, keys);
}

static int client(const struct ps_test_stage *stage)
{
    return ps_test_connect("127.0.0.1", ps_test_tcp_port(stage, 0));
}

/* The answers and events of Flume 1.11 for the same bytes, when the peer closes its side after them. */
static void test_conversations(void **unused)
{
    (void)unused;
    static const struct {
        const char *sent, *answer;
        const char *bodies[4];
    } cases[] = {
        {"hello\n\nx\r\npartial", "OK\nOK\nOK\n", {"hello", "", "x\r"}},
        {"aaaaaaaaaaaaaaaaaaa\nok\n", "OK\nOK\n", {"aaaaaaaaaaaaaaaaaaa", "ok"}},
        {"aaaaaaaaaaaaaaaaaaaa\nok\n", TOO_LONG, {NULL}},
        {"ok\naaaaaaaaaaaaaaaaaaaaaaaaaaa", "OK\n" TOO_LONG, {"ok"}},
        {"éééééééééééééééééé\n", "OK\n", {"éééééééééééééééééé"}},
        {"😀😀😀😀😀😀😀😀😀x\n", "OK\n", {"😀😀😀😀😀😀😀😀😀x"}},
        {"😀😀😀😀😀😀😀😀😀😀\n", TOO_LONG, {NULL}},
        {"good\n\xC3", "OK\n", {"good"}},
        /* Flume closes the connection here; penstock continues. */
        {"one\nbad \xFF\xFE utf\ntwo\n", "OK\nOK\nOK\n", {"one", "bad \xEF\xBF\xBD\xEF\xBF\xBD utf", "two"}},
    };
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL, "max-line-length", "20"));
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        bool closed;
        int fd = client(&stage);
        ps_test_source_clear(&stage);
        ps_test_send_text(fd, cases[i].sent);
        shutdown(fd, SHUT_WR);
        assert_string_equal(ps_test_receive(&stage, fd, 1000, 5000, &closed), cases[i].answer);
        assert_true(closed);
        size_t count = 0;
        for (; count < 4 && cases[i].bodies[count] != NULL; count++) {
            assert_true(count < stage.event_count);
            ps_test_expect(&stage.events[count], cases[i].bodies[count], NULL);
        }
        assert_int_equal(stage.event_count, count);
        close(fd);
    }
    ps_test_source_settle(&stage, stage.event_count, 50);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 0);
    ps_test_stage_fini(&stage);
}

/* A client that does not close its side is disconnected after a long line, and can read the reason. */
static void test_long_line_cuts_off(void **unused)
{
    (void)unused;
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL, "max-line-length", "20"));
    int fd = client(&stage);
    ps_test_send_text(fd, "ok\n01234567890123456789");
    assert_string_equal(ps_test_receive(&stage, fd, 1000, 5000, &closed), "OK\n" TOO_LONG);
    assert_true(closed);
    for (int i = 0; i < 30; i++) { /* sends succeed for a moment, then the socket is closed */
        ps_test_stage_pass_ms(&stage, 100);
        ps_test_source_work(&stage);
    }
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 0);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 1);
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_no_acks(void **unused)
{
    (void)unused;
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL, "ack-every-event", "false"));
    int fd = client(&stage);
    ps_test_send_text(fd, "one\ntwo\n");
    ps_test_source_wait(&stage, 2, 5000);
    assert_string_equal(ps_test_receive(&stage, fd, 1, 100, &closed), "");
    assert_false(closed);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* No answer before the channels have accepted the events. */
static void test_answers_wait_for_the_channel(void **unused)
{
    (void)unused;
    struct ps_test_stage stage;
    char byte;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    ps_test_send_text(fd, "one\n");
    stage.batch = ps_batch_take(&stage.carver, stage.now);
    stage.batches[stage.batch_count++] = stage.batch;
    for (int i = 0; i < 100 && stage.batch->count == 0; i++) {
        ps_source_netcat.source->work(stage.plan, stage.state, stage.batch, &stage.now);
        usleep(1000);
    }
    assert_int_equal(stage.batch->count, 1);
    assert_true(stage.batch->flush);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    ps_test_source_refuse_batch(&stage, "channel c1 is full");
    bool closed;
    assert_string_equal(ps_test_receive(&stage, fd, 27, 2000, &closed), "FAILED: channel c1 is full\n");
    assert_false(closed);
    ps_test_send_text(fd, "two\n");
    assert_string_equal(ps_test_receive(&stage, fd, 3, 2000, &closed), "OK\n");
    assert_int_equal(stage.event_count, 1);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* One call of work whose events are accepted and dropped. */
static void cycle(struct ps_test_stage *stage)
{
    struct ps_batch *batch = ps_batch_take(&stage->carver, stage->now);
    assert_non_null(batch);
    ps_source_netcat.source->work(stage->plan, stage->state, batch, &stage->now);
    ps_batch_close(batch);
    ps_source_netcat.source->accepted(stage->plan, stage->state, batch, &stage->now);
    ps_batch_give(batch);
}

/* A client that never reads its answers is not read either; others are; at the end it gets all its
 * answers. */
static void test_client_that_does_not_read(void **unused)
{
    (void)unused;
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL));
    int deaf = client(&stage), good = client(&stage);
    int small = 65536; /* with much less the kernel itself becomes very slow */
    setsockopt(deaf, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    static char lines[64 * 1024];
    for (size_t i = 0; i < sizeof lines; i += 2)
        memcpy(lines + i, "x\n", 2);
    size_t sent = 0;
    for (int quiet = 0; quiet < 100;) {
        ssize_t n = send(deaf, lines + sent % 2, sizeof lines - 2, MSG_DONTWAIT | MSG_NOSIGNAL);
        cycle(&stage);
        sent += n > 0 ? (size_t)n : 0;
        quiet = n > 0 ? 0 : quiet + 1;
        assert_true(sent < 400U << 20);
    }
    ps_test_send_text(good, "hello\n");
    assert_string_equal(ps_test_receive(&stage, good, 3, 5000, &closed), "OK\n");
    shutdown(deaf, SHUT_WR);
    size_t answered = 0, want = sent / 2 * 3;
    static char answers[65536];
    for (int quiet = 0; answered < want && quiet < 5000;) {
        cycle(&stage);
        ssize_t n = recv(deaf, answers, sizeof answers, MSG_DONTWAIT);
        assert_true(n != 0);
        for (ssize_t i = 0; i < n; i++, answered++)
            assert_int_equal(answers[i], "OK\n"[answered % 3]);
        quiet = n > 0 ? 0 : quiet + 1;
        if (n < 0)
            usleep(500);
    }
    assert_int_equal(answered, want);
    close(deaf);
    close(good);
    ps_test_stage_fini(&stage);
}

static void test_encodings(void **unused)
{
    (void)unused;
    static const struct {
        const char *encoding, *sent;
        size_t length;
        const char *body, *answer;
        size_t answer_length;
    } cases[] = {
        {"ISO-8859-1", "caf\xE9\n", 5, "café", "OK\n", 3},
        {"US-ASCII", "caf\xE9\n", 5, "caf\xEF\xBF\xBD", "OK\n", 3},
        {"windows-1252", "\x80\n", 2, "€", "OK\n", 3},
        {"UTF-16BE", "\0h\x20\x0A\0\n", 6, "h\xE2\x80\x8A", "\0O\0K\0\n", 6},
        {"UTF-16LE", "h\0\n\0", 4, "h", "O\0K\0\n\0", 6},
        {"utf-16", "\xFF\xFEh\0\n\0", 6, "h", "\xFE\xFF\0O\0K\0\n", 8},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        bool closed;
        start(&stage, PS_KEYS(LOCAL, "encoding", cases[i].encoding));
        int fd = client(&stage);
        ps_test_send(fd, cases[i].sent, cases[i].length);
        char *answer = ps_test_receive(&stage, fd, cases[i].answer_length, 5000, &closed);
        assert_memory_equal(answer, cases[i].answer, cases[i].answer_length);
        assert_int_equal(stage.event_count, 1);
        ps_test_expect(&stage.events[0], cases[i].body, NULL);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

static void test_bad_keys(void **unused)
{
    (void)unused;
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_source_netcat);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS(LOCAL, "encoding", "no-such-set")), PS_FAIL);
    assert_non_null(strstr(stage.err.text, "no-such-set"));
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("bind", "127.0.0.1")), PS_FAIL);
    ps_test_stage_fini(&stage);
}

/* A connection whose epoll events cannot be changed is closed and counted; others are not touched. */
static void test_unwatched_connection(void **unused)
{
    (void)unused;
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL, "max-line-length", "20"));
    int good = client(&stage), bad = client(&stage);
    ps_test_send_text(good, "one\n");
    assert_string_equal(ps_test_receive(&stage, good, 3, 5000, &closed), "OK\n");
    modify_fails = true;
    ps_test_send_text(bad, "01234567890123456789"); /* too long: it is not read any more */
    for (int i = 0; i < 3; i++) {
        ps_test_source_work(&stage);
        ps_test_stage_pass_ms(&stage, 200);
    }
    modify_fails = false;
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 1);
    /* The long line, and the epoll. */
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), 2);
    assert_string_equal(ps_test_receive(&stage, bad, 1000, 5000, &closed), TOO_LONG);
    assert_true(closed);
    ps_test_send_text(good, "two\n");
    assert_string_equal(ps_test_receive(&stage, good, 3, 5000, &closed), "OK\n");
    assert_false(closed);
    close(good);
    close(bad);
    ps_test_stage_fini(&stage);
}

/* Without file descriptors it pauses accepting for a second, also when the epoll does not take the change. */
static void test_pause_of_accepting(void **unused)
{
    (void)unused;
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < 3; i++) { /* changes fail: never; when it pauses; when it resumes */
        struct ps_test_stage stage;
        start(&stage, PS_KEYS(LOCAL));
        int fd = client(&stage);
        none = before;
        none.rlim_cur = 3;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        modify_fails = i == 1;
        ps_test_source_work(&stage);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        modify_fails = i == 2;
        ps_test_stage_pass_ms(&stage, 999);
        ps_test_source_work(&stage);
        ps_test_source_work(&stage);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 0);
        ps_test_stage_pass_ms(&stage, 1);
        ps_test_source_work(&stage);
        ps_test_source_work(&stage);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), i != 2);
        modify_fails = false;
        ps_test_stage_pass_ms(&stage, 1000);
        ps_test_source_work(&stage);
        ps_test_source_work(&stage);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 1);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversations),
        cmocka_unit_test(test_long_line_cuts_off),
        cmocka_unit_test(test_no_acks),
        cmocka_unit_test(test_answers_wait_for_the_channel),
        cmocka_unit_test(test_client_that_does_not_read),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_bad_keys),
        cmocka_unit_test(test_unwatched_connection),
        cmocka_unit_test(test_pause_of_accepting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
