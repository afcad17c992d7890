#include "bench/verify/far/avro.h"
#include "bench/verify/far/schema.h"

#include <stdlib.h>
#include <string.h>

#include <snappy-c.h>
#include <zlib.h>

#define SYNC_BYTES 16U
#define STEPS_PER_BYTE 16U

enum codec { CODEC_NULL, CODEC_DEFLATE, CODEC_SNAPPY };

struct bytes {
    char *data;
    size_t length, room;
};

enum got { GOT, MORE /* more bytes are needed */, BAD };

struct ps_far_avro {
    struct bytes raw; /* bytes that are not decoded yet */
    size_t needed;    /* the next attempt makes sense when `raw` has at least this length */
    struct bytes plain;
    struct ps_far_schema *schema; /* NULL: the header is not complete yet */
    enum codec codec;
    char sync[SYNC_BYTES];
    bool seeking; /* searching for the next marker after a damaged block */
    uint64_t bad_count;
    z_stream inflate;
    bool inflating;
};

struct ps_far_avro *ps_far_avro_create(void)
{
    struct ps_far_avro *avro = ps_must_alloc(1, sizeof *avro, "the Avro reader");
    return avro;
}

void ps_far_avro_destroy(struct ps_far_avro *avro)
{
    if (avro == NULL)
        return;
    if (avro->inflating)
        inflateEnd(&avro->inflate);
    ps_far_schema_destroy(avro->schema);
    free(avro->raw.data);
    free(avro->plain.data);
    free(avro);
}

static void reserve(struct bytes *bytes, size_t room)
{
    if (bytes->room >= room)
        return;
    size_t more = bytes->room == 0 ? 65536 : bytes->room;
    while (more < room)
        more *= 2;
    char *data = ps_must_realloc(bytes->data, more, "an Avro block");
    bytes->data = data;
    bytes->room = more;
}

/* ---- header ---- */

static enum got take_string(struct ps_far_data *data, const char **text, size_t *length)
{
    int64_t bytes;
    if (!ps_far_avro_long(data, &bytes))
        return MORE;
    if (bytes < 0 || bytes > PS_FAR_AVRO_HEADER_BYTES_MAX)
        return BAD;
    if (data->end - data->at < bytes)
        return MORE;
    *text = data->at;
    *length = (size_t)bytes;
    data->at += bytes;
    return GOT;
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return length == strlen(word) && memcmp(text, word, length) == 0;
}

struct header {
    const char *schema, *codec;
    size_t schema_length, codec_length;
};

static enum got take_map(struct ps_far_data *data, struct header *header)
{
    for (;;) {
        int64_t count, size;
        if (!ps_far_avro_long(data, &count))
            return MORE;
        if (count == 0)
            return GOT;
        if (count < 0 && !ps_far_avro_long(data, &size))
            return MORE;
        if (count < -(int64_t)PS_FAR_AVRO_HEADER_BYTES_MAX || count > (int64_t)PS_FAR_AVRO_HEADER_BYTES_MAX)
            return BAD;
        for (count = count < 0 ? -count : count; count > 0; count--) {
            const char *name, *value;
            size_t name_length, value_length;
            enum got got = take_string(data, &name, &name_length);
            if (got == GOT)
                got = take_string(data, &value, &value_length);
            if (got != GOT)
                return got;
            if (is_word(name, name_length, "avro.schema")) {
                header->schema = value;
                header->schema_length = value_length;
            } else if (is_word(name, name_length, "avro.codec")) {
                header->codec = value;
                header->codec_length = value_length;
            }
        }
    }
}

static enum ps_status codec_choose(struct ps_far_avro *avro, const char *name, size_t length,
                                   struct ps_err *err)
{
    if (length == 0 || is_word(name, length, "null"))
        avro->codec = CODEC_NULL;
    else if (is_word(name, length, "deflate"))
        avro->codec = CODEC_DEFLATE;
    else if (is_word(name, length, "snappy"))
        avro->codec = CODEC_SNAPPY;
    else
        return ps_err_set(err, "codec `%.*s` is not supported; null, deflate and snappy are",
                          length > 32 ? 32 : (int)length, name);
    if (avro->codec == CODEC_DEFLATE) {
        PS_ASSERT(inflateInit2(&avro->inflate, -15) == Z_OK);
        avro->inflating = true;
    }
    return PS_OK;
}

/* Returns MORE until the header is complete; BAD when it is invalid, with the cause in `err`. */
static enum got take_header(struct ps_far_avro *avro, size_t *used, struct ps_err *err)
{
    struct ps_far_data data = {.at = avro->raw.data, .end = avro->raw.data + avro->raw.length};
    struct header header = {.codec = ""};
    if (avro->raw.length < 4)
        return MORE;
    if (memcmp(data.at, PS_FAR_AVRO_MAGIC, 4) != 0) {
        ps_err_set(err, "it is not an Avro container");
        return BAD;
    }
    data.at += 4;
    enum got got = take_map(&data, &header);
    if (got == GOT && data.end - data.at < (ptrdiff_t)SYNC_BYTES)
        got = MORE;
    if (got == MORE && avro->raw.length <= PS_FAR_AVRO_HEADER_BYTES_MAX)
        return MORE;
    if (got != GOT || header.schema == NULL) {
        ps_err_set(err, "the header of the Avro container is damaged");
        return BAD;
    }
    memcpy(avro->sync, data.at, SYNC_BYTES);
    *used = (size_t)(data.at - avro->raw.data) + SYNC_BYTES;
    if (codec_choose(avro, header.codec, header.codec_length, err) != PS_OK)
        return BAD;
    avro->schema = ps_far_schema_create(header.schema, header.schema_length, err);
    return avro->schema != NULL ? GOT : BAD;
}

/* ---- blocks ---- */

