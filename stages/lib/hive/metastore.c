#include "stages/lib/hive/metastore.h"

#include "core/text/list.h"
#include "stages/lib/net/client.h"
#include "stages/lib/thrift/legacy.h"

#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

#define USUAL_PORT 9083U
#define ANSWER_BYTES_MAX (4U << 20)
#define READ_BYTES 16384U
#define REST_NS (500 * PS_NS_PER_MS) /* backoff after all addresses were tried */
#define SCHEME "thrift://"

#define TICKET_NS (20 * PS_NS_PER_MS) /* interval at which a handshake checks for a ticket */

struct address {
    char host[PS_HOST_NAME_BYTES];
    unsigned port;
    struct ps_hive_sasl sasl; /* its initiator is NULL until the first connection */
};

struct call {
    struct call *next;
    enum ps_hive_call call;
    uint32_t number;
    ps_metastore_done *done;
    void *argument;
    uint64_t deadline_ns; /* 0: the call has not been the first in the queue yet */
    int64_t *txns;        /* allocate_table_write_ids: the answer for a metastore that has no write ids */
    size_t txns_count;
    uint8_t *old; /* the encoded call get_table, which replaces get_table_req */
    size_t old_length;
    uint8_t *bytes;
    size_t length, at;
};

enum phase { CLOSED, LOOKING_UP, CONNECTING, UP, RESTING };

struct ps_metastore {
    struct ps_hadoop_loop *loop;
    struct ps_metastore_settings settings;
    struct address addresses[PS_METASTORE_ADDRESSES_MAX];
    unsigned address_count, current, tried; /* `tried`: addresses tried since the last connection */
    enum phase phase;
    struct ps_hadoop_watch watch;
    struct ps_hadoop_timer timer;
    struct ps_hadoop_lookup lookup;
    struct ps_client_plan plan;
    struct ps_client client;
    uint64_t rest_ns; /* end of the backoff */
    bool writing;     /* the socket accepts no more bytes now */
    bool has_no_write_ids, has_no_table_request;
    uint32_t number;
    struct call *first, **last;
    uint8_t *in;
    size_t in_length, in_room;
    struct ps_thrift_bare measured;    /* how far the answer in `in` was measured */
    char reason[PS_HIVE_REASON_BYTES]; /* why the last connection failed */
};

static uint64_t now_of(const struct ps_metastore *metastore)
{
    return ps_hadoop_loop_now(metastore->loop).mono_ns;
}

/* ---- addresses ---- */

static enum ps_status read_address(const char *text, size_t length, struct address *address,
                                   struct ps_err *err)
{
    size_t scheme = strlen(SCHEME);
    char host[PS_HOST_NAME_BYTES + 16];
    if (length <= scheme || length - scheme >= sizeof(host) || strncasecmp(text, SCHEME, scheme) != 0)
        return ps_err_set(err, "\"%.*s\" is not an address of a metastore: it is written thrift://HOST:PORT",
                          (int)length, text);
    snprintf(host, sizeof(host), "%.*s", (int)(length - scheme), text + scheme);
    char *start = host, *colon = strrchr(host, ':'), *bracket = strchr(host, ']'), *end = NULL;
    unsigned long port = USUAL_PORT;
    if (colon != NULL && (bracket == NULL || colon > bracket)) {
        port = strtoul(colon + 1, &end, 10);
        if (end == colon + 1 || (*end != '\0' && strcmp(end, "/") != 0))
            port = 0;
        *colon = '\0';
    }
    if (host[0] == '[' && bracket != NULL) {
        start++;
        *bracket = '\0';
    }
    start[strcspn(start, "/")] = '\0';
    if (port == 0 || port > 65535 || *start == '\0' || strlen(start) >= sizeof(address->host))
        return ps_err_set(err, "\"%.*s\" has no host, or no port", (int)length, text);
    *address = (struct address){.port = (unsigned)port};
    memcpy(address->host, start, strlen(start) + 1);
    return PS_OK;
}

