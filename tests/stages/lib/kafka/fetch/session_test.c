/* Fetch sessions (KIP-227) of the native fetch client: what its requests name, and brokers that forget a session, have
 * no room for it, or remember something else. The brokers of the test refuse a request that names a partition
 * needlessly. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include "core/log/log.h"
#include "tests/support/kafka/fetch_run.h"

#define ROUNDS 20U

static struct run run;

/* All partitions are on the first node, and are read. */
static void begin_here(void)
{
    begin(&run, 1, NULL, 0);
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        run.group.logs[i].leader = 0;
}

static void append_to_all(void)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        ps_test_group_append_plain(&run.group, i, 2);
}

static void turn_some(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        turn(&run);
        deliver(&run);
    }
}

/* Other members read the partitions that this one does not have. */
static void read_with_others(void)
{
    for (unsigned turns = 0; !has_read_all(&run); turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn_some(1);
        ps_test_group_others_read(&run.group);
    }
}

static void end_well(void)
{
    read_with_others();
    assert_false(run.dead);
    assert_int_equal(run.again, 0);
    stop(&run);
    check_committed(&run);
    end(&run);
}

/* The next request names the partition that was read, and no other. */
static void test_named(void **state)
{
    begin_here();
    append_to_all();
    read_all(&run);
    turn_some(20); /* a request with the offsets of all of them is under way */
    unsigned named = run.group.counts.named, full = run.group.counts.full;
    for (unsigned round = 0; round < ROUNDS; round++) {
        ps_test_group_append_plain(&run.group, 1, 2);
        read_all(&run);
    }
    turn_some(20);
    assert_int_equal(run.group.counts.full, full);
    assert_in_range(run.group.counts.named - named, 1, ROUNDS);
    turn_some(500); /* requests without news */
    assert_in_range(run.group.counts.named - named, 1, ROUNDS);
    assert_int_equal(run.group.counts.full, full);
    end_well();
}

/* A broker that was started again, or that gave the room to others, does not know the session: one request names all
 * partitions. */
static void test_not_found(void **state)
{
    begin_here();
    append_to_all();
    read_all(&run);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        unsigned full = run.group.counts.full;
        ps_test_group_sessions_forget(&run.group);
        append_to_all();
        read_all(&run);
        turn_some(20);
        assert_int_equal(run.group.counts.not_found, round);
        assert_int_equal(run.group.counts.full, full + 1);
    }
    end_well();
}

/* A broker without room for sessions gets all partitions each time; when it has room again, a session is used. */
static void test_no_room(void **state)
{
    begin_here();
    run.group.no_sessions = true;
    for (unsigned round = 0; round < ROUNDS; round++) {
        append_to_all();
        read_all(&run);
    }
    assert_int_equal(run.group.counts.incremental, 0);
    assert_in_range(run.group.counts.full, ROUNDS, UINT32_MAX);
    assert_int_equal(run.group.counts.not_found, 0);
    run.group.no_sessions = false;
    append_to_all();
    read_all(&run);
    turn_some(500);
    assert_true(run.group.counts.incremental > 0);
    end_well();
}

/* The next request to the former leader names all partitions that it still leads. */
static void test_leaders_move(void **state)
{
    begin_here();
    for (unsigned round = 0; round < ROUNDS; round++) {
        append_to_all();
        read_all(&run);
        ps_test_group_move_leader(&run.group, round % PS_TEST_GROUP_PARTITIONS);
    }
    for (unsigned node = 0; node < PS_TEST_GROUP_NODES; node++)
        assert_in_range(run.group.sessions[node].count, 0, PS_TEST_GROUP_PARTITIONS - 1);
    end_well();
}

/* The leader of the only partition of a session is elected again, with another epoch: it learns that epoch. */
static void test_new_epoch(void **state)
{
    begin_here();
    run.group.share = 1;
    for (unsigned round = 0; round < ROUNDS; round++) {
        run.group.logs[0].epoch++;
        append_to_all();
        read_with_others();
    }
    end_well();
}

/* An answer is lost: nobody knows whether the broker has carried the request out. */
static void test_lost(void **state)
{
    begin_here();
    append_to_all();
    read_all(&run);
    for (unsigned round = 0; round < ROUNDS; round++) {
        turn_some(20);
        unsigned full = run.group.counts.full;
        ps_test_connections_break(&run.group.nodes[0]);
        append_to_all();
        read_all(&run);
        turn_some(20);
        assert_int_equal(run.group.counts.full, full + 1);
    }
    assert_int_equal(run.group.counts.not_found, 0);
    end_well();
}

