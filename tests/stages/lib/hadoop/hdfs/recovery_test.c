/* recovery.c: when a datanode is replaced. stream_test.c tests what a recovery sends. */
#include "stages/lib/hadoop/hdfs/internal.h"
#include "tests/support/support.h"

static void test_a_replacement_is_wanted_by_hadoops_rules(void **state)
{
    struct ps_replace_rules rules = {.policy = PS_REPLACE_DEFAULT};
    assert_false(ps_replace_is_wanted(&rules, 3, 3, true)); /* none is missing */
    assert_false(ps_replace_is_wanted(&rules, 3, 0, true));
    assert_false(ps_replace_is_wanted(&rules, 2, 1, true)); /* only blocks of three replicas or more */
    assert_false(ps_replace_is_wanted(&rules, 3, 2, false));
    assert_true(ps_replace_is_wanted(&rules, 3, 2, true));
    assert_true(ps_replace_is_wanted(&rules, 3, 1, false)); /* half or less */
    rules.policy = PS_REPLACE_ALWAYS;
    assert_true(ps_replace_is_wanted(&rules, 2, 1, false));
    rules.policy = PS_REPLACE_NEVER;
    assert_false(ps_replace_is_wanted(&rules, 3, 1, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_replacement_is_wanted_by_hadoops_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
