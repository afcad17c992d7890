/* The positions file of a spooling directory: a position that was written is read back. Flume appends a record with
 * each commit: the last record is used, whatever the length of the file. */
#include "stages/lib/spool/meta.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"
#include "tests/support/system_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYNC_BYTES 16U
#define PART_BYTES (64U * 1024) /* bytes read at the file's beginning and at its end */
#define BYTES_MAX (4 * PART_BYTES)

static char bytes[BYTES_MAX];
static size_t length;

static const char *path(void)
{
    return ps_test_folder_path("position.meta");
}

static struct ps_spool_meta read_meta(void)
{
    struct ps_spool_meta meta;
    struct ps_err err = {.length = 0};
    if (ps_spool_meta_read(path(), &meta, &err) != PS_SPOOL_META_READ)
        fail_msg("%s", err.text);
    return meta;
}

static void test_round_trip(void **unused)
{
    static const uint64_t positions[] = {0, 1, 63, 64, 8191, 8192, UINT32_MAX, INT64_MAX};
    static const enum ps_compression kinds[] = {PS_COMPRESSION_NONE, PS_COMPRESSION_GZIP,
                                                PS_COMPRESSION_ZSTD};
    for (size_t i = 0; i < PS_COUNT_OF(positions) * PS_COUNT_OF(kinds) * 2; i++) {
        char target[] = "/spool/a file.log";
        struct ps_err err = {.length = 0};
        struct ps_spool_meta meta = {.target = target,
                                     .position = positions[i % PS_COUNT_OF(positions)],
                                     .device = UINT64_MAX,
                                     .inode = UINT64_MAX - i,
                                     .born_ns = i % 3 == 0 ? 0 : UINT64_MAX - i,
                                     .compression = kinds[i / 2 % PS_COUNT_OF(kinds)]};
        if (i % 2 == 1)
            meta.state = (struct ps_spool_state){.size = UINT64_MAX - i, .changed_ns = UINT64_MAX};
        assert_int_equal(ps_spool_meta_write(path(), &meta, &err), PS_OK);
        struct ps_spool_meta back = read_meta();
        assert_string_equal(back.target, target);
        assert_true(back.position == meta.position && back.device == meta.device && back.inode == meta.inode);
        assert_true(back.born_ns == meta.born_ns);
        assert_int_equal(back.compression, meta.compression);
        assert_true(ps_spool_is_same_state(back.state, meta.state));
        ps_spool_meta_fini(&back);
    }
}

/* A power cut finds the old position or the new one: a position whose bytes are not on the disk does not replace the file. */
static void test_position_is_synced(void **unused)
{
    char target[] = "/spool/a file.log";
    struct ps_err err = {.length = 0};
    struct ps_spool_meta meta = {.target = target, .position = 40};
    assert_int_equal(ps_spool_meta_write(path(), &meta, &err), PS_OK);
    meta.position = 60;
    ps_test_call_error = EIO;
    ps_test_call_broken = "fsync";
    assert_int_equal(ps_spool_meta_write(path(), &meta, &err), PS_FAIL);
    ps_test_call_broken = NULL;
    assert_non_null(strstr(err.text, "Input/output error"));
    struct ps_spool_meta back = read_meta();
    assert_int_equal(back.position, 40);
    ps_spool_meta_fini(&back);
}

static void expect_read(enum ps_spool_meta_read wanted, const char *reason)
{
    char text[1024];
    struct ps_spool_meta meta;
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_spool_meta_read(path(), &meta, &err), wanted);
    if (wanted == PS_SPOOL_META_READ)
        assert_int_equal(err.length, 0);
    else
        assert_non_null(strstr(err.text, reason));
    snprintf(text, sizeof text, "%s: ", path());
    if (wanted != PS_SPOOL_META_READ && strncmp(err.text, text, strlen(text)) != 0)
        fail_msg("no path before '%s'", err.text);
    assert_null(wanted != PS_SPOOL_META_READ ? meta.target : NULL);
    ps_spool_meta_fini(&meta);
}

/* A file that cannot be read now, one that is damaged and one without a position are three things. Each reason names the file and what is wrong
 * with it, and what is read has none. */
static void test_reasons(void **unused)
{
    static const char *const calls[] = {"open", "fstat", "pread"};
    char target[] = "/spool/a file.log";
    struct ps_err err = {.length = 0};
    const struct ps_spool_meta meta = {.target = target, .position = 40};
    expect_read(PS_SPOOL_META_READ, NULL); /* there is none */
    ps_test_folder_append("position.meta", "", 0);
    expect_read(PS_SPOOL_META_READ, NULL);
    ps_test_folder_append("position.meta", "no Avro", 7);
    expect_read(PS_SPOOL_META_DAMAGED, "");
    assert_int_equal(ps_spool_meta_write(path(), &meta, &err), PS_OK);
    for (size_t i = 0; i < PS_COUNT_OF(calls); i++) {
        ps_test_call_error = EIO;
        ps_test_call_broken = calls[i];
        expect_read(PS_SPOOL_META_UNREADABLE, "Input/output error");
        ps_test_call_broken = NULL;
        expect_read(PS_SPOOL_META_READ, NULL); /* again, after the failure */
    }
    assert_int_equal(unlink(path()), 0);
    assert_int_equal(mkdir(path(), 0755), 0);
    expect_read(PS_SPOOL_META_UNREADABLE, "is not a regular file");
    assert_int_equal(rmdir(path()), 0);
}

/* Appends a block with one record, as Flume does. */
static void append_position(uint64_t position)
{
    const char *sync = bytes + length - SYNC_BYTES;
    char block[32], *at = block + 2;
    uint64_t rest = position << 1; /* numbers are zigzag */
    for (; rest > 0x7F; rest >>= 7)
        *at++ = (char)((rest & 0x7F) | 0x80);
    *at++ = (char)rest;
    block[0] = 2; /* one record */
    block[1] = (char)((at - block - 2) * 2);
    size_t block_length = (size_t)(at - block);
    assert_true(length + block_length + SYNC_BYTES <= sizeof bytes);
    memmove(bytes + length + block_length, sync, SYNC_BYTES);
    memcpy(bytes + length, block, block_length);
    length += block_length + SYNC_BYTES;
}

static void expect_position(size_t file_length, uint64_t position)
{
    FILE *file = fopen(path(), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, file_length, file), file_length);
    assert_int_equal(fclose(file), 0);
    struct ps_spool_meta meta = read_meta();
    assert_string_equal(meta.target, "/spool/a");
    if (meta.position != position)
        fail_msg("%zu bytes: position %llu, not %llu", file_length, (unsigned long long)meta.position,
                 (unsigned long long)position);
    ps_spool_meta_fini(&meta);
}

/* The file grows past one part and past two, block by block; its last block may be cut. */
static void test_file_that_grows(void **unused)
{
    static char target[] = "/spool/a";
    struct ps_err err = {.length = 0};
    const struct ps_spool_meta first = {.target = target, .position = 1};
    assert_int_equal(ps_spool_meta_write(path(), &first, &err), PS_OK);
    FILE *file = fopen(path(), "r");
    assert_non_null(file);
    length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    uint64_t position = first.position;
    expect_position(length, position);
    while (length < 2 * PART_BYTES + 1024) {
        append_position(position + 29);
        bool near = (length + 256) % PART_BYTES < 512 || length < 1024;
        if (near)
            expect_position(length - 1 - position % SYNC_BYTES, position);
        position += 29;
        if (near)
            expect_position(length, position);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_position_is_synced, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_reasons, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_file_that_grows, ps_test_folder_setup, ps_test_folder_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
