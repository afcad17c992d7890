/* Sink thrift against the source thrift, both on the test's thread, and against a server that knows nothing of a penstock.
 * (Real servers: tests/real/flume_thrift_test.sh. What it shares with the sink avro: avro_test.c.) */
#include "tests/support/keystore.h"
#include "tests/support/net.h"
#include "tests/support/thrift_rpc.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_thrift, ps_sink_thrift;

static struct ps_test_stage source, sink;
static char port[8];

static void start_source(const char *const *keys)
{
    ps_test_stage_start(&source, &ps_source_thrift, keys);
    snprintf(port, sizeof port, "%u", ps_test_tcp_port(&source, 0));
}

static void stop(void)
{
    ps_test_stage_fini(&sink);
    ps_test_stage_fini(&source);
}

/* One turn of both, in which a millisecond passes. */
static void turn(void)
{
    (void)ps_test_source_work(&source);
    (void)ps_test_sink_tick(&sink);
    ps_test_stage_pass_ms(&source, 1);
    ps_test_stage_pass_ms(&sink, 1);
    usleep(200);
}

static void offer(struct ps_lease *lease)
{
    assert_int_equal(ps_test_sink_work(&sink, &lease), PS_TAKEN);
}

static void await_done(size_t count)
{
    uint64_t until = ps_clock_now().mono_ns + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
    while (sink.done_count < count) {
        assert_true(ps_clock_now().mono_ns < until);
        turn();
    }
    assert_int_equal(sink.done_count, count);
}

static struct ps_lease *numbered(unsigned first, unsigned count)
{
    static char bodies[1024][32];
    static struct ps_test_event events[1024];
    for (unsigned i = 0; i < count; i++) {
        snprintf(bodies[i], sizeof bodies[i], "event %u", first + i);
        events[i] = PS_BODY(bodies[i]);
    }
    return ps_test_lease(&sink, events, count);
}

static void expect_numbers(unsigned count)
{
    assert_int_equal(source.event_count, count);
    for (unsigned i = 0; i < count; i++) {
        char body[32];
        snprintf(body, sizeof body, "event %u", i);
        assert_string_equal(source.events[i].body, body);
    }
}

#define SOURCE "bind", "127.0.0.1", "port", "0"
#define SOURCE_TLS "ssl", "true", "keystore", store, "keystore-password", PS_TEST_STORE_PASSWORD

static void test_ways(void **unused)
{
    (void)unused;
    char store[512], trust[512];
    snprintf(store, sizeof store, "%s", ps_test_store_fixture("server.p12"));
    snprintf(trust, sizeof trust, "%s", ps_test_store_fixture("server.pem"));
    const char *const *const ways[][2] = {
        {PS_KEYS(SOURCE), PS_KEYS("hostname", "127.0.0.1", "port", port)},
        {PS_KEYS(SOURCE), PS_KEYS("hostname", "localhost", "port", port, "protocol", "Binary")},
        {PS_KEYS(SOURCE, SOURCE_TLS),
         PS_KEYS("hostname", "127.0.0.1", "port", port, "ssl", "true", "trust-all-certs", "true")},
        {PS_KEYS(SOURCE, SOURCE_TLS), PS_KEYS("hostname", "127.0.0.1", "port", port, "ssl", "true",
                                              "truststore", trust, "protocol", "binary")},
    };
    for (size_t i = 0; i < PS_COUNT_OF(ways); i++) {
        start_source(ways[i][0]);
        ps_test_stage_start(&sink, &ps_sink_thrift, ways[i][1]);
        offer(PS_LEASE(&sink, PS_EVENT("one", "a", "1", "b", ""), PS_BODY("")));
        await_done(1);
        ps_test_expect(&source.events[0], "one", PS_WORDS("a", "1", "b", ""));
        ps_test_expect(&source.events[1], "", NULL);
        ps_test_source_clear(&source);
        for (unsigned k = 0; k < 5; k++)
            offer(numbered(k * 1000, 1000));
        await_done(6);
        expect_numbers(5000);
        assert_int_equal(ps_test_stage_counter(&sink, PS_COUNTER_ConnectionCreatedCount), 1);
        assert_int_equal(ps_test_stage_counter(&source, PS_COUNTER_AppendBatchAcceptedCount), 51);
        stop();
    }
}

/* Reads into a batch until so many events are there, and refuses it. */
static void refuse_next(uint32_t count)
{
    uint64_t until = ps_clock_now().mono_ns + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
    source.batch = ps_batch_take(&source.carver, source.now);
    source.batches[source.batch_count++] = source.batch;
    while (source.batch->count < count) {
        assert_true(ps_clock_now().mono_ns < until);
        (void)ps_source_thrift.source->work(source.plan, source.state, source.batch, &source.now);
        (void)ps_test_sink_tick(&sink);
        usleep(200);
    }
    ps_test_source_refuse_batch(&source, "full");
}

/* Several calls are under way to a penstock: of these the first is refused, and all behind it, and nothing is overtaken. */
static void test_refused(void **unused)
{
    (void)unused;
    start_source(PS_KEYS(SOURCE));
    ps_test_stage_start(&sink, &ps_sink_thrift, PS_KEYS("hostname", "127.0.0.1", "port", port));
    offer(numbered(0, 10));
    await_done(1);
    for (unsigned k = 0; k < 10; k++)
        offer(numbered(10 + k * 500, 500));
    refuse_next(300);
    await_done(11);
    expect_numbers(5010);
    assert_true(ps_test_stage_counter(&sink, PS_COUNTER_retried) >= 300);
    assert_int_equal(ps_test_stage_counter(&sink, PS_COUNTER_duplicated), 0);
    assert_int_equal(ps_test_stage_counter(&sink, PS_COUNTER_ConnectionCreatedCount), 1);
    stop();
}

