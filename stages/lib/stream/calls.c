#include "stages/lib/stream/calls.h"

#include <stdlib.h>

#define CHUNK 64U

void ps_calls_init(struct ps_calls *calls)
{
    *calls = (struct ps_calls){.chunk_count = 0};
}

void ps_calls_fini(struct ps_calls *calls)
{
    for (uint32_t i = 0; i < calls->chunk_count; i++) {
        for (uint32_t j = 0; j < CHUNK; j++)
            free(calls->chunks[i][j].reply);
        free(calls->chunks[i]);
    }
    free(calls->chunks);
    ps_calls_init(calls);
}

static bool grow(struct ps_calls *calls)
{
    uint32_t first = calls->chunk_count * CHUNK;
    if ((calls->chunk_count & (calls->chunk_count - 1)) == 0) { /* 1, 2, 4, .. entries */
        size_t room = calls->chunk_count == 0 ? 1 : 2 * (size_t)calls->chunk_count;
        struct ps_call **chunks = realloc(calls->chunks, room * sizeof *chunks);
        if (chunks == NULL)
            return false;
        calls->chunks = chunks;
    }
    struct ps_call *chunk = calloc(CHUNK, sizeof *chunk);
    if (chunk == NULL)
        return false;
    calls->chunks[calls->chunk_count++] = chunk;
    for (uint32_t i = CHUNK; i-- > 0;) {
        chunk[i].index = first + i;
        chunk[i].next_free = calls->free;
        calls->free = first + i + 1;
    }
    return true;
}

struct ps_call *ps_calls_at(struct ps_calls *calls, uint32_t index)
{
    PS_ASSERT(index / CHUNK < calls->chunk_count);
    return &calls->chunks[index / CHUNK][index % CHUNK];
}

struct ps_call *ps_calls_begin(struct ps_calls *calls, uint64_t connection, uint32_t serial)
{
    if (calls->free == 0 && !grow(calls))
        return NULL;
    struct ps_call *call = ps_calls_at(calls, calls->free - 1);
    calls->free = call->next_free;
    *call = (struct ps_call){.connection = connection,
                             .index = call->index,
                             .generation = call->generation + 1,
                             .serial = serial,
                             .open = true};
    return call;
}

void ps_calls_end(struct ps_calls *calls, struct ps_call *call)
{
    free(call->reply);
    call->reply = NULL;
    call->generation++; /* tickets of this call that come later do not find it */
    call->next_free = calls->free;
    calls->free = call->index + 1;
}

/* Returns a call by its number (ps_call_origin); NULL if it has ended. */
static struct ps_call *find_call(struct ps_calls *calls, uint64_t origin)
{
    uint32_t index = (uint32_t)origin;
    if (index / CHUNK >= calls->chunk_count)
        return NULL;
    struct ps_call *call = ps_calls_at(calls, index);
    return call->generation == (uint32_t)(origin >> 32) ? call : NULL;
}

struct ps_call *ps_calls_count_off(struct ps_calls *calls, const struct ps_ticket *ticket)
{
    struct ps_call *call = find_call(calls, ticket->origin);
    if (call == NULL || ticket->events == 0)
        return NULL;
    PS_ASSERT(call->left >= ticket->events);
    call->left -= ticket->events;
    return call;
}

/* ---- in turn ---- */

void ps_calls_push(struct ps_call *newest, struct ps_call *call)
{
    call->next = newest != NULL ? newest->next : call->index;
    if (newest != NULL)
        newest->next = call->index;
}

struct ps_call *ps_calls_oldest(struct ps_calls *calls, const struct ps_call *newest)
{
    return ps_calls_at(calls, newest->next);
}

struct ps_call *ps_calls_pop(struct ps_calls *calls, struct ps_call *newest)
{
    const struct ps_call *oldest = ps_calls_oldest(calls, newest);
    if (oldest == newest)
        return NULL;
    newest->next = oldest->next;
    return newest;
}

uint32_t ps_calls_leave(struct ps_calls *calls, struct ps_call *newest)
{
    uint32_t replies = 0;
    newest->open = false;
    struct ps_call *call = ps_calls_oldest(calls, newest);
    for (bool last = false; !last;) {
        struct ps_call *next = ps_calls_at(calls, call->next);
        last = call == newest;
        if (ps_call_is_decided(call)) {
            replies += call->reply != NULL;
            ps_calls_end(calls, call);
        }
        call = next;
    }
    return replies;
}
