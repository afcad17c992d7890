/* Reads Avro object container files (Avro 1.11 specification, "Object Container Files"): a header with
 * metadata, then blocks of records, each followed by the file's sync marker. Works on bytes that the caller
 * has read; copies nothing. Lengths are bounded by the bytes at hand and by the caller's limit, so a hostile
 * file cannot cause large allocations. Thread: any; no state. */
#pragma once

#include "core/base.h"

#define PS_AVRO_SYNC_BYTES 16U
#define PS_AVRO_HEADER_BYTES_MAX (16U * 1024U * 1024U) /* a longer header is refused */

enum ps_avro_container_result {
    PS_AVRO_CONTAINER_OK,
    PS_AVRO_CONTAINER_SHORT, /* more bytes are needed */
    PS_AVRO_CONTAINER_BAD,   /* the file is not a container file, or is damaged here */
};

struct ps_avro_container {
    const uint8_t *metadata; /* the map, in the caller's bytes */
    size_t metadata_length;
    uint8_t sync[PS_AVRO_SYNC_BYTES];
    size_t length; /* length of the whole header: where the first block begins */
};

/* Reads the header at the beginning of a file. */
enum ps_avro_container_result ps_avro_container_open(const uint8_t *bytes, size_t length,
                                                     struct ps_avro_container *container);

/* Finds a value of the metadata ("avro.schema", "avro.codec", the writer's own). Returns false when the key
 * is missing. */
bool ps_avro_container_meta(const struct ps_avro_container *container, const char *key,
                            struct ps_slice *value);

struct ps_avro_block {
    int64_t record_count;
    const uint8_t *data; /* compressed with the file's codec */
    size_t data_length;
    size_t length; /* length of the whole block, with its sync marker */
};

/* Reads the block at `bytes`. SHORT: block->length is how many bytes are needed at least (0: not known yet).
 * Returns BAD also for a block of more than `data_max` bytes. */
enum ps_avro_container_result ps_avro_container_block(const struct ps_avro_container *container,
                                                      const uint8_t *bytes, size_t length, size_t data_max,
                                                      struct ps_avro_block *block);

/* Returns the byte after the first sync marker in these bytes, where a block begins; NULL if they have no
 * marker. */
const uint8_t *ps_avro_container_sync(const struct ps_avro_container *container, const uint8_t *bytes,
                                      size_t length);

/* Appends the header of a file with these metadata pairs (key, value, .., NULL) to `out`. Returns its length, or 0 when `room`
 * is too small. */
size_t ps_avro_container_header_write(const char *const *pairs, const uint8_t sync[PS_AVRO_SYNC_BYTES],
                                      char *out, size_t room);
