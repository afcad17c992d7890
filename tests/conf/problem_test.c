/* The list of problems: which of them decide that an agent does not start, their order, and the notes that a refused key
 * removes. */
#include "tests/support/support.h"

#include "conf/problem.h"

#include <stdio.h>
#include <string.h>

static struct ps_arena *arena;
static struct ps_problems problems;

static int setup(void **state)
{
    arena = ps_arena_create();
    ps_problems_init(&problems, arena);
    return 0;
}

static int teardown(void **state)
{
    ps_problems_fini(&problems);
    ps_arena_destroy(arena);
    return 0;
}

static void add(enum ps_severity severity, const char *file, int line, const char *key, const char *what)
{
    ps_problem_add(&problems, severity, (struct ps_place){file, line, key}, NULL, "%s", what);
}

/* Asserts that `decides` is set for the problems that are named, "a,b,", and no others. */
static void expect_deciding(const char *names)
{
    char found[128] = "";
    for (size_t i = 0; i < problems.count; i++) {
        if (problems.items[i].decides)
            snprintf(found + strlen(found), sizeof found - strlen(found), "%s,", problems.items[i].what);
    }
    assert_string_equal(found, names);
}

static void test_nothing_decides(void **state)
{
    assert_false(ps_problems_decide(&problems, NULL));
    add(PS_SEVERITY_WARNING, "x", 1, "a1.sinks", "warning");
    add(PS_SEVERITY_NOTE, "x", 2, "a1.sinks", "note");
    assert_false(ps_problems_decide(&problems, NULL));
    expect_deciding("");
}

/* Errors and dropped components decide; a warning does so only if it is a cause, and they do not. */
static void test_which_decide(void **state)
{
    add(PS_SEVERITY_WARNING, "x", 1, "a1.sinks", "cause");
    ps_problem_mistake(&problems, PS_MISTAKE_CAUSE);
    add(PS_SEVERITY_WARNING, "x", 2, "a1.sinks", "warning");
    add(PS_SEVERITY_WARNING, "x", 3, "a1.sinks", "consequence");
    ps_problem_mistake(&problems, PS_MISTAKE_CONSEQUENCE);
    assert_true(problems.items[2].follows && !problems.items[0].follows && !problems.items[1].follows);
    assert_true(ps_problems_decide(&problems, NULL));
    expect_deciding("cause,");
    problems.items[0].decides = false;
    add(PS_SEVERITY_DROPPED, "x", 4, "a1.sources.r1", "dropped");
    add(PS_SEVERITY_DROPPED, "x", 5, "a1.sources.r2", "dropped by another");
    ps_problem_mistake(&problems, PS_MISTAKE_CONSEQUENCE);
    add(PS_SEVERITY_DROPPED, "x", 6, "a1.sources.r3", "dropped, too");
    assert_true(ps_problems_decide(&problems, NULL));
    expect_deciding("dropped,dropped, too,");
    assert_int_equal(problems.errors, 0);
    assert_int_equal(problems.dropped, 3);
    assert_int_equal(problems.warnings, 3);
    add(PS_SEVERITY_ERROR, "x", 7, NULL, "error");
    assert_true(ps_problems_decide(&problems, NULL));
    expect_deciding("dropped,dropped, too,error,");
}

/* A section has the keys below it, and no keys whose names only begin like it. */
static void test_sections(void **state)
{
    add(PS_SEVERITY_DROPPED, "x", 1, "a1.channels.c1.type", "below");
    add(PS_SEVERITY_DROPPED, "x", 2, "a1.channels", "itself");
    add(PS_SEVERITY_DROPPED, "x", 3, "a1.channelsx.c1", "longer");
    add(PS_SEVERITY_DROPPED, "x", 4, "a1.channel", "shorter");
    add(PS_SEVERITY_DROPPED, "x", 5, "a1.sources.r1.channels", "other");
    add(PS_SEVERITY_ERROR, "x", 6, NULL, "no key");
    assert_false(ps_problems_decide(&problems, "a1.sinks"));
    expect_deciding("");
    assert_true(ps_problems_decide(&problems, "a1.channels"));
    expect_deciding("below,itself,");
}

