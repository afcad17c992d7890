/* Assignors compared with Java's: the expected shares are those of RangeAssignorTest and RoundRobinAssignorTest of
 * Kafka 3.9, the bytes those that ConsumerProtocol writes. */
#include "stages/lib/kafka/group/assignment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

#define TEXT(text) ((struct ps_slice){text, (uint32_t)strlen(text)})
#define MAX 8U

static struct ps_kafka_group_member members[MAX];
static struct ps_slice topics_of[MAX][MAX];
static uint32_t member_count;

static void add_member(const char *id, const char *instance, const char *topics)
{
    static char texts[64][32];
    static unsigned used;
    struct ps_kafka_group_member *member = &members[member_count];
    *member = (struct ps_kafka_group_member){TEXT(id), TEXT(instance), topics_of[member_count], 0};
    for (; *topics != '\0'; topics += strcspn(topics, " "), topics += *topics == ' ') {
        char *text = texts[used++ % 64];
        snprintf(text, 32, "%.*s", (int)strcspn(topics, " "), topics);
        member->topics[member->topic_count++] = TEXT(text);
    }
    member_count++;
}

static struct ps_kafka_group group_of(struct ps_kafka_group_topic *topics, uint32_t count)
{
    ps_kafka_group_topics_sort(topics, count);
    return (struct ps_kafka_group){
        .members = members, .topics = topics, .member_count = member_count, .topic_count = count};
}

/* "id: topic-0 topic-1, id2: .." */
static const char *assigned_text(ps_kafka_group_assignor *assign, struct ps_kafka_group_topic *topics,
                                 uint32_t count)
{
    static char text[1024];
    size_t at = 0;
    const struct ps_kafka_group group = group_of(topics, count);
    uint32_t *owners = assign(&group);
    text[0] = '\0';
    for (uint32_t m = 0; m < member_count; m++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s:", m > 0 ? ", " : "",
                               (int)members[m].id.length, members[m].id.data);
        for (uint32_t t = 0; t < count; t++)
            for (int32_t p = 0; p < topics[t].partition_count; p++)
                if (owners[topics[t].first + (uint32_t)p] == m)
                    at += (size_t)snprintf(text + at, sizeof text - at, " %s-%d", topics[t].name.data, p);
    }
    free(owners);
    return text;
}

static void begin(void)
{
    member_count = 0;
}

static void test_range(void **state)
{
    struct ps_kafka_group_topic topics[] = {{TEXT("t2"), 3, 0}, {TEXT("t1"), 3, 0}};
    begin(); /* testTwoConsumersTwoTopicsSixPartitions */
    add_member("c2", "", "t1 t2");
    add_member("c1", "", "t1 t2");
    ps_kafka_group_sort(members, member_count);
    assert_string_equal(assigned_text(ps_kafka_group_range, topics, 2),
                        "c1: t1-0 t1-1 t2-0 t2-1, c2: t1-2 t2-2");
    begin(); /* testMultipleConsumersMixedTopics */
    struct ps_kafka_group_topic mixed[] = {{TEXT("t1"), 3, 0}, {TEXT("t2"), 2, 0}};
    add_member("c1", "", "t1");
    add_member("c2", "", "t1 t2");
    add_member("c3", "", "t1");
    assert_string_equal(assigned_text(ps_kafka_group_range, mixed, 2),
                        "c1: t1-0, c2: t1-1 t2-0 t2-1, c3: t1-2");
    begin(); /* more members than partitions; a topic that nobody reads */
    struct ps_kafka_group_topic few[] = {{TEXT("t1"), 1, 0}, {TEXT("t9"), 4, 0}};
    add_member("c1", "", "t1");
    add_member("c2", "", "t1");
    assert_string_equal(assigned_text(ps_kafka_group_range, few, 2), "c1: t1-0, c2:");
}

/* Members with an instance id come first, by that id (KIP-345). */
static void test_static_members_keep_their_place(void **state)
{
    struct ps_kafka_group_topic topics[] = {{TEXT("t1"), 3, 0}};
    begin();
    add_member("a", "", "t1");
    add_member("z", "i1", "t1");
    add_member("y", "i2", "t1");
    ps_kafka_group_sort(members, member_count);
    assert_string_equal(assigned_text(ps_kafka_group_range, topics, 1), "z: t1-0, y: t1-1, a: t1-2");
}

