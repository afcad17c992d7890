#include "commands/client/link.h"

#include "core/clock.h"
#include "stages/lib/net/resolver.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS 200U /* an interrupt is seen within this time */

struct ps_rpc_link *ps_rpc_link_create(const struct ps_rpc_host *host)
{
    struct ps_rpc_link *link = malloc(sizeof *link);
    if (link == NULL)
        return NULL;
    link->next = NULL;
    link->host = host;
    link->to = host->plan;
    ps_rpc_client_init(&link->client, &host->settings, &link->to);
    return link;
}

void ps_rpc_link_destroy(struct ps_rpc_link *link)
{
    ps_rpc_client_fini(&link->client);
    free(link);
}

static int fail(struct ps_rpc_link *link, int status, const char *reason, struct ps_err *err)
{
    ps_err_set(err, "%.255s:%u: %.500s", link->host->name, link->host->port, reason);
    if (status != PENSTOCK_CLIENT_REFUSED)
        ps_rpc_client_close(&link->client);
    return status;
}

static bool is_interrupted(const struct ps_rpc_patience *patience)
{
    return patience->interrupted != NULL && patience->interrupted(patience->argument) != 0;
}

/* ---- waiting ---- */

static void answered(void *owner, uint64_t, enum ps_rpc_status status)
{
    struct ps_rpc_link *link = owner;
    link->answered = true;
    link->status = status;
}

/* Runs the connection's pending work. On failure returns false; the reason is link->client.reason. */
static bool work(struct ps_rpc_link *link)
{
    const struct ps_rpc_client_answers answers = {.answered = answered, .owner = link};
    return ps_rpc_client_work(&link->client, &answers, ps_clock_now().mono_ns);
}

/* Waits for the socket, a deadline or an interrupt, then sends and receives. `failure`: the status to be returned
 * if that fails. */
static int cycle(struct ps_rpc_link *link, const struct ps_rpc_patience *patience, int failure,
                 struct ps_err *err)
{
    struct pollfd ready = {.fd = -1};
    ready.fd = ps_rpc_client_descriptor(&link->client, &ready.events);
    uint64_t deadline_ns = ps_rpc_client_deadline(&link->client), now_ns = ps_clock_now().mono_ns;
    uint64_t wait_ms = deadline_ns > now_ns ? (deadline_ns - now_ns) / PS_NS_PER_MS + 1 : 0;
    uint64_t wait_max_ms = patience->interrupted != NULL ? ASK_MS : INT_MAX;
    if (poll(&ready, 1, (int)(wait_ms < wait_max_ms ? wait_ms : wait_max_ms)) < 0 && errno != EINTR)
        return fail(link, failure, strerror(errno), err);
    if (is_interrupted(patience))
        return fail(link, PENSTOCK_CLIENT_INTERRUPTED, "interrupted", err);
    return work(link) ? PENSTOCK_CLIENT_OK : fail(link, failure, link->client.reason, err);
}

/* ---- connecting ---- */

/* Asks a name server, on a thread, because the answer may never come. */
static int ask_name(struct ps_rpc_link *link, const struct ps_rpc_patience *patience,
                    struct ps_address *address, struct ps_err *err)
{
    struct ps_question question = {.forward = true};
    struct ps_resolver *resolver = NULL;
    struct ps_err reason = {.length = 0};
    uint64_t deadline_ns = ps_clock_now().mono_ns + link->host->plan.connect_ns;
    if (strlen(link->host->name) >= sizeof question.name)
        return fail(link, PENSTOCK_CLIENT_UNREACHABLE, "a name has at most 255 characters", err);
    strcpy(question.name, link->host->name);
    resolver = ps_resolver_create(1, -1, &reason);
    if (resolver == NULL)
        return fail(link, PENSTOCK_CLIENT_UNREACHABLE, reason.text, err);
    ps_resolver_ask(resolver, &question);
    int status = PENSTOCK_CLIENT_OK;
    while (status == PENSTOCK_CLIENT_OK && !ps_resolver_wait(resolver, ASK_MS, &question)) {
        if (is_interrupted(patience))
            status = fail(link, PENSTOCK_CLIENT_INTERRUPTED, "interrupted", err);
        else if (ps_clock_now().mono_ns >= deadline_ns)
            status = fail(link, PENSTOCK_CLIENT_UNREACHABLE, "the name server does not answer", err);
    }
    ps_resolver_destroy(resolver);
    if (status == PENSTOCK_CLIENT_OK && question.error != 0)
        status = fail(link, PENSTOCK_CLIENT_UNREACHABLE, gai_strerror(question.error), err);
    *address = question.address;
    return status;
}

