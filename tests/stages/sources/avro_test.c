/* Source avro against a client that sends bytes. (Real clients: tests/real/flume_avro_test.sh.) */
#include "stages/lib/avro/request.h"
#include "stages/lib/avro/zlib.h"
#include "stages/lib/stream/stream.h"
#include "tests/support/avro_rpc.h"
#include "tests/support/net.h"
#include "tests/support/rpc_calls.h"
#include "tests/support/source_tree.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_avro;

#define LOCAL "bind", "127.0.0.1", "port", "0"

static struct ps_test_avro_call call;
static const uint8_t stranger[16] = "a stranger's md5";

static void start(struct ps_test_stage *stage, const char *const *keys)
{
    ps_test_stage_start(stage, &ps_source_avro, keys);
}

static int client(const struct ps_test_stage *stage)
{
    return ps_test_connect("127.0.0.1", ps_test_tcp_port(stage, 0));
}

static void greet(void)
{
    ps_test_avro_call_clear(&call);
    ps_test_avro_call_handshake(&call, ps_avro_protocol_md5, NULL, ps_avro_protocol_md5);
}

/* Makes a call of appendBatch with `count` events "<serial>/0", "<serial>/1", ..; with a handshake first if `greets`. */
static void make_batch(uint32_t serial, unsigned count, bool greets)
{
    ps_test_avro_call_clear(&call);
    if (greets)
        greet();
    ps_test_avro_call_name(&call, "appendBatch");
    if (count > 0)
        ps_test_avro_call_long(&call, count);
    for (unsigned i = 0; i < count; i++) {
        struct ps_test_rpc_event event = ps_test_rpc_event(serial, i);
        ps_test_avro_call_event(&call, event.body, strlen(event.body), event.headers);
    }
    ps_test_avro_call_long(&call, 0);
}

static void send_call(int fd, uint32_t serial, size_t piece)
{
    size_t length;
    uint8_t *message = ps_test_avro_message(&call, serial, piece, &length);
    ps_test_send(fd, message, length);
    free(message);
}

static uint8_t answer_bytes[4096];

/* Returns what the last answer, which had a handshake, says of the two protocols. */
static enum ps_avro_match answered_match(void)
{
    return (enum ps_avro_match)(answer_bytes[12] /
                                2); /* behind the number, the count of pieces and a length */
}

/* Waits for the next answer. */
static struct ps_avro_answer receive_answer(struct ps_test_stage *stage, int fd, bool handshake)
{
    static uint8_t scratch[PS_AVRO_ANSWER_BYTES_MAX];
    uint8_t *const bytes = answer_bytes;
    struct ps_avro_answer answer;
    size_t length = 0, taken = 0;
    for (;;) {
        bool closed;
        const char *one = ps_test_receive(stage, fd, 1, PS_TEST_PATIENCE_MS, &closed);
        assert_false(closed);
        assert_true(length < sizeof answer_bytes);
        bytes[length++] = (uint8_t)one[0];
        enum ps_avro_reading reading =
            ps_avro_read_answer(bytes, length, handshake, scratch, &answer, &taken);
        if (reading == PS_AVRO_MORE)
            continue;
        assert_int_equal(reading, PS_AVRO_ANSWER);
        assert_int_equal(taken, length);
        return answer;
    }
}

static void expect_status(struct ps_test_stage *stage, int fd, bool handshake, uint32_t serial,
                          enum ps_avro_status status)
{
    struct ps_avro_answer answer = receive_answer(stage, fd, handshake);
    assert_false(answer.no_match);
    assert_string_equal(answer.error, "");
    assert_int_equal(answer.serial, serial);
    assert_int_equal(answer.status, status);
}

static void test_calls(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    make_batch(7, 100, true);
    send_call(fd, 7, 11);
    expect_status(&stage, fd, true, 7, PS_AVRO_OK);
    ps_test_rpc_expect(&stage, 0, 7, 100);
    ps_test_avro_call_clear(&call);
    ps_test_avro_call_name(&call, "append");
    ps_test_avro_call_event(&call, "single", 6, PS_WORDS("a", "1"));
    send_call(fd, 8, 8192);
    expect_status(&stage, fd, false, 8, PS_AVRO_OK);
    ps_test_expect(&stage.events[100], "single", PS_WORDS("a", "1"));
    make_batch(9, 0, false);
    send_call(fd, 9, 8192);
    expect_status(&stage, fd, false, 9, PS_AVRO_OK);
    assert_int_equal(stage.event_count, 101);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_AppendReceivedCount), 1);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_AppendAcceptedCount), 1);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchReceivedCount), 2);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchAcceptedCount), 2);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount), 101);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 1);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* A client with an unknown protocol gets the server's, and sends its own; its next connection need not do that. */
