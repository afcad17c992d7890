/* Kerberos by GSSAPI (MIT krb5): a client and a server authenticate each other by tokens that they exchange.
 * Only this component uses the library.
 *
 * `build` reads an acceptor's keys once; afterwards tokens are checked without a file or the network. An
 * initiator needs tickets from a KDC: a helper thread gets them, and makes the first token of a connection
 * before the connection is begun.
 *
 * Sources: RFC 2743 and 2744 (GSSAPI), RFC 4121 (Kerberos), MIT's documentation (credential stores). */
#pragma once

#include "core/status.h"

#define PS_GSS_REASON_BYTES 256U
#define PS_GSS_NAME_BYTES 256U

/* One side of one exchange. Thread: one at a time. */
struct ps_gss_context;

struct ps_gss_token {
    void *bytes; /* allocated by the library: free with ps_gss_token_free */
    size_t length;
};

enum ps_gss_result {
    PS_GSS_FAILED,
    PS_GSS_MORE,        /* the other side has to answer the token */
    PS_GSS_ESTABLISHED, /* the other side is authenticated; there may be a last token for that side */
};

/* Empty tokens are allowed. */
void ps_gss_token_free(struct ps_gss_token *token);
/* NULL is allowed. */
void ps_gss_context_close(struct ps_gss_context *context);
/* Handles a token of the other side. `out` gets the answer (length 0: there is none), which the caller frees.
 * On PS_GSS_FAILED `reason` (PS_GSS_REASON_BYTES) has the library's text. */
enum ps_gss_result ps_gss_context_step(struct ps_gss_context *context, const void *bytes, size_t length,
                                       struct ps_gss_token *out, char *reason);
/* For an established context: `wrap` protects a message and, with `secret`, encrypts it; `unwrap` checks a
 * message of the other side. The caller frees `out`. Both return false with `reason` on errors. */
bool ps_gss_context_wrap(struct ps_gss_context *context, bool secret, const void *bytes, size_t length,
                         struct ps_gss_token *out, char *reason);
bool ps_gss_context_unwrap(struct ps_gss_context *context, const void *bytes, size_t length,
                           struct ps_gss_token *out, char *reason);
/* Returns how many bytes of text fit into a protected message of `length` bytes. */
size_t ps_gss_context_wrap_limit(struct ps_gss_context *context, bool secret, size_t length);
/* Returns the other side's principal, "flume/host@REALM", of an acceptor's established context. */
const char *ps_gss_context_peer(const struct ps_gss_context *context);

/* ---- the server's side ---- */

struct ps_gss_acceptor;

/* Reads the principal's keys from the keytab. `principal`: service/host@REALM; a host of _HOST is this
 * machine's canonical name, as in Hadoop's SecurityUtil. The caller owns the acceptor, and tears it down after
 * all its contexts. Thread: control. */
enum ps_status ps_gss_acceptor_build(struct ps_gss_acceptor **acceptor, const char *principal,
                                     const char *keytab, struct ps_err *err);
void ps_gss_acceptor_teardown(struct ps_gss_acceptor *acceptor);
/* Makes a context. `acceptor` NULL: there are no keys, and the context refuses every token. Returns NULL when
 * there is no memory. Thread: any. */
struct ps_gss_context *ps_gss_acceptor_open(const struct ps_gss_acceptor *acceptor);

/* ---- the client's side ---- */

struct ps_gss_initiator;

struct ps_gss_initiator_settings {
    const char *principal; /* with _HOST as above. NULL: the principal of the default cache */
    const char *keytab; /* NULL: the tickets of the default cache (KRB5CCNAME, kinit), which another program
                  * renews */
    const char *server; /* service/host@REALM; a host of _HOST is the canonical name of server_host */
    const char *server_host; /* NULL: this machine */
    int wake_fd;             /* an eventfd, written when a token is ready or has failed; -1: none */
    uint32_t wait_ms;        /* how many ms `build` waits for the first tickets */
};

/* Starts a thread that gets tickets with the principal's keys in the keytab. The settings are copied. Thread:
 * control; any if `build` does not wait. */
enum ps_status ps_gss_initiator_build(struct ps_gss_initiator **initiator,
                                      const struct ps_gss_initiator_settings *settings, struct ps_err *err);
/* NULL is allowed. Does not wait for a KDC. */
void ps_gss_initiator_teardown(struct ps_gss_initiator *initiator);
/* Returns a context and its first token, which the caller then owns, and begins to make the next context.
 * Returns NULL with `reason` if no context is ready: `later` (NULL is allowed) is true while one is being made,
 * false when getting tickets failed. Tickets are kept for five minutes, or half of their life if that is
 * shorter; a token that is older than its ticket or than two minutes is made again. Does not wait. Thread: any
 * worker. */
struct ps_gss_context *ps_gss_initiator_take(struct ps_gss_initiator *initiator, struct ps_gss_token *token,
                                             bool *later, char *reason);
/* Returns whether the last take failed because the KDC refused the tickets (an unknown principal, a wrong key);
 * the KDC will refuse the tickets until an administrator corrects the mistake. Thread: any worker. */
bool ps_gss_initiator_is_refused(struct ps_gss_initiator *initiator);
