/* A DIGEST-MD5 server for tests of protocols that carry the mechanism: it takes part in one exchange, and then
 * protects messages as the server does. */
#pragma once

#include "stages/lib/sasl/digest_md5/internal.h"

struct ps_digest_server {
    const char *secret;
    char user[256], uri[64]; /* as the client has given them */
    unsigned protection;     /* chosen by the client */
    struct ps_digest_layer out, in;
};

/* Returns the server's challenge: levels and ciphers as lists ("auth,auth-conf", "3des,rc4"; the server itself has
 * only rc4). */
const char *ps_digest_server_challenge(const char *levels, const char *ciphers);
/* Takes the reply; fails the test unless it is right. Writes the last challenge to `last` (64 bytes). */
void ps_digest_server_take(struct ps_digest_server *server, const void *reply, size_t length, char *last);
/* Protects a text; `to` has room for 128 bytes more. */
size_t ps_digest_server_wrap(struct ps_digest_server *server, const void *text, size_t length, uint8_t *to);
/* Takes a message of the client's, in place; fails the test unless it is right. */
size_t ps_digest_server_unwrap(struct ps_digest_server *server, uint8_t *message, size_t length);
void ps_digest_server_fini(struct ps_digest_server *server);
