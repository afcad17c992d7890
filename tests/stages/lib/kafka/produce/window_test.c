/* The leases in flight compared with a model: a list of leases, each with its wave, its time and its events. */
#include "stages/lib/kafka/produce/window.h"
#include "core/clock.h"

#include "tests/support/support.h"

#define LEASES 64U
#define EVENTS 4U
#define LINGER_NS (5 * PS_NS_PER_MS)

struct model_lease {
    struct ps_lease lease;
    uint64_t wave, taken_ns;
    bool cut[EVENTS];
};

static struct ps_kafka_window window;
static struct ps_event events[EVENTS];
static struct ps_batch batch = {.events = events};
static struct model_lease all[LEASES]; /* a ring: number modulo LEASES */
static struct {
    uint64_t first, next; /* numbers of the oldest lease and of the next one */
    uint64_t now_ns, wave, wave_ns, wave_bytes;
    uint32_t in_flight;
} model;
static uint64_t random_state;
static unsigned pops;

static uint64_t pick(uint64_t below)
{
    return ps_test_random(&random_state) % below;
}

static struct model_lease *at(uint64_t number)
{
    return &all[number % LEASES];
}

static void assert_same(void)
{
    uint64_t bytes = 0;
    for (uint64_t number = model.first; number < model.next; number++)
        bytes += at(number)->lease.bytes;
    assert_int_equal(window.bytes, bytes);
    assert_int_equal(window.held.count, model.next - model.first);
    assert_int_equal(window.held.in_flight, model.in_flight);
    assert_int_equal(window.wave, model.wave);
    assert_int_equal(window.wave_bytes, model.wave_bytes);
    assert_int_equal(window.taken_count - window.done_count, model.next - model.first);
}

static bool is_over(uint64_t linger_ns)
{
    return model.next == model.first || model.wave_bytes >= PS_KAFKA_WAVE_BYTES ||
           model.now_ns - model.wave_ns >= linger_ns;
}

static void add(uint64_t linger_ns, uint64_t bytes)
{
    struct model_lease *added = at(model.next);
    if (is_over(linger_ns)) {
        model.wave++;
        model.wave_ns = model.now_ns;
        model.wave_bytes = 0;
    }
    model.wave_bytes += bytes;
    *added = (struct model_lease){.lease = {.batch = &batch, .count = EVENTS, .bytes = bytes},
                                  .wave = model.wave,
                                  .taken_ns = model.now_ns};
    model.next++;
    struct ps_lease *given = &added->lease;
    ps_kafka_window_add(&window, &given, model.now_ns, linger_ns);
    assert_null(given);
}

/* Asks whether another lease may be taken: always without a linger time, and while the wave is open; else the limit
 * decides, by the number of waves since the oldest lease and their bytes. */
static bool may_add(uint64_t linger_ns)
{
    bool expected = true;
    if (linger_ns > 0 && is_over(linger_ns) && model.next > model.first) {
        uint64_t bytes = 0;
        for (uint64_t number = model.first; number < model.next; number++)
            bytes += at(number)->lease.bytes;
        uint64_t waves = model.wave - at(model.first)->wave + 1;
        expected = window.far ? waves < 8 : waves < 3 && bytes < PS_KAFKA_NEAR_BYTES;
    }
    assert_int_equal(ps_kafka_window_may_add(&window, model.now_ns, linger_ns), expected);
    return expected;
}

/* Sends some events, in order. */
static void cut_some(unsigned count)
{
    static const struct ps_held_range none = {.lease = NULL};
    for (; count > 0 && ps_held_next(&window.held, &none) != NULL; count--) {
        struct model_lease *lease = (struct model_lease *)(void *)window.held.next;
        lease->cut[window.held.position] = true;
        ps_held_cut_to(&window.held, window.held.position + 1, 1);
        model.in_flight++;
    }
}

/* Reports a random selection of what is in flight. */
static void report(bool delivered)
{
    void *tokens[LEASES * EVENTS];
    uint32_t count = 0;
    for (uint64_t number = model.first; number < model.next; number++) {
        for (uint32_t i = 0; i < EVENTS; i++) {
            if (!at(number)->cut[i] || pick(2) == 0)
                continue;
            tokens[count] = ps_kafka_token(&at(number)->lease, i);
            assert_ptr_equal(ps_kafka_token_lease(tokens[count]), &at(number)->lease);
            assert_int_equal(ps_kafka_token_position(tokens[count]), i);
            at(number)->cut[i] = false;
            count++;
        }
    }
    uint32_t settled = 0, before = 0;
    for (uint64_t number = model.first; number < model.next; number++)
        before += at(number)->lease.settled;
    ps_kafka_window_report(&window, tokens, count, delivered);
    for (uint64_t number = model.first; number < model.next; number++)
        settled += at(number)->lease.settled;
    assert_int_equal(settled - before, delivered ? count : 0);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(
            ps_lease_is_settled(ps_kafka_token_lease(tokens[i]), ps_kafka_token_position(tokens[i])),
            delivered);
    model.in_flight -= count;
}

static void pop(void)
{
    for (;;) {
        uint64_t held_ns = 77;
        struct model_lease *oldest = model.next > model.first ? at(model.first) : NULL;
        bool is_settled = oldest != NULL && oldest->lease.settled == EVENTS;
        struct ps_lease *popped = ps_kafka_window_pop_settled(&window, model.now_ns, &held_ns);
        assert_ptr_equal(popped, is_settled ? &oldest->lease : NULL);
        if (popped == NULL)
            break;
        assert_int_equal(held_ns, model.now_ns - oldest->taken_ns);
        model.first++;
        pops++;
        assert_same();
    }
}

static void start(void)
{
    memset(&model, 0, sizeof model);
    model.now_ns = PS_NS_PER_S;
    memset(&window, 0, sizeof window);
    ps_kafka_window_init(&window, 8 * PS_KAFKA_WAVE_BYTES);
    window.taken_count = window.done_count = UINT32_MAX - 100; /* an agent that has run for a long time */
}

/* Delivers everything in flight, and releases the leases. */
static void deliver_all(void)
{
    while (model.in_flight > 0)
        report(true);
    pop();
}

static void give_back(void)
{
    struct ps_lease *back = NULL;
    uint64_t number = model.first;
    while (model.in_flight > 0)
        report(false);
    ps_kafka_window_give_back(&window, &back);
    for (; back != NULL; back = back->next)
        assert_ptr_equal(back, &at(number++)->lease);
    assert_int_equal(number, model.next);
    model.first = model.next;
    assert_same();
}

static void test_drawn(void **state)
{
    random_state = ps_test_seed() | 1;
    for (unsigned round = 0; round < 20; round++) {
        uint64_t linger_ns = round % 4 == 0 ? 0 : LINGER_NS;
        start();
        window.far = round % 2 != 0;
        for (unsigned step = 0; step < 500; step++) {
            model.now_ns += pick(3) == 0 ? pick(2 * LINGER_NS) : 0;
            bool allowed = may_add(linger_ns);
            if (allowed && model.next - model.first < LEASES)
                add(linger_ns, pick(PS_KAFKA_WAVE_BYTES));
            assert_same();
            if (pick(2) == 0)
                cut_some((unsigned)pick(2 * EVENTS));
            if (pick(2) == 0)
                report(true);
            pop();
            if (pick(20) == 0)
                deliver_all();
            if (pick(60) == 0)
                give_back();
        }
    }
    assert_true(pops > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
