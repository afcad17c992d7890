/* Parking between real threads, in rounds: at the same moment the producer publishes and wakes, and the
 * consumer announces its sleep, looks once more and sleeps. A wake-up is lost when the consumer sees no
 * item and the producer sees no sleeper. rings/park.c must lose none. The test also runs a variant with a
 * release/acquire pair instead of the full fence and prints how many it loses: x86 usually loses some, but
 * no machine has to. */
#include "rings/park.h"
#include "core/clock.h"
#include "rings/tsan.h"
#include "tests/support/support.h"

#include <pthread.h>
#include <stdio.h>
#include <sched.h>
#include <sys/select.h>
#include <unistd.h>

#if defined(PS_TSAN) || defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
#define ROUNDS 100000U
#else
#define ROUNDS 2000000U
#endif
#define PATIENCE_S 20 /* a busy machine runs fewer rounds */
#define WATCHDOG_S 100U

struct litmus {
    struct ps_park park;
    bool fenced;
    PS_ALIGNED_GAP uint32_t data;        /* the ring */
    PS_ALIGNED_GAP uint32_t begun;       /* round that the producer began; ROUNDS + 1: the end */
    PS_ALIGNED_GAP uint32_t finished[2]; /* last round that the producer, the consumer finished */
    PS_ALIGNED_GAP bool saw_data;
    uint64_t rounds, lost, wakes;
};

static uint32_t load(const uint32_t *value)
{
    return __atomic_load_n(value, __ATOMIC_ACQUIRE);
}

static void store(uint32_t *value, uint32_t to)
{
    __atomic_store_n(value, to, __ATOMIC_RELEASE);
}

static void wait_for_either(const uint32_t *value, uint32_t one, uint32_t other)
{
    for (unsigned spins = 0; load(value) != one && load(value) != other; spins++) {
        if (spins > 2000)
            sched_yield(); /* fewer cores than threads */
    }
}

static void wait_for(const uint32_t *value, uint32_t round)
{
    wait_for_either(value, round, round);
}

static void spin(uint64_t turns)
{
    while (turns-- > 0)
        __asm__ volatile("");
}

static bool wake(struct litmus *litmus)
{
    return litmus->fenced ? ps_park_wake(&litmus->park) : load(&litmus->park.parked) != 0;
}

static void announce(struct litmus *litmus)
{
    if (litmus->fenced)
        ps_park_announce(&litmus->park);
    else
        store(&litmus->park.parked, 1);
}

static void cancel(struct litmus *litmus)
{
    if (litmus->fenced)
        ps_park_cancel(&litmus->park);
    else
        store(&litmus->park.parked, 0);
}

static void *consume(void *argument)
{
    struct litmus *litmus = argument;
    uint64_t random = 13;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        wait_for_either(&litmus->begun, round, ROUNDS + 1);
        if (load(&litmus->begun) > ROUNDS)
            break;
        spin(ps_test_random(&random) % 24);
        announce(litmus);
        litmus->saw_data = load(&litmus->data) == round;
        store(&litmus->finished[1], round);
        wait_for(&litmus->finished[0], round);
    }
    return NULL;
}

static void run(struct litmus *litmus)
{
    pthread_t thread;
    /* The delay adapts to how long the other side takes to begin, so that both meet. */
    uint64_t random = 7, delay = 100;
    assert_true(ps_park_init(&litmus->park));
    assert_int_equal(pthread_create(&thread, NULL, consume, litmus), 0);
    uint64_t until_ns = ps_clock_now().mono_ns + PATIENCE_S * PS_NS_PER_S;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        if (round % 1024 == 0 && ps_clock_now().mono_ns > until_ns)
            break;
        litmus->rounds = round;
        store(&litmus->begun, round);
        spin(delay + ps_test_random(&random) % 24);
        store(&litmus->data, round);
        bool woke = wake(litmus);
        wait_for(&litmus->finished[1], round);
        litmus->lost += !litmus->saw_data && !woke;
        litmus->wakes += woke;
        if (woke && !litmus->saw_data)
            delay -= delay > 0;
        else if (!woke && litmus->saw_data && delay < 5000)
            delay++;
        cancel(litmus);
        store(&litmus->finished[0], round);
    }
    store(&litmus->begun, ROUNDS + 1);
    pthread_join(thread, NULL);
    ps_park_fini(&litmus->park);
}

static void test_no_wake_up_is_lost(void **state)
{
    static struct litmus litmus;
    (void)state;
    litmus.fenced = true;
    run(&litmus);
    printf("full fence: %llu of %llu rounds woke a sleeper, %llu lost\n", (unsigned long long)litmus.wakes,
           (unsigned long long)litmus.rounds, (unsigned long long)litmus.lost);
    assert_int_equal(litmus.lost, 0);
}

static void test_release_and_acquire_alone(void **state)
{
    static struct litmus litmus;
    (void)state;
    run(&litmus);
    printf("release and acquire alone: %llu of %llu rounds lost\n", (unsigned long long)litmus.lost,
           (unsigned long long)litmus.rounds);
}

/* The consumer really sleeps: a lost wake-up would hang here, and the watchdog would end the test. */
#define NAPS (ROUNDS / 20)

static void *sleep_often(void *argument)
{
    struct litmus *litmus = argument;
    for (uint32_t round = 1; round <= NAPS; round++) {
        while (load(&litmus->data) < round) {
            ps_park_announce(&litmus->park);
            if (load(&litmus->data) < round) {
                struct timespec nap = {.tv_sec = WATCHDOG_S};
                fd_set set;
                FD_ZERO(&set);
                FD_SET(litmus->park.event_fd, &set);
                (void)pselect(litmus->park.event_fd + 1, &set, NULL, NULL, &nap, NULL);
            }
            ps_park_cancel(&litmus->park);
        }
        store(&litmus->finished[1], round);
    }
    return NULL;
}

static void test_sleepers_wake(void **state)
{
    static struct litmus litmus;
    pthread_t thread;
    uint64_t random = 3;
    (void)state;
    assert_true(ps_park_init(&litmus.park));
    assert_int_equal(pthread_create(&thread, NULL, sleep_often, &litmus), 0);
    for (uint32_t round = 1; round <= NAPS; round++) {
        spin(ps_test_random(&random) % 24);
        store(&litmus.data, round);
        litmus.wakes += ps_park_wake(&litmus.park);
        wait_for(&litmus.finished[1], round);
    }
    pthread_join(thread, NULL);
    printf("%llu of %u naps ended by a wake-up\n", (unsigned long long)litmus.wakes, NAPS);
    ps_park_fini(&litmus.park);
}

int main(void)
{
    alarm(WATCHDOG_S);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_wake_up_is_lost),
        cmocka_unit_test(test_release_and_acquire_alone),
        cmocka_unit_test(test_sleepers_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
