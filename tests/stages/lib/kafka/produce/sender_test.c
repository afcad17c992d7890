/* The sender with an engine of the test's own behind stages/lib/kafka/produce/seam.h: a queue that has no room. */
#include "stages/lib/kafka/produce/sender.h"
#include "tests/support/stage.h"

#include <stdio.h>

#define QUEUE_MAX 64U
#define RECORD_BYTES_MAX 100000U

/* The engine: a queue of `room` bytes, whose records are all delivered by the next poll, or one by one. */
static struct {
    uint64_t room, used;
    void *tokens[QUEUE_MAX];
    char bodies[QUEUE_MAX];
    uint32_t lengths[QUEUE_MAX];
    uint32_t count;
    bool answers, hurries, one_by_one;
    char delivered[256]; /* first letters of the bodies */
} fake;

static struct ps_kafka_producer *fake_create(const struct ps_kafka_producer_config *config,
                                             struct ps_err *err)
{
    return (struct ps_kafka_producer *)&fake;
}

static void fake_destroy(struct ps_kafka_producer *producer)
{
}

static struct ps_kafka_topic *fake_topic(struct ps_kafka_producer *producer, const char *name,
                                         uint32_t length)
{
    return (struct ps_kafka_topic *)producer;
}

static uint32_t fake_submit(struct ps_kafka_producer *producer, struct ps_kafka_topic *topic,
                            const struct ps_kafka_record *records, uint32_t count, int *error)
{
    *error = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (fake.used + records[i].value_length > fake.room || fake.count == QUEUE_MAX) {
            *error = PS_KAFKA_FULL;
            return i;
        }
        fake.used += records[i].value_length;
        fake.bodies[fake.count] = records[i].value[0];
        fake.lengths[fake.count] = records[i].value_length;
        fake.tokens[fake.count++] = records[i].token;
    }
    return count;
}

static uint32_t fake_poll(struct ps_kafka_producer *producer, const struct ps_kafka_listener *listener,
                          uint32_t budget)
{
    uint32_t count = fake.one_by_one && fake.count > 1 ? 1 : fake.count;
    void *tokens[QUEUE_MAX];
    if (count == 0 || !fake.answers)
        return 0;
    strncat(fake.delivered, fake.bodies, count);
    memcpy(tokens, fake.tokens, count * sizeof *tokens);
    for (uint32_t i = 0; i < count; i++)
        fake.used -= fake.lengths[i];
    fake.count -= count;
    memmove(fake.bodies, fake.bodies + count, fake.count);
    memmove(fake.tokens, fake.tokens + count, fake.count * sizeof *tokens);
    memmove(fake.lengths, fake.lengths + count, fake.count * sizeof *fake.lengths);
    listener->report(
        listener->argument,
        &(struct ps_kafka_report){.count = count, .group_count = count, .topic = "t", .tokens = tokens});
    return count;
}

static void fake_purge(struct ps_kafka_producer *producer, bool in_flight)
{
}

static void fake_hurry(struct ps_kafka_producer *producer, bool hurry)
{
    fake.hurries = hurry;
}

static const struct ps_kafka_engine engine = {
    .create = fake_create,
    .destroy = fake_destroy,
    .topic = fake_topic,
    .submit = fake_submit,
    .poll = fake_poll,
    .purge = fake_purge,
    .hurry = fake_hurry,
};

static const struct ps_kafka_sender_plan plan = {
    .engine = &engine,
    .mapping = {.topic = "t", .topic_length = 1, .default_partition = PS_KAFKA_PARTITION_ANY},
    .record_bytes_max = RECORD_BYTES_MAX,
    .request_bytes_max = RECORD_BYTES_MAX,
};

static struct ps_test_stage stage;
static struct ps_kafka_sender *sender;

static int start(void **state)
{
    struct ps_err err = {0};
    memset(&fake, 0, sizeof fake);
    fake.room = 1000;
    fake.answers = true;
    ps_test_stage_init(&stage, &ps_sink_kafka);
    sender = calloc(1, sizeof *sender);
    assert_non_null(sender);
    assert_int_equal(ps_kafka_sender_open(sender, &plan, &stage.port, &err), PS_OK);
    return 0;
}

static int stop(void **state)
{
    ps_kafka_sender_close(sender);
    free(sender);
    ps_test_stage_fini(&stage);
    return 0;
}

/* Makes a lease with one event for each size; their bodies begin with the letters from `first` on. */
static struct ps_lease *lease_of(char first, const uint32_t *sizes, size_t count)
{
    struct ps_test_event events[8];
    assert_true(count <= PS_COUNT_OF(events));
    for (size_t i = 0; i < count; i++) {
        char *body = ps_arena_alloc(stage.arena, sizes[i]);
        memset(body, first + (char)i, sizes[i]);
        events[i] = (struct ps_test_event){.body = body, .length = sizes[i]};
    }
    return ps_test_lease(&stage, events, count);
}

