/* Answers of the metastore, as bytes of Thrift's binary protocol: which bytes are an answer, and the meaning of Thrift's
 * own exceptions. */
#include "stages/lib/hive/message.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#define NUMBER 7

static char reason[PS_HIVE_REASON_BYTES];

/* The head of a message: its type, the name "unlock", its sequence number. */
#define HEAD(type, number) 0x80, 1, 0, type, 0, 0, 0, 6, 'u', 'n', 'l', 'o', 'c', 'k', 0, 0, 0, number
enum { REPLY = 2, EXCEPTION = 3, ONE_WAY = 4 };
/* Fields of an exception: 1 is a text, 2 a number. */
#define TEXT 11, 0, 1, 0, 0, 0, 3, 'w', 'h', 'y'
#define KIND(number) 8, 0, 2, 0, 0, 0, number

static enum ps_hive_error read_answer(const uint8_t *bytes, size_t length)
{
    struct ps_hive_answer answer;
    ps_hive_answer_read(PS_HIVE_UNLOCK, NUMBER, bytes, length, &answer);
    enum ps_hive_error error = answer.error;
    snprintf(reason, sizeof reason, "%s", answer.reason);
    ps_hive_answer_free(&answer);
    return error;
}

#define READ(...)                                                                                            \
    read_answer((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}) /* all of it */)

static void test_only_the_answer_to_this_call_is_one(void **state)
{
    assert_int_equal(READ(HEAD(REPLY, NUMBER), 0), PS_HIVE_OK);
    assert_int_equal(READ(HEAD(REPLY, NUMBER - 1), 0), PS_HIVE_GARBAGE);
    assert_int_equal(READ(HEAD(REPLY, NUMBER + 1), 0), PS_HIVE_GARBAGE);
    assert_int_equal(READ(HEAD(ONE_WAY, NUMBER), 0), PS_HIVE_GARBAGE);
    assert_int_equal(READ(HEAD(REPLY, NUMBER)), PS_HIVE_GARBAGE);
    assert_int_equal(READ('H', 'T', 'T', 'P'), PS_HIVE_GARBAGE);
    assert_string_equal(reason, "that is not an answer of a metastore");
}

/* TApplicationException: 1 is an unknown method. */
static void test_exceptions_of_thrift(void **state)
{
    assert_int_equal(READ(HEAD(EXCEPTION, NUMBER), TEXT, KIND(1), 0), PS_HIVE_NO_CALL);
    assert_string_equal(reason, "why");
    assert_int_equal(READ(HEAD(EXCEPTION, NUMBER), KIND(6), TEXT, 0), PS_HIVE_REFUSED);
    assert_string_equal(reason, "why");
    for (uint8_t kind = 0; kind < 12; kind++)
        assert_int_equal(READ(HEAD(EXCEPTION, NUMBER), TEXT, KIND(kind), 0),
                         kind == 1 ? PS_HIVE_NO_CALL : PS_HIVE_REFUSED);
    assert_int_equal(READ(HEAD(EXCEPTION, NUMBER), TEXT), PS_HIVE_GARBAGE);
}

/* The exceptions of each call, by field number in hive_metastore.thrift. Letters: R refused, M missing, E exists, G:
 * the transaction is gone, so that the call is not repeated in it. Unknown fields are refusals. */
