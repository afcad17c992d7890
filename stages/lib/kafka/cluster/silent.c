/* Silent brokers. A broker that is frozen, or cut off from the network, keeps its connections. The cluster removes it within
 * seconds, and other brokers lead its partitions. So the native client asks another broker for metadata when a broker does not
 * answer. If the metadata lacks the silent broker, the client closes the connection to it, long before the requests
 * would time out. */
#include "stages/lib/kafka/cluster/native_internal.h"

#define SILENT_NS (2 * PS_NS_PER_S) /* time without an answer, after which the client asks another broker */

uint64_t ps_kafka_native_broker_asked_ns(const struct ps_kafka_native_broker *broker)
{
    const struct ps_kafka_native_request *request = broker->first;
    /* starved: the broker has answered, but there is no memory for the answer */
    if (request == NULL || broker->fetch.starved)
        return PS_NEVER;
    uint64_t since_ns = request->sent_ns != 0 ? request->sent_ns : broker->begun_ns;
    return broker->fetch.answer != NULL && broker->begun_ns > since_ns ? broker->begun_ns : since_ns;
}

/* Returns the time from which the broker is silent: SILENT_NS after its last answer, or after its oldest
 * request was written in full. PS_NEVER if the broker has no request to answer, or if the request waits for
 * other members of a group. A Fetch may wait for records, so its limit is longer by that wait. */
static uint64_t silent_ns(const struct ps_kafka_native_broker *broker)
{
    const struct ps_kafka_native_request *request = broker->first;
    uint64_t since_ns = ps_kafka_native_broker_asked_ns(broker);
    if (broker->phase < PS_KAFKA_NATIVE_ASKING || since_ns == PS_NEVER || request->sent_ns == 0 ||
        request->kind == PS_KAFKA_NATIVE_JOIN_GROUP || request->kind == PS_KAFKA_NATIVE_SYNC_GROUP)
        return PS_NEVER;
    if (broker->used_ns > since_ns)
        since_ns = broker->used_ns;
    uint64_t usual_ns = broker->client->settings.request_timeout_ns, own_ns = request->timeout_ns;
    return since_ns + SILENT_NS + (own_ns > usual_ns ? own_ns - usual_ns : 0);
}

bool ps_kafka_native_broker_is_silent(const struct ps_kafka_native_broker *broker)
{
    return broker->client->now.mono_ns >= silent_ns(broker);
}

/* Returns whether the last metadata does not have the broker. The connection to a group's coordinator has a node
 * number of its own. */
static bool has_left(const struct ps_kafka_native_broker *broker)
{
    const struct ps_kafka_native *client = broker->client;
    bool is_own = broker->node >= PS_KAFKA_NATIVE_COORDINATOR / 2;
    return broker->gone ||
           (is_own && client->metadata.answered_ns != 0 &&
            ps_kafka_native_find_node(client, PS_KAFKA_NATIVE_COORDINATOR - broker->node) == NULL);
}

uint64_t ps_kafka_native_broker_doubt_ns(const struct ps_kafka_native_broker *broker)
{
    uint64_t due_ns = silent_ns(broker);
    if (due_ns == PS_NEVER || has_left(broker))
        return due_ns;
    return due_ns > broker->doubted_ns + SILENT_NS ? due_ns : broker->doubted_ns + SILENT_NS;
}

/* Returns whether there is another broker that answers; with `up` false, one that the client may connect to
 * is enough. */
static bool has_other(const struct ps_kafka_native_broker *broker, bool up)
{
    const struct ps_kafka_native_broker *other = broker->client->brokers;
    while (other != NULL &&
           (other == broker || other->gone || other->node >= PS_KAFKA_NATIVE_COORDINATOR / 2 ||
            (up && (other->phase != PS_KAFKA_NATIVE_UP || ps_kafka_native_broker_is_silent(other)))))
        other = other->next;
    return other != NULL;
}

/* Makes the client skip this broker's answer to Metadata, so that the client can ask another broker now. */
static void ignore_metadata(struct ps_kafka_native_broker *broker)
{
    for (struct ps_kafka_native_request *request = broker->first; request != NULL; request = request->next) {
        if (request->kind != PS_KAFKA_NATIVE_METADATA || request->ignored)
            continue;
        request->ignored = true;
        broker->client->metadata.asked = false;
    }
}

bool ps_kafka_native_broker_is_dead(struct ps_kafka_native_broker *broker)
{
    if (broker->client->now.mono_ns < ps_kafka_native_broker_doubt_ns(broker))
        return false;
    if (has_left(broker))
        return true;
    broker->doubted_ns = broker->client->now.mono_ns;
    if (has_other(broker, true))
        ignore_metadata(broker);
    if (has_other(broker, false))
        ps_kafka_native_want_metadata(broker->client);
    return false;
}
