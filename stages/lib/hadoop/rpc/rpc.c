#include "stages/lib/hadoop/rpc/rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backoff.h"
#include "core/log/log.h"
#include "core/quantity.h"
#include "core/stage.h"
#include "stages/lib/hadoop/rpc/error.h"
#include "stages/lib/random.h"

#define SOON_NS (5 * PS_NS_PER_MS) /* first wait of PS_HADOOP_RPC_REPEAT_SOON; doubles */
#define SOON_MAX_NS (400 * PS_NS_PER_MS)

#define SENT_CHAINS 64U

#define PATIENCE_TOLD_NS (60 * PS_NS_PER_S)

struct ps_hadoop_rpc {
    struct ps_hadoop_rpc_settings settings;
    struct ps_hadoop_rpc_connection connection;
    struct ps_random random;
    unsigned server; /* index of the server that is probably active */
    bool answered;   /* `last_server` has answered */
    unsigned last_server;
    unsigned failures;                 /* connections that were lost or refused since the last answer */
    uint64_t open_ns;                  /* no connection is opened before this time */
    struct ps_hadoop_timer timer;      /* handles `waiting` */
    struct ps_hadoop_rpc_list waiting; /* calls that wait for a connection */
    struct ps_hadoop_rpc_list sent;    /* calls that wait for a response */
    struct ps_hadoop_rpc_call *sent_by_id[SENT_CHAINS];
    struct ps_hadoop_rpc_list resting;
    int32_t next_id;
    uint8_t *ending;  /* request of the call whose `done` runs; ps_hadoop_rpc_repeat uses it again */
    bool complained;  /* it was logged that there is no connection; reset by the next connection */
    uint64_t told_ns; /* earliest time of the next log line about a server that asks to wait */
};

static uint64_t now_ns(const struct ps_hadoop_rpc *rpc)
{
    return ps_hadoop_loop_now(rpc->settings.loop).mono_ns;
}

/* ---- lists ---- */

static struct ps_hadoop_rpc_call **sent_chain(struct ps_hadoop_rpc *rpc, int32_t id)
{
    return &rpc->sent_by_id[(uint32_t)id % SENT_CHAINS];
}

static void enter_sent(struct ps_hadoop_rpc_call *call)
{
    struct ps_hadoop_rpc_call **chain = sent_chain(call->rpc, call->id);
    call->same_chain = *chain;
    *chain = call;
    call->rpc->connection.in_flight++;
}

static void leave_sent(struct ps_hadoop_rpc_call *call)
{
    struct ps_hadoop_rpc_call **place = sent_chain(call->rpc, call->id);
    while (*place != call)
        place = &(*place)->same_chain;
    *place = call->same_chain;
    call->rpc->connection.in_flight--;
}

static void leave_list(struct ps_hadoop_rpc_call *call)
{
    if (call->list == &call->rpc->sent)
        leave_sent(call);
    TAILQ_REMOVE(call->list, call, entry);
    call->list = NULL;
}

static void enter_list(struct ps_hadoop_rpc_list *list, struct ps_hadoop_rpc_call *call)
{
    if (call->list != NULL)
        leave_list(call);
    TAILQ_INSERT_TAIL(list, call, entry);
    call->list = list;
    if (list == &call->rpc->sent)
        enter_sent(call);
}

/* Returns NULL if the call was cancelled or has timed out. */
static struct ps_hadoop_rpc_call *find_sent(struct ps_hadoop_rpc *rpc, int32_t id)
{
    struct ps_hadoop_rpc_call *call = *sent_chain(rpc, id);
    while (call != NULL && call->id != id)
        call = call->same_chain;
    return call;
}

/* ---- the end of a call ---- */

static void forget(struct ps_hadoop_rpc *rpc, struct ps_hadoop_rpc_call *call)
{
    leave_list(call);
    ps_hadoop_loop_unset(rpc->settings.loop, &call->timer);
    call->rpc = NULL;
}

static void finish(struct ps_hadoop_rpc_call *call, const struct ps_hadoop_rpc_outcome *outcome)
{
    struct ps_hadoop_rpc *rpc = call->rpc;
    forget(rpc, call);
    rpc->ending = call->request;
    call->request = NULL;
    call->done(call, outcome); /* `done` may free the call */
    free(rpc->ending);
    rpc->ending = NULL;
}

