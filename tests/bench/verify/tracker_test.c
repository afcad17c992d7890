/* Planted faults: events of many sources are dropped, duplicated, swapped and moved to other streams at
 * random, and the tracker must find exactly what a simple model finds. */
#include "bench/verify/tracker.h"
#include "tests/support/support.h"

#define SOURCES 12U
#define STREAMS 5U
#define EVENTS 3000U

struct arrival {
    uint32_t source;
    uint32_t sequence;
    uint32_t stream;
};

/* The expected counts of a source, computed the simple way. */
struct model {
    uint8_t seen[EVENTS];
    int64_t highest[STREAMS];
    uint64_t received, duplicated, reordered;
};

static struct arrival arrivals[SOURCES * EVENTS * 2];
static struct model models[SOURCES];

static void model_add(const struct arrival *arrival)
{
    struct model *model = &models[arrival->source];
    if (model->seen[arrival->sequence]++) {
        model->duplicated++;
        return;
    }
    model->received++;
    if ((int64_t)arrival->sequence < model->highest[arrival->stream])
        model->reordered++;
    else
        model->highest[arrival->stream] = arrival->sequence;
}

/* Sources take turns at random; each event goes to its source's stream or to any. */
static uint32_t arrivals_make(uint64_t *random, bool streams_any)
{
    uint32_t next[SOURCES] = {0}, count = 0;
    for (uint32_t left = SOURCES * EVENTS; left > 0;) {
        uint32_t source = (uint32_t)(ps_test_random(random) % SOURCES);
        if (next[source] == EVENTS)
            continue;
        uint32_t stream = streams_any ? (uint32_t)(ps_test_random(random) % STREAMS) : source % STREAMS;
        arrivals[count++] = (struct arrival){source, next[source]++, stream};
        left--;
    }
    return count;
}

static uint32_t faults_plant(uint64_t *random, uint32_t count, unsigned faults)
{
    for (unsigned i = 0; i < faults; i++) {
        uint32_t at = (uint32_t)(ps_test_random(random) % count), to;
        struct arrival one = arrivals[at];
        switch (ps_test_random(random) % 4) {
        case 0: /* drop */
            memmove(&arrivals[at], &arrivals[at + 1], (count - at - 1) * sizeof one);
            count--;
            break;
        case 1: /* duplicate, somewhere later, in any stream */
            to = at + (uint32_t)(ps_test_random(random) % (count - at));
            memmove(&arrivals[to + 1], &arrivals[to], (count - to) * sizeof one);
            one.stream = (uint32_t)(ps_test_random(random) % STREAMS);
            arrivals[to] = one;
            count++;
            break;
        case 2: /* swap with the next */
            if (at + 1 < count) {
                arrivals[at] = arrivals[at + 1];
                arrivals[at + 1] = one;
            }
            break;
        default: /* come late */
            to = at + (uint32_t)(ps_test_random(random) % (count - at));
            memmove(&arrivals[at], &arrivals[at + 1], (to - at) * sizeof one);
            arrivals[to] = one;
        }
    }
    return count;
}

struct lost_check {
    const struct model *model;
    uint64_t count;
};

static bool lost_check(void *argument, uint64_t first, uint64_t last)
{
    struct lost_check *check = argument;
    for (uint64_t i = first; i <= last; i++, check->count++)
        assert_int_equal(check->model->seen[i], 0);
    return true;
}

static void feed(struct ps_tracker *tracker, const struct arrival *arrival, uint64_t offset)
{
    struct ps_run *run = ps_tracker_run(tracker, 77);
    struct ps_source *source = ps_tracker_source(tracker, run, arrival->source * 50 + 3);
    assert_true(run != NULL && source != NULL);
    struct ps_stamp stamp = {.run = 77, .source = arrival->source, .sequence = arrival->sequence + offset};
    ps_tracker_add(tracker, run, source, &stamp, arrival->stream);
}

