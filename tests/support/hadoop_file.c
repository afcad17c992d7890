/* A reader of Hadoop's codecs and SequenceFiles. See hadoop_file.h. */
#include "tests/support/hadoop_file.h"

#include <bzlib.h>
#include <lz4.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

struct grown {
    char *data;
    size_t length, room;
};

static char *grow(struct grown *grown, size_t more)
{
    while (grown->room - grown->length < more || grown->data == NULL) {
        grown->room = grown->room == 0 ? 65536 : grown->room * 2;
        grown->data = realloc(grown->data, grown->room);
        PS_ASSERT(grown->data != NULL);
    }
    return grown->data + grown->length;
}

#define STEP 65536U

static void unpack_zlib(const char *packed, size_t packed_length, struct grown *plain)
{
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)packed, .avail_in = (uInt)packed_length};
    PS_ASSERT(inflateInit2(&stream, 15 + 32) == Z_OK);
    for (;;) {
        stream.next_out = (unsigned char *)grow(plain, STEP);
        stream.avail_out = STEP;
        int result = inflate(&stream, Z_NO_FLUSH);
        PS_ASSERT(result == Z_OK || result == Z_STREAM_END);
        plain->length += STEP - stream.avail_out;
        if (result == Z_STREAM_END && stream.avail_in == 0)
            break;
        if (result == Z_STREAM_END)
            PS_ASSERT(inflateReset2(&stream, 15 + 32) == Z_OK);
        else
            PS_ASSERT(stream.avail_in > 0 || stream.avail_out == 0); /* otherwise the stream is truncated */
    }
    inflateEnd(&stream);
}

static void unpack_bzip2(const char *packed, size_t packed_length, struct grown *plain)
{
    bz_stream stream = {.next_in = (char *)(uintptr_t)packed, .avail_in = (unsigned)packed_length};
    PS_ASSERT(BZ2_bzDecompressInit(&stream, 0, 0) == BZ_OK);
    for (;;) {
        stream.next_out = grow(plain, STEP);
        stream.avail_out = STEP;
        int result = BZ2_bzDecompress(&stream);
        PS_ASSERT(result == BZ_OK || result == BZ_STREAM_END);
        plain->length += STEP - stream.avail_out;
        if (result == BZ_STREAM_END) {
            bz_stream next = {.next_in = stream.next_in, .avail_in = stream.avail_in};
            BZ2_bzDecompressEnd(&stream);
            if (next.avail_in == 0)
                return;
            stream = next;
            PS_ASSERT(BZ2_bzDecompressInit(&stream, 0, 0) == BZ_OK);
        } else {
            PS_ASSERT(stream.avail_in > 0 || stream.avail_out == 0);
        }
    }
}

static void unpack_zstandard(const char *packed, size_t packed_length, struct grown *plain)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer in = {packed, packed_length, 0};
    size_t left = 1;
    PS_ASSERT(context != NULL);
    while (in.pos < in.size || left != 0) {
        ZSTD_outBuffer out = {grow(plain, STEP), STEP, 0};
        left = ZSTD_decompressStream(context, &out, &in);
        PS_ASSERT(!ZSTD_isError(left));
        plain->length += out.pos;
        PS_ASSERT(left == 0 || in.pos < in.size || out.pos == out.size);
    }
    ZSTD_freeDCtx(context);
}

static size_t get_int(const char *at)
{
    uint32_t number;
    memcpy(&number, at, sizeof number);
    return __builtin_bswap32(number);
}

