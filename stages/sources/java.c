/* Source java: runs a source that is a Java class in the Java host (docs/PLUGINS.md).
 *
 * The class puts events into its channel processor. Each such call comes in a slot of the shared memory. It is read
 * into batches, and answered when all required channels have promised its events, or when one of them has refused
 * some: the class then gets a ChannelException, as in Flume. When the host ends, calls without an answer are
 * forgotten: the class in the next host has not seen them succeed.
 *
 * If all its channels are in memory, they keep room for events in advance (stages/lib/java/exchange/credit.h). A call
 * within that room returns as soon as its events are in a slot: then they are promised, are never refused, and are
 * read even after the host has ended. Thread: the source's worker. */
#include "stages/lib/java/class_path.h"
#include "core/clock.h"
#include "core/flow/engine_source.h"
#include "core/log/log.h"
#include "core/quantity.h"
#include "stages/lib/java/hangs.h"
#include "stages/lib/java/probe.h"
#include "stages/lib/java/slots.h"
#include "stages/lib/queue/flow_rest.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Limit of the bytes that one call of `work` reads; a single event may be larger. */
#define WORK_BYTES (256U * 1024U)
/* A stop waits this long for the class to stop, and for the channels to answer its calls. */
#define DRAIN_NS (5 * PS_NS_PER_S)
/* The same for a whole flow, whose own channels must also become empty: the host gives up after 20 s. */
#define FLOW_DRAIN_NS (25 * PS_NS_PER_S)
/* Limit of the wait for the host's answer that it promises no more events; it cannot answer while it is stopped by a
 * signal or collects garbage. After this time its promises are revoked. A reload waits for 2 s in all
 * (penstock.reload.timeout). */
#define REVOKE_NS PS_NS_PER_S

struct java_plan {
    struct ps_java_class class; /* must be first (stages/lib/java/component.h) */
    uint64_t call_bytes_max;
    struct trouble *trouble;
};

/* The reason why a part of a whole flow cannot start or work, for /readyz: the worker writes it, any thread reads it. */
struct trouble {
    pthread_mutex_t lock;
    char text[600]; /* "": all parts work */
};

struct java_state {
    const struct java_plan *plan;
    struct ps_port *port;
    uint64_t drain_ns; /* end of the stop's wait; 0: it does not stop */
    bool accused;      /* the host broke the protocol, and is being ended */
    struct ps_java_credit credit;
    struct ps_java_component component;
    struct ps_java_slots slots;
    struct ps_event_headers headers;
};

/* Refuses a flow in Java whose channels would leave behind events that native channels have. */
static enum ps_status refuse_rest(const struct java_plan *plan, struct ps_context *context,
                                  struct ps_err *err)
{
    struct ps_queue_flow_rest rest;
    if (!ps_java_class_is_flow(&plan->class) || !ps_queue_flow_rest(&plan->class.pairs, context, &rest))
        return PS_OK;
    return ps_err_set(err, "channel %s: %s: %s: %s", rest.channel, rest.directory, rest.what, rest.cure);
}

static enum ps_status java_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct java_plan *plan = plan_;
    if (refuse_rest(plan, context, err) != PS_OK)
        return PS_FAIL;
    plan->trouble = ps_must_alloc(1, sizeof *plan->trouble, "a source in Java");
    pthread_mutex_init(&plan->trouble->lock, NULL);
    plan->call_bytes_max = ps_java_slots_event_max(context->memory_budget_bytes);
    return ps_java_class_build(&plan->class, context, PS_JAVA_SOURCE, err);
}

static void java_teardown(void *plan_)
{
    struct java_plan *plan = plan_;
    ps_java_class_teardown(plan);
    if (plan->trouble != NULL)
        pthread_mutex_destroy(&plan->trouble->lock);
    free(plan->trouble);
    plan->trouble = NULL;
}

static void note_trouble(const struct java_plan *plan, const char *text)
{
    pthread_mutex_lock(&plan->trouble->lock);
    snprintf(plan->trouble->text, sizeof plan->trouble->text, "%.599s", text);
    pthread_mutex_unlock(&plan->trouble->lock);
}

