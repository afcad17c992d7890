/* The encoded events of programs, read back as sources read them: Avro, Thrift's compact and binary
 * encodings; bounds hold. */
#include "commands/client/encoding.h"

#include "stages/lib/avro/event.h"
#include "stages/lib/thrift/request.h"
#include "tests/support/support.h"

#define ROOM 400000

static uint8_t bytes[ROOM];
static char body[100000], value[70000];

static const struct penstock_client_header headers[] = {
    {"", ""}, {"name", "value"}, {"größe", value}, {"last", "1"}};
static const struct penstock_client_event events[] = {
    {NULL, 0, NULL, 0}, {headers, 1, "", 0},        {headers, 4, "body", 4},
    {NULL, 0, body, 1}, {headers, 3, body, 100000}, {headers + 1, 1, "\0\xff", 2},
};

static void fill(void)
{
    memset(body, 0xe4, sizeof body);
    memset(value, 'v', sizeof value - 1);
}

static void expect_text(struct ps_slice text, const char *wanted)
{
    assert_int_equal(text.length, strlen(wanted));
    assert_memory_equal(text.data, wanted, text.length);
}

static void expect_body(struct ps_slice text, const struct penstock_client_event *event)
{
    assert_int_equal(text.length, event->body_length);
    assert_true(text.length == 0 || memcmp(text.data, event->body, text.length) == 0);
}

static void test_avro(void **state)
{
    fill();
    for (size_t i = 0; i < PS_COUNT_OF(events); i++) {
        const struct penstock_client_event *event = &events[i];
        struct ps_avro_event_reader reader;
        struct ps_slice name, text;
        size_t length = ps_rpc_avro.put_event(bytes, event);
        assert_in_range(length, 1, ps_rpc_event_bound(event, NULL));
        ps_avro_event_reader_init(&reader, bytes, length);
        for (size_t j = 0; j < event->header_count; j++) {
            assert_int_equal(ps_avro_event_reader_next(&reader, &name, &text), PS_AVRO_EVENT_HEADER);
            expect_text(name, event->headers[j].name);
            expect_text(text, event->headers[j].value);
        }
        assert_int_equal(ps_avro_event_reader_next(&reader, &name, &text), PS_AVRO_EVENT_BODY);
        expect_body(text, event);
    }
}

static void expect_thrift_event(struct ps_thrift_reader *in, const struct penstock_client_event *event)
{
    struct ps_thrift_field field = {.id = 0};
    enum ps_thrift_type key, type;
    assert_true(ps_thrift_read_field(in, &field));
    assert_int_equal(field.id, 1);
    assert_int_equal(ps_thrift_read_map(in, &key, &type), event->header_count);
    for (size_t j = 0; j < event->header_count; j++) {
        expect_text(ps_thrift_read_text(in), event->headers[j].name);
        expect_text(ps_thrift_read_text(in), event->headers[j].value);
    }
    assert_true(ps_thrift_read_field(in, &field));
    assert_int_equal(field.id, 2);
    expect_body(ps_thrift_read_text(in), event);
    assert_false(ps_thrift_read_field(in, &field));
    assert_false(in->bad);
}

/* A whole call, read as the source thrift reads it. */
static void expect_thrift(const struct ps_rpc_encoding *encoding)
{
    const struct ps_rpc_protocol *protocol = encoding->protocol;
    uint8_t *call = bytes + PS_RPC_HEAD_BYTES_MAX, head[PS_RPC_HEAD_BYTES_MAX];
    struct ps_thrift_request request = {.events = 0};
    uint32_t message_length = 0;
    size_t length = protocol->put_call(call, PS_COUNT_OF(events), 0), bound = protocol->call_bytes_max;
    for (size_t i = 0; i < PS_COUNT_OF(events); i++) {
        size_t one = encoding->put_event(call + length, &events[i]);
        assert_in_range(one, 1, ps_rpc_event_bound(&events[i], NULL));
        bound += ps_rpc_event_bound(&events[i], NULL);
        length += one;
    }
    length += protocol->put_end(call + length);
    assert_true(length <= bound && bound < ROOM - PS_RPC_HEAD_BYTES_MAX);
    size_t head_length = protocol->put_head(head, 77, true, length);
    memcpy(call - head_length, head, head_length);
    const uint8_t *frame = call - head_length;
    assert_int_equal(ps_thrift_frame_measure(frame, head_length + length, ROOM, &message_length),
                     PS_THRIFT_WHOLE);
    assert_int_equal(message_length, head_length + length - PS_THRIFT_FRAME_BYTES);
    const uint8_t *message = frame + PS_THRIFT_FRAME_BYTES;
    assert_true(ps_thrift_request_read(&ps_thrift_flume, message, message_length, &request));
    assert_int_equal(request.error, PS_THRIFT_NO_ERROR);
    assert_int_equal(request.events, PS_COUNT_OF(events));
    assert_int_equal(request.round, 0);
    assert_int_equal(request.message.number, 77);
    struct ps_thrift_reader in = {
        .at = message + request.events_at, .end = message + message_length, .compact = request.compact};
    for (size_t i = 0; i < PS_COUNT_OF(events); i++)
        expect_thrift_event(&in, &events[i]);
}

/* The room that an event may need at most is at most 1 GiB, wherever its bytes are. */
static void test_the_largest_event(void **state)
{
    for (size_t with_headers = 0; with_headers < 2; with_headers++) {
        struct penstock_client_event event = {headers, with_headers, "x", 0};
        struct ps_err err = {.length = 0};
        size_t rest = ps_rpc_event_bound(&event, &err);
        assert_in_range(rest, 1, 100000);
        for (int more = -1; more <= 1; more++) {
            event.body_length = PS_RPC_EVENT_BYTES_MAX - rest + (size_t)more;
            size_t bound = ps_rpc_event_bound(&event, &err);
            assert_int_equal(bound, more <= 0 ? PS_RPC_EVENT_BYTES_MAX + (size_t)more : 0);
        }
        assert_string_equal(err.text, "an event has more than 1 GiB");
    }
}

static void test_thrift(void **state)
{
    fill();
    expect_thrift(&ps_rpc_thrift_compact);
    expect_thrift(&ps_rpc_thrift_binary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_avro),
        cmocka_unit_test(test_the_largest_event),
        cmocka_unit_test(test_thrift),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
