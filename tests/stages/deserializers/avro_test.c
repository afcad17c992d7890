/* Avro container files: codecs, headers of the schema, damage. */
#include "stages/lib/avro/binary.h"
#include "stages/lib/avro/container.h"
#include "stages/lib/avro/schema.h"
#include "tests/support/stage.h"

#include <bzlib.h>
#include <lzma.h>
#include <snappy-c.h>
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

static char contents[65536];
static size_t length;
static const uint8_t sync_marker[PS_AVRO_SYNC_BYTES] = "0123456789abcdef";
static const char schema[] =
    "{\"type\": \"record\", \"name\": \"R\", \"namespace\": \"x\", \"doc\": \"no part of the hash\", "
    "\"fields\": [{\"name\": \"s\", \"type\": \"string\", \"default\": \"\"}]}";
static const char canonical[] =
    "{\"name\":\"x.R\",\"type\":\"record\",\"fields\":[{\"name\":\"s\",\"type\":\"string\"}]}";

static int64_t give(struct ps_input *input, uint64_t offset, void *to, uint32_t room)
{
    if (offset >= length)
        return PS_INPUT_END;
    uint64_t count = length - offset < room ? length - offset : room;
    memcpy(to, contents + offset, count);
    return (int64_t)count;
}

static void begin_file(const char *codec)
{
    const char *const pairs[] = {"avro.schema", schema, "avro.codec", codec, NULL};
    length = ps_avro_container_header_write(pairs, sync_marker, contents, sizeof contents);
}

/* Adds a block of strings, compressed. */
static void add_block(const char *codec, const char *const *strings)
{
    char plain[4096], packed[8192];
    size_t size = 0, packed_size = sizeof packed;
    int64_t count = 0;
    for (; strings[count] != NULL; count++) {
        size_t bytes = strlen(strings[count]);
        size += ps_avro_put_long(plain + size, (int64_t)bytes);
        memcpy(plain + size, strings[count], bytes);
        size += bytes;
    }
    if (strcmp(codec, "deflate") == 0) {
        z_stream stream = {.next_in = (unsigned char *)plain,
                           .avail_in = (unsigned)size,
                           .next_out = (unsigned char *)packed,
                           .avail_out = sizeof packed};
        assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
        packed_size = stream.total_out;
        deflateEnd(&stream);
    } else if (strcmp(codec, "snappy") == 0) {
        assert_int_equal(snappy_compress(plain, size, packed, &packed_size), SNAPPY_OK);
        unsigned long crc = crc32_z(0, (const unsigned char *)plain, size);
        for (int i = 0; i < 4; i++)
            packed[packed_size++] = (char)(crc >> (24 - 8 * i));
    } else if (strcmp(codec, "bzip2") == 0) {
        unsigned made = sizeof packed;
        assert_int_equal(BZ2_bzBuffToBuffCompress(packed, &made, plain, (unsigned)size, 9, 0, 0), BZ_OK);
        packed_size = made;
    } else if (strcmp(codec, "xz") == 0) {
        packed_size = 0;
        assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, (const uint8_t *)plain, size,
                                                 (uint8_t *)packed, &packed_size, sizeof packed),
                         LZMA_OK);
    } else if (strcmp(codec, "zstandard") == 0) {
        packed_size = ZSTD_compress(packed, sizeof packed, plain, size, 3);
        assert_false(ZSTD_isError(packed_size));
    } else {
        memcpy(packed, plain, size);
        packed_size = size;
    }
    length += ps_avro_put_long(contents + length, count);
    length += ps_avro_put_long(contents + length, (int64_t)packed_size);
    memcpy(contents + length, packed, packed_size);
    memcpy(contents + length + packed_size, sync_marker, sizeof sync_marker);
    length += packed_size + sizeof sync_marker;
}

