/* A record batch: the records of one partition in one request, in the format of Kafka's RecordBatch, magic 2 (Kafka's
 * documentation, "Record Batch"; KIP-98). Records are encoded when they are added, so their bytes are copied once; the
 * header with the checksum is written when the batch is closed. For a broker before Kafka 0.11 the records become messages
 * then.
 *
 * Owner and thread: the native client's worker. Buffers grow while the client warms up, and are used again. */
#pragma once

#include "stages/lib/byte_buffer.h"
#include "stages/lib/kafka/wire/record_batch.h"
#include "stages/lib/kafka/produce/seam.h"

struct ps_kafka_native_partition;

struct ps_kafka_native_batch {
    struct ps_kafka_native_batch *next;
    struct ps_kafka_native_partition *partition;
    char *bytes; /* header, then records */
    uint32_t length, room;
    /* `length` before the records were compressed, or became messages; 0: they are as they were added */
    uint32_t plain_length;
    enum ps_kafka_compression compression;
    void **tokens; /* one for each record */
    uint32_t count, tokens_room;
    uint64_t payload_bytes; /* bytes of keys and values */
    int64_t first_ms, last_ms;
    uint64_t born_ns;      /* when the batch's first record came */
    uint64_t sent_ns;      /* when the last byte of the request with it was written; 0: not yet */
    int32_t base_sequence; /* -1: none yet */
    bool closed;           /* no record may be added; the header is written */
    bool perhaps_written;  /* the batch was sent, and no answer has shown that it was not written */
};

struct ps_kafka_native_producer_id {
    int64_t id; /* -1: not idempotent */
    int16_t epoch;
    bool transactional;
};

/* Returns an empty batch, which begins small; NULL: there is no memory. */
struct ps_kafka_native_batch *ps_kafka_native_batch_make(void);
/* Returns the bytes of the batch's memory. */
static inline uint64_t ps_kafka_native_batch_memory(const struct ps_kafka_native_batch *batch)
{
    return sizeof *batch + batch->room + sizeof *batch->tokens * (uint64_t)batch->tokens_room;
}
void ps_kafka_native_batch_free(struct ps_kafka_native_batch *batch);
/* Empties the batch, and keeps its buffers. */
void ps_kafka_native_batch_reset(struct ps_kafka_native_batch *batch,
                                 struct ps_kafka_native_partition *partition);

/* Adds a record. Returns false if the batch would be longer than `bytes_max` (a batch always takes one record), or if
 * there is no memory: then sets *no_memory. */
bool ps_kafka_native_batch_add(struct ps_kafka_native_batch *batch, const struct ps_kafka_record *record,
                               int64_t now_ms, uint32_t bytes_max, bool *no_memory);

/* Returns whether the record has a value and nothing else: no key, no headers, no timestamp, no partition. */
static inline bool ps_kafka_native_is_value(const struct ps_kafka_record *record)
{
    return record->key == NULL && record->header_count == 0 && record->value != NULL &&
           record->timestamp_ms == PS_KAFKA_TIMESTAMP_NONE && record->partition == PS_KAFKA_PARTITION_ANY;
}

/* Like ps_kafka_native_batch_add, for records for which ps_kafka_native_is_value is true; stops when the batch has
 * `records_max` records. Returns the number of records that were added. */
uint32_t ps_kafka_native_batch_add_values(struct ps_kafka_native_batch *batch,
                                          const struct ps_kafka_record *records, uint32_t count,
                                          int64_t now_ms, uint32_t bytes_max, uint32_t records_max,
                                          bool *no_memory);

/* Compresses the records; no record may be added afterwards. Leaves the records as they are if compression
 * would not save bytes, or if there is no memory for it. `spare` is as large as the largest batch, and serves all batches: the
 * batch keeps its own buffer, which may be small. */
void ps_kafka_native_batch_compress(struct ps_kafka_native_batch *batch,
                                    struct ps_kafka_compressor *compressor, struct ps_byte_buffer *spare);

/* Writes the header. The batch must not be empty. */
void ps_kafka_native_batch_close(struct ps_kafka_native_batch *batch,
                                 const struct ps_kafka_native_producer_id *producer, int32_t base_sequence);

/* Makes the batch a set of messages of format 1 (KIP-32), which brokers before Kafka 0.11 take, and closes it. Headers of
 * records are left out: messages have none. `compressor` NULL: no compression. Returns false if there is no memory; then
 * the batch is as before. The batch must not be empty. */
bool ps_kafka_native_batch_close_as_messages(struct ps_kafka_native_batch *batch,
                                             struct ps_kafka_compressor *compressor,
                                             struct ps_byte_buffer *spare);
/* Returns whether the closed batch is such a set of messages. */
bool ps_kafka_native_batch_has_messages(const struct ps_kafka_native_batch *batch);
