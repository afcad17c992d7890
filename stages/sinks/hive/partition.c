/* Partitions: their directories, their open transactions, and the choice of the transaction that takes events. */
#include "stages/sinks/hive/internal.h"

#include "stages/lib/hadoop/bucket_writer/bucket_path.h"

#include <stdlib.h>
#include <string.h>

#define PURPOSE "a partition of Hive"
#define LOCATIONS_MAX 10000U /* limit of known partitions of a plain table */
/* The metastore is asked again after this time, because the partition may have been dropped. */
#define LOCATION_NS (60 * PS_NS_PER_S)
#define EVENTS_AT_ONCE 4096U /* written in one cycle */
/* A transaction with this many events ends after SILENCE_NS without an event, because the channel is empty then. */
#define ENOUGH_EVENTS 100U
#define SILENCE_NS (50 * PS_NS_PER_MS)

static const char *label_of(const struct ps_hive_partition *partition)
{
    return partition->name != NULL ? partition->name : partition->sink->settings->table;
}

struct ps_hive_request ps_hive_partition_request_of(const struct ps_hive_partition *partition)
{
    struct ps_hive_request request = ps_hive_request_of(partition->sink);
    request.partition = partition->name;
    request.values = (const char *const *)partition->values;
    request.value_count = partition->sink->table.key_count;
    return request;
}

/* ---- life cycle ---- */

static uint32_t chain_of(uint32_t hash)
{
    return hash % PS_HIVE_CHAINS;
}

static void open_changed(struct ps_hive_sink *sink)
{
    ps_gauge_set(sink->port->counters, (enum ps_counter)PS_HIVE_PARTITIONS_OPEN, sink->partition_count);
}

static struct ps_hive_partition *make(struct ps_hive_sink *sink, const char *key, uint32_t length,
                                      uint32_t hash)
{
    struct ps_hive_partition *partition = calloc(1, sizeof(*partition) + length);
    if (partition == NULL)
        return NULL;
    partition->sink = sink;
    partition->state = PS_HIVE_PARTITION_EMPTY;
    partition->hash = hash;
    partition->key_length = length;
    memcpy(partition->key, key, length);
    char *at = partition->key;
    for (uint32_t i = 0; i < sink->table.key_count; i++, at += strlen(at) + 1)
        partition->values[i] = at;
    if (sink->table.key_count > 0) {
        partition->name = ps_hive_target_partition_name(&sink->table, partition->values);
    } else {
        partition->directory =
            ps_must_copy_text(sink->table.location + ps_bucket_url_length(sink->table.location), PURPOSE);
        partition->is_found = true;
    }
    TAILQ_INIT(&partition->txns);
    partition->same_hash = sink->chains[chain_of(hash)];
    sink->chains[chain_of(hash)] = partition;
    TAILQ_INSERT_HEAD(&sink->recent, partition, recent);
    sink->partition_count++;
    ps_count(sink->port->counters, PS_COUNTER_ConnectionCreatedCount, 1);
    open_changed(sink);
    return partition;
}

static void attend(struct ps_hive_partition *partition)
{
    if (!partition->is_attended)
        TAILQ_INSERT_TAIL(&partition->sink->attended, partition, attended);
    partition->is_attended = true;
}

static void stop_attending(struct ps_hive_partition *partition)
{
    if (partition->is_attended)
        TAILQ_REMOVE(&partition->sink->attended, partition, attended);
    partition->is_attended = false;
}

/* Ends the partition's transactions; the partition is freed when it waits for no answer. */
static void close_partition(struct ps_hive_partition *partition)
{
    partition->is_closing = true;
    attend(partition);
}

/* Closes the partitions whose last event is the oldest, if there are too many. */
static void close_surplus(struct ps_hive_sink *sink)
{
    uint32_t most = sink->settings->is_plain ? LOCATIONS_MAX : sink->settings->partitions_max;
    uint32_t surplus = sink->partition_count > most ? sink->partition_count - most : 0;
    struct ps_hive_partition *partition = TAILQ_LAST(&sink->recent, ps_hive_partitions);
    for (; surplus > 0 && partition != TAILQ_FIRST(&sink->recent); surplus--) {
        close_partition(partition);
        partition = TAILQ_PREV(partition, ps_hive_partitions, recent);
    }
}

