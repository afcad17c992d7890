#include "stages/lib/process/command.h"

#include <stdio.h>
#include <string.h>

#define LASTS_NS (3 * PS_NS_PER_S) /* a run that was started again has not failed at once */

void ps_command_ended(struct ps_command_lack *command, const char *program, const char *exit_code,
                      bool starts_again)
{
    bool well = strcmp(exit_code, "0") == 0;
    command->is_logged = false;
    command->lack = starts_again && well ? PS_LACK_NONE
                    : starts_again       ? PS_LACK_LOST
                    : well               ? PS_LACK_INPUT
                                         : PS_LACK_GONE;
    snprintf(command->why, sizeof command->why, "command [%.120s] ended with %.20s, and is %s", program,
             exit_code, starts_again ? "started again and again" : "not started again (restart = false)");
}

void ps_command_missing(struct ps_command_lack *command, const char *why)
{
    command->lack = PS_LACK_GONE;
    command->is_logged = true;
    snprintf(command->why, sizeof command->why, "%.*s", (int)sizeof command->why - 1, why);
}

uint64_t ps_command_report(struct ps_command_lack *command, struct ps_port *port, bool runs, uint64_t due_ns,
                           const struct ps_now *now)
{
    bool again = runs && command->lack != PS_LACK_NONE;
    if (again && now->mono_ns >= command->started_ns + LASTS_NS)
        command->lack = PS_LACK_NONE;
    ps_port_lacks(port, command->lack, command->why,
                  command->is_logged               ? PS_LOG_DEBUG
                  : command->lack == PS_LACK_INPUT ? PS_LOG_INFO
                                                   : PS_LOG_WARN);
    uint64_t lasts_ns = command->started_ns + LASTS_NS;
    return again && command->lack != PS_LACK_NONE && lasts_ns < due_ns ? lasts_ns : due_ns;
}

size_t ps_command_words(struct ps_arena *arena, const char *text, const char **words)
{
    static const char blanks[] = " \t\n\v\f\r";
    size_t count = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, blanks);
        words[count++] = ps_arena_copy(arena, text, length);
        text += length;
        text += strspn(text, blanks);
    }
    return count;
}
