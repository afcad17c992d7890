#include "stages/lib/remote/target.h"

#include <netinet/in.h>
#include <sys/epoll.h>

#include "stages/lib/net/resolver.h"

enum ps_status ps_remote_target_build(struct ps_remote_target *target, const char *host, unsigned port,
                                      struct ps_err *err)
{
    *target = (struct ps_remote_target){.host = host, .port = port};
    if (ps_lookup_build(&target->lookup, host, err) != PS_OK)
        return PS_FAIL;
    if (target->lookup == NULL && ps_resolve(host, &target->address) != 0)
        return ps_err_set(err, "hostname: %s is not an address", host);
    return PS_OK;
}

void ps_remote_target_teardown(struct ps_remote_target *target)
{
    ps_lookup_teardown(target->lookup);
}

enum ps_status ps_remote_target_aim(const struct ps_remote_target *target, struct ps_client_plan *to,
                                    struct ps_err *err)
{
    struct ps_address address = target->address;
    if (target->lookup != NULL && ps_lookup_address(target->lookup, &address, err) != PS_OK)
        return PS_FAIL;
    to->address = address.storage;
    to->address_bytes = address.length;
    if (address.storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&to->address)->sin6_port = htons((uint16_t)target->port);
    else
        ((struct sockaddr_in *)&to->address)->sin_port = htons((uint16_t)target->port);
    return PS_OK;
}

void ps_remote_target_reason(const struct ps_remote_target *target, const char *reason, struct ps_err *err)
{
    ps_err_set(err, "%s:%u: %s", target->host, target->port, reason);
}

/* POLLIN and POLLOUT equal EPOLLIN and EPOLLOUT. */
void ps_remote_watch(struct ps_remote_watch *watch, struct ps_port *port, int fd, short events)
{
    uint32_t wanted = (uint32_t)events;
    if (fd < 0 || port->epoll_fd < 0 || (fd == watch->fd && wanted == watch->events))
        return;
    struct epoll_event event = {.events = wanted};
    int operation = fd == watch->fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(port->epoll_fd, operation, fd, &event) != 0) {
        struct ps_err err = {.length = 0};
        ps_err_set(&err, "cannot watch the connection");
        ps_port_failed(port, &err);
        return;
    }
    *watch = (struct ps_remote_watch){.fd = fd, .events = wanted};
}