static void test_round_robin(void **state)
{
    struct ps_kafka_group_topic topics[] = {{TEXT("t1"), 3, 0}, {TEXT("t2"), 2, 0}};
    begin(); /* testMultipleConsumersMixedTopics */
    add_member("c1", "", "t1");
    add_member("c2", "", "t1 t2");
    add_member("c3", "", "t1");
    assert_string_equal(assigned_text(ps_kafka_group_round_robin, topics, 2),
                        "c1: t1-0, c2: t1-1 t2-0 t2-1, c3: t1-2");
    begin(); /* testTwoConsumersTwoTopicsSixPartitions */
    struct ps_kafka_group_topic even[] = {{TEXT("t1"), 3, 0}, {TEXT("t2"), 3, 0}};
    add_member("c1", "", "t1 t2");
    add_member("c2", "", "t1 t2");
    assert_string_equal(assigned_text(ps_kafka_group_round_robin, even, 2),
                        "c1: t1-0 t1-2 t2-1, c2: t1-1 t2-0 t2-2");
    begin(); /* nobody reads t1 */
    add_member("c1", "", "t2");
    assert_string_equal(assigned_text(ps_kafka_group_round_robin, topics, 2), "c1: t2-0 t2-1");
}

/* ---- bytes ---- */

static void test_subscription(void **state)
{
    struct ps_slice wanted[] = {TEXT("a"), TEXT("long-name")};
    const struct ps_kafka_group_member own = {.topics = wanted, .topic_count = 2};
    static const char expected[] = "\0\0"
                                   "\0\0\0\2"
                                   "\0\1a"
                                   "\0\11long-name"
                                   "\377\377\377\377";
    char bytes[64];
    struct ps_kafka_group_member member = {0};
    size_t length = ps_kafka_subscription_write(NULL, &own, false, 0);
    assert_int_equal(length, sizeof expected - 1);
    assert_int_equal(ps_kafka_subscription_write(bytes, &own, false, 0), length);
    assert_memory_equal(bytes, expected, length);
    assert_true(ps_kafka_subscription_read(bytes, length, &member));
    assert_int_equal(member.topic_count, 2);
    assert_int_equal(member.topics[1].length, 9);
    assert_int_equal(member.claim_count, 0);
    assert_int_equal(member.generation, -1);
    ps_kafka_group_member_fini(&member);
    for (size_t cut = 0; cut < length - 4; cut++) {
        bool read = ps_kafka_subscription_read(bytes, cut, &member);
        assert_false(read);
        ps_kafka_group_member_fini(&member);
    }
}

/* A subscription as Java's CooperativeStickyAssignor writes it: the generation is also in the assignor's own data. */
static void test_claims(void **state)
{
    struct ps_slice wanted[] = {TEXT("t")};
    struct ps_kafka_group_claim claims[] = {{TEXT("u"), 0}, {TEXT("t"), 7}, {TEXT("t"), 3}};
    struct ps_kafka_group_member member = {
        .topics = wanted, .topic_count = 1, .claims = claims, .claim_count = 3, .generation = 5};
    static const char expected[] = "\0\2"
                                   "\0\0\0\1"
                                   "\0\1t"
                                   "\0\0\0\4\0\0\0\5"
                                   "\0\0\0\2"
                                   "\0\1t\0\0\0\2\0\0\0\3\0\0\0\7"
                                   "\0\1u\0\0\0\1\0\0\0\0"
                                   "\0\0\0\5";
    char bytes[sizeof expected];
    ps_kafka_group_claims_sort(claims, 3);
    assert_int_equal(ps_kafka_subscription_write(NULL, &member, true, 0), sizeof expected - 1);
    (void)ps_kafka_subscription_write(bytes, &member, true, 0);
    assert_memory_equal(bytes, expected, sizeof expected - 1);
    struct ps_kafka_group_member read = {0};
    assert_true(ps_kafka_subscription_read(bytes, sizeof expected - 1, &read));
    assert_int_equal(read.claim_count, 3);
    assert_int_equal(read.claims[1].partition, 7);
    assert_int_equal(read.generation, 5);
    ps_kafka_group_member_fini(&read);
    for (size_t cut = 0; cut < sizeof expected - 1; cut++) {
        bool whole = ps_kafka_subscription_read(bytes, cut, &read);
        assert_false(whole);
        ps_kafka_group_member_fini(&read);
    }
}

