/* The native client against one broker whose answers are written here: the consequence of each outcome, and that a failure
 * does not disturb later requests. Time is the test's: a turn is a millisecond. */
#include <stdio.h>

#include "stages/lib/kafka/errors.h"
#include "stages/lib/kafka/cluster/native_internal.h"
#include "tests/support/kafka/native_run.h"

#define LIBRARY_FATAL (-150)
#define LONG_TURN_NS (20 * PS_NS_PER_MS) /* so that times pass in fewer turns */
#define ERROR_TIMED_OUT 7
#define ERROR_FEW_REPLICAS_AFTER_APPEND 20

/* ---- connections that are lost ---- */

/* The broker closes the connection in the middle of an answer: its first bytes do not become part of the next
 * connection's. */
static void test_torn_answer(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    submit(&run);
    const struct ps_test_request request = expect(&run, KEY_METADATA);
    answer(&run, &request, 10);
    turn(&run);
    ps_test_broker_hang_up(&run.broker);
    const struct produced produced = expect_produce(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 1);
    assert_int_equal(run.reports[0].error, 0);
    assert_int_equal(run.broker.connections, 2);
    end(&run);
}

/* More connections are lost than requests may be under way: each of them with a request that nobody answers. */
static void test_lost_requests(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    submit(&run);
    for (unsigned i = 0; i < 12; i++) {
        const struct produced lost = expect_produce(&run);
        assert_int_equal(lost.sequence, 0);
        ps_test_broker_hang_up(&run.broker);
    }
    const struct produced produced = expect_produce(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 1);
    assert_int_equal(run.reports[0].error, 0);
    deliver(&run);
    end(&run);
}

/* The backoff before a new connection grows with failures in a row, and begins again after a connection that worked. */
static void test_rest_begins_again(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    submit(&run);
    for (unsigned i = 0; i < 10; i++) {
        (void)expect(&run, KEY_VERSIONS);
        ps_test_broker_hang_up(&run.broker);
    }
    const struct produced produced = expect_produce(&run);
    assert_true(run.now.mono_ns > 1010 * PS_NS_PER_S); /* 100 ms, 200 ms, .., 6.4 s, less a fifth */
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 1);
    submit(&run);
    (void)expect_produce(&run);
    ps_test_broker_hang_up(&run.broker);
    uint64_t lost_ns = run.now.mono_ns;
    (void)expect(&run, KEY_VERSIONS);
    assert_in_range(run.now.mono_ns - lost_ns, 80 * PS_NS_PER_MS, 130 * PS_NS_PER_MS);
    end(&run);
}

/* ---- what was sent, and what was not ---- */

/* The first record, whose request was sent, may be in the log; the second, whose request was not sent, is not. */
static void test_purge_says_what_was_sent(void **state)
{
    struct run run;
    begin(&run, "max.in.flight.requests.per.connection", "1");
    submit(&run);
    (void)expect_produce(&run);
    submit(&run);
    ps_test_broker_hang_up(&run.broker);
    for (unsigned i = 0; i < 5; i++)
        turn(&run);
    ps_kafka_native.purge(run.producer, false);
    wait_for_reports(&run, 2);
    assert_int_equal(run.reports[0].error, LIBRARY_PURGED_IN_FLIGHT);
    assert_true(run.reports[0].perhaps_written);
    assert_int_equal(run.reports[1].error, LIBRARY_PURGED_QUEUE);
    assert_false(run.reports[1].perhaps_written);
    end(&run);
}

/* A batch that was being sent again is purged: the partition goes on with the next. */
static void test_purge_of_repetition(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    submit(&run);
    (void)expect_produce(&run);
    ps_test_broker_hang_up(&run.broker);
    (void)expect_produce(&run);
    ps_kafka_native.purge(run.producer, true);
    wait_for_reports(&run, 1);
    assert_int_equal(run.reports[0].error, LIBRARY_PURGED_IN_FLIGHT);
    assert_true(run.reports[0].perhaps_written);
    deliver(&run);
    end(&run);
}

