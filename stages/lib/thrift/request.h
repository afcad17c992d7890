/* The server's side of a Thrift service: reading requests, writing answers, over frames as TFramedTransport and
 * TFastFramedTransport send them: int32 length, then one message. The service (Flume's, scribe's) defines its calls
 * and the form of their events.
 *
 * Every length is compared with what has arrived; nothing is allocated. Sources: thrift-rpc.md of Apache
 * Thrift, libthrift 0.14 (TBaseProcessor, ProcessFunction, TApplicationException). Thread: any; nothing here
 * keeps state. */
#pragma once

#include "core/flow/batch.h"
#include "stages/lib/event_headers.h"
#include "stages/lib/thrift/protocol.h"

#define PS_THRIFT_REASON_BYTES 128U
#define PS_THRIFT_NAME_BYTES_MAX 64U /* an answer repeats at most this much of a call's name */
#define PS_THRIFT_ANSWER_BYTES_MAX 320U

/* A field that a client of another penstock adds to a call: the round, 1 or 2 (stages/lib/rpc/protocol.h), which
 * the answer repeats. Other servers skip it, as Thrift demands of unknown fields. */
#define PS_THRIFT_ROUND_ID 1000

/* ---- a service ---- */

struct ps_thrift_method {
    const char *name;
    bool list;   /* its argument, field 1, is a list of events; else one event */
    bool oneway; /* the call is never answered */
};

struct ps_thrift_service {
    const struct ps_thrift_method *methods;
    unsigned method_count;
    int32_t accepted, refused; /* the result of a call: numbers of an enum */
    /* Moves past an event. Returns NULL, or a static text with the reason why it is invalid. */
    const char *(*check)(struct ps_thrift_reader *in);
    /* Adds the event at `in`, which was checked and lies in a block of the batch, and moves past it. Returns
     * false and adds no row if there is no room (batch->full is set) or no memory. */
    bool (*add)(struct ps_event_headers *headers, struct ps_batch *batch, struct ps_thrift_reader *in);
};

/* ThriftSourceProtocol of Flume: append and appendBatch return OK or FAILED. */
extern const struct ps_thrift_service ps_thrift_flume;

/* ---- requests ---- */

enum ps_thrift_framing {
    PS_THRIFT_PARTIAL, /* the frame has not arrived completely */
    PS_THRIFT_WHOLE,
    PS_THRIFT_GARBAGE, /* this is not a frame, or it is longer than `most` bytes */
};

/* Measures the frame at `data`: `*length` is the message's, after its PS_THRIFT_FRAME_BYTES. */
enum ps_thrift_framing ps_thrift_frame_measure(const void *data, size_t length, uint32_t most,
                                               uint32_t *message_length);

/* Types of TApplicationException. */
enum ps_thrift_error {
    PS_THRIFT_NO_ERROR = 0,
    PS_THRIFT_UNKNOWN_METHOD = 1,
    PS_THRIFT_INVALID_MESSAGE_TYPE = 2,
    PS_THRIFT_PROTOCOL_ERROR = 7,
};

struct ps_thrift_request {
    struct ps_thrift_message message;
    bool compact;
    enum ps_thrift_error error; /* the message is a call that cannot be made; `reason` explains why */
    const struct ps_thrift_method *method;
    unsigned method_index;
    unsigned round;     /* 1 or 2: the round of a call from another penstock; 0: none */
    uint32_t events;    /* number of events, all of them well formed */
    uint32_t events_at; /* offset in the message of the first event */
    char reason[PS_THRIFT_REASON_BYTES];
};

/* Reads a whole message. Returns false when it is not a message of Thrift, so that it cannot be answered. */
bool ps_thrift_request_read(const struct ps_thrift_service *service, const void *bytes, size_t length,
                            struct ps_thrift_request *request);

/* ---- answers ---- */

/* Each writes a whole frame of at most PS_THRIFT_ANSWER_BYTES_MAX bytes, and returns how many. `round`: the
 * round of the call; it shows the client that this server is a penstock. */
size_t ps_thrift_put_result(uint8_t *to, bool compact, const struct ps_slice *name, uint32_t number,
                            int32_t result, unsigned round);
size_t ps_thrift_put_error(uint8_t *to, const struct ps_thrift_request *request);
