/* Answers of Flume's Thrift source, put together field by field in both encodings, and each cut at every byte; calls, read back with the
 * protocol's reader. */
#include "stages/lib/thrift/rpc.h"
#include "stages/lib/thrift/request.h"
#include "tests/support/support.h"

#include <stdio.h>

#define BYTES_MAX 1024U

static uint8_t bytes[BYTES_MAX];
static size_t length;

/* ---- answers ---- */

struct answer {
    bool compact;
    enum ps_thrift_message_type type;
    uint32_t number;
    const char *other; /* a field that is not known comes first */
    int32_t status;    /* -1: there is none */
    bool round;
    const char *reason;                           /* of an exception; NULL: there is none */
    bool status_is_long, reason_is_long, no_stop; /* what is wrong with it */
};

static void put_fields(struct ps_thrift_writer *out, const struct answer *answer)
{
    int16_t before = 0;
    if (answer->status >= 0 && answer->status_is_long) {
        ps_thrift_put_field(out, PS_THRIFT_I64, 0, before);
        ps_thrift_put_i64(out, answer->status);
    } else if (answer->status >= 0) {
        ps_thrift_put_field(out, PS_THRIFT_I32, 0, before);
        ps_thrift_put_i32(out, answer->status);
    }
    if (answer->reason != NULL && answer->reason_is_long) {
        ps_thrift_put_field(out, PS_THRIFT_I64, 1, before);
        ps_thrift_put_i64(out, 1);
        before = 1;
    } else if (answer->reason != NULL) {
        ps_thrift_put_field(out, PS_THRIFT_STRING, 1, before);
        ps_thrift_put_text(out, answer->reason, strlen(answer->reason));
        before = 1;
    }
    if (answer->other != NULL) {
        ps_thrift_put_field(out, PS_THRIFT_STRING, 2, before);
        ps_thrift_put_text(out, answer->other, strlen(answer->other));
        before = 2;
    }
    if (answer->round) {
        ps_thrift_put_field(out, PS_THRIFT_BYTE, PS_THRIFT_ROUND_ID, before);
        ps_thrift_put_byte(out, 2);
    }
    if (!answer->no_stop)
        ps_thrift_put_stop(out);
}

static void put_answer(const struct answer *answer)
{
    struct ps_thrift_writer out = {.at = bytes + PS_THRIFT_FRAME_BYTES, .compact = answer->compact};
    const struct ps_thrift_message message = {
        .type = answer->type, .number = answer->number, .name = {"appendBatch", 11}};
    ps_thrift_put_message(&out, &message);
    put_fields(&out, answer);
    length = (size_t)(out.at - bytes);
    ps_big_endian_put_32(bytes, (uint32_t)(length - PS_THRIFT_FRAME_BYTES));
}

/* Reads the bytes, which are in a block of their own. Earlier contents of the answer do not matter. */
static enum ps_rpc_arrival read_some(const struct ps_rpc_protocol *protocol, size_t count,
                                     struct ps_rpc_answer *answer, size_t *taken)
{
    memset(answer, 0x55, sizeof *answer);
    *taken = 7777;
    uint8_t *exact = ps_test_exact_copy(bytes, count);
    enum ps_rpc_arrival arrival = protocol->read_answer(exact, count, false, NULL, answer, taken);
    free(exact);
    return arrival;
}

static void expect_answer(size_t row, enum ps_rpc_arrival wanted, const struct ps_rpc_answer *answer)
{
    static const struct ps_rpc_protocol *const protocols[] = {&ps_thrift_rpc_compact, &ps_thrift_rpc_binary};
    for (size_t i = 0; i < PS_COUNT_OF(protocols); i++) {
        struct ps_rpc_answer is;
        size_t taken;
        for (size_t cut = 0; cut < length; cut++)
            assert_int_equal(read_some(protocols[i], cut, &is, &taken), PS_RPC_MORE);
        bytes[length] = 0x80; /* the next answer begins after it */
        enum ps_rpc_arrival arrival = read_some(protocols[i], length + 1, &is, &taken);
        if (arrival != wanted)
            fail_msg("row %zu: %d", row, (int)arrival);
        if (wanted != PS_RPC_ANSWER)
            continue;
        assert_int_equal(taken, length);
        if (is.number != answer->number || is.status != answer->status || is.failed != answer->failed ||
            is.penstock != answer->penstock || is.no_match || strcmp(is.error, answer->error) != 0)
            fail_msg("row %zu: number %u, status %d, failed %d, a penstock %d, %s", row, is.number,
                     (int)is.status, is.failed, is.penstock, is.error);
    }
}