static enum ps_status read_addresses(const char *text, struct address *addresses, unsigned *count,
                                     struct ps_err *err)
{
    struct ps_slice item;
    *count = 0;
    while (ps_list_next(&text, " ,", &item)) {
        if (*count == PS_METASTORE_ADDRESSES_MAX)
            return ps_err_set(err, "more than %u metastores", PS_METASTORE_ADDRESSES_MAX);
        if (read_address(item.data, item.length, &addresses[(*count)++], err) != PS_OK)
            return PS_FAIL;
    }
    return *count > 0 ? PS_OK : ps_err_set(err, "it names no metastore");
}

enum ps_status ps_metastore_check_addresses(const char *addresses, struct ps_err *err)
{
    struct address all[PS_METASTORE_ADDRESSES_MAX];
    unsigned count;
    return read_addresses(addresses, all, &count, err);
}

/* ---- calls ---- */

static void free_call(struct call *call)
{
    free(call->txns);
    free(call->old);
    free(call->bytes);
    free(call);
}

/* Removes the first call from the queue and calls its callback. */
static void finish(struct ps_metastore *metastore, const struct ps_hive_answer *answer)
{
    struct call *call = metastore->first;
    metastore->first = call->next;
    if (metastore->first == NULL)
        metastore->last = &metastore->first;
    call->done(call->argument, answer);
    free_call(call);
}

static void finish_with(struct ps_metastore *metastore, enum ps_hive_error error, const char *what)
{
    const struct address *address = &metastore->addresses[metastore->current];
    struct ps_hive_answer answer = {.error = error};
    snprintf(answer.reason, sizeof(answer.reason), "%s to the metastore at %.128s:%u: %.128s",
             ps_hive_call_names[metastore->first->call], address->host, address->port, what);
    finish(metastore, &answer);
}

static uint8_t *encode(enum ps_hive_call call, const struct ps_hive_request *request, uint32_t number,
                       size_t *length)
{
    uint8_t *bytes = ps_must_alloc(1, ps_hive_request_room(request), "a call of a metastore");
    *length = ps_hive_request_write(call, request, number, bytes);
    return bytes;
}

void ps_metastore_call(struct ps_metastore *metastore, enum ps_hive_call call,
                       const struct ps_hive_request *request, ps_metastore_done *done, void *argument)
{
    struct call *queued = ps_must_alloc(1, sizeof(*queued), "a call of a metastore");
    struct ps_hive_request known = *request;
    known.has_write_ids = !metastore->has_no_write_ids;
    if (call == PS_HIVE_GET_TABLE && metastore->has_no_table_request)
        call = PS_HIVE_GET_TABLE_OLD;
    *queued = (struct call){.call = call, .number = ++metastore->number, .done = done, .argument = argument};
    queued->bytes = encode(call, &known, queued->number, &queued->length);
    if (call == PS_HIVE_GET_TABLE)
        queued->old = encode(PS_HIVE_GET_TABLE_OLD, &known, queued->number, &queued->old_length);
    if (call == PS_HIVE_ALLOCATE_TABLE_WRITE_IDS && known.txns_count > 0) {
        queued->txns_count = known.txns_count;
        queued->txns = ps_must_alloc(known.txns_count, sizeof(int64_t), "a call of a metastore");
        memcpy(queued->txns, known.txns, known.txns_count * sizeof(int64_t));
    }
    *metastore->last = queued;
    metastore->last = &queued->next;
    ps_hadoop_loop_set(metastore->loop, &metastore->timer, now_of(metastore));
}

/* ---- the connection ---- */

static void close_connection(struct ps_metastore *metastore)
{
    ps_hadoop_loop_forget(metastore->loop, &metastore->lookup);
    ps_hadoop_loop_unwatch(metastore->loop, &metastore->watch);
    if (metastore->phase == CONNECTING || metastore->phase == UP)
        ps_client_close(&metastore->client);
    metastore->phase = CLOSED;
    metastore->in_length = 0;
    metastore->measured = (struct ps_thrift_bare){.passed = 0};
    metastore->writing = false;
}

