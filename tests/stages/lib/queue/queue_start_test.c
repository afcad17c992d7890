/* A durable queue whose thread or descriptor is refused, e.g. after a reload on a machine that has reached a limit: it says
 * so, and starts when it can, on the worker of the first producer, or of the first consumer if there is no producer. */
#include "core/flow/engine_channel.h"
#include "tests/support/folder.h"
#include "tests/support/no_descriptors.h"
#include "tests/support/stage.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

extern const struct ps_stage_ops ps_channel_file, ps_channel_spillablememory;

static bool no_thread;

/* Replaces the function of libc. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (no_thread)
        return EAGAIN;
    if (real == NULL)
        *(void **)(&real) = dlsym(RTLD_NEXT, "pthread_create");
    return real(thread, attributes, run, argument);
}

static struct ps_test_stage stage;
static const struct ps_channel_ops *channel;

static void build(const struct ps_stage_ops *ops, unsigned producers)
{
    static char state[512], data[512];
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    snprintf(state, sizeof state, "%s/state", ps_test_folder());
    snprintf(data, sizeof data, "%s/data", ps_test_folder());
    ps_test_stage_init_sized(&stage, ops, UINT64_C(64) << 20);
    stage.context.producers = producers;
    stage.context.consumers = 1;
    channel = ops->channel;
    if (ps_test_stage_bind(&stage, PS_KEYS("checkpointDir", state, "dataDirs", data)) != PS_OK ||
        ps_test_stage_build(&stage) != PS_OK)
        fail_msg("%s", stage.err.text);
}

/* Returns when the worker has to call again. */
static uint64_t tick(void)
{
    return stage.context.producers > 0 ? channel->tick(stage.plan, 0, &stage.port, &stage.now)
                                       : channel->consumer_tick(stage.plan, 0, &stage.port, &stage.now);
}

/* Returns the channel's trouble; "": it has none. */
static const char *trouble(void)
{
    static char text[512];
    return channel->trouble(stage.plan, text, sizeof text) ? text : "";
}

static struct rlimit descriptors_before;

/* Starts the channel when a limit is reached; returns its trouble. The limit stays until end_limit. */
static const char *start_at_limit(bool descriptors)
{
    no_thread = !descriptors;
    if (descriptors)
        ps_test_no_descriptors(&descriptors_before);
    channel->start(stage.plan);
    return trouble();
}

static void end_limit(bool descriptors)
{
    if (descriptors)
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &descriptors_before), 0);
    no_thread = false;
}

static void test_starts_later(void **state)
{
    static const struct {
        const struct ps_stage_ops *ops;
        unsigned producers;
        bool descriptors; /* there are no descriptors; false: no threads */
        const char *says;
    } rows[] = {
        {&ps_channel_file, 1, true, "cannot start its thread: Too many open files; trying again every 1 s"},
        {&ps_channel_file, 1, false,
         "cannot start its thread: Resource temporarily unavailable; trying again every 1 s"},
        {&ps_channel_file, 0, true, "cannot start its thread: Too many open files; trying again every 1 s"},
        {&ps_channel_spillablememory, 1, true,
         "cannot start its thread: Too many open files; trying again every 1 s"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        build(rows[i].ops, rows[i].producers);
        assert_string_equal(start_at_limit(rows[i].descriptors), rows[i].says);
        assert_true(tick() != PS_NEVER); /* a worker that sleeps wakes for the next try */
        assert_string_equal(trouble(), rows[i].says);
        end_limit(rows[i].descriptors); /* not before: the next try may be due already */
        for (unsigned k = 0; trouble()[0] != '\0' && k < PS_TEST_PATIENCE_MS; k++) {
            (void)tick();
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
        assert_string_equal(trouble(), "");
        if (rows[i].producers > 0) {
            struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"));
            assert_int_not_equal(channel->put(stage.plan, 0, &lease, &stage.now), PS_PUT_FULL);
            assert_null(lease);
        }
        channel->leave(stage.plan, 0, &stage.port);
        (void)channel->engine->strip(stage.plan);
        ps_test_stage_fini(&stage);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

/* A channel that is closed before it could start, is closed like any other, and starts no more. */
static void test_never_started(void **state)
{
    build(&ps_channel_file, 1);
    assert_string_not_equal(start_at_limit(false), "");
    end_limit(false);
    channel->leave(stage.plan, 0, &stage.port);
    assert_null(channel->engine->strip(stage.plan));
    assert_true(tick() == PS_NEVER);
    ps_test_stage_fini(&stage);
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_starts_later),
                                       cmocka_unit_test(test_never_started)};
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
