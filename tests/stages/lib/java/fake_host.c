/* A Java host without Java, for tests: it speaks the protocol on descriptors 0, 3 and 4, and behaves as tests/support/java_host.h
 * says. Arguments: the file of struct ps_test_java_control, the file to which bodies are appended. One thread. */
#include "stages/lib/java/component.h"
#include "stages/lib/java/events.h"
#include "tests/support/java_host.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BATCHES_MAX 64U

struct batch {
    bool waits; /* for a larger area */
    uint32_t link;
    uint64_t number, due_ns;
    uint32_t count, bytes;
    uint64_t offset, size;             /* of its area */
    uint64_t reply_offset, reply_size; /* interceptor */
};

static struct ps_test_java_control *control;
static struct batch batches[BATCHES_MAX];
static unsigned batch_count;
static int arrived;
static enum ps_java_component_kind kinds[65536]; /* of links */

static void send(uint32_t type, uint32_t link, const uint64_t *numbers, uint32_t count, const char *text)
{
    char bytes[PS_JAVA_MESSAGE_BYTES_MAX];
    struct ps_java_head head = {.type = type, .link = link, .number_count = count};
    uint32_t length = ps_java_message_write(bytes, &head, numbers, text);
    if (write(3, bytes, length) != (ssize_t)length)
        exit(0);
}

static char *map(uint64_t offset, uint64_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, 4, (off_t)offset);
    if (memory == MAP_FAILED)
        exit(3);
    return memory;
}

static void append_bodies(const struct batch *batch)
{
    struct ps_java_reader reader = {.base = map(batch->offset, batch->size), .size = batch->bytes};
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    for (uint32_t i = 0; i < batch->count; i++) {
        struct ps_java_event event;
        struct ps_slice name, value, body;
        if (!ps_java_reader_next(&reader, &event))
            exit(4);
        for (uint32_t k = 0; k < event.header_count; k++) {
            if (!ps_java_reader_header(&reader, &name, &value))
                exit(5);
        }
        if (!ps_java_reader_body(&reader, &event, &body))
            exit(6);
        fprintf(out, "%.*s\n", (int)body.length, body.data);
    }
    fclose(out);
    if (write(arrived, text, length) != (ssize_t)length)
        exit(7);
    free(text);
    munmap((void *)(uintptr_t)reader.base, batch->size);
}

static void commit(const struct batch *batch)
{
    const uint64_t numbers[] = {batch->number, 0, batch->count};
    append_bodies(batch);
    send(PS_JAVA_COMMIT, batch->link, numbers, 3, NULL);
}

/* ---- interceptors ---- */

static char reply[256 << 20];
static uint32_t reply_bytes, reply_count;

static void put(const void *from, size_t length)
{
    if (length > sizeof reply - reply_bytes)
        exit(11);
    memcpy(reply + reply_bytes, from, length);
    reply_bytes += (uint32_t)length;
}

static void put_header(const char *name, const char *value, uint32_t value_length)
{
    uint32_t lengths[] = {(uint32_t)strlen(name), value_length};
    put(lengths, sizeof lengths);
    put(name, lengths[0]);
    put(value, value_length);
}

static void end_entry(uint32_t start, struct ps_java_event *event)
{
    put("\0\0\0", (4 - reply_bytes % 4) % 4);
    event->size = reply_bytes - start;
    memcpy(reply + start, event, sizeof *event);
    reply_count++;
}

static void put_new(void)
{
    struct ps_java_event event = {.origin = PS_JAVA_NO_ORIGIN,
                                  .flags = PS_JAVA_EVENT_BODY | PS_JAVA_EVENT_HEADERS,
                                  .body_length = 3,
                                  .header_count = 1};
    uint32_t start = reply_bytes;
    put(&event, sizeof event);
    put_header("by", "java", 4);
    put("new", 3);
    end_entry(start, &event);
}

static void put_same(uint32_t origin)
{
    struct ps_java_event event = {.origin = origin};
    uint32_t start = reply_bytes;
    put(&event, sizeof event);
    end_entry(start, &event);
}

