/* The encoding of a group member's requests (Kafka protocol guide). */
#include "stages/lib/kafka/group/assignment.h"
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include <stdlib.h>
#include <string.h>

/* of JoinGroup: the members' time to join differs from the session's */
#define VERSION_OF_REBALANCES 1
#define VERSION_OF_INSTANCES_JOIN 5
#define VERSION_OF_INSTANCES 3

static char *put_text(char *at, const char *text)
{
    return ps_wire_put_string(at, text, strlen(text));
}

static char *put_instance(const struct ps_kafka_fetch *fetch, char *at, bool flexible)
{
    const char *instance = fetch->member.instance;
    return ps_wire_put_text(at, instance[0] != '\0' ? instance : NULL, strlen(instance), flexible);
}

/* Writes the group, the generation and the member id; and the instance id, in versions that have it. */
static char *put_member(const struct ps_kafka_fetch *fetch, char *at, bool with_instance)
{
    at = put_text(at, fetch->group);
    at = ps_wire_put_int32(at, fetch->member.generation);
    at = put_text(at, fetch->member.id);
    return with_instance ? put_instance(fetch, at, false) : at;
}

static size_t member_bytes(const struct ps_kafka_fetch *fetch)
{
    return strlen(fetch->group) + strlen(fetch->member.id) + strlen(fetch->member.instance) + 16;
}

/* Returns the subscription of this member, with the partitions that it keeps. The caller calls ps_kafka_group_member_fini. */
static struct ps_kafka_group_member describe(const struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_group_member own = {.generation = fetch->member.generation};
    own.topics = ps_must_alloc(fetch->subscription.topic_count + 1, sizeof *own.topics, "a rebalance");
    own.claims = ps_must_alloc(fetch->streams.count + 1, sizeof *own.claims, "a rebalance");
    for (uint32_t i = 0; i < fetch->subscription.topic_count; i++)
        own.topics[own.topic_count++] =
            (struct ps_slice){fetch->subscription.topics[i], (uint32_t)strlen(fetch->subscription.topics[i])};
    for (uint32_t i = 0; i < fetch->streams.count; i++) {
        const struct ps_kafka_stream *stream = &fetch->streams.items[i];
        if (stream->state == PS_KAFKA_STREAM_OWNED)
            own.claims[own.claim_count++] =
                (struct ps_kafka_group_claim){{stream->topic, stream->topic_length}, stream->partition};
    }
    ps_kafka_group_claims_sort(own.claims, own.claim_count);
    return own;
}

/* For CooperativeStickyAssignor the number of the generation is as good as a mark: it differs after each join. */
static size_t write_subscription(const struct ps_kafka_fetch *fetch, char *at,
                                 enum ps_kafka_assignor assignor, const struct ps_kafka_group_member *own)
{
    return ps_kafka_subscription_write(at, own, assignor == PS_KAFKA_STICKY, fetch->member.mark);
}

static char *put_protocols(const struct ps_kafka_fetch *fetch, char *at,
                           const struct ps_kafka_group_member *own, bool flexible)
{
    const struct ps_kafka_fetch_settings *settings = &fetch->settings;
    uint32_t count = settings->assignor_count;
    at = ps_wire_put_count(at, count, flexible);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = ps_kafka_assignor_names[settings->assignors[i]];
        size_t length = write_subscription(fetch, NULL, settings->assignors[i], own);
        at = ps_wire_put_text(at, name, strlen(name), flexible);
        at = ps_wire_put_count(at, (uint32_t)length, flexible);
        (void)write_subscription(fetch, at, settings->assignors[i], own);
        at += length;
        at = ps_wire_put_tags(at, flexible);
    }
    return at;
}

