/* Histories of the native fetch client that a seed determines: connections break, leaders and the coordinator move, brokers
 * forget fetch sessions or have no room for them, the group rebalances and gives partitions away and back, logs lose their beginning or their end, batches arrive damaged. No
 * record is lost; a record is read twice only if its commit did not happen, or the policy for lost offsets demands it;
 * records of a partition are in order; only delivered records are committed (tests/support/kafka/fetch_run.h and
 * group_broker.h check that). */
#include "core/log/log.h"
#include "tests/support/kafka/fetch_run.h"

#define HISTORIES 40U
#define STEPS 400U
#define ALL ((1U << PS_TEST_GROUP_PARTITIONS) - 1)

struct kinds {
    bool breaks, moves, truncates;
    bool rebalances, expires;  /* expires: the group removes the member */
    bool cooperative, damages; /* damages: of batches, without other faults */
    const char *reset;
};

static unsigned draw(struct run *run, unsigned below)
{
    return ps_test_group_draw(&run->group, below);
}

static void rebalance(struct run *run, bool expires)
{
    struct ps_test_group_broker *group = &run->group;
    group->share = draw(run, 4) == 0 ? ALL : draw(run, ALL + 1);
    group->leads = draw(run, 2) == 0;
    group->others = draw(run, 3);
    group->rebalances = true;
    if (expires && draw(run, 6) == 0)
        group->joined = false;
}

static void append(struct run *run)
{
    unsigned partition = draw(run, PS_TEST_GROUP_PARTITIONS);
    const struct ps_test_group_log *log = &run->group.logs[partition];
    if (!log->cut && log->batch_count < PS_TEST_GROUP_BATCHES / 2 && log->end < PS_TEST_GROUP_RECORDS / 2)
        ps_test_group_append(&run->group, partition);
}

static void disturb(struct run *run, const struct kinds *kinds)
{
    unsigned partition = draw(run, PS_TEST_GROUP_PARTITIONS);
    switch (draw(run, 60)) {
    case 0:
        if (kinds->moves)
            ps_test_group_move_leader(&run->group, partition);
        break;
    case 1:
        if (kinds->moves && draw(run, 3) == 0)
            run->group.coordinator = draw(run, PS_TEST_GROUP_NODES);
        break;
    case 2:
        if (kinds->rebalances)
            rebalance(run, kinds->expires);
        break;
    case 3:
        if (kinds->truncates)
            ps_test_group_trim(&run->group, partition);
        break;
    case 4:
        if (kinds->truncates && draw(run, 3) == 0)
            ps_test_group_truncate(&run->group, partition);
        break;
    case 5:
        if (kinds->breaks && draw(run, 3) == 0)
            ps_test_connections_break(&run->group.nodes[draw(run, PS_TEST_GROUP_NODES)]);
        break;
    case 6:
        ps_test_group_sessions_forget(&run->group);
        break;
    default:
        break;
    }
}

static void finish(struct run *run, bool from_latest)
{
    run->group.faults = 0;
    run->group.share = ALL;
    run->group.others = 0;
    run->group.rebalances = true; /* it gets all partitions */
    read_all(run);
    for (unsigned i = 0; i < 200;
         i++) { /* a leader may still send it back, to what was read of another log */
        turn(run);
        deliver(run);
    }
    read_all(run);
    assert_false(run->dead);
    stop(run);
    if (!from_latest) /* the member does not commit records that were there before it */
        check_committed(run);
}

static void run_history(struct run *run, uint64_t seed, const struct kinds *kinds)
{
    const struct ps_pair options[] = {{.key = "auto.offset.reset", .value = kinds->reset},
                                      {.key = "partition.assignment.strategy",
                                       .value = kinds->cooperative ? "cooperative-sticky" : "range"}};
    begin(run, seed, options, PS_COUNT_OF(options));
    run->group.cooperative = kinds->cooperative;
    run->group.old = draw(run, 3) == 0;
    run->group.names_topics = draw(run, 3) == 0;
    run->group.no_sessions = draw(run, 4) == 0;
    run->group.faults = kinds->breaks ? draw(run, 40) : 0;
    run->group.damages = kinds->breaks || kinds->damages;
    run->group.damage_share = kinds->damages ? 200 : 0;
    run->group.changes = kinds->rebalances || kinds->breaks;
    for (unsigned step = 0; step < STEPS; step++) {
        if (draw(run, 3) == 0)
            append(run);
        disturb(run, kinds);
        turn(run);
        if (draw(run, 3) == 0)
            deliver(run);
        ps_test_group_others_read(&run->group);
        if (run->dead)
            fail_msg("seed %llu: %s", (unsigned long long)seed, run->reason.text);
    }
    finish(run, strcmp(kinds->reset, "latest") == 0);
}

