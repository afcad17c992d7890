#include "stages/lib/legacy_event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_BYTES 24U

static struct ps_slice text_of(const char *text)
{
    return (struct ps_slice){text, (uint32_t)strlen(text)};
}

struct adding {
    struct ps_event_headers *headers;
    struct ps_batch *batch;
    struct ps_event *event;
};

static bool add(const struct adding *adding, const char *name, struct ps_slice value)
{
    struct ps_slice key = text_of(name);
    return ps_event_headers_add(adding->headers, adding->batch, adding->event, &key, &value);
}

static bool add_number(const struct adding *adding, const char *name, int64_t number)
{
    char *text = ps_batch_alloc(adding->batch, NUMBER_BYTES);
    if (text == NULL)
        return false;
    int length = snprintf(text, NUMBER_BYTES, "%" PRId64, number);
    return add(adding, name, (struct ps_slice){text, (uint32_t)length});
}

static bool add_all(const struct adding *adding, const struct ps_legacy_event *event)
{
    static const char *const priorities[PS_LEGACY_PRIORITIES] = {"FATAL", "ERROR", "WARN",
                                                                 "INFO",  "DEBUG", "TRACE"};
    ps_event_headers_expect(adding->headers, event->sizes.count);
    bool named = event->has_priority && event->priority < PS_LEGACY_PRIORITIES;
    if ((event->has_host && !add(adding, "host", event->host)) ||
        !add_number(adding, "timestamp", event->timestamp) ||
        (named && !add(adding, "pri", text_of(priorities[event->priority]))) ||
        !add_number(adding, "nanos", event->nanos))
        return false;
    for (uint32_t i = 0; i < event->field_count; i++) {
        struct ps_slice name, value;
        event->next_field(event->cursor, &name, &value);
        if (!ps_event_headers_add(adding->headers, adding->batch, adding->event, &name, &value))
            return false;
    }
    return add(adding, "FlumeOG", text_of("yes"));
}

bool ps_legacy_event_add(struct ps_event_headers *headers, struct ps_batch *batch,
                         const struct ps_legacy_event *event)
{
    const struct ps_batch_point point = ps_batch_point(batch);
    struct adding adding = {headers, batch,
                            ps_batch_add(batch, (char *)(uintptr_t)event->body.data, event->body.length)};
    if (adding.event == NULL)
        return false;
    if (add_all(&adding, event))
        return true;
    ps_event_withdraw(headers, batch, &point);
    return false;
}
