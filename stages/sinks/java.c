/* Sink java: runs a sink that is a Java class in the Java host (docs/PLUGINS.md).
 *
 * Events are handed over in batches, each in a slot of the shared memory: the next events that are not settled, of one
 * lease or of many. Events that wait while all slots are used go into the next free slot together, so a class that
 * commits slowly gets large transactions, also from a source that puts one event at a time. The host's channel
 * gives the events to the class; a transaction that is rolled back stays in the host. A commit names the events by
 * batch and number, and settles them. The host may send it some time after the class has committed; until then the
 * slot itself shows how many events of its batch are committed. When the host ends, or the stage is recalled,
 * events that are not committed return to the channel. Thread: the sink's worker. */
#include "core/sink/finish_held.h"
#include "core/sink/deadletter_pending.h"
#include "stages/lib/java/exchange/commits.h"
#include "stages/lib/java/component.h"
#include "stages/lib/java/exchange/events.h"
#include "stages/lib/java/hangs.h"
#include "stages/lib/java/probe.h"

#include <string.h>

#define SLOTS 8U
#define SLOT_BYTES (512U * 1024U)
#define PARTS_MAX 512U /* of a slot */
#define LEASES_MAX (SLOTS * PARTS_MAX)
/* A sink takes no further lease when it has this many leases and this many events that are not handed over: another sink of
 * the channel can take them. */
#define ENOUGH_LEASES 16U
#define ENOUGH_EVENTS PARTS_MAX
/* The time for which a recall waits for the class to stop. Until then the class may commit. */
#define RECALL_NS (5 * PS_NS_PER_S)
/* The time when the agent stops and a source has hung before: while the agent waited for that source, the sink
 * could deliver its events. */
#define RECALL_BEHIND_HUNG_NS (2 * PS_NS_PER_S)

struct java_plan {
    struct ps_java_class class; /* must be first (stages/lib/java/component.h) */
};

/* Events of a slot's batch that follow each other in one lease. */
struct part {
    struct ps_lease *lease; /* valid while `left` is not 0; afterwards it may go back to the channel */
    uint32_t from;          /* position of the first event in the lease */
    uint32_t first;         /* number of the first event in the batch */
    uint32_t count, left;   /* number of events; of events that are not settled */
};

struct slot {
    struct ps_java_area area;
    uint64_t batch;       /* 0: the slot is free */
    uint32_t count, left; /* number of events in the batch; of events that are not settled */
    uint32_t part_count;
    struct part parts[PARTS_MAX]; /* by `first` */
};

/* An event that the class cannot deliver, on its way to the dead letters. */
struct refusal {
    struct ps_deadletter_pending letters;
    struct slot *slot;
    struct part *part;
    bool is_exhausted,
        is_answered; /* by penstock.retry.max; the host knows that the letter is written, or none is pending */
    uint32_t attempts;
    char reason[512];
};

struct java_state {
    struct ps_port *port;
    struct ps_held held;
    uint32_t waiting; /* events of `held` that are not handed over */
    struct slot slots[SLOTS];
    uint64_t last_batch;
    uint64_t recall_ns; /* end of the recall's wait; 0: no recall goes on */
    bool recalled;      /* the class was stopped */
    bool accused;       /* the host has broken the protocol, and is being ended */
    struct refusal refusal;
    struct ps_java_component component;
};

static enum ps_status java_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct java_plan *plan = plan_;
    return ps_java_class_build(&plan->class, context, PS_JAVA_SINK, err);
}

static enum ps_status java_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct java_plan *plan = plan_;
    struct java_state *state = state_;
    if (ps_java_class_needs_host(&plan->class, err) != PS_OK)
        return PS_FAIL;
    state->port = port;
    state->refusal.is_answered = true;
    ps_held_init(&state->held, LEASES_MAX);
    ps_java_component_open(&state->component, &plan->class, port);
    return PS_OK;
}

/* ---- events to the host ---- */

static struct slot *slot_free(struct java_state *state)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (state->slots[i].batch == 0)
            return &state->slots[i];
    }
    return NULL;
}

static bool slots_are_free(const struct java_state *state)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (state->slots[i].batch != 0)
            return false;
    }
    return true;
}

