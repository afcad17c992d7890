/* The suite fills each channel until it refuses a put, takes all of it, gives it back and takes it again, in rounds.
 * Each round must equal the first one: the same number of puts, the same memory and descriptors, and gauges at zero
 * at the end. The same holds for rounds in which the consumer finds no memory for a batch. After a channel is closed
 * (idle, drained, with leases at its consumer, or for a reload), no memory or descriptor is left. The Kafka channel never
 * refuses a put for lack of room: conformance_channel_shared_test.c tests it in rounds. */
#include "core/flow/engine_channel.h"
#include "stages/table.h"
#include "tests/support/conformance.h"
#include "tests/support/folder.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#define ROUNDS 8U
#define LEASES_MAX 64U
#define EVENTS 2U /* events of a lease */
#define BLOCKS 64U
#define FDS_MORE 3U /* a round may have this number more than the first one, for new segments of the log */

struct adapter {
    const struct ps_stage_ops *ops;
    const char *keys[16]; /* "@name" is a path in the test's folder */
    uint64_t most;        /* at least this number of events is accepted before a put is refused */
    bool takes_more; /* accepts more events while its disk is empty; its thread notices this a little later */
    bool is_on_disk; /* all events are on disk */
};

static struct adapter adapters[] = {
#ifdef PS_TEST_PLUGIN /* tests/plugin */
    {.ops = NULL},
#else
    {.ops = &ps_channel_memory, .keys = {"capacity", "20", "transactionCapacity", "5"}, .most = 20},
    {.ops = &ps_channel_spillablememory,
     .keys = {"memoryCapacity", "20", "overflowCapacity", "0"},
     .most = 20},
    {.ops = &ps_channel_spillablememory,
     .keys = {"checkpointDir", "@state", "dataDirs", "@one", "memoryCapacity", "8", "overflowCapacity", "12",
              "overflowTimeout", "0", "transactionCapacity", "5"},
     .most = 12,
     .takes_more = true},
    {.ops = &ps_channel_spillablememory,
     .keys = {"checkpointDir", "@state", "dataDirs", "@one,@two", "memoryCapacity", "0", "overflowCapacity",
              "20", "transactionCapacity", "5"},
     .most = 20,
     .is_on_disk = true},
    {.ops = &ps_channel_file,
     .keys = {"checkpointDir", "@state", "dataDirs", "@one,@two", "capacity", "20", "transactionCapacity",
              "5"},
     .most = 20,
     .is_on_disk = true},
    {.ops = &ps_channel_jdbc,
     .keys = {"driver.url", "jdbc:sqlite:@db", "maximum.capacity", "20"},
     .most = 20,
     .is_on_disk = true},
#endif
};

static void test_all_are_here(void **unused)
{
#ifndef PS_TEST_PLUGIN
    for (size_t i = 0; ps_stages[i] != NULL; i++) {
        bool here = ps_stages[i]->kind != PS_KIND_CHANNEL || ps_stages[i] == &ps_channel_kafka;
        for (size_t k = 0; k < PS_COUNT_OF(adapters); k++)
            here |= adapters[k].ops == ps_stages[i];
        if (!here)
            fail_msg("channel %s has no entry in `adapters` of this file", ps_stages[i]->name);
    }
#endif
}

/* ---- one channel ---- */

static void start_with(struct ps_test_stage *stage, const struct adapter *adapter, struct ps_lease *restored)
{
    const char *keys[PS_COUNT_OF(adapter->keys)];
    ps_test_stage_init_sized(stage, adapter->ops, UINT64_C(1) * BLOCKS * PS_BLOCK_BYTES);
    ps_test_place_keys(stage, adapter->keys, keys);
    if (ps_test_stage_bind(stage, keys) != PS_OK || ps_test_stage_build(stage) != PS_OK)
        fail_msg("%s: %s", adapter->ops->name, stage->err.text);
    if (restored != NULL)
        stage->ops->channel->engine->restore(stage->plan, restored);
    if (stage->ops->channel->start != NULL)
        stage->ops->channel->start(stage->plan);
}

static void start(struct ps_test_stage *stage, const struct adapter *adapter)
{
    start_with(stage, adapter, NULL);
}