static void test_exceptions_of_the_metastore(void **state)
{
    static const enum ps_hive_error meanings[] = {
        ['R'] = PS_HIVE_REFUSED, ['M'] = PS_HIVE_MISSING, ['E'] = PS_HIVE_EXISTS, ['G'] = PS_HIVE_TXN_GONE};
    static const char *const wanted[PS_HIVE_CALLS] = {
        [PS_HIVE_GET_TABLE] = "RMRR",
        [PS_HIVE_GET_TABLE_OLD] = "RMRR",
        [PS_HIVE_OPEN_TXNS] = "RRRR",
        [PS_HIVE_COMMIT_TXN] = "GGRR",
        [PS_HIVE_ABORT_TXN] = "GRRR",
        [PS_HIVE_ABORT_TXNS] = "GRRR",
        [PS_HIVE_HEARTBEAT_TXN_RANGE] = "RRRR",
        [PS_HIVE_ALLOCATE_TABLE_WRITE_IDS] = "GGRR",
        [PS_HIVE_LOCK] = "GGRR",
        [PS_HIVE_CHECK_LOCK] = "GGGR",
        [PS_HIVE_UNLOCK] = "GRRR",
        [PS_HIVE_SHOW_LOCKS] = "RRRR",
        [PS_HIVE_ADD_DYNAMIC_PARTITIONS] = "GGRR",
        [PS_HIVE_APPEND_PARTITION] = "RERR",
        [PS_HIVE_GET_PARTITION] = "RMRR",
    };
    for (int call = 0; call < PS_HIVE_CALLS; call++) {
        for (uint8_t field = 1; field <= 4; field++) {
            const uint8_t bytes[] = {HEAD(REPLY, NUMBER), 12, 0, field, TEXT, 0, 0};
            struct ps_hive_answer answer;
            ps_hive_answer_read((enum ps_hive_call)call, NUMBER, bytes, sizeof bytes, &answer);
            if (answer.error != meanings[(unsigned char)wanted[call][field - 1]])
                fail_msg("%s, field %u: %d", ps_hive_call_names[call], field, (int)answer.error);
            assert_string_equal(answer.reason, "why");
            ps_hive_answer_free(&answer);
        }
    }
}

/* ---- answers made by a Thrift writer ---- */

static uint8_t made[4096];
static struct ps_thrift_writer out;
static struct ps_hive_answer answer;

/* Begins a reply whose field 0 has this type. */
static void begin(enum ps_thrift_type type)
{
    out = (struct ps_thrift_writer){.at = made};
    ps_thrift_put_message(&out, &(struct ps_thrift_message){PS_THRIFT_REPLY, NUMBER, {"call", 4}});
    ps_thrift_put_field(&out, type, 0, 0);
}

static void put(enum ps_thrift_type type, int16_t id)
{
    ps_thrift_put_field(&out, type, id, 0);
}

static void put_text(int16_t id, const char *text)
{
    put(PS_THRIFT_STRING, id);
    ps_thrift_put_text(&out, text, strlen(text));
}

static void put_i32(int16_t id, int32_t number)
{
    put(PS_THRIFT_I32, id);
    ps_thrift_put_i32(&out, number);
}

static void put_i64(int16_t id, int64_t number)
{
    put(PS_THRIFT_I64, id);
    ps_thrift_put_i64(&out, number);
}

static void end(unsigned stops)
{
    while (stops-- > 0)
        ps_thrift_put_stop(&out);
}

static void put_texts(const char *first, const char *second)
{
    ps_thrift_put_text(&out, first, strlen(first));
    ps_thrift_put_text(&out, second, strlen(second));
}

/* FieldSchema: name, type, comment. */
static void put_columns(int16_t id, const char *const *pairs, unsigned count)
{
    put(PS_THRIFT_LIST, id);
    ps_thrift_put_list(&out, PS_THRIFT_STRUCT, count);
    for (unsigned i = 0; i < count; i++) {
        put_text(1, pairs[2 * i]);
        put_text(2, pairs[2 * i + 1]);
        put_text(3, "a comment");
        ps_thrift_put_stop(&out);
    }
}

static void put_parameters(int16_t id, const char *value)
{
    put(PS_THRIFT_MAP, id);
    ps_thrift_put_map(&out, PS_THRIFT_STRING, PS_THRIFT_STRING, 2);
    put_texts("one", value);
    put_texts("two", "2");
}

