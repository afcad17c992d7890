/* The heap of the files that rest: the file that is due first comes out first, and each file once. The referee is a search over all
 * files. */
#include "stages/lib/hadoop/bucket_writer/internal.h"
#include "stages/lib/random.h"

#include "tests/support/support.h"

#define FILES 400U
#define ROUNDS 20000U

static struct ps_bucket_file files[FILES];
static bool rests[FILES];
static struct ps_bucket_file *heap;

static uint64_t least_due(void)
{
    uint64_t least = PS_NEVER;
    for (unsigned i = 0; i < FILES; i++)
        if (rests[i] && files[i].retry.due_ns < least)
            least = files[i].retry.due_ns;
    return least;
}

static void take(void)
{
    struct ps_bucket_file *first = heap, *file = ps_bucket_resting_take(&heap);
    assert_ptr_equal(file, first);
    assert_true(rests[file - files]);
    assert_true(file->retry.due_ns == least_due());
    assert_null(file->retry.below);
    rests[file - files] = false;
}

static void add(unsigned i, uint64_t due_ns)
{
    files[i].retry.due_ns = due_ns;
    rests[i] = true;
    ps_bucket_resting_add(&heap, &files[i]);
    assert_true(heap->retry.due_ns == least_due());
}

static void take_all(unsigned count)
{
    for (; count > 0; count--)
        take();
    assert_null(heap);
    for (unsigned i = 0; i < FILES; i++)
        assert_false(rests[i]);
}

/* In order, backwards, and all due at the same time. */
static void test_orders(void **unused)
{
    static const unsigned counts[] = {1, 2, 3, 4, 5, 16, 17, FILES};
    for (size_t k = 0; k < PS_COUNT_OF(counts); k++) {
        for (unsigned order = 0; order < 3; order++) {
            for (unsigned i = 0; i < counts[k]; i++)
                add(i, order == 0 ? i : order == 1 ? counts[k] - i : 7);
            take_all(counts[k]);
        }
    }
}

/* Files come and go in any order, many with the same time. */
static void test_any_order(void **unused)
{
    struct ps_random random = {.words = {ps_test_seed(), 1, 2, 3}};
    unsigned count = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned i = ps_random_below(&random, FILES);
        if (!rests[i]) {
            add(i, ps_random_below(&random, FILES));
            count++;
        } else {
            take();
            count--;
        }
    }
    assert_in_range(count, 1, FILES);
    take_all(count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
