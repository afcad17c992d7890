/* One turn of the lane: answers of the resolver, connections, metadata, the producer's id, reports. */
#include "stages/lib/kafka/lane/turn.h"

#include "core/quantity.h"
#include "stages/lib/kafka/producer/partition.h"
#include "stages/lib/least.h"

#include <stdio.h>
#include <sys/epoll.h>

#define ERROR_TIMED_OUT (-192)
#define ERROR_UNKNOWN_TOPIC (-188)
#define ERROR_UNKNOWN_PARTITION (-190)
#define ERROR_PURGED_QUEUE (-152)
#define ERROR_PURGED_IN_FLIGHT (-151)
#define READY_MAX 64
#define EXPIRY_PARTS 10U /* of delivery.timeout.ms: interval of the search for records that wait too long */
#define METADATA_REST_NS (100 * PS_NS_PER_MS) /* between two questions */

/* ---- metadata and the producer's id ---- */

static bool wants_metadata(const struct ps_kafka_lane *lane)
{
    bool needed = lane->topic_count > 0 || lane->all_topics ||
                  (ps_kafka_lane_is_transactional(lane) && lane->cluster[0] == '\0');
    return !lane->metadata_asked && needed && lane->now.mono_ns >= lane->metadata_rest_ns &&
           (lane->metadata_wanted || lane->now.mono_ns >= lane->metadata_ns + lane->settings.metadata_age_ns);
}

static bool wants_id(const struct ps_kafka_lane *lane)
{
    return lane->id_state == PS_KAFKA_LANE_ID_NONE && lane->now.mono_ns >= lane->id_rest_ns && !lane->fatal &&
           !ps_kafka_lane_is_transactional(lane); /* transaction.c asks the coordinator */
}

static void ask(struct ps_kafka_lane *lane)
{
    bool metadata = wants_metadata(lane), id = wants_id(lane);
    struct ps_kafka_lane_broker *broker = metadata || id ? ps_kafka_lane_any_broker(lane) : NULL;
    if (broker == NULL)
        return;
    struct ps_kafka_lane_request *request =
        metadata ? ps_kafka_lane_request_metadata(lane, broker->metadata_version) : NULL;
    if (request != NULL) {
        lane->metadata_asked = true;
        lane->metadata_wanted = false;
        lane->metadata_rest_ns = lane->now.mono_ns + METADATA_REST_NS;
        ps_kafka_lane_broker_send(broker, request);
    }
    if (id && broker->init_version < 0) {
        ps_kafka_lane_die(lane, -165, "%s:%u gives no producer id: it is older than Kafka 0.11", broker->host,
                          broker->port);
        return;
    }
    request = id ? ps_kafka_lane_request_id(lane, broker->init_version) : NULL;
    if (request != NULL) {
        lane->id_state = PS_KAFKA_LANE_ID_ASKED;
        ps_kafka_lane_broker_send(broker, request);
    }
}

/* Brokers that left the cluster go, once nothing is under way to them. */
static void remove_gone(struct ps_kafka_lane *lane)
{
    for (struct ps_kafka_lane_broker **at = &lane->brokers; *at != NULL;) {
        struct ps_kafka_lane_broker *broker = *at;
        if (!broker->gone || broker->first != NULL || broker->ready != NULL ||
            broker->phase == PS_KAFKA_LANE_RESOLVING || ps_kafka_lane_leads(lane, broker)) {
            at = &broker->next;
            continue;
        }
        *at = broker->next;
        ps_kafka_lane_broker_free(broker);
    }
}

/* ---- records whose topic was not known ---- */

