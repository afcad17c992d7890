/* Far end file, read once: lines, directories in the order of writing, patterns, gzip, Avro containers;
 * damaged and missing data is reported. */
#include "tests/support/avro.h"
#include "tests/support/far.h"
#include "tests/support/folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

/* Writes FOLDER/name with a modification time: `second` 0 is now. */
static void write_file(const char *name, const void *data, size_t length, long second)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", ps_test_folder(), name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    if (length > 0)
        assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    struct timespec times[2] = {{.tv_sec = second}, {.tv_sec = second}};
    if (second > 0)
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void write_text(const char *name, const char *text, long second)
{
    write_file(name, text, strlen(text), second);
}

static void make_folder(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", ps_test_folder(), name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void expect_all(struct ps_test_far *far, const char *const *texts, size_t count)
{
    ps_test_far_collect(far, count);
    if (!far->ended)
        ps_test_far_expect_nothing(far, 0);
    assert_true(far->ended);
    for (size_t i = 0; i < count; i++)
        ps_test_far_expect(far, i, texts[i]);
}
#define EXPECT_ALL(far, ...)                                                                                 \
    expect_all(far, (const char *const[]){__VA_ARGS__},                                                      \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void test_lines(void **state)
{
    struct ps_test_far far;
    write_text("lines", "one\n\ntwo \r\n\r\n three\nfour without newline", 0);
    ps_test_far_open(&far, "file://%s/lines", ps_test_folder());
    EXPECT_ALL(&far, "one", "two \r", " three", "four without newline");
    assert_int_equal(far.records[3].stream, 0);
    ps_test_far_expect_remark(&far, NULL, false);
    ps_test_far_close(&far);

    write_text("empty", "", 0);
    ps_test_far_open(&far, "%s/empty", ps_test_folder()); /* a bare path */
    ps_test_far_collect(&far, 0);
    ps_test_far_expect_nothing(&far, 0);
    assert_true(far.ended);
    ps_test_far_close(&far);
}

/* Many lines, more than one read takes. */
static void test_many_lines(void **state)
{
    struct ps_test_far far;
    char path[128];
    snprintf(path, sizeof path, "%s/many", ps_test_folder());
    FILE *file = fopen(path, "w");
    for (unsigned i = 0; i < 100000; i++)
        fprintf(file, "line %u %*s\n", i, (int)(i % 97), "x");
    fclose(file);
    ps_test_far_open(&far, "file://%s", path);
    ps_test_far_collect(&far, 100000);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(strtoul(far.records[i].data + 5, NULL, 10), i);
    ps_test_far_close(&far);
}

static void test_long_line(void **state)
{
    struct ps_test_far far;
    size_t long_length = (3U << 20) + 77;
    char *text = malloc(long_length + 8);
    memset(text, 'x', long_length);
    memcpy(text + long_length, "\nshort\n", 7);
    write_file("long", text, long_length + 7, 0);
    ps_test_far_open(&far, "file://%s/long", ps_test_folder());
    ps_test_far_collect(&far, 2);
    assert_int_equal(far.records[0].length, 1U << 20);
    ps_test_far_expect(&far, 1, "short");
    ps_test_far_expect_remark(&far, "lines of more than 1 MiB were cut", true);
    ps_test_far_close(&far);
    free(text);
}

/* file_roll's names; files of the same time sorted by their number. */
static void test_directory(void **state)
{
    struct ps_test_far far;
    make_folder("roll");
    make_folder("roll/deeper");
    write_text("roll/1700000000000-10", "f\n", 1700000100);
    write_text("roll/1700000000000-9", "e\n", 1700000100);
    write_text("roll/1700000000000-2", "b\nc\n", 1700000002);
    write_text("roll/1700000000000-1", "a\n", 1700000001);
    write_text("roll/1700000000000-3", "", 1700000003);
    write_text("roll/deeper/1700000000000-4", "d", 1700000004);
    ps_test_far_open(&far, "file://%s/roll", ps_test_folder());
    EXPECT_ALL(&far, "a", "b", "c", "d", "e", "f");
    assert_int_equal(far.records[5].stream, 0);
    ps_test_far_close(&far);

    ps_test_far_open(&far, "file://%s/roll/?stream=file&order=name", ps_test_folder());
    EXPECT_ALL(&far, "a", "b", "c", "e", "f", "d");
    assert_true(far.records[1].stream == far.records[2].stream);
    assert_true(far.records[3].stream != far.records[4].stream);
    ps_test_far_close(&far);

    make_folder("rotated");
    write_text("rotated/app.log", "d\n", 1700000100);
    write_text("rotated/app.log.1", "c\n", 1700000100);
    write_text("rotated/app.log-20261120", "z\n", 1700000100);
    write_text("rotated/app.log.10", "a\n", 1700000100);
    write_text("rotated/app.log.2", "b\n", 1700000100);
    ps_test_far_open(&far, "file://%s/rotated", ps_test_folder());
    EXPECT_ALL(&far, "z", "a", "b", "c", "d");
    ps_test_far_close(&far);

    ps_test_far_open(&far, "file://%s/roll/*-%%5B13]", ps_test_folder());
    EXPECT_ALL(&far, "a");
    ps_test_far_close(&far);
}

/* Files that are removed between the listing and the reading are reported, and the others are read. */
static void test_removed(void **state)
{
    static const char *const names[] = {"gone/1", "gone/2", "gone/3", "gone/4"};
    struct ps_test_far far;
    make_folder("gone");
    for (size_t i = 0; i < PS_COUNT_OF(names); i++)
        write_text(names[i], i == 1 ? "second\n" : "another\n", 1700000000 + (long)i);
    ps_test_far_open(&far, "file://%s/gone", ps_test_folder());
    for (size_t i = 0; i < PS_COUNT_OF(names); i++)
        if (i != 1)
            assert_int_equal(unlink(ps_test_folder_path(names[i])), 0);
    EXPECT_ALL(&far, "second");
    ps_test_far_expect_remark(&far, "was removed before it was read", true);
    ps_test_far_close(&far);
}

static void test_refused(void **state)
{
    char url[256];
    snprintf(url, sizeof url, "file://%s/nothing", ps_test_folder());
    ps_test_far_refused(url, "there is no such file");
    snprintf(url, sizeof url, "file://%s/nothing*", ps_test_folder());
    ps_test_far_refused(url, "nothing matches");
    make_folder("hollow");
    snprintf(url, sizeof url, "file://%s/hollow", ps_test_folder());
    ps_test_far_refused(url, "the directory holds no files");
    snprintf(url, sizeof url, "file://%s/lines?folow=true", ps_test_folder());
    ps_test_far_refused(url, "did you mean `follow`");
    snprintf(url, sizeof url, "file://%s/lines?stream=each", ps_test_folder());
    ps_test_far_refused(url, "stream is all or file, not `each`");
    ps_test_far_refused("file:///dev/null", "neither a file nor a directory");
    ps_test_far_refused("file://host/path", "a path is missing");
}

/* ---- gzip, zstd ---- */

static size_t gzip(const char *text, unsigned char *out, size_t room)
{
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)text,
                       .avail_in = (uInt)strlen(text),
                       .next_out = out,
                       .avail_out = (uInt)room};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return room - stream.avail_out;
}

