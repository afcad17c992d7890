/* The cache's files: names, permission checks, reading and replacing. Called while matchers are created;
 * blocks on the disk. */
#include "regex/compile/cache/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/text/ends.h"

#define SUFFIX ".hsdb"
#define ASIDE ".tmp"

#define ASIDE_SECONDS_MAX 3600
#define LOOKED_AT_MAX 100000U

struct entry {
    char name[40];
    time_t used;
    uint64_t bytes;
};

struct entries {
    struct entry *items;
    size_t count, room;
};

/* Tests for 16 hexadecimal digits followed by our suffix. */
static bool is_ours(const char *name)
{
    return strspn(name, "0123456789abcdef") == 16 && strncmp(name + 16, SUFFIX, 5) == 0;
}

static void add(struct entries *entries, const char *name, const struct stat *about)
{
    if (entries->count == entries->room) {
        entries->room = entries->room == 0 ? 128 : entries->room * 2;
        entries->items =
            ps_must_realloc(entries->items, entries->room * sizeof *entries->items, "the list of the cache");
    }
    struct entry *entry = &entries->items[entries->count++];
    memcpy(entry->name, name, strlen(name) + 1);
    entry->used = about->st_mtime;
    entry->bytes = (uint64_t)about->st_size;
}

static void collect(DIR *directory, const char *keep, struct entries *entries)
{
    time_t now = time(NULL);
    struct dirent *found;
    while (entries->count < LOOKED_AT_MAX && (found = readdir(directory)) != NULL) {
        struct stat about;
        const char *name = found->d_name;
        if (!is_ours(name) || strcmp(name, keep) == 0 ||
            fstatat(dirfd(directory), name, &about, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(about.st_mode))
            continue;
        if (name[16 + sizeof SUFFIX - 1] == '\0')
            add(entries, name, &about);
        else if (ps_text_ends(name, ASIDE) && now - about.st_mtime > ASIDE_SECONDS_MAX)
            (void)unlinkat(dirfd(directory), name, 0);
    }
}

static int newest_first(const void *a, const void *b)
{
    time_t left = ((const struct entry *)a)->used, right = ((const struct entry *)b)->used;
    return (left < right) - (left > right);
}

void ps_cache_prune(int folder, const char *keep, unsigned files_max, uint64_t bytes_max)
{
    struct entries entries = {0};
    struct stat about;
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = again < 0 ? NULL : fdopendir(again);
    if (directory == NULL) {
        if (again >= 0)
            close(again);
        return;
    }
    collect(directory, keep, &entries);
    if (entries.count > 0)
        qsort(entries.items, entries.count, sizeof *entries.items, newest_first);
    uint64_t bytes = fstatat(folder, keep, &about, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)about.st_size : 0;
    for (size_t i = 0; i < entries.count; i++) {
        bytes += entries.items[i].bytes;
        if (i + 2 > files_max || bytes > bytes_max)
            (void)unlinkat(folder, entries.items[i].name, 0);
    }
    free(entries.items);
    closedir(directory);
}

static bool refuse(char *note, size_t room, const char *format, ...) __attribute__((format(printf, 3, 4)));

static bool refuse(char *note, size_t room, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(note, room, format, arguments);
    va_end(arguments);
    return false;
}

/* Returns why a file or directory is not trusted, or NULL. Any user who can write there controls what our workers
 * run. */
static const char *distrust_reason(const struct stat *about)
{
    if (about->st_uid != geteuid() && about->st_uid != 0)
        return "it belongs to another user";
    if ((about->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return "others may write to it";
    return NULL;
}

/* Opens the directory and creates it if it is missing. Returns -1 on failure, with the reason in `note`. */
static int directory_open(const char *directory, char *note, size_t room)
{
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        refuse(note, room, "cannot create %s: %s", directory, strerror(errno));
        return -1;
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat about;
    if (fd < 0 || fstat(fd, &about) != 0) {
        refuse(note, room, "cannot open %s: %s", directory, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    const char *why = distrust_reason(&about);
    if (why == NULL)
        return fd;
    refuse(note, room, "the directory %s is not used: %s", directory, why);
    close(fd);
    return -1;
}

static void name_of(const struct ps_bytes *key, char name[40])
{
    snprintf(name, 40, "%016llx" SUFFIX, (unsigned long long)ps_bytes_hash(key->data, key->length));
}

/* Reads `length` bytes from an open file. */
static bool read_bytes(int fd, size_t length, struct ps_bytes *bytes)
{
    static _Thread_local unsigned char room[65536];
    while (bytes->length < length) {
        ssize_t n = read(fd, room, sizeof room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        ps_bytes_put(bytes, room, (size_t)n);
    }
    return true;
}

static bool file_read(int fd, struct ps_bytes *bytes, char *note, size_t room)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return refuse(note, room, "%s", strerror(errno));
    if (!S_ISREG(about.st_mode))
        return refuse(note, room, "it is not a regular file");
    const char *why = distrust_reason(&about);
    if (why != NULL)
        return refuse(note, room, "%s", why);
    if ((uint64_t)about.st_size > PS_CACHE_BYTES_MAX)
        return refuse(note, room, "it is too large");
    if (!read_bytes(fd, (size_t)about.st_size, bytes))
        return refuse(note, room, "it cannot be read");
    (void)futimens(fd, NULL); /* renews the file's age; fails for a file of root, which ages without harm */
    return true;
}

bool ps_cache_load(const char *directory, const struct ps_bytes *key, uint32_t count,
                   struct ps_compile_answer *answer, char *note, size_t room)
{
    char name[40], platform[256], why[160] = "";
    struct ps_bytes bytes = {0};
    *answer = (struct ps_compile_answer){.failed = UINT32_MAX};
    note[0] = '\0';
    int folder = directory_open(directory, note, room);
    if (folder < 0)
        return false;
    name_of(key, name);
    /* Non-blocking: a FIFO of that name must not block us. */
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int failed = errno;
    close(folder);
    if (fd < 0)
        return failed == ENOENT ? false
                                : refuse(note, room, "the cache file %s/%s is refused: %s", directory, name,
                                         failed == ELOOP ? "it is a symbolic link" : strerror(failed));
    bool loaded = file_read(fd, &bytes, why, sizeof why);
    close(fd);
    if (loaded) {
        ps_hyperscan_platform(platform, sizeof platform);
        const char *wrong = ps_cache_read(bytes.data, bytes.length, key, platform, count, answer);
        loaded = wrong == NULL;
        snprintf(why, sizeof why, "%s", loaded ? "" : wrong);
    }
    ps_bytes_fini(&bytes);
    return loaded ? true : refuse(note, room, "the cache file %s/%s is refused: %s", directory, name, why);
}

/* Writes a temporary file, then renames it: readers see the whole old file or the whole new one. */
static bool replace(int folder, const char *name, const struct ps_bytes *bytes)
{
    char aside[80];
    snprintf(aside, sizeof aside, "%s.%ld.%lx" ASIDE, name, (long)getpid(), (unsigned long)(uintptr_t)bytes);
    int fd = openat(folder, aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool written = ps_bytes_write(fd, bytes);
    int failed = errno;
    close(fd);
    if (written && renameat(folder, aside, folder, name) == 0)
        return true;
    if (written)
        failed = errno;
    (void)unlinkat(folder, aside, 0);
    errno = failed;
    return false;
}

bool ps_cache_store(const char *directory, const struct ps_bytes *key, uint32_t count,
                    const struct ps_compile_answer *answer, char *note, size_t room)
{
    char name[40], platform[256];
    struct ps_bytes bytes = {0};
    int folder = directory_open(directory, note, room);
    if (folder < 0)
        return false;
    name_of(key, name);
    ps_hyperscan_platform(platform, sizeof platform);
    ps_cache_write(&bytes, key, platform, count, answer);
    bool stored = replace(folder, name, &bytes);
    if (!stored)
        refuse(note, room, "cannot write %s/%s: %s", directory, name, strerror(errno));
    ps_bytes_fini(&bytes);
    if (stored)
        ps_cache_prune(folder, name, PS_CACHE_FILES_MAX, PS_CACHE_BYTES_MAX);
    close(folder);
    return stored;
}
