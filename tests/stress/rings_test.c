/* The rings between threads: no item is lost or doubled, every consumer sees each producer's items in
 * order, and data written before a push is visible after the pop (rings/tsan.h tells ThreadSanitizer). */
#include "rings/mpmc.h"
#include "rings/spmc.h"
#include "rings/spsc.h"
#include "core/clock.h"
#include "rings/tsan.h"
#include "tests/support/support.h"

#include <pthread.h>

#ifdef PS_TSAN
#define ITEMS 10000U
#else
#define ITEMS 100000U
#endif
#define SIDES_MAX 3U

struct item {
    uint32_t producer, number;
    uint64_t payload;
    uint32_t taken; /* written by the item's consumer, not atomic */
};

struct test {
    void *ring;
    bool (*push)(void *ring, void *entry);
    void *(*pop)(void *ring);
    unsigned producers, consumers;
    uint32_t count; /* items of each producer */
    struct item *items[SIDES_MAX];
    unsigned done; /* producers that have ended; atomic */
    uint64_t until_ns;
};

struct side {
    struct test *test;
    unsigned number;
    uint64_t sum, disorder;
    uint32_t pushed;
};

#define ADAPT(kind)                                                                                          \
    static bool kind##_push(void *ring, void *entry)                                                         \
    {                                                                                                        \
        return ps_##kind##_push(ring, entry);                                                                \
    }                                                                                                        \
    static void *kind##_pop(void *ring)                                                                      \
    {                                                                                                        \
        return ps_##kind##_pop(ring);                                                                        \
    }
ADAPT(spsc)
ADAPT(spmc)
ADAPT(mpmc)

static void *produce(void *argument)
{
    struct side *side = argument;
    struct test *test = side->test;
    for (uint64_t turn = 1; side->pushed < test->count; turn++) {
        struct item *item = &test->items[side->number][side->pushed];
        *item = (struct item){
            .producer = side->number, .number = side->pushed, .payload = side->pushed * 3ULL + side->number};
        if (test->push(test->ring, item))
            side->pushed++;
        else
            ps_test_yield();
        if (turn % 1024 == 0 && ps_test_patient_ns() > test->until_ns)
            break; /* run says how many were pushed */
    }
    __atomic_fetch_add(&test->done, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* Takes items until the producers have ended and the ring is empty: it does not wait for an item that the ring lost. */
static void *consume(void *argument)
{
    struct side *side = argument;
    struct test *test = side->test;
    uint32_t next[SIDES_MAX] = {0};
    for (;;) {
        bool last = __atomic_load_n(&test->done, __ATOMIC_ACQUIRE) == test->producers;
        struct item *item = test->pop(test->ring);
        if (item == NULL && last)
            return NULL;
        if (item == NULL) {
            ps_test_yield();
            continue;
        }
        item->taken++;
        side->sum += item->payload;
        side->disorder += item->number < next[item->producer];
        next[item->producer] = item->number + 1;
    }
}

static void run(struct test *test)
{
    struct side producers[SIDES_MAX], consumers[SIDES_MAX];
    pthread_t threads[2 * SIDES_MAX];
    unsigned count = 0;
    test->until_ns = ps_test_patience_end_ns();
    for (unsigned i = 0; i < test->producers; i++) {
        test->items[i] = calloc(test->count, sizeof *test->items[i]);
        assert_non_null(test->items[i]);
        producers[i] = (struct side){.test = test, .number = i};
        assert_int_equal(pthread_create(&threads[count++], NULL, produce, &producers[i]), 0);
    }
    for (unsigned i = 0; i < test->consumers; i++) {
        consumers[i] = (struct side){.test = test, .number = i};
        assert_int_equal(pthread_create(&threads[count++], NULL, consume, &consumers[i]), 0);
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    uint64_t sum = 0, expected = 0;
    for (unsigned i = 0; i < test->consumers; i++) {
        sum += consumers[i].sum;
        assert_int_equal(consumers[i].disorder, 0);
    }
    for (unsigned i = 0; i < test->producers; i++) {
        if (producers[i].pushed < test->count)
            fail_msg("producer %u pushed %u of %u items", i, producers[i].pushed, test->count);
        for (uint32_t k = 0; k < test->count; k++) {
            if (test->items[i][k].taken != 1)
                fail_msg("item %u of producer %u was taken %u times", k, i, test->items[i][k].taken);
            expected += k * 3ULL + i;
        }
        free(test->items[i]);
    }
    assert_int_equal(sum, expected);
    assert_null(test->pop(test->ring));
}

static void test_spsc(void **state)
{
    for (size_t capacity = 1; capacity <= 1000; capacity *= 31) {
        struct ps_spsc *ring = ps_spsc_create(capacity);
        struct test test = {
            .ring = ring, .push = spsc_push, .pop = spsc_pop, .producers = 1, .consumers = 1, .count = ITEMS};
        run(&test);
        ps_spsc_destroy(ring);
    }
}

static void test_spmc(void **state)
{
    for (size_t capacity = 1; capacity <= 1000; capacity *= 31) {
        struct ps_spmc *ring = ps_spmc_create(capacity);
        struct test test = {
            .ring = ring, .push = spmc_push, .pop = spmc_pop, .producers = 1, .consumers = 3, .count = ITEMS};
        run(&test);
        ps_spmc_destroy(ring);
    }
}

static void test_mpmc(void **state)
{
    /* Few capacities, none of them tiny: a producer that is descheduled within a push stalls the others
     * for a time slice (rings/mpmc.h), and there may be fewer CPUs than threads here. */
    for (size_t capacity = 100; capacity <= 10000; capacity *= 100) {
        struct ps_mpmc *ring = ps_mpmc_create(capacity);
        struct test test = {.ring = ring,
                            .push = mpmc_push,
                            .pop = mpmc_pop,
                            .producers = 2,
                            .consumers = 2,
                            .count = ITEMS / 20};
        run(&test);
        ps_mpmc_destroy(ring);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spsc),
        cmocka_unit_test(test_spmc),
        cmocka_unit_test(test_mpmc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