static void put_grown(uint32_t origin)
{
    static char body[1 << 20];
    struct ps_java_event event = {.origin = origin, .flags = PS_JAVA_EVENT_BODY, .body_length = sizeof body};
    uint32_t start = reply_bytes;
    memset(body, 'g', sizeof body);
    put(&event, sizeof event);
    put(body, sizeof body);
    end_entry(start, &event);
}

static void put_changed(uint32_t origin, const struct ps_java_reader *entry, const struct ps_java_event *read)
{
    struct ps_java_reader reader = *entry;
    struct ps_java_event event = {
        .origin = origin, .flags = PS_JAVA_EVENT_BODY | PS_JAVA_EVENT_HEADERS, .header_count = 1};
    struct ps_slice name, value, body;
    uint32_t start = reply_bytes;
    put(&event, sizeof event);
    put_header("by", "java", 4);
    for (uint32_t i = 0; i < read->header_count; i++) {
        char text[64];
        if (!ps_java_reader_header(&reader, &name, &value) || name.length >= sizeof text)
            exit(12);
        memcpy(text, name.data, name.length);
        text[name.length] = '\0';
        if (strcmp(text, "b") == 0)
            continue;
        put_header(text, value.data, value.length);
        event.header_count++;
    }
    if (!ps_java_reader_body(&reader, read, &body))
        exit(13);
    put(body.data, body.length);
    put("!", 1);
    event.body_length = body.length + 1;
    end_entry(start, &event);
}

/* Makes the reply as the test wants it. */
static void make_reply(const struct batch *batch)
{
    struct ps_java_reader reader = {.base = map(batch->offset, batch->size), .size = batch->bytes};
    reply_bytes = reply_count = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct ps_java_event event;
        if (!ps_java_reader_next(&reader, &event))
            exit(4);
        if (control->edit == PS_TEST_JAVA_CHANGE && i % 3 != 2)
            put_changed(i, &reader, &event);
        if (control->edit == PS_TEST_JAVA_ADD || control->edit == PS_TEST_JAVA_TURN)
            put_same(control->edit == PS_TEST_JAVA_ADD ? i : batch->count - 1 - i);
        if (control->edit == PS_TEST_JAVA_ADD)
            put_new();
        if (control->edit == PS_TEST_JAVA_GROW)
            put_grown(i);
    }
    munmap((void *)(uintptr_t)reader.base, batch->size);
}

/* Returns whether the batch waits for a larger area. */
static bool answer(struct batch *batch)
{
    bool same = control->edit == PS_TEST_JAVA_SAME;
    if (!same)
        make_reply(batch);
    if (!same && reply_bytes > batch->reply_size) {
        const uint64_t need[] = {batch->number, reply_bytes};
        send(PS_JAVA_NEED, batch->link, need, 2, NULL);
        batch->waits = true;
        return true;
    }
    if (!same && reply_bytes > 0) {
        char *to = map(batch->reply_offset, batch->reply_size);
        memcpy(to, reply, reply_bytes);
        munmap(to, batch->reply_size);
    }
    const uint64_t numbers[] = {batch->number, same ? 0 : reply_bytes, same ? batch->count : reply_count,
                                same};
    send(PS_JAVA_REPLY, batch->link, numbers, 4, NULL);
    return false;
}

/* An answer that cannot be: BEYOND names an event that was not there, the others a batch. */
static void answer_badly(struct batch *batch)
{
    uint64_t numbers[] = {batch->number, 0, 1, 0};
    if (control->mode == PS_TEST_JAVA_TWICE) {
        (void)answer(batch);
        numbers[3] = 1;
    } else if (control->mode == PS_TEST_JAVA_STRANGE) {
        numbers[0] += 1000;
    } else {
        reply_bytes = reply_count = 0;
        put_same(batch->count);
        char *to = map(batch->reply_offset, batch->reply_size);
        memcpy(to, reply, reply_bytes);
        munmap(to, batch->reply_size);
        numbers[1] = reply_bytes;
    }
    send(PS_JAVA_REPLY, batch->link, numbers, 4, NULL);
}

static void throw(const struct batch *batch)
{
    const uint64_t numbers[] = {batch->number, control->mode == PS_TEST_JAVA_MUCH};
    send(PS_JAVA_TROUBLE, batch->link, numbers, 2, "org.example.Thrown: as the test wants it");
}

