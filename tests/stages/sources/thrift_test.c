/* Source thrift against a client that sends bytes. (Real clients: tests/real/flume_thrift_test.sh.) */
#include "stages/lib/stream/stream.h"
#include "tests/support/net.h"
#include "tests/support/rpc_calls.h"
#include "tests/support/thrift_rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_thrift;

#define LOCAL "bind", "127.0.0.1", "port", "0"

static struct ps_test_thrift_call call;

static void start(struct ps_test_stage *stage, const char *const *keys)
{
    ps_test_stage_start(stage, &ps_source_thrift, keys);
}

static int client(const struct ps_test_stage *stage)
{
    return ps_test_connect("127.0.0.1", ps_test_tcp_port(stage, 0));
}

static void send_call(int fd)
{
    ps_test_send(fd, call.bytes, call.length);
}

/* Makes a call of appendBatch with `count` events "<number>/0", "<number>/1", ... */
static void make_batch(bool compact, uint32_t number, unsigned count, uint8_t round)
{
    ps_test_thrift_begin(&call, compact, number, count, round);
    for (unsigned i = 0; i < count; i++) {
        struct ps_test_rpc_event event = ps_test_rpc_event(number, i);
        ps_test_thrift_event(&call, event.body, strlen(event.body), event.headers);
    }
    ps_test_thrift_end(&call);
}

static void send_batch(int fd, bool compact, uint32_t number, unsigned count)
{
    make_batch(compact, number, count, 0);
    send_call(fd);
}

static void expect_answer(struct ps_test_stage *stage, int fd, uint32_t number, int32_t status)
{
    struct ps_test_thrift_answer answer = ps_test_thrift_receive(stage, fd);
    assert_int_equal(answer.message.type, PS_THRIFT_REPLY);
    assert_int_equal(answer.message.number, number);
    assert_int_equal(answer.number, status);
}

static void expect_error(struct ps_test_stage *stage, int fd, uint32_t number, const char *reason)
{
    struct ps_test_thrift_answer answer = ps_test_thrift_receive(stage, fd);
    assert_int_equal(answer.message.type, PS_THRIFT_EXCEPTION);
    assert_int_equal(answer.message.number, number);
    assert_string_equal(answer.error, reason);
}

static void test_calls(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    size_t first = 0;
    for (int i = 0; i < 2; i++) { /* one connection may use both encodings */
        bool compact = i == 0;
        send_batch(fd, compact, 7, 100);
        expect_answer(&stage, fd, 7, 0);
        ps_test_rpc_expect(&stage, first, 7, 100);
        ps_test_thrift_begin(&call, compact, UINT32_MAX, -1, 0);
        ps_test_thrift_event(&call, "single", 6, PS_WORDS("a", "1", "a", "2"));
        ps_test_thrift_end(&call);
        send_call(fd);
        struct ps_test_thrift_answer answer = ps_test_thrift_receive(&stage, fd);
        assert_string_equal(answer.name, "append");
        assert_int_equal(answer.message.number, UINT32_MAX);
        assert_int_equal(answer.number, 0);
        ps_test_expect(&stage.events[first + 100], "single", PS_WORDS("a", "2"));
        send_batch(fd, compact, 9, 0);
        expect_answer(&stage, fd, 9, 0);
        first += 101;
        assert_int_equal(stage.event_count, first);
    }
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_AppendReceivedCount), 2);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_AppendAcceptedCount), 2);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchReceivedCount), 4);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchAcceptedCount), 4);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount), 202);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 1);
    close(fd);
    ps_test_stage_fini(&stage);
}

static void send_name(int fd, uint32_t number, const char *name)
{
    const struct ps_thrift_message message = {PS_THRIFT_CALL, number, {name, (uint32_t)strlen(name)}};
    call.length = 0;
    call.compact = true;
    struct ps_thrift_writer out = ps_test_thrift_writer(&call, 256);
    out.at += PS_THRIFT_FRAME_BYTES;
    ps_thrift_put_message(&out, &message);
    ps_test_thrift_wrote(&call, &out);
    ps_test_thrift_end(&call);
    send_call(fd);
}

static void test_wrong_calls(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    send_name(fd, 1, "strange\ncall");
    expect_error(&stage, fd, 1, "Invalid method name: 'strange?call'");
    ps_test_thrift_begin(&call, false, 2, 1000000, 0);
    ps_test_thrift_event(&call, "x", 1, NULL);
    ps_test_thrift_end(&call);
    send_call(fd);
    expect_error(&stage, fd, 2, "the call is not complete");
    send_batch(fd, true, 3, 2);
    expect_answer(&stage, fd, 3, 0);
    assert_int_equal(stage.event_count, 2);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 2);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Malformed frames and messages end their own connection only. */
