#include "stages/lib/remote/sink.h"

#define RECALL_NS (2 * PS_NS_PER_S) /* wait of a recall for answers */

void ps_remote_sink_init(struct ps_remote_sink *sink, const struct ps_remote_sink_calls *calls,
                         struct ps_port *port, unsigned leases_max)
{
    *sink = (struct ps_remote_sink){.calls = calls, .port = port};
    ps_held_init(&sink->held, leases_max);
}

void ps_remote_sink_rest(struct ps_remote_sink *sink)
{
    sink->rest_ns = sink->now_ns + ps_port_rest_ns(sink->port, ++sink->failures);
}

void ps_remote_sink_failed(struct ps_remote_sink *sink, const struct ps_err *reason)
{
    ps_remote_sink_rest(sink);
    ps_port_tries_again(sink->port, reason, sink->rest_ns - sink->now_ns);
}

void ps_remote_sink_finish(struct ps_remote_sink *sink)
{
    ps_finish_held(&sink->held, sink->port);
}

enum ps_result ps_remote_sink_work(const void *, void *state, struct ps_lease **lease,
                                   const struct ps_now *now)
{
    struct ps_remote_sink *sink = state;
    sink->now_ns = now->mono_ns;
    sink->wall_ms = now->wall_ms;
    sink->recall_ns = 0;
    if (ps_held_is_full(&sink->held))
        return PS_LATER;
    ps_held_add(&sink->held, lease);
    return PS_TAKEN;
}

/* Leases without an event to send are finished first: they need no connection. */
static void serve(struct ps_remote_sink *sink, bool sends, const struct ps_now *now)
{
    sink->now_ns = now->mono_ns;
    sink->wall_ms = now->wall_ms;
    ps_remote_sink_finish(sink);
    sink->calls->serve(sink, sends);
    ps_remote_sink_finish(sink);
}

uint64_t ps_remote_sink_tick(const void *, void *state, const struct ps_now *now)
{
    struct ps_remote_sink *sink = state;
    serve(sink, true, now);
    return sink->calls->due_ns(sink);
}

/* Waits for answers, so that events which are delivered now do not arrive twice; then gives all leases back. */
bool ps_remote_sink_recall(const void *, void *state, struct ps_lease **back, const struct ps_now *now)
{
    struct ps_remote_sink *sink = state;
    if (sink->recall_ns == 0)
        sink->recall_ns = now->mono_ns + RECALL_NS;
    serve(sink, false, now);
    if (sink->calls->awaits(sink) && now->mono_ns < sink->recall_ns)
        return false;
    sink->calls->abandon(sink);
    ps_held_give_back(&sink->held, back);
    return true;
}

bool ps_remote_sink_drain(const void *, void *state, const struct ps_now *)
{
    const struct ps_remote_sink *sink = state;
    return sink->held.count == 0;
}

const struct ps_sink_ops ps_remote_sink_ops = {PS_REMOTE_SINK_FUNCTIONS};
