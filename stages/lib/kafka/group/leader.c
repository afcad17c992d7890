/* The leader of a group assigns the partitions to the members. The coordinator chooses a member as the leader; members may be other
 * clients than this one. The leader needs the partitions of all topics to which any member is subscribed, and watches them. */
#include "stages/lib/kafka/group/assignment.h"
#include "stages/lib/kafka/fetch/fetch_internal.h"
#include "stages/lib/kafka/wire/slice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* after this time a topic without metadata counts as one without partitions */
#define METADATA_PATIENCE_NS (5 * PS_NS_PER_S)

void ps_kafka_leader_end(struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    for (uint32_t i = 0; i < member->member_count; i++)
        ps_kafka_group_member_fini(&member->members[i]);
    free(member->members);
    free(member->described);
    member->members = NULL;
    member->described = NULL;
    member->member_count = 0;
}

void ps_kafka_leader_follow_none(struct ps_kafka_fetch_member *member)
{
    free(member->followed);
    member->followed = NULL;
    member->followed_count = 0;
    member->followed_sum = 0;
}

static int compare_names(const void *one, const void *other)
{
    return ps_slice_compare(*(const struct ps_slice *)one, *(const struct ps_slice *)other);
}

/* Watches these topics. Sorts them, because members have most of them in common. */
static void follow(struct ps_kafka_fetch *fetch, struct ps_slice *topics, size_t count)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    ps_kafka_leader_follow_none(member);
    member->followed = ps_must_alloc(count + 1, sizeof *member->followed, "a rebalance");
    if (count > 0)
        qsort(topics, count, sizeof *topics, compare_names);
    for (size_t i = 0; i < count; i++) {
        bool known = i > 0 && ps_slice_same(topics[i], topics[i - 1]);
        const struct ps_kafka_native_topic *topic =
            known ? NULL : ps_kafka_native_topic_get(fetch->client, topics[i].data, topics[i].length);
        if (topic != NULL) /* else no broker has a topic of that name */
            member->followed[member->followed_count++] = topic;
    }
}

static void follow_members(struct ps_kafka_fetch *fetch)
{
    const struct ps_kafka_fetch_member *member = &fetch->member;
    size_t count = 0;
    for (uint32_t i = 0; i < member->member_count; i++)
        count += member->members[i].topic_count;
    struct ps_slice *topics = ps_must_alloc(count + 1, sizeof *topics, "a rebalance");
    count = 0;
    for (uint32_t i = 0; i < member->member_count; i++)
        for (uint32_t t = 0; t < member->members[i].topic_count; t++)
            topics[count++] = member->members[i].topics[t];
    follow(fetch, topics, count);
    free(topics);
}

/* Reads the members. Sets *strange to the first one whose subscription cannot be read. Returns false if the list
 * cannot be read. */
static bool read_members(struct ps_kafka_fetch *fetch, struct ps_wire_in *in, int16_t version,
                         const struct ps_kafka_group_member **strange)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    uint32_t count = ps_wire_get_count(in, 4);
    member->members = ps_must_alloc((size_t)count + 1, sizeof *member->members, "a rebalance");
    for (uint32_t i = 0; i < count && !in->failed; i++) {
        struct ps_kafka_group_member *one = &member->members[i];
        one->id.data = ps_wire_get_string(in, &one->id.length);
        if (version >= 5)
            one->instance.data = ps_wire_get_string(in, &one->instance.length);
        uint32_t length = ps_wire_get_count(in, 1);
        const char *bytes = ps_wire_take(in, length);
        ps_wire_end_fields(in);
        member->member_count++;
        if (in->failed || one->id.data == NULL)
            return false;
        if (!ps_kafka_subscription_read(bytes, length, one) && *strange == NULL)
            *strange = one;
    }
    return !in->failed;
}

