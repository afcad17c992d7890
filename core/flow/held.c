#include "core/flow/held.h"

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
    *held->end = added;
    held->end = &added->next;
    held->count++;
    if (held->next == NULL) {
        held->next = added;
        held->position = 0;
    }
    held->changed |= added->settled == added->count;
}

void ps_held_settle_next(struct ps_held *held)
{
    ps_lease_settle(held->next, held->position++);
    held->changed = true;
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

/* Returns the number of events that it settled. */
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
    held->changed = true;
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
    held->changed = true;
}

void ps_held_rewind(struct ps_held *held)
{
    held->next = held->first;
    held->position = 0;
    held->in_flight = 0;
}

static struct ps_lease *take_out(struct ps_held *held, struct ps_lease **at)
{
    struct ps_lease *lease = *at;
    if (held->next == lease) {
        held->next = lease->next;
        held->position = 0;
    }
    if (held->end == &lease->next)
        held->end = at;
    *at = lease->next;
    lease->next = NULL;
    held->count--;
    return lease;
}

struct ps_lease *ps_held_pop(struct ps_held *held)
{
    bool in_order = true;
    if (!held->changed)
        return NULL;
    for (struct ps_lease **at = &held->first; *at != NULL; at = &(*at)->next) {
        if ((*at)->settled == (*at)->count && (in_order || (*at)->batch->any_order))
            return take_out(held, at);
        in_order = false;
    }
    held->changed = false;
    return NULL;
}

void ps_held_give_back(struct ps_held *held, struct ps_lease **back)
{
    while (*back != NULL)
        back = &(*back)->next;
    *back = held->first;
    ps_held_init(held, held->count_max);
}
