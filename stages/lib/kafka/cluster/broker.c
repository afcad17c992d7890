/* The connection to one broker. Requests are answered in the order in which they were sent. */
#include "stages/lib/kafka/cluster/native_internal.h"

#include "core/backoff.h"
#include "core/quantity.h"
#include "stages/lib/kafka/errors.h"
#include "stages/lib/least.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define WRITE_PARTS 64
#define STARVED_REST_NS (2 * PS_NS_PER_MS)
#define TOLD_REST_NS (30 * PS_NS_PER_S) /* the same failure is reported again only after this time */

void ps_kafka_native_broker_free(struct ps_kafka_native_broker *broker)
{
    ps_client_close(&broker->connection);
    while (broker->first != NULL) {
        struct ps_kafka_native_request *request = broker->first;
        broker->first = request->next;
        for (uint32_t i = 0; i < request->batch_count; i++)
            if (request->batches[i] != NULL)
                ps_kafka_native_batch_free(request->batches[i]);
        free(request->head);
        free(request);
    }
    ps_sasl_close(broker->login.sasl);
    ps_gss_initiator_teardown(broker->login.kerberos);
    ps_tls_client_destroy(broker->tls);
    free(broker->in);
    free(broker);
}

/* Registers the socket in the client's epoll for the events that the connection needs. When a socket is
 * closed, it leaves the epoll. */
static void watch(struct ps_kafka_native_broker *broker)
{
    short events = 0;
    int fd = ps_client_descriptor(&broker->connection, broker->write_blocked, &events);
    /* input for which there is no memory must not wake the worker */
    if (broker->fetch.starved && !broker->write_blocked) {
        if (broker->watched_fd >= 0)
            (void)epoll_ctl(broker->client->epoll_fd, EPOLL_CTL_DEL, broker->watched_fd, NULL);
        broker->watched_fd = -1;
        return;
    }
    if (fd < 0 || (fd == broker->watched_fd && (uint32_t)events == broker->watched_events))
        return;
    struct epoll_event event = {.events = (uint32_t)events, .data.ptr = broker};
    int operation = fd == broker->watched_fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(broker->client->epoll_fd, operation, fd, &event) != 0) {
        ps_kafka_native_broker_lose(broker, "cannot watch the connection");
        return;
    }
    broker->watched_fd = fd;
    broker->watched_events = (uint32_t)events;
}

/* ---- losing the connection ---- */

static uint64_t reconnect_rest_ns(struct ps_kafka_native_broker *broker)
{
    struct ps_kafka_native *client = broker->client;
    uint64_t rest_ns = ps_backoff_doubled(client->settings.reconnect_ns, client->settings.reconnect_max_ns,
                                          broker->failures - 1);
    return ps_backoff_spread(rest_ns, 5, ps_random_next(&client->random)); /* as Java's client */
}

static void give_up_request(struct ps_kafka_native *client, struct ps_kafka_native_request *request)
{
    if (request->kind == PS_KAFKA_NATIVE_METADATA && !request->ignored)
        client->metadata.asked = false;
    if (request->kind == PS_KAFKA_NATIVE_INIT_PRODUCER_ID)
        client->id_state = PS_KAFKA_NATIVE_ID_NONE;
    ps_kafka_native_transaction_lost(client, request);
    if (client->reader != NULL)
        client->reader->lost(client, request);
    for (uint32_t i = 0; i < request->batch_count; i++) {
        struct ps_kafka_native_batch *batch = request->batches[i];
        if (batch == NULL)
            continue;
        request->batches[i] = NULL;
        batch->perhaps_written |= ps_kafka_native_is_written(request);
        batch->partition->in_flight--;
        ps_kafka_native_partition_return(client, batch);
        ps_kafka_native_partition_landed(client, batch->partition);
    }
    ps_kafka_native_give_request(client, request);
}

