#include "stages/lib/java/exchange/events.h"

#include <string.h>

#define ROUNDED(bytes) (((bytes) + 3U) & ~UINT64_C(3))

static inline bool has_no_headers(const struct ps_batch *batch, const struct ps_event *event)
{
    return event->headers == NULL && batch->shared == NULL;
}

uint64_t ps_java_event_bytes(const struct ps_batch *batch, const struct ps_event *event)
{
    if (has_no_headers(batch, event))
        return ROUNDED(sizeof(struct ps_java_event) + (uint64_t)event->body_length);
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    uint64_t bytes = sizeof(struct ps_java_event) + event->body_length;
    while ((header = ps_headers_next(&cursor)) != NULL)
        bytes += 2 * sizeof(uint32_t) + header->name->length + header->value_length;
    return ROUNDED(bytes);
}

static char *put(char *to, const void *bytes, size_t length)
{
    if (length > 0)
        memcpy(to, bytes, length);
    return to + length;
}

/* Writes the entry of an event without headers: the body follows the head, so no cursor is needed. */
static char *write_body(char *to, const struct ps_event *event)
{
    struct ps_java_event head = {.size = (uint32_t)ROUNDED(sizeof head + (uint64_t)event->body_length),
                                 .origin = PS_JAVA_NO_ORIGIN,
                                 .flags = PS_JAVA_EVENT_BODY | PS_JAVA_EVENT_HEADERS,
                                 .body_length = event->body_length};
    memcpy(to, &head, sizeof head);
    (void)put(to + sizeof head, event->body, event->body_length);
    return to + head.size;
}

char *ps_java_event_write(char *to, const struct ps_batch *batch, const struct ps_event *event)
{
    if (has_no_headers(batch, event))
        return write_body(to, event);
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    struct ps_java_event head = {.origin = PS_JAVA_NO_ORIGIN,
                                 .flags = PS_JAVA_EVENT_BODY | PS_JAVA_EVENT_HEADERS,
                                 .body_length = event->body_length};
    char *at = to + sizeof head;
    while ((header = ps_headers_next(&cursor)) != NULL) {
        at = put(at, &header->name->length, sizeof header->name->length);
        at = put(at, &header->value_length, sizeof header->value_length);
        at = put(at, header->name->text, header->name->length);
        at = put(at, header->value, header->value_length);
        head.header_count++;
    }
    at = put(at, event->body, event->body_length);
    head.size = (uint32_t)ROUNDED((uint64_t)(at - to));
    memcpy(to, &head, sizeof head);
    return to + head.size;
}

bool ps_java_reader_next(struct ps_java_reader *reader, struct ps_java_event *event)
{
    if (reader->size - reader->at < sizeof *event)
        return false;
    memcpy(event, reader->base + reader->at, sizeof *event);
    __asm__ volatile("" ::: "memory"); /* the copy is used: nothing is read from the area again */
    if (event->size < sizeof *event || event->size % 4 != 0 || event->size > reader->size - reader->at ||
        event->header_count > PS_EVENT_HEADERS_MAX)
        return false;
    reader->next = reader->at + (uint32_t)sizeof *event;
    reader->end = reader->at + event->size;
    reader->at = reader->end;
    return true;
}

bool ps_java_reader_header(struct ps_java_reader *reader, struct ps_slice *name, struct ps_slice *value)
{
    uint32_t lengths[2];
    if (reader->end - reader->next < sizeof lengths)
        return false;
    memcpy(lengths, reader->base + reader->next, sizeof lengths);
    __asm__ volatile("" ::: "memory");
    reader->next += (uint32_t)sizeof lengths;
    uint32_t left = reader->end - reader->next;
    if (lengths[0] > PS_HEADER_NAME_BYTES_MAX || lengths[0] > left || lengths[1] > left - lengths[0])
        return false;
    *name = (struct ps_slice){reader->base + reader->next, lengths[0]};
    *value = (struct ps_slice){reader->base + reader->next + lengths[0], lengths[1]};
    reader->next += lengths[0] + lengths[1];
    return true;
}

bool ps_java_reader_body(struct ps_java_reader *reader, const struct ps_java_event *event,
                         struct ps_slice *body)
{
    if (event->body_length > reader->end - reader->next)
        return false;
    *body = (struct ps_slice){reader->base + reader->next, event->body_length};
    reader->next += event->body_length;
    return true;
}

bool ps_java_reader_is_good(const struct ps_java_reader *reader, const struct ps_java_event *event)
{
    struct ps_java_reader walk = *reader;
    struct ps_header_sizes sizes = {.count = 0};
    struct ps_slice name, value, body;
    for (uint32_t i = 0; i < event->header_count; i++) {
        if (!ps_java_reader_header(&walk, &name, &value))
            return false;
        ps_header_sizes_add(&sizes, name.length, value.length);
    }
    return ps_header_sizes_refusal(&sizes) == NULL && ps_java_reader_body(&walk, event, &body) &&
           body.length <= PS_BODY_BYTES_MAX;
}
