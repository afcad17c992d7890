/* Sink kudu (KuduSink of Apache Kudu's kudu-flume-sink): events become rows of a table of Kudu. Thread: control. */
#include "stages/lib/hadoop/user.h"
#include "stages/lib/kudu/sink/sink.h"
#include "stages/lib/remote/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MASTER_PORT 7051U
#define REQUESTS_MAX 64
#define TABLE_MAX 256U /* Kudu's limit of a name: max_identifier_length */

#define FIELD(name) offsetof(struct ps_kudu_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("masterAddresses", TEXT, FIELD(masters_text),
                  "masters, HOST:PORT with commas between; without a port 7051", .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("tableName", TEXT, FIELD(table), "table that is written to; it must exist",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("batchSize", INT, FIELD(batch_size), "maximum number of events of a request",
                  .fallback = "1000", .min = 1, .max = INT32_MAX, .unit = "events"),
    PS_OPTION_ROW("timeoutMillis", INT, FIELD(timeout_ms), "limit for an answer of a server",
                  .fallback = "30000", .min = 1, .max = INT32_MAX, .unit = "ms"),
    PS_OPTION_ROW("ignoreDuplicateRows", BOOL, FIELD(ignores_duplicates),
                  "an insert whose key is in the table counts as delivered; false: the event is refused",
                  .fallback = "true"),
    PS_OPTION_ROW("producer", TEXT, FIELD(class),
                  "class that makes rows of an event: SimpleKuduOperationsProducer, "
                  "SimpleKeyedKuduOperationsProducer, RegexpKuduOperationsProducer and "
                  "AvroKuduOperationsProducer are native; your own class runs the sink in Java",
                  .fallback = "org.apache.kudu.flume.sink.SimpleKuduOperationsProducer"),
    PS_OPTION_ROW(
        "producer.", MAP, FIELD(producer_keys),
        "keys of the producer. Simple: payloadColumn. SimpleKeyed: payloadColumn, keyColumn, operation. "
        "Regexp: pattern, encoding, operation, missingColumnPolicy, badColumnValuePolicy, "
        "unmatchedRowPolicy, skipMissingColumn, skipBadColumnValue, skipUnmatchedRows. Avro: operation, "
        "schemaPath. All: penstock.keyColumn, the key column that gets what penstock.ids says"),
    PS_OPTION_ROW("kerberosPrincipal", TEXT, FIELD(principal),
                  "Kerberos is not native: with this key only penstock.engine = java runs the sink"),
    PS_OPTION_ROW("kerberosKeytab", TEXT, FIELD(keytab), "as kerberosPrincipal"),
    PS_OPTION_ROW(
        "proxyUser", TEXT, FIELD(proxy_user),
        "name that servers are told, which trust it; unset: HADOOP_USER_NAME of the environment, else "
        "the name of the process's user"),
    PS_OPTION_ROW(
        "penstock.ids", TEXT, FIELD(ids),
        "what the column producer.penstock.keyColumn gets, so that an event that is sent again after a "
        "crash is the same row: identity (the event's identity, where it has one), header:NAME (the "
        "value of a header), or none",
        .fallback = "none", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "penstock.requests", INT, FIELD(requests),
        "maximum number of requests under way at a time; 0: 16 of inserts, and 1 of upserts, so that the "
        "last event of a key counts",
        .fallback = "0", .min = 0, .max = REQUESTS_MAX, .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "penstock.write.bytes", SIZE, FIELD(write_bytes),
        "maximum size of the rows that a tablet gets in one Write; a server takes requests of 50 MiB "
        "(rpc_max_message_size)",
        .fallback = "8m", .min = 1, .max = 48 << 20, .flags = PS_OPTION_EXTENSION),
    PS_OPTION_END,
};

/* ---- check and build ---- */

static enum ps_status add_master(struct ps_kudu_client_settings *client, char *text, struct ps_err *err)
{
    char *colon = strrchr(text, ':'), *end = NULL;
    unsigned long port = MASTER_PORT;
    if (client->master_count == PS_KUDU_MASTERS_MAX)
        return ps_err_set(err, "it has more than %u masters", PS_KUDU_MASTERS_MAX);
    if (colon != NULL) {
        port = strtoul(colon + 1, &end, 10);
        if (colon[1] == '\0' || *end != '\0' || port == 0 || port > UINT16_MAX)
            return ps_err_set(err, "\"%s\" is not a port", colon + 1);
        *colon = '\0';
    }
    if (text[0] == '\0' || strlen(text) >= PS_HOST_NAME_BYTES)
        return ps_err_set(err, "\"%s\" is not the name of a host", text);
    client->masters[client->master_count++] = (struct ps_kudu_master){text, (unsigned)port};
    return PS_OK;
}

static enum ps_status read_masters(struct ps_kudu_plan *plan, struct ps_arena *arena, struct ps_err *err)
{
    char *list = ps_arena_text(arena, plan->masters_text), *save = NULL;
    for (char *item = strtok_r(list, ", \t", &save); item != NULL; item = strtok_r(NULL, ", \t", &save))
        if (add_master(&plan->client, item, err) != PS_OK)
            return PS_FAIL;
    return plan->client.master_count > 0 ? PS_OK : ps_err_set(err, "it names no master");
}

