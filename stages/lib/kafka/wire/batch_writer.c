#include "stages/lib/kafka/wire/batch_writer.h"

#include <stdlib.h>
#include <zlib.h>

#include "core/crc32c.h"
#include "stages/lib/least.h"
#include "stages/lib/kafka/wire/record_batch.h"
#include "stages/lib/kafka/wire/wire.h"

/* With many partitions most batches have few records. */
#define FIRST_BYTES 512U
#define FIRST_TOKENS 8U
#define CRC_AT 17U      /* offset of the checksum */
#define CRC_FROM_AT 21U /* offset of the first byte that the checksum covers */
#define LENGTH_FROM_AT                                                                                       \
    12U /* the length of a batch, or message, counts from here: a message's checksum is there */
#define ATTRIBUTE_TRANSACTIONAL 0x10
/* of a message: offset, length, checksum, magic, attributes, time, lengths of key and value */
#define MESSAGE_HEAD_BYTES 34U
#define MESSAGE_MAGIC 1
#define MAGIC_AT 16U /* of a batch, or message */

struct ps_kafka_native_batch *ps_kafka_native_batch_make(void)
{
    struct ps_kafka_native_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return NULL;
    batch->bytes = malloc(FIRST_BYTES);
    batch->tokens = calloc(FIRST_TOKENS, sizeof *batch->tokens);
    if (batch->bytes == NULL || batch->tokens == NULL) {
        ps_kafka_native_batch_free(batch);
        return NULL;
    }
    batch->room = FIRST_BYTES;
    batch->tokens_room = FIRST_TOKENS;
    ps_kafka_native_batch_reset(batch, NULL);
    return batch;
}

void ps_kafka_native_batch_free(struct ps_kafka_native_batch *batch)
{
    free(batch->bytes);
    free(batch->tokens);
    free(batch);
}

void ps_kafka_native_batch_reset(struct ps_kafka_native_batch *batch,
                                 struct ps_kafka_native_partition *partition)
{
    batch->next = NULL;
    batch->partition = partition;
    batch->length = PS_KAFKA_BATCH_HEAD_BYTES;
    batch->count = 0;
    batch->payload_bytes = 0;
    batch->plain_length = 0;
    batch->compression = PS_KAFKA_COMPRESSION_NONE;
    batch->base_sequence = -1;
    batch->sent_ns = 0;
    batch->closed = batch->perhaps_written = false;
}

/* ---- adding ---- */

/* The length of one record, without and with the record's length field. */
struct size {
    uint64_t body, all;
};

static inline uint64_t headers_bytes(const struct ps_kafka_record *record)
{
    uint64_t bytes = ps_wire_varint_bytes(record->header_count);
    for (uint32_t i = 0; i < record->header_count; i++) {
        const struct ps_kafka_header *header = &record->headers[i];
        size_t name_length = strlen(header->name);
        bytes += ps_wire_varint_bytes((int64_t)name_length) + name_length +
                 ps_wire_varint_bytes(header->value_length) + header->value_length;
    }
    return bytes;
}

static inline struct size size_of(const struct ps_kafka_record *record, int64_t delta_ms, uint32_t offset)
{
    struct size size;
    size.body =
        1 + ps_wire_varint_bytes(delta_ms) + ps_wire_varint_bytes(offset) +
        (record->key != NULL ? ps_wire_varint_bytes(record->key_length) + record->key_length : 1U) +
        (record->value != NULL ? ps_wire_varint_bytes(record->value_length) + (uint64_t)record->value_length
                               : 1U) +
        headers_bytes(record);
    size.all = ps_wire_varint_bytes((int64_t)size.body) + size.body;
    return size;
}

static bool grow(struct ps_kafka_native_batch *batch, uint64_t length)
{
    uint64_t room = batch->room;
    if (length > INT32_MAX)
        return false;
    while (room < length)
        room *= 2;
    char *bytes = realloc(batch->bytes, room);
    if (bytes == NULL)
        return false;
    batch->bytes = bytes;
    batch->room = (uint32_t)room;
    return true;
}

