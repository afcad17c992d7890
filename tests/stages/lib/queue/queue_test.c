/* The durable queue on a disk that fails: nothing is promised that is not synced, nothing that was taken is lost,
 * refusable leases are given up in time, and work continues when the disk works again. */
#include "stages/lib/queue/queue.h"

#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

extern const struct ps_stage_ops ps_channel_file;

/* A disk of the machine, of which calls fail on demand. */
struct failing {
    struct ps_segment_files files;
    int sync_errno, write_errno; /* 0: they work */
    bool sync_is_held;           /* its call does not come back before this is false */
    unsigned failed;
    unsigned segments, segments_max; /* segments on the disk, and their limit (0: none); used by the queue's
                                      * thread */
};

static ssize_t failing_write(void *argument, int fd, const void *from, size_t length, uint64_t offset)
{
    struct failing *failing = argument;
    int error = __atomic_load_n(&failing->write_errno, __ATOMIC_SEQ_CST);
    if (error == 0)
        return ps_segment_disk.write(ps_segment_disk.argument, fd, from, length, offset);
    __atomic_fetch_add(&failing->failed, 1, __ATOMIC_SEQ_CST);
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
    __atomic_fetch_add(&failing->failed, 1, __ATOMIC_SEQ_CST);
    errno = error;
    return -1;
}

#define SEGMENTS_MAX 4

/* The disk has room for this number of segments. */
static int failing_allocate(void *argument, int fd, uint64_t length)
{
    struct failing *failing = argument;
    if (length > PS_STATE_SLOT_BYTES * 2 && failing->segments_max > 0 &&
        failing->segments == failing->segments_max) {
        errno = ENOSPC;
        return -1;
    }
    failing->segments += length > PS_STATE_SLOT_BYTES * 2;
    return ps_segment_disk.allocate(ps_segment_disk.argument, fd, length);
}