/* ---- sources ---- */

#define SLOTS 16U
#define SOURCES 16U

struct source {
    uint32_t link; /* 0: none */
    int next;      /* event to be put */
    uint64_t due_ns;
    uint64_t promised, most; /* events: so far, and at most */
    struct {
        uint64_t offset, size; /* without what its last bytes are for */
        uint64_t call;         /* 0: it is free */
        bool grows;
        int first, count;
    } slots[SLOTS];
};

static struct source sources[SOURCES];
static uint64_t last_call;

static struct source *source_of(uint32_t link)
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
    uint32_t start = reply_bytes;
    if (control->large_bytes > 0 && number % 10 == 9) {
        event.body_length = (uint32_t)control->large_bytes;
        memset(large, 'a' + number / 10 % 26, event.body_length);
        body = large;
    }
    put(&event, sizeof event);
    put_header("by", "java", 4);
    put_header("body", text, (uint32_t)strlen(text));
    put(body, event.body_length);
    end_entry(start, &event);
}

/* Fills the slot and puts it, or asks for a larger one. Returns false when there is nothing to do with it. */
static bool source_call(struct source *source, uint32_t slot)
{
    int most = control->call_events > 0 ? control->call_events : 7, left = control->events - source->next;
    reply_bytes = reply_count = 0;
    while ((int)reply_count < most && (int)reply_count < left) {
        uint32_t before = reply_bytes;
        put_event(source->next + (int)reply_count);
        if (reply_count > 1 && reply_bytes > source->slots[slot].size) {
            reply_bytes = before;
            reply_count--;
            break;
        }
    }
    if (reply_count == 0)
        return false;
    if (reply_bytes > source->slots[slot].size) {
        const uint64_t need[] = {slot, reply_bytes};
        source->slots[slot].grows = true;
        control->needs++;
        send(PS_JAVA_NEED, source->link, need, 2, NULL);
        return true;
    }
    bool promises = control->promises && source->promised + reply_count <= source->most;
    size_t area_size = source->slots[slot].size + sizeof(struct ps_java_promised);
    char *to = map(source->slots[slot].offset, area_size);
    memcpy(to, reply, reply_bytes);
    struct ps_java_promised note = {source->promised, (uint64_t)reply_count << 32 | reply_bytes};
    if (promises)
        memcpy(to + source->slots[slot].size, &note, sizeof note);
    munmap(to, area_size);
    const uint64_t named = control->mode == PS_TEST_JAVA_STRANGE ? SLOTS : slot;
    const uint64_t count = reply_count + (control->mode == PS_TEST_JAVA_BEYOND);
    const uint64_t first = source->promised + (control->mode == PS_TEST_JAVA_SKIPS);
    const uint64_t numbers[] = {named, ++last_call, reply_bytes, count, first, 1};
    source->promised += promises ? reply_count : 0;
    control->promised += promises ? (int)reply_count : 0;
    bool keeps = promises && control->mode == PS_TEST_JAVA_LEAVES;
    for (int sends = keeps ? 0 : control->mode == PS_TEST_JAVA_TWICE ? 2 : 1; sends > 0; sends--)
        send(PS_JAVA_PUT, source->link, numbers, promises ? 6 : 4, NULL);
    source->slots[slot].call = last_call;
    source->slots[slot].first = source->next;
    source->slots[slot].count = (int)reply_count;
    source->next += (int)reply_count;
    return true;
}

static void misbehave(struct batch *batch);

/* One call at a time needs more room; calls in other slots would overtake it. */
static void source_serve(struct source *source)
{
    struct batch nothing = {.link = source->link};
    enum ps_test_java_mode mode = control->mode;
    if (mode == PS_TEST_JAVA_NOTHING || mode == PS_TEST_JAVA_SILENT || source->next >= control->events)
        return;
    if (mode == PS_TEST_JAVA_TORN || mode == PS_TEST_JAVA_GARBAGE || mode == PS_TEST_JAVA_DIES)
        misbehave(&nothing);
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
    control->refused += count;
    dprintf(arrived, "events %d to %d refused: %s\n", first, first + count - 1, reason);
}

