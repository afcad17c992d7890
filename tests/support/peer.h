/* A server for tests of targets, in a thread of its own: it collects the events of tests/support/fake_lane.h,
 * and can stall, refuse, close its port and open the same port again.
 *
 * Thread: the test's, except where a comment names the server's thread. */
#pragma once

#include "tests/support/fake_lane.h"

#include <pthread.h>
#include <stdatomic.h>

struct ps_test_peer;

/* One connection. Thread: the server's. */
struct ps_test_link {
    struct ps_test_peer *peer;
    int fd;
    void *tls; /* SSL *, or NULL */
    void *zip; /* of ps_test_protocol_avro_zlib, or NULL */
    char *in;
    size_t length, room;
    unsigned requests; /* so far on this connection */
};

/* Processes the link's bytes; returns how many it consumed, SIZE_MAX to close the connection.
 * Thread: the server's. */
typedef size_t ps_test_protocol(struct ps_test_link *link);

/* For tcp and tls. */
ps_test_protocol ps_test_protocol_lines;
/* Answers OK, or "FAILED: no" when the verdict is not 0. */
ps_test_protocol ps_test_protocol_netcat;
/* Reads Flume's JSON, lines or plain text, by the content type; the verdict is the HTTP status. */
ps_test_protocol ps_test_protocol_http;
/* Avro RPC, compressed in both directions. */
ps_test_protocol ps_test_protocol_avro_zlib;
/* Avro RPC; the verdict is the Status, -1: an error answer. */
ps_test_protocol ps_test_protocol_avro;

struct ps_test_peer {
    ps_test_protocol *protocol;
    bool tls_on, datagrams;
    struct ps_test_event_size size; /* the size and framing that events must have */
    enum ps_framing framing;
    /* Decides the answer to `count` events that begin with `sequence`; NULL: the protocol's success answer.
     * Thread: the server's. */
    int (*verdict)(struct ps_test_peer *peer, uint64_t sequence, uint32_t count);
    atomic_uint verdicts; /* calls so far, for verdict functions that count them */

    unsigned port;
    int listener;
    void *tls_context;
    pthread_t thread;
    atomic_bool stop, stalled;
    atomic_uint accepted; /* connections */

    pthread_mutex_t mutex;
    uint64_t *sequences; /* received events, in order of arrival */
    size_t count, room;
    size_t foreign; /* received records that are not events of the lane */
};

/* Finds a port and starts the thread. The caller sets protocol, tls_on, datagrams, size, framing and verdict
 * before. */
void ps_test_peer_start(struct ps_test_peer *peer);
/* Closes the listener and every connection. */
void ps_test_peer_vanish(struct ps_test_peer *peer);
/* Listens on the same port again. */
void ps_test_peer_return(struct ps_test_peer *peer);
void ps_test_peer_stop(struct ps_test_peer *peer);

size_t ps_test_peer_count(struct ps_test_peer *peer);
/* Waits until `count` events have arrived. Returns false after 5 s. */
bool ps_test_peer_await(struct ps_test_peer *peer, size_t count);
/* Asserts that events 0 .. count-1 arrived, except those in `lane`'s failed list, that first arrivals are in
 * rising order, and that nothing foreign arrived; `exactly`: also that no event arrived twice. */
void ps_test_peer_check(struct ps_test_peer *peer, const struct ps_lane *lane, uint64_t count, bool exactly);

/* For protocols. ps_test_peer_took records an event and returns its number, UINT64_MAX if it is foreign;
 * ps_test_link_send sends bytes back, and blocks. */
uint64_t ps_test_peer_took(struct ps_test_peer *peer, const char *text, size_t length);
uint64_t ps_test_peer_sequence(struct ps_test_peer *peer, const char *text, size_t length);
bool ps_test_link_send(struct ps_test_link *link, const void *data, size_t length);
/* Frees zlib's memory. */
void ps_test_link_unzip(struct ps_test_link *link);

/* Return the names (static memory) of PEM files with a self-signed certificate for 127.0.0.1 and
 * "penstock.test", and with its key. All servers of the process share them. Removed at exit. */
const char *ps_test_certificate_file(void);
const char *ps_test_certificate_key_file(void);
