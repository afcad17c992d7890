/* What the sinks hbase, hbase2 and asynchbase share (Flume's HBaseSink, HBase2Sink and AsyncHBaseSink): HBase 1 and 2 have the same protocol for
 * writes, so the three differ in their keys alone. Thread: control. */
#pragma once

#include "stages/lib/hbase/sink/sink.h"

#include <stdio.h>

#define PS_HBASE_REQUESTS_MAX 64

#define PS_HBASE_FIELD(name) offsetof(struct ps_hbase_plan, name)

/* The keys of all three. `simple`: the serializer of a sink without this key. `kerberos_flags`: of the keys of Kerberos, which Flume's asynchbase
 * has not. */
#define PS_HBASE_OPTION_ROWS(simple, kerberos_flags)                                                         \
    PS_OPTION_ROW("table", TEXT, PS_HBASE_FIELD(table),                                                      \
                  "table that is written to: NAME or NAMESPACE:NAME; it must exist",                         \
                  .flags = PS_OPTION_REQUIRED),                                                              \
        PS_OPTION_ROW("columnFamily", TEXT, PS_HBASE_FIELD(family),                                          \
                      "column family that is written to; it must exist", .flags = PS_OPTION_REQUIRED),       \
        PS_OPTION_ROW("batchSize", INT, PS_HBASE_FIELD(batch_size), "maximum number of events of a request", \
                      .fallback = "100", .min = 1, .max = INT32_MAX, .unit = "events"),                      \
        PS_OPTION_ROW(                                                                                       \
            "serializer", TEXT, PS_HBASE_FIELD(class),                                                       \
            "class that makes cells of an event: Flume's Simple.. and Regex.. serializers are native; "      \
            "your own class runs the sink in Java",                                                          \
            .fallback = simple),                                                                             \
        PS_OPTION_ROW(                                                                                       \
            "serializer.", MAP, PS_HBASE_FIELD(serializer_keys),                                             \
            "keys of the serializer. Simple: rowPrefix, suffix (uuid, random, timestamp, nano), "            \
            "payloadColumn, incrementRow, incrementColumn. Regex: regex, regexIgnoreCase, colNames, "        \
            "rowKeyIndex, depositHeaders, charset"),                                                         \
        PS_OPTION_ROW("zookeeperQuorum", TEXT, PS_HBASE_FIELD(quorum_text),                                  \
                      "servers of ZooKeeper, HOST:PORT with commas between; unset: that of hbase-site.xml"), \
        PS_OPTION_ROW("znodeParent", TEXT, PS_HBASE_FIELD(znode),                                            \
                      "node of HBase in ZooKeeper; unset: that of hbase-site.xml, else /hbase"),             \
        PS_OPTION_ROW("coalesceIncrements", BOOL, PS_HBASE_FIELD(coalesces),                                 \
                      "add up the increments of a request, and send one", .fallback = "false"),              \
        PS_OPTION_ROW("enableWal", BOOL, PS_HBASE_FIELD(uses_log),                                           \
                      "the region servers write the cells into their write-ahead log; false: a server that " \
                      "fails loses delivered events",                                                        \
                      .fallback = "true"),                                                                   \
        PS_OPTION_ROW("penstock.ids", TEXT, PS_HBASE_FIELD(ids),                                             \
                      "what the drawn parts of row keys, and the nonces of increments, are made of, so "     \
                      "that an event that is sent again after a crash writes the same row: "                 \
                      "identity (the default: the event's identity, where it has one), header:NAME (the "    \
                      "value of a header), or none (random numbers and the clock, as Flume)",                \
                      .flags = PS_OPTION_EXTENSION),                                                         \
        PS_OPTION_ROW(                                                                                       \
            "kerberosPrincipal", TEXT, PS_HBASE_FIELD(security.principal),                                   \
            "Kerberos principal, for a HBase whose hbase-site.xml says "                                     \
            "hbase.security.authentication = kerberos; _HOST is the name of this host; unset: the "          \
            "tickets of kinit",                                                                              \
            .flags = kerberos_flags),                                                                        \
        PS_OPTION_ROW("kerberosKeytab", TEXT, PS_HBASE_FIELD(security.keytab),                               \
                      "file with the principal's keys", .flags = kerberos_flags),                            \
        PS_OPTION_ROW("penstock.requests", INT, PS_HBASE_FIELD(requests),                                    \
                      "maximum number of requests under way at a time; the order of events is not kept",     \
                      .fallback = "16", .min = 1, .max = PS_HBASE_REQUESTS_MAX,                              \
                      .flags = PS_OPTION_EXTENSION),                                                         \
        PS_OPTION_ROW("penstock.hbase.conf", TEXT, PS_HBASE_FIELD(directory),                                \
                      "directory with hbase-site.xml; unset: HBASE_CONF_DIR, else conf of HBASE_HOME, else " \
                      "/etc/hbase/conf",                                                                     \
                      .flags = PS_OPTION_EXTENSION)

extern const char *const ps_hbase_counter_names[], *const ps_hbase_counter_helps[];

/* The functions of struct ps_stage_ops. `is_async`: of the sink asynchbase. */
enum ps_status ps_hbase_check(const void *plan, const struct ps_context *context, bool is_async);
enum ps_status ps_hbase_build(struct ps_hbase_plan *plan, struct ps_context *context, struct ps_err *err,
                              bool is_async);
void ps_hbase_teardown(void *plan);
void ps_hbase_files(const void *plan, void (*add)(void *argument, const char *path), void *argument);
void ps_hbase_outline(const void *plan, const struct ps_context *context, FILE *out);
void ps_hbase_probe(const void *plan, struct ps_context *context, const struct ps_probe *probe);

/* The members of struct ps_stage_ops that are the same for all three. */
#define PS_HBASE_STAGE                                                                                       \
    .plan_size = sizeof(struct ps_hbase_plan), .state_size = sizeof(struct ps_hbase_sink),                   \
    .counters = ps_hbase_counter_names, .counter_helps = ps_hbase_counter_helps, .check = check,             \
    .build = build, .teardown = ps_hbase_teardown, .open = ps_hbase_sink_open, .close = ps_hbase_sink_close, \
    .files = ps_hbase_files, .outline = ps_hbase_outline, .probe = ps_hbase_probe,                           \
    .sink = &ps_hbase_sink_ops
