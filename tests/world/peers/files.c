#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/disk.h"
#include "tests/world/ledger.h"
#include "tests/world/peers/peers.h"

#define PAUSE_NS_MAX UINT64_C(100000000)

struct files {
    char directory[64];
    uint32_t left, first; /* events to write; the first one that is not synced */
    unsigned files;
    uint16_t stream; /* of the file that is written */
};

bool peers_are_done(void)
{
    return world->peers_busy == 0;
}

void peers_one_more(void)
{
    world->peers_busy++;
}

void peers_one_less(void)
{
    world->peers_busy--;
}

static size_t add_line(char *to, uint32_t number)
{
    size_t length = ledger_text(number, to);
    to[length] = '\n';
    return length + 1;
}

static uint32_t take(struct files *files, uint32_t most)
{
    uint32_t count = 1 + (uint32_t)world_below(most);
    count = count < files->left ? count : files->left;
    files->left -= count;
    return count;
}

/* Returns whether there is more to do. */
static bool again(struct world_peer *peer)
{
    struct files *files = peer->state;
    if (files->left == 0) {
        peers_one_less();
        return false;
    }
    peer->due_ns = world->now_ns + world_below(PAUSE_NS_MAX);
    return true;
}

static struct disk_inode *directory_of(const struct files *files)
{
    return disk_at(files->directory);
}

static void writer_step(struct world_peer *peer)
{
    struct files *files = peer->state;
    char path[128], text[LEDGER_TEXT_MAX + 1];
    snprintf(path, sizeof path, "%s/a.log", files->directory);
    if (world_below(12) == 0 && disk_at(path) != NULL) {
        char rotated[16];
        snprintf(rotated, sizeof rotated, "a.log.%u", ++files->files);
        disk_rename(directory_of(files), "a.log", directory_of(files), rotated, false);
        disk_sync(directory_of(files));
        files->stream = ledger_stream();
    }
    uint32_t first = world->ledger->count;
    for (uint32_t count = take(files, 20); count > 0; count--) {
        uint32_t number = ledger_add();
        size_t length = add_line(text, number), cut = world_below(8) == 0 ? world_below(length) : 0;
        disk_append(path, text, cut); /* a line may come in two pieces */
        disk_append(path, text + cut, length - cut);
        ledger_ordered(number, files->stream);
        ledger_written(number, disk_at(path)->number, disk_at(path)->now.size);
        ledger_sent(number);
    }
    disk_sync(disk_at(path));
    disk_sync(directory_of(files));
    while (first < world->ledger->count)
        ledger_acknowledged(first++);
    again(peer);
}

static void spooler_step(struct world_peer *peer)
{
    struct files *files = peer->state;
    char path[128], name[32], text[LEDGER_TEXT_MAX + 1];
    snprintf(name, sizeof name, "%u.txt", ++files->files);
    snprintf(path, sizeof path, "/w/beside/%s", name);
    uint32_t first = world->ledger->count;
    uint16_t stream = ledger_stream();
    for (uint32_t count = take(files, 60); count > 0; count--) {
        uint32_t number = ledger_add();
        disk_append(path, text, add_line(text, number));
        ledger_ordered(number, stream);
        ledger_written(number, disk_at(path)->number, disk_at(path)->now.size);
        ledger_sent(number);
    }
    disk_sync(disk_at(path));
    struct disk_inode *beside = disk_at("/w/beside");
    disk_rename(beside, name, directory_of(files), name, false);
    disk_sync(directory_of(files));
    disk_sync(beside);
    while (first < world->ledger->count)
        ledger_acknowledged(first++);
    again(peer);
}

static void add(void (*step)(struct world_peer *), const char *directory, uint32_t events)
{
    struct files *files = world_allocate(sizeof *files);
    snprintf(files->directory, sizeof files->directory, "%s", directory);
    files->left = events;
    files->stream = ledger_stream();
    peers_one_more();
    peer_add(step, files, world_below(PAUSE_NS_MAX));
}

void writer_add(const char *directory, uint32_t events)
{
    add(writer_step, directory, events);
}

void spooler_add(const char *directory, uint32_t events)
{
    add(spooler_step, directory, events);
}
