/* Sink irc against a server whose lines the test sends and reads. (A real server: tests/real/irc_test.sh.) */
#include "stages/lib/irc/session.h"
#include "tests/support/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_sink_irc;

static struct ps_test_stage sink;
static int listener = -1, server = -1;
static char port[8], heard[8192];
static size_t heard_length;

/* ---- the server ---- */

static void listen_there(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    snprintf(port, sizeof port, "%u", ntohs(address.sin_port));
}

static void turn(void)
{
    (void)ps_test_sink_tick(&sink);
    ps_test_stage_pass_ms(&sink, 1);
    usleep(200);
}

static bool has_come(void)
{
    if (server < 0)
        server = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return server >= 0;
}

/* Reads the bytes that have arrived. Returns false if the sink has closed the connection. */
static bool read_more(void)
{
    ssize_t got = recv(server, heard + heard_length, sizeof heard - 1 - heard_length, 0);
    if (got > 0)
        heard_length += (size_t)got;
    heard[heard_length] = '\0';
    return got > 0 || (got < 0 && errno == EAGAIN);
}

/* Waits for exactly these lines. */
static void expect(const char *lines)
{
    size_t length = strlen(lines);
    for (uint64_t until = ps_test_patience_end_ns(); heard_length < length;) {
        assert_true(ps_test_patient_ns() < until);
        turn();
        if (has_come())
            assert_true(read_more());
    }
    assert_memory_equal(heard, lines, length);
    heard_length -= length;
    memmove(heard, heard + length, heard_length);
}

static void tell(const char *lines)
{
    ps_test_send(server, lines, strlen(lines));
}

static void hang_up(void)
{
    close(server);
    server = -1;
    heard_length = 0;
}

/* Waits until the sink has closed the connection. */
static void expect_end(void)
{
    for (uint64_t until = ps_test_patience_end_ns(); read_more();) {
        assert_true(ps_test_patient_ns() < until);
        turn();
    }
    hang_up();
}

#define HELLO "NICK flume\r\nUSER agent 0 * :An agent\r\n"
#define WELCOME ":srv 001 flume :Welcome\r\n"
#define JOIN "JOIN #logs\r\n"
#define JOINED ":flume!~agent@127.0.0.1 JOIN :#logs\r\n"
#define SAYS(text) "PRIVMSG #logs :" text "\r\n"

static void begin(const char *const *keys)
{
    listen_there();
    ps_test_stage_start(&sink, &ps_sink_irc, keys);
}

#define KEYS "hostname", "127.0.0.1", "port", port, "nick", "flume", "chan", "logs"

static void join(void)
{
    expect(HELLO);
    tell(":srv NOTICE * :*** Looking up your hostname\r\n");
    tell(WELCOME ":srv 422 flume :MOTD File is missing\r\n");
    expect(JOIN);
    tell(JOINED ":srv 353 flume = #logs :@flume\r\n:srv 366 flume #logs :End of NAMES list\r\n");
}

static void offer(struct ps_lease *lease)
{
    assert_int_equal(ps_test_sink_work(&sink, &lease), PS_TAKEN);
}

static void await_done(size_t count)
{
    for (uint64_t until = ps_test_patience_end_ns(); sink.done_count < count;) {
        assert_true(ps_test_patient_ns() < until);
        turn();
    }
    assert_int_equal(sink.done_count, count);
}

static void finish(void)
{
    ps_test_stage_fini(&sink);
    if (server >= 0)
        hang_up();
    close(listener);
    heard_length = 0;
}

/* ---- tests ---- */

static void test_says(void **unused)
{
    begin(PS_KEYS(KEYS, "user", "agent", "name", "An agent", "password", "secret"));
    offer(PS_LEASE(&sink, PS_EVENT("one", "a", "1"), PS_BODY("two\nQUIT\r\n"), PS_BODY("")));
    expect("PASS secret\r\n");
    join();
    expect(SAYS("one") SAYS("two QUIT  ") "PING :1\r\n");
    assert_int_equal(sink.done_count, 0); /* not before the message is confirmed */
    tell(":other!o@host PRIVMSG #logs :1\r\nPING :srv\r\n:srv PONG srv :0\r\n");
    expect("PONG :srv\r\n");
    assert_int_equal(sink.done_count, 0);
    tell(":srv PONG srv :1\r\n");
    await_done(1);
    offer(PS_LEASE(&sink, PS_BODY("\r"), PS_BODY("")));
    expect(SAYS(" ") "PING :2\r\n");
    tell(":srv PONG srv 2\r\n");
    await_done(2);
    assert_int_equal(ps_test_stage_counter(&sink, PS_COUNTER_ConnectionCreatedCount), 1);
    ps_test_stage_close(&sink);
    assert_true(read_more());
    assert_string_equal(heard, "QUIT\r\n");
    finish();
}

