/* Calls of the metastore, as bytes: each fits into the room that was reserved for it, whatever its arguments. */
#include "stages/lib/hive/message.h"
#include "tests/support/support.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_calls_fit_into_their_room(void **state)
{
    static char text[5000];
    static const char *const values[] = {text, text, "", text};
    static int64_t txns[1000];
    memset(text, 'x', sizeof text - 1);
    for (size_t i = 0; i < PS_COUNT_OF(txns); i++)
        txns[i] = INT64_MAX - (int64_t)i;
    for (unsigned which = 0; which < 32; which++) { /* some of the texts are long */
        const struct ps_hive_request request = {
            .database = which & 1 ? text : "d",
            .table = which & 2 ? text : "t",
            .user = which & 4 ? text : "u",
            .host = which & 4 ? text : "h",
            .agent = which & 8 ? text : "a",
            .partition = which & 16 ? text : "day=1",
            .values = values,
            .value_count = which % (PS_COUNT_OF(values) + 1),
            .txn_count = INT32_MAX,
            .txn = INT64_MAX,
            .lock = INT64_MAX,
            .write_id = INT64_MAX,
            .elapsed_ms = INT64_MAX,
            .txn_max = INT64_MAX,
            .txns = txns,
            .txns_count = which % 3 * 500,
            .has_write_ids = true,
        };
        size_t room = ps_hive_request_room(&request);
        uint8_t *bytes = malloc(room + 100000);
        assert_non_null(bytes);
        for (int call = 0; call < PS_HIVE_CALLS; call++) {
            size_t length = ps_hive_request_write((enum ps_hive_call)call, &request, UINT32_MAX, bytes);
            if (length > room)
                fail_msg("%s takes %zu bytes, and asked for %zu", ps_hive_call_names[call], length, room);
        }
        free(bytes);
    }
}

/* ---- what the calls say ---- */

static char said[2000];
static size_t said_length;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(said + said_length, sizeof said - said_length, format, arguments);
    va_end(arguments);
    said_length += (size_t)length;
    assert_true(said_length < sizeof said);
}

static void say_struct(struct ps_thrift_reader *in);

static void say_value(struct ps_thrift_reader *in, enum ps_thrift_type type)
{
    struct ps_slice text;
    enum ps_thrift_type item;
    switch (type) {
    case PS_THRIFT_BOOL:
        say("%s", ps_thrift_read_byte(in) == 1 ? "true" : "false");
        break;
    case PS_THRIFT_I32:
        say("%di", ps_thrift_read_i32(in));
        break;
    case PS_THRIFT_I64:
        say("%lldL", (long long)ps_thrift_read_i64(in));
        break;
    case PS_THRIFT_STRING:
        text = ps_thrift_read_text(in);
        say("\"%.*s\"", (int)text.length, text.data);
        break;
    case PS_THRIFT_STRUCT:
        say_struct(in);
        break;
    case PS_THRIFT_LIST:
        say("[");
        for (uint32_t count = ps_thrift_read_list(in, &item); count > 0 && !in->bad; count--) {
            say_value(in, item);
            say(count > 1 ? " " : "");
        }
        say("]");
        break;
    default:
        fail_msg("type %d", (int)type);
    }
}

static void say_struct(struct ps_thrift_reader *in)
{
    struct ps_thrift_field field = {0};
    bool is_first = true;
    say("{");
    while (ps_thrift_read_field(in, &field)) {
        say("%s%d:", is_first ? "" : " ", field.id);
        is_first = false;
        say_value(in, field.type);
    }
    say("}");
}

/* The fields by their numbers in hive_metastore.thrift of Hive 4.0.1: GetTableRequest, OpenTxnRequest, CommitTxnRequest, AbortTxnsRequest,
 * HeartbeatTxnRangeRequest, AllocateTableWriteIdsRequest, LockRequest, CheckLockRequest, UnlockRequest, ShowLocksRequest, AddDynamicPartitions. */
