#include "stages/lib/rpc/delivery.h"

#include "core/quantity.h"
#include "stages/lib/least.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#define CALL_BYTES_MAX (4U << 20)   /* a call of this size gets no more events */
#define RECALL_NS (2 * PS_NS_PER_S) /* wait of a recall for answers */

void ps_rpc_delivery_open(struct ps_rpc_delivery *delivery, const struct ps_rpc_delivery_plan *plan,
                          struct ps_port *port)
{
    delivery->plan = plan;
    delivery->port = port;
    delivery->watched_fd = -1;
    delivery->reset_ns = PS_NEVER;
    delivery->to = (struct ps_client_plan){.connect_ns = plan->connect_ns,
                                           .transport = plan->transport,
                                           .transport_settings = plan->transport_settings};
    ps_rpc_client_init(&delivery->client, &plan->client, &delivery->to);
}

void ps_rpc_delivery_close(struct ps_rpc_delivery *delivery)
{
    if (delivery->counted)
        ps_count(delivery->port->counters, PS_COUNTER_ConnectionClosedCount, 1);
    delivery->counted = false;
    ps_rpc_client_fini(&delivery->client);
}

/* ---- the connection ---- */

/* Makes everything that is not settled be sent again. */
static void rewind_all(struct ps_rpc_delivery *delivery)
{
    memset(delivery->parts, 0, sizeof delivery->parts);
    delivery->round ^= delivery->rewinding;
    delivery->next_lease = 0;
    delivery->next_position = 0;
    delivery->rewinding = false;
}

/* Counts a call that was not answered OK. */
static void count_attempt(struct ps_rpc_delivery *delivery, const char *reason)
{
    const struct ps_port *port = delivery->port;
    delivery->attempts++;
    if (port->retry_max == 0 || delivery->attempts < port->retry_max || !ps_port_has_deadletter(port))
        return;
    delivery->exhausted = true;
    delivery->burial_attempts = delivery->attempts;
    snprintf(delivery->burial_reason, sizeof delivery->burial_reason, "%.*s",
             (int)sizeof delivery->burial_reason - 1, reason);
}

static void hang_up(struct ps_rpc_delivery *delivery)
{
    ps_count(delivery->port->counters,
             delivery->counted ? PS_COUNTER_ConnectionClosedCount : PS_COUNTER_ConnectionFailedCount, 1);
    delivery->counted = false;
    delivery->watched_fd = -1; /* closing removes it from the epoll */
    delivery->reset_ns = PS_NEVER;
    ps_rpc_client_close(&delivery->client);
    rewind_all(delivery);
}

/* `tried`: a call was in flight. */
static void rest(struct ps_rpc_delivery *delivery, const char *reason, bool tried)
{
    struct ps_err err = {.length = 0};
    delivery->rest_ns = delivery->now_ns + ps_port_rest_ns(delivery->port, ++delivery->failures);
    ps_err_set(&err, "%s:%u: %s", delivery->plan->host, delivery->plan->port, reason);
    if (tried)
        count_attempt(delivery, err.text);
    ps_port_tries_again(delivery->port, &err, delivery->rest_ns - delivery->now_ns);
}

static uint64_t count_under_way(const struct ps_rpc_delivery *delivery)
{
    uint64_t events = 0;
    for (unsigned i = 0; i < PS_RPC_CALLS_MAX; i++) {
        const struct ps_rpc_part *part = &delivery->parts[i];
        for (uint32_t position = part->from; part->lease != NULL && position < part->to; position++)
            events += !ps_lease_is_settled(part->lease, position);
    }
    return events;
}

/* Closes a broken connection. If the server closed it while no call was in flight, that does not count as a failure. */
static void lose(struct ps_rpc_delivery *delivery)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    uint64_t events = count_under_way(delivery);
    bool idle = delivery->counted && delivery->client.call_count == 0;
    memcpy(reason, delivery->client.reason, sizeof reason);
    ps_count(delivery->port->counters, PS_COUNTER_duplicated, events);
    ps_count(delivery->port->counters, PS_COUNTER_retried, events);
    hang_up(delivery);
    if (!idle)
        rest(delivery, reason, events > 0);
}

