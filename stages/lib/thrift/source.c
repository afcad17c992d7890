#include "stages/lib/thrift/source.h"

/* ---- the stream ---- */

static enum ps_feed feed(void *owner, struct ps_connection *connection, struct ps_batch *batch, char *data,
                         uint32_t length, uint32_t *used)
{
    struct ps_thrift_source *source = owner;
    return ps_thrift_server_feed(&source->server, connection, batch, data, length, used);
}

static uint32_t message_bytes(void *owner, struct ps_connection *connection, const char *data,
                              uint32_t length)
{
    struct ps_thrift_source *source = owner;
    return ps_thrift_server_message_bytes(&source->server, connection, data, length);
}

static void closed(void *owner, struct ps_connection *connection)
{
    struct ps_thrift_source *source = owner;
    ps_thrift_server_closed(&source->server, connection);
}

static const struct ps_stream_ops stream_ops = {
    .feed = feed, .closed = closed, .message_bytes = message_bytes};

/* ---- answers ---- */

static void accepted(const void *, void *state, const struct ps_batch *batch, const struct ps_now *)
{
    struct ps_thrift_source *source = state;
    ps_thrift_server_answer(&source->server, batch, false);
}

static void refused(const void *, void *state, const struct ps_batch *batch, const char *,
                    const struct ps_now *)
{
    struct ps_thrift_source *source = state;
    ps_thrift_server_answer(&source->server, batch, true);
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

/* ---- life ---- */

void ps_thrift_source_close(const void *, void *state)
{
    struct ps_thrift_source *source = state;
    ps_stream_fini(&source->stream);
    ps_thrift_server_fini(&source->server);
}

enum ps_status ps_thrift_source_open(struct ps_thrift_source *source, const struct ps_thrift_service *service,
                                     const struct ps_stream_options *options, const struct ps_listen *listen,
                                     struct ps_port *port, struct ps_err *err)
{
    struct ps_stream_options stream = *options;
    stream.ops = &stream_ops;
    stream.owner = source;
    ps_thrift_server_init(&source->server, service, &source->stream, port, options->message_bytes_max);
    return ps_stream_open(&source->stream, &stream, listen, port, err);
}
