#include "stages/lib/hadoop/rpc/sasl.h"

#include "core/text/printable.h"
#include "stages/lib/hadoop/proto/rpc_header.pb-c.h"
#include "stages/lib/hadoop/sasl_pipe.h"
#include "stages/lib/sasl/digest_md5/digest_md5.h"
#include "stages/lib/varint.h"

#include <endian.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define CALL_ID (-33)
#define REASON_BYTES PS_TRANSPORT_REASON_BYTES

enum { SUCCESS = 0, NEGOTIATE = 1, INITIATE = 2, CHALLENGE = 3, RESPONSE = 4, WRAP = 5 };

enum state {
    ASKED,     /* the server lists its methods */
    TICKET,    /* the helper thread is making a Kerberos token */
    EXCHANGE,  /* tokens are exchanged */
    LAST_SENT, /* the mechanism is complete; the server must send SUCCESS */
    PARTING,   /* the last message is being sent: the server has no security */
    OPEN,
};

struct session {
    struct ps_sasl_pipe pipe; /* must be first */
    const struct ps_hadoop_rpc_sasl *settings;
    enum state state;
    enum ps_hadoop_rpc_method method;
    const char *token_name, *token_secret; /* NULL: none */
    char server[PS_GSS_NAME_BYTES];        /* the server's principal, from its offer, without the realm */
};

enum ps_hadoop_rpc_method ps_hadoop_rpc_sasl_method(const void *opened)
{
    const struct session *session = opened;
    return session->method;
}

/* ---- messages ---- */

/* RpcRequestHeader after its length: kind 2, operation 0, call id -33, no client id, retry count -1. */
static const uint8_t request_header[] = {10, 0x08, 2, 0x10, 0, 0x18, 65, 0x22, 0, 0x28, 1};

static bool put_sasl(struct session *session, uint32_t state, const struct ps_sasl_token *token,
                     const PsHadoop__RpcSaslAuth *auth)
{
    PsHadoop__RpcSasl message = PS_HADOOP__RPC_SASL__INIT;
    PsHadoop__RpcSaslAuth chosen, *auths[1] = {&chosen};
    uint8_t head[4 + sizeof request_header + PS_VARINT_BYTES_MAX];
    message.state = state;
    if (token != NULL) {
        message.has_token = true;
        message.token = (ProtobufCBinaryData){.len = token->length, .data = token->bytes};
    }
    if (auth != NULL) {
        chosen = *auth;
        chosen.has_challenge = false;
        message.n_auths = 1;
        message.auths = auths;
    }
    size_t length = ps_hadoop__rpc_sasl__get_packed_size(&message);
    size_t prefix = ps_varint_put(head + 4 + sizeof request_header, length);
    uint32_t total = htobe32((uint32_t)(sizeof request_header + prefix + length));
    memcpy(head, &total, sizeof total);
    memcpy(head + 4, request_header, sizeof request_header);
    uint8_t *packed = malloc(length > 0 ? length : 1);
    if (packed == NULL)
        return false;
    (void)ps_hadoop__rpc_sasl__pack(&message, packed);
    bool put = ps_sasl_pipe_put(&session->pipe, head, 4 + sizeof request_header + prefix) &&
               ps_sasl_pipe_put(&session->pipe, packed, length);
    free(packed);
    return put;
}

/* Takes a message after its length. Returns the bytes after it; NULL if it is not complete. */
static uint8_t *take_delimited(uint8_t *at, const uint8_t *end, uint8_t **message, size_t *length)
{
    size_t head, taken = ps_varint_get_delimited(at, (size_t)(end - at), &head);
    *message = at + head;
    *length = taken - head;
    return taken > 0 ? at + taken : NULL;
}

/* Sets the reason from the server's refusal. */
static int explain_refusal(const PsHadoop__RpcResponseHeader *header, char *reason)
{
    const char *class = header->exception_class != NULL ? header->exception_class : "";
    const char *text = header->error_message != NULL ? header->error_message : "";
    const char *last = strrchr(class, '.');
    snprintf(reason, REASON_BYTES, "the server refuses: %.60s: %.*s", last != NULL ? last + 1 : class,
             (int)(strcspn(text, "\n") < 160 ? strcspn(text, "\n") : 160), text);
    (void)ps_printable_copy(reason, REASON_BYTES, reason, strlen(reason));
    return -1;
}

