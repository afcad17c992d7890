/* See decompressor.h. */
#include "stages/lib/decompressor.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define GZIP_WINDOW_BITS (MAX_WBITS + 16)
#define GZIP_FIRST_BYTE 0x1f
#define FRAME_BEGIN_BYTES 5U /* of zstd: magic and descriptor; no block's head */
#define ZSTD_MAGIC "\x28\xb5\x2f\xfd"
#define ZSTD_MAGIC_BYTES 4U
#define BLOCK_HEAD_BYTES 3U /* of zstd */

enum ps_compression ps_compression_of(const void *beginning, size_t length)
{
    if (length >= 3 && memcmp(beginning, "\x1f\x8b\x08", 3) == 0)
        return PS_COMPRESSION_GZIP;
    if (length >= ZSTD_MAGIC_BYTES && memcmp(beginning, ZSTD_MAGIC, ZSTD_MAGIC_BYTES) == 0)
        return PS_COMPRESSION_ZSTD;
    const uint8_t *bytes = beginning; /* a skippable frame: pzstd begins with one */
    if (length >= 4 && (bytes[0] & 0xf0) == 0x50 && memcmp(bytes + 1, "\x2a\x4d\x18", 3) == 0)
        return PS_COMPRESSION_ZSTD;
    return PS_COMPRESSION_NONE;
}

static bool library_open(struct ps_decompressor *decompressor)
{
    if (decompressor->kind == PS_COMPRESSION_ZSTD)
        return (decompressor->library = ZSTD_createDCtx()) != NULL;
    z_stream *stream = calloc(1, sizeof *stream);
    if (stream != NULL && inflateInit2(stream, GZIP_WINDOW_BITS) != Z_OK) {
        free(stream);
        stream = NULL;
    }
    return (decompressor->library = stream) != NULL;
}

void ps_decompressor_fini(struct ps_decompressor *decompressor)
{
    if (decompressor->library != NULL) {
        if (decompressor->kind == PS_COMPRESSION_GZIP) {
            inflateEnd(decompressor->library);
            free(decompressor->library);
        } else {
            ZSTD_freeDCtx(decompressor->library);
        }
    }
    *decompressor = (struct ps_decompressor){.library = NULL};
}

bool ps_decompressor_begin(struct ps_decompressor *decompressor, enum ps_compression kind)
{
    if (decompressor->library != NULL && decompressor->kind != kind)
        ps_decompressor_fini(decompressor);
    decompressor->kind = kind;
    decompressor->between = true;
    decompressor->padding = false;
    decompressor->piece = FRAME_BEGIN_BYTES;
    if (decompressor->library == NULL)
        return library_open(decompressor);
    if (kind == PS_COMPRESSION_GZIP)
        return inflateReset(decompressor->library) == Z_OK;
    return !ZSTD_isError(ZSTD_DCtx_reset(decompressor->library, ZSTD_reset_session_only));
}

static enum ps_decompressed skip_zeros(const uint8_t *data, size_t length, size_t *taken)
{
    while (*taken < length && data[*taken] == 0)
        (*taken)++;
    return *taken == length ? PS_DECOMPRESSED : PS_DECOMPRESSED_DAMAGED;
}

static enum ps_decompressed run_gzip(struct ps_decompressor *decompressor, const uint8_t *data, size_t length,
                                     size_t *taken, void *to, size_t room, size_t *made)
{
    z_stream *stream = decompressor->library;
    if (decompressor->between) {
        decompressor->padding |= data[0] == 0;
        if (decompressor->padding)
            return skip_zeros(data, length, taken);
        if (data[0] != GZIP_FIRST_BYTE || inflateReset(stream) != Z_OK)
            return PS_DECOMPRESSED_DAMAGED;
    }
    uInt given = length < UINT32_MAX ? (uInt)length : UINT32_MAX;
    uInt most = room < UINT32_MAX ? (uInt)room : UINT32_MAX;
    stream->next_in = (unsigned char *)(uintptr_t)data;
    stream->avail_in = given;
    stream->next_out = to;
    stream->avail_out = most;
    int code = inflate(stream, Z_NO_FLUSH);
    *taken = given - stream->avail_in;
    *made = most - stream->avail_out;
    decompressor->between = code == Z_STREAM_END;
    if (code == Z_MEM_ERROR)
        return PS_DECOMPRESSED_MEMORY;
    return code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR ? PS_DECOMPRESSED
                                                                       : PS_DECOMPRESSED_DAMAGED;
}

static enum ps_decompressed run_zstd(struct ps_decompressor *decompressor, const uint8_t *data, size_t length,
                                     size_t *taken, void *to, size_t room, size_t *made)
{
    ZSTD_inBuffer from = {data, length < decompressor->piece ? length : decompressor->piece, 0};
    ZSTD_outBuffer out = {to, room, 0};
    size_t rest = ZSTD_decompressStream(decompressor->library, &out, &from);
    *taken = from.pos;
    *made = out.pos;
    if (ZSTD_isError(rest))
        return ZSTD_getErrorCode(rest) == ZSTD_error_memory_allocation ? PS_DECOMPRESSED_MEMORY
                                                                       : PS_DECOMPRESSED_DAMAGED;
    decompressor->between = rest == 0;
    /* The library asks for a block together with the head of the next one. It gets the block alone: with both, damage of that head
     * would also lose the block. */
    decompressor->piece = rest > BLOCK_HEAD_BYTES ? rest - BLOCK_HEAD_BYTES
                          : rest > 0              ? rest
                                                  : FRAME_BEGIN_BYTES;
    return PS_DECOMPRESSED;
}

enum ps_decompressed ps_decompressor_run(struct ps_decompressor *decompressor, const uint8_t *data,
                                         size_t length, size_t *taken, void *to, size_t room, size_t *made)
{
    *taken = *made = 0;
    if (decompressor->between && length == 0)
        return PS_DECOMPRESSED;
    return decompressor->kind == PS_COMPRESSION_GZIP
               ? run_gzip(decompressor, data, length, taken, to, room, made)
               : run_zstd(decompressor, data, length, taken, to, room, made);
}
