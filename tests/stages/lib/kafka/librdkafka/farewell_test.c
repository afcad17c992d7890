/* The end of a consumer on a thread of its own, with a library that notes its calls and may be slow. */
#include "stages/lib/kafka/librdkafka/farewell.h"
#include "core/clock.h"

#include "tests/support/allocations.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define ALL_DESTROYED "queue 2 destroyed; queue 1 destroyed; queue 0 destroyed; client destroyed; "

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    char calls[512];
    bool closing, held, waits; /* destroying the client waits while it is held */
    unsigned closes, destroyed;
    int polls;       /* of the queue until the client is closed */
    bool own_thread; /* the client was destroyed on the thread of the test */
    bool reports;    /* the first poll gives a rebalance */
    pthread_t test;  /* the thread of the test */
    int client, queues[3], event;
} fake = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void note(const char *what)
{
    size_t used = strlen(fake.calls);
    snprintf(fake.calls + used, sizeof fake.calls - used, "%s; ", what);
}

static void note_queue(const rd_kafka_queue_t *queue, const char *what)
{
    char text[64];
    snprintf(text, sizeof text, "queue %ld %s", (const int *)(const void *)queue - fake.queues, what);
    note(text);
}

/* ---- the library ---- */

rd_kafka_queue_t *rd_kafka_queue_new(rd_kafka_t *client)
{
    return (rd_kafka_queue_t *)&fake.queues[2];
}

rd_kafka_error_t *rd_kafka_consumer_close_queue(rd_kafka_t *client, rd_kafka_queue_t *queue)
{
    assert_ptr_equal(client, &fake.client);
    assert_ptr_equal(queue, &fake.queues[2]);
    note("close");
    fake.closing = true;
    fake.closes++;
    return NULL;
}

int rd_kafka_consumer_closed(rd_kafka_t *client)
{
    return fake.closing && fake.polls == 0;
}

rd_kafka_event_t *rd_kafka_queue_poll(rd_kafka_queue_t *queue, int timeout_ms)
{
    assert_ptr_equal(queue, &fake.queues[2]);
    note("poll");
    fake.polls--;
    return fake.reports ? (rd_kafka_event_t *)&fake.event : NULL;
}

rd_kafka_event_type_t rd_kafka_event_type(const rd_kafka_event_t *event)
{
    fake.reports = false;
    return RD_KAFKA_EVENT_REBALANCE;
}

void rd_kafka_event_destroy(rd_kafka_event_t *event)
{
    assert_ptr_equal(event, &fake.event);
}

