#include "stages/lib/kafka/wire/record_set.h"

#include <stdlib.h>

#include "core/crc32c.h"
#include "stages/lib/least.h"
#include "stages/lib/kafka/wire/wire.h"

/* With many partitions most sets have few records. */
#define FIRST_BYTES 512U
#define FIRST_TOKENS 8U
#define CRC_AT 17U         /* offset of the checksum */
#define CRC_FROM_AT 21U    /* offset of the first byte that the checksum covers */
#define LENGTH_FROM_AT 12U /* the batch's length counts from here */
#define ATTRIBUTE_TRANSACTIONAL 0x10

struct ps_kafka_native_set *ps_kafka_native_set_make(void)
{
    struct ps_kafka_native_set *set = calloc(1, sizeof *set);
    if (set == NULL)
        return NULL;
    set->bytes = malloc(FIRST_BYTES);
    set->tokens = calloc(FIRST_TOKENS, sizeof *set->tokens);
    if (set->bytes == NULL || set->tokens == NULL) {
        ps_kafka_native_set_free(set);
        return NULL;
    }
    set->room = FIRST_BYTES;
    set->tokens_room = FIRST_TOKENS;
    ps_kafka_native_set_reset(set, NULL);
    return set;
}

void ps_kafka_native_set_free(struct ps_kafka_native_set *set)
{
    free(set->bytes);
    free(set->tokens);
    free(set);
}

void ps_kafka_native_set_reset(struct ps_kafka_native_set *set, struct ps_kafka_native_partition *partition)
{
    set->next = NULL;
    set->partition = partition;
    set->length = PS_KAFKA_NATIVE_SET_HEAD_BYTES;
    set->count = 0;
    set->payload_bytes = 0;
    set->plain_length = 0;
    set->compression = PS_KAFKA_COMPRESSION_NONE;
    set->base_sequence = -1;
    set->closed = set->perhaps_written = false;
}

/* ---- adding ---- */

/* The length of one record, without and with the record's length field. */
struct size {
    uint64_t body, all;
};

static uint64_t headers_bytes(const struct ps_kafka_record *record)
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

static struct size size_of(const struct ps_kafka_native_set *set, const struct ps_kafka_record *record,
                           int64_t delta_ms)
{
    struct size size;
    size.body =
        1 + ps_wire_varint_bytes(delta_ms) + ps_wire_varint_bytes(set->count) +
        (record->key != NULL ? ps_wire_varint_bytes(record->key_length) + record->key_length : 1U) +
        (record->value != NULL ? ps_wire_varint_bytes(record->value_length) + (uint64_t)record->value_length
                               : 1U) +
        headers_bytes(record);
    size.all = ps_wire_varint_bytes((int64_t)size.body) + size.body;
    return size;
}

static bool grow(struct ps_kafka_native_set *set, uint64_t length)
{
    uint64_t room = set->room;
    if (length > INT32_MAX)
        return false;
    while (room < length)
        room *= 2;
    char *bytes = realloc(set->bytes, room);
    if (bytes == NULL)
        return false;
    set->bytes = bytes;
    set->room = (uint32_t)room;
    return true;
}

static bool grow_tokens(struct ps_kafka_native_set *set)
{
    void **tokens = reallocarray(set->tokens, set->tokens_room * 2U, sizeof *tokens);
    if (tokens == NULL)
        return false;
    set->tokens = tokens;
    set->tokens_room *= 2;
    return true;
}

static char *put_headers(char *at, const struct ps_kafka_record *record)
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

static char *put_record(char *at, const struct ps_kafka_record *record, uint64_t body, int64_t delta_ms,
                        uint32_t offset)
{
    at = ps_wire_put_varint(at, (int64_t)body);
    at = ps_wire_put_int8(at, 0); /* attributes */
    at = ps_wire_put_varint(at, delta_ms);
    at = ps_wire_put_varint(at, offset);
    if (record->key != NULL) {
        at = ps_wire_put_varint(at, record->key_length);
        at = ps_wire_put_bytes(at, record->key, record->key_length);
    } else {
        at = ps_wire_put_varint(at, -1);
    }
    if (record->value != NULL) {
        at = ps_wire_put_varint(at, record->value_length);
        at = ps_wire_put_bytes(at, record->value, record->value_length);
    } else {
        at = ps_wire_put_varint(at, -1);
    }
    return put_headers(at, record);
}

bool ps_kafka_native_set_add(struct ps_kafka_native_set *set, const struct ps_kafka_record *record,
                             int64_t now_ms, uint32_t bytes_max, bool *no_memory)
{
    int64_t stamp_ms = record->timestamp_ms != PS_KAFKA_TIMESTAMP_NONE ? record->timestamp_ms : now_ms;
    int64_t delta_ms = set->count > 0 ? stamp_ms - set->first_ms : 0;
    struct size size = size_of(set, record, delta_ms);
    if (set->count > 0 && set->length + size.all > bytes_max)
        return false;
    if ((set->length + size.all > set->room && !grow(set, set->length + size.all)) ||
        (set->count == set->tokens_room && !grow_tokens(set))) {
        *no_memory = true;
        return false;
    }
    char *end = put_record(set->bytes + set->length, record, size.body, delta_ms, set->count);
    PS_ASSERT(end == set->bytes + set->length + size.all);
    if (set->count == 0)
        set->first_ms = set->last_ms = stamp_ms;
    if (stamp_ms > set->last_ms)
        set->last_ms = stamp_ms;
    set->tokens[set->count++] = record->token;
    set->length += (uint32_t)size.all;
    set->payload_bytes += (uint64_t)record->key_length + record->value_length;
    return true;
}