void ps_kafka_native_broker_drop(struct ps_kafka_native_broker *broker)
{
    ps_client_close(&broker->connection);
    broker->watched_fd = -1;
    broker->phase = PS_KAFKA_NATIVE_DOWN;
    broker->write_blocked = broker->answered = false;
    broker->in_length = 0;
    broker->muted_ns = 0;
    broker->fetch.answer = NULL;
    broker->fetch.starved = broker->fetch.asked = false;
    broker->writing = NULL;
    broker->login.again_ns = PS_NEVER;
    ps_sasl_close(broker->login.sasl);
    broker->login.sasl = NULL;
    broker->login.awaits_ticket = false;
    broker->produce_in_flight = 0;
    while (broker->first != NULL) {
        struct ps_kafka_native_request *request = broker->first;
        broker->first = request->next;
        give_up_request(broker->client, request);
    }
    broker->end = &broker->first;
}

static void tell_lost(struct ps_kafka_native_broker *broker, int code, const char *reason)
{
    const struct ps_kafka_native *client = broker->client;
    char text[PS_HOST_NAME_BYTES + PS_TRANSPORT_REASON_BYTES + 16];
    if (strcmp(broker->told, reason) == 0 && client->now.mono_ns < broker->told_ns + TOLD_REST_NS)
        return;
    snprintf(broker->told, sizeof broker->told, "%s", reason);
    broker->told_ns = client->now.mono_ns;
    snprintf(text, sizeof text, "%s:%u: %s", broker->host, broker->port, reason);
    ps_kafka_native_notice(broker->client, PS_KAFKA_NOTICE_ERROR, code, text);
}

void ps_kafka_native_broker_lose(struct ps_kafka_native_broker *broker, const char *reason)
{
    struct ps_kafka_native *client = broker->client;
    bool idle = broker->phase == PS_KAFKA_NATIVE_UP && broker->first == NULL;
    bool connecting = broker->phase == PS_KAFKA_NATIVE_CONNECTING;
    int code = broker->refusal != 0                            ? broker->refusal
               : broker->connection.phase == PS_CLIENT_SHAKING ? PS_KAFKA_LIBRARY_SSL
                                                               : PS_KAFKA_LIBRARY_TRANSPORT;
    broker->refusal = 0;
    ps_kafka_native_broker_drop(broker);
    if (idle)
        broker->addresses.refused.length = 0;
    broker->failures++;
    broker->rest_ns = client->now.mono_ns + reconnect_rest_ns(broker);
    if (connecting && ++broker->addresses.tried < broker->addresses.count)
        broker->rest_ns = client->now.mono_ns; /* tries the name's next address immediately */
    else
        broker->addresses.tried = 0;
    ps_kafka_native_want_metadata(client);
    if (idle || broker->gone) /* no failure: brokers close connections that are not used */
        return;
    if (broker->addresses.tried != 0) /* the next address may work */
        return;
    unsigned down = ps_kafka_native_note_all_down(client);
    tell_lost(broker, code, reason);
    if (code == PS_KAFKA_LIBRARY_TRANSPORT) /* brokers that refuse this client can be reached */
        ps_kafka_native_tell_all_down(client, down, reason);
}

/* ---- connecting ---- */

static void aim(struct ps_kafka_native_broker *broker, const struct ps_address *address)
{
    broker->addresses.refused = *address;
    broker->plan.address = address->storage;
    broker->plan.address_bytes = address->length;
    if (address->storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&broker->plan.address)->sin6_port = htons((uint16_t)broker->port);
    else
        ((struct sockaddr_in *)&broker->plan.address)->sin_port = htons((uint16_t)broker->port);
}

bool ps_kafka_native_broker_ask_versions(struct ps_kafka_native_broker *broker, int16_t version)
{
    struct ps_kafka_native_request *request = ps_kafka_native_request_versions(broker->client, version);
    if (request != NULL)
        ps_kafka_native_broker_send(broker, request);
    return request != NULL;
}

static void connect_on(struct ps_kafka_native_broker *broker)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    if (!ps_client_work(&broker->connection, broker->client->now.mono_ns, reason)) {
        ps_kafka_native_broker_lose(broker, reason);
        return;
    }
    if (broker->connection.phase != PS_CLIENT_UP)
        return;
    broker->phase = PS_KAFKA_NATIVE_ASKING;
    broker->addresses.tried = 0;
    /* brokers before 2.4 do not know version 3; responses.c asks them again */
    int16_t version = ps_kafka_native_is_transactional(broker->client) ? 3 : 0;
    if (!ps_kafka_native_broker_ask_versions(broker, version))
        ps_kafka_native_broker_lose(broker, "no memory");
}

