/* A batch goes back to a point: all that was added since is gone, and no memory is used for it. */
#include "core/flow/bump.h"
#include "tests/support/support.h"

static struct ps_depot *depot;
static struct ps_pool *pool;
static struct ps_bump bump;

static int setup(void **state)
{
    struct ps_err err = {0};
    depot = ps_depot_create(200 * (uint64_t)PS_BLOCK_BYTES, &err);
    pool = ps_pool_create(depot, 0);
    ps_bump_init(&bump, pool);
    return 0;
}

static int teardown(void **state)
{
    ps_bump_fini(&bump);
    ps_pool_destroy(pool);
    assert_int_equal(ps_depot_used_bytes(depot), 0);
    ps_depot_destroy(depot);
    return 0;
}

/* Adds one of each kind of thing, and `pieces` pieces of memory. */
static void add_things(struct ps_batch *batch, uint64_t origin, uint32_t pieces, uint32_t piece_bytes)
{
    static const struct ps_stream_name stream = {.system = "test", .name = {"name", 4}};
    struct ps_event *event = ps_batch_add_copy(batch, "body", 4);
    assert_non_null(event);
    const struct ps_name *name = ps_batch_name(batch, "header", 6);
    assert_true(ps_batch_header_add(batch, event, name, "value", 5));
    assert_true(ps_batch_shared_set(batch, ps_batch_name(batch, "shared", 6), "value", 5, true));
    assert_true(ps_batch_ticket(batch, origin, 1));
    assert_true(ps_batch_span(batch, (uint32_t)origin, 1, 1, &stream));
    for (uint32_t i = 0; i < pieces; i++)
        assert_non_null(ps_batch_alloc(batch, piece_bytes));
}

static uint32_t count_tickets(const struct ps_batch *batch)
{
    uint32_t count = 0;
    for (const struct ps_ticket *ticket = batch->tickets; ticket != NULL; ticket = ticket->next)
        count++;
    return count;
}

/* The batch goes back from whatever was added: in the same meta block, after it, and in blocks of its own. */
static void test_as_before(void **state)
{
    static const struct {
        uint32_t pieces, piece_bytes;
    } cases[] = {{0, 0}, {1, 4096}, {20, 100000}, {3, PS_BLOCK_BYTES / 2 + 1}, {2, 3 * PS_BLOCK_BYTES}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        for (uint32_t before = 0; before < 2; before++) {
            struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
            if (before > 0)
                add_things(batch, 7, 0, 0);
            uint64_t used = ps_depot_used_bytes(depot);
            uint32_t blocks = ps_batch_block_count(batch), up = bump.meta_up, down = bump.meta_down;
            struct ps_carved carved = ps_bump_taken(&bump);
            struct ps_block *meta = bump.meta;
            const struct ps_batch_point point = ps_batch_point(batch);
            for (int round = 0; round < 3; round++) {
                add_things(batch, 7 + (uint64_t)round % 2, cases[i].pieces, cases[i].piece_bytes);
                ps_batch_rewind(batch, &point);
                assert_true(bump.meta == meta && bump.meta_up == up && bump.meta_down == down);
                assert_int_equal(ps_bump_taken(&bump).meta, carved.meta);
                assert_int_equal(ps_batch_block_count(batch), blocks);
                assert_int_equal(batch->count, before);
                assert_int_equal(batch->body_bytes, 4 * before);
                assert_int_equal(count_tickets(batch), before);
                assert_int_equal(batch->span_count, before);
                assert_int_equal(batch->own_mask != 0, before);
                assert_int_equal(batch->shared != NULL, before);
                assert_int_equal(ps_batch_is_empty(batch), before == 0);
                if (before > 0)
                    assert_int_equal(batch->last_ticket->events, 1);
            }
            add_things(batch, 7, 0, 0); /* it continues as if nothing had been added */
            assert_int_equal(batch->count, before + 1);
            assert_int_equal(count_tickets(batch), 1);
            assert_int_equal(batch->tickets->events, before + 1);
            ps_batch_give(batch);
            assert_true(ps_depot_used_bytes(depot) <= used + 2 * (uint64_t)PS_BLOCK_BYTES);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_as_before, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
