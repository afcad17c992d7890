#include "core/flow/held_group.h"

#include <stdlib.h>

bool ps_held_pool_reserve(struct ps_held_pool *pool, uint32_t count)
{
    uint32_t used = pool->used == 0 ? 1 : pool->used;
    if (pool->free.count + (pool->room > used ? pool->room - used : 0) >= count)
        return true;
    uint32_t room = pool->room == 0 ? 2 * PS_BATCH_EVENTS_MAX : 2 * pool->room;
    struct ps_held_event *events = realloc(pool->events, room * sizeof *events);
    if (events == NULL)
        return false;
    pool->events = events;
    pool->room = room;
    pool->used = used;
    return true;
}

/* Appends events that are linked already. */
static void append(struct ps_held_pool *pool, struct ps_held_group *to, uint32_t first, uint32_t last,
                   uint32_t count)
{
    pool->events[last].next = 0;
    if (to->count == 0)
        to->first = first;
    else
        pool->events[to->last].next = first;
    to->last = last;
    to->count += count;
}

void ps_held_group_move(struct ps_held_pool *pool, struct ps_held_group *from, struct ps_held_group *to,
                        uint32_t count, uint32_t last)
{
    if (count == 0)
        return;
    uint32_t first = from->first;
    from->first = pool->events[last].next;
    from->count -= count;
    append(pool, to, first, last, count);
}

void ps_held_group_add(struct ps_held_pool *pool, struct ps_held_group *group, struct ps_lease *lease,
                       uint32_t position, uint32_t count)
{
    struct ps_held_event *events = pool->events;
    for (uint32_t end = position + count; position < end; position++) {
        uint32_t number = pool->free.first;
        if (pool->free.count > 0) {
            pool->free.count--;
            pool->free.first = events[number].next;
        } else {
            number = pool->used++;
        }
        events[number] = (struct ps_held_event){.lease = lease, .position = position};
        if (group->count++ == 0)
            group->first = number;
        else
            events[group->last].next = number;
        group->last = number;
    }
}

void ps_held_group_commit(struct ps_held_pool *pool, struct ps_held *held, struct ps_held_group *group,
                          uint32_t count)
{
    uint32_t last = 0, number = group->first;
    for (uint32_t left = count; left > 0; left--) {
        const struct ps_held_event *event = &pool->events[number];
        if (!ps_lease_is_settled(event->lease, event->position))
            ps_lease_settle(event->lease, event->position);
        ps_held_note_settled(held, event->lease);
        last = number;
        number = event->next;
    }
    ps_held_group_move(pool, group, &pool->free, count, last);
}

void ps_held_group_abort(struct ps_held_pool *pool, struct ps_held_group *group,
                         struct ps_held_group *waiting)
{
    const struct ps_held_group behind = *waiting;
    *waiting = *group;
    if (behind.count > 0 && group->count > 0)
        append(pool, waiting, behind.first, behind.last, behind.count);
    else if (behind.count > 0)
        *waiting = behind;
    *group = (struct ps_held_group){.count = 0};
}

void ps_held_group_clear(struct ps_held_pool *pool, struct ps_held_group *group)
{
    ps_held_group_abort(pool, group, &pool->free);
}