static void test_answers(void **unused)
{
    static const char long_reason[] =
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        "01234567890123456789012345678901234567890123456789012345678901234567890123456789";
    static char cut_reason[sizeof((struct ps_rpc_answer *)NULL)->error];
    memcpy(cut_reason, long_reason, sizeof cut_reason - 1);
    static const struct {
        struct answer answer;
        enum ps_rpc_arrival arrival;
        struct ps_rpc_answer wanted;
    } rows[] = {
        {{.type = PS_THRIFT_REPLY, .number = 1}, PS_RPC_ANSWER, {.number = 1, .status = PS_RPC_OK}},
        {{.type = PS_THRIFT_REPLY, .number = UINT32_MAX, .status = 1},
         PS_RPC_ANSWER,
         {.number = UINT32_MAX, .status = PS_RPC_FAILED}},
        {{.type = PS_THRIFT_REPLY, .number = 2, .status = 2},
         PS_RPC_ANSWER,
         {.number = 2, .status = PS_RPC_UNKNOWN}},
        {{.type = PS_THRIFT_REPLY, .number = 2, .status = 3},
         PS_RPC_ANSWER,
         {.number = 2, .status = PS_RPC_UNKNOWN}},
        {{.type = PS_THRIFT_REPLY, .number = 0, .other = "x", .round = true},
         PS_RPC_ANSWER,
         {.penstock = true}},
        {{.type = PS_THRIFT_REPLY, .number = 9, .status = 1, .round = true},
         PS_RPC_ANSWER,
         {.number = 9, .status = PS_RPC_FAILED, .penstock = true}},
        {{.type = PS_THRIFT_REPLY, .status = -1}, PS_RPC_NONSENSE, {.number = 0}},
        {{.type = PS_THRIFT_REPLY, .status = -1, .round = true}, PS_RPC_NONSENSE, {.number = 0}},
        {{.type = PS_THRIFT_REPLY, .status_is_long = true}, PS_RPC_NONSENSE, {.number = 0}},
        {{.type = PS_THRIFT_REPLY, .no_stop = true}, PS_RPC_NONSENSE, {.number = 0}},
        {{.type = PS_THRIFT_CALL}, PS_RPC_NONSENSE, {.number = 0}},
        {{.type = PS_THRIFT_ONEWAY}, PS_RPC_NONSENSE, {.number = 0}},
        {{.type = PS_THRIFT_EXCEPTION, .number = 5, .status = -1},
         PS_RPC_ANSWER,
         {.number = 5, .failed = true, .error = "without a reason"}},
        {{.type = PS_THRIFT_EXCEPTION, .number = 5, .status = -1, .reason = "oops\n\x01", .other = "x"},
         PS_RPC_ANSWER,
         {.number = 5, .failed = true, .error = "oops  "}},
        {{.type = PS_THRIFT_EXCEPTION, .number = 5, .status = -1, .reason = ""},
         PS_RPC_ANSWER,
         {.number = 5, .failed = true}},
        {{.type = PS_THRIFT_EXCEPTION, .number = 5, .status = -1, .reason = "x", .reason_is_long = true},
         PS_RPC_ANSWER,
         {.number = 5, .failed = true, .error = "without a reason"}},
        {{.type = PS_THRIFT_EXCEPTION, .status = -1, .reason = "x", .no_stop = true},
         PS_RPC_NONSENSE,
         {.number = 0}},
    };
    for (size_t i = 0; i < 2 * PS_COUNT_OF(rows); i++) {
        struct answer answer = rows[i / 2].answer;
        answer.compact = i % 2 == 1;
        put_answer(&answer);
        expect_answer(i / 2, rows[i / 2].arrival, &rows[i / 2].wanted);
        struct ps_rpc_answer wanted = {.number = 3, .failed = true};
        answer = (struct answer){.compact = i % 2 == 1,
                                 .type = PS_THRIFT_EXCEPTION,
                                 .number = 3,
                                 .status = -1,
                                 .reason = long_reason};
        memcpy(wanted.error, cut_reason, sizeof cut_reason);
        put_answer(&answer);
        expect_answer(100, PS_RPC_ANSWER, &wanted);
    }
}

