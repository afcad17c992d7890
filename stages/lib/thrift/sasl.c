#include "stages/lib/thrift/sasl.h"

#include "core/text/printable.h"
#include "stages/lib/thrift/protocol.h"

#include <stdio.h>
#include <stdlib.h>

#define MECHANISM "GSSAPI"
#define HEAD_BYTES 5U
#define LAYERS_BYTES 4U
#define NO_LAYER 1U /* bit of the layer without integrity and privacy */

/* Values of TSaslTransport.NegotiationStatus. */
enum { START = 1, OK = 2, BAD = 3, ERROR = 4, COMPLETE = 5 };

/* The kind of the next message. */
enum {
    MECHANISM_NAMED, /* server: which mechanism the client wants */
    TOKEN,           /* a token for the library; at the client, also the server's level */
    CONFIRMATION,    /* server: an empty message, because the client has the last token */
    LAYERS,          /* server: the layer that the client has chosen */
    LAST,            /* client: the server's COMPLETE */
    OPEN,
    FAILED,
};

bool ps_thrift_sasl_is_open(const struct ps_thrift_sasl *sasl)
{
    return sasl->state == OPEN;
}

void ps_thrift_sasl_fini(struct ps_thrift_sasl *sasl)
{
    ps_gss_context_close(sasl->context);
    ps_sasl_close(sasl->client);
    free(sasl->in);
    free(sasl->out);
    sasl->context = NULL;
    sasl->client = NULL;
    sasl->in = sasl->out = NULL;
}

/* ---- messages ---- */

/* Appends a message to the output. */
static void put_message(struct ps_thrift_sasl *sasl, int status, const void *bytes, size_t length)
{
    uint8_t *to = sasl->out + sasl->out_length;
    PS_ASSERT(length <= PS_THRIFT_SASL_BYTES_MAX);
    to[0] = (uint8_t)status;
    ps_big_endian_put_32(to + 1, (uint32_t)length);
    if (length > 0)
        memcpy(to + HEAD_BYTES, bytes, length);
    sasl->out_length += HEAD_BYTES + length;
}

static bool give_up(struct ps_thrift_sasl *sasl, const char *reason)
{
    if (reason != sasl->reason)
        snprintf(sasl->reason, sizeof sasl->reason, "%s", reason);
    sasl->state = FAILED;
    return false;
}

/* Sends the reason to the other side. */
static bool refuse(struct ps_thrift_sasl *sasl, int status, const char *reason)
{
    (void)give_up(sasl, reason);
    put_message(sasl, status, sasl->reason, strlen(sasl->reason));
    return false;
}

static bool put_token(struct ps_thrift_sasl *sasl, int status, const void *bytes, size_t length)
{
    if (length > PS_THRIFT_SASL_BYTES_MAX)
        return give_up(sasl, "a Kerberos token has more than 64 KiB");
    put_message(sasl, status, bytes, length);
    return true;
}

/* Answers a server; the first challenge of a mechanism is empty. */
static bool respond(struct ps_thrift_sasl *sasl, const uint8_t *bytes, size_t length)
{
    struct ps_sasl_token reply;
    enum ps_sasl_result result = ps_sasl_step(sasl->client, bytes, length, &reply);
    bool put = result == PS_SASL_FAILED
                   ? refuse(sasl, BAD, sasl->client->reason)
                   : put_token(sasl, result == PS_SASL_DONE ? COMPLETE : OK, reply.bytes, reply.length);
    ps_sasl_token_free(&reply);
    if (put && result == PS_SASL_DONE)
        sasl->state = LAST;
    return put;
}

