#include "commands/dry_run.h"

int ps_dry_run_main(int argc, char **argv, const struct ps_command_line *line,
                    int (*run)(const struct ps_command *command))
{
    struct ps_command command;
    struct ps_err err = {.length = 0};
    int code = 2;
    if (ps_command_parse(&command, argc, argv, &err) != PS_OK) {
        fprintf(stderr, "penstock %s: %s\n", line->name, err.text);
    } else if (command.help) {
        ps_command_line_usage(stdout, line);
        code = 0;
    } else {
        command.dry_run = true;
        code = run(&command);
    }
    ps_command_fini(&command);
    return code;
}
