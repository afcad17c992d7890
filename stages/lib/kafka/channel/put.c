#include "stages/lib/kafka/channel/put.h"

#include <stdlib.h>

#include "core/flow/channel.h"
#include "core/quantity.h"
#include "stages/lib/least.h"

#define HUNGRY_LEASES 2U
#define OPEN_RETRY_NS (3 * PS_NS_PER_S)
/* Leases that wait for room in the sender are offered again after this time, unless a report wakes the worker
 * before. */
#define WAITING_LOOK_NS (2 * PS_NS_PER_MS)

void ps_kafka_channel_put_init(struct ps_kafka_channel_put *put, const struct ps_kafka_channel_put_plan *plan,
                               struct ps_counters *counters)
{
    *put = (struct ps_kafka_channel_put){.plan = plan, .counters = counters};
    put->waiting_end = &put->waiting;
    ps_kafka_reason_init(&put->reason);
}

void ps_kafka_channel_put_fini(struct ps_kafka_channel_put *put)
{
    ps_kafka_reason_fini(&put->reason);
}

/* ---- leases that are put and not acknowledged ---- */

static void change(uint64_t *value, uint64_t by)
{
    __atomic_store_n(value, *value + by, __ATOMIC_RELAXED);
}

static void count_in(struct ps_kafka_channel_put *put, const struct ps_lease *lease)
{
    put->memory_bytes += lease->memory_bytes;
    change(&put->events, lease->count);
    change(&put->bytes, lease->bytes);
    change(&put->leases, 1);
}

static void count_out(struct ps_kafka_channel_put *put, const struct ps_lease *lease)
{
    put->memory_bytes -= lease->memory_bytes;
    change(&put->events, -(uint64_t)lease->count);
    change(&put->bytes, -lease->bytes);
    change(&put->leases, UINT64_MAX);
}

/* Called by the sender's port: all events of the lease are acknowledged, or the lease is given up. */
static void settled(struct ps_port *port, struct ps_lease **lease)
{
    struct ps_kafka_channel_put *put =
        (struct ps_kafka_channel_put *)(void *)((char *)port - offsetof(struct ps_kafka_channel_put, port));
    count_out(put, *lease);
    put->progress_ns = put->sender->now.mono_ns;
    if (put->stripped_end != NULL) {
        *put->stripped_end = *lease;
        put->stripped_end = &(*lease)->next;
        *put->stripped_end = NULL;
        *lease = NULL;
        return;
    }
    PS_ASSERT(put->engine_port != NULL);
    ps_port_home(put->engine_port, lease);
}

/* ---- the sender ---- */

/* Opens the sender; leases wait until then. */
static void open_sender(struct ps_kafka_channel_put *put, const struct ps_port *port,
                        const struct ps_now *now)
{
    struct ps_err err = {0};
    if (now->mono_ns < put->retry_ns)
        return;
    put->port = (struct ps_port){.component = put->plan->component,
                                 .name = put->plan->component,
                                 .counters = put->counters,
                                 .epoll_fd = port->worker_epoll_fd,
                                 .wake_fd = port->wake_fd,
                                 .done = settled};
    put->sender = calloc(1, sizeof *put->sender);
    if (put->sender == NULL)
        ps_err_set(&err, "no memory");
    else if (ps_kafka_sender_open(put->sender, &put->plan->sender, &put->port, &err) == PS_OK)
        return;
    free(put->sender);
    put->sender = NULL;
    put->retry_ns = now->mono_ns + OPEN_RETRY_NS;
    ps_count(put->counters, PS_COUNTER_failures, 1);
    ps_log(PS_LOG_ERROR, put->plan->component, "cannot create a Kafka producer: %s; retrying every 3 s",
           ps_err_join(&err));
    ps_kafka_reason_note(&put->reason, err.text);
}

/* Gives the sender the waiting leases, while it has room. */
static void feed(struct ps_kafka_channel_put *put, const struct ps_now *now)
{
    while (put->waiting != NULL) {
        struct ps_lease *lease = put->waiting, *after = lease->next;
        lease->next = NULL;
        enum ps_result result = ps_kafka_sender_take(put->sender, &lease, now);
        /* DONE: all events of the lease are settled. The lease must wait for earlier leases, and for a tick,
         * which returns it. */
        bool early = result == PS_DONE && (put->sender->window.held.count > 0 || put->engine_port == NULL);
        if (result == PS_LATER || early) {
            lease->next = after;
            return;
        }
        put->waiting = after;
        if (after == NULL)
            put->waiting_end = &put->waiting;
        if (result == PS_DONE)
            settled(&put->port, &lease);
    }
}

