/* What the servers answer. A request is read with stages/lib/protobuf.h; the messages' fields are those of HBase's Client.proto. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/ledger.h"
#include "tests/world/peers/hbase/cluster.h"
#include "tests/world/peers/messages.h"
#include "tests/world/peers/zookeeper.h"

enum { NEW = 0, GREETED = 1, SILENT = 2 }; /* the state of a connection */

/* ---- ZooKeeper ---- */

static bool read_node(void *argument, const char *, bool, struct out *value)
{
    static struct out name;
    const struct hbase_cluster *cluster = argument;
    char host[8];
    name.length = 0;
    snprintf(host, sizeof host, "rs%u", cluster->meta + 1);
    put_text(&name, 1, host);
    put_number(&name, 2, 16020);
    put_raw(value, "\xff\0\0\0\2zkPBUF", 11);
    put_bytes(value, 1, name.bytes, name.length);
    return true;
}

bool hbase_take_zookeeper(struct hbase_cluster *cluster, struct connection *connection)
{
    return zookeeper_take(connection, read_node, cluster);
}

/* ---- rules ---- */

static struct hbase_rule *rule_of(struct hbase_cluster *cluster, enum hbase_fate fate, const char *text,
                                  size_t length)
{
    for (unsigned i = 0; i < cluster->rule_count; i++) {
        struct hbase_rule *rule = &cluster->rules[i];
        if (rule->fate != fate || rule->left == 0 ||
            (text != NULL && memmem(text, length, rule->pattern, strlen(rule->pattern)) == NULL))
            continue;
        rule->left--;
        return rule;
    }
    return NULL;
}

#define SO "the model says so"

/* A NameBytesPair. */
static void put_exception(struct out *out, uint32_t field, const char *class, const char *why)
{
    char name[128], text[256];
    static struct out pair;
    pair.length = 0;
    snprintf(name, sizeof name, "org.apache.hadoop.hbase.%s", class);
    snprintf(text, sizeof text, "%s: %s\n\tat line 1", name, why);
    put_text(&pair, 1, name);
    put_text(&pair, 2, text);
    put_bytes(out, field, pair.bytes, pair.length);
}

/* ---- hbase:meta ---- */

static void put_cell(struct out *out, const char *row, const char *qualifier, const void *value,
                     size_t length)
{
    static struct out cell;
    cell.length = 0;
    put_text(&cell, 1, row);
    put_text(&cell, 2, "info");
    put_text(&cell, 3, qualifier);
    put_bytes(&cell, 6, value, length);
    put_bytes(out, 1, cell.bytes, cell.length);
}

static void region_name(const struct hbase_region *region, char *to, size_t room)
{
    snprintf(to, room, "t,%s,%u.0123456789abcdef0123456789abcdef.", region->start, region->number);
}

/* Answers with the region that has the row of the scan: "t,ROW,99999999999999". */
static void scan_meta(struct hbase_cluster *cluster, const struct ps_protobuf_reader *start, struct out *out)
{
    static struct out result, info, table;
    char row[128], name[128], server[32];
    size_t length = start->length < 18 ? 0 : start->length - 17;
    snprintf(row, sizeof row, "%.*s", (int)length, start->bytes + 2);
    for (unsigned i = 0; i < cluster->region_count; i++) {
        const struct hbase_region *region = &cluster->regions[i];
        if (strcmp(region->start, row) > 0 || (region->end[0] != 0 && strcmp(row, region->end) >= 0))
            continue;
        result.length = info.length = table.length = 0;
        region_name(region, name, sizeof name);
        put_text(&table, 1, "default");
        put_text(&table, 2, "t");
        put_raw(&info, "PBUF", 4);
        put_number(&info, 1, region->number);
        put_bytes(&info, 2, table.bytes, table.length);
        put_text(&info, 3, region->start);
        put_text(&info, 4, region->end);
        snprintf(server, sizeof server, "rs%u:16020", region->server + 1);
        put_cell(&result, name, "regioninfo", info.bytes, info.length);
        put_cell(&result, name, "server", server, strlen(server));
        put_bytes(out, 5, result.bytes, result.length);
    }
    put_number(out, 3, 0);
}

/* ---- mutations ---- */

struct mutation {
    char row[128], column[64], value[HBASE_VALUE_BYTES];
    size_t value_length;
    uint64_t type, nonce;
};

static void copy(char *to, size_t room, const struct ps_protobuf_reader *field)
{
    if (field->length >= room)
        world_fatal("a text of %zu bytes is too long for HBase's model", field->length);
    memcpy(to, field->bytes, field->length);
    to[field->length] = 0;
}

static void read_value(struct ps_protobuf_reader value, struct mutation *mutation)
{
    while (ps_protobuf_next(&value)) {
        if (ps_protobuf_is_bytes(&value, 1))
            copy(mutation->column, sizeof mutation->column, &value);
        if (ps_protobuf_is_bytes(&value, 2)) {
            copy(mutation->value, sizeof mutation->value, &value);
            mutation->value_length = value.length;
        }
    }
}

