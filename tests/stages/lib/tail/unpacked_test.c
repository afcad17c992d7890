/* Compressed files read as plain ones: random texts, members, reads and seeks are compared with the text; files that
 * are cut or changed at any byte. */
#include "stages/lib/tail/unpacked.h"

#include "core/deserializer.h"
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define TEXT_BYTES (3U << 20)
#define PACKED_BYTES (4U << 20)
#define ZSTD_FRAME_HEAD_BYTES 6U /* magic, descriptor, window */

static char *text, *got;
static uint8_t *packed;
static size_t text_length, packed_length;
static char path[64];
static struct ps_tail_reader reader;
static struct ps_tail_file file;
static struct ps_unpacked unpacked;

static void pack(enum ps_compression kind, const char *data, size_t length, int level)
{
    if (kind == PS_COMPRESSION_ZSTD) {
        ZSTD_CCtx *context = ZSTD_createCCtx();
        assert_non_null(context);
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, level % 2);
        size_t made =
            ZSTD_compress2(context, packed + packed_length, PACKED_BYTES - packed_length, data, length);
        assert_false(ZSTD_isError(made));
        packed_length += made;
        ZSTD_freeCCtx(context);
        return;
    }
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)data,
                       .avail_in = (unsigned)length,
                       .next_out = packed + packed_length,
                       .avail_out = (unsigned)(PACKED_BYTES - packed_length)};
    assert_int_equal(deflateInit2(&stream, level, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed_length = PACKED_BYTES - stream.avail_out;
    deflateEnd(&stream);
}

/* Draws a text, packed in members or frames of any length, some of them empty. */
static void draw_text(enum ps_compression kind, uint64_t *random, size_t most)
{
    text_length = ps_test_random(random) % most;
    unsigned letters = 1 + (unsigned)(ps_test_random(random) % 200);
    for (size_t i = 0; i < text_length; i++)
        text[i] = (char)(ps_test_random(random) % letters);
    packed_length = 0;
    size_t at = 0;
    do {
        size_t length = ps_test_random(random) % 3 == 0 ? ps_test_random(random) % 100
                                                        : ps_test_random(random) % (text_length + 1);
        if (length > text_length - at)
            length = text_length - at;
        pack(kind, text + at, length, 1 + (int)(ps_test_random(random) % 6));
        at += length;
    } while (at < text_length);
}

static void write_file(size_t length)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, packed, length), length);
    ps_tail_file_set(&file, fd, PS_TAIL_MEMORY);
}

static void begin(enum ps_compression kind, size_t length)
{
    write_file(length);
    ps_unpacked_begin(&unpacked, kind, &reader, &file, PS_UNPACKED_BLOCK_BYTES);
}

static int64_t read_at(uint64_t offset, uint32_t room)
{
    int64_t length;
    do /* NOT_NOW is only the pause between pieces of work, as the file is in memory */
        length = ps_unpacked_read(&unpacked, offset, got, room);
    while (length == PS_INPUT_NOT_NOW);
    if (length > 0) {
        assert_true((uint64_t)length <= room && offset + (uint64_t)length <= text_length);
        assert_memory_equal(got, text + offset, (size_t)length);
    }
    return length;
}

/* Reads on until nothing more comes. Returns the offset that it reached. */
static uint64_t read_on(uint64_t offset, int64_t *last)
{
    while ((*last = read_at(offset, 100000)) > 0)
        offset += (uint64_t)*last;
    return offset;
}

static void test_drawn_reads(void **state)
{
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 20; round++) {
        enum ps_compression kind = round % 2 == 0 ? PS_COMPRESSION_GZIP : PS_COMPRESSION_ZSTD;
        draw_text(kind, &random, round % 5 == 0 ? TEXT_BYTES : 20000);
        assert_int_equal(ps_compression_of(packed, packed_length), kind);
        begin(kind, packed_length);
        uint64_t offset = 0;
        for (unsigned i = 0; i < 60; i++) {
            int64_t length = read_at(offset, 1 + (uint32_t)(ps_test_random(&random) % 200000));
            assert_true(length > 0 || (length == 0 && offset == text_length));
            uint64_t drawn = ps_test_random(&random);
            if (drawn % 4 == 0) /* a part is read again */
                offset += (uint64_t)length / 2;
            else if (drawn % 16 == 1) /* a restart at any offset */
                offset = text_length > 0 ? (drawn >> 8) % text_length : 0;
            else
                offset += (uint64_t)length;
        }
        int64_t last;
        assert_int_equal(read_on(0, &last), text_length);
        assert_int_equal(last, PS_INPUT_END);
        close(file.fd);
    }
}

