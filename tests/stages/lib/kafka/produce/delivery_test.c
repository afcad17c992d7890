/* The native client against one broker: every error code at every place, answers that come byte by byte or end after any
 * byte, and the settings that decide when a record is sent, delivered or given up. */
#include "stages/lib/kafka/errors.h"
#include "stages/lib/kafka/cluster/partition.h"
#include "stages/lib/kafka/cluster/settings.h"

#include <string.h>
#include <unistd.h>

#include "tests/support/kafka/native_run.h"
#include "tests/support/name_server.h"

#define ROUNDS 5U /* the first, middle and last of them meet the error */
#define LIBRARY_TIMED_OUT (-192)
#define LONG_TURN_NS (50 * PS_NS_PER_MS) /* so that backoffs end in fewer turns */

/* ---- error codes ---- */

static bool is_final(const struct ps_kafka_error *error)
{
    return error->outcome != PS_KAFKA_DELIVERED && error->outcome != PS_KAFKA_AGAIN;
}

/* One record meets the error; returns whether the producer continues. */
static bool meet(struct run *run, const struct ps_kafka_error *error)
{
    unsigned before = run->report_count;
    submit(run);
    struct produced produced = expect_produce(run);
    int32_t sequence = produced.sequence;
    answer_produce(run, &produced, (int16_t)error->code, 0);
    if (error->outcome == PS_KAFKA_AGAIN) { /* the same batch again */
        produced = expect_produce(run);
        assert_int_equal(produced.sequence, sequence);
        assert_int_equal(run->report_count, before);
        answer_produce(run, &produced, 0, 0);
    }
    wait_for_reports(run, before + 1);
    turn(run);
    assert_int_equal(run->reports[before].error, is_final(error) ? error->code : 0);
    assert_int_equal(run->fatal != 0, is_final(error));
    return run->fatal == 0;
}

/* An error that may pass is tried again; a final one is reported, and ends an idempotent producer, because the next batch
 * would leave a gap. */
static void test_produce_errors(void **state)
{
    for (size_t e = 0; e < ps_kafka_error_count; e++) {
        const struct ps_kafka_error *error = &ps_kafka_errors[e];
        for (unsigned at = 0; at < ROUNDS && (error->code > 0 || error->code == -1); at += ROUNDS / 2) {
            struct run run;
            begin(&run, "client.id", "c");
            run.may_die = true;
            run.turn_ns = LONG_TURN_NS;
            bool goes_on = true;
            for (unsigned round = 0; round < ROUNDS && goes_on; round++) {
                if (round == at)
                    goes_on = meet(&run, error);
                else
                    deliver(&run);
            }
            end(&run);
        }
    }
}

/* An error that may pass, and does not: it is named after 9 s, before the sink says that nothing was delivered, and then each minute. */
static void test_lasting_error(void **state)
{
    struct run run;
    unsigned told = 0;
    begin(&run, "client.id", "c");
    run.turn_ns = PS_NS_PER_S / 4;
    deliver(&run);
    submit(&run);
    uint64_t since_ns = run.now.mono_ns;
    while (run.now.mono_ns < since_ns + 80 * PS_NS_PER_S) {
        const struct produced produced = expect_produce(&run);
        answer_produce(&run, &produced, 19, 0);
        turn(&run);
        if (run.now.mono_ns < since_ns + 9 * PS_NS_PER_S)
            assert_string_equal(run.told, "");
        if (run.told[0] != '\0')
            assert_non_null(strstr(run.told, "topic t, partition 0 takes no records since "));
        told += strstr(run.told, "NOT_ENOUGH_REPLICAS") != NULL;
        run.told[0] = '\0';
    }
    assert_int_equal(told, 2);
    const struct produced produced = expect_produce(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 2);
    end(&run);
}

/* With any error of a topic, its record waits until the error has passed, or is reported when the time limit is
 * over. */
