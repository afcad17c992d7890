/* Whole outputs of `penstock rules`: data/check.txt, data/explain.txt, data/test.txt, data/usage.txt. */
#include "tests/commands/penstock.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

static const struct ps_test_output_command commands[] = {{"penstock", ps_test_penstock}, {NULL, NULL}};

static void test_check(void **state)
{
    ps_test_outputs("tests/commands/rules/data/check.txt", commands);
}

static void test_explain(void **state)
{
    ps_test_outputs("tests/commands/rules/data/explain.txt", commands);
}

static void test_test(void **state)
{
    ps_test_outputs("tests/commands/rules/data/test.txt", commands);
}

static void test_usage(void **state)
{
    ps_test_outputs("tests/commands/rules/data/usage.txt", commands);
}

/* As `rules compile` this program is the compiler, which the commands start as /proc/self/exe. */
int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "rules") == 0 && strcmp(argv[2], "compile") == 0)
        return ps_main_rules(argc - 1, argv + 1);
#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(test_check), TEST(test_explain), TEST(test_test),
                                       TEST(test_usage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
