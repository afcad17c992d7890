/* kafka.topics.regex: Java patterns as POSIX expressions, with the same topics matching. */
#include "stages/lib/kafka/fetch/topic_regex.h"
#include "tests/support/arena.h"
#include "tests/support/support.h"

#include <regex.h>
#include <string.h>

static bool matches(const char *pattern, const char *topic)
{
    struct ps_err err = {0};
    const char *expression = ps_kafka_topic_regex(ps_test_arena(), pattern, &err);
    if (expression == NULL)
        fail_msg("%s: %s", pattern, err.text);
    assert_int_equal(expression[0], '^'); /* librdkafka's mark */
    regex_t compiled;
    assert_int_equal(regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB), 0);
    bool found = regexec(&compiled, topic, 0, NULL, 0) == 0;
    regfree(&compiled);
    return found;
}

/* Expected results are those of java.util.regex.Pattern.matches (checked with Java 17). */
static const struct {
    const char *pattern, *topic;
    bool matches;
} cases[] = {
    {"topic[0-9]", "topic1", true},
    {"topic[0-9]", "xtopic1", false},
    {"topic[0-9]", "topic12", false},
    {"a|b", "a", true},
    {"a|b", "ab", false},
    {"^logs\\..*$", "logs.web", true},
    {"^logs\\..*$", "logsxweb", false},
    {"\\w+-\\d{2,3}", "web_1-12", true},
    {"\\w+-\\d{2,3}", "web_1-1", false},
    {"\\W", "-", true},
    {"\\W", "a", false},
    {"\\D+", "ab-", true},
    {"\\D+", "ab1", false},
    {"\\S*", "any.thing", true},
    {"a\\sb", "a.b", false},
    {"(?:x|y)z", "yz", true},
    {"(?<name>x|y)z", "xz", true},
    {"a*?b", "aaab", true},
    {"a+?b??", "aa", true},
    {"\\Qa.b\\E.", "a.bc", true},
    {"\\Qa.b\\E.", "axbc", false},
    {"\\Qa.b", "a.b", true},
    {"[a\\-z]", "-", true},
    {"[a\\-z]", "b", false},
    {"[a-]", "-", true},
    {"[b-b]x", "bx", true}, /* a range of one */
    {"[b-b]x", "ax", false},
    {"[b-b]x", "cx", false},
    {"[^a-z]x", "Ax", true},
    {"[^a-z]x", "ax", false},
    {"[\\w.]+", "a_1.b", true},
    {"[\\w.]+", "a-b", false},
    {"[^\\d]+", "a-b", true},
    {"[^\\d]+", "a1", false},
    {"[\\.\\]]", ".", true},
    {"[/ ]", "-", false},
    {"a{2}", "aa", true},
    {"a{2}", "aaa", false},
    {"", "", true},
    {"", "a", false},
    {"a\\.b\\-c\\_d", "a.b-c_d", true},
    {"a\\|b", "a|b", true},
    {"a\\|b", "a", false},
    {"\\Qa|b\\E", "b", false},
};

static void test_cases(void **state)
{
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        if (matches(cases[i].pattern, cases[i].topic) != cases[i].matches)
            fail_msg("\"%s\" and \"%s\"", cases[i].pattern, cases[i].topic);
    }
}

static void test_refused(void **state)
{
    static const char *const patterns[][2] = {
        {"a(?=b)", "look-around"}, {"(?i)a", "inline flags"},   {"(?<!a)b", "look-around"},
        {"a*+", "possessive"},     {"a{2}+", "possessive"},     {"(a)\\1", "\\1"},
        {"\\p{L}", "\\p"},         {"[a&&b]", "intersections"}, {"[a[b]]", "unions"},
        {"[a", "not closed"},      {"a\\", "backslash"},        {"(a", ""},
        {"[z-a]", "wrong order"},  {"(?<name", "not closed"},   {"\\bx", "\\b"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(patterns); i++) {
        struct ps_err err = {0};
        if (ps_kafka_topic_regex(ps_test_arena(), patterns[i][0], &err) != NULL)
            fail_msg("\"%s\" was taken", patterns[i][0]);
        if (strstr(err.text, patterns[i][1]) == NULL)
            fail_msg("\"%s\": %s", patterns[i][0], err.text);
    }
}

/* Every pattern gives an expression that compiles, or an error. */
static void test_any_pattern(void **state)
{
    static const char alphabet[] = "ab09.-_\\[]()?*+{}|^$:<>&,QEdwsDWS1,2";
    uint64_t seed = ps_test_seed();
    for (int round = 0; round < 20000; round++) {
        char pattern[24];
        size_t length = ps_test_random(&seed) % (sizeof pattern - 1);
        for (size_t i = 0; i < length; i++)
            pattern[i] = alphabet[ps_test_random(&seed) % (sizeof alphabet - 1)];
        pattern[length] = '\0';
        struct ps_err err = {0};
        const char *expression = ps_kafka_topic_regex(ps_test_arena(), pattern, &err);
        if (expression == NULL) {
            assert_true(err.length > 0);
            continue;
        }
        regex_t compiled;
        assert_int_equal(regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB), 0);
        regfree(&compiled);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cases, ps_test_arena_setup, ps_test_arena_teardown),
        cmocka_unit_test_setup_teardown(test_refused, ps_test_arena_setup, ps_test_arena_teardown),
        cmocka_unit_test_setup_teardown(test_any_pattern, ps_test_arena_setup, ps_test_arena_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