static void begin_to_connect(struct ps_kafka_native_broker *broker)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    broker->phase = PS_KAFKA_NATIVE_CONNECTING;
    broker->begun_ns = broker->client->now.mono_ns;
    if (!ps_client_connect(&broker->connection, broker->client->now.mono_ns, reason)) {
        ps_kafka_native_broker_lose(broker, reason);
        return;
    }
    connect_on(broker);
}

void ps_kafka_native_broker_connect(struct ps_kafka_native_broker *broker)
{
    struct ps_address address;
    struct ps_question question = {.forward = true, .address = broker->addresses.refused, .asker = broker};
    if (ps_address_is_literal(broker->host) && ps_resolve(broker->host, &address) == 0) {
        aim(broker, &address);
        begin_to_connect(broker);
        return;
    }
    memcpy(question.name, broker->host, sizeof question.name);
    broker->phase = PS_KAFKA_NATIVE_RESOLVING;
    if (!ps_resolver_ask(broker->client->resolver, &question)) {
        broker->phase = PS_KAFKA_NATIVE_DOWN; /* the resolver has no room: the broker asks again later */
        broker->rest_ns = broker->client->now.mono_ns + broker->client->settings.reconnect_ns;
    }
}

void ps_kafka_native_broker_resolved(struct ps_kafka_native_broker *broker, const struct ps_question *answer)
{
    if (broker->phase != PS_KAFKA_NATIVE_RESOLVING || answer->asker != broker ||
        strcmp(broker->host, answer->name) != 0)
        return;
    if (answer->error == 0) {
        broker->addresses.count = answer->address_count;
        aim(broker, &answer->address);
        begin_to_connect(broker);
        return;
    }
    broker->phase = PS_KAFKA_NATIVE_DOWN;
    broker->failures++;
    broker->rest_ns = broker->client->now.mono_ns + reconnect_rest_ns(broker);
    unsigned down = ps_kafka_native_note_all_down(broker->client);
    tell_lost(broker, PS_KAFKA_LIBRARY_RESOLVE, gai_strerror(answer->error));
    ps_kafka_native_tell_all_down(broker->client, down, gai_strerror(answer->error));
}

static bool needs_connection(const struct ps_kafka_native_broker *broker)
{
    return broker->phase == PS_KAFKA_NATIVE_DOWN && broker->ready != NULL && !broker->gone;
}

/* Returns whether a node of the cluster is connected, or may be connected to now. Else brokers that are only in
 * bootstrap.servers are asked, too: one that the cluster has removed may have old metadata. */
static bool has_node(const struct ps_kafka_native *client)
{
    const struct ps_kafka_native_broker *broker = client->brokers;
    while (broker != NULL &&
           (broker->gone || broker->node < 0 || broker->node >= PS_KAFKA_NATIVE_COORDINATOR / 2 ||
            ps_kafka_native_broker_is_silent(broker) ||
            (broker->phase == PS_KAFKA_NATIVE_DOWN &&
             (broker->failures > 0 || client->now.mono_ns < broker->rest_ns))))
        broker = broker->next;
    return broker != NULL;
}

