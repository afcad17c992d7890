/* Source http: requests that wait, for memory or for the channel, and requests at the limits. */
#include "core/flow/block.h"
#include "stages/lib/http/server.h"
#include "tests/support/http_ask.h"
#include "tests/support/net.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOCAL "bind", "127.0.0.1", "port", "0"
#define SHORT "penstock.request.timeout", "5", "penstock.idle.timeout", "100000"
#define LINES "Content-Type: application/x-ndjson\r\n"
#define WIDE "Content-Type: application/json; charset=utf-16\r\n"
#define BLOCKS_MAX 4096U

/* Returns a request with `events` events of about 80 bytes, as an array or as lines. The caller frees it. */
static char *make_request(unsigned events, bool lines, size_t *length)
{
    char *text = malloc(events * 128U + 256), *body = malloc(events * 128U + 16);
    size_t used = 0;
    assert_true(text != NULL && body != NULL);
    if (!lines)
        body[used++] = '[';
    for (unsigned i = 0; i < events; i++)
        used += (size_t)sprintf(body + used, "%s{\"headers\":{\"n\":\"%u\"},\"body\":\"%064u\"}",
                                i == 0  ? ""
                                : lines ? "\n"
                                        : ",",
                                i, i);
    if (!lines)
        body[used++] = ']';
    *length = (size_t)sprintf(text, "POST / HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n\r\n%.*s",
                              lines ? LINES : "", used, (int)used, body);
    free(body);
    return text;
}

static int start(struct ps_test_stage *stage, const char *const *keys)
{
    ps_test_stage_start(stage, &ps_source_http, keys);
    return ps_test_connect("127.0.0.1", ps_test_tcp_port(stage, 0));
}

static void pass_seconds(struct ps_test_stage *stage, unsigned seconds)
{
    for (unsigned i = 0; i < 4 * seconds; i++) {
        ps_test_stage_pass_ms(stage, 250);
        (void)stage->ops->source->tick(stage->plan, stage->state, &stage->now);
    }
}

/* A complete request waits for its channel without limit: that time does not count as the client's. */
static void test_waits_for_the_channel(void **unused)
{
    struct ps_test_stage stage;
    size_t length, sent = 0;
    char *request = make_request(3000, false, &length); /* longer than one read */
    int fd = start(&stage, PS_KEYS(LOCAL, SHORT));
    do {
        ssize_t n = send(fd, request + sent, length - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        ps_test_source_read(&stage);
    } while (!stage.batch->full);
    assert_int_equal(sent, length);
    pass_seconds(&stage, 60);
    assert_int_equal(ps_test_http_ask(&stage, fd, "", 0), 200);
    assert_int_equal(stage.event_count, 3000);
    assert_int_equal(ps_test_http_post(&stage, fd, "/", "", "[]", 2), 200); /* the connection still works */
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 0);
    close(fd);
    free(request);
    ps_test_stage_fini(&stage);
}

/* Sends the bytes. When this returns, the source has received all of them, and has read them unless it is paused. */
static void send_read(struct ps_test_stage *stage, int fd, const char *bytes, size_t length)
{
    ps_test_send(fd, bytes, length);
    ps_test_await_arrival(fd);
    for (int i = 0; i < 4; i++)
        ps_test_source_read(stage);
}

/* The time limit of an incomplete request does not run while the source does not read: after a pause of 60 s the
 * request is accepted; without a pause it is answered 408 after 6 s. */
