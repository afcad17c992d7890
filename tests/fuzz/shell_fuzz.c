/* The text of a shell script: assignments, and what is not understood. */
#include "conf/command/shell.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_arena *arena = ps_arena_create();
    struct ps_shell shell;
    ps_shell_read(&shell, arena, (const char *)data, size);
    PS_ASSERT(shell.count <= PS_SHELL_VARIABLES_MAX && shell.gap_count <= PS_SHELL_GAPS_MAX);
    for (size_t i = 0; i < shell.count; i++)
        PS_ASSERT(shell.variables[i].value != NULL && ps_shell_find(&shell, shell.variables[i].name) != NULL);
    ps_arena_destroy(arena);
    return 0;
}
