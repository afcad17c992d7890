#include "stages/lib/kafka/wire/record_batch.h"

#include "core/crc32c.h"
#include "stages/lib/kafka/wire/wire.h"

#define LENGTH_FROM_AT 12U /* the length counts from here */
#define MAGIC_AT 16U
#define CRC_FROM_AT 21U
#define MAGIC 2
#define ATTRIBUTE_CODEC 0x07
#define ATTRIBUTE_APPEND_TIME 0x08
#define ATTRIBUTE_TRANSACTIONAL 0x10
#define ATTRIBUTE_CONTROL 0x20
#define CONTROL_ABORT 0

/* Reads the length and the magic, which have the same place in all formats. */
static enum ps_kafka_batch_outcome read_frame(struct ps_kafka_batch *batch, const char *at, const char *end)
{
    struct ps_wire_in in = {.at = at, .end = end};
    *batch = (struct ps_kafka_batch){.bytes = at};
    batch->base_offset = ps_wire_get_int64(&in);
    int32_t length = ps_wire_get_int32(&in);
    batch->leader_epoch = ps_wire_get_int32(&in); /* in old formats this field is the checksum */
    int8_t magic = ps_wire_get_int8(&in);
    if (in.failed)
        return PS_KAFKA_BATCH_PART;
    if (magic == 0 || magic == 1)
        return PS_KAFKA_BATCH_OLD;
    if (magic != MAGIC)
        return PS_KAFKA_BATCH_UNKNOWN;
    if (length < (int32_t)(PS_KAFKA_BATCH_HEAD_BYTES - LENGTH_FROM_AT) || batch->base_offset < 0)
        return PS_KAFKA_BATCH_WRONG;
    batch->length = LENGTH_FROM_AT + (uint32_t)length;
    return batch->length <= (size_t)(end - at) ? PS_KAFKA_BATCH_WHOLE : PS_KAFKA_BATCH_PART;
}

enum ps_kafka_batch_outcome ps_kafka_batch_read(struct ps_kafka_batch *batch, const char *at, const char *end)
{
    enum ps_kafka_batch_outcome outcome = read_frame(batch, at, end);
    if (outcome != PS_KAFKA_BATCH_WHOLE)
        return outcome;
    struct ps_wire_in in = {.at = at + CRC_FROM_AT, .end = at + batch->length};
    int16_t attributes = ps_wire_get_int16(&in);
    int32_t last_delta = ps_wire_get_int32(&in);
    batch->first_ms = ps_wire_get_int64(&in);
    batch->max_ms = ps_wire_get_int64(&in);
    batch->producer_id = ps_wire_get_int64(&in);
    (void)ps_wire_get_int16(&in); /* producer epoch */
    (void)ps_wire_get_int32(&in); /* sequence */
    int32_t count = ps_wire_get_int32(&in);
    unsigned codec = (unsigned)attributes & ATTRIBUTE_CODEC;
    if (in.failed || codec >= PS_KAFKA_COMPRESSIONS || last_delta < 0 || count < 0 ||
        batch->base_offset > INT64_MAX - last_delta - 1)
        return PS_KAFKA_BATCH_WRONG;
    batch->last_offset = batch->base_offset + last_delta;
    batch->compression = (enum ps_kafka_compression)codec;
    batch->append_time = (attributes & ATTRIBUTE_APPEND_TIME) != 0;
    batch->transactional = (attributes & ATTRIBUTE_TRANSACTIONAL) != 0;
    batch->control = (attributes & ATTRIBUTE_CONTROL) != 0;
    batch->count = (uint32_t)count;
    batch->records = in.at;
    batch->records_length = (uint32_t)(in.end - in.at);
    return PS_KAFKA_BATCH_WHOLE;
}

bool ps_kafka_batch_is_intact(const struct ps_kafka_batch *batch)
{
    struct ps_wire_in in = {.at = batch->bytes + MAGIC_AT + 1, .end = batch->bytes + CRC_FROM_AT};
    uint32_t crc = (uint32_t)ps_wire_get_int32(&in);
    return crc == ps_crc32c(0, batch->bytes + CRC_FROM_AT, batch->length - CRC_FROM_AT);
}

/* ---- records ---- */

