/* Coordinators: the brokers that keep a transactional id or a consumer group. When a coordinator's broker
 * stops, another broker becomes the coordinator. So the native client asks the cluster again if the broker
 * cannot be reached, or answers that it is not the coordinator. */
#include "stages/lib/kafka/transaction/position.h"

#include "stages/lib/kafka/errors.h"
#include "stages/lib/least.h"

static void find(struct ps_kafka_native *client, struct ps_kafka_native_coordinator *coordinator)
{
    if (coordinator->asked || client->now.mono_ns < coordinator->rest_ns)
        return;
    struct ps_kafka_native_broker *broker = ps_kafka_native_any_broker(client);
    if (broker == NULL || ps_kafka_native_login_is_due(broker))
        return;
    if (!broker->has_transactions && client->reader == NULL) {
        ps_kafka_native_die(
            client, PS_KAFKA_LIBRARY_UNSUPPORTED_FEATURE,
            "%s:%u is older than Kafka 2.5: its transactions do not know the members of a group",
            broker->host, broker->port);
        return;
    }
    struct ps_kafka_native_request *request = ps_kafka_native_request_coordinator(broker, coordinator);
    if (request == NULL)
        return;
    coordinator->asked = true;
    ps_kafka_native_broker_send(broker, request);
}

/* Returns whether the broker's connection has failed since the cluster named it as the coordinator. */
static bool has_failed(const struct ps_kafka_native_coordinator *coordinator,
                       const struct ps_kafka_native_broker *broker)
{
    return broker->phase == PS_KAFKA_NATIVE_DOWN && broker->failures > 0 &&
           broker->failures != coordinator->failures;
}

struct ps_kafka_native_broker *
ps_kafka_native_coordinator_broker(struct ps_kafka_native *client,
                                   struct ps_kafka_native_coordinator *coordinator)
{
    struct ps_kafka_native_broker *broker =
        coordinator->node >= 0 ? ps_kafka_native_find_node(client, coordinator->node) : NULL;
    if (broker != NULL && has_failed(coordinator, broker)) {
        ps_kafka_native_coordinator_forget(client, coordinator); /* it may be another broker now */
        broker = NULL;
    }
    if (broker == NULL) {
        ps_kafka_native_missing_forget(client);
        coordinator->node = -1;
        find(client, coordinator);
        return NULL;
    }
    if (broker->phase == PS_KAFKA_NATIVE_DOWN && client->now.mono_ns >= broker->rest_ns)
        ps_kafka_native_broker_connect(broker);
    return broker->phase == PS_KAFKA_NATIVE_UP && !ps_kafka_native_login_is_due(broker) ? broker : NULL;
}

uint64_t ps_kafka_native_coordinator_due_ns(const struct ps_kafka_native *client,
                                            const struct ps_kafka_native_coordinator *coordinator)
{
    const struct ps_kafka_native_broker *broker =
        coordinator->node >= 0 ? ps_kafka_native_find_node(client, coordinator->node) : NULL;
    if (broker != NULL && broker->phase != PS_KAFKA_NATIVE_DOWN)
        return broker->phase == PS_KAFKA_NATIVE_UP && !ps_kafka_native_login_is_due(broker) ? 0 : PS_NEVER;
    if (broker != NULL && !has_failed(coordinator, broker))
        return broker->rest_ns;
    if (coordinator->asked)
        return PS_NEVER;
    uint64_t reached_ns = ps_kafka_native_any_due_ns(client);
    return coordinator->rest_ns > reached_ns ? coordinator->rest_ns : reached_ns;
}