/* Reads the file from `position`; `out` gets the bodies' strings, each in brackets. */
static enum ps_deserialized run(const char *const *keys, uint64_t *position, char *out, char *header,
                                struct ps_err *err)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_deserializer_avro, keys);
    struct ps_input input = {.read = give, .size = length, .position = *position};
    const struct ps_deserializer_ops *ops = stage.ops->deserializer;
    ops->begin(stage.plan, stage.state, &input);
    struct ps_batch *batch = ps_batch_take(&stage.bump, stage.now);
    enum ps_deserialized result;
    do
        result = ops->work(stage.plan, stage.state, &input, batch, err);
    while (result == PS_DESERIALIZED_SOME);
    out[0] = header[0] = '\0';
    for (uint32_t row = 0; row < batch->count; row++)
        out += sprintf(out, "[%.*s]", (int)batch->events[row].body_length - 1, batch->events[row].body + 1);
    if (batch->shared != NULL)
        sprintf(header, "%.*s=%.*s", (int)batch->shared->name->length, batch->shared->name->text,
                (int)batch->shared->value_length, batch->shared->value);
    *position = input.position;
    ps_batch_give(batch);
    ps_test_stage_fini(&stage);
    return result;
}

static void test_codecs(void **state)
{
    static const char *const codecs[] = {"null", "deflate", "snappy", "bzip2", "xz", "zstandard"};
    for (size_t i = 0; i < PS_COUNT_OF(codecs); i++) {
        char out[256], header[512], expected[512];
        struct ps_err err;
        uint64_t position = 0;
        begin_file(codecs[i]);
        add_block(codecs[i], PS_WORDS("one", "two"));
        add_block(codecs[i], PS_WORDS("three"));
        assert_int_equal(run(NULL, &position, out, header, &err), PS_DESERIALIZED_ALL);
        assert_string_equal(out, "[one][two][three]");
        assert_int_equal(position, length);
        struct ps_avro_schema *made = ps_avro_schema_create(schema, sizeof schema - 1, &err);
        uint64_t print = ps_avro_schema_fingerprint(made);
        ps_avro_schema_destroy(made);
        made = ps_avro_schema_create(canonical, sizeof canonical - 1, &err);
        assert_int_equal(ps_avro_schema_fingerprint(made), print);
        ps_avro_schema_destroy(made);
        sprintf(expected, "flume.avro.schema.hash=%016llx", (unsigned long long)__builtin_bswap64(print));
        assert_string_equal(header, expected);
        position = 0;
        assert_int_equal(run(PS_KEYS("schemaType", "literal"), &position, out, header, &err),
                         PS_DESERIALIZED_ALL);
        sprintf(expected, "flume.avro.schema.literal=%s", schema);
        assert_string_equal(header, expected);
    }
}

/* After a restart reading begins after the first sync marker from the position on, as in Flume. */
static void test_markers(void **state)
{
    char out[256], header[512];
    struct ps_err err;
    begin_file("null");
    uint64_t first = length;
    add_block("null", PS_WORDS("one", "two"));
    uint64_t second = length;
    add_block("null", PS_WORDS("three"));
    const struct {
        uint64_t position;
        const char *events;
    } rows[] = {{first - PS_AVRO_SYNC_BYTES, "[one][two][three]"},
                {first, "[three]"},
                {second - PS_AVRO_SYNC_BYTES, "[three]"},
                {second, ""},
                {length - PS_AVRO_SYNC_BYTES, ""},
                {length, ""}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        uint64_t position = rows[i].position;
        assert_int_equal(run(NULL, &position, out, header, &err), PS_DESERIALIZED_ALL);
        assert_string_equal(out, rows[i].events);
    }
}

static void test_damage(void **state)
{
    char out[256], header[512];
    for (unsigned what = 0; what < 8; what++) {
        struct ps_err err = {.length = 0};
        uint64_t position = 0;
        const char *codec = what >= 6 ? "snappy" : "null";
        begin_file(what == 5 ? "brotli" : codec);
        add_block(codec, PS_WORDS("one", "two"));
        size_t whole = length;
        add_block(codec, PS_WORDS("three"));
        const char *reason = "is damaged";
        if (what == 0)
            length -= 3; /* the file ends within a block */
        else if (what == 1)
            contents[length - 1] ^= 1; /* in its sync marker */
        else if (what == 2)
            contents[whole + 2] = 100; /* a string longer than the block */
        else if (what == 3)
            contents[0] = 'X', reason = "no Avro container file";
        else if (what == 4)
            length = 20, reason = "ends in its header";
        else if (what == 5)
            reason = "is compressed with brotli";
        else if (what == 6)
            contents[length - PS_AVRO_SYNC_BYTES - 1] ^= 1, reason = "its checksum is wrong";
        else
            contents[whole + 2] ^= 1,
                reason = "it cannot be decompressed"; /* its length without compression */
        assert_int_equal(run(NULL, &position, out, header, &err), PS_DESERIALIZED_FAILED);
        if (strstr(err.text, reason) == NULL)
            fail_msg("%u: %s", what, err.text);
        assert_string_equal(out, what == 3 || what == 4 || what == 5 ? "" : "[one][two]");
    }
}

