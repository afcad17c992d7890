/* A Java host without Java, for tests: it speaks the protocol on descriptors 0, 3 and 4, and behaves as tests/support/java_host.h
 * says. Arguments: the file of struct ps_test_java_control, the file to which bodies are appended. One thread. */
#include "tests/support/java/host/host.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define INPUT 5 /* descriptor of the messages from the agent */
#define BATCHES_MAX 64U

struct ps_test_java_control *fake_control;
static struct fake_batch batches[BATCHES_MAX];
static unsigned batch_count;
static uint32_t hanging[BATCHES_MAX]; /* links of components that are not ready */
static uint32_t stopped[BATCHES_MAX]; /* links of components that were stopped */
static unsigned hanging_count;
int fake_arrived;
static enum ps_java_component_kind kinds[65536]; /* of links */

void fake_send(uint32_t type, uint32_t link, const uint64_t *numbers, uint32_t count, const char *text)
{
    char bytes[PS_JAVA_MESSAGE_BYTES_MAX];
    struct ps_java_head head = {.type = type, .link = link, .number_count = count};
    uint32_t length = ps_java_message_write(bytes, &head, numbers, text);
    if (write(3, bytes, length) != (ssize_t)length)
        exit(0);
}

char *fake_map(uint64_t offset, uint64_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, 4, (off_t)offset);
    if (memory == MAP_FAILED)
        exit(3);
    return memory;
}

static void append_bodies(const struct fake_batch *batch)
{
    struct ps_java_reader reader = {.base = fake_map(batch->offset, batch->size), .size = batch->bytes};
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
    if (write(fake_arrived, text, length) != (ssize_t)length)
        exit(7);
    free(text);
    munmap((void *)(uintptr_t)reader.base, batch->size);
}

static void commit(const struct fake_batch *batch)
{
    const uint64_t numbers[] = {batch->number, 0, batch->count};
    append_bodies(batch);
    fake_send(PS_JAVA_COMMIT, batch->link, numbers, 3, NULL);
}

static void commit_singly(const struct fake_batch *batch)
{
    for (uint64_t i = 0; i < batch->count; i++) {
        const uint64_t numbers[] = {batch->number, i, i + 1};
        fake_send(PS_JAVA_COMMIT, batch->link, numbers, 3, NULL);
    }
    append_bodies(batch);
}

static void throw(const struct fake_batch *batch)
{
    const uint64_t numbers[] = {batch->number, fake_control->mode == PS_TEST_JAVA_MUCH};
    fake_send(PS_JAVA_TROUBLE, batch->link, numbers, 2, "org.example.Thrown: as the test wants it");
}

/* Keeps the events for the next transaction. */
static bool roll_back(const struct fake_batch *batch)
{
    throw(batch);
    fake_control->rollbacks--;
    return true;
}

static bool is_interceptor(const struct fake_batch *batch)
{
    return kinds[batch->link % PS_COUNT_OF(kinds)] == PS_JAVA_INTERCEPTOR;
}

/* Notes in the slot of a sink that this many events of the batch are committed, and ends the process. */
_Noreturn static void note_and_end(const struct fake_batch *batch, uint64_t count)
{
    const struct ps_java_committed noted = {.count = count};
    memcpy(fake_map(batch->offset, batch->size) + batch->size - sizeof noted, &noted, sizeof noted);
    exit(9);
}

