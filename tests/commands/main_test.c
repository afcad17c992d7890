/* Whole outputs of the program itself: data/main.txt. It is run as a process, because its main is not in a library. */
#include "tests/support/folder.h"
#include "tests/support/outputs.h"
#include "tests/support/support.h"

#include <unistd.h>

static int program(int argc, char **argv)
{
    const char *path = getenv("PENSTOCK");
    execv(path != NULL ? path : "penstock", argv);
    return 126;
}

static int closed(int argc, char **argv)
{
    for (int fd = 0; fd <= 2; fd++)
        if (strchr(argv[1], '0' + fd) != NULL)
            close(fd);
    return program(argc - 2, argv + 2);
}

static const struct ps_test_output_command commands[] = {
    {"penstock", program}, {"closed", closed}, {NULL, NULL}};

static void test_main(void **state)
{
    if (getenv("PENSTOCK") == NULL || access(getenv("PENSTOCK"), X_OK) != 0)
        ps_test_skip("PENSTOCK names no program");
    ps_test_outputs("tests/commands/data/main.txt", commands);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_main, ps_test_folder_setup, ps_test_folder_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
