#include "stages/lib/queue/segment/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base.h"

#define PATH_BYTES 4096U

/* Returns the process number in the file, or 0 if no such process exists. */
static long holder(int fd)
{
    char text[32] = {0};
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    long pid = got > 0 ? strtol(text, NULL, 10) : 0;
    return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM) ? pid : 0;
}

static int take(int fd, int how, const char *what, const char *path, struct ps_err *err)
{
    if (flock(fd, how | LOCK_NB) == 0)
        return fd;
    long pid = errno == EWOULDBLOCK ? holder(fd) : 0;
    if (errno != EWOULDBLOCK)
        ps_err_set(err, "%s cannot be locked: %s", path, strerror(errno));
    else if (pid > 0)
        ps_err_set(err, "%s is in use by process %ld, which holds the lock %s; stop it first", what, pid,
                   path);
    else
        ps_err_set(err, "%s is in use by another process, which holds the lock %s; wait until it has ended",
                   what, path);
    close(fd);
    return -1;
}

int ps_segment_lock(const char *directory, struct ps_err *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/lock", directory);
    return ps_segment_lock_file(path, directory, err);
}

int ps_segment_lock_file(const char *path, const char *what, struct ps_err *err)
{
    char text[32];
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        ps_err_set(err, "the lock %s cannot be opened: %s", path, strerror(errno));
        return -1;
    }
    fd = take(fd, LOCK_EX, what, path, err);
    if (fd < 0)
        return -1;
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* The process number is only for people: the lock is held even if a full disk prevents writing the number. */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length)
        (void)!ftruncate(fd, 0);
    return fd;
}

enum ps_status ps_segment_lock_shared(const char *directory, int *lock, struct ps_err *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/lock", directory);
    *lock = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* O_NONBLOCK: opening a FIFO does not wait */
    if (*lock < 0)
        return errno == ENOENT ? PS_OK
                               : ps_err_set(err, "the lock %s cannot be opened: %s", path, strerror(errno));
    *lock = take(*lock, LOCK_SH, directory, path, err);
    return *lock < 0 ? PS_FAIL : PS_OK;
}

void ps_segment_unlock(int lock)
{
    if (lock < 0)
        return;
    if (fcntl(lock, F_GETFL) != -1 && (fcntl(lock, F_GETFL) & O_ACCMODE) == O_RDWR)
        (void)!ftruncate(lock, 0);
    close(lock);
}

/* ---- a whole log ---- */

/* Returns the index of the locked directory that `fd` refers to under another name, or -1. */
static int locked_before(const struct ps_segment_locks *locks, int fd)
{
    struct stat about, earlier;
    for (size_t i = 0; fstat(fd, &about) == 0 && i < locks->count; i++) {
        if (fstat(locks->directories[i], &earlier) == 0 && earlier.st_dev == about.st_dev &&
            earlier.st_ino == about.st_ino)
            return (int)i;
    }
    return -1;
}

/* Opens and locks the next data directory itself, without a lock file. This keeps two logs with different state directories from
 * sharing it, also after the lock file of one was removed. Checks first whether it is locked already: a second descriptor of
 * a locked directory could never be locked. Returns a descriptor, or -1. Succeeds on a file system that cannot lock
 * directories (NFS). */
static int lock_another(const struct ps_segment_locks *locks, const struct ps_texts *directories, int how,
                        struct ps_err *err)
{
    const char *directory = directories->items[locks->count];
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        ps_err_set(err, "%s cannot be opened: %s", directory, strerror(errno));
        return -1;
    }
    int twice = locked_before(locks, fd);
    if (twice < 0 && (flock(fd, how | LOCK_NB) == 0 || errno != EWOULDBLOCK))
        return fd;
    if (twice >= 0)
        ps_err_set(err, "%s and %s are one directory: name each of the channel's data directories once",
                   directories->items[twice], directory);
    else
        ps_err_set(
            err,
            "%s is in use by another channel or process, with another checkpointDir, or with the same one "
            "whose file lock was removed; stop it, or give each channel data directories of its own",
            directory);
    close(fd);
    return -1;
}

/* Locks the directories that follow those that are locked already. */
static bool lock_directories(struct ps_segment_locks *locks, const struct ps_texts *directories, int how,
                             struct ps_err *err)
{
    locks->directories = ps_must_realloc(
        locks->directories, (directories->count + 1) * sizeof *locks->directories, "locks of a log");
    while (locks->count < directories->count) {
        int fd = lock_another(locks, directories, how, err);
        if (fd < 0) {
            ps_segment_unlock_log(locks);
            return false;
        }
        locks->directories[locks->count++] = fd;
    }
    return true;
}

bool ps_segment_lock_log(struct ps_segment_locks *locks, const char *state_directory,
                         const struct ps_texts *directories, struct ps_err *err)
{
    *locks = (struct ps_segment_locks){.state = ps_segment_lock(state_directory, err)};
    return locks->state >= 0 && lock_directories(locks, directories, LOCK_EX, err);
}

bool ps_segment_lock_more(struct ps_segment_locks *locks, const struct ps_texts *directories,
                          struct ps_err *err)
{
    return lock_directories(locks, directories, LOCK_EX, err);
}

bool ps_segment_lock_log_shared(struct ps_segment_locks *locks, const char *state_directory,
                                const struct ps_texts *directories, struct ps_err *err)
{
    *locks = (struct ps_segment_locks){.state = -1};
    return ps_segment_lock_shared(state_directory, &locks->state, err) == PS_OK &&
           lock_directories(locks, directories, LOCK_SH, err);
}

void ps_segment_unlock_log(struct ps_segment_locks *locks)
{
    while (locks->count > 0)
        ps_segment_unlock(locks->directories[--locks->count]);
    free(locks->directories);
    ps_segment_unlock(locks->state);
    *locks = (struct ps_segment_locks){.state = -1};
}
