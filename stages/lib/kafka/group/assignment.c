#include "stages/lib/kafka/group/assignment.h"
#include "stages/lib/kafka/wire/slice.h"

#include <stdlib.h>

#define VERSION_OF_CLAIMS 1
#define VERSION_OF_GENERATIONS 2

/* ---- subscriptions ---- */

void ps_kafka_group_member_fini(struct ps_kafka_group_member *member)
{
    free(member->topics);
    free(member->claims);
    member->topics = NULL;
    member->claims = NULL;
    member->topic_count = member->claim_count = 0;
}

static void read_topics(struct ps_wire_in *in, struct ps_kafka_group_member *member)
{
    uint32_t found = ps_wire_get_count(in, sizeof(int16_t));
    member->topics = ps_must_alloc((size_t)found + 1, sizeof *member->topics, "a rebalance");
    for (uint32_t i = 0; i < found && !in->failed; i++) {
        struct ps_slice *topic = &member->topics[member->topic_count];
        topic->data = ps_wire_get_string(in, &topic->length);
        member->topic_count += topic->data != NULL && topic->length > 0;
    }
}

static void read_claims(struct ps_wire_in *in, struct ps_kafka_group_member *member)
{
    uint32_t topics = ps_wire_get_count(in, 6), room = 0;
    for (uint32_t t = 0; t < topics && !in->failed; t++) {
        struct ps_slice topic;
        topic.data = ps_wire_get_string(in, &topic.length);
        uint32_t count = ps_wire_get_count(in, sizeof(int32_t));
        if (member->claim_count + count > room) {
            room = 2 * (member->claim_count + count);
            member->claims = ps_must_realloc(member->claims, room * sizeof *member->claims, "a rebalance");
        }
        for (uint32_t i = 0; i < count && !in->failed; i++)
            member->claims[member->claim_count++] =
                (struct ps_kafka_group_claim){topic, ps_wire_get_int32(in)};
    }
}

/* Reads the generation from the assignor's own data in a subscription. In Java's CooperativeStickyAssignor
 * this is only the generation; librdkafka writes partitions before the generation. */
static int32_t generation_of(const char *data, uint32_t length)
{
    if (data == NULL || length < sizeof(int32_t))
        return -1;
    struct ps_wire_in in = {.at = data + length - sizeof(int32_t), .end = data + length};
    return ps_wire_get_int32(&in);
}

bool ps_kafka_subscription_read(const char *bytes, size_t length, struct ps_kafka_group_member *member)
{
    struct ps_wire_in in = {.at = bytes, .end = bytes + length};
    int16_t version = ps_wire_get_int16(&in);
    member->generation = -1;
    if (in.failed || version < 0)
        return false;
    read_topics(&in, member);
    if (in.failed)
        return false;
    /* length of the assignor's own data; 0 also if it is absent */
    uint32_t data_length = ps_wire_get_count(&in, 1);
    member->generation = generation_of(ps_wire_take(&in, data_length), data_length);
    if (version >= VERSION_OF_CLAIMS)
        read_claims(&in, member);
    if (version >= VERSION_OF_GENERATIONS)
        member->generation = ps_wire_get_int32(&in);
    return version < VERSION_OF_CLAIMS || !in.failed;
}

/* Returns the end of the claims of one topic that begin at `from`. */
static uint32_t topic_end(const struct ps_kafka_group_member *member, uint32_t from)
{
    uint32_t end = from + 1;
    while (end < member->claim_count &&
           ps_slice_compare(member->claims[end].topic, member->claims[from].topic) == 0)
        end++;
    return end;
}

static char *put_claims(char *at, const struct ps_kafka_group_member *member)
{
    char *count_at = at;
    int32_t count = 0;
    at += sizeof count;
    for (uint32_t from = 0, end; from < member->claim_count; from = end, count++) {
        end = topic_end(member, from);
        at = ps_wire_put_string(at, member->claims[from].topic.data, member->claims[from].topic.length);
        at = ps_wire_put_int32(at, (int32_t)(end - from));
        for (uint32_t i = from; i < end; i++)
            at = ps_wire_put_int32(at, member->claims[i].partition);
    }
    (void)ps_wire_put_int32(count_at, count);
    return at;
}

static size_t claims_length(const struct ps_kafka_group_member *member)
{
    size_t length = sizeof(int32_t);
    for (uint32_t from = 0, end; from < member->claim_count; from = end) {
        end = topic_end(member, from);
        length += sizeof(int16_t) + member->claims[from].topic.length + sizeof(int32_t) +
                  (end - from) * sizeof(int32_t);
    }
    return length;
}