/* A batch waits to be sent again after each error that ends by itself: only two of them say that the records may be in the log. */
static void test_purge_after_each_error(void **state)
{
    unsigned asked = 0;
    for (size_t i = 0; i < ps_kafka_error_count; i++) {
        const struct ps_kafka_error *error = &ps_kafka_errors[i];
        bool perhaps = error->code == ERROR_TIMED_OUT || error->code == ERROR_FEW_REPLICAS_AFTER_APPEND;
        if (error->outcome != PS_KAFKA_AGAIN || error->code < -1)
            continue;
        struct run run;
        begin(&run, "retry.backoff.ms", "60000");
        submit(&run);
        const struct produced produced = expect_produce(&run);
        answer_produce(&run, &produced, (int16_t)error->code, 0);
        for (unsigned turns = 0; turns < 5; turns++)
            turn(&run);
        ps_kafka_native.purge(run.producer, true);
        wait_for_reports(&run, 1);
        if (run.reports[0].perhaps_written != perhaps)
            fail_msg("%s: perhaps written is %d", error->name, run.reports[0].perhaps_written);
        assert_int_equal(run.reports[0].error, perhaps ? LIBRARY_PURGED_IN_FLIGHT : LIBRARY_PURGED_QUEUE);
        end(&run);
        asked++;
    }
    assert_in_range(asked, 20, ps_kafka_error_count);
}

/* ---- topics and partitions ---- */

/* The first partition that does not exist, before the topic is known and after. */
static void test_partition_behind_the_last(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    run.cluster.partitions = 3;
    assert_int_equal(submit_of(&run, "a", 1, 3), 0);
    wait_for_reports(&run, 1);
    assert_int_equal(run.reports[0].error, LIBRARY_UNKNOWN_PARTITION);
    assert_string_equal(run.reports[0].topic, "t");
    assert_int_equal(submit_of(&run, "a", 1, 3), LIBRARY_UNKNOWN_PARTITION);
    assert_int_equal(submit_of(&run, "a", 1, 2), 0);
    const struct produced produced = expect_produce(&run);
    assert_int_equal(produced.partition, 2);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 2);
    assert_int_equal(run.reports[1].error, 0);
    end(&run);
}

/* No broker knows the topic: the first record waits as long as a new topic may be unknown, each later one only for an answer
 * that is newer than the record. A topic that appears between two records is written to. */
static void test_unknown_topic(void **state)
{
    struct run run;
    begin(&run, "topic.metadata.propagation.max.ms", "2000");
    run.cluster.error = ERROR_UNKNOWN_TOPIC;
    for (unsigned i = 0; i < 3; i++) {
        uint64_t since_ns = run.now.mono_ns;
        submit(&run);
        wait_for_reports(&run, i + 1);
        assert_int_equal(run.reports[i].error, LIBRARY_UNKNOWN_TOPIC);
        assert_string_equal(run.reports[i].topic, "t");
        if (i == 0)
            assert_in_range(run.reports[i].at_ns - since_ns, 1990 * PS_NS_PER_MS, 2200 * PS_NS_PER_MS);
        else
            assert_in_range(run.reports[i].at_ns - since_ns, 1, 300 * PS_NS_PER_MS);
    }
    run.cluster.error = 0;
    submit(&run);
    const struct produced produced = expect_produce(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 4);
    assert_int_equal(run.reports[3].error, 0);
    end(&run);
}

