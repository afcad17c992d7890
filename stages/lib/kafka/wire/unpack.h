/* Decompresses the records of a batch into a block of the memory budget (the formats of stages/lib/kafka/wire/compression.h;
 * snappy also without Java's frame, as other clients write it). Compressed bytes come from outside: the result is bounded.
 *
 * Owner and thread: the reader's worker. */
#pragma once

#include "core/flow/block.h"
#include "stages/lib/kafka/wire/compression.h"

/* Maximum number of bytes of the decompressed records of one batch. */
#define PS_KAFKA_UNPACKED_BYTES_MAX (1U << 30)

struct ps_kafka_unpacker;

enum ps_kafka_unpack {
    PS_KAFKA_UNPACKED,
    PS_KAFKA_UNPACK_NO_MEMORY, /* there is no memory now: call again later */
    PS_KAFKA_UNPACK_WRONG,     /* the bytes are damaged */
    PS_KAFKA_UNPACK_TOO_LARGE, /* larger than this process allows */
};

/* Returns NULL if there is no memory. */
struct ps_kafka_unpacker *ps_kafka_unpacker_open(void);
void ps_kafka_unpacker_close(struct ps_kafka_unpacker *unpacker);

/* Writes the decompressed bytes, *length of them, to the beginning of a block, which the caller owns.
 * NO_MEMORY: call the function again with the same bytes, and it will need only one block of the exact size; or
 * call `forget`, if the batch is given up. */
enum ps_kafka_unpack ps_kafka_unpack(struct ps_kafka_unpacker *unpacker, struct ps_block_cache *blocks,
                                     enum ps_kafka_compression codec, const char *data, uint32_t data_length,
                                     struct ps_block **block, uint32_t *length);
void ps_kafka_unpacker_forget(struct ps_kafka_unpacker *unpacker);
