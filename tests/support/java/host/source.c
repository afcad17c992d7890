/* Sources: their calls, which put events into slots of the shared memory. */
#include "tests/support/java/host/host.h"

#include "rings/word.h"

#include <stdio.h>

#define SLOTS 16U
#define SOURCES 16U

struct fake_source {
    uint32_t link; /* 0: none */
    int next;      /* event to be put */
    uint64_t due_ns;
    uint64_t promised, most; /* events: so far, and at most */
    struct {
        uint64_t offset, size; /* `size` is without the note in the last bytes of the slot */
        uint64_t call;         /* 0: it is free */
        bool grows;
        int first, count;
    } slots[SLOTS];
};

static struct fake_source sources[SOURCES];
static uint64_t last_call;

static struct fake_source *source_of(uint32_t link)
{
    for (size_t i = 0; i < SOURCES; i++) {
        if (sources[i].link == link)
            return &sources[i];
    }
    return NULL;
}

static void put_event(int number)
{
    static char large[4 << 20];
    char text[32], *body = text;
    struct ps_java_event event = {.origin = PS_JAVA_NO_ORIGIN,
                                  .flags = PS_JAVA_EVENT_BODY | PS_JAVA_EVENT_HEADERS,
                                  .body_length = (uint32_t)snprintf(text, sizeof text, "event %d", number),
                                  .header_count = 2};
    uint32_t start = fake_entries.bytes;
    if (fake_control->large_bytes > 0 && number % 10 == 9) {
        event.body_length = (uint32_t)fake_control->large_bytes;
        memset(large, 'a' + number / 10 % 26, event.body_length);
        body = large;
    }
    fake_put(&event, sizeof event);
    fake_put_header("by", "java", 4);
    fake_put_header("body", text, (uint32_t)strlen(text));
    fake_put(body, event.body_length);
    fake_end_entry(start, &event);
}

/* Returns false if the agent takes no more promises. */
static bool note_promised(const struct fake_source *source, struct ps_java_promised *note)
{
    ps_word_set(&note->size, 0);
    ps_word_set(&note->first, source->promised);
    ps_word_set(&note->size, (uint64_t)fake_entries.count << 32 | fake_entries.bytes);
    return ps_word_get(&note->revoked) == 0;
}

/* Fills the slot and puts it, or asks for a larger one. Returns false when there is nothing to do with it. */
static bool source_call(struct fake_source *source, uint32_t slot)
{
    int most = fake_control->call_events > 0 ? fake_control->call_events : 7,
        left = fake_control->events - source->next;
    fake_entries.bytes = fake_entries.count = 0;
    while ((int)fake_entries.count < most && (int)fake_entries.count < left) {
        uint32_t before = fake_entries.bytes;
        put_event(source->next + (int)fake_entries.count);
        if (fake_entries.count > 1 && fake_entries.bytes > source->slots[slot].size) {
            fake_entries.bytes = before;
            fake_entries.count--;
            break;
        }
    }
    if (fake_entries.count == 0)
        return false;
    if (fake_entries.bytes > source->slots[slot].size) {
        const uint64_t need[] = {slot, fake_entries.bytes};
        source->slots[slot].grows = true;
        fake_control->needs++;
        fake_send(PS_JAVA_NEED, source->link, need, 2, NULL);
        return true;
    }
    bool promises = fake_control->promises && source->promised + fake_entries.count <= source->most;
    size_t area_size = source->slots[slot].size + sizeof(struct ps_java_promised);
    char *to = fake_map(source->slots[slot].offset, area_size);
    memcpy(to, fake_entries.data, fake_entries.bytes);
    if (promises && !note_promised(source, (void *)(to + source->slots[slot].size))) {
        fake_control->revoked += (int)fake_entries.count;
        source->most = source->promised;
        munmap(to, area_size);
        return false;
    }
    munmap(to, area_size);
    const uint64_t named = fake_control->mode == PS_TEST_JAVA_STRANGE ? SLOTS : slot;
    const uint64_t count = fake_entries.count + (fake_control->mode == PS_TEST_JAVA_BEYOND);
    const uint64_t first = source->promised + (fake_control->mode == PS_TEST_JAVA_SKIPS);
    const uint64_t numbers[] = {named, ++last_call, fake_entries.bytes, count, first, 1};
    source->promised += promises ? fake_entries.count : 0;
    fake_control->promised += promises ? (int)fake_entries.count : 0;
    bool keeps = promises && fake_control->mode == PS_TEST_JAVA_LEAVES;
    for (int sends = keeps ? 0 : fake_control->mode == PS_TEST_JAVA_TWICE ? 2 : 1; sends > 0; sends--)
        fake_send(PS_JAVA_PUT, source->link, numbers, promises ? 6 : 4, NULL);
    source->slots[slot].call = last_call;
    source->slots[slot].first = source->next;
    source->slots[slot].count = (int)fake_entries.count;
    source->next += (int)fake_entries.count;
    return true;
}

