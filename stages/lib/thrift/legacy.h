/* ThriftFlumeEventServer of Flume 0.9 (flumeCompatibility.thrift): oneway void append(1: ThriftFlumeEvent evt),
 * void close(). Its messages have the binary encoding without frames, so the end of a message is known only
 * after the message was parsed. Thread: any. */
#pragma once

#include "stages/lib/legacy_event.h"
#include "stages/lib/thrift/request.h"

/* A struct, list, set or map of which not all bytes have arrived. */
struct ps_thrift_bare_level {
    uint32_t left;      /* elements */
    uint8_t key, value; /* types of the elements; `key` STOP: they have no keys */
    bool is_struct, at_key;
};

/* How far a message was measured. All zero: nothing of it. */
struct ps_thrift_bare {
    size_t passed; /* bytes */
    uint32_t depth;
    bool has_head;
    struct ps_thrift_bare_level levels[PS_THRIFT_DEPTH_MAX + 1];
};

/* Measures the message at `data`, which has no frame: its head, and one struct. GARBAGE: the bytes are not a
 * message of the binary encoding, or it is longer than `most` bytes. After PARTIAL the caller calls it again with more
 * bytes of the message, which may have moved; bytes that were passed are not read again. */
enum ps_thrift_framing ps_thrift_bare_go_on(struct ps_thrift_bare *bare, const void *data, size_t length,
                                            uint32_t most, uint32_t *message_length);
/* The same from the message's beginning. A caller with a part of a long message goes on instead: to read a message from its
 * beginning each time that a piece of it arrives would cost quadratic time. */
enum ps_thrift_framing ps_thrift_bare_measure(const void *data, size_t length, uint32_t most,
                                              uint32_t *message_length);

enum ps_thrift_legacy_call {
    PS_THRIFT_LEGACY_APPEND,
    PS_THRIFT_LEGACY_CLOSE,
    PS_THRIFT_LEGACY_STRANGER, /* another call */
    PS_THRIFT_LEGACY_BAD,      /* the call's argument is not valid */
};

struct ps_thrift_legacy_message {
    struct ps_thrift_message message;
    enum ps_thrift_legacy_call call;
    const char *reason; /* reason for BAD, a static text */
    struct ps_legacy_event event;
    struct ps_thrift_reader fields; /* cursor of the event's fields */
};

/* Reads a whole message. The result points into itself and must not be copied. */
void ps_thrift_legacy_read(const void *bytes, size_t length, struct ps_thrift_legacy_message *message);

/* Writes the answer to a close or to an unknown call. Returns its length, at most PS_THRIFT_ANSWER_BYTES_MAX;
 * there is no frame. */
size_t ps_thrift_legacy_put_closed(uint8_t *to, const struct ps_thrift_legacy_message *message);
size_t ps_thrift_legacy_put_error(uint8_t *to, const struct ps_thrift_legacy_message *message,
                                  enum ps_thrift_error error, const char *reason);
