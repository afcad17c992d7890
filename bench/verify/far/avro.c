#include "bench/verify/far/avro.h"
#include "stages/lib/avro/codec/codec.h"
#include "stages/lib/avro/container.h"
#include "stages/lib/avro/schema.h"

#include <stdlib.h>
#include <string.h>

/* Data without bytes of which one block may have so many: a few bytes could claim any number of them. */
#define EMPTY_MAX 65536U

struct bytes {
    char *data;
    size_t length, room;
};

struct ps_far_avro {
    struct bytes raw; /* bytes that are not decoded yet */
    size_t needed;    /* the next attempt makes sense when `raw` has at least this length */
    struct ps_avro_plain plain;
    struct ps_avro_container container; /* without the metadata, which are gone when the header is read */
    struct ps_avro_schema *schema;      /* NULL: the header is not complete yet */
    enum ps_avro_codec codec;
    struct ps_avro_unpacker unpacker;
    bool seeking; /* searching for the next marker after a damaged block */
    uint64_t bad_count;
};

static bool plain_grow(struct ps_avro_plain *plain, size_t room)
{
    plain->data = ps_must_realloc(plain->data, room, "an Avro block");
    plain->room = room;
    return true;
}

struct ps_far_avro *ps_far_avro_create(void)
{
    struct ps_far_avro *avro = ps_must_alloc(1, sizeof *avro, "the Avro reader");
    avro->plain = (struct ps_avro_plain){.length_max = PS_FAR_AVRO_PLAIN_BYTES_MAX, .grow = plain_grow};
    return avro;
}

void ps_far_avro_destroy(struct ps_far_avro *avro)
{
    if (avro == NULL)
        return;
    ps_avro_unpacker_close(&avro->unpacker);
    ps_avro_schema_destroy(avro->schema);
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
    bytes->data = ps_must_realloc(bytes->data, more, "an Avro block");
    bytes->room = more;
}

/* Returns SHORT until the header is complete; BAD when it is invalid, with the cause in `err`. */
static enum ps_avro_container_result take_header(struct ps_far_avro *avro, size_t *used, struct ps_err *err)
{
    struct ps_slice codec = {"null", 4}, schema;
    enum ps_avro_container_result result =
        ps_avro_container_open((const uint8_t *)avro->raw.data, avro->raw.length, &avro->container);
    if (result == PS_AVRO_CONTAINER_SHORT)
        return result;
    if (result == PS_AVRO_CONTAINER_BAD ||
        !ps_avro_container_meta(&avro->container, "avro.schema", &schema)) {
        ps_err_set(err, "the header of the Avro container is damaged");
        return PS_AVRO_CONTAINER_BAD;
    }
    (void)ps_avro_container_meta(&avro->container, "avro.codec", &codec);
    if (!ps_avro_codec_find(codec.data, codec.length, &avro->codec)) {
        ps_err_set(err, "codec `%.*s` is not supported; null, deflate, snappy, bzip2, xz and zstandard are",
                   codec.length > 32 ? 32 : (int)codec.length, codec.data);
        return PS_AVRO_CONTAINER_BAD;
    }
    *used = avro->container.length;
    avro->schema = ps_avro_schema_create(schema.data, schema.length, err);
    return avro->schema != NULL ? PS_AVRO_CONTAINER_OK : PS_AVRO_CONTAINER_BAD;
}

/* Hands over the records of a block. Returns false when they are not what the schema says. */
static bool hand_records(struct ps_far_avro *avro, const struct ps_avro_block *block,
                         struct ps_far_hand *hand)
{
    const uint8_t *at = block->data, *end = at + block->data_length;
    unsigned empty = 0;
    if (avro->codec != PS_AVRO_CODEC_NULL) {
        if (ps_avro_unpack(&avro->unpacker, avro->codec, block->data, block->data_length, &avro->plain) !=
            PS_AVRO_UNPACKED)
            return false;
        at = (const uint8_t *)avro->plain.data;
        end = at + avro->plain.length;
    }
    for (int64_t left = block->record_count; left > 0; left--) {
        const uint8_t *start = at;
        struct ps_slice body;
        if (!ps_avro_schema_body(avro->schema, &at, end, &body))
            return false;
        if (at == start && ++empty > EMPTY_MAX)
            return false;
        ps_far_hand_over(hand, body.data, body.length);
    }
    return at == end;
}

/* Reads one block at raw.data + at. SHORT: avro->needed bytes from that position are required. */
static enum ps_avro_container_result take_block(struct ps_far_avro *avro, size_t at, size_t *used,
                                                struct ps_far_hand *hand)
{
    struct ps_avro_block block;
    enum ps_avro_container_result result =
        ps_avro_container_block(&avro->container, (const uint8_t *)avro->raw.data + at, avro->raw.length - at,
                                PS_FAR_AVRO_BLOCK_BYTES_MAX, &block);
    avro->needed = block.length;
    if (result != PS_AVRO_CONTAINER_OK)
        return result;
    *used = block.length;
    if (!hand_records(avro, &block, hand))
        avro->bad_count++; /* the next block can be read, because the marker is where it should be */
    return PS_AVRO_CONTAINER_OK;
}

/* Skips to the end of the next marker, after a damaged block. */
static enum ps_avro_container_result seek(struct ps_far_avro *avro, size_t at, size_t *used)
{
    const uint8_t *start = (const uint8_t *)avro->raw.data + at;
    size_t length = avro->raw.length - at;
    const uint8_t *found = ps_avro_container_sync(&avro->container, start, length);
    if (found != NULL) {
        avro->seeking = false;
        *used = (size_t)(found - start);
        return PS_AVRO_CONTAINER_OK;
    }
    *used = length >= PS_AVRO_SYNC_BYTES ? length - PS_AVRO_SYNC_BYTES + 1 : 0;
    return PS_AVRO_CONTAINER_SHORT;
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
    for (bool more = raw->length >= avro->needed; more;) {
        size_t used = 0;
        avro->needed = 0;
        enum ps_avro_container_result result = avro->schema == NULL ? take_header(avro, &used, err)
                                               : avro->seeking      ? seek(avro, at, &used)
                                                                    : take_block(avro, at, &used, hand);
        if (result == PS_AVRO_CONTAINER_BAD && avro->schema == NULL)
            return PS_FAIL;
        if (result == PS_AVRO_CONTAINER_BAD) {
            avro->bad_count++;
            avro->seeking = true;
            avro->needed = 0;
            used = 1;
        }
        more = result != PS_AVRO_CONTAINER_SHORT;
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
