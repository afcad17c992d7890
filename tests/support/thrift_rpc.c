#include "tests/support/thrift_rpc.h"

#include "tests/support/net.h"

#include <stdlib.h>

struct ps_thrift_writer ps_test_thrift_writer(struct ps_test_thrift_call *call, size_t more)
{
    if (call->length + more > call->room) {
        call->room = 2 * (call->length + more);
        call->bytes = realloc(call->bytes, call->room);
        assert_non_null(call->bytes);
    }
    return (struct ps_thrift_writer){.at = call->bytes + call->length, .compact = call->compact};
}

void ps_test_thrift_wrote(struct ps_test_thrift_call *call, const struct ps_thrift_writer *out)
{
    call->length = (size_t)(out->at - call->bytes);
    assert_true(call->length <= call->room);
}

void ps_test_thrift_begin(struct ps_test_thrift_call *call, bool compact, uint32_t number, int64_t count,
                          uint8_t round)
{
    const char *name = count < 0 ? "append" : "appendBatch";
    const struct ps_thrift_message message = {
        .type = PS_THRIFT_CALL, .number = number, .name = {name, (uint32_t)strlen(name)}};
    int16_t before = 0;
    call->length = 0;
    call->compact = compact;
    struct ps_thrift_writer out = ps_test_thrift_writer(call, 256);
    out.at += PS_THRIFT_FRAME_BYTES;
    ps_thrift_put_message(&out, &message);
    if (round != 0) {
        ps_thrift_put_field(&out, PS_THRIFT_BYTE, PS_THRIFT_ROUND_ID, 0);
        ps_thrift_put_byte(&out, round);
        before = PS_THRIFT_ROUND_ID;
    }
    ps_thrift_put_field(&out, count < 0 ? PS_THRIFT_STRUCT : PS_THRIFT_LIST, 1, before);
    if (count >= 0)
        ps_thrift_put_list(&out, PS_THRIFT_STRUCT, (uint32_t)count);
    ps_test_thrift_wrote(call, &out);
}

void ps_test_thrift_event(struct ps_test_thrift_call *call, const char *body, size_t length,
                          const char *const *headers)
{
    uint32_t count = 0;
    size_t room = length + 64;
    for (; headers != NULL && headers[2 * count] != NULL; count++)
        room += strlen(headers[2 * count]) + strlen(headers[2 * count + 1]) + 10;
    struct ps_thrift_writer out = ps_test_thrift_writer(call, room);
    ps_thrift_put_field(&out, PS_THRIFT_MAP, 1, 0);
    ps_thrift_put_map(&out, PS_THRIFT_STRING, PS_THRIFT_STRING, count);
    for (uint32_t i = 0; i < 2 * count; i++)
        ps_thrift_put_text(&out, headers[i], strlen(headers[i]));
    ps_thrift_put_field(&out, PS_THRIFT_STRING, 2, 1);
    ps_thrift_put_text(&out, body, length);
    ps_thrift_put_stop(&out);
    ps_test_thrift_wrote(call, &out);
}

void ps_test_thrift_end(struct ps_test_thrift_call *call)
{
    struct ps_thrift_writer out = ps_test_thrift_writer(call, 1);
    ps_thrift_put_stop(&out);
    ps_test_thrift_wrote(call, &out);
    ps_big_endian_put_32(call->bytes, (uint32_t)(call->length - PS_THRIFT_FRAME_BYTES));
}

void ps_test_thrift_free(struct ps_test_thrift_call *call)
{
    free(call->bytes);
    *call = (struct ps_test_thrift_call){.length = 0};
}

static void copy(char *to, size_t room, const struct ps_slice *text)
{
    assert_true(text->length < room);
    memcpy(to, text->data, text->length);
    to[text->length] = '\0';
}

void ps_test_thrift_answer_read(const uint8_t *message, size_t length, struct ps_test_thrift_answer *answer)
{
    struct ps_thrift_reader in = {.at = message, .end = message + length};
    struct ps_thrift_field field = {.id = 0};
    *answer = (struct ps_test_thrift_answer){.number = -1};
    assert_true(ps_thrift_read_message(&in, &answer->message));
    copy(answer->name, sizeof answer->name, &answer->message.name);
    while (ps_thrift_read_field(&in, &field)) {
        if (field.type == PS_THRIFT_STRING) {
            const struct ps_slice text = ps_thrift_read_text(&in);
            copy(answer->error, sizeof answer->error, &text);
        } else {
            if (field.id == PS_THRIFT_ROUND_ID) {
                answer->round = ps_thrift_read_byte(&in);
                continue;
            }
            assert_int_equal(field.type, PS_THRIFT_I32);
            assert_int_equal(field.id, answer->message.type == PS_THRIFT_EXCEPTION ? 2 : 0);
            answer->number = ps_thrift_read_i32(&in);
        }
    }
    assert_false(in.bad);
    assert_ptr_equal(in.at, in.end);
}
