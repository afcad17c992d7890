/* SequenceFiles, read back by a reader of the format: blocks with each codec, empty and long bodies, keys, sync markers,
 * blocks; files that Hadoop itself wrote (data/), and ours byte by byte. */
#include "tests/stages/lib/hadoop/file/writer_support.h"

static void read_back(struct fixture *fixture, struct ps_test_sequence *file)
{
    ps_test_sequence_read(file, fixture->file.bytes.data, fixture->file.bytes.length);
    assert_string_equal(file->value_class, fixture->format.text ? "org.apache.hadoop.io.Text"
                                                                : "org.apache.hadoop.io.BytesWritable");
    assert_int_equal(file->compressed, fixture->format.blocks);
    assert_int_equal(file->blocks, fixture->format.blocks);
    assert_string_equal(file->codec_class,
                        file->compressed ? ps_hadoop_codecs[fixture->format.codec].class_name : "");
}

/* Event i: body lengths cross the borders of variable-length integers; each ninth is empty. */
static size_t body_length(unsigned i)
{
    return i % 9 == 0 ? 0 : i == 400 ? 1024 * 1024 : (size_t)i * 37 % 700;
}

static void round_trip(struct ps_hadoop_format format, unsigned count)
{
    struct fixture fixture;
    struct ps_test_sequence file;
    char *body = malloc(1024 * 1024 + 1), key[24];
    assert_non_null(body);
    fixture_init(&fixture, format);
    struct ps_hadoop_writer *writer = begin(&fixture);
    for (unsigned i = 0; i < count; i++) {
        size_t length = body_length(i);
        memset(body, 'a' + (int)(i % 26), length);
        body[length] = '\0';
        (void)snprintf(key, sizeof key, "%lld", (long long)i * INT64_C(1000000007) - 5);
        assert_int_equal(add(&fixture, writer, PS_EVENT(body, "timestamp", key)), PS_HADOOP_WRITTEN);
        if (i % 100 == 99)
            flush(&fixture, writer);
    }
    end(&fixture, writer);
    read_back(&fixture, &file);
    assert_int_equal(file.record_count, count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(file.records[i].key, (int64_t)i * INT64_C(1000000007) - 5);
        assert_int_equal(file.records[i].length, body_length(i));
        for (size_t at = 0; at < body_length(i); at++)
            assert_int_equal(file.records[i].value[at], 'a' + (int)(i % 26));
    }
    ps_test_sequence_free(&file);
    free(body);
    fixture_fini(&fixture);
}

static void test_not_compressed(void **unused)
{
    round_trip((struct ps_hadoop_format){.text = false}, 500);
    round_trip((struct ps_hadoop_format){.text = true}, 500);
}

static void test_compressed(void **unused)
{
    for (unsigned codec = 0; codec < PS_HADOOP_CODECS; codec++) {
        for (int text = 0; text < 2; text++)
            round_trip((struct ps_hadoop_format){.blocks = true, .codec = codec, .text = text}, 500);
    }
}

/* The records of the files that Hadoop wrote: a sync (a flush) after 8 and after 16 of them. */
#define VECTOR_RECORDS 20

static size_t vector_body(unsigned i, char *body)
{
    memset(body, 'a' + (int)i, (size_t)i * 7);
    body[i * 7] = '\0';
    return (size_t)i * 7;
}

static void assert_vector(const struct ps_test_sequence *file)
{
    char body[256];
    assert_int_equal(file->record_count, VECTOR_RECORDS);
    for (unsigned i = 0; i < VECTOR_RECORDS; i++) {
        assert_int_equal(file->records[i].key, INT64_C(1700000000000) + i);
        assert_int_equal(file->records[i].length, vector_body(i, body));
        assert_memory_equal(file->records[i].value, body, file->records[i].length);
    }
}

/* The reader that reads our files in these tests also reads Hadoop's. */
static void test_hadoop(void **unused)
{
    for (unsigned codec = 0; codec < PS_HADOOP_CODECS; codec++) {
        struct ps_test_sequence file;
        char name[64];
        size_t length;
        if (codec == PS_HADOOP_CODEC_DEFLATE)
            continue;
        (void)snprintf(name, sizeof name, "sequence_BLOCK_%s", ps_hadoop_codecs[codec].simple_name);
        char *bytes = ps_test_hadoop_vector(name, &length);
        ps_test_sequence_read(&file, bytes, length);
        assert_string_equal(file.codec_class, ps_hadoop_codecs[codec].class_name);
        assert_int_equal(file.block_count, 3);
        assert_vector(&file);
        ps_test_sequence_free(&file);
        free(bytes);
    }
}

static void hide_sync(const struct ps_test_sequence *file, char *bytes, size_t length)
{
    for (size_t at = 0; at + 16 <= length; at++)
        if (memcmp(bytes + at, file->sync, 16) == 0)
            memset(bytes + at, '#', 16);
}

