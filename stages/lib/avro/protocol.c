#include "stages/lib/avro/protocol.h"

#include "stages/lib/avro/event.h"
#include "stages/lib/avro/rpc.h"

#include <stdio.h>

_Static_assert(PS_AVRO_WIRE_BYTES_MAX <= PS_RPC_ANSWER_BYTES_MAX, "an answer fits");
_Static_assert(PS_AVRO_HEAD_BYTES <= PS_RPC_HEAD_BYTES_MAX, "a head fits");

static enum ps_rpc_arrival read_answer(const uint8_t *data, size_t length, bool first, uint8_t *scratch,
                                       struct ps_rpc_answer *answer, size_t *taken)
{
    struct ps_avro_answer read;
    enum ps_avro_reading reading = ps_avro_read_answer(data, length, first, scratch, &read, taken);
    *answer = (struct ps_rpc_answer){.number = read.serial,
                                     .no_match = read.no_match,
                                     .penstock = read.same_protocol,
                                     .failed = read.failed,
                                     .status = read.status == PS_AVRO_OK       ? PS_RPC_OK
                                               : read.status == PS_AVRO_FAILED ? PS_RPC_FAILED
                                                                               : PS_RPC_UNKNOWN};
    snprintf(answer->error, sizeof answer->error, "%s", read.error);
    return reading == PS_AVRO_MORE     ? PS_RPC_MORE
           : reading == PS_AVRO_ANSWER ? PS_RPC_ANSWER
                                       : PS_RPC_NONSENSE;
}

static size_t put_call(uint8_t *to, uint32_t count, unsigned round)
{
    size_t length = round > 0 ? ps_avro_put_round_call(to, round) : ps_avro_put_call(to);
    return count > 0 ? length + ps_avro_put_count(to + length, count) : length;
}

static size_t put_event(uint8_t *to, const struct ps_batch *batch, const struct ps_event *event)
{
    return ps_avro_event_encode(batch, event, (char *)to);
}

static size_t put_end(uint8_t *to)
{
    to[0] = 0; /* no more blocks */
    return 1;
}

const struct ps_rpc_protocol ps_avro_rpc = {
    .name = "avro",
    .head_bytes_max = PS_AVRO_HEAD_BYTES,
    .put_head = ps_avro_put_head,
    .read_answer = read_answer,
    .call_bytes_max = PS_AVRO_ROUND_CALL_BYTES + PS_AVRO_COUNT_BYTES + 1,
    .put_call = put_call,
    .event_bound = ps_avro_event_bound,
    .put_event = put_event,
    .put_end = put_end,
};
