#include "stages/lib/kafka/wire/unpack.h"

#include "stages/lib/kafka/wire/wire.h"
#include "stages/lib/least.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define GZIP_WINDOW_BITS (15 + 16)
#define FIRST_RATIO 4U
#define SNAPPY_HEAD_BYTES 16U
#define SCRATCH_BYTES 16384U
#define MORE_BYTES 64U /* spare bytes after a batch: a codec reports its end only if room is left */

struct ps_kafka_unpacker {
    z_stream inflate;
    bool has_inflate;
    LZ4F_dctx *lz4;
    ZSTD_DCtx *zstd;
    /* Bytes to which 16 bytes of the last batch were decompressed, by codec: the size of the first block
     * follows from this number. */
    uint32_t ratio_of_16[PS_KAFKA_COMPRESSIONS];
    /* The batch for which there was no memory in the last call, and the size of the block that it needs; NULL: none. */
    const char *waiting;
    uint64_t waiting_bytes;
};

/* One batch that is being decompressed. */
struct unpacking {
    struct ps_kafka_unpacker *unpacker;
    struct ps_block_cache *blocks;
    const char *in, *in_end;
    struct ps_block *block;
    uint32_t length; /* written */
    bool measures;   /* the bytes are only counted */
    uint64_t counted, most;
    enum ps_kafka_unpack failure;
};

struct ps_kafka_unpacker *ps_kafka_unpacker_open(void)
{
    struct ps_kafka_unpacker *unpacker = calloc(1, sizeof *unpacker);
    for (unsigned i = 0; unpacker != NULL && i < PS_KAFKA_COMPRESSIONS; i++)
        unpacker->ratio_of_16[i] = 16U * FIRST_RATIO;
    return unpacker;
}

void ps_kafka_unpacker_close(struct ps_kafka_unpacker *unpacker)
{
    if (unpacker == NULL)
        return;
    if (unpacker->has_inflate)
        inflateEnd(&unpacker->inflate);
    LZ4F_freeDecompressionContext(unpacker->lz4);
    ZSTD_freeDCtx(unpacker->zstd);
    free(unpacker);
}

void ps_kafka_unpacker_forget(struct ps_kafka_unpacker *unpacker)
{
    if (unpacker != NULL)
        unpacker->waiting = NULL;
}

/* ---- where the bytes go ---- */

static bool fail(struct unpacking *unpacking, enum ps_kafka_unpack failure)
{
    unpacking->failure = failure;
    return false;
}

/* Takes a block of at least this many bytes; the bytes written before move to it. */
static bool resize(struct unpacking *unpacking, uint64_t size)
{
    struct ps_block_cache *blocks = unpacking->blocks;
    /* the doubled size may be larger than necessary: measure() finds the exact size */
    if (size > unpacking->most)
        return fail(unpacking,
                    unpacking->block != NULL ? PS_KAFKA_UNPACK_NO_MEMORY : PS_KAFKA_UNPACK_TOO_LARGE);
    struct ps_block *block =
        size > PS_BLOCK_BYTES ? ps_block_take_oversize(blocks, (uint32_t)size) : ps_block_take(blocks);
    if (block == NULL)
        return fail(unpacking, PS_KAFKA_UNPACK_NO_MEMORY);
    if (unpacking->block != NULL) {
        memcpy(block->base, unpacking->block->base, unpacking->length);
        ps_block_drop(blocks, unpacking->block);
    }
    unpacking->block = block;
    return true;
}

/* Makes room for more bytes. */
static bool ensure_room(struct unpacking *unpacking)
{
    if (unpacking->measures) {
        unpacking->counted += unpacking->length;
        unpacking->length = 0;
        return unpacking->counted <= unpacking->most || fail(unpacking, PS_KAFKA_UNPACK_TOO_LARGE);
    }
    return unpacking->length < unpacking->block->size ||
           resize(unpacking, 2 * (uint64_t)unpacking->block->size);
}

