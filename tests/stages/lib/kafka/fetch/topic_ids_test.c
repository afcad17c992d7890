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

static const struct ps_kafka_fetch_part *part_of(int32_t number)
{
    const struct ps_kafka_fetch *fetch = client_of();
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

/* The broker of one partition answers for a long time that it does not know the topic, the partition, or the id. At first the other partitions also
 * wait for metadata; then they are read as usual. When the broker knows it, reading continues at the same place. */
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
        uint64_t own_ns = part_of(0)->doubt_ns, others_ns = part_of(1)->doubt_ns;
        assert_true(own_ns > 0 && others_ns > 0);
        unsigned read = run.read;
        for (unsigned round = 1; round <= 20; round++) {
            append();
            run_for(PS_NS_PER_S);
            assert_int_equal(run.read - read, round * 5 * (PS_TEST_GROUP_PARTITIONS - 1));
        }
        assert_true(part_of(0)->doubt_ns > own_ns);
        assert_true(part_of(1)->doubt_ns == others_ns && part_of(2)->doubt_ns == others_ns);
        run.group.sick = 0;
        finish();
    }
}

/* All brokers give this answer for ever. What was read is delivered, and is committed when metadata has shown that
 * the topic is the same. */
static void test_commits_go_on(void **state)
{
    static const int16_t errors[] = {3, 100, 103};
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        begin(&run, 1, NULL, 0);
        append();
        for (unsigned n = 0; n < 200; n++)
            turn(&run); /* it reads, and nothing is delivered */
        assert_true(run.waiting_count > 0);
        run.group.sick_error = errors[i];
        run.group.sick = ALL;
        for (unsigned n = 0; n < 100; n++)
            turn(&run);
        while (run.waiting_count > 0)
            deliver(&run);
        run_for(3 * PS_NS_PER_S);
        check_committed(&run);
        stop(&run);
        end(&run);
    }
}

/* A partition is to be read from its end, and its broker does not know the topic's id for a while after it has reported the end. The end is
 * asked for again, since it may have been that of another topic; but the records that came meanwhile are read. */
static void test_latest(void **state)
{
    static const struct ps_pair latest = {.key = "auto.offset.reset", .value = "latest"};
    for (unsigned anew = 0; anew < 2; anew++) {
        begin(&run, 1, &latest, 1);
        run.group.lists_first = true;
        append();
        turn_often(400);
        assert_int_equal(run.read, 0);
        run.group.sick_error = 100;
        run.group.sick = ALL;
        run_for(PS_NS_PER_S);
        if (anew) { /* its end is a lower offset */
            ps_test_group_make_anew(&run.group);
            ps_test_group_append_plain(&run.group, 0, 1);
            run_for(2 * PS_NS_PER_S);
        }
        append();
        if (!anew)
            run_for(2 * PS_NS_PER_S);
        run.group.sick = 0;
        read_all(&run);
        assert_int_equal(run.read, 5 * PS_TEST_GROUP_PARTITIONS);
        stop(&run);
        end(&run);
    }
}

/* After an error that may mean another topic, what is delivered is not committed before metadata has come. */
static void test_commits_wait_for_metadata(void **state)
{
    begin(&run, 1, NULL, 0);
    append();
    for (unsigned n = 0; n < 200; n++)
        turn(&run);
    run.group.sick_error = 103;
    run.group.sick = ALL;
    client_of()->client->metadata.rest_ns = run.group.now_ns + 10 * PS_NS_PER_S;
    for (unsigned n = 0; n < 100; n++)
        turn(&run);
    while (run.waiting_count > 0)
        deliver(&run);
    run_for(PS_NS_PER_S);
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        assert_true(run.group.logs[i].committed <= 0);
    run_for(10 * PS_NS_PER_S);
    check_committed(&run);
    run.group.sick = 0;
    finish();
}

/* Metadata does not have the topic, so nothing is committed, because the topic may be created again. Then metadata
 * has the unchanged topic again. */
