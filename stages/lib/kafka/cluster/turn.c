/* One turn of the native client: answers of the resolver, connections, metadata, the producer's id, reports. */
#include "stages/lib/kafka/cluster/native_internal.h"

#include "core/quantity.h"
#include "stages/lib/kafka/errors.h"
#include "stages/lib/kafka/produce/partition.h"
#include "stages/lib/least.h"

#include <stdio.h>
#include <sys/epoll.h>

#define READY_MAX 64
/* the search for records that wait too long runs each tenth of delivery.timeout.ms */
#define EXPIRY_PARTS 10U
#define IMPATIENCE                                                                                           \
    8U /* divisor of the time for which a topic may be unknown, after one that stayed unknown */
#define PAUSE_NS (3 * PS_NS_PER_S)            /* turns are at most a second apart while records wait */
#define METADATA_REST_NS (100 * PS_NS_PER_MS) /* between two Metadata requests */

/* ---- metadata and the producer's id ---- */

/* Returns when metadata is requested although nobody waits for it. */
static uint64_t look_ns(const struct ps_kafka_native *client)
{
    return ps_least(client->metadata.look_ns,
                    client->metadata.answered_ns + client->settings.metadata_age_ns);
}

/* Returns when metadata is to be requested; PS_NEVER: it is under way, or not needed. */
static uint64_t metadata_due_ns(const struct ps_kafka_native *client)
{
    bool needed = client->topic_count > 0 || client->all_topics ||
                  (ps_kafka_native_is_transactional(client) && client->cluster[0] == '\0');
    if (client->metadata.asked || !needed)
        return PS_NEVER;
    uint64_t due_ns = client->metadata.wanted ? 0 : look_ns(client);
    return due_ns > client->metadata.rest_ns ? due_ns : client->metadata.rest_ns;
}

/* The same for the producer's id. In transactions, transaction.c asks the coordinator. */
static uint64_t id_due_ns(const struct ps_kafka_native *client)
{
    bool needed = client->id_state == PS_KAFKA_NATIVE_ID_NONE && !client->fatal &&
                  !ps_kafka_native_is_transactional(client);
    return needed ? client->id_rest_ns : PS_NEVER;
}

static void ask(struct ps_kafka_native *client)
{
    bool metadata = client->now.mono_ns >= metadata_due_ns(client);
    bool id = client->now.mono_ns >= id_due_ns(client);
    struct ps_kafka_native_broker *broker = metadata || id ? ps_kafka_native_any_broker(client) : NULL;
    if (broker == NULL)
        return;
    struct ps_kafka_native_request *request =
        metadata ? ps_kafka_native_request_metadata(client,
                                                    ps_kafka_native_version(broker, PS_KAFKA_NATIVE_METADATA))
                 : NULL;
    if (request != NULL) {
        client->metadata.asked = true;
        client->metadata.wanted = false;
        client->metadata.sent_ns = client->now.mono_ns;
        client->metadata.rest_ns = client->now.mono_ns + METADATA_REST_NS;
        ps_kafka_native_broker_send(broker, request);
    }
    int16_t version = broker->versions[PS_KAFKA_NATIVE_INIT_PRODUCER_ID].plain;
    if (id && version < 0) {
        ps_kafka_native_die(client, PS_KAFKA_LIBRARY_UNSUPPORTED_FEATURE,
                            "%s:%u gives no producer id: it is older than Kafka 0.11, and needs "
                            "kafka.producer.enable.idempotence = false",
                            broker->host, broker->port);
        return;
    }
    request = id ? ps_kafka_native_request_id(client, version) : NULL;
    if (request != NULL) {
        client->id_state = PS_KAFKA_NATIVE_ID_ASKED;
        ps_kafka_native_broker_send(broker, request);
    }
}

/* Removes brokers that left the cluster, when no request to them is under way. Those of bootstrap.servers stay without a
 * node number: all nodes may fail after one of them was away for a while (KIP-899, KIP-1102). */
