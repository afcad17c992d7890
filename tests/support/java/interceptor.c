/* Interceptors: they answer with the same events, in different ways. */
#include "tests/support/java/process.h"

#include <stdlib.h>

/* Writes the entry of an event: what the reply does not have is taken from the event. */
static void put_entry(struct java_process *process, uint32_t origin, const struct ps_java_event *read,
                      struct ps_java_reader reader)
{
    struct ps_java_event event = {.origin = origin, .flags = (uint32_t)java_draw(process, 4)};
    struct ps_slice name, value, body;
    uint32_t start = fake_entries.bytes;
    fake_put(&event, sizeof event);
    for (uint32_t i = 0; i < read->header_count; i++) {
        char text[64];
        assert_true(ps_java_reader_header(&reader, &name, &value) && name.length < sizeof text);
        memcpy(text, name.data, name.length);
        text[name.length] = '\0';
        if ((event.flags & PS_JAVA_EVENT_HEADERS) != 0) {
            fake_put_header(text, value.data, value.length);
            event.header_count++;
        }
    }
    assert_true(ps_java_reader_body(&reader, read, &body));
    if ((event.flags & PS_JAVA_EVENT_BODY) != 0) {
        fake_put(body.data, body.length);
        event.body_length = body.length;
    }
    fake_end_entry(start, &event);
}

/* Returns whether the class drops the event. */
static bool drops(const struct java_process *process, const struct java_batch *batch,
                  const struct ps_java_event *read, struct ps_java_reader reader)
{
    struct ps_slice name, value, body;
    struct flow_body head;
    if (!process->flow->sources[batch->component->number].java_drops)
        return false;
    for (uint32_t i = 0; i < read->header_count; i++)
        assert_true(ps_java_reader_header(&reader, &name, &value));
    assert_true(ps_java_reader_body(&reader, read, &body) && body.length >= sizeof head);
    memcpy(&head, body.data, sizeof head);
    return flow_drops(process->flow, head.origin, head.number);
}

static void make_reply(struct java_process *process, const struct java_batch *batch)
{
    char *bytes = malloc(batch->bytes);
    assert_non_null(bytes);
    java_read(process, batch->offset, bytes, batch->bytes);
    struct ps_java_reader reader = {.base = bytes, .size = (uint32_t)batch->bytes};
    struct ps_java_event event;
    fake_entries.bytes = fake_entries.count = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        assert_true(ps_java_reader_next(&reader, &event));
        if (!drops(process, batch, &event, reader))
            put_entry(process, i, &event, reader);
    }
    free(bytes);
}

static void reply(struct java_process *process, struct java_batch *batch, bool unchanged)
{
    const uint64_t numbers[] = {batch->number, unchanged ? 0 : fake_entries.bytes,
                                unchanged ? batch->count : fake_entries.count, unchanged};
    if (!unchanged)
        java_write(process, batch->reply_offset, fake_entries.data, fake_entries.bytes);
    java_send(process, PS_JAVA_REPLY, batch->component->link, numbers, 4, NULL);
    process->last_reply = batch->number;
    process->last_reply_link = batch->component->link;
    batch->component = NULL;
}

static void throw(struct java_process * process, struct java_batch *batch, bool much)
{
    const uint64_t numbers[] = {batch->number, much};
    java_send(process, PS_JAVA_TROUBLE, batch->component->link, numbers, 2, "it throws, as drawn");
    batch->component = NULL;
}

/* Returns whether the class may make too much of the batch. A single event is given up then: one that the class drops. */
static bool may_make_too_much(struct java_process *process, const struct java_batch *batch)
{
    if (batch->count > 1)
        return true;
    make_reply(process, batch);
    return fake_entries.count == 0;
}

void java_interceptor_turn(struct java_process *process, struct java_batch *batch)
{
    const struct flow_source *source = &process->flow->sources[batch->component->number];
    if (process->chances->fail > 0 && java_draw(process, 20) == 0) {
        throw(process, batch, java_draw(process, 2) == 0 && may_make_too_much(process, batch));
        return;
    }
    bool unchanged = !source->java_drops && java_draw(process, 2) == 0;
    if (!unchanged)
        make_reply(process, batch);
    if (!unchanged && fake_entries.bytes > batch->reply_most) {
        throw(process, batch, true);
        return;
    }
    if (!unchanged && (fake_entries.bytes > batch->reply_size || java_draw(process, 10) == 0)) {
        const uint64_t need[] = {batch->number, batch->reply_size + 1 + java_draw(process, 100000)};
        java_send(process, PS_JAVA_NEED, batch->component->link, need, 2, NULL);
        batch->waits = true;
        return;
    }
    reply(process, batch, unchanged);
}
