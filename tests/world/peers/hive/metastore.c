#include "tests/world/peers/hive/metastore.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_NS (300 * WORLD_NS_PER_S) /* hive.txn.timeout */
#define ADDRESS ((struct net_address){NET_LOOPBACK + 40, HIVE_PORT})
enum { UNKNOWN_METHOD = 1, INTERNAL_ERROR = 6 }; /* of TApplicationException */
enum { SILENT = 1 };                             /* the state of a connection */

/* A drawn fault, as a rule for this call. */
static struct hive_rule *drawn_rule(const struct hive_call *call)
{
    static const enum hive_fate fates[] = {
        [SERVER_REFUSE] = HIVE_REFUSE, [SERVER_BREAK_BEFORE] = HIVE_LOSE, [SERVER_BREAK_AFTER] = HIVE_CUT};
    static struct hive_rule rule;
    enum server_fate fate = server_draw_fate();
    if (fate == SERVER_TAKE)
        return NULL;
    rule = (struct hive_rule){.fate = fates[fate], .exception = 1 + 2 * (int)world_below(2)};
    snprintf(rule.call, sizeof rule.call, "%.*s", (int)call->name.length, call->name.bytes);
    return &rule;
}

static struct hive_rule *rule_of(struct hive_metastore *hive)
{
    if (hive->is_drawn)
        return drawn_rule(&hive->call);
    for (unsigned i = 0; i < hive->rule_count; i++) {
        struct hive_rule *rule = &hive->rules[i];
        if (rule->left > 0 && strlen(rule->call) == hive->call.name.length &&
            memcmp(rule->call, hive->call.name.bytes, hive->call.name.length) == 0) {
            rule->left--;
            return rule;
        }
    }
    return NULL;
}

static void put_breakdown(struct hive_out *out, const struct hive_call *call, int type, const char *text)
{
    out->length = 0;
    hive_put_head(out, THRIFT_EXCEPTION, call->name, call->number);
    hive_put_word(out, 1, text);
    hive_put_i32(out, 2, type);
}

/* An exception that says that the transaction is over. */
static void refuse(struct hive_metastore *hive, struct hive_out *out, const struct hive_rule *rule)
{
    static const char *const of_one[] = {"commit_txn", "lock", "check_lock", "add_dynamic_partitions"};
    bool checks = strcmp(rule->call, "check_lock") == 0;
    int64_t txn = hive->call.numbers[checks];
    if (rule->fate == HIVE_NOT_GRANTED) {
        hive_put_not_granted(out, txn);
        return;
    }
    hive_put_exception(out, rule->exception, "not this time");
    for (unsigned i = 0; i < sizeof of_one / sizeof *of_one; i++)
        if (strcmp(rule->call, of_one[i]) == 0 &&
            (rule->exception <= 2 || (rule->exception == 3 && checks)) && txn > 0 &&
            txn <= (int64_t)hive->txn_count)
            hive_abort(&hive->txns[txn]);
}

static bool take(void *argument, struct connection *connection)
{
    struct hive_metastore *hive = argument;
    struct hive_call *call = &hive->call;
    size_t length =
        connection->state == SILENT ? 0 : hive_call_read(connection->in, connection->in_length, call);
    if (length == 0)
        return true;
    const struct hive_rule *rule = rule_of(hive);
    struct hive_out out = {.bytes = connection->out, .room = HIVE_ROOM_BYTES};
    if (rule != NULL && rule->fate == HIVE_LOSE)
        return false;
    if (rule != NULL && rule->fate == HIVE_HANG) {
        connection->state = SILENT;
        return true;
    }
    if (rule != NULL && rule->fate == HIVE_GARBAGE) {
        hive_put_text(&out, "HTTP/1.1 400 Bad Request", 24);
        connection->out_length = out.length;
        connection_taken(connection, length);
        return true;
    }
    hive_put_head(&out, THRIFT_REPLY, call->name, call->number);
    if (rule != NULL && rule->fate <= HIVE_NOT_GRANTED)
        refuse(hive, &out, rule);
    else if (!hive_answer(hive, &out))
        put_breakdown(&out, call, UNKNOWN_METHOD, "Invalid method name");
    if (rule != NULL && rule->fate == HIVE_BREAK)
        put_breakdown(&out, call, INTERNAL_ERROR, "Internal error processing a call");
    if (rule != NULL && rule->fate == HIVE_CUT)
        return false;
    hive_put_stop(&out);
    connection->out_length = out.length;
    connection->answers_ns = server_draw_answer_ns();
    connection_taken(connection, length);
    return true;
}

