#include "core/batch.h"

#include <string.h>

/* A block is given up for a new one when less than this is left of it: room for a few rows with their
 * headers, or for one read. */
#define META_LEFT_MIN (PS_BLOCK_BYTES / 4)
#define BYTES_LEFT_MIN (PS_BLOCK_BYTES / 16)
#define ROWS_HEADROOM 1024U /* meta bytes kept free for headers when rows grow */

/* ---- blocks of a batch ---- */

static bool batch_holds(const struct ps_batch *batch, const struct ps_block *block)
{
    for (uint32_t i = batch->block_count; i-- > 0;) {
        if (batch->blocks[i] == block)
            return true;
    }
    return false;
}

/* Makes the batch one of the block's owners; false when its list is full. */
static bool batch_hold(struct ps_batch *batch, struct ps_block *block)
{
    if (batch_holds(batch, block))
        return true;
    if (batch->block_count == PS_BATCH_BLOCKS_MAX)
        return false;
    ps_block_hold(block);
    batch->blocks[batch->block_count++] = block;
    return true;
}

void ps_carver_init(struct ps_carver *carver, struct ps_pool *pool)
{
    *carver = (struct ps_carver){.pool = pool};
}

void ps_carver_fini(struct ps_carver *carver)
{
    struct ps_block_cache *cache = ps_pool_cache(carver->pool);
    if (carver->meta != NULL)
        ps_block_drop(cache, carver->meta);
    if (carver->bytes != NULL)
        ps_block_drop(cache, carver->bytes);
    *carver = (struct ps_carver){.pool = carver->pool};
}

/* A new meta block for the carver; the batches cut from the old one keep it alive. */
static bool carver_new_meta(struct ps_carver *carver)
{
    struct ps_block_cache *cache = ps_pool_cache(carver->pool);
    struct ps_block *block = ps_block_take(cache);
    if (block == NULL)
        return false;
    if (carver->meta != NULL)
        ps_block_drop(cache, carver->meta);
    carver->meta = block;
    carver->meta_up = 0;
    carver->meta_down = block->size;
    return true;
}

static bool carver_new_bytes(struct ps_carver *carver)
{
    struct ps_block_cache *cache = ps_pool_cache(carver->pool);
    struct ps_block *block = ps_block_take(cache);
    if (block == NULL)
        return false;
    if (carver->bytes != NULL) {
        if (carver->left > 0)
            memcpy(block->base, carver->bytes->base + carver->bytes_used, carver->left);
        ps_block_drop(cache, carver->bytes);
    }
    carver->bytes = block;
    carver->bytes_used = 0;
    return true;
}

/* `length` bytes from the top of the meta block, at the given alignment. */
static char *meta_alloc(struct ps_batch *batch, uint32_t length, uint32_t alignment)
{
    struct ps_carver *carver = batch->carver;
    if (length > PS_BLOCK_BYTES / 2) { /* too long to be carved: a block of its own */
        struct ps_block_cache *cache = ps_pool_cache(carver->pool);
        if (batch->block_count == PS_BATCH_BLOCKS_MAX)
            return NULL;
        struct ps_block *block =
            length > PS_BLOCK_BYTES ? ps_block_take_oversize(cache, length) : ps_block_take(cache);
        if (block == NULL)
            return NULL;
        batch->blocks[batch->block_count++] = block;
        return block->base;
    }
    for (int attempt = 0; attempt < 2; attempt++) {
        if (carver->meta != NULL) {
            uint32_t down = carver->meta_down;
            if (down >= length && ((down - length) & ~(alignment - 1)) >= carver->meta_up) {
                if (!batch_hold(batch, carver->meta))
                    return NULL;
                carver->meta_down = (down - length) & ~(alignment - 1);
                return carver->meta->base + carver->meta_down;
            }
        }
        if (!carver_new_meta(carver))
            return NULL;
    }
    return NULL;
}

char *ps_batch_alloc(struct ps_batch *batch, uint32_t length)
{
    return meta_alloc(batch, length, 1);
}

/* ---- filling ---- */