struct ps_hive_partition *ps_hive_partition_get(struct ps_hive_sink *sink, const char *key,
                                                uint32_t key_length)
{
    uint32_t hash = ps_name_keyed_hash32(key, key_length);
    struct ps_hive_partition *partition = sink->chains[chain_of(hash)];
    while (partition != NULL && (partition->hash != hash || partition->key_length != key_length ||
                                 memcmp(partition->key, key, key_length) != 0))
        partition = partition->same_hash;
    if (partition == NULL && (partition = make(sink, key, key_length, hash)) != NULL)
        close_surplus(sink);
    if (partition == NULL)
        return NULL;
    partition->used_ns = sink->now.mono_ns;
    partition->is_closing = false;
    if (TAILQ_FIRST(&sink->recent) != partition) {
        TAILQ_REMOVE(&sink->recent, partition, recent);
        TAILQ_INSERT_HEAD(&sink->recent, partition, recent);
    }
    return partition;
}

void ps_hive_partition_free(struct ps_hive_partition *partition)
{
    struct ps_hive_sink *sink = partition->sink;
    struct ps_hive_partition **at = &sink->chains[chain_of(partition->hash)];
    while (*at != partition)
        at = &(*at)->same_hash;
    *at = partition->same_hash;
    TAILQ_REMOVE(&sink->recent, partition, recent);
    stop_attending(partition);
    sink->partition_count--;
    ps_count(sink->port->counters, PS_COUNTER_ConnectionClosedCount, 1);
    open_changed(sink);
    free(partition->ids);
    free(partition->opened);
    free(partition->directory);
    free(partition->bucket_path);
    free(partition->name);
    free(partition);
}

bool ps_hive_partition_release(struct ps_hive_partition *partition)
{
    if (partition->waiting.count > 0 || partition->txn_count > 0 || partition->heartbeats ||
        partition->state == PS_HIVE_PARTITION_ASKED)
        return false;
    ps_hive_partition_drop_ids(partition);
    ps_hive_partition_free(partition);
    return true;
}

void ps_hive_partition_drop_ids(struct ps_hive_partition *partition)
{
    uint32_t count = partition->id_count - partition->id_next;
    for (uint32_t i = 0; i < count; i++) /* turns pairs into a list of transactions */
        partition->ids[i] = partition->ids[2U * (partition->id_next + i)];
    if (count > 0)
        ps_hive_abort(partition->sink, partition->ids, count);
    if (partition->opened_count > 0)
        ps_hive_abort(partition->sink, partition->opened, partition->opened_count);
    partition->id_next = partition->id_count = partition->opened_count = 0;
    if (partition->state == PS_HIVE_PARTITION_READY)
        partition->state = PS_HIVE_PARTITION_EMPTY;
}

void ps_hive_partition_fail(struct ps_hive_partition *partition, const char *what, const char *reason)
{
    struct ps_hive_sink *sink = partition->sink;
    struct ps_err err = {.length = 0};
    char tries[PS_LOG_BACKOFF_BYTES];
    ps_hive_partition_drop_ids(partition);
    partition->rest_ns = sink->now.mono_ns + ps_port_rest_ns(sink->port, ++partition->failures);
    attend(partition);
    if (partition->state != PS_HIVE_PARTITION_ASKED)
        partition->state = PS_HIVE_PARTITION_RESTS;
    ps_err_set(&err, "%s%s%s", what, reason[0] != '\0' ? ": " : "", reason);
    if (ps_log_backoff_says(&partition->trouble, err.text, sink->now.mono_ns))
        ps_log(ps_port_outage_level(sink->port, PS_LOG_ERROR), sink->port->component,
               "%s.%s, %s: %s; its events wait%s", sink->settings->database, sink->settings->table,
               label_of(partition), err.text,
               ps_log_backoff_text(&partition->trouble, sink->now.mono_ns, tries));
    ps_port_troubled_in_part(sink->port, &err);
}

/* ---- finding a partition, and opening its transactions ---- */

static void ask(struct ps_hive_partition *partition, enum ps_hive_call call,
                const struct ps_hive_request *request, ps_metastore_done *done)
{
    partition->state = PS_HIVE_PARTITION_ASKED;
    ps_metastore_call(partition->sink->metastore, call, request, done, partition);
}