/* Without a size: the event is too large, and the class goes on with the next one. */
static void source_area(struct source *source, const struct ps_java_message *message)
{
    uint64_t slot = message->numbers[0];
    if (slot >= SLOTS)
        exit(14);
    control->needs_taken += source->slots[slot].grows;
    source->slots[slot].grows = false;
    if (message->numbers[2] == 0) {
        note_refused(source->next++, 1, message->text);
        return;
    }
    source->slots[slot].offset = message->numbers[1];
    source->slots[slot].size = message->numbers[2] - sizeof(struct ps_java_promised);
}

static void source_keep(struct source *source)
{
    if (source == NULL)
        exit(16);
    source->most = source->promised;
    send(PS_JAVA_PROMISED, source->link, &source->promised, 1, NULL);
}

static void source_answer(struct source *source, const struct ps_java_message *message)
{
    if (message->numbers[2] > source->most)
        source->most = message->numbers[2];
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (source->slots[i].call != message->numbers[0])
            continue;
        source->slots[i].call = 0;
        if (message->numbers[1] != 0)
            control->taken += source->slots[i].count;
        else
            note_refused(source->slots[i].first, source->slots[i].count, message->text);
        return;
    }
    exit(15); /* an answer to no call */
}

static bool is_interceptor(const struct batch *batch)
{
    return kinds[batch->link % PS_COUNT_OF(kinds)] == PS_JAVA_INTERCEPTOR;
}

static void misbehave(struct batch *batch)
{
    uint64_t numbers[] = {batch->number, 0, batch->count};
    switch (control->mode) {
    case PS_TEST_JAVA_TWICE:
        commit(batch);
        send(PS_JAVA_COMMIT, batch->link, numbers, 3, NULL);
        break;
    case PS_TEST_JAVA_BEYOND:
    case PS_TEST_JAVA_STRANGE:
        numbers[control->mode == PS_TEST_JAVA_BEYOND ? 2 : 0] += 1000;
        send(PS_JAVA_COMMIT, batch->link, numbers, 3, NULL);
        break;
    case PS_TEST_JAVA_HALF: {
        const struct ps_java_committed noted = {.count = batch->count /= 2};
        append_bodies(batch);
        memcpy(map(batch->offset, batch->size) + batch->size - sizeof noted, &noted, sizeof noted);
        exit(9);
    }
    case PS_TEST_JAVA_TORN: {
        const struct ps_java_head head = {.length = 64, .type = PS_JAVA_COMMIT, .link = batch->link};
        (void)!write(3, &head, sizeof head - 4);
        exit(8);
    }
    case PS_TEST_JAVA_GARBAGE:
        (void)!write(3, "bytes that are no message, as long as several heads", 50);
        break;
    case PS_TEST_JAVA_FLOOD:
        for (;;)
            send(PS_JAVA_TROUBLE, batch->link, numbers, 1, "flood");
    default:
        exit(9);
    }
}

static void serve_batches(void)
{
    unsigned left = 0;
    for (unsigned i = 0; i < batch_count; i++) {
        struct batch *batch = &batches[i];
        bool due = control->mode == PS_TEST_JAVA_WELL ||
                   (control->mode == PS_TEST_JAVA_SLOW && ps_clock_now().mono_ns >= batch->due_ns);
        bool keeps = batch->waits;
        if (due && is_interceptor(batch))
            keeps = keeps || answer(batch);
        else if (due)
            commit(batch);
        else if (control->mode == PS_TEST_JAVA_THROWS || control->mode == PS_TEST_JAVA_MUCH)
            throw(batch);
        else if (is_interceptor(batch) && control->mode >= PS_TEST_JAVA_TWICE &&
                 control->mode <= PS_TEST_JAVA_STRANGE)
            answer_badly(batch);
        else if (control->mode > PS_TEST_JAVA_NOTHING && control->mode != PS_TEST_JAVA_SILENT)
            misbehave(batch);
        else
            keeps = true;
        if (keeps)
            batches[left++] = *batch;
    }
    batch_count = left;
}

static void take_area(const struct ps_java_message *message)
{
    for (unsigned i = 0; i < batch_count; i++) {
        struct batch *batch = &batches[i];
        if (batch->link != message->link || batch->number != message->numbers[0])
            continue;
        batch->reply_offset = message->numbers[1];
        batch->reply_size = message->numbers[2];
        batch->waits = false;
    }
}