bool ps_kafka_leader_begin(struct ps_kafka_fetch *fetch, struct ps_wire_in *in, int16_t version)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    const struct ps_kafka_group_member *strange = NULL;
    size_t length = (size_t)(in->end - in->at);
    ps_kafka_leader_end(fetch);
    member->described = ps_must_alloc(1, length + 1, "a rebalance");
    memcpy(member->described, in->at, length);
    struct ps_wire_in copy = {
        .at = member->described, .end = member->described + length, .flexible = in->flexible};
    bool is_whole = read_members(fetch, &copy, version, &strange);
    if (is_whole && strange != NULL) {
        char what[160];
        snprintf(what, sizeof what, "the subscription of member %.*s",
                 strange->id.length < 100 ? (int)strange->id.length : 100, strange->id.data);
        ps_kafka_member_misread(fetch, what);
    }
    if (!is_whole || strange != NULL) {
        ps_kafka_leader_end(fetch);
        member->phase = PS_KAFKA_MEMBER_OUT;
        return is_whole;
    }
    ps_kafka_group_sort(member->members, member->member_count);
    follow_members(fetch);
    return true;
}

void ps_kafka_leader_watch_own(struct ps_kafka_fetch *fetch)
{
    uint32_t count = fetch->subscription.topic_count;
    struct ps_slice *topics = ps_must_alloc((size_t)count + 1, sizeof *topics, "a rebalance");
    for (uint32_t i = 0; i < count; i++)
        topics[i] =
            (struct ps_slice){fetch->subscription.topics[i], (uint32_t)strlen(fetch->subscription.topics[i])};
    follow(fetch, topics, count);
    free(topics);
}

/* Returns whether metadata is known that came after the join began. With older metadata, nobody would read partitions
 * added since then. */
static bool is_known(const struct ps_kafka_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->member.followed_count; i++) {
        if (fetch->member.followed[i]->partition_count == 0 && fetch->member.followed[i]->error == 0)
            return false;
    }
    return fetch->client->metadata.answered_ns != fetch->member.known_ns;
}

/* Returns a hash of the numbers of partitions of all followed topics. */
static uint64_t sum_partitions(const struct ps_kafka_fetch *fetch)
{
    uint64_t sum = 1;
    for (uint32_t i = 0; i < fetch->member.followed_count; i++)
        sum = sum * UINT64_C(1000003) + (uint64_t)fetch->member.followed[i]->partition_count;
    return sum;
}

static ps_kafka_group_assignor *const assign[PS_KAFKA_ASSIGNOR_COUNT] = {
    [PS_KAFKA_RANGE] = ps_kafka_group_range,
    [PS_KAFKA_ROUND_ROBIN] = ps_kafka_group_round_robin,
    [PS_KAFKA_STICKY] = ps_kafka_group_sticky,
};

struct ps_kafka_native_request *ps_kafka_leader_request(struct ps_kafka_fetch *fetch, int16_t version)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    if (!is_known(fetch) && fetch->mono_ns < member->leading_ns + METADATA_PATIENCE_NS) {
        ps_kafka_native_want_metadata(fetch->client);
        return NULL;
    }
    struct ps_kafka_group_topic *topics =
        ps_must_alloc((size_t)member->followed_count + 1, sizeof *topics, "a rebalance");
    struct ps_kafka_group group = {
        .members = member->members, .topics = topics, .member_count = member->member_count};
    for (uint32_t i = 0; i < member->followed_count; i++) {
        const struct ps_kafka_native_topic *topic = member->followed[i];
        if (topic->partition_count > 0)
            topics[group.topic_count++] = (struct ps_kafka_group_topic){
                .name = {topic->name, topic->length}, .partition_count = topic->partition_count};
    }
    ps_kafka_group_topics_sort(topics, group.topic_count);
    uint32_t *owners = assign[member->assignor](&group);
    struct ps_kafka_native_request *request = ps_kafka_member_request_sync(fetch, version, &group, owners);
    member->followed_sum = sum_partitions(fetch);
    free(owners);
    free(topics);
    if (request != NULL)
        ps_kafka_leader_end(fetch);
    return request;
}

bool ps_kafka_leader_sees_change(struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    if (member->phase != PS_KAFKA_MEMBER_STABLE || member->followed_count == 0)
        return false;
    uint64_t sum = sum_partitions(fetch);
    if (member->followed_sum == 0 &&
        is_known(fetch)) /* the group has kept its assignment: this is the first look */
        member->followed_sum = sum;
    return member->followed_sum != 0 && member->followed_sum != sum;
}
