/* Checks what core/stage.h requires of every channel, on one thread: a put that is accepted, one that is refused and
 * leaves the lease to the caller, order, Flume's rollback (untake), release, fill, strip and restore; then random
 * calls against a model. conformance_channel_durable_test.c checks durable channels. */
#include "tests/stages/conformance_channel.h"

#include <stdlib.h>

#define PRODUCERS_MAX 3U
#define CONSUMERS_MAX 3U

static struct adapter adapters[] = {
#if !OURS
    {.ops = NULL},
#else
    {.ops = &ps_channel_memory, .keys = {"capacity", "20", "transactionCapacity", "5"}, .capacity = 20},
    {.ops = &ps_channel_spillablememory,
     .keys = {"memoryCapacity", "20", "overflowCapacity", "0"},
     .capacity = 20},
#endif
};

static struct ps_lease *some_lease(struct ps_test_stage *stage, unsigned events)
{
    struct ps_test_event bodies[16];
    assert_true(events <= PS_COUNT_OF(bodies));
    for (unsigned i = 0; i < events; i++)
        bodies[i] = PS_BODY("body");
    return ps_test_lease(stage, bodies, events);
}

static struct ps_lease *put_well(struct ps_test_stage *stage, struct ps_lease *lease)
{
    enum ps_put result = put(stage, 0, lease);
    assert_true(result == PS_PUT_OK || (!OURS && result == PS_PUT_LATER));
    return lease;
}

static void test_accepts_refuses_and_empties(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        start(&stage, &adapters[i], 1, 1);
        assert_null(take(&stage, 0));
        assert_int_equal(fill(&stage).capacity, adapters[i].capacity);
        assert_true(stage.ops->channel->hungry(stage.plan, 0));
        struct ps_lease *leases[64], *refused = NULL;
        unsigned count = 0;
        for (uint64_t size = 0;; size += 3) {
            struct ps_lease *lease = some_lease(&stage, 3);
            assert_int_equal(fill(&stage).size, size);
            assert_int_equal(fill(&stage).bytes, size * 4);
            if (put(&stage, 0, lease) == PS_PUT_FULL) {
                refused = lease;
                assert_true(may_refuse(&adapters[i], size, 3));
                break;
            }
            if (size >= adapters[i].capacity)
                fail_msg("%s has %llu events and accepts more; its capacity is %llu", stage.ops->name,
                         (unsigned long long)size, (unsigned long long)adapters[i].capacity);
            leases[count++] = lease;
        }
        assert_int_equal(put(&stage, 0, refused), PS_PUT_FULL);
        assert_false(stage.ops->channel->hungry(stage.plan, 0));
        for (unsigned k = 0; k < count; k++) {
            struct ps_lease *lease = take(&stage, 0);
            assert_ptr_equal(lease, leases[k]);
            stage.ops->channel->done(stage.plan, 0, &lease, &stage.port);
            assert_null(lease);
            assert_int_equal(stage.home_count, k + 1);
            assert_ptr_equal(stage.home[k], leases[k]);
        }
        assert_null(take(&stage, 0));
        assert_int_equal(fill(&stage).size, 0);
        assert_int_equal(fill(&stage).bytes, 0);
        put_well(&stage, refused);
        assert_ptr_equal(take(&stage, 0), refused);
        ps_test_stage_fini(&stage);
    }
}

/* Leases that are given back newest first come again oldest first, before those put later. */
static void test_rollback(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        for (unsigned consumers = 1; consumers <= CONSUMERS_MAX; consumers++) {
            struct ps_test_stage stage;
            start(&stage, &adapters[i], 1, consumers);
            struct ps_lease *leases[4], *taken[3];
            for (size_t k = 0; k < 4; k++)
                leases[k] = put_well(&stage, some_lease(&stage, 2));
            for (size_t k = 0; k < 3; k++)
                assert_ptr_equal(taken[k] = take(&stage, 0), leases[k]);
            assert_int_equal(fill(&stage).size, 2);
            for (size_t k = 3; k-- > 0;)
                untake(&stage, 0, taken[k]);
            assert_int_equal(fill(&stage).size, 8);
            for (size_t k = 0; k < 4; k++)
                assert_ptr_equal(take(&stage, 0), leases[k]);
            assert_null(take(&stage, 0));
            ps_test_stage_fini(&stage);
        }
    }
}

