/* Checks what core/stage.h requires of every sink: it settles all events of a lease, in order, and none twice; it
 * leaves settled events alone; it allocates nothing while idle; it gives back leases in flight when it is recalled, and
 * finishes them when it is drained; it closes without leaks and opens again; an open without memory leaks nothing. */
#include "stages/table.h"
#include "tests/stages/conformance_sink.h"
#include "tests/support/allocations.h"

/* Returns whether a sink has no adapter, because its far end cannot be made here; prints which test asks it. */
static bool is_asked_elsewhere(const struct ps_stage_ops *ops)
{
    bool is_kudu = strcmp(ops->name, "kudu") == 0;
    if (!is_kudu && strstr(ops->name, "hbase") == NULL)
        return false;
    ps_test_asked_elsewhere(ops, is_kudu ? "tests/real/kudu_sink_test.sh: it needs Kudu"
                                         : "tests/real/hbase_sink_test.sh: it needs HBase and ZooKeeper");
    return true;
}

static void test_all_are_here(void **unused)
{
    for (size_t i = 0; ps_stages[i] != NULL; i++) {
        bool here = ps_stages[i]->kind != PS_KIND_SINK;
        for (size_t k = 0; k < ps_test_sink_adapter_count; k++)
            here |= ps_test_sink_adapters[k].ops == ps_stages[i];
        if (!here && !is_asked_elsewhere(ps_stages[i]))
            fail_msg("sink %s has no entry in tests/support/conformance_sinks.c", ps_stages[i]->name);
    }
}

/* ---- checks ---- */

/* Opens the sink and closes it again, so that libraries are warm. Returns how many descriptors are open then; a client
 * library must leave none. */
static unsigned start_closed(const struct ps_test_sink_adapter *adapter, struct ps_test_stage *stage)
{
    ps_test_stage_init(stage, adapter->ops);
    if (ps_test_stage_bind(stage, adapter->keys) != PS_OK || ps_test_stage_build(stage) != PS_OK)
        fail_msg("%s: %s", adapter->ops->name, stage->err.text);
    unsigned fds = ps_test_open_fds();
    assert_int_equal(ps_test_stage_open(stage), PS_OK);
    ps_test_stage_close(stage);
    if (adapter->far_end != NULL)
        assert_open_fds(adapter, fds);
    return adapter->far_end != NULL ? fds : ps_test_open_fds();
}

static void assert_idle(const struct ps_test_sink_adapter *adapter, struct ps_test_stage *stage)
{
    uint64_t before = ps_test_allocation_count;
    for (int i = 0; i < 200; i++) {
        (void)ps_test_sink_tick(stage);
        ps_test_stage_pass_ms(stage, 1);
    }
    if (ps_test_allocation_count != before)
        fail_msg("%s: %llu allocations while idle", adapter->ops->name,
                 (unsigned long long)(ps_test_allocation_count - before));
}

/* After the first lease, similar leases need no allocation, except in the client library. */
static void assert_no_allocation(const struct ps_test_sink_adapter *adapter, struct ps_test_stage *stage)
{
    deliver(stage, some_lease(stage, 0, 100));
    struct ps_lease *leases[10];
    for (size_t i = 0; i < PS_COUNT_OF(leases); i++)
        leases[i] = some_lease(stage, 0, 100);
    uint64_t before = ps_test_allocation_count;
    for (size_t i = 0; i < PS_COUNT_OF(leases); i++)
        deliver(stage, leases[i]);
    uint64_t count = ps_test_allocation_count - before;
    uint64_t allowed = adapter->allocations_per_event * (100 * PS_COUNT_OF(leases) + 100);
    if (count > allowed)
        fail_msg("%s: %llu allocations for ten leases", adapter->ops->name, (unsigned long long)count);
}

/* Runs one turn of a worker, in which time passes for sink and far end alike. */
static void turn(struct ps_test_stage *stage)
{
    (void)ps_test_sink_tick(stage);
    ps_test_stage_pass_ms(stage, 1);
    usleep(1000);
}

static void drain(struct ps_test_stage *stage)
{
    uint64_t until = ps_test_patience_end_ns();
    const struct ps_sink_ops *ops = stage->ops->sink;
    while (ops->drain != NULL && !ops->drain(stage->plan, stage->state, &stage->now)) {
        assert_true(ps_test_patient_ns() < until);
        turn(stage);
    }
}