/* A StorageDescriptor with all fields that are read, and others. */
static void put_storage(int16_t id)
{
    static const char *const columns[] = {"a", "int", "b", "string", "c", "array<int>"};
    put(PS_THRIFT_STRUCT, id);
    put_columns(1, columns, 3);
    put_text(2, "hdfs://nn/t");
    put_text(3, "input");
    put_text(4, "output");
    put(PS_THRIFT_BOOL, 5);
    ps_thrift_put_byte(&out, 0);
    put_i32(6, 17);
    put(PS_THRIFT_STRUCT, 7); /* SerDeInfo */
    put_text(1, "its name");
    put_text(2, "a serde");
    put_parameters(3, "serde");
    put_text(4, "other");
    ps_thrift_put_stop(&out);
    put(PS_THRIFT_LIST, 8);
    ps_thrift_put_list(&out, PS_THRIFT_STRING, 2);
    put_texts("b", "a");
    ps_thrift_put_stop(&out);
}

static void put_table(void)
{
    static const char *const keys[] = {"day", "date", "hour", "int"};
    put_text(1, "t");
    put_text(2, "d");
    put_text(3, "owner");
    put_i32(4, 1700000000);
    put_i32(5, 1);
    put_i32(6, 2);
    put_storage(7);
    put_columns(8, keys, 2);
    put_parameters(9, "table");
    put_text(10, "a view");
    put_text(11, "a view");
    put_text(12, "MANAGED_TABLE");
    put_i64(25, INT64_MAX - 1);
    put_i64(26, 3);
}

static enum ps_hive_error read_made(enum ps_hive_call call, size_t length)
{
    ps_hive_answer_free(&answer);
    ps_hive_answer_read(call, NUMBER, made, length, &answer);
    return answer.error;
}

static size_t made_length(void)
{
    return (size_t)(out.at - made);
}

static void expect_text(struct ps_slice slice, const char *text)
{
    assert_int_equal(slice.length, strlen(text));
    assert_memory_equal(slice.data, text, slice.length);
}

static void expect_pairs(const struct ps_hive_pairs *pairs, const char *const *texts, size_t count)
{
    assert_int_equal(pairs->count, count);
    for (size_t i = 0; i < count; i++) {
        expect_text(pairs->all[i].name, texts[2 * i]);
        if (texts[2 * i + 1] != NULL)
            expect_text(pairs->all[i].value, texts[2 * i + 1]);
    }
}

#define EXPECT_PAIRS(pairs, ...)                                                                             \
    expect_pairs(pairs, (const char *const[]){__VA_ARGS__},                                                  \
                 sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *) / 2)

static void expect_storage(void)
{
    const struct ps_hive_table *table = &answer.table;
    EXPECT_PAIRS(&table->columns, "a", "int", "b", "string", "c", "array<int>");
    expect_text(table->location, "hdfs://nn/t");
    expect_text(table->input_format, "input");
    expect_text(table->output_format, "output");
    assert_int_equal(table->bucket_count, 17);
    expect_text(table->serde, "a serde");
    EXPECT_PAIRS(&table->serde_parameters, "one", "serde", "two", "2");
    EXPECT_PAIRS(&table->bucket_columns, "b", NULL, "a", NULL);
}

/* Each field of a table and of a partition, as the calls return them. */
static void test_tables_have_all_their_fields(void **state)
{
    static const struct {
        enum ps_hive_call call;
        bool is_wrapped, is_partition;
    } cases[] = {{PS_HIVE_GET_TABLE, true, false},
                 {PS_HIVE_GET_TABLE_OLD, false, false},
                 {PS_HIVE_GET_PARTITION, false, true},
                 {PS_HIVE_APPEND_PARTITION, false, true}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        begin(PS_THRIFT_STRUCT);
        if (cases[i].is_wrapped)
            put(PS_THRIFT_STRUCT, 1);
        if (cases[i].is_partition)
            put_storage(6);
        else
            put_table();
        end(cases[i].is_wrapped ? 3 : 2);
        assert_int_equal(read_made(cases[i].call, made_length()), PS_HIVE_OK);
        expect_storage();
        if (!cases[i].is_partition) {
            assert_int_equal(answer.table.created_s, 1700000000);
            assert_int_equal(answer.table.id, INT64_MAX - 1);
            EXPECT_PAIRS(&answer.table.partition_keys, "day", "date", "hour", "int");
            EXPECT_PAIRS(&answer.table.parameters, "one", "table", "two", "2");
            expect_text(answer.table.table_type, "MANAGED_TABLE");
            expect_text(ps_hive_pairs_find(&answer.table.parameters, "two"), "2");
            assert_int_equal(ps_hive_pairs_find(&answer.table.parameters, "on").length, 0);
        }
        for (size_t length = 0; length < made_length(); length++) /* refused if it is cut */
            assert_int_equal(read_made(cases[i].call, length), PS_HIVE_GARBAGE);
    }
    ps_hive_answer_free(&answer);
}

