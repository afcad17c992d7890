/* Calls on descriptors of files, and those that all kinds have. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/world/descriptor.h"
#include "tests/world/fault.h"
#include "tests/world/real.h"
#include "tests/world/turn.h"

/* Reads, and waits as long as there is nothing unless the description says otherwise. */
static long read_waiting(struct description *open, void *to, size_t length)
{
    if (open->kind->read == NULL)
        return -EINVAL;
    for (;;) {
        ssize_t got = open->kind->read(open, to, length);
        if (got != -EAGAIN || (open->flags & O_NONBLOCK) != 0)
            return got;
        turn_wait(&turn_io, WORLD_NEVER);
    }
}

static long write_waiting(struct description *open, const void *from, size_t length)
{
    if (open->kind->write == NULL)
        return -EBADF;
    for (;;) {
        ssize_t done = open->kind->write(open, from, length);
        if (done != -EAGAIN || (open->flags & O_NONBLOCK) != 0)
            return done;
        turn_wait(&turn_io, WORLD_NEVER);
    }
}

ssize_t read(int fd, void *to, size_t length)
{
    if (!turn_is_ours())
        return descriptor_result(real_call(SYS_read, fd, (long)to, (long)length, 0, 0, 0));
    call_enter("read", (uint64_t)fd, length);
    struct description *open = descriptor_get(fd);
    return descriptor_result(call_leave(open == NULL ? -EBADF : read_waiting(open, to, length)));
}

ssize_t __read_chk(int fd, void *to, size_t length, size_t room);
ssize_t __read_chk(int fd, void *to, size_t length, size_t room)
{
    (void)room;
    return read(fd, to, length);
}

ssize_t write(int fd, const void *from, size_t length)
{
    if (!turn_is_ours())
        return descriptor_result(real_call(SYS_write, fd, (long)from, (long)length, 0, 0, 0));
    call_enter("write", (uint64_t)fd, length);
    world_note_bytes(from, length);
    struct description *open = descriptor_get(fd);
    return descriptor_result(call_leave(open == NULL ? -EBADF : write_waiting(open, from, length)));
}

static bool is_file(const struct description *open)
{
    return open->kind == &kind_file;
}

ssize_t pread(int fd, void *to, size_t length, off_t offset)
{
    if (!turn_is_ours())
        return descriptor_result(real_call(SYS_pread64, fd, (long)to, (long)length, offset, 0, 0));
    call_enter("pread", (uint64_t)fd, (uint64_t)offset);
    struct description *open = descriptor_get(fd);
    if (open == NULL)
        return descriptor_result(call_leave(-EBADF));
    if (open->kind == &kind_real)
        return descriptor_result(
            call_leave(real_call(SYS_pread64, descriptor_real(fd), (long)to, (long)length, offset, 0, 0)));
    if (!is_file(open))
        return descriptor_result(call_leave(-ESPIPE));
    uint64_t before = open->offset;
    open->offset = (uint64_t)offset;
    long result = open->kind->read(open, to, length);
    open->offset = before;
    return descriptor_result(call_leave(result));
}

ssize_t pread64(int fd, void *to, size_t length, off_t offset)
{
    return pread(fd, to, length, offset);
}

ssize_t __pread_chk(int fd, void *to, size_t length, off_t offset, size_t room);
ssize_t __pread_chk(int fd, void *to, size_t length, off_t offset, size_t room)
{
    (void)room;
    return pread(fd, to, length, offset);
}

ssize_t __pread64_chk(int fd, void *to, size_t length, off_t offset, size_t room);
ssize_t __pread64_chk(int fd, void *to, size_t length, off_t offset, size_t room)
{
    (void)room;
    return pread(fd, to, length, offset);
}

ssize_t pwrite(int fd, const void *from, size_t length, off_t offset)
{
    if (!turn_is_ours())
        return descriptor_result(real_call(SYS_pwrite64, fd, (long)from, (long)length, offset, 0, 0));
    call_enter("pwrite", (uint64_t)fd, (uint64_t)offset);
    world_note_bytes(from, length);
    struct description *open = descriptor_get(fd);
    if (open == NULL || !is_file(open))
        return descriptor_result(call_leave(open == NULL ? -EBADF : -ESPIPE));
    uint64_t before = open->offset;
    open->offset = (uint64_t)offset;
    long result = open->kind->write(open, from, length);
    open->offset = before;
    return descriptor_result(call_leave(result));
}

ssize_t pwrite64(int fd, const void *from, size_t length, off_t offset)
{
    return pwrite(fd, from, length, offset);
}

