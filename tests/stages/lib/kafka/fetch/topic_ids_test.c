/* The native fetch client when brokers disagree about the id of a topic, or do not know it: reading and commits
 * continue. Also requests to a broker that holds answers back for a long time. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include "core/log/log.h"
#include "tests/support/kafka/fetch_run.h"

#define ALL ((1U << PS_TEST_GROUP_PARTITIONS) - 1)

static struct run run;

static struct ps_kafka_fetch *client_of(void)
{
    return (struct ps_kafka_fetch *)run.reading;
}

static void append(void)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        ps_test_group_append_plain(&run.group, i, 5);
}

static void turn_often(unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        turn(&run);
        deliver(&run);
    }
}

static void run_for(uint64_t ns)
{
    uint64_t until_ns = run.group.now_ns + ns;
    while (run.group.now_ns < until_ns)
        turn_often(1);
}

static void finish(void)
{
    read_all(&run);
    assert_false(run.dead);
    assert_int_equal(run.again, 0);
    stop(&run);
    check_committed(&run);
    end(&run);
}

/* Metadata had ids, and now has none, because the broker is older, or not completely upgraded. The leaders may not
 * know the id either, so requests name topics. */
static void test_ids_are_gone(void **state)
{
    static const struct ps_pair often = {.key = "topic.metadata.refresh.interval.ms", .value = "50"};
    begin(&run, 1, &often, 1);
    append();
    read_all(&run);
    assert_true(run.group.counts.by_ids > 0);
    run.group.no_ids = true;
    turn_often(400);
    unsigned by_ids = run.group.counts.by_ids;
    append();
    read_all(&run);
    assert_int_equal(run.group.counts.by_ids, by_ids);
    run.group.no_ids = false;
    turn_often(400);
    append();
    read_all(&run);
    assert_true(run.group.counts.by_ids > by_ids);
    finish();
}

/* The brokers support Fetch with ids, but Metadata only without. */
static void test_metadata_is_older_than_fetch(void **state)
{
    begin(&run, 1, NULL, 0);
    run.group.old_metadata = true;
    append();
    read_all(&run);
    assert_int_equal(run.group.counts.by_ids, 0);
    finish();
}

/* The broker of one partition answers for a long time that it does not know the topic, the partition, or the id. The other partitions
 * are read as usual. When the broker knows it, reading continues at the same place. */
static void test_one_broker_is_behind(void **state)
{
    static const int16_t errors[] = {3, 100, 103};
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        begin(&run, 1, NULL, 0);
        append();
        read_all(&run);
        run.group.sick_error = errors[i];
        run.group.sick = 1;
        run_for(PS_NS_PER_S);
        unsigned read = run.read;
        for (unsigned round = 1; round <= 20; round++) {
            append();
            run_for(PS_NS_PER_S);
            assert_int_equal(run.read - read, round * 5 * (PS_TEST_GROUP_PARTITIONS - 1));
        }
        run.group.sick = 0;
        finish();
    }
}

/* ---- brokers that hold answers back ---- */

/* No other request is under way, and no record arrives: each broker gets a Fetch as often as fetch.wait.max.ms says. */
static void test_idle(void **state)
{
    static const struct ps_pair second = {.key = "fetch.wait.max.ms", .value = "1000"};
    begin(&run, 1, &second, 1);
    append();
    read_all(&run);
    run_for(3 * PS_NS_PER_S);
    unsigned asked = run.group.asked[PS_TEST_KEY_FETCH];
    run_for(20 * PS_NS_PER_S);
    assert_in_range(run.group.asked[PS_TEST_KEY_FETCH] - asked, 20, 20 * PS_TEST_GROUP_NODES);
    finish();
}

/* The group's offset is no longer in the log of one partition, and no other has records: the request for an offset to
 * read from does not wait for the answer to a Fetch of the others. */
static void test_question_behind_a_long_wait(void **state)
{
    static const struct ps_pair long_wait = {.key = "fetch.wait.max.ms", .value = "20000"};
    begin(&run, 1, &long_wait, 1);
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++) {
        run.group.logs[i].leader = 0;
        run.group.logs[i].committed = 0;
    }
    for (unsigned i = 0; i < 4; i++)
        ps_test_group_append_plain(&run.group, 0, 5);
    ps_test_group_trim(&run.group, 0);
    uint64_t began_ns = run.group.now_ns;
    read_all(&run);
    assert_int_equal(run.group.counts.out_of_range, 1);
    assert_true(run.group.logs[0].start > 0);
    assert_int_equal(ps_test_stage_counter(&run.stage, PS_COUNTER_EventReadFail), run.group.logs[0].start);
    assert_in_range(run.group.now_ns - began_ns, 0, 2 * PS_NS_PER_S);
    finish();
}

/* All connections have a request under way: metadata is requested over the connection on which no answer to a Fetch
 * is held back. */
static void test_metadata_passes_a_fetch(void **state)
{
    static struct ps_kafka_native_request request;
    begin(&run, 1, NULL, 0);
    append();
    read_all(&run);
    run_for(PS_NS_PER_S);
    struct ps_kafka_native *client = client_of()->client;
    struct ps_kafka_native_broker *idle = NULL;
    unsigned fetching = 0;
    for (struct ps_kafka_native_broker *broker = client->brokers; broker != NULL; broker = broker->next) {
        assert_int_equal(broker->phase, PS_KAFKA_NATIVE_UP);
        fetching += broker->fetch.asked;
        idle = broker->fetch.asked ? idle : broker; /* the coordinator's */
    }
    assert_int_equal(fetching, PS_TEST_GROUP_NODES);
    assert_true(idle != NULL && idle->first == NULL);
    idle->first = &request;
    assert_ptr_equal(ps_kafka_native_any_broker(client), idle);
    idle->first = NULL;
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_are_gone),
        cmocka_unit_test(test_metadata_is_older_than_fetch),
        cmocka_unit_test(test_one_broker_is_behind),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_question_behind_a_long_wait),
        cmocka_unit_test(test_metadata_passes_a_fetch),
    };
    assert_int_equal(ps_log_open("/dev/null", NULL), PS_OK);
    ps_log_set_level(PS_LOG_WARN); /* warnings are counted */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
