#include "tests/support/java/process.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BEAT_NS (200 * PS_NS_PER_MS)
/* A process that has this much to write reads no more, as a JVM whose thread waits for the pipe. */
#define OUTPUT_MAX (256U * 1024U)
/* Turns after which the agent must have ended a process that has lied: the simulator runs the agent's thread at two of three steps. */
#define LIE_TURNS 20000U

uint64_t java_draw(struct java_process *process, uint64_t below)
{
    return ps_test_random(process->random) % below;
}

bool java_chance(struct java_process *process, unsigned of_100000)
{
    return of_100000 > 0 && java_draw(process, 100000) < of_100000;
}

uint64_t java_late_ns(struct java_process *process)
{
    uint64_t most_ms = java_draw(process, 4) == 0 ? process->chances->late_max_ms : 1;
    return process->now->mono_ns + java_draw(process, most_ms * PS_NS_PER_MS + 1);
}

void java_read(const struct java_process *process, uint64_t offset, void *to, size_t length)
{
    assert_int_equal(pread(process->memory, to, length, (off_t)offset), length);
}

void java_write(const struct java_process *process, uint64_t offset, const void *from, size_t length)
{
    assert_int_equal(pwrite(process->memory, from, length, (off_t)offset), length);
}

/* ---- its end ---- */

