/* Batches: filled, taken and given back. Their memory comes from core/flow/bump.c; headers are in
 * core/flow/header.c, leases in core/flow/lease.c. */
#include "core/flow/batch_internal.h"
#include "core/flow/bump.h"
#include "core/flow/identity.h"

#include <string.h>

/* The bump allocator takes a new block when the old one has less than this left: room for a few rows with their
 * headers, or for one read of a socket or file. */
#define META_LEFT_MIN (PS_BLOCK_BYTES / 4)
#define BYTES_LEFT_MIN (PS_BLOCK_BYTES / 16)
#define ROWS_HEADROOM 1024U /* meta bytes kept free for headers when rows grow */

#define BLOCKS_SPARE 4U /* for index lists, which splitting and filtering need */
#define ROOM_SPARE 256U /* bytes for the header and name of a value */

/* ---- blocks of a batch ---- */

static bool home_holds(const struct ps_batch_home *home, const struct ps_block *block)
{
    for (uint32_t i = home->block_count; i-- > 0;) {
        if (home->blocks[i] == block)
            return true;
    }
    return false;
}

/* Makes the batch one of the block's owners. Returns false when the batch's list of blocks is full. */
static bool home_hold(struct ps_batch_home *home, struct ps_block *block)
{
    if (home_holds(home, block))
        return true;
    if (home->block_count == PS_BATCH_BLOCKS_MAX)
        return false;
    ps_block_hold(block);
    *(block == home->bump->meta ? &home->meta_bytes : &home->bytes_bytes) += block->size;
    home->blocks[home->block_count++] = block;
    return true;
}

/* Takes over a block that no other batch shares. An oversize block counts as the whole blocks that it takes from the
 * budget. */
static void hold_own(struct ps_batch_home *home, struct ps_block *block)
{
    home->blocks[home->block_count++] = block;
    home->own_bytes += (block->size + PS_BLOCK_BYTES - UINT64_C(1)) / PS_BLOCK_BYTES * PS_BLOCK_BYTES;
}

bool ps_batch_refer(struct ps_batch *batch, struct ps_block *block, bool counts)
{
    struct ps_batch_home *home = ps_batch_home(batch);
    if (home_holds(home, block))
        return true;
    if (home->block_count >= PS_BATCH_FILL_BLOCKS_MAX)
        return false;
    ps_block_hold(block);
    if (counts)
        hold_own(home, block);
    else
        home->blocks[home->block_count++] = block;
    return true;
}

bool ps_batch_hold_all(struct ps_batch *batch, const struct ps_batch *other)
{
    struct ps_batch_home *home = ps_batch_home(batch);
    const struct ps_batch_home *from = ps_batch_home(other);
    for (uint32_t i = 0; i < from->block_count; i++) {
        struct ps_block *block = from->blocks[i];
        if (home_holds(home, block))
            continue;
        if (home->block_count == PS_BATCH_BLOCKS_MAX)
            return false;
        ps_block_hold(block);
        home->blocks[home->block_count++] = block;
    }
    home->meta_bytes += from->meta_bytes;
    home->bytes_bytes += from->bytes_bytes;
    home->own_bytes += from->own_bytes;
    return true;
}

char *ps_batch_meta_alloc(struct ps_batch *batch, uint32_t length, uint32_t alignment)
{
    struct ps_batch_home *home = ps_batch_home(batch);
    struct ps_bump *bump = home->bump;
    if (length > PS_BLOCK_BYTES / 2) { /* too long for the allocator's blocks: it gets a block of its own */
        struct ps_block_cache *cache = ps_pool_cache(bump->pool);
        if (home->block_count == PS_BATCH_BLOCKS_MAX)
            return NULL;
        struct ps_block *block =
            length > PS_BLOCK_BYTES ? ps_block_take_oversize(cache, length) : ps_block_take(cache);
        if (block == NULL)
            return NULL;
        hold_own(home, block);
        return block->base;
    }
    for (int attempt = 0; attempt < 2; attempt++) {
        if (bump->meta != NULL) {
            uint32_t down = bump->meta_down;
            if (down >= length && ((down - length) & ~(alignment - 1)) >= bump->meta_up) {
                if (!home_hold(home, bump->meta))
                    return NULL;
                bump->meta_down = (down - length) & ~(alignment - 1);
                return bump->meta->base + bump->meta_down;
            }
        }
        if (!ps_bump_new_meta(bump))
            return NULL;
    }
    return NULL;
}

