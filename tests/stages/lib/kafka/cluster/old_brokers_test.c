/* The native client and brokers before Kafka 0.11, which take messages and know no idempotence. */
#include "tests/support/kafka/native_run.h"

#define VERSION_OF_MESSAGES 2
#define VERSION_OF_BATCHES 3

static void begin_idempotent(struct run *run, const char *idempotent, int16_t version)
{
    begin(run, "enable.idempotence", idempotent);
    run->produce_version = version;
}

/* Turns for half a second. Returns whether a request of this kind came. */
static bool comes(struct run *run, int16_t key)
{
    struct ps_test_request request;
    for (unsigned turns = 0; turns < 500; turns++) {
        turn(run);
        while (ps_test_broker_ask(&run->broker, &request)) {
            if (request.key == key)
                return true;
            answer(run, &request, UINT32_MAX);
        }
    }
    return false;
}

/* The connection to the leader is lost with a batch. The next leader does not take its format: the producer ends, so that
 * the next one encodes the records again. If it takes the format, the batch is sent again. */
static void test_next_leader(void **state)
{
    for (int16_t first = VERSION_OF_MESSAGES; first <= VERSION_OF_BATCHES; first++) {
        for (int16_t next = VERSION_OF_MESSAGES; next <= VERSION_OF_BATCHES; next++) {
            struct run run;
            begin_idempotent(&run, "false", first);
            run.may_die = true;
            submit(&run);
            assert_int_equal(expect(&run, KEY_PRODUCE).version, first);
            ps_test_broker_hang_up(&run.broker);
            run.produce_version = next;
            assert_int_equal(comes(&run, KEY_PRODUCE), first == next);
            assert_int_equal(run.fatal != 0, first != next);
            if (first != next) {
                ps_kafka_native.purge(run.producer, false);
                wait_for_reports(&run, 1);
                assert_int_equal(run.reports[0].error, LIBRARY_PURGED_IN_FLIGHT);
            }
            end(&run);
        }
    }
}

/* A broker that cannot recognise repetitions gets nothing of a producer that relies on this. */
static void test_idempotence(void **state)
{
    struct run run;
    begin_idempotent(&run, "true", VERSION_OF_MESSAGES);
    submit(&run);
    assert_false(comes(&run, KEY_PRODUCE));
    assert_non_null(strstr(run.told, "enable.idempotence"));
    run.produce_version = VERSION_OF_BATCHES;
    assert_true(comes(&run, KEY_PRODUCE));
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_leader),
        cmocka_unit_test(test_idempotence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
