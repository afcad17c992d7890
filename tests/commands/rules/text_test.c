/* The words in which `penstock rules` shows a condition. */
#include "commands/rules/rules.h"
#include "tests/support/arena.h"
#include "tests/support/support.h"

static void expect(const struct ps_condition *condition, const char *wanted)
{
    assert_string_equal(ps_rules_leaf_text(ps_test_arena(), NULL, condition), wanted);
}

/* A size is written with all of its digits, as in the file. */
static void test_sizes(void **state)
{
    static const struct {
        enum ps_condition_operator op;
        double number;
        const char *wanted;
    } rows[] = {
        {PS_OPERATOR_EQUAL, 0, "size == 0"},
        {PS_OPERATOR_UNEQUAL, 1, "size != 1"},
        {PS_OPERATOR_LESS, 999999, "size < 999999"},
        {PS_OPERATOR_LESS_EQUAL, 1000000, "size <= 1000000"},
        {PS_OPERATOR_MORE, 1048576, "size > 1048576"},
        {PS_OPERATOR_MORE_EQUAL, 4294967296, "size >= 4294967296"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_rules_value value = {.number = rows[i].number};
        const struct ps_condition condition = {
            .kind = PS_CONDITION_SIZE, .op = rows[i].op, .values = &value, .value_count = 1};
        expect(&condition, rows[i].wanted);
    }
}

#define TEXT(words)                                                                                          \
    {                                                                                                        \
        .text = { words, sizeof words - 1 }                                                                  \
    }

static void test_comparisons(void **state)
{
    struct ps_rules_value values[] = {TEXT("a"), TEXT("b\"c"), TEXT("")};
    struct ps_condition condition = {
        .kind = PS_CONDITION_COMPARE, .op = PS_OPERATOR_IN, .values = values, .value_count = 3};
    expect(&condition, "body in (\"a\", \"b\\\"c\", \"\")");
    condition.value_count = 1;
    expect(&condition, "body in (\"a\")");
    condition.subject.header = "host";
    expect(&condition, "header.host in (\"a\")");
    static const char *const wanted[] = {
        [PS_OPERATOR_EQUAL] = "==",          [PS_OPERATOR_UNEQUAL] = "!=",    [PS_OPERATOR_LESS] = "<",
        [PS_OPERATOR_LESS_EQUAL] = "<=",     [PS_OPERATOR_MORE] = ">",        [PS_OPERATOR_MORE_EQUAL] = ">=",
        [PS_OPERATOR_CONTAINS] = "contains", [PS_OPERATOR_BEGINS] = "begins", [PS_OPERATOR_ENDS] = "ends"};
    condition.subject.header = "two words";
    for (size_t op = 0; op < PS_COUNT_OF(wanted); op++) {
        if (wanted[op] == NULL)
            continue;
        condition.op = (enum ps_condition_operator)op;
        expect(&condition, ps_arena_format(ps_test_arena(), "header.\"two words\" %s \"a\"", wanted[op]));
    }
}

static void test_others(void **state)
{
    static const struct {
        enum ps_condition_kind kind;
        const char *wanted;
    } rows[] = {{PS_CONDITION_TRUE, "true"},
                {PS_CONDITION_AND, "and"},
                {PS_CONDITION_OR, "or"},
                {PS_CONDITION_NOT, "not"},
                {PS_CONDITION_EXISTS, "exists header.a-b"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct ps_condition condition = {.kind = rows[i].kind, .subject = {.header = "a-b"}};
        expect(&condition, rows[i].wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sizes, ps_test_arena_setup, ps_test_arena_teardown),
        cmocka_unit_test_setup_teardown(test_comparisons, ps_test_arena_setup, ps_test_arena_teardown),
        cmocka_unit_test_setup_teardown(test_others, ps_test_arena_setup, ps_test_arena_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
