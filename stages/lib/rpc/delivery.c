#include "stages/lib/rpc/delivery.h"

#include "core/quantity.h"
#include "stages/lib/least.h"

#include <stdio.h>
#include <string.h>

#define CALL_BYTES_MAX (4U << 20) /* a call of this size gets no more events */

void ps_rpc_delivery_close(struct ps_rpc_delivery *delivery)
{
    if (delivery->counted)
        ps_count(delivery->sink.port->counters, PS_COUNTER_ConnectionClosedCount, 1);
    delivery->counted = false;
    ps_rpc_client_fini(&delivery->client);
}

/* ---- the connection ---- */

/* Makes everything that is not settled be sent again. */
static void rewind_all(struct ps_rpc_delivery *delivery)
{
    memset(delivery->parts, 0, sizeof delivery->parts);
    delivery->round ^= delivery->rewinding;
    ps_held_rewind(&delivery->sink.held);
    delivery->rewinding = false;
}

/* Counts a call that was not answered OK. */
static void count_attempt(struct ps_rpc_delivery *delivery, const char *reason)
{
    const struct ps_port *port = delivery->sink.port;
    delivery->attempts++;
    if (port->retry_max == 0 || delivery->attempts < port->retry_max || !ps_port_has_deadletter(port))
        return;
    delivery->exhausted = true;
    delivery->dead_letter_attempts = delivery->attempts;
    snprintf(delivery->dead_letter_reason, sizeof delivery->dead_letter_reason, "%.*s",
             (int)sizeof delivery->dead_letter_reason - 1, reason);
}

static void hang_up(struct ps_rpc_delivery *delivery)
{
    ps_count(delivery->sink.port->counters,
             delivery->counted ? PS_COUNTER_ConnectionClosedCount : PS_COUNTER_ConnectionFailedCount, 1);
    delivery->counted = false;
    delivery->watch.fd = -1;
    delivery->reset_ns = PS_NEVER;
    ps_rpc_client_close(&delivery->client);
    rewind_all(delivery);
}

/* `tried`: a call was in flight. */
static void rest(struct ps_rpc_delivery *delivery, const char *reason, bool tried)
{
    struct ps_err err = {.length = 0};
    ps_remote_target_reason(&delivery->plan->target, reason, &err);
    if (tried)
        count_attempt(delivery, err.text);
    ps_remote_sink_failed(&delivery->sink, &err);
}

/* Closes a broken connection. If the server closed it while no call was in flight, that does not count as a failure. */
static void lose(struct ps_rpc_delivery *delivery)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    uint64_t events = delivery->sink.held.in_flight;
    bool idle = delivery->counted && delivery->client.call_count == 0;
    memcpy(reason, delivery->client.reason, sizeof reason);
    ps_count(delivery->sink.port->counters, PS_COUNTER_duplicated, events);
    ps_count(delivery->sink.port->counters, PS_COUNTER_retried, events);
    hang_up(delivery);
    if (!idle)
        rest(delivery, reason, events > 0);
}

static void dial(struct ps_rpc_delivery *delivery)
{
    struct ps_err err = {.length = 0};
    if (ps_remote_target_aim(&delivery->plan->target, &delivery->to, &err) != PS_OK) {
        ps_count(delivery->sink.port->counters, PS_COUNTER_ConnectionFailedCount, 1);
        rest(delivery, err.text, false);
        return;
    }
    if (!ps_rpc_client_connect(&delivery->client, delivery->sink.now_ns))
        lose(delivery);
}

/* Logs and counts that the connection is up. */
static void count_connection(struct ps_rpc_delivery *delivery)
{
    if (delivery->counted || delivery->client.connection.phase != PS_CLIENT_UP)
        return;
    delivery->counted = true;
    ps_count(delivery->sink.port->counters, PS_COUNTER_ConnectionCreatedCount, 1);
    if (delivery->plan->reset_ns > 0)
        delivery->reset_ns = delivery->sink.now_ns + delivery->plan->reset_ns;
    ps_log(PS_LOG_INFO, delivery->sink.port->component, "connected to %s:%u", delivery->plan->target.host,
           delivery->plan->target.port);
}

/* ---- calls ---- */

