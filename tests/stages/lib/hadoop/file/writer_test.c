/* Files of the sink hdfs, read back by a reader of their formats: DataStream, CompressedStream with each codec, cut after
 * each flush; the state after a failed output and after refused events; the memory of open files. */
#include "tests/stages/lib/hadoop/file/writer_support.h"

#include <malloc.h>

static void test_data_stream(void **unused)
{
    struct fixture fixture;
    fixture_init(&fixture, (struct ps_hadoop_format){.type = PS_HADOOP_DATA_STREAM});
    struct ps_hadoop_writer *writer = begin(&fixture);
    assert_int_equal(add(&fixture, writer, PS_BODY("one")), PS_HADOOP_WRITTEN);
    assert_int_equal(fixture.file.bytes.length, 4);
    assert_int_equal(add(&fixture, writer, PS_BODY("")), PS_HADOOP_WRITTEN);
    flush(&fixture, writer);
    assert_memory_equal(fixture.file.bytes.data, "one\n\n", 5);
    end(&fixture, writer);
    assert_int_equal(fixture.file.bytes.length, 5);
    fixture_fini(&fixture);
}

static void assert_unpacks(struct fixture *fixture, const char *expected, size_t expected_length)
{
    size_t length;
    char *plain = ps_test_hadoop_unpack(fixture->format.codec, fixture->file.bytes.data,
                                        fixture->file.bytes.length, &length);
    assert_int_equal(length, expected_length);
    assert_memory_equal(plain, expected, length);
    free(plain);
}

/* After every flush the file can be read to the last event. */
static void test_compressed_stream(void **unused)
{
    for (unsigned codec = 0; codec < PS_HADOOP_CODECS; codec++) {
        struct fixture fixture;
        char expected[4096];
        size_t length = 0;
        fixture_init(&fixture,
                     (struct ps_hadoop_format){.type = PS_HADOOP_COMPRESSED_STREAM, .codec = codec});
        struct ps_hadoop_writer *writer = begin(&fixture);
        for (int i = 0; i < 100; i++) {
            char body[32];
            length += (size_t)sprintf(expected + length, "event %d\n", i);
            (void)snprintf(body, sizeof body, "event %d", i);
            assert_int_equal(add(&fixture, writer, PS_BODY(body)), PS_HADOOP_WRITTEN);
            if (i % 7 != 0)
                continue;
            flush(&fixture, writer);
            assert_unpacks(&fixture, expected, length);
            size_t flushed = fixture.file.bytes.length; /* no new event: a flush appends nothing */
            flush(&fixture, writer);
            assert_int_equal(fixture.file.bytes.length, flushed);
        }
        end(&fixture, writer);
        assert_unpacks(&fixture, expected, length);
        fixture_fini(&fixture);
    }
}

/* A body of several MiB goes through in pieces; its last byte is there after the flush. (After such an event Flume's own LZ4 and snappy
 * files have a block of length 0, at which readers end.) */
static void test_long_bodies(void **unused)
{
    enum { LONG = 2500000 };
    char *body = malloc(LONG + 2), *expected = malloc(2 * LONG + 8);
    uint64_t seed = 7;
    assert_true(body != NULL && expected != NULL);
    for (size_t i = 0; i < LONG; i++)
        body[i] = (char)('a' + (ps_test_random(&seed) >> 60));
    body[LONG] = '\0';
    for (unsigned codec = 0; codec < PS_HADOOP_CODECS; codec++) {
        struct fixture fixture;
        fixture_init(&fixture,
                     (struct ps_hadoop_format){.type = PS_HADOOP_COMPRESSED_STREAM, .codec = codec});
        struct ps_hadoop_writer *writer = begin(&fixture);
        assert_int_equal(add(&fixture, writer, PS_BODY("x")), PS_HADOOP_WRITTEN);
        assert_int_equal(add(&fixture, writer, PS_BODY(body)), PS_HADOOP_WRITTEN);
        flush(&fixture, writer);
        assert_int_equal(add(&fixture, writer, PS_BODY("y")), PS_HADOOP_WRITTEN);
        end(&fixture, writer);
        size_t length = (size_t)sprintf(expected, "x\n%s\ny\n", body);
        assert_unpacks(&fixture, expected, length);
        fixture_fini(&fixture);
    }
    free(body);
    free(expected);
}

