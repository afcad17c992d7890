/* The durable queue over a store in memory. Each call of the store fails once, and once more after a success; a failed sync leaves none, some or
 * all of its frames durable. Every promised event is delivered once, in the order of its source; it comes again only after a stop that
 * could not record its delivery. Every other event is promised later, or comes back. At the end all accounts are zero. */
#include "stages/lib/queue/queue_internal.h"

#include "tests/stages/lib/queue/shelf.h"
#include "tests/support/stage.h"

#include <stdlib.h>
#include <time.h>

extern const struct ps_stage_ops ps_channel_file;

/* ---- the agent ---- */

#define PRODUCERS 2U
#define NUMBERS 200U
#define MANY 20U /* events of a lease of several frames */
#define LONG_BYTES 20000U

enum outcome { PENDING, PROMISED, REFUSED };

static struct ps_test_stage stage;
static struct ps_queue *queue;
static struct ps_store_ops ops;
static unsigned put_count[PRODUCERS]; /* events put so far, which are numbered from 0 */
static enum outcome outcomes[PRODUCERS][NUMBERS];
static unsigned delivered[PRODUCERS][NUMBERS];
static unsigned newest[PRODUCERS]; /* one more than the number delivered last */
static size_t homes;               /* leases of stage.home that were looked at */
static bool may_repeat;            /* a stop could not record what was delivered */

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

static void start_queue(struct ps_lease *restored)
{
    const struct ps_queue_settings settings = shelf_settings(&ops, PRODUCERS);
    queue = ps_queue_create(&settings);
    ps_queue_restore(queue, restored);
    ps_queue_start(queue);
}

static void read_number(struct ps_test_event event, unsigned *producer, unsigned *number)
{
    assert_int_equal(sscanf(event.body, "%u.%u ", producer, number), 2);
    assert_true(*producer < PRODUCERS && *number < NUMBERS);
}

/* Notes this outcome for the events of a source's lease. */
static void settle(struct ps_lease *lease, enum outcome outcome)
{
    for (uint32_t i = 0; i < lease->count; i++) {
        unsigned producer, number;
        read_number(ps_test_lease_event(&stage, lease, i), &producer, &number);
        assert_int_equal(outcomes[producer][number], PENDING);
        outcomes[producer][number] = outcome;
    }
}

static struct ps_lease *made(unsigned producer, unsigned count)
{
    static char bodies[MANY][LONG_BYTES + 1];
    struct ps_test_event events[MANY];
    for (unsigned i = 0; i < count; i++) {
        int length = snprintf(bodies[i], sizeof bodies[i], "%u.%-*u", producer,
                              count > 1 ? (int)LONG_BYTES - 2 : 4, put_count[producer]);
        assert_true(put_count[producer] < NUMBERS);
        outcomes[producer][put_count[producer]++] = PENDING;
        events[i] = (struct ps_test_event){.body = bodies[i], .length = (uint32_t)length};
    }
    return ps_test_lease(&stage, events, count);
}

/* Notes the outcome of each of the sources' leases that was released. */
static void look_home(void)
{
    for (unsigned producer = 0; producer < PRODUCERS; producer++)
        ps_queue_tick(queue, producer, &stage.port);
    for (; homes < stage.home_count; homes++)
        settle(stage.home[homes], stage.home[homes]->failed ? REFUSED : PROMISED);
}

static void put(unsigned producer, unsigned count)
{
    struct ps_lease *lease = made(producer, count);
    lease->refusable = producer == 1;
    for (unsigned i = 0; ps_queue_put(queue, producer, &lease) != PS_PUT_OK; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        look_home();
        rest();
    }
}

static unsigned count_of(enum outcome outcome)
{
    unsigned count = 0;
    for (unsigned producer = 0; producer < PRODUCERS; producer++) {
        for (unsigned number = 0; number < put_count[producer]; number++)
            count += outcomes[producer][number] == outcome;
    }
    return count;
}

