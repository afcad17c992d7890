#include "stages/lib/net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stages/lib/net/lookup.h"
#include "stages/lib/net/resolver.h"

#define BACKLOG 1024

/* Returns the IPv4 address in `address`, or NULL. */
static const uint8_t *ipv4_of(const struct ps_address *address)
{
    const struct sockaddr *any = (const struct sockaddr *)&address->storage;
    if (any->sa_family == AF_INET)
        return (const uint8_t *)&((const struct sockaddr_in *)(const void *)any)->sin_addr;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)any;
    return IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) ? six->sin6_addr.s6_addr + 12 : NULL;
}

bool ps_address_is_same_host(const struct ps_address *a, const struct ps_address *b)
{
    const uint8_t *four = ipv4_of(a), *other = ipv4_of(b);
    if (four != NULL || other != NULL)
        return four != NULL && other != NULL && memcmp(four, other, 4) == 0;
    return memcmp(&((const struct sockaddr_in6 *)(const void *)&a->storage)->sin6_addr,
                  &((const struct sockaddr_in6 *)(const void *)&b->storage)->sin6_addr, 16) == 0;
}

uint32_t ps_address_ip(const struct ps_address *address, char out[PS_ADDRESS_TEXT_BYTES])
{
    const uint8_t *four = ipv4_of(address);
    if (four != NULL)
        return (uint32_t)snprintf(out, PS_ADDRESS_TEXT_BYTES, "%u.%u.%u.%u", four[0], four[1], four[2],
                                  four[3]);
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)&address->storage;
    uint32_t length = 0;
    for (int i = 0; i < 16; i += 2)
        length += (uint32_t)snprintf(out + length, PS_ADDRESS_TEXT_BYTES - length, "%s%x", i > 0 ? ":" : "",
                                     six->sin6_addr.s6_addr[i] << 8 | six->sin6_addr.s6_addr[i + 1]);
    if (six->sin6_scope_id != 0) {
        char name[IF_NAMESIZE];
        length += (uint32_t)(if_indextoname(six->sin6_scope_id, name) != NULL
                                 ? snprintf(out + length, PS_ADDRESS_TEXT_BYTES - length, "%%%s", name)
                                 : snprintf(out + length, PS_ADDRESS_TEXT_BYTES - length, "%%%u",
                                            six->sin6_scope_id));
    }
    return length;
}

unsigned ps_address_port(const struct ps_address *address)
{
    if (address->storage.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)&address->storage)->sin_port);
    return ntohs(((const struct sockaddr_in6 *)(const void *)&address->storage)->sin6_port);
}

uint32_t ps_address_java(const struct ps_address *address, char out[PS_ADDRESS_TEXT_BYTES])
{
    char ip[PS_ADDRESS_TEXT_BYTES];
    ps_address_ip(address, ip);
    const char *form = ipv4_of(address) != NULL ? "/%.48s:%u" : "/[%.48s]:%u";
    return (uint32_t)snprintf(out, PS_ADDRESS_TEXT_BYTES, form, ip, ps_address_port(address));
}

void ps_address_print(const struct ps_address *address, char out[PS_ADDRESS_TEXT_BYTES])
{
    char ip[INET6_ADDRSTRLEN] = "?";
    const uint8_t *four = ipv4_of(address);
    if (four != NULL) {
        inet_ntop(AF_INET, four, ip, sizeof ip);
        snprintf(out, PS_ADDRESS_TEXT_BYTES, "%s:%u", ip, ps_address_port(address));
        return;
    }
    inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)&address->storage)->sin6_addr, ip,
              sizeof ip);
    snprintf(out, PS_ADDRESS_TEXT_BYTES, "[%s]:%u", ip, ps_address_port(address));
}