static void test_handshakes(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    ps_test_avro_call_clear(&call);
    ps_test_avro_call_handshake(&call, stranger, NULL, stranger);
    ps_test_avro_call_name(&call, "appendBatch");
    send_call(fd, 1, 64);
    assert_true(receive_answer(&stage, fd, true).no_match);
    assert_int_equal(answered_match(), PS_AVRO_MATCH_NONE);
    ps_test_avro_call_clear(&call);
    ps_test_avro_call_handshake(&call, stranger, "{\"protocol\":\"AvroSourceProtocol\"}",
                                ps_avro_protocol_md5);
    ps_test_avro_call_name(&call, "append");
    ps_test_avro_call_event(&call, "one", 3, NULL);
    send_call(fd, 2, 64);
    expect_status(&stage, fd, true, 2, PS_AVRO_OK);
    assert_int_equal(answered_match(), PS_AVRO_MATCH_BOTH);
    close(fd);
    fd = client(&stage);
    ps_test_avro_call_clear(&call);
    ps_test_avro_call_handshake(&call, stranger, NULL, stranger);
    ps_test_avro_call_name(&call, "append");
    ps_test_avro_call_event(&call, "two", 3, NULL);
    send_call(fd, 3, 64);
    expect_status(&stage, fd, true, 3, PS_AVRO_OK);
    assert_int_equal(answered_match(), PS_AVRO_MATCH_CLIENT); /* it does not know the server's */
    ps_test_expect(&stage.events[1], "two", NULL);
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_wrong_calls(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    greet();
    ps_test_avro_call_name(&call, "strange\ncall");
    send_call(fd, 1, 64);
    assert_string_equal(receive_answer(&stage, fd, true).error, "No such remote message: strange?call");
    ps_test_avro_call_clear(&call);
    ps_test_avro_call_name(&call, "appendBatch");
    ps_test_avro_call_long(&call, INT64_C(1) << 60);
    ps_test_avro_call_event(&call, "x", 1, NULL);
    send_call(fd, 2, 64);
    assert_string_equal(receive_answer(&stage, fd, false).error, "an event is not complete");
    make_batch(3, 2, false);
    send_call(fd, 3, 64);
    expect_status(&stage, fd, false, 3, PS_AVRO_OK);
    assert_int_equal(stage.event_count, 2);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 2);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Malformed bytes end their own connection only. */
static void test_garbage(void **unused)
{
    static const char *const texts[] = {
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1",
        "\1\1\1\1\x7f\x7f\x7f\x7f",
    };
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL, "penstock.message.max", "100000"));
    int good = client(&stage);
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++) {
        bool closed;
        int fd = client(&stage);
        ps_test_send_text(fd, texts[i]);
        assert_string_equal(ps_test_receive(&stage, fd, 1, PS_TEST_PATIENCE_MS, &closed), "");
        assert_true(closed);
        close(fd);
    }
    make_batch(1, 3, true);
    send_call(good, 1, 64);
    expect_status(&stage, good, true, 1, PS_AVRO_OK);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), PS_COUNT_OF(texts));
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), PS_COUNT_OF(texts));
    close(good);
    ps_test_stage_fini(&stage);
}

/* More events than a batch has rows; more bytes than a block; several calls at once: each is answered once, and its events
 * come in order. */