static void test_gzip(void **state)
{
    struct ps_test_far far;
    unsigned char data[4096] = {0};
    size_t length = gzip("one\ntw", data, 2000);
    length += gzip("o\nthree", data + length, 2000); /* a second member follows */
    write_file("a.gz", data, length + 512, 0);       /* padding */
    ps_test_far_open(&far, "file://%s/a.gz", ps_test_folder());
    EXPECT_ALL(&far, "one", "two", "three");
    ps_test_far_expect_remark(&far, NULL, false);
    ps_test_far_close(&far);

    write_file("early.gz", data, length - 10, 0);
    ps_test_far_open(&far, "file://%s/early.gz", ps_test_folder());
    ps_test_far_collect(&far, 3);
    ps_test_far_expect_nothing(&far, 0);
    ps_test_far_expect_remark(&far, "the gzip stream ends early", true);
    ps_test_far_close(&far);

    data[15] ^= 0x55;
    write_file("bad.gz", data, length, 0);
    ps_test_far_open(&far, "file://%s/bad.gz", ps_test_folder());
    while (!far.ended)
        ps_test_far_read(&far, 0);
    ps_test_far_expect_remark(&far, "the gzip stream is damaged", true);
    ps_test_far_close(&far);
}

static void test_zstd(void **state)
{
    struct ps_test_far far;
    char data[4096];
    size_t length = ZSTD_compress(data, 2000, "one\ntw", 6, 3);
    length += ZSTD_compress(data + length, 2000, "o\nthree", 7, 3); /* a second frame follows */
    write_file("a.zst", data, length, 0);
    ps_test_far_open(&far, "file://%s/a.zst", ps_test_folder());
    EXPECT_ALL(&far, "one", "two", "three");
    ps_test_far_expect_remark(&far, NULL, false);
    ps_test_far_close(&far);

    write_file("early.zst", data, length - 1, 0);
    ps_test_far_open(&far, "file://%s/early.zst", ps_test_folder());
    while (!far.ended)
        ps_test_far_read(&far, 0);
    ps_test_far_expect_remark(&far, "the zstd stream ends early", true);
    ps_test_far_close(&far);
}

