#include "stages/lib/sasl/password.h"

#include "core/text/base64.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NONCE_BYTES 24U
#define NONCE_TEXT_BYTES_MAX 256U
#define SALT_BYTES_MAX 1024U
#define MESSAGE_BYTES_MAX 4096U /* of the server */
#define BARE_BYTES_MAX (3U * PS_PASSWORD_BYTES_MAX + NONCE_TEXT_BYTES_MAX + 16U)
#define FINAL_BYTES_MAX (NONCE_TEXT_BYTES_MAX + 256U)
#define AUTHENTICATION_BYTES_MAX (BARE_BYTES_MAX + MESSAGE_BYTES_MAX + FINAL_BYTES_MAX)

enum state {
    BEGUN,
    NAMED,  /* the server's first message is expected */
    PROVED, /* the server's last message is expected */
    OPEN,
    REFUSED,
};

struct password {
    struct ps_sasl sasl;
    enum state state;
    const EVP_MD *hash; /* NULL: PLAIN */
    size_t hash_bytes;
    char name[PS_PASSWORD_BYTES_MAX + 1], secret[PS_PASSWORD_BYTES_MAX + 1];
    char nonce[NONCE_TEXT_BYTES_MAX];
    char bare[BARE_BYTES_MAX]; /* the client's first message without its head */
    uint8_t server_signature[EVP_MAX_MD_SIZE];
};

static const struct {
    const char *name;
    const EVP_MD *(*hash)(void);
} mechanisms[] = {{"PLAIN", NULL}, {"SCRAM-SHA-256", EVP_sha256}, {"SCRAM-SHA-512", EVP_sha512}};

static enum ps_sasl_result fail(struct password *password, const char *reason)
{
    password->state = REFUSED;
    snprintf(password->sasl.reason, sizeof password->sasl.reason, "%s", reason);
    return PS_SASL_FAILED;
}

static bool reply_with(struct ps_sasl_token *reply, const char *bytes, size_t length)
{
    reply->bytes = malloc(length);
    if (reply->bytes == NULL)
        return false;
    memcpy(reply->bytes, bytes, length);
    reply->length = length;
    return true;
}

/* ---- PLAIN ---- */

static enum ps_sasl_result plain_step(struct password *password, struct ps_sasl_token *reply)
{
    char message[2 * PS_PASSWORD_BYTES_MAX + 3];
    if (password->state != BEGUN)
        return fail(password, "PLAIN: the server asks for more than a name and a password");
    size_t name_length = strlen(password->name), secret_length = strlen(password->secret);
    message[0] = '\0';
    memcpy(message + 1, password->name, name_length + 1);
    memcpy(message + name_length + 2, password->secret, secret_length);
    bool good = reply_with(reply, message, name_length + secret_length + 2);
    OPENSSL_cleanse(message, sizeof message);
    password->state = OPEN;
    password->sasl.protection = PS_SASL_AUTHENTICATION;
    return good ? PS_SASL_DONE : fail(password, "PLAIN: no memory");
}

/* ---- SCRAM: the client's first message ---- */

static bool make_nonce(struct password *password)
{
    uint8_t bytes[NONCE_BYTES];
    if (password->nonce[0] != '\0')
        return true;
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    size_t length = ps_base64_encode(password->nonce, bytes, sizeof bytes); /* Base64 has no comma */
    password->nonce[length] = '\0';
    return true;
}

/* A comma and an equals sign of the name are written as =2C and =3D. */
static void write_bare(struct password *password)
{
    char *at = password->bare + sprintf(password->bare, "n=");
    for (const char *name = password->name; *name != '\0'; name++) {
        if (*name == ',' || *name == '=')
            at += sprintf(at, *name == ',' ? "=2C" : "=3D");
        else
            *at++ = *name;
    }
    sprintf(at, ",r=%s", password->nonce);
}

static enum ps_sasl_result scram_begin(struct password *password, struct ps_sasl_token *reply)
{
    char message[BARE_BYTES_MAX + 3];
    if (!make_nonce(password))
        return fail(password, "SCRAM: the system has no random numbers");
    write_bare(password);
    int length = snprintf(message, sizeof message, "n,,%s", password->bare);
    password->state = NAMED;
    return reply_with(reply, message, (size_t)length) ? PS_SASL_MORE : fail(password, "SCRAM: no memory");
}

/* ---- SCRAM: the proof ---- */

struct offer {
    const char *nonce;
    size_t nonce_length;
    char salt[SALT_BYTES_MAX + 3];
    size_t salt_length;
    unsigned iterations;
};

