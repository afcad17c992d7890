#include "core/flow/held.h"

/* Bytes of the blocks that one gap keeps in use: at most two blocks on each side of the gap, one of each kind
 * (core/flow/batch_home.h). */
#define GAP_BYTES_MAX (2 * 2 * PS_BLOCK_BYTES)

void ps_held_init(struct ps_held *held, unsigned count_max)
{
    *held = (struct ps_held){.count_max = count_max};
    held->end = &held->first;
}

void ps_held_add(struct ps_held *held, struct ps_lease **lease)
{
    struct ps_lease *added = *lease;
    PS_ASSERT(held->count < held->count_max);
    *lease = NULL;
    added->next = NULL;
    added->pending = 0;
    *held->end = added;
    held->end = &added->next;
    held->count++;
    held->any_order_count += added->batch->any_order;
    if (held->next == NULL) {
        held->next = added;
        held->position = 0;
    }
    ps_held_note_settled(held, added);
}

static void look_again(struct ps_held *held)
{
    held->changed = true;
    held->looked = NULL;
}

void ps_held_settle_next(struct ps_held *held)
{
    ps_lease_settle(held->next, held->position++);
    look_again(held);
}

void ps_held_uncut(struct ps_held *held, struct ps_held_range *range)
{
    if (range->count > 0) {
        held->next = range->lease;
        held->position = range->from;
        held->in_flight -= range->count;
    }
    *range = (struct ps_held_range){.lease = NULL};
}

/* Settles the events at these positions that are not settled yet, and returns their number. */
static uint32_t settle_between(struct ps_lease *lease, uint32_t from, uint32_t to)
{
    uint32_t before = lease->settled;
    for (uint32_t position = from; position < to; position++) {
        if (!ps_lease_is_settled(lease, position))
            ps_lease_settle(lease, position);
    }
    return lease->settled - before;
}

void ps_held_settle(struct ps_held *held, struct ps_held_range *range)
{
    if (range->count > 0)
        settle_between(range->lease, range->from, range->to);
    ps_held_release(held, range);
}

void ps_held_release(struct ps_held *held, struct ps_held_range *range)
{
    PS_ASSERT(range->count <= held->in_flight);
    held->in_flight -= range->count;
    look_again(held);
    *range = (struct ps_held_range){.lease = NULL};
}

void ps_held_settled(struct ps_held *held, struct ps_held_range *range, uint32_t count)
{
    PS_ASSERT(count <= range->count);
    range->count -= count;
    held->in_flight -= count;
    if (count > 0)
        look_again(held);
    if (range->count == 0)
        *range = (struct ps_held_range){.lease = NULL};
}

void ps_held_settle_cut(struct ps_held *held)
{
    uint32_t settled = 0;
    struct ps_lease *lease = held->first;
    for (; lease != held->next; lease = lease->next)
        settled += settle_between(lease, 0, lease->count);
    if (lease != NULL)
        settled += settle_between(lease, 0, held->position);
    PS_ASSERT(settled == held->in_flight);
    held->in_flight = 0;
    look_again(held);
}

void ps_held_rewind(struct ps_held *held)
{
    held->next = held->first;
    held->position = 0;
    held->in_flight = 0;
}

/* ---- leases that are removed ---- */

/* Adds the bytes of a lease that is removed, and of the gap after it, to the gap after `before`, the lease before it.
 * The bytes of the gap after a held lease are in its field `pending`. */
static void widen_gap(struct ps_held *held, struct ps_lease *before, const struct ps_lease *lease)
{
    held->pinned_bytes -= lease->pending;
    if (before == NULL)
        return;
    uint64_t bytes = (uint64_t)before->pending + lease->pending + lease->memory_bytes;
    held->pinned_bytes -= before->pending;
    before->pending = bytes < GAP_BYTES_MAX ? (uint32_t)bytes : GAP_BYTES_MAX;
    held->pinned_bytes += before->pending;
}

/* Removes the lease after `before`; NULL: the oldest one. */
static struct ps_lease *take_out(struct ps_held *held, struct ps_lease *before)
{
    struct ps_lease **at = before != NULL ? &before->next : &held->first, *lease = *at;
    widen_gap(held, before, lease);
    if (held->next == lease)
        ps_held_next_lease(held);
    if (held->end == &lease->next)
        held->end = at;
    *at = lease->next;
    lease->next = NULL;
    held->count--;
    held->any_order_count -= lease->batch->any_order;
    return lease;
}

struct ps_lease *ps_held_pop(struct ps_held *held)
{
    struct ps_lease *before = held->looked, *lease = before != NULL ? before->next : held->first;
    if (!held->changed)
        return NULL;
    for (; lease != NULL && (before == NULL || held->any_order_count > 0);
         before = lease, lease = lease->next) {
        if (lease->settled == lease->count && (before == NULL || lease->batch->any_order)) {
            held->looked = before;
            return take_out(held, before);
        }
    }
    held->changed = false;
    held->looked = NULL;
    return NULL;
}

struct ps_lease *ps_held_pop_oldest(struct ps_held *held)
{
    bool settled = held->first != NULL && held->first->settled == held->first->count;
    return settled ? take_out(held, NULL) : NULL;
}

void ps_held_give_back(struct ps_held *held, struct ps_lease **back)
{
    while (*back != NULL)
        back = &(*back)->next;
    *back = held->first;
    ps_held_init(held, held->count_max);
}