static void test_garbage(void **unused)
{
    static const struct {
        const char *bytes;
        size_t length;
    } texts[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27},
        {"\x00\x00\x00\x00", 4},
        {"\x7f\xff\xff\xff", 4},
        {"\x00\x00\x00\x04xxxx", 8},
        {"\x80\x01\x00\x01\x00\x00\x00\x06", 8}, /* not framed */
        {"\x01\x00\x00\x00\x06"
         "GSSAPI",
         11}, /* Kerberos */
    };
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL, "penstock.message.max", "100000"));
    int good = client(&stage);
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++) {
        bool closed;
        int fd = client(&stage);
        ps_test_send(fd, texts[i].bytes, texts[i].length);
        assert_string_equal(ps_test_receive(&stage, fd, 1, PS_TEST_PATIENCE_MS, &closed), "");
        assert_true(closed);
        close(fd);
    }
    send_batch(good, true, 1, 3);
    expect_answer(&stage, good, 1, 0);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), PS_COUNT_OF(texts));
    close(good);
    ps_test_stage_fini(&stage);
}

/* More events than a batch has rows; more bytes than a block: each call is answered once, and its events come in order. */
static void test_sizes(void **unused)
{
    static const unsigned counts[] = {1024, 1025, 5000, 40000};
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    for (unsigned i = 0; i < 2 * PS_COUNT_OF(counts); i++) {
        unsigned count = counts[i / 2];
        send_batch(fd, i % 2 == 0, i, count);
        ps_test_source_wait(&stage, count, PS_TEST_PATIENCE_MS);
        expect_answer(&stage, fd, i, 0);
        ps_test_rpc_expect(&stage, 0, i, count);
        ps_test_stage_recycle(&stage);
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
    assert_non_null(body);
    for (size_t i = 0; i < size; i++)
        body[i] = (char)('a' + i % 26);
    ps_test_thrift_begin(&call, true, 1, 2, 0);
    for (int i = 0; i < 2; i++)
        ps_test_thrift_event(&call, body, size, PS_WORDS("h", "large"));
    ps_test_thrift_end(&call);
    send_call(fd);
    expect_answer(&stage, fd, 1, 0);
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
    send_batch(gone, true, 1, 2);
    send_batch(fd, true, 2, 2);
    send_batch(fd, false, 3, 2);
    ps_test_source_fill(&stage, 6);
    close(gone);
    ps_test_source_refuse_batch(&stage, "full");
    expect_answer(&stage, fd, 2, 1);
    expect_answer(&stage, fd, 3, 1);
    send_batch(fd, true, 4, 1);
    expect_answer(&stage, fd, 4, 0);
    assert_int_equal(stage.event_count, 1);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* After a refused call all later calls of its round are refused; the other round starts afresh. */
static void test_rounds(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    make_batch(true, 1, 2, 1);
    send_call(fd);
    ps_test_source_fill(&stage, 2);
    ps_test_source_refuse_batch(&stage, "full");
    expect_answer(&stage, fd, 1, 1);
    make_batch(true, 2, 2, 1);
    send_call(fd);
    expect_answer(&stage, fd, 2, 1);
    make_batch(true, 1, 2, 2);
    send_call(fd);
    expect_answer(&stage, fd, 1, 0);
    make_batch(true, 2, 2, 2);
    send_call(fd);
    expect_answer(&stage, fd, 2, 0);
    assert_int_equal(stage.event_count, 4);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchReceivedCount), 4);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchAcceptedCount), 2);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* A call that needs no channel is answered in its turn, after earlier calls. */
static void test_turns(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    send_batch(fd, true, 1, 2);
    send_name(fd, 2, "unknown");
    send_batch(fd, false, 3, 0);
    send_batch(fd, true, 4, 1);
    send_name(fd, 5, "last");
    ps_test_source_fill(&stage, 3);
    uint8_t byte;
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    ps_test_source_close_batch(&stage);
    expect_answer(&stage, fd, 1, 0);
    expect_error(&stage, fd, 2, "Invalid method name: 'unknown'");
    expect_answer(&stage, fd, 3, 0);
    expect_answer(&stage, fd, 4, 0);
    expect_error(&stage, fd, 5, "Invalid method name: 'last'");
    send_batch(fd, true, 6, 2); /* the client closes while answers wait for their turn */
    send_name(fd, 7, "unknown");
    ps_test_source_fill(&stage, 2);
    close(fd);
    ps_test_source_close_batch(&stage);
    assert_int_equal(stage.event_count, 5);
    ps_test_stage_fini(&stage);
}

/* A client that sends without end and does not wait for answers is disconnected. */
static void test_impatient(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    send_batch(fd, true, 1, 1);
    ps_test_source_fill(&stage, 1);
    for (unsigned sent = 0; ps_test_stage_counter(&stage, PS_COUNTER_malformed) == 0 ||
                            ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail) == 0;) {
        make_batch(true, 2, 0, 0);
        assert_true(sent <= 100000);
        for (int i = 0; i < 100; i++, sent++)
            (void)!send(fd, call.bytes, call.length, MSG_DONTWAIT | MSG_NOSIGNAL);
        ps_source_thrift.source->work(stage.plan, stage.state, stage.batch, &stage.now);
    }
    close(fd);
    ps_test_source_close_batch(&stage);
    ps_test_stage_fini(&stage);
}

