/* Compressed files in the source spooldir: which ones it decompresses, what it does about damage, and where it
 * continues after a restart. */
#include "stages/lib/spool/meta.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

static char packed[1 << 20];
static size_t packed_length;

static void gzip(const char *text, size_t length)
{
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)text,
                       .avail_in = (unsigned)length,
                       .next_out = (unsigned char *)packed,
                       .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed_length = sizeof packed - stream.avail_out;
    deflateEnd(&stream);
}

static void zstd(const char *text, size_t length)
{
    packed_length = ZSTD_compress(packed, sizeof packed, text, length, 3);
    assert_false(ZSTD_isError(packed_length));
}

/* Puts a new file, which appears complete. */
static void put(const char *name, const void *data, size_t length)
{
    char hidden[256];
    ps_test_folder_append(".put", data, length);
    snprintf(hidden, sizeof hidden, "%s", ps_test_folder_path(".put"));
    assert_int_equal(rename(hidden, ps_test_folder_path(name)), 0);
}

static bool is_there(const char *name)
{
    return access(ps_test_folder_path(name), F_OK) == 0;
}

#define START(stage, ...)                                                                                    \
    ps_test_stage_start((stage), &ps_source_spooldir,                                                        \
                        PS_KEYS("spoolDir", ps_test_folder(), "pollDelay", "10", __VA_ARGS__))

/* Works until the condition holds; batches are delivered. */
#define UNTIL(stage, condition)                                                                              \
    do {                                                                                                     \
        uint64_t until_ = ps_test_patience_end_ns();                                                         \
        while (!(condition)) {                                                                               \
            assert_true(ps_test_patient_ns() < until_);                                                      \
            (void)ps_test_source_work(stage);                                                                \
            ps_test_source_close_batch(stage);                                                               \
            ps_test_stage_pass_ms(stage, 1);                                                                 \
            usleep(1000);                                                                                    \
        }                                                                                                    \
    } while (0)

static bool has_failed(const struct ps_test_stage *stage)
{
    return ps_test_stage_counter(stage, PS_COUNTER_EventReadFail) > 0;
}

/* Reads one file of `count` events, which the source must finish. Returns the body of the first event. */
static const char *read_file(struct ps_test_stage *stage, const char *name, size_t count)
{
    char finished[128];
    snprintf(finished, sizeof finished, "%s.COMPLETED", name);
    UNTIL(stage, is_there(finished) || has_failed(stage));
    assert_false(has_failed(stage));
    assert_int_equal(stage->event_count, count);
    return stage->events[0].body;
}

static void test_which_files(void **state)
{
    enum { GZIP, ZSTD, PLAIN };
    static const struct {
        const char *name;
        int content;
        const char *decompress, *deserializer;
        bool is_text; /* false: the events are the bytes of the file */
    } rows[] = {
        {"a.log.gz", GZIP, "auto", "LINE", true},
        {"a.GZ", GZIP, "auto", "LINE", true},
        {"a.zst", ZSTD, "auto", "LINE", true},
        {"a.gz", PLAIN, "auto", "LINE", true},
        {"a.log", GZIP, "auto", "LINE", false},
        {"a.zst", GZIP, "auto", "LINE", false}, /* the name suggests another format */
        {"a.gz", GZIP, "auto", "BLOB", false},
        {"a.gz", GZIP, "never", "LINE", false},
        {"a.log", GZIP, "always", "LINE", true},
        {"a.bin", ZSTD, "always", "BLOB", true},
        {"a.bin", PLAIN, "always", "LINE", true},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_test_stage stage;
        const char *text = "one line";
        if (rows[i].content == GZIP)
            gzip(text, strlen(text));
        else
            zstd(text, strlen(text));
        if (rows[i].content == PLAIN)
            put(rows[i].name, text, strlen(text));
        else
            put(rows[i].name, packed, packed_length);
        START(&stage, "penstock.decompress", rows[i].decompress, "deserializer", rows[i].deserializer,
              "inputCharset", "ISO-8859-1", "deletePolicy", "immediate");
        UNTIL(&stage, !is_there(rows[i].name));
        assert_true(stage.event_count > 0 && !has_failed(&stage));
        if (rows[i].is_text)
            assert_string_equal(stage.events[0].body, text);
        else
            assert_true(strcmp(stage.events[0].body, text) != 0);
        ps_test_stage_fini(&stage);
    }
}

/* An empty text is one empty event, like a file without bytes. */
static void test_empty(void **state)
{
    struct ps_test_stage stage;
    gzip("", 0);
    put("empty.gz", packed, packed_length);
    START(&stage, "fileHeader", "true");
    assert_string_equal(read_file(&stage, "empty.gz", 1), "");
    ps_test_stage_fini(&stage);
}

/* A file of a few thousand bytes has more text than a batch: one byte, repeated. The blob's buffer grows with the
 * text. */
static void test_much_from_little(void **state)
{
    enum { BYTES = 3000000 };
    struct ps_test_stage stage;
    char *text = malloc(BYTES);
    assert_non_null(text);
    memset(text, 'x', BYTES);
    gzip(text, BYTES);
    assert_true(packed_length < 4000);
    put("blob.gz", packed, packed_length);
    START(&stage, "deserializer", "BLOB", "penstock.decompress", "always");
    assert_memory_equal(read_file(&stage, "blob.gz", 1), text, BYTES);
    assert_int_equal(stage.events[0].length, BYTES);
    free(text);
    ps_test_stage_fini(&stage);
}

#define LINES 3000

