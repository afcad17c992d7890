/* Whole outputs of `penstock verify`: data/verify.txt, data/verify_verdict.txt. */
#include "tests/commands/penstock.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether a list such as 1-10,13-13 has the number. */
static bool has(const char *list, unsigned number)
{
    for (const char *at = list; at != NULL; at = strchr(at, ',') != NULL ? strchr(at, ',') + 1 : NULL) {
        unsigned first = 0, last = 0;
        if (sscanf(at, "%u-%u", &first, &last) == 2 && number >= first && number <= last)
            return true;
    }
    return false;
}

/* `pick FILE LIST`: prints these lines of the file. */
static int pick(int argc, char **argv)
{
    char line[1024];
    FILE *file = fopen(argv[1], "re");
    assert_non_null(file);
    for (unsigned number = 1; fgets(line, sizeof line, file) != NULL; number++)
        if (has(argv[2], number))
            fputs(line, stdout);
    return fclose(file);
}

static const struct ps_test_output_command commands[] = {
    {"penstock", ps_test_penstock}, {"pick", pick}, {NULL, NULL}};

static void test_verify(void **state)
{
    ps_test_outputs("tests/commands/data/verify.txt", commands);
}

static void test_verdict(void **state)
{
    ps_test_outputs("tests/commands/data/verify_verdict.txt", commands);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(test_verify), TEST(test_verdict)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
