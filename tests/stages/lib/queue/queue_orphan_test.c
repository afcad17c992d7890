/* A channel with a durable queue, and no source: a reload removed the last source before its leases were promised. They
 * are restored, written, delivered, and released. */
#include "core/flow/engine_channel.h"
#include "core/flow/window.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <time.h>

extern const struct ps_stage_ops ps_channel_file, ps_channel_jdbc;

static struct ps_test_stage stage;
static const struct ps_channel_ops *channel;

static void build(const struct ps_stage_ops *ops)
{
    static char state[512], data[512], url[512];
    const char *const *keys = PS_KEYS("checkpointDir", state, "dataDirs", data);
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    snprintf(state, sizeof state, "%s/state", ps_test_folder());
    snprintf(data, sizeof data, "%s/data", ps_test_folder());
    snprintf(url, sizeof url, "jdbc:sqlite:%s/db", ps_test_folder());
    ps_test_stage_init_sized(&stage, ops, UINT64_C(64) << 20);
    stage.context.producers = 0;
    stage.context.consumers = 1;
    channel = ops->channel;
    if (ps_test_stage_bind(&stage, ops == &ps_channel_jdbc ? PS_KEYS("driver.url", url) : keys) != PS_OK ||
        ps_test_stage_build(&stage) != PS_OK)
        fail_msg("%s", stage.err.text);
}

static struct ps_fill fill(void)
{
    struct ps_fill now;
    channel->fill(stage.plan, &now);
    return now;
}

/* Returns what the channel gives back. */
static struct ps_lease *end(void)
{
    size_t home = stage.home_count;
    channel->leave(stage.plan, 0, &stage.port);
    ps_test_stage_release_home(&stage, home);
    return channel->engine->strip(stage.plan);
}

/* Runs one turn of the sink's worker. Returns how many events the sink got, and delivered. */
static uint32_t turn(void)
{
    uint32_t count = 0;
    (void)channel->consumer_tick(stage.plan, 0, &stage.port, &stage.now);
    struct ps_lease *lease = channel->take(stage.plan, 0, &stage.port, &stage.now);
    if (lease != NULL) {
        count = lease->count;
        channel->done(stage.plan, 0, &lease, &stage.port);
    }
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return count;
}

static void test_restored_goes_home(void **state)
{
    static const struct ps_stage_ops *const channels[] = {&ps_channel_file, &ps_channel_jdbc};
    for (size_t i = 0; i < PS_COUNT_OF(channels); i++) {
        uint32_t delivered = 0;
        build(channels[i]);
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_BODY("b"));
        channel->engine->restore(stage.plan, lease);
        assert_int_equal(fill().size, 2);
        channel->start(stage.plan);
        /* The lease, and the batch that the channel made of it. */
        for (unsigned k = 0; (delivered < 2 || stage.home_count < 2) && k < PS_TEST_PATIENCE_MS; k++)
            delivered += turn();
        assert_int_equal(delivered, 2);
        assert_int_equal(stage.home_count, 2);
        assert_true(stage.home[0] == lease || stage.home[1] == lease);
        assert_false(lease->failed);
        assert_int_equal(fill().size, 0);
        ps_window_release(stage.home[stage.home[0] == lease ? 1 : 0]);
        assert_null(end());
        ps_test_stage_fini(&stage);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_restored_goes_home)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
