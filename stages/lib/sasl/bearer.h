/* The SASL mechanism OAUTHBEARER (RFC 7628): the client shows a token, and the server accepts it or sends the
 * reason of its refusal. The mechanism protects no data; the connection should have TLS. The file also has a
 * source of tokens: it makes unsecured tokens for test set-ups (KIP-255), or gets tokens from an endpoint that
 * knows the client by a secret (KIP-768: OAuth 2.0's client credentials, RFC 6749 section 4.4).
 *
 * Thread: the owner's; a helper's thread asks the endpoint. */
#pragma once

#include "core/status.h"
#include "stages/lib/sasl/sasl.h"

#define PS_BEARER_TOKEN_BYTES_MAX 65536U

/* Opens the mechanism with a copy of the token. Returns NULL if there is no memory. The caller owns the result,
 * and calls ps_sasl_close. */
struct ps_sasl *ps_bearer_open(const char *token);

struct ps_token_source;

struct ps_token_settings {
    const char *subject;  /* subject of an unsecured token, which needs no endpoint */
    const char *endpoint; /* URL, http or https */
    const char *client_id, *client_secret;
    const char *scope; /* NULL: none */
    int wake_fd;       /* an eventfd, written when an answer is there; -1: none */
};

/* The settings are copied. Returns NULL with the reason in `err`. Thread: any; afterwards one at a time. */
struct ps_token_source *ps_token_source_create(const struct ps_token_settings *settings, struct ps_err *err);
/* NULL is allowed. Does not wait for the endpoint. */
void ps_token_source_destroy(struct ps_token_source *source);
/* Returns a token that is good for a while, valid until the next call; after 80 % of its life the source asks for a new one. NULL:
 * `later` is true while the helper asks the endpoint, else `reason` (PS_SASL_REASON_BYTES) says why there is no
 * token, and the next call asks again. */
const char *ps_token_source_take(struct ps_token_source *source, uint64_t now_ns, bool *later, char *reason);
/* Called when a server has refused the token: its time may be over for the server though not for this clock, which stands still while the
 * machine is suspended; or the keys of the endpoint have changed. The next call of ps_token_source_take asks for a new one, unless
 * the token is younger than 10 s: an account without rights does not ask the endpoint at each connection. */
void ps_token_source_refused(struct ps_token_source *source, uint64_t now_ns);