#if OURS
/* Over a reload: leases are taken out of one channel, and put into another. */
static void test_strip_and_restore(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage from, to;
        start(&from, &adapters[i], 1, 1);
        start(&to, &adapters[i], 1, 1);
        assert_null(strip(&from));
        struct ps_lease *leases[5], *later = some_lease(&from, 1);
        for (size_t k = 0; k < 5; k++)
            assert_int_equal(put(&from, 0, leases[k] = some_lease(&from, 2)), PS_PUT_OK);
        struct ps_lease *first = take(&from, 0);
        untake(&from, 0, first);
        struct ps_lease *list = strip(&from);
        assert_int_equal(fill(&from).size, 0);
        assert_null(take(&from, 0));
        struct ps_lease *at = list;
        for (size_t k = 0; k < 5; k++, at = at->next)
            assert_ptr_equal(at, leases[k]);
        assert_null(at);
        assert_int_equal(put(&to, 0, later), PS_PUT_OK);
        to.ops->channel->engine->restore(to.plan, list);
        assert_int_equal(fill(&to).size, 11);
        for (size_t k = 0; k < 5; k++)
            assert_ptr_equal(take(&to, 0), leases[k]);
        assert_ptr_equal(take(&to, 0), later);
        assert_null(take(&to, 0));
        ps_test_stage_fini(&to);
        ps_test_stage_fini(&from);
    }
}
#endif

/* ---- random calls against a model ---- */

struct record {
    struct ps_lease *lease;
    unsigned producer, order; /* order: its number among those of its producer */
    enum { IN_CHANNEL, HELD, GIVEN_BACK, GONE } where;
    unsigned consumer; /* for HELD and GIVEN_BACK */
};

struct model {
    struct record records[PS_TEST_BATCHES_MAX];
    size_t count;
    uint64_t size;
    unsigned put[PRODUCERS_MAX];
    int last[CONSUMERS_MAX][PRODUCERS_MAX]; /* newest lease that each consumer took for the first time */
    struct record *held[CONSUMERS_MAX][16]; /* in the order in which they were taken */
    unsigned held_count[CONSUMERS_MAX];
    struct record *back[CONSUMERS_MAX][32]; /* the last is the next to take */
    unsigned back_count[CONSUMERS_MAX];
};

static struct record *record_of(struct model *model, const struct ps_lease *lease)
{
    for (size_t i = model->count; i-- > 0;) {
        if (model->records[i].lease == lease)
            return &model->records[i];
    }
    fail_msg("a lease that was never put");
    return NULL;
}

static void model_put(struct ps_test_stage *stage, struct model *model, unsigned producer,
                      const struct adapter *adapter, uint64_t *random)
{
    if (model->count == PS_TEST_BATCHES_MAX - 1 || stage->batch_count == PS_TEST_BATCHES_MAX - 1)
        return;
    struct ps_lease *lease = some_lease(stage, 1 + (unsigned)(ps_test_random(random) % 6));
    if (put(stage, producer, lease) == PS_PUT_FULL) {
        assert_true(may_refuse(adapter, model->size, lease->count));
        return;
    }
    assert_true(model->size < adapter->capacity);
    model->records[model->count++] =
        (struct record){.lease = lease, .producer = producer, .order = model->put[producer]++};
    model->size += lease->count;
}

static void model_take(struct ps_test_stage *stage, struct model *model, unsigned consumer)
{
    if (model->held_count[consumer] == PS_COUNT_OF(model->held[0]))
        return;
    struct ps_lease *lease = take(stage, consumer);
    if (lease == NULL) {
        assert_int_equal(model->back_count[consumer], 0);
        for (size_t i = 0; i < model->count; i++)
            assert_true(model->records[i].where != IN_CHANNEL);
        return;
    }
    struct record *record = record_of(model, lease);
    if (record->where ==
        GIVEN_BACK) { /* by this consumer or another one: what each gave back comes in order */
        unsigned giver = record->consumer;
        assert_true(model->back_count[giver] > 0);
        assert_ptr_equal(record, model->back[giver][--model->back_count[giver]]);
    } else {
        assert_int_equal(model->back_count[consumer], 0); /* it comes before everything else */
        assert_true(record->where == IN_CHANNEL);
        assert_true((int)record->order > model->last[consumer][record->producer]);
        model->last[consumer][record->producer] = (int)record->order;
    }
    record->where = HELD;
    record->consumer = consumer;
    model->size -= lease->count;
    model->held[consumer][model->held_count[consumer]++] = record;
}

