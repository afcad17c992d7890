/* The power goes while a keeper works, at each call that changes the disk: what it promised and nobody took comes after the
 * restart, in order; what was taken may come again; nothing else comes. The unsynced writes that are left are drawn. */
#include "stages/keeper/keeper.h"

#include "core/flow/window.h"
#include "tests/support/folder.h"
#include "tests/support/lossy_files.h"
#include "tests/support/stage.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

extern const struct ps_stage_ops ps_channel_file;

#define EVENTS 14U

/* The keeper's thread writes while the test reads: one call at a time. */
static struct lossy_disk disk;
static struct ps_segment_files bare;
static pthread_mutex_t lock;

#define ONE_AT_A_TIME(type, expression)                                                                      \
    pthread_mutex_lock(&lock);                                                                               \
    type result = expression;                                                                                \
    pthread_mutex_unlock(&lock);                                                                             \
    return result

static int locked_open(void *argument, const char *path, bool create)
{
    ONE_AT_A_TIME(int, bare.open(argument, path, create));
}

static int locked_close(void *argument, int fd)
{
    ONE_AT_A_TIME(int, bare.close(argument, fd));
}

static ssize_t locked_read(void *argument, int fd, void *to, size_t length, uint64_t offset)
{
    ONE_AT_A_TIME(ssize_t, bare.read(argument, fd, to, length, offset));
}

static ssize_t locked_write(void *argument, int fd, const void *from, size_t length, uint64_t offset)
{
    ONE_AT_A_TIME(ssize_t, bare.write(argument, fd, from, length, offset));
}

static int locked_allocate(void *argument, int fd, uint64_t length)
{
    ONE_AT_A_TIME(int, bare.allocate(argument, fd, length));
}

static struct ps_segment_files locked_files(void)
{
    struct ps_segment_files files = lossy_files(&disk);
    bare = files;
    files.open = locked_open;
    files.close = locked_close;
    files.read = locked_read;
    files.write = locked_write;
    files.allocate = locked_allocate;
    return files;
}

struct fixture {
    struct ps_test_stage stage;
    struct ps_segment_files files;
    struct ps_keeper *keeper;
    struct ps_log_store_settings store;
    const char *directories[2];
    bool promised[EVENTS], taken[EVENTS];
};

static void start_keeper(struct fixture *fixture)
{
    fixture->store = (struct ps_log_store_settings){
        .data_directories = {2, fixture->directories},
        .state_directory = ps_test_folder(),
        .segment_bytes = 1024,
        .files = &fixture->files,
    };
    struct ps_keeper_settings settings = {
        .component = "channel c1",
        .store = &ps_log_store,
        .store_settings = &fixture->store,
        .capacity = 1000,
        .sync_each = true,
        .keep_alive_ms = 1,
        .quota_bytes = 32 << 20,
        .producers = 1,
        .consumers = 1,
    };
    fixture->keeper = ps_keeper_create(&settings);
    ps_keeper_start(fixture->keeper);
}

static void stop_keeper(struct fixture *fixture)
{
    struct ps_test_stage *stage = &fixture->stage;
    ps_keeper_leave(fixture->keeper, 0, &stage->port);
    struct ps_lease *left = ps_keeper_strip(fixture->keeper);
    assert_true(left == NULL || left->failed || left->settled == left->count);
    ps_keeper_destroy(fixture->keeper);
}

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

/* Puts an event and waits until it comes home. Returns whether it was promised. */
static bool put(struct fixture *fixture, unsigned number)
{
    struct ps_test_stage *stage = &fixture->stage;
    char body[200];
    snprintf(body, sizeof body, "%-*u", (int)(number * 37 % 180), number);
    struct ps_lease *lease = PS_LEASE(stage, PS_BODY(body));
    lease->refusable = true;
    enum ps_put put = PS_PUT_FULL;
    for (unsigned i = 0;
         i < 5 * PS_TEST_PATIENCE_MS && (put = ps_keeper_put(fixture->keeper, 0, &lease)) != PS_PUT_OK; i++) {
        if (disk.power_until > 0 && disk.changes >= disk.power_until)
            return false;
        rest();
    }
    assert_int_equal(put, PS_PUT_OK);
    stage->home_count = 0;
    for (unsigned i = 0; stage->home_count == 0; i++) {
        assert_true(i < 50000);
        ps_keeper_tick(fixture->keeper, 0, &stage->port);
        rest();
    }
    bool promised = !stage->home[0]->failed;
    stage->home_count = 0;
    return promised;
}