struct ps_kafka_native_broker *ps_kafka_native_any_broker(struct ps_kafka_native *client)
{
    struct ps_kafka_native_broker *best = NULL, *silent = NULL;
    bool any_node = has_node(client);
    for (struct ps_kafka_native_broker *broker = client->brokers; broker != NULL; broker = broker->next) {
        if (broker->gone || (broker->node < 0 && any_node))
            continue;
        if (ps_kafka_native_broker_is_silent(broker)) {
            if (broker->phase == PS_KAFKA_NATIVE_UP)
                silent = broker;
            continue;
        }
        if (broker->phase == PS_KAFKA_NATIVE_UP && (client->reader == NULL || broker->first == NULL))
            return broker;
        bool sooner = best != NULL && broker->phase == PS_KAFKA_NATIVE_UP &&
                      best->phase == PS_KAFKA_NATIVE_UP && best->fetch.asked && !broker->fetch.asked;
        if (best == NULL || broker->phase > best->phase || sooner ||
            (broker->phase == PS_KAFKA_NATIVE_DOWN && best->phase == PS_KAFKA_NATIVE_DOWN &&
             broker->rest_ns < best->rest_ns))
            best = broker;
    }
    if (best != NULL && best->phase == PS_KAFKA_NATIVE_DOWN && client->now.mono_ns >= best->rest_ns)
        ps_kafka_native_broker_connect(best);
    if (silent != NULL && (best == NULL || best->phase != PS_KAFKA_NATIVE_UP))
        return silent; /* a silent broker, because there is no other */
    return best != NULL && best->phase == PS_KAFKA_NATIVE_UP ? best : NULL; /* `best` is not up yet */
}

uint64_t ps_kafka_native_any_due_ns(const struct ps_kafka_native *client)
{
    uint64_t rested_ns = PS_NEVER;
    bool begun = false;
    for (const struct ps_kafka_native_broker *broker = client->brokers; broker != NULL;
         broker = broker->next) {
        if (broker->gone)
            continue;
        if (broker->phase == PS_KAFKA_NATIVE_UP && !ps_kafka_native_login_is_due(broker))
            return 0;
        begun |= broker->phase != PS_KAFKA_NATIVE_DOWN;
        if (broker->phase == PS_KAFKA_NATIVE_DOWN)
            rested_ns = ps_least(rested_ns, broker->rest_ns);
    }
    return begun ? PS_NEVER : rested_ns;
}

/* ---- writing ---- */

/* Adds the bytes of this part of the request that are not written yet. */
static int add_part(struct iovec *parts, int count, char *bytes, uint64_t length, uint64_t *skip)
{
    if (count == WRITE_PARTS || length == 0)
        return count;
    if (*skip >= length) {
        *skip -= length;
        return count;
    }
    parts[count] = (struct iovec){.iov_base = bytes + *skip, .iov_len = length - *skip};
    *skip = 0;
    return count + 1;
}

static int gather(const struct ps_kafka_native_request *request, struct iovec *parts)
{
    uint64_t skip = request->written;
    uint32_t from = 0;
    int count = 0;
    for (uint32_t i = 0; i < request->batch_count; i++) {
        count = add_part(parts, count, request->head + from, request->part_end[i] - from, &skip);
        count = add_part(parts, count, request->batches[i]->bytes, request->batches[i]->length, &skip);
        from = request->part_end[i];
    }
    return add_part(parts, count, request->head + from, request->head_length - from, &skip);
}

/* With acks=0 the broker does not answer: a written request counts as delivered, and leaves the list of
 * requests that wait for an answer. */
static void settle_written(struct ps_kafka_native_broker *broker, struct ps_kafka_native_request *request)
{
    struct ps_kafka_native_request **at = &broker->first;
    while (*at != request)
        at = &(*at)->next;
    *at = request->next;
    if (*at == NULL)
        broker->end = at;
    broker->produce_in_flight--;
    broker->used_ns = broker->client->now.mono_ns;
    for (uint32_t i = 0; i < request->batch_count; i++) {
        struct ps_kafka_native_batch *batch = request->batches[i];
        struct ps_kafka_native_partition *partition = batch->partition;
        request->batches[i] = NULL;
        partition->in_flight--;
        ps_kafka_native_report(broker->client, batch, 0);
        ps_kafka_native_partition_landed(broker->client, partition);
    }
    ps_kafka_native_give_request(broker->client, request);
}

