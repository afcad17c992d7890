/* Sink file_roll with penstock.compression: after every lease its file is a complete gzip member or zstd frame with
 * all confirmed events. If a kill cuts the next write anywhere, the confirmed events can still be read. The libraries
 * read what the sink wrote. */
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define FILE_BYTES_MAX (4U << 20)
#define TEXT_BYTES_MAX (8U << 20)
#define FIRST_NAME "1700000000000-1"

static unsigned writes_until_failure; /* writes before one fails; 0: none fails */
static int truncate_failures;

/* These replace functions of the C library. A write that fails has written half of its first piece. */
ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    if (writes_until_failure == 0 || --writes_until_failure > 0)
        return (ssize_t)syscall(SYS_writev, fd, pieces, count);
    if (pieces->iov_len > 1) {
        writes_until_failure = 1;
        return (ssize_t)syscall(SYS_write, fd, pieces->iov_base, pieces->iov_len / 2);
    }
    errno = ENOSPC;
    return -1;
}

int ftruncate(int fd, off_t length)
{
    if (truncate_failures > 0) {
        truncate_failures--;
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_ftruncate, fd, length);
}

/* ---- reading ---- */

struct text {
    char *bytes;
    size_t length;
    bool whole; /* the file ends where a member or frame ends */
};

static char *file_bytes;
static struct text text;

static size_t file_read(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(file_bytes, 1, FILE_BYTES_MAX, file);
    fclose(file);
    assert_true(length < FILE_BYTES_MAX);
    return length;
}

static void inflate_all(size_t length)
{
    z_stream stream = {.next_in = (unsigned char *)file_bytes, .avail_in = (unsigned)length};
    assert_int_equal(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
    stream.next_out = (unsigned char *)text.bytes;
    stream.avail_out = TEXT_BYTES_MAX;
    int code;
    do {
        code = inflate(&stream, Z_NO_FLUSH);
        text.whole = code == Z_STREAM_END && stream.avail_in == 0;
        if (code == Z_STREAM_END && stream.avail_in > 0)
            assert_int_equal(inflateReset(&stream), Z_OK);
    } while ((code == Z_OK || code == Z_STREAM_END) && stream.avail_in > 0);
    assert_true(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR); /* cut, not damaged */
    text.length = TEXT_BYTES_MAX - stream.avail_out;
    inflateEnd(&stream);
}

static void unpack_zstd(size_t length)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer from = {file_bytes, length, 0};
    ZSTD_outBuffer to = {text.bytes, TEXT_BYTES_MAX, 0};
    assert_non_null(context);
    text.whole = false;
    while (from.pos < from.size) {
        size_t rest = ZSTD_decompressStream(context, &to, &from);
        assert_false(ZSTD_isError(rest));
        text.whole = rest == 0 && from.pos == from.size;
    }
    text.length = to.pos;
    ZSTD_freeDCtx(context);
}

/* Reads the first `length` bytes of the file that file_read has read. */
static void unpack(bool gzip, size_t length)
{
    if (gzip)
        inflate_all(length);
    else
        unpack_zstd(length);
}

static const char *name_of(bool gzip, unsigned number)
{
    static char name[64];
    snprintf(name, sizeof name, "1700000000000-%u.%s", number, gzip ? "gz" : "zst");
    return name;
}

static void read_whole(bool gzip, unsigned number)
{
    unpack(gzip, file_read(ps_test_folder_path(name_of(gzip, number))));
    assert_true(text.whole);
}

static void expect_text(const char *expected, size_t length)
{
    assert_int_equal(text.length, length);
    assert_memory_equal(text.bytes, expected, length);
}

/* ---- the sink ---- */

static void start(struct ps_test_stage *stage, bool gzip, const char *serializer)
{
    ps_test_stage_start(stage, &ps_sink_file_roll,
                        PS_KEYS("sink.directory", ps_test_folder(), "sink.rollInterval", "2",
                                "sink.serializer", serializer, "penstock.compression",
                                gzip ? "gzip" : "zstd"));
    (void)ps_test_sink_tick(stage);
}

static void put(struct ps_test_stage *stage, const char *body)
{
    struct ps_lease *lease = PS_LEASE(stage, PS_EVENT(body, "k", "v"));
    assert_int_equal(ps_test_sink_work(stage, &lease), PS_DONE);
}

static void test_whole_after_each_lease(void **state)
{
    bool gzip = *(const bool *)*state;
    struct ps_test_stage stage;
    start(&stage, gzip, "text");
    read_whole(gzip, 1); /* also without events */
    expect_text("", 0);
    put(&stage, "one");
    read_whole(gzip, 1);
    expect_text("one\n", 4);
    put(&stage, "two");
    read_whole(gzip, 1);
    expect_text("one\ntwo\n", 8);
    ps_test_stage_pass_ms(&stage, 2000);
    (void)ps_test_sink_tick(&stage);
    read_whole(gzip, 1);
    expect_text("one\ntwo\n", 8);
    read_whole(gzip, 2);
    expect_text("", 0);
    put(&stage, "three");
    ps_test_stage_fini(&stage);
    read_whole(gzip, 2);
    expect_text("three\n", 6);
}