static void place(struct ps_kafka_lane *lane, struct ps_kafka_lane_topic *topic)
{
    struct ps_kafka_lane_set *set = topic->unplaced;
    const struct ps_kafka_record record = {.partition = PS_KAFKA_PARTITION_ANY};
    int32_t number = topic->unplaced_partition;
    if (number == PS_KAFKA_PARTITION_ANY && topic->unplaced_has_key && lane->spread == PS_KAFKA_SPREAD_BY_KEY)
        number = (int32_t)((topic->unplaced_key & INT32_MAX) % (uint32_t)topic->partition_count);
    else if (number == PS_KAFKA_PARTITION_ANY)
        number = ps_kafka_lane_topic_place(lane, topic, &record);
    topic->unplaced = NULL;
    if (number < 0 || number >= topic->partition_count) {
        ps_kafka_lane_report(lane, set, ERROR_UNKNOWN_PARTITION);
        return;
    }
    set->partition = &topic->partitions[number];
    *set->partition->end = set;
    set->partition->end = &set->next;
    ps_kafka_lane_partition_offer(lane, set->partition);
}

static void place_all(struct ps_kafka_lane *lane)
{
    for (size_t i = 0; i < PS_COUNT_OF(lane->buckets); i++) {
        for (struct ps_kafka_lane_topic *topic = lane->buckets[i]; topic != NULL; topic = topic->next) {
            if (topic->unplaced == NULL)
                continue;
            lane->unplaced_topics = true;
            if (topic->partition_count > 0) {
                place(lane, topic);
            } else if (topic->asked_ns != 0 && topic->error != 0 &&
                       lane->now.mono_ns >= topic->asked_ns + lane->settings.topic_patience_ns) {
                struct ps_kafka_lane_set *set = topic->unplaced;
                topic->unplaced = NULL;
                topic->asked_ns = lane->now.mono_ns;
                ps_kafka_lane_report(lane, set, topic->error == 3 ? ERROR_UNKNOWN_TOPIC : topic->error);
            }
        }
    }
}

/* Partitions whose rest is over. */
static void offer_rested(struct ps_kafka_lane *lane)
{
    if (lane->resting_ns > lane->now.mono_ns)
        return;
    lane->resting_ns = PS_NEVER;
    for (size_t i = 0; i < PS_COUNT_OF(lane->buckets); i++) {
        for (struct ps_kafka_lane_topic *topic = lane->buckets[i]; topic != NULL; topic = topic->next) {
            for (int32_t p = 0; p < topic->partition_count; p++) {
                struct ps_kafka_lane_partition *partition = &topic->partitions[p];
                ps_kafka_lane_partition_offer(lane, partition);
                if (partition->rest_ns > lane->now.mono_ns)
                    lane->resting_ns = ps_least(lane->resting_ns, partition->rest_ns);
            }
        }
    }
}

/* ---- records that wait too long (delivery.timeout.ms) ---- */

/* Returns whether the set waits too long. A set that was filled before the first turn has no time yet. */
static bool is_late(const struct ps_kafka_lane *lane, struct ps_kafka_lane_set *set)
{
    if (set->born_ns == 0)
        set->born_ns = lane->now.mono_ns;
    return lane->now.mono_ns >= set->born_ns + lane->settings.delivery_ns;
}

/* Reports a set that waits too long, and ends the producer: later sets would overtake it. The sender makes a new
 * producer and sends undelivered events again. A set in flight is checked only when its answer is late. */
static bool expire(struct ps_kafka_lane *lane, struct ps_kafka_lane_partition *partition)
{
    struct ps_kafka_lane_set *set = partition->returned != NULL ? partition->returned : partition->first;
    if (set == NULL || !is_late(lane, set))
        return false;
    if (set == partition->returned) {
        partition->returned = set->next;
    } else {
        (void)ps_kafka_lane_partition_pop(partition);
        if (partition->first == NULL && partition->ready)
            ps_kafka_lane_partition_withdraw(partition);
    }
    ps_kafka_lane_die(lane, ERROR_TIMED_OUT, "topic %s, partition %d: records waited longer than %s",
                      partition->topic->name, partition->number,
                      ps_quantity_print_ns(lane->settings.delivery_ns).text);
    ps_kafka_lane_report(lane, set, ERROR_TIMED_OUT);
    return true;
}

