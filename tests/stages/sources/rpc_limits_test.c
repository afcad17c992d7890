/* Sources avro and thrift at the exact limits of their protocols, and with clients that hang up, or whose bytes are
 * split, at each byte: they accept the longest message, the most headers and the most events of a batch, and refuse one
 * more; nothing is kept for a client that is gone. */
#include "stages/lib/stream/stream.h"
#include "tests/support/avro_rpc.h"
#include "tests/support/net.h"
#include "tests/support/rpc_calls.h"
#include "tests/support/thrift_rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOCAL "bind", "127.0.0.1", "port", "0"
#define MESSAGE_MAX 5000U
#define KEPT_MAX 4096U /* answers that may wait for their turn (stages/lib/thrift/server.c) */

enum answer { OK, FAILED, ERROR, CLOSED };

/* The properties of a call. */
struct shape {
    uint32_t serial, events, body_bytes;
    uint32_t headers,
        name_bytes; /* length of a name; the names are the numbers from 0, each with this number of digits */
    unsigned round;
    bool greets; /* this is the first call of an avro connection */
};

struct protocol {
    const char *name;
    const struct ps_stage_ops *source;
    /* Makes the call in `bytes`, with its length in `length`. */
    void (*make)(const struct shape *shape);
    enum answer (*read)(int fd, bool greeted, uint32_t *serial);
};

static const struct protocol *protocol;
static struct ps_test_stage stage;
static uint8_t *bytes;
static size_t length;
static char *body;

/* ---- avro ---- */

static void make_avro(const struct shape *shape)
{
    struct ps_test_avro_call call = {.bytes = NULL};
    uint8_t name[PS_AVRO_ROUND_CALL_BYTES];
    char text[PS_HEADER_NAME_BYTES_MAX + 2];
    if (shape->greets)
        ps_test_avro_call_handshake(&call, ps_avro_protocol_md5, NULL, ps_avro_protocol_md5);
    if (shape->round > 0)
        ps_test_avro_call_bytes(&call, name, ps_avro_put_round_call(name, shape->round));
    else
        ps_test_avro_call_name(&call, "appendBatch");
    if (shape->events > 0)
        ps_test_avro_call_long(&call, shape->events);
    for (uint32_t i = 0; i < shape->events; i++) {
        uint32_t headers = i == 0 ? shape->headers : 0;
        if (headers > 0)
            ps_test_avro_call_long(&call, headers);
        for (uint32_t k = 0; k < headers; k++) {
            snprintf(text, sizeof text, "%0*u", (int)shape->name_bytes, k);
            ps_test_avro_call_text(&call, text);
            ps_test_avro_call_text(&call, "v");
        }
        ps_test_avro_call_long(&call, 0);
        ps_test_avro_call_long(&call, shape->body_bytes);
        ps_test_avro_call_bytes(&call, body, shape->body_bytes);
    }
    ps_test_avro_call_long(&call, 0);
    free(bytes);
    bytes = ps_test_avro_message(&call, shape->serial, 8192, &length);
    ps_test_avro_call_free(&call);
}

static enum answer read_avro(int fd, bool greeted, uint32_t *serial)
{
    static uint8_t scratch[PS_AVRO_ANSWER_BYTES_MAX];
    uint8_t got[4096];
    size_t taken;
    for (size_t count = 0; count < sizeof got;) {
        struct ps_avro_answer answer;
        bool closed;
        const char *one = ps_test_receive(&stage, fd, 1, PS_TEST_PATIENCE_MS, &closed);
        if (closed) {
            assert_int_equal(count, 0);
            return CLOSED;
        }
        got[count++] = (uint8_t)one[0];
        enum ps_avro_reading reading = ps_avro_read_answer(got, count, !greeted, scratch, &answer, &taken);
        if (reading == PS_AVRO_MORE)
            continue;
        assert_int_equal(reading, PS_AVRO_ANSWER);
        *serial = answer.serial;
        return answer.failed ? ERROR : answer.status == PS_AVRO_OK ? OK : FAILED;
    }
    fail_msg("an answer that does not end");
    return CLOSED;
}

/* ---- thrift ---- */

