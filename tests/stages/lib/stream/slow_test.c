/* A message that comes too slowly ends its connection; a slow line, an idle client, and a source that waits for its channel do not. */
#include "tests/support/keystore.h"
#include "tests/support/net.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stages/lib/stream/stream.h"

extern const struct ps_stage_ops ps_source_avro, ps_source_thrift, ps_source_thriftlegacy, ps_source_scribe;

static void start(struct ps_test_stage *stage, const struct ps_stage_ops *ops, const char *timeout_s)
{
    bool scribe = ops == &ps_source_scribe, legacy = ops == &ps_source_thriftlegacy;
    if (scribe)
        ps_test_stage_start(stage, ops, PS_KEYS("port", "0", "penstock.message.timeout", timeout_s));
    else
        ps_test_stage_start(stage, ops,
                            PS_KEYS(legacy ? "host" : "bind", "127.0.0.1", "port", "0",
                                    "penstock.message.timeout", timeout_s));
}

static int client(struct ps_test_stage *stage)
{
    return ps_test_connect("127.0.0.1", ps_test_tcp_port(stage, 0));
}

static void cycle(struct ps_test_stage *stage, uint64_t pass_ms)
{
    (void)ps_test_source_work(stage);
    ps_test_stage_pass_ms(stage, pass_ms);
    usleep(100);
}

static bool is_closed(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

/* Returns whether everything that the client has sent was read: the clock of the test is faster than the
 * kernel of a busy machine. */
static bool is_read(struct ps_test_stage *stage, int fd)
{
    const struct ps_stream *stream = (const struct ps_stream *)stage->state;
    if (!ps_test_has_arrived(fd))
        return false;
    for (uint32_t slot = 0; stream->open_count > 0 && slot < 8; slot++) {
        int there = stream->chunks[0][slot].fd, unread = 0;
        if (there >= 0 && ioctl(there, FIONREAD, &unread) == 0 && unread > 0)
            return false;
    }
    return true;
}

/* Sends `data` in steps, one a second, and returns after how many the source closed the connection; 0: it did not. */
static unsigned drip(struct ps_test_stage *stage, int fd, const char *data, size_t step_bytes, unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        if (send(fd, data + i * step_bytes, step_bytes, MSG_NOSIGNAL) < 0)
            return i;
        for (unsigned k = 0; !is_read(stage, fd) && k < PS_TEST_PATIENCE_MS; k++)
            cycle(stage, 0);
        for (int j = 0; j < 10; j++)
            cycle(stage, 100);
        if (is_closed(fd))
            return i + 1;
    }
    return 0;
}

/* Writes the beginning of a message of each protocol, which announces more: serial and parts of Avro, a frame of Thrift. */
static size_t begin_of(const struct ps_stage_ops *ops, char *message, uint32_t length)
{
    uint32_t words[4];
    size_t count = 0;
    if (ops ==
        &ps_source_thriftlegacy) { /* a call "append" of the binary protocol without frames, whose body is long */
        static const char head[] = "\x80\x01\x00\x04\x00\x00\x00\x06"
                                   "append\x00\x00\x00\x01\x0c\x00\x01\x0b\x00\x03";
        memcpy(message, head, sizeof head - 1);
        const uint32_t big = __builtin_bswap32(length);
        memcpy(message + sizeof head - 1, &big, 4);
        return sizeof head + 3;
    }
    if (ops == &ps_source_avro) {
        words[count++] = 1;
        words[count++] = 2;
    }
    words[count++] = length;
    for (size_t i = 0; i < count; i++)
        words[i] = __builtin_bswap32(words[i]);
    memcpy(message, words, count * 4);
    return count * 4;
}

static const struct ps_stage_ops *const sources[] = {&ps_source_avro, &ps_source_thrift,
                                                     &ps_source_thriftlegacy, &ps_source_scribe};

static void test_dripping_client_is_closed(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(sources); i++) {
        struct ps_test_stage stage;
        static char message[4096];
        start(&stage, sources[i], "10");
        int fd = client(&stage), idle = client(&stage);
        (void)begin_of(sources[i], message, 100000);
        unsigned after = drip(&stage, fd, message, 1, 60);
        assert_in_range(after, 9, 15);
        assert_false(is_closed(idle));
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), 1);
        close(fd);
        for (int j = 0; j < 20; j++)
            cycle(&stage, 100);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 1);
        close(idle);
        ps_test_stage_fini(&stage);
    }
}