/* Handles an error as the answer to the last request. */
static void ask_failed(struct ps_hive_partition *partition, const char *what,
                       const struct ps_hive_answer *answer)
{
    partition->state = PS_HIVE_PARTITION_EMPTY;
    ps_hive_count_failure(partition->sink, answer);
    ps_hive_partition_fail(partition, what, answer->reason);
}

static void allocated(void *partition_, const struct ps_hive_answer *answer)
{
    struct ps_hive_partition *partition = partition_;
    if (answer->error != PS_HIVE_OK || answer->number_count < 2) {
        ask_failed(partition, "no write ids", answer);
        return;
    }
    /* the partition has failed meanwhile, and the transactions were given back */
    if (partition->opened_count == 0) {
        partition->state = PS_HIVE_PARTITION_RESTS;
        return;
    }
    free(partition->ids);
    partition->ids = ps_must_alloc(answer->number_count, sizeof(int64_t), PURPOSE);
    memcpy(partition->ids, answer->numbers, answer->number_count * sizeof(int64_t));
    partition->id_count = (uint32_t)answer->number_count / 2;
    partition->id_next = partition->opened_count = 0;
    /* The partition backs off if another transaction failed while these were being opened. */
    partition->state =
        partition->rest_ns > partition->sink->now.mono_ns ? PS_HIVE_PARTITION_RESTS : PS_HIVE_PARTITION_READY;
    ps_hive_partition_pump(partition);
}

static void opened(void *partition_, const struct ps_hive_answer *answer)
{
    struct ps_hive_partition *partition = partition_;
    partition->is_opening = false;
    if (answer->error != PS_HIVE_OK || answer->number_count == 0) {
        ask_failed(partition, "no transactions", answer);
        return;
    }
    free(partition->opened);
    partition->opened = ps_must_alloc(answer->number_count, sizeof(int64_t), PURPOSE);
    memcpy(partition->opened, answer->numbers, answer->number_count * sizeof(int64_t));
    partition->opened_count = (uint32_t)answer->number_count;
    struct ps_hive_request request = ps_hive_partition_request_of(partition);
    request.txns = partition->opened;
    request.txns_count = partition->opened_count;
    ask(partition, PS_HIVE_ALLOCATE_TABLE_WRITE_IDS, &request, allocated);
}

static void open_transactions(struct ps_hive_partition *partition)
{
    struct ps_hive_request request = ps_hive_partition_request_of(partition);
    request.txn_count = (int32_t)partition->sink->settings->txns_per_batch;
    partition->is_opening = true;
    ask(partition, PS_HIVE_OPEN_TXNS, &request, opened);
}

/* Keeps the path of the partition's location. Returns false if it is in another file system than its table. */
static bool keep_location(struct ps_hive_partition *partition, struct ps_slice location)
{
    const char *table = partition->sink->table.location;
    char *text = ps_must_alloc(1, location.length + 1U, PURPOSE);
    memcpy(text, location.data, location.length);
    size_t url = ps_bucket_url_length(text);
    bool is_same = url == ps_bucket_url_length(table) && strncasecmp(text, table, url) == 0;
    free(partition->directory);
    free(partition->bucket_path);
    partition->directory = is_same ? ps_must_copy_text(text + url, PURPOSE) : NULL;
    partition->bucket_path = NULL;
    free(text);
    return is_same;
}

static void found(void *partition_, const struct ps_hive_answer *answer);

static void made(void *partition_, const struct ps_hive_answer *answer)
{
    struct ps_hive_partition *partition = partition_;
    struct ps_hive_request request = ps_hive_partition_request_of(partition);
    if (answer->error == PS_HIVE_OK || answer->error == PS_HIVE_EXISTS)
        ask(partition, PS_HIVE_GET_PARTITION, &request, found);
    else
        ask_failed(partition, "the partition cannot be made", answer);
}

/* Notes that the partition's directory is known. */
static void become_found(struct ps_hive_partition *partition)
{
    struct ps_hive_sink *sink = partition->sink;
    partition->is_found = true;
    partition->found_ns = sink->now.mono_ns;
    if (!sink->settings->is_plain && sink->recall_ns == 0) {
        open_transactions(partition);
        return;
    }
    partition->state = PS_HIVE_PARTITION_EMPTY;
    partition->failures = 0;
    partition->trouble = (struct ps_log_backoff){.tries = 0};
}

