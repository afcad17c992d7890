#include "stages/sinks/hive/sink.h"

#include "core/quantity.h"
#include "stages/lib/hadoop/bucket_writer/bucket_path.h"
#include "stages/lib/hive/json.h"
#include "stages/sinks/hive/internal.h"

#include <stdlib.h>
#include <string.h>

/* Time limits of a recall: for commits, and then for aborts. */
#define RECALL_NS (5 * PS_NS_PER_S)
#define ABORT_NS (10 * PS_NS_PER_S) /* from the beginning of the recall */

/* ---- open and close ---- */

static enum ps_status open_parts(struct ps_hive_sink *sink, struct ps_err *err)
{
    const struct ps_hive_settings *settings = sink->settings;
    const struct ps_metastore_settings metastore = {.addresses = settings->metastore,
                                                    .call_timeout_ns = settings->call_timeout_ns,
                                                    .connect_ns = settings->call_timeout_ns,
                                                    .security = settings->security};
    if (ps_hadoop_loop_open(&sink->loop, sink->port, err) != PS_OK)
        return PS_FAIL;
    return ps_metastore_open(&metastore, sink->loop, &sink->metastore, err);
}

struct ps_hive_sink *ps_hive_sink_open(const struct ps_hive_settings *settings, struct ps_port *port,
                                       struct ps_err *err)
{
    struct ps_hive_sink *sink = calloc(1, sizeof(*sink));
    if (sink == NULL) {
        ps_err_set(err, "no memory for a sink");
        return NULL;
    }
    sink->settings = settings;
    sink->port = port;
    sink->caches = ps_must_alloc(settings->value_count + 1, sizeof(*sink->caches), "a sink of Hive");
    ps_held_init(&sink->held, PS_BUCKET_LEASES_MAX);
    TAILQ_INIT(&sink->recent);
    TAILQ_INIT(&sink->attended);
    TAILQ_INIT(&sink->dead);
    if (open_parts(sink, err) == PS_OK)
        return sink;
    ps_hive_sink_close(sink);
    return NULL;
}

static void free_txns(struct ps_hive_txns *txns)
{
    struct ps_hive_txn *txn;
    while ((txn = TAILQ_FIRST(txns)) != NULL) {
        TAILQ_REMOVE(txns, txn, list);
        ps_hive_txn_free(txn);
    }
}

void ps_hive_sink_close(struct ps_hive_sink *sink)
{
    struct ps_hive_partition *partition;
    if (sink == NULL)
        return;
    ps_metastore_close(sink->metastore);
    while ((partition = TAILQ_FIRST(&sink->recent)) != NULL) {
        while (!TAILQ_EMPTY(&partition->txns)) {
            ps_hive_txn_leave(TAILQ_FIRST(&partition->txns));
        }
        ps_hive_partition_free(partition);
    }
    ps_filesystem_close(sink->filesystem); /* afterwards no callback is called */
    ps_hive_files_close(sink->files);
    free_txns(&sink->dead);
    ps_gauge_set(sink->port->counters, (enum ps_counter)PS_HIVE_TXNS_OPEN, 0);
    if (sink->loop != NULL)
        ps_hadoop_loop_close(sink->loop);
    ps_hive_rows_close(sink->rows);
    ps_hive_target_free(&sink->table);
    free(sink->aborts.waiting.data);
    free(sink->pool.events);
    free(sink->caches);
    free(sink->url);
    free(sink);
}

/* ---- the table ---- */

static struct ps_hive_rows *open_rows(const struct ps_hive_sink *sink, struct ps_err *err)
{
    if (sink->settings->serializer == PS_HIVE_JSON)
        return ps_hive_json_open(sink->table.type, err);
    struct ps_hive_delimited_settings settings = sink->settings->delimited;
    settings.collection = (struct ps_slice){sink->table.collection, (uint32_t)strlen(sink->table.collection)};
    settings.map_key = (struct ps_slice){sink->table.map_key, (uint32_t)strlen(sink->table.map_key)};
    return ps_hive_delimited_open(&settings, sink->table.type, err);
}

