/* Coordinators, and the offsets that the group commits. */
#include <stdio.h>
#include <string.h>

#include "tests/world/peers/kafka/cluster.h"

#define OF_TRANSACTIONS 1

int kafka_check_coordinator(const struct kafka_cluster *cluster, int coordinator, int broker)
{
    if (coordinator != broker)
        return KAFKA_NOT_COORDINATOR;
    return cluster->loaded_ns > world->now_ns ? KAFKA_COORDINATOR_LOADS : KAFKA_NONE;
}

enum kafka_served kafka_coordinator(struct kafka_cluster *cluster, struct kafka_request *request,
                                    struct kafka_out *answer)
{
    static const int errors[] = {KAFKA_COORDINATOR_NOT_AVAILABLE, KAFKA_COORDINATOR_LOADS, -1};
    char key[KAFKA_NAME_MAX], host[16] = "";
    kafka_get_text(&request->in, key, sizeof key);
    bool of_transactions = request->version >= 1 && kafka_get(&request->in, 1) == OF_TRANSACTIONS;
    int node = of_transactions ? cluster->transaction_coordinator : cluster->group_coordinator;
    int error = cluster->listeners[node] == NULL ? KAFKA_COORDINATOR_NOT_AVAILABLE
                                                 : kafka_fails(cluster, request, -1, -1, errors, 3);
    if (error == KAFKA_NONE)
        snprintf(host, sizeof host, "kafka%d", node + 1);
    if (request->version >= 1)
        kafka_put(answer, 0, 4);
    kafka_put(answer, error, 2);
    if (request->version >= 1)
        kafka_put_text(answer, NULL);
    kafka_put(answer, error == KAFKA_NONE ? node + 1 : -1, 4);
    kafka_put_text(answer, host);
    kafka_put(answer, error == KAFKA_NONE ? 9092 : -1, 4);
    return KAFKA_ANSWERED;
}

/* ---- commits ---- */

/* Notes an offset that is committed. The referee asks at once, whether all that is before it was delivered. */
void kafka_set_offset(struct kafka_cluster *cluster, int topic, int32_t number, struct kafka_offset offset)
{
    struct kafka_offset *known = &cluster->group.offsets[topic][number];
    struct kafka_partition *partition = &cluster->topics[topic].partitions[number];
    if (world->plant == PLANT_SKIPPED && offset.offset > known->offset && offset.offset < partition->end)
        offset.offset++;
    *known = offset;
    if (offset.offset > partition->end && !cluster->is_unclean)
        world->broken = "an offset was committed that the log does not have";
    else if (cluster->checks_delivery && !kafka_is_delivered(&cluster->topics[topic], number, offset.offset))
        world->broken = "an offset was committed before what is below it was delivered";
}

void kafka_offsets_end(struct kafka_cluster *cluster, int64_t producer, bool commits)
{
    struct kafka_group *group = &cluster->group;
    for (int topic = 0; topic < KAFKA_TOPICS; topic++)
        for (int32_t number = 0; number < cluster->topics[topic].count; number++) {
            if (group->pending[topic][number].producer != producer)
                continue;
            group->pending[topic][number].producer = 0;
            if (commits)
                kafka_set_offset(cluster, topic, number, group->pending[topic][number].offset);
        }
}

/* Only one member has a partition. */
static void check_owner(struct kafka_cluster *cluster, const char *member, int32_t number)
{
    for (int i = 0; i < KAFKA_MEMBERS_MAX; i++) {
        const struct kafka_member *other = &cluster->group.members[i];
        bool parts[KAFKA_PARTITIONS];
        kafka_read_assignment(&other->assignment, parts);
        if (other->id[0] != 0 && strcmp(other->id, member) != 0 && parts[number])
            world->broken = "a member committed an offset of a partition that another member has";
    }
}