static void await_promises(void)
{
    for (unsigned i = 0; count_of(PENDING) > 0; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        look_home();
        rest();
    }
}

/* Takes a frame. Returns NULL if there is none at the moment. */
static struct ps_lease *take(void)
{
    stage.now = ps_clock_now();
    return ps_queue_take(queue, 0, &stage.port, &stage.now);
}

/* Waits until the durable queue reports a problem. Its opening is not a problem. */
static void await_trouble(char text[512], bool takes)
{
    for (unsigned i = 0; !ps_queue_trouble(queue, text, 512) || strstr(text, "being opened"); i++) {
        assert_true(i < PS_TEST_PATIENCE_MS && (!takes || take() == NULL));
        (void)ps_park_wake(&queue->park);
        rest();
    }
}

static void deliver(struct ps_lease *lease)
{
    for (uint32_t i = 0; i < lease->count; i++) {
        unsigned producer, number;
        read_number(ps_test_lease_event(&stage, lease, i), &producer, &number);
        assert_true(may_repeat || number >= newest[producer]);
        newest[producer] = number + 1;
        delivered[producer][number]++;
    }
    look_home();
    ps_queue_done(queue, 0, &lease, &stage.port);
    ps_test_stage_release_home(&stage, homes);
    assert_int_equal(stage.home_count, homes);
}

static bool is_delivered(void)
{
    for (unsigned producer = 0; producer < PRODUCERS; producer++) {
        for (unsigned number = 0; number < put_count[producer]; number++) {
            if (delivered[producer][number] == 0)
                return false;
        }
    }
    return true;
}

/* The agent stops, or reloads. Returns what the channel gives back. */
static struct ps_lease *stop_queue(void)
{
    struct ps_lease *back = NULL, **end = &back;
    struct ps_fill fill;
    struct ps_segment_fill kept;
    look_home();
    ps_queue_leave(queue, 0, &stage.port);
    ps_test_stage_release_home(&stage, homes);
    for (struct ps_lease *lease = ps_queue_strip(queue), *next; lease != NULL; lease = next) {
        next = lease->next;
        lease->next = NULL;
        if (lease->failed || lease->settled == lease->count) {
            settle(lease, lease->failed ? REFUSED : PROMISED);
            continue;
        }
        assert_int_equal(lease->settled, 0);
        *end = lease;
        end = &lease->next;
    }
    may_repeat |= queue->broken;
    ps_queue_fill(queue, &fill);
    if (!queue->broken) {
        shelf_fill(&store, &kept);
        assert_int_equal(fill.size, kept.events);
        assert_int_equal(fill.bytes, kept.bytes);
        assert_int_equal(queue->due.retry_wait_ns, 0); /* the next failure starts with the shortest wait */
        assert_null(back);
    }
    assert_false(store.open);
    ps_queue_destroy(queue);
    return back;
}

static void forget(void)
{
    shelf_clear();
    memset(outcomes, 0, sizeof outcomes);
    memset(delivered, 0, sizeof delivered);
    memset(newest, 0, sizeof newest);
    memset(put_count, 0, sizeof put_count);
    homes = 0;
    may_repeat = false;
}

/* Runs with a backlog, events under way at a reload, later events, and another reload. */
static void run(void)
{
    unsigned frames = 0;
    struct ps_lease *lease;
    forget();
    ps_test_stage_init_sized(&stage, &ps_channel_file, UINT64_C(64) << 20);
    start_queue(NULL);
    put(0, 1);
    put(1, 1);
    put(0, MANY);
    put(1, 1);
    await_promises();
    while (frames < 4) {
        if ((lease = take()) == NULL)
            rest();
        frames += lease != NULL;
        if (lease != NULL)
            deliver(lease);
    }
    put(1, 1);
    put(0, MANY);
    start_queue(stop_queue());
    put(0, 1);
    put(1, 1);
    for (unsigned i = 0; !is_delivered(); i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        if ((lease = take()) != NULL)
            deliver(lease);
        else
            rest();
        look_home();
    }
    await_promises();
    start_queue(stop_queue());
    for (unsigned i = 0; !ps_queue_is_clear(queue); i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        if ((lease = take()) != NULL) {
            assert_true(may_repeat);
            deliver(lease);
        } else
            rest();
    }
    struct ps_fill fill;
    ps_queue_fill(queue, &fill);
    assert_int_equal(fill.size, 0);
    assert_int_equal(fill.bytes, 0);
    assert_null(stop_queue());
    for (unsigned producer = 0; producer < PRODUCERS; producer++) {
        for (unsigned number = 0; number < put_count[producer]; number++) {
            assert_int_equal(outcomes[producer][number], PROMISED);
            assert_true(delivered[producer][number] == 1 || may_repeat);
        }
    }
    if (store.complaint != NULL)
        fail_msg("%s", store.complaint);
    ps_test_stage_fini(&stage);
}

