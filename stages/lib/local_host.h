/* This machine's name and address as Java's InetAddress.getLocalHost() returns them. Used by the interceptor
 * host and the escapes %[localhost], %[IP] and %[FQDN]. Thread: control, only in `build`, because it waits
 * for the resolver. */
#pragma once

#include "core/status.h"

#define PS_LOCAL_HOST_BYTES 256

struct ps_local_host {
    /* getHostName */
    char name[PS_LOCAL_HOST_BYTES];
    /* getHostAddress: IPv4 if there is one, else IPv6 without compression, as Java prints it */
    char address[PS_LOCAL_HOST_BYTES];
    /* getCanonicalHostName: the reverse name if it resolves to the address again, else the address */
    char canonical[PS_LOCAL_HOST_BYTES];
};

/* Fills `host`. Returns PS_FAIL when this machine's name does not resolve (Java's UnknownHostException). */
enum ps_status ps_local_host_find(struct ps_local_host *host, struct ps_err *err);
