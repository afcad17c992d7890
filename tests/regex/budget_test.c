/* The limit for all matches of a batch: costly expressions are no longer run when it is used up, others still
 * run and are right; ordinary expressions never notice it. */
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#include "regex/budget.h"
#include "regex/regex.h"

#define EVENTS 1000U
#define COSTLY 10U
#define TEXT_BYTES 200U

static struct ps_regex *make(const char *pattern)
{
    struct ps_err err = {.length = 0};
    struct ps_regex *regex = ps_regex_create(pattern, 0, PS_REGEX_FIND, &err);
    if (regex == NULL)
        fail_msg("%s", err.text);
    return regex;
}

/* Every match of such an expression in a text of x takes the maximum number of steps. */
static struct ps_regex *make_costly(unsigned number)
{
    char pattern[64];
    snprintf(pattern, sizeof pattern, "(x+x+)+[yz%u]", number);
    return make(pattern);
}

static bool find(const struct ps_regex *regex, struct ps_regex_scratch *scratch, const char *text)
{
    return ps_regex_find(regex, scratch, text, strlen(text), 0, NULL, 0);
}

/* Ten backtracking expressions over 1,000 events, with an ordinary one among them: the whole batch takes less than
 * a twentieth of the CPU time that its matches would take without the limit. */
static void test_costly_batch(void **unused)
{
    static struct ps_regex_budget budget;
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    struct ps_regex *costly[COSTLY], *ordinary = make("x{3}n=(\\d+)$");
    char text[TEXT_BYTES + 1], numbered[32];
    memset(text, 'x', TEXT_BYTES);
    text[TEXT_BYTES] = '\0';
    for (unsigned i = 0; i < COSTLY; i++)
        costly[i] = make_costly(i);
    uint64_t began_ns = ps_regex_cpu_ns();
    for (unsigned i = 0; i < COSTLY; i++)
        assert_false(find(costly[i], scratch, text)); /* without a limit */
    uint64_t one_ns = (ps_regex_cpu_ns() - began_ns) / COSTLY;
    assert_int_equal(ps_regex_scratch_given_up(scratch), COSTLY);

    ps_regex_budget_init(&budget, NULL);
    ps_regex_scratch_limit(scratch, &budget);
    for (unsigned batch = 0; batch < 2; batch++) {
        ps_regex_budget_begin(&budget);
        began_ns = ps_regex_cpu_ns();
        for (unsigned event = 0; event < EVENTS; event++) {
            for (unsigned i = 0; i < COSTLY; i++)
                assert_false(find(costly[i], scratch, text));
            snprintf(numbered, sizeof numbered, "xxxn=%u%s", event, event % 2 ? "" : "!");
            assert_int_equal(find(ordinary, scratch, numbered), event % 2);
        }
        uint64_t took_ns = ps_regex_cpu_ns() - began_ns;
        if (took_ns > one_ns * EVENTS * COSTLY / 20)
            fail_msg("%llu ns for a batch of matches of %llu ns", (unsigned long long)took_ns,
                     (unsigned long long)one_ns);
        assert_int_equal(budget.left_ns, 0);
    }
    assert_int_equal(ps_regex_scratch_given_up(scratch), COSTLY + 2 * EVENTS * COSTLY); /* each is counted */
    assert_true(budget.skipped > EVENTS * COSTLY);
    ps_regex_scratch_destroy(scratch);
    for (unsigned i = 0; i < COSTLY; i++)
        ps_regex_destroy(costly[i]);
    ps_regex_destroy(ordinary);
}

/* Matches that stay below the limit of steps at each position, so that only their time exceeds a limit. */
static void test_slow_below_the_limit_of_steps(void **unused)
{
    static struct ps_regex_budget budget;
    static char text[4001];
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    struct ps_regex *slow = make("(?:a?){10}[bc]");
    memset(text, 'a', sizeof text - 1);
    assert_false(find(slow, scratch, text));
    assert_int_equal(ps_regex_scratch_given_up(scratch), 0);
    ps_regex_budget_init(&budget, NULL);
    ps_regex_scratch_limit(scratch, &budget);
    for (unsigned event = 0; event < 2000 && budget.skipped == 0; event++)
        assert_false(find(slow, scratch, text));
    assert_true(budget.skipped > 0);
    ps_regex_budget_begin(&budget); /* the next batch */
    text[sizeof text - 2] = 'b';
    assert_true(find(slow, scratch, text));
    ps_regex_scratch_destroy(scratch);
    ps_regex_destroy(slow);
}