struct ps_event *ps_batch_add(struct ps_batch *batch, char *body, uint32_t length)
{
    struct ps_carver *carver = batch->carver;
    uint32_t end = carver->meta_up + (uint32_t)sizeof(struct ps_event);
    if (PS_UNLIKELY(batch->count == batch->capacity || carver->meta_down < end + ROWS_HEADROOM ||
                    batch->blocks[0] != carver->meta)) {
        batch->full = true;
        return NULL;
    }
    carver->meta_up = end;
    struct ps_event *event = &batch->events[batch->count++];
    *event = (struct ps_event){.body = body, .body_length = length};
    batch->body_bytes += length;
    return event;
}

uint32_t ps_batch_add_run(struct ps_batch *batch, char *bodies, uint32_t length, uint32_t count)
{
    struct ps_carver *carver = batch->carver;
    uint32_t room = 0;
    if (batch->blocks[0] == carver->meta && carver->meta_down > carver->meta_up + ROWS_HEADROOM)
        room = (carver->meta_down - carver->meta_up - ROWS_HEADROOM) / (uint32_t)sizeof(struct ps_event);
    if (room > batch->capacity - batch->count)
        room = batch->capacity - batch->count;
    if (count > room) {
        count = room;
        batch->full = true;
    }
    struct ps_event *event = &batch->events[batch->count];
    for (uint32_t i = 0; i < count; i++)
        event[i] = (struct ps_event){.body = bodies + (size_t)i * length, .body_length = length};
    batch->count += count;
    carver->meta_up += count * (uint32_t)sizeof(struct ps_event);
    batch->body_bytes += (uint64_t)count * length;
    return count;
}

char *ps_batch_reserve(struct ps_batch *batch, uint32_t minimum, uint32_t *room)
{
    struct ps_carver *carver = batch->carver;
    if (minimum < carver->left)
        minimum = carver->left;
    PS_ASSERT(minimum <= PS_BLOCK_BYTES);
    if (carver->bytes == NULL || carver->bytes->size - carver->bytes_used < minimum) {
        if (batch->block_count + 2 >=
            PS_BATCH_BLOCKS_MAX) { /* two stay for headers and bodies that interceptors make */
            batch->full = true;
            return NULL;
        }
        if (!carver_new_bytes(carver))
            return NULL;
    }
    if (!batch_hold(batch, carver->bytes)) {
        batch->full = true;
        return NULL;
    }
    *room = carver->bytes->size - carver->bytes_used;
    return carver->bytes->base + carver->bytes_used;
}

void ps_batch_commit(struct ps_batch *batch, uint32_t used)
{
    struct ps_carver *carver = batch->carver;
    PS_ASSERT(used <= carver->bytes->size - carver->bytes_used);
    carver->bytes_used += used;
    carver->left = 0;
}

void ps_batch_leave(struct ps_batch *batch, uint32_t length)
{
    struct ps_carver *carver = batch->carver;
    PS_ASSERT(length <= carver->bytes->size - carver->bytes_used);
    carver->left = length;
}

uint32_t ps_batch_left(const struct ps_batch *batch)
{
    return batch->carver->left;
}

static struct ps_event *add_oversize(struct ps_batch *batch, const char *body, uint32_t length)
{
    if (batch->block_count + 2 >= PS_BATCH_BLOCKS_MAX) {
        batch->full = true;
        return NULL;
    }
    struct ps_block_cache *cache = ps_pool_cache(batch->carver->pool);
    struct ps_block *block = ps_block_take_oversize(cache, length);
    if (block == NULL)
        return NULL;
    struct ps_event *event = ps_batch_add(batch, block->base, length);
    if (event == NULL) {
        ps_block_drop(cache, block);
        return NULL;
    }
    memcpy(block->base, body, length);
    batch->blocks[batch->block_count++] = block;
    return event;
}