/* ---- a server that is no penstock ---- */

static int listen_plainly(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    snprintf(port, sizeof port, "%u", ntohs(address.sin_port));
    return fd;
}

/* Receives while the sink works. */
static void receive(int fd, uint8_t *to, size_t length)
{
    uint64_t until = ps_clock_now().mono_ns + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
    for (size_t got = 0; got < length;) {
        ssize_t n = recv(fd, to + got, length - got, MSG_DONTWAIT);
        assert_int_not_equal(n, 0);
        got += n > 0 ? (size_t)n : 0;
        assert_true(ps_clock_now().mono_ns < until);
        (void)ps_test_sink_tick(&sink);
        usleep(200);
    }
}

static struct ps_thrift_request receive_call(int fd, uint8_t *message, size_t room)
{
    struct ps_thrift_request request;
    uint8_t head[PS_THRIFT_FRAME_BYTES];
    receive(fd, head, sizeof head);
    uint32_t length = ps_thrift_get_int32(head);
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
    uint64_t until = ps_clock_now().mono_ns + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
    while (fd < 0) {
        assert_true(ps_clock_now().mono_ns < until);
        (void)ps_test_sink_tick(&sink);
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        usleep(200);
    }
    return fd;
}

/* One call at a time; the first one asks who the server is, and the next ones, to a Flume, are as a Flume sends them. */
static void test_stranger(void **unused)
{
    (void)unused;
    static uint8_t message[65536];
    int listener = listen_plainly();
    assert_int_equal(0, setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_usec = 1000},
                                   sizeof(struct timeval)));
    ps_test_stage_start(&sink, &ps_sink_thrift, PS_KEYS("hostname", "127.0.0.1", "port", port));
    for (unsigned k = 0; k < 3; k++)
        offer(numbered(k * 10, 10));
    int fd = accept_sink(listener);
    for (unsigned k = 0; k < 3; k++) {
        uint8_t reply[PS_THRIFT_ANSWER_BYTES_MAX], more;
        struct ps_thrift_request request = receive_call(fd, message, sizeof message);
        assert_int_equal(request.events, 10);
        assert_int_equal(request.round != 0, k == 0);
        for (int i = 0; i < 10; i++)
            (void)ps_test_sink_tick(&sink);
        assert_int_equal(recv(fd, &more, 1, MSG_DONTWAIT), -1);
        size_t length =
            ps_thrift_put_result(reply, request.compact, &request.message.name, request.message.number, 0, 0);
        ps_test_send(fd, reply, length);
        ps_test_sink_wait(&sink, k + 1, PS_TEST_PATIENCE_MS);
    }
    close(fd);
    close(listener);
    ps_test_stage_fini(&sink);
}

/* An exception, and what is no answer: the call is sent again over a new connection. */
static void test_wrong_answers(void **unused)
{
    (void)unused;
    static uint8_t message[65536];
    int listener = listen_plainly();
    assert_int_equal(0, setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_usec = 1000},
                                   sizeof(struct timeval)));
    ps_test_stage_start(&sink, &ps_sink_thrift, PS_KEYS("hostname", "127.0.0.1", "port", port));
    offer(numbered(0, 10));
    for (unsigned k = 0; k < 3; k++) {
        uint8_t reply[PS_THRIFT_ANSWER_BYTES_MAX];
        int fd = accept_sink(listener);
        struct ps_thrift_request request = receive_call(fd, message, sizeof message);
        request.error = PS_THRIFT_PROTOCOL_ERROR;
        size_t length = k == 0 ? ps_thrift_put_error(reply, &request)
                               : ps_thrift_put_result(reply, request.compact, &request.message.name,
                                                      request.message.number + (k == 1), 0, 0);
        ps_test_send(fd, reply, length);
        uint64_t until = ps_clock_now().mono_ns + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
        while (k < 2 && ps_test_stage_counter(&sink, PS_COUNTER_ConnectionClosedCount) == k) {
            assert_true(ps_clock_now().mono_ns < until);
            (void)ps_test_sink_tick(&sink);
        }
        ps_test_stage_pass_ms(&sink, 5000); /* the rest */
        if (k == 2)
            ps_test_sink_wait(&sink, 1, PS_TEST_PATIENCE_MS);
        close(fd);
    }
    close(listener);
    ps_test_stage_fini(&sink);
}

static void test_keys(void **unused)
{
    (void)unused;
    ps_test_stage_init(&sink, &ps_sink_thrift);
    assert_int_equal(ps_test_stage_bind(&sink, PS_KEYS("hostname", "h", "port", "1", "protocol", "json",
                                                       "connection-reset-interval", "60")),
                     PS_OK);
    assert_true(ps_test_stage_reported(&sink, PS_LOG_WARN, "json"));
    ps_test_stage_fini(&sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways),          cmocka_unit_test(test_refused), cmocka_unit_test(test_stranger),
        cmocka_unit_test(test_wrong_answers), cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