static void remove_gone(struct ps_kafka_native *client)
{
    for (struct ps_kafka_native_broker **at = &client->brokers; *at != NULL;) {
        struct ps_kafka_native_broker *broker = *at;
        if (!broker->gone || broker->first != NULL || broker->ready != NULL ||
            broker->phase == PS_KAFKA_NATIVE_RESOLVING || ps_kafka_native_leads(client, broker)) {
            at = &broker->next;
            continue;
        }
        if (broker->configured) {
            if (broker->phase != PS_KAFKA_NATIVE_DOWN)
                ps_kafka_native_broker_drop(broker);
            broker->node = -1;
            broker->gone = false;
            at = &broker->next;
            continue;
        }
        *at = broker->next;
        ps_kafka_native_broker_free(broker);
    }
}

/* ---- records whose topic was not known ---- */

static void place(struct ps_kafka_native *client, struct ps_kafka_native_topic *topic)
{
    struct ps_kafka_native_batch *batch = ps_kafka_native_partition_pop(&topic->nowhere);
    const struct ps_kafka_record record = {.partition = PS_KAFKA_PARTITION_ANY};
    int32_t number = topic->nowhere.number;
    if (number == PS_KAFKA_PARTITION_ANY && topic->unplaced_has_key &&
        client->settings.spread == PS_KAFKA_SPREAD_BY_KEY)
        number = (int32_t)((topic->unplaced_key & INT32_MAX) % (uint32_t)topic->partition_count);
    else if (number == PS_KAFKA_PARTITION_ANY)
        number = ps_kafka_native_topic_place(client, topic, &record);
    if (number < 0 || number >= topic->partition_count) {
        ps_kafka_native_report(client, batch, PS_KAFKA_LIBRARY_UNKNOWN_PARTITION);
        return;
    }
    batch->partition = topic->partitions[number];
    *batch->partition->end = batch;
    batch->partition->end = &batch->next;
    ps_kafka_native_partition_offer(client, batch->partition);
    if (client->listener->room != NULL)
        client->listener->room(client->listener->argument);
}

/* Returns whether the cluster refuses the topic: an answer that is newer than the waiting record has an error, and the
 * time for which a new topic may be unknown is over. That time is not given again to each record. */
static bool is_refused(const struct ps_kafka_native *client, const struct ps_kafka_native_topic *topic)
{
    uint64_t patience_ns = client->settings.topic_patience_ns;
    if (client->impatient) /* events that name other topics must not wait so long for each of them */
        patience_ns /= IMPATIENCE;
    return topic->asked_ns != 0 && topic->error != 0 && topic->described_ns > topic->nowhere.first->born_ns &&
           client->now.mono_ns >= topic->asked_ns + patience_ns;
}

static void place_all(struct ps_kafka_native *client)
{
    struct ps_kafka_native_topic *topic = NULL;
    while ((topic = ps_kafka_native_topic_next(client, topic)) != NULL) {
        if (topic->nowhere.first == NULL)
            continue;
        client->unplaced_topics = true;
        if (topic->partition_count > 0) {
            place(client, topic);
        } else if (is_refused(client, topic)) {
            client->impatient = true;
            ps_kafka_native_report(client, ps_kafka_native_partition_pop(&topic->nowhere),
                                   topic->error == PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION
                                       ? PS_KAFKA_LIBRARY_UNKNOWN_TOPIC
                                       : topic->error);
        }
    }
}

/* Offers the partitions whose backoff or linger time is over. */
static void offer_rested(struct ps_kafka_native *client)
{
    if (client->queued.resting_ns > client->now.mono_ns)
        return;
    client->queued.resting_ns = PS_NEVER;
    struct ps_kafka_native_topic *topic = NULL;
    while ((topic = ps_kafka_native_topic_next(client, topic)) != NULL) {
        for (int32_t p = 0; p < topic->partition_count; p++) {
            struct ps_kafka_native_partition *partition = topic->partitions[p];
            ps_kafka_native_partition_offer(client, partition);
            if (partition->rest_ns > client->now.mono_ns)
                client->queued.resting_ns = ps_least(client->queued.resting_ns, partition->rest_ns);
        }
    }
}

/* ---- records that wait too long (delivery.timeout.ms) ---- */

