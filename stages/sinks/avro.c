/* Sink avro (Flume's AvroSink): sends events by Avro RPC to the avro source of Flume or of another penstock. Thread: its worker. */
#include "core/stage.h"

#include "stages/lib/avro/options.h"
#include "stages/lib/avro/protocol.h"
#include "stages/lib/rpc/sink.h"

struct avro_plan {
    struct ps_rpc_sink sink; /* must be first (stages/lib/rpc/sink.h) */
    struct ps_avro_options avro;
};

static const struct ps_option options[] = {
    PS_RPC_ADDRESS_OPTION_ROWS(struct avro_plan, sink),
    PS_AVRO_OPTION_ROWS(struct avro_plan, avro),
    PS_RPC_SENDING_OPTION_ROWS(struct avro_plan, sink, NULL,
                               "may change the order of calls of one connection"),
    PS_OPTION_END,
};

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct avro_plan *plan = plan_;
    return ps_avro_options_check(&plan->avro, plan->sink.host, context);
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct avro_plan *plan = plan_;
    if (ps_avro_options_build(&plan->avro, plan->sink.host, context, err) != PS_OK)
        return PS_FAIL;
    struct ps_rpc_sink_settings settings = {
        .protocol = &ps_avro_rpc,
        .connect_ns = ps_rpc_timeout_ns(plan->avro.calls.connect_ms),
        .request_ns = ps_rpc_timeout_ns(plan->avro.calls.request_ms),
        .batch_events_max = ps_rpc_batch_events_of(&plan->avro.calls),
    };
    settings.transport = ps_avro_options_transport(&plan->avro, &settings.transport_settings);
    if (ps_rpc_sink_build(&plan->sink, &settings, err) == PS_OK)
        return PS_OK;
    ps_avro_options_teardown(&plan->avro);
    return PS_FAIL;
}

static void teardown(void *plan_)
{
    struct avro_plan *plan = plan_;
    ps_rpc_sink_teardown(&plan->sink);
    ps_avro_options_teardown(&plan->avro);
}

static void outline(const void *plan_, const struct ps_context *, FILE *out)
{
    const struct avro_plan *plan = plan_;
    fprintf(out, "sends to %s:%u (TCP%s%s)", plan->sink.host, (unsigned)plan->sink.port,
            plan->avro.tls.enabled ? ", TLS" : "",
            ps_avro_options_compress(&plan->avro) ? ", compressed" : "");
}

static void probe(const void *plan, struct ps_context *context, const struct ps_probe *probe)
{
    struct avro_plan tried = *(const struct avro_plan *)plan;
    const struct ps_rpc_sink_probe sink = {
        .build = build,
        .teardown = teardown,
        .advice =
            "check that it is an avro source, and that compression-type and ssl are those of the source"};
    ps_rpc_sink_try(&sink, &tried, context, probe);
}

const struct ps_stage_ops ps_sink_avro = {
    PS_STAGE(PS_KIND_SINK),
    .name = "avro",
    .aliases = PS_WORDS("org.apache.flume.sink.AvroSink", "org.apache.flume.rpc.avro.sink.AvroSink"),
    .summary = "Events by Avro RPC to the avro source of Flume or of another penstock",
    .options = options,
    .plan_size = sizeof(struct avro_plan),
    .state_size = sizeof(struct ps_rpc_delivery),
    .check = check,
    .build = build,
    .teardown = teardown,
    .open = ps_rpc_sink_open,
    .close = ps_rpc_sink_close,
    .outline = outline,
    .probe = probe,
    .sink = &ps_remote_sink_ops,
};
