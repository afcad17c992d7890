/* Transactions (KIP-98, KIP-360, KIP-447, KIP-890), as a producer sees them.
 *
 * One transaction is open at a time, from the first record on. A partition joins it before its first batch is
 * sent. A commit has steps: for each member of a group that read the records, the group joins, and the
 * group's coordinator gets the positions; then the transaction's coordinator ends the transaction. An open
 * transaction is aborted by a request for a producer id (InitProducerId), which also fences the requests that are
 * under way: the next client with the same transactional id sends it, or this one (ps_kafka_native_abort). EndTxn
 * fences nothing, so it would be wrong while a request is not answered.
 *
 * With the second protocol (KIP-890) there are no requests to join: a partition joins with its first batch, and
 * a group with its positions. */
#include "stages/lib/kafka/errors.h"
#include "stages/lib/kafka/cluster/native.h"
#include "stages/lib/kafka/transaction/position.h"
#include "stages/lib/kafka/wire/slice.h"

#include <stdio.h>
#include <string.h>

/* A coordinator whose metadata lags behind for longer is fenced. The transaction must not time out before. */
#define ALONE_NS (30 * PS_NS_PER_S)
#define ALONE_PART_OF_TIMEOUT 2

void ps_kafka_native_transaction_init(struct ps_kafka_native *client, const char *id)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    snprintf(transaction->id, sizeof transaction->id, "%s", id);
    transaction->number = 1;
    transaction->own = (struct ps_kafka_native_coordinator){
        .key = {transaction->id, (uint32_t)strlen(transaction->id)}, .type = 1, .node = -1};
    transaction->group = (struct ps_kafka_native_coordinator){.node = -1};
}

/* ---- asking ---- */

static void ask_for_id(struct ps_kafka_native *client)
{
    if (client->id_state != PS_KAFKA_NATIVE_ID_NONE || client->now.mono_ns < client->id_rest_ns)
        return;
    struct ps_kafka_native_broker *broker =
        ps_kafka_native_coordinator_broker(client, &client->transaction.own);
    struct ps_kafka_native_request *request =
        broker != NULL
            ? ps_kafka_native_request_id(client, broker->versions[PS_KAFKA_NATIVE_INIT_PRODUCER_ID].plain)
            : NULL;
    if (request == NULL)
        return;
    client->id_state = PS_KAFKA_NATIVE_ID_ASKED;
    ps_kafka_native_broker_send(broker, request);
}

static void ask_to_join(struct ps_kafka_native *client)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    if (!transaction->joins_wanted || transaction->joins_asked)
        return;
    struct ps_kafka_native_broker *broker = ps_kafka_native_coordinator_broker(client, &transaction->own);
    if (broker == NULL)
        return;
    bool any = false;
    struct ps_kafka_native_request *request = ps_kafka_native_request_join(client, &any);
    if (request == NULL) { /* no partition waits to join, or there is no memory now */
        transaction->joins_wanted = any;
        if (any)
            transaction->rest_ns = client->now.mono_ns + client->settings.retry_rest_ns;
        return;
    }
    transaction->joins_wanted = false;
    transaction->joins_asked = true;
    ps_kafka_native_broker_send(broker, request);
}

/* Sets the coordinator to that of the group whose positions are next. */
static void aim_at_group(struct ps_kafka_native_transaction *transaction)
{
    struct ps_slice group = transaction->positions[transaction->from].name->group;
    struct ps_kafka_native_coordinator *coordinator = &transaction->group;
    if (ps_slice_same(coordinator->key, group) || coordinator->asked)
        return;
    uint32_t length = (uint32_t)ps_least(group.length, sizeof transaction->group_text);
    memcpy(transaction->group_text, group.data, length);
    *coordinator =
        (struct ps_kafka_native_coordinator){.key = {transaction->group_text, length}, .type = 0, .node = -1};
}

static struct ps_kafka_native_coordinator *step_coordinator(struct ps_kafka_native_transaction *transaction)
{
    bool of_group = transaction->step == PS_KAFKA_NATIVE_STEP_OFFSETS ||
                    transaction->step == PS_KAFKA_NATIVE_STEP_RESOLVE;
    return of_group ? &transaction->group : &transaction->own;
}

static struct ps_kafka_native_request *step_request(struct ps_kafka_native *client)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    bool of_member = transaction->step != PS_KAFKA_NATIVE_STEP_RESOLVE;
    if (transaction->step != PS_KAFKA_NATIVE_STEP_END)
        transaction->end = ps_kafka_native_positions_end(transaction->positions, transaction->count,
                                                         transaction->from, of_member);
    switch (transaction->step) {
    case PS_KAFKA_NATIVE_STEP_GROUP:
        return ps_kafka_native_request_group(client);
    case PS_KAFKA_NATIVE_STEP_OFFSETS:
        return ps_kafka_native_request_offsets(client);
    case PS_KAFKA_NATIVE_STEP_END:
        return ps_kafka_native_request_end_transaction(client);
    case PS_KAFKA_NATIVE_STEP_RESOLVE:
        return ps_kafka_native_request_committed(client);
    case PS_KAFKA_NATIVE_FILLING:
        break;
    }
    return NULL;
}

