/* An avro source for tests of clients, in a thread of its own: it answers, refuses, is silent, closes half-way, answers
 * nonsense, and can close its port and open it again. Its members are read and set by the test's thread. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum ps_test_rpc_behaviour {
    PS_TEST_RPC_OK,
    PS_TEST_RPC_FAILED, /* the status of an answer */
    PS_TEST_RPC_UNKNOWN,
    PS_TEST_RPC_ERROR,    /* answers with an error */
    PS_TEST_RPC_NO_MATCH, /* does not know the protocol */
    PS_TEST_RPC_SILENT,   /* reads and does not answer */
    PS_TEST_RPC_CLOSES,   /* closes the connection instead of an answer */
    PS_TEST_RPC_HALF,     /* closes it in the middle of the answer */
    PS_TEST_RPC_NONSENSE, /* answers with other bytes */
};

#define PS_TEST_RPC_LINKS 128U

struct ps_test_rpc_link {
    int fd;
    char *in;
    size_t length, room;
    bool greeted;
};

struct ps_test_rpc_server {
    unsigned port;
    atomic_int behaviour;      /* enum ps_test_rpc_behaviour */
    atomic_uint calls_good;    /* this number of calls is answered OK before the behaviour begins; 0: none */
    atomic_uint calls, events; /* received, well formed */
    atomic_uint acknowledged;  /* events of calls that were answered OK */
    atomic_uint strange;       /* calls that are not well formed */
    atomic_uint connections;   /* accepted */
    atomic_uint drops;         /* add 1: closes all connections; it is taken back when that is done */
    /* Used only by the thread. */
    pthread_t thread;
    int listener, wake[2];
    atomic_bool stop;
    struct ps_test_rpc_link links[PS_TEST_RPC_LINKS];
};

/* Listens at a port of its own and answers OK. */
void ps_test_rpc_start(struct ps_test_rpc_server *server);
/* Closes its port and all connections; the counts stay. The clients' sockets have the end of their connections then. */
void ps_test_rpc_stop(struct ps_test_rpc_server *server);
/* Opens the same port again. */
void ps_test_rpc_restart(struct ps_test_rpc_server *server);
/* Closes all connections, and returns when the clients' sockets have their ends. */
void ps_test_rpc_drop(struct ps_test_rpc_server *server);
