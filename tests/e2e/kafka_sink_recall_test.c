/* An event or a topic that is finally refused, and leases that are recalled at any moment: no event is lost,
 * and the order is kept. */
#include "stages/lib/kafka/produce/window.h"
#include "tests/support/kafka/sink.h"

#define TOO_LARGE RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE

/* Offers `leases` leases as the sink takes them, until an event is refused. Returns how many were not offered: while the
 * sink looks for the event to blame it takes none, so they cannot all be sent first. */
static unsigned send_until_refused(struct ps_test_kafka_sink *kafka, unsigned leases, uint32_t count)
{
    for (unsigned i = 0;
         i < PS_TEST_PATIENCE_MS && ps_test_kafka_sink_counter(kafka, PS_COUNTER_refused) == 0; i++) {
        if (kafka->waiting == NULL && leases > 0) {
            kafka->waiting = ps_test_kafka_sink_lease(kafka, count, 32);
            leases--;
        }
        ps_test_kafka_sink_turn(kafka);
    }
    return leases;
}

/* Asserts that the topic has events 0 .. n-1 in order and not event n, which was refused. */
static void assert_prefix(const struct ps_test_kafka_sink *kafka, uint64_t least, uint64_t below)
{
    struct ps_test_records records = ps_test_records_read(kafka->cluster.bootstrap, kafka->topic, 1, least);
    assert_in_range(records.count, least, below - 1);
    for (size_t i = 0; i < records.count; i++)
        assert_int_equal(strtoull(records.items[i].value, NULL, 10), i);
    ps_test_records_free(&records);
}

/* Requests are refused as too large until they contain one event: it is blamed, logged, and retried; no event
 * after it is sent meanwhile. One request is in flight: the mock cluster does not check the sequence numbers of a producer without
 * transactions, and would append a second request although it refused the first. */
static void test_refused_event_holds_the_rest(void **state)
{
    struct ps_test_kafka_sink kafka;
    rd_kafka_resp_err_t answers[64];
    ps_test_kafka_sink_start(&kafka, 1, "poison", 1,
                             PS_KEYS("kafka.producer.linger.ms", "20",
                                     "kafka.producer.max.in.flight.requests.per.connection", "1"));
    ps_test_kafka_sink_send(&kafka, 1, 10);
    ps_test_kafka_sink_wait(&kafka, PS_TEST_PATIENCE_MS);
    for (size_t i = 0; i < PS_COUNT_OF(answers); i++) /* so that a part of the events before it arrives */
        answers[i] = i % 2 == 0 ? TOO_LARGE : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_mock_push_request_errors_array(kafka.cluster.handle, PS_TEST_PRODUCE, PS_COUNT_OF(answers),
                                            answers);
    unsigned left = send_until_refused(&kafka, 4, 16);
    assert_int_equal(ps_test_kafka_sink_counter(&kafka, PS_COUNTER_refused), 1);
    assert_true(kafka.stage.done_count < kafka.lease_count);
    assert_prefix(&kafka, 10, 10 + 4 * 16);
    assert_true(ps_test_kafka_sink_counter(&kafka, PS_COUNTER_RollbackCount) >=
                3); /* halved, more than once */
    rd_kafka_mock_clear_request_errors(kafka.cluster.handle, PS_TEST_PRODUCE);
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && kafka.waiting != NULL; i++)
        ps_test_kafka_sink_turn(&kafka);
    ps_test_kafka_sink_send(&kafka, left, 16);
    ps_test_kafka_sink_wait(&kafka, PS_TEST_PATIENCE_MS);
    ps_test_kafka_sink_verify(&kafka, false);
    assert_int_equal(ps_test_kafka_sink_counter(&kafka, PS_COUNTER_refused), 1);
    ps_test_kafka_sink_stop(&kafka);
}