static void expect_order(const char *order)
{
    char found[128] = "";
    for (size_t i = 0; i < problems.count; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s ", problems.items[i].what);
    assert_string_equal(found, order);
}

/* Files in the order first seen, causes before consequences, lines, then as added; what has no line comes last. */
static void test_order(void **state)
{
    add(PS_SEVERITY_ERROR, "b", 0, NULL, "b0");
    add(PS_SEVERITY_WARNING, "b", 9, NULL, "b9");
    add(PS_SEVERITY_WARNING, "a", 5, NULL, "a5");
    add(PS_SEVERITY_WARNING, "b", 2, NULL, "b2");
    ps_problem_follows(&problems);
    add(PS_SEVERITY_NOTE, "a", 4, NULL, "a4");
    add(PS_SEVERITY_WARNING, "b", 7, NULL, "b7");
    add(PS_SEVERITY_ERROR, NULL, 0, NULL, "none");
    add(PS_SEVERITY_WARNING, "a", 5, NULL, "a5-again");
    add(PS_SEVERITY_WARNING, "b", 1, NULL, "b1");
    ps_problem_follows(&problems);
    ps_problems_sort(&problems);
    expect_order("b7 b9 b1 b2 a4 a5 a5-again b0 none ");
    ps_problems_sort(&problems);
    expect_order("b7 b9 b1 b2 a4 a5 a5-again b0 none ");
}

static void add_no_effect(enum ps_severity severity, int line, const char *key)
{
    add(severity, "x", line, key, "has no effect");
    ps_problem_no_effect(&problems);
}

/* A refused key has no note that it has no effect; the notes of other keys, and other notes, stay. */
static void test_notes_of_a_refused_key(void **state)
{
    static const enum ps_severity severities[] = {PS_SEVERITY_ERROR, PS_SEVERITY_DROPPED,
                                                  PS_SEVERITY_WARNING};
    (void)teardown(state);
    for (size_t i = 0; i < PS_COUNT_OF(severities); i++) {
        (void)setup(state);
        add_no_effect(PS_SEVERITY_NOTE, 3, "a1.k");
        add_no_effect(PS_SEVERITY_NOTE, 4, "a1.k");
        add_no_effect(PS_SEVERITY_NOTE, 3, "a1.kk");
        add(PS_SEVERITY_NOTE, "x", 3, "a1.k", "another note");
        add_no_effect(PS_SEVERITY_WARNING, 3, "a1.k");
        add_no_effect(PS_SEVERITY_NOTE, 3, NULL);
        add(severities[i], "x", 3, "a1.k", "refused");
        assert_int_equal(problems.count, severities[i] == PS_SEVERITY_WARNING ? 7 : 6);
        if (problems.count == 6) {
            assert_int_equal(problems.items[0].line, 4);
            assert_string_equal(problems.items[1].key, "a1.kk");
        }
        assert_string_equal(problems.items[problems.count - 1].what, "refused");
        (void)teardown(state);
    }
    (void)setup(state);
}

static void expect_text(enum ps_severity severity, struct ps_place place, const char *cure, const char *text)
{
    ps_problem_add(&problems, severity, place, cure, "what");
    assert_string_equal(ps_problem_text(arena, &problems.items[problems.count - 1]), text);
}

static void test_text(void **state)
{
    expect_text(PS_SEVERITY_ERROR, (struct ps_place){"x", 3, "k"}, "cure", "x:3: error: k: what; cure");
    expect_text(PS_SEVERITY_DROPPED, (struct ps_place){"x", 0, "k"}, NULL, "x: dropped: k: what");
    expect_text(PS_SEVERITY_WARNING, (struct ps_place){NULL, 3, NULL}, "cure", "warning: what; cure");
    expect_text(PS_SEVERITY_NOTE, (struct ps_place){"x", 1, NULL}, NULL, "x:1: note: what");
}

/* Values that are not known before the start are known by their addresses, not by their texts. */
static void test_unknown_values(void **state)
{
    static const char first[] = "${x}", second[] = "${x}", third[] = "${x}";
    assert_false(ps_problems_is_unknown(&problems, first));
    ps_problems_note_unknown(&problems, first);
    ps_problems_note_unknown(&problems, second);
    assert_true(ps_problems_is_unknown(&problems, first) && ps_problems_is_unknown(&problems, second));
    assert_false(ps_problems_is_unknown(&problems, third));
}

/* The kind of a mistake is that of the problem added last, also when no more are kept. */
static void test_more_than_are_kept(void **state)
{
    for (size_t i = 0; i < PS_PROBLEM_MAX; i++)
        add(PS_SEVERITY_WARNING, "x", 1, "k", "kept");
    assert_int_equal(problems.held_back, 0);
    ps_problem_mistake(&problems, PS_MISTAKE_CAUSE);
    assert_int_equal(problems.items[PS_PROBLEM_MAX - 1].mistake, PS_MISTAKE_CAUSE);
    add(PS_SEVERITY_DROPPED, "x", 1, "k", "held back");
    ps_problem_mistake(&problems, PS_MISTAKE_CONSEQUENCE);
    ps_problem_follows(&problems);
    assert_int_equal(problems.count, PS_PROBLEM_MAX);
    assert_int_equal(problems.held_back, 1);
    assert_int_equal(problems.dropped, 1);
    assert_int_equal(problems.items[PS_PROBLEM_MAX - 1].mistake, PS_MISTAKE_CAUSE);
    assert_false(problems.items[PS_PROBLEM_MAX - 1].follows);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_decides), TEST(test_which_decide),           TEST(test_sections),
        TEST(test_order),           TEST(test_notes_of_a_refused_key), TEST(test_text),
        TEST(test_unknown_values),  TEST(test_more_than_are_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