static void test_zero_never_closes(void **unused)
{
    struct ps_test_stage stage;
    static char message[4096];
    start(&stage, &ps_source_avro, "0");
    int fd = client(&stage);
    (void)begin_of(&ps_source_avro, message, 100000);
    assert_int_equal(drip(&stage, fd, message, 1, 200), 0);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* 5 KiB a second are more than the required rate: such a message may take any time. */
static void test_slow_line_is_served(void **unused)
{
    struct ps_test_stage stage;
    static char message[400 * 5120];
    start(&stage, &ps_source_thrift, "10");
    int fd = client(&stage);
    (void)begin_of(&ps_source_thrift, message, sizeof message);
    assert_int_equal(drip(&stage, fd, message, 5120, 390), 0);
    assert_in_range(drip(&stage, fd, message, 1, 800), 20, 500); /* its allowance is used up */
    close(fd);
    ps_test_stage_fini(&stage);
}

/* After each complete message the measurement starts again, however long the connection lasts. */
static void test_many_messages(void **unused)
{
    struct ps_test_stage stage;
    static const char ping[] =
        "\x80\x01\x00\x01\x00\x00\x00\x01x\x00\x00\x00\x07\x00"; /* an unknown call: answered */
    char frame[64];
    uint32_t length = sizeof ping - 1;
    const uint32_t big = __builtin_bswap32(length);
    start(&stage, &ps_source_thrift, "10");
    int fd = client(&stage);
    memcpy(frame, &big, 4);
    memcpy(frame + 4, ping, length);
    for (int i = 0; i < 30; i++) { /* each takes four seconds, and is cut elsewhere */
        size_t cut = 1 + (size_t)i % (length + 2);
        ps_test_send(fd, frame, cut);
        for (int j = 0; j < 40; j++)
            cycle(&stage, 100);
        ps_test_send(fd, frame + cut, 4 + length - cut);
        bool closed;
        (void)ps_test_receive(&stage, fd, 20, PS_TEST_PATIENCE_MS, &closed);
        assert_false(closed);
        while (recv(fd, (char[64]){0}, 64, MSG_DONTWAIT) > 0)
            ;
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

/* The time in which the source waits for its channel does not count against the client. */
static void test_paused_source(void **unused)
{
    struct ps_test_stage stage;
    static char message[4096];
    start(&stage, &ps_source_avro, "10");
    int fd = client(&stage);
    (void)begin_of(&ps_source_avro, message, 100000);
    assert_int_equal(drip(&stage, fd, message, 1, 5), 0);
    ps_source_avro.source->paused(stage.plan, stage.state, true, &stage.now);
    for (int i = 0; i < 200; i++) {
        ps_test_stage_pass_ms(&stage, 1000);
        (void)ps_source_avro.source->tick(stage.plan, stage.state, &stage.now);
    }
    ps_source_avro.source->paused(stage.plan, stage.state, false, &stage.now);
    (void)ps_source_avro.source->tick(stage.plan, stage.state, &stage.now);
    assert_false(is_closed(fd));
    assert_in_range(drip(&stage, fd, message + 5, 1, 60), 3, 12);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Five clients that drip do not keep others out for longer than their time limit. */
static void test_limit_of_connections(void **unused)
{
    struct ps_test_stage stage;
    static char message[64];
    int fds[5];
    ps_test_stage_start(&stage, &ps_source_avro,
                        PS_KEYS("bind", "127.0.0.1", "port", "0", "penstock.message.timeout", "10",
                                "penstock.connections.max", "5"));
    (void)begin_of(&ps_source_avro, message, 100000);
    for (size_t i = 0; i < PS_COUNT_OF(fds); i++)
        fds[i] = client(&stage);
    int honest = client(&stage);
    ps_test_send(honest, "no message of Avro's", 20); /* the source closes the connection when it has read
                                                       * this */
    bool served = false;
    for (unsigned step = 0; step < 60 && !served; step++) {
        for (size_t i = 0; i < PS_COUNT_OF(fds); i++)
            (void)send(fds[i], message + step, 1, MSG_NOSIGNAL);
        for (int i = 0; i < 4; i++)
            cycle(&stage, 250);
        served = is_closed(honest);
        assert_true(!served || step >= 8);
    }
    assert_true(served);
    for (size_t i = 0; i < PS_COUNT_OF(fds); i++)
        close(fds[i]);
    close(honest);
    ps_test_stage_fini(&stage);
}

/* Returns a TLS client, whose records go to memory on their way to the socket. */
static SSL *shake_hands(struct ps_test_stage *stage, SSL_CTX *context, int fd, BIO *in)
{
    SSL *ssl = SSL_new(context);
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    for (int i = 0, done = 0; !done || BIO_pending(out) > 0; i++) {
        char bytes[8192];
        int length;
        assert_true(i < (int)PS_TEST_PATIENCE_MS);
        done = SSL_connect(ssl) == 1;
        while ((length = BIO_read(out, bytes, sizeof bytes)) > 0)
            ps_test_send(fd, bytes, (size_t)length);
        cycle(stage, 1);
        ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got > 0)
            BIO_write(in, bytes, (int)got);
    }
    return ssl;
}

/* Inside TLS a record drips: no byte of a message has come yet. */
static void test_dripping_record(void **unused)
{
    struct ps_test_stage stage;
    static char message[16000], record[17000];
    ps_test_stage_start(&stage, &ps_source_thrift,
                        PS_KEYS("bind", "127.0.0.1", "port", "0", "penstock.message.timeout", "10", "ssl",
                                "true", "keystore", ps_test_store_fixture("server.p12"), "keystore-password",
                                PS_TEST_STORE_PASSWORD));
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    int fds[2] = {client(&stage), client(&stage)};
    SSL *sessions[2];
    for (int i = 0; i < 2; i++)
        sessions[i] = shake_hands(&stage, context, fds[i], BIO_new(BIO_s_mem()));
    assert_int_equal(SSL_write(sessions[0], message, sizeof message), sizeof message);
    assert_in_range(BIO_read(SSL_get_wbio(sessions[0]), record, sizeof record), sizeof message,
                    sizeof record);
    assert_in_range(drip(&stage, fds[0], record, 1, 60), 9, 15);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 1); /* the idle one */
    for (int i = 0; i < 2; i++) {
        SSL_free(sessions[i]);
        close(fds[i]);
    }
    SSL_CTX_free(context);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dripping_client_is_closed),
        cmocka_unit_test(test_zero_never_closes),
        cmocka_unit_test(test_slow_line_is_served),
        cmocka_unit_test(test_many_messages),
        cmocka_unit_test(test_paused_source),
        cmocka_unit_test(test_limit_of_connections),
        cmocka_unit_test(test_dripping_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
