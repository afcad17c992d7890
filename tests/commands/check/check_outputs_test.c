/* Whole outputs of `penstock check`: data/check.txt, data/check_troubles.txt, data/check_plan.txt. */
#include "tests/commands/penstock.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

static const struct ps_test_output_command commands[] = {{"penstock", ps_test_penstock}, {NULL, NULL}};

static void test_check(void **state)
{
    ps_test_outputs("tests/commands/check/data/check.txt", commands);
}

static void test_check_troubles(void **state)
{
    ps_test_outputs("tests/commands/check/data/check_troubles.txt", commands);
}

static void test_check_plan(void **state)
{
    ps_test_outputs("tests/commands/check/data/check_plan.txt", commands);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(test_check), TEST(test_check_troubles), TEST(test_check_plan)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
