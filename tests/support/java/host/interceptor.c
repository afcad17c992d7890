/* Answers of an interceptor: the events of a batch as the test wants them. */
#include "tests/support/java/host/host.h"

static void put_new(void)
{
    struct ps_java_event event = {.origin = PS_JAVA_NO_ORIGIN,
                                  .flags = PS_JAVA_EVENT_BODY | PS_JAVA_EVENT_HEADERS,
                                  .body_length = 3,
                                  .header_count = 1};
    uint32_t start = fake_entries.bytes;
    fake_put(&event, sizeof event);
    fake_put_header("by", "java", 4);
    fake_put("new", 3);
    fake_end_entry(start, &event);
}

static void put_same(uint32_t origin)
{
    struct ps_java_event event = {.origin = origin};
    uint32_t start = fake_entries.bytes;
    fake_put(&event, sizeof event);
    fake_end_entry(start, &event);
}

static void put_grown(uint32_t origin)
{
    static char body[1 << 20];
    struct ps_java_event event = {.origin = origin, .flags = PS_JAVA_EVENT_BODY, .body_length = sizeof body};
    uint32_t start = fake_entries.bytes;
    memset(body, 'g', sizeof body);
    fake_put(&event, sizeof event);
    fake_put(body, sizeof body);
    fake_end_entry(start, &event);
}

static void put_changed(uint32_t origin, const struct ps_java_reader *entry, const struct ps_java_event *read)
{
    struct ps_java_reader reader = *entry;
    struct ps_java_event event = {
        .origin = origin, .flags = PS_JAVA_EVENT_BODY | PS_JAVA_EVENT_HEADERS, .header_count = 1};
    struct ps_slice name, value, body;
    uint32_t start = fake_entries.bytes;
    fake_put(&event, sizeof event);
    fake_put_header("by", "java", 4);
    for (uint32_t i = 0; i < read->header_count; i++) {
        char text[64];
        if (!ps_java_reader_header(&reader, &name, &value) || name.length >= sizeof text)
            exit(12);
        memcpy(text, name.data, name.length);
        text[name.length] = '\0';
        if (strcmp(text, "b") == 0)
            continue;
        fake_put_header(text, value.data, value.length);
        event.header_count++;
    }
    if (!ps_java_reader_body(&reader, read, &body))
        exit(13);
    fake_put(body.data, body.length);
    fake_put("!", 1);
    event.body_length = body.length + 1;
    fake_end_entry(start, &event);
}

/* Makes the reply as the test wants it. */
static void make_reply(const struct fake_batch *batch)
{
    struct ps_java_reader reader = {.base = fake_map(batch->offset, batch->size), .size = batch->bytes};
    fake_entries.bytes = fake_entries.count = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct ps_java_event event;
        if (!ps_java_reader_next(&reader, &event))
            exit(4);
        if (fake_control->edit == PS_TEST_JAVA_CHANGE && i % 3 != 2)
            put_changed(i, &reader, &event);
        if (fake_control->edit == PS_TEST_JAVA_ADD || fake_control->edit == PS_TEST_JAVA_TURN)
            put_same(fake_control->edit == PS_TEST_JAVA_ADD ? i : batch->count - 1 - i);
        if (fake_control->edit == PS_TEST_JAVA_ADD)
            put_new();
        if (fake_control->edit == PS_TEST_JAVA_GROW)
            put_grown(i);
    }
    munmap((void *)(uintptr_t)reader.base, batch->size);
}

bool fake_answer(struct fake_batch *batch)
{
    bool same = fake_control->edit == PS_TEST_JAVA_SAME;
    if (!same)
        make_reply(batch);
    if (!same && fake_entries.bytes > batch->reply_size) {
        const uint64_t need[] = {batch->number, fake_entries.bytes};
        fake_send(PS_JAVA_NEED, batch->link, need, 2, NULL);
        fake_control->needs++;
        batch->waits = true;
        return true;
    }
    if (!same && fake_entries.bytes > 0) {
        char *to = fake_map(batch->reply_offset, batch->reply_size);
        memcpy(to, fake_entries.data, fake_entries.bytes);
        munmap(to, batch->reply_size);
    }
    const uint64_t numbers[] = {batch->number, same ? 0 : fake_entries.bytes,
                                same ? batch->count : fake_entries.count, same};
    fake_send(PS_JAVA_REPLY, batch->link, numbers, 4, NULL);
    return false;
}

/* Writes an entry for an event that does not exist. Returns its bytes. */
static uint32_t put_no_event(const struct fake_batch *batch)
{
    fake_entries.bytes = fake_entries.count = 0;
    put_same(batch->count);
    char *to = fake_map(batch->reply_offset, batch->reply_size);
    memcpy(to, fake_entries.data, fake_entries.bytes);
    munmap(to, batch->reply_size);
    return fake_entries.bytes;
}

static void lie(const struct fake_batch *batch)
{
    uint64_t numbers[] = {batch->number, 0, 1, 0};
    uint32_t type = PS_JAVA_REPLY, count = 4;
    switch (fake_control->lie) {
    case PS_TEST_JAVA_LIE_BYTES:
        numbers[1] = batch->reply_size + 1;
        break;
    case PS_TEST_JAVA_LIE_EVENTS:
        numbers[2] = PS_BATCH_EVENTS_MAX + 1;
        numbers[3] = 1;
        break;
    case PS_TEST_JAVA_LIE_NOTHING:
        break;
    case PS_TEST_JAVA_LIE_SHORT:
        count = 3;
        break;
    case PS_TEST_JAVA_LIE_NEED:
    case PS_TEST_JAVA_LIE_NEEDS:
        numbers[1] = fake_control->lie == PS_TEST_JAVA_LIE_NEED ? batch->reply_size : (UINT64_C(1) << 30) + 1;
        type = PS_JAVA_NEED;
        count = 2;
        break;
    case PS_TEST_JAVA_LIE_TROUBLE:
        numbers[0]++;
        type = PS_JAVA_TROUBLE;
        count = 2;
        break;
    case PS_TEST_JAVA_LIE_READY:
        type = PS_JAVA_READY;
        count = 0;
        break;
    case PS_TEST_JAVA_LIE_COMMIT:
        type = PS_JAVA_COMMIT;
        count = 3;
        break;
    default:
        numbers[1] = put_no_event(batch);
    }
    fake_send(type, batch->link, numbers, count, NULL);
}

void fake_answer_badly(struct fake_batch *batch)
{
    uint64_t numbers[] = {batch->number, 0, 1, 0};
    if (fake_control->mode == PS_TEST_JAVA_TWICE) {
        (void)fake_answer(batch);
        numbers[3] = 1;
    } else if (fake_control->mode == PS_TEST_JAVA_STRANGE) {
        numbers[0] += 1000;
    } else {
        lie(batch);
        return;
    }
    fake_send(PS_JAVA_REPLY, batch->link, numbers, 4, NULL);
}
