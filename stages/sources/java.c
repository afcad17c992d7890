/* Source java: runs a source that is a Java class in the Java host (docs/PLUGINS.md).
 *
 * The class puts events into its channel processor. Each such call comes in a slot of the shared memory. It is read into
 * batches, and answered when all required channels have promised its events, or when one of them has refused some: the class
 * then gets a ChannelException, as in Flume. When the host ends, calls without an answer are for nobody: the class in the
 * next host has not seen them succeed. Thread: the source's worker. */
#include "core/class_path.h"
#include "core/clock.h"
#include "stages/lib/event_headers.h"
#include "stages/lib/java/component.h"
#include "stages/lib/java/events.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 16U
#define SLOT_BYTES (128U * 1024U)
#define CALL_BYTES_MAX (UINT64_C(1) << 30)
/* Bytes that one call of `work` reads at most, but for a large event. */
#define WORK_BYTES (256U * 1024U)
/* A stop waits this long for the class to stop, and for the channels to answer its calls. */
#define DRAIN_NS (5 * PS_NS_PER_S)
/* .. and for its own channels to be empty, when it is a whole flow: the host gives up after 20 s. */
#define FLOW_DRAIN_NS (25 * PS_NS_PER_S)

struct java_plan {
    struct ps_java_class class; /* must be first (stages/lib/java/component.h) */
    uint64_t call_bytes_max;
};

enum phase {
    UNKNOWN, /* the host does not know the slot yet */
    FREE,    /* the host may write it */
    WANTS,   /* the host waits for a larger one */
    CALLS,   /* it has a call, of which events are still to be read */
    WAITS,   /* all events of the call are read, or are not wanted any more */
};

struct slot {
    struct ps_java_area area;
    enum phase phase;
    uint64_t
        serial; /* of the call: tickets of an earlier one, also of an earlier open source, are for nobody */
    uint64_t call;   /* the host's number */
    uint64_t wanted; /* WANTS: bytes */
    uint32_t bytes, count;
    uint32_t at, taken; /* bytes and events that are in batches */
    uint32_t left;      /* events in batches that are not answered */
    struct ps_block *block;
    bool refused;
    char reason[200];
};

struct java_state {
    const struct java_plan *plan;
    struct ps_port *port;
    struct slot slots[SLOTS];
    unsigned queue[SLOTS], queue_first, queue_count; /* slots with calls, in order */
    uint64_t drain_ns;                               /* end of the stop's wait; 0: it does not stop */
    bool accused;                                    /* the host broke the protocol, and is being ended */
    struct ps_java_component component;
    struct ps_event_headers headers;
};

static enum ps_status java_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct java_plan *plan = plan_;
    uint64_t half = context->memory_budget_bytes / 2;
    plan->call_bytes_max = half < CALL_BYTES_MAX ? half : CALL_BYTES_MAX;
    return ps_java_class_build(&plan->class, context, PS_JAVA_SOURCE, err);
}

static enum ps_status java_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct java_plan *plan = plan_;
    struct java_state *state = state_;
    if (ps_java_class_needs_host(&plan->class, err) != PS_OK)
        return PS_FAIL;
    state->plan = plan;
    state->port = port;
    uint64_t serial = ps_clock_now().mono_ns; /* a later open source begins with a larger one */
    for (size_t i = 0; i < SLOTS; i++)
        state->slots[i].serial = serial;
    ps_java_component_open(&state->component, &plan->class, port);
    return PS_OK;
}

static void accuse(struct java_state *state, const char *what)
{
    ps_java_component_accuse(&state->component, what);
    state->accused = true;
}

/* ---- slots ---- */

/* Gives the slot an area of at least `bytes` and tells the host. Returns false: later. */
static bool slot_area(struct java_state *state, struct slot *slot, uint64_t bytes)
{
    struct ps_java_area area;
    if (!ps_java_area_take(state->component.link.region, bytes, &area))
        return false;
    const uint64_t numbers[] = {(uint64_t)(slot - state->slots), area.offset, area.size};
    if (!ps_java_component_send(&state->component, PS_JAVA_AREA, numbers, PS_COUNT_OF(numbers), NULL)) {
        ps_java_area_give(&area);
        return false;
    }
    ps_java_area_give(&slot->area);
    slot->area = area;
    return true;
}

/* The host asked for room for one event. Returns false: later. */
static bool slot_grow(struct java_state *state, struct slot *slot)
{
    const uint64_t refusal[] = {(uint64_t)(slot - state->slots), 0, 0};
    if (slot->wanted <= state->plan->call_bytes_max)
        return slot_area(state, slot, slot->wanted);
    return ps_java_component_send(&state->component, PS_JAVA_AREA, refusal, PS_COUNT_OF(refusal),
                                  "the event is larger than half of penstock.memory.budget");
}