static void test_metadata_errors(void **state)
{
    for (size_t e = 0; e < ps_kafka_error_count; e++) {
        const struct ps_kafka_error *error = &ps_kafka_errors[e];
        if (error->code <= 0)
            continue;
        for (unsigned lasts = 0; lasts < 2; lasts++) {
            struct run run;
            begin(&run, "topic.metadata.propagation.max.ms", "1000");
            run.cluster.error = (int16_t)error->code;
            run.turn_ns = LONG_TURN_NS;
            submit(&run);
            for (unsigned asked = 0; asked < 3; asked++) {
                const struct ps_test_request request = expect(&run, KEY_METADATA);
                answer(&run, &request, UINT32_MAX);
            }
            assert_int_equal(run.report_count, 0);
            if (lasts == 0) {
                run.cluster.error = 0;
                const struct produced produced = expect_produce(&run);
                answer_produce(&run, &produced, 0, 0);
            }
            wait_for_reports(&run, 1);
            int expected = error->code == ERROR_UNKNOWN_TOPIC ? LIBRARY_UNKNOWN_TOPIC : error->code;
            assert_int_equal(run.reports[0].error, lasts == 0 ? 0 : expected);
            end(&run);
        }
    }
}

/* Without a producer's id nothing is sent; the native client asks until the cluster gives one. */
static void test_producer_id_errors(void **state)
{
    for (size_t e = 0; e < ps_kafka_error_count; e++) {
        const struct ps_kafka_error *error = &ps_kafka_errors[e];
        if (error->code <= 0)
            continue;
        struct run run;
        begin(&run, "client.id", "c");
        run.turn_ns = LONG_TURN_NS;
        submit(&run);
        for (unsigned i = 0; i < 2; i++) {
            run.id_error = (int16_t)error->code;
            const struct ps_test_request request = expect(&run, KEY_PRODUCER_ID);
            answer(&run, &request, UINT32_MAX);
            run.id_error = 0;
        }
        const struct produced produced = expect_produce(&run);
        answer_produce(&run, &produced, 0, 0);
        wait_for_reports(&run, 1);
        assert_int_equal(run.reports[0].error, 0);
        end(&run);
    }
}

/* The id is asked for again each second; the error is named once a minute, and another one at once. */
static void test_producer_id_error_is_named_once(void **state)
{
    static const int16_t errors[] = {31, 31, 31, 31, 31, 53, 53};
    struct run run;
    begin(&run, "client.id", "c");
    run.turn_ns = LONG_TURN_NS;
    submit(&run);
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        run.id_error = errors[i];
        const struct ps_test_request request = expect(&run, KEY_PRODUCER_ID);
        answer(&run, &request, UINT32_MAX);
        run.id_error = 0;
    }
    assert_false(ps_kafka_native.reaches(run.producer));
    const struct produced produced = expect_produce(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 1);
    assert_int_equal(run.tolds, 2);
    end(&run);
}

/* ---- answers in parts ---- */

static void turn_of(void *run)
{
    turn(run);
}

/* Each answer arrives byte by byte. */
static void test_slow_answers(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    run.broker.each = turn_of;
    run.broker.argument = &run;
    for (unsigned i = 0; i < 3; i++)
        deliver(&run);
    assert_int_equal(run.broker.connections, 1);
    end(&run);
}

/* The broker closes the connection after each byte of its answer to Produce: the record is sent again, with its
 * sequence number. */
static void test_produce_answers_that_end(void **state)
{
    struct run run;
    begin(&run, "reconnect.backoff.max.ms", "100");
    run.turn_ns = LONG_TURN_NS;
    submit(&run);
    struct produced produced = expect_produce(&run);
    unsigned parts = 0;
    for (; run.report_count == 0; parts++) {
        run.broker.part_max = parts + 1;
        answer_produce(&run, &produced, 0, 0);
        turn(&run);
        if (run.report_count > 0)
            break;
        ps_test_broker_hang_up(&run.broker);
        run.broker.part_max = 0;
        produced = expect_produce(&run);
        assert_int_equal(produced.sequence, 0);
    }
    assert_in_range(parts, 40, 60); /* the answer's length */
    assert_int_equal(run.reports[0].error, 0);
    end(&run);
}

