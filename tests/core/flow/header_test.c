/* Adding several headers to an event at once, with and without shared headers; and the room for one more that a batch reports, at the
 * limits of its blocks and of the memory budget. batch_test.c compares the other operations with a model. */
#include "core/flow/batch_home.h"
#include "core/flow/bump.h"

#include "tests/support/support.h"

#define BLOCKS 256U

static struct ps_depot *depot;
static struct ps_pool *pool;
static struct ps_bump bump;

static int set_up(void **)
{
    struct ps_err err = {.length = 0};
    depot = ps_depot_create((uint64_t)BLOCKS * PS_BLOCK_BYTES, &err);
    pool = depot != NULL ? ps_pool_create(depot, 0) : NULL;
    if (pool == NULL)
        return -1;
    ps_bump_init(&bump, pool);
    return 0;
}

static int tear_down(void **)
{
    ps_bump_fini(&bump);
    ps_pool_destroy(pool);
    assert_int_equal(ps_depot_used_bytes(depot), 0);
    ps_depot_destroy(depot);
    return 0;
}

static void expect_header(const struct ps_batch *batch, uint32_t row, const char *name, const char *value)
{
    struct ps_slice found;
    bool there = ps_event_header(batch, &batch->events[row], ps_name_intern(name), &found);
    assert_int_equal(there, value != NULL);
    if (value != NULL) {
        assert_int_equal(found.length, strlen(value));
        assert_memory_equal(found.data, value, found.length);
    }
}

/* Each header is found, in its own row only. A shared header replaces it, and it can be removed, like any other. */
static void test_several_headers_at_once(void **)
{
    static const char *const names[] = {"several-a", "several-b", "several-c", "several-d"};
    struct ps_header headers[PS_COUNT_OF(names)];
    for (unsigned i = 0; i < PS_COUNT_OF(names); i++)
        headers[i] = (struct ps_header){.name = ps_name_intern(names[i]), .value = "own", .value_length = 3};
    for (unsigned count = 0; count <= PS_COUNT_OF(names); count++) {
        for (uint32_t row = 0; row < 3; row++) {
            for (unsigned way = 0; way < 3; way++) {
                struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
                for (unsigned i = 0; i < 3; i++)
                    assert_non_null(ps_batch_add_copy(batch, "body", 4));
                assert_true(ps_batch_headers_add(batch, &batch->events[row], headers, count));
                const char *shared = NULL;
                if (way > 0)
                    shared = way == 1 ? "kept" : "replaced";
                for (unsigned i = 0; i < PS_COUNT_OF(names) && way > 0; i++)
                    assert_true(ps_batch_shared_set(batch, headers[i].name, shared, (uint32_t)strlen(shared),
                                                    way == 2));
                for (unsigned i = 0; i < PS_COUNT_OF(names); i++) {
                    for (uint32_t k = 0; k < 3; k++)
                        expect_header(batch, k, names[i], k == row && i < count && way != 2 ? "own" : shared);
                }
                assert_true(ps_batch_header_remove(batch, &batch->events[row], headers[0].name));
                for (uint32_t k = 0; k < 3; k++) /* the other rows keep what was shared */
                    expect_header(batch, k, names[0], k == row ? NULL : shared);
                for (unsigned i = 0; i < PS_COUNT_OF(names); i++) {
                    ps_batch_shared_remove(batch, headers[i].name);
                    for (uint32_t k = 0; k < 3; k++)
                        expect_header(batch, k, names[i], NULL);
                }
                ps_batch_give(batch);
            }
        }
    }
}

/* There is room for at most half of the budget, with the blocks that the batch has. */
static void test_room_of_the_budget(void **)
{
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    assert_non_null(ps_batch_add_copy(batch, "body", 4));
    uint64_t half = ps_batch_budget_bytes(batch) / 2, held = 0;
    for (uint32_t i = 0; i < ps_batch_block_count(batch); i++)
        held += ps_batch_home(batch)->blocks[i]->size;
    assert_true(ps_batch_has_room(batch, 0));
    assert_true(ps_batch_has_room(batch, half - held));
    assert_false(ps_batch_has_room(batch, half - held + 1));
    assert_false(ps_batch_has_room(batch, UINT64_MAX / 2));
    ps_batch_give(batch);
}

/* A batch has room until only four blocks are left, which its chain needs; it gets each value for which it has room. */
static void test_room_of_blocks(void **)
{
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    struct ps_event *event = ps_batch_add_copy(batch, "body", 4);
    assert_non_null(event);
    ps_batch_close(batch);
    uint32_t most = 0;
    while (ps_batch_has_room(batch, PS_BLOCK_BYTES)) {
        most = ps_batch_block_count(batch);
        assert_in_range(most, 1, PS_BATCH_BLOCKS_MAX - 1);
        char *value = ps_batch_alloc(batch, PS_BLOCK_BYTES);
        assert_non_null(value);
        assert_true(ps_batch_header_set(batch, event, ps_name_intern("room"), value, PS_BLOCK_BYTES));
    }
    assert_int_equal(most, PS_BATCH_BLOCKS_MAX - 5);
    ps_batch_give(batch);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(test_several_headers_at_once), TEST(test_room_of_the_budget),
                                       TEST(test_room_of_blocks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
