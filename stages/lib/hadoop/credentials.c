#include "stages/lib/hadoop/credentials.h"

#include "core/array.h"
#include "stages/lib/hadoop/proto/credentials.pb-c.h"
#include "stages/lib/varint.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PURPOSE "Hadoop's tokens"
#define HEAD_BYTES 5 /* "HDTS" and the version */
#define PART_BYTES_MAX 65536U

struct ps_hadoop_credentials {
    struct ps_hadoop_token *tokens;
    size_t count, room;
};

struct bytes {
    const uint8_t *at;
    size_t length;
};

/* The parts of a token, as places in the file. */
struct parts {
    struct bytes identifier, password, kind, service;
};

const char *ps_hadoop_credentials_path(void)
{
    const char *path = getenv("HADOOP_TOKEN_FILE_LOCATION");
    return path != NULL && path[0] != '\0' ? path : NULL;
}

/* ---- Writable (WritableUtils.readVLong) ---- */

static bool read_number(struct bytes *in, int64_t *value)
{
    if (in->length == 0)
        return false;
    int first = (int8_t)in->at[0];
    bool negative = first < -120;
    size_t more = first >= -112 ? 0 : (size_t)((negative ? -120 : -112) - first);
    if (in->length < 1 + more)
        return false;
    uint64_t number = 0;
    for (size_t i = 1; i <= more; i++)
        number = number << 8 | in->at[i];
    in->at += 1 + more;
    in->length -= 1 + more;
    *value = more == 0 ? first : (int64_t)(negative ? ~number : number);
    return true;
}

/* Reads bytes, or a Text, after their length. */
static bool read_bytes(struct bytes *in, struct bytes *out)
{
    int64_t length;
    if (!read_number(in, &length) || length < 0 || length > PART_BYTES_MAX || (size_t)length > in->length)
        return false;
    *out = (struct bytes){.at = in->at, .length = (size_t)length};
    in->at += length;
    in->length -= (size_t)length;
    return true;
}

static size_t put_number(uint8_t *to, size_t number) /* at most PART_BYTES_MAX */
{
    if (number <= 127) {
        to[0] = (uint8_t)number;
        return 1;
    }
    size_t more = number > 0xffff ? 3 : number > 0xff ? 2 : 1;
    to[0] = (uint8_t)(-112 - (int)more);
    for (size_t i = 0; i < more; i++)
        to[1 + i] = (uint8_t)(number >> 8 * (more - 1 - i));
    return 1 + more;
}

/* ---- a token ---- */

static char *text_of(const struct bytes *bytes)
{
    char *text = ps_must_alloc(bytes->length + 1, 1, PURPOSE);
    if (bytes->length > 0)
        memcpy(text, bytes->at, bytes->length);
    return text;
}

static char *in_base64(const uint8_t *bytes, size_t length)
{
    char *text = ps_must_alloc((length + 2) / 3 * 4 + 1, 1, PURPOSE);
    (void)EVP_EncodeBlock((uint8_t *)text, bytes, (int)length);
    return text;
}

/* Returns the token like Token.encodeToUrlString: its Writable form in base64 for URLs. */
static char *url_of(const struct parts *parts)
{
    const struct bytes *const all[] = {&parts->identifier, &parts->password, &parts->kind, &parts->service};
    size_t length = 0, room = parts->identifier.length + parts->password.length + parts->kind.length +
                              parts->service.length + 4 * 4;
    uint8_t *plain = ps_must_alloc(room, 1, PURPOSE);
    for (size_t i = 0; i < PS_COUNT_OF(all); i++) {
        length += put_number(plain + length, all[i]->length);
        if (all[i]->length > 0)
            memcpy(plain + length, all[i]->at, all[i]->length);
        length += all[i]->length;
    }
    char *url = in_base64(plain, length);
    OPENSSL_cleanse(plain, room);
    free(plain);
    for (char *at = url; *at != '\0'; at++)
        *at = (char)(*at == '+' ? '-' : *at == '/' ? '_' : *at == '=' ? '\0' : *at);
    return url;
}

