/* Compression of an Avro connection, against itself. (A real Flume: tests/real/load_avro_test.sh.) */
#include "stages/lib/avro/zlib.h"
#include "tests/support/support.h"

#include <stdio.h>

static struct ps_avro_zlib zlib;

static void init(int level)
{
    struct ps_err err;
    assert_int_equal(ps_avro_zlib_init(&zlib, level, &err), PS_OK);
}

/* Sends a message through the stream, and receives it in pieces of `piece` bytes, with `room` bytes for the result at
 * a time. */
static void there_and_back(const char *head, const char *body, size_t piece, size_t room)
{
    struct iovec parts[2] = {{(void *)(uintptr_t)head, strlen(head)},
                             {(void *)(uintptr_t)body, strlen(body)}};
    char text[256], packed[256];
    uint8_t back[256];
    size_t length = 0;
    snprintf(text, sizeof text, "%s%s", head, body);
    assert_true(ps_avro_zlib_pack(&zlib, parts));
    memcpy(packed, parts[0].iov_base, parts[0].iov_len);
    memcpy(packed + parts[0].iov_len, parts[1].iov_base, parts[1].iov_len);
    size_t total = parts[0].iov_len + parts[1].iov_len;
    assert_int_equal(memcmp(packed, text, strlen(text)) == 0, !zlib.packs);
    for (size_t at = 0; at < total; at += piece) {
        struct ps_avro_zlib_input input = {(uint8_t *)packed + at, at + piece < total ? piece : total - at};
        size_t before;
        do {
            before = length;
            assert_true(ps_avro_zlib_unpack(&zlib, &input, back + length, room, &length));
        } while (input.length > 0 || length > before);
    }
    assert_int_equal(length, strlen(text));
    assert_memory_equal(back, text, length);
}

static void test_round_trips(void **state)
{
    for (int level = PS_AVRO_ZLIB_NONE; level <= 9; level += level < 0 ? 1 : 3) {
        init(level);
        for (int connection = 0; connection < 2; connection++) {
            there_and_back("head", "body body body body", 256, 64);
            there_and_back("head", "body body body body", 1, 3);
            ps_avro_zlib_reset(&zlib);
        }
        ps_avro_zlib_fini(&zlib);
    }
}

/* Flume's source expects a zlib stream of a client with compression-type = deflate, also if its compression-level is 0. */
static void test_level_zero_is_a_stream(void **state)
{
    init(0);
    struct iovec parts[2] = {{NULL, 0}, {(void *)(uintptr_t) "body", 4}};
    assert_true(ps_avro_zlib_pack(&zlib, parts));
    assert_int_equal(((const uint8_t *)parts[0].iov_base)[0], 0x78);
    ps_avro_zlib_fini(&zlib);
}

static void test_bytes_that_are_not_compressed(void **state)
{
    init(6);
    uint8_t data[] = "HTTP/1.1 400 Bad Request", to[64];
    struct ps_avro_zlib_input input = {data, sizeof data};
    size_t length = 0;
    assert_false(ps_avro_zlib_unpack(&zlib, &input, to, sizeof to, &length));
    ps_avro_zlib_fini(&zlib);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_level_zero_is_a_stream),
        cmocka_unit_test(test_bytes_that_are_not_compressed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
