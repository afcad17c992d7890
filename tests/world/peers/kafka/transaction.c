/* The coordinator of transactions: the first protocol (KIP-98, KIP-360) and the second one (KIP-890). */
#include <stdio.h>
#include <string.h>

#include "tests/world/peers/kafka/cluster.h"

#define MS UINT64_C(1000000)
#define PRODUCER_AT 43 /* in a batch: the producer's id and epoch */

static struct kafka_transaction *find(struct kafka_cluster *cluster, const char *id)
{
    struct kafka_transaction *one = cluster->transactions;
    while (one < cluster->transactions + KAFKA_TRANSACTIONS_MAX && one->id[0] != 0 &&
           strcmp(one->id, id) != 0)
        one++;
    if (one == cluster->transactions + KAFKA_TRANSACTIONS_MAX)
        world_fatal("more than %d transactional ids", KAFKA_TRANSACTIONS_MAX);
    return one;
}

struct kafka_transaction *kafka_transaction_of(struct kafka_cluster *cluster, const char *id,
                                               int64_t producer, int16_t epoch, int *error)
{
    struct kafka_transaction *one = find(cluster, id);
    *error = KAFKA_NONE;
    if (one->id[0] == 0 || one->producer != producer)
        *error = KAFKA_INVALID_PRODUCER_MAPPING;
    else if (one->epoch != epoch)
        *error = KAFKA_INVALID_PRODUCER_EPOCH;
    return *error == KAFKA_NONE ? one : NULL;
}

/* ---- a transaction's life ---- */

int kafka_transaction_begin(struct kafka_transaction *transaction)
{
    if (transaction->state == KAFKA_ENDING)
        return KAFKA_CONCURRENT_TRANSACTIONS;
    if (transaction->state != KAFKA_ONGOING) {
        transaction->state = KAFKA_ONGOING;
        transaction->times_out_ns = world->now_ns + transaction->timeout_ns;
    }
    return KAFKA_NONE;
}

/* The decision is written; the markers follow. `bumps`: the producer's epoch is higher from now on. */
static void end(struct kafka_cluster *cluster, struct kafka_transaction *transaction, bool commits,
                bool bumps)
{
    transaction->state = KAFKA_ENDING;
    transaction->commits = commits;
    transaction->epoch = (int16_t)(transaction->epoch + bumps);
    transaction->ends_ns = world->now_ns + world_below(world_below(8) == 0 ? 800 * MS : 5 * MS);
    cluster->changed = true;
}

static void write_markers(struct kafka_cluster *cluster, struct kafka_transaction *transaction)
{
    bool counts = transaction->commits || world->plant == PLANT_ABORTED;
    for (int topic = 0; topic < KAFKA_TOPICS; topic++)
        for (int32_t number = 0; number < cluster->topics[topic].count; number++) {
            if (transaction->joined[topic][number])
                kafka_end(&cluster->topics[topic], number, transaction->producer, transaction->epoch, counts);
            transaction->joined[topic][number] = false;
        }
    if (transaction->has_group)
        kafka_offsets_end(cluster, transaction->producer, transaction->commits);
    transaction->has_group = false;
    transaction->state = KAFKA_ENDED;
    cluster->changed = true;
}

uint64_t kafka_transactions_turn(struct kafka_cluster *cluster)
{
    uint64_t due_ns = WORLD_NEVER;
    for (struct kafka_transaction *one = cluster->transactions;
         one < cluster->transactions + KAFKA_TRANSACTIONS_MAX && one->id[0] != 0; one++) {
        if (one->state == KAFKA_ONGOING && one->times_out_ns <= world->now_ns)
            end(cluster, one, false, true);
        if (one->state == KAFKA_ENDING && one->ends_ns <= world->now_ns)
            write_markers(cluster, one);
        uint64_t own_ns = one->state == KAFKA_ONGOING  ? one->times_out_ns
                          : one->state == KAFKA_ENDING ? one->ends_ns
                                                       : WORLD_NEVER;
        due_ns = own_ns < due_ns ? own_ns : due_ns;
    }
    return due_ns;
}

/* ---- requests ---- */

