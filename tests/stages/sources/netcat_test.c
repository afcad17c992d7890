#include "stages/lib/stream/stream.h"
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

static bool modify_fails; /* whether EPOLL_CTL_MOD fails */

/* Replaces libc's function. */
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

/* The answers and events are those of Flume 1.11 for the same bytes, if the peer closes its side after them. */
static void test_conversations(void **unused)
{
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
        assert_string_equal(ps_test_receive(&stage, fd, 1000, PS_TEST_PATIENCE_MS, &closed), cases[i].answer);
        assert_true(closed);
        size_t count = 0;
        for (; count < 4 && cases[i].bodies[count] != NULL; count++) {
            assert_true(count < stage.event_count);
            ps_test_expect(&stage.events[count], cases[i].bodies[count], NULL);
        }
        assert_int_equal(stage.event_count, count);
        close(fd);
    }
    ps_test_await_counter(&stage, PS_COUNTER_OpenConnectionCount, 0);
    ps_test_source_settle(&stage, stage.event_count, 50);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 0);
    ps_test_stage_fini(&stage);
}

/* A client that does not close its side is disconnected after a long line, and can read the reason. */
static void test_long_line_cuts_off(void **unused)
{
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL, "max-line-length", "20"));
    int fd = client(&stage);
    ps_test_send_text(fd, "ok\n01234567890123456789");
    assert_string_equal(ps_test_receive(&stage, fd, 1000, PS_TEST_PATIENCE_MS, &closed), "OK\n" TOO_LONG);
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

/* A line without its newline, of 10 characters and of 9; the client closes its side. */
static void test_long_line_of_wide_characters(void **unused)
{
    static const struct {
        const char *encoding;
        unsigned unit;
    } cases[] = {{"UTF-16BE", 2}, {"UTF-16LE", 2}, {"UTF-32BE", 4}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        start(&stage, PS_KEYS(LOCAL, "encoding", cases[i].encoding, "max-line-length", "10"));
        for (unsigned count = 9; count <= 10; count++) {
            char sent[40] = {0};
            bool closed;
            for (unsigned k = 0; k < count; k++)
                sent[(k + 1) * cases[i].unit - (i == 1 ? 2 : 1)] = 'a';
            int fd = client(&stage);
            ps_test_send(fd, sent, (size_t)count * cases[i].unit);
            shutdown(fd, SHUT_WR);
            const char *answer = ps_test_receive(&stage, fd, 1000, PS_TEST_PATIENCE_MS, &closed);
            assert_true(closed);
            assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), count == 10);
            if (count == 10) /* FAILED: .. */
                assert_int_equal(answer[i == 1 ? 0 : cases[i].unit - 1], 'F');
            close(fd);
        }
        assert_int_equal(stage.event_count, 0);
        ps_test_stage_fini(&stage);
    }
}

static void test_no_acks(void **unused)
{
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL, "ack-every-event", "false"));
    int fd = client(&stage);
    ps_test_send_text(fd, "one\ntwo\n");
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    assert_string_equal(ps_test_receive(&stage, fd, 1, 100, &closed), "");
    assert_false(closed);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Reads into the open batch, which stays open, until it has `rows` events and `connections` are open. */
static void read_until(struct ps_test_stage *stage, uint32_t rows, uint64_t connections)
{
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS; i++) {
        ps_test_source_read(stage);
        if (stage->batch->count >= rows &&
            ps_test_stage_counter(stage, PS_COUNTER_OpenConnectionCount) == connections)
            break;
        usleep(1000);
    }
    assert_int_equal(stage->batch->count, rows);
    assert_int_equal(ps_test_stage_counter(stage, PS_COUNTER_OpenConnectionCount), connections);
}

static void reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(fd);
}