static void found(void *partition_, const struct ps_hive_answer *answer)
{
    struct ps_hive_partition *partition = partition_;
    struct ps_hive_request request = ps_hive_partition_request_of(partition);
    partition->is_found &= answer->error != PS_HIVE_MISSING;
    if (answer->error == PS_HIVE_MISSING && partition->sink->settings->makes_partitions) {
        ask(partition, PS_HIVE_APPEND_PARTITION, &request, made);
    } else if (answer->error != PS_HIVE_OK) {
        ask_failed(partition,
                   answer->error == PS_HIVE_MISSING
                       ? "there is no such partition, and autoCreatePartitions = false"
                       : "the partition cannot be found",
                   answer);
    } else if (!keep_location(partition, answer->table.location)) {
        partition->is_found = false;
        partition->state = PS_HIVE_PARTITION_EMPTY;
        ps_hive_partition_fail(partition, "the partition is in another file system than its table", "");
    } else {
        become_found(partition);
    }
    partition->sink->goes_on = true;
}

/* ---- writing ---- */

static struct ps_hive_txn *filling_of(const struct ps_hive_partition *partition)
{
    struct ps_hive_txn *last = TAILQ_LAST(&partition->txns, ps_hive_txns);
    return last != NULL && last->state == PS_HIVE_TXN_FILLS ? last : NULL;
}

/* Returns the transaction that takes the next event; NULL if none can now. */
static struct ps_hive_txn *next_txn(struct ps_hive_partition *partition)
{
    struct ps_hive_txn *txn = filling_of(partition);
    if (txn != NULL && txn->written.count >= partition->sink->settings->batch_events) {
        ps_hive_txn_end(txn);
        txn = NULL;
    }
    if (txn != NULL || partition->state != PS_HIVE_PARTITION_READY ||
        partition->txn_count >= PS_HIVE_TXNS_MAX)
        return txn;
    if (partition->id_next < partition->id_count)
        return ps_hive_txn_begin(partition);
    partition->state = PS_HIVE_PARTITION_EMPTY;
    open_transactions(partition);
    return NULL;
}

static void ask_where(struct ps_hive_partition *partition)
{
    struct ps_hive_request request = ps_hive_partition_request_of(partition);
    ask(partition, PS_HIVE_GET_PARTITION, &request, found);
}

bool ps_hive_partition_find(struct ps_hive_partition *partition)
{
    bool is_old =
        partition->name != NULL && partition->sink->now.mono_ns >= partition->found_ns + LOCATION_NS;
    if (partition->state == PS_HIVE_PARTITION_EMPTY && (!partition->is_found || is_old))
        ask_where(partition);
    return partition->is_found;
}

void ps_hive_partition_pump(struct ps_hive_partition *partition)
{
    if (partition->state == PS_HIVE_PARTITION_RESTS && partition->sink->now.mono_ns >= partition->rest_ns) {
        partition->state =
            partition->id_next < partition->id_count ? PS_HIVE_PARTITION_READY : PS_HIVE_PARTITION_EMPTY;
        partition->sink->goes_on = true;
    }
    if (partition->waiting.count == 0)
        return;
    if (partition->state == PS_HIVE_PARTITION_EMPTY && partition->is_found)
        open_transactions(partition);
    else if (partition->state == PS_HIVE_PARTITION_EMPTY)
        ask_where(partition);
    for (uint32_t i = 0; i < EVENTS_AT_ONCE && partition->waiting.count > 0; i++) {
        struct ps_hive_txn *txn = next_txn(partition);
        if (txn == NULL || !ps_hive_txn_write_next(txn))
            return;
    }
}

/* ---- the cycle ---- */

static uint64_t end_of(const struct ps_hive_txn *txn)
{
    const struct ps_hive_settings *settings = txn->sink->settings;
    if (txn->sink->ends || txn->partition->is_closing || txn->written.count >= settings->batch_events)
        return 0;
    uint64_t end_ns = txn->first_ns + settings->commit_ns;
    if (txn->written.count >= ENOUGH_EVENTS)
        end_ns = ps_least(end_ns, txn->last_ns + SILENCE_NS);
    return end_ns;
}

