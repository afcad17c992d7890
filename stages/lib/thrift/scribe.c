#include "stages/lib/thrift/scribe.h"

#define CATEGORY_ID 1
#define MESSAGE_ID 2

struct entry {
    struct ps_slice category, message;
    bool has_category;
};

/* Reads an entry and moves past it. Returns NULL, or the reason why it is not valid. */
static const char *entry_read(struct ps_thrift_reader *in, struct entry *entry)
{
    struct ps_thrift_field field = {.id = 0};
    *entry = (struct entry){.has_category = false};
    while (ps_thrift_read_field(in, &field)) {
        if (field.type == PS_THRIFT_STRING && field.id == CATEGORY_ID) {
            entry->category = ps_thrift_read_text(in);
            entry->has_category = true;
        } else if (field.type == PS_THRIFT_STRING && field.id == MESSAGE_ID) {
            entry->message = ps_thrift_read_text(in);
        } else {
            ps_thrift_skip(in, field.type);
        }
    }
    return in->bad ? "a log entry is not complete" : NULL;
}

static const char *check(struct ps_thrift_reader *in)
{
    struct entry entry;
    return entry_read(in, &entry);
}

static bool add(struct ps_event_headers *headers, struct ps_batch *batch, struct ps_thrift_reader *in)
{
    static const struct ps_slice name = {"category", sizeof "category" - 1};
    struct entry entry;
    const char *why = entry_read(in, &entry);
    PS_ASSERT(why == NULL);
    const struct ps_batch_point point = ps_batch_point(batch);
    struct ps_event *event = ps_batch_add(batch, (char *)(uintptr_t)entry.message.data, entry.message.length);
    if (event == NULL)
        return false;
    if (!entry.has_category)
        return true;
    ps_event_headers_expect(headers, 1);
    if (ps_event_headers_add(headers, batch, event, &name, &entry.category))
        return true;
    ps_event_withdraw(headers, batch, &point);
    return false;
}

static const struct ps_thrift_method methods[] = {{.name = "Log", .list = true}};

const struct ps_thrift_service ps_thrift_scribe = {
    .methods = methods,
    .method_count = PS_COUNT_OF(methods),
    .accepted = 0,
    .refused = 1,
    .check = check,
    .add = add,
};
