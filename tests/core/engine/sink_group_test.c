/* Sink groups in the engine: who gets the leases of a sink that dies in each of the ways in which one can, in which
 * order, and when. */
#include "core/engine/sink_group.h"
#include "tests/support/small_agent.h"

#include <stdio.h>

#define SINKS_MAX 3U
#define KEPT_MAX 64U

/* What a sink shall do, and what it recorded. */
struct fake_member {
    bool opens_not, rolls_back, keeps, has_no_room, fails, is_troubled;
    uint32_t partly; /* settles so many events before it rolls back */
    unsigned recall_calls_left;
    unsigned opens, closes, offers;
    struct ps_port *port;
    struct ps_lease *kept[KEPT_MAX];
    unsigned kept_count;
    char settled[256]; /* the bodies of settled events, one letter each */
};
static struct fake_member members[SINKS_MAX];
static char all_settled[512];
static uint32_t to_make;
static unsigned made;
static struct ps_test_small_agent agent;

/* ---- stages ---- */

static enum ps_result source_work(const void *p, void *state, struct ps_batch *batch, const struct ps_now *at)
{
    uint32_t count = 0;
    (void)p;
    (void)state;
    (void)at;
    for (; count < to_make; count++, made++) {
        char body = (char)('a' + made % 26);
        assert_non_null(ps_batch_add_copy(batch, &body, 1));
        batch->flush = true;
    }
    to_make = 0;
    return count > 0 ? PS_DONE : PS_IDLE;
}

static const struct ps_source_ops source_ops = {
    .needs = PS_LEVEL_ACCEPTED, .when_full = PS_WAIT, .work = source_work};
static const struct ps_stage_ops source = {.kind = PS_KIND_SOURCE, .name = "source", .source = &source_ops};

static enum ps_result chain_work(const void *p, void *state, struct ps_lease *lease, const struct ps_now *at)
{
    (void)p;
    (void)state;
    (void)lease;
    (void)at;
    return PS_DONE;
}

static const struct ps_interceptor_ops chain_ops = {.work = chain_work};
static const struct ps_stage_ops chain = {
    .kind = PS_KIND_INTERCEPTOR, .name = "chain", .interceptor = &chain_ops};

struct fake_state {
    struct fake_member *member;
};

static enum ps_status sink_open(const void *p, void *state, struct ps_port *port, struct ps_err *err)
{
    struct fake_member *member = &members[port->name[1] - '1'];
    (void)p;
    if (member->opens_not)
        return ps_err_set(err, "the port is closed");
    ((struct fake_state *)state)->member = member;
    member->port = port;
    member->opens++;
    return PS_OK;
}

static void sink_close(const void *p, void *state)
{
    struct fake_member *member = ((struct fake_state *)state)->member;
    (void)p;
    assert_int_equal(member->kept_count, 0);
    member->closes++;
}

static void settle(struct fake_member *member, struct ps_lease *lease, uint32_t most)
{
    for (uint32_t i = 0; i < lease->count && most > 0; i++) {
        if (ps_lease_is_settled(lease, i))
            continue;
        char body = ps_lease_event(lease, i)->body[0];
        snprintf(member->settled + strlen(member->settled), 2, "%c", body);
        snprintf(all_settled + strlen(all_settled), 2, "%c", body);
        ps_lease_settle(lease, i);
        most--;
    }
}

static void say(struct fake_member *member, bool *flag,
                void (*call)(struct ps_port *port, const struct ps_err *reason))
{
    struct ps_err err = {0};
    if (!*flag)
        return;
    *flag = false;
    ps_err_set(&err, "the far end has gone");
    call(member->port, &err);
}

static enum ps_result sink_work(const void *p, void *state, struct ps_lease **lease, const struct ps_now *at)
{
    struct fake_member *member = ((struct fake_state *)state)->member;
    (void)p;
    (void)at;
    member->offers++;
    if (member->has_no_room)
        return PS_LATER;
    if (member->rolls_back) {
        settle(member, *lease, member->partly);
        return PS_RETRY;
    }
    if (member->keeps) {
        assert_true(member->kept_count < KEPT_MAX);
        member->kept[member->kept_count++] = *lease;
        *lease = NULL;
        return PS_TAKEN;
    }
    settle(member, *lease, UINT32_MAX);
    return PS_DONE;
}

static uint64_t sink_tick(const void *p, void *state, const struct ps_now *at)
{
    struct fake_member *member = ((struct fake_state *)state)->member;
    (void)p;
    (void)at;
    say(member, &member->fails, ps_port_failed);
    say(member, &member->is_troubled, ps_port_troubled);
    return PS_NEVER;
}