/* Commits what follows in the request, or, with a producer, at the end of its transaction; writes the answer. */
static void commit_topics(struct kafka_cluster *cluster, struct kafka_request *request, const char *member,
                          bool has_epochs, int error, int64_t producer, struct kafka_out *answer)
{
    struct kafka_in *in = &request->in;
    int64_t topics = kafka_echo_count(in, answer);
    for (; topics > 0 && !in->bad; topics--) {
        char name[KAFKA_NAME_MAX], metadata[KAFKA_NAME_MAX];
        kafka_echo_text(in, answer, name, sizeof name);
        int topic = kafka_topic_named(cluster, name);
        int64_t count = kafka_echo_count(in, answer);
        for (; count > 0 && !in->bad; count--) {
            int32_t number = (int32_t)kafka_get(in, 4);
            struct kafka_offset offset = {.offset = kafka_get(in, 8), .epoch = -1};
            if (has_epochs)
                offset.epoch = (int32_t)kafka_get(in, 4);
            kafka_get_text(in, metadata, sizeof metadata);
            kafka_get_tags(in);
            int own = error != KAFKA_NONE                                  ? error
                      : kafka_partition_of(cluster, topic, number) == NULL ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION
                                                                           : KAFKA_NONE;
            if (own == KAFKA_NONE && strcmp(name, "in") == 0)
                check_owner(cluster, member, number);
            if (own == KAFKA_NONE && producer == 0) {
                kafka_set_offset(cluster, topic, number, offset);
            } else if (own == KAFKA_NONE) {
                cluster->group.pending[topic][number].producer = producer;
                cluster->group.pending[topic][number].offset = offset;
            }
            kafka_put(answer, number, 4);
            kafka_put(answer, own, 2);
            kafka_put_tags(answer);
        }
        kafka_get_tags(in);
        kafka_put_tags(answer);
    }
    kafka_put_tags(answer);
}

/* In a transaction a sink forgets what it holds when its source is no member any more: that is never said without a reason. */
static int fail_commit(struct kafka_cluster *cluster, const struct kafka_request *request,
                       bool in_transaction)
{
    static const int errors[] = {KAFKA_ILLEGAL_GENERATION,
                                 KAFKA_UNKNOWN_MEMBER,
                                 KAFKA_REBALANCE_IN_PROGRESS,
                                 KAFKA_REQUEST_TIMED_OUT,
                                 KAFKA_COORDINATOR_NOT_AVAILABLE,
                                 KAFKA_COORDINATOR_LOADS,
                                 KAFKA_NOT_COORDINATOR,
                                 KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
                                 -1, /* UNKNOWN_SERVER_ERROR */
                                 12, /* OFFSET_METADATA_TOO_LARGE */
                                 28, /* INVALID_COMMIT_OFFSET_SIZE */
                                 29, /* TOPIC_AUTHORIZATION_FAILED */
                                 30 /* GROUP_AUTHORIZATION_FAILED */};
    unsigned first = in_transaction ? 3 : 0;
    return kafka_fails(cluster, request, -1, -1, errors + first, sizeof errors / sizeof *errors - first);
}

enum kafka_served kafka_commit(struct kafka_cluster *cluster, struct kafka_request *request,
                               struct kafka_out *answer)
{
    struct kafka_in *in = &request->in;
    char group[KAFKA_NAME_MAX], member[KAFKA_NAME_MAX], instance[KAFKA_NAME_MAX] = "";
    kafka_get_text(in, group, sizeof group);
    int32_t generation = (int32_t)kafka_get(in, 4);
    kafka_get_text(in, member, sizeof member);
    if (request->version >= 7)
        kafka_get_text(in, instance, sizeof instance);
    if (request->version < 5)
        kafka_get(in, 8); /* retention */
    if (request->version >= 3)
        kafka_put(answer, 0, 4);
    int error = kafka_check_coordinator(cluster, cluster->group_coordinator, request->broker);
    if (error == KAFKA_NONE)
        error = fail_commit(cluster, request, false);
    if (error == KAFKA_NONE)
        error = kafka_check_member(&cluster->group, member, instance, generation, false);
    commit_topics(cluster, request, member, request->version >= 6, error, 0, answer);
    return KAFKA_ANSWERED;
}