static void test_no_events(void **unused)
{
    for (unsigned codec = 0; codec < PS_HADOOP_CODECS; codec++) {
        struct fixture fixture;
        fixture_init(&fixture,
                     (struct ps_hadoop_format){.type = PS_HADOOP_COMPRESSED_STREAM, .codec = codec});
        end(&fixture, begin(&fixture));
        assert_unpacks(&fixture, "", 0);
        fixture_fini(&fixture);
    }
}

static void test_broken_output(void **unused)
{
    struct fixture fixture;
    fixture_init(&fixture, (struct ps_hadoop_format){.type = PS_HADOOP_COMPRESSED_STREAM,
                                                     .codec = PS_HADOOP_CODEC_GZIP});
    struct ps_hadoop_writer *writer = begin(&fixture);
    assert_int_equal(add(&fixture, writer, PS_BODY("lost")), PS_HADOOP_WRITTEN);
    fixture.file.broken = true;
    assert_false(ps_hadoop_writer_flush(writer, &fixture.file.output));
    fixture.file.broken = false; /* nothing of the broken file is in the next one */
    assert_true(ps_hadoop_writer_begin(writer, &fixture.file.output));
    assert_int_equal(add(&fixture, writer, PS_BODY("kept")), PS_HADOOP_WRITTEN);
    end(&fixture, writer);
    assert_unpacks(&fixture, "kept\n", 5);
    fixture_fini(&fixture);
}

/* The memory of a thousand open files whose events came in one transaction, and of a thousand idle ones. */
static size_t memory_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void test_memory(void **unused)
{
    enum { FILES = 1000, BODY = 256 };
    static const struct ps_hadoop_format formats[] = {
        {.type = PS_HADOOP_DATA_STREAM},
        {.type = PS_HADOOP_COMPRESSED_STREAM, .codec = PS_HADOOP_CODEC_ZSTANDARD},
        {.type = PS_HADOOP_SEQUENCE_FILE, .blocks = true},
    };
    char body[BODY + 1];
    memset(body, 'b', BODY);
    body[BODY] = '\0';
    for (size_t i = 0; i < PS_COUNT_OF(formats); i++) {
        struct fixture fixture;
        struct ps_hadoop_writer *files[FILES];
        fixture_init(&fixture, formats[i]);
        size_t before = memory_in_use();
        for (size_t at = 0; at < FILES; at++)
            files[at] = begin(&fixture);
        for (size_t at = 0; at < 20 * FILES; at++)
            assert_int_equal(add(&fixture, files[at % FILES], PS_BODY(body)), PS_HADOOP_WRITTEN);
        assert_true(memory_in_use() < before + 16 * 1024 * 1024 + fixture.file.bytes.room);
        for (size_t at = 0; at < FILES; at++)
            flush(&fixture, files[at]);
        assert_true(memory_in_use() < before + 2 * 1024 * 1024 + fixture.file.bytes.room);
        for (size_t at = 0; at < FILES; at++)
            end(&fixture, files[at]);
        assert_true(memory_in_use() < before + 256 * 1024 + fixture.file.bytes.room);
        fixture_fini(&fixture);
    }
}

static void test_names(void **unused)
{
    enum ps_hadoop_file_type type;
    bool text;
    assert_true(ps_hadoop_file_type_find("compressedstream", &type) && type == PS_HADOOP_COMPRESSED_STREAM);
    assert_true(ps_hadoop_file_type_find("SequenceFile", &type) && type == PS_HADOOP_SEQUENCE_FILE);
    assert_false(ps_hadoop_file_type_find("Parquet", &type));
    assert_true(ps_hadoop_write_format_find("Text", &text) && text);
    assert_true(ps_hadoop_write_format_find("Writable", &text) && !text);
    assert_true(ps_hadoop_write_format_find("org.apache.flume.sink.hdfs.HDFSTextSerializer$Builder", &text) &&
                text);
    assert_false(ps_hadoop_write_format_find("com.example.Mine$Builder", &text));
}

/* ---- schemas in a file system ---- */

struct schema_filesystem {
    struct ps_filesystem filesystem;
    char path[64];
    ps_file_done *done;
    void *argument;
};

static void schema_read(struct ps_filesystem *filesystem, const char *path, size_t length_max,
                        ps_file_done *done, void *argument)
{
    struct schema_filesystem *self = (struct schema_filesystem *)(void *)filesystem;
    assert_true(length_max >= 1024 && self->done == NULL);
    (void)snprintf(self->path, sizeof self->path, "%s", path);
    self->done = done;
    self->argument = argument;
}