/* Returns the length of the text that the library unpacks from the file's first `cut` bytes. */
static size_t length_of_cut(enum ps_compression kind, size_t cut)
{
    if (kind == PS_COMPRESSION_ZSTD) {
        ZSTD_DCtx *context = ZSTD_createDCtx();
        assert_non_null(context);
        ZSTD_inBuffer from = {packed, cut, 0};
        ZSTD_outBuffer to = {got, TEXT_BYTES, 0};
        assert_false(ZSTD_isError(ZSTD_decompressStream(context, &to, &from)));
        ZSTD_freeDCtx(context);
        return to.pos;
    }
    z_stream stream = {.next_in = packed,
                       .avail_in = (unsigned)cut,
                       .next_out = (unsigned char *)got,
                       .avail_out = TEXT_BYTES};
    assert_int_equal(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
    (void)inflate(&stream, Z_SYNC_FLUSH);
    inflateEnd(&stream);
    return TEXT_BYTES - stream.avail_out;
}

/* A truncated file gives all text that can be unpacked; the error after that names the file's end. */
static void test_cut_anywhere(void **state)
{
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 100; round++) {
        enum ps_compression kind = round % 2 == 0 ? PS_COMPRESSION_GZIP : PS_COMPRESSION_ZSTD;
        packed_length = 0;
        text_length = 5000 + ps_test_random(&random) % 200000;
        for (size_t i = 0; i < text_length; i++)
            text[i] = (char)(ps_test_random(&random) % 40);
        pack(kind, text, text_length, 2);
        size_t cut = round == 0 ? packed_length - 1 : 4 + ps_test_random(&random) % (packed_length - 4);
        begin(kind, cut);
        int64_t last;
        uint64_t end = read_on(0, &last);
        assert_int_equal(last, PS_INPUT_UNREADABLE);
        assert_non_null(unpacked.damage);
        assert_int_equal(unpacked.damaged_at, cut);
        assert_true(round > 0 || end == text_length); /* all but the checksum's last byte is there */
        assert_int_equal(end, length_of_cut(kind, cut));
        assert_int_equal(read_at(end, 10), PS_INPUT_UNREADABLE); /* again */
        close(file.fd);
    }
}

/* A wrong checksum is found after all of the text. */
static void test_checksum(void **state)
{
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 20; round++) {
        packed_length = 0;
        text_length = 300000;
        for (size_t i = 0; i < text_length; i++)
            text[i] = (char)(ps_test_random(&random) % 100);
        pack(PS_COMPRESSION_GZIP, text, text_length, 6);
        size_t at = packed_length - 8 + ps_test_random(&random) % 8; /* CRC and length */
        packed[at] = (uint8_t)(packed[at] ^ (1U << ps_test_random(&random) % 8));
        begin(PS_COMPRESSION_GZIP, packed_length);
        int64_t last;
        assert_int_equal(read_on(0, &last), text_length);
        assert_int_equal(last, PS_INPUT_UNREADABLE);
        close(file.fd);
    }
}

/* A block of a zstd frame is damaged: the text before it can be read, and the error names its offset. */
static void test_damaged_block(void **state)
{
    enum { BLOCK_BYTES = 10000, BLOCKS = 8 };
    uint64_t random = ps_test_seed();
    for (unsigned damaged = 0; damaged < BLOCKS; damaged++) {
        ZSTD_CCtx *context = ZSTD_createCCtx();
        assert_non_null(context);
        text_length = (size_t)BLOCK_BYTES * BLOCKS;
        for (size_t i = 0; i < text_length; i++)
            text[i] = (char)(ps_test_random(&random) % 50);
        ZSTD_outBuffer to = {packed, PACKED_BYTES, 0};
        size_t begins[BLOCKS];
        for (unsigned i = 0; i < BLOCKS; i++) {
            ZSTD_inBuffer from = {text + (size_t)i * BLOCK_BYTES, BLOCK_BYTES, 0};
            begins[i] = to.pos;
            assert_int_equal(
                ZSTD_compressStream2(context, &to, &from, i + 1 < BLOCKS ? ZSTD_e_flush : ZSTD_e_end), 0);
        }
        ZSTD_freeCCtx(context);
        packed_length = to.pos;
        size_t head = damaged == 0 ? ZSTD_FRAME_HEAD_BYTES : 0;
        packed[begins[damaged] + head] |= 6; /* an invalid block type */
        begin(PS_COMPRESSION_ZSTD, packed_length);
        int64_t last;
        assert_int_equal(read_on(0, &last), damaged * BLOCK_BYTES);
        assert_int_equal(last, PS_INPUT_UNREADABLE);
        assert_non_null(strstr(unpacked.damage, "damaged"));
        assert_in_range(unpacked.damaged_at, begins[damaged], begins[damaged] + head + 3);
        close(file.fd);
    }
}

