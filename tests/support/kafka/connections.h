/* The connections of a Kafka broker that a test plays, in the test's thread: nothing happens between two calls. A
 * function of the test reads a request and appends its answer. */
#pragma once

#include "core/base.h"
#include "stages/lib/kafka/wire/wire.h"

#define PS_TEST_CONNECTIONS 8U
#define PS_TEST_CONNECTION_BYTES (1U << 20) /* limit of a request, and of the bytes that wait to be sent */

/* A request; the body is valid until the function that got it returns. */
struct ps_test_request {
    int16_t key, version;
    int32_t correlation;
    uint32_t length; /* with the header */
    struct ps_wire_in body;
};

struct ps_test_connection {
    int fd; /* -1: none */
    char *in, *out;
    uint32_t in_length, out_length;
    bool breaks;   /* the connection ends, and bytes that wait to be sent are lost */
    unsigned late; /* calls of ps_test_connections_serve in which the broker neither sends nor reads here */
    uint32_t left; /* bytes that can still be sent before the connection ends. UINT32_MAX: no limit */
    /* The broker's own, for a request that it answers later; 0 with each new one: */
    uint64_t since_ns;
    unsigned number;
    unsigned tag; /* the listener's when it was accepted */
};

struct ps_test_connections {
    int listener;
    unsigned port;
    unsigned tag;  /* the test's own */
    uint32_t step; /* limit of the bytes that one call sends on a connection; 0: none */
    bool silent;   /* answers wait */
    struct ps_test_connection items[PS_TEST_CONNECTIONS];
    /* Carries the request out, and appends the answer (ps_test_connection_begin). Returns false to do so
     * later: it is then called again with this request, and the later ones wait. */
    bool (*handle)(void *argument, struct ps_test_connection *connection, struct ps_test_request *request);
    void *argument;
};

/* Reads the head of a request of `length` bytes, without its length field. */
void ps_test_request_read(struct ps_test_request *request, const char *bytes, uint32_t length);

/* Listens on a port of the kernel's choice. */
void ps_test_connections_open(struct ps_test_connections *connections);
void ps_test_connections_close(struct ps_test_connections *connections);
/* Ends all connections; others can be made. */
void ps_test_connections_break(struct ps_test_connections *connections);
/* Accepts, reads and sends what is possible now. Returns whether something came or went. */
bool ps_test_connections_serve(struct ps_test_connections *connections);

/* Begins an answer. Returns where its body goes. */
char *ps_test_connection_begin(struct ps_test_connection *connection, const struct ps_test_request *request);
/* Ends the answer: `at` is the end of the body. */
void ps_test_connection_end(struct ps_test_connection *connection, const char *at);