static char *out_at(const struct unpacking *unpacking)
{
    return unpacking->block->base + unpacking->length;
}

static uint32_t out_room(const struct unpacking *unpacking)
{
    return unpacking->block->size - unpacking->length;
}

/* ---- codecs ---- */

static bool unpack_gzip(struct unpacking *unpacking)
{
    struct ps_kafka_unpacker *unpacker = unpacking->unpacker;
    z_stream *stream = &unpacker->inflate;
    if (!unpacker->has_inflate && inflateInit2(stream, GZIP_WINDOW_BITS) != Z_OK)
        return fail(unpacking, PS_KAFKA_UNPACK_NO_MEMORY);
    unpacker->has_inflate = true;
    (void)inflateReset(stream);
    stream->next_in = (unsigned char *)(uintptr_t)unpacking->in;
    stream->avail_in = (uInt)(unpacking->in_end - unpacking->in);
    for (;;) {
        if (!ensure_room(unpacking))
            return false;
        uint32_t room = out_room(unpacking);
        stream->next_out = (unsigned char *)out_at(unpacking);
        stream->avail_out = room;
        int result = inflate(stream, Z_NO_FLUSH);
        unpacking->length += room - stream->avail_out;
        if (result == Z_STREAM_END && stream->avail_in == 0)
            return true;
        if (result == Z_STREAM_END) /* another gzip member follows */
            (void)inflateReset(stream);
        else if (result != Z_OK && !(result == Z_BUF_ERROR && stream->avail_out == 0))
            return fail(unpacking, PS_KAFKA_UNPACK_WRONG);
    }
}

/* Reads the frame's head. Its checksum of one byte is ignored: clients before Kafka 0.10 computed it over other bytes
 * (KAFKA-3160), and the batch has a checksum of its own. So the library is given a copy, with each checksum until it takes
 * one. */
static bool begin_lz4(struct unpacking *unpacking)
{
    LZ4F_dctx *lz4 = unpacking->unpacker->lz4;
    char head[LZ4F_HEADER_SIZE_MAX];
    size_t length = (size_t)(unpacking->in_end - unpacking->in),
           size = LZ4F_headerSize(unpacking->in, length);
    if (LZ4F_isError(size) || size > length || size > sizeof head)
        return false;
    memcpy(head, unpacking->in, size);
    for (unsigned tries = 0; tries < 256; tries++, head[size - 1]++) {
        LZ4F_frameInfo_t info;
        size_t taken = size;
        LZ4F_resetDecompressionContext(lz4);
        if (!LZ4F_isError(LZ4F_getFrameInfo(lz4, &info, head, &taken)) && taken == size) {
            unpacking->in += size;
            return true;
        }
    }
    return false;
}

static bool unpack_lz4(struct unpacking *unpacking)
{
    struct ps_kafka_unpacker *unpacker = unpacking->unpacker;
    if (unpacker->lz4 == NULL && LZ4F_isError(LZ4F_createDecompressionContext(&unpacker->lz4, LZ4F_VERSION)))
        return fail(unpacking, PS_KAFKA_UNPACK_NO_MEMORY);
    if (!begin_lz4(unpacking))
        return fail(unpacking, PS_KAFKA_UNPACK_WRONG);
    for (;;) {
        if (!ensure_room(unpacking))
            return false;
        size_t from = (size_t)(unpacking->in_end - unpacking->in), to = out_room(unpacking);
        size_t more = LZ4F_decompress(unpacker->lz4, out_at(unpacking), &to, unpacking->in, &from, NULL);
        if (LZ4F_isError(more))
            return fail(unpacking, PS_KAFKA_UNPACK_WRONG);
        unpacking->in += from;
        unpacking->length += (uint32_t)to;
        if (more == 0 && unpacking->in == unpacking->in_end)
            return true;
        if (from == 0 && to == 0)
            return fail(unpacking, PS_KAFKA_UNPACK_WRONG); /* its end is missing */
    }
}

