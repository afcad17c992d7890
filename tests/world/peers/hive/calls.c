/* What the metastore's calls do. */
#include <stdio.h>
#include <string.h>

#include "tests/world/disk.h"
#include "tests/world/peers/hive/metastore.h"

#define LOCK_OF(txn) ((txn) + 1000000)
enum { ACQUIRED = 1, WAITING = 2, NOT_ACQUIRED = 4 };
enum { SHARED = 1, EXCLUSIVE = 3 };
#define SUCCESS 0

static bool is_named(const struct hive_call *call, const char *name)
{
    return call->name.length == strlen(name) && memcmp(call->name.bytes, name, call->name.length) == 0;
}

void hive_put_exception(struct hive_out *out, int id, const char *text)
{
    hive_put_field(out, THRIFT_STRUCT, id);
    hive_put_word(out, 1, text);
    hive_put_stop(out);
}

static void begin_success(struct hive_out *out)
{
    hive_put_field(out, THRIFT_STRUCT, SUCCESS);
}

void hive_disk_path(const char *location, char *to, size_t room)
{
    const char *path = strstr(location, "://");
    path = path == NULL ? location : strchr(path + 3, '/');
    bool is_hdfs = strncmp(location, "hdfs:", 5) == 0;
    snprintf(to, room, "%s%s", is_hdfs ? "/hdfs" : "", strncmp(path, "file:", 5) == 0 ? path + 5 : path);
}

/* ---- tables and partitions ---- */

static struct hive_table *table_at(struct hive_metastore *hive, size_t text)
{
    if (text >= hive->call.text_count)
        return NULL;
    struct hive_text name = hive->call.texts[text];
    struct hive_table *table = hive_table_of(hive, name.bytes, name.length);
    return table == NULL || table->is_dropped ? NULL : table;
}

static void get_table(struct hive_metastore *hive, struct hive_out *out, bool is_old)
{
    const struct hive_table *table = table_at(hive, 1);
    if (table == NULL) {
        hive_put_exception(out, 2, "default.t table not found");
        return;
    }
    begin_success(out);
    if (!is_old)
        hive_put_field(out, THRIFT_STRUCT, 1);
    hive_put_table(out, table);
    if (!is_old)
        hive_put_stop(out);
}

static struct hive_partition *partition_of(struct hive_metastore *hive, const struct hive_table *table,
                                           const char *name)
{
    for (unsigned i = 0; i < hive->partition_count; i++)
        if (&hive->tables[hive->partitions[i].table] == table && strcmp(hive->partitions[i].name, name) == 0)
            return &hive->partitions[i];
    return NULL;
}

static void get_partition(struct hive_metastore *hive, struct hive_out *out, bool makes)
{
    char name[2600];
    const struct hive_call *call = &hive->call;
    struct hive_table *table = table_at(hive, 1);
    if (table != NULL)
        hive_partition_name(table, call->texts + 2, call->text_count - 2, name, sizeof name);
    struct hive_partition *partition = table == NULL ? NULL : partition_of(hive, table, name);
    if (table == NULL || makes == (partition != NULL)) {
        hive_put_exception(out, 2,
                           makes && table != NULL ? "it is there" : "partition values=[..] not found");
        return;
    }
    if (makes) {
        if (hive->partition_count == HIVE_PARTITIONS_MAX)
            world_fatal("the metastore has too many partitions");
        partition = &hive->partitions[hive->partition_count++];
        partition->table = (unsigned)(table - hive->tables);
        snprintf(partition->name, sizeof partition->name, "%s", name);
        if (snprintf(partition->location, sizeof partition->location, "%s/%s", table->location, name) >=
            (int)sizeof partition->location)
            world_fatal("the name of a partition is too long");
    }
    begin_success(out);
    hive_put_field(out, THRIFT_STRUCT, 6);
    hive_put_storage(out, table, partition->location);
    hive_put_stop(out);
}

/* ---- transactions ---- */

/* Returns NULL if there is none of this number. */
static struct hive_txn *txn_of(struct hive_metastore *hive, int64_t number)
{
    return number > 0 && number <= (int64_t)hive->txn_count ? &hive->txns[number] : NULL;
}

void hive_abort(struct hive_txn *txn)
{
    if (txn->state == HIVE_OPEN)
        txn->state = HIVE_ABORTED;
    txn->has_lock = txn->is_waiting = false;
}

static void open_txns(struct hive_metastore *hive, struct hive_out *out)
{
    int32_t count = hive->call.last;
    if (count < 1 || hive->txn_count + (unsigned)count > HIVE_TXNS_MAX)
        world_fatal("the metastore cannot open %d transactions", count);
    begin_success(out);
    hive_put_field(out, THRIFT_LIST, 1);
    hive_put_list(out, THRIFT_I64, (size_t)count);
    for (; count > 0; count--) {
        hive->txns[++hive->txn_count] = (struct hive_txn){.heard_ns = world->now_ns};
        hive_put(out, hive->txn_count, 8);
    }
    hive_put_stop(out);
}