char *ps_batch_alloc(struct ps_batch *batch, uint32_t length)
{
    return ps_batch_meta_alloc(batch, length, 1);
}

uint32_t ps_batch_block_count(const struct ps_batch *batch)
{
    return ps_batch_home(batch)->block_count;
}

uint64_t ps_batch_budget_bytes(const struct ps_batch *batch)
{
    return ps_depot_budget_bytes(ps_pool_cache(ps_batch_home(batch)->pool)->depot);
}

bool ps_batch_has_room(const struct ps_batch *batch, uint64_t length)
{
    const struct ps_batch_home *home = ps_batch_home(batch);
    const struct ps_bump *bump = home->bump;
    if (home->block_count + BLOCKS_SPARE >= PS_BATCH_BLOCKS_MAX)
        return false;
    if (bump->meta != NULL && bump->meta_down - bump->meta_up >= length + ROOM_SPARE)
        return true;
    uint64_t held = length > PS_BLOCK_BYTES ? length : PS_BLOCK_BYTES;
    for (uint32_t i = 0; i < home->block_count; i++)
        held += home->blocks[i]->size;
    return held <= ps_batch_budget_bytes(batch) / 2;
}

/* ---- filling ---- */

struct ps_event *ps_batch_add(struct ps_batch *batch, char *body, uint32_t length)
{
    struct ps_batch_home *home = ps_batch_home(batch);
    struct ps_bump *bump = home->bump;
    uint32_t end = bump->meta_up + (uint32_t)sizeof(struct ps_event);
    if (PS_UNLIKELY(batch->count == batch->capacity || bump->meta_down < end + ROWS_HEADROOM ||
                    home->blocks[0] != bump->meta)) {
        batch->full = true;
        return NULL;
    }
    bump->meta_up = end;
    struct ps_event *event = &batch->events[batch->count++];
    *event = (struct ps_event){.body = body, .body_length = length};
    batch->body_bytes += length;
    return event;
}

uint32_t ps_batch_rows_room(const struct ps_batch *batch)
{
    const struct ps_batch_home *home = ps_batch_home(batch);
    const struct ps_bump *bump = home->bump;
    uint32_t room = 0;
    if (home->blocks[0] == bump->meta && bump->meta_down > bump->meta_up + ROWS_HEADROOM)
        room = (bump->meta_down - bump->meta_up - ROWS_HEADROOM) / (uint32_t)sizeof(struct ps_event);
    return room < batch->capacity - batch->count ? room : batch->capacity - batch->count;
}

uint32_t ps_batch_add_run(struct ps_batch *batch, char *bodies, uint32_t length, uint32_t count)
{
    struct ps_bump *bump = ps_batch_home(batch)->bump;
    uint32_t room = ps_batch_rows_room(batch);
    if (count > room) {
        count = room;
        batch->full = true;
    }
    struct ps_event *event = &batch->events[batch->count];
    for (uint32_t i = 0; i < count; i++)
        event[i] = (struct ps_event){.body = bodies + (size_t)i * length, .body_length = length};
    batch->count += count;
    bump->meta_up += count * (uint32_t)sizeof(struct ps_event);
    batch->body_bytes += (uint64_t)count * length;
    return count;
}

char *ps_batch_reserve(struct ps_batch *batch, uint32_t minimum, uint32_t *room)
{
    struct ps_batch_home *home = ps_batch_home(batch);
    struct ps_bump *bump = home->bump;
    if (minimum < bump->left)
        minimum = bump->left;
    PS_ASSERT(minimum <= PS_BLOCK_BYTES);
    if (bump->bytes == NULL || bump->bytes->size - bump->bytes_used < minimum) {
        if (home->block_count >= PS_BATCH_FILL_BLOCKS_MAX) {
            batch->full = true;
            return NULL;
        }
        if (!ps_bump_new_bytes(bump))
            return NULL;
    }
    if (!home_hold(home, bump->bytes)) {
        batch->full = true;
        return NULL;
    }
    *room = bump->bytes->size - bump->bytes_used;
    return bump->bytes->base + bump->bytes_used;
}

void ps_batch_commit(struct ps_batch *batch, uint32_t used)
{
    struct ps_bump *bump = ps_batch_home(batch)->bump;
    PS_ASSERT(used <= bump->bytes->size - bump->bytes_used);
    bump->bytes_used += used;
    bump->left = 0;
}

