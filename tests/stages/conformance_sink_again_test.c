/* Every sink fails, succeeds, and fails again. Refused events are sent again: none is lost, none comes twice, the order is kept. A
 * failure after a success is like the first one: as many attempts, the same backoffs, memory, descriptors and gauges. At the
 * end nothing is open and no gauge counts anything. */
#include "tests/stages/conformance_sink.h"
#define PS_TEST_ALLOCATIONS_LIVE
#include "tests/support/allocations.h"
#include "tests/support/system_calls.h"

#include <limits.h>
#include <poll.h>

#define LEASES 8U
#define LEASE_EVENTS 50U
#define FIRST_EVENTS 100U /* so that the bodies of all later events have the same length */
#define ROUNDS 3U
#define FAILING_CALLS 3U
#define FREE_MS 400U     /* time of a round besides the backoffs: for timers of protocols */
#define QUIET_TURNS 100U /* after a round, for work in the background */

static const struct ps_stage_ops *const of_hbase[] = {&ps_sink_hbase, &ps_sink_hbase2, &ps_sink_asynchbase};

/* Each sink is asked, or its adapter says which test has its failures, and why. */
static void test_all_are_asked(void **unused)
{
    for (size_t i = 0; i < ps_test_sink_adapter_count; i++) {
        const struct ps_test_sink_adapter *adapter = &ps_test_sink_adapters[i];
        if (adapter->refuse != NULL || adapter->failing_call != NULL)
            continue;
        if (adapter->refuses_elsewhere == NULL)
            fail_msg("%s: nothing of it fails here: set refuse, failing_call or refuses_elsewhere in "
                     "tests/support/conformance_sinks.c",
                     adapter->ops->name);
        ps_test_asked_elsewhere(adapter->ops, adapter->refuses_elsewhere);
    }
    for (size_t i = 0; i < PS_COUNT_OF(of_hbase); i++)
        ps_test_asked_elsewhere(of_hbase[i], "tests/real/hbase_sink_test.sh: it needs HBase and ZooKeeper");
    ps_test_asked_elsewhere(&ps_sink_kudu, "tests/real/kudu_sink_test.sh: it needs Kudu");
}

/* ---- a far end that refuses ---- */

static void refuse(const struct ps_test_sink_adapter *adapter)
{
    ps_test_call_broken = adapter->failing_call;
    ps_test_call_broken_left = FAILING_CALLS;
    if (adapter->refuse != NULL)
        adapter->refuse();
}

static bool has_refused(const struct ps_test_sink_adapter *adapter)
{
    return adapter->refuse != NULL ? adapter->refused() : ps_test_call_broken == NULL;
}

static unsigned trouble_count;

static void note_trouble(struct ps_port *port, const struct ps_err *reason)
{
    trouble_count++;
}

/* Returns whether a worker would call the sink now: the time that it asked for has come, one of its sockets is ready,
 * or one of its threads has woken the worker. */
static bool is_due(const struct ps_test_stage *stage, uint64_t due_ns)
{
    struct pollfd ready = {.fd = stage->port.epoll_fd, .events = POLLIN};
    uint64_t wakes;
    bool waked = read(stage->port.wake_fd, &wakes, sizeof wakes) > 0;
    return waked || due_ns <= stage->now.mono_ns || poll(&ready, 1, 0) > 0;
}

/* Offers the leases from `*taken` on, up to one that the sink does not take now. Returns false if it has failed, and the
 * engine would rest. */
static bool offer(struct ps_test_stage *stage, struct ps_lease *const *leases, unsigned count,
                  unsigned *taken)
{
    for (; *taken < count; (*taken)++) {
        struct ps_lease *offered = leases[*taken];
        enum ps_result result = ps_test_sink_work(stage, &offered);
        if (result == PS_RETRY)
            note_trouble(&stage->port, NULL);
        if (result != PS_DONE && result != PS_TAKEN)
            return result == PS_LATER;
    }
    return true;
}

static bool all_are_settled(struct ps_lease *const *leases, unsigned count)
{
    while (count > 0 && leases[count - 1]->settled == leases[count - 1]->count)
        count--;
    return count == 0;
}

/* Delivers the leases after some refusals. The clock moves only by the backoffs after a first, second, .. failure in a
 * row, and by `free_ms`: a sink that still counts failures of an earlier round backs off longer, and does not finish. Nor does
 * a sink that no longer watches its connection, because it is called only when it is due. Returns the number of failures. */
static unsigned deliver_refused(const struct ps_test_sink_adapter *adapter, struct ps_test_stage *stage,
                                struct ps_lease *const *leases, unsigned count, unsigned free_ms)
{
    unsigned taken = 0, granted = 0;
    uint64_t until = ps_test_patience_end_ns(), due_ns = 0;
    trouble_count = 0;
    refuse(adapter);
    bool rests = false;
    while (!all_are_settled(leases, count)) {
        if (ps_test_patient_ns() >= until)
            fail_msg("%s: after %u failures it rests longer than at first, or is not woken",
                     adapter->ops->name, trouble_count);
        if (!rests)
            rests = !offer(stage, leases, count, &taken);
        if (is_due(stage, due_ns))
            due_ns = ps_test_sink_tick(stage);
        if (granted < trouble_count) {
            ps_test_stage_pass_ms(stage, ps_port_rest_ns(&stage->port, ++granted) / PS_NS_PER_MS);
            rests = false;
        } else if (free_ms > 0) {
            free_ms--;
            ps_test_stage_pass_ms(stage, 1);
        }
        usleep(1000);
    }
    assert_true(has_refused(adapter));
    return trouble_count;
}

