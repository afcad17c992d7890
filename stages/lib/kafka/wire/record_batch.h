/* Record batches as a broker sends them (Kafka's documentation, "Record Batch", magic 2; KIP-98), and messages of the formats
 * before Kafka 0.11 (magic 0 and 1; KIP-32): each of these counts as a batch, of one record, or of the records in its value if
 * that is compressed. The bytes are not trusted: every read is bounded. Pure functions; any thread. */
#pragma once

#include "core/base.h"
#include "stages/lib/kafka/wire/compression.h"

#define PS_KAFKA_BATCH_HEAD_BYTES 61U

/* The head of a batch, and where its records are. */
struct ps_kafka_batch {
    uint8_t magic; /* the format: 0 to 2 */
    int64_t base_offset,
        last_offset;      /* base_offset: 0 for a compressed message, whose first offset is not known */
    int32_t leader_epoch; /* epoch of the leader that wrote the batch; -1: not known */
    const char *bytes;    /* the whole batch */
    uint32_t length;      /* bytes of the whole batch */
    enum ps_kafka_compression compression;
    bool append_time; /* all records have the broker's time, `max_ms` */
    bool transactional, control;
    int64_t first_ms, max_ms; /* -1: none */
    int64_t producer_id;
    uint32_t count;
    const char *records;
    uint32_t records_length;
};

enum ps_kafka_batch_outcome {
    PS_KAFKA_BATCH_WHOLE,
    PS_KAFKA_BATCH_PART,    /* the end is missing, as usual for the last batch of an answer */
    PS_KAFKA_BATCH_UNKNOWN, /* a later format */
    PS_KAFKA_BATCH_WRONG,   /* its head contradicts itself */
};

/* Reads the head of the batch at `at`. Sets the fields only for WHOLE; for PART sets only `length` (0: not
 * known). */
enum ps_kafka_batch_outcome ps_kafka_batch_read(struct ps_kafka_batch *batch, const char *at,
                                                const char *end);

/* Returns whether the checksum is right. */
bool ps_kafka_batch_is_intact(const struct ps_kafka_batch *batch);

/* A record; its bytes are in the batch, or in the decompressed records. */
struct ps_kafka_batch_record {
    int64_t offset, timestamp_ms;
    const char *key, *value; /* NULL: the record has no key or no value */
    uint32_t key_length, value_length;
    uint32_t header_count;
    const char *headers, *headers_end;
};

struct ps_kafka_batch_cursor {
    const char *at, *end;
    uint8_t magic;
    uint32_t left; /* number of records not read yet */
    int64_t base_offset, last_offset;
    int64_t first_ms, append_ms; /* append_ms: the time of all records; -1: each record has its own time */
};

/* Sets the cursor to the first record. `records`: the decompressed records. */
void ps_kafka_batch_begin(struct ps_kafka_batch_cursor *cursor, const struct ps_kafka_batch *batch,
                          const char *records, size_t length);
/* Reads the next record and moves on. Returns false if the bytes are damaged. `left` must be above 0. */
bool ps_kafka_batch_next(struct ps_kafka_batch_cursor *cursor, struct ps_kafka_batch_record *record);

/* Finds the last header of this name, as Flume's source does. `value->data` is NULL if there is no such header, or
 * its value is null. */
void ps_kafka_batch_header(const struct ps_kafka_batch_record *record, const char *name,
                           struct ps_slice *value);

/* Returns whether a control record aborts its transaction; false: it commits the transaction. */
bool ps_kafka_batch_is_abort(const struct ps_kafka_batch_record *record);
