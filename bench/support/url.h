/* A target of load or a far end of verify: scheme://host:port/path?key=value&key=value. Set-up only. */
#pragma once

#include "core/status.h"

#define PS_URL_KEYS_MAX 32U

struct ps_url {
    char *text;         /* as given */
    const char *scheme; /* lower case */
    /* "" when there is none; without the brackets of an IPv6 address. */
    const char *host;
    const char *port;  /* digits, "" when there is none */
    const char *hosts; /* the whole part between // and the path: kafka://a:9092,b:9092/topic */
    /* The path with its slash, percent-decoded; "" when there is none. */
    const char *path;
    unsigned key_count;
    struct ps_url_key {
        const char *name, *value; /* percent-decoded */
        bool used;                /* a getter asked for it */
    } keys[PS_URL_KEYS_MAX];
    unsigned asked_count;
    const char *asked[PS_URL_KEYS_MAX]; /* names and prefixes used by the getters; not copied */
    char *storage;
};

/* "-" means stdout:, a bare path means file://path. Owns: ps_url_fini frees. */
enum ps_status ps_url_parse(struct ps_url *url, const char *text, struct ps_err *err);
void ps_url_fini(struct ps_url *url);

/* Returns the value of a key, or `otherwise`. */
const char *ps_url_get(struct ps_url *url, const char *name, const char *otherwise);
/* Finds the next key that begins with `prefix`, for example "kafka.". Use: for (unsigned at = 0; ps_url_next(...);) */
bool ps_url_next(struct ps_url *url, const char *prefix, unsigned *at, const char **name, const char **value);
/* Call it after all getters. Fails when the URL has a key that no getter used; the error names the most similar key
 * that a getter used. */
enum ps_status ps_url_check(const struct ps_url *url, struct ps_err *err);
/* Resolves host:port to an address for connect or bind. A missing port is an error. Resolves names (blocks). */
struct sockaddr_storage;
enum ps_status ps_url_address(const struct ps_url *url, struct sockaddr_storage *address,
                              unsigned *address_bytes, struct ps_err *err);
