/* `check` of the sink hive. Reports each mistake by its key. Drops the sink in the cases in which Flume drops it
 * (HiveSink.configure, HiveDelimitedTextSerializer.configure), and if the table cannot be written to. */
#include "stages/sinks/hive/keys.h"

#include "stages/lib/hive/metastore.h"

#include <inttypes.h>
#include <string.h>

#define LOCK_TIMEOUT_S 300 /* Hive's default of hive.txn.timeout */

struct checking {
    const struct ps_hive_plan *plan;
    const struct ps_context *context;
    bool failed;
};

static void refuse(struct checking *checking, const char *key, const char *message)
{
    ps_report(checking->context, PS_LOG_ERROR, key, "%s", message);
    checking->failed = true;
}

static void warn(const struct checking *checking, const char *key, const char *message)
{
    ps_report(checking->context, PS_LOG_WARN, key, "%s", message);
}

/* ---- numbers ---- */

static void check_numbers(struct checking *checking)
{
    const struct ps_hive_plan *plan = checking->plan;
    const struct {
        const char *key;
        int64_t number;
        const char *fallback;
    } numbers[] = {{"hive.txnsPerBatchAsk", plan->txns_per_batch, PS_HIVE_TXNS_PER_BATCH},
                   {"batchSize", plan->batch_size, PS_HIVE_BATCH_SIZE},
                   {"idleTimeout", plan->idle_ms, "0"},
                   {"callTimeout", plan->call_timeout_ms, PS_HIVE_CALL_TIMEOUT_MS},
                   {"heartBeatInterval", plan->heartbeat_s, PS_HIVE_HEARTBEAT_S}};
    for (unsigned i = 0; i < PS_COUNT_OF(numbers); i++) {
        if (numbers[i].number < 0)
            ps_report(checking->context, PS_LOG_WARN, numbers[i].key, "is below 0: %s is used, as in Flume",
                      numbers[i].fallback);
    }
    if (plan->batch_size == 0)
        refuse(checking, "batchSize", "must be greater than 0");
    if (plan->txns_per_batch == 0)
        refuse(checking, "hive.txnsPerBatchAsk", "must be greater than 0");
    if (plan->connections_max <= 0)
        warn(checking, "maxOpenConnections",
             "not above 0: counts as 1, so that each partition of a batch is opened again and again");
    if (plan->table_type == PS_HIVE_TRANSACTIONAL &&
        (plan->heartbeat_s == 0 || plan->heartbeat_s >= LOCK_TIMEOUT_S))
        warn(checking, "heartBeatInterval",
             "Hive aborts transactions without a heartbeat for 5 minutes (hive.txn.timeout), unless it is "
             "configured otherwise: use a shorter interval");
}

/* ---- partitions ---- */

static void check_rounding(struct checking *checking)
{
    const struct ps_hive_plan *plan = checking->plan;
    enum ps_escape_unit unit = PS_ESCAPE_MINUTE;
    if (!ps_escape_find_unit(plan->round_unit, &unit)) {
        ps_report(checking->context, PS_LOG_WARN, "roundUnit",
                  "%s is neither second, minute nor hour: times are not rounded, as in Flume",
                  plan->round_unit);
        return;
    }
    int64_t most = unit == PS_ESCAPE_HOUR ? 24 : 60;
    if (plan->round_value > 0 && plan->round_value <= most)
        return;
    ps_report(checking->context, PS_LOG_ERROR, "roundValue", "must be from 1 to %" PRIi64, most);
    checking->failed = true;
}

static void check_values(struct checking *checking)
{
    struct ps_hive_plan plan = *checking->plan;
    struct ps_hive_settings settings = {.value_count = 0};
    struct ps_err err = {.length = 0};
    plan.round = false; /* otherwise a wrong roundValue would be reported twice */
    if (ps_hive_plan_values(&plan, checking->context->arena, &settings, &err) != PS_OK)
        refuse(checking, "hive.partition", ps_err_join(&err));
    ps_escape_check_zone(checking->context, "timeZone", plan.time_zone);
    if (plan.partition == NULL)
        return;
    ps_escape_check(checking->context, "hive.partition", plan.partition);
    if (strchr(plan.partition, '=') != NULL)
        warn(checking, "hive.partition",
             "takes only values, in the order of the table's partition keys: a \"=\" is part of the value");
}

