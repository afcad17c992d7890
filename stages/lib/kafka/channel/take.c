#include "stages/lib/kafka/channel/take.h"

#include "core/quantity.h"

#include <stdio.h>

/* Time between commits: records delivered since the last commit come twice after a crash. Flume commits after each
 * transaction of 100 events. */
#define COMMIT_INTERVAL_NS (5 * PS_NS_PER_MS)
#define OPEN_RETRY_NS (3 * PS_NS_PER_S)
#define STARVED_LOOK_NS (5 * PS_NS_PER_MS)
#define BATCHES_MAX 4U /* limit of batches read in one call, if all their records become dead letters */

void ps_kafka_channel_take_init(struct ps_kafka_channel_take *take,
                                const struct ps_kafka_channel_take_plan *plan, unsigned consumer,
                                struct ps_counters *counters)
{
    *take = (struct ps_kafka_channel_take){.plan = plan, .number = consumer, .counters = counters};
    ps_kafka_reason_init(&take->reason);
}

void ps_kafka_channel_take_fini(struct ps_kafka_channel_take *take)
{
    ps_kafka_reason_fini(&take->reason);
}

/* ---- the client ---- */

/* Called when a batch and all batches before it were delivered. */
static void delivered(void *argument, struct ps_batch *batch)
{
    struct ps_kafka_channel_take *take = argument;
    for (uint32_t i = 0; i < batch->span_count; i++)
        ps_kafka_streams_delivered(ps_kafka_reading_streams(take->reading), &batch->spans[i]);
}

static void failed(struct ps_kafka_channel_take *take, struct ps_err *err, const struct ps_now *now)
{
    ps_count(take->counters, PS_COUNTER_failures, 1);
    ps_log(PS_LOG_ERROR, take->plan->component, "%s; retrying every 3 s", ps_err_join(err));
    ps_kafka_reason_note(&take->reason, err->text);
    __atomic_store_n(&take->lacking, false, __ATOMIC_RELAXED);
    __atomic_store_n(&take->failing, true, __ATOMIC_RELAXED);
    take->retry_ns = now->mono_ns + OPEN_RETRY_NS;
}

static struct ps_kafka_fetch *open_reading(struct ps_kafka_channel_take *take, struct ps_err *err)
{
    const struct ps_kafka_channel_take_plan *plan = take->plan;
    const struct ps_kafka_reading_config config = {
        .port = &take->port,
        .settings = plan->settings,
        .group = plan->record.group,
        .place = &take->place,
        .subscription = plan->subscription,
        .commit_interval_ns = COMMIT_INTERVAL_NS,
        .revoke_wait_ns = plan->revoke_wait_ns,
        .held_bytes_max = plan->held_bytes_max,
    };
    if (!take->place.is_open && ps_kafka_place_has_member(plan->settings->texts.group_instance_id))
        ps_kafka_place_open(&take->place, &plan->place, take->number, plan->component);
    return ps_kafka_reading_open(&config, err);
}

static void begin(struct ps_kafka_channel_take *take, const struct ps_port *port, const struct ps_now *now)
{
    struct ps_err err = {0};
    if (now->mono_ns < take->retry_ns)
        return;
    take->port = (struct ps_port){.component = take->plan->component,
                                  .name = take->plan->component,
                                  .counters = take->counters,
                                  .instance = take->number,
                                  .epoll_fd = port->worker_epoll_fd,
                                  .wake_fd = port->wake_fd,
                                  .blocks = port->blocks};
    take->reading = open_reading(take, &err);
    if (take->reading == NULL) {
        ps_err_append(&err, "there is no Kafka consumer");
        failed(take, &err, now);
        return;
    }
    __atomic_store_n(&take->failing, false, __ATOMIC_RELAXED);
    take->record = (struct ps_kafka_record_state){.plan = &take->plan->record,
                                                  .streams = ps_kafka_reading_streams(take->reading),
                                                  .port = &take->port,
                                                  .dead_letters = &take->dead_letters};
    take->readback = ps_readback_open(port->pool, PS_READBACK_IN_ORDER, delivered, take);
}

