/* Numbers and blocks: what is written is read again, and each place at which the bytes may be cut is noticed. */
#include "regex/bytes.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

/* The layout byte by byte, because a cache file is read by another process. */
static void test_layout(void **state)
{
    static const unsigned char expected[] = {0x04, 0x03, 0x02, 0x01, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22,
                                             0x11, 3,    0,    0,    0,    0,    0,    0,    0,    'a',  'b',
                                             'c',  0,    0,    0,    0,    0,    0,    0,    0,    'z'};
    struct ps_bytes bytes = {0};
    ps_bytes_put_u32(&bytes, 0x01020304);
    ps_bytes_put_u64(&bytes, UINT64_C(0x1122334455667788));
    ps_bytes_put_block(&bytes, "abc", 3);
    ps_bytes_put_block(&bytes, NULL, 0);
    ps_bytes_put(&bytes, NULL, 0);
    ps_bytes_put(&bytes, "z", 1);
    assert_int_equal(bytes.length, sizeof expected);
    assert_memory_equal(bytes.data, expected, sizeof expected);
    ps_bytes_fini(&bytes);
    assert_null(bytes.data);
    assert_int_equal(bytes.length + bytes.room, 0);
}

static void read_all(const unsigned char *data, size_t length, size_t whole)
{
    struct ps_bytes_reader reader = {data, data + length, false};
    size_t size = 99, other = 99;
    uint32_t first = ps_bytes_take_u32(&reader);
    assert_int_equal(first, length >= 4 ? 0xfffefdfc : 0);
    assert_int_equal(reader.failed, length < 4);
    const unsigned char *block = ps_bytes_take_block(&reader, &size);
    bool has_block = length >= 4 + 8 + 5;
    assert_int_equal(size, has_block ? 5 : 0);
    assert_int_equal(block != NULL, has_block);
    assert_int_equal(reader.failed, !has_block);
    if (has_block)
        assert_memory_equal(block, "block", 5);
    uint64_t last = ps_bytes_take_u64(&reader);
    assert_int_equal(reader.failed, length < whole);
    if (length == whole)
        assert_true(last == UINT64_MAX - 5);
    else if (!has_block)
        assert_int_equal(last, 0);
    const unsigned char *none = ps_bytes_take_block(&reader, &other); /* past the end, always */
    assert_true(reader.failed);
    assert_null(none);
    assert_int_equal(other, 0);
    assert_int_equal(ps_bytes_take_u32(&reader), 0);
    assert_int_equal(ps_bytes_take_u64(&reader), 0);
}

static void test_cut_anywhere(void **state)
{
    struct ps_bytes bytes = {0};
    ps_bytes_put_u32(&bytes, 0xfffefdfc);
    ps_bytes_put_block(&bytes, "block", 5);
    ps_bytes_put_u64(&bytes, UINT64_MAX - 5);
    for (size_t length = 0; length <= bytes.length; length++) {
        unsigned char *copy = ps_test_exact_copy(bytes.data, length);
        read_all(copy, length, bytes.length);
        free(copy);
    }
    ps_bytes_fini(&bytes);
}

/* A block whose length is any number: only what is there is given. */
static void test_wrong_length(void **state)
{
    static const uint64_t lengths[] = {0, 1, 2, 3, 4, UINT32_MAX, UINT64_MAX - 8, UINT64_MAX};
    for (size_t i = 0; i < PS_COUNT_OF(lengths); i++) {
        struct ps_bytes bytes = {0};
        ps_bytes_put_u64(&bytes, lengths[i]);
        ps_bytes_put(&bytes, "abc", 3);
        struct ps_bytes_reader reader = {bytes.data, bytes.data + bytes.length, false};
        size_t length;
        const unsigned char *block = ps_bytes_take_block(&reader, &length);
        assert_int_equal(reader.failed, lengths[i] > 3);
        assert_int_equal(block == NULL, lengths[i] > 3);
        assert_int_equal(length, lengths[i] > 3 ? 0 : lengths[i]);
        ps_bytes_fini(&bytes);
    }
}

/* Every size around the steps in which the memory grows. */
static void test_growth(void **state)
{
    static char part[9000];
    for (size_t i = 0; i < sizeof part; i++)
        part[i] = (char)(i * 7 + i / 256);
    for (size_t first = 0; first < 3; first++) {
        for (size_t size = 4090; size < 8200; size += size == 4100 ? 4080 : 1) {
            struct ps_bytes bytes = {0};
            ps_bytes_put(&bytes, part, first * 4096);
            ps_bytes_put(&bytes, part, size);
            assert_int_equal(bytes.length, first * 4096 + size);
            assert_true(bytes.room >= bytes.length);
            assert_memory_equal(bytes.data, part, first * 4096);
            assert_memory_equal(bytes.data + first * 4096, part, size);
            ps_bytes_fini(&bytes);
        }
    }
}

static void *read_slowly(void *argument)
{
    const int *fd = argument;
    struct ps_bytes *bytes = calloc(1, sizeof *bytes);
    char part[1000];
    for (ssize_t got; bytes != NULL && (got = read(*fd, part, sizeof part)) > 0;)
        ps_bytes_put(bytes, part, (size_t)got);
    return bytes;
}

/* A pipe takes less than is written; a reader that is gone and a closed descriptor are failures. */
static void test_write(void **state)
{
    struct ps_bytes bytes = {0};
    int ends[2];
    pthread_t reader;
    void *got;
    for (uint32_t i = 0; i < 100000; i++)
        ps_bytes_put_u32(&bytes, i);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(pthread_create(&reader, NULL, read_slowly, &ends[0]), 0);
    assert_true(ps_bytes_write(ends[1], &bytes));
    close(ends[1]);
    pthread_join(reader, &got);
    struct ps_bytes *read_bytes = got;
    assert_non_null(read_bytes);
    assert_int_equal(read_bytes->length, bytes.length);
    assert_memory_equal(read_bytes->data, bytes.data, bytes.length);
    ps_bytes_fini(read_bytes);
    free(read_bytes);
    close(ends[0]);
    errno = 0;
    assert_false(ps_bytes_write(ends[1], &bytes));
    assert_int_equal(errno, EBADF);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    assert_false(ps_bytes_write(full, &bytes));
    assert_int_equal(errno, ENOSPC);
    assert_true(ps_bytes_write(full, &(struct ps_bytes){0})); /* nothing to write */
    close(full);
    ps_bytes_fini(&bytes);
}

/* Each byte and the length change the hash; bytes after that length do not. */
static void test_hash(void **state)
{
    unsigned char text[33] = "abcdefghijklmnopqrstuvwxyz012345";
    for (size_t length = 0; length <= 32; length++) {
        uint64_t hash = ps_bytes_hash(text, length);
        unsigned char *copy = ps_test_exact_copy(text, length);
        assert_true(ps_bytes_hash(copy, length) == hash);
        for (size_t i = 0; i < length; i++) {
            copy[i] ^= 1;
            assert_true(ps_bytes_hash(copy, length) != hash);
            copy[i] ^= 1;
        }
        free(copy);
        for (size_t other = 0; other < length; other++)
            assert_true(ps_bytes_hash(text, other) != hash);
    }
    assert_true(ps_bytes_hash("\0", 1) != ps_bytes_hash("\0\0", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),       cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_wrong_length), cmocka_unit_test(test_growth),
        cmocka_unit_test(test_write),        cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
