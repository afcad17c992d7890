/* Implements bearer.h: the mechanism. */
#include "stages/lib/sasl/bearer.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

enum state { BEGUN, SHOWN, OPEN, REFUSED };

struct bearer {
    struct ps_sasl sasl;
    enum state state;
    char *token;
};

static enum ps_sasl_result fail(struct bearer *bearer, const char *reason, size_t length)
{
    bearer->state = REFUSED;
    snprintf(bearer->sasl.reason, sizeof bearer->sasl.reason, "%.*s", (int)(length < 200 ? length : 200),
             reason);
    return PS_SASL_FAILED;
}

static enum ps_sasl_result show(struct bearer *bearer, struct ps_sasl_token *reply)
{
    static const char begin[] = "n,,\x01"
                                "auth=Bearer ",
                      end[] = "\x01\x01";
    size_t length = strlen(bearer->token);
    uint8_t *at = malloc(sizeof begin + length + sizeof end);
    if (at == NULL)
        return fail(bearer, "no memory", 9);
    reply->bytes = at;
    memcpy(at, begin, sizeof begin - 1);
    memcpy(at + sizeof begin - 1, bearer->token, length);
    memcpy(at + sizeof begin - 1 + length, end, sizeof end - 1);
    reply->length = sizeof begin - 1 + length + sizeof end - 1;
    bearer->state = SHOWN;
    return PS_SASL_MORE;
}

/* An empty challenge means that the token is accepted; any other challenge is JSON with the reason of the refusal
 * (RFC 7628, 3.2.2). */
static enum ps_sasl_result step(struct ps_sasl *sasl, const uint8_t *challenge, size_t length,
                                struct ps_sasl_token *reply)
{
    struct bearer *bearer = (struct bearer *)sasl;
    if (bearer->state == BEGUN)
        return show(bearer, reply);
    if (bearer->state != SHOWN)
        return PS_SASL_FAILED;
    if (length > 0)
        return fail(bearer, (const char *)challenge, length);
    bearer->state = OPEN;
    return PS_SASL_DONE;
}

static size_t wrap(struct ps_sasl *, const uint8_t *, size_t, uint8_t *, size_t)
{
    return 0;
}

static bool unwrap(struct ps_sasl *, uint8_t *, size_t *)
{
    return false;
}

static void close_bearer(struct ps_sasl *sasl)
{
    struct bearer *bearer = (struct bearer *)sasl;
    OPENSSL_cleanse(bearer->token, strlen(bearer->token));
    free(bearer->token);
    free(bearer);
}

static const struct ps_sasl_ops bearer_ops = {
    .step = step, .wrap = wrap, .unwrap = unwrap, .close = close_bearer};

struct ps_sasl *ps_bearer_open(const char *token)
{
    struct bearer *bearer = calloc(1, sizeof *bearer);
    char *copy = strdup(token);
    if (bearer == NULL || copy == NULL) {
        free(bearer);
        free(copy);
        return NULL;
    }
    bearer->sasl.ops = &bearer_ops;
    bearer->sasl.protection = PS_SASL_AUTHENTICATION;
    bearer->token = copy;
    return &bearer->sasl;
}