bool ps_thrift_sasl_init(struct ps_thrift_sasl *sasl, const struct ps_tls_pipe *below,
                         struct ps_gss_context *context, struct ps_gss_token *first)
{
    *sasl = (struct ps_thrift_sasl){.below = *below, .server = first == NULL};
    sasl->state = sasl->server ? MECHANISM_NAMED : TOKEN;
    if (sasl->server)
        sasl->context = context;
    else
        sasl->client = ps_sasl_gssapi_open(context, first, PS_SASL_AUTHENTICATION);
    sasl->in = malloc(HEAD_BYTES + PS_THRIFT_SASL_BYTES_MAX);
    sasl->out = malloc(3 * HEAD_BYTES + 2 * PS_THRIFT_SASL_BYTES_MAX);
    if ((!sasl->server && sasl->client == NULL) || sasl->in == NULL || sasl->out == NULL) {
        ps_thrift_sasl_fini(sasl);
        return false;
    }
    if (!sasl->server) {
        put_message(sasl, START, MECHANISM, strlen(MECHANISM));
        (void)respond(sasl, NULL, 0);
    }
    return true;
}

static enum ps_tls_result flush(struct ps_thrift_sasl *sasl)
{
    while (sasl->out_at < sasl->out_length) {
        size_t written = 0;
        enum ps_tls_result result = sasl->below.write(sasl->below.argument, sasl->out + sasl->out_at,
                                                      sasl->out_length - sasl->out_at, &written);
        if (result != PS_TLS_OK)
            return result;
        sasl->out_at += written;
    }
    sasl->out_at = sasl->out_length = 0;
    return PS_TLS_OK;
}

/* Reads up to `length` bytes of the message. */
static enum ps_tls_result fill(struct ps_thrift_sasl *sasl, size_t length)
{
    while (sasl->in_length < length) {
        size_t got = 0;
        enum ps_tls_result result = sasl->below.read(sasl->below.argument, sasl->in + sasl->in_length,
                                                     length - sasl->in_length, &got);
        if (result != PS_TLS_OK)
            return result;
        sasl->in_length += got;
    }
    return PS_TLS_OK;
}

static enum ps_tls_result read_message(struct ps_thrift_sasl *sasl, size_t *length)
{
    enum ps_tls_result result = fill(sasl, HEAD_BYTES);
    if (result != PS_TLS_OK)
        return result;
    *length = ps_big_endian_get_32(sasl->in + 1);
    if (sasl->in[0] < START || sasl->in[0] > COMPLETE || *length > PS_THRIFT_SASL_BYTES_MAX) {
        (void)give_up(sasl, "not a message of Thrift's SASL: does the other side use Kerberos?");
        return PS_TLS_ERROR;
    }
    return fill(sasl, HEAD_BYTES + *length);
}

/* ---- the server ---- */

/* Gives the client's token to the library, and answers with the library's token. */
static bool take_token(struct ps_thrift_sasl *sasl, const uint8_t *bytes, size_t length)
{
    struct ps_gss_token token = {.length = 0};
    char reason[PS_GSS_REASON_BYTES];
    enum ps_gss_result result = ps_gss_context_step(sasl->context, bytes, length, &token, reason);
    if (result == PS_GSS_FAILED)
        return refuse(sasl, BAD, reason);
    if (result == PS_GSS_ESTABLISHED)
        sasl->state = CONFIRMATION;
    bool put = put_token(sasl, OK, token.bytes, token.length);
    ps_gss_token_free(&token);
    return put;
}

static bool put_offer(struct ps_thrift_sasl *sasl)
{
    static const uint8_t layers[LAYERS_BYTES] = {NO_LAYER};
    struct ps_gss_token token;
    char reason[PS_GSS_REASON_BYTES];
    if (!ps_gss_context_wrap(sasl->context, false, layers, sizeof layers, &token, reason))
        return refuse(sasl, ERROR, reason);
    bool put = put_token(sasl, OK, token.bytes, token.length);
    ps_gss_token_free(&token);
    return put;
}

bool ps_thrift_sasl_may_be(const char *peer, const char *wanted, size_t length)
{
    size_t name = strcspn(peer, "@");
    return length == 0 || (length == strlen(peer) && memcmp(peer, wanted, length) == 0) ||
           (length == name && memcmp(peer, wanted, length) == 0);
}

