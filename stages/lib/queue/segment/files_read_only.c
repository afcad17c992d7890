#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stages/lib/queue/segment/files.h"

static int read_only_open(void *, const char *path, bool create)
{
    if (!create && ps_segment_is_other(path))
        return -1;
    return create ? memfd_create("channel", MFD_CLOEXEC) : open(path, O_RDONLY | O_CLOEXEC);
}

static int read_only_close(void *argument, int fd)
{
    return ps_segment_disk.close(argument, fd);
}

static ssize_t read_only_read(void *argument, int fd, void *to, size_t length, uint64_t offset)
{
    return ps_segment_disk.read(argument, fd, to, length, offset);
}

static void read_only_expect(void *argument, int fd, uint64_t offset, size_t length)
{
    ps_segment_disk.expect(argument, fd, offset, length);
}

static bool is_in_memory(int fd)
{
    return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
}

static ssize_t read_only_write(void *argument, int fd, const void *from, size_t length, uint64_t offset)
{
    return is_in_memory(fd) ? ps_segment_disk.write(argument, fd, from, length, offset) : (ssize_t)length;
}

static int read_only_allocate(void *, int fd, uint64_t length)
{
    return is_in_memory(fd) ? ftruncate(fd, (off_t)length) : 0;
}

static int64_t read_only_size(void *argument, int fd)
{
    return ps_segment_disk.size(argument, fd);
}

static int read_only_sync(void *, int)
{
    return 0;
}

static int read_only_name(void *, const char *)
{
    return 0;
}

static int read_only_list(void *argument, const char *path, void (*name)(void *to, const char *name),
                          void *to)
{
    return ps_segment_disk.list(argument, path, name, to);
}

const struct ps_segment_files ps_segment_disk_read_only = {
    .open = read_only_open,
    .close = read_only_close,
    .read = read_only_read,
    .write = read_only_write,
    .expect = read_only_expect,
    .allocate = read_only_allocate,
    .size = read_only_size,
    .sync = read_only_sync,
    .sync_directory = read_only_name,
    .remove = read_only_name,
    .list = read_only_list,
};
