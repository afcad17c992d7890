#include "stages/lib/kafka/channel/take.h"

#include <stdlib.h>
#include <time.h>

/* Time between commits: records delivered since the last commit come twice after a crash. Flume commits after each
 * transaction of 100 events. */
#define COMMIT_INTERVAL_NS (5 * PS_NS_PER_MS)
#define OPEN_RETRY_NS (3 * PS_NS_PER_S)
#define STARVED_LOOK_NS (5 * PS_NS_PER_MS)
#define PATIENCE_MS 1000U /* limit of the wait for a thread that has nothing left to do */
#define BATCHES_MAX 4U    /* limit of batches read in one call, if all their records become dead letters */

void ps_kafka_channel_take_init(struct ps_kafka_channel_take *take,
                                const struct ps_kafka_channel_take_plan *plan, unsigned consumer,
                                struct ps_counters *counters)
{
    *take = (struct ps_kafka_channel_take){.plan = plan, .counters = counters};
    take->config = (struct ps_kafka_consumer_config){
        .component = plan->component,
        .group_instance_id = plan->group_instance_id,
        .instance = consumer,
        .pairs = plan->pairs,
        .pair_count = plan->pair_count,
        .subscription = plan->subscription,
        .cooperative = plan->cooperative,
    };
    ps_kafka_reason_init(&take->reason);
}

void ps_kafka_channel_take_fini(struct ps_kafka_channel_take *take)
{
    ps_kafka_reason_fini(&take->reason);
}

/* ---- the consumer ---- */

/* Thread of this function and the next: the client factory's. */
static void *make_consumer(const void *, const void *config, struct ps_err *err)
{
    struct ps_kafka_consumer *consumer = calloc(1, sizeof *consumer);
    if (consumer == NULL) {
        ps_err_set(err, "no memory");
        return NULL;
    }
    if (ps_kafka_consumer_open(consumer, config, err) == PS_OK)
        return consumer;
    free(consumer);
    return NULL;
}

static void destroy_consumer(const void *, void *consumer)
{
    ps_kafka_consumer_destroy(consumer);
    free(consumer);
}

/* Called when a batch and all batches before it were delivered. */
static void delivered(void *argument, struct ps_batch *batch)
{
    struct ps_kafka_channel_take *take = argument;
    for (uint32_t i = 0; i < batch->span_count; i++)
        ps_kafka_streams_delivered(&take->group.streams, &batch->spans[i]);
}

static void begin_group(struct ps_kafka_channel_take *take, const struct ps_port *port)
{
    ps_kafka_group_init(&take->group, take->plan->component, take->counters, COMMIT_INTERVAL_NS,
                        take->plan->revoke_wait_ns);
    if (ps_kafka_place_has_member(take->plan->group_instance_id)) {
        ps_kafka_place_open(&take->place, &take->plan->place, take->config.instance, take->plan->component);
        ps_kafka_group_remember(&take->group, &take->place, take->plan->record.group, take->plan->pairs,
                                take->plan->pair_count);
    }
    take->port = (struct ps_port){.component = take->plan->component,
                                  .name = take->plan->component,
                                  .counters = take->counters,
                                  .epoll_fd = -1,
                                  .wake_fd = -1};
    take->record = (struct ps_kafka_record_state){.plan = &take->plan->record,
                                                  .streams = &take->group.streams,
                                                  .port = &take->port,
                                                  .dead_letters = &take->dead_letters};
    take->readback = ps_readback_open(port->pool, PS_READBACK_IN_ORDER, delivered, take);
}

static void failed(struct ps_kafka_channel_take *take, struct ps_err *err, const struct ps_now *now)
{
    ps_count(take->counters, PS_COUNTER_failures, 1);
    ps_log(PS_LOG_ERROR, take->plan->component, "%s; retrying every 3 s", ps_err_join(err));
    ps_kafka_reason_note(&take->reason, err->text);
    take->phase = PS_KAFKA_CHANNEL_NEW;
    __atomic_store_n(&take->lacking, false, __ATOMIC_RELAXED);
    __atomic_store_n(&take->failing, true, __ATOMIC_RELAXED);
    take->retry_ns = now->mono_ns + OPEN_RETRY_NS;
}

