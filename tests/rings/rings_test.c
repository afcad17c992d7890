/* The three rings and the stack on one thread: capacity up to the last slot, order, wrapping.
 * tests/stress/rings_test.c tests them with threads. */
#include "rings/mpmc.h"
#include "rings/spmc.h"
#include "rings/spsc.h"
#include "rings/stack.h"
#include "tests/support/support.h"

#define RING_TEST(kind)                                                                                      \
    static void test_##kind(void **state)                                                                    \
    {                                                                                                        \
        (void)state;                                                                                         \
        for (size_t wanted = 1; wanted <= 70; wanted++) {                                                    \
            struct ps_##kind *ring = ps_##kind##_create(wanted);                                             \
            size_t capacity = ps_##kind##_capacity(ring), pushed = 0, popped = 0;                            \
            assert_true(capacity >= wanted && capacity < 2 * wanted + 3);                                    \
            assert_null(ps_##kind##_pop(ring));                                                              \
            for (unsigned round = 0; round < 5; round++) {                                                   \
                size_t keep = round * capacity / 5;                                                          \
                while (ps_##kind##_push(ring, (void *)(pushed + 1)))                                         \
                    pushed++;                                                                                \
                assert_int_equal(pushed - popped, capacity);                                                 \
                assert_int_equal(ps_##kind##_count(ring), capacity);                                         \
                while (pushed - popped > keep)                                                               \
                    assert_int_equal((size_t)ps_##kind##_pop(ring), ++popped);                               \
                assert_int_equal(ps_##kind##_count(ring), keep);                                             \
            }                                                                                                \
            while (popped < pushed)                                                                          \
                assert_int_equal((size_t)ps_##kind##_pop(ring), ++popped);                                   \
            assert_null(ps_##kind##_pop(ring));                                                              \
            ps_##kind##_destroy(ring);                                                                       \
        }                                                                                                    \
        ps_##kind##_destroy(NULL);                                                                           \
    }

RING_TEST(spsc)
RING_TEST(spmc)
RING_TEST(mpmc)

static void test_stack(void **state)
{
    struct ps_stack stack;
    struct ps_stack_node nodes[10];
    ps_stack_init(&stack);
    assert_null(ps_stack_pop(&stack));
    for (unsigned i = 0; i < 10; i++)
        ps_stack_push(&stack, &nodes[i]);
    for (unsigned i = 10; i-- > 5;)
        assert_ptr_equal(ps_stack_pop(&stack), &nodes[i]);
    ps_stack_push(&stack, &nodes[9]);
    assert_ptr_equal(ps_stack_pop(&stack), &nodes[9]);
    for (unsigned i = 5; i-- > 0;)
        assert_ptr_equal(ps_stack_pop(&stack), &nodes[i]);
    assert_null(ps_stack_pop(&stack));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spsc),
        cmocka_unit_test(test_spmc),
        cmocka_unit_test(test_mpmc),
        cmocka_unit_test(test_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