/* Takes out the leases that its consumers have not taken. A plug-in's channel has no such function. */
static struct ps_lease *strip(struct ps_test_stage *stage)
{
    const struct ps_engine_channel_ops *ops = ps_engine_channel(stage->ops->channel);
    return ops->strip != NULL ? ops->strip(stage->plan) : NULL;
}

static void tick(struct ps_test_stage *stage)
{
    const struct ps_channel_ops *ops = stage->ops->channel;
    ps_test_stage_pass_ms(stage, 1);
    if (ops->tick != NULL)
        (void)ops->tick(stage->plan, 0, &stage->port, &stage->now);
    if (ops->consumer_tick != NULL)
        (void)ops->consumer_tick(stage->plan, 0, &stage->port, &stage->now);
}

static struct ps_fill fill(const struct ps_test_stage *stage)
{
    struct ps_fill now = {0};
    stage->ops->channel->fill(stage->plan, &now);
    return now;
}

static enum ps_put put(struct ps_test_stage *stage, struct ps_lease *lease)
{
    struct ps_lease *offered = lease;
    enum ps_put result = stage->ops->channel->put(stage->plan, 0, &offered, &stage->now);
    assert_ptr_equal(offered, result == PS_PUT_FULL ? lease : NULL);
    return result;
}

static struct ps_lease *take(struct ps_test_stage *stage)
{
    return stage->ops->channel->take(stage->plan, 0, &stage->port, &stage->now);
}

static struct ps_lease *some_lease(struct ps_test_stage *stage)
{
    return PS_LEASE(stage, PS_EVENT("first", "name", "value"), PS_BODY("2nd"));
}

static void wait_a_little(struct ps_test_stage *stage, unsigned turn)
{
    if (turn >= PS_TEST_PATIENCE_MS)
        fail_msg("%s: %llu events are in it, and it does not go on", stage->ops->name,
                 (unsigned long long)fill(stage).size);
    tick(stage);
    usleep(1000);
}

/* Returns the number of events from which on it may refuse a lease. */
static uint64_t most_of(const struct ps_test_stage *stage, const struct adapter *adapter)
{
    return adapter->most > 0 ? adapter->most : fill(stage).capacity - EVENTS + 1;
}

/* Puts leases until the channel is full. A put that is refused because the channel is not open yet is repeated. */
static unsigned put_all(struct ps_test_stage *stage, const struct adapter *adapter, struct ps_lease **refused)
{
    unsigned count = 0;
    for (unsigned turn = 0;;) {
        struct ps_lease *lease = some_lease(stage);
        while (put(stage, lease) == PS_PUT_FULL) {
            if (fill(stage).size >= most_of(stage, adapter)) {
                *refused = lease;
                return count;
            }
            wait_a_little(stage, turn++);
        }
        if (++count == LEASES_MAX)
            fail_msg("%s accepts %u events, and more", stage->ops->name, count * EVENTS);
    }
}

/* Takes `events` events. Returns the number of their leases. */
static unsigned take_events(struct ps_test_stage *stage, uint32_t events, struct ps_lease **leases)
{
    unsigned count = 0;
    for (unsigned turn = 0; events > 0;) {
        struct ps_lease *lease = take(stage);
        if (lease == NULL) {
            wait_a_little(stage, turn++);
            continue;
        }
        assert_true(lease->count <= events && count < LEASES_MAX);
        for (uint32_t i = 0; i < lease->count; i++) {
            struct ps_test_event event = ps_test_lease_event(stage, lease, i);
            assert_string_equal(event.body, event.length == 5 ? "first" : "2nd");
        }
        events -= lease->count;
        leases[count++] = lease;
    }
    return count;
}

static void untake_all(struct ps_test_stage *stage, struct ps_lease **leases, unsigned count)
{
    while (count > 0) {
        struct ps_lease *lease = leases[--count];
        stage->ops->channel->untake(stage->plan, 0, &lease);
        assert_null(lease);
    }
}

/* Returns whether the channel made the lease's batch; the other batches are those of the test, which acts as a source. */
static bool is_of_channel(const struct ps_test_stage *stage, const struct ps_lease *lease)
{
    for (size_t i = 0; i < stage->batch_count; i++) {
        if (stage->batches[i] == lease->batch)
            return false;
    }
    return true;
}

