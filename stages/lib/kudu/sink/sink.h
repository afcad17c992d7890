/* The requests of the sink kudu: each has the events of one batch, as rows that go to the servers of their tablets. A request ends when every
 * server has answered or cannot be reached; events that were not delivered stay in it and are sent again after a rest of the request's own, so
 * that events of other tablets do not wait for them (stages/lib/remote/requests.h).
 *
 * Thread: the sink's worker. */
#pragma once

#include "stages/lib/hadoop/user.h"
#include "stages/lib/kudu/client.h"
#include "stages/lib/kudu/sink/producer.h"
#include "stages/lib/random.h"
#include "stages/lib/remote/parts.h"

enum {
    PS_KUDU_COUNTER_UNMATCHED,
    PS_KUDU_COUNTER_SKIPPED,
    PS_KUDU_COUNTER_LOOKUPS,
    PS_KUDU_COUNTER_RELOCATED,
    PS_KUDU_COUNTER_OVERLOADED,
    PS_KUDU_COUNTER_DUPLICATES
};

struct ps_kudu_plan {
    const char *masters_text, *table, *class, *principal, *keytab, *proxy_user;
    int64_t batch_size, timeout_ms, requests, write_bytes;
    bool ignores_duplicates;
    const char *ids; /* penstock.ids */
    struct ps_pairs producer_keys;
    /* made by `build` */
    struct ps_kudu_producer producer;
    struct ps_kudu_client_settings client;
    char user[PS_HADOOP_USER_BYTES];
    char server[320]; /* for reasons: "table t1" */
};

/* A worker's state. */
struct ps_kudu_sink {
    struct ps_remote_requests requests; /* must be first */
    const struct ps_kudu_plan *plan;
    struct ps_kudu_client *client;
    struct ps_kudu_writer writer;
    struct ps_random random;
    struct ps_kudu_client_counts counted;
    uint64_t due_ns; /* of the client */
};

/* For `probe`: asks the masters for the table, and whether it has the columns. `plan`: its client and producer are built. Thread: as of
 * `probe`. */
void ps_kudu_probe_table(const struct ps_probe *probe, const struct ps_kudu_plan *plan);

extern const struct ps_sink_ops ps_kudu_sink_ops;
enum ps_status ps_kudu_sink_open(const void *plan, void *state, struct ps_port *port, struct ps_err *err);
void ps_kudu_sink_close(const void *plan, void *state);
