/* The native fetch client when a topic is created again: it reads the new topic from its beginning. Histories that a seed
 * determines: brokers that do not know the topic's id, or name a former one, brokers with and without ids in Fetch, leaders
 * that move, rebalances, connections that break, a sink that is slow. At the end each record of the last topic was read. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include "core/log/log.h"
#include "tests/support/kafka/fetch_run.h"

#define HISTORIES 20U
#define STEPS 600U
#define END_TURNS 20000U
#define ALL ((1U << PS_TEST_GROUP_PARTITIONS) - 1)
#define LIFE_NS                                                                                              \
    (2500 *                                                                                                  \
     PS_NS_PER_MS) /* of a topic, at least: the client takes answers for late that name one of the last four */

struct kinds {
    bool breaks, mixed, rebalances, cooperative, sizes;
};

static struct run run;
static uint8_t seen[PS_TEST_GROUP_PARTITIONS][PS_TEST_GROUP_RECORDS];
static uint64_t made_ns;
static uint32_t lives;

static unsigned draw(unsigned below)
{
    return ps_test_group_draw(&run.group, below);
}

static const struct ps_kafka_fetch *client_of(void)
{
    return (const struct ps_kafka_fetch *)run.reading;
}

static const struct ps_kafka_native_topic *topic(void)
{
    return ps_kafka_native_topic_find(client_of()->client, "t", 1);
}

/* Returns whether the member knows the last topic. */
static bool knows(void)
{
    if (topic() == NULL || topic()->error != 0)
        return false;
    struct ps_wire_in id = {.at = topic()->id, .end = topic()->id + sizeof topic()->id};
    (void)ps_wire_get_int64(&id);
    return ps_wire_get_int64(&id) == run.group.topic_id;
}

static void note(const struct ps_event *event)
{
    struct ps_test_group_value value;
    assert_int_equal(event->body_length, sizeof value);
    memcpy(&value, event->body, sizeof value);
    int64_t life = value.partition / PS_TEST_GROUP_LIFE;
    assert_in_range(life, 0, run.group.topic_id - 1);
    if (life == run.group.topic_id - 1)
        seen[value.partition % PS_TEST_GROUP_LIFE][value.offset] = 1;
}

static void read_on(void)
{
    if (run.waiting_count >= WAITING_MAX || run.stage.batch_count > 2 * BATCHES_KEPT)
        return;
    if (run.open == NULL)
        run.open = ps_test_stage_take_batch(&run.stage);
    ps_kafka_record_begin(&run.state, run.open);
    (void)ps_kafka_reading_read(run.reading, &run.state);
    if (run.open->count == 0)
        return;
    for (uint32_t i = 0; i < run.open->count; i++)
        note(&run.open->events[i]);
    run.waiting[run.waiting_count++] = (struct waiting){.batch = run.open};
    run.open = NULL;
}

static void step(void)
{
    uint64_t *now_ns = &run.group.now_ns;
    uint64_t due_ns = ps_kafka_reading_tick(run.reading, run.waiting_count >= WAITING_MAX, *now_ns);
    if (ps_kafka_reading_failed(run.reading, &run.reason))
        fail_msg("%s", run.reason.text);
    read_on();
    if (ps_test_group_serve(&run.group))
        *now_ns += PS_NS_PER_MS / 4;
    else if (due_ns < *now_ns + PS_NS_PER_MS)
        *now_ns += PS_NS_PER_MS;
    else
        *now_ns = due_ns < *now_ns + IDLE_NS ? due_ns : *now_ns + IDLE_NS;
}

/* A commit of the member for the former topic may come after the group has deleted its offsets. */
static void make_anew(const struct kinds *kinds)
{
    int64_t late[PS_TEST_GROUP_PARTITIONS];
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        late[i] = (run.group.owned >> i & 1) != 0 && draw(2) == 0 ? run.group.logs[i].committed : -1;
    ps_test_group_make_anew(&run.group);
    memset(seen, 0, sizeof seen);
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++) {
        run.group.logs[i].committed = late[i];
        run.group.logs[i].delivered = INT64_MAX;
    }
    if (kinds->sizes)
        run.group.partitions = 1 + draw(PS_TEST_GROUP_PARTITIONS);
    made_ns = run.group.now_ns;
    lives++;
}

