/* A durable queue that cannot write when the agent stops or reloads: each lease that is not promised comes back once,
 * in the order of its source, neither settled nor given up; a queue that works promises it, and counts it like any
 * other. No source gets an acknowledgement of its event. */
#include "stages/lib/queue/queue_internal.h"

#include "stages/lib/queue/channel.h"
#include "tests/stages/lib/queue/shelf.h"
#include "tests/support/letter_source.h"
#include "tests/support/stage.h"

#include <time.h>

extern const struct ps_stage_ops ps_channel_file;

#define PRODUCERS 2U
#define LONG_BYTES 20000U
#define MANY 20U /* long events: several frames */
#define FOR_GOOD UINT32_MAX

static struct ps_test_stage stage;
static struct ps_queue *queue;
static struct ps_store_ops ops;

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

static void begin(struct plan fails)
{
    plan = fails;
    plan.sync_each = true;
    shelf_clear();
    ps_test_stage_init_sized(&stage, &ps_channel_file, UINT64_C(64) << 20);
}

static void end(void)
{
    if (store.complaint != NULL)
        fail_msg("%s", store.complaint);
    ps_test_stage_fini(&stage);
}

static void start_queue(struct ps_lease *restored)
{
    const struct ps_queue_settings settings = shelf_settings(&ops, PRODUCERS);
    queue = ps_queue_create(&settings);
    ps_queue_restore(queue, restored);
    ps_queue_start(queue);
}

static struct ps_lease *made(unsigned count)
{
    static char body[LONG_BYTES];
    struct ps_test_event events[MANY];
    for (unsigned i = 0; i < count; i++)
        events[i] = (struct ps_test_event){.body = body, .length = count > 1 ? LONG_BYTES : 1};
    return ps_test_lease(&stage, events, count);
}