static bool java_outdated(const void *plan_, char *text, size_t room)
{
    const struct java_plan *plan = plan_;
    pthread_mutex_lock(&plan->trouble->lock);
    snprintf(text, room, "%s", plan->trouble->text);
    pthread_mutex_unlock(&plan->trouble->lock);
    return text[0] != '\0';
}

/* For a flow with a part that cannot start or work, `outdated` reports that part; the other parts run. */
static bool java_opening(const void *plan, char *text, size_t room)
{
    return !java_outdated(plan, text, room) && ps_java_class_opening(plan, text, room);
}

static enum ps_status java_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct java_plan *plan = plan_;
    struct java_state *state = state_;
    if (ps_java_class_needs_host(&plan->class, err) != PS_OK)
        return PS_FAIL;
    state->plan = plan;
    state->port = port;
    ps_java_slots_open(&state->slots, &state->component, &state->credit, plan->call_bytes_max);
    ps_java_component_open(&state->component, &plan->class, port);
    return PS_OK;
}

static void accuse(struct java_state *state, const char *what)
{
    ps_java_component_accuse(&state->component, what);
    state->accused = true;
}

/* ---- messages of the host ---- */

static const char *take_put(struct java_state *state, const struct ps_java_message *message,
                            const struct ps_now *now)
{
    const uint64_t *numbers = message->numbers;
    struct ps_java_slot *slot =
        message->number_count >= 4 ? ps_java_slots_free(&state->slots, numbers[0]) : NULL;
    bool promised = message->number_count == 6;
    if (slot == NULL || !ps_java_slot_holds(slot, numbers[2], numbers[3]))
        return "it sent events that are outside its shared memory";
    if (promised && (!ps_java_credit_use(&state->credit, numbers[4], numbers[3]) || numbers[5] > numbers[3]))
        return "it acknowledged events without having room for them";
    slot->call = numbers[1];
    slot->calls = promised ? (uint32_t)numbers[5] : 1;
    slot->promised = promised;
    ps_java_slots_put(&state->slots, slot, numbers[2], numbers[3]);
    ps_java_credit_calls(&state->credit, slot->calls, now);
    return NULL;
}

static const char *take_need(struct java_state *state, const struct ps_java_message *message)
{
    const uint64_t *numbers = message->numbers;
    struct ps_java_slot *slot =
        message->number_count == 2 ? ps_java_slots_free(&state->slots, numbers[0]) : NULL;
    if (slot == NULL || !ps_java_slot_want(slot, numbers[1]))
        return "it asked for an invalid amount of memory";
    return NULL;
}

static const char *take_promised(struct java_state *state, const struct ps_java_message *message)
{
    if (message->number_count == 1 && ps_java_credit_return(&state->credit, message->numbers[0]))
        return NULL;
    return "it did not hand over events that it had acknowledged";
}

static const char *take_trouble(struct java_state *state, const struct ps_java_message *message)
{
    note_trouble(state->plan, message->text);
    return NULL;
}

static void take_message(struct java_state *state, const struct ps_now *now)
{
    const struct ps_java_message *message = &state->component.message;
    const char *wrong = "it sent a message that a source must not send";
    if (state->slots.revoked) /* promises_revoke has already found the promised events in the slots */
        return;
    if (message->type == PS_JAVA_PUT)
        wrong = take_put(state, message, now);
    else if (message->type == PS_JAVA_NEED)
        wrong = take_need(state, message);
    else if (message->type == PS_JAVA_PROMISED)
        wrong = take_promised(state, message);
    else if (message->type == PS_JAVA_TROUBLE)
        wrong = take_trouble(state, message);
    if (wrong != NULL)
        accuse(state, wrong);
}

/* Takes what the host has sent. Returns whether the component is over. */
static bool serve(struct java_state *state, const struct ps_now *now)
{
    enum ps_java_event_kind event;
    while ((event = ps_java_component_next(&state->component)) != PS_JAVA_NOTHING && event != PS_JAVA_ENDED) {
        if (event == PS_JAVA_MESSAGE)
            take_message(state, now);
    }
    return event == PS_JAVA_ENDED;
}

/* ---- events into a batch ---- */