/* Cuts the events of the next call; none if all are in flight. Returns a bound of its bytes. */
static size_t choose(struct ps_rpc_delivery *delivery, struct ps_held_range *part)
{
    const struct ps_rpc_protocol *protocol = delivery->plan->client.protocol;
    struct ps_held *held = &delivery->sink.held;
    const struct ps_event *event;
    size_t bytes = protocol->call_bytes_max;
    *part = (struct ps_held_range){.lease = NULL};
    while (part->count < delivery->plan->batch_events_max && bytes < CALL_BYTES_MAX &&
           (event = ps_held_next(held, part)) != NULL) {
        bytes += protocol->event_bound(held->next->batch, event);
        ps_held_cut(held, part);
    }
    return bytes;
}

/* Encodes a call. `round` 0: the server may be Flume. */
static size_t encode(const struct ps_rpc_protocol *protocol, uint8_t *to, const struct ps_held_range *part,
                     unsigned round)
{
    size_t length = protocol->put_call(to, part->count, round);
    for (uint32_t position = part->from; position < part->to; position++) {
        if (!ps_lease_is_settled(part->lease, position))
            length +=
                protocol->put_event(to + length, part->lease->batch, ps_lease_event(part->lease, position));
    }
    return length + protocol->put_end(to + length);
}

/* Sends the next call. Returns false when nothing more can be sent now. */
static bool send_call(struct ps_rpc_delivery *delivery)
{
    struct ps_held_range part;
    unsigned number = 0;
    size_t bytes = choose(delivery, &part);
    if (part.count == 0)
        return false;
    uint8_t *to = ps_rpc_client_reserve(&delivery->client, bytes);
    if (to == NULL) { /* no memory: try again later */
        ps_held_uncut(&delivery->sink.held, &part);
        return false;
    }
    while (delivery->parts[number].count > 0)
        number++;
    delivery->parts[number] = part;
    unsigned round = ps_rpc_client_has_rounds(&delivery->client) ? delivery->round + 1 : 0;
    size_t length = encode(delivery->plan->client.protocol, to, &part, round);
    PS_ASSERT(length <= bytes);
    ps_rpc_client_send(&delivery->client, length, number, delivery->sink.now_ns);
    return true;
}

/* ---- answers ---- */

static void answered(void *owner, uint64_t number, enum ps_rpc_status status)
{
    struct ps_rpc_delivery *delivery = owner;
    struct ps_held_range *part = &delivery->parts[number];
    PS_ASSERT(part->count > 0);
    if (status == PS_RPC_OK) {
        ps_held_settle(&delivery->sink.held, part);
        delivery->sink.failures = delivery->attempts = 0;
        return;
    }
    ps_count(delivery->sink.port->counters, PS_COUNTER_retried, part->count);
    ps_held_release(&delivery->sink.held, part);
    if (!delivery->rewinding)
        rest(delivery,
             status == PS_RPC_FAILED ? "the source answers FAILED: is its channel full?"
                                     : "the source answers UNKNOWN",
             true);
    delivery->rewinding = true;
}

/* ---- dead letters ---- */

/* Begins with the events of the oldest call, which would be sent next. */
static void begin_dead_letters(struct ps_rpc_delivery *delivery)
{
    struct ps_held_range part;
    rewind_all(delivery);
    choose(delivery, &part);
    ps_held_rewind(&delivery->sink.held); /* the dead letters settle them; nothing is sent until then */
    delivery->exhausted = false;
    if (part.count == 0)
        return;
    ps_log(PS_LOG_ERROR, delivery->sink.port->component,
           "%s %s to the dead letters after %u %s (penstock.retry.max): %s",
           ps_quantity_print_count(part.count).text, ps_quantity_word(part.count, "event goes", "events go"),
           delivery->dead_letter_attempts,
           ps_quantity_word(delivery->dead_letter_attempts, "attempt", "attempts"),
           delivery->dead_letter_reason);
    ps_deadletter_pending_begin(&delivery->dead_letters, part.lease, part.from, part.to);
}

