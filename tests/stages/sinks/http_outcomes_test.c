/* Sink http: a table of everything that a server can do with a request, and the cost of each: whether the event is sent
 * again, after a backoff, with an attempt used up, over the same connection, and what is counted. */
#include "tests/support/dead_letters.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS_MAX 8U
#define MARK "event:"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define RECALL_MS 2000U /* the wait for answers (stages/lib/remote/sink.c) */
#define LOOKS 20U       /* turns in which no request may come */

/* SILENCE: the server does not answer, and time passes. CLOSE: it hangs up. */
enum then { KEEP, CLOSE, SILENCE };

struct row {
    const char *what, *answer; /* answer: to the first event's first request; else 200 */
    enum then then;
    bool again; /* the event is sent again */
    bool rests; /* the event is sent again only after a backoff */
    bool refused, unknown, counted;
    bool kept; /* the next request comes over the same connection */
};

static const struct row rows[] = {
    {"200", OK, KEEP, .counted = true, .kept = true},
    {"204", "HTTP/1.1 204 None\r\n\r\n", KEEP, .kept = true},
    {"200, last of its connection", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", KEEP,
     .counted = true},
    {"200 of HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", KEEP, .counted = true},
    {"200, then closed", OK, CLOSE, .counted = true},
    {"200 behind 100", "HTTP/1.1 100 Continue\r\n\r\n" OK, KEEP, .counted = true, .kept = true},
    {"200, cut in its body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody", CLOSE, .counted = true},
    {"200, silent in its body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody", SILENCE, .counted = true},
    {"200 without an end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n", SILENCE,
     .counted = true},
    {"503 behind 200, of no request", OK "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", KEEP,
     .counted = true, .kept = true},
    {"503", "HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nbusy\n", KEEP, .again = true, .rests = true,
     .refused = true, .kept = true},
    {"503, silent in its body", "HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nb", SILENCE, .again = true,
     .rests = true, .refused = true},
    {"404, of its hundred", "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", KEEP, .again = true,
     .refused = true, .counted = true, .kept = true},
    {"400, of its own rule", "HTTP/1.1 400 No\r\nContent-Length: 3\r\n\r\nno\n", KEEP, .refused = true,
     .kept = true},
    {"400, cut in its body", "HTTP/1.1 400 No\r\nContent-Length: 9\r\n\r\nno\n", CLOSE, .refused = true},
    {"302", "HTTP/1.1 302 There\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", KEEP, .again = true,
     .rests = true, .refused = true, .kept = true},
    {"hangs up", "", CLOSE, .again = true, .rests = true, .unknown = true},
    {"hangs up behind 100", "HTTP/1.1 100 Continue\r\n\r\n", CLOSE, .again = true, .rests = true,
     .unknown = true},
    {"cut in the status", "HTTP/1.1 20", CLOSE, .again = true, .rests = true, .unknown = true},
    {"none of HTTP's", "SSH-2.0-OpenSSH_9.2\r\n", CLOSE, .again = true, .rests = true, .unknown = true},
    {"silent", "", SILENCE, .again = true, .rests = true, .unknown = true},
    {"silent behind 100", "HTTP/1.1 100 Continue\r\n\r\n", SILENCE, .again = true, .rests = true,
     .unknown = true},
    {"silent in the status", "HTTP/1.1 20", SILENCE, .again = true, .rests = true, .unknown = true},
};

static struct ps_test_stage stage;
static struct {
    int listener, fds[LINKS_MAX];
    unsigned links;   /* connections that were accepted */
    unsigned seen[2]; /* number of requests for each event */
    unsigned first;   /* number of the connection with the first request */
    unsigned next;    /* number of the connection with the second request */
    bool silent;      /* a request waits for the rest of its answer */
} server;

/* ---- the server ---- */

