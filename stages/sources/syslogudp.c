/* Source syslogudp (Flume's SyslogUDPSource): one syslog message per datagram; bytes after a newline in it
 * are ignored, as in Flume. Thread: its worker. When a channel is full nothing is read; the kernel then drops
 * what its buffer cannot hold, and the source counts the drops. */
#include "core/stage.h"

#include <string.h>

#include "stages/lib/net/listen.h"
#include "stages/lib/net/datagrams.h"
#include "stages/lib/net/options.h"
#include "stages/lib/net/reverse_names.h"
#include "stages/lib/syslog/mistakes.h"
#include "stages/lib/syslog/source.h"

struct syslogudp_plan {
    struct ps_listen listen; /* must be first (stages/lib/net/listen.h) */
    struct ps_syslog_source_options syslog;
    struct ps_syslog_source source;
};

struct syslogudp_state {
    struct ps_datagrams datagrams; /* must be first (stages/lib/net/datagrams.h) */
    const struct syslogudp_plan *plan;
    struct ps_port *port;
    struct ps_syslog_single parser;
    struct ps_syslog_mistakes mistakes;
    struct ps_address peer; /* sender of the last datagram; client.ip is the sender's address as text */
    struct ps_syslog_client client;
    char ip[PS_ADDRESS_TEXT_BYTES];
    struct ps_reverse_names *names; /* NULL: not used */
    uint64_t mono_ns;
};

#define FIELD(name) offsetof(struct syslogudp_plan, name)

static const struct ps_option options[] = {
    PS_HOST_OPTION_ROW("host", FIELD(listen.host)),
    PS_PORT_OPTION_ROW("UDP", FIELD(listen.port)),
    PS_RECEIVE_BUFFER_OPTION_ROW(FIELD(listen.receive_buffer_bytes)),
    PS_SYSLOG_SOURCE_OPTION_ROWS(struct syslogudp_plan, syslog),
    PS_OPTION_END,
};

static enum ps_status check(const void *plan, const struct ps_context *context)
{
    return ps_syslog_source_check(&((const struct syslogudp_plan *)plan)->syslog, context);
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct syslogudp_plan *plan = plan_;
    if (ps_listen_build(&plan->listen, context, err) != PS_OK)
        return PS_FAIL;
    if (ps_syslog_source_build(&plan->source, &plan->syslog, PS_DATAGRAM_BYTES_MAX, true, context, err) ==
        PS_OK)
        return PS_OK;
    ps_listen_teardown(&plan->listen);
    return PS_FAIL;
}

static void teardown(void *plan_)
{
    struct syslogudp_plan *plan = plan_;
    ps_syslog_source_teardown(&plan->source);
    ps_listen_teardown(&plan->listen);
}

static enum ps_status open_source(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct syslogudp_plan *plan = plan_;
    struct syslogudp_state *state = state_;
    state->plan = plan;
    state->port = port;
    state->client = plan->source.client;
    const struct ps_bind_options bind = ps_listen_address(&plan->listen, port->instances);
    bool peers = state->client.ip_name != NULL || state->client.host_name != NULL;
    if (!ps_syslog_single_init(&state->parser, &plan->source.rules))
        return ps_err_set(err, "no memory");
    bool named = state->client.host_name == NULL ||
                 (state->names = ps_reverse_names_create(port->wake_fd, err)) != NULL;
    if (named && ps_datagrams_init(&state->datagrams, &bind, peers, port, err) == PS_OK)
        return PS_OK;
    ps_reverse_names_destroy(state->names);
    ps_syslog_single_fini(&state->parser);
    return PS_FAIL;
}

static void close_source(const void *, void *state_)
{
    struct syslogudp_state *state = state_;
    ps_datagrams_fini(&state->datagrams);
    ps_reverse_names_destroy(state->names);
    ps_syslog_single_fini(&state->parser);
}

/* Returns the sender's address and name as texts, which are kept for the sender of the last datagram. */
static const struct ps_syslog_client *client_of(struct syslogudp_state *state, const struct ps_address *peer)
{
    if (!state->datagrams.peers)
        return NULL;
    if (peer->length != state->peer.length ||
        memcmp(&peer->storage, &state->peer.storage, peer->length) != 0) {
        state->peer = *peer;
        state->client.ip = (struct ps_slice){state->ip, ps_address_ip(peer, state->ip)};
    }
    /* A datagram cannot wait: until the name is known, the address is used. */
    if (state->names != NULL &&
        !ps_reverse_names_find(state->names, peer, state->mono_ns, &state->client.host))
        state->client.host = state->client.ip;
    return &state->client;
}

/* Says that what follows the first message of a datagram becomes no event, as in Flume. */
static void discard_rest(struct syslogudp_state *state, const char *data, uint32_t used, uint32_t length,
                         const struct ps_address *peer)
{
    bool line = used > 0 && data[used - 1] == '\n';
    ps_datagrams_discard(
        &state->datagrams,
        &(struct ps_discard){.why = line ? "only the first line of a datagram becomes an event, as in Flume"
                                         : "the rest of a datagram that is longer than maxsize",
                             .bytes = data + used,
                             .length = length - used},
        peer);
}

