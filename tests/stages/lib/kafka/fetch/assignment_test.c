/* Assignors as Java's: the expected shares are those of RangeAssignorTest and RoundRobinAssignorTest of Kafka 3.9, and bytes as
 * ConsumerProtocol writes them. */
#include "stages/lib/kafka/fetch/assignment.h"

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

/* "id: topic-0 topic-1, id2: .." */
static const char *shares_text(struct ps_kafka_group_shares shares, const struct ps_kafka_group_topic *topics)
{
    static char text[1024];
    size_t at = 0;
    text[0] = '\0';
    for (uint32_t m = 0; m < member_count; m++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s:", m > 0 ? ", " : "",
                               (int)members[m].id.length, members[m].id.data);
        for (uint32_t i = 0; i < shares.count; i++) {
            if (shares.items[i].member == m)
                at += (size_t)snprintf(text + at, sizeof text - at, " %s-%d",
                                       topics[shares.items[i].topic].name.data, shares.items[i].partition);
        }
    }
    free(shares.items);
    return text;
}

static void begin(void)
{
    member_count = 0;
}

static void test_range(void **state)
{
    struct ps_kafka_group_topic topics[] = {{TEXT("t2"), 3}, {TEXT("t1"), 3}};
    begin(); /* testTwoConsumersTwoTopicsSixPartitions */
    add_member("c2", "", "t1 t2");
    add_member("c1", "", "t1 t2");
    ps_kafka_group_sort(members, member_count);
    ps_kafka_group_topics_sort(topics, 2);
    assert_string_equal(shares_text(ps_kafka_group_range(members, member_count, topics, 2), topics),
                        "c1: t1-0 t1-1 t2-0 t2-1, c2: t1-2 t2-2");
    begin(); /* testMultipleConsumersMixedTopics */
    struct ps_kafka_group_topic mixed[] = {{TEXT("t1"), 3}, {TEXT("t2"), 2}};
    add_member("c1", "", "t1");
    add_member("c2", "", "t1 t2");
    add_member("c3", "", "t1");
    assert_string_equal(shares_text(ps_kafka_group_range(members, member_count, mixed, 2), mixed),
                        "c1: t1-0, c2: t1-1 t2-0 t2-1, c3: t1-2");
    begin(); /* more members than partitions; a topic that nobody reads */
    struct ps_kafka_group_topic few[] = {{TEXT("t1"), 1}, {TEXT("t9"), 4}};
    add_member("c1", "", "t1");
    add_member("c2", "", "t1");
    assert_string_equal(shares_text(ps_kafka_group_range(members, member_count, few, 2), few),
                        "c1: t1-0, c2:");
}

/* Members with an instance id come first, by that id (KIP-345). */
static void test_static_members_keep_their_place(void **state)
{
    const struct ps_kafka_group_topic topics[] = {{TEXT("t1"), 3}};
    begin();
    add_member("a", "", "t1");
    add_member("z", "i1", "t1");
    add_member("y", "i2", "t1");
    ps_kafka_group_sort(members, member_count);
    assert_string_equal(shares_text(ps_kafka_group_range(members, member_count, topics, 1), topics),
                        "z: t1-0, y: t1-1, a: t1-2");
}

static void test_round_robin(void **state)
{
    const struct ps_kafka_group_topic topics[] = {{TEXT("t1"), 3}, {TEXT("t2"), 2}};
    begin(); /* testMultipleConsumersMixedTopics */
    add_member("c1", "", "t1");
    add_member("c2", "", "t1 t2");
    add_member("c3", "", "t1");
    assert_string_equal(shares_text(ps_kafka_group_round_robin(members, member_count, topics, 2), topics),
                        "c1: t1-0, c2: t1-1 t2-0 t2-1, c3: t1-2");
    begin(); /* testTwoConsumersTwoTopicsSixPartitions */
    const struct ps_kafka_group_topic even[] = {{TEXT("t1"), 3}, {TEXT("t2"), 3}};
    add_member("c1", "", "t1 t2");
    add_member("c2", "", "t1 t2");
    assert_string_equal(shares_text(ps_kafka_group_round_robin(members, member_count, even, 2), even),
                        "c1: t1-0 t1-2 t2-1, c2: t1-1 t2-0 t2-2");
    begin(); /* nobody reads t1 */
    add_member("c1", "", "t2");
    assert_string_equal(shares_text(ps_kafka_group_round_robin(members, member_count, topics, 2), topics),
                        "c1: t2-0 t2-1");
}

/* ---- bytes ---- */

static void test_subscription(void **state)
{
    const struct ps_slice wanted[] = {TEXT("a"), TEXT("long-name")};
    static const char expected[] = "\0\0"
                                   "\0\0\0\2"
                                   "\0\1a"
                                   "\0\11long-name"
                                   "\377\377\377\377";
    char bytes[64];
    struct ps_slice *topics;
    uint32_t count;
    size_t length = ps_kafka_subscription_write(NULL, wanted, 2);
    assert_int_equal(length, sizeof expected - 1);
    assert_int_equal(ps_kafka_subscription_write(bytes, wanted, 2), length);
    assert_memory_equal(bytes, expected, length);
    assert_true(ps_kafka_subscription_read(bytes, length, &topics, &count));
    assert_int_equal(count, 2);
    assert_int_equal(topics[1].length, 9);
    free(topics);
    for (size_t cut = 0; cut < length - 4; cut++) {
        bool read = ps_kafka_subscription_read(bytes, cut, &topics, &count);
        assert_false(read);
        free(topics);
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
    const struct ps_kafka_group_topic topics[] = {{TEXT("t1"), 2}, {TEXT("t2"), 2}};
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
    struct ps_kafka_group_shares shares = ps_kafka_group_range(members, member_count, topics, 2);
    assert_int_equal(ps_kafka_assignment_write(NULL, &shares, 1, topics), sizeof expected - 1);
    (void)ps_kafka_assignment_write(bytes, &shares, 1, topics);
    assert_memory_equal(bytes, expected, sizeof expected - 1);
    free(shares.items);
    assert_true(ps_kafka_assignment_read(bytes, sizeof expected - 1, note_added, &added));
    assert_string_equal(added.text, "t1-1 t2-1 ");
    for (size_t cut = 1; cut < sizeof expected - 5; cut++) {
        struct added part = {""};
        assert_false(ps_kafka_assignment_read(bytes, cut, note_added, &part));
    }
    assert_true(ps_kafka_assignment_read("", 0, note_added, &added)); /* a member without partitions */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range),       cmocka_unit_test(test_static_members_keep_their_place),
        cmocka_unit_test(test_round_robin), cmocka_unit_test(test_subscription),
        cmocka_unit_test(test_assignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