static void test_what_follows(void **state)
{
    static const struct {
        enum ps_compression kind;
        const char *tail;
        size_t length;
        int64_t last;
    } rows[] = {
        {PS_COMPRESSION_GZIP, "\0\0\0\0", 4, PS_INPUT_END}, /* a tape's last block */
        {PS_COMPRESSION_GZIP, "\0\0x", 3, PS_INPUT_UNREADABLE},
        {PS_COMPRESSION_GZIP, "plain", 5, PS_INPUT_UNREADABLE},
        {PS_COMPRESSION_GZIP, "\x1f", 1, PS_INPUT_UNREADABLE},
        {PS_COMPRESSION_ZSTD, "plain", 5, PS_INPUT_UNREADABLE},
        {PS_COMPRESSION_ZSTD, "\x28\xb5", 2, PS_INPUT_UNREADABLE},
        {PS_COMPRESSION_ZSTD, "\x50\x2a\x4d\x18\2\0\0\0ab", 10, PS_INPUT_END}, /* a skippable frame */
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        packed_length = 0;
        text_length = 7;
        memcpy(text, "a text\n", 7);
        pack(rows[i].kind, text, text_length, 6);
        memcpy(packed + packed_length, rows[i].tail, rows[i].length);
        begin(rows[i].kind, packed_length + rows[i].length);
        int64_t last;
        assert_int_equal(read_on(0, &last), text_length);
        assert_int_equal(last, rows[i].last);
        close(file.fd);
    }
}

/* pzstd writes a skippable frame before each frame. */
static void test_skippable_first(void **state)
{
    static const char frame[] = "\x50\x2a\x4d\x18\4\0\0\0abcd";
    packed_length = 0;
    text_length = 14;
    memcpy(text, "a text\nanother", text_length);
    for (size_t at = 0; at < text_length; at += 7) {
        memcpy(packed + packed_length, frame, sizeof frame - 1);
        packed_length += sizeof frame - 1;
        pack(PS_COMPRESSION_ZSTD, text + at, 7, 3);
    }
    assert_int_equal(ps_compression_of(packed, packed_length), PS_COMPRESSION_ZSTD);
    begin(PS_COMPRESSION_ZSTD, packed_length);
    int64_t last;
    assert_int_equal(read_on(0, &last), text_length);
    assert_int_equal(last, PS_INPUT_END);
    close(file.fd);
}

/* The position of an earlier run is past the end: nothing counts as read. */
static void test_position_behind_the_end(void **state)
{
    packed_length = 0;
    text_length = 7;
    memcpy(text, "a text\n", 7);
    pack(PS_COMPRESSION_GZIP, text, text_length, 6);
    begin(PS_COMPRESSION_GZIP, packed_length);
    assert_int_equal(read_at(8, 10), PS_INPUT_UNREADABLE);
    assert_non_null(strstr(unpacked.damage, "ends before the position"));
    close(file.fd);
}

/* The file cannot be read, from its beginning or from the middle on: the error is told, not only the damage, and the next try from the beginning
 * reads all of it. */
static void test_a_file_that_cannot_be_read(void **state)
{
    uint64_t random = ps_test_seed();
    int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), sound;
    assert_true(directory >= 0);
    text_length = TEXT_BYTES / 4;
    for (size_t i = 0; i < text_length; i++)
        text[i] = (char)ps_test_random(&random); /* which fills several pieces of the file */
    for (unsigned round = 0; round < 4; round++) {
        enum ps_compression kind = round % 2 == 0 ? PS_COMPRESSION_GZIP : PS_COMPRESSION_ZSTD;
        uint64_t offset = 0;
        int64_t last;
        packed_length = 0;
        pack(kind, text, text_length, 1);
        begin(kind, packed_length);
        if (round >= 2)
            offset = (uint64_t)read_at(0, 10);
        sound = dup(file.fd);
        assert_true(sound >= 0 && dup2(directory, file.fd) == file.fd);
        offset = read_on(offset, &last);
        assert_true(offset < text_length && (offset > 0) == (round >= 2));
        assert_int_equal(last, PS_INPUT_UNREADABLE);
        assert_string_equal(unpacked.damage, strerror(EISDIR));
        assert_int_equal(dup2(sound, file.fd), file.fd);
        unpacked.begun = false;
        assert_int_equal(read_on(0, &last), text_length);
        assert_int_equal(last, PS_INPUT_END);
        assert_null(unpacked.damage);
        close(sound);
        close(file.fd);
    }
    close(directory);
}

static int set_up(void **state)
{
    snprintf(path, sizeof path, "/tmp/penstock-unpacked-%d", (int)getpid());
    ps_tail_reader_init(&reader, NULL);
    text = malloc(TEXT_BYTES);
    got = malloc(TEXT_BYTES);
    packed = malloc(PACKED_BYTES);
    return text == NULL || got == NULL || packed == NULL;
}

static int tear_down(void **state)
{
    ps_unpacked_fini(&unpacked);
    free(text);
    free(got);
    free(packed);
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawn_reads),     cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_checksum),        cmocka_unit_test(test_damaged_block),
        cmocka_unit_test(test_what_follows),    cmocka_unit_test(test_position_behind_the_end),
        cmocka_unit_test(test_skippable_first), cmocka_unit_test(test_a_file_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
