/* Decodes answers, with the return values and exceptions that hive_metastore.thrift declares. */
#include "stages/lib/hive/message.h"

#include "core/text/printable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXCEPTIONS_MAX 3U
#define UNKNOWN_METHOD 1 /* type of TApplicationException */

/* Meanings of a call's exceptions, by the field that has them. */
static const enum ps_hive_error exceptions[PS_HIVE_CALLS][EXCEPTIONS_MAX] = {
    [PS_HIVE_GET_TABLE] = {PS_HIVE_REFUSED, PS_HIVE_MISSING},
    [PS_HIVE_GET_TABLE_OLD] = {PS_HIVE_REFUSED, PS_HIVE_MISSING},
    [PS_HIVE_COMMIT_TXN] = {PS_HIVE_TXN_GONE, PS_HIVE_TXN_GONE},
    [PS_HIVE_ABORT_TXN] = {PS_HIVE_TXN_GONE},
    [PS_HIVE_ABORT_TXNS] = {PS_HIVE_TXN_GONE},
    [PS_HIVE_ALLOCATE_TABLE_WRITE_IDS] = {PS_HIVE_TXN_GONE, PS_HIVE_TXN_GONE, PS_HIVE_REFUSED},
    [PS_HIVE_LOCK] = {PS_HIVE_TXN_GONE, PS_HIVE_TXN_GONE},
    [PS_HIVE_CHECK_LOCK] = {PS_HIVE_TXN_GONE, PS_HIVE_TXN_GONE, PS_HIVE_TXN_GONE},
    [PS_HIVE_UNLOCK] = {PS_HIVE_TXN_GONE, PS_HIVE_REFUSED},
    [PS_HIVE_ADD_DYNAMIC_PARTITIONS] = {PS_HIVE_TXN_GONE, PS_HIVE_TXN_GONE},
    [PS_HIVE_APPEND_PARTITION] = {PS_HIVE_REFUSED, PS_HIVE_EXISTS, PS_HIVE_REFUSED},
    [PS_HIVE_GET_PARTITION] = {PS_HIVE_REFUSED, PS_HIVE_MISSING},
};

static void fail(struct ps_hive_answer *answer, enum ps_hive_error error, struct ps_slice text)
{
    answer->error = error;
    (void)ps_printable_copy(answer->reason, sizeof answer->reason, text.data, text.length);
}

/* Reads an exception of Hive or of Thrift: field 1 is the message; in an exception of Thrift, field 2 is the type. */
static void read_exception(struct ps_thrift_reader *in, enum ps_hive_error error,
                           struct ps_hive_answer *answer)
{
    struct ps_thrift_field field = {0};
    struct ps_slice text = {0};
    while (ps_thrift_read_field(in, &field)) {
        if (field.id == 1 && field.type == PS_THRIFT_STRING)
            text = ps_thrift_read_text(in);
        else if (field.id == 2 && field.type == PS_THRIFT_I32 && error == PS_HIVE_NO_CALL)
            error = ps_thrift_read_i32(in) == UNKNOWN_METHOD ? PS_HIVE_NO_CALL : PS_HIVE_REFUSED;
        else
            ps_thrift_skip(in, field.type);
    }
    fail(answer, error, text);
}

/* Begins a list or set. Returns the number of its items; 0 if there are none, or if they are of another type, which
 * makes the message invalid. */
static uint32_t begin_list(struct ps_thrift_reader *in, enum ps_thrift_type wanted)
{
    enum ps_thrift_type type;
    uint32_t count = ps_thrift_read_list(in, &type);
    in->bad = in->bad || (count > 0 && type != wanted);
    return in->bad ? 0 : count;
}

/* Appends a list or set of i64 to the numbers. */
static void read_numbers(struct ps_thrift_reader *in, struct ps_hive_answer *answer)
{
    uint32_t count = begin_list(in, PS_THRIFT_I64);
    if (count == 0)
        return;
    answer->numbers = ps_must_realloc(answer->numbers, (answer->number_count + count) * sizeof(int64_t),
                                      "an answer of a metastore");
    for (; count > 0 && !in->bad; count--)
        answer->numbers[answer->number_count++] = ps_thrift_read_i64(in);
}