/* Runs histories of these kinds. Returns how many records were read twice. */
static unsigned run_histories(const struct kinds *kinds, unsigned *rebalances)
{
    static struct run run;
    unsigned again = 0, read = 0, breaks = 0, errors = 0, out_of_range = 0, by_others = 0, damaged = 0;
    unsigned full = 0, incremental = 0, not_found = 0;
    uint64_t seed = ps_test_seed();
    *rebalances = 0;
    for (unsigned i = 0; i < HISTORIES; i++) {
        print_message("seed %llu\n", (unsigned long long)(seed + i));
        run_history(&run, (seed + i) * UINT64_C(0x9e3779b97f4a7c15), kinds);
        again += run.again;
        read += run.read;
        breaks += run.group.counts.breaks;
        errors += run.group.counts.errors;
        damaged += run.group.counts.damaged;
        out_of_range += run.group.counts.out_of_range;
        by_others += run.group.counts.by_others;
        full += run.group.counts.full;
        incremental += run.group.counts.incremental;
        not_found += run.group.counts.not_found;
        *rebalances += (unsigned)run.group.generation;
        end(&run);
    }
    print_message(
        "%u records read, %u of them again, %u by others; %u breaks, %u errors, %u damaged, %u offsets "
        "out of range, %u generations\n",
        read, again, by_others, breaks, errors, damaged, out_of_range, *rebalances);
    print_message("fetch sessions: %u requests with all partitions, %u others; %u sessions not found\n", full,
                  incremental, not_found);
    assert_true(full > 0 && incremental > 0 && not_found > 0);
    assert_true(!kinds->breaks || (breaks > 0 && errors > 0));
    assert_true(!kinds->truncates || out_of_range > 0);
    return again;
}

/* Without a broken connection no commit is lost: nothing is read twice. */
static void test_moves(void **state)
{
    unsigned generations;
    assert_int_equal(run_histories(&(struct kinds){.moves = true, .reset = "earliest"}, &generations), 0);
    assert_in_range(generations, 2 * HISTORIES, 3 * HISTORIES); /* the coordinator may move while it joins */
}

static void test_breaks(void **state)
{
    unsigned generations;
    (void)run_histories(&(struct kinds){.breaks = true, .moves = true, .reset = "earliest"}, &generations);
}

/* Nothing is read twice either when the group rebalances and partitions are given up in order. */
static void test_rebalances(void **state)
{
    unsigned generations;
    const struct kinds kinds = {.moves = true, .rebalances = true, .reset = "earliest"};
    assert_int_equal(run_histories(&kinds, &generations), 0);
    assert_true(generations > 3 * HISTORIES);
}

/* Nothing is read twice either if a batch arrives damaged after this or another member has read some of its records. */
static void test_damage(void **state)
{
    unsigned generations;
    struct kinds kinds = {.moves = true, .damages = true, .reset = "earliest"};
    assert_int_equal(run_histories(&kinds, &generations), 0);
    kinds.rebalances = true;
    assert_int_equal(run_histories(&kinds, &generations), 0);
}

/* The same with the cooperative protocol: a kept partition is read without a break. */
static void test_cooperative(void **state)
{
    unsigned generations;
    struct kinds kinds = {.moves = true, .rebalances = true, .cooperative = true, .reset = "earliest"};
    assert_int_equal(run_histories(&kinds, &generations), 0);
    assert_true(generations > 3 * HISTORIES);
    kinds.breaks = kinds.truncates = kinds.expires = true;
    (void)run_histories(&kinds, &generations);
}

static void test_logs_that_change(void **state)
{
    unsigned generations;
    (void)run_histories(&(struct kinds){.truncates = true, .moves = true, .reset = "earliest"}, &generations);
    (void)run_histories(&(struct kinds){.truncates = true, .moves = true, .reset = "latest"}, &generations);
}

static void test_everything(void **state)
{
    unsigned generations;
    const struct kinds kinds = {.breaks = true,
                                .moves = true,
                                .truncates = true,
                                .rebalances = true,
                                .expires = true,
                                .reset = "earliest"};
    (void)run_histories(&kinds, &generations);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moves),       cmocka_unit_test(test_breaks),
        cmocka_unit_test(test_rebalances),  cmocka_unit_test(test_damage),
        cmocka_unit_test(test_cooperative), cmocka_unit_test(test_logs_that_change),
        cmocka_unit_test(test_everything),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