static bool grow_tokens(struct ps_kafka_native_batch *batch)
{
    void **tokens = reallocarray(batch->tokens, batch->tokens_room * 2U, sizeof *tokens);
    if (tokens == NULL)
        return false;
    batch->tokens = tokens;
    batch->tokens_room *= 2;
    return true;
}

static inline char *put_headers(char *at, const struct ps_kafka_record *record)
{
    at = ps_wire_put_varint(at, record->header_count);
    for (uint32_t i = 0; i < record->header_count; i++) {
        const struct ps_kafka_header *header = &record->headers[i];
        size_t name_length = strlen(header->name);
        at = ps_wire_put_varint(at, (int64_t)name_length);
        at = ps_wire_put_bytes(at, header->name, name_length);
        at = ps_wire_put_varint(at, header->value_length);
        at = ps_wire_put_bytes(at, header->value, header->value_length);
    }
    return at;
}

/* Writes bytes after their length, a varint; NULL has the length -1. */
static inline char *put_nullable(char *at, const char *bytes, uint32_t length)
{
    at = ps_wire_put_varint(at, bytes != NULL ? (int64_t)length : -1);
    return ps_wire_put_bytes(at, bytes, bytes != NULL ? length : 0);
}

static inline char *put_record(char *at, const struct ps_kafka_record *record, uint64_t body,
                               int64_t delta_ms, uint32_t offset)
{
    at = ps_wire_put_varint(at, (int64_t)body);
    at = ps_wire_put_int8(at, 0); /* attributes */
    at = ps_wire_put_varint(at, delta_ms);
    at = ps_wire_put_varint(at, offset);
    at = put_nullable(at, record->key, record->key_length);
    at = put_nullable(at, record->value, record->value_length);
    return put_headers(at, record);
}

bool ps_kafka_native_batch_add(struct ps_kafka_native_batch *batch, const struct ps_kafka_record *record,
                               int64_t now_ms, uint32_t bytes_max, bool *no_memory)
{
    int64_t stamp_ms = record->timestamp_ms != PS_KAFKA_TIMESTAMP_NONE ? record->timestamp_ms : now_ms;
    int64_t delta_ms = batch->count > 0 ? stamp_ms - batch->first_ms : 0;
    struct size size = size_of(record, delta_ms, batch->count);
    if (batch->count > 0 && batch->length + size.all > bytes_max)
        return false;
    if ((batch->length + size.all > batch->room && !grow(batch, batch->length + size.all)) ||
        (batch->count == batch->tokens_room && !grow_tokens(batch))) {
        *no_memory = true;
        return false;
    }
    char *end = put_record(batch->bytes + batch->length, record, size.body, delta_ms, batch->count);
    PS_ASSERT(end == batch->bytes + batch->length + size.all);
    if (batch->count == 0)
        batch->first_ms = batch->last_ms = stamp_ms;
    if (stamp_ms > batch->last_ms)
        batch->last_ms = stamp_ms;
    batch->tokens[batch->count++] = record->token;
    batch->length += (uint32_t)size.all;
    batch->payload_bytes += (uint64_t)record->key_length + record->value_length;
    return true;
}

