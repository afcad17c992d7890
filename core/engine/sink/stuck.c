#include "core/engine/sink/stuck.h"

#define FAILURES_MIN 3U /* fewer are ordinary: a server restarts, a connection ends */

void ps_sink_stuck_failed(struct ps_sink_runner *runner, const struct ps_now *now)
{
    struct ps_sink_stuck *stuck = &runner->stuck;
    uint64_t longest_rest_ns = ps_port_rest_ns(&runner->base.port, UINT32_MAX);
    if (stuck->left == 0) {
        /* in `work` the sink may have taken the lease that was offered, which is not in flight before it returns */
        stuck->left = runner->inflight + (runner->works || runner->offered != NULL);
        stuck->round = !stuck->round;
        stuck->failures = 0;
        stuck->began_ns = now->mono_ns;
        stuck->began_ms = now->wall_ms;
    }
    bool is_long = now->mono_ns - stuck->began_ns >= 2 * longest_rest_ns;
    if (stuck->left > 0 && ++stuck->failures >= FAILURES_MIN && is_long)
        __atomic_store_n(&stuck->since_ms, stuck->began_ms, __ATOMIC_RELAXED);
}

void ps_sink_stuck_clear(struct ps_sink_runner *runner)
{
    runner->stuck.left = 0;
    __atomic_store_n(&runner->stuck.since_ms, 0, __ATOMIC_RELAXED);
}

void ps_sink_stuck_left(struct ps_sink_runner *runner)
{
    if (--runner->stuck.left == 0)
        ps_sink_stuck_clear(runner);
}