static int failing_remove(void *argument, const char *path)
{
    struct failing *failing = argument;
    struct stat file;
    failing->segments -= stat(path, &file) == 0 && file.st_size > 0; /* one that was not allocated is empty */
    return ps_segment_disk.remove(ps_segment_disk.argument, path);
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
    fixture.failing.files.allocate = failing_allocate;
    fixture.failing.files.remove = failing_remove;
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

/* Waits for this number of failed calls. The second one is a retry, 3 s later. */
static void await_failure(struct fixture *fixture, unsigned count)
{
    for (unsigned i = 0; __atomic_load_n(&fixture->failing.failed, __ATOMIC_SEQ_CST) < count; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
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

static void test_failed_syncs_promise_nothing(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, 1, false);
    await_home(fixture, 1);
    __atomic_store_n(&fixture->failing.sync_errno, EIO, __ATOMIC_SEQ_CST);
    __atomic_store_n(&fixture->failing.sync_is_held, true, __ATOMIC_SEQ_CST);
    put(fixture, 2, false);
    put(fixture, 3, false); /* nothing of it is written after the failure */
    __atomic_store_n(&fixture->failing.sync_is_held, false, __ATOMIC_SEQ_CST);
    await_failure(fixture, 1);
    assert_trouble(fixture, "Input/output error");
    ps_queue_tick(fixture->queue, 0, &fixture->stage.port);
    assert_int_equal(fixture->stage.home_count, 1);
    struct ps_lease *lease = PS_LEASE(&fixture->stage, PS_BODY("later"));
    assert_int_equal(ps_queue_put(fixture->queue, 0, &lease), PS_PUT_FULL);
    assert_delivers(fixture, 1, 1);
    __atomic_store_n(&fixture->failing.sync_errno, 0, __ATOMIC_SEQ_CST);
    await_home(fixture, 3);
    assert_false(ps_queue_trouble(fixture->queue, (char[8]){0}, 8));
    put(fixture, 4, false);
    await_home(fixture, 4);
    assert_delivers(fixture, 2, 4);
}

/* A producer's leases that wait are limited to 16 MiB of memory. A promised lease no longer waits. */
static void test_memory_of_what_is_promised_is_free_again(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, 1, false); /* the store is open */
    await_home(fixture, 1);
    for (unsigned number = 1; number <= 3; number++) {
        struct ps_lease *lease = PS_LEASE(&fixture->stage, PS_BODY("large"));
        lease->memory_bytes = 12 << 20;
        assert_int_equal(ps_queue_put(fixture->queue, 0, &lease), PS_PUT_OK);
        struct ps_lease *next = PS_LEASE(&fixture->stage, PS_BODY("no room"));
        next->memory_bytes = (4 << 20) + 1;
        assert_int_equal(ps_queue_put(fixture->queue, 0, &next), PS_PUT_FULL);
        next->memory_bytes = 4 << 20;
        assert_int_equal(ps_queue_put(fixture->queue, 0, &next), PS_PUT_OK);
        await_home(fixture, 1 + 2 * (size_t)number);
    }
}

static struct ps_lease *lease_of(struct fixture *fixture, uint32_t memory_bytes)
{
    struct ps_lease *lease = PS_LEASE(&fixture->stage, PS_BODY("a body"));
    lease->memory_bytes = memory_bytes;
    return lease;
}

/* Leases around the share of a producer, which is its part of 16 MiB. While no lease of the producer waits, one of any size is
 * accepted, as it could never be put otherwise. While one waits, it must fit. What other producers have put does not matter. */
static void test_leases_around_the_share_of_a_producer(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned producers = 1; producers <= 3; producers++) {
        const uint32_t share = (16U << 20) / producers;
        const uint32_t sizes[] = {1, share - 1, share, share + 1, 2 * share, 64 * share};
        size_t home = fixture->stage.home_count;
        close_queue(fixture);
        make_with(fixture, producers, 1);
        put(fixture, 1, false); /* the store is open */
        await_home(fixture, ++home);
        for (size_t i = 0; i < PS_COUNT_OF(sizes); i++) {
            for (unsigned producer = 0; producer < producers; producer++) {
                struct ps_lease *lease = lease_of(fixture, sizes[i]);
                assert_int_equal(ps_queue_put(fixture->queue, producer, &lease), PS_PUT_OK);
            }
            for (unsigned producer = 0; producer < producers; producer++) {
                uint32_t left = sizes[i] < share ? share - sizes[i] : 0;
                struct ps_lease *lease = lease_of(fixture, left + 1);
                assert_int_equal(ps_queue_put(fixture->queue, producer, &lease), PS_PUT_FULL);
                lease->memory_bytes = left;
                if (left > 0)
                    assert_int_equal(ps_queue_put(fixture->queue, producer, &lease), PS_PUT_OK);
                home += left > 0 ? 2 : 1;
            }
            await_home(fixture, home);
        }
    }
}

/* Somebody removes the data directories: nothing is promised that a restart would not find, until they are there again. */
static void test_removed_directories_promise_nothing(void **state)
{
    struct fixture *fixture = *state;
    char command[2048];
    put(fixture, 1, false);
    await_home(fixture, 1);
    snprintf(command, sizeof command, "rm -r %s %s", fixture->directories[0], fixture->directories[1]);
    assert_int_equal(system(command), 0);
    put(fixture, 2, false);
    assert_trouble(fixture, "removed or replaced");
    ps_queue_tick(fixture->queue, 0, &fixture->stage.port);
    assert_int_equal(fixture->stage.home_count, 1);
    assert_int_equal(mkdir(fixture->directories[0], 0750), 0);
    assert_int_equal(mkdir(fixture->directories[1], 0750), 0);
    await_home(fixture, 2);
    assert_false(ps_queue_trouble(fixture->queue, (char[8]){0}, 8));
    close_queue(fixture);
    make(fixture);
    assert_delivers(fixture, 2, 2);
}

/* Leases that can be refused are refused, unless they can wait; the order is kept, so one that waits holds up later
 * ones. */
