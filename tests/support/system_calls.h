/* Counts this thread's calls of the file system, and can make one of them fail; with PS_TEST_CALLS_OF_ALL_THREADS, the calls
 * of all threads, and of some more functions, while ps_test_calls_count is set. One file of a test includes it: it defines
 * the functions of libc below, so that the whole program uses them. A directory is opened and read by libc's own calls
 * inside: those count as one. */
#pragma once

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base.h"
#include "tests/support/countdown.h"

#ifdef PS_TEST_CALLS_OF_ALL_THREADS
#define PS_TEST_CALL_SHARED(type) _Atomic(type)
static _Atomic bool ps_test_calls_count; /* false during the test's own calls */
#else
#define PS_TEST_CALL_SHARED(type) __thread type
static const bool ps_test_calls_count = true;
#endif

static PS_TEST_CALL_SHARED(uint64_t) ps_test_call_count __attribute__((unused));
/* Number of the call that fails, counted from the assignment: 1 = the next one, 0 = none. */
static PS_TEST_CALL_SHARED(uint64_t) ps_test_call_fails __attribute__((unused));
/* The errno of the call that fails; with ENOSPC a write writes half of its bytes, and the next call fails. */
static PS_TEST_CALL_SHARED(int) ps_test_call_error __attribute__((unused)) = EIO;
/* Every call of this function fails; NULL: none does. */
static PS_TEST_CALL_SHARED(const char *) ps_test_call_broken __attribute__((unused));
/* After so many failures that function works again; 0: never. */
static PS_TEST_CALL_SHARED(uint64_t) ps_test_call_broken_left __attribute__((unused));
/* `open` may fail for this path alone; NULL: for any. */
static PS_TEST_CALL_SHARED(const char *) ps_test_call_path __attribute__((unused));
/* The function that failed last. */
static PS_TEST_CALL_SHARED(const char *) ps_test_call_failed __attribute__((unused));

static inline bool ps_test_call_may(const char *name)
{
    if (!ps_test_calls_count)
        return true;
    ps_test_call_count++;
    const char *broken = ps_test_call_broken;
    bool is_broken = broken != NULL && strcmp(broken, name) == 0;
    if (!is_broken && !PS_TEST_COUNTDOWN(ps_test_call_fails))
        return true;
    if (is_broken && ps_test_call_broken_left > 0 && --ps_test_call_broken_left == 0)
        ps_test_call_broken = NULL;
    ps_test_call_failed = name;
    errno = ps_test_call_error;
    return false;
}

/* libc's function. Several threads may look for it at once. */
#define PS_TEST_REAL(name)                                                                                   \
    __extension__({                                                                                          \
        static void *real;                                                                                   \
        __typeof__(&name) function;                                                                          \
        void *found = __atomic_load_n(&real, __ATOMIC_RELAXED);                                              \
        if (found == NULL)                                                                                   \
            __atomic_store_n(&real, found = dlsym(RTLD_NEXT, #name), __ATOMIC_RELAXED);                      \
        memcpy(&function, &found, sizeof function);                                                          \
        function;                                                                                            \
    })

#define PS_TEST_CALL(type, name, failure, parameters, arguments)                                             \
    type name parameters                                                                                     \
    {                                                                                                        \
        return ps_test_call_may(#name) ? PS_TEST_REAL(name) arguments : (failure);                           \
    }

PS_TEST_CALL(int, mkdir, -1, (const char *path, mode_t mode), (path, mode))
PS_TEST_CALL(int, rename, -1, (const char *from, const char *to), (from, to))
PS_TEST_CALL(int, renameat2, -1, (int at, const char *from, int to_at, const char *to, unsigned flags),
             (at, from, to_at, to, flags))
PS_TEST_CALL(int, unlink, -1, (const char *path), (path))
PS_TEST_CALL(int, access, -1, (const char *path, int mode), (path, mode))
PS_TEST_CALL(int, stat, -1, (const char *restrict path, struct stat *restrict status), (path, status))
PS_TEST_CALL(int, lstat, -1, (const char *restrict path, struct stat *restrict status), (path, status))
PS_TEST_CALL(int, fstat, -1, (int fd, struct stat *status), (fd, status))
PS_TEST_CALL(int, fsync, -1, (int fd), (fd))
PS_TEST_CALL(int, fdatasync, -1, (int fd), (fd))
PS_TEST_CALL(int, ftruncate, -1, (int fd, off_t length), (fd, length))
PS_TEST_CALL(ssize_t, pread, -1, (int fd, void *to, size_t length, off_t offset), (fd, to, length, offset))
PS_TEST_CALL(DIR *, opendir, NULL, (const char *path), (path))
PS_TEST_CALL(struct dirent *, readdir, NULL, (DIR * directory), (directory))
#ifdef PS_TEST_CALLS_OF_ALL_THREADS
PS_TEST_CALL(ssize_t, preadv2, -1, (int fd, const struct iovec *parts, int count, off_t offset, int flags),
             (fd, parts, count, offset, flags))
PS_TEST_CALL(int, fstatat, -1,
             (int folder, const char *restrict path, struct stat *restrict status, int flags),
             (folder, path, status, flags))
PS_TEST_CALL(DIR *, fdopendir, NULL, (int fd), (fd))
PS_TEST_CALL(off_t, lseek, -1, (int fd, off_t offset, int whence), (fd, offset, whence))
PS_TEST_CALL(int, inotify_init1, -1, (int flags), (flags))
PS_TEST_CALL(int, inotify_add_watch, -1, (int fd, const char *path, uint32_t mask), (fd, path, mask))
PS_TEST_CALL(int, statfs, -1, (const char *path, struct statfs *status), (path, status))
PS_TEST_CALL(int, fstatfs, -1, (int fd, struct statfs *status), (fd, status))
PS_TEST_CALL(int, statx, -1,
             (int folder, const char *restrict path, int flags, unsigned mask, struct statx *restrict status),
             (folder, path, flags, mask, status))
PS_TEST_CALL(int, flock, -1, (int fd, int operation), (fd, operation))
#endif

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    const char *only = ps_test_call_path;
    bool may = (only != NULL && strcmp(path, only) != 0) || ps_test_call_may("open");
    return may ? PS_TEST_REAL(openat)(AT_FDCWD, path, flags, mode) : -1;
}

int __open_2(const char *path, int flags);
int __open_2(const char *path,
             int flags) /* called for `open` without a mode, where libc checks its arguments */
{
    return open(path, flags);
}

/* Closes the descriptor even if the call fails, as Linux does. */
int close(int fd)
{
    bool may = ps_test_call_may("close");
    int error = errno, result = PS_TEST_REAL(close)(fd);
    if (may)
        return result;
    errno = error;
    return -1;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    if (ps_test_call_may("write"))
        return PS_TEST_REAL(write)(fd, bytes, length);
    if (ps_test_call_error != ENOSPC || length < 2)
        return -1;
    ps_test_call_fails = ps_test_call_broken == NULL;
    return PS_TEST_REAL(write)(fd, bytes, length / 2);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (ps_test_call_may("writev"))
        return PS_TEST_REAL(writev)(fd, parts, count);
    if (ps_test_call_error != ENOSPC || count < 1 || parts[0].iov_len < 2)
        return -1;
    ps_test_call_fails = ps_test_call_broken == NULL;
    return PS_TEST_REAL(write)(fd, parts[0].iov_base, parts[0].iov_len / 2);
}
