/* Rules are swapped as fast as possible while several workers use them. One set matches the whole of a
 * batch; no event is lost or doubled; a set stays as long as a worker is in the middle of a batch with it;
 * after a thousand swaps no memory of the old sets is left. */
#include "tests/support/folder.h"
#include "tests/support/rules/files.h"

#include "rings/swap.h"
#include "rings/tsan.h"
#include "stages/lib/rules/stage.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#define WORKERS 3U
#define EVENTS 40U
#if defined(PS_TSAN) || defined(__SANITIZE_ADDRESS__)
#define SWAPS 80U
#else
#define SWAPS 1000U
#endif
/* Allowed growth of the heap over most of the swaps; one set of rules takes half of that. */
#define GROWTH_BYTES (1U << 20)
#define QUIET_MS 100 /* time until replaced sets are freed */

struct worker {
    struct ps_test_stage own; /* for leases; all workers share the plan */
    void *state;
    unsigned number;
    uint64_t random;
    pthread_t thread;
    uint64_t batches, mixed, lost, backwards, changed, generations;
};

static struct ps_test_stage shared;
static bool stop;

static const struct ps_name *generation_name;

static unsigned generation_of(const struct ps_lease *lease, uint32_t position)
{
    struct ps_slice value;
    unsigned generation = 0;
    if (!ps_event_header(lease->batch, ps_lease_event(lease, position), generation_name, &value))
        return 0;
    for (uint32_t i = 0; i < value.length; i++)
        generation = 10 * generation + (unsigned)(value.data[i] - '0');
    return generation;
}

/* Processes one batch: half of its events are dropped, the others all carry one number. */
static unsigned batch_run(struct worker *worker, unsigned last)
{
    struct ps_test_event events[EVENTS];
    for (uint32_t i = 0; i < EVENTS; i++)
        events[i] = i % 2 == 0 ? PS_BODY("some text, status=200 and more") : PS_BODY("GET /healthz 200");
    struct ps_lease *lease = ps_test_lease(&worker->own, events, EVENTS);
    enum ps_result result =
        shared.ops->interceptor->work(shared.plan, worker->state, lease, &worker->own.now);
    worker->lost += result != PS_DONE || lease->count != EVENTS / 2;
    unsigned generation = generation_of(lease, 0);
    for (uint32_t i = 1; i < lease->count; i++)
        worker->mixed += generation_of(lease, i) != generation;
    worker->backwards += generation < last;
    worker->generations += generation != last;
    worker->batches++;
    ps_test_stage_recycle(&worker->own);
    return generation;
}

static void quiesce(void)
{
    PS_TSAN_RELEASE(&ps_swap_grace);
    urcu_qsbr_quiescent_state();
}

/* Holds a set as a stage does whose batch found no memory: the set must exist until it is released. */
static void hold(struct worker *worker, struct ps_rules_live *live)
{
    struct ps_rules_scratch *scratch, *again;
    const struct ps_rules_set *set = ps_rules_live_acquire(live, worker->number, &scratch);
    ps_rules_live_release(live, worker->number, false);
    for (uint64_t turns = ps_test_random(&worker->random) % 50; turns > 0; turns--) {
        quiesce();
        ps_test_yield();
        worker->changed += ps_rules_live_acquire(live, worker->number, &again) != set || again != scratch;
        worker->changed += ps_rules_set_rules(set)->rule_count != 2 || ps_rules_scratch_is_busy(scratch);
        ps_rules_live_release(live, worker->number, false);
    }
    ps_rules_live_release(live, worker->number, true);
}

static void *worker_main(void *worker_)
{
    struct worker *worker = worker_;
    struct ps_rules_live *live = ((const struct ps_rules_stage *)shared.plan)->live;
    unsigned last = 0;
    urcu_qsbr_register_thread();
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        last = batch_run(worker, last);
        if (ps_test_random(&worker->random) % 20 == 0)
            hold(worker, live);
        quiesce();
        if (ps_test_random(&worker->random) % 50 == 0) { /* parked */
            PS_TSAN_RELEASE(&ps_swap_grace);
            urcu_qsbr_thread_offline();
            ps_test_yield();
            urcu_qsbr_thread_online();
        }
    }
    urcu_qsbr_unregister_thread();
    return NULL;
}

static void worker_start(struct worker *worker, unsigned number, uint64_t *random)
{
    *worker = (struct worker){.number = number, .random = ps_test_random(random)};
    ps_test_stage_init(&worker->own, &ps_interceptor_rules);
    worker->own.port.instance = number;
    worker->state = calloc(1, shared.ops->state_size);
    assert_non_null(worker->state);
    assert_int_equal(shared.ops->open(shared.plan, worker->state, &worker->own.port, &shared.err), PS_OK);
    assert_int_equal(pthread_create(&worker->thread, NULL, worker_main, worker), 0);
}

static void worker_end(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
    shared.ops->close(shared.plan, worker->state);
    free(worker->state);
    assert_true(worker->batches > 0 && worker->generations > 1);
    assert_int_equal(worker->mixed, 0);
    assert_int_equal(worker->lost, 0);
    assert_int_equal(worker->backwards, 0);
    assert_int_equal(worker->changed, 0);
    ps_test_stage_fini(&worker->own);
}

/* Bytes that malloc has allocated; 0 under a sanitizer, which replaces malloc. */
static size_t heap_bytes(void)
{
    usleep(QUIET_MS * 1000);
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

#define RULES                                                                                                \
    "mode all\n"                                                                                             \
    "rule health { when body ~ /GET \\/healthz/ drop stop }\n"                                               \
    "rule all { when body ~ /(?<status>[0-9]{3})/ set header.generation = \"%u\" }\n"

/* No settle time is configured, so some files are read while they are written: they are refused and read
 * again. */
static void rules_change(unsigned number)
{
    if (number % 3 == 0)
        ps_test_rules_write("a.rules", RULES, number);
    else
        ps_test_rules_replace("a.rules", RULES, number);
    ps_test_series_wait(&shared, "rules_generation", number);
}

static void test_swaps(void **state)
{
    static struct worker workers[WORKERS];
    size_t before = 0;
    uint64_t random = ps_test_seed();
    generation_name = ps_name_intern("generation");
    static char file[4096]; /* the plan uses it for as long as it exists */
    snprintf(file, sizeof file, "%s", ps_test_rules_write("a.rules", RULES, 1));
    ps_test_stage_init(&shared, &ps_interceptor_rules);
    shared.context.instances = WORKERS;
    assert_int_equal(
        ps_test_stage_bind(&shared, PS_KEYS("rules.file", file, "rules.settle", "0", "rules.cache", "none")),
        PS_OK);
    if (ps_test_stage_build(&shared) != PS_OK)
        fail_msg("%s", shared.err.text);
    for (unsigned i = 0; i < WORKERS; i++)
        worker_start(&workers[i], i, &random);
    for (unsigned number = 2; number <= SWAPS; number++) {
        rules_change(number);
        if (number == SWAPS / 4)
            before = heap_bytes();
    }
    size_t after = heap_bytes();
    print_message("heap: %zu bytes after %u swaps, %zu after %u\n", before, SWAPS / 4, after, SWAPS);
    assert_true(after < before + GROWTH_BYTES);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    double batches = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        worker_end(&workers[i]);
        batches += (double)workers[i].batches;
    }
    assert_true(ps_test_series(&shared, "rule_hits", "all") == batches * EVENTS / 2);
    assert_true(ps_test_series(&shared, "rule_dropped", "health") == batches * EVENTS / 2);
    ps_test_stage_fini(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_swaps, ps_test_folder_setup, ps_test_folder_teardown)};
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