/* The same for the answers before it. */
static void test_answers_that_end(void **state)
{
    static const int16_t kinds[] = {KEY_VERSIONS, KEY_METADATA, KEY_PRODUCER_ID};
    for (size_t kind = 0; kind < PS_COUNT_OF(kinds); kind++) {
        struct run run;
        begin(&run, "reconnect.backoff.max.ms", "100");
        run.turn_ns = LONG_TURN_NS;
        submit(&run);
        for (unsigned part = 0; part < 22; part++) { /* every answer has at least this length */
            const struct ps_test_request request = expect(&run, kinds[kind]);
            answer(&run, &request, part);
            turn(&run);
            ps_test_broker_hang_up(&run.broker);
        }
        const struct produced produced = expect_produce(&run);
        answer_produce(&run, &produced, 0, 0);
        wait_for_reports(&run, 1);
        assert_int_equal(run.reports[0].error, 0);
        assert_int_equal(run.broker.connections, 23);
        end(&run);
    }
}

/* ---- when records are sent and given up ---- */

/* acks=0: a record is delivered when it is written; the broker does not answer, and the answers to other requests are still found. */
static void test_no_acknowledgement(void **state)
{
    const struct ps_pair pairs[] = {{.key = "acks", .value = "0"},
                                    {.key = "enable.idempotence", .value = "false"},
                                    {.key = "topic.metadata.refresh.interval.ms", .value = "1000"}};
    struct run run;
    begin_with(&run, "127.0.0.1", pairs, PS_COUNT_OF(pairs));
    unsigned asked = 0;
    for (unsigned i = 0; i < 12; i++) {
        struct ps_test_request request;
        submit(&run);
        while (run.report_count <= i) {
            turn(&run);
            while (ps_test_broker_ask(&run.broker, &request)) {
                asked += request.key == KEY_METADATA;
                if (request.key != KEY_PRODUCE)
                    answer(&run, &request, UINT32_MAX);
            }
        }
        assert_int_equal(run.reports[i].error, 0);
        run.now.mono_ns += 300 * PS_NS_PER_MS;
    }
    assert_in_range(asked, 3, 12);
    assert_int_equal(run.broker.connections, 1);
    end(&run);
}

#define SHORT_TURN_NS 20000 /* the kernel may deliver a packet some turns later */

/* linger.ms: a record waits for others, but a batch that is full does not. */
static void test_linger(void **state)
{
    const struct ps_pair pairs[] = {{.key = "linger.ms", .value = "50"},
                                    {.key = "batch.num.messages", .value = "3"}};
    struct run run;
    begin_with(&run, "127.0.0.1", pairs, PS_COUNT_OF(pairs));
    deliver(&run);
    run.turn_ns = SHORT_TURN_NS;
    for (unsigned count = 1; count <= 3; count++) {
        unsigned before = run.report_count;
        uint64_t since_ns = run.now.mono_ns;
        for (unsigned i = 0; i < count; i++)
            submit(&run);
        const struct produced produced = expect_produce(&run);
        uint64_t waited_ms = (run.now.mono_ns - since_ns) / PS_NS_PER_MS;
        if (count < 3)
            assert_in_range(waited_ms, 49, 53);
        else
            assert_in_range(waited_ms, 0, 2);
        answer_produce(&run, &produced, 0, 0);
        wait_for_reports(&run, before + 1);
        assert_int_equal(run.reports[before].count, count);
    }
    end(&run);
}

/* A full queue ends the wait for others (linger.ms) of all partitions, not only of the one whose record has filled it. */
static void test_linger_of_a_full_queue(void **state)
{
    const struct ps_pair pairs[] = {{.key = "linger.ms", .value = "500"},
                                    {.key = "queue.buffering.max.messages", .value = "3"}};
    struct run run;
    begin_with(&run, "127.0.0.1", pairs, PS_COUNT_OF(pairs));
    run.cluster.partitions = 2;
    deliver(&run);
    run.turn_ns = SHORT_TURN_NS;
    assert_int_equal(submit_of(&run, "value", 5, 0), 0);
    assert_int_equal(submit_of(&run, "value", 5, 1), 0);
    assert_int_equal(submit_of(&run, "value", 5, 1), 0);
    assert_int_equal(submit_of(&run, "value", 5, 1), PS_KAFKA_FULL);
    uint64_t since_ns = run.now.mono_ns;
    for (uint32_t batches = 0; batches < 2;)
        batches += expect_produce(&run).batches;
    assert_in_range((run.now.mono_ns - since_ns) / PS_NS_PER_MS, 0, 4);
    end(&run);
}

