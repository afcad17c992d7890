/* The origins of the configuration: files and URIs, in order, later ones win; and the detection of changes. */
#include "conf/load.h"

#include "conf/file.h"
#include "conf/text.h"
#include "core/fnv.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* Returns the local path of a URI: file:/x, file:///x, classpath:x (in the configuration directory) or a
 * plain path. NULL for http(s). */
static const char *path_of(struct ps_arena *arena, const struct ps_command *command, const char *uri)
{
    if (strncasecmp(uri, "http:", 5) == 0 || strncasecmp(uri, "https:", 6) == 0)
        return NULL;
    if (strncasecmp(uri, "file://", 7) == 0)
        return uri[7] == '/' ? uri + 7 : strchr(uri + 7, '/') != NULL ? strchr(uri + 7, '/') : uri + 7;
    if (strncasecmp(uri, "file:", 5) == 0)
        return uri + 5;
    if (strncasecmp(uri, "classpath:", 10) != 0)
        return uri;
    const char *name = uri + 10;
    while (*name == '/')
        name++;
    return ps_arena_format(arena, "%s/%s", command->conf_dir != NULL ? command->conf_dir : ".", name);
}

/* Returns NULL on success, else the reason of the failure. */
static const char *origin_read(struct ps_conf *conf, const struct ps_command *command,
                               struct ps_conf_origin *origin, struct ps_properties *properties)
{
    struct ps_file file = {0};
    struct ps_err err = {.length = 0};
    enum ps_status status = origin->path != NULL
                                ? ps_file_read(origin->path, PS_PROPERTIES_BYTES_MAX, &file, &err)
                                : ps_file_fetch(origin->uri, command->user, command->password, 0,
                                                PS_PROPERTIES_BYTES_MAX, &file, &err);
    if (status != PS_OK)
        return ps_arena_text(conf->arena, err.text);
    origin->modified_ns = file.modified_ns;
    origin->modified_s = file.modified_s;
    origin->size_bytes = (int64_t)file.length;
    origin->hash = ps_fnv64(PS_FNV64, file.bytes, file.length);
    ps_properties_load(properties, ps_arena_text(conf->plan_arena, origin->shown), file.bytes, file.length,
                       &conf->problems);
    ps_file_free(&file);
    return NULL;
}

/* Returns the cure for a file or URI that cannot be read; NULL: the reason says it. */
static const char *cure_of(struct ps_arena *arena, const struct ps_conf_origin *origin)
{
    const char *path = origin->path;
    if (path == NULL || path[0] == '/' || access(path, F_OK) == 0)
        return NULL;
    if (strncasecmp(origin->uri, "classpath:", 10) == 0)
        return "classpath: names a file of the directory that -c gives";
    size_t scheme = 0;
    while (isalnum((unsigned char)path[scheme]))
        scheme++;
    if (scheme < 2 || path[scheme] != ':' || path[scheme + 1] != '/')
        return "the path is relative to the directory where penstock started";
    const char *rest = path + scheme + 1 + strspn(path + scheme + 1, "/");
    if (strncasecmp(path, "http:", 5) == 0 || strncasecmp(path, "https:", 6) == 0)
        return ps_arena_format(arena, "write -u %.*s://%s", (int)scheme, path, rest);
    return ps_arena_format(
        arena,
        "%.*s: is not read here: give the path of the file, or a URI with http:, https:, file: or classpath:",
        (int)scheme, path);
}

void ps_conf_read(struct ps_conf *conf, const struct ps_command *command, struct ps_properties *properties)
{
    const struct ps_texts *uris = command->uris.count > 0 ? &command->uris : &command->files;
    const char **failures = ps_arena_alloc(conf->arena, (uris->count + 1) * sizeof *failures);
    bool failed = false;
    if (command->uris.count > 0 && command->files.count > 0)
        ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, (struct ps_place){.key = "-f"},
                       "use -u for all of them",
                       "is ignored, because -u is also given; Flume ignores it too");
    conf->origins = ps_arena_alloc(conf->arena, (uris->count + 1) * sizeof *conf->origins);
    for (size_t i = 0; i < uris->count; i++) {
        struct ps_conf_origin *origin = &conf->origins[conf->origin_count++];
        *origin =
            (struct ps_conf_origin){.uri = ps_arena_text(conf->arena, uris->items[i]), .modified_ns = -1};
        char room[1024];
        origin->shown = ps_arena_text(conf->arena, ps_file_uri_masked(origin->uri, room, sizeof room));
        const char *path = command->uris.count > 0 ? path_of(conf->arena, command, origin->uri) : origin->uri;
        origin->path = path != NULL ? ps_arena_text(conf->arena, path) : NULL;
        failures[i] = origin_read(conf, command, origin, properties);
        failed |= failures[i] != NULL;
    }
    bool backup = failed && ps_conf_backup_read(conf, command, properties);
    for (size_t i = 0; i < uris->count; i++) {
        const struct ps_conf_origin *origin = &conf->origins[i];
        if (failures[i] != NULL)
            ps_problem_add(&conf->problems, backup ? PS_SEVERITY_WARNING : PS_SEVERITY_ERROR,
                           (struct ps_place){.file = origin->shown}, cure_of(conf->arena, origin), "%s",
                           failures[i]);
    }
}

/* ---- changes ---- */

static bool file_changed(const struct ps_conf_origin *origin)
{
    struct stat status;
    if (stat(origin->path, &status) != 0)
        /* the file is being replaced or was deleted: like Flume, keeps the running configuration */
        return false;
    int64_t modified_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
    return modified_ns != origin->modified_ns || status.st_size != origin->size_bytes;
}

const char *ps_conf_missing(const struct ps_conf *conf)
{
    for (size_t i = 0; i < conf->origin_count; i++)
        if (conf->origins[i].path != NULL && access(conf->origins[i].path, F_OK) != 0)
            return conf->origins[i].shown;
    return NULL;
}

static bool uri_changed(const struct ps_conf_origin *origin, const struct ps_command *command,
                        struct ps_err *err)
{
    struct ps_file file;
    if (ps_file_fetch(origin->uri, command->user, command->password, origin->modified_s,
                      PS_PROPERTIES_BYTES_MAX, &file, err) != PS_OK)
        return false;
    bool changed = !file.unchanged && ps_fnv64(PS_FNV64, file.bytes, file.length) != origin->hash;
    ps_file_free(&file);
    return changed;
}

bool ps_conf_changed(const struct ps_conf *conf, const struct ps_command *command, struct ps_err *err)
{
    bool changed = false;
    for (size_t i = 0; i < conf->origin_count; i++) {
        const struct ps_conf_origin *origin = &conf->origins[i];
        changed |= origin->path != NULL ? file_changed(origin) : uri_changed(origin, command, err);
    }
    return changed;
}