static void fail_with(struct ps_hadoop_rpc_call *call, enum ps_file_error error, const char *exception,
                      const char *message)
{
    char reason[PS_FILE_REASON_BYTES + 64];
    snprintf(reason, sizeof reason, "%s: %s", call->method, call->reason);
    finish(call, &(struct ps_hadoop_rpc_outcome){
                     .error = error, .reason = reason, .exception = exception, .message = message});
}

static void fail(struct ps_hadoop_rpc_call *call, enum ps_file_error error, const char *exception)
{
    fail_with(call, error, exception, "");
}

void ps_hadoop_rpc_cancel(struct ps_hadoop_rpc_call *call)
{
    if (call->rpc == NULL)
        return;
    forget(call->rpc, call);
    free(call->request);
    call->request = NULL;
}

/* ---- sending ---- */

static void look_soon(struct ps_hadoop_rpc *rpc)
{
    ps_hadoop_loop_set(rpc->settings.loop, &rpc->timer, now_ns(rpc));
}

static void open_connection(struct ps_hadoop_rpc *rpc)
{
    const struct ps_hadoop_rpc_server *server = &rpc->settings.servers[rpc->server];
    struct ps_hadoop_rpc_connection *connection = &rpc->connection;
    if (connection->host != server->host || connection->port != server->port) {
        ps_hadoop_rpc_connection_fini(connection); /* to the previous server */
        connection->host = server->host;
        connection->port = server->port;
        ps_hadoop_rpc_connection_init(connection);
    }
    ps_hadoop_rpc_connection_open(connection);
}

/* Prepares a call in its first turn. */
static void pick_up(struct ps_hadoop_rpc *rpc, struct ps_hadoop_rpc_call *call)
{
    if (call->deadline_ns == 0)
        call->deadline_ns = now_ns(rpc) + rpc->settings.call_timeout_ns;
    ps_hadoop_loop_set(rpc->settings.loop, &call->timer, call->deadline_ns);
}

static void send_waiting(struct ps_hadoop_rpc *rpc)
{
    struct ps_hadoop_rpc_connection *connection = &rpc->connection;
    for (struct ps_hadoop_rpc_call *call;
         connection->phase == PS_HADOOP_RPC_UP && (call = TAILQ_FIRST(&rpc->waiting)) != NULL;) {
        pick_up(rpc, call);
        if (call->request == NULL || !ps_hadoop_rpc_connection_send(connection, call->id, call->retry_count,
                                                                    call->request, call->request_length)) {
            snprintf(call->reason, sizeof call->reason, "no memory");
            fail(call, PS_FILE_NO_MEMORY, "");
            continue;
        }
        call->sent_ns = now_ns(rpc);
        enter_list(&rpc->sent, call);
    }
}

static void look(struct ps_hadoop_timer *timer)
{
    struct ps_hadoop_rpc *rpc =
        (struct ps_hadoop_rpc *)((char *)timer - offsetof(struct ps_hadoop_rpc, timer));
    struct ps_hadoop_rpc_call *call;
    send_waiting(rpc);
    TAILQ_FOREACH(call, &rpc->waiting, entry)
    pick_up(rpc, call);
    if (TAILQ_EMPTY(&rpc->waiting) || rpc->connection.phase != PS_HADOOP_RPC_CLOSED)
        return;
    if (now_ns(rpc) >= rpc->open_ns)
        open_connection(rpc);
    else
        ps_hadoop_loop_set(rpc->settings.loop, &rpc->timer, rpc->open_ns);
}

static void up(struct ps_hadoop_rpc_connection *connection)
{
    send_waiting((struct ps_hadoop_rpc *)((char *)connection - offsetof(struct ps_hadoop_rpc, connection)));
}

/* ---- repeated tries ---- */

/* Returns the backoff before the next try: it doubles each time, and is multiplied by a random factor between 0.5 and
 * 1.5, so that clients do not try at the same time (RetryPolicies.calculateExponentialTime). */
static uint64_t rest_of(struct ps_hadoop_rpc *rpc, uint64_t base_ns, uint64_t max_ns, unsigned times)
{
    return ps_backoff_spread(ps_backoff_doubled(base_ns, max_ns, times), 2, ps_random_next(&rpc->random));
}

static void rest(struct ps_hadoop_rpc *rpc, struct ps_hadoop_rpc_call *call, uint64_t rest_ns)
{
    uint64_t until_ns = now_ns(rpc) + rest_ns;
    enter_list(&rpc->resting, call);
    ps_hadoop_loop_set(rpc->settings.loop, &call->timer,
                       until_ns < call->deadline_ns ? until_ns : call->deadline_ns);
}

