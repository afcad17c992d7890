/* The leases that a sink holds: single steps, and random histories against a model of each event. */
#include "core/flow/held.h"
#include "core/flow/batch_internal.h"
#include "core/flow/bump.h"

#include "tests/support/support.h"

#define BLOCKS 64U
#define LEASES 6U
#define EVENTS 80U
#define RANGES 8U

enum event_state { IDLE, CUT, SETTLED };

struct fixture {
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
    uint64_t random;
    struct ps_held held;
    struct ps_lease *leases[LEASES]; /* held, oldest first */
    unsigned lease_count;
    enum event_state events[LEASES][EVENTS];
    uint64_t gaps[LEASES]; /* after each held lease: bytes of the leases that were popped */
    struct ps_held_range ranges[RANGES];
};

static struct fixture fixture;

static int setup(void **state)
{
    struct ps_err err = {0};
    fixture = (struct fixture){.random = ps_test_seed() | 1};
    fixture.depot = ps_depot_create((uint64_t)BLOCKS * PS_BLOCK_BYTES, &err);
    assert_non_null(fixture.depot);
    fixture.pool = ps_pool_create(fixture.depot, 0);
    assert_non_null(fixture.pool);
    ps_bump_init(&fixture.bump, fixture.pool);
    ps_held_init(&fixture.held, LEASES);
    return 0;
}

static int teardown(void **state)
{
    for (unsigned i = 0; i < fixture.lease_count; i++)
        ps_batch_give(fixture.leases[i]->batch);
    ps_bump_fini(&fixture.bump);
    ps_pool_destroy(fixture.pool);
    ps_depot_destroy(fixture.depot);
    return 0;
}

static uint64_t pick(uint64_t below)
{
    return ps_test_random(&fixture.random) % below;
}

static struct ps_lease *take(uint32_t count, bool any_order)
{
    struct ps_batch *batch = ps_batch_take(&fixture.bump, (struct ps_now){0});
    assert_non_null(batch);
    for (uint32_t i = 0; i < count; i++)
        assert_non_null(ps_batch_add_copy(batch, "x", 1));
    batch->any_order = any_order;
    ps_batch_close(batch);
    struct ps_lease *lease = ps_batch_chain(batch), *given = lease;
    lease->memory_bytes = (uint32_t)pick(3 * PS_BLOCK_BYTES);
    ps_held_add(&fixture.held, &given);
    assert_null(given);
    fixture.leases[fixture.lease_count] = lease;
    for (uint32_t i = 0; i < count; i++)
        fixture.events[fixture.lease_count][i] = IDLE;
    fixture.gaps[fixture.lease_count] = 0;
    fixture.lease_count++;
    return lease;
}

/* Cuts at most `count` events into one range. */
static struct ps_held_range cut(uint32_t count)
{
    struct ps_held_range range = {.lease = NULL};
    while (range.count < count && ps_held_next(&fixture.held, &range) != NULL)
        ps_held_cut(&fixture.held, &range);
    return range;
}

/* Gives back the batch of a lease that was popped. */
static void forget(unsigned number)
{
    if (number > 0)
        fixture.gaps[number - 1] += fixture.gaps[number] + fixture.leases[number]->memory_bytes;
    ps_batch_give(fixture.leases[number]->batch);
    fixture.lease_count--;
    memmove(&fixture.gaps[number], &fixture.gaps[number + 1],
            (fixture.lease_count - number) * sizeof fixture.gaps[0]);
    memmove(&fixture.leases[number], &fixture.leases[number + 1],
            (fixture.lease_count - number) * sizeof fixture.leases[number]);
    memmove(&fixture.events[number], &fixture.events[number + 1],
            (fixture.lease_count - number) * sizeof fixture.events[number]);
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
    assert_int_equal(fixture.held.in_flight, 4);
    ps_held_settle(&fixture.held, &c);
    ps_held_settle(&fixture.held, &b);
    assert_null(b.lease);
    assert_null(ps_held_pop(&fixture.held)); /* the second one waits for the first */
    ps_held_release(&fixture.held, &a);
    assert_int_equal(fixture.held.in_flight, 0);
    assert_int_equal(cut(1).count, 0); /* not before a rewind */
    ps_held_rewind(&fixture.held);
    a = cut(10);
    assert_int_equal(a.count, 2);
    ps_held_uncut(&fixture.held, &a);
    a = cut(1);
    assert_int_equal(a.from, 0);
    ps_held_settle(&fixture.held, &a);
    ps_held_give_back(&fixture.held, &back);
    assert_ptr_equal(back, first);
    assert_ptr_equal(back->next, second);
    assert_null(second->next);
    assert_int_equal(first->settled, 2);
    assert_int_equal(fixture.held.count, 0);
}

