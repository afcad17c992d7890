#include "stages/lib/thrift/source.h"

static const struct ps_stream_ops stream_ops = {.feed = ps_call_server_feed,
                                                .closed = ps_thrift_server_closed,
                                                .message_bytes = ps_call_server_message_bytes};

/* ---- answers ---- */

static void accepted(const void *, void *state, const struct ps_batch *batch, const struct ps_now *)
{
    struct ps_thrift_source *source = state;
    ps_call_server_answer(&source->server.base, batch, false);
}

static void refused(const void *, void *state, const struct ps_batch *batch, const char *,
                    const struct ps_now *)
{
    struct ps_thrift_source *source = state;
    ps_call_server_answer(&source->server.base, batch, true);
}

const struct ps_source_ops ps_thrift_source_ops = {
    .needs = PS_LEVEL_ACCEPTED,
    .when_full = PS_REFUSE_TOGETHER,
    .work = ps_stream_source_work,
    .tick = ps_stream_source_tick,
    .accepted = accepted,
    .refused = refused,
    .paused = ps_stream_source_paused,
    .drain = ps_stream_source_drain,
    .counts_calls = true,
};

/* ---- life cycle ---- */

void ps_thrift_source_close(const void *, void *state)
{
    struct ps_thrift_source *source = state;
    ps_stream_fini(&source->stream);
    ps_call_server_fini(&source->server.base);
}

enum ps_status ps_thrift_source_open(struct ps_thrift_source *source, const struct ps_thrift_service *service,
                                     const struct ps_stream_options *options, const struct ps_listen *listen,
                                     struct ps_port *port, struct ps_err *err)
{
    struct ps_stream_options stream = *options;
    stream.ops = &stream_ops;
    stream.owner = &source->server;
    ps_call_server_init(&source->server.base, &ps_thrift_call_protocol, &source->stream, port,
                        options->message_bytes_max);
    source->server.service = service;
    source->server.kept_count = 0;
    return ps_stream_open(&source->stream, &stream, listen, port, err);
}
