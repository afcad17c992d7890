#include "stages/make_directory.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int ps_make_directories(const char *path, mode_t mode)
{
    char part[4096];
    size_t length = strlen(path);
    if (length >= sizeof part)
        return ENAMETOOLONG;
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST)
            return errno;
    }
    return 0;
}

enum ps_status ps_make_directory(const char *path, struct ps_err *err)
{
    int error = ps_make_directories(path, 0750);
    return error == 0 ? PS_OK : ps_err_set(err, "%s cannot be made: %s", path, strerror(error));
}
