#include "stages/lib/kudu/master.h"

#include "stages/lib/least.h"

#define LOCATIONS 10U /* tablets that a look-up asks for; an answer with one that is not running has none */
#define LEADER 1U     /* RaftPeerPB.Role */

enum { ANSWER_ERROR = 1, CONNECTED_ROLE = 2, OPEN_TABLE = 1, TABLE_ID = 1, TABLE_NAME = 2 };
enum { OPENED_SCHEMA = 2, OPENED_ID = 4, OPENED_PARTITION = 5, OPENED_TOKEN = 8 };
enum { LOCATE_TABLE = 1, LOCATE_START = 3, LOCATE_MOST = 5, LOCATE_KEY = 8, KEY_RANGE = 1, KEY_HASH = 2 };
enum { LOCATED_TABLET = 2, TABLET_ID = 1, TABLET_REPLICA = 4, TABLET_PARTITION = 6 };
enum { PARTITION_START = 2, PARTITION_END = 3, REPLICA_SERVER = 1, REPLICA_ROLE = 2 };
enum { SERVER_ADDRESS = 2, ADDRESS_HOST = 1, ADDRESS_PORT = 2 };

/* ---- requests ---- */

bool ps_kudu_put_connect(struct ps_byte_buffer *buffer, uint32_t call, uint64_t timeout_ms)
{
    return ps_kudu_put_request(buffer, call, PS_KUDU_MASTER, "ConnectToMaster", timeout_ms, NULL, 0) != NULL;
}

bool ps_kudu_put_open(struct ps_byte_buffer *buffer, uint32_t call, uint64_t timeout_ms, const char *table)
{
    size_t identifier = ps_protobuf_bytes_length(TABLE_NAME, strlen(table));
    uint8_t *to = ps_kudu_put_request(buffer, call, PS_KUDU_MASTER, "GetTableSchema", timeout_ms, NULL,
                                      ps_protobuf_bytes_length(OPEN_TABLE, identifier));
    if (to == NULL)
        return false;
    to = ps_protobuf_put_head(to, OPEN_TABLE, identifier);
    (void)ps_protobuf_put_bytes(to, TABLE_NAME, table, strlen(table));
    return true;
}

/* Only a table whose ranges have hash dimensions of their own needs the key in two parts; servers before Kudu 1.17 do not know them. */
bool ps_kudu_put_locate(struct ps_byte_buffer *buffer, uint32_t call, uint64_t timeout_ms,
                        const struct ps_kudu_table *table, const char *key, size_t length)
{
    size_t identifier = ps_protobuf_bytes_length(TABLE_ID, table->id_length);
    size_t hash = ps_least(4 * (size_t)table->dimensions.count, length);
    size_t parts =
        ps_protobuf_bytes_length(KEY_RANGE, length - hash) + ps_protobuf_bytes_length(KEY_HASH, hash);
    bool apart = table->custom_count > 0;
    size_t total = ps_protobuf_bytes_length(LOCATE_TABLE, identifier) +
                   ps_protobuf_number_length(LOCATE_MOST, LOCATIONS) +
                   (apart ? ps_protobuf_bytes_length(LOCATE_KEY, parts)
                          : ps_protobuf_bytes_length(LOCATE_START, length));
    uint8_t *to =
        ps_kudu_put_request(buffer, call, PS_KUDU_MASTER, "GetTableLocations", timeout_ms, NULL, total);
    if (to == NULL)
        return false;
    to = ps_protobuf_put_head(to, LOCATE_TABLE, identifier);
    to = ps_protobuf_put_bytes(to, TABLE_ID, table->id, table->id_length);
    if (!apart)
        to = ps_protobuf_put_bytes(to, LOCATE_START, key, length);
    to = ps_protobuf_put_number(to, LOCATE_MOST, LOCATIONS);
    if (!apart)
        return true;
    to = ps_protobuf_put_head(to, LOCATE_KEY, parts);
    to = ps_protobuf_put_bytes(to, KEY_RANGE, key + hash, length - hash);
    (void)ps_protobuf_put_bytes(to, KEY_HASH, key, hash);
    return true;
}

/* ---- answers ---- */

static struct ps_slice slice_of(const struct ps_protobuf_reader *reader)
{
    return (struct ps_slice){(const char *)reader->bytes, (uint32_t)reader->length};
}

/* Reads the error, if this field is it. Returns false if it is malformed. */
static bool take_error(const struct ps_protobuf_reader *reader, struct ps_kudu_master_answer *answer)
{
    if (!ps_protobuf_is_bytes(reader, ANSWER_ERROR))
        return true;
    return ps_kudu_parse_error(ps_protobuf_inner(reader), &answer->error, &answer->status) &&
           answer->error != 0;
}

