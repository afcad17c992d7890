/* Checks what core/stage.h requires of every channel, on one thread: a put that is accepted, one that is refused and
 * leaves the lease to the caller, order, Flume's rollback (untake), release, fill, strip and restore; then random
 * calls against a model. Durable channels fulfil the promise of a put later, and hand out batches of their own, so
 * separate tests check them. */
#include "core/flow/engine_channel.h"
#include "tests/support/conformance.h"
#include "tests/support/folder.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PRODUCERS_MAX 3U
#define CONSUMERS_MAX 3U
#ifdef PS_TEST_PLUGIN /* tests/plugin */
#define OURS 0
#else
#define OURS 1 /* has the engine's functions, and accepts a batch while there is any room */
#endif

struct adapter {
    const struct ps_stage_ops *ops;
    const char *keys[16]; /* "@name" is a path in the test's folder */
    uint64_t capacity;
};

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

static struct ps_fill fill(const struct ps_test_stage *stage)
{
    struct ps_fill now = {0};
    stage->ops->channel->fill(stage->plan, &now);
    return now;
}

static void start(struct ps_test_stage *stage, struct adapter *adapter, unsigned producers,
                  unsigned consumers)
{
    const char *keys[PS_COUNT_OF(adapter->keys)];
    ps_test_stage_init_sized(stage, adapter->ops, UINT64_C(64) << 20);
    stage->context.producers = producers;
    stage->context.consumers = consumers;
    ps_test_place_keys(stage, adapter->keys, keys);
    if (ps_test_stage_bind(stage, keys) != PS_OK)
        fail_msg("%s: %s", adapter->ops->name, stage->err.text);
    uint64_t capacity = fill(stage).capacity; /* the engine asks for it before `build`, too */
    if (!OURS && (capacity < 12 || capacity > 100))
        fail_msg("%s has a capacity of %llu events: set a key so that it has 12 to 100", adapter->ops->name,
                 (unsigned long long)capacity);
    adapter->capacity = OURS ? adapter->capacity : capacity;
    if (ps_test_stage_build(stage) != PS_OK)
        fail_msg("%s: %s", adapter->ops->name, stage->err.text);
    if (stage->ops->channel->start != NULL)
        stage->ops->channel->start(stage->plan);
}

/* Returns whether a channel with this number of events may refuse a batch. */
static bool may_refuse(const struct adapter *adapter, uint64_t size, uint64_t events)
{
    return OURS ? size >= adapter->capacity : size + events > adapter->capacity;
}

/* Takes out the leases that its consumers have not taken. A plug-in's channel has no such function. */
static struct ps_lease *strip(struct ps_test_stage *stage)
{
    const struct ps_engine_channel_ops *ops = ps_engine_channel(stage->ops->channel);
    return ops->strip != NULL ? ops->strip(stage->plan) : NULL;
}

static struct ps_lease *some_lease(struct ps_test_stage *stage, unsigned events)
{
    struct ps_test_event bodies[16];
    assert_true(events <= PS_COUNT_OF(bodies));
    for (unsigned i = 0; i < events; i++)
        bodies[i] = PS_BODY("body");
    return ps_test_lease(stage, bodies, events);
}

static enum ps_put put(struct ps_test_stage *stage, unsigned producer, struct ps_lease *lease)
{
    struct ps_lease *offered = lease;
    enum ps_put result = stage->ops->channel->put(stage->plan, producer, &offered, &stage->now);
    assert_ptr_equal(offered, result == PS_PUT_FULL ? lease : NULL);
    return result;
}

static struct ps_lease *put_well(struct ps_test_stage *stage, struct ps_lease *lease)
{
    enum ps_put result = put(stage, 0, lease);
    assert_true(result == PS_PUT_OK || (!OURS && result == PS_PUT_LATER));
    return lease;
}

static struct ps_lease *take(struct ps_test_stage *stage, unsigned consumer)
{
    return stage->ops->channel->take(stage->plan, consumer, &stage->port, &stage->now);
}

