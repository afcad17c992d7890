/* The listening socket of the metrics server. Thread: control, or the acceptor's. */
#pragma once

#include "core/status.h"

#include <sys/socket.h>

/* Listens on the first address of `host` that this machine has, and on no other one if the port is in use there; without a host, on both
 * families at once where there is IPv6. Returns the socket (not blocking, closed on exec), or -1. Owns: the caller closes it. */
int ps_metrics_listen(const char *host, uint16_t port, struct ps_err *err);

/* Returns the port on which the socket listens; writes "127.0.0.1:41414" or "[::]:41414" to `text`. */
uint16_t ps_metrics_listen_address(int fd, char *text, size_t size);
