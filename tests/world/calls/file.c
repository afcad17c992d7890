/* Calls with paths. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/world/fault.h"
#include "tests/world/path.h"
#include "tests/world/real.h"
#include "tests/world/turn.h"

static const char *const ours[] = {"/w", "/tmp", "/var", "/home", "/root/.penstock", NULL};

mode_t path_mask = 022;

/* What of the real system an agent may read. */
static bool is_readable(const char *path)
{
    static const char *const prefixes[] = {"/usr/", "/lib/", "/etc/ssl/", "/etc/localtime", NULL};
    for (size_t i = 0; prefixes[i] != NULL; i++)
        if (strncmp(path, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

bool path_is_ours(int directory, const char *path)
{
    if (path == NULL)
        return true;
    if (*path != '/') {
        struct description *open = directory == AT_FDCWD ? NULL : descriptor_get(directory);
        return open == NULL || open->kind != &kind_real;
    }
    if (path[1] == 0)
        return true;
    for (size_t i = 0; ours[i] != NULL; i++) {
        size_t length = strlen(ours[i]);
        if (strncmp(path, ours[i], length) == 0 && (path[length] == 0 || path[length] == '/'))
            return true;
    }
    return false;
}

struct disk_inode *path_find(int directory, const char *path, bool follow, struct disk_inode **parent,
                             char last[DISK_NAME_MAX + 1], int *error)
{
    struct disk_inode *from = disk_at(PATH_WORKING_DIRECTORY);
    *parent = NULL;
    if (directory != AT_FDCWD && *path != '/') {
        struct description *open = descriptor_get(directory);
        if (open == NULL || open->inode == NULL || !S_ISDIR(open->inode->mode)) {
            *error = open == NULL ? EBADF : ENOTDIR;
            return NULL;
        }
        from = open->inode;
    }
    struct disk_inode *found = disk_find(from, path, follow, parent, last, error);
    int fault = fault_strikes(FAULT_NAME, found != NULL ? found : *parent);
    if (fault != 0) {
        *error = fault;
        *parent = NULL;
        return NULL;
    }
    return found;
}

static int open_inode(struct disk_inode *inode, const char *path, int flags)
{
    struct description *open;
    int fd =
        descriptor_open(S_ISDIR(inode->mode) ? &kind_directory : &kind_file, NULL,
                        flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC), (flags & O_CLOEXEC) != 0, &open);
    if (fd < 0)
        return fd;
    open->inode = inode;
    open->path = strdup(path);
    disk_opened(inode);
    return fd;
}

static const struct description_kind *device(const char *path)
{
    if (strcmp(path, "/dev/null") == 0)
        return &kind_null;
    if (strcmp(path, "/dev/urandom") == 0 || strcmp(path, "/dev/random") == 0)
        return &kind_random;
    return NULL;
}

static int open_path(int directory, const char *path, int flags, mode_t mode)
{
    if (device(path) != NULL)
        return descriptor_open(device(path), NULL, flags, (flags & O_CLOEXEC) != 0, NULL);
    if (!path_is_ours(directory, path))
        return !is_readable(path)                ? -ENOENT
               : (flags & O_ACCMODE) != O_RDONLY ? -EACCES
                                                 : descriptor_open_real(path, flags);
    struct disk_inode *parent;
    char last[DISK_NAME_MAX + 1];
    int error;
    struct disk_inode *inode = path_find(directory, path, (flags & O_NOFOLLOW) == 0, &parent, last, &error);
    if (inode != NULL || parent != NULL) {
        int fault = fault_strikes(FAULT_OPEN, inode != NULL ? inode : parent);
        if (fault != 0)
            return -fault;
    }
    if (inode == NULL && error == ENOENT && parent != NULL && (flags & O_CREAT) != 0)
        error = disk_make(parent, last, S_IFREG | (mode & ~path_mask), &inode);
    else if (inode != NULL && (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
        error = EEXIST;
    if (error != 0)
        return -error;
    if (S_ISLNK(inode->mode))
        return -ELOOP;
    if (S_ISDIR(inode->mode) && (flags & O_ACCMODE) != O_RDONLY)
        return -EISDIR;
    if (!S_ISDIR(inode->mode) && (flags & O_DIRECTORY) != 0)
        return -ENOTDIR;
    if ((flags & O_TRUNC) != 0 && S_ISREG(inode->mode))
        disk_resize(inode, 0);
    return open_inode(inode, path, flags);
}

static int open_call(int directory, const char *path, int flags, mode_t mode)
{
    if (!turn_is_ours())
        return (int)descriptor_result(real_call(SYS_openat, directory, (long)path, flags, (long)mode, 0, 0));
    if ((flags & O_CREAT) == 0)
        mode = 0; /* the caller gave none */
    call_enter("openat", (uint64_t)flags, mode);
    world_note_bytes(path, strlen(path));
    return (int)descriptor_result(call_leave(open_path(directory, path, flags, mode)));
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    return open_call(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    return open_call(AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    return open_call(directory, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    return open_call(directory, path, flags, mode);
}

int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
    return open_call(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags)
{
    return open_call(AT_FDCWD, path, flags, 0);
}

int __openat_2(int directory, const char *path, int flags);
int __openat_2(int directory, const char *path, int flags)
{
    return open_call(directory, path, flags, 0);
}

/* ---- what a file is ---- */

static int stat_descriptor(int fd, struct stat *to)
{
    struct description *open = descriptor_get(fd);
    if (open == NULL)
        return -EBADF;
    if (open->kind == &kind_real)
        return (int)real_call(SYS_fstat, descriptor_real(fd), (long)to, 0, 0, 0, 0);
    if (open->inode != NULL)
        disk_stat(open->inode, to);
    else
        *to = (struct stat){.st_mode = open->kind->mode, .st_nlink = 1, .st_blksize = 4096};
    return 0;
}

static int stat_path(int directory, const char *path, struct stat *to, int flags)
{
    if ((flags & AT_EMPTY_PATH) != 0 && (path == NULL || *path == 0))
        return directory == AT_FDCWD ? -ENOENT : stat_descriptor(directory, to);
    const struct description_kind *kind = device(path);
    if (kind != NULL) {
        *to = (struct stat){.st_mode = kind->mode, .st_nlink = 1};
        return 0;
    }
    if (!path_is_ours(directory, path)) {
        if (!is_readable(path))
            return -ENOENT;
        int real = directory == AT_FDCWD ? AT_FDCWD : descriptor_real(directory);
        return (int)real_call(SYS_newfstatat, real, (long)path, (long)to, flags, 0, 0);
    }
    struct disk_inode *parent;
    char last[DISK_NAME_MAX + 1];
    int error;
    struct disk_inode *inode =
        path_find(directory, path, (flags & AT_SYMLINK_NOFOLLOW) == 0, &parent, last, &error);
    if (inode == NULL)
        return -error;
    disk_stat(inode, to);
    return 0;
}

static int stat_call(int directory, const char *path, struct stat *to, int flags)
{
    if (!turn_is_ours())
        return (int)descriptor_result(
            real_call(SYS_newfstatat, directory, (long)path, (long)to, flags, 0, 0));
    call_enter("fstatat", 0, 0);
    if (path != NULL)
        world_note_bytes(path, strlen(path));
    int result = stat_path(directory, path, to, flags);
    if (result == 0)
        world_note((uint64_t)to->st_size);
    return (int)descriptor_result(call_leave(result));
}

int stat(const char *restrict path, struct stat *restrict to)
{
    return stat_call(AT_FDCWD, path, to, 0);
}

int stat64(const char *restrict path, struct stat64 *restrict to)
{
    return stat_call(AT_FDCWD, path, (struct stat *)to, 0);
}

int lstat(const char *restrict path, struct stat *restrict to)
{
    return stat_call(AT_FDCWD, path, to, AT_SYMLINK_NOFOLLOW);
}

int lstat64(const char *restrict path, struct stat64 *restrict to)
{
    return stat_call(AT_FDCWD, path, (struct stat *)to, AT_SYMLINK_NOFOLLOW);
}

int fstatat(int directory, const char *restrict path, struct stat *restrict to, int flags)
{
    return stat_call(directory, path, to, flags);
}

int fstatat64(int directory, const char *restrict path, struct stat64 *restrict to, int flags)
{
    return stat_call(directory, path, (struct stat *)to, flags);
}

int fstat(int fd, struct stat *to)
{
    if (!turn_is_ours())
        return (int)descriptor_result(real_call(SYS_fstat, fd, (long)to, 0, 0, 0, 0));
    call_enter("fstat", (uint64_t)fd, 0);
    return (int)descriptor_result(call_leave(stat_descriptor(fd, to)));
}

int fstat64(int fd, struct stat64 *to)
{
    return fstat(fd, (struct stat *)to);
}

int statx(int directory, const char *restrict path, int flags, unsigned wanted, struct statx *restrict to)
{
    (void)wanted;
    struct stat stat;
    if (stat_call(directory, path, &stat, flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) != 0)
        return -1;
    *to = (struct statx){.stx_mask = STATX_BASIC_STATS,
                         .stx_blksize = 4096,
                         .stx_nlink = (uint32_t)stat.st_nlink,
                         .stx_uid = stat.st_uid,
                         .stx_gid = stat.st_gid,
                         .stx_mode = (uint16_t)stat.st_mode,
                         .stx_ino = stat.st_ino,
                         .stx_size = (uint64_t)stat.st_size,
                         .stx_blocks = (uint64_t)stat.st_blocks,
                         .stx_dev_major = major(stat.st_dev),
                         .stx_dev_minor = minor(stat.st_dev)};
    to->stx_mtime =
        (struct statx_timestamp){.tv_sec = stat.st_mtim.tv_sec, .tv_nsec = (uint32_t)stat.st_mtim.tv_nsec};
    to->stx_ctime =
        (struct statx_timestamp){.tv_sec = stat.st_ctim.tv_sec, .tv_nsec = (uint32_t)stat.st_ctim.tv_nsec};
    to->stx_atime =
        (struct statx_timestamp){.tv_sec = stat.st_atim.tv_sec, .tv_nsec = (uint32_t)stat.st_atim.tv_nsec};
    uint64_t born_ns = (uint64_t)stat.__glibc_reserved[0]; /* disk_stat */
    if (born_ns == 0)
        return 0;
    to->stx_mask |= STATX_BTIME;
    to->stx_btime = (struct statx_timestamp){.tv_sec = (int64_t)(born_ns / WORLD_NS_PER_S),
                                             .tv_nsec = (uint32_t)(born_ns % WORLD_NS_PER_S)};
    return 0;
}

int faccessat(int directory, const char *path, int mode, int flags)
{
    (void)flags;
    if (!turn_is_ours())
        return (int)descriptor_result(real_call(SYS_faccessat, directory, (long)path, mode, 0, 0, 0));
    if (!path_is_ours(directory, path) && (mode & W_OK) != 0)
        return (int)descriptor_result(-EACCES);
    struct stat stat;
    return stat_call(directory, path, &stat, 0);
}

int access(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, 0);
}

int euidaccess(const char *path, int mode)
{
    return access(path, mode);
}

static void fill_statvfs(struct statvfs *to)
{
    const struct disk *disk = world->disk;
    uint64_t limit = disk->limit_bytes > 0 ? disk->limit_bytes : UINT64_C(1) << 40;
    uint64_t left = limit > disk->used_bytes ? limit - disk->used_bytes : 0;
    *to = (struct statvfs){.f_bsize = 4096,
                           .f_frsize = 4096,
                           .f_blocks = limit / 4096,
                           .f_bfree = left / 4096,
                           .f_bavail = left / 4096,
                           .f_files = 1 << 20,
                           .f_ffree = (1 << 20) - disk->inodes,
                           .f_favail = (1 << 20) - disk->inodes,
                           .f_namemax = DISK_NAME_MAX};
}

int statvfs(const char *restrict path, struct statvfs *restrict to)
{
    call_enter("statvfs", 0, 0);
    struct stat stat;
    int result = stat_path(AT_FDCWD, path, &stat, 0);
    if (result == 0)
        fill_statvfs(to);
    return (int)descriptor_result(call_leave(result));
}

int fstatvfs(int fd, struct statvfs *to)
{
    call_enter("fstatvfs", (uint64_t)fd, 0);
    fill_statvfs(to);
    return 0;
}

static void fill_statfs(struct statfs *to)
{
    struct statvfs vfs;
    fill_statvfs(&vfs);
    *to = (struct statfs){.f_type = 0xef53,
                          .f_bsize = 4096,
                          .f_blocks = vfs.f_blocks,
                          .f_bfree = vfs.f_bfree,
                          .f_bavail = vfs.f_bavail,
                          .f_namelen = DISK_NAME_MAX,
                          .f_frsize = 4096};
}

int statfs(const char *path, struct statfs *to)
{
    struct stat stat;
    call_enter("statfs", 0, 0);
    int result = stat_path(AT_FDCWD, path, &stat, 0);
    if (result == 0)
        fill_statfs(to);
    return (int)descriptor_result(call_leave(result));
}

int fstatfs(int fd, struct statfs *to)
{
    call_enter("fstatfs", (uint64_t)fd, 0);
    fill_statfs(to);
    return 0;
}

/* ---- modes, owners, times ---- */

mode_t umask(mode_t wanted)
{
    mode_t before = path_mask;
    path_mask = wanted & 0777;
    return before;
}

static int change_inode(int fd, const char *path, mode_t mode, bool sets_mode, const struct timespec times[2])
{
    struct disk_inode *inode, *parent;
    char last[DISK_NAME_MAX + 1];
    int error = EBADF;
    call_enter("change of a file", mode, 0);
    if (path != NULL)
        inode = path_is_ours(AT_FDCWD, path) ? path_find(AT_FDCWD, path, true, &parent, last, &error) : NULL;
    else
        inode = descriptor_get(fd) != NULL ? descriptor_get(fd)->inode : NULL;
    if (inode == NULL)
        return (int)descriptor_result(call_leave(-error));
    if (sets_mode)
        inode->mode = (inode->mode & S_IFMT) | mode;
    else if (times != NULL && times[1].tv_nsec != UTIME_OMIT)
        inode->write_ns = times[1].tv_nsec == UTIME_NOW
                              ? world->now_ns
                              : (uint64_t)times[1].tv_sec * WORLD_NS_PER_S + (uint64_t)times[1].tv_nsec;
    disk_watched(inode, 4 /* IN_ATTRIB */, NULL, 0);
    return (int)call_leave(0);
}

int chmod(const char *path, mode_t mode)
{
    return change_inode(-1, path, mode, true, NULL);
}

int fchmod(int fd, mode_t mode)
{
    return change_inode(fd, NULL, mode, true, NULL);
}

int futimens(int fd, const struct timespec times[2])
{
    return change_inode(fd, NULL, 0, false, times);
}

int fchown(int fd, uid_t owner, gid_t group)
{
    (void)fd, (void)owner, (void)group;
    return 0;
}

int truncate(const char *path, off_t size)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = ftruncate(fd, size);
    close(fd);
    return result;
}
