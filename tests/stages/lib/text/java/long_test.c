/* Java's Long.valueOf. */
#include "stages/lib/text/java/long.h"

#include "tests/support/support.h"

static void test_numbers(void **unused)
{
    static const struct {
        const char *text;
        bool good;
        int64_t number;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"+12", true, 12},
        {"0012", true, 12},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"", false, 0},
        {"+", false, 0},
        {"--1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1L", false, 0},
        {"1.0", false, 0},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        int64_t number = 0;
        struct ps_slice text = {cases[i].text, (uint32_t)strlen(cases[i].text)};
        assert_int_equal(ps_java_long_read(&text, &number), cases[i].good);
        assert_int_equal(number, cases[i].number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
