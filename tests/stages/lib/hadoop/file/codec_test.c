/* Hadoop's codecs: names as Flume's sink finds them; concatenated streams are read back; blocks fit Hadoop's buffers;
 * bytes that Hadoop itself wrote (tests/stages/lib/hadoop/file/data) are read by the reader that reads ours. */
#include "stages/lib/avro/codec/packer.h"
#include "tests/support/hadoop_file.h"

#include "tests/support/support.h"

static void test_names(void **unused)
{
    static const struct {
        const char *name;
        enum ps_hadoop_codec_found found;
        enum ps_hadoop_codec codec;
    } cases[] = {
        {"org.apache.hadoop.io.compress.GzipCodec", PS_HADOOP_CODEC_FOUND, PS_HADOOP_CODEC_GZIP},
        {"org.apache.hadoop.io.compress.gzipcodec", PS_HADOOP_CODEC_UNKNOWN, 0},
        {"GZIPCODEC", PS_HADOOP_CODEC_FOUND, PS_HADOOP_CODEC_GZIP},
        {"gzip", PS_HADOOP_CODEC_FOUND, PS_HADOOP_CODEC_GZIP},
        {"gz", PS_HADOOP_CODEC_UNKNOWN, 0},
        {"gzipcode", PS_HADOOP_CODEC_UNKNOWN, 0},
        {"default", PS_HADOOP_CODEC_FOUND, PS_HADOOP_CODEC_DEFAULT},
        {"DeflateCodec", PS_HADOOP_CODEC_FOUND, PS_HADOOP_CODEC_DEFLATE},
        {"bzip2", PS_HADOOP_CODEC_FOUND, PS_HADOOP_CODEC_BZIP2},
        {"BZip2Codec", PS_HADOOP_CODEC_FOUND, PS_HADOOP_CODEC_BZIP2},
        {"bz2", PS_HADOOP_CODEC_FOUND, PS_HADOOP_CODEC_BZIP2},
        {"lz4", PS_HADOOP_CODEC_FOUND, PS_HADOOP_CODEC_LZ4},
        {"Snappy", PS_HADOOP_CODEC_FOUND, PS_HADOOP_CODEC_SNAPPY},
        {"zstandard", PS_HADOOP_CODEC_FOUND, PS_HADOOP_CODEC_ZSTANDARD},
        {"zstd", PS_HADOOP_CODEC_FOUND, PS_HADOOP_CODEC_ZSTANDARD},
        {"none", PS_HADOOP_CODEC_NONE, 0},
        {"lzo", PS_HADOOP_CODEC_LZO, 0},
        {"com.hadoop.compression.lzo.LzopCodec", PS_HADOOP_CODEC_LZO, 0},
        {"", PS_HADOOP_CODEC_UNKNOWN, 0},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        enum ps_hadoop_codec codec = 0;
        assert_int_equal(ps_hadoop_codec_find(cases[i].name, &codec), cases[i].found);
        assert_int_equal(codec, cases[i].codec);
    }
    assert_string_equal(ps_hadoop_codecs[PS_HADOOP_CODEC_BZIP2].extension, ".bz2");
    assert_string_equal(ps_hadoop_codecs[PS_HADOOP_CODEC_DEFAULT].extension, ".deflate");
}

static char *make_bytes(size_t length, bool random)
{
    uint64_t seed = 1;
    char *bytes = malloc(length + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++)
        bytes[i] = random ? (char)(ps_test_random(&seed) >> 56) : "a line of a log\n"[i % 16];
    return bytes;
}

/* Packs pieces of these lengths one after the other, and reads them back. */
static void there_and_back(enum ps_hadoop_codec codec, const size_t *lengths, size_t count, bool random)
{
    struct ps_packer *packer = ps_hadoop_packer_open(codec);
    struct ps_byte_buffer packed = {.data = NULL};
    size_t all = 0, length;
    for (size_t i = 0; i < count; i++)
        all += lengths[i];
    char *bytes = make_bytes(all, random);
    assert_non_null(packer);
    for (size_t i = 0, at = 0; i < count; at += lengths[i++])
        assert_true(ps_hadoop_pack(packer, codec, bytes + at, lengths[i], &packed));
    char *plain = ps_test_hadoop_unpack(codec, packed.data, packed.length, &length);
    assert_int_equal(length, all);
    assert_memory_equal(plain, bytes, all);
    ps_byte_buffer_clear(&packed, 0);
    ps_packer_close(packer);
    free(plain);
    free(bytes);
}

static void test_there_and_back(void **unused)
{
    static const size_t one[] = {1}, empty[] = {0},
                        several[] = {100, 1, 218420, 218421, 218422, 261100, 261101}, long_one[] = {2000000};
    for (unsigned codec = 0; codec < PS_HADOOP_CODECS; codec++) {
        for (int random = 0; random < 2; random++) {
            there_and_back(codec, one, 1, random);
            there_and_back(codec, empty, 1, random);
            there_and_back(codec, several, PS_COUNT_OF(several), random);
            there_and_back(codec, long_one, 1, random);
        }
    }
}

/* Streams that Hadoop wrote, finished after 8 and 16 of 20 events. */
static void test_hadoop(void **unused)
{
    char expected[512];
    size_t expected_length = 0;
    for (int i = 0; i < 20; i++)
        expected_length += (size_t)sprintf(expected + expected_length, "event %d\n", i);
    for (unsigned codec = 0; codec < PS_HADOOP_CODECS; codec++) {
        char name[64];
        size_t packed_length, length;
        if (codec == PS_HADOOP_CODEC_DEFLATE) /* is DefaultCodec by another name */
            continue;
        (void)snprintf(name, sizeof name, "stream_%s", ps_hadoop_codecs[codec].simple_name);
        char *packed = ps_test_hadoop_vector(name, &packed_length);
        char *plain = ps_test_hadoop_unpack(codec, packed, packed_length, &length);
        assert_int_equal(length, expected_length);
        assert_memory_equal(plain, expected, length);
        free(plain);
        free(packed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_there_and_back),
                                       cmocka_unit_test(test_hadoop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
