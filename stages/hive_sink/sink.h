/* How the sink hive delivers leases into a transactional table of Hive: what Flume's HiveSink and HiveWriter do, without waiting
 * for one transaction before the next.
 *
 *   partition     The events of one partition, or of the whole table without partitions. It has transactions of its own, asked for
 *                 many at a time (hive.txnsPerBatchAsk).
 *   transaction   A lock, a write id, and a delta directory with one ORC file for each bucket that got a row. The files are
 *                 complete before it is committed; its events are settled when the commit was answered.
 *
 * A transaction ends when it has batchSize events, or its time is over, or after a while without events. While it ends the next one
 * takes events. After a failure the transaction is aborted, its events wait again, and the partition rests for 1, 2, .. 5 s; the other
 * partitions go on. A commit without an answer is asked again until there is one: it was aborted, or it was not, and Hive knows.
 * Transactions of a process that was killed stay open until Hive's hive.txn.timeout.
 *
 * A table that is not transactional gets files of text or JSON from the sink hdfs (stages/hdfs_sink/), which is told by this one where
 * events go, and what their lines are: files.c.
 *
 * Thread: the sink's worker. Never blocks, except as its file system does. Allocates for new partitions, transactions and files. */
#pragma once

#include "core/probe.h"
#include "core/stage.h"
#include "stages/hdfs/open.h"
#include "stages/hdfs_sink/sink.h"
#include "stages/hive/delimited.h"
#include "stages/hive/security.h"
#include "stages/text/escape.h"

#define PS_HIVE_PARTITION_KEYS_MAX 16U

/* How the files of a table that is not transactional are written (files.c). */
struct ps_hive_plain_settings {
    const char *agent;                                  /* in names of files */
    uint64_t roll_interval_ns, roll_bytes, roll_events; /* 0: never */
    enum ps_file_flush flush;
    bool recovers_orphans;
    struct ps_hadoop_format format; /* of their bytes, without the serializer */
    const char *file_suffix;        /* of its codec; "": none */
};

enum ps_hive_serializer { PS_HIVE_DELIMITED, PS_HIVE_JSON };

/* Shared by all workers; const. */
struct ps_hive_settings {
    const char *metastore, *database, *table;
    const struct ps_escape *values[PS_HIVE_PARTITION_KEYS_MAX]; /* of the partition */
    uint32_t value_count;
    bool is_constant; /* all events have the same partition */
    bool makes_partitions;
    bool is_plain; /* the table is not transactional: text or JSON */
    struct ps_hive_plain_settings plain;
    uint32_t txns_per_batch;
    uint32_t batch_events; /* in one transaction */
    uint64_t commit_ns;    /* the age of a transaction with fewer events */
    uint32_t partitions_max;
    uint64_t idle_ns, heartbeat_ns; /* 0: never */
    uint64_t call_timeout_ns;
    uint64_t held_bytes_max; /* in ORC writers and the file system's streams */
    enum ps_hive_serializer serializer;
    struct ps_hive_delimited_settings delimited;
    const struct ps_hadoop_configuration *configuration;
    const char *kerberos_principal, *keytab; /* for the file system; NULL: not set */
    const struct ps_hive_security *security; /* of the metastore; NULL: none */
    const char *user, *host;
};

/* Its own counters (PS_COUNTER_extra + i): those of the sink hdfs first. */
#define PS_HIVE_COUNTER_NAMES                                                                                \
    PS_HDFS_COUNTER_NAMES, "partitions_open_now", "transactions_open_now", "transactions_committed",         \
        "transactions_aborted"

struct ps_hive_sink;

/* Connects to nobody yet. NULL and the reason. The port and the settings outlive it. */
struct ps_hive_sink *ps_hive_sink_open(const struct ps_hive_settings *settings, struct ps_port *port,
                                       struct ps_err *err);
void ps_hive_sink_close(struct ps_hive_sink *sink);

/* `check --probe`: whether the metastore answers, whether the table is one that the sink writes to, by its kind, its partition keys and its
 * columns, and whether a file can be written where it is. Thread: control. */
void ps_hive_probe(const struct ps_hive_settings *settings, struct ps_arena *arena,
                   const struct ps_probe *probe);

/* Of a stage whose state begins with the pointer that ps_hive_sink_open returned. `recall` waits 5 s for commits, and 10 s for the
 * aborts of transactions that it does not use any more. */
extern const struct ps_sink_ops ps_hive_sink_ops;