/* Vectors are one call for the history and the turn, and may be cut between two pieces. */
static long over_vector(int fd, const struct iovec *vector, int count, long offset, bool writes)
{
    struct description *open = descriptor_get(fd);
    if (open == NULL)
        return -EBADF;
    if (offset >= 0 && !is_file(open))
        return -ESPIPE;
    uint64_t before = open->offset;
    if (offset >= 0)
        open->offset = (uint64_t)offset;
    long done = 0, result = 0;
    for (int i = 0; i < count; i++) {
        if (vector[i].iov_len == 0)
            continue;
        if (writes)
            world_note_bytes(vector[i].iov_base, vector[i].iov_len);
        result = writes ? write_waiting(open, vector[i].iov_base, vector[i].iov_len)
                 : done > 0 && open->kind->read != NULL
                     ? open->kind->read(open, vector[i].iov_base, vector[i].iov_len)
                     : read_waiting(open, vector[i].iov_base, vector[i].iov_len);
        if (result < 0)
            break;
        done += result;
        if ((size_t)result < vector[i].iov_len)
            break;
    }
    if (offset >= 0)
        open->offset = before;
    return done > 0 ? done : result;
}

ssize_t readv(int fd, const struct iovec *vector, int count)
{
    call_enter("readv", (uint64_t)fd, (uint64_t)count);
    return descriptor_result(call_leave(over_vector(fd, vector, count, -1, false)));
}

ssize_t writev(int fd, const struct iovec *vector, int count)
{
    if (!turn_is_ours())
        return descriptor_result(real_call(SYS_writev, fd, (long)vector, count, 0, 0, 0));
    call_enter("writev", (uint64_t)fd, (uint64_t)count);
    return descriptor_result(call_leave(over_vector(fd, vector, count, -1, true)));
}

ssize_t preadv2(int fd, const struct iovec *vector, int count, off_t offset, int flags)
{
    call_enter("preadv2", (uint64_t)fd, (uint64_t)offset);
    bool waits_not = (flags & RWF_NOWAIT) != 0;
    if (waits_not && world->cache == CACHE_BLOCKING)
        return descriptor_result(call_leave(-EOPNOTSUPP));
    if (waits_not && world->cache == CACHE_COLD && world_below(4) == 0)
        return descriptor_result(call_leave(-EAGAIN));
    return descriptor_result(call_leave(over_vector(fd, vector, count, offset, false)));
}

ssize_t preadv64v2(int fd, const struct iovec *vector, int count, off_t offset, int flags)
{
    return preadv2(fd, vector, count, offset, flags);
}

int close(int fd)
{
    if (!turn_is_ours())
        return (int)descriptor_result(real_call(SYS_close, fd, 0, 0, 0, 0, 0));
    call_enter("close", (uint64_t)fd, 0);
    struct description *open = descriptor_get(fd);
    int error = open != NULL && open->inode != NULL ? fault_strikes(FAULT_CLOSE, open->inode) : 0;
    int result = descriptor_close(fd);
    return (int)descriptor_result(call_leave(error != 0 ? -error : result));
}

int close_range(unsigned first, unsigned last, int flags)
{
    if ((flags & 4) != 0) /* CLOSE_RANGE_CLOEXEC */
        return 0;
    for (unsigned fd = first; fd <= last && fd < DESCRIPTORS_MAX; fd++)
        descriptor_close((int)fd);
    return 0;
}

int dup2(int fd, int to)
{
    struct description *open = descriptor_get(fd);
    if (open == NULL || to < 0 || to >= DESCRIPTORS_MAX)
        return (int)descriptor_result(-EBADF);
    if (fd == to)
        return to;
    descriptor_close(to);
    return (int)descriptor_result(descriptor_share(open, to, false));
}

int dup(int fd)
{
    struct description *open = descriptor_get(fd);
    return (int)descriptor_result(open == NULL ? -EBADF : descriptor_share(open, 0, false));
}

static int lock_command(struct description *open, int command, struct flock *lock)
{
    (void)open;
    if (command == F_GETLK || command == F_OFD_GETLK)
        lock->l_type = F_UNLCK; /* one process: nobody else has a lock */
    return 0;
}

int fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    long value = va_arg(arguments, long);
    va_end(arguments);
    if (!turn_is_ours())
        return (int)descriptor_result(real_call(SYS_fcntl, fd, command, value, 0, 0, 0));
    call_enter("fcntl", (uint64_t)fd, (uint64_t)command);
    struct description *open = descriptor_get(fd);
    if (open == NULL)
        return (int)descriptor_result(call_leave(-EBADF));
    switch (command) {
    case F_GETFD:
        return *descriptor_close_on_exec(fd) ? FD_CLOEXEC : 0;
    case F_SETFD:
        *descriptor_close_on_exec(fd) = (value & FD_CLOEXEC) != 0;
        return 0;
    case F_GETFL:
        return open->flags;
    case F_SETFL:
        open->flags = (open->flags & O_ACCMODE) | ((int)value & ~O_ACCMODE);
        return 0;
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return (int)descriptor_result(descriptor_share(open, (int)value, command == F_DUPFD_CLOEXEC));
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return lock_command(open, command, (struct flock *)value);
    default:
        return (int)descriptor_result(call_leave(-EINVAL));
    }
}