/* Takes and delivers the next event. Returns its number, or EVENTS if there is none. */
static unsigned deliver(struct fixture *fixture)
{
    struct ps_test_stage *stage = &fixture->stage;
    struct ps_lease *lease = ps_keeper_take(fixture->keeper, 0, &stage->port, &stage->now);
    if (lease == NULL)
        return EVENTS;
    assert_int_equal(lease->count, 1);
    unsigned number = (unsigned)strtoul(ps_test_lease_event(stage, lease, 0).body, NULL, 10);
    assert_true(number < EVENTS);
    struct ps_lease *going = lease;
    ps_keeper_done(fixture->keeper, 0, &going, &stage->port);
    stage->home_count = 0;
    ps_window_release(lease);
    return number;
}

/* Works until the power goes. Returns whether it did. */
static bool work(struct fixture *fixture)
{
    start_keeper(fixture);
    bool works = true;
    for (unsigned number = 0; works && number < EVENTS; number++) {
        works = fixture->promised[number] = put(fixture, number);
        unsigned taken = number % 3 != 0 ? deliver(fixture) : EVENTS;
        if (taken < EVENTS)
            fixture->taken[taken] = true;
    }
    stop_keeper(fixture);
    return disk.power_until > 0 && disk.changes >= disk.power_until;
}

/* Everything that was promised and not taken comes; each event once, in order. */
static void expect_rest(struct fixture *fixture)
{
    unsigned next = 0, idle = 0;
    bool came[EVENTS] = {false};
    start_keeper(fixture);
    for (bool all = false; !all || idle < 20;) {
        unsigned number = deliver(fixture);
        if (number < EVENTS) {
            assert_true(number >= next);
            next = number + 1;
            came[number] = true;
        }
        idle = number < EVENTS ? 0 : idle + 1;
        assert_true(idle < 20000);
        all = true;
        for (unsigned i = 0; i < EVENTS; i++)
            all &= came[i] || !fixture->promised[i] || fixture->taken[i];
        if (number == EVENTS)
            rest();
    }
    stop_keeper(fixture);
}

static void test_power_cuts(void **state)
{
    static struct fixture fixture; /* a keeper of a test that fails goes on */
    static char one[512], two[512];
    uint64_t seed = ps_test_seed();
    (void)state;
    snprintf(one, sizeof one, "%s/one", ps_test_folder());
    snprintf(two, sizeof two, "%s/two", ps_test_folder());
    bool gone = true;
    for (uint64_t cut = 1; gone; cut++) {
        fixture = (struct fixture){.directories = {one, two}};
        uint64_t random = seed * 1000 + cut;
        lossy_init(&disk);
        fixture.files = locked_files();
        ps_test_stage_init(&fixture.stage, &ps_channel_file);
        disk.power_until = cut;
        gone = work(&fixture);
        lossy_restart(&disk, &random);
        expect_rest(&fixture);
        ps_test_stage_fini(&fixture.stage);
        lossy_fini(&disk);
        assert_true(cut < 500);
    }
}

static int set_up(void **state)
{
    pthread_mutexattr_t kind;
    (void)state;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &kind);
    pthread_mutexattr_destroy(&kind);
    return ps_test_folder_setup(NULL);
}

static int tear_down(void **state)
{
    (void)state;
    pthread_mutex_destroy(&lock);
    return ps_test_folder_teardown(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_power_cuts, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
