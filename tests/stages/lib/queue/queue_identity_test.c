/* The identities of events of a log on disk, over random histories: an event that is delivered again after a kill or a power cut
 * has the identity that it had before, and no two events ever have the same one. Events are promised when they are synced, or
 * when they are written: then a power cut takes frames that were delivered, and the log gives their numbers to other events. */
#include "core/flow/identity.h"

#include "tests/stages/lib/queue/lossy_queue.h"

#define EVENTS_MAX 200U /* of a history */
#define LIVES 4U
#define LEASE_EVENTS_MAX 4U
#define KEPT_MAX 64U
#ifdef __SANITIZE_ADDRESS__
#define HISTORIES 10U
#else
#define HISTORIES 60U
#endif

struct history {
    struct lossy_queue queue;
    unsigned events; /* put so far; they are numbered */
    char seen[EVENTS_MAX]
             [PS_IDENTITY_TEXT_BYTES]; /* identity of each delivered event; "": it was not delivered yet */
    struct ps_lease *kept[KEPT_MAX];   /* taken and not delivered */
    size_t kept_count;
    unsigned repeats;
};

static uint64_t below(uint64_t *random, uint64_t limit)
{
    return ps_test_random(random) % limit;
}

static void put(struct history *history, unsigned count)
{
    char bodies[LEASE_EVENTS_MAX][16];
    struct ps_test_event events[LEASE_EVENTS_MAX];
    for (unsigned i = 0; i < count; i++) {
        assert_true(history->events < EVENTS_MAX);
        snprintf(bodies[i], sizeof bodies[i], "%u", history->events++);
        events[i] = PS_BODY(bodies[i]);
    }
    (void)lossy_queue_put_lease(&history->queue, ps_test_lease(&history->queue.stage, events, count));
}

/* Compares the event's identity with that of an earlier delivery of the event, and with those of all others. */
static void look(struct history *history, unsigned number, const char *text)
{
    assert_true(number < history->events);
    for (unsigned other = 0; other < history->events; other++) {
        if (other != number && strcmp(history->seen[other], text) == 0)
            fail_msg("events %u and %u both are %s", other, number, text);
    }
    if (history->seen[number][0] != '\0') {
        assert_string_equal(text, history->seen[number]);
        history->repeats++;
    }
    snprintf(history->seen[number], sizeof history->seen[number], "%s", text);
}

/* Takes the next lease. Returns NULL if there is none. */
static struct ps_lease *take(struct history *history)
{
    struct ps_test_stage *stage = &history->queue.stage;
    stage->now = ps_clock_now();
    struct ps_lease *lease = ps_queue_take(history->queue.queue, 0, &stage->port, &stage->now);
    for (uint32_t i = 0; lease != NULL && i < lease->count; i++) {
        struct ps_identity identity;
        char text[PS_IDENTITY_TEXT_BYTES];
        assert_true(ps_event_identity(lease, i, &identity));
        (void)ps_identity_text(&identity, text);
        look(history, (unsigned)strtoul(ps_test_lease_event(stage, lease, i).body, NULL, 10), text);
    }
    return lease;
}

static void deliver(struct history *history, struct ps_lease *lease)
{
    struct ps_test_stage *stage = &history->queue.stage;
    struct ps_lease *going = lease;
    ps_queue_done(history->queue.queue, 0, &going, &stage->port);
    stage->home_count = 0;
    ps_window_release(lease);
}

static void work(struct history *history, uint64_t *random)
{
    for (uint64_t steps = 4 + below(random, 10); steps > 0; steps--) {
        if (below(random, 2) == 0) {
            put(history, 1 + (unsigned)below(random, LEASE_EVENTS_MAX));
            continue;
        }
        struct ps_lease *lease = take(history);
        if (lease == NULL)
            lossy_queue_rest();
        else if (below(random, 3) == 0 && history->kept_count < KEPT_MAX)
            history->kept[history->kept_count++] = lease;
        else
            deliver(history, lease);
    }
}

/* One run of the agent. It ends by a stop, a kill, or a power cut at a random call. */
static void live(struct history *history, uint64_t *random)
{
    uint64_t end = below(random, 4);
    lossy_queue_start(&history->queue);
    disk.power_until = end > 0 && below(random, 2) == 0 ? disk.changes + 5 + below(random, 40) : 0;
    work(history, random);
    pthread_mutex_lock(&lock);
    if (end > 0 && disk.power_until == 0)
        disk.power_until = disk.changes + 1;
    pthread_mutex_unlock(&lock);
    while (history->kept_count > 0)
        ps_queue_untake(history->queue.queue, 0, &history->kept[--history->kept_count]);
    history->queue.stage.home_count = 0;
    (void)lossy_queue_stop(&history->queue);
    ps_test_stage_release_home(&history->queue.stage, 0); /* the leases that were given back */
    history->queue.stage.home_count = 0;
    lossy_restart(&disk, end > 1 ? random : NULL);
}

/* Takes everything that is left. */
static void drain(struct history *history)
{
    struct ps_lease *lease;
    lossy_queue_start(&history->queue);
    for (unsigned idle = 0; idle < 50; idle = lease != NULL ? 0 : idle + 1) {
        lease = take(history);
        if (lease != NULL)
            deliver(history, lease);
        else
            lossy_queue_rest();
    }
    (void)lossy_queue_stop(&history->queue);
}

static unsigned run(uint64_t *random, bool written)
{
    static struct history history; /* static: a queue whose test failed still runs */
    history = (struct history){.events = 0};
    lossy_queue_init(&history.queue);
    history.queue.written = written;
    for (unsigned i = 0; i < LIVES; i++)
        live(&history, random);
    drain(&history);
    lossy_queue_fini(&history.queue);
    return history.repeats;
}

static void test_histories(void **state)
{
    uint64_t random = ps_test_seed();
    unsigned repeats = 0;
    for (unsigned i = 0; i < HISTORIES; i++)
        repeats += run(&random, i % 2 == 1);
    assert_true(repeats > 0);
}

/* Two logs of the same directory, one after the other, number their frames alike. */
static void test_a_new_log_has_identities_of_its_own(void **state)
{
    static struct history history;
    history = (struct history){.events = 0};
    for (unsigned i = 0; i < 3; i++) {
        lossy_queue_init(&history.queue);
        lossy_queue_start(&history.queue);
        put(&history, 3);
        struct ps_lease *lease;
        while ((lease = take(&history)) == NULL)
            lossy_queue_rest();
        deliver(&history, lease);
        (void)lossy_queue_stop(&history.queue);
        lossy_queue_fini(&history.queue);
    }
    assert_int_equal(history.events, 9);
    assert_int_equal(history.repeats, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_histories, lossy_queue_setup, lossy_queue_teardown),
        cmocka_unit_test_setup_teardown(test_a_new_log_has_identities_of_its_own, lossy_queue_setup,
                                        lossy_queue_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
