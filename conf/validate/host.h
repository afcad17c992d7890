/* Reads the text of a host in the configuration: an address, a name, or every address of the machine. No function asks a name
 * server. Thread: control. */
#pragma once

#include "core/base.h"

#include <netinet/in.h>

enum ps_host_form { PS_HOST_NAME, PS_HOST_ADDRESS, PS_HOST_EVERY };

struct ps_host {
    enum ps_host_form form;
    const char *name; /* PS_HOST_NAME: the caller's text, `length` bytes */
    size_t length;
    struct in6_addr address; /* PS_HOST_ADDRESS; IPv4 is mapped */
};

/* Reads a name or an address, also "[::1]". NULL, 0.0.0.0 and :: mean every address. `localhost` means 127.0.0.1: when a name has
 * addresses of both families, penstock takes the IPv4 address, as a JVM does (stages/lib/net/resolver.c). */
struct ps_host ps_host_read(const char *text, size_t length);

/* Returns whether the hosts are the same name, in any case, or the same address. Returns false for a name and an address, because it
 * is not known then. */
bool ps_hosts_equal(const struct ps_host *a, const struct ps_host *b);

bool ps_host_is_loopback(const struct ps_host *host);
