#include "tests/world/fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ERRORS_MAX 8
#define START_NS UINT64_C(20000000) /* an agent is up by then */

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

/* Most begin when the agent is up: one that does not start has a short life. */
static uint64_t draw_begin(uint64_t span_ns)
{
    return world_below(6) == 0 ? 0 : START_NS + draw_span(span_ns);
}

/* One that a caller answers by repeating the call at once has a small share. */
static uint32_t draw_share(const struct fault *fault)
{
    static const uint32_t shares[] = {65536, 30000, 3000};
    bool repeats = fault->error == EINTR || fault->call == FAULT_MEMORY;
    return repeats ? 3000 : shares[world_below(3)];
}

/* A fault of one kind of calls, at a time. */
static void draw_plain(struct fault *fault, uint64_t span_ns)
{
    static const char *const places[] = {"/w/out",  "/w/data",  "/w/data2", "/w/checkpoint",
                                         "/w/logs", "/w/spool", "/w"};
    fault->call = (enum fault_call)world_below(world_below(3) == 0 ? FAULT_DRAWN : FAULT_DISK);
    if (fault->call < FAULT_DISK)
        fault->place = places[world_below(sizeof places / sizeof *places)];
    fault->error = draw_error(fault->call);
    fault->share = draw_share(fault);
    fault->from_ns = draw_begin(span_ns);
    fault->to_ns = fault->from_ns + draw_span(span_ns);
    if (world_below(3) == 0) { /* of all its calls */
        fault->to_ns = WORLD_NEVER;
        fault->most = 1;
    }
}

/* No signals interrupt a thread for longer: it makes no progress, and takes the calls that a life may have. */
#define STORM_NS UINT64_C(100000000)

/* Kinds of calls: one, or some of them, so that a frequent one does not hide the others. */
static uint32_t draw_aims(void)
{
    static const enum fault_call rare[] = {FAULT_WRITE,      FAULT_SYNC,   FAULT_OPEN,
                                           FAULT_RENAME,     FAULT_NAME,   FAULT_UNLINK,
                                           FAULT_DESCRIPTOR, FAULT_ACCEPT, FAULT_CONNECT};
    if (world_below(3) == 0)
        return 1U << rare[world_below(sizeof rare / sizeof *rare)];
    uint32_t aims = (uint32_t)world_below(1U << FAULT_DRAWN) & (uint32_t)world_below(1U << FAULT_DRAWN);
    aims &= ~(world_below(4) == 0 ? 0 : 1U << FAULT_MEMORY | 1U << FAULT_WAIT);
    return aims != 0 ? aims : 1U << FAULT_OPEN | 1U << FAULT_DESCRIPTOR;
}

static void draw_aiming(struct fault *fault, uint64_t span_ns)
{
    fault->aims = draw_aims();
    fault->from_ns = draw_begin(span_ns);
    fault->to_ns = WORLD_NEVER;
    fault->passes = (uint32_t)world_below(UINT64_C(1) << world_below(9));
    fault->most = world_below(2);
    fault->moves = world_below(4) != 0;
    fault->lasts_ns = world_below(8) == 0 ? WORLD_NEVER / 2 : draw_span(span_ns) + 1;
    if ((fault->aims >> FAULT_WAIT & 1) != 0 && fault->lasts_ns > STORM_NS)
        fault->lasts_ns = STORM_NS;
}

void fault_draw(struct faults *faults, uint64_t span_ns)
{
    *faults = (struct faults){0};
    unsigned aiming = 1 + (unsigned)world_below(4), plain = (unsigned)world_below(4);
    for (faults->count = 0; faults->count < aiming + plain; faults->count++) {
        struct fault *fault = &faults->faults[faults->count];
        if (faults->count < aiming)
            draw_aiming(fault, span_ns);
        else
            draw_plain(fault, span_ns);
    }
    faults->short_share[FAULT_WRITE] = faults->short_share[FAULT_READ] = world_below(3) == 0 ? 6000 : 0;
}

void fault_begin(const struct faults *faults)
{
    fault_clear();
    *world->faults = *faults;
    for (unsigned i = 0; i < faults->count; i++) {
        struct fault *fault = &world->faults->faults[i];
        fault->from_ns += world->now_ns;
        fault->to_ns += fault->to_ns == WORLD_NEVER ? 0 : world->now_ns;
        fault->below = fault->place == NULL ? NULL : disk_at(fault->place);
        world->faults->memory_fails |= fault->call == FAULT_MEMORY || (fault->aims >> FAULT_MEMORY & 1) != 0;
    }
}

static const char *const names[FAULT_CALLS] = {
    [FAULT_READ] = "read",       [FAULT_WRITE] = "write",     [FAULT_SYNC] = "sync",
    [FAULT_NAME] = "name",       [FAULT_OPEN] = "open",       [FAULT_RENAME] = "rename",
    [FAULT_UNLINK] = "unlink",   [FAULT_MAKE] = "make",       [FAULT_DESCRIPTOR] = "descriptor",
    [FAULT_ACCEPT] = "accept",   [FAULT_CONNECT] = "connect", [FAULT_SEND] = "send",
    [FAULT_RECEIVE] = "receive", [FAULT_WATCH] = "watch",     [FAULT_WAIT] = "wait",
    [FAULT_THREAD] = "thread",   [FAULT_MEMORY] = "memory",
};

void fault_print(const struct fault *fault, unsigned life, unsigned nth)
{
    printf("  fault%u.%u from %.3f s: ", life, nth, (double)fault->from_ns / 1e9);
    if (fault->aims != 0) {
        printf("behind %u calls of", fault->passes);
        for (unsigned i = 0; i < FAULT_CALLS; i++)
            if ((fault->aims >> i & 1) != 0)
                printf(" %s", names[i]);
    } else {
        printf("%s fails with %s below %s, %u of 65536", names[fault->call], strerrorname_np(fault->error),
               fault->place == NULL ? "/" : fault->place, fault->share);
    }
    printf("%s\n", fault->most == 1 ? ", once" : "");
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

/* The fault has found its call. */
static void hit(struct fault *fault, enum fault_call call, const struct disk_inode *inode)
{
    fault->call = call;
    fault->error = draw_error(call);
    fault->share = draw_share(fault);
    fault->below = fault->moves ? (struct disk_inode *)inode : NULL;
    fault->to_ns = world->now_ns + fault->lasts_ns;
    fault->aims = 0;
}

static bool strikes(struct fault *fault, enum fault_call call, const struct disk_inode *inode)
{
    if (world->now_ns < fault->from_ns || world->now_ns >= fault->to_ns || fault->most == FAULT_NEVER)
        return false;
    if (fault->aims != 0) {
        if ((fault->aims >> call & 1) == 0 || fault->passes-- > 0)
            return false;
        hit(fault, call, inode);
        return true;
    }
    if (fault->call != call || (fault->most > 0 && fault->struck >= fault->most) ||
        !world_chance(fault->share) ||
        (fault->below != NULL && (inode == NULL || !is_below(inode, fault->below))))
        return false;
    if (fault->passes == 0)
        return true;
    fault->passes--;
    return false;
}

int fault_strikes(enum fault_call call, const struct disk_inode *inode)
{
    for (unsigned i = 0; world->faults != NULL && i < world->faults->count; i++) {
        struct fault *fault = &world->faults->faults[i];
        if (!strikes(fault, call, inode))
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

unsigned faults_in_effect(void)
{
    unsigned count = 0;
    for (unsigned i = 0; world->faults != NULL && i < world->faults->count; i++)
        count += world->faults->faults[i].struck > 0;
    return count;
}
