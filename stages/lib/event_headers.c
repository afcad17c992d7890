#include "stages/lib/event_headers.h"

#include <string.h>

#define LINEAR_MAX 16U /* up to this number, headers of an event are compared one by one */

void ps_event_headers_begin(struct ps_event_headers *headers)
{
    memset(headers->names, 0, sizeof headers->names);
}

void ps_event_headers_expect(struct ps_event_headers *headers, uint32_t count)
{
    uint32_t room = 1;
    PS_ASSERT(count <= PS_EVENT_HEADERS_MAX);
    headers->mask = 0;
    if (count <= LINEAR_MAX)
        return;
    while (room < 2 * count)
        room *= 2;
    memset(headers->index, 0, room * sizeof headers->index[0]);
    headers->mask = room - 1;
}

/* Returns the name in this batch. NULL: no memory. */
static const struct ps_name *find_name(struct ps_event_headers *headers, struct ps_batch *batch,
                                       const struct ps_slice *text)
{
    uint32_t hash = ps_name_hash(text->data, text->length);
    const struct ps_name **place = &headers->names[hash % PS_EVENT_HEADERS_NAMES];
    if (*place == NULL || (*place)->length != text->length ||
        memcmp((*place)->text, text->data, text->length) != 0) {
        const struct ps_name *made = ps_batch_name(batch, text->data, text->length);
        if (made == NULL)
            return NULL;
        *place = made;
    }
    return *place;
}

/* Returns the place in the index of the header with this name, or a free place. */
static struct ps_header **index_find(struct ps_event_headers *headers, const struct ps_name *name)
{
    uint32_t at = ps_name_keyed_hash32(name->text, name->length) & headers->mask;
    while (headers->index[at] != NULL && !ps_name_equal(headers->index[at]->name, name))
        at = (at + 1) & headers->mask;
    return &headers->index[at];
}

bool ps_event_headers_add(struct ps_event_headers *headers, struct ps_batch *batch, struct ps_event *event,
                          const struct ps_slice *text, const struct ps_slice *value)
{
    const struct ps_name *name = find_name(headers, batch, text);
    if (name == NULL)
        return false;
    if (headers->mask == 0)
        return ps_batch_header_set(batch, event, name, value->data, value->length);
    struct ps_header **place = index_find(headers, name);
    if (*place != NULL) {
        (*place)->value = value->data;
        (*place)->value_length = value->length;
        return true;
    }
    if (!ps_batch_header_add(batch, event, name, value->data, value->length))
        return false;
    *place = event->headers;
    return true;
}

void ps_event_withdraw(struct ps_event_headers *headers, struct ps_batch *batch,
                       const struct ps_batch_point *point)
{
    ps_batch_rewind(batch, point);
    ps_event_headers_begin(headers); /* names that were made for the event are gone */
    /* if the event was alone in the batch, memory is missing: the caller tries again later */
    batch->full = batch->count > 0;
}
