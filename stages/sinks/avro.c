/* Sink avro (Flume's AvroSink): events by Avro RPC to the avro source of Flume or of another penstock. Thread: its
 * worker. */
#include "core/stage.h"

#include <string.h>
#include <strings.h>

#include "stages/avro/delivery.h"
#include "stages/net/resolver.h"
#include "stages/net/tls_stage.h"

#define TIMEOUT_MS_MIN 1000 /* lower values count as the default, as in Flume */
#define TIMEOUT_MS 20000
#define BATCH 100
#define BATCH_MAX 1000000
#define WINDOW 16U /* calls under way, to another penstock */

struct avro_plan {
    const char *host, *compression;
    int64_t port, batch_size, connect_ms, request_ms, reset_s, level, io_workers, window;
    bool tls_outside;
    struct ps_tls_client_options tls;
    struct ps_tls_client *client;
    struct ps_avro_transport_settings deflate;
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
    {.key = "batch-size",
     .type = PS_OPTION_INT,
     .offset = FIELD(batch_size),
     .fallback = "100",
     .max = BATCH_MAX,
     .min = INT32_MIN,
     .unit = "events",
     .help = "Events of one call, at most; the source's channel must take so many in one transaction. Below "
             "1 counts "
             "as 100"},
    {.key = "connect-timeout",
     .type = PS_OPTION_INT,
     .offset = FIELD(connect_ms),
     .fallback = "20000",
     .min = INT32_MIN,
     .max = INT32_MAX,
     .unit = "ms",
     .help = "For the connection and its TLS handshake; below 1000 counts as 20000"},
    {.key = "request-timeout",
     .type = PS_OPTION_INT,
     .offset = FIELD(request_ms),
     .fallback = "20000",
     .min = INT32_MIN,
     .max = INT32_MAX,
     .unit = "ms",
     .help = "A call without an answer for this long is sent again over a new connection; below 1000 counts "
             "as 20000"},
    {.key = "reset-connection-interval",
     .type = PS_OPTION_INT,
     .offset = FIELD(reset_s),
     .fallback = "0",
     .min = 0,
     .max = INT32_MAX,
     .unit = "s",
     .help =
         "The connection is made anew after this long, so that a load balancer can choose again; 0: never"},
    {.key = "compression-type",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(compression),
     .fallback = "none",
     .help = "none or deflate: what the source's compression-type says"},
    {.key = "compression-level",
     .type = PS_OPTION_INT,
     .offset = FIELD(level),
     .fallback = "6",
     .min = 0,
     .max = 9,
     .help = "1 (fast) to 9 (small); 0: not compressed"},
    PS_TLS_CLIENT_OPTION_ROWS(struct avro_plan, tls),
    {.key = "maxIoWorkers",
     .type = PS_OPTION_INT,
     .offset = FIELD(io_workers),
     .flags = PS_OPTION_NO_EFFECT | PS_OPTION_LENIENT,
     .help = "Threads of Flume's client; the sink's worker does the work"},
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
    {.key = "penstock.tls.outside",
     .type = PS_OPTION_BOOL,
     .offset = FIELD(tls_outside),
     .fallback = "false",
     .flags = PS_OPTION_EXTENSION,
     .help = "With ssl and deflate: compress inside TLS, as Flume up to 1.9 does; false: TLS inside the "
             "compressed "
             "stream, as Flume 1.10 and 1.11 do"},
    PS_OPTION_END,
};

static bool compresses(const struct avro_plan *plan)
{
    return strcasecmp(plan->compression, "deflate") == 0 && plan->level > 0;
}

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct avro_plan *plan = plan_;
    if (strcasecmp(plan->compression, "deflate") != 0 && strcasecmp(plan->compression, "none") != 0)
        ps_report(context, PS_LOG_WARN, "compression-type",
                  "%s counts as none, as in Flume; known is deflate", plan->compression);
    return ps_tls_client_stage_check(&plan->tls, plan->host, context);
}

static uint64_t timeout_ns(int64_t ms)
{
    return (uint64_t)(ms < TIMEOUT_MS_MIN ? TIMEOUT_MS : ms) * PS_NS_PER_MS;
}

static void choose_transport(struct avro_plan *plan)
{
    struct ps_avro_delivery_plan *delivery = &plan->delivery;
    plan->deflate = (struct ps_avro_transport_settings){
        .level = (int)plan->level, .tls = plan->client, .tls_outside = plan->tls_outside};
    delivery->transport = compresses(plan)       ? &ps_avro_transport_deflate
                          : plan->client != NULL ? &ps_transport_tls
                                                 : &ps_transport_plain;
    delivery->transport_settings = compresses(plan) ? (const void *)&plan->deflate : plan->client;
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
    unsigned calls = (unsigned)plan->window;
    plan->delivery = (struct ps_avro_delivery_plan){
        .client = {.window = calls > 0 ? calls : 1,
                   .window_max = calls > 0 ? calls : WINDOW,
                   .answer_ns = timeout_ns(plan->request_ms)},
        .host = plan->host,
        .port = (unsigned)plan->port,
        .connect_ns = timeout_ns(plan->connect_ms),
        .reset_ns = (uint64_t)plan->reset_s * PS_NS_PER_S,
        .batch_events_max = plan->batch_size < 1 ? BATCH : (uint32_t)plan->batch_size,
    };
    if (find_host(&plan->delivery, err) != PS_OK)
        return PS_FAIL;
    if (ps_tls_client_stage_build(&plan->client, &plan->tls, plan->host, context, err) != PS_OK) {
        ps_lookup_teardown(plan->delivery.lookup);
        return PS_FAIL;
    }
    choose_transport(plan);
    return PS_OK;
}

static void teardown(void *plan_)
{
    struct avro_plan *plan = plan_;
    ps_lookup_teardown(plan->delivery.lookup);
    ps_tls_client_destroy(plan->client);
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
            plan->tls.enabled ? ", TLS" : "", compresses(plan) ? ", compressed" : "");
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
    .sink = &sink,
};
