#include "core/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096U

/* Opens the directory and syncs it by fsync or, with all that its file system has, by syncfs. */
static int directory_sync_by(int (*sync)(int fd), const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = sync(fd) == 0 || errno == EINVAL ? 0 : errno;
    close(fd);
    return error;
}

int ps_directory_sync(const char *path)
{
    return directory_sync_by(fsync, path);
}

int ps_directory_sync_above(const char *path)
{
    char above[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return ps_directory_sync(slash == NULL ? "." : "/");
    size_t length = (size_t)(slash - path);
    if (length >= sizeof above)
        return ENAMETOOLONG;
    memcpy(above, path, length);
    above[length] = '\0';
    return ps_directory_sync(above);
}

bool ps_directory_exists(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

int ps_directory_make(const char *path, mode_t mode)
{
    char above[PATH_BYTES];
    if (snprintf(above, sizeof above, "%s/..", path) >= (int)sizeof above)
        return ENAMETOOLONG;
    if (mkdir(path, mode) != 0)
        return errno == EEXIST ? 0 : errno;
    int error = ps_directory_sync(above);
    if (error == EACCES) /* it may be written, and not read: it cannot be opened */
        error = directory_sync_by(syncfs, path);
    if (error != 0)
        rmdir(path);
    return error;
}

int ps_directories_make(const char *path, mode_t mode)
{
    char part[PATH_BYTES];
    size_t length = strlen(path);
    if (length >= sizeof part)
        return ENAMETOOLONG;
    int error = 0;
    for (size_t i = 1; i <= length && error == 0; i++) {
        if ((path[i] != '/' && path[i] != '\0') || path[i - 1] == '/')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        error = ps_directory_make(part, mode);
    }
    return error;
}

enum ps_status ps_directories_need(const char *path, struct ps_err *err)
{
    int error = ps_directories_make(path, 0750);
    return error == 0 ? PS_OK : ps_err_set(err, "%s cannot be made: %s", path, strerror(error));
}

int ps_write_all(int fd, const void *bytes, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t put = write(fd, (const char *)bytes + done, length - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? errno : ENOSPC;
        done += (size_t)put;
    }
    return 0;
}

int ps_file_replace(const char *path, const char *beside, mode_t mode, const void *bytes, size_t length)
{
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return errno;
    int error = ps_write_all(fd, bytes, length);
    if (error == 0 && fsync(fd) != 0)
        error = errno;
    if (close(fd) != 0 && error == 0)
        error = errno;
    if (error == 0 && rename(beside, path) != 0)
        error = errno;
    if (error == 0)
        return ps_directory_sync_above(path);
    (void)unlink(beside);
    return error;
}
