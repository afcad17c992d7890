/* Growing text: JSON and label quoting, doubles as Java writes them. */
#include "core/watch/page.h"
#include "tests/support/support.h"

#include <math.h>

#include <jansson.h>

static void expect_java(double value, const char *text)
{
    struct ps_page page = {0};
    ps_page_java_double(&page, value);
    assert_string_equal(page.text, text);
    ps_page_fini(&page);
}

/* The right-hand sides were printed by a JVM 17. */
static void test_java_double(void **state)
{
    expect_java(0, "0.0");
    expect_java(100, "100.0");
    expect_java(2 / 300.0 * 100, "0.6666666666666667");
    expect_java(1 / 3.0 * 100, "33.33333333333333");
    expect_java(2 / 3.0 * 100, "66.66666666666666");
    expect_java(0.001, "0.001");
    expect_java(0.00099, "9.9E-4");
    expect_java(1e-5, "1.0E-5");
    expect_java(1234567.5, "1234567.5");
    expect_java(9999999, "9999999.0");
    expect_java(1e7, "1.0E7");
    expect_java(12345678.9, "1.23456789E7");
    expect_java(1.7976931348623157e308, "1.7976931348623157E308");
    expect_java(-0.5, "-0.5");
    expect_java(NAN, "NaN");
    expect_java(INFINITY, "Infinity");
}

static void test_json(void **state)
{
    struct ps_page page = {0};
    static const char bytes[] = "a\"b\\c\nd\te\x01\x7f\xc3\xa4\xf0\x9f\x98\x80"
                                "\xff|\xc0\xaf|\xed\xa0\x80|\xe2\x82";
    ps_page_json(&page, bytes, sizeof bytes - 1);
    assert_string_equal(page.text,
                        "\"a\\\"b\\\\c\\nd\\u0009e\\u0001\x7f\xc3\xa4\xf0\x9f\x98\x80"
                        "\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
                        "\xef\xbf\xbd\xef\xbf\xbd\"");
    ps_page_fini(&page);
}

static void test_label(void **state)
{
    struct ps_page page = {0};
    ps_page_label(&page, "r\"1\\\n\tx\xff");
    assert_string_equal(page.text, "\"r\\\"1\\\\\\n\tx\xef\xbf\xbd\"");
    ps_page_fini(&page);
}

/* Any bytes make a JSON string that a parser accepts. */
static void test_json_any(void **state)
{
    uint64_t seed = ps_test_seed();
    for (int round = 0; round < 2000; round++) {
        char bytes[200];
        size_t length = ps_test_random(&seed) % sizeof bytes;
        for (size_t i = 0; i < length; i++)
            bytes[i] =
                (char)(ps_test_random(&seed) % 3 ? ps_test_random(&seed) : 0xe0 + ps_test_random(&seed) % 32);
        struct ps_page page = {0};
        ps_page_text(&page, "[");
        ps_page_json(&page, bytes, length);
        ps_page_text(&page, "]");
        json_error_t error;
        json_t *parsed = json_loadb(page.text, page.length, JSON_ALLOW_NUL, &error);
        if (parsed == NULL)
            fail_msg("%s in %s", error.text, page.text);
        json_decref(parsed);
        ps_page_fini(&page);
    }
}

static void test_growth(void **state)
{
    struct ps_page page = {0};
    for (int i = 0; i < 10000; i++)
        ps_page_format(&page, "%d,", i % 10);
    assert_int_equal(page.length, 20000);
    for (size_t i = 0; i < 10000; i++) {
        assert_int_equal(page.text[2 * i], '0' + (int)(i % 10));
        assert_int_equal(page.text[2 * i + 1], ',');
    }
    assert_int_equal(page.text[page.length], '\0');
    ps_page_fini(&page);
    assert_null(page.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_java_double), cmocka_unit_test(test_json),   cmocka_unit_test(test_label),
        cmocka_unit_test(test_json_any),    cmocka_unit_test(test_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