/* The metastore's lists, sets and maps have items of one type. Items of another type make the answer garbage; an empty
 * list is accepted whatever type it names. */
static void test_lists_of_other_things(void **state)
{
    static const struct {
        enum ps_hive_call call;
        int16_t ids[3]; /* of the struct's parents, and its own */
        bool is_map;
        enum ps_thrift_type item;
    } cases[] = {
        {PS_HIVE_OPEN_TXNS, {1}, false, PS_THRIFT_I64},
        {PS_HIVE_HEARTBEAT_TXN_RANGE, {1}, false, PS_THRIFT_I64},
        {PS_HIVE_ALLOCATE_TABLE_WRITE_IDS, {1}, false, PS_THRIFT_STRUCT},
        {PS_HIVE_SHOW_LOCKS, {1}, false, PS_THRIFT_STRUCT},
        {PS_HIVE_GET_TABLE_OLD, {7, 1}, false, PS_THRIFT_STRUCT},
        {PS_HIVE_GET_TABLE_OLD, {7, 8}, false, PS_THRIFT_STRING},
        {PS_HIVE_GET_TABLE_OLD, {8}, false, PS_THRIFT_STRUCT},
        {PS_HIVE_GET_TABLE_OLD, {9}, true, PS_THRIFT_STRING},
        {PS_HIVE_GET_TABLE_OLD, {7, 7, 3}, true, PS_THRIFT_STRING},
        {PS_HIVE_GET_PARTITION, {6, 1}, false, PS_THRIFT_STRUCT},
    };
    static const enum ps_thrift_type types[] = {PS_THRIFT_I64, PS_THRIFT_STRUCT, PS_THRIFT_STRING,
                                                PS_THRIFT_I32};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        for (size_t t = 0; t < PS_COUNT_OF(types) * PS_COUNT_OF(types); t++) {
            enum ps_thrift_type key = types[t % 4], value = types[t / 4];
            for (uint32_t count = 0; count < 2 && (cases[i].is_map || key == value); count++) {
                unsigned depth = 0;
                begin(PS_THRIFT_STRUCT);
                for (; depth < 2 && cases[i].ids[depth + 1] != 0; depth++)
                    put(PS_THRIFT_STRUCT, cases[i].ids[depth]);
                put(cases[i].is_map ? PS_THRIFT_MAP : PS_THRIFT_LIST, cases[i].ids[depth]);
                if (cases[i].is_map)
                    ps_thrift_put_map(&out, key, value, count);
                else
                    ps_thrift_put_list(&out, value, count);
                for (uint32_t item = 0; item < count * (cases[i].is_map ? 2 : 1); item++) {
                    enum ps_thrift_type type = item == 0 && cases[i].is_map ? key : value;
                    if (type == PS_THRIFT_I64)
                        ps_thrift_put_i64(&out, 0);
                    else if (type == PS_THRIFT_STRUCT)
                        ps_thrift_put_stop(&out);
                    else
                        ps_thrift_put_i32(&out, 0); /* also an empty text */
                }
                end(2 + depth);
                bool is_well =
                    count == 0 || (value == cases[i].item && (!cases[i].is_map || key == cases[i].item));
                if (read_made(cases[i].call, made_length()) != (is_well ? PS_HIVE_OK : PS_HIVE_GARBAGE))
                    fail_msg("case %zu, types %d and %d, %u items: %d", i, (int)key, (int)value, count,
                             (int)answer.error);
            }
        }
    }
    ps_hive_answer_free(&answer);
}