static int check_header(const uint8_t *bytes, size_t length, char *reason)
{
    PsHadoop__RpcResponseHeader *header = ps_hadoop__rpc_response_header__unpack(NULL, length, bytes);
    int result = 1;
    if (header == NULL)
        return ps_transport_lose(reason, "the server's answer is not one of Hadoop's RPC");
    if (header->status != 0)
        result = explain_refusal(header, reason);
    else if ((int32_t)header->call_id != CALL_ID)
        result = ps_transport_lose(reason, "the server does not answer with SASL");
    ps_hadoop__rpc_response_header__free_unpacked(header, NULL);
    return result;
}

static int read_sasl(struct session *session, PsHadoop__RpcSasl **message, short *wants, char *reason)
{
    uint8_t *frame, *part;
    size_t length, part_length;
    int done = ps_sasl_pipe_frame(&session->pipe, &frame, &length, wants, reason);
    if (done <= 0)
        return done;
    const uint8_t *end = frame + length;
    uint8_t *rest = take_delimited(frame, end, &part, &part_length);
    if (rest == NULL)
        return ps_transport_lose(reason, "the server's answer is not one of Hadoop's RPC");
    done = check_header(part, part_length, reason);
    if (done <= 0)
        return done;
    if (take_delimited(rest, end, &part, &part_length) != end)
        return ps_transport_lose(reason, "the server's answer is damaged");
    *message = ps_hadoop__rpc_sasl__unpack(NULL, part_length, part);
    return *message != NULL ? 1 : ps_transport_lose(reason, "the server's answer is damaged");
}

/* ---- the choice ---- */

static bool is(const PsHadoop__RpcSaslAuth *auth, const char *method, const char *mechanism)
{
    return strcmp(auth->method, method) == 0 && strcmp(auth->mechanism, mechanism) == 0;
}

static int refuse_choice(const PsHadoop__RpcSasl *offer, char *reason)
{
    size_t at = (size_t)snprintf(
        reason, REASON_BYTES, "the server accepts none of the methods that are configured here; it offers");
    for (size_t i = 0; i < offer->n_auths && at < REASON_BYTES; i++)
        at += (size_t)snprintf(reason + at, REASON_BYTES - at, " %.20s", offer->auths[i]->method);
    return -1;
}

static int begin_simple(struct session *session, const PsHadoop__RpcSaslAuth *auth, char *reason)
{
    if (!session->settings->may_be_simple)
        return ps_transport_lose(
            reason, "the server has no security, but hadoop.security.authentication is kerberos here "
                    "(allow it by ipc.client.fallback-to-simple-auth-allowed)");
    session->method = PS_HADOOP_RPC_SIMPLE;
    session->state = PARTING;
    return auth == NULL || put_sasl(session, INITIATE, NULL, auth) ? 1
                                                                   : ps_transport_lose(reason, "no memory");
}

/* Sends the mechanism's first token. */
static int initiate(struct session *session, const PsHadoop__RpcSaslAuth *auth, bool begins, char *reason)
{
    struct ps_sasl_token token = {.length = 0};
    session->state = EXCHANGE;
    if (begins || auth->has_challenge) {
        enum ps_sasl_result result = ps_sasl_step(session->pipe.sasl, auth->challenge.data,
                                                  auth->has_challenge ? auth->challenge.len : 0, &token);
        if (result == PS_SASL_FAILED)
            return ps_transport_lose(reason, session->pipe.sasl->reason);
        if (result == PS_SASL_DONE)
            session->state = LAST_SENT;
    }
    bool put = put_sasl(session, INITIATE, &token, auth);
    ps_sasl_token_free(&token);
    return put ? 1 : ps_transport_lose(reason, "no memory");
}

static int begin_token(struct session *session, const PsHadoop__RpcSaslAuth *auth, char *reason)
{
    const struct ps_digest_md5_settings settings = {.name = session->token_name,
                                                    .secret = session->token_secret,
                                                    .service = auth->protocol != NULL ? auth->protocol : "",
                                                    .host = auth->server_id != NULL ? auth->server_id : "",
                                                    .protection = session->settings->protection};
    session->method = PS_HADOOP_RPC_TOKEN;
    session->pipe.sasl = ps_digest_md5_open(&settings);
    return session->pipe.sasl != NULL ? initiate(session, auth, false, reason)
                                      : ps_transport_lose(reason, "no memory");
}