static void begin(struct ps_kafka_channel_take *take, struct ps_port *port, const struct ps_now *now)
{
    static const struct ps_kafka_making making = {make_consumer, destroy_consumer, NULL};
    struct ps_err err = {0};
    if (now->mono_ns < take->retry_ns)
        return;
    take->config.wake_fd = port->wake_fd;
    if (take->factory == NULL)
        take->factory = ps_kafka_client_factory_create(&making, port->wake_fd, &err);
    if (take->factory == NULL) {
        ps_err_append(&err, "there is no Kafka consumer");
        failed(take, &err, now);
        return;
    }
    if (take->readback == NULL)
        begin_group(take, port);
    ps_kafka_client_factory_ask(take->factory, &take->config, NULL);
    take->phase = PS_KAFKA_CHANNEL_MAKING;
}

static void await(struct ps_kafka_channel_take *take, const struct ps_now *now)
{
    struct ps_err err = {0};
    void *made;
    if (!ps_kafka_client_factory_reply(take->factory, &made, &err))
        return;
    if (made == NULL) {
        ps_err_append(&err, "there is no Kafka consumer");
        failed(take, &err, now);
        return;
    }
    take->group.consumer = *(struct ps_kafka_consumer *)made;
    free(made);
    __atomic_store_n(&take->failing, false, __ATOMIC_RELAXED);
    take->phase = PS_KAFKA_CHANNEL_OPEN;
}

/* Replaces a client that has failed: the next client reads the uncommitted records again. Positions of
 * batches that are delivered later are discarded, because their generation is old. */
static void renew(struct ps_kafka_channel_take *take, const struct ps_now *now)
{
    struct ps_err reason = {0};
    ps_kafka_consumer_failure(&take->group.consumer, &reason);
    failed(take, &reason, now);
    ps_kafka_farewell_end(ps_kafka_farewell_begin(&take->group.consumer, false), 0);
    ps_kafka_group_renew(&take->group);
}

/* Publishes what the consumer lacks. The consumer lacks nothing if the group gives it no partition: other agents read them. */
static void note_lack(struct ps_kafka_channel_take *take, const struct ps_now *now)
{
    const char *why = "";
    bool has_partitions = ps_kafka_streams_has_owned(&take->group.streams);
    enum ps_lack lack =
        ps_kafka_reports_lack(&take->group.consumer.reports, has_partitions, false, now->mono_ns, &why);
    if (lack > PS_LACK_INPUT)
        ps_kafka_reason_note(&take->reason, why);
    if (take->lacking != (lack > PS_LACK_INPUT))
        __atomic_store_n(&take->lacking, lack > PS_LACK_INPUT, __ATOMIC_RELAXED);
}

uint64_t ps_kafka_channel_take_tick(struct ps_kafka_channel_take *take, struct ps_port *port,
                                    const struct ps_now *now)
{
    if (take->left || take->parting)
        return PS_NEVER;
    ps_kafka_dead_letters_look(&take->dead_letters, port);
    if (take->phase == PS_KAFKA_CHANNEL_NEW)
        begin(take, port, now);
    if (take->phase == PS_KAFKA_CHANNEL_MAKING)
        await(take, now);
    if (take->phase == PS_KAFKA_CHANNEL_OPEN &&
        PS_UNLIKELY(take->group.consumer.fatal || take->group.consumer.no_memory))
        renew(take, now);
    if (take->phase != PS_KAFKA_CHANNEL_OPEN)
        return take->phase == PS_KAFKA_CHANNEL_NEW ? take->retry_ns
                                                   : PS_NEVER; /* the client factory wakes the worker */
    uint64_t next_ns = ps_kafka_group_tick(&take->group, now->mono_ns);
    note_lack(take, now);
    uint64_t refill_ns = ps_kafka_consumer_refill(&take->group.consumer, now->mono_ns);
    next_ns = refill_ns < next_ns ? refill_ns : next_ns;
    uint64_t look_ns = now->mono_ns + STARVED_LOOK_NS;
    return (take->starved || take->held != NULL) && look_ns < next_ns ? look_ns : next_ns;
}

/* ---- batches ---- */

static uint32_t stream_of(void *argument, const rd_kafka_message_t *message)
{
    struct ps_kafka_channel_take *take = argument;
    return ps_kafka_streams_of_record(&take->group.streams, message);
}

static enum ps_kafka_take take_record(void *argument, const struct ps_kafka_message *message)
{
    struct ps_kafka_channel_take *take = argument;
    return ps_kafka_record_take(&take->record, message);
}