static void test_life(void **unused)
{
    for (size_t i = 0; i < ps_test_sink_adapter_count; i++) {
        const struct ps_test_sink_adapter *adapter = &ps_test_sink_adapters[i];
        print_message("%s\n", adapter->ops->name);
        struct ps_test_stage stage;
        unsigned fds = start_closed(adapter, &stage);
        for (int round = 0; round < 2; round++) {
            assert_int_equal(ps_test_stage_open(&stage), PS_OK);
            if (adapter->begin != NULL)
                adapter->begin();
            static const unsigned counts[] = {1, 0, 1024, 3, 100};
            unsigned sum = 0;
            for (size_t c = 0; c < PS_COUNT_OF(counts); c++) {
                deliver(&stage, some_lease(&stage, sum, counts[c]));
                sum += counts[c];
            }
            drain(&stage);
            assert_null(ps_test_sink_recall(&stage)); /* nothing was in flight */
            assert_arrived(adapter, 0, sum);
            assert_no_allocation(adapter, &stage);
            assert_idle(adapter, &stage);
            ps_test_stage_close_all(&stage);
            assert_open_fds(adapter, fds);
            ps_test_stage_recycle(&stage);
        }
        ps_test_stage_fini(&stage);
    }
}

/* A lease that comes back after a rollback: its first half is settled. */
static void test_half_settled(void **unused)
{
    for (size_t i = 0; i < ps_test_sink_adapter_count; i++) {
        const struct ps_test_sink_adapter *adapter = &ps_test_sink_adapters[i];
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, adapter->ops, adapter->keys);
        if (adapter->begin != NULL)
            adapter->begin();
        struct ps_lease *lease = some_lease(&stage, 0, 100);
        for (uint32_t position = 0; position < 50; position++)
            ps_lease_settle(lease, position);
        lease->cursor = 20; /* `cursor` may lag behind; the events' bits tell which ones are settled */
        deliver(&stage, lease);
        assert_arrived(adapter, 50, 50);
        ps_test_stage_fini(&stage);
    }
}

static void test_open_without_memory(void **unused)
{
    for (size_t i = 0; PS_TEST_ALLOCATIONS && i < ps_test_sink_adapter_count; i++) {
        const struct ps_test_sink_adapter *adapter = &ps_test_sink_adapters[i];
        struct ps_test_stage stage;
        unsigned fds = start_closed(adapter, &stage);
        /* The first allocation is that of the sink's state, by the engine. */
        uint64_t last =
            adapter->allocations_before_library > 0 ? 1 + adapter->allocations_before_library : UINT64_MAX;
        for (uint64_t nth = 2; nth <= last; nth++) {
            ps_test_allocation_fails = nth;
            enum ps_status status = ps_test_stage_open(&stage);
            bool failed_one = ps_test_allocation_fails == 0;
            ps_test_allocation_fails = 0;
            if (status == PS_OK)
                ps_test_stage_close(&stage);
            else
                assert_true(failed_one && stage.err.length > 0);
            assert_open_fds(adapter, fds);
            if (!failed_one)
                break;
        }
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        if (adapter->begin != NULL)
            adapter->begin();
        deliver(&stage, some_lease(&stage, 0, 10));
        assert_arrived(adapter, 0, 10);
        ps_test_stage_fini(&stage);
    }
}

/* ---- leases in flight ---- */

#define LEASES 8U
#define LEASE_EVENTS 50U

struct flight {
    struct ps_lease *leases[LEASES]; /* in order, numbered from `first` on */
    unsigned taken;                  /* number of leases that the sink took or settled, before one that it did
                                      * not */
    bool awaits_room;                /* the far end cannot be stopped: PS_LATER is only temporary */
    size_t done_before;
};

static void make_leases(struct flight *flight, struct ps_test_stage *stage, unsigned first,
                        const struct ps_test_sink_adapter *adapter)
{
    *flight = (struct flight){.done_before = stage->done_count, .awaits_room = adapter->far_end == NULL};
    for (unsigned i = 0; i < LEASES; i++)
        flight->leases[i] = some_lease(stage, first + i * LEASE_EVENTS, LEASE_EVENTS);
}

