/* Leases that a closed source left to the one that follows it: each goes into its channel, in order, though a later and smaller one
 * would have room first. */
#include "core/engine/worker.h"
#include "tests/support/stage.h"

#define CHANNELS 3U
#define LEASES 12U

static struct {
    uint32_t room[CHANNELS];
    struct ps_lease *taken[CHANNELS][LEASES];
    unsigned taken_count[CHANNELS];
} channels;

static enum ps_put put(void *plan, unsigned producer, struct ps_lease **lease, const struct ps_now *now)
{
    unsigned number = *(const unsigned *)plan;
    assert_int_equal(ps_lease_home(*lease)->channel, number);
    assert_int_equal(producer, 10 + number);
    assert_null((*lease)->next);
    if ((*lease)->count > channels.room[number])
        return PS_PUT_FULL;
    channels.room[number] -= (*lease)->count;
    channels.taken[number][channels.taken_count[number]++] = *lease;
    *lease = NULL;
    return PS_PUT_OK;
}

static const struct ps_channel_ops channel_ops = {.promises = PS_LEVEL_DURABLE, .put = put};
static const struct ps_stage_ops channel = {.kind = PS_KIND_CHANNEL, .name = "c", .channel = &channel_ops};

static unsigned numbers[CHANNELS] = {0, 1, 2}, producers[CHANNELS] = {10, 11, 12};
static struct ps_channel_spec specs[CHANNELS] = {
    {.stage = {.ops = &channel, .name = "c0", .plan = &numbers[0]}},
    {.stage = {.ops = &channel, .name = "c1", .plan = &numbers[1]}},
    {.stage = {.ops = &channel, .name = "c2", .plan = &numbers[2]}}};
static struct ps_counters counters[CHANNELS][10 + CHANNELS];
static struct ps_channel_plan plans[CHANNELS];

static struct ps_lease *some_lease(struct ps_test_stage *stage, uint32_t count, unsigned number)
{
    struct ps_test_event events[4];
    for (uint32_t i = 0; i < count; i++)
        events[i] = PS_BODY("x");
    struct ps_lease *lease = ps_test_lease(stage, events, count);
    ps_lease_home(lease)->channel = (uint16_t)number;
    return lease;
}

static void play(uint64_t *random)
{
    struct ps_test_stage stage;
    struct ps_lease *made[CHANNELS][LEASES];
    unsigned made_count[CHANNELS] = {0};
    const struct ps_source_spec spec = {.channels = numbers, .channel_count = CHANNELS};
    const struct ps_source_plan plan = {.spec = &spec};
    struct ps_source_runner runner = {.plan = &plan, .channels = plans, .producers = producers};
    struct ps_lease **end = &runner.inherited;
    memset(&channels, 0, sizeof channels);
    ps_test_stage_init(&stage, &ps_sink_null);
    for (unsigned i = 0; i < LEASES; i++) {
        unsigned number = (unsigned)(ps_test_random(random) % CHANNELS);
        struct ps_lease *lease = some_lease(&stage, 1 + (uint32_t)(ps_test_random(random) % 4), number);
        made[number][made_count[number]++] = lease;
        *end = lease;
        end = &lease->next;
    }
    while (runner.inherited != NULL) {
        unsigned before = 0, after = 0;
        for (unsigned number = 0; number < CHANNELS; number++) {
            before += channels.taken_count[number];
            channels.room[number] += (uint32_t)(ps_test_random(random) % 3);
        }
        bool moved = ps_source_runner_put_inherited(&runner, &stage.now);
        for (unsigned number = 0; number < CHANNELS; number++)
            after += channels.taken_count[number];
        assert_int_equal(moved, after > before);
    }
    for (unsigned number = 0; number < CHANNELS; number++) {
        assert_int_equal(channels.taken_count[number], made_count[number]);
        for (unsigned i = 0; i < made_count[number]; i++)
            assert_ptr_equal(channels.taken[number][i], made[number][i]);
    }
    ps_test_stage_fini(&stage);
}

static void test_drawn(void **unused)
{
    uint64_t random = ps_test_seed();
    for (unsigned number = 0; number < CHANNELS; number++)
        plans[number] = (struct ps_channel_plan){.spec = &specs[number], .counters = counters[number]};
    for (unsigned round = 0; round < 200; round++)
        play(&random);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