/* The member gives its partitions up, and gets others. */
static void test_rebalances(void **state)
{
    begin_here();
    for (unsigned round = 0; round < ROUNDS; round++) {
        append_to_all();
        run.group.share = 1 + round % ((1U << PS_TEST_GROUP_PARTITIONS) - 1);
        run.group.rebalances = true;
        read_with_others();
    }
    run.group.share = (1U << PS_TEST_GROUP_PARTITIONS) - 1;
    run.group.rebalances = true;
    end_well();
}

/* The broker answers for a partition that is not in its session: the next request names all partitions. */
static void test_strange(void **state)
{
    begin_here();
    run.group.share = 1;
    append_to_all();
    read_with_others();
    turn_some(200);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned full = run.group.counts.full;
        run.group.strange = true;
        ps_test_group_append_plain(&run.group, 0, 2);
        read_with_others();
        turn_some(20);
        assert_false(run.group.strange);
        assert_int_equal(run.group.counts.full, full + 1);
    }
    end_well();
}

/* The answer lacks a partition that was named: the broker may not remember it. */
static void test_left_out(void **state)
{
    begin_here();
    run.group.leaves_last = true;
    for (unsigned round = 0; round < ROUNDS; round++) {
        append_to_all();
        read_all(&run);
    }
    assert_int_equal(run.group.counts.incremental, 0);
    end_well();
}

/* After the largest epoch comes the first one. */
static void test_largest_epoch(void **state)
{
    begin_here();
    append_to_all();
    read_all(&run);
    turn_some(20);
    struct ps_kafka_fetch *fetch = (struct ps_kafka_fetch *)run.reading;
    struct ps_kafka_native_broker *broker = ps_kafka_native_find_node(fetch->client, 0);
    assert_true(broker->fetch.asked);
    broker->fetch.session.asked_epoch = INT32_MAX - 2;
    run.group.sessions[0].epoch = INT32_MAX - 1;
    unsigned full = run.group.counts.full;
    for (unsigned round = 0; round < ROUNDS; round++) {
        append_to_all();
        read_all(&run);
        turn_some(20);
    }
    assert_in_range(broker->fetch.session.asked_epoch, 1, 1000);
    assert_int_equal(run.group.counts.full, full);
    end_well();
}

/* Brokers before Kafka 1.1 have no sessions. */
static void test_old(void **state)
{
    begin_here();
    run.group.old = true;
    for (unsigned round = 0; round < ROUNDS; round++) {
        append_to_all();
        read_all(&run);
    }
    assert_int_equal(run.group.counts.full + run.group.counts.incremental, 0);
    end_well();
}

/* A session uses names of topics, or ids: when the brokers begin to send the id, the broker refuses the old session,
 * and another one begins. */
static void test_ids(void **state)
{
    static const struct ps_pair often = {.key = "topic.metadata.refresh.interval.ms", .value = "50"};
    begin(&run, 1, &often, 1);
    run.group.no_ids = true;
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        run.group.logs[i].leader = 0;
    append_to_all();
    read_all(&run);
    turn_some(200);
    assert_int_equal(run.group.counts.by_ids, 0);
    unsigned full = run.group.counts.full;
    run.group.no_ids = false;
    turn_some(200);
    append_to_all();
    read_all(&run);
    assert_int_equal(run.group.counts.full, full + 1);
    assert_true(run.group.counts.by_ids > 0);
    end_well();
}

/* Brokers before Kafka 3.1 have no ids in Fetch, also if their metadata has. */
static void test_names(void **state)
{
    begin_here();
    run.group.names_topics = true;
    for (unsigned round = 0; round < ROUNDS; round++) {
        append_to_all();
        read_all(&run);
    }
    assert_int_equal(run.group.counts.by_ids, 0);
    assert_int_equal(run.group.counts.full, 1);
    end_well();
}

/* A broker refuses a session because it takes it for one with the other form (names or ids). */
static void test_other_form(void **state)
{
    begin_here();
    append_to_all();
    read_all(&run);
    for (unsigned round = 0; round < ROUNDS; round++) {
        turn_some(20);
        unsigned full = run.group.counts.full;
        for (unsigned node = 0; node < PS_TEST_GROUP_NODES; node++)
            run.group.sessions[node].by_ids = false;
        append_to_all();
        read_all(&run);
        turn_some(20);
        assert_int_equal(run.group.counts.full, full + 1);
    }
    end_well();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named),         cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_no_room),       cmocka_unit_test(test_leaders_move),
        cmocka_unit_test(test_lost),          cmocka_unit_test(test_rebalances),
        cmocka_unit_test(test_strange),       cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_largest_epoch), cmocka_unit_test(test_old),
        cmocka_unit_test(test_ids),           cmocka_unit_test(test_names),
        cmocka_unit_test(test_other_form),    cmocka_unit_test(test_new_epoch),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
