/* Sink avro (Flume's AvroSink): events by Avro RPC to the avro source of Flume or of another penstock. Thread: its
 * worker. */
#include "core/stage.h"

#include "stages/avro/delivery.h"
#include "stages/avro/options.h"
#include "stages/avro/probe.h"
#include "stages/net/resolver.h"

#define WINDOW 16U /* calls under way, to another penstock */

struct avro_plan {
    const char *host;
    int64_t port, reset_s, window;
    struct ps_avro_options avro;
    struct ps_avro_delivery_plan delivery;
};

struct avro_state {
    struct ps_avro_delivery delivery;
};

#define FIELD(name) offsetof(struct avro_plan, name)

static const struct ps_option options[] = {
    {.key = "hostname",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(host),
     .flags = PS_OPTION_REQUIRED,
     .help = "Name or address of the source's host"},
    {.key = "port",
     .type = PS_OPTION_INT,
     .offset = FIELD(port),
     .min = 1,
     .max = 65535,
     .flags = PS_OPTION_REQUIRED,
     .help = "TCP port of the source"},
    PS_AVRO_OPTION_ROWS(struct avro_plan, avro),
    {.key = "reset-connection-interval",
     .type = PS_OPTION_INT,
     .offset = FIELD(reset_s),
     .fallback = "0",
     .min = 0,
     .max = INT32_MAX,
     .unit = "s",
     .help =
         "The connection is made anew after this long, so that a load balancer can choose again; 0: never"},
    {.key = "penstock.calls",
     .type = PS_OPTION_INT,
     .offset = FIELD(window),
     .fallback = "0",
     .min = 0,
     .max = PS_AVRO_CALLS_MAX,
     .unit = "calls",
     .flags = PS_OPTION_EXTENSION,
     .help = "Calls that wait for their answers at a time; 0: 16 with another penstock, else 1, because "
             "Flume may "
             "change the order of calls of one connection"},
    PS_OPTION_END,
};

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct avro_plan *plan = plan_;
    return ps_avro_options_check(&plan->avro, plan->host, context);
}

static enum ps_status find_host(struct ps_avro_delivery_plan *delivery, struct ps_err *err)
{
    if (ps_lookup_build(&delivery->lookup, delivery->host, err) != PS_OK)
        return PS_FAIL;
    if (delivery->lookup == NULL && ps_resolve(delivery->host, &delivery->address) != 0)
        return ps_err_set(err, "hostname: %s is no address", delivery->host);
    return PS_OK;
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct avro_plan *plan = plan_;
    struct ps_avro_delivery_plan *delivery = &plan->delivery;
    unsigned calls = (unsigned)plan->window;
    *delivery = (struct ps_avro_delivery_plan){
        .client = {.window = calls > 0 ? calls : 1,
                   .window_max = calls > 0 ? calls : WINDOW,
                   .answer_ns = ps_avro_options_request_ns(&plan->avro)},
        .host = plan->host,
        .port = (unsigned)plan->port,
        .connect_ns = ps_avro_options_connect_ns(&plan->avro),
        .reset_ns = (uint64_t)plan->reset_s * PS_NS_PER_S,
    };
    if (find_host(delivery, err) != PS_OK)
        return PS_FAIL;
    if (ps_avro_options_build(&plan->avro, plan->host, context, err) != PS_OK) {
        ps_lookup_teardown(delivery->lookup);
        return PS_FAIL;
    }
    delivery->batch_events_max = (uint32_t)plan->avro.batch_events;
    delivery->transport = ps_avro_options_transport(&plan->avro, &delivery->transport_settings);
    return PS_OK;
}

static void teardown(void *plan_)
{
    struct avro_plan *plan = plan_;
    ps_lookup_teardown(plan->delivery.lookup);
    ps_avro_options_teardown(&plan->avro);
}

static enum ps_status open_sink(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct avro_plan *plan = plan_;
    struct avro_state *state = state_;
    (void)err;
    ps_avro_delivery_open(&state->delivery, &plan->delivery, port);
    return PS_OK;
}

static void close_sink(const void *plan, void *state_)
{
    struct avro_state *state = state_;
    (void)plan;
    ps_avro_delivery_close(&state->delivery);
}

static enum ps_result work(const void *plan, void *state_, struct ps_lease **lease, const struct ps_now *now)
{
    struct avro_state *state = state_;
    (void)plan;
    return ps_avro_delivery_work(&state->delivery, lease, now);
}

static uint64_t tick(const void *plan, void *state_, const struct ps_now *now)
{
    struct avro_state *state = state_;
    (void)plan;
    return ps_avro_delivery_tick(&state->delivery, now);
}

static bool recall(const void *plan, void *state_, struct ps_lease **back, const struct ps_now *now)
{
    struct avro_state *state = state_;
    (void)plan;
    return ps_avro_delivery_recall(&state->delivery, back, now);
}

static bool drain(const void *plan, void *state_, const struct ps_now *now)
{
    const struct avro_state *state = state_;
    (void)plan;
    (void)now;
    return state->delivery.lease_count == 0;
}

static void outline(const void *plan_, const struct ps_context *context, FILE *out)
{
    const struct avro_plan *plan = plan_;
    (void)context;
    fprintf(out, "sends to %s:%u (TCP%s%s)", plan->host, (unsigned)plan->port,
            plan->avro.tls.enabled ? ", TLS" : "",
            ps_avro_options_compress(&plan->avro) ? ", compressed" : "");
}

/* Makes the plan as for a start, on the caller's stack. */
static void probe(const void *plan, struct ps_context *context, const struct ps_probe *probe)
{
    struct avro_plan tried = *(const struct avro_plan *)plan;
    struct ps_err err = {.length = 0};
    char shown[300];
    snprintf(shown, sizeof shown, "%.256s:%u", tried.host, (unsigned)tried.port);
    if (probe->local) {
        ps_probe_skipped(probe, shown, "not asked");
        return;
    }
    if (build(&tried, context, &err) != PS_OK) {
        ps_probe_failed(probe, shown, err.text, NULL);
        return;
    }
    struct ps_client_plan to = {.connect_ns = probe->timeout_ms * PS_NS_PER_MS,
                                .transport = tried.delivery.transport,
                                .transport_settings = tried.delivery.transport_settings};
    ps_lookup_wait(tried.delivery.lookup, ps_probe_left_ms(probe));
    if (ps_avro_delivery_aim(&tried.delivery, &to, &err) == PS_OK)
        ps_avro_probe(probe, &to, shown);
    else
        ps_probe_key_failed(probe, "hostname", shown, err.text,
                            "correct the name, or the machine's name server");
    teardown(&tried);
}

static const struct ps_sink_ops sink = {
    .sockets = true, .work = work, .tick = tick, .recall = recall, .drain = drain};

const struct ps_stage_ops ps_sink_avro = {
    PS_STAGE(PS_KIND_SINK),
    .name = "avro",
    .aliases = PS_WORDS("org.apache.flume.sink.AvroSink", "org.apache.flume.rpc.avro.sink.AvroSink"),
    .summary = "Events by Avro RPC to the avro source of Flume or of another penstock",
    .options = options,
    .plan_size = sizeof(struct avro_plan),
    .state_size = sizeof(struct avro_state),
    .check = check,
    .build = build,
    .teardown = teardown,
    .open = open_sink,
    .close = close_sink,
    .outline = outline,
    .probe = probe,
    .sink = &sink,
};
