/* What both suites of sinks, conformance_sink_test.c and conformance_sink_again_test.c, start with: leases that are delivered, and
 * what has arrived. */
#pragma once

#include "tests/support/conformance.h"
#include "tests/support/conformance_sinks.h"

#include <stdio.h>
#include <unistd.h>

/* The mock cluster is in this process, and closes its end of a connection a little later than the sink. */
static inline void assert_open_fds(const struct ps_test_sink_adapter *adapter, unsigned expected)
{
    for (unsigned i = 0; ps_test_open_fds() > expected && i < PS_TEST_PATIENCE_MS; i++)
        usleep(1000);
    unsigned open = ps_test_open_fds();
    if (open > expected) {
        ps_test_print_fds();
        fail_msg("%s: %u descriptors are open, and were %u", adapter->ops->name, open, expected);
    }
}

static inline struct ps_lease *some_lease(struct ps_test_stage *stage, unsigned first, unsigned count)
{
    static struct ps_test_event events[PS_BATCH_EVENTS_MAX];
    static char bodies[PS_BATCH_EVENTS_MAX][16];
    for (unsigned i = 0; i < count; i++) {
        snprintf(bodies[i], sizeof bodies[i], "event %u", (first + i) % 1000000);
        events[i] = PS_BODY(bodies[i]);
    }
    return ps_test_lease(stage, events, count);
}

/* Offers a lease until the sink has settled it, at once or later. As in the engine, the first offer comes before the
 * first tick. A sink whose far end works must not roll the lease back, because that would delay the channel for a
 * second. */
static inline void deliver(struct ps_test_stage *stage, struct ps_lease *lease)
{
    struct ps_lease *offered = lease;
    size_t done = stage->done_count;
    uint64_t until = ps_test_patience_end_ns();
    for (;;) {
        assert_true(ps_test_patient_ns() < until);
        enum ps_result result = ps_test_sink_work(stage, &offered);
        assert_int_not_equal(result, PS_RETRY);
        (void)ps_test_sink_tick(stage);
        if (result == PS_TAKEN)
            ps_test_sink_wait(stage, done + 1, PS_TEST_PATIENCE_MS);
        if (result == PS_DONE || result == PS_TAKEN)
            break;
        ps_test_stage_pass_ms(stage, 10);
    }
    assert_int_equal(lease->settled, lease->count);
    for (uint32_t i = 0; i < lease->count; i++)
        assert_true(ps_lease_is_settled(lease, i));
}

static inline void assert_arrived(const struct ps_test_sink_adapter *adapter, unsigned first, unsigned count)
{
    if (adapter->arrived == NULL)
        return;
    const char *at = adapter->arrived();
    for (unsigned i = 0; i < count; i++) {
        char line[24];
        int length = snprintf(line, sizeof line, "event %u\n", first + i);
        if (strncmp(at, line, (size_t)length) != 0)
            fail_msg("%s: after %u events \"%.20s\", not %s", adapter->ops->name, i, at, line);
        at += length;
    }
    assert_string_equal(at, "");
}
