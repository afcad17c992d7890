/* Members of a group join and leave under load, with both protocols: no record is lost, and each member sees
 * every partition in order. The embedded cluster refuses commits after a member has joined, which a real
 * broker does not, so records may come twice here; a test with a real broker shows that an orderly change
 * duplicates none. */
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/member.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define RECORDS_MAX 200000U
#define CHUNK 1000U
#define PARTITIONS 4

/* Records come until the last change of the group is over. If all were read before that, the second member would stop
 * while the group forms again, and the embedded cluster refuses commits then. */
static struct load {
    const char *topic;
    atomic_bool enough;
    _Atomic uint32_t sent;
} load;

static void *send_load(void *unused)
{
    while (!load.enough && load.sent < RECORDS_MAX) {
        ps_test_kafka_send(ps_test_cluster.bootstrap, &(struct ps_test_sent){.topic = load.topic,
                                                                             .first = load.sent,
                                                                             .count = CHUNK,
                                                                             .size = 100,
                                                                             .partitions = PARTITIONS});
        load.sent += CHUNK;
        usleep(400000);
    }
    return NULL;
}

/* One cycle of all members; deliveries are late, one batch per cycle. */
static void cycle(struct ps_test_member **members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (members[i] == NULL)
            continue;
        ps_test_member_cycle(members[i]);
        ps_test_member_deliver(members[i], members[i]->held_count > 50 ? members[i]->held_count - 50 : 1);
    }
    usleep(2000);
}

/* The number of different records that came. */
static size_t received(struct ps_test_member **members)
{
    static unsigned char seen[RECORDS_MAX];
    static size_t looked[2], unique;
    if (members == NULL) {
        memset(seen, 0, sizeof seen);
        memset(looked, 0, sizeof looked);
        unique = 0;
        return 0;
    }
    for (size_t m = 0; m < 2; m++) {
        for (; looked[m] < members[m]->received_count; looked[m]++) {
            unsigned char *flag = &seen[members[m]->received[looked[m]].sequence];
            unique += *flag == 0;
            *flag = 1;
        }
    }
    return unique;
}

/* Checks the order; it may go back to records that were not committed when a partition is assigned again. */
static void assert_order(const struct ps_test_member *member)
{
    int64_t last[PARTITIONS] = {-1, -1, -1, -1};
    unsigned back = 0;
    for (size_t i = 0; i < member->received_count; i++) {
        const struct ps_test_received *record = &member->received[i];
        back += record->offset <= last[record->partition];
        last[record->partition] = record->offset;
    }
    assert_true(back <= PARTITIONS * 3);
}

/* Returns whether the member has read from every partition since it had `before` records. */
static bool reads_all(const struct ps_test_member *member, size_t before)
{
    bool reads[PARTITIONS] = {false};
    unsigned count = 0;
    for (size_t i = before; i < member->received_count; i++) {
        bool *one = &reads[member->received[i].partition];
        count += !*one;
        *one = true;
    }
    return count == PARTITIONS;
}

static void run(const char *topic, const char *group, const char *strategy)
{
    pthread_t thread;
    const char *keys[] = {"kafka.topics", topic, "kafka.consumer.partition.assignment.strategy", strategy,
                          NULL};
    struct ps_test_member *members[2] = {NULL, NULL};
    ps_test_topic(topic, PARTITIONS);
    load = (struct load){.topic = topic};
    assert_int_equal(pthread_create(&thread, NULL, send_load, NULL), 0);

    members[0] = ps_test_member_create(ps_test_cluster.bootstrap, group, keys);
    members[0]->hold = true;
    uint64_t until = ps_test_patience_end_ns();
    while (members[0]->received_count < 100 && ps_test_patient_ns() < until)
        cycle(members, 2);

    members[1] = ps_test_member_create(ps_test_cluster.bootstrap, group, keys);
    members[1]->hold = true;
    until = ps_test_patience_end_ns();
    while (members[1]->received_count < 100 && ps_test_patient_ns() < until)
        cycle(members, 2);
    assert_true(members[1]->received_count >= 100);

    /* The first one leaves; the second takes everything over. */
    bool left = false;
    until = ps_test_patience_end_ns();
    while (!left && ps_test_patient_ns() < until) {
        struct ps_test_stage *stage = &members[0]->stage;
        cycle(members, 2);
        left = stage->ops->source->drain(stage->plan, stage->state, &stage->now);
    }
    assert_true(left);
    size_t before = members[1]->received_count;
    until = ps_test_patience_end_ns();
    while (!reads_all(members[1], before) && ps_test_patient_ns() < until)
        cycle(members, 2);
    assert_true(reads_all(members[1], before));
    load.enough = true;
    pthread_join(thread, NULL);
    received(NULL);
    until = ps_test_patience_end_ns();
    while (received(members) < load.sent && ps_test_patient_ns() < until)
        cycle(members, 2);
    ps_test_members_check(members, 2, load.sent);
    for (size_t i = 0; i < 2; i++)
        assert_order(members[i]);
    members[1]->hold = false;
    ps_test_member_deliver(members[1], SIZE_MAX);
    assert_true(ps_test_member_drain(members[1], PS_TEST_PATIENCE_MS));
    for (int32_t partition = 0; partition < PARTITIONS; partition++)
        assert_int_equal(ps_test_kafka_committed(ps_test_cluster.bootstrap, group, topic, partition),
                         load.sent / PARTITIONS);
    for (size_t i = 0; i < 2; i++)
        ps_test_member_destroy(members[i]);
}

static void test_eager(void **state)
{
    run("eager", "g-eager", "org.apache.kafka.clients.consumer.RangeAssignor");
}

static void test_cooperative(void **state)
{
    run("cooperative", "g-cooperative", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eager),
        cmocka_unit_test(test_cooperative),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
