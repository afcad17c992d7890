/* Checks what core/stage.h requires of every source: all events come, in order, also through small batches and pauses;
 * it returns PS_IDLE when there is nothing to read, and then allocates nothing; it drains, closes without leaks and
 * opens again; an open that fails for lack of memory leaks nothing; a source with positions continues after the last
 * delivered event. */
#include "stages/table.h"
#include "tests/stages/conformance_source.h"
#include "tests/support/allocations.h"

#define EVENTS PS_TEST_SOURCE_EVENTS

static void test_all_are_here(void **unused)
{
    for (size_t i = 0; ps_stages[i] != NULL; i++) {
        bool here = ps_stages[i]->kind != PS_KIND_SOURCE;
        for (size_t k = 0; k < ps_test_source_adapter_count; k++)
            here |= ps_test_source_adapters[k].ops == ps_stages[i];
        if (!here)
            fail_msg("source %s has no entry in tests/support/conformance_sources.c", ps_stages[i]->name);
    }
}

/* ---- checks ---- */

/* The mock cluster is in this process, and closes its end of a connection a little later than the source. */
static void assert_open_fds(unsigned expected)
{
    uint64_t until = ps_test_patience_end_ns();
    while (ps_test_open_fds() > expected && ps_test_patient_ns() < until)
        usleep(1000);
    assert_in_range(ps_test_open_fds(), 1, expected);
}

static void start(struct ps_test_stage *stage, const struct ps_test_source_adapter *adapter)
{
    ps_test_source_delivered = 0;
    if (adapter->prepare != NULL)
        adapter->prepare();
    ps_test_stage_start(stage, adapter->ops, adapter->keys);
}

static void begin(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage)
{
    if (adapter->begin != NULL)
        adapter->begin(adapter, stage);
}

static void end(const struct ps_test_source_adapter *adapter)
{
    if (adapter->end != NULL)
        adapter->end();
}

/* Takes all events, in order; after every `small` events it closes the batch, and the channel is full for a while. */
static void take_all(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage,
                     unsigned count, unsigned small)
{
    uint64_t until = ps_test_patience_end_ns();
    unsigned sent = 0, seen = 0;
    while (seen < count) {
        if (ps_test_patient_ns() > until)
            fail_msg("%s: %u events came, not %u", adapter->ops->name, seen, count);
        for (unsigned burst = 0; adapter->send != NULL && sent < count && burst < 100; burst++)
            adapter->send(sent++);
        if (ps_test_source_work(stage) == PS_IDLE && adapter->joins)
            usleep(1000);
        if (stage->batch != NULL && stage->batch->count >= small) {
            const struct ps_source_ops *ops = adapter->ops->source;
            if (ops->paused != NULL)
                ops->paused(stage->plan, stage->state, true, &stage->now);
            for (int i = 0; i < 5 && ops->tick != NULL; i++) {
                ps_test_stage_pass_ms(stage, 1);
                (void)ops->tick(stage->plan, stage->state, &stage->now);
            }
            if (ops->paused != NULL)
                ops->paused(stage->plan, stage->state, false, &stage->now);
            ps_test_source_close_batch(stage);
        }
        ps_test_stage_pass_ms(stage, 1);
        for (size_t i = 0; i < stage->event_count; i++)
            adapter->expect(&stage->events[i], seen++);
        ps_test_source_clear(stage);
        if (stage->batch != NULL && stage->batch->count > 0 && (sent == count || adapter->send == NULL) &&
            seen + stage->batch->count == count)
            ps_test_source_close_batch(stage);
        for (size_t i = 0; i < stage->event_count; i++)
            adapter->expect(&stage->events[i], seen++);
        ps_test_source_clear(stage);
    }
    assert_int_equal(seen, count);
}

/* Returns how often an idle source has allocated memory in 200 rounds. */
static uint64_t allocations_while_idle(struct ps_test_stage *stage)
{
    uint64_t before = ps_test_allocation_count;
    for (int i = 0; i < 200; i++) {
        enum ps_result result = ps_test_source_work(stage);
        assert_true(result == PS_IDLE || result == PS_BACKOFF);
        ps_test_stage_pass_ms(stage, 1);
    }
    return ps_test_allocation_count - before;
}

/* On a busy machine the answer of a source's helper thread may come late, so a source has five tries; one that allocates in each round or each
 * cycle fails in all of them. */