/* Fills what the keys say. `*key`: the one to blame. */
static enum ps_status prepare(struct ps_kudu_plan *plan, struct ps_arena *arena, const char **key,
                              struct ps_err *err)
{
    plan->client = (struct ps_kudu_client_settings){.table = plan->table,
                                                    .user = plan->user,
                                                    .connect_ns = 10 * PS_NS_PER_S,
                                                    .call_ns = (uint64_t)plan->timeout_ms * PS_NS_PER_MS,
                                                    .rest_max_ns = PS_NS_PER_S,
                                                    .write_bytes = (size_t)plan->write_bytes,
                                                    .ignores_duplicates = plan->ignores_duplicates};
    if (plan->proxy_user != NULL)
        (void)snprintf(plan->user, sizeof plan->user, "%s", plan->proxy_user);
    else
        ps_hadoop_user(plan->user);
    *key = plan->principal != NULL ? "kerberosPrincipal" : "kerberosKeytab";
    if (plan->principal != NULL || plan->keytab != NULL)
        return ps_err_set(err, "Kerberos is not native: penstock.engine = java runs Kudu's own sink");
    *key = "masterAddresses";
    if (read_masters(plan, arena, err) != PS_OK)
        return PS_FAIL;
    *key = "tableName";
    if (strlen(plan->table) > TABLE_MAX)
        return ps_err_set(err, "it is longer than %u bytes", TABLE_MAX);
    return ps_kudu_producer_build(&plan->producer, plan->class, &plan->producer_keys, plan->ids, arena, key,
                                  err);
}

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    struct ps_kudu_plan plan = *(const struct ps_kudu_plan *)plan_;
    struct ps_err err = {.length = 0};
    const char *key;
    if (prepare(&plan, context->arena, &key, &err) != PS_OK) {
        ps_report(context, PS_LOG_ERROR, key, "%s", err.text);
        return PS_FAIL;
    }
    for (size_t i = 0; i < plan.producer_keys.count; i++)
        if (!ps_kudu_producer_reads(plan.producer.kind, plan.producer_keys.items[i].key))
            ps_report(context, PS_LOG_WARN, "producer.", "producer.%s does nothing: this producer reads %s",
                      plan.producer_keys.items[i].key, ps_kudu_producer_keys(plan.producer.kind));
    if (!plan.ignores_duplicates && plan.producer.operation == PS_KUDU_INSERT)
        ps_report(context, PS_LOG_WARN, "ignoreDuplicateRows",
                  "an event that is sent again after a crash, and is in the table, is refused");
    ps_kudu_producer_teardown(&plan.producer);
    return PS_OK;
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct ps_kudu_plan *plan = plan_;
    const char *key;
    if (prepare(plan, context->arena, &key, err) != PS_OK)
        return PS_FAIL;
    (void)snprintf(plan->server, sizeof plan->server, "table %.200s", plan->table);
    return PS_OK;
}

static void teardown(void *plan_)
{
    struct ps_kudu_plan *plan = plan_;
    ps_kudu_producer_teardown(&plan->producer);
}

static void outline(const void *plan_, const struct ps_context *, FILE *out)
{
    const struct ps_kudu_plan *plan = plan_;
    fprintf(out, "writes to table %s of Kudu, masters %s", plan->table, plan->masters_text);
}

/* Connects to each master, and asks for the table. */
static void probe(const void *plan_, struct ps_context *context, const struct ps_probe *probe)
{
    struct ps_kudu_plan plan = *(const struct ps_kudu_plan *)plan_;
    struct ps_err err = {.length = 0};
    const char *key;
    if (prepare(&plan, context->arena, &key, &err) != PS_OK)
        return; /* `check` has said it */
    for (unsigned i = 0; i < plan.client.master_count; i++) {
        const struct ps_kudu_master *master = &plan.client.masters[i];
        struct ps_remote_target target;
        struct ps_client_plan to = {.transport = &ps_transport_plain};
        const char *shown = ps_arena_format(context->arena, "%s:%u", master->host, master->port);
        if (probe->local) {
            ps_probe_skipped(probe, shown, "not asked");
            continue;
        }
        if (ps_remote_target_build(&target, master->host, master->port, &err) != PS_OK) {
            ps_probe_key_failed(probe, "masterAddresses", shown, err.text, NULL);
            continue;
        }
        if (ps_remote_probe_address(probe, &target, shown, &to))
            ps_remote_probe_connection(probe, &to,
                                       ps_arena_format(context->arena, "Kudu's master at %s", shown));
        ps_remote_target_teardown(&target);
    }
    ps_kudu_probe_table(probe, &plan);
    ps_kudu_producer_teardown(&plan.producer);
}

static const char *const counters[] = {"unmatched",  "skipped", "lookups", "relocated",
                                       "overloaded", "present", NULL};
static const char *const counter_helps[] = {
    "Events that the pattern does not match, which are not written, as with Kudu's own sink",
    "Values that were left out of their rows, because a policy of the producer lets mistakes pass",
    "Questions to a master for the place of a tablet",
    "Rows whose tablet was elsewhere",
    "Rows for which a server was too busy",
    "Rows whose key was in the table",
    NULL};

const struct ps_stage_ops ps_sink_kudu = {
    PS_STAGE(PS_KIND_SINK),
    .name = "kudu",
    .aliases = PS_WORDS("org.apache.kudu.flume.sink.KuduSink"),
    .summary = "rows of a table of Kudu, with the keys of Kudu's sink for Flume",
    .options = options,
    .plan_size = sizeof(struct ps_kudu_plan),
    .state_size = sizeof(struct ps_kudu_sink),
    .counters = counters,
    .counter_helps = counter_helps,
    .check = check,
    .build = build,
    .teardown = teardown,
    .open = ps_kudu_sink_open,
    .close = ps_kudu_sink_close,
    .outline = outline,
    .probe = probe,
    .sink = &ps_kudu_sink_ops,
};