/* Offers a lease as long as the sink returns PS_LATER; only once, if its far end may be stopped. */
static enum ps_result offer(const struct flight *flight, struct ps_test_stage *stage)
{
    uint64_t until = ps_test_patience_end_ns();
    for (;;) {
        struct ps_lease *offered = flight->leases[flight->taken];
        enum ps_result result = ps_test_sink_work(stage, &offered);
        if (result != PS_LATER || !flight->awaits_room)
            return result;
        assert_true(ps_test_patient_ns() < until);
        turn(stage);
    }
}

/* Offers the leases without waiting for them, `pause` turns after each; stops at one that is not taken. */
static void offer_leases(struct flight *flight, struct ps_test_stage *stage, unsigned pause)
{
    for (; flight->taken < LEASES; flight->taken++) {
        enum ps_result result = offer(flight, stage);
        if (result == PS_LATER)
            break;
        assert_true(result == PS_DONE || result == PS_TAKEN);
        for (unsigned i = 0; i < pause; i++)
            turn(stage);
    }
    assert_true(flight->taken > 0);
}

static void take_off(struct flight *flight, struct ps_test_stage *stage, unsigned first, unsigned pause,
                     const struct ps_test_sink_adapter *adapter)
{
    make_leases(flight, stage, first, adapter);
    offer_leases(flight, stage, pause);
}

/* Returns the position of a lease in the order of offering. */
static unsigned number_of(const struct flight *flight, const struct ps_lease *lease)
{
    for (unsigned i = 0; i < flight->taken; i++) {
        if (flight->leases[i] == lease)
            return i;
    }
    fail_msg("a lease that the sink had not taken");
    return 0;
}

/* Asserts that each lease that was taken came out once, through ps_port_done or in the list `back`, and that each of
 * the two has them in the order in which the sink took them. Returns how many came back. */
static unsigned assert_landed(const struct flight *flight, const struct ps_test_stage *stage,
                              const struct ps_lease *back)
{
    bool out[LEASES] = {false};
    unsigned back_count = 0, next = 0;
    for (size_t i = flight->done_before; i < stage->done_count; i++) {
        unsigned number = number_of(flight, stage->done[i]);
        assert_true(number >= next);
        next = number + 1;
        out[number] = true;
    }
    next = 0;
    for (; back != NULL; back = back->next, back_count++) {
        unsigned number = number_of(flight, back);
        assert_true(number >= next && !out[number]);
        assert_true(back->settled < back->count && back->pending == 0);
        next = number + 1;
        out[number] = true;
    }
    for (unsigned i = 0; i < flight->taken; i++) {
        bool at_once = flight->leases[i]->settled == flight->leases[i]->count; /* PS_DONE */
        if (!out[i] && !at_once)
            fail_msg("%s: lease %u of %u is lost", stage->ops->name, i, flight->taken);
    }
    return back_count;
}

static void set_far_end(const struct ps_test_sink_adapter *adapter, enum ps_test_far_end state)
{
    if (adapter->far_end != NULL)
        adapter->far_end(state);
}

enum recall_when { RUNNING, DRAINING, FAILED };

/* The sink is recalled while its far end does not answer, or answers late: during the run, when draining took too
 * long, or after ps_port_failed. Leases that come back are offered again, after a failure to the reopened sink, and
 * then everything has arrived once. */
static void check_recall(const struct ps_test_sink_adapter *adapter, enum ps_test_far_end state,
                         enum recall_when when)
{
    const struct ps_sink_ops *ops = adapter->ops->sink;
    struct ps_test_stage stage;
    struct flight flight;
    ps_test_stage_start(&stage, adapter->ops, adapter->keys);
    if (adapter->begin != NULL)
        adapter->begin();
    deliver(&stage, some_lease(&stage, 0, 10));
    set_far_end(adapter, state);
    /* A slow far end gets requests before the last leases come. It then has some of them. */
    take_off(&flight, &stage, 10, state == PS_TEST_FAR_END_SLOW ? 10 : 0, adapter);
    for (unsigned i = 0; when == DRAINING && i < 100; i++) {
        assert_int_equal(ops->drain == NULL || ops->drain(stage.plan, stage.state, &stage.now),
                         adapter->far_end == NULL);
        turn(&stage);
    }
    struct ps_lease *back = ps_test_sink_recall(&stage);
    unsigned back_count = assert_landed(&flight, &stage, back);
    if (adapter->far_end != NULL && state == PS_TEST_FAR_END_DOWN)
        assert_int_equal(back_count, flight.taken); /* all were in flight */
    assert_null(ps_test_sink_recall(&stage));
    if (when == FAILED) {
        ps_test_stage_close_all(&stage);
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    }
    set_far_end(adapter, PS_TEST_FAR_END_UP);
    for (struct ps_lease *next; back != NULL; back = next) {
        next = back->next;
        back->next = NULL;
        deliver(&stage, back);
    }
    for (unsigned i = flight.taken; i < LEASES; i++)
        deliver(&stage, flight.leases[i]);
    assert_arrived(adapter, 0, 10 + LEASES * LEASE_EVENTS);
    ps_test_stage_close_all(&stage);
    ps_test_stage_fini(&stage);
}

