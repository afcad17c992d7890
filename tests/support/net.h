/* Clients for tests of sources that listen: blocking sockets to 127.0.0.1 (or ::1) with a time limit, and the
 * port a source got. */
#pragma once

#include "tests/support/stage.h"

/* Port of a TCP source's listener (its state begins with a struct ps_stream), of a UDP source's socket (with
 * a struct ps_datagrams). */
unsigned ps_test_tcp_port(const struct ps_test_stage *stage, uint16_t listener);
unsigned ps_test_udp_port(const struct ps_test_stage *stage);

int ps_test_connect(const char *address, unsigned port);
/* Connected UDP socket. */
int ps_test_connect_udp(const char *address, unsigned port);
void ps_test_send(int fd, const void *data, size_t length);
void ps_test_send_text(int fd, const char *text);
/* Lets the source work until the peer has `length` bytes for us or has closed; what came, terminated (arena
 * memory), and in *closed whether it closed. At most `patience_ms`. */
char *ps_test_receive(struct ps_test_stage *stage, int fd, size_t length, unsigned patience_ms, bool *closed);

/* Asserts body and headers of an event: exactly these headers (name, value, .., NULL), in any order. */
void ps_test_expect(const struct ps_test_event *event, const char *body, const char *const *headers);
