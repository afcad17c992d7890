/* The pacer's bookkeeping: gaps are noted and subtracted, and descriptors are polled while it waits. No test
 * checks how exact it is; bench/load_speed measures that. */
#include "tests/support/support.h"

#include "bench/load/pacer.h"
#include "core/clock.h"

#include <sys/eventfd.h>
#include <unistd.h>

static struct ps_histogram gap_ns;

static struct ps_pacer pacer_make(int epoll, bool spin)
{
    struct ps_pacer pacer;
    memset(&gap_ns, 0, sizeof gap_ns);
    ps_pacer_init(&pacer, epoll, spin, &gap_ns);
    return pacer;
}

static uint64_t overlap(const struct ps_pacer *pacer, uint64_t from_ns, uint64_t to_ns)
{
    struct ps_pacer_overlap gaps;
    ps_pacer_overlap_begin(&gaps, pacer, from_ns, to_ns);
    return ps_pacer_overlap(&gaps, from_ns);
}

static void test_gaps_between_readings_are_noted(void **state)
{
    struct ps_pacer pacer = pacer_make(-1, true);
    uint64_t base = pacer.seen_ns;
    for (uint64_t i = 1; i <= 100; i++)
        ps_pacer_saw(&pacer, base + i * 100);
    assert_int_equal(gap_ns.count, 0);
    ps_pacer_saw(&pacer, base + 10000 + 500000); /* the core is lost for half a millisecond */
    assert_int_equal(gap_ns.count, 1);
    assert_int_equal(gap_ns.max, 500000);
    ps_pacer_saw(&pacer, base + 510100);
    ps_pacer_saw(&pacer, base + 510100 + 100000);
    assert_int_equal(gap_ns.count, 2);
    /* Returns the part of a period that gaps cover. */
    assert_int_equal(overlap(&pacer, base, base + 1000000), 600000);
    assert_int_equal(overlap(&pacer, base + 20000, base + 30000), 10000);
    assert_int_equal(overlap(&pacer, base + 500000, base + 520100), 20000);
    assert_int_equal(overlap(&pacer, base + 610100, base + 700000), 0);
}

static void test_old_gaps_are_forgotten(void **state)
{
    struct ps_pacer pacer = pacer_make(-1, true);
    uint64_t base = pacer.seen_ns;
    for (uint64_t i = 1; i <= 1000; i++)
        ps_pacer_saw(&pacer, base + i * 50000);
    assert_int_equal(gap_ns.count, 1000);
    assert_int_equal(overlap(&pacer, 0, PS_NEVER), PS_PACER_GAPS * UINT64_C(50000));
}

/* Moments in ascending order, compared with adding the gaps up one by one. */
static void test_overlaps_are_what_adding_up_gives(void **state)
{
    uint64_t seed = ps_test_seed();
    for (unsigned round = 0; round < 200; round++) {
        struct ps_pacer pacer = pacer_make(-1, true);
        uint64_t first = pacer.seen_ns, now = first;
        for (uint64_t i = ps_test_random(&seed) % 700; i > 0; i--)
            ps_pacer_saw(&pacer, now += ps_test_random(&seed) % 60000);
        uint64_t to = now + 1000 - ps_test_random(&seed) % 50000, from = first - 1000;
        struct ps_pacer_overlap gaps;
        ps_pacer_overlap_begin(&gaps, &pacer, from, to);
        for (; from < to; from += ps_test_random(&seed) % 30000) {
            uint64_t wanted = 0, got = ps_pacer_overlap(&gaps, from);
            for (uint32_t i = 0; i < pacer.gap_count && i < PS_PACER_GAPS; i++) {
                uint64_t begin = pacer.gaps[i].from_ns > from ? pacer.gaps[i].from_ns : from;
                uint64_t end = pacer.gaps[i].to_ns < to ? pacer.gaps[i].to_ns : to;
                wanted += end > begin ? end - begin : 0;
            }
            assert_int_equal(got, wanted);
        }
    }
}

/* Time that the thread slept instead of working is a gap. Time that it computed is not. */
static void test_being_away_at_work_is_noted(void **state)
{
    struct ps_pacer pacer = pacer_make(-1, true);
    usleep(20000);
    ps_pacer_worked(&pacer, ps_pacer_now());
    assert_int_equal(gap_ns.count, 1);
    assert_true(gap_ns.max >= 19000000);
}

/* A gap is never longer than the time since the last reading, although the CPU time is known since earlier. */
static void test_a_gap_ends_at_the_last_reading(void **state)
{
    struct ps_pacer pacer = pacer_make(-1, true);
    pacer.mark_ns -= 50 * PS_NS_PER_MS; /* away for 50 ms, most of it before the last reading */
    uint64_t now_ns = pacer.seen_ns + 2 * PS_NS_PER_MS;
    ps_pacer_worked(&pacer, now_ns);
    assert_int_equal(gap_ns.count, 1);
    assert_int_equal(gap_ns.max, 2 * PS_NS_PER_MS);
    assert_int_equal(overlap(&pacer, now_ns - 2 * PS_NS_PER_MS, now_ns + PS_NS_PER_S), 2 * PS_NS_PER_MS);
}

static void test_it_waits_until_the_time(void **state)
{
    for (int spin = 0; spin <= 1; spin++) {
        struct ps_pacer pacer = pacer_make(-1, spin);
        static const uint64_t waits_ns[] = {0, 1000, 100000, 5000000, 15000000};
        for (size_t i = 0; i < PS_COUNT_OF(waits_ns); i++) {
            uint64_t until_ns = ps_pacer_now() + waits_ns[i];
            int ready;
            while (ps_pacer_now() < until_ns) {
                ps_pacer_wait(&pacer, i % 2 == 0 ? until_ns : PS_NEVER, until_ns, &ready);
                assert_int_equal(ready, 0);
            }
        }
        uint64_t before_ns = ps_pacer_now();
        int ready;
        uint64_t now_ns =
            ps_pacer_wait(&pacer, PS_NEVER, PS_NEVER, &ready); /* returns so that the caller sees orders */
        assert_true(now_ns > before_ns && ready == 0);
    }
}

static void test_descriptors_are_seen(void **state)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(epoll >= 0 && fd >= 0);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 77};
    assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
    for (int spin = 0; spin <= 1; spin++) {
        static const uint64_t waits_ns[] = {2000000, 5000000, 60000000};
        struct ps_pacer pacer = pacer_make(epoll, spin);
        for (size_t i = 0; i < PS_COUNT_OF(waits_ns); i++) {
            int ready = 0;
            uint64_t until_ns = ps_pacer_now() + waits_ns[i];
            do { /* once, even if this thread slept until then */
                ps_pacer_wait(&pacer, i % 2 == 0 ? until_ns : PS_NEVER, until_ns, &ready);
            } while (ready == 0 && ps_pacer_now() < until_ns);
            assert_int_equal(ready, 1);
            assert_int_equal(pacer.ready[0].data.u32, 77);
        }
        usleep(1000);
        int ready;
        ps_pacer_wait(&pacer, 0, 0, &ready); /* already late: it polls all the same */
        assert_int_equal(ready, 1);
    }
    close(fd);
    close(epoll);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaps_between_readings_are_noted),
        cmocka_unit_test(test_old_gaps_are_forgotten),
        cmocka_unit_test(test_overlaps_are_what_adding_up_gives),
        cmocka_unit_test(test_being_away_at_work_is_noted),
        cmocka_unit_test(test_a_gap_ends_at_the_last_reading),
        cmocka_unit_test(test_it_waits_until_the_time),
        cmocka_unit_test(test_descriptors_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