static void test_paused(void **unused)
{
    static const char head[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n";
    for (int pauses = 1; pauses >= 0; pauses--) {
        struct ps_test_stage stage;
        int fd = start(&stage, PS_KEYS(LOCAL, SHORT));
        send_read(&stage, fd, head, sizeof head - 1);
        pass_seconds(&stage, 4);
        if (pauses > 0) {
            stage.ops->source->paused(stage.plan, stage.state, true, &stage.now);
            pass_seconds(&stage, 60);
            stage.ops->source->paused(stage.plan, stage.state, false, &stage.now);
        } else {
            pass_seconds(&stage, 2);
        }
        assert_int_equal(ps_test_http_ask(&stage, fd, "[{}]", 4), pauses > 0 ? 200 : 408);
        assert_int_equal(stage.event_count, pauses);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* Takes all memory that the source could have. Returns the number of blocks. */
static unsigned starve(struct ps_test_stage *stage, struct ps_block *blocks[BLOCKS_MAX])
{
    unsigned count = 0;
    for (uint32_t size = 1U << 20; size >= 4096; size /= 2) {
        while (count < BLOCKS_MAX &&
               (blocks[count] = ps_block_take_oversize(stage->port.blocks, size)) != NULL)
            count++;
    }
    return count;
}

/* A request that finds no memory is accepted once when memory is free again, at each place that allocates. */
static void test_waits_for_memory(void **unused)
{
    static char long_name[14000], long_body[14000], wide[2 * 6000];
    static struct ps_block *blocks[BLOCKS_MAX];
    memset(long_name, 'n', sizeof long_name - 1);
    snprintf(long_body, sizeof long_body, "[{\"headers\":{\"%.13000s\":\"v\"},\"body\":\"x\"}]", long_name);
    memset(wide, 0, sizeof wide);
    for (size_t i = 0; i < 6000; i++)
        wide[2 * i + 1] = i == 0 ? '[' : i == 1 ? '{' : i == 5998 ? '}' : i == 5999 ? ']' : ' ';
    static char lines[6000];
    memset(lines, ' ', sizeof lines);
    memcpy(lines, "{}", 2);
    const struct {
        const char *fields, *body;
        size_t length;
    } cases[] = {
        {"", long_body, strlen(long_body)},
        {WIDE, wide, sizeof wide},
        {LINES, lines, sizeof lines},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        char head[256];
        ps_test_stage_init_sized(&stage, &ps_source_http, 64U << 20);
        assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS(LOCAL)), PS_OK);
        assert_int_equal(ps_test_stage_build(&stage), PS_OK);
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
        assert_int_equal(ps_test_http_post(&stage, fd, "/", "", "[{}]", 4),
                         200); /* the request has its first blocks */
        ps_test_source_read(&stage);
        unsigned count = starve(&stage, blocks);
        int length =
            snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n\r\n",
                     cases[i].fields, cases[i].length);
        ps_test_send(fd, head, (size_t)length);
        send_read(&stage, fd, cases[i].body, cases[i].length);
        assert_int_equal(stage.batch->count, 0);
        while (count > 0)
            ps_block_drop(stage.port.blocks, blocks[--count]);
        assert_int_equal(ps_test_http_ask(&stage, fd, "", 0), 200);
        assert_int_equal(stage.event_count, 2);
        assert_int_equal(ps_test_http_post(&stage, fd, "/", "", "[{}]", 4), 200);
        assert_int_equal(stage.event_count, 3);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* 100 Continue is an answer like others: it is sent after those to earlier requests. */
static void test_continue_waits_for_its_turn(void **unused)
{
#define ONE "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n[{}]"
    static const char requests[] =
        ONE ONE "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    struct ps_test_stage stage;
    int fd = start(&stage, PS_KEYS(LOCAL, "HttpConfiguration.sendServerVersion", "false",
                                   "HttpConfiguration.sendDateHeader", "false"));
    bool closed;
    char byte;
    send_read(&stage, fd, requests, sizeof requests - 1);
    ps_test_source_fill(&stage, 2);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    ps_test_source_close_batch(&stage);
#define DONE "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    static const char answers[] = DONE DONE "HTTP/1.1 100 Continue\r\n\r\n";
    assert_string_equal(ps_test_receive(&stage, fd, sizeof answers - 1, PS_TEST_PATIENCE_MS, &closed),
                        answers);
    assert_int_equal(ps_test_http_ask(&stage, fd, "[]", 2), 200);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* No bytes after these requests are read: a proxy may take them for the requests' bodies. */
static void test_nothing_is_smuggled(void **unused)
{
#define NEXT "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n[{}]"
    static const struct {
        const char *request;
        unsigned status, events;
        bool closed;
    } cases[] = {
        {"CONNECT h:80 HTTP/1.1\r\nHost: h\r\nContent-Length: 51\r\n\r\n" NEXT, 501, 0, true},
        {"CONNECT h:80 HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n" NEXT, 501, 0, true},
        {"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: "
         "chunked\r\n\r\n4\r\n[{}]\r\n0\r\n\r\n" NEXT,
         200, 1, true},
        {"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\n[{}]" NEXT, 200, 2, false},
        {"PATCH / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n[{}]" NEXT, 501, 1, false},
        {"POST / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: "
         "4\r\n\r\n[{}]" NEXT,
         200, 2, false},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: "
         "51\r\n\r\n" NEXT,
         500, 1, false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        int fd = start(&stage, PS_KEYS(LOCAL));
        bool closed;
        unsigned status = ps_test_http_ask(&stage, fd, cases[i].request, strlen(cases[i].request));
        if (status != cases[i].status)
            fail_msg("%.40s: %u", cases[i].request, status);
        (void)ps_test_receive(&stage, fd, 4096, cases[i].closed ? PS_TEST_PATIENCE_MS : 20, &closed);
        if (closed != cases[i].closed || stage.event_count != cases[i].events)
            fail_msg("%.40s: %zu events, %s", cases[i].request, stage.event_count,
                     closed ? "closed" : "not closed");
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* A head of exactly the limit is accepted, one byte more is refused; sent whole, and byte by byte. */
static void test_head_limit(void **unused)
{
    enum { LIMIT = 300 };
    for (int more = -1; more <= 1; more++) {
        for (int pieces = 0; pieces < 2; pieces++) {
            char request[512], pad[LIMIT];
            struct ps_test_stage stage;
            memset(pad, 'p', sizeof pad);
            int fd = start(&stage, PS_KEYS(LOCAL, "HttpConfiguration.requestHeaderSize", "300"));
            int fixed = snprintf(request, sizeof request,
                                 "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nX: \r\n\r\n");
            int length = snprintf(request, sizeof request,
                                  "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nX: %.*s\r\n\r\n[{}]",
                                  LIMIT + more - fixed, pad);
            assert_int_equal(length, LIMIT + more + 4);
            int sent = 0;
            for (; pieces > 0 && sent < LIMIT - 1; sent++) {
                ps_test_send(fd, request + sent, 1);
                ps_test_source_read(&stage);
            }
            unsigned status = ps_test_http_ask(&stage, fd, request + sent, (size_t)(length - sent));
            assert_int_equal(status, more > 0 ? 431 : 200);
            assert_int_equal(stage.event_count, more > 0 ? 0 : 1);
            close(fd);
            ps_test_stage_fini(&stage);
        }
    }
}

/* The byte order mark of UTF-32: a body that is only a mark, one with a part of a mark, and marks with other
 * charsets. */
static void test_marks(void **unused)
{
#define CHARSET(name) "Content-Type: application/json;charset=" name "\r\n"
    static const struct {
        const char *fields, *body;
        size_t length;
        unsigned status;
    } cases[] = {
        {CHARSET("utf-32"), "\xFF\xFE\0\0", 4, 500}, /* an empty text */
        {CHARSET("utf-32"), "\0\0\xFE\xFF", 4, 500},
        {CHARSET("utf-32"), "\0\0\0[\0\0\0]", 8, 200}, /* no mark: big-endian */
        {CHARSET("utf-32"), "\xFF\xFE\0\0[\0\0\0]\0\0\0", 12, 200},
        {CHARSET("utf-32"), "[\0\0\0]\0\0\0", 8, 400},
        {CHARSET("utf-32"), "\xFF\xFE\0[\0\0\0]", 8, 400},
        {CHARSET("utf-16"), "\xFF\xFE\0\0[\0\0\0]\0\0\0", 12, 400}, /* a mark of UTF-16, then characters 0 */
        {CHARSET("utf-16"), "\xFF\xFE[\0]\0", 6, 200},
        {CHARSET("utf-8"), "\xEF\xBB\xBF[]", 5, 200},
        {CHARSET("utf-8"), "\xFF\xFE[\0]\0", 6, 400},
        {CHARSET("utf-3"), "[]", 2, 500},
        {CHARSET("utf-88"), "[]", 2, 500},
        {CHARSET("utf-17"), "[]", 2, 500},
        {CHARSET("utf-33"), "[]", 2, 500},
    };
    struct ps_test_stage stage;
    int fd = start(&stage, PS_KEYS(LOCAL));
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        unsigned status = ps_test_http_post(&stage, fd, "/", cases[i].fields, cases[i].body, cases[i].length);
        if (status != cases[i].status)
            fail_msg("case %zu: %u", i, status);
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_for_the_channel),
        cmocka_unit_test(test_paused),
        cmocka_unit_test(test_waits_for_memory),
        cmocka_unit_test(test_nothing_is_smuggled),
        cmocka_unit_test(test_head_limit),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_continue_waits_for_its_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
