/* The durable queue on a disk that fails: in which order leases are given up, and what a reload gets that comes in the middle of it. */
#include "stages/lib/queue/queue.h"

#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

extern const struct ps_stage_ops ps_channel_file;

/* A disk of the machine, of which calls fail on demand. */
struct failing {
    struct ps_segment_files files;
    int sync_errno, write_errno; /* 0: they work */
    bool sync_is_held;           /* its call does not come back before this is false */
};

static ssize_t failing_write(void *argument, int fd, const void *from, size_t length, uint64_t offset)
{
    struct failing *failing = argument;
    int error = __atomic_load_n(&failing->write_errno, __ATOMIC_SEQ_CST);
    if (error == 0)
        return ps_segment_disk.write(ps_segment_disk.argument, fd, from, length, offset);
    errno = error;
    return -1;
}

static int failing_sync(void *argument, int fd)
{
    struct failing *failing = argument;
    while (__atomic_load_n(&failing->sync_is_held, __ATOMIC_SEQ_CST))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    int error = __atomic_load_n(&failing->sync_errno, __ATOMIC_SEQ_CST);
    if (error == 0)
        return ps_segment_disk.sync(ps_segment_disk.argument, fd);
    errno = error;
    return -1;
}

struct fixture {
    struct ps_test_stage stage; /* for leases, port, pool */
    struct failing failing;
    struct ps_queue *queue;
    unsigned producers;
    struct ps_log_store_settings store;
    const char *directories[2];
};

static struct ps_queue *make_with(struct fixture *fixture, unsigned producers, unsigned consumers)
{
    fixture->store = (struct ps_log_store_settings){
        .data_directories = {2, fixture->directories},
        .state_directory = ps_test_folder(),
        .segment_bytes = 1 << 20,
        .files = &fixture->failing.files,
    };
    struct ps_queue_settings settings = {
        .component = "channel c1",
        .store = &ps_log_store,
        .store_settings = &fixture->store,
        .capacity = 100000,
        .sync_each = true,
        .keep_alive_ms = 50,
        .quota_bytes = 32 << 20,
        .producers = producers,
        .consumers = consumers,
    };
    fixture->producers = producers;
    fixture->queue = ps_queue_create(&settings);
    ps_queue_start(fixture->queue);
    return fixture->queue;
}

static struct ps_queue *make(struct fixture *fixture)
{
    return make_with(fixture, 1, 1);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    static char one[512], two[512];
    memset(&fixture, 0, sizeof fixture);
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    ps_test_stage_init(&fixture.stage, &ps_channel_file);
    fixture.failing.files = ps_segment_disk;
    fixture.failing.files.write = failing_write;
    fixture.failing.files.sync = failing_sync;
    fixture.failing.files.argument = &fixture.failing;
    snprintf(one, sizeof one, "%s/one", ps_test_folder());
    snprintf(two, sizeof two, "%s/two", ps_test_folder());
    fixture.directories[0] = one;
    fixture.directories[1] = two;
    make(&fixture);
    *state = &fixture;
    return 0;
}

