#include "stages/lib/tail/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* Returns the process number that the holder wrote, or 0. */
static long holder(int fd)
{
    char text[32] = {0};
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    return got > 0 ? strtol(text, NULL, 10) : 0;
}

enum ps_status ps_tail_lock(const char *path, const char *key, int *lock, struct ps_err *err)
{
    char name[PATH_MAX], text[32];
    snprintf(name, sizeof name, "%s.lock", path);
    *lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (*lock < 0)
        return PS_OK;
    bool taken = flock(*lock, LOCK_EX | LOCK_NB) == 0;
    if (!taken && errno == EWOULDBLOCK) {
        long pid = holder(*lock);
        close(*lock);
        *lock = -1;
        if (pid > 0)
            ps_err_set(err, "the position file %s is in use by process %ld, another agent", path, pid);
        else
            ps_err_set(err, "the position file %s is in use by another agent", path);
        return ps_err_append(err, "set another %s for one of the two, or stop one", key);
    }
    if (!taken) { /* the file system has no locks */
        close(*lock);
        *lock = -1;
        return PS_OK;
    }
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* The number is for people: the lock is kept even if a full disk prevents writing it. */
    if (ftruncate(*lock, 0) != 0 || pwrite(*lock, text, (size_t)length, 0) != length)
        (void)!ftruncate(*lock, 0);
    return PS_OK;
}

void ps_tail_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}
