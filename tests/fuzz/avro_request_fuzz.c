/* Messages of Avro clients: framing, handshake, call. The first byte decides whether the first message begins with a
 * handshake. A message that is taken for a call is made of whole events, and its flattened form is the same message. */
#include "stages/lib/avro/event.h"
#include "stages/lib/avro/reader.h"
#include "stages/lib/avro/request.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 65536U

/* Reads the events as the server does. */
static void read_events(const uint8_t *payload, const struct ps_avro_message *message,
                        const struct ps_avro_request *request)
{
    struct ps_avro_reader in = {.at = payload + request->events_at, .end = payload + message->payload_bytes};
    uint64_t events = 0;
    int64_t count = 1;
    while (!request->batch || (count = ps_avro_read_block(&in)) > 0) {
        for (; count > 0; count--, events++) {
            struct ps_avro_datum datum;
            PS_ASSERT(ps_avro_event_read((const char *)in.at, (size_t)(in.end - in.at), &datum));
            in.at += datum.length;
        }
        if (!request->batch)
            break;
    }
    PS_ASSERT(!in.bad && events == request->events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_avro_clients clients = {.count = 0};
    bool handshake = size > 0 && data[0] != 0;
    if (size == 0 || size > MOST)
        return 0;
    char *bytes = malloc(size), *at = bytes, *end = bytes + size - 1;
    PS_ASSERT(bytes != NULL);
    memcpy(bytes, data + 1, size - 1);
    for (;;) {
        struct ps_avro_message message;
        struct ps_avro_request request;
        if (ps_avro_message_measure(at, (size_t)(end - at), MOST, &message) != PS_AVRO_WHOLE)
            break;
        PS_ASSERT(message.wire_bytes <= (size_t)(end - at) && message.payload_bytes < message.wire_bytes);
        char *behind = at + message.wire_bytes, *flat = ps_avro_message_flatten(at, &message);
        PS_ASSERT(flat >= at && flat + message.wire_bytes == behind);
        const uint8_t *payload = (const uint8_t *)behind - message.payload_bytes;
        ps_avro_request_read(payload, message.payload_bytes, handshake, &clients, &request);
        PS_ASSERT(memchr(request.reason, 0, sizeof request.reason) != NULL);
        if (request.call == PS_AVRO_CALL_APPEND)
            read_events(payload, &message, &request);
        handshake = false;
        at = behind;
    }
    free(bytes);
    return 0;
}
