/* A preloaded library that kills its process at a chosen system call of a durable channel's thread. tests/crash/agent.py
 * sets the environment:
 *
 *   PENSTOCK_KILL_CALL    pwrite, state (a pwrite to a file with this name), fdatasync, fsync, fallocate, unlink, open, or any
 *   PENSTOCK_KILL_COUNT   which of these calls: 1, 2, ..
 *   PENSTOCK_KILL_WHEN    before or after the call, or half: a pwrite ends at a page in its middle, as a signal may end it
 *   PENSTOCK_KILL_REPORT  file that gets the name of the call, just before the end
 *
 * Only calls of threads with the name "durable-queue" count. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum moment { BEFORE, HALF, AFTER };

static struct {
    const char *call, *report;
    long count;
    enum moment when;
} chosen;
static long calls_so_far;

static __attribute__((constructor)) void read_environment(void)
{
    const char *count = getenv("PENSTOCK_KILL_COUNT"), *when = getenv("PENSTOCK_KILL_WHEN");
    chosen.call = getenv("PENSTOCK_KILL_CALL");
    chosen.report = getenv("PENSTOCK_KILL_REPORT");
    chosen.count = count != NULL ? strtol(count, NULL, 10) : 0;
    chosen.when = when == NULL || strcmp(when, "before") == 0 ? BEFORE
                  : strcmp(when, "half") == 0                 ? HALF
                                                              : AFTER;
}

static bool is_queue(void)
{
    char name[16] = "";
    prctl(PR_GET_NAME, name);
    return strcmp(name, "durable-queue") == 0;
}

/* Returns whether this call is the chosen one. */
static bool is_chosen(const char *call)
{
    int error = errno;
    bool counts = chosen.call != NULL && (strcmp(chosen.call, "any") == 0 || strcmp(chosen.call, call) == 0);
    bool is = counts && is_queue() && __atomic_add_fetch(&calls_so_far, 1, __ATOMIC_RELAXED) == chosen.count;
    errno = error;
    return is;
}

static void end(const char *call)
{
    static const char *const names[] = {"before", "half", "after"};
    char text[64];
    int length = snprintf(text, sizeof text, "%s %s %ld\n", names[chosen.when], call, chosen.count);
    int fd = chosen.report != NULL
                 ? (int)syscall(SYS_openat, AT_FDCWD, chosen.report, O_WRONLY | O_CREAT | O_TRUNC, 0600)
                 : -1;
    if (fd >= 0)
        (void)!syscall(SYS_write, fd, text, (size_t)length);
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Ends the process before or after a call. A call without halves ends after it. */
#define CALL_AND_END(call, result, expression)                                                               \
    do {                                                                                                     \
        bool is = is_chosen(call);                                                                           \
        if (is && chosen.when == BEFORE)                                                                     \
            end(call);                                                                                       \
        (result) = (expression);                                                                             \
        if (is)                                                                                              \
            end(call);                                                                                       \
    } while (0)

/* The kernel copies page by page, and looks for signals in between. */
static size_t half_of(size_t length, off_t offset)
{
    off_t middle = (offset + (off_t)(length / 2)) & ~(off_t)4095;
    return middle > offset ? (size_t)(middle - offset) : length;
}

static bool is_state(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path);
    return length > 6 && memcmp(path + length - 6, "/state", 6) == 0;
}

static ssize_t write_at(int fd, const void *from, size_t length, off_t offset)
{
    ssize_t result;
    const char *call = is_state(fd) ? "state" : "pwrite";
    if (!is_chosen(call))
        return syscall(SYS_pwrite64, fd, from, length, offset);
    if (chosen.when == BEFORE)
        end(call);
    result = syscall(SYS_pwrite64, fd, from, chosen.when == HALF ? half_of(length, offset) : length, offset);
    end(call);
    return result;
}

ssize_t pwrite(int fd, const void *from, size_t length, off_t offset)
{
    return write_at(fd, from, length, offset);
}

ssize_t pwrite64(int fd, const void *from, size_t length, off_t offset)
{
    return write_at(fd, from, length, offset);
}

int fdatasync(int fd)
{
    int result;
    CALL_AND_END("fdatasync", result, (int)syscall(SYS_fdatasync, fd));
    return result;
}

int fsync(int fd)
{
    int result;
    CALL_AND_END("fsync", result, (int)syscall(SYS_fsync, fd));
    return result;
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    int result;
    CALL_AND_END("fallocate", result, (int)syscall(SYS_fallocate, fd, mode, offset, length));
    return result;
}

int fallocate64(int fd, int mode, off_t offset, off_t length)
{
    return fallocate(fd, mode, offset, length);
}

int unlink(const char *path)
{
    int result;
    CALL_AND_END("unlink", result, (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0));
    return result;
}

static int open_at(const char *path, int flags, mode_t mode)
{
    int result;
    CALL_AND_END("open", result, (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode));
    return result;
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open_at(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open_at(path, flags, mode);
}