/* The fingerprints that the Avro project publishes for its implementations (share/test/data/schema-tests.txt): each type, each kind of name, and
 * what a fingerprint leaves out. */
static void test_fingerprints(void **state)
{
    static const struct {
        const char *json;
        int64_t print;
    } rows[] = {
        {"\"null\"", 7195948357588979594},
        {"{\"type\":\"null\"}", 7195948357588979594},
        {"\"boolean\"", -6970731678124411036},
        {"\"int\"", 8247732601305521295},
        {"{\"type\": \"int\"}", 8247732601305521295},
        {"\"long\"", -3434872931120570953},
        {"\"float\"", 5583340709985441680},
        {"\"double\"", -8181574048448539266},
        {"\"bytes\"", 5746618253357095269},
        {"\"string\"", -8142146995180207161},
        {"[  ]", -1241056759729112623},
        {"[ \"int\"  ]", -5232228896498058493},
        {"[ \"int\" , {\"type\":\"boolean\"} ]", 5392556393470105090},
        {"{\"fields\":[], \"type\":\"record\", \"name\":\"foo\"}", -4824392279771201922},
        {"{\"fields\":[], \"type\":\"record\", \"name\":\"foo\", \"namespace\":\"x.y\"}",
         5916914534497305771},
        {"{\"fields\":[], \"type\":\"record\", \"name\":\"a.b.foo\", \"namespace\":\"x.y\"}",
         -4616218487480524110},
        {"{\"fields\":[], \"type\":\"record\", \"name\":\"foo\", \"doc\":\"foo\", "
         "\"aliases\":[\"foo\",\"bar\"]}",
         -4824392279771201922},
        {"{\"fields\":[{\"type\":{\"type\":\"boolean\"}, \"name\":\"f1\"}], \"type\":\"record\", "
         "\"name\":\"foo\"}",
         7843277075252814651},
        {"{\"fields\":[{\"type\":\"boolean\", \"aliases\":[], \"name\":\"f1\", \"default\":\"true\"},"
         "{\"order\":\"descending\",\"name\":\"f2\",\"doc\":\"Hello\",\"type\":\"int\"}],"
         "\"type\":\"record\", \"name\":\"foo\"}",
         -4860222112080293046},
        {"{\"type\":\"enum\", \"name\":\"foo\", \"symbols\":[\"A1\"]}", -6342190197741309591},
        {"{\"namespace\":\"x.y.z\", \"type\":\"enum\", \"name\":\"foo\", \"doc\":\"foo bar\", "
         "\"symbols\":[\"A1\", \"A2\"]}",
         -4448647247586288245},
        {"{\"name\":\"foo\",\"type\":\"fixed\",\"size\":15}", 1756455273707447556},
        {"{\"namespace\":\"x.y.z\", \"type\":\"fixed\", \"name\":\"foo\", \"doc\":\"foo bar\", \"size\":32}",
         -3064184465700546786},
        {"{ \"items\":{\"type\":\"null\"}, \"type\":\"array\"}", -589620603366471059},
        {"{ \"values\":\"string\", \"type\":\"map\"}", -8732877298790414990},
        {"{\"name\":\"PigValue\",\"type\":\"record\","
         "\"fields\":[{\"name\":\"value\", \"type\":[\"null\", \"int\", \"long\", \"PigValue\"]}]}",
         -1759257747318642341},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_err err = {.length = 0};
        struct ps_avro_schema *made = ps_avro_schema_create(rows[i].json, strlen(rows[i].json), &err);
        if (made == NULL)
            fail_msg("%s: %s", rows[i].json, err.text);
        if ((int64_t)ps_avro_schema_fingerprint(made) != rows[i].print)
            fail_msg("%s: %lld", rows[i].json, (long long)ps_avro_schema_fingerprint(made));
        ps_avro_schema_destroy(made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codecs),
        cmocka_unit_test(test_markers),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_fingerprints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