/* Takes a Kerberos token from the helper thread, or waits for it. */
static int begin_kerberos(struct session *session, char *reason)
{
    char why[PS_GSS_REASON_BYTES], host[PS_GSS_NAME_BYTES];
    PsHadoop__RpcSaslAuth auth = PS_HADOOP__RPC_SASL_AUTH__INIT;
    char method[] = "KERBEROS", mechanism[] = "GSSAPI";
    int begun = ps_sasl_pipe_begin_kerberos(&session->pipe, session->settings->initiator,
                                            session->settings->protection, why);
    session->state = TICKET;
    if (session->settings->refused != NULL)
        *session->settings->refused = ps_gss_initiator_is_refused(session->settings->initiator);
    if (begun == 0)
        return 0;
    if (begun < 0) {
        bool other = strstr(why, "Server ") != NULL;
        snprintf(reason, REASON_BYTES, "%.180s%s%.45s", why, other ? "; it says that it is " : "",
                 other ? session->server : "");
        return -1;
    }
    session->method = PS_HADOOP_RPC_KERBEROS;
    size_t service = strcspn(session->server, "/");
    snprintf(host, sizeof host, "%s", session->server + service + (session->server[service] == '/'));
    session->server[service] = '\0';
    auth.method = method;
    auth.mechanism = mechanism;
    auth.protocol = session->server;
    auth.server_id = host;
    return initiate(session, &auth, true, reason);
}

/* Uses the first of the server's methods that is possible here (SaslRpcClient.selectSaslClient). */
static int choose(struct session *session, const PsHadoop__RpcSasl *offer, char *reason)
{
    for (size_t i = 0; i < offer->n_auths; i++) {
        const PsHadoop__RpcSaslAuth *auth = offer->auths[i];
        if (is(auth, "SIMPLE", ""))
            return begin_simple(session, auth, reason);
        if (is(auth, "TOKEN", "DIGEST-MD5") && session->token_name != NULL)
            return begin_token(session, auth, reason);
        if (is(auth, "KERBEROS", "GSSAPI") && session->settings->initiator != NULL) {
            snprintf(session->server, sizeof session->server, "%s/%s",
                     auth->protocol != NULL ? auth->protocol : "",
                     auth->server_id != NULL ? auth->server_id : "");
            return begin_kerberos(session, reason);
        }
    }
    return refuse_choice(offer, reason);
}

/* ---- the exchange ---- */

static int answer(struct session *session, const PsHadoop__RpcSasl *message, char *reason)
{
    struct ps_sasl_token token;
    if (!message->has_token || session->state == LAST_SENT)
        return ps_transport_lose(reason, "the server does not follow the mechanism");
    enum ps_sasl_result result =
        ps_sasl_step(session->pipe.sasl, message->token.data, message->token.len, &token);
    bool put = result != PS_SASL_FAILED && put_sasl(session, RESPONSE, &token, NULL);
    ps_sasl_token_free(&token);
    if (result == PS_SASL_FAILED)
        return ps_transport_lose(reason, session->pipe.sasl->reason);
    if (result == PS_SASL_DONE)
        session->state = LAST_SENT;
    return put ? 1 : ps_transport_lose(reason, "no memory");
}

/* Ends the exchange. It is an error if the server ends the exchange before the mechanism does. */
static int finish(struct session *session, const PsHadoop__RpcSasl *message, char *reason)
{
    if (session->state == EXCHANGE && message->has_token) {
        struct ps_sasl_token token;
        enum ps_sasl_result result =
            ps_sasl_step(session->pipe.sasl, message->token.data, message->token.len, &token);
        bool quiet = token.length == 0;
        ps_sasl_token_free(&token);
        if (result == PS_SASL_FAILED)
            return ps_transport_lose(reason, session->pipe.sasl->reason);
        if (result == PS_SASL_DONE && quiet)
            session->state = LAST_SENT;
    }
    if (session->state != LAST_SENT)
        return ps_transport_lose(reason, "the server ends the exchange before it has shown who it is");
    session->state = OPEN;
    return 1;
}

static int take(struct session *session, const PsHadoop__RpcSasl *message, char *reason)
{
    if (session->state == ASKED && message->state == NEGOTIATE)
        return choose(session, message, reason);
    if (session->state == ASKED && message->state == SUCCESS)
        return begin_simple(session, NULL, reason);
    if (session->state != ASKED && message->state == CHALLENGE)
        return answer(session, message, reason);
    if (session->state != ASKED && message->state == SUCCESS)
        return finish(session, message, reason);
    return ps_transport_lose(reason, "the server does not follow the exchange of SASL");
}

static int shake(void *opened, short *wants, char *reason)
{
    struct session *session = opened;
    while (true) {
        PsHadoop__RpcSasl *message;
        if (session->state == TICKET) {
            *wants = 0;
            int begun = begin_kerberos(session, reason);
            if (begun <= 0)
                return begun;
        }
        int done = ps_sasl_pipe_flush(&session->pipe, wants, reason);
        if (done <= 0)
            return done;
        if (session->state == PARTING)
            session->state = OPEN;
        if (session->state == OPEN)
            return 1;
        done = read_sasl(session, &message, wants, reason);
        if (done <= 0)
            return done;
        done = take(session, message, reason);
        ps_hadoop__rpc_sasl__free_unpacked(message, NULL);
        if (done < 0)
            return done;
    }
}