bool ps_kudu_parse_connected(const uint8_t *bytes, size_t length, struct ps_kudu_master_answer *answer,
                             bool *is_leader)
{
    struct ps_protobuf_reader reader = ps_protobuf_read(bytes, length);
    bool good = true;
    *answer = (struct ps_kudu_master_answer){.error = 0};
    *is_leader = false;
    while (good && ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_number(&reader, CONNECTED_ROLE))
            *is_leader = reader.number == LEADER;
        good = take_error(&reader, answer);
    }
    return good && !reader.invalid;
}

bool ps_kudu_parse_opened(const uint8_t *bytes, size_t length, struct ps_kudu_master_answer *answer,
                          struct ps_kudu_table **table, struct ps_slice *token, const char **reason)
{
    struct ps_protobuf_reader reader = ps_protobuf_read(bytes, length);
    struct ps_protobuf_reader schema = ps_protobuf_read("", 0), partition = schema;
    struct ps_slice id = {.length = 0};
    bool good = true;
    *answer = (struct ps_kudu_master_answer){.error = 0};
    *table = NULL;
    *token = id;
    while (good && ps_protobuf_next(&reader)) {
        good = take_error(&reader, answer);
        if (ps_protobuf_is_bytes(&reader, OPENED_SCHEMA))
            schema = ps_protobuf_inner(&reader);
        else if (ps_protobuf_is_bytes(&reader, OPENED_PARTITION))
            partition = ps_protobuf_inner(&reader);
        else if (ps_protobuf_is_bytes(&reader, OPENED_ID))
            id = slice_of(&reader);
        else if (ps_protobuf_is_bytes(&reader, OPENED_TOKEN))
            *token = slice_of(&reader);
    }
    if (!good || reader.invalid)
        return false;
    if (answer->error == 0)
        *table = ps_kudu_table_parse(schema, partition, (const uint8_t *)id.data, id.length, reason);
    return true;
}

/* ---- locations ---- */

static bool parse_address(struct ps_protobuf_reader reader, struct ps_kudu_tablet *tablet)
{
    while (ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_bytes(&reader, ADDRESS_HOST))
            tablet->host = slice_of(&reader);
        else if (ps_protobuf_is_number(&reader, ADDRESS_PORT))
            tablet->port = reader.number <= UINT16_MAX ? (unsigned)reader.number : 0;
    }
    return !reader.invalid;
}

/* Takes the first address of the leader's server. */
static bool parse_replica(struct ps_protobuf_reader reader, struct ps_kudu_tablet *tablet)
{
    struct ps_kudu_tablet found = {.port = 0};
    struct ps_protobuf_reader server;
    uint64_t role = 0;
    bool good = true;
    while (good && ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_number(&reader, REPLICA_ROLE))
            role = reader.number;
        if (!ps_protobuf_is_bytes(&reader, REPLICA_SERVER))
            continue;
        server = ps_protobuf_inner(&reader);
        while (good && ps_protobuf_next(&server))
            if (ps_protobuf_is_bytes(&server, SERVER_ADDRESS) && found.host.length == 0)
                good = parse_address(ps_protobuf_inner(&server), &found);
        good &= !server.invalid;
    }
    if (role == LEADER && found.host.length > 0 && found.port > 0) {
        tablet->host = found.host;
        tablet->port = found.port;
    }
    return good && !reader.invalid;
}

static bool parse_partition(struct ps_protobuf_reader reader, struct ps_kudu_tablet *tablet)
{
    while (ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_bytes(&reader, PARTITION_START))
            tablet->start = slice_of(&reader);
        else if (ps_protobuf_is_bytes(&reader, PARTITION_END))
            tablet->end = slice_of(&reader);
    }
    return !reader.invalid;
}

static bool parse_tablet(struct ps_protobuf_reader reader, struct ps_kudu_tablet *tablet)
{
    bool good = true;
    *tablet = (struct ps_kudu_tablet){.start = {"", 0}, .end = {"", 0}};
    while (good && ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_bytes(&reader, TABLET_ID))
            tablet->id = slice_of(&reader);
        else if (ps_protobuf_is_bytes(&reader, TABLET_PARTITION))
            good = parse_partition(ps_protobuf_inner(&reader), tablet);
        else if (ps_protobuf_is_bytes(&reader, TABLET_REPLICA))
            good = parse_replica(ps_protobuf_inner(&reader), tablet);
    }
    return good && !reader.invalid && tablet->id.length > 0;
}

bool ps_kudu_parse_located(const uint8_t *bytes, size_t length, struct ps_kudu_master_answer *answer,
                           void (*each)(void *owner, const struct ps_kudu_tablet *tablet), void *owner)
{
    struct ps_protobuf_reader reader = ps_protobuf_read(bytes, length);
    struct ps_kudu_tablet tablet;
    bool good = true;
    *answer = (struct ps_kudu_master_answer){.error = 0};
    while (good && ps_protobuf_next(&reader)) {
        good = take_error(&reader, answer);
        if (!good || !ps_protobuf_is_bytes(&reader, LOCATED_TABLET))
            continue;
        good = parse_tablet(ps_protobuf_inner(&reader), &tablet);
        if (good)
            each(owner, &tablet);
    }
    return good && !reader.invalid;
}