static void test_calls_say_what_the_metastore_expects(void **state)
{
    static const struct {
        enum ps_hive_call call;
        bool has_partition, has_write_ids;
        const char *name, *fields;
    } cases[] = {
        {PS_HIVE_GET_TABLE, true, true, "get_table_req", "{1:{1:\"d\" 2:\"t\" 3:{1:[2i]}}}"},
        {PS_HIVE_GET_TABLE_OLD, true, true, "get_table", "{1:\"d\" 2:\"t\"}"},
        {PS_HIVE_OPEN_TXNS, true, true, "open_txns", "{1:{1:5i 2:\"u\" 3:\"h\" 4:\"a\"}}"},
        {PS_HIVE_COMMIT_TXN, true, true, "commit_txn", "{1:{1:11L}}"},
        {PS_HIVE_ABORT_TXN, true, true, "abort_txn", "{1:{1:11L}}"},
        {PS_HIVE_ABORT_TXNS, true, true, "abort_txns", "{1:{1:[21L 22L 9223372036854775807L]}}"},
        {PS_HIVE_HEARTBEAT_TXN_RANGE, true, true, "heartbeat_txn_range", "{1:{1:31L 2:32L}}"},
        {PS_HIVE_ALLOCATE_TABLE_WRITE_IDS, true, true, "allocate_table_write_ids",
         "{1:{1:\"d\" 2:\"t\" 3:[21L 22L 9223372036854775807L]}}"},
        {PS_HIVE_LOCK, true, true, "lock",
         "{1:{1:[{1:1i 2:3i 3:\"d\" 4:\"t\" 5:\"p=1\" 6:2i 7:true}] 2:11L 3:\"u\" 4:\"h\" 5:\"a\"}}"},
        {PS_HIVE_LOCK, false, true, "lock",
         "{1:{1:[{1:1i 2:2i 3:\"d\" 4:\"t\" 6:2i 7:true}] 2:11L 3:\"u\" 4:\"h\" 5:\"a\"}}"},
        {PS_HIVE_CHECK_LOCK, true, true, "check_lock", "{1:{1:12L 2:11L 3:14L}}"},
        {PS_HIVE_UNLOCK, true, true, "unlock", "{1:{1:12L}}"},
        {PS_HIVE_SHOW_LOCKS, true, true, "show_locks", "{1:{1:\"d\" 2:\"t\"}}"},
        {PS_HIVE_ADD_DYNAMIC_PARTITIONS, true, true, "add_dynamic_partitions",
         "{1:{1:11L 2:13L 3:\"d\" 4:\"t\" 5:[\"p=1\"] 6:2i}}"},
        {PS_HIVE_ADD_DYNAMIC_PARTITIONS, true, false, "add_dynamic_partitions", /* of Hive 2 */
         "{1:{1:11L 2:\"d\" 3:\"t\" 4:[\"p=1\"] 5:2i}}"},
        {PS_HIVE_APPEND_PARTITION, true, true, "append_partition", "{1:\"d\" 2:\"t\" 3:[\"1\" \"\"]}"},
        {PS_HIVE_GET_PARTITION, true, true, "get_partition", "{1:\"d\" 2:\"t\" 3:[\"1\" \"\"]}"},
    };
    static const char *const values[] = {"1", ""};
    static const int64_t txns[] = {21, 22, INT64_MAX};
    bool is_known[PS_HIVE_CALLS] = {false};
    uint8_t bytes[4096];
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        const struct ps_hive_request request = {.database = "d",
                                                .table = "t",
                                                .user = "u",
                                                .host = "h",
                                                .agent = "a",
                                                .partition = cases[i].has_partition ? "p=1" : NULL,
                                                .values = values,
                                                .value_count = 2,
                                                .txn_count = 5,
                                                .txn = 11,
                                                .lock = 12,
                                                .write_id = 13,
                                                .elapsed_ms = 14,
                                                .txn_min = 31,
                                                .txn_max = 32,
                                                .txns = txns,
                                                .txns_count = 3,
                                                .has_write_ids = cases[i].has_write_ids};
        size_t length = ps_hive_request_write(cases[i].call, &request, 77, bytes);
        struct ps_thrift_reader in = {.at = bytes, .end = bytes + length};
        struct ps_thrift_message message;
        assert_true(ps_thrift_read_message(&in, &message));
        assert_int_equal(message.type, PS_THRIFT_CALL);
        assert_int_equal(message.number, 77);
        assert_int_equal(message.name.length, strlen(cases[i].name));
        assert_memory_equal(message.name.data, cases[i].name, strlen(cases[i].name));
        said_length = 0;
        say_struct(&in);
        assert_string_equal(said, cases[i].fields);
        assert_false(in.bad);
        assert_ptr_equal(in.at, in.end);
        is_known[cases[i].call] = true;
    }
    for (int call = 0; call < PS_HIVE_CALLS; call++)
        assert_true(is_known[call]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_fit_into_their_room),
        cmocka_unit_test(test_calls_say_what_the_metastore_expects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
