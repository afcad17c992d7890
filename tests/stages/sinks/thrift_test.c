/* Sink thrift against the source thrift, both on the test's thread, and against a server that is not a penstock. (Real
 * servers: tests/real/flume_thrift_test.sh. avro_test.c tests the parts shared with the sink avro.) */
#include "tests/support/keystore.h"
#include "tests/support/net.h"
#include "tests/support/rpc_pair.h"
#include "tests/support/thrift_rpc.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_thrift, ps_sink_thrift;

static struct ps_test_rpc_pair pair;

#define SOURCE "bind", "127.0.0.1", "port", "0"
#define SOURCE_TLS "ssl", "true", "keystore", store, "keystore-password", PS_TEST_STORE_PASSWORD

static void test_ways(void **unused)
{
    char store[512], trust[512];
    snprintf(store, sizeof store, "%s", ps_test_store_fixture("server.p12"));
    snprintf(trust, sizeof trust, "%s", ps_test_store_fixture("server.pem"));
    const char *const *const ways[][2] = {
        {PS_KEYS(SOURCE), PS_KEYS("hostname", "127.0.0.1", "port", pair.port)},
        {PS_KEYS(SOURCE), PS_KEYS("hostname", "localhost", "port", pair.port, "protocol", "binary")},
        {PS_KEYS(SOURCE, SOURCE_TLS),
         PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "ssl", "true", "trust-all-certs", "true")},
        {PS_KEYS(SOURCE, SOURCE_TLS), PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "ssl", "true",
                                              "truststore", trust, "protocol", "binary")},
    };
    for (size_t i = 0; i < PS_COUNT_OF(ways); i++) {
        ps_test_rpc_pair_listen(&pair, &ps_source_thrift, ways[i][0]);
        ps_test_stage_start(&pair.sink, &ps_sink_thrift, ways[i][1]);
        ps_test_rpc_pair_offer(&pair, PS_LEASE(&pair.sink, PS_EVENT("one", "a", "1", "b", ""), PS_BODY("")));
        ps_test_rpc_pair_await(&pair, 1);
        ps_test_expect(&pair.source.events[0], "one", PS_WORDS("a", "1", "b", ""));
        ps_test_expect(&pair.source.events[1], "", NULL);
        ps_test_source_clear(&pair.source);
        for (unsigned k = 0; k < 5; k++)
            ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, k * 1000, 1000));
        ps_test_rpc_pair_await(&pair, 6);
        ps_test_rpc_pair_expect(&pair, 5000);
        assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionCreatedCount), 1);
        assert_int_equal(ps_test_stage_counter(&pair.source, PS_COUNTER_AppendBatchAcceptedCount), 51);
        ps_test_rpc_pair_fini(&pair);
    }
}

/* Several calls are under way to a penstock: the first one and all after it are refused, and the order is kept. */
static void test_refused(void **unused)
{
    ps_test_rpc_pair_listen(&pair, &ps_source_thrift, PS_KEYS(SOURCE));
    ps_test_stage_start(&pair.sink, &ps_sink_thrift, PS_KEYS("hostname", "127.0.0.1", "port", pair.port));
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 0, 10));
    ps_test_rpc_pair_await(&pair, 1);
    for (unsigned k = 0; k < 10; k++)
        ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 10 + k * 500, 500));
    ps_test_rpc_pair_refuse(&pair, 300);
    ps_test_rpc_pair_await(&pair, 11);
    ps_test_rpc_pair_expect(&pair, 5010);
    assert_true(ps_test_stage_counter(&pair.sink, PS_COUNTER_retried) >= 300);
    assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_duplicated), 0);
    assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionCreatedCount), 1);
    ps_test_rpc_pair_fini(&pair);
}

/* ---- a server that is not penstock ---- */

static int listen_plainly(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    snprintf(pair.port, sizeof pair.port, "%u", ntohs(address.sin_port));
    return fd;
}

/* Receives while the sink works. */
static void receive(int fd, uint8_t *to, size_t length)
{
    uint64_t until = ps_test_patience_end_ns();
    for (size_t got = 0; got < length;) {
        ssize_t n = recv(fd, to + got, length - got, MSG_DONTWAIT);
        assert_int_not_equal(n, 0);
        got += n > 0 ? (size_t)n : 0;
        assert_true(ps_test_patient_ns() < until);
        (void)ps_test_sink_tick(&pair.sink);
        usleep(200);
    }
}

static struct ps_thrift_request receive_call(int fd, uint8_t *message, size_t room)
{
    struct ps_thrift_request request;
    uint8_t head[PS_THRIFT_FRAME_BYTES];
    receive(fd, head, sizeof head);
    uint32_t length = ps_big_endian_get_32(head);
    assert_true(length <= room);
    receive(fd, message, length);
    assert_true(ps_thrift_request_read(&ps_thrift_flume, message, length, &request));
    assert_int_equal(request.error, PS_THRIFT_NO_ERROR);
    assert_string_equal(ps_thrift_flume.methods[request.method_index].name, "appendBatch");
    return request;
}