static void compare(const struct ps_tracker *tracker)
{
    struct ps_run *run = ps_tracker_find(tracker, 77);
    struct ps_tracker_counts all = {0};
    uint32_t at = 0;
    for (uint32_t i = 0; i < SOURCES; i++) {
        struct ps_source *source = ps_tracker_each_source(run, &at);
        struct lost_check check = {&models[i], 0};
        assert_non_null(source);
        assert_int_equal(source->source, i * 50 + 3);
        assert_int_equal(source->tally.received, models[i].received);
        assert_int_equal(source->tally.duplicated, models[i].duplicated);
        assert_int_equal(source->tally.reordered, models[i].reordered);
        assert_int_equal(ps_sequences_missing(&source->seen, EVENTS), EVENTS - models[i].received);
        ps_sequences_ranges(&source->seen, EVENTS, lost_check, &check);
        assert_int_equal(check.count, EVENTS - models[i].received);
        all.received += models[i].received;
        all.duplicated += models[i].duplicated;
        all.reordered += models[i].reordered;
    }
    assert_null(ps_tracker_each_source(run, &at));
    assert_int_equal(run->tally.received, all.received);
    assert_int_equal(run->tally.duplicated, all.duplicated);
    assert_int_equal(run->tally.reordered, all.reordered);
    assert_int_equal(run->tally.unknown, 0);
}

static void test_random_faults(void **state)
{
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 40; round++) {
        struct ps_tracker *tracker = ps_tracker_create(UINT64_C(64) << 20);
        assert_non_null(tracker);
        memset(models, 0, sizeof models);
        for (uint32_t i = 0; i < SOURCES; i++)
            for (uint32_t k = 0; k < STREAMS; k++)
                models[i].highest[k] = -1;
        uint32_t count = arrivals_make(&random, round % 2 == 1);
        count = faults_plant(&random, count, (unsigned)(ps_test_random(&random) % 300));
        for (uint32_t i = 0; i < count; i++) {
            model_add(&arrivals[i]);
            feed(tracker, &arrivals[i], 0);
        }
        compare(tracker);
        ps_tracker_destroy(tracker);
    }
}

/* One fault at a time, at every place: the counts are exactly one. */
static void test_one_fault(void **state)
{
    enum { COUNT = 50 };
    for (unsigned fault = 0; fault < 3; fault++) {
        for (uint32_t at = 0; at + 1 < COUNT; at++) {
            struct ps_tracker *tracker = ps_tracker_create(1 << 20);
            for (uint32_t i = 0; i < COUNT; i++) {
                struct arrival arrival = {0, i, 0};
                if (fault == 2 && (i == at || i == at + 1)) /* swapped */
                    arrival.sequence = i == at ? at + 1 : at;
                if (fault != 0 || i != at) /* dropped */
                    feed(tracker, &arrival, 0);
                if (fault == 1 && i == at) /* doubled */
                    feed(tracker, &arrival, 0);
            }
            struct ps_run *run = ps_tracker_find(tracker, 77);
            uint32_t from = 0;
            struct ps_source *source = ps_tracker_each_source(run, &from);
            assert_int_equal(ps_sequences_missing(&source->seen, COUNT), fault == 0);
            assert_int_equal(run->tally.duplicated, fault == 1);
            assert_int_equal(run->tally.reordered, fault == 2);
            assert_int_equal(run->tally.received, COUNT - (fault == 0));
            ps_tracker_destroy(tracker);
        }
    }
}

/* Many sources and streams with little memory: the counts given are right, the rest is reported as
 * unknown. */
