/* Source thriftLegacy (Flume's ThriftLegacySource): events from the rpcSink (thrift) of Flume 0.9. Its append is a one-way call,
 * never answered: while a channel is full the source does not read, and the client's connection waits. Thread: its worker. */
#include "core/stage.h"

#include "stages/lib/net/listen.h"
#include "stages/lib/net/options.h"
#include "stages/lib/stream/stream.h"
#include "stages/lib/thrift/legacy.h"

#include <stdlib.h>

#define MESSAGE_BYTES (16U << 20) /* limit of a message, if the memory budget allows it */

struct legacy_plan {
    struct ps_listen listen; /* must be first (stages/lib/net/listen.h) */
    int64_t message_s, idle_s;
    uint32_t message_bytes_max;
};

struct legacy_state {
    struct ps_stream stream; /* must be first (stages/lib/stream/stream.h) */
    struct ps_port *port;
    uint32_t message_bytes_max;
    struct ps_event_headers headers;
    /* By the connection's slot: how far its long message was measured; NULL: none of it. */
    struct ps_thrift_bare **measured;
    uint32_t measured_count;
};

#define FIELD(name) offsetof(struct legacy_plan, name)

static const struct ps_option options[] = {
    PS_HOST_OPTION_ROW_REQUIRED("host", FIELD(listen.host)),
    PS_PORT_OPTION_ROW("TCP", FIELD(listen.port)),
    PS_MESSAGE_TIMEOUT_OPTION_ROW(FIELD(message_s)),
    PS_IDLE_OPTION_ROW(FIELD(idle_s)),
    PS_OPTION_END,
};

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct legacy_plan *plan = plan_;
    plan->message_bytes_max = ps_stream_message_max(context, MESSAGE_BYTES);
    return ps_listen_build(&plan->listen, context, err);
}

/* ---- long messages ---- */

static bool make_slots(struct legacy_state *state, uint32_t count)
{
    struct ps_thrift_bare **measured = reallocarray(state->measured, count, sizeof(struct ps_thrift_bare *));
    if (measured == NULL)
        return false;
    state->measured = measured;
    while (state->measured_count < count)
        state->measured[state->measured_count++] = NULL;
    return true;
}

/* Returns how far the connection's message was measured. NULL: no memory to note it. */
static struct ps_thrift_bare *measured_of(struct legacy_state *state, const struct ps_connection *connection)
{
    uint32_t slot = connection->slot;
    if (slot >= state->measured_count && !make_slots(state, 2 * slot + 16))
        return NULL;
    if (state->measured[slot] == NULL)
        state->measured[slot] = calloc(1, sizeof(struct ps_thrift_bare));
    return state->measured[slot];
}

/* Called when another message begins, and when the connection is closed. */
static void forget_measured(struct legacy_state *state, const struct ps_connection *connection)
{
    if (connection->slot >= state->measured_count)
        return;
    free(state->measured[connection->slot]);
    state->measured[connection->slot] = NULL;
}

/* ---- the stream ---- */

/* Answers are sent immediately, because no earlier call waits for an answer. */
static void answer(struct legacy_state *state, struct ps_connection *connection,
                   const struct ps_thrift_legacy_message *message)
{
    uint8_t reply[PS_THRIFT_ANSWER_BYTES_MAX];
    size_t length =
        message->call == PS_THRIFT_LEGACY_CLOSE
            ? ps_thrift_legacy_put_closed(reply, message)
            : ps_thrift_legacy_put_error(reply, message, PS_THRIFT_UNKNOWN_METHOD, "Invalid method name");
    if (message->message.type != PS_THRIFT_ONEWAY)
        ps_stream_send(&state->stream, connection, (const char *)reply, length);
}

