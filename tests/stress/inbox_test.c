/* Inboxes between threads, as workers use them: every worker lends its items to others at random and gets them
 * back by its own inbox, into which all others put. The same few nodes are used again and again (so addresses
 * repeat); only the inbox orders what a borrower writes into an item before what its owner reads. No item is
 * lost, doubled or seen half written. */
#include "rings/inbox.h"
#include "core/clock.h"
#include "rings/tsan.h"
#include "tests/support/support.h"

#include <pthread.h>

#ifdef PS_TSAN
#define TRIPS 3000U
#else
#define TRIPS 40000U
#endif
#define WORKERS_MAX 4U
#define ITEMS 5U /* of each worker */

struct item {
    struct ps_inbox_node node;
    unsigned home;
    uint64_t trips, borrowed, check; /* plain: the inbox orders them */
};

struct worker {
    struct ps_inbox lent, home;
    struct test *test;
    unsigned number;
    uint64_t random, came_home, served, wrong;
    struct item items[ITEMS];
};

struct test {
    unsigned workers, items;
    uint64_t until_ns;
    uint64_t done; /* workers whose items made all their trips; atomic */
    struct worker worker[WORKERS_MAX];
};

static struct item *item_of(struct ps_inbox_node *node)
{
    return (struct item *)(void *)((char *)node - offsetof(struct item, node));
}

/* Lends the item to another worker, which writes it and returns it. */
static void lend(struct worker *worker, struct item *item)
{
    struct test *test = worker->test;
    unsigned to = (unsigned)(ps_test_random(&worker->random) % (test->workers - 1));
    to += to >= worker->number;
    item->trips++;
    item->check = item->trips * 3;
    ps_inbox_put(&test->worker[to].lent, &item->node);
}

static void serve(struct worker *worker)
{
    for (struct ps_inbox_node *node = ps_inbox_take(&worker->lent), *next; node != NULL; node = next) {
        struct item *item = item_of(node);
        next = node->next; /* the node is the other inbox's afterwards */
        worker->wrong += item->check != item->trips * 3;
        item->borrowed++;
        item->check = item->borrowed * 7;
        worker->served++;
        ps_inbox_put(&worker->test->worker[item->home].home, &item->node);
    }
}

static void receive(struct worker *worker)
{
    for (struct ps_inbox_node *node = ps_inbox_take(&worker->home), *next; node != NULL; node = next) {
        struct item *item = item_of(node);
        next = node->next;
        worker->wrong += item->home != worker->number || item->borrowed != item->trips ||
                         item->check != item->borrowed * 7;
        worker->came_home++;
        if (item->trips < TRIPS)
            lend(worker, item);
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct test *test = worker->test;
    bool done = false;
    for (unsigned i = 0; i < test->items; i++)
        lend(worker, &worker->items[i]);
    for (uint64_t turn = 1; __atomic_load_n(&test->done, __ATOMIC_RELAXED) < test->workers; turn++) {
        uint64_t before = worker->came_home + worker->served;
        receive(worker);
        serve(worker);
        if (!done && worker->came_home == (uint64_t)test->items * TRIPS) {
            done = true;
            __atomic_fetch_add(&test->done, 1, __ATOMIC_RELAXED);
        }
        if (worker->came_home + worker->served == before)
            ps_test_yield(); /* fewer CPUs than threads */
        if (turn % 1024 == 0 && ps_test_patient_ns() > test->until_ns)
            break; /* run says how many are missing */
    }
    return NULL;
}

static void run(unsigned workers, unsigned items)
{
    static struct test test;
    pthread_t threads[WORKERS_MAX];
    uint64_t seed = ps_test_seed();
    test = (struct test){.workers = workers, .items = items, .until_ns = ps_test_patience_end_ns()};
    for (unsigned i = 0; i < workers; i++) {
        test.worker[i].test = &test;
        test.worker[i].number = i;
        test.worker[i].random = ps_test_random(&seed);
        for (unsigned k = 0; k < items; k++)
            test.worker[i].items[k].home = i;
    }
    for (unsigned i = 0; i < workers; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &test.worker[i]), 0);
    for (unsigned i = 0; i < workers; i++)
        pthread_join(threads[i], NULL);
    uint64_t served = 0, home = 0;
    for (unsigned i = 0; i < workers; i++) {
        served += test.worker[i].served;
        home += test.worker[i].came_home;
        assert_int_equal(test.worker[i].wrong, 0);
        assert_null(ps_inbox_take(&test.worker[i].home));
        assert_null(ps_inbox_take(&test.worker[i].lent));
    }
    uint64_t expected = (uint64_t)workers * items * TRIPS;
    if (served != expected || home != expected)
        fail_msg("of %llu trips %llu reached the borrower and %llu came home", (unsigned long long)expected,
                 (unsigned long long)served, (unsigned long long)home);
}

static void test_two(void **state)
{
    run(2, 1);
    run(2, ITEMS);
}

static void test_many(void **state)
{
    run(3, 2);
    run(WORKERS_MAX, ITEMS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
