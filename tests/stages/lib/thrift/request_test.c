/* Calls of Flume's Thrift protocol: as Flume's client writes them, in other orders, and malformed. */
#include "stages/lib/thrift/request.h"

#include "stages/lib/thrift/event.h"
#include "tests/support/thrift_rpc.h"

#include <stdio.h>

static struct ps_test_thrift_call call;

static bool read_call(struct ps_thrift_request *request)
{
    return ps_thrift_request_read(&ps_thrift_flume, call.bytes + PS_THRIFT_FRAME_BYTES,
                                  call.length - PS_THRIFT_FRAME_BYTES, request);
}

/* Reads the events as the server does. */
static void expect_events(const struct ps_thrift_request *request, uint32_t count)
{
    struct ps_thrift_reader in = {.at = call.bytes + PS_THRIFT_FRAME_BYTES + request->events_at,
                                  .end = call.bytes + call.length,
                                  .compact = request->compact};
    assert_int_equal(request->events, count);
    for (uint32_t i = 0; i < count; i++) {
        struct ps_thrift_datum datum;
        assert_null(ps_thrift_event_read(&in, &datum));
        assert_int_equal(datum.sizes.count, i % 2);
        assert_int_equal(datum.body.length, 4);
        assert_memory_equal(datum.body.data, "body", 4);
    }
}

static void make_call(bool compact, int64_t count, uint8_t round)
{
    ps_test_thrift_begin(&call, compact, 9, count, round);
    for (int64_t i = 0; i < (count < 0 ? 1 : count); i++)
        ps_test_thrift_event(&call, "body", 4, i % 2 ? PS_WORDS("name", "value") : NULL);
    ps_test_thrift_end(&call);
}

static void test_calls(void **state)
{
    static const int64_t counts[] = {-1, 0, 1, 14, 15, 300};
    for (size_t i = 0; i < 2 * PS_COUNT_OF(counts); i++) {
        bool compact = i % 2 == 0;
        int64_t count = counts[i / 2];
        for (uint8_t round = 0; round < 3; round++) {
            struct ps_thrift_request request;
            make_call(compact, count, round);
            assert_true(read_call(&request));
            assert_int_equal(request.error, PS_THRIFT_NO_ERROR);
            assert_int_equal(request.compact, compact);
            assert_int_equal(request.message.number, 9);
            assert_int_equal(request.round, round);
            assert_int_equal(request.method_index, count < 0 ? 0 : 1);
            expect_events(&request, (uint32_t)(count < 0 ? 1 : count));
        }
    }
}

/* As libthrift 0.14.1 writes them: append and appendBatch of headers {a=1} and body "xy". */
static void test_java(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        bool compact;
    } cases[] = {
        {"\x82\x21\x01\x06"
         "append\x1c\x1b\x01\x88\x01"
         "a\x01"
         "1\x18\x02"
         "xy\x00\x00",
         24, true},
        {"\x82\x21\x01\x0b"
         "appendBatch\x19\x1c\x1b\x01\x88\x01"
         "a\x01"
         "1\x18\x02"
         "xy\x00\x00",
         30, true},
        {"\x80\x01\x00\x01\x00\x00\x00\x06"
         "append\x00\x00\x00\x01\x0c\x00\x01\x0d\x00\x01\x0b\x0b\x00\x00\x00\x01\x00\x00\x00\x01"
         "a\x00\x00\x00\x01"
         "1\x0b\x00\x02\x00\x00\x00\x02"
         "xy\x00\x00",
         51, false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_thrift_request request;
        struct ps_thrift_datum datum;
        assert_true(ps_thrift_request_read(&ps_thrift_flume, cases[i].bytes, cases[i].length, &request));
        assert_int_equal(request.error, PS_THRIFT_NO_ERROR);
        assert_int_equal(request.events, 1);
        struct ps_thrift_reader in = {.at = (const uint8_t *)cases[i].bytes + request.events_at,
                                      .end = (const uint8_t *)cases[i].bytes + cases[i].length,
                                      .compact = cases[i].compact};
        assert_null(ps_thrift_event_read(&in, &datum));
        assert_int_equal(datum.sizes.count, 1);
        assert_int_equal(datum.sizes.names_bytes, 1);
        assert_memory_equal(datum.body.data, "xy", 2);
    }
}

