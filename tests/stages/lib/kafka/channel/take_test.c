/* The consumer side of the Kafka channel with librdkafka's mock cluster: a client that fails for good, no memory, and the
 * end in every phase. Real clock. */
#include "stages/lib/kafka/channel/take.h"

#include "core/flow/window.h"
#include "stages/lib/kafka/fetch/fetch_internal.h"
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/member.h"
#include "tests/support/kafka/settings.h"
#include "tests/support/stage.h"

#include <poll.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_kafka;

/* A last commit takes longer on a busy machine than in the product, which does not wait for it that long. */
#define LEAVE_NS (60 * PS_NS_PER_S)

static struct ps_test_stage stage; /* its clock, pool and port are used */
static struct ps_counters counters;
static struct ps_kafka_channel_take_plan plan;
static struct ps_kafka_channel_take *take;

static void start(const char *bootstrap, const char *topic)
{
    static const char *topics[1];
    static struct ps_pair pairs[4];
    ps_test_stage_init_sized(&stage, &ps_source_kafka, UINT64_C(8) << 20);
    stage.now = ps_clock_now(); /* that of `part`, also on a machine that has just started */
    topics[0] = topic;
    pairs[0] = (struct ps_pair){.key = "bootstrap.servers", .value = bootstrap};
    pairs[1] = (struct ps_pair){.key = "group.id", .value = topic};
    pairs[2] = (struct ps_pair){.key = "auto.offset.reset", .value = "earliest"};
    pairs[3] = (struct ps_pair){.key = "session.timeout.ms", .value = "6000"};
    plan = (struct ps_kafka_channel_take_plan){
        .component = "channel c1",
        .settings = ps_test_settings(pairs, PS_COUNT_OF(pairs)),
        .subscription = {1, topics},
        .record = {.key = ps_name_intern("key"), .group = topic, .batch_events_max = 100},
        .revoke_wait_ns = PS_NS_PER_S,
        .held_bytes_max = UINT64_C(1) << 20,
    };
    counters = (struct ps_counters){.values = {0}};
    take = aligned_alloc(_Alignof(struct ps_kafka_channel_take), sizeof *take);
    assert_non_null(take);
    ps_kafka_channel_take_init(take, &plan, 0, &counters);
}

static void part(uint64_t until_ns)
{
    while (!ps_kafka_channel_take_part(take, until_ns, ps_clock_now().mono_ns))
        poll(NULL, 0, 1);
}

static void stop(void)
{
    ps_kafka_channel_take_leave(take, &stage.port);
    part(ps_clock_now().mono_ns + LEAVE_NS);
    free(take);
    ps_test_stage_fini(&stage);
}

static struct ps_kafka_streams *streams(void)
{
    return ps_kafka_reading_streams(take->reading);
}

static void tick(void)
{
    ps_test_stage_real_clock(&stage);
    (void)ps_kafka_channel_take_tick(take, &stage.port, &stage.now);
    poll(NULL, 0, 1);
}

/* Waits for the lease with this one event. */
static struct ps_lease *await(const char *body)
{
    struct ps_lease *lease = NULL;
    for (unsigned i = 0; lease == NULL && i < PS_TEST_PATIENCE_MS; i++) {
        tick();
        lease = ps_kafka_channel_take_next(take, &stage.port, &stage.now);
    }
    assert_non_null(lease);
    assert_int_equal(lease->count, 1);
    struct ps_test_event event = ps_test_lease_event(&stage, lease, 0);
    assert_int_equal(event.length, strlen(body));
    assert_memory_equal(event.body, body, event.length);
    return lease;
}

static void await_committed(const char *topic, int64_t position)
{
    for (unsigned i = 0;
         i < PS_TEST_PATIENCE_MS &&
         (i % 50 != 0 || ps_test_kafka_committed(ps_test_cluster.bootstrap, topic, topic, 0) < position);
         i++)
        tick();
    assert_int_equal(ps_test_kafka_committed(ps_test_cluster.bootstrap, topic, topic, 0), position);
}

static void send_body(const char *topic, const char *body)
{
    ps_test_kafka_send_value(ps_test_cluster.bootstrap, topic, 0, body, strlen(body));
}

/* A new client takes over and reads the uncommitted records again. Releasing a batch of the old client does not move
 * the positions of the new one. */
static void test_fatal(void **state)
{
    ps_test_topic("fatal", 1);
    start(ps_test_cluster.bootstrap, "fatal");
    send_body("fatal", "a");
    struct ps_lease *first = await("a");
    ps_window_release(first);
    await_committed("fatal", 1);
    send_body("fatal", "b");
    struct ps_lease *old = await("b");
    ps_kafka_fetch_die(take->reading, "told");
    tick();
    assert_null(take->reading);
    assert_true(take->failing);
    assert_int_equal(ps_counter_read(&counters, PS_COUNTER_failures), 1);
    struct ps_lease *again = await("b");
    assert_false(take->failing);
    assert_ptr_not_equal(again, old);
    ps_window_release(old);
    for (unsigned i = 0; i < 500; i++)
        tick();
    assert_int_equal(ps_test_kafka_committed(ps_test_cluster.bootstrap, "fatal", "fatal", 0), 1);
    ps_window_release(again);
    await_committed("fatal", 2);
    stop();
}

