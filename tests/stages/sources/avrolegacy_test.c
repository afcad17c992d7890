/* Source avroLegacy against a client that sends bytes. (The same bytes into a real Flume: tests/real/flume_oracle_legacy_test.sh.) */
#include "stages/lib/avro/legacy.h"
#include "stages/lib/stream/stream.h"
#include "tests/support/legacy_rpc.h"
#include "tests/support/net.h"

#include <stdlib.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_avrolegacy;

static struct ps_test_stage stage;

static int start(void)
{
    ps_test_stage_start(&stage, &ps_source_avrolegacy, PS_KEYS("host", "127.0.0.1", "port", "0"));
    return ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
}

static void finish(int fd)
{
    close(fd);
    ps_test_stage_fini(&stage);
}

static void expect_bytes(int fd, const char *expected, size_t length)
{
    bool closed;
    const char *got = ps_test_receive(&stage, fd, length, PS_TEST_PATIENCE_MS, &closed);
    assert_false(closed);
    assert_memory_equal(got, expected, length);
}

#define DONE "HTTP/1.1 200 OK\r\nContent-Type: avro/binary\r\nContent-Length: 14\r\n\r\n"

static void expect_done(int fd)
{
    expect_bytes(fd, DONE, sizeof DONE - 1);
    expect_bytes(fd, "\0\0\0\6\0\0\0\0\0\0\0\0\0\0", 14);
}

static void test_events(void **unused)
{
    uint8_t call[2048];
    int fd = start();
    for (unsigned pieces = 1; pieces <= 4; pieces++) {
        ps_test_send(fd, call, ps_test_legacy_avro(call, "one", 3, pieces));
        expect_done(fd);
        assert_int_equal(stage.event_count, pieces);
        ps_test_expect(&stage.events[pieces - 1], "one", PS_WORDS(PS_TEST_LEGACY_HEADERS));
    }
    finish(fd);
}

static void test_long(void **unused)
{
    enum { LENGTH = 1 << 20 };
    char *body = malloc(LENGTH);
    uint8_t *call = malloc(LENGTH + 1024);
    assert_non_null(body);
    assert_non_null(call);
    for (size_t i = 0; i < LENGTH; i++)
        body[i] = (char)(i * 7);
    int fd = start();
    size_t length = ps_test_legacy_avro(call, body, LENGTH, 128); /* 8 KiB each, as Java writes them */
    for (size_t sent = 0; sent < length;) {
        size_t part = length - sent < 65536 ? length - sent : 65536;
        ps_test_send(fd, call + sent, part);
        sent += part;
        ps_test_source_work(&stage);
    }
    expect_done(fd);
    assert_int_equal(stage.event_count, 1);
    assert_int_equal(stage.events[0].length, LENGTH);
    assert_memory_equal(stage.events[0].body, body, LENGTH);
    free(body);
    free(call);
    finish(fd);
}

static void test_full_channel(void **unused)
{
    uint8_t call[1024];
    int fd = start();
    ps_test_send(fd, call, ps_test_legacy_avro(call, "one", 3, 1));
    ps_test_source_fill(&stage, 1);
    ps_test_source_refuse_batch(&stage, "full");
    expect_bytes(fd, "HTTP/1.1 503 ", 13);
    assert_int_equal(stage.event_count, 0);
    finish(fd);
}

static void test_mistakes(void **unused)
{
    static const struct {
        const char *body;
        size_t length;
    } bad[] = {{"", 0}, {"\0\0\0\5abc", 7}, {"\0\0\0\3abc", 7}, {"\0\0\0\0", 4}, {"\xff\xff\xff\xff", 4}};
    int fd = start();
    for (size_t i = 0; i < PS_COUNT_OF(bad); i++) {
        char request[256];
        int length = snprintf(request, sizeof request,
                              "POST / HTTP/1.1\r\nHost: old\r\nContent-Length: %zu\r\n\r\n", bad[i].length);
        memcpy(request + length, bad[i].body, bad[i].length);
        ps_test_send(fd, request, (size_t)length + bad[i].length);
        expect_bytes(fd, "HTTP/1.1 400 ", 13);
        finish(fd);
        fd = start();
    }
    finish(fd);
}

/* A body that is cut anywhere is refused, and a second read gives the same. */
static void test_read(void **unused)
{
    uint8_t call[1024];
    char body[1024];
    struct ps_avro_legacy_request request;
    size_t length = ps_test_legacy_avro(call, "body", 4, 3);
    const char *at = strstr((char *)call, "\r\n\r\n") + 4;
    length -= (size_t)(at - (char *)call);
    for (size_t i = 0; i < length; i++) {
        memcpy(body, at, length);
        ps_avro_legacy_read(body, i, &request);
        assert_non_null(request.reason);
    }
    memcpy(body, at, length);
    for (unsigned i = 0; i < 3; i++) {
        ps_avro_legacy_read(body, length, &request);
        assert_null(request.reason);
        assert_int_equal(request.event.body.length, 4);
        assert_memory_equal(request.event.body.data, "body", 4);
        assert_int_equal(request.event.timestamp, 1300000000123);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),   cmocka_unit_test(test_long), cmocka_unit_test(test_full_channel),
        cmocka_unit_test(test_mistakes), cmocka_unit_test(test_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
