/* penstock's own subcommands as a command of texts (tests/support/outputs.h). */
#pragma once

#include "commands/commands.h"
#include "tests/support/outputs.h"

#include <stdio.h>
#include <string.h>

/* Runs the subcommand argv[1] in this process. */
static inline int ps_test_penstock(int argc, char **argv)
{
    for (const struct ps_subcommand *one = ps_subcommands; argc > 1 && one->name != NULL; one++)
        if (strcmp(one->name, argv[1]) == 0) {
            ps_commands_prepare();
            return one->run(argc - 1, argv + 1);
        }
    fprintf(stderr, "the test has no command `%s`\n", argc > 1 ? argv[1] : "");
    return 99;
}