/* Without memory for an answer, the records wait at the broker; nothing is lost. */
static void test_no_memory(void **state)
{
    ps_test_topic("memory", 1);
    start(ps_test_cluster.bootstrap, "memory");
    send_body("memory", "a");
    ps_window_release(await("a"));
    struct ps_block_cache *cache = ps_pool_cache(stage.pool);
    static struct ps_block *blocks[4096];
    size_t count = 0;
    while (count < PS_COUNT_OF(blocks) && (blocks[count] = ps_block_take(cache)) != NULL)
        count++;
    assert_true(count > 0 && count < PS_COUNT_OF(blocks));
    static char large[PS_BLOCK_BYTES / 3 * 2];
    memset(large, 'x', sizeof large);
    for (unsigned i = 0; i < 4; i++) /* more than is left of the bump allocator's block */
        ps_test_kafka_send_value(ps_test_cluster.bootstrap, "memory", 0, large, sizeof large);
    struct ps_lease *leases[8];
    size_t taken = 0, events = 0;
    for (unsigned i = 0; i < 1000; i++) {
        tick();
        assert_null(ps_kafka_channel_take_next(take, &stage.port, &stage.now));
    }
    while (count > 0)
        ps_block_drop(cache, blocks[--count]);
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && events < 4; i++) {
        tick();
        struct ps_lease *lease = ps_kafka_channel_take_next(take, &stage.port, &stage.now);
        if (lease != NULL) {
            events += lease->count;
            leases[taken++] = lease;
        }
    }
    assert_int_equal(events, 4);
    for (size_t i = 0; i < taken; i++)
        ps_window_release(leases[i]);
    stop();
    assert_int_equal(ps_test_kafka_committed(ps_test_cluster.bootstrap, "memory", "memory", 0), 5);
}

/* No broker has the topic, or the client cannot be made: the channel tries again, and can still be closed. */
static void test_ends(void **state)
{
    start(ps_test_cluster.bootstrap, "never");
    stop(); /* before the first tick */
    start("127.0.0.1:1", "never");
    for (unsigned i = 0; i < 300; i++)
        tick();
    assert_non_null(take->reading);
    assert_null(ps_kafka_channel_take_next(take, &stage.port, &stage.now));
    stop();
    start("127.0.0.1:1", "no name");
    tick();
    assert_true(take->failing);
    assert_null(take->reading);
    assert_true(ps_kafka_channel_take_tick(take, &stage.port, &stage.now) > stage.now.mono_ns + PS_NS_PER_S);
    stop();
}

/* There is no time to leave the group: the client ends at once. */
static void test_ends_without_time(void **state)
{
    ps_test_topic("hurry", 4);
    start(ps_test_cluster.bootstrap, "hurry");
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && (take->reading == NULL || streams()->count < 4); i++)
        tick();
    assert_int_equal(streams()->count, 4);
    ps_kafka_channel_take_leave(take, &stage.port);
    part(0);
    assert_null(take->reading);
    free(take);
    ps_test_stage_fini(&stage);
}

/* ---- dead letters of the sink that takes ---- */

/* A dead_letter_queue of the test's own. */
static struct {
    struct ps_dead_letter_queue queue;
    bool writes; /* each letter counts as written when it is put */
    uint64_t written;
    char bodies[32];
} letters;

static uint64_t queue_put(struct ps_dead_letter_queue *queue, const struct ps_dead_letter *letter)
{
    assert_string_equal(letter->component, stage.port.component);
    assert_string_equal(letter->reason.code, "malformed");
    assert_non_null(strstr(letter->reason.text, "partition 0, offset "));
    assert_int_equal(letter->length, 1);
    strncat(letters.bodies, letter->bytes, 1);
    queue->sent++;
    if (letters.writes)
        letters.written = queue->sent;
    return queue->sent;
}

static bool queue_has_room(const struct ps_dead_letter_queue *queue)
{
    return ps_dead_letter_queue_written(queue) == ps_dead_letter_queue_sent(queue); /* one letter at a time */
}

static uint64_t queue_written(const struct ps_dead_letter_queue *queue)
{
    return letters.written;
}

static const struct ps_dead_letter_queue_ops queue_ops = {
    .put = queue_put, .has_room = queue_has_room, .written = queue_written};

static void start_with_letters(const char *topic, bool writes)
{
    start(ps_test_cluster.bootstrap, topic);
    plan.record.flume_event_format = true;
    memset(&letters, 0, sizeof letters);
    letters.queue.ops = &queue_ops;
    letters.writes = writes;
    stage.port.dead_letter_queue = &letters.queue;
}

