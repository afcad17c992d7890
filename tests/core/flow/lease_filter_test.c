/* Filtering a chain's lease by bits gives the same rows, counts and bytes as a decision for each event,
 * also for leases that were filtered before, and changes nothing when there is no memory. */
#include "core/flow/bump.h"
#include "core/flow/batch_internal.h"

#include "tests/support/support.h"

#define BLOCKS 16U

struct fixture {
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
    uint64_t random;
};

static void fixture_init(struct fixture *fixture)
{
    struct ps_err err = {0};
    *fixture = (struct fixture){.random = ps_test_seed() | 1};
    fixture->depot = ps_depot_create((uint64_t)BLOCKS * PS_BLOCK_BYTES, &err);
    assert_non_null(fixture->depot);
    fixture->pool = ps_pool_create(fixture->depot, 0);
    assert_non_null(fixture->pool);
    ps_bump_init(&fixture->bump, fixture->pool);
}

static void fixture_fini(struct fixture *fixture)
{
    ps_bump_fini(&fixture->bump);
    ps_pool_destroy(fixture->pool);
    ps_depot_destroy(fixture->depot);
}

static uint64_t pick(struct fixture *fixture, uint64_t below)
{
    return ps_test_random(&fixture->random) % below;
}

/* Bodies have different lengths, so that a wrong row changes the sum. */
static struct ps_batch *batch_make(struct fixture *fixture, uint32_t count)
{
    static const char text[200] = "";
    struct ps_batch *batch = ps_batch_take(&fixture->bump, (struct ps_now){0});
    assert_non_null(batch);
    for (uint32_t i = 0; i < count; i++)
        assert_non_null(ps_batch_add_copy(batch, text, (uint32_t)pick(fixture, sizeof text)));
    ps_batch_close(batch);
    return batch;
}

static bool bit_of(const uint64_t *bits, uint32_t row)
{
    return (bits[row / 64] >> (row % 64)) & 1;
}

/* Bits in one of the relevant shapes: none, all, few, many, half. The bits after the last row are random. */
static void bits_make(struct fixture *fixture, uint64_t *bits)
{
    static const uint64_t kept_of_16[] = {0, 16, 1, 15, 8};
    uint64_t kept = kept_of_16[pick(fixture, 5)];
    for (uint32_t row = 0; row < PS_BATCH_EVENTS_MAX; row++) {
        if (row % 64 == 0)
            bits[row / 64] = 0;
        bits[row / 64] |= (uint64_t)(pick(fixture, 16) < kept) << (row % 64);
    }
}

static void test_against_naive(void **unused)
{
    struct fixture fixture;
    fixture_init(&fixture);
    for (unsigned round = 0; round < 2000; round++) {
        uint32_t count = round % 4 == 0 ? PS_BATCH_EVENTS_MAX : (uint32_t)pick(&fixture, 200);
        struct ps_batch *batch = batch_make(&fixture, count);
        struct ps_lease *lease = ps_batch_chain(batch);
        uint16_t rows[PS_BATCH_EVENTS_MAX];
        count = lease->count;
        for (uint32_t i = 0; i < count; i++)
            rows[i] = (uint16_t)i;
        for (unsigned filter = 0; filter < 3; filter++) {
            uint64_t bits[PS_BATCH_EVENTS_MAX / 64], bytes = 0;
            uint32_t kept = 0;
            bits_make(&fixture, bits);
            for (uint32_t i = 0; i < count; i++) {
                if (bit_of(bits, rows[i]))
                    rows[kept++] = rows[i];
            }
            count = kept;
            assert_true(ps_lease_filter_bits(lease, bits));
            assert_int_equal(lease->count, count);
            for (uint32_t i = 0; i < count; i++) {
                assert_ptr_equal(ps_lease_event(lease, i), &batch->events[rows[i]]);
                bytes += batch->events[rows[i]].body_length;
            }
            assert_int_equal(lease->bytes, bytes);
        }
        ps_batch_give(batch);
    }
    fixture_fini(&fixture);
}

