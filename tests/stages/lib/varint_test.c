/* varint.h: numbers with seven bits in a byte; test vectors from the documentation of protocol buffers and Avro. */
#include "stages/lib/varint.h"
#include "tests/support/support.h"

#include <string.h>

static void there_and_back(uint64_t value, const char *bytes, size_t length)
{
    uint8_t put[PS_VARINT_BYTES_MAX];
    uint64_t got;
    assert_int_equal(ps_varint_put(put, value), length);
    assert_memory_equal(put, bytes, length);
    assert_int_equal(ps_varint_length(value), length);
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(ps_varint_get(put, cut, &got), 0);
    assert_int_equal(ps_varint_get(put, length, &got), length);
    assert_true(got == value);
}

static void test_numbers(void **state)
{
    there_and_back(0, "\x00", 1);
    there_and_back(127, "\x7f", 1);
    there_and_back(128, "\x80\x01", 2);
    there_and_back(300, "\xac\x02", 2);
    there_and_back(UINT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
}

static void test_endless(void **state)
{
    uint8_t bytes[11];
    uint64_t got;
    memset(bytes, 0x80, sizeof bytes);
    assert_int_equal(ps_varint_get(bytes, sizeof bytes, &got), 0);
}

static void test_delimited(void **state)
{
    static const uint8_t bytes[] = {3, 'a', 'b', 'c', 'd'};
    size_t head;
    assert_int_equal(ps_varint_get_delimited(bytes, sizeof bytes, &head), 4);
    assert_int_equal(head, 1);
    assert_int_equal(ps_varint_get_delimited(bytes, 3, &head), 0);
    assert_int_equal(ps_varint_get_delimited(bytes, 0, &head), 0);
}

static void test_zigzag(void **state)
{
    static const int64_t numbers[] = {0, -1, 1, -2, 2, -64, 64, INT64_MAX, INT64_MIN};
    static const uint64_t bits[] = {0, 1, 2, 3, 4, 127, 128, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < PS_COUNT_OF(numbers); i++) {
        assert_true(ps_zigzag(numbers[i]) == bits[i]);
        assert_true(ps_unzigzag(bits[i]) == numbers[i]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_endless),
        cmocka_unit_test(test_delimited),
        cmocka_unit_test(test_zigzag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