void ps_kafka_batch_begin(struct ps_kafka_batch_cursor *cursor, const struct ps_kafka_batch *batch,
                          const char *records, size_t length)
{
    *cursor = (struct ps_kafka_batch_cursor){
        .at = records,
        .end = records + length,
        .left = batch->count,
        .base_offset = batch->base_offset,
        .last_offset = batch->last_offset,
        .first_ms = batch->first_ms,
        .append_ms = batch->append_time ? batch->max_ms : -1,
    };
}

static bool long_varint(const char **at, const char *end, int64_t *value)
{
    uint64_t bits = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        unsigned char byte = (unsigned char)*(*at)++;
        bits |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *value = (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
            return true;
        }
    }
    return false;
}

/* Reads a zigzag varint; most have one or two bytes. */
static inline bool get_varint(const char **at, const char *end, int64_t *value)
{
    const unsigned char *byte = (const unsigned char *)*at;
    if (PS_LIKELY(end - *at >= 2)) {
        uint32_t bits = byte[0];
        if (bits < 0x80) {
            *at += 1;
            *value = (int32_t)(bits >> 1) ^ -(int32_t)(bits & 1);
            return true;
        }
        if (byte[1] < 0x80) {
            bits = (bits & 0x7f) | (uint32_t)byte[1] << 7;
            *at += 2;
            *value = (int32_t)(bits >> 1) ^ -(int32_t)(bits & 1);
            return true;
        }
    }
    return long_varint(at, end, value);
}

/* Reads a length and so many bytes; the length -1 means null. */
static inline bool get_bytes(const char **at, const char *end, const char **bytes, uint32_t *length)
{
    int64_t value;
    if (!get_varint(at, end, &value) || value < -1 || value > end - *at)
        return false;
    *bytes = value < 0 ? NULL : *at;
    *length = value < 0 ? 0 : (uint32_t)value;
    *at += *length;
    return true;
}

static bool skip_headers(const char **at, const char *end, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *bytes;
        uint32_t length;
        if (!get_bytes(at, end, &bytes, &length) || bytes == NULL || !get_bytes(at, end, &bytes, &length))
            return false;
    }
    return true;
}

bool ps_kafka_batch_next(struct ps_kafka_batch_cursor *cursor, struct ps_kafka_batch_record *record)
{
    const char *at = cursor->at;
    int64_t length, delta_ms, delta_offset, headers;
    if (!get_varint(&at, cursor->end, &length) || length < 1 || length > cursor->end - at)
        return false;
    const char *end = at + length;
    at++; /* attributes: none are defined */
    if (!get_varint(&at, end, &delta_ms) || !get_varint(&at, end, &delta_offset) || delta_offset < 0 ||
        delta_offset > cursor->last_offset - cursor->base_offset ||
        !get_bytes(&at, end, &record->key, &record->key_length) ||
        !get_bytes(&at, end, &record->value, &record->value_length) || !get_varint(&at, end, &headers) ||
        headers < 0 || headers > end - at)
        return false;
    record->headers = at;
    record->header_count = (uint32_t)headers;
    if (headers > 0 && !skip_headers(&at, end, (uint32_t)headers))
        return false;
    record->headers_end = at;
    record->offset = cursor->base_offset + delta_offset;
    record->timestamp_ms = cursor->append_ms >= 0 ? cursor->append_ms
                           : cursor->first_ms < 0
                               ? -1
                               : (int64_t)((uint64_t)cursor->first_ms + (uint64_t)delta_ms);
    cursor->at = end;
    cursor->left--;
    return true;
}

void ps_kafka_batch_header(const struct ps_kafka_batch_record *record, const char *name,
                           struct ps_slice *value)
{
    const char *at = record->headers;
    size_t name_length = strlen(name);
    *value = (struct ps_slice){0};
    for (uint32_t i = 0; i < record->header_count; i++) {
        const char *key, *bytes;
        uint32_t key_length, length;
        if (!get_bytes(&at, record->headers_end, &key, &key_length) ||
            !get_bytes(&at, record->headers_end, &bytes, &length))
            return;
        if (key_length == name_length && memcmp(key, name, name_length) == 0)
            *value = (struct ps_slice){bytes, length};
    }
}

bool ps_kafka_batch_is_abort(const struct ps_kafka_batch_record *record)
{
    struct ps_wire_in in = {.at = record->key, .end = record->key + record->key_length};
    if (record->key == NULL)
        return false;
    (void)ps_wire_get_int16(&in); /* version */
    int16_t type = ps_wire_get_int16(&in);
    return !in.failed && type == CONTROL_ABORT;
}