static void serve_link(const struct row *row, unsigned link)
{
    char request[2048];
    ssize_t n = recv(server.fds[link], request, sizeof request - 1, MSG_DONTWAIT | MSG_PEEK);
    if (n == 0) {
        close(server.fds[link]);
        server.fds[link] = -1;
        server.silent &= link != server.first;
    }
    request[n > 0 ? n : 0] = '\0';
    const char *body = strstr(request, "\r\n\r\n" MARK);
    if (body == NULL || strchr(body, ';') == NULL)
        return;
    assert_int_equal(recv(server.fds[link], request, (size_t)n, 0), n);
    unsigned event = (unsigned)(body[4 + sizeof MARK - 1] - '0'), count = server.seen[0] + server.seen[1];
    bool is_first = count == 0;
    assert_true(event < 2);
    server.seen[event]++;
    if (is_first)
        server.first = link;
    else if (count == 1)
        server.next = link;
    const char *answer = is_first ? row->answer : OK;
    assert_int_equal(send(server.fds[link], answer, strlen(answer), MSG_NOSIGNAL), strlen(answer));
    server.silent |= is_first && row->then == SILENCE;
    if (is_first && row->then == CLOSE) {
        close(server.fds[link]);
        server.fds[link] = -1;
    }
}

static void serve(const struct row *row)
{
    int fd;
    while (server.links < LINKS_MAX && (fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
        server.fds[server.links++] = fd;
    for (unsigned i = 0; i < server.links; i++) {
        if (server.fds[i] >= 0)
            serve_link(row, i);
    }
}

static unsigned listen_anywhere(int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    memset(&server, 0, sizeof server);
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server.listener, backlog), 0);
    assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

static void stop_server(void)
{
    for (unsigned i = 0; i < server.links; i++) {
        if (server.fds[i] >= 0)
            close(server.fds[i]);
    }
    close(server.listener);
}

/* ---- the sink ---- */

static unsigned counter(unsigned number)
{
    return (unsigned)ps_test_stage_counter(&stage, number);
}

static void start(unsigned port, const char *connect_ms)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
    ps_test_stage_start(&stage, &ps_sink_http,
                        PS_KEYS("endpoint", url, "requestTimeout", "3000", "connectTimeout", connect_ms,
                                "rollback.2XX", "false", "backoff.2XX", "false", "rollback.4XX", "true",
                                "backoff.4XX", "false", "rollback.400", "false", "incrementMetrics.4XX",
                                "true", "incrementMetrics.400", "false", "incrementMetrics.200", "true"));
}

static void turn(const struct row *row)
{
    (void)ps_test_sink_tick(&stage);
    serve(row);
    usleep(100);
}

/* Runs until both events are settled. Time passes only while the server is silent or the sink backs off. */
static void run(const struct row *row)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    bool rested = false;
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY(MARK "0;"), PS_BODY(MARK "1;"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_TAKEN);
    while (stage.done_count == 0) {
        if (ps_test_patient_ns() > until_ns)
            fail_msg("%s: the lease is not settled, after %u and %u requests", row->what, server.seen[0],
                     server.seen[1]);
        turn(row);
        if (server.silent)
            ps_test_stage_pass_ms(&stage, 100);
        if (!row->rests || rested || counter(PS_COUNTER_retried) + counter(PS_COUNTER_deadletter) == 0)
            continue;
        for (unsigned i = 0; i < LOOKS; i++)
            turn(row);
        if (server.seen[0] + server.seen[1] > 1)
            fail_msg("%s: no rest", row->what);
        ps_test_stage_pass_ms(&stage, 1000);
        rested = true;
    }
}

static void expect(const struct row *row, const char *what, unsigned found, unsigned wanted)
{
    if (found != wanted)
        fail_msg("%s: %s: %u, not %u", row->what, what, found, wanted);
}

/* The second event is always answered 200. */
static void test_outcomes(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        start(listen_anywhere(16), "5000");
        run(row);
        expect(row, "requests with the first event", server.seen[0], row->again ? 2 : 1);
        expect(row, "requests with the second event", server.seen[1], 1);
        expect(row, "retried", counter(PS_COUNTER_retried), row->again);
        expect(row, "refused", counter(PS_COUNTER_refused), row->refused);
        expect(row, "EventWriteFail", counter(PS_COUNTER_EventWriteFail), row->unknown);
        expect(row, "counted", counter(PS_COUNTER_extra), row->counted + row->again + 1U);
        expect(row, "the connection is used again", server.next == server.first, row->kept);
        ps_test_stage_fini(&stage);
        stop_server();
    }
}