static void deliver_all(struct ps_test_stage *stage, struct ps_lease **leases, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (is_of_channel(stage, leases[i])) {
            ps_test_channel_deliver(stage, leases[i]);
            continue;
        }
        struct ps_lease *going = leases[i];
        stage->ops->channel->done(stage->plan, 0, &going, &stage->port);
        assert_null(going);
    }
}

/* Waits until all leases that were put are released. */
static void await_home(struct ps_test_stage *stage, unsigned count)
{
    for (unsigned turn = 0; stage->home_count < count;)
        wait_a_little(stage, turn++);
    assert_int_equal(stage->home_count, count);
    for (unsigned i = 0; i < count; i++)
        assert_false(stage->home[i]->failed);
}

/* The state after a round, as seen from outside. */
struct picture {
    unsigned puts, fds; /* puts: 0 if the number of accepted puts may differ */
    uint64_t used_bytes;
};

static void assert_same(const struct ps_test_stage *stage, const struct picture *now,
                        const struct picture *first, unsigned round)
{
    if (now->puts != first->puts || now->fds > first->fds + FDS_MORE || now->used_bytes != first->used_bytes)
        fail_msg("%s, round %u: %u puts, %u descriptors, %llu bytes; in the first one %u, %u, %llu",
                 stage->ops->name, round, now->puts, now->fds, (unsigned long long)now->used_bytes,
                 first->puts, first->fds, (unsigned long long)first->used_bytes);
}

static void assert_empty(struct ps_test_stage *stage)
{
    const struct ps_channel_ops *ops = stage->ops->channel;
    struct ps_fill ring = {0};
    char trouble[512];
    assert_null(take(stage));
    assert_int_equal(fill(stage).size, 0);
    assert_int_equal(fill(stage).bytes, 0);
    assert_true(ops->hungry(stage->plan, 0));
    if (ps_engine_channel(ops)->ring != NULL)
        ps_engine_channel(ops)->ring(stage->plan, 0, &ring);
    assert_int_equal(ring.size, 0);
    assert_int_equal(ps_channel_at_risk(ops, stage->plan), 0);
    for (unsigned i = 0; ops->trouble != NULL && ops->trouble(stage->plan, trouble, sizeof trouble); i++) {
        if (strstr(trouble, "being opened") == NULL || i == PS_TEST_PATIENCE_MS)
            fail_msg("%s: %s", stage->ops->name, trouble);
        usleep(1000);
    }
}

static struct picture look(struct ps_test_stage *stage, unsigned puts)
{
    assert_empty(stage);
    ps_test_stage_recycle(stage);
    return (struct picture){
        .puts = puts, .fds = ps_test_open_fds(), .used_bytes = ps_depot_used_bytes(stage->depot)};
}

/* Closes the channel like the engine. Returns the leases of its producers that it still had. */
static struct ps_lease *close_channel(struct ps_test_stage *stage)
{
    const struct ps_channel_ops *ops = stage->ops->channel;
    size_t home = stage->home_count;
    if (ops->leave != NULL)
        ops->leave(stage->plan, 0, &stage->port);
    ps_test_stage_release_home(stage, home);
    struct ps_lease *list = strip(stage);
    if (ops->leave == NULL && ps_engine_channel(ops)->strip != NULL)
        assert_int_equal(fill(stage).size, 0);
    return list;
}

/* ---- in rounds ---- */

/* Fills the channel until a put is refused, gives leases back and empties it; then puts the refused one. Returns the
 * state after the round. */
