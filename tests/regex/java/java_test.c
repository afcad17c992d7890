#include "tests/support/support.h"

#include "regex/java/internal.h"
#include "regex/java/java.h"

/* The translation of an expression for Hyperscan. */
static void test_hyperscan(void **unused)
{
    static const struct {
        const char *pattern, *hyperscan;
        enum ps_regex_exactness exactness;
    } cases[] = {
        {".*", NULL, PS_REGEX_ALWAYS},
        {"", NULL, PS_REGEX_ALWAYS},
        {"^.*", NULL, PS_REGEX_ALWAYS},
        {"x*$", NULL, PS_REGEX_ALWAYS},
        {"a|b?", NULL, PS_REGEX_ALWAYS},
        {"^x*$", "^x*(?:$|[\\x0d\\xc2\\xe2])", PS_REGEX_PLAIN},
        {"(?m)^", NULL, PS_REGEX_NONE}, /* does not match the empty text */
        {"^.*$", NULL, PS_REGEX_NONE},
        {"\\b", NULL, PS_REGEX_NONE},
        {"(?!x)", NULL, PS_REGEX_NONE},
        {"\\uD800", NULL, PS_REGEX_NONE},
        {"status=(200|404)", "status\\=(?:200|404)", PS_REGEX_EXACT},
        {".*status=(200|404).*", "status\\=(?:200|404)", PS_REGEX_EXACT},
        {"^.*ERROR.*", "ERROR", PS_REGEX_PLAIN},
        {"ERROR.*$", "ERROR", PS_REGEX_PLAIN},
        {"(?s)^.*ERROR.*", "ERROR", PS_REGEX_PLAIN},
        {"a\\X$", "a[\\x00-\\x7f\\x80-\\xfe]+(?:$|[\\x0d\\xc2\\xe2])",
         PS_REGEX_CONFIRM}, /* not "a.", as for "a.+$": \X is one character */
        {"^\\Xa", "^[\\x00-\\x7f\\x80-\\xfe]+a", PS_REGEX_CONFIRM},
        {"x[a-z]+", "x[a-z]", PS_REGEX_EXACT},
        {"[a-z]{3,5}x{2,9}", "[a-z]{3}x{2}", PS_REGEX_EXACT},
        {"(?:foo.*|.*bar)", "foo|bar", PS_REGEX_EXACT},
        {"<t>([^<]*)</t>", "\\<t\\>[\\x00-\\;\\=-\\x7f\\x80-\\xfe]*\\<\\/t\\>", PS_REGEX_EXACT},
        {"a.b", "a(?:[\\x00-\\x09\\x0b\\x0c\\x0e-\\x7f]|[\\x80-\\xfe]{1,4})b", PS_REGEX_PLAIN},
        {"\\S=", "[\\x00-\\x08\\x0e-\\x1f\\!-\\x7f\\x80-\\xfe]\\=", PS_REGEX_EXACT},
        {"\\S\\W",
         "[\\x00-\\x08\\x0e-\\x1f\\!-\\x7f\\x80-\\xfe][\\x00-\\/\\:-\\@\\[-\\^\\`\\{-\\x7f"
         "\\x80-\\xfe]",
         PS_REGEX_PLAIN}, /* the bytes of one character are not two characters */
        {"(?i)Err0r", "[Ee][Rr][Rr]0[Rr]", PS_REGEX_EXACT},
        {"(?iu)k", "[Kk]|\\xe2\\x84\\xaa", PS_REGEX_EXACT}, /* the Kelvin sign */
        {"caf\xC3\xA9", "caf\\xc3\\xa9", PS_REGEX_EXACT},
        {"\\bfoo\\b", "\\bfoo\\b", PS_REGEX_PLAIN},
        {"\\b[^a]x", "[\\x00-\\`b-\\x7f\\x80-\\xfe]x", PS_REGEX_CONFIRM},
        {"foo(?=bar)", "foobar", PS_REGEX_EXACT},
        {"(?<=foo)bar", "foobar", PS_REGEX_EXACT},
        {"(?<=^|,)bar", "(?:^|\\,)bar", PS_REGEX_PLAIN},
        {"foo(?!bar)", "foo", PS_REGEX_CONFIRM},
        {"foo(?=bar)b", "foob", PS_REGEX_CONFIRM},
        {"(a|b)x\\1", "(?:a|b)x(?:a|b)", PS_REGEX_CONFIRM},
        {"\"[^\"]*+\"", "\\\"[\\x00-\\!\\#-\\x7f\\x80-\\xfe]*\\\"", PS_REGEX_EXACT},
        {"a*+a", "a", PS_REGEX_CONFIRM}, /* Java never finds a match */
        {"x(?>a|ab)c", "x(?:a|ab)c", PS_REGEX_CONFIRM},
        {"x(?>a|ab)", "x(?:a|ab)", PS_REGEX_EXACT},
        {"(xc*?){2}+", "(?:xc*){2}", PS_REGEX_CONFIRM},
        {"(xc*?)++", "x", PS_REGEX_EXACT},
        {"[^a]?+(?<=a)b", "ab", PS_REGEX_CONFIRM},
        {"(?m)^x$", "(?:^|[\\x0d\\x85\\xa8\\xa9])x(?:$|[\\x0d\\xc2\\xe2])", PS_REGEX_PLAIN},
        {"x\\z", "x$", PS_REGEX_PLAIN},
        {"a$b", "ab", PS_REGEX_CONFIRM},
        {"x\\R", "x(?:[\\x0a-\\x0d]|\\xc2\\x85|\\xe2\\x80\\xa8|\\xe2\\x80\\xa9)", PS_REGEX_EXACT},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {.length = 0};
        struct ps_java_regex regex;
        const char *wanted = cases[i].hyperscan;
        if (ps_java_regex_translate(cases[i].pattern, 0, &regex, &err) != PS_OK)
            fail_msg("%s", err.text);
        if (regex.exactness != cases[i].exactness || (wanted == NULL) != (regex.hyperscan == NULL) ||
            (wanted != NULL && strcmp(wanted, regex.hyperscan) != 0))
            fail_msg("\"%s\" becomes %s, %d (%s)", cases[i].pattern,
                     regex.hyperscan == NULL ? "nothing" : regex.hyperscan, regex.exactness, regex.why);
        bool sure = regex.exactness == PS_REGEX_EXACT || regex.exactness == PS_REGEX_ALWAYS;
        if (sure != (regex.why[0] == '\0'))
            fail_msg("\"%s\": why \"%s\"", cases[i].pattern, regex.why);
        ps_java_regex_fini(&regex);
    }
}

