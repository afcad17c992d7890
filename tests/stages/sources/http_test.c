/* Source http with requests written by hand: the answers, and when they come. */
#include "tests/support/net.h"
#include "stages/lib/http/server.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOCAL "bind", "127.0.0.1", "port", "0"

static void start(struct ps_test_stage *stage, const char *const *keys)
{
    ps_test_stage_start(stage, &ps_source_http, keys);
}

static int client(const struct ps_test_stage *stage)
{
    return ps_test_connect("127.0.0.1", ps_test_tcp_port(stage, 0));
}

static void send_request(int fd, const char *fields, const char *body, size_t length)
{
    char head[512];
    int head_length = snprintf(head, sizeof head,
                               "POST / HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n\r\n", fields, length);
    ps_test_send(fd, head, (size_t)head_length);
    ps_test_send(fd, body, length);
}

/* Runs the source until an answer with this number of bytes of content is complete; returns its status. */
static unsigned receive_status(struct ps_test_stage *stage, int fd)
{
    bool closed;
    char *start_line = ps_test_receive(stage, fd, 12, PS_TEST_PATIENCE_MS, &closed);
    assert_memory_equal(start_line, "HTTP/1.1 ", 9);
    unsigned status = (unsigned)strtoul(start_line + 9, NULL, 10), length = 0;
    char tail[1024] = "";
    for (size_t used = 0; strstr(tail, "\r\n\r\n") == NULL; used++) {
        assert_true(used < sizeof tail - 1);
        tail[used] = ps_test_receive(stage, fd, 1, PS_TEST_PATIENCE_MS, &closed)[0];
    }
    const char *field = strstr(tail, "Content-Length: ");
    if (field != NULL)
        length = (unsigned)strtoul(field + strlen("Content-Length: "), NULL, 10);
    if (length > 0)
        (void)ps_test_receive(stage, fd, length, PS_TEST_PATIENCE_MS, &closed);
    return status;
}

