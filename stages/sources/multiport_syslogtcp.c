/* Source multiport_syslogtcp (Flume's MultiportSyslogTCPSource): syslog lines over TCP on several ports, with
 * the second of Flume's two syslog parsers, each port with its own character set. Thread: its worker. When a
 * channel is full the source waits, which stops the senders; Flume drops the batch. A port that cannot be
 * bound is tried again every 3 s while the others work. */
#include "core/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/lib/net/listen.h"
#include "stages/lib/net/options.h"
#include "stages/lib/stream/stream.h"
#include "stages/lib/syslog/framing.h"
#include "stages/lib/syslog/mistakes.h"
#include "stages/lib/syslog/multi.h"
#include "stages/lib/tls/stage.h"

#define EVENT_SIZE_MAX (100 * 1024 * 1024)
#define REBIND_NS (3 * PS_NS_PER_S)

struct port_plan {
    unsigned port;
    const struct ps_charset *charset;
};

struct multiport_plan {
    struct ps_listen listen; /* the member `port` is not used */
    const char *port_header, *default_charset, *keep_fields, *client_ip_header, *client_host_header;
    struct ps_texts port_texts;
    struct ps_pairs port_charsets;
    int64_t event_size, batch_size, read_buffer_bytes, processors, idle_s, connections_max;
    struct port_plan *ports;
    size_t port_count;
    struct ps_syslog_multi_rules rules;
    struct ps_syslog_client client; /* header names only */
    int framing_mode;
    bool structured;
    struct ps_syslog_framing framing;
};

/* A port of this worker, in the order of plan->ports. */
struct port_state {
    struct ps_transcoder transcoder;
    bool bound;
    char text[8];
    uint32_t text_length;
};

struct multiport_state {
    struct ps_stream stream; /* must be first: tests read its ports */
    const struct multiport_plan *plan;
    struct ps_port *port;
    struct ps_syslog_multi parser;
    struct ps_syslog_mistakes mistakes;
    struct port_state *ports;
    size_t *by_listener; /* index of the port of each listener of the stream */
    bool said;           /* that some ports are not bound */
    uint64_t rebind_ns;  /* time of the next try to bind ports; 0: all are bound */
};

#define FIELD(name) offsetof(struct multiport_plan, name)