int fcntl64(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    long value = va_arg(arguments, long);
    va_end(arguments);
    return fcntl(fd, command, value);
}

off_t lseek(int fd, off_t offset, int whence)
{
    if (!turn_is_ours())
        return descriptor_result(real_call(SYS_lseek, fd, offset, whence, 0, 0, 0));
    call_enter("lseek", (uint64_t)fd, (uint64_t)offset);
    struct description *open = descriptor_get(fd);
    if (open == NULL)
        return descriptor_result(call_leave(-EBADF));
    if (open->kind == &kind_real)
        return descriptor_result(real_call(SYS_lseek, descriptor_real(fd), offset, whence, 0, 0, 0));
    if (open->inode == NULL)
        return descriptor_result(call_leave(-ESPIPE));
    off_t base = whence == SEEK_SET   ? 0
                 : whence == SEEK_CUR ? (off_t)open->offset
                                      : (off_t)open->inode->now.size;
    if (base + offset < 0 || whence > SEEK_END)
        return descriptor_result(call_leave(-EINVAL));
    open->offset = (uint64_t)(base + offset);
    return call_leave((long)open->offset);
}

off_t lseek64(int fd, off_t offset, int whence)
{
    return lseek(fd, offset, whence);
}

static void sync_below(struct disk_inode *inode)
{
    disk_sync(inode);
    for (size_t i = 0; S_ISDIR(inode->mode) && i < inode->names.count; i++)
        sync_below(inode->names.entries[i].inode);
}

static int sync_call(const char *name, int fd, bool all)
{
    call_enter(name, (uint64_t)fd, 0);
    struct description *open = descriptor_get(fd);
    if (open == NULL)
        return (int)descriptor_result(call_leave(-EBADF));
    if (open->inode == NULL)
        return (int)descriptor_result(call_leave(-EINVAL));
    int error = fault_strikes(FAULT_SYNC, open->inode);
    if (error == 0 && world->plant != PLANT_NO_SYNC && all)
        sync_below(world->disk->root);
    else if (error == 0 && world->plant != PLANT_NO_SYNC)
        disk_sync(open->inode);
    return (int)descriptor_result(call_leave(-error));
}

int fsync(int fd)
{
    return sync_call("fsync", fd, false);
}

int fdatasync(int fd)
{
    return sync_call("fdatasync", fd, false);
}

int syncfs(int fd)
{
    return sync_call("syncfs", fd, true);
}

int ftruncate(int fd, off_t size)
{
    call_enter("ftruncate", (uint64_t)fd, (uint64_t)size);
    struct description *open = descriptor_get(fd);
    if (open == NULL || !is_file(open) || size < 0)
        return (int)descriptor_result(call_leave(open == NULL ? -EBADF : -EINVAL));
    int error = fault_strikes(FAULT_WRITE, open->inode) ?: fault_strikes(FAULT_RESIZE, open->inode);
    return (int)descriptor_result(
        call_leave(-(error != 0 ? error : disk_resize(open->inode, (uint64_t)size))));
}

int ftruncate64(int fd, off_t size)
{
    return ftruncate(fd, size);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    call_enter("fallocate", (uint64_t)fd, (uint64_t)length);
    struct description *open = descriptor_get(fd);
    if (open == NULL || !is_file(open))
        return (int)descriptor_result(call_leave(open == NULL ? -EBADF : -ENODEV));
    if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0)
        return (int)descriptor_result(call_leave(-EOPNOTSUPP));
    int error = fault_strikes(FAULT_WRITE, open->inode);
    if (error == 0)
        error =
            disk_reserve(open->inode, (uint64_t)offset, (uint64_t)length, (mode & FALLOC_FL_KEEP_SIZE) != 0);
    return (int)descriptor_result(call_leave(-error));
}

int fallocate64(int fd, int mode, off_t offset, off_t length)
{
    return fallocate(fd, mode, offset, length);
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
    return fallocate(fd, 0, offset, length) == 0 ? 0 : errno;
}

int posix_fallocate64(int fd, off_t offset, off_t length)
{
    return posix_fallocate(fd, offset, length);
}

int posix_fadvise(int fd, off_t offset, off_t length, int advice)
{
    (void)fd, (void)offset, (void)length, (void)advice;
    return 0;
}

int flock(int fd, int operation)
{
    call_enter("flock", (uint64_t)fd, (uint64_t)operation);
    return (int)call_leave(0); /* one process holds all of them */
}