uint32_t ps_kafka_native_batch_add_values(struct ps_kafka_native_batch *batch,
                                          const struct ps_kafka_record *records, uint32_t count,
                                          int64_t now_ms, uint32_t bytes_max, uint32_t records_max,
                                          bool *no_memory)
{
    const int64_t delta_ms = batch->count > 0 ? now_ms - batch->first_ms : 0;
    const uint32_t first = batch->count;
    uint32_t length = batch->length, done = 0;
    uint64_t payload_bytes = 0;
    for (; done < count && first + done < records_max; done++) {
        /* the compiler knows that there is nothing but the value */
        const struct ps_kafka_record record = {.value = records[done].value,
                                               .value_length = records[done].value_length};
        uint32_t offset = first + done;
        struct size size = size_of(&record, delta_ms, offset);
        if (offset > 0 && length + size.all > bytes_max)
            break;
        if ((PS_UNLIKELY(length + size.all > batch->room) && !grow(batch, length + size.all)) ||
            (PS_UNLIKELY(offset == batch->tokens_room) && !grow_tokens(batch))) {
            *no_memory = true;
            break;
        }
        char *end = put_record(batch->bytes + length, &record, size.body, delta_ms, offset);
        PS_ASSERT(end == batch->bytes + length + size.all);
        batch->tokens[offset] = records[done].token;
        length += (uint32_t)size.all;
        payload_bytes += record.value_length;
    }
    if (done == 0)
        return 0;
    if (first == 0)
        batch->first_ms = batch->last_ms = now_ms;
    else if (now_ms > batch->last_ms)
        batch->last_ms = now_ms;
    batch->count = first + done;
    batch->length = length;
    batch->payload_bytes += payload_bytes;
    return done;
}

/* ---- closing ---- */

void ps_kafka_native_batch_compress(struct ps_kafka_native_batch *batch,
                                    struct ps_kafka_compressor *compressor, struct ps_byte_buffer *spare)
{
    uint32_t plain = batch->length - PS_KAFKA_BATCH_HEAD_BYTES;
    size_t most = ps_kafka_compressed_bytes_max(compressor, plain);
    spare->length = 0;
    if (most == 0 || most > INT32_MAX || !ps_byte_buffer_reserve(spare, PS_KAFKA_BATCH_HEAD_BYTES + most))
        return;
    size_t packed = ps_kafka_compress(compressor, batch->bytes + PS_KAFKA_BATCH_HEAD_BYTES, plain,
                                      spare->data + PS_KAFKA_BATCH_HEAD_BYTES);
    if (packed == 0 || packed >= plain)
        return;
    memcpy(batch->bytes + PS_KAFKA_BATCH_HEAD_BYTES, spare->data + PS_KAFKA_BATCH_HEAD_BYTES, packed);
    batch->plain_length = batch->length;
    batch->length = PS_KAFKA_BATCH_HEAD_BYTES + (uint32_t)packed;
    batch->compression = ps_kafka_compressor_codec(compressor);
}

void ps_kafka_native_batch_close(struct ps_kafka_native_batch *batch,
                                 const struct ps_kafka_native_producer_id *producer, int32_t base_sequence)
{
    char *at = batch->bytes;
    at = ps_wire_put_int64(at, 0); /* base offset: set by the broker */
    at = ps_wire_put_int32(at, (int32_t)(batch->length - LENGTH_FROM_AT));
    at = ps_wire_put_int32(at, -1); /* leader epoch: set by the broker */
    at = ps_wire_put_int8(at, 2);   /* magic */
    at += sizeof(uint32_t);
    /* attributes: the timestamps are times of creation */
    at = ps_wire_put_int16(
        at, (int16_t)(batch->compression | (producer->transactional ? ATTRIBUTE_TRANSACTIONAL : 0)));
    at = ps_wire_put_int32(at, (int32_t)batch->count - 1);
    at = ps_wire_put_int64(at, batch->first_ms);
    at = ps_wire_put_int64(at, batch->last_ms);
    at = ps_wire_put_int64(at, producer->id);
    at = ps_wire_put_int16(at, producer->epoch);
    at = ps_wire_put_int32(at, producer->id >= 0 ? base_sequence : -1);
    at = ps_wire_put_int32(at, (int32_t)batch->count);
    PS_ASSERT(at == batch->bytes + PS_KAFKA_BATCH_HEAD_BYTES);
    uint32_t checksum = ps_crc32c(0, batch->bytes + CRC_FROM_AT, batch->length - CRC_FROM_AT);
    (void)ps_wire_put_int32(batch->bytes + CRC_AT, (int32_t)checksum);
    batch->base_sequence = base_sequence;
    batch->closed = true;
}