static void test_refusable_leases_are_given_up(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, 1, true);
    await_home(fixture, 1);
    assert_false(fixture->stage.home[0]->failed);
    __atomic_store_n(&fixture->failing.write_errno, ENOSPC, __ATOMIC_SEQ_CST);
    put(fixture, 2, true);
    await_home(fixture, 2);
    assert_true(fixture->stage.home[1]->failed);
    assert_trouble(fixture, "No space left");
    struct ps_fill fill;
    ps_queue_fill(fixture->queue, &fill);
    assert_int_equal(fill.size, 1);
    __atomic_store_n(&fixture->failing.write_errno, 0, __ATOMIC_SEQ_CST);
    put(fixture, 3, true);
    await_home(fixture, 3);
    assert_false(fixture->stage.home[2]->failed);
    assert_delivers(fixture, 1, 1);
    assert_delivers(fixture, 3, 3);
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

/* One sink takes events and delivers none: the thread, which only takes wake up, feeds the other sink and then this
 * one. */
static void test_a_sink_that_hangs_leaves_the_rest_to_the_other(void **state)
{
    struct fixture *fixture = *state;
    struct ps_test_stage *stage = &fixture->stage;
    enum { EVENTS = 3 * 128 };
    static struct ps_lease *hung[EVENTS];
    unsigned hung_count = 0, taken = 0;
    close_queue(fixture);
    make_with(fixture, 1, 2);
    for (unsigned i = 0; i < EVENTS; i++)
        put(fixture, i, false);
    await_home(fixture, EVENTS);
    while (hung_count < 128) { /* as many as are read ahead */
        hung[hung_count] = ps_queue_take(fixture->queue, 1, &stage->port, &stage->now);
        hung_count += hung[hung_count] != NULL;
    }
    for (unsigned i = 0; taken < EVENTS - 128; i++) {
        struct ps_lease *lease = ps_queue_take(fixture->queue, 0, &stage->port, &stage->now);
        if (lease == NULL) {
            assert_true(i < PS_TEST_PATIENCE_MS);
            rest();
            continue;
        }
        taken++;
        hung[hung_count++] = lease; /* this one does not deliver before it has all, either */
    }
    while (hung_count > 0)
        deliver(fixture, hung[--hung_count]);
    ps_queue_leave(fixture->queue, 1, &stage->port);
}

/* The disk is full; when sinks have delivered events, their room is used again. */
static void test_delivered_room_of_a_full_disk_is_used_again(void **state)
{
    struct fixture *fixture = *state;
    static char body[60000];
    fixture->failing.segments_max = SEGMENTS_MAX;
    for (unsigned i = 0;; i++) {
        struct ps_test_event event = {.body = body, .length = sizeof body};
        struct ps_lease *lease = ps_test_lease(&fixture->stage, &event, 1);
        lease->refusable = true;
        while (ps_queue_put(fixture->queue, 0, &lease) != PS_PUT_OK)
            rest();
        await_home(fixture, i + 1);
        if (fixture->stage.home[i]->failed)
            break;
        assert_true(i < SEGMENTS_MAX * 18);
    }
    assert_trouble(fixture, "No space left on device: the channel allocates the whole segment of 1 MiB in "
                            "advance: free that much space");
    for (size_t left = fixture->stage.home_count - 1; left > 0; left--) {
        struct ps_test_stage *stage = &fixture->stage;
        struct ps_lease *lease;
        while ((lease = ps_queue_take(fixture->queue, 0, &stage->port, &stage->now)) == NULL)
            rest();
        size_t home = stage->home_count;
        struct ps_lease *going = lease;
        ps_queue_done(fixture->queue, 0, &going, &stage->port);
        ps_test_stage_release_home(stage, home);
    }
    size_t home = fixture->stage.home_count;
    put(fixture, 7, true);
    await_home(fixture, home + 1);
    assert_false(fixture->stage.home[home]->failed);
    assert_delivers(fixture, 7, 7);
}

/* Leases that an agent has put when it stops, while the disk does not work, come back to the engine. */
static void stop_of_a_broken_disk(struct fixture *fixture, unsigned failures)
{
    put(fixture, 1, false);
    await_home(fixture, 1);
    __atomic_store_n(&fixture->failing.write_errno, ENOSPC, __ATOMIC_SEQ_CST);
    put(fixture, 2, false);
    await_failure(fixture, failures);
    struct ps_lease *left = ps_queue_strip(fixture->queue);
    assert_non_null(left);
    assert_null(left->next);
    assert_int_equal(left->settled, 0);
    struct ps_fill fill;
    ps_queue_fill(fixture->queue, &fill);
    assert_int_equal(fill.size, 1); /* events that stay on disk */
    ps_queue_destroy(fixture->queue);
    __atomic_store_n(&fixture->failing.write_errno, 0, __ATOMIC_SEQ_CST);
    make(fixture);
    assert_delivers(fixture, 1, 1);
}