static bool unpack_deflate(struct ps_far_avro *avro, const char *data, size_t length)
{
    z_stream *stream = &avro->inflate;
    struct bytes *plain = &avro->plain;
    inflateReset(stream);
    stream->next_in = (unsigned char *)(uintptr_t)data;
    stream->avail_in = (uInt)length;
    plain->length = 0;
    reserve(plain, length * 2 + 256);
    for (;;) {
        stream->next_out = (unsigned char *)plain->data + plain->length;
        stream->avail_out = (uInt)(plain->room - plain->length);
        int result = inflate(stream, Z_NO_FLUSH);
        plain->length = plain->room - stream->avail_out;
        if (result == Z_STREAM_END)
            return true;
        if (result != Z_OK || stream->avail_out > 0 || plain->room >= PS_FAR_AVRO_PLAIN_BYTES_MAX)
            return false;
        reserve(plain, plain->room * 2);
    }
}

/* Avro appends the CRC-32 of the plain bytes to snappy data, most significant byte first. */
static bool unpack_snappy(struct ps_far_avro *avro, const char *data, size_t length)
{
    struct bytes *plain = &avro->plain;
    size_t size;
    if (length < 4 || snappy_uncompressed_length(data, length - 4, &size) != SNAPPY_OK ||
        size > PS_FAR_AVRO_PLAIN_BYTES_MAX)
        return false;
    reserve(plain, size + 1);
    plain->length = plain->room;
    if (snappy_uncompress(data, length - 4, plain->data, &plain->length) != SNAPPY_OK)
        return false;
    uint32_t crc = 0;
    for (size_t i = length - 4; i < length; i++)
        crc = crc << 8 | (uint8_t)data[i];
    return crc == (uint32_t)crc32(0, (const unsigned char *)plain->data, (uInt)plain->length);
}

static bool hand_records(struct ps_far_avro *avro, const char *data, size_t length, int64_t count,
                         struct ps_far_hand *hand)
{
    if (avro->codec != CODEC_NULL) {
        if (!(avro->codec == CODEC_DEFLATE ? unpack_deflate(avro, data, length)
                                           : unpack_snappy(avro, data, length)))
            return false;
        data = avro->plain.data;
        length = avro->plain.length;
    }
    struct ps_far_data all = {
        .at = data, .end = data + length, .steps_left = (uint64_t)length * STEPS_PER_BYTE + 65536};
    for (; count > 0; count--) { /* ends also if the data have no bytes: `steps_left` limits it */
        const char *record;
        size_t record_length;
        if (!ps_far_schema_next(avro->schema, &all, &record, &record_length))
            return false;
        ps_far_hand_over(hand, record, record_length);
    }
    return count == 0 && all.at == all.end;
}

/* Reads one block at raw.data + at. MORE: avro->needed bytes from that position are required. */
static enum got take_block(struct ps_far_avro *avro, size_t at, size_t *used, struct ps_far_hand *hand)
{
    const char *start = avro->raw.data + at;
    struct ps_far_data data = {.at = start, .end = avro->raw.data + avro->raw.length};
    int64_t count, size;
    if (!ps_far_avro_long(&data, &count) || !ps_far_avro_long(&data, &size))
        return data.end - start < 20 ? MORE : BAD;
    if (count < 0 || size < 0 || size > PS_FAR_AVRO_BLOCK_BYTES_MAX)
        return BAD;
    avro->needed = (size_t)(data.at - start) + (size_t)size + SYNC_BYTES;
    if ((size_t)(data.end - start) < avro->needed)
        return MORE;
    if (memcmp(data.at + size, avro->sync, SYNC_BYTES) != 0)
        return BAD;
    *used = avro->needed;
    if (!hand_records(avro, data.at, (size_t)size, count, hand))
        avro->bad_count++; /* the next block can be read, because the marker is where it should be */
    return GOT;
}

/* Skips to the end of the next marker, after a damaged block. */
static enum got seek(struct ps_far_avro *avro, size_t at, size_t *used)
{
    size_t length = avro->raw.length - at;
    const char *start = avro->raw.data + at, *marker = memmem(start, length, avro->sync, SYNC_BYTES);
    if (marker != NULL) {
        avro->seeking = false;
        *used = (size_t)(marker - start) + SYNC_BYTES;
        return GOT;
    }
    *used = length >= SYNC_BYTES ? length - SYNC_BYTES + 1 : 0;
    return MORE;
}

enum ps_status ps_far_avro_feed(struct ps_far_avro *avro, const char *data, size_t length,
                                struct ps_far_hand *hand, struct ps_err *err)
{
    struct bytes *raw = &avro->raw;
    if (length == 0)
        return PS_OK;
    reserve(raw, raw->length + length);
    memcpy(raw->data + raw->length, data, length);
    raw->length += length;
    size_t at = 0;
    enum got got = raw->length >= avro->needed ? GOT : MORE;
    while (got == GOT) {
        size_t used = 0;
        avro->needed = 0;
        if (avro->schema == NULL)
            got = take_header(avro, &used, err);
        else if (avro->seeking)
            got = seek(avro, at, &used);
        else
            got = take_block(avro, at, &used, hand);
        if (got == BAD && avro->schema == NULL)
            return PS_FAIL;
        if (got == BAD) {
            avro->bad_count++;
            avro->seeking = true;
            avro->needed = 0;
            used = 1;
            got = GOT;
        }
        at += used;
    }
    memmove(raw->data, raw->data + at, raw->length - at);
    raw->length -= at;
    return PS_OK;
}

size_t ps_far_avro_pending(const struct ps_far_avro *avro)
{
    return avro->raw.length;
}

uint64_t ps_far_avro_bad_count(const struct ps_far_avro *avro)
{
    return avro->bad_count;
}