void ps_batch_leave(struct ps_batch *batch, uint32_t length)
{
    struct ps_bump *bump = ps_batch_home(batch)->bump;
    PS_ASSERT(length <= bump->bytes->size - bump->bytes_used);
    bump->left = length;
}

uint32_t ps_batch_left(const struct ps_batch *batch)
{
    return ps_batch_home(batch)->bump->left;
}

static struct ps_event *add_oversize(struct ps_batch *batch, const char *body, uint32_t length)
{
    struct ps_batch_home *home = ps_batch_home(batch);
    if (home->block_count >= PS_BATCH_FILL_BLOCKS_MAX) {
        batch->full = true;
        return NULL;
    }
    struct ps_block_cache *cache = ps_pool_cache(home->pool);
    struct ps_block *block = ps_block_take_oversize(cache, length);
    if (block == NULL)
        return NULL;
    struct ps_event *event = ps_batch_add(batch, block->base, length);
    if (event == NULL) {
        ps_block_drop(cache, block);
        return NULL;
    }
    memcpy(block->base, body, length);
    hold_own(home, block);
    return event;
}

struct ps_event *ps_batch_add_copy(struct ps_batch *batch, const char *body, uint32_t length)
{
    PS_ASSERT(ps_batch_left(batch) == 0);
    if (length > PS_BLOCK_BYTES)
        return add_oversize(batch, body, length);
    uint32_t room;
    char *bytes = ps_batch_reserve(batch, length, &room);
    if (bytes == NULL)
        return NULL;
    struct ps_event *event = ps_batch_add(batch, bytes, length);
    if (event == NULL)
        return NULL;
    if (length > 0)
        memcpy(bytes, body, length);
    ps_batch_commit(batch, length);
    return event;
}

static struct ps_slice slice_copy(struct ps_slice slice, char **room)
{
    struct ps_slice copy = {*room, slice.length};
    if (slice.length > 0)
        memcpy(*room, slice.data, slice.length);
    *room += slice.length;
    return copy;
}

static const struct ps_stream_name *stream_name_copy(struct ps_batch *batch,
                                                     const struct ps_stream_name *name)
{
    uint32_t bytes = (uint32_t)sizeof *name + name->group.length + name->name.length + name->member.length +
                     name->instance.length + name->cluster.length;
    char *room = ps_batch_meta_alloc(batch, bytes, 8);
    if (room == NULL)
        return NULL;
    struct ps_stream_name *copy = (struct ps_stream_name *)(void *)room;
    room += sizeof *copy;
    *copy = *name;
    copy->group = slice_copy(name->group, &room);
    copy->name = slice_copy(name->name, &room);
    copy->member = slice_copy(name->member, &room);
    copy->instance = slice_copy(name->instance, &room);
    copy->cluster = slice_copy(name->cluster, &room);
    return copy;
}

static struct ps_span *find_span(struct ps_batch *batch, uint32_t stream, uint32_t pass)
{
    for (uint32_t i = batch->span_count; i-- > 0;) {
        if (batch->spans[i].stream == stream && batch->spans[i].pass == pass)
            return &batch->spans[i];
    }
    return NULL;
}

bool ps_batch_span(struct ps_batch *batch, uint32_t stream, uint32_t pass, int64_t position,
                   const struct ps_stream_name *name)
{
    struct ps_span *span = find_span(batch, stream, pass);
    if (span != NULL) {
        if (position > span->position)
            span->position = position;
        return true;
    }
    if (batch->span_count == PS_BATCH_SPANS_MAX) {
        batch->full = true;
        return false;
    }
    if (batch->span_count % 16 == 0) { /* grows by copying: 16, 32, .. 256 */
        uint32_t bytes = (batch->span_count + 16) * (uint32_t)sizeof(struct ps_span);
        struct ps_span *spans = (struct ps_span *)(void *)ps_batch_meta_alloc(batch, bytes, 16);
        if (spans == NULL)
            return false;
        if (batch->span_count > 0)
            memcpy(spans, batch->spans, batch->span_count * sizeof *spans);
        batch->spans = spans;
    }
    const struct ps_stream_name *copy = name != NULL ? stream_name_copy(batch, name) : NULL;
    if (name != NULL && copy == NULL)
        return false;
    batch->spans[batch->span_count++] = (struct ps_span){stream, pass, position, copy, -1};
    return true;
}

