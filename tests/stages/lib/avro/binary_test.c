/* Avro's longs: the specification's examples, the ends of the range, and bytes that are not a long. */
#include "stages/lib/avro/binary.h"
#include "tests/support/support.h"

static void test_longs(void **state)
{
    static const struct {
        int64_t number;
        const char *bytes;
        size_t length;
    } cases[] = {
        {0, "\x00", 1},
        {-1, "\x01", 1},
        {1, "\x02", 1},
        {-2, "\x03", 1},
        {-64, "\x7f", 1},
        {64, "\x80\x01", 2},
        {8192, "\x80\x80\x01", 3},
        {INT64_MAX, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
        {INT64_MIN, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        uint8_t bytes[PS_AVRO_LONG_BYTES_MAX];
        int64_t number = 77;
        assert_int_equal(ps_avro_put_long(bytes, cases[i].number), cases[i].length);
        assert_memory_equal(bytes, cases[i].bytes, cases[i].length);
        const uint8_t *at = bytes;
        assert_true(ps_avro_get_long(&at, bytes + cases[i].length, &number));
        assert_true(number == cases[i].number);
        assert_ptr_equal(at, bytes + cases[i].length);
        at = bytes;
        assert_false(ps_avro_get_long(&at, bytes + cases[i].length - 1, &number)); /* cut off */
    }
}

static void test_too_long(void **state)
{
    uint8_t bytes[12];
    int64_t number;
    memset(bytes, 0x80, sizeof bytes);
    const uint8_t *at = bytes;
    assert_false(ps_avro_get_long(&at, bytes + sizeof bytes, &number));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longs),
        cmocka_unit_test(test_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