static bool take_choice(struct ps_thrift_sasl *sasl, const uint8_t *bytes, size_t length)
{
    struct ps_gss_token choice;
    char reason[PS_GSS_REASON_BYTES];
    if (!ps_gss_context_unwrap(sasl->context, bytes, length, &choice, reason))
        return refuse(sasl, BAD, reason);
    const uint8_t *chosen = choice.bytes;
    bool whole = choice.length >= LAYERS_BYTES && chosen[0] == NO_LAYER;
    bool granted =
        whole && ps_thrift_sasl_may_be(ps_gss_context_peer(sasl->context),
                                       (const char *)chosen + LAYERS_BYTES, choice.length - LAYERS_BYTES);
    ps_gss_token_free(&choice);
    if (!whole)
        return refuse(sasl, BAD, "the client wants integrity or privacy; only QOP auth is offered");
    if (!granted)
        return refuse(sasl, BAD, "the client wants to act for a user other than the one of its ticket");
    put_message(sasl, COMPLETE, NULL, 0);
    sasl->state = OPEN;
    return true;
}

static bool serve(struct ps_thrift_sasl *sasl, int status, const uint8_t *bytes, size_t length)
{
    if (sasl->state == MECHANISM_NAMED) {
        if (status != START)
            return refuse(sasl, ERROR, "the client does not begin with START");
        if (length != strlen(MECHANISM) || memcmp(bytes, MECHANISM, length) != 0)
            return refuse(sasl, BAD, "the client asks for another mechanism than GSSAPI");
        sasl->state = TOKEN;
        return true;
    }
    if (status != OK && status != COMPLETE)
        return give_up(sasl, "the client gave the exchange up");
    if (sasl->state == TOKEN)
        return take_token(sasl, bytes, length);
    if (sasl->state == LAYERS)
        return take_choice(sasl, bytes, length);
    sasl->state = LAYERS; /* CONFIRMATION */
    return put_offer(sasl);
}

/* ---- the client ---- */

/* Copies the server's text for a message, without control characters. */
static bool note_refusal(struct ps_thrift_sasl *sasl, const uint8_t *bytes, size_t length)
{
    size_t at = (size_t)snprintf(sasl->reason, sizeof sasl->reason, "the source refuses the client: ");
    (void)ps_printable_copy(sasl->reason + at, sizeof sasl->reason - at, (const char *)bytes, length);
    return give_up(sasl, sasl->reason);
}

static bool converse(struct ps_thrift_sasl *sasl, int status, const uint8_t *bytes, size_t length)
{
    if (status == BAD || status == ERROR)
        return note_refusal(sasl, bytes, length);
    if (status != (sasl->state == LAST ? COMPLETE : OK))
        return give_up(sasl, "the source does not follow Thrift's SASL");
    if (sasl->state == TOKEN)
        return respond(sasl, bytes, length);
    sasl->state = OPEN;
    return true;
}

enum ps_tls_result ps_thrift_sasl_work(struct ps_thrift_sasl *sasl)
{
    while (sasl->state != FAILED) {
        size_t length = 0;
        enum ps_tls_result result = flush(sasl);
        if (result != PS_TLS_OK)
            return result;
        if (sasl->state == OPEN) {
            ps_thrift_sasl_fini(sasl);
            return PS_TLS_OK;
        }
        result = read_message(sasl, &length);
        if (result != PS_TLS_OK)
            return result;
        const uint8_t *bytes = sasl->in + HEAD_BYTES;
        sasl->in_length = 0;
        if (sasl->server)
            (void)serve(sasl, sasl->in[0], bytes, length);
        else
            (void)converse(sasl, sasl->in[0], bytes, length);
    }
    (void)flush(sasl); /* the reason, if it can be sent now */
    return PS_TLS_ERROR;
}