static void untake(struct ps_test_stage *stage, unsigned consumer, struct ps_lease *lease)
{
    stage->ops->channel->untake(stage->plan, consumer, &lease);
    assert_null(lease);
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
    if (model->back_count[consumer] > 0) { /* leases given back come first, in order */
        assert_ptr_equal(record, model->back[consumer][--model->back_count[consumer]]);
    } else {
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

/* ---- durable channels ---- */

static struct adapter durable_adapters[] = {
#if !OURS
    {.ops = NULL},
#else
    {.ops = &ps_channel_file,
     .keys = {"checkpointDir", "@state", "dataDirs", "@one,@two", "capacity", "20", "transactionCapacity",
              "5"},
     .capacity = 20},
    {.ops = &ps_channel_spillablememory,
     .keys = {"checkpointDir", "@state", "dataDirs", "@one,@two", "memoryCapacity", "0", "overflowCapacity",
              "20", "transactionCapacity", "5"},
     .capacity = 20},
    {.ops = &ps_channel_jdbc,
     .keys = {"driver.url", "jdbc:sqlite:@db", "maximum.capacity", "20"},
     .capacity = 20},
#endif
};

/* A channel may move on in its ticks. */
static void rest(struct ps_test_stage *stage)
{
    const struct ps_channel_ops *ops = stage->ops->channel;
    (void)ops->tick(stage->plan, 0, &stage->port, &stage->now);
    if (ops->consumer_tick != NULL)
        (void)ops->consumer_tick(stage->plan, 0, &stage->port, &stage->now);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static struct ps_lease *put_durable(struct ps_test_stage *stage, const char *body)
{
    struct ps_lease *lease = PS_LEASE(stage, PS_EVENT(body, "name", "value"), PS_BODY(body));
    for (unsigned i = 0; put(stage, 0, lease) == PS_PUT_FULL; i++) { /* the channel is not open yet */
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest(stage);
    }
    return lease;
}

static struct ps_lease *take_any(struct ps_test_stage *stage)
{
    struct ps_lease *lease = NULL;
    for (unsigned i = 0; (lease = take(stage, 0)) == NULL; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest(stage);
    }
    return lease;
}

/* Checks the first or second event of put_durable. */
static void check_durable(struct ps_test_stage *stage, const struct ps_lease *lease, uint32_t at,
                          const char *body, bool first)
{
    struct ps_test_event event = ps_test_lease_event(stage, lease, at);
    assert_int_equal(event.length, strlen(body));
    assert_memory_equal(event.body, body, event.length);
    assert_int_equal(ps_test_event_header_count(&event), first ? 1 : 0);
}

static struct ps_lease *take_durable(struct ps_test_stage *stage, const char *body)
{
    struct ps_lease *lease = take_any(stage);
    assert_int_equal(lease->count, 2);
    for (uint32_t i = 0; i < 2; i++)
        check_durable(stage, lease, i, body, i == 0);
    return lease;
}

/* Takes and delivers events with these bodies, however many are in a batch. */
static void deliver_durable(struct ps_test_stage *stage, const char *const *bodies, uint32_t count)
{
    for (uint32_t seen = 0; seen < 2 * count;) {
        struct ps_lease *lease = take_any(stage);
        assert_true(seen + lease->count <= 2 * count);
        for (uint32_t i = 0; i < lease->count; i++, seen++)
            check_durable(stage, lease, i, bodies[seen / 2], seen % 2 == 0);
        ps_test_channel_deliver(stage, lease);
    }
}

static void leave(struct ps_test_stage *stage)
{
    size_t home = stage->home_count;
    if (stage->ops->channel->leave != NULL)
        stage->ops->channel->leave(stage->plan, 0, &stage->port);
    ps_test_stage_release_home(stage, home);
}

/* Events are promised in order, and taken in order, those given back first; after a restart events that were not
 * delivered come again, and delivered ones do not. */
static void test_durable_promises_and_restarts(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(durable_adapters); i++) {
        struct ps_test_stage stage;
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        start(&stage, &durable_adapters[i], 1, 1);
        struct ps_lease *leases[] = {put_durable(&stage, "a"), put_durable(&stage, "b"),
                                     put_durable(&stage, "c")};
        ps_test_channel_await_home(&stage, 3);
        for (size_t k = 0; k < 3; k++) {
            assert_ptr_equal(stage.home[k], leases[k]);
            assert_false(leases[k]->failed);
        }
        assert_int_equal(fill(&stage).size, 6);
        deliver_durable(&stage, PS_WORDS("a", "b", "c"), 3);
        put_durable(&stage, "bb");
        struct ps_lease *second = take_durable(&stage, "bb");
        put_durable(&stage, "");
        struct ps_lease *third = take_durable(&stage, "");
        assert_int_equal(fill(&stage).size, 0);
        untake(&stage, 0, third);
        untake(&stage, 0, second);
        assert_int_equal(fill(&stage).size, 4);
        ps_test_channel_await_home(&stage, 5);
        leave(&stage);
        assert_null(strip(&stage));
        ps_test_stage_fini(&stage);
        start(&stage, &durable_adapters[i], 1, 1);
        put_durable(&stage, "later");
        deliver_durable(&stage, PS_WORDS("bb", "", "later"), 3);
        ps_test_channel_await_home(&stage, 1);
        assert_null(take(&stage, 0));
        assert_int_equal(fill(&stage).size, 0);
        leave(&stage);
        assert_null(strip(&stage));
        ps_test_stage_fini(&stage);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

#if OURS
/* Events that were put before the channel could write, and leases that were promised but not released yet: the engine
 * gets both at the end. */
static void test_durable_strip_and_restore(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(durable_adapters); i++) {
        struct ps_test_stage stage;
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        start(&stage, &durable_adapters[i], 1, 1);
        struct ps_lease *lease = put_durable(&stage, "x");
        /* `strip` writes the lease to disk first */
        struct ps_lease *list = strip(&stage);
        assert_ptr_equal(list, lease);
        assert_null(list->next);
        assert_int_equal(list->settled, list->count);
        lease = PS_LEASE(&stage, PS_EVENT("y", "name", "value"), PS_BODY("y"));
        stage.ops->channel->engine->restore(stage.plan, lease);
        assert_int_equal(fill(&stage).size, 4);
        ps_test_stage_fini(&stage);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}
#endif

static void test_durable_is_full(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(durable_adapters); i++) {
        struct ps_test_stage stage;
        unsigned count = 0;
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        start(&stage, &durable_adapters[i], 1, 1);
        put_durable(&stage, "0");
        struct ps_lease *refused = NULL;
        for (count = 1; refused == NULL; count++) {
            struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("0", "name", "value"), PS_BODY("0"));
            if (put(&stage, 0, lease) == PS_PUT_FULL)
                refused = lease;
            assert_true(2 * (count - 1) <= durable_adapters[i].capacity);
        }
        assert_in_range(2 * (count - 1), durable_adapters[i].capacity - 1, durable_adapters[i].capacity);
        ps_test_channel_await_home(&stage, count - 1);
        assert_int_equal(put(&stage, 0, refused), PS_PUT_FULL);
        ps_test_channel_deliver(&stage, take_any(&stage));
        assert_int_not_equal(put(&stage, 0, refused), PS_PUT_FULL);
        ps_test_channel_await_home(&stage, count);
        leave(&stage);
        assert_null(strip(&stage));
        ps_test_stage_fini(&stage);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

/* ---- a durable channel whose process is killed ---- */

#define KILLED_EVENTS 40U
#define KILLED_BEHIND 4U /* events that are put and not delivered yet */

struct killed_news {
    uint32_t promised, begun; /* events that are promised; events whose delivery has begun */
};

static void put_number(struct ps_test_stage *stage, uint32_t number)
{
    char body[16];
    snprintf(body, sizeof body, "%u", number);
    struct ps_lease *lease = PS_LEASE(stage, PS_EVENT(body, "name", "value"));
    for (unsigned i = 0; put(stage, 0, lease) == PS_PUT_FULL; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest(stage);
    }
}

static uint32_t number_of(struct ps_test_stage *stage, const struct ps_lease *lease, uint32_t at)
{
    struct ps_test_event event = ps_test_lease_event(stage, lease, at);
    char body[16];
    assert_in_range(event.length, 1, sizeof body - 1);
    snprintf(body, sizeof body, "%.*s", (int)event.length, event.body);
    assert_int_equal(ps_test_event_header_count(&event), 1);
    return (uint32_t)strtoul(body, NULL, 10);
}

/* Puts numbers, and delivers them a little later. Tells what is promised once it is, and what is delivered before. */
static _Noreturn void put_until_killed(struct adapter *adapter, int output)
{
    struct ps_test_stage stage;
    struct killed_news news = {0, 0};
    start(&stage, adapter, 1, 1);
    for (uint32_t number = 0; number < KILLED_EVENTS; number++) {
        put_number(&stage, number);
        ps_test_channel_await_home(&stage, number + 1);
        if (!stage.home[number]->failed)
            news.promised = number + 1;
        (void)!write(output, &news, sizeof news);
        while (news.promised > news.begun + KILLED_BEHIND) {
            struct ps_lease *lease = take_any(&stage);
            news.begun += lease->count;
            (void)!write(output, &news, sizeof news);
            ps_test_channel_deliver(&stage, lease);
        }
    }
    for (;;)
        pause();
}

/* Runs it in a process that is killed after `count` news. Returns the last of them. */
static struct killed_news kill_after(struct adapter *adapter, unsigned count)
{
    struct killed_news news = {0, 0};
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        put_until_killed(adapter, ends[1]);
    }
    close(ends[1]);
    for (unsigned i = 0; i < count; i++) {
        if (read(ends[0], &news, sizeof news) != sizeof news)
            fail_msg("%s: the process that puts events has ended", adapter->ops->name);
    }
    kill(child, SIGKILL);
    while (read(ends[0], &news, sizeof news) == sizeof news) /* what it told before the signal came */
        ;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return news;
}

/* Takes events until the last one, which was put after the kill. */
static void check_killed(struct ps_test_stage *stage, const struct killed_news *news)
{
    uint32_t next = 0, number = 0;
    for (bool any = false; number != KILLED_EVENTS;) {
        struct ps_lease *lease = take_any(stage);
        for (uint32_t k = 0; k < lease->count; k++, any = true) {
            number = number_of(stage, lease, k);
            uint32_t lost = any ? next : news->begun; /* if it is promised and does not come now */
            if (lost < news->promised && number > lost)
                fail_msg("%s: after a kill event %u is lost, which was promised", stage->ops->name, lost);
            if (any && number < next)
                fail_msg("%s: after a kill event %u comes behind event %u", stage->ops->name, number,
                         next - 1);
            next = number + 1;
        }
        ps_test_channel_deliver(stage, lease);
    }
}

/* All that was promised and not delivered comes, in order and once, and nothing that was not put. What was delivered
 * may come again: the kill may have come before the channel recorded it. */
static void test_durable_is_killed(void **unused)
{
    uint64_t random = ps_test_seed();
    for (size_t i = 0; i < PS_COUNT_OF(durable_adapters) * 4; i++) {
        struct adapter *adapter = &durable_adapters[i / 4];
        struct ps_test_stage stage;
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        struct killed_news news = kill_after(adapter, 1 + (unsigned)(ps_test_random(&random) % 70));
        start(&stage, adapter, 1, 1);
        put_number(&stage, KILLED_EVENTS); /* the channel is open: behind all that it has */
        check_killed(&stage, &news);
        ps_test_channel_await_home(&stage, 1);
        leave(&stage);
        assert_null(strip(&stage));
        ps_test_stage_fini(&stage);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest in_memory[] = {
        cmocka_unit_test(test_accepts_refuses_and_empties),
        cmocka_unit_test(test_rollback),
#if OURS
        cmocka_unit_test(test_strip_and_restore),
        cmocka_unit_test(test_bytes_are_limited),
#endif
        cmocka_unit_test(test_against_a_model),
    };
    const struct CMUnitTest durable[] = {
        cmocka_unit_test(test_durable_promises_and_restarts),
#if OURS
        cmocka_unit_test(test_durable_strip_and_restore),
#endif
        cmocka_unit_test(test_durable_is_full),
        cmocka_unit_test(test_durable_is_killed),
    };
    int failed = adapters[0].ops != NULL ? cmocka_run_group_tests(in_memory, NULL, NULL) : 0;
    return failed + (durable_adapters[0].ops != NULL ? cmocka_run_group_tests(durable, NULL, NULL) : 0);
}
