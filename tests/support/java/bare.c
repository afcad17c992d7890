#include "tests/support/java/bare.h"

#include "stages/lib/java/host_internal.h"
#include "stages/lib/java/launch.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct ps_java_host *host;
static int pipes[2], full[2];
static char input[128U * 1024U];
static size_t input_from, input_to;

static struct ps_java_host *make(void *made, struct ps_err *)
{
    return made;
}

static void make_host(void)
{
    struct ps_err err = {.length = 0};
    static const char nothing[4096];
    host = ps_must_alloc(1, sizeof *host, "the Java host");
    host->out = host->in = host->wake_fd = -1;
    pthread_mutex_init(&host->lock, NULL);
    assert_ptr_equal(ps_java_host_hold(make, host, &err), host);
    assert_true(pipe2(pipes, O_CLOEXEC | O_NONBLOCK) == 0 && pipe2(full, O_CLOEXEC | O_NONBLOCK) == 0);
    while (write(full[1], nothing, sizeof nothing) > 0) {
    }
}

void java_bare_begin(void)
{
    struct ps_err err = {.length = 0};
    if (host == NULL)
        make_host();
    while (read(pipes[0], input, sizeof input) > 0) {
    }
    input_from = input_to = 0;
    host->region = ps_java_region_create(&err);
    assert_non_null(host->region);
    host->out = pipes[1];
    host->reason[0] = host->end[0] = '\0';
    host->state = PS_JAVA_HOST_RUNNING;
}

void java_bare_end(void)
{
    snprintf(host->end, sizeof host->end, "the Java host has ended, as the fuzzer says");
    memcpy(host->reason, host->end, sizeof host->reason);
    host->state = PS_JAVA_HOST_DOWN;
    ps_java_links_lose(host);
    host->out = -1;
    host->stops.count = 0;
    host->all_stopped = false;
    ps_java_region_release(host->region);
    host->region = NULL;
}

bool java_bare_runs(void)
{
    return host != NULL && host->region != NULL;
}

bool java_bare_send(uint32_t type, const uint64_t *numbers, uint32_t count, const char *text)
{
    char bytes[PS_JAVA_MESSAGE_BYTES_MAX];
    struct ps_java_head head = {
        .type = type, .link = host->links != NULL ? host->links->number : 0, .number_count = count};
    uint32_t length = ps_java_message_write(bytes, &head, numbers, text);
    size_t used;
    assert_int_equal(ps_java_message_parse(bytes, length, &host->message, &used), PS_JAVA_PARSED);
    const char *wrong = ps_java_links_deliver(host, bytes, length);
    if (wrong != NULL && host->reason[0] == '\0')
        snprintf(host->reason, sizeof host->reason, "%s", wrong);
    return host->links != NULL;
}

const char *java_bare_accusation(void)
{
    return host->reason[0] != '\0' ? host->reason : NULL;
}

void java_bare_block(bool is_full)
{
    if (host->out >= 0)
        host->out = is_full ? full[1] : pipes[1];
}

bool java_bare_take(struct ps_java_message *message)
{
    size_t used;
    if (input_from == input_to) {
        ssize_t got = read(pipes[0], input, sizeof input);
        input_from = 0;
        input_to = got > 0 ? (size_t)got : 0;
    }
    if (input_from == input_to)
        return false;
    assert_int_equal(ps_java_message_parse(input + input_from, input_to - input_from, message, &used),
                     PS_JAVA_PARSED);
    input_from += used;
    return true;
}

void java_bare_write(uint64_t offset, const void *bytes, size_t length)
{
    assert_int_equal(pwrite(ps_java_region_fd(host->region), bytes, length, (off_t)offset), length);
}

void java_bare_read(uint64_t offset, void *bytes, size_t length)
{
    assert_int_equal(pread(ps_java_region_fd(host->region), bytes, length, (off_t)offset), length);
}

/* ---- what the fuzzer says ---- */

unsigned java_said_byte(struct java_said *said)
{
    return said->at < said->end ? *said->at++ : 0;
}

uint64_t java_said_number(struct java_said *said)
{
    static const uint64_t limits[] = {UINT64_MAX,
                                      UINT32_MAX,
                                      UINT64_C(1) << 32,
                                      (UINT64_C(1) << 32) + 1,
                                      INT64_MAX,
                                      INT32_MAX,
                                      UINT64_C(1) << 30,
                                      UINT64_C(512) << 10,
                                      UINT64_C(1) << 20,
                                      UINT16_MAX,
                                      1024,
                                      1025};
    unsigned byte = java_said_byte(said), index = byte % 64;
    switch (byte / 64) {
    case 0:
        return index;
    case 1:
        return said->known[index % PS_COUNT_OF(said->known)];
    case 2:
        return said->known[index % PS_COUNT_OF(said->known)] + 1;
    default:
        return limits[index % PS_COUNT_OF(limits)];
    }
}

const struct ps_java_message *java_said_message(struct java_said *said, uint32_t type)
{
    static struct ps_java_message message;
    message.type = type;
    message.number_count = java_said_byte(said) % 8;
    for (uint32_t i = 0; i < message.number_count; i++)
        message.numbers[i] = java_said_number(said);
    return java_bare_send(type, message.numbers, message.number_count, "said by the fuzzer") ? &message
                                                                                             : NULL;
}

void java_said_bytes(struct java_said *said, uint64_t offset, uint64_t size)
{
    size_t left = (size_t)(said->end - said->at), length = java_said_byte(said) % 65;
    length = length < left ? length : left > 0 ? left - 1 : 0;
    if (length > size)
        length = size;
    if (length > 0)
        java_bare_write(offset, said->at, length);
    said->at += length;
}