/* Version 1, as librdkafka writes it: partitions and the generation in the assignor's own data. */
static void test_claims_of_librdkafka(void **state)
{
    static const char bytes[] = "\0\1"
                                "\0\0\0\1"
                                "\0\1t"
                                "\0\0\0\23"
                                "\0\0\0\1\0\1t\0\0\0\1\0\0\0\2\0\0\0\11"
                                "\0\0\0\1"
                                "\0\1t\0\0\0\1\0\0\0\2";
    struct ps_kafka_group_member member = {0};
    assert_true(ps_kafka_subscription_read(bytes, sizeof bytes - 1, &member));
    assert_int_equal(member.claim_count, 1);
    assert_int_equal(member.claims[0].partition, 2);
    assert_int_equal(member.generation, 9);
    ps_kafka_group_member_fini(&member);
}

/* ---- sticky ---- */

static struct ps_kafka_group_claim claims_of[MAX][64];

static void claim(uint32_t member, int32_t generation, const char *topic, int32_t from, int32_t end)
{
    members[member].claims = claims_of[member];
    members[member].generation = generation;
    for (int32_t p = from; p < end; p++)
        claims_of[member][members[member].claim_count++] = (struct ps_kafka_group_claim){TEXT(topic), p};
}

static void test_sticky(void **state)
{
    struct ps_kafka_group_topic topics[] = {{TEXT("t1"), 6, 0}};
    begin();
    add_member("c1", "", "t1");
    add_member("c2", "", "t1");
    assert_string_equal(assigned_text(ps_kafka_group_sticky, topics, 1),
                        "c1: t1-0 t1-2 t1-4, c2: t1-1 t1-3 t1-5");
    begin(); /* a member joins: the partitions that it will get are given up first */
    add_member("c1", "", "t1");
    add_member("c2", "", "t1");
    claim(0, 3, "t1", 0, 6);
    assert_string_equal(assigned_text(ps_kafka_group_sticky, topics, 1), "c1: t1-3 t1-4 t1-5, c2:");
    begin(); /* in the next generation the new member gets these partitions */
    add_member("c1", "", "t1");
    add_member("c2", "", "t1");
    claim(0, 4, "t1", 3, 6);
    assert_string_equal(assigned_text(ps_kafka_group_sticky, topics, 1),
                        "c1: t1-3 t1-4 t1-5, c2: t1-0 t1-1 t1-2");
    begin(); /* a member has left: the others get its partitions */
    add_member("c1", "", "t1");
    add_member("c2", "", "t1");
    claim(0, 4, "t1", 0, 2);
    claim(1, 4, "t1", 2, 4);
    assert_string_equal(assigned_text(ps_kafka_group_sticky, topics, 1),
                        "c1: t1-0 t1-1 t1-4, c2: t1-2 t1-3 t1-5");
}

/* A member that was away says what it had in an earlier generation. */
static void test_sticky_generations(void **state)
{
    struct ps_kafka_group_topic topics[] = {{TEXT("t1"), 4, 0}};
    begin();
    add_member("c1", "", "t1");
    add_member("c2", "", "t1");
    claim(0, 4, "t1", 0, 2);
    claim(1, 6, "t1", 0, 2);
    assert_string_equal(assigned_text(ps_kafka_group_sticky, topics, 1), "c1: t1-2 t1-3, c2: t1-0 t1-1");
}

