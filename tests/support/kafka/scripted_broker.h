/* One Kafka broker whose answers the test writes itself, for tests of the native client (stages/lib/kafka/native). It lives in the
 * test's thread: nothing happens between two calls. One connection at a time. */
#pragma once

#include "tests/support/kafka/connections.h"

#define PS_TEST_REQUEST_BYTES_MAX (1U << 20)

struct ps_test_broker {
    int listener, fd; /* -1: no connection */
    unsigned port;
    unsigned connections; /* accepted so far */
    char *bytes;
    uint32_t length, taken;       /* bytes read, and those of the request that the test has got */
    void (*each)(void *argument); /* answers go byte by byte, with a call after each; NULL: as a whole */
    void *argument;
    uint32_t part_max; /* answers end after this number of bytes; 0: no limit */
};

void ps_test_broker_start(struct ps_test_broker *broker);
void ps_test_broker_stop(struct ps_test_broker *broker);
/* Returns whether a whole request has arrived; its body is valid until the next call. */
bool ps_test_broker_ask(struct ps_test_broker *broker, struct ps_test_request *request);
/* Sends the first `part` bytes of the response (UINT32_MAX: all of it). */
void ps_test_broker_answer(struct ps_test_broker *broker, const struct ps_test_request *request,
                           const char *body, uint32_t length, uint32_t part);
void ps_test_broker_hang_up(struct ps_test_broker *broker);