/* A broker that is behind reports an older leader epoch: the leader stays (KIP-320). */
static void test_late_metadata(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    run.cluster.epoch = 5;
    submit(&run);
    struct produced produced = expect_produce(&run);
    run.cluster.epoch = 4;
    run.cluster.leader = -1;
    for (unsigned i = 0; i < METADATA_REST_TURNS; i++)
        turn(&run);
    answer_produce(&run, &produced, ERROR_NOT_LEADER, 0);
    const struct ps_test_request request = expect(&run, KEY_METADATA);
    answer(&run, &request, UINT32_MAX);
    produced = expect_produce(&run);
    assert_int_equal(produced.sequence, 0);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 1);
    assert_int_equal(run.reports[0].error, 0);
    end(&run);
}

/* Every batch gets this error until the producer ends. */
static void deny_until_the_end(struct run *run, int16_t error, int32_t partition)
{
    struct ps_test_request request;
    run->may_die = true;
    for (unsigned turns = 0; run->fatal == 0; turns++) {
        assert_in_range(turns, 0, 1000);
        turn(run);
        while (ps_test_broker_ask(&run->broker, &request)) {
            const struct produced produced = {.request = request, .batches = 1, .partition = partition};
            if (request.key == KEY_PRODUCE)
                answer_produce(run, &produced, error, 0);
            else
                answer(run, &request, UINT32_MAX);
        }
    }
    assert_int_equal(run->fatal, LIBRARY_FATAL);
}

/* The topic was deleted and created again, but no answer says so: leader epochs begin with 0, and the known leader denies
 * it. The producer ends once the record has waited topic.metadata.propagation.max.ms, not before: the answers may be
 * outdated. */
static void test_topic_made_anew(void **state)
{
    struct run run;
    begin(&run, "topic.metadata.propagation.max.ms", "2000");
    run.turn_ns = LONG_TURN_NS;
    run.cluster.epoch = 5;
    deliver(&run);
    run.cluster.epoch = 0;
    for (unsigned i = 0; i < 3; i++) { /* the leader takes the record in the end */
        submit(&run);
        for (uint64_t until_ns = run.now.mono_ns + 1800 * PS_NS_PER_MS; run.now.mono_ns < until_ns;) {
            const struct produced denied = expect_produce(&run);
            answer_produce(&run, &denied, ERROR_NOT_LEADER, 0);
        }
        const struct produced produced = expect_produce(&run);
        answer_produce(&run, &produced, 0, 0);
        wait_for_reports(&run, 2 + i);
    }
    uint64_t since_ns = run.now.mono_ns;
    submit(&run);
    deny_until_the_end(&run, ERROR_NOT_LEADER, 0);
    assert_in_range(run.now.mono_ns - since_ns, 2000 * PS_NS_PER_MS, 2400 * PS_NS_PER_MS);
    end(&run);
}

/* A partition has had no leader for longer than topic.metadata.propagation.max.ms, and its record waits. A broker that
 * has not heard of it answers with the former leader: this answer is outdated, and no sign of another topic. */
static void test_late_answer_of_a_partition_without_a_leader(void **state)
{
    struct run run;
    struct ps_test_request request;
    begin(&run, "topic.metadata.propagation.max.ms", "2000");
    run.cluster.epoch = 5;
    deliver(&run);
    submit(&run);
    const struct produced denied = expect_produce(&run);
    run.cluster.leader = -1;
    run.cluster.epoch = 6;
    for (unsigned i = 0; i < METADATA_REST_TURNS; i++)
        turn(&run);
    answer_produce(&run, &denied, ERROR_NOT_LEADER, 0);
    request = expect(&run, KEY_METADATA);
    answer(&run, &request, UINT32_MAX);
    run.turn_ns = LONG_TURN_NS;
    for (unsigned i = 0; i < 3; i++) {
        for (uint64_t until_ns = run.now.mono_ns + 3000 * PS_NS_PER_MS; run.now.mono_ns < until_ns;) {
            request = expect(&run, KEY_METADATA);
            answer(&run, &request, UINT32_MAX);
        }
        request = expect(&run, KEY_METADATA);
        run.cluster.epoch = 5;
        answer(&run, &request, UINT32_MAX);
        turn(&run);
        run.cluster.epoch = 6;
    }
    request = expect(&run, KEY_METADATA);
    run.cluster.leader = 0;
    run.cluster.epoch = 7;
    answer(&run, &request, UINT32_MAX);
    const struct produced produced = expect_produce(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 2);
    assert_int_equal(run.reports[1].error, 0);
    end(&run);
}

