/* The rest of a read: bytes at the end of the reserved room that belong to the next event (ps_batch_leave);
 * room for the last rows. */
#include "core/flow/bump.h"
#include "tests/support/support.h"

static struct ps_depot *depot;
static struct ps_pool *pool;
static struct ps_bump bump;

static int setup(void **state)
{
    struct ps_err err = {0};
    depot = ps_depot_create(64 * (uint64_t)PS_BLOCK_BYTES, &err);
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

/* Bytes that were reserved and not committed are at the start of the next reservation, in this batch or the next, unless
 * other bytes of the block were used meanwhile. */
static void test_left(void **state)
{
    uint32_t room;
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    char *bytes = ps_batch_reserve(batch, 100, &room);
    assert_non_null(bytes);
    memcpy(bytes, "one\ntw", 6);
    ps_batch_commit(batch, 4);
    ps_batch_leave(batch, 2);
    assert_int_equal(ps_batch_left(batch), 2);
    ps_batch_give(batch);
    batch = ps_batch_take(&bump, (struct ps_now){0});
    assert_int_equal(ps_batch_left(batch), 2);
    bytes = ps_batch_reserve(batch, 1, &room);
    assert_memory_equal(bytes, "tw", 2);
    memcpy(bytes + 2, "o\n", 2);
    ps_batch_commit(batch, 4);
    assert_int_equal(ps_batch_left(batch), 0);
    assert_non_null(ps_batch_add_copy(batch, "x", 1)); /* which asserts that nothing is left */
    ps_batch_give(batch);
}

/* A block without room for what must be reserved: the rest goes to the next block. */
static void test_left_moves(void **state)
{
    uint32_t room;
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    char *bytes = ps_batch_reserve(batch, 1, &room);
    ps_batch_commit(batch, room - 10);
    memcpy(bytes + room - 10, "begun", 5);
    ps_batch_leave(batch, 5);
    bytes = ps_batch_reserve(batch, 20, &room);
    assert_int_equal(room, PS_BLOCK_BYTES);
    assert_memory_equal(bytes, "begun", 5);
    assert_int_equal(ps_batch_left(batch), 5);
    ps_batch_give(batch);
}

/* The room of a run counts the rows that the batch has already, even when memory has room for more. */
static void test_run_of_the_last_rows(void **state)
{
    char bodies[7] = "abcdefg";
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    batch->capacity = 10; /* as the engine sets it */
    assert_int_equal(ps_batch_add_run(batch, bodies, 1, 7), 7);
    assert_false(batch->full);
    bump.meta_down = bump.meta_up + 1024 + 8 * (uint32_t)sizeof(struct ps_event); /* room for 8 */
    assert_int_equal(ps_batch_add_run(batch, bodies, 1, 4), 3);
    assert_true(batch->full && batch->count == 10);
    ps_batch_give(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_left_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_run_of_the_last_rows, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