/* Reads a list of TxnToWriteId: transaction, write id. */
static void read_write_ids(struct ps_thrift_reader *in, struct ps_hive_answer *answer)
{
    uint32_t count = begin_list(in, PS_THRIFT_STRUCT);
    if (count == 0)
        return;
    answer->numbers = ps_must_alloc(2 * (size_t)count, sizeof(int64_t), "an answer of a metastore");
    for (; count > 0 && !in->bad; count--) {
        struct ps_thrift_field field = {0};
        int64_t *pair = answer->numbers + answer->number_count;
        while (ps_thrift_read_field(in, &field)) {
            if ((field.id == 1 || field.id == 2) && field.type == PS_THRIFT_I64)
                pair[field.id - 1] = ps_thrift_read_i64(in);
            else
                ps_thrift_skip(in, field.type);
        }
        answer->number_count += 2;
    }
}

static struct ps_hive_pair *grow(struct ps_hive_pairs *pairs, uint32_t count)
{
    pairs->all =
        ps_must_realloc(pairs->all, (pairs->count + count) * sizeof(*pairs->all), "an answer of a metastore");
    memset(pairs->all + pairs->count, 0, count * sizeof(*pairs->all));
    return pairs->all + pairs->count;
}

/* Reads a list of FieldSchema: name, type. */
static void read_columns(struct ps_thrift_reader *in, struct ps_hive_pairs *pairs)
{
    uint32_t count = begin_list(in, PS_THRIFT_STRUCT);
    if (count == 0)
        return;
    struct ps_hive_pair *pair = grow(pairs, count);
    pairs->count += count;
    for (; count > 0 && !in->bad; count--, pair++) {
        struct ps_thrift_field field = {0};
        while (ps_thrift_read_field(in, &field)) {
            if (field.id == 1 && field.type == PS_THRIFT_STRING)
                pair->name = ps_thrift_read_text(in);
            else if (field.id == 2 && field.type == PS_THRIFT_STRING)
                pair->value = ps_thrift_read_text(in);
            else
                ps_thrift_skip(in, field.type);
        }
    }
}

static void read_names(struct ps_thrift_reader *in, struct ps_hive_pairs *pairs)
{
    uint32_t count = begin_list(in, PS_THRIFT_STRING);
    if (count == 0)
        return;
    struct ps_hive_pair *pair = grow(pairs, count);
    pairs->count += count;
    for (; count > 0 && !in->bad; count--)
        (pair++)->name = ps_thrift_read_text(in);
}

static void read_parameters(struct ps_thrift_reader *in, struct ps_hive_pairs *pairs)
{
    enum ps_thrift_type key, value;
    uint32_t count = ps_thrift_read_map(in, &key, &value);
    in->bad = in->bad || (count > 0 && (key != PS_THRIFT_STRING || value != PS_THRIFT_STRING));
    if (in->bad || count == 0)
        return;
    struct ps_hive_pair *pair = grow(pairs, count);
    pairs->count += count;
    for (; count > 0 && !in->bad; count--, pair++) {
        pair->name = ps_thrift_read_text(in);
        pair->value = ps_thrift_read_text(in);
    }
}

static bool is(const struct ps_thrift_field *field, int16_t id, enum ps_thrift_type type)
{
    return field->id == id && field->type == type;
}

static void read_serde(struct ps_thrift_reader *in, struct ps_hive_table *table)
{
    struct ps_thrift_field field = {0};
    while (ps_thrift_read_field(in, &field)) {
        if (is(&field, 2, PS_THRIFT_STRING))
            table->serde = ps_thrift_read_text(in);
        else if (is(&field, 3, PS_THRIFT_MAP))
            read_parameters(in, &table->serde_parameters);
        else
            ps_thrift_skip(in, field.type);
    }
}

static void read_storage(struct ps_thrift_reader *in, struct ps_hive_table *table)
{
    struct ps_thrift_field field = {0};
    while (ps_thrift_read_field(in, &field)) {
        if (is(&field, 1, PS_THRIFT_LIST))
            read_columns(in, &table->columns);
        else if (is(&field, 2, PS_THRIFT_STRING))
            table->location = ps_thrift_read_text(in);
        else if (is(&field, 3, PS_THRIFT_STRING))
            table->input_format = ps_thrift_read_text(in);
        else if (is(&field, 4, PS_THRIFT_STRING))
            table->output_format = ps_thrift_read_text(in);
        else if (is(&field, 6, PS_THRIFT_I32))
            table->bucket_count = ps_thrift_read_i32(in);
        else if (is(&field, 7, PS_THRIFT_STRUCT))
            read_serde(in, table);
        else if (is(&field, 8, PS_THRIFT_LIST))
            read_names(in, &table->bucket_columns);
        else
            ps_thrift_skip(in, field.type);
    }
}

