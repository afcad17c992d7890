/* The places of a sink's leases beside a list: taken at the end, given back anywhere. */
#include "stages/lib/hadoop/bucket_writer/slots.h"

#include "tests/support/stage.h"

#include <sys/mman.h>

struct model {
    uint16_t slots[PS_BUCKET_LEASES_MAX];
    uint64_t gone_bytes[PS_BUCKET_LEASES_MAX]; /* behind each */
    unsigned count;
};

static void assert_same(const struct ps_bucket_slots *slots, const struct model *model)
{
    const uint64_t most = UINT64_C(4) * PS_BLOCK_BYTES;
    uint16_t slot = slots->first, before = PS_BUCKET_NO_SLOT;
    uint64_t pinned = 0;
    assert_int_equal(slots->count, model->count);
    for (unsigned i = 0; i < model->count; i++) {
        assert_int_equal(slot, model->slots[i]);
        assert_int_equal(slots->slots[slot].before, before);
        pinned += model->gone_bytes[i] < most ? model->gone_bytes[i] : most;
        before = slot;
        slot = slots->slots[slot].after;
    }
    assert_int_equal(slot, PS_BUCKET_NO_SLOT);
    assert_int_equal(slots->last, before);
    assert_int_equal(slots->pinned_bytes, pinned);
}

static void give(struct ps_bucket_slots *slots, struct model *model, unsigned at, uint64_t bytes)
{
    ps_bucket_slots_give(slots, model->slots[at], bytes);
    if (at > 0)
        model->gone_bytes[at - 1] += bytes + model->gone_bytes[at];
    model->count--;
    memmove(model->slots + at, model->slots + at + 1, (model->count - at) * sizeof model->slots[0]);
    memmove(model->gone_bytes + at, model->gone_bytes + at + 1,
            (model->count - at) * sizeof model->gone_bytes[0]);
}

static void test_any_order(void **state)
{
    static struct ps_bucket_slots slots;
    static struct model model;
    static struct ps_lease lease = {.count = 1};
    uint64_t random = ps_test_seed();
    bool fills = true;
    ps_bucket_slots_init(&slots);
    for (unsigned i = 0; i < 10000; i++) {
        if (model.count == PS_BUCKET_LEASES_MAX || model.count == 0)
            fills = model.count == 0;
        bool takes = ps_test_random(&random) % 8 > 1 ? fills : !fills;
        if (model.count == 0 || (takes && model.count < PS_BUCKET_LEASES_MAX)) {
            model.gone_bytes[model.count] = 0;
            model.slots[model.count++] = ps_bucket_slots_take(&slots, &lease);
        } else {
            give(&slots, &model, (unsigned)(ps_test_random(&random) % model.count),
                 ps_test_random(&random) % (3 * PS_BLOCK_BYTES));
        }
        if (i % 64 == 0 || model.count < 4)
            assert_same(&slots, &model);
    }
    while (model.count > 0)
        give(&slots, &model, (unsigned)(ps_test_random(&random) % model.count), 1);
    assert_same(&slots, &model);
    assert_int_equal(slots.pinned_bytes, 0);
}

/* ---- who goes home ---- */

#define PAGE_BYTES 4096U
#define LEASES 200U /* of the drawn cases */

/* Each lease is on a page of its own, which a test can take away: who looks at it then ends the program. */
static uint8_t *pages;
static struct ps_batch in_order, any_order = {.any_order = true};
static struct ps_bucket_slots slots;

static struct ps_lease *lease_of(unsigned number)
{
    return (struct ps_lease *)(void *)(pages + (size_t)number * PAGE_BYTES);
}

static void allow(unsigned from, unsigned count, int access)
{
    assert_int_equal(mprotect(pages + (size_t)from * PAGE_BYTES, (size_t)count * PAGE_BYTES, access), 0);
}

static void take(unsigned number, struct ps_batch *batch)
{
    *lease_of(number) = (struct ps_lease){.count = 1, .batch = batch};
    assert_int_equal(ps_bucket_slots_take(&slots, lease_of(number)), number);
}

static int set_up(void **state)
{
    static struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_sink_null);
    pages = mmap(NULL, (size_t)PS_BUCKET_LEASES_MAX * PAGE_BYTES, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ps_bucket_slots_init(&slots);
    *state = &stage;
    return pages != MAP_FAILED ? 0 : -1;
}

