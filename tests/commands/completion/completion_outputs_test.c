/* Whole outputs of `penstock completion`: data/completion.txt. */
#include "tests/commands/penstock.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

static const struct ps_test_output_command commands[] = {{"penstock", ps_test_penstock}, {NULL, NULL}};

static void test_completion(void **state)
{
    ps_test_outputs("tests/commands/completion/data/completion.txt", commands);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(test_completion)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