/* ---- Avro ---- */

static void test_avro_codecs(void **state)
{
    static const char *const codecs[] = {"null", "deflate", "snappy"};
    for (size_t i = 0; i < 3; i++) {
        struct ps_test_far far;
        struct ps_test_avro avro;
        ps_test_avro_begin(&avro, PS_TEST_AVRO_FLUME, codecs[i]);
        for (unsigned k = 0; k < 5000; k++) {
            char body[64];
            ps_test_avro_event(&avro, body, (size_t)sprintf(body, "event %u", k));
            if (k % 700 == 699)
                ps_test_avro_end_block(&avro);
        }
        ps_test_avro_end_block(&avro);
        write_file("events.avro", avro.data, avro.length, 0);
        ps_test_far_open(&far, "file://%s/events.avro", ps_test_folder());
        ps_test_far_collect(&far, 5000);
        for (unsigned k = 0; k < 5000; k++)
            assert_int_equal(strtoul(far.records[k].data + 6, NULL, 10), k);
        ps_test_far_expect_nothing(&far, 0);
        ps_test_far_expect_remark(&far, NULL, false);
        ps_test_far_close(&far);
        ps_test_avro_free(&avro);
    }
}

/* Other schemas: fields of all types before the body; no body at all. */
static void test_avro_schemas(void **state)
{
    struct ps_test_far far;
    struct ps_test_avro avro;
    ps_test_avro_begin(
        &avro,
        "{\"type\":\"record\",\"name\":\"a.b.R\",\"fields\":["
        "{\"name\":\"n\",\"type\":\"null\"},{\"name\":\"t\",\"type\":\"boolean\"},{\"name\":\"i\",\"type\":"
        "\"int\"},"
        "{\"name\":\"l\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
        "{\"name\":\"f\",\"type\":\"float\"},{\"name\":\"d\",\"type\":\"double\"},"
        "{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}},"
        "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}},"
        "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"F\"}},"
        "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"long\"]}},"
        "{\"name\":\"next\",\"type\":[\"null\",\"a.b.R\"]},"
        "{\"name\":\"body\",\"type\":[\"null\",\"string\"]}]}",
        "null");
    for (int nested = 0; nested < 2; nested++) {
        for (int depth = 0; depth <= nested; depth++) {
            ps_test_avro_raw(&avro, "\1", 1);
            ps_test_avro_long(&avro, -5);
            ps_test_avro_long(&avro, INT64_MIN);
            ps_test_avro_raw(&avro, "ffffdddddddd", 12);
            ps_test_avro_raw(&avro, "fix", 3);
            ps_test_avro_long(&avro, 1);
            ps_test_avro_long(&avro, 2); /* array: a block of two, a block of one with its size */
            ps_test_avro_raw(&avro, "abcdef", 6);
            ps_test_avro_long(&avro, -1);
            ps_test_avro_long(&avro, 3);
            ps_test_avro_raw(&avro, "ghi", 3);
            ps_test_avro_long(&avro, 0);
            ps_test_avro_long(&avro, 1); /* map */
            ps_test_avro_text(&avro, "key", 3);
            ps_test_avro_long(&avro, 1);
            ps_test_avro_long(&avro, 77);
            ps_test_avro_long(&avro, 0);
            ps_test_avro_long(&avro, depth < nested); /* next */
        }
        for (int depth = nested; depth >= 0; depth--) {
            ps_test_avro_long(&avro, 1);
            ps_test_avro_text(&avro, depth == 0 ? "the body" : "inner", depth == 0 ? 8 : 5);
        }
        ps_test_avro_end_datum(&avro);
    }
    ps_test_avro_end_block(&avro);
    write_file("r.avro", avro.data, avro.length, 0);
    ps_test_far_open(&far, "file://%s/r.avro", ps_test_folder());
    EXPECT_ALL(&far, "the body", "the body");
    ps_test_far_expect_remark(&far, NULL, false);
    ps_test_far_close(&far);
    ps_test_avro_free(&avro);

    ps_test_avro_begin(&avro,
                       "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"},"
                       "{\"name\":\"text\",\"type\":\"string\"}]}",
                       "deflate");
    ps_test_avro_long(&avro, 1);
    ps_test_avro_text(&avro, "somewhere in here", 17);
    ps_test_avro_end_datum(&avro);
    ps_test_avro_end_block(&avro);
    write_file("text.avro", avro.data, avro.length, 0);
    ps_test_far_open(&far, "file://%s/text.avro", ps_test_folder());
    EXPECT_ALL(&far, "\x02\x22somewhere in here");
    ps_test_far_close(&far);
    ps_test_avro_free(&avro);

    ps_test_avro_begin(&avro, "\"bytes\"", "snappy");
    ps_test_avro_text(&avro, "alone", 5);
    ps_test_avro_end_datum(&avro);
    ps_test_avro_end_block(&avro);
    write_file("bytes.avro", avro.data, avro.length, 0);
    ps_test_far_open(&far, "file://%s/bytes.avro", ps_test_folder());
    EXPECT_ALL(&far, "alone");
    ps_test_far_close(&far);
    ps_test_avro_free(&avro);
}