enum ps_status ps_rpc_delivery_aim(const struct ps_rpc_delivery_plan *plan, struct ps_client_plan *to,
                                   struct ps_err *err)
{
    struct ps_address address = plan->address;
    if (plan->lookup != NULL && ps_lookup_address(plan->lookup, &address, err) != PS_OK)
        return PS_FAIL;
    to->address = address.storage;
    to->address_bytes = address.length;
    if (address.storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&to->address)->sin6_port = htons((uint16_t)plan->port);
    else
        ((struct sockaddr_in *)&to->address)->sin_port = htons((uint16_t)plan->port);
    return PS_OK;
}

static void dial(struct ps_rpc_delivery *delivery)
{
    struct ps_err err = {.length = 0};
    if (ps_rpc_delivery_aim(delivery->plan, &delivery->to, &err) != PS_OK) {
        ps_count(delivery->port->counters, PS_COUNTER_ConnectionFailedCount, 1);
        rest(delivery, err.text, false);
        return;
    }
    if (!ps_rpc_client_connect(&delivery->client, delivery->now_ns))
        lose(delivery);
}

/* Logs and counts that the connection is up. */
static void count_connection(struct ps_rpc_delivery *delivery)
{
    if (delivery->counted || delivery->client.connection.phase != PS_CLIENT_UP)
        return;
    delivery->counted = true;
    ps_count(delivery->port->counters, PS_COUNTER_ConnectionCreatedCount, 1);
    if (delivery->plan->reset_ns > 0)
        delivery->reset_ns = delivery->now_ns + delivery->plan->reset_ns;
    ps_log(PS_LOG_INFO, delivery->port->component, "connected to %s:%u", delivery->plan->host,
           delivery->plan->port);
}

/* Registers the connection's events with the epoll. */
static void watch(struct ps_rpc_delivery *delivery)
{
    short wanted = 0;
    int fd = ps_rpc_client_descriptor(&delivery->client, &wanted);
    uint32_t events = (uint32_t)wanted; /* POLLIN and POLLOUT equal EPOLLIN and EPOLLOUT */
    if (fd < 0 || delivery->port->epoll_fd < 0 ||
        (fd == delivery->watched_fd && events == delivery->watched_events))
        return;
    struct epoll_event event = {.events = events};
    int operation = fd == delivery->watched_fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(delivery->port->epoll_fd, operation, fd, &event) != 0) {
        struct ps_err err = {.length = 0};
        ps_err_set(&err, "cannot watch the connection");
        ps_port_failed(delivery->port, &err);
        return;
    }
    delivery->watched_fd = fd;
    delivery->watched_events = events;
}

/* ---- calls ---- */

/* Chooses the events of the next call. Returns their number; 0 if all were sent. */
static uint32_t choose(struct ps_rpc_delivery *delivery, struct ps_rpc_part *part, size_t *bytes)
{
    const struct ps_rpc_protocol *protocol = delivery->plan->client.protocol;
    for (; delivery->next_lease < delivery->lease_count;
         delivery->next_lease++, delivery->next_position = 0) {
        struct ps_lease *lease = delivery->leases[delivery->next_lease];
        uint32_t count = 0, position = delivery->next_position;
        *part = (struct ps_rpc_part){.lease = lease, .from = position};
        *bytes = protocol->call_bytes_max;
        for (; position < lease->count && count < delivery->plan->batch_events_max && *bytes < CALL_BYTES_MAX;
             position++) {
            if (ps_lease_is_settled(lease, position))
                continue;
            *bytes += protocol->event_bound(lease->batch, ps_lease_event(lease, position));
            count++;
        }
        delivery->next_position = part->to = position;
        if (count > 0)
            return count;
    }
    return 0;
}