/* ---- brokers that acknowledge nothing ---- */

/* Notes the time of the last acknowledgement, or that no lease waits for one. */
static void note_progress(struct ps_kafka_channel_put *put, const struct ps_now *now)
{
    if (put->leases == 0)
        put->progress_ns = now->mono_ns;
    else if (put->sender != NULL && put->sender->progress_ns > put->progress_ns)
        put->progress_ns = put->sender->progress_ns; /* part of a lease was acknowledged */
    __atomic_store_n(&put->stuck_since_ns, put->leases == 0 ? 0 : put->progress_ns, __ATOMIC_RELAXED);
    if (put->sender != NULL) /* else it has the reason why there is none */
        ps_kafka_reason_note(&put->reason, put->sender->last_error);
}

static bool is_too_old(const struct ps_kafka_channel_put *put, const struct ps_lease *lease,
                       const struct ps_now *now)
{
    return lease->refusable && now->mono_ns - lease->batch->opened.mono_ns >= put->plan->patience_ns;
}

static bool any_too_old(const struct ps_kafka_channel_put *put, const struct ps_lease *list,
                        const struct ps_now *now)
{
    while (list != NULL && !is_too_old(put, list, now))
        list = list->next;
    return list != NULL;
}

/* Returns whether it is time to take back the sender's leases. */
static bool must_give_up(struct ps_kafka_channel_put *put, const struct ps_now *now)
{
    if (put->leases == 0 || now->mono_ns - put->progress_ns < put->plan->patience_ns ||
        now->mono_ns < put->give_up_ns)
        return false;
    put->give_up_ns = now->mono_ns + put->plan->patience_ns / 4;
    return (put->sender != NULL && any_too_old(put, put->sender->window.held.first, now)) ||
           any_too_old(put, put->waiting, now);
}

/* The time for which the process may not have run does not count: the acknowledgements of that time are still to come. */
static void note_pause(struct ps_kafka_channel_put *put, const struct ps_now *now)
{
    if (now->mono_ns - put->ticked_ns >= put->plan->patience_ns / 2)
        put->progress_ns = now->mono_ns;
    put->ticked_ns = now->mono_ns;
}

/* Gives up the leases of this list that are too old: they return to their sources. Appends the other leases
 * of the list to the waiting leases. */
static void sort_out(struct ps_kafka_channel_put *put, struct ps_lease *list, const struct ps_now *now)
{
    while (list != NULL) {
        struct ps_lease *lease = list;
        list = lease->next;
        lease->next = NULL;
        if (is_too_old(put, lease, now)) {
            ps_count(put->counters, PS_COUNTER_refused, lease->count - lease->settled);
            lease->failed = true;
            count_out(put, lease);
            ps_port_home(put->engine_port, &lease);
        } else {
            *put->waiting_end = lease;
            put->waiting_end = &lease->next;
        }
    }
}

/* Gives up the leases whose clients have waited too long; the clients may send the refused events again. Other leases
 * continue to wait. */
static void give_up(struct ps_kafka_channel_put *put, const struct ps_now *now)
{
    struct ps_lease *back = NULL;
    if (!put->giving_up)
        ps_log(PS_LOG_ERROR, put->plan->component,
               "the brokers have acknowledged nothing for %s: events whose clients wait are refused; check "
               "the brokers",
               ps_quantity_print_ns(now->mono_ns - put->progress_ns).text);
    put->giving_up = put->sender != NULL && !ps_kafka_sender_recall(put->sender, &back, now);
    if (put->giving_up)
        return;
    struct ps_lease *waiting = put->waiting;
    put->waiting = NULL;
    put->waiting_end = &put->waiting;
    sort_out(put, back, now);
    sort_out(put, waiting, now);
}

/* ---- functions of the channel ---- */

enum ps_put ps_kafka_channel_put_add(struct ps_kafka_channel_put *put, struct ps_lease **lease,
                                     const struct ps_now *now)
{
    if (put->memory_bytes > 0 && put->memory_bytes + (*lease)->memory_bytes > put->plan->memory_bytes_max)
        return PS_PUT_FULL;
    count_in(put, *lease);
    (*lease)->next = NULL;
    *put->waiting_end = *lease;
    put->waiting_end = &(*lease)->next;
    *lease = NULL;
    if (put->sender != NULL && !put->giving_up)
        feed(put, now);
    return PS_PUT_OK;
}

