#include "tests/support/support.h"

#include <stdio.h>

#include "regex/regex.h"

static struct ps_regex *make(const char *pattern, enum ps_regex_how how)
{
    struct ps_err err = {.length = 0};
    struct ps_regex *regex = ps_regex_create(pattern, 0, how, &err);
    if (regex == NULL)
        fail_msg("%s", err.text);
    return regex;
}

static void test_match(void **unused)
{
    struct ps_slice groups[5];
    struct ps_regex *whole = make("<(\\d+)>(x)?(.*)", PS_REGEX_WHOLE);
    struct ps_regex *find = make("\xC3\xA9(.)", PS_REGEX_FIND);
    struct ps_regex_scratch *scratch = ps_regex_scratch_create(); /* works with any expression */
    assert_int_equal(ps_regex_group_count(whole), 3);
    assert_string_equal(ps_regex_text(whole), "<(\\d+)>(x)?(.*)");
    assert_int_equal(ps_regex_flags_of(whole), 0);
    assert_true(ps_regex_find(whole, scratch, "<13>rest", 8, 0, groups, 5));
    assert_int_equal(groups[1].length, 2);
    assert_null(groups[2].data);
    assert_memory_equal(groups[3].data, "rest", 4);
    assert_null(groups[4].data);
    assert_false(ps_regex_find(whole, scratch, "<13>rest\r", 9, 0, groups, 5)); /* `.` does not match \r */
    assert_false(ps_regex_find(whole, scratch, "x<13>rest", 9, 0, groups, 5));
    assert_true(ps_regex_find(find, scratch, "caf\xC3\xA9s", 6, 0, groups, 2));
    assert_memory_equal(groups[1].data, "s", 1);
    assert_false(ps_regex_find(find, scratch, "caf\xC3\xA9s\xC3\xA9", 8, 5, NULL, 0));
    ps_regex_scratch_destroy(scratch);
    ps_regex_destroy(whole);
    ps_regex_destroy(find);
}

static void test_names(void **unused)
{
    struct ps_regex *regex = make("(a)(?<one>b)(?<Two2>c)", PS_REGEX_FIND);
    assert_int_equal(ps_regex_group_number(regex, "one"), 2);
    assert_int_equal(ps_regex_group_number(regex, "Two2"), 3);
    assert_int_equal(ps_regex_group_number(regex, "no"), -1);
    assert_null(ps_regex_group_name(regex, 0));
    assert_null(ps_regex_group_name(regex, 1));
    assert_string_equal(ps_regex_group_name(regex, 2), "one");
    assert_null(ps_regex_group_name(regex, 4));
    ps_regex_destroy(regex);
}

/* Classes whose complement begins or ends at the ends of Unicode. */
static void test_ends_of_unicode(void **unused)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"[^\\x{0}-\\x{10FFFE}]", "\xF4\x8F\xBF\xBF", true},
        {"[^\\x{0}-\\x{10FFFE}]", "\xF4\x8F\xBF\xBE", false},
        {"[^\\x{1}-\\x{10FFFF}]", "\x01", false},
        {"[^\\x{2}-\\x{10FFFF}]", "\x01", true},
        {"[^\\x{1}-\\x{10FFFF}]", "\xF4\x8F\xBF\xBF", false},
    };
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_regex *regex = make(cases[i].pattern, PS_REGEX_FIND);
        if (ps_regex_find(regex, scratch, cases[i].text, strlen(cases[i].text), 0, NULL, 0) !=
            cases[i].matches)
            fail_msg("case %zu: %s", i, cases[i].pattern);
        ps_regex_destroy(regex);
    }
    ps_regex_scratch_destroy(scratch);
}

/* Malformed bytes count as U+FFFD; groups point into the repaired copy. */
static void test_malformed(void **unused)
{
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    struct ps_regex *regex = make("(\\uFFFD+)(\\w)", PS_REGEX_FIND), *two = make("^..$", PS_REGEX_FIND);
    struct ps_slice groups[3];
    const char *text = "a\xFF\x80"
                       "b\xE2\x82"
                       "c";
    assert_true(ps_regex_find(regex, scratch, text, 7, 0, groups, 3));
    assert_int_equal(groups[1].length, 6);
    assert_memory_equal(groups[2].data, "b", 1);
    assert_true(ps_regex_find(regex, scratch, text, 7, 4, groups, 3)); /* from an offset in the original */
    assert_int_equal(groups[1].length, 3);
    assert_memory_equal(groups[2].data, "c", 1);
    assert_false(ps_regex_find(regex, scratch, text, 7, 6, groups, 3));
    assert_true(ps_regex_find(two, scratch, "\xE2\x82\xFF", 3, 0, groups, 1));
    assert_false(ps_regex_find(two, scratch, "\xFF\x80\x80", 3, 0, groups, 1));
    assert_false(ps_regex_find(two, scratch, NULL, 0, 0, groups, 1));
    assert_true(ps_regex_find(two, scratch, "\0\n\n", 2, 0, groups, 1) == false);
    assert_true(ps_regex_find(two, scratch, "\0x\n", 3, 0, groups, 1));
    ps_regex_scratch_destroy(scratch);
    ps_regex_destroy(regex);
    ps_regex_destroy(two);
}

/* With more groups than can be returned, the first ones are returned, and the others still work inside the
 * expression. */