/* A damaged block is skipped and the next ones are read; a file that ends early is reported. */
static void test_avro_damaged(void **state)
{
    struct ps_test_far far;
    struct ps_test_avro avro;
    size_t ends[3];
    ps_test_avro_begin(&avro, PS_TEST_AVRO_FLUME, "snappy");
    for (unsigned i = 0; i < 3; i++) {
        char body[64];
        ps_test_avro_event(&avro, body, (size_t)sprintf(body, "event %u", i));
        ps_test_avro_end_block(&avro);
        ends[i] = avro.length;
    }
    avro.data[ends[0] + 6] ^= 1; /* in the compressed bytes: the checksum detects it */
    write_file("bad.avro", avro.data, avro.length, 0);
    ps_test_far_open(&far, "file://%s/bad.avro", ps_test_folder());
    EXPECT_ALL(&far, "event 0", "event 2");
    ps_test_far_expect_remark(&far, "damaged Avro blocks were skipped", true);
    ps_test_far_close(&far);

    avro.data[ends[1] - 3] ^= 1; /* in the marker: the next good one is after the third block */
    write_file("marker.avro", avro.data, avro.length, 0);
    ps_test_far_open(&far, "file://%s/marker.avro", ps_test_folder());
    EXPECT_ALL(&far, "event 0");
    ps_test_far_expect_remark(&far, "damaged Avro blocks were skipped", true);
    ps_test_far_close(&far);

    write_file("early.avro", avro.data, ends[0] + 9, 0);
    ps_test_far_open(&far, "file://%s/early.avro", ps_test_folder());
    EXPECT_ALL(&far, "event 0");
    ps_test_far_expect_remark(&far, "ends in the middle of a block", true);
    ps_test_far_close(&far);
    ps_test_avro_free(&avro);

    ps_test_avro_begin(&avro, PS_TEST_AVRO_FLUME, "brotli");
    write_file("codec.avro", avro.data, avro.length, 0);
    ps_test_far_open(&far, "file://%s/codec.avro", ps_test_folder());
    ps_test_far_expect_nothing(&far, 0);
    ps_test_far_expect_remark(&far, "codec `brotli` is not supported", true);
    ps_test_far_close(&far);
    ps_test_avro_free(&avro);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),        cmocka_unit_test(test_many_lines),
        cmocka_unit_test(test_long_line),    cmocka_unit_test(test_directory),
        cmocka_unit_test(test_removed),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_gzip),         cmocka_unit_test(test_zstd),
        cmocka_unit_test(test_avro_codecs),  cmocka_unit_test(test_avro_schemas),
        cmocka_unit_test(test_avro_damaged),
    };
    return cmocka_run_group_tests(tests, ps_test_folder_setup, ps_test_folder_teardown);
}