static int accept_sink(int listener)
{
    int fd = -1;
    uint64_t until = ps_test_patience_end_ns();
    while (fd < 0) {
        assert_true(ps_test_patient_ns() < until);
        (void)ps_test_sink_tick(&pair.sink);
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        usleep(200);
    }
    return fd;
}

/* One call is under way at a time; the first one asks for the server's kind, and to a Flume later ones are those that
 * a Flume sends. */
static void test_stranger(void **unused)
{
    static uint8_t message[65536];
    int listener = listen_plainly();
    assert_int_equal(0, setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_usec = 1000},
                                   sizeof(struct timeval)));
    ps_test_stage_start(&pair.sink, &ps_sink_thrift,
                        PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "protocol", "BINARY"));
    for (unsigned k = 0; k < 3; k++)
        ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, k * 10, 10));
    int fd = accept_sink(listener);
    for (unsigned k = 0; k < 3; k++) {
        uint8_t reply[PS_THRIFT_ANSWER_BYTES_MAX], more;
        struct ps_thrift_request request = receive_call(fd, message, sizeof message);
        assert_int_equal(request.events, 10);
        assert_true(
            request
                .compact); /* Flume's sink and source speak binary only if it is written in small letters */
        assert_int_equal(request.round != 0, k == 0);
        for (int i = 0; i < 10; i++)
            (void)ps_test_sink_tick(&pair.sink);
        assert_int_equal(recv(fd, &more, 1, MSG_DONTWAIT), -1);
        size_t length =
            ps_thrift_put_result(reply, request.compact, &request.message.name, request.message.number, 0, 0);
        ps_test_send(fd, reply, length);
        ps_test_sink_wait(&pair.sink, k + 1, PS_TEST_PATIENCE_MS);
    }
    close(fd);
    close(listener);
    ps_test_stage_fini(&pair.sink);
}

/* An exception, and bytes that are not an answer: the call is sent again over a new connection. */
static void test_wrong_answers(void **unused)
{
    static uint8_t message[65536];
    int listener = listen_plainly();
    assert_int_equal(0, setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_usec = 1000},
                                   sizeof(struct timeval)));
    ps_test_stage_start(&pair.sink, &ps_sink_thrift, PS_KEYS("hostname", "127.0.0.1", "port", pair.port));
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 0, 10));
    for (unsigned k = 0; k < 3; k++) {
        uint8_t reply[PS_THRIFT_ANSWER_BYTES_MAX];
        int fd = accept_sink(listener);
        struct ps_thrift_request request = receive_call(fd, message, sizeof message);
        request.error = PS_THRIFT_PROTOCOL_ERROR;
        size_t length = k == 0 ? ps_thrift_put_error(reply, &request)
                               : ps_thrift_put_result(reply, request.compact, &request.message.name,
                                                      request.message.number + (k == 1), 0, 0);
        ps_test_send(fd, reply, length);
        uint64_t until = ps_test_patience_end_ns();
        while (k < 2 && ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionClosedCount) == k) {
            assert_true(ps_test_patient_ns() < until);
            (void)ps_test_sink_tick(&pair.sink);
        }
        ps_test_stage_pass_ms(&pair.sink, 5000); /* the backoff between attempts */
        if (k == 2)
            ps_test_sink_wait(&pair.sink, 1, PS_TEST_PATIENCE_MS);
        close(fd);
    }
    close(listener);
    ps_test_stage_fini(&pair.sink);
}

static void test_keys(void **unused)
{
    ps_test_stage_init(&pair.sink, &ps_sink_thrift);
    assert_int_equal(ps_test_stage_bind(&pair.sink, PS_KEYS("hostname", "h", "port", "1", "protocol", "json",
                                                            "connection-reset-interval", "60")),
                     PS_OK);
    assert_true(ps_test_stage_reported(&pair.sink, PS_LOG_WARN, "json"));
    ps_test_stage_fini(&pair.sink);
    ps_test_stage_init(&pair.sink, &ps_sink_thrift);
    assert_int_equal(
        ps_test_stage_bind(&pair.sink, PS_KEYS("hostname", "h", "port", "1", "protocol", "BINARY")), PS_OK);
    assert_true(ps_test_stage_reported(&pair.sink, PS_LOG_WARN, "BINARY counts as compact, as in Flume"));
    ps_test_stage_fini(&pair.sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways),          cmocka_unit_test(test_refused), cmocka_unit_test(test_stranger),
        cmocka_unit_test(test_wrong_answers), cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
