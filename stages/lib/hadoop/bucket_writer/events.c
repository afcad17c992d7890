#include "stages/lib/hadoop/bucket_writer/events.h"

#include "core/flow/batch.h"

#include <stdlib.h>

bool ps_bucket_pool_reserve(struct ps_bucket_pool *pool, uint32_t count)
{
    uint32_t used = pool->used == 0 ? 1 : pool->used;
    if (pool->free.count + (pool->room > used ? pool->room - used : 0) >= count)
        return true;
    uint32_t room = pool->room == 0 ? 2 * PS_BATCH_EVENTS_MAX : 2 * pool->room;
    struct ps_bucket_event *events = realloc(pool->events, room * sizeof *events);
    if (events == NULL)
        return false;
    pool->events = events;
    pool->room = room;
    pool->used = used;
    return true;
}

static void append(struct ps_bucket_pool *pool, struct ps_bucket_events *list, uint32_t number)
{
    pool->events[number].next = 0;
    if (list->count++ == 0)
        list->first = number;
    else
        pool->events[list->last].next = number;
    list->last = number;
}

static uint32_t take_first(struct ps_bucket_pool *pool, struct ps_bucket_events *list)
{
    uint32_t number = list->first;
    list->first = pool->events[number].next;
    list->count--;
    return number;
}

void ps_bucket_events_add(struct ps_bucket_pool *pool, struct ps_bucket_events *list, uint16_t slot,
                          uint16_t position)
{
    uint32_t number = pool->free.count > 0 ? take_first(pool, &pool->free) : pool->used++;
    pool->events[number] = (struct ps_bucket_event){.slot = slot, .position = position};
    append(pool, list, number);
}

void ps_bucket_events_add_run(struct ps_bucket_pool *pool, struct ps_bucket_events *list, uint16_t slot,
                              uint16_t position, uint32_t count)
{
    uint32_t again = count < pool->free.count ? count : pool->free.count, last = 0;
    for (uint32_t left = again, number = pool->free.first; left > 0; left--) {
        struct ps_bucket_event *event = &pool->events[number];
        event->slot = slot;
        event->position = position++;
        last = number;
        number = event->next;
    }
    ps_bucket_events_move_run(pool, &pool->free, list, again, last);
    for (count -= again; count > 0; count--)
        ps_bucket_events_add(pool, list, slot, position++);
}

void ps_bucket_events_move(struct ps_bucket_pool *pool, struct ps_bucket_events *from,
                           struct ps_bucket_events *to)
{
    ps_bucket_events_move_run(pool, from, to, 1, from->first);
}

void ps_bucket_events_move_run(struct ps_bucket_pool *pool, struct ps_bucket_events *from,
                               struct ps_bucket_events *to, uint32_t count, uint32_t last)
{
    if (count == 0)
        return;
    uint32_t first = from->first;
    from->first = pool->events[last].next;
    from->count -= count;
    pool->events[last].next = 0;
    if (to->count == 0)
        to->first = first;
    else
        pool->events[to->last].next = first;
    to->last = last;
    to->count += count;
}

void ps_bucket_events_prepend(struct ps_bucket_pool *pool, struct ps_bucket_events *list,
                              struct ps_bucket_events *to)
{
    if (list->count == 0)
        return;
    if (to->count == 0) {
        *to = *list;
    } else {
        pool->events[list->last].next = to->first;
        to->first = list->first;
        to->count += list->count;
    }
    *list = (struct ps_bucket_events){.count = 0};
}

void ps_bucket_events_clear(struct ps_bucket_pool *pool, struct ps_bucket_events *list)
{
    ps_bucket_events_prepend(pool, list, &pool->free);
}