/* While the answer to a PING is awaited the sink has nothing to do before its time is up. */
static void test_rests_until_the_answer(void **unused)
{
    begin(PS_KEYS(KEYS, "user", "agent", "name", "An agent"));
    offer(PS_LEASE(&sink, PS_BODY("one"), PS_BODY("two")));
    join();
    expect(SAYS("one") SAYS("two") "PING :1\r\n");
    assert_true(ps_test_sink_tick(&sink) > sink.now.mono_ns + PS_NS_PER_S);
    tell(":srv PONG srv :1\r\n");
    await_done(1);
    finish();
}

static void test_lines(void **unused)
{
    begin(PS_KEYS(KEYS, "user", "agent", "name", "An agent", "splitlines", "true"));
    offer(PS_LEASE(&sink, PS_BODY("one\n\ntwo\n"), PS_BODY("\n"), PS_BODY("three")));
    join();
    expect(SAYS("one") SAYS("two") SAYS("three") "PING :1\r\n");
    tell(":srv PONG srv :1\r\n");
    await_done(1);
    offer(PS_LEASE(&sink, PS_BODY("\n"), PS_BODY(""))); /* there is nothing to send */
    await_done(2);
    finish();
}

/* At most one window of messages is unconfirmed; an event may need several windows. */
static void test_window(void **unused)
{
    char body[160], window[4096];
    unsigned confirmed = 0;
    for (unsigned i = 0; i < 80; i++)
        memcpy(body + 2 * i, i < 79 ? "x\n" : "x", 2);
    body[159] = '\0';
    begin(PS_KEYS(KEYS, "user", "agent", "name", "An agent", "splitlines", "true"));
    offer(PS_LEASE(&sink, PS_BODY(body)));
    join();
    for (unsigned left = 80; left > 0;) {
        unsigned lines = left < 32 ? left : 32;
        size_t length = 0;
        for (unsigned i = 0; i < lines; i++)
            length += (size_t)snprintf(window + length, sizeof window - length, SAYS("x"));
        snprintf(window + length, sizeof window - length, "PING :%u\r\n", ++confirmed);
        expect(window);
        for (unsigned i = 0; i < 20; i++)
            turn();
        assert_true(read_more());
        assert_int_equal(heard_length, 0);
        assert_int_equal(sink.done_count, 0);
        snprintf(window, sizeof window, ":srv PONG srv :%u\r\n", confirmed);
        tell(window);
        left -= lines;
    }
    await_done(1);
    finish();
}

/* The bytes of a window are limited, too: behind messages that leave room for exactly the longest one there is one more. */
static void test_window_of_bytes(void **unused)
{
    enum { LINES = 14, BYTES = (PS_IRC_WINDOW_BYTES - PS_IRC_LINE_BYTES) / LINES - sizeof SAYS("") + 1 };
    for (int more = 0; more <= 1; more++) {
        char body[4096], window[5000];
        size_t length = 0, said = 0;
        for (int i = 0; i < LINES; i++) {
            int bytes = (int)BYTES + (i == 0 ? more : 0);
            length += (size_t)snprintf(body + length, sizeof body - length, "%0*d\n", bytes, i);
            said += (size_t)snprintf(window + said, sizeof window - said, SAYS("%0*d"), bytes, i);
        }
        snprintf(body + length, sizeof body - length, "x");
        snprintf(window + said, sizeof window - said, "%sPING :1\r\n", more == 0 ? SAYS("x") : "");
        begin(PS_KEYS(KEYS, "user", "agent", "name", "An agent", "splitlines", "true"));
        offer(PS_LEASE(&sink, PS_BODY(body)));
        join();
        expect(window);
        tell(":srv PONG srv :1\r\n");
        if (more > 0) {
            expect(SAYS("x") "PING :2\r\n");
            tell(":srv PONG srv :2\r\n");
        }
        await_done(1);
        finish();
    }
}