static struct ps_lease *recall(struct ps_test_kafka_sink *kafka)
{
    struct ps_test_stage *stage = &kafka->stage;
    struct ps_lease *back = NULL;
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS; i++) {
        if (stage->ops->sink->recall(stage->plan, stage->state, &back, &stage->now))
            return back;
        ps_test_kafka_sink_pass(kafka, 1);
    }
    fail_msg("recall did not end");
    return NULL;
}

static void test_recall_with_dead_broker(void **state)
{
    struct ps_test_kafka_sink kafka;
    ps_test_kafka_sink_start(&kafka, 1, "recall", 1,
                             PS_KEYS("kafka.producer.reconnect.backoff.max.ms", "200"));
    kafka.haste = 1;
    ps_test_kafka_sink_send(&kafka, 5, 20);
    ps_test_kafka_sink_wait(&kafka, PS_TEST_PATIENCE_MS);
    rd_kafka_mock_broker_set_down(kafka.cluster.handle, 1);
    ps_test_kafka_sink_send(&kafka, PS_KAFKA_WAVES_NEAR, 20); /* always takes this number, each as a wave */
    ps_test_kafka_sink_pass(&kafka, 300);
    struct ps_lease *back = recall(&kafka);
    uint64_t number = 100;
    size_t count = 0;
    for (const struct ps_lease *lease = back; lease != NULL; lease = lease->next, count++) {
        assert_int_equal(lease->cursor, 0);
        assert_int_equal(strtoull(ps_lease_event(lease, 0)->body, NULL, 10), number);
        number += 20;
    }
    assert_int_equal(count, PS_KAFKA_WAVES_NEAR);
    assert_int_equal(kafka.stage.done_count, 5);
    /* works again, with the same leases */
    rd_kafka_mock_broker_set_up(kafka.cluster.handle, 1);
    kafka.lease_count -= count;
    while (back != NULL) {
        struct ps_lease *lease = back;
        back = back->next;
        lease->next = NULL;
        ps_test_kafka_sink_offer(&kafka, lease);
    }
    ps_test_kafka_sink_wait(&kafka, PS_TEST_PATIENCE_MS);
    ps_test_kafka_sink_verify(&kafka, true); /* events in transit when the broker died may be there twice */
    ps_test_kafka_sink_stop(&kafka);
}

static void test_recall_under_load_duplicates_nothing(void **state)
{
    struct ps_test_kafka_sink kafka;
    ps_test_kafka_sink_start(&kafka, 1, "recalls", 2, PS_KEYS("kafka.producer.linger.ms", "5"));
    kafka.haste = 1;
    for (int round = 0; round < 5; round++) {
        ps_test_kafka_sink_send(&kafka, 5, 100);
        kafka.haste = 0; /* the brokers' answers are in time, however slowly this machine brings them */
        struct ps_lease *back = recall(&kafka);
        kafka.haste = 1;
        while (back != NULL) {
            struct ps_lease *lease = back;
            back = back->next;
            lease->next = NULL;
            kafka.lease_count--;
            ps_test_kafka_sink_offer(&kafka, lease);
        }
        ps_test_kafka_sink_wait(&kafka, PS_TEST_PATIENCE_MS);
    }
    ps_test_kafka_sink_verify(&kafka, false);
    assert_int_equal(ps_test_kafka_sink_counter(&kafka, PS_COUNTER_duplicated), 0);
    ps_test_kafka_sink_stop(&kafka);
}

/* The topic itself is refused: nothing is sent, the log has the reason, and sending continues after the cause
 * is removed. */