static void read_mutation(struct ps_protobuf_reader reader, struct mutation *mutation)
{
    *mutation = (struct mutation){.type = 0};
    while (ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_bytes(&reader, 1))
            copy(mutation->row, sizeof mutation->row, &reader);
        if (ps_protobuf_is_number(&reader, 2))
            mutation->type = reader.number;
        if (ps_protobuf_is_number(&reader, 9))
            mutation->nonce = reader.number;
        struct ps_protobuf_reader column = ps_protobuf_inner(&reader);
        while (ps_protobuf_is_bytes(&reader, 3) && ps_protobuf_next(&column))
            if (ps_protobuf_is_bytes(&column, 2))
                read_value(ps_protobuf_inner(&column), mutation);
    }
}

/* Returns whether the server has carried out an increment with this nonce; notes it. */
static bool knows(struct hbase_cluster *cluster, unsigned server, uint64_t nonce)
{
    for (unsigned i = 0; i < cluster->nonce_count; i++)
        if (cluster->nonces[i].nonce == nonce && cluster->nonces[i].server == server)
            return true;
    if (cluster->nonce_count == HBASE_NONCES_MAX)
        world_fatal("more than %u nonces", HBASE_NONCES_MAX);
    cluster->nonces[cluster->nonce_count].nonce = nonce;
    cluster->nonces[cluster->nonce_count++].server = server;
    return false;
}

static void carry_out(struct hbase_cluster *cluster, unsigned server, const struct mutation *mutation)
{
    struct hbase_cell *cell = cluster->cells, *end = cell + cluster->cell_count;
    if (mutation->type == 1 && mutation->nonce != 0 && knows(cluster, server, mutation->nonce))
        return;
    while (cell < end &&
           (strcmp(cell->row, mutation->row) != 0 || strcmp(cell->column, mutation->column) != 0))
        cell++;
    if (cell == end) {
        if (cluster->cell_count++ == HBASE_CELLS_MAX)
            world_fatal("more than %u cells", HBASE_CELLS_MAX);
        snprintf(cell->row, sizeof cell->row, "%s", mutation->row);
        snprintf(cell->column, sizeof cell->column, "%s", mutation->column);
    }
    if (mutation->type == 1) { /* 8 bytes */
        uint64_t amount;
        memcpy(&amount, mutation->value, sizeof amount);
        cell->value_length =
            (size_t)snprintf(cell->value, sizeof cell->value, "%llu",
                             (unsigned long long)(strtoull(cell->value, NULL, 10) + be64toh(amount)));
        return;
    }
    memcpy(cell->value, mutation->value, sizeof cell->value);
    cell->value_length = mutation->value_length;
    if (cell->versions++ == 0)
        ledger_arrived(cell->value, cell->value_length);
}

/* Carries an action out, and writes its result. */
static void act(struct hbase_cluster *cluster, unsigned server, struct ps_protobuf_reader action,
                struct out *out)
{
    static struct out entry;
    struct mutation mutation = {.type = 0};
    uint64_t index = 0;
    while (ps_protobuf_next(&action)) {
        if (ps_protobuf_is_number(&action, 1))
            index = action.number;
        if (ps_protobuf_is_bytes(&action, 2))
            read_mutation(ps_protobuf_inner(&action), &mutation);
    }
    entry.length = 0;
    put_number(&entry, 1, index);
    struct hbase_rule *rule = rule_of(cluster, HBASE_ROW, mutation.row, strlen(mutation.row));
    if (rule == NULL)
        rule = rule_of(cluster, HBASE_ROW, mutation.value, mutation.value_length);
    if (cluster->read_only)
        put_exception(&entry, 3, "DoNotRetryIOException", "region is read only");
    else if (rule != NULL)
        put_exception(&entry, 3, rule->exception, SO);
    else {
        carry_out(cluster, server, &mutation);
        put_bytes(&entry, 2, NULL, 0);
    }
    put_bytes(out, 1, entry.bytes, entry.length);
}

static bool has_region(const struct hbase_cluster *cluster, unsigned server, const char *name)
{
    char own[128];
    for (unsigned i = 0; i < cluster->region_count; i++) {
        region_name(&cluster->regions[i], own, sizeof own);
        if (strcmp(own, name) == 0)
            return cluster->regions[i].server == server;
    }
    return false;
}