/* Makes the slot large enough for `bytes`. Returns false if there is no memory now. */
static bool slot_reserve(struct java_state *state, struct slot *slot, uint64_t bytes)
{
    uint64_t wanted = bytes + PS_JAVA_COMMITS_BYTES > SLOT_BYTES ? bytes + PS_JAVA_COMMITS_BYTES : SLOT_BYTES;
    bool fits = slot->area.region != NULL && slot->area.size >= wanted &&
                slot->area.size <= 2 * wanted; /* an area that was made for a large event is given back */
    if (fits)
        return true;
    ps_java_area_give(&slot->area);
    return ps_java_component_take_area(&state->component, wanted, &slot->area);
}

/* Returns the part to which the next event of `held` is added, a new one if the event does not follow the last part's; NULL:
 * the slot has no more parts. */
static struct part *slot_part(struct slot *slot, const struct ps_held *held)
{
    struct part *last = slot->part_count > 0 ? &slot->parts[slot->part_count - 1] : NULL;
    if (last != NULL && last->lease == held->next && last->from + last->count == held->position)
        return last;
    if (slot->part_count == PARTS_MAX)
        return NULL;
    struct part *part = &slot->parts[slot->part_count++];
    *part = (struct part){.lease = held->next, .from = held->position, .first = slot->count};
    return part;
}

/* Cuts the next events that fit, and writes them to the slot. Returns the number of bytes. */
static uint32_t slot_fill(struct java_state *state, struct slot *slot)
{
    struct ps_held *held = &state->held;
    char *at = slot->area.memory, *end = slot->area.memory + slot->area.size - PS_JAVA_COMMITS_BYTES;
    const struct ps_held_range none = {.lease = NULL};
    const struct ps_event *event;
    slot->count = slot->part_count = 0;
    while ((event = ps_held_next(held, &none)) != NULL) {
        const struct ps_batch *batch = held->next->batch;
        if (ps_java_event_bytes(batch, event) > (uint64_t)(end - at))
            break;
        struct part *part = slot_part(slot, held);
        if (part == NULL)
            break;
        at = ps_java_event_write(at, batch, event);
        ps_held_cut_to(held, held->position + 1, 1);
        part->count++;
        part->left++;
        slot->count++;
    }
    slot->left = slot->count;
    ps_java_commits_begin(&slot->area);
    return (uint32_t)(at - slot->area.memory);
}

/* Called when the batch could not be sent: puts its events back, so that the next batch has them. */
static void slot_undo(struct java_state *state, struct slot *slot)
{
    for (uint32_t i = slot->part_count; i > 0; i--) {
        const struct part *part = &slot->parts[i - 1];
        struct ps_held_range range = {part->lease, part->from, part->from + part->count, part->count};
        ps_held_uncut(&state->held, &range);
    }
}

/* Hands over one batch. Returns false when there is nothing to hand over, or no room for it. */
static bool send_batch(struct java_state *state)
{
    const struct ps_held_range none = {.lease = NULL};
    struct slot *slot = slot_free(state);
    const struct ps_event *event = slot != NULL ? ps_held_next(&state->held, &none) : NULL;
    if (event == NULL || !slot_reserve(state, slot, ps_java_event_bytes(state->held.next->batch, event)))
        return false;
    uint32_t bytes = slot_fill(state, slot);
    const uint64_t numbers[] = {state->last_batch + 1, slot->area.offset, slot->area.size, bytes,
                                slot->count};
    if (!ps_java_component_send(&state->component, PS_JAVA_BATCH, numbers, PS_COUNT_OF(numbers), NULL)) {
        slot_undo(state, slot);
        return false;
    }
    slot->batch = ++state->last_batch;
    state->waiting -= slot->count;
    return true;
}

/* ---- answers ---- */

/* Returns the part with the event of this number in the batch. The slot is not free. */
static struct part *slot_part_of(struct slot *slot, uint32_t number)
{
    uint32_t low = 0, high = slot->part_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (slot->parts[middle].first <= number)
            low = middle;
        else
            high = middle;
    }
    return &slot->parts[low];
}

