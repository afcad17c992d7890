#include "stages/lib/flume_log/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 4096U

struct ps_flume_lock {
    char *path;
    int fd;
    bool made;
};

static enum ps_status held(const char *directory, const struct flock *by, struct ps_err *err)
{
    if (by->l_type != F_UNLCK && by->l_pid > 0)
        return ps_err_set(err, "%s is in use by process %ld, a Flume agent perhaps; stop it first", directory,
                          (long)by->l_pid);
    return ps_err_set(err, "%s is in use by another process, a Flume agent perhaps; stop it first",
                      directory);
}

enum ps_status ps_flume_lock(const char *directory, struct ps_flume_lock **lock, struct ps_err *err)
{
    char path[PATH_BYTES];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool made = false;
    *lock = NULL;
    snprintf(path, sizeof path, "%s/in_use.lock", directory);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        made = fd >= 0;
        if (fd < 0 && (errno == EACCES || errno == EROFS))
            return PS_OK; /* no agent can lock the directory either */
    }
    if (fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM)) {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && fcntl(fd, F_GETLK, &whole) == 0 && whole.l_type == F_UNLCK) {
            close(fd);
            return PS_OK;
        }
    } else if (fd >= 0 && fcntl(fd, F_SETLK, &whole) == 0) {
        *lock = ps_must_alloc(1, sizeof **lock, "a lock of Flume");
        **lock = (struct ps_flume_lock){ps_must_copy_text(path, "a lock of Flume"), fd, made};
        return PS_OK;
    }
    if (fd < 0)
        return ps_err_set(err, "%s cannot be opened: %s", path, strerror(errno));
    whole.l_type = F_WRLCK;
    if (fcntl(fd, F_GETLK, &whole) != 0)
        whole.l_type = F_UNLCK;
    close(fd);
    return held(directory, &whole, err);
}

void ps_flume_unlock(struct ps_flume_lock *lock)
{
    if (lock == NULL)
        return;
    if (lock->made)
        (void)unlink(lock->path);
    close(lock->fd);
    free(lock->path);
    free(lock);
}
