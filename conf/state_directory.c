#include "conf/state_directory.h"

#include "conf/text.h"
#include "core/fnv.h"

#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Returns this user's directory as Java and shells know it without HOME; NULL: the user has no entry. */
static const char *home_of_user(struct ps_arena *arena)
{
    struct passwd entry, *found = NULL;
    char texts[4096];
    if (getpwuid_r(geteuid(), &entry, texts, sizeof texts, &found) != 0 || found == NULL)
        return NULL;
    return ps_arena_text(arena, entry.pw_dir);
}

static const char *home_of(const struct ps_conf *conf)
{
    const char *home = ps_pairs_get_last(&conf->system, "user.home"); /* as the file channel does */
    if (home == NULL)
        home = getenv("HOME");
    return home != NULL && home[0] != '\0' ? home : home_of_user(conf->plan_arena);
}

/* Returns the directory in which all agents have their folders, or NULL. systemd separates several directories by colons. */
static const char *base_of(const struct ps_conf *conf)
{
    const char *given = getenv("STATE_DIRECTORY"), *home = home_of(conf);
    if (given != NULL && given[0] == '/')
        return ps_arena_format(conf->plan_arena, "%.*s", (int)strcspn(given, ":"), given);
    if (home == NULL || home[0] != '/')
        return NULL;
    return ps_arena_format(conf->plan_arena, "%s/.flume", home);
}

/* Returns a hash of the file's name: agents of the same name, but of different files, have folders of their own. Links are not
 * followed: those of a Kubernetes ConfigMap, or of a folder of releases, lead elsewhere after each change. */
static uint64_t hash_of(const struct ps_conf_origin *origin)
{
    char folder[PATH_MAX] = "";
    const char *name = origin->path != NULL ? origin->path : origin->uri;
    uint64_t hash = PS_FNV64;
    if (origin->path != NULL && name[0] != '/' && getcwd(folder, sizeof folder) != NULL) {
        hash = ps_fnv64(hash, folder, strlen(folder));
        hash = ps_fnv64(hash, "/", 1);
    }
    return ps_fnv64(hash, name, strlen(name));
}

/* Returns the name with only those characters that every file system takes. */
static const char *plain(struct ps_arena *arena, const char *name)
{
    char *text = ps_arena_format(arena, "%.64s", name);
    for (char *at = text; *at != '\0'; at++)
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *at) == NULL)
            *at = '_';
    return text;
}

const char *ps_conf_state_directory(const struct ps_conf *conf)
{
    const char *given = conf->agent.options.state_directory, *base = base_of(conf);
    if (given != NULL && strncmp(given, "~/", 2) == 0 && home_of(conf) != NULL)
        return ps_arena_format(conf->plan_arena, "%s%s", home_of(conf), given + 1);
    if (given != NULL)
        return given;
    if (base == NULL || conf->origin_count == 0)
        return NULL;
    return ps_arena_format(conf->plan_arena, "%s/penstock-state/%s-%016" PRIx64, base,
                           plain(conf->plan_arena, conf->agent.name), hash_of(&conf->origins[0]));
}
