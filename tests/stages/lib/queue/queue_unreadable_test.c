/* The durable queue on a disk whose files cannot be read: no frame is skipped, lost or removed, the trouble is
 * reported, puts continue, and everything comes in order when the disk works again, twice. */
#include "stages/lib/queue/queue.h"

#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

extern const struct ps_stage_ops ps_channel_file;

enum what { NOTHING, FRAMES_OF_SEGMENT_2, PAYLOADS, DAMAGED_PAYLOADS };

static enum what fails;  /* atomic */
static unsigned failed;  /* failed or damaged reads so far. Atomic */
static int segment_2;    /* the descriptor of segment 2 */
static unsigned damaged; /* damaged reads of payloads so far; after DAMAGES in a row reads work. Used by the
                          * consumer's thread */

#define EVENTS 60U
#define DAMAGES 3U

static struct ps_segment_files files;
static struct ps_store_ops quick; /* the log store, which retries sooner */
static struct ps_log_store_settings store;
static struct ps_test_stage stage;
static struct ps_queue *queue;

static int noting_open(void *argument, const char *path, bool create)
{
    int fd = ps_segment_disk.open(argument, path, create);
    if (strstr(path, "/000000000002.segment") != NULL)
        segment_2 = fd;
    return fd;
}

/* Payloads are recognized by their length, which no head has; opening reads no payload, because the state has the deliveries. */
static ssize_t failing_read(void *argument, int fd, void *to, size_t length, uint64_t offset)
{
    enum what what = __atomic_load_n(&fails, __ATOMIC_SEQ_CST);
    bool is_payload = length != PS_FRAME_HEAD_BYTES && length < PS_SEGMENT_SEALED_HEAD_BYTES;
    if (what == DAMAGED_PAYLOADS && is_payload) {
        if (++damaged % DAMAGES == 0)
            __atomic_store_n(&fails, NOTHING, __ATOMIC_SEQ_CST);
        ssize_t got = ps_segment_disk.read(argument, fd, to, length, offset);
        if (got > 0)
            ((char *)to)[got - 1] ^= 1;
        __atomic_fetch_add(&failed, 1, __ATOMIC_SEQ_CST);
        return got;
    }
    if ((what == FRAMES_OF_SEGMENT_2 && fd == segment_2 && offset > 0) || (what == PAYLOADS && is_payload)) {
        __atomic_fetch_add(&failed, 1, __ATOMIC_SEQ_CST);
        errno = EIO;
        return -1;
    }
    return ps_segment_disk.read(argument, fd, to, length, offset);
}

static void fail_from_now(enum what what)
{
    __atomic_store_n(&fails, what, __ATOMIC_SEQ_CST);
}

static void start_queue(void)
{
    static const char *directory;
    directory = ps_test_folder();
    files = ps_segment_disk;
    files.open = noting_open;
    files.read = failing_read;
    store = (struct ps_log_store_settings){.data_directories = {1, &directory},
                                           .state_directory = directory,
                                           .segment_bytes = 2048,
                                           .files = &files};
    quick = ps_log_store;
    quick.retry_ns = 5 * PS_NS_PER_MS;
    struct ps_queue_settings settings = {.component = "channel c1",
                                         .store = &quick,
                                         .store_settings = &store,
                                         .capacity = 100000,
                                         .sync_each = true,
                                         .keep_alive_ms = 50,
                                         .quota_bytes = 32 << 20,
                                         .producers = 1,
                                         .consumers = 1};
    queue = ps_queue_create(&settings);
    ps_queue_start(queue);
}

static void stop_queue(void)
{
    size_t home = stage.home_count;
    ps_queue_leave(queue, 0, &stage.port);
    ps_test_stage_release_home(&stage, home);
    assert_null(ps_queue_strip(queue));
    ps_queue_destroy(queue);
}

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void put(unsigned number)
{
    char body[16];
    snprintf(body, sizeof body, "%u", number);
    struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT(body, "number", "x"));
    size_t home = stage.home_count;
    for (unsigned i = 0; ps_queue_put(queue, 0, &lease) != PS_PUT_OK; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    for (unsigned i = 0; stage.home_count == home; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        ps_queue_tick(queue, 0, &stage.port);
        rest();
    }
    stage.home_count = home;
}

/* Takes the next lease. Returns NULL if there is none at the moment. */
static struct ps_lease *take(void)
{
    stage.now = ps_clock_now();
    return ps_queue_take(queue, 0, &stage.port, &stage.now);
}

static void deliver(struct ps_lease *lease, unsigned number)
{
    char body[16];
    snprintf(body, sizeof body, "%u", number);
    struct ps_test_event event = ps_test_lease_event(&stage, lease, 0);
    assert_int_equal(event.length, strlen(body));
    assert_memory_equal(event.body, body, event.length);
    size_t home = stage.home_count;
    ps_queue_done(queue, 0, &lease, &stage.port);
    ps_test_stage_release_home(&stage, home);
}

