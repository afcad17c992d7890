#include "stages/lib/java/exchange/entries.h"

#include <string.h>

/* Copies the remaining entries into memory of the batch. Returns NULL if the batch is full, or there is no
 * memory. */
static const char *copy_rest(struct ps_java_entries *entries, struct ps_batch *batch,
                             struct ps_block_cache *blocks)
{
    uint32_t left = entries->bytes - entries->at, room;
    if (left <= PS_BLOCK_BYTES) {
        char *copy = ps_batch_reserve(batch, left, &room);
        if (copy != NULL) {
            memcpy(copy, entries->memory + entries->at, left);
            ps_batch_commit(batch, left);
        }
        return copy;
    }
    bool first = entries->block == NULL;
    if (first) {
        entries->block = ps_block_take_oversize(blocks, entries->bytes);
        if (entries->block == NULL)
            return NULL;
        memcpy(entries->block->base, entries->memory, entries->bytes);
    }
    if (!ps_batch_refer(batch, entries->block, first)) {
        batch->full = true; /* its list of blocks is full */
        return NULL;
    }
    return entries->block->base + entries->at;
}

/* Adds the event whose head was read. Returns false if the batch is full, or there is no memory. */
static bool add_event(struct ps_event_headers *headers, struct ps_batch *batch,
                      const struct ps_java_reader *entry, const struct ps_java_event *event)
{
    struct ps_batch_point point = ps_batch_point(batch);
    struct ps_java_reader behind = *entry, reader = *entry;
    struct ps_slice name, value, body = {.length = 0};
    for (uint32_t i = 0; i < event->header_count; i++)
        (void)ps_java_reader_header(&behind, &name, &value);
    (void)ps_java_reader_body(&behind, event, &body);
    ps_event_headers_expect(headers, event->header_count);
    struct ps_event *row = ps_batch_add(batch, (char *)(uintptr_t)body.data, body.length);
    if (row == NULL)
        return false;
    for (uint32_t i = 0; i < event->header_count; i++) {
        (void)ps_java_reader_header(&reader, &name, &value);
        if (!ps_event_headers_add(headers, batch, row, &name, &value)) {
            ps_event_withdraw(headers, batch, &point);
            return false;
        }
    }
    return true;
}

static bool is_good(const struct ps_java_reader *reader, const struct ps_java_event *event)
{
    return event->origin == PS_JAVA_NO_ORIGIN &&
           event->flags == (PS_JAVA_EVENT_BODY | PS_JAVA_EVENT_HEADERS) &&
           ps_java_reader_is_good(reader, event);
}

static enum ps_java_read read_events(struct ps_java_entries *entries, struct ps_batch *batch,
                                     struct ps_event_headers *headers, const char *copy, uint64_t origin)
{
    struct ps_java_reader reader = {.base = copy, .size = entries->bytes - entries->at};
    struct ps_java_event event;
    if (!ps_batch_ticket(batch, origin, 0))
        return PS_JAVA_READ_NO_MEMORY;
    while (entries->taken < entries->count) {
        if (!ps_java_reader_next(&reader, &event) || !is_good(&reader, &event))
            return PS_JAVA_READ_WRONG;
        if (!add_event(headers, batch, &reader, &event))
            return batch->full ? PS_JAVA_READ_PART : PS_JAVA_READ_NO_MEMORY;
        PS_ASSERT(ps_batch_ticket(batch, origin, 1)); /* adds to the ticket made above */
        entries->at += event.size;
        entries->taken++;
    }
    return entries->at == entries->bytes ? PS_JAVA_READ_ALL : PS_JAVA_READ_WRONG;
}

enum ps_java_read ps_java_entries_read(struct ps_java_entries *entries, struct ps_batch *batch,
                                       struct ps_block_cache *blocks, struct ps_event_headers *headers,
                                       uint64_t origin)
{
    struct ps_batch_point point = ps_batch_point(batch);
    uint32_t before = batch->count;
    const char *copy = copy_rest(entries, batch, blocks);
    if (copy == NULL)
        return batch->full ? PS_JAVA_READ_PART : PS_JAVA_READ_NO_MEMORY;
    enum ps_java_read outcome = read_events(entries, batch, headers, copy, origin);
    if (batch->count == before)
        ps_batch_rewind(batch, &point); /* takes away the ticket */
    return outcome;
}

void ps_java_entries_drop(struct ps_java_entries *entries, struct ps_block_cache *blocks)
{
    if (entries->block != NULL)
        ps_block_drop(blocks, entries->block);
    entries->block = NULL;
}