/* Fields in another order, unknown ones, and one twice, of which the last is used. */
static void test_fields(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct ps_thrift_request request;
        struct ps_thrift_datum datum;
        ps_test_thrift_begin(&call, i == 0, 1, -1, 0);
        struct ps_thrift_writer out = ps_test_thrift_writer(&call, 512);
        ps_thrift_put_field(&out, PS_THRIFT_STRING, 2, 0);
        ps_thrift_put_text(&out, "first", 5);
        ps_thrift_put_field(&out, PS_THRIFT_STRING, 77, 2);
        ps_thrift_put_text(&out, "unknown", 7);
        ps_thrift_put_field(&out, PS_THRIFT_MAP, 1, 77);
        ps_thrift_put_map(&out, PS_THRIFT_STRING, PS_THRIFT_STRING, 1);
        ps_thrift_put_text(&out, "n", 1);
        ps_thrift_put_text(&out, "v", 1);
        ps_thrift_put_field(&out, PS_THRIFT_I32, 2, 1);
        ps_thrift_put_i32(&out, 7);
        ps_thrift_put_field(&out, PS_THRIFT_STRING, 2, 2);
        ps_thrift_put_text(&out, "last", 4);
        ps_thrift_put_stop(&out);
        ps_test_thrift_wrote(&call, &out);
        ps_test_thrift_end(&call);
        assert_true(read_call(&request));
        assert_int_equal(request.error, PS_THRIFT_NO_ERROR);
        struct ps_thrift_reader in = {.at = call.bytes + PS_THRIFT_FRAME_BYTES + request.events_at,
                                      .end = call.bytes + call.length,
                                      .compact = i == 0};
        assert_null(ps_thrift_event_read(&in, &datum));
        assert_int_equal(datum.sizes.count, 1);
        assert_memory_equal(datum.body.data, "last", 4);
    }
}

static void expect_error(enum ps_thrift_error error, const char *reason)
{
    struct ps_thrift_request request;
    struct ps_test_thrift_answer answer;
    uint8_t reply[PS_THRIFT_ANSWER_BYTES_MAX];
    assert_true(read_call(&request));
    assert_int_equal(request.error, error);
    assert_string_equal(request.reason, reason);
    size_t length = ps_thrift_put_error(reply, &request);
    assert_int_equal(ps_big_endian_get_32(reply), length - PS_THRIFT_FRAME_BYTES);
    ps_test_thrift_answer_read(reply + PS_THRIFT_FRAME_BYTES, length - PS_THRIFT_FRAME_BYTES, &answer);
    assert_int_equal(answer.message.type, PS_THRIFT_EXCEPTION);
    assert_int_equal(answer.message.number, request.message.number);
    assert_int_equal(answer.number, error);
    assert_string_equal(answer.error, reason);
}

/* Begins a message of this name, in which fields of the arguments follow. */
static struct ps_thrift_writer begin_named(const char *name, bool compact)
{
    const struct ps_thrift_message message = {PS_THRIFT_CALL, 5, {name, (uint32_t)strlen(name)}};
    call.length = 0;
    call.compact = compact;
    struct ps_thrift_writer out = ps_test_thrift_writer(&call, 512);
    out.at += PS_THRIFT_FRAME_BYTES;
    ps_thrift_put_message(&out, &message);
    return out;
}