static void expect(unsigned number)
{
    struct ps_lease *lease;
    for (unsigned i = 0; (lease = take()) == NULL; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    deliver(lease, number);
}

/* Delivers events until a read fails. Returns the number of the next event to be delivered. */
static unsigned deliver_until_failure(unsigned next)
{
    unsigned before = __atomic_load_n(&failed, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS; i++) {
        bool has_failed = __atomic_load_n(&failed, __ATOMIC_SEQ_CST) > before;
        struct ps_lease *lease = take();
        if (lease == NULL && has_failed)
            return next;
        if (lease == NULL)
            rest();
        else
            deliver(lease, next++);
    }
    fail_msg("no read failed");
    return 0;
}

/* Waits until `count` more reads have failed; meanwhile nothing comes. */
static void expect_nothing(unsigned count)
{
    unsigned before = __atomic_load_n(&failed, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; __atomic_load_n(&failed, __ATOMIC_SEQ_CST) < before + count; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        assert_null(take());
        rest();
    }
}

static void expect_trouble(bool any)
{
    char text[512] = "";
    for (unsigned i = 0; ps_queue_trouble(queue, text, sizeof text) != any; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    assert_true(!any || strstr(text, ".segment cannot be read: Input/output error") != NULL);
}

/* A backlog in several segments. After the first events the disk fails, twice. */
static void fails_twice(enum what what)
{
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    ps_test_stage_init(&stage, &ps_channel_file);
    start_queue();
    for (unsigned number = 0; number < EVENTS; number++)
        put(number);
    unsigned next = 0;
    for (unsigned round = 0; round < 2; round++) {
        stop_queue(); /* nothing is in memory */
        start_queue();
        for (unsigned end = next + (what == PAYLOADS ? 7 : 0); next < end; next++)
            expect(next);
        if (what != PAYLOADS)
            stop_queue();
        fail_from_now(what);
        if (what != PAYLOADS)
            start_queue();
        next = deliver_until_failure(next);
        assert_true(next < EVENTS);
        expect_nothing(3);
        expect_trouble(true);
        put(EVENTS + round); /* the disk still writes it */
        expect_nothing(1);
        fail_from_now(NOTHING);
        expect(next++);
        expect_trouble(false);
    }
    for (; next < EVENTS + 2; next++)
        expect(next);
    struct ps_fill fill;
    ps_queue_fill(queue, &fill);
    assert_int_equal(fill.size, 0);
    stop_queue();
    ps_test_stage_fini(&stage);
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
}

/* The consumer cannot read what the thread found. */
static void test_payloads(void **state)
{
    fails_twice(PAYLOADS);
}

/* The thread does not find the next frame. */
static void test_heads(void **state)
{
    fails_twice(FRAMES_OF_SEGMENT_2);
}

/* Some payloads are damaged when the consumer reads them, twice: their events are lost, are reported once, and do not
 * come even though later reads would be correct; all others come once. */
static void test_damaged_payloads(void **state)
{
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    ps_test_stage_init(&stage, &ps_channel_file);
    start_queue();
    for (unsigned number = 0; number < EVENTS; number++)
        put(number);
    unsigned next = 0;
    for (unsigned round = 0; round < 2; round++) {
        stop_queue(); /* nothing is in memory */
        start_queue();
        uint64_t named = ps_log_count(PS_LOG_ERROR) + ps_log_count(PS_LOG_WARN);
        expect(next++);
        unsigned before = __atomic_load_n(&failed, __ATOMIC_SEQ_CST), lost = 0;
        fail_from_now(DAMAGED_PAYLOADS);
        for (unsigned i = 0, good = 0; good == 0; i++) {
            struct ps_lease *lease = take();
            lost = __atomic_load_n(&failed, __ATOMIC_SEQ_CST) - before;
            if (lease != NULL) /* the frame may have been read before */
                deliver(lease, next + lost), next++, good = lost == DAMAGES;
            else
                rest();
            assert_true(i < PS_TEST_PATIENCE_MS);
        }
        next += lost;
        assert_true(next < EVENTS);
        for (unsigned i = 0; ps_log_count(PS_LOG_ERROR) + ps_log_count(PS_LOG_WARN) < named + lost; i++) {
            ps_queue_tick(queue, 0, &stage.port);
            assert_true(i < PS_TEST_PATIENCE_MS);
            rest();
        }
        put(EVENTS + round);
    }
    stop_queue();
    start_queue();
    for (; next < EVENTS + 2; next++)
        expect(next);
    stop_queue();
    start_queue(); /* lost events are not fed again, and no segment is kept for them */
    struct ps_fill fill;
    put(EVENTS + 2);
    expect(EVENTS + 2);
    ps_queue_fill(queue, &fill);
    assert_int_equal(fill.size, 0);
    stop_queue();
    ps_test_stage_fini(&stage);
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_payloads),
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
