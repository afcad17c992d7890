#include "tests/support/group_agent.h"

#include <stdio.h>

struct ps_test_group ps_test_group;

/* ---- stages ---- */

static enum ps_result source_work(const void *p, void *state, struct ps_batch *batch, const struct ps_now *at)
{
    uint32_t count = 0;
    for (; count < ps_test_group.to_make; count++, ps_test_group.made++) {
        char body = (char)('a' + ps_test_group.made % 26);
        assert_non_null(ps_batch_add_copy(batch, &body, 1));
        batch->flush = true;
    }
    ps_test_group.to_make = 0;
    return count > 0 ? PS_DONE : PS_IDLE;
}

static uint64_t source_tick(const void *p, void *state, const struct ps_now *at)
{
    return at->mono_ns + ps_test_group.look_ns;
}

static const struct ps_source_ops source_ops = {
    .needs = PS_LEVEL_ACCEPTED, .when_full = PS_WAIT, .work = source_work, .tick = source_tick};
static const struct ps_stage_ops source = {.kind = PS_KIND_SOURCE, .name = "source", .source = &source_ops};

static enum ps_result chain_work(const void *p, void *state, struct ps_lease *lease, const struct ps_now *at)
{
    return PS_DONE;
}

static const struct ps_interceptor_ops chain_ops = {.work = chain_work};
static const struct ps_stage_ops chain = {
    .kind = PS_KIND_INTERCEPTOR, .name = "chain", .interceptor = &chain_ops};

struct member_state {
    struct ps_test_group_member *member;
};

static enum ps_status sink_open(const void *p, void *state, struct ps_port *port, struct ps_err *err)
{
    struct ps_test_group_member *member = &ps_test_group.members[port->name[1] - '1'];
    ((struct member_state *)state)->member = member;
    member->port = port;
    member->opens++;
    return PS_OK;
}

static void sink_close(const void *p, void *state)
{
    struct ps_test_group_member *member = ((struct member_state *)state)->member;
    assert_int_equal(member->kept_count, 0);
    member->closes++;
}

static void settle(struct ps_test_group_member *member, struct ps_lease *lease)
{
    for (uint32_t i = 0; i < lease->count; i++) {
        if (ps_lease_is_settled(lease, i))
            continue;
        char body = ps_lease_event(lease, i)->body[0];
        snprintf(member->settled + strlen(member->settled), 2, "%c", body);
        snprintf(ps_test_group.settled + strlen(ps_test_group.settled), 2, "%c", body);
        ps_lease_settle(lease, i);
    }
}

static enum ps_result sink_work(const void *p, void *state, struct ps_lease **lease, const struct ps_now *at)
{
    struct ps_test_group_member *member = ((struct member_state *)state)->member;
    member->offers++;
    if (member->has_no_room)
        return PS_LATER;
    if (member->rolls_back)
        return PS_RETRY;
    if (member->keeps) {
        assert_true(member->kept_count < PS_TEST_MEMBER_KEPT_MAX);
        member->kept[member->kept_count++] = *lease;
        *lease = NULL;
        return PS_TAKEN;
    }
    settle(member, *lease);
    return PS_DONE;
}

static uint64_t sink_tick(const void *p, void *state, const struct ps_now *at)
{
    struct ps_test_group_member *member = ((struct member_state *)state)->member;
    struct ps_err err = {0};
    if (member->fails) {
        ps_err_set(&err, "the far end has gone");
        ps_port_failed(member->port, &err);
    }
    member->fails = false;
    return PS_NEVER;
}

/* The oldest lease turns out to be delivered. */
static bool sink_recall(const void *p, void *state, struct ps_lease **back, const struct ps_now *at)
{
    struct ps_test_group_member *member = ((struct member_state *)state)->member;
    struct ps_lease **end = back;
    if (member->recall_calls_left > 0) {
        member->recall_calls_left--;
        return false;
    }
    for (unsigned i = 0; i < member->kept_count; i++) {
        if (i == 0) {
            settle(member, member->kept[0]);
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
                                         .state_size = sizeof(struct member_state),
                                         .open = sink_open,
                                         .close = sink_close,
                                         .sink = &sink_ops};

/* ---- helpers ---- */

void ps_test_group_start(const struct ps_processor_settings *group, unsigned workers)
{
    const struct ps_test_small_stages stages = {
        .source = &source, .interceptor = &chain, .sink = &sink, .group = group};
    ps_log_set_level(PS_LOG_OFF);
    memset(ps_test_group.members, 0, sizeof ps_test_group.members);
    memset(ps_test_group.settled, 0, sizeof ps_test_group.settled);
    ps_test_group.to_make = ps_test_group.made = 0;
    ps_test_group.look_ns = PS_NS_PER_S;
    ps_test_small_agent_start(&ps_test_group.agent, &stages, workers, "1000");
    ps_test_small_agent_settle(&ps_test_group.agent);
}

void ps_test_group_make(uint32_t rows, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        ps_test_group.to_make = rows;
        ps_test_small_agent_settle(&ps_test_group.agent);
    }
}

void ps_test_group_pass_s(unsigned seconds)
{
    ps_test_small_agent_run(&ps_test_group.agent, seconds * PS_NS_PER_S);
}

void ps_test_group_deliver_kept(struct ps_test_group_member *member)
{
    for (unsigned i = 0; i < member->kept_count; i++) {
        settle(member, member->kept[i]);
        ps_port_done(member->port, &member->kept[i]);
    }
    member->kept_count = 0;
}

void ps_test_group_stop(void)
{
    ps_test_small_agent_stop(&ps_test_group.agent, true);
    assert_int_equal(ps_test_group.agent.lost.events, 0);
    for (unsigned i = 0; i < PS_TEST_MEMBERS_MAX; i++)
        assert_int_equal(ps_test_group.members[i].opens, ps_test_group.members[i].closes);
}
