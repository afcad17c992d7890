/* The client's side of SASL (RFC 4422): a mechanism answers a server's challenges until both are authenticated,
 * and then may protect the connection's data. The caller transports the messages, because each protocol
 * transports them in its own way (Thrift, Hadoop's RPC, HDFS's data transfer).
 *
 * Mechanisms: GSSAPI, which is Kerberos, and DIGEST-MD5 (digest_md5.h). No mechanism blocks.
 *
 * Thread: the owner's. */
#pragma once

#include "core/base.h"

#include <stdlib.h>

#define PS_SASL_REASON_BYTES 256U
/* Maximum number of bytes by which a wrapped message is longer than its text. */
#define PS_SASL_OVERHEAD_BYTES 128U

/* Levels of protection (RFC 4752, section 3.3). */
/* authentication only: later bytes are not protected. Hadoop calls this level "authentication"; in DIGEST-MD5
 * "auth" */
#define PS_SASL_AUTHENTICATION 1U
#define PS_SASL_INTEGRITY 2U /* the bytes cannot be changed unnoticed: "auth-int" */
#define PS_SASL_PRIVACY 4U   /* integrity and secrecy: "auth-conf" */

/* The allowed levels, the preferred one first; 0 ends them. */
#define PS_SASL_PREFER(first, second, third) ((first) | (second) << 4 | (third) << 8)
#define PS_SASL_STRONGEST PS_SASL_PREFER(PS_SASL_PRIVACY, PS_SASL_INTEGRITY, PS_SASL_AUTHENTICATION)

/* Returns the first allowed level that the server offers (`offered`: bit mask of levels); 0 if there is none. */
static inline unsigned ps_sasl_choose(unsigned allowed, unsigned offered)
{
    while (allowed != 0 && (allowed & 7U & offered) == 0)
        allowed >>= 4;
    return allowed & 7U;
}

struct ps_sasl_token {
    uint8_t *bytes; /* ps_sasl_token_free */
    size_t length;
};

enum ps_sasl_result {
    PS_SASL_FAILED,
    PS_SASL_MORE, /* the server has to answer the reply */
    PS_SASL_DONE, /* the mechanism expects no more challenges; there may be a last reply */
};

struct ps_sasl;

struct ps_sasl_ops {
    enum ps_sasl_result (*step)(struct ps_sasl *, const uint8_t *challenge, size_t length,
                                struct ps_sasl_token *reply);
    size_t (*wrap)(struct ps_sasl *, const uint8_t *text, size_t length, uint8_t *to, size_t room);
    bool (*unwrap)(struct ps_sasl *, uint8_t *bytes, size_t *length);
    void (*close)(struct ps_sasl *);
};

/* First member of each mechanism's own structure. */
struct ps_sasl {
    const struct ps_sasl_ops *ops;
    unsigned protection;               /* the agreed level, once the result is PS_SASL_DONE */
    size_t wrap_text_max;              /* the longest text that the server accepts in one wrapped message */
    char reason[PS_SASL_REASON_BYTES]; /* of a failure: one line */
};

static inline void ps_sasl_token_free(struct ps_sasl_token *token)
{
    free(token->bytes);
    *token = (struct ps_sasl_token){.length = 0};
}

/* Answers a challenge. The first challenge is empty for a mechanism whose client begins (GSSAPI). The caller
 * owns `reply`, which may be empty. */
static inline enum ps_sasl_result ps_sasl_step(struct ps_sasl *sasl, const void *challenge, size_t length,
                                               struct ps_sasl_token *reply)
{
    *reply = (struct ps_sasl_token){.length = 0};
    return sasl->ops->step(sasl, challenge, length, reply);
}

/* Protects a text by the level agreed on, which is not PS_SASL_AUTHENTICATION. `to` may be the text's own
 * place, and has room for length + PS_SASL_OVERHEAD_BYTES. Returns the length of the message in bytes; 0 with
 * `reason` on errors. */
static inline size_t ps_sasl_wrap(struct ps_sasl *sasl, const void *text, size_t length, uint8_t *to,
                                  size_t room)
{
    return sasl->ops->wrap(sasl, text, length, to, room);
}

/* Checks a message and turns it into its text, in place. Returns false with `reason` if the message was
 * forged or changed. The caller then closes the connection. */
static inline bool ps_sasl_unwrap(struct ps_sasl *sasl, uint8_t *message, size_t *length)
{
    return sasl->ops->unwrap(sasl, message, length);
}

/* NULL is allowed. */
static inline void ps_sasl_close(struct ps_sasl *sasl)
{
    if (sasl != NULL)
        sasl->ops->close(sasl);
}
