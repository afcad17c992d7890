/* The leases that a sink holds: single steps, and drawn histories against a model of each event. */
#include "core/flow/held.h"
#include "core/flow/batch_internal.h"
#include "core/flow/bump.h"

#include "tests/support/support.h"

#define BLOCKS 64U
#define LEASES 6U
#define EVENTS 80U
#define RANGES 8U

enum event_state { IDLE, CUT, SETTLED };

struct bed {
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
    uint64_t random;
    struct ps_held held;
    struct ps_lease *leases[LEASES]; /* held, oldest first */
    unsigned lease_count;
    enum event_state events[LEASES][EVENTS];
    uint64_t gaps[LEASES]; /* bytes of leases that went home behind each */
    struct ps_held_range ranges[RANGES];
};

static struct bed bed;

static int setup(void **state)
{
    struct ps_err err = {0};
    bed = (struct bed){.random = ps_test_seed() | 1};
    bed.depot = ps_depot_create((uint64_t)BLOCKS * PS_BLOCK_BYTES, &err);
    assert_non_null(bed.depot);
    bed.pool = ps_pool_create(bed.depot, 0);
    assert_non_null(bed.pool);
    ps_bump_init(&bed.bump, bed.pool);
    ps_held_init(&bed.held, LEASES);
    return 0;
}

static int teardown(void **state)
{
    for (unsigned i = 0; i < bed.lease_count; i++)
        ps_batch_give(bed.leases[i]->batch);
    ps_bump_fini(&bed.bump);
    ps_pool_destroy(bed.pool);
    ps_depot_destroy(bed.depot);
    return 0;
}

static uint64_t pick(uint64_t below)
{
    return ps_test_random(&bed.random) % below;
}

static struct ps_lease *take(uint32_t count, bool any_order)
{
    struct ps_batch *batch = ps_batch_take(&bed.bump, (struct ps_now){0});
    assert_non_null(batch);
    for (uint32_t i = 0; i < count; i++)
        assert_non_null(ps_batch_add_copy(batch, "x", 1));
    batch->any_order = any_order;
    ps_batch_close(batch);
    struct ps_lease *lease = ps_batch_chain(batch), *given = lease;
    lease->memory_bytes = (uint32_t)pick(3 * PS_BLOCK_BYTES);
    ps_held_add(&bed.held, &given);
    assert_null(given);
    bed.leases[bed.lease_count] = lease;
    for (uint32_t i = 0; i < count; i++)
        bed.events[bed.lease_count][i] = IDLE;
    bed.gaps[bed.lease_count] = 0;
    bed.lease_count++;
    return lease;
}

/* Cuts at most `count` events into one range. */
static struct ps_held_range cut(uint32_t count)
{
    struct ps_held_range range = {.lease = NULL};
    while (range.count < count && ps_held_next(&bed.held, &range) != NULL)
        ps_held_cut(&bed.held, &range);
    return range;
}

/* A lease that was popped goes home. */
static void forget(unsigned number)
{
    if (number > 0)
        bed.gaps[number - 1] += bed.gaps[number] + bed.leases[number]->memory_bytes;
    ps_batch_give(bed.leases[number]->batch);
    bed.lease_count--;
    memmove(&bed.gaps[number], &bed.gaps[number + 1], (bed.lease_count - number) * sizeof bed.gaps[0]);
    memmove(&bed.leases[number], &bed.leases[number + 1],
            (bed.lease_count - number) * sizeof bed.leases[number]);
    memmove(&bed.events[number], &bed.events[number + 1],
            (bed.lease_count - number) * sizeof bed.events[number]);
}

/* ---- single steps ---- */

static void test_steps(void **unused)
{
    struct ps_lease *first = take(3, false), *second = take(2, false), *back = NULL;
    ps_lease_settle(first, 1); /* by an earlier sink */
    struct ps_held_range a = cut(10), b = cut(1), c = cut(1), none = cut(1);
    assert_ptr_equal(a.lease, first); /* a range does not reach into the next lease */
    assert_int_equal(a.count, 2);
    assert_ptr_equal(b.lease, second);
    assert_int_equal(none.count, 0);
    assert_int_equal(bed.held.in_flight, 4);
    ps_held_settle(&bed.held, &c);
    ps_held_settle(&bed.held, &b);
    assert_null(b.lease);
    assert_null(ps_held_pop(&bed.held)); /* the second one waits for the first */
    ps_held_release(&bed.held, &a);
    assert_int_equal(bed.held.in_flight, 0);
    assert_int_equal(cut(1).count, 0); /* not before a rewind */
    ps_held_rewind(&bed.held);
    a = cut(10);
    assert_int_equal(a.count, 2);
    ps_held_uncut(&bed.held, &a);
    a = cut(1);
    assert_int_equal(a.from, 0);
    ps_held_settle(&bed.held, &a);
    ps_held_give_back(&bed.held, &back);
    assert_ptr_equal(back, first);
    assert_ptr_equal(back->next, second);
    assert_null(second->next);
    assert_int_equal(first->settled, 2);
    assert_int_equal(bed.held.count, 0);
}