/* Encodes a call. `round` 0: the server may be Flume. */
static size_t encode(const struct ps_rpc_protocol *protocol, uint8_t *to, const struct ps_rpc_part *part,
                     uint32_t count, unsigned round)
{
    size_t length = protocol->put_call(to, count, round);
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
    struct ps_rpc_part part;
    unsigned number = 0, lease = delivery->next_lease;
    uint32_t position = delivery->next_position;
    size_t bytes;
    uint32_t count = choose(delivery, &part, &bytes);
    if (count == 0)
        return false;
    uint8_t *to = ps_rpc_client_reserve(&delivery->client, bytes);
    if (to == NULL) { /* no memory: try again later */
        delivery->next_lease = lease;
        delivery->next_position = position;
        return false;
    }
    while (delivery->parts[number].lease != NULL)
        number++;
    delivery->parts[number] = part;
    unsigned round = ps_rpc_client_has_rounds(&delivery->client) ? delivery->round + 1 : 0;
    size_t length = encode(delivery->plan->client.protocol, to, &part, count, round);
    PS_ASSERT(length <= bytes);
    ps_rpc_client_send(&delivery->client, length, number, delivery->now_ns);
    return true;
}

/* ---- answers ---- */

static void finish_first(struct ps_rpc_delivery *delivery)
{
    while (delivery->lease_count > 0 && delivery->leases[0]->settled == delivery->leases[0]->count) {
        struct ps_lease *lease = delivery->leases[0];
        memmove(delivery->leases, delivery->leases + 1, --delivery->lease_count * sizeof lease);
        if (delivery->next_lease > 0)
            delivery->next_lease--;
        else
            delivery->next_position = 0;
        ps_port_done(delivery->port, &lease);
    }
}

static void answered(void *owner, uint64_t number, enum ps_rpc_status status)
{
    struct ps_rpc_delivery *delivery = owner;
    struct ps_rpc_part *part = &delivery->parts[number];
    PS_ASSERT(part->lease != NULL);
    uint32_t count = 0;
    for (uint32_t position = part->from; position < part->to; position++) {
        if (ps_lease_is_settled(part->lease, position))
            continue;
        count++;
        if (status == PS_RPC_OK)
            ps_lease_settle(part->lease, position);
    }
    *part = (struct ps_rpc_part){.lease = NULL};
    if (status == PS_RPC_OK) {
        delivery->failures = delivery->attempts = 0;
        finish_first(delivery);
        return;
    }
    ps_count(delivery->port->counters, PS_COUNTER_retried, count);
    if (!delivery->rewinding)
        rest(delivery,
             status == PS_RPC_FAILED ? "the source answers FAILED: is its channel full?"
                                     : "the source answers UNKNOWN",
             true);
    delivery->rewinding = true;
}

/* ---- dead letters ---- */

/* Begins with the events of the oldest call, which would be sent next. */
static void begin_burial(struct ps_rpc_delivery *delivery)
{
    struct ps_rpc_part part;
    size_t bytes;
    rewind_all(delivery);
    uint32_t count = choose(delivery, &part, &bytes);
    delivery->next_lease = 0;
    delivery->next_position = 0;
    delivery->exhausted = false;
    if (count == 0)
        return;
    ps_log(PS_LOG_ERROR, delivery->port->component,
           "%s events go to the dead letters after %u attempts (penstock.retry.max): %s",
           ps_quantity_print_count(count).text, delivery->burial_attempts, delivery->burial_reason);
    ps_burial_begin(&delivery->burial, part.lease, part.from, part.to);
}

/* Returns whether dead letters are still to be written; nothing is sent until then. */
static bool is_burying(struct ps_rpc_delivery *delivery)
{
    if (delivery->exhausted && delivery->client.call_count == 0)
        begin_burial(delivery);
    if (PS_LIKELY(!ps_burial_has_begun(&delivery->burial)))
        return false;
    const struct ps_letter_reason reason = {"attempts-exhausted", delivery->burial_reason,
                                            delivery->burial_attempts};
    if (!ps_burial_work(&delivery->burial, delivery->port, &reason))
        return true;
    delivery->failures = delivery->attempts = 0;
    delivery->rest_ns = 0;
    return false;
}