static void read_table(struct ps_thrift_reader *in, struct ps_hive_table *table)
{
    struct ps_thrift_field field = {0};
    while (ps_thrift_read_field(in, &field)) {
        if (is(&field, 4, PS_THRIFT_I32))
            table->created_s = ps_thrift_read_i32(in);
        else if (is(&field, 25, PS_THRIFT_I64))
            table->id = ps_thrift_read_i64(in);
        else if (is(&field, 7, PS_THRIFT_STRUCT))
            read_storage(in, table);
        else if (is(&field, 8, PS_THRIFT_LIST))
            read_columns(in, &table->partition_keys);
        else if (is(&field, 9, PS_THRIFT_MAP))
            read_parameters(in, &table->parameters);
        else if (is(&field, 12, PS_THRIFT_STRING))
            table->table_type = ps_thrift_read_text(in);
        else
            ps_thrift_skip(in, field.type);
    }
}

static void read_partition(struct ps_thrift_reader *in, struct ps_hive_table *table)
{
    struct ps_thrift_field field = {0};
    while (ps_thrift_read_field(in, &field)) {
        if (is(&field, 6, PS_THRIFT_STRUCT))
            read_storage(in, table);
        else
            ps_thrift_skip(in, field.type);
    }
}

enum { LOCK_EXCLUSIVE = 3, LOCK_EXCLUSIVE_WRITE = 4 };

/* Reads a ShowLocksResponseElement. */
static bool read_lock_holder(struct ps_thrift_reader *in, struct ps_hive_lock_holder *holder)
{
    struct ps_thrift_field field = {0};
    int32_t type = 0;
    while (ps_thrift_read_field(in, &field)) {
        if (is(&field, 5, PS_THRIFT_I32))
            holder->is_acquired = ps_thrift_read_i32(in) == PS_HIVE_LOCK_ACQUIRED;
        else if (is(&field, 6, PS_THRIFT_I32))
            type = ps_thrift_read_i32(in);
        else if (is(&field, 7, PS_THRIFT_I64))
            holder->txn = ps_thrift_read_i64(in);
        else if (is(&field, 9, PS_THRIFT_I64))
            holder->acquired_ms = ps_thrift_read_i64(in);
        else if (is(&field, 10, PS_THRIFT_STRING))
            holder->user = ps_thrift_read_text(in);
        else if (is(&field, 11, PS_THRIFT_STRING))
            holder->host = ps_thrift_read_text(in);
        else if (is(&field, 13, PS_THRIFT_STRING))
            holder->agent = ps_thrift_read_text(in);
        else
            ps_thrift_skip(in, field.type);
    }
    return type == LOCK_EXCLUSIVE || type == LOCK_EXCLUSIVE_WRITE;
}

static void read_lock_holders(struct ps_thrift_reader *in, struct ps_hive_answer *answer)
{
    enum ps_thrift_type type;
    uint32_t count = ps_thrift_read_list(in, &type);
    in->bad = in->bad || (count > 0 && type != PS_THRIFT_STRUCT);
    for (; count > 0 && !in->bad; count--) {
        struct ps_hive_lock_holder holder = {.is_there = true};
        bool is_exclusive = read_lock_holder(in, &holder);
        struct ps_hive_lock_holder *kept = is_exclusive ? &answer->exclusive : &answer->shared;
        bool is_better = !kept->is_there || (is_exclusive ? holder.is_acquired : holder.txn < kept->txn);
        if (is_better && (is_exclusive || holder.is_acquired))
            *kept = holder;
    }
}

