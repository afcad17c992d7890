/* Chunks of an ORC file: random bytes are unpacked by each codec's own library, a chunk never grows, and nothing is
 * written past the room. */
#include "stages/lib/orc/compression.h"
#include "tests/support/support.h"

#include <lz4.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define BYTES_MAX 3000U
#define GUARD_BYTES 16U

static void test_names(void **unused)
{
    static const struct {
        const char *name;
        int kind; /* -1: unknown */
    } names[] = {{"NONE", PS_ORC_NONE},
                 {"none", PS_ORC_NONE},
                 {"ZLIB", PS_ORC_ZLIB},
                 {"Zlib", PS_ORC_ZLIB},
                 {"SNAPPY", PS_ORC_SNAPPY},
                 {"LZ4", PS_ORC_LZ4},
                 {"lz4", PS_ORC_LZ4},
                 {"ZSTD", PS_ORC_ZSTD},
                 {"zstd", PS_ORC_ZSTD},
                 {"", -1},
                 {"ZLI", -1},
                 {"ZLIBX", -1},
                 {"NON", -1},
                 {"NONES", -1},
                 {"ZST", -1},
                 {"ZSTDX", -1},
                 {"LZ", -1},
                 {"LZ44", -1},
                 {"LZO", -1},
                 {"SNAPP", -1},
                 {"SNAPPYX", -1},
                 {" ZLIB", -1}};
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        enum ps_orc_compression kind = PS_ORC_NONE;
        if (ps_orc_compression_find(names[i].name, &kind) != (names[i].kind >= 0))
            fail_msg("\"%s\"", names[i].name);
        assert_int_equal(kind, names[i].kind >= 0 ? names[i].kind : PS_ORC_NONE);
    }
}

static size_t inflate_raw(const uint8_t *packed, size_t length, uint8_t *plain)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)packed,
                       .avail_in = (uInt)length,
                       .next_out = plain,
                       .avail_out = BYTES_MAX};
    assert_int_equal(inflateInit2(&stream, -MAX_WBITS), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    inflateEnd(&stream);
    return BYTES_MAX - stream.avail_out;
}

static size_t unpack(enum ps_orc_compression kind, const uint8_t *packed, size_t length, uint8_t *plain)
{
    size_t room = BYTES_MAX;
    switch (kind) {
    case PS_ORC_ZLIB:
        return inflate_raw(packed, length, plain);
    case PS_ORC_SNAPPY:
        assert_int_equal(snappy_uncompress((const char *)packed, length, (char *)plain, &room), SNAPPY_OK);
        return room;
    case PS_ORC_LZ4:
        return (size_t)LZ4_decompress_safe((const char *)packed, (char *)plain, (int)length, BYTES_MAX);
    case PS_ORC_ZSTD:
        return ZSTD_decompress(plain, BYTES_MAX, packed, length);
    case PS_ORC_NONE:
        break;
    }
    return 0;
}

/* Random bytes, some of which repeat the byte before, in sizes from one byte on: most small chunks do not become
 * shorter. */
static void test_drawn_chunks(void **unused)
{
    static uint8_t bytes[BYTES_MAX], back[BYTES_MAX];
    uint64_t random = ps_test_seed() | 1;
    unsigned shorter[PS_ORC_ZSTD + 1] = {0}, kept[PS_ORC_ZSTD + 1] = {0};
    for (int number = PS_ORC_NONE; number <= PS_ORC_ZSTD; number++) {
        enum ps_orc_compression kind = (enum ps_orc_compression)number;
        struct ps_orc_compressor compressor;
        if (number == 3) /* LZO, which is not written */
            continue;
        assert_true(ps_orc_compressor_open(&compressor, kind, BYTES_MAX));
        for (unsigned round = 0; round < 200; round++) {
            size_t length = round < 60 ? round + 1 : 1 + ps_test_random(&random) % BYTES_MAX;
            unsigned change = 1 + (unsigned)(ps_test_random(&random) % (round % 2 == 0 ? 1 : 20));
            for (size_t i = 0; i < length; i++)
                bytes[i] = i > 0 && ps_test_random(&random) % change != 0 ? bytes[i - 1]
                                                                          : (uint8_t)ps_test_random(&random);
            size_t room = ps_orc_compress_room(length);
            uint8_t *packed = malloc(room + GUARD_BYTES);
            assert_non_null(packed);
            memset(packed + room, 0x5a, GUARD_BYTES);
            size_t packed_length = ps_orc_compress(&compressor, bytes, length, packed);
            assert_in_range(packed_length, 0, length - 1);
            for (size_t i = 0; i < GUARD_BYTES; i++)
                assert_int_equal(packed[room + i], 0x5a);
            if (packed_length > 0) {
                assert_int_equal(unpack(kind, packed, packed_length, back), length);
                assert_memory_equal(back, bytes, length);
            }
            shorter[kind] += packed_length > 0;
            kept[kind] += packed_length == 0;
            free(packed);
        }
        ps_orc_compressor_close(&compressor);
        ps_orc_compressor_close(&compressor); /* a second close does nothing */
        assert_true(kept[kind] >= 20);
        assert_true(kind == PS_ORC_NONE ? shorter[kind] == 0 : shorter[kind] >= 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_drawn_chunks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
