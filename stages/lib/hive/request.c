/* Encodes calls, with the arguments that hive_metastore.thrift declares. */
#include "stages/lib/hive/message.h"

#include <string.h>

#define NAME_BYTES_MAX 32U
#define FIELDS_MAX 24U /* of a call, in all its structs together */

/* Values for LockComponent and GetTableRequest. */
enum { LOCK_SHARED_READ = 1 };
enum { LOCK_LEVEL_TABLE = 2, LOCK_LEVEL_PARTITION = 3 };
enum { OPERATION_INSERT = 2 };
enum { CAPABILITY_INSERT_ONLY_TABLES = 2 };

const char *const ps_hive_call_names[PS_HIVE_CALLS] = {
    [PS_HIVE_GET_TABLE] = "get_table_req",
    [PS_HIVE_GET_TABLE_OLD] = "get_table",
    [PS_HIVE_OPEN_TXNS] = "open_txns",
    [PS_HIVE_COMMIT_TXN] = "commit_txn",
    [PS_HIVE_ABORT_TXN] = "abort_txn",
    [PS_HIVE_ABORT_TXNS] = "abort_txns",
    [PS_HIVE_HEARTBEAT_TXN_RANGE] = "heartbeat_txn_range",
    [PS_HIVE_ALLOCATE_TABLE_WRITE_IDS] = "allocate_table_write_ids",
    [PS_HIVE_LOCK] = "lock",
    [PS_HIVE_CHECK_LOCK] = "check_lock",
    [PS_HIVE_UNLOCK] = "unlock",
    [PS_HIVE_SHOW_LOCKS] = "show_locks",
    [PS_HIVE_ADD_DYNAMIC_PARTITIONS] = "add_dynamic_partitions",
    [PS_HIVE_APPEND_PARTITION] = "append_partition",
    [PS_HIVE_GET_PARTITION] = "get_partition",
};

static size_t text_room(const char *text)
{
    return PS_THRIFT_LENGTH_BYTES_MAX + (text == NULL ? 0 : strlen(text));
}

size_t ps_hive_request_room(const struct ps_hive_request *request)
{
    size_t room = PS_THRIFT_MESSAGE_BYTES_MAX + NAME_BYTES_MAX +
                  FIELDS_MAX * (PS_THRIFT_FIELD_BYTES_MAX + PS_THRIFT_NUMBER_BYTES_MAX);
    room += text_room(request->database) + text_room(request->table) + text_room(request->user) +
            text_room(request->host) + text_room(request->agent) + text_room(request->partition);
    for (size_t i = 0; i < request->value_count; i++)
        room += text_room(request->values[i]);
    return room + request->txns_count * PS_THRIFT_NUMBER_BYTES_MAX;
}

/* Writes a text field. Passes 0 as the previous field, which only the compact encoding needs. */

static void put_text(struct ps_thrift_writer *out, int16_t id, const char *text)
{
    ps_thrift_put_field(out, PS_THRIFT_STRING, id, 0);
    ps_thrift_put_text(out, text, strlen(text));
}

static void put_i32(struct ps_thrift_writer *out, int16_t id, int32_t number)
{
    ps_thrift_put_field(out, PS_THRIFT_I32, id, 0);
    ps_thrift_put_i32(out, number);
}

static void put_i64(struct ps_thrift_writer *out, int16_t id, int64_t number)
{
    ps_thrift_put_field(out, PS_THRIFT_I64, id, 0);
    ps_thrift_put_i64(out, number);
}

static void put_bool(struct ps_thrift_writer *out, int16_t id, bool value)
{
    ps_thrift_put_field(out, PS_THRIFT_BOOL, id, 0);
    ps_thrift_put_byte(out, value);
}

