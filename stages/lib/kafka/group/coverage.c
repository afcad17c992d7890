/* Checks whether the group's assignment covers the topics of a static member that has come back (KIP-345).
 *
 * If the member comes back within its session, the group does not rebalance: it keeps the assignment as it was, although the
 * member may be subscribed to more topics now, and partitions may have been added while no leader watched. Nobody
 * would read these partitions. So the member asks the coordinator once for the assignment of all members. If a partition of
 * its topics is in none of them, it makes the group rebalance. A group with a complete assignment is left alone. */
#include "stages/lib/kafka/group/assignment.h"
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include <string.h>

void ps_kafka_coverage_turn(struct ps_kafka_fetch *fetch, struct ps_kafka_native_broker *broker)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    int16_t version = ps_kafka_native_version(broker, PS_KAFKA_NATIVE_DESCRIBE_GROUPS);
    if (member->coverage != PS_KAFKA_COVERAGE_DOUBTED)
        return;
    if (fetch->client->metadata.answered_ns == member->known_ns) {
        ps_kafka_native_want_metadata(fetch->client);
        return;
    }
    struct ps_kafka_native_request *request;
    size_t length = strlen(fetch->group);
    char *at = version < 0 ? NULL
                           : ps_kafka_native_request_begin(fetch->client, PS_KAFKA_NATIVE_DESCRIBE_GROUPS,
                                                           version, 8 + length, &request);
    if (version < 0)
        member->coverage = PS_KAFKA_COVERAGE_GOOD; /* the coordinator does not describe groups */
    if (at == NULL)
        return;
    at = ps_wire_put_string(ps_wire_put_int32(at, 1), fetch->group, length);
    member->coverage = PS_KAFKA_COVERAGE_ASKED;
    ps_kafka_native_broker_send(broker, ps_kafka_native_request_end(request, at));
}

void ps_kafka_coverage_lost(struct ps_kafka_fetch *fetch)
{
    if (fetch->member.coverage == PS_KAFKA_COVERAGE_ASKED)
        fetch->member.coverage = PS_KAFKA_COVERAGE_DOUBTED;
}

/* The partitions of this member's topics that members have, without those that the topics no longer have. In a stable group
 * no partition has two. */
struct assigned {
    const struct ps_kafka_fetch *fetch;
    uint32_t count;
    bool is_partial; /* the assignment of a member, which may be another kind of client, cannot be read */
};

static void add(void *argument, struct ps_slice topic, int32_t partition)
{
    struct assigned *assigned = argument;
    const struct ps_kafka_native_topic *known =
        ps_kafka_fetch_has_topic(assigned->fetch, topic)
            ? ps_kafka_native_topic_find(assigned->fetch->client, topic.data, topic.length)
            : NULL;
    assigned->count += known != NULL && partition < known->partition_count;
}

static bool read_members(struct ps_wire_in *in, struct assigned *assigned)
{
    uint32_t length, count = ps_wire_get_count(in, 14);
    for (uint32_t i = 0; i < count && !in->failed; i++) {
        for (unsigned text = 0; text < 3; text++) /* the ids of member and client, the client's host */
            (void)ps_wire_get_string(in, &length);
        length = ps_wire_get_count(in, 1);
        (void)ps_wire_take(in, length); /* its subscription */
        length = ps_wire_get_count(in, 1);
        const char *bytes = ps_wire_take(in, length);
        if (!in->failed)
            assigned->is_partial |= !ps_kafka_assignment_read(bytes, length, add, assigned);
    }
    return !in->failed;
}

/* Makes the group rebalance if a partition of the member's topics is not assigned. */
static void compare(struct ps_kafka_fetch *fetch, const struct assigned *assigned)
{
    const struct ps_kafka_fetch_subscription *own = &fetch->subscription;
    uint32_t count = 0;
    for (uint32_t i = 0; i < own->topic_count; i++) {
        const struct ps_kafka_native_topic *topic =
            ps_kafka_native_topic_find(fetch->client, own->topics[i], (uint32_t)strlen(own->topics[i]));
        count += topic != NULL ? (uint32_t)topic->partition_count : 0;
    }
    if (assigned->count >= count)
        return;
    ps_log(PS_LOG_INFO, fetch->port->component,
           "the group has kept its assignment, in which no member has %u of the %u partition(s) of this "
           "member's topics: this member makes it assign anew",
           count - assigned->count, count);
    ps_kafka_member_rebalance(fetch);
}

/* Handles an answer that was read. If the coordinator is another one, that one is asked. Without the right to describe
 * the group the member does nothing; while the group rebalances, a new assignment comes anyway. */
static void judge(struct ps_kafka_fetch *fetch, const struct assigned *assigned, int16_t error,
                  bool is_stable)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    bool passes = error == PS_KAFKA_ERROR_NOT_COORDINATOR ||
                  error == PS_KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE ||
                  error == PS_KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS;
    member->coverage = passes ? PS_KAFKA_COVERAGE_DOUBTED : PS_KAFKA_COVERAGE_GOOD;
    if (passes)
        ps_kafka_member_failed(fetch, error, "DescribeGroups");
    else if (error != 0)
        ps_log(PS_LOG_DEBUG, fetch->port->component, "DescribeGroups: %s",
               rd_kafka_err2str((rd_kafka_resp_err_t)error));
    else if (assigned->is_partial)
        ps_log(PS_LOG_INFO, fetch->port->component,
               "the group has kept its assignment; it cannot be checked whether all partitions are read, "
               "because the assignment of another member is in a form that this client does not know");
    else if (is_stable)
        compare(fetch, assigned);
}

bool ps_kafka_coverage_answer(struct ps_kafka_fetch *fetch, struct ps_wire_in *in)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    static const char stable[] = "Stable";
    struct assigned assigned = {.fetch = fetch};
    uint32_t length, state_length;
    uint32_t groups = ps_wire_get_count(in, 14);
    int16_t error = ps_wire_get_int16(in);
    (void)ps_wire_get_string(in, &length); /* the group */
    const char *state = ps_wire_get_string(in, &state_length);
    (void)ps_wire_get_string(in, &length); /* the type of the protocol */
    (void)ps_wire_get_string(in, &length); /* the protocol */
    bool read = read_members(in, &assigned) && groups == 1;
    bool asked = member->coverage == PS_KAFKA_COVERAGE_ASKED && member->phase == PS_KAFKA_MEMBER_STABLE;
    bool is_stable =
        state != NULL && state_length == sizeof stable - 1 && memcmp(state, stable, state_length) == 0;
    if (asked && read)
        judge(fetch, &assigned, error, is_stable);
    return read;
}