static void stop_link(uint32_t link)
{
    struct source *source = source_of(link);
    if (source != NULL)
        source->link = 0;
    unsigned left = 0;
    for (unsigned i = 0; i < batch_count; i++) {
        if (batches[i].link != link)
            batches[left++] = batches[i];
    }
    batch_count = left;
    control->stops++;
    send(PS_JAVA_STOPPED, link, NULL, 0, NULL);
}

static void take(const struct ps_java_message *message)
{
    const uint64_t *numbers = message->numbers;
    switch (message->type) {
    case PS_JAVA_CONFIGURE:
        control->configured++;
        control->singles += numbers[4] != 0;
        kinds[message->link % PS_COUNT_OF(kinds)] = (enum ps_java_component_kind)numbers[0];
        if (control->mode == PS_TEST_JAVA_BROKEN) {
            send(PS_JAVA_FAILED, message->link, NULL, 0, "org.example.Broken: cannot be configured");
            break;
        }
        if (numbers[0] == PS_JAVA_SOURCE && source_of(0) != NULL)
            *source_of(0) = (struct source){.link = message->link};
        send(PS_JAVA_READY, message->link, NULL, 0, NULL);
        break;
    case PS_JAVA_BATCH:
        control->batches++;
        if (batch_count == BATCHES_MAX)
            exit(10);
        batches[batch_count++] = (struct batch){.link = message->link,
                                                .number = numbers[0],
                                                .due_ns = ps_clock_now().mono_ns + 50 * PS_NS_PER_MS,
                                                .offset = numbers[1],
                                                .size = numbers[2],
                                                .bytes = (uint32_t)numbers[3],
                                                .count = (uint32_t)numbers[4],
                                                .reply_offset = numbers[5],
                                                .reply_size = numbers[6]};
        break;
    case PS_JAVA_AREA:
        source_of(message->link) != NULL ? source_area(source_of(message->link), message)
                                         : take_area(message);
        break;
    case PS_JAVA_ANSWER:
        if (source_of(message->link) != NULL)
            source_answer(source_of(message->link), message);
        break;
    case PS_JAVA_KEEP:
        control->keeps++;
        source_keep(source_of(message->link));
        break;
    case PS_JAVA_STOP:
        while (control->mode == PS_TEST_JAVA_FLOOD)
            send(PS_JAVA_READY, message->link, NULL, 0, NULL);
        stop_link(message->link);
        break;
    default:
        break;
    }
}

static void read_messages(void)
{
    static char bytes[65536];
    static size_t used;
    static struct ps_java_message message;
    size_t at = 0, length;
    ssize_t got = read(0, bytes + used, sizeof bytes - used);
    if (got <= 0)
        exit(0);
    used += (size_t)got;
    while (ps_java_message_parse(bytes + at, used - at, &message, &length) == PS_JAVA_PARSED) {
        take(&message);
        at += length;
    }
    memmove(bytes, bytes + at, used - at);
    used -= at;
}

int main(int argc, char **argv)
{
    const uint64_t protocol = PS_JAVA_PROTOCOL;
    int fd = argc == 3 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;
    control = fd >= 0 ? mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    arrived = fd >= 0 ? open(argv[2], O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
    if (control == MAP_FAILED || arrived < 0)
        return 2;
    control->starts++;
    uint64_t beat_ns = 0;
    for (;;) {
        struct pollfd input = {.fd = 0, .events = POLLIN};
        while (control->mode == PS_TEST_JAVA_SILENT && getppid() != 1)
            usleep(1000);
        if (ps_clock_now().mono_ns >= beat_ns) {
            send(PS_JAVA_BEAT, 0, &protocol, 1, NULL);
            beat_ns = ps_clock_now().mono_ns + 20 * PS_NS_PER_MS;
        }
        if (poll(&input, 1, 2) > 0)
            read_messages();
        serve_batches();
        for (size_t i = 0; i < SOURCES; i++) {
            if (sources[i].link != 0)
                source_serve(&sources[i]);
        }
    }
}