/* The facts that the matcher uses. */
static void test_facts(void **unused)
{
    static const struct {
        const char *pattern;
        bool newline, anchored, repair;
        uint32_t length_min;
    } cases[] = {
        {"foo", false, false, false, 3},           {"foo\\s+bar", true, false, false, 7},
        {"foo.*bar", false, false, true, 6},       {"(?s)a.b", true, false, true, 3},
        {"^foo", false, true, false, 3},           {"foo$", false, true, false, 3},
        {"foo\\s*", false, false, false, 3},       {"[\xC3\xA9\xC3\xA0]x", false, false, false, 3},
        {"(?:ab|c){2,3}", false, false, false, 2}, {"\xEF\xBF\xBD", false, false, true, 1},
        {"a[^b]c", true, false, true, 3},          {"\\p{IsGreek}", false, false, false, 2},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {.length = 0};
        struct ps_java_regex regex;
        assert_int_equal(ps_java_regex_translate(cases[i].pattern, 0, &regex, &err), PS_OK);
        if (regex.crosses_newline != cases[i].newline || regex.anchored != cases[i].anchored ||
            regex.repair != cases[i].repair || regex.length_min != cases[i].length_min)
            fail_msg("\"%s\": newline %d, anchored %d, repair %d, at least %u bytes", cases[i].pattern,
                     regex.crosses_newline, regex.anchored, regex.repair, regex.length_min);
        ps_java_regex_fini(&regex);
    }
}

static void test_begins_with_newline(void **unused)
{
    static const char *const no[] = {
        "foo",    "f\\s",       "^\\s",    "[a-z]\\n", "(?:a|b)\\n", "\\x41\\s",
        "\\bfoo", "[\\x20-~]x", "[^\\n]x", "\\d\\s",   "a?b\\n",     "(?:a|^)\\s",
    };
    static const char *const yes[] = {
        "\\sfoo", "\\nfoo", "[^a]foo", "a?\\sx",     "(?:a|\\n)x", "\\x0Ax",
        "a*\\nb", "\\Wx",   "$\\nx",   "[\\x00-~]x", "\\b\\sx",    "(?:a{0,3}b?)\\sx",
    };
    for (size_t i = 0; i < PS_COUNT_OF(no) + PS_COUNT_OF(yes); i++) {
        bool may = i >= PS_COUNT_OF(no);
        const char *pattern = may ? yes[i - PS_COUNT_OF(no)] : no[i];
        struct ps_java_regex regex;
        assert_int_equal(ps_java_regex_translate(pattern, 0, &regex, NULL), PS_OK);
        if (regex.begins_newline != may)
            fail_msg("\"%s\" becomes %s: %d", pattern, regex.hyperscan, regex.begins_newline);
        ps_java_regex_fini(&regex);
    }
}