static void close_queue(struct fixture *fixture)
{
    struct ps_test_stage *stage = &fixture->stage;
    size_t home = stage->home_count;
    ps_queue_leave(fixture->queue, 0, &stage->port);
    ps_test_stage_release_home(stage, home);
    for (struct ps_lease *lease = ps_queue_strip(fixture->queue); lease != NULL; lease = lease->next)
        assert_int_equal(lease->settled, lease->count); /* promised */
    ps_queue_destroy(fixture->queue);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    close_queue(fixture);
    ps_test_stage_fini(&fixture->stage);
    return ps_test_folder_teardown(NULL);
}

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void put_as(struct fixture *fixture, unsigned producer, unsigned number, bool refusable)
{
    char body[16];
    snprintf(body, sizeof body, "%u", number);
    struct ps_lease *lease = PS_LEASE(&fixture->stage, PS_EVENT(body, "number", "x"));
    lease->refusable = refusable;
    for (unsigned i = 0; ps_queue_put(fixture->queue, producer, &lease) != PS_PUT_OK; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
}

static void put(struct fixture *fixture, unsigned number, bool refusable)
{
    put_as(fixture, 0, number, refusable);
}

static void await_home(struct fixture *fixture, size_t count)
{
    for (unsigned i = 0; fixture->stage.home_count < count && i < PS_TEST_PATIENCE_MS; i++) {
        for (unsigned producer = 0; producer < fixture->producers; producer++)
            ps_queue_tick(fixture->queue, producer, &fixture->stage.port);
        rest();
    }
    assert_int_equal(fixture->stage.home_count, count);
}

/* Takes the event of this number. */
static struct ps_lease *take(struct fixture *fixture, unsigned number)
{
    struct ps_test_stage *stage = &fixture->stage;
    struct ps_lease *lease;
    char body[16];
    for (unsigned i = 0; (lease = ps_queue_take(fixture->queue, 0, &stage->port, &stage->now)) == NULL; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    assert_int_equal(lease->count, 1);
    snprintf(body, sizeof body, "%u", number);
    struct ps_test_event event = ps_test_lease_event(stage, lease, 0);
    assert_int_equal(event.length, strlen(body));
    assert_memory_equal(event.body, body, event.length);
    assert_string_equal(ps_test_event_header(&event, "number"), "x");
    return lease;
}

static void deliver(struct fixture *fixture, struct ps_lease *lease)
{
    size_t home = fixture->stage.home_count;
    ps_queue_done(fixture->queue, 0, &lease, &fixture->stage.port);
    ps_test_stage_release_home(&fixture->stage, home);
}

/* Takes and delivers events until one is `last`; they must be first, first + 1, .. */
static void assert_delivers(struct fixture *fixture, unsigned first, unsigned last)
{
    for (unsigned number = first; number <= last; number++)
        deliver(fixture, take(fixture, number));
}

static void assert_trouble(struct fixture *fixture, const char *part)
{
    char text[512] = "";
    for (unsigned i = 0; !ps_queue_trouble(fixture->queue, text, sizeof text); i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    assert_non_null(strstr(text, part));
}

/* Two sources put into one channel whose disk fails: a lease that one of them cannot refuse does not delay the refusals of
 * the other source, and is promised when the disk works again; a later lease of the same source waits with it even if it
 * could be refused. */
static void test_one_source_does_not_hold_back_refusals_of_another(void **state)
{
    struct fixture *fixture = *state;
    struct ps_test_stage *stage = &fixture->stage;
    close_queue(fixture);
    make_with(fixture, 2, 1);
    put_as(fixture, 0, 1, false);
    await_home(fixture, 1);
    __atomic_store_n(&fixture->failing.sync_is_held, true, __ATOMIC_SEQ_CST);
    put_as(fixture, 0, 2, false);
    put_as(fixture, 0, 3, true);
    put_as(fixture, 1, 4, true);
    put_as(fixture, 1, 5, true);
    __atomic_store_n(&fixture->failing.sync_errno, EIO, __ATOMIC_SEQ_CST);
    __atomic_store_n(&fixture->failing.sync_is_held, false, __ATOMIC_SEQ_CST);
    await_home(fixture, 3);
    for (unsigned i = 1; i < 3; i++) {
        struct ps_test_event event = ps_test_lease_event(stage, stage->home[i], 0);
        assert_true(stage->home[i]->failed);
        assert_int_equal(event.body[0], '3' + (int)i);
    }
    __atomic_store_n(&fixture->failing.sync_errno, 0, __ATOMIC_SEQ_CST);
    await_home(fixture, 5);
    assert_false(stage->home[3]->failed);
    assert_false(stage->home[4]->failed);
    assert_delivers(fixture, 1, 3);
}

/* A lease was given up, and a reload takes the queue apart before its source knows: it comes back as if it had never been put. The list
 * that a channel saves at a stop is not taken by a queue that cannot write. */
static void test_given_up_and_not_home(void **state)
{
    struct fixture *fixture = *state;
    struct ps_test_stage *stage = &fixture->stage;
    put(fixture, 1, true);
    await_home(fixture, 1);
    __atomic_store_n(&fixture->failing.write_errno, EIO, __ATOMIC_SEQ_CST);
    put(fixture, 2, true);
    assert_trouble(fixture, "Input/output error");
    nanosleep(&(struct timespec){.tv_sec = 3, .tv_nsec = 500000000},
              NULL); /* behind the first renew, which tells that it is not durable */
    struct ps_lease *last = PS_LEASE(stage, PS_BODY("last"));
    assert_false(ps_queue_add_last(fixture->queue, last));
    ps_queue_leave(fixture->queue, 0, &stage->port);
    struct ps_lease *back = ps_queue_strip(fixture->queue);
    assert_non_null(back);
    assert_null(back->next);
    assert_int_equal(back->settled, 0);
    assert_false(back->failed);
    ps_queue_destroy(fixture->queue);
    __atomic_store_n(&fixture->failing.write_errno, 0, __ATOMIC_SEQ_CST);
    make(fixture);
    assert_delivers(fixture, 1, 1);
}

/* Another life of the agent, with this memory budget. */
static void start_again(struct fixture *fixture, uint64_t budget_mib)
{
    close_queue(fixture);
    ps_test_stage_fini(&fixture->stage);
    ps_test_stage_init_sized(&fixture->stage, &ps_channel_file, budget_mib << 20);
    make(fixture);
}

/* The memory budget is smaller than when an event was put: the event stays, the reason is reported, and it comes when there is memory. */
static void test_an_event_beyond_the_memory(void **state)
{
    enum { LONG = 12 << 20 };
    struct fixture *fixture = *state;
    struct ps_lease *lease = NULL;
    start_again(fixture, 64);
    char *body = calloc(1, LONG);
    struct ps_test_event event = {.body = body, .length = LONG};
    struct ps_lease *large = ps_test_lease(&fixture->stage, &event, 1);
    for (unsigned i = 0; ps_queue_put(fixture->queue, 0, &large) != PS_PUT_OK; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    await_home(fixture, 1);
    free(body);
    start_again(fixture, 8);
    char text[512] = "";
    for (unsigned i = 0;
         strstr(text, "raise penstock.memory.budget, which is 8 MiB, to at least 16 times the "
                      "size of the event") == NULL;
         i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        fixture->stage.now = ps_clock_now();
        assert_null(ps_queue_take(fixture->queue, 0, &fixture->stage.port, &fixture->stage.now));
        (void)ps_queue_trouble(fixture->queue, text, sizeof text);
        rest();
    }
    start_again(fixture, 256);
    for (unsigned i = 0; lease == NULL; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        lease = ps_queue_take(fixture->queue, 0, &fixture->stage.port, &fixture->stage.now);
        rest();
    }
    assert_int_equal(lease->bytes, LONG);
    deliver(fixture, lease);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_source_does_not_hold_back_refusals_of_another, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_given_up_and_not_home, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_event_beyond_the_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
