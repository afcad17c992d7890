#include "stages/lib/rpc/delivery.h"

#include "stages/lib/least.h"

#include <stdio.h>
#include <string.h>

#define CALL_BYTES_MAX (4U << 20) /* a call of this size gets no more events */

void ps_rpc_delivery_close(struct ps_rpc_delivery *delivery)
{
    if (delivery->counted)
        ps_count(delivery->requests.sink.port->counters, PS_COUNTER_ConnectionClosedCount, 1);
    delivery->counted = false;
    ps_rpc_client_fini(&delivery->client);
}

/* ---- the connection ---- */

static void hang_up(struct ps_rpc_delivery *delivery)
{
    ps_count(delivery->requests.sink.port->counters,
             delivery->counted ? PS_COUNTER_ConnectionClosedCount : PS_COUNTER_ConnectionFailedCount, 1);
    delivery->counted = false;
    delivery->watch.fd = -1;
    delivery->reset_ns = PS_NEVER;
    ps_rpc_client_close(&delivery->client);
}

/* Called when there is no connection. */
static void rest(struct ps_rpc_delivery *delivery, const char *reason)
{
    struct ps_err err = {.length = 0};
    ps_rpc_suspect_unreachable(&delivery->suspect);
    ps_remote_target_reason(&delivery->plan->target, reason, &err);
    ps_remote_sink_failed(&delivery->requests.sink, &err);
}

/* Suspects the oldest call in flight. */
static void suspect(struct ps_rpc_delivery *delivery, bool closed)
{
    const struct ps_remote_requests *requests = &delivery->requests;
    const struct ps_remote_request *oldest = NULL;
    for (unsigned i = 0; i < requests->count; i++) {
        const struct ps_remote_request *request = ps_remote_request_at(requests, i);
        if (request->in_flight && (oldest == NULL || request->number < oldest->number))
            oldest = request;
    }
    ps_rpc_suspect_lost(&delivery->suspect, oldest, closed, delivery->reason);
    if (delivery->suspect.convicted)
        snprintf(delivery->reason, sizeof delivery->reason, "%s", delivery->suspect.reason);
}

/* Closes a broken connection. If the server closed it while no call was in flight, that does not count as a failure. */
static void lose(struct ps_rpc_delivery *delivery)
{
    bool idle = delivery->counted && delivery->client.call_count == 0;
    bool tried = ps_remote_requests_in_flight(&delivery->requests);
    uint64_t number = 0;
    bool starved = ps_rpc_client_is_starved(&delivery->client, &number);
    bool closed = delivery->counted && !starved && !delivery->client.gave_up;
    snprintf(delivery->reason, sizeof delivery->reason, "%s", delivery->client.reason);
    hang_up(delivery);
    if (tried) {
        suspect(delivery, closed);
        ps_remote_sink_rest(&delivery->requests.sink);
        ps_remote_requests_lost(&delivery->requests, delivery->reason,
                                starved ? &delivery->calls[number] : NULL);
    } else if (!idle) {
        rest(delivery, delivery->reason);
    }
}

static void dial(struct ps_rpc_delivery *delivery)
{
    struct ps_err err = {.length = 0};
    if (ps_remote_target_aim(&delivery->plan->target, &delivery->to, &err) != PS_OK) {
        ps_count(delivery->requests.sink.port->counters, PS_COUNTER_ConnectionFailedCount, 1);
        rest(delivery, err.text);
        return;
    }
    if (!ps_rpc_client_connect(&delivery->client, delivery->requests.sink.now_ns))
        lose(delivery);
}

/* Logs and counts that the connection is up. */
static void count_connection(struct ps_rpc_delivery *delivery)
{
    if (delivery->counted || delivery->client.connection.phase != PS_CLIENT_UP)
        return;
    delivery->counted = true;
    ps_count(delivery->requests.sink.port->counters, PS_COUNTER_ConnectionCreatedCount, 1);
    if (delivery->plan->reset_ns > 0)
        delivery->reset_ns = delivery->requests.sink.now_ns + delivery->plan->reset_ns;
    ps_log(PS_LOG_INFO, delivery->requests.sink.port->component, "connected to %s:%u",
           delivery->plan->target.host, delivery->plan->target.port);
}

/* ---- calls ---- */

