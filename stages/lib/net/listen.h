/* The address of a source that listens: the address as a text for users, the trial of the port by `penstock
 * check --probe`, and the socket that `open` binds. Thread: control, except ps_listen_address. */
#pragma once

#include <stdio.h>

#include "core/stage.h"
#include "stages/lib/net/address.h"
#include "stages/lib/tls/tls.h"

/* "listens on 10.0.0.1:514 (TCP, TLS)"; host and port as configured. */
void ps_listen_outline(FILE *out, const struct ps_bind_options *listen, bool tls);

/* Calls `add` with the address, for `listens` of a source; `key` is the key of the port. */
void ps_listen_add(const struct ps_bind_options *listen, const char *key,
                   void (*add)(void *argument, const struct ps_listens *address), void *argument);

/* Binds the address without listening on it, then closes the socket. The report of a failure names the process
 * that has the port, if this user may see it. `key` is the key of the host. Waits at most a second longer than
 * the probe's time for a name server. */
void ps_listen_probe(const struct ps_probe *probe, const char *key, const struct ps_bind_options *listen);

/* ---- the address in a source's plan ---- */

/* The address at which a source listens: the first member of its plan. Option rows (stages/lib/net/options.h,
 * PS_TLS_OPTION_ROWS) write the first five; members without a row stay 0. */
struct ps_listen {
    const char *host, *bind; /* one of the two is set: the key is host or bind, depending on the source */
    int64_t port;
    int64_t receive_buffer_bytes; /* UDP; 0: TCP */
    struct ps_tls_options tls;
    struct ps_lookup *lookup;     /* look-up of the host; made by ps_listen_build */
    struct ps_tls_server *server; /* NULL: no TLS; made by ps_listen_build */
};

/* For `build` and `teardown`: `build` begins to look up the host's address, and reads the keys of TLS. */
enum ps_status ps_listen_build(struct ps_listen *listen, const struct ps_context *context,
                               struct ps_err *err);
void ps_listen_teardown(struct ps_listen *listen);

/* Returns the address that `open` binds on one of `instances` workers. Thread: any, after `build`. */
struct ps_bind_options ps_listen_address(const struct ps_listen *listen, unsigned instances);

/* For ps_stage_ops of a source whose plan begins with its struct ps_listen: `listens`, and `teardown` if the
 * plan owns nothing else. */
void ps_listen_source_outline(const void *plan, const struct ps_context *context, FILE *out);
void ps_listen_source_listens(const void *plan, void (*add)(void *argument, const struct ps_listens *address),
                              void *argument);
void ps_listen_source_probe(const void *plan, struct ps_context *context, const struct ps_probe *probe);
void ps_listen_source_teardown(void *plan);

/* outline, listens and probe for the ps_stage_ops of a source that listens. */
#define PS_LISTEN_SOURCE                                                                                     \
    .outline = ps_listen_source_outline, .listens = ps_listen_source_listens, .probe = ps_listen_source_probe
