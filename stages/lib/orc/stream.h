/* One stream of an ORC stripe, and any other part of a file that is compressed: turns bytes into compressed
 * chunks with 3-byte headers (ORC v1 specification, "Compression"). Without compression there are no chunks.
 *
 * Thread: the owner's. */
#pragma once

#include "stages/lib/orc/buffer.h"
#include "stages/lib/orc/compression.h"

#define PS_ORC_POSITIONS_MAX 10U

/* The positions of a row group in the streams of its column, as the row index has them. */
struct ps_orc_positions {
    uint64_t values[PS_ORC_POSITIONS_MAX];
    unsigned count;
};

static inline void ps_orc_positions_add(struct ps_orc_positions *positions, uint64_t value)
{
    PS_ASSERT(positions->count < PS_ORC_POSITIONS_MAX);
    positions->values[positions->count++] = value;
}

struct ps_orc_stream {
    struct ps_orc_compressor *compressor;
    struct ps_orc_buffer plain;  /* the chunk that is not full; without compression all bytes */
    struct ps_orc_buffer packed; /* chunks */
};

void ps_orc_stream_open(struct ps_orc_stream *stream, struct ps_orc_compressor *compressor,
                        struct ps_orc_memory *memory);
void ps_orc_stream_close(struct ps_orc_stream *stream);

void ps_orc_stream_write(struct ps_orc_stream *stream, const void *bytes, size_t length);
void ps_orc_stream_byte(struct ps_orc_stream *stream, uint8_t byte);
/* Appends a number in base 128, the low bits first. */
void ps_orc_stream_varint(struct ps_orc_stream *stream, uint64_t value);
/* Returns the position of the next byte. */
void ps_orc_stream_position(const struct ps_orc_stream *stream, struct ps_orc_positions *positions);

/* Ends the last chunk. Returns the `length` bytes of the stream, valid until it is cleared. */
const uint8_t *ps_orc_stream_finish(struct ps_orc_stream *stream, size_t *length);
void ps_orc_stream_clear(struct ps_orc_stream *stream);
