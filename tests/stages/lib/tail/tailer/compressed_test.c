/* What the log tells of a compressed file that is not read: one line at its level, for each format and each thing that is known of its text. What the
 * beginning and the end of a file tell of its text, at each limit. */
#include "stages/lib/tail/tailer/internal.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define TEXT "one\ntwo\n"

struct row {
    const char *format;
    size_t text_length; /* 0: its format cannot be decompressed */
    int64_t text_bytes;
    bool is_certain;
    int64_t read;         /* its original was read up to here, and is gone; -1: there is no original */
    const char *expected; /* the only line has it; NULL: there is no line of the level INFO or above */
    int64_t lost;
};

static const struct row rows[] = {
    {"xz", 0, 0, false, -1, "compressed with xz: it is not read, and not compared", 0},
    {"xz", 0, 0, false, 4, "compressed with xz: it is not read, and not compared", 0},
    {"gzip", 0, 0, false, -1, "compressed with gzip: it is not read, and not compared", 0},
    {"gzip", 8, 8, true, -1, "compressed with gzip, and begins like no file that was read before", 0},
    {"zstd", 8, 0, false, -1, "compressed with zstd, and begins like no file that was read before", 0},
    {"gzip", 8, 8, true, 8, NULL, 0},
    {"gzip", 8, 7, true, 8, NULL, 0},
    {"gzip", 8, 9, true, 8, "with gzip before its rest was read: these 1 bytes are not read", 1},
    {"gzip", 8, 900, true, 8, "with gzip before its rest was read: these 892 bytes are not read", 892},
    {"zstd", 8, 8, false, 8, NULL, 0},
    {"zstd", 8, 7, false, 8, "with zstd: it is not complete, or may be longer", 0},
    {"zstd", 8, 0, false, 8, "with zstd: it is not complete, or may be longer", 0},
};

static void expect_line(const struct row *row, size_t number, const char *text)
{
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    if (lines != (row->expected != NULL) || (row->expected != NULL && strstr(text, row->expected) == NULL))
        fail_msg("row %zu: %zu lines: %s", number, lines, text);
}

static void test_lines(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        struct ps_counters counters = {{0}};
        struct ps_port port = {.component = "source t1", .counters = &counters};
        struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
        struct ps_tail_start start = {.format = row->format,
                                      .text_length = row->text_length,
                                      .text_bytes = row->text_bytes,
                                      .is_certain = row->is_certain};
        struct ps_tail_log log = {.path = (char *)(uintptr_t) "/app.1", .size = 5}, original = log;
        char file[16];
        snprintf(file, sizeof file, "log%zu", i);
        memcpy(start.text, TEXT, row->text_length);
        tailer->port = &port;
        ps_tail_slots_grow(&tailer->saves.changed, 4);
        original.resolved = true;
        original.read_offset = row->read;
        original.head.owner = &original;
        ps_tail_file_set(&original.file, -1, PS_TAIL_CACHE);
        if (row->read >= 0)
            ps_tail_fingerprint_index_put(&tailer->fingerprints, &original.head, ps_tail_head(TEXT, 8), 8);
        assert_int_equal(ps_log_open(ps_test_folder_path(file), NULL), PS_OK);
        ps_tail_compressed_found(tailer, &log, &start);
        ps_log_flush();
        expect_line(row, i, ps_test_folder_read(file));
        assert_true(log.compressed);
        assert_int_equal(log.read_offset, 5);
        assert_int_equal(log.delivered_offset, 5);
        assert_int_equal(ps_counter_read(&counters, (enum ps_counter)PS_TAIL_COUNTER_lost_bytes), row->lost);
        ps_tail_fingerprint_index_put(&tailer->fingerprints, &original.head, 0, 0);
        ps_tail_fingerprint_index_free(&tailer->fingerprints);
        ps_tail_slots_free(&tailer->saves.changed);
        free(tailer);
    }
    assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
}

/* ---- the beginning of the text ---- */

static char packed[1 << 18];

static size_t pack(bool zstd, const char *text, size_t length, char *to)
{
    if (zstd) {
        size_t made = ZSTD_compress(to, 1 << 17, text, length, 3);
        assert_false(ZSTD_isError(made));
        return made;
    }
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)text,
                       .avail_in = (unsigned)length,
                       .next_out = (unsigned char *)to,
                       .avail_out = 1 << 17};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return (size_t)((char *)stream.next_out - to);
}

/* The first 1,024 bytes of the text, whatever its length is, also out of several members or frames. The identity is that of the text. */
static void test_beginnings(void **unused)
{
    static const size_t lengths[] = {0, 1, 1023, 1024, 1025, 50000};
    static char text[2 * 50000];
    uint64_t state = ps_test_seed() | 1;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + ps_test_random(&state) % 26);
    for (unsigned zstd = 0; zstd < 2; zstd++) {
        for (size_t i = 0; i < PS_COUNT_OF(lengths); i++) {
            for (unsigned parts = 1; parts <= 2; parts++) {
                struct ps_tail_start start;
                size_t whole = parts * lengths[i], length = 0;
                for (unsigned part = 0; part < parts; part++)
                    length += pack(zstd > 0, text + part * lengths[i], lengths[i], packed + length);
                memset(&start, 0x5A, sizeof start);
                assert_true(ps_tail_start_of(&start, packed, length));
                assert_string_equal(start.format, zstd > 0 ? "zstd" : "gzip");
                size_t expected = whole < PS_TAIL_HEAD_BYTES ? whole : PS_TAIL_HEAD_BYTES;
                assert_int_equal(start.text_length, expected);
                assert_memory_equal(start.text, text, expected);
                if (zstd == 0) { /* the end of the file has the length */
                    assert_false(start.is_certain);
                    assert_int_equal(start.text_bytes, 0);
                } else if (parts == 1) {
                    assert_true(start.is_certain);
                    assert_int_equal(start.text_bytes, whole);
                }
                const struct ps_tail_identity file = {
                    .device = 3, .inode = 4, .head = 5, .head_length = 1024};
                const struct ps_tail_identity identity = ps_tail_start_identity(&start, &file);
                assert_true(identity.device == 3 && identity.inode == 4);
                assert_int_equal(identity.head_length, expected);
                assert_true(identity.head == ps_tail_head(text, expected));
            }
        }
    }
    struct ps_tail_start start;
    assert_true(ps_tail_start_of(&start, "plain", 5));
    assert_true(start.format == NULL && start.text_length == 0 && start.text_bytes == 0 && !start.is_certain);
}