static void test_states(void **unused)
{
    static const struct {
        const char *pattern;
        uint64_t states;
        const char *hyperscan;
    } cases[] = {
        {"abc", 3, "abc"},
        {"^a$", 2, "^a(?:$|[\\x0d\\xc2\\xe2])"},
        {"a|bc", 3, "a|bc"},
        {"x(?:ab){10}y", 22, "x(?:ab){10}y"},
        {"x(?:a{10}b){10}y", 112, "x(?:a{10}b){10}y"},
        {"xa{2,}y", 5, "xa{2,}y"},
        {"xa*b+c?y", 8, "xa*b+c?y"}, /* the signs count as well: it is an estimate */
        {"x\xC3\xA9", 3, "x\\xc3\\xa9"},
        {"xa{30000}y", 30002, "xa{1000,}y"},
        {"x(?:a{9,3000}b){2,300}y", 900302, "x(?:a{9,}b){2,300}y"},
        {"x(?:a{0,3000}b){2,4000}y", 12004002, "x(?:a*b){2,}y"},
        {"x(?:a{900}b){900}y", 810902, "x(?:a{10,}b){10,}y"},
        {"x\\{9000}a{9000}[{9000}]y", 9009, "x\\{9000\\}a{1000,}[09\\{\\}]y"},
        {"xa{5000,}y", 5003, "xa{1000,}y"},
        {"x((((a{65535}){65535}){65535}){65535}){65535}y", UINT64_MAX, "x(?:(?:(?:(?:a+)+)+)+)+y"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_java_regex regex;
        assert_int_equal(ps_java_regex_translate(cases[i].pattern, 0, &regex, NULL), PS_OK);
        if (regex.states != cases[i].states || strcmp(regex.hyperscan, cases[i].hyperscan) != 0)
            fail_msg("%s: %s, %llu states", cases[i].pattern, regex.hyperscan,
                     (unsigned long long)regex.states);
        assert_true(regex.states_loosened <= PS_REGEX_STATES_LOOSENED);
        assert_true(regex.states_loosened == regex.states || regex.exactness == PS_REGEX_CONFIRM);
        ps_java_regex_fini(&regex);
    }
}

/* No part of these can be made smaller. */
static void test_too_large(void **unused)
{
    static const struct {
        size_t length;
        uint64_t states;
        const char *why;
    } cases[] = {
        {PS_REGEX_STATES_LOOSENED, PS_REGEX_STATES_LOOSENED, ""},
        {PS_REGEX_STATES_LOOSENED + 1, PS_REGEX_STATES_LOOSENED + 1, "it is too large for Hyperscan"}};
    static char text[PS_REGEX_STATES_LOOSENED + 2];
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_java_regex regex;
        memset(text, 'a', cases[i].length);
        assert_int_equal(ps_java_regex_translate(text, 0, &regex, NULL), PS_OK);
        assert_string_equal(regex.why, cases[i].why);
        assert_true(regex.states == cases[i].states && (regex.hyperscan == NULL) == (i == 1));
        ps_java_regex_fini(&regex);
    }
}

/* Expressions that Java refuses, with its offset and reason (java.util.regex of Java 17), and unsupported
 * ones. */
static void test_refused(void **unused)
{
    static const struct {
        const char *pattern, *reason;
        int offset;
    } cases[] = {
        {"a**", "Dangling meta character '*'", 2},
        {"*a", "Dangling meta character '*'", 0},
        {"a{,3}", "Illegal repetition", 2},
        {"{", "Illegal repetition", 1},
        {"a{2", "Unclosed counted closure", 3},
        {"a{3,2}", "Illegal repetition range", 5},
        {"a{99999999999}", "Illegal repetition range", 11},
        {"(", "Unclosed group", 1},
        {"a)", "Unmatched closing ')'", 0},
        {"[", "Unclosed character class", 0},
        {"[]a", "Unclosed character class", 2},
        {"[b-a]", "Illegal character range", 3},
        {"[a-\\d]", "Illegal character range", 4},
        {"[&&]", "Bad class syntax", 2},
        {"a\\", "Unescaped trailing backslash", 2},
        {"\\y", "Illegal/unsupported escape sequence", 1},
        {"[\\b]", "Illegal/unsupported escape sequence", 2},
        {"\\E", "Illegal/unsupported escape sequence", 1},
        {"\\09", "Illegal octal escape sequence", 2},
        {"\\xg", "Illegal hexadecimal escape sequence", 2},
        {"\\x{110000}", "Hexadecimal codepoint is too big", 8},
        {"\\u12", "Illegal Unicode escape sequence", 4},
        {"\\p{Nope}", "Unknown character property name {Nope}", 7},
        {"\\p{L", "Unclosed character family", 4},
        {"\\p{}", "Empty character family", 3},
        {"\\k<x>", "named capturing group <x> does not exist", 4},
        {"(?<x>a)(?<x>b)", "Named capturing group <x> is already defined", 11},
        {"(?<1>a)", "capturing group name does not start with a Latin letter", 3},
        {"(?P<x>a)", "Unknown inline modifier", 2},
        {"(?#a)", "Unknown inline modifier", 2},
        {"(?@a)", "Unknown group type", 2},
        {"(?<=(?:a|b)+)c", "Look-behind group does not have an obvious maximum length", 11},
        {"\\N{DIGIT ONE}", "names of characters are not supported", -2},
        {"(?c)a", "canonical equivalence is not supported", -2},
        {"a{70000}", "a repeat of more than 65,535 times is not supported", -2},
        {"(?<=ba+)c", "a look-behind with an unbounded repeat that is not its first part", -2},
        {"\\b{g}", "\\b{g}, the boundary of grapheme clusters, is not supported", -2},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {.length = 0};
        struct ps_java_regex regex;
        assert_int_equal(ps_java_regex_translate(cases[i].pattern, 0, &regex, &err), PS_FAIL);
        const char *offset = strstr(err.text, " at offset ");
        assert_non_null(strstr(err.text, cases[i].reason));
        assert_non_null(offset);
        if (cases[i].offset != -2 && atoi(offset + strlen(" at offset ")) != cases[i].offset)
            fail_msg("\"%s\": %s, Java says %d", cases[i].pattern, err.text, cases[i].offset);
        ps_java_regex_fini(&regex); /* it is empty */
    }
}

