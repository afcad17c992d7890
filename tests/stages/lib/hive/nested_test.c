/* Fields of all types of columns, against what LazySimpleSerDe of Hive 4.0.1 made of them. */
#include "stages/lib/hive/nested.h"
#include "tests/support/hive_value.h"
#include "tests/support/support.h"

/* Only the writer cuts a varchar or char. */
static const struct {
    const char *type, *text, *value; /* as Java prints it */
} answers[] = {
    {"binary", "", "[]"},
    {"binary", "YWJj", "[97, 98, 99]"},
    {"binary", "YWJ", "[97, 98]"},
    {"binary", "YW", "[97]"},
    {"binary", "Y", "[89]"},
    {"binary", "abc", "[105, -73]"},
    {"binary", "!!", "[33, 33]"},
    {"binary", "a b", "[97, 32, 98]"},
    {"binary", "YWJj YWJj", "[89, 87, 74, 106, 32, 89, 87, 74, 106]"},
    {"binary", "YWJjYW==", "[97, 98, 99, 97]"},
    {"binary", "YW==", "[97]"},
    {"binary", "YW==YWJj", "[89, 87, 61, 61, 89, 87, 74, 106]"},
    {"binary", "YWJj\012", "[89, 87, 74, 106, 10]"},
    {"binary", "YW-_", "[89, 87, 45, 95]"},
    {"binary", "\\N", "null"},
    {"binary", "====", "[61, 61, 61, 61]"},
    {"binary", "YWJjYW=", "[89, 87, 74, 106, 89, 87, 61]"},
    {"binary", "YWJj!", "[89, 87, 74, 106, 33]"},
    {"binary", "\303\244YWJj", "[-61, -92, 89, 87, 74, 106]"},
    {"binary", "YWJj\015\012YWJj", "[89, 87, 74, 106, 13, 10, 89, 87, 74, 106]"},
    {"binary", "YWJj\303\204", "[89, 87, 74, 106, -61, -124]"},
    {"binary", "hello world", "[104, 101, 108, 108, 111, 32, 119, 111, 114, 108, 100]"},
    {"binary", "plain text!", "[112, 108, 97, 105, 110, 32, 116, 101, 120, 116, 33]"},
    {"binary", "text", "[-75, -20, 109]"},
    {"binary", "1234567", "[-41, 109, -8, -25, -82]"},
    {"binary", "12345678", "[-41, 109, -8, -25, -82, -4]"},
    {"binary", "=", "[61]"},
    {"binary", "Y===", "[89, 61, 61, 61]"},
    {"binary", "YW=J", "[89, 87, 61, 74]"},
    {"binary", "YWJjZ", "[89, 87, 74, 106, 90]"},
    {"binary", "\002\003", "[2, 3]"},
    {"array<int>", "1\0022\0023", "[1, 2, 3]"},
    {"array<int>", "", "[]"},
    {"array<int>", "1\002\0023", "[1, null, 3]"},
    {"array<int>", "\\N", "null"},
    {"array<int>", "x\0022", "[null, 2]"},
    {"array<int>", "\002", "[null, null]"},
    {"array<int>", "1\002", "[1, null]"},
    {"array<int>", "\0021", "[null, 1]"},
    {"array<int>", "\\N\0021", "[null, 1]"},
    {"array<int>", " 1\002+2", "[null, 2]"},
    {"array<string>", "a\002b", "[<a>, <b>]"},
    {"array<string>", "", "[]"},
    {"array<string>", "\002", "[<>, <>]"},
    {"array<string>", "a\002", "[<a>, <>]"},
    {"array<string>", "\\N\002a", "[null, <a>]"},
    {"array<string>", "\\N", "null"},
    {"array<string>", "a\003b", "[<a\003b>]"},
    {"array<binary>", "YWJj\002!!", "[[97, 98, 99], [33, 33]]"},
    {"array<array<int>>", "1\0032\0023", "[[1, 2], [3]]"},
    {"array<array<int>>", "\002", "[[], []]"},
    {"array<array<int>>", "", "[]"},
    {"array<array<int>>", "1\003\0022", "[[1, null], [2]]"},
    {"array<struct<x:int,y:string>>", "1\003b\0022", "[[1, <b>], [2, null]]"},
    {"array<struct<x:int,y:string>>", "\002", "[[null, null], [null, null]]"},
    {"map<string,int>", "a\0031\002b\0032", "{<a>=1, <b>=2}"},
    {"map<string,int>", "a", "{<a>=null}"},
    {"map<string,int>", "", "{}"},
    {"map<string,int>", "a\003", "{<a>=null}"},
    {"map<string,int>", "a\0031\002a\0032", "{<a>=1}"},
    {"map<string,int>", "\0031", "{<>=1}"},
    {"map<string,int>", "\003", "{<>=null}"},
    {"map<string,int>", "\002", "{<>=null}"},
    {"map<string,int>", "a\0031\002", "{<a>=1, <>=null}"},
    {"map<string,int>", "a\0031\003x", "{<a>=null}"},
    {"map<string,int>", "\\N\0031", "{}"},
    {"map<string,int>", "a\003x", "{<a>=null}"},
    {"map<string,int>", "\\N", "null"},
    {"map<string,int>", "a\003\\N", "{<a>=null}"},
    {"map<string,int>", "\002a\0031", "{<>=null, <a>=1}"},
    {"map<int,string>", "1\003x\002y\003z\0021\003w", "{1=<x>}"},
    {"map<int,string>", "01\003a\0021\003b", "{1=<a>}"},
    {"map<string,array<int>>", "a\0031\0042\002b\003", "{<a>=[1, 2], <b>=[]}"},
    {"map<string,array<int>>", "a", "{<a>=null}"},
    {"map<string,map<string,int>>", "a\003x\0051\004y\0052", "{<a>={<x>=1, <y>=2}}"},
    {"struct<x:int,y:string>", "1\002b", "[1, <b>]"},
    {"struct<x:int,y:string>", "1", "[1, null]"},
    {"struct<x:int,y:string>", "", "[null, null]"},
    {"struct<x:int,y:string>", "1\002b\002c", "[1, <b>]"},
    {"struct<x:int,y:string>", "\002", "[null, <>]"},
    {"struct<x:int,y:string>", "\\N", "null"},
    {"struct<x:int,y:string>", "x\002\\N", "[null, null]"},
    {"struct<x:int,y:string>", "1\002", "[1, <>]"},
    {"struct<x:int,y:string>", "\\N\002\\N", "[null, null]"},
    {"struct<x:struct<u:int,v:string>,y:array<int>>", "1\003q\0025\0036", "[[1, <q>], [5, 6]]"},
    {"struct<x:struct<u:int,v:string>,y:array<int>>", "", "[[null, null], null]"},
    {"struct<x:struct<u:int,v:string>,y:array<int>>", "1\003q", "[[1, <q>], null]"},
    {"struct<x:struct<u:int,v:string>,y:array<int>>", "\0025", "[[null, null], [5]]"},
    {"struct<x:array<array<int>>>", "1\0042\0033", "[[[1, 2], [3]]]"},
    {"array<decimal(5,2)>", "1.5\002x\0022", "[1.5, null, 2]"},
    {"array<date>", "2020-02-29\002x", "[2020-02-29, null]"},
    {"struct<x:string,y:int>", "", "[<>, null]"},
    {"struct<x:string,y:int>", "\\N\0021", "[null, 1]"},
    {"struct<x:string,y:int>", "\0021", "[<>, 1]"},
    {"struct<x:array<int>,y:map<string,int>>", "", "[[], null]"},
    {"struct<x:array<int>,y:map<string,int>>", "1\0032", "[[1, 2], null]"},
    {"struct<x:array<int>,y:map<string,int>>", "1\002a\0041\003b\0042", "[[1], {<a>=1, <b>=2}]"},
    {"struct<x:array<int>,y:map<string,int>>", "\002", "[[], {}]"},
    {"map<string,binary>", "a\003YWJj\002b\003", "{<a>=[97, 98, 99], <b>=[]}"},
    {"map<binary,int>", "YWJj\0031", "{[97, 98, 99]=1}"},
    {"map<double,int>", "1.0\0031\0021\0032", "{1=1}"},
    {"map<string,struct<x:int,y:string>>", "a\0031\004q", "{<a>=[1, <q>]}"},
    {"array<map<string,int>>", "a\0041\003b\0042\002c\0043", "[{<a>=1, <b>=2}, {<c>=3}]"},
    {"array<boolean>", "true\002x\002", "[true, null, null]"},
    {"array<timestamp>", "2020-02-29 10:11:12\002x", "[2020-02-29 10:11:12, null]"},
    {"array<varchar(2)>", "abc\002d", "[<abc>, <d>]"},
    {"map<string,string>", "a\003\\N\002b\003x\003y\002\003z", "{<a>=null, <b>=<x\003y>, <>=<z>}"},
    {"array<array<array<array<array<array<array<int>>>>>>>", "1\0102\0073", "[[[[[[[1, 2], [3]]]]]]]"},
    {"map<string,map<string,map<string,array<int>>>>", "a\003b\005c\0071\0102", "{<a>={<b>={<c>=[1, 2]}}}"},
    {"array<struct<x:int>>", "", "[]"},
    {"array<struct<x:int>>", "1", "[[1]]"},
    {"array<struct<x:int>>", "1\0022", "[[1], [2]]"},
};