/* ---- the cycle ---- */

/* Reads and writes what is possible now. `fills`: new calls may be sent. */
static void serve(struct ps_rpc_delivery *delivery, bool fills)
{
    const struct ps_rpc_client_answers answers = {.answered = answered, .owner = delivery};
    struct ps_rpc_client *client = &delivery->client;
    fills = fills && !is_burying(delivery);
    finish_first(delivery); /* leases without an event to send */
    bool rests = delivery->now_ns < delivery->rest_ns;
    if (fills && !rests && delivery->lease_count > 0 && !ps_rpc_client_is_open(client))
        dial(delivery);
    if (!ps_rpc_client_is_open(client))
        return;
    bool resets = delivery->now_ns >= delivery->reset_ns;
    for (;;) {
        if (!ps_rpc_client_work(client, &answers, delivery->now_ns)) {
            lose(delivery);
            return;
        }
        count_connection(delivery);
        rests = delivery->now_ns < delivery->rest_ns;
        if (delivery->rewinding && client->call_count == 0 && !rests)
            rewind_all(delivery);
        if (!fills || rests || resets || delivery->rewinding || !ps_rpc_client_may_send(client) ||
            !send_call(delivery))
            break;
    }
    if (resets && client->call_count == 0)
        hang_up(delivery);
    watch(delivery);
}

enum ps_result ps_rpc_delivery_work(struct ps_rpc_delivery *delivery, struct ps_lease **lease,
                                    const struct ps_now *now)
{
    delivery->now_ns = now->mono_ns;
    delivery->recall_ns = 0;
    if (delivery->lease_count == PS_RPC_LEASES_MAX)
        return PS_LATER;
    delivery->leases[delivery->lease_count++] = *lease;
    *lease = NULL;
    return PS_TAKEN;
}

uint64_t ps_rpc_delivery_tick(struct ps_rpc_delivery *delivery, const struct ps_now *now)
{
    delivery->now_ns = now->mono_ns;
    serve(delivery, true);
    uint64_t due_ns = ps_rpc_client_deadline(&delivery->client);
    if (ps_rpc_client_is_open(&delivery->client))
        due_ns = ps_least(due_ns, delivery->reset_ns);
    bool waits = delivery->rewinding || !ps_rpc_client_is_open(&delivery->client);
    if (waits && delivery->lease_count > 0)
        due_ns = ps_least(due_ns, delivery->rest_ns);
    if (PS_UNLIKELY(delivery->exhausted || ps_burial_has_begun(&delivery->burial)))
        due_ns = ps_least(due_ns, now->mono_ns + PS_BURIAL_LOOK_NS);
    return due_ns;
}

bool ps_rpc_delivery_recall(struct ps_rpc_delivery *delivery, struct ps_lease **back,
                            const struct ps_now *now)
{
    delivery->now_ns = now->mono_ns;
    if (delivery->recall_ns == 0)
        delivery->recall_ns = now->mono_ns + RECALL_NS;
    ps_burial_stop(&delivery->burial, delivery->port);
    serve(delivery, false);
    if (delivery->client.call_count > 0) {
        if (now->mono_ns < delivery->recall_ns)
            return false; /* events that are answered now are not delivered twice */
        ps_count(delivery->port->counters, PS_COUNTER_duplicated, count_under_way(delivery));
        hang_up(delivery);
    }
    rewind_all(delivery);
    while (*back != NULL)
        back = &(*back)->next;
    for (unsigned i = 0; i < delivery->lease_count; i++) {
        *back = delivery->leases[i];
        back = &(*back)->next;
    }
    *back = NULL;
    delivery->lease_count = 0;
    delivery->exhausted = false;
    delivery->attempts = 0;
    return true;
}
