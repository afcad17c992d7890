/* Parking between real threads, in rounds: at the same moment the producer publishes and wakes, and the
 * consumer announces its sleep, looks once more and sleeps. A wake-up is lost when the consumer sees no
 * item and the producer sees no sleeper. rings/park.c must lose none, whether the item is in a word or in an inbox
 * (rings/inbox.c: a put and a take have no fence of their own), and whether the producer wakes whom it knows or
 * whom it finds among the waiters (rings/waiters.c). The test also runs a variant with a
 * release/acquire pair instead of the full fence and prints how many it loses: x86 usually loses some, but
 * no machine has to. */
#include "rings/inbox.h"
#include "rings/park.h"
#include "core/clock.h"
#include "rings/tsan.h"
#include "rings/waiters.h"
#include "tests/support/support.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/select.h>
#include <unistd.h>

#if defined(PS_TSAN) || defined(__SANITIZE_ADDRESS__)
#define ROUNDS 100000U
#elif !defined(__OPTIMIZE__)
#define ROUNDS 500000U /* without the fence of ps_park_wake, 1 of 2,000 is lost */
#else
#define ROUNDS 2000000U
#endif
#define ROUNDS_MIN (ROUNDS / 20)
#define PATIENCE_S 15   /* a busy machine runs fewer rounds, but not less than ROUNDS_MIN */
#define NAP_MAX_S 30    /* a wake-up that is this late counts as lost */
#define WATCHDOG_S 110U /* seconds without progress until the test is killed */

