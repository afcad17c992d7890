#include "tests/support/content.h"

const enum ps_framing ps_test_framings[3] = {PS_FRAMING_NONE, PS_FRAMING_NEWLINE, PS_FRAMING_OCTET_COUNTED};

struct ps_slice ps_test_unframed(struct ps_slice event, enum ps_framing framing)
{
    if (framing == PS_FRAMING_NEWLINE) {
        assert_int_equal(event.data[event.length - 1], '\n');
        event.length--;
        assert_null(memchr(event.data, '\n', event.length));
    } else if (framing == PS_FRAMING_OCTET_COUNTED) {
        char *rest;
        unsigned long length = strtoul(event.data, &rest, 10);
        assert_int_equal(*rest, ' ');
        event.length -= (uint32_t)(rest + 1 - event.data);
        event.data = rest + 1;
        assert_int_equal(length, event.length);
    }
    return event;
}

struct ps_content *ps_test_content(const struct ps_content_config *config)
{
    struct ps_content *content = NULL;
    struct ps_err err = {0};
    if (ps_content_create(&content, config, &err) != PS_OK)
        fail_msg("%s", err.text);
    return content;
}

void ps_test_events_render(struct ps_test_events *events, const struct ps_content *content, uint32_t source,
                           uint64_t first, uint32_t count, uint64_t last, uint64_t step_ns)
{
    struct ps_content_writer *writer = ps_content_writer_create(content);
    size_t room = (size_t)ps_content_event_bytes_max(content) * count;
    events->bytes = malloc(room);
    assert_non_null(writer);
    assert_non_null(events->bytes);
    assert_in_range(count, 1, PS_TEST_EVENTS_MAX);
    for (uint32_t i = 0; i < count; i++)
        events->due_ns[i] = PS_TEST_START_NS + (first + i) * step_ns;
    struct ps_content_order order = {source, first, last, events->due_ns, count};
    events->count = ps_content_render(writer, &order, events->bytes, room, events->ends);
    assert_int_equal(events->count, count);
    ps_content_writer_destroy(writer);
}

struct ps_slice ps_test_event(const struct ps_test_events *events, uint32_t i)
{
    uint32_t start = i == 0 ? 0 : events->ends[i - 1];
    return (struct ps_slice){events->bytes + start, events->ends[i] - start};
}

const char *ps_test_event_of(const char *template, bool stamp, uint64_t due_ns)
{
    static char text[4096];
    uint32_t end;
    struct ps_content_config config = {.template = template, .stamp = stamp, .run = 0x3fa9c2, .seed = 1};
    struct ps_content *content = ps_test_content(&config);
    struct ps_content_writer *writer = ps_content_writer_create(content);
    struct ps_content_order order = {42, 7, UINT64_MAX, &due_ns, 1};
    assert_int_equal(ps_content_render(writer, &order, text, sizeof text - 1, &end), 1);
    text[end] = '\0';
    ps_content_writer_destroy(writer);
    ps_content_destroy(content);
    return text;
}