/* A caller that waits for the reports ends the wait for others (linger.ms), both of the record that is there and
 * of later ones. */
static void test_hurry(void **state)
{
    const struct ps_pair pairs[] = {{.key = "linger.ms", .value = "50"}};
    struct run run;
    begin_with(&run, "127.0.0.1", pairs, PS_COUNT_OF(pairs));
    deliver(&run);
    run.turn_ns = SHORT_TURN_NS;
    static const struct {
        bool before, behind; /* whether the producer hurries before and after the record is submitted */
        unsigned least_ms, most_ms;
    } steps[] = {{false, true, 0, 2}, {true, true, 0, 2}, {true, false, 0, 2}, {false, false, 49, 53}};
    for (unsigned i = 0; i < PS_COUNT_OF(steps); i++) {
        unsigned before = run.report_count;
        uint64_t since_ns = run.now.mono_ns;
        ps_kafka_native.hurry(run.producer, steps[i].before);
        submit(&run);
        ps_kafka_native.hurry(run.producer, steps[i].behind);
        const struct produced produced = expect_produce(&run);
        uint64_t waited_ms = (run.now.mono_ns - since_ns) / PS_NS_PER_MS;
        assert_in_range(waited_ms, steps[i].least_ms, steps[i].most_ms);
        answer_produce(&run, &produced, 0, 0);
        wait_for_reports(&run, before + 1);
    }
    end(&run);
}

/* Records of a request that is not written to its end are not in the log, whatever happens to the connection. */
static void test_written_in_part(void **state)
{
    const struct ps_pair pairs[] = {{.key = "message.max.bytes", .value = "67108864"}};
    const uint32_t length = 32U << 20; /* more than the kernel takes of a connection that nobody reads from */
    char *value = calloc(1, length);
    struct run run;
    assert_non_null(value);
    begin_with(&run, "127.0.0.1", pairs, PS_COUNT_OF(pairs));
    deliver(&run);
    for (unsigned purges = 0; purges < 2; purges++) {
        unsigned before = run.report_count;
        assert_int_equal(submit_of(&run, value, length, 0), 0);
        for (unsigned i = 0; i < 300; i++)
            turn(&run);
        if (purges == 0)
            ps_test_broker_hang_up(&run.broker);
        turn(&run);
        ps_kafka_native.purge(run.producer, true);
        turn(&run);
        assert_int_equal(run.report_count, before + 1);
        assert_false(run.reports[before].perhaps_written);
        if (purges == 0)
            deliver(&run);
    }
    end(&run);
    free(value);
}

/* delivery.timeout.ms: the record is reported, and the producer ends, so that nothing overtakes it. */
static void test_delivery_timeout(void **state)
{
    const struct ps_pair pairs[] = {{.key = "message.timeout.ms", .value = "3000"}};
    struct run run;
    begin_with(&run, "127.0.0.1", pairs, PS_COUNT_OF(pairs));
    run.may_die = true;
    deliver(&run);
    uint64_t since_ns = run.now.mono_ns;
    submit(&run);
    struct ps_test_request request;
    while (run.report_count < 2) {
        turn(&run);
        while (ps_test_broker_ask(&run.broker, &request)) {
            if (request.key != KEY_PRODUCE) {
                answer(&run, &request, UINT32_MAX);
                continue;
            }
            ps_test_broker_hang_up(&run.broker);
            break;
        }
    }
    assert_int_equal(run.reports[1].error, LIBRARY_TIMED_OUT);
    assert_true(run.reports[1].perhaps_written);
    assert_in_range(run.reports[1].at_ns - since_ns, 3000 * PS_NS_PER_MS, 3400 * PS_NS_PER_MS);
    turn(&run);
    assert_int_equal(run.fatal, LIBRARY_TIMED_OUT);
    end(&run);
}

