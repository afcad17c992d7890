/* What the servers answer. A request is read with stages/lib/protobuf.h; the messages' fields are those of Kudu's protocol files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/ledger.h"
#include "tests/world/peers/kudu/cluster.h"
#include "tests/world/peers/messages.h"

enum { NEW = 0, GREETED = 1, SILENT = 2 }; /* the state of a connection */
enum { NOT_FOUND = 1, ALREADY_PRESENT = 6, ILLEGAL_STATE = 9 };
enum { TABLE_NOT_FOUND = 3, MASTER_NOT_LEADER = 7, MISMATCHED_SCHEMA = 5, TABLET_NOT_FOUND = 6 };
enum { STRING = 8, BINARY = 12, INT8 = 1, INSERT = 1 };

/* A request's header. */
struct call {
    int32_t id;
    char method[32], client[40];
    uint64_t number, oldest, attempt;
    struct ps_protobuf_reader message;
};

static struct kudu_rule *rule_of(struct kudu_cluster *cluster, enum kudu_fate fate, const char *text)
{
    for (unsigned i = 0; i < cluster->rule_count; i++) {
        struct kudu_rule *rule = &cluster->rules[i];
        if (rule->fate != fate || rule->left == 0 || (text != NULL && strstr(text, rule->pattern) == NULL))
            continue;
        rule->left--;
        return rule;
    }
    return NULL;
}

static void copy(char *to, size_t room, const struct ps_protobuf_reader *field)
{
    if (field->length >= room)
        world_fatal("a text of %zu bytes is too long for Kudu's model", field->length);
    memcpy(to, field->bytes, field->length);
    to[field->length] = 0;
}

/* An AppStatusPB. */
static void put_status(struct out *out, uint32_t field, unsigned code, const char *text)
{
    static struct out status;
    status.length = 0;
    put_number(&status, 1, code);
    put_text(&status, 2, text);
    put_bytes(out, field, status.bytes, status.length);
}

/* A MasterErrorPB or TabletServerErrorPB. */
static void put_error(struct out *out, unsigned own, unsigned code)
{
    static struct out error;
    error.length = 0;
    put_number(&error, 1, own);
    put_status(&error, 2, code, "the model says so");
    put_bytes(out, 1, error.bytes, error.length);
}

/* ---- masters ---- */

static void put_column(struct out *out, unsigned id, const char *name, unsigned type, bool is_key,
                       bool is_nullable)
{
    static struct out column;
    column.length = 0;
    put_number(&column, 1, id);
    put_text(&column, 2, name);
    put_number(&column, 3, type);
    put_number(&column, 4, is_key);
    put_number(&column, 5, is_nullable);
    put_bytes(out, 1, column.bytes, column.length);
}

static void open_table(const struct kudu_cluster *cluster, struct out *body)
{
    static struct out schema, range, identifier;
    schema.length = range.length = identifier.length = 0;
    put_column(&schema, 10, "id", STRING, true, false);
    put_column(&schema, 11, "line", BINARY, false, true);
    put_column(&schema, 12, "number", INT8, false, true);
    if (cluster->is_wide)
        put_column(&schema, 13, "more", STRING, false, true);
    put_number(&identifier, 1, 10);
    put_bytes(&range, 1, identifier.bytes, identifier.length);
    identifier.length = 0;
    put_bytes(&identifier, 2, range.bytes, range.length);
    put_bytes(body, 2, schema.bytes, schema.length);
    put_text(body, 4, cluster->is_wide ? "the wide table" : "the table");
    put_bytes(body, 5, identifier.bytes, identifier.length);
}

static void put_tablet(const struct kudu_tablet *tablet, unsigned number, struct out *body)
{
    static struct out one, partition, replica, server, address;
    char name[16];
    one.length = partition.length = replica.length = server.length = address.length = 0;
    snprintf(name, sizeof name, "tablet %u", number);
    put_text(&one, 1, name);
    snprintf(name, sizeof name, "kt%u", tablet->server + 1);
    put_text(&address, 1, name);
    put_number(&address, 2, 7050);
    put_text(&server, 1, name);
    put_bytes(&server, 2, address.bytes, address.length);
    put_bytes(&replica, 1, server.bytes, server.length);
    put_number(&replica, 2, tablet->is_leaderless ? 0 : 1);
    put_bytes(&one, 4, replica.bytes, replica.length);
    put_text(&partition, 2, tablet->start);
    put_text(&partition, 3, tablet->end);
    put_bytes(&one, 6, partition.bytes, partition.length);
    put_bytes(body, 2, one.bytes, one.length);
}