/* Returns the positions, in the lease, of the part's events with the numbers `from` to `to` - 1 in the batch. */
static struct ps_held_range part_range(const struct part *part, uint32_t from, uint32_t to)
{
    uint32_t begin = from > part->first ? from - part->first : 0;
    uint32_t end = to < part->first + part->count ? to - part->first : part->count;
    return (struct ps_held_range){.lease = part->lease, .from = part->from + begin, .to = part->from + end};
}

/* Returns whether an event with a number from `from` to `to` - 1 is settled. */
static bool some_settled(struct slot *slot, uint32_t from, uint32_t to)
{
    const struct part *end = &slot->parts[slot->part_count];
    for (const struct part *part = slot_part_of(slot, from); part < end && part->first < to; part++) {
        struct ps_held_range range = part_range(part, from, to);
        for (uint32_t position = range.from; position < range.to; position++) {
            if (part->left == 0 || ps_lease_is_settled(part->lease, position))
                return true;
        }
    }
    return false;
}

/* Settles the events with the numbers `from` to `to` - 1 that are not settled. */
static void slot_settle(struct java_state *state, struct slot *slot, uint32_t from, uint32_t to)
{
    const struct part *end = &slot->parts[slot->part_count];
    for (struct part *part = slot_part_of(slot, from); part < end && part->first < to; part++) {
        struct ps_held_range range = part_range(part, from, to);
        for (uint32_t position = range.from; part->left > 0 && position < range.to; position++)
            range.count += !ps_lease_is_settled(part->lease, position);
        if (range.count == 0)
            continue;
        part->left -= range.count;
        slot->left -= range.count;
        ps_held_settle(&state->held, &range);
    }
    if (slot->left == 0)
        slot->batch = 0;
}

/* Returns the slot with this batch, or NULL. */
static struct slot *slot_of(struct java_state *state, uint64_t batch)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (batch != 0 && state->slots[i].batch == batch)
            return &state->slots[i];
    }
    return NULL;
}

/* Settles the events that a commit names in three numbers. Returns NULL, or what is wrong with them. */
static const char *commit(struct java_state *state, const uint64_t numbers[3])
{
    struct slot *slot = slot_of(state, numbers[0]);
    if (slot == NULL || numbers[1] >= numbers[2] || numbers[2] > slot->count)
        return "it committed events that it had not taken";
    if (some_settled(slot, (uint32_t)numbers[1], (uint32_t)numbers[2]))
        return "it committed events twice";
    slot_settle(state, slot, (uint32_t)numbers[1], (uint32_t)numbers[2]);
    return NULL;
}

/* ---- events that the class cannot deliver ---- */

/* Begins to give up the event that PS_JAVA_REFUSE names. Returns NULL, or what is wrong with the message. */
static const char *refuse(struct java_state *state, const struct ps_java_message *message)
{
    struct refusal *refusal = &state->refusal;
    struct slot *slot = message->number_count == 4 ? slot_of(state, message->numbers[0]) : NULL;
    if (slot == NULL || message->numbers[1] >= slot->count || !refusal->is_answered ||
        !ps_port_has_deadletter(state->port))
        return "it refused an event that it had not taken";
    uint32_t number = (uint32_t)message->numbers[1];
    if (some_settled(slot, number, number + 1))
        return "it refused an event that it had committed";
    struct part *part = slot_part_of(slot, number);
    uint32_t position = part->from + number - part->first;
    *refusal = (struct refusal){.slot = slot,
                                .part = part,
                                .attempts = (uint32_t)message->numbers[2],
                                .is_exhausted = message->numbers[3] != 0};
    snprintf(refusal->reason, sizeof refusal->reason, "%.*s", (int)sizeof refusal->reason - 1, message->text);
    ps_log(PS_LOG_WARN, state->port->component, "an event goes to the dead letters: %s", refusal->reason);
    ps_deadletter_pending_begin(&refusal->letters, part->lease, position, position + 1);
    return NULL;
}