/* Reads the format of AbstractDelegationTokenIdentifier.write: version 0, owner, renewer, real user, time of issue, latest time of expiry. */
static void read_identifier(struct ps_hadoop_token *token, const struct bytes *identifier)
{
    struct bytes in = *identifier, owner = {.length = 0}, unused;
    int64_t version, issued, expires;
    bool good = read_number(&in, &version) && version == 0 && read_bytes(&in, &owner) &&
                read_bytes(&in, &unused) && read_bytes(&in, &unused) && read_number(&in, &issued) &&
                read_number(&in, &expires);
    if (!good)
        owner.length = 0;
    token->owner = text_of(&owner);
    token->expires_ms = good && expires > 0 ? expires : 0;
}

static void add_token(struct ps_hadoop_credentials *credentials, const struct parts *parts)
{
    PS_ARRAY_GROW(credentials->tokens, credentials->count, credentials->room, PURPOSE);
    struct ps_hadoop_token *token = &credentials->tokens[credentials->count++];
    *token = (struct ps_hadoop_token){
        .kind = text_of(&parts->kind),
        .service = text_of(&parts->service),
        .name = in_base64(parts->identifier.at, parts->identifier.length),
        .secret = in_base64(parts->password.at, parts->password.length),
        .url = url_of(parts),
    };
    read_identifier(token, &parts->identifier);
}

/* ---- the two forms ---- */

/* Reads the tokens; the secret keys after them are not needed. */
static bool parse_writable(struct ps_hadoop_credentials *credentials, struct bytes in)
{
    int64_t count;
    if (!read_number(&in, &count) || count < 0 || count > PS_HADOOP_TOKENS_MAX)
        return false;
    for (int64_t i = 0; i < count; i++) {
        struct bytes alias;
        struct parts parts;
        if (!read_bytes(&in, &alias) || !read_bytes(&in, &parts.identifier) ||
            !read_bytes(&in, &parts.password) || !read_bytes(&in, &parts.kind) ||
            !read_bytes(&in, &parts.service))
            return false;
        add_token(credentials, &parts);
    }
    return true;
}

static struct bytes bytes_of(const ProtobufCBinaryData *data)
{
    return (struct bytes){.at = data->data, .length = data->len};
}

static struct bytes bytes_of_text(const char *text)
{
    return (struct bytes){.at = (const uint8_t *)text, .length = strlen(text)};
}

static bool parse_message(struct ps_hadoop_credentials *credentials, struct bytes in)
{
    size_t head, whole = ps_varint_get_delimited(in.at, in.length, &head);
    if (whole == 0)
        return false;
    PsHadoop__Credentials *message = ps_hadoop__credentials__unpack(NULL, whole - head, in.at + head);
    bool good = message != NULL && message->n_tokens <= PS_HADOOP_TOKENS_MAX;
    for (size_t i = 0; good && i < message->n_tokens; i++) {
        const PsHadoop__Token *token = message->tokens[i]->token;
        if (token == NULL)
            continue;
        const struct parts parts = {.identifier = bytes_of(&token->identifier),
                                    .password = bytes_of(&token->password),
                                    .kind = bytes_of_text(token->kind),
                                    .service = bytes_of_text(token->service)};
        good = parts.identifier.length <= PART_BYTES_MAX && parts.password.length <= PART_BYTES_MAX &&
               parts.kind.length <= PART_BYTES_MAX && parts.service.length <= PART_BYTES_MAX;
        if (good)
            add_token(credentials, &parts);
    }
    if (message != NULL)
        ps_hadoop__credentials__free_unpacked(message, NULL);
    return good;
}

enum ps_status ps_hadoop_credentials_parse(struct ps_hadoop_credentials **parsed, const uint8_t *bytes,
                                           size_t length, struct ps_err *err)
{
    *parsed = NULL;
    if (length < HEAD_BYTES || memcmp(bytes, "HDTS", 4) != 0)
        return ps_err_set(err, "it is not a file of Hadoop's tokens, which begins with HDTS");
    if (bytes[4] > 1)
        return ps_err_set(err, "its version is %u; only 0 and 1 are supported", bytes[4]);
    struct ps_hadoop_credentials *credentials = ps_must_alloc(1, sizeof *credentials, PURPOSE);
    const struct bytes in = {.at = bytes + HEAD_BYTES, .length = length - HEAD_BYTES};
    if (bytes[4] == 0 ? parse_writable(credentials, in) : parse_message(credentials, in)) {
        *parsed = credentials;
        return PS_OK;
    }
    ps_hadoop_credentials_free(credentials);
    return ps_err_set(err, "it is damaged or incomplete");
}