/* The answer to a heartbeat has two sets, of aborted and of unknown transactions. Their numbers are kept in one list. */
static void test_numbers_of_several_lists(void **state)
{
    for (unsigned first = 0; first < 5; first++) {
        for (unsigned second = 0; second < 5; second++) {
            begin(PS_THRIFT_STRUCT);
            for (int16_t id = 1; id <= 2; id++) {
                unsigned count = id == 1 ? first : second;
                put(PS_THRIFT_SET, id);
                ps_thrift_put_list(&out, PS_THRIFT_I64, count);
                for (unsigned i = 0; i < count; i++)
                    ps_thrift_put_i64(&out, 100 * id + (int)i);
            }
            end(2);
            assert_int_equal(read_made(PS_HIVE_HEARTBEAT_TXN_RANGE, made_length()), PS_HIVE_OK);
            assert_int_equal(answer.number_count, first + second);
            for (unsigned i = 0; i < first + second; i++)
                assert_int_equal(answer.numbers[i], i < first ? 100 + i : 200 + i - first);
        }
    }
    ps_hive_answer_free(&answer);
}

static void test_pairs_of_write_ids(void **state)
{
    for (unsigned count = 0; count < 5; count++) {
        begin(PS_THRIFT_STRUCT);
        put(PS_THRIFT_LIST, 1);
        ps_thrift_put_list(&out, PS_THRIFT_STRUCT, count);
        for (unsigned i = 0; i < count; i++) {
            put_i64(i % 2 == 0 ? 1 : 2, i % 2 == 0 ? 10 + i : 20 + i); /* in any order */
            put_i64(i % 2 == 0 ? 2 : 1, i % 2 == 0 ? 20 + i : 10 + i);
            put_i64(3, 99);
            ps_thrift_put_stop(&out);
        }
        end(2);
        assert_int_equal(read_made(PS_HIVE_ALLOCATE_TABLE_WRITE_IDS, made_length()), PS_HIVE_OK);
        assert_int_equal(answer.number_count, 2 * count);
        for (unsigned i = 0; i < 2 * count; i++)
            assert_int_equal(answer.numbers[i], (i % 2 == 0 ? 10 : 20) + i / 2);
    }
    ps_hive_answer_free(&answer);
}

/* Random locks. The answer keeps one exclusive lock: the last one that is held, or else the first one that waits. It keeps one shared lock: of
 * those that are held, the one of the oldest transaction. LockState 1 is acquired; LockType 3 and 4 are exclusive. */
static void test_the_locks_that_matter(void **state)
{
    uint64_t random = ps_test_seed() | 1;
    for (unsigned round = 0; round < 500; round++) {
        unsigned count = (unsigned)(ps_test_random(&random) % 6), exclusive = 0, shared = 0;
        bool is_held[7] = {false};
        int64_t txns[7] = {0};
        begin(PS_THRIFT_STRUCT);
        put(PS_THRIFT_LIST, 1);
        ps_thrift_put_list(&out, PS_THRIFT_STRUCT, count);
        for (unsigned i = 1; i <= count; i++) {
            int32_t lock_state = 1 + (int32_t)(ps_test_random(&random) % 2),
                    type = 1 + (int32_t)(ps_test_random(&random) % 4);
            txns[i] = (int64_t)(ps_test_random(&random) % 1000);
            is_held[i] = lock_state == 1;
            put_i64(1, 7);
            put_i32(5, lock_state);
            put_i32(6, type);
            put_i64(7, txns[i]);
            put_i64(9, i);
            put_text(10, "user");
            put_text(11, "host");
            put_text(13, "agent");
            ps_thrift_put_stop(&out);
            if (type >= 3 && (exclusive == 0 || is_held[i]))
                exclusive = i;
            if (type < 3 && is_held[i] && (shared == 0 || txns[i] < txns[shared]))
                shared = i;
        }
        end(2);
        assert_int_equal(read_made(PS_HIVE_SHOW_LOCKS, made_length()), PS_HIVE_OK);
        assert_int_equal(answer.exclusive.is_there, exclusive > 0);
        assert_int_equal(answer.exclusive.is_acquired, is_held[exclusive]);
        assert_int_equal(answer.exclusive.acquired_ms, exclusive);
        assert_int_equal(answer.exclusive.txn, txns[exclusive]);
        assert_int_equal(answer.shared.is_there, shared > 0);
        assert_int_equal(answer.shared.is_acquired, shared > 0);
        assert_int_equal(answer.shared.acquired_ms, shared);
        assert_int_equal(answer.shared.txn, txns[shared]);
        expect_text(answer.shared.user, shared > 0 ? "user" : "");
        expect_text(answer.shared.host, shared > 0 ? "host" : "");
        expect_text(answer.shared.agent, shared > 0 ? "agent" : "");
    }
    ps_hive_answer_free(&answer);
}

