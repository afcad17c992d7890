/* The engine's part of batches and leases: functions that only the home worker and the engine call. For core/flow/,
 * core/engine/, and code that stands in for the engine (`penstock rules`, benches, tests). No stage includes it: it
 * may change with every release (docs/decisions/0033-plug-ins.md).
 *
 * Thread: the home worker, unless said otherwise. */
#pragma once

#include "core/flow/channel.h"

struct ps_bump;   /* core/flow/bump.h */
struct ps_window; /* core/flow/window.h */

/* Every batch is one of these. */
struct ps_batch_home {
    struct ps_batch batch;
    struct ps_pool *pool;
    struct ps_bump *bump;
    struct ps_window *window;
    uint16_t holders;  /* number of leases that are not returned yet: they keep the memory */
    uint16_t promises; /* number of owed leases among them; at 0 the batch is complete */
    bool complete, lost, in_window;
    bool refused;    /* the source learned of the refusal before the batch was complete */
    bool unreported; /* the replayable source was closed before the batch was reported to it as delivered */
    /* The batch has dead letters: copies of events that a sink refused. The channel of that sink keeps the events until
     * the copies are promised. */
    bool is_copy;
    uint32_t read_count; /* number of rows when the batch was closed; interceptors may change it later */
    uint32_t block_count;
    struct ps_block *blocks[PS_BATCH_BLOCKS_MAX]; /* [0] also holds this descriptor */
    uint32_t taken_back; /* events of it that a reload has released: their source reads them again */
    uint64_t meta_bytes, bytes_bytes; /* of the bump allocator's blocks that it references, by kind */
    uint64_t own_bytes;               /* bytes of the blocks that it shares with no other batch */
    struct ps_batch_home *next;       /* in the window */
    /* of a half that waits (ps_lease_halve): number of the interceptor that sees it first */
    size_t chain_stage;
    struct ps_lease chain; /* the chain's lease: all rows */
};

/* The content of ps_lease.home. */
struct ps_lease_home {
    uint16_t channel; /* number of the source's channel; UINT16_MAX while in the chain */
    bool owed;        /* the source waits for the return of this lease; counted in ps_batch_home.promises */
    bool round;       /* of the sink that has taken it (core/engine/sink/stuck.h) */
};

/* Members that are used together are on one cache line. A descriptor begins at a line: readers of a batch read only
 * its first line, and the home worker writes its counts in another one. A lease has its counts on its first line; the
 * outcomes follow on the next lines. */
#define PS_LINE_BYTES 64U
_Static_assert(offsetof(struct ps_batch, flush) < PS_LINE_BYTES, "readers touch one line of a batch");
_Static_assert(offsetof(struct ps_batch_home, window) / PS_LINE_BYTES ==
                   offsetof(struct ps_batch_home, block_count) / PS_LINE_BYTES,
               "a lease that comes home touches one line of its batch");
_Static_assert(offsetof(struct ps_lease, outcome) == PS_LINE_BYTES, "a lease's counts are one line");
_Static_assert(sizeof(struct ps_lease_home) <= sizeof(((struct ps_lease *)NULL)->home), "it fits its place");

static inline struct ps_batch_home *ps_batch_home(const struct ps_batch *batch)
{
    return (struct ps_batch_home *)(uintptr_t)batch;
}

static inline struct ps_lease_home *ps_lease_home(struct ps_lease *lease)
{
    return (struct ps_lease_home *)(void *)lease->home;
}

/* Returns the lease of the batch's chain. */
static inline struct ps_lease *ps_batch_chain(const struct ps_batch *batch)
{
    return &ps_batch_home(batch)->chain;
}

/* Makes a further lease of the same batch with the given rows (copied into the batch) or, with `index` NULL,
 * the chain's own list. Returns NULL when there is no memory. */
struct ps_lease *ps_lease_split(struct ps_lease *chain, const uint16_t *index, uint32_t count);

/* Moves the second half of the chain's events, of at least two, into a batch of their own, together with the answers
 * and positions that the batch owes, and returns that batch, which has not entered the window. Both have the same
 * blocks, and different rows, headers and identities. Returns NULL when there is no memory: the events are as before,
 * and it can be called again. */
struct ps_batch *ps_lease_halve(struct ps_lease *chain);

/* The progress of a source's bump allocator: the bytes that it has carved or left unused in blocks of each kind, and
 * the bytes left in the blocks that it fills. */
struct ps_carved {
    uint64_t meta, bytes;
    uint64_t meta_left, bytes_left;
};

/* Sets the lease's memory_bytes. The leases of one source in one channel keep at most the sum of their memory_bytes
 * from being used again, and two more blocks of each kind: the first and the last. Batches share blocks, and one
 * small lease can keep a whole block. Therefore a lease is charged with the bytes that the source has carved since
 * the previous lease that it put into the channel, but at most with the blocks of its batch and the rest that the
 * previous lease left of its last blocks. `mark` belongs to the previous lease (ps_batch_mark); it begins as zero. */
void ps_batch_charge(struct ps_lease *lease, const struct ps_carved *mark);
/* Notes that the lease was put: the next lease is charged with the bytes carved after this one. */
void ps_batch_mark(const struct ps_lease *lease, struct ps_carved *mark);

/* ---- the pool: a worker's batches ---- */

/* Makes the batch pool of the worker with this number. Never NULL. All batches must have been given back before it
 * is destroyed. */
struct ps_pool *ps_pool_create(struct ps_depot *depot, uint16_t worker);
void ps_pool_destroy(struct ps_pool *pool);
/* Returns the worker's cache of blocks, which is part of the pool. */
struct ps_block_cache *ps_pool_cache(struct ps_pool *pool);
/* Counts a batch: `change` is 1 when it was taken, -1 when it was given back. For core/flow/batch.c. */
void ps_pool_count(struct ps_pool *pool, int32_t change);

/* Returns an empty batch with its chain lease, or NULL when the budget is used up. Its descriptor is carved
 * from the blocks, as its rows are: the budget alone limits how many batches there are. */
struct ps_batch *ps_batch_take(struct ps_bump *bump, struct ps_now now);

/* Ends filling: the next batch continues in the unused part of its blocks. */
void ps_batch_close(struct ps_batch *batch);

/* Gives back the batch's blocks, and with them its descriptor and leases. All leases must be home. */
void ps_batch_give(struct ps_batch *batch);

/* Returns the number of batches out of the pool. Single writer; readable from any thread. */
uint32_t ps_pool_out_count(const struct ps_pool *pool);