static void each_call_fails(bool reads_ahead, bool sync_each)
{
    unsigned calls[CALLS];
    plan = (struct plan){.reads_ahead = reads_ahead, .sync_each = sync_each};
    run();
    memcpy(calls, store.calls, sizeof calls);
    static const enum ps_store_fed feds[] = {PS_STORE_FAILED, PS_STORE_UNREADABLE, PS_STORE_NO_MEMORY};
    for (enum call call = 0; call < RENEW; call++) {
        unsigned all = calls[call] < 8 ? calls[call] : 8;
        for (unsigned nth = 1; nth <= all; nth++) {
            for (unsigned again = nth % 2; again < 3; again += 2) {
                plan = (struct plan){.call = call,
                                     .nth = nth,
                                     .again = again,
                                     .renews = again == 1 ? 3 : 0,
                                     .durable = (nth + again) % 3,
                                     .fed = feds[nth % 3],
                                     .reads_ahead = reads_ahead,
                                     .sync_each = sync_each};
                run();
            }
        }
    }
}

static void test_a_log(void **state)
{
    each_call_fails(false, true);
}

static void test_a_database(void **state)
{
    each_call_fails(true, true);
}

static void test_synced_later(void **state)
{
    each_call_fails(false, false);
}

static void begin(void)
{
    plan = (struct plan){.sync_each = true};
    forget();
    ps_test_stage_init_sized(&stage, &ps_channel_file, UINT64_C(64) << 20);
}

static void expect_fill(uint64_t events)
{
    struct ps_fill fill = {.size = UINT64_MAX};
    for (unsigned i = 0; fill.size != events; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        ps_queue_fill(queue, &fill);
        rest();
    }
}