/* Takes "X=value" and the comma after it. Returns false if the message has another attribute here. */
static bool take(const char **at, const char *end, char name, const char **value, size_t *length)
{
    if (end - *at < 2 || (*at)[0] != name || (*at)[1] != '=')
        return false;
    const char *from = *at + 2, *comma = memchr(from, ',', (size_t)(end - from));
    *value = from;
    *length = (size_t)((comma != NULL ? comma : end) - from);
    *at = comma != NULL ? comma + 1 : end;
    return true;
}

static bool read_number(const char *text, size_t length, unsigned *number)
{
    *number = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || *number > PS_SCRAM_ITERATIONS_MAX)
            return false;
        *number = *number * 10 + (unsigned)(text[i] - '0');
    }
    return length > 0;
}

/* Returns NULL, or what is wrong with the server's first message: "r=NONCE,s=SALT,i=ITERATIONS[,...]". */
static const char *read_offer(const struct password *password, const char *message, size_t length,
                              struct offer *offer)
{
    const char *at = message, *end = message + length, *salt, *iterations;
    size_t salt_length, iterations_length, own = strlen(password->nonce);
    if (!take(&at, end, 'r', &offer->nonce, &offer->nonce_length) ||
        !take(&at, end, 's', &salt, &salt_length) || !take(&at, end, 'i', &iterations, &iterations_length))
        return "the server's first message cannot be read";
    if (offer->nonce_length <= own || offer->nonce_length >= NONCE_TEXT_BYTES_MAX ||
        memcmp(offer->nonce, password->nonce, own) != 0)
        return "the server's nonce does not continue ours";
    if (salt_length == 0 || salt_length > SALT_BYTES_MAX ||
        !ps_base64_decode(salt, salt_length, offer->salt, &offer->salt_length))
        return "the salt is not Base64, or is too long";
    if (!read_number(iterations, iterations_length, &offer->iterations) ||
        offer->iterations < PS_SCRAM_ITERATIONS_MIN || offer->iterations > PS_SCRAM_ITERATIONS_MAX)
        return "the number of iterations is not from 4,096 to 131,072";
    return NULL;
}

static bool sign(const struct password *password, const uint8_t *key, const void *data, size_t length,
                 uint8_t *to)
{
    return HMAC(password->hash, key, (int)password->hash_bytes, data, length, to, NULL) != NULL;
}

/* Computes the client's proof, and keeps the server's signature (RFC 5802, section 3). `authentication`: the
 * AuthMessage. Returns false if OpenSSL fails. */
static bool prove(struct password *password, const struct offer *offer, const char *authentication,
                  uint8_t *proof)
{
    uint8_t salted[EVP_MAX_MD_SIZE], client[EVP_MAX_MD_SIZE], stored[EVP_MAX_MD_SIZE],
        server[EVP_MAX_MD_SIZE], signature[EVP_MAX_MD_SIZE];
    size_t bytes = password->hash_bytes, length = strlen(authentication);
    bool good = PKCS5_PBKDF2_HMAC(password->secret, (int)strlen(password->secret),
                                  (const uint8_t *)offer->salt, (int)offer->salt_length,
                                  (int)offer->iterations, password->hash, (int)bytes, salted) == 1 &&
                sign(password, salted, "Client Key", 10, client) &&
                EVP_Digest(client, bytes, stored, NULL, password->hash, NULL) == 1 &&
                sign(password, stored, authentication, length, signature) &&
                sign(password, salted, "Server Key", 10, server) &&
                sign(password, server, authentication, length, password->server_signature);
    for (size_t i = 0; i < bytes && good; i++)
        proof[i] = client[i] ^ signature[i];
    OPENSSL_cleanse(salted, sizeof salted);
    OPENSSL_cleanse(client, sizeof client);
    OPENSSL_cleanse(stored, sizeof stored);
    OPENSSL_cleanse(server, sizeof server);
    return good;
}

static enum ps_sasl_result scram_prove(struct password *password, const char *message, size_t length,
                                       struct ps_sasl_token *reply)
{
    struct offer offer;
    char last[FINAL_BYTES_MAX], authentication[AUTHENTICATION_BYTES_MAX], reason[128];
    uint8_t proof[EVP_MAX_MD_SIZE];
    const char *wrong = read_offer(password, message, length, &offer);
    if (wrong != NULL) {
        snprintf(reason, sizeof reason, "SCRAM: %s", wrong);
        return fail(password, reason);
    }
    int at = snprintf(last, sizeof last, "c=biws,r=%.*s", (int)offer.nonce_length, offer.nonce);
    snprintf(authentication, sizeof authentication, "%s,%.*s,%s", password->bare, (int)length, message, last);
    if (!prove(password, &offer, authentication, proof))
        return fail(password, "SCRAM: OpenSSL does not compute the proof");
    at += snprintf(last + at, sizeof last - (size_t)at, ",p=");
    at += (int)ps_base64_encode(last + at, proof, password->hash_bytes);
    password->state = PROVED;
    return reply_with(reply, last, (size_t)at) ? PS_SASL_MORE : fail(password, "SCRAM: no memory");
}

