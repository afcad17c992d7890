/* The source java with a Java host that sends, writes and leaves unread what the fuzzer says. No more events come than the host has put or noted,
 * no more of them are promised than the channels keep room for, and no call has two answers. A call that is as it should be is no accusation,
 * and its events come. */
#include "core/flow/engine_source.h"
#include "tests/fuzz/java_events.h"
#include "tests/support/java/bare.h"
#include "tests/support/java/entries.h"
#include "tests/support/stage.h"

#define SLOTS 16U
#define STEPS_MAX 300U

static struct {
    struct ps_test_stage stage;
    struct java_said said;
    struct {
        uint64_t offset, size; /* without the note; 0: the host does not know it */
        uint64_t call;         /* of an honest one without an answer */
    } slots[SLOTS];
    uint64_t last_call, puts, answers;
    uint64_t told, received; /* events: said to be there, and in batches */
    uint64_t room, promised,
        promised_put;     /* promised events: for which there is room, in batches, and in channels */
    uint64_t most, first; /* as the host knows them: so many it may promise, and has promised */
    bool lied, is_drained;
} fuzz;

static void read_agent(void)
{
    static struct ps_java_message message;
    while (java_bare_take(&message)) {
        const uint64_t *numbers = message.numbers;
        if (message.type == PS_JAVA_AREA && numbers[2] > 0) {
            PS_ASSERT(message.number_count == 3 && numbers[0] < SLOTS);
            fuzz.slots[numbers[0]].offset = numbers[1];
            fuzz.slots[numbers[0]].size = numbers[2] - sizeof(struct ps_java_promised);
        } else if (message.type == PS_JAVA_ANSWER) {
            PS_ASSERT(message.number_count == 3 && ++fuzz.answers <= fuzz.puts);
            PS_ASSERT(numbers[2] <= fuzz.room);
            fuzz.most = numbers[2] > fuzz.most ? numbers[2] : fuzz.most;
            for (unsigned i = 0; i < SLOTS; i++)
                fuzz.slots[i].call = fuzz.slots[i].call == numbers[0] ? 0 : fuzz.slots[i].call;
        } else if (message.type == PS_JAVA_KEEP) {
            fuzz.most = fuzz.first;
            (void)java_bare_send(PS_JAVA_PROMISED, &fuzz.first, 1, NULL);
        }
    }
    const uint64_t known[] = {fuzz.last_call, fuzz.first, fuzz.room, fuzz.slots[0].size, 20, 40};
    memcpy(fuzz.said.known, known, sizeof known);
}

/* ---- the engine ---- */

static void close_batch(bool refuses)
{
    struct ps_batch *batch = fuzz.stage.batch;
    if (batch == NULL)
        return;
    for (uint32_t i = 0; i < batch->count; i++)
        fuzz_check_event(batch, &batch->events[i]);
    if (batch->promised)
        fuzz.promised_put += batch->count;
    if (refuses && !batch->promised)
        ps_test_source_refuse_batch(&fuzz.stage, "as the fuzzer says");
    else
        ps_test_source_close_batch(&fuzz.stage);
}

static void work(unsigned argument)
{
    uint32_t before = fuzz.stage.batch != NULL ? fuzz.stage.batch->count : 0;
    ps_test_source_read(&fuzz.stage);
    const struct ps_batch *batch = fuzz.stage.batch;
    fuzz.received += batch->count - before;
    fuzz.promised += batch->promised ? batch->count - before : 0;
    PS_ASSERT(fuzz.received <= fuzz.told && fuzz.promised <= fuzz.room);
    if (batch->full || batch->flush)
        close_batch(argument % 2 != 0);
}

/* The channels keep as much room as the source wants, or less. */
static void reserve(unsigned argument)
{
    const struct ps_engine_source_ops *engine = fuzz.stage.ops->source->engine;
    uint64_t wanted = engine->reserves(fuzz.stage.plan, fuzz.stage.state);
    uint64_t events = argument < 8 ? wanted : java_said_number(&fuzz.said) % (wanted + 1);
    if (fuzz.promised_put + events > fuzz.room)
        fuzz.room = fuzz.promised_put + events;
    engine->reserved(fuzz.stage.plan, fuzz.stage.state, events, &fuzz.stage.now);
}

static void open_stage(void)
{
    memset(fuzz.slots, 0, sizeof fuzz.slots);
    fuzz.puts = fuzz.answers = fuzz.told = fuzz.received = 0;
    fuzz.room = fuzz.promised = fuzz.promised_put = fuzz.most = fuzz.first = 0;
    fuzz.lied = fuzz.is_drained = fuzz.stage.failed = false;
    PS_ASSERT(ps_test_stage_open(&fuzz.stage) == PS_OK);
}

static void reopen(void)
{
    close_batch(false);
    ps_test_stage_close(&fuzz.stage);
    if (java_bare_runs() && java_bare_accusation() != NULL)
        java_bare_end();
    if (!java_bare_runs())
        java_bare_begin();
    read_agent();
    open_stage();
}

static void drain(void)
{
    fuzz.is_drained = true;
    for (unsigned i = 0; !fuzz.stage.ops->source->drain(fuzz.stage.plan, fuzz.stage.state, &fuzz.stage.now);
         i++) {
        PS_ASSERT(i < 200);
        (void)fuzz.stage.ops->source->tick(fuzz.stage.plan, fuzz.stage.state, &fuzz.stage.now);
        work(0);
        close_batch(false);
        read_agent();
        ps_test_stage_pass_ms(&fuzz.stage, 100);
    }
    reopen();
}

/* ---- the host ---- */

