/* The power goes while a durable queue works, at each call that changes the disk: promised events that were not taken come
 * after the restart, in order; taken ones may come again; no others come. Which unsynced writes survive is random. */
#include "tests/stages/lib/queue/lossy_queue.h"

#define EVENTS 14U

struct fixture {
    struct lossy_queue queue;
    bool promised[EVENTS], taken[EVENTS];
};

/* Works until the power goes. Returns whether it did. */
static bool work(struct fixture *fixture)
{
    lossy_queue_start(&fixture->queue);
    bool works = true;
    for (unsigned number = 0; works && number < EVENTS; number++) {
        works = fixture->promised[number] = lossy_queue_put(&fixture->queue, number);
        unsigned taken = number % 3 != 0 ? lossy_queue_deliver(&fixture->queue) : EVENTS;
        if (taken < EVENTS)
            fixture->taken[taken] = true;
    }
    (void)lossy_queue_stop(&fixture->queue);
    return disk.power_until > 0 && disk.changes >= disk.power_until;
}

/* Everything that was promised and not taken comes; each event once, in order. */
static void expect_rest(struct fixture *fixture)
{
    unsigned next = 0, idle = 0;
    bool came[EVENTS] = {false};
    uint64_t until_ns = ps_test_patience_end_ns();
    lossy_queue_start(&fixture->queue);
    for (bool all = false; !all || idle < 20;) {
        unsigned number = lossy_queue_deliver(&fixture->queue);
        if (number < EVENTS) {
            assert_true(number >= next);
            next = number + 1;
            came[number] = true;
        }
        idle = number < EVENTS ? 0 : idle + 1;
        assert_true(ps_test_patient_ns() < until_ns);
        all = true;
        for (unsigned i = 0; i < EVENTS; i++)
            all &= came[i] || !fixture->promised[i] || fixture->taken[i];
        if (number == LOSSY_QUEUE_NONE)
            lossy_queue_rest();
    }
    (void)lossy_queue_stop(&fixture->queue);
}

static void test_power_cuts(void **state)
{
    static struct fixture fixture; /* static: a queue whose test failed still runs */
    uint64_t seed = ps_test_seed();
    bool gone = true;
    for (uint64_t cut = 1; gone; cut++) {
        uint64_t random = seed * 1000 + cut;
        fixture = (struct fixture){.promised = {false}};
        lossy_queue_init(&fixture.queue);
        disk.power_until = cut;
        gone = work(&fixture);
        lossy_restart(&disk, &random);
        expect_rest(&fixture);
        lossy_queue_fini(&fixture.queue);
        assert_true(cut < 500);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_power_cuts, lossy_queue_setup, lossy_queue_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
