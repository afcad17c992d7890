/* The lines of `check`: the colour of each severity, the problems beyond those that are kept, and the summary. */
#include "tests/support/support.h"

#include "conf/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ps_conf conf;

static int setup(void **state)
{
    memset(&conf, 0, sizeof conf);
    conf.arena = ps_arena_create();
    conf.wanted = "a1";
    ps_problems_init(&conf.problems, conf.arena);
    return 0;
}

static int teardown(void **state)
{
    ps_problems_fini(&conf.problems);
    ps_arena_destroy(conf.arena);
    return 0;
}

static void expect_problems(bool colour, const char *wanted)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    assert_non_null(file);
    ps_report_problems(file, &conf, colour);
    fclose(file);
    assert_string_equal(text, wanted);
    free(text);
}

static void add(enum ps_severity severity, const char *file, const char *key)
{
    ps_problem_add(&conf.problems, severity, (struct ps_place){file, 3, key}, "cure", "what");
}

/* The word of the severity has a colour, and no other word like it. */
static void test_colours(void **state)
{
    add(PS_SEVERITY_ERROR, "/etc/error/x", "a1.error");
    add(PS_SEVERITY_DROPPED, "dropped", NULL);
    add(PS_SEVERITY_WARNING, NULL, "warning");
    add(PS_SEVERITY_NOTE, "/notes/note: x", "note");
    expect_problems(false, "/etc/error/x:3: error: a1.error: what; cure\n"
                           "dropped:3: dropped: what; cure\n"
                           "warning: warning: what; cure\n"
                           "/notes/note: x:3: note: note: what; cure\n");
    expect_problems(true, "/etc/error/x:3: \033[1;31merror\033[0m: a1.error: what; cure\n"
                          "dropped:3: \033[1;35mdropped\033[0m: what; cure\n"
                          "\033[1;33mwarning\033[0m: warning: what; cure\n"
                          "/notes/note: x:3: \033[1;36mnote\033[0m: note: what; cure\n");
}

static void test_more(void **state)
{
    expect_problems(true, "");
    conf.problems.held_back = 1;
    expect_problems(false, "... and 1 more\n");
    add(PS_SEVERITY_NOTE, "x", NULL);
    conf.problems.held_back = 20;
    expect_problems(false, "x:3: note: what; cure\n... and 20 more\n");
}

static void test_summary(void **state)
{
    static const struct {
        size_t errors, dropped, warnings;
        const char *lacks, *cut, *text;
    } rows[] = {
        {0, 0, 0, NULL, NULL, "a1: fine\n"},
        {0, 0, 1, NULL, NULL, "a1: 1 warning; the agent would start\n"},
        {0, 1, 2, NULL, NULL, "a1: 1 dropped, 2 warnings; the agent would start\n"},
        {1, 0, 0, NULL, NULL, "a1: 1 error; the agent would not start\n"},
        {2, 3, 1, "sinks", "cut", "a1: 2 errors, 3 dropped, 1 warning; the agent would not start\n"},
        {0, 1, 0, "sources", "cut",
         "a1: 1 dropped; the agent would start without any of its sources: no event comes in\n"},
        {0, 1, 0, "sinks", NULL,
         "a1: 1 dropped; the agent would start without any of its sinks: no event is delivered\n"},
        {0, 1, 0, NULL, "channel c1 has no sink",
         "a1: 1 dropped; the agent would start, but channel c1 has no sink\n"},
    };
    static const char *const others[] = {"a2", "a3"};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char *text = NULL;
        size_t length = 0;
        FILE *file = open_memstream(&text, &length);
        assert_non_null(file);
        conf.problems.errors = rows[i].errors;
        conf.problems.dropped = rows[i].dropped;
        conf.problems.warnings = rows[i].warnings;
        conf.lacks = rows[i].lacks;
        conf.cut = rows[i].cut;
        conf.other_agents = (struct ps_texts){0, NULL};
        ps_report_summary(file, &conf, true);
        conf.other_agents = (struct ps_texts){2, others};
        ps_report_summary(file, &conf, true);
        fclose(file);
        const char *wanted =
            ps_arena_format(conf.arena, "%s%sother agents in the same files, not checked: a2 a3\n",
                            rows[i].text, rows[i].text);
        assert_string_equal(text, wanted);
        free(text);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_colours), TEST(test_more), TEST(test_summary)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
