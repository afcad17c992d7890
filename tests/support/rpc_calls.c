#include "tests/support/rpc_calls.h"

#include "stages/lib/avro/request.h"
#include "stages/lib/avro/rpc.h"
#include "stages/lib/avro/server.h"
#include "stages/lib/thrift/source.h"
#include "tests/support/net.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define CALL_BYTES_MAX (64U << 20)

static size_t read_avro(uint8_t *bytes, size_t length, bool first, struct ps_test_rpc_call *call)
{
    static struct ps_avro_clients known;
    struct ps_avro_message message;
    struct ps_avro_request request;
    enum ps_avro_framing framing = ps_avro_message_measure(bytes, length, CALL_BYTES_MAX, &message);
    assert_int_not_equal(framing, PS_AVRO_GARBAGE);
    if (framing == PS_AVRO_PARTIAL)
        return 0;
    uint32_t wire_bytes = message.wire_bytes;
    const char *flat =
        ps_avro_message_flatten((char *)bytes, &message); /* the handshake is a piece of its own */
    ps_avro_request_read(flat + message.wire_bytes - message.payload_bytes, message.payload_bytes, first,
                         &known, &request);
    if (request.call != PS_AVRO_CALL_APPEND)
        fail_msg("no call: %s (first: %d)", request.reason, first);
    *call =
        (struct ps_test_rpc_call){.serial = message.serial, .events = request.events, .round = request.round};
    return wire_bytes;
}

/* Flume's server knows the client's protocol only by its text: it matches as CLIENT. */
static size_t write_avro(uint8_t *to, bool first, bool penstock, const struct ps_test_rpc_call *call,
                         enum ps_test_rpc_status status)
{
    static const enum ps_avro_status statuses[] = {PS_AVRO_OK, PS_AVRO_FAILED, PS_AVRO_UNKNOWN};
    const enum ps_avro_match match = penstock ? PS_AVRO_MATCH_BOTH : PS_AVRO_MATCH_CLIENT;
    return ps_avro_put_status(to, call->serial, first ? &match : NULL, statuses[status]);
}

static size_t write_avro_error(uint8_t *to, bool first, const struct ps_test_rpc_call *call)
{
    static const enum ps_avro_match match = PS_AVRO_MATCH_BOTH;
    return ps_avro_put_error(to, call->serial, first ? &match : NULL, "no such thing");
}

static size_t read_thrift(uint8_t *bytes, size_t length, bool first, struct ps_test_rpc_call *call)
{
    struct ps_thrift_request request;
    uint32_t message_length;
    enum ps_thrift_framing framing = ps_thrift_frame_measure(bytes, length, CALL_BYTES_MAX, &message_length);
    assert_int_not_equal(framing, PS_THRIFT_GARBAGE);
    if (framing == PS_THRIFT_PARTIAL)
        return 0;
    assert_true(
        ps_thrift_request_read(&ps_thrift_flume, bytes + PS_THRIFT_FRAME_BYTES, message_length, &request));
    assert_int_equal(request.error, PS_THRIFT_NO_ERROR);
    *call = (struct ps_test_rpc_call){.serial = request.message.number,
                                      .events = request.events,
                                      .round = request.round,
                                      .compact = request.compact};
    return PS_THRIFT_FRAME_BYTES + message_length;
}

static const struct ps_slice append_batch = {"appendBatch", 11};

static size_t write_thrift(uint8_t *to, bool first, bool penstock, const struct ps_test_rpc_call *call,
                           enum ps_test_rpc_status status)
{
    static const int32_t statuses[] = {0, 1, 3}; /* Flume's Status: OK, FAILED, UNKNOWN */
    return ps_thrift_put_result(to, call->compact, &append_batch, call->serial, statuses[status],
                                penstock ? call->round : 0);
}

static size_t write_thrift_error(uint8_t *to, bool first, const struct ps_test_rpc_call *call)
{
    const struct ps_thrift_request request = {.message = {.number = call->serial, .name = append_batch},
                                              .compact = call->compact,
                                              .error = PS_THRIFT_PROTOCOL_ERROR,
                                              .reason = "no such thing"};
    return ps_thrift_put_error(to, &request);
}

const struct ps_test_rpc_protocol ps_test_rpc_protocols[2] = {
    {"avro", &ps_sink_avro, read_avro, write_avro, write_avro_error},
    {"thrift", &ps_sink_thrift, read_thrift, write_thrift, write_thrift_error},
};

/* Laid out as the state of the source avro (stages/sources/avro.c). */
struct avro_state {
    struct ps_stream stream;
    const void *plan;
    struct ps_avro_server server;
};

uint32_t ps_test_rpc_calls_in_use(const struct ps_test_stage *stage)
{
    struct ps_calls *calls = &((struct ps_thrift_source *)stage->state)->server.base.calls;
    uint32_t unused = 0;
    if (stage->ops == &ps_source_avro) {
        assert_int_equal(stage->ops->state_size, sizeof(struct avro_state));
        calls = &((struct avro_state *)stage->state)->server.base.calls;
    }
    for (uint32_t next = calls->free; next > 0; next = ps_calls_at(calls, next - 1)->next_free)
        unused++;
    return calls->chunk_count * 64U - unused;
}

int ps_test_rpc_listen(unsigned *port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}
