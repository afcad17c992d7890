/* The replicas that are read instead of leaders (KIP-392). If client.rack is set, a leader may name a replica of that rack,
 * and returns no records. The replica is asked from then on, for metadata.max.age.ms at most. After an error, or if it
 * cannot be reached, the leader is asked again: a replica may lack records that the leader has, so that its error says nothing
 * about the log. (Java's Fetcher.selectReadReplica does the same.) */
#include "stages/lib/kafka/fetch/fetch_internal.h"

/* Pause before the leader is asked again, which may name the same replica. */
#define REST_NS (100 * PS_NS_PER_MS)

void ps_kafka_replicas_follow(const struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part,
                              int32_t node)
{
    if (node < 0 || node == part->replica)
        return;
    part->replica = node;
    part->replica_until_ns = fetch->mono_ns + fetch->client->settings.metadata_age_ns;
}

bool ps_kafka_replicas_leave(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part)
{
    if (part->replica < 0)
        return false;
    part->replica = -1;
    part->rest_ns = fetch->mono_ns + REST_NS;
    ps_kafka_native_want_metadata(fetch->client);
    return true;
}

static bool is_reachable(const struct ps_kafka_fetch *fetch, int32_t node)
{
    const struct ps_kafka_native_broker *broker = ps_kafka_native_find_node(fetch->client, node);
    return broker != NULL && (broker->phase != PS_KAFKA_NATIVE_DOWN || fetch->mono_ns >= broker->rest_ns);
}

void ps_kafka_replicas_turn(struct ps_kafka_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        struct ps_kafka_fetch_part *part = &fetch->parts[i];
        if (part->state != PS_KAFKA_PART_READY || part->replica < 0 || part->asked_by >= 0)
            continue; /* an answer that is under way is the replica's */
        if (!is_reachable(fetch, part->replica))
            (void)ps_kafka_replicas_leave(fetch, part);
        else if (fetch->mono_ns >= part->replica_until_ns)
            part->replica = -1;
    }
}