void fake_misbehave(struct fake_batch *batch)
{
    uint64_t numbers[] = {batch->number, 0, batch->count};
    switch (fake_control->mode) {
    case PS_TEST_JAVA_TWICE:
        commit(batch);
        fake_send(PS_JAVA_COMMIT, batch->link, numbers, 3, NULL);
        break;
    case PS_TEST_JAVA_AGAIN:
        numbers[2] = 1;
        fake_send(PS_JAVA_COMMIT, batch->link, numbers, 3, NULL);
        usleep(100000);
        fake_send(PS_JAVA_COMMIT, batch->link, numbers, 3, NULL);
        break;
    case PS_TEST_JAVA_BEYOND:
    case PS_TEST_JAVA_STRANGE:
        numbers[fake_control->mode == PS_TEST_JAVA_BEYOND ? 2 : 0] += 1000;
        fake_send(PS_JAVA_COMMIT, batch->link, numbers, 3, NULL);
        break;
    case PS_TEST_JAVA_REFUSES: {
        const uint64_t refused[] = {batch->number, 0, 3, 0};
        fake_send(PS_JAVA_REFUSE, batch->link, refused, 4, "org.example.Thrown: as the test wants it");
        break;
    }
    case PS_TEST_JAVA_HALF:
        batch->count /= 2;
        append_bodies(batch);
        note_and_end(batch, batch->count);
    case PS_TEST_JAVA_NOTES:
        note_and_end(batch, batch->count + UINT64_C(1));
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
            fake_send(PS_JAVA_TROUBLE, batch->link, numbers, 1, "flood");
    default:
        exit(9);
    }
}

static void serve_batches(void)
{
    const enum ps_test_java_mode mode =
        fake_control->mode;   /* one for all batches: otherwise a later one could overtake */
    bool rolled_back = false; /* later batches wait until its transaction has begun again */
    unsigned left = 0;
    for (unsigned i = 0; i < batch_count; i++) {
        struct fake_batch *batch = &batches[i];
        bool due = !rolled_back && (mode == PS_TEST_JAVA_WELL ||
                                    (mode == PS_TEST_JAVA_SLOW && ps_clock_now().mono_ns >= batch->due_ns));
        bool keeps = batch->waits;
        if (due && is_interceptor(batch))
            keeps = keeps || fake_answer(batch);
        else if (due && fake_control->rollbacks == 0)
            commit(batch);
        else if (due)
            keeps = rolled_back = roll_back(batch);
        else if (mode == PS_TEST_JAVA_SINGLY)
            commit_singly(batch);
        else if (mode == PS_TEST_JAVA_THROWS || mode == PS_TEST_JAVA_MUCH)
            throw(batch);
        else if (is_interceptor(batch) && mode >= PS_TEST_JAVA_TWICE && mode <= PS_TEST_JAVA_STRANGE)
            fake_answer_badly(batch);
        else if (mode > PS_TEST_JAVA_NOTHING && mode != PS_TEST_JAVA_SILENT && mode != PS_TEST_JAVA_DEAF)
            fake_misbehave(batch);
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
        struct fake_batch *batch = &batches[i];
        if (batch->link != message->link || batch->number != message->numbers[0])
            continue;
        batch->reply_offset = message->numbers[1];
        batch->reply_size = message->numbers[2];
        batch->waits = false;
    }
}

/* Returns whether the area has the texts of a component of a test: the name of a class of org.example, its label, its name, and its agent. */
static bool has_properties(const uint64_t *numbers)
{
    static const char prefix[] = "org.example.", others[] = "\7\0\0\0test t1\2\0\0\0t1\2\0\0\0a1";
    const char *texts = fake_map(numbers[1], numbers[2]), *class = texts + sizeof(uint32_t);
    uint32_t length;
    memcpy(&length, texts, sizeof length);
    bool has = memcmp(class, prefix, sizeof prefix - 1) == 0 && length + sizeof others < numbers[3] &&
               memcmp(class + length, others, sizeof others - 1) == 0;
    munmap((void *)(uintptr_t)texts, numbers[2]);
    return has;
}

static void begin(uint32_t link)
{
    if (kinds[link % PS_COUNT_OF(kinds)] == PS_JAVA_SOURCE)
        fake_source_begin(link);
    fake_send(PS_JAVA_READY, link, NULL, 0, NULL);
}

static void forget_hanging(uint32_t link)
{
    for (unsigned i = 0; i < hanging_count; i++) {
        if (hanging[i] == link)
            hanging[i--] = hanging[--hanging_count];
    }
}

