#include "stages/lib/kafka/group/assignment.h"

#include <stdlib.h>

#define VERSION_OF_CLAIMS 1
#define VERSION_OF_GENERATIONS 2

int ps_kafka_group_compare(struct ps_slice one, struct ps_slice other)
{
    uint32_t common = one.length < other.length ? one.length : other.length;
    int order = common > 0 ? memcmp(one.data, other.data, common) : 0;
    return order != 0 ? order : (one.length > other.length) - (one.length < other.length);
}

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

static char *put_topics(char *at, const struct ps_slice *topics, uint32_t count)
{
    at = ps_wire_put_int32(at, (int32_t)count);
    for (uint32_t i = 0; i < count; i++)
        at = ps_wire_put_string(at, topics[i].data, topics[i].length);
    return at;
}

size_t ps_kafka_subscription_write(char *at, const struct ps_slice *topics, uint32_t count)
{
    size_t length = sizeof(int16_t) + sizeof(int32_t) + sizeof(int32_t);
    for (uint32_t i = 0; i < count; i++)
        length += sizeof(int16_t) + topics[i].length;
    if (at == NULL)
        return length;
    at = ps_wire_put_int16(at, 0); /* version */
    at = put_topics(at, topics, count);
    (void)ps_wire_put_int32(at, -1); /* user data: none */
    return length;
}

size_t ps_kafka_subscription_write_marked(char *at, const struct ps_slice *topics, uint32_t count,
                                          int32_t mark)
{
    size_t length = ps_kafka_subscription_write(at, topics, count);
    if (at != NULL) {
        at = ps_wire_put_int32(at + length - sizeof(int32_t), sizeof mark);
        (void)ps_wire_put_int32(at, mark);
    }
    return length + sizeof mark;
}