static void test_settle_cut(void **unused)
{
    struct ps_lease *first = take(2, false), *second = take(3, false);
    cut(2);
    cut(1);
    ps_held_settle_cut(&fixture.held);
    assert_int_equal(fixture.held.in_flight, 0);
    assert_ptr_equal(ps_held_pop(&fixture.held), first);
    assert_null(ps_held_pop(&fixture.held));
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
    ps_held_settle(&fixture.held, &range);
    assert_ptr_equal(ps_held_pop(&fixture.held), second);
    assert_null(ps_held_pop(&fixture.held)); /* the third one has no events, and keeps the order */
    assert_ptr_equal(fixture.held.first->next, third);
}

/* A sink whose requests each give back one event keeps no ranges, and returns its leases in order. */
static void test_single_events(void **unused)
{
    struct ps_lease *first = take(3, true), *second = take(2, true);
    ps_held_cut_to(&fixture.held, 3, 3);
    ps_held_next_lease(&fixture.held);
    ps_held_cut_to(&fixture.held, 1, 1);
    assert_int_equal(fixture.held.in_flight, 4);
    ps_lease_settle_all(second); /* before its last event is cut: it was delivered in another way */
    assert_null(ps_held_pop_oldest(&fixture.held));
    ps_lease_settle(first, 0);
    ps_lease_settle(first, 2);
    assert_null(ps_held_pop_oldest(&fixture.held));
    ps_held_rewind(&fixture.held);
    struct ps_held_range range = cut(10);
    assert_ptr_equal(range.lease, first);
    assert_int_equal(range.from, 1);
    assert_int_equal(range.count, 1);
    assert_int_equal(cut(10).count, 0); /* the second one is settled */
    ps_held_rewind(&fixture.held);
    ps_lease_settle(first, 1);
    struct ps_lease *third = take(1, true);
    assert_ptr_equal(ps_held_pop_oldest(&fixture.held), first);
    assert_ptr_equal(fixture.held.next, second);
    assert_ptr_equal(ps_held_pop_oldest(&fixture.held), second);
    assert_ptr_equal(fixture.held.next, third);
    assert_int_equal(fixture.held.position, 0);
    assert_null(ps_held_pop_oldest(&fixture.held));
    assert_int_equal(fixture.held.pinned_bytes, 0);
}

/* ---- random histories ---- */

static unsigned number_of(const struct ps_lease *lease)
{
    unsigned number = 0;
    while (fixture.leases[number] != lease)
        assert_true(++number < fixture.lease_count);
    return number;
}

/* Moves the events of a range that are in the first state to the second. */
static void move(const struct ps_held_range *range, enum event_state from, enum event_state to)
{
    unsigned number = range->count > 0 ? number_of(range->lease) : 0;
    uint32_t count = 0;
    for (uint32_t i = range->from; range->count > 0 && i < range->to; i++) {
        if (fixture.events[number][i] == from) {
            fixture.events[number][i] = to;
            count++;
        }
    }
    assert_int_equal(count, range->count);
}

static void draw_cut(void)
{
    struct ps_held_range *range = &fixture.ranges[pick(RANGES)];
    if (range->count > 0)
        return;
    *range = cut(1 + (uint32_t)pick(30));
    move(range, IDLE, CUT);
    if (pick(8) == 0) {
        move(range, CUT, IDLE);
        ps_held_uncut(&fixture.held, range);
    }
}