/* All events kept: no index list is made. No event kept: no index list is needed. */
static void test_nothing_to_write(void **unused)
{
    struct fixture fixture;
    fixture_init(&fixture);
    struct ps_batch *batch = batch_make(&fixture, 70);
    struct ps_lease *lease = ps_batch_chain(batch);
    uint64_t all[] = {~UINT64_C(0), 0x3F}, none[] = {0, ~UINT64_C(0x3F)};
    assert_true(ps_lease_filter_bits(lease, all));
    assert_null(lease->index);
    assert_int_equal(lease->count, 70);
    assert_true(ps_lease_filter_bits(lease, none));
    assert_int_equal(lease->count, 0);
    assert_int_equal(lease->bytes, 0);
    ps_batch_give(batch);
    fixture_fini(&fixture);
}

/* Events that were settled before and those that were not, and the place of the next one: nothing is left to be handled. */
static void test_settle_all(void **unused)
{
    static const uint32_t counts[] = {1, 63, 64, 65, 200, PS_BATCH_EVENTS_MAX};
    struct fixture fixture;
    fixture_init(&fixture);
    for (size_t i = 0; i < PS_COUNT_OF(counts); i++) {
        struct ps_batch *batch = batch_make(&fixture, counts[i]);
        struct ps_lease *lease = ps_batch_chain(batch);
        assert_int_equal(lease->count, counts[i]);
        for (uint32_t position = 0; position < lease->count; position += 3)
            ps_lease_settle(lease, position);
        lease->cursor = lease->count / 2;
        for (unsigned again = 0; again < 2; again++) {
            ps_lease_settle_all(lease);
            assert_int_equal(lease->settled, counts[i]);
            assert_int_equal(lease->cursor, counts[i]);
            for (uint32_t position = 0; position < lease->count; position++)
                assert_true(ps_lease_is_settled(lease, position));
        }
        assert_int_equal(lease->dead, 0);
        ps_batch_give(batch);
    }
    fixture_fini(&fixture);
}

static void test_no_memory(void **unused)
{
    struct fixture fixture;
    fixture_init(&fixture);
    struct ps_batch *batch = batch_make(&fixture, 100);
    struct ps_lease *lease = ps_batch_chain(batch);
    uint64_t bytes = lease->bytes, keep[] = {0x5555, 0};
    struct ps_block_cache hoard;
    struct ps_block *taken[BLOCKS];
    unsigned count = 0;
    ps_block_cache_init(&hoard, fixture.depot);
    while ((taken[count] = ps_block_take(&hoard)) != NULL)
        count++;
    while (ps_batch_meta_alloc(batch, 64, 1) != NULL)
        ;
    while (ps_batch_meta_alloc(batch, 1, 1) != NULL)
        ;
    assert_false(ps_lease_filter_bits(lease, keep));
    assert_null(lease->index);
    assert_int_equal(lease->count, 100);
    assert_int_equal(lease->bytes, bytes);
    while (count > 0)
        ps_block_drop(&hoard, taken[--count]);
    ps_block_cache_fini(&hoard);
    assert_true(ps_lease_filter_bits(lease, keep));
    assert_int_equal(lease->count, 8);
    ps_batch_give(batch);
    fixture_fini(&fixture);
}

static void test_body_set(void **unused)
{
    struct fixture fixture;
    fixture_init(&fixture);
    struct ps_batch *batch = batch_make(&fixture, 3);
    struct ps_lease *lease = ps_batch_chain(batch);
    uint64_t others = lease->bytes - batch->events[1].body_length;
    char *body = ps_batch_alloc(batch, 5);
    memcpy(body, "abcde", 5);
    ps_lease_body_set(lease, &batch->events[1], body, 5);
    assert_ptr_equal(batch->events[1].body, body);
    assert_int_equal(lease->bytes, others + 5);
    ps_batch_give(batch);
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_naive), cmocka_unit_test(test_nothing_to_write),
        cmocka_unit_test(test_settle_all),    cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_body_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