static void append(void)
{
    unsigned partition = draw(run.group.partitions);
    const struct ps_test_group_log *log = &run.group.logs[partition];
    if (log->batch_count < PS_TEST_GROUP_BATCHES / 2 && log->end < PS_TEST_GROUP_RECORDS / 2)
        ps_test_group_append_plain(&run.group, partition, 1 + draw(6));
}

static void rebalance(const struct kinds *kinds)
{
    if (!kinds->rebalances || !knows())
        return;
    run.group.share = (draw(3) == 0 ? ALL : draw(ALL + 1)) & ((1U << run.group.partitions) - 1);
    run.group.rebalances = true;
}

/* Returns whether the group does not rebalance: no partition is given up before the member can know of a new topic. */
static bool is_settled(void)
{
    return client_of()->member.phase == PS_KAFKA_MEMBER_STABLE && !client_of()->member.gives_up &&
           run.group.synced && !run.group.rebalances;
}

static void disturb(const struct kinds *kinds)
{
    static const int16_t errors[] = {3, 100, 103};
    switch (draw(40)) {
    case 0:
        if (is_settled() && run.group.now_ns > made_ns + LIFE_NS)
            make_anew(kinds);
        break;
    case 1:
        run.group.sick = draw(2) == 0 ? 0 : draw(ALL + 1);
        run.group.sick_error = errors[draw(PS_COUNT_OF(errors))];
        break;
    case 2:
        if (lives > 0 && run.group.now_ns < made_ns + 9 * PS_NS_PER_S && knows()) {
            run.group.former_answers = 1 + draw(2);
            run.group.former_lives = lives > 1 && run.group.now_ns < made_ns + LIFE_NS ? 1 + draw(2) : 1;
        }
        break;
    case 3:
    case 4:
        rebalance(kinds);
        break;
    case 5:
        ps_test_group_move_leader(&run.group, draw(PS_TEST_GROUP_PARTITIONS));
        break;
    case 6:
        run.group.leaves_out = !kinds->rebalances && draw(3) == 0;
        break;
    case 7:
        if (kinds->mixed && draw(3) == 0) {
            run.group.names_nodes = draw(4);
            ps_test_connections_break(&run.group.nodes[draw(PS_TEST_GROUP_NODES)]);
        }
        break;
    case 8:
        if (kinds->mixed && draw(3) == 0)
            run.group.no_ids = draw(3) == 0;
        break;
    default:
        break;
    }
}

/* Finds a record of the last topic that was not read. Returns false if there is none. */
static bool find_unread(unsigned *partition, int64_t *offset)
{
    for (*partition = 0; *partition < run.group.partitions; ++*partition) {
        const struct ps_test_group_log *log = &run.group.logs[*partition];
        for (*offset = 0; *offset < log->end; ++*offset) {
            if (log->visible[*offset] && !seen[*partition][*offset])
                return true;
        }
    }
    return false;
}

/* All brokers are well again, and the member gets all partitions. */
static void finish(void)
{
    struct ps_test_group_broker *group = &run.group;
    unsigned partition;
    int64_t offset;
    group->faults = group->sick = group->former_answers = 0;
    group->leaves_out = group->no_ids = false;
    for (unsigned turns = 0; turns < 400 && !knows(); turns++) {
        step();
        deliver(&run);
    }
    group->share = (1U << group->partitions) - 1;
    group->rebalances = true;
    for (unsigned turns = 0; find_unread(&partition, &offset); turns++) {
        if (turns > END_TURNS)
            fail_msg("partition %u, offset %lld of %lld was not read; %lld is committed", partition,
                     (long long)offset, (long long)group->logs[partition].end,
                     (long long)group->logs[partition].committed);
        step();
        deliver(&run);
    }
}