/* A topic that only one member reads, one that nobody reads, and claims of partitions that are not there. */
static void test_sticky_subscriptions(void **state)
{
    struct ps_kafka_group_topic topics[] = {{TEXT("t1"), 2, 0}, {TEXT("t2"), 2, 0}, {TEXT("t3"), 2, 0}};
    begin();
    add_member("c1", "", "t1 t2");
    add_member("c2", "", "t2");
    claim(0, 2, "t2", 0, 9);
    claim(1, 2, "t1", 0, 1); /* c2 no longer reads t1 */
    assert_string_equal(assigned_text(ps_kafka_group_sticky, topics, 3), "c1: t1-1, c2:");
    begin(); /* c2 has given up t1-0, and c1 what it is to lose */
    add_member("c1", "", "t1 t2");
    add_member("c2", "", "t2");
    claim(0, 3, "t1", 1, 2);
    assert_string_equal(assigned_text(ps_kafka_group_sticky, topics, 3), "c1: t1-0 t1-1, c2: t2-0 t2-1");
}

/* Random groups: once the generations that the changes need are over, the shares differ by one at most, each partition
 * has one member, and no member gets what another still has. */
static void test_sticky_groups(void **state)
{
    uint64_t random = ps_test_seed();
    for (unsigned group = 0; group < 200; group++) {
        struct ps_kafka_group_topic topics[] = {{TEXT("t1"), 1 + (int32_t)(ps_test_random(&random) % 40), 0}};
        uint32_t count = 1 + (uint32_t)(ps_test_random(&random) % MAX);
        int32_t owner[40], generation = 1;
        for (int p = 0; p < 40; p++)
            owner[p] = (int32_t)(ps_test_random(&random) % (count + 1)) - 1;
        for (unsigned round = 0; round < 2; round++, generation++) {
            static const char *const ids[MAX] = {"a", "b", "c", "d", "e", "f", "g", "h"};
            begin();
            for (uint32_t m = 0; m < count; m++) {
                add_member(ids[m], "", "t1");
                for (int32_t p = 0; p < topics[0].partition_count; p++) {
                    if (owner[p] == (int32_t)m)
                        claim(m, generation, "t1", p, p + 1);
                }
            }
            const struct ps_kafka_group all = group_of(topics, 1);
            uint32_t *next = ps_kafka_group_sticky(&all);
            for (int32_t p = 0; p < topics[0].partition_count; p++) {
                assert_true(owner[p] < 0 || next[p] == (uint32_t)owner[p] ||
                            next[p] == PS_KAFKA_GROUP_NOBODY);
                owner[p] = next[p] == PS_KAFKA_GROUP_NOBODY ? -1 : (int32_t)next[p];
            }
            free(next);
        }
        uint32_t share[MAX] = {0}, least = UINT32_MAX, most = 0;
        for (int32_t p = 0; p < topics[0].partition_count; p++) {
            assert_in_range(owner[p], 0, count - 1);
            share[owner[p]]++;
        }
        for (uint32_t m = 0; m < count; m++) {
            least = share[m] < least ? share[m] : least;
            most = share[m] > most ? share[m] : most;
        }
        assert_in_range(most, least, least + 1);
    }
}

struct added {
    char text[256];
};

static void note_added(void *argument, struct ps_slice topic, int32_t partition)
{
    struct added *added = argument;
    size_t at = strlen(added->text);
    snprintf(added->text + at, sizeof added->text - at, "%.*s-%d ", (int)topic.length, topic.data, partition);
}

static void test_assignment(void **state)
{
    struct ps_kafka_group_topic topics[] = {{TEXT("t1"), 2, 0}, {TEXT("t2"), 2, 0}};
    static const char expected[] = "\0\0"
                                   "\0\0\0\2"
                                   "\0\2t1"
                                   "\0\0\0\1"
                                   "\0\0\0\1"
                                   "\0\2t2"
                                   "\0\0\0\1"
                                   "\0\0\0\1"
                                   "\377\377\377\377";
    char bytes[64];
    struct added added = {""};
    begin();
    add_member("c1", "", "t1 t2");
    add_member("c2", "", "t1 t2");
    const struct ps_kafka_group group = group_of(topics, 2);
    uint32_t *shares = ps_kafka_group_range(&group);
    assert_int_equal(ps_kafka_assignment_write(NULL, &group, shares, 1), sizeof expected - 1);
    (void)ps_kafka_assignment_write(bytes, &group, shares, 1);
    assert_memory_equal(bytes, expected, sizeof expected - 1);
    free(shares);
    assert_true(ps_kafka_assignment_read(bytes, sizeof expected - 1, note_added, &added));
    assert_string_equal(added.text, "t1-1 t2-1 ");
    for (size_t cut = 1; cut < sizeof expected - 5; cut++) {
        struct added part = {""};
        assert_false(ps_kafka_assignment_read(bytes, cut, note_added, &part));
    }
    assert_true(ps_kafka_assignment_read("", 0, note_added, &added)); /* a member without partitions */
}

