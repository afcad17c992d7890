/* The requests of a sink of HBase: each has the events of one batch, as mutations that go to the servers of their regions. A request ends when
 * every server has answered or cannot be reached; events that were not delivered stay in it and are sent again after a rest of the request's
 * own, so that events of other servers do not wait for them (stages/lib/remote/requests.h).
 *
 * Thread: the sink's worker. */
#pragma once

#include "stages/lib/hadoop/user.h"
#include "stages/lib/hbase/client.h"
#include "stages/lib/hbase/sink/serializer.h"
#include "stages/lib/remote/requests.h"

enum {
    PS_HBASE_COUNTER_UNMATCHED,
    PS_HBASE_COUNTER_LOOKUPS,
    PS_HBASE_COUNTER_RELOCATED,
    PS_HBASE_COUNTER_OVERLOADED
};

struct ps_hbase_plan {
    const char *table, *family, *class, *quorum_text, *znode, *directory;
    int64_t batch_size, timeout_ms, fails_max, requests;
    bool uses_log, coalesces;
    const char *ids; /* penstock.ids; NULL: identity */
    struct ps_pairs serializer_keys, async_keys;
    /* made by `build` */
    struct ps_hbase_serializer serializer;
    struct ps_zookeeper_quorum quorum;
    struct ps_hbase_client_settings client;
    struct ps_hbase_security security; /* principal and keytab are keys */
    size_t value_max;
    char user[PS_HADOOP_USER_BYTES];
    char server[320]; /* for reasons: "table t1 of zk1:2181" */
};

/* A worker's state. */
struct ps_hbase_sink {
    struct ps_remote_requests requests; /* must be first */
    const struct ps_hbase_plan *plan;
    struct ps_hbase_client *client;
    struct ps_hbase_writer writer;
    struct ps_hbase_client_counts counted;
    uint64_t due_ns; /* of the client */
    size_t overhead; /* of a put */
};

extern const struct ps_sink_ops ps_hbase_sink_ops;
enum ps_status ps_hbase_sink_open(const void *plan, void *state, struct ps_port *port, struct ps_err *err);
void ps_hbase_sink_close(const void *plan, void *state);