/* Gives two answers to Metadata: the partition has no leader, then an outdated one with the former leader. */
static void lose_the_leader(struct run *run)
{
    run->now.mono_ns += PS_NS_PER_S;
    struct ps_test_request request = expect(run, KEY_METADATA);
    run->cluster.leader = -1;
    run->cluster.epoch = 6;
    answer(run, &request, UINT32_MAX);
    request = expect(run, KEY_METADATA);
    run->cluster.leader = 0;
    run->cluster.epoch = 5;
    answer(run, &request, UINT32_MAX);
    for (unsigned i = 0; i < 20; i++)
        turn(run);
    run->cluster.epoch = 7;
}

/* No record waits for the leader: the client keeps asking, so that the next record finds it. */
static void test_late_answer_while_no_record_waits(void **state)
{
    struct run run;
    begin(&run, "topic.metadata.refresh.interval.ms", "1000");
    run.cluster.epoch = 5;
    deliver(&run);
    lose_the_leader(&run);
    uint64_t since_ns = run.now.mono_ns;
    submit(&run);
    const struct produced produced = expect_produce(&run);
    assert_in_range(run.now.mono_ns - since_ns, 0, 500 * PS_NS_PER_MS);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 2);
    assert_int_equal(run.reports[1].error, 0);
    end(&run);
}

/* A partition that has no record has no leader: the client asks for it more and more seldom. A record for it ends the
 * wait. */
static void test_unused_partition_without_a_leader(void **state)
{
    struct run run;
    struct ps_test_request request;
    unsigned asked = 0;
    begin(&run, "client.id", "c");
    run.cluster.partitions = 2;
    run.cluster.last_has_none = true;
    deliver(&run);
    for (unsigned i = 0; i < 10000; i++) {
        turn(&run);
        while (ps_test_broker_ask(&run.broker, &request)) {
            assert_int_equal(request.key, KEY_METADATA);
            asked++;
            answer(&run, &request, UINT32_MAX);
        }
    }
    assert_in_range(asked, 4, 8); /* after 100, 200, .. ms, and each 5 s */
    run.cluster.last_has_none = false;
    uint64_t since_ns = run.now.mono_ns;
    assert_int_equal(submit_of(&run, "value", 5, 1), 0);
    const struct produced produced = expect_produce(&run);
    assert_int_equal(produced.partition, 1);
    assert_in_range(run.now.mono_ns - since_ns, 0, 120 * PS_NS_PER_MS);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 2);
    end(&run);
}

/* The topic is created again with fewer partitions. The producer continues as long as no record is for a missing partition. */
static void test_topic_made_anew_with_fewer_partitions(void **state)
{
    struct run run;
    begin(&run, "topic.metadata.propagation.max.ms", "2000");
    run.turn_ns = LONG_TURN_NS;
    run.cluster.partitions = 3;
    for (unsigned i = 0; i < 3; i++)
        deliver(&run);
    run.cluster.partitions = 1;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(submit_of(&run, "value", 5, 0), 0);
        struct produced produced = expect_produce(&run);
        answer_produce(&run, &produced, ERROR_NOT_LEADER, 0);
        produced = expect_produce(&run);
        answer_produce(&run, &produced, 0, 0);
        wait_for_reports(&run, 4 + i);
        for (unsigned turns = 0; turns < 150; turns++)
            turn(&run);
    }
    uint64_t since_ns = run.now.mono_ns;
    assert_int_equal(submit_of(&run, "value", 5, 2), 0);
    deny_until_the_end(&run, ERROR_UNKNOWN_TOPIC, 2);
    assert_in_range(run.now.mono_ns - since_ns, 2000 * PS_NS_PER_MS, 2400 * PS_NS_PER_MS);
    end(&run);
}

