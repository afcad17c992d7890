/* Messages of Avro clients: framing in any pieces, handshakes, calls, and bytes that are none of these. */
#include "stages/lib/avro/request.h"

#include "tests/support/avro_rpc.h"

#include <stdlib.h>
#include <string.h>

static struct ps_test_avro_call call;
static struct ps_avro_clients clients;

static void read_call(bool handshake, struct ps_avro_request *request)
{
    ps_avro_request_read(call.bytes, call.length, handshake, &clients, request);
}

static void begin(const char *name)
{
    ps_test_avro_call_clear(&call);
    ps_test_avro_call_name(&call, name);
}

/* Every cut of a message into pieces gives the same payload, and every part of it is only partial. */
static void test_framing(void **state)
{
    begin("append");
    ps_test_avro_call_event(&call, "the body of an event", 20, PS_WORDS("a", "1"));
    for (size_t piece = 1; piece <= call.length; piece++) {
        size_t length;
        struct ps_avro_message message;
        uint8_t *bytes = ps_test_avro_message(&call, 77, piece, &length);
        for (size_t part = 0; part < length; part++)
            assert_int_equal(ps_avro_message_measure(bytes, part, 4096, &message), PS_AVRO_PARTIAL);
        assert_int_equal(ps_avro_message_measure(bytes, length, (uint32_t)length, &message), PS_AVRO_WHOLE);
        assert_int_equal(ps_avro_message_measure(bytes, length, (uint32_t)length - 1, &message),
                         PS_AVRO_GARBAGE);
        assert_int_equal(ps_avro_message_measure(bytes, length, 4096, &message), PS_AVRO_WHOLE);
        assert_int_equal(message.serial, 77);
        assert_int_equal(message.wire_bytes, length);
        assert_int_equal(message.payload_bytes, call.length);
        char *flat = (char *)bytes;
        for (int i = 0; i < 2; i++) {
            flat = ps_avro_message_flatten(flat, &message);
            assert_ptr_equal(flat + message.wire_bytes, bytes + length);
            assert_memory_equal(flat + message.wire_bytes - message.payload_bytes, call.bytes, call.length);
        }
        struct ps_avro_message again;
        assert_int_equal(ps_avro_message_measure(flat, message.wire_bytes, 4096, &again), PS_AVRO_WHOLE);
        assert_int_equal(again.serial, 77);
        assert_int_equal(again.payload_bytes, call.length);
        free(bytes);
    }
}

static void test_hostile_framing(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {"\0\0\0\1\xff\xff\xff\xff", 8},                   /* the number of pieces */
        {"\0\0\0\1\0\1\0\1", 8},                           /* one piece more than allowed */
        {"\0\0\0\1\0\0\0\1\xff\xff\xff\xff", 12},          /* the length of a piece */
        {"\0\0\0\1\0\0\0\1\0\0\x0f\xf5", 12},              /* one byte more than `most` */
        {"\0\0\0\1\0\0\0\2\0\0\0\1x\x7f\xff\xff\xff", 17}, /* the length of the second piece */
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_avro_message message;
        assert_int_equal(ps_avro_message_measure(cases[i].bytes, cases[i].length, 4096, &message),
                         PS_AVRO_GARBAGE);
    }
    struct ps_avro_message most;
    assert_int_equal(ps_avro_message_measure("\0\0\0\1\0\1\0\0", 8, 4096, &most), PS_AVRO_PARTIAL);
}

static void test_handshakes(void **state)
{
    static const uint8_t other[16] = "another's md5 ..";
    static const struct {
        const uint8_t *md5;
        const char *text;
        const uint8_t *server;
        enum ps_avro_match match;
    } cases[] = {
        {ps_avro_protocol_md5, NULL, ps_avro_protocol_md5, PS_AVRO_MATCH_BOTH},
        {ps_avro_protocol_md5, NULL, other, PS_AVRO_MATCH_CLIENT},
        {other, NULL, ps_avro_protocol_md5, PS_AVRO_MATCH_NONE},
        {other, "{\"protocol\":\"Mail\"}", ps_avro_protocol_md5, PS_AVRO_MATCH_NONE},
        {other, "{\"protocol\":\"AvroSourceProtocol\"}", other, PS_AVRO_MATCH_CLIENT},
        {other, NULL, ps_avro_protocol_md5, PS_AVRO_MATCH_BOTH}, /* learned from the handshake before */
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_avro_request request;
        ps_test_avro_call_clear(&call);
        ps_test_avro_call_handshake(&call, cases[i].md5, cases[i].text, cases[i].server);
        ps_test_avro_call_name(&call, "");
        read_call(true, &request);
        assert_int_equal(request.match, cases[i].match);
        bool none = cases[i].match == PS_AVRO_MATCH_NONE;
        assert_int_equal(request.call, none ? PS_AVRO_CALL_STRANGER : PS_AVRO_CALL_PING);
    }
}

