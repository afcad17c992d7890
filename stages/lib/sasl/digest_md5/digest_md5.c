#include "core/text/hex.h"
#include "stages/lib/sasl/digest_md5/internal.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HEX_BYTES (2 * PS_DIGEST_BYTES + 1)
#define CNONCE_BYTES 24U
#define MAXBUF_BYTES 65536U /* the value that Java's own client sends */
#define FRAME_BYTES 26U     /* the overhead of a wrapped message: padding, HMAC, tail */
#define CHALLENGE_BYTES_MAX 65536U

enum state {
    BEGUN,
    ANSWERED, /* the server must still prove that it knows the secret */
    OPEN,
    REFUSED, /* a challenge was wrong: every later challenge is refused */
};

struct digest {
    struct ps_sasl sasl;
    enum state state;
    unsigned allowed;
    unsigned ciphers; /* 1 << enum ps_digest_cipher */
    char *name, *secret, *uri;
    char cnonce[2 * CNONCE_BYTES + 1];
    char expected[HEX_BYTES]; /* rspauth */
    enum ps_digest_cipher cipher;
    uint8_t session[PS_DIGEST_BYTES]; /* H(A1) */
    struct ps_digest_layer out, in;
};

static enum ps_sasl_result fail(struct digest *digest, const char *reason)
{
    snprintf(digest->sasl.reason, sizeof digest->sasl.reason, "DIGEST-MD5: %.200s", reason);
    return PS_SASL_FAILED;
}

/* ---- hashes ---- */

/* Computes H of the parts, up to NULL. */
static bool hash_texts(uint8_t to[PS_DIGEST_BYTES], const uint8_t *first, const char *part, va_list parts)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1 &&
                (first == NULL || EVP_DigestUpdate(context, first, PS_DIGEST_BYTES) == 1);
    for (; good && part != NULL; part = va_arg(parts, const char *))
        good = EVP_DigestUpdate(context, part, strlen(part)) == 1;
    good = good && EVP_DigestFinal_ex(context, to, NULL) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

static bool hash(uint8_t to[PS_DIGEST_BYTES], const uint8_t *first, const char *part, ...)
{
    va_list parts;
    va_start(parts, part);
    bool good = hash_texts(to, first, part, parts);
    va_end(parts);
    return good;
}

/* Computes the response, and the response that the server must send back (RFC 2831, 2.1.2.1). */
static bool respond(struct digest *digest, const struct ps_digest_challenge *challenge, char *response)
{
    const char *realm = challenge->realm != NULL ? challenge->realm : "";
    const char *level = ps_digest_level_name(digest->sasl.protection);
    const char *tail =
        digest->sasl.protection == PS_SASL_AUTHENTICATION ? NULL : ":00000000000000000000000000000000";
    uint8_t user[PS_DIGEST_BYTES], request[PS_DIGEST_BYTES], made[PS_DIGEST_BYTES];
    char session[HEX_BYTES], requested[HEX_BYTES];
    bool good = hash(user, NULL, digest->name, ":", realm, ":", digest->secret, NULL) &&
                hash(digest->session, user, ":", challenge->nonce, ":", digest->cnonce, NULL);
    ps_hex_write(session, digest->session, PS_DIGEST_BYTES);
    for (int back = 0; good && back < 2; back++) {
        good = hash(request, NULL, back ? ":" : "AUTHENTICATE:", digest->uri, tail, NULL);
        ps_hex_write(requested, request, PS_DIGEST_BYTES);
        good = good && hash(made, NULL, session, ":", challenge->nonce, ":00000001:", digest->cnonce, ":",
                            level, ":", requested, NULL);
        ps_hex_write(back ? digest->expected : response, made, PS_DIGEST_BYTES);
    }
    OPENSSL_cleanse(user, sizeof user);
    OPENSSL_cleanse(session, sizeof session);
    return good;
}

/* ---- the reply ---- */

struct text {
    char *bytes;
    size_t length, room;
};