static struct ps_lease *put(unsigned producer, unsigned count)
{
    struct ps_lease *lease = made(count), *going = lease;
    lease->refusable = producer == 1;
    for (unsigned i = 0; ps_queue_put(queue, producer, &going) != PS_PUT_OK; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    return lease;
}

static void await_home(size_t count)
{
    for (unsigned i = 0; stage.home_count < count; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        for (unsigned producer = 0; producer < PRODUCERS; producer++)
            ps_queue_tick(queue, producer, &stage.port);
        rest();
    }
}

/* Waits until the queue says that it cannot write. */
static void await_trouble(const char *reason)
{
    char text[512] = "";
    for (unsigned i = 0; !ps_queue_trouble(queue, text, sizeof text) || strstr(text, reason) == NULL; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
}

/* Waits until the thread has looked at its leases several times. */
static void await_turns(void)
{
    unsigned turns = __atomic_load_n(&store.turns, __ATOMIC_RELAXED);
    while (__atomic_load_n(&store.turns, __ATOMIC_RELAXED) - turns < 8)
        rest();
}

/* Stops the queue. Asserts that these leases come back, in this order, as if they had never been put; the account is
 * that of the store. */
static struct ps_lease *expect_back(struct ps_lease *const *leases, size_t count)
{
    struct ps_fill fill;
    struct ps_segment_fill kept;
    struct ps_lease *back = ps_queue_strip(queue), *lease = back;
    for (size_t i = 0; i < count; i++, lease = lease->next) {
        assert_ptr_equal(lease, leases[i]);
        assert_int_equal(lease->settled, 0);
        assert_false(lease->failed);
    }
    assert_null(lease);
    assert_false(store.open);
    shelf_fill(&store, &kept);
    ps_queue_fill(queue, &fill);
    assert_int_equal(fill.size, kept.events);
    assert_int_equal(fill.bytes, kept.bytes);
    ps_queue_destroy(queue);
    return back;
}

/* A queue that works: the leases are promised, once each, and each event is counted until a sink has it. */
static void expect_promised_later(struct ps_lease *back, size_t leases)
{
    struct ps_fill fill;
    size_t home = stage.home_count;
    uint64_t events = 0;
    for (const struct ps_lease *lease = back; lease != NULL; lease = lease->next)
        events += lease->count;
    for (uint64_t number = 1; number <= store.durable; number++)
        events += store.frames[number].count;
    plan = (struct plan){.sync_each = true};
    memset(store.calls, 0, sizeof store.calls);
    start_queue(back);
    await_home(home + leases);
    for (size_t i = home; i < stage.home_count; i++)
        assert_false(stage.home[i]->failed);
    ps_queue_fill(queue, &fill);
    assert_int_equal(fill.size, events);
    assert_int_equal(ps_queue_undelivered(queue), events);
    assert_null(ps_queue_strip(queue));
    assert_int_equal(stage.home_count, home + leases);
    ps_queue_destroy(queue);
}

static void test_it_broke_before(void **state)
{
    /* The second lease is not written, written in part, written without a sync, or a part of it is durable. */
    static const struct plan plans[] = {
        {.call = APPEND, .nth = 2, .renews = FOR_GOOD},
        {.call = APPEND, .nth = 4, .renews = FOR_GOOD},
        {.call = SYNC, .nth = 2, .renews = FOR_GOOD},
        {.call = SYNC, .nth = 2, .renews = FOR_GOOD, .durable = 1, .renews_in_part = true},
    };
    for (size_t i = 0; i < PS_COUNT_OF(plans); i++) {
        begin(plans[i]);
        start_queue(NULL);
        put(0, 1);
        await_home(1);
        struct ps_lease *lost = put(0, MANY);
        await_trouble("does not work");
        await_turns();
        struct ps_lease *other = made(1);
        assert_int_equal(ps_queue_put(queue, 1, &other), PS_PUT_FULL);
        for (unsigned producer = 0; producer < PRODUCERS; producer++)
            ps_queue_tick(queue, producer, &stage.port);
        assert_int_equal(stage.home_count, 1);
        expect_promised_later(expect_back(&lost, 1), 1);
        end();
    }
}

/* Writing the last lease to disk fails, at the stop itself or just before it. */
static void test_it_breaks_at_the_stop(void **state)
{
    static const enum call calls[] = {APPEND, SYNC};
    for (size_t i = 0; i < 20; i++) {
        begin((struct plan){.call = calls[i % 2], .nth = 2, .renews = FOR_GOOD});
        start_queue(NULL);
        put(0, 1);
        await_home(1);
        struct ps_lease *lost = put(0, MANY);
        if (i % 4 < 2)
            rest();
        struct ps_lease *back = expect_back(&lost, 1);
        assert_int_equal(stage.home_count, 1);
        expect_promised_later(back, 1);
        end();
    }
}

/* Leases were given up, and a reload takes the queue apart before their sources know: they do not count as refused, and
 * stay in the order of their source. */
static void test_given_up_and_not_home(void **state)
{
    begin((struct plan){.call = SYNC, .nth = 2, .renews = FOR_GOOD, .keep_alive_ms = 1});
    start_queue(NULL);
    put(0, 1);
    await_home(1);
    struct ps_lease *lost[3];
    for (unsigned i = 0; i < 3; i++)
        lost[i] = made(1);
    struct ps_queue_producer *producer = &queue->producers[1];
    for (unsigned i = 0; i < 3; i++) { /* at once, because a queue that has failed accepts no more */
        struct ps_lease *lease = lost[i];
        lease->refusable = true;
        ps_queue_count(&producer->put, lease->count, lease->bytes);
        producer->memory_bytes += lease->memory_bytes;
        assert_true(ps_spsc_push(producer->ring, lease));
    }
    ps_park_wake(&queue->park);
    await_trouble("does not work");
    for (unsigned i = 0; __atomic_load_n(&producer->promised.newest, __ATOMIC_ACQUIRE) == NULL; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    await_turns();
    expect_promised_later(expect_back(lost, 3), 3);
    end();
}

/* The store was never open: leases that a reload restored come back, and a list that is left at the end is not taken. */
static void test_never_opened(void **state)
{
    begin((struct plan){.call = OPEN, .nth = 1, .retry_ns = 600 * PS_NS_PER_S});
    struct ps_lease *lost[2] = {made(1), made(MANY)};
    lost[0]->next = lost[1];
    start_queue(lost[0]);
    await_trouble("cannot be opened");
    struct ps_lease *last = made(1);
    assert_false(ps_queue_add_last(queue, last));
    expect_promised_later(expect_back(lost, 2), 2);
    end();
}

/* The list that the queue gets as its last work is promised, or comes back after the leases that were there before. */
static void test_the_last_list(void **state)
{
    for (unsigned works = 0; works < 2; works++) {
        begin((struct plan){.call = SYNC, .nth = works ? 0 : 2, .renews = FOR_GOOD});
        start_queue(NULL);
        put(0, 1);
        await_home(1);
        struct ps_lease *list[2] = {made(MANY), made(1)};
        list[0]->next = list[1];
        assert_true(ps_queue_add_last(queue, list[0]));
        if (!works) {
            expect_promised_later(expect_back(list, 2), 2);
            end();
            continue;
        }
        struct ps_lease *back = ps_queue_strip(queue);
        unsigned promised = 0;
        for (; back != NULL; back = back->next, promised++)
            assert_true(back->settled == back->count && !back->failed);
        assert_int_equal(promised, 2);
        assert_int_equal(store.durable, store.appended);
        ps_queue_destroy(queue);
        end();
    }
}

/* The queue's thread does not come to its work, and the ring is full of leases: one that is refused counts nothing, however often it is tried. */
static void test_full_ring(void **state)
{
    static struct ps_lease leases[2 * PS_QUEUE_RING_LEASES + 8];
    struct ps_fill fill;
    uint64_t events = 0, bytes = 0, kept_events = 0, kept_bytes = 0;
    unsigned refused = 0;
    plan = (struct plan){.sync_each = true};
    const struct ps_queue_settings settings = shelf_settings(&ops, PRODUCERS);
    queue = ps_queue_create(&settings);
    queue->writable = true; /* as the thread sets it */
    for (unsigned i = 0; i < PS_COUNT_OF(leases); i++) {
        struct ps_lease *lease = &leases[i];
        *lease = (struct ps_lease){.count = 1 + i % 3, .bytes = 7 + i % 5};
        for (unsigned tries = 0; lease != NULL && tries < 3; tries++) {
            if (ps_queue_put(queue, 0, &lease) != PS_PUT_OK)
                refused++;
        }
        if (lease == NULL) {
            events += leases[i].count;
            bytes += leases[i].bytes;
        }
        ps_queue_fill(queue, &fill);
        assert_int_equal(fill.size, events);
        assert_int_equal(fill.bytes, bytes);
        assert_int_equal(ps_queue_undelivered(queue), events);
    }
    assert_true(refused >= 3 * 8 && events > 0);
    for (const struct ps_lease *lease = ps_queue_strip(queue); lease != NULL; lease = lease->next) {
        kept_events += lease->count;
        kept_bytes += lease->bytes;
    }
    assert_int_equal(kept_events, events);
    assert_int_equal(kept_bytes, bytes);
    ps_queue_destroy(queue);
}

/* ---- in an agent ---- */

static enum ps_status build(void *channel, struct ps_context *context, struct ps_err *err)
{
    ps_queue_channel_build(channel, context, shelf_settings(&ops, 1), 600000);
    return PS_OK;
}

static const struct ps_stage_ops channel = {.kind = PS_KIND_CHANNEL,
                                            .name = "shelf",
                                            .plan_size = sizeof(struct ps_queue_channel),
                                            .build = build,
                                            .teardown = ps_queue_channel_teardown,
                                            .channel = &ps_queue_channel_ops};

static enum ps_result sink_work(const void *p, void *state, struct ps_lease **lease, const struct ps_now *now)
{
    return PS_RETRY;
}

static const struct ps_sink_ops sink_ops = {.work = sink_work};
static const struct ps_stage_ops sink = {.kind = PS_KIND_SINK, .name = "sink", .sink = &sink_ops};

/* The client got an answer for the event that is on disk, and none for the others, which count as lost. */
static void test_an_agent_stops(void **state)
{
    const struct ps_test_small_stages stages = {.source = &ps_test_letter_source,
                                                .interceptor = &ps_test_letter_chain,
                                                .sink = &sink,
                                                .channel = &channel};
    struct ps_test_small_agent agent;
    for (unsigned later = 0; later < 2; later++) {
        plan = (struct plan){.sync_each = true, .call = SYNC, .nth = 2, .renews = FOR_GOOD};
        shelf_clear();
        ps_test_letters = (struct ps_test_letter_script){0};
        ps_test_small_agent_start(&agent, &stages, 1, NULL);
        queue = ((struct ps_queue_channel *)agent.plan->channels[0].spec->stage.plan)->queue;
        ps_queue_start(queue); /* as control does */
        ps_test_letter_feed(&agent, "ab");
        for (unsigned i = 0; ps_test_letters.accepted == 0; i++) {
            assert_true(i < PS_TEST_PATIENCE_MS);
            rest();
            ps_test_small_agent_run(&agent, PS_NS_PER_MS); /* retries a channel that is not open yet */
        }
        ps_test_letter_feed(&agent, "cde");
        if (later) {
            await_trouble("does not work");
            ps_test_letter_feed(&agent, "fg"); /* the channel no longer accepts them */
        }
        ps_test_small_agent_stop(&agent, false);
        assert_int_equal(ps_test_letters.accepted, 2);
        assert_int_equal(agent.lost.events, later ? 5 : 3);
        assert_int_equal(agent.lost.settled, 0);
        assert_int_equal(store.durable, 1);
        assert_null(store.complaint);
    }
}

/* ---- a disk that does not answer ---- */

static bool disk_hangs, disk_is_asked; /* atomic */

static enum ps_status hanging_sync(void *handle, struct ps_err *err)
{
    __atomic_store_n(&disk_is_asked, true, __ATOMIC_RELEASE);
    while (__atomic_load_n(&disk_hangs, __ATOMIC_ACQUIRE))
        rest();
    return shelf_sync(handle, err);
}

/* Control does not wait for it, and asks again. Then the lease is promised. */
static void test_halt_does_not_wait(void **state)
{
    begin((struct plan){0});
    struct ps_queue_settings settings = shelf_settings(&ops, PRODUCERS);
    ops.sync = hanging_sync;
    __atomic_store_n(&disk_hangs, true, __ATOMIC_RELEASE);
    queue = ps_queue_create(&settings);
    assert_true(ps_queue_halt(queue)); /* it has no thread yet */
    ps_queue_start(queue);
    struct ps_lease *lease = put(0, 1);
    while (!__atomic_load_n(&disk_is_asked, __ATOMIC_ACQUIRE))
        rest();
    for (unsigned i = 0; i < 10; i++)
        assert_false(ps_queue_halt(queue));
    assert_true(store.open);
    __atomic_store_n(&disk_hangs, false, __ATOMIC_RELEASE);
    for (unsigned i = 0; !ps_queue_halt(queue); i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    assert_false(store.open);
    assert_true(ps_queue_halt(queue));
    struct ps_lease *back = ps_queue_strip(queue);
    assert_ptr_equal(back, lease);
    assert_null(back->next);
    assert_int_equal(back->settled, back->count);
    assert_int_equal(store.durable, 1);
    ps_queue_destroy(queue);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_broke_before),
        cmocka_unit_test(test_it_breaks_at_the_stop),
        cmocka_unit_test(test_given_up_and_not_home),
        cmocka_unit_test(test_never_opened),
        cmocka_unit_test(test_the_last_list),
        cmocka_unit_test(test_an_agent_stops),
        cmocka_unit_test(test_full_ring),
        cmocka_unit_test(test_halt_does_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