/* Returns whether the group of the positions is in this cluster: a transaction cannot have offsets of a group
 * in another cluster. If not, the client dies. */
static bool is_here(struct ps_kafka_native *client)
{
    struct ps_slice cluster = client->transaction.positions[client->transaction.from].name->cluster;
    const struct ps_slice here = {client->cluster, (uint32_t)strlen(client->cluster)};
    if (here.length == 0) {
        ps_kafka_native_want_metadata(client);
        return false; /* the cluster is not known yet */
    }
    if (cluster.length == 0 || ps_slice_same(cluster, here))
        return true;
    ps_kafka_native_die(client, PS_KAFKA_LIBRARY_FATAL,
                        "the source reads from cluster %.*s, and the sink writes to cluster %s: one "
                        "transaction cannot span both; set penstock.guarantee = at-least-once",
                        (int)cluster.length, cluster.data, client->cluster);
    return false;
}

static void ask_step(struct ps_kafka_native *client)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    if (transaction->step == PS_KAFKA_NATIVE_FILLING || transaction->step_asked)
        return;
    if (transaction->step == PS_KAFKA_NATIVE_STEP_END && !transaction->any_joined) {
        /* the transaction has no record and no position */
        ps_kafka_native_transaction_finish(client, PS_KAFKA_END_COMMITTED);
        return;
    }
    if (transaction->step != PS_KAFKA_NATIVE_STEP_END) {
        if (!is_here(client))
            return;
        aim_at_group(transaction);
    }
    struct ps_kafka_native_broker *broker =
        ps_kafka_native_coordinator_broker(client, step_coordinator(transaction));
    if (broker == NULL ||
        (transaction->step != PS_KAFKA_NATIVE_STEP_RESOLVE && !ps_kafka_native_broker_fits(broker)))
        return;
    struct ps_kafka_native_request *request = step_request(client);
    if (request == NULL)
        return;
    transaction->step_asked = true;
    ps_kafka_native_broker_send(broker, request);
}

/* Returns whether the broker is the group's coordinator, and not the only node: its own word proves nothing for ALONE_NS,
 * because it may lag behind the others. Then it counts: the other brokers may be out of reach for ever. */
static bool is_doubted(const struct ps_kafka_native *client, const struct ps_kafka_native_broker *broker)
{
    uint64_t timeout_ns = (uint64_t)client->settings.transaction_timeout_ms * PS_NS_PER_MS;
    uint64_t alone_ns =
        client->transaction.missing_ns + ps_least(ALONE_NS, timeout_ns / ALONE_PART_OF_TIMEOUT);
    unsigned nodes = 0;
    for (const struct ps_kafka_native_broker *one = client->brokers; one != NULL; one = one->next)
        nodes += !one->gone && one->node >= 0;
    return nodes > 1 && broker->node == client->transaction.group.node && client->now.mono_ns < alone_ns;
}

/* Topics that the group's coordinator lacks, although the transaction has positions in them, either were deleted, and the
 * transaction must go on without their positions, or the coordinator lags behind the cluster's metadata, and without their
 * positions the records would come twice. So all brokers are asked for metadata of the topics: position_error() decides
 * by the answers. */
static void ask_for_missing(struct ps_kafka_native *client)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    uint64_t now_ns = client->now.mono_ns;
    if (transaction->step != PS_KAFKA_NATIVE_STEP_OFFSETS || transaction->missing_ns == 0)
        return;
    uint64_t limit_ns = ps_kafka_native_missing_limit_ns(client);
    bool due =
        now_ns >= transaction->missing_ns + limit_ns / 2 &&
        (transaction->asked_ns == 0 ||
         (transaction->lacks && now_ns >= transaction->asked_ns + limit_ns / PS_KAFKA_NATIVE_ANSWER_PART));
    uint32_t questions = 0;
    struct ps_kafka_native_topic *topic = NULL;
    while (due && (topic = ps_kafka_native_topic_next(client, topic)) != NULL)
        if (topic->of_positions)
            ps_kafka_native_topic_shrink(topic, 0); /* the answers make it anew */
    for (struct ps_kafka_native_broker *broker = client->brokers; broker != NULL; broker = broker->next) {
        if (broker->gone || broker->node < 0)
            continue;
        if (broker->phase == PS_KAFKA_NATIVE_DOWN && now_ns >= broker->rest_ns)
            ps_kafka_native_broker_connect(broker);
        if (!due || broker->phase != PS_KAFKA_NATIVE_UP || ps_kafka_native_login_is_due(broker) ||
            ps_kafka_native_broker_is_silent(broker) || is_doubted(client, broker))
            continue;
        struct ps_kafka_native_request *request = ps_kafka_native_request_metadata(
            client, ps_kafka_native_version(broker, PS_KAFKA_NATIVE_METADATA));
        if (request == NULL)
            continue;
        questions++;
        request->question_ns = now_ns;
        ps_kafka_native_broker_send(broker, request);
    }
    if (due)
        ps_kafka_native_want_metadata(client); /* the nodes that cannot be reached may be gone */
    if (questions == 0)
        return;
    transaction->asked_ns = now_ns;
    transaction->questions = questions;
    transaction->answers = 0;
    transaction->lacks = false;
}