static enum ps_result java_work(const void *, void *state_, struct ps_batch *batch, const struct ps_now *)
{
    struct java_state *state = state_;
    uint32_t before = batch->count, bytes = 0;
    enum ps_java_read outcome = PS_JAVA_READ_ALL;
    if (before == 0)
        ps_event_headers_begin(&state->headers);
    struct ps_java_slot *slot;
    while ((slot = ps_java_slots_next(&state->slots)) != NULL && outcome == PS_JAVA_READ_ALL &&
           bytes < WORK_BYTES) {
        uint32_t at = slot->entries.at;
        if (ps_batch_is_empty(batch))
            batch->promised = slot->promised;
        else if (batch->promised != slot->promised)
            break; /* the events of a batch are all promised, or none */
        outcome = ps_java_slots_read(&state->slots, batch, &state->headers);
        bytes += slot->entries.at - at;
    }
    ps_count(state->port->counters, PS_COUNTER_EventReceivedCount, batch->count - before);
    if (batch->count > before)
        batch->flush = true; /* the class waits for the answer */
    if (outcome == PS_JAVA_READ_WRONG)
        accuse(state, "it sent invalid events");
    if (outcome == PS_JAVA_READ_NO_MEMORY)
        return PS_BACKOFF;
    return batch->count > before || outcome == PS_JAVA_READ_PART ? PS_DONE : PS_IDLE;
}

/* ---- answers of the channels ---- */

