/* The durable queue feeds its consumers: the read-ahead is a number of bytes, exact at its boundary; a consumer that
 * keeps what it took, or hangs, leaves all the rest to the others; each frame is delivered once. */
#include "stages/lib/queue/queue_internal.h"

#include "tests/stages/lib/queue/shelf.h"
#include "tests/support/stage.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

extern const struct ps_stage_ops ps_channel_file;

#define CONSUMERS 2U
#define PAGE PS_QUEUE_FRAME_COST_MIN_BYTES
enum { FAST, HUNG };

static struct ps_test_stage stage;
static struct ps_queue *queue;
static struct ps_store_ops ops;
static unsigned put_count, delivered[FRAMES_MAX];
static size_t homes; /* leases of the source that were released */

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

static void start_queue(uint64_t read_ahead_bytes)
{
    struct ps_queue_settings settings = shelf_settings(&ops, 1);
    settings.consumers = CONSUMERS;
    settings.quota_bytes = read_ahead_bytes * PS_QUEUE_READ_AHEAD_PART;
    queue = ps_queue_create(&settings);
    ps_queue_start(queue);
}

static void begin(bool reads_ahead, uint64_t read_ahead_bytes)
{
    plan = (struct plan){.sync_each = true, .reads_ahead = reads_ahead};
    shelf_clear();
    memset(delivered, 0, sizeof delivered);
    put_count = 0;
    homes = 0;
    ps_test_stage_init_sized(&stage, &ps_channel_file, UINT64_C(64) << 20);
    start_queue(read_ahead_bytes);
}