static void test_little_memory(void **state)
{
    uint64_t random = ps_test_seed(), refused = 0, fed = 0;
    struct ps_tracker *tracker = ps_tracker_create(1 << 20);
    struct ps_run *run = ps_tracker_run(tracker, 5);
    struct ps_tracker_facts facts;
    for (unsigned i = 0; i < 200000; i++) {
        uint32_t number = (uint32_t)(ps_test_random(&random) % 40000);
        struct ps_source *source = ps_tracker_source(tracker, run, number);
        if (source == NULL) {
            refused++;
            continue;
        }
        struct ps_stamp stamp = {.run = 5, .source = number, .sequence = i};
        enum ps_tracked tracked = ps_tracker_add(tracker, run, source, &stamp, i % 64);
        assert_int_not_equal(tracked, PS_TRACKED_AGAIN);
        fed++;
    }
    ps_tracker_facts(tracker, &facts);
    assert_true(refused > 0);
    assert_int_equal(run->tally.received + run->tally.unknown, fed);
    assert_int_equal(run->tally.reordered, 0);
    assert_true(facts.memory_bytes_max <= 1 << 20);
    ps_tracker_destroy(tracker);
}

/* More streams than fit into memory: a record whose order could not be checked does not count as in order. */
static void test_many_streams(void **state)
{
    struct ps_tracker *tracker = ps_tracker_create(1 << 20);
    struct ps_tracker_facts facts;
    for (uint32_t i = 0; i < 100000; i++)
        feed(tracker, &(struct arrival){0, i, i}, 0);
    ps_tracker_facts(tracker, &facts);
    assert_in_range(facts.order_blind, 1, 99999);
    assert_true(facts.memory_bytes_max <= 1 << 20);
    assert_int_equal(ps_tracker_find(tracker, 77)->tally.received, 100000);
    assert_int_equal(ps_tracker_find(tracker, 77)->tally.reordered, 0);
    feed(tracker, &(struct arrival){0, 100001, 7}, 0); /* this stream is known */
    feed(tracker, &(struct arrival){0, 100000, 7}, 0);
    assert_int_equal(ps_tracker_find(tracker, 77)->tally.reordered, 1);
    ps_tracker_destroy(tracker);
}

/* One source whose holes do not fit: the oldest are forgotten; late numbers count neither as new nor as
 * duplicates. */
static void test_forgets_the_oldest(void **state)
{
    struct ps_tracker *tracker = ps_tracker_create(1 << 20);
    struct arrival arrival = {0, 0, 0};
    struct ps_tracker_facts facts;
    for (uint64_t i = 0; i < 40000000; i += 3)
        feed(tracker, &arrival, i);
    feed(tracker, &arrival, 0);
    feed(tracker, &arrival, 1);
    feed(tracker, &arrival, 39999999); /* 3 divides it */
    struct ps_run *run = ps_tracker_find(tracker, 77);
    ps_tracker_facts(tracker, &facts);
    assert_int_equal(run->tally.received, (40000000 + 2) / 3);
    assert_int_equal(run->tally.unknown, 2);
    assert_int_equal(run->tally.duplicated, 1);
    assert_true(facts.forgotten > 0);
    assert_true(facts.memory_bytes_max <= 1 << 20);
    ps_tracker_destroy(tracker);
}

static void test_runs_are_bounded(void **state)
{
    struct ps_tracker *tracker = ps_tracker_create(UINT64_C(64) << 20);
    for (uint32_t i = 0; i < PS_TRACKER_RUNS_MAX; i++)
        assert_non_null(ps_tracker_run(tracker, i * 3));
    assert_null(ps_tracker_run(tracker, 1));
    assert_non_null(ps_tracker_run(tracker, 3));
    unsigned at = 0, count = 0;
    while (ps_tracker_each_run(tracker, &at) != NULL)
        count++;
    assert_int_equal(count, PS_TRACKER_RUNS_MAX);
    ps_tracker_destroy(tracker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_faults),      cmocka_unit_test(test_one_fault),
        cmocka_unit_test(test_little_memory),      cmocka_unit_test(test_many_streams),
        cmocka_unit_test(test_forgets_the_oldest), cmocka_unit_test(test_runs_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
