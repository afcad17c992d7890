/* Leases. A lease is the part of a batch that one reader gets. */
#include "core/flow/batch_internal.h"
#include "core/flow/origins.h"

#include <string.h>

/* A whole number of cache lines: the bytes after a lease belong to other owners. */
#define LEASE_BYTES (((uint32_t)sizeof(struct ps_lease) + PS_CACHE_GAP - 1) & ~(PS_CACHE_GAP - 1U))

/* Filters a lease that has an index, in place. */
static void filter_index(struct ps_lease *lease, const uint64_t *keep)
{
    const struct ps_event *events = lease->batch->events;
    uint32_t kept = 0;
    uint64_t bytes = 0;
    for (uint32_t position = 0; position < lease->count; position++) {
        uint16_t row = lease->index[position];
        uint64_t stays = (keep[row / 64] >> (row % 64)) & 1;
        lease->index[kept] = row;
        kept += (uint32_t)stays;
        bytes += -stays & events[row].body_length;
    }
    lease->count = kept;
    lease->bytes = bytes;
}

/* Returns word number `word` of the bits, with the bits after the last row cleared. */
static uint64_t rows_of(const uint64_t *keep, uint32_t word, uint32_t count)
{
    uint32_t left = count - word * 64;
    return left >= 64 ? keep[word] : keep[word] & ((UINT64_C(1) << left) - 1);
}

bool ps_lease_filter_bits(struct ps_lease *lease, const uint64_t *keep)
{
    if (lease->index != NULL) {
        filter_index(lease, keep);
        return true;
    }
    const struct ps_event *events = lease->batch->events;
    uint32_t words = (lease->count + 63) / 64, kept = 0;
    for (uint32_t word = 0; word < words; word++)
        kept += (uint32_t)__builtin_popcountll(rows_of(keep, word, lease->count));
    if (kept == lease->count)
        return true;
    uint16_t *index = NULL;
    if (kept > 0) {
        index = (uint16_t *)(void *)ps_batch_meta_alloc(lease->batch, kept * (uint32_t)sizeof *index, 2);
        if (index == NULL)
            return false;
    }
    uint32_t next = 0;
    uint64_t bytes = 0;
    for (uint32_t word = 0; word < words; word++) {
        for (uint64_t rows = rows_of(keep, word, lease->count); rows != 0; rows &= rows - 1) {
            uint16_t row = (uint16_t)(word * 64 + (uint32_t)__builtin_ctzll(rows));
            index[next++] = row;
            bytes += events[row].body_length;
        }
    }
    lease->index = index;
    lease->count = kept;
    lease->bytes = bytes;
    return true;
}

struct ps_event *ps_batch_rows(struct ps_batch *batch, uint32_t count)
{
    PS_ASSERT(count > 0 && count <= PS_BATCH_EVENTS_MAX);
    return (struct ps_event *)(void *)ps_batch_meta_alloc(batch, count * (uint32_t)sizeof(struct ps_event),
                                                          8);
}

/* Notes the identities of the batch's rows, which were made from earlier rows. Of several rows made from one, only the first
 * has its identity. Returns false when there is no memory. */
static bool move_identities(struct ps_batch *batch, const struct ps_batch *before, uint32_t count,
                            const uint16_t *from)
{
    uint64_t used[PS_BATCH_EVENTS_MAX / 64] = {0};
    struct ps_lease all = {.batch = (struct ps_batch *)(uintptr_t)before};
    struct ps_identity identity;
    batch->origins = NULL;
    batch->origin_count = 0;
    for (uint32_t row = 0; before->origin_count > 0 && row < count; row++) {
        uint16_t earlier = from[row];
        if (earlier == UINT16_MAX || ((used[earlier / 64] >> (earlier % 64)) & 1) != 0 ||
            !ps_event_identity(&all, earlier, &identity))
            continue;
        used[earlier / 64] |= UINT64_C(1) << (earlier % 64);
        batch->count = row + 1;
        if (!(ps_batch_origin_of(before, earlier)->steps ? ps_batch_origin_step(batch, &identity)
                                                         : ps_batch_origin(batch, &identity, 1)))
            return false;
    }
    return true;
}

bool ps_lease_replace(struct ps_lease *lease, struct ps_event *rows, uint32_t count, const uint16_t *from)
{
    struct ps_batch *batch = lease->batch;
    const struct ps_batch before = *batch;
    PS_ASSERT(count <= PS_BATCH_EVENTS_MAX);
    batch->events = rows;
    if (!move_identities(batch, &before, count, from)) {
        *batch = before;
        return false;
    }
    batch->count = count;
    lease->index = NULL;
    lease->count = count;
    lease->bytes = 0;
    for (uint32_t row = 0; row < count; row++)
        lease->bytes += rows[row].body_length;
    return true;
}