/* Unconfirmed messages are sent again. */
static void test_lost(void **unused)
{
    begin(PS_KEYS(KEYS, "user", "agent", "name", "An agent"));
    offer(PS_LEASE(&sink, PS_BODY("one")));
    offer(PS_LEASE(&sink, PS_BODY("two")));
    join();
    expect(SAYS("one") SAYS("two") "PING :1\r\n");
    hang_up();
    join();
    expect(SAYS("one") SAYS("two") "PING :2\r\n");
    tell("ERROR :Closing link: Excess Flood\r\n");
    expect_end();
    join();
    expect(SAYS("one") SAYS("two") "PING :3\r\n");
    tell(":srv PONG srv :3\r\n");
    await_done(2);
    tell(":op!o@host KICK #logs Flume :bye\r\n");
    expect_end();
    join();
    offer(PS_LEASE(&sink, PS_BODY("three")));
    expect(SAYS("three") "PING :4\r\n");
    tell(":srv 404 flume #logs :Cannot send to channel\r\n");
    expect_end();
    join();
    expect(SAYS("three") "PING :5\r\n");
    tell(":srv PONG srv :5\r\n");
    await_done(3);
    assert_int_equal(ps_test_stage_counter(&sink, PS_COUNTER_retried), 5);
    finish();
}

/* An event has many lines: confirmed lines are not sent again, whenever the connection is lost, also a second time. */
static void test_lost_in_an_event(void **unused)
{
    char body[80 * 4 + 1], window[4096], answer[32];
    unsigned token = 0, from = 0;
    for (unsigned i = 0; i < 80; i++)
        snprintf(body + 4 * i, 5, "%03u\n", i);
    body[sizeof body - 2] = '\0'; /* the last line has no line end */
    begin(PS_KEYS(KEYS, "user", "agent", "name", "An agent", "splitlines", "true"));
    offer(PS_LEASE(&sink, PS_BODY(body)));
    for (unsigned part = 0; from < 80; part++) {
        unsigned lines = 80 - from < 32 ? 80 - from : 32;
        size_t length = 0;
        if (part % 2 == 0)
            join();
        for (unsigned i = from; i < from + lines; i++)
            length += (size_t)snprintf(window + length, sizeof window - length, SAYS("%03u"), i);
        snprintf(window + length, sizeof window - length, "PING :%u\r\n", ++token);
        expect(window);
        if (part % 2 == 0) { /* the next window is lost, and is sent first over the next connection */
            snprintf(answer, sizeof answer, ":srv PONG srv :%u\r\n", token);
            tell(answer);
            from += lines;
        } else {
            hang_up();
        }
    }
    await_done(1);
    finish();
}

/* Reads the sink's lines as a server that disconnects clients which send more than `most` messages at a time, and
 * counts the lines that are handed on (said[number]). Returns false if the server has disconnected the sink. */
static bool serve_window(unsigned most, unsigned *said)
{
    unsigned behind = 0; /* messages since the last PING */
    for (uint64_t until = ps_test_patience_end_ns(); sink.done_count == 0;) {
        char *line = heard, *end, answer[64];
        assert_true(ps_test_patient_ns() < until);
        turn();
        assert_true(has_come() && read_more());
        for (; (end = strstr(line, "\r\n")) != NULL; line = end + 2) {
            unsigned number;
            *end = '\0';
            if (sscanf(line, "PRIVMSG #logs :line %u", &number) == 1 && ++behind <= most)
                said[number]++;
            else if (sscanf(line, "PING :%u", &number) == 1 && behind <= most)
                behind = 0;
            else
                return false;
            if (behind == 0) {
                snprintf(answer, sizeof answer, ":srv PONG srv :%u\r\n", number);
                tell(answer);
            }
        }
        heard_length -= (size_t)(line - heard);
        memmove(heard, line, heard_length + 1);
    }
    return true;
}

/* A server disconnects clients after more than five messages at a time: an event of eighty lines is still sent
 * completely. */
static void test_strict_server(void **unused)
{
    char body[1024];
    unsigned said[80] = {0}, connections = 0;
    size_t length = 0;
    for (unsigned i = 0; i < 80; i++)
        length += (size_t)snprintf(body + length, sizeof body - length, "line %u\n", i);
    begin(PS_KEYS(KEYS, "user", "agent", "name", "An agent", "splitlines", "true"));
    offer(PS_LEASE(&sink, PS_BODY(body)));
    do {
        assert_true(++connections < 10);
        join();
        if (serve_window(5, said))
            break;
        hang_up();
        for (int i = 0; i < 60; i++) { /* the sink backs off before it connects again */
            turn();
            ps_test_stage_pass_ms(&sink, 200);
        }
    } while (sink.done_count == 0);
    assert_int_equal(sink.done_count, 1);
    assert_int_equal(connections, 6); /* 32, 32, 32, 16, 8, 4 */
    for (unsigned i = 0; i < 80; i++)
        assert_in_range(said[i], 1, 6); /* only the first lines come again */
    for (unsigned i = 5; i < 80; i++)
        assert_int_equal(said[i], 1);
    finish();
}

