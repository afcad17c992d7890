/* Several holders: only the last one learns that it was the last. */
#include "rings/refcount.h"

#include <pthread.h>

#include "tests/support/support.h"

#define THREADS 4U
#define ROUNDS 2000U

struct shared {
    struct ps_refcount holders;
    unsigned written[THREADS]; /* by one thread each, before it drops */
};

static struct shared *rounds[ROUNDS];
static unsigned last_count;

static void test_counts(void **unused)
{
    struct ps_refcount holders;
    ps_refcount_init(&holders);
    ps_refcount_add(&holders);
    ps_refcount_add(&holders);
    assert_false(ps_refcount_drop(&holders));
    assert_false(ps_refcount_drop(&holders));
    assert_true(ps_refcount_drop(&holders));
}

/* Drops each object's count; the last holder of an object sees what the others wrote, and frees it. */
static void *drop_all(void *number_)
{
    unsigned number = *(const unsigned *)number_, last = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct shared *shared = rounds[i];
        shared->written[number] = i + 1;
        if (!ps_refcount_drop(&shared->holders))
            continue;
        for (unsigned k = 0; k < THREADS; k++)
            assert_int_equal(shared->written[k], i + 1);
        free(shared);
        last++;
    }
    __atomic_fetch_add(&last_count, last, __ATOMIC_RELAXED);
    return NULL;
}

static void test_threads(void **unused)
{
    pthread_t threads[THREADS];
    unsigned numbers[THREADS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        rounds[i] = calloc(1, sizeof *rounds[i]);
        assert_non_null(rounds[i]);
        ps_refcount_init(&rounds[i]->holders);
        for (unsigned k = 1; k < THREADS; k++)
            ps_refcount_add(&rounds[i]->holders);
    }
    for (unsigned k = 0; k < THREADS; k++) {
        numbers[k] = k;
        assert_int_equal(pthread_create(&threads[k], NULL, drop_all, &numbers[k]), 0);
    }
    for (unsigned k = 0; k < THREADS; k++)
        assert_int_equal(pthread_join(threads[k], NULL), 0);
    assert_int_equal(last_count, ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
