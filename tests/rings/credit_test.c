/* Credit: which taker must wake the feeder, and that no room is missed. */
#include "rings/credit.h"

#include "rings/park.h"
#include "rings/spmc.h"
#include "tests/support/support.h"

#include <poll.h>
#include <pthread.h>

static void test_who_wakes(void **state)
{
    struct ps_credit credit = {.waiting = 0};
    ps_credit_spend(&credit, 10);
    ps_credit_spend(&credit, 10);
    ps_credit_spend(&credit, 10);
    assert_int_equal(ps_credit_waiting(&credit), 30);
    assert_false(ps_credit_return(&credit, 10)); /* nobody asked */
    assert_false(ps_credit_is_answered(&credit));
    ps_credit_ask(&credit, 20);
    assert_false(ps_credit_is_answered(&credit)); /* 20 bytes wait, which is not fewer than 20 */
    ps_credit_ask(&credit, 10);
    assert_false(ps_credit_return(&credit, 10)); /* 10 are not fewer than 10 */
    ps_credit_ask(&credit, 11);
    assert_true(ps_credit_is_answered(&credit));
    ps_credit_ask(&credit, 1);
    assert_false(ps_credit_is_answered(&credit));
    assert_true(ps_credit_return(&credit, 10));
    assert_true(ps_credit_is_answered(&credit));
    assert_int_equal(ps_credit_waiting(&credit), 0);
    ps_credit_ask(&credit, 0);
    assert_false(ps_credit_is_answered(&credit));
}

/* ---- no room is missed ---- */

#define ENTRIES 30000U
#define TAKERS 2U

static struct {
    struct ps_credit credit;
    struct ps_park park;
    struct ps_spmc *ring;
    unsigned left; /* entries that were not taken; atomic */
} race;

static void *take(void *argument)
{
    while (__atomic_load_n(&race.left, __ATOMIC_RELAXED) > 0) {
        uint64_t *entry = ps_spmc_pop(race.ring);
        if (entry == NULL)
            continue;
        __atomic_fetch_sub(&race.left, 1, __ATOMIC_RELAXED);
        if (ps_credit_return(&race.credit, *entry))
            (void)ps_park_wake(&race.park);
    }
    return argument;
}

/* The feeder sleeps as long as a test may take: only a taker's wake makes it continue. */
static void test_no_room_is_missed(void **state)
{
    static uint64_t entries[ENTRIES];
    pthread_t takers[TAKERS];
    unsigned slept_out = 0;
    race.ring = ps_spmc_create(16);
    race.left = ENTRIES;
    assert_true(ps_park_init(&race.park));
    for (unsigned i = 0; i < TAKERS; i++)
        assert_int_equal(pthread_create(&takers[i], NULL, take, NULL), 0);
    for (unsigned i = 0; i < ENTRIES && slept_out == 0;) {
        uint64_t limit = 1 + i % 16;
        while (i < ENTRIES && ps_credit_waiting(&race.credit) < limit) {
            entries[i] = 1;
            ps_credit_spend(&race.credit, entries[i]);
            assert_true(ps_spmc_push(race.ring, &entries[i++]));
        }
        ps_credit_ask(&race.credit, limit / 2 + 1);
        struct pollfd ready = {.fd = race.park.event_fd, .events = POLLIN};
        ps_park_announce(&race.park);
        if (!ps_credit_is_answered(&race.credit))
            slept_out += poll(&ready, 1, PS_TEST_PATIENCE_MS) == 0;
        ps_park_cancel(&race.park);
    }
    assert_int_equal(slept_out, 0);
    for (unsigned i = 0; i < TAKERS; i++)
        assert_int_equal(pthread_join(takers[i], NULL), 0);
    assert_int_equal(ps_credit_waiting(&race.credit), 0);
    ps_park_fini(&race.park);
    ps_spmc_destroy(race.ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_wakes),
        cmocka_unit_test(test_no_room_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