static void run_history(uint64_t seed, const struct kinds *kinds)
{
    const struct ps_pair options[] = {
        {.key = "topic.metadata.refresh.interval.ms", .value = seed % 2 != 0 ? "50" : "1000"},
        {.key = "partition.assignment.strategy",
         .value = kinds->cooperative ? "cooperative-sticky" : "range"}};
    begin_with(&run, seed, options, 2, false);
    memset(seen, 0, sizeof seen);
    lives = 0;
    made_ns = 0;
    run.group.cooperative = kinds->cooperative;
    run.group.changes = true;
    run.group.faults = kinds->breaks ? 5 : 0;
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        run.group.logs[i].delivered = INT64_MAX;
    for (unsigned i = 0; i < STEPS; i++) {
        append();
        disturb(kinds);
        for (unsigned n = draw(30); n > 0; n--)
            step();
        for (unsigned n = draw(4); n > 0; n--)
            deliver(&run);
    }
    finish();
    end(&run);
}

static void run_histories(struct kinds kinds)
{
    for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
        kinds.breaks = seed % 3 == 0;
        run_history(seed, &kinds);
    }
}

static void test_ids(void **state)
{
    run_histories((struct kinds){.sizes = false});
}

static void test_mixed(void **state)
{
    run_histories((struct kinds){.mixed = true});
}

static void test_rebalances(void **state)
{
    run_histories((struct kinds){.rebalances = true, .sizes = true});
}

static void test_cooperative(void **state)
{
    run_histories((struct kinds){.rebalances = true, .cooperative = true, .sizes = true});
}

/* ---- single cases ---- */

static void append_to_each(unsigned batches)
{
    for (unsigned n = 0; n < batches; n++) {
        for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
            ps_test_group_append_plain(&run.group, i, 5);
    }
}

static void turn_often(unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        turn(&run);
        deliver(&run);
    }
}

/* Reads a topic to its end. */
static void read_the_first(const char *reset, bool sink_commits)
{
    const struct ps_pair options[] = {{.key = "topic.metadata.refresh.interval.ms", .value = "50"},
                                      {.key = "auto.offset.reset", .value = reset}};
    begin_with(&run, 1, options, 2, sink_commits);
    run.group.leads = true;
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        run.group.logs[i].committed = 0;
    append_to_each(4);
    read_all(&run);
    turn_often(200);
}

/* All records of the new topic are read once, wherever its logs end. */
static void test_from_the_beginning(void **state)
{
    static const char *const resets[] = {"earliest", "latest", "error"};
    for (unsigned batches = 0; batches < 12; batches++) {
        for (size_t i = 0; i < 2 * PS_COUNT_OF(resets); i++) {
            read_the_first(resets[i / 2], i % 2 != 0);
            unsigned read = run.read;
            uint64_t told = ps_log_count(PS_LOG_WARN);
            ps_test_group_make_anew(&run.group);
            append_to_each(batches);
            turn_often(400);
            read_all(&run);
            assert_false(run.dead);
            assert_int_equal(run.read - read, 5 * batches * PS_TEST_GROUP_PARTITIONS);
            assert_int_equal(run.again, 0);
            assert_int_equal(ps_log_count(PS_LOG_WARN) - told, PS_TEST_GROUP_PARTITIONS);
            stop(&run);
            if (i % 2 == 0)
                check_committed(&run);
            end(&run);
        }
    }
}

/* Records of the former topic were read when metadata has the new one: they are delivered. Their offsets are not
 * committed, because the group would take them for offsets of the new topic. Those that were only fetched are dropped. */
