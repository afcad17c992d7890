/* The common part of the sources thrift and scribe, whose calls a server of server.h answers. The state of
 * such a source is one struct ps_thrift_source. Thread: the source's worker. */
#pragma once

#include "stages/lib/net/listen.h"
#include "stages/lib/thrift/server.h"

struct ps_thrift_source {
    struct ps_stream stream; /* must be first (stages/lib/stream/stream.h) */
    struct ps_thrift_server server;
};

/* Listens. `options`: without ops and owner, which are the server's. */
enum ps_status ps_thrift_source_open(struct ps_thrift_source *source, const struct ps_thrift_service *service,
                                     const struct ps_stream_options *options, const struct ps_listen *listen,
                                     struct ps_port *port, struct ps_err *err);

/* For struct ps_stage_ops. */
void ps_thrift_source_close(const void *plan, void *state);
extern const struct ps_source_ops ps_thrift_source_ops;