static void end_reading(struct ps_kafka_channel_take *take)
{
    ps_readback_close(take->readback); /* `delivered` is no longer called */
    take->readback = NULL;
    ps_kafka_reading_destroy(take->reading);
    take->reading = NULL;
}

/* Ends a client that has failed: the next client reads the uncommitted records again. Batches that are delivered later
 * no longer count. */
static void renew_failed(struct ps_kafka_channel_take *take, const struct ps_now *now)
{
    struct ps_err reason;
    if (PS_LIKELY(!ps_kafka_reading_failed(take->reading, &reason)))
        return;
    failed(take, &reason, now);
    end_reading(take);
}

/* Publishes what the client lacks. It lacks nothing if the group gives it no partition: other agents read them. */
static void note_lack(struct ps_kafka_channel_take *take)
{
    const char *why = "";
    bool lacking = ps_kafka_reading_lack(take->reading, &why) > PS_LACK_INPUT;
    if (lacking)
        ps_kafka_reason_note(&take->reason, why);
    if (take->lacking != lacking)
        __atomic_store_n(&take->lacking, lacking, __ATOMIC_RELAXED);
}

uint64_t ps_kafka_channel_take_tick(struct ps_kafka_channel_take *take, struct ps_port *port,
                                    const struct ps_now *now)
{
    if (take->left || take->parting)
        return PS_NEVER;
    ps_kafka_dead_letters_look(&take->dead_letters, port);
    if (take->reading == NULL)
        begin(take, port, now);
    if (take->reading == NULL)
        return take->retry_ns;
    uint64_t next_ns = ps_kafka_reading_tick(take->reading, false, now->mono_ns);
    renew_failed(take, now);
    if (take->reading == NULL)
        return take->retry_ns;
    note_lack(take);
    uint64_t look_ns = now->mono_ns + STARVED_LOOK_NS;
    return (take->starved || take->held != NULL) && look_ns < next_ns ? look_ns : next_ns;
}

/* ---- batches ---- */

/* Reads a batch. Returns NULL when there are no records, or no memory for them. */
static struct ps_lease *read_batch(struct ps_kafka_channel_take *take, struct ps_port *port,
                                   const struct ps_now *now)
{
    /* Takes a batch only if records are there: the worker could not distinguish an empty open batch from a
     * batch that a sink holds. */
    if (take->reading == NULL || take->left || take->parting || !ps_kafka_reading_has_records(take->reading))
        return NULL;
    bool has_room = !ps_port_has_deadletter(port) || ps_dead_letter_queue_has_room(port->dead_letter_queue);
    struct ps_batch *batch = has_room ? ps_readback_batch(take->readback, *now) : NULL;
    take->starved = batch == NULL;
    if (batch == NULL)
        return NULL;
    take->port.dead_letter_queue = port->dead_letter_queue;
    ps_kafka_record_begin(&take->record, batch);
    (void)ps_kafka_reading_read(take->reading, &take->record);
    take->port.dead_letter_queue = NULL;
    if (!ps_batch_is_empty(batch))
        return ps_readback_lease(take->readback, batch);
    /* The call may have ended at records that do not become events, before the records behind them. */
    take->starved = ps_kafka_reading_has_records(take->reading);
    ps_readback_drop(batch);
    return NULL;
}

/* Hands out the batch that waited for its dead letters. A batch without other events is released. */
static struct ps_lease *hand_out_held(struct ps_kafka_channel_take *take, struct ps_port *port)
{
    struct ps_lease *lease = take->held;
    if (!ps_kafka_dead_letters_are_written(&take->dead_letters, port))
        return NULL;
    ps_kafka_dead_letters_clear(&take->dead_letters);
    take->held = NULL;
    if (lease->count == 0)
        ps_port_home(port, &lease);
    return lease;
}