/* A client is gone before its line is answered, and another one got its slot: the answer is dropped. */
static void test_answer_to_a_client_that_is_gone(void **unused)
{
    for (int i = 0; i < 4; i++) {
        bool refused = i & 1, second_writes = i & 2, closed;
        struct ps_test_stage stage;
        start(&stage, PS_KEYS(LOCAL));
        int first = client(&stage);
        ps_test_send_text(first, "one\n");
        read_until(&stage, 1, 1);
        reset(first);
        read_until(&stage, 1, 0);
        int second = client(&stage);
        read_until(&stage, 1, 1);
        const struct ps_stream *stream = stage.state;
        assert_true(stream->chunks[0][0].fd >= 0); /* the slot that the first client had */
        if (second_writes) {
            ps_test_send_text(second, "two\n");
            read_until(&stage, 2, 1);
        }
        if (refused)
            ps_test_source_refuse_batch(&stage, "full");
        else
            ps_test_source_close_batch(&stage);
        assert_int_equal(stage.event_count, refused ? 0 : second_writes ? 2 : 1);
        const char *answer = !second_writes ? "" : refused ? "FAILED: full\n" : "OK\n";
        assert_string_equal(ps_test_receive(&stage, second, 100, 50, &closed), answer);
        assert_false(closed);
        ps_test_send_text(second, "three\n");
        assert_string_equal(ps_test_receive(&stage, second, 3, PS_TEST_PATIENCE_MS, &closed), "OK\n");
        assert_int_equal(stream->chunks[0][0].owed, 0);
        close(second);
        ps_test_stage_fini(&stage);
    }
}

/* UTF-16BE of ASCII text; '^' is the byte order mark. Returns the length. */
static size_t widen(const char *text, char *wide)
{
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++)
        memcpy(wide + 2 * i, text[i] == '^' ? "\xFE\xFF" : (char[]){0, text[i]}, 2);
    return 2 * length;
}

/* Converts back to ASCII, up to the first NUL character. */
static void narrow(const char *wide, char *text)
{
    for (;; wide += 2, text++) {
        *text = memcmp(wide, "\xFE\xFF", 2) == 0 ? '^' : wide[1];
        if (*text == '\0')
            return;
    }
}

/* Without acknowledgements good lines get no answer, but a client is told that the channel is full, and why it is
 * disconnected: after the outcome of earlier lines, and with one byte order mark. */