/* Returns whether a batch that comes while another one is in flight is sent at once. Both are written in the end. */
static bool sends_two(struct run *run)
{
    unsigned before = run->report_count;
    struct ps_test_request request;
    struct produced second = {.batches = 0};
    submit(run);
    const struct produced first = expect_produce(run);
    submit(run);
    for (unsigned turns = 0; turns < 50 && second.batches == 0; turns++) {
        turn(run);
        if (ps_test_broker_ask(&run->broker, &request)) {
            assert_int_equal(request.key, KEY_PRODUCE);
            second = (struct produced){.request = request, .batches = 1};
        }
    }
    bool both = second.batches > 0;
    answer_produce(run, &first, 0, 0);
    if (!both)
        second = expect_produce(run);
    answer_produce(run, &second, 0, 0);
    wait_for_reports(run, before + 2);
    return both;
}

/* A new leader may have another log, which does not know the producer, and would take a later batch before an earlier one: the
 * first batch goes alone. This holds for the same broker, too. */
static void test_first_set_for_each_leader(void **state)
{
    struct run run;
    begin(&run, "topic.metadata.refresh.interval.ms", "10000");
    run.cluster.epoch = 5;
    assert_false(sends_two(&run));
    for (unsigned i = 0; i < 2; i++) {
        assert_true(sends_two(&run));
        run.cluster.epoch += i == 0;
        run.now.mono_ns += 10 * PS_NS_PER_S;
        const struct ps_test_request request = expect(&run, KEY_METADATA);
        answer(&run, &request, UINT32_MAX);
        turn(&run);
        assert_int_equal(sends_two(&run), i > 0);
    }
    end(&run);
}

/* The old leader has written a batch, but answers after another broker has answered Metadata: its answer does not say
 * what the new leader has. */
static void test_old_leader_answers_late(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    deliver(&run);
    submit(&run);
    const struct produced produced = expect_produce(&run);
    const struct ps_kafka_native *client = (const struct ps_kafka_native *)run.producer;
    struct ps_kafka_native_partition *partition = ps_kafka_native_topic_find(client, "t", 1)->partitions[0];
    struct ps_kafka_native_broker *leader = partition->leader;
    ps_kafka_native_partition_lead(partition, NULL);
    ps_kafka_native_partition_lead(partition, leader);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 2);
    assert_false(sends_two(&run));
    assert_true(sends_two(&run));
    end(&run);
}

/* The old leader has denied a batch, and the new one gets it late. A broker that is behind still names the old leader:
 * that is no reason to give up, although the batch has waited a long time. */
static void test_late_metadata_before_a_repetition(void **state)
{
    const struct ps_pair pairs[] = {
        {.key = "topic.metadata.propagation.max.ms", .value = "2000"},
        {.key = "topic.metadata.refresh.interval.ms", .value = "500"},
        {.key = "retry.backoff.ms", .value = "4000"},
    };
    struct run run;
    begin_with(&run, "127.0.0.1", pairs, PS_COUNT_OF(pairs));
    run.turn_ns = LONG_TURN_NS;
    run.cluster.epoch = 5;
    deliver(&run);
    submit(&run);
    struct produced produced = expect_produce(&run);
    run.cluster.epoch = 6;
    answer_produce(&run, &produced, ERROR_NOT_LEADER, 0);
    const struct ps_test_request request = expect(&run, KEY_METADATA);
    answer(&run, &request, UINT32_MAX);
    turn(&run);
    run.cluster.epoch = 5;
    produced = expect_produce(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 2);
    assert_int_equal(run.reports[1].error, 0);
    end(&run);
}