/* With one attempt, an event that would be sent again becomes a dead letter: each request that reached a server costs one
 * attempt. */
static void test_attempts(void **unused)
{
    unsigned exhausted = 0, refused = 0; /* numbers of letters, over all rows */
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        start(listen_anywhere(16), "5000");
        ps_test_dead_letters_open(&stage);
        stage.port.retry_max = 1;
        run(row);
        expect(row, "requests with the first event", server.seen[0], 1);
        expect(row, "requests with the second event", server.seen[1], 1);
        exhausted += row->again;
        refused += row->refused && !row->again;
        expect(row, "letters of used up attempts", ps_test_dead_letters_with("attempts-exhausted"),
               exhausted);
        expect(row, "letters of refusals", ps_test_dead_letters_with("request-refused"), refused);
        expect(row, "letters with the first event", ps_test_dead_letters_with(MARK "0;"),
               exhausted + refused);
        ps_test_stage_fini(&stage);
        ps_test_dead_letters_close(&stage);
        stop_server();
    }
}

/* Listens with a full queue, so that connecting gets no answer. */
static unsigned listen_in_vain(int fillers[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned port = listen_anywhere(0);
    address.sin_port = htons((uint16_t)port);
    for (size_t i = 0; i < 2; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    return port;
}

/* A request that never had a connection costs no attempt. */
static void test_time_out_at_connect(void **unused)
{
    static const struct row row = {.what = "no connection", .then = KEEP};
    int fillers[2];
    start(listen_in_vain(fillers), "20");
    ps_test_dead_letters_open(&stage);
    stage.port.retry_max = 1;
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY(MARK "0;"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_TAKEN);
    uint64_t until_ns = ps_test_patience_end_ns();
    while (counter(PS_COUNTER_EventWriteFail) < 3) {
        assert_true(ps_test_patient_ns() < until_ns);
        (void)ps_test_sink_tick(&stage);
        ps_test_stage_pass_ms(&stage, 100);
        usleep(1000);
    }
    expect(&row, "retried", counter(PS_COUNTER_retried), 3);
    expect(&row, "refused", counter(PS_COUNTER_refused), 0);
    expect(&row, "dead letters", counter(PS_COUNTER_deadletter), 0);
    assert_int_equal(stage.done_count, 0);
    for (size_t i = 0; i < PS_COUNT_OF(fillers); i++)
        close(fillers[i]);
    ps_test_stage_fini(&stage);
    ps_test_dead_letters_close(&stage);
    stop_server();
}

/* ---- several requests at a time ---- */

#define AT_A_TIME 4U

/* Answers each request, but for the first one with the event `late`. */
static void serve_others(unsigned late, unsigned seen[AT_A_TIME])
{
    int fd;
    while (server.links < LINKS_MAX && (fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
        server.fds[server.links++] = fd;
    for (unsigned i = 0; i < server.links; i++) {
        char request[2048];
        ssize_t n = server.fds[i] < 0 ? 0 : recv(server.fds[i], request, sizeof request - 1, MSG_PEEK);
        request[n > 0 ? n : 0] = '\0';
        const char *body = strstr(request, "\r\n\r\n" MARK);
        if (body == NULL || strchr(body, ';') == NULL)
            continue;
        assert_int_equal(recv(server.fds[i], request, (size_t)n, 0), n);
        unsigned event = (unsigned)(body[4 + sizeof MARK - 1] - '0');
        assert_true(event < AT_A_TIME);
        if (seen[event]++ > 0 || event != late)
            assert_int_equal(send(server.fds[i], OK, strlen(OK), MSG_NOSIGNAL), strlen(OK));
    }
}

static void turns_until(const uint32_t *number, uint32_t wanted, unsigned late, unsigned seen[AT_A_TIME])
{
    uint64_t until_ns = ps_test_patience_end_ns();
    while (number != NULL ? *number < wanted : counter(PS_COUNTER_EventWriteFail) < wanted) {
        if (ps_test_patient_ns() > until_ns)
            fail_msg("request %u is late, and nothing goes on", late);
        (void)ps_test_sink_tick(&stage);
        serve_others(late, seen);
        usleep(100);
    }
}

/* Each of several requests has a time limit of its own, whatever the others do: it ends at requestTimeout, not before and
 * not after, and only its event is sent again. */
static void test_one_of_several_is_late(void **unused)
{
    for (unsigned late = 0; late < AT_A_TIME; late++) {
        unsigned seen[AT_A_TIME] = {0};
        char url[64];
        snprintf(url, sizeof url, "http://127.0.0.1:%u/", listen_anywhere(16));
        ps_test_stage_start(&stage, &ps_sink_http,
                            PS_KEYS("endpoint", url, "requestTimeout", "3000", "connectTimeout", "60000",
                                    "defaultBackoff", "false", "rollback.2XX", "false", "penstock.requests",
                                    "4"));
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY(MARK "0;"), PS_BODY(MARK "1;"), PS_BODY(MARK "2;"),
                                          PS_BODY(MARK "3;")),
                        *offered = lease;
        assert_int_equal(ps_test_sink_work(&stage, &offered), PS_TAKEN);
        turns_until(&lease->settled, AT_A_TIME - 1, late, seen);
        ps_test_stage_pass_ms(&stage, 2999);
        for (unsigned i = 0; i < LOOKS; i++)
            (void)ps_test_sink_tick(&stage);
        assert_int_equal(counter(PS_COUNTER_EventWriteFail), 0);
        ps_test_stage_pass_ms(&stage, 1);
        turns_until(NULL, 1, late, seen);
        ps_test_stage_pass_ms(&stage, 1000);
        turns_until(&lease->settled, AT_A_TIME, late, seen);
        for (unsigned i = 0; i < AT_A_TIME; i++)
            assert_int_equal(seen[i], i == late ? 2 : 1);
        ps_test_stage_fini(&stage);
        stop_server();
    }
}

/* Recalls the sink at the end of its wait for answers; the lease comes back. */
static void recall(struct ps_lease *lease)
{
    struct ps_lease *back = NULL;
    assert_false(stage.ops->sink->recall(stage.plan, stage.state, &back, &stage.now));
    ps_test_stage_pass_ms(&stage, RECALL_MS);
    assert_true(stage.ops->sink->recall(stage.plan, stage.state, &back, &stage.now));
    assert_ptr_equal(back, lease);
    assert_int_equal(back->settled, 0);
    assert_null(back->next);
}

/* Events that a recall takes back may have arrived if, and only if, the request had a connection. Tested twice in a row. */
static void test_recalled(void **unused)
{
    static const struct row row = {.what = "silent", .answer = "", .then = SILENCE};
    int fillers[2];
    for (unsigned connects = 0; connects < 2; connects++) {
        start(connects ? listen_anywhere(16) : listen_in_vain(fillers), "60000");
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY(MARK "0;"));
        for (unsigned round = 1; round <= 2; round++) {
            struct ps_lease *offered = lease;
            uint64_t until_ns = ps_test_patience_end_ns();
            assert_int_equal(ps_test_sink_work(&stage, &offered), PS_TAKEN);
            memset(server.seen, 0, sizeof server.seen);
            (void)ps_test_sink_tick(&stage);
            while (connects && server.seen[0] == 0) { /* accepting would make room in the queue */
                assert_true(ps_test_patient_ns() < until_ns);
                turn(&row);
            }
            recall(lease);
            expect(&row, "duplicated", counter(PS_COUNTER_duplicated), connects * round);
        }
        for (size_t i = 0; !connects && i < PS_COUNT_OF(fillers); i++)
            close(fillers[i]);
        ps_test_stage_fini(&stage);
        stop_server();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test_setup_teardown(test_attempts, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test(test_one_of_several_is_late),
        cmocka_unit_test_setup_teardown(test_time_out_at_connect, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test(test_recalled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