struct ps_event *ps_batch_add_copy(struct ps_batch *batch, const char *body, uint32_t length)
{
    PS_ASSERT(batch->carver->left == 0);
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

bool ps_batch_span(struct ps_batch *batch, uint32_t stream, uint32_t generation, int64_t position)
{
    for (uint32_t i = batch->span_count; i-- > 0;) {
        struct ps_span *span = &batch->spans[i];
        if (span->stream == stream && span->generation == generation) {
            if (position > span->position)
                span->position = position;
            return true;
        }
    }
    if (batch->span_count == PS_BATCH_SPANS_MAX) {
        batch->full = true;
        return false;
    }
    if (batch->span_count % 16 == 0) { /* grows by copying: 16, 32, .. 256 */
        uint32_t bytes = (batch->span_count + 16) * (uint32_t)sizeof(struct ps_span);
        struct ps_span *spans = (struct ps_span *)(void *)meta_alloc(batch, bytes, 16);
        if (spans == NULL)
            return false;
        if (batch->span_count > 0)
            memcpy(spans, batch->spans, batch->span_count * sizeof *spans);
        batch->spans = spans;
    }
    batch->spans[batch->span_count++] = (struct ps_span){stream, generation, position};
    return true;
}

bool ps_batch_ticket(struct ps_batch *batch, uint64_t origin, uint32_t events)
{
    struct ps_ticket *last = batch->last_ticket;
    if (last != NULL && last->origin == origin && last->events_end + events == batch->count) {
        last->events += events;
        last->events_end = batch->count;
        return true;
    }
    struct ps_ticket *ticket = (struct ps_ticket *)(void *)meta_alloc(batch, sizeof *ticket, 8);
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

/* ---- headers ---- */

const struct ps_name *ps_batch_name(struct ps_batch *batch, const char *text, size_t length)
{
    if (length > 65536)
        return NULL;
    struct ps_name *name =
        (struct ps_name *)(void *)meta_alloc(batch, (uint32_t)(sizeof(struct ps_name) + length + 1), 8);
    if (name == NULL)
        return NULL;
    name->hash = ps_name_hash(text, length);
    name->mask = ps_name_mask(name->hash);
    name->length = (uint32_t)length;
    memcpy(name->text, text, length);
    name->text[length] = '\0';
    return name;
}

struct ps_header *ps_header_find(struct ps_header *list, const struct ps_name *name)
{
    while (list != NULL && !ps_name_equal(list->name, name))
        list = list->next;
    return list;
}

static bool header_push(struct ps_batch *batch, struct ps_header **list, const struct ps_name *name,
                        const char *value, uint32_t value_length)
{
    struct ps_header *header = (struct ps_header *)(void *)meta_alloc(batch, sizeof *header, 8);
    if (header == NULL)
        return false;
    *header = (struct ps_header){.name = name, .value = value, .next = *list, .value_length = value_length};
    *list = header;
    return true;
}

bool ps_batch_header_add(struct ps_batch *batch, struct ps_event *event, const struct ps_name *name,
                         const char *value, uint32_t value_length)
{
    if (!header_push(batch, &event->headers, name, value, value_length))
        return false;
    event->mask |= name->mask;
    batch->own_mask |= name->mask;
    return true;
}

bool ps_batch_header_set(struct ps_batch *batch, struct ps_event *event, const struct ps_name *name,
                         const char *value, uint32_t value_length)
{
    struct ps_header *header = event->mask & name->mask ? ps_header_find(event->headers, name) : NULL;
    if (header == NULL)
        return ps_batch_header_add(batch, event, name, value, value_length);
    header->value = value;
    header->value_length = value_length;
    return true;
}

static void header_unlink(struct ps_header **list, const struct ps_name *name)
{
    while (*list != NULL) {
        if (ps_name_equal((*list)->name, name))
            *list = (*list)->next;
        else
            list = &(*list)->next;
    }
}

/* Gives every event its own copy of the shared headers it does not override, so that one event can then
 * differ. */
static bool shared_spell_out(struct ps_batch *batch)
{
    for (struct ps_header *shared = batch->shared; shared != NULL; shared = shared->next) {
        for (uint32_t row = 0; row < batch->count; row++) {
            struct ps_event *event = &batch->events[row];
            if ((event->mask & shared->name->mask) && ps_header_find(event->headers, shared->name) != NULL)
                continue;
            if (!ps_batch_header_add(batch, event, shared->name, shared->value, shared->value_length))
                return false;
        }
    }
    batch->shared = NULL;
    batch->shared_mask = 0;
    return true;
}

bool ps_batch_header_remove(struct ps_batch *batch, struct ps_event *event, const struct ps_name *name)
{
    if ((batch->shared_mask & name->mask) && ps_header_find(batch->shared, name) != NULL &&
        !shared_spell_out(batch))
        return false;
    if (event->mask & name->mask)
        header_unlink(&event->headers, name);
    return true;
}

void ps_batch_shared_remove(struct ps_batch *batch, const struct ps_name *name)
{
    if (batch->shared_mask & name->mask)
        header_unlink(&batch->shared, name);
    if ((batch->own_mask & name->mask) == 0)
        return;
    for (uint32_t row = 0; row < batch->count; row++) {
        if (batch->events[row].mask & name->mask)
            header_unlink(&batch->events[row].headers, name);
    }
}

bool ps_batch_shared_set(struct ps_batch *batch, const struct ps_name *name, const char *value,
                         uint32_t value_length, bool replace)
{
    struct ps_header *header = batch->shared_mask & name->mask ? ps_header_find(batch->shared, name) : NULL;
    if (header != NULL && !replace)
        return true;
    char *copy = ps_batch_alloc(batch, value_length > 0 ? value_length : 1);
    if (copy == NULL)
        return false;
    if (value_length > 0)
        memcpy(copy, value, value_length);
    if (header == NULL && !header_push(batch, &batch->shared, name, copy, value_length))
        return false;
    if (header != NULL) {
        header->value = copy;
        header->value_length = value_length;
    }
    batch->shared_mask |= name->mask;
    if (replace && (batch->own_mask & name->mask)) {
        for (uint32_t row = 0; row < batch->count; row++) {
            if (batch->events[row].mask & name->mask)
                header_unlink(&batch->events[row].headers, name);
        }
    }
    return true;
}

struct ps_header_cursor ps_headers_begin(const struct ps_batch *batch, const struct ps_event *event)
{
    return (struct ps_header_cursor){.batch = batch, .event = event, .next = event->headers};
}

const struct ps_header *ps_headers_next(struct ps_header_cursor *cursor)
{
    for (;;) {
        if (cursor->next == NULL) {
            if (cursor->shared)
                return NULL;
            cursor->shared = true;
            cursor->next = cursor->batch->shared;
            continue;
        }
        struct ps_header *header = cursor->next;
        cursor->next = header->next;
        if (cursor->shared && (cursor->event->mask & header->name->mask) &&
            ps_header_find(cursor->event->headers, header->name) != NULL)
            continue;
        return header;
    }
}

/* ---- leases ---- */

bool ps_lease_filter(struct ps_lease *lease, bool (*keep)(void *argument, struct ps_event *event),
                     void *argument)
{
    uint32_t kept = 0;
    for (uint32_t position = 0; position < lease->count; position++) {
        struct ps_event *event = ps_lease_event(lease, position);
        bool stays = keep(argument, event);
        if (!stays && lease->index == NULL) {
            uint16_t *index =
                (uint16_t *)(void *)meta_alloc(lease->batch, lease->count * (uint32_t)sizeof *index, 2);
            if (index == NULL)
                return false;
            for (uint32_t i = 0; i < lease->count; i++)
                index[i] = (uint16_t)i;
            lease->index = index;
        }
        if (!stays) {
            lease->bytes -= event->body_length;
            continue;
        }
        if (lease->index != NULL)
            lease->index[kept] = lease->index[position];
        kept++;
    }
    lease->count = kept;
    return true;
}

static void lease_init(struct ps_lease *lease, struct ps_batch *batch)
{
    lease->batch = batch;
    lease->next = NULL;
    lease->index = NULL;
    lease->count = lease->cursor = lease->pending = lease->settled = 0;
    lease->bytes = 0;
    lease->memory_bytes = 0;
    lease->channel = UINT16_MAX;
    lease->promise = lease->failed = false;
    memset(lease->outcome, 0, sizeof lease->outcome);
}

struct ps_lease *ps_lease_split(struct ps_lease *chain, const uint16_t *index, uint32_t count)
{
    struct ps_batch *batch = chain->batch;
    if (batch->lease_count == ps_pool_limits(batch->home)->leases_max)
        return NULL;
    struct ps_lease *lease = &batch->leases[batch->lease_count];
    lease_init(lease, batch);
    lease->memory_bytes = chain->memory_bytes;
    if (index == NULL) { /* the chain's list is not edited any more: it can be shared */
        lease->index = chain->index;
        lease->count = chain->count;
        lease->bytes = chain->bytes;
    } else {
        lease->index = (uint16_t *)(void *)meta_alloc(batch, count * (uint32_t)sizeof *index, 2);
        if (lease->index == NULL)
            return NULL;
        memcpy(lease->index, index, count * sizeof *index);
        lease->count = count;
        for (uint32_t i = 0; i < count; i++)
            lease->bytes += batch->events[index[i]].body_length;
    }
    batch->lease_count++;
    return lease;
}

void ps_lease_settle_all(struct ps_lease *lease)
{
    memset(lease->outcome, 0xFF, sizeof lease->outcome);
    lease->settled = lease->count;
    lease->cursor = lease->count;
}

/* ---- taking and giving ---- */

struct ps_batch *ps_batch_take(struct ps_carver *carver, struct ps_now now)
{
    if (carver->meta == NULL || carver->meta_down - carver->meta_up < META_LEFT_MIN) {
        if (!carver_new_meta(carver))
            return NULL;
    }
    if (carver->bytes == NULL || carver->bytes->size - carver->bytes_used < BYTES_LEFT_MIN + carver->left) {
        if (!carver_new_bytes(carver))
            return NULL;
    }
    struct ps_batch *batch = ps_pool_take(carver->pool);
    if (batch == NULL)
        return NULL;
    carver->meta_up = (carver->meta_up + 15) & ~15U;
    batch->events = (struct ps_event *)(void *)(carver->meta->base + carver->meta_up);
    batch->count = 0;
    batch->capacity = PS_BATCH_EVENTS_MAX;
    batch->shared = NULL;
    batch->shared_mask = batch->own_mask = 0;
    batch->opened = now;
    batch->full = batch->flush = false;
    batch->spans = NULL;
    batch->span_count = 0;
    batch->tickets = batch->last_ticket = NULL;
    batch->body_bytes = 0;
    batch->carver = carver;
    batch->meta_up_first = carver->meta_up;
    batch->meta_down_first = carver->meta_down;
    batch->window = NULL;
    batch->sequence = 0;
    batch->holders = batch->promises = 0;
    batch->lease_count = 1;
    batch->complete = batch->lost = batch->in_window = false;
    batch->block_count = 0;
    lease_init(&batch->leases[0], batch);
    PS_ASSERT(batch_hold(batch, carver->meta)); /* always blocks[0]: where the rows stand */
    return batch;
}

/* Headers that interceptors add later are not counted: they are few, and shared ones are stored once. */
void ps_batch_close(struct ps_batch *batch)
{
    struct ps_lease *chain = &batch->leases[0];
    const struct ps_carver *carver = batch->carver;
    uint64_t meta = batch->count * sizeof(struct ps_event);
    if (carver->meta == batch->blocks[0])
        meta += batch->meta_down_first - carver->meta_down;
    chain->count = batch->count;
    chain->bytes = batch->body_bytes;
    chain->memory_bytes = (uint32_t)(batch->body_bytes + meta + sizeof *batch);
}

void ps_batch_give(struct ps_batch *batch)
{
    PS_ASSERT(batch->holders == 0);
    struct ps_block_cache *cache = ps_pool_cache(batch->home);
    for (uint32_t i = 0; i < batch->block_count; i++)
        ps_block_drop(cache, batch->blocks[i]);
    batch->block_count = 0;
    ps_pool_give(batch->home, batch);
}
