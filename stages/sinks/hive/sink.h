/* Delivers leases into a transactional table of Hive for the sink hive. Does what Flume's HiveSink and HiveWriter do, without waiting
 * for one transaction before the next.
 *
 *   partition     the events of one partition, or of the whole table if it has no partitions. It has transactions
 *                 of its own, which are opened many at a time (hive.txnsPerBatchAsk).
 *   transaction   a lock, a write id, and a delta directory with one ORC file for each bucket that got a row.
 *                 The files are complete before the commit; the events are settled when the commit was answered.
 *
 * A transaction ends when it has batchSize events, when its time is over, or after a while without events. While it ends, the next one
 * takes events. If it fails, it is aborted, its events wait again, and the partition backs off for 1, 2, .. 5 s; other partitions are not
 * affected. A commit without an answer is requested again until there is one, because only Hive knows whether it was carried out.
 * Transactions of a killed process stay open until Hive's hive.txn.timeout.
 *
 * For a table that is not transactional, the sink hdfs (stages/lib/hadoop/bucket_writer/) writes files of text or JSON; this sink tells it where
 * events go, and what their lines are: files.c.
 *
 * Thread: the sink's worker. Does not block unless its file system does. Allocates memory for new partitions, transactions and
 * files. */
#pragma once

#include "core/probe.h"
#include "core/stage.h"
#include "stages/lib/hadoop/hdfs/open.h"
#include "stages/lib/hadoop/bucket_writer/sink.h"
#include "stages/lib/hive/delimited.h"
#include "stages/lib/hive/security.h"
#include "stages/lib/text/escape.h"

#define PS_HIVE_PARTITION_KEYS_MAX 16U

/* Settings for the files of a table that is not transactional (files.c). */
struct ps_hive_plain_settings {
    const char *agent;                                  /* part of the names of files */
    uint64_t roll_interval_ns, roll_bytes, roll_events; /* limits of a file; 0: none */
    enum ps_file_flush flush;
    bool recovers_orphans;
    struct ps_hadoop_format format; /* without the serializer */
    const char *file_suffix;        /* extension of the codec; "": none */
};

enum ps_hive_serializer { PS_HIVE_DELIMITED, PS_HIVE_JSON };

/* Shared by all workers and constant. */
struct ps_hive_settings {
    const char *metastore, *database, *table;
    const struct ps_escape *values[PS_HIVE_PARTITION_KEYS_MAX]; /* of the partition's keys */
    uint32_t value_count;
    bool is_constant; /* all events have the same partition */
    bool makes_partitions;
    bool is_plain; /* the table is not transactional: text or JSON */
    struct ps_hive_plain_settings plain;
    uint32_t txns_per_batch;
    uint32_t batch_events; /* limit of events in one transaction */
    uint64_t commit_ns;    /* age at which a transaction with fewer events ends */
    uint32_t partitions_max;
    uint64_t idle_ns, heartbeat_ns; /* 0: never */
    uint64_t call_timeout_ns;
    uint64_t held_bytes_max; /* limit of memory in ORC writers and the file system's streams */
    enum ps_hive_serializer serializer;
    struct ps_hive_delimited_settings delimited;
    const struct ps_hadoop_configuration *configuration;
    const char *kerberos_principal, *keytab; /* for the file system; NULL: not set */
    const struct ps_hive_security *security; /* for the metastore; NULL: none */
    const char *user, *host;
};

/* The sink's own counters (PS_COUNTER_extra + i), after those of the sink hdfs. */
#define PS_HIVE_COUNTER_NAMES                                                                                \
    PS_BUCKET_COUNTER_NAMES, "partitions_open_now", "transactions_open_now", "transactions_committed",       \
        "transactions_aborted"

struct ps_hive_sink;

/* Opens the sink without connecting. Returns NULL with the reason in `err`. The port and the settings must outlive the sink. */
struct ps_hive_sink *ps_hive_sink_open(const struct ps_hive_settings *settings, struct ps_port *port,
                                       struct ps_err *err);
void ps_hive_sink_close(struct ps_hive_sink *sink);

/* Probes for `check --probe`: whether the metastore answers, whether the sink can write to a table with this kind, these partition keys and
 * columns, and whether a file can be written at its location. Thread: control. */
void ps_hive_probe(const struct ps_hive_settings *settings, struct ps_arena *arena,
                   const struct ps_probe *probe);

/* The functions of a stage whose state begins with the pointer that ps_hive_sink_open returned. `recall` waits 5 s for commits,
 * and 10 s for the aborts of unused transactions. */
extern const struct ps_sink_ops ps_hive_sink_ops;