static void tell(uint64_t events)
{
    fuzz.told += events <= PS_BATCH_EVENTS_MAX ? events : 0;
}

static void send(unsigned which)
{
    static const uint32_t types[] = {PS_JAVA_PUT,     PS_JAVA_NEED,    PS_JAVA_PROMISED,
                                     PS_JAVA_TROUBLE, PS_JAVA_READY,   PS_JAVA_STOPPED,
                                     PS_JAVA_FAILED,  PS_JAVA_FOLLOWS, PS_JAVA_COMMIT};
    const struct ps_java_message *message = java_said_message(&fuzz.said, types[which % PS_COUNT_OF(types)]);
    fuzz.lied = true; /* perhaps; and what it is about is no longer known */
    if (message == NULL || message->type != PS_JAVA_PUT || message->number_count < 4)
        return;
    fuzz.puts++;
    tell(message->numbers[3]);
}

static void put_entries(unsigned count)
{
    fake_entries.bytes = fake_entries.count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct ps_java_event event = {.origin = PS_JAVA_NO_ORIGIN,
                                      .flags = PS_JAVA_EVENT_BODY | PS_JAVA_EVENT_HEADERS,
                                      .body_length = i % 5,
                                      .header_count = 1};
        uint32_t start = fake_entries.bytes;
        fake_put(&event, sizeof event);
        fake_put_header("name", "value", i % 6);
        fake_put("body", i % 5);
        fake_end_entry(start, &event);
    }
}

static unsigned free_slot(void)
{
    unsigned slot = 0;
    while (slot < SLOTS && (fuzz.slots[slot].size == 0 || fuzz.slots[slot].call != 0))
        slot++;
    return slot;
}

/* A call as it should be. `left`: it is noted, and the message never comes. */
static void call(unsigned count, bool promises, bool left)
{
    unsigned slot = free_slot();
    if (slot == SLOTS || !java_bare_runs() || (promises && fuzz.first + count > fuzz.most))
        return;
    put_entries(count);
    const uint64_t numbers[] = {slot, ++fuzz.last_call, fake_entries.bytes, count, fuzz.first, count > 0};
    uint64_t offset = fuzz.slots[slot].offset;
    java_bare_write(offset, fake_entries.data, fake_entries.bytes);
    if (promises) {
        const struct ps_java_promised note = {.first = fuzz.first,
                                              .size = (uint64_t)count << 32 | fake_entries.bytes};
        java_bare_write(offset + fuzz.slots[slot].size, &note, offsetof(struct ps_java_promised, revoked));
        fuzz.first += count;
    }
    tell(count);
    fuzz.slots[slot].call = fuzz.last_call;
    fuzz.lied |= left;
    if (left || !java_bare_send(PS_JAVA_PUT, numbers, promises ? 6 : 4, NULL))
        return;
    fuzz.puts++;
}

/* Any bytes at the beginning of a slot, or in the note at its end. */
static void scribble(unsigned argument)
{
    unsigned slot = argument / 2;
    if (!java_bare_runs() || fuzz.slots[slot].size == 0)
        return;
    fuzz.lied = true;
    if (argument % 2 == 0) {
        java_said_bytes(&fuzz.said, fuzz.slots[slot].offset, fuzz.slots[slot].size);
        return;
    }
    const uint64_t count = java_said_number(&fuzz.said), bytes = java_said_number(&fuzz.said);
    const struct ps_java_promised note = {.first = java_said_number(&fuzz.said), .size = count << 32 | bytes};
    java_bare_write(fuzz.slots[slot].offset + fuzz.slots[slot].size, &note,
                    offsetof(struct ps_java_promised, revoked));
    tell((uint32_t)(note.size >> 32));
}

static void step(unsigned command, unsigned argument)
{
    if (command < 3)
        work(argument);
    else if (command == 3)
        reserve(argument);
    else if (command == 4)
        (void)java_bare_send(PS_JAVA_READY, NULL, 0, NULL), fuzz.lied = true;
    else if (command == 5 && java_bare_runs())
        java_bare_end();
    else if (command == 6)
        java_bare_block(argument % 2 != 0);
    else if (command == 7)
        ps_test_stage_pass_ms(&fuzz.stage, 1U << argument);
    else if (command == 8 && argument == 0)
        drain();
    else if (command == 8)
        scribble(argument);
    else if (command < 14)
        call(1 + argument, command > 10, command == 13);
    else
        send(command == 14 ? 0 : argument);
    if (fuzz.stage.opened)
        (void)fuzz.stage.ops->source->tick(fuzz.stage.plan, fuzz.stage.state, &fuzz.stage.now);
    PS_ASSERT(fuzz.lied || !java_bare_runs() || java_bare_accusation() == NULL);
    read_agent();
    if (fuzz.stage.failed)
        reopen();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&fuzz, 0, sizeof fuzz);
    fuzz.said = (struct java_said){.at = data, .end = data + size};
    java_bare_begin();
    ps_test_stage_init_sized(&fuzz.stage, &ps_source_java, 8U << 20);
    if (ps_test_stage_bind(&fuzz.stage, PS_KEYS("type", "org.example.Source")) != PS_OK ||
        ps_test_stage_build(&fuzz.stage) != PS_OK)
        fail_msg("%s", fuzz.stage.err.text);
    open_stage();
    for (unsigned i = 0; i < STEPS_MAX && fuzz.said.at < fuzz.said.end; i++) {
        unsigned command = java_said_byte(&fuzz.said);
        step(command % 16, command / 16);
    }
    close_batch(false);
    ps_test_stage_fini(&fuzz.stage);
    if (java_bare_runs())
        java_bare_end();
    return 0;
}