struct litmus {
    struct ps_park park;
    bool fenced, by_inbox, by_waiters;
    struct ps_waiters waiters;
    struct ps_inbox inbox;
    struct ps_inbox_node item;
    PS_ALIGNED_GAP uint32_t data;        /* the ring, without an inbox */
    PS_ALIGNED_GAP uint32_t begun;       /* round that the producer began; ROUNDS + 1: the end */
    PS_ALIGNED_GAP uint32_t finished[2]; /* last round that the producer (0) or the consumer (1) finished */
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
            ps_test_yield(); /* fewer cores than threads */
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

static void publish(struct litmus *litmus, uint32_t round)
{
    if (litmus->by_inbox)
        ps_inbox_put(&litmus->inbox, &litmus->item);
    else
        store(&litmus->data, round);
}

/* Returns whether the item of this round is there, and takes it. Thread: the consumer. */
static bool look(struct litmus *litmus, uint32_t round)
{
    return litmus->by_inbox ? ps_inbox_take(&litmus->inbox) != NULL : load(&litmus->data) >= round;
}

#define CONSUMER 5U

static bool wake(struct litmus *litmus)
{
    if (litmus->by_waiters && ps_waiters_take_one(&litmus->waiters) != UINT64_C(1) << CONSUMER)
        return false;
    return litmus->fenced ? ps_park_wake(&litmus->park) : load(&litmus->park.parked) != 0;
}

static void announce(struct litmus *litmus)
{
    if (litmus->by_waiters)
        (void)ps_waiters_join(&litmus->waiters, CONSUMER);
    if (litmus->fenced)
        ps_park_announce(&litmus->park);
    else
        store(&litmus->park.parked, 1);
}

static void cancel(struct litmus *litmus)
{
    (void)ps_waiters_leave(&litmus->waiters, CONSUMER);
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
        litmus->saw_data = look(litmus, round);
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
        if (round % 1024 == 0) {
            alarm(WATCHDOG_S);
            if ((round > ROUNDS_MIN || !litmus->fenced) && ps_clock_now().mono_ns > until_ns)
                break;
        }
        litmus->rounds = round;
        store(&litmus->begun, round);
        spin(delay + ps_test_random(&random) % 24);
        publish(litmus, round);
        bool woke = wake(litmus);
        wait_for(&litmus->finished[1], round);
        (void)ps_inbox_take(&litmus->inbox); /* items that the consumer did not see; it does not look now */
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

static void lose_none(struct litmus *litmus, const char *what)
{
    litmus->fenced = true;
    run(litmus);
    printf("full fence, %s: %llu of %llu rounds woke a sleeper, %llu lost\n", what,
           (unsigned long long)litmus->wakes, (unsigned long long)litmus->rounds,
           (unsigned long long)litmus->lost);
    assert_int_equal(litmus->lost, 0);
    assert_true(litmus->rounds >= ROUNDS_MIN);
    if (litmus->wakes == 0 || litmus->wakes == litmus->rounds)
        ps_test_skip("the two threads never met: they had no two CPUs");
}

static void test_no_wake_up_is_lost(void **state)
{
    static struct litmus litmus;
    lose_none(&litmus, "a word");
}

static void test_no_inbox_is_missed(void **state)
{
    static struct litmus litmus;
    litmus.by_inbox = true;
    lose_none(&litmus, "an inbox");
}

static void test_release_and_acquire_alone(void **state)
{
    static struct litmus litmus;
    run(&litmus);
    printf("release and acquire alone: %llu of %llu rounds lost\n", (unsigned long long)litmus.lost,
           (unsigned long long)litmus.rounds);
}

static void test_no_waiter_is_missed(void **state)
{
    static struct litmus litmus;
    litmus.by_waiters = true;
    lose_none(&litmus, "a word and waiters");
}

/* The consumer really sleeps, until it is woken. */
#define NAPS (ROUNDS / 20)
#define NAPS_MIN (NAPS / 10)

static void *sleep_often(void *argument)
{
    struct litmus *litmus = argument;
    for (uint32_t round = 1; round <= NAPS; round++) {
        while (!look(litmus, round)) {
            announce(litmus);
            bool seen = look(litmus, round);
            if (!seen && !(litmus->by_waiters && ps_waiters_join(&litmus->waiters, CONSUMER))) {
                struct timespec nap = {.tv_sec = NAP_MAX_S};
                fd_set set;
                FD_ZERO(&set);
                FD_SET(litmus->park.event_fd, &set);
                litmus->lost += pselect(litmus->park.event_fd + 1, &set, NULL, NULL, &nap, NULL) == 0;
            }
            cancel(litmus);
            if (seen)
                break;
        }
        bool last = litmus->lost > 0 || load(&litmus->begun) > ROUNDS;
        store(&litmus->finished[1], litmus->lost == 0 ? round : ROUNDS + 1);
        if (last)
            break;
    }
    return NULL;
}

static void wake_sleepers(struct litmus *litmus)
{
    pthread_t thread;
    uint64_t random = 3;
    litmus->fenced = true;
    assert_true(ps_park_init(&litmus->park));
    assert_int_equal(pthread_create(&thread, NULL, sleep_often, litmus), 0);
    uint32_t round = 0;
    uint64_t until_ns = ps_clock_now().mono_ns + PATIENCE_S * PS_NS_PER_S;
    for (bool last = false; !last && round < NAPS;) {
        round++;
        if (round % 256 == 0) {
            alarm(WATCHDOG_S);
            last = round > NAPS_MIN && ps_clock_now().mono_ns > until_ns;
        }
        if (last) /* the consumer sees it when it has seen the item */
            store(&litmus->begun, ROUNDS + 1);
        spin(ps_test_random(&random) % 24);
        publish(litmus, round);
        litmus->wakes += wake(litmus);
        wait_for_either(&litmus->finished[1], round, ROUNDS + 1);
        last |= load(&litmus->finished[1]) > ROUNDS;
    }
    pthread_join(thread, NULL);
    if (litmus->lost > 0)
        fail_msg("nap %llu was not ended by a wake-up", (unsigned long long)litmus->wakes + 1);
    printf("%llu of %u naps ended by a wake-up\n", (unsigned long long)litmus->wakes, round);
    ps_park_fini(&litmus->park);
}

static void test_sleepers_wake(void **state)
{
    static struct litmus word, inbox, waiters;
    wake_sleepers(&word);
    inbox.by_inbox = true;
    wake_sleepers(&inbox);
    waiters.by_waiters = true;
    wake_sleepers(&waiters);
}

static void give_up(int number)
{
    static const char text[] = "FAILED: a thread waits for ever, or the machine is too slow for the test\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    _exit(written > 0 ? 1 : 2);
}

int main(void)
{
    signal(SIGALRM, give_up);
    alarm(WATCHDOG_S);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_wake_up_is_lost),  cmocka_unit_test(test_no_inbox_is_missed),
        cmocka_unit_test(test_no_waiter_is_missed), cmocka_unit_test(test_release_and_acquire_alone),
        cmocka_unit_test(test_sleepers_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
