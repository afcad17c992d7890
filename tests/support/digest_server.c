#include "tests/support/digest_server.h"

#include "tests/support/support.h"

#include <stdio.h>

#define NONCE "server's nonce"
#define REALM "realm"

const char *ps_digest_server_challenge(const char *levels, const char *ciphers)
{
    static char challenge[256];
    snprintf(challenge, sizeof challenge,
             "realm=\"" REALM "\",nonce=\"" NONCE
             "\",qop=\"%s\",cipher=\"%s\",charset=utf-8,algorithm=md5-sess",
             levels, ciphers);
    return challenge;
}

static void hash(uint8_t to[PS_DIGEST_BYTES], const void *first, size_t first_length, const char *rest)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_true(EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1 &&
                EVP_DigestUpdate(context, first, first_length) == 1 &&
                EVP_DigestUpdate(context, rest, strlen(rest)) == 1 &&
                EVP_DigestFinal_ex(context, to, NULL) == 1);
    EVP_MD_CTX_free(context);
}

static void hex(const uint8_t *bytes, char *to)
{
    for (size_t i = 0; i < PS_DIGEST_BYTES; i++)
        snprintf(to + 2 * i, 3, "%02x", bytes[i]);
}

/* Copies the value of name=value or name="value". */
static void value_of(const char *reply, const char *name, char *to, size_t room)
{
    char key[64];
    snprintf(key, sizeof key, ",%s=", name);
    const char *at = strstr(reply, key);
    assert_non_null(at);
    at += strlen(key);
    size_t length = *at == '"' ? strcspn(++at, "\"") : strcspn(at, ",");
    assert_true(length < room);
    memcpy(to, at, length);
    to[length] = '\0';
}

static void respond(const uint8_t *session, const char *cnonce, const char *level, const char *request,
                    char *to)
{
    uint8_t hashed[PS_DIGEST_BYTES];
    char text[512], in_hex[33], session_hex[33];
    hash(hashed, request, strlen(request),
         strcmp(level, "auth") == 0 ? "" : ":00000000000000000000000000000000");
    hex(hashed, in_hex);
    hex(session, session_hex);
    snprintf(text, sizeof text, "%s:" NONCE ":00000001:%s:%s:%s", session_hex, cnonce, level, in_hex);
    hash(hashed, text, strlen(text), "");
    hex(hashed, to);
}

static enum ps_digest_cipher cipher_of(const char *name)
{
    enum ps_digest_cipher cipher = PS_DIGEST_NO_CIPHER;
    while ((1U << cipher & ps_digest_ciphers_of(name)) == 0)
        cipher++;
    return cipher;
}

void ps_digest_server_take(struct ps_digest_server *server, const void *reply, size_t length, char *last)
{
    char text[2048], cnonce[64], level[16], cipher[16] = "", response[33], wanted[33], part[512];
    uint8_t user[PS_DIGEST_BYTES], session[PS_DIGEST_BYTES];
    assert_true(length < sizeof text - 1);
    snprintf(text, sizeof text, ",%.*s", (int)length, (const char *)reply);
    value_of(text, "username", server->user, sizeof server->user);
    value_of(text, "digest-uri", server->uri, sizeof server->uri);
    value_of(text, "cnonce", cnonce, sizeof cnonce);
    value_of(text, "qop", level, sizeof level);
    value_of(text, "response", response, sizeof response);
    snprintf(part, sizeof part, "%s:" REALM ":%s", server->user, server->secret);
    hash(user, part, strlen(part), "");
    snprintf(part, sizeof part, ":" NONCE ":%s", cnonce);
    hash(session, user, sizeof user, part);
    snprintf(part, sizeof part, "AUTHENTICATE:%s", server->uri);
    respond(session, cnonce, level, part, wanted);
    assert_string_equal(response, wanted);
    respond(session, cnonce, level, part + strlen("AUTHENTICATE"), wanted);
    snprintf(last, 64, "rspauth=%s", wanted);
    server->protection = strcmp(level, "auth") == 0       ? PS_SASL_AUTHENTICATION
                         : strcmp(level, "auth-int") == 0 ? PS_SASL_INTEGRITY
                                                          : PS_SASL_PRIVACY;
    if (server->protection == PS_SASL_PRIVACY)
        value_of(text, "cipher", cipher, sizeof cipher);
    enum ps_digest_cipher chosen = cipher[0] != '\0' ? cipher_of(cipher) : PS_DIGEST_NO_CIPHER;
    assert_true(
        ps_digest_layer_init(&server->in, session, true, chosen)); /* "ours" is the client's direction */
    assert_true(ps_digest_layer_init(&server->out, session, false, chosen));
}

size_t ps_digest_server_wrap(struct ps_digest_server *server, const void *text, size_t length, uint8_t *to)
{
    const char *reason;
    size_t made =
        ps_digest_layer_wrap(&server->out, text, length, to, length + PS_SASL_OVERHEAD_BYTES, &reason);
    assert_true(made > 0);
    return made;
}

size_t ps_digest_server_unwrap(struct ps_digest_server *server, uint8_t *message, size_t length)
{
    const char *reason;
    assert_true(ps_digest_layer_unwrap(&server->in, message, &length, &reason));
    return length;
}

void ps_digest_server_fini(struct ps_digest_server *server)
{
    ps_digest_layer_fini(&server->out);
    ps_digest_layer_fini(&server->in);
}
