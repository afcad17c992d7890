/* A located block that is packed, unpacked, changed and replaced in random orders, compared with the number of the block that it must hold; and its
 * operations without memory. */
#include "stages/lib/hadoop/hdfs/located.h"
#include "tests/support/allocations.h"

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static char pool_id[] = "BP-1", empty[] = "";
static PsHadoop__ExtendedBlock extended = PS_HADOOP__EXTENDED_BLOCK__INIT;
static PsHadoop__Token token = PS_HADOOP__TOKEN__INIT;
static PsHadoop__LocatedBlock block = PS_HADOOP__LOCATED_BLOCK__INIT;

/* Returns the block with this number. The test owns its memory. */
static const PsHadoop__LocatedBlock *block_of(uint64_t number)
{
    extended.pool_id = pool_id;
    extended.block_id = number;
    extended.generation_stamp = number * 3;
    token.kind = token.service = empty;
    block.b = &extended;
    block.block_token = &token;
    block.offset = number * 7;
    return &block;
}

static void expect_number(const PsHadoop__LocatedBlock *is, uint64_t number)
{
    assert_non_null(is);
    assert_string_equal(is->b->pool_id, "BP-1");
    assert_int_equal(is->b->block_id, number);
    assert_int_equal(is->b->generation_stamp, number * 3);
    assert_int_equal(is->offset, number * 7);
}

/* Returns an unpacked copy, whose memory the located block takes over. */
static PsHadoop__LocatedBlock *copy_of(uint64_t number)
{
    uint8_t bytes[512];
    size_t length = ps_hadoop__located_block__pack(block_of(number), bytes);
    assert_true(length <= sizeof bytes);
    PsHadoop__LocatedBlock *copy = ps_hadoop__located_block__unpack(NULL, length, bytes);
    assert_non_null(copy);
    return copy;
}

static void test_drawn(void **unused)
{
    for (unsigned round = 0; round < 200; round++) {
        struct ps_hdfs_located located = {.block = NULL};
        uint64_t number = 1 + draw(1000), packed = number; /* as callers see it; as packed */
        assert_true(ps_hdfs_located_set(&located, block_of(number)));
        for (unsigned step = 0; step < 20; step++) {
            switch (draw(4)) {
            case 0:
                number = packed = 1 + draw(1000);
                assert_true(ps_hdfs_located_set(&located, block_of(number)));
                assert_null(located.block); /* it is packed now */
                break;
            case 1:
                number = 1 + draw(1000);
                ps_hdfs_located_replace(&located, copy_of(number));
                break;
            case 2:
                ps_hdfs_located_pack(&located);
                packed = number;
                assert_null(located.block);
                break;
            default: /* the caller may change what it gets */
                if (ps_hdfs_located_get(&located)->b->block_id != number)
                    fail_msg("block %llu", (unsigned long long)number);
                number = 1 + draw(1000);
                located.block->b->block_id = number;
                located.block->b->generation_stamp = number * 3;
                located.block->offset = number * 7;
                break;
            }
            if (draw(3) == 0) {
                expect_number(ps_hdfs_located_get(&located), number);
                assert_ptr_equal(ps_hdfs_located_get(&located), located.block);
            }
            if (draw(5) == 0) { /* changes that were not packed are dropped */
                ps_hdfs_located_replace(&located, NULL);
                number = packed;
            }
        }
        expect_number(ps_hdfs_located_get(&located), number);
        ps_hdfs_located_free(&located);
        assert_true(located.block == NULL && located.packed == NULL && located.packed_length == 0);
    }
}

static void test_no_memory(void **unused)
{
#if PS_TEST_ALLOCATIONS
    struct ps_hdfs_located located = {.block = NULL};
    ps_test_allocation_fails = 1;
    assert_false(ps_hdfs_located_set(&located, block_of(1)));
    assert_true(located.block == NULL && located.packed == NULL);
    assert_true(ps_hdfs_located_set(&located, block_of(2)));
    ps_test_allocation_fails = 1;
    assert_false(ps_hdfs_located_set(&located, block_of(3)));
    ps_test_allocation_fails = 1;
    assert_null(ps_hdfs_located_get(&located));
    ps_test_allocation_fails = 0;
    expect_number(ps_hdfs_located_get(&located), 2); /* the previous block is kept */
    ps_hdfs_located_replace(&located, copy_of(4));
    ps_test_allocation_fails = 1;
    assert_false(ps_hdfs_located_set(&located, block_of(5)));
    expect_number(located.block, 4);
    ps_test_allocation_fails = 1;
    ps_hdfs_located_pack(&located);
    expect_number(located.block, 4); /* it stays unpacked */
    ps_hdfs_located_pack(&located);
    assert_null(located.block);
    expect_number(ps_hdfs_located_get(&located), 4);
    ps_hdfs_located_free(&located);
#else
    ps_test_skip("a sanitizer has its own allocator");
#endif
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn), cmocka_unit_test(test_no_memory)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