static size_t numbers(char *text)
{
    size_t length = 0;
    for (unsigned i = 0; i < LINES; i++)
        length += (size_t)sprintf(text + length, "line %u %u\n", i, i * 7919 % 10007);
    return length;
}

/* Asserts that the events are the lines from `first` on, each once. */
static void expect_lines(const struct ps_test_stage *stage, size_t first)
{
    char line[64];
    for (size_t i = 0; i < stage->event_count; i++) {
        unsigned number = (unsigned)(first + i);
        snprintf(line, sizeof line, "line %u %u", number, number * 7919 % 10007);
        assert_string_equal(stage->events[i].body, line);
    }
}

/* Everything before the damage is delivered, once, even after a restart, which finds the damage again. The message names its offset. */
static void test_damaged(void **state)
{
    static char text[LINES * 24];
    size_t length = numbers(text);
    for (unsigned round = 0; round < 4; round++) {
        bool skips = round % 2 == 1;
        struct ps_test_stage stage;
        char name[32];
        if (round < 2)
            gzip(text, length);
        else
            zstd(text, length);
        snprintf(name, sizeof name, "cut%u.%s", round, round < 2 ? "gz" : "zst");
        put(name, packed, packed_length - 12);
        START(&stage, "penstock.onFileError", skips ? "skip" : "stop", "consumeOrder", "oldest");
        UNTIL(&stage, has_failed(&stage));
        for (unsigned i = 0; i < 100; i++) { /* everything is delivered, and the position is written */
            (void)ps_test_source_work(&stage);
            ps_test_source_close_batch(&stage);
            (void)stage.ops->source->tick(stage.plan, stage.state, &stage.now);
            ps_test_stage_pass_ms(&stage, 1);
            usleep(1000);
        }
        size_t delivered = stage.event_count;
        expect_lines(&stage, 0);
        assert_true(round >= 2 || delivered > LINES / 2); /* the zstd file has only one block, which is cut */
        assert_true(is_there(name));
        if (skips) { /* the next file is read */
            put("next", "next\n", 5);
            UNTIL(&stage, is_there("next.COMPLETED"));
            assert_int_equal(stage.event_count, delivered + 1);
            assert_int_equal(unlink(ps_test_folder_path("next.COMPLETED")), 0);
        } else {
            while (!stage.ops->source->drain(stage.plan, stage.state, &stage.now))
                usleep(1000);
            ps_test_source_clear(&stage);
            ps_test_stage_close(&stage);
            assert_int_equal(ps_test_stage_open(&stage), PS_OK);
            uint64_t failures = ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail);
            UNTIL(&stage, ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail) > failures ||
                              stage.event_count > 0);
            assert_int_equal(stage.event_count, 0);
        }
        ps_test_stage_fini(&stage);
        assert_int_equal(unlink(ps_test_folder_path(name)), 0);
    }
}

/* An earlier run left a position in the text, in the compressed bytes, or of another format: only the first is
 * continued. */
static void test_positions(void **state)
{
    static char text[LINES * 24];
    size_t length = numbers(text);
    uint64_t at = (uint64_t)(strstr(text, "line 2000 ") - text);
    static const struct {
        enum ps_compression compression;
        size_t first;
    } rows[] = {{PS_COMPRESSION_GZIP, 2000}, {PS_COMPRESSION_NONE, 0}, {PS_COMPRESSION_ZSTD, 0}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_test_stage stage;
        struct ps_err err;
        struct stat status;
        char target[256];
        gzip(text, length);
        put("a.gz", packed, packed_length);
        snprintf(target, sizeof target, "%s", ps_test_folder_path("a.gz"));
        assert_int_equal(stat(target, &status), 0);
        const struct ps_spool_meta meta = {.target = target,
                                           .position = at,
                                           .device = status.st_dev,
                                           .inode = status.st_ino,
                                           .compression = rows[i].compression};
        (void)mkdir(ps_test_folder_path(".flumespool"), 0755);
        assert_int_equal(
            ps_spool_meta_write(ps_test_folder_path(".flumespool/.flumespool-main.meta"), &meta, &err),
            PS_OK);
        START(&stage, "deletePolicy", "immediate");
        UNTIL(&stage, !is_there("a.gz"));
        assert_int_equal(stage.event_count, LINES - rows[i].first);
        expect_lines(&stage, rows[i].first);
        ps_test_stage_fini(&stage);
    }
}

/* The source is stopped in the middle of the text, and started again: it continues there. */
static void test_a_second_life(void **state)
{
    static char text[LINES * 24];
    size_t length = numbers(text);
    struct ps_test_stage stage;
    zstd(text, length);
    put("a.zst", packed, packed_length);
    START(&stage, "fileHeader", "false");
    UNTIL(&stage, stage.event_count >= 1000);
    while (!stage.ops->source->drain(stage.plan, stage.state, &stage.now)) {
        ps_test_source_close_batch(&stage);
        ps_test_stage_pass_ms(&stage, 1);
        usleep(1000);
    }
    ps_test_source_close_batch(&stage);
    size_t delivered = stage.event_count;
    expect_lines(&stage, 0);
    ps_test_source_clear(&stage);
    ps_test_stage_close(&stage);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    UNTIL(&stage, is_there("a.zst.COMPLETED"));
    assert_int_equal(stage.event_count, LINES - delivered);
    expect_lines(&stage, delivered);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, ps_test_folder_setup, ps_test_folder_teardown)
        IN_FOLDER(test_which_files), IN_FOLDER(test_empty),     IN_FOLDER(test_much_from_little),
        IN_FOLDER(test_damaged),     IN_FOLDER(test_positions), IN_FOLDER(test_a_second_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
