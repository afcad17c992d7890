/* A simple sink with sockets of its own, and its far end: a server that sends every line back. The sink is the
 * pattern for sinks that speak a protocol; the conformance suite of sinks checks it.
 *
 * The sink sends each event as a line over one connection, several leases at a time, and settles it when the line
 * comes back. When the connection is lost, it sends the unanswered lines again. */
#pragma once

#include "core/stage.h"

#include <stdint.h>

extern const struct ps_stage_ops ps_test_echo_sink;

enum ps_test_far_end {
    PS_TEST_FAR_END_UP,
    PS_TEST_FAR_END_SLOW, /* it reads only after a while */
    PS_TEST_FAR_END_DOWN, /* it closes every connection */
};

/* One server for the process, in a thread of its own. At other ports it answers calls of Flume's Avro and Thrift
 * protocols, for the sinks avro and thrift, and records each body as a line. */
void ps_test_echo_start(void);
void ps_test_echo_stop(void);
uint16_t ps_test_avro_port(void);
uint16_t ps_test_thrift_port(void);
uint16_t ps_test_irc_port(void); /* of IRC, for the sink irc: each message in #logs is recorded as a line */
/* Sets the mode. When it returns from a change to DOWN, the server sends no more answers. */
void ps_test_echo_set(enum ps_test_far_end mode);
/* Makes the server close the connection, once, instead of answering the next line. */
void ps_test_echo_cut(void);
bool ps_test_echo_was_cut(void);
/* ps_test_echo_clear forgets the answers; ps_test_echo_text returns them, valid until the next call. */
void ps_test_echo_clear(void);
const char *ps_test_echo_text(void);
