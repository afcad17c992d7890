#include "tests/support/support.h"

#include "regex/regex.h"

/* Compares with java.util.regex.Matcher.replaceAll; the results come from Java 17. */
static void test_replace(void **unused)
{
    static const struct {
        const char *pattern, *replacement, *text, *result; /* NULL: the replacement is refused */
        uint32_t count;
    } cases[] = {
        {"([+-]\\d\\d):", "$1", "10:00+02:00", "10:00+0200", 1},
        {"a", "<$0>", "banana", "b<a>n<a>n<a>", 3},
        {"(a)(n)?", "$2$1", "banana", "bnanaa", 3},
        {"x*", "-", "axb", "-a--b-", 4},
        {"x*", "-", "\xC3\xA9x", "-\xC3\xA9--", 3},
        {"(a)", "$12", "a", "a2", 1},
        {"(a)", "$1x$1", "ba", "baxa", 1},
        {"(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)(l)", "$12$11$13$129", "abcdefghijkl", "lka3l9", 1},
        {"(?<name>a)", "${name}${name}", "cat", "caat", 1},
        {"a", "\\$\\\\\\n", "a", "$\\n", 1},
        {"", "\xC3\xA9", "\xC3\xBC", "\xC3\xA9\xC3\xBC\xC3\xA9", 2},
        {"\\G", "-", "abc", "-abc", 1},
        {"\\Ga", "-", "aaba", "--ba", 2},
        {"^", "-", "ab\n", "-ab\n", 1},
        {"(?m)^", "-", "a\nb\n", "-a\n-b\n", 2},
        {"$", "-", "a\n", "a-\n-", 2},
        {"(?m)$", "-", "a\r\nb", "a-\r\nb-", 2},
        {"b", "x", "aaa", "aaa", 0},
        {"(?<=a)", "-", "aab", "a-a-b", 2},
        {"a|(b)", "[$1]", "ab", "[][b]", 2},
        {"a", "", "aba", "b", 2},
        {"a", "$", "a", NULL, 0},
        {"a", "$1", "a", NULL, 0},
        {"a", "$x", "a", NULL, 0},
        {"a", "\\", "a", NULL, 0},
        {"a", "${no}", "a", NULL, 0},
        {"(?<a>a)", "${a", "a", NULL, 0},
        {"(?<a>a)", "${1}", "a", NULL, 0},
        {"(?<a>a)", "${}", "a", NULL, 0},
    };
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {.length = 0};
        struct ps_regex *regex = ps_regex_create(cases[i].pattern, 0, PS_REGEX_FIND, &err);
        assert_non_null(regex);
        struct ps_regex_replacement *replacement =
            ps_regex_replacement_create(regex, cases[i].replacement, &err);
        assert_int_equal(replacement != NULL, cases[i].result != NULL);
        if (replacement != NULL) {
            char out[64];
            uint32_t count = 99;
            size_t length = strlen(cases[i].text), wanted = strlen(cases[i].result);
            size_t used = ps_regex_replace_all(regex, scratch, replacement, cases[i].text, length, out,
                                               sizeof out, &count);
            if (used != wanted || memcmp(out, cases[i].result, wanted) != 0 || count != cases[i].count)
                fail_msg("\"%s\": \"%.*s\", %u times", cases[i].pattern, (int)used, out, count);
            assert_int_equal(
                ps_regex_replace_all(regex, scratch, replacement, cases[i].text, length, out, wanted, NULL),
                wanted);
            assert_int_equal(ps_regex_replace_all(regex, scratch, replacement, cases[i].text, length, out,
                                                  wanted - 1, NULL),
                             SIZE_MAX);
        } else {
            assert_non_null(strstr(err.text, "replacement \""));
        }
        ps_regex_replacement_destroy(replacement);
        ps_regex_destroy(regex);
    }
    ps_regex_scratch_destroy(scratch);
}

/* Malformed UTF-8 becomes U+FFFD in the output, also outside of matches, as in Java. */
static void test_malformed(void **unused)
{
    struct ps_err err = {.length = 0};
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    struct ps_regex *regex = ps_regex_create("a\\uFFFD?", 0, PS_REGEX_FIND, &err);
    assert_non_null(regex);
    struct ps_regex_replacement *replacement = ps_regex_replacement_create(regex, "<$0>", &err);
    assert_non_null(replacement);
    char out[64];
    uint32_t count;
    size_t used = ps_regex_replace_all(regex, scratch, replacement,
                                       "\xFF"
                                       "a\xE2\x82"
                                       "b\xC3",
                                       6, out, sizeof out, &count);
    assert_int_equal(count, 1);
    assert_int_equal(used, strlen("\xEF\xBF\xBD<a\xEF\xBF\xBD>b\xEF\xBF\xBD"));
    assert_memory_equal(out, "\xEF\xBF\xBD<a\xEF\xBF\xBD>b\xEF\xBF\xBD", used);
    used = ps_regex_replace_all(regex, scratch, replacement, "\xFF", 1, out, sizeof out, &count);
    assert_int_equal(used, 3);
    assert_int_equal(count, 0);
    used = ps_regex_replace_all(regex, scratch, replacement, NULL, 0, out, 0, &count);
    assert_int_equal(used, 0);
    ps_regex_replacement_destroy(replacement);
    ps_regex_destroy(regex);
    ps_regex_scratch_destroy(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replace), cmocka_unit_test(test_malformed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