static void assert_idle(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage)
{
    uint64_t count = 1;
    for (int attempt = 0; attempt < 5 && count > 0; attempt++) {
        for (int i = 0; i < 20; i++) { /* until it is warm and has nothing left to do */
            (void)ps_test_source_work(stage);
            ps_test_stage_pass_ms(stage, 20);
            usleep(1000U << attempt);
        }
        count = allocations_while_idle(stage);
    }
    if (count > 0)
        fail_msg("%s: %llu allocations while idle", adapter->ops->name, (unsigned long long)count);
    assert_true(stage->batch == NULL || stage->batch->count == 0);
}

static void drain(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage)
{
    uint64_t until = ps_test_patience_end_ns();
    const struct ps_source_ops *ops = stage->ops->source;
    while (ops->drain != NULL && !ops->drain(stage->plan, stage->state, &stage->now)) {
        assert_true(ps_test_patient_ns() < until);
        (void)ps_test_source_work(stage);
        ps_test_stage_pass_ms(stage, adapter->joins ? 1 : 10);
        usleep(1000);
    }
}

static void test_life(void **unused)
{
    for (size_t i = 0; i < ps_test_source_adapter_count; i++) {
        const struct ps_test_source_adapter *adapter = &ps_test_source_adapters[i];
        print_message("%s\n", adapter->ops->name);
        struct ps_test_stage stage;
        start(&stage, adapter);
        if (adapter->joins)
            drain(adapter, &stage); /* otherwise the group waits for this member */
        ps_test_stage_close_all(&stage);
        if (adapter->joins)
            usleep(100000); /* see assert_open_fds */
        unsigned fds = ps_test_open_fds();
        /* Runs twice with the same plan, the second time with batches of a few events. If an open takes seconds, only
         * the second run is made; test_positions reopens such a source. */
        for (unsigned small = adapter->joins ? 7 : 1024; small > 0; small = small == 1024 ? 7 : 0) {
            assert_int_equal(ps_test_stage_open(&stage), PS_OK);
            begin(adapter, &stage);
            take_all(adapter, &stage, EVENTS, small);
            assert_idle(adapter, &stage);
            drain(adapter, &stage);
            end(adapter);
            ps_test_source_close_batch(&stage);
            ps_test_stage_close_all(&stage);
            assert_open_fds(fds);
        }
        ps_test_stage_fini(&stage);
    }
}

/* Works, a clock tick each millisecond, until this number of further events has come. */
static void fill_batch(struct ps_test_stage *stage, unsigned count)
{
    uint64_t until = ps_test_patience_end_ns();
    size_t before = stage->event_count; /* if its client waits for an answer, the source closes the batch */
    while (stage->event_count - before + (stage->batch != NULL ? stage->batch->count : 0) < count) {
        if (ps_test_patient_ns() > until)
            fail_msg("%s: not %u events came", stage->ops->name, count);
        (void)ps_test_source_work(stage);
        ps_test_stage_pass_ms(stage, 1);
        usleep(1000);
    }
}

/* Draining an idle source. */
static void test_drain(void **unused)
{
    for (size_t i = 0; i < ps_test_source_adapter_count; i++) {
        const struct ps_test_source_adapter *adapter = &ps_test_source_adapters[i];
        struct ps_test_stage stage;
        start(&stage, adapter);
        begin(adapter, &stage);
        drain(adapter, &stage);
        end(adapter);
        ps_test_stage_fini(&stage);
    }
}

/* Draining with many events under way: all events that were read before come out, in order and once, and nothing is
 * read afterwards. If the far end keeps a position, it is at the end of these events, and the rest comes when the
 * source is opened again. */
