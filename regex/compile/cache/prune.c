/* Keeps the cache's directory small. Called after a file was written; blocks on the disk. */
#include "regex/compile/cache/internal.h"

#include "core/text/ends.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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
    return strspn(name, "0123456789abcdef") == 16 && strncmp(name + 16, PS_CACHE_SUFFIX, 5) == 0;
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
        if (name[16 + sizeof PS_CACHE_SUFFIX - 1] == '\0')
            add(entries, name, &about);
        else if (ps_text_ends(name, PS_CACHE_ASIDE) && now - about.st_mtime > ASIDE_SECONDS_MAX)
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