/* At most one call at a time asks for more room: calls in other slots would overtake it. */
static void source_serve(struct fake_source *source)
{
    struct fake_batch nothing = {.link = source->link};
    enum ps_test_java_mode mode = fake_control->mode;
    if (mode == PS_TEST_JAVA_NOTHING || mode == PS_TEST_JAVA_SILENT || source->next >= fake_control->events)
        return;
    if (mode == PS_TEST_JAVA_TORN || mode == PS_TEST_JAVA_GARBAGE || mode == PS_TEST_JAVA_DIES)
        fake_misbehave(&nothing);
    if (mode == PS_TEST_JAVA_SLOW && ps_clock_now().mono_ns < source->due_ns)
        return;
    source->due_ns = ps_clock_now().mono_ns + 50 * PS_NS_PER_MS;
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (source->slots[i].grows)
            return;
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (source->slots[i].size > 0 && source->slots[i].call == 0 && source_call(source, i) &&
            source->slots[i].grows)
            return;
    }
}

static void note_refused(int first, int count, const char *reason)
{
    dprintf(fake_arrived, "events %d to %d refused: %s\n", first, first + count - 1, reason);
    fake_control->refused += count; /* the test reads the line when it has seen the count */
}

/* An answer without a size: the event is too large, and the class continues with the next one. */
static void source_area(struct fake_source *source, const struct ps_java_message *message)
{
    uint64_t slot = message->numbers[0];
    if (slot >= SLOTS)
        exit(14);
    fake_control->needs_taken += source->slots[slot].grows;
    source->slots[slot].grows = false;
    if (message->numbers[2] == 0) {
        note_refused(source->next++, 1, message->text);
        return;
    }
    source->slots[slot].offset = message->numbers[1];
    source->slots[slot].size = message->numbers[2] - sizeof(struct ps_java_promised);
}

static void source_keep(struct fake_source *source)
{
    source->most = source->promised;
    fake_send(PS_JAVA_PROMISED, source->link, &source->promised, 1, NULL);
}

static void source_answer(struct fake_source *source, const struct ps_java_message *message)
{
    if (message->numbers[2] > source->most)
        source->most = message->numbers[2];
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (source->slots[i].call != message->numbers[0])
            continue;
        source->slots[i].call = 0;
        if (message->numbers[1] != 0)
            fake_control->taken += source->slots[i].count;
        else
            note_refused(source->slots[i].first, source->slots[i].count, message->text);
        return;
    }
    exit(15); /* an answer to no call */
}

void fake_source_begin(uint32_t link)
{
    struct fake_source *source = source_of(0);
    if (source != NULL)
        *source = (struct fake_source){.link = link};
}

void fake_source_end(uint32_t link)
{
    struct fake_source *source = source_of(link);
    if (source != NULL)
        source->link = 0;
}

void fake_sources_serve(void)
{
    for (size_t i = 0; i < SOURCES; i++) {
        if (sources[i].link != 0)
            source_serve(&sources[i]);
    }
}

bool fake_source_take(const struct ps_java_message *message)
{
    struct fake_source *source = source_of(message->link);
    if (source == NULL)
        return false;
    if (message->type == PS_JAVA_AREA)
        source_area(source, message);
    else if (message->type == PS_JAVA_ANSWER)
        source_answer(source, message);
    else
        source_keep(source);
    return true;
}
