/* flume.opts: a properties file with options for the command line, read as in Flume's Application:
 * /etc/flume/flume.opts, else the one on the class path, which here is the configuration directory. The
 * command line overrides it. Thread: the main thread, before other threads exist. */
#include "conf/command/command.h"
#include "conf/file.h"
#include "conf/properties/properties.h"

#include <stdlib.h>

static enum ps_status opts_apply(struct ps_command *command, const char *path, const char *bytes,
                                 size_t length, struct ps_err *err)
{
    struct ps_problems problems;
    struct ps_properties properties;
    ps_problems_init(&problems, command->arena);
    ps_properties_init(&properties, command->arena);
    enum ps_status status = ps_properties_load(&properties, path, bytes, length, &problems);
    if (status != PS_OK && problems.count > 0)
        ps_err_set(err, "%s", ps_problem_text(command->arena, &problems.items[problems.count - 1]));
    for (size_t i = 0; status == PS_OK && i < properties.count; i++) {
        status = ps_command_set(command, properties.items[i].key, properties.items[i].value, err);
        if (status != PS_OK)
            ps_err_append(err, "in %s:%d", path, properties.items[i].line);
    }
    ps_properties_fini(&properties);
    ps_problems_fini(&problems);
    return status;
}

enum ps_status ps_command_read_opts(struct ps_command *command, struct ps_err *err)
{
    const char *paths[] = {
        "/etc/flume/flume.opts",
        command->conf_dir != NULL ? ps_arena_format(command->arena, "%s/flume.opts", command->conf_dir)
                                  : NULL,
    };
    for (size_t i = 0; i < PS_COUNT_OF(paths) && paths[i] != NULL; i++) {
        struct ps_file file;
        if (ps_file_read(paths[i], PS_PROPERTIES_BYTES_MAX, &file, NULL) != PS_OK)
            continue;
        enum ps_status status = opts_apply(command, paths[i], file.bytes, file.length, err);
        ps_file_free(&file);
        return status;
    }
    return PS_OK;
}
