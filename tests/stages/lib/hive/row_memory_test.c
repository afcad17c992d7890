/* The memory of a row compared with a list of its parts: parts do not overlap and keep their bytes until the next row,
 * a long row leaves little behind, and a failed allocation affects only its row. */
#include "stages/lib/hive/row_memory.h"
#include "tests/support/allocations.h"

#include <stdalign.h>

#define TAKEN_MAX 400U

struct taken {
    unsigned char *bytes, mark;
    size_t length;
};

static void take(struct ps_hive_row_memory *memory, struct taken *taken, size_t length, unsigned char mark)
{
    *taken = (struct taken){ps_hive_row_memory_take(memory, length), mark, length};
    assert_non_null(taken->bytes);
    assert_int_equal((uintptr_t)taken->bytes % alignof(struct ps_orc_value), 0);
    memset(taken->bytes, mark, length);
}

static void test_drawn_rows(void **unused)
{
    static struct taken taken[TAKEN_MAX];
    struct ps_hive_row_memory memory = {0};
    uint64_t random = ps_test_seed() | 1;
    for (unsigned row = 0; row < 60; row++) {
        unsigned count = (unsigned)(ps_test_random(&random) % TAKEN_MAX);
        static const size_t most[] = {1, 17, 300, 9000};
        size_t longest = most[ps_test_random(&random) % PS_COUNT_OF(most)];
        ps_hive_row_memory_clear(&memory);
        for (unsigned i = 0; i < count; i++)
            take(&memory, &taken[i], ps_test_random(&random) % (longest + 1), (unsigned char)(i + 1));
        for (unsigned i = 0; i < count; i++)
            for (size_t at = 0; at < taken[i].length; at++)
                assert_int_equal(taken[i].bytes[at], taken[i].mark);
    }
    ps_hive_row_memory_free(&memory);
}

/* A row that fills a chunk to its last byte needs no second chunk. */
static void test_a_chunk_that_is_full(void **unused)
{
    struct ps_hive_row_memory memory = {0};
    struct taken taken;
    take(&memory, &taken, 8192, 1);
    ps_hive_row_memory_clear(&memory);
    uint64_t before = ps_test_allocation_count;
    for (unsigned row = 0; row < 3; row++) {
        for (unsigned i = 0; i < 8192 / 64; i++)
            take(&memory, &taken, 64, 2);
        assert_int_equal(ps_test_allocation_count, before);
        ps_hive_row_memory_clear(&memory);
    }
    ps_hive_row_memory_free(&memory);
}

/* Lists inside of lists, each with its own items. */
static void test_lists_in_lists(void **unused)
{
    struct ps_hive_row_memory memory = {0};
    for (unsigned row = 0; row < 3; row++) {
        ps_hive_row_memory_clear(&memory);
        size_t outer = ps_hive_row_items_begin(&memory);
        for (uint32_t i = 0; i < 200; i++) {
            size_t inner = ps_hive_row_items_begin(&memory);
            for (uint32_t item = 0; item < i % 7; item++)
                ps_hive_row_items_add(&memory, &(struct ps_orc_value){.integer = i * 10 + item});
            struct ps_orc_value list = ps_hive_row_items_end(&memory, inner);
            ps_hive_row_items_add(&memory, &list);
        }
        struct ps_orc_value all = ps_hive_row_items_end(&memory, outer);
        assert_int_equal(all.item_count, 200);
        for (uint32_t i = 0; i < 200; i++) {
            assert_int_equal(all.items[i].item_count, i % 7);
            for (uint32_t item = 0; item < i % 7; item++)
                assert_int_equal(all.items[i].items[item].integer, i * 10 + item);
        }
        assert_int_equal(ps_hive_row_items_begin(&memory), 0);
    }
    ps_hive_row_memory_free(&memory);
}

/* A row keeps memory for the next one up to the limit, and nothing beyond it. The test checks whether the next row allocates. */
static void test_what_is_kept(void **unused)
{
    for (unsigned is_list = 0; PS_TEST_ALLOCATIONS && is_list < 2; is_list++) {
        for (int beyond = 0; beyond < 2; beyond++) {
            struct ps_hive_row_memory memory = {0};
            /* A list has room for 64 items and doubles it; its items go into chunks, which are kept or freed as well. */
            size_t items = 64;
            while (is_list && 2 * items * sizeof(struct ps_orc_value) <= PS_HIVE_ROW_KEPT_BYTES)
                items *= 2;
            size_t bytes = PS_HIVE_ROW_KEPT_BYTES + (beyond ? 64U : 0U), before;
            for (unsigned row = 0; row < 2; row++) {
                before = ps_test_allocation_count;
                if (is_list) {
                    for (size_t i = 0; i < items + (beyond ? 1 : 0); i++)
                        ps_hive_row_items_add(&memory, &(struct ps_orc_value){.integer = 1});
                } else {
                    (void)ps_hive_row_memory_take(&memory, bytes);
                }
                ps_hive_row_memory_clear(&memory);
            }
            assert_int_equal(ps_test_allocation_count - before > 0, beyond);
            ps_hive_row_memory_free(&memory);
        }
    }
}

static void test_no_memory(void **unused)
{
    struct ps_hive_row_memory memory = {0};
    for (unsigned round = 0; PS_TEST_ALLOCATIONS && round < 6; round++) {
        ps_hive_row_memory_free(&memory);
        ps_test_allocation_fails = 1;
        if (round % 2 == 0)
            assert_null(ps_hive_row_memory_take(&memory, 100));
        else
            ps_hive_row_items_add(&memory, &(struct ps_orc_value){.integer = 1});
        ps_test_allocation_fails = 0;
        assert_true(memory.failed);
        assert_int_equal(ps_hive_row_items_begin(&memory), 0);
        ps_hive_row_memory_clear(&memory);
        assert_false(memory.failed);
        ps_hive_row_items_add(&memory, &(struct ps_orc_value){.integer = 3});
        struct ps_orc_value list = ps_hive_row_items_end(&memory, 0);
        assert_false(list.null || memory.failed);
        assert_int_equal(list.items[0].integer, 3);
    }
    ps_hive_row_memory_free(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawn_rows),     cmocka_unit_test(test_a_chunk_that_is_full),
        cmocka_unit_test(test_lists_in_lists), cmocka_unit_test(test_what_is_kept),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