/* Moves the sent calls to the front of the waiting ones, in order. */
static void take_back_sent(struct ps_hadoop_rpc *rpc, const char *reason)
{
    struct ps_hadoop_rpc_call *call;
    while ((call = TAILQ_LAST(&rpc->sent, ps_hadoop_rpc_list)) != NULL) {
        leave_list(call);
        call->list = &rpc->waiting;
        TAILQ_INSERT_HEAD(&rpc->waiting, call, entry);
        call->retry_count++;
        call->uncertain = true;
    }
    TAILQ_FOREACH(call, &rpc->waiting, entry)
    {
        call->error = PS_FILE_UNAVAILABLE;
        snprintf(call->reason, sizeof call->reason, "%s", reason);
    }
}

static enum ps_log_level outage_level(const struct ps_hadoop_rpc_settings *settings)
{
    return settings->port != NULL ? ps_port_outage_level(settings->port, PS_LOG_WARN) : PS_LOG_WARN;
}

/* Tries the next server, or the same one later, after the connection was closed or is unusable. */
static void try_next(struct ps_hadoop_rpc *rpc, const char *reason)
{
    const struct ps_hadoop_rpc_settings *settings = &rpc->settings;
    ps_hadoop_rpc_connection_close(&rpc->connection);
    take_back_sent(rpc, reason);
    /* The other servers are tried without a backoff. */
    unsigned rounds = rpc->failures++ / settings->server_count;
    rpc->open_ns = now_ns(rpc);
    if (rounds > 0)
        rpc->open_ns += rest_of(rpc, settings->rest_ns, settings->rest_max_ns, rounds - 1);
    if (settings->server_count > 1)
        rpc->server = (rpc->server + 1) % settings->server_count;
    if (!TAILQ_EMPTY(&rpc->waiting) && !rpc->complained && rounds > 0) {
        rpc->complained = true;
        ps_log(outage_level(settings), settings->component, "%s: %s; tried again", settings->service, reason);
    }
    look_soon(rpc);
}

/* ---- responses ---- */

/* Fails all calls, because the server refused the connection or the user. */
static void fail_all(struct ps_hadoop_rpc *rpc, enum ps_file_error error, const char *exception,
                     const char *reason)
{
    struct ps_hadoop_rpc_list ending = TAILQ_HEAD_INITIALIZER(ending);
    struct ps_hadoop_rpc_call *call;
    take_back_sent(rpc, reason);
    while ((call = TAILQ_FIRST(&rpc->waiting)) != NULL)
        enter_list(&ending, call);
    while ((call = TAILQ_FIRST(&ending)) != NULL)
        fail(call, error, exception);
}

/* Returns whether only an operator can correct the failure, for all servers: calls need not wait then. */
static bool is_refused(const struct ps_hadoop_rpc *rpc)
{
    const struct ps_hadoop_rpc_connection *connection = &rpc->connection;
    return connection->auth != NULL && connection->auth->is_refused != NULL &&
           connection->auth_server != NULL && connection->auth->is_refused(connection->auth_server) &&
           rpc->failures + 1 >= rpc->settings.server_count;
}

static void lost(struct ps_hadoop_rpc_connection *connection, const char *reason,
                 const struct ps_hadoop_rpc_response *exception)
{
    struct ps_hadoop_rpc *rpc =
        (struct ps_hadoop_rpc *)((char *)connection - offsetof(struct ps_hadoop_rpc, connection));
    struct ps_hadoop_rpc_judgement judgement = {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL_OVER};
    if (TAILQ_EMPTY(&rpc->sent) && TAILQ_EMPTY(&rpc->waiting))
        return; /* no call needs the connection: servers close idle ones */
    if (exception != NULL)
        judgement = ps_hadoop_rpc_judge(exception->exception, exception->message, exception->detail);
    else if (is_refused(rpc))
        judgement.verdict = PS_HADOOP_RPC_FAIL;
    if (judgement.verdict == PS_HADOOP_RPC_FAIL)
        fail_all(rpc, judgement.error,
                 exception != NULL ? ps_hadoop_rpc_simple_class(exception->exception) : "", reason);
    else
        try_next(rpc, reason);
}