struct ps_lease *ps_kafka_channel_take_next(struct ps_kafka_channel_take *take, struct ps_port *port,
                                            const struct ps_now *now)
{
    struct ps_lease *lease = take->given_back;
    if (lease != NULL) {
        take->given_back = lease->next;
        lease->next = NULL;
        return lease;
    }
    for (unsigned i = 0; i < BATCHES_MAX && lease == NULL; i++) {
        if (take->held == NULL) {
            lease = read_batch(take, port, now);
            if (lease == NULL || !ps_kafka_dead_letters_any(&take->dead_letters))
                return lease;
            take->held = lease;
        }
        lease = hand_out_held(take, port);
        if (take->held != NULL)
            return NULL;
    }
    take->starved |= lease == NULL; /* more records may be in the topic */
    return lease;
}

void ps_kafka_channel_take_back(struct ps_kafka_channel_take *take, struct ps_lease **lease)
{
    (*lease)->next = take->given_back;
    take->given_back = *lease;
    *lease = NULL;
}

/* ---- the end ---- */

void ps_kafka_channel_take_leave(struct ps_kafka_channel_take *take, struct ps_port *port)
{
    take->left = true;
    ps_readback_close(take->readback); /* leases that are returned from now on are only freed */
    take->readback = NULL;
    if (take->reading != NULL)
        ps_kafka_reading_forget(take->reading);
    /* records of these letters are read again, like records of leases that were given back */
    ps_kafka_dead_letters_clear(&take->dead_letters);
    if (take->held != NULL)
        ps_port_home(port, &take->held);
    while (take->given_back != NULL) {
        struct ps_lease *lease = take->given_back;
        take->given_back = lease->next;
        lease->next = NULL;
        ps_count(port->counters, PS_COUNTER_duplicated, lease->settled); /* they are read again */
        ps_port_home(port, &lease);
    }
}

bool ps_kafka_channel_take_part(struct ps_kafka_channel_take *take, uint64_t until_ns, uint64_t mono_ns)
{
    if (!take->parting && take->reading != NULL) {
        ps_kafka_reading_forget(take->reading);
        ps_kafka_streams_abandon(ps_kafka_reading_streams(take->reading));
    }
    take->parting = true;
    if (take->reading != NULL) {
        (void)ps_kafka_reading_tick(take->reading, true, mono_ns);
        bool late = mono_ns >= until_ns;
        if (!ps_kafka_reading_end(take->reading, late) && !late)
            return false;
        take->knows_left_over = ps_kafka_reading_left_over(take->reading, &take->left_over);
        end_reading(take);
    }
    ps_kafka_place_close(&take->place);
    return true;
}

void ps_kafka_channel_take_say_left_over(const struct ps_kafka_channel_take *takes, unsigned count,
                                         const char *brokers)
{
    const struct ps_kafka_channel_take_plan *plan = takes[0].plan;
    uint64_t events = 0;
    bool known = true;
    char what[64] = "events may stay";
    for (unsigned i = 0; i < count; i++) {
        known &= takes[i].knows_left_over;
        events += takes[i].left_over;
    }
    if (known && events == 0)
        return;
    if (known)
        snprintf(what, sizeof what, "at least %s %s", ps_quantity_print_count(events).text,
                 ps_quantity_word(events, "event stays", "events stay"));
    ps_log(
        PS_LOG_WARN, plan->component,
        "%s in topic %s at %s, undelivered: a channel with these brokers, this topic and group %s delivers "
        "them",
        what, plan->subscription.items[0], brokers, plan->record.group);
}

bool ps_kafka_channel_take_trouble(struct ps_kafka_channel_take *take, char *text, size_t room)
{
    char reason[PS_KAFKA_REASON_BYTES];
    bool failing = __atomic_load_n(&take->failing, __ATOMIC_RELAXED);
    if (!failing && !__atomic_load_n(&take->lacking, __ATOMIC_RELAXED))
        return false;
    ps_kafka_reason_read(&take->reason, reason, "the log has the reason");
    snprintf(text, room, "a consumer %s: %s",
             failing ? "failed, and the next one is not ready yet" : "does not reach the topic", reason);
    return true;
}
