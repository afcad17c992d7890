/* Compressed record batches: the records of a batch as one stream, as Java's client writes them
 * (org.apache.kafka.common.record.CompressionType; KIP-110 for zstd, KIP-390 for levels).
 *
 * Owner and thread: the native client's worker. */
#pragma once

#include "core/status.h"

/* The numbers are those of a record batch's attributes. */
enum ps_kafka_compression {
    PS_KAFKA_COMPRESSION_NONE,
    PS_KAFKA_COMPRESSION_GZIP,
    PS_KAFKA_COMPRESSION_SNAPPY,
    PS_KAFKA_COMPRESSION_LZ4,
    PS_KAFKA_COMPRESSION_ZSTD,
    PS_KAFKA_COMPRESSIONS,
};

#define PS_KAFKA_COMPRESSION_LEVEL_DEFAULT (-1)

struct ps_kafka_compressor;

/* Returns the compression of this name ("lz4"), or PS_KAFKA_COMPRESSIONS. */
enum ps_kafka_compression ps_kafka_compression_named(const char *name);

/* `level`: the codec's level; PS_KAFKA_COMPRESSION_LEVEL_DEFAULT: the default of the codec's library. Returns
 * NULL if there is no memory. */
struct ps_kafka_compressor *ps_kafka_compressor_open(enum ps_kafka_compression codec, int level);
void ps_kafka_compressor_close(struct ps_kafka_compressor *compressor);
enum ps_kafka_compression ps_kafka_compressor_codec(const struct ps_kafka_compressor *compressor);

/* Returns the maximum number of bytes to which `length` bytes can be compressed; 0: too many. */
size_t ps_kafka_compressed_bytes_max(const struct ps_kafka_compressor *compressor, size_t length);
/* Writes the compressed bytes to `out`, at most ps_kafka_compressed_bytes_max. Returns the number of bytes
 * written; 0: the library failed. */
size_t ps_kafka_compress(struct ps_kafka_compressor *compressor, const char *data, size_t length, char *out);
