/* What both suites of sources, conformance_source_test.c and conformance_source_again_test.c, start with: events that are sent, and
 * positions that the far end has. */
#pragma once

#include "tests/support/conformance.h"
#include "tests/support/conformance_sources.h"

#include <stdio.h>
#include <unistd.h>

static inline void give(const struct ps_test_source_adapter *adapter, unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        adapter->send(first + i);
}

/* Waits until the far end has this position: the source's thread writes it, or a broker answers, a little later. A source that is
 * open gets its ticks meanwhile, as from the engine. */
static inline void await_position(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage,
                                  bool is_open, unsigned position)
{
    const struct ps_source_ops *ops = stage->ops->source;
    uint64_t until = ps_test_patience_end_ns();
    for (uint64_t asked_ns = ps_clock_now().mono_ns; adapter->position() != position;) {
        if (ps_test_patient_ns() > until)
            break;
        if (is_open && ops->tick != NULL)
            (void)ops->tick(stage->plan, stage->state, &stage->now);
        usleep(1000);
        uint64_t now_ns = ps_clock_now().mono_ns; /* a slow broker expects heartbeats meanwhile */
        ps_test_stage_pass_ms(stage, (unsigned)((now_ns - asked_ns) / PS_NS_PER_MS));
        asked_ns = now_ns;
    }
    assert_int_equal(adapter->position(), position);
}
