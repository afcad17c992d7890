#include "commands/client/encoding.h"

#include "stages/lib/avro/binary.h"
#include "stages/lib/avro/protocol.h"
#include "stages/lib/thrift/rpc.h"
#include "stages/lib/thrift/protocol.h"

#include <string.h>

/* Bytes of an event besides the texts and the body, in the largest encoding. */
#define EVENT_BYTES (3 * PS_AVRO_LONG_BYTES_MAX)
#define HEADER_BYTES (2 * PS_AVRO_LONG_BYTES_MAX)
_Static_assert(EVENT_BYTES >=
                   2 * PS_THRIFT_FIELD_BYTES_MAX + PS_THRIFT_MAP_BYTES_MAX + PS_THRIFT_LENGTH_BYTES_MAX + 1,
               "room for an event of Thrift");

size_t ps_rpc_event_bound(const struct penstock_client_event *event, struct ps_err *err)
{
    size_t bytes = EVENT_BYTES;
    bool good =
        event->body_length <= PS_RPC_EVENT_BYTES_MAX && (event->body != NULL || event->body_length == 0);
    if (!good || (event->header_count > 0 && event->headers == NULL)) {
        ps_err_set(err, good ? "header_count of an event is above 0, but headers is NULL"
                             : "body_length of an event is above 1 GiB, or above 0 while body is NULL");
        return 0;
    }
    bytes += event->body_length;
    for (size_t i = 0; i < event->header_count && bytes <= PS_RPC_EVENT_BYTES_MAX; i++) {
        if (event->headers[i].name == NULL || event->headers[i].value == NULL) {
            ps_err_set(err, "a header of an event has no name or no value");
            return 0;
        }
        bytes += HEADER_BYTES + strlen(event->headers[i].name) + strlen(event->headers[i].value);
    }
    if (bytes <= PS_RPC_EVENT_BYTES_MAX)
        return bytes;
    ps_err_set(err, "an event has more than 1 GiB");
    return 0;
}

/* ---- Avro: AvroFlumeEvent {map<string> headers; bytes body} ---- */

static size_t put_bytes(uint8_t *to, const void *bytes, size_t length)
{
    size_t at = ps_avro_put_long(to, (int64_t)length);
    if (length > 0)
        memcpy(to + at, bytes, length);
    return at + length;
}

static size_t put_avro(uint8_t *to, const struct penstock_client_event *event)
{
    size_t length = 0;
    if (event->header_count > 0)
        length += ps_avro_put_long(to, (int64_t)event->header_count);
    for (size_t i = 0; i < event->header_count; i++) {
        const struct penstock_client_header *header = &event->headers[i];
        length += put_bytes(to + length, header->name, strlen(header->name));
        length += put_bytes(to + length, header->value, strlen(header->value));
    }
    length += ps_avro_put_long(to + length, 0);
    return length + put_bytes(to + length, event->body, event->body_length);
}

/* ---- Thrift: ThriftFlumeEvent {1: map<string, string> headers, 2: binary body} ---- */

static size_t put_thrift(uint8_t *to, bool compact, const struct penstock_client_event *event)
{
    struct ps_thrift_writer out = {.at = to, .compact = compact};
    ps_thrift_put_field(&out, PS_THRIFT_MAP, 1, 0);
    ps_thrift_put_map(&out, PS_THRIFT_STRING, PS_THRIFT_STRING, (uint32_t)event->header_count);
    for (size_t i = 0; i < event->header_count; i++) {
        const struct penstock_client_header *header = &event->headers[i];
        ps_thrift_put_text(&out, header->name, strlen(header->name));
        ps_thrift_put_text(&out, header->value, strlen(header->value));
    }
    ps_thrift_put_field(&out, PS_THRIFT_STRING, 2, 1);
    ps_thrift_put_text(&out, event->body_length > 0 ? event->body : "", event->body_length);
    ps_thrift_put_stop(&out);
    return (size_t)(out.at - to);
}

static size_t put_thrift_compact(uint8_t *to, const struct penstock_client_event *event)
{
    return put_thrift(to, true, event);
}

static size_t put_thrift_binary(uint8_t *to, const struct penstock_client_event *event)
{
    return put_thrift(to, false, event);
}

const struct ps_rpc_encoding ps_rpc_avro = {&ps_avro_rpc, put_avro};
const struct ps_rpc_encoding ps_rpc_thrift_compact = {&ps_thrift_rpc_compact, put_thrift_compact};
const struct ps_rpc_encoding ps_rpc_thrift_binary = {&ps_thrift_rpc_binary, put_thrift_binary};
