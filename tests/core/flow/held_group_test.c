/* Groups of events compared with a model: each event is in one group, or settled, and the order in a group is kept. */
#include "core/flow/held_group.h"

#include "tests/support/support.h"

#define LEASES 40U
#define EVENTS 60U
#define GROUPS 5U
#define WAITING 0U /* number of the group to which the others abort */

struct place {
    unsigned lease, position;
};

struct model_group {
    struct place places[LEASES * EVENTS];
    unsigned count;
};

struct fixture {
    uint64_t random;
    struct ps_batch any_order, in_order;
    struct ps_lease leases[LEASES];
    bool is_held[LEASES];
    struct ps_held held;
    struct ps_held_pool pool;
    struct ps_held_group groups[GROUPS];
    struct model_group models[GROUPS];
};

static struct fixture fixture;

static int setup(void **state)
{
    fixture = (struct fixture){.random = ps_test_seed() | 1, .any_order = {.any_order = true}};
    ps_held_init(&fixture.held, LEASES);
    return 0;
}

static int teardown(void **state)
{
    free(fixture.pool.events);
    return 0;
}

static unsigned pick(unsigned below)
{
    return (unsigned)(ps_test_random(&fixture.random) % below);
}

static void append(struct model_group *model, const struct place *places, unsigned count)
{
    memmove(&model->places[model->count], places, count * sizeof *places);
    model->count += count;
}

static void remove_first(struct model_group *model, unsigned count)
{
    model->count -= count;
    memmove(model->places, &model->places[count], model->count * sizeof model->places[0]);
}

/* Takes a lease, and sorts its events into groups, one by one or several at a time. */
static void take(void)
{
    unsigned number = 0;
    while (number < LEASES && fixture.is_held[number])
        number++;
    if (number == LEASES)
        return;
    struct ps_lease *lease = &fixture.leases[number], *given = lease;
    *lease = (struct ps_lease){.count = pick(EVENTS + 1),
                               .batch = pick(2) == 0 ? &fixture.any_order : &fixture.in_order};
    assert_true(ps_held_pool_reserve(&fixture.pool, lease->count));
    ps_held_add(&fixture.held, &given);
    fixture.is_held[number] = true;
    for (unsigned at = 0, count; at < lease->count; at += count) {
        unsigned group = pick(GROUPS);
        count = pick(2) == 0 ? 1 : 1 + pick(lease->count - at);
        ps_held_group_add(&fixture.pool, &fixture.groups[group], lease, at, count);
        for (unsigned i = 0; i < count; i++)
            append(&fixture.models[group], &(struct place){number, at + i}, 1);
    }
}

static void move(void)
{
    unsigned from = pick(GROUPS), to = (from + 1 + pick(GROUPS - 1)) % GROUPS, last = 0;
    unsigned count = pick(fixture.models[from].count + 1);
    for (unsigned i = 0; i < count; i++)
        last = i == 0 ? fixture.groups[from].first : fixture.pool.events[last].next;
    ps_held_group_move(&fixture.pool, &fixture.groups[from], &fixture.groups[to], count, last);
    append(&fixture.models[to], fixture.models[from].places, count);
    remove_first(&fixture.models[from], count);
}

/* Some events of the group have become dead letters before. */
static void commit(void)
{
    unsigned group = pick(GROUPS), count = pick(fixture.models[group].count + 1);
    for (unsigned i = 0; i < count; i++) {
        const struct place *place = &fixture.models[group].places[i];
        if (pick(8) == 0)
            ps_lease_settle_dead(&fixture.leases[place->lease], place->position);
    }
    ps_held_group_commit(&fixture.pool, &fixture.held, &fixture.groups[group], count);
    for (unsigned i = 0; i < count; i++) {
        const struct place *place = &fixture.models[group].places[i];
        assert_true(ps_lease_is_settled(&fixture.leases[place->lease], place->position));
    }
    remove_first(&fixture.models[group], count);
}

static void abort_group(void)
{
    static struct model_group before;
    unsigned group = 1 + pick(GROUPS - 1);
    ps_held_group_abort(&fixture.pool, &fixture.groups[group], &fixture.groups[WAITING]);
    before = fixture.models[group];
    append(&before, fixture.models[WAITING].places, fixture.models[WAITING].count);
    fixture.models[WAITING] = before;
    fixture.models[group].count = 0;
}

static void pop(void)
{
    struct ps_lease *lease;
    while ((lease = ps_held_pop(&fixture.held)) != NULL) {
        assert_int_equal(lease->settled, lease->count);
        fixture.is_held[lease - fixture.leases] = false;
    }
    for (lease = fixture.held.first; lease != NULL; lease = lease->next)
        assert_true(lease->settled < lease->count ||
                    (lease != fixture.held.first && !lease->batch->any_order));
}

/* Gives back the leases: no event is settled that was not committed. */
static void recall(void)
{
    struct ps_lease *back = NULL;
    unsigned left = 0, unsettled = 0;
    for (unsigned i = 0; i < GROUPS; i++) {
        left += fixture.models[i].count;
        fixture.models[i].count = 0;
        ps_held_group_clear(&fixture.pool, &fixture.groups[i]);
    }
    ps_held_give_back(&fixture.held, &back);
    for (; back != NULL; back = back->next) {
        unsettled += back->count - back->settled;
        fixture.is_held[back - fixture.leases] = false;
    }
    assert_int_equal(left, unsettled);
    assert_int_equal(fixture.held.count, 0);
    assert_int_equal(fixture.pool.free.count, fixture.pool.used > 0 ? fixture.pool.used - 1 : 0);
}

static void check_models(void)
{
    for (unsigned group = 0; group < GROUPS; group++) {
        const struct model_group *model = &fixture.models[group];
        uint32_t number = fixture.groups[group].first;
        assert_int_equal(fixture.groups[group].count, model->count);
        for (unsigned i = 0; i < model->count; i++, number = fixture.pool.events[number].next) {
            const struct place *place = &model->places[i];
            assert_ptr_equal(fixture.pool.events[number].lease, &fixture.leases[place->lease]);
            assert_int_equal(fixture.pool.events[number].position, place->position);
            assert_false(ps_lease_is_settled(&fixture.leases[place->lease], place->position));
        }
        if (model->count > 0)
            assert_int_equal(number, 0);
    }
}

static void test_drawn(void **unused)
{
    for (unsigned step = 0; step < 5000; step++) {
        unsigned kind = pick(100);
        if (kind < 25)
            take();
        else if (kind < 55)
            move();
        else if (kind < 75)
            commit();
        else if (kind < 80)
            abort_group();
        else if (kind < 99)
            pop();
        else
            recall();
        check_models();
    }
    recall();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_drawn, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
