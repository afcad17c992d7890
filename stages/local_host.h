/* What Java's InetAddress.getLocalHost() says about this machine: interceptor host, the escapes %[localhost],
 * %[IP] and %[FQDN]. Asks the resolver, so it may take as long as the resolver does: `build` only, on the
 * control thread. */
#pragma once

#include "core/status.h"

#define PS_LOCAL_HOST_BYTES 256

struct ps_local_host {
    char name[PS_LOCAL_HOST_BYTES]; /* getHostName */
    char
        address[PS_LOCAL_HOST_BYTES]; /* getHostAddress: IPv4 before IPv6, IPv6 uncompressed as Java has it */
    char canonical[PS_LOCAL_HOST_BYTES]; /* getCanonicalHostName: the reverse name if it leads back here, else
                                            the address */
};

/* PS_FAIL: this machine's name does not resolve (Java's UnknownHostException). */
enum ps_status ps_local_host_find(struct ps_local_host *host, struct ps_err *err);