/* Reads a batch. Returns NULL when there are no records, or no memory for them. */
static struct ps_lease *read_batch(struct ps_kafka_channel_take *take, struct ps_port *port,
                                   const struct ps_now *now)
{
    const struct ps_kafka_consumer_reader reader = {
        .stream = stream_of, .take = take_record, .argument = take};
    struct ps_kafka_consumer *consumer = &take->group.consumer;
    /* Takes a batch only if records are there: the worker could not distinguish an empty open batch from a
     * batch that a sink holds. */
    if (take->phase != PS_KAFKA_CHANNEL_OPEN || take->left || take->parting ||
        !ps_kafka_consumer_has_records(consumer))
        return NULL;
    bool has_room = !ps_port_has_deadletter(port) || ps_dead_letter_queue_has_room(port->dead_letter_queue);
    struct ps_batch *batch = has_room ? ps_readback_batch(take->readback, *now) : NULL;
    take->starved = batch == NULL;
    if (batch == NULL)
        return NULL;
    take->port.dead_letter_queue = port->dead_letter_queue;
    ps_kafka_record_begin(&take->record, batch);
    ps_kafka_consumer_read(consumer, &reader);
    take->port.dead_letter_queue = NULL;
    if (!ps_batch_is_empty(batch))
        return ps_readback_lease(take->readback, batch);
    /* The call may have ended at records that do not become events, before the records behind them. */
    take->starved = ps_kafka_consumer_has_kept(consumer) || ps_kafka_consumer_has_records(consumer);
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
    /* records of these letters are read again, like records of leases that were given back */
    ps_kafka_dead_letters_clear(&take->dead_letters);
    if (take->held != NULL)
        ps_port_home(port, &take->held);
    while (take->given_back != NULL) {
        struct ps_lease *lease = take->given_back;
        take->given_back = lease->next;
        lease->next = NULL;
        ps_port_home(port, &lease);
    }
}

static void rest_a_moment(void)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)PS_NS_PER_MS}, NULL);
}

/* Gives the consumer to the thread that leaves the group. `settled` false: the time is over, and some offsets are not
 * committed. */
static void say_farewell(struct ps_kafka_channel_take *take, bool settled)
{
    if (!settled)
        ps_log(PS_LOG_WARN, take->plan->component,
               "the last offsets could not be committed: some events will come again");
    take->farewell = ps_kafka_farewell_begin(&take->group.consumer, true);
    ps_kafka_group_renew(&take->group);
    take->phase = PS_KAFKA_CHANNEL_GONE;
}

bool ps_kafka_channel_take_part(struct ps_kafka_channel_take *take, uint64_t until_ns, uint64_t mono_ns)
{
    struct ps_kafka_consumer *consumer = &take->group.consumer;
    take->parting = true;
    if (take->phase == PS_KAFKA_CHANNEL_OPEN) {
        ps_kafka_streams_abandon(&take->group.streams);
        ps_kafka_group_tick(&take->group, mono_ns);
        bool settled = consumer->fatal || ps_kafka_group_settle(&take->group);
        if (settled || mono_ns >= until_ns)
            say_farewell(take, settled);
    }
    if (take->phase == PS_KAFKA_CHANNEL_GONE)
        return ps_kafka_farewell_is_over(take->farewell) || mono_ns >= until_ns;
    return take->phase != PS_KAFKA_CHANNEL_OPEN;
}

void ps_kafka_channel_take_close(struct ps_kafka_channel_take *take, uint64_t until_ns)
{
    bool parted = take->phase == PS_KAFKA_CHANNEL_GONE;
    while (!parted && !ps_kafka_channel_take_part(take, until_ns, ps_clock_now().mono_ns))
        rest_a_moment();
    bool over = ps_kafka_farewell_is_over(take->farewell);
    ps_kafka_farewell_end(take->farewell, over ? PATIENCE_MS : 0);
    take->farewell = NULL;
    if (over && take->phase == PS_KAFKA_CHANNEL_GONE)
        ps_kafka_group_left(&take->group);
    take->phase = PS_KAFKA_CHANNEL_NEW;
    if (take->factory != NULL)
        /* also destroys the consumer that the factory may be making */
        ps_kafka_client_factory_destroy(take->factory, NULL);
    take->factory = NULL;
    ps_kafka_group_fini(&take->group);
    ps_kafka_place_close(&take->place);
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
