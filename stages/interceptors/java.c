/* Interceptor java: runs an interceptor that is a Java class in the Java host (docs/PLUGINS.md).
 *
 * The events of the chain's lease are handed over as one batch, and the chain waits (PS_LATER); the reply takes their place
 * in the lease. One batch of a chain is in the host at a time, which keeps their order. When the host ends, the batch is
 * handed over again: no channel has its events before the reply has come. When the class throws, the batch is refused, or
 * handed over again after a backoff. When it returns more than a batch may have, the engine offers fewer events at a time, and
 * a single event is given up. Thread: the source's worker. */
#include "stages/lib/java/component.h"
#include "stages/lib/java/probe.h"
#include "stages/lib/java/exchange/reply.h"
#include "stages/lib/rules/regex/chain.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define AREA_BYTES (512U * 1024U)
#define REPLY_BYTES_MAX (UINT64_C(1) << 30)
/* The rest of a class that could not be configured. Flume's LifecycleSupervisor tries every 3 s. */
#define CONFIGURE_REST_NS (3 * PS_NS_PER_S)
#define ATTACH_REST_NS (10 * PS_NS_PER_MS)

/* The reason why the class does not handle events now, for /readyz; common to all workers. */
struct trouble {
    pthread_mutex_t lock;
    char text[400]; /* empty: the class handles events */
};

struct java_plan {
    struct ps_java_class class; /* must be first (stages/lib/java/component.h) */
    struct trouble *trouble;
};

enum phase {
    FREE,
    SENT,    /* the host has the batch, and may write the area of the reply */
    REPLIED, /* the reply is in its area, or in part in the batch */
};

struct java_state {
    const struct java_plan *plan;
    struct ps_port *port;
    struct ps_java_area request, answer;
    enum phase phase;
    const struct ps_lease *lease;  /* lease of the batch that was handed over last */
    uint64_t sequence;             /* sequence of the batch of `lease`, because leases are used again */
    uint64_t batch;                /* number of the last batch that was handed over */
    enum ps_java_message_type due; /* AREA or DROP for this batch, which is still to be sent; 0: none */
    bool unchanged;                /* REPLIED: the events are as they were */
    bool is_too_large;             /* what the class returned for the batch that was handed over last */
    struct ps_java_reply reply;
    unsigned failures;      /* number of batches in a row that failed */
    uint64_t batch_rest_ns; /* when the batch that failed is handed over again */
    uint64_t again_ns;      /* when the component is opened again; 0: it is open */
    bool failed;            /* the class could not be configured, and is tried again later */
    bool accused;           /* the host has broken the protocol, and is being ended */
    struct ps_java_component component;
};

/* Returns whether Flume's source of this type hands over its events one by one: ChannelProcessor.processEvent
 * calls intercept(Event), processEventBatch calls intercept(List). A class may do different things in the two
 * methods. `avro` and `thrift` do both, as their clients ask; their calls are in one batch here, so the class
 * gets lists. */
static bool has_single_events(const char *source_type)
{
    static const char *const types[] = {"netcat",    "netcatudp",  "syslogtcp",
                                        "syslogudp", "avrolegacy", "thriftlegacy"};
    for (size_t i = 0; source_type != NULL && i < PS_COUNT_OF(types); i++)
        if (strcmp(types[i], source_type) == 0)
            return true;
    return false;
}

static enum ps_status java_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct java_plan *plan = plan_;
    if (ps_java_class_build(&plan->class, context, PS_JAVA_INTERCEPTOR, err) != PS_OK)
        return PS_FAIL;
    plan->class.is_single = has_single_events(context->source_type);
    plan->trouble = ps_must_alloc(1, sizeof *plan->trouble, context->component);
    pthread_mutex_init(&plan->trouble->lock, NULL);
    ps_regex_chain_edits(context);
    return PS_OK;
}

static void java_teardown(void *plan_)
{
    struct java_plan *plan = plan_;
    ps_java_class_teardown(plan);
    if (plan->trouble != NULL) {
        pthread_mutex_destroy(&plan->trouble->lock);
        free(plan->trouble);
    }
}

/* Also while the host is down: the chain waits for it then, and `outdated` has the reason, as when it ends later. */
static enum ps_status java_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *)
{
    const struct java_plan *plan = plan_;
    struct java_state *state = state_;
    state->plan = plan;
    state->port = port;
    ps_java_component_open(&state->component, &plan->class, port);
    return PS_OK;
}