/* Returns whether the batch waits too long. A batch that was filled before the first turn has no birth time yet,
 * and gets it now. */
static bool is_late(const struct ps_kafka_native *client, struct ps_kafka_native_batch *batch)
{
    if (batch->born_ns == 0)
        batch->born_ns = client->now.mono_ns;
    uint64_t since_ns =
        batch->born_ns > client->queued.resumed_ns ? batch->born_ns : client->queued.resumed_ns;
    return client->now.mono_ns >= since_ns + client->settings.delivery_ns;
}

/* Called before a turn at this time. If the process did not run for a while, because it was stopped or its machine was frozen, the
 * brokers could not write records meanwhile: the wait of all records begins again. */
static void forgive_pause(struct ps_kafka_native *client, uint64_t now_ns)
{
    if (client->now.mono_ns != 0 && now_ns - client->now.mono_ns >= PAUSE_NS)
        client->queued.resumed_ns = now_ns;
}

/* Reports a batch that waits too long, and ends the producer: later batches would overtake it. The sender makes a new
 * producer and sends undelivered events again. A batch in flight is checked only when its answer is late. */
static bool expire(struct ps_kafka_native *client, struct ps_kafka_native_partition *partition)
{
    struct ps_kafka_native_batch *batch =
        partition->returned != NULL ? partition->returned : partition->first;
    if (batch == NULL || !is_late(client, batch))
        return false;
    if (batch == partition->returned) {
        partition->returned = batch->next;
    } else {
        (void)ps_kafka_native_partition_pop(partition);
        if (partition->first == NULL && partition->ready)
            ps_kafka_native_partition_withdraw(partition);
    }
    char place[32] = "";
    if (partition->number != PS_KAFKA_PARTITION_ANY)
        snprintf(place, sizeof place, ", partition %d", partition->number);
    ps_kafka_native_die(client, PS_KAFKA_LIBRARY_MSG_TIMED_OUT, "topic %s%s: records waited longer than %s",
                        partition->topic->name, place,
                        ps_quantity_print_ns(client->settings.delivery_ns).text);
    ps_kafka_native_report(client, batch, PS_KAFKA_LIBRARY_MSG_TIMED_OUT);
    return true;
}

static void expire_any(struct ps_kafka_native *client)
{
    if (client->settings.delivery_ns == 0 || client->now.mono_ns < client->queued.expiry_ns || client->fatal)
        return;
    client->queued.expiry_ns =
        client->now.mono_ns + ps_least(client->settings.delivery_ns / EXPIRY_PARTS + 1, PS_NS_PER_S);
    struct ps_kafka_native_topic *topic = NULL;
    while ((topic = ps_kafka_native_topic_next(client, topic)) != NULL) {
        for (int32_t p = PS_KAFKA_PARTITION_ANY; p < topic->partition_count; p++)
            if (expire(client, ps_kafka_native_partition_of(topic, p)))
                return;
    }
}

/* ---- the turn ---- */

static void report_purged(struct ps_kafka_native *client)
{
    while (client->purged != NULL) {
        struct ps_kafka_native_batch *batch = client->purged;
        client->purged = batch->next;
        if (client->purged == NULL)
            client->purged_end = &client->purged;
        ps_kafka_native_report(client, batch,
                               batch->perhaps_written ? PS_KAFKA_LIBRARY_PURGE_INFLIGHT
                                                      : PS_KAFKA_LIBRARY_PURGE_QUEUE);
    }
}

static void work_brokers(struct ps_kafka_native *client)
{
    struct epoll_event events[READY_MAX];
    int count = epoll_wait(client->epoll_fd, events, READY_MAX, 0);
    for (struct ps_kafka_native_broker *broker = client->brokers; broker != NULL; broker = broker->next) {
        bool ready = false;
        for (int i = 0; i < count; i++)
            ready |= events[i].data.ptr == broker;
        ps_kafka_native_broker_work(broker, ready);
    }
}