/* The longest answer is read; an answer with one byte more is refused. */
static void test_limit(void **unused)
{
    static uint8_t head[PS_THRIFT_FRAME_BYTES];
    for (uint32_t more = 0; more <= 1; more++) {
        struct ps_rpc_answer answer;
        size_t taken;
        uint32_t message = PS_RPC_ANSWER_BYTES_MAX - PS_THRIFT_FRAME_BYTES + more;
        ps_big_endian_put_32(head, message);
        memcpy(bytes, head, sizeof head);
        assert_int_equal(read_some(&ps_thrift_rpc_binary, sizeof head, &answer, &taken),
                         more > 0 ? PS_RPC_NONSENSE : PS_RPC_MORE);
    }
    const char words[] = "HTTP/1.1 400 Bad Request\r\n";
    struct ps_rpc_answer answer;
    size_t taken;
    memcpy(bytes, words, sizeof words);
    assert_int_equal(read_some(&ps_thrift_rpc_compact, sizeof words, &answer, &taken), PS_RPC_NONSENSE);
}

/* ---- calls ---- */

/* A call without events, with each round, as the server reads it. */
static void test_calls(void **unused)
{
    static const struct ps_rpc_protocol *const protocols[] = {&ps_thrift_rpc_compact, &ps_thrift_rpc_binary};
    for (unsigned i = 0; i < 6; i++) {
        const struct ps_rpc_protocol *protocol = protocols[i % 2];
        unsigned round = i / 2;
        uint8_t payload[64];
        size_t count = protocol->put_call(payload, 0, round);
        count += protocol->put_end(payload + count);
        assert_true(count <= protocol->call_bytes_max);
        size_t head = protocol->put_head(bytes, 0x89ABCDEF, i == 0, count);
        assert_true(head <= protocol->head_bytes_max && protocol->head_bytes_max <= PS_RPC_HEAD_BYTES_MAX);
        memcpy(bytes + head, payload, count);
        assert_int_equal(ps_big_endian_get_32(bytes), head + count - PS_THRIFT_FRAME_BYTES);
        struct ps_thrift_reader in = {.at = bytes + PS_THRIFT_FRAME_BYTES, .end = bytes + head + count};
        struct ps_thrift_message message;
        struct ps_thrift_field field = {.id = 0};
        enum ps_thrift_type type;
        assert_true(ps_thrift_read_message(&in, &message));
        assert_int_equal(in.compact, i % 2 == 0);
        assert_int_equal(message.type, PS_THRIFT_CALL);
        assert_int_equal(message.number, 0x89ABCDEF);
        assert_int_equal(message.name.length, 11);
        assert_memory_equal(message.name.data, "appendBatch", 11);
        if (round > 0) {
            assert_true(ps_thrift_read_field(&in, &field));
            assert_int_equal(field.type, PS_THRIFT_BYTE);
            assert_int_equal(field.id, PS_THRIFT_ROUND_ID);
            assert_int_equal(ps_thrift_read_byte(&in), round);
        }
        assert_true(ps_thrift_read_field(&in, &field));
        assert_int_equal(field.type, PS_THRIFT_LIST);
        assert_int_equal(field.id, 1);
        assert_int_equal(ps_thrift_read_list(&in, &type), 0);
        assert_false(ps_thrift_read_field(&in, &field));
        assert_false(in.bad);
        assert_ptr_equal(in.at, in.end);
        assert_string_equal(protocol->name, "thrift");
        assert_true(protocol->asks);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_limit),
                                              cmocka_unit_test(test_calls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