enum ps_status ps_hadoop_credentials_load(struct ps_hadoop_credentials **credentials, const char *path,
                                          struct ps_err *err)
{
    struct ps_err cause = {.length = 0};
    *credentials = NULL;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return ps_err_set(err, "HADOOP_TOKEN_FILE_LOCATION: %s: %s", path, strerror(errno));
    uint8_t *bytes = ps_must_alloc(PS_HADOOP_CREDENTIALS_BYTES_MAX + 1, 1, PURPOSE);
    size_t length = fread(bytes, 1, PS_HADOOP_CREDENTIALS_BYTES_MAX + 1, file);
    enum ps_status status;
    if (ferror(file))
        status = ps_err_set(&cause, "%s", strerror(errno));
    else if (length > PS_HADOOP_CREDENTIALS_BYTES_MAX)
        status = ps_err_set(&cause, "it is longer than 1 MiB");
    else
        status = ps_hadoop_credentials_parse(credentials, bytes, length, &cause);
    fclose(file);
    OPENSSL_cleanse(bytes, length);
    free(bytes);
    return status == PS_OK ? PS_OK
                           : ps_err_set(err, "HADOOP_TOKEN_FILE_LOCATION: %s: %s", path, ps_err_join(&cause));
}

/* ---- loading and finding tokens ---- */

static void wipe(const char *secret)
{
    OPENSSL_cleanse((char *)(uintptr_t)secret, strlen(secret));
    free((char *)(uintptr_t)secret);
}

void ps_hadoop_credentials_free(struct ps_hadoop_credentials *credentials)
{
    for (size_t i = 0; credentials != NULL && i < credentials->count; i++) {
        struct ps_hadoop_token *token = &credentials->tokens[i];
        wipe(token->secret);
        wipe(token->url);
        free((char *)(uintptr_t)token->kind);
        free((char *)(uintptr_t)token->service);
        free((char *)(uintptr_t)token->name);
        free((char *)(uintptr_t)token->owner);
    }
    if (credentials != NULL)
        free(credentials->tokens);
    free(credentials);
}

size_t ps_hadoop_credentials_count(const struct ps_hadoop_credentials *credentials)
{
    return credentials != NULL ? credentials->count : 0;
}

const struct ps_hadoop_token *ps_hadoop_credentials_at(const struct ps_hadoop_credentials *credentials,
                                                       size_t number)
{
    return &credentials->tokens[number];
}

const struct ps_hadoop_token *ps_hadoop_credentials_find(const struct ps_hadoop_credentials *credentials,
                                                         const char *kind, const char *service)
{
    const struct ps_hadoop_token *found = NULL;
    for (size_t i = 0; i < ps_hadoop_credentials_count(credentials); i++) {
        const struct ps_hadoop_token *token = &credentials->tokens[i];
        if (strcmp(token->kind, kind) != 0 || (service != NULL && strcasecmp(token->service, service) != 0))
            continue;
        if (service != NULL)
            return token;
        if (found != NULL)
            return NULL;
        found = token;
    }
    return found;
}

const struct ps_hadoop_token *
ps_hadoop_credentials_first_to_end(const struct ps_hadoop_credentials *credentials, const char *kind)
{
    const struct ps_hadoop_token *first = NULL;
    for (size_t i = 0; credentials != NULL && i < ps_hadoop_credentials_count(credentials); i++) {
        const struct ps_hadoop_token *token = ps_hadoop_credentials_at(credentials, i);
        if (strcmp(token->kind, kind) == 0 && token->expires_ms > 0 &&
            (first == NULL || token->expires_ms < first->expires_ms))
            first = token;
    }
    return first;
}
