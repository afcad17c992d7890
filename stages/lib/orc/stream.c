#include "stages/lib/orc/stream.h"

#include "stages/lib/varint.h"

#include <string.h>

#define HEADER_BYTES 3U

void ps_orc_stream_open(struct ps_orc_stream *stream, struct ps_orc_compressor *compressor,
                        struct ps_orc_memory *memory)
{
    *stream =
        (struct ps_orc_stream){.compressor = compressor, .plain.memory = memory, .packed.memory = memory};
}

void ps_orc_stream_close(struct ps_orc_stream *stream)
{
    ps_orc_buffer_free(&stream->plain);
    ps_orc_buffer_free(&stream->packed);
}

static void header(uint8_t *at, size_t length, bool original)
{
    uint32_t value = (uint32_t)(length << 1 | (original ? 1 : 0));
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    at[2] = (uint8_t)(value >> 16);
}

static void end_chunk(struct ps_orc_stream *stream)
{
    size_t length = stream->plain.length;
    uint8_t *to = ps_orc_buffer_reserve(&stream->packed, HEADER_BYTES + ps_orc_compress_room(length));
    if (to == NULL)
        return;
    size_t packed = ps_orc_compress(stream->compressor, stream->plain.data, length, to + HEADER_BYTES);
    header(to, packed == 0 ? length : packed, packed == 0);
    if (packed == 0) {
        memcpy(to + HEADER_BYTES, stream->plain.data, length);
        packed = length;
    }
    ps_orc_buffer_grown(&stream->packed, HEADER_BYTES + packed);
    ps_orc_buffer_clear(&stream->plain);
}

static size_t chunk_left(const struct ps_orc_stream *stream)
{
    return stream->compressor->kind == PS_ORC_NONE ? SIZE_MAX
                                                   : stream->compressor->chunk_bytes - stream->plain.length;
}

void ps_orc_stream_write(struct ps_orc_stream *stream, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    while (length > 0 && !stream->plain.memory->failed) {
        size_t part = chunk_left(stream);
        part = length < part ? length : part;
        ps_orc_buffer_append(&stream->plain, from, part);
        from += part;
        length -= part;
        if (chunk_left(stream) == 0)
            end_chunk(stream);
    }
}

void ps_orc_stream_byte(struct ps_orc_stream *stream, uint8_t byte)
{
    ps_orc_buffer_byte(&stream->plain, byte);
    if (PS_UNLIKELY(chunk_left(stream) == 0))
        end_chunk(stream);
}

void ps_orc_stream_varint(struct ps_orc_stream *stream, uint64_t value)
{
    uint8_t bytes[PS_VARINT_BYTES_MAX];
    ps_orc_stream_write(stream, bytes, ps_varint_put(bytes, value));
}

void ps_orc_stream_position(const struct ps_orc_stream *stream, struct ps_orc_positions *positions)
{
    if (stream->compressor->kind != PS_ORC_NONE)
        ps_orc_positions_add(positions, stream->packed.length);
    ps_orc_positions_add(positions, stream->plain.length);
}

const uint8_t *ps_orc_stream_finish(struct ps_orc_stream *stream, size_t *length)
{
    const struct ps_orc_buffer *whole = &stream->plain;
    if (stream->compressor->kind != PS_ORC_NONE) {
        if (stream->plain.length > 0)
            end_chunk(stream);
        whole = &stream->packed;
    }
    *length = whole->length;
    return whole->data;
}

void ps_orc_stream_clear(struct ps_orc_stream *stream)
{
    ps_orc_buffer_clear(&stream->plain);
    ps_orc_buffer_clear(&stream->packed);
}