/* Names that differ a little from those of the calls, and a call without its argument. */
static void test_near_names(void **state)
{
    static const char *const names[] = {"appen",       "appenD",       "append ", "appendBatc",
                                        "appendBatcH", "appendBatch2", "Append",  "appendbatch"};
    for (size_t i = 0; i < 2 * PS_COUNT_OF(names); i++) {
        char reason[64];
        struct ps_thrift_writer out = begin_named(names[i / 2], i % 2 == 0);
        ps_test_thrift_wrote(&call, &out);
        ps_test_thrift_end(&call);
        snprintf(reason, sizeof reason, "Invalid method name: '%s'", names[i / 2]);
        expect_error(PS_THRIFT_UNKNOWN_METHOD, reason);
        out = begin_named("appendBatch", i % 2 == 0);
        ps_test_thrift_wrote(&call, &out);
        ps_test_thrift_end(&call);
        expect_error(PS_THRIFT_PROTOCOL_ERROR, "the call has no events");
    }
}

/* Arguments that the call does not have are skipped, before and after its own; a round is 1 or 2, others are ignored. */
static void test_other_arguments(void **state)
{
    for (int i = 0; i < 2; i++) {
        for (uint8_t round = 0; round < 4; round++) {
            struct ps_thrift_request request;
            struct ps_thrift_writer out = begin_named("appendBatch", i == 0);
            ps_thrift_put_field(&out, PS_THRIFT_STRING, 7, 0);
            ps_thrift_put_text(&out, "seven", 5);
            ps_thrift_put_field(&out, PS_THRIFT_I32, 1, 7); /* with another type */
            ps_thrift_put_i32(&out, 77);
            ps_thrift_put_field(&out, PS_THRIFT_LIST, 1, 1);
            ps_thrift_put_list(&out, PS_THRIFT_STRUCT, 1);
            ps_test_thrift_wrote(&call, &out);
            ps_test_thrift_event(&call, "body", 4, NULL);
            out = ps_test_thrift_writer(&call, 512);
            ps_thrift_put_field(&out, PS_THRIFT_MAP, 9, 1);
            ps_thrift_put_map(&out, PS_THRIFT_STRING, PS_THRIFT_STRING, 1);
            ps_thrift_put_text(&out, "n", 1);
            ps_thrift_put_text(&out, "v", 1);
            ps_thrift_put_field(&out, PS_THRIFT_BYTE, PS_THRIFT_ROUND_ID, 9);
            ps_thrift_put_byte(&out, round);
            ps_test_thrift_wrote(&call, &out);
            ps_test_thrift_end(&call);
            assert_true(read_call(&request));
            assert_int_equal(request.error, PS_THRIFT_NO_ERROR);
            assert_int_equal(request.round, round == 1 || round == 2 ? round : 0);
            expect_events(&request, 1);
        }
    }
}

static void test_wrong_calls(void **state)
{
    for (int i = 0; i < 2; i++) {
        const char *name = "strange\ncall";
        const struct ps_thrift_message message = {PS_THRIFT_CALL, 5, {name, 12}};
        call.length = 0;
        call.compact = i == 0;
        struct ps_thrift_writer out = ps_test_thrift_writer(&call, 64);
        out.at += PS_THRIFT_FRAME_BYTES;
        ps_thrift_put_message(&out, &message);
        ps_test_thrift_wrote(&call, &out);
        ps_test_thrift_end(&call);
        expect_error(PS_THRIFT_UNKNOWN_METHOD, "Invalid method name: 'strange?call'");
        make_call(i == 0, 3, 0);
        call.length -= 2; /* the last event's end, and the call's */
        expect_error(PS_THRIFT_PROTOCOL_ERROR, "an event is not complete");
        make_call(i == 0, 3, 0);
        call.length -= 1;
        expect_error(PS_THRIFT_PROTOCOL_ERROR, "the call is not complete");
        ps_test_thrift_begin(&call, i == 0, 1, 1, 0);
        out = ps_test_thrift_writer(&call, 64);
        ps_thrift_put_field(&out, PS_THRIFT_STRING, 2, 0);
        ps_thrift_put_text(&out, "x", 1);
        ps_thrift_put_stop(&out);
        ps_test_thrift_wrote(&call, &out);
        ps_test_thrift_end(&call);
        expect_error(PS_THRIFT_PROTOCOL_ERROR, "Required field 'headers' was not present");
        ps_test_thrift_begin(&call, i == 0, 1, 1, 0);
        out = ps_test_thrift_writer(&call, 64);
        ps_thrift_put_field(&out, PS_THRIFT_MAP, 1, 0);
        ps_thrift_put_map(&out, PS_THRIFT_STRING, PS_THRIFT_STRING, 0);
        ps_thrift_put_stop(&out);
        ps_test_thrift_wrote(&call, &out);
        ps_test_thrift_end(&call);
        expect_error(PS_THRIFT_PROTOCOL_ERROR, "Required field 'body' was not present");
    }
    make_call(false, 1, 0);
    call.bytes[7] = PS_THRIFT_REPLY;
    expect_error(PS_THRIFT_INVALID_MESSAGE_TYPE, "the message is not a call");
}

