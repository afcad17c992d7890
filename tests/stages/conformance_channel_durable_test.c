/* Checks what core/stage.h requires of durable channels, on one thread: they fulfil the promise of a put later, hand out batches of their
 * own, and keep what they promised over a restart and over a kill of the process. conformance_channel_test.c checks the others. */
#include "tests/stages/conformance_channel.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct adapter durable_adapters[] = {
#if !OURS
    {.ops = NULL},
#else
    {.ops = &ps_channel_file,
     .keys = {"checkpointDir", "@state", "dataDirs", "@one,@two", "capacity", "20", "transactionCapacity",
              "5"},
     .capacity = 20},
    {.ops = &ps_channel_spillablememory,
     .keys = {"checkpointDir", "@state", "dataDirs", "@one,@two", "memoryCapacity", "0", "overflowCapacity",
              "20", "transactionCapacity", "5"},
     .capacity = 20},
    {.ops = &ps_channel_jdbc,
     .keys = {"driver.url", "jdbc:sqlite:@db", "maximum.capacity", "20"},
     .capacity = 20},
#endif
};

/* A channel may move on in its ticks. */
static void rest(struct ps_test_stage *stage)
{
    const struct ps_channel_ops *ops = stage->ops->channel;
    (void)ops->tick(stage->plan, 0, &stage->port, &stage->now);
    if (ops->consumer_tick != NULL)
        (void)ops->consumer_tick(stage->plan, 0, &stage->port, &stage->now);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static struct ps_lease *put_durable(struct ps_test_stage *stage, const char *body)
{
    struct ps_lease *lease = PS_LEASE(stage, PS_EVENT(body, "name", "value"), PS_BODY(body));
    for (unsigned i = 0; put(stage, 0, lease) == PS_PUT_FULL; i++) { /* the channel is not open yet */
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest(stage);
    }
    return lease;
}

static struct ps_lease *take_any(struct ps_test_stage *stage)
{
    struct ps_lease *lease = NULL;
    for (unsigned i = 0; (lease = take(stage, 0)) == NULL; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest(stage);
    }
    return lease;
}

/* Checks the first or second event of put_durable. */
static void check_durable(struct ps_test_stage *stage, const struct ps_lease *lease, uint32_t at,
                          const char *body, bool first)
{
    struct ps_test_event event = ps_test_lease_event(stage, lease, at);
    assert_int_equal(event.length, strlen(body));
    assert_memory_equal(event.body, body, event.length);
    assert_int_equal(ps_test_event_header_count(&event), first ? 1 : 0);
}

static struct ps_lease *take_durable(struct ps_test_stage *stage, const char *body)
{
    struct ps_lease *lease = take_any(stage);
    assert_int_equal(lease->count, 2);
    for (uint32_t i = 0; i < 2; i++)
        check_durable(stage, lease, i, body, i == 0);
    return lease;
}

/* Takes and delivers events with these bodies, however many are in a batch. */
static void deliver_durable(struct ps_test_stage *stage, const char *const *bodies, uint32_t count)
{
    for (uint32_t seen = 0; seen < 2 * count;) {
        struct ps_lease *lease = take_any(stage);
        assert_true(seen + lease->count <= 2 * count);
        for (uint32_t i = 0; i < lease->count; i++, seen++)
            check_durable(stage, lease, i, bodies[seen / 2], seen % 2 == 0);
        ps_test_channel_deliver(stage, lease);
    }
}

static void leave(struct ps_test_stage *stage)
{
    size_t home = stage->home_count;
    if (stage->ops->channel->leave != NULL)
        stage->ops->channel->leave(stage->plan, 0, &stage->port);
    ps_test_stage_release_home(stage, home);
}

/* Events are promised in order, and taken in order, those given back first; after a restart events that were not
 * delivered come again, and delivered ones do not. */
static void test_durable_promises_and_restarts(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(durable_adapters); i++) {
        struct ps_test_stage stage;
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        start(&stage, &durable_adapters[i], 1, 1);
        struct ps_lease *leases[] = {put_durable(&stage, "a"), put_durable(&stage, "b"),
                                     put_durable(&stage, "c")};
        ps_test_channel_await_home(&stage, 3);
        for (size_t k = 0; k < 3; k++) {
            assert_ptr_equal(stage.home[k], leases[k]);
            assert_false(leases[k]->failed);
        }
        assert_int_equal(fill(&stage).size, 6);
        deliver_durable(&stage, PS_WORDS("a", "b", "c"), 3);
        put_durable(&stage, "bb");
        struct ps_lease *second = take_durable(&stage, "bb");
        put_durable(&stage, "");
        struct ps_lease *third = take_durable(&stage, "");
        assert_int_equal(fill(&stage).size, 0);
        untake(&stage, 0, third);
        untake(&stage, 0, second);
        assert_int_equal(fill(&stage).size, 4);
        ps_test_channel_await_home(&stage, 5);
        leave(&stage);
        assert_null(strip(&stage));
        ps_test_stage_fini(&stage);
        start(&stage, &durable_adapters[i], 1, 1);
        put_durable(&stage, "later");
        deliver_durable(&stage, PS_WORDS("bb", "", "later"), 3);
        ps_test_channel_await_home(&stage, 1);
        assert_null(take(&stage, 0));
        assert_int_equal(fill(&stage).size, 0);
        leave(&stage);
        assert_null(strip(&stage));
        ps_test_stage_fini(&stage);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

#if OURS
/* Events that were put before the channel could write, and leases that were promised but not released yet: the engine
 * gets both at the end. */
static void test_durable_strip_and_restore(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(durable_adapters); i++) {
        struct ps_test_stage stage;
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        start(&stage, &durable_adapters[i], 1, 1);
        struct ps_lease *lease = put_durable(&stage, "x");
        /* `strip` writes the lease to disk first */
        struct ps_lease *list = strip(&stage);
        assert_ptr_equal(list, lease);
        assert_null(list->next);
        assert_int_equal(list->settled, list->count);
        lease = PS_LEASE(&stage, PS_EVENT("y", "name", "value"), PS_BODY("y"));
        stage.ops->channel->engine->restore(stage.plan, lease);
        assert_int_equal(fill(&stage).size, 4);
        ps_test_stage_fini(&stage);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}
#endif

static void test_durable_is_full(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(durable_adapters); i++) {
        struct ps_test_stage stage;
        unsigned count = 0;
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        start(&stage, &durable_adapters[i], 1, 1);
        put_durable(&stage, "0");
        struct ps_lease *refused = NULL;
        for (count = 1; refused == NULL; count++) {
            struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("0", "name", "value"), PS_BODY("0"));
            if (put(&stage, 0, lease) == PS_PUT_FULL)
                refused = lease;
            assert_true(2 * (count - 1) <= durable_adapters[i].capacity);
        }
        assert_in_range(2 * (count - 1), durable_adapters[i].capacity - 1, durable_adapters[i].capacity);
        ps_test_channel_await_home(&stage, count - 1);
        assert_int_equal(put(&stage, 0, refused), PS_PUT_FULL);
        ps_test_channel_deliver(&stage, take_any(&stage));
        assert_int_not_equal(put(&stage, 0, refused), PS_PUT_FULL);
        ps_test_channel_await_home(&stage, count);
        leave(&stage);
        assert_null(strip(&stage));
        ps_test_stage_fini(&stage);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

/* ---- a durable channel whose process is killed ---- */

#define KILLED_EVENTS 40U
#define KILLED_BEHIND 4U /* events that are put and not delivered yet */

struct killed_news {
    uint32_t promised, begun; /* events that are promised; events whose delivery has begun */
};

static void put_number(struct ps_test_stage *stage, uint32_t number)
{
    char body[16];
    snprintf(body, sizeof body, "%u", number);
    struct ps_lease *lease = PS_LEASE(stage, PS_EVENT(body, "name", "value"));
    for (unsigned i = 0; put(stage, 0, lease) == PS_PUT_FULL; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest(stage);
    }
}

static uint32_t number_of(struct ps_test_stage *stage, const struct ps_lease *lease, uint32_t at)
{
    struct ps_test_event event = ps_test_lease_event(stage, lease, at);
    char body[16];
    assert_in_range(event.length, 1, sizeof body - 1);
    snprintf(body, sizeof body, "%.*s", (int)event.length, event.body);
    assert_int_equal(ps_test_event_header_count(&event), 1);
    return (uint32_t)strtoul(body, NULL, 10);
}

/* Puts numbers, and delivers them a little later. Tells what is promised once it is, and what is delivered before. */
static _Noreturn void put_until_killed(struct adapter *adapter, int output)
{
    struct ps_test_stage stage;
    struct killed_news news = {0, 0};
    start(&stage, adapter, 1, 1);
    for (uint32_t number = 0; number < KILLED_EVENTS; number++) {
        put_number(&stage, number);
        ps_test_channel_await_home(&stage, number + 1);
        if (!stage.home[number]->failed)
            news.promised = number + 1;
        (void)!write(output, &news, sizeof news);
        while (news.promised > news.begun + KILLED_BEHIND) {
            struct ps_lease *lease = take_any(&stage);
            news.begun += lease->count;
            (void)!write(output, &news, sizeof news);
            ps_test_channel_deliver(&stage, lease);
        }
    }
    for (;;)
        pause();
}

/* Runs it in a process that is killed after `count` news. Returns the last of them. */
static struct killed_news kill_after(struct adapter *adapter, unsigned count)
{
    struct killed_news news = {0, 0};
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a check that is ended leaves no process behind */
        close(ends[0]);
        put_until_killed(adapter, ends[1]);
    }
    close(ends[1]);
    for (unsigned i = 0; i < count; i++) {
        if (read(ends[0], &news, sizeof news) != sizeof news)
            fail_msg("%s: the process that puts events has ended", adapter->ops->name);
    }
    kill(child, SIGKILL);
    while (read(ends[0], &news, sizeof news) == sizeof news) /* what it told before the signal came */
        ;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return news;
}

/* Takes events until the last one, which was put after the kill. */
static void check_killed(struct ps_test_stage *stage, const struct killed_news *news)
{
    uint32_t next = 0, number = 0;
    for (bool any = false; number != KILLED_EVENTS;) {
        struct ps_lease *lease = take_any(stage);
        for (uint32_t k = 0; k < lease->count; k++, any = true) {
            number = number_of(stage, lease, k);
            uint32_t lost = any ? next : news->begun; /* if it is promised and does not come now */
            if (lost < news->promised && number > lost)
                fail_msg("%s: after a kill event %u is lost, which was promised", stage->ops->name, lost);
            if (any && number < next)
                fail_msg("%s: after a kill event %u comes behind event %u", stage->ops->name, number,
                         next - 1);
            next = number + 1;
        }
        ps_test_channel_deliver(stage, lease);
    }
}

/* All that was promised and not delivered comes, in order and once, and nothing that was not put. What was delivered
 * may come again: the kill may have come before the channel recorded it. */
static void test_durable_is_killed(void **unused)
{
    uint64_t random = ps_test_seed();
    for (size_t i = 0; i < PS_COUNT_OF(durable_adapters) * 4; i++) {
        struct adapter *adapter = &durable_adapters[i / 4];
        struct ps_test_stage stage;
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        struct killed_news news = kill_after(adapter, 1 + (unsigned)(ps_test_random(&random) % 70));
        start(&stage, adapter, 1, 1);
        put_number(&stage, KILLED_EVENTS); /* the channel is open: behind all that it has */
        check_killed(&stage, &news);
        ps_test_channel_await_home(&stage, 1);
        leave(&stage);
        assert_null(strip(&stage));
        ps_test_stage_fini(&stage);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

/* ---- a durable channel with two consumers ---- */

#define SHARED_EVENTS 10U

static struct ps_lease *take_of_two(struct ps_test_stage *stage, unsigned consumer)
{
    const struct ps_channel_ops *ops = stage->ops->channel;
    (void)ops->tick(stage->plan, 0, &stage->port, &stage->now);
    if (ops->consumer_tick != NULL)
        (void)ops->consumer_tick(stage->plan, consumer, &stage->port, &stage->now);
    return take(stage, consumer);
}

/* Both take in turn: each event goes to one of them, once, and each gets its own in order, also what it gave back. */
static void share_among_two(struct ps_test_stage *stage)
{
    const struct ps_channel_ops *ops = stage->ops->channel;
    bool seen[SHARED_EVENTS] = {false};
    int newest[2] = {-1, -1};
    for (unsigned i = 0, count = 0; count < SHARED_EVENTS; i++) {
        unsigned consumer = i % 2;
        struct ps_lease *lease = take_of_two(stage, consumer);
        assert_true(i < PS_TEST_PATIENCE_MS);
        if (lease == NULL) {
            rest(stage);
            continue;
        }
        untake(stage, consumer, lease);
        assert_ptr_equal(take(stage, consumer), lease);
        for (uint32_t k = 0; k < lease->count; k++, count++) {
            uint32_t number = number_of(stage, lease, k);
            assert_true(number < SHARED_EVENTS && !seen[number]);
            seen[number] = true;
            assert_true((int)number > newest[consumer]);
            newest[consumer] = (int)number;
        }
        size_t home = stage->home_count;
        ops->done(stage->plan, consumer, &lease, &stage->port);
        assert_int_equal(stage->home_count, home + 1);
        ps_test_stage_release_home(stage, home);
    }
}

static void leave_both(struct ps_test_stage *stage)
{
    leave(stage);
    if (stage->ops->channel->leave != NULL)
        stage->ops->channel->leave(stage->plan, 1, &stage->port);
    assert_null(strip(stage));
}

static void test_durable_two_consumers(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(durable_adapters); i++) {
        struct ps_test_stage stage;
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        for (unsigned run = 0; run < 2; run++) { /* the second finds nothing of the first */
            start(&stage, &durable_adapters[i], 1, 2);
            for (uint32_t number = 0; number < SHARED_EVENTS; number++)
                put_number(&stage, number);
            ps_test_channel_await_home(&stage, SHARED_EVENTS);
            share_among_two(&stage);
            assert_null(take(&stage, 0));
            assert_null(take(&stage, 1));
            assert_int_equal(fill(&stage).size, 0);
            leave_both(&stage);
            ps_test_stage_fini(&stage);
        }
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

#if OURS
#define BACK_LEASES 4U

static struct ps_lease *await_of_two(struct ps_test_stage *stage, unsigned consumer)
{
    struct ps_lease *lease;
    for (unsigned i = 0; (lease = take_of_two(stage, consumer)) == NULL; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest(stage);
    }
    return lease;
}

/* The first consumer gives all back, and its destination stays down: the second one gets it, in order. It delivers the first lease and gives the others back. */
static void give_to_the_other(struct ps_test_stage *stage)
{
    struct ps_lease *leases[BACK_LEASES];
    for (unsigned i = 0; i < BACK_LEASES;
         i++) { /* taken one by one, so that each is a lease in the database, too */
        put_number(stage, i);
        leases[i] = await_of_two(stage, 0);
    }
    ps_test_channel_await_home(stage, BACK_LEASES);
    uint64_t left = fill(stage).size;
    for (unsigned i = BACK_LEASES; i > 0; i--)
        untake(stage, 0, leases[i - 1]);
    for (unsigned i = 0; i < BACK_LEASES; i++)
        assert_ptr_equal(take(stage, 1), leases[i]);
    assert_int_equal(fill(stage).size, left);
    assert_int_equal(number_of(stage, leases[0], 0), 0);
    for (unsigned i = BACK_LEASES; i > 1; i--)
        untake(stage, 1, leases[i - 1]);
    size_t home = stage->home_count;
    stage->ops->channel->done(stage->plan, 1, &leases[0], &stage->port);
    ps_test_stage_release_home(stage, home);
}

/* What is given back when both leave is neither delivered nor lost: the next start has it. */
static void test_durable_given_back_is_for_any(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(durable_adapters); i++) {
        struct ps_test_stage stage;
        bool seen[BACK_LEASES] = {false};
        uint32_t count = 0;
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        start(&stage, &durable_adapters[i], 1, 2);
        give_to_the_other(&stage);
        uint64_t left = fill(&stage).size;
        size_t home = stage.home_count;
        leave_both(&stage);
        ps_test_stage_release_home(&stage, home);
        ps_test_stage_fini(&stage);
        start(&stage, &durable_adapters[i], 1, 2);
        while (count < left) {
            struct ps_lease *lease = await_of_two(&stage, 0);
            for (uint32_t k = 0; k < lease->count; k++, count++) {
                uint32_t number = number_of(&stage, lease, k);
                assert_true(number < BACK_LEASES && !seen[number]);
                seen[number] = true;
            }
            ps_test_channel_deliver(&stage, lease);
        }
        assert_false(seen[0]);
        assert_null(take(&stage, 0));
        assert_int_equal(fill(&stage).size, 0);
        leave_both(&stage);
        ps_test_stage_fini(&stage);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durable_promises_and_restarts),
#if OURS
        cmocka_unit_test(test_durable_strip_and_restore),
#endif
        cmocka_unit_test(test_durable_is_full),
        cmocka_unit_test(test_durable_is_killed),
        cmocka_unit_test(test_durable_two_consumers),
#if OURS
        cmocka_unit_test(test_durable_given_back_is_for_any),
#endif
    };
    return durable_adapters[0].ops != NULL ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
