/* Hexadecimal digits: every character, and what is written is read back. */
#include "core/text/hex.h"
#include "tests/support/support.h"

#include <string.h>

static void test_digits(void **unused)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    for (int c = -128; c < 256; c++) {
        const char *digit = c > 0 ? strchr(lower, c) : NULL;
        int value = digit != NULL ? (int)(digit - lower) : -1;
        if (c > 0 && strchr(upper, c) != NULL)
            value = (int)(strchr(upper, c) - upper);
        assert_int_equal(ps_hex_digit(c), value);
    }
}

static void test_write(void **unused)
{
    char text[2 * 256 + 1];
    unsigned char bytes[256];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    ps_hex_write(text, bytes, sizeof bytes);
    assert_int_equal(strlen(text), 2 * sizeof bytes);
    for (unsigned i = 0; i < sizeof bytes; i++)
        assert_int_equal(ps_hex_digit(text[2 * i]) << 4 | ps_hex_digit(text[2 * i + 1]), i);
    assert_memory_equal(text + 2 * 0xab, "ab", 2);
    ps_hex_write(text, bytes, 0);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digits),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