static const struct ps_slice unset = {"", 0};

static void check(struct ps_hive_nested *nested, const struct ps_orc_type *type, const char *text,
                  const char *wanted)
{
    size_t length = strlen(text);
    char *copy = ps_test_exact_copy(text, length); /* without a terminating NUL */
    ps_hive_nested_begin(nested);
    struct ps_orc_value value = ps_hive_nested_read(nested, type, copy, (uint32_t)length);
    char *printed = hive_value_text(type, &value);
    assert_string_equal(printed, wanted);
    free(printed);
    free(copy);
}

static void test_values_are_those_of_hive(void **state)
{
    struct ps_hive_nested nested;
    ps_hive_nested_open(&nested, unset, unset);
    for (size_t i = 0; i < PS_COUNT_OF(answers); i++) {
        struct ps_orc_type *type = hive_type_of(answers[i].type);
        check(&nested, type, answers[i].text, answers[i].value);
        ps_orc_type_destroy(type);
    }
    ps_hive_nested_close(&nested);
}

static void check_separators(const char *collection, const char *map_key, const char *text,
                             const char *wanted)
{
    struct ps_hive_nested nested;
    struct ps_orc_type *type = hive_type_of("map<string,int>");
    ps_hive_nested_open(&nested, (struct ps_slice){collection, (uint32_t)strlen(collection)},
                        (struct ps_slice){map_key, (uint32_t)strlen(map_key)});
    check(&nested, type, text, wanted);
    ps_hive_nested_close(&nested);
    ps_orc_type_destroy(type);
}

