/* Sends batches as Flume's clients do: one at a time, each acknowledged before the next is read. A batch that is refused or
 * not answered ends the command, or goes to the next host (FailoverRpcClient). */
#include "core/commands/avro_client.h"

#include "core/clock.h"
#include "stages/avro/binary.h"
#include "stages/net/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTERRUPTS_MS 200U /* so long at most until an interrupt is seen */

/* ---- batches ---- */

void ps_rpc_batch_add(struct ps_rpc_batch *batch, const struct ps_slice *headers, const struct ps_slice *body)
{
    size_t wanted = batch->length + headers->length + PS_AVRO_LONG_BYTES_MAX + body->length;
    if (wanted > batch->room) {
        batch->room = 2 * wanted;
        batch->bytes = ps_must_realloc(batch->bytes, batch->room, "a batch");
    }
    memcpy(batch->bytes + batch->length, headers->data, headers->length);
    batch->length += headers->length;
    batch->length += ps_avro_put_long(batch->bytes + batch->length, body->length);
    if (body->length > 0)
        memcpy(batch->bytes + batch->length, body->data, body->length);
    batch->length += body->length;
    batch->count++;
}

/* ---- the connection ---- */

void ps_rpc_sender_init(struct ps_rpc_sender *sender, const struct ps_rpc_target *target,
                        const volatile sig_atomic_t *interrupts)
{
    *sender = (struct ps_rpc_sender){
        .target = target, .interrupts = interrupts, .to = target->plan, .host = target->host_count - 1};
    ps_avro_client_init(&sender->client, &target->settings, &sender->to);
}

void ps_rpc_sender_fini(struct ps_rpc_sender *sender)
{
    ps_avro_client_fini(&sender->client);
}

static bool fail(struct ps_rpc_sender *sender, const char *reason)
{
    const struct ps_rpc_host *host = &sender->target->hosts[sender->host];
    snprintf(sender->reason, sizeof sender->reason, "%.255s:%u: %.500s", host->name, host->port, reason);
    ps_avro_client_close(&sender->client);
    return false;
}

static void answered(void *owner, uint64_t number, enum ps_avro_status status)
{
    struct ps_rpc_sender *sender = owner;
    (void)number;
    sender->answered = true;
    sender->status = status;
}

static bool work(struct ps_rpc_sender *sender)
{
    const struct ps_avro_client_answers answers = {.answered = answered, .owner = sender};
    return ps_avro_client_work(&sender->client, &answers, ps_clock_now().mono_ns) ||
           fail(sender, sender->client.reason);
}

/* Waits for the socket, a deadline or an interrupt, and works. */
static bool cycle(struct ps_rpc_sender *sender)
{
    struct pollfd ready = {.fd = -1};
    ready.fd = ps_avro_client_descriptor(&sender->client, &ready.events);
    uint64_t deadline_ns = ps_avro_client_deadline(&sender->client), now_ns = ps_clock_now().mono_ns;
    uint64_t wait_ms = deadline_ns > now_ns ? (deadline_ns - now_ns) / PS_NS_PER_MS + 1 : 0;
    if (poll(&ready, 1, (int)(wait_ms < INTERRUPTS_MS ? wait_ms : INTERRUPTS_MS)) < 0 && errno != EINTR)
        return fail(sender, strerror(errno));
    if (*sender->interrupts > 0)
        return fail(sender, "interrupted");
    return work(sender);
}

static bool dial(struct ps_rpc_sender *sender)
{
    const struct ps_rpc_host *host = &sender->target->hosts[sender->host];
    struct ps_address address;
    int error = ps_resolve(host->name, &address);
    if (error != 0)
        return fail(sender, gai_strerror(error));
    sender->to.address = address.storage;
    sender->to.address_bytes = address.length;
    if (address.storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&sender->to.address)->sin6_port = htons((uint16_t)host->port);
    else
        ((struct sockaddr_in *)&sender->to.address)->sin_port = htons((uint16_t)host->port);
    if (!ps_avro_client_connect(&sender->client, ps_clock_now().mono_ns))
        return fail(sender, sender->client.reason);
    while (!ps_avro_client_may_send(&sender->client)) {
        if (!cycle(sender))
            return false;
    }
    return true;
}

bool ps_rpc_sender_connect(struct ps_rpc_sender *sender)
{
    const struct ps_rpc_target *target = sender->target;
    /* The other side may have closed it while there were no lines. */
    if (ps_avro_client_is_open(&sender->client) && work(sender))
        return true;
    for (size_t i = 0; i < target->host_count && *sender->interrupts == 0; i++) {
        sender->host = (sender->host + 1) % target->host_count;
        if (dial(sender))
            return true;
        if (target->host_count > 1)
            fprintf(stderr, "penstock avro-client: %s\n", sender->reason);
    }
    return false;
}

/* ---- calls ---- */

static bool deliver(struct ps_rpc_sender *sender, const struct ps_rpc_batch *batch)
{
    uint8_t *to =
        ps_avro_client_reserve(&sender->client, PS_AVRO_CALL_BYTES + PS_AVRO_COUNT_BYTES + batch->length + 1);
    if (to == NULL)
        return fail(sender, "no memory for a batch");
    size_t length = ps_avro_put_call(to);
    length += ps_avro_put_count(to + length, batch->count);
    memcpy(to + length, batch->bytes, batch->length);
    length += batch->length;
    to[length++] = 0; /* no more blocks of events */
    sender->answered = false;
    ps_avro_client_send(&sender->client, length, 0, ps_clock_now().mono_ns);
    if (!work(sender))
        return false;
    while (!sender->answered) {
        if (!cycle(sender))
            return false;
    }
    if (sender->status == PS_AVRO_OK)
        return true;
    return fail(sender, sender->status == PS_AVRO_FAILED
                            ? "the source answers FAILED: its channel is full, or refuses the events"
                            : "the source answers UNKNOWN");
}

bool ps_rpc_sender_send(struct ps_rpc_sender *sender, const struct ps_rpc_batch *batch)
{
    for (uint64_t attempt = 1;; attempt++) {
        if (!ps_rpc_sender_connect(sender))
            return false;
        if (deliver(sender, batch))
            return true;
        if (attempt >= sender->target->attempts_max || *sender->interrupts > 0)
            return false;
        fprintf(stderr, "penstock avro-client: %s; sends the batch to the next host\n", sender->reason);
    }
}