/* The file is one stream, so a short lease compresses better after others. */
static void test_short_leases_shrink(void **state)
{
    bool gzip = *(const bool *)*state;
    enum { COUNT = 500 };
    struct ps_test_stage stage;
    char body[160];
    size_t plain = 0;
    start(&stage, gzip, "text");
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(body, sizeof body,
                 "2023-11-14T22:13:20Z host-7 INFO server.Request: GET /items/%u answered 200", i);
        plain += strlen(body) + 1;
        put(&stage, body);
    }
    assert_true(file_read(ps_test_folder_path(name_of(gzip, 1))) < plain / 2);
    read_whole(gzip, 1);
    assert_int_equal(text.length, plain);
    ps_test_stage_fini(&stage);
}

/* A kill can leave all of the last commit except its end, and a beginning of the next bytes. */
static void test_cut_anywhere(void **state)
{
    bool gzip = *(const bool *)*state;
    size_t end_length = gzip ? 10 : 3, confirmed = 0;
    struct ps_test_stage stage;
    char body[200];
    uint64_t random = ps_test_seed();
    start(&stage, gzip, "text");
    put(&stage, "first");
    for (unsigned i = 0; i < 20; i++) {
        confirmed = (read_whole(gzip, 1), text.length);
        size_t before = file_read(ps_test_folder_path(name_of(gzip, 1)));
        char *expected = malloc(confirmed);
        assert_non_null(expected);
        memcpy(expected, text.bytes, confirmed);
        unsigned length = (unsigned)(ps_test_random(&random) % (sizeof body - 1));
        for (unsigned at = 0; at < length; at++)
            body[at] = (char)('a' + ps_test_random(&random) % 20);
        body[length] = '\0';
        put(&stage, body);
        size_t after = file_read(ps_test_folder_path(name_of(gzip, 1)));
        for (size_t cut = before - end_length; cut <= after; cut++) {
            unpack(gzip, cut);
            assert_true(text.length >= confirmed);
            assert_memory_equal(text.bytes, expected, confirmed);
        }
        free(expected);
    }
    ps_test_stage_fini(&stage);
}

/* Plays random leases and failures of writes and of truncation. After each of them every confirmed event can be read,
 * once. */
static void drawn(bool gzip, const char *serializer, uint64_t random)
{
    static const char *const headers[] = {"k", "v", NULL};
    struct ps_test_stage stage;
    char *expected = malloc(TEXT_BYTES_MAX), *big = malloc(300000);
    size_t length = 0;
    assert_true(expected != NULL && big != NULL);
    for (size_t i = 0; i < 300000; i++)
        big[i] = (char)('a' + ps_test_random(&random) % 26);
    start(&stage, gzip, serializer);
    const char *head = serializer[0] == 't' ? "" : "{k=v} ";
    for (unsigned step = 0; step < 15; step++) {
        struct ps_test_event events[12];
        size_t count = 1 + ps_test_random(&random) % PS_COUNT_OF(events), bigs = 0;
        for (size_t i = 0; i < count; i++) {
            bool is_big = ps_test_random(&random) % 6 == 0 && bigs++ < 3;
            events[i] = (struct ps_test_event){
                .body = big,
                .length = (uint32_t)(ps_test_random(&random) % (is_big ? 300000 : 100)),
                .headers = headers};
        }
        struct ps_lease *lease = ps_test_lease(&stage, events, count);
        enum ps_result result = PS_RETRY;
        while (result == PS_RETRY && ps_test_random(&random) % 3 == 0) {
            writes_until_failure = 1 + (unsigned)(ps_test_random(&random) % 2);
            truncate_failures = ps_test_random(&random) % 4 == 0;
            result = ps_test_sink_work(&stage, &lease);
            writes_until_failure = 0;
            truncate_failures = 0;
            unpack(gzip, file_read(ps_test_folder_path(name_of(gzip, 1))));
            assert_true(text.length >= length);
            assert_memory_equal(text.bytes, expected, length);
        }
        if (result == PS_RETRY)
            result = ps_test_sink_work(&stage, &lease);
        assert_int_equal(result, PS_DONE);
        for (size_t i = 0; i < count; i++) {
            memcpy(expected + length, head, strlen(head));
            length += strlen(head);
            memcpy(expected + length, big, events[i].length);
            length += events[i].length;
            expected[length++] = '\n';
        }
        read_whole(gzip, 1);
        expect_text(expected, length);
        if (length > TEXT_BYTES_MAX / 2 ||
            file_read(ps_test_folder_path(name_of(gzip, 1))) > FILE_BYTES_MAX / 2)
            break;
    }
    ps_test_stage_fini(&stage);
    read_whole(gzip, 1);
    expect_text(expected, length);
    assert_int_equal(remove(ps_test_folder_path(name_of(gzip, 1))), 0);
    free(expected);
    free(big);
}