static void test_records_of_the_former(void **state)
{
    read_the_first("earliest", false);
    unsigned queued = 0;
    run.waiting_max = 1;
    append_to_each(4);
    while (run.waiting_count == 0 || queued == 0) {
        turn(&run);
        const struct ps_kafka_fetch *fetch = (const struct ps_kafka_fetch *)run.reading;
        for (uint32_t i = 0; i < fetch->part_count; i++)
            queued += fetch->parts[i].queued;
    }
    unsigned read = run.read;
    ps_test_group_make_anew(&run.group);
    for (unsigned i = 0; i < 200; i++)
        turn(&run); /* until metadata has the new topic */
    run.waiting_max = WAITING_MAX;
    for (unsigned i = 0; i < 400; i++) {
        turn_often(1);
        for (unsigned p = 0; p < PS_TEST_GROUP_PARTITIONS; p++)
            assert_true(run.group.logs[p].committed <= 0);
    }
    assert_int_equal(run.read, read);
    append_to_each(1);
    read_all(&run);
    assert_int_equal(run.read - read, 5 * PS_TEST_GROUP_PARTITIONS);
    stop(&run);
    check_committed(&run);
    end(&run);
}

static void turn_without_delivery(unsigned turns)
{
    for (unsigned i = 0; i < turns; i++)
        turn(&run);
}

/* The same when the sink commits. A transaction commits the highest of its positions: no record of the new topic is read before
 * those of the former one are committed, and then 0 is committed, also if the new topic has no record yet. Nothing of the
 * new topic is skipped after a kill. */
static void test_former_in_transactions(void **state)
{
    for (unsigned batches = 0; batches < 3; batches++) {
        read_the_first("earliest", true);
        append_to_each(4);
        while (run.waiting_count == 0)
            turn(&run);
        turn_without_delivery(200);
        unsigned read = run.read;
        ps_test_group_make_anew(&run.group);
        append_to_each(batches);
        turn_without_delivery(400);
        assert_int_equal(run.read, read);
        turn_often(400);
        for (unsigned p = 0; p < PS_TEST_GROUP_PARTITIONS; p++)
            assert_int_equal(run.group.logs[p].committed, run.group.logs[p].end);
        kill_and_start(&run);
        append_to_each(3);
        read_all(&run);
        assert_int_equal(run.read - read, 5 * (batches + 3) * PS_TEST_GROUP_PARTITIONS);
        stop(&run);
        check_committed(&run);
        end(&run);
    }
}

/* The group has no offset when the topic is created again: 0 is committed, although no record is there yet. */
static void test_latest_without_offset(void **state)
{
    const struct ps_pair options[] = {{.key = "topic.metadata.refresh.interval.ms", .value = "50"},
                                      {.key = "auto.offset.reset", .value = "latest"}};
    begin_with(&run, 1, options, 2, false);
    run.group.leads = true;
    append_to_each(2);
    turn_often(400);
    ps_test_group_make_anew(&run.group);
    turn_often(400);
    kill_and_start(&run);
    append_to_each(1);
    turn_often(400);
    read_all(&run);
    assert_int_equal(run.read, 5 * PS_TEST_GROUP_PARTITIONS);
    stop(&run);
    end(&run);
}

/* The new topic has more partitions, for which the group has no offset: these are read from their beginning, too. */
static void test_more_partitions(void **state)
{
    static const char *const resets[] = {"earliest", "latest", "error"};
    for (unsigned i = 0; i < 2 * PS_COUNT_OF(resets); i++) {
        const struct ps_pair options[] = {{.key = "topic.metadata.refresh.interval.ms", .value = "50"},
                                          {.key = "auto.offset.reset", .value = resets[i / 2]}};
        begin_with(&run, 1, options, 2, i % 2 != 0);
        run.group.leads = true;
        run.group.partitions = 1;
        run.group.logs[0].committed = 0;
        ps_test_group_append_plain(&run.group, 0, 5);
        read_all(&run);
        turn_often(200);
        unsigned read = run.read;
        ps_test_group_make_anew(&run.group);
        run.group.partitions = PS_TEST_GROUP_PARTITIONS;
        append_to_each(2);
        turn_often(600);
        read_all(&run);
        assert_false(run.dead);
        assert_int_equal(run.read - read, 5 * 2 * PS_TEST_GROUP_PARTITIONS);
        stop(&run);
        if (i % 2 == 0)
            check_committed(&run);
        end(&run);
    }
}