/* Returns whether dead letters are still to be written; nothing is sent until then. */
static bool writes_dead_letters(struct ps_rpc_delivery *delivery)
{
    if (delivery->exhausted && delivery->client.call_count == 0)
        begin_dead_letters(delivery);
    if (PS_LIKELY(!ps_deadletter_pending_has_begun(&delivery->dead_letters)))
        return false;
    const struct ps_letter_reason reason = {"attempts-exhausted", delivery->dead_letter_reason,
                                            delivery->dead_letter_attempts};
    if (!ps_deadletter_pending_work(&delivery->dead_letters, delivery->sink.port, &reason))
        return true;
    delivery->sink.failures = delivery->attempts = 0;
    delivery->sink.rest_ns = 0;
    delivery->sink.held.changed = true; /* dead letters have settled events */
    ps_remote_sink_finish(&delivery->sink);
    return false;
}

/* ---- the cycle ---- */

static void serve(struct ps_remote_sink *sink, bool fills)
{
    struct ps_rpc_delivery *delivery = (struct ps_rpc_delivery *)sink;
    const struct ps_rpc_client_answers answers = {.answered = answered, .owner = delivery};
    struct ps_rpc_client *client = &delivery->client;
    fills = fills && !writes_dead_letters(delivery);
    bool rests = ps_remote_sink_rests(sink);
    if (fills && !rests && sink->held.count > 0 && !ps_rpc_client_is_open(client))
        dial(delivery);
    if (!ps_rpc_client_is_open(client))
        return;
    bool resets = delivery->sink.now_ns >= delivery->reset_ns;
    for (;;) {
        if (!ps_rpc_client_work(client, &answers, delivery->sink.now_ns)) {
            lose(delivery);
            return;
        }
        count_connection(delivery);
        rests = ps_remote_sink_rests(sink);
        if (delivery->rewinding && client->call_count == 0 && !rests)
            rewind_all(delivery);
        if (!fills || rests || resets || delivery->rewinding || delivery->exhausted ||
            !ps_rpc_client_may_send(client) || !send_call(delivery))
            break;
    }
    if (resets && client->call_count == 0)
        hang_up(delivery);
    short events = 0;
    int fd = ps_rpc_client_descriptor(client, &events);
    ps_remote_watch(&delivery->watch, sink->port, fd, events);
}

static uint64_t due_ns(const struct ps_remote_sink *sink)
{
    const struct ps_rpc_delivery *delivery = (const struct ps_rpc_delivery *)sink;
    uint64_t due_ns = ps_rpc_client_deadline(&delivery->client);
    if (ps_rpc_client_is_open(&delivery->client))
        due_ns = ps_least(due_ns, delivery->reset_ns);
    bool waits = !ps_rpc_client_is_open(&delivery->client) ||
                 (delivery->rewinding && delivery->client.call_count == 0);
    if (waits && sink->held.count > 0)
        due_ns = ps_least(due_ns, sink->rest_ns);
    if (PS_UNLIKELY(delivery->exhausted || ps_deadletter_pending_has_begun(&delivery->dead_letters)))
        due_ns = ps_least(due_ns, sink->now_ns + PS_DEADLETTER_LOOK_NS);
    return due_ns;
}

static bool awaits(const struct ps_remote_sink *sink)
{
    return ((const struct ps_rpc_delivery *)sink)->client.call_count > 0;
}

static void abandon(struct ps_remote_sink *sink)
{
    struct ps_rpc_delivery *delivery = (struct ps_rpc_delivery *)sink;
    ps_deadletter_pending_stop(&delivery->dead_letters, sink->port);
    if (delivery->client.call_count > 0) {
        ps_count(sink->port->counters, PS_COUNTER_duplicated, sink->held.in_flight);
        hang_up(delivery);
    }
    rewind_all(delivery);
    delivery->exhausted = false;
    delivery->attempts = 0;
}

static const struct ps_remote_sink_calls calls = {
    .serve = serve, .due_ns = due_ns, .awaits = awaits, .abandon = abandon};

void ps_rpc_delivery_open(struct ps_rpc_delivery *delivery, const struct ps_rpc_delivery_plan *plan,
                          struct ps_port *port)
{
    ps_remote_sink_init(&delivery->sink, &calls, port, PS_RPC_LEASES_MAX);
    delivery->plan = plan;
    delivery->watch.fd = -1;
    delivery->reset_ns = PS_NEVER;
    delivery->to = (struct ps_client_plan){.connect_ns = plan->connect_ns,
                                           .transport = plan->transport,
                                           .transport_settings = plan->transport_settings};
    ps_rpc_client_init(&delivery->client, &plan->client, &delivery->to);
}
