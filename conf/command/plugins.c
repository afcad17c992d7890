/* The places of plug-ins: flume-ng's --plugins-path and its default, FLUME_HOME/plugins.d. */
#include "conf/command/command.h"
#include "conf/text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 4096U

/* Returns the folder above that of the program, or NULL. */
static const char *installation(struct ps_arena *arena)
{
    char path[PATH_BYTES];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0)
        return NULL;
    path[length] = '\0';
    for (unsigned i = 0; i < 2; i++) {
        char *slash = strrchr(path, '/');
        if (slash == NULL)
            return NULL;
        *slash = '\0';
    }
    return ps_arena_text(arena, path);
}

struct ps_texts ps_command_plugins(struct ps_arena *arena, const char *path, const char *home)
{
    struct ps_texts folders = {0, NULL};
    for (const char *at = path; at != NULL && *at != '\0'; at += *at == ':') {
        size_t length = strcspn(at, ":");
        if (length > 0)
            ps_texts_add(arena, &folders, ps_arena_copy(arena, at, length));
        at += length;
    }
    if (path != NULL)
        return folders;
    const char *prefix = installation(arena);
    if (home != NULL && *home != '\0') {
        ps_texts_add(arena, &folders, ps_arena_format(arena, "%s/plugins.d", home));
    } else if (prefix != NULL) {
        ps_texts_add(arena, &folders, ps_arena_format(arena, "%s/plugins.d", prefix));
        ps_texts_add(arena, &folders, ps_arena_format(arena, "%s/lib/penstock/plugins.d", prefix));
    }
    return folders;
}