static void slot_end(struct java_state *state, struct slot *slot, enum phase phase)
{
    if (slot->block != NULL)
        ps_block_drop(state->port->blocks, slot->block);
    slot->block = NULL;
    slot->phase = phase;
    slot->serial++;
}

/* Answers a call that is decided. Returns false: later. A slot that was made for a large event becomes small again first. */
static bool slot_answer(struct java_state *state, struct slot *slot)
{
    const uint64_t numbers[] = {slot->call, slot->refused ? 0 : 1};
    const char *reason = slot->refused ? slot->reason : NULL;
    if (slot->area.size > 2 * SLOT_BYTES && !slot_area(state, slot, SLOT_BYTES))
        return false;
    if (!ps_java_component_send(&state->component, PS_JAVA_ANSWER, numbers, PS_COUNT_OF(numbers), reason))
        return false;
    if (!slot->refused)
        ps_count(state->port->counters, PS_COUNTER_AppendBatchAcceptedCount, 1);
    slot_end(state, slot, FREE);
    return true;
}

/* Sends areas and answers to the host. Returns whether some are left, because the pipe has no room now. */
static bool slots_serve(struct java_state *state)
{
    bool left = false;
    if (state->component.state != PS_JAVA_CONFIGURED && state->component.state != PS_JAVA_RUNS &&
        state->component.state != PS_JAVA_STOPS)
        return false;
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &state->slots[i];
        bool served = true;
        if (slot->phase == UNKNOWN)
            served = slot_area(state, slot, SLOT_BYTES);
        else if (slot->phase == WANTS)
            served = slot_grow(state, slot);
        else if (slot->phase == WAITS && slot->left == 0)
            served = slot_answer(state, slot);
        if (served && (slot->phase == UNKNOWN || slot->phase == WANTS))
            slot->phase = FREE;
        left |= !served;
    }
    return left;
}

/* ---- what the host sends ---- */

static const char *take_put(struct java_state *state, const struct ps_java_message *message)
{
    const uint64_t *numbers = message->numbers;
    struct slot *slot = message->number_count == 4 && numbers[0] < SLOTS ? &state->slots[numbers[0]] : NULL;
    if (slot == NULL || slot->phase != FREE || numbers[2] == 0 || numbers[2] > slot->area.size ||
        numbers[3] == 0 || numbers[3] > PS_BATCH_EVENTS_MAX)
        return "it puts events that are not within its memory";
    slot->phase = CALLS;
    slot->call = numbers[1];
    slot->bytes = (uint32_t)numbers[2];
    slot->count = (uint32_t)numbers[3];
    slot->at = slot->taken = slot->left = 0;
    slot->refused = false;
    state->queue[(state->queue_first + state->queue_count++) % SLOTS] = (unsigned)numbers[0];
    ps_count(state->port->counters, PS_COUNTER_AppendBatchReceivedCount, 1);
    return NULL;
}

static const char *take_need(struct java_state *state, const struct ps_java_message *message)
{
    const uint64_t *numbers = message->numbers;
    struct slot *slot = message->number_count == 2 && numbers[0] < SLOTS ? &state->slots[numbers[0]] : NULL;
    if (slot == NULL || slot->phase != FREE || numbers[1] <= slot->area.size)
        return "it asks for memory that it cannot need";
    slot->phase = WANTS;
    slot->wanted = numbers[1];
    return NULL;
}

static void take_message(struct java_state *state)
{
    const struct ps_java_message *message = &state->component.message;
    const char *wrong = "it sent a message that no source sends";
    if (message->type == PS_JAVA_PUT)
        wrong = take_put(state, message);
    else if (message->type == PS_JAVA_NEED)
        wrong = take_need(state, message);
    if (wrong != NULL)
        accuse(state, wrong);
}

/* Takes what the host has sent. Returns whether the component is over. */
static bool serve(struct java_state *state)
{
    enum ps_java_event_kind event;
    while ((event = ps_java_component_next(&state->component)) != PS_JAVA_NOTHING && event != PS_JAVA_ENDED) {
        if (event == PS_JAVA_MESSAGE)
            take_message(state);
    }
    return event == PS_JAVA_ENDED;
}

/* ---- events into a batch ---- */

enum outcome { READ_ALL, READ_PART, READ_NO_MEMORY, READ_WRONG };

/* Copies what is left of the call into memory of the batch, where events then stay. NULL: the batch is full, or there is no
 * memory. */
