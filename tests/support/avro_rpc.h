/* A client of Flume's Avro protocol for tests: messages as bytes, cut as the test wants. */
#pragma once

#include "core/option.h"
#include "stages/lib/avro/rpc.h"
#include "tests/support/support.h"

struct ps_test_avro_call {
    uint8_t *bytes; /* the payload */
    size_t length, room;
};

/* Each appends to the payload. */
void ps_test_avro_call_bytes(struct ps_test_avro_call *call, const void *bytes, size_t length);
void ps_test_avro_call_long(struct ps_test_avro_call *call, int64_t number);
void ps_test_avro_call_text(struct ps_test_avro_call *call, const char *text);
/* Appends a HandshakeRequest with the client's hash (16 bytes), the text of its protocol (NULL: none), and
 * the hash that it expects of the server. */
void ps_test_avro_call_handshake(struct ps_test_avro_call *call, const uint8_t *md5, const char *text,
                                 const uint8_t *server);
/* Appends empty metadata and the name of the method. */
void ps_test_avro_call_name(struct ps_test_avro_call *call, const char *name);
/* Appends an event with the headers name, value, .., NULL; `headers` NULL: none. */
void ps_test_avro_call_event(struct ps_test_avro_call *call, const char *body, size_t length,
                             const char *const *headers);
/* ps_test_avro_call_clear empties the call, and ps_test_avro_call_free frees it. */
void ps_test_avro_call_clear(struct ps_test_avro_call *call);
void ps_test_avro_call_free(struct ps_test_avro_call *call);

/* Returns the whole message, in pieces of at most `piece` bytes; the caller frees it. */
uint8_t *ps_test_avro_message(const struct ps_test_avro_call *call, uint32_t serial, size_t piece,
                              size_t *length);