/* ---- the length at the end of a gzip file ---- */

#define RATIO 1032                            /* text bytes that one byte may stand for at most */
#define LONGEST ((int64_t)UINT32_MAX / RATIO) /* a longer file may have a text of more than 4 GiB */

/* The length is certain if the file is long enough for it, and too short for a text that is 4 GiB longer. */
static void test_lengths(void **unused)
{
    static const struct {
        int64_t size;
        uint32_t length;
        bool known, certain;
    } ends[] = {
        {17, 5, false, false},
        {18, 5, true, true},
        {18, 18 * RATIO, true, true},
        {18, 18 * RATIO + 1, true, false},
        {100, 0, true, true},
        {100, 100 * RATIO, true, true},
        {100, UINT32_MAX, true, false},
        {LONGEST, 0x01020304, true, true},
        {LONGEST, 0xFFFFFFF8, true, false},
        {LONGEST + 1, 0x01020304, true, false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(ends); i++) {
        struct ps_tail_start start;
        unsigned char last[4];
        size_t length = pack(false, TEXT, strlen(TEXT), packed);
        int fd = open(ps_test_folder_path("app.gz"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_true(length > 18);
        assert_int_equal(pwrite(fd, packed, 14, 0), 14); /* the magic and some of the text */
        assert_int_equal(ftruncate(fd, ends[i].size), 0);
        for (unsigned k = 0; k < 4; k++)
            last[k] = (unsigned char)(ends[i].length >> 8 * k);
        assert_int_equal(pwrite(fd, last, 4, ends[i].size - 4), 4);
        if (!ps_tail_start_read(&start, fd, ends[i].size) || start.is_certain != ends[i].certain ||
            start.text_bytes != (ends[i].known ? ends[i].length : 0))
            fail_msg("%lld bytes, %u at the end: %lld%s", (long long)ends[i].size, ends[i].length,
                     (long long)start.text_bytes, start.is_certain ? ", certain" : "");
        assert_string_equal(start.format, "gzip");
        assert_int_equal(ftruncate(fd, ends[i].size - 3), 0); /* it was cut meanwhile */
        assert_true(ps_tail_start_read(&start, fd, ends[i].size));
        assert_false(start.is_certain);
        close(fd);
    }
    struct ps_tail_start start;
    int folder = open(ps_test_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    errno = 0;
    assert_false(ps_tail_start_read(&start, folder, 100));
    assert_int_equal(errno, EISDIR);
    close(folder);
}

/* ---- formats ---- */

/* Each format by its first bytes: with one byte less, or one other byte, it is none. */
static void test_formats(void **unused)
{
    static const struct {
        const char *name, *magic;
        size_t length;
    } formats[] = {
        {"gzip", "\x1f\x8b\x08", 3},
        {"zstd", "\x28\xb5\x2f\xfd", 4},
        {"xz",
         "\xfd"
         "7zXZ\0",
         6},
        {"lz4", "\x04\x22\x4d\x18", 4},
        {"lzop",
         "\x89"
         "LZO\0",
         5},
        {"lzip", "LZIP\x01", 5},
        {"lzma", "\x5d\0\0", 3},
        {"compress", "\x1f\x9d", 2},
        {"zip", "PK\x03\x04", 4},
        {"bzip2", "BZh1\x31\x41\x59\x26\x53\x59", 10},
        {"bzip2", "BZh9\x17\x72\x45\x38\x50\x90", 10},
    };
    for (size_t i = 0; i < PS_COUNT_OF(formats); i++) {
        char bytes[16];
        memcpy(bytes, formats[i].magic, formats[i].length);
        char *exact = ps_test_exact_copy(bytes, formats[i].length);
        struct ps_tail_start start;
        assert_true(ps_tail_is_compressed(exact, formats[i].length));
        assert_true(ps_tail_start_of(&start, exact, formats[i].length));
        assert_string_equal(start.format, formats[i].name);
        assert_false(ps_tail_is_compressed(exact, formats[i].length - 1));
        for (size_t k = 0; k < formats[i].length; k++) {
            exact[k] ^= 0x40;
            if (ps_tail_is_compressed(exact, formats[i].length))
                fail_msg("%s with another byte %zu", formats[i].name, k);
            exact[k] ^= 0x40;
        }
        free(exact);
    }
    assert_false(ps_tail_is_compressed("BZh0\x31\x41\x59\x26\x53\x59", 10));
    assert_false(ps_tail_is_compressed("", 0));
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {IN_FOLDER(test_lines), cmocka_unit_test(test_beginnings),
                                       IN_FOLDER(test_lengths), cmocka_unit_test(test_formats)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