void ps_kafka_native_transaction_turn(struct ps_kafka_native *client)
{
    if (!ps_kafka_native_is_transactional(client) || client->fatal)
        return;
    ask_for_id(client);
    if (client->id_state != PS_KAFKA_NATIVE_ID_KNOWN || client->now.mono_ns < client->transaction.rest_ns)
        return;
    ask_to_join(client);
    ask_for_missing(client);
    ask_step(client);
}

uint64_t ps_kafka_native_transaction_due_ns(const struct ps_kafka_native *client)
{
    const struct ps_kafka_native_transaction *transaction = &client->transaction;
    uint64_t due_ns = PS_NEVER, from_ns = transaction->rest_ns;
    if (!ps_kafka_native_is_transactional(client) || client->fatal)
        return PS_NEVER;
    if (client->id_state == PS_KAFKA_NATIVE_ID_NONE) {
        due_ns = ps_kafka_native_coordinator_due_ns(client, &transaction->own);
        from_ns = client->id_rest_ns;
    } else if (client->id_state == PS_KAFKA_NATIVE_ID_KNOWN) {
        if (transaction->joins_wanted && !transaction->joins_asked)
            due_ns = ps_kafka_native_coordinator_due_ns(client, &transaction->own);
        if (transaction->step != PS_KAFKA_NATIVE_FILLING && !transaction->step_asked)
            due_ns = ps_least(
                due_ns,
                ps_kafka_native_coordinator_due_ns(
                    client, step_coordinator((struct ps_kafka_native_transaction *)(uintptr_t)transaction)));
    }
    return due_ns > from_ns ? due_ns : from_ns;
}

/* ---- the engine's functions ---- */

static void begin(struct ps_kafka_native *client, enum ps_kafka_native_step step,
                  struct ps_kafka_position *positions, uint32_t count)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    transaction->step = step;
    transaction->step_asked = transaction->end_lost = false;
    transaction->behind = transaction->proven = false;
    transaction->asked_ns = 0; /* a topic that was deleted may have been created again */
    transaction->positions = positions;
    transaction->count = count;
    transaction->from = transaction->end = 0;
}

bool ps_kafka_native_begun(struct ps_kafka_producer *producer)
{
    const struct ps_kafka_native *client = ps_kafka_native_of(producer);
    return client->id_state == PS_KAFKA_NATIVE_ID_KNOWN && !client->fatal;
}

bool ps_kafka_native_had_id(struct ps_kafka_producer *producer)
{
    return ps_kafka_native_of(producer)->id.id >= 0;
}

void ps_kafka_native_commit(struct ps_kafka_producer *producer, struct ps_kafka_position *positions,
                            uint32_t count)
{
    struct ps_kafka_native *client = ps_kafka_native_of(producer);
    begin(client, count > 0 ? ps_kafka_native_member_step(&client->transaction) : PS_KAFKA_NATIVE_STEP_END,
          positions, count);
}

void ps_kafka_native_resolve(struct ps_kafka_producer *producer, struct ps_kafka_position *positions,
                             uint32_t count)
{
    begin(ps_kafka_native_of(producer), PS_KAFKA_NATIVE_STEP_RESOLVE, positions, count);
}

bool ps_kafka_native_abort(struct ps_kafka_producer *producer)
{
    struct ps_kafka_native *client = ps_kafka_native_of(producer);
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    bool has_id = client->id_state == PS_KAFKA_NATIVE_ID_KNOWN;
    if (transaction->aborts || (has_id && !transaction->any_joined && !transaction->joins_asked))
        return has_id;
    transaction->aborts = true;
    transaction->step = PS_KAFKA_NATIVE_FILLING;
    transaction->step_asked = transaction->joins_wanted = false;
    if (has_id)
        client->id_state = PS_KAFKA_NATIVE_ID_NONE;
    client->id_rest_ns = 0;
    return false;
}
