/* Whole outputs of `penstock tail`: data/tail.txt. */
#include "tests/commands/penstock.h"
#include "tests/support/folder.h"
#include "tests/support/pages.h"
#include "tests/support/support.h"

static int pages(int argc, char **argv)
{
    return ps_test_pages(argc, argv, ps_test_penstock);
}

static const struct ps_test_output_command commands[] = {
    {"penstock", ps_test_penstock}, {"pages", pages}, {NULL, NULL}};

static void test_tail(void **state)
{
    ps_test_outputs("tests/commands/data/tail.txt", commands);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tail, ps_test_folder_setup, ps_test_folder_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