/* Returns the error of a new producer: a transaction that is open is aborted first. */
static int begin_producer(struct kafka_cluster *cluster, const char *id, uint64_t timeout_ns,
                          int64_t *producer, int16_t *epoch)
{
    struct kafka_transaction *one = find(cluster, id);
    if (one->id[0] == 0) {
        *one = (struct kafka_transaction){.producer = ++cluster->next_producer, .epoch = -1};
        snprintf(one->id, sizeof one->id, "%s", id);
    }
    if (one->state == KAFKA_ONGOING)
        end(cluster, one, false, true);
    if (one->state == KAFKA_ENDING)
        return KAFKA_CONCURRENT_TRANSACTIONS;
    one->state = KAFKA_NO_TRANSACTION;
    one->timeout_ns = timeout_ns;
    *producer = one->producer;
    *epoch = ++one->epoch;
    return KAFKA_NONE;
}

enum kafka_served kafka_producer_id(struct kafka_cluster *cluster, struct kafka_request *request,
                                    struct kafka_out *answer)
{
    static const int errors[] = {KAFKA_COORDINATOR_LOADS,
                                 KAFKA_NOT_COORDINATOR,
                                 KAFKA_COORDINATOR_NOT_AVAILABLE,
                                 KAFKA_CONCURRENT_TRANSACTIONS,
                                 -1,
                                 31,
                                 53};
    char id[KAFKA_NAME_MAX];
    int64_t producer = -1;
    int16_t epoch = -1;
    bool is_transactional = kafka_get_text(&request->in, id, sizeof id) >= 0;
    uint64_t timeout_ns = (uint64_t)kafka_get(&request->in, 4) * MS;
    int error = KAFKA_NONE;
    if (is_transactional)
        error = kafka_check_coordinator(cluster, cluster->transaction_coordinator, request->broker);
    if (error == KAFKA_NONE)
        error = kafka_fails(cluster, request, -1, -1, errors, sizeof errors / sizeof *errors);
    if (error == KAFKA_NONE && is_transactional) {
        error = begin_producer(cluster, id, timeout_ns, &producer, &epoch);
    } else if (error == KAFKA_NONE) {
        producer = ++cluster->next_producer;
        epoch = 0;
    }
    kafka_put(answer, 0, 4);
    kafka_put(answer, error, 2);
    kafka_put(answer, producer, 8);
    kafka_put(answer, epoch, 2);
    kafka_put_tags(answer);
    return KAFKA_ANSWERED;
}

/* Reads the id and the producer of a request. */
static struct kafka_transaction *read_transaction(struct kafka_cluster *cluster,
                                                  struct kafka_request *request, int16_t *epoch, int *error)
{
    static const int errors[] = {KAFKA_COORDINATOR_LOADS,
                                 KAFKA_NOT_COORDINATOR,
                                 KAFKA_COORDINATOR_NOT_AVAILABLE,
                                 KAFKA_CONCURRENT_TRANSACTIONS,
                                 KAFKA_INVALID_PRODUCER_EPOCH,
                                 KAFKA_INVALID_PRODUCER_MAPPING,
                                 KAFKA_INVALID_TRANSACTION_STATE,
                                 -1, /* UNKNOWN_SERVER_ERROR */
                                 53, /* TRANSACTIONAL_ID_AUTHORIZATION_FAILED */
                                 90, /* PRODUCER_FENCED */
                                 120 /* TRANSACTION_ABORTABLE */};
    char id[KAFKA_NAME_MAX];
    kafka_get_text(&request->in, id, sizeof id);
    int64_t producer = kafka_get(&request->in, 8);
    *epoch = (int16_t)kafka_get(&request->in, 2);
    *error = kafka_check_coordinator(cluster, cluster->transaction_coordinator, request->broker);
    if (*error == KAFKA_NONE)
        *error = kafka_fails(cluster, request, -1, -1, errors, sizeof errors / sizeof *errors);
    if (*error != KAFKA_NONE)
        return NULL;
    struct kafka_transaction *one = find(cluster, id);
    if (one->id[0] == 0 || one->producer != producer)
        *error = KAFKA_INVALID_PRODUCER_MAPPING;
    return *error == KAFKA_NONE ? one : NULL;
}

