/* The spillable memory channel under threads keeps the order of each producer across memory and disk, and neither loses nor doubles events. */
#include "core/flow/engine_channel.h"
#include "tests/stages/channels/spillablememory_support.h"

#include <pthread.h>

#define PRODUCERS_MAX 3U
#define CONSUMERS_MAX 3U
#define PUTS_MAX 1200U

/* ---- order, against a model ---- */

struct seen {
    unsigned char delivered[PRODUCERS_MAX][PUTS_MAX];
    int last[CONSUMERS_MAX][PRODUCERS_MAX];
};

/* Notes a lease that a consumer takes for the first time, and asserts that it is newer than all that it saw of that producer. */
static void note(struct ps_test_stage *stage, struct seen *seen, unsigned consumer,
                 const struct ps_lease *lease, unsigned *producer, unsigned *order)
{
    struct ps_test_event event = ps_test_lease_event(stage, lease, 0);
    char text[32];
    snprintf(text, sizeof text, "%.*s", (int)event.length, event.body);
    assert_int_equal(sscanf(text, "%u:%u", producer, order), 2);
    assert_true((int)*order > seen->last[consumer][*producer]);
    seen->last[consumer][*producer] = (int)*order;
}

static void note_delivered(struct seen *seen, unsigned producer, unsigned order)
{
    assert_int_equal(seen->delivered[producer][order], 0);
    seen->delivered[producer][order] = 1;
}

struct held {
    struct ps_lease *lease;
    unsigned producer, order;
};

struct holder {
    struct held held[8];
    unsigned count;
};

/* ---- threads ---- */

struct thread {
    pthread_t id;
    struct ps_test_stage stage; /* its port and pool are used, but not its plan */
    struct seen *seen;
    void *plan;
    unsigned number;
    unsigned *delivered; /* deliveries of all consumers */
};

#define THREAD_PUTS 600U

static void *produce(void *argument)
{
    struct thread *thread = argument;
    struct ps_test_stage *stage = &thread->stage;
    for (unsigned order = 0; order < THREAD_PUTS; order++) {
        char body[32];
        snprintf(body, sizeof body, "%u:%u", thread->number, order);
        struct ps_lease *lease = lease_of(stage, body);
        for (;;) {
            stage->now = ps_clock_now();
            (void)OPS->tick(thread->plan, thread->number, &stage->port, &stage->now);
            if (OPS->put(thread->plan, thread->number, &lease, &stage->now) != PS_PUT_FULL)
                break;
            ps_test_yield();
        }
    }
    return NULL;
}

static void *consume(void *argument)
{
    struct thread *thread = argument;
    struct ps_test_stage *stage = &thread->stage;
    unsigned taken = 0;
    while (__atomic_load_n(thread->delivered, __ATOMIC_ACQUIRE) < 2 * THREAD_PUTS) {
        stage->now = ps_clock_now();
        struct ps_lease *lease = OPS->take(thread->plan, thread->number, &stage->port, &stage->now);
        if (lease == NULL) {
            rest();
            continue;
        }
        if (++taken % 200 == 0) /* a slow phase, in which memory fills up */
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        unsigned producer, order;
        note(stage, thread->seen, thread->number, lease, &producer, &order);
        note_delivered(thread->seen, producer, order);
        deliver(stage, thread->number, lease, thread->plan);
        __atomic_fetch_add(thread->delivered, 1, __ATOMIC_ACQ_REL);
    }
    leave(stage, thread->number, thread->plan);
    return NULL;
}

static void test_order_under_threads(void **unused)
{
    for (unsigned consumers = 1; consumers <= 2; consumers++) {
        static struct thread threads[4];
        static struct seen seen;
        const struct setting setting = {40, 10000, 0, 2, consumers};
        struct ps_test_stage stage;
        unsigned delivered = 0;
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        memset(&seen, 0, sizeof seen);
        memset(seen.last, 0xFF, sizeof seen.last);
        memset(threads, 0, sizeof threads);
        start(&stage, &setting);
        for (unsigned i = 0; i < 2 + consumers; i++) {
            struct thread *thread = &threads[i];
            ps_test_stage_init_sized(&thread->stage, &ps_channel_spillablememory, UINT64_C(64) << 20);
            thread->seen = &seen;
            thread->plan = stage.plan;
            thread->number = i < 2 ? i : i - 2;
            thread->delivered = &delivered;
            assert_int_equal(pthread_create(&thread->id, NULL, i < 2 ? produce : consume, thread), 0);
        }
        for (unsigned i = 0; i < 2 + consumers; i++)
            pthread_join(threads[i].id, NULL);
        assert_int_equal(fill_of(&stage).size, 0);
        for (struct ps_lease *lease = OPS->engine->strip(stage.plan); lease != NULL; lease = lease->next)
            assert_int_equal(lease->settled, lease->count);
        ps_test_stage_fini(&stage);
        for (unsigned i = 0; i < 2 + consumers; i++)
            ps_test_stage_fini(&threads[i].stage);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_under_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