/* Closes a connection that is broken: the call that was sent fails, other calls go to the next address. */
static void lose(struct ps_metastore *metastore, const char *reason)
{
    char kept[PS_TRANSPORT_REASON_BYTES];
    bool was_up = metastore->phase == UP;
    snprintf(kept, sizeof(kept), "%s", reason);
    close_connection(metastore);
    snprintf(metastore->reason, sizeof(metastore->reason), "%s", kept);
    if (metastore->first != NULL && metastore->first->at > 0)
        finish_with(metastore, PS_HIVE_UNREACHABLE, kept);
    if (was_up)
        return;
    metastore->current = (metastore->current + 1) % metastore->address_count;
    if (++metastore->tried % metastore->address_count == 0) {
        metastore->phase = RESTING;
        metastore->rest_ns = now_of(metastore) + REST_NS;
    }
}

static void look_up(struct ps_metastore *metastore)
{
    const struct address *address = &metastore->addresses[metastore->current];
    metastore->phase = LOOKING_UP;
    ps_hadoop_loop_look_up(metastore->loop, &metastore->lookup, address->host, address->port);
}

static void go_on_connecting(struct ps_metastore *metastore)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    short events;
    if (!ps_client_work(&metastore->client, now_of(metastore), reason)) {
        lose(metastore, reason);
        return;
    }
    if (metastore->client.phase == PS_CLIENT_UP) {
        metastore->phase = UP;
        metastore->tried = 0;
    }
    int fd = ps_client_descriptor(&metastore->client, false, &events);
    ps_hadoop_loop_watch(metastore->loop, &metastore->watch, fd, (uint32_t)events);
}

/* Sends the rest of the first call. */
static void send_call(struct ps_metastore *metastore)
{
    struct call *call = metastore->first;
    char reason[PS_TRANSPORT_REASON_BYTES];
    short events;
    metastore->writing = false;
    while (call != NULL && call->at < call->length && !metastore->writing) {
        struct iovec part = {call->bytes + call->at, call->length - call->at};
        ssize_t wrote = ps_client_write(&metastore->client, &part, 1, reason);
        if (wrote < 0) {
            lose(metastore, reason);
            return;
        }
        metastore->writing = wrote == 0;
        call->at += (size_t)wrote;
    }
    int fd = ps_client_descriptor(&metastore->client, metastore->writing, &events);
    ps_hadoop_loop_watch(metastore->loop, &metastore->watch, fd, (uint32_t)events);
}

static bool time_is_up(const struct ps_metastore *metastore)
{
    return metastore->first != NULL && metastore->first->deadline_ns != 0 &&
           now_of(metastore) >= metastore->first->deadline_ns;
}

/* Ends calls that have timed out. */
static void end_late_calls(struct ps_metastore *metastore)
{
    while (time_is_up(metastore)) {
        /* closes the connection, because a late answer would be taken as the answer to the next call */
        if (metastore->first->at > 0) {
            close_connection(metastore);
            finish_with(metastore, PS_HIVE_TIMEOUT, "no answer in time");
        } else {
            finish_with(metastore, PS_HIVE_UNREACHABLE,
                        metastore->reason[0] != '\0' ? metastore->reason : "no connection in time");
        }
    }
}