/* The same for a record whose topic is not known yet. */
static bool expire_unplaced(struct ps_kafka_lane *lane, struct ps_kafka_lane_topic *topic)
{
    struct ps_kafka_lane_set *set = topic->unplaced;
    if (set == NULL || !is_late(lane, set))
        return false;
    topic->unplaced = NULL;
    ps_kafka_lane_die(lane, ERROR_TIMED_OUT, "topic %s: a record waited longer than %s", topic->name,
                      ps_quantity_print_ns(lane->settings.delivery_ns).text);
    ps_kafka_lane_report(lane, set, ERROR_TIMED_OUT);
    return true;
}

static void expire_any(struct ps_kafka_lane *lane)
{
    if (lane->settings.delivery_ns == 0 || lane->now.mono_ns < lane->expiry_ns || lane->fatal)
        return;
    lane->expiry_ns =
        lane->now.mono_ns + ps_least(lane->settings.delivery_ns / EXPIRY_PARTS + 1, PS_NS_PER_S);
    for (size_t i = 0; i < PS_COUNT_OF(lane->buckets); i++) {
        for (struct ps_kafka_lane_topic *topic = lane->buckets[i]; topic != NULL; topic = topic->next) {
            if (expire_unplaced(lane, topic))
                return;
            for (int32_t p = 0; p < topic->partition_count; p++)
                if (expire(lane, &topic->partitions[p]))
                    return;
        }
    }
}

/* ---- the turn ---- */

static void report_purged(struct ps_kafka_lane *lane)
{
    while (lane->purged != NULL) {
        struct ps_kafka_lane_set *set = lane->purged;
        lane->purged = set->next;
        if (lane->purged == NULL)
            lane->purged_end = &lane->purged;
        ps_kafka_lane_report(lane, set, set->perhaps_written ? ERROR_PURGED_IN_FLIGHT : ERROR_PURGED_QUEUE);
    }
}

static void work_brokers(struct ps_kafka_lane *lane)
{
    struct epoll_event events[READY_MAX];
    int count = epoll_wait(lane->epoll_fd, events, READY_MAX, 0);
    for (struct ps_kafka_lane_broker *broker = lane->brokers; broker != NULL; broker = broker->next) {
        bool ready = false;
        for (int i = 0; i < count; i++)
            ready |= events[i].data.ptr == broker;
        ps_kafka_lane_broker_work(broker, ready);
    }
}

uint32_t ps_kafka_lane_turn(struct ps_kafka_lane *lane, const struct ps_kafka_listener *listener)
{
    struct ps_question answer;
    lane->listener = listener;
    lane->reported = 0;
    lane->now = listener->now;
    report_purged(lane);
    while (ps_resolver_answer(lane->resolver, &answer)) {
        for (struct ps_kafka_lane_broker *broker = lane->brokers; broker != NULL; broker = broker->next)
            ps_kafka_lane_broker_resolved(broker, &answer);
    }
    offer_rested(lane);
    expire_any(lane);
    ask(lane);
    ps_kafka_lane_transaction_turn(lane);
    if (lane->reader != NULL)
        lane->reader->turn(lane);
    work_brokers(lane);
    if (lane->unplaced_topics) {
        lane->unplaced_topics = false;
        place_all(lane);
        work_brokers(lane);
    }
    remove_gone(lane);
    ps_kafka_lane_tell_statistics(lane);
    if (lane->fatal)
        ps_kafka_lane_transaction_die(lane);
    if (lane->fatal && !lane->fatal_told) {
        lane->fatal_told = true;
        ps_kafka_lane_notice(lane, PS_KAFKA_NOTICE_FATAL, lane->fatal_code, lane->fatal_text);
    }
    lane->listener = NULL;
    return lane->reported;
}

/* Returns when a broker can be asked for metadata or the producer's id: PS_NEVER while one is being connected, which wakes
 * the worker. */