/* Continues with the letter. Returns when it must be called again at the latest. */
static uint64_t write_letter(struct java_state *state, const struct ps_now *now)
{
    struct refusal *refusal = &state->refusal;
    const struct ps_dead_letter_reason reason = {
        refusal->is_exhausted ? "attempts-exhausted" : "request-refused", refusal->reason, refusal->attempts};
    const uint64_t answer = 0;
    if (PS_LIKELY(refusal->is_answered))
        return PS_NEVER;
    if (refusal->slot != NULL) {
        struct part *part = refusal->part;
        struct ps_held_range range = {part->lease, part->from, part->from + part->count, 1};
        if (!ps_deadletter_pending_work(&refusal->letters, state->port, &reason))
            return now->mono_ns + PS_DEADLETTER_LOOK_NS;
        ps_held_settled(&state->held, &range, 1);
        part->left--;
        if (--refusal->slot->left == 0)
            refusal->slot->batch = 0;
        refusal->slot = NULL;
    }
    refusal->is_answered = ps_java_component_send(&state->component, PS_JAVA_DROP, &answer, 1, NULL);
    return now->mono_ns + PS_DEADLETTER_LOOK_NS;
}

/* Called when the leases go back, or the class ends: the letter may be written all the same. */
static void stop_letter(struct java_state *state)
{
    ps_deadletter_pending_stop(&state->refusal.letters, state->port);
    state->refusal.slot = NULL;
    state->refusal.is_answered = true;
}

/* Returns the number of events that the slot shows as committed. Returns 0 if that is more than the batch has,
 * because the host has then damaged the slot. */
static uint32_t commits_left(const struct slot *slot)
{
    uint64_t count = ps_java_commits_count(&slot->area);
    return count <= slot->count ? (uint32_t)count : 0;
}

/* Counts the events that the class has been given and has not committed: one that hangs may still deliver them. */
static void count_doubtful(struct java_state *state)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (state->slots[i].batch != 0)
            ps_count(state->port->counters, PS_COUNTER_duplicated, state->slots[i].left);
    }
}

/* Called when the component has ended: settles the events that it has committed without a message, as the slots
 * show. Does nothing if the host has broken the protocol. */
static void take_left(struct java_state *state)
{
    for (size_t i = 0; i < SLOTS && !state->accused; i++) {
        struct slot *slot = &state->slots[i];
        if (slot->batch != 0)
            slot_settle(state, slot, 0, commits_left(slot));
    }
}

static void take_message(struct java_state *state)
{
    const struct ps_java_message *message = &state->component.message;
    const char *wrong = NULL;
    struct ps_err reason;
    if (message->type == PS_JAVA_COMMIT && message->number_count % 3 == 0) {
        for (uint32_t i = 0; i < message->number_count && wrong == NULL; i += 3)
            wrong = commit(state, &message->numbers[i]);
    } else if (message->type == PS_JAVA_REFUSE) {
        wrong = refuse(state, message);
    } else if (message->type == PS_JAVA_TROUBLE) {
        ps_err_set(&reason, "%s", message->text);
        ps_port_troubled(state->port, &reason);
    } else {
        wrong = "it sent a message that a sink must not send";
    }
    if (wrong != NULL) {
        ps_java_component_accuse(&state->component, wrong);
        state->accused = true;
    }
}

/* Takes what the host has sent. Returns whether the component is over. */
static bool serve(struct java_state *state)
{
    enum ps_java_event_kind event;
    while ((event = ps_java_component_next(&state->component)) != PS_JAVA_NOTHING && event != PS_JAVA_ENDED) {
        if (event == PS_JAVA_MESSAGE)
            take_message(state);
    }
    if (event == PS_JAVA_ENDED)
        take_left(state);
    ps_finish_held(&state->held, state->port);
    return event == PS_JAVA_ENDED;
}

/* ---- the functions of a sink ---- */

/* Gives the slots back. A host that has not reported the end of the component may still read the slots, and write
 * their last bytes. */
static void slots_give(struct java_state *state)
{
    bool is_quiet = state->component.state == PS_JAVA_OVER && !state->accused;
    for (size_t i = 0; i < SLOTS; i++) {
        if (!is_quiet)
            ps_java_area_abandon(&state->slots[i].area);
        ps_java_area_give(&state->slots[i].area);
        state->slots[i].batch = 0;
    }
}

static void restart(struct java_state *state)
{
    stop_letter(state);
    const struct ps_java_class *class = state->component.class;
    slots_give(state);
    state->accused = false;
    ps_java_component_close(&state->component);
    ps_java_component_open(&state->component, class, state->port);
}