/* BlockDecompressorStream, with buffers of 256 KiB. */
static void unpack_blocks(enum ps_hadoop_codec codec, const char *packed, size_t packed_length,
                          struct grown *plain)
{
    const char *end = packed + packed_length;
    while (packed < end) {
        PS_ASSERT(end - packed >= 4);
        size_t block = get_int(packed), done = 0;
        packed += 4;
        if (block == 0) { /* Hadoop's readers end here */
            PS_ASSERT(packed == end && plain->length == 0);
            return;
        }
        while (done < block) {
            PS_ASSERT(end - packed >= 4);
            size_t length = get_int(packed), room = 262144, part;
            packed += 4;
            PS_ASSERT(length <= (size_t)(end - packed) && length <= 262144);
            char *to = grow(plain, room);
            if (codec == PS_HADOOP_CODEC_LZ4) {
                int got = LZ4_decompress_safe(packed, to, (int)length, (int)room);
                PS_ASSERT(got > 0);
                part = (size_t)got;
            } else {
                part = room;
                PS_ASSERT(snappy_uncompress(packed, length, to, &part) == SNAPPY_OK);
            }
            packed += length;
            plain->length += part;
            done += part;
        }
        PS_ASSERT(done == block);
    }
}

char *ps_test_hadoop_unpack(enum ps_hadoop_codec codec, const void *packed, size_t packed_length,
                            size_t *length)
{
    struct grown plain = {.data = NULL};
    (void)grow(&plain, 1);
    PS_ASSERT(packed_length > 0);
    if (codec == PS_HADOOP_CODEC_BZIP2)
        unpack_bzip2(packed, packed_length, &plain);
    else if (codec == PS_HADOOP_CODEC_ZSTANDARD)
        unpack_zstandard(packed, packed_length, &plain);
    else if (codec == PS_HADOOP_CODEC_LZ4 || codec == PS_HADOOP_CODEC_SNAPPY)
        unpack_blocks(codec, packed, packed_length, &plain);
    else
        unpack_zlib(packed, packed_length, &plain);
    *length = plain.length;
    return plain.data;
}

char *ps_test_hadoop_vector(const char *name, size_t *length)
{
    char path[4096];
    const char *source = getenv("PENSTOCK_SOURCE");
    (void)snprintf(path, sizeof path, "%s/tests/stages/lib/hadoop/file/data/%s",
                   source != NULL ? source : ".", name);
    struct grown bytes = {.data = NULL};
    FILE *file = fopen(path, "r");
    PS_ASSERT(file != NULL);
    bytes.length = fread(grow(&bytes, 1), 1, STEP, file);
    PS_ASSERT(bytes.length > 0 && bytes.length < STEP);
    (void)fclose(file);
    *length = bytes.length;
    return bytes.data;
}

/* ---- SequenceFile ---- */

struct cursor {
    const char *at, *end;
};

static const char *take(struct cursor *cursor, size_t length)
{
    PS_ASSERT(length <= (size_t)(cursor->end - cursor->at));
    const char *at = cursor->at;
    cursor->at += length;
    return at;
}

/* WritableUtils.readVLong of a number that is not negative. */
static size_t take_vint(struct cursor *cursor)
{
    int8_t first = (int8_t)*take(cursor, 1);
    if (first >= 0)
        return (size_t)first;
    PS_ASSERT(first < -112 && first >= -120);
    uint64_t number = 0;
    for (int i = -112 - first; i > 0; i--)
        number = number << 8 | (unsigned char)*take(cursor, 1);
    PS_ASSERT(number > 127);
    return number;
}

static char *take_text(struct cursor *cursor)
{
    size_t length = take_vint(cursor);
    char *text = strndup(take(cursor, length), length);
    PS_ASSERT(text != NULL);
    return text;
}

static void own(struct ps_test_sequence *file, void *memory)
{
    file->owned = realloc(file->owned, (file->owned_count + 1) * sizeof *file->owned);
    PS_ASSERT(file->owned != NULL);
    file->owned[file->owned_count++] = memory;
}

static void add_record(struct ps_test_sequence *file, const char *key, struct cursor value)
{
    uint64_t number;
    size_t length;
    memcpy(&number, key, sizeof number);
    if (strcmp(file->value_class, "org.apache.hadoop.io.Text") == 0)
        length = take_vint(&value);
    else
        length = get_int(take(&value, 4));
    PS_ASSERT(length == (size_t)(value.end - value.at));
    if ((file->record_count & (file->record_count + 1)) == 0 || file->records == NULL) {
        file->records = realloc(file->records, (file->record_count + 1) * 2 * sizeof *file->records);
        PS_ASSERT(file->records != NULL);
    }
    file->records[file->record_count++] =
        (struct ps_test_sequence_record){(int64_t)__builtin_bswap64(number), value.at, length};
}