static char *put_join(const struct ps_kafka_fetch *fetch, char *at, const struct ps_kafka_group_member *own,
                      int16_t version)
{
    const struct ps_kafka_fetch_settings *settings = &fetch->settings;
    const struct ps_kafka_fetch_member *member = &fetch->member;
    bool flexible = version >= ps_kafka_native_apis[PS_KAFKA_NATIVE_JOIN_GROUP].flexible;
    at = ps_wire_put_text(at, fetch->group, strlen(fetch->group), flexible);
    at = ps_wire_put_int32(at, settings->session_ms);
    if (version >= VERSION_OF_REBALANCES)
        at = ps_wire_put_int32(at, settings->rebalance_ms);
    at = ps_wire_put_text(at, member->id, strlen(member->id), flexible);
    if (version >= VERSION_OF_INSTANCES_JOIN)
        at = put_instance(fetch, at, flexible);
    at = ps_wire_put_text(at, "consumer", strlen("consumer"), flexible);
    at = put_protocols(fetch, at, own, flexible);
    return flexible ? ps_wire_put_uvarint(at, 0) : at; /* no reason (KIP-800) */
}

struct ps_kafka_native_request *ps_kafka_member_request_join(struct ps_kafka_fetch *fetch, int16_t version)
{
    const struct ps_kafka_fetch_settings *settings = &fetch->settings;
    struct ps_kafka_group_member own = describe(fetch);
    size_t room = member_bytes(fetch) + 64;
    for (uint32_t i = 0; i < settings->assignor_count; i++)
        room += 32 + write_subscription(fetch, NULL, settings->assignors[i], &own);
    struct ps_kafka_native_request *request;
    char *at =
        ps_kafka_native_request_begin(fetch->client, PS_KAFKA_NATIVE_JOIN_GROUP, version, room, &request);
    if (at != NULL)
        request = ps_kafka_native_request_end(request, put_join(fetch, at, &own, version));
    ps_kafka_group_member_fini(&own);
    return request;
}

static char *put_assignments(char *at, const struct ps_kafka_group *group, const uint32_t *owners)
{
    at = ps_wire_put_int32(at, (int32_t)group->member_count);
    for (uint32_t i = 0; i < group->member_count; i++) {
        size_t length = ps_kafka_assignment_write(NULL, group, owners, i);
        at = ps_wire_put_string(at, group->members[i].id.data, group->members[i].id.length);
        at = ps_wire_put_int32(at, (int32_t)length);
        (void)ps_kafka_assignment_write(at, group, owners, i);
        at += length;
    }
    return at;
}

struct ps_kafka_native_request *ps_kafka_member_request_sync(struct ps_kafka_fetch *fetch, int16_t version,
                                                             const struct ps_kafka_group *group,
                                                             const uint32_t *owners)
{
    size_t room = member_bytes(fetch) + 64;
    for (uint32_t i = 0; group != NULL && i < group->member_count; i++)
        room += 6 + group->members[i].id.length + ps_kafka_assignment_write(NULL, group, owners, i);
    struct ps_kafka_native_request *request;
    char *at =
        ps_kafka_native_request_begin(fetch->client, PS_KAFKA_NATIVE_SYNC_GROUP, version, room, &request);
    if (at == NULL)
        return NULL;
    at = put_member(fetch, at, version >= VERSION_OF_INSTANCES);
    at = group != NULL ? put_assignments(at, group, owners) : ps_wire_put_int32(at, 0);
    return ps_kafka_native_request_end(request, at);
}

struct ps_kafka_native_request *ps_kafka_member_request_heartbeat(struct ps_kafka_fetch *fetch,
                                                                  int16_t version)
{
    struct ps_kafka_native_request *request;
    char *at = ps_kafka_native_request_begin(fetch->client, PS_KAFKA_NATIVE_HEARTBEAT, version,
                                             member_bytes(fetch), &request);
    if (at == NULL)
        return NULL;
    return ps_kafka_native_request_end(request, put_member(fetch, at, version >= VERSION_OF_INSTANCES));
}

struct ps_kafka_native_request *ps_kafka_member_request_leave(struct ps_kafka_fetch *fetch, int16_t version,
                                                              const char *id, size_t id_length)
{
    struct ps_kafka_native_request *request;
    char *at = ps_kafka_native_request_begin(fetch->client, PS_KAFKA_NATIVE_LEAVE_GROUP, version,
                                             strlen(fetch->group) + id_length + 4, &request);
    if (at == NULL)
        return NULL;
    at = put_text(at, fetch->group);
    return ps_kafka_native_request_end(request, ps_wire_put_string(at, id, id_length));
}
