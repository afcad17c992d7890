#include "stages/lib/java/exchange/reply.h"

#include "core/stage.h"

#include <string.h>

/* Number of slots for the names of a reply's headers, which are few different ones. */
#define NAMES 16U

void ps_java_reply_begin(struct ps_java_reply *reply, uint32_t bytes, uint32_t count)
{
    reply->bytes = bytes;
    reply->count = count;
    reply->copy = NULL;
    reply->checked = false;
    reply->rows = NULL;
    reply->next = reply->made = 0;
}

/* ---- check ---- */

/* Returns whether the entry adds headers to those of its origin. Such an entry is refused, because the event
 * could have more headers than is allowed. No honest host adds headers. */
static bool adds_headers(const struct ps_java_event *event)
{
    return event->origin != PS_JAVA_NO_ORIGIN && (event->flags & PS_JAVA_EVENT_HEADERS) == 0 &&
           event->header_count > 0;
}

/* The copy belongs to the agent alone, so nobody changes it after the check. */
static bool is_good(const struct ps_java_reply *reply, uint32_t origins)
{
    struct ps_java_reader reader = {.base = reply->copy, .size = reply->bytes};
    struct ps_java_event event;
    for (uint32_t i = 0; i < reply->count; i++) {
        if (!ps_java_reader_next(&reader, &event) ||
            (event.origin != PS_JAVA_NO_ORIGIN && event.origin >= origins) || adds_headers(&event) ||
            !ps_java_reader_is_good(&reader, &event))
            return false;
    }
    return reader.at == reply->bytes;
}

/* ---- rows ---- */

struct names {
    const struct ps_name *made[NAMES];
};

/* Returns the name in the batch's memory; NULL if there is no memory. */
static const struct ps_name *name_of(struct names *names, struct ps_batch *batch, struct ps_slice text)
{
    uint32_t slot =
        text.length > 0 ? (text.length * 31U + (unsigned char)text.data[text.length - 1]) % NAMES : 0;
    const struct ps_name *name = names->made[slot];
    if (name == NULL || name->length != text.length || memcmp(name->text, text.data, text.length) != 0)
        names->made[slot] = name = ps_batch_name(batch, text.data, text.length);
    return name;
}

static bool add_headers(struct ps_java_reply *reply, struct names *names, struct ps_batch *batch,
                        const struct ps_java_event *event, struct ps_event *row)
{
    struct ps_slice text, value;
    for (uint32_t i = 0; i < event->header_count; i++) {
        bool read = ps_java_reader_header(&reply->reader, &text, &value);
        PS_ASSERT(read);
        const struct ps_name *name = name_of(names, batch, text);
        if (name == NULL || !ps_batch_header_set(batch, row, name, value.data, value.length))
            return false;
    }
    return true;
}

/* Makes a dead letter of the event as the class got it. An event that the class has added gets no letter,
 * because no source has sent it. Returns false when there is no room for the letter. */
static bool give_up(const struct ps_java_event *event, struct ps_lease *lease, struct ps_port *port)
{
    static const struct ps_dead_letter_reason reason = {
        "event-unfit", "an interceptor in Java made an event of it that no channel can have", 0};
    if (event->origin == PS_JAVA_NO_ORIGIN || !ps_port_has_deadletter(port))
        return true;
    return ps_port_deadletter(port, lease->batch, ps_lease_event(lease, event->origin), &reason) > 0;
}

/* Makes the row of an entry. Returns false when there is no memory. */
static bool make_row(struct ps_java_reply *reply, struct names *names, struct ps_lease *lease,
                     const struct ps_java_event *event)
{
    struct ps_event *row = &reply->rows[reply->made];
    struct ps_slice body;
    *row = (struct ps_event){.body = NULL};
    reply->from[reply->made] = UINT16_MAX;
    if (event->origin != PS_JAVA_NO_ORIGIN) {
        *row = *ps_lease_event(lease, event->origin);
        reply->from[reply->made] = ps_lease_row(lease, event->origin);
    }
    if (event->flags & PS_JAVA_EVENT_HEADERS) {
        row->headers = NULL;
        row->mask = 0;
    }
    if (!add_headers(reply, names, lease->batch, event, row))
        return false;
    if ((event->flags & PS_JAVA_EVENT_BODY) || event->origin == PS_JAVA_NO_ORIGIN) {
        (void)ps_java_reader_body(&reply->reader, event, &body);
        row->body = (char *)(uintptr_t)body.data;
        row->body_length = body.length;
    }
    reply->made++;
    return true;
}

/* Makes a row of the next entry, or gives its event up. Returns false when there is no memory; the reader is then before the
 * entry. */
static bool add_entry(struct ps_java_reply *reply, struct names *names, struct ps_lease *lease,
                      struct ps_port *port)
{
    const struct ps_java_reader before = reply->reader;
    struct ps_java_event event;
    bool read = ps_java_reader_next(&reply->reader, &event);
    PS_ASSERT(read);
    bool is_given_up = (event.flags & PS_JAVA_EVENT_GIVEN_UP) != 0;
    if (is_given_up ? !give_up(&event, lease, port) : !make_row(reply, names, lease, &event)) {
        reply->reader = before;
        return false;
    }
    reply->next++;
    return true;
}

/* Returns false when there is no memory. */
static bool begin_rows(struct ps_java_reply *reply, struct ps_batch *batch)
{
    if (!ps_batch_shared_spell_out(batch))
        return false;
    if (reply->rows == NULL) {
        reply->rows = ps_batch_rows(batch, reply->count);
        reply->reader = (struct ps_java_reader){.base = reply->copy, .size = reply->bytes};
    }
    return reply->rows != NULL;
}

static enum ps_java_put put_nothing(struct ps_lease *lease)
{
    static const uint64_t nothing[PS_BATCH_EVENTS_MAX / 64];
    return ps_lease_filter_bits(lease, nothing) ? PS_JAVA_PUT_DONE : PS_JAVA_PUT_MEMORY;
}

bool ps_java_reply_give_up(struct ps_lease *lease, struct ps_port *port)
{
    const struct ps_java_event event = {.origin = 0};
    return give_up(&event, lease, port) && put_nothing(lease) == PS_JAVA_PUT_DONE;
}

enum ps_java_put ps_java_reply_put(struct ps_java_reply *reply, struct ps_lease *lease, struct ps_port *port,
                                   const char *area)
{
    struct names names = {{NULL}};
    if (reply->count == 0)
        return put_nothing(lease);
    if (reply->copy == NULL) {
        reply->copy = ps_batch_alloc(lease->batch, reply->bytes);
        if (reply->copy == NULL)
            return PS_JAVA_PUT_MEMORY;
        memcpy(reply->copy, area, reply->bytes);
    }
    if (!reply->checked && !is_good(reply, lease->count))
        return PS_JAVA_PUT_WRONG;
    reply->checked = true;
    if (!begin_rows(reply, lease->batch))
        return PS_JAVA_PUT_MEMORY;
    while (reply->next < reply->count) {
        if (!add_entry(reply, &names, lease, port))
            return PS_JAVA_PUT_MEMORY;
    }
    if (reply->made == 0)
        return put_nothing(lease);
    return ps_lease_replace(lease, reply->rows, reply->made, reply->from) ? PS_JAVA_PUT_DONE
                                                                          : PS_JAVA_PUT_MEMORY;
}
