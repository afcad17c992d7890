/* Calls to a service of Hadoop's RPC, version 9, with one server, or several of which one is active (HA). One connection at a
 * time, several calls in flight, answered in any order. The caller defines the messages (namenode.h).
 *
 * A call that could not be sent, or was refused by a standby, goes to the next server. A call whose connection was lost is
 * sent again with its id, the client's id and a higher retry count, by which the server recognizes it (RetryCache.java): all
 * calls must be idempotent, or carried out at most once because of that cache. Waits are those of
 * RetryPolicies.failoverOnNetworkException. Each call ends at its deadline at the latest.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/lib/filesystem/filesystem.h"
#include "stages/lib/hadoop/loop.h"
#include "stages/lib/hadoop/rpc/connection.h"

#include <sys/queue.h>

struct ps_hadoop_rpc;
struct ps_hadoop_rpc_call;

TAILQ_HEAD(ps_hadoop_rpc_list, ps_hadoop_rpc_call);

/* The result of a call, valid during the callback. */
struct ps_hadoop_rpc_outcome {
    enum ps_file_error error;
    const char *reason;    /* one line for an error; else "" */
    const char *exception; /* Java class without its package, or "" */
    const char *message;   /* the server's complete message, or "" */
    const uint8_t *body;   /* the response's message */
    size_t body_length;
};

/* Embedded in the caller's structure, which is zeroed at first. */
struct ps_hadoop_rpc_call {
    /* Called once, from a turn; it may begin the call again. To repeat the same call later (the answer is "not yet"), it
     * calls ps_hadoop_rpc_repeat and returns. */
    void (*done)(struct ps_hadoop_rpc_call *call, const struct ps_hadoop_rpc_outcome *outcome);
    /* Used by rpc.c: */
    struct ps_hadoop_rpc *rpc; /* NULL: not in flight */
    struct ps_hadoop_rpc_list *list;
    TAILQ_ENTRY(ps_hadoop_rpc_call) entry;
    struct ps_hadoop_rpc_call *same_chain; /* hash chain of calls that wait for a response, by id */
    struct ps_hadoop_timer timer;          /* for the deadline, or the end of a backoff */
    uint64_t deadline_ns;                  /* 0: not known before the next turn */
    uint64_t sent_ns;
    int32_t id, retry_count;
    unsigned rests;           /* number of backoffs of this call in a row */
    bool uncertain;           /* the call was sent, and may have been carried out */
    enum ps_file_error error; /* of the last try; PS_FILE_OK: none */
    const char *method;
    uint8_t *request; /* the method and its message, as in a request after the header */
    size_t request_length;
    char reason[PS_FILE_REASON_BYTES];
};

static inline bool ps_hadoop_rpc_call_is_busy(const struct ps_hadoop_rpc_call *call)
{
    return call->rpc != NULL;
}

struct ps_hadoop_rpc_server {
    const char *host;
    unsigned port;
};

/* The texts and servers must outlive the service. */
struct ps_hadoop_rpc_settings {
    struct ps_hadoop_loop *loop;
    const char *service; /* for messages: "hdfs://nameservice" */
    const struct ps_hadoop_rpc_server *servers;
    unsigned server_count;
    struct ps_hadoop_rpc_limits limits;
    const char *protocol; /* Java class */
    uint64_t protocol_version;
    const char *user, *real_user;          /* real_user NULL: no proxy user */
    const struct ps_hadoop_rpc_auth *auth; /* NULL: simple authentication */
    uint64_t call_timeout_ns;
    uint64_t rest_ns,
        /* Backoff between tries: doubles from rest_ns to rest_max_ns, times a random factor from 0.5 to 1.5. */
        rest_max_ns;
    const char *component;
    const struct ps_port *port; /* ps_port_outage_level is that of new tries; NULL: they are warnings */
};

/* Opens the service without connecting. */
struct ps_hadoop_rpc *ps_hadoop_rpc_open(const struct ps_hadoop_rpc_settings *settings);
/* Closes the client without calling the callbacks of calls in flight. NULL is allowed. */
void ps_hadoop_rpc_close(struct ps_hadoop_rpc *rpc);

/* Begins a call that is not in flight; `done` must be set. Copies `message`; `method` is static. */
void ps_hadoop_rpc_begin(struct ps_hadoop_rpc *rpc, struct ps_hadoop_rpc_call *call, const char *method,
                         const ProtobufCMessage *message);
/* Call it only in `done`. The call then goes on: it is sent again with a new id, after a backoff, within its
 * deadline. If the call times out, it ends with `error` and `reason`. */
void ps_hadoop_rpc_repeat(struct ps_hadoop_rpc *rpc, struct ps_hadoop_rpc_call *call, uint64_t rest_ns,
                          enum ps_file_error error, const char *reason);
void ps_hadoop_rpc_cancel(struct ps_hadoop_rpc_call *call);