static void test_a_stop_gives_back_what_is_not_written(void **state)
{
    stop_of_a_broken_disk(*state, 1);
}

/* The same, when the disk was tried again without success. */
static void test_a_stop_after_a_retry(void **state)
{
    stop_of_a_broken_disk(*state, 2);
}

/* A byte of a frame is changed on the disk: the frame is left out and counted, the others are delivered. */
static void test_a_damaged_frame_is_left_out(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 1; i <= 3; i++) {
        put(fixture, i, false);
        await_home(fixture, i);
    }
    close_queue(fixture);
    char path[600];
    snprintf(path, sizeof path, "%s/two/000000000001.segment",
             ps_test_folder()); /* segment 1 of 2 directories */
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    long frame = 48 + 48; /* a head and a payload of 16 + 8 + 1 + 8 + 1 + 8 bytes, in steps of 8 */
    assert_int_equal(fseek(file, 64 + frame + 48 + 16 + 8, SEEK_SET), 0); /* the body of the second */
    assert_int_equal(fgetc(file), '2');
    assert_int_equal(fseek(file, -1, SEEK_CUR), 0);
    fputc('7', file);
    fclose(file);
    make(fixture);
    assert_delivers(fixture, 1, 1);
    assert_delivers(fixture, 3, 3);
    struct ps_fill fill = {.size = 1};
    for (unsigned i = 0; fill.size > 0; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
        ps_queue_fill(fixture->queue, &fill);
    }
}

#define SCATTERED 24U

/* A sink delivers events in another order than it took them, and some never: after each restart only these come
 * again, and only these count for the capacity. */
static void test_what_is_delivered_behind_another_is_recorded(void **state)
{
    struct fixture *fixture = *state;
    struct ps_lease *leases[SCATTERED];
    unsigned left[SCATTERED], count = SCATTERED;
    uint64_t random = ps_test_seed();
    for (unsigned i = 0; i < count; i++) {
        put(fixture, i, false);
        await_home(fixture, i + 1);
        left[i] = i;
    }
    while (count > 0) {
        for (unsigned i = 0; i < count; i++) {
            leases[i] = take(fixture, left[i]);
            assert_true(leases[i]->batch->any_order);
        }
        unsigned stuck =
            count / 2; /* at random from the remaining ones: the others are delivered, in any order */
        for (unsigned some = count; some > stuck; some--) {
            unsigned drawn = (unsigned)(ps_test_random(&random) % some);
            deliver(fixture, leases[drawn]);
            memmove(leases + drawn, leases + drawn + 1, (some - drawn - 1) * sizeof leases[0]);
            memmove(left + drawn, left + drawn + 1, (some - drawn - 1) * sizeof left[0]);
        }
        count = stuck;
        for (unsigned i = 0; ps_queue_undelivered(fixture->queue) != count; i++) {
            assert_true(i < PS_TEST_PATIENCE_MS);
            rest();
        }
        while (stuck > 0) /* newest first */
            ps_queue_untake(fixture->queue, 0, &leases[--stuck]);
        close_queue(fixture);
        make(fixture);
    }
    put(fixture, SCATTERED, false);
    await_home(fixture, SCATTERED + 1);
    assert_delivers(fixture, SCATTERED, SCATTERED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_failed_syncs_promise_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_of_what_is_promised_is_free_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_leases_around_the_share_of_a_producer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_removed_directories_promise_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusable_leases_are_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_source_does_not_hold_back_refusals_of_another, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_sink_that_hangs_leaves_the_rest_to_the_other, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_delivered_room_of_a_full_disk_is_used_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stop_gives_back_what_is_not_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stop_after_a_retry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_damaged_frame_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_delivered_behind_another_is_recorded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
