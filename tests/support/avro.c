#include "tests/support/avro.h"

#include <snappy-c.h>
#include <zlib.h>

static const char sync_marker[17] = "0123456789abcdef";

static void append(char **data, size_t *length, size_t *room, const void *more, size_t more_length)
{
    if (*length + more_length > *room) {
        *room = 2 * (*length + more_length) + 256;
        *data = realloc(*data, *room);
        assert_non_null(*data);
    }
    if (more_length > 0)
        memcpy(*data + *length, more, more_length);
    *length += more_length;
}

static size_t encode(char out[10], int64_t number)
{
    uint64_t bits = (uint64_t)number << 1 ^ (number < 0 ? UINT64_MAX : 0);
    size_t length = 0;
    for (; bits >= 0x80; bits >>= 7)
        out[length++] = (char)(0x80 | (bits & 0x7F));
    out[length++] = (char)bits;
    return length;
}

static void put(struct ps_test_avro *avro, const void *data, size_t length)
{
    append(&avro->data, &avro->length, &avro->room, data, length);
}

static void put_long(struct ps_test_avro *avro, int64_t number)
{
    char out[10];
    put(avro, out, encode(out, number));
}

static void put_text(struct ps_test_avro *avro, const char *text)
{
    put_long(avro, (int64_t)strlen(text));
    put(avro, text, strlen(text));
}

void ps_test_avro_begin(struct ps_test_avro *avro, const char *schema, const char *codec)
{
    *avro = (struct ps_test_avro){.codec = codec};
    put(avro, "Obj\x01", 4);
    put_long(avro, 2);
    put_text(avro, "avro.codec");
    put_text(avro, codec);
    put_text(avro, "avro.schema");
    put_text(avro, schema);
    put_long(avro, 0);
    put(avro, sync_marker, 16);
}

void ps_test_avro_raw(struct ps_test_avro *avro, const void *data, size_t length)
{
    append(&avro->block, &avro->block_length, &avro->block_room, data, length);
}

void ps_test_avro_long(struct ps_test_avro *avro, int64_t number)
{
    char out[10];
    ps_test_avro_raw(avro, out, encode(out, number));
}

void ps_test_avro_text(struct ps_test_avro *avro, const char *text, size_t length)
{
    ps_test_avro_long(avro, (int64_t)length);
    ps_test_avro_raw(avro, text, length);
}

void ps_test_avro_end_datum(struct ps_test_avro *avro)
{
    avro->count++;
}

void ps_test_avro_event(struct ps_test_avro *avro, const char *body, size_t length)
{
    ps_test_avro_long(avro, 1);
    ps_test_avro_text(avro, "host", 4);
    ps_test_avro_text(avro, "h1", 2);
    ps_test_avro_long(avro, 0);
    ps_test_avro_text(avro, body, length);
    ps_test_avro_end_datum(avro);
}

static char *pack(const struct ps_test_avro *avro, size_t *length)
{
    size_t room = avro->block_length * 2 + 1024;
    char *packed = malloc(room);
    const char *block =
        avro->block != NULL ? avro->block : ""; /* none was written where the data have no bytes */
    assert_non_null(packed);
    if (strcmp(avro->codec, "deflate") == 0) {
        z_stream stream = {.next_in = (unsigned char *)(uintptr_t)block,
                           .avail_in = (uInt)avro->block_length,
                           .next_out = (unsigned char *)packed,
                           .avail_out = (uInt)room};
        assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
        *length = room - stream.avail_out;
        deflateEnd(&stream);
    } else if (strcmp(avro->codec, "snappy") == 0) {
        *length = room - 4;
        assert_int_equal(snappy_compress(block, avro->block_length, packed, length), SNAPPY_OK);
        unsigned long crc = crc32(0, (const unsigned char *)block, (uInt)avro->block_length);
        for (int shift = 24; shift >= 0; shift -= 8)
            packed[(*length)++] = (char)(crc >> shift);
    } else {
        memcpy(packed, block, avro->block_length);
        *length = avro->block_length;
    }
    return packed;
}

void ps_test_avro_end_block(struct ps_test_avro *avro)
{
    if (avro->count == 0)
        return;
    size_t length;
    char *packed = pack(avro, &length);
    put_long(avro, (int64_t)avro->count);
    put_long(avro, (int64_t)length);
    put(avro, packed, length);
    put(avro, sync_marker, 16);
    free(packed);
    avro->count = 0;
    avro->block_length = 0;
}

void ps_test_avro_free(struct ps_test_avro *avro)
{
    free(avro->data);
    free(avro->block);
}
