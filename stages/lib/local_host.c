/* See local_host.h. */
#include "stages/lib/local_host.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Prints an address as Java does: IPv4 dotted, IPv6 as eight groups without compression. */
static void address_print(const struct sockaddr *address, char *text, size_t room)
{
    if (address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, text,
                  (socklen_t)room);
        return;
    }
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;
    size_t length = 0;
    for (size_t i = 0; i < 16; i += 2)
        length += (size_t)snprintf(text + length, room - length, "%s%x", i > 0 ? ":" : "",
                                   (unsigned)six->sin6_addr.s6_addr[i] << 8 | six->sin6_addr.s6_addr[i + 1]);
    if (six->sin6_scope_id != 0)
        snprintf(text + length, room - length, "%%%u", six->sin6_scope_id);
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr, 16) == 0;
}

static const struct addrinfo *first_of(const struct addrinfo *list)
{
    for (const struct addrinfo *one = list; one != NULL; one = one->ai_next) {
        if (one->ai_family == AF_INET)
            return one;
    }
    return list;
}

/* Finds the reverse name. Returns false if it does not resolve to the same address again. */
static bool canonical_find(const struct addrinfo *address, char *name, socklen_t room)
{
    if (getnameinfo(address->ai_addr, address->ai_addrlen, name, room, NULL, 0, NI_NAMEREQD) != 0)
        return false;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *forward;
    if (getaddrinfo(name, NULL, &hints, &forward) != 0)
        return false;
    bool confirmed = false;
    for (const struct addrinfo *one = forward; one != NULL; one = one->ai_next)
        confirmed |= same_address(one->ai_addr, address->ai_addr);
    freeaddrinfo(forward);
    return confirmed;
}

enum ps_status ps_local_host_find(struct ps_local_host *host, struct ps_err *err)
{
    memset(host, 0, sizeof *host);
    if (gethostname(host->name, sizeof host->name - 1) != 0)
        return ps_err_set(err, "this machine has no host name");
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int failed = getaddrinfo(host->name, NULL, &hints, &list);
    if (failed != 0)
        return ps_err_set(
            err, "this machine's name %s does not resolve (%s); add it to /etc/hosts or to the name server",
            host->name, gai_strerror(failed));
    const struct addrinfo *address = first_of(list);
    address_print(address->ai_addr, host->address, sizeof host->address);
    if (!canonical_find(address, host->canonical, sizeof host->canonical))
        memcpy(host->canonical, host->address, sizeof host->canonical);
    freeaddrinfo(list);
    return PS_OK;
}