/* The oldest lease turns out to be delivered. */
static bool sink_recall(const void *p, void *state, struct ps_lease **back, const struct ps_now *at)
{
    struct fake_member *member = ((struct fake_state *)state)->member;
    struct ps_lease **end = back;
    (void)p;
    (void)at;
    if (member->recall_calls_left > 0) {
        member->recall_calls_left--;
        return false;
    }
    for (unsigned i = 0; i < member->kept_count; i++) {
        if (i == 0) {
            settle(member, member->kept[0], UINT32_MAX);
            ps_port_done(member->port, &member->kept[0]);
            continue;
        }
        *end = member->kept[i];
        end = &(*end)->next;
        *end = NULL;
    }
    member->kept_count = 0;
    return true;
}

static const struct ps_sink_ops sink_ops = {.work = sink_work, .tick = sink_tick, .recall = sink_recall};
static const struct ps_stage_ops sink = {.kind = PS_KIND_SINK,
                                         .name = "sink",
                                         .state_size = sizeof(struct fake_state),
                                         .open = sink_open,
                                         .close = sink_close,
                                         .sink = &sink_ops};

/* ---- helpers ---- */

static const int32_t falling[] = {30, 20, 10};
static const struct ps_processor_settings failover = {
    .type = PS_PROCESSOR_FAILOVER, .max_ms = 30000, .count = 2, .priorities = falling};
static const struct ps_processor_settings failover_of_three = {
    .type = PS_PROCESSOR_FAILOVER, .max_ms = 30000, .count = 3, .priorities = falling};
static const struct ps_processor_settings in_turn = {.type = PS_PROCESSOR_LOAD_BALANCE, .count = 2};
static const struct ps_processor_settings in_turn_with_backoff = {
    .type = PS_PROCESSOR_LOAD_BALANCE, .backoff = true, .count = 2};

static void forget(void)
{
    ps_log_set_level(PS_LOG_OFF);
    memset(members, 0, sizeof members);
    memset(all_settled, 0, sizeof all_settled);
    to_make = made = 0;
}

static void begin(const struct ps_processor_settings *group, unsigned workers)
{
    const struct ps_test_small_stages stages = {
        .source = &source, .interceptor = &chain, .sink = &sink, .group = group};
    ps_test_small_agent_start(&agent, &stages, workers, "1000");
    ps_test_small_agent_settle(&agent);
}

static void start(const struct ps_processor_settings *group, unsigned workers)
{
    forget();
    begin(group, workers);
}

/* `times` batches of `rows`; no time passes. */
static void make(uint32_t rows, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        to_make = rows;
        ps_test_small_agent_settle(&agent);
    }
}

static void pass_s(unsigned seconds)
{
    ps_test_small_agent_run(&agent, seconds * PS_NS_PER_S);
}

static void deliver_kept(struct fake_member *member)
{
    for (unsigned i = 0; i < member->kept_count; i++) {
        settle(member, member->kept[i], UINT32_MAX);
        ps_port_done(member->port, &member->kept[i]);
    }
    member->kept_count = 0;
}

static enum ps_metrics_member member_state(unsigned number)
{
    return (enum ps_metrics_member)ps_test_small_agent_nth_sink(&agent, number)->member_state;
}

static void stop(void)
{
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(agent.lost.events, 0);
    for (unsigned i = 0; i < SINKS_MAX; i++)
        assert_int_equal(members[i].opens, members[i].closes);
}

/* ---- failover ---- */

/* All sinks of a group are on one worker, and are one consumer. */
static void test_one_consumer(void **state)
{
    (void)state;
    start(&failover_of_three, 4);
    assert_int_equal(agent.plan->worker_count, 4);
    assert_int_equal(agent.plan->channels[0].consumer_count, 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(agent.plan->sinks[i].worker, agent.plan->sinks[0].worker);
        assert_int_equal(agent.plan->sinks[i].consumer, 0);
    }
    make(2, 5);
    assert_string_equal(members[0].settled, "abcdefghij");
    assert_int_equal(member_state(0), PS_METRICS_MEMBER_ACTIVE);
    assert_int_equal(member_state(1), PS_METRICS_MEMBER_STANDBY);
    stop();
}

/* A rollback: the same lease goes to the next sink at once; after 2 s the first is tried again, then after 4. */
static void test_rollback(void **state)
{
    (void)state;
    start(&failover, 1);
    members[0].rolls_back = true;
    make(1, 3);
    assert_string_equal(members[1].settled, "abc");
    assert_int_equal(members[0].offers, 1);
    assert_int_equal(members[0].closes, 0); /* it stays open */
    assert_int_equal(member_state(0), PS_METRICS_MEMBER_PENALISED);
    assert_int_equal(member_state(1), PS_METRICS_MEMBER_ACTIVE);
    pass_s(3);
    make(1, 2); /* tried with the first of them */
    assert_int_equal(members[0].offers, 2);
    assert_string_equal(members[1].settled, "abcde");
    pass_s(3);
    make(1, 1);
    assert_int_equal(members[0].offers, 2); /* 4 s */
    members[0].rolls_back = false;
    pass_s(2);
    make(1, 2);
    assert_string_equal(members[0].settled, "gh");
    assert_string_equal(all_settled, "abcdefgh");
    assert_int_equal(member_state(0), PS_METRICS_MEMBER_ACTIVE);
    stop();
}