/* Encodes a call. `round` is 0 if the server may be Flume. */
static size_t encode(const struct ps_rpc_protocol *protocol, uint8_t *to, const struct ps_held_range *range,
                     uint32_t count, unsigned round)
{
    size_t length = protocol->put_call(to, count, round);
    uint32_t position = range->from;
    for (const struct ps_event *event; count-- > 0 && (event = ps_held_range_next(range, &position)) != NULL;)
        length += protocol->put_event(to + length, range->lease->batch, event);
    return length + protocol->put_end(to + length);
}

static unsigned round_of(const struct ps_rpc_delivery *delivery)
{
    return ps_rpc_client_has_rounds(&delivery->client) ? delivery->requests.rounds % 2 + 1 : 0;
}

/* Sends a call without events: its answer shows that the server answers other calls than the suspected one. */
static bool send_question(struct ps_rpc_delivery *delivery)
{
    const struct ps_rpc_protocol *protocol = delivery->plan->client.protocol;
    const struct ps_held_range nothing = {.count = 0};
    uint8_t *to = delivery->client.call_count == 0
                      ? ps_rpc_client_reserve(&delivery->client, protocol->call_bytes_max)
                      : NULL;
    if (to == NULL)
        return false;
    ps_rpc_client_send(&delivery->client, encode(protocol, to, &nothing, 0, round_of(delivery)),
                       PS_RPC_QUESTION, delivery->requests.sink.now_ns);
    return true;
}

/* The first event of the request becomes a dead letter; the others are sent again. */
static void refuse(struct ps_rpc_delivery *delivery, struct ps_remote_request *request)
{
    snprintf(delivery->reason, sizeof delivery->reason, "%s", delivery->suspect.reason);
    delivery->suspect = (struct ps_rpc_suspect){.exists = false};
    ps_count(delivery->requests.sink.port->counters, PS_COUNTER_refused, 1);
    ps_remote_request_ended_with(&delivery->requests, request,
                                 (struct ps_remote_result){PS_REMOTE_REFUSED, delivery->reason}, false);
}

/* Sends the next call. Returns false when nothing more can be sent now. */
static bool send_call(struct ps_rpc_delivery *delivery)
{
    const struct ps_rpc_protocol *protocol = delivery->plan->client.protocol;
    struct ps_remote_requests *requests = &delivery->requests;
    size_t bytes;
    if (delivery->suspect.asks)
        return send_question(delivery);
    if (ps_rpc_suspect_is_searched(&delivery->suspect) && delivery->client.call_count > 0)
        return false;
    struct ps_remote_request *request = ps_remote_requests_next(requests, &bytes);
    if (request == NULL)
        return false;
    if (!ps_rpc_suspect_passes(&delivery->suspect, request, requests->sink.port)) {
        refuse(delivery, request);
        return false;
    }
    bytes += protocol->call_bytes_max;
    uint8_t *to = ps_rpc_client_reserve(&delivery->client, bytes);
    if (to == NULL) {
        ps_remote_sink_rest(&requests->sink);
        ps_remote_request_ended_with(
            requests, request, (struct ps_remote_result){PS_REMOTE_UNKNOWN, "no memory for a call"}, false);
        return false;
    }
    size_t length = encode(protocol, to, &request->range,
                           request->part > 0 ? request->part : request->range.count, round_of(delivery));
    PS_ASSERT(length <= bytes);
    ps_rpc_client_send(&delivery->client, length, (uint64_t)(request - delivery->calls),
                       requests->sink.now_ns);
    return true;
}

/* ---- answers ---- */

static void answered(void *owner, uint64_t number, enum ps_rpc_status status)
{
    struct ps_rpc_delivery *delivery = owner;
    struct ps_remote_requests *requests = &delivery->requests;
    struct ps_remote_result result = {.outcome = PS_REMOTE_AGAIN};
    if (number == PS_RPC_QUESTION) {
        ps_rpc_suspect_answered(&delivery->suspect, status == PS_RPC_OK, requests->sink.port);
        if (status == PS_RPC_OK && !delivery->suspect.convicted) /* a search goes on after short rests */
            delivery->requests.sink.failures = 0;
        return;
    }
    if (status == PS_RPC_OK) {
        result.outcome = PS_REMOTE_DELIVERED;
        requests->sink.failures = 0;
    } else {
        result.reason = status == PS_RPC_FAILED ? "the source answers FAILED: is its channel full?"
                                                : "the source answers UNKNOWN";
        if (!requests->waits)
            ps_remote_sink_rest(&requests->sink);
    }
    ps_remote_request_ended_with(requests, &delivery->calls[number], result, true);
}