uint32_t ps_kafka_native_turn(struct ps_kafka_native *client, const struct ps_kafka_listener *listener)
{
    struct ps_question answer;
    client->listener = listener;
    client->reported = 0;
    forgive_pause(client, listener->now.mono_ns);
    client->now = listener->now;
    report_purged(client);
    while (ps_resolver_answer(client->resolver, &answer)) {
        for (struct ps_kafka_native_broker *broker = client->brokers; broker != NULL; broker = broker->next)
            ps_kafka_native_broker_resolved(broker, &answer);
    }
    offer_rested(client);
    expire_any(client);
    ask(client);
    ps_kafka_native_transaction_turn(client);
    if (client->reader != NULL)
        client->reader->turn(client);
    work_brokers(client);
    if (client->unplaced_topics) {
        client->unplaced_topics = false;
        place_all(client);
        work_brokers(client);
    }
    remove_gone(client);
    ps_kafka_native_tell_statistics(client);
    if (client->fatal)
        ps_kafka_native_transaction_die(client);
    if (client->fatal && !client->fatal_error.told) {
        client->fatal_error.told = true;
        ps_kafka_native_notice(client, PS_KAFKA_NOTICE_FATAL, client->fatal_error.code,
                               client->fatal_error.text);
    }
    client->listener = NULL;
    return client->reported;
}

uint64_t ps_kafka_native_turn_due_ns(const struct ps_kafka_native *client)
{
    uint64_t due_ns = ps_least(metadata_due_ns(client), id_due_ns(client));
    uint64_t reached_ns = ps_kafka_native_any_due_ns(client);
    due_ns = due_ns > reached_ns ? due_ns : reached_ns;
    due_ns = ps_least(due_ns, client->queued.resting_ns);
    due_ns = ps_least(due_ns, ps_kafka_native_transaction_due_ns(client));
    for (const struct ps_kafka_native_broker *broker = client->brokers; broker != NULL; broker = broker->next)
        due_ns = ps_least(due_ns, ps_kafka_native_broker_due_ns(broker));
    if (client->settings.delivery_ns != 0 && client->queued.records > 0 && !client->fatal)
        due_ns = ps_least(due_ns, client->queued.expiry_ns);
    return ps_least(due_ns, ps_kafka_native_statistics_due_ns(client));
}

/* ---- purging ---- */

static void purge_batch(struct ps_kafka_native *client, struct ps_kafka_native_batch *batch)
{
    batch->next = NULL;
    *client->purged_end = batch;
    client->purged_end = &batch->next;
}

static void purge_partition(struct ps_kafka_native *client, struct ps_kafka_native_partition *partition)
{
    struct ps_kafka_native_batch *batch;
    ps_kafka_native_partition_lead(partition, NULL); /* removes the partition from its leader's list */
    while ((batch = partition->returned) != NULL) {
        partition->returned = batch->next;
        purge_batch(client, batch);
    }
    while ((batch = ps_kafka_native_partition_pop(partition)) != NULL)
        purge_batch(client, batch);
    partition->resends = partition->in_flight > 0;
    partition->alone = false;
    partition->older_ns = 0;
    ps_kafka_native_want_metadata(client);
}

void ps_kafka_native_purge(struct ps_kafka_native *client, bool in_flight)
{
    for (struct ps_kafka_native_broker *broker = client->brokers; broker != NULL && in_flight;
         broker = broker->next) {
        for (struct ps_kafka_native_request *request = broker->first; request != NULL;
             request = request->next) {
            for (uint32_t i = 0; i < request->batch_count; i++) {
                if (request->batches[i] == NULL)
                    continue;
                request->batches[i]->partition->in_flight--;
                request->batches[i]->perhaps_written |= ps_kafka_native_is_written(request);
                purge_batch(client, request->batches[i]);
                request->batches[i] = NULL;
            }
        }
        if (broker->produce_in_flight > 0)
            ps_kafka_native_broker_drop(broker);
    }
    struct ps_kafka_native_topic *topic = NULL;
    while ((topic = ps_kafka_native_topic_next(client, topic)) != NULL) {
        for (int32_t p = PS_KAFKA_PARTITION_ANY; p < topic->partition_count; p++)
            purge_partition(client, ps_kafka_native_partition_of(topic, p));
    }
}