/* Offers leases until the sink gives them back, or for this number of turns. */
static bool recall(struct ps_lease **back, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        if (sink.ops->sink->recall(sink.plan, sink.state, back, &sink.now))
            return true;
        usleep(50);
    }
    return false;
}

/* A recall waits two seconds for the confirmation. Leases that are confirmed in that time do not come back; one that
 * does is sent from its beginning when it is offered again. Tested twice in a row. */
static void test_recall(void **unused)
{
    char body[160], window[4096];
    size_t length = 0;
    for (unsigned i = 0; i < 80; i++)
        memcpy(body + 2 * i, i < 79 ? "x\n" : "x", 2);
    body[159] = '\0';
    for (unsigned i = 0; i < 32; i++)
        length += (size_t)snprintf(window + length, sizeof window - length, SAYS("x"));
    begin(PS_KEYS(KEYS, "user", "agent", "name", "An agent", "splitlines", "true"));
    unsigned token = 0;
    for (unsigned round = 1; round <= 2; round++) {
        struct ps_lease *back = NULL;
        char text[64];
        offer(PS_LEASE(&sink, PS_BODY("one")));
        if (round == 1)
            join();
        snprintf(text, sizeof text, SAYS("one") "PING :%u\r\n", ++token);
        expect(text);
        assert_false(recall(&back, 20));
        snprintf(text, sizeof text, ":srv PONG srv :%u\r\n", token);
        tell(text);
        assert_true(recall(&back, PS_TEST_PATIENCE_MS));
        assert_null(back);
        assert_int_equal(sink.done_count, 2 * round - 1);
        offer(PS_LEASE(&sink, PS_BODY(body)));
        for (unsigned half = 0; half < 2; half++) { /* the first window is confirmed, the second is not */
            snprintf(window + length, sizeof window - length, "PING :%u\r\n", ++token);
            expect(window);
            snprintf(text, sizeof text, ":srv PONG srv :%u\r\n", token);
            if (half == 0)
                tell(text);
        }
        assert_false(recall(&back, 20));
        ps_test_stage_pass_ms(&sink, 1999);
        assert_false(recall(&back, 20));
        ps_test_stage_pass_ms(&sink, 1);
        assert_true(recall(&back, 1));
        assert_int_equal(back->settled, 0);
        assert_null(back->next);
        hang_up();
        offer(back);
        join();
        for (unsigned left = 80; left > 0; left -= left < 32 ? left : 32) {
            size_t lines = left < 32 ? left * (sizeof SAYS("x") - 1) : length;
            char *end = window + length - lines;
            snprintf(window + length, sizeof window - length, "PING :%u\r\n", ++token);
            expect(end);
            snprintf(text, sizeof text, ":srv PONG srv :%u\r\n", token);
            tell(text);
        }
        await_done(2 * round);
    }
    finish();
}

static void test_refused(void **unused)
{
    begin(PS_KEYS(KEYS, "user", "agent", "name", "An agent"));
    expect(HELLO);
    tell(":srv 433 * flume :Nickname is already in use\r\n");
    expect("NICK flume_\r\n");
    tell(":srv 433 * flume_ :Nickname is already in use\r\n");
    expect("NICK flume__\r\n");
    tell(":srv 001 flume__ :Welcome\r\n");
    expect(JOIN);
    tell(":srv 474 flume__ #logs :Cannot join channel (+b)\r\n");
    expect_end();
    expect(HELLO);
    tell(":srv 464 flume :Password incorrect\r\n");
    expect_end();
    expect(HELLO);
    for (unsigned i = 0; i < 2048; i++)
        tell("x");
    expect_end(); /* a line without an end */
    join();
    finish();
}

/* Four other nicks are tried with each connection. */
static void test_nicks_in_use(void **unused)
{
    begin(PS_KEYS(KEYS, "user", "agent", "name", "An agent"));
    for (unsigned round = 0; round < 3; round++) {
        expect(HELLO);
        for (unsigned other = 1; other <= 4; other++) {
            char nick[32];
            tell(":srv 433 * flume :Nickname is already in use\r\n");
            snprintf(nick, sizeof nick, "NICK flume%.*s\r\n", (int)other, "____");
            expect(nick);
        }
        tell(":srv 433 * flume____ :Nickname is already in use\r\n");
        expect_end();
    }
    join();
    finish();
}