/* ---- many topics ---- */

#define MANY_TOPICS 10000U
#define MANY_MEMBERS 10U

static unsigned char owners[MANY_TOPICS][3];

static void note_owner(void *, struct ps_slice topic, int32_t partition)
{
    unsigned number = 0;
    for (uint32_t i = 1; i < topic.length; i++)
        number = 10 * number + (unsigned)(topic.data[i] - '0');
    assert_in_range(number, 0, MANY_TOPICS - 1);
    assert_in_range(partition, 0, 2);
    owners[number][partition]++;
}

/* A group with 10,000 topics of three partitions and ten members: each partition is in one assignment. A worker makes
 * it, so the work must not grow with topics times members times topics. */
static void test_many_topics(void **state)
{
    static ps_kafka_group_assignor *const assignors[] = {ps_kafka_group_range, ps_kafka_group_round_robin,
                                                         ps_kafka_group_sticky};
    static char texts[MANY_TOPICS][8];
    static struct ps_kafka_group_topic topics[MANY_TOPICS];
    static struct ps_slice subscribed[MANY_TOPICS];
    static char ids[MANY_MEMBERS][4];
    struct ps_kafka_group_member many[MANY_MEMBERS] = {{.topics = subscribed}};
    for (uint32_t i = 0; i < MANY_TOPICS; i++) {
        snprintf(texts[i], sizeof texts[i], "t%u", i);
        topics[i] = (struct ps_kafka_group_topic){.name = TEXT(texts[i]), .partition_count = 3};
        subscribed[MANY_TOPICS - 1 - i] = TEXT(texts[i]); /* a subscription has any order */
    }
    ps_kafka_group_topics_sort(topics, MANY_TOPICS);
    for (uint32_t m = 0; m < MANY_MEMBERS; m++) {
        snprintf(ids[m], sizeof ids[m], "m%u", m);
        many[m] = (struct ps_kafka_group_member){
            .id = TEXT(ids[m]), .topics = subscribed, .topic_count = MANY_TOPICS, .generation = -1};
    }
    const struct ps_kafka_group group = {
        .members = many, .topics = topics, .member_count = MANY_MEMBERS, .topic_count = MANY_TOPICS};
    for (size_t a = 0; a < PS_COUNT_OF(assignors); a++) {
        uint32_t *shares = assignors[a](&group);
        memset(owners, 0, sizeof owners);
        for (uint32_t m = 0; m < MANY_MEMBERS; m++) {
            size_t length = ps_kafka_assignment_write(NULL, &group, shares, m);
            char *bytes = malloc(length);
            assert_non_null(bytes);
            assert_int_equal(ps_kafka_assignment_write(bytes, &group, shares, m), length);
            assert_true(ps_kafka_assignment_read(bytes, length, note_owner, NULL));
            free(bytes);
        }
        for (uint32_t i = 0; i < MANY_TOPICS; i++)
            for (unsigned p = 0; p < 3; p++)
                assert_int_equal(owners[i][p], 1);
        free(shares);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_static_members_keep_their_place),
        cmocka_unit_test(test_round_robin),
        cmocka_unit_test(test_subscription),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_claims_of_librdkafka),
        cmocka_unit_test(test_sticky),
        cmocka_unit_test(test_sticky_generations),
        cmocka_unit_test(test_sticky_subscriptions),
        cmocka_unit_test(test_sticky_groups),
        cmocka_unit_test(test_assignment),
        cmocka_unit_test(test_many_topics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