/* Events that the first one settled are not given to the next one. */
static void test_rollback_in_the_middle_of_a_batch(void **state)
{
    (void)state;
    start(&failover, 1);
    members[0].rolls_back = true;
    members[0].partly = 3;
    make(10, 1);
    assert_string_equal(members[0].settled, "abc");
    assert_string_equal(members[1].settled, "defghij");
    stop();
}

/* What it had taken before is older than what it rolled back, and goes first. */
static void test_rollback_with_leases_under_way(void **state)
{
    (void)state;
    start(&failover, 2);
    members[0].keeps = true;
    make(1, 4);
    members[0].keeps = false;
    members[0].rolls_back = true;
    members[0].recall_calls_left = 3;
    make(1, 1);
    assert_string_equal(members[1].settled, ""); /* not before all have come back */
    pass_s(1);
    make(1, 1);
    assert_string_equal(members[0].settled, "a");
    assert_string_equal(members[1].settled, "bcdef");
    assert_int_equal(members[0].closes, 1);
    stop();
}

/* ps_port_failed with leases taken, offered and waiting. */
static void test_sink_that_dies(void **state)
{
    (void)state;
    start(&failover, 2);
    members[0].keeps = true;
    make(2, 3);
    members[0].keeps = false;
    members[0].has_no_room = true;
    make(2, 3);
    assert_string_equal(all_settled, "");
    members[0].fails = true;
    pass_s(1);
    assert_string_equal(members[0].settled, "ab"); /* its recall learned that */
    assert_string_equal(members[1].settled, "cdefghijkl");
    assert_int_equal(ps_test_small_agent_nth_sink(&agent, 0)->inflight, 0);
    members[0].has_no_room = false;
    pass_s(4);
    assert_int_equal(members[0].opens, 2);
    make(2, 1);
    assert_string_equal(members[0].settled, "abmn");
    stop();
}

/* A sink that goes on trying by itself says so: with another one in the group that is a failure. */
static void test_sink_in_trouble(void **state)
{
    (void)state;
    start(&failover, 1);
    members[0].keeps = true;
    make(1, 5);
    members[0].is_troubled = true;
    pass_s(1);
    assert_string_equal(members[1].settled, "bcde");
    assert_int_equal(members[0].closes, 1);
    assert_string_equal(ps_test_small_agent_nth_sink(&agent, 0)->base.error, "the far end has gone");
    members[0].keeps = false;
    pass_s(4);
    stop();

    static const struct ps_processor_settings alone = {
        .type = PS_PROCESSOR_FAILOVER, .max_ms = 30000, .count = 1, .priorities = falling};
    start(&alone, 1);
    members[0].keeps = true;
    make(1, 2);
    members[0].is_troubled = true;
    pass_s(5);
    assert_int_equal(members[0].closes, 0); /* nobody else could have them */
    deliver_kept(&members[0]);
    members[0].keeps = false;
    stop();
}

/* A sink that does not open is a sink that fails, and one that opens later is tried. */
static void test_sink_that_does_not_open(void **state)
{
    (void)state;
    forget();
    members[0].opens_not = true;
    begin(&failover, 1);
    make(1, 2);
    assert_string_equal(members[1].settled, "ab");
    members[0].opens_not = false;
    pass_s(40); /* its penalty may have grown to 30 s */
    make(1, 2);
    assert_string_equal(members[0].settled, "cd");
    stop();
}

/* A sink that was down shows with one lease that it works; the others wait for it. */
static void test_one_lease_after_a_penalty(void **state)
{
    (void)state;
    start(&failover, 1);
    members[0].rolls_back = true;
    make(1, 1);
    members[0].rolls_back = false;
    members[0].keeps = true;
    pass_s(3);
    make(1, 4);
    assert_int_equal(members[0].kept_count, 1);
    assert_string_equal(members[1].settled, "a");
    deliver_kept(&members[0]);
    ps_test_small_agent_settle(&agent);
    assert_int_equal(members[0].kept_count, 3);
    deliver_kept(&members[0]);
    assert_string_equal(all_settled, "abcde");
    members[0].keeps = false;
    stop();
}