static bool is_hanging(void)
{
    return fake_control->mode == PS_TEST_JAVA_HANGS || fake_control->mode == PS_TEST_JAVA_FOLLOWS;
}

static void serve_hanging(void)
{
    while (hanging_count > 0 && !is_hanging())
        begin(hanging[--hanging_count]);
}

/* The second STOP means that the stage is closed. */
static void stop_link(uint32_t link)
{
    bool again = stopped[link % PS_COUNT_OF(stopped)] == link;
    stopped[link % PS_COUNT_OF(stopped)] = link;
    if (again) {
        fake_control->abandoned++;
        return;
    }
    forget_hanging(link);
    fake_source_end(link);
    unsigned left = 0;
    for (unsigned i = 0; i < batch_count; i++) {
        if (batches[i].link != link)
            batches[left++] = batches[i];
    }
    batch_count = left;
    fake_control->stops++;
    fake_send(PS_JAVA_STOPPED, link, NULL, 0, NULL);
}

static void take(const struct ps_java_message *message)
{
    const uint64_t *numbers = message->numbers;
    switch (message->type) {
    case PS_JAVA_CONFIGURE:
        fake_control->configured++;
        fake_control->torn += !has_properties(numbers);
        fake_control->singles += numbers[4] != 0;
        kinds[message->link % PS_COUNT_OF(kinds)] = (enum ps_java_component_kind)numbers[0];
        if (fake_control->mode == PS_TEST_JAVA_BROKEN) {
            fake_send(PS_JAVA_FAILED, message->link, NULL, 0, "org.example.Broken: cannot be configured");
            break;
        }
        if (fake_control->mode == PS_TEST_JAVA_FOLLOWS)
            fake_send(PS_JAVA_FOLLOWS, message->link, NULL, 0, "org.example.Hanging has not stopped yet");
        if (is_hanging() && hanging_count < BATCHES_MAX)
            hanging[hanging_count++] = message->link;
        else
            begin(message->link);
        break;
    case PS_JAVA_BATCH:
        fake_control->batches++;
        if (batch_count == BATCHES_MAX)
            exit(10);
        batches[batch_count++] = (struct fake_batch){.link = message->link,
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
        if (!fake_source_take(message))
            take_area(message);
        break;
    case PS_JAVA_ANSWER:
        (void)fake_source_take(message);
        break;
    case PS_JAVA_KEEP:
        fake_control->keeps++;
        if (!fake_source_take(message))
            exit(16);
        break;
    case PS_JAVA_STOP:
        while (fake_control->mode == PS_TEST_JAVA_FLOOD)
            fake_send(PS_JAVA_READY, message->link, NULL, 0, NULL);
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
    ssize_t got = read(INPUT, bytes + used, sizeof bytes - used);
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
    fake_control =
        fd >= 0 ? mmap(NULL, sizeof *fake_control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    fake_arrived = fd >= 0 ? open(argv[2], O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
    if (fake_control == MAP_FAILED || fake_arrived < 0)
        return 2;
    fake_control->starts++;
    uint64_t beat_ns = 0;
    for (;;) {
        struct pollfd input = {.fd = INPUT, .events = POLLIN};
        while (fake_control->mode == PS_TEST_JAVA_SILENT && getppid() != 1)
            usleep(1000);
        if (ps_clock_now().mono_ns >= beat_ns) {
            fake_send(PS_JAVA_BEAT, 0, &protocol, 1, NULL);
            beat_ns = ps_clock_now().mono_ns + 20 * PS_NS_PER_MS;
        }
        if (fake_control->mode == PS_TEST_JAVA_DEAF) {
            fake_control->deaf++;
            usleep(1000);
        } else if (poll(&input, 1, 2) > 0) {
            read_messages();
        }
        serve_hanging();
        serve_batches();
        fake_sources_serve();
    }
}