rd_kafka_resp_err_t rd_kafka_assign(rd_kafka_t *client, const rd_kafka_topic_partition_list_t *list)
{
    assert_null(list);
    note("assign nothing");
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void rd_kafka_queue_io_event_enable(rd_kafka_queue_t *queue, int fd, const void *payload, size_t size)
{
    assert_int_equal(fd, -1);
    note_queue(queue, "silent");
}

void rd_kafka_queue_destroy(rd_kafka_queue_t *queue)
{
    note_queue(queue, "destroyed");
}

void rd_kafka_destroy_flags(rd_kafka_t *client, int flags)
{
    assert_ptr_equal(client, &fake.client);
    assert_int_equal(flags, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    note("client destroyed");
    pthread_mutex_lock(&fake.mutex);
    fake.waits = true;
    pthread_cond_broadcast(&fake.changed);
    while (fake.held)
        pthread_cond_wait(&fake.changed, &fake.mutex);
    fake.waits = false;
    fake.own_thread = pthread_equal(pthread_self(), fake.test) != 0;
    fake.destroyed++;
    pthread_mutex_unlock(&fake.mutex);
}

/* ---- the owner ---- */

static struct ps_kafka_consumer consumer;
static int ends[2];
static const char *const wanted[] = {"h"};

static void prepare(void)
{
    pthread_mutex_lock(&fake.mutex);
    fake.calls[0] = '\0';
    fake.closing = fake.held = fake.reports = fake.own_thread = false;
    fake.closes = fake.destroyed = 0;
    fake.polls = 0;
    fake.test = pthread_self();
    pthread_mutex_unlock(&fake.mutex);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    consumer = (struct ps_kafka_consumer){.component = "source s",
                                          .client = (rd_kafka_t *)&fake.client,
                                          .control = (rd_kafka_queue_t *)&fake.queues[0],
                                          .records = (rd_kafka_queue_t *)&fake.queues[1],
                                          .wake_fd = ends[1],
                                          .wanted = {1, (const char **)(uintptr_t)wanted},
                                          .mapped = malloc(1),
                                          .kept_mapped = malloc(1),
                                          .kept_bytes = malloc(1),
                                          .has_kept = true};
}

/* The consumer has moved to the farewell: its owner has an empty one, and can open another for the same component. */
static void assert_taken(void)
{
    static const struct ps_kafka_consumer empty = {.component = NULL};
    assert_string_equal(consumer.component, "source s");
    consumer.component = NULL;
    assert_memory_equal(&consumer, &empty, sizeof empty);
}

/* Waits until the thread that ends the consumer has closed the consumer's end of the pipe. */
static void await_closed(void)
{
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    pthread_mutex_lock(&fake.mutex); /* what the thread noted is read from here on */
    pthread_mutex_unlock(&fake.mutex);
}

static void await_over(struct ps_kafka_farewell *farewell)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    while (!ps_kafka_farewell_is_over(farewell)) {
        assert_true(ps_test_patient_ns() < until_ns);
        ps_test_yield();
    }
    assert_true(ps_kafka_farewell_is_over(farewell)); /* it stays so */
}

static void end_and_assert(bool leave, const char *calls)
{
    struct ps_kafka_farewell *farewell = ps_kafka_farewell_begin(&consumer, leave);
    assert_non_null(farewell);
    assert_taken();
    await_over(farewell);
    assert_string_equal(fake.calls, calls);
    assert_int_equal(fake.destroyed, 1);
    assert_false(fake.own_thread);
    ps_kafka_farewell_end(farewell, PS_TEST_PATIENCE_MS);
    await_closed();
}

#define SILENT "queue 0 silent; queue 1 silent; "
#define DESTROYED "queue 1 destroyed; queue 0 destroyed; client destroyed; "

static void test_leaves_first(void **state)
{
    prepare();
    end_and_assert(true, "close; " SILENT ALL_DESTROYED);
    prepare();
    fake.polls = 2; /* the group needs some time, and asks once more */
    fake.reports = true;
    end_and_assert(true, "close; poll; assign nothing; poll; " SILENT ALL_DESTROYED);
    prepare();
    consumer.asked = true; /* a rebalance has no answer yet */
    end_and_assert(true, "assign nothing; close; " SILENT ALL_DESTROYED);
}

static void test_does_not_leave(void **state)
{
    prepare();
    end_and_assert(false, SILENT DESTROYED);
    prepare();
    consumer.fatal = true;
    end_and_assert(true, SILENT DESTROYED);
    prepare();
    consumer.closing = (rd_kafka_queue_t *)&fake.queues[2]; /* its owner has begun to leave */
    fake.closing = true;
    fake.polls = 1;
    end_and_assert(true, "poll; " SILENT ALL_DESTROYED);
}

/* The library is silent: the owner checks once, and does not wait. The thread then ends by itself, with memory of its own. */
static void test_owner_does_not_wait(void **state)
{
    char *component = strdup("source s");
    assert_non_null(component);
    prepare();
    consumer.component = component;
    fake.held = true;
    struct ps_kafka_farewell *farewell = ps_kafka_farewell_begin(&consumer, true);
    assert_non_null(farewell);
    pthread_mutex_lock(&fake.mutex);
    while (!fake.waits)
        pthread_cond_wait(&fake.changed, &fake.mutex);
    pthread_mutex_unlock(&fake.mutex);
    assert_false(ps_kafka_farewell_is_over(farewell));
    assert_false(ps_kafka_farewell_is_over(farewell));
    ps_kafka_farewell_end(farewell, 0);
    memset(component, 'x', strlen(component));
    free(component);
    pthread_mutex_lock(&fake.mutex);
    assert_int_equal(fake.destroyed, 0);
    fake.held = false;
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.mutex);
    await_closed();
    assert_int_equal(fake.destroyed, 1);
}

/* Whether the thread has begun or not when its owner goes: each consumer leaves its group once and is destroyed once. */
static void test_ends_at_once(void **state)
{
    for (unsigned i = 0; i < 50; i++) {
        prepare();
        ps_kafka_farewell_end(ps_kafka_farewell_begin(&consumer, true), 0);
        assert_taken();
        await_closed();
        assert_string_equal(fake.calls, "close; " SILENT ALL_DESTROYED);
    }
}

static void test_nothing(void **state)
{
    assert_true(ps_kafka_farewell_is_over(NULL));
    ps_kafka_farewell_end(NULL, 0);
    consumer = (struct ps_kafka_consumer){.component = "source s"}; /* it was never opened */
    fake.calls[0] = '\0';
    struct ps_kafka_farewell *farewell = ps_kafka_farewell_begin(&consumer, true);
    assert_non_null(farewell);
    await_over(farewell);
    ps_kafka_farewell_end(farewell, PS_TEST_PATIENCE_MS);
    assert_string_equal(fake.calls, "");
    assert_taken();
}

/* Without memory for the thread, its owner destroys the consumer, which does not leave the group, because that may
 * block. */
static void test_no_memory(void **state)
{
    unsigned failures = 0;
    for (uint64_t nth = 1; nth < 50; nth++) {
        prepare();
        ps_test_allocation_fails = nth;
        struct ps_kafka_farewell *farewell = ps_kafka_farewell_begin(&consumer, true);
        ps_test_allocation_fails = 0;
        assert_taken();
        ps_kafka_farewell_end(farewell, PS_TEST_PATIENCE_MS);
        await_closed();
        assert_int_equal(fake.destroyed, 1);
        if (farewell != NULL)
            break;
        failures++;
        assert_true(fake.own_thread);
        assert_string_equal(fake.calls, SILENT DESTROYED);
    }
    assert_true(!PS_TEST_ALLOCATIONS || failures >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves_first),
        cmocka_unit_test(test_does_not_leave),
        cmocka_unit_test(test_owner_does_not_wait),
        cmocka_unit_test(test_ends_at_once),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