static enum ps_parsed take(struct syslogudp_state *state, struct ps_batch *batch, struct ps_slice datagram,
                           const struct ps_address *peer)
{
    uint32_t room, used;
    char *data = ps_batch_reserve(batch, datagram.length, &room);
    if (data == NULL)
        return batch->full ? PS_PARSED_FULL : PS_PARSED_MEMORY;
    if (datagram.length > 0)
        memcpy(data, datagram.data, datagram.length);
    enum ps_parsed parsed =
        ps_syslog_single_next(&state->parser, batch, data, datagram.length, client_of(state, peer), &used);
    if (parsed != PS_PARSED_ADDED)
        return parsed;
    ps_batch_commit(batch, datagram.length);
    if (PS_UNLIKELY(used < datagram.length))
        discard_rest(state, data, used, datagram.length, peer);
    return parsed;
}

static void note_mistakes(struct syslogudp_state *state)
{
    ps_count(state->port->counters, PS_COUNTER_malformed, state->parser.mistakes.invalid);
    ps_syslog_mistakes_say(&state->mistakes, &state->parser.mistakes, NULL, state->port,
                           state->datagrams.peers ? state->ip : "a client", NULL);
    state->parser.mistakes = (struct ps_syslog_found_mistakes){0};
}

/* A datagram without text is nothing to throw away. */
static void note_empty(struct syslogudp_state *state)
{
    const char *sender = state->datagrams.peers ? state->ip : "a client";
    if (ps_senders_first(&state->mistakes.senders, sender, PS_SYSLOG_MISTAKES))
        ps_log(PS_LOG_INFO, state->port->component,
               "%s sends an empty datagram, which becomes no event (said once for each sender; the metric "
               "event_read_failures counts them)",
               sender);
}

static void make_dead_letter(struct syslogudp_state *state, struct ps_slice datagram,
                             const struct ps_address *peer)
{
    static const struct ps_dead_letter_reason reason = {
        "no-priority", "the datagram ends before the number of its priority", 0};
    ps_datagrams_discard(
        &state->datagrams,
        &(struct ps_discard){
            .why = reason.text, .bytes = datagram.data, .length = datagram.length, .letter = true},
        peer);
    (void)ps_port_deadletter_bytes(state->port, datagram.data, datagram.length, &reason);
}

static enum ps_result work(const void *, void *state_, struct ps_batch *batch, const struct ps_now *now)
{
    struct syslogudp_state *state = state_;
    struct ps_counters *counters = state->port->counters;
    const struct ps_address *peer;
    struct ps_slice datagram;
    uint32_t rows = batch->count, dropped = 0;
    uint64_t bytes = batch->body_bytes;
    enum ps_parsed parsed = PS_PARSED_ADDED;
    ps_syslog_time_now(&state->parser.time, now->wall_ms);
    state->mono_ns = now->mono_ns;
    if (state->names != NULL)
        (void)ps_reverse_names_poll(state->names, now->mono_ns);
    ps_datagrams_begin(&state->datagrams);
    while (ps_datagrams_peek(&state->datagrams, &datagram, &peer)) {
        parsed = take(state, batch, datagram, peer);
        if (parsed == PS_PARSED_FULL || parsed == PS_PARSED_MEMORY)
            break;
        if (parsed == PS_PARSED_DROPPED && ps_datagrams_has_text(&datagram))
            make_dead_letter(state, datagram, peer);
        else if (parsed == PS_PARSED_DROPPED)
            note_empty(state);
        if (state->parser.mistakes.kinds != 0)
            note_mistakes(state);
        dropped += parsed == PS_PARSED_DROPPED;
        ps_datagrams_advance(&state->datagrams);
        if (dropped > PS_BATCH_EVENTS_MAX)
            break;
    }
    if (parsed == PS_PARSED_MEMORY && batch->count > 0)
        batch->flush = true;
    rows = batch->count - rows;
    ps_count(counters, PS_COUNTER_EventReceivedCount, rows);
    ps_count(counters, PS_COUNTER_bytes, batch->body_bytes - bytes);
    ps_count(counters, PS_COUNTER_EventReadFail, dropped);
    return rows > 0 || batch->full || dropped > 0 ? PS_DONE : PS_IDLE;
}

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_ACCEPTED,
    .when_full = PS_WAIT,
    .work = work,
    .tick = ps_datagrams_source_tick,
    .drain = ps_datagrams_source_drain,
};

const struct ps_stage_ops ps_source_syslogudp = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "syslogudp",
    .aliases =
        PS_WORDS("org.apache.flume.source.SyslogUDPSource", "org.apache.flume.source.syslog.SyslogUDPSource"),
    .summary = "Syslog messages over UDP, one per datagram",
    .options = options,
    .plan_size = sizeof(struct syslogudp_plan),
    .state_size = sizeof(struct syslogudp_state),
    .check = check,
    .build = build,
    .teardown = teardown,
    .open = open_source,
    .close = close_source,
    PS_LISTEN_SOURCE,
    .source = &source,
};