static void test_drain_under_way(void **unused)
{
    for (size_t i = 0; i < ps_test_source_adapter_count; i++) {
        const struct ps_test_source_adapter *adapter = &ps_test_source_adapters[i];
        const struct ps_source_ops *ops = adapter->ops->source;
        struct ps_test_stage stage;
        start(&stage, adapter);
        begin(adapter, &stage);
        for (unsigned number = 0; adapter->send != NULL && number < EVENTS; number++)
            adapter->send(number);
        fill_batch(&stage, 1);
        uint64_t until = ps_test_patience_end_ns();
        while (ops->drain != NULL && !ops->drain(stage.plan, stage.state, &stage.now)) {
            assert_true(ps_test_patient_ns() < until);
            (void)ps_test_source_work(&stage);
            ps_test_source_close_batch(&stage);
            ps_test_stage_pass_ms(&stage, 1);
            usleep(1000);
        }
        if (ops->drain != NULL)
            assert_int_equal(ps_test_source_work(&stage), PS_IDLE);
        ps_test_source_close_batch(&stage);
        size_t count = stage.event_count;
        assert_in_range(count, 1, EVENTS);
        for (unsigned number = 0; number < count; number++)
            adapter->expect(&stage.events[number], number);
        end(adapter);
        ps_test_source_clear(&stage);
        ps_test_stage_close_all(&stage);
        if (adapter->position != NULL) {
            await_position(adapter, &stage, false, (unsigned)count);
            assert_int_equal(ps_test_stage_open(&stage), PS_OK);
            while (count < EVENTS) {
                fill_batch(&stage, 1);
                ps_test_source_close_batch(&stage);
                for (size_t k = 0; k < stage.event_count; k++)
                    adapter->expect(&stage.events[k], (unsigned)count++);
                ps_test_source_clear(&stage);
            }
            assert_int_equal(count, EVENTS);
            drain(adapter, &stage);
        }
        ps_test_stage_fini(&stage);
    }
}

/* Closes the open batch, whose events count as delivered, and compares them. */
static void deliver_batch(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage,
                          unsigned first, unsigned count)
{
    ps_test_source_close_batch(stage);
    ps_test_source_delivered = first + count;
    assert_int_equal(stage->event_count, count);
    for (unsigned i = 0; i < count; i++)
        adapter->expect(&stage->events[i], first + i);
    ps_test_source_clear(stage);
}

/* Lets 300 ms pass with a full channel, and the time until the far end has this position: the source's `tick` is called, `work` is not.
 * Events sent meanwhile come later. */
static void pass_paused(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage,
                        unsigned position)
{
    const struct ps_source_ops *ops = stage->ops->source;
    ops->paused(stage->plan, stage->state, true, &stage->now);
    for (unsigned i = 0; i < 300; i++) {
        (void)ops->tick(stage->plan, stage->state, &stage->now);
        ps_test_stage_pass_ms(stage, 1);
        usleep(1000);
    }
    await_position(adapter, stage, true, position);
    ops->paused(stage->plan, stage->state, false, &stage->now);
}

/* Channels are full for ten seconds while there is more to read: `tick` does not keep the worker awake. */
static void test_sleeps_while_paused(void **unused)
{
    for (size_t i = 0; i < ps_test_source_adapter_count; i++) {
        const struct ps_source_ops *ops = ps_test_source_adapters[i].ops->source;
        struct ps_test_stage stage;
        start(&stage, &ps_test_source_adapters[i]);
        begin(&ps_test_source_adapters[i], &stage);
        if (ps_test_source_adapters[i].send != NULL)
            give(&ps_test_source_adapters[i], 0, EVENTS);
        for (; stage.event_count == 0 && ps_batch_is_empty(stage.batch); ps_test_stage_pass_ms(&stage, 1))
            usleep(ps_test_source_work(&stage) == PS_IDLE ? 1000 : 0);
        if (ops->paused != NULL)
            ops->paused(stage.plan, stage.state, true, &stage.now);
        uint64_t end_ns = stage.now.mono_ns + 10 * PS_NS_PER_S;
        for (unsigned wakes = 0; ops->tick != NULL && stage.now.mono_ns < end_ns; wakes++) {
            uint64_t due_ns = ops->tick(stage.plan, stage.state, &stage.now);
            if (wakes == 200)
                fail_msg("%s: wakes %u times in 10 s", ps_test_source_adapters[i].ops->name, wakes);
            if (due_ns > stage.now.mono_ns)
                stage.now.mono_ns = due_ns < end_ns ? due_ns : end_ns;
        }
        end(&ps_test_source_adapters[i]);
        ps_test_stage_fini(&stage);
    }
}

/* Sources with positions: the far end keeps the position of delivered events, never of those that were only read;
 * draining waits for the delivery; opened again the source continues there. */