/* ---- protected messages ---- */

/* Writes the length, RpcRequestHeader, and the part of RpcSasl before its token. */
static size_t put_head(uint8_t *end, size_t length)
{
    uint8_t before[2 + 1 + PS_VARINT_BYTES_MAX] = {0x10, WRAP, 0x1a}, prefix[PS_VARINT_BYTES_MAX];
    size_t before_length = 3 + ps_varint_put(before + 3, length);
    size_t prefix_length = ps_varint_put(prefix, before_length + length);
    size_t head = 4 + sizeof request_header + prefix_length + before_length;
    uint32_t total = htobe32((uint32_t)(head - 4 + length));
    uint8_t *to = end - head;
    memcpy(to, &total, 4);
    memcpy(to + 4, request_header, sizeof request_header);
    memcpy(to + 4 + sizeof request_header, prefix, prefix_length);
    memcpy(end - before_length, before, before_length);
    return head;
}

/* Finds the token among RpcSasl's fields, in place, because it is unwrapped there. */
static bool find_token(uint8_t *at, const uint8_t *end, uint8_t **token, size_t *length)
{
    uint64_t tag, number, state = 0;
    *token = NULL;
    while (at < end) {
        size_t taken = ps_varint_get(at, (size_t)(end - at), &tag);
        at += taken;
        if (taken == 0 || ((tag & 7) != 0 && (tag & 7) != 2))
            return false;
        if ((tag & 7) == 0) {
            taken = ps_varint_get(at, (size_t)(end - at), &number);
            if (taken == 0)
                return false;
            at += taken;
            state = tag == 0x10 ? number : state;
            continue;
        }
        uint8_t *part;
        size_t part_length;
        at = take_delimited(at, end, &part, &part_length);
        if (at == NULL)
            return false;
        if (tag == 0x1a) {
            *token = part;
            *length = part_length;
        }
    }
    return *token != NULL && state == WRAP;
}

static bool find(uint8_t *frame, size_t frame_length, uint8_t **message, size_t *length, char *reason)
{
    uint8_t *header, *sasl, *end = frame + frame_length;
    size_t header_length, sasl_length;
    uint8_t *rest = take_delimited(frame, end, &header, &header_length);
    if (rest != NULL && rest < end && take_delimited(rest, end, &sasl, &sasl_length) == end &&
        find_token(sasl, sasl + sasl_length, message, length))
        return true;
    if (rest == NULL || check_header(header, header_length, reason) > 0)
        (void)ps_transport_lose(reason, "the server's answer is not protected");
    return false;
}

static const struct ps_sasl_framing framing = {.put_head = put_head, .find = find};

/* ---- the session ---- */

/* Chooses the token by the server's address (hadoop.security.token.service.use_ip), which only the connection knows. */
static void choose_token(struct session *session, int fd)
{
    const struct ps_hadoop_rpc_sasl *settings = session->settings;
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    char host[64], port[16], service[96];
    session->token_name = settings->token_name;
    session->token_secret = settings->token_secret;
    if (settings->token_name != NULL || settings->credentials == NULL ||
        getpeername(fd, (struct sockaddr *)&peer, &length) != 0 ||
        getnameinfo((struct sockaddr *)&peer, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    snprintf(service, sizeof service, "%s:%s", host, port);
    const struct ps_hadoop_token *token =
        ps_hadoop_credentials_find(settings->credentials, PS_HADOOP_TOKEN_HDFS, service);
    if (token != NULL) {
        session->token_name = token->name;
        session->token_secret = token->secret;
    }
}

static void *open_session(const void *settings, int fd, char *reason)
{
    static const uint8_t greeting[] = {'h', 'r', 'p', 'c', 9, 0, 0xdf};
    struct session *session = ps_sasl_pipe_open(sizeof *session, &framing, fd, reason);
    if (session == NULL)
        return NULL;
    session->settings = settings;
    choose_token(session, fd);
    if (ps_sasl_pipe_put(&session->pipe, greeting, sizeof greeting) &&
        put_sasl(session, NEGOTIATE, NULL, NULL))
        return session;
    ps_sasl_pipe_close(session);
    (void)ps_transport_lose(reason, "no memory");
    return NULL;
}

const struct ps_transport ps_hadoop_rpc_sasl_transport = {
    .open = open_session,
    .handshake = shake,
    .write = ps_sasl_pipe_write,
    .read = ps_sasl_pipe_read,
    .end = ps_sasl_pipe_end,
    .close = ps_sasl_pipe_close,
};
