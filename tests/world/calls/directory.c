/* Reading directories, and what libc makes of it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/world/fault.h"
#include "tests/world/path.h"
#include "tests/world/real.h"
#include "tests/world/turn.h"

/* A DIR of the world. */
struct listing {
    int fd;
    struct disk_entry *entries; /* as they were when it was opened */
    size_t count, at;
    struct dirent entry;
};

static void reverse(struct disk_entry *entries, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct disk_entry first = entries[i];
        entries[i] = entries[count - 1 - i];
        entries[count - 1 - i] = first;
    }
}

static DIR *list(int fd)
{
    struct description *open = descriptor_get(fd);
    if (open == NULL || open->inode == NULL || !S_ISDIR(open->inode->mode)) {
        errno = open == NULL ? EBADF : ENOTDIR;
        return NULL;
    }
    struct listing *listing = calloc(1, sizeof *listing);
    const struct disk_names *names = &open->inode->names;
    listing->fd = fd;
    listing->count = names->count;
    listing->entries = malloc((names->count + 1) * sizeof *names->entries);
    if (names->count > 0)
        memcpy(listing->entries, names->entries, names->count * sizeof *names->entries);
    if (world->lists_backwards)
        reverse(listing->entries, listing->count);
    return (DIR *)listing;
}

DIR *opendir(const char *path)
{
    REAL(opendir);
    if (!turn_is_ours())
        return real_opendir(path);
    call_enter("opendir", 0, 0);
    world_note_bytes(path, strlen(path));
    if (!path_is_ours(AT_FDCWD, path)) {
        errno = ENOENT;
        return NULL;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? NULL : list(fd);
}

DIR *fdopendir(int fd)
{
    call_enter("fdopendir", (uint64_t)fd, 0);
    return list(fd);
}

struct dirent *readdir(DIR *directory)
{
    REAL(readdir);
    if (!turn_is_ours())
        return real_readdir(directory);
    struct listing *listing = (struct listing *)directory;
    call_enter("readdir", (uint64_t)listing->fd, listing->at);
    if (listing->at >= listing->count + 2)
        return NULL;
    struct description *open = descriptor_get(listing->fd);
    int error = open == NULL ? EBADF : fault_strikes(FAULT_READ, open->inode);
    if (error != 0) {
        errno = error;
        return NULL;
    }
    size_t at = listing->at++;
    listing->entry = (struct dirent){.d_type = DT_DIR, .d_ino = 1, .d_off = (off_t)at};
    if (at < 2) {
        strcpy(listing->entry.d_name, at == 0 ? "." : "..");
        return &listing->entry;
    }
    const struct disk_entry *entry = &listing->entries[at - 2];
    listing->entry.d_type = S_ISDIR(entry->inode->mode)   ? DT_DIR
                            : S_ISLNK(entry->inode->mode) ? DT_LNK
                                                          : DT_REG;
    listing->entry.d_ino = entry->inode->number;
    strcpy(listing->entry.d_name, entry->name);
    return &listing->entry;
}

struct dirent64 *readdir64(DIR *directory)
{
    return (struct dirent64 *)readdir(directory);
}

void rewinddir(DIR *directory)
{
    struct listing *listing = (struct listing *)directory;
    listing->at = 0;
}

int dirfd(DIR *directory)
{
    REAL(dirfd);
    if (!turn_is_ours())
        return real_dirfd(directory);
    return ((struct listing *)directory)->fd;
}

int closedir(DIR *directory)
{
    REAL(closedir);
    if (!turn_is_ours())
        return real_closedir(directory);
    struct listing *listing = (struct listing *)directory;
    close(listing->fd);
    free(listing->entries);
    free(listing);
    return 0;
}

int scandir(const char *restrict path, struct dirent ***restrict found, int (*wanted)(const struct dirent *),
            int (*compare)(const struct dirent **, const struct dirent **))
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return -1;
    size_t count = 0, room = 16;
    struct dirent **all = malloc(room * sizeof *all), *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (wanted != NULL && !wanted(entry))
            continue;
        if (count == room)
            all = realloc(all, (room *= 2) * sizeof *all);
        all[count] = malloc(sizeof *entry);
        *all[count++] = *entry;
    }
    closedir(directory);
    if (compare != NULL)
        qsort(all, count, sizeof *all, (int (*)(const void *, const void *))(void *)compare);
    *found = all;
    return (int)count;
}

int scandir64(const char *restrict path, struct dirent64 ***restrict found,
              int (*wanted)(const struct dirent64 *),
              int (*compare)(const struct dirent64 **, const struct dirent64 **))
{
    return scandir(path, (struct dirent ***)found, (int (*)(const struct dirent *))(void *)wanted,
                   (int (*)(const struct dirent **, const struct dirent **))(void *)compare);
}

/* libc's glob, over the world's directories. */
static void *glob_open(const char *path)
{
    return opendir(path);
}

static struct dirent *glob_read(void *directory)
{
    return readdir(directory);
}

static void glob_close(void *directory)
{
    closedir(directory);
}

int glob(const char *restrict pattern, int flags, int (*failed)(const char *, int), glob_t *restrict found)
{
    REAL(glob);
    if (!turn_is_ours())
        return real_glob(pattern, flags, failed, found);
    found->gl_opendir = glob_open;
    found->gl_readdir = glob_read;
    found->gl_closedir = glob_close;
    found->gl_stat = stat;
    found->gl_lstat = lstat;
    return real_glob(pattern, flags | GLOB_ALTDIRFUNC, failed, found);
}

static int walk(const char *path, int (*see)(const char *, const struct stat *, int, struct FTW *), int flags,
                int level)
{
    struct stat stat;
    if (fstatat(AT_FDCWD, path, &stat, (flags & FTW_PHYS) != 0 ? AT_SYMLINK_NOFOLLOW : 0) != 0)
        return -1;
    const char *slash = strrchr(path, '/');
    struct FTW place = {slash == NULL ? 0 : (int)(slash - path) + 1, level};
    bool is_directory = S_ISDIR(stat.st_mode);
    int type = is_directory            ? ((flags & FTW_DEPTH) != 0 ? FTW_DP : FTW_D)
               : S_ISLNK(stat.st_mode) ? FTW_SL
                                       : FTW_F;
    int result = is_directory && (flags & FTW_DEPTH) != 0 ? 0 : see(path, &stat, type, &place);
    if (!is_directory || result != 0)
        return result;
    struct dirent **found;
    int count = scandir(path, &found, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char below[4096];
        snprintf(below, sizeof below, "%s/%s", path, found[i]->d_name);
        if (result == 0 && strcmp(found[i]->d_name, ".") != 0 && strcmp(found[i]->d_name, "..") != 0)
            result = walk(below, see, flags, level + 1);
        free(found[i]);
    }
    if (count >= 0)
        free(found);
    return result == 0 && (flags & FTW_DEPTH) != 0 ? see(path, &stat, type, &place) : result;
}

int nftw(const char *path, int (*see)(const char *, const struct stat *, int, struct FTW *), int descriptors,
         int flags)
{
    (void)descriptors;
    return walk(path, see, flags, 0);
}
