/* DIGEST-MD5 (RFC 2831): a name and a secret that both sides know; neither is sent in clear. Hadoop uses it
 * wherever a token authenticates the client: delegation tokens (RPC), block access tokens and data encryption
 * keys (data transfer). Hadoop's servers use Java's implementation (com.sun.security.sasl.digest).
 *
 * Levels: auth, auth-int, auth-conf with the ciphers rc4 (128, 56 or 40 bits) and 3des. The cipher is the first
 * of rc4, 3des, rc4-56, rc4-40 that the server offers, unless the settings name one
 * (dfs.encrypt.data.transfer.algorithm). Java's servers offer all. The cipher des is not supported: Hadoop
 * never offers it alone.
 *
 * OpenSSL 3: rc4 is in its legacy provider, which a machine may lack or forbid. The low-level functions of
 * openssl/rc4.h are used instead. 3des and MD5 are in the default provider; a machine in FIPS mode has no MD5,
 * so neither Java nor this program can use DIGEST-MD5 there.
 *
 * Thread: the owner's. */
#pragma once

#include "stages/lib/sasl/sasl.h"

struct ps_digest_md5_settings {
    const char *name;    /* ASCII; Hadoop's names are base64 */
    const char *secret;  /* ASCII */
    const char *service; /* service in the digest-uri: Hadoop's RPC "", data transfer "hdfs" */
    const char *host;    /* Hadoop's RPC "default", data transfer "0" */
    unsigned protection; /* PS_SASL_PREFER */
    const char
        *cipher; /* for auth-conf: the only cipher allowed ("3des", "rc4"); NULL: the first that the server
                 * offers */
    const char *cnonce; /* tests: used instead of a random cnonce */
};

/* Opens the mechanism. The settings are copied. Returns NULL when there is no memory. The caller owns the
 * mechanism, and calls ps_sasl_close. */
struct ps_sasl *ps_digest_md5_open(const struct ps_digest_md5_settings *settings);
