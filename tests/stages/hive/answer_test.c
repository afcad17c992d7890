/* Answers of the metastore, as bytes of Thrift's binary protocol: what is one, and what Thrift's own exceptions mean. */
#include "stages/hive/message.h"
#include "tests/support/support.h"

#include <stdio.h>

#define NUMBER 7

static char reason[PS_HIVE_REASON_BYTES];

/* The message's head: its type, the name "unlock", its number. */
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

static void only_the_answer_to_this_call_is_one(void **state)
{
    (void)state;
    assert_int_equal(READ(HEAD(REPLY, NUMBER), 0), PS_HIVE_OK);
    assert_int_equal(READ(HEAD(REPLY, NUMBER - 1), 0), PS_HIVE_GARBAGE);
    assert_int_equal(READ(HEAD(REPLY, NUMBER + 1), 0), PS_HIVE_GARBAGE);
    assert_int_equal(READ(HEAD(ONE_WAY, NUMBER), 0), PS_HIVE_GARBAGE);
    assert_int_equal(READ(HEAD(REPLY, NUMBER)), PS_HIVE_GARBAGE);
    assert_int_equal(READ('H', 'T', 'T', 'P'), PS_HIVE_GARBAGE);
    assert_string_equal(reason, "that is no answer of a metastore");
}

/* TApplicationException: 1 is an unknown method. */
static void exceptions_of_thrift(void **state)
{
    (void)state;
    assert_int_equal(READ(HEAD(EXCEPTION, NUMBER), TEXT, KIND(1), 0), PS_HIVE_NO_CALL);
    assert_string_equal(reason, "why");
    assert_int_equal(READ(HEAD(EXCEPTION, NUMBER), KIND(6), TEXT, 0), PS_HIVE_REFUSED);
    assert_string_equal(reason, "why");
    assert_int_equal(READ(HEAD(EXCEPTION, NUMBER), TEXT), PS_HIVE_GARBAGE);
}

/* The exceptions of each call, by field, as hive_metastore.thrift declares them: one of a transaction that is gone is not tried again in it, one of
 * the metastore's own may be; a field that no version has is a refusal. */
static void exceptions_of_the_metastore(void **state)
{
    static const enum ps_hive_error meanings[] = {
        ['R'] = PS_HIVE_REFUSED, ['M'] = PS_HIVE_MISSING, ['E'] = PS_HIVE_EXISTS, ['G'] = PS_HIVE_TXN_GONE};
    static const char *const wanted[PS_HIVE_CALLS] = {
        [PS_HIVE_GET_TABLE] = "RMRR",
        [PS_HIVE_GET_TABLE_OLD] = "RMRR",
        [PS_HIVE_OPEN_TXNS] = "RRRR",
        [PS_HIVE_COMMIT_TXN] = "GGRR",
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
    (void)state;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exceptions_of_the_metastore),
        cmocka_unit_test(only_the_answer_to_this_call_is_one),
        cmocka_unit_test(exceptions_of_thrift),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
