/* What a source that listens says of itself, and how `penstock check --probe` tries its port. Thread: control. */
#pragma once

#include <stdio.h>

#include "core/stage.h"
#include "stages/net/address.h"

/* "listens on 10.0.0.1:514 (TCP, TLS)"; host and port as configured. */
void ps_listen_outline(FILE *out, const struct ps_bind_options *listen, bool tls);

/* Calls `add` with the address, for `listens` of a source; `key` is the key of its port. */
void ps_listen_add(const struct ps_bind_options *listen, const char *key,
                   void (*add)(void *argument, const struct ps_listens *address), void *argument);

/* Binds the address, does not listen on it, and gives it back. A failure names the process that has the port, as
 * far as this user may see it. `key` is the key of the host. Waits at most a second longer than the probe's time
 * for a name server. */
void ps_listen_probe(const struct ps_probe *probe, const char *key, const struct ps_bind_options *listen);