static void test_drawn(void **state)
{
    uint64_t random = ps_test_seed();
    for (unsigned i = 0; i < 4; i++)
        drawn(*(const bool *)*state, i % 2 == 0 ? "text" : "header_and_text", ps_test_random(&random));
}

/* The end of a stream that was given up comes with the next bytes, or when the file ends. */
static void test_failure_then_end(void **state)
{
    bool gzip = *(const bool *)*state;
    for (unsigned before = 0; before < 2; before++) {
        struct ps_test_stage stage;
        start(&stage, gzip, "text");
        if (before == 1)
            put(&stage, "before");
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("refused"));
        writes_until_failure = 1;
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_RETRY);
        writes_until_failure = 0;
        ps_test_stage_pass_ms(&stage, 2000);
        (void)ps_test_sink_tick(&stage);
        read_whole(gzip, 1);
        expect_text("before\n", before == 1 ? 7 : 0);
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_DONE);
        read_whole(gzip, 2);
        expect_text("refused\n", 8);
        ps_test_stage_fini(&stage);
        for (unsigned number = 1; number <= 2; number++)
            assert_int_equal(remove(ps_test_folder_path(name_of(gzip, number))), 0);
    }
}

/* An Avro container's header may be cut off with its first event: the next file begins, and both are complete. */
static void test_avro(void **state)
{
    bool gzip = *(const bool *)*state;
    struct ps_test_stage stage;
    start(&stage, gzip, "avro_event");
    put(&stage, "body one");
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("body two"));
    writes_until_failure = 1;
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_RETRY);
    writes_until_failure = 0;
    if (ps_test_sink_work(&stage, &lease) != PS_DONE) {
        ps_test_stage_pass_ms(&stage, 3000);
        (void)ps_test_sink_tick(&stage);
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_DONE);
    }
    ps_test_stage_fini(&stage);
    read_whole(gzip, 1);
    assert_memory_equal(text.bytes, "Obj\1", 4);
    assert_non_null(memmem(text.bytes, text.length, "body one", 8));
}

/* A test truncates the file: lines that are written later can be read. */
static void test_truncated_by_others(void **state)
{
    bool gzip = *(const bool *)*state;
    struct ps_test_stage stage;
    start(&stage, gzip, "text");
    put(&stage, "gone");
    assert_int_equal(truncate(ps_test_folder_path(name_of(gzip, 1)), 0), 0);
    put(&stage, "after");
    put(&stage, "and more");
    read_whole(gzip, 1);
    expect_text("after\nand more\n", 15);
    assert_int_equal(truncate(ps_test_folder_path(name_of(gzip, 1)), 0), 0);
    ps_test_stage_fini(&stage);
}

static void test_names(void **unused)
{
    static const char *const cases[][3] = {
        {"log", "gzip", FIRST_NAME ".log.gz"},    {"gz", "gzip", FIRST_NAME ".gz"},
        {"log.gz", "gzip", FIRST_NAME ".log.gz"}, {"xgz", "gzip", FIRST_NAME ".xgz.gz"},
        {"log", "zstd", FIRST_NAME ".log.zst"},   {"zst", "zstd", FIRST_NAME ".zst"},
        {"gz", "none", FIRST_NAME ".gz"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_sink_file_roll,
                            PS_KEYS("sink.directory", ps_test_folder(), "sink.pathManager.extension",
                                    cases[i][0], "penstock.compression", cases[i][1]));
        (void)ps_test_sink_tick(&stage);
        assert_int_equal(remove(ps_test_folder_path(cases[i][2])), 0);
        ps_test_stage_fini(&stage);
    }
}

static int room_setup(void **state)
{
    file_bytes = malloc(FILE_BYTES_MAX);
    text.bytes = malloc(TEXT_BYTES_MAX);
    return file_bytes == NULL || text.bytes == NULL;
}

static int room_teardown(void **state)
{
    free(file_bytes);
    free(text.bytes);
    return 0;
}

int main(void)
{
    static bool gzip = true, zstd = false;
#define BOTH(test)                                                                                           \
    {#test " gzip", test, ps_test_folder_setup, ps_test_folder_teardown, &gzip},                             \
    {                                                                                                        \
#test " zstd", test, ps_test_folder_setup, ps_test_folder_teardown, &zstd                            \
    }
    const struct CMUnitTest tests[] = {
        BOTH(test_whole_after_each_lease),
        BOTH(test_short_leases_shrink),
        BOTH(test_cut_anywhere),
        BOTH(test_drawn),
        BOTH(test_failure_then_end),
        BOTH(test_avro),
        BOTH(test_truncated_by_others),
        cmocka_unit_test_setup_teardown(test_names, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, room_setup, room_teardown);
}