/* The same for a record while no broker knows its topic's partitions. */
static void test_delivery_timeout_without_brokers(void **state)
{
    struct run run;
    begin(&run, "message.timeout.ms", "3000");
    run.may_die = true;
    submit(&run);
    while (run.report_count == 0 && run.now.mono_ns < 1010 * PS_NS_PER_S)
        turn(&run);
    assert_int_equal(run.reports[0].error, LIBRARY_TIMED_OUT);
    assert_false(run.reports[0].perhaps_written);
    assert_in_range(run.reports[0].at_ns - 1000 * PS_NS_PER_S, 3000 * PS_NS_PER_MS, 3400 * PS_NS_PER_MS);
    end(&run);
}

/* No more requests than the setting says are in flight, and never more than five: a broker knows the last five record batches of a producer, and
 * would write an older one again. */
static void test_requests_in_flight(void **state)
{
    static const char *const settings[] = {"1", "4", "5", "6", "1000000"};
    for (size_t i = 0; i < PS_COUNT_OF(settings); i++) {
        struct run run;
        struct produced produced[PS_KAFKA_NATIVE_IN_FLIGHT_MAX];
        struct ps_test_request request;
        unsigned most = (unsigned)atoi(settings[i]);
        begin(&run, "max.in.flight.requests.per.connection", settings[i]);
        deliver(&run);
        most = most < PS_KAFKA_NATIVE_IN_FLIGHT_MAX ? most : PS_KAFKA_NATIVE_IN_FLIGHT_MAX;
        for (unsigned k = 0; k < most; k++) {
            submit(&run);
            produced[k] = expect_produce(&run);
        }
        submit(&run);
        for (unsigned turns = 0; turns < 100; turns++) {
            turn(&run);
            assert_false(ps_test_broker_ask(&run.broker, &request));
        }
        for (unsigned k = 0; k < most; k++)
            answer_produce(&run, &produced[k], 0, 0);
        const struct produced last = expect_produce(&run);
        answer_produce(&run, &last, 0, 0);
        wait_for_reports(&run, most + 2);
        end(&run);
    }
}

/* The process does not run for ten minutes (SIGSTOP, a frozen machine): neither a record in flight, whose answer has
 * come, nor one behind it, nor one of later is too old. */
static void test_pause_of_the_process(void **state)
{
    const struct ps_pair pairs[] = {{.key = "message.timeout.ms", .value = "3000"},
                                    {.key = "max.in.flight.requests.per.connection", .value = "1"}};
    struct run run;
    begin_with(&run, "127.0.0.1", pairs, PS_COUNT_OF(pairs));
    deliver(&run);
    submit(&run);
    struct produced produced = expect_produce(&run);
    submit(&run);
    turn(&run);
    answer_produce(&run, &produced, 0, 0);
    run.now.mono_ns += 600 * PS_NS_PER_S;
    produced = expect_produce(&run);
    run.now.mono_ns += 600 * PS_NS_PER_S;
    ps_test_broker_hang_up(&run.broker);
    produced = expect_produce(&run); /* the batch that was in flight is sent again */
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 3);
    run.now.mono_ns += 600 * PS_NS_PER_S;
    deliver(&run);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(run.reports[i].error, 0);
    end(&run);
}