static void test_positions(void **unused)
{
    for (size_t i = 0; i < ps_test_source_adapter_count; i++) {
        const struct ps_test_source_adapter *adapter = &ps_test_source_adapters[i];
        const struct ps_source_ops *ops = adapter->ops->source;
        if (ops->needs < PS_LEVEL_DURABLE)
            continue;
#ifdef PS_TEST_PLUGIN
        if (adapter->position == NULL || adapter->send == NULL)
            ps_test_skip("nobody tells the far end's position");
#endif
        struct ps_test_stage stage;
        start(&stage, adapter);
        begin(adapter, &stage);
        give(adapter, 0, 100);
        fill_batch(&stage, 100);
        deliver_batch(adapter, &stage, 0, 100);
        give(adapter, 100, 100);
        pass_paused(adapter, &stage, 100);
        fill_batch(&stage, 100);
        pass_paused(adapter, &stage, 100);
        for (unsigned turn = 0; turn < 50; turn++) {
            assert_false(ops->drain(stage.plan, stage.state, &stage.now));
            (void)ops->tick(stage.plan, stage.state, &stage.now);
            ps_test_stage_pass_ms(&stage, 1);
        }
        deliver_batch(adapter, &stage, 100, 100); /* no tick before the next call of `drain` */
        drain(adapter, &stage);
        ps_test_stage_close_all(&stage);
        await_position(adapter, &stage, false, 200);
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        give(adapter, 200, 100);
        fill_batch(&stage, 100);
        deliver_batch(adapter, &stage, 200, 100);
        drain(adapter, &stage);
        await_position(adapter, &stage, true, 300);
        end(adapter);
        ps_test_stage_fini(&stage);
    }
}

/* Reads these events, and no others, into a batch that stays open. */
static void read_events(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage,
                        unsigned first, unsigned count)
{
    const struct ps_source_ops *ops = stage->ops->source;
    uint64_t until = ps_test_patience_end_ns();
    unsigned seen = 0;
    for (unsigned more = 0; more < 20; ps_test_stage_pass_ms(stage, 10)) {
        if (ps_test_patient_ns() > until)
            fail_msg("%s: %u events came, not %u", stage->ops->name, seen, count);
        if (ops->tick != NULL)
            (void)ops->tick(stage->plan, stage->state, &stage->now);
        ps_test_source_read(stage);
        for (; seen < stage->batch->count; seen++) {
            struct ps_test_event event = ps_test_event_copy(stage, stage->batch, &stage->batch->events[seen]);
            adapter->expect(&event, first + seen);
        }
        more += seen >= count;
        usleep(1000);
    }
    assert_int_equal(seen, count);
}

/* Reads these events and puts them. Returns their batch, which is not delivered. */
static struct ps_batch *put_events(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage,
                                   unsigned first, unsigned count)
{
    read_events(adapter, stage, first, count);
    struct ps_batch *batch = ps_test_source_put_batch(stage);
    ps_test_source_clear(stage);
    return batch;
}

static void deliver(struct ps_test_stage *stage, struct ps_batch *batch, unsigned position)
{
    ps_test_source_deliver_batch(stage, batch);
    ps_test_source_delivered = position;
}

/* Stops the source as the engine does when nothing more is delivered, and starts it again; `anew`: with another plan. Then sends
 * 20 more events, so that one that is missing is noticed at once. */
static void stop_and_start(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage,
                           bool anew, unsigned sent)
{
    const struct ps_source_ops *ops = stage->ops->source;
    uint64_t until = ps_test_patience_end_ns();
    for (unsigned i = 0; ops->drain != NULL && ps_test_patient_ns() < until; i++) {
        /* A source that drains may save its last position only in `drain`, and its thread be slow. */
        bool is_saved = adapter->position == NULL || adapter->position() == ps_test_source_delivered;
        if ((i >= 300 && is_saved) || ops->drain(stage->plan, stage->state, &stage->now))
            break;
        if (ops->tick != NULL)
            (void)ops->tick(stage->plan, stage->state, &stage->now);
        ps_test_stage_pass_ms(stage, 1);
        usleep(1000);
    }
    if (adapter->position != NULL)
        await_position(adapter, stage, true, ps_test_source_delivered);
    end(adapter);
    ps_test_stage_close_all(stage);
    ps_test_stage_recycle(stage);
    if (anew)
        ps_test_stage_fini(stage);
    if (anew)
        ps_test_stage_start(stage, adapter->ops, adapter->keys);
    else
        assert_int_equal(ps_test_stage_open(stage), PS_OK);
    begin(adapter, stage);
    give(adapter, sent, 20);
}

/* Sources with positions: after a restart exactly those events come that were not delivered, in order: those that were only
 * read, put, or refused, again and again until they are delivered, and delivered ones never. */
