/* Shared by core/flow/batch.c, core/flow/header.c, core/flow/identity.c and core/flow/lease.c. */
#pragma once

#include "core/flow/batch_home.h"

/* Returns `length` bytes from the top of the meta block, at the given alignment (a power of two); a long piece gets
 * a block of its own. NULL: the budget is used up, or the batch references PS_BATCH_BLOCKS_MAX blocks. */
char *ps_batch_meta_alloc(struct ps_batch *batch, uint32_t length, uint32_t alignment);

/* Makes the batch an owner of each block of another batch, and charges it with them. Returns false when they are too many. */
bool ps_batch_hold_all(struct ps_batch *batch, const struct ps_batch *other);

struct ps_origin;
/* Returns the origin of the row; NULL: it has none. (core/flow/identity.c) */
const struct ps_origin *ps_batch_origin_of(const struct ps_batch *batch, uint32_t row);

/* Makes an empty lease of the batch. */
void ps_lease_init(struct ps_lease *lease, struct ps_batch *batch);
