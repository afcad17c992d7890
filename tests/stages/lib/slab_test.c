/* Buffers that outlive a batch: their memory is taken from the budget and goes back to it. */
#include "stages/lib/slab.h"
#include "tests/support/support.h"

#define BLOCKS 16U

struct slab_test {
    struct ps_depot *depot;
    struct ps_block_cache cache;
    struct ps_slab slab;
};

static void begin(struct slab_test *test)
{
    struct ps_err err = {.length = 0};
    test->depot = ps_depot_create(BLOCKS * PS_BLOCK_BYTES, &err);
    assert_non_null(test->depot);
    ps_block_cache_init(&test->cache, test->depot);
    ps_slab_init(&test->slab, &test->cache);
}

static void end(struct slab_test *test)
{
    assert_int_equal(test->slab.held_bytes, 0);
    ps_slab_fini(&test->slab);
    ps_block_cache_fini(&test->cache);
    assert_int_equal(ps_depot_used_bytes(test->depot), 0);
    ps_depot_destroy(test->depot);
}

/* Each size class in turn can have the whole budget: empty blocks are given back. */
static void test_classes_share_the_budget(void **unused)
{
    static struct ps_buffer buffers[BLOCKS * 1024];
    struct slab_test test;
    begin(&test);
    for (uint32_t room = PS_SLAB_BYTES_MIN; room <= PS_SLAB_CARVED_MAX; room *= 4) {
        uint32_t count = 0, expected = BLOCKS * (PS_BLOCK_BYTES / room);
        while (count < PS_COUNT_OF(buffers) && ps_buffer_grow(&test.slab, &buffers[count], room)) {
            memset(buffers[count].data, (int)count, room);
            buffers[count].length = room;
            count++;
        }
        assert_int_equal(count, expected);
        assert_int_equal(test.slab.held_bytes, BLOCKS * PS_BLOCK_BYTES);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal((unsigned char)buffers[i].data[room - 1], i & 0xFF);
            ps_buffer_free(&test.slab, &buffers[i]);
        }
        assert_int_equal(test.slab.held_bytes, 0);
    }
    end(&test);
}

/* Buffers given back in any order are used again before another block is taken. */
static void test_holes_are_used(void **unused)
{
    struct ps_buffer buffers[32] = {0};
    struct slab_test test;
    begin(&test);
    for (unsigned i = 0; i < 32; i++)
        assert_true(ps_buffer_grow(&test.slab, &buffers[i], 16384));
    assert_int_equal(test.slab.held_bytes, 2 * PS_BLOCK_BYTES);
    for (unsigned i = 0; i < 32; i += 2)
        ps_buffer_free(&test.slab, &buffers[i]);
    assert_int_equal(test.slab.held_bytes, 2 * PS_BLOCK_BYTES);
    for (unsigned i = 0; i < 32; i += 2)
        assert_true(ps_buffer_grow(&test.slab, &buffers[i], 16384));
    assert_int_equal(test.slab.held_bytes, 2 * PS_BLOCK_BYTES);
    for (unsigned i = 0; i < 32; i++)
        ps_buffer_free(&test.slab, &buffers[i]);
    end(&test);
}

static void test_limit(void **unused)
{
    struct ps_buffer small = {0}, large = {0};
    struct slab_test test;
    begin(&test);
    test.slab.limit_bytes = 4 * PS_BLOCK_BYTES;
    assert_int_equal(ps_buffer_extend(&test.slab, &large, 4 * PS_BLOCK_BYTES + 1), PS_SLAB_LIMIT);
    assert_int_equal(ps_buffer_extend(&test.slab, &large, 4 * PS_BLOCK_BYTES), PS_SLAB_OK);
    assert_int_equal(ps_buffer_extend(&test.slab, &small, 1), PS_SLAB_LIMIT);
    ps_buffer_free(&test.slab, &large);
    assert_int_equal(ps_buffer_extend(&test.slab, &small, 1), PS_SLAB_OK);
    test.slab.limit_bytes = UINT64_MAX;
    assert_int_equal(ps_buffer_extend(&test.slab, &large, BLOCKS * PS_BLOCK_BYTES), PS_SLAB_MEMORY);
    ps_buffer_free(&test.slab, &small);
    end(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes_share_the_budget),
        cmocka_unit_test(test_holes_are_used),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
