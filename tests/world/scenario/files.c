/* Steps: what other programs do to files, and what is wrong with the disk. Everything that a step writes is durable at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "tests/world/disk.h"
#include "tests/world/fault.h"
#include "tests/world/scenario/scenario.h"

static enum outcome no_path(struct scenario *scenario, const char *path)
{
    return step_failed(scenario, "there is no %s", path);
}

/* Finds the directory of a path, and the path's last name. Returns NULL if there is no such directory. */
static struct disk_inode *directory_of(const char *path, char name[DISK_NAME_MAX + 1])
{
    char directory[512];
    const char *last = strrchr(path, '/');
    snprintf(directory, sizeof directory, "%.*s", (int)(last - path), path);
    snprintf(name, DISK_NAME_MAX + 1, "%s", last + 1);
    return disk_at(directory);
}

enum outcome step_write(struct scenario *scenario, const struct scenario_step *step)
{
    disk_put(step->words[0], step->text, step->length);
    return STEP_DONE;
}

enum outcome step_append(struct scenario *scenario, const struct scenario_step *step)
{
    if (disk_at(step->words[0]) == NULL)
        disk_put(step->words[0], "", 0);
    disk_append(step->words[0], step->text, step->length);
    disk_sync(disk_at(step->words[0]));
    return STEP_DONE;
}

enum outcome step_mkdir(struct scenario *scenario, const struct scenario_step *step)
{
    char name[DISK_NAME_MAX + 1];
    struct disk_inode *directory = directory_of(step->words[0], name), *made;
    if (directory == NULL)
        return no_path(scenario, step->words[0]);
    if (disk_make(directory, name, S_IFDIR | 0755, &made) != 0)
        return step_failed(scenario, "%s is there already", step->words[0]);
    disk_sync(directory);
    return STEP_DONE;
}

static void remove_all(struct disk_inode *directory, const char *name)
{
    struct disk_inode *inode = disk_lookup(directory, name);
    while (S_ISDIR(inode->mode) && inode->names.count > 0) {
        char below[DISK_NAME_MAX + 1];
        snprintf(below, sizeof below, "%s", inode->names.entries[0].name);
        remove_all(inode, below);
    }
    disk_unlink(directory, name, S_ISDIR(inode->mode));
}

enum outcome step_remove(struct scenario *scenario, const struct scenario_step *step)
{
    char name[DISK_NAME_MAX + 1];
    struct disk_inode *directory = directory_of(step->words[0], name);
    if (directory == NULL || disk_lookup(directory, name) == NULL)
        return no_path(scenario, step->words[0]);
    remove_all(directory, name);
    disk_sync(directory);
    return STEP_DONE;
}

enum outcome step_rename(struct scenario *scenario, const struct scenario_step *step)
{
    char old[DISK_NAME_MAX + 1], new[DISK_NAME_MAX + 1];
    struct disk_inode *from = directory_of(step->words[0], old), *to = directory_of(step->words[1], new);
    int error = from == NULL || to == NULL ? ENOENT : disk_rename(from, old, to, new, true);
    if (error != 0)
        return step_failed(scenario, "%s: %s", step->words[0], strerrordesc_np(error));
    disk_sync(from);
    disk_sync(to);
    return STEP_DONE;
}

enum outcome step_overwrite(struct scenario *scenario, const struct scenario_step *step)
{
    struct disk_inode *file = disk_at(step->words[0]);
    size_t written;
    if (file == NULL)
        return no_path(scenario, step->words[0]);
    disk_write(file, scenario_number(scenario->script, step, step->words[1]), step->text, step->length,
               &written);
    disk_sync(file);
    return STEP_DONE;
}

/* A file goes, and another one gets its inode, as file systems do. */
enum outcome step_reuse(struct scenario *scenario, const struct scenario_step *step)
{
    char name[DISK_NAME_MAX + 1];
    struct disk_inode *directory = directory_of(step->words[0], name);
    if (directory == NULL || disk_lookup(directory, name) == NULL)
        return no_path(scenario, step->words[0]);
    if (!disk_reuse(directory, name))
        return step_failed(scenario, "the agent has %s open", step->words[0]);
    disk_put(step->words[1], step->text, step->length);
    return STEP_DONE;
}

enum outcome step_hardlink(struct scenario *scenario, const struct scenario_step *step)
{
    char name[DISK_NAME_MAX + 1];
    struct disk_inode *directory = directory_of(step->words[1], name), *inode = disk_at(step->words[0]);
    if (directory == NULL || inode == NULL)
        return no_path(scenario, step->words[directory == NULL]);
    int error = disk_link(inode, directory, name);
    if (error != 0)
        return step_failed(scenario, "%s: %s", step->words[1], strerrordesc_np(error));
    disk_sync(directory);
    return STEP_DONE;
}

/* A symbolic link. */
enum outcome step_link(struct scenario *scenario, const struct scenario_step *step)
{
    char name[DISK_NAME_MAX + 1];
    size_t written;
    struct disk_inode *directory = directory_of(step->words[0], name), *made;
    if (directory == NULL)
        return no_path(scenario, step->words[0]);
    if (disk_make(directory, name, S_IFLNK | 0777, &made) != 0)
        return step_failed(scenario, "%s is there already", step->words[0]);
    disk_write(made, 0, step->words[1], strlen(step->words[1]), &written);
    disk_sync(made);
    disk_sync(directory);
    return STEP_DONE;
}

enum outcome step_truncate(struct scenario *scenario, const struct scenario_step *step)
{
    struct disk_inode *file = disk_at(step->words[0]);
    if (file == NULL)
        return no_path(scenario, step->words[0]);
    disk_resize(file, scenario_number(scenario->script, step, step->words[1]));
    disk_sync(file);
    return STEP_DONE;
}

