/* The distinct strings of a column: numbers by first appearance, and places in the order of their bytes. */
#include "stages/orc/dictionary.h"

#include "tests/support/support.h"

#include <string.h>

static void test_order(void **unused)
{
    /* One is the beginning of the next; bytes are compared without a sign; a 0 is a byte. */
    static const struct {
        const char *bytes;
        uint32_t length;
    } sorted[] = {{"", 0},    {"\0", 1},   {"a", 1},   {"a\0", 2}, {"ab", 2},
                  {"abc", 3}, {"abcd", 4}, {"abd", 3}, {"b", 1},   {"\xff", 1}};
    static const unsigned added[] = {6, 4, 9, 2, 5, 0, 8, 3, 7, 1};
    struct ps_orc_memory memory = {0};
    struct ps_orc_dictionary dictionary;
    uint32_t order[PS_COUNT_OF(sorted)];
    (void)unused;
    ps_orc_dictionary_open(&dictionary, &memory, 1);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < PS_COUNT_OF(added); i++)
            assert_int_equal(
                ps_orc_dictionary_add(&dictionary, sorted[added[i]].bytes, sorted[added[i]].length), i);
    }
    assert_int_equal(ps_orc_dictionary_count(&dictionary), PS_COUNT_OF(sorted));
    ps_orc_dictionary_sort(&dictionary, order);
    for (unsigned i = 0; i < PS_COUNT_OF(sorted); i++) {
        const struct ps_orc_dictionary_entry *entry = ps_orc_dictionary_entry(&dictionary, order[i]);
        assert_int_equal(added[order[i]], i);
        assert_int_equal(entry->place, i);
        assert_int_equal(entry->length, sorted[i].length);
        assert_memory_equal(ps_orc_dictionary_text(&dictionary, entry), sorted[i].bytes, sorted[i].length);
    }
    ps_orc_dictionary_close(&dictionary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
