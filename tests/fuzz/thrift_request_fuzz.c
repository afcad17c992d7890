/* Frames of Thrift clients: framing, message, call, in either encoding. A message that is taken for a call is made of whole
 * events, and an answer to any message can be written and read. */
#include "stages/lib/thrift/event.h"
#include "stages/lib/thrift/request.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 65536U

/* Reads the events as the server does. */
static void read_events(const uint8_t *message, uint32_t length, const struct ps_thrift_request *request)
{
    struct ps_thrift_reader in = {
        .at = message + request->events_at, .end = message + length, .compact = request->compact};
    for (uint32_t i = 0; i < request->events; i++) {
        struct ps_thrift_datum datum;
        PS_ASSERT(ps_thrift_event_read(&in, &datum) == NULL);
        PS_ASSERT(ps_header_sizes_refusal(&datum.sizes) == NULL);
    }
    PS_ASSERT(!in.bad);
}

static void answer(const struct ps_thrift_request *request)
{
    uint8_t reply[PS_THRIFT_ANSWER_BYTES_MAX];
    struct ps_thrift_message message;
    size_t length = request->error != PS_THRIFT_NO_ERROR
                        ? ps_thrift_put_error(reply, request)
                        : ps_thrift_put_result(reply, request->compact, &request->message.name,
                                               request->message.number, 0, request->round);
    struct ps_thrift_reader in = {.at = reply + PS_THRIFT_FRAME_BYTES, .end = reply + length};
    PS_ASSERT(ps_thrift_read_message(&in, &message) && message.number == request->message.number);
    ps_thrift_skip(&in, PS_THRIFT_STRUCT);
    PS_ASSERT(!in.bad && in.at == in.end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > MOST)
        return 0;
    uint8_t *bytes = malloc(size + 1), *at = bytes, *end = bytes + size;
    PS_ASSERT(bytes != NULL);
    if (size > 0)
        memcpy(bytes, data, size);
    for (;;) {
        struct ps_thrift_request request;
        uint32_t length;
        if (ps_thrift_frame_measure(at, (size_t)(end - at), MOST, &length) != PS_THRIFT_WHOLE)
            break;
        at += PS_THRIFT_FRAME_BYTES;
        PS_ASSERT(length <= (size_t)(end - at));
        if (ps_thrift_request_read(&ps_thrift_flume, at, length, &request)) {
            PS_ASSERT(memchr(request.reason, 0, sizeof request.reason) != NULL);
            if (request.error == PS_THRIFT_NO_ERROR)
                read_events(at, length, &request);
            answer(&request);
        }
        at += length;
    }
    free(bytes);
    return 0;
}