static void refused(struct ps_hadoop_rpc *rpc, struct ps_hadoop_rpc_call *call,
                    const struct ps_hadoop_rpc_response *response)
{
    const struct ps_hadoop_rpc_settings *settings = &rpc->settings;
    struct ps_hadoop_rpc_judgement judgement =
        ps_hadoop_rpc_judge(response->exception, response->message, response->detail);
    const struct ps_hadoop_rpc_server *server = &settings->servers[rpc->server];
    bool uncertain = call->uncertain; /* an earlier try may have been carried out, but this one was not */
    call->error = judgement.error;
    snprintf(call->reason, sizeof call->reason, "%s:%u: %s: %.250s", server->host, server->port,
             ps_hadoop_rpc_simple_class(response->exception), response->message);
    switch (judgement.verdict) {
    case PS_HADOOP_RPC_FAIL:
        fail_with(call, judgement.error, ps_hadoop_rpc_simple_class(response->exception), response->message);
        break;
    case PS_HADOOP_RPC_FAIL_OVER:
        if (settings->server_count > 1) {
            char reason[PS_FILE_REASON_BYTES];
            snprintf(reason, sizeof reason, "%s", call->reason);
            try_next(rpc, reason);
            call->uncertain = uncertain;
            break;
        } /* FALLTHROUGH */
    case PS_HADOOP_RPC_REPEAT:
        if (now_ns(rpc) >= rpc->told_ns) {
            rpc->told_ns = now_ns(rpc) + PATIENCE_TOLD_NS;
            ps_log(outage_level(settings), settings->component, "%s: %s; trying again", settings->service,
                   call->reason);
        }
        call->retry_count++;
        rest(rpc, call, rest_of(rpc, settings->rest_ns, settings->rest_max_ns, call->rests++));
        break;
    case PS_HADOOP_RPC_REPEAT_SOON:
        call->retry_count++;
        rest(rpc, call, rest_of(rpc, SOON_NS, SOON_MAX_NS, call->rests++));
        break;
    }
}

/* After failures, logs which server is the active one. */
static void answers_again(struct ps_hadoop_rpc *rpc)
{
    const struct ps_hadoop_rpc_settings *settings = &rpc->settings;
    const struct ps_hadoop_rpc_server *server = &settings->servers[rpc->server];
    if (rpc->complained || (rpc->answered && rpc->last_server != rpc->server))
        ps_log(PS_LOG_INFO, settings->component, "%s: %s:%u answers", settings->service, server->host,
               server->port);
    rpc->answered = true;
    rpc->last_server = rpc->server;
    rpc->failures = 0;
    rpc->complained = false;
}

static void response(struct ps_hadoop_rpc_connection *connection, const struct ps_hadoop_rpc_response *got)
{
    struct ps_hadoop_rpc *rpc =
        (struct ps_hadoop_rpc *)((char *)connection - offsetof(struct ps_hadoop_rpc, connection));
    struct ps_hadoop_rpc_call *call = find_sent(rpc, got->call_id);
    if (call == NULL)
        return;
    if (got->status != 0) {
        refused(rpc, call, got);
        return;
    }
    answers_again(rpc);
    finish(call, &(struct ps_hadoop_rpc_outcome){.reason = "",
                                                 .exception = "",
                                                 .message = "",
                                                 .body = got->body,
                                                 .body_length = got->body_length});
}

/* ---- deadlines ---- */

static void expire(struct ps_hadoop_rpc *rpc, struct ps_hadoop_rpc_call *call)
{
    bool sent = call->list == &rpc->sent;
    char reason[PS_FILE_REASON_BYTES];
    snprintf(reason, sizeof reason, "%s", call->reason);
    if (sent && rpc->connection.heard_ns <= call->sent_ns) {
        /* The server has answered no call: tries another connection or server. */
        const struct ps_hadoop_rpc_server *server = &rpc->settings.servers[rpc->server];
        snprintf(reason, sizeof reason, "%s:%u: nothing was heard", server->host, server->port);
        try_next(rpc, reason);
    }
    if (sent || call->uncertain)
        snprintf(call->reason, sizeof call->reason, "%s: no answer within %s%s%.200s", rpc->settings.service,
                 ps_quantity_print_ns(rpc->settings.call_timeout_ns).text, reason[0] != '\0' ? ": " : "",
                 reason);
    else if (call->error == PS_FILE_OK)
        snprintf(call->reason, sizeof call->reason, "%s: no connection within %s", rpc->settings.service,
                 ps_quantity_print_ns(rpc->settings.call_timeout_ns).text);
    fail(call,
         sent || call->uncertain     ? PS_FILE_TIMEOUT
         : call->error == PS_FILE_OK ? PS_FILE_UNAVAILABLE
                                     : call->error,
         "");
}