static const struct ps_option options[] = {
    PS_HOST_OPTION_ROW("host", FIELD(listen.host)),
    PS_OPTION_ROW("ports", LIST, FIELD(port_texts), "TCP ports to listen on, separated by blanks",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW(
        "eventSize", INT, FIELD(event_size),
        "length at which a line is cut: the event gets flume.syslog.status = Incomplete, the rest is "
        "the next event",
        .fallback = "2500", .min = 1, .max = EVENT_SIZE_MAX, .unit = "bytes"),
    PS_OPTION_ROW("portHeader", TEXT, FIELD(port_header),
                  "header for the number of the port that received the event", .flags = PS_OPTION_HEADER),
    PS_OPTION_ROW(
        "charset.default", TEXT, FIELD(default_charset),
        "character set of the lines; a line that is not well-formed is kept unchanged and marked Invalid",
        .fallback = "UTF-8"),
    PS_OPTION_ROW("charset.port.", MAP, FIELD(port_charsets),
                  "charset.port.<port>: character set of one port"),
    PS_OPTION_ROW("batchSize", INT, FIELD(batch_size),
                  "events in one transaction; the size of batches here depends on the channel",
                  .fallback = "100", .min = 1, .max = INT32_MAX, .unit = "events",
                  .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("readBufferBytes", INT, FIELD(read_buffer_bytes),
                  "size of a read; the size of reads here depends on the data", .fallback = "1024", .min = 1,
                  .max = INT32_MAX, .unit = "bytes", .aliases = PS_WORDS("readBufferSize"),
                  .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("numProcessors", INT, FIELD(processors),
                  "threads; here penstock.workers sets the number of workers that listen", .min = 0,
                  .max = INT32_MAX, .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW(
        "keepFields", TEXT, FIELD(keep_fields),
        "none or false: the body is only the message; all or true: the whole line; or any of priority "
        "version timestamp hostname: these are put in front of the body, in this order",
        .fallback = "none"),
    PS_OPTION_ROW("clientIPHeader", TEXT, FIELD(client_ip_header), "header for the sender's IP address",
                  .flags = PS_OPTION_HEADER),
    PS_OPTION_ROW("clientHostnameHeader", TEXT, FIELD(client_host_header),
                  "header for the sender's host name from the resolver, or its IP address if it has none",
                  .flags = PS_OPTION_HEADER),
    PS_SYSLOG_FRAMING_OPTION_ROW(FIELD(framing_mode)),
    PS_SYSLOG_STRUCTURED_OPTION_ROW(FIELD(structured)),
    PS_IDLE_OPTION_ROW(FIELD(idle_s)),
    PS_CONNECTIONS_OPTION_ROW(FIELD(connections_max)),
    PS_TLS_OPTION_ROWS(struct multiport_plan, listen.tls),
    PS_OPTION_END,
};

static bool read_port(const char *text, unsigned *port)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    *port = (unsigned)value;
    return *text >= '0' && *text <= '9' && *end == '\0' && value <= 65535;
}

static enum ps_status check_charsets(const struct multiport_plan *plan, const struct ps_context *context)
{
    struct ps_charset charset;
    struct ps_err err = {.length = 0};
    unsigned port;
    if (ps_charset_find(plan->default_charset, &charset, &err) != PS_OK) {
        ps_report(context, PS_LOG_ERROR, "charset.default", "%s", err.text);
        return PS_FAIL;
    }
    for (size_t i = 0; i < plan->port_charsets.count; i++) {
        const struct ps_pair *pair = &plan->port_charsets.items[i];
        char key[64];
        snprintf(key, sizeof key, "charset.port.%.32s", pair->key);
        if (!read_port(pair->key, &port)) {
            ps_report(context, PS_LOG_ERROR, key, "\"%s\" is not a port number", pair->key);
            return PS_FAIL;
        }
        if (ps_charset_find(pair->value, &charset, &err) != PS_OK) {
            ps_report(context, PS_LOG_ERROR, key, "%s", err.text);
            return PS_FAIL;
        }
    }
    return PS_OK;
}

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct multiport_plan *plan = plan_;
    bool good = ps_tls_stage_check(&plan->listen.tls, context) == PS_OK;
    ps_keep_check(plan->keep_fields, context);
    unsigned port;
    for (size_t i = 0; i < plan->port_texts.count; i++) {
        if (!read_port(plan->port_texts.items[i], &port)) {
            ps_report(context, PS_LOG_ERROR, "ports", "\"%s\" is not a port number (0 to 65535)",
                      plan->port_texts.items[i]);
            good = false;
        }
    }
    if (plan->port_texts.count == 0 || plan->port_texts.count > PS_STREAM_LISTENERS_MAX) {
        ps_report(context, PS_LOG_ERROR, "ports", "between 1 and %d ports", PS_STREAM_LISTENERS_MAX);
        good = false;
    }
    good &= check_charsets(plan, context) == PS_OK;
    return good ? PS_OK : PS_FAIL;
}

static const struct ps_name *header_name(const char *text)
{
    return text != NULL ? ps_name_intern(text) : NULL;
}

static enum ps_status build_ports(struct multiport_plan *plan, struct ps_context *context, struct ps_err *err)
{
    plan->ports = ps_arena_alloc(context->arena, plan->port_texts.count * sizeof *plan->ports);
    for (size_t i = 0; i < plan->port_texts.count; i++) {
        struct ps_charset *charset = ps_arena_alloc(context->arena, sizeof *charset);
        const char *name = plan->default_charset;
        unsigned port = 0, other;
        read_port(plan->port_texts.items[i], &port);
        for (size_t k = 0; k < plan->port_charsets.count; k++) {
            if (read_port(plan->port_charsets.items[k].key, &other) && other == port)
                name = plan->port_charsets.items[k].value;
        }
        if (ps_charset_find(name, charset, err) != PS_OK)
            return PS_FAIL;
        plan->ports[plan->port_count++] = (struct port_plan){port, charset};
    }
    return PS_OK;
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct multiport_plan *plan = plan_;
    bool known;
    const char *zone = context->system_property != NULL
                           ? context->system_property(context->argument, "user.timezone")
                           : NULL;
    plan->rules = (struct ps_syslog_multi_rules){
        .zone = ps_time_zone_load(context->arena, zone, &known),
        .keep = ps_keep_parse(plan->keep_fields),
        .size_max = ps_stream_message_max_of(context, "eventSize", (uint64_t)plan->event_size),
    };
    plan->framing = (struct ps_syslog_framing){.mode = (enum ps_syslog_framing_mode)plan->framing_mode,
                                               .size_max = plan->rules.size_max};
    plan->rules.asks = plan->framing.mode == PS_SYSLOG_FRAMING_AUTO;
    ps_syslog_names_init(&plan->rules.names, true);
    if (plan->structured)
        ps_syslog_structured_names(plan->rules.structured);
    plan->client = (struct ps_syslog_client){.ip_name = header_name(plan->client_ip_header),
                                             .host_name = header_name(plan->client_host_header),
                                             .port_name = header_name(plan->port_header)};
    if (build_ports(plan, context, err) != PS_OK)
        return PS_FAIL;
    return ps_listen_build(&plan->listen, context, err);
}

static void teardown(void *plan_)
{
    struct multiport_plan *plan = plan_;
    ps_listen_teardown(&plan->listen);
}

/* The bytes of one connection that `feed` has got, and what was counted of them. */
struct reading {
    struct multiport_state *state;
    struct ps_connection *connection;
    struct ps_batch *batch;
    struct ps_transcoder *transcoder;
    const struct ps_syslog_client *client; /* NULL: no header of it is wanted */
    uint64_t failed, empty;
};

static enum ps_parsed next_line(struct reading *reading, char *data, uint32_t length, uint32_t *used)
{
    return ps_syslog_multi_next(&reading->state->parser, reading->batch, reading->transcoder, data, length,
                                reading->client, used, &reading->failed);
}

/* The first message of bytes that are not simply a line. */
static enum ps_parsed next_framed(struct reading *reading, char *data, uint32_t length, uint32_t *used)
{
    struct ps_syslog_multi *parser = &reading->state->parser;
    const struct ps_syslog_found_mistakes before = parser->mistakes;
    uint32_t *bits = &reading->connection->bits, took = 0;
    struct ps_syslog_frame frame;
    ps_syslog_frame_find(&reading->state->plan->framing, *bits, data, length, &frame);
    *used = frame.skip;
    char *message = data + frame.skip;
    if (frame.found == PS_SYSLOG_MORE)
        return PS_PARSED_PARTIAL;
    if (frame.lost)
        ps_syslog_mistakes_keep(&reading->state->mistakes, &before, message, length - frame.skip);
    enum ps_parsed parsed =
        frame.found == PS_SYSLOG_LINE
            ? next_line(reading, message, length - frame.skip, &took)
            : ps_syslog_multi_message(parser, reading->batch, reading->transcoder, message, frame.length,
                                      frame.cut, reading->client, &reading->failed);
    if (parsed == PS_PARSED_ADDED || parsed == PS_PARSED_DROPPED) {
        *used = frame.found == PS_SYSLOG_LINE ? frame.skip + took : frame.taken;
        *bits = frame.bits | (*bits >> PS_SYSLOG_SAID << PS_SYSLOG_SAID);
        if (frame.lost)
            ps_syslog_mistakes_lost(&reading->state->mistakes, &parser->mistakes, &before,
                                    *used - frame.skip);
    } else {
        *used = parsed == PS_PARSED_PARTIAL ? frame.skip + took : 0;
    }
    return parsed;
}

static void count(struct reading *reading)
{
    struct multiport_state *state = reading->state;
    struct ps_syslog_found_mistakes *mistakes = &state->parser.mistakes;
    ps_count(state->port->counters, PS_COUNTER_EventReadFail, reading->failed);
    ps_count(state->port->counters, PS_COUNTER_GenericProcessingFail, reading->empty);
    ps_count(state->port->counters, PS_COUNTER_malformed, mistakes->invalid + reading->empty);
    if (mistakes->kinds == 0)
        return;
    ps_syslog_mistakes_say(&state->mistakes, mistakes, &state->plan->framing, state->port,
                           reading->connection->ip_text, &reading->connection->bits);
    *mistakes = (struct ps_syslog_found_mistakes){0};
}

static enum ps_feed feed(void *owner, struct ps_connection *connection, struct ps_batch *batch, char *data,
                         uint32_t length, uint32_t *used)
{
    struct multiport_state *state = owner;
    struct port_state *port = &state->ports[state->by_listener[connection->listener]];
    struct ps_syslog_client client = state->plan->client;
    client.ip = connection->ip;
    client.host = connection->host;
    client.port = (struct ps_slice){port->text, port->text_length};
    bool wanted = client.ip_name != NULL || client.host_name != NULL || client.port_name != NULL;
    struct reading reading = {.state = state,
                              .connection = connection,
                              .batch = batch,
                              .transcoder = &port->transcoder,
                              .client = wanted ? &client : NULL};
    enum ps_parsed parsed;
    ps_syslog_final(&connection->bits, connection->ended, connection->silent, data, length);
    *used = 0;
    do {
        uint32_t took = 0, left = length - *used;
        char *at = data + *used;
        parsed = ps_syslog_is_line(&state->plan->framing, connection->bits, at, left)
                     ? next_line(&reading, at, left, &took)
                     : next_framed(&reading, at, left, &took);
        *used += took;
        reading.empty += parsed == PS_PARSED_DROPPED;
    } while (ps_syslog_goes_on(&state->plan->framing, &connection->bits, parsed, data + *used, length - *used,
                               &state->parser.cuts, &connection->undecided));
    count(&reading);
    return parsed == PS_PARSED_FULL     ? PS_FEED_FULL
           : parsed == PS_PARSED_MEMORY ? PS_FEED_MEMORY
                                        : PS_FEED_MORE;
}

static uint32_t message_bytes(void *owner, struct ps_connection *connection, const char *data,
                              uint32_t length)
{
    const struct multiport_state *state = owner;
    uint32_t bytes;
    ps_syslog_final(&connection->bits, connection->ended, connection->silent, data, length);
    bool known = ps_syslog_message_bytes(&state->plan->framing, connection->bits, data, length, &bytes);
    return known ? bytes : PS_STREAM_LINE;
}

static void closed(void *owner, struct ps_connection *connection)
{
    struct multiport_state *state = owner;
    ps_stream_unfinished(connection, state->port); /* a message without its end: not an event, as in Flume */
    if (state->stream.drain_until_ns == 0)         /* else this source ends, not the sender */
        ps_syslog_mistakes_unfinished(&state->mistakes, &state->plan->framing, state->port,
                                      connection->ip_text,
                                      &(struct ps_slice){connection->carry.data, connection->carry.length});
}

static const struct ps_stream_ops stream_ops = {
    .feed = feed, .message_bytes = message_bytes, .closed = closed};

/* Says which ports are not bound: in /readyz, and in the log once, for they never become more. */
static void say_unbound(struct multiport_state *state, struct ps_err *err)
{
    if (err->length == 0) {
        ps_port_lacks(state->port, PS_LACK_NONE, NULL, PS_LOG_INFO);
        return;
    }
    ps_log(state->said ? PS_LOG_DEBUG : PS_LOG_ERROR, state->port->component, "%s; retrying every 3 s",
           ps_err_join(err));
    state->said = true;
    ps_port_lacks(state->port, PS_LACK_GONE, err->text, PS_LOG_DEBUG);
}

/* Binds the ports that are not bound yet; returns how many ports are bound. `err`: why the others are not; if none
 * is bound, the caller reports it. */
static size_t bind_ports(struct multiport_state *state, struct ps_err *err)
{
    const struct multiport_plan *plan = state->plan;
    size_t bound = 0;
    struct ps_err last = {.length = 0};
    for (size_t i = 0; i < plan->port_count; i++) {
        struct port_state *port = &state->ports[i];
        struct ps_bind_options bind = ps_listen_address(&plan->listen, state->port->instances);
        bind.port = plan->ports[i].port;
        if (!port->bound && ps_stream_listen(&state->stream, &bind, &last) == PS_OK) {
            uint16_t listener = (uint16_t)(state->stream.listener_count - 1);
            port->bound = true;
            port->text_length = (uint32_t)snprintf(port->text, sizeof port->text, "%u",
                                                   ps_stream_port(&state->stream, listener) & 0xFFFF);
            state->by_listener[listener] = i;
        } else if (!port->bound) {
            ps_err_append(err, "%s", ps_err_join(&last));
        }
        bound += port->bound;
    }
    if (bound > 0)
        say_unbound(state, err);
    return bound;
}

static void close_source(const void *plan_, void *state_)
{
    const struct multiport_plan *plan = plan_;
    struct multiport_state *state = state_;
    ps_stream_fini(&state->stream);
    for (size_t i = 0; i < plan->port_count && state->ports != NULL; i++)
        ps_transcoder_close(&state->ports[i].transcoder);
    free(state->ports);
    free(state->by_listener);
}

static enum ps_status open_source(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct multiport_plan *plan = plan_;
    struct multiport_state *state = state_;
    const struct ps_stream_options stream = {
        .ops = &stream_ops,
        .owner = state,
        .message_bytes_max = plan->rules.size_max,
        .tls = plan->listen.server,
        .idle_ns = (uint64_t)plan->idle_s * PS_NS_PER_S,
        .connections_max = (uint32_t)plan->connections_max,
        .names = plan->client.host_name != NULL,
    };
    state->plan = plan;
    state->port = port;
    ps_syslog_multi_init(&state->parser, &plan->rules);
    if (ps_stream_init(&state->stream, &stream, port, err) != PS_OK)
        return PS_FAIL;
    state->ports = calloc(plan->port_count, sizeof *state->ports);
    state->by_listener = calloc(plan->port_count, sizeof *state->by_listener);
    size_t bound = 0;
    enum ps_status status =
        state->ports != NULL && state->by_listener != NULL ? PS_OK : ps_err_set(err, "no memory");
    for (size_t i = 0; i < plan->port_count && status == PS_OK; i++)
        status = ps_transcoder_open(&state->ports[i].transcoder, plan->ports[i].charset, err);
    if (status == PS_OK)
        bound = bind_ports(state, err);
    if (bound == 0) {
        close_source(plan, state);
        return PS_FAIL;
    }
    if (bound < plan->port_count)
        state->rebind_ns = ps_clock_now().mono_ns + REBIND_NS;
    return PS_OK;
}

static enum ps_result work(const void *, void *state_, struct ps_batch *batch, const struct ps_now *now)
{
    struct multiport_state *state = state_;
    ps_syslog_time_now(&state->parser.time, now->wall_ms);
    return ps_stream_work(&state->stream, batch, now);
}

static uint64_t tick(const void *plan_, void *state_, const struct ps_now *now)
{
    const struct multiport_plan *plan = plan_;
    struct multiport_state *state = state_;
    uint64_t next = ps_stream_tick(&state->stream, now);
    if (state->rebind_ns != 0 && now->mono_ns >= state->rebind_ns) {
        struct ps_err err = {.length = 0};
        state->rebind_ns = bind_ports(state, &err) < plan->port_count ? now->mono_ns + REBIND_NS : 0;
    }
    return state->rebind_ns != 0 && state->rebind_ns < next ? state->rebind_ns : next;
}

static bool drain(const void *, void *state_, const struct ps_now *now)
{
    struct multiport_state *state = state_;
    state->rebind_ns = 0;
    return ps_stream_drain(&state->stream, now);
}

static struct ps_bind_options address_of(const struct multiport_plan *plan, size_t index)
{
    struct ps_bind_options address = ps_listen_address(&plan->listen, 1);
    address.port = 0;
    read_port(plan->port_texts.items[index], &address.port);
    return address;
}

static void outline(const void *plan_, const struct ps_context *, FILE *out)
{
    const struct multiport_plan *plan = plan_;
    struct ps_bind_options listen = address_of(plan, 0);
    ps_listen_outline(out, &listen, plan->listen.tls.enabled);
    for (size_t i = 1; i < plan->port_texts.count; i++)
        fprintf(out, "%s %s", i == 1 ? " and on ports" : "", plan->port_texts.items[i]);
}

static void listens(const void *plan_, void (*add)(void *argument, const struct ps_listens *address),
                    void *argument)
{
    const struct multiport_plan *plan = plan_;
    for (size_t i = 0; i < plan->port_texts.count; i++) {
        const struct ps_bind_options listen = address_of(plan, i);
        ps_listen_add(&listen, "ports", add, argument);
    }
}

static void probe(const void *plan_, struct ps_context *, const struct ps_probe *probe)
{
    const struct multiport_plan *plan = plan_;
    for (size_t i = 0; i < plan->port_texts.count; i++) {
        const struct ps_bind_options listen = address_of(plan, i);
        ps_listen_probe(probe, "host", &listen);
    }
}

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_ACCEPTED,
    .when_full = PS_WAIT,
    .work = work,
    .tick = tick,
    .paused = ps_stream_source_paused,
    .drain = drain,
};

const struct ps_stage_ops ps_source_multiport_syslogtcp = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "multiport_syslogtcp",
    .aliases = PS_WORDS("org.apache.flume.source.MultiportSyslogTCPSource",
                        "org.apache.flume.source.syslog.MultiportSyslogTCPSource"),
    .summary = "Syslog lines over TCP on several ports, each with its character set",
    .options = options,
    .plan_size = sizeof(struct multiport_plan),
    .state_size = sizeof(struct multiport_state),
    .check = check,
    .build = build,
    .teardown = teardown,
    .open = open_source,
    .close = close_source,
    .outline = outline,
    .listens = listens,
    .probe = probe,
    .source = &source,
};