static void test_commits_wait_for_the_topic(void **state)
{
    begin(&run, 1, NULL, 0);
    append();
    for (unsigned n = 0; n < 200; n++)
        turn(&run);
    run.group.sick_error = 3;
    run.group.sick = ALL;
    run.group.fail_key = PS_TEST_KEY_METADATA;
    run.group.fail_error = 3;
    run.group.fail_at = 1;
    run.group.fail_last = UINT32_MAX;
    for (unsigned n = 0; n < 100; n++)
        turn(&run);
    unsigned commits = run.group.asked[PS_TEST_KEY_COMMIT];
    while (run.waiting_count > 0)
        deliver(&run);
    run_for(5 * PS_NS_PER_S);
    assert_int_equal(run.group.asked[PS_TEST_KEY_COMMIT], commits);
    run.group.fail_last = 0;
    run_for(5 * PS_NS_PER_S);
    check_committed(&run);
    run.group.sick = 0;
    finish();
}

/* The coordinator has taken an offset of the former topic for the new one, which has fewer partitions: the metadata
 * that show the new topic also cause a rebalance. The offset is lowered before the partition is given up. */
static void test_lowered_before_a_rebalance(void **state)
{
    static const struct ps_pair often = {.key = "topic.metadata.refresh.interval.ms", .value = "50"};
    for (unsigned trial = 0; trial < 4; trial++) {
        bool in_sink = trial % 2 != 0, waits = trial / 2 != 0;
        begin_with(&run, 1, &often, 1, in_sink);
        run.group.leads = true;
        for (unsigned i = 0; i < 4; i++)
            append();
        read_all(&run);
        turn_often(400);
        int64_t committed = run.group.logs[0].committed;
        assert_int_equal(committed, 20);
        if (waits)
            append();
        for (unsigned n = 0; n < 200; n++)
            turn(&run); /* these are delivered later */
        assert_int_equal(run.waiting_count > 0, waits);
        unsigned read = run.read;
        run.group.sick_error = 103;
        run.group.sick = ALL;
        ps_test_group_make_anew(&run.group);
        run.group.partitions = 1;
        run.group.logs[0].committed = run.group.logs[0].delivered = committed;
        for (unsigned i = 0; i < 8; i++)
            ps_test_group_append_plain(&run.group, 0, 5);
        for (unsigned n = 0; n < 200 && waits; n++)
            turn(&run); /* until metadata has the new topic */
        turn_often(600);
        run.group.sick = 0;
        turn_often(600);
        assert_int_equal(run.group.owned, 1);
        assert_int_equal(run.read - read, 40);
        for (unsigned i = 1; i < PS_TEST_GROUP_PARTITIONS && !in_sink; i++)
            assert_int_equal(run.group.logs[i].committed, -1); /* the new topic does not have them */
        end(&run);
    }
}

/* Metadata has the new topic before the leaders know it: they list the offsets of the former log. The first offset is asked for again
 * when they refuse the id. */
static void test_leaders_are_late(void **state)
{
    begin(&run, 1, NULL, 0);
    for (unsigned i = 0; i < 4; i++)
        append();
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        ps_test_group_trim(&run.group, i);
    read_all(&run);
    unsigned read = run.read;
    run.group.sick_error = 100;
    run.group.sick = ALL;
    run.group.topic_id++; /* in metadata */
    run_for(2 * PS_NS_PER_S);
    run.group.topic_id--;
    ps_test_group_make_anew(&run.group);
    append();
    append();
    run_for(PS_NS_PER_S);
    run.group.sick = 0;
    read_all(&run);
    assert_int_equal(run.read - read, 10 * PS_TEST_GROUP_PARTITIONS);
    finish();
}