static bool is_wildcard(const char *host)
{
    return host == NULL || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static const char *bind_reason(int error, unsigned port, char *room, size_t size)
{
    switch (error) {
    case EADDRINUSE:
        return "the port is in use: stop the other process (ss -lnp shows it) or choose another port";
    case EADDRNOTAVAIL:
        return "this machine does not have that address: use one of its addresses (ip addr shows them) or "
               "0.0.0.0";
    case EACCES:
        snprintf(room, size,
                 "port %u needs a privilege: use a port above 1023, or give the process CAP_NET_BIND_SERVICE "
                 "(systemd: AmbientCapabilities= and PrivateUsers=no, as in low-ports.conf)",
                 port);
        return room;
    case EMFILE:
    case ENFILE:
        return "out of file descriptors: raise the limit (ulimit -n, systemd: LimitNOFILE=)";
    default:
        return strerror(error);
    }
}

static int set_options(int fd, const struct ps_bind_options *options, int family)
{
    int on = 1, off = 0;
    if (!options->datagrams && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        return -1;
    if (options->share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
        return -1;
    if (family == AF_INET6 && is_wildcard(options->host) &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0)
        return -1;
    if (options->receive_buffer_bytes > 0) { /* a smaller buffer than wanted is not an error */
        int bytes = options->receive_buffer_bytes;
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
            (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    }
    return 0;
}

/* Returns a bound socket, or -1 with errno. */
static int try_bind(const struct ps_bind_options *options, const struct ps_address *wanted,
                    struct ps_address *bound)
{
    int type = options->datagrams ? SOCK_DGRAM : SOCK_STREAM;
    int fd = socket(wanted->storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    *bound = (struct ps_address){.length = sizeof bound->storage};
    if (set_options(fd, options, wanted->storage.ss_family) != 0 ||
        bind(fd, (const struct sockaddr *)&wanted->storage, wanted->length) != 0 ||
        (!options->datagrams && !options->only_try && listen(fd, BACKLOG) != 0) ||
        getsockname(fd, (struct sockaddr *)&bound->storage, &bound->length) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

bool ps_address_is_literal(const char *host)
{
    char name[PS_HOST_NAME_BYTES];
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *list;
    if (host == NULL)
        return true;
    if (ps_host_without_brackets(host, name) == NULL || getaddrinfo(name, NULL, &hints, &list) != 0)
        return false;
    freeaddrinfo(list);
    return true;
}

static void set_port(struct ps_address *address, unsigned port)
{
    if (address->storage.ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)&address->storage)->sin_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in6 *)(void *)&address->storage)->sin6_port = htons((uint16_t)port);
}

static enum ps_status find_address(const struct ps_bind_options *options, struct ps_address *address,
                                   struct ps_err *err)
{
    char name[PS_HOST_NAME_BYTES];
    if (options->lookup != NULL) {
        if (ps_lookup_address(options->lookup, address, err) != PS_OK)
            return PS_FAIL;
    } else {
        if (ps_host_without_brackets(options->host, name) == NULL)
            return ps_err_set(err, "\"%.64s\" is not a host name or address", options->host);
        int error = ps_resolve(name, address);
        if (error != 0)
            return ps_err_set(err, "cannot resolve host %s: %s: use a name that resolves, or an address",
                              name, gai_strerror(error));
    }
    set_port(address, options->port);
    return PS_OK;
}

int ps_address_bind(const struct ps_bind_options *options, struct ps_address *bound, struct ps_err *err)
{
    struct ps_address wanted = {.length = 0};
    int fd;
    if (is_wildcard(options->host)) {
        struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)options->port)};
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options->port)};
        memcpy(&wanted.storage, &six, sizeof six);
        wanted.length = sizeof six;
        fd = try_bind(options, &wanted, bound);
        if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) { /* no IPv6 here */
            memcpy(&wanted.storage, &four, sizeof four);
            wanted.length = sizeof four;
            fd = try_bind(options, &wanted, bound);
        }
    } else {
        if (find_address(options, &wanted, err) != PS_OK) {
            errno = 0;
            return -1;
        }
        fd = try_bind(options, &wanted, bound);
    }
    if (fd < 0) {
        char room[256];
        int error = errno;
        ps_err_set(err, "cannot listen on %s:%u (%s): %s", options->host != NULL ? options->host : "*",
                   options->port, options->datagrams ? "UDP" : "TCP",
                   bind_reason(error, options->port, room, sizeof room));
        errno = error;
    }
    return fd;
}