static void add(struct text *text, const char *bytes)
{
    size_t length = strlen(bytes);
    if (text->bytes == NULL)
        return;
    PS_ASSERT(text->length + length <= text->room);
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void add_quoted(struct text *text, const char *name, const char *value)
{
    add(text, name);
    add(text, "=\"");
    for (; *value != '\0'; value++) {
        const char byte[] = {*value, '\0'};
        if (*value == '"' || *value == '\\')
            add(text, "\\");
        add(text, byte);
    }
    add(text, "\"");
}

static bool write_reply(const struct digest *digest, const struct ps_digest_challenge *challenge,
                        const char *response, struct ps_sasl_token *reply)
{
    const char *realm = challenge->realm;
    size_t room = 512 + 2 * (strlen(digest->name) + (realm != NULL ? strlen(realm) : 0) +
                             strlen(challenge->nonce) + strlen(digest->uri));
    struct text text = {.bytes = malloc(room), .room = room};
    char maxbuf[32];
    if (text.bytes == NULL)
        return false;
    if (challenge->utf8)
        add(&text, "charset=utf-8,");
    add_quoted(&text, "username", digest->name);
    if (realm != NULL)
        add_quoted(&text, ",realm", realm);
    add_quoted(&text, ",nonce", challenge->nonce);
    add(&text, ",nc=00000001");
    add_quoted(&text, ",cnonce", digest->cnonce);
    add_quoted(&text, ",digest-uri", digest->uri);
    snprintf(maxbuf, sizeof maxbuf, ",maxbuf=%u", MAXBUF_BYTES);
    add(&text, maxbuf);
    add(&text, ",response=");
    add(&text, response);
    add(&text, ",qop=");
    add(&text, ps_digest_level_name(digest->sasl.protection));
    if (digest->cipher != PS_DIGEST_NO_CIPHER)
        add_quoted(&text, ",cipher", ps_digest_cipher_name(digest->cipher));
    *reply = (struct ps_sasl_token){.bytes = (uint8_t *)text.bytes, .length = text.length};
    return true;
}

/* ---- the exchange ---- */

static bool choose(struct digest *digest, const struct ps_digest_challenge *challenge)
{
    unsigned ciphers = digest->ciphers & challenge->ciphers;
    unsigned offered = ciphers == 0 ? challenge->protection & ~PS_SASL_PRIVACY : challenge->protection;
    digest->sasl.protection = ps_sasl_choose(digest->allowed, offered);
    digest->cipher = PS_DIGEST_NO_CIPHER;
    if (digest->sasl.protection != PS_SASL_PRIVACY)
        return digest->sasl.protection != 0;
    while ((ciphers & 1U << digest->cipher) == 0)
        digest->cipher++;
    return true;
}

static enum ps_sasl_result answer(struct digest *digest, const struct ps_digest_challenge *challenge,
                                  struct ps_sasl_token *reply)
{
    char response[HEX_BYTES];
    if (challenge->nonce == NULL)
        return fail(digest, "the challenge has no nonce");
    if (!challenge->md5_sess)
        return fail(digest, "the challenge does not ask for md5-sess");
    if (!choose(digest, challenge))
        return fail(digest, "the server offers none of the levels of protection that are allowed here");
    if (!respond(digest, challenge, response))
        return fail(digest, "the library has no MD5 (FIPS mode?)");
    if (!write_reply(digest, challenge, response, reply))
        return fail(digest, "no memory");
    digest->sasl.wrap_text_max =
        challenge->maxbuf_bytes > FRAME_BYTES ? challenge->maxbuf_bytes - FRAME_BYTES : 1;
    digest->state = ANSWERED;
    return PS_SASL_MORE;
}

static enum ps_sasl_result finish(struct digest *digest, const struct ps_digest_challenge *challenge)
{
    bool same = challenge->rspauth != NULL && strlen(challenge->rspauth) == HEX_BYTES - 1 &&
                CRYPTO_memcmp(challenge->rspauth, digest->expected, HEX_BYTES - 1) == 0;
    if (!same)
        return fail(digest, "the server does not know the secret: it is not the server that it claims to be");
    bool made = digest->sasl.protection == PS_SASL_AUTHENTICATION ||
                (ps_digest_layer_init(&digest->out, digest->session, true, digest->cipher) &&
                 ps_digest_layer_init(&digest->in, digest->session, false, digest->cipher));
    OPENSSL_cleanse(digest->session, sizeof digest->session);
    if (!made)
        return fail(digest, "the library lacks an algorithm that protects messages");
    digest->state = OPEN;
    return PS_SASL_DONE;
}

static enum ps_sasl_result step(struct ps_sasl *sasl, const uint8_t *bytes, size_t length,
                                struct ps_sasl_token *reply)
{
    struct digest *digest = (struct digest *)sasl;
    struct ps_digest_challenge challenge;
    enum ps_sasl_result result = PS_SASL_FAILED;
    if (digest->state == REFUSED)
        return PS_SASL_FAILED; /* only the first failure sets the reason */
    if (length > CHALLENGE_BYTES_MAX) {
        digest->state = REFUSED;
        return fail(digest, "the challenge is too long");
    }
    char *text = malloc(length + 1);
    if (text == NULL)
        return fail(digest, "no memory for the challenge");
    if (length > 0)
        memcpy(text, bytes, length);
    if (ps_digest_challenge_read(text, length, &challenge, sasl->reason))
        result = digest->state == BEGUN      ? answer(digest, &challenge, reply)
                 : digest->state == ANSWERED ? finish(digest, &challenge)
                                             : fail(digest, "the server sent one challenge too many");
    free(text);
    if (result == PS_SASL_FAILED)
        digest->state = REFUSED;
    return result;
}

/* ---- messages ---- */

static size_t wrap(struct ps_sasl *sasl, const uint8_t *text, size_t length, uint8_t *to, size_t room)
{
    struct digest *digest = (struct digest *)sasl;
    const char *reason = "";
    PS_ASSERT(digest->state == OPEN);
    size_t made = ps_digest_layer_wrap(&digest->out, text, length, to, room, &reason);
    if (made == 0)
        (void)fail(digest, reason);
    return made;
}

static bool unwrap(struct ps_sasl *sasl, uint8_t *bytes, size_t *length)
{
    struct digest *digest = (struct digest *)sasl;
    const char *reason = "";
    PS_ASSERT(digest->state == OPEN);
    bool good = ps_digest_layer_unwrap(&digest->in, bytes, length, &reason);
    if (!good)
        (void)fail(digest, reason);
    return good;
}

static void close_digest(struct ps_sasl *sasl)
{
    struct digest *digest = (struct digest *)sasl;
    ps_digest_layer_fini(&digest->out);
    ps_digest_layer_fini(&digest->in);
    if (digest->secret != NULL)
        OPENSSL_cleanse(digest->secret, strlen(digest->secret));
    free(digest->secret);
    free(digest->name);
    free(digest->uri);
    OPENSSL_cleanse(digest->session, sizeof digest->session);
    free(digest);
}

static const struct ps_sasl_ops digest_ops = {
    .step = step, .wrap = wrap, .unwrap = unwrap, .close = close_digest};

static bool draw_cnonce(struct digest *digest, const char *given)
{
    uint8_t bytes[CNONCE_BYTES];
    if (given != NULL) {
        snprintf(digest->cnonce, sizeof digest->cnonce, "%s", given);
        return true;
    }
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    ps_hex_write(digest->cnonce, bytes, sizeof bytes);
    return true;
}

struct ps_sasl *ps_digest_md5_open(const struct ps_digest_md5_settings *settings)
{
    struct digest *digest = calloc(1, sizeof *digest);
    if (digest == NULL)
        return NULL;
    digest->sasl.ops = &digest_ops;
    digest->allowed = settings->protection;
    digest->ciphers = settings->cipher != NULL ? ps_digest_ciphers_of(settings->cipher) : ~0U;
    digest->name = strdup(settings->name);
    digest->secret = strdup(settings->secret);
    bool made = asprintf(&digest->uri, "%s/%s", settings->service, settings->host) >= 0;
    if (!made)
        digest->uri = NULL;
    if (made && digest->name != NULL && digest->secret != NULL && draw_cnonce(digest, settings->cnonce))
        return &digest->sasl;
    close_digest(&digest->sasl);
    return NULL;
}