/* All that was read is delivered, and more of the former topic was fetched, when metadata has the new one: these records are delivered, too. */
static void test_fetched_of_the_former(void **state)
{
    static const struct ps_pair often = {.key = "topic.metadata.refresh.interval.ms", .value = "50"};
    begin(&run, 1, &often, 1);
    append();
    read_all(&run);
    turn_often(200);
    run.waiting_max = 0; /* the source is paused; a Fetch is under way */
    append();
    run_for(PS_NS_PER_S);
    unsigned read = run.read, queued = 0;
    for (int32_t i = 0; i < (int32_t)PS_TEST_GROUP_PARTITIONS; i++)
        queued += part_of(i)->queued;
    assert_true(queued > 0);
    ps_test_group_make_anew(&run.group);
    append();
    run_for(PS_NS_PER_S);
    run.waiting_max = WAITING_MAX;
    run_for(PS_NS_PER_S);
    read_all(&run);
    assert_int_equal(run.read - read, 5 * (queued + PS_TEST_GROUP_PARTITIONS));
    stop(&run);
    check_committed(&run);
    end(&run);
}

/* With a sink that commits, no line says that an offset is not committed: the source lowers what the sink has committed. */
static void test_sink_commits(void **state)
{
    static const struct ps_pair often = {.key = "topic.metadata.refresh.interval.ms", .value = "50"};
    for (unsigned late = 0; late < 20; late++) {
        begin_with(&run, 1, &often, 1, true);
        append();
        read_all(&run);
        turn_often(200);
        for (unsigned i = 0; i < 8; i++)
            append();
        for (unsigned i = 0; i < 4 + late; i++)
            turn(&run);
        uint64_t told = ps_log_count(PS_LOG_WARN);
        ps_test_group_make_anew(&run.group);
        run.group.sick = ALL; /* so that nothing of the former topic is missed */
        run.group.sick_error = 103;
        turn_often(400);
        run.group.sick = 0;
        append();
        read_all(&run);
        assert_int_equal(ps_log_count(PS_LOG_WARN) - told, PS_TEST_GROUP_PARTITIONS);
        stop(&run);
        end(&run);
    }
}

static bool has_offset_of_the_former(void)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        if (run.group.logs[i].committed > 0)
            return true;
    return false;
}

/* A sink's transactions go on committing offsets of the former topic until its last record is delivered. The source lowers each of them at
 * once, not after the interval of its own commits. */
static void test_lowered_behind_each_commit_of_the_sink(void **state)
{
    static const struct ps_pair often = {.key = "topic.metadata.refresh.interval.ms", .value = "50"};
    begin_with(&run, 1, &often, 1, true);
    client_of()->commit_interval_ns = 10 * PS_NS_PER_S;
    append();
    read_all(&run);
    turn_often(200);
    for (unsigned i = 0; i < 8; i++)
        append();
    for (unsigned turns = 0; run.waiting_count < 4; turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn(&run);
    }
    ps_test_group_make_anew(&run.group);
    run.waiting_max = 0; /* nothing of the new topic is read */
    while (run.waiting_count > 0) {
        uint64_t since_ns = run.group.now_ns;
        deliver(&run);
        assert_true(has_offset_of_the_former());
        for (; has_offset_of_the_former(); turn(&run))
            assert_true(run.group.now_ns - since_ns < PS_NS_PER_S);
        client_of()->client->settings.metadata_age_ns =
            100 * PS_NS_PER_S; /* else each metadata lowers them */
    }
    client_of()->client->settings.metadata_age_ns = 50 * PS_NS_PER_MS;
    run.waiting_max = WAITING_MAX;
    append();
    read_all(&run);
    stop(&run);
    end(&run);
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
        cmocka_unit_test(test_commits_go_on),
        cmocka_unit_test(test_latest),
        cmocka_unit_test(test_commits_wait_for_metadata),
        cmocka_unit_test(test_commits_wait_for_the_topic),
        cmocka_unit_test(test_lowered_before_a_rebalance),
        cmocka_unit_test(test_leaders_are_late),
        cmocka_unit_test(test_fetched_of_the_former),
        cmocka_unit_test(test_sink_commits),
        cmocka_unit_test(test_lowered_behind_each_commit_of_the_sink),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_question_behind_a_long_wait),
        cmocka_unit_test(test_metadata_passes_a_fetch),
    };
    assert_int_equal(ps_log_open("/dev/null", NULL), PS_OK);
    ps_log_set_level(PS_LOG_WARN); /* warnings are counted */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
