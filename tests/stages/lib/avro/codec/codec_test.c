/* Codecs of Avro container files: a packed block is unpacked to the same bytes; little room, too little memory, limits,
 * damage. */
#include "stages/lib/avro/codec/codec.h"
#include "stages/lib/avro/codec/packer.h"

#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static bool no_memory;
static unsigned grown;

static bool grow(struct ps_avro_plain *plain, size_t room)
{
    assert_true(room > plain->room && room <= plain->length_max);
    if (no_memory)
        return false;
    char *data = malloc(room); /* exactly as long, so that ASan detects an overrun */
    assert_non_null(data);
    if (plain->length > 0)
        memcpy(data, plain->data, plain->length);
    free(plain->data);
    plain->data = data;
    plain->room = room;
    grown++;
    return true;
}

static struct ps_avro_plain buffer(size_t length_max)
{
    return (struct ps_avro_plain){.length_max = length_max, .grow = grow};
}

/* Returns bytes that compress well, or not at all if `random`. */
static char *make_bytes(size_t length, bool random)
{
    char *bytes = malloc(length + 1);
    uint64_t seed = 1;
    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1;
        bytes[i] = random ? (char)(seed >> 56) : "a line of a log\n"[i % 16];
    }
    return bytes;
}

static struct ps_byte_buffer packed_of(enum ps_avro_codec codec, const char *bytes, size_t length)
{
    struct ps_byte_buffer packed = {.data = NULL};
    struct ps_packer *packer = ps_avro_packer_open(codec);
    assert_non_null(packer);
    assert_true(ps_avro_pack(packer, codec, bytes, length, &packed));
    if (length == 16) { /* a packer can be used again */
        packed.length = 0;
        assert_true(ps_avro_pack(packer, codec, bytes, length, &packed));
    }
    ps_packer_close(packer);
    return packed;
}

static void test_names(void **unused)
{
    enum ps_avro_codec codec;
    for (unsigned i = 0; i < PS_AVRO_CODECS; i++) {
        assert_true(ps_avro_codec_find(ps_avro_codec_names[i], strlen(ps_avro_codec_names[i]), &codec));
        assert_int_equal(codec, i);
    }
    assert_false(ps_avro_codec_find("XZ", 2, &codec));
    assert_false(ps_avro_codec_find("xzz", 3, &codec));
    assert_false(ps_avro_codec_find("", 0, &codec));
}

static void test_there_and_back(void **unused)
{
    static const size_t lengths[] = {0, 1, 16, 5000, 100000};
    struct ps_avro_unpacker unpacker = {.deflate = NULL};
    for (enum ps_avro_codec codec = PS_AVRO_CODEC_DEFLATE; codec < PS_AVRO_CODECS; codec++) {
        for (size_t i = 0; i < 2 * PS_COUNT_OF(lengths); i++) {
            size_t length = lengths[i / 2];
            char *bytes = make_bytes(length, i & 1);
            struct ps_byte_buffer packed = packed_of(codec, bytes, length);
            struct ps_avro_plain plain = buffer(1 << 20);
            assert_int_equal(ps_avro_unpack(&unpacker, codec, (uint8_t *)packed.data, packed.length, &plain),
                             PS_AVRO_UNPACKED);
            assert_int_equal(plain.length, length);
            if (length > 0)
                assert_memory_equal(plain.data, bytes, length);
            free(bytes);
            free(packed.data);
            free(plain.data);
        }
    }
    ps_avro_unpacker_close(&unpacker);
}

/* A block of records that have no bytes, such as data of the schema "null": its buffer was never needed. */
static void test_no_bytes(void **unused)
{
    struct ps_avro_unpacker unpacker = {.deflate = NULL};
    for (enum ps_avro_codec codec = PS_AVRO_CODEC_DEFLATE; codec < PS_AVRO_CODECS; codec++) {
        struct ps_byte_buffer packed = packed_of(codec, NULL, 0);
        struct ps_avro_plain plain = buffer(1 << 20);
        assert_int_equal(ps_avro_unpack(&unpacker, codec, (uint8_t *)packed.data, packed.length, &plain),
                         PS_AVRO_UNPACKED);
        assert_int_equal(plain.length, 0);
        free(packed.data);
        free(plain.data);
    }
    ps_avro_unpacker_close(&unpacker);
}

/* A block that would become too long is refused before memory for it is allocated. */
static void test_limits(void **unused)
{
    struct ps_avro_unpacker unpacker = {.deflate = NULL};
    size_t length = 600000;
    char *bytes = make_bytes(length, false);
    for (enum ps_avro_codec codec = PS_AVRO_CODEC_DEFLATE; codec < PS_AVRO_CODECS; codec++) {
        struct ps_byte_buffer packed = packed_of(codec, bytes, length);
        struct ps_avro_plain plain = buffer(1 << 17);
        assert_int_equal(ps_avro_unpack(&unpacker, codec, (uint8_t *)packed.data, packed.length, &plain),
                         PS_AVRO_UNPACK_LONG);
        no_memory = true;
        free(plain.data);
        plain = buffer(64 << 20);
        assert_int_equal(ps_avro_unpack(&unpacker, codec, (uint8_t *)packed.data, packed.length, &plain),
                         PS_AVRO_UNPACK_LATER);
        no_memory = false;
        assert_int_equal(ps_avro_unpack(&unpacker, codec, (uint8_t *)packed.data, packed.length, &plain),
                         PS_AVRO_UNPACKED);
        assert_int_equal(plain.length, length);
        free(plain.data);
        free(packed.data);
    }
    free(bytes);
    ps_avro_unpacker_close(&unpacker);
}

