/* Headers of events, and headers shared by all events of a batch. Thread: the home worker writes them while
 * the batch is filled and in its chain; every owner of a lease reads them. */
#include "core/flow/batch_internal.h"
#include "core/flow/headers_room.h"

#include <string.h>

const struct ps_name *ps_batch_name(struct ps_batch *batch, const char *text, size_t length)
{
    if (length > PS_HEADER_NAME_BYTES_MAX)
        return NULL;
    struct ps_name *name = (struct ps_name *)(void *)ps_batch_meta_alloc(
        batch, (uint32_t)(sizeof(struct ps_name) + length + 1), 8);
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
    struct ps_header *header = (struct ps_header *)(void *)ps_batch_meta_alloc(batch, sizeof *header, 8);
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

bool ps_batch_headers_add(struct ps_batch *batch, struct ps_event *event, const struct ps_header *headers,
                          uint32_t count)
{
    if (count == 0)
        return true;
    struct ps_header *added =
        (struct ps_header *)(void *)ps_batch_meta_alloc(batch, count * (uint32_t)sizeof *added, 8);
    if (added == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        added[i] = headers[i];
        added[i].next = event->headers;
        event->headers = &added[i];
        event->mask |= headers[i].name->mask;
        batch->own_mask |= headers[i].name->mask;
    }
    return true;
}

struct ps_header *ps_batch_headers_room(struct ps_batch *batch, uint32_t count, uint32_t bytes)
{
    return (struct ps_header *)(void *)ps_batch_meta_alloc(
        batch, count * (uint32_t)sizeof(struct ps_header) + bytes, 8);
}

/* Gives the event, which has headers, a list of its own. Returns false when there is no memory. */
static bool list_own(struct ps_batch *batch, struct ps_event *event)
{
    uint32_t count = 0;
    for (const struct ps_header *header = event->headers; header != NULL; header = header->next)
        count++;
    struct ps_header *copies = ps_batch_headers_room(batch, count, 0);
    if (copies == NULL)
        return false;
    const struct ps_header *header = event->headers;
    for (uint32_t i = 0; i < count; i++, header = header->next) {
        copies[i] = *header;
        copies[i].next = i + 1 < count ? &copies[i + 1] : NULL;
    }
    event->headers = copies;
    return true;
}

bool ps_batch_header_set(struct ps_batch *batch, struct ps_event *event, const struct ps_name *name,
                         const char *value, uint32_t value_length)
{
    struct ps_header *header = event->mask & name->mask ? ps_header_find(event->headers, name) : NULL;
    if (header == NULL)
        return ps_batch_header_add(batch, event, name, value, value_length);
    if (batch->lists_shared) {
        if (!list_own(batch, event))
            return false;
        header = ps_header_find(event->headers, name);
    }
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

bool ps_batch_shared_spell_out(struct ps_batch *batch)
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
        !ps_batch_shared_spell_out(batch))
        return false;
    if ((event->mask & name->mask) == 0)
        return true;
    if (batch->lists_shared && ps_header_find(event->headers, name) != NULL && !list_own(batch, event))
        return false;
    header_unlink(&event->headers, name);
    return true;
}

/* A list that several rows have loses the header with the first of them; the others find nothing, or that the list
 * begins behind it. */
static void unlink_everywhere(struct ps_batch *batch, const struct ps_name *name)
{
    if ((batch->own_mask & name->mask) == 0)
        return;
    for (uint32_t row = 0; row < batch->count; row++) {
        if (batch->events[row].mask & name->mask)
            header_unlink(&batch->events[row].headers, name);
    }
}

void ps_batch_shared_remove(struct ps_batch *batch, const struct ps_name *name)
{
    if (batch->shared_mask & name->mask)
        header_unlink(&batch->shared, name);
    unlink_everywhere(batch, name);
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
    if (replace)
        unlink_everywhere(batch, name);
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
