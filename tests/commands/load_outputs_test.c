/* Whole outputs of `penstock load`: data/load.txt, and its contents: data/load_content.txt. */
#include "tests/commands/penstock.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

static const struct ps_test_output_command commands[] = {{"penstock", ps_test_penstock}, {NULL, NULL}};

static void test_load(void **state)
{
    ps_test_outputs("tests/commands/data/load.txt", commands);
}

static void test_content(void **state)
{
    ps_test_outputs("tests/commands/data/load_content.txt", commands);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(test_load), TEST(test_content)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
