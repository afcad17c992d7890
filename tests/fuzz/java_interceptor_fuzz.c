/* The interceptor java with a Java host that sends, writes and leaves unread what the fuzzer says. A batch counts as handled only after a reply to it
 * (or after word that the class makes too much of its only event); until then it is as it was, and then each of its events can be read, and is
 * within the limits of an event. A host that has said nothing is not accused of what an earlier one has said. */
#include "tests/fuzz/java_events.h"
#include "tests/support/java/bare.h"
#include "tests/support/java/entries.h"
#include "tests/support/stage.h"

#define BATCHES_MAX 100U
#define STEPS_MAX 300U

static struct {
    struct ps_test_stage stage;
    struct java_said said;
    struct ps_lease *lease;
    unsigned leases;
    uint32_t count;                    /* of the lease, as it was given */
    uint64_t batch, offset, size;      /* that the host has; its reply's area */
    bool is_sent;                      /* it is about the present lease */
    bool replied, unchanged, too_much; /* what the host has said of it */
    uint64_t reply_count;
    uint64_t request; /* offset of the batch's events */
    bool is_kept;     /* the agent has that area, and nobody has told it that the host no longer uses it */
    bool is_ready, spoke; /* this run of the host has said more than that the class is ready */
} fuzz;

static void read_agent(void)
{
    static struct ps_java_message message;
    const uint64_t *numbers = message.numbers;
    while (java_bare_take(&message)) {
        if (message.type == PS_JAVA_BATCH) {
            PS_ASSERT(message.number_count == 8 && numbers[4] == fuzz.count && numbers[3] <= numbers[2]);
            fuzz.batch = numbers[0];
            fuzz.request = numbers[1];
            fuzz.is_kept = true;
            fuzz.offset = numbers[5];
            fuzz.size = numbers[6];
            fuzz.is_sent = true;
            fuzz.replied = fuzz.too_much = false;
        } else if (message.type == PS_JAVA_AREA) {
            PS_ASSERT(message.number_count == 3 && numbers[0] == fuzz.batch && numbers[2] > fuzz.size);
            fuzz.offset = numbers[1];
            fuzz.size = numbers[2];
        }
    }
    const uint64_t known[] = {fuzz.batch, fuzz.size, fuzz.count};
    memcpy(fuzz.said.known, known, sizeof known);
}

/* ---- the engine ---- */

static void make_lease(unsigned argument)
{
    static const char *const headers[] = {"name", "value", "other", "", NULL};
    struct ps_test_event events[16];
    fuzz.count = 1 + argument;
    for (uint32_t i = 0; i < fuzz.count; i++)
        events[i] = (struct ps_test_event){
            .body = "abcdefghijklmnopq", .length = i, .headers = i % 2 == 0 ? headers : NULL};
    fuzz.lease = ps_test_lease(&fuzz.stage, events, fuzz.count);
    fuzz.is_sent = fuzz.replied = fuzz.too_much = false;
    fuzz.leases++;
}

/* The events are as they were given. */
static void check_same(void)
{
    PS_ASSERT(fuzz.lease->count == fuzz.count);
    for (uint32_t i = 0; i < fuzz.count; i++) {
        const struct ps_event *event = ps_lease_event(fuzz.lease, i);
        PS_ASSERT(event->body_length == i && (i == 0 || memcmp(event->body, "abcdefghijklmnopq", i) == 0));
        fuzz_check_event(fuzz.lease->batch, event);
    }
}

static void check_done(void)
{
    if (!fuzz.replied) {
        PS_ASSERT(fuzz.too_much && fuzz.count == 1 && fuzz.lease->count == 0);
        return;
    }
    if (fuzz.unchanged)
        check_same();
    else
        PS_ASSERT(fuzz.lease->count <= fuzz.reply_count);
    for (uint32_t i = 0; i < fuzz.lease->count; i++)
        fuzz_check_event(fuzz.lease->batch, ps_lease_event(fuzz.lease, i));
}

static void work(unsigned argument)
{
    if (fuzz.lease == NULL && fuzz.leases < BATCHES_MAX)
        make_lease(argument);
    if (fuzz.lease == NULL)
        return;
    fuzz.stage.port.is_too_large = false;
    enum ps_result result =
        fuzz.stage.ops->interceptor->work(fuzz.stage.plan, fuzz.stage.state, fuzz.lease, &fuzz.stage.now);
    PS_ASSERT(!fuzz.stage.port.is_too_large || (fuzz.too_much && fuzz.count > 1));
    if (result == PS_DONE) {
        check_done();
        fuzz.lease = NULL;
        return;
    }
    PS_ASSERT(result == PS_LATER || result == PS_BACKOFF || result == PS_RETRY);
    check_same();
}

/* The last run of the host has ended, and another one begins. */
static void run_again(void)
{
    if (java_bare_runs())
        java_bare_end();
    java_bare_begin();
    fuzz.is_ready = fuzz.spoke = fuzz.is_kept = false;
}

static void reopen(void)
{
    ps_test_stage_close(&fuzz.stage);
    fuzz.is_kept = false;
    if (java_bare_runs() && java_bare_accusation() != NULL)
        java_bare_end();
    if (!java_bare_runs())
        run_again();
    read_agent();
    fuzz.is_sent = fuzz.replied = fuzz.too_much = false;
    PS_ASSERT(ps_test_stage_open(&fuzz.stage) == PS_OK);
}