static void drive(struct ps_metastore *metastore)
{
    uint64_t now = now_of(metastore), due = PS_NEVER;
    end_late_calls(metastore);
    if (metastore->first != NULL && metastore->first->deadline_ns == 0)
        metastore->first->deadline_ns = now + metastore->settings.call_timeout_ns;
    if (metastore->phase == RESTING && now >= metastore->rest_ns)
        metastore->phase = CLOSED;
    if (metastore->phase == CLOSED && metastore->first != NULL)
        look_up(metastore);
    else if (metastore->phase == CONNECTING)
        go_on_connecting(metastore);
    if (metastore->phase == UP)
        send_call(metastore);
    if (metastore->first != NULL)
        due = metastore->first->deadline_ns != 0 ? metastore->first->deadline_ns : now;
    if (metastore->phase == CLOSED && metastore->first != NULL)
        due = now;
    if (metastore->phase == RESTING && metastore->first != NULL && metastore->rest_ns < due)
        due = metastore->rest_ns;
    if (metastore->phase == CONNECTING && metastore->client.deadline_ns < due)
        due = metastore->client.deadline_ns;
    if (metastore->phase == CONNECTING && metastore->settings.security != NULL && now + TICKET_NS < due)
        due = now + TICKET_NS;
    ps_hadoop_loop_set(metastore->loop, &metastore->timer, due);
}

/* Chooses the transport to the present address. Returns false with the reason. */
static bool choose_transport(struct ps_metastore *metastore, char *reason)
{
    struct address *address = &metastore->addresses[metastore->current];
    struct ps_err err = {.length = 0};
    metastore->plan.transport = &ps_transport_plain;
    if (metastore->settings.security == NULL)
        return true;
    if (address->sasl.initiator == NULL &&
        ps_hive_security_enter(metastore->settings.security, address->host, &address->sasl, &err) != PS_OK) {
        snprintf(reason, PS_TRANSPORT_REASON_BYTES, "%.255s", err.text);
        return false;
    }
    metastore->plan.transport = &ps_hive_sasl_transport;
    metastore->plan.transport_settings = &address->sasl;
    return true;
}

static void found(struct ps_hadoop_lookup *lookup, const struct ps_address *address, int error)
{
    struct ps_metastore *metastore =
        (struct ps_metastore *)(void *)((char *)lookup - offsetof(struct ps_metastore, lookup));
    const struct ps_metastore_settings *settings = &metastore->settings;
    char reason[PS_TRANSPORT_REASON_BYTES];
    if (error != 0) {
        snprintf(reason, sizeof(reason), "the name cannot be resolved: %s", gai_strerror(error));
        lose(metastore, reason);
        drive(metastore);
        return;
    }
    metastore->plan = (struct ps_client_plan){
        .address = address->storage, .address_bytes = address->length, .connect_ns = settings->connect_ns};
    if (!choose_transport(metastore, reason)) {
        lose(metastore, reason);
        drive(metastore);
        return;
    }
    ps_client_init(&metastore->client, &metastore->plan);
    metastore->phase = CONNECTING;
    if (!ps_client_connect(&metastore->client, now_of(metastore), reason))
        lose(metastore, reason);
    drive(metastore);
}

/* ---- answers ---- */

/* Replaces a call that the metastore does not have by an older one. Returns false if there is none. */
static bool fall_back(struct ps_metastore *metastore, struct ps_hive_answer *answer)
{
    struct call *call = metastore->first;
    if (call->call == PS_HIVE_GET_TABLE) {
        metastore->has_no_table_request = true;
        free(call->bytes);
        call->call = PS_HIVE_GET_TABLE_OLD;
        call->bytes = call->old;
        call->length = call->old_length;
        call->old = NULL;
        call->at = 0;
        return true;
    }
    if (call->call != PS_HIVE_ALLOCATE_TABLE_WRITE_IDS)
        return false;
    metastore->has_no_write_ids = true;
    answer->error = PS_HIVE_OK;
    answer->reason[0] = '\0';
    answer->number_count = 2 * call->txns_count;
    answer->numbers = ps_must_alloc(answer->number_count, sizeof(int64_t), "an answer of a metastore");
    for (size_t i = 0; i < answer->number_count; i++)
        answer->numbers[i] = call->txns[i / 2];
    finish(metastore, answer);
    return true;
}

