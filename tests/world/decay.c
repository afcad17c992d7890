#include "tests/world/decay.h"

#include <string.h>

#include "tests/world/disk.h"

#define NEAR_BYTES UINT64_C(16384) /* a file is larger than what these agents write into it */

/* The files of logs, and the one that was drawn. */
struct search {
    unsigned count, chosen;
    char path[512];
};

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static void see(void *argument, const char *path, struct disk_inode *file)
{
    struct search *search = argument;
    if (!ends_in(path, ".segment") && !ends_in(path, "/state"))
        return;
    if (search->count++ == search->chosen)
        strncpy(search->path, path, sizeof search->path - 1);
}

static void walk(struct search *search)
{
    static const char *const places[] = {"/w/data", "/w/data2", "/w/checkpoint"};
    search->count = 0;
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++)
        if (disk_at(places[i]) != NULL)
            disk_walk(places[i], see, search);
}

static void put_byte(struct disk_inode *file, uint64_t at, char byte)
{
    size_t written;
    disk_write(file, at, &byte, 1, &written);
}

static void flip_bits(struct disk_inode *file, uint64_t at)
{
    for (uint64_t count = 1 + world_below(8); count > 0 && at < file->now.size; count--, at++) {
        char byte;
        (void)disk_read(file, at, &byte, 1);
        put_byte(file, at, (char)(byte ^ 1 << world_below(8)));
    }
}

static void clear_sector(struct disk_inode *file, uint64_t at)
{
    uint64_t first = at / DISK_SECTOR_BYTES * DISK_SECTOR_BYTES;
    for (at = first; at < first + DISK_SECTOR_BYTES && at < file->now.size; at++)
        put_byte(file, at, 0);
}

static void remove_file(const char *path)
{
    int error;
    char last[DISK_NAME_MAX + 1];
    struct disk_inode *directory;
    (void)disk_find(NULL, path, false, &directory, last, &error);
    disk_unlink(directory, last, false);
    disk_sync(directory);
}

bool decay_strike(void)
{
    struct search search = {.chosen = UINT32_MAX};
    walk(&search);
    if (search.count == 0)
        return false;
    search.chosen = (unsigned)world_below(search.count);
    walk(&search);
    struct disk_inode *file = disk_at(search.path);
    if (file->now.size == 0)
        return false;
    uint64_t near = file->now.size < NEAR_BYTES ? file->now.size : NEAR_BYTES;
    uint64_t at = world_below(world_below(2) == 0 ? near : 1 + near / 16);
    switch (world_below(6)) {
    case 0:
        remove_file(search.path);
        return true;
    case 1:
        disk_resize(file, at);
        break;
    case 2:
        clear_sector(file, at);
        break;
    default:
        flip_bits(file, at);
        break;
    }
    disk_sync(file);
    return true;
}
