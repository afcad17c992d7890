/* Messages of format 1 (KIP-32), which brokers before Kafka 0.11 take and give: they become batches of the log, and batches become messages, as later
 * brokers do it for old clients. A compressed message has others in its value, with offsets from 0 on (KIP-31). */
#include <string.h>
#include <zlib.h>

#include "tests/world/peers/kafka/cluster.h"

#define BYTES ((size_t)1 << 20)
#define HEAD_BYTES 12 /* offset, length */
#define CODEC_BITS 7
#define SUM_BYTES 4

/* ---- from clients ---- */

struct taking {
    struct kafka_out batch;
    int32_t count;
    int64_t first_ms;
    int codec;
};

/* Takes the messages one after the other, and those inside of them. Returns false if they are damaged. */
static bool take_messages(struct taking *taking, struct kafka_in in, bool is_inside)
{
    for (int64_t expected = 0; in.at < in.end; expected++) {
        int64_t offset = kafka_get(&in, 8), length = kafka_get(&in, 4);
        struct kafka_in one = {.at = in.at, .end = in.at + length};
        if (kafka_get_bytes(&in, length) == NULL || length < SUM_BYTES || (is_inside && offset != expected))
            return false;
        uint32_t sum = (uint32_t)kafka_get(&one, SUM_BYTES);
        if ((uint32_t)crc32(0, one.at, (uInt)(one.end - one.at)) != sum || kafka_get(&one, 1) != 1)
            return false;
        int codec = (int)kafka_get(&one, 1) & CODEC_BITS;
        int64_t ms = kafka_get(&one, 8), key_length = kafka_get(&one, 4);
        const unsigned char *key = key_length < 0 ? NULL : kafka_get_bytes(&one, key_length);
        int64_t value_length = kafka_get(&one, 4);
        const unsigned char *value = value_length < 0 ? NULL : kafka_get_bytes(&one, value_length);
        if (one.bad || value == NULL || one.at != one.end || (is_inside && codec != 0))
            return false;
        if (codec != 0) {
            static unsigned char inside[BYTES];
            size_t got;
            const unsigned char *bytes = kafka_decompress(codec, value, (size_t)value_length, &got);
            taking->codec = codec;
            if (bytes == NULL || got > BYTES)
                return false;
            memcpy(inside, bytes, got);
            if (!take_messages(taking, (struct kafka_in){.at = inside, .end = inside + got}, true))
                return false;
            continue;
        }
        taking->first_ms = taking->count == 0 ? ms : taking->first_ms;
        kafka_batch_add(&taking->batch, taking->count++, ms - taking->first_ms, (const char *)key, key_length,
                        (const char *)value, (size_t)value_length);
    }
    return !in.bad;
}

int kafka_append_messages(struct kafka_topic *topic, int32_t number, const unsigned char *bytes,
                          int64_t length, int64_t *offset)
{
    static unsigned char room[BYTES];
    struct taking taking = {.batch = {.bytes = room, .room = sizeof room}};
    kafka_batch_begin(&taking.batch);
    if (!take_messages(&taking, (struct kafka_in){.at = bytes, .end = bytes + length}, false) ||
        taking.count == 0)
        return KAFKA_CORRUPT_MESSAGE;
    kafka_batch_end(&taking.batch, taking.count, taking.codec, taking.first_ms);
    return kafka_append(topic, number, room, (int64_t)taking.batch.length, offset);
}

/* ---- to clients ---- */

static void put_message(struct kafka_out *out, int64_t offset, int codec, int64_t ms, const char *key,
                        int64_t key_length, const void *value, size_t value_length)
{
    size_t begin = out->length;
    kafka_put(out, offset, 8);
    kafka_put(out, 0, 4);
    kafka_put(out, 0, SUM_BYTES);
    kafka_put(out, 1, 1);
    kafka_put(out, codec, 1);
    kafka_put(out, ms, 8);
    kafka_put(out, key_length, 4);
    if (key_length > 0)
        kafka_put_bytes(out, key, (size_t)key_length);
    kafka_put(out, (int64_t)value_length, 4);
    kafka_put_bytes(out, value, value_length);
    size_t sum_at = begin + HEAD_BYTES, from = sum_at + SUM_BYTES;
    kafka_patch(out, begin + 8, (int64_t)(out->length - sum_at), 4);
    kafka_patch(out, sum_at, (int64_t)crc32(0, out->bytes + from, (uInt)(out->length - from)), 4);
}

struct giving {
    struct kafka_out *out;
    int64_t offset, from, last_ms;
};

static void give(void *argument, const struct kafka_record *record)
{
    struct giving *giving = argument;
    if (giving->offset++ < giving->from)
        return;
    put_message(giving->out, giving->offset - 1, 0, record->time_ms, record->key,
                record->key == NULL ? -1 : (int64_t)record->key_length, record->value, record->value_length);
    giving->last_ms = record->time_ms;
}

void kafka_put_messages(struct kafka_out *out, const struct kafka_batch *batch, int64_t from)
{
    static unsigned char room[BYTES];
    int codec = kafka_batch_codec(batch);
    struct kafka_out inside = {.bytes = room, .room = sizeof room};
    struct giving giving = {.out = codec == 0 ? out : &inside,
                            .offset = codec == 0 ? batch->base : 0,
                            .from = codec == 0 ? from : 0};
    kafka_batch_records(batch, give, &giving);
    if (codec == 0)
        return;
    size_t length;
    const unsigned char *bytes = kafka_compress(codec, room, inside.length, &length);
    put_message(out, batch->last, codec, giving.last_ms, NULL, -1, bytes, length);
}