/* Copies the chain's events at positions `first` to `first + count - 1` into rows of `batch`. Returns NULL when there
 * is no memory. Sets from[i] to the chain's row of which rows[i] is a copy. */
static struct ps_event *copy_rows(struct ps_batch *batch, const struct ps_lease *chain, uint32_t first,
                                  uint32_t count, uint16_t *from)
{
    struct ps_event *rows = ps_batch_rows(batch, count);
    for (uint32_t i = 0; rows != NULL && i < count; i++) {
        rows[i] = *ps_lease_event(chain, first + i);
        from[i] = chain->index != NULL ? chain->index[first + i] : (uint16_t)(first + i);
    }
    return rows;
}

/* Fills the empty batch with the last `count` events of the chain. */
static bool take_end(struct ps_batch *half, const struct ps_lease *chain, uint32_t count)
{
    const struct ps_batch *batch = chain->batch;
    uint16_t from[PS_BATCH_EVENTS_MAX];
    if (!ps_batch_hold_all(half, batch))
        return false;
    half->events = copy_rows(half, chain, chain->count - count, count, from);
    if (half->events == NULL || !move_identities(half, batch, count, from))
        return false;
    half->count = count;
    half->own_mask = batch->own_mask;
    for (uint32_t row = 0; row < count; row++)
        half->body_bytes += half->events[row].body_length;
    ps_batch_close(half);
    return true;
}

static void move_debts(struct ps_batch *half, struct ps_batch *batch)
{
    half->promised = batch->promised;
    half->tickets = batch->tickets;
    half->last_ticket = batch->last_ticket;
    half->spans = batch->spans;
    half->span_count = batch->span_count;
    batch->tickets = batch->last_ticket = NULL;
    batch->spans = NULL;
    batch->span_count = 0;
    struct ps_batch_home *home = ps_batch_home(batch);
    ps_batch_home(half)->read_count = home->read_count / 2;
    home->read_count -= ps_batch_home(half)->read_count;
}

struct ps_batch *ps_lease_halve(struct ps_lease *chain)
{
    struct ps_batch *batch = chain->batch;
    uint32_t first = chain->count / 2;
    uint16_t from[PS_BATCH_EVENTS_MAX];
    PS_ASSERT(first > 0);
    if (!ps_batch_shared_spell_out(batch))
        return NULL;
    struct ps_batch *half = ps_batch_take(ps_batch_home(batch)->bump, batch->opened);
    if (half == NULL)
        return NULL;
    struct ps_event *rows = NULL;
    if (take_end(half, chain, chain->count - first))
        rows = copy_rows(batch, chain, 0, first, from);
    if (rows == NULL || !ps_lease_replace(chain, rows, first, from)) {
        ps_batch_give(half);
        return NULL;
    }
    move_debts(half, batch);
    return half;
}

void ps_lease_init(struct ps_lease *lease, struct ps_batch *batch)
{
    lease->batch = batch;
    lease->next = NULL;
    lease->index = NULL;
    lease->count = lease->cursor = lease->pending = lease->settled = 0;
    lease->bytes = 0;
    lease->memory_bytes = lease->dead = 0;
    lease->required = lease->refusable = lease->failed = lease->promised = false;
    *ps_lease_home(lease) = (struct ps_lease_home){.channel = UINT16_MAX};
    memset(lease->outcome, 0, sizeof lease->outcome);
}

struct ps_lease *ps_lease_split(struct ps_lease *chain, const uint16_t *index, uint32_t count)
{
    struct ps_batch *batch = chain->batch;
    uint32_t index_bytes = index != NULL ? count * (uint32_t)sizeof *index : 0;
    struct ps_lease *lease =
        (struct ps_lease *)(void *)ps_batch_meta_alloc(batch, LEASE_BYTES + index_bytes, PS_CACHE_GAP);
    if (lease == NULL)
        return NULL;
    ps_lease_init(lease, batch);
    if (index == NULL) { /* shares the chain's index, which is no longer changed */
        lease->index = chain->index;
        lease->count = chain->count;
        lease->bytes = chain->bytes;
    } else {
        lease->index = (uint16_t *)(void *)((char *)lease + LEASE_BYTES);
        memcpy(lease->index, index, index_bytes);
        lease->count = count;
        for (uint32_t i = 0; i < count; i++)
            lease->bytes += batch->events[index[i]].body_length;
    }
    return lease;
}

void ps_lease_settle_all(struct ps_lease *lease)
{
    memset(lease->outcome, 0xFF, sizeof lease->outcome);
    lease->settled = lease->count;
    lease->cursor = lease->count;
}