static void call_timer(struct ps_hadoop_timer *timer)
{
    struct ps_hadoop_rpc_call *call =
        (struct ps_hadoop_rpc_call *)((char *)timer - offsetof(struct ps_hadoop_rpc_call, timer));
    struct ps_hadoop_rpc *rpc = call->rpc;
    if (now_ns(rpc) >= call->deadline_ns) {
        expire(rpc, call);
        return;
    }
    enter_list(&rpc->waiting, call);
    look_soon(rpc);
}

/* ---- calls ---- */

static int32_t take_id(struct ps_hadoop_rpc *rpc)
{
    int32_t id = rpc->next_id;
    rpc->next_id = id == INT32_MAX ? 0 : id + 1;
    return id;
}

void ps_hadoop_rpc_begin(struct ps_hadoop_rpc *rpc, struct ps_hadoop_rpc_call *call, const char *method,
                         const ProtobufCMessage *message)
{
    PsHadoop__RpcMethod name = PS_HADOOP__RPC_METHOD__INIT;
    struct ps_byte_buffer request = {0};
    PS_ASSERT(call->rpc == NULL);
    name.name = (char *)method; /* only read */
    name.protocol = (char *)rpc->settings.protocol;
    name.protocol_version = rpc->settings.protocol_version;
    if (!ps_hadoop_rpc_put_message(&request, &name.base) || !ps_hadoop_rpc_put_message(&request, message))
        ps_byte_buffer_clear(&request, 0); /* send_waiting reports the failure */
    *call = (struct ps_hadoop_rpc_call){.done = call->done,
                                        .rpc = rpc,
                                        .timer = {.fire = call_timer},
                                        .id = take_id(rpc),
                                        .method = method,
                                        .request = (uint8_t *)request.data,
                                        .request_length = request.length};
    enter_list(&rpc->waiting, call);
    look_soon(rpc);
}

void ps_hadoop_rpc_repeat(struct ps_hadoop_rpc *rpc, struct ps_hadoop_rpc_call *call, uint64_t rest_ns,
                          enum ps_file_error error, const char *reason)
{
    PS_ASSERT(rpc->ending != NULL && call->rpc == NULL);
    call->rpc = rpc;
    call->request = rpc->ending;
    rpc->ending = NULL;
    call->id = take_id(rpc);
    call->retry_count = 0;
    call->uncertain = false;
    call->error = error;
    snprintf(call->reason, sizeof call->reason, "%s", reason);
    rest(rpc, call, rest_ns);
}

/* ---- the service ---- */

static const struct ps_hadoop_rpc_connection_ops connection_ops = {
    .up = up, .response = response, .lost = lost};

struct ps_hadoop_rpc *ps_hadoop_rpc_open(const struct ps_hadoop_rpc_settings *settings)
{
    struct ps_hadoop_rpc *rpc = ps_must_alloc(1, sizeof *rpc, "a service of Hadoop");
    PS_ASSERT(settings->server_count > 0);
    rpc->settings = *settings;
    TAILQ_INIT(&rpc->waiting);
    TAILQ_INIT(&rpc->sent);
    TAILQ_INIT(&rpc->resting);
    ps_random_init(&rpc->random);
    rpc->timer.fire = look;
    rpc->connection = (struct ps_hadoop_rpc_connection){.ops = &connection_ops,
                                                        .loop = rpc->settings.loop,
                                                        .limits = &rpc->settings.limits,
                                                        .auth = rpc->settings.auth,
                                                        .host = rpc->settings.servers[0].host,
                                                        .port = rpc->settings.servers[0].port,
                                                        .protocol = rpc->settings.protocol,
                                                        .user = rpc->settings.user,
                                                        .real_user = rpc->settings.real_user};
    for (unsigned i = 0; i < PS_HADOOP_RPC_CLIENT_ID_BYTES; i++)
        rpc->connection.client_id[i] = (uint8_t)ps_random_next(&rpc->random);
    ps_hadoop_rpc_connection_init(&rpc->connection);
    return rpc;
}

static void cancel_all(struct ps_hadoop_rpc_list *list)
{
    while (!TAILQ_EMPTY(list))
        ps_hadoop_rpc_cancel(TAILQ_FIRST(list));
}

void ps_hadoop_rpc_close(struct ps_hadoop_rpc *rpc)
{
    if (rpc == NULL)
        return;
    cancel_all(&rpc->waiting);
    cancel_all(&rpc->sent);
    cancel_all(&rpc->resting);
    ps_hadoop_loop_unset(rpc->settings.loop, &rpc->timer);
    ps_hadoop_rpc_connection_fini(&rpc->connection);
    free(rpc);
}