/* Each prefix of a call is an error or an incomplete message; no length field makes the reader read past its bytes. */
static void test_parts(void **state)
{
    for (int i = 0; i < 2; i++) {
        make_call(i == 0, 20, 1);
        size_t whole = call.length;
        for (size_t part = PS_THRIFT_FRAME_BYTES; part < whole; part++) {
            struct ps_thrift_request request;
            call.length = part;
            assert_true(!read_call(&request) || request.error != PS_THRIFT_NO_ERROR);
        }
    }
}

static void test_frames(void **state)
{
    static const uint8_t frame[] = "\x00\x00\x00\x05-----";
    uint32_t length;
    for (size_t part = 0; part < 9; part++)
        assert_int_equal(ps_thrift_frame_measure(frame, part, 4096, &length), PS_THRIFT_PARTIAL);
    assert_int_equal(ps_thrift_frame_measure(frame, 9, 9, &length), PS_THRIFT_WHOLE);
    assert_int_equal(length, 5);
    assert_int_equal(ps_thrift_frame_measure(frame, 4, 8, &length), PS_THRIFT_GARBAGE);
    assert_int_equal(ps_thrift_frame_measure("\x00\x00\x00\x00", 4, 4096, &length), PS_THRIFT_GARBAGE);
    assert_int_equal(ps_thrift_frame_measure("\xff\xff\xff\xff", 4, 4096, &length), PS_THRIFT_GARBAGE);
    assert_int_equal(ps_thrift_frame_measure("GET ", 4, 64 << 20, &length), PS_THRIFT_GARBAGE);
}

static void test_results(void **state)
{
    static const struct ps_slice name = {"appendBatch", 11};
    for (int i = 0; i < 2; i++) {
        struct ps_test_thrift_answer answer;
        uint8_t reply[PS_THRIFT_ANSWER_BYTES_MAX];
        size_t length = ps_thrift_put_result(reply, i == 0, &name, UINT32_MAX, 1, (unsigned)i * 2);
        ps_test_thrift_answer_read(reply + PS_THRIFT_FRAME_BYTES, length - PS_THRIFT_FRAME_BYTES, &answer);
        assert_int_equal(answer.message.type, PS_THRIFT_REPLY);
        assert_int_equal(answer.message.number, UINT32_MAX);
        assert_string_equal(answer.name, "appendBatch");
        assert_int_equal(answer.number, 1);
        assert_int_equal(answer.round, i * 2);
    }
}

static int tear_down(void **state)
{
    ps_test_thrift_free(&call);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),           cmocka_unit_test(test_java),
        cmocka_unit_test(test_fields),          cmocka_unit_test(test_wrong_calls),
        cmocka_unit_test(test_parts),           cmocka_unit_test(test_frames),
        cmocka_unit_test(test_results),         cmocka_unit_test(test_near_names),
        cmocka_unit_test(test_other_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