static int tear_down(void **state)
{
    ps_test_stage_fini(*state);
    return munmap(pages, (size_t)PS_BUCKET_LEASES_MAX * PAGE_BYTES);
}

/* In each cycle it looks only at settled leases, however many it holds. */
static void test_nothing_else_is_looked_at(void **state)
{
    struct ps_test_stage *stage = *state;
    for (unsigned i = 0; i < PS_BUCKET_LEASES_MAX; i++)
        take(i, i < 2 ? &in_order : &any_order);
    allow(0, PS_BUCKET_LEASES_MAX, PROT_NONE);
    ps_bucket_slots_finish(&slots, &stage->port);
    allow(700, 1, PROT_READ | PROT_WRITE);
    ps_bucket_slots_settle(&slots, 700, 0);
    ps_bucket_slots_finish(&slots, &stage->port);
    assert_int_equal(stage->done_count, 1);
    assert_ptr_equal(stage->done[0], lease_of(700));
    allow(0, 2, PROT_READ | PROT_WRITE);
    ps_bucket_slots_settle(&slots, 1, 0); /* behind one that is not settled */
    ps_bucket_slots_finish(&slots, &stage->port);
    assert_int_equal(stage->done_count, 1);
    ps_bucket_slots_settle(&slots, 0, 0);
    ps_bucket_slots_finish(&slots, &stage->port);
    assert_int_equal(stage->done_count, 3);
    assert_ptr_equal(stage->done[2], lease_of(1));
    allow(0, PS_BUCKET_LEASES_MAX, PROT_READ | PROT_WRITE);
}

/* Settled in any order: one goes home when all before it have gone, or if its batch has any order. */
static void test_who_goes_home(void **state)
{
    static bool is_settled[LEASES], is_home[LEASES];
    struct ps_test_stage *stage = *state;
    uint64_t random = ps_test_seed();
    unsigned front = 0, home = 0;
    for (unsigned i = 0; i < LEASES; i++)
        take(i, ps_test_random(&random) % 3 == 0 ? &any_order : &in_order);
    while (home < LEASES) {
        for (uint64_t count = ps_test_random(&random) % 8; count > 0; count--) {
            unsigned near = front + (unsigned)(ps_test_random(&random) % 20), number = near % LEASES;
            if (is_settled[number])
                continue;
            is_settled[number] = true;
            ps_bucket_slots_settle(&slots, (uint16_t)number, 0);
        }
        ps_bucket_slots_finish(&slots, &stage->port);
        while (front < LEASES && is_settled[front])
            front++;
        home = 0;
        for (unsigned i = 0; i < LEASES; i++) {
            is_home[i] = i < front || (is_settled[i] && lease_of(i)->batch->any_order);
            home += is_home[i];
        }
        assert_int_equal(slots.count, LEASES - home);
        assert_int_equal(stage->done_count, home);
    }
    assert_int_equal(slots.first, PS_BUCKET_NO_SLOT);
    assert_int_equal(slots.pinned_bytes, 0);
}

/* After a recall settled leases go home, the others go back. The next lease has the same place, and nothing
 * of the one before. */
static void test_after_a_recall(void **state)
{
    struct ps_test_stage *stage = *state;
    for (unsigned round = 0; round < 2; round++) {
        struct ps_lease *back = NULL;
        size_t done = stage->done_count;
        *lease_of(0) = *lease_of(1) = (struct ps_lease){.count = 1, .batch = &any_order};
        uint16_t first = ps_bucket_slots_take(&slots, lease_of(0));
        (void)ps_bucket_slots_take(&slots, lease_of(1));
        ps_bucket_slots_finish(&slots, &stage->port); /* nothing is settled */
        assert_int_equal(stage->done_count, done);
        ps_bucket_slots_settle(&slots, first, 0);
        ps_bucket_slots_give_back(&slots, &stage->port, &back);
        assert_int_equal(stage->done_count, done + 1);
        assert_ptr_equal(stage->done[done], lease_of(0));
        assert_ptr_equal(back, lease_of(1));
        assert_null(back->next);
        assert_int_equal(slots.count, 0);
        assert_int_equal(slots.pinned_bytes, 0);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_order), TEST(test_nothing_else_is_looked_at),
                                       TEST(test_who_goes_home), TEST(test_after_a_recall)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
