#include "commands/plugin/table.h"

#include "conf/command/command.h"
#include "core/plugin/loader.h"
#include "stages/table.h"

#include <stdio.h>
#include <stdlib.h>

static void print_problem(void *, enum ps_log_level, const char *file, const char *what, const char *cure)
{
    fprintf(stderr, "%s: the plug-in %s; %s\n", file, what, cure);
}

const struct ps_stage_ops *const *ps_commands_stages(const char *path)
{
    static struct ps_plugins *plugins;
    if (plugins == NULL) {
        struct ps_arena *arena = ps_arena_create();
        const struct ps_texts folders = ps_command_plugins(arena, path, getenv("FLUME_HOME"));
        plugins = ps_plugins_load(&folders, ps_stages, print_problem, NULL);
        ps_arena_destroy(arena);
    }
    return ps_plugins_stages(plugins);
}