/* Aborts what was not heard of. Returns when the next one is due. */
static uint64_t time_out(struct hive_metastore *hive)
{
    uint64_t due_ns = WORLD_NEVER;
    for (unsigned i = 1; i <= hive->txn_count; i++) {
        struct hive_txn *txn = &hive->txns[i];
        if (txn->state == HIVE_OPEN && txn->heard_ns + TIMEOUT_NS <= world->now_ns)
            hive_abort(txn);
        else if (txn->state == HIVE_OPEN)
            due_ns = earlier(due_ns, txn->heard_ns + TIMEOUT_NS);
    }
    return due_ns;
}

/* A statement gets its lock when no transaction has one. */
static void serve_statements(struct hive_metastore *hive)
{
    for (unsigned i = 0; i < hive->table_count; i++) {
        struct hive_table *table = &hive->tables[i];
        bool is_free = table->statement;
        for (unsigned txn = 1; txn <= hive->txn_count && is_free; txn++)
            is_free = !(hive->txns[txn].has_lock && hive->txns[txn].table == i);
        table->has_exclusive = is_free;
    }
}

static void step(struct world_peer *peer)
{
    struct hive_metastore *hive = peer->state;
    uint64_t due_ns = time_out(hive);
    if (hive->listener != NULL)
        connections_accept(&hive->connections, hive->listener, 0);
    due_ns = earlier(due_ns, connections_serve(&hive->connections));
    serve_statements(hive);
    peer->due_ns = due_ns;
}

void hive_start(struct hive_metastore *hive)
{
    if (hive->listener == NULL)
        hive->listener = net_listen(hive->peer, ADDRESS);
}

void hive_stop(struct hive_metastore *hive)
{
    if (hive->listener != NULL)
        net_unlisten(hive->listener);
    hive->listener = NULL;
    connections_reset(&hive->connections, 0);
}

struct hive_metastore *hive_add(void)
{
    struct hive_metastore *hive = world_allocate(sizeof *hive);
    hive->version = 4;
    hive->connections = (struct connections){.room = HIVE_ROOM_BYTES, .take = take, .argument = hive};
    hive->peer = peer_add(step, hive, 0);
    net_name("metastore", ADDRESS.host);
    net_name("silent", NET_SILENT);
    hive_start(hive);
    return hive;
}

struct hive_table *hive_table_of(struct hive_metastore *hive, const char *name, size_t length)
{
    for (unsigned i = 0; i < hive->table_count; i++)
        if (strlen(hive->tables[i].name) == length && memcmp(hive->tables[i].name, name, length) == 0)
            return &hive->tables[i];
    return NULL;
}

void hive_drop_partitions(struct hive_metastore *hive, const struct hive_table *table, const char *name)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < hive->partition_count; i++)
        if (&hive->tables[hive->partitions[i].table] != table ||
            strncmp(hive->partitions[i].name, name, strlen(name)) != 0)
            hive->partitions[kept++] = hive->partitions[i];
    hive->partition_count = kept;
}

void hive_move_partition(struct hive_metastore *hive, const struct hive_table *table, const char *name,
                         const char *location)
{
    hive_drop_partitions(hive, table, name);
    if (hive->partition_count == HIVE_PARTITIONS_MAX)
        world_fatal("the metastore has too many partitions");
    struct hive_partition *partition = &hive->partitions[hive->partition_count++];
    *partition = (struct hive_partition){.table = (unsigned)(table - hive->tables)};
    snprintf(partition->name, sizeof partition->name, "%s", name);
    snprintf(partition->location, sizeof partition->location, "%s", location);
}

void hive_abort_open(struct hive_metastore *hive)
{
    for (unsigned i = 1; i <= hive->txn_count; i++)
        hive_abort(&hive->txns[i]);
}