/* The tablet that has the key, or the one before the gap that has it, and those behind it. */
static void locate(const struct kudu_cluster *cluster, struct ps_protobuf_reader request, struct out *body)
{
    char key[400] = "", id[32] = "";
    while (ps_protobuf_next(&request)) {
        struct ps_protobuf_reader table = ps_protobuf_inner(&request);
        if (ps_protobuf_is_bytes(&request, 3))
            copy(key, sizeof key, &request);
        while (ps_protobuf_is_bytes(&request, 1) && ps_protobuf_next(&table))
            if (ps_protobuf_is_bytes(&table, 1))
                copy(id, sizeof id, &table);
    }
    if (cluster->is_missing || strcmp(id, cluster->is_wide ? "the wide table" : "the table") != 0) {
        put_error(body, TABLE_NOT_FOUND, NOT_FOUND);
        return;
    }
    unsigned first = 0;
    for (unsigned i = 0; i < cluster->server_count; i++)
        if (!cluster->tablets[i].is_gone && strcmp(cluster->tablets[i].start, key) <= 0)
            first = i;
    for (unsigned i = first; i < cluster->server_count; i++)
        if (!cluster->tablets[i].is_gone)
            put_tablet(&cluster->tablets[i], i, body);
}

static void ask_master(const struct kudu_cluster *cluster, unsigned master, const struct call *call,
                       struct out *body)
{
    if (strcmp(call->method, "ConnectToMaster") == 0)
        put_number(body, 2, master == cluster->leader);
    else if (master != cluster->leader)
        put_error(body, MASTER_NOT_LEADER, ILLEGAL_STATE);
    else if (strcmp(call->method, "GetTableLocations") == 0)
        locate(cluster, call->message, body);
    else if (strcmp(call->method, "GetTableSchema") != 0)
        world_fatal("Kudu's model has no method %s", call->method);
    else if (cluster->is_missing)
        put_error(body, TABLE_NOT_FOUND, NOT_FOUND);
    else
        open_table(cluster, body);
}

/* ---- writes ---- */

