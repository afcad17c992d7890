/* The far side of a target, in a thread: a server that collects the events of tests/support/fake_lane.h and
 * can stall, refuse, vanish and come back on the same port.
 *
 * Thread: the test's, but for what the comments give to the server's. */
#pragma once

#include "tests/support/fake_lane.h"

#include <pthread.h>
#include <stdatomic.h>

struct ps_test_peer;

struct ps_test_link { /* one connection; the server's thread */
    struct ps_test_peer *peer;
    int fd;
    void *tls; /* SSL *, or NULL */
    void *zip; /* of ps_test_protocol_avro_zlib, or NULL */
    char *in;
    size_t length, room;
    unsigned requests; /* so far on this connection */
};

/* Takes what it can of the link's bytes; returns how many. SIZE_MAX: hang up. The server's thread. */
typedef size_t ps_test_protocol(struct ps_test_link *link);

ps_test_protocol ps_test_protocol_lines;  /* tcp, tls */
ps_test_protocol ps_test_protocol_netcat; /* answers OK, or "FAILED: no" when the verdict is not 0 */
ps_test_protocol
    ps_test_protocol_http; /* Flume's JSON, lines or plain by the content type; the verdict is the status */
ps_test_protocol ps_test_protocol_avro_zlib; /* compressed both ways */
ps_test_protocol ps_test_protocol_avro;      /* the verdict is the Status; -1: an error answer */

struct ps_test_peer {
    ps_test_protocol *protocol;
    bool tls_on, datagrams;
    struct ps_test_event_size size; /* what events must look like */
    enum ps_framing framing;
    /* What to answer to events from this one on; NULL: all is well. The server's thread. */
    int (*verdict)(struct ps_test_peer *peer, uint64_t sequence, uint32_t count);
    atomic_uint verdicts; /* for verdict functions that count */

    unsigned port;
    int listener;
    void *tls_context;
    pthread_t thread;
    atomic_bool stop, stalled;
    atomic_uint accepted; /* connections */

    pthread_mutex_t mutex;
    uint64_t *sequences; /* what came, in order of arrival */
    size_t count, room;
    size_t foreign; /* what is no event of ours */
};

/* Fill in protocol, tls_on, datagrams, size, framing, verdict first. Finds a port, starts the thread. */
void ps_test_peer_start(struct ps_test_peer *peer);
/* Closes the listener and every connection. */
void ps_test_peer_vanish(struct ps_test_peer *peer);
/* The same port again. */
void ps_test_peer_return(struct ps_test_peer *peer);
void ps_test_peer_stop(struct ps_test_peer *peer);

size_t ps_test_peer_count(struct ps_test_peer *peer);
/* Waits (at most 5 s) until `count` events came. */
bool ps_test_peer_await(struct ps_test_peer *peer, size_t count);
/* Asserts that events 0 .. count-1 came, all of them but those in `lane`'s failed list, that each first
 * arrival follows the one before it, and nothing foreign; `exactly`: no event twice. */
void ps_test_peer_check(struct ps_test_peer *peer, const struct ps_lane *lane, uint64_t count, bool exactly);

/* For protocols: an event came (its number, UINT64_MAX: foreign); bytes to send back (blocks). */
uint64_t ps_test_peer_took(struct ps_test_peer *peer, const char *text, size_t length);
uint64_t ps_test_peer_sequence(struct ps_test_peer *peer, const char *text, size_t length);
bool ps_test_link_send(struct ps_test_link *link, const void *data, size_t length);
void ps_test_link_unzip(struct ps_test_link *link); /* frees what zlib has */

/* A certificate for 127.0.0.1 and "penstock.test", written as PEM to a new file whose name is returned
 * (static memory); the same key for every server of this process. Removed at exit. */
const char *ps_test_certificate_file(void);
const char *ps_test_certificate_key_file(void);
