#include "tests/world/fault.h"

void fault_clear(void)
{
    if (world->faults == NULL)
        world->faults = world_allocate(sizeof *world->faults);
    *world->faults = (struct faults){0};
}

struct fault *fault_add(enum fault_call call, int error, uint32_t share, uint64_t from_ns, uint64_t to_ns)
{
    if (world->faults->count == FAULTS_MAX)
        world_fatal("more than %d faults", FAULTS_MAX);
    struct fault *fault = &world->faults->faults[world->faults->count++];
    *fault = (struct fault){.call = call, .error = error, .share = share, .from_ns = from_ns, .to_ns = to_ns};
    return fault;
}

/* A file is below the directories of its names; files with several names are rare enough to look at all of the directory. */
static bool is_below(const struct disk_inode *inode, const struct disk_inode *directory)
{
    if (inode == directory)
        return true;
    if (S_ISDIR(inode->mode))
        return inode->parent != NULL && is_below(inode->parent, directory);
    for (size_t i = 0; i < directory->names.count; i++) {
        struct disk_inode *entry = directory->names.entries[i].inode;
        if (entry == inode || (S_ISDIR(entry->mode) && is_below(inode, entry)))
            return true;
    }
    return false;
}

int fault_strikes(enum fault_call call, const struct disk_inode *inode)
{
    if (world->faults == NULL)
        return 0;
    for (unsigned i = 0; i < world->faults->count; i++) {
        struct fault *fault = &world->faults->faults[i];
        if (fault->call != call || world->now_ns < fault->from_ns || world->now_ns >= fault->to_ns ||
            !world_chance(fault->share))
            continue;
        if (fault->below != NULL && (inode == NULL || !is_below(inode, fault->below)))
            continue;
        if (fault->most > 0 && fault->struck == fault->most)
            continue;
        fault->struck++;
        return fault->error;
    }
    return 0;
}

size_t fault_shorten(enum fault_call call, size_t length)
{
    if (world->faults == NULL || length < 2 || !world_chance(world->faults->short_share[call]))
        return length;
    return 1 + world_below(length - 1);
}

uint64_t faults_struck(void)
{
    uint64_t struck = 0;
    for (unsigned i = 0; world->faults != NULL && i < world->faults->count; i++)
        struck += world->faults->faults[i].struck;
    return struck;
}