static void set_trouble(const struct java_state *state, const char *text)
{
    struct trouble *trouble = state->plan->trouble;
    pthread_mutex_lock(&trouble->lock);
    snprintf(trouble->text, sizeof trouble->text, "%.*s", (int)sizeof trouble->text - 1, text);
    pthread_mutex_unlock(&trouble->lock);
}

static bool java_outdated(const void *plan_, char *text, size_t room)
{
    const struct java_plan *plan = plan_;
    if (ps_java_host_is_down(plan->class.host, text, room))
        return true;
    pthread_mutex_lock(&plan->trouble->lock);
    bool any = plan->trouble->text[0] != '\0';
    if (any)
        snprintf(text, room, "%s", plan->trouble->text);
    pthread_mutex_unlock(&plan->trouble->lock);
    return any;
}

/* ---- what the host sends ---- */

static void fail_batch(struct java_state *state, const char *why, const struct ps_now *now)
{
    state->phase = FREE;
    state->batch_rest_ns = now->mono_ns + ps_port_rest_ns(state->port, ++state->failures);
    set_trouble(state, why);
}

/* The class threw, or returned too much for one batch (numbers[1] is 1). */
static const char *take_trouble(struct java_state *state, const struct ps_java_message *message,
                                const struct ps_now *now)
{
    if (state->phase != SENT || message->number_count != 2 || message->numbers[0] != state->batch)
        return "it named a batch that it was not given";
    fail_batch(state, message->text, now);
    state->is_too_large = message->numbers[1] != 0;
    return NULL;
}

static const char *take_reply(struct java_state *state, const struct ps_java_message *message)
{
    const uint64_t *numbers = message->numbers;
    if (state->phase != SENT || message->number_count != 4 || numbers[0] != state->batch)
        return "it answered a batch that it was not given";
    if (numbers[1] > state->answer.size || numbers[2] > PS_BATCH_EVENTS_MAX ||
        (numbers[2] > 0 && numbers[1] == 0 && numbers[3] == 0))
        return "its answer is outside its shared memory";
    state->phase = REPLIED;
    state->unchanged = numbers[3] != 0;
    ps_java_reply_begin(&state->reply, (uint32_t)numbers[1], (uint32_t)numbers[2]);
    return NULL;
}

static uint64_t most_bytes(const struct ps_lease *lease)
{
    uint64_t bytes = ps_batch_budget_bytes(lease->batch) / 2;
    return bytes < REPLY_BYTES_MAX ? bytes : REPLY_BYTES_MAX;
}

/* Sends the message that is due: the larger area, or that no reply is wanted. Returns false while the pipe, which all components
 * share, has no room; the caller tries again at its next call. */
static bool tell(struct java_state *state)
{
    const uint64_t numbers[] = {state->batch, state->answer.offset, state->answer.size};
    uint32_t count = state->due == PS_JAVA_DROP ? 1 : PS_COUNT_OF(numbers);
    if (state->due != 0 && !ps_java_component_send(&state->component, state->due, numbers, count, NULL))
        return false;
    state->due = 0;
    return true;
}

/* The reply needs a larger area. */
static const char *take_need(struct java_state *state, const struct ps_java_message *message,
                             const struct ps_now *now)
{
    const uint64_t *numbers = message->numbers;
    if (state->phase != SENT || state->due != 0 || message->number_count != 2 || numbers[0] != state->batch ||
        numbers[1] > REPLY_BYTES_MAX || numbers[1] <= state->answer.size)
        return "it asked for an invalid amount of memory";
    struct ps_java_area larger;
    if (!ps_java_component_take_area(&state->component, numbers[1], &larger)) {
        fail_batch(state, state->component.lack.text, now);
        state->due = PS_JAVA_DROP;
        return NULL;
    }
    ps_java_area_give(&state->answer);
    state->answer = larger;
    state->due = PS_JAVA_AREA;
    return NULL;
}

/* Returns whether the area belongs to the run of the host to which the component is attached. */
static bool is_of_this_run(const struct java_state *state, const struct ps_java_area *area)
{
    return area->region != NULL && area->region == state->component.link.region;
}

static void accuse(struct java_state *state, const char *what)
{
    ps_java_component_accuse(&state->component, what);
    state->accused = true;
}

