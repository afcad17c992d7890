/* Clients for tests of sources that listen: blocking sockets to 127.0.0.1 or ::1 with a time limit, and the
 * port that a source was given. */
#pragma once

#include "tests/support/stage.h"

/* Return the port of a TCP source's listener (the source's state begins with a struct ps_stream), and of a
 * UDP source's socket (the state begins with a struct ps_datagrams). */
unsigned ps_test_tcp_port(const struct ps_test_stage *stage, uint16_t listener);
unsigned ps_test_udp_port(const struct ps_test_stage *stage);

int ps_test_connect(const char *address, unsigned port);
/* Returns a connected UDP socket. */
int ps_test_connect_udp(const char *address, unsigned port);
void ps_test_send(int fd, const void *data, size_t length);
void ps_test_send_text(int fd, const char *text);
/* Runs the source until it sent `length` bytes or closed the connection, for at most `patience_ms`. Returns
 * the received bytes, terminated (arena memory); *closed: whether the source closed the connection. */
char *ps_test_receive(struct ps_test_stage *stage, int fd, size_t length, unsigned patience_ms, bool *closed);

/* The kernel may hand over what is sent within this machine later, in a thread of its own. These wait for that by the patient clock. */

/* Returns whether the peer's socket has all bytes that were sent. */
bool ps_test_has_arrived(int fd);
/* Waits until the peer's socket has all bytes that were sent. The connection is then complete, too. */
void ps_test_await_arrival(int fd);
/* Runs the source until the counter has this value. The fake clock stands still. */
void ps_test_await_counter(struct ps_test_stage *stage, enum ps_counter counter, uint64_t value);