static void take_answer(struct ps_metastore *metastore, size_t length)
{
    struct call *call = metastore->first;
    struct ps_hive_answer answer;
    ps_hive_answer_read(call->call, call->number, metastore->in, length, &answer);
    if (answer.error == PS_HIVE_GARBAGE)
        lose(metastore, answer.reason); /* this ends the call as well */
    else if (answer.error != PS_HIVE_NO_CALL || !fall_back(metastore, &answer))
        finish(metastore, &answer);
    ps_hive_answer_free(&answer);
    if (metastore->phase != UP)
        return;
    metastore->measured = (struct ps_thrift_bare){.passed = 0};
    metastore->in_length -= length;
    memmove(metastore->in, metastore->in + length, metastore->in_length);
}

/* Delivers a complete answer. Returns false if more bytes are needed, or the connection is lost. */
static bool take_answers(struct ps_metastore *metastore)
{
    uint32_t length = 0;
    if (metastore->in_length == 0)
        return false;
    if (metastore->first == NULL || metastore->first->at < metastore->first->length) {
        lose(metastore, "an answer that belongs to no call");
        return false;
    }
    switch (ps_thrift_bare_go_on(&metastore->measured, metastore->in, metastore->in_length, ANSWER_BYTES_MAX,
                                 &length)) {
    case PS_THRIFT_PARTIAL:
        return false;
    case PS_THRIFT_WHOLE:
        take_answer(metastore, length);
        return metastore->phase == UP;
    case PS_THRIFT_GARBAGE:
        lose(metastore, "that is not an answer of a metastore");
        return false;
    }
    return false;
}

static void receive(struct ps_metastore *metastore)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    while (metastore->phase == UP) {
        if (metastore->in_room - metastore->in_length < READ_BYTES) {
            metastore->in_room = 2 * metastore->in_room + READ_BYTES;
            metastore->in = ps_must_realloc(metastore->in, metastore->in_room, "an answer of a metastore");
        }
        ssize_t got = ps_client_read(&metastore->client, metastore->in + metastore->in_length,
                                     metastore->in_room - metastore->in_length, reason);
        if (got == 0)
            return;
        if (got < 0) {
            lose(metastore, reason);
            return;
        }
        metastore->in_length += (size_t)got;
        while (take_answers(metastore))
            continue;
    }
}

static void ready(struct ps_hadoop_watch *watch, uint32_t events)
{
    struct ps_metastore *metastore =
        (struct ps_metastore *)(void *)((char *)watch - offsetof(struct ps_metastore, watch));
    if (metastore->phase == UP && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        receive(metastore);
    drive(metastore);
}

static void fire(struct ps_hadoop_timer *timer)
{
    drive((struct ps_metastore *)(void *)((char *)timer - offsetof(struct ps_metastore, timer)));
}

/* ---- open and close ---- */

enum ps_status ps_metastore_open(const struct ps_metastore_settings *settings, struct ps_hadoop_loop *loop,
                                 struct ps_metastore **metastore, struct ps_err *err)
{
    struct ps_metastore *made = ps_must_alloc(1, sizeof(*made), "a metastore's client");
    made->loop = loop;
    made->settings = *settings;
    made->settings.addresses = NULL;
    made->last = &made->first;
    made->watch = (struct ps_hadoop_watch){.fd = -1, .ready = ready};
    made->timer = (struct ps_hadoop_timer){.fire = fire};
    made->lookup = (struct ps_hadoop_lookup){.found = found};
    if (read_addresses(settings->addresses, made->addresses, &made->address_count, err) != PS_OK) {
        free(made);
        return PS_FAIL;
    }
    *metastore = made;
    return PS_OK;
}

void ps_metastore_close(struct ps_metastore *metastore)
{
    if (metastore == NULL)
        return;
    close_connection(metastore);
    ps_hadoop_loop_unset(metastore->loop, &metastore->timer);
    while (metastore->first != NULL) {
        struct call *call = metastore->first;
        metastore->first = call->next;
        free_call(call);
    }
    for (unsigned i = 0; i < metastore->address_count; i++)
        ps_hive_security_leave(&metastore->addresses[i].sasl);
    free(metastore->in);
    free(metastore);
}