static void start(const struct ps_test_sink_adapter *adapter, struct ps_test_stage *stage)
{
    print_message("%s\n", adapter->ops->name);
    ps_test_stage_start(stage, adapter->ops, adapter->keys);
    stage->port.troubled = note_trouble;
    adapter->begin();
    deliver(stage, some_lease(stage, 0, FIRST_EVENTS));
}

/* Refused requests are repeated: nothing is lost, nothing comes twice, and the order is kept. */
static void test_refused(void **unused)
{
    for (size_t i = 0; i < ps_test_sink_adapter_count; i++) {
        const struct ps_test_sink_adapter *adapter = &ps_test_sink_adapters[i];
        struct ps_test_stage stage;
        struct ps_lease *leases[LEASES];
        if (adapter->refuses_elsewhere != NULL)
            continue;
        start(adapter, &stage);
        for (unsigned k = 0; k < LEASES; k++)
            leases[k] = some_lease(&stage, FIRST_EVENTS + k * LEASE_EVENTS, LEASE_EVENTS);
        size_t done = stage.done_count;
        (void)deliver_refused(adapter, &stage, leases, LEASES, UINT_MAX);
        for (unsigned k = 0; done < stage.done_count; done++) {
            while (k < LEASES && leases[k] != stage.done[done])
                k++;
            assert_in_range(k, 0, LEASES - 1); /* in order, and once */
        }
        assert_arrived(adapter, 0, FIRST_EVENTS + LEASES * LEASE_EVENTS);
        ps_test_stage_fini(&stage);
    }
}

/* ---- fail, succeed, fail again ---- */

/* What a round cost, and what it leaves behind. */
struct picture {
    unsigned troubles, fds;
    uint64_t used_bytes, gauges;
    int64_t allocations;
    uint64_t counts[PS_COUNTER_extra]; /* of the shared counters, by this round */
};

static void look(const struct ps_test_stage *stage, struct picture *picture)
{
    picture->fds = ps_test_open_fds();
    picture->used_bytes = ps_depot_used_bytes(stage->depot);
    picture->gauges = ps_test_stage_gauges(stage);
    picture->allocations = ps_test_allocation_live;
}

static bool has_more(const struct picture *now, const struct picture *first)
{
    return now->fds > first->fds || now->used_bytes > first->used_bytes || now->gauges > first->gauges ||
           now->allocations > first->allocations;
}

/* Looks when the sink has ended its work in the background: when it has no more than after the first round. */
static void settle(struct ps_test_stage *stage, struct picture *now, const struct picture *first)
{
    uint64_t until = ps_test_patience_end_ns();
    for (unsigned turns = 0; turns < QUIET_TURNS || (has_more(now, first) && ps_test_patient_ns() < until);
         turns++) {
        (void)ps_test_sink_tick(stage);
        ps_test_stage_pass_ms(stage, 1);
        usleep(1000);
        look(stage, now);
    }
    if (!has_more(now, first))
        return;
    ps_test_print_fds();
    fail_msg("%s: %u descriptors, %llu bytes, gauges %llu, %lld allocations; after the first failure %u, "
             "%llu, %llu, %lld",
             stage->ops->name, now->fds, (unsigned long long)now->used_bytes, (unsigned long long)now->gauges,
             (long long)now->allocations, first->fds, (unsigned long long)first->used_bytes,
             (unsigned long long)first->gauges, (long long)first->allocations);
}

/* Delivers one lease after some refusals. */
static void fail_once(const struct ps_test_sink_adapter *adapter, struct ps_test_stage *stage,
                      unsigned first_event, struct picture *now, const struct picture *first)
{
    struct ps_lease *lease = some_lease(stage, first_event, LEASE_EVENTS);
    for (unsigned i = 0; i < PS_COUNTER_extra; i++)
        now->counts[i] = ps_test_stage_counter(stage, (enum ps_counter)i);
    now->troubles = deliver_refused(adapter, stage, &lease, 1, FREE_MS);
    ps_test_stage_recycle(stage);
    settle(stage, now, first);
    if (now->troubles != first->troubles)
        fail_msg("%s: %u failures at first, then %u", adapter->ops->name, first->troubles, now->troubles);
    for (unsigned i = 0; i < PS_COUNTER_extra; i++) {
        now->counts[i] = ps_test_stage_counter(stage, (enum ps_counter)i) - now->counts[i];
        if (i != PS_COUNTER_KafkaEventSendTimer && now->counts[i] != first->counts[i])
            fail_msg("%s: %s grows by %llu at first, then by %llu", adapter->ops->name,
                     ps_counter_name((enum ps_counter)i), (unsigned long long)first->counts[i],
                     (unsigned long long)now->counts[i]);
    }
}

/* A failure after a success is like the first one: the same number of attempts, the same backoffs, and no leaks. */
static void test_fails_again(void **unused)
{
    for (size_t i = 0; i < ps_test_sink_adapter_count; i++) {
        const struct ps_test_sink_adapter *adapter = &ps_test_sink_adapters[i];
        struct ps_test_stage stage;
        struct picture rounds[ROUNDS];
        unsigned sum = FIRST_EVENTS;
        if (adapter->refuses_elsewhere != NULL)
            continue;
        start(adapter, &stage);
        for (unsigned round = 0; round < ROUNDS; round++, sum += LEASE_EVENTS)
            fail_once(adapter, &stage, sum, &rounds[round], &rounds[0]);
        assert_null(ps_test_sink_recall(&stage));
        assert_arrived(adapter, 0, sum);
        ps_test_stage_close_all(&stage);
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_are_asked), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_fails_again)};
    return cmocka_run_group_tests(tests, ps_test_sinks_start, ps_test_sinks_stop);
}
