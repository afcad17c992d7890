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
        held->position = held->clear_to = 0;
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
        held->clear_to = 0;
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

void ps_held_settled(struct ps_held *held, struct ps_held_range *range, uint32_t count)
{
    PS_ASSERT(count <= range->count);
    range->count -= count;
    held->in_flight -= count;
    held->changed |= count > 0;
    if (range->count == 0)
        *range = (struct ps_held_range){.lease = NULL};
}

void ps_held_settle_cut(struct ps_held *held)
{
    PS_ASSERT(held->groups == NULL);
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
    held->position = held->clear_to = 0;
    held->in_flight = 0;
}

/* ---- groups ---- */

uint32_t ps_held_grouped_to(struct ps_held *held)
{
    uint32_t clear_to = held->next->count;
    for (const struct ps_held_group *group = held->groups; group != NULL; group = group->next) {
        for (uint32_t i = 0; i < group->range_count; i++) {
            const struct ps_held_range *range = &group->ranges[i];
            if (range->lease != held->next || range->to <= held->position)
                continue;
            if (range->from <= held->position)
                return range->to;
            if (range->from < clear_to)
                clear_to = range->from;
        }
    }
    held->clear_to = clear_to;
    return 0;
}

bool ps_held_settle_under(struct ps_held *held, struct ps_held_range *range, struct ps_held_group *group)
{
    struct ps_held_range *last = group->range_count > 0 ? &group->ranges[group->range_count - 1] : NULL;
    uint32_t count = range->count;
    if (count == 0)
        return true;
    if (last != NULL && last->lease == range->lease && last->to == range->from) {
        last->to = range->to;
        last->count += count;
    } else if (group->range_count < group->range_count_max) {
        group->ranges[group->range_count++] = *range;
    } else {
        return false;
    }
    if (group->count == 0) {
        group->next = held->groups;
        held->groups = group;
    }
    group->count += count;
    held->grouped += count;
    ps_held_release(held, range);
    return true;
}

static void empty_group(struct ps_held *held, struct ps_held_group *group)
{
    struct ps_held_group **at = &held->groups;
    if (group->count == 0)
        return;
    while (*at != group)
        at = &(*at)->next;
    *at = group->next;
    held->grouped -= group->count;
    held->changed = true;
    ps_held_group_init(group, group->ranges, group->range_count_max);
}

void ps_held_commit(struct ps_held *held, struct ps_held_group *group)
{
    for (uint32_t i = 0; i < group->range_count; i++)
        settle_between(group->ranges[i].lease, group->ranges[i].from, group->ranges[i].to);
    empty_group(held, group);
}

void ps_held_abort(struct ps_held *held, struct ps_held_group *group)
{
    empty_group(held, group);
}

/* Removes the ranges of a lease that goes home: all its events in groups became dead letters. */
static void leave_groups(struct ps_held *held, const struct ps_lease *lease)
{
    for (struct ps_held_group *group = held->groups, *next; group != NULL; group = next) {
        uint32_t kept = 0, count = 0;
        next = group->next;
        for (uint32_t i = 0; i < group->range_count; i++) {
            if (group->ranges[i].lease == lease)
                count += group->ranges[i].count;
            else
                group->ranges[kept++] = group->ranges[i];
        }
        if (kept == 0) {
            empty_group(held, group);
            continue;
        }
        group->range_count = kept;
        group->count -= count;
        held->grouped -= count;
    }
}

/* ---- leases that go ---- */

static struct ps_lease *take_out(struct ps_held *held, struct ps_lease **at)
{
    struct ps_lease *lease = *at;
    leave_groups(held, lease);
    if (held->next == lease) {
        held->next = lease->next;
        held->position = held->clear_to = 0;
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
    while (held->groups != NULL)
        empty_group(held, held->groups);
    while (*back != NULL)
        back = &(*back)->next;
    *back = held->first;
    ps_held_init(held, held->count_max);
}
