#include "stages/lib/kafka/wire/record_batch.h"

#include "core/crc32c.h"
#include "stages/lib/kafka/wire/wire.h"

#include <zlib.h>

#define LENGTH_FROM_AT 12U /* the length counts from here */
#define MAGIC_AT 16U
#define CRC_FROM_AT 21U
#define MAGIC 2
#define MESSAGE_CRC_FROM_AT MAGIC_AT /* a message's checksum is CRC-32, and stands before the magic */
#define MESSAGE_BYTES_MIN 14U        /* checksum, magic, attributes, and the lengths of key and value */
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
    batch->leader_epoch = ps_wire_get_int32(&in); /* of a message this is the checksum */
    batch->magic = (uint8_t)ps_wire_get_int8(&in);
    if (in.failed)
        return PS_KAFKA_BATCH_PART;
    if (batch->magic > MAGIC)
        return PS_KAFKA_BATCH_UNKNOWN;
    uint32_t least = batch->magic == MAGIC ? PS_KAFKA_BATCH_HEAD_BYTES - LENGTH_FROM_AT : MESSAGE_BYTES_MIN;
    if (length < (int32_t)least || batch->base_offset < 0 || batch->base_offset == INT64_MAX)
        return PS_KAFKA_BATCH_WRONG;
    batch->length = LENGTH_FROM_AT + (uint32_t)length;
    return batch->length <= (size_t)(end - at) ? PS_KAFKA_BATCH_WHOLE : PS_KAFKA_BATCH_PART;
}

/* Reads bytes after their length, which has four bytes; NULL if they are null or missing. */
static const char *get_blob(struct ps_wire_in *in, uint32_t *length)
{
    int32_t bytes = ps_wire_get_int32(in);
    *length = bytes > 0 ? (uint32_t)bytes : 0;
    in->failed |= bytes < -1;
    return bytes < 0 ? NULL : ps_wire_take(in, *length);
}

/* Reads a message's head. The offset of a compressed message is that of the last message in its value. */
static enum ps_kafka_batch_outcome read_message(struct ps_kafka_batch *batch)
{
    struct ps_wire_in in = {.at = batch->bytes + MAGIC_AT + 1, .end = batch->bytes + batch->length};
    uint32_t key_length;
    unsigned attributes = (unsigned)ps_wire_get_int8(&in), codec = attributes & ATTRIBUTE_CODEC;
    batch->leader_epoch = -1;
    batch->producer_id = -1;
    batch->last_offset = batch->base_offset;
    batch->count = 1;
    batch->first_ms = batch->max_ms = batch->magic > 0 ? ps_wire_get_int64(&in) : -1;
    batch->append_time = batch->magic > 0 && (attributes & ATTRIBUTE_APPEND_TIME) != 0;
    batch->compression = (enum ps_kafka_compression)codec;
    if (codec == PS_KAFKA_COMPRESSION_NONE) {
        batch->records = batch->bytes;
        batch->records_length = batch->length;
        return PS_KAFKA_BATCH_WHOLE;
    }
    batch->base_offset = 0;
    (void)get_blob(&in, &key_length);
    batch->records = get_blob(&in, &batch->records_length);
    return batch->records == NULL || codec >= PS_KAFKA_COMPRESSION_ZSTD ? PS_KAFKA_BATCH_WRONG
                                                                        : PS_KAFKA_BATCH_WHOLE;
}

enum ps_kafka_batch_outcome ps_kafka_batch_read(struct ps_kafka_batch *batch, const char *at, const char *end)
{
    enum ps_kafka_batch_outcome outcome = read_frame(batch, at, end);
    if (outcome != PS_KAFKA_BATCH_WHOLE)
        return outcome;
    if (batch->magic < MAGIC)
        return read_message(batch);
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
    bool is_message = batch->magic < MAGIC;
    struct ps_wire_in in = {.at = batch->bytes + (is_message ? LENGTH_FROM_AT : MAGIC_AT + 1),
                            .end = batch->bytes + CRC_FROM_AT};
    uint32_t crc = (uint32_t)ps_wire_get_int32(&in);
    if (is_message)
        return crc == crc32(0, (const unsigned char *)batch->bytes + MESSAGE_CRC_FROM_AT,
                            batch->length - MESSAGE_CRC_FROM_AT);
    return crc == ps_crc32c(0, batch->bytes + CRC_FROM_AT, batch->length - CRC_FROM_AT);
}

/* ---- messages ---- */

/* Counts the messages of a decompressed value. In format 1 their offsets are relative; that of the last one belongs to the
 * offset of the compressed message. A message whose end is missing counts too: ps_kafka_batch_next refuses it. */
static void count_messages(struct ps_kafka_batch_cursor *cursor)
{
    struct ps_wire_in in = {.at = cursor->at, .end = cursor->end};
    int64_t last = 0;
    cursor->left = 0;
    while (in.at < in.end && !in.failed) {
        last = ps_wire_get_int64(&in);
        int32_t length = ps_wire_get_int32(&in);
        (void)ps_wire_take(&in, length >= 0 ? (size_t)length : SIZE_MAX);
        cursor->left++;
    }
    cursor->base_offset =
        cursor->magic > 0 && last >= 0 && last <= cursor->last_offset ? cursor->last_offset - last : 0;
}

static bool next_message(struct ps_kafka_batch_cursor *cursor, struct ps_kafka_batch_record *record)
{
    struct ps_wire_in in = {.at = cursor->at, .end = cursor->end};
    int64_t offset = ps_wire_get_int64(&in);
    int32_t length = ps_wire_get_int32(&in);
    const char *message = ps_wire_take(&in, length >= 0 ? (size_t)length : SIZE_MAX);
    if (message == NULL || offset < 0 || offset > cursor->last_offset - cursor->base_offset)
        return false;
    cursor->at = in.at;
    in = (struct ps_wire_in){.at = message, .end = message + length};
    (void)ps_wire_get_int32(&in); /* checksum: that of the batch covers it */
    int8_t magic = ps_wire_get_int8(&in);
    unsigned attributes = (unsigned)ps_wire_get_int8(&in);
    int64_t stamp_ms = cursor->magic > 0 ? ps_wire_get_int64(&in) : -1;
    record->offset = cursor->base_offset + offset;
    record->timestamp_ms = cursor->append_ms >= 0 ? cursor->append_ms : stamp_ms;
    record->key = get_blob(&in, &record->key_length);
    record->value = get_blob(&in, &record->value_length);
    record->header_count = 0;
    record->headers = record->headers_end = in.end;
    cursor->left--;
    return !in.failed && magic == cursor->magic && (attributes & ATTRIBUTE_CODEC) == 0;
}

/* ---- records ---- */

void ps_kafka_batch_begin(struct ps_kafka_batch_cursor *cursor, const struct ps_kafka_batch *batch,
                          const char *records, size_t length)
{
    *cursor = (struct ps_kafka_batch_cursor){
        .at = records,
        .end = records + length,
        .magic = batch->magic,
        .left = batch->count,
        .base_offset = batch->base_offset,
        .last_offset = batch->last_offset,
        .first_ms = batch->first_ms,
        .append_ms = batch->append_time ? batch->max_ms : -1,
    };
    if (batch->magic < MAGIC) {
        cursor->base_offset = 0; /* an uncompressed message's own offset is absolute */
        if (batch->compression != PS_KAFKA_COMPRESSION_NONE)
            count_messages(cursor);
    }
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
    if (PS_UNLIKELY(cursor->magic < MAGIC))
        return next_message(cursor, record);
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