static bool unpack_zstd(struct unpacking *unpacking)
{
    struct ps_kafka_unpacker *unpacker = unpacking->unpacker;
    if (unpacker->zstd == NULL && (unpacker->zstd = ZSTD_createDCtx()) == NULL)
        return fail(unpacking, PS_KAFKA_UNPACK_NO_MEMORY);
    (void)ZSTD_DCtx_reset(unpacker->zstd, ZSTD_reset_session_only);
    ZSTD_inBuffer in = {.src = unpacking->in, .size = (size_t)(unpacking->in_end - unpacking->in)};
    for (;;) {
        if (!ensure_room(unpacking))
            return false;
        ZSTD_outBuffer out = {.dst = out_at(unpacking), .size = out_room(unpacking)};
        size_t before = in.pos;
        size_t more = ZSTD_decompressStream(unpacker->zstd, &out, &in);
        if (ZSTD_isError(more))
            return fail(unpacking, PS_KAFKA_UNPACK_WRONG);
        unpacking->length += (uint32_t)out.pos;
        if (more == 0 && in.pos == in.size)
            return true;
        if (in.pos == before && out.pos == 0)
            return fail(unpacking, PS_KAFKA_UNPACK_WRONG); /* its end is missing */
    }
}

static bool unpack_snappy_block(struct unpacking *unpacking, const char *in, size_t in_length)
{
    size_t length;
    if (snappy_uncompressed_length(in, in_length, &length) != SNAPPY_OK || length > UINT32_MAX)
        return fail(unpacking, PS_KAFKA_UNPACK_WRONG);
    uint64_t need = (uint64_t)unpacking->length + length;
    if (unpacking->measures) {
        unpacking->counted += length;
        return unpacking->counted <= unpacking->most || fail(unpacking, PS_KAFKA_UNPACK_TOO_LARGE);
    }
    if (need > unpacking->block->size &&
        !resize(unpacking,
                need > 2 * (uint64_t)unpacking->block->size ? need : 2 * (uint64_t)unpacking->block->size))
        return false;
    if (snappy_uncompress(in, in_length, out_at(unpacking), &length) != SNAPPY_OK)
        return fail(unpacking, PS_KAFKA_UNPACK_WRONG);
    unpacking->length += (uint32_t)length;
    return true;
}

/* Decompresses Java's frame: a head, then blocks, each with its length before it. */
static bool unpack_snappy(struct unpacking *unpacking)
{
    static const char magic[8] = "\x82SNAPPY";
    size_t length = (size_t)(unpacking->in_end - unpacking->in);
    if (length < SNAPPY_HEAD_BYTES || memcmp(unpacking->in, magic, sizeof magic) != 0)
        return unpack_snappy_block(unpacking, unpacking->in, length);
    struct ps_wire_in in = {.at = unpacking->in + SNAPPY_HEAD_BYTES, .end = unpacking->in_end};
    while (in.at < in.end) {
        int32_t block = ps_wire_get_int32(&in);
        const char *at = block >= 0 ? ps_wire_take(&in, (size_t)block) : NULL;
        if (at == NULL)
            return fail(unpacking, PS_KAFKA_UNPACK_WRONG);
        if (!unpack_snappy_block(unpacking, at, (size_t)block))
            return false;
    }
    return true;
}

static bool unpack(struct unpacking *unpacking, enum ps_kafka_compression codec)
{
    switch (codec) {
    case PS_KAFKA_COMPRESSION_GZIP:
        return unpack_gzip(unpacking);
    case PS_KAFKA_COMPRESSION_SNAPPY:
        return unpack_snappy(unpacking);
    case PS_KAFKA_COMPRESSION_LZ4:
        return unpack_lz4(unpacking);
    case PS_KAFKA_COMPRESSION_ZSTD:
        return unpack_zstd(unpacking);
    case PS_KAFKA_COMPRESSION_NONE:
    case PS_KAFKA_COMPRESSIONS:
        break;
    }
    return fail(unpacking, PS_KAFKA_UNPACK_WRONG);
}