/* Sends far more than a batch of ordinary matches, also of expensive ones and long texts. Returns how much CPU time is left. */
static uint64_t ordinary_matches(void)
{
    static const char line[] = "2026-11-21 06:12:38,123 INFO [main] com.example.Service user=abc method=GET "
                               "path=/index.html status=404 took=13ms ";
    static const char *const patterns[] = {"status=(\\d+)", "^(\\S+ \\S+) (\\w+) \\[(.*?)\\]",
                                           "(?<=user=)abc", "(?i)SERVICE",
                                           ".*took.*ms",    "(\\w+\\.)+Service"};
    struct ps_regex_budget budget = {0};
    static char text[30001];
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    ps_regex_budget_init(&budget, NULL);
    ps_regex_scratch_limit(scratch, &budget);
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = line[i % (sizeof line - 1)];
    for (unsigned p = 0; p < PS_COUNT_OF(patterns); p++) {
        struct ps_regex *regex = make(patterns[p]), *not_found = make("\\b(\\w{3,}) \\1=no\\b");
        for (unsigned event = 0; event < 2000; event++)
            assert_true(
                ps_regex_find(regex, scratch, text, event % 8 == 0 ? 3000 : sizeof line - 1, 0, NULL, 0));
        for (unsigned event = 0; event < 10; event++) {
            assert_true(ps_regex_find(regex, scratch, text, sizeof text - 1, 0, NULL, 0));
            assert_false(ps_regex_find(not_found, scratch, text, sizeof text - 1, 0, NULL, 0));
        }
        ps_regex_destroy(regex);
        ps_regex_destroy(not_found);
    }
    assert_int_equal(budget.skipped, 0);
    assert_int_equal(ps_regex_scratch_given_up(scratch), 0);
    ps_regex_scratch_destroy(scratch);
    return budget.left_ns;
}

/* Ordinary matches charge nothing that would end the batch, and each gives its answer. CPU time that a
 * neighbour of the virtual machine takes counts as theirs, so one quiet try of several is enough. */
static void test_ordinary(void **unused)
{
    uint64_t left_ns = 0;
    for (unsigned attempt = 0; attempt < 8 && left_ns <= PS_REGEX_BATCH_CPU_NS / 2; attempt++)
        left_ns = ordinary_matches();
    assert_true(left_ns > PS_REGEX_BATCH_CPU_NS / 2);
}

/* Texts between 4 and 64 KiB are searched in slices: a match is found wherever it is, also across their borders. */
static void test_slices(void **unused)
{
    static char text[60000];
    struct ps_slice groups[2];
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    struct ps_regex *regex = make("(?<=a)(b+)(?=c)"), *first = make("^b+|b+$|[bc]{4}");
    for (size_t at = 1; at + 4 < sizeof text; at += 97) {
        memset(text, 'a', sizeof text);
        memcpy(text + at, "bbbc", 4);
        assert_true(ps_regex_find(regex, scratch, text, sizeof text, 0, groups, 2));
        assert_ptr_equal(groups[1].data, text + at);
        assert_int_equal(groups[1].length, 3);
        assert_true(ps_regex_find(first, scratch, text, sizeof text, 0, groups, 1));
        assert_ptr_equal(groups[0].data, text + at);
        assert_false(ps_regex_find(regex, scratch, text, sizeof text, at + 1, groups, 2));
    }
    assert_int_equal(ps_regex_scratch_given_up(scratch), 0);
    ps_regex_scratch_destroy(scratch);
    ps_regex_destroy(regex);
    ps_regex_destroy(first);
}

/* More expressions than have an account of their own: the last ones share one. */
static void test_many_charged(void **unused)
{
    static struct ps_regex_budget budget;
    struct ps_regex *regexes[PS_REGEX_CHARGED_MAX + 2];
    ps_regex_budget_init(&budget, NULL);
    for (unsigned i = 0; i < PS_COUNT_OF(regexes); i++) {
        regexes[i] = make("a");
        ps_regex_budget_charge(&budget, regexes[i], PS_REGEX_SUSPECT_CPU_NS);
    }
    assert_int_equal(budget.charge_count, PS_REGEX_CHARGED_MAX);
    assert_int_equal(budget.left_ns, 0);
    for (unsigned i = 0; i < PS_COUNT_OF(regexes); i++)
        assert_true(ps_regex_budget_refuses(&budget, regexes[i]));
    ps_regex_budget_begin(&budget);
    assert_int_equal(budget.left_ns, PS_REGEX_BATCH_CPU_NS);
    for (unsigned i = 0; i < PS_COUNT_OF(regexes); i++) {
        assert_false(ps_regex_budget_refuses(&budget, regexes[i]));
        ps_regex_destroy(regexes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_costly_batch), cmocka_unit_test(test_slow_below_the_limit_of_steps),
        cmocka_unit_test(test_ordinary),     cmocka_unit_test(test_slices),
        cmocka_unit_test(test_many_charged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