static void answer(struct schema_filesystem *filesystem, const char *text)
{
    struct ps_file_answer answer = {.error = text == NULL ? PS_FILE_MISSING : PS_FILE_OK,
                                    .reason = text == NULL ? "no such file" : "",
                                    .content = text,
                                    .content_length = text == NULL ? 0 : strlen(text)};
    ps_file_done *done = filesystem->done;
    filesystem->done = NULL;
    done(filesystem->argument, &answer);
}

/* Two files of one sink need the same schema in HDFS: it is read once. */
static void test_schema_in_filesystem(void **unused)
{
    static const struct ps_filesystem_ops ops = {.read = schema_read};
    static const char schema[] = "\"string\"", other[] = "hdfs://other:8020/a.avsc";
    struct schema_filesystem filesystem = {.filesystem.ops = &ops};
    struct ps_test_stage stage;
    struct collected file = {.output.write = collect};
    ps_test_stage_start(&stage, &ps_serializer_avro_datum, NULL);
    struct ps_hadoop_format format = {
        .type = PS_HADOOP_DATA_STREAM, .serializer = stage.ops, .serializer_plan = stage.plan};
    struct ps_hadoop_writers *writers = ps_hadoop_writers_open(&format, &stage.port, &stage.err);
    ps_hadoop_writers_read_schemas(writers, &filesystem.filesystem, "hdfs://nn:8020");
    struct ps_lease *lease =
        PS_LEASE(&stage, PS_EVENT("\x02x", "flume.avro.schema.url", "hdfs://nn:8020/s/a.avsc"),
                 PS_EVENT("\x02y", "flume.avro.schema.url", other), PS_BODY("none"));
    struct ps_hadoop_writer *files[2];
    for (int i = 0; i < 2; i++) {
        files[i] = ps_hadoop_writer_open(writers, &stage.err);
        assert_true(ps_hadoop_writer_begin(files[i], &file.output));
        assert_int_equal(ps_hadoop_writer_event(files[i], lease->batch, ps_lease_event(lease, 0), 0,
                                                &file.output, &stage.err),
                         PS_HADOOP_LATER);
    }
    assert_string_equal(filesystem.path, "/s/a.avsc");
    answer(&filesystem, schema);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ps_hadoop_writer_event(files[i], lease->batch, ps_lease_event(lease, 0), 0,
                                                &file.output, &stage.err),
                         PS_HADOOP_WRITTEN);
        assert_int_equal(ps_hadoop_writer_event(files[i], lease->batch, ps_lease_event(lease, 1), 0,
                                                &file.output, &stage.err),
                         PS_HADOOP_REFUSED);
        assert_true(ps_hadoop_writer_end(files[i], &file.output));
    }
    assert_int_equal(file.bytes.length % 2, 0); /* the two files are equal */
    assert_memory_equal(file.bytes.data, "Obj\x01", 4);
    assert_true(ps_hadoop_writer_begin(files[0], &file.output)); /* the next file */
    assert_int_equal(
        ps_hadoop_writer_event(files[0], lease->batch, ps_lease_event(lease, 1), 0, &file.output, &stage.err),
        PS_HADOOP_REFUSED);
    assert_non_null(strstr(stage.err.text, "hdfs://nn:8020")); /* another file system */
    assert_int_equal(
        ps_hadoop_writer_event(files[0], lease->batch, ps_lease_event(lease, 2), 0, &file.output, &stage.err),
        PS_HADOOP_REFUSED);
    for (int i = 0; i < 2; i++)
        ps_hadoop_writer_close(files[i]);
    ps_hadoop_writers_close(writers);
    ps_byte_buffer_clear(&file.bytes, 0);
    ps_test_stage_fini(&stage);
}

static void test_serializer_without_a_reason(void **unused)
{
    struct ps_stage_ops silent = ps_serializer_text;
    struct fixture fixture;
    fixture_init(&fixture, (struct ps_hadoop_format){.type = PS_HADOOP_DATA_STREAM});
    silent.open = ps_test_silent_open;
    fixture.format.serializer = &silent;
    assert_null(ps_hadoop_writer_open(fixture.writers, &fixture.stage.err));
    assert_non_null(strstr(fixture.stage.err.text, "open of serializer text failed and gave no reason"));
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serializer_without_a_reason),
        cmocka_unit_test(test_data_stream),
        cmocka_unit_test(test_compressed_stream),
        cmocka_unit_test(test_long_bodies),
        cmocka_unit_test(test_no_events),
        cmocka_unit_test(test_broken_output),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_schema_in_filesystem),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
