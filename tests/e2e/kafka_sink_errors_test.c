/* Every produce error that a broker may return, at the first, a middle and the last request of a burst, once
 * and repeatedly: no event is lost or duplicated, and the order is kept. The embedded broker does not append
 * what it refuses, so each case is exact. */
#include "stages/lib/kafka/errors.h"
#include "tests/support/kafka/sink.h"

#include <stdio.h>

#define LEASES 4U
#define EVENTS 25U
#define REQUESTS ((int)LEASES) /* one lease per request */
#define INVALID_TIMESTAMP 32 /* no event has a timestamp of its own: the clock is blamed, and not an event */
#define PERSISTENT 7         /* a request of 25 is halved until one event is left, which is blamed */

static bool is_broker_error(const struct ps_kafka_error *error)
{
    return error->code > 0 && error->outcome != PS_KAFKA_DELIVERED &&
           strcmp(error->meaning, "not an answer to produce") != 0;
}

/* Requests have at most 25 records, so a burst of 100 is four requests. The error hits the request at `position` and
 * the following ones, `times` in all. */
static void burst_with_error(struct ps_test_kafka_sink *kafka, int code, int position, int times)
{
    rd_kafka_resp_err_t answers[REQUESTS + PERSISTENT] = {RD_KAFKA_RESP_ERR_NO_ERROR};
    for (int i = 0; i < times; i++)
        answers[position + i] = (rd_kafka_resp_err_t)code;
    rd_kafka_mock_push_request_errors_array(kafka->cluster.handle, PS_TEST_PRODUCE,
                                            (size_t)(position + times), answers);
    ps_test_kafka_sink_send(kafka, LEASES, EVENTS);
    ps_test_kafka_sink_wait(kafka, PS_TEST_PATIENCE_MS);
    rd_kafka_mock_clear_request_errors(kafka->cluster.handle, PS_TEST_PRODUCE);
    ps_test_stage_recycle(&kafka->stage);
    kafka->lease_count = 0;
}

static void run_position(int position, int times)
{
    struct ps_test_kafka_sink kafka;
    uint64_t blamed = 0;
    ps_test_kafka_sink_start(&kafka, 1, "errors", 1,
                             PS_KEYS("kafka.producer.batch.num.messages", "25", "kafka.producer.linger.ms",
                                     "20", "kafka.producer.retry.backoff.ms", "10",
                                     "kafka.producer.max.in.flight.requests.per.connection", "1"));
    kafka.haste = 1;
    kafka.rest_haste = 1000;
    burst_with_error(&kafka, 0, 0, 1); /* connect first */
    unsigned tried = 0;                /* outcomes */
    for (size_t i = 0; i < ps_kafka_error_count; i++) {
        bool blames =
            ps_kafka_errors[i].outcome == PS_KAFKA_SPLIT ||
            (ps_kafka_errors[i].outcome == PS_KAFKA_BLAME && ps_kafka_errors[i].code != INVALID_TIMESTAMP);
        unsigned outcome = 1U << ps_kafka_errors[i].outcome;
        if (!is_broker_error(&ps_kafka_errors[i]) || (times > 1 && !blames && (tried & outcome) != 0))
            continue; /* one of the codes that only cause a backoff */
        tried |= outcome;
        print_message("%s at request %d\n", ps_kafka_errors[i].name, position);
        burst_with_error(&kafka, ps_kafka_errors[i].code, position, times);
        /* a persistent error is attributed to one event, which counts once */
        blamed += times == PERSISTENT && blames;
        assert_int_equal(ps_test_kafka_sink_counter(&kafka, PS_COUNTER_refused), blamed);
    }
    ps_test_kafka_sink_verify(&kafka, false);
    /* possible duplicates are counted only for errors after which the library does not know the result */
    assert_in_range(ps_test_kafka_sink_counter(&kafka, PS_COUNTER_duplicated), 0, EVENTS * (unsigned)times);
    ps_test_kafka_sink_stop(&kafka);
}

static void test_first_request(void **state)
{
    run_position(0, 1);
    run_position(0, PERSISTENT);
}

static void test_middle_request(void **state)
{
    run_position(2, 1);
    run_position(2, PERSISTENT);
}

static void test_last_request(void **state)
{
    run_position(3, 1);
    run_position(3, PERSISTENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_request),
        cmocka_unit_test(test_middle_request),
        cmocka_unit_test(test_last_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
