#include "stages/lib/sasl/sasl_gssapi.h"

#include <stdio.h>
#include <string.h>

#define OFFER_BYTES 4U /* the levels, and the longest message that the sender accepts, in three bytes */

enum state {
    FIRST,  /* our token is to be sent next */
    TOKENS, /* tokens of the library are exchanged */
    OFFER,  /* the server's offer of levels is expected */
    OPEN,
    REFUSED, /* a challenge or message was wrong: every later challenge is refused */
};

struct gssapi {
    struct ps_sasl sasl;
    struct ps_gss_context *context;
    struct ps_gss_token first;
    enum state state;
    unsigned allowed;
};

static enum ps_sasl_result fail(struct gssapi *gssapi, const char *reason)
{
    gssapi->state = REFUSED;
    snprintf(gssapi->sasl.reason, sizeof gssapi->sasl.reason, "Kerberos: %.230s", reason);
    return PS_SASL_FAILED;
}

/* Copies a token of the library, and frees the original. */
static bool hand_over(struct ps_gss_token *token, struct ps_sasl_token *reply)
{
    bool given = token->length == 0;
    if (!given && (reply->bytes = malloc(token->length)) != NULL) {
        memcpy(reply->bytes, token->bytes, token->length);
        reply->length = token->length;
        given = true;
    }
    ps_gss_token_free(token);
    return given;
}

static enum ps_sasl_result take_token(struct gssapi *gssapi, const uint8_t *bytes, size_t length,
                                      struct ps_sasl_token *reply)
{
    struct ps_gss_token token = {.length = 0};
    char reason[PS_GSS_REASON_BYTES];
    enum ps_gss_result result = ps_gss_context_step(gssapi->context, bytes, length, &token, reason);
    if (result == PS_GSS_FAILED)
        return fail(gssapi, reason);
    if (result == PS_GSS_ESTABLISHED)
        gssapi->state = OFFER;
    return hand_over(&token, reply) ? PS_SASL_MORE : fail(gssapi, "no memory");
}

/* Reads the server's offer, and writes the choice (RFC 4752, 3.1). */
static enum ps_sasl_result take_offer(struct gssapi *gssapi, const uint8_t *bytes, size_t length,
                                      struct ps_sasl_token *reply)
{
    struct ps_gss_token token;
    char reason[PS_GSS_REASON_BYTES];
    uint8_t offer[OFFER_BYTES];
    if (!ps_gss_context_unwrap(gssapi->context, bytes, length, &token, reason))
        return fail(gssapi, reason);
    bool whole = token.length == OFFER_BYTES;
    if (whole)
        memcpy(offer, token.bytes, OFFER_BYTES);
    ps_gss_token_free(&token);
    if (!whole)
        return fail(gssapi, "the server's offer of protection does not have four bytes");
    gssapi->sasl.protection = ps_sasl_choose(gssapi->allowed, offer[0]);
    if (gssapi->sasl.protection == 0)
        return fail(gssapi, "the server offers none of the levels of protection that are allowed here");
    size_t room = (size_t)offer[1] << 16 | (size_t)offer[2] << 8 | offer[3];
    bool plain = gssapi->sasl.protection == PS_SASL_AUTHENTICATION;
    uint8_t choice[OFFER_BYTES] = {(uint8_t)gssapi->sasl.protection};
    if (!plain) {
        gssapi->sasl.wrap_text_max =
            ps_gss_context_wrap_limit(gssapi->context, gssapi->sasl.protection == PS_SASL_PRIVACY, room);
        if (gssapi->sasl.wrap_text_max == 0)
            return fail(gssapi, "the limit of the server for a message is too small");
        memset(choice + 1, 0xff, OFFER_BYTES - 1); /* this side accepts messages of any length */
    }
    if (!ps_gss_context_wrap(gssapi->context, false, choice, sizeof choice, &token, reason))
        return fail(gssapi, reason);
    if (!hand_over(&token, reply))
        return fail(gssapi, "no memory");
    gssapi->state = OPEN;
    return PS_SASL_DONE;
}

static enum ps_sasl_result step(struct ps_sasl *sasl, const uint8_t *challenge, size_t length,
                                struct ps_sasl_token *reply)
{
    struct gssapi *gssapi = (struct gssapi *)sasl;
    switch (gssapi->state) {
    case FIRST:
        gssapi->state = TOKENS;
        return hand_over(&gssapi->first, reply) ? PS_SASL_MORE : fail(gssapi, "no memory");
    case TOKENS:
        return take_token(gssapi, challenge, length, reply);
    case OFFER:
        return take_offer(gssapi, challenge, length, reply);
    case REFUSED:
        return PS_SASL_FAILED; /* only the first failure sets the reason */
    case OPEN:
        break;
    }
    return fail(gssapi, "the server sent one challenge too many");
}

static size_t wrap(struct ps_sasl *sasl, const uint8_t *text, size_t length, uint8_t *to, size_t room)
{
    struct gssapi *gssapi = (struct gssapi *)sasl;
    struct ps_gss_token token;
    char reason[PS_GSS_REASON_BYTES];
    if (!ps_gss_context_wrap(gssapi->context, sasl->protection == PS_SASL_PRIVACY, text, length, &token,
                             reason)) {
        (void)fail(gssapi, reason);
        return 0;
    }
    size_t made = token.length <= room ? token.length : 0;
    if (made > 0)
        memcpy(to, token.bytes, made);
    else
        (void)fail(gssapi, "a wrapped message is too long");
    ps_gss_token_free(&token);
    return made;
}

static bool unwrap(struct ps_sasl *sasl, uint8_t *message, size_t *length)
{
    struct gssapi *gssapi = (struct gssapi *)sasl;
    struct ps_gss_token text;
    char reason[PS_GSS_REASON_BYTES];
    if (!ps_gss_context_unwrap(gssapi->context, message, *length, &text, reason)) {
        (void)fail(gssapi, reason);
        return false;
    }
    bool fits = text.length <= *length;
    if (fits && text.length > 0)
        memcpy(message, text.bytes, text.length);
    *length = text.length;
    ps_gss_token_free(&text);
    return fits;
}

static void close_gssapi(struct ps_sasl *sasl)
{
    struct gssapi *gssapi = (struct gssapi *)sasl;
    ps_gss_token_free(&gssapi->first);
    ps_gss_context_close(gssapi->context);
    free(gssapi);
}

static const struct ps_sasl_ops gssapi_ops = {
    .step = step, .wrap = wrap, .unwrap = unwrap, .close = close_gssapi};

struct ps_sasl *ps_sasl_gssapi_open(struct ps_gss_context *context, struct ps_gss_token *first,
                                    unsigned protection)
{
    struct gssapi *gssapi = calloc(1, sizeof *gssapi);
    if (gssapi == NULL) {
        ps_gss_token_free(first);
        ps_gss_context_close(context);
        return NULL;
    }
    gssapi->sasl.ops = &gssapi_ops;
    gssapi->context = context;
    gssapi->first = *first;
    gssapi->allowed = protection;
    *first = (struct ps_gss_token){.length = 0};
    return &gssapi->sasl;
}