/* ---- rows and files ---- */

/* Like HiveDelimitedTextSerializer.parseSerdeSeparatorSpec. */
static bool is_separator(const char *text)
{
    size_t length = strlen(text);
    return length == 1 || (length == 3 && text[2] == '\'');
}

static void check_delimited(struct checking *checking)
{
    const struct ps_hive_plan *plan = checking->plan;
    struct ps_hive_delimiter delimiter;
    struct ps_err err = {.length = 0};
    if (plan->separator != NULL && !is_separator(plan->separator))
        warn(checking, "serializer.serdeSeparator",
             "is neither one character nor one in single quotation marks: Flume drops the sink");
    if (plan->field_names == NULL)
        refuse(checking, "serializer.fieldnames", "is missing: DELIMITED needs the column of each field");
    if (ps_hive_delimiter_read(plan->delimiter, &delimiter, &err) != PS_OK)
        refuse(checking, "serializer.delimiter", ps_err_join(&err));
    else if (delimiter.has_operators)
        ps_report(checking->context, PS_LOG_WARN, "serializer.delimiter",
                  "%s has a special meaning in Flume's regular expression, and none here: write \\\\ before "
                  "it for both",
                  plan->delimiter);
}

static void check_serializer(struct checking *checking)
{
    enum ps_hive_serializer serializer;
    struct ps_err err = {.length = 0};
    if (ps_hive_plan_serializer(checking->plan, &serializer, &err) != PS_OK)
        refuse(checking, "serializer", ps_err_join(&err));
    else if (serializer == PS_HIVE_DELIMITED)
        check_delimited(checking);
}

static void check_codec(struct checking *checking)
{
    struct ps_hive_plain_settings plain;
    struct ps_err err = {.length = 0};
    if (ps_hive_plan_format(checking->plan, &plain, &err) != PS_OK)
        refuse(checking, "penstock.codeC", ps_err_join(&err));
    else if (checking->plan->codec != NULL && checking->plan->table_type == PS_HIVE_TRANSACTIONAL)
        warn(checking, "penstock.codeC",
             "has no effect: the files of a transactional table are compressed by its property "
             "orc.compress; for a table of text set penstock.table.type = plain");
}

/* ---- Hadoop's configuration ---- */

static void check_configuration(struct checking *checking)
{
    const struct ps_hive_plan *plan = checking->plan;
    struct ps_hadoop_configuration *configuration = NULL;
    struct ps_hive_security *security = NULL;
    char room[PS_HADOOP_DIRECTORY_BYTES];
    struct ps_err err = {.length = 0};
    if ((plan->principal == NULL) != (plan->keytab == NULL)) {
        refuse(checking, plan->principal != NULL ? "penstock.kerberosKeytab" : "penstock.kerberosPrincipal",
               "is missing: principal and keytab are needed together");
        return;
    }
    const char *directory = ps_hadoop_configuration_find(plan->configuration_directory, room);
    if ((directory != NULL && ps_hadoop_configuration_load(&configuration, directory, &err) != PS_OK) ||
        ps_hive_plan_security(plan, directory, &security, &err) != PS_OK)
        refuse(checking, "penstock.hadoop.conf", ps_err_join(&err));
    else if (security != NULL && plan->keytab != NULL &&
             ps_report_unreadable(checking->context, "penstock.kerberosKeytab", plan->keytab))
        checking->failed = true;
    ps_hadoop_configuration_free(configuration);
    ps_hive_security_close(security);
}

enum ps_status ps_hive_check(const void *plan_, const struct ps_context *context)
{
    struct checking checking = {.plan = plan_, .context = context};
    struct ps_err err = {.length = 0};
    if (ps_metastore_check_addresses(checking.plan->metastore, &err) != PS_OK)
        refuse(&checking, "hive.metastore", ps_err_join(&err));
    check_numbers(&checking);
    check_rounding(&checking);
    check_values(&checking);
    check_serializer(&checking);
    check_codec(&checking);
    check_configuration(&checking);
    return checking.failed ? PS_FAIL : PS_OK;
}