static void run_topic_error(rd_kafka_resp_err_t error)
{
    struct ps_test_kafka_sink kafka;
    ps_test_kafka_sink_start(
        &kafka, 1, "refused", 1,
        PS_KEYS("kafka.producer.topic.metadata.propagation.max.ms", "100", "kafka.producer.linger.ms", "0"));
    rd_kafka_mock_topic_set_error(kafka.cluster.handle, "refused", error);
    ps_test_kafka_sink_send(&kafka, 1, 20);
    ps_test_kafka_sink_pass(&kafka, 1000);
    assert_int_equal(kafka.stage.done_count, 0);
    rd_kafka_mock_topic_set_error(kafka.cluster.handle, "refused", RD_KAFKA_RESP_ERR_NO_ERROR);
    ps_test_kafka_sink_wait(&kafka, PS_TEST_PATIENCE_MS);
    ps_test_kafka_sink_send(&kafka, 3, 20);
    ps_test_kafka_sink_wait(&kafka, PS_TEST_PATIENCE_MS);
    ps_test_kafka_sink_verify(&kafka, false);
    ps_test_kafka_sink_stop(&kafka);
}

static void test_topic_refused(void **state)
{
    run_topic_error(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    run_topic_error(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
}

static void test_weak_acks(void **state)
{
    static const char *const acks[] = {"0", "1"};
    for (size_t i = 0; i < PS_COUNT_OF(acks); i++) {
        struct ps_test_kafka_sink kafka;
        ps_test_kafka_sink_start(
            &kafka, 1, "weak", 2,
            PS_KEYS("kafka.producer.acks", acks[i], "kafka.producer.retry.backoff.ms", "10"));
        ps_test_kafka_sink_send(&kafka, 5, 50);
        ps_test_kafka_sink_wait(&kafka, PS_TEST_PATIENCE_MS);
        rd_kafka_mock_push_request_errors(kafka.cluster.handle, PS_TEST_PRODUCE, 2,
                                          acks[i][0] == '1' ? RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS
                                                            : RD_KAFKA_RESP_ERR_NO_ERROR,
                                          RD_KAFKA_RESP_ERR_NO_ERROR);
        ps_test_kafka_sink_send(&kafka, 5, 50);
        ps_test_kafka_sink_wait(&kafka, PS_TEST_PATIENCE_MS);
        ps_test_kafka_sink_verify(&kafka, false);
        ps_test_kafka_sink_stop(&kafka);
    }
}

/* Stopping in any state: every lease comes back or is done, and nothing is left. */
static void test_recall_and_close_at_any_time(void **state)
{
    uint64_t seed = ps_test_seed();
    static const rd_kafka_resp_err_t errors[] = {
        RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION};
    for (int round = 0; round < 25; round++) {
        struct ps_test_kafka_sink kafka;
        ps_test_kafka_sink_start(&kafka, 1, "anytime", 2, PS_KEYS("kafka.producer.linger.ms", "1"));
        rd_kafka_mock_push_request_errors(kafka.cluster.handle, PS_TEST_PRODUCE, 2,
                                          RD_KAFKA_RESP_ERR_NO_ERROR,
                                          errors[ps_test_random(&seed) % PS_COUNT_OF(errors)]);
        for (int i = 0; i < 4; i++) {
            kafka.waiting = ps_test_kafka_sink_lease(&kafka, 10, 32);
            for (int k = 0; k < 20 && kafka.waiting != NULL; k++)
                ps_test_kafka_sink_turn(&kafka);
        }
        ps_test_kafka_sink_pass(&kafka, (unsigned)(ps_test_random(&seed) % 30));
        kafka.waiting = NULL; /* it belongs to the channel again */
        size_t back_count = 0;
        for (struct ps_lease *back = recall(&kafka); back != NULL; back = back->next)
            back_count++;
        assert_int_equal(kafka.stage.done_count + back_count, kafka.lease_count);
        ps_test_kafka_sink_stop(&kafka);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_event_holds_the_rest),
        cmocka_unit_test(test_recall_with_dead_broker),
        cmocka_unit_test(test_recall_under_load_duplicates_nothing),
        cmocka_unit_test(test_topic_refused),
        cmocka_unit_test(test_weak_acks),
        cmocka_unit_test(test_recall_and_close_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
