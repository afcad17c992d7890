/* The native fetch client when a topic is created again, more than once, or while the group rebalances, commits are refused, or a leader does
 * not say where its log begins. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include "core/log/log.h"
#include "tests/support/kafka/fetch_run.h"

#define ALL ((1U << PS_TEST_GROUP_PARTITIONS) - 1)
#define ERROR_OUT_OF_RANGE 1
#define ERROR_NOT_LEADER 6
#define ERROR_COORDINATOR_LOADS 14

static const struct ps_pair often = {.key = "topic.metadata.refresh.interval.ms", .value = "50"};
static struct run run;

static const struct ps_kafka_fetch_part *part_of(int32_t number)
{
    const struct ps_kafka_fetch *fetch = (const struct ps_kafka_fetch *)run.reading;
    uint32_t i = 0;
    while (i < fetch->part_count && fetch->parts[i].number != number)
        i++;
    assert_in_range(i, 0, fetch->part_count - 1);
    return &fetch->parts[i];
}

static void append(void)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        ps_test_group_append_plain(&run.group, i, 5);
}

static void turn_only(unsigned turns)
{
    for (unsigned i = 0; i < turns; i++)
        turn(&run); /* nothing is delivered */
}

static void turn_often(unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        turn(&run);
        deliver(&run);
    }
}

static void fail_from_now(int16_t key, int16_t error, unsigned count)
{
    run.group.fail_key = key;
    run.group.fail_error = error;
    run.group.fail_at = run.group.asked[key] + 1;
    run.group.fail_last = count < UINT32_MAX ? run.group.asked[key] + count : UINT32_MAX;
}

static void read_and_commit(void)
{
    for (unsigned i = 0; i < 4; i++)
        append();
    read_all(&run);
    turn_often(400);
    assert_int_equal(run.group.logs[0].committed, run.group.logs[0].end);
}

/* The coordinator takes the offset of the former topic for the new one, which has this number of partitions. */
static void make_anew(unsigned partitions)
{
    int64_t committed = run.group.logs[0].committed;
    ps_test_group_make_anew(&run.group);
    run.group.partitions = partitions;
    run.group.logs[0].committed = run.group.logs[0].delivered = committed;
}

static void finish(void)
{
    read_all(&run);
    assert_false(run.dead);
    stop(&run);
    check_committed(&run);
    end(&run);
}

/* A leader reports that its log is shorter after the group has revoked the partition from a cooperative member that
 * still waits for deliveries. The member commits the lower offset, and does not get the partition back. */
static void test_answer_after_a_revocation(void **state)
{
    static const struct ps_pair cooperative = {.key = "partition.assignment.strategy",
                                               .value = "cooperative-sticky"};
    begin(&run, 1, &cooperative, 1);
    run.group.cooperative = true;
    read_and_commit();
    ps_test_group_append_plain(&run.group, 1, 5);
    turn_only(200);
    assert_int_equal(run.waiting_count, 1);
    run.group.stalls = true;
    ps_test_group_truncate(&run.group, 0);
    int64_t before = run.group.logs[0].committed;
    turn_only(200);
    assert_int_equal(part_of(0)->state, PS_KAFKA_PART_CHECKED);
    run.group.share = 4;
    run.group.rebalances = true;
    turn_only(200);
    run.group.stalls = false;
    turn_only(200);
    assert_int_equal(run.reading->streams->items[0].state, PS_KAFKA_STREAM_REVOKING);
    assert_int_equal(run.group.claimed, ALL);
    turn_often(600);
    assert_int_equal(run.group.claimed, 4);
    assert_int_equal(run.group.owned, 4);
    assert_true(run.group.logs[0].end < before);
    assert_int_equal(run.group.logs[0].committed, run.group.logs[0].end);
    stop(&run);
    end(&run);
}

/* The new topic has fewer partitions, so the group rebalances. The commit of the lower offset is refused at first, and made again before
 * the partition is given up. */
static void test_lowered_although_refused(void **state)
{
    for (unsigned in_sink = 0; in_sink < 2; in_sink++) {
        begin_with(&run, 1, &often, 1, in_sink != 0);
        run.group.leads = true;
        read_and_commit();
        unsigned read = run.read;
        fail_from_now(PS_TEST_KEY_COMMIT, ERROR_COORDINATOR_LOADS, 2);
        make_anew(1);
        for (unsigned i = 0; i < 8; i++)
            ps_test_group_append_plain(&run.group, 0, 5);
        turn_often(2000);
        assert_int_equal(run.group.owned, 1);
        assert_int_equal(run.read - read, 40);
        end(&run);
    }
}

/* The topic is created again once more, with fewer partitions, before the lower offset is committed. */
static void test_lowered_in_a_second_life(void **state)
{
    begin(&run, 1, &often, 1);
    run.group.leads = true;
    read_and_commit();
    unsigned read = run.read;
    fail_from_now(PS_TEST_KEY_COMMIT, ERROR_COORDINATOR_LOADS, UINT32_MAX);
    make_anew(PS_TEST_GROUP_PARTITIONS);
    while (part_of(0)->life == 0)
        turn_often(1);
    turn_often(100);
    make_anew(1);
    for (unsigned i = 0; i < 8; i++)
        ps_test_group_append_plain(&run.group, 0, 5);
    while (part_of(0)->topic->lives < 2)
        turn_often(1);
    run.group.fail_last = 0;
    turn_often(2000);
    assert_int_equal(run.group.owned, 1);
    assert_int_equal(run.read - read, 40);
    end(&run);
}