/* ---- the cycle ---- */

static void serve(struct ps_remote_sink *sink, bool fills)
{
    struct ps_rpc_delivery *delivery = (struct ps_rpc_delivery *)sink;
    const struct ps_rpc_client_answers answers = {.answered = answered, .owner = delivery};
    struct ps_rpc_client *client = &delivery->client;
    ps_remote_requests_work(&delivery->requests);
    ps_remote_sink_finish(sink); /* what became dead letters needs no connection */
    if (fills && !ps_remote_sink_rests(sink) && sink->held.count > 0 && !ps_rpc_client_is_open(client))
        dial(delivery);
    if (!ps_rpc_client_is_open(client))
        return;
    bool resets = sink->now_ns >= delivery->reset_ns;
    do {
        if (!ps_rpc_client_work(client, &answers, sink->now_ns)) {
            lose(delivery);
            return;
        }
        count_connection(delivery);
    } while (fills && !resets && ps_rpc_client_may_send(client) && send_call(delivery));
    if (resets && client->call_count == 0)
        hang_up(delivery);
    short events = 0;
    int fd = ps_rpc_client_descriptor(client, &events);
    ps_remote_watch(&delivery->watch, sink->port, fd, events);
}

static uint64_t due_ns(const struct ps_remote_sink *sink)
{
    const struct ps_rpc_delivery *delivery = (const struct ps_rpc_delivery *)sink;
    const struct ps_rpc_client *client = &delivery->client;
    uint64_t due_ns =
        ps_least(ps_rpc_client_deadline(client), client->call_count > 0 ? PS_NEVER : delivery->reset_ns);
    const struct ps_remote_requests *requests = &delivery->requests;
    bool again = requests->waits && client->call_count == 0 && ps_rpc_client_may_send(client);
    if (again || !ps_rpc_client_is_open(client) || ps_remote_requests_have_letters(requests))
        due_ns = ps_least(due_ns, ps_remote_requests_due_ns(requests));
    return due_ns;
}

static bool awaits(const struct ps_remote_sink *sink)
{
    return ((const struct ps_rpc_delivery *)sink)->client.call_count > 0;
}

static void abandon(struct ps_remote_sink *sink)
{
    struct ps_rpc_delivery *delivery = (struct ps_rpc_delivery *)sink;
    if (delivery->client.call_count > 0)
        hang_up(delivery);
    delivery->suspect = (struct ps_rpc_suspect){.exists = false};
    ps_remote_requests_abandon(&delivery->requests);
}

static const struct ps_remote_sink_calls calls = {
    .serve = serve, .due_ns = due_ns, .awaits = awaits, .abandon = abandon};

void ps_rpc_delivery_open(struct ps_rpc_delivery *delivery, const struct ps_rpc_delivery_plan *plan,
                          struct ps_port *port)
{
    delivery->requests = (struct ps_remote_requests){.server = delivery->server,
                                                     .one_result = true,
                                                     .ordered = true,
                                                     .first = delivery->calls,
                                                     .stride = sizeof delivery->calls[0],
                                                     .count = PS_RPC_CALLS_MAX,
                                                     .events_max = plan->batch_events_max,
                                                     .bytes_max = CALL_BYTES_MAX,
                                                     .bound = plan->client.protocol->event_bound};
    for (unsigned i = 0; i < PS_RPC_CALLS_MAX; i++)
        delivery->calls[i].results = &delivery->results[i];
    snprintf(delivery->server, sizeof delivery->server, "%s:%u", plan->target.host, plan->target.port);
    ps_remote_sink_init(&delivery->requests.sink, &calls, port, PS_RPC_LEASES_MAX);
    delivery->plan = plan;
    delivery->watch.fd = -1;
    delivery->reset_ns = PS_NEVER;
    delivery->to = (struct ps_client_plan){.connect_ns = plan->connect_ns,
                                           .transport = plan->transport,
                                           .transport_settings = plan->transport_settings};
    ps_rpc_client_init(&delivery->client, &plan->client, &delivery->to);
}