static void make_thrift(const struct shape *shape, bool compact)
{
    static struct ps_test_thrift_call call;
    char text[PS_HEADER_NAME_BYTES_MAX + 2];
    ps_test_thrift_begin(&call, compact, shape->serial, shape->events, (uint8_t)shape->round);
    for (uint32_t i = 0; i < shape->events; i++) {
        uint32_t headers = i == 0 ? shape->headers : 0;
        struct ps_thrift_writer out =
            ps_test_thrift_writer(&call, 64 + shape->body_bytes + (size_t)headers * (shape->name_bytes + 32));
        ps_thrift_put_field(&out, PS_THRIFT_MAP, 1, 0);
        ps_thrift_put_map(&out, PS_THRIFT_STRING, PS_THRIFT_STRING, headers);
        for (uint32_t k = 0; k < headers; k++) {
            snprintf(text, sizeof text, "%0*u", (int)shape->name_bytes, k);
            ps_thrift_put_text(&out, text, strlen(text));
            ps_thrift_put_text(&out, "v", 1);
        }
        ps_thrift_put_field(&out, PS_THRIFT_STRING, 2, 1);
        ps_thrift_put_text(&out, body, shape->body_bytes);
        ps_thrift_put_stop(&out);
        ps_test_thrift_wrote(&call, &out);
    }
    ps_test_thrift_end(&call);
    length = call.length;
    bytes = realloc(bytes, length);
    assert_non_null(bytes);
    memcpy(bytes, call.bytes, length);
    ps_test_thrift_free(&call);
}

static void make_compact(const struct shape *shape)
{
    make_thrift(shape, true);
}

static void make_binary(const struct shape *shape)
{
    make_thrift(shape, false);
}

static enum answer read_thrift(int fd, bool greeted, uint32_t *serial)
{
    struct ps_test_thrift_answer answer;
    bool closed;
    const uint8_t *head =
        (uint8_t *)ps_test_receive(&stage, fd, PS_THRIFT_FRAME_BYTES, PS_TEST_PATIENCE_MS, &closed);
    if (closed)
        return CLOSED;
    uint32_t message = ps_big_endian_get_32(head);
    ps_test_thrift_answer_read((uint8_t *)ps_test_receive(&stage, fd, message, PS_TEST_PATIENCE_MS, &closed),
                               message, &answer);
    *serial = answer.message.number;
    return answer.message.type != PS_THRIFT_REPLY ? ERROR : answer.number == 0 ? OK : FAILED;
}

static const struct protocol protocols[] = {
    {"avro", &ps_source_avro, make_avro, read_avro},
    {"thrift, compact", &ps_source_thrift, make_compact, read_thrift},
    {"thrift, binary", &ps_source_thrift, make_binary, read_thrift},
};

/* ---- */

static void start(const char *const *keys)
{
    ps_test_stage_start(&stage, protocol->source, keys);
}

static int client(void)
{
    return ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
}

static void expect(int fd, bool greeted, uint32_t wanted_serial, enum answer wanted)
{
    uint32_t serial = wanted_serial;
    enum answer answer = protocol->read(fd, greeted, &serial);
    if (answer != wanted || serial != wanted_serial)
        fail_msg("%s: call %u is answered %d, wanted is %d of call %u", protocol->name, serial, (int)answer,
                 (int)wanted, wanted_serial);
}

static void send_call(int fd, const struct shape *shape)
{
    protocol->make(shape);
    ps_test_send(fd, bytes, length);
}

/* A message of penstock.message.max bytes is accepted; one byte more ends only its connection. Tested twice in a row. */
static void check_message_max(void)
{
    start(PS_KEYS(LOCAL, "penstock.message.max", "5000"));
    int good = client();
    for (unsigned round = 0; round < 2; round++) {
        for (uint32_t more = 0; more < 2; more++) {
            struct shape shape = {.serial = 7, .events = 1, .body_bytes = MESSAGE_MAX - 300, .greets = true};
            protocol->make(&shape);
            shape.body_bytes += (uint32_t)(MESSAGE_MAX + more - length);
            int fd = client();
            send_call(fd, &shape);
            assert_int_equal(length, MESSAGE_MAX + more);
            expect(fd, false, 7, more == 0 ? OK : CLOSED);
            close(fd);
            assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), round + more);
            assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), round + more);
        }
        send_call(good, &(struct shape){.serial = round, .events = 1, .greets = round == 0});
        expect(good, round > 0, round, OK);
    }
    assert_int_equal(stage.event_count, 4);
    close(good);
    ps_test_stage_fini(&stage);
}

