/* Maps of keys, and the engine's own tables of option rows. */
#include "core/option.h"

#include "core/engine/plan.h"
#include "tests/support/support.h"

static void test_pairs(void **state)
{
    const struct ps_pair items[] = {{.key = "a", .value = "1"}, {.key = "b", .value = ""}};
    const struct ps_pairs pairs = {PS_COUNT_OF(items), items}, none = {0, NULL};
    assert_string_equal(ps_pairs_get(&pairs, "a"), "1");
    assert_string_equal(ps_pairs_get(&pairs, "b"), "");
    assert_null(ps_pairs_get(&pairs, "c"));
    assert_null(ps_pairs_get(&pairs, ""));
    assert_null(ps_pairs_get(&none, "a"));
}

/* Every row has a description and fits its struct, and no key occurs twice. */
static void check_rows(const struct ps_option *rows, size_t bytes)
{
    static const size_t sizes[] = {[PS_OPTION_TEXT] = sizeof(char *),
                                   [PS_OPTION_INT] = sizeof(int64_t),
                                   [PS_OPTION_DOUBLE] = sizeof(double),
                                   [PS_OPTION_BOOL] = sizeof(bool),
                                   [PS_OPTION_ENUM] = sizeof(int),
                                   [PS_OPTION_LIST] = sizeof(struct ps_texts),
                                   [PS_OPTION_COMMAS] = sizeof(struct ps_texts),
                                   [PS_OPTION_MAP] = sizeof(struct ps_pairs),
                                   [PS_OPTION_SIZE] = sizeof(int64_t)};
    assert_non_null(rows[0].key);
    for (const struct ps_option *row = rows; row->key != NULL; row++) {
        assert_non_null(row->help);
        assert_true(row->offset + sizes[row->type] <= bytes);
        assert_true(row->min <= row->max);
        assert_true((row->type == PS_OPTION_ENUM) == (row->words != NULL));
        for (const struct ps_option *other = rows; other < row; other++) {
            assert_string_not_equal(other->key, row->key);
            assert_true(other->offset + sizes[other->type] <= row->offset ||
                        row->offset + sizes[row->type] <= other->offset);
        }
    }
}

static void test_engine_rows(void **state)
{
    check_rows(ps_agent_option_rows, sizeof(struct ps_agent_options));
    check_rows(ps_source_common_rows, sizeof(struct ps_source_common));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pairs), cmocka_unit_test(test_engine_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