uint64_t ps_hive_partition_tick(struct ps_hive_partition *partition)
{
    uint64_t now = partition->sink->now.mono_ns, due_ns = PS_NEVER;
    ps_hive_partition_pump(partition);
    struct ps_hive_txn *txn = filling_of(partition);
    if (txn != NULL) {
        due_ns = end_of(txn);
        if (due_ns <= now) {
            ps_hive_txn_end(txn);
            due_ns = PS_NEVER;
        }
    }
    if (partition->state == PS_HIVE_PARTITION_RESTS)
        due_ns = ps_least(due_ns, partition->rest_ns);
    else if (partition->state == PS_HIVE_PARTITION_READY && partition->waiting.count > 0 &&
             partition->txn_count < PS_HIVE_TXNS_MAX)
        due_ns = now;
    if (partition->sink->settings->idle_ns > 0 && partition->waiting.count == 0 &&
        partition->txn_count == 0) {
        uint64_t idle_ns = partition->used_ns + partition->sink->settings->idle_ns;
        if (idle_ns <= now)
            close_partition(partition); /* if it waits for an answer, the answer brings the next tick */
        else
            due_ns = ps_least(due_ns, idle_ns);
    }
    return due_ns;
}

/* Closes partitions that have been idle for too long. Returns when the next one is due. */
static uint64_t close_idle(struct ps_hive_sink *sink)
{
    uint64_t idle_ns = sink->settings->idle_ns;
    struct ps_hive_partition *partition = TAILQ_LAST(&sink->recent, ps_hive_partitions);
    if (idle_ns == 0)
        return PS_NEVER;
    for (; partition != NULL && partition->used_ns + idle_ns <= sink->now.mono_ns;
         partition = TAILQ_PREV(partition, ps_hive_partitions, recent))
        close_partition(partition);
    return partition != NULL ? partition->used_ns + idle_ns : PS_NEVER;
}

uint64_t ps_hive_partitions_tick_plain(struct ps_hive_sink *sink)
{
    uint64_t due_ns = close_idle(sink);
    for (struct ps_hive_partition *partition = TAILQ_FIRST(&sink->attended), *next; partition != NULL;
         partition = next) {
        next = TAILQ_NEXT(partition, attended);
        ps_hive_partition_pump(partition);
        if (partition->state == PS_HIVE_PARTITION_RESTS)
            due_ns = ps_least(due_ns, partition->rest_ns);
        if (partition->is_closing)
            (void)ps_hive_partition_release(partition);
        else if (partition->state != PS_HIVE_PARTITION_RESTS)
            stop_attending(partition);
    }
    return due_ns;
}

/* ---- heartbeats ---- */

static bool is_unused(const struct ps_hive_partition *partition, int64_t txn)
{
    for (uint32_t i = partition->id_next; i < partition->id_count; i++) {
        if (partition->ids[2U * i] == txn)
            return true;
    }
    return false;
}

static void beaten(void *partition_, const struct ps_hive_answer *answer)
{
    struct ps_hive_partition *partition = partition_;
    partition->heartbeats = false;
    if (answer->error != PS_HIVE_OK) {
        ps_hive_count_failure(partition->sink, answer);
        ps_log(PS_LOG_WARN, partition->sink->port->component, "no heartbeat for the transactions of %s: %s",
               label_of(partition), answer->reason);
        return;
    }
    for (size_t i = 0; i < answer->number_count; i++) {
        if (!is_unused(partition, answer->numbers[i]))
            continue;
        ps_log(PS_LOG_WARN, partition->sink->port->component,
               "Hive has aborted transactions of %s that were not used yet: new ones are opened",
               label_of(partition));
        ps_hive_partition_drop_ids(partition);
        return;
    }
}

void ps_hive_partition_heartbeat(struct ps_hive_partition *partition)
{
    struct ps_hive_request request = ps_hive_partition_request_of(partition);
    const struct ps_hive_txn *txn;
    int64_t least = INT64_MAX, most = INT64_MIN;
    TAILQ_FOREACH(txn, &partition->txns, list)
    {
        least = txn->id < least ? txn->id : least;
        most = txn->id > most ? txn->id : most;
    }
    for (uint32_t i = partition->id_next; i < partition->id_count; i++) {
        least = partition->ids[2U * i] < least ? partition->ids[2U * i] : least;
        most = partition->ids[2U * i] > most ? partition->ids[2U * i] : most;
    }
    if (least > most || partition->heartbeats)
        return;
    request.txn_min = least;
    request.txn_max = most;
    partition->heartbeats = true;
    ps_metastore_call(partition->sink->metastore, PS_HIVE_HEARTBEAT_TXN_RANGE, &request, beaten, partition);
}