static bool is_full(const struct java_state *state)
{
    return ps_held_is_full(&state->held) ||
           (state->held.count >= ENOUGH_LEASES && state->waiting >= ENOUGH_EVENTS);
}

/* While the class starts, and its start() may hang, other sinks of the channel take the events. */
static void note_start(const struct java_state *state)
{
    state->port->declines = state->component.state != PS_JAVA_RUNS && !state->recalled;
}

static enum ps_result java_work(const void *, void *state_, struct ps_lease **lease, const struct ps_now *)
{
    struct java_state *state = state_;
    if (PS_UNLIKELY(state->recalled)) { /* the sink continues, so the class is started again */
        state->recalled = false;
        restart(state);
    }
    note_start(state);
    if (is_full(state) || state->component.state != PS_JAVA_RUNS)
        return PS_LATER;
    state->waiting += (*lease)->count - (*lease)->settled;
    ps_held_add(&state->held, lease);
    return PS_TAKEN;
}

static uint64_t java_tick(const void *, void *state_, const struct ps_now *now)
{
    struct java_state *state = state_;
    bool was_full = is_full(state), ran = state->component.state == PS_JAVA_RUNS;
    if (PS_UNLIKELY(state->recalled))
        return PS_NEVER;
    if (serve(state)) {
        ps_java_component_fail(&state->component);
        return PS_NEVER;
    }
    bool runs = state->component.state == PS_JAVA_RUNS;
    note_start(state);
    uint64_t letter_ns = runs ? write_letter(state, now) : PS_NEVER;
    while (runs && send_batch(state)) {
    }
    if (PS_UNLIKELY(state->component.lack.length > 0 && slots_are_free(state)))
        ps_port_troubled(state->port, &state->component.lack);
    ps_finish_held(&state->held, state->port);
    bool freed = (was_full && !is_full(state)) || (runs && !ran);
    uint64_t due_ns = ps_java_component_due_ns(&state->component, now);
    return freed ? now->mono_ns : letter_ns < due_ns ? letter_ns : due_ns;
}

static bool java_recall(const void *, void *state_, struct ps_lease **back, const struct ps_now *now)
{
    struct java_state *state = state_;
    if (state->recalled)
        return true;
    if (state->recall_ns == 0)
        state->recall_ns = now->mono_ns + (ps_java_hangs_any() ? RECALL_BEHIND_HUNG_NS : RECALL_NS);
    (void)serve(state);
    bool stopped = ps_java_component_stop(&state->component);
    if (!stopped && now->mono_ns < state->recall_ns)
        return false;
    if (!stopped)
        ps_java_hangs_note();
    take_left(state);
    if (!stopped)
        count_doubtful(state);
    stop_letter(state);
    state->recall_ns = 0;
    state->recalled = true;
    note_start(state);
    state->waiting = 0;
    ps_held_give_back(&state->held, back);
    return true;
}

static bool java_drain(const void *, void *state_, const struct ps_now *)
{
    const struct java_state *state = state_;
    return state->held.count == 0;
}

static void java_close(const void *, void *state_)
{
    struct java_state *state = state_;
    stop_letter(state);
    slots_give(state);
    ps_java_component_close(&state->component);
}

static const struct ps_sink_ops sink = {
    .work = java_work, .tick = java_tick, .recall = java_recall, .drain = java_drain};

static void java_outline(const void *plan, const struct ps_context *context, FILE *out)
{
    ps_java_class_outline(plan, PS_JAVA_SINK, context, out);
}

const struct ps_stage_ops ps_sink_java = {
    PS_STAGE(PS_KIND_SINK),
    .name = "java",
    .summary = "Runs a sink that is a Java class in a Java process beside the agent",
    .options = ps_java_class_options,
    .plan_size = sizeof(struct java_plan),
    .state_size = sizeof(struct java_state),
    .refuses = true, /* a sink that Flume would run must not be left out */
    .check = ps_java_class_check,
    .build = java_build,
    .teardown = ps_java_class_teardown,
    .reread = ps_java_class_reread,
    .open = java_open,
    .close = java_close,
    .outline = java_outline,
    .opening = ps_java_class_opening,
    .probe = ps_java_sink_probe,
    .sink = &sink,
};
