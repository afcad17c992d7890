#include "stages/lib/thrift/rpc.h"

#include "core/text/printable.h"
#include "stages/lib/thrift/event.h"
#include "stages/lib/thrift/request.h"

#include <stdio.h>

#define NAME "appendBatch"
#define EVENTS_ID 1
#define HEAD_BYTES_MAX (PS_THRIFT_FRAME_BYTES + PS_THRIFT_MESSAGE_BYTES_MAX + sizeof NAME)
/* The round's field and value, the list's field and head, and the stop of the arguments. */
#define CALL_BYTES_MAX (2 * PS_THRIFT_FIELD_BYTES_MAX + 1 + 1 + PS_THRIFT_LENGTH_BYTES_MAX + 1)

/* ---- calls ---- */

static size_t put_head(uint8_t *to, bool compact, uint32_t number, size_t length)
{
    const struct ps_thrift_message message = {
        .type = PS_THRIFT_CALL, .number = number, .name = {NAME, sizeof NAME - 1}};
    struct ps_thrift_writer out = {.at = to + PS_THRIFT_FRAME_BYTES, .compact = compact};
    ps_thrift_put_message(&out, &message);
    size_t head = (size_t)(out.at - to);
    ps_big_endian_put_32(to, (uint32_t)(head - PS_THRIFT_FRAME_BYTES + length));
    return head;
}

static size_t put_call(uint8_t *to, bool compact, uint32_t count, unsigned round)
{
    struct ps_thrift_writer out = {.at = to, .compact = compact};
    if (round > 0) {
        ps_thrift_put_field(&out, PS_THRIFT_BYTE, PS_THRIFT_ROUND_ID, 0);
        ps_thrift_put_byte(&out, (uint8_t)round);
    }
    ps_thrift_put_field(&out, PS_THRIFT_LIST, EVENTS_ID, round > 0 ? PS_THRIFT_ROUND_ID : 0);
    ps_thrift_put_list(&out, PS_THRIFT_STRUCT, count);
    return (size_t)(out.at - to);
}

static size_t put_event(uint8_t *to, bool compact, const struct ps_batch *batch, const struct ps_event *event)
{
    struct ps_thrift_writer out = {.at = to, .compact = compact};
    ps_thrift_event_put(&out, batch, event);
    return (size_t)(out.at - to);
}

static size_t put_end(uint8_t *to)
{
    to[0] = PS_THRIFT_STOP;
    return 1;
}

/* ---- answers ---- */

/* Copies an untrusted text for a message, without control characters. */
static void set_error(struct ps_rpc_answer *answer, const struct ps_slice *text)
{
    (void)ps_printable_copy(answer->error, sizeof answer->error, text->data, text->length);
}

static void read_exception(struct ps_thrift_reader *in, struct ps_rpc_answer *answer)
{
    struct ps_thrift_field field = {.id = 0};
    answer->failed = true;
    set_error(answer, &(struct ps_slice){"without a reason", 16});
    while (ps_thrift_read_field(in, &field)) {
        if (field.id == 1 && field.type == PS_THRIFT_STRING) {
            const struct ps_slice text = ps_thrift_read_text(in);
            set_error(answer, &text);
        } else {
            ps_thrift_skip(in, field.type);
        }
    }
}

/* Returns whether the answer has a result. */
static bool read_result(struct ps_thrift_reader *in, struct ps_rpc_answer *answer)
{
    struct ps_thrift_field field = {.id = 0};
    bool result = false;
    while (ps_thrift_read_field(in, &field)) {
        if (field.id == 0 && field.type == PS_THRIFT_I32) {
            int32_t status = ps_thrift_read_i32(in);
            answer->status = status == 0 ? PS_RPC_OK : status == 1 ? PS_RPC_FAILED : PS_RPC_UNKNOWN;
            result = true;
        } else if (field.id == PS_THRIFT_ROUND_ID && field.type == PS_THRIFT_BYTE) {
            (void)ps_thrift_read_byte(in);
            answer->penstock = true;
        } else {
            ps_thrift_skip(in, field.type);
        }
    }
    return result;
}

static enum ps_rpc_arrival read_answer(const uint8_t *data, size_t length, bool, uint8_t *,
                                       struct ps_rpc_answer *answer, size_t *taken)
{
    struct ps_thrift_message message;
    uint32_t message_length;
    bool whole = true;
    *answer = (struct ps_rpc_answer){.number = 0};
    switch (ps_thrift_frame_measure(data, length, PS_RPC_ANSWER_BYTES_MAX, &message_length)) {
    case PS_THRIFT_PARTIAL:
        return PS_RPC_MORE;
    case PS_THRIFT_GARBAGE:
        return PS_RPC_NONSENSE;
    case PS_THRIFT_WHOLE:
        break;
    }
    struct ps_thrift_reader in = {.at = data + PS_THRIFT_FRAME_BYTES};
    in.end = in.at + message_length;
    *taken = PS_THRIFT_FRAME_BYTES + message_length;
    if (!ps_thrift_read_message(&in, &message))
        return PS_RPC_NONSENSE;
    answer->number = message.number;
    if (message.type == PS_THRIFT_EXCEPTION)
        read_exception(&in, answer);
    else
        whole = message.type == PS_THRIFT_REPLY && read_result(&in, answer);
    return whole && !in.bad ? PS_RPC_ANSWER : PS_RPC_NONSENSE;
}

/* ---- the two encodings ---- */

static size_t put_compact_head(uint8_t *to, uint32_t number, bool, size_t length)
{
    return put_head(to, true, number, length);
}

static size_t put_binary_head(uint8_t *to, uint32_t number, bool, size_t length)
{
    return put_head(to, false, number, length);
}

static size_t put_compact_call(uint8_t *to, uint32_t count, unsigned round)
{
    return put_call(to, true, count, round);
}

static size_t put_binary_call(uint8_t *to, uint32_t count, unsigned round)
{
    return put_call(to, false, count, round);
}

static size_t put_compact_event(uint8_t *to, const struct ps_batch *batch, const struct ps_event *event)
{
    return put_event(to, true, batch, event);
}

static size_t put_binary_event(uint8_t *to, const struct ps_batch *batch, const struct ps_event *event)
{
    return put_event(to, false, batch, event);
}

const struct ps_rpc_protocol ps_thrift_rpc_compact = {
    .name = "thrift",
    .head_bytes_max = HEAD_BYTES_MAX,
    .put_head = put_compact_head,
    .read_answer = read_answer,
    .call_bytes_max = CALL_BYTES_MAX,
    .put_call = put_compact_call,
    .event_bound = ps_thrift_event_bound,
    .put_event = put_compact_event,
    .put_end = put_end,
    .asks = true,
};

const struct ps_rpc_protocol ps_thrift_rpc_binary = {
    .name = "thrift",
    .head_bytes_max = HEAD_BYTES_MAX,
    .put_head = put_binary_head,
    .read_answer = read_answer,
    .call_bytes_max = CALL_BYTES_MAX,
    .put_call = put_binary_call,
    .event_bound = ps_thrift_event_bound,
    .put_event = put_binary_event,
    .put_end = put_end,
    .asks = true,
};
