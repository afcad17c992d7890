/* Replicas that are read instead of leaders (KIP-392): what a member with client.rack does when the replica that a leader names answers
 * with an error, or goes away. tests/real/kafka_rack_test.sh has real brokers. */
#include "core/log/log.h"
#include "stages/lib/kafka/errors.h"
#include "stages/lib/kafka/fetch/fetch_internal.h"
#include "tests/support/kafka/fetch_run.h"

#define OFFSET_NOT_AVAILABLE 78

static struct run run;

static void begin_in_rack(const char *rack)
{
    const struct ps_pair options[] = {{.key = "client.rack", .value = rack},
                                      {.key = "topic.metadata.refresh.interval.ms", .value = "1000"}};
    begin(&run, 1, options, PS_COUNT_OF(options));
    run.group.has_racks = true;
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        run.group.logs[i].leader = 0;
}

static void append_to_all(void)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        ps_test_group_append_plain(&run.group, i, 2);
}

static void read_more(void)
{
    append_to_all();
    read_all(&run);
}

static void turn_for(uint64_t ms)
{
    for (uint64_t until_ns = run.group.now_ns + ms * PS_NS_PER_MS; run.group.now_ns < until_ns;) {
        turn(&run);
        deliver(&run);
    }
}

/* No record is lost or read twice, and no offset was chosen anew. */
static void end_well(void)
{
    unsigned listed = run.group.asked[PS_TEST_KEY_LIST_OFFSETS];
    read_more();
    assert_false(run.dead);
    assert_int_equal(run.again, 0);
    assert_int_equal(run.group.asked[PS_TEST_KEY_LIST_OFFSETS], listed);
    stop(&run);
    check_committed(&run);
    end(&run);
}

static void test_replica_is_read(void **state)
{
    begin_in_rack("b");
    for (unsigned round = 0; round < 5; round++)
        read_more();
    assert_in_range(run.group.counts.by_replicas, 3 * 5, UINT32_MAX);
    assert_int_equal(run.group.counts.by_leaders, 0);
    end_well();
}

static void test_without_a_rack(void **state)
{
    begin_in_rack("");
    read_more();
    assert_int_equal(run.group.counts.by_replicas, 0);
    end_well();
}

/* Leaders are asked again after metadata.max.age.ms: they may name another replica, or none. */
static void test_for_a_time(void **state)
{
    begin_in_rack("b");
    read_more();
    turn_for(900);
    unsigned fetches = run.group.fetches[0];
    turn_for(400);
    assert_in_range(run.group.fetches[0], fetches + 1, UINT32_MAX); /* the leader has got a request */
    end_well();
}

/* After any error of the replica the leader is read; OFFSET_OUT_OF_RANGE says nothing about the leader's log. */
static void test_errors_of_a_replica(void **state)
{
    static const int16_t errors[] = {PS_KAFKA_ERROR_OFFSET_OUT_OF_RANGE,
                                     PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION,
                                     PS_KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER,
                                     PS_KAFKA_ERROR_REPLICA_NOT_AVAILABLE,
                                     PS_KAFKA_ERROR_KAFKA_STORAGE_ERROR,
                                     PS_KAFKA_ERROR_FENCED_LEADER_EPOCH,
                                     PS_KAFKA_ERROR_UNKNOWN_LEADER_EPOCH,
                                     PS_KAFKA_ERROR_UNKNOWN_TOPIC_ID,
                                     OFFSET_NOT_AVAILABLE};
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        begin_in_rack("b");
        read_more();
        unsigned listed = run.group.asked[PS_TEST_KEY_LIST_OFFSETS];
        run.group.replica_error = errors[i];
        read_more();
        assert_in_range(run.group.counts.by_leaders, 1, UINT32_MAX);
        assert_int_equal(run.group.asked[PS_TEST_KEY_LIST_OFFSETS], listed);
        run.group.replica_error = 0;
        unsigned before = run.group.counts.by_replicas;
        read_more();
        assert_in_range(run.group.counts.by_replicas, before + 1, UINT32_MAX);
        end_well();
    }
}

/* The replica freezes, and then leaves the cluster. Its leader serves meanwhile. */
static void test_replica_goes_away(void **state)
{
    const struct ps_pair options[] = {{.key = "client.rack", .value = "b"},
                                      {.key = "socket.timeout.ms", .value = "1000"}};
    begin(&run, 1, options, PS_COUNT_OF(options));
    run.group.has_racks = true;
    read_more();
    unsigned replica = 1 - run.group.coordinator;
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        run.group.logs[i].leader = run.group.coordinator;
    read_more();
    run.group.frozen = 1U << replica;
    turn_for(100);
    run.group.replica_error = PS_KAFKA_ERROR_REPLICA_NOT_AVAILABLE; /* the leader names it no more */
    run.group.removed = 1U << replica;
    read_more();
    assert_in_range(run.group.counts.by_leaders, 1, UINT32_MAX);
    end_well();
}

/* The leader names a node that cannot be reached: it is asked ten times a second, and not in a circle. */
static void test_named_and_unreachable(void **state)
{
    begin_in_rack("b");
    read_more();
    run.group.coordinator = 0;
    run.group.removed = 1U << 1;
    turn_for(500);
    unsigned before = run.group.asked[PS_TEST_KEY_FETCH];
    turn_for(2000);
    assert_in_range(run.group.asked[PS_TEST_KEY_FETCH] - before, 1, 80);
    run.group.removed = 0;
    end_well();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replica_is_read),   cmocka_unit_test(test_without_a_rack),
        cmocka_unit_test(test_for_a_time),        cmocka_unit_test(test_errors_of_a_replica),
        cmocka_unit_test(test_replica_goes_away), cmocka_unit_test(test_named_and_unreachable),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
