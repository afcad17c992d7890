#include "tests/world/fault.h"

#include <errno.h>

#define ERRORS_MAX 8

/* The errors that the manual page of each call names and that a machine, and not the caller, brings about; EIO and ESTALE as the disk and NFS give
 * them. */
static const int errors[FAULT_CALLS][ERRORS_MAX] = {
    [FAULT_READ] = {EIO, ESTALE, EINTR, ENOMEM},
    [FAULT_WRITE] = {ENOSPC, EIO, EDQUOT, EINTR, EFBIG, EROFS},
    [FAULT_SYNC] = {EIO, ENOSPC, EDQUOT, EINTR, EROFS},
    [FAULT_NAME] = {EACCES, EIO, ENOMEM, ESTALE, ELOOP},
    [FAULT_OPEN] = {EACCES, EMFILE, ENFILE, ENOSPC, EDQUOT, EROFS, EINTR, ENOMEM},
    [FAULT_RENAME] = {EACCES, ENOSPC, EDQUOT, EROFS, EBUSY, ENOMEM, EIO},
    [FAULT_UNLINK] = {EACCES, EBUSY, EIO, EROFS, EPERM, ENOMEM},
    [FAULT_MAKE] = {EACCES, ENOSPC, EDQUOT, EROFS, ENOMEM, EMLINK},
    [FAULT_DESCRIPTOR] = {EMFILE, ENFILE, ENOMEM},
    [FAULT_ACCEPT] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EINTR, ECONNABORTED, EPROTO},
    [FAULT_CONNECT] = {EADDRNOTAVAIL, ENETUNREACH, EHOSTUNREACH, EAGAIN, ECONNREFUSED, ETIMEDOUT},
    [FAULT_SEND] = {ENOBUFS, EINTR, ENOMEM, EPIPE, EHOSTUNREACH},
    [FAULT_RECEIVE] = {EINTR, ENOMEM, ECONNRESET, ETIMEDOUT},
    [FAULT_WATCH] = {ENOMEM, ENOSPC},
    [FAULT_WAIT] = {EINTR},
    [FAULT_THREAD] = {EAGAIN},
    [FAULT_MEMORY] = {ENOMEM},
    [FAULT_NOTIFY] = {ENOSPC, ENOMEM},
};

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
    world->faults->memory_fails |= call == FAULT_MEMORY;
    return fault;
}

static int draw_error(enum fault_call call)
{
    uint64_t count = 0;
    while (count < ERRORS_MAX && errors[call][count] != 0)
        count++;
    return errors[call][world_below(count)];
}

/* Short spans are as likely as long ones: an agent has the most to do when it begins. */
static uint64_t draw_span(uint64_t span_ns)
{
    return world_below((span_ns >> world_below(8)) + 1);
}

/* A fault with a drawn error. One that a caller answers by repeating the call at once has a small share. */
static struct fault *draw(enum fault_call call, uint64_t span_ns)
{
    static const uint32_t shares[] = {65536, 30000, 3000};
    uint64_t from_ns = world->now_ns + draw_span(span_ns), to_ns = from_ns + draw_span(span_ns);
    int error = draw_error(call);
    bool repeats = error == EINTR || call == FAULT_MEMORY,
         is_one = world_below(3) == 0; /* of all its calls */
    struct fault *fault = fault_add(call, error, repeats ? 3000 : shares[world_below(3)], from_ns,
                                    is_one ? WORLD_NEVER : to_ns);
    fault->most = is_one ? 1 : 0;
    return fault;
}

void fault_draw(uint64_t span_ns)
{
    static const char *const places[] = {"/w/out",  "/w/data",  "/w/data2", "/w/checkpoint",
                                         "/w/logs", "/w/spool", "/w"};
    fault_clear();
    for (uint64_t count = 1 + world_below(4); count > 0; count--)
        draw((enum fault_call)world_below(FAULT_DISK), span_ns)->below =
            disk_at(places[world_below(sizeof places / sizeof *places)]);
    for (uint64_t count = world_below(2) == 0 ? 1 + world_below(3) : 0; count > 0; count--)
        draw((enum fault_call)(FAULT_DISK + world_below(FAULT_CALLS - FAULT_DISK)), span_ns);
    world->faults->short_share[FAULT_WRITE] = world->faults->short_share[FAULT_READ] =
        world_below(3) == 0 ? 6000 : 0;
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
