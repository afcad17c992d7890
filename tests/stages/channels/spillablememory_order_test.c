/* The spillable memory channel keeps each producer's order across memory and disk, and neither loses nor duplicates
 * events: random calls against a model, and under threads. */
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

static bool take_one(struct ps_test_stage *stage, struct seen *seen, struct holder *holder, unsigned consumer)
{
    if (holder->count == PS_COUNT_OF(holder->held))
        return false;
    struct ps_lease *lease = OPS->take(stage->plan, consumer, &stage->port, &stage->now);
    if (lease == NULL)
        return false;
    struct held *held = &holder->held[holder->count++];
    held->lease = lease;
    note(stage, seen, consumer, lease, &held->producer, &held->order);
    return true;
}

static void deliver_first(struct ps_test_stage *stage, struct seen *seen, struct holder *holder,
                          unsigned consumer)
{
    if (holder->count == 0)
        return;
    note_delivered(seen, holder->held[0].producer, holder->held[0].order);
    deliver(stage, consumer, holder->held[0].lease, stage->plan);
    memmove(&holder->held[0], &holder->held[1], --holder->count * sizeof holder->held[0]);
}

/* Gives back all leases, the newest first, and takes them again, in the same order. */
static void roll_back(struct ps_test_stage *stage, struct holder *holder, unsigned consumer)
{
    for (unsigned i = holder->count; i-- > 0;) {
        struct ps_lease *lease = holder->held[i].lease;
        OPS->untake(stage->plan, consumer, &lease);
    }
    for (unsigned i = 0; i < holder->count; i++)
        assert_ptr_equal(OPS->take(stage->plan, consumer, &stage->port, &stage->now), holder->held[i].lease);
}

/* Returns how many deliveries were from disk. */
static unsigned run_model(const struct setting *setting, uint64_t *random)
{
    static struct seen seen;
    struct ps_test_stage stage;
    struct holder holders[CONSUMERS_MAX] = {0};
    unsigned puts[PRODUCERS_MAX] = {0}, spilled = 0, delivered = 0, total = 0;
    struct ps_lease *waiting[PRODUCERS_MAX] = {NULL};
    memset(&seen, 0, sizeof seen);
    memset(seen.last, 0xFF, sizeof seen.last); /* -1 */
    start(&stage, setting);
    put(&stage, 0, "0:0"); /* waits until the log is open; before that every put is refused */
    puts[0] = total = 1;
    for (int step = 0; step < 3000; step++) {
        unsigned consumer = (unsigned)(ps_test_random(random) % setting->consumers);
        unsigned producer = (unsigned)(ps_test_random(random) % setting->producers);
        /* The source and the sink are faster in turn. */
        bool rush = step / 300 % 2 == 0;
        switch (ps_test_random(random) % 8) {
        case 0:
        case 1:
        case 2:
            if (!rush && ps_test_random(random) % 3 != 0)
                break;
            if (waiting[producer] == NULL && puts[producer] < PUTS_MAX) {
                char body[32];
                snprintf(body, sizeof body, "%u:%u", producer, puts[producer]++);
                waiting[producer] = lease_of(&stage, body);
                total++;
            }
            if (waiting[producer] != NULL)
                (void)OPS->put(stage.plan, producer, &waiting[producer], &stage.now);
            break;
        case 3:
        case 4:
            if (!rush || ps_test_random(random) % 3 == 0)
                (void)take_one(&stage, &seen, &holders[consumer], consumer);
            break;
        case 5:
            spilled += holders[consumer].count > 0 && is_of_disk(holders[consumer].held[0].lease);
            deliver_first(&stage, &seen, &holders[consumer], consumer);
            break;
        case 6:
            if (ps_test_random(random) % 4 == 0)
                roll_back(&stage, &holders[consumer], consumer);
            break;
        default:
            ps_test_stage_pass_ms(&stage, ps_test_random(random) % 20);
            (void)OPS->tick(stage.plan, producer, &stage.port, &stage.now);
            if (ps_test_random(random) % 8 == 0)
                rest();
            break;
        }
    }
    for (unsigned round = 0; delivered < total; round++) {
        assert_true(round < 20000);
        for (unsigned producer = 0; producer < setting->producers; producer++) {
            (void)OPS->tick(stage.plan, producer, &stage.port, &stage.now);
            if (waiting[producer] != NULL)
                (void)OPS->put(stage.plan, producer, &waiting[producer], &stage.now);
        }
        bool any = false;
        for (unsigned consumer = 0; consumer < setting->consumers; consumer++) {
            any |= take_one(&stage, &seen, &holders[consumer], consumer);
            while (holders[consumer].count > 0)
                deliver_first(&stage, &seen, &holders[consumer], consumer);
        }
        if (!any)
            rest();
        ps_test_stage_pass_ms(&stage, 10);
        delivered = 0;
        for (unsigned producer = 0; producer < setting->producers; producer++) {
            for (unsigned i = 0; i < puts[producer]; i++)
                delivered += seen.delivered[producer][i];
        }
    }
    assert_int_equal(fill_of(&stage).size, 0);
    stop(&stage, setting);
    return spilled;
}

static void test_order_against_a_model(void **unused)
{
    uint64_t random = ps_test_seed();
    unsigned spilled = 0;
    for (unsigned round = 0; round < 12; round++) {
        const struct setting setting = {.memory_events = (unsigned)(ps_test_random(&random) % 60),
                                        .overflow_events = 20 + (unsigned)(ps_test_random(&random) % 1000),
                                        .timeout_s = 0,
                                        .producers = 1 + round % PRODUCERS_MAX,
                                        .consumers = 1 + round / PRODUCERS_MAX % CONSUMERS_MAX};
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        spilled += run_model(&setting, &random);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
    assert_true(spilled > 0);
}

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
        cmocka_unit_test(test_order_against_a_model),
        cmocka_unit_test(test_order_under_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