enum kafka_served kafka_add_partitions(struct kafka_cluster *cluster, struct kafka_request *request,
                                       struct kafka_out *answer)
{
    struct kafka_in *in = &request->in;
    int error;
    int16_t epoch;
    struct kafka_transaction *one = read_transaction(cluster, request, &epoch, &error);
    if (one != NULL && one->epoch != epoch)
        error = KAFKA_INVALID_PRODUCER_EPOCH;
    if (one != NULL && error == KAFKA_NONE)
        error = kafka_transaction_begin(one);
    kafka_put(answer, 0, 4);
    int64_t topics = kafka_echo_count(in, answer);
    for (; topics > 0 && !in->bad; topics--) {
        char name[KAFKA_NAME_MAX];
        kafka_echo_text(in, answer, name, sizeof name);
        int topic = kafka_topic_named(cluster, name);
        int64_t count = kafka_echo_count(in, answer);
        for (; count > 0 && !in->bad; count--) {
            int32_t number = (int32_t)kafka_get(in, 4);
            bool is_there = kafka_partition_of(cluster, topic, number) != NULL;
            if (one != NULL && error == KAFKA_NONE && is_there)
                one->joined[topic][number] = true;
            kafka_put(answer, number, 4);
            kafka_put(answer, error == KAFKA_NONE && !is_there ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION : error, 2);
        }
    }
    return KAFKA_ANSWERED;
}

enum kafka_served kafka_add_offsets(struct kafka_cluster *cluster, struct kafka_request *request,
                                    struct kafka_out *answer)
{
    int error;
    int16_t epoch;
    char group[KAFKA_NAME_MAX];
    struct kafka_transaction *one = read_transaction(cluster, request, &epoch, &error);
    kafka_get_text(&request->in, group, sizeof group);
    if (one != NULL && one->epoch != epoch)
        error = KAFKA_INVALID_PRODUCER_EPOCH;
    if (one != NULL && error == KAFKA_NONE)
        error = kafka_transaction_begin(one);
    if (one != NULL && error == KAFKA_NONE)
        one->has_group = true;
    kafka_put(answer, 0, 4);
    kafka_put(answer, error, 2);
    return KAFKA_ANSWERED;
}

/* Returns the error of an end that comes after the transaction has ended: none if it is the same one again. */
static int end_again(const struct kafka_transaction *one, bool commits)
{
    if (one->state == KAFKA_NO_TRANSACTION || one->commits != commits)
        return KAFKA_INVALID_TRANSACTION_STATE;
    return one->state == KAFKA_ENDING ? KAFKA_CONCURRENT_TRANSACTIONS : KAFKA_NONE;
}

enum kafka_served kafka_end_transaction(struct kafka_cluster *cluster, struct kafka_request *request,
                                        struct kafka_out *answer)
{
    int error;
    int16_t epoch;
    bool bumps = request->version >= 5;
    struct kafka_transaction *one = read_transaction(cluster, request, &epoch, &error);
    bool commits = kafka_get(&request->in, 1) == 1;
    if (one != NULL && bumps && one->epoch == epoch + 1 && one->state >= KAFKA_ENDING &&
        one->commits == commits)
        error = end_again(one, commits);
    else if (one != NULL && one->epoch != epoch)
        error = KAFKA_INVALID_PRODUCER_EPOCH;
    else if (one != NULL && one->state == KAFKA_ONGOING)
        end(cluster, one, commits, bumps);
    else if (one != NULL)
        error = bumps ? KAFKA_INVALID_TRANSACTION_STATE : end_again(one, commits);
    kafka_put(answer, 0, 4);
    kafka_put(answer, error, 2);
    if (bumps) {
        kafka_put(answer, error == KAFKA_NONE && one != NULL ? one->producer : -1, 8);
        kafka_put(answer, error == KAFKA_NONE && one != NULL ? one->epoch : -1, 2);
    }
    kafka_put_tags(answer);
    return KAFKA_ANSWERED;
}

int kafka_check_transaction(struct kafka_cluster *cluster, const char *id, const unsigned char *batch,
                            int64_t length, int topic, int32_t number, bool joins)
{
    struct kafka_in in = {.at = batch, .end = batch + length};
    int error;
    kafka_get_bytes(&in, PRODUCER_AT);
    int64_t producer = kafka_get(&in, 8);
    int16_t epoch = (int16_t)kafka_get(&in, 2);
    struct kafka_transaction *one = kafka_transaction_of(cluster, id, producer, epoch, &error);
    if (one == NULL)
        return error;
    if (joins)
        error = kafka_transaction_begin(one);
    if (error == KAFKA_NONE && (one->state != KAFKA_ONGOING || (!joins && !one->joined[topic][number])))
        error = KAFKA_INVALID_TRANSACTION_STATE;
    if (error == KAFKA_NONE)
        one->joined[topic][number] = true;
    return error;
}
