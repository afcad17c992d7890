#include "stages/lib/rpc/sink.h"

#include "stages/lib/remote/probe.h"
#include "stages/lib/rpc/probe.h"

#define WINDOW 16U /* calls in flight to another penstock */

enum ps_status ps_rpc_sink_build(struct ps_rpc_sink *sink, const struct ps_rpc_sink_settings *settings,
                                 struct ps_err *err)
{
    unsigned calls = (unsigned)sink->window;
    sink->delivery = (struct ps_rpc_delivery_plan){
        .client = {.protocol = settings->protocol,
                   .window = calls > 0 ? calls : 1,
                   .window_max = calls > 0 ? calls : WINDOW,
                   .answer_ns = settings->request_ns},
        .connect_ns = settings->connect_ns,
        .reset_ns = sink->reset_s > 0 ? (uint64_t)sink->reset_s * PS_NS_PER_S : 0,
        .batch_events_max = settings->batch_events_max,
        .transport = settings->transport,
        .transport_settings = settings->transport_settings,
    };
    return ps_remote_target_build(&sink->delivery.target, sink->host, (unsigned)sink->port, err);
}

void ps_rpc_sink_teardown(struct ps_rpc_sink *sink)
{
    ps_remote_target_teardown(&sink->delivery.target);
}

/* ---- the probe ---- */

static void try_address(const struct ps_rpc_sink *sink, const struct ps_probe *probe, const char *shown,
                        const char *advice)
{
    const struct ps_rpc_delivery_plan *delivery = &sink->delivery;
    struct ps_client_plan to = {.connect_ns = probe->timeout_ms * PS_NS_PER_MS,
                                .transport = delivery->transport,
                                .transport_settings = delivery->transport_settings};
    if (ps_remote_probe_address(probe, &delivery->target, shown, &to))
        ps_rpc_probe(probe, delivery->client.protocol, &to, shown, advice);
}

void ps_rpc_sink_try(const struct ps_rpc_sink_probe *sink, void *tried, struct ps_context *context,
                     const struct ps_probe *probe)
{
    const struct ps_rpc_sink *plan = tried;
    struct ps_err err = {.length = 0};
    char shown[300];
    snprintf(shown, sizeof shown, "%.256s:%u", plan->host, (unsigned)plan->port);
    if (probe->local) {
        ps_probe_skipped(probe, shown, "not asked");
        return;
    }
    if (sink->build(tried, context, &err) != PS_OK) {
        ps_probe_failed(probe, shown, err.text, NULL);
        return;
    }
    try_address(plan, probe, shown, sink->advice);
    sink->teardown(tried);
}

/* ---- the worker's ---- */

enum ps_status ps_rpc_sink_open(const void *plan, void *state, struct ps_port *port, struct ps_err *)
{
    const struct ps_rpc_sink *sink = plan;
    ps_rpc_delivery_open(state, &sink->delivery, port);
    return PS_OK;
}

void ps_rpc_sink_close(const void *, void *state)
{
    ps_rpc_delivery_close(state);
}
