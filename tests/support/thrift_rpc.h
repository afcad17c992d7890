/* A client of Flume's Thrift protocol for tests: calls as bytes, in either encoding. */
#pragma once

#include "core/option.h"
#include "stages/lib/thrift/request.h"
#include "tests/support/stage.h"

struct ps_test_thrift_call {
    uint8_t *bytes; /* the frame */
    size_t length, room;
    bool compact;
};

/* Returns the writer for the next appends, with room for `more` bytes at the end of the call. */
struct ps_thrift_writer ps_test_thrift_writer(struct ps_test_thrift_call *call, size_t more);
/* Takes what was written. */
void ps_test_thrift_wrote(struct ps_test_thrift_call *call, const struct ps_thrift_writer *out);

/* Begins a call of append (`count` < 0) or appendBatch with `count` events; `round` 0: none. */
void ps_test_thrift_begin(struct ps_test_thrift_call *call, bool compact, uint32_t number, int64_t count,
                          uint8_t round);
/* Appends an event with the headers name, value, .., NULL; `headers` NULL: none. */
void ps_test_thrift_event(struct ps_test_thrift_call *call, const char *body, size_t length,
                          const char *const *headers);
/* Ends the call: its frame is whole. */
void ps_test_thrift_end(struct ps_test_thrift_call *call);
void ps_test_thrift_free(struct ps_test_thrift_call *call);

/* An answer that was received. */
struct ps_test_thrift_answer {
    struct ps_thrift_message message;
    char name[PS_THRIFT_NAME_BYTES_MAX + 1];
    int32_t number; /* the result, or the exception's type */
    uint8_t round;  /* of the call, repeated; 0: none */
    char error[256];
};

/* Reads a frame's message. */
void ps_test_thrift_answer_read(const uint8_t *message, size_t length, struct ps_test_thrift_answer *answer);