static const char *copy_call(struct java_state *state, struct slot *slot, struct ps_batch *batch)
{
    uint32_t left = slot->bytes - slot->at, room;
    if (left <= PS_BLOCK_BYTES) {
        char *copy = ps_batch_reserve(batch, left, &room);
        if (copy != NULL) {
            memcpy(copy, slot->area.memory + slot->at, left);
            ps_batch_commit(batch, left);
        }
        return copy;
    }
    bool first = slot->block == NULL;
    if (first) {
        slot->block = ps_block_take_oversize(state->port->blocks, slot->bytes);
        if (slot->block == NULL)
            return NULL;
        memcpy(slot->block->base, slot->area.memory, slot->bytes);
    }
    if (!ps_batch_refer(batch, slot->block, first)) {
        batch->full = true; /* its list of blocks is */
        return NULL;
    }
    return slot->block->base + slot->at;
}

/* Adds the event whose head was read. Returns false: the batch is full, or there is no memory. */
static bool add_event(struct java_state *state, struct ps_batch *batch, const struct ps_java_reader *entry,
                      const struct ps_java_event *event)
{
    struct ps_batch_point point = ps_batch_point(batch);
    struct ps_java_reader behind = *entry, reader = *entry;
    struct ps_slice name, value, body = {.length = 0};
    for (uint32_t i = 0; i < event->header_count; i++)
        (void)ps_java_reader_header(&behind, &name, &value);
    (void)ps_java_reader_body(&behind, event, &body);
    ps_event_headers_expect(&state->headers, event->header_count);
    struct ps_event *row = ps_batch_add(batch, (char *)(uintptr_t)body.data, body.length);
    if (row == NULL)
        return false;
    for (uint32_t i = 0; i < event->header_count; i++) {
        (void)ps_java_reader_header(&reader, &name, &value);
        if (!ps_event_headers_add(&state->headers, batch, row, &name, &value)) {
            ps_event_withdraw(&state->headers, batch, &point);
            return false;
        }
    }
    return true;
}

static bool entry_is_good(const struct ps_java_reader *reader, const struct ps_java_event *event)
{
    return event->origin == PS_JAVA_NO_ORIGIN &&
           event->flags == (PS_JAVA_EVENT_BODY | PS_JAVA_EVENT_HEADERS) &&
           ps_java_reader_is_good(reader, event);
}

static enum outcome read_events(struct java_state *state, struct slot *slot, struct ps_batch *batch,
                                const char *copy)
{
    struct ps_java_reader reader = {.base = copy, .size = slot->bytes - slot->at};
    uint64_t origin = slot->serial * SLOTS + (uint64_t)(slot - state->slots);
    struct ps_java_event event;
    if (!ps_batch_ticket(batch, origin, 0))
        return READ_NO_MEMORY;
    while (slot->taken < slot->count) {
        if (!ps_java_reader_next(&reader, &event) || !entry_is_good(&reader, &event))
            return READ_WRONG;
        if (!add_event(state, batch, &reader, &event))
            return batch->full ? READ_PART : READ_NO_MEMORY;
        PS_ASSERT(ps_batch_ticket(batch, origin, 1)); /* adds to the ticket made above */
        slot->at += event.size;
        slot->taken++;
        slot->left++;
    }
    return slot->at == slot->bytes ? READ_ALL : READ_WRONG;
}

static enum outcome read_call(struct java_state *state, struct slot *slot, struct ps_batch *batch)
{
    struct ps_batch_point point = ps_batch_point(batch);
    uint32_t before = batch->count;
    const char *copy = copy_call(state, slot, batch);
    if (copy == NULL)
        return batch->full ? READ_PART : READ_NO_MEMORY;
    enum outcome outcome = read_events(state, slot, batch, copy);
    if (batch->count == before)
        ps_batch_rewind(batch, &point); /* takes away the ticket */
    return outcome;
}

static void dequeue(struct java_state *state, struct slot *slot)
{
    slot->phase = WAITS;
    state->queue_first = (state->queue_first + 1) % SLOTS;
    state->queue_count--;
}

static enum ps_result java_work(const void *, void *state_, struct ps_batch *batch, const struct ps_now *)
{
    struct java_state *state = state_;
    uint32_t before = batch->count, bytes = 0;
    enum outcome outcome = READ_ALL;
    if (before == 0)
        ps_event_headers_begin(&state->headers);
    while (state->queue_count > 0 && outcome == READ_ALL && bytes < WORK_BYTES) {
        struct slot *slot = &state->slots[state->queue[state->queue_first]];
        uint32_t at = slot->at;
        outcome = slot->refused ? READ_ALL : read_call(state, slot, batch);
        bytes += slot->at - at;
        if (outcome == READ_ALL)
            dequeue(state, slot);
    }
    ps_count(state->port->counters, PS_COUNTER_EventReceivedCount, batch->count - before);
    if (batch->count > before)
        batch->flush = true; /* the class waits for the answer */
    if (outcome == READ_WRONG) {
        state->queue_count = 0;
        accuse(state, "it puts events that cannot be");
    }
    if (outcome == READ_NO_MEMORY)
        return PS_BACKOFF;
    return batch->count > before || outcome == READ_PART ? PS_DONE : PS_IDLE;
}

