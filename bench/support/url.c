#include "bench/support/url.h"
#include "core/text/nearest.h"
#include "core/text/hex.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Percent-decodes in place. Returns false for a % without two hexadecimal digits after it, and for %00. */
static bool decode(char *text)
{
    char *to = text;
    for (; *text != '\0'; text++) {
        if (*text != '%') {
            *to++ = *text;
            continue;
        }
        int high = ps_hex_digit(text[1]), low = high < 0 ? -1 : ps_hex_digit(text[2]);
        if (low < 0 || high + low == 0)
            return false;
        *to++ = (char)(high * 16 + low);
        text += 2;
    }
    *to = '\0';
    return true;
}

static char *append(char **end, const char *text, size_t length)
{
    char *start = *end;
    memcpy(start, text, length);
    start[length] = '\0';
    *end = start + length + 1;
    return start;
}

static enum ps_status parse_query(struct ps_url *url, char *query, struct ps_err *err)
{
    char *place;
    for (char *one = strtok_r(query, "&", &place); one != NULL; one = strtok_r(NULL, "&", &place)) {
        char *value = strchr(one, '=');
        if (url->key_count == PS_URL_KEYS_MAX)
            return ps_err_set(err, "%s: more than %u keys", url->text, PS_URL_KEYS_MAX);
        if (value != NULL)
            *value++ = '\0';
        if (*one == '\0' || !decode(one) || (value != NULL && !decode(value)))
            return ps_err_set(
                err, "%s: write key=value&key=value after ?, and two hexadecimal digits after each %%",
                url->text);
        url->keys[url->key_count++] = (struct ps_url_key){.name = one, .value = value ? value : "true"};
    }
    return PS_OK;
}

/* Takes "host:port", "[v6]:port" or "host" from the first of `hosts`. */
static enum ps_status parse_host(struct ps_url *url, char **end, struct ps_err *err)
{
    const char *host = url->hosts;
    size_t length = strcspn(host, ",");
    const char *colon;
    if (*host == '[') {
        const char *bracket = memchr(host, ']', length);
        if (bracket == NULL || (bracket + 1 < host + length && bracket[1] != ':'))
            return ps_err_set(err, "%s: the `[` of an IPv6 address has no `]`", url->text);
        url->host = append(end, host + 1, (size_t)(bracket - host) - 1);
        colon = bracket + 1 < host + length ? bracket + 1 : NULL;
    } else {
        colon = memchr(host, ':', length);
        size_t host_length = colon != NULL ? (size_t)(colon - host) : length;
        if (colon != NULL && memchr(colon + 1, ':', length - host_length - 1) != NULL)
            return ps_err_set(err, "%s: write an IPv6 address in brackets: [::1]:5140", url->text);
        url->host = append(end, host, host_length);
    }
    if (colon != NULL)
        url->port = append(end, colon + 1, (size_t)(host + length - colon) - 1);
    size_t digits = strspn(url->port, "0123456789");
    if (url->port[digits] != '\0' || digits > 5 || strtoul(url->port, NULL, 10) > 65535)
        return ps_err_set(err, "%s: `%s` is not a port number", url->text, url->port);
    return PS_OK;
}

enum ps_status ps_url_parse(struct ps_url *url, const char *text, struct ps_err *err)
{
    size_t room = strlen(text) * 3 + 64;
    *url = (struct ps_url){
        .host = "", .port = "", .hosts = "", .path = "", .storage = ps_must_alloc(1, room, "a URL")};
    char *end = url->storage;
    url->text = append(&end, text, strlen(text));
    if (strcmp(text, "-") == 0)
        text = "stdout:";
    const char *colon = strstr(text, ":");
    bool bare = colon == NULL || strcspn(text, "/.?") < (size_t)(colon - text);
    char *scheme = bare ? append(&end, "file", 4) : append(&end, text, (size_t)(colon - text));
    for (char *letter = scheme; *letter != '\0'; letter++)
        *letter = *letter >= 'A' && *letter <= 'Z' ? (char)(*letter + 32) : *letter;
    url->scheme = scheme;
    const char *rest = bare ? text : colon + 1;
    if (strncmp(rest, "//", 2) == 0 && !bare) {
        rest += 2;
        size_t length = strcspn(rest, "/?");
        url->hosts = append(&end, rest, length);
        rest += length;
        if (parse_host(url, &end, err) != PS_OK)
            return PS_FAIL;
    }
    size_t path_length = strcspn(rest, "?");
    char *path = append(&end, rest, path_length);
    url->path = path;
    if (!bare && !decode(path))
        return ps_err_set(err, "%s: two hexadecimal digits must follow each %% of the path", url->text);
    if (rest[path_length] == '\0')
        return PS_OK;
    return parse_query(url, append(&end, rest + path_length + 1, strlen(rest + path_length + 1)), err);
}