/* A call with too many headers, or too long a name, is answered with an error and leaves nothing; the connection continues. */
static void check_headers(void)
{
    static const struct {
        uint32_t headers, name_bytes;
        enum answer answer;
    } cases[] = {
        {PS_EVENT_HEADERS_MAX, 4, OK},
        {PS_EVENT_HEADERS_MAX + 1, 4, ERROR},
        {1, PS_HEADER_NAME_BYTES_MAX, OK},
        {1, PS_HEADER_NAME_BYTES_MAX + 1, ERROR},
        {16, PS_HEADER_NAME_BYTES_MAX, OK},
        {17, PS_HEADER_NAME_BYTES_MAX, ERROR}, /* 1 MiB */
        {16, 1, OK},
        {17, 2, OK},
        {PS_EVENT_HEADERS_MAX + 1, 4, ERROR},
        {PS_EVENT_HEADERS_MAX, 4, OK},
    };
    start(PS_KEYS(LOCAL));
    int fd = client();
    size_t events = 0;
    for (uint32_t i = 0; i < PS_COUNT_OF(cases); i++) {
        send_call(fd, &(struct shape){.serial = i,
                                      .events = 3,
                                      .headers = cases[i].headers,
                                      .name_bytes = cases[i].name_bytes,
                                      .body_bytes = 1,
                                      .greets = i == 0});
        expect(fd, i > 0, i, cases[i].answer);
        if (cases[i].answer == OK) {
            assert_int_equal(ps_test_event_header_count(&stage.events[events]), cases[i].headers);
            assert_int_equal(ps_test_event_header_count(&stage.events[events + 1]), 0);
        }
        events += cases[i].answer == OK ? 3 : 0;
        assert_int_equal(stage.event_count, events);
    }
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 4);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* A call that still fits into the batch is put into it; with one event more it waits for the next batch. At the end of
 * a call the batch is closed, because the client waits. */
static void check_rooms(void)
{
    for (uint32_t more = 0; more < 2; more++) {
        start(PS_KEYS(LOCAL));
        int fd = client();
        send_call(fd, &(struct shape){.serial = 1, .events = 100, .greets = true});
        ps_test_source_fill(&stage, 100);
        assert_true(stage.batch->flush);
        assert_false(stage.batch->full);
        uint32_t capacity = stage.batch->capacity;
        send_call(fd, &(struct shape){.serial = 2, .events = capacity - 100 + more});
        for (unsigned i = 0; stage.batch->count < capacity && !stage.batch->full; i++) {
            assert_true(i < PS_TEST_PATIENCE_MS);
            ps_test_source_read(&stage);
            usleep(1000);
        }
        assert_int_equal(stage.batch->count, more == 0 ? capacity : 100);
        ps_test_source_close_batch(&stage);
        expect(fd, false, 1, OK);
        expect(fd, true, 2, OK);
        assert_int_equal(stage.event_count, capacity + more);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* After a refused call all calls of the same round are refused, until a call of the other round, or of none, comes. Tested twice in a row. */
static void check_rounds(void)
{
    static const struct {
        unsigned round;
        bool full; /* the channel refuses the call */
        enum answer answer;
    } calls[] = {
        {1, false, OK},    {1, true, FAILED},  {1, false, FAILED}, {1, false, FAILED}, {2, false, OK},
        {2, true, FAILED}, {2, false, FAILED}, {1, false, OK},     {1, true, FAILED},  {1, false, FAILED},
        {0, false, OK},    {1, false, OK},     {0, true, FAILED},  {0, false, OK},     {1, true, FAILED},
        {2, true, FAILED}, {2, false, FAILED}, {1, false, OK},
    };
    start(PS_KEYS(LOCAL));
    int fd = client();
    size_t events = 0, taken = 0;
    for (uint32_t i = 0; i < PS_COUNT_OF(calls); i++) {
        send_call(fd, &(struct shape){.serial = i, .events = 2, .round = calls[i].round, .greets = i == 0});
        if (calls[i].full) {
            ps_test_source_fill(&stage, 2);
            ps_test_source_refuse_batch(&stage, "full");
        }
        expect(fd, i > 0, i, calls[i].answer);
        events += calls[i].answer == OK ? 2 : 0;
        taken += calls[i].answer == OK;
        assert_int_equal(stage.event_count, events);
    }
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchReceivedCount), PS_COUNT_OF(calls));
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchAcceptedCount), taken);
    close(fd);
    ps_test_stage_fini(&stage);
}

static void await_gone(uint64_t connections)
{
    for (unsigned i = 0; ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount) != connections; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        (void)ps_test_source_work(&stage);
        usleep(100);
    }
}

/* Two calls, split at each byte: a client that continues gets both answers; of one that hangs up, the complete calls are accepted. */
static void check_cuts(void)
{
    uint8_t both[1024];
    size_t first, all;
    start(PS_KEYS(LOCAL));
    const struct ps_stream *stream = stage.state;
    protocol->make(&(struct shape){
        .serial = 1, .events = 3, .headers = 2, .name_bytes = 3, .body_bytes = 5, .greets = true});
    memcpy(both, bytes, first = length);
    protocol->make(&(struct shape){.serial = 2, .events = 1, .body_bytes = 9});
    memcpy(both + first, bytes, length);
    all = first + length;
    for (size_t cut = 0; cut <= all; cut++) {
        int goes_on = client(), hangs_up = client();
        ps_test_source_clear(&stage);
        ps_test_send(hangs_up, both, cut);
        close(hangs_up);
        ps_test_send(goes_on, both, cut);
        for (unsigned i = 0; i < 3; i++)
            (void)ps_test_source_work(&stage);
        await_gone(1);
        if (cut >= first)
            expect(goes_on, false, 1, OK);
        if (cut < all)
            ps_test_send(goes_on, both + cut, all - cut);
        if (cut < first)
            expect(goes_on, false, 1, OK);
        expect(goes_on, true, 2, OK);
        assert_int_equal(stage.event_count, 4 + (cut >= first ? 3 : 0) + (cut >= all ? 1 : 0));
        close(goes_on);
        await_gone(0);
        assert_int_equal(stream->slab.held_bytes, 0);
        ps_test_stage_recycle(&stage);
    }
    ps_test_stage_fini(&stage);
}