/* LazyUtils.getByte */
static void test_separators(void **state)
{
    check_separators(",", ":", "a:1,b:2", "{<a>=1, <b>=2}");
    check_separators("44", "58", "a:1,b:2", "{<a>=1, <b>=2}");
    check_separators("", "=", "a=1\2b=2", "{<a>=1, <b>=2}");
    check_separators("|x", "999", "a91|b92", "{<a>=1, <b>=2}");
    check_separators(" 1", "-", "a-1 b-2", "{<a>=1, <b>=2}");
    check_separators("-17", "+61",
                     "a=1\xef"
                     "b=2",
                     "{<a>=1, <b>=2}");
}

/* Byte.parseByte takes -128 to 127, here with up to four characters; otherwise the first character is used. */
static void test_numbers_of_separators(void **state)
{
    static const struct {
        const char *text;
        int separator;
    } cases[] = {{"0", 0},       {"1", 1},    {"9", 9},      {"127", 127},  {"128", '1'},  {"-128", -128},
                 {"-129", '-'},  {"-1", -1},  {"+127", 127}, {"+128", '+'}, {"0127", 127}, {"00127", '0'},
                 {"-0128", '-'}, {"1x", '1'}, {"x1", 'x'},   {"", 'u'},     {" ", ' '},    {" 7", ' '},
                 {"7 ", '7'},    {"-", '-'},  {"+", '+'},    {"\t1", '\t'}, {"12345", '1'}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        const struct ps_slice text = {cases[i].text, (uint32_t)strlen(cases[i].text)};
        if (ps_hive_separator(text, 'u') != (char)cases[i].separator)
            fail_msg("\"%s\" is %d", cases[i].text, ps_hive_separator(text, 'u'));
    }
}

static void expect_reason(const char *text, const char *reason)
{
    struct ps_err err = {.length = 0};
    struct ps_orc_type *type = hive_type_of(text);
    assert_int_equal(ps_hive_nested_check(type, &err), reason == NULL ? PS_OK : PS_FAIL);
    if (reason != NULL)
        assert_string_equal(err.text, reason);
    ps_orc_type_destroy(type);
}

static void test_types_without_texts(void **state)
{
    expect_reason("int", NULL);
    expect_reason("map<string,map<string,map<string,array<int>>>>", NULL);
    expect_reason("map<string,map<string,map<string,map<string,int>>>>",
                  "the column has more levels than delimited text has separators for (7)");
    expect_reason("array<array<array<array<array<array<array<int>>>>>>>", NULL);
    expect_reason("array<array<array<array<array<array<array<struct<x:int>>>>>>>>",
                  "the column has more levels than delimited text has separators for (7)");
    expect_reason("array<map<array<int>,int>>", "the column has a map whose keys are not plain values");
}

/* A row uses the memory of the row before it, and sees nothing of that row, even if it was long. */
static void test_long_fields(void **state)
{
    struct ps_hive_nested nested;
    struct ps_orc_type *type = hive_type_of("map<int,array<int>>");
    ps_hive_nested_open(&nested, (struct ps_slice){",", 1}, (struct ps_slice){":", 1});
    for (int size = 1; size < 30000; size = size * 3 + 1) {
        char *text;
        size_t length;
        FILE *out = open_memstream(&text, &length);
        for (int i = 0; i < size; i++)
            fprintf(out, "%s%d:%d\4%d", i == 0 ? "" : ",", i / 2, i, i + 1);
        fclose(out);
        ps_hive_nested_begin(&nested);
        struct ps_orc_value value = ps_hive_nested_read(&nested, type, text, (uint32_t)length);
        assert_int_equal(value.item_count, (size + 1) / 2 * 2);
        for (uint32_t i = 0; i < value.item_count; i += 2) {
            assert_int_equal(value.items[i].integer, i / 2);
            assert_int_equal(value.items[i + 1].items[1].integer, i + 1);
        }
        free(text);
    }
    assert_false(nested.memory.failed);
    ps_hive_nested_close(&nested);
    ps_orc_type_destroy(type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_those_of_hive),
        cmocka_unit_test(test_separators),
        cmocka_unit_test(test_numbers_of_separators),
        cmocka_unit_test(test_types_without_texts),
        cmocka_unit_test(test_long_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
