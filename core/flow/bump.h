/* The bump allocator: cuts the batches of one source from blocks.
 *
 * It holds the two blocks that are being filled. A batch takes the bytes that it needs, and the next batch continues
 * after them, so a small batch costs only the bytes that it uses:
 *
 *   meta block    rows grow up from its start; headers, values and lists grow down from its end
 *   bytes block   bodies, as they were read
 *
 * One bump allocator for each source runner, because sources on one worker have open batches at the same time.
 * Thread: the home worker. */
#pragma once

#include "core/flow/batch_home.h"

struct ps_bump {
    struct ps_pool *pool;
    struct ps_block *meta, *bytes; /* the bump allocator holds one reference to each; or NULL */
    uint32_t meta_up, meta_down;   /* rows end here; headers and values begin here */
    uint32_t bytes_used;
    struct ps_carved taken; /* bytes of all blocks that the allocator has taken so far */
    uint32_t left; /* bytes after bytes_used that ps_batch_leave left for the next ps_batch_reserve */
};

/* Initializes the allocator without blocks. It takes its first blocks with its first batch. */
void ps_bump_init(struct ps_bump *bump, struct ps_pool *pool);

/* Gives the blocks back; batches cut from them keep them alive. */
void ps_bump_fini(struct ps_bump *bump);

/* Returns the bump allocator's position, in bytes. Its difference between the take and the close of a batch is the
 * number of bytes that the batch uses, without the batch's own blocks. */
struct ps_carved ps_bump_taken(const struct ps_bump *bump);

/* Takes a new meta block; batches cut from the old one keep that alive. Returns false and changes nothing when the
 * budget is used up. For core/flow/batch.c. */
bool ps_bump_new_meta(struct ps_bump *bump);

/* Takes a new bytes block; the bytes that ps_batch_leave left move to its start. Returns false and changes nothing
 * when the budget is used up. For core/flow/batch.c. */
bool ps_bump_new_bytes(struct ps_bump *bump);
