/* The cost of expressions: the estimate, and that no expensive expression reaches the compiler. */
#include <stdio.h>

#include "regex/cost.h"
#include "regex/matcher/matcher.h"
#include "tests/support/support.h"

static void test_counts_states(void **state)
{
    static const struct {
        const char *text;
        uint64_t states;
    } cases[] = {
        {"", 0},
        {"abc", 3},
        {"^a$", 1},
        {"a|bc", 3},
        {"[a-z]{3}", 3},
        {"[]{3}]{2}", 2},
        {"[^]x]{2}", 2},
        {"(?:ab){10}", 20},
        {"(?:a{10}b){10}", 110},
        {"a{2,}", 3},
        {"a{0}", 1},
        {"a{,3}", 5},
        {"\\x41{4}", 4},
        {"\\x{41}{4}", 4},
        {"\\x{1F600}b", 2},
        {"\\bfoo\\b", 3},
        {"\\\\{3}", 3},
        {"(?i)ab", 2},
        {"a*b+c?", 6}, /* the signs count as well: it is an estimate */
        {"(a{1,30000}){1,30000}", 900000000},
        {"((((a{65535}){65535}){65535}){65535}){65535}", UINT64_MAX},
        {"a{99999999999999999999999}", UINT64_MAX},
        {"a)b", 2},
        {"(((", 0},
        {"[", 1},
        {"\\", 1},
        {"a{3", 3},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        uint64_t states = ps_cost_states(cases[i].text);
        if (states != cases[i].states)
            fail_msg("%s: %llu", cases[i].text, (unsigned long long)states);
    }
}

static void test_deep_nesting_ends(void **state)
{
    static char text[60001];
    memset(text, '(', 30000);
    memset(text + 30000, ')', 30000);
    assert_int_equal(ps_cost_states(text), UINT64_MAX);
}

static void test_finds_the_largest_repeat(void **state)
{
    struct ps_cost_repeat repeat;
    assert_true(ps_cost_largest_repeat("a{3}b{10,200}c{5}", &repeat));
    assert_int_equal(repeat.at, 5);
    assert_int_equal(repeat.length, 8);
    assert_int_equal(repeat.bound, 200);
    assert_false(ps_cost_largest_repeat("a\\{3}[{4}]{x}", &repeat));
}

static void test_loosens(void **state)
{
    static const struct {
        const char *text, *loose;
    } cases[] = {
        {"a{10}b", "a{10}b"},
        {"xa{30000}y", "xa{1000,}y"},
        {"x(?:a{9,3000}b){2,300}", "x(?:a{9,}b){2,300}"},
        {"x(?:a{0,3000}b){2,4000}", "x(?:a{0,}b){2,}"},
        {"x(?:a{900}b){900}", "x(?:a{10,}b){10,}"},
        {"\\{9000}a{9000}[{9000}]", "\\{9000}a{1000,}[{9000}]"},
        {"a{5000,}", "a{1000,}"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char *loose = ps_cost_loosen(cases[i].text);
        assert_non_null(loose);
        assert_true(ps_cost_states(loose) <= PS_COST_STATES_LOOSENED);
        if (strcmp(loose, cases[i].loose) != 0)
            fail_msg("%s: %s", cases[i].text, loose);
        free(loose);
    }
    char *long_one = malloc(PS_COST_STATES_LOOSENED + 2); /* no part of it can be made less strict */
    assert_non_null(long_one);
    memset(long_one, 'a', PS_COST_STATES_LOOSENED + 1);
    long_one[PS_COST_STATES_LOOSENED + 1] = '\0';
    assert_null(ps_cost_loosen(long_one));
    free(long_one);
}

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
    grade_is("foo(?:ab{1,30000}c){5}bar", PS_COST_RUINOUS, "the repeat {1,30000} at 8 makes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_states),
        cmocka_unit_test(test_deep_nesting_ends),
        cmocka_unit_test(test_finds_the_largest_repeat),
        cmocka_unit_test(test_expensive_expressions),
        cmocka_unit_test(test_loosens),
        cmocka_unit_test(test_grades),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
