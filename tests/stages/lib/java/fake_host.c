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

static void misbehave(const struct batch *batch)
{
    uint64_t numbers[] = {batch->number, 0, batch->count};
    switch (control->mode) {
    case PS_TEST_JAVA_TWICE:
        commit(batch);
        send(PS_JAVA_COMMIT, batch->link, numbers, 3, NULL);
        break;
    case PS_TEST_JAVA_BEYOND:
        numbers[2]++;
        send(PS_JAVA_COMMIT, batch->link, numbers, 3, NULL);
        break;
    case PS_TEST_JAVA_STRANGE:
        numbers[0] += 1000;
        send(PS_JAVA_COMMIT, batch->link, numbers, 3, NULL);
        break;
    case PS_TEST_JAVA_TORN: {
        const struct ps_java_head head = {.length = 64, .type = PS_JAVA_COMMIT, .link = batch->link};
        (void)!write(3, &head, sizeof head - 4);
        exit(8);
    }
    case PS_TEST_JAVA_GARBAGE: {
        char bytes[64];
        memset(bytes, 0xA5, sizeof bytes);
        (void)!write(3, bytes, sizeof bytes);
        break;
    }
    case PS_TEST_JAVA_FLOOD:
        for (;;)
            send(PS_JAVA_TROUBLE, batch->link, numbers, 1, "flood");
    default:
        exit(9);
    }
}

static uint64_t now_ns(void)
{
    return ps_clock_now().mono_ns;
}

static void serve_batches(void)
{
    unsigned left = 0;
    for (unsigned i = 0; i < batch_count; i++) {
        const struct batch *batch = &batches[i];
        bool due = control->mode == PS_TEST_JAVA_WELL ||
                   (control->mode == PS_TEST_JAVA_SLOW && now_ns() >= batch->due_ns);
        if (due)
            commit(batch);
        else if (control->mode > PS_TEST_JAVA_NOTHING && control->mode != PS_TEST_JAVA_SILENT)
            misbehave(batch);
        else
            batches[left++] = *batch;
    }
    batch_count = left;
}

static void stop_link(uint32_t link)
{
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
        kinds[message->link % PS_COUNT_OF(kinds)] = (enum ps_java_component_kind)numbers[0];
        send(PS_JAVA_READY, message->link, NULL, 0, NULL);
        break;
    case PS_JAVA_BATCH:
        control->batches++;
        if (batch_count == BATCHES_MAX)
            exit(10);
        batches[batch_count++] = (struct batch){.link = message->link,
                                                .number = numbers[0],
                                                .due_ns = now_ns() + 50 * PS_NS_PER_MS,
                                                .offset = numbers[1],
                                                .size = numbers[2],
                                                .bytes = (uint32_t)numbers[3],
                                                .count = (uint32_t)numbers[4]};
        break;
    case PS_JAVA_STOP:
        stop_link(message->link);
        break;
    default:
        break;
    }
}

static char bytes[65536];
static size_t used;

static void read_messages(void)
{
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
        if (control->mode == PS_TEST_JAVA_SILENT) {
            usleep(1000);
            if (getppid() == 1)
                return 0;
            continue;
        }
        if (now_ns() >= beat_ns) {
            send(PS_JAVA_BEAT, 0, &protocol, 1, NULL);
            beat_ns = now_ns() + 20 * PS_NS_PER_MS;
        }
        if (poll(&input, 1, 2) > 0)
            read_messages();
        serve_batches();
    }
}