static void allocate_write_ids(struct hive_metastore *hive, struct hive_out *out)
{
    const struct hive_call *call = &hive->call;
    begin_success(out);
    hive_put_field(out, THRIFT_LIST, 1);
    hive_put_list(out, THRIFT_STRUCT, call->number_count);
    for (size_t i = 0; i < call->number_count; i++) {
        hive_put_i64(out, 1, call->numbers[i]);
        hive_put_i64(out, 2, call->numbers[i]);
        hive_put_stop(out);
        struct hive_txn *txn = txn_of(hive, call->numbers[i]);
        if (txn != NULL)
            txn->has_write_id = true;
    }
    hive_put_stop(out);
}

static void put_lock(struct hive_out *out, int64_t txn, int state)
{
    begin_success(out);
    hive_put_i64(out, 1, LOCK_OF(txn));
    hive_put_i32(out, 2, state);
    hive_put_stop(out);
}

void hive_put_not_granted(struct hive_out *out, int64_t txn)
{
    put_lock(out, txn, NOT_ACQUIRED);
}

/* Where the partition is, or the table. */
static void set_directory(struct hive_metastore *hive, struct hive_txn *txn)
{
    char directory[2700];
    const struct hive_table *table = &hive->tables[txn->table];
    const struct hive_partition *partition = partition_of(hive, table, txn->name);
    hive_disk_path(table->location, directory, sizeof directory);
    snprintf(txn->directory, sizeof txn->directory, "%s%s%s", directory, txn->name[0] != 0 ? "/" : "",
             txn->name);
    if (partition != NULL)
        hive_disk_path(partition->location, txn->directory, sizeof txn->directory);
}

/* Hive removes no file of a transaction that has written where it had no lock yet. */
static void look_for_early_files(const struct hive_txn *txn, int64_t number)
{
    char path[3000];
    snprintf(path, sizeof path, "%s/delta_%07lld_%07lld", txn->directory, (long long)number,
             (long long)number);
    if (disk_at(path) != NULL)
        world->broken = "a transaction has files before it has its lock";
}

static void grant(struct hive_metastore *hive, struct hive_out *out, int64_t number)
{
    struct hive_txn *txn = txn_of(hive, number);
    if (txn == NULL || txn->state != HIVE_OPEN) {
        hive_put_exception(out, 2, "Transaction is not open");
        return;
    }
    txn->is_waiting = hive->tables[txn->table].statement;
    set_directory(hive, txn);
    if (!txn->has_lock)
        look_for_early_files(txn, number);
    txn->has_lock = !txn->is_waiting;
    put_lock(out, number, txn->is_waiting ? WAITING : ACQUIRED);
}

/* The lock, the transaction, the time. */
static void check_lock(struct hive_metastore *hive, struct hive_out *out)
{
    if (hive->call.numbers[0] != LOCK_OF(hive->call.numbers[1]))
        world->broken = "a transaction asks for the lock of another one";
    grant(hive, out, hive->call.numbers[1]);
}

/* Database, table, perhaps the partition; user, host, agent. */
static void lock(struct hive_metastore *hive, struct hive_out *out)
{
    const struct hive_call *call = &hive->call;
    struct hive_table *table = table_at(hive, 1);
    struct hive_txn *txn = txn_of(hive, call->numbers[0]);
    if (table == NULL || txn == NULL) {
        hive_put_exception(out, 1, "No such table or transaction");
        return;
    }
    txn->table = (unsigned)(table - hive->tables);
    if (call->text_count == 6)
        snprintf(txn->name, sizeof txn->name, "%.*s", (int)call->texts[2].length, call->texts[2].bytes);
    if (!txn->has_write_id && hive->version >= 3)
        world->broken = "a transaction wants its lock without a write id";
    grant(hive, out, call->numbers[0]);
}

/* The transaction, its write id; database, table, partitions. */
static void add_dynamic_partitions(struct hive_metastore *hive)
{
    struct hive_txn *txn = txn_of(hive, hive->call.numbers[0]);
    if (txn != NULL)
        txn->has_partition = true;
    if (hive->version >= 3 && hive->call.numbers[0] != hive->call.numbers[1])
        world->broken = "a transaction has the write id of another one";
}

static void commit(struct hive_metastore *hive, struct hive_out *out)
{
    int64_t number = hive->call.numbers[0];
    struct hive_txn *txn = txn_of(hive, number);
    if (txn == NULL || txn->state == HIVE_ABORTED) {
        hive_put_exception(out, 2, "Transaction is aborted");
        return;
    }
    if (txn->state == HIVE_COMMITTED)
        return;
    if (!txn->has_lock)
        world->broken = "a transaction is committed without its lock";
    if (txn->name[0] != 0 && !txn->has_partition)
        world->broken = "a transaction is committed before Hive knows its partition";
    txn->state = HIVE_COMMITTED;
    txn->has_lock = false;
    hive->commits[hive->commit_count++] = (unsigned)number;
    if (hive->is_drawn)
        hive_arrived(hive, (unsigned)number);
}

