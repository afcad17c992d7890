/* Topics that a group's coordinator lacks, although the transaction has positions in them.
 *
 * Either they were deleted, and the transaction must go on without their positions, or the coordinator lags behind the
 * cluster's metadata, and without their positions the records would come twice. So all brokers are asked for the topics:
 * only if one has answered, and none has the partition, the position is left out. The question creates no topic. A
 * broker that does not answer counts only as long as ANSWER_NS. The group's coordinator itself counts when it has lacked
 * the topics for ALONE_NS: the other brokers may be out of reach for ever. */
#include "stages/lib/kafka/transaction/lacking.h"

#include "stages/lib/kafka/wire/slice.h"
#include "stages/lib/least.h"

#define ANSWER_NS (5 * PS_NS_PER_S)
/* A coordinator whose metadata lags behind for longer is fenced (see MISSING_NS in transaction_answers.c). The
 * transaction must not time out before. */
#define ALONE_NS (30 * PS_NS_PER_S)
#define ALONE_PART_OF_TIMEOUT 2
#define TOPIC_BYTES (PS_KAFKA_NATIVE_TOPIC_BYTES + 2U)

/* Returns whether the topic of this position is to be asked for, and is not that of the position before. */
static bool begins_topic(const struct ps_kafka_native_transaction *transaction, uint32_t i, uint32_t last)
{
    const struct ps_kafka_position *positions = transaction->positions;
    return positions[i].lacked &&
           (last == UINT32_MAX || !ps_slice_same(positions[i].name->name, positions[last].name->name));
}

static struct ps_kafka_native_request *make_request(struct ps_kafka_native *client)
{
    const struct ps_kafka_native_transaction *transaction = &client->transaction;
    struct ps_kafka_native_request *request;
    uint32_t count = 0, last = UINT32_MAX;
    for (uint32_t i = transaction->from; i < transaction->end; i++) {
        if (!begins_topic(transaction, i, last))
            continue;
        last = i;
        count++;
    }
    char *at = ps_kafka_native_request_begin(client, PS_KAFKA_NATIVE_FIND_TOPICS,
                                             ps_kafka_native_apis[PS_KAFKA_NATIVE_FIND_TOPICS].most,
                                             8 + (size_t)count * TOPIC_BYTES, &request);
    if (at == NULL)
        return NULL;
    at = ps_wire_put_int32(at, (int32_t)count);
    last = UINT32_MAX;
    for (uint32_t i = transaction->from; i < transaction->end; i++) {
        if (!begins_topic(transaction, i, last))
            continue;
        last = i;
        at = ps_wire_put_string(at, transaction->positions[i].name->name.data,
                                transaction->positions[i].name->name.length);
    }
    request->node = transaction->lacking.number;
    return ps_kafka_native_request_end(request, ps_wire_put_int8(at, 0)); /* creates no topic */
}

/* Connects to the brokers that may have to be asked. */
static void reach(struct ps_kafka_native *client)
{
    for (struct ps_kafka_native_broker *broker = client->brokers; broker != NULL; broker = broker->next) {
        if (!broker->gone && broker->node >= 0 && broker->phase == PS_KAFKA_NATIVE_DOWN &&
            client->now.mono_ns >= broker->rest_ns)
            ps_kafka_native_broker_connect(broker);
    }
}

/* Returns whether the broker is the group's coordinator, and not the only node: its own word proves nothing for ALONE_NS,
 * because it may lag behind the others. */
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

static void ask(struct ps_kafka_native *client)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    transaction->lacking.wanted = false;
    transaction->lacking.number++;
    transaction->lacking.answers = 0;
    transaction->lacking.until_ns = client->now.mono_ns + ANSWER_NS;
    transaction->lacking.rest_ns = client->now.mono_ns + PS_KAFKA_NATIVE_LACKING_REST_NS;
    for (uint32_t i = transaction->from; i < transaction->end; i++)
        transaction->positions[i].seen = false;
    for (struct ps_kafka_native_broker *broker = client->brokers; broker != NULL; broker = broker->next) {
        if (broker->gone || broker->node < 0 || broker->phase != PS_KAFKA_NATIVE_UP ||
            ps_kafka_native_login_is_due(broker) || ps_kafka_native_broker_is_silent(broker) ||
            is_doubted(client, broker))
            continue;
        struct ps_kafka_native_request *request = make_request(client);
        if (request == NULL)
            continue;
        transaction->lacking.open++;
        ps_kafka_native_broker_send(broker, request);
    }
    if (transaction->lacking.open == 0)
        ps_kafka_native_want_metadata(client); /* the nodes that cannot be reached may be gone */
}

void ps_kafka_native_lacking_turn(struct ps_kafka_native *client)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    if (!ps_kafka_native_lacking_is_open(client))
        return;
    reach(client);
    if (transaction->lacking.open > 0 && client->now.mono_ns >= transaction->lacking.until_ns)
        ps_kafka_native_lacking_conclude(client);
    if (transaction->lacking.wanted && transaction->lacking.open == 0 &&
        client->now.mono_ns >= transaction->lacking.rest_ns && ps_kafka_native_lacks_long(client))
        ask(client);
}