/* The sink disconnects from a server that does not confirm in time; recalled leases come back in order. */
static void test_silent(void **unused)
{
    begin(PS_KEYS(KEYS, "user", "agent", "name", "An agent"));
    offer(PS_LEASE(&sink, PS_BODY("one")));
    join();
    expect(SAYS("one") "PING :1\r\n");
    ps_test_stage_pass_ms(&sink, 180000);
    expect_end();
    join();
    expect(SAYS("one") "PING :2\r\n");
    struct ps_lease *back = ps_test_sink_recall(&sink);
    assert_non_null(back);
    assert_null(back->next);
    finish();
}

static void test_interval(void **unused)
{
    begin(PS_KEYS(KEYS, "user", "agent", "name", "An agent", "penstock.line.interval", "600000"));
    offer(PS_LEASE(&sink, PS_BODY("one"), PS_BODY("two")));
    join();
    expect(SAYS("one") "PING :1\r\n");
    tell(":srv PONG srv :1\r\n");
    for (unsigned i = 0; i < 50; i++)
        turn();
    assert_true(read_more());
    assert_int_equal(heard_length, 0);
    ps_test_stage_pass_ms(&sink, 600000);
    expect(SAYS("two") "PING :2\r\n");
    tell(":srv PONG srv :2\r\n");
    await_done(1);
    finish();
}

static void expect_drop(const char *const *keys, const char *key)
{
    ps_test_stage_init(&sink, &ps_sink_irc);
    assert_int_equal(ps_test_stage_bind(&sink, keys), PS_FAIL);
    assert_true(ps_test_stage_reported(&sink, PS_LOG_ERROR, key));
    ps_test_stage_fini(&sink);
}

static size_t unread(void)
{
    const struct ps_irc_session *session = sink.state;
    int bytes = 0;
    assert_int_equal(ioctl(session->connection.fd, FIONREAD, &bytes), 0);
    return (size_t)bytes;
}

/* A server that talks faster than the sink reads does not keep the worker: one call reads a part, and the others come to
 * the end. */
static void test_flood(void **unused)
{
    enum { BYTES = 48 * 1024, ONE_CALL = 24 * 1024 };
    static char chatter[BYTES];
    begin(PS_KEYS(KEYS, "user", "agent", "name", "An agent"));
    offer(PS_LEASE(&sink, PS_BODY("one")));
    join();
    expect(SAYS("one") "PING :1\r\n");
    memset(chatter, 'x', sizeof chatter);
    for (size_t at = 63; at < sizeof chatter; at += 64)
        chatter[at] = '\n';
    ps_test_send(server, chatter, sizeof chatter);
    for (uint64_t until = ps_test_patience_end_ns(); unread() < BYTES; usleep(200))
        assert_true(ps_test_patient_ns() < until);
    (void)ps_test_sink_tick(&sink);
    assert_in_range(unread(), BYTES - ONE_CALL, BYTES - 1);
    tell(":srv PONG srv :1\r\n");
    await_done(1);
    finish();
}

static void test_check(void **unused)
{
    expect_drop(PS_KEYS("hostname", "h", "nick", "two words", "chan", "logs"), "nick");
    expect_drop(PS_KEYS("hostname", "h", "nick", "n", "chan", "a,b"), "chan");
    expect_drop(PS_KEYS("hostname", "h", "nick", "n", "chan", "logs", "name", "a\r\nQUIT"), "name");
    expect_drop(PS_KEYS("hostname", "h", "nick", "n", "chan", "c", "splitlines", "true", "splitchars", "("),
                "splitchars");
    expect_drop(PS_KEYS("hostname", "h", "chan", "logs"), "nick");
    ps_test_stage_init(&sink, &ps_sink_irc);
    assert_int_equal(ps_test_stage_bind(&sink, PS_KEYS("hostname", "h", "nick", "n", "chan", "#logs")),
                     PS_OK);
    assert_true(ps_test_stage_reported(&sink, PS_LOG_WARN, "##logs"));
    ps_test_stage_fini(&sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_says),
        cmocka_unit_test(test_rests_until_the_answer),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_window_of_bytes),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_recall),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_strict_server),
        cmocka_unit_test(test_lost_in_an_event),
        cmocka_unit_test(test_nicks_in_use),
        cmocka_unit_test(test_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