/* A lock's number and state, which may come in any order, with more fields around them. */
static void test_locks_have_a_number_and_a_state(void **state)
{
    static const enum ps_hive_call calls[] = {PS_HIVE_LOCK, PS_HIVE_CHECK_LOCK};
    for (unsigned i = 0; i < 2 * PS_COUNT_OF(calls); i++) {
        for (int32_t lock_state = 1; lock_state <= 4; lock_state++) {
            begin(PS_THRIFT_STRUCT);
            if (i % 2 == 0)
                put_i64(1, 41);
            put_i32(2, lock_state);
            put_text(3, "an error");
            put_i32(4, 9);
            if (i % 2 == 1)
                put_i64(1, 41);
            end(2);
            assert_int_equal(read_made(calls[i / 2], made_length()), PS_HIVE_OK);
            assert_int_equal(answer.lock, 41);
            assert_int_equal(answer.lock_state, lock_state);
        }
    }
    ps_hive_answer_free(&answer);
}

/* A call that returns a value is answered by the value or an exception; other calls may be answered by an empty
 * struct. */
static void test_answers_with_nothing_in_them(void **state)
{
    for (int call = 0; call < PS_HIVE_CALLS; call++) {
        bool returns_nothing = call == PS_HIVE_COMMIT_TXN || call == PS_HIVE_ABORT_TXN ||
                               call == PS_HIVE_ABORT_TXNS || call == PS_HIVE_UNLOCK ||
                               call == PS_HIVE_ADD_DYNAMIC_PARTITIONS;
        const uint8_t nothing[] = {HEAD(REPLY, NUMBER), 0},
                      a_number[] = {HEAD(REPLY, NUMBER), 8, 0, 1, 0, 0, 0, 9, 0};
        enum ps_hive_error wanted = returns_nothing ? PS_HIVE_OK : PS_HIVE_GARBAGE;
        ps_hive_answer_read((enum ps_hive_call)call, NUMBER, nothing, sizeof nothing, &answer);
        assert_int_equal(answer.error, wanted);
        ps_hive_answer_read((enum ps_hive_call)call, NUMBER, a_number, sizeof a_number, &answer);
        assert_int_equal(answer.error, wanted);
    }
    ps_hive_answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exceptions_of_the_metastore),
        cmocka_unit_test(test_only_the_answer_to_this_call_is_one),
        cmocka_unit_test(test_exceptions_of_thrift),
        cmocka_unit_test(test_tables_have_all_their_fields),
        cmocka_unit_test(test_lists_of_other_things),
        cmocka_unit_test(test_numbers_of_several_lists),
        cmocka_unit_test(test_pairs_of_write_ids),
        cmocka_unit_test(test_the_locks_that_matter),
        cmocka_unit_test(test_locks_have_a_number_and_a_state),
        cmocka_unit_test(test_answers_with_nothing_in_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
