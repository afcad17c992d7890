/* See hosts.h. Refuses only what no resolver can answer. */
#include "conf/doubts/hosts.h"

#include "conf/properties/edges.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#define HOST_BYTES_MAX 253
#define LABEL_BYTES_MAX 63

bool ps_doubt_is_host_key(const char *key)
{
    return strcmp(key, "bind") == 0 || strcmp(key, "host") == 0 || strcmp(key, "hostname") == 0;
}

bool ps_doubt_names_host(const struct ps_option *option)
{
    return option->type == PS_OPTION_TEXT && ps_doubt_is_host_key(option->key);
}

/* "::1", "fe80::1%eth0" */
static bool is_ipv6(struct ps_arena *arena, const char *value)
{
    struct in6_addr address;
    return inet_pton(AF_INET6, ps_arena_copy(arena, value, strcspn(value, "%")), &address) == 1;
}

static bool is_name(const char *value)
{
    size_t label = 0, length = strlen(value);
    if (length > 0 && value[length - 1] == '.')
        length--; /* "host." is a name without a search domain */
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c == '.' && label == 0)
            return false;
        if (c != '.' && c != '-' && c != '_' && c < 0x80 && !isalnum(c))
            return false;
        if (c == 0xc2) /* U+0080 to U+00BF: no letters, but what ISO-8859-1 makes of quotes in UTF-8 */
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > LABEL_BYTES_MAX)
            return false;
    }
    return label > 0 && length <= HOST_BYTES_MAX && !ps_edges_are_odd(value);
}

/* Returns whether `value` can be a host as it is. */
static bool can_be(struct ps_arena *arena, const char *value)
{
    struct in_addr address;
    size_t length = strlen(value);
    if (value[strspn(value, "0123456789.")] == '\0')
        return inet_aton(value, &address) == 1; /* "127.1" too, as in Java */
    if (length > 2 && value[0] == '[' && value[length - 1] == ']')
        return is_ipv6(arena, ps_arena_copy(arena, value + 1, length - 2));
    return strchr(value, ':') != NULL ? is_ipv6(arena, value) : is_name(value);
}

/* Returns the host of "http://user@host:80/path", "host:80" or "[::1]:80"; NULL: it has none. */
static const char *host_in(struct ps_arena *arena, const char *value)
{
    const char *scheme = strstr(value, "://"), *host = scheme != NULL ? scheme + 3 : value, *at;
    size_t length = strcspn(host, "/?#");
    if ((at = memchr(host, '@', length)) != NULL) {
        length -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    const char *whole = ps_arena_copy(arena, host, length);
    if (*whole == '[' && strchr(whole, ']') != NULL)
        whole = ps_arena_copy(arena, whole, strcspn(whole, "]") + 1);
    else if (!is_ipv6(arena, whole))
        whole = ps_arena_copy(arena, whole, strcspn(whole, ":"));
    return can_be(arena, whole) ? whole : NULL;
}

const char *ps_doubt_host(struct ps_arena *arena, const char *value, bool listens, const char **cure)
{
    const char *own = listens ? "0.0.0.0 for every address of this machine, or one of its addresses"
                              : "the name or address of one host";
    if (*value == '\0' || can_be(arena, value))
        return NULL;
    bool is_url = strstr(value, "://") != NULL, several = strpbrk(value, " \t,;") != NULL;
    const char *host = several ? NULL : host_in(arena, value);
    if (host != NULL && strcmp(host, value) != 0) {
        *cure = ps_arena_format(arena, "write %s", host);
        return is_url                           ? "a host belongs here, not a URL"
               : strpbrk(value, "/?#@") != NULL ? "a host belongs here, without what is before and behind it"
                                                : "a host belongs here; the port has a key of its own";
    }
    *cure = ps_arena_format(arena, "write %s", own);
    if (several)
        return "this is one host, and cannot have blanks, commas or semicolons";
    if (value[strspn(value, "0123456789.")] == '\0')
        return "this is no address: it has four numbers from 0 to 255";
    return "this cannot be a host";
}
