/* Source avroLegacy (Flume's AvroLegacySource): events from the rpcSink (avro) of Flume 0.9, by Avro RPC over HTTP. A call is
 * answered when every required channel has promised the event of the call; the HTTP status is 503 when one of them stayed full. Thread:
 * its worker. */
#include "core/stage.h"

#include "stages/lib/avro/legacy.h"
#include "stages/lib/http/server.h"
#include "stages/lib/net/listen.h"
#include "stages/lib/net/options.h"

#define HEAD_BYTES_MAX 8192U
#define BODY_BYTES (16U << 20) /* limit of a call, if the memory budget allows it */
#define REQUEST_NS (300 * PS_NS_PER_S)

struct legacy_plan {
    struct ps_listen listen; /* must be first (stages/lib/net/listen.h) */
    int64_t idle_s;
    struct ps_http_limits limits;
};

struct legacy_state {
    struct ps_http_server server; /* must be first (stages/lib/http/server.h) */
    struct ps_event_headers headers;
};

#define FIELD(name) offsetof(struct legacy_plan, name)

static const struct ps_option options[] = {
    PS_HOST_OPTION_ROW_REQUIRED("host", FIELD(listen.host)),
    PS_PORT_OPTION_ROW("TCP", FIELD(listen.port)),
    PS_IDLE_OPTION_ROW(FIELD(idle_s)),
    PS_OPTION_END,
};

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct legacy_plan *plan = plan_;
    plan->limits = (struct ps_http_limits){.head_bytes_max = HEAD_BYTES_MAX,
                                           .body_bytes_max = ps_stream_message_max(context, BODY_BYTES)};
    return ps_listen_build(&plan->listen, context, err);
}

/* Makes an event of a request. */
static enum ps_http_taken take(void *owner, struct ps_batch *batch, struct ps_http_exchange *exchange)
{
    struct legacy_state *state = owner;
    struct ps_avro_legacy_request request;
    ps_avro_legacy_read(exchange->body, exchange->body_length, &request);
    if (request.reason != NULL) {
        exchange->status = 400;
        exchange->reason = request.reason;
        return PS_HTTP_REFUSED;
    }
    if (batch->count == 0)
        ps_event_headers_begin(&state->headers);
    if (!ps_batch_ticket(batch, exchange->origin, 0))
        return PS_HTTP_MEMORY;
    if (!ps_legacy_event_add(&state->headers, batch, &request.event))
        return batch->full ? PS_HTTP_FULL : PS_HTTP_MEMORY;
    PS_ASSERT(ps_batch_ticket(batch, exchange->origin, 1)); /* adds to the ticket made above */
    exchange->events = 1;
    return PS_HTTP_TAKEN;
}

/* ---- life cycle ---- */

static void close_source(const void *, void *state_)
{
    struct legacy_state *state = state_;
    ps_http_server_fini(&state->server);
}

static enum ps_status open_source(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct legacy_plan *plan = plan_;
    struct legacy_state *state = state_;
    const struct ps_http_server_options server = {
        .take = take,
        .owner = state,
        .limits = plan->limits,
        .request_ns = REQUEST_NS,
        .idle_ns = (uint64_t)plan->idle_s * PS_NS_PER_S,
        .done_type = PS_AVRO_LEGACY_TYPE,
        .done_body = ps_avro_legacy_answer,
        .done_length = PS_AVRO_LEGACY_ANSWER_BYTES,
    };
    return ps_http_server_open(&state->server, &server, &plan->listen, port, err);
}

const struct ps_stage_ops ps_source_avrolegacy = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "avrolegacy",
    .aliases = PS_WORDS("org.apache.flume.source.avroLegacy.AvroLegacySource"),
    .summary = "Events by Avro RPC over HTTP from agents of Flume 0.9",
    .options = options,
    .plan_size = sizeof(struct legacy_plan),
    .state_size = sizeof(struct legacy_state),
    .build = build,
    .teardown = ps_listen_source_teardown,
    .open = open_source,
    .close = close_source,
    PS_LISTEN_SOURCE,
    .source = &ps_http_source_ops,
};
