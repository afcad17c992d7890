/* Histories of the native fetch client in which a topic is created again many times: brokers that do not know its id, or name a former
 * one, brokers with and without ids in Fetch, leaders that move, rebalances, connections that break, a sink that is slow. At the end each
 * record of the last topic was read. The coordinator may keep offsets of a former topic. */
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
    bool breaks, mixed, rebalances, expression, cooperative, sizes;
};

static struct run run;
static uint8_t seen[PS_TEST_GROUP_PARTITIONS][PS_TEST_GROUP_RECORDS];
static uint64_t made_ns;
static uint32_t lives;
/* Offsets of the former topic that the coordinator keeps; -1: none. */
static int64_t kept[PS_TEST_GROUP_PARTITIONS];

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
    (void)engine->read(run.reading, &run.state);
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
    uint64_t due_ns = engine->tick(run.reading, run.waiting_count >= WAITING_MAX, *now_ns);
    if (engine->failed(run.reading, &run.reason))
        fail_msg("%s", run.reason.text);
    read_on();
    if (ps_test_group_serve(&run.group))
        *now_ns += PS_NS_PER_MS / 4;
    else if (due_ns < *now_ns + PS_NS_PER_MS)
        *now_ns += PS_NS_PER_MS;
    else
        *now_ns = due_ns < *now_ns + IDLE_NS ? due_ns : *now_ns + IDLE_NS;
}

/* `forgotten`: no commit for the former topic comes after the group has deleted its offsets. */
static void make_anew(const struct kinds *kinds, bool forgotten)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        kept[i] =
            (run.group.owned >> i & 1) != 0 && !forgotten && draw(2) == 0 ? run.group.logs[i].committed : -1;
    ps_test_group_make_anew(&run.group);
    memset(seen, 0, sizeof seen);
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++) {
        run.group.logs[i].committed = kept[i];
        run.group.logs[i].delivered = INT64_MAX;
    }
    if (kinds->sizes)
        run.group.partitions = 1 + draw(PS_TEST_GROUP_PARTITIONS);
    made_ns = run.group.now_ns;
    lives++;
}

/* Returns whether the coordinator still has an offset of the former topic. The source lowers it with its next commit. */
static bool has_kept(void)
{
    bool has = false;
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        has |= kept[i] >= 0 && run.group.logs[i].committed == kept[i];
    return has;
}

/* The topic can be seen again, and is another one if `anew`. A topic that cannot be seen for a while, before an offset of the former topic
 * is lowered, is read from that offset, as KAFKA.md says: then it is always another one, without the offset. */
static void list_again(const struct kinds *kinds, bool anew)
{
    if (anew || has_kept())
        make_anew(kinds, true);
    run.group.unlisted = false;
    run.group.share = ALL;
}

static void append(void)
{
    unsigned partition = draw(run.group.partitions);
    const struct ps_test_group_log *log = &run.group.logs[partition];
    if (log->set_count < PS_TEST_GROUP_SETS / 2 && log->end < PS_TEST_GROUP_RECORDS / 2)
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
           run.group.synced && !run.group.rebalances && !run.group.unlisted;
}

static void disturb(const struct kinds *kinds)
{
    static const int16_t errors[] = {3, 100, 103};
    switch (draw(40)) {
    case 0:
        if (is_settled() && run.group.now_ns > made_ns + LIFE_NS)
            make_anew(kinds, false);
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
        ps_test_group_sessions_forget(&run.group);
        break;
    case 7:
        run.group.leaves_out = !kinds->rebalances && draw(3) == 0;
        break;
    case 8:
        if (kinds->mixed && draw(3) == 0) {
            run.group.names_nodes = draw(4);
            ps_test_connections_break(&run.group.nodes[draw(PS_TEST_GROUP_NODES)]);
        }
        break;
    case 9:
        if (kinds->mixed && draw(3) == 0)
            run.group.no_ids = draw(3) == 0;
        break;
    case 10:
        if (kinds->expression && is_settled() && knows()) {
            run.group.unlisted = true;
            run.group.share = 0;
        }
        break;
    case 11:
        if (run.group.unlisted && topic()->error != 0)
            list_again(kinds, draw(2) == 0);
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
static void finish(const struct kinds *kinds)
{
    struct ps_test_group_broker *group = &run.group;
    unsigned partition;
    int64_t offset;
    group->faults = group->sick = group->former_answers = 0;
    group->leaves_out = group->no_ids = false;
    if (group->unlisted) {
        for (unsigned turns = 0; turns < END_TURNS && topic()->error == 0; turns++) {
            step();
            deliver(&run);
        }
        list_again(kinds, false);
        append();
    }
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
    expression = kinds->expression ? "^t$" : NULL;
    begin_with(&run, seed, options, 2, false);
    memset(seen, 0, sizeof seen);
    lives = 0;
    made_ns = 0;
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        kept[i] = -1;
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
    finish(kinds);
    end(&run);
    expression = NULL;
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

static void test_expression(void **state)
{
    run_histories((struct kinds){.expression = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_rebalances), cmocka_unit_test(test_cooperative),
        cmocka_unit_test(test_expression),
    };
    assert_int_equal(ps_log_open("/dev/null", NULL), PS_OK);
    ps_log_set_level(PS_LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