/* A block may be exactly as long as the limit, and not a byte longer, also with a buffer that was used before. */
static void test_exact_limits(void **unused)
{
    static const size_t lengths[] = {1, 2, 4095, 4096, 4097, 100000};
    struct ps_avro_unpacker unpacker = {.deflate = NULL};
    for (enum ps_avro_codec codec = PS_AVRO_CODEC_DEFLATE; codec < PS_AVRO_CODECS; codec++) {
        for (size_t i = 0; i < 2 * PS_COUNT_OF(lengths); i++) {
            size_t length = lengths[i / 2];
            char *bytes = make_bytes(length, i & 1);
            struct ps_byte_buffer packed = packed_of(codec, bytes, length);
            struct ps_avro_plain plain = buffer(length - 1);
            for (size_t limit = length - 1; limit <= length + 1; limit++) {
                plain.length_max = limit;
                enum ps_avro_unpacked result =
                    ps_avro_unpack(&unpacker, codec, (uint8_t *)packed.data, packed.length, &plain);
                if (result != (limit < length ? PS_AVRO_UNPACK_LONG : PS_AVRO_UNPACKED))
                    fail_msg("%s: %zu bytes, limit %zu: %d", ps_avro_codec_names[codec], length, limit,
                             (int)result);
                if (limit >= length) {
                    assert_int_equal(plain.length, length);
                    assert_memory_equal(plain.data, bytes, length);
                }
            }
            free(bytes);
            free(packed.data);
            free(plain.data);
        }
    }
    ps_avro_unpacker_close(&unpacker);
}

/* A block that is cut off anywhere is damaged. One that has any byte changed is refused, or unpacks to the same bytes. Deflate has no
 * checksum; the last bytes of Snappy's block are nothing else. */
static void test_damage(void **unused)
{
    struct ps_avro_unpacker unpacker = {.deflate = NULL};
    char *bytes = make_bytes(2000, false);
    for (enum ps_avro_codec codec = PS_AVRO_CODEC_DEFLATE; codec < PS_AVRO_CODECS; codec++) {
        struct ps_byte_buffer packed = packed_of(codec, bytes, 2000);
        struct ps_avro_plain plain = buffer(1 << 20);
        uint8_t *copy = malloc(packed.length);
        assert_non_null(copy);
        for (size_t i = 0; i < packed.length; i += codec == PS_AVRO_CODEC_BZIP2 ? 7 : 1) { /* bzip2 is slow */
            memcpy(copy, packed.data, packed.length);
            assert_int_equal(ps_avro_unpack(&unpacker, codec, copy, i, &plain), PS_AVRO_UNPACK_DAMAGED);
            copy[i] ^= 0x5A;
            enum ps_avro_unpacked result = ps_avro_unpack(&unpacker, codec, copy, packed.length, &plain);
            bool checked = codec != PS_AVRO_CODEC_DEFLATE && codec != PS_AVRO_CODEC_ZSTANDARD;
            if (codec == PS_AVRO_CODEC_SNAPPY && i + 4 >= packed.length)
                assert_int_equal(result, PS_AVRO_UNPACK_CHECKSUM);
            if (result == PS_AVRO_UNPACKED && checked) {
                assert_int_equal(plain.length, 2000);
                assert_memory_equal(plain.data, bytes, 2000);
            }
        }
        free(copy);
        free(packed.data);
        free(plain.data);
    }
    free(bytes);
    ps_avro_unpacker_close(&unpacker);
}

/* A frame of Zstandard may have a checksum, at its end. Each changed byte of it is told apart from other damage, and a good frame after it is
 * unpacked. */
static void test_checksum_of_zstandard(void **unused)
{
    struct ps_avro_unpacker unpacker = {.deflate = NULL};
    struct ps_avro_plain plain = buffer(1 << 20);
    uint8_t frame[4096];
    char *bytes = make_bytes(2000, true);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    size_t length = ZSTD_compress2(context, frame, sizeof frame, bytes, 2000);
    ZSTD_freeCCtx(context);
    assert_in_range(length, 5, sizeof frame);
    for (size_t i = length - 5; i <= length; i++) { /* at last: none */
        enum ps_avro_unpacked wanted = i == length ? PS_AVRO_UNPACKED : PS_AVRO_UNPACK_CHECKSUM;
        frame[i % length] ^= i < length ? 0x5A : 0;
        assert_int_equal(ps_avro_unpack(&unpacker, PS_AVRO_CODEC_ZSTANDARD, frame, length, &plain), wanted);
        frame[i % length] ^= i < length ? 0x5A : 0;
    }
    free(bytes);
    free(plain.data);
    ps_avro_unpacker_close(&unpacker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_no_bytes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_exact_limits),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_checksum_of_zstandard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