void ps_kafka_channel_put_front(struct ps_kafka_channel_put *put, struct ps_lease *list)
{
    struct ps_lease *rest = put->waiting, **end = &put->waiting;
    for (*end = list; *end != NULL; end = &(*end)->next) {
        count_in(put, *end);
        change(&put->front_events, (*end)->count);
        change(&put->front_bytes, (*end)->bytes);
    }
    *end = rest;
    if (rest == NULL)
        put->waiting_end = end;
}

uint64_t ps_kafka_channel_put_tick(struct ps_kafka_channel_put *put, struct ps_port *port,
                                   const struct ps_now *now)
{
    if (put->since_ns == 0)
        put->since_ns = now->mono_ns;
    if (put->sender == NULL)
        open_sender(put, port, now);
    put->engine_port = port;
    uint64_t next_ns = now->mono_ns + WAITING_LOOK_NS, sender_ns = put->retry_ns;
    /* first takes the acknowledgements that have come: they count as progress */
    if (put->sender != NULL && !put->giving_up) {
        sender_ns = ps_kafka_sender_tick(put->sender, now);
        feed(put, now);
    }
    note_pause(put, now);
    note_progress(put, now);
    if (put->giving_up || must_give_up(put, now)) {
        give_up(put, now);
    } else {
        if (put->waiting == NULL || put->sender == NULL || sender_ns < next_ns)
            next_ns = sender_ns;
        /* The time at which a source's client may have to be refused. */
        uint64_t patient_ns = put->progress_ns + put->plan->patience_ns;
        patient_ns = patient_ns > put->give_up_ns ? patient_ns : put->give_up_ns;
        if (put->leases > 0 && patient_ns < next_ns)
            next_ns = patient_ns;
    }
    put->engine_port = NULL;
    return next_ns;
}

bool ps_kafka_channel_put_hungry(const struct ps_kafka_channel_put *put)
{
    return put->leases < HUNGRY_LEASES;
}

/* ---- the end ---- */

static struct ps_lease **append(struct ps_lease **end, struct ps_lease *list)
{
    for (*end = list; *end != NULL;)
        end = &(*end)->next;
    return end;
}

bool ps_kafka_channel_put_recall(struct ps_kafka_channel_put *put)
{
    struct ps_now now = ps_clock_now();
    struct ps_lease *back = NULL;
    if (put->sender == NULL)
        return true;
    if (put->stripped_end == NULL)
        put->stripped_end = &put->stripped;
    if (!ps_kafka_sender_recall(put->sender, &back, &now))
        return false;
    for (struct ps_lease *lease = back; lease != NULL; lease = lease->next)
        count_out(put, lease);
    put->stripped_end = append(put->stripped_end, back);
    ps_kafka_sender_close(put->sender);
    free(put->sender);
    put->sender = NULL;
    return true;
}

struct ps_lease **ps_kafka_channel_put_strip(struct ps_kafka_channel_put *put, struct ps_lease **end)
{
    PS_ASSERT(put->sender == NULL);
    for (struct ps_lease *lease = put->waiting; lease != NULL; lease = lease->next)
        count_out(put, lease);
    end = append(append(end, put->stripped), put->waiting);
    put->stripped = put->waiting = NULL;
    put->stripped_end = NULL;
    put->waiting_end = &put->waiting;
    return end;
}

/* ---- leases of the last plan ---- */

struct ps_lease *ps_kafka_channel_carried_take(struct ps_kafka_channel_carried *carried,
                                               const unsigned *worker)
{
    struct ps_lease *list = NULL, **end = &list, *lease;
    if (PS_LIKELY(__atomic_load_n(&carried->first, __ATOMIC_RELAXED) == NULL))
        return NULL;
    pthread_mutex_lock(&carried->lock);
    for (struct ps_lease **at = &carried->first; (lease = *at) != NULL;) {
        if (worker != NULL && *worker != ps_batch_worker(lease->batch)) {
            at = &lease->next;
            continue;
        }
        __atomic_store_n(at, lease->next, __ATOMIC_RELAXED);
        lease->next = NULL;
        *end = lease;
        end = &lease->next;
    }
    pthread_mutex_unlock(&carried->lock);
    return list;
}
