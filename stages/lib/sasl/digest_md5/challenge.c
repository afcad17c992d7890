/* The challenge of a DIGEST-MD5 server: name=value, name="value", separated by commas (RFC 2831, 2.1.1). */
#include "stages/lib/sasl/digest_md5/internal.h"

#include "core/text/list.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAXBUF_DEFAULT_BYTES 65536U
#define MAXBUF_LEAST 17U
#define MAXBUF_MOST 0xffffffU
#define SEPARATORS ", \t\r\n"

static bool refuse(char *reason, const char *why)
{
    snprintf(reason, PS_SASL_REASON_BYTES, "DIGEST-MD5: %s", why);
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

const char *ps_digest_level_name(unsigned level)
{
    return level == PS_SASL_PRIVACY ? "auth-conf" : level == PS_SASL_INTEGRITY ? "auth-int" : "auth";
}

const char *ps_digest_cipher_name(enum ps_digest_cipher cipher)
{
    static const char *const names[] = {[PS_DIGEST_RC4] = "rc4",
                                        [PS_DIGEST_3DES] = "3des",
                                        [PS_DIGEST_RC4_56] = "rc4-56",
                                        [PS_DIGEST_RC4_40] = "rc4-40"};
    return names[cipher];
}

static unsigned levels_of(const char *list)
{
    unsigned levels = 0;
    for (unsigned level = PS_SASL_AUTHENTICATION; level <= PS_SASL_PRIVACY; level <<= 1) {
        const char *name = ps_digest_level_name(level);
        levels |= ps_list_has(list, SEPARATORS, name, strlen(name)) ? level : 0;
    }
    return levels;
}

unsigned ps_digest_ciphers_of(const char *list)
{
    unsigned ciphers = 0;
    for (unsigned cipher = PS_DIGEST_RC4; cipher <= PS_DIGEST_RC4_40; cipher++) {
        const char *name = ps_digest_cipher_name((enum ps_digest_cipher)cipher);
        ciphers |= ps_list_has(list, SEPARATORS, name, strlen(name)) ? 1U << cipher : 0;
    }
    return ciphers;
}

static bool read_maxbuf(const char *value, uint32_t *bytes)
{
    uint32_t number = 0;
    if (*value == '\0')
        return false;
    for (; *value != '\0'; value++) {
        if (*value < '0' || *value > '9')
            return false;
        number = number * 10 + (uint32_t)(*value - '0');
        if (number > MAXBUF_MOST)
            return false;
    }
    *bytes = number;
    return number >= MAXBUF_LEAST;
}

/* Names that a challenge has at most once (RFC 2831, 2.1.1). With two values of a name, the client might use one and the
 * server the other. */
static const char *const once[] = {"nonce", "qop", "cipher", "rspauth", "maxbuf", "charset", "algorithm"};

/* Returns false with `reason` if a name of `once` was read before. `seen` has a bit for each name of `once` that
 * was read. */
static bool is_new(const char *name, unsigned *seen, char *reason)
{
    for (unsigned i = 0; i < PS_COUNT_OF(once); i++) {
        if (strcasecmp(name, once[i]) != 0)
            continue;
        if ((*seen & 1U << i) != 0) {
            snprintf(reason, PS_SASL_REASON_BYTES, "DIGEST-MD5: the challenge has two values of %s", once[i]);
            return false;
        }
        *seen |= 1U << i;
    }
    return true;
}

static bool note(struct ps_digest_challenge *challenge, const char *name, const char *value, char *reason)
{
    if (strcasecmp(name, "realm") == 0 && challenge->realm == NULL) {
        challenge->realm = value;
    } else if (strcasecmp(name, "nonce") == 0) {
        challenge->nonce = value;
    } else if (strcasecmp(name, "qop") == 0) {
        challenge->protection = levels_of(value);
    } else if (strcasecmp(name, "cipher") == 0) {
        challenge->ciphers = ps_digest_ciphers_of(value);
    } else if (strcasecmp(name, "rspauth") == 0) {
        challenge->rspauth = value;
    } else if (strcasecmp(name, "maxbuf") == 0) {
        if (!read_maxbuf(value, &challenge->maxbuf_bytes))
            return refuse(reason, "the challenge has a wrong maxbuf");
    } else if (strcasecmp(name, "charset") == 0) {
        challenge->utf8 = strcasecmp(value, "utf-8") == 0;
    } else if (strcasecmp(name, "algorithm") == 0) {
        challenge->md5_sess = strcasecmp(value, "md5-sess") == 0;
    } /* other names are to be ignored */
    return true;
}

/* Reads "..." from `*at`, and decodes it in place. Returns NULL if the closing quote is missing. */
static char *read_quoted(char **at, const char *end)
{
    char *value = ++*at, *to = value;
    while (*at < end && **at != '"') {
        if (**at == '\\' && ++*at == end)
            return NULL;
        *to++ = *(*at)++;
    }
    if (*at == end)
        return NULL;
    (*at)++;
    *to = '\0';
    return value;
}

bool ps_digest_challenge_read(char *text, size_t length, struct ps_digest_challenge *challenge, char *reason)
{
    char *at = text, *end = text + length;
    unsigned seen = 0;
    *end = '\0';
    *challenge = (struct ps_digest_challenge){.protection = PS_SASL_AUTHENTICATION,
                                              .maxbuf_bytes = MAXBUF_DEFAULT_BYTES};
    if (memchr(text, '\0', length) != NULL)
        return refuse(reason, "the challenge has a NUL");
    while (true) {
        while (at < end && (is_space(*at) || *at == ','))
            at++;
        if (at == end)
            return true;
        char *name = at, *value;
        at += strcspn(at, "=, \t\r\n\"");
        if (at == name || *at != '=')
            return refuse(reason, "the challenge is not a list of name=value");
        *at++ = '\0';
        if (at < end && *at == '"') {
            value = read_quoted(&at, end);
            if (value == NULL || (at < end && *at != ',' && !is_space(*at)))
                return refuse(reason, "a quoted text of the challenge does not end");
        } else {
            value = at;
            at += strcspn(at, SEPARATORS);
            if (at < end)
                *at++ = '\0';
        }
        if (!is_new(name, &seen, reason) || !note(challenge, name, value, reason))
            return false;
    }
}
