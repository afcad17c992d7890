/* Fields of delimited text, against what LazySimpleSerDe of Hive 4.0.1 made of them. */
#include "stages/lib/hive/field.h"
#include "tests/support/hive_value.h"
#include "tests/support/support.h"

#include <math.h>

static const struct {
    const char *type, *text, *value; /* as Java prints it; NULL: null */
} answers[] = {
    {"boolean", "true", "true"},
    {"boolean", "TRUE", "true"},
    {"boolean", "tRue", "true"},
    {"boolean", "false", "false"},
    {"boolean", "False", "false"},
    {"boolean", "1", NULL},
    {"boolean", "0", NULL},
    {"boolean", "t", NULL},
    {"boolean", "f", NULL},
    {"boolean", "T", NULL},
    {"boolean", "yes", NULL},
    {"boolean", "", NULL},
    {"boolean", " true", NULL},
    {"boolean", "\\N", NULL},
    {"date", "2020-02-29", "2020-02-29"},
    {"date", "2021-02-29", NULL},
    {"date", "2020-2-9", "2020-02-09"},
    {"date", "2020-02-29 10:00:00", "2020-02-29"},
    {"date", "2020-02-29T10:00:00Z", "2020-02-29"},
    {"date", "2020-02-29-06", "2020-02-29"},
    {"date", "2020-02-2906", NULL},
    {"date", " 2020-02-29", "2020-02-29"},
    {"date", "2020/02/29", NULL},
    {"date", "", NULL},
    {"date", "0001-01-01", "0001-01-01"},
    {"date", "9999-12-31", "9999-12-31"},
    {"date", "10000-01-01", NULL},
    {"date", "1582-10-10", "1582-10-10"},
    {"date", "-0044-03-15", "-0044-03-15"},
    {"date", "2020-13-01", NULL},
    {"date", "20200229", NULL},
    {"date", "\\N", NULL},
    {"timestamp", "2020-02-29 10:11:12", "2020-02-29 10:11:12"},
    {"timestamp", "2020-02-29 10:11:12.5", "2020-02-29 10:11:12.5"},
    {"timestamp", "2020-02-29 10:11:12.123456789", "2020-02-29 10:11:12.123456789"},
    {"timestamp", "2020-02-29 10:11:12.1234567891", NULL},
    {"timestamp", "2020-02-29", NULL},
    {"timestamp", "2020-02-29T10:11:12", "2020-02-29 10:11:12"},
    {"timestamp", "2020-02-29 10:11", NULL},
    {"timestamp", "2020-2-9 1:2:3", "2020-02-09 01:02:03"},
    {"timestamp", "", NULL},
    {"timestamp", "1582859472", NULL},
    {"timestamp", "2020-02-29 24:00:00", NULL},
    {"timestamp", "2020-02-30 00:00:00", NULL},
    {"timestamp", " 2020-02-29 10:11:12", "2020-02-29 10:11:12"},
    {"timestamp", "2020-02-29 10:11:12 ", "2020-02-29 10:11:12"},
    {"timestamp", "2020-02-29 10:11:12Z", NULL},
    {"timestamp", "\\N", NULL},
    {"decimal(7,2)", "1", "1"},
    {"decimal(7,2)", "1.5", "1.5"},
    {"decimal(7,2)", "-1.555", "-1.56"},
    {"decimal(7,2)", "1.545", "1.55"},
    {"decimal(7,2)", "99999.99", "99999.99"},
    {"decimal(7,2)", "100000", NULL},
    {"decimal(7,2)", "999999.99", NULL},
    {"decimal(7,2)", "1e2", "100"},
    {"decimal(7,2)", " 1 ", "1"},
    {"decimal(7,2)", "", NULL},
    {"decimal(7,2)", "abc", NULL},
    {"decimal(7,2)", "+1", "1"},
    {"decimal(7,2)", "0.005", "0.01"},
    {"decimal(7,2)", "0.004", "0"},
    {"decimal(7,2)", "-0.005", "-0.01"},
    {"decimal(7,2)", "1.", "1"},
    {"decimal(7,2)", "\\N", NULL},
    {"decimal(7,2)", "00001.10", "1.1"},
    {"decimal(7,2)", "1E-2", "0.01"},
    {"decimal(7,2)", "\f1\v", "1"},
    {"decimal(7,2)", "\0021", NULL},
    {"decimal(7,2)", "1e-99", "0"},
    {"decimal(7,2)", "-1e-100", NULL},
    {"decimal(7,2)", "1e-0000000099", "0"},
    {"decimal(7,2)", "0e100", NULL},
    {"decimal(7,2)", "1000000000000000000000000000000000000000e-38", NULL},
};

