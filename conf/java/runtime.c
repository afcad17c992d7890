/* See runtime.h. */
#include "conf/java/runtime.h"

#include "conf/file.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define RELEASE_BYTES_MAX (1U << 16)
#define KEY "JAVA_VERSION=\""

/* Returns the number in the text of a file `release`: JAVA_VERSION="17.0.15", or "1.8.0_392" of Java 8. */
static unsigned version_in(const char *text)
{
    const char *at = strstr(text, KEY);
    if (at == NULL)
        return 0;
    at += strlen(KEY);
    if (strncmp(at, "1.", 2) == 0)
        at += 2;
    unsigned long version = strtoul(at, NULL, 10);
    return version < 1000 ? (unsigned)version : 0;
}

/* `release` lies in the folder above bin, or in a JDK 8 (jre/bin/java) one folder further up. */
unsigned ps_java_runtime_version(struct ps_arena *arena, const char *java)
{
    char path[PATH_MAX];
    unsigned version = 0;
    if (java == NULL || realpath(java, path) == NULL)
        return 0;
    for (unsigned above = 0; above < 3 && version == 0; above++) {
        struct ps_file file = {.bytes = NULL};
        struct ps_err err = {.length = 0};
        char *slash = strrchr(path, '/');
        if (slash == NULL)
            return 0;
        *slash = '\0';
        const char *release = ps_arena_format(arena, "%s/release", path);
        if (above == 0 || ps_file_read(release, RELEASE_BYTES_MAX, &file, &err) != PS_OK)
            continue;
        version = version_in(ps_arena_copy(arena, file.bytes, file.length));
        free(file.bytes);
    }
    return version;
}