/* Takes the open batch from the stage when it has this number of events. */
static struct ps_batch *take_batch(uint32_t events)
{
    ps_test_source_fill(&stage, events);
    struct ps_batch *batch = stage.batch;
    stage.batch = NULL;
    assert_ptr_equal(stage.batches[--stage.batch_count], batch);
    ps_batch_close(batch);
    return batch;
}

/* A client disconnects when half of its second call is read; the source notices this when it sends the answer to the
 * first call, and forgets both calls. */
static void check_gone_within_a_call(void)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    start(PS_KEYS(LOCAL));
    for (unsigned round = 0; round < 2; round++) {
        int fd = client();
        struct ps_batch *batches[2];
        send_call(fd, &(struct shape){.serial = 1, .events = 1, .greets = true});
        batches[0] = take_batch(1);
        send_call(fd, &(struct shape){.serial = 2, .events = 3 * PS_BATCH_EVENTS_MAX});
        batches[1] = take_batch(PS_BATCH_EVENTS_MAX);
        assert_int_equal(ps_test_rpc_calls_in_use(&stage), 2);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
        close(fd);
        for (unsigned i = 0; i < 2; i++) {
            protocol->source->source->accepted(stage.plan, stage.state, batches[i], &stage.now);
            ps_batch_give(batches[i]);
            for (unsigned k = 0; k < 100 && ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount) > 0;
                 k++) {
                stage.ops->source->tick(stage.plan, stage.state, &stage.now);
                ps_test_stage_pass_ms(&stage, 100);
            }
        }
        await_gone(0);
        if (stage.batch != NULL && stage.batch->count > 0)
            ps_test_source_close_batch(&stage);
        assert_int_equal(ps_test_rpc_calls_in_use(&stage), 0);
    }
    ps_test_stage_fini(&stage);
}

static void check_all(void (*check)(void))
{
    for (size_t i = 0; i < PS_COUNT_OF(protocols); i++) {
        protocol = &protocols[i];
        check();
    }
}

static void test_message_max(void **unused)
{
    check_all(check_message_max);
}

static void test_headers(void **unused)
{
    check_all(check_headers);
}

static void test_rooms(void **unused)
{
    check_all(check_rooms);
}

static void test_rounds(void **unused)
{
    check_all(check_rounds);
}

static void test_cuts(void **unused)
{
    check_all(check_cuts);
}

static void test_gone_within_a_call(void **unused)
{
    check_all(check_gone_within_a_call);
}

/* A client may have this number of answers waiting for their turn; with one more it is disconnected. */
static void test_kept_answers(void **unused)
{
    protocol = &protocols[1];
    for (uint32_t more = 0; more < 2; more++) {
        start(PS_KEYS(LOCAL));
        int fd = client();
        send_call(fd, &(struct shape){.serial = 1, .events = 1});
        ps_test_source_fill(&stage, 1);
        for (uint32_t i = 0; i < KEPT_MAX + more; i++) {
            send_call(fd, &(struct shape){.serial = 2 + i});
            if (i % 64 == 0)
                ps_test_source_read(&stage);
        }
        for (unsigned i = 0;
             ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchReceivedCount) < 1 + KEPT_MAX ||
             ps_test_stage_counter(&stage, PS_COUNTER_malformed) < more;
             i++) {
            assert_true(i < PS_TEST_PATIENCE_MS);
            ps_test_source_read(&stage);
            usleep(100);
        }
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), more);
        ps_test_source_close_batch(&stage);
        for (uint32_t i = 0; i <= KEPT_MAX && more == 0; i++)
            expect(fd, true, 1 + i, OK);
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

static int set_up(void **state)
{
    body = malloc(2 * MESSAGE_MAX);
    assert_non_null(body);
    memset(body, 'b', 2 * MESSAGE_MAX);
    return 0;
}

static int tear_down(void **state)
{
    free(body);
    free(bytes);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_max),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_rooms),
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_gone_within_a_call),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_kept_answers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