/* Wakes the worker, so that `tick` tries again. */
static void wake(const struct java_state *state)
{
    if (state->port->wake_fd >= 0)
        (void)!write(state->port->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
}

/* Called when the batch was accepted (`reason` NULL) or refused. */
static void answer(struct java_state *state, const struct ps_batch *batch, const char *reason)
{
    for (const struct ps_ticket *ticket = batch->tickets; ticket != NULL; ticket = ticket->next)
        ps_java_slots_decide(&state->slots, ticket, reason);
    if (ps_java_slots_serve(&state->slots, false))
        wake(state);
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

/* ---- room in advance ---- */

static uint64_t java_reserves(const void *, const void *state_)
{
    const struct java_state *state = state_;
    return ps_java_credit_wanted(&state->credit);
}

/* Asks the host to promise no more events. Returns false if it must be called again. */
static bool credit_withdraw(struct java_state *state)
{
    const struct ps_java_credit *credit = &state->credit;
    if (state->component.state != PS_JAVA_RUNS || credit->most == credit->used || credit->returns)
        return true;
    if (!ps_java_component_send(&state->component, PS_JAVA_KEEP, NULL, 0, NULL))
        return false;
    ps_java_credit_ask(&state->credit);
    return true;
}

static void java_reserved(const void *, void *state_, uint64_t events, const struct ps_now *)
{
    struct java_state *state = state_;
    if (state->component.state == PS_JAVA_RUNS)
        ps_java_credit_given(&state->credit, events);
    /* after a reload, other channels may keep less room */
    if (events < state->credit.most - state->credit.put)
        (void)credit_withdraw(state);
    if (ps_java_slots_serve(&state->slots, true))
        wake(state);
}

/* Asks the host to promise no more events when the class pauses, so that others may use the room. */
static uint64_t credit_tick(struct java_state *state, const struct ps_now *now)
{
    uint64_t due_ns = PS_NEVER;
    if (state->component.state != PS_JAVA_RUNS || !ps_java_credit_is_idle(&state->credit, now, &due_ns))
        return due_ns;
    return credit_withdraw(state) ? due_ns : now->mono_ns + PS_NS_PER_MS;
}

/* ---- life cycle ---- */

/* Called when the component has ended: the source fails after its promised events are read. */
static uint64_t over_tick(struct java_state *state, const struct ps_now *now)
{
    bool gone = !state->accused || ps_java_component_is_lost(&state->component);
    if (gone)
        ps_java_slots_take_left(&state->slots);
    if (!gone || ps_java_slots_unread(&state->slots) > 0)
        return now->mono_ns + PS_NS_PER_MS;
    ps_java_component_fail(&state->component);
    return PS_NEVER;
}

static uint64_t java_tick(const void *, void *state_, const struct ps_now *now)
{
    struct java_state *state = state_;
    if (serve(state, now) && state->drain_ns == 0)
        return over_tick(state, now);
    if (ps_java_slots_serve(&state->slots, true))
        return now->mono_ns + (state->component.lack.length > 0 ? PS_JAVA_LACK_REST_NS : PS_NS_PER_MS);
    uint64_t credit_ns = credit_tick(state, now);
    uint64_t due_ns = ps_java_component_due_ns(&state->component, now);
    return credit_ns < due_ns ? credit_ns : due_ns;
}

static void promises_revoke(struct java_state *state)
{
    if (state->slots.revoked)
        return;
    ps_java_slots_revoke(&state->slots);
    ps_java_slots_take_left(&state->slots);
}

/* Stops the class. The host reports the stop when the class's calls have their answers, or after 2 s; `tick` serves
 * the host meanwhile. */
static bool java_drain(const void *, void *state_, const struct ps_now *now)
{
    struct java_state *state = state_;
    if (state->drain_ns == 0)
        state->drain_ns =
            now->mono_ns + (ps_java_class_is_flow(&state->plan->class) ? FLOW_DRAIN_NS : DRAIN_NS);
    bool asked = credit_withdraw(state), late = now->mono_ns >= state->drain_ns;
    bool over = asked && ps_java_component_stop(&state->component);
    bool may_promise = !over && state->credit.most != state->credit.used;
    if (late || (may_promise && now->mono_ns + (DRAIN_NS - REVOKE_NS) >= state->drain_ns))
        promises_revoke(state);
    if (!over && !late)
        return false;
    if (!over)
        ps_java_hangs_note();
    ps_java_slots_take_left(&state->slots);
    return ps_java_slots_unread(&state->slots) == 0 || now->mono_ns >= state->drain_ns + DRAIN_NS;
}

/* Returns whether the host no longer writes the component's slots, because it has reported the end of the component,
 * or has ended. */
static bool is_quiet(const struct java_state *state)
{
    return state->component.state == PS_JAVA_OVER && !state->accused;
}

static void java_close(const void *, void *state_)
{
    struct java_state *state = state_;
    if (!is_quiet(state) && !state->accused)
        promises_revoke(state);
    uint32_t unread = ps_java_slots_unread(&state->slots);
    ps_count(state->port->counters, PS_COUNTER_dropped, unread);
    if (unread > 0)
        ps_log(
            PS_LOG_WARN, state->port->component,
            "%s %s given up: the source was closed before they were read",
            ps_quantity_print_count(unread).text,
            ps_quantity_word(unread, "event that was acknowledged is", "events that were acknowledged are"));
    ps_java_slots_close(&state->slots, is_quiet(state));
    ps_java_component_close(&state->component);
    note_trouble(state->plan, "");
}

static const struct ps_engine_source_ops engine = {.reserves = java_reserves, .reserved = java_reserved};

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_ACCEPTED,
    .when_full = PS_REFUSE,
    .work = java_work,
    .tick = java_tick,
    .accepted = java_accepted,
    .refused = java_refused,
    .drain = java_drain,
    .counts_calls = true,
    .engine = &engine,
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

static void java_probe(const void *plan, struct ps_context *context, const struct ps_probe *probe)
{
    const struct java_plan *java = plan;
    struct ps_queue_flow_rest rest;
    if (ps_java_class_is_flow(&java->class) && ps_queue_flow_rest(&java->class.pairs, context, &rest))
        ps_probe_refused(probe, rest.key, rest.directory, rest.what, rest.cure);
    ps_java_source_probe(plan, context, probe);
}

const struct ps_stage_ops ps_source_java = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "java",
    .summary = "Runs a source that is a Java class in a Java process beside the agent",
    .options = ps_java_class_options,
    .plan_size = sizeof(struct java_plan),
    .state_size = sizeof(struct java_state),
    .exclusive = true,
    .refuses = true, /* a source that Flume would run must not be left out */
    .check = ps_java_class_check,
    .build = java_build,
    .teardown = java_teardown,
    .reread = ps_java_class_reread,
    .outdated = java_outdated,
    .open = java_open,
    .close = java_close,
    .outline = java_outline,
    .opening = java_opening,
    .probe = java_probe,
    .source = &source,
};
