#include "stages/lib/queue/segment/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/durable.h"
#include "core/thread.h"

bool ps_segment_is_other(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0 || S_ISREG(about.st_mode))
        return false;
    errno = EISDIR;
    return true;
}

static int disk_open(void *, const char *path, bool create)
{
    if (!create && ps_segment_is_other(path))
        return -1;
    int fd = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_EXCL : 0), 0640);
    /* Turns read-ahead off: each frame is read once and as a whole, and the kernel would read bytes ahead that are
     * still being written. */
    if (fd >= 0 && create)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    return fd;
}

static int disk_open_direct(void *, const char *path)
{
    return open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
}

static int disk_close(void *, int fd)
{
    return close(fd);
}

/* ---- freeing ---- */

/* The last close of a removed segment of 128 MiB takes ext4 20 to 30 ms. Writes and syncs of all threads wait for it,
 * so the file is shortened in steps that take less than a millisecond each. */
#define CLOSERS_MAX 4U
#define FREE_STEP_BYTES ((off_t)2 << 20)
#define FREE_PAUSE_NS 1000000 /* pause after each step, so that waiting writes proceed */
static pthread_mutex_t closers_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned closers; /* number of threads that close files */

static void count_closer(unsigned change)
{
    pthread_mutex_lock(&closers_lock);
    closers += change;
    pthread_mutex_unlock(&closers_lock);
}

static void free_slowly(int fd)
{
    const struct timespec pause = {.tv_nsec = FREE_PAUSE_NS};
    struct stat about;
    if (fstat(fd, &about) != 0 || about.st_nlink > 0)
        return;
    for (off_t left = about.st_size - FREE_STEP_BYTES; left > 0; left -= FREE_STEP_BYTES) {
        if (ftruncate(fd, left) != 0)
            return;
        nanosleep(&pause, NULL);
    }
}

static void *close_one(void *argument)
{
    free_slowly((int)(intptr_t)argument);
    close((int)(intptr_t)argument);
    count_closer(-1U);
    return NULL;
}

static bool has_closer(void)
{
    pthread_mutex_lock(&closers_lock);
    bool has = closers < CLOSERS_MAX;
    closers += has ? 1 : 0;
    pthread_mutex_unlock(&closers_lock);
    return has;
}

static void disk_discard(void *, int fd)
{
    pthread_t closer;
    if (!has_closer()) {
        close(fd);
        return;
    }
    if (ps_thread_start(&closer, "closer", close_one, (void *)(intptr_t)fd) == 0) {
        (void)ps_thread_join(closer, 0); /* does not wait for the thread */
        return;
    }
    count_closer(-1U);
    close(fd);
}

/* ---- reading and writing ---- */

static ssize_t disk_read(void *, int fd, void *to, size_t length, uint64_t offset)
{
    size_t done = 0;
    while (done < length) {
        ssize_t got = pread(fd, (char *)to + done, length - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static void disk_expect(void *, int fd, uint64_t offset, size_t length)
{
    (void)posix_fadvise(fd, (off_t)offset, (off_t)length, POSIX_FADV_WILLNEED);
}

static ssize_t disk_write(void *, int fd, const void *from, size_t length, uint64_t offset)
{
    size_t done = 0;
    while (done < length) {
        ssize_t put = pwrite(fd, (const char *)from + done, length - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        done += (size_t)put;
    }
    return (ssize_t)done;
}

/* If the file system cannot allocate (EOPNOTSUPP), only sets the file's length. */
static int disk_allocate(void *, int fd, uint64_t length)
{
    if (fallocate(fd, 0, 0, (off_t)length) == 0)
        return 0;
    return errno == EOPNOTSUPP || errno == ENOSYS ? ftruncate(fd, (off_t)length) : -1;
}

static int64_t disk_size(void *, int fd)
{
    struct stat about;
    return fstat(fd, &about) == 0 ? (int64_t)about.st_size : -1;
}

static int64_t disk_data(void *argument, int fd, uint64_t offset)
{
    off_t at = lseek(fd, (off_t)offset, SEEK_DATA);
    return at >= 0 ? (int64_t)at : errno == ENXIO ? disk_size(argument, fd) : -1;
}

static int disk_sync(void *, int fd)
{
    return fdatasync(fd);
}

static int disk_sync_directory(void *, const char *path)
{
    int error = ps_directory_sync(path);
    errno = error;
    return error == 0 ? 0 : -1;
}

static int disk_is_at(void *, int fd, const char *path)
{
    struct stat opened, named;
    if (fstat(fd, &opened) != 0 || stat(path, &named) != 0)
        return -1;
    if (opened.st_dev == named.st_dev && opened.st_ino == named.st_ino)
        return 0;
    errno = ESTALE;
    return -1;
}

static int disk_remove(void *, const char *path)
{
    return unlink(path);
}

static int disk_list(void *, const char *path, void (*name)(void *to, const char *name), void *to)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return -1;
    const struct dirent *entry;
    int error = 0;
    do {
        errno = 0; /* `name` may have set errno */
        entry = readdir(directory);
        error = errno;
        if (entry != NULL)
            name(to, entry->d_name);
    } while (entry != NULL);
    closedir(directory);
    errno = error;
    return error == 0 ? 0 : -1;
}

const struct ps_segment_files ps_segment_disk = {
    .open = disk_open,
    .open_direct = disk_open_direct,
    .close = disk_close,
    .discard = disk_discard,
    .read = disk_read,
    .write = disk_write,
    .expect = disk_expect,
    .allocate = disk_allocate,
    .size = disk_size,
    .data = disk_data,
    .sync = disk_sync,
    .sync_directory = disk_sync_directory,
    .is_at = disk_is_at,
    .remove = disk_remove,
    .list = disk_list,
};

/* ---- files that are only read ---- */

static int read_only_open(void *, const char *path, bool create)
{
    if (!create && ps_segment_is_other(path))
        return -1;
    return create ? memfd_create("channel", MFD_CLOEXEC) : open(path, O_RDONLY | O_CLOEXEC);
}

static bool is_in_memory(int fd)
{
    return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
}

static ssize_t read_only_write(void *argument, int fd, const void *from, size_t length, uint64_t offset)
{
    return is_in_memory(fd) ? disk_write(argument, fd, from, length, offset) : (ssize_t)length;
}

static int read_only_allocate(void *, int fd, uint64_t length)
{
    return is_in_memory(fd) ? ftruncate(fd, (off_t)length) : 0;
}

static int read_only_sync(void *, int)
{
    return 0;
}

static int read_only_name(void *, const char *)
{
    return 0;
}

const struct ps_segment_files ps_segment_disk_read_only = {
    .open = read_only_open,
    .close = disk_close,
    .read = disk_read,
    .write = read_only_write,
    .expect = disk_expect,
    .allocate = read_only_allocate,
    .size = disk_size,
    .sync = read_only_sync,
    .sync_directory = read_only_name,
    .remove = read_only_name,
    .list = disk_list,
};