/* Without compression our file is Hadoop's, byte by byte, except for the sync marker, which is random; the last flush adds one. */
static void test_hadoop_bytes(void **unused)
{
    struct fixture fixture;
    struct ps_test_sequence ours, theirs;
    char body[256], key[24];
    size_t length;
    char *expected = ps_test_hadoop_vector("sequence_NONE", &length);
    fixture_init(&fixture, (struct ps_hadoop_format){.text = false});
    struct ps_hadoop_writer *writer = begin(&fixture);
    for (unsigned i = 0; i < VECTOR_RECORDS; i++) {
        (void)vector_body(i, body);
        (void)snprintf(key, sizeof key, "%lld", 1700000000000LL + i);
        assert_int_equal(add(&fixture, writer, PS_EVENT(body, "timestamp", key)), PS_HADOOP_WRITTEN);
        if (i % 8 == 7)
            flush(&fixture, writer);
    }
    end(&fixture, writer);
    read_back(&fixture, &ours);
    ps_test_sequence_read(&theirs, expected, length);
    assert_vector(&ours);
    assert_vector(&theirs);
    hide_sync(&ours, fixture.file.bytes.data, fixture.file.bytes.length);
    hide_sync(&theirs, expected, length);
    assert_int_equal(fixture.file.bytes.length, length + 20);
    assert_memory_equal(fixture.file.bytes.data, expected, length);
    assert_memory_equal(fixture.file.bytes.data + length, "\xFF\xFF\xFF\xFF################", 20);
    ps_test_sequence_free(&ours);
    ps_test_sequence_free(&theirs);
    free(expected);
    fixture_fini(&fixture);
}

/* Without the header the current time is the key; an event whose header is not a number is refused. */
static void test_keys(void **unused)
{
    struct fixture fixture;
    struct ps_test_sequence file;
    fixture_init(&fixture, (struct ps_hadoop_format){.text = true});
    struct ps_hadoop_writer *writer = begin(&fixture);
    assert_int_equal(add(&fixture, writer, PS_BODY("now")), PS_HADOOP_WRITTEN);
    assert_int_equal(add(&fixture, writer, PS_EVENT("bad", "timestamp", "12x")), PS_HADOOP_REFUSED);
    assert_non_null(strstr(fixture.stage.err.text, "12x"));
    assert_int_equal(add(&fixture, writer, PS_EVENT("bad", "timestamp", "")), PS_HADOOP_REFUSED);
    assert_int_equal(add(&fixture, writer, PS_EVENT("bad", "timestamp", "9223372036854775808")),
                     PS_HADOOP_REFUSED);
    assert_int_equal(add(&fixture, writer, PS_EVENT("least", "timestamp", "-9223372036854775808")),
                     PS_HADOOP_WRITTEN);
    read_back(&fixture, &file);
    assert_int_equal(file.record_count, 2);
    assert_int_equal(file.records[0].key, fixture.stage.now.wall_ms);
    assert_int_equal(file.records[1].key, INT64_MIN);
    ps_test_sequence_free(&file);
    ps_hadoop_writer_close(writer);
    fixture_fini(&fixture);
}

/* Markers every 100 KiB without a flush; blocks of 1,000,000 bytes; a flush ends a block. */
static void test_markers_and_blocks(void **unused)
{
    char body[1001];
    memset(body, 'x', 1000);
    body[1000] = '\0';
    for (int blocks = 0; blocks < 2; blocks++) {
        struct fixture fixture;
        struct ps_test_sequence file;
        fixture_init(&fixture, (struct ps_hadoop_format){.blocks = blocks});
        struct ps_hadoop_writer *writer = begin(&fixture);
        for (int i = 0; i < 2000; i++)
            assert_int_equal(add(&fixture, writer, PS_BODY(body)), PS_HADOOP_WRITTEN);
        read_back(&fixture, &file);
        if (blocks) {
            assert_int_equal(file.block_count, 2);
            assert_int_equal(file.record_count, 2 * 989); /* 1,012 bytes each */
        } else {
            assert_int_equal(file.record_count, 2000);
            assert_int_equal(file.sync_count, 2000 * 1020 / 103040);
            assert_true(file.sync_gap_max < 102400 + 1020 + 8);
        }
        ps_test_sequence_free(&file);
        flush(&fixture, writer);
        read_back(&fixture, &file);
        assert_int_equal(file.record_count, 2000);
        assert_int_equal(file.block_count, blocks ? 3 : 0);
        ps_test_sequence_free(&file);
        ps_hadoop_writer_close(writer);
        fixture_fini(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_compressed), cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_hadoop),         cmocka_unit_test(test_hadoop_bytes),
        cmocka_unit_test(test_keys),           cmocka_unit_test(test_markers_and_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