static uint64_t ask_due_ns(const struct ps_kafka_lane *lane)
{
    uint64_t due_ns = PS_NEVER, rested_ns = PS_NEVER;
    bool up = false, begun = false;
    for (const struct ps_kafka_lane_broker *broker = lane->brokers; broker != NULL; broker = broker->next) {
        up |= broker->phase == PS_KAFKA_LANE_UP && !broker->gone;
        begun |= broker->phase != PS_KAFKA_LANE_DOWN && !broker->gone;
        if (!broker->gone && broker->phase == PS_KAFKA_LANE_DOWN)
            rested_ns = ps_least(rested_ns, broker->rest_ns);
    }
    if ((lane->topic_count > 0 || lane->all_topics) && !lane->metadata_asked)
        due_ns = lane->metadata_wanted ? lane->metadata_rest_ns
                                       : lane->metadata_ns + lane->settings.metadata_age_ns;
    if (lane->id_state == PS_KAFKA_LANE_ID_NONE && !lane->fatal && !ps_kafka_lane_is_transactional(lane))
        due_ns = ps_least(due_ns, lane->id_rest_ns);
    if (up || due_ns == PS_NEVER)
        return due_ns;
    return begun ? PS_NEVER : due_ns > rested_ns ? due_ns : rested_ns;
}

uint64_t ps_kafka_lane_turn_due_ns(const struct ps_kafka_lane *lane)
{
    uint64_t due_ns =
        ps_least(ps_least(lane->resting_ns, ask_due_ns(lane)), ps_kafka_lane_transaction_due_ns(lane));
    for (const struct ps_kafka_lane_broker *broker = lane->brokers; broker != NULL; broker = broker->next)
        due_ns = ps_least(due_ns, ps_kafka_lane_broker_due_ns(broker));
    if (lane->settings.delivery_ns != 0 && lane->queued_records > 0 && !lane->fatal)
        due_ns = ps_least(due_ns, lane->expiry_ns);
    return ps_least(due_ns, ps_kafka_lane_statistics_due_ns(lane));
}

/* ---- purging ---- */

static void purge_set(struct ps_kafka_lane *lane, struct ps_kafka_lane_set *set)
{
    set->next = NULL;
    *lane->purged_end = set;
    lane->purged_end = &set->next;
}

static void purge_partition(struct ps_kafka_lane *lane, struct ps_kafka_lane_partition *partition)
{
    struct ps_kafka_lane_set *set;
    ps_kafka_lane_partition_lead(partition, NULL); /* out of its leader's list */
    while ((set = partition->returned) != NULL) {
        partition->returned = set->next;
        purge_set(lane, set);
    }
    while ((set = ps_kafka_lane_partition_pop(partition)) != NULL)
        purge_set(lane, set);
    partition->rewinds = partition->in_flight > 0;
    partition->alone = false;
    ps_kafka_lane_want_metadata(lane);
}

void ps_kafka_lane_purge(struct ps_kafka_lane *lane, bool in_flight)
{
    for (struct ps_kafka_lane_broker *broker = lane->brokers; broker != NULL && in_flight;
         broker = broker->next) {
        for (struct ps_kafka_lane_request *request = broker->first; request != NULL;
             request = request->next) {
            for (uint32_t i = 0; i < request->set_count; i++) {
                if (request->sets[i] == NULL)
                    continue;
                request->sets[i]->partition->in_flight--;
                request->sets[i]->perhaps_written |= ps_kafka_lane_is_written(request);
                purge_set(lane, request->sets[i]);
                request->sets[i] = NULL;
            }
        }
        if (broker->produce_in_flight > 0)
            ps_kafka_lane_broker_drop(broker);
    }
    for (size_t i = 0; i < PS_COUNT_OF(lane->buckets); i++) {
        for (struct ps_kafka_lane_topic *topic = lane->buckets[i]; topic != NULL; topic = topic->next) {
            if (topic->unplaced != NULL)
                purge_set(lane, topic->unplaced);
            topic->unplaced = NULL;
            for (int32_t p = 0; p < topic->partition_count; p++)
                purge_partition(lane, &topic->partitions[p]);
        }
    }
}