static void draw_answer(void)
{
    struct ps_held_range *range = &fixture.ranges[pick(RANGES)];
    bool delivered = pick(4) > 0;
    move(range, CUT, delivered ? SETTLED : IDLE);
    if (delivered)
        ps_held_settle(&fixture.held, range);
    else
        ps_held_release(&fixture.held, range);
    assert_int_equal(range->count, 0);
}

static void draw_settle_next(void)
{
    const struct ps_held_range none = {.lease = NULL};
    if (ps_held_next(&fixture.held, &none) == NULL)
        return;
    enum event_state *event = &fixture.events[number_of(fixture.held.next)][fixture.held.position];
    assert_int_equal(*event, IDLE);
    *event = SETTLED;
    ps_held_settle_next(&fixture.held);
}

static void release_all(enum event_state to)
{
    for (unsigned i = 0; i < RANGES; i++) {
        move(&fixture.ranges[i], CUT, to);
        fixture.ranges[i] = (struct ps_held_range){.lease = NULL};
    }
}

/* Plays the loss of the connection. */
static void draw_rewind(void)
{
    release_all(IDLE);
    ps_held_rewind(&fixture.held);
}

/* All that was sent over a new connection is confirmed immediately. */
static void draw_settle_cut(void)
{
    draw_rewind();
    for (uint64_t count = pick(RANGES); count > 0; count--)
        draw_cut();
    release_all(SETTLED);
    ps_held_settle_cut(&fixture.held);
}

static bool is_settled(unsigned number)
{
    uint32_t settled = 0;
    for (uint32_t i = 0; i < fixture.leases[number]->count; i++)
        settled += fixture.events[number][i] == SETTLED;
    return settled == fixture.leases[number]->count;
}

static void pop_all(void)
{
    struct ps_lease *lease;
    while ((lease = ps_held_pop(&fixture.held)) != NULL) {
        unsigned number = number_of(lease);
        assert_true(is_settled(number));
        assert_true(number == 0 || lease->batch->any_order);
        forget(number);
    }
    for (unsigned i = 0; i < fixture.lease_count; i++)
        assert_false(is_settled(i) && (i == 0 || fixture.leases[i]->batch->any_order));
}

/* Gives back all leases in order; they are taken again, as the next sink does. */
static void draw_recall(void)
{
    struct ps_lease *back = NULL;
    release_all(IDLE);
    ps_held_give_back(&fixture.held, &back);
    for (unsigned i = 0; i < fixture.lease_count; i++) {
        fixture.gaps[i] = 0;
        struct ps_lease *lease = back;
        assert_ptr_equal(lease, fixture.leases[i]);
        back = lease->next;
        ps_held_add(&fixture.held, &lease);
    }
    assert_null(back);
}

static void check_model(void)
{
    const uint64_t gap_most = UINT64_C(4) * PS_BLOCK_BYTES;
    uint64_t pinned = 0;
    uint32_t cuts = 0;
    for (unsigned number = 0; number < fixture.lease_count; number++) {
        uint32_t settled = 0;
        for (uint32_t i = 0; i < fixture.leases[number]->count; i++) {
            enum event_state state = fixture.events[number][i];
            assert_int_equal(ps_lease_is_settled(fixture.leases[number], i), state == SETTLED);
            settled += state == SETTLED;
            cuts += state == CUT;
        }
        assert_int_equal(fixture.leases[number]->settled, settled);
        pinned += fixture.gaps[number] < gap_most ? fixture.gaps[number] : gap_most;
    }
    assert_int_equal(fixture.held.in_flight, cuts);
    assert_int_equal(fixture.held.pinned_bytes, pinned);
    assert_int_equal(fixture.held.count, fixture.lease_count);
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
        ps_held_settle(&fixture.held, &range);
    }
    pop_all();
    assert_int_equal(fixture.lease_count, 0);
}

static void test_drawn(void **unused)
{
    for (unsigned step = 0; step < 20000; step++) {
        uint64_t kind = pick(100);
        if (kind < 15 && !ps_held_is_full(&fixture.held))
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