void ps_batch_span_epoch(struct ps_batch *batch, uint32_t stream, uint32_t pass, int32_t epoch)
{
    struct ps_span *span = find_span(batch, stream, pass);
    if (span != NULL)
        span->epoch = epoch;
}

bool ps_batch_span_extend(struct ps_batch *batch, uint32_t stream, uint32_t pass, int64_t position,
                          int32_t epoch)
{
    struct ps_span *span = find_span(batch, stream, pass);
    if (span == NULL || position <= span->position)
        return false;
    span->position = position;
    span->epoch = epoch;
    return true;
}

struct ps_stream_name *ps_batch_span_name(struct ps_batch *batch, uint32_t stream, uint32_t pass)
{
    const struct ps_span *span = find_span(batch, stream, pass);
    return span != NULL ? (struct ps_stream_name *)(uintptr_t)span->name : NULL; /* the batch's own copy */
}

bool ps_batch_ticket(struct ps_batch *batch, uint64_t origin, uint32_t events)
{
    struct ps_ticket *last = batch->last_ticket;
    if (last != NULL && last->origin == origin && last->events_end + events == batch->count) {
        last->events += events;
        last->events_end = batch->count;
        return true;
    }
    struct ps_ticket *ticket = (struct ps_ticket *)(void *)ps_batch_meta_alloc(batch, sizeof *ticket, 8);
    if (ticket == NULL)
        return false;
    *ticket = (struct ps_ticket){.origin = origin, .events = events, .events_end = batch->count};
    if (last != NULL)
        last->next = ticket;
    else
        batch->tickets = ticket;
    batch->last_ticket = ticket;
    return true;
}

/* ---- back to a point ---- */

struct ps_batch_point ps_batch_point(const struct ps_batch *batch)
{
    const struct ps_batch_home *home = ps_batch_home(batch);
    const struct ps_bump *bump = home->bump;
    const struct ps_ticket *last = batch->last_ticket;
    return (struct ps_batch_point){
        .count = batch->count,
        .span_count = batch->span_count,
        .block_count = home->block_count,
        .meta_up = bump->meta_up,
        .meta_down = bump->meta_down,
        .meta = bump->meta,
        .shared = batch->shared,
        .spans = batch->spans,
        .last_ticket = batch->last_ticket,
        .last_ticket_events = last != NULL ? last->events : 0,
        .last_ticket_end = last != NULL ? last->events_end : 0,
        .origins = batch->origins,
        .origin_count = batch->origin_count,
        .last_origin_rows = batch->origin_count > 0 ? batch->origins[batch->origin_count - 1].count : 0,
        .own_mask = batch->own_mask,
        .shared_mask = batch->shared_mask,
        .body_bytes = batch->body_bytes,
        .meta_bytes = home->meta_bytes,
        .bytes_bytes = home->bytes_bytes,
        .own_bytes = home->own_bytes,
        .meta_taken = bump->taken.meta,
    };
}

/* Lets the bump allocator cut from the point's meta block again. If the batch no longer references that block, the
 * block may be freed: then the bump allocator keeps its current one. */
static void rewind_bump(struct ps_batch_home *home, const struct ps_batch_point *point)
{
    struct ps_bump *bump = home->bump;
    if (bump->meta != point->meta) {
        if (!home_holds(home, point->meta))
            return;
        ps_block_hold(point->meta);
        ps_block_drop(ps_pool_cache(bump->pool), bump->meta);
        bump->meta = point->meta;
        bump->taken.meta = point->meta_taken;
    }
    bump->meta_up = point->meta_up;
    bump->meta_down = point->meta_down;
}

void ps_batch_rewind(struct ps_batch *batch, const struct ps_batch_point *point)
{
    struct ps_batch_home *home = ps_batch_home(batch);
    rewind_bump(home, point);
    while (home->block_count > point->block_count)
        ps_block_drop(ps_pool_cache(home->pool), home->blocks[--home->block_count]);
    home->meta_bytes = point->meta_bytes;
    home->bytes_bytes = point->bytes_bytes;
    home->own_bytes = point->own_bytes;
    batch->count = point->count;
    batch->body_bytes = point->body_bytes;
    batch->shared = point->shared;
    batch->shared_mask = point->shared_mask;
    batch->own_mask = point->own_mask;
    batch->spans = point->spans;
    batch->span_count = point->span_count;
    batch->origins = point->origins;
    batch->origin_count = point->origin_count;
    if (point->origin_count > 0)
        point->origins[point->origin_count - 1].count = (uint16_t)point->last_origin_rows;
    batch->last_ticket = point->last_ticket;
    if (point->last_ticket == NULL) {
        batch->tickets = NULL;
        return;
    }
    point->last_ticket->next = NULL;
    point->last_ticket->events = point->last_ticket_events;
    point->last_ticket->events_end = point->last_ticket_end;
}

