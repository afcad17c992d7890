/* The bound keys of the sink hive (stages/sinks/hive/hive.c has the rows), and the values computed from them.
 * Thread: control. */
#pragma once

#include "stages/lib/hadoop/configuration.h"
#include "stages/lib/hadoop/user.h"
#include "stages/sinks/hive/sink.h"

/* Defaults, which Flume also uses for a number below 0. */
#define PS_HIVE_TXNS_PER_BATCH "100"
#define PS_HIVE_BATCH_SIZE "15000"
#define PS_HIVE_HEARTBEAT_S "240"
#define PS_HIVE_CALL_TIMEOUT_MS "10000"

enum { PS_HIVE_TRANSACTIONAL, PS_HIVE_PLAIN }; /* values of penstock.table.type */

struct ps_hive_plan {
    const char *metastore, *database, *table, *partition, *time_zone, *round_unit, *serializer;
    const char *delimiter, *field_names, *separator, *codec, *configuration_directory, *principal, *keytab;
    bool makes_partitions, round, local_time;
    int table_type, orphans;
    bool hsync;
    int64_t roll_interval_s, roll_bytes, roll_events;
    int64_t txns_per_batch, batch_size, connections_max, idle_ms, call_timeout_ms, heartbeat_s, round_value,
        commit_ms;
    struct ps_hive_settings settings;
    struct ps_hadoop_configuration *configuration; /* NULL: Hadoop's defaults */
    struct ps_hive_security *security;             /* NULL: none */
    char user[PS_HADOOP_USER_BYTES], host[256];
};

/* Compiles the values of hive.partition. */
enum ps_status ps_hive_plan_values(const struct ps_hive_plan *plan, struct ps_arena *arena,
                                   struct ps_hive_settings *settings, struct ps_err *err);

/* Sets the format of a plain table's files: text, compressed by penstock.codeC. */
enum ps_status ps_hive_plan_format(const struct ps_hive_plan *plan, struct ps_hive_plain_settings *plain,
                                   struct ps_err *err);

enum ps_status ps_hive_plan_serializer(const struct ps_hive_plan *plan, enum ps_hive_serializer *serializer,
                                       struct ps_err *err);

/* Reads hive-site.xml from the directory (NULL: none), to find out whether the metastore requires Kerberos. */
enum ps_status ps_hive_plan_security(const struct ps_hive_plan *plan, const char *directory,
                                     struct ps_hive_security **security, struct ps_err *err);

/* The stage's `check`, which reports all mistakes in the keys. (stages/sinks/hive/check.c) */
enum ps_status ps_hive_check(const void *plan, const struct ps_context *context);
