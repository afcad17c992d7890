/* The places of a sink's leases beside a list: taken at the end, given back anywhere. */
#include "stages/hdfs_sink/slots.h"

#include "tests/support/support.h"

struct model {
    uint16_t slots[PS_HDFS_LEASES_MAX];
    uint64_t gone_bytes[PS_HDFS_LEASES_MAX]; /* behind each */
    unsigned count;
};

static void assert_same(const struct ps_hdfs_slots *slots, const struct model *model)
{
    const uint64_t most = UINT64_C(4) * PS_BLOCK_BYTES;
    uint16_t slot = slots->first, before = PS_HDFS_NO_SLOT;
    uint64_t pinned = 0;
    assert_int_equal(slots->count, model->count);
    for (unsigned i = 0; i < model->count; i++) {
        assert_int_equal(slot, model->slots[i]);
        assert_int_equal(slots->slots[slot].before, before);
        pinned += model->gone_bytes[i] < most ? model->gone_bytes[i] : most;
        before = slot;
        slot = slots->slots[slot].after;
    }
    assert_int_equal(slot, PS_HDFS_NO_SLOT);
    assert_int_equal(slots->last, before);
    assert_int_equal(slots->pinned_bytes, pinned);
}

static void give(struct ps_hdfs_slots *slots, struct model *model, unsigned at, uint64_t bytes)
{
    ps_hdfs_slots_give(slots, model->slots[at], bytes);
    if (at > 0)
        model->gone_bytes[at - 1] += bytes + model->gone_bytes[at];
    model->count--;
    memmove(model->slots + at, model->slots + at + 1, (model->count - at) * sizeof model->slots[0]);
    memmove(model->gone_bytes + at, model->gone_bytes + at + 1,
            (model->count - at) * sizeof model->gone_bytes[0]);
}

static void test_any_order(void **state)
{
    static struct ps_hdfs_slots slots;
    static struct model model;
    uint64_t random = ps_test_seed();
    bool fills = true;
    (void)state;
    ps_hdfs_slots_init(&slots);
    for (unsigned i = 0; i < 10000; i++) {
        if (model.count == PS_HDFS_LEASES_MAX || model.count == 0)
            fills = model.count == 0;
        bool takes = ps_test_random(&random) % 8 > 1 ? fills : !fills;
        if (model.count == 0 || (takes && model.count < PS_HDFS_LEASES_MAX)) {
            model.gone_bytes[model.count] = 0;
            model.slots[model.count++] = ps_hdfs_slots_take(&slots, NULL);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