static void test_many_groups(void **unused)
{
    char pattern[2048], text[256];
    size_t used = 0;
    for (unsigned i = 0; i < 150; i++) {
        used += (size_t)snprintf(pattern + used, sizeof pattern - used, "(%c)", "abc"[i % 3]);
        text[i] = "abc"[i % 3];
    }
    snprintf(pattern + used, sizeof pattern - used, "\\150");
    text[150] = text[149];
    struct ps_slice groups[PS_REGEX_GROUPS_MAX];
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    struct ps_regex *regex = make(pattern, PS_REGEX_FIND);
    assert_int_equal(ps_regex_group_count(regex), 150);
    assert_true(ps_regex_find(regex, scratch, text, 151, 0, groups, PS_REGEX_GROUPS_MAX));
    for (unsigned i = 1; i < PS_REGEX_GROUPS_MAX; i++)
        assert_true(groups[i].data == text + i - 1 && groups[i].length == 1);
    ps_regex_scratch_destroy(scratch);
    ps_regex_destroy(regex);
}

/* An expression that would run forever is given up and counted; one that only needs much stack is not. */
static void test_bounded(void **unused)
{
    struct ps_slice groups[1];
    struct ps_regex *slow = make("(a|aa|aaa)+b", PS_REGEX_WHOLE), *deep = make("(?:a|b)*c", PS_REGEX_FIND);
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    char text[5000];
    memset(text, 'a', sizeof text);
    text[198] = 'c';
    text[199] = 'b'; /* without it PCRE2 sees that b is missing */
    assert_false(ps_regex_find(slow, scratch, text, 200, 0, groups, 1));
    assert_int_equal(ps_regex_scratch_given_up(scratch), 1);
    text[198] = 'a';
    text[sizeof text - 1] = 'c';
    assert_true(ps_regex_find(deep, scratch, text, sizeof text, 0, groups, 1));
    assert_int_equal(groups[0].length, sizeof text);
    assert_int_equal(ps_regex_scratch_given_up(scratch), 1);
    ps_regex_scratch_destroy(scratch);
    ps_regex_destroy(slow);
    ps_regex_destroy(deep);
}

/* A search that grows with the square of the text, or worse, is given up in a long text; others succeed. */
static void test_long(void **unused)
{
    static char text[200000];
    struct ps_slice groups[3];
    struct ps_regex *square = make(".*[0-9]", PS_REGEX_FIND), *cube = make("a.*b.*[cd]", PS_REGEX_FIND);
    struct ps_regex *line = make("^(.*) status=(\\d+)", PS_REGEX_FIND);
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    memset(text, 'a', sizeof text);
    memset(text + sizeof text / 2, 'b', sizeof text / 2);
    assert_false(ps_regex_find(square, scratch, text, sizeof text, 0, groups, 1));
    assert_int_equal(ps_regex_scratch_given_up(scratch), 1);
    assert_false(ps_regex_find(cube, scratch, text, sizeof text, 0, groups, 1));
    assert_int_equal(ps_regex_scratch_given_up(scratch), 2);
    text[sizeof text - 1] = '7';
    assert_true(ps_regex_find(square, scratch, text, sizeof text, 0, groups, 1));
    assert_int_equal(groups[0].length, sizeof text);
    memcpy(text + 1000, " status=404", 11);
    assert_true(ps_regex_find(line, scratch, text, sizeof text, 0, groups, 3));
    assert_int_equal(groups[1].length, 1000);
    assert_int_equal(groups[2].length, 3);
    assert_int_equal(ps_regex_scratch_given_up(scratch), 2);
    ps_regex_scratch_destroy(scratch);
    ps_regex_destroy(square);
    ps_regex_destroy(cube);
    ps_regex_destroy(line);
}

static void test_refused(void **unused)
{
    struct ps_err err = {.length = 0};
    assert_null(ps_regex_create("(", 0, PS_REGEX_FIND, &err));
    assert_non_null(strstr(err.text, "at offset 1"));
    /* Java accepts this; it is too large for PCRE2. */
    assert_null(ps_regex_create("(?:(?:a{60000}b){60000}c){60000}", 0, PS_REGEX_FIND, &err));
    assert_non_null(strstr(err.text, "PCRE2 cannot compile"));
}

/* PCRE2 alone gives the opposite results (regex/java/pcre2.c, regex/regex.c). */
static void test_bugs_of_pcre2(void **unused)
{
    static const struct {
        const char *pattern, *text;
        bool found;
    } cases[] = {{"(?>[^a]*.|)b", " b ", false},    {"x|(?>\\W*.b??.|)b", " b ", false},
                 {"z?(?>[^a]+.|)b", " b ", false},  {"(?:ab|a)c*b", "abz", true},
                 {"^(?:ab|a)c*b", "abz", true},     {"(?:ab|a)[a-z]*?b", "abz", true},
                 {"x(?:ab|a)c*b", "xabz", true},    {"\\R[_\\r]*\\s", "\r\n-", true},
                 {"(^|x)(?:ab|a)c*b", "abz", true}, {"[^0-9]*(?:[0-9]B)?+[^a]-", "axs-", true}};
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_regex *regex = make(cases[i].pattern, PS_REGEX_FIND);
        assert_int_equal(ps_regex_find(regex, scratch, cases[i].text, strlen(cases[i].text), 0, NULL, 0),
                         cases[i].found);
        ps_regex_destroy(regex);
    }
    ps_regex_scratch_destroy(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ends_of_unicode),
                                       cmocka_unit_test(test_match),
                                       cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_malformed),
                                       cmocka_unit_test(test_many_groups),
                                       cmocka_unit_test(test_bounded),
                                       cmocka_unit_test(test_long),
                                       cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_bugs_of_pcre2)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
