/* Sink hive (Flume's HiveSink): events as rows of a table of Hive. Thread: its worker. Delivery: stages/sinks/hive/sink.h. */
#include "core/stage.h"

#include "core/quantity.h"
#include "stages/lib/hadoop/bucket_writer/format.h"
#include "stages/sinks/hive/keys.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONGEST_MS (10 * INT64_C(365) * 86400 * 1000) /* longer times count as never */
#define LONGEST_S (LONGEST_MS / 1000)

struct hive_state {
    struct ps_hive_sink *sink; /* must be first (ps_hive_sink_ops) */
};

enum { REPORT, RECOVER }; /* values of penstock.orphans */

#define FIELD(name) offsetof(struct ps_hive_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("hive.metastore", TEXT, FIELD(metastore),
                  "addresses of the metastore, separated by commas: thrift://host:9083",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("hive.database", TEXT, FIELD(database), "database of the table",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("hive.table", TEXT, FIELD(table),
                  "a transactional table, stored as ORC; or see penstock.table.type",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("hive.partition", TEXT, FIELD(partition),
                  "values of the table's partition keys, in their order, separated by commas, with escapes: "
                  "%Y-%m-%d,%{country}"),
    PS_OPTION_ROW("hive.txnsPerBatchAsk", INT, FIELD(txns_per_batch),
                  "number of transactions that are opened at a time for a partition",
                  .fallback = PS_HIVE_TXNS_PER_BATCH, .unit = "transactions"),
    PS_OPTION_ROW(
        "heartBeatInterval", INT, FIELD(heartbeat_s),
        "time between two heartbeats for open transactions, which Hive aborts without them; 0: none",
        .fallback = PS_HIVE_HEARTBEAT_S, .unit = "s"),
    PS_OPTION_ROW("autoCreatePartitions", BOOL, FIELD(makes_partitions), "make partitions that are missing",
                  .fallback = "true"),
    PS_OPTION_ROW("batchSize", INT, FIELD(batch_size),
                  "maximum number of events in one transaction of a partition",
                  .fallback = PS_HIVE_BATCH_SIZE, .unit = "events"),
    PS_OPTION_ROW(
        "maxOpenConnections", INT, FIELD(connections_max),
        "maximum number of partitions with open transactions; beyond it the one without events for the "
        "longest time is closed",
        .fallback = "500", .unit = "partitions"),
    PS_OPTION_ROW("callTimeout", INT, FIELD(call_timeout_ms),
                  "longest time of one call of the metastore or operation of the file system; 0: no limit",
                  .fallback = PS_HIVE_CALL_TIMEOUT_MS, .unit = "ms"),
    PS_OPTION_ROW(
        "idleTimeout", INT, FIELD(idle_ms),
        "time without events after which a partition is closed, and its open transactions are aborted; "
        "0: never",
        .fallback = "0", .unit = "ms"),
    PS_OPTION_ROW("round", BOOL, FIELD(round),
                  "round times in escapes, except %t, down to a multiple of roundValue", .fallback = "false"),
    PS_OPTION_ROW("roundUnit", TEXT, FIELD(round_unit), "second, minute or hour", .fallback = "minute"),
    PS_OPTION_ROW("roundValue", INT, FIELD(round_value), "at most 60, or 24 hours", .fallback = "1"),
    PS_OPTION_ROW("timeZone", TEXT, FIELD(time_zone),
                  "time zone of times in escapes, for example Europe/Berlin; unset: that of the process"),
    PS_OPTION_ROW("useLocalTimeStamp", BOOL, FIELD(local_time),
                  "use in escapes the time at which an event is written, not its header timestamp",
                  .fallback = "false"),
    PS_OPTION_ROW("serializer", TEXT, FIELD(serializer), "how a body becomes a row: DELIMITED or JSON",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("serializer.delimiter", TEXT, FIELD(delimiter),
                  "DELIMITED: text between two fields; in quotation marks if it is a blank or a tab: \"\\t\"",
                  .fallback = ","),
    PS_OPTION_ROW(
        "serializer.fieldnames", TEXT, FIELD(field_names),
        "DELIMITED: the column of each field, separated by commas; a field without a name is passed "
        "over: id,,name"),
    PS_OPTION_ROW(
        "serializer.serdeSeparator", TEXT, FIELD(separator),
        "DELIMITED: separator that Hive puts between the columns before it reads them; not needed here",
        .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("penstock.commit.interval", INT, FIELD(commit_ms),
                  "age at which a transaction with fewer than batchSize events is committed",
                  .fallback = "1000", .min = 0, .max = 3600000, .unit = "ms", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.table.type", ENUM, FIELD(table_type),
                  "transactional: ORC, a transaction for each batch, as Flume; plain: a table of text "
                  "(LazySimpleSerDe) or JSON that is not transactional, which gets files",
                  .fallback = "transactional", .words = PS_WORDS("transactional", "plain"),
                  .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.roll.interval", INT, FIELD(roll_interval_s),
                  "plain tables: age at which a file is closed, and its rows are seen; 0: no limit",
                  .fallback = "300", .min = 0, .max = LONGEST_S, .unit = "s", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "penstock.roll.size", INT, FIELD(roll_bytes),
        "plain tables: bytes of bodies in a file after which the next event begins another; 0: no limit",
        .fallback = "134217728", .min = 0, .max = INT64_MAX, .unit = "bytes", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.roll.count", INT, FIELD(roll_events),
                  "plain tables: events in a file after which the next event begins another; 0: no limit",
                  .fallback = "0", .min = 0, .max = INT64_MAX, .unit = "events",
                  .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "penstock.codeC", TEXT, FIELD(codec),
        "plain tables: codec of their files, as hdfs.codeC of the sink hdfs: gzip, bzip2, deflate, lz4, "
        "snappy, zstandard; Hive recognizes it by the end of a file's name",
        .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "penstock.orphans", ENUM, FIELD(orphans),
        "plain tables: what to do with files that this sink left on this host when its agent was killed; "
        "recover: complete and rename them; report: log and count them",
        .fallback = "recover", .words = PS_WORDS("report", "recover"), .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "penstock.hsync", BOOL, FIELD(hsync),
        "plain tables: count events as delivered when they are on the disks of the datanodes (hsync), "
        "not in their memory (hflush)",
        .fallback = "false", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "penstock.hadoop.conf", TEXT, FIELD(configuration_directory),
        "directory with core-site.xml, hdfs-site.xml and hive-site.xml; unset: HADOOP_CONF_DIR, else "
        "etc/hadoop of HADOOP_HOME, else /etc/hadoop/conf",
        .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.kerberosPrincipal", TEXT, FIELD(principal),
                  "Kerberos principal for the metastore and the file system; _HOST is the name of this host; "
                  "unset: the tickets of kinit",
                  .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.kerberosKeytab", TEXT, FIELD(keytab), "file with the principal's keys",
                  .flags = PS_OPTION_EXTENSION),
    PS_OPTION_END,
};

/* ---- build ---- */

/* Returns the default for a number below 0, as Flume does. */
static int64_t or_default(int64_t number, const char *fallback)
{
    return number >= 0 ? number : strtoll(fallback, NULL, 10);
}

/* Converts milliseconds to nanoseconds. A number below 1, which means never or no limit, becomes 0. */
static uint64_t ms_ns(int64_t ms)
{
    return ms <= 0 ? 0 : (uint64_t)(ms < LONGEST_MS ? ms : LONGEST_MS) * PS_NS_PER_MS;
}

static enum ps_status build_serializer(const struct ps_hive_plan *plan, struct ps_hive_settings *settings,
                                       struct ps_err *err)
{
    if (ps_hive_plan_serializer(plan, &settings->serializer, err) != PS_OK)
        return ps_err_append(err, "serializer");
    if (settings->serializer == PS_HIVE_JSON)
        return PS_OK;
    settings->delimited.field_names = plan->field_names;
    if (plan->field_names == NULL)
        return ps_err_set(err, "serializer.fieldnames is missing");
    return ps_hive_delimiter_read(plan->delimiter, &settings->delimited.delimiter, err);
}

static enum ps_status hive_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct ps_hive_plan *plan = plan_;
    struct ps_hive_settings *settings = &plan->settings;
    char room[PS_HADOOP_DIRECTORY_BYTES];
    int64_t call_ms = or_default(plan->call_timeout_ms, PS_HIVE_CALL_TIMEOUT_MS);
    if (gethostname(plan->host, sizeof plan->host - 1) != 0)
        snprintf(plan->host, sizeof plan->host, "localhost");
    *settings = (struct ps_hive_settings){
        .metastore = plan->metastore,
        .database = plan->database,
        .table = plan->table,
        .makes_partitions = plan->makes_partitions,
        .is_plain = plan->table_type == PS_HIVE_PLAIN,
        .plain = {.agent = context->agent,
                  .roll_interval_ns = ms_ns(1000 * plan->roll_interval_s),
                  .roll_bytes = (uint64_t)plan->roll_bytes,
                  .roll_events = (uint64_t)plan->roll_events,
                  .flush = plan->hsync ? PS_FILE_HSYNC : PS_FILE_HFLUSH,
                  .recovers_orphans = plan->orphans == RECOVER},
        .txns_per_batch = (uint32_t)or_default(plan->txns_per_batch, PS_HIVE_TXNS_PER_BATCH),
        .batch_events = (uint32_t)or_default(plan->batch_size, PS_HIVE_BATCH_SIZE),
        .commit_ns = ms_ns(plan->commit_ms),
        .partitions_max = plan->connections_max > 0 ? (uint32_t)plan->connections_max : 1,
        .idle_ns = ms_ns(plan->idle_ms),
        .heartbeat_ns = 1000 * ms_ns(or_default(plan->heartbeat_s, PS_HIVE_HEARTBEAT_S)),
        .call_timeout_ns = ms_ns(call_ms == 0 ? LONGEST_MS : call_ms),
        .held_bytes_max = context->client_queue_bytes,
        .user = ps_hadoop_user(plan->user),
        .host = plan->host,
    };
    if (ps_hive_plan_format(plan, &settings->plain, err) != PS_OK)
        return ps_err_append(err, "penstock.codeC");
    if (ps_hive_plan_values(plan, context->arena, settings, err) != PS_OK)
        return ps_err_append(err, "hive.partition");
    if (build_serializer(plan, settings, err) != PS_OK)
        return PS_FAIL;
    const char *directory = ps_hadoop_configuration_find(plan->configuration_directory, room);
    if (directory != NULL && ps_hadoop_configuration_load(&plan->configuration, directory, err) != PS_OK)
        return PS_FAIL;
    settings->configuration = plan->configuration;
    if (ps_hive_plan_security(plan, directory, &plan->security, err) != PS_OK)
        return PS_FAIL;
    settings->security = plan->security;
    settings->kerberos_principal = plan->principal;
    settings->keytab = plan->keytab;
    return PS_OK;
}

static void hive_teardown(void *plan_)
{
    struct ps_hive_plan *plan = plan_;
    ps_hadoop_configuration_free(plan->configuration);
    ps_hive_security_close(plan->security);
}

/* ---- the worker's ---- */

static enum ps_status hive_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct ps_hive_plan *plan = plan_;
    struct hive_state *state = state_;
    state->sink = ps_hive_sink_open(&plan->settings, port, err);
    return state->sink != NULL ? PS_OK : PS_FAIL;
}

static void hive_close(const void *, void *state_)
{
    struct hive_state *state = state_;
    ps_hive_sink_close(state->sink);
}

/* ---- files and outline ---- */

static void hive_files(const void *plan_, void (*add)(void *argument, const char *path), void *argument)
{
    static const char *const names[] = {"core-site.xml", "hdfs-site.xml", "ssl-client.xml", "hive-site.xml",
                                        NULL};
    const struct ps_hive_plan *plan = plan_;
    ps_hadoop_configuration_files(plan->configuration_directory, names, add, argument);
}

static void outline_table(const struct ps_hive_plan *plan, const char *what, FILE *out)
{
    fprintf(out, "%s %s.%s", what, plan->database, plan->table);
    if (plan->partition != NULL)
        fprintf(out, " (%s)", plan->partition);
    fprintf(out, " of %s", plan->metastore);
}

static void hive_outline(const void *plan_, const struct ps_context *, FILE *out)
{
    const struct ps_hive_plan *plan = plan_;
    if (plan->table_type == PS_HIVE_PLAIN) {
        outline_table(plan, "writes files of the plain table", out);
        ps_bucket_outline_rolls(plan->roll_interval_s, plan->roll_bytes, plan->roll_events, out);
        return;
    }
    outline_table(plan, "streams rows into", out);
    fprintf(out, ", a transaction for at most %s %s",
            ps_quantity_print_count((uint64_t)or_default(plan->batch_size, PS_HIVE_BATCH_SIZE)).text,
            ps_quantity_word((uint64_t)or_default(plan->batch_size, PS_HIVE_BATCH_SIZE), "event", "events"));
    if (plan->commit_ms > 0)
        fprintf(out, " or %s", ps_quantity_print_s((double)plan->commit_ms / 1000).text);
}

/* Returns the limit of events in a transaction; 0 for plain tables, because files have no transactions. Flume does
 * not support plain tables. */
static int64_t hive_batch_events(const void *plan_)
{
    const struct ps_hive_plan *plan = plan_;
    return plan->table_type == PS_HIVE_PLAIN ? 0 : or_default(plan->batch_size, PS_HIVE_BATCH_SIZE);
}

static void hive_probe(const void *plan_, struct ps_context *context, const struct ps_probe *probe)
{
    struct ps_hive_plan plan = *(const struct ps_hive_plan *)plan_;
    struct ps_err err = {.length = 0};
    if (probe->local) {
        ps_probe_skipped(probe, plan.metastore, "not asked");
        return;
    }
    if (hive_build(&plan, context, &err) != PS_OK)
        ps_probe_failed(probe, "the sink hive", ps_err_join(&err), NULL);
    else
        ps_hive_probe(&plan.settings, context->arena, probe);
    hive_teardown(&plan);
}

static const char *const counter_names[] = {PS_HIVE_COUNTER_NAMES, NULL};
static const char *const counter_helps[] = {
    PS_BUCKET_COUNTER_HELPS,
    "Partitions that the sink keeps in memory, because it got events for them lately",
    "Transactions that are open",
    "Transactions that were committed",
    "Transactions that were aborted, including those that were not used",
    NULL};

const struct ps_stage_ops ps_sink_hive = {
    PS_STAGE(PS_KIND_SINK),
    .name = "hive",
    .aliases = PS_WORDS("org.apache.flume.sink.hive.HiveSink"),
    .summary =
        "streams rows into a table of Hive: with a transaction for each batch, or, if it is plain, as files",
    .options = options,
    .counters = counter_names,
    .counter_helps = counter_helps,
    .client_holds_events = true,
    .plan_size = sizeof(struct ps_hive_plan),
    .state_size = sizeof(struct hive_state),
    .check = ps_hive_check,
    .probe = hive_probe,
    .build = hive_build,
    .teardown = hive_teardown,
    .open = hive_open,
    .close = hive_close,
    .outline = hive_outline,
    .files = hive_files,
    .batch_events = hive_batch_events,
    .sink = &ps_hive_sink_ops,
};