static const char *const integer_types[] = {"tinyint", "smallint", "int", "bigint"};
static const struct {
    const char *text, *values[4]; /* of these types */
} integers[] = {
    {"0", {"0", "0", "0", "0"}},
    {"-1", {"-1", "-1", "-1", "-1"}},
    {"+5", {"5", "5", "5", "5"}},
    {" 7", {NULL, NULL, NULL, NULL}},
    {"7 ", {NULL, NULL, NULL, NULL}},
    {"", {NULL, NULL, NULL, NULL}},
    {"128", {NULL, "128", "128", "128"}},
    {"-128", {"-128", "-128", "-128", "-128"}},
    {"-129", {NULL, "-129", "-129", "-129"}},
    {"32768", {NULL, NULL, "32768", "32768"}},
    {"2147483648", {NULL, NULL, NULL, "2147483648"}},
    {"-2147483648", {NULL, NULL, "-2147483648", "-2147483648"}},
    {"9223372036854775807", {NULL, NULL, NULL, "9223372036854775807"}},
    {"9223372036854775808", {NULL, NULL, NULL, NULL}},
    {"1.5", {"1", "1", "1", "1"}},
    {"-1.9", {"-1", "-1", "-1", "-1"}},
    {"1.", {"1", "1", "1", "1"}},
    {".", {NULL, NULL, NULL, NULL}},
    {".5", {"0", "0", "0", "0"}},
    {"1e3", {NULL, NULL, NULL, NULL}},
    {"abc", {NULL, NULL, NULL, NULL}},
    {"0x10", {NULL, NULL, NULL, NULL}},
    {"\\N", {NULL, NULL, NULL, NULL}},
    {"NULL", {NULL, NULL, NULL, NULL}},
    {"007", {"7", "7", "7", "7"}},
    {"--1", {NULL, NULL, NULL, NULL}},
    {"+", {NULL, NULL, NULL, NULL}},
    {"-", {NULL, NULL, NULL, NULL}},
};

/* Of float and double alike. */
static const struct {
    const char *text, *value;
} reals[] = {
    {"0", "0.0"},
    {"1.5", "1.5"},
    {"-1.5e3", "-1500.0"},
    {" 2", "2.0"},
    {"2 ", "2.0"},
    {"", NULL},
    {"NaN", "NaN"},
    {"Infinity", "Infinity"},
    {"-Infinity", "-Infinity"},
    {"inf", NULL},
    {"1f", "1.0"},
    {"1d", "1.0"},
    {"0x1p3", "8.0"},
    {".5", "0.5"},
    {"5.", "5.0"},
    {"abc", NULL},
    {"1e400", "Infinity"},
    {"\\N", NULL},
    {"1,5", NULL},
};

static void check(const struct ps_orc_type *type, const char *text, const char *wanted)
{
    struct ps_orc_value value = ps_hive_field_read(type, text, (uint32_t)strlen(text));
    if (value.null != (wanted == NULL))
        fail_msg("\"%s\" is %snull", text, value.null ? "" : "not ");
    if (value.null)
        return;
    if (type->kind == PS_ORC_FLOAT || type->kind == PS_ORC_DOUBLE) {
        double number = strtod(wanted, NULL);
        assert_true(isnan(number) ? isnan(value.real) : value.real == number);
        return;
    }
    char *printed = hive_value_text(type, &value);
    assert_string_equal(printed, wanted);
    free(printed);
}

static void test_values_are_those_of_hive(void **state)
{
    for (size_t i = 0; i < PS_COUNT_OF(answers); i++) {
        struct ps_orc_type *type = hive_type_of(answers[i].type);
        check(type, answers[i].text, answers[i].value);
        ps_orc_type_destroy(type);
    }
    for (size_t t = 0; t < PS_COUNT_OF(integer_types); t++) {
        struct ps_orc_type *type = hive_type_of(integer_types[t]);
        for (size_t i = 0; i < PS_COUNT_OF(integers); i++)
            check(type, integers[i].text, integers[i].values[t]);
        ps_orc_type_destroy(type);
    }
    for (unsigned t = 0; t < 2; t++) {
        struct ps_orc_type *type = hive_type_of(t == 0 ? "float" : "double");
        for (size_t i = 0; i < PS_COUNT_OF(reals); i++)
            check(type, reals[i].text, reals[i].value);
        ps_orc_type_destroy(type);
    }
}