static void model_untake(struct ps_test_stage *stage, struct model *model, unsigned consumer)
{
    while (model->held_count[consumer] > 0) { /* all leases, the newest first */
        struct record *record = model->held[consumer][--model->held_count[consumer]];
        record->where = GIVEN_BACK;
        model->size += record->lease->count;
        model->back[consumer][model->back_count[consumer]++] = record;
        untake(stage, consumer, record->lease);
    }
}

static void model_done(struct ps_test_stage *stage, struct model *model, unsigned consumer)
{
    if (model->held_count[consumer] == 0)
        return;
    struct record *record = model->held[consumer][0];
    memmove(&model->held[consumer][0], &model->held[consumer][1],
            --model->held_count[consumer] * sizeof model->held[0][0]);
    record->where = GONE;
    struct ps_lease *lease = record->lease;
    size_t home = stage->home_count;
    stage->ops->channel->done(stage->plan, consumer, &lease, &stage->port);
    assert_null(lease);
    assert_int_equal(stage->home_count, home + 1);
    assert_ptr_equal(stage->home[home], record->lease);
}

static void run_model(struct adapter *adapter, unsigned producers, unsigned consumers, uint64_t *random)
{
    static struct model model;
    struct ps_test_stage stage;
    memset(&model, 0, sizeof model);
    memset(model.last, 0xFF, sizeof model.last); /* -1 */
    start(&stage, adapter, producers, consumers);
    for (int step = 0; step < 4000; step++) {
        unsigned consumer = (unsigned)(ps_test_random(random) % consumers);
        switch (ps_test_random(random) % 8) {
        case 0:
        case 1:
        case 2:
            model_put(&stage, &model, (unsigned)(ps_test_random(random) % producers), adapter, random);
            break;
        case 3:
        case 4:
        case 5:
            model_take(&stage, &model, consumer);
            break;
        case 6:
            model_done(&stage, &model, consumer);
            break;
        default:
            if (ps_test_random(random) % 4 == 0)
                model_untake(&stage, &model, consumer);
            break;
        }
        assert_int_equal(fill(&stage).size, model.size);
    }
    /* The remaining events come out, and nothing is missing. */
    for (unsigned consumer = 0; consumer < consumers; consumer++) {
        while (model.held_count[consumer] > 0)
            model_done(&stage, &model, consumer);
        while (model.back_count[consumer] > 0) {
            model_take(&stage, &model, consumer);
            model_done(&stage, &model, consumer);
        }
    }
    while (!OURS && model.size > 0) {
        model_take(&stage, &model, 0);
        model_done(&stage, &model, 0);
    }
    for (struct ps_lease *lease = strip(&stage); lease != NULL; lease = lease->next) {
        struct record *record = record_of(&model, lease);
        assert_true(record->where == IN_CHANNEL);
        record->where = GONE;
    }
    for (size_t i = 0; i < model.count; i++)
        assert_int_equal(model.records[i].where, GONE);
    assert_int_equal(fill(&stage).size, 0);
    ps_test_stage_fini(&stage);
}

static void test_against_a_model(void **unused)
{
    uint64_t random = ps_test_seed();
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        for (unsigned producers = 1; producers <= PRODUCERS_MAX; producers++) {
            for (unsigned consumers = 1; consumers <= CONSUMERS_MAX; consumers++)
                run_model(&adapters[i], producers, consumers, &random);
        }
    }
}

#if OURS
static void test_bytes_are_limited(void **unused)
{
    struct ps_test_stage stage;
    struct adapter adapter = {
        .ops = &ps_channel_memory,
        .keys = {"capacity", "1000", "byteCapacity", "100", "byteCapacityBufferPercentage", "20"}};
    start(&stage, &adapter, 1, 1);
    assert_int_equal(fill(&stage).bytes_capacity, 80);
    for (int i = 0; i < 20; i++)
        assert_int_equal(put(&stage, 0, some_lease(&stage, 1)), PS_PUT_OK);
    assert_int_equal(put(&stage, 0, some_lease(&stage, 1)), PS_PUT_FULL);
    assert_non_null(take(&stage, 0));
    assert_int_equal(put(&stage, 0, some_lease(&stage, 1)), PS_PUT_OK);
    ps_test_stage_fini(&stage);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts_refuses_and_empties),
        cmocka_unit_test(test_rollback),
#if OURS
        cmocka_unit_test(test_strip_and_restore),
        cmocka_unit_test(test_bytes_are_limited),
#endif
        cmocka_unit_test(test_against_a_model),
    };
    return adapters[0].ops != NULL ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