static void take(struct ps_lease *lease)
{
    assert_int_equal(ps_kafka_sender_take(sender, &lease, &stage.now), PS_TAKEN);
}

static void tick(unsigned times, uint64_t ms)
{
    while (times-- > 0) {
        ps_test_stage_pass_ms(&stage, ms);
        ps_kafka_sender_tick(sender, &stage.now);
    }
}

static uint64_t counted(enum ps_counter counter)
{
    return ps_test_stage_counter(&stage, counter);
}

/* A full queue does not count as an error of a record: it goes on with the next report, in order. */
static void test_full_queue_waits(void **state)
{
    fake.answers = false;
    take(lease_of('a', (const uint32_t[]){600, 600, 600}, 3));
    tick(20, 1000);
    assert_int_equal(counted(PS_COUNTER_refused), 0);
    assert_int_equal(fake.count, 1);
    fake.answers = true;
    tick(10, 1);
    assert_string_equal(fake.delivered, "abc");
    assert_int_equal(stage.done_count, 1);
    assert_int_equal(counted(PS_COUNTER_refused), 0);
    assert_int_equal(counted(PS_COUNTER_EventWriteFail), 0);
}

/* A report makes room, but too little for the next record: it waits for more reports, and nothing counts as refused. */
static void test_too_little_room_waits(void **state)
{
    fake.one_by_one = true;
    take(lease_of('a', (const uint32_t[]){300, 300, 300, 1000, 200, 900}, 6));
    tick(20, 1);
    assert_string_equal(fake.delivered, "abcdef");
    assert_int_equal(stage.done_count, 1);
    assert_int_equal(counted(PS_COUNTER_refused), 0);
    assert_int_equal(counted(PS_COUNTER_EventWriteFail), 0);
}

/* The queue is empty and has no room: the record is to blame. The events before it are delivered, no event
 * after it is sent, it is counted once and logged no more often than it is tried: 1, 2, .. 5 s. */
static void test_record_larger_than_the_queue(void **state)
{
    take(lease_of('a', (const uint32_t[]){10, 1001, 10}, 3));
    tick(3, 1);
    assert_string_equal(fake.delivered, "a");
    assert_int_equal(counted(PS_COUNTER_refused), 1);
    assert_int_equal(counted(PS_COUNTER_EventWriteFail), 1);
    struct ps_lease *next = lease_of('x', (const uint32_t[]){10}, 1), *offered = next;
    assert_int_equal(ps_kafka_sender_take(sender, &offered, &stage.now), PS_LATER);
    tick(300, 100); /* 30 s: tried after 1, 3, 6, 10, 15, 20, 25 and 30 s */
    assert_int_equal(counted(PS_COUNTER_refused), 1);
    assert_in_range(counted(PS_COUNTER_EventWriteFail), 8, 9);
    assert_string_equal(fake.delivered, "a");
    assert_int_equal(stage.done_count, 0);
    fake.room = 2000; /* as after a restart with another kafka.producer.buffer.memory */
    tick(60, 100);
    assert_string_equal(fake.delivered, "abc");
    assert_int_equal(stage.done_count, 1);
    take(next);
    tick(3, 1);
    assert_string_equal(fake.delivered, "abcx");
    assert_int_equal(stage.done_count, 2);
}

/* The same for a record that was refused as too large for a request before it was submitted. */
static void test_record_larger_than_a_request(void **state)
{
    take(lease_of('a', (const uint32_t[]){10, RECORD_BYTES_MAX, 10}, 3));
    tick(30, 100);
    assert_string_equal(fake.delivered, "a");
    assert_int_equal(counted(PS_COUNTER_refused), 1);
    struct ps_lease *back = NULL;
    assert_true(ps_kafka_sender_recall(sender, &back, &stage.now));
    assert_non_null(back);
    assert_int_equal(back->settled, 1);
}

/* A sink that drains waits for reports, so records do not wait for others. */
static void test_drain_hurries(void **state)
{
    fake.answers = false;
    take(lease_of('a', (const uint32_t[]){10}, 1));
    tick(3, 1);
    assert_false(fake.hurries);
    assert_false(ps_kafka_sender_drain(sender, &stage.now));
    tick(1, 1);
    assert_true(fake.hurries);
    fake.answers = true;
    tick(2, 1);
    assert_true(ps_kafka_sender_drain(sender, &stage.now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full_queue_waits, start, stop),
        cmocka_unit_test_setup_teardown(test_too_little_room_waits, start, stop),
        cmocka_unit_test_setup_teardown(test_record_larger_than_the_queue, start, stop),
        cmocka_unit_test_setup_teardown(test_record_larger_than_a_request, start, stop),
        cmocka_unit_test_setup_teardown(test_drain_hurries, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