static enum ps_status open_filesystem(struct ps_hive_sink *sink, struct ps_err *err)
{
    const char *location = sink->table.location;
    char *url = ps_must_copy_text(location, "a table of Hive");
    url[ps_bucket_url_length(location)] = '\0';
    const struct ps_hadoop_settings settings = {.configuration = sink->settings->configuration,
                                                .url = url,
                                                .kerberos_principal = sink->settings->kerberos_principal,
                                                .keytab = sink->settings->keytab,
                                                .call_timeout_ns = sink->settings->call_timeout_ns,
                                                .port = sink->port};
    enum ps_status status = ps_hadoop_open(&settings, &sink->filesystem, err);
    free(sink->url);
    sink->url = url;
    return status;
}

enum ps_status ps_hive_take_table(struct ps_hive_sink *sink, const struct ps_hive_table *table,
                                  struct ps_err *err)
{
    if (ps_hive_target_read(table, sink->settings->is_plain, &sink->table, err) != PS_OK)
        return PS_FAIL;
    if (sink->table.key_count != sink->settings->value_count)
        return ps_err_set(err, "it has %u partition keys, and hive.partition has %u values",
                          sink->table.key_count, sink->settings->value_count);
    sink->rows = open_rows(sink, err);
    if (sink->rows == NULL || open_filesystem(sink, err) != PS_OK)
        return PS_FAIL;
    if (!sink->settings->is_plain)
        return PS_OK;
    sink->files = ps_hive_files_open(sink, err);
    return sink->files != NULL ? PS_OK : PS_FAIL;
}

static void table_failed(struct ps_hive_sink *sink, const char *reason)
{
    struct ps_err err = {.length = 0};
    char tries[PS_LOG_BACKOFF_BYTES];
    ps_hive_rows_close(sink->rows);
    sink->rows = NULL;
    ps_hive_target_free(&sink->table);
    sink->asking.state = PS_HIVE_TABLE_UNKNOWN;
    sink->asking.rest_ns = sink->now.mono_ns + ps_port_rest_ns(sink->port, ++sink->asking.failures);
    if (ps_log_backoff_says(&sink->asking.trouble, reason, sink->now.mono_ns))
        ps_log(ps_port_outage_level(sink->port, PS_LOG_ERROR), sink->port->component,
               "cannot write to the table %s.%s: %s%s", sink->settings->database, sink->settings->table,
               reason, ps_log_backoff_text(&sink->asking.trouble, sink->now.mono_ns, tries));
    ps_err_set(&err, "%s", reason);
    ps_port_troubled_in_part(sink->port, &err);
}

static void table_answered(void *sink_, const struct ps_hive_answer *answer)
{
    struct ps_hive_sink *sink = sink_;
    struct ps_err err = {.length = 0};
    ps_hive_count_failure(sink, answer);
    if (answer->error != PS_HIVE_OK) {
        table_failed(sink, answer->reason);
    } else if (ps_hive_take_table(sink, &answer->table, &err) != PS_OK) {
        table_failed(sink, ps_err_join(&err));
    } else {
        sink->asking.state = PS_HIVE_TABLE_KNOWN;
        sink->look.began_ns = sink->asking.asked_ns;
        sink->asking.failures = 0;
        sink->asking.trouble = (struct ps_log_backoff){.tries = 0};
        sink->goes_on = true;
        ps_log(PS_LOG_INFO, sink->port->component, "writes to the table %s.%s in %s",
               sink->settings->database, sink->settings->table, sink->table.location);
        if (sink->table.has_old_count)
            ps_log(PS_LOG_WARN, sink->port->component, "the table %s.%s: %s", sink->settings->database,
                   sink->settings->table, PS_HIVE_OLD_COUNT);
    }
}

static uint64_t ask_for_table(struct ps_hive_sink *sink)
{
    struct ps_hive_request request = ps_hive_request_of(sink);
    if (sink->asking.state != PS_HIVE_TABLE_UNKNOWN)
        return PS_NEVER;
    if (sink->now.mono_ns < sink->asking.rest_ns)
        return sink->asking.rest_ns;
    sink->asking.state = PS_HIVE_TABLE_ASKED;
    sink->asking.asked_ns = sink->now.mono_ns;
    ps_metastore_call(sink->metastore, PS_HIVE_GET_TABLE, &request, table_answered, sink);
    return PS_NEVER;
}

