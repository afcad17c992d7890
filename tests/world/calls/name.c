/* Calls that make, change, read and remove names. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/world/fault.h"
#include "tests/world/path.h"
#include "tests/world/real.h"
#include "tests/world/turn.h"

/* ---- changes of names ---- */

/* Enters a call that changes a name. Returns 0 or a negative errno. */
static int name_call(const char *call, enum fault_call kind, int directory, const char *path,
                     struct disk_inode **parent, char last[DISK_NAME_MAX + 1], struct disk_inode **inode)
{
    call_enter(call, 0, 0);
    world_note_bytes(path, strlen(path));
    if (!path_is_ours(directory, path))
        return -EACCES;
    int error;
    *inode = path_find(directory, path, false, parent, last, &error);
    return *parent == NULL ? -(error != 0 ? error : EBUSY) : -fault_strikes(kind, *parent);
}

int mkdirat(int directory, const char *path, mode_t mode)
{
    struct disk_inode *parent, *inode;
    char last[DISK_NAME_MAX + 1];
    int result = name_call("mkdir", FAULT_MAKE, directory, path, &parent, last, &inode);
    if (result == 0)
        result = -disk_make(parent, last, S_IFDIR | (mode & ~path_mask), &inode);
    return (int)descriptor_result(call_leave(result));
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

int unlinkat(int directory, const char *path, int flags)
{
    struct disk_inode *parent, *inode;
    char last[DISK_NAME_MAX + 1];
    int result = name_call("unlink", FAULT_UNLINK, directory, path, &parent, last, &inode);
    if (result == 0)
        result = -disk_unlink(parent, last, (flags & AT_REMOVEDIR) != 0);
    return (int)descriptor_result(call_leave(result));
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int remove(const char *path)
{
    int result = unlink(path);
    return result != 0 && errno == EISDIR ? rmdir(path) : result;
}

int renameat2(int old_directory, const char *old, int new_directory, const char *new, unsigned flags)
{
    struct disk_inode *from, *to, *inode, *other;
    char from_name[DISK_NAME_MAX + 1], to_name[DISK_NAME_MAX + 1];
    int result = name_call("rename", FAULT_RENAME, old_directory, old, &from, from_name, &inode), error;
    world_note_bytes(new, strlen(new));
    if (result == 0 && !path_is_ours(new_directory, new))
        result = -EXDEV;
    if (result == 0) {
        other = path_find(new_directory, new, false, &to, to_name, &error);
        (void)other;
        result =
            to == NULL ? -error : -disk_rename(from, from_name, to, to_name, (flags & RENAME_NOREPLACE) == 0);
    }
    return (int)descriptor_result(call_leave(result));
}

int renameat(int old_directory, const char *old, int new_directory, const char *new)
{
    return renameat2(old_directory, old, new_directory, new, 0);
}

int rename(const char *old, const char *new)
{
    return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

int linkat(int old_directory, const char *old, int new_directory, const char *new, int flags)
{
    (void)flags;
    struct disk_inode *parent, *inode, *other;
    char last[DISK_NAME_MAX + 1];
    int error, result = name_call("link", FAULT_MAKE, new_directory, new, &parent, last, &other);
    if (result == 0) {
        struct disk_inode *old_parent;
        char old_last[DISK_NAME_MAX + 1];
        inode = path_find(old_directory, old, false, &old_parent, old_last, &error);
        result = inode == NULL ? -error : -disk_link(inode, parent, last);
    }
    return (int)descriptor_result(call_leave(result));
}

int link(const char *old, const char *new)
{
    return linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

int symlink(const char *target, const char *path)
{
    struct disk_inode *parent, *inode;
    char last[DISK_NAME_MAX + 1];
    size_t written;
    int result = name_call("symlink", FAULT_MAKE, AT_FDCWD, path, &parent, last, &inode);
    if (result == 0)
        result = -disk_make(parent, last, S_IFLNK | 0777, &inode);
    if (result == 0)
        result = -disk_write(inode, 0, target, strlen(target), &written);
    return (int)descriptor_result(call_leave(result));
}

ssize_t readlinkat(int directory, const char *restrict path, char *restrict to, size_t room)
{
    if (!turn_is_ours() || !path_is_ours(directory, path)) {
        if (strncmp(path, "/proc/self/fd/", 14) == 0 && turn_is_ours()) {
            struct description *open = descriptor_get(atoi(path + 14));
            if (open == NULL || open->path == NULL)
                return descriptor_result(-ENOENT);
            size_t length = strlen(open->path) < room ? strlen(open->path) : room;
            memcpy(to, open->path, length);
            return (ssize_t)length;
        }
        if (!turn_is_ours())
            return descriptor_result(
                real_call(SYS_readlinkat, directory, (long)path, (long)to, (long)room, 0, 0));
        static const char program[] = "/usr/bin/penstock";
        if (strcmp(path, "/proc/self/exe") != 0)
            return descriptor_result(-ENOENT);
        memcpy(to, program, sizeof program - 1 < room ? sizeof program - 1 : room);
        return sizeof program - 1;
    }
    struct disk_inode *parent;
    char last[DISK_NAME_MAX + 1];
    int error;
    call_enter("readlink", 0, 0);
    struct disk_inode *inode = path_find(directory, path, false, &parent, last, &error);
    if (inode == NULL || !S_ISLNK(inode->mode))
        return descriptor_result(call_leave(inode == NULL ? -error : -EINVAL));
    return call_leave((long)disk_read(inode, 0, to, room));
}

ssize_t readlink(const char *restrict path, char *restrict to, size_t room)
{
    return readlinkat(AT_FDCWD, path, to, room);
}

/* ---- paths ---- */

/* Writes the absolute path of a directory. Returns its length. */
static size_t path_of_directory(const struct disk_inode *directory, char *to, size_t room)
{
    if (directory->parent == NULL)
        return 0;
    size_t length = path_of_directory(directory->parent, to, room);
    for (size_t i = 0; i < directory->parent->names.count; i++)
        if (directory->parent->names.entries[i].inode == directory)
            return length + (size_t)snprintf(to + length, room - length, "/%s",
                                             directory->parent->names.entries[i].name);
    return length;
}

char *getcwd(char *to, size_t room)
{
    if (to == NULL)
        return strdup(PATH_WORKING_DIRECTORY);
    snprintf(to, room, "%s", PATH_WORKING_DIRECTORY);
    return to;
}

char *realpath(const char *restrict path, char *restrict to)
{
    if (!turn_is_ours()) {
        REAL(realpath);
        return real_realpath(path, to);
    }
    if (!path_is_ours(AT_FDCWD, path)) { /* nothing behind a symbolic link matters there */
        struct stat found;
        if (stat(path, &found) != 0)
            return NULL;
        return to == NULL ? strdup(path) : strcpy(to, path);
    }
    call_enter("realpath", 0, 0);
    world_note_bytes(path, strlen(path));
    struct disk_inode *parent;
    char last[DISK_NAME_MAX + 1];
    int error;
    struct disk_inode *inode = path_find(AT_FDCWD, path, true, &parent, last, &error);
    if (inode == NULL) {
        errno = error;
        return NULL;
    }
    if (to == NULL)
        to = malloc(4096);
    size_t length = path_of_directory(S_ISDIR(inode->mode) ? inode : parent, to, 4096);
    if (!S_ISDIR(inode->mode))
        snprintf(to + length, 4096 - length, "/%s", last);
    else if (length == 0)
        snprintf(to, 4096, "/");
    return to;
}

char *__realpath_chk(const char *path, char *to, size_t room);
char *__realpath_chk(const char *path, char *to, size_t room)
{
    (void)room;
    return realpath(path, to);
}

static bool fill_template(char *pattern, size_t suffix)
{
    size_t length = strlen(pattern);
    if (length < suffix + 6)
        return false;
    char *at = pattern + length - suffix - 6;
    for (int i = 0; i < 6; i++)
        at[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[world_below(36)];
    return true;
}

int mkostemps(char *pattern, int suffix, int flags)
{
    if (!fill_template(pattern, (size_t)suffix))
        return (int)descriptor_result(-EINVAL);
    return open(pattern, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
}

int mkostemp(char *pattern, int flags)
{
    return mkostemps(pattern, 0, flags);
}

int mkstemp(char *pattern)
{
    return mkostemps(pattern, 0, 0);
}

char *mkdtemp(char *pattern)
{
    if (!fill_template(pattern, 0))
        return NULL;
    return mkdir(pattern, 0700) == 0 ? pattern : NULL;
}