/* With claims, the generation is also the assignor's own data: leaders of Kafka 2.4 to 3.1 read it there. */
size_t ps_kafka_subscription_write(char *at, const struct ps_kafka_group_member *member, bool claims,
                                   int32_t mark)
{
    int32_t data = claims ? member->generation : mark;
    bool has_data = claims || mark != 0;
    size_t length = sizeof(int16_t) + 2 * sizeof(int32_t) + (has_data ? sizeof data : 0) +
                    (claims ? claims_length(member) + sizeof member->generation : 0);
    for (uint32_t i = 0; i < member->topic_count; i++)
        length += sizeof(int16_t) + member->topics[i].length;
    if (at == NULL)
        return length;
    at = ps_wire_put_int16(at, claims ? VERSION_OF_GENERATIONS : 0);
    at = ps_wire_put_int32(at, (int32_t)member->topic_count);
    for (uint32_t i = 0; i < member->topic_count; i++)
        at = ps_wire_put_string(at, member->topics[i].data, member->topics[i].length);
    at = ps_wire_put_int32(at, has_data ? (int32_t)sizeof data : -1);
    if (has_data)
        at = ps_wire_put_int32(at, data);
    if (claims)
        (void)ps_wire_put_int32(put_claims(at, member), member->generation);
    return length;
}

static int compare_claims(const void *one_, const void *other_)
{
    const struct ps_kafka_group_claim *one = one_, *other = other_;
    int order = ps_slice_compare(one->topic, other->topic);
    return order != 0 ? order : (one->partition > other->partition) - (one->partition < other->partition);
}

void ps_kafka_group_claims_sort(struct ps_kafka_group_claim *claims, uint32_t count)
{
    if (count > 0)
        qsort(claims, count, sizeof *claims, compare_claims);
}

/* ---- order ---- */

/* AbstractPartitionAssignor.MemberInfo.compareTo. */
static int compare_members(const void *one_, const void *other_)
{
    const struct ps_kafka_group_member *one = one_, *other = other_;
    bool first = one->instance.length > 0, second = other->instance.length > 0;
    if (first && second)
        return ps_slice_compare(one->instance, other->instance);
    if (first != second)
        return first ? -1 : 1;
    return ps_slice_compare(one->id, other->id);
}

void ps_kafka_group_sort(struct ps_kafka_group_member *members, uint32_t count)
{
    if (count > 0)
        qsort(members, count, sizeof *members, compare_members);
}

static int compare_topics(const void *one, const void *other)
{
    return ps_slice_compare(((const struct ps_kafka_group_topic *)one)->name,
                            ((const struct ps_kafka_group_topic *)other)->name);
}

void ps_kafka_group_topics_sort(struct ps_kafka_group_topic *topics, uint32_t count)
{
    uint32_t first = 0;
    if (count > 0)
        qsort(topics, count, sizeof *topics, compare_topics);
    for (uint32_t i = 0; i < count; i++) {
        topics[i].first = first;
        first += (uint32_t)topics[i].partition_count;
    }
}

/* ---- assignors ---- */

const struct ps_kafka_group_topic *ps_kafka_group_topic_find(const struct ps_kafka_group *group,
                                                             struct ps_slice name)
{
    const struct ps_kafka_group_topic wanted = {.name = name};
    return group->topic_count > 0
               ? bsearch(&wanted, group->topics, group->topic_count, sizeof wanted, compare_topics)
               : NULL;
}

uint32_t ps_kafka_group_partition_count(const struct ps_kafka_group *group)
{
    if (group->topic_count == 0)
        return 0;
    const struct ps_kafka_group_topic *last = &group->topics[group->topic_count - 1];
    return last->first + (uint32_t)last->partition_count;
}

bool *ps_kafka_group_subscriptions(const struct ps_kafka_group *group)
{
    bool *subscribed = ps_must_alloc((size_t)group->member_count * group->topic_count + 1, sizeof *subscribed,
                                     "a rebalance");
    for (uint32_t m = 0; m < group->member_count; m++) {
        for (uint32_t i = 0; i < group->members[m].topic_count; i++) {
            const struct ps_kafka_group_topic *topic =
                ps_kafka_group_topic_find(group, group->members[m].topics[i]);
            if (topic != NULL)
                subscribed[(size_t)m * group->topic_count + (size_t)(topic - group->topics)] = true;
        }
    }
    return subscribed;
}

static uint32_t *make_owners(const struct ps_kafka_group *group)
{
    uint32_t count = ps_kafka_group_partition_count(group);
    uint32_t *owners = ps_must_alloc((size_t)count + 1, sizeof *owners, "a rebalance");
    for (uint32_t p = 0; p < count; p++)
        owners[p] = PS_KAFKA_GROUP_NOBODY;
    return owners;
}

