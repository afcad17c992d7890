/* Records that a broker refuses by their numbers in the batch (KIP-467): only they are refused, without halving. */
#include "tests/support/kafka/native_run.h"

#include "stages/lib/kafka/errors.h"

#define INVALID_RECORD 87
#define RECORDS 5U

static struct {
    int error;
    uint32_t count, group_count;
    bool has[RECORDS];
} told[4];
static unsigned told_count;
static char values[RECORDS];

static void note_report(void *argument, const struct ps_kafka_report *report)
{
    assert_in_range(told_count, 0, PS_COUNT_OF(told) - 1);
    told[told_count].error = report->error;
    told[told_count].count = report->count;
    told[told_count].group_count = report->group_count;
    for (uint32_t i = 0; i < report->count; i++)
        told[told_count].has[(char *)report->tokens[i] - values] = true;
    told_count++;
    on_report(argument, report);
}

static void put_records(struct run *run)
{
    struct ps_kafka_record records[RECORDS];
    int error;
    for (uint32_t i = 0; i < RECORDS; i++)
        records[i] = (struct ps_kafka_record){.value = &values[i],
                                              .value_length = 1,
                                              .partition = 0,
                                              .timestamp_ms = PS_KAFKA_TIMESTAMP_NONE,
                                              .token = &values[i]};
    struct ps_kafka_topic *topic = ps_kafka_native.topic(run->producer, "t", 1);
    assert_int_equal(ps_kafka_native.submit(run->producer, topic, records, RECORDS, &error), RECORDS);
}

/* Sends a batch of RECORDS records, of which the broker refuses these. */
static void refuse(const int32_t *records, uint32_t count, int16_t code)
{
    struct run run;
    char body[256], *at = body;
    memset(told, 0, sizeof told);
    told_count = 0;
    begin(&run, "linger.ms", "0");
    run.produce_version = 8;
    run.may_die = true;
    deliver(&run); /* the client knows the topic's partitions */
    put_records(&run);
    const struct produced produced = expect_produce(&run);
    at = ps_wire_put_string(ps_wire_put_int32(at, 1), "t", 1);
    at = ps_wire_put_int32(ps_wire_put_int32(at, 1), 0);
    at = ps_wire_put_int16(at, code);
    for (unsigned i = 0; i < 3; i++)
        at = ps_wire_put_int64(at, -1);
    at = ps_wire_put_int32(at, (int32_t)count);
    for (uint32_t i = 0; i < count; i++)
        at = ps_wire_put_string(ps_wire_put_int32(at, records[i]), "no key", 6);
    at = ps_wire_put_int16(at, -1);
    at = ps_wire_put_int32(at, 0);
    ps_test_broker_answer(&run.broker, &produced.request, body, (uint32_t)(at - body), UINT32_MAX);
    const struct ps_kafka_listener listener = {.report = note_report, .notice = on_notice, .argument = &run};
    for (unsigned turns = 0; told_count == 0 && turns < TURNS_MAX; turns++) {
        struct ps_kafka_listener now = listener;
        now.now = run.now;
        ps_kafka_native.poll(run.producer, &now, UINT32_MAX);
        run.now.mono_ns += PS_NS_PER_MS;
    }
    end(&run);
}

static void test_the_first_named_record_alone_is_refused(void **state)
{
    static const int32_t records[] = {3, 1, 4};
    refuse(records, PS_COUNT_OF(records), INVALID_RECORD);
    assert_int_equal(told_count, 2);
    assert_int_equal(told[0].error, INVALID_RECORD);
    assert_int_equal(told[0].count, 1);
    assert_int_equal(told[0].group_count, 1);
    assert_true(told[0].has[1]);
    assert_int_equal(told[1].error, LIBRARY_PURGED_QUEUE);
    assert_int_equal(told[1].count, RECORDS - 1);
    for (uint32_t i = 0; i < RECORDS; i++)
        assert_int_equal(told[1].has[i], i != 1);
}

/* Without names, with one that the batch does not have, and with an error of the whole batch. */
static void test_the_batch_is_refused(void **state)
{
    static const int32_t strange[] = {RECORDS}, negative[] = {-1}, first[] = {0};
    static const struct {
        const int32_t *records;
        uint32_t count;
        int16_t code;
    } cases[] = {{NULL, 0, INVALID_RECORD},
                 {strange, 1, INVALID_RECORD},
                 {negative, 1, INVALID_RECORD},
                 {first, 1, PS_KAFKA_ERROR_MESSAGE_TOO_LARGE}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        refuse(cases[i].records, cases[i].count, cases[i].code);
        assert_int_equal(told_count, 1);
        assert_int_equal(told[0].error, cases[i].code);
        assert_int_equal(told[0].count, RECORDS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_named_record_alone_is_refused),
        cmocka_unit_test(test_the_batch_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
