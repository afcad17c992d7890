/* The HTTP server for metrics: what -Dflume.monitoring.type=http starts in Flume, and more.
 *
 *   /                    a link, as Flume's
 *   /metrics             Flume's JSON (or Prometheus' text, as flume.monitoring.type=prometheus asks)
 *   /metrics/prometheus  Prometheus' text
 *   /livez               200 "ok", or 503 and a line for each worker that is stuck
 *   /readyz, /healthz    200 "ok", or 503 and a line for each problem (core/watch/metrics/metrics.h)
 *   /tail?component=NAME&count=N&wait=SECONDS   live events of a channel, sink, source or interceptor, a JSON object a line; for
 *                        clients of this machine, or with a token (core/watch/metrics/access.h)
 *
 * Other paths are 404. Methods: as in Flume TRACE and OPTIONS are 403 and POST of / and /metrics is answered
 * like GET; others are 405. Connections: core/watch/metrics/accept.h. Threads: start, stop and port: control;
 * each connection has a thread of the library, which is not pinned to a CPU. */
#pragma once

#include "core/watch/metrics/metrics.h"
#include "core/watch/metrics/access.h"

#define PS_METRICS_SERVER_PORT 41414
#define PS_METRICS_SERVER_RETRY_MS 3000U
#define PS_METRICS_SERVER_TAIL_EVENTS_MAX 10000U
#define PS_METRICS_SERVER_TAIL_WAIT_S_MAX 60U

struct ps_metrics_server;

struct ps_metrics_server_settings {
    const char *host; /* address to listen on; NULL: every address, as Flume */
    uint16_t port;    /* 0: any free one */
    bool prometheus;  /* /metrics is Prometheus' text */
    struct ps_metrics_access access;
    unsigned retry_ms;   /* interval at which a port in use is tried again; 0: start fails */
    unsigned request_ms; /* time for a request to arrive; 0: PS_ACCEPT_REQUEST_MS */
};

/* Starts the server, which logs the address once it listens. Copies the settings; `source` must stay valid until
 * stop. Returns NULL on error; without retry_ms this includes a port in use, and an address that does not exist. */
struct ps_metrics_server *ps_metrics_server_start(const struct ps_metrics_server_settings *settings,
                                                  const struct ps_metrics_source *source, struct ps_err *err);

/* Waits for responses that are being written; ends a /tail immediately. */
void ps_metrics_server_stop(struct ps_metrics_server *server);

/* For tests that listen on port 0: returns the port, or 0 while the server does not listen yet. */
uint16_t ps_metrics_server_port(const struct ps_metrics_server *server);