/* Counts the bytes without a block. Returns false with `failure` if they are damaged, or too many. */
static bool measure(const struct unpacking *unpacking_, enum ps_kafka_compression codec, uint64_t *length,
                    enum ps_kafka_unpack *failure)
{
    char scratch[SCRATCH_BYTES];
    struct ps_block block = {.base = scratch, .size = sizeof scratch};
    struct unpacking unpacking = *unpacking_;
    unpacking.block = &block;
    unpacking.measures = true;
    bool good = unpack(&unpacking, codec);
    *length = unpacking.counted + unpacking.length;
    *failure = unpacking.failure;
    return good;
}

/* Returns the size of the first block. */
static uint64_t first_bytes(const struct ps_kafka_unpacker *unpacker, const struct unpacking *unpacking,
                            enum ps_kafka_compression codec)
{
    uint64_t length = (uint64_t)(unpacking->in_end - unpacking->in);
    if (unpacker->waiting == unpacking->in)
        return unpacker->waiting_bytes;
    uint64_t expected = length * unpacker->ratio_of_16[codec] / 16;
    expected += expected / 8; /* a bit more than the last ratio gives, so that the block is seldom moved */
    return ps_least(expected, ps_depot_budget_bytes(unpacking->blocks->depot) / 4);
}

/* Decompresses the batch. While a block grows, memory for the old and the new one is needed. Without that
 * memory, tries again with a block of the exact size. If there is no memory for this block either, the next
 * call begins with a block of the exact size. */
static bool unpack_whole(struct unpacking *unpacking, enum ps_kafka_compression codec)
{
    struct ps_kafka_unpacker *unpacker = unpacking->unpacker;
    const struct unpacking fresh = *unpacking;
    uint64_t bytes = first_bytes(unpacker, unpacking, codec), exact;
    if (resize(unpacking, bytes) && unpack(unpacking, codec)) {
        unpacker->waiting = NULL;
        return true;
    }
    enum ps_kafka_unpack failure = unpacking->failure;
    bool began = unpacking->block != NULL;
    if (began)
        ps_block_drop(unpacking->blocks, unpacking->block);
    *unpacking = fresh;
    if (failure != PS_KAFKA_UNPACK_NO_MEMORY || unpacker->waiting == unpacking->in)
        return fail(unpacking, failure); /* there is no memory even for a block of the exact size */
    if (!measure(unpacking, codec, &exact, &failure) || exact + MORE_BYTES > unpacking->most)
        return fail(unpacking, failure != PS_KAFKA_UNPACKED ? failure : PS_KAFKA_UNPACK_TOO_LARGE);
    unpacker->waiting = unpacking->in;
    unpacker->waiting_bytes = exact + MORE_BYTES;
    return began ? unpack_whole(unpacking, codec) : fail(unpacking, PS_KAFKA_UNPACK_NO_MEMORY);
}

enum ps_kafka_unpack ps_kafka_unpack(struct ps_kafka_unpacker *unpacker, struct ps_block_cache *blocks,
                                     enum ps_kafka_compression codec, const char *data, uint32_t data_length,
                                     struct ps_block **block, uint32_t *length)
{
    uint64_t budget = ps_depot_budget_bytes(blocks->depot);
    struct unpacking unpacking = {
        .unpacker = unpacker,
        .blocks = blocks,
        .in = data,
        .in_end = data + data_length,
        .most = ps_least(PS_KAFKA_UNPACKED_BYTES_MAX, budget - ps_least(budget, data_length)),
    };
    if (unpack_whole(&unpacking, codec)) {
        unpacker->ratio_of_16[codec] =
            (uint32_t)ps_least((uint64_t)unpacking.length * 16 / (data_length + 1) + 1, 16U * 1024U);
        *block = unpacking.block;
        *length = unpacking.length;
        return PS_KAFKA_UNPACKED;
    }
    return unpacking.failure;
}