static uint64_t content_of(struct ps_protobuf_reader request)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    while (ps_protobuf_next(&request))
        for (size_t i = 0; ps_protobuf_is_bytes(&request, 3) && i < request.length; i++)
            hash = (hash ^ request.bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static struct kudu_write *write_of(struct kudu_cluster *cluster, const struct call *call)
{
    for (unsigned i = 0; i < cluster->write_count; i++)
        if (cluster->writes[i].number == call->number && strcmp(cluster->writes[i].client, call->client) == 0)
            return &cluster->writes[i];
    return NULL;
}

/* Carries out one row. Returns the code of its status. */
static unsigned carry_out(struct kudu_cluster *cluster, const struct kudu_tablet *tablet, unsigned operation,
                          const char *id, const char *line)
{
    struct kudu_row *row = cluster->rows, *end = row + cluster->row_count;
    struct kudu_rule *rule = rule_of(cluster, KUDU_ROW, line);
    if (kudu_tablet_of(cluster, id) != tablet)
        world_fatal("the row %s is not of its tablet", id);
    if (rule != NULL)
        return rule->code;
    while (row < end && strcmp(row->id, id) != 0)
        row++;
    if (row < end && operation == INSERT)
        return ALREADY_PRESENT;
    if (row == end && cluster->row_count++ == KUDU_ROWS_MAX)
        world_fatal("more than %u rows", KUDU_ROWS_MAX);
    snprintf(row->id, sizeof row->id, "%s", id);
    snprintf(row->line, sizeof row->line, "%s", line);
    if (row->writes++ == 0)
        ledger_arrived(line, strlen(line));
    return 0;
}

/* Reads a cell of bytes. */
static void read_text(const uint8_t **at, const struct ps_protobuf_reader *indirect, char *to, size_t room)
{
    uint64_t offset, length;
    memcpy(&offset, *at, 8);
    memcpy(&length, *at + 8, 8);
    *at += 16;
    if (offset > indirect->length || length > indirect->length - offset || length >= room)
        world_fatal("a cell is not in the bytes of its write");
    memcpy(to, indirect->bytes + offset, length);
    to[length] = 0;
}

/* Operation, set columns, null columns, cells: of three columns or four. */
static void write_rows(struct kudu_cluster *cluster, const struct kudu_tablet *tablet,
                       struct ps_protobuf_reader operations, struct out *body)
{
    static struct out error;
    struct ps_protobuf_reader rows = {.length = 0}, indirect = {.length = 0};
    while (ps_protobuf_next(&operations)) {
        if (ps_protobuf_is_bytes(&operations, 2))
            rows = operations;
        if (ps_protobuf_is_bytes(&operations, 3))
            indirect = operations;
    }
    const uint8_t *at = rows.bytes, *end = rows.bytes + rows.length;
    for (unsigned place = 0; at < end; place++) {
        char id[400] = "", line[KUDU_LINE_BYTES] = "", more[256];
        unsigned operation = at[0], set = at[1], null = at[2], present = set & ~null;
        at += 3;
        if ((present & 1) == 0)
            world_fatal("a row has no key");
        read_text(&at, &indirect, id, sizeof id);
        if ((present & 2) != 0)
            read_text(&at, &indirect, line, sizeof line);
        at += (present & 4) != 0;
        if ((present & 8) != 0)
            read_text(&at, &indirect, more, sizeof more);
        unsigned code = carry_out(cluster, tablet, operation, id, line);
        if (code == 0)
            continue;
        error.length = 0;
        put_number(&error, 1, place);
        put_status(&error, 2, code, "the model says so");
        put_bytes(body, 2, error.bytes, error.length);
    }
}

static void write(struct kudu_cluster *cluster, unsigned server, const struct call *call, struct out *body)
{
    char name[16] = "";
    unsigned columns = 0;
    struct ps_protobuf_reader request = call->message, operations = {.at = NULL}, inner;
    while (ps_protobuf_next(&request)) {
        inner = ps_protobuf_inner(&request);
        if (ps_protobuf_is_bytes(&request, 1))
            copy(name, sizeof name, &request);
        while (ps_protobuf_is_bytes(&request, 2) && ps_protobuf_next(&inner))
            columns++;
        if (ps_protobuf_is_bytes(&request, 3))
            operations = ps_protobuf_inner(&request);
    }
    unsigned number = (unsigned)strtoul(name + 7, NULL, 10);
    struct kudu_tablet *tablet = &cluster->tablets[number % KUDU_TABLETS_MAX];
    struct kudu_rule *rule = rule_of(cluster, KUDU_TABLET, NULL);
    if (rule != NULL) {
        put_error(body, rule->code, ILLEGAL_STATE);
        return;
    }
    if (tablet->server != server || tablet->is_gone) {
        put_error(body, TABLET_NOT_FOUND, NOT_FOUND);
        return;
    }
    if (columns != 3U + cluster->is_wide) {
        put_error(body, MISMATCHED_SCHEMA, 4);
        return;
    }
    struct kudu_write *known = write_of(cluster, call);
    if (known != NULL) {
        if (known->content != content_of(call->message))
            world_fatal("write %llu was sent again with other rows", (unsigned long long)call->number);
        cluster->repeats++;
        put_raw(body, known->answer, known->length);
        return;
    }
    write_rows(cluster, tablet, operations, body);
    if (cluster->write_count == KUDU_WRITES_MAX || body->length > sizeof known->answer)
        world_fatal("too many writes for Kudu's model, or too long an answer");
    known = &cluster->writes[cluster->write_count++];
    snprintf(known->client, sizeof known->client, "%s", call->client);
    known->number = call->number;
    known->content = content_of(call->message);
    memcpy(known->answer, body->bytes, body->length);
    known->length = body->length;
}

/* ---- calls ---- */

static void negotiate(const struct kudu_cluster *cluster, struct ps_protobuf_reader said, struct out *body)
{
    static struct out inner;
    uint64_t step = 0;
    while (ps_protobuf_next(&said))
        if (ps_protobuf_is_number(&said, 2))
            step = said.number;
    put_number(body, 2, step == 1 ? 1 : 0);
    if (step != 1)
        return;
    inner.length = 0;
    put_bytes(&inner, 1, NULL, 0);
    put_bytes(body, 7, inner.bytes, inner.length);
    inner.length = 0;
    put_text(&inner, 2, cluster->wants_kerberos ? "GSSAPI" : "PLAIN");
    put_bytes(body, 4, inner.bytes, inner.length);
}

static void read_call(const uint8_t *bytes, size_t length, struct call *call)
{
    size_t head, taken = ps_varint_get_delimited(bytes, length, &head);
    struct ps_protobuf_reader reader = ps_protobuf_read(bytes + head, taken - head);
    *call = (struct call){.id = 0};
    while (ps_protobuf_next(&reader)) {
        struct ps_protobuf_reader inner = ps_protobuf_inner(&reader);
        if (ps_protobuf_is_number(&reader, 3))
            call->id = (int32_t)(uint32_t)reader.number;
        while (ps_protobuf_is_bytes(&reader, 6) && ps_protobuf_next(&inner))
            if (ps_protobuf_is_bytes(&inner, 2))
                copy(call->method, sizeof call->method, &inner);
        while (ps_protobuf_is_bytes(&reader, 15) && ps_protobuf_next(&inner)) {
            if (ps_protobuf_is_bytes(&inner, 1))
                copy(call->client, sizeof call->client, &inner);
            else
                *(inner.field == 2   ? &call->number
                  : inner.field == 3 ? &call->oldest
                                     : &call->attempt) = inner.number;
        }
    }
    bytes += taken;
    taken = ps_varint_get_delimited(bytes, length - taken, &head);
    call->message = ps_protobuf_read(bytes + head, taken - head);
}

/* Carries out a whole request. Returns false if the connection ends. */
static bool carry_out_call(struct kudu_cluster *cluster, struct connection *connection,
                           const struct call *call)
{
    static struct out out, header, body;
    uint8_t number[10];
    bool of_master = connection->server >= KUDU_MASTER_PLACE, of_write = call->id >= 0 && !of_master;
    out.length = header.length = body.length = 0;
    if (call->id == -3)
        return true;
    struct kudu_rule *rule = of_write ? rule_of(cluster, KUDU_CALL, NULL) : NULL;
    put_number(&header, 1, (uint64_t)(int64_t)call->id);
    if (of_write && rule_of(cluster, KUDU_HANG, NULL) != NULL) {
        connection->state = SILENT;
        return true;
    }
    if (rule != NULL) {
        put_number(&header, 2, 1);
        put_text(&body, 1, "the model says so");
        put_number(&body, 2, rule->code);
    } else if (call->id < 0) {
        negotiate(cluster, call->message, &body);
    } else if (of_master) {
        ask_master(cluster, (unsigned)(connection->server - KUDU_MASTER_PLACE), call, &body);
    } else if (cluster->bytes_max > 0 &&
               (size_t)(call->message.end - call->message.at) > cluster->bytes_max) {
        return false;
    } else {
        write(cluster, (unsigned)connection->server, call, &body);
        if (rule_of(cluster, KUDU_LOSE, NULL) != NULL)
            return false;
    }
    put_raw(&out, number, ps_varint_put(number, header.length));
    put_raw(&out, header.bytes, header.length);
    put_raw(&out, number, ps_varint_put(number, body.length));
    put_raw(&out, body.bytes, body.length);
    if (of_write && rule_of(cluster, KUDU_GARBAGE, NULL) != NULL)
        memset(out.bytes, 0xff, out.length);
    answer(connection, &out);
    return true;
}

bool kudu_take(struct kudu_cluster *cluster, struct connection *connection)
{
    if (connection->state == NEW && connection->in_length >= 7) {
        if (memcmp(connection->in, "hrpc\t\0\0", 7) != 0)
            world_fatal("the agent does not speak Kudu's protocol");
        connection->state = GREETED;
        connection_taken(connection, 7);
    }
    if (connection->state != GREETED || connection->in_length < 4)
        return true;
    size_t length = big_endian(connection->in);
    if (length > KUDU_ROOM_BYTES - 16)
        world_fatal("a request is too long for Kudu's model");
    if (connection->in_length < 4 + length)
        return true;
    struct call call;
    read_call((const uint8_t *)connection->in + 4, length, &call);
    if (!carry_out_call(cluster, connection, &call))
        return false;
    connection_taken(connection, 4 + length);
    return call.id != -3 || kudu_take(cluster, connection);
}
