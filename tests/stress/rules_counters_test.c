/* Workers apply rules and count in the same counters, while another thread creates new sets with the same names (so
 * with the same counters and limits), hands them over, and reads the counts. Checked by ThreadSanitizer,
 * and by the sums of the counts. */
#include "tests/support/stage.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "stages/lib/rules/set.h"

#define WORKERS 2U
#define EVENTS 32U

/* A set with one worker's scratch; both are handed over together. */
struct version {
    struct ps_rules_set *set;
    struct ps_rules_scratch *scratch;
};

struct worker {
    unsigned instance;
    struct version *offered, *back; /* both threads exchange these pointers */
    struct version *own;
    uint64_t leases;
};

static struct ps_rules_counters *counters;
static bool over;

/* "everything" is in every set; the other names come and go. */
static struct version *version_make(unsigned instance, unsigned generation)
{
    char text[1024];
    struct ps_rules_problems problems = {.arena = ps_arena_create()};
    snprintf(text, sizeof text,
             "mode all\n"
             "rule everything { when body ~ /e/ set header.n = \"%u\" }\n"
             "rule limited { when body ~ /even/ limit 10/h burst 10 }\n"
             "rule keyed { when body ~ /odd/ limit 1/h per body burst 1 }\n"
             "rule passing-%u { when body ~ /number (?<number>\\d+)/ tag \"x\" }\n",
             generation, generation % 50);
    struct ps_rules *rules = ps_rules_parse("stress.rules", text, strlen(text), &problems);
    assert_non_null(rules);
    struct ps_rules_set_options options = {.counters = counters, .instances = WORKERS};
    struct version *version = malloc(sizeof *version);
    assert_non_null(version);
    version->set = ps_rules_set_create(rules, &options, NULL, &problems);
    assert_non_null(version->set);
    version->scratch = ps_rules_scratch_create(version->set, instance, NULL);
    assert_non_null(version->scratch);
    ps_arena_destroy(problems.arena);
    return version;
}

static void version_free(struct version *version)
{
    if (version == NULL)
        return;
    ps_rules_scratch_destroy(version->scratch);
    ps_rules_set_destroy(version->set);
    free(version);
}

static void lease_work(struct worker *worker, struct ps_test_stage *stage)
{
    struct ps_test_event events[EVENTS];
    char bodies[EVENTS][32];
    for (unsigned i = 0; i < EVENTS; i++) {
        snprintf(bodies[i], sizeof bodies[i], "number %u %s", i, i % 2 ? "odd" : "even");
        events[i] = PS_BODY(bodies[i]);
    }
    struct ps_lease *lease = ps_test_lease(stage, events, EVENTS);
    assert_int_equal(
        ps_rules_set_work(worker->own->set, worker->own->scratch, lease, NULL, &stage->now, NULL, NULL),
        PS_DONE);
    assert_int_equal(lease->count, worker->leases == 0 ? 5 + EVENTS / 2 : 0);
    worker->leases++;
    ps_test_stage_recycle(stage);
}

static void *work(void *worker_)
{
    struct worker *worker = worker_;
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_selector_replicating);
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        struct version *next = __atomic_exchange_n(&worker->offered, NULL, __ATOMIC_ACQ_REL);
        if (next != NULL) {
            struct version *old = worker->own;
            worker->own = next;
            __atomic_store_n(&worker->back, old, __ATOMIC_RELEASE);
        }
        if (worker->own != NULL)
            lease_work(worker, &stage);
    }
    ps_test_stage_fini(&stage);
    return NULL;
}

static void look(void *argument, const char *rule, const struct ps_rules_count *count)
{
    uint64_t *hits = argument;
    if (strcmp(rule, "everything") == 0)
        *hits = count->hits;
}

static uint64_t hits_now(void)
{
    uint64_t hits = 0;
    ps_rules_counters_each(counters, look, &hits);
    return hits;
}

static void *read_counts(void *unused)
{
    uint64_t before = 0;
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        uint64_t now = hits_now();
        assert_true(now >= before);
        before = now;
    }
    return NULL;
}

static void test_shared_book(void **unused)
{
    struct worker workers[WORKERS] = {{.instance = 0}, {.instance = 1}};
    pthread_t threads[WORKERS + 1];
    counters = ps_rules_counters_create(WORKERS);
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i].offered = version_make(i, 0);
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    assert_int_equal(pthread_create(&threads[WORKERS], NULL, read_counts, NULL), 0);
    uint64_t until_ns = ps_clock_now().mono_ns + 2 * PS_NS_PER_S;
    for (unsigned generation = 1; ps_clock_now().mono_ns < until_ns; generation++) {
        struct worker *worker = &workers[generation % WORKERS];
        struct version *next = version_make(worker->instance, generation);
        version_free(__atomic_exchange_n(&worker->back, NULL, __ATOMIC_ACQ_REL));
        version_free(__atomic_exchange_n(&worker->offered, next, __ATOMIC_ACQ_REL));
    }
    __atomic_store_n(&over, true, __ATOMIC_RELEASE);
    uint64_t leases = 0;
    for (unsigned i = 0; i <= WORKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        leases += workers[i].leases;
        version_free(workers[i].own);
        version_free(workers[i].offered);
        version_free(workers[i].back);
    }
    assert_true(leases > 0);
    assert_int_equal(hits_now(), leases * EVENTS);
    ps_rules_counters_destroy(counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shared_book)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