static void test_settle_cut(void **unused)
{
    struct ps_lease *first = take(2, false), *second = take(3, false);
    cut(2);
    cut(1);
    ps_held_settle_cut(&bed.held);
    assert_int_equal(bed.held.in_flight, 0);
    assert_ptr_equal(ps_held_pop(&bed.held), first);
    assert_null(ps_held_pop(&bed.held));
    assert_int_equal(second->settled, 1);
    struct ps_held_range range = cut(5);
    assert_int_equal(range.from, 1);
    assert_int_equal(range.count, 2);
}

static void test_any_order(void **unused)
{
    take(1, true);
    struct ps_lease *second = take(1, true), *third = take(0, false);
    cut(1);
    struct ps_held_range range = cut(1);
    ps_held_settle(&bed.held, &range);
    assert_ptr_equal(ps_held_pop(&bed.held), second);
    assert_null(ps_held_pop(&bed.held)); /* the third one has no events, and keeps the order */
    assert_ptr_equal(bed.held.first->next, third);
}

/* A sink whose requests give back an event each keeps no ranges, and sends its leases home in order. */
static void test_single_events(void **unused)
{
    struct ps_lease *first = take(3, true), *second = take(2, true);
    ps_held_cut_to(&bed.held, 3, 3);
    ps_held_next_lease(&bed.held);
    ps_held_cut_to(&bed.held, 1, 1);
    assert_int_equal(bed.held.in_flight, 4);
    ps_lease_settle_all(second); /* before its last event is cut: it was delivered by another way */
    assert_null(ps_held_pop_oldest(&bed.held));
    ps_lease_settle(first, 0);
    ps_lease_settle(first, 2);
    assert_null(ps_held_pop_oldest(&bed.held));
    ps_held_rewind(&bed.held);
    struct ps_held_range range = cut(10);
    assert_ptr_equal(range.lease, first);
    assert_int_equal(range.from, 1);
    assert_int_equal(range.count, 1);
    assert_int_equal(cut(10).count, 0); /* the second one is settled */
    ps_held_rewind(&bed.held);
    ps_lease_settle(first, 1);
    struct ps_lease *third = take(1, true);
    assert_ptr_equal(ps_held_pop_oldest(&bed.held), first);
    assert_ptr_equal(bed.held.next, second);
    assert_ptr_equal(ps_held_pop_oldest(&bed.held), second);
    assert_ptr_equal(bed.held.next, third);
    assert_int_equal(bed.held.position, 0);
    assert_null(ps_held_pop_oldest(&bed.held));
    assert_int_equal(bed.held.pinned_bytes, 0);
}

/* ---- drawn histories ---- */

static unsigned number_of(const struct ps_lease *lease)
{
    unsigned number = 0;
    while (bed.leases[number] != lease)
        assert_true(++number < bed.lease_count);
    return number;
}

/* Moves the events of a range that are in the first state to the second. */
static void move(const struct ps_held_range *range, enum event_state from, enum event_state to)
{
    unsigned number = range->count > 0 ? number_of(range->lease) : 0;
    uint32_t count = 0;
    for (uint32_t i = range->from; range->count > 0 && i < range->to; i++) {
        if (bed.events[number][i] == from) {
            bed.events[number][i] = to;
            count++;
        }
    }
    assert_int_equal(count, range->count);
}

static void draw_cut(void)
{
    struct ps_held_range *range = &bed.ranges[pick(RANGES)];
    if (range->count > 0)
        return;
    *range = cut(1 + (uint32_t)pick(30));
    move(range, IDLE, CUT);
    if (pick(8) == 0) {
        move(range, CUT, IDLE);
        ps_held_uncut(&bed.held, range);
    }
}

static void draw_answer(void)
{
    struct ps_held_range *range = &bed.ranges[pick(RANGES)];
    bool delivered = pick(4) > 0;
    move(range, CUT, delivered ? SETTLED : IDLE);
    if (delivered)
        ps_held_settle(&bed.held, range);
    else
        ps_held_release(&bed.held, range);
    assert_int_equal(range->count, 0);
}

