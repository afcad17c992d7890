#include "core/watch/metrics/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A shorter backlog is full after a burst, and the next client repeats its SYN only after a second. */
#define BACKLOG 128

static int listen_at(const struct addrinfo *address)
{
    int yes = 1, no = 0;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (address->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return -1;
}

/* Listens on the first address that this machine has. A port that is in use is not taken on the next address: clients of the first one
 * would reach the other process. Returns -1 with errno. */
static int listen_at_first(const struct addrinfo *list)
{
    int fd = -1;
    for (const struct addrinfo *address = list; address != NULL && fd < 0; address = address->ai_next) {
        fd = listen_at(address);
        if (fd < 0 && errno == EADDRINUSE)
            break;
    }
    return fd;
}

int ps_metrics_listen(const char *host, uint16_t port, struct ps_err *err)
{
    char service[16];
    snprintf(service, sizeof service, "%u", port);
    const char *hosts[] = {host != NULL ? host : "::", host != NULL ? NULL : "0.0.0.0"};
    int fd = -1;
    for (size_t i = 0; i < PS_COUNT_OF(hosts) && hosts[i] != NULL && fd < 0; i++) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *list;
        int failed = getaddrinfo(hosts[i], service, &hints, &list);
        if (failed != 0) {
            ps_err_set(err, "metrics server: cannot resolve the address %s: %s", hosts[i],
                       gai_strerror(failed));
            continue;
        }
        fd = listen_at_first(list);
        bool in_use = fd < 0 && errno == EADDRINUSE;
        if (fd < 0)
            ps_err_set(err, "metrics server: cannot listen on %s port %u (flume.monitoring.port): %s",
                       host != NULL ? host : "any address,", port, strerror(errno));
        freeaddrinfo(list);
        if (in_use)
            break; /* do not listen on the other family alone */
    }
    return fd;
}

uint16_t ps_metrics_listen_address(int fd, char *text, size_t size)
{
    struct sockaddr_storage address;
    socklen_t address_size = sizeof address;
    char host[64], port[16];
    snprintf(text, size, "?");
    if (getsockname(fd, (struct sockaddr *)&address, &address_size) != 0)
        return 0;
    if (getnameinfo((struct sockaddr *)&address, address_size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(text, size, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}
