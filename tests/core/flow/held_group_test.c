/* Groups of events beside a model: each event is in one group, or settled, and the order in a group is kept. */
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

struct bed {
    uint64_t random;
    struct ps_batch any_order, in_order;
    struct ps_lease leases[LEASES];
    bool is_held[LEASES];
    struct ps_held held;
    struct ps_held_pool pool;
    struct ps_held_group groups[GROUPS];
    struct model_group models[GROUPS];
};

static struct bed bed;

static int setup(void **state)
{
    bed = (struct bed){.random = ps_test_seed() | 1, .any_order = {.any_order = true}};
    ps_held_init(&bed.held, LEASES);
    return 0;
}

static int teardown(void **state)
{
    free(bed.pool.events);
    return 0;
}

static unsigned pick(unsigned below)
{
    return (unsigned)(ps_test_random(&bed.random) % below);
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
    while (number < LEASES && bed.is_held[number])
        number++;
    if (number == LEASES)
        return;
    struct ps_lease *lease = &bed.leases[number], *given = lease;
    *lease =
        (struct ps_lease){.count = pick(EVENTS + 1), .batch = pick(2) == 0 ? &bed.any_order : &bed.in_order};
    assert_true(ps_held_pool_reserve(&bed.pool, lease->count));
    ps_held_add(&bed.held, &given);
    bed.is_held[number] = true;
    for (unsigned at = 0, count; at < lease->count; at += count) {
        unsigned group = pick(GROUPS);
        count = pick(2) == 0 ? 1 : 1 + pick(lease->count - at);
        ps_held_group_add(&bed.pool, &bed.groups[group], lease, at, count);
        for (unsigned i = 0; i < count; i++)
            append(&bed.models[group], &(struct place){number, at + i}, 1);
    }
}

static void move(void)
{
    unsigned from = pick(GROUPS), to = (from + 1 + pick(GROUPS - 1)) % GROUPS, last = 0;
    unsigned count = pick(bed.models[from].count + 1);
    for (unsigned i = 0; i < count; i++)
        last = i == 0 ? bed.groups[from].first : bed.pool.events[last].next;
    ps_held_group_move(&bed.pool, &bed.groups[from], &bed.groups[to], count, last);
    append(&bed.models[to], bed.models[from].places, count);
    remove_first(&bed.models[from], count);
}

/* Some events of the group have become dead letters before. */
static void commit(void)
{
    unsigned group = pick(GROUPS), count = pick(bed.models[group].count + 1);
    for (unsigned i = 0; i < count; i++) {
        const struct place *place = &bed.models[group].places[i];
        if (pick(8) == 0)
            ps_lease_settle_dead(&bed.leases[place->lease], place->position);
    }
    ps_held_group_commit(&bed.pool, &bed.held, &bed.groups[group], count);
    for (unsigned i = 0; i < count; i++) {
        const struct place *place = &bed.models[group].places[i];
        assert_true(ps_lease_is_settled(&bed.leases[place->lease], place->position));
    }
    remove_first(&bed.models[group], count);
}

static void abort_group(void)
{
    static struct model_group before;
    unsigned group = 1 + pick(GROUPS - 1);
    ps_held_group_abort(&bed.pool, &bed.groups[group], &bed.groups[WAITING]);
    before = bed.models[group];
    append(&before, bed.models[WAITING].places, bed.models[WAITING].count);
    bed.models[WAITING] = before;
    bed.models[group].count = 0;
}

static void pop(void)
{
    struct ps_lease *lease;
    while ((lease = ps_held_pop(&bed.held)) != NULL) {
        assert_int_equal(lease->settled, lease->count);
        bed.is_held[lease - bed.leases] = false;
    }
    for (lease = bed.held.first; lease != NULL; lease = lease->next)
        assert_true(lease->settled < lease->count || (lease != bed.held.first && !lease->batch->any_order));
}

/* Gives back the leases: no event is settled that was not committed. */
static void recall(void)
{
    struct ps_lease *back = NULL;
    unsigned left = 0, unsettled = 0;
    for (unsigned i = 0; i < GROUPS; i++) {
        left += bed.models[i].count;
        bed.models[i].count = 0;
        ps_held_group_clear(&bed.pool, &bed.groups[i]);
    }
    ps_held_give_back(&bed.held, &back);
    for (; back != NULL; back = back->next) {
        unsettled += back->count - back->settled;
        bed.is_held[back - bed.leases] = false;
    }
    assert_int_equal(left, unsettled);
    assert_int_equal(bed.held.count, 0);
    assert_int_equal(bed.pool.free.count, bed.pool.used > 0 ? bed.pool.used - 1 : 0);
}

static void check_models(void)
{
    for (unsigned group = 0; group < GROUPS; group++) {
        const struct model_group *model = &bed.models[group];
        uint32_t number = bed.groups[group].first;
        assert_int_equal(bed.groups[group].count, model->count);
        for (unsigned i = 0; i < model->count; i++, number = bed.pool.events[number].next) {
            const struct place *place = &model->places[i];
            assert_ptr_equal(bed.pool.events[number].lease, &bed.leases[place->lease]);
            assert_int_equal(bed.pool.events[number].position, place->position);
            assert_false(ps_lease_is_settled(&bed.leases[place->lease], place->position));
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
