/* ps_command_variable (command.h): a variable as flume-ng has it. This is a file of its own because the code that
 * finds classes needs the function without command.c, which calls the code that reads a configuration. */
#include "conf/command/command.h"

#include <stdlib.h>

const char *ps_command_variable(const struct ps_command *command, const char *name)
{
    const struct ps_shell_variable *variable = ps_shell_find(&command->environment, name);
    const char *value = variable != NULL ? variable->value : getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}