static int find_address(struct ps_rpc_link *link, const struct ps_rpc_patience *patience, struct ps_err *err)
{
    struct ps_address address;
    if (!ps_address_is_literal(link->host->name)) {
        int status = ask_name(link, patience, &address, err);
        if (status != PENSTOCK_CLIENT_OK)
            return status;
    } else {
        int error = ps_resolve(link->host->name, &address);
        if (error != 0)
            return fail(link, PENSTOCK_CLIENT_UNREACHABLE, gai_strerror(error), err);
    }
    link->to.address = address.storage;
    link->to.address_bytes = address.length;
    if (address.storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&link->to.address)->sin6_port = htons((uint16_t)link->host->port);
    else
        ((struct sockaddr_in *)&link->to.address)->sin_port = htons((uint16_t)link->host->port);
    return PENSTOCK_CLIENT_OK;
}

int ps_rpc_link_connect(struct ps_rpc_link *link, const struct ps_rpc_patience *patience, struct ps_err *err)
{
    /* The other side may have closed the connection while nothing was sent. */
    if (ps_rpc_client_is_open(&link->client) && work(link))
        return PENSTOCK_CLIENT_OK;
    ps_rpc_client_close(&link->client);
    int status = find_address(link, patience, err);
    if (status != PENSTOCK_CLIENT_OK)
        return status;
    if (!ps_rpc_client_connect(&link->client, ps_clock_now().mono_ns))
        return fail(link, PENSTOCK_CLIENT_UNREACHABLE, link->client.reason, err);
    while (status == PENSTOCK_CLIENT_OK && !ps_rpc_client_may_send(&link->client))
        status = cycle(link, patience, PENSTOCK_CLIENT_UNREACHABLE, err);
    return status;
}

/* ---- calls ---- */

int ps_rpc_link_call(struct ps_rpc_link *link, const struct penstock_client_event *events, size_t count,
                     size_t bytes, const struct ps_rpc_patience *patience, struct ps_err *err)
{
    const struct ps_rpc_encoding *encoding = link->host->encoding;
    uint8_t *to = ps_rpc_client_reserve(&link->client, encoding->protocol->call_bytes_max + bytes);
    if (to == NULL)
        return fail(link, PENSTOCK_CLIENT_MEMORY, "no memory for a batch", err);
    size_t length = encoding->protocol->put_call(to, (uint32_t)count, 0);
    for (size_t i = 0; i < count; i++)
        length += encoding->put_event(to + length, &events[i]);
    length += encoding->protocol->put_end(to + length);
    link->answered = false;
    ps_rpc_client_send(&link->client, length, 0, ps_clock_now().mono_ns);
    if (!work(link))
        return fail(link, PENSTOCK_CLIENT_UNCERTAIN, link->client.reason, err);
    int status = PENSTOCK_CLIENT_OK;
    while (status == PENSTOCK_CLIENT_OK && !link->answered)
        status = cycle(link, patience, PENSTOCK_CLIENT_UNCERTAIN, err);
    if (status != PENSTOCK_CLIENT_OK || link->status == PS_RPC_OK)
        return status;
    return fail(link, PENSTOCK_CLIENT_REFUSED,
                link->status == PS_RPC_FAILED
                    ? "the source answers FAILED: its channel is full, or refuses the events"
                    : "the source answers UNKNOWN",
                err);
}