/* ---- the cycle ---- */

static uint64_t beat(struct ps_hive_sink *sink)
{
    struct ps_hive_partition *partition;
    uint64_t interval_ns = sink->settings->heartbeat_ns;
    if (interval_ns == 0)
        return PS_NEVER;
    if (sink->heartbeat_ns == 0)
        sink->heartbeat_ns = sink->now.mono_ns + interval_ns;
    if (sink->heartbeat_ns > sink->now.mono_ns)
        return sink->heartbeat_ns;
    TAILQ_FOREACH(partition, &sink->recent, recent)
    ps_hive_partition_heartbeat(partition);
    sink->heartbeat_ns = sink->now.mono_ns + interval_ns;
    return sink->heartbeat_ns;
}

/* Does the timed work of all partitions. Also counts the memory of the ORC writers, and the transactions. */
static uint64_t tick_partitions(struct ps_hive_sink *sink)
{
    uint64_t due_ns = PS_NEVER;
    uint32_t open = 0;
    sink->orc_bytes = 0;
    for (struct ps_hive_partition *partition = TAILQ_FIRST(&sink->recent), *next; partition != NULL;
         partition = next) {
        const struct ps_hive_txn *txn;
        next = TAILQ_NEXT(partition, recent);
        due_ns = ps_least(due_ns, ps_hive_partition_tick(partition));
        TAILQ_FOREACH(txn, &partition->txns, list)
        sink->orc_bytes += ps_hive_txn_held(txn);
        open += partition->txn_count + partition->id_count - partition->id_next;
        if (partition->is_closing)
            (void)ps_hive_partition_release(partition);
    }
    ps_gauge_set(sink->port->counters, (enum ps_counter)PS_HIVE_TXNS_OPEN, open);
    return due_ns;
}

static uint64_t turn(struct ps_hive_sink *sink)
{
    uint64_t due_ns = ps_least(ps_hadoop_loop_turn(sink->loop, &sink->now), ps_hive_look_due(sink));
    if (sink->filesystem != NULL)
        due_ns = ps_least(due_ns, ps_filesystem_turn(sink->filesystem, &sink->now));
    return due_ns;
}

/* Does the timed work for a plain table. */
static uint64_t tick_files(struct ps_hive_sink *sink)
{
    uint64_t due_ns = ask_for_table(sink);
    due_ns = ps_least(due_ns, ps_hive_partitions_tick_plain(sink));
    due_ns = ps_least(due_ns, turn(sink));
    if (sink->files != NULL)
        due_ns = ps_least(due_ns, ps_hive_files_tick(sink->files));
    if (sink->refused && sink->goes_on)
        due_ns = sink->now.mono_ns;
    sink->goes_on = false;
    return due_ns > sink->now.mono_ns ? due_ns : sink->now.mono_ns;
}

static uint64_t tick(const void *, void *state, const struct ps_now *now)
{
    struct ps_hive_sink *sink = *(struct ps_hive_sink **)state;
    sink->now = *now;
    if (sink->settings->is_plain)
        return tick_files(sink);
    ps_hive_write_dead_letters(sink);
    uint64_t due_ns = ask_for_table(sink);
    due_ns = ps_least(due_ns, tick_partitions(sink));
    due_ns = ps_least(due_ns, beat(sink));
    due_ns = ps_least(due_ns, turn(sink));
    ps_finish_held(&sink->held, sink->port);
    if (sink->refused && ps_hive_sink_has_room(sink))
        due_ns = now->mono_ns;
    if (sink->flaws.events.count > 0) /* also those that this call found */
        due_ns = ps_least(due_ns, now->mono_ns + PS_DEADLETTER_LOOK_NS);
    return due_ns > now->mono_ns ? due_ns : now->mono_ns;
}

static bool drain(const void *plan, void *state, const struct ps_now *now)
{
    struct ps_hive_sink *sink = *(struct ps_hive_sink **)state;
    sink->ends = true;
    (void)tick(plan, state, now);
    return sink->files != NULL ? ps_hive_files_drain(sink->files) : sink->held.count == 0;
}

