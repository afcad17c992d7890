/* Source scribe (Flume's ScribeSource): log entries from scribe's clients and servers, over framed Thrift. Each call is
 * answered with OK once all required channels have promised its events, with TRY_LATER when one channel is full.
 * Thread: its worker. */
#include "core/stage.h"

#include "stages/lib/net/listen.h"
#include "stages/lib/net/options.h"
#include "stages/lib/stream/stream.h"
#include "stages/lib/thrift/scribe.h"
#include "stages/lib/thrift/source.h"

#define FRAME_BYTES_MAX 16384000

struct scribe_plan {
    struct ps_listen listen; /* must be first (stages/lib/net/listen.h) */
    int64_t threads, frame_bytes, message_s, idle_s;
    uint32_t message_bytes_max; /* frame_bytes, or what the memory budget allows */
};

#define FIELD(name) offsetof(struct scribe_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("port", INT, FIELD(listen.port),
                  "TCP port to listen on, on all addresses, IPv4 and IPv6; 0: any free port, which is logged",
                  .fallback = "1499", .min = 0, .max = 65535),
    PS_OPTION_ROW(
        "maxReadBufferBytes", INT, FIELD(frame_bytes),
        "maximum length of a frame (a call with all its entries); a client that sends a longer one is "
        "disconnected; below 1 counts as 16384000; at most a sixteenth of the memory budget, divided by "
        "the workers",
        .fallback = "16384000", .min = INT32_MIN, .max = INT32_MAX, .unit = "bytes"),
    PS_OPTION_ROW("workerThreads", INT, FIELD(threads),
                  "threads of Flume's server; one worker serves all connections (penstock.workers)",
                  .fallback = "5", .min = INT32_MIN, .max = INT32_MAX, .flags = PS_OPTION_NO_EFFECT),
    PS_MESSAGE_TIMEOUT_OPTION_ROW(FIELD(message_s)),
    PS_IDLE_OPTION_ROW(FIELD(idle_s)),
    PS_OPTION_END,
};

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct scribe_plan *plan = plan_;
    uint64_t frame_bytes = plan->frame_bytes > 0 ? (uint64_t)plan->frame_bytes : FRAME_BYTES_MAX;
    plan->message_bytes_max = ps_stream_message_max(context, frame_bytes + PS_THRIFT_FRAME_BYTES);
    return ps_listen_build(&plan->listen, context, err);
}

/* ---- life cycle ---- */

static enum ps_status open_source(const void *plan_, void *state, struct ps_port *port, struct ps_err *err)
{
    const struct scribe_plan *plan = plan_;
    const struct ps_stream_options stream = {
        .message_bytes_max = plan->message_bytes_max,
        .message_ns = (uint64_t)plan->message_s * PS_NS_PER_S,
        .idle_ns = (uint64_t)plan->idle_s * PS_NS_PER_S,
        .replies = true,
    };
    return ps_thrift_source_open(state, &ps_thrift_scribe, &stream, &plan->listen, port, err);
}

const struct ps_stage_ops ps_source_scribe = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "scribe",
    .aliases = PS_WORDS("org.apache.flume.source.scribe.ScribeSource"),
    .summary = "Log entries from scribe's clients and servers, each call answered with OK or TRY_LATER",
    .options = options,
    .plan_size = sizeof(struct scribe_plan),
    .state_size = sizeof(struct ps_thrift_source),
    .build = build,
    .teardown = ps_listen_source_teardown,
    .open = open_source,
    .close = ps_thrift_source_close,
    PS_LISTEN_SOURCE,
    .source = &ps_thrift_source_ops,
};