static void test_restarts(void **unused)
{
    for (size_t i = 0; i < ps_test_source_adapter_count; i++) {
        const struct ps_test_source_adapter *adapter = &ps_test_source_adapters[i];
        struct ps_test_stage stage;
#ifdef PS_TEST_PLUGIN
        if (adapter->ops->source->needs < PS_LEVEL_DURABLE)
            ps_test_skip("its events cannot be read again");
        if (adapter->send == NULL)
            ps_test_skip("nobody sends it events: --send");
#endif
        if (adapter->ops->source->needs < PS_LEVEL_DURABLE || adapter->joins)
            continue; /* joins: its positions are a broker's; tests/stages/sources/kafka asks it */
        start(&stage, adapter);
        begin(adapter, &stage);
        give(adapter, 0, 20);
        struct ps_batch *first = put_events(adapter, &stage, 0, 20);
        give(adapter, 20, 20);
        (void)put_events(adapter, &stage, 20, 20);
        deliver(&stage, first, 20);
        give(adapter, 40, 20);
        read_events(adapter, &stage, 40, 20);
        stop_and_start(adapter, &stage, true, 60);
        (void)put_events(adapter, &stage, 20, 60);
        stop_and_start(adapter, &stage, false, 80);
        read_events(adapter, &stage, 20, 80);
        ps_test_source_refuse_batch(&stage, "the channel is full");
        stop_and_start(adapter, &stage, true, 100);
        deliver(&stage, put_events(adapter, &stage, 20, 100), 120);
        stop_and_start(adapter, &stage, true, 120);
        deliver(&stage, put_events(adapter, &stage, 120, 20), 140);
        stop_and_start(adapter, &stage, false, 140);
        read_events(adapter, &stage, 140, 20);
        end(adapter);
        ps_test_stage_fini(&stage);
    }
}

/* The source is closed while events are under way, without draining, as after ps_port_failed: nothing stays open;
 * reopened it works, and a source with positions reads undelivered events again. */
static void test_closed_as_after_a_failure(void **unused)
{
    for (size_t i = 0; i < ps_test_source_adapter_count; i++) {
        const struct ps_test_source_adapter *adapter = &ps_test_source_adapters[i];
        bool replays = adapter->ops->source->needs >= PS_LEVEL_DURABLE;
        struct ps_test_stage stage;
        start(&stage, adapter);
        begin(adapter, &stage);
        if (adapter->send != NULL)
            give(adapter, 0, 50);
        fill_batch(&stage, 50);
        if (!replays)
            ps_test_source_close_batch(&stage); /* the engine puts these events before it closes the source */
        end(adapter);
        ps_test_stage_close_all(&stage);
        ps_test_stage_recycle(&stage);
        unsigned fds = ps_test_open_fds();
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        begin(adapter, &stage);
        if (replays)
            fill_batch(&stage, 50);
        else
            take_all(adapter, &stage, EVENTS, 1024);
        if (replays)
            deliver_batch(adapter, &stage, 0, 50);
        end(adapter);
        ps_test_stage_close_all(&stage);
        assert_open_fds(fds);
        ps_test_stage_fini(&stage);
    }
}

/* Every allocation of `open` fails once: there is an error, no descriptor is left, and it can be opened afterwards. */
static void test_open_without_memory(void **unused)
{
    for (size_t i = 0; PS_TEST_ALLOCATIONS && i < ps_test_source_adapter_count; i++) {
        const struct ps_test_source_adapter *adapter = &ps_test_source_adapters[i];
        if (adapter->asserts_memory)
            continue;
        struct ps_test_stage stage;
        start(&stage, adapter); /* libraries are warm after this */
        ps_test_stage_close(&stage);
        unsigned fds = ps_test_open_fds();
        for (uint64_t nth = 2;; nth++) { /* the first allocation is that of the state, by the engine */
            ps_test_allocation_fails = nth;
            enum ps_status status = ps_test_stage_open(&stage);
            bool failed_one = ps_test_allocation_fails == 0;
            ps_test_allocation_fails = 0;
            if (status == PS_OK)
                ps_test_stage_close(&stage);
            else
                assert_true(failed_one && stage.err.length > 0);
            assert_open_fds(fds);
            if (!failed_one)
                break;
        }
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_here),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_under_way),
        cmocka_unit_test(test_sleeps_while_paused),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_restarts),
        cmocka_unit_test(test_closed_as_after_a_failure),
        cmocka_unit_test(test_open_without_memory),
    };
    return cmocka_run_group_tests(tests, ps_test_sources_start, ps_test_sources_stop);
}
