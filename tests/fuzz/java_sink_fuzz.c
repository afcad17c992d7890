/* The sink java with a Java host that sends, writes and leaves unread what the fuzzer says. A model has the batches that the host was given: a
 * commit of events that the host has, and has not committed, settles just these, and any other one is an accusation. Else only the notes in the
 * slots settle events. */
#include "stages/lib/java/exchange/events.h"
#include "tests/fuzz/java_events.h"
#include "tests/support/java/bare.h"
#include "tests/support/stage.h"

#define LEASES_MAX 64U
#define EVENTS_MAX 40U
#define BATCHES_MAX 8U /* that the host has at a time */
#define STEPS_MAX 300U

struct batch {
    uint64_t number, offset, size;
    uint32_t count, left;
    uint16_t events[LEASES_MAX * EVENTS_MAX]; /* numbers: lease * EVENTS_MAX + position */
    bool committed[LEASES_MAX * EVENTS_MAX];
};

static struct {
    struct ps_test_stage stage;
    struct java_said said;
    struct ps_lease *leases[LEASES_MAX], *offered; /* `offered`: the sink does not have them */
    unsigned lease_count;
    struct batch batches[BATCHES_MAX];
    bool may[LEASES_MAX * EVENTS_MAX];  /* the host has said that it has committed the event */
    bool must[LEASES_MAX * EVENTS_MAX]; /* and is believed */
    bool lied, recalled;
} fuzz;

/* ---- the model ---- */

static struct batch *batch_of(uint64_t number)
{
    for (unsigned i = 0; i < BATCHES_MAX; i++) {
        if (fuzz.batches[i].number == number && fuzz.batches[i].left > 0)
            return &fuzz.batches[i];
    }
    return NULL;
}

static void forget_batches(void)
{
    for (unsigned i = 0; i < BATCHES_MAX; i++)
        fuzz.batches[i].left = 0;
}

static void take_part(const uint64_t *numbers)
{
    struct batch *batch = batch_of(numbers[0]);
    if (batch == NULL || numbers[1] >= numbers[2] || numbers[2] > batch->count) {
        fuzz.lied = true;
        return;
    }
    for (uint64_t i = numbers[1]; i < numbers[2]; i++)
        fuzz.lied |= batch->committed[i];
    for (uint64_t i = numbers[1]; i < numbers[2] && !fuzz.lied; i++) {
        batch->committed[i] = true;
        fuzz.may[batch->events[i]] = fuzz.must[batch->events[i]] = true;
        batch->left--;
    }
}

static void take_commit(const struct ps_java_message *message)
{
    fuzz.lied = message->number_count % 3 != 0;
    for (uint32_t i = 0; i < message->number_count && !fuzz.lied; i += 3)
        take_part(&message->numbers[i]);
}

/* The numbers of the events are in the slot. */
static void read_events(struct batch *batch, const uint64_t *numbers)
{
    struct ps_java_event event;
    struct ps_slice body;
    char *area = malloc(numbers[3]);
    PS_ASSERT(area != NULL && numbers[3] <= numbers[2]);
    java_bare_read(numbers[1], area, numbers[3]);
    struct ps_java_reader reader = {.base = area, .size = (uint32_t)numbers[3]};
    for (uint32_t i = 0; i < batch->count; i++) {
        bool read = ps_java_reader_next(&reader, &event) && ps_java_reader_body(&reader, &event, &body);
        PS_ASSERT(read && body.length >= sizeof batch->events[i]);
        memcpy(&batch->events[i], body.data, sizeof batch->events[i]);
        PS_ASSERT(!fuzz.must[batch->events[i]]); /* a settled event is not handed over again */
    }
    free(area);
}

static void take_batch(const struct ps_java_message *message)
{
    const uint64_t *numbers = message->numbers;
    struct batch *batch = fuzz.batches;
    while (batch->left > 0)
        PS_ASSERT(++batch < fuzz.batches + BATCHES_MAX);
    PS_ASSERT(message->number_count == 5 && numbers[4] > 0 && numbers[4] <= PS_COUNT_OF(batch->events));
    *batch = (struct batch){.number = numbers[0],
                            .offset = numbers[1],
                            .size = numbers[2],
                            .count = (uint32_t)numbers[4],
                            .left = (uint32_t)numbers[4]};
    read_events(batch, numbers);
}

static void read_agent(void)
{
    static struct ps_java_message message;
    while (java_bare_take(&message)) {
        if (message.type == PS_JAVA_BATCH)
            take_batch(&message);
    }
    for (unsigned i = 0; i < BATCHES_MAX; i++) {
        fuzz.said.known[2 * i] = fuzz.batches[i].number;
        fuzz.said.known[2 * i + 1] = fuzz.batches[i].count;
    }
}

static void check_lease(unsigned number)
{
    const struct ps_lease *lease = fuzz.leases[number];
    uint32_t settled = 0;
    for (uint32_t i = 0; i < lease->count; i++) {
        bool is = ps_lease_is_settled(lease, i);
        settled += is;
        PS_ASSERT(!is || fuzz.may[number * EVENTS_MAX + i]);
        PS_ASSERT(is || !fuzz.must[number * EVENTS_MAX + i]);
    }
    PS_ASSERT(lease->settled == settled);
}

static void check(void)
{
    for (unsigned i = 0; i < fuzz.lease_count; i++)
        check_lease(i);
    for (size_t i = 0; i < fuzz.stage.done_count; i++)
        PS_ASSERT(fuzz.stage.done[i]->settled == fuzz.stage.done[i]->count);
}