enum kafka_served kafka_commit_in_transaction(struct kafka_cluster *cluster, struct kafka_request *request,
                                              struct kafka_out *answer)
{
    struct kafka_in *in = &request->in;
    char id[KAFKA_NAME_MAX], group[KAFKA_NAME_MAX], member[KAFKA_NAME_MAX], instance[KAFKA_NAME_MAX];
    kafka_get_text(in, id, sizeof id);
    kafka_get_text(in, group, sizeof group);
    int64_t producer = kafka_get(in, 8);
    int16_t epoch = (int16_t)kafka_get(in, 2);
    int32_t generation = (int32_t)kafka_get(in, 4);
    kafka_get_text(in, member, sizeof member);
    kafka_get_text(in, instance, sizeof instance);
    int error = kafka_check_coordinator(cluster, cluster->group_coordinator, request->broker);
    if (error == KAFKA_NONE)
        error = fail_commit(cluster, request, true);
    if (error == KAFKA_NONE)
        error = kafka_check_member(&cluster->group, member, instance, generation, true);
    if (error == KAFKA_NONE) {
        struct kafka_transaction *transaction = kafka_transaction_of(cluster, id, producer, epoch, &error);
        if (transaction != NULL && request->version >= 5)
            error = kafka_transaction_begin(transaction);
        else if (transaction != NULL && (transaction->state != KAFKA_ONGOING || !transaction->has_group))
            error = KAFKA_INVALID_TRANSACTION_STATE;
        if (transaction != NULL && error == KAFKA_NONE)
            transaction->has_group = true;
    }
    kafka_put(answer, 0, 4);
    commit_topics(cluster, request, member, true, error, producer, answer);
    return KAFKA_ANSWERED;
}

/* ---- OffsetFetch ---- */

static void put_offset(const struct kafka_cluster *cluster, int16_t version, int topic, int32_t number,
                       int error, struct kafka_out *answer)
{
    const struct kafka_offset *known = topic >= 0 && number >= 0 && number < cluster->topics[topic].count
                                           ? &cluster->group.offsets[topic][number]
                                           : NULL;
    kafka_put(answer, number, 4);
    kafka_put(answer, error == KAFKA_NONE && known != NULL ? known->offset : -1, 8);
    if (version >= 5)
        kafka_put(answer, error == KAFKA_NONE && known != NULL ? known->epoch : -1, 4);
    kafka_put_text(answer, "");
    kafka_put(answer, error, 2);
    kafka_put_tags(answer);
}

/* Reads the topics twice: whether only stable offsets are wanted comes behind them. */
static bool wants_stable(struct kafka_request *request)
{
    struct kafka_in in = request->in;
    if (request->version < 7)
        return false;
    for (int64_t topics = kafka_get_count(&in); topics > 0 && !in.bad; topics--) {
        char name[KAFKA_NAME_MAX];
        kafka_get_text(&in, name, sizeof name);
        for (int64_t count = kafka_get_count(&in); count > 0 && !in.bad; count--)
            kafka_get(&in, 4);
        kafka_get_tags(&in);
    }
    return kafka_get(&in, 1) == 1;
}

enum kafka_served kafka_offsets(struct kafka_cluster *cluster, struct kafka_request *request,
                                struct kafka_out *answer)
{
    struct kafka_in *in = &request->in;
    char name[KAFKA_NAME_MAX];
    kafka_get_text(in, name, sizeof name);
    bool is_stable = wants_stable(request);
    static const int errors[] = {KAFKA_COORDINATOR_LOADS, KAFKA_NOT_COORDINATOR, -1, 30};
    int error = kafka_check_coordinator(cluster, cluster->group_coordinator, request->broker);
    if (error == KAFKA_NONE)
        error = kafka_fails(cluster, request, -1, -1, errors, 4);
    if (request->version >= 3)
        kafka_put(answer, 0, 4);
    int64_t topics = kafka_get_count(in);
    bool is_left_out = error != KAFKA_NONE && request->version >= 2;
    kafka_put_count(answer, is_left_out ? 0 : topics);
    for (; topics > 0 && !in->bad && !is_left_out; topics--) {
        kafka_echo_text(in, answer, name, sizeof name);
        int topic = kafka_topic_named(cluster, name);
        int64_t count = kafka_echo_count(in, answer);
        for (; count > 0 && !in->bad; count--) {
            int32_t number = (int32_t)kafka_get(in, 4);
            bool is_pending = is_stable && kafka_partition_of(cluster, topic, number) != NULL &&
                              cluster->group.pending[topic][number].producer != 0;
            put_offset(cluster, request->version, topic, number, is_pending ? KAFKA_UNSTABLE_OFFSET : error,
                       answer);
        }
        kafka_get_tags(in);
        kafka_put_tags(answer);
    }
    if (request->version >= 2)
        kafka_put(answer, error, 2);
    kafka_put_tags(answer);
    return KAFKA_ANSWERED;
}