static void test_sizes(void **unused)
{
    static const struct {
        unsigned count;
        size_t piece;
    } cases[] = {{1024, 8192}, {1025, 8192}, {5000, 8192}, {40000, 8192}, {40000, 100}, {700, 1 << 20}};
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    size_t first = 0;
    for (unsigned i = 0; i < PS_COUNT_OF(cases); i++) {
        make_batch(i, cases[i].count, i == 0);
        send_call(fd, i, cases[i].piece);
        ps_test_source_wait(&stage, first + cases[i].count, PS_TEST_PATIENCE_MS);
        expect_status(&stage, fd, i == 0, i, PS_AVRO_OK);
        ps_test_rpc_expect(&stage, first, i, cases[i].count);
        first += cases[i].count;
        ps_test_stage_recycle(&stage);
        first = 0;
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_large_bodies(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    size_t size = 300000;
    char *body = malloc(size);
    for (size_t i = 0; i < size; i++)
        body[i] = (char)('a' + i % 26);
    greet();
    ps_test_avro_call_name(&call, "appendBatch");
    ps_test_avro_call_long(&call, -2);
    ps_test_avro_call_long(&call, 600020);
    for (int i = 0; i < 2; i++)
        ps_test_avro_call_event(&call, body, size, PS_WORDS("h", "large"));
    ps_test_avro_call_long(&call, 0);
    send_call(fd, 1, 8192);
    expect_status(&stage, fd, true, 1, PS_AVRO_OK);
    assert_int_equal(stage.event_count, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(stage.events[i].length, size);
        assert_memory_equal(stage.events[i].body, body, size);
        assert_string_equal(ps_test_event_header(&stage.events[i], "h"), "large");
    }
    free(body);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* A full channel: only the calls in the batch are answered FAILED; a closed client disturbs no other. */
static void test_refused(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage), gone = client(&stage);
    make_batch(1, 2, true);
    send_call(gone, 1, 64);
    make_batch(2, 2, true);
    send_call(fd, 2, 64);
    make_batch(3, 2, false);
    send_call(fd, 3, 64);
    ps_test_source_fill(&stage, 6);
    close(gone);
    ps_test_source_refuse_batch(&stage, "full");
    expect_status(&stage, fd, true, 2, PS_AVRO_FAILED);
    expect_status(&stage, fd, false, 3, PS_AVRO_FAILED);
    make_batch(4, 1, false);
    send_call(fd, 4, 64);
    expect_status(&stage, fd, false, 4, PS_AVRO_OK);
    assert_int_equal(stage.event_count, 1);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* A client that has closed its side gets its answer, then the source closes. */
static void test_half_close(void **unused)
{
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    make_batch(1, 10, true);
    send_call(fd, 1, 64);
    shutdown(fd, SHUT_WR);
    expect_status(&stage, fd, true, 1, PS_AVRO_OK);
    (void)ps_test_receive(&stage, fd, 1, PS_TEST_PATIENCE_MS, &closed);
    assert_true(closed);
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_compressed(void **unused)
{
    struct ps_test_stage stage;
    struct ps_avro_zlib zlib;
    struct ps_err err;
    start(&stage, PS_KEYS(LOCAL, "compression-type", "deflate"));
    assert_int_equal(ps_avro_zlib_init(&zlib, 6, &err), PS_OK);
    int fd = client(&stage);
    for (uint32_t serial = 0; serial < 3; serial++) {
        size_t length, got = 0;
        uint8_t answer[256];
        make_batch(serial, 900, serial == 0);
        uint8_t *message = ps_test_avro_message(&call, serial, 8192, &length);
        struct iovec parts[2] = {{message, 5}, {message + 5, length - 5}};
        assert_true(ps_avro_zlib_pack(&zlib, parts));
        ps_test_send(fd, parts[0].iov_base, parts[0].iov_len);
        free(message);
        size_t wanted = serial == 0 ? 19 : 15; /* the first answer includes the answer to the handshake */
        while (got < wanted) {
            bool closed;
            char *byte = ps_test_receive(&stage, fd, 1, PS_TEST_PATIENCE_MS, &closed);
            assert_false(closed);
            struct ps_avro_zlib_input input = {(uint8_t *)byte, 1};
            assert_true(ps_avro_zlib_unpack(&zlib, &input, answer + got, sizeof answer - got, &got));
        }
        assert_int_equal(answer[3], serial);
        assert_int_equal(answer[wanted - 1], 0); /* OK */
        ps_test_rpc_expect(&stage, serial * 900, serial, 900);
    }
    ps_avro_zlib_fini(&zlib);
    close(fd);
    fd = client(&stage); /* a client that does not compress */
    bool closed;
    make_batch(1, 1, true);
    send_call(fd, 1, 64);
    assert_string_equal(ps_test_receive(&stage, fd, 1, PS_TEST_PATIENCE_MS, &closed), "");
    assert_true(closed);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* A TLS record decompresses to far more than one read takes, and nothing follows it on the connection. Tested twice in a row. */
static void test_compressed_in_tls(void **unused)
{
    enum { EVENTS = 400 };
    static char body[2000];
    const char *store = ps_test_source_path("tests/stages/data/stores/server.p12");
    struct ps_test_stage stage;
    struct ps_avro_zlib zlib;
    struct ps_err err;
    start(&stage, PS_KEYS(LOCAL, "compression-type", "deflate", "ssl", "true", "keystore", store,
                          "keystore-password", "changeit", "keystore-type", "PKCS12"));
    assert_int_equal(ps_avro_zlib_init(&zlib, 6, &err), PS_OK);
    int fd = client(&stage), result;
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    for (unsigned i = 0; (result = SSL_connect(ssl)) != 1; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        ps_test_source_work(&stage);
        usleep(500);
    }
    for (uint32_t serial = 0; serial < 2; serial++) {
        size_t length;
        ps_test_avro_call_clear(&call);
        if (serial == 0)
            greet();
        ps_test_avro_call_name(&call, "appendBatch");
        ps_test_avro_call_long(&call, EVENTS);
        for (unsigned i = 0; i < EVENTS; i++)
            ps_test_avro_call_event(&call, body, sizeof body, NULL);
        ps_test_avro_call_long(&call, 0);
        uint8_t *message = ps_test_avro_message(&call, serial, 8192, &length);
        struct iovec parts[2] = {{message, 5}, {message + 5, length - 5}};
        assert_true(ps_avro_zlib_pack(&zlib, parts));
        assert_true(parts[0].iov_len < 16384); /* one record */
        assert_int_equal(SSL_write(ssl, parts[0].iov_base, (int)parts[0].iov_len), (int)parts[0].iov_len);
        free(message);
        ps_test_source_wait(&stage, (size_t)(serial + 1) * EVENTS, PS_TEST_PATIENCE_MS);
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    ps_avro_zlib_fini(&zlib);
    ps_test_stage_fini(&stage);
}

/* Takes the open batch from the stage when it has an event, or when it is full if `full`. */
static struct ps_batch *take_batch(struct ps_test_stage *stage, bool full)
{
    for (unsigned i = 0; stage->batch == NULL || stage->batch->count == 0 || stage->batch->full < full; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        ps_test_source_read(stage);
        usleep(500);
    }
    struct ps_batch *batch = stage->batch;
    stage->batch = NULL;
    assert_ptr_equal(stage->batches[--stage->batch_count], batch);
    ps_batch_close(batch);
    return batch;
}

/* Waits until the one connection of the source has been reset by its client. */
static void await_reset(const struct ps_test_stage *stage)
{
    const struct ps_stream *stream = stage->state; /* avro's state begins with it */
    struct pollfd reset = {.fd = stream->chunks[0][0].fd};
    uint64_t until_ns = ps_test_patience_end_ns();
    assert_true(reset.fd >= 0);
    while (poll(&reset, 1, 100) <= 0)
        assert_true(ps_test_patient_ns() < until_ns);
}

/* A client disconnects while the source reads its second call; the source notices this when it sends the answer to
 * the first call. It still reads the second call to its end, and frees both calls. */
static void test_gone_within_a_call(void **unused)
{
    const struct linger at_once = {.l_onoff = 1};
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    for (unsigned round = 0; round < 2; round++) {
        struct ps_batch *batches[2];
        int fd = client(&stage);
        make_batch(1, 1, true);
        send_call(fd, 1, 8192);
        batches[0] = take_batch(&stage, false);
        make_batch(2, PS_BATCH_EVENTS_MAX + 500, false);
        send_call(fd, 2, 65536);
        batches[1] = take_batch(&stage, true);
        uint32_t read = batches[1]->count;
        assert_int_equal(ps_test_rpc_calls_in_use(&stage), 2);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
        close(fd);
        await_reset(&stage);
        for (unsigned i = 0; i < 2; i++) {
            stage.ops->source->accepted(stage.plan, stage.state, batches[i], &stage.now);
            ps_batch_give(batches[i]);
        }
        batches[0] = take_batch(&stage, false);
        assert_int_equal(batches[0]->count + read, PS_BATCH_EVENTS_MAX + 500);
        stage.ops->source->accepted(stage.plan, stage.state, batches[0], &stage.now);
        ps_batch_give(batches[0]);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 0);
        assert_int_equal(ps_test_rpc_calls_in_use(&stage), 0);
    }
    ps_test_stage_fini(&stage);
}

static void test_filter(void **unused)
{
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL, "ipFilter", "true", "ipFilterRules", "deny:ip:127.*, allow:ip:*"));
    int fd = client(&stage);
    (void)ps_test_receive(&stage, fd, 1, PS_TEST_PATIENCE_MS, &closed);
    assert_true(closed);
    close(fd);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 0);
    ps_test_stage_fini(&stage);
    ps_test_stage_init(&stage, &ps_source_avro);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS(LOCAL, "ipFilter", "true", "ssl", "true", "keystore",
                                                        "/nowhere/store.p12", "keystore-password", "x")),
                     PS_FAIL);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "ipFilterRules"));
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "/nowhere/store.p12"));
    ps_test_stage_fini(&stage);
}

static int tear_down(void **state)
{
    ps_test_avro_call_free(&call);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_handshakes),
        cmocka_unit_test(test_wrong_calls),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_large_bodies),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_compressed_in_tls),
        cmocka_unit_test(test_gone_within_a_call),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