static void test_names(void **unused)
{
    struct ps_err err = {.length = 0};
    struct ps_java_regex regex;
    assert_int_equal(ps_java_regex_translate("(a)(?<one>b)(?:c)(?<Two2>d)", 0, &regex, &err), PS_OK);
    assert_int_equal(regex.group_count, 3);
    assert_null(regex.group_names[1]);
    assert_string_equal(regex.group_names[2], "one");
    assert_string_equal(regex.group_names[3], "Two2");
    ps_java_regex_fini(&regex);
}

/* All limits are enforced. */
static void test_bounds(void **unused)
{
    struct ps_err err = {.length = 0};
    struct ps_java_regex regex;
    char *text = malloc(PS_REGEX_PATTERN_BYTES_MAX + 2);
    assert_non_null(text);
    memset(text, 'a', PS_REGEX_PATTERN_BYTES_MAX + 1);
    text[PS_REGEX_PATTERN_BYTES_MAX + 1] = '\0';
    assert_int_equal(ps_java_regex_translate(text, 0, &regex, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "longer than"));
    text[PS_REGEX_PATTERN_BYTES_MAX] = '\0';
    assert_int_equal(ps_java_regex_translate(text, 0, &regex, &err), PS_OK);
    assert_int_equal(regex.exactness, PS_REGEX_NONE); /* too long for Hyperscan */
    ps_java_regex_fini(&regex);
    for (size_t i = 0; i < 1000; i++)
        text[i] = "(["[i & 1 ? 0 : i % 3 == 0];
    text[1000] = '\0';
    assert_int_equal(ps_java_regex_translate(text, 0, &regex, &err), PS_FAIL);
    memset(text, '(', 1000);
    assert_int_equal(ps_java_regex_translate(text, 0, &regex, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "nested too deeply"));
    for (size_t depth = PS_JAVA_DEPTH_MAX; depth <= PS_JAVA_DEPTH_MAX + 1; depth++) {
        for (unsigned is_class = 0; is_class < 2; is_class++) {
            memset(text, "(["[is_class], depth);
            text[depth] = 'a';
            memset(text + depth + 1, ")]"[is_class], depth);
            text[2 * depth + 1] = '\0';
            enum ps_status status = ps_java_regex_translate(text, 0, &regex, &err);
            assert_int_equal(status, depth <= PS_JAVA_DEPTH_MAX ? PS_OK : PS_FAIL);
            if (status == PS_OK)
                ps_java_regex_fini(&regex);
        }
    }
    assert_int_equal(ps_java_regex_translate("a{65536}", 0, &regex, &err), PS_FAIL);
    assert_int_equal(ps_java_regex_translate("a{65535}", 0, &regex, &err), PS_OK);
    ps_java_regex_fini(&regex);
    assert_int_equal(ps_java_regex_translate("(?<=(?:a{0,99}b{0,99}c{0,99}))d", 0, &regex, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "too many lengths"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hyperscan),
                                       cmocka_unit_test(test_facts),
                                       cmocka_unit_test(test_begins_with_newline),
                                       cmocka_unit_test(test_states),
                                       cmocka_unit_test(test_too_large),
                                       cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
