/* Source netcatudp (Flume's NetcatUdpSource): the first line of each datagram, unchanged. Thread: its worker.
 * When a channel is full nothing is read; the kernel then drops what its buffer cannot hold, and the source
 * counts the drops. */
#include "core/stage.h"

#include <string.h>

#include "stages/lib/net/listen.h"
#include "stages/lib/net/datagrams.h"
#include "stages/lib/net/options.h"
#include "stages/lib/syslog/text.h"

struct netcatudp_plan {
    struct ps_listen listen; /* must be first (stages/lib/net/listen.h) */
    const char *header;
    const struct ps_name *name;
};

struct netcatudp_state {
    struct ps_datagrams datagrams; /* must be first (stages/lib/net/datagrams.h) */
    const struct netcatudp_plan *plan;
    struct ps_port *port;
};

#define FIELD(name) offsetof(struct netcatudp_plan, name)

static const struct ps_option options[] = {
    PS_HOST_OPTION_ROW("bind", FIELD(listen.bind)),
    PS_PORT_OPTION_ROW("UDP", FIELD(listen.port)),
    PS_OPTION_ROW("remoteAddress", TEXT, FIELD(header),
                  "header for the sender's address in Java's form, /address:port",
                  .aliases = PS_WORDS("remoteAddressHeader"), .flags = PS_OPTION_HEADER),
    PS_RECEIVE_BUFFER_OPTION_ROW(FIELD(listen.receive_buffer_bytes)),
    PS_OPTION_END,
};

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct netcatudp_plan *plan = plan_;
    plan->name = plan->header != NULL ? ps_name_intern(plan->header) : NULL;
    return ps_listen_build(&plan->listen, context, err);
}

static enum ps_status open_source(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct netcatudp_plan *plan = plan_;
    struct netcatudp_state *state = state_;
    state->plan = plan;
    state->port = port;
    const struct ps_bind_options bind = ps_listen_address(&plan->listen, port->instances);
    if (ps_datagrams_init(&state->datagrams, &bind, plan->name != NULL, port, err) == PS_OK)
        return PS_OK;
    return PS_FAIL;
}

static void close_source(const void *, void *state)
{
    ps_datagrams_fini(&((struct netcatudp_state *)state)->datagrams);
}

/* Returns false if no row was added: the batch is full, or there is no memory. */
static bool take(const struct netcatudp_state *state, struct ps_batch *batch, struct ps_slice datagram,
                 const struct ps_address *peer)
{
    const char *newline = datagram.length > 0 ? memchr(datagram.data, '\n', datagram.length) : NULL;
    uint32_t length = newline != NULL ? (uint32_t)(newline - datagram.data) : datagram.length, room;
    struct ps_syslog_row row = {.list = NULL};
    bool wanted = state->plan->name != NULL;
    if (wanted && !ps_syslog_row_init(&row, batch, 1, NULL, PS_ADDRESS_TEXT_BYTES))
        return false;
    char *data = ps_batch_reserve(batch, length, &room);
    if (data == NULL)
        return false;
    if (length > 0)
        memcpy(data, datagram.data, length);
    struct ps_event *event = ps_batch_add(batch, data, length);
    if (event == NULL)
        return false;
    ps_batch_commit(batch, length);
    if (newline != NULL && PS_UNLIKELY(datagram.length > length + 1))
        ps_datagrams_discard(
            &state->datagrams,
            &(struct ps_discard){.why = "only the first line of a datagram becomes an event, as in Flume",
                                 .bytes = newline + 1,
                                 .length = datagram.length - length - 1},
            peer);
    if (wanted) {
        ps_syslog_row_push(&row, state->plan->name,
                           (struct ps_slice){row.bytes, ps_address_java(peer, row.bytes)});
        ps_syslog_row_finish(&row, batch, event);
    }
    return true;
}

static enum ps_result work(const void *, void *state_, struct ps_batch *batch, const struct ps_now *)
{
    struct netcatudp_state *state = state_;
    const struct ps_address *peer;
    struct ps_slice datagram;
    uint32_t rows = batch->count;
    uint64_t bytes = batch->body_bytes;
    ps_datagrams_begin(&state->datagrams);
    while (ps_datagrams_peek(&state->datagrams, &datagram, &peer)) {
        if (!take(state, batch, datagram, peer)) {
            batch->flush |= batch->count > 0;
            break;
        }
        ps_datagrams_advance(&state->datagrams);
    }
    rows = batch->count - rows;
    ps_count(state->port->counters, PS_COUNTER_EventReceivedCount, rows);
    ps_count(state->port->counters, PS_COUNTER_bytes, batch->body_bytes - bytes);
    return rows > 0 || batch->full ? PS_DONE : PS_IDLE;
}

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_ACCEPTED,
    .when_full = PS_WAIT,
    .work = work,
    .tick = ps_datagrams_source_tick,
    .drain = ps_datagrams_source_drain,
};

const struct ps_stage_ops ps_source_netcatudp = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "netcatudp",
    .aliases =
        PS_WORDS("org.apache.flume.source.NetcatUdpSource", "org.apache.flume.source.netcat.NetcatUdpSource"),
    .summary = "The first line of each UDP datagram",
    .options = options,
    .plan_size = sizeof(struct netcatudp_plan),
    .state_size = sizeof(struct netcatudp_state),
    .build = build,
    .teardown = ps_listen_source_teardown,
    .open = open_source,
    .close = close_source,
    PS_LISTEN_SOURCE,
    .source = &source,
};
