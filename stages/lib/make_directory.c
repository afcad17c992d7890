#include "stages/lib/make_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096U

/* The name of a new directory is on the disk when the one that it is in was synced. A directory that may not be read cannot be, and some file
 * systems have nothing to sync (EINVAL). Returns 0 or errno. */
static int sync_parent(const char *path)
{
    char parent[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    memcpy(parent, path, length);
    parent[length] = '\0';
    if (length == 0)
        strcpy(parent, slash == NULL ? "." : "/");
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? 0 : errno;
    int error = fsync(fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : errno;
    close(fd);
    return error;
}

static int make(const char *path, mode_t mode, bool syncs)
{
    char part[PATH_BYTES];
    size_t length = strlen(path);
    if (length >= sizeof part)
        return ENAMETOOLONG;
    for (size_t i = 1; i <= length; i++) {
        if ((path[i] != '/' && path[i] != '\0') || path[i - 1] == '/')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        bool is_made = mkdir(part, mode) == 0;
        if (!is_made && errno != EEXIST)
            return errno;
        int error = is_made && syncs ? sync_parent(part) : 0;
        if (error != 0)
            return error;
    }
    return 0;
}

int ps_make_directories(const char *path, mode_t mode)
{
    return make(path, mode, false);
}

enum ps_status ps_make_directory(const char *path, struct ps_err *err)
{
    int error = make(path, 0750, true);
    return error == 0 ? PS_OK : ps_err_set(err, "%s cannot be made: %s", path, strerror(error));
}
