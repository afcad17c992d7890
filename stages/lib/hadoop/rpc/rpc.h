/* Calls to a service of Hadoop's RPC, version 9, which one server has, or several of which one is active (HA): one connection
 * at a time, several calls in flight, answered in any order. What the messages mean is the caller's (namenode.h).
 *
 * A call that could not be sent, or was refused by a standby, goes to the next server; one whose connection was lost is sent
 * again with its id, the client's id and a higher retry count, by which the server knows it again (RetryCache.java): all calls
 * must be idempotent, or at most once by that cache. Waits as of RetryPolicies.failoverOnNetworkException. Each call ends at
 * its deadline at the latest.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/lib/filesystem/filesystem.h"
#include "stages/lib/hadoop/loop.h"
#include "stages/lib/hadoop/rpc/connection.h"

struct ps_hadoop_rpc;
struct ps_hadoop_rpc_call;

struct ps_hadoop_rpc_list {
    struct ps_hadoop_rpc_call *first, *last;
};

/* What a call came to; valid during the callback. */
struct ps_hadoop_rpc_outcome {
    enum ps_file_error error;
    const char *reason;    /* of an error: one line; else "" */
    const char *exception; /* Java class without its package, or "" */
    const char *message;   /* the server's, whole, or "" */
    const uint8_t *body;   /* the response's message */
    size_t body_length;
};

/* Embedded in its user's structure; zeroed at first. */
struct ps_hadoop_rpc_call {
    /* Called once, from a turn; the call may be begun again in it. To ask again later instead (the answer is "not yet"), it
     * calls ps_hadoop_rpc_repeat and returns. */
    void (*done)(struct ps_hadoop_rpc_call *call, const struct ps_hadoop_rpc_outcome *outcome);
    /* The rest is rpc.c's. */
    struct ps_hadoop_rpc *rpc; /* NULL: it is not under way */
    struct ps_hadoop_rpc_list *list;
    struct ps_hadoop_rpc_call *previous, *next;
    struct ps_hadoop_rpc_call *same_chain; /* of the calls that wait for a response, found by id */
    struct ps_hadoop_timer timer;          /* the deadline, or the end of a rest */
    uint64_t deadline_ns;                  /* 0: not known before the next turn */
    uint64_t sent_ns;
    int32_t id, retry_count;
    unsigned rests;           /* of its own, in a row */
    bool uncertain;           /* it was sent, and may have been carried out */
    enum ps_file_error error; /* of the last attempt; PS_FILE_OK: there was none */
    const char *method;
    uint8_t *request; /* the method and its message, as they follow the header of a request */
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

/* Texts are copied. */
struct ps_hadoop_rpc_settings {
    struct ps_hadoop_loop *loop;
    const char *service; /* for messages: "hdfs://nameservice" */
    const struct ps_hadoop_rpc_server *servers;
    unsigned server_count;
    struct ps_hadoop_rpc_limits limits;
    const char *protocol; /* Java class */
    uint64_t protocol_version;
    const char *user, *real_user;          /* real_user NULL: there is no proxy user */
    const struct ps_hadoop_rpc_auth *auth; /* NULL: simple */
    uint64_t call_timeout_ns;
    uint64_t rest_ns,
        rest_max_ns; /* between attempts: doubles from the one to the other, half to one and a half of it */
    const char *component;
    bool hands_over; /* as in struct ps_port: the log has a new try at DEBUG only */
};

/* Connects to nobody. NULL: no memory. */
struct ps_hadoop_rpc *ps_hadoop_rpc_open(const struct ps_hadoop_rpc_settings *settings);
/* Callbacks of calls under way are not called any more. NULL is allowed. */
void ps_hadoop_rpc_close(struct ps_hadoop_rpc *rpc);

/* Begins a call that is not under way, after `done` was set. `message` is copied; `method` is static. */
void ps_hadoop_rpc_begin(struct ps_hadoop_rpc *rpc, struct ps_hadoop_rpc_call *call, const char *method,
                         const ProtobufCMessage *message);
/* In `done` only, instead of an end: begins the same call again as a new one (another id), after a rest of so long, within the
 * deadline that it has: it ends with `error` and `reason` there. */
void ps_hadoop_rpc_repeat(struct ps_hadoop_rpc *rpc, struct ps_hadoop_rpc_call *call, uint64_t rest_ns,
                          enum ps_file_error error, const char *reason);
void ps_hadoop_rpc_cancel(struct ps_hadoop_rpc_call *call);