static void write_on(struct ps_kafka_native_broker *broker)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    broker->write_blocked = false;
    while (broker->writing != NULL) {
        struct ps_kafka_native_request *request = broker->writing;
        struct iovec parts[WRITE_PARTS];
        int count = gather(request, parts);
        ssize_t written = ps_client_write(&broker->connection, parts, count, reason);
        if (written < 0) {
            ps_kafka_native_broker_lose(broker, reason);
            return;
        }
        if (written == 0) {
            broker->write_blocked = true;
            return;
        }
        request->written += (uint64_t)written;
        if (request->written < request->bytes)
            continue;
        request->sent_ns = broker->client->now.mono_ns;
        for (uint32_t i = 0; i < request->batch_count; i++)
            if (request->batches[i] != NULL)
                request->batches[i]->sent_ns = request->sent_ns;
        broker->client->statistics.requests++;
        broker->client->statistics.bytes += request->bytes;
        broker->writing = request->next;
        if (request->kind == PS_KAFKA_NATIVE_PRODUCE && broker->client->settings.acks == 0)
            settle_written(broker, request);
    }
}

/* ---- its turn ---- */

static void await_ticket(struct ps_kafka_native_broker *broker)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    if (broker->login.awaits_ticket && !ps_kafka_native_login_await(broker, reason))
        ps_kafka_native_broker_lose(broker, reason);
}

/* Returns the time by which the broker must answer the oldest request. A broker that delays this client because of a quota
 * reads nothing of the connection before the delay is over (KIP-219), also what was on its way, and also a new login. */
static uint64_t deadline_ns(const struct ps_kafka_native_broker *broker)
{
    uint64_t since_ns = ps_kafka_native_broker_asked_ns(broker);
    if (since_ns == PS_NEVER)
        return PS_NEVER;
    if (broker->muted_ns > since_ns)
        since_ns = broker->muted_ns;
    return since_ns + (broker->first->timeout_ns != 0 ? broker->first->timeout_ns
                                                      : broker->client->settings.request_timeout_ns);
}

static void check_deadline(struct ps_kafka_native_broker *broker)
{
    if (broker->client->now.mono_ns < deadline_ns(broker))
        return;
    char reason[PS_TRANSPORT_REASON_BYTES];
    snprintf(reason, sizeof reason, "the broker did not answer for %s",
             ps_quantity_print_ns(broker->client->settings.request_timeout_ns).text);
    ps_kafka_native_broker_lose(broker, reason);
}

/* Gives up the connection to a silent broker that the cluster has removed. Another broker must report this
 * removal: if no other broker is connected, begins to connect to one, even while the silent broker has the
 * request for metadata. */
static void check_life(struct ps_kafka_native_broker *broker)
{
    static const char reason[] = "the broker does not answer, and the cluster has removed it";
    bool gone = broker->gone;
    if (broker->client->now.mono_ns < ps_kafka_native_broker_doubt_ns(broker))
        return;
    if (!ps_kafka_native_broker_is_dead(broker)) {
        (void)ps_kafka_native_any_broker(broker->client);
        return;
    }
    ps_kafka_native_broker_lose(broker, reason);
    if (gone) /* `lose` does not report a removed broker */
        tell_lost(broker, PS_KAFKA_LIBRARY_TRANSPORT, reason);
}

/* ---- producing ---- */

/* A cluster finalizes a feature when all of its brokers have it. If this broker lacks the feature, it was replaced by
 * an older version while the producer used the feature: the producer ends, and the next producer asks its coordinator
 * again. */
bool ps_kafka_native_broker_fits(const struct ps_kafka_native_broker *broker)
{
    struct ps_kafka_native *client = broker->client;
    if (!client->transaction.second || broker->has_second)
        return true;
    if (!client->fatal)
        ps_kafka_native_die(client, PS_KAFKA_ERROR_TRANSACTION_ABORTABLE,
                            "%s:%u does not support the transaction protocol with which the producer began",
                            broker->host, broker->port);
    return false;
}