/* Nor does it get what is behind leases that the other one still has. */
static void test_waits_for_what_the_other_one_holds(void **state)
{
    (void)state;
    start(&failover, 1);
    members[0].rolls_back = true;
    members[1].keeps = true;
    make(1, 3);
    assert_int_equal(members[1].kept_count, 3);
    members[0].rolls_back = false;
    pass_s(3);
    make(1, 2);
    assert_string_equal(members[0].settled, "");
    assert_int_equal(members[1].kept_count, 3);
    deliver_kept(&members[1]);
    ps_test_small_agent_settle(&agent);
    assert_string_equal(all_settled, "abcde");
    assert_string_equal(members[0].settled, "de");
    stop();
}

/* All fail: tried again when the first penalty ends, and nothing is lost. */
static void test_all_fail(void **state)
{
    (void)state;
    start(&failover_of_three, 3);
    for (unsigned i = 0; i < 3; i++)
        members[i].rolls_back = true;
    make(1, 4);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(members[i].offers, 1);
    pass_s(3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(members[i].offers, 2);
    members[2].rolls_back = false;
    pass_s(4);
    assert_string_equal(members[2].settled, "abcd");
    members[0].rolls_back = members[1].rolls_back = false;
    pass_s(9);
    make(1, 1);
    assert_string_equal(all_settled, "abcde");
    stop();
}

/* ---- load_balance ---- */

static void test_in_turn(void **state)
{
    (void)state;
    start(&in_turn, 3);
    make(1, 6);
    assert_string_equal(members[0].settled, "ace");
    assert_string_equal(members[1].settled, "bdf");
    assert_int_equal(member_state(0), PS_METRICS_MEMBER_ACTIVE);
    assert_int_equal(member_state(1), PS_METRICS_MEMBER_ACTIVE);
    members[0].rolls_back = true;
    make(1, 4);
    assert_string_equal(members[1].settled, "bdfghij");
    assert_int_equal(members[0].offers, 5); /* without backoff it is offered each second lease */
    stop();
}

static void test_backoff(void **state)
{
    (void)state;
    start(&in_turn_with_backoff, 1);
    members[0].rolls_back = true;
    make(1, 4);
    assert_int_equal(members[0].offers, 1);
    assert_int_equal(member_state(0), PS_METRICS_MEMBER_PENALISED);
    members[0].rolls_back = false;
    pass_s(3);
    make(1, 4);
    assert_int_equal(strlen(members[0].settled), 2);
    assert_int_equal(strlen(members[1].settled), 6);
    stop();
}

/* A sink that is full is passed over; its lease waits for it, in its order. */
static void test_full_sink_is_passed_over(void **state)
{
    (void)state;
    start(&in_turn, 1);
    members[0].has_no_room = true;
    make(1, 5);
    assert_string_equal(members[1].settled, "bcde");
    members[0].has_no_room = false;
    pass_s(1);
    assert_string_equal(members[0].settled, "a");
    stop();
}

/* What a dead sink had comes before what nobody had yet. */
static void test_leases_of_a_dead_sink_come_first(void **state)
{
    (void)state;
    start(&in_turn_with_backoff, 2);
    members[0].keeps = true;
    make(1, 8);
    assert_int_equal(members[0].kept_count, 4); /* a c e g */
    members[1].has_no_room = true;
    make(1, 4); /* i, k kept; j offered */
    members[0].fails = true;
    members[0].keeps = false;
    ps_test_small_agent_settle(&agent);
    members[0].opens_not = true;
    pass_s(1);
    members[1].has_no_room = false;
    pass_s(1);
    assert_string_equal(members[0].settled, "a");
    assert_string_equal(members[1].settled, "bdfhjcegikl");
    members[0].opens_not = false;
    pass_s(40);
    stop();
}

/* A stop while members hold, fail and rest delivers or counts everything. */
static void test_stop_in_the_middle(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 4; variant++) {
        start(variant % 2 == 0 ? &failover : &in_turn, 1 + variant / 2);
        members[0].keeps = true;
        make(1, 3);
        members[0].fails = variant > 1;
        members[0].recall_calls_left = 2;
        members[1].rolls_back = true;
        make(1, 3);
        ps_test_small_agent_stop(&agent, false);
        assert_int_equal(agent.lost.events - agent.lost.settled + strlen(all_settled), 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_consumer),
        cmocka_unit_test(test_rollback),
        cmocka_unit_test(test_rollback_in_the_middle_of_a_batch),
        cmocka_unit_test(test_rollback_with_leases_under_way),
        cmocka_unit_test(test_sink_that_dies),
        cmocka_unit_test(test_sink_in_trouble),
        cmocka_unit_test(test_sink_that_does_not_open),
        cmocka_unit_test(test_one_lease_after_a_penalty),
        cmocka_unit_test(test_waits_for_what_the_other_one_holds),
        cmocka_unit_test(test_all_fail),
        cmocka_unit_test(test_in_turn),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_full_sink_is_passed_over),
        cmocka_unit_test(test_leases_of_a_dead_sink_come_first),
        cmocka_unit_test(test_stop_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