static char *put_value(char *at, const struct ps_kafka_record *record, uint64_t body, int64_t delta_ms,
                       uint32_t offset)
{
    at = ps_wire_put_varint(at, (int64_t)body);
    at = ps_wire_put_int8(at, 0); /* attributes */
    at = ps_wire_put_varint(at, delta_ms);
    at = ps_wire_put_varint(at, offset);
    at = ps_wire_put_varint(at, -1); /* no key */
    at = ps_wire_put_varint(at, record->value_length);
    at = ps_wire_put_bytes(at, record->value, record->value_length);
    return ps_wire_put_varint(at, 0); /* no headers */
}

uint32_t ps_kafka_native_set_add_values(struct ps_kafka_native_set *set,
                                        const struct ps_kafka_record *records, uint32_t count, int64_t now_ms,
                                        uint32_t bytes_max, uint32_t records_max, bool *no_memory)
{
    const int64_t delta_ms = set->count > 0 ? now_ms - set->first_ms : 0;
    const uint32_t first = set->count, fixed = 3 + ps_wire_varint_bytes(delta_ms);
    uint32_t length = set->length, done = 0;
    uint64_t payload_bytes = 0;
    for (; done < count && first + done < records_max; done++) {
        const struct ps_kafka_record *record = &records[done];
        uint32_t offset = first + done;
        uint64_t body = (uint64_t)fixed + ps_wire_varint_bytes(offset) +
                        ps_wire_varint_bytes(record->value_length) + record->value_length;
        uint64_t all = ps_wire_varint_bytes((int64_t)body) + body;
        if (offset > 0 && length + all > bytes_max)
            break;
        if ((PS_UNLIKELY(length + all > set->room) && !grow(set, length + all)) ||
            (PS_UNLIKELY(offset == set->tokens_room) && !grow_tokens(set))) {
            *no_memory = true;
            break;
        }
        char *end = put_value(set->bytes + length, record, body, delta_ms, offset);
        PS_ASSERT(end == set->bytes + length + all);
        set->tokens[offset] = record->token;
        length += (uint32_t)all;
        payload_bytes += record->value_length;
    }
    if (done == 0)
        return 0;
    if (first == 0)
        set->first_ms = set->last_ms = now_ms;
    else if (now_ms > set->last_ms)
        set->last_ms = now_ms;
    set->count = first + done;
    set->length = length;
    set->payload_bytes += payload_bytes;
    return done;
}

/* ---- closing ---- */

void ps_kafka_native_set_compress(struct ps_kafka_native_set *set, struct ps_kafka_compressor *compressor,
                                  struct ps_byte_buffer *spare)
{
    uint32_t plain = set->length - PS_KAFKA_NATIVE_SET_HEAD_BYTES;
    size_t most = ps_kafka_compressed_bytes_max(compressor, plain);
    spare->length = 0;
    if (most == 0 || most > INT32_MAX ||
        !ps_byte_buffer_reserve(spare, PS_KAFKA_NATIVE_SET_HEAD_BYTES + most))
        return;
    size_t packed = ps_kafka_compress(compressor, set->bytes + PS_KAFKA_NATIVE_SET_HEAD_BYTES, plain,
                                      spare->data + PS_KAFKA_NATIVE_SET_HEAD_BYTES);
    if (packed == 0 || packed >= plain)
        return;
    memcpy(set->bytes + PS_KAFKA_NATIVE_SET_HEAD_BYTES, spare->data + PS_KAFKA_NATIVE_SET_HEAD_BYTES, packed);
    set->plain_length = set->length;
    set->length = PS_KAFKA_NATIVE_SET_HEAD_BYTES + (uint32_t)packed;
    set->compression = ps_kafka_compressor_codec(compressor);
}

void ps_kafka_native_set_close(struct ps_kafka_native_set *set,
                               const struct ps_kafka_native_producer_id *producer, int32_t base_sequence)
{
    char *at = set->bytes;
    at = ps_wire_put_int64(at, 0); /* base offset: set by the broker */
    at = ps_wire_put_int32(at, (int32_t)(set->length - LENGTH_FROM_AT));
    at = ps_wire_put_int32(at, -1); /* leader epoch: set by the broker */
    at = ps_wire_put_int8(at, 2);   /* magic */
    at += sizeof(uint32_t);
    /* attributes: the timestamps are times of creation */
    at = ps_wire_put_int16(
        at, (int16_t)(set->compression | (producer->transactional ? ATTRIBUTE_TRANSACTIONAL : 0)));
    at = ps_wire_put_int32(at, (int32_t)set->count - 1);
    at = ps_wire_put_int64(at, set->first_ms);
    at = ps_wire_put_int64(at, set->last_ms);
    at = ps_wire_put_int64(at, producer->id);
    at = ps_wire_put_int16(at, producer->epoch);
    at = ps_wire_put_int32(at, producer->id >= 0 ? base_sequence : -1);
    at = ps_wire_put_int32(at, (int32_t)set->count);
    PS_ASSERT(at == set->bytes + PS_KAFKA_NATIVE_SET_HEAD_BYTES);
    uint32_t checksum = ps_crc32c(0, set->bytes + CRC_FROM_AT, set->length - CRC_FROM_AT);
    (void)ps_wire_put_int32(set->bytes + CRC_AT, (int32_t)checksum);
    set->base_sequence = base_sequence;
    set->closed = true;
}