/* Puts an event whose body has this length, and waits for its promise. */
static void put(size_t length)
{
    char *body = malloc(length + 16);
    memset(body, ' ', length + 15);
    body[snprintf(body, length + 16, "%u", put_count++)] = ' ';
    struct ps_test_event event = {.body = body, .length = (uint32_t)length};
    struct ps_lease *lease = ps_test_lease(&stage, &event, 1);
    free(body);
    for (unsigned i = 0; ps_queue_put(queue, 0, &lease) != PS_PUT_OK; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    for (unsigned i = 0; stage.home_count == homes; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        ps_queue_tick(queue, 0, &stage.port);
        rest();
    }
    assert_false(stage.home[homes++]->failed);
}

static void put_small(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        put(8);
}

static struct ps_lease *try_take(unsigned consumer)
{
    stage.now = ps_clock_now();
    return ps_queue_take(queue, consumer, &stage.port, &stage.now);
}

static struct ps_lease *take(unsigned consumer)
{
    struct ps_lease *lease;
    for (unsigned i = 0; (lease = try_take(consumer)) == NULL; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    return lease;
}

static unsigned number_of(const struct ps_lease *lease)
{
    unsigned number;
    struct ps_test_event event = ps_test_lease_event(&stage, lease, 0);
    assert_int_equal(lease->count, 1);
    assert_int_equal(sscanf(event.body, "%u", &number), 1);
    assert_true(number < put_count);
    return number;
}

static void deliver(unsigned consumer, struct ps_lease *lease)
{
    delivered[number_of(lease)]++;
    ps_queue_done(queue, consumer, &lease, &stage.port);
    ps_test_stage_release_home(&stage, homes);
}

static void assert_delivered_once(void)
{
    for (unsigned i = 0; i < put_count; i++)
        assert_int_equal(delivered[i], 1);
}

/* Waits until the thread sleeps with these bytes in the ring. */
static void await_waiting(uint64_t bytes)
{
    for (unsigned i = 0; !ps_park_is_parked(&queue->park) || ps_credit_waiting(&queue->credit) != bytes;
         i++) {
        if (i == PS_TEST_PATIENCE_MS)
            fail_msg("%llu bytes wait, not %llu", (unsigned long long)ps_credit_waiting(&queue->credit),
                     (unsigned long long)bytes);
        rest();
    }
}

/* Waits until the thread sleeps with more than half of the read-ahead in the ring: at half of it a take wakes the thread. */
static void await_refilled(uint64_t read_ahead_bytes)
{
    for (unsigned i = 0;
         !ps_park_is_parked(&queue->park) || ps_credit_waiting(&queue->credit) <= read_ahead_bytes / 2; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    assert_true(ps_credit_waiting(&queue->credit) <= read_ahead_bytes);
}

static void end(void)
{
    for (unsigned i = 0; i < CONSUMERS; i++)
        ps_queue_leave(queue, i, &stage.port);
    ps_test_stage_release_home(&stage, homes);
    assert_null(ps_queue_strip(queue));
    ps_queue_destroy(queue);
    if (store.complaint != NULL)
        fail_msg("%s", store.complaint);
    ps_test_stage_fini(&stage);
}

/* ---- the bound ---- */

/* A frame is read while fewer bytes wait than the read-ahead has. For a database, the consumers say in which memory it is read. */
static void bound(bool reads_ahead)
{
    static const struct {
        uint64_t limit;
        unsigned frames;
    } cases[] = {{8 * PAGE - 1, 8}, {8 * PAGE, 8}, {8 * PAGE + 1, 9}, {1, 1}, {0, 1}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        begin(reads_ahead, 8 * PAGE);
        ps_queue_set_quota(queue, cases[i].limit * PS_QUEUE_READ_AHEAD_PART + 1);
        assert_null(try_take(FAST));
        put_small(20);
        await_waiting(cases[i].frames * PAGE);
        assert_int_equal(ps_spmc_count(queue->feed), cases[i].frames);
        for (unsigned k = 0; k < 20; k++) {
            deliver(FAST, take(FAST));
            assert_true(ps_credit_waiting(&queue->credit) <= cases[i].frames * PAGE);
        }
        await_waiting(0);
        assert_delivered_once();
        end();
    }
}

static void test_the_bound_is_exact(void **state)
{
    bound(false);
    bound(true);
}

/* A frame that is longer than the read-ahead is read when no frame waits, or after short ones that leave room; no
 * further frame is read then. */
static void test_frames_longer_than_the_read_ahead(void **state)
{
    enum { LONG = 1 << 20 };
    for (unsigned round = 0; round < 2; round++) {
        begin(round == 1, 4 * PAGE);
        assert_null(try_take(FAST));
        put_small(2);
        for (unsigned i = 0; i < 4; i++)
            put(LONG);
        await_waiting(2 * PAGE + LONG + PAGE);
        deliver(FAST, take(FAST));
        deliver(FAST, take(FAST));
        for (unsigned i = 0; i < 4; i++) {
            await_waiting(LONG + PAGE);
            deliver(FAST, take(FAST));
        }
        await_waiting(0);
        assert_delivered_once();
        end();
    }
}

/* A reload changes the channel's share while frames wait. */
static void test_another_share(void **state)
{
    begin(false, 16 * PAGE);
    put_small(60);
    await_waiting(16 * PAGE);
    ps_queue_set_quota(queue, 4 * PAGE * PS_QUEUE_READ_AHEAD_PART);
    for (unsigned i = 0; i < 16; i++)
        deliver(FAST, take(FAST));
    await_refilled(4 * PAGE);
    ps_queue_set_quota(queue, 10 * PAGE * PS_QUEUE_READ_AHEAD_PART);
    for (unsigned i = 0; i < 4; i++)
        deliver(FAST, take(FAST));
    await_refilled(10 * PAGE);
    while (ps_queue_undelivered(queue) > 0) {
        struct ps_lease *lease = try_take(FAST);
        if (lease != NULL)
            deliver(FAST, lease);
    }
    assert_delivered_once();
    end();
}

/* ---- a consumer that hangs ---- */

#define BACKLOG 120U
#define HELD 12U /* more than is read ahead */

/* The first consumer holds frames that it does not deliver, and gave one back. The second takes this one and the whole
 * backlog, and only its takes wake the thread; then the first one goes on. */
static void hung(bool reads_ahead)
{
    struct ps_lease *held[HELD];
    begin(reads_ahead, 4 * PAGE);
    assert_null(try_take(HUNG));
    put_small(BACKLOG);
    for (unsigned i = 0; i < HELD; i++)
        held[i] = take(HUNG);
    ps_queue_untake(queue, HUNG, &held[HELD - 1]);
    for (unsigned i = 0; i < BACKLOG - HELD + 1; i++)
        deliver(FAST, take(FAST));
    await_waiting(0);
    assert_null(try_take(FAST));
    for (unsigned i = 0; i < HELD - 1; i++)
        deliver(HUNG, held[i]);
    assert_delivered_once();
    put_small(10); /* after the long hold it takes frames like the other */
    for (unsigned i = 0; i < 10; i++)
        deliver(i % CONSUMERS, take(i % CONSUMERS));
    assert_delivered_once();
    end();
}

static void test_one_hangs_over_a_log(void **state)
{
    hung(false);
}

static void test_one_hangs_over_a_database(void **state)
{
    hung(true);
}

/* A consumer that hangs keeps its frame in the store's memory, because it had no memory for a batch. The share of the
 * other is not reduced. */
static void test_one_is_stuck_with_its_frame(void **state)
{
    begin(true, 2 * PAGE);
    assert_null(try_take(HUNG));
    put_small(BACKLOG);
    for (unsigned i = 0; !ps_queue_claim(queue, HUNG, &stage.port); i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    for (unsigned i = 0; i < BACKLOG - 1; i++)
        deliver(FAST, take(FAST));
    await_waiting(0);
    deliver(HUNG, take(HUNG));
    assert_delivered_once();
    end();
}

/* A consumer that hangs uses most of the memory: a frame is read whenever none waits. A take wakes the thread for it, not
 * a timer. */
static void test_a_take_feeds_in_little_memory(void **state)
{
    enum { BLOCKS = 4096 };
    static struct ps_block *used[BLOCKS];
    unsigned count = 0;
    begin(true, 8 * PAGE);
    assert_null(try_take(FAST));
    put_small(BACKLOG);
    await_waiting(8 * PAGE);
    struct ps_block_cache *cache = stage.port.blocks;
    while (ps_depot_used_bytes(cache->depot) < ps_depot_budget_bytes(cache->depot) / 8 * 7) {
        assert_true(count < BLOCKS);
        used[count] = ps_block_take(cache);
        assert_non_null(used[count++]);
    }
    for (unsigned i = 0; i < 8; i++) /* these were read ahead before */
        deliver(FAST, take(FAST));
    for (unsigned i = 8; i < BACKLOG - 1; i++) {
        await_waiting(PAGE);
        struct ps_lease *lease = try_take(FAST);
        /* The order matters: the thread is awake, or has fed the next frame before it went to sleep again. */
        bool sleeps = ps_park_is_parked(&queue->park);
        assert_true(!sleeps || ps_credit_waiting(&queue->credit) > 0);
        deliver(FAST, lease);
    }
    deliver(FAST, take(FAST));
    while (count > 0)
        ps_block_drop(cache, used[--count]);
    assert_delivered_once();
    put_small(20);
    await_waiting(8 * PAGE); /* there is memory again */
    for (unsigned i = 0; i < 20; i++)
        deliver(FAST, take(FAST));
    assert_delivered_once();
    end();
}

/* ---- recall and reload ---- */

/* A recall gives back everything; the same consumer takes it again, in order, and its credit is not returned twice. */
static void test_recall(void **state)
{
    struct ps_lease *held[HELD];
    begin(false, 4 * PAGE);
    put_small(BACKLOG);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < HELD; i++) {
            held[i] = take(HUNG);
            assert_int_equal(number_of(held[i]), i);
        }
        await_refilled(4 * PAGE);
        for (unsigned i = HELD; i > 0; i--)
            ps_queue_untake(queue, HUNG, &held[i - 1]);
    }
    await_refilled(4 * PAGE);
    for (unsigned i = HELD; i < BACKLOG; i++)
        deliver(FAST, take(FAST));
    for (unsigned i = 0; i < HELD; i++)
        deliver(HUNG, take(HUNG));
    await_waiting(0);
    assert_delivered_once();
    end();
}

/* A reload with another channel: leases that a consumer held, and frames that were read ahead, are fed again to the next
 * one. */
static void reload(bool reads_ahead)
{
    struct ps_lease *held[HELD];
    begin(reads_ahead, 4 * PAGE);
    assert_null(try_take(HUNG));
    put_small(BACKLOG);
    deliver(HUNG, take(HUNG));
    for (unsigned i = 0; i < HELD; i++)
        held[i] = take(HUNG);
    for (unsigned i = HELD; i > 0; i--)
        ps_queue_untake(queue, HUNG, &held[i - 1]);
    await_refilled(4 * PAGE);
    for (unsigned i = 0; i < CONSUMERS; i++)
        ps_queue_leave(queue, i, &stage.port);
    ps_test_stage_release_home(&stage, homes);
    assert_null(ps_queue_strip(queue));
    ps_queue_destroy(queue);
    start_queue(2 * PAGE);
    for (unsigned i = 1; i < BACKLOG; i++)
        deliver(FAST, take(FAST));
    await_waiting(0);
    assert_delivered_once();
    end();
}

static void test_reload(void **state)
{
    reload(false);
    reload(true);
}

/* ---- threads ---- */

static unsigned taken_aside, wanted_aside; /* taken_aside is atomic */

/* A consumer with a worker of its own that only takes: after a missed wake-up it would wait for ever. */
static void *take_aside(void *argument)
{
    struct ps_test_stage *mine = argument;
    while (__atomic_load_n(&taken_aside, __ATOMIC_SEQ_CST) < wanted_aside) {
        struct ps_now now = ps_clock_now();
        struct ps_lease *lease = ps_queue_take(queue, FAST, &mine->port, &now);
        if (lease == NULL) {
            rest();
            continue;
        }
        ps_queue_done(queue, FAST, &lease, &mine->port);
        ps_test_stage_release_home(mine, 0);
        __atomic_fetch_add(&taken_aside, 1, __ATOMIC_SEQ_CST);
    }
    ps_queue_leave(queue, FAST, &mine->port);
    return NULL;
}

/* A worker that hangs with frames beside one that runs, over a backlog and what is put meanwhile; a reload changes the share. */
static void test_two_workers(void **state)
{
    struct ps_test_stage other;
    struct ps_lease *held[HELD];
    pthread_t thread;
    begin(false, 4 * PAGE);
    put_small(BACKLOG / 2);
    for (unsigned i = 0; i < HELD; i++)
        held[i] = take(HUNG);
    ps_test_stage_init_sized(&other, &ps_channel_file, UINT64_C(64) << 20);
    taken_aside = 0;
    wanted_aside = BACKLOG - HELD;
    assert_int_equal(pthread_create(&thread, NULL, take_aside, &other), 0);
    for (unsigned i = 0; i < BACKLOG / 2; i++) {
        put(8);
        ps_queue_set_quota(queue, (1 + i % 8) * PAGE * PS_QUEUE_READ_AHEAD_PART);
    }
    for (unsigned i = 0; __atomic_load_n(&taken_aside, __ATOMIC_SEQ_CST) < wanted_aside; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (unsigned i = 0; i < HELD; i++)
        deliver(HUNG, held[i]);
    for (unsigned i = 0; !ps_queue_is_clear(queue); i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    ps_test_stage_fini(&other);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_bound_is_exact),
        cmocka_unit_test(test_frames_longer_than_the_read_ahead),
        cmocka_unit_test(test_another_share),
        cmocka_unit_test(test_one_hangs_over_a_log),
        cmocka_unit_test(test_one_hangs_over_a_database),
        cmocka_unit_test(test_one_is_stuck_with_its_frame),
        cmocka_unit_test(test_a_take_feeds_in_little_memory),
        cmocka_unit_test(test_recall),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_two_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
