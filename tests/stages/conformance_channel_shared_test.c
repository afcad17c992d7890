/* Checks what core/stage.h requires of every shared channel, whose events are kept by servers that other programs
 * also use. Such a channel fulfils the promise of a put later, hands out batches of its own, and does not keep the
 * batches that were put. All other checks are those of conformance_channel_test.c: promises in order, order of the
 * events, rollback, restart, strip and restore. */
#include "core/flow/engine_channel.h"
#include "tests/support/kafka/cluster.h"
#include "tests/support/stage.h"

#include <poll.h>

struct adapter {
    const struct ps_stage_ops *ops;
    const char *const *keys;
};

static void start(struct ps_test_stage *stage, const struct adapter *adapter)
{
    ps_test_stage_init(stage, adapter->ops);
    if (ps_test_stage_bind(stage, adapter->keys) != PS_OK || ps_test_stage_build(stage) != PS_OK)
        fail_msg("%s: %s", adapter->ops->name, stage->err.text);
    if (stage->ops->channel->start != NULL)
        stage->ops->channel->start(stage->plan);
}

static uint64_t fill(const struct ps_test_stage *stage)
{
    struct ps_fill now = {0};
    stage->ops->channel->fill(stage->plan, &now);
    return now.size;
}

static struct ps_lease *take(struct ps_test_stage *stage)
{
    return stage->ops->channel->take(stage->plan, 0, &stage->port, &stage->now);
}

static void untake(struct ps_test_stage *stage, struct ps_lease *lease)
{
    stage->ops->channel->untake(stage->plan, 0, &lease);
    assert_null(lease);
}

static void stop(struct ps_test_stage *stage)
{
    size_t home = stage->home_count;
    stage->ops->channel->leave(stage->plan, 0, &stage->port);
    ps_test_stage_release_home(stage, home);
    assert_null(stage->ops->channel->engine->strip(stage->plan));
    ps_test_stage_fini(stage);
}

static void tick(struct ps_test_stage *stage)
{
    ps_test_stage_real_clock(stage);
    (void)stage->ops->channel->tick(stage->plan, 0, &stage->port, &stage->now);
    (void)stage->ops->channel->consumer_tick(stage->plan, 0, &stage->port, &stage->now);
    poll(NULL, 0, 1);
}

/* Takes leases until they have the bodies of `text`, one letter each, in order. Returns their number. */
static size_t take_all(struct ps_test_stage *stage, const char *text, struct ps_lease **leases)
{
    size_t count = 0;
    for (unsigned i = 0; *text != '\0'; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        struct ps_lease *lease = take(stage);
        tick(stage);
        for (uint32_t k = 0; lease != NULL && k < lease->count; k++) {
            struct ps_test_event event = ps_test_lease_event(stage, lease, k);
            assert_int_equal(event.length, 1);
            assert_int_equal(event.body[0], *text++);
            assert_string_equal(ps_test_event_header(&event, "name"), "value");
        }
        if (lease != NULL)
            leases[count++] = lease;
    }
    return count;
}

static void put_all(struct ps_test_stage *stage, const char *text)
{
    size_t home = stage->home_count, count = strlen(text);
    struct ps_lease *leases[8];
    for (size_t i = 0; i < count; i++) {
        char *body = ps_arena_format(stage->arena, "%c", text[i]);
        struct ps_lease *offered = leases[i] = PS_LEASE(stage, PS_EVENT(body, "name", "value"));
        assert_int_equal(stage->ops->channel->put(stage->plan, 0, &offered, &stage->now), PS_PUT_OK);
        assert_null(offered);
    }
    assert_int_equal(fill(stage), count);
    for (unsigned i = 0; stage->home_count < home + count && i < PS_TEST_PATIENCE_MS; i++)
        tick(stage);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(stage->home[home + i], leases[i]);
        assert_false(leases[i]->failed);
    }
    assert_int_equal(fill(stage), 0);
}

/* Events are taken, given back, taken again and delivered, in rounds: each round leaves as much memory in use as the
 * first, and no event in the channel. */
static void in_rounds(struct ps_test_stage *stage)
{
    struct ps_lease *leases[8];
    uint64_t first_bytes = 0;
    for (unsigned round = 0; round < 4; round++) {
        put_all(stage, "abc");
        size_t count = take_all(stage, "abc", leases);
        for (size_t i = count; i-- > 0;)
            untake(stage, leases[i]);
        for (size_t i = 0; i < count; i++) {
            assert_ptr_equal(take(stage), leases[i]);
            ps_test_channel_deliver(stage, leases[i]);
        }
        assert_null(take(stage));
        assert_int_equal(fill(stage), 0);
        ps_test_stage_recycle(stage);
        if (round == 0)
            first_bytes = ps_depot_used_bytes(stage->depot);
        assert_int_equal(ps_depot_used_bytes(stage->depot), first_bytes);
    }
}

/* Events are promised in order, and taken in order, those given back first; after a restart events that were not
 * delivered come again, and delivered ones do not. */
static void promises_and_restarts(const struct adapter *adapter)
{
    struct ps_test_stage stage;
    struct ps_lease *leases[8];
    start(&stage, adapter);
    put_all(&stage, "a");
    size_t count = take_all(&stage, "a", leases);
    assert_int_equal(count, 1);
    ps_test_channel_deliver(&stage, leases[0]);
    put_all(&stage, "bcd");
    count = take_all(&stage, "bcd", leases);
    for (size_t i = count; i-- > 0;)
        untake(&stage, leases[i]);
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(take(&stage), leases[i]);
    for (size_t i = count; i-- > 0;)
        untake(&stage, leases[i]);
    stop(&stage);
    start(&stage, adapter);
    struct ps_lease *carried = PS_LEASE(&stage, PS_EVENT("e", "name", "value"));
    stage.ops->channel->engine->restore(stage.plan, carried);
    assert_int_equal(fill(&stage), 1);
    count = take_all(&stage, "bcde", leases);
    for (size_t i = 0; i < count; i++)
        ps_test_channel_deliver(&stage, leases[i]);
    assert_ptr_equal(stage.home[0], carried);
    in_rounds(&stage);
    stop(&stage);
}

static void test_kafka(void **unused)
{
    struct ps_test_cluster cluster;
    ps_test_cluster_start(&cluster, 1);
    ps_test_cluster_topic(&cluster, "channel", 1);
    const struct adapter adapter = {
        &ps_channel_kafka, PS_KEYS("kafka.bootstrap.servers", cluster.bootstrap, "kafka.topic", "channel")};
    promises_and_restarts(&adapter);
    ps_test_cluster_stop(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kafka)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
