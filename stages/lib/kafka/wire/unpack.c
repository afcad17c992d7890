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
#define RATIO_MAX 1024U
#define RATIO_FALL                                                                                           \
    8U /* divisor: a batch that compresses less well lowers the expected ratio by this part of the difference */
#define SNAPPY_HEAD_BYTES 16U
#define SCRATCH_BYTES 16384U

struct ps_kafka_unpacker {
    z_stream inflate;
    bool has_inflate;
    LZ4F_dctx *lz4;
    ZSTD_DCtx *zstd;
    /* Bytes to which 16 bytes of the last batches were decompressed, by codec: the size of a block follows from this
     * number. */
    uint32_t ratio_of_16[PS_KAFKA_COMPRESSIONS];
    /* The batch for which there was no memory in the last call, and its size; NULL: none. */
    const char *waiting;
    uint64_t waiting_bytes;
    char scratch[SCRATCH_BYTES]; /* gets what does not fit the block, and is only counted */
};

/* One batch that is being decompressed. */
struct unpacking {
    struct ps_kafka_unpacker *unpacker;
    const char *in, *in_end;
    char *block; /* NULL: all bytes are only counted */
    uint64_t size, length, most;
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

/* Returns where the next bytes go, and sets *room: into the block, as long as it has room. */
static char *next_room(const struct unpacking *unpacking, size_t *room)
{
    bool fits = unpacking->length < unpacking->size;
    *room = fits ? (size_t)(unpacking->size - unpacking->length) : SCRATCH_BYTES;
    return fits ? unpacking->block + unpacking->length : unpacking->unpacker->scratch;
}

/* Counts bytes that were made. Returns false if there are too many. */
static bool add(struct unpacking *unpacking, uint64_t made)
{
    unpacking->length += made;
    return unpacking->length <= unpacking->most || fail(unpacking, PS_KAFKA_UNPACK_TOO_LARGE);
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
        size_t room;
        stream->next_out = (unsigned char *)next_room(unpacking, &room);
        stream->avail_out = (uInt)room;
        int result = inflate(stream, Z_NO_FLUSH);
        if (!add(unpacking, room - stream->avail_out))
            return false;
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
        size_t from = (size_t)(unpacking->in_end - unpacking->in), to;
        char *at = next_room(unpacking, &to);
        size_t more = LZ4F_decompress(unpacker->lz4, at, &to, unpacking->in, &from, NULL);
        if (LZ4F_isError(more))
            return fail(unpacking, PS_KAFKA_UNPACK_WRONG);
        unpacking->in += from;
        if (!add(unpacking, to))
            return false;
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
        ZSTD_outBuffer out = {.pos = 0};
        out.dst = next_room(unpacking, &out.size);
        size_t before = in.pos;
        size_t more = ZSTD_decompressStream(unpacker->zstd, &out, &in);
        if (ZSTD_isError(more))
            return fail(unpacking, PS_KAFKA_UNPACK_WRONG);
        if (!add(unpacking, out.pos))
            return false;
        if (more == 0 && in.pos == in.size)
            return true;
        if (in.pos == before && out.pos == 0)
            return fail(unpacking, PS_KAFKA_UNPACK_WRONG); /* its end is missing */
    }
}

/* A block that does not fit is only counted, and so are those after it. */
static bool unpack_snappy_block(struct unpacking *unpacking, const char *in, size_t in_length)
{
    size_t length;
    if (snappy_uncompressed_length(in, in_length, &length) != SNAPPY_OK)
        return fail(unpacking, PS_KAFKA_UNPACK_WRONG);
    bool fits = unpacking->length + length <= unpacking->size;
    if (fits && snappy_uncompress(in, in_length, unpacking->block + unpacking->length, &length) != SNAPPY_OK)
        return fail(unpacking, PS_KAFKA_UNPACK_WRONG);
    return add(unpacking, length);
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

/* Decompresses the batch into the block, and counts its bytes. `block` NULL: only counts them. */
static enum ps_kafka_unpack unpack_into(struct unpacking *unpacking, struct ps_block *block,
                                        enum ps_kafka_compression codec)
{
    struct unpacking pass = *unpacking;
    pass.length = 0;
    pass.block = block != NULL ? block->base : NULL;
    pass.size = block != NULL ? block->size : 0;
    bool good = unpack(&pass, codec);
    unpacking->length = pass.length;
    return good ? PS_KAFKA_UNPACKED : pass.failure;
}

static struct ps_block *take(struct ps_block_cache *blocks, uint64_t size)
{
    return size > PS_BLOCK_BYTES ? ps_block_take_oversize(blocks, (uint32_t)size) : ps_block_take(blocks);
}

static uint64_t expected_bytes(const struct ps_kafka_unpacker *unpacker, enum ps_kafka_compression codec,
                               uint64_t length, uint64_t budget)
{
    uint64_t expected = length * unpacker->ratio_of_16[codec] / 16;
    expected += expected / 8; /* a bit more, so that the batch seldom has to be decompressed once more */
    return ps_least(expected, budget / 4);
}

static void note_ratio(struct ps_kafka_unpacker *unpacker, enum ps_kafka_compression codec, uint64_t length,
                       uint64_t unpacked)
{
    uint32_t *ratio = &unpacker->ratio_of_16[codec];
    uint32_t last = (uint32_t)ps_least(unpacked * 16 / (length + 1) + 1, 16U * RATIO_MAX);
    *ratio = last >= *ratio ? last : *ratio - (*ratio - last) / RATIO_FALL;
}

/* A batch that does not fit the block that was expected to be large enough is counted to its end, and decompressed once more
 * into a block of its size: a block that grew would need memory for two. Without memory for that block, the next call
 * begins with it. */
enum ps_kafka_unpack ps_kafka_unpack(struct ps_kafka_unpacker *unpacker, struct ps_block_cache *blocks,
                                     enum ps_kafka_compression codec, const char *data, uint32_t data_length,
                                     struct ps_block **block, uint32_t *length)
{
    uint64_t budget = ps_depot_budget_bytes(blocks->depot);
    struct unpacking unpacking = {
        .unpacker = unpacker,
        .in = data,
        .in_end = data + data_length,
        .most = ps_least(PS_KAFKA_UNPACKED_BYTES_MAX, budget - ps_least(budget, data_length)),
    };
    bool waited = unpacker->waiting == data;
    struct ps_block *into =
        take(blocks, waited ? unpacker->waiting_bytes : expected_bytes(unpacker, codec, data_length, budget));
    if (into == NULL && waited)
        return PS_KAFKA_UNPACK_NO_MEMORY;
    unpacker->waiting = NULL;
    enum ps_kafka_unpack outcome = unpack_into(&unpacking, into, codec);
    if (outcome == PS_KAFKA_UNPACKED && (into == NULL || unpacking.length > into->size)) {
        if (into != NULL)
            ps_block_drop(blocks, into);
        unpacker->waiting_bytes = unpacking.length;
        into = take(blocks, unpacking.length);
        if (into == NULL)
            unpacker->waiting = data;
        outcome = into != NULL ? unpack_into(&unpacking, into, codec) : PS_KAFKA_UNPACK_NO_MEMORY;
    }
    if (outcome == PS_KAFKA_UNPACKED) {
        note_ratio(unpacker, codec, data_length, unpacking.length);
        *block = into;
        *length = (uint32_t)unpacking.length;
    } else if (into != NULL) {
        ps_block_drop(blocks, into);
    }
    return outcome;
}