/* connections.max.idle.ms: an idle connection is closed, not one with a request under way; the next record makes another. */
static void test_idle(void **state)
{
    struct run run;
    begin(&run, "connections.max.idle.ms", "1000");
    deliver(&run);
    submit(&run);
    struct produced produced = expect_produce(&run);
    for (unsigned i = 0; i < 1500; i++)
        turn(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 2);
    assert_int_equal(run.broker.connections, 1);
    uint64_t due_ns = ps_kafka_native.due_ns(run.producer);
    assert_in_range(due_ns, run.now.mono_ns + 990 * PS_NS_PER_MS, run.now.mono_ns + 1000 * PS_NS_PER_MS);
    for (unsigned i = 0; i < 1005; i++)
        turn(&run);
    assert_int_equal(ps_kafka_native.due_ns(run.producer) > run.now.mono_ns + PS_NS_PER_S, true);
    deliver(&run);
    assert_int_equal(run.broker.connections, 2);
    end(&run);
}

/* The first address of the name cannot be reached: the next one is tried without the backoff between two attempts,
 * which this test's clock would not reach. */
static void test_addresses(void **state)
{
    struct run run;
    struct ps_test_request request = {.key = -1};
    name_server.addresses[0] = "255.255.255.255";
    name_server.addresses[1] = "127.0.0.1";
    name_server.count = 2;
    name_server.fixed = true;
    begin_with(&run, "many.test", NULL, 0);
    run.turn_ns = 1;
    submit(&run);
    uint64_t until_ns = ps_test_patience_end_ns();
    while (!ps_test_broker_ask(&run.broker, &request)) {
        assert_true(ps_test_patient_ns() < until_ns);
        turn(&run);
        usleep(100); /* the resolver has a thread */
    }
    assert_int_equal(request.key, KEY_VERSIONS);
    end(&run);
}

/* Nobody knows the broker's name: the resolver's words are said with the address at each try, and once that all are down. */
static void test_unknown_name(void **state)
{
    static const char *const said[] = {"1/1 brokers are down: Name or service not known", NULL, NULL};
    struct run run;
    char each[80];
    name_server.count = 0;
    begin_with(&run, "gone.test", NULL, 0);
    snprintf(each, sizeof each, "gone.test:%u: Name or service not known", run.broker.port);
    submit(&run);
    for (unsigned i = 0; i < PS_COUNT_OF(said); i++) {
        uint64_t until_ns = ps_test_patience_end_ns();
        for (run.told[0] = '\0'; run.told[0] == '\0'; turn(&run)) {
            assert_true(ps_test_patient_ns() < until_ns);
            usleep(100); /* the resolver has a thread */
        }
        assert_string_equal(run.told, said[i] != NULL ? said[i] : each);
    }
    end(&run);
}

/* No broker can be reached: the native client says so after the reason, once until a broker answers. */
static void test_all_down(void **state)
{
    struct run run;
    begin(&run, "reconnect.backoff.max.ms", "100");
    deliver(&run);
    close(run.broker.listener);
    run.broker.listener = -1;
    submit(&run);
    (void)expect_produce(&run);
    ps_test_broker_hang_up(&run.broker);
    for (unsigned turns = 0; turns < 1000 && strstr(run.told, "down") == NULL; turns++)
        turn(&run);
    assert_non_null(strstr(run.told, "1/1 brokers are down: "));
    run.told[0] = '\0';
    for (unsigned turns = 0; turns < 1000; turns++)
        turn(&run);
    assert_null(strstr(run.told, "down"));
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_produce_errors),
        cmocka_unit_test(test_lasting_error),
        cmocka_unit_test(test_metadata_errors),
        cmocka_unit_test(test_producer_id_errors),
        cmocka_unit_test(test_producer_id_error_is_named_once),
        cmocka_unit_test(test_slow_answers),
        cmocka_unit_test(test_answers_that_end),
        cmocka_unit_test(test_produce_answers_that_end),
        cmocka_unit_test(test_no_acknowledgement),
        cmocka_unit_test(test_linger),
        cmocka_unit_test(test_linger_of_a_full_queue),
        cmocka_unit_test(test_hurry),
        cmocka_unit_test(test_written_in_part),
        cmocka_unit_test(test_delivery_timeout),
        cmocka_unit_test(test_requests_in_flight),
        cmocka_unit_test(test_pause_of_the_process),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_unknown_name),
        cmocka_unit_test(test_all_down),
        cmocka_unit_test(test_delivery_timeout_without_brokers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
