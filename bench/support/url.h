/* Where load goes and where verify reads: scheme://host:port/path?key=value&key=value. Set-up only. */
#pragma once

#include "core/status.h"

#define PS_URL_KEYS_MAX 32U

struct ps_url {
    char *text;         /* as it was given */
    const char *scheme; /* lower case */
    const char *host;   /* "" when there is none; brackets of an IPv6 address are taken off */
    const char *port;   /* digits, "" when there is none */
    const char *hosts;  /* the whole part between // and the path: kafka://a:9092,b:9092/topic */
    const char *path;   /* with its slash, percent-decoded; "" when there is none */
    unsigned key_count;
    struct ps_url_key {
        const char *name, *value; /* percent-decoded */
        bool used;                /* somebody asked for it */
    } keys[PS_URL_KEYS_MAX];
    unsigned asked_count;
    const char *asked[PS_URL_KEYS_MAX]; /* names and prefixes somebody knows: not copied */
    char *storage;
};

/* "-" is stdout:, a bare path is file://path. Owns: ps_url_fini frees. */
enum ps_status ps_url_parse(struct ps_url *url, const char *text, struct ps_err *err);
void ps_url_fini(struct ps_url *url);

/* The value of a key, or `otherwise`. */
const char *ps_url_get(struct ps_url *url, const char *name, const char *otherwise);
/* The next key that begins with `prefix` (e.g. "kafka."): for (unsigned at = 0; ps_url_next(...);) */
bool ps_url_next(struct ps_url *url, const char *prefix, unsigned *at, const char **name, const char **value);
/* After all keys were asked for: names a key that nobody knows, and the nearest of those that were asked for.
 */
enum ps_status ps_url_check(const struct ps_url *url, struct ps_err *err);
/* host:port as numbers for connect or bind; `port` 0 when it is missing is an error unless `default_port`.
 * Resolves names (blocks). */
struct sockaddr_storage;
enum ps_status ps_url_address(const struct ps_url *url, unsigned default_port,
                              struct sockaddr_storage *address, unsigned *address_bytes, struct ps_err *err);