/* ---- the host ---- */

static void note_reply(const struct ps_java_message *message)
{
    const uint64_t *numbers = message->numbers;
    if (message->type == PS_JAVA_REPLY && message->number_count == 4 && fuzz.is_sent && !fuzz.replied &&
        numbers[0] == fuzz.batch) {
        fuzz.replied = true;
        fuzz.unchanged = numbers[3] != 0;
        fuzz.reply_count = numbers[2];
    }
    if (message->type == PS_JAVA_TROUBLE && message->number_count == 2 && fuzz.is_sent &&
        numbers[0] == fuzz.batch)
        fuzz.too_much |= numbers[1] != 0;
}

static void send(unsigned which)
{
    static const uint32_t types[] = {PS_JAVA_REPLY,   PS_JAVA_NEED,    PS_JAVA_TROUBLE,
                                     PS_JAVA_READY,   PS_JAVA_STOPPED, PS_JAVA_FAILED,
                                     PS_JAVA_FOLLOWS, PS_JAVA_COMMIT,  PS_JAVA_PUT};
    const struct ps_java_message *message = java_said_message(&fuzz.said, types[which % PS_COUNT_OF(types)]);
    fuzz.spoke = true;
    if (message == NULL)
        return;
    fuzz.is_kept &= message->type != PS_JAVA_STOPPED && message->type != PS_JAVA_FAILED;
    note_reply(message);
}

/* Said a second time it is a lie. */
static void get_ready(void)
{
    fuzz.spoke |= fuzz.is_ready;
    fuzz.is_ready |= java_bare_send(PS_JAVA_READY, NULL, 0, NULL);
}

static void put_entry(uint32_t limit)
{
    unsigned which = java_said_byte(&fuzz.said);
    struct ps_java_event event = {.origin = which % 32 == 31 ? PS_JAVA_NO_ORIGIN : which % 32 % limit,
                                  .flags = which / 32,
                                  .header_count = which % 3,
                                  .body_length = which % 5};
    uint32_t start = fake_entries.bytes;
    fake_put(&event, sizeof event);
    for (uint32_t i = 0; i < event.header_count; i++)
        fake_put_header(i == 0 ? "name" : "added", "value", 5);
    fake_put("body!", event.body_length);
    fake_end_entry(start, &event);
}

/* A reply whose entries are mostly good. */
static void reply(unsigned count)
{
    fake_entries.bytes = fake_entries.count = 0;
    for (unsigned i = 0; i < count; i++)
        put_entry(fuzz.count + 1);
    if (!java_bare_runs() || !fuzz.is_sent || fake_entries.bytes > fuzz.size)
        return;
    fuzz.spoke = true;
    java_bare_write(fuzz.offset, fake_entries.data, fake_entries.bytes);
    struct ps_java_message message = {.type = PS_JAVA_REPLY,
                                      .number_count = 4,
                                      .numbers = {fuzz.batch, fake_entries.bytes, fake_entries.count}};
    if (java_bare_send(message.type, message.numbers, message.number_count, NULL))
        note_reply(&message);
}

/* The memory that a liar has is not given to anybody else while it runs: it still has the events. */
static void check_area(void)
{
    uint32_t size = 1;
    if (fuzz.is_kept && java_bare_runs() && java_bare_accusation() != NULL)
        java_bare_read(fuzz.request, &size, sizeof size);
    PS_ASSERT(size != 0);
}

static void step(unsigned command, unsigned argument)
{
    if (command < 4)
        work(argument);
    else if (command == 4)
        get_ready();
    else if (command == 5)
        run_again();
    else if (command == 6)
        java_bare_block(argument % 2 != 0);
    else if (command == 7)
        ps_test_stage_pass_ms(&fuzz.stage, 20U << argument);
    else if (command == 8)
        fuzz.lease = NULL; /* its source has given it up */
    else if (command == 9 && argument == 0)
        reopen();
    else if (command == 9 && java_bare_runs() && fuzz.is_sent)
        java_said_bytes(&fuzz.said, fuzz.offset, fuzz.size);
    else if (command < 12)
        reply(argument);
    else
        send(command == 12 ? argument : command - 13);
    if (command != 6)
        (void)fuzz.stage.ops->interceptor->tick(fuzz.stage.plan, fuzz.stage.state, &fuzz.stage.now);
    read_agent();
    check_area();
    PS_ASSERT(fuzz.spoke || !java_bare_runs() || java_bare_accusation() == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&fuzz, 0, sizeof fuzz);
    fuzz.said = (struct java_said){.at = data, .end = data + size};
    java_bare_begin();
    ps_test_stage_init_sized(&fuzz.stage, &ps_interceptor_java, 8U << 20);
    if (ps_test_stage_bind(&fuzz.stage, PS_KEYS("type", "org.example.Interceptor$Builder")) != PS_OK ||
        ps_test_stage_build(&fuzz.stage) != PS_OK || ps_test_stage_open(&fuzz.stage) != PS_OK)
        fail_msg("%s", fuzz.stage.err.text);
    for (unsigned i = 0; i < STEPS_MAX && fuzz.said.at < fuzz.said.end; i++) {
        unsigned command = java_said_byte(&fuzz.said);
        step(command % 16, command / 16);
    }
    ps_test_stage_fini(&fuzz.stage);
    if (java_bare_runs())
        java_bare_end();
    return 0;
}