void ps_url_fini(struct ps_url *url)
{
    free(url->storage);
    *url = (struct ps_url){0};
}

static void asked(struct ps_url *url, const char *name)
{
    for (unsigned i = 0; i < url->asked_count; i++) {
        if (strcmp(url->asked[i], name) == 0)
            return;
    }
    PS_ASSERT(url->asked_count < PS_URL_KEYS_MAX);
    url->asked[url->asked_count++] = name;
}

const char *ps_url_get(struct ps_url *url, const char *name, const char *otherwise)
{
    asked(url, name);
    for (unsigned i = 0; i < url->key_count; i++) {
        if (strcmp(url->keys[i].name, name) == 0) {
            url->keys[i].used = true;
            otherwise = url->keys[i].value; /* of several keys with this name the last one counts */
        }
    }
    return otherwise;
}

bool ps_url_next(struct ps_url *url, const char *prefix, unsigned *at, const char **name, const char **value)
{
    asked(url, prefix);
    for (; *at < url->key_count; (*at)++) {
        struct ps_url_key *key = &url->keys[*at];
        if (strncmp(key->name, prefix, strlen(prefix)) == 0) {
            key->used = true;
            *name = key->name + strlen(prefix);
            *value = key->value;
            (*at)++;
            return true;
        }
    }
    return false;
}

enum ps_status ps_url_check(const struct ps_url *url, struct ps_err *err)
{
    for (unsigned i = 0; i < url->key_count; i++) {
        if (url->keys[i].used)
            continue;
        struct ps_nearest nearest;
        char known[512] = "";
        size_t length = 0;
        ps_nearest_init(&nearest, url->keys[i].name);
        for (unsigned k = 0; k < url->asked_count; k++) {
            bool prefix = url->asked[k][strlen(url->asked[k]) - 1] == '.';
            ps_nearest_offer(&nearest, url->asked[k]);
            int more = snprintf(known + length, sizeof known - length, "%s%s%s", k > 0 ? ", " : "",
                                url->asked[k], prefix ? "*" : "");
            length = length + (size_t)more < sizeof known ? length + (size_t)more : sizeof known - 1;
        }
        if (nearest.word != NULL)
            return ps_err_set(err, "%s: %s: has no key `%s`; did you mean `%s`?", url->text, url->scheme,
                              url->keys[i].name, nearest.word);
        return ps_err_set(err, "%s: %s: has no key `%s`; it has %s", url->text, url->scheme,
                          url->keys[i].name, length > 0 ? known : "none");
    }
    return PS_OK;
}

enum ps_status ps_url_address(const struct ps_url *url, struct sockaddr_storage *address,
                              unsigned *address_bytes, struct ps_err *err)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found;
    if (*url->host == '\0')
        return ps_err_set(err, "%s: a host is missing: %s://HOST:PORT", url->text, url->scheme);
    if (*url->port == '\0')
        return ps_err_set(err, "%s: a port is missing: %s://HOST:PORT", url->text, url->scheme);
    int code = getaddrinfo(url->host, url->port, &hints, &found);
    if (code != 0)
        return ps_err_set(err, "%s: %s: %s", url->text, url->host, gai_strerror(code));
    memcpy(address, found->ai_addr, found->ai_addrlen);
    *address_bytes = found->ai_addrlen;
    freeaddrinfo(found);
    return PS_OK;
}
