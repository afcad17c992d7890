#include "tests/support/support.h"

#include "regex/regex.h"

static void test_match(void **unused)
{
    (void)unused;
    struct ps_err err = {.length = 0};
    struct ps_slice groups[5];
    struct ps_regex *whole = ps_regex_create("<(\\d+)>(x)?(.*)", 0, PS_REGEX_WHOLE, &err);
    struct ps_regex *find = ps_regex_create("é(.)", 0, PS_REGEX_FIND, &err);
    assert_non_null(whole);
    assert_non_null(find);
    assert_int_equal(ps_regex_group_count(whole), 3);
    struct ps_regex_scratch *a = ps_regex_scratch_create(), *b = ps_regex_scratch_create();
    assert_true(ps_regex_find(whole, a, "<13>rest", 8, 0, groups, 5));
    assert_int_equal(groups[1].length, 2);
    assert_null(groups[2].data);
    assert_memory_equal(groups[3].data, "rest", 4);
    assert_null(groups[4].data);
    assert_false(ps_regex_find(whole, a, "<13>rest\r", 9, 0, groups, 5)); /* `.` stops there, as in Java */
    assert_false(ps_regex_find(whole, a, "x<13>rest", 9, 0, groups, 5));
    assert_true(ps_regex_find(find, b, "caf\xC3\xA9s", 6, 0, groups, 2));
    assert_memory_equal(groups[1].data, "s", 1);
    ps_regex_scratch_destroy(a);
    ps_regex_scratch_destroy(b);
    ps_regex_destroy(whole);
    ps_regex_destroy(find);
}

/* As java.util.regex.Matcher.replaceAll. */
static void test_replace(void **unused)
{
    (void)unused;
    static const struct {
        const char *pattern, *replacement, *text, *result; /* NULL: the replacement is refused */
    } cases[] = {
        {"([+-]\\d\\d):", "$1", "10:00+02:00", "10:00+0200"},
        {"a", "<$0>", "banana", "b<a>n<a>n<a>"},
        {"(a)(n)?", "$2$1", "banana", "bnanaa"},
        {"x*", "-", "axb", "-a--b-"},
        {"(a)", "$12", "a", "a2"},
        {"(?<name>a)", "${name}${name}", "cat", "caat"},
        {"a", "\\$\\\\", "a", "$\\"},
        {"", "é", "ü", "éüé"},
        {"a", "$", "a", NULL},
        {"a", "$1", "a", NULL},
        {"a", "\\", "a", NULL},
        {"a", "${no}", "a", NULL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {.length = 0};
        struct ps_regex *regex = ps_regex_create(cases[i].pattern, 0, PS_REGEX_FIND, &err);
        assert_non_null(regex);
        struct ps_regex_scratch *scratch = ps_regex_scratch_create();
        struct ps_regex_replacement *replacement =
            ps_regex_replacement_create(regex, cases[i].replacement, &err);
        assert_int_equal(replacement != NULL, cases[i].result != NULL);
        if (replacement != NULL) {
            char out[64];
            size_t length = strlen(cases[i].text), wanted = strlen(cases[i].result);
            size_t used = ps_regex_replace_all(regex, scratch, replacement, cases[i].text, length, out,
                                               sizeof out, NULL);
            assert_int_equal(used, wanted);
            assert_memory_equal(out, cases[i].result, wanted);
            assert_int_equal(ps_regex_replace_all(regex, scratch, replacement, cases[i].text, length, out,
                                                  wanted - 1, NULL),
                             SIZE_MAX);
        }
        ps_regex_replacement_destroy(replacement);
        ps_regex_scratch_destroy(scratch);
        ps_regex_destroy(regex);
    }
}

/* An expression that would take for ever is given up. */
static void test_bounded(void **unused)
{
    (void)unused;
    struct ps_err err = {.length = 0};
    struct ps_slice groups[1];
    struct ps_regex *regex = ps_regex_create("(a|aa|aaa)+b", 0, PS_REGEX_WHOLE, &err);
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    char text[200];
    memset(text, 'a', sizeof text);
    assert_false(ps_regex_find(regex, scratch, text, sizeof text, 0, groups, 1));
    ps_regex_scratch_destroy(scratch);
    ps_regex_destroy(regex);
    assert_null(ps_regex_create("(", 0, PS_REGEX_FIND, &err));
    assert_non_null(strstr(err.text, "offset"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_match), cmocka_unit_test(test_replace),
                                       cmocka_unit_test(test_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