static void produce(struct ps_kafka_native_broker *broker)
{
    struct ps_kafka_native *client = broker->client;
    if (broker->ready != NULL && broker->phase == PS_KAFKA_NATIVE_UP && !ps_kafka_native_broker_fits(broker))
        return;
    while (broker->phase == PS_KAFKA_NATIVE_UP && broker->writing == NULL && broker->ready != NULL &&
           broker->produce_in_flight < client->settings.in_flight_max && !client->fatal &&
           client->id_state == PS_KAFKA_NATIVE_ID_KNOWN && client->now.mono_ns >= broker->throttle_ns &&
           !ps_kafka_native_login_is_due(broker)) {
        struct ps_kafka_native_request *request = ps_kafka_native_request_produce(broker);
        if (request == NULL)
            return;
        ps_kafka_native_broker_send(broker, request);
        broker->begun_ns = client->now.mono_ns;
        write_on(broker);
        /* a partition that still has batches returns to the list */
        for (uint32_t i = 0; i < request->batch_count && broker->phase == PS_KAFKA_NATIVE_UP; i++)
            if (request->batches[i] != NULL)
                ps_kafka_native_partition_offer(client, request->batches[i]->partition);
    }
}

/* Logs in again before the session ends, when all requests are answered. */
static void prolong(struct ps_kafka_native_broker *broker)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    if (!ps_kafka_native_login_is_due(broker) || broker->first != NULL)
        return;
    if (ps_kafka_native_login_begin(broker, reason))
        write_on(broker);
    else
        ps_kafka_native_broker_lose(broker, reason);
}

/* Returns when to close the connection if it stays unused (connections.max.idle.ms), as Java's client does.
 * The next request connects again. */
static uint64_t idle_ns(const struct ps_kafka_native_broker *broker)
{
    bool idle = broker->phase == PS_KAFKA_NATIVE_UP && broker->first == NULL && broker->ready == NULL &&
                broker->client->settings.idle_ns != 0;
    return idle ? broker->used_ns + broker->client->settings.idle_ns : PS_NEVER;
}

static void close_idle(struct ps_kafka_native_broker *broker)
{
    if (broker->client->now.mono_ns < idle_ns(broker))
        return;
    ps_kafka_native_broker_drop(broker);
    broker->addresses.refused.length = 0;
}

void ps_kafka_native_broker_work(struct ps_kafka_native_broker *broker, bool ready)
{
    struct ps_kafka_native *client = broker->client;
    if (broker->phase == PS_KAFKA_NATIVE_DOWN && client->now.mono_ns >= broker->rest_ns &&
        needs_connection(broker))
        ps_kafka_native_broker_connect(broker);
    else if (broker->phase == PS_KAFKA_NATIVE_CONNECTING)
        connect_on(broker);
    else if (broker->phase >= PS_KAFKA_NATIVE_ASKING && (ready || broker->fetch.starved))
        ps_kafka_native_broker_receive(broker);
    await_ticket(broker);
    if (broker->phase >= PS_KAFKA_NATIVE_ASKING && broker->writing != NULL)
        write_on(broker);
    if (broker->phase == PS_KAFKA_NATIVE_UP) {
        prolong(broker);
        produce(broker);
        close_idle(broker);
    }
    if (broker->phase >= PS_KAFKA_NATIVE_ASKING)
        check_deadline(broker);
    if (broker->phase >= PS_KAFKA_NATIVE_ASKING)
        check_life(broker);
    watch(broker);
}

uint64_t ps_kafka_native_broker_due_ns(const struct ps_kafka_native_broker *broker)
{
    uint64_t now_ns = broker->client->now.mono_ns;
    if (broker->phase == PS_KAFKA_NATIVE_DOWN)
        return needs_connection(broker) ? broker->rest_ns : PS_NEVER;
    if (broker->phase == PS_KAFKA_NATIVE_CONNECTING)
        return broker->connection.deadline_ns;
    uint64_t due_ns = ps_least(deadline_ns(broker), ps_kafka_native_broker_doubt_ns(broker));
    if (broker->fetch.starved)
        due_ns = now_ns + STARVED_REST_NS;
    if (broker->ready != NULL && broker->throttle_ns > now_ns)
        due_ns = ps_least(due_ns, broker->throttle_ns);
    if (broker->phase == PS_KAFKA_NATIVE_UP && broker->first == NULL)
        due_ns = ps_least(due_ns, broker->login.again_ns);
    return ps_least(due_ns, idle_ns(broker));
}