void java_process_end(struct java_process *process, int status)
{
    process->runs = false;
    process->status = status;
    process->still_until_ns = 0;
    int *const fds[] = {&process->in, &process->out, &process->memory};
    for (size_t i = 0; i < PS_COUNT_OF(fds); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

/* Whatever is written so far is in the pipe, perhaps half a message. */
static void die(struct java_process *process)
{
    static const int statuses[] = {0, 1 << 8, 143 << 8, SIGKILL, SIGSEGV};
    java_process_end(process, statuses[java_draw(process, PS_COUNT_OF(statuses))]);
}

/* ---- messages to the agent ---- */

void java_send_bytes(struct java_process *process, const void *bytes, size_t length)
{
    if (process->output_from > 0) {
        memmove(process->output, process->output + process->output_from,
                process->output_to - process->output_from);
        process->output_to -= process->output_from;
        process->output_from = 0;
    }
    while (process->output_room - process->output_to < length) {
        process->output_room = process->output_room == 0 ? 65536 : 2 * process->output_room;
        process->output = realloc(process->output, process->output_room);
        assert_non_null(process->output);
    }
    memcpy(process->output + process->output_to, bytes, length);
    process->output_to += length;
}

void java_send(struct java_process *process, enum ps_java_message_type type, uint32_t link,
               const uint64_t *numbers, uint32_t count, const char *text)
{
    char bytes[PS_JAVA_MESSAGE_BYTES_MAX];
    struct ps_java_head head = {.type = type, .link = link, .number_count = count};
    java_send_bytes(process, bytes, ps_java_message_write(bytes, &head, numbers, text));
}

/* Writes some of what waits, in pieces that end anywhere. */
static void write_output(struct java_process *process)
{
    size_t length = process->output_to - process->output_from;
    if (length > 0 && java_draw(process, 3) == 0)
        length = java_draw(process, length + 1);
    if (length == 0)
        return;
    ssize_t written = write(process->out, process->output + process->output_from, length);
    if (written > 0)
        process->output_from += (size_t)written;
    else if (errno == EPIPE)
        process->output_from = process->output_to; /* the agent has closed it, and will kill the process */
}

/* ---- messages of the agent ---- */

static struct java_component *component_of(struct java_process *process, uint32_t link)
{
    for (size_t i = 0; i < JAVA_COMPONENTS_MAX; i++) {
        if (process->components[i].link == link)
            return &process->components[i];
    }
    return NULL;
}

/* Returns the number in the name of the component, which is the third text of the area: "k2". */
static unsigned number_in(const struct java_process *process, uint64_t offset, uint64_t bytes)
{
    char area[4096];
    uint32_t at = 0, length;
    assert_true(bytes < sizeof area);
    java_read(process, offset, area, bytes);
    area[bytes] = '\0';
    for (unsigned text = 0; text < 2; text++) {
        memcpy(&length, area + at, sizeof length);
        at += (uint32_t)sizeof length + length;
        assert_true(at + sizeof length <= bytes);
    }
    memcpy(&length, area + at, sizeof length);
    assert_true(length >= 2 && isdigit((unsigned char)area[at + sizeof length + 1]));
    return (unsigned)(area[at + sizeof length + 1] - '0');
}

static void configure(struct java_process *process, const struct ps_java_message *message)
{
    struct java_component *component = component_of(process, 0);
    assert_non_null(component);
    assert_int_equal(message->number_count, 5);
    *component =
        (struct java_component){.link = message->link,
                                .kind = (enum ps_java_component_kind)message->numbers[0],
                                .number = number_in(process, message->numbers[1], message->numbers[3]),
                                .state = JAVA_STARTS,
                                .hangs = java_chance(process, process->chances->hang * 20),
                                .due_ns = java_late_ns(process)};
    if (java_draw(process, 8) == 0)
        java_send(process, PS_JAVA_FOLLOWS, component->link, NULL, 0, "another one has not stopped yet");
}

static void forget_batches(struct java_process *process, const struct java_component *component)
{
    for (size_t i = 0; i < JAVA_BATCHES_MAX; i++) {
        if (process->batches[i].component == component)
            process->batches[i].component = NULL;
    }
}

/* The agent no longer reads the component's messages. */
static void forget_lie(struct java_process *process, const struct java_component *component)
{
    if (process->accused != component)
        return;
    process->accused = NULL;
    process->turns = 0;
}

static void forget(struct java_process *process, struct java_component *component)
{
    forget_lie(process, component);
    forget_batches(process, component);
    component->link = 0;
}

/* The second STOP: the stage is closed. */
static void stop(struct java_process *process, struct java_component *component)
{
    forget_lie(process, component);
    if (component->state == JAVA_STOPS) {
        forget(process, component);
        return;
    }
    component->state = JAVA_STOPS;
    component->hangs = java_chance(process, process->chances->hang * 20);
    component->due_ns = java_late_ns(process);
}

static void take_batch(struct java_process *process, struct java_component *component,
                       const struct ps_java_message *message)
{
    const uint64_t *numbers = message->numbers;
    struct java_batch *batch = process->batches;
    while (batch->component != NULL)
        assert_true(++batch < process->batches + JAVA_BATCHES_MAX);
    bool replies = component->kind == PS_JAVA_INTERCEPTOR;
    assert_int_equal(message->number_count, replies ? 8 : 5);
    *batch = (struct java_batch){.component = component,
                                 .number = numbers[0],
                                 .offset = numbers[1],
                                 .size = numbers[2],
                                 .bytes = numbers[3],
                                 .count = numbers[4],
                                 .reply_offset = replies ? numbers[5] : 0,
                                 .reply_size = replies ? numbers[6] : 0,
                                 .reply_most = replies ? numbers[7] : 0,
                                 .due_ns = java_late_ns(process)};
}

static void take_area(struct java_process *process, struct java_component *component,
                      const struct ps_java_message *message)
{
    for (size_t i = 0; i < JAVA_BATCHES_MAX; i++) {
        struct java_batch *batch = &process->batches[i];
        if (batch->component != component || batch->number != message->numbers[0])
            continue;
        if (message->type == PS_JAVA_DROP) {
            batch->component = NULL;
            continue;
        }
        batch->reply_offset = message->numbers[1];
        batch->reply_size = message->numbers[2];
        batch->waits = false;
    }
}

static void take(struct java_process *process, const struct ps_java_message *message)
{
    struct java_component *component = component_of(process, message->link);
    if (message->type == PS_JAVA_CONFIGURE) {
        configure(process, message);
        return;
    }
    if (component == NULL)
        return; /* it has failed */
    if (message->type == PS_JAVA_STOP)
        stop(process, component);
    else if (message->type == PS_JAVA_BATCH)
        take_batch(process, component, message);
    else if (component->kind == PS_JAVA_SOURCE)
        java_source_take(process, component, message);
    else
        take_area(process, component, message);
}

static void read_input(struct java_process *process)
{
    static struct ps_java_message message;
    size_t at = 0, length;
    ssize_t got = read(process->in, process->input + process->used, sizeof process->input - process->used);
    if (got == 0)
        process->eof = true;
    if (got <= 0)
        return;
    process->used += (size_t)got;
    while (ps_java_message_parse(process->input + at, process->used - at, &message, &length) ==
           PS_JAVA_PARSED) {
        take(process, &message);
        at += length;
    }
    memmove(process->input, process->input + at, process->used - at);
    process->used -= at;
}

/* ---- its life ---- */

void java_process_begin(struct java_process *process, int in, int out, int memory)
{
    char *output = process->output;
    size_t room = process->output_room;
    uint64_t last_reply_link = process->last_reply_link, last_commit_link = process->last_commit_link;
    uint64_t commit[3], last_reply = process->last_reply;
    memcpy(commit, process->last_commit, sizeof commit);
    assert_true(in >= 0 && out >= 0 && memory >= 0);
    *process = (struct java_process){.in = in,
                                     .out = out,
                                     .memory = memory,
                                     .runs = true,
                                     .now = process->now,
                                     .random = process->random,
                                     .flow = process->flow,
                                     .chances = process->chances,
                                     .output = output,
                                     .output_room = room,
                                     .last_commit_link = (uint32_t)last_commit_link,
                                     .last_reply_link = (uint32_t)last_reply_link,
                                     .last_reply = last_reply};
    memcpy(process->last_commit, commit, sizeof commit);
    (void)fcntl(in, F_SETFL, fcntl(in, F_GETFL) | O_NONBLOCK);
    (void)fcntl(out, F_SETFL, fcntl(out, F_GETFL) | O_NONBLOCK);
    process->begins_ns = process->now->mono_ns + java_draw(process, 500 * PS_NS_PER_MS);
}

static void fail_component(struct java_process *process, struct java_component *component)
{
    bool fails = java_draw(process, 2) == 0;
    java_send(process, fails ? PS_JAVA_FAILED : PS_JAVA_STOPPED, component->link, NULL, 0,
              fails ? "org.example.Class: as drawn" : NULL);
    forget(process, component);
}

static void component_turn(struct java_process *process, struct java_component *component)
{
    bool hangs = component->hangs && process->chances->hang > 0;
    bool due = process->now->mono_ns >= component->due_ns && !hangs;
    if (component->state == JAVA_STARTS && due) {
        if (java_chance(process, process->chances->fail * 100)) {
            fail_component(process, component);
            return;
        }
        component->state = JAVA_RUNS;
        java_send(process, PS_JAVA_READY, component->link, NULL, 0, NULL);
    }
    if (component->state == JAVA_STOPS && due && component->call_slot == 0) {
        java_send(process, PS_JAVA_STOPPED, component->link, NULL, 0, NULL);
        forget(process, component);
    }
    if (component->state == JAVA_RUNS && java_chance(process, process->chances->fail))
        fail_component(process, component);
    if (component->state == JAVA_RUNS && component->kind == PS_JAVA_SOURCE)
        java_source_turn(process, component);
}

/* A class gets its batches one after the other. */
static bool is_first(const struct java_process *process, const struct java_batch *batch)
{
    for (size_t i = 0; i < JAVA_BATCHES_MAX; i++) {
        if (process->batches[i].component == batch->component && process->batches[i].number < batch->number)
            return false;
    }
    return true;
}

static void batches_turn(struct java_process *process)
{
    for (size_t i = 0; i < JAVA_BATCHES_MAX; i++) {
        struct java_batch *batch = &process->batches[i];
        if (batch->component == NULL || batch->waits || process->now->mono_ns < batch->due_ns ||
            !is_first(process, batch))
            continue;
        if (batch->component->kind == PS_JAVA_SINK)
            java_sink_turn(process, batch);
        else
            java_interceptor_turn(process, batch);
    }
}

static void beat(struct java_process *process)
{
    const uint64_t protocol = PS_JAVA_PROTOCOL, figures[] = {1, 2, 3, 4};
    if (process->now->mono_ns < process->beat_ns)
        return;
    process->beat_ns = process->now->mono_ns + BEAT_NS;
    java_send(process, PS_JAVA_BEAT, 0, &protocol, 1, NULL);
    java_send(process, PS_JAVA_STATE, 0, figures, 4, NULL);
    java_send(process, PS_JAVA_BEAN, 0, NULL, 0, "sink k1\n{}");
}

/* Draws what happens to the process. Returns whether it goes on. */
static bool draw_fate(struct java_process *process)
{
    const struct java_chances *chances = process->chances;
    if (java_chance(process, chances->die)) {
        die(process);
        return false;
    }
    if (process->ends_ns == 0 && java_chance(process, chances->exit)) {
        java_send(process, PS_JAVA_ENDS, 0, NULL, 0, NULL);
        process->ends_ns = java_draw(process, 2) == 0
                               ? PS_NEVER
                               : process->now->mono_ns + java_draw(process, 3 * PS_NS_PER_S);
    }
    if (java_chance(process, chances->still))
        process->still_until_ns = process->now->mono_ns + java_draw(process, 15 * PS_NS_PER_S);
    process->silent = process->silent || java_chance(process, chances->silent);
    return !process->silent;
}

/* Its input has ended: it stops its components and ends, or does not. */
static void end_by_itself(struct java_process *process)
{
    bool hangs = process->chances->hang > 0 && java_draw(process, 4) == 0;
    process->silent = hangs;
    if (!hangs && java_draw(process, 3) == 0)
        die(process);
}

static void expect_end_of_liar(struct java_process *process)
{
    bool told = process->output_from == process->output_to;
    if (process->turns > 0 && told && ++process->turns > LIE_TURNS)
        fail_msg("a Java host that has lied is not ended (seed %llu)",
                 (unsigned long long)process->flow->seed);
}

void java_process_turn(struct java_process *process)
{
    if (!process->runs || process->now->mono_ns < process->begins_ns)
        return;
    if (process->killed || process->silent || process->now->mono_ns < process->still_until_ns)
        return;
    process->still_until_ns = 0;
    if (!draw_fate(process))
        return;
    if (process->now->mono_ns >= process->ends_ns && process->ends_ns != 0) {
        die(process);
        return;
    }
    beat(process);
    if (!process->eof && process->output_to - process->output_from < OUTPUT_MAX)
        read_input(process);
    if (process->eof) {
        end_by_itself(process);
        return;
    }
    for (size_t i = 0; i < JAVA_COMPONENTS_MAX; i++) {
        if (process->components[i].link != 0)
            component_turn(process, &process->components[i]);
    }
    batches_turn(process);
    if (java_chance(process, process->chances->lie))
        java_lie(process);
    write_output(process);
    expect_end_of_liar(process);
}