/* Answers no longer count as waiting when they are sent, or when their client is gone: more than may wait at a time are
 * answered one after the other. */
static void test_kept_answers(void **unused)
{
    enum { KEPT = 500, ROUNDS = 9 }; /* 4,500 answers; at most 4,096 may wait */
    for (int goes = 0; goes < 2; goes++) {
        struct ps_test_stage stage;
        start(&stage, PS_KEYS(LOCAL));
        int fd = client(&stage);
        for (uint32_t i = 0; i < ROUNDS; i++) {
            send_batch(fd, true, 1, 1);
            ps_test_source_fill(&stage, 1);
            make_batch(true, 2, 0, 0);
            for (unsigned k = 0; k < KEPT; k++)
                send_call(fd);
            uint64_t received = (uint64_t)(i + 1) * (KEPT + 1);
            while (ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchReceivedCount) < received)
                ps_test_source_read(&stage);
            const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
            if (goes > 0) {
                assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
                close(fd);
            }
            for (unsigned k = 0; goes > 0 && k < PS_TEST_PATIENCE_MS &&
                                 ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount) > 0;
                 k++) {
                ps_test_source_read(&stage);
                usleep(100);
            }
            ps_test_source_close_batch(&stage);
            if (goes > 0)
                fd = client(&stage);
            else
                expect_answer(&stage, fd, 1, 0);
            for (unsigned k = 0; goes == 0 && k < KEPT; k++)
                expect_answer(&stage, fd, 2, 0);
        }
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 0);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), 0);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* As many answers of one client as may wait do not concern another client, whether its own have to wait or not. */
static void test_kept_answers_of_another(void **unused)
{
    enum { KEPT = 4096 };
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fds[3];
    for (unsigned i = 0; i < 3; i++)
        fds[i] = client(&stage);
    for (unsigned i = 0; i < 2; i++)
        send_batch(fds[i], true, 1, 1);
    ps_test_source_fill(&stage, 2);
    make_batch(true, 2, 0, 0);
    for (unsigned k = 0; k < KEPT; k++) {
        send_call(fds[0]);
        if (k % 64 == 0)
            ps_test_source_read(&stage);
    }
    while (ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchReceivedCount) < 2 + KEPT)
        ps_test_source_read(&stage);
    make_batch(true, 2, 0, 0);
    send_call(fds[1]);
    send_call(fds[2]);
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS &&
                         ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchReceivedCount) < 4 + KEPT &&
                         ps_test_stage_counter(&stage, PS_COUNTER_malformed) == 0;
         i++) {
        ps_test_source_read(&stage);
        usleep(100);
    }
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 0);
    expect_answer(&stage, fds[2], 2, 0);
    ps_test_source_close_batch(&stage);
    for (unsigned i = 0; i < 2; i++) {
        expect_answer(&stage, fds[i], 1, 0);
        expect_answer(&stage, fds[i], 2, 0);
    }
    for (unsigned i = 0; i < 3; i++)
        close(fds[i]);
    ps_test_stage_fini(&stage);
}

/* A client that has closed its side gets its answer, then the source closes. */
static void test_half_close(void **unused)
{
    struct ps_test_stage stage;
    bool closed;
    start(&stage, PS_KEYS(LOCAL));
    int fd = client(&stage);
    send_batch(fd, true, 1, 10);
    shutdown(fd, SHUT_WR);
    expect_answer(&stage, fd, 1, 0);
    (void)ps_test_receive(&stage, fd, 1, PS_TEST_PATIENCE_MS, &closed);
    assert_true(closed);
    close(fd);
    ps_test_stage_fini(&stage);
}

static void expect_dropped(const char *const *keys, const char *problem)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_source_thrift);
    assert_int_equal(ps_test_stage_bind(&stage, keys), PS_FAIL);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, problem));
    ps_test_stage_fini(&stage);
}

static void test_keys(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL, "protocol", "BINARY", "threads", "many"));
    ps_test_stage_fini(&stage);
    expect_dropped(PS_KEYS(LOCAL, "protocol", "json"), "protocol");
    for (int i = 0; i < 3; i++) /* each of three errors is reported */
        expect_dropped(PS_KEYS(LOCAL, "protocol", "json", "kerberos", "true", "ssl", "true", "keystore",
                               "/nowhere/store.p12", "keystore-password", "x"),
                       (const char *[]){"protocol", "agent-keytab", "/nowhere/store.p12"}[i]);
}

static int tear_down(void **state)
{
    ps_test_thrift_free(&call);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_wrong_calls),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_large_bodies),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_impatient),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_kept_answers),
        cmocka_unit_test(test_kept_answers_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
