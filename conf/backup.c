/* The backup (-b): the configuration that ran last, after substitution, in DIR/.AGENT.properties. It is rendered when
 * a configuration is read, and written when that configuration runs, because a refused configuration must not replace
 * it. */
#include "conf/load.h"

#include "conf/file.h"
#include "conf/text.h"
#include "core/durable.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *backup_path(struct ps_arena *arena, const struct ps_command *command)
{
    return ps_arena_format(arena, "%s/.%s.properties", command->backup_directory, command->agent);
}

bool ps_conf_backup_read(struct ps_conf *conf, const struct ps_command *command,
                         struct ps_properties *properties)
{
    struct ps_file file;
    const char *agent = properties->agent;
    if (command->backup_directory == NULL)
        return false;
    const char *path = ps_arena_text(conf->plan_arena, backup_path(conf->arena, command));
    if (ps_file_read(path, PS_PROPERTIES_BYTES_MAX, &file, NULL) != PS_OK)
        return false;
    ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, (struct ps_place){.file = path}, NULL,
                   "the configuration could not be read: its backup is used");
    ps_properties_fini(properties);
    ps_properties_init(properties, conf->plan_arena);
    properties->agent = agent;
    ps_properties_load(properties, path, file.bytes, file.length, &conf->problems);
    ps_file_free(&file);
    return true;
}

/* Writes text with the escapes of Properties.store, so that load reads back the same text. */
static void store_text(FILE *file, const char *text, bool key)
{
    bool leading = true;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; leading = false) {
        unsigned code = *at++;
        int more = code < 0x80 ? 0 : code < 0xe0 ? 1 : code < 0xf0 ? 2 : 3;
        if (more > 0)
            code &= 0x3fu >> more;
        for (; more > 0 && (*at & 0xc0) == 0x80; more--)
            code = code << 6 | (*at++ & 0x3fu);
        if (code == ' ' && (key || leading))
            fputs("\\ ", file);
        else if (code == '\\' || code == '=' || code == ':' || code == '#' || code == '!')
            fprintf(file, "\\%c", (int)code);
        else if (code >= 0x10000)
            fprintf(file, "\\u%04X\\u%04X", 0xd800 + ((code - 0x10000) >> 10),
                    0xdc00 + ((code - 0x10000) & 0x3ff));
        else if (code < ' ' || code > '~')
            fprintf(file, "\\u%04X", code);
        else
            fputc((int)code, file);
    }
}

void ps_conf_backup_keep(struct ps_conf *conf, const struct ps_command *command,
                         const struct ps_properties *properties)
{
    if (command->backup_directory == NULL || command->dry_run)
        return;
    FILE *file = ps_must_open_text(&conf->backup, &conf->backup_bytes, "a backup of the configuration");
    for (size_t i = 0; i < properties->count; i++) {
        store_text(file, properties->items[i].key, true);
        fputc('=', file);
        store_text(file, properties->items[i].value, false);
        fputc('\n', file);
    }
    fclose(file);
}

enum ps_status ps_conf_backup(struct ps_conf *conf, const struct ps_command *command, struct ps_err *err)
{
    if (conf->backup == NULL)
        return PS_OK;
    const char *path = backup_path(conf->arena, command);
    const char *fresh = ps_arena_format(conf->arena, "%s.new", path);
    int error = ps_directories_make(command->backup_directory, 0755);
    if (error == 0) /* readable by the owner only, because it may hold passwords */
        error = ps_file_replace(path, fresh, 0600, conf->backup, conf->backup_bytes);
    if (error == 0)
        return PS_OK;
    return ps_err_set(err, "the backup %s cannot be written: %s", path, strerror(error));
}
