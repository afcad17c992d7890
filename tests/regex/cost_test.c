/* The cost of expressions: the grades, and that no expensive expression reaches the compiler. */
#include <stdio.h>

#include "regex/matcher/matcher.h"
#include "tests/support/support.h"

/* None of these may take long or need much memory. PCRE2 refuses most of them. */
static void test_expensive_expressions(void **state)
{
    static const char *const patterns[] = {
        "(a{1,30000}){1,30000}",
        "x{1,65535}(?:y{1,60000}){1,3}z",
        "a.{0,1000}b.{0,1000}c",
        "a[^x]{0,5000}y",
        "(.{0,5000}){100}x",
        "[^x]{10000}y",
        "(a|b|c|d|e|f){50}{50}",
        "(?:(?:a|b|c|d){50}){50}",
        "(a*)*",
        "(a*)*b",
        "(?:(?:(?:a{100}){100}){100}){100}",
        "x.{0,30000}y",
        "(\\w+\\s+){100}x",
        "(x+x+)+y",
        ".*.*.*.*.*.*.*.*.*.*=.*",
        "(?:a?){500}a{500}",
        "\\p{L}{1,1000}\\d",
    };
    for (size_t i = 0; i < PS_COUNT_OF(patterns); i++) {
        struct ps_err err;
        struct ps_matcher_cost cost;
        struct ps_regex *regex = ps_regex_create(patterns[i], 0, PS_REGEX_FIND, &err);
        if (regex == NULL)
            continue;
        ps_matcher_cost_of(regex, &cost);
        assert_true((cost.why[0] == '\0') == (cost.grade == PS_COST_FINE));
        if (cost.grade == PS_COST_RUINOUS)
            assert_int_equal(cost.database_bytes, 0);
        const struct ps_regex *set[] = {regex};
        struct ps_matcher *matcher = ps_matcher_create(set, 1, NULL, NULL, &err);
        if (matcher == NULL)
            fail_msg("%s: %s", patterns[i], err.text);
        struct ps_matcher_scratch *scratch = ps_matcher_scratch_create(matcher, &err);
        assert_non_null(scratch);
        uint64_t bits[PS_MATCHER_WORDS];
        struct ps_slice subject = {"xyzzy=abcabc foo 12\n", 20};
        struct ps_regex_scratch *naive = ps_regex_scratch_create();
        ps_matcher_scan_bits(matcher, scratch, &subject, 1, bits);
        bool is = ps_regex_find(regex, naive, subject.data, subject.length, 0, NULL, 0);
        if (is != ((bits[0] & 1) != 0) && ps_regex_scratch_given_up(naive) == 0)
            fail_msg("%s: %d", patterns[i], is);
        ps_regex_scratch_destroy(naive);
        ps_matcher_scratch_destroy(scratch);
        ps_matcher_destroy(matcher);
        ps_regex_destroy(regex);
    }
}

static void grade_is(const char *pattern, int grade, const char *why)
{
    struct ps_matcher_cost cost;
    struct ps_regex *regex = ps_regex_create(pattern, 0, PS_REGEX_FIND, NULL);
    assert_non_null(regex);
    ps_matcher_cost_of(regex, &cost);
    if ((int)cost.grade != grade || strstr(cost.why, why) == NULL)
        fail_msg("%s: grade %d, %llu states: %s", pattern, (int)cost.grade, (unsigned long long)cost.states,
                 cost.why);
    ps_regex_destroy(regex);
}

static void test_grades(void **state)
{
    grade_is("status=404", PS_COST_FINE, "");
    grade_is("^\\S+ \\S+ \\[[^]]*\\] \"GET", PS_COST_FINE, "");
    grade_is("foo(?:ab{1,2000}c){5}bar", PS_COST_HIGH, "the repeat {1,2000} at");
    grade_is("foo(?:ab{1,30000}c){5}bar", PS_COST_RUINOUS, "the repeat {1,30000} at 8 makes 150,016 states");
    grade_is("a{3}b{10,2000}c{2500}d", PS_COST_HIGH, "the repeat {2500} at 15 makes");
    grade_is("a\\{3}[{4}]b{9,}c{9}", PS_COST_FINE, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expensive_expressions),
        cmocka_unit_test(test_grades),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