/* ---- brokers before Kafka 0.11 ---- */

/* Writes bytes after their length, which has four bytes. */
static char *put_blob(char *at, const char *bytes, uint32_t length)
{
    at = ps_wire_put_int32(at, bytes != NULL ? (int32_t)length : -1);
    return ps_wire_put_bytes(at, bytes, length);
}

static char *put_message(char *to, int64_t offset, enum ps_kafka_compression compression,
                         const struct ps_kafka_batch_record *record)
{
    const uint32_t length = MESSAGE_HEAD_BYTES + record->key_length + record->value_length;
    char *at = ps_wire_put_int64(to, offset);
    at = ps_wire_put_int32(at, (int32_t)(length - LENGTH_FROM_AT));
    char *checksummed = at + sizeof(uint32_t);
    at = ps_wire_put_int8(checksummed, MESSAGE_MAGIC);
    at = ps_wire_put_int8(at, (int8_t)compression); /* attributes: the timestamp is the time of creation */
    at = ps_wire_put_int64(at, record->timestamp_ms);
    at = put_blob(at, record->key, record->key_length);
    at = put_blob(at, record->value, record->value_length);
    uLong checksum = crc32_z(0, (const unsigned char *)checksummed, (size_t)(at - checksummed));
    (void)ps_wire_put_int32(to + LENGTH_FROM_AT, (int32_t)checksum);
    return at;
}

/* Writes each record as a message. Returns the end. */
static char *put_messages(char *at, const struct ps_kafka_native_batch *batch)
{
    const struct ps_kafka_batch records = {.magic = 2,
                                           .last_offset = batch->count - 1,
                                           .first_ms = batch->first_ms,
                                           .max_ms = batch->last_ms,
                                           .count = batch->count};
    struct ps_kafka_batch_cursor cursor;
    struct ps_kafka_batch_record record;
    ps_kafka_batch_begin(&cursor, &records, batch->bytes + PS_KAFKA_BATCH_HEAD_BYTES,
                         batch->length - PS_KAFKA_BATCH_HEAD_BYTES);
    for (uint32_t i = 0; i < batch->count; i++) {
        bool whole = ps_kafka_batch_next(&cursor, &record);
        PS_ASSERT(whole);
        at = put_message(at, i, PS_KAFKA_COMPRESSION_NONE, &record);
    }
    return at;
}

bool ps_kafka_native_batch_close_as_messages(struct ps_kafka_native_batch *batch,
                                             struct ps_kafka_compressor *compressor,
                                             struct ps_byte_buffer *spare)
{
    const uint64_t most = batch->length + MESSAGE_HEAD_BYTES * (uint64_t)batch->count;
    const size_t packed_max = compressor != NULL ? ps_kafka_compressed_bytes_max(compressor, most) : 0;
    spare->length = 0;
    if ((most > batch->room && !grow(batch, most)) || !ps_byte_buffer_reserve(spare, most + packed_max))
        return false;
    char *packed = put_messages(spare->data, batch);
    size_t length = (size_t)(packed - spare->data);
    size_t packed_length = packed_max > 0 ? ps_kafka_compress(compressor, spare->data, length, packed) : 0;
    batch->plain_length = batch->length;
    if (packed_length > 0 && packed_length + MESSAGE_HEAD_BYTES < length) {
        batch->compression = ps_kafka_compressor_codec(compressor);
        const struct ps_kafka_batch_record all = {
            .timestamp_ms = batch->last_ms, .value = packed, .value_length = (uint32_t)packed_length};
        length =
            (size_t)(put_message(batch->bytes, batch->count - 1, batch->compression, &all) - batch->bytes);
    } else {
        memcpy(batch->bytes, spare->data, length);
    }
    batch->length = (uint32_t)length;
    batch->closed = true;
    return true;
}

bool ps_kafka_native_batch_has_messages(const struct ps_kafka_native_batch *batch)
{
    return batch->bytes[MAGIC_AT] == MESSAGE_MAGIC;
}