/* Topics come from headers: more of them than are kept. One that was written to stays, because its sequence continues. */
static void test_sequence_outlives_other_topics(void **state)
{
    struct run run;
    char name[16];
    begin(&run, "client.id", "c");
    deliver(&run);
    for (unsigned i = 0; i < 1200; i++) {
        int length = snprintf(name, sizeof name, "x%u", i);
        assert_non_null(ps_kafka_native.topic(run.producer, name, (uint32_t)length));
    }
    submit(&run);
    const struct produced produced = expect_produce(&run);
    assert_int_equal(produced.sequence, 1);
    end(&run);
}

/* The 2^31st request, after weeks: the number of a request begins at 0 again. */
static void test_number_of_a_request_wraps(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    deliver(&run);
    ((struct ps_kafka_native *)(void *)run.producer)->correlation = INT32_MAX;
    for (unsigned i = 0; i < 3; i++)
        deliver(&run);
    end(&run);
}

/* ---- limits ---- */

/* If two batches are together longer than a request may be, they are sent in two requests. */
static void test_request_limit(void **state)
{
    static char value[500];
    struct run run;
    begin(&run, "message.max.bytes", "1000");
    run.cluster.partitions = 2;
    assert_int_equal(submit_of(&run, value, sizeof value, 0),
                     0); /* a request of its own: the partitions are not known yet */
    struct produced produced = expect_produce(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 1);
    assert_int_equal(submit_of(&run, value, sizeof value, 0), 0);
    assert_int_equal(submit_of(&run, value, sizeof value, 1), 0);
    for (unsigned i = 0; i < 2; i++) {
        produced = expect_produce(&run);
        assert_int_equal(produced.batches, 1);
        assert_in_range(produced.bytes, sizeof value, 1000);
        answer_produce(&run, &produced, 0, 0);
    }
    wait_for_reports(&run, 3);
    end(&run);
}

/* The broker asks for a backoff: nothing is sent before its end, and the native client asks to be called then. */
static void test_throttle(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    deliver(&run);
    for (unsigned i = 0; i < 2; i++) {
        submit(&run);
        struct produced produced = expect_produce(&run);
        answer_produce(&run, &produced, 0, 700);
        wait_for_reports(&run, run.report_count + 1);
        uint64_t until_ns = run.now.mono_ns - PS_NS_PER_MS + 700 * PS_NS_PER_MS; /* since the last turn */
        submit(&run);
        turn(&run);
        assert_int_equal(ps_kafka_native.due_ns(run.producer), until_ns);
        produced = expect_produce(&run);
        assert_in_range(run.now.mono_ns, until_ns, until_ns + 2 * PS_NS_PER_MS);
        answer_produce(&run, &produced, 0, 0);
        wait_for_reports(&run, run.report_count + 1);
    }
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_torn_answer),
        cmocka_unit_test(test_lost_requests),
        cmocka_unit_test(test_rest_begins_again),
        cmocka_unit_test(test_purge_says_what_was_sent),
        cmocka_unit_test(test_purge_of_repetition),
        cmocka_unit_test(test_purge_after_each_error),
        cmocka_unit_test(test_partition_behind_the_last),
        cmocka_unit_test(test_unknown_topic),
        cmocka_unit_test(test_late_metadata),
        cmocka_unit_test(test_topic_made_anew),
        cmocka_unit_test(test_late_answer_of_a_partition_without_a_leader),
        cmocka_unit_test(test_late_answer_while_no_record_waits),
        cmocka_unit_test(test_unused_partition_without_a_leader),
        cmocka_unit_test(test_topic_made_anew_with_fewer_partitions),
        cmocka_unit_test(test_first_set_for_each_leader),
        cmocka_unit_test(test_old_leader_answers_late),
        cmocka_unit_test(test_late_metadata_before_a_repetition),
        cmocka_unit_test(test_sequence_outlives_other_topics),
        cmocka_unit_test(test_number_of_a_request_wraps),
        cmocka_unit_test(test_request_limit),
        cmocka_unit_test(test_throttle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