static void test_farewell_without_acks(void **unused)
{
#define REASON "FAILED: Event exceeds the maximum length (8 chars, including newline)\n"
    static const struct {
        const char *ack, *before, *sent; /* the lines of `before` have their outcome before `sent` is sent */
        uint32_t rows;
        bool refused;
        const char *answer;
    } cases[] = {
        {"false", "", "01234567\n", 0, false, "^" REASON},
        {"false", "", "ok\n01234567\n", 1, false, "^" REASON},
        {"false", "", "ok\n01234567\n", 1, true, "^FAILED: full\n" REASON},
        {"true", "", "01234567\n", 0, false, "^" REASON},
        {"true", "", "ok\n01234567\n", 1, false, "^OK\n" REASON},
        {"true", "", "ok\n01234567\n", 1, true, "^FAILED: full\n" REASON},
        {"false", "ok\n", "01234567\n", 0, false, "^" REASON},
        {"true", "ok\n", "01234567\n", 0, false, "^OK\n" REASON},
        {"true", "ok\n", "ok\n01234567\n", 1, true, "^OK\nFAILED: full\n" REASON},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        bool closed;
        char sent[64], answer[500], byte;
        start(&stage,
              PS_KEYS(LOCAL, "encoding", "utf-16", "max-line-length", "8", "ack-every-event", cases[i].ack));
        int fd = client(&stage);
        if (cases[i].before[0] != '\0') {
            ps_test_send(fd, sent, widen(cases[i].before, sent));
            ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
        }
        ps_test_send(fd, sent, widen(cases[i].sent, sent));
        read_until(&stage, cases[i].rows, 1);
        for (unsigned k = 0;
             k < PS_TEST_PATIENCE_MS && ps_test_stage_counter(&stage, PS_COUNTER_malformed) == 0; k++) {
            ps_source_netcat.source->work(stage.plan, stage.state, stage.batch, &stage.now);
            usleep(1000);
        }
        if (cases[i].rows > 0 && cases[i].before[0] == '\0') {
            assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
            assert_int_equal(errno, EAGAIN);
        }
        if (cases[i].refused)
            ps_test_source_refuse_batch(&stage, "full");
        else
            ps_test_source_close_batch(&stage);
        narrow(ps_test_receive(&stage, fd, sizeof answer, PS_TEST_PATIENCE_MS, &closed), answer);
        assert_string_equal(answer, cases[i].answer);
        assert_true(closed);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* Without acknowledgements a client that closed its side is disconnected once its lines are accepted. */
static void test_half_close_without_acks(void **unused)
{
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL, "ack-every-event", "false"));
    int fd = client(&stage);
    ps_test_send_text(fd, "one\ntwo\n");
    shutdown(fd, SHUT_WR);
    read_until(&stage, 2, 1);
    ps_test_source_close_batch(&stage);
    assert_string_equal(ps_test_receive(&stage, fd, 100, PS_TEST_PATIENCE_MS, &closed), "");
    assert_true(closed);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* No answer is sent before the channels have accepted the events. */
static void test_answers_wait_for_the_channel(void **unused)
{
    struct ps_test_stage stage;
    char byte;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    ps_test_send_text(fd, "one\n");
    read_until(&stage, 1, 1);
    assert_true(stage.batch->flush);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    ps_test_source_refuse_batch(&stage, "channel c1 is full");
    bool closed;
    assert_string_equal(ps_test_receive(&stage, fd, 27, PS_TEST_PATIENCE_MS, &closed),
                        "FAILED: channel c1 is full\n");
    assert_false(closed);
    ps_test_send_text(fd, "two\n");
    assert_string_equal(ps_test_receive(&stage, fd, 3, PS_TEST_PATIENCE_MS, &closed), "OK\n");
    assert_int_equal(stage.event_count, 1);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* One call of work whose events are accepted and dropped. */
static void cycle(struct ps_test_stage *stage)
{
    struct ps_batch *batch = ps_batch_take(&stage->bump, stage->now);
    assert_non_null(batch);
    ps_source_netcat.source->work(stage->plan, stage->state, batch, &stage->now);
    ps_batch_close(batch);
    ps_source_netcat.source->accepted(stage->plan, stage->state, batch, &stage->now);
    ps_batch_give(batch);
}

/* The source stops reading from a client that does not read its answers, but not from others. When the client reads
 * again, it gets all answers. Tested twice in a row. */
static void test_client_that_does_not_read(void **unused)
{
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL));
    int deaf = client(&stage), good = client(&stage);
    int small = 65536; /* with a much smaller buffer, the kernel becomes very slow */
    setsockopt(deaf, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    static char lines[64 * 1024];
    for (size_t i = 0; i < sizeof lines; i += 2)
        memcpy(lines + i, "x\n", 2);
    size_t sent = 0, answered = 0;
    static char answers[65536];
    for (int round = 0; round < 2; round++) {
        for (int quiet = 0; quiet < 100;) {
            ssize_t n = send(deaf, lines + sent % 2, sizeof lines - 2, MSG_DONTWAIT | MSG_NOSIGNAL);
            cycle(&stage);
            sent += n > 0 ? (size_t)n : 0;
            quiet = n > 0 ? 0 : quiet + 1;
            assert_true(sent < 400U << 20);
        }
        ps_test_send_text(good, "hello\n");
        assert_string_equal(ps_test_receive(&stage, good, 3, PS_TEST_PATIENCE_MS, &closed), "OK\n");
        if (round == 1)
            shutdown(deaf, SHUT_WR);
        size_t want = sent / 2 * 3;
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
    }
    close(deaf);
    close(good);
    ps_test_stage_fini(&stage);
}

static void test_encodings(void **unused)
{
    static const struct {
        const char *encoding, *sent;
        size_t length;
        const char *body, *answer;
        size_t answer_length;
    } cases[] = {
        {"ISO-8859-1", "caf\xE9\n", 5, "café", "OK\n", 3},
        {"US-ASCII", "caf\xE9\n", 5, "caf\xEF\xBF\xBD", "OK\n", 3},
        {"windows-1252", "\x80\n", 2, "€", "OK\n", 3},
        {"GB18030", "a\x81\x30\n", 4, "a\xEF\xBF\xBD", "OK\n", 3}, /* half a character: one U+FFFD */
        {"UTF-16BE", "\0h\x20\x0A\0\n", 6, "h\xE2\x80\x8A", "\0O\0K\0\n", 6},
        {"UTF-16LE", "h\0\n\0", 4, "h", "O\0K\0\n\0", 6},
        {"utf-32", "\xFF\xFE\0\0h\0\0\0\n\0\0\0", 12, "h", "\0\0\0O\0\0\0K\0\0\0\n", 12},
        {"utf-16", "\xFF\xFEh\0\n\0", 6, "h", "\xFE\xFF\0O\0K\0\n", 8},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        bool closed;
        start(&stage, PS_KEYS(LOCAL, "encoding", cases[i].encoding));
        int fd = client(&stage);
        ps_test_send(fd, cases[i].sent, cases[i].length);
        char *answer = ps_test_receive(&stage, fd, cases[i].answer_length, PS_TEST_PATIENCE_MS, &closed);
        assert_memory_equal(answer, cases[i].answer, cases[i].answer_length);
        assert_int_equal(stage.event_count, 1);
        ps_test_expect(&stage.events[0], cases[i].body, NULL);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* Only the first character of a connection is a byte order mark: at the beginning of a later line it is text (U+FEFF, "\xEF\xBB\xBF"). */
static void test_mark_of_a_later_line(void **unused)
{
    static const struct {
        const char *sent, *first, *second;
    } cases[] = {
        {"one\n^two\n", "one", "\xEF\xBB\xBFtwo"},
        {"^one\n^two\n", "one", "\xEF\xBB\xBFtwo"},
        {"^^one\n^^two\n", "\xEF\xBB\xBFone", "\xEF\xBB\xBF\xEF\xBB\xBFtwo"},
        {"^\n^\n", "", "\xEF\xBB\xBF"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        char sent[64];
        start(&stage, PS_KEYS(LOCAL, "encoding", "UTF-16"));
        int fd = client(&stage);
        ps_test_send(fd, sent, widen(cases[i].sent, sent));
        ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
        assert_int_equal(stage.event_count, 2);
        ps_test_expect(&stage.events[0], cases[i].first, NULL);
        ps_test_expect(&stage.events[1], cases[i].second, NULL);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

static void test_bad_keys(void **unused)
{
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
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL, "max-line-length", "20"));
    int good = client(&stage), bad = client(&stage);
    ps_test_send_text(good, "one\n");
    assert_string_equal(ps_test_receive(&stage, good, 3, PS_TEST_PATIENCE_MS, &closed), "OK\n");
    ps_test_await_counter(&stage, PS_COUNTER_OpenConnectionCount, 2);
    modify_fails = true;
    ps_test_send_text(bad, "01234567890123456789"); /* too long: the source reads no more of it */
    ps_test_await_arrival(bad);
    for (int i = 0; i < 3; i++) {
        ps_test_source_work(&stage);
        ps_test_stage_pass_ms(&stage, 200);
    }
    modify_fails = false;
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 1);
    /* One for the long line, one for the failed epoll_ctl. */
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), 2);
    assert_string_equal(ps_test_receive(&stage, bad, 1000, PS_TEST_PATIENCE_MS, &closed), TOO_LONG);
    assert_true(closed);
    ps_test_send_text(good, "two\n");
    assert_string_equal(ps_test_receive(&stage, good, 3, PS_TEST_PATIENCE_MS, &closed), "OK\n");
    assert_false(closed);
    close(good);
    close(bad);
    ps_test_stage_fini(&stage);
}

/* Without file descriptors the source stops accepting for a second, even if the epoll refuses the change. */
static void test_pause_of_accepting(void **unused)
{
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < 3; i++) { /* the change fails: never; at the pause; at the end of the pause */
        struct ps_test_stage stage;
        start(&stage, PS_KEYS(LOCAL));
        int fd = client(&stage);
        ps_test_await_ready(&stage); /* to accept the connection */
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
        cmocka_unit_test(test_long_line_of_wide_characters),
        cmocka_unit_test(test_no_acks),
        cmocka_unit_test(test_answer_to_a_client_that_is_gone),
        cmocka_unit_test(test_farewell_without_acks),
        cmocka_unit_test(test_half_close_without_acks),
        cmocka_unit_test(test_answers_wait_for_the_channel),
        cmocka_unit_test(test_client_that_does_not_read),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_mark_of_a_later_line),
        cmocka_unit_test(test_bad_keys),
        cmocka_unit_test(test_unwatched_connection),
        cmocka_unit_test(test_pause_of_accepting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
