/* When the durable queue records deliveries: events whose delivery was not recorded before a kill are delivered
 * again. */
#include "stages/lib/queue/queue.h"

#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <stdatomic.h>
#include <time.h>

extern const struct ps_stage_ops ps_channel_file;

/* The log on disk. `fed_unwritten` counts the calls of `feed` after a delivery that was not written yet. The durable queue's thread
 * writes these variables. */
static struct ps_store_ops ops;
static bool unwritten;
static atomic_uint fed_unwritten, taken, written;

static void noted_take(void *store, const struct ps_store_frame *frame)
{
    ps_log_store.take(store, frame);
    unwritten = true;
    atomic_fetch_add(&taken, frame->count);
}

static enum ps_status noted(enum ps_status status)
{
    if (status == PS_OK && unwritten)
        atomic_store(&written, atomic_load(&taken));
    unwritten = unwritten && status != PS_OK;
    return status;
}

static enum ps_status noted_write(void *store, struct ps_err *err)
{
    return noted(ps_log_store.write(store, err));
}

static enum ps_status noted_sync(void *store, struct ps_err *err)
{
    return noted(ps_log_store.sync(store, err));
}

static enum ps_store_fed noted_feed(void *store, struct ps_store_frame *frame, struct ps_err *err)
{
    atomic_fetch_add(&fed_unwritten, unwritten);
    return ps_log_store.feed(store, frame, err);
}

struct fixture {
    struct ps_test_stage stage;
    struct ps_queue *queue;
    struct ps_log_store_settings store;
    const char *directory;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    memset(&fixture, 0, sizeof fixture);
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    ps_test_stage_init(&fixture.stage, &ps_channel_file);
    ops = ps_log_store;
    ops.take = noted_take;
    ops.write = noted_write;
    ops.sync = noted_sync;
    ops.feed = noted_feed;
    unwritten = false;
    fed_unwritten = taken = written = 0;
    fixture.directory = ps_test_folder();
    fixture.store = (struct ps_log_store_settings){.data_directories = {1, &fixture.directory},
                                                   .state_directory = ps_test_folder(),
                                                   .segment_bytes = 1 << 20,
                                                   .files = &ps_segment_disk};
    const struct ps_queue_settings settings = {.component = "channel c1",
                                               .store = &ops,
                                               .store_settings = &fixture.store,
                                               .capacity = 100000,
                                               .sync_each = true,
                                               .producers = 1,
                                               .consumers = 1};
    fixture.queue = ps_queue_create(&settings);
    ps_queue_start(fixture.queue);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    size_t home = fixture->stage.home_count;
    ps_queue_leave(fixture->queue, 0, &fixture->stage.port);
    ps_test_stage_release_home(&fixture->stage, home);
    (void)ps_queue_strip(fixture->queue);
    ps_queue_destroy(fixture->queue);
    ps_test_stage_fini(&fixture->stage);
    return ps_test_folder_teardown(NULL);
}

static void rest(unsigned *tries)
{
    assert_true(++*tries < PS_TEST_PATIENCE_MS);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* The durable queue writes its deliveries in its next call that writes, before any other work in the store: no event is
 * put, and no time passes. */
static void test_delivered_is_written_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct ps_test_stage *stage = &fixture->stage;
    for (unsigned number = 1; number <= 20; number++) {
        struct ps_lease *lease = PS_LEASE(stage, PS_BODY("x"), PS_BODY("y"));
        unsigned tries = 0;
        while (ps_queue_put(fixture->queue, 0, &lease) != PS_PUT_OK)
            rest(&tries);
        while ((lease = ps_queue_take(fixture->queue, 0, &stage->port, &stage->now)) == NULL)
            rest(&tries);
        size_t home = stage->home_count;
        ps_queue_done(fixture->queue, 0, &lease, &stage->port);
        ps_test_stage_release_home(stage, home);
        while (atomic_load(&written) < 2 * number)
            rest(&tries);
    }
    assert_int_equal(taken, 40);
    assert_int_equal(fed_unwritten, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_delivered_is_written_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