static void draw_settle_next(void)
{
    const struct ps_held_range none = {.lease = NULL};
    if (ps_held_next(&bed.held, &none) == NULL)
        return;
    enum event_state *event = &bed.events[number_of(bed.held.next)][bed.held.position];
    assert_int_equal(*event, IDLE);
    *event = SETTLED;
    ps_held_settle_next(&bed.held);
}

static void release_all(enum event_state to)
{
    for (unsigned i = 0; i < RANGES; i++) {
        move(&bed.ranges[i], CUT, to);
        bed.ranges[i] = (struct ps_held_range){.lease = NULL};
    }
}

/* The connection is lost. */
static void draw_rewind(void)
{
    release_all(IDLE);
    ps_held_rewind(&bed.held);
}

/* All that was sent over a new connection is confirmed at once. */
static void draw_settle_cut(void)
{
    draw_rewind();
    for (uint64_t count = pick(RANGES); count > 0; count--)
        draw_cut();
    release_all(SETTLED);
    ps_held_settle_cut(&bed.held);
}

static bool is_settled(unsigned number)
{
    uint32_t settled = 0;
    for (uint32_t i = 0; i < bed.leases[number]->count; i++)
        settled += bed.events[number][i] == SETTLED;
    return settled == bed.leases[number]->count;
}

static void pop_all(void)
{
    struct ps_lease *lease;
    while ((lease = ps_held_pop(&bed.held)) != NULL) {
        unsigned number = number_of(lease);
        assert_true(is_settled(number));
        assert_true(number == 0 || lease->batch->any_order);
        forget(number);
    }
    for (unsigned i = 0; i < bed.lease_count; i++)
        assert_false(is_settled(i) && (i == 0 || bed.leases[i]->batch->any_order));
}

/* Gives back all leases in order; they are taken again, as the next sink does. */
static void draw_recall(void)
{
    struct ps_lease *back = NULL;
    release_all(IDLE);
    ps_held_give_back(&bed.held, &back);
    for (unsigned i = 0; i < bed.lease_count; i++) {
        bed.gaps[i] = 0;
        struct ps_lease *lease = back;
        assert_ptr_equal(lease, bed.leases[i]);
        back = lease->next;
        ps_held_add(&bed.held, &lease);
    }
    assert_null(back);
}

static void check_model(void)
{
    const uint64_t gap_most = UINT64_C(4) * PS_BLOCK_BYTES;
    uint64_t pinned = 0;
    uint32_t cuts = 0;
    for (unsigned number = 0; number < bed.lease_count; number++) {
        uint32_t settled = 0;
        for (uint32_t i = 0; i < bed.leases[number]->count; i++) {
            enum event_state state = bed.events[number][i];
            assert_int_equal(ps_lease_is_settled(bed.leases[number], i), state == SETTLED);
            settled += state == SETTLED;
            cuts += state == CUT;
        }
        assert_int_equal(bed.leases[number]->settled, settled);
        pinned += bed.gaps[number] < gap_most ? bed.gaps[number] : gap_most;
    }
    assert_int_equal(bed.held.in_flight, cuts);
    assert_int_equal(bed.held.pinned_bytes, pinned);
    assert_int_equal(bed.held.count, bed.lease_count);
}

/* No event is lost: after a rewind every event that is not settled is cut, once and in order. */
static void deliver_all(void)
{
    unsigned number = 0;
    uint32_t position = 0;
    draw_rewind();
    for (struct ps_held_range range; (range = cut(7)).count > 0;) {
        assert_true(number_of(range.lease) > number ||
                    (number_of(range.lease) == number && range.from >= position));
        number = number_of(range.lease);
        position = range.to;
        move(&range, IDLE, CUT);
        move(&range, CUT, SETTLED);
        ps_held_settle(&bed.held, &range);
    }
    pop_all();
    assert_int_equal(bed.lease_count, 0);
}

static void test_drawn(void **unused)
{
    for (unsigned step = 0; step < 20000; step++) {
        uint64_t kind = pick(100);
        if (kind < 15 && !ps_held_is_full(&bed.held))
            take((uint32_t)pick(EVENTS + 1), pick(2) == 0);
        else if (kind < 50)
            draw_cut();
        else if (kind < 65)
            draw_answer();
        else if (kind < 84)
            draw_settle_next();
        else if (kind < 87)
            draw_rewind();
        else if (kind < 89)
            draw_recall();
        else if (kind == 89)
            deliver_all();
        else if (kind < 92)
            draw_settle_cut();
        else
            pop_all();
        check_model();
    }
    deliver_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_settle_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_single_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drawn, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
