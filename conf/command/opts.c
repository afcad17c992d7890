/* flume.opts: a properties file with options for the command line, read as in Flume's Application:
 * /etc/flume/flume.opts, else the one on the class path, which here is the configuration directory. The
 * command line overrides it. Thread: the main thread, before other threads exist. */
#include "conf/command/command.h"
#include "conf/file.h"
#include "conf/properties/properties.h"

enum ps_status ps_command_read_opts(struct ps_command *command, struct ps_err *err)
{
    const char *paths[] = {
        "/etc/flume/flume.opts",
        command->conf_dir != NULL ? ps_arena_format(command->arena, "%s/flume.opts", command->conf_dir)
                                  : NULL,
    };
    for (size_t i = 0; i < PS_COUNT_OF(paths) && paths[i] != NULL; i++) {
        struct ps_file file;
        struct ps_pairs pairs;
        if (ps_file_read(paths[i], PS_PROPERTIES_BYTES_MAX, &file, NULL) != PS_OK)
            continue;
        enum ps_status status =
            ps_properties_parse(command->arena, paths[i], file.bytes, file.length, &pairs, err);
        ps_file_free(&file);
        for (size_t k = 0; status == PS_OK && k < pairs.count; k++) {
            status = ps_command_set(command, pairs.items[k].key, pairs.items[k].value, err);
            if (status != PS_OK)
                ps_err_append(err, "in %s:%d", paths[i], pairs.items[k].line);
        }
        return status;
    }
    return PS_OK;
}