static void take_message(struct java_state *state, const struct ps_now *now)
{
    const struct ps_java_message *message = &state->component.message;
    const char *wrong;
    if (message->type == PS_JAVA_REPLY)
        wrong = take_reply(state, message);
    else if (message->type == PS_JAVA_TROUBLE)
        wrong = take_trouble(state, message, now);
    else if (message->type == PS_JAVA_NEED)
        wrong = take_need(state, message, now);
    else
        wrong = "it sent a message that an interceptor must not send";
    if (wrong != NULL)
        accuse(state, wrong);
}

/* The component is gone: the host has ended, or the class cannot be configured. A reply that has arrived is still
 * valid. */
static void ended(struct java_state *state, const struct ps_now *now)
{
    if (state->phase == SENT)
        state->phase = FREE;
    state->due = 0;
    /* Only FAILED says that the class cannot be configured. A host that has ended, or that stopped its components because its
     * jars have changed, may run again by now. */
    state->failed = !state->accused && !ps_java_component_is_lost(&state->component) &&
                    state->component.message.type == PS_JAVA_FAILED;
    state->again_ns = now->mono_ns + (state->failed ? CONFIGURE_REST_NS : ATTACH_REST_NS);
    if (state->failed) {
        set_trouble(state, state->component.reason.text);
        ps_log(PS_LOG_ERROR, state->port->component, "%s", state->component.reason.text);
    }
}

/* Gives the areas back. `quiet`: the host no longer uses them. */
static void areas_give(struct java_state *state, bool quiet)
{
    if (!quiet) {
        ps_java_area_abandon(&state->request);
        ps_java_area_abandon(&state->answer);
    }
    ps_java_area_give(&state->request);
    ps_java_area_give(&state->answer);
}

static void start_again(struct java_state *state)
{
    state->again_ns = 0;
    if (state->phase == FREE)
        areas_give(state, !state->accused); /* an accused host runs until it is killed */
    state->failed = state->accused = false;
    ps_java_component_close(&state->component);
    ps_java_component_open(&state->component, &state->plan->class, state->port);
}

static void serve(struct java_state *state, const struct ps_now *now)
{
    enum ps_java_event_kind event;
    if (state->again_ns != 0 && now->mono_ns < state->again_ns)
        return;
    if (state->again_ns != 0)
        start_again(state);
    while ((event = ps_java_component_next(&state->component)) != PS_JAVA_NOTHING && event != PS_JAVA_ENDED) {
        if (event == PS_JAVA_MESSAGE)
            take_message(state, now);
        else
            set_trouble(state, "");
    }
    if (event == PS_JAVA_ENDED)
        ended(state, now);
    else
        (void)tell(state);
}

/* ---- batches to the host ---- */

/* Makes the area large enough. Returns false: no memory now. */
static bool reserve(struct java_state *state, struct ps_java_area *area, uint64_t bytes)
{
    uint64_t wanted = bytes > AREA_BYTES ? bytes : AREA_BYTES;
    if (is_of_this_run(state, area) && area->size >= wanted && area->size <= 2 * wanted)
        return true; /* an area that was made for a large batch is given back */
    ps_java_area_give(area);
    return ps_java_component_take_area(&state->component, wanted, area);
}

static void send_batch(struct java_state *state, const struct ps_lease *lease, const struct ps_now *now)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < lease->count; i++)
        bytes += ps_java_event_bytes(lease->batch, ps_lease_event(lease, i));
    state->lease = lease;
    state->sequence = lease->batch->sequence;
    state->is_too_large = false;
    if (!tell(state))
        return;
    if (bytes > REPLY_BYTES_MAX) {
        fail_batch(state, "the events of a batch are larger than 1 GiB", now);
        return;
    }
    if (!reserve(state, &state->request, bytes) || !reserve(state, &state->answer, bytes)) {
        fail_batch(state, state->component.lack.text, now);
        return;
    }
    char *at = state->request.memory;
    for (uint32_t i = 0; i < lease->count; i++)
        at = ps_java_event_write(at, lease->batch, ps_lease_event(lease, i));
    const uint64_t numbers[] = {
        state->batch + 1, state->request.offset, state->request.size, bytes,
        lease->count,     state->answer.offset,  state->answer.size,  most_bytes(lease)};
    if (!ps_java_component_send(&state->component, PS_JAVA_BATCH, numbers, PS_COUNT_OF(numbers), NULL))
        return;
    state->batch++;
    state->phase = SENT;
}

