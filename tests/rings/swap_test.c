/* A swapped pointer (rings/swap.h): no reader still uses the replaced object, so it can be freed
 * immediately, although readers only read the pointer. */
#include "rings/swap.h"

#include "rings/tsan.h"
#include "tests/support/support.h"

#include <pthread.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#define READERS 3U
#define ROUNDS 3000U

struct value {
    uint64_t number, same; /* equal until the object is freed */
};

struct world {
    struct ps_swap swap;
    bool stop;
    struct reader {
        struct world *world;
        uint64_t seen, torn, backwards;
        unsigned parks; /* sleeps after this number of reads; 0: never */
    } readers[READERS];
};

static struct value *value_create(uint64_t number)
{
    struct value *value = malloc(sizeof *value);
    assert_non_null(value);
    *value = (struct value){number, number};
    return value;
}

/* Does what ps_worker_run does after each cycle and around its sleep. */
static void quiesce(bool sleep)
{
    PS_TSAN_RELEASE(&ps_swap_grace);
    if (!sleep) {
        urcu_qsbr_quiescent_state();
        return;
    }
    urcu_qsbr_thread_offline();
    ps_test_yield();
    urcu_qsbr_thread_online();
}

static void *reader_main(void *reader_)
{
    struct reader *reader = reader_;
    uint64_t last = 0;
    urcu_qsbr_register_thread();
    for (unsigned looks = 1; !__atomic_load_n(&reader->world->stop, __ATOMIC_RELAXED); looks++) {
        const struct value *value = ps_swap_read(&reader->world->swap);
        for (int again = 0; again < 3; again++)
            reader->torn += value->number != value->same;
        reader->backwards += value->number < last;
        last = value->number;
        __atomic_store_n(&reader->seen, reader->seen + 1, __ATOMIC_RELAXED);
        quiesce(reader->parks > 0 && looks % reader->parks == 0);
    }
    urcu_qsbr_unregister_thread();
    return NULL;
}

static void test_readers_never_see_what_is_gone(void **state)
{
    static struct world world;
    pthread_t threads[READERS];
    assert_null(ps_swap_replace(&world.swap, value_create(0)));
    for (unsigned i = 0; i < READERS; i++) {
        world.readers[i] = (struct reader){.world = &world, .parks = 7 * i};
        assert_int_equal(pthread_create(&threads[i], NULL, reader_main, &world.readers[i]), 0);
    }
    for (unsigned i = 0; i < READERS; i++) {
        while (__atomic_load_n(&world.readers[i].seen, __ATOMIC_RELAXED) == 0)
            ps_test_yield();
    }
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        struct value *old = ps_swap_replace(&world.swap, value_create(round));
        assert_int_equal(old->number, round - 1);
        old->number = UINT64_MAX; /* a late reader sees unequal numbers; sanitizers see a use after free */
        free(old);
    }
    __atomic_store_n(&world.stop, true, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(world.readers[i].torn, 0);
        assert_int_equal(world.readers[i].backwards, 0);
    }
    free(ps_swap_replace(&world.swap, NULL));
}

struct replacer {
    struct ps_swap swap;
    int one, two;
    void *old; /* what the replacement returned; NULL: it has not returned */
};

static void *replacer_main(void *replacer_)
{
    struct replacer *replacer = replacer_;
    void *old = ps_swap_replace(&replacer->swap, &replacer->two);
    __atomic_store_n(&replacer->old, old, __ATOMIC_RELEASE);
    return NULL;
}

/* A reader that has read the pointer may use the object until its cycle ends: only then is the old object given back. */
static void test_a_reader_is_waited_for(void **state)
{
    static struct replacer replacer;
    pthread_t thread;
    assert_null(ps_swap_replace(&replacer.swap, &replacer.one));
    urcu_qsbr_register_thread();
    assert_ptr_equal(ps_swap_read(&replacer.swap), &replacer.one);
    assert_int_equal(pthread_create(&thread, NULL, replacer_main, &replacer), 0);
    while (ps_swap_read(&replacer.swap) != &replacer.two)
        ps_test_yield();
    for (unsigned i = 0; i < 50; i++) {
        usleep(1000); /* it would return now */
        assert_null(__atomic_load_n(&replacer.old, __ATOMIC_ACQUIRE));
    }
    quiesce(false);
    urcu_qsbr_thread_offline(); /* the join is a wait */
    pthread_join(thread, NULL);
    assert_ptr_equal(replacer.old, &replacer.one);
    urcu_qsbr_thread_online();
    urcu_qsbr_unregister_thread();
}

struct sleeper {
    pthread_barrier_t asleep, awake;
};

static void *sleeper_main(void *sleeper_)
{
    struct sleeper *sleeper = sleeper_;
    urcu_qsbr_register_thread();
    PS_TSAN_RELEASE(&ps_swap_grace);
    urcu_qsbr_thread_offline();
    pthread_barrier_wait(&sleeper->asleep);
    pthread_barrier_wait(&sleeper->awake);
    urcu_qsbr_thread_online();
    urcu_qsbr_unregister_thread();
    return NULL;
}

/* Would not end if the swap waited for parked workers. */
static void test_sleepers_are_not_waited_for(void **state)
{
    struct sleeper sleeper;
    struct ps_swap swap = {NULL};
    pthread_t thread;
    int one = 1, two = 2;
    pthread_barrier_init(&sleeper.asleep, NULL, 2);
    pthread_barrier_init(&sleeper.awake, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, sleeper_main, &sleeper), 0);
    pthread_barrier_wait(&sleeper.asleep);
    assert_null(ps_swap_replace(&swap, &one));
    assert_ptr_equal(ps_swap_replace(&swap, &two), &one);
    assert_ptr_equal(ps_swap_read(&swap), &two);
    pthread_barrier_wait(&sleeper.awake);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&sleeper.asleep);
    pthread_barrier_destroy(&sleeper.awake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_readers_never_see_what_is_gone),
                                       cmocka_unit_test(test_a_reader_is_waited_for),
                                       cmocka_unit_test(test_sleepers_are_not_waited_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