/* ---- SCRAM: the server's proof ---- */

static enum ps_sasl_result scram_finish(struct password *password, const char *message, size_t length)
{
    const char *at = message, *end = message + length, *value;
    char signature[128], reason[160];
    size_t value_length, decoded = 0;
    if (take(&at, end, 'e', &value, &value_length)) {
        snprintf(reason, sizeof reason, "SCRAM: the server refuses: %.*s",
                 (int)(value_length < 100 ? value_length : 100), value);
        return fail(password, reason);
    }
    if (!take(&at, end, 'v', &value, &value_length) || value_length > 120 ||
        !ps_base64_decode(value, value_length, signature, &decoded) || decoded != password->hash_bytes ||
        CRYPTO_memcmp(signature, password->server_signature, decoded) != 0)
        return fail(password, "SCRAM: the server does not know the password");
    password->state = OPEN;
    password->sasl.protection = PS_SASL_AUTHENTICATION;
    return PS_SASL_DONE;
}

/* ---- the mechanism ---- */

static enum ps_sasl_result password_step(struct ps_sasl *sasl, const uint8_t *challenge, size_t length,
                                         struct ps_sasl_token *reply)
{
    struct password *password = (struct password *)sasl;
    const char *message = (const char *)challenge;
    if (password->hash == NULL)
        return plain_step(password, reply);
    if (length > MESSAGE_BYTES_MAX || (length > 0 && memchr(message, '\0', length) != NULL))
        return fail(password, "SCRAM: the server's message cannot be read");
    switch (password->state) {
    case BEGUN:
        return scram_begin(password, reply);
    case NAMED:
        return scram_prove(password, message, length, reply);
    case PROVED:
        return scram_finish(password, message, length);
    case OPEN:
    case REFUSED:
        break;
    }
    return fail(password, "SCRAM: the server sends more messages than the mechanism has");
}

/* Nothing is protected, so nothing may be wrapped. */
static size_t password_wrap(struct ps_sasl *, const uint8_t *, size_t, uint8_t *, size_t)
{
    return 0;
}

static bool password_unwrap(struct ps_sasl *, uint8_t *, size_t *)
{
    return false;
}

static void password_close(struct ps_sasl *sasl)
{
    OPENSSL_cleanse(sasl, sizeof(struct password));
    free(sasl);
}

static const struct ps_sasl_ops ops = {
    .step = password_step, .wrap = password_wrap, .unwrap = password_unwrap, .close = password_close};

bool ps_password_mechanism_is_known(const char *mechanism)
{
    for (size_t i = 0; i < PS_COUNT_OF(mechanisms); i++)
        if (strcasecmp(mechanism, mechanisms[i].name) == 0)
            return true;
    return false;
}

static const EVP_MD *hash_of(const char *mechanism)
{
    for (size_t i = 0; i < PS_COUNT_OF(mechanisms); i++)
        if (strcasecmp(mechanism, mechanisms[i].name) == 0 && mechanisms[i].hash != NULL)
            return mechanisms[i].hash();
    return NULL;
}

struct ps_sasl *ps_password_open(const char *mechanism, const struct ps_password_settings *settings)
{
    const char *nonce = settings->nonce != NULL ? settings->nonce : "";
    if (!ps_password_mechanism_is_known(mechanism) || strlen(settings->name) > PS_PASSWORD_BYTES_MAX ||
        strlen(settings->password) > PS_PASSWORD_BYTES_MAX || strlen(nonce) >= NONCE_TEXT_BYTES_MAX)
        return NULL;
    struct password *password = calloc(1, sizeof *password);
    if (password == NULL)
        return NULL;
    password->sasl.ops = &ops;
    password->hash = hash_of(mechanism);
    password->hash_bytes = password->hash != NULL ? (size_t)EVP_MD_get_size(password->hash) : 0;
    strcpy(password->name, settings->name);
    strcpy(password->secret, settings->password);
    strcpy(password->nonce, nonce);
    return &password->sasl;
}