static struct picture full_round(struct ps_test_stage *stage, const struct adapter *adapter)
{
    struct ps_lease *refused, *leases[LEASES_MAX];
    unsigned puts = put_all(stage, adapter, &refused);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(put(stage, refused), PS_PUT_FULL);
    assert_false(refused->failed);
    assert_null(refused->next);
    assert_int_equal(refused->count, EVENTS);
    assert_int_equal(refused->settled, 0);
    unsigned count = take_events(stage, puts * EVENTS, leases);
    untake_all(stage, leases, count);
    assert_int_equal(fill(stage).size, puts * EVENTS);
    for (unsigned i = 0; i < count; i++)
        assert_ptr_equal(take(stage), leases[i]);
    deliver_all(stage, leases, count);
    for (unsigned turn = 0; put(stage, refused) == PS_PUT_FULL;)
        wait_a_little(stage, turn++);
    count = take_events(stage, EVENTS, leases);
    deliver_all(stage, leases, count);
    await_home(stage, puts + 1);
    return look(stage, adapter->takes_more ? 0 : puts);
}

static void test_full_and_emptied_in_turns(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        struct picture pictures[ROUNDS];
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        start(&stage, &adapters[i]);
        for (unsigned round = 0; round < ROUNDS; round++) {
            pictures[round] = full_round(&stage, &adapters[i]);
            assert_same(&stage, &pictures[round], &pictures[0], round);
        }
        assert_null(close_channel(&stage));
        ps_test_stage_fini(&stage);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

#define LARGE_BYTES 200000U /* a block has room for one body of this size, not for two */

static struct ps_lease *put_large(struct ps_test_stage *stage)
{
    static char body[LARGE_BYTES];
    memset(body, 'b', sizeof body);
    struct ps_test_event event = {.body = body, .length = sizeof body};
    struct ps_lease *lease = ps_test_lease(stage, &event, 1);
    for (unsigned turn = 0; put(stage, lease) == PS_PUT_FULL;)
        wait_a_little(stage, turn++);
    return lease;
}

static struct ps_lease *take_large(struct ps_test_stage *stage)
{
    struct ps_lease *lease;
    for (unsigned turn = 0; (lease = take(stage)) == NULL;)
        wait_a_little(stage, turn++);
    assert_int_equal(lease->bytes, LARGE_BYTES);
    return lease;
}

/* One event is at the sink, and there is no memory for the next event. */
static struct picture short_round(struct ps_test_stage *stage)
{
    struct ps_block_cache hoard;
    struct ps_block *taken[BLOCKS + 1];
    struct ps_lease *leases[2], *lease = put_large(stage);
    leases[0] = take_large(stage);
    (void)put_large(stage);
    await_home(stage, 2);
    unsigned count = ps_test_stage_hoard(stage, &hoard, taken, lease);
    for (unsigned turn = 0; turn < 20; turn++) {
        assert_null(take(stage));
        assert_int_equal(fill(stage).size, 1);
        assert_int_equal(fill(stage).bytes, LARGE_BYTES);
        tick(stage);
        usleep(200);
    }
    while (count > 0)
        ps_block_drop(&hoard, taken[--count]);
    ps_block_cache_fini(&hoard);
    leases[1] = take_large(stage);
    deliver_all(stage, leases, 2);
    return look(stage, 2);
}

/* The consumer finds no memory for a batch: it takes nothing, loses nothing, and takes the event when there is memory. */
static void test_no_memory_in_turns(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        struct picture pictures[ROUNDS];
#ifdef PS_TEST_PLUGIN
        if (!adapters[i].is_on_disk)
            ps_test_skip("the channel hands out the leases that were put");
#endif
        if (!adapters[i].is_on_disk)
            continue; /* this channel needs no memory for a batch: it hands out the leases that were put */
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        start(&stage, &adapters[i]);
        for (unsigned round = 0; round < ROUNDS; round++) {
            pictures[round] = short_round(&stage);
            assert_same(&stage, &pictures[round], &pictures[0], round);
        }
        assert_null(close_channel(&stage));
        ps_test_stage_fini(&stage);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

/* ---- the end of a channel ---- */

enum end { IDLE, DRAINED, STOPPED, RELOADED, ENDS };

static unsigned list_length(const struct ps_lease *list)
{
    unsigned count = 0;
    for (; list != NULL; list = list->next)
        count++;
    return count;
}

/* Brings the channel to this end with PUTS leases in it. Returns how many events it still has to hand out. */
#define PUTS 3U
static unsigned come_to(struct ps_test_stage *stage, enum end end)
{
    struct ps_lease *leases[LEASES_MAX];
    if (end == IDLE)
        return 0;
    for (unsigned i = 0, turn = 0; i < PUTS; i++) {
        struct ps_lease *lease = some_lease(stage);
        while (put(stage, lease) == PS_PUT_FULL)
            wait_a_little(stage, turn++);
    }
    unsigned count = take_events(stage, PUTS * EVENTS, leases);
    if (end == DRAINED) {
        deliver_all(stage, leases, count);
        return 0;
    }
    untake_all(stage, leases, count); /* a stop recalls them from the sink, and so does a reload */
    return PUTS * EVENTS;
}

static void end_and_begin(const struct adapter *adapter, enum end end)
{
    struct ps_test_stage stage, next;
    struct ps_lease *leases[LEASES_MAX];
    start(&stage, adapter);
    unsigned left = come_to(&stage, end), in_memory = 0;
    struct ps_lease *list = close_channel(&stage);
    for (const struct ps_lease *lease = list; lease != NULL; lease = lease->next)
        in_memory += lease->settled == lease->count ? 0 : lease->count;
    bool strips = ps_engine_channel(stage.ops->channel)->strip != NULL;
    assert_int_equal(in_memory, adapter->is_on_disk || !strips ? 0 : left);
    if (adapter->is_on_disk || !strips)
        assert_int_equal(fill(&stage).size, left);
    if (end == RELOADED && !adapter->is_on_disk && strips) {
        start_with(&next, adapter, list);
        assert_int_equal(fill(&next).size, left);
        (void)take_events(&next, left, leases);
        assert_int_equal(list_length(list), 1);
        assert_empty(&next);
        assert_null(close_channel(&next));
        ps_test_stage_fini(&next);
    }
    ps_test_stage_fini(&stage);
    if (!adapter->is_on_disk)
        return;
    start(&next, adapter); /* hands out the remaining events, and no others */
    deliver_all(&next, leases, take_events(&next, left, leases));
    for (unsigned turn = 0; turn < 20; turn++) {
        assert_null(take(&next));
        tick(&next);
        usleep(200);
    }
    assert_null(close_channel(&next));
    assert_int_equal(fill(&next).size, 0);
    ps_test_stage_fini(&next);
}

static unsigned fds_at_start;

/* A deleted segment is closed on a thread of its own. */
static void await_fds(unsigned wanted)
{
    uint64_t until = ps_test_patience_end_ns();
    while (ps_test_open_fds() != wanted && ps_test_patient_ns() < until)
        usleep(1000);
    assert_int_equal(ps_test_open_fds(), wanted);
}

static void test_ends(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        for (enum end end = IDLE; end < ENDS; end++) {
            assert_int_equal(ps_test_folder_setup(NULL), 0);
            for (unsigned round = 0; round < 2; round++)
                end_and_begin(&adapters[i], end);
            await_fds(fds_at_start);
            assert_int_equal(ps_test_folder_teardown(NULL), 0);
        }
    }
}

#ifdef PS_TEST_PLUGIN
/* Returns the bytes that are allocated, also those of large blocks, which malloc maps one by one. */
static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* Memory that a channel does not free when it is torn down grows with each round. */
static void test_frees_its_memory(void **unused)
{
    size_t more = 1;
    for (unsigned attempt = 0; attempt < 5 && more > 0; attempt++) { /* the first rounds warm libraries up */
        size_t before = allocated();
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        for (unsigned round = 0; round < ROUNDS; round++)
            end_and_begin(&adapters[0], STOPPED);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
        more = allocated() - before;
        more = more < ROUNDS * sizeof(void *) || more > SIZE_MAX / 2 ? 0 : more;
    }
    if (more > 0)
        fail_msg("%s keeps %zu bytes after %u rounds", adapters[0].ops->name, more, ROUNDS);
}
#endif

static int note_fds(void **unused)
{
    fds_at_start = ps_test_open_fds();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_here),       cmocka_unit_test(test_full_and_emptied_in_turns),
        cmocka_unit_test(test_no_memory_in_turns), cmocka_unit_test(test_ends),
#ifdef PS_TEST_PLUGIN
        cmocka_unit_test(test_frees_its_memory),
#endif
    };
    return cmocka_run_group_tests(tests, note_fds, NULL);
}