/* Statuses and events are those of Flume 1.11 for the same bodies. */
static void test_bodies(void **unused)
{
    static const struct {
        const char *fields, *body;
        unsigned status;
        const char *bodies[3];
    } cases[] = {
        {"", "[{\"body\":\"one\"},{\"body\":\"two\"}]", 200, {"one", "two"}},
        {"", "[]", 200, {NULL}},
        {"", "[{}]", 200, {""}},
        {"", "[{\"body\":null,\"headers\":null}]", 200, {""}},
        {"", "[{body:5},{body:TRUE},{'body'=>'x'}]", 200, {"5", "true", "x"}},
        {"", "[{\"body\":\"a\\u00e9\\ud83d\\ude00\\n\\ud83d\"}]", 200, {"aé😀\n?"}},
        {"", "[{\"body\":\"bad \xFF utf\"}]", 200, {"bad \xEF\xBF\xBD utf"}},
        {"Content-Type: application/json; charset=\"utf-8\"\r\n", "[{\"body\":\"é\"}]", 200, {"é"}},
        {"Content-Type: application/json; charset='utf-8'\r\n", "[{\"body\":\"é\"}]", 200, {"é"}},
        {"Content-Type: application/json; CHARSET=UTF_8\r\n", "[{\"body\":\"é\"}]", 200, {"é"}},
        {"Content-Type: application/json; charset = 'UTF_8' ;\r\n", "[{\"body\":\"é\"}]", 200, {"é"}},
        {"Content-Type: application/json; charset='ISO_8859_1'\r\n", "[{\"body\":\"x\"}]", 500, {NULL}},
        {"Content-Type: application/json; charset=ISO-8859-1\r\n", "[{\"body\":\"x\"}]", 500, {NULL}},
        {"", "", 500, {NULL}},
        {"", "null", 500, {NULL}},
        {"", "[null]", 500, {NULL}},
        {"", "[{\"body\":\"good\"},]", 500, {NULL}},
        {"", "[{\"body\":\"\\uZZZZ\"}]", 500, {NULL}},
        {"", "{\"body\":\"no array\"}", 400, {NULL}},
        {"", "[{\"body\":\"good\"},{\"body\":\"bad\"", 400, {NULL}},
        {"", "[{\"body\":{}}]", 400, {NULL}},
        {"", "[{\"body\":\"x\"}] x", 400, {NULL}},
        {"", "[{\"headers\":{\"a\":\"1\",\"a\":\"2\"}}]", 400, {NULL}},
    };
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        ps_test_source_clear(&stage);
        send_request(fd, cases[i].fields, cases[i].body, strlen(cases[i].body));
        unsigned status = receive_status(&stage, fd);
        if (status != cases[i].status)
            fail_msg("%s: %u", cases[i].body, status);
        size_t count = 0;
        for (; count < 3 && cases[i].bodies[count] != NULL; count++) {
            assert_true(count < stage.event_count);
            ps_test_expect(&stage.events[count], cases[i].bodies[count], NULL);
        }
        assert_int_equal(stage.event_count, count);
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_headers(void **unused)
{
    static const char body[] = "[{\"headers\":{\"a\":\"1\",\"b\":null,\"c\":2.50},\"body\":\"x\"},"
                               "{\"headers\":[[\"a\",\"2\"],[\"\\u0061b\",\"\\t\"]],\"body\":\"y\"},"
                               "{\"headers\":{\"a\":\"1\",\"b\":\"2\"},\"headers\":{\"t\":true,\"f\":false},"
                               "\"body\":\"no\",\"body\":false},"
                               "{\"headers\":{\"a\":\"1\"},\"headers\":null,\"body\":\"z\"}]";
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    send_request(fd, "", body, sizeof body - 1);
    assert_int_equal(receive_status(&stage, fd), 200);
    assert_int_equal(stage.event_count, 4);
    ps_test_expect(&stage.events[0], "x", PS_WORDS("a", "1", "c", "2.50"));
    ps_test_expect(&stage.events[1], "y", PS_WORDS("a", "2", "ab", "\t"));
    /* of members with the same name, the last one counts */
    ps_test_expect(&stage.events[2], "false", PS_WORDS("t", "true", "f", "false"));
    ps_test_expect(&stage.events[3], "z", NULL);
    assert_int_equal(ps_test_event_header_count(&stage.events[2]), 2);
    assert_int_equal(ps_test_event_header_count(&stage.events[3]), 0);
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_wide_charsets(void **unused)
{
    static const char wide[] = "\0[\0{\0\"\0b\0o\0d\0y\0\"\0:\0\"\0h\0\xE9\0\"\0}\0]";
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    send_request(fd, "Content-Type: text/plain;charset=UTF-16\r\n", wide, sizeof wide - 1);
    assert_int_equal(receive_status(&stage, fd), 200);
    assert_int_equal(stage.event_count, 1);
    assert_int_equal(stage.events[0].length, 6);
    assert_memory_equal(stage.events[0].body, "\xFE\xFF\0h\0\xE9", 6);
    static const struct {
        const char *mark, *open;
    } orders[] = {{"\xFF\xFE\0\0", "[\0\0\0{\0\0\0}\0\0\0]\0\0"},
                  {"\0\0\xFE\xFF", "\0\0\0[\0\0\0{\0\0\0}\0\0\0]"}};
    for (size_t i = 0; i < PS_COUNT_OF(orders); i++) {
        char body[20];
        memcpy(body, orders[i].mark, 4);
        memcpy(body + 4, orders[i].open, 16);
        send_request(fd, "Content-Type: application/json;charset=utf-32\r\n", body, sizeof body);
        assert_int_equal(receive_status(&stage, fd), 200);
        assert_int_equal(stage.event_count, 2 + i);
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Requests that are not POST, or not HTTP. The last column: whether the connection is closed. */
static void test_requests(void **unused)
{
    static const struct {
        const char *request;
        unsigned status;
        bool closed;
    } cases[] = {
        {"OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n", 403, false},
        {"TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 403, false},
        {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n[]", 405, false},
        {"DELETE /x HTTP/1.1\r\nHost: h\r\n\r\n", 405, false},
        {"PATCH /x HTTP/1.1\r\nHost: h\r\n\r\n", 501, false},
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 500, false},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]", 200, true},
        {"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\n[]", 200, true},
        {"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]", 400, true},
        {"nonsense\r\n\r\n", 501, true},
        {"POST / HTTP/3.0\r\nHost: h\r\n\r\n", 505, true},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]", 400, true},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", 400, true},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", 413, true},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n", 200, false},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400, true},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked \r\n\r\n2\r\n[]\r\n0\r\n\r\n", 200, false},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, true},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", 501,
         true},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         400, true},
        {"POST / HTTP/1.1\r\nHost: h\r\nHost: g\r\nContent-Length: 2\r\n\r\n[]", 400, true},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: foo\r\n\r\n[]", 417, true},
        {"POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: foo\r\n\r\n[]", 200, true},
    };
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        bool closed;
        int fd = client(&stage);
        ps_test_send_text(fd, cases[i].request);
        unsigned status = receive_status(&stage, fd);
        if (status != cases[i].status)
            fail_msg("%s: %u", cases[i].request, status);
        (void)ps_test_receive(&stage, fd, 1, cases[i].closed ? PS_TEST_PATIENCE_MS : 1, &closed);
        assert_int_equal(closed, cases[i].closed);
        close(fd);
    }
    assert_int_equal(stage.event_count, 0);
    ps_test_stage_fini(&stage);
}