/* ---- answers of the channels ---- */

/* The batch was accepted, or refused for this reason. */
static void answer(struct java_state *state, const struct ps_batch *batch, const char *reason)
{
    for (const struct ps_ticket *ticket = batch->tickets; ticket != NULL; ticket = ticket->next) {
        struct slot *slot = &state->slots[ticket->origin % SLOTS];
        if (slot->serial != ticket->origin / SLOTS)
            continue;
        PS_ASSERT(slot->left >= ticket->events);
        slot->left -= ticket->events;
        if (reason != NULL && ticket->events > 0 && !slot->refused) {
            slot->refused = true;
            snprintf(slot->reason, sizeof slot->reason, "%s", reason);
        }
    }
    if (slots_serve(state) && state->port->wake_fd >= 0)
        (void)!write(state->port->wake_fd, &(uint64_t){1}, sizeof(uint64_t)); /* `tick` tries again */
}

static void java_accepted(const void *, void *state, const struct ps_batch *batch, const struct ps_now *)
{
    answer(state, batch, NULL);
}

static void java_refused(const void *, void *state, const struct ps_batch *batch, const char *reason,
                         const struct ps_now *)
{
    answer(state, batch, reason);
}

/* ---- life ---- */

static uint64_t java_tick(const void *, void *state_, const struct ps_now *now)
{
    struct java_state *state = state_;
    bool over = serve(state);
    if (over && state->drain_ns == 0)
        ps_port_failed(state->port, state->component.reason.length > 0
                                        ? &state->component.reason
                                        : &(struct ps_err){.text = "the class has stopped", .length = 21});
    bool left = slots_serve(state);
    return left ? now->mono_ns + PS_NS_PER_MS : ps_java_component_due_ns(&state->component, now);
}

/* The class stops. The host reports this when its calls have their answers, or after 2 s; `tick` serves it meanwhile. */
static bool java_drain(const void *, void *state_, const struct ps_now *now)
{
    struct java_state *state = state_;
    if (state->drain_ns == 0)
        state->drain_ns =
            now->mono_ns + (ps_java_class_is_flow(&state->plan->class) ? FLOW_DRAIN_NS : DRAIN_NS);
    return ps_java_component_stop(&state->component) || now->mono_ns >= state->drain_ns;
}

/* The host has said that the component is over, so that it does not write its slots any more; or it has ended. */
static bool is_quiet(const struct java_state *state)
{
    return state->component.state == PS_JAVA_OVER && !state->accused;
}

static void java_close(const void *, void *state_)
{
    struct java_state *state = state_;
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &state->slots[i];
        if (!is_quiet(state))
            ps_java_area_abandon(&slot->area);
        ps_java_area_give(&slot->area);
        slot_end(state, slot, UNKNOWN);
    }
    ps_java_component_close(&state->component);
}

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_ACCEPTED,
    .when_full = PS_REFUSE,
    .work = java_work,
    .tick = java_tick,
    .accepted = java_accepted,
    .refused = java_refused,
    .drain = java_drain,
    .counts_calls = true,
};

static void java_outline(const void *plan, const struct ps_context *context, FILE *out)
{
    const struct java_plan *java = plan;
    const char *count = ps_pairs_get(&java->class.pairs, PS_JAVA_CHAIN_KEY);
    const char *names = ps_pairs_get(&java->class.pairs, "interceptors");
    if (ps_java_class_is_flow(&java->class)) {
        fprintf(out, "runs the channels %s, with their sources and sinks, in Flume's own classes",
                ps_pairs_get(&java->class.pairs, "channels"));
        return;
    }
    ps_java_class_outline(&java->class, PS_JAVA_SOURCE, context, out);
    if (count == NULL || names == NULL)
        return;
    unsigned left = (unsigned)strtoul(count, NULL, 10);
    fprintf(out, ", with its interceptor%s", left > 1 ? "s" : "");
    for (const char *between = " "; left > 0; left--) {
        names += strspn(names, " \t");
        fprintf(out, "%s%.*s", between, (int)strcspn(names, " \t"), names);
        names += strcspn(names, " \t");
        between = left == 2 ? " and " : ", ";
    }
}

const struct ps_stage_ops ps_source_java = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "java",
    .summary = "Runs a source that is a Java class in a Java process beside the agent",
    .options = ps_java_class_options,
    .plan_size = sizeof(struct java_plan),
    .state_size = sizeof(struct java_state),
    .exclusive = true,
    .refuses = true, /* a class that Flume would run is not left out */
    .check = ps_java_class_check,
    .build = java_build,
    .teardown = ps_java_class_teardown,
    .open = java_open,
    .close = java_close,
    .outline = java_outline,
    .source = &source,
};
