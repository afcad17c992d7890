/* Writes an Avro object container file (Avro 1.11 specification, "Object Container Files"), as Java's DataFileWriter: a header with
 * schema, codec and a sync marker, then blocks of records. A block ends at the sync interval, and when the owner flushes. Between two
 * blocks a file holds at most PS_BYTE_BUFFER_OWN_MAX bytes. Thread: the sink's worker. */
#pragma once

#include "stages/lib/avro/container.h"
#include "stages/lib/avro/share.h"

struct ps_avro_blocks {
    struct ps_avro_share *share;
    enum ps_avro_codec codec;
    uint64_t interval_bytes;     /* DataFileWriter.setSyncInterval */
    struct ps_byte_buffer block; /* the records of the block that is not full */
    uint64_t count;              /* number of records in `block` */
    char sync[PS_AVRO_SYNC_BYTES];
};

/* Begins a file and forgets the previous one. Returns false when `output` refused bytes. */
bool ps_avro_blocks_begin(struct ps_avro_blocks *blocks, const char *schema, size_t schema_length,
                          struct ps_output *output);

/* Makes room for a record of at most this many bytes; the caller appends it to `block`, then calls _added.
 * Returns false when there is no memory. */
static inline bool ps_avro_blocks_reserve(struct ps_avro_blocks *blocks, size_t length)
{
    return ps_byte_buffer_reserve_spare(&blocks->block, length, &blocks->share->spare);
}

/* This call and flush return false when `output` refused bytes or there is no memory. */
bool ps_avro_blocks_added(struct ps_avro_blocks *blocks, struct ps_output *output);
bool ps_avro_blocks_flush(struct ps_avro_blocks *blocks, struct ps_output *output);

/* Frees the memory of `blocks`. */
void ps_avro_blocks_fini(struct ps_avro_blocks *blocks);