uint32_t *ps_kafka_group_range(const struct ps_kafka_group *group)
{
    uint32_t *owners = make_owners(group);
    bool *subscribed = ps_kafka_group_subscriptions(group);
    for (uint32_t t = 0; t < group->topic_count; t++) {
        int32_t count = group->topics[t].partition_count, readers = 0, number = 0;
        uint32_t next = group->topics[t].first;
        for (uint32_t m = 0; m < group->member_count; m++)
            readers += subscribed[(size_t)m * group->topic_count + t];
        for (uint32_t m = 0; m < group->member_count; m++) {
            if (!subscribed[(size_t)m * group->topic_count + t])
                continue;
            int32_t share = count / readers + (number < count % readers ? 1 : 0);
            number++;
            for (; share > 0; share--)
                owners[next++] = m;
        }
    }
    free(subscribed);
    return owners;
}

uint32_t *ps_kafka_group_round_robin(const struct ps_kafka_group *group)
{
    uint32_t *owners = make_owners(group);
    bool *subscribed = ps_kafka_group_subscriptions(group);
    uint32_t turn = 0;
    for (uint32_t t = 0; t < group->topic_count; t++) {
        for (int32_t p = 0; p < group->topics[t].partition_count; p++) {
            uint32_t tried = 0;
            while (tried < group->member_count &&
                   !subscribed[(size_t)(turn % group->member_count) * group->topic_count + t]) {
                turn++;
                tried++;
            }
            if (tried == group->member_count)
                break; /* nobody reads this topic */
            owners[group->topics[t].first + (uint32_t)p] = turn++ % group->member_count;
        }
    }
    free(subscribed);
    return owners;
}

/* ---- assignments ---- */

/* Writes the member's partitions of a topic; `at` NULL: only counts them. Returns their number. */
static uint32_t put_partitions(char *at, const struct ps_kafka_group_topic *topic, const uint32_t *owners,
                               uint32_t member)
{
    uint32_t count = 0;
    for (int32_t p = 0; p < topic->partition_count; p++) {
        if (owners[topic->first + (uint32_t)p] != member)
            continue;
        at = at != NULL ? ps_wire_put_int32(at, p) : NULL;
        count++;
    }
    return count;
}

size_t ps_kafka_assignment_write(char *at, const struct ps_kafka_group *group, const uint32_t *owners,
                                 uint32_t member)
{
    size_t length = sizeof(int16_t) + 2 * sizeof(int32_t);
    int32_t named = 0;
    for (uint32_t t = 0; t < group->topic_count; t++) {
        uint32_t count = put_partitions(NULL, &group->topics[t], owners, member);
        if (count == 0)
            continue;
        length += sizeof(int16_t) + group->topics[t].name.length + (1 + (size_t)count) * sizeof(int32_t);
        named++;
    }
    if (at == NULL)
        return length;
    at = ps_wire_put_int16(at, 0); /* version */
    at = ps_wire_put_int32(at, named);
    for (uint32_t t = 0; t < group->topic_count; t++) {
        const struct ps_kafka_group_topic *topic = &group->topics[t];
        uint32_t count = put_partitions(NULL, topic, owners, member);
        if (count == 0)
            continue;
        at = ps_wire_put_string(at, topic->name.data, topic->name.length);
        at = ps_wire_put_int32(at, (int32_t)count);
        (void)put_partitions(at, topic, owners, member);
        at += count * sizeof(int32_t);
    }
    (void)ps_wire_put_int32(at, -1); /* user data: none */
    return length;
}

bool ps_kafka_assignment_read(const char *bytes, size_t length,
                              void (*add)(void *argument, struct ps_slice topic, int32_t partition),
                              void *argument)
{
    struct ps_wire_in in = {.at = bytes, .end = bytes + length};
    if (length == 0)
        return true;
    int16_t version = ps_wire_get_int16(&in);
    uint32_t topics = ps_wire_get_count(&in, 6);
    for (uint32_t t = 0; t < topics && !in.failed; t++) {
        struct ps_slice topic;
        topic.data = ps_wire_get_string(&in, &topic.length);
        uint32_t partitions = ps_wire_get_count(&in, sizeof(int32_t));
        in.failed |= topic.data == NULL || topic.length == 0;
        for (uint32_t i = 0; i < partitions && !in.failed; i++) {
            int32_t partition = ps_wire_get_int32(&in);
            in.failed |= partition < 0;
            if (!in.failed && add != NULL)
                add(argument, topic, partition);
        }
    }
    return !in.failed && version >= 0;
}