/* Reads the struct that a call returns. Callers need only one or two fields of most structs. */
static void read_result(struct ps_thrift_reader *in, enum ps_hive_call call, struct ps_hive_answer *answer)
{
    struct ps_thrift_field field = {0};
    if (call == PS_HIVE_GET_TABLE_OLD) {
        read_table(in, &answer->table);
        return;
    }
    if (call == PS_HIVE_APPEND_PARTITION || call == PS_HIVE_GET_PARTITION) {
        read_partition(in, &answer->table);
        return;
    }
    while (ps_thrift_read_field(in, &field)) {
        bool is_list = field.type == PS_THRIFT_LIST || field.type == PS_THRIFT_SET;
        if (call == PS_HIVE_GET_TABLE && is(&field, 1, PS_THRIFT_STRUCT))
            read_table(in, &answer->table);
        else if (call == PS_HIVE_OPEN_TXNS && field.id == 1 && is_list)
            read_numbers(in, answer);
        else if (call == PS_HIVE_HEARTBEAT_TXN_RANGE && is_list)
            read_numbers(in, answer);
        else if (call == PS_HIVE_ALLOCATE_TABLE_WRITE_IDS && field.id == 1 && is_list &&
                 answer->numbers == NULL)
            read_write_ids(in, answer);
        else if (call == PS_HIVE_SHOW_LOCKS && is(&field, 1, PS_THRIFT_LIST))
            read_lock_holders(in, answer);
        else if ((call == PS_HIVE_LOCK || call == PS_HIVE_CHECK_LOCK) && is(&field, 1, PS_THRIFT_I64))
            answer->lock = ps_thrift_read_i64(in);
        else if ((call == PS_HIVE_LOCK || call == PS_HIVE_CHECK_LOCK) && is(&field, 2, PS_THRIFT_I32))
            answer->lock_state = (enum ps_hive_lock_state)ps_thrift_read_i32(in);
        else
            ps_thrift_skip(in, field.type);
    }
}

static bool returns_something(enum ps_hive_call call)
{
    return call != PS_HIVE_COMMIT_TXN && call != PS_HIVE_ABORT_TXN && call != PS_HIVE_ABORT_TXNS &&
           call != PS_HIVE_UNLOCK && call != PS_HIVE_ADD_DYNAMIC_PARTITIONS;
}

/* Hive 1 to 4 have one exception for a transaction that is committed and for one that they do not know; its text tells which. */
static void tell_committed(enum ps_hive_call call, struct ps_hive_answer *answer)
{
    if (call == PS_HIVE_ABORT_TXN && answer->error == PS_HIVE_TXN_GONE &&
        strstr(answer->reason, "already committed") != NULL)
        answer->error = PS_HIVE_TXN_COMMITTED;
}

static void read_reply(struct ps_thrift_reader *in, enum ps_hive_call call, struct ps_hive_answer *answer)
{
    struct ps_thrift_field field = {0};
    bool answered = !returns_something(call);
    while (ps_thrift_read_field(in, &field)) {
        if (field.type != PS_THRIFT_STRUCT) {
            ps_thrift_skip(in, field.type);
            continue;
        }
        enum ps_hive_error error = PS_HIVE_OK;
        if (field.id >= 1)
            error = field.id <= (int)EXCEPTIONS_MAX ? exceptions[call][field.id - 1] : PS_HIVE_REFUSED;
        if (field.id >= 1)
            read_exception(in, error == PS_HIVE_OK ? PS_HIVE_REFUSED : error, answer);
        else
            read_result(in, call, answer);
        tell_committed(call, answer);
        answered = true;
    }
    in->bad = in->bad || !answered;
}

void ps_hive_answer_read(enum ps_hive_call call, uint32_t number, const uint8_t *bytes, size_t length,
                         struct ps_hive_answer *answer)
{
    struct ps_thrift_reader in = {.at = bytes, .end = bytes + length};
    struct ps_thrift_message message;
    *answer = (struct ps_hive_answer){.error = PS_HIVE_OK};
    if (!ps_thrift_read_message(&in, &message) || message.number != number) {
        in.bad = true;
    } else if (message.type == PS_THRIFT_EXCEPTION) {
        read_exception(&in, PS_HIVE_NO_CALL, answer);
    } else {
        in.bad = message.type != PS_THRIFT_REPLY;
        if (!in.bad)
            read_reply(&in, call, answer);
    }
    if (in.bad) {
        static const char text[] = "that is not an answer of a metastore";
        fail(answer, PS_HIVE_GARBAGE, (struct ps_slice){text, sizeof(text) - 1});
    }
}

void ps_hive_answer_free(struct ps_hive_answer *answer)
{
    free(answer->numbers);
    free(answer->table.columns.all);
    free(answer->table.partition_keys.all);
    free(answer->table.bucket_columns.all);
    free(answer->table.parameters.all);
    free(answer->table.serde_parameters.all);
    *answer = (struct ps_hive_answer){.error = PS_HIVE_OK};
}

struct ps_slice ps_hive_pairs_find(const struct ps_hive_pairs *pairs, const char *name)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (pairs->all[i].name.length == strlen(name) &&
            memcmp(pairs->all[i].name.data, name, strlen(name)) == 0)
            return pairs->all[i].value;
    return (struct ps_slice){0};
}
