/* Decimal numbers: their text, and how many digits fit. */
#include "stages/lib/orc/decimal.h"
#include "tests/support/support.h"

static void test_digits(void **state)
{
    __int128 limit = 1;
    for (uint32_t digits = 1; digits <= 38; digits++) {
        limit *= 10;
        assert_true(ps_orc_decimal_fits(limit - 1, digits));
        assert_true(ps_orc_decimal_fits(1 - limit, digits));
        assert_false(ps_orc_decimal_fits(limit, digits));
        assert_false(ps_orc_decimal_fits(-limit, digits));
    }
}

static void test_text(void **state)
{
    static const struct {
        int64_t unscaled;
        uint32_t scale;
        const char *text;
    } cases[] = {
        {0, 0, "0"},      {0, 2, "0"},        {1250, 3, "1.25"}, {-1250, 3, "-1.25"},
        {5, 3, "0.005"},  {-5, 1, "-0.5"},    {1000, 0, "1000"}, {1000, 2, "10"},
        {-1000, 3, "-1"}, {1001, 3, "1.001"}, {100, 3, "0.1"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char text[PS_ORC_DECIMAL_TEXT_BYTES];
        assert_int_equal(ps_orc_decimal_text(cases[i].unscaled, cases[i].scale, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digits),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
