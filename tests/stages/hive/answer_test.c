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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_answer_to_this_call_is_one),
        cmocka_unit_test(exceptions_of_thrift),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