static void test_strings(void **state)
{
    struct ps_orc_type *type = hive_type_of("varchar(3)");
    const char *text = "abcdef";
    struct ps_orc_value value = ps_hive_field_read(type, text, 6);
    assert_ptr_equal(value.bytes, text); /* only the writer cuts the text */
    assert_int_equal(value.length, 6);
    assert_false(ps_hive_field_read(type, "", 0).null);
    assert_true(ps_hive_field_read(type, "\\N", 2).null);
    ps_orc_type_destroy(type);
}

static void test_long_decimals(void **state)
{
    struct ps_orc_type *type = hive_type_of("decimal(38,10)");
    check(type, "9999999999999999999999999999.9999999999", "9999999999999999999999999999.9999999999");
    check(type, "9999999999999999999999999999.99999999995", NULL);
    check(type,
          "-0000000000000000000000000000000000000000000001.00000000014999999999999999999999999999999999999"
          "9999999999999999999999999999999999999999999999999999",
          "-1.0000000001");
    check(type, "1e27", "1000000000000000000000000000");
    check(type, "1e28", NULL);
    check(type, "1e-999999999999999", NULL);
    check(type, "0e999999999999999", NULL);
    check(type, "1e", NULL);
    ps_orc_type_destroy(type);
}

/* Numbers of this many characters: the last length that is read and the first that is not. */
static void test_the_longest_reals(void **state)
{
    char text[1100];
    struct ps_orc_type *type = hive_type_of("double");
    memset(text, '0', sizeof text);
    for (unsigned length = 1020; length <= 1027; length++) {
        struct ps_orc_value value;
        text[length - 1] = '7';
        value = ps_hive_field_read(type, text, length);
        assert_int_equal(value.null, length > 1023);
        assert_true(value.null || value.real == 7);
        text[length - 1] = '0';
    }
    ps_orc_type_destroy(type);
}

/* Each byte before and after a value, compared with what Java trims: String.trim of doubles, days and times; isBlank of
 * decimals; none of integers. */
static void test_each_byte_around_a_value(void **state)
{
    static const struct {
        const char *type, *text;
        char trims;                  /* 't'rim, 'b'lanks, 'n'one */
        const char *before, *behind; /* bytes that would continue the value */
    } cases[] = {{"double", "1", 't', "0123456789.+-", "0123456789.dDfF"},
                 {"date", "2020-12-11", 't', "-", NULL},
                 {"timestamp", "2020-12-11 10:10:10", 't', "-", ""},
                 {"decimal(9,2)", "1", 'b', "0123456789.+-", "0123456789."},
                 {"int", "1", 'n', "0123456789.+-", "0123456789."}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_orc_type *type = hive_type_of(cases[i].type);
        for (unsigned byte = 1; byte < 256; byte++) {
            char text[64];
            bool is_trimmed = (cases[i].trims == 't' && byte <= ' ') ||
                              (cases[i].trims == 'b' && (byte == ' ' || (byte >= 9 && byte <= 13)));
            int length = snprintf(text, sizeof text, "%c%s", (char)byte, cases[i].text);
            bool is_value = !ps_hive_field_read(type, text, (uint32_t)length).null;
            if (is_value != (is_trimmed || strchr(cases[i].before, (int)byte) != NULL))
                fail_msg("%s: byte 0x%02x before it", cases[i].type, byte);
            length = snprintf(text, sizeof text, "%s%c", cases[i].text, (char)byte);
            is_value = !ps_hive_field_read(type, text, (uint32_t)length).null;
            bool is_more = cases[i].behind == NULL
                               ? !(byte >= '0' && byte <= '9') /* a day: the text after it is skipped */
                               : strchr(cases[i].behind, (int)byte) != NULL;
            if (is_value != (is_trimmed || is_more))
                fail_msg("%s: byte 0x%02x behind it", cases[i].type, byte);
        }
        ps_orc_type_destroy(type);
    }
}

static void test_types_without_texts(void **state)
{
    static const char *const texts[] = {"binary", "array<int>", "map<int,int>", "struct<a:int>", "struct<>"};
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++) {
        struct ps_orc_type *type = hive_type_of(texts[i]);
        assert_false(ps_hive_field_knows(type));
        ps_orc_type_destroy(type);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_those_of_hive),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_long_decimals),
        cmocka_unit_test(test_the_longest_reals),
        cmocka_unit_test(test_each_byte_around_a_value),
        cmocka_unit_test(test_types_without_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