/* ---- the engine ---- */

static void make_lease(unsigned size)
{
    static char bodies[EVENTS_MAX][64];
    struct ps_test_event events[EVENTS_MAX];
    uint32_t count = 1 + 3 * size % EVENTS_MAX;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t number = (uint16_t)(fuzz.lease_count * EVENTS_MAX + i);
        memcpy(bodies[i], &number, sizeof number);
        events[i] = (struct ps_test_event){.body = bodies[i], .length = 2 + size % 60};
    }
    fuzz.offered = fuzz.leases[fuzz.lease_count++] = ps_test_lease(&fuzz.stage, events, count);
    fuzz.offered->next = NULL;
}

static void work(unsigned size)
{
    if (fuzz.offered == NULL && fuzz.lease_count < LEASES_MAX)
        make_lease(size);
    if (fuzz.offered == NULL)
        return;
    struct ps_lease *lease = fuzz.offered, *next = lease->next;
    enum ps_result result = ps_test_sink_work(&fuzz.stage, &lease);
    fuzz.recalled = false;
    PS_ASSERT(result == PS_TAKEN || result == PS_LATER);
    if (result == PS_TAKEN)
        fuzz.offered = next;
}

/* `answers`: the host reports that the class has stopped. */
static void recall(bool answers)
{
    struct ps_lease *back = NULL, **end = &back;
    for (unsigned i = 0;
         !fuzz.stage.ops->sink->recall(fuzz.stage.plan, fuzz.stage.state, &back, &fuzz.stage.now); i++) {
        PS_ASSERT(i < 64);
        if (i == 0 && answers)
            (void)java_bare_send(PS_JAVA_STOPPED, NULL, 0, NULL);
        ps_test_stage_pass_ms(&fuzz.stage, 100);
    }
    ps_port_finish_settled(&fuzz.stage.port, &back);
    read_agent();
    forget_batches();
    while (*end != NULL)
        end = &(*end)->next;
    *end = fuzz.offered;
    fuzz.offered = back;
    fuzz.recalled = true;
}

static void reopen(void)
{
    recall(false);
    ps_test_stage_close(&fuzz.stage);
    if (java_bare_runs() && java_bare_accusation() != NULL)
        java_bare_end();
    if (!java_bare_runs())
        java_bare_begin();
    fuzz.lied = fuzz.recalled = fuzz.stage.failed = false;
    PS_ASSERT(ps_test_stage_open(&fuzz.stage) == PS_OK);
}

/* ---- the host ---- */

/* A note in the slot of a batch. The host may note as many events as the batch has. */
static void note(void)
{
    const struct batch *batch = batch_of(java_said_number(&fuzz.said));
    uint64_t count = java_said_number(&fuzz.said);
    if (batch == NULL || !java_bare_runs())
        return;
    java_bare_write(batch->offset + batch->size - sizeof count, &count, sizeof count);
    for (uint32_t i = 0; count <= batch->count && i < count; i++)
        fuzz.may[batch->events[i]] = true;
}

static void send(unsigned which)
{
    static const uint32_t types[] = {PS_JAVA_COMMIT,  PS_JAVA_TROUBLE, PS_JAVA_READY,
                                     PS_JAVA_STOPPED, PS_JAVA_FAILED,  PS_JAVA_FOLLOWS,
                                     PS_JAVA_PUT,     PS_JAVA_REPLY,   PS_JAVA_PROMISED};
    const struct ps_java_message *message = java_said_message(&fuzz.said, types[which % PS_COUNT_OF(types)]);
    if (message != NULL && message->type == PS_JAVA_COMMIT && !fuzz.recalled)
        take_commit(message);
}

static void step(unsigned command, unsigned argument)
{
    if (command < 2)
        work(argument);
    else if (command == 2)
        (void)java_bare_send(PS_JAVA_READY, NULL, 0, NULL);
    else if (command == 3)
        note();
    else if (command == 4)
        recall(argument % 2 != 0);
    else if (command == 5 && java_bare_runs())
        java_bare_end();
    else if (command == 6)
        java_bare_block(argument % 2 != 0);
    else
        send(command == 7 ? argument : 0);
    (void)ps_test_sink_tick(&fuzz.stage);
    PS_ASSERT(!fuzz.lied || java_bare_accusation() != NULL);
    PS_ASSERT(command < 8 || fuzz.lied || !java_bare_runs() || java_bare_accusation() == NULL);
    read_agent();
    check();
    if (fuzz.stage.failed)
        reopen();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&fuzz, 0, sizeof fuzz);
    fuzz.said = (struct java_said){.at = data, .end = data + size};
    java_bare_begin();
    ps_test_stage_init_sized(&fuzz.stage, &ps_sink_java, 8U << 20);
    if (ps_test_stage_bind(&fuzz.stage, PS_KEYS("type", "org.example.Sink")) != PS_OK ||
        ps_test_stage_build(&fuzz.stage) != PS_OK || ps_test_stage_open(&fuzz.stage) != PS_OK)
        fail_msg("%s", fuzz.stage.err.text);
    for (unsigned i = 0; i < STEPS_MAX && fuzz.said.at < fuzz.said.end; i++) {
        unsigned command = java_said_byte(&fuzz.said);
        step(command % 16, command / 16);
    }
    recall(false);
    check();
    ps_test_stage_fini(&fuzz.stage);
    if (java_bare_runs())
        java_bare_end();
    return 0;
}
