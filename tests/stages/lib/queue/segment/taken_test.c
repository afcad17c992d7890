/* The set of a log's delivered frames, compared with a model that has one entry for each frame. */
#include "stages/lib/queue/segment/taken.h"

#include "tests/support/support.h"

#define LOW 1000U
#define FRAMES 200U

static struct ps_taken taken;
static bool model[FRAMES]; /* the frame LOW + i was delivered */
static uint64_t random_state;

static uint64_t pick(uint64_t below)
{
    return ps_test_random(&random_state) % below;
}

/* A frame has as many events as its number has set bits, and a size that no other frame has: so a sum shows which frames are in it. */
static struct ps_taken_range range_of(uint64_t first, uint64_t last)
{
    struct ps_taken_range range = {.first = first, .last = last};
    for (uint64_t number = first; number <= last; number++) {
        range.events += (uint64_t)__builtin_popcountll(number);
        range.bytes += number * number;
    }
    return range;
}

static bool model_has(uint64_t first, uint64_t last)
{
    bool all = true;
    for (uint64_t number = first; number <= last; number++)
        all = all && (number < LOW || (number < LOW + FRAMES && model[number - LOW]));
    return all;
}

static void assert_same(void)
{
    uint64_t low = LOW;
    size_t count = 0;
    while (low < LOW + FRAMES && model[low - LOW])
        low++;
    assert_int_equal(taken.low, low);
    for (uint64_t number = low; number < LOW + FRAMES; number++) {
        if (!model[number - LOW])
            continue;
        uint64_t first = number;
        while (number + 1 < LOW + FRAMES && model[number + 1 - LOW])
            number++;
        const struct ps_taken_range expected = range_of(first, number);
        assert_true(count < taken.count);
        assert_int_equal(taken.ranges[count].first, expected.first);
        assert_int_equal(taken.ranges[count].last, expected.last);
        assert_int_equal(taken.ranges[count].events, expected.events);
        assert_int_equal(taken.ranges[count].bytes, expected.bytes);
        count++;
    }
    assert_int_equal(taken.count, count);
    for (uint64_t number = LOW - 2; number < LOW + FRAMES + 2; number++)
        assert_int_equal(ps_taken_has(&taken, number), model_has(number, number));
}

static void add(uint64_t first, uint64_t last)
{
    const struct ps_taken_range range = range_of(first, last);
    bool fresh = first >= LOW;
    for (uint64_t number = first; number <= last && fresh; number++)
        fresh = !model[number - LOW];
    assert_int_equal(ps_taken_add(&taken, &range), fresh);
    for (uint64_t number = first; number <= last && fresh; number++)
        model[number - LOW] = true;
}

static void ask_all(void)
{
    for (unsigned i = 0; i < 40; i++) {
        uint64_t first = LOW - 3 + pick(FRAMES + 3), last = first + pick(12);
        assert_int_equal(ps_taken_has_all(&taken, first, last), model_has(first, last));
    }
}

/* Ranges of one to eight frames in any order, some of them twice, until everything was delivered. */
static void test_drawn(void **state)
{
    random_state = ps_test_seed() | 1;
    for (unsigned round = 0; round < 20; round++) {
        memset(model, 0, sizeof model);
        ps_taken_init(&taken, LOW);
        for (unsigned step = 0; step < 300; step++) {
            uint64_t first = LOW + pick(FRAMES), most = LOW + FRAMES - first;
            add(first, first + pick(most < 8 ? most : 8));
            assert_same();
            ask_all();
        }
        for (uint64_t number = LOW; number < LOW + FRAMES; number++)
            add(number, number);
        assert_same();
        assert_int_equal(taken.low, LOW + FRAMES);
        assert_int_equal(taken.count, 0);
        ps_taken_fini(&taken);
        assert_int_equal(taken.count + taken.room + taken.low, 0);
        assert_null(taken.ranges);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