/* ---- taking and giving ---- */

struct ps_batch *ps_batch_take(struct ps_bump *bump, struct ps_now now)
{
    if (bump->meta == NULL || bump->meta_down - bump->meta_up < META_LEFT_MIN) {
        if (!ps_bump_new_meta(bump))
            return NULL;
    }
    if (bump->bytes == NULL || bump->bytes->size - bump->bytes_used < BYTES_LEFT_MIN + bump->left) {
        if (!ps_bump_new_bytes(bump))
            return NULL;
    }
    bump->meta_down = (bump->meta_down - (uint32_t)sizeof(struct ps_batch_home)) & ~(PS_CACHE_GAP - 1U);
    struct ps_batch_home *home = (struct ps_batch_home *)(void *)(bump->meta->base + bump->meta_down);
    struct ps_batch *batch = &home->batch;
    bump->meta_up = (bump->meta_up + 15) & ~15U;
    ps_pool_count(bump->pool, 1);
    batch->events = (struct ps_event *)(void *)(bump->meta->base + bump->meta_up);
    batch->count = 0;
    batch->capacity = PS_BATCH_EVENTS_MAX;
    batch->shared = NULL;
    batch->shared_mask = batch->own_mask = 0;
    batch->opened = now;
    batch->full = batch->flush = batch->any_order = batch->promised = batch->lists_shared = false;
    batch->spans = NULL;
    batch->span_count = 0;
    batch->tickets = batch->last_ticket = NULL;
    batch->body_bytes = 0;
    batch->sequence = 0;
    batch->origins = NULL;
    batch->origin_count = 0;
    home->bump = bump;
    home->pool = bump->pool;
    home->window = NULL;
    home->holders = home->promises = 0;
    home->complete = home->lost = home->in_window = home->refused = home->unreported = home->is_copy = false;
    home->block_count = home->taken_back = 0;
    home->meta_bytes = home->bytes_bytes = home->own_bytes = 0;
    home->next = NULL;
    ps_lease_init(&home->chain, batch);
    PS_ASSERT(home_hold(home, bump->meta)); /* this block becomes blocks[0], which has the rows */
    return batch;
}

void ps_batch_close(struct ps_batch *batch)
{
    struct ps_lease *chain = ps_batch_chain(batch);
    chain->count = ps_batch_home(batch)->read_count = batch->count;
    chain->bytes = batch->body_bytes;
}

static uint64_t at_most(uint64_t bytes, uint64_t limit)
{
    return bytes < limit ? bytes : limit;
}

void ps_batch_charge(struct ps_lease *lease, const struct ps_carved *mark)
{
    const struct ps_batch_home *home = ps_batch_home(lease->batch);
    struct ps_carved now = ps_bump_taken(home->bump);
    uint64_t bytes = at_most(now.meta - mark->meta, home->meta_bytes + mark->meta_left) + home->own_bytes;
    if (home->bytes_bytes > 0)
        bytes += at_most(now.bytes - mark->bytes, home->bytes_bytes + mark->bytes_left);
    lease->memory_bytes = (uint32_t)at_most(bytes, UINT32_MAX);
}

/* If the batch has no bodies in the bump allocator's blocks, the mark of the bytes blocks stays where it is: the
 * next lease is charged with all bytes that were carved since that mark. */
void ps_batch_mark(const struct ps_lease *lease, struct ps_carved *mark)
{
    const struct ps_batch_home *home = ps_batch_home(lease->batch);
    struct ps_carved now = ps_bump_taken(home->bump);
    if (home->bytes_bytes == 0) {
        now.bytes = mark->bytes;
        now.bytes_left = mark->bytes_left;
    }
    *mark = now;
}

void ps_batch_give(struct ps_batch *batch)
{
    struct ps_batch_home *home = ps_batch_home(batch);
    PS_ASSERT(home->holders == 0);
    struct ps_pool *pool = home->pool;
    ps_pool_count(pool, -1);
    for (uint32_t i = home->block_count; i-- > 0;) /* [0] last: the descriptor is in it */
        ps_block_drop(ps_pool_cache(pool), home->blocks[i]);
}