/* The disk gives other bytes than those that were written: each bit of them is the other one. */
enum outcome step_damage(struct scenario *scenario, const struct scenario_step *step)
{
    struct disk_inode *file = disk_at(step->words[0]);
    if (file == NULL)
        return no_path(scenario, step->words[0]);
    uint64_t first = scenario_number(scenario->script, step, step->words[1]);
    uint64_t count = step->count == 3 ? scenario_number(scenario->script, step, step->words[2]) : 1;
    for (uint64_t at = first; at < first + count; at++) {
        char byte;
        size_t written;
        if (disk_read(file, at, &byte, 1) != 1)
            return step_failed(scenario, "%s has no byte %llu", step->words[0], (unsigned long long)at);
        byte = (char)~byte;
        disk_write(file, at, &byte, 1, &written);
    }
    disk_sync(file);
    return STEP_DONE;
}

enum outcome step_copy(struct scenario *scenario, const struct scenario_step *step)
{
    struct disk_inode *file = disk_at(step->words[0]);
    if (file == NULL)
        return no_path(scenario, step->words[0]);
    size_t room = file->now.size + 1;
    char *bytes = world_allocate(room); /* the runner's own heap stays as it is */
    disk_put(step->words[1], bytes, disk_read(file, 0, bytes, room));
    world_free(bytes, room);
    return STEP_DONE;
}

enum outcome step_chmod(struct scenario *scenario, const struct scenario_step *step)
{
    struct disk_inode *inode = disk_at(step->words[1]);
    if (inode == NULL)
        return no_path(scenario, step->words[1]);
    inode->mode = (inode->mode & S_IFMT) | (mode_t)strtoul(step->words[0], NULL, 8);
    disk_watched(inode, IN_ATTRIB, NULL, 0);
    return STEP_DONE;
}

enum outcome step_touch(struct scenario *scenario, const struct scenario_step *step)
{
    struct disk_inode *inode = disk_at(step->words[0]);
    if (inode == NULL)
        return no_path(scenario, step->words[0]);
    inode->write_ns = scenario_number(scenario->script, step, step->words[1]) * WORLD_NS_PER_S;
    disk_watched(inode, IN_ATTRIB, NULL, 0);
    return STEP_DONE;
}

/* ---- the disk ---- */

enum outcome step_disk(struct scenario *scenario, const struct scenario_step *step)
{
    struct disk *disk = world->disk;
    if (strcmp(step->words[0], "free") == 0)
        disk->limit_bytes = 0;
    else if (strcmp(step->words[0], "full") == 0)
        disk->limit_bytes = disk->used_bytes + 1; /* 0 is no limit */
    else if (strcmp(step->words[0], "unnoticed") == 0)
        disk_fill_queues();
    else if (strstr(step->words[0], "births") != NULL)
        world->has_births = strcmp(step->words[0], "births") == 0;
    else if (strcmp(step->words[0], "renumbered") == 0)
        disk->device++;
    else if (strcmp(step->words[0], "warm") == 0)
        world->cache = CACHE_WARM;
    else if (strcmp(step->words[0], "cold") == 0)
        world->cache = CACHE_COLD;
    else if (strcmp(step->words[0], "blocking") == 0)
        world->cache = CACHE_BLOCKING;
    else
        disk->limit_bytes = scenario_number(scenario->script, step, step->words[0]);
    return STEP_DONE;
}

static int error_named(const char *name)
{
    for (int error = 1; error < 134; error++)
        if (strerrorname_np(error) != NULL && strcmp(strerrorname_np(error), name) == 0)
            return error;
    return 0;
}

/* Without a number of times the calls fail until `mend`; the first AFTER calls pass. */
enum outcome step_fail(struct scenario *scenario, const struct scenario_step *step)
{
    static const char *const calls[FAULT_CALLS] = {
        [FAULT_READ] = "read",     [FAULT_WRITE] = "write",   [FAULT_SYNC] = "sync",
        [FAULT_NAME] = "name",     [FAULT_OPEN] = "open",     [FAULT_RENAME] = "rename",
        [FAULT_UNLINK] = "unlink", [FAULT_MAKE] = "make",     [FAULT_DESCRIPTOR] = "descriptor",
        [FAULT_NOTIFY] = "watch",  [FAULT_MEMORY] = "memory", [FAULT_RESIZE] = "resize",
        [FAULT_CLOSE] = "close"};
    const char *const *words = (const char *const *)step->words;
    int call = 0, error = error_named(words[1]);
    while (call < FAULT_CALLS && (calls[call] == NULL || strcmp(calls[call], words[0]) != 0))
        call++;
    if (call < FAULT_CALLS && strcmp(words[1], "SHORT") == 0) {
        world->faults->short_share[call] = 65536;
        return STEP_DONE;
    }
    if (call == FAULT_CALLS || error == 0)
        return step_failed(scenario, "%s or %s is unknown", words[0], words[1]);
    struct disk_inode *below = disk_at(words[2]);
    if (below == NULL)
        return no_path(scenario, words[2]);
    struct fault *fault = fault_add((enum fault_call)call, error, 65536, 0, WORLD_NEVER);
    fault->below = call < FAULT_DISK || call >= FAULT_RESIZE ? below : NULL;
    fault->most = step->count > 3 ? scenario_number(scenario->script, step, words[3]) : 0;
    fault->passes = step->count > 4 ? (uint32_t)scenario_number(scenario->script, step, words[4]) : 0;
    return STEP_DONE;
}

enum outcome step_mend(struct scenario *scenario, const struct scenario_step *step)
{
    fault_clear();
    return STEP_DONE;
}
