/* The distinct strings of a column: numbers by first appearance, and places in the order of their bytes. */
#include "stages/lib/orc/dictionary.h"

#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

static void test_order(void **unused)
{
    /* A text may be the beginning of the next; bytes are compared as unsigned; 0 is an ordinary byte. */
    static const struct {
        const char *bytes;
        uint32_t length;
    } sorted[] = {{"", 0},    {"\0", 1},   {"a", 1},   {"a\0", 2}, {"ab", 2},
                  {"abc", 3}, {"abcd", 4}, {"abd", 3}, {"b", 1},   {"\xff", 1}};
    static const unsigned added[] = {6, 4, 9, 2, 5, 0, 8, 3, 7, 1};
    struct ps_orc_memory memory = {0};
    struct ps_orc_dictionary dictionary;
    uint32_t order[PS_COUNT_OF(sorted)];
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

/* Numbers of texts, some new and some known, compared with a plain array, while the table grows; then cleared, and again. */
static void test_drawn_texts(void **unused)
{
    static char texts[6000][16];
    struct ps_orc_memory memory = {0};
    struct ps_orc_dictionary dictionary;
    uint64_t random = ps_test_seed() | 1;
    ps_orc_dictionary_open(&dictionary, &memory, ps_test_random(&random));
    for (unsigned round = 0; round < 6; round++) {
        uint32_t count = 0,
                 most = 1U << (2 * round + 1); /* the last round has more texts than the one before */
        for (uint32_t i = 0; i < 3 * most; i++) {
            bool is_new = count == 0 || (count < most && ps_test_random(&random) % 2 == 0);
            uint32_t number = is_new ? count : (uint32_t)(ps_test_random(&random) % count);
            if (is_new)
                snprintf(texts[count++], sizeof texts[0], "%x", number * 7919);
            assert_int_equal(
                ps_orc_dictionary_add(&dictionary, texts[number], (uint32_t)strlen(texts[number])), number);
            assert_int_equal(ps_orc_dictionary_count(&dictionary), count);
        }
        for (uint32_t i = 0; i < count; i++)
            assert_int_equal(ps_orc_dictionary_add(&dictionary, texts[i], (uint32_t)strlen(texts[i])), i);
        ps_orc_dictionary_clear(&dictionary);
        assert_int_equal(ps_orc_dictionary_count(&dictionary), 0);
    }
    ps_orc_dictionary_close(&dictionary);
    assert_int_equal(memory.used_bytes, 0);
    assert_int_equal(memory.room_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_drawn_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
