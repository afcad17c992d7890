/* Expressions of a set: one that is refused among others, and a report that is the sum over all matchers. */
#include "tests/support/rules/set.h"

#define RUINOUS "/q(?:a{1,1000}b){1,1000}q/"

/* `check` refuses rules with a ruinous expression, whether it is the first, one in the middle or the last. */
static void test_one_is_ruinous(void **unused)
{
    for (unsigned which = 0; which < 4; which++) {
        char text[512];
        struct ps_test_rules *rules = ps_test_rules_start("rule a { when true drop }", true);
        const struct ps_rules_set_options options = ps_test_rules_options(rules);
        snprintf(text, sizeof text,
                 "rule a { when body ~ %s drop }\nrule b { when body ~ %s drop }\nrule c { when body ~ %s "
                 "drop }\n",
                 which == 0 ? RUINOUS : "/a/", which == 1 ? RUINOUS : "/b/", which == 2 ? RUINOUS : "/c/");
        rules->problems = (struct ps_rules_problems){.arena = rules->arena};
        struct ps_rules *tree = ps_rules_parse("test.rules", text, strlen(text), &rules->problems);
        assert_non_null(tree);
        assert_int_equal(ps_rules_set_check(tree, &options, &rules->problems), which == 3);
        assert_int_equal(rules->problems.count, which < 3);
        if (which < 3)
            assert_int_equal(rules->problems.items[0].place.line, which + 1);
        struct ps_rules_set *set = ps_rules_set_create(tree, &options, NULL, &rules->problems);
        assert_int_equal(set != NULL, which == 3);
        ps_rules_set_destroy(set);
        ps_test_rules_end(rules);
    }
}

static struct ps_rules_set_report report_of(struct ps_test_rules *rules, const char *text)
{
    ps_test_rules_use(rules, text);
    return rules->report;
}

static void test_report_is_a_sum(void **unused)
{
    static const char *const parts[] = {"rule a { when body ~ /a+b/ drop }\n",
                                        "rule h { when header.h ~ /[cd]{2,9}e/ drop }\n",
                                        "rule k { when header.k ~ /f.g/ or header.k ~ /h/ drop }\n"};
    struct ps_test_rules *rules = ps_test_rules_start("rule a { when true drop }", true);
    uint64_t database = 0, scratch = 0;
    struct ps_rules_set_report none = rules->report;
    assert_true(none.matcher.database_bytes == 0 && none.header_matcher_count == 0 && !none.matcher.cached);
    for (size_t i = 0; i < PS_COUNT_OF(parts); i++) {
        struct ps_rules_set_report one = report_of(rules, parts[i]);
        assert_int_equal(one.header_matcher_count, i > 0);
        assert_int_equal(one.pattern_count, i < 2 ? 1 : 2);
        assert_true(one.matcher.database_bytes > 0 && one.matcher.scratch_bytes > 0);
        database += one.matcher.database_bytes;
        scratch += one.matcher.scratch_bytes;
    }
    struct ps_rules_set_report all =
        report_of(rules, ps_arena_format(rules->arena, "%s%s%s", parts[0], parts[1], parts[2]));
    assert_int_equal(all.header_matcher_count, 2);
    assert_int_equal(all.pattern_count, 4);
    assert_int_equal(all.always_count, 0);
    assert_int_equal(all.matcher.database_bytes, database);
    assert_int_equal(all.matcher.scratch_bytes, scratch);
    assert_false(all.matcher.cached);
    ps_test_rules_end(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_is_ruinous),
        cmocka_unit_test(test_report_is_a_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