static void act_on_region(struct hbase_cluster *cluster, unsigned server, struct ps_protobuf_reader list,
                          struct out *out)
{
    static struct out result;
    char name[128] = "";
    struct ps_protobuf_reader again = list;
    while (ps_protobuf_next(&list)) {
        struct ps_protobuf_reader specifier = ps_protobuf_inner(&list);
        while (ps_protobuf_is_bytes(&list, 1) && ps_protobuf_next(&specifier))
            if (ps_protobuf_is_bytes(&specifier, 2))
                copy(name, sizeof name, &specifier);
    }
    result.length = 0;
    struct hbase_rule *rule = rule_of(cluster, HBASE_REGION, NULL, 0);
    if (rule != NULL)
        put_exception(&result, 2, rule->exception, SO);
    else if (!has_region(cluster, server, name))
        put_exception(&result, 2, "NotServingRegionException", SO);
    else
        while (ps_protobuf_next(&again))
            if (ps_protobuf_is_bytes(&again, 3))
                act(cluster, server, ps_protobuf_inner(&again), &result);
    put_bytes(out, 1, result.bytes, result.length);
}

/* ---- calls ---- */

static void multi(struct hbase_cluster *cluster, unsigned server, struct ps_protobuf_reader request,
                  struct out *body)
{
    cluster->multis++;
    while (ps_protobuf_next(&request))
        if (ps_protobuf_is_bytes(&request, 1))
            act_on_region(cluster, server, ps_protobuf_inner(&request), body);
}

static void scan(struct hbase_cluster *cluster, struct ps_protobuf_reader request, struct out *body)
{
    while (ps_protobuf_next(&request)) {
        struct ps_protobuf_reader inner = ps_protobuf_inner(&request);
        while (ps_protobuf_is_bytes(&request, 2) && ps_protobuf_next(&inner))
            if (ps_protobuf_is_bytes(&inner, 3))
                scan_meta(cluster, &inner, body);
    }
}

/* Carries out a whole request. Returns false if the connection ends. */
static bool call(struct hbase_cluster *cluster, struct connection *connection, const uint8_t *bytes,
                 size_t length)
{
    static struct out out, header, body, exception;
    size_t head, taken = ps_varint_get_delimited(bytes, length, &head);
    struct ps_protobuf_reader reader = ps_protobuf_read(bytes + head, taken - head);
    uint64_t id = 0;
    bool is_scan = false;
    out.length = header.length = body.length = exception.length = 0;
    while (ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_number(&reader, 1))
            id = reader.number;
        is_scan |= ps_protobuf_is_bytes(&reader, 3) && memcmp(reader.bytes, "Scan", 4) == 0;
    }
    bytes += taken;
    length -= taken;
    taken = ps_varint_get_delimited(bytes, length, &head);
    struct ps_protobuf_reader message = ps_protobuf_read(bytes + head, taken - head);
    put_number(&header, 1, id);
    struct hbase_rule *rule = is_scan ? NULL : rule_of(cluster, HBASE_CALL, NULL, 0);
    if (rule == NULL && is_scan && (unsigned)connection->server != cluster->meta) {
        put_exception(&exception, 2, "NotServingRegionException", SO);
        put_raw(&header, exception.bytes, exception.length);
    } else if (rule != NULL) {
        put_exception(&header, 2, rule->exception, SO);
    } else if (is_scan) {
        scan(cluster, message, &body);
    } else {
        if (rule_of(cluster, HBASE_HANG, NULL, 0) != NULL) {
            connection->state = SILENT;
            return true;
        }
        multi(cluster, (unsigned)connection->server, message, &body);
        if (rule_of(cluster, HBASE_LOSE, NULL, 0) != NULL)
            return false;
    }
    uint8_t number[10];
    put_raw(&out, number, ps_varint_put(number, header.length));
    put_raw(&out, header.bytes, header.length);
    if (header.length <= 6) { /* no exception */
        put_raw(&out, number, ps_varint_put(number, body.length));
        put_raw(&out, body.bytes, body.length);
    }
    if (!is_scan && rule_of(cluster, HBASE_GARBAGE, NULL, 0) != NULL)
        memset(out.bytes, 0xff, out.length);
    answer(connection, &out);
    return true;
}

bool hbase_take(struct hbase_cluster *cluster, struct connection *connection)
{
    size_t skip = connection->state == NEW ? 6 : 0; /* the preamble: HBas, version, authentication */
    if (connection->state == SILENT || connection->in_length < skip + 4)
        return true;
    size_t length = big_endian(connection->in + skip);
    if (length > HBASE_ROOM_BYTES - 16 || (skip > 0 && memcmp(connection->in, "HBas\0P", 6) != 0))
        world_fatal("the agent does not speak HBase's protocol");
    if (connection->in_length < skip + 4 + length)
        return true;
    if (connection->state == NEW) {
        connection->state = GREETED; /* the header of the connection is not answered */
        connection_taken(connection, skip + 4 + length);
        return hbase_take(cluster, connection);
    }
    if (!call(cluster, connection, (const uint8_t *)connection->in + 4, length))
        return false;
    connection_taken(connection, 4 + length);
    return true;
}