/* Takes until a lease comes, or the queue has `sent` letters. */
static struct ps_lease *take_until(uint64_t sent)
{
    struct ps_lease *lease = NULL;
    for (unsigned i = 0; lease == NULL && letters.queue.sent < sent && i < PS_TEST_PATIENCE_MS; i++) {
        tick();
        lease = ps_kafka_channel_take_next(take, &stage.port, &stage.now);
    }
    return lease;
}

static void send_bad_ones(const char *topic)
{
    ps_test_topic(topic, 1);
    ps_test_kafka_send_value(ps_test_cluster.bootstrap, topic, 0, "x", 1);
    ps_test_kafka_send_value(ps_test_cluster.bootstrap, topic, 0, "y", 1);
    ps_test_kafka_send_value(ps_test_cluster.bootstrap, topic, 0, "\x00\x02g", 3);
}

/* Records that are not events become dead letters, in order. Nothing is handed out before they are written;
 * letters that are withdrawn, because the sink gives back what it has, are put again. */
static void test_malformed_become_letters(void **state)
{
    send_bad_ones("letters");
    start_with_letters("letters", false);
    assert_null(take_until(1));
    for (unsigned i = 0; i < 50; i++) {
        tick();
        assert_null(ps_kafka_channel_take_next(take, &stage.port, &stage.now));
    }
    assert_string_equal(letters.bodies, "x");
    assert_true(ps_kafka_channel_take_tick(take, &stage.port, &stage.now) <=
                stage.now.mono_ns + 10 * PS_NS_PER_MS);

    letters.queue.sent = 0;
    letters.bodies[0] = '\0';
    tick();
    letters.writes = true;
    struct ps_lease *lease = take_until(UINT64_MAX);
    assert_non_null(lease);
    assert_string_equal(letters.bodies, "xy");
    assert_int_equal(lease->count, 1);
    assert_int_equal(ps_lease_event(lease, 0)->body[0], 'g');
    ps_lease_settle_all(lease);
    ps_test_stage_release_home(&stage, 0); /* batches that hold only letters */
    ps_window_release(lease);
    stop();
    assert_int_equal(ps_test_kafka_committed(ps_test_cluster.bootstrap, "letters", "letters", 0), 3);
}

/* Another sink takes over, with a dead_letter_queue of its own: it gets the letters. */
static void test_letters_of_another_sink(void **state)
{
    ps_test_topic("other", 1);
    ps_test_kafka_send_value(ps_test_cluster.bootstrap, "other", 0, "x", 1);
    start_with_letters("other", false);
    assert_null(take_until(1));
    ps_test_kafka_send_value(ps_test_cluster.bootstrap, "other", 0, "y", 1);
    ps_test_kafka_send_value(ps_test_cluster.bootstrap, "other", 0, "\x00\x02g", 3);
    static struct ps_test_stage other; /* leases are released to its port */
    other = stage;
    struct ps_lease *lease = NULL;
    letters.queue.sent = 0;
    letters.bodies[0] = '\0';
    letters.writes = true;
    for (unsigned i = 0; lease == NULL && i < PS_TEST_PATIENCE_MS; i++) {
        ps_test_stage_real_clock(&stage);
        (void)ps_kafka_channel_take_tick(take, &other.port, &stage.now);
        lease = ps_kafka_channel_take_next(take, &other.port, &stage.now);
        poll(NULL, 0, 1);
    }
    assert_non_null(lease);
    assert_string_equal(letters.bodies, "xy");
    ps_test_stage_release_home(&other, 0); /* the letters came in a batch of their own */
    ps_window_release(lease);
    stop();
}

/* The sink is closed while a letter waits: the record is read again, and becomes a letter again. */
static void test_left_while_letters_wait(void **state)
{
    send_bad_ones("left");
    for (unsigned life = 0; life < 2; life++) {
        start_with_letters("left", life == 1);
        struct ps_lease *lease = take_until(life == 0 ? 1 : UINT64_MAX);
        assert_string_equal(letters.bodies, life == 0 ? "x" : "xy");
        ps_test_stage_release_home(&stage, 0);
        if (lease != NULL)
            ps_window_release(lease);
        ps_kafka_channel_take_leave(take, &stage.port);
        ps_test_stage_release_home(&stage, 0);
        part(ps_clock_now().mono_ns + LEAVE_NS);
        free(take);
        ps_test_stage_fini(&stage);
        int64_t committed = ps_test_kafka_committed(ps_test_cluster.bootstrap, "left", "left", 0);
        assert_true(life == 0 ? committed <= 0 : committed == 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fatal),
                                       cmocka_unit_test(test_no_memory),
                                       cmocka_unit_test(test_ends),
                                       cmocka_unit_test(test_ends_without_time),
                                       cmocka_unit_test(test_malformed_become_letters),
                                       cmocka_unit_test(test_letters_of_another_sink),
                                       cmocka_unit_test(test_left_while_letters_wait)};
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