static void test_recall(void **unused)
{
    for (size_t i = 0; i < ps_test_sink_adapter_count; i++) {
        check_recall(&ps_test_sink_adapters[i], PS_TEST_FAR_END_DOWN, RUNNING);
        check_recall(&ps_test_sink_adapters[i], PS_TEST_FAR_END_DOWN, DRAINING);
        check_recall(&ps_test_sink_adapters[i], PS_TEST_FAR_END_DOWN, FAILED);
        if (ps_test_sink_adapters[i].far_end != NULL)
            check_recall(&ps_test_sink_adapters[i], PS_TEST_FAR_END_SLOW, RUNNING);
    }
}

/* The first lease waits for its far end while later ones are settled, each as soon as the sink has it. At a recall
 * these count as delivered: only the first one comes back. */
static void test_settled_behind(void **unused)
{
    for (size_t i = 0; i < ps_test_sink_adapter_count; i++) {
        const struct ps_test_sink_adapter *adapter = &ps_test_sink_adapters[i];
        struct ps_test_stage stage;
        struct flight flight;
        if (adapter->far_end == NULL)
            continue;
        print_message("%s\n", adapter->ops->name);
        ps_test_stage_start(&stage, adapter->ops, adapter->keys);
        adapter->begin();
        deliver(&stage, some_lease(&stage, 0, 10));
        set_far_end(adapter, PS_TEST_FAR_END_DOWN);
        make_leases(&flight, &stage, 10, adapter);
        for (unsigned k = 1; k < LEASES; k++) {
            for (uint32_t position = 0; position < LEASE_EVENTS; position++)
                ps_lease_settle(flight.leases[k], position);
        }
        offer_leases(&flight, &stage, 1);
        assert_int_equal(flight.taken, LEASES);
        struct ps_lease *back = ps_test_sink_recall(&stage);
        assert_int_equal(assert_landed(&flight, &stage, back), 1);
        assert_ptr_equal(back, flight.leases[0]);
        set_far_end(adapter, PS_TEST_FAR_END_UP);
        deliver(&stage, back);
        assert_arrived(adapter, 0, 10 + LEASE_EVENTS);
        ps_test_stage_fini(&stage);
    }
}

/* Draining with leases in flight: they are done in order, and have arrived. */
static void test_drain(void **unused)
{
    for (size_t i = 0; i < ps_test_sink_adapter_count; i++) {
        const struct ps_test_sink_adapter *adapter = &ps_test_sink_adapters[i];
        struct ps_test_stage stage;
        struct flight flight;
        ps_test_stage_start(&stage, adapter->ops, adapter->keys);
        if (adapter->begin != NULL)
            adapter->begin();
        deliver(&stage, some_lease(&stage, 0, 10));
        drain(&stage); /* nothing is in flight */
        set_far_end(adapter, PS_TEST_FAR_END_SLOW);
        take_off(&flight, &stage, 10, 0, adapter);
        drain(&stage);
        set_far_end(adapter, PS_TEST_FAR_END_UP);
        assert_int_equal(assert_landed(&flight, &stage, NULL), 0);
        assert_arrived(adapter, 0, 10 + flight.taken * LEASE_EVENTS);
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_here),       cmocka_unit_test(test_life),
        cmocka_unit_test(test_half_settled),       cmocka_unit_test(test_recall),
        cmocka_unit_test(test_settled_behind),     cmocka_unit_test(test_drain),
        cmocka_unit_test(test_open_without_memory)};
    return cmocka_run_group_tests(tests, ps_test_sinks_start, ps_test_sinks_stop);
}