static enum ps_feed feed(void *owner, struct ps_connection *connection, struct ps_batch *batch, char *data,
                         uint32_t length, uint32_t *used)
{
    struct legacy_state *state = owner;
    uint64_t origin = ps_connection_origin(connection);
    forget_measured(state, connection);
    if (batch->count == 0)
        ps_event_headers_begin(&state->headers);
    for (*used = 0; *used < length;) {
        struct ps_thrift_legacy_message message;
        uint32_t bytes;
        enum ps_thrift_framing found =
            ps_thrift_bare_measure(data + *used, length - *used, state->message_bytes_max, &bytes);
        if (found == PS_THRIFT_PARTIAL)
            break;
        if (found == PS_THRIFT_GARBAGE)
            return ps_stream_malformed(connection, state->port,
                                       "not a message of Thrift's binary protocol, or too long", data + *used,
                                       length - *used);
        ps_thrift_legacy_read(data + *used, bytes, &message);
        if (message.call == PS_THRIFT_LEGACY_BAD)
            return ps_stream_malformed(connection, state->port, message.reason, data + *used, bytes);
        if (message.call != PS_THRIFT_LEGACY_APPEND)
            answer(state, connection, &message);
        else if (!ps_legacy_event_add(&state->headers, batch, &message.event))
            return batch->full ? PS_FEED_FULL : PS_FEED_MEMORY;
        *used += bytes;
        if (ps_stream_find(&state->stream, origin) == NULL) /* an answer could not be sent */
            break;
    }
    return PS_FEED_MORE;
}

/* Called with the beginning of a long message each time that more of it has arrived. */
static uint32_t message_bytes(void *owner, struct ps_connection *connection, const char *data,
                              uint32_t length)
{
    struct legacy_state *state = owner;
    struct ps_thrift_bare *measured = measured_of(state, connection);
    uint32_t bytes, most = state->message_bytes_max;
    switch (measured != NULL ? ps_thrift_bare_go_on(measured, data, length, most, &bytes)
                             : ps_thrift_bare_measure(data, length, most, &bytes)) {
    case PS_THRIFT_PARTIAL:
        return 0;
    case PS_THRIFT_GARBAGE:
        return length; /* `feed` closes the connection */
    case PS_THRIFT_WHOLE:
        break;
    }
    return bytes;
}

static void closed(void *owner, struct ps_connection *connection)
{
    struct legacy_state *state = owner;
    forget_measured(state, connection);
    ps_stream_unfinished(connection,
                         state->port); /* these calls are not answered: the sender does not know */
}

static const struct ps_stream_ops stream_ops = {
    .feed = feed, .message_bytes = message_bytes, .closed = closed};

/* ---- life cycle ---- */

static void close_source(const void *, void *state_)
{
    struct legacy_state *state = state_;
    ps_stream_fini(&state->stream);
    free(state->measured);
}

static enum ps_status open_source(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct legacy_plan *plan = plan_;
    struct legacy_state *state = state_;
    const struct ps_stream_options stream = {
        .ops = &stream_ops,
        .owner = state,
        .message_bytes_max = plan->message_bytes_max,
        .message_ns = (uint64_t)plan->message_s * PS_NS_PER_S,
        .idle_ns = (uint64_t)plan->idle_s * PS_NS_PER_S,
    };
    state->port = port;
    state->message_bytes_max = plan->message_bytes_max;
    return ps_stream_open(&state->stream, &stream, &plan->listen, port, err);
}

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_ACCEPTED,
    .when_full = PS_WAIT,
    .work = ps_stream_source_work,
    .tick = ps_stream_source_tick,
    .paused = ps_stream_source_paused,
    .drain = ps_stream_source_drain,
};

const struct ps_stage_ops ps_source_thriftlegacy = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "thriftlegacy",
    .aliases = PS_WORDS("org.apache.flume.source.thriftLegacy.ThriftLegacySource"),
    .summary = "Events by Thrift RPC from agents of Flume 0.9",
    .options = options,
    .plan_size = sizeof(struct legacy_plan),
    .state_size = sizeof(struct legacy_state),
    .build = build,
    .teardown = ps_listen_source_teardown,
    .open = open_source,
    .close = close_source,
    PS_LISTEN_SOURCE,
    .source = &source,
};