static void deliver_next(void)
{
    struct ps_lease *lease;
    for (unsigned i = 0; (lease = take()) == NULL; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    deliver(lease);
}

/* The number of events in lost frames is not known until everything else was taken: the account contains them until then,
 * and is 0 afterwards. The same happens a second time. */
static void test_events_that_are_missed(void **state)
{
    begin();
    start_queue(NULL);
    for (unsigned round = 1; round < 3; round++) {
        for (unsigned i = 0; i < 4; i++)
            put(0, 1);
        await_promises();
        assert_null(stop_queue());
        store.missed = 7 * round;
        store.missed_after = 4;
        start_queue(NULL);
        expect_fill(4 + 7 * round);
        for (unsigned i = 3; i > 0; i--) {
            deliver_next();
            expect_fill(i + 7 * round);
        }
        deliver_next();
        expect_fill(0);
        for (unsigned i = 0; !ps_queue_is_clear(queue); i++) {
            assert_true(i < PS_TEST_PATIENCE_MS);
            rest();
        }
    }
    assert_null(stop_queue());
    assert_null(store.complaint);
    ps_test_stage_fini(&stage);
}

/* A store that cannot be opened is tried again only when that is due, however often the thread is woken. */
static void test_an_open_that_fails_waits(void **state)
{
    begin();
    plan.nth = 1;
    plan.retry_ns = 600 * PS_NS_PER_S;
    start_queue(NULL);
    char text[512];
    await_trouble(text, false);
    assert_string_equal(text, "cannot be opened; trying again every 10 min");
    assert_null(take());
    for (unsigned i = 0; i < 20; i++) {
        (void)ps_park_wake(&queue->park);
        rest();
    }
    ps_queue_leave(queue, 0, &stage.port);
    assert_null(ps_queue_strip(queue));
    ps_queue_destroy(queue);
    assert_int_equal(store.calls[OPEN], 1);
    ps_test_stage_fini(&stage);
}

/* While the next frame cannot be read the thread sleeps until it is read again. */
static void test_an_unreadable_store_lets_the_thread_sleep(void **state)
{
    begin();
    plan.call = FEED;
    plan.nth = 1;
    plan.fed = PS_STORE_UNREADABLE;
    plan.retry_ns = 600 * PS_NS_PER_S;
    start_queue(NULL);
    char text[512];
    await_trouble(text, false);
    assert_string_equal(text, "cannot be read; trying again every 10 min");
    unsigned turns = __atomic_load_n(&store.turns, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < 1000; i++)
        rest();
    assert_true(__atomic_load_n(&store.turns, __ATOMIC_RELAXED) - turns < 3);
    assert_null(stop_queue());
    ps_test_stage_fini(&stage);
}

/* A store that fails for good: refusable events are given up, and no longer counted. */
static void test_refused_events_are_not_counted(void **state)
{
    begin();
    plan.keep_alive_ms = 1;
    start_queue(NULL);
    for (unsigned round = 1; round < 3; round++) {
        put(0, 1);
        await_promises();
        expect_fill(1);
        assert_null(stop_queue());
        store.missed = 5;
        store.missed_after = 1;
        memset(store.calls, 0, sizeof store.calls);
        plan.call = SYNC;
        plan.nth = 1;
        plan.again = 0;
        plan.renews = 20;
        start_queue(NULL);
        expect_fill(6);
        put(1, 1);
        await_promises();
        assert_int_equal(count_of(REFUSED), round);
        expect_fill(6);
        deliver_next();
        expect_fill(0);
        plan.nth = plan.renews = 0;
        put(0, 1);
        await_promises();
        deliver_next();
        expect_fill(0);
    }
    (void)stop_queue();
    assert_null(store.complaint);
    ps_test_stage_fini(&stage);
}

/* A lost connection: the read or write that failed is repeated, and each failure is followed by another one. The store
 * is renewed in time all the same. */
static void test_a_connection_that_is_lost(void **state)
{
    static const enum call calls[] = {SYNC, FEED};
    for (size_t i = 0; i < PS_COUNT_OF(calls); i++) {
        begin();
        plan.call = calls[i];
        plan.nth = 2;
        plan.fed = PS_STORE_FAILED;
        plan.feeds_nothing = true;
        plan.retry_ns = 300 * PS_NS_PER_MS; /* more than the time between two looks at leases that wait */
        plan.renews = 1;
        start_queue(NULL);
        for (unsigned event = 0; event < 3; event++) {
            put(0, 1);
            await_promises();
            deliver_next();
        }
        assert_true(store.calls[RENEW] >= 2);
        assert_null(stop_queue());
        assert_null(store.complaint);
        ps_test_stage_fini(&stage);
    }
}

/* A commit fails although it was carried out, and only a renew that fails as well shows this, after the keep-alive: the event is promised, not
 * refused and sent again. Then each renew succeeds and each commit fails, as with a full disk: the event is refused. */
static void test_a_commit_that_fails(void **state)
{
    for (unsigned full = 0; full < 2; full++) {
        begin();
        plan.keep_alive_ms = 1;
        plan.call = SYNC;
        plan.nth = 1;
        plan.for_good = full;
        plan.durable = full ? 0 : FRAMES_MAX;
        plan.renews = full ? 0 : 4;
        plan.renews_in_part = !full;
        plan.retry_ns = full ? 0 : 400 * PS_NS_PER_MS; /* the thread looks at leases that wait before that */
        start_queue(NULL);
        put(1, 1);
        await_promises();
        assert_int_equal(outcomes[1][0], full ? REFUSED : PROMISED);
        if (!full)
            deliver_next();
        assert_null(stop_queue());
        assert_null(store.complaint);
        ps_test_stage_fini(&stage);
    }
}

/* Too little room: puts are refused, with the reason, until there is more; the backlog is delivered meanwhile. Tested twice in a row. */
static void test_a_crowded_store(void **state)
{
    begin();
    start_queue(NULL);
    for (unsigned round = 0; round < 2; round++) {
        char text[512] = "";
        put(0, 1);
        await_promises();
        __atomic_store_n(&store.crowded, true, __ATOMIC_RELAXED);
        await_trouble(text, false);
        assert_string_equal(text, "the shelf is full");
        struct ps_lease *lease = made(0, 1);
        assert_int_equal(ps_queue_put(queue, 0, &lease), PS_PUT_FULL);
        deliver_next();
        __atomic_store_n(&store.crowded, false, __ATOMIC_RELAXED);
        for (unsigned i = 0; ps_queue_put(queue, 0, &lease) != PS_PUT_OK; i++) {
            assert_true(i < PS_TEST_PATIENCE_MS);
            rest();
        }
        await_promises();
        assert_false(ps_queue_trouble(queue, text, sizeof text));
        deliver_next();
    }
    assert_null(stop_queue());
    assert_null(store.complaint);
    ps_test_stage_fini(&stage);
}

/* The memory budget is smaller than when an event was put: the event stays, the reason is reported, and the event comes
 * when there is memory. */
static void event_beyond_the_memory(bool reads_ahead)
{
    enum { LONG = 12 << 20 };
    begin();
    plan.reads_ahead = reads_ahead;
    start_queue(NULL);
    char *body = malloc(LONG + 1);
    memset(body, ' ', LONG);
    body[LONG] = '\0';
    memcpy(body, "0.0", 3);
    put_count[0] = 1;
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY(body));
    free(body);
    for (unsigned i = 0; ps_queue_put(queue, 0, &lease) != PS_PUT_OK; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    await_promises();
    for (unsigned round = 0; round < 2; round++) {
        char text[512];
        assert_null(stop_queue());
        ps_test_stage_fini(&stage);
        ps_test_stage_init_sized(&stage, &ps_channel_file, UINT64_C(8) << 20);
        homes = 0;
        start_queue(NULL);
        await_trouble(text, true);
        assert_non_null(strstr(
            text,
            "raise penstock.memory.budget, which is 8 MiB, to at least 16 times the size of the event"));
        expect_fill(1);
    }
    assert_null(stop_queue());
    ps_test_stage_fini(&stage);
    ps_test_stage_init_sized(&stage, &ps_channel_file, UINT64_C(256) << 20);
    homes = 0;
    start_queue(NULL);
    deliver_next();
    expect_fill(0);
    assert_null(stop_queue());
    assert_null(store.complaint);
    ps_test_stage_fini(&stage);
}

static void test_an_event_beyond_the_memory_of_a_log(void **state)
{
    event_beyond_the_memory(false);
}

static void test_an_event_beyond_the_memory_of_a_database(void **state)
{
    event_beyond_the_memory(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_log),
        cmocka_unit_test(test_a_database),
        cmocka_unit_test(test_synced_later),
        cmocka_unit_test(test_events_that_are_missed),
        cmocka_unit_test(test_an_open_that_fails_waits),
        cmocka_unit_test(test_refused_events_are_not_counted),
        cmocka_unit_test(test_a_connection_that_is_lost),
        cmocka_unit_test(test_a_commit_that_fails),
        cmocka_unit_test(test_a_crowded_store),
        cmocka_unit_test(test_an_event_beyond_the_memory_of_a_log),
        cmocka_unit_test(test_an_event_beyond_the_memory_of_a_database),
        cmocka_unit_test(test_an_unreadable_store_lets_the_thread_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