/* The new topic has fewer partitions: the group gets new shares, and no member requests missing partitions. */
static void test_fewer_partitions(void **state)
{
    read_the_first("earliest", false);
    int32_t generation = run.group.generation;
    ps_test_group_make_anew(&run.group);
    run.group.partitions = 1;
    turn_often(600);
    assert_true(run.group.generation > generation);
    assert_int_equal(run.group.owned, 1);
    uint64_t errors = ps_log_count(PS_LOG_ERROR);
    turn_often(3000);
    assert_int_equal(ps_log_count(PS_LOG_ERROR), errors);
    end(&run);
}

static bool sink_hears_of(int64_t partition)
{
    return ps_kafka_read_topics_have((struct ps_slice){"g", 1}, (struct ps_slice){"t", 1}, partition);
}

/* Brokers that tell no ids: the sink that commits hears that the new topic lacks partitions of the former one, so that it leaves
 * out their positions. */
static void test_fewer_partitions_without_ids(void **state)
{
    const struct ps_pair option = {.key = "topic.metadata.refresh.interval.ms", .value = "50"};
    begin_with(&run, 1, &option, 1, true);
    run.group.old_metadata = run.group.leads = true;
    append_to_each(4);
    read_all(&run);
    turn_often(200);
    assert_true(sink_hears_of(PS_TEST_GROUP_PARTITIONS - 1));
    ps_test_group_make_anew(&run.group);
    run.group.partitions = 1;
    turn_often(600);
    assert_true(sink_hears_of(0));
    assert_false(sink_hears_of(1));
    end(&run);
}

/* A sink that asks makes the source ask its cluster, although the source may rest and read nothing. */
static void test_sink_asks(void **state)
{
    begin_with(&run, 1, NULL, 0, true);
    run.group.leads = true;
    append_to_each(4);
    read_all(&run);
    turn_often(600);
    uint64_t known_ns = client_of()->client->metadata.answered_ns;
    turn_often(600);
    assert_int_equal(client_of()->client->metadata.answered_ns, known_ns);
    assert_true(sink_hears_of(0));
    turn_often(600);
    assert_true(client_of()->client->metadata.answered_ns > known_ns);
    end(&run);
}

/* The topic is deleted, and not created again: the source ends without the commit that the coordinator refuses. */
static void test_deleted(void **state)
{
    read_the_first("earliest", false);
    append_to_each(1);
    for (unsigned i = 0; i < 200; i++)
        turn(&run);
    assert_true(run.waiting_count > 0);
    run.group.fail_key = PS_TEST_KEY_COMMIT;
    run.group.fail_error = PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    run.group.fail_at = 1;
    run.group.fail_last = UINT32_MAX;
    struct ps_kafka_native *client = ((struct ps_kafka_fetch *)run.reading)->client;
    client->metadata.rest_ns = run.group.now_ns + 100 * PS_NS_PER_S;
    client->settings.metadata_age_ns = 100 * PS_NS_PER_S;
    for (unsigned i = 0; i < 50; i++)
        turn(&run);
    ps_kafka_native_topic_find(client, "t", 1)->error = PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    uint64_t told = ps_log_count(PS_LOG_WARN), since_ns = run.group.now_ns;
    stop(&run);
    assert_in_range(run.group.now_ns - since_ns, 0, 2 * PS_NS_PER_S);
    assert_int_equal(ps_log_count(PS_LOG_WARN), told);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_rebalances),
        cmocka_unit_test(test_cooperative),
        cmocka_unit_test(test_from_the_beginning),
        cmocka_unit_test(test_records_of_the_former),
        cmocka_unit_test(test_former_in_transactions),
        cmocka_unit_test(test_latest_without_offset),
        cmocka_unit_test(test_more_partitions),
        cmocka_unit_test(test_fewer_partitions),
        cmocka_unit_test(test_fewer_partitions_without_ids),
        cmocka_unit_test(test_sink_asks),
        cmocka_unit_test(test_deleted),
    };
    assert_int_equal(ps_log_open("/dev/null", NULL), PS_OK);
    ps_log_set_level(PS_LOG_WARN); /* warnings are counted */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