/* The server knows the eight protocols that it saw last, and its own. */
static void test_known_protocols(void **state)
{
    static struct ps_avro_clients known;
    uint8_t md5[16] = "a protocol of n";
    for (unsigned i = 0; i < 20; i++) {
        for (unsigned old = 0; old <= i; old++) {
            struct ps_avro_request request;
            md5[15] = (uint8_t)old;
            ps_test_avro_call_clear(&call);
            ps_test_avro_call_handshake(&call, md5, old == i ? "{\"protocol\":\"AvroSourceProtocol\"}" : NULL,
                                        ps_avro_protocol_md5);
            ps_test_avro_call_name(&call, "");
            ps_avro_request_read(call.bytes, call.length, true, &known, &request);
            assert_int_equal(request.match, old + 8 >= i ? PS_AVRO_MATCH_BOTH : PS_AVRO_MATCH_NONE);
        }
        assert_int_equal(known.count, i < 8 ? i + 1 : 8);
    }
}

/* Method names that differ a little from `append` and `appendBatch`. */
static void test_near_names(void **state)
{
    static const char *const names[] = {"appen",       "appenD",       "append ", "appendBatc",
                                        "appendBatcH", "appendBatch2", "Append",  "appendbatch"};
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        struct ps_avro_request request;
        begin(names[i]);
        ps_test_avro_call_event(&call, "x", 1, NULL);
        read_call(false, &request);
        assert_int_equal(request.call, PS_AVRO_CALL_ERROR);
        assert_non_null(strstr(request.reason, names[i]));
    }
}

static void test_calls(void **state)
{
    struct ps_avro_request request;
    begin("append");
    ps_test_avro_call_event(&call, "x", 1, NULL);
    read_call(false, &request);
    assert_int_equal(request.call, PS_AVRO_CALL_APPEND);
    assert_false(request.batch);
    assert_int_equal(request.events, 1);
    begin("appendBatch");
    for (int block = 0; block < 3; block++) { /* positive and negative counts */
        ps_test_avro_call_long(&call, block == 1 ? -2 : 2);
        if (block == 1)
            ps_test_avro_call_long(&call, 7);
        ps_test_avro_call_event(&call, "x", 1, NULL);
        ps_test_avro_call_event(&call, "y", 1, PS_WORDS("n", "v"));
    }
    ps_test_avro_call_long(&call, 0);
    read_call(false, &request);
    assert_int_equal(request.call, PS_AVRO_CALL_APPEND);
    assert_true(request.batch);
    assert_int_equal(request.events, 6);
    assert_int_equal(request.events_at, 13);
    size_t whole = call.length;
    for (call.length = 13; call.length < whole; call.length++) {
        read_call(false, &request);
        assert_int_equal(request.call, PS_AVRO_CALL_ERROR);
    }
    for (call.length = 1; call.length < 13; call.length++) {
        read_call(false, &request);
        assert_int_equal(request.call, PS_AVRO_CALL_ERROR);
        assert_string_equal(request.reason, "the call is not complete");
    }
}

static void test_too_many_headers(void **state)
{
    struct ps_avro_request request;
    begin("append");
    ps_test_avro_call_long(&call, 4097);
    for (int i = 0; i < 4097; i++)
        ps_test_avro_call_bytes(&call, "\2n\2v", 4);
    ps_test_avro_call_bytes(&call, "\0\0", 2);
    read_call(false, &request);
    assert_int_equal(request.call, PS_AVRO_CALL_ERROR);
}

/* The client (rpc.h) reads the answers that the server writes. */
static void test_answers(void **state)
{
    static uint8_t scratch[PS_AVRO_ANSWER_BYTES_MAX];
    uint8_t bytes[PS_AVRO_REPLY_BYTES_MAX];
    struct ps_avro_answer answer;
    for (enum ps_avro_match match = PS_AVRO_MATCH_BOTH; match <= PS_AVRO_MATCH_NONE; match++) {
        size_t taken, length = ps_avro_put_status(bytes, 5, &match, PS_AVRO_FAILED);
        assert_int_equal(ps_avro_read_answer(bytes, length, true, scratch, &answer, &taken), PS_AVRO_ANSWER);
        assert_int_equal(taken, length);
        assert_int_equal(answer.no_match, match == PS_AVRO_MATCH_NONE);
        assert_int_equal(bytes[12], 2 * match); /* after the number, the count of pieces and a length */
        assert_int_equal(bytes[13],
                         match == PS_AVRO_MATCH_BOTH ? 0 : 2); /* with our protocol unless that is known */
        assert_int_equal(answer.status, match == PS_AVRO_MATCH_NONE ? PS_AVRO_OK : PS_AVRO_FAILED);
    }
    size_t taken, length = ps_avro_put_error(bytes, 6, NULL, "reason");
    assert_int_equal(ps_avro_read_answer(bytes, length, false, scratch, &answer, &taken), PS_AVRO_ANSWER);
    assert_true(answer.failed);
    assert_string_equal(answer.error, "reason");
    assert_int_equal(answer.serial, 6);
}

static int tear_down(void **state)
{
    ps_test_avro_call_free(&call);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framing),          cmocka_unit_test(test_hostile_framing),
        cmocka_unit_test(test_handshakes),       cmocka_unit_test(test_calls),
        cmocka_unit_test(test_known_protocols),  cmocka_unit_test(test_near_names),
        cmocka_unit_test(test_too_many_headers), cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