/* A request may come in any pieces, in chunks, and after others. */
static void test_pieces(void **unused)
{
    static const char request[] =
        "POST /p?q HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
        "5;x=y\r\n[{\"bo\r\n1\r\nd\r\nD\r\ny\":\"hello w\",\r\n"
        "1f\r\n\"headers\":{\"name\":\"value\"},\"x\":\r\n6\r\n[1,2]}\r\n1\r\n]\r\n0\r\n\r\n"
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\n\r\n[{\"body\":\"next\"}]";
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    for (size_t piece = 1; piece < sizeof request; piece += piece < 8 ? 1 : 61) {
        ps_test_source_clear(&stage);
        for (size_t at = 0; at < sizeof request - 1; at += piece) {
            size_t left = sizeof request - 1 - at;
            ps_test_send(fd, request + at, left < piece ? left : piece);
            ps_test_source_work(&stage);
        }
        assert_int_equal(receive_status(&stage, fd), 200);
        assert_int_equal(receive_status(&stage, fd), 200);
        assert_int_equal(stage.event_count, 2);
        ps_test_expect(&stage.events[0], "hello w", PS_WORDS("name", "value"));
        ps_test_expect(&stage.events[1], "next", NULL);
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

/* No answer comes before the channels have accepted the events, and later requests wait as well. */
static void test_answers_wait_for_the_channel(void **unused)
{
    for (int i = 0; i < 2; i++) {
        bool refused = i == 1;
        struct ps_test_stage stage;
        char byte;
        start(&stage, PS_KEYS(LOCAL));
        int fd = client(&stage);
        send_request(fd, "", "[{\"body\":\"x\"}]", 14);
        send_request(fd, "", "[{", 2);
        ps_test_source_fill(&stage, 1);
        for (int k = 0; k < 20; k++) {
            ps_source_http.source->work(stage.plan, stage.state, stage.batch, &stage.now);
            usleep(1000);
        }
        assert_true(stage.batch->flush);
        assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
        if (refused)
            ps_test_source_refuse_batch(&stage, "channel c1 is full");
        else
            ps_test_source_close_batch(&stage);
        assert_int_equal(receive_status(&stage, fd), refused ? 503 : 200);
        assert_int_equal(receive_status(&stage, fd), 400);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* A client that has closed its side still gets its answer; one that is gone disturbs no other. */
static void test_half_closed(void **unused)
{
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL));
    int gone = client(&stage), fd = client(&stage);
    send_request(gone, "", "[{\"body\":\"x\"}]", 14);
    ps_test_source_fill(&stage, 1);
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(gone, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(gone);
    send_request(fd, "", "[{\"body\":\"y\"}]", 14);
    shutdown(fd, SHUT_WR);
    ps_test_source_fill(&stage, 2);
    ps_test_source_close_batch(&stage);
    assert_int_equal(receive_status(&stage, fd), 200);
    (void)ps_test_receive(&stage, fd, 1, PS_TEST_PATIENCE_MS, &closed);
    assert_true(closed);
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_continue(void **unused)
{
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    ps_test_send_text(fd, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_string_equal(ps_test_receive(&stage, fd, 25, PS_TEST_PATIENCE_MS, &closed),
                        "HTTP/1.1 100 Continue\r\n\r\n");
    ps_test_send_text(fd, "[]");
    assert_int_equal(receive_status(&stage, fd), 200);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* More events than a batch takes, in a body that is longer than a block: all in order, one answer. */
static void test_long_request(void **unused)
{
    static const char *const fields[] = {"", "Content-Type: application/json;charset=utf-16\r\n"};
    enum { EVENTS = 5000 };
    static char body[EVENTS * 100], wide[2 * sizeof body];
    size_t length = 0;
    body[length++] = '[';
    for (unsigned i = 0; i < EVENTS; i++)
        length += (size_t)snprintf(
            body + length, sizeof body - length,
            "{\"headers\":{\"n\":\"%u\"},\"body\":\"event \\u0025 %u ..............................\"},", i,
            i);
    body[length - 1] = ']';
    for (size_t i = 0; i < length; i++)
        wide[2 * i + 1] = body[i];
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    for (size_t k = 0; k < PS_COUNT_OF(fields); k++) {
        int fd = client(&stage);
        ps_test_source_clear(&stage);
        size_t sent = 0, size = k == 0 ? length : 2 * length;
        char head[256];
        int head_length =
            snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n\r\n",
                     fields[k], size);
        ps_test_send(fd, head, (size_t)head_length);
        for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && stage.event_count < EVENTS;) {
            if (sent < size) {
                ssize_t n = send(fd, (k == 0 ? body : wide) + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
                sent += n > 0 ? (size_t)n : 0;
            }
            (void)ps_test_source_work(&stage);
            if (stage.batch != NULL && stage.batch->count > 0)
                ps_test_source_close_batch(&stage);
            else if (sent == size && i++ > 0)
                usleep(1000);
        }
        assert_int_equal(receive_status(&stage, fd), 200);
        assert_int_equal(stage.event_count, EVENTS);
        for (unsigned i = 0; i < EVENTS; i++) {
            char number[16];
            snprintf(number, sizeof number, "%u", i);
            assert_string_equal(ps_test_event_header(&stage.events[i], "n"), number);
        }
        close(fd);
    }
    ps_test_stage_fini(&stage);
}

/* A client that sends slowly is answered 408, one that sends nothing is closed; others continue. */
static void test_slow_clients(void **unused)
{
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL, "penstock.request.timeout", "5", "penstock.idle.timeout", "20"));
    int slow = client(&stage), silent = client(&stage), good = client(&stage);
    ps_test_send_text(slow, "POST / HTTP/1.1\r\nHo");
    for (int i = 0; i < 100; i++) {
        ps_test_source_work(&stage);
        ps_test_stage_pass_ms(&stage, 10);
        usleep(100);
    }
    ps_test_send_text(slow, "st: h\r\n");
    for (int i = 0; i < 60; i++) {
        ps_test_source_work(&stage);
        ps_test_stage_pass_ms(&stage, 100);
        usleep(100);
    }
    assert_int_equal(receive_status(&stage, slow), 408);
    (void)ps_test_receive(&stage, slow, 1, PS_TEST_PATIENCE_MS, &closed);
    assert_true(closed);
    send_request(good, "", "[]", 2);
    assert_int_equal(receive_status(&stage, good), 200);
    for (int i = 0; i < 150; i++) {
        ps_test_source_work(&stage);
        ps_test_stage_pass_ms(&stage, 100);
    }
    send_request(good, "", "[]", 2);
    assert_int_equal(receive_status(&stage, good), 200);
    (void)ps_test_receive(&stage, silent, 1, PS_TEST_PATIENCE_MS, &closed);
    assert_true(closed);
    close(slow);
    close(silent);
    close(good);
    ps_test_stage_fini(&stage);
}

static void test_limits(void **unused)
{
    static char uri[600], field[600];
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL, "penstock.body.max", "10", "HttpConfiguration.requestHeaderSize", "300"));
    memset(uri, 'u', sizeof uri - 1);
    memset(field, 'f', sizeof field - 1);
    for (int i = 0; i < 5; i++) {
        char request[2048];
        static const unsigned statuses[] = {414, 431, 413, 413, 200};
        snprintf(request, sizeof request, "POST /%s HTTP/1.1\r\nHost: h\r\nX: %s\r\n%s\r\n\r\n%s",
                 i == 0 ? uri : "", i == 1 ? field : "",
                 i == 3   ? "Transfer-Encoding: chunked"
                 : i == 2 ? "Content-Length: 11"
                          : "Content-Length: 10",
                 i == 3 ? "b\r\n[         ]" : "[        ]");
        int fd = client(&stage);
        ps_test_send_text(fd, request);
        assert_int_equal(receive_status(&stage, fd), statuses[i]);
        (void)ps_test_receive(&stage, fd, 1, i < 4 ? PS_TEST_PATIENCE_MS : 1, &closed);
        assert_int_equal(closed, i < 4);
        close(fd);
    }
    ps_test_stage_fini(&stage);
}

static void test_blobs(void **unused)
{
    static const struct {
        const char *target;
        unsigned status;
        const char *headers[10];
    } cases[] = {
        {"/?a=1&b=two+words&c=%C3%A9%2B&a=2&d", 200, {"a", "1", "b", "two words", "c", "é+", "d", ""}},
        {"/p?a=%FF&b=2#f", 200, {"a", "\xEF\xBF\xBD", "b", "2"}},
        {"/?&&a=&=x&b==&", 200, {"a", "", "", "x", "b", "="}},
        {"/?a=1", 500, {NULL}},
        {"/", 500, {NULL}},
        {"/?a=1&b=%4", 400, {NULL}},
    };
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL, "handler", "org.apache.flume.source.http.BLOBHandler",
                          "handler.mandatoryParameters", "a,b"));
    int fd = client(&stage);
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char request[256];
        int length = snprintf(request, sizeof request,
                              "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\na\nb\1%c",
                              cases[i].target, (int)('a' + i));
        ps_test_source_clear(&stage);
        ps_test_send(fd, request, (size_t)length);
        unsigned status = receive_status(&stage, fd);
        if (status != cases[i].status)
            fail_msg("%s: %u", cases[i].target, status);
        assert_int_equal(stage.event_count, status == 200);
        if (status == 200)
            ps_test_expect(&stage.events[0], (char[]){'a', '\n', 'b', 1, (char)('a' + i), 0},
                           cases[i].headers);
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Java's split(","): blanks and empty names are kept, except for empty names at the end. */
static void test_mandatory_parameters(void **unused)
{
    static const struct {
        const char *list, *target;
        unsigned status;
        bool warns;
    } cases[] = {
        {"a,,b", "/?a=1&b=2", 500, true},
        {"a,,b", "/?a=1&b=2&=3", 200, true},
        {",", "/", 200, false},
        {"a,,", "/?a=1", 200, false},
        {"a, b", "/?a=1&b=2", 500, true},
        {"a, b", "/?a=1&+b=2", 200, true},
        {"a ,b", "/?a%20=1&b=2", 200, true},
        {"a;b", "/?a=1&b=2", 500, false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        start(&stage, PS_KEYS(LOCAL, "handler", "org.apache.flume.source.http.BLOBHandler",
                              "handler.mandatoryParameters", cases[i].list));
        int fd = client(&stage);
        char request[128];
        int length = snprintf(request, sizeof request,
                              "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", cases[i].target);
        ps_test_send(fd, request, (size_t)length);
        unsigned status = receive_status(&stage, fd);
        bool warns = ps_test_stage_reported(&stage, PS_LOG_WARN, "handler.mandatoryParameters");
        if (status != cases[i].status || warns != cases[i].warns)
            fail_msg("%s of %s: %u, %d", cases[i].target, cases[i].list, status, warns);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* The handler by its name in Flume's user guide: parameters and Content-Type become headers, and a body that is too
 * long is cut. */
static void test_morphline_blob(void **unused)
{
    static const struct {
        const char *target, *field, *body;
        const char *headers[6];
    } cases[] = {
        {"/", "", "12345678", {NULL}},
        {"/?resourceName=a.avro",
         "Content-Type: application/octet-stream\r\n",
         "12345678",
         {"resourceName", "a.avro", "Content-Type", "application/octet-stream"}},
        {"/?Content-Type=x", "Content-Type: text/plain\r\n", "12345678", {"Content-Type", "x"}},
        {"/", "Content-Type: a\xFF\r\n", "12345678", {"Content-Type", "a\xEF\xBF\xBD"}},
        {"/", "Content-Type: text/plain \t\r\n", "12345678", {"Content-Type", "text/plain"}},
        {"/", "", "123456789", {NULL}}, /* cut */
    };
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL, "handler", "org.apache.flume.sink.solr.morphline.BlobHandler",
                          "handler.maxBlobLength", "8"));
    int fd = client(&stage);
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char request[256];
        int length = snprintf(request, sizeof request,
                              "POST %s HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n\r\n%s",
                              cases[i].target, cases[i].field, strlen(cases[i].body), cases[i].body);
        ps_test_source_clear(&stage);
        ps_test_send(fd, request, (size_t)length);
        assert_int_equal(receive_status(&stage, fd), 200);
        assert_int_equal(stage.event_count, 1);
        ps_test_expect(&stage.events[0], "12345678", cases[i].headers);
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Of Jetty's keys, some take effect, some are reported as without an effect, and some are refused. */
static void test_jetty_keys(void **unused)
{
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL, "HttpConfiguration.sendServerVersion", "false",
                          "HttpConfiguration.sendDateHeader", "false", "HttpConfiguration.sendXPoweredBy",
                          "true", "QueuedThreadPool.maxThreads", "5", "ServerConnector.idleTimeout", "1000"));
    int fd = client(&stage);
    send_request(fd, "", "[]", 2);
    static const char answer[] = "HTTP/1.1 200 OK\r\nX-Powered-By: penstock\r\nContent-Length: 0\r\n\r\n";
    assert_string_equal(ps_test_receive(&stage, fd, sizeof answer - 1, PS_TEST_PATIENCE_MS, &closed), answer);
    for (int i = 0; i < 40; i++) {
        ps_test_source_work(&stage);
        ps_test_stage_pass_ms(&stage, 100);
    }
    (void)ps_test_receive(&stage, fd, 1, PS_TEST_PATIENCE_MS, &closed);
    assert_true(closed);
    close(fd);
    ps_test_stage_fini(&stage);
    ps_test_stage_init(&stage, &ps_source_http);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS(LOCAL, "SslContextFactory.needClientAuth", "true")),
                     PS_FAIL);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS(LOCAL, "ServerConnector.idleTimeout", "soon")),
                     PS_FAIL);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS(LOCAL, "enableSSL", "true")), PS_FAIL);
    assert_non_null(strstr(stage.err.text, "keystore"));
    ps_test_stage_fini(&stage);
}

static void test_bad_keys(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_source_http);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS(LOCAL, "handler", "com.example.Handler")), PS_FAIL);
    assert_non_null(strstr(stage.err.text, "com.example.Handler"));
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("bind", "127.0.0.1")), PS_FAIL);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),         cmocka_unit_test(test_headers),
        cmocka_unit_test(test_wide_charsets),  cmocka_unit_test(test_requests),
        cmocka_unit_test(test_pieces),         cmocka_unit_test(test_answers_wait_for_the_channel),
        cmocka_unit_test(test_half_closed),    cmocka_unit_test(test_continue),
        cmocka_unit_test(test_long_request),   cmocka_unit_test(test_slow_clients),
        cmocka_unit_test(test_limits),         cmocka_unit_test(test_blobs),
        cmocka_unit_test(test_morphline_blob), cmocka_unit_test(test_jetty_keys),
        cmocka_unit_test(test_bad_keys),       cmocka_unit_test(test_mandatory_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