/* Returns the end of the claims of one topic that begin at `from`. */
static uint32_t topic_end(const struct ps_kafka_group_member *member, uint32_t from)
{
    uint32_t end = from + 1;
    while (end < member->claim_count &&
           ps_kafka_group_compare(member->claims[end].topic, member->claims[from].topic) == 0)
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

size_t ps_kafka_subscription_write_claims(char *at, const struct ps_kafka_group_member *member)
{
    size_t length = ps_kafka_subscription_write(NULL, member->topics, member->topic_count) +
                    3 * sizeof(int32_t); /* two copies of the generation, and the number of topics */
    for (uint32_t from = 0, end; from < member->claim_count; from = end) {
        end = topic_end(member, from);
        length += sizeof(int16_t) + member->claims[from].topic.length + sizeof(int32_t) +
                  (end - from) * sizeof(int32_t);
    }
    if (at == NULL)
        return length;
    at = ps_wire_put_int16(at, VERSION_OF_GENERATIONS);
    at = put_topics(at, member->topics, member->topic_count);
    at = ps_wire_put_int32(at, sizeof(int32_t)); /* length of the assignor's own data */
    at = ps_wire_put_int32(at, member->generation);
    at = put_claims(at, member);
    (void)ps_wire_put_int32(at, member->generation);
    return length;
}

static int compare_claims(const void *one_, const void *other_)
{
    const struct ps_kafka_group_claim *one = one_, *other = other_;
    int order = ps_kafka_group_compare(one->topic, other->topic);
    return order != 0 ? order : (one->partition > other->partition) - (one->partition < other->partition);
}

void ps_kafka_group_claims_sort(struct ps_kafka_group_claim *claims, uint32_t count)
{
    if (count > 0)
        qsort(claims, count, sizeof *claims, compare_claims);
}

bool ps_kafka_group_claims_have(const struct ps_kafka_group_claim *claims, uint32_t count,
                                struct ps_slice topic, int32_t partition)
{
    const struct ps_kafka_group_claim wanted = {topic, partition};
    return count > 0 && bsearch(&wanted, claims, count, sizeof *claims, compare_claims) != NULL;
}

/* ---- order ---- */

/* AbstractPartitionAssignor.MemberInfo.compareTo. */
static int compare_members(const void *one_, const void *other_)
{
    const struct ps_kafka_group_member *one = one_, *other = other_;
    bool first = one->instance.length > 0, second = other->instance.length > 0;
    if (first && second)
        return ps_kafka_group_compare(one->instance, other->instance);
    if (first != second)
        return first ? -1 : 1;
    return ps_kafka_group_compare(one->id, other->id);
}

void ps_kafka_group_sort(struct ps_kafka_group_member *members, uint32_t count)
{
    if (count > 0)
        qsort(members, count, sizeof *members, compare_members);
}

static int compare_topics(const void *one, const void *other)
{
    return ps_kafka_group_compare(((const struct ps_kafka_group_topic *)one)->name,
                                  ((const struct ps_kafka_group_topic *)other)->name);
}

void ps_kafka_group_topics_sort(struct ps_kafka_group_topic *topics, uint32_t count)
{
    if (count > 0)
        qsort(topics, count, sizeof *topics, compare_topics);
}

/* ---- assignors ---- */

static int compare_name(const void *name, const void *topic)
{
    return ps_kafka_group_compare(*(const struct ps_slice *)name,
                                  ((const struct ps_kafka_group_topic *)topic)->name);
}

bool *ps_kafka_group_subscriptions(const struct ps_kafka_group_member *members, uint32_t member_count,
                                   const struct ps_kafka_group_topic *topics, uint32_t topic_count)
{
    bool *subscribed =
        ps_must_alloc((size_t)member_count * topic_count + 1, sizeof *subscribed, "a rebalance");
    for (uint32_t m = 0; m < member_count && topic_count > 0; m++) {
        for (uint32_t i = 0; i < members[m].topic_count; i++) {
            const struct ps_kafka_group_topic *topic =
                bsearch(&members[m].topics[i], topics, topic_count, sizeof *topic, compare_name);
            if (topic != NULL)
                subscribed[(size_t)m * topic_count + (size_t)(topic - topics)] = true;
        }
    }
    return subscribed;
}

void ps_kafka_group_shares_sort(struct ps_kafka_group_shares *shares, uint32_t member_count)
{
    uint32_t *next = ps_must_alloc((size_t)member_count + 1, sizeof *next, "a rebalance");
    struct ps_kafka_group_share *sorted =
        ps_must_alloc((size_t)shares->count + 1, sizeof *sorted, "a rebalance");
    for (uint32_t i = 0; i < shares->count; i++)
        next[shares->items[i].member + 1]++;
    for (uint32_t m = 1; m <= member_count; m++)
        next[m] += next[m - 1];
    for (uint32_t i = 0; i < shares->count; i++)
        sorted[next[shares->items[i].member]++] = shares->items[i];
    free(shares->items);
    free(next);
    shares->items = sorted;
}

static struct ps_kafka_group_shares make_shares(const struct ps_kafka_group_topic *topics, uint32_t count)
{
    size_t partitions = 0;
    for (uint32_t i = 0; i < count; i++)
        partitions += (size_t)topics[i].partition_count;
    return (struct ps_kafka_group_shares){
        .items = ps_must_alloc(partitions + 1, sizeof(struct ps_kafka_group_share), "a rebalance")};
}

static void give(struct ps_kafka_group_shares *shares, uint32_t member, uint32_t topic, int32_t partition)
{
    shares->items[shares->count++] = (struct ps_kafka_group_share){member, topic, partition};
}

struct ps_kafka_group_shares ps_kafka_group_range(const struct ps_kafka_group_member *members,
                                                  uint32_t member_count,
                                                  const struct ps_kafka_group_topic *topics,
                                                  uint32_t topic_count)
{
    struct ps_kafka_group_shares shares = make_shares(topics, topic_count);
    bool *subscribed = ps_kafka_group_subscriptions(members, member_count, topics, topic_count);
    for (uint32_t t = 0; t < topic_count; t++) {
        int32_t readers = 0, number = 0, next = 0;
        for (uint32_t m = 0; m < member_count; m++)
            readers += subscribed[(size_t)m * topic_count + t];
        for (uint32_t m = 0; m < member_count; m++) {
            if (!subscribed[(size_t)m * topic_count + t])
                continue;
            int32_t end = next + topics[t].partition_count / readers +
                          (number < topics[t].partition_count % readers ? 1 : 0);
            number++;
            for (; next < end; next++)
                give(&shares, m, t, next);
        }
    }
    free(subscribed);
    ps_kafka_group_shares_sort(&shares, member_count);
    return shares;
}

struct ps_kafka_group_shares ps_kafka_group_round_robin(const struct ps_kafka_group_member *members,
                                                        uint32_t member_count,
                                                        const struct ps_kafka_group_topic *topics,
                                                        uint32_t topic_count)
{
    struct ps_kafka_group_shares shares = make_shares(topics, topic_count);
    bool *subscribed = ps_kafka_group_subscriptions(members, member_count, topics, topic_count);
    uint32_t turn = 0;
    for (uint32_t t = 0; t < topic_count; t++) {
        for (int32_t partition = 0; partition < topics[t].partition_count; partition++) {
            uint32_t tried = 0;
            while (tried < member_count && !subscribed[(size_t)(turn % member_count) * topic_count + t]) {
                turn++;
                tried++;
            }
            if (tried == member_count)
                break; /* nobody reads this topic */
            give(&shares, turn++ % member_count, t, partition);
        }
    }
    free(subscribed);
    ps_kafka_group_shares_sort(&shares, member_count);
    return shares;
}

/* ---- assignments ---- */

/* Returns the member's first share; the count if it has none. */
static uint32_t first_share(const struct ps_kafka_group_shares *shares, uint32_t member)
{
    uint32_t low = 0, high = shares->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (shares->items[middle].member < member)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_share(const struct ps_kafka_group_shares *shares, uint32_t member, uint32_t i)
{
    return i < shares->count && shares->items[i].member == member;
}

/* Returns how many partitions the member has of the topic of share `from`. */
static uint32_t topic_shares(const struct ps_kafka_group_shares *shares, uint32_t member, uint32_t from)
{
    uint32_t count = 0, topic = shares->items[from].topic;
    for (; is_share(shares, member, from) && shares->items[from].topic == topic; from++)
        count++;
    return count;
}

static size_t assignment_length(const struct ps_kafka_group_shares *shares, uint32_t member,
                                const struct ps_kafka_group_topic *topics, uint32_t *topic_count)
{
    size_t length = sizeof(int16_t) + sizeof(int32_t) + sizeof(int32_t);
    uint32_t last = UINT32_MAX;
    *topic_count = 0;
    for (uint32_t i = first_share(shares, member); is_share(shares, member, i); i++) {
        if (shares->items[i].topic != last) {
            last = shares->items[i].topic;
            length += sizeof(int16_t) + topics[last].name.length + sizeof(int32_t);
            ++*topic_count;
        }
        length += sizeof(int32_t);
    }
    return length;
}

size_t ps_kafka_assignment_write(char *at, const struct ps_kafka_group_shares *shares, uint32_t member,
                                 const struct ps_kafka_group_topic *topics)
{
    uint32_t topic_count, last = UINT32_MAX;
    size_t length = assignment_length(shares, member, topics, &topic_count);
    if (at == NULL)
        return length;
    at = ps_wire_put_int16(at, 0); /* version */
    at = ps_wire_put_int32(at, (int32_t)topic_count);
    for (uint32_t i = first_share(shares, member); is_share(shares, member, i); i++) {
        if (shares->items[i].topic != last) {
            last = shares->items[i].topic;
            at = ps_wire_put_string(at, topics[last].name.data, topics[last].name.length);
            at = ps_wire_put_int32(at, (int32_t)topic_shares(shares, member, i));
        }
        at = ps_wire_put_int32(at, shares->items[i].partition);
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
            if (!in.failed)
                add(argument, topic, partition);
        }
    }
    return !in.failed && version >= 0;
}
