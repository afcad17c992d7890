/* A reload of channel kafka while its name server does not answer. librdkafka's mock cluster; getaddrinfo is the test's own.
 * Real clock. */
#include "core/flow/engine_channel.h"
#include "core/helper/helper.h"
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/reader.h"
#include "tests/support/stage.h"

#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>

static atomic_bool silent;
static atomic_uint waiting;

/* Replaces the function of libc. A numeric address needs no name server. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
    __typeof__(getaddrinfo) *system = (__typeof__(getaddrinfo) *)dlsym(RTLD_NEXT, "getaddrinfo");
    assert_non_null(system);
    bool asks = (hints->ai_flags & AI_NUMERICHOST) == 0;
    if (silent && asks)
        waiting++;
    while (silent && asks)
        poll(NULL, 0, 5);
    return system(name, service, hints, list);
}

static void build(struct ps_test_stage *stage, const char *bootstrap)
{
    const char *keys[] = {"kafka.bootstrap.servers", bootstrap, "kafka.topic", "names",
                          "parseAsFlumeEvent",       "false",   NULL};
    ps_test_stage_init(stage, &ps_channel_kafka);
    stage->context.producers = 1;
    stage->context.consumers = 0;
    ps_test_stage_real_clock(stage);
    if (ps_test_stage_bind(stage, keys) != PS_OK || ps_test_stage_build(stage) != PS_OK)
        fail_msg("%s", stage->err.text);
}

static void turn(struct ps_test_stage *stage)
{
    ps_test_stage_real_clock(stage);
    (void)stage->ops->channel->tick(stage->plan, 0, &stage->port, &stage->now);
    poll(NULL, 0, 1);
}

static void await_home(struct ps_test_stage *stage, size_t count)
{
    for (unsigned i = 0; stage->home_count < count && i < PS_TEST_PATIENCE_MS; i++)
        turn(stage);
    assert_int_equal(stage->home_count, count);
}

static void put(struct ps_test_stage *stage, struct ps_lease *lease)
{
    assert_int_equal(stage->ops->channel->put(stage->plan, 0, &lease, &stage->now), PS_PUT_OK);
}

struct stripping {
    struct ps_test_stage *stage;
    struct ps_lease *list;
};

static void strip(void *, void *stripping_)
{
    struct stripping *stripping = stripping_;
    stripping->list = stripping->stage->ops->channel->engine->strip(stripping->stage->plan);
}

/* No broker can be reached, because the name server does not answer. The reload keeps the event, and the next channel puts
 * it. */
static void test_reload_while_a_name_server_is_silent(void **)
{
    struct ps_test_cluster cluster;
    struct ps_test_stage away, stage;
    struct stripping stripping = {&away, NULL};
    struct ps_err err = {0};
    char name[64];
    const struct ps_helper_settings aside = {.name = "control", .room = 1, .wake_fd = -1, .run = strip};
    ps_test_cluster_start(&cluster, 1);
    ps_test_cluster_topic(&cluster, "names", 1);
    snprintf(name, sizeof name, "localhost%s", strrchr(cluster.bootstrap, ':'));
    silent = true;
    build(&away, name);
    struct ps_lease *lease = PS_LEASE(&away, PS_BODY("a"));
    put(&away, lease);
    for (unsigned i = 0; waiting == 0 && i < PS_TEST_PATIENCE_MS; i++)
        turn(&away);
    assert_int_not_equal(waiting, 0);
    struct ps_helper *control = ps_helper_create(&aside, &err);
    assert_non_null(control);
    assert_true(ps_helper_ask(control, &stripping));
    bool over = ps_helper_wait(control, PS_TEST_PATIENCE_MS) != NULL;
    silent = false;
    assert_true(ps_helper_destroy(control, PS_TEST_PATIENCE_MS));
    assert_true(over);
    assert_ptr_equal(stripping.list, lease);
    assert_null(lease->next);
    assert_int_equal(lease->settled, 0);

    build(&stage, name);
    stage.ops->channel->engine->restore(stage.plan, lease);
    await_home(&stage, 1);
    assert_ptr_equal(stage.home[0], lease);
    struct ps_test_records records = ps_test_records_read(cluster.bootstrap, "names", 1, 1);
    assert_memory_equal(records.items[0].value, "a", 1);
    ps_test_records_free(&records);
    assert_null(stage.ops->channel->engine->strip(stage.plan));
    ps_test_stage_fini(&stage);
    ps_test_stage_fini(&away);
    ps_test_cluster_stop(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reload_while_a_name_server_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