static enum ps_hadoop_codec codec_of(const struct ps_test_sequence *file)
{
    enum ps_hadoop_codec codec;
    PS_ASSERT(ps_hadoop_codec_find(file->codec_class, &codec) == PS_HADOOP_CODEC_FOUND);
    PS_ASSERT(strcmp(file->codec_class, ps_hadoop_codecs[codec].class_name) == 0);
    return codec;
}

static struct cursor take_section(struct ps_test_sequence *file, struct cursor *cursor)
{
    size_t packed_length = take_vint(cursor), length;
    char *plain = ps_test_hadoop_unpack(codec_of(file), take(cursor, packed_length), packed_length, &length);
    own(file, plain);
    return (struct cursor){plain, plain + length};
}

static void take_block(struct ps_test_sequence *file, struct cursor *cursor)
{
    size_t count = take_vint(cursor);
    struct cursor key_lengths = take_section(file, cursor), keys = take_section(file, cursor);
    struct cursor lengths = take_section(file, cursor), values = take_section(file, cursor);
    PS_ASSERT(count > 0);
    for (size_t i = 0; i < count; i++) {
        PS_ASSERT(take_vint(&key_lengths) == 8);
        size_t length = take_vint(&lengths);
        const char *value = take(&values, length);
        add_record(file, take(&keys, 8), (struct cursor){value, value + length});
    }
    PS_ASSERT(key_lengths.at == key_lengths.end && keys.at == keys.end && lengths.at == lengths.end &&
              values.at == values.end);
    file->block_count++;
}

static void take_record(struct ps_test_sequence *file, struct cursor *cursor, size_t length)
{
    PS_ASSERT(get_int(take(cursor, 4)) == 8 && length > 8);
    PS_ASSERT(!file->compressed);
    const char *key = take(cursor, 8), *value = take(cursor, length - 8);
    add_record(file, key, (struct cursor){value, value + length - 8});
}

void ps_test_sequence_read(struct ps_test_sequence *file, const void *bytes, size_t length)
{
    struct cursor cursor = {bytes, (const char *)bytes + length};
    *file = (struct ps_test_sequence){.compressed = false};
    PS_ASSERT(memcmp(take(&cursor, 4), "SEQ\x06", 4) == 0);
    char *key_class = take_text(&cursor);
    PS_ASSERT(strcmp(key_class, "org.apache.hadoop.io.LongWritable") == 0);
    free(key_class);
    file->value_class = take_text(&cursor);
    file->compressed = *take(&cursor, 1);
    file->blocks = *take(&cursor, 1);
    file->codec_class = file->compressed ? take_text(&cursor) : strdup("");
    PS_ASSERT(get_int(take(&cursor, 4)) == 0); /* metadata */
    memcpy(file->sync, take(&cursor, 16), 16);
    const char *synced = bytes;
    while (cursor.at < cursor.end) {
        size_t record = get_int(take(&cursor, 4));
        if (record == UINT32_MAX) {
            if ((size_t)(cursor.at - synced) > file->sync_gap_max)
                file->sync_gap_max = (size_t)(cursor.at - synced);
            PS_ASSERT(memcmp(take(&cursor, 16), file->sync, 16) == 0);
            synced = cursor.at;
            file->sync_count++;
            if (file->blocks)
                take_block(file, &cursor);
        } else {
            PS_ASSERT(!file->blocks);
            take_record(file, &cursor, record);
        }
    }
}

void ps_test_sequence_free(struct ps_test_sequence *file)
{
    for (size_t i = 0; i < file->owned_count; i++)
        free(file->owned[i]);
    free(file->owned);
    free(file->records);
    free(file->value_class);
    free(file->codec_class);
}