static void abort_txn(struct hive_metastore *hive, struct hive_out *out)
{
    struct hive_txn *txn = txn_of(hive, hive->call.numbers[0]);
    if (txn != NULL && txn->state == HIVE_COMMITTED)
        hive_put_exception(out, 1, "Transaction txnid:1 is already committed.");
    else if (txn != NULL)
        hive_abort(txn);
}

static void abort_txns(struct hive_metastore *hive)
{
    for (size_t i = 0; i < hive->call.number_count; i++) {
        struct hive_txn *txn = txn_of(hive, hive->call.numbers[i]);
        if (txn != NULL)
            hive_abort(txn);
    }
}

static void heartbeat(struct hive_metastore *hive, struct hive_out *out)
{
    size_t count = 0;
    int64_t from = hive->call.numbers[0], to = hive->call.numbers[1];
    if (txn_of(hive, from) == NULL || txn_of(hive, to) == NULL)
        world->broken = "a heartbeat is for transactions that there are not";
    for (int64_t i = from; i <= to; i++) {
        struct hive_txn *txn = txn_of(hive, i);
        count += txn != NULL && txn->state == HIVE_ABORTED;
        if (txn != NULL)
            txn->heard_ns = world->now_ns;
    }
    begin_success(out);
    hive_put_field(out, THRIFT_SET, 1);
    hive_put_list(out, THRIFT_I64, count);
    for (int64_t i = from; i <= to; i++)
        if (txn_of(hive, i) != NULL && txn_of(hive, i)->state == HIVE_ABORTED)
            hive_put(out, (uint64_t)i, 8);
    hive_put_field(out, THRIFT_SET, 2);
    hive_put_list(out, THRIFT_I64, 0);
    hive_put_stop(out);
}

/* ---- locks ---- */

static void put_holder(struct hive_out *out, int state, int type, unsigned txn, const char *agent)
{
    hive_put_i32(out, 5, state);
    hive_put_i32(out, 6, type);
    hive_put_i64(out, 7, txn);
    hive_put_word(out, 10, "somebody");
    hive_put_word(out, 11, "host1");
    hive_put_word(out, 13, agent);
    hive_put_stop(out);
}

static bool is_of(const struct hive_metastore *hive, const struct hive_txn *txn,
                  const struct hive_table *table)
{
    return txn->state == HIVE_OPEN && (txn->has_lock || txn->is_waiting) &&
           &hive->tables[txn->table] == table;
}

static void show_locks(struct hive_metastore *hive, struct hive_out *out)
{
    const struct hive_table *table = table_at(hive, 1);
    size_t count = table != NULL && table->statement;
    for (unsigned i = 1; i <= hive->txn_count; i++)
        count += is_of(hive, &hive->txns[i], table);
    begin_success(out);
    hive_put_field(out, THRIFT_LIST, 1);
    hive_put_list(out, THRIFT_STRUCT, count);
    for (unsigned i = hive->txn_count; i > 0; i--)
        if (is_of(hive, &hive->txns[i], table))
            put_holder(out, hive->txns[i].has_lock ? ACQUIRED : WAITING, SHARED, i, "penstock");
    if (table != NULL && table->statement)
        put_holder(out, table->has_exclusive ? ACQUIRED : WAITING, EXCLUSIVE, 19999, "query 7");
    hive_put_stop(out);
}

bool hive_answer(struct hive_metastore *hive, struct hive_out *out)
{
    const struct hive_call *call = &hive->call;
    if (is_named(call, "get_table_req") && hive->version >= 2)
        get_table(hive, out, false);
    else if (is_named(call, "get_table") && hive->version <= 3)
        get_table(hive, out, true);
    else if (is_named(call, "get_partition") || is_named(call, "append_partition"))
        get_partition(hive, out, is_named(call, "append_partition"));
    else if (is_named(call, "open_txns"))
        open_txns(hive, out);
    else if (is_named(call, "allocate_table_write_ids") && hive->version >= 3)
        allocate_write_ids(hive, out);
    else if (is_named(call, "lock"))
        lock(hive, out);
    else if (is_named(call, "check_lock"))
        check_lock(hive, out);
    else if (is_named(call, "add_dynamic_partitions"))
        add_dynamic_partitions(hive);
    else if (is_named(call, "commit_txn"))
        commit(hive, out);
    else if (is_named(call, "abort_txn"))
        abort_txn(hive, out);
    else if (is_named(call, "abort_txns"))
        abort_txns(hive);
    else if (is_named(call, "heartbeat_txn_range"))
        heartbeat(hive, out);
    else if (is_named(call, "show_locks"))
        show_locks(hive, out);
    else
        return is_named(call, "unlock");
    return true;
}
