/* A span of a batch is moved forward by its source, and nothing else changes. */
#include "core/flow/bump.h"
#include "tests/support/support.h"

#define SPANS 40U /* more than the list has room for at first */

static void assert_spans(const struct ps_batch *batch, const struct ps_span *expected)
{
    assert_int_equal(batch->span_count, SPANS);
    for (uint32_t i = 0; i < SPANS; i++)
        assert_memory_equal(&batch->spans[i], &expected[i],
                            offsetof(struct ps_span, epoch) + sizeof(int32_t));
}

static void test_extend(void **state)
{
    struct ps_err err = {0};
    struct ps_span expected[SPANS];
    struct ps_bump bump;
    struct ps_depot *depot = ps_depot_create(20 * (uint64_t)PS_BLOCK_BYTES, &err);
    struct ps_pool *pool = ps_pool_create(depot, 0);
    ps_bump_init(&bump, pool);
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    assert_false(ps_batch_span_extend(batch, 0, 1, 10, 5)); /* there is no span yet */
    for (uint32_t i = 0; i < SPANS; i++) {
        expected[i] = (struct ps_span){.stream = i / 2, .pass = i % 2, .position = 100, .epoch = -1};
        assert_true(ps_batch_span(batch, i / 2, i % 2, 100, NULL));
    }
    for (uint32_t i = 0; i < SPANS; i++) {
        assert_false(ps_batch_span_extend(batch, i / 2, i % 2, 99, 7));
        assert_false(ps_batch_span_extend(batch, i / 2, i % 2, 100, 7));
        assert_spans(batch, expected);
        assert_true(ps_batch_span_extend(batch, i / 2, i % 2, 101 + i, (int32_t)i));
        expected[i].position = 101 + i;
        expected[i].epoch = (int32_t)i;
        assert_spans(batch, expected);
    }
    assert_false(ps_batch_span_extend(batch, 0, 2, 500, 7));
    assert_false(ps_batch_span_extend(batch, SPANS / 2, 0, 500, 7));
    assert_spans(batch, expected);
    ps_batch_give(batch);
    ps_bump_fini(&bump);
    ps_pool_destroy(pool);
    assert_int_equal(ps_depot_used_bytes(depot), 0);
    ps_depot_destroy(depot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_extend)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
