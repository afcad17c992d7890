/* The main function of commands that read a configuration as `penstock agent --dry-run` does, and start nothing (`check`, `graph`).
 * Thread: main. */
#pragma once

#include "commands/line/line.h"
#include "conf/command/command.h"

/* Parses the command line, prints the help or the usage error, or calls `run`. Returns the exit code. */
int ps_dry_run_main(int argc, char **argv, const struct ps_command_line *line,
                    int (*run)(const struct ps_command *command));