/* The topic is created again while no leader has reported the offset from which a partition is to be read. Offsets of
 * records of the former topic that are delivered later are not committed. */
static void test_made_anew_without_a_place(void **state)
{
    begin(&run, 1, NULL, 0);
    read_and_commit();
    append();
    fail_from_now(PS_TEST_KEY_FETCH, ERROR_OUT_OF_RANGE, UINT32_MAX);
    while (part_of(0)->state != PS_KAFKA_PART_RESET)
        turn_often(1);
    fail_from_now(PS_TEST_KEY_LIST_OFFSETS, ERROR_NOT_LEADER, UINT32_MAX);
    turn_often(100);
    ps_test_group_make_anew(&run.group);
    turn_often(2000);
    unsigned read = run.read;
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        assert_true(run.group.logs[i].committed <= 0);
    run.group.fail_last = 0;
    append();
    read_all(&run);
    assert_int_equal(run.read - read, 5 * PS_TEST_GROUP_PARTITIONS);
    finish();
}

/* The new topic first has fewer partitions, and then gets as many as the former one; no leader of the group takes the partitions away. */
static void test_partitions_come_back(void **state)
{
    begin(&run, 1, &often, 1);
    read_and_commit();
    ps_test_group_make_anew(&run.group);
    run.group.partitions = 1;
    turn_often(600);
    unsigned read = run.read;
    fail_from_now(PS_TEST_KEY_LIST_OFFSETS, ERROR_NOT_LEADER, UINT32_MAX);
    run.group.partitions = PS_TEST_GROUP_PARTITIONS;
    turn_often(2000);
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        assert_true(run.group.logs[i].committed <= 0);
    run.group.fail_last = 0;
    append();
    read_all(&run);
    assert_int_equal(run.read - read, 5 * PS_TEST_GROUP_PARTITIONS);
    finish();
}

/* A topic that kafka.topics.regex matches is deleted. Its offsets are not committed, because it may be created again;
 * when it is there again, all of it is read. */
static void test_topic_of_an_expression(void **state)
{
    expression = "^t$";
    begin(&run, 1, NULL, 0);
    read_and_commit();
    append();
    turn_only(200);
    assert_true(run.waiting_count > 0);
    run.group.sick = ALL;
    run.group.sick_error = 100;
    run.group.unlisted = true;
    run.group.share = 0;
    turn_only(200);
    unsigned commits = run.group.asked[PS_TEST_KEY_COMMIT];
    turn_often(1000);
    assert_int_equal(run.group.asked[PS_TEST_KEY_COMMIT], commits);
    assert_int_equal(run.group.owned, 0);
    ps_test_group_make_anew(&run.group);
    run.group.unlisted = false;
    run.group.sick = 0;
    run.group.share = ALL;
    append();
    unsigned read = run.read;
    ps_kafka_native_want_metadata(((struct ps_kafka_fetch *)run.reading)->client);
    turn_often(600);
    read_all(&run);
    assert_int_equal(run.read - read, 5 * PS_TEST_GROUP_PARTITIONS);
    finish();
    expression = NULL;
}

/* The topic was created again twice, and a broker that is behind still names the first one. */
static void test_late_by_two_lives(void **state)
{
    begin(&run, 1, &often, 1);
    read_and_commit();
    for (unsigned i = 0; i < 2; i++) {
        ps_test_group_make_anew(&run.group);
        append();
        turn_often(400);
        read_all(&run);
    }
    unsigned read = run.read;
    for (unsigned lives = 1; lives <= 2; lives++) {
        run.group.former_lives = lives;
        run.group.former_answers = 1;
        while (run.group.former_answers > 0)
            turn_often(1);
        turn_often(400);
    }
    read_all(&run);
    assert_int_equal(part_of(0)->topic->lives, 2);
    assert_int_equal(run.read, read);
    finish();
}

/* A broker that is not upgraded yet sends no ids, is late, and has the leader epochs of the former topic, which are
 * higher. The other brokers' answers are used nevertheless. */
static void test_epochs_without_an_id(void **state)
{
    begin(&run, 1, &often, 1);
    read_and_commit();
    run.group.no_ids = true;
    run.group.former_answers = 1;
    while (run.group.former_answers > 0)
        turn_often(1);
    turn_often(4);
    run.group.no_ids = false;
    append();
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer_after_a_revocation), cmocka_unit_test(test_lowered_although_refused),
        cmocka_unit_test(test_lowered_in_a_second_life),  cmocka_unit_test(test_made_anew_without_a_place),
        cmocka_unit_test(test_partitions_come_back),      cmocka_unit_test(test_topic_of_an_expression),
        cmocka_unit_test(test_late_by_two_lives),         cmocka_unit_test(test_epochs_without_an_id),
    };
    assert_int_equal(ps_log_open("/dev/null", NULL), PS_OK);
    ps_log_set_level(PS_LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
