#include "stages/make_directory.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum ps_status ps_make_directory(const char *path, struct ps_err *err)
{
    char part[4096];
    size_t length = strlen(path);
    if (length >= sizeof part)
        return ps_err_set(err, "%s: the name is too long", path);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0750) != 0 && errno != EEXIST)
            return ps_err_set(err, "%s cannot be made: %s", part, strerror(errno));
    }
    return PS_OK;
}