/* ---- recall ---- */

/* Gives up events that are not in an ending transaction; their leases are given back. */
static void stop_taking(struct ps_hive_sink *sink)
{
    struct ps_hive_partition *partition;
    sink->refused = false;
    ps_deadletter_pending_stop(&sink->flaws.letters, sink->port);
    ps_held_group_clear(&sink->pool, &sink->flaws.events);
    TAILQ_FOREACH(partition, &sink->recent, recent)
    {
        struct ps_hive_txn *txn = TAILQ_LAST(&partition->txns, ps_hive_txns);
        ps_held_group_clear(&sink->pool, &partition->waiting);
        if (txn != NULL && txn->state == PS_HIVE_TXN_FILLS)
            ps_hive_txn_forget(txn, true);
        ps_hive_partition_drop_ids(partition);
    }
}

/* Returns whether a transaction may still be committed, so that the recall must wait. */
static bool is_ending(const struct ps_hive_sink *sink)
{
    const struct ps_hive_partition *partition;
    const struct ps_hive_txn *txn;
    TAILQ_FOREACH(partition, &sink->recent, recent)
    {
        TAILQ_FOREACH(txn, &partition->txns, list)
        {
            if (txn->is_locked && (!sink->look.is_changed || txn->state == PS_HIVE_TXN_COMMITS))
                return true;
        }
    }
    return false;
}

/* Forgets the events of all partitions, also of transactions that failed meanwhile. */
static void forget_all(struct ps_hive_sink *sink)
{
    struct ps_hive_partition *partition;
    TAILQ_FOREACH(partition, &sink->recent, recent)
    {
        while (!TAILQ_EMPTY(&partition->txns)) {
            struct ps_hive_txn *txn = TAILQ_FIRST(&partition->txns);
            ps_hive_txn_forget(txn, txn->state != PS_HIVE_TXN_COMMITS);
        }
        ps_held_group_clear(&sink->pool, &partition->waiting);
        ps_hive_partition_drop_ids(partition);
    }
}

/* Returns the number of calls in flight that open transactions, which must then be given back. */
static size_t opening_count(const struct ps_hive_sink *sink)
{
    const struct ps_hive_partition *partition;
    size_t count = 0;
    TAILQ_FOREACH(partition, &sink->recent, recent)
    count += partition->is_opening;
    return count;
}

static bool recall(const void *, void *state, struct ps_lease **back, const struct ps_now *now)
{
    struct ps_hive_sink *sink = *(struct ps_hive_sink **)state;
    sink->now = *now;
    if (sink->files != NULL)
        return ps_hive_files_recall(sink->files, back);
    if (sink->recall_ns == 0) {
        sink->recall_ns = now->mono_ns;
        stop_taking(sink);
    }
    (void)turn(sink);
    uint64_t waited_ns = now->mono_ns - sink->recall_ns;
    if (is_ending(sink) && waited_ns < RECALL_NS)
        return false;
    forget_all(sink);
    ps_held_give_back(&sink->held, back);
    size_t opening = opening_count(sink) * sink->settings->txns_per_batch;
    size_t left = ps_hive_aborts_left(sink) + opening;
    if (left > 0 && waited_ns < ABORT_NS)
        return false;
    if (left > 0)
        ps_log(PS_LOG_WARN, sink->port->component,
               "the metastore has not answered: up to %zu %s open "
               "until Hive's time-out",
               left, ps_quantity_word(left, "unused transaction stays", "unused transactions stay"));
    return true;
}

static enum ps_result work(const void *, void *state, struct ps_lease **lease, const struct ps_now *now)
{
    struct ps_hive_sink *sink = *(struct ps_hive_sink **)state;
    if (!sink->settings->is_plain)
        return ps_hive_sink_take(sink, lease, now);
    sink->now = *now;
    bool may_write = sink->files != NULL && ps_hive_look_is_fresh(sink);
    enum ps_result result = may_write ? ps_hive_files_work(sink->files, lease) : PS_LATER;
    sink->refused = result == PS_LATER;
    return result;
}

const struct ps_sink_ops ps_hive_sink_ops = {
    .sockets = true, .work = work, .tick = tick, .recall = recall, .drain = drain};