/* ---- the functions of an interceptor ---- */

/* The batch has been handled. */
static enum ps_result finished(struct java_state *state)
{
    state->lease = NULL;
    if (PS_UNLIKELY(state->failures > 0))
        set_trouble(state, "");
    state->failures = 0;
    return PS_DONE;
}

static enum ps_result put_reply(struct java_state *state, struct ps_lease *lease, const struct ps_now *now)
{
    enum ps_java_put put = state->unchanged
                               ? PS_JAVA_PUT_DONE
                               : ps_java_reply_put(&state->reply, lease, state->port, state->answer.memory);
    if (put == PS_JAVA_PUT_MEMORY)
        return PS_RETRY;
    state->phase = FREE;
    if (put == PS_JAVA_PUT_WRONG) {
        if (is_of_this_run(state, &state->answer)) /* else the host that sent the answer has ended */
            accuse(state, "its answer has invalid events");
        serve(state, now);
        return PS_LATER;
    }
    return finished(state);
}

/* The class returned too much for the batch. */
static enum ps_result make_smaller(struct java_state *state, struct ps_lease *lease)
{
    if (lease->count > 1) {
        state->is_too_large = false;
        state->port->is_too_large = true;
        return PS_BACKOFF;
    }
    if (!ps_java_reply_give_up(lease, state->port))
        return PS_RETRY;
    ps_log(PS_LOG_ERROR, state->port->component, "an event is given up: the class made too much of it alone");
    return finished(state);
}

/* Returns whether the host has ended and is not started yet, so that it has no batch. */
static bool is_down(const struct java_state *state)
{
    char reason[16];
    return PS_UNLIKELY(state->phase == FREE && state->component.state != PS_JAVA_RUNS) &&
           ps_java_host_is_down(state->plan->class.host, reason, sizeof reason);
}

static enum ps_result java_work(const void *, void *state_, struct ps_lease *lease, const struct ps_now *now)
{
    struct java_state *state = state_;
    bool same = state->lease == lease && state->sequence == lease->batch->sequence;
    serve(state, now);
    if (lease->count == 0)
        return PS_DONE;
    if (state->phase == REPLIED && same)
        return put_reply(state, lease, now);
    if (state->phase == REPLIED)
        state->phase = FREE; /* the source has given that batch up */
    if (state->failed)
        return PS_BACKOFF;
    if (PS_UNLIKELY(state->is_too_large) && same)
        return make_smaller(state, lease);
    if (state->phase == FREE && same && state->failures > 0 && now->mono_ns < state->batch_rest_ns)
        return PS_BACKOFF;
    if (state->phase == FREE && state->component.state == PS_JAVA_RUNS)
        send_batch(state, lease, now);
    state->port->is_down = is_down(state);
    return PS_LATER;
}

static uint64_t java_tick(const void *, void *state_, const struct ps_now *now)
{
    struct java_state *state = state_;
    serve(state, now);
    return state->again_ns != 0 ? state->again_ns : ps_java_component_due_ns(&state->component, now);
}

static void java_close(const void *, void *state_)
{
    struct java_state *state = state_;
    areas_give(state, state->phase != SENT && !state->accused);
    ps_java_component_close(&state->component);
}

static const struct ps_interceptor_ops interceptor = {.work = java_work, .tick = java_tick};

static void java_outline(const void *plan, const struct ps_context *context, FILE *out)
{
    ps_java_class_outline(plan, PS_JAVA_INTERCEPTOR, context, out);
}

const struct ps_stage_ops ps_interceptor_java = {
    PS_STAGE(PS_KIND_INTERCEPTOR),
    .name = "java",
    .summary = "Runs an interceptor that is a Java class in a Java process beside the agent",
    .options = ps_java_class_options,
    .plan_size = sizeof(struct java_plan),
    .state_size = sizeof(struct java_state),
    .refuses = true, /* a class that Flume would run is not left out */
    .check = ps_java_class_check,
    .build = java_build,
    .teardown = java_teardown,
    .reread = ps_java_class_reread,
    .open = java_open,
    .close = java_close,
    .outline = java_outline,
    .opening = ps_java_class_opening,
    .probe = ps_java_interceptor_probe,
    .outdated = java_outdated,
    .interceptor = &interceptor,
};
