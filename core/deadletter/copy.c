#include "core/deadletter/copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX PS_DEAD_LETTER_HEADER_PREFIX
#define PREFIX_LENGTH (sizeof PREFIX - 1)
#define NUMBER_BYTES 24U
#define OWN_HEADERS_MAX 8U

/* A header with the reason. */
struct own_header {
    const char *name;
    const char *value;
};

struct own_headers {
    struct own_header items[OWN_HEADERS_MAX];
    size_t count;
    char time[PS_DEAD_LETTER_TIME_BYTES], attempts[NUMBER_BYTES], times[NUMBER_BYTES], cut[NUMBER_BYTES];
};

static bool is_own_name(const struct ps_name *name)
{
    return name->length >= PREFIX_LENGTH && memcmp(name->text, PREFIX, PREFIX_LENGTH) == 0;
}

/* Returns how many dead letters were already made of the event. A dead letter that comes back as an event has this
 * number in a header. */
static unsigned times_before(const struct ps_dead_letter *letter)
{
    static const char name[] = PREFIX "count";
    const struct ps_header *header;
    if (letter->event == NULL)
        return 0;
    struct ps_header_cursor cursor = ps_headers_begin(letter->batch, letter->event);
    while ((header = ps_headers_next(&cursor)) != NULL) {
        if (header->name->length != sizeof name - 1 || memcmp(header->name->text, name, sizeof name - 1) != 0)
            continue;
        unsigned times = 0;
        for (uint32_t i = 0; i < header->value_length && i < 6; i++) {
            if (header->value[i] < '0' || header->value[i] > '9')
                return 0;
            times = times * 10 + (unsigned)(header->value[i] - '0');
        }
        return times;
    }
    return 0;
}

static void own_add(struct own_headers *own, const char *name, const char *value)
{
    own->items[own->count++] = (struct own_header){name, value};
}

/* Makes the headers that every letter adds. */
static void own_make(struct own_headers *own, const struct ps_dead_letter *letter, size_t length, bool cut)
{
    ps_dead_letter_print_time(own->time, letter->time_ms);
    snprintf(own->attempts, sizeof own->attempts, "%" PRIu32, letter->reason.attempts);
    snprintf(own->times, sizeof own->times, "%u", times_before(letter) + 1);
    own->count = 0;
    own_add(own, PREFIX "time", own->time);
    own_add(own, PREFIX "agent", letter->agent);
    own_add(own, PREFIX "component", letter->component);
    own_add(own, PREFIX "reason", letter->reason.code);
    own_add(own, PREFIX "text", letter->reason.text);
    own_add(own, PREFIX "attempts", own->attempts);
    own_add(own, PREFIX "count", own->times);
    if (!cut)
        return;
    snprintf(own->cut, sizeof own->cut, "%zu", length);
    own_add(own, PREFIX "length", own->cut);
}

/* Appends one header, or only counts its bytes when `at` is NULL. Returns the number of bytes. */
static size_t pack(char *at, const char *name, uint32_t name_length, const char *value, uint32_t value_length)
{
    const uint32_t lengths[2] = {name_length, value_length};
    if (at != NULL) {
        memcpy(at, lengths, sizeof lengths);
        memcpy(at + sizeof lengths, name, name_length);
        if (value_length > 0)
            memcpy(at + sizeof lengths + name_length, value, value_length);
    }
    return sizeof lengths + name_length + value_length;
}

/* Appends all headers: the event's, then the letter's own. Returns the number of bytes. */
static size_t pack_all(char *at, const struct ps_dead_letter *letter, const struct own_headers *own,
                       uint32_t *count)
{
    size_t bytes = 0;
    *count = 0;
    if (letter->event != NULL) {
        const struct ps_header *header;
        struct ps_header_cursor cursor = ps_headers_begin(letter->batch, letter->event);
        while ((header = ps_headers_next(&cursor)) != NULL) {
            if (is_own_name(header->name))
                continue;
            bytes += pack(at != NULL ? at + bytes : NULL, header->name->text, header->name->length,
                          header->value, header->value_length);
            ++*count;
        }
    }
    for (size_t i = 0; i < own->count; i++, ++*count) {
        const struct own_header *item = &own->items[i];
        bytes += pack(at != NULL ? at + bytes : NULL, item->name, (uint32_t)strlen(item->name), item->value,
                      (uint32_t)strlen(item->value));
    }
    return bytes;
}

struct ps_dead_letter_copy *ps_dead_letter_copy_make(const struct ps_dead_letter *letter, uint32_t body_max)
{
    const char *body = letter->event != NULL ? letter->event->body : letter->bytes;
    size_t length = letter->event != NULL ? letter->event->body_length : letter->length;
    uint32_t body_length = length > body_max ? body_max : (uint32_t)length;
    struct own_headers own;
    uint32_t count;
    own_make(&own, letter, length, length > body_max);
    size_t headers_bytes = pack_all(NULL, letter, &own, &count);
    size_t bytes = sizeof(struct ps_dead_letter_copy) + headers_bytes + body_length;
    struct ps_dead_letter_copy *copy = malloc(bytes);
    if (copy == NULL)
        return NULL;
    char *headers = (char *)(copy + 1), *end = headers + headers_bytes;
    (void)pack_all(headers, letter, &own, &count);
    if (body_length > 0)
        memcpy(end, body, body_length);
    *copy = (struct ps_dead_letter_copy){
        .bytes = bytes, .headers = headers, .header_count = count, .body = end, .body_length = body_length};
    return copy;
}

static bool add_header(struct ps_batch *batch, struct ps_event *event, const char *name, uint32_t name_length,
                       const char *value, uint32_t value_length)
{
    const struct ps_name *made = ps_batch_name(batch, name, name_length);
    char *text = made != NULL ? ps_batch_alloc(batch, value_length > 0 ? value_length : 1) : NULL;
    if (text == NULL)
        return false;
    if (value_length > 0)
        memcpy(text, value, value_length);
    return ps_batch_header_add(batch, event, made, text, value_length);
}

bool ps_dead_letter_copy_add(const struct ps_dead_letter_copy *copy, struct ps_batch *batch)
{
    const char *at = copy->headers;
    struct ps_event *event = ps_batch_add_copy(batch, copy->body, copy->body_length);
    bool added = event != NULL;
    for (uint32_t i = 0; added && i < copy->header_count; i++) {
        uint32_t lengths[2];
        memcpy(lengths, at, sizeof lengths);
        at += sizeof lengths;
        added = add_header(batch, event, at, lengths[0], at + lengths[0], lengths[1]);
        at += (size_t)lengths[0] + lengths[1];
    }
    if (event != NULL && !added) { /* removes the event again, which is the batch's last */
        batch->count--;
        batch->body_bytes -= copy->body_length;
    }
    return added;
}