static void put_i64_list(struct ps_thrift_writer *out, int16_t id, const int64_t *numbers, size_t count)
{
    ps_thrift_put_field(out, PS_THRIFT_LIST, id, 0);
    ps_thrift_put_list(out, PS_THRIFT_I64, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        ps_thrift_put_i64(out, numbers[i]);
}

static void put_text_list(struct ps_thrift_writer *out, int16_t id, const char *const *texts, size_t count)
{
    ps_thrift_put_field(out, PS_THRIFT_LIST, id, 0);
    ps_thrift_put_list(out, PS_THRIFT_STRING, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        ps_thrift_put_text(out, texts[i], strlen(texts[i]));
}

/* Writes a GetTableRequest: without capabilities, Hive 3 and 4 refuse transactional tables. */
static void put_get_table(struct ps_thrift_writer *out, const struct ps_hive_request *request)
{
    put_text(out, 1, request->database);
    put_text(out, 2, request->table);
    ps_thrift_put_field(out, PS_THRIFT_STRUCT, 3, 2);
    ps_thrift_put_field(out, PS_THRIFT_LIST, 1, 0);
    ps_thrift_put_list(out, PS_THRIFT_I32, 1);
    ps_thrift_put_i32(out, CAPABILITY_INSERT_ONLY_TABLES);
    ps_thrift_put_stop(out);
}

/* Writes a LockRequest with one LockComponent, as Flume's streaming does: a shared lock of the partition for an insert. */
static void put_lock(struct ps_thrift_writer *out, const struct ps_hive_request *request)
{
    bool whole = request->partition == NULL;
    ps_thrift_put_field(out, PS_THRIFT_LIST, 1, 0);
    ps_thrift_put_list(out, PS_THRIFT_STRUCT, 1);
    put_i32(out, 1, LOCK_SHARED_READ);
    put_i32(out, 2, whole ? LOCK_LEVEL_TABLE : LOCK_LEVEL_PARTITION);
    put_text(out, 3, request->database);
    put_text(out, 4, request->table);
    if (!whole)
        put_text(out, 5, request->partition);
    put_i32(out, 6, OPERATION_INSERT);
    put_bool(out, 7, true); /* transactional */
    ps_thrift_put_stop(out);
    put_i64(out, 2, request->txn);
    put_text(out, 3, request->user);
    put_text(out, 4, request->host);
    put_text(out, 5, request->agent);
}

static void put_dynamic_partitions(struct ps_thrift_writer *out, const struct ps_hive_request *request)
{
    int16_t id = 1;
    put_i64(out, id++, request->txn);
    if (request->has_write_ids)
        put_i64(out, id++, request->write_id);
    put_text(out, id++, request->database);
    put_text(out, id++, request->table);
    put_text_list(out, id++, &request->partition, 1);
    put_i32(out, id, OPERATION_INSERT);
}

/* Writes the fields of the struct that is the only argument of most calls. */
static void put_fields(struct ps_thrift_writer *out, enum ps_hive_call call,
                       const struct ps_hive_request *request)
{
    switch (call) {
    case PS_HIVE_GET_TABLE:
        put_get_table(out, request);
        break;
    case PS_HIVE_OPEN_TXNS:
        put_i32(out, 1, request->txn_count);
        put_text(out, 2, request->user);
        put_text(out, 3, request->host);
        put_text(out, 4, request->agent);
        break;
    case PS_HIVE_COMMIT_TXN:
    case PS_HIVE_ABORT_TXN:
        put_i64(out, 1, request->txn);
        break;
    case PS_HIVE_ABORT_TXNS:
        put_i64_list(out, 1, request->txns, request->txns_count);
        break;
    case PS_HIVE_HEARTBEAT_TXN_RANGE:
        put_i64(out, 1, request->txn_min);
        put_i64(out, 2, request->txn_max);
        break;
    case PS_HIVE_ALLOCATE_TABLE_WRITE_IDS:
        put_text(out, 1, request->database);
        put_text(out, 2, request->table);
        put_i64_list(out, 3, request->txns, request->txns_count);
        break;
    case PS_HIVE_LOCK:
        put_lock(out, request);
        break;
    case PS_HIVE_CHECK_LOCK:
        put_i64(out, 1, request->lock);
        put_i64(out, 2, request->txn);
        put_i64(out, 3, request->elapsed_ms);
        break;
    case PS_HIVE_UNLOCK:
        put_i64(out, 1, request->lock);
        break;
    case PS_HIVE_SHOW_LOCKS:
        put_text(out, 1, request->database);
        put_text(out, 2, request->table);
        break;
    case PS_HIVE_ADD_DYNAMIC_PARTITIONS:
        put_dynamic_partitions(out, request);
        break;
    case PS_HIVE_GET_TABLE_OLD:
    case PS_HIVE_APPEND_PARTITION:
    case PS_HIVE_GET_PARTITION:
    case PS_HIVE_CALLS:
        break;
    }
}

size_t ps_hive_request_write(enum ps_hive_call call, const struct ps_hive_request *request, uint32_t number,
                             uint8_t *to)
{
    struct ps_thrift_writer out = {.at = to};
    const char *name = ps_hive_call_names[call];
    ps_thrift_put_message(&out, &(struct ps_thrift_message){.type = PS_THRIFT_CALL,
                                                            .number = number,
                                                            .name = {name, (uint32_t)strlen(name)}});
    if (call == PS_HIVE_GET_TABLE_OLD || call == PS_HIVE_APPEND_PARTITION || call == PS_HIVE_GET_PARTITION) {
        put_text(&out, 1, request->database);
        put_text(&out, 2, request->table);
        if (call != PS_HIVE_GET_TABLE_OLD)
            put_text_list(&out, 3, request->values, request->value_count);
    } else {
        ps_thrift_put_field(&out, PS_THRIFT_STRUCT, 1, 0);
        put_fields(&out, call, request);
        ps_thrift_put_stop(&out);
    }
    ps_thrift_put_stop(&out);
    return (size_t)(out.at - to);
}
