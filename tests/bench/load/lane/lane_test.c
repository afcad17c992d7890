/* Calls the sender directly with a fake clock and a fake target. Due events are sent once and in order; a
 * target that stalls delays events but not the schedule, and every event's latency shows it (the test for
 * coordinated omission). */
#include "tests/support/support.h"

#include "bench/load/lane/lane.h"
#include "bench/support/stamp.h"

#include <stdio.h>

#define S PS_NS_PER_S
#define LANES_MAX 8U
#define OFFSET_NS INT64_C(1790000000000000000) /* wall clock minus the fake one */

/* ---- a world: a clock, a target with lanes ---- */

struct fake_lane {
    struct ps_lane *lane;
    struct ps_load_block *first, *last;
    uint32_t outstanding;
    uint64_t received, ended; /* events; those marked as the last */
    bool down;
};

static struct world {
    uint64_t now_ns;
    uint64_t stall_from_ns, stall_to_ns; /* accepts nothing in this period */
    uint64_t answer_ns;                  /* time to complete a block */
    uint64_t down_from_ns, down_to_ns;   /* not connected in this period */
    uint32_t refuse_every;               /* each n-th event fails; 0: none */
    bool finished_late;                  /* finish returns false once */
    struct fake_lane lanes[LANES_MAX];
    struct ps_sender *sender;
    struct ps_content *content;
    struct ps_shape *shape;
} world;

static uint64_t fake_clock(void *argument)
{
    return world.now_ns;
}

static enum ps_status fake_open(void *state, const void *plan, struct ps_lane *lane, struct ps_err *err)
{
    assert_ptr_equal(plan, &world);
    struct fake_lane *fake = &world.lanes[ps_lane_number(lane)];
    fake->lane = lane;
    *(struct fake_lane **)state = fake;
    return PS_OK;
}

static void fake_give(void *state, struct ps_load_block *block)
{
    struct fake_lane *fake = *(struct fake_lane **)state;
    assert_true(++fake->outstanding <= 2);
    assert_true(block->count > 0 && block->completed == 0 && block->next == NULL);
    *(fake->first == NULL ? &fake->first : &fake->last->next) = block;
    fake->last = block;
}

/* Every event is the next of its source, with the right due time and stamp. */
static void event_check(struct fake_lane *fake, const struct ps_load_block *block, uint32_t i)
{
    uint32_t begin = i > 0 ? block->ends[i - 1] : 0;
    struct ps_stamp stamp;
    assert_int_equal(ps_stamp_find(block->bytes + begin, block->ends[i] - begin, &stamp, NULL),
                     PS_STAMP_GOOD);
    assert_int_equal(stamp.source, 7 + ps_lane_number(fake->lane));
    assert_int_equal(stamp.sequence, fake->received);
    assert_int_equal(block->first_sequence + i, fake->received);
    assert_int_equal(stamp.due_us, (block->due_ns[i] + (uint64_t)OFFSET_NS) / 1000);
    assert_true(block->due_ns[i] <= world.now_ns);
    fake->ended += stamp.last;
    fake->received++;
}

static void block_complete(struct fake_lane *fake)
{
    struct ps_load_block *block = fake->first;
    uint32_t count = block->count;
    fake->first = block->next;
    fake->outstanding--;
    for (uint32_t i = 0; i < count; i++) {
        event_check(fake, block, i);
        bool refused = world.refuse_every > 0 && fake->received % world.refuse_every == 0;
        if (refused)
            ps_lane_failed(fake->lane, block, 1, "refused by the fake");
        else
            ps_lane_completed(fake->lane, block, 1, world.now_ns);
    }
}

static uint64_t fake_work(void *state, uint64_t now_ns)
{
    struct fake_lane *fake = *(struct fake_lane **)state;
    bool down = now_ns >= world.down_from_ns && now_ns < world.down_to_ns;
    if (down != fake->down || (!down && !fake->lane->up)) {
        fake->down = down;
        if (down)
            ps_lane_down(fake->lane, now_ns, "the fake went away");
        else
            ps_lane_up(fake->lane, now_ns);
    }
    if (down)
        return world.down_to_ns;
    if (now_ns >= world.stall_from_ns && now_ns < world.stall_to_ns)
        return world.stall_to_ns;
    while (fake->first != NULL && fake->first->due_ns[fake->first->count - 1] + world.answer_ns <= now_ns)
        block_complete(fake);
    uint64_t next_ns =
        fake->first != NULL ? fake->first->due_ns[fake->first->count - 1] + world.answer_ns : PS_NEVER;
    if (next_ns > world.stall_from_ns && now_ns < world.stall_from_ns)
        next_ns = world.stall_from_ns;
    return next_ns > world.down_from_ns && now_ns < world.down_from_ns ? world.down_from_ns : next_ns;
}

static int fake_descriptor(void *state, short *events)
{
    *events = 0;
    return -1;
}

static bool fake_finish(void *state, uint64_t now_ns)
{
    const struct fake_lane *fake = *(struct fake_lane **)state;
    if (world.finished_late) {
        world.finished_late = false;
        return false;
    }
    return fake->first == NULL;
}

static void fake_close(void *state)
{
    (*(struct fake_lane **)state)->lane = NULL;
}

static const struct ps_target_ops fake_target = {
    .scheme = "fake",
    .blocks_max = 2,
    .state_bytes = sizeof(struct fake_lane *),
    .open = fake_open,
    .give = fake_give,
    .work = fake_work,
    .descriptor = fake_descriptor,
    .finish = fake_finish,
    .close = fake_close,
};

struct plan {
    const char *shape;
    double rate;
    uint64_t duration_ns, event_max;
    uint32_t lanes;
    uint64_t block_bytes;
};

static void world_begin(struct plan plan)
{
    struct ps_err err = {0};
    struct ps_shape_config shape = {plan.shape, plan.rate, plan.duration_ns};
    struct ps_content_config content = {.format = "fixed",
                                        .size_bytes = 64,
                                        .stamp = true,
                                        .run = 0xabcdef,
                                        .seed = 1,
                                        .framing = PS_FRAMING_NEWLINE};
    if (ps_shape_create(&world.shape, &shape, &err) != PS_OK ||
        ps_content_create(&world.content, &content, &err) != PS_OK)
        fail_msg("%s", err.text);
    struct ps_sender_config config = {
        .ops = &fake_target,
        .plan = &world,
        .content = world.content,
        .shape = world.shape,
        .lane_step = 1,
        .lane_total = plan.lanes,
        .source_first = 7,
        .event_max = plan.event_max,
        .duration_ns = plan.duration_ns > 0 ? plan.duration_ns : PS_NEVER,
        .seed = 5,
        .block_bytes = plan.block_bytes > 0 ? plan.block_bytes : 65536 + 64,
        .clock = fake_clock,
    };
    if (ps_sender_create(&world.sender, &config, &err) != PS_OK)
        fail_msg("%s", err.text);
    if (world.stall_to_ns == 0)
        world.stall_from_ns = PS_NEVER;
    if (world.down_to_ns == 0)
        world.down_from_ns = PS_NEVER;
    world.now_ns = 1000 * S;
    for (int i = 0; i < 3; i++)
        ps_sender_cycle(world.sender, world.now_ns);
    assert_int_equal(ps_sender_phase(world.sender), PS_SENDER_READY);
    ps_sender_start(world.sender, world.now_ns, world.now_ns + (uint64_t)OFFSET_NS);
}

static uint64_t at(double seconds)
{
    return 1000 * S + (uint64_t)(seconds * 1e9);
}

/* Runs cycles until the sender is done; time moves to when the sender wants to be called, by at most a
 * millisecond. */
static void world_run(uint64_t cut_ns)
{
    for (unsigned cycles = 0; ps_sender_phase(world.sender) != PS_SENDER_DONE; cycles++) {
        assert_true(cycles < 10000000);
        if (cut_ns != 0 && world.now_ns >= cut_ns)
            ps_sender_cut(world.sender, cut_ns - 1000 * S);
        uint64_t wake_ns = ps_sender_cycle(world.sender, world.now_ns);
        if (wake_ns > world.now_ns)
            world.now_ns = wake_ns < world.now_ns + PS_NS_PER_MS ? wake_ns : world.now_ns + PS_NS_PER_MS;
    }
    ps_sender_close(world.sender);
}

static int world_end(void **state)
{
    ps_sender_destroy(world.sender);
    ps_content_destroy(world.content);
    ps_shape_destroy(world.shape);
    memset(&world, 0, sizeof world);
    return 0;
}

static uint64_t slower_than(const struct ps_histogram *histogram, uint64_t ns)
{
    return histogram->count - ps_histogram_count_upto(histogram, ns);
}

/* ---- tests ---- */

static void test_what_is_due_is_sent(void **state)
{
    world_begin((struct plan){"constant", 1000, 10 * S, 0, 1, 0});
    world_run(0);
    const struct ps_statistics *statistics = &world.sender->statistics;
    assert_int_equal(statistics->sent, 10000);
    assert_int_equal(statistics->completed, 10000);
    assert_int_equal(statistics->bytes, 10000 * 64);
    assert_int_equal(statistics->latency_ns.max, 0);
    assert_int_equal(statistics->schedule_error_ns.max, 0);
    assert_int_equal(world.lanes[0].ended, 1); /* only the last event is marked as the last */
    assert_int_equal(world.sender->lanes[0].last_due_ns, 9999 * PS_NS_PER_MS);
}

/* The target accepts nothing for a second. The events due in that time are late: one by a whole second, half
 * of them by at least half a second. */
static void test_a_stall_is_seen_by_every_event_due_then(void **state)
{
    world.stall_from_ns = at(2);
    world.stall_to_ns = at(3);
    world_begin((struct plan){"constant", 10000, 5 * S, 0, 1, 0});
    world_run(0);
    const struct ps_statistics *statistics = &world.sender->statistics;
    assert_int_equal(statistics->completed, 50000);
    assert_in_range(statistics->latency_ns.max, S, S + S / 100);
    assert_in_range(slower_than(&statistics->latency_ns, S / 2), 4950, 5050);
    assert_in_range(slower_than(&statistics->latency_ns, S / 10), 8900, 9100);
    assert_in_range(slower_than(&statistics->latency_ns, 0), 9900, 10100);
    /* The delay is the target's, so it is not a schedule error. */
    assert_in_range(statistics->schedule_error_ns.max, 0, 10000);
    assert_int_equal(world.lanes[0].ended, 1);
}

/* A closed loop hides the same stall: only two blocks see it. That is why it is labelled. */
static void test_a_closed_loop_hides_a_stall(void **state)
{
    world.stall_from_ns = at(0.002);
    world.stall_to_ns = at(1.002);
    world.answer_ns = PS_NS_PER_MS / 4;
    /* A tenth of a second without the stall: 800 blocks. */
    world_begin((struct plan){"closed", 0, S + S / 10, 0, 1, 0});
    world_run(0);
    const struct ps_statistics *statistics = &world.sender->statistics;
    assert_in_range(slower_than(&statistics->latency_ns, S / 2), 1, 2 * PS_LOAD_BLOCK_EVENTS);
    assert_true(statistics->completed > 20 * PS_LOAD_BLOCK_EVENTS);
    assert_int_equal(statistics->schedule_error_ns.count, 0);
}

static void test_an_outage_is_on_the_timeline(void **state)
{
    world.down_from_ns = at(1);
    world.down_to_ns = at(1.5);
    world_begin((struct plan){"constant", 1000, 3 * S, 0, 2, 0});
    world_run(0);
    const struct ps_sender *sender = world.sender;
    assert_int_equal(sender->statistics.completed, 3000); /* the schedule continued */
    assert_int_equal(sender->outage_count, 1);
    assert_int_equal(sender->outages[0].from_ns, at(1));
    assert_int_equal(sender->outages[0].to_ns, at(1.5));
    assert_string_equal(sender->outages[0].reason, "the fake went away");
    assert_in_range(sender->statistics.latency_ns.max, S / 2, S / 2 + S / 100);
    assert_int_equal(sender->statistics.memory_up, 2);
    assert_int_equal(sender->statistics.memory_down, 0);
}

/* A connection is lost between connecting and the start: the outage lasts from the start until it is up again. */
static void test_an_outage_at_the_start_ends(void **state)
{
    world_begin((struct plan){"constant", 1000, S, 0, 1, 0});
    ps_lane_down(world.lanes[0].lane, world.now_ns, "the fake went away");
    world_run(0);
    const struct ps_sender *sender = world.sender;
    assert_int_equal(sender->outage_count, 1);
    assert_int_equal(sender->outages[0].from_ns, at(0));
    assert_in_range(sender->outages[0].to_ns, at(0), at(0.01));
    assert_int_equal(sender->statistics.completed, 1000);
}

/* One outage more than there is room for: the last one that is kept has its end. */
static void test_the_timeline_is_bounded(void **state)
{
    world_begin((struct plan){"constant", 1000, 3 * S, 0, 1, 0});
    struct ps_sender *sender = world.sender;
    ps_sender_cycle(sender, world.now_ns);
    struct ps_lane *lane = world.lanes[0].lane;
    for (uint64_t i = 0; i <= PS_SENDER_OUTAGES; i++) {
        ps_lane_down(lane, at(0) + 2 * i, "the fake went away");
        ps_lane_up(lane, at(0) + 2 * i + 1);
        assert_int_equal(sender->outage_count, i + 1);
        for (uint64_t k = 0; k <= i && k < PS_SENDER_OUTAGES; k++) {
            assert_int_equal(sender->outages[k].from_ns, at(0) + 2 * k);
            assert_int_equal(sender->outages[k].to_ns, at(0) + 2 * k + 1);
        }
    }
    world_run(0);
    assert_int_equal(sender->statistics.completed, 3000);
}

static void test_refused_events_are_counted_by_reason(void **state)
{
    world.refuse_every = 10;
    world_begin((struct plan){"constant", 1000, 0, 1000, 3, 0});
    world_run(0);
    const struct ps_sender *sender = world.sender;
    char reason[PS_SENDER_REASON_BYTES];
    assert_int_equal(sender->statistics.completed, 1000 - 99);
    assert_int_equal(sender->statistics.failed, 99); /* 334, 333 and 333 events */
    assert_int_equal(sender->reasons[0].count, 99);
    assert_string_equal(sender->reasons[0].text, "refused by the fake");
    assert_int_equal(sender->lanes[0].failed + sender->lanes[1].failed + sender->lanes[2].failed, 99);
    assert_true(ps_sender_last_reason(world.sender, reason, sizeof reason));
    assert_string_equal(reason, "refused by the fake");
}

/* The target reports a block in parts: each event's latency counts from when that event was due, however much
 * of its block is complete. */
static void test_parts_of_a_block_have_their_own_latency(void **state)
{
    world.stall_from_ns = at(0);
    world.stall_to_ns = at(100);
    world_begin((struct plan){"constant", 1000, 0, 100, 1, 0});
    world.now_ns = at(0.1);
    ps_sender_cycle(world.sender, world.now_ns);
    struct fake_lane *fake = &world.lanes[0];
    struct ps_load_block *block = fake->first;
    const struct ps_statistics *statistics = &world.sender->statistics;
    assert_int_equal(block->count, 100); /* event i is due at i ms */
    static const struct {
        uint32_t count, at_ms;
        bool fails;
    } parts[] = {{1, 200, false}, {29, 200, false}, {50, 1000, false}, {15, 1500, true}, {5, 4000, false}};
    uint64_t sum_ms = 0, completed = 0, max_ms = 0;
    uint32_t first = 0;
    for (size_t i = 0; i < PS_COUNT_OF(parts); i++) {
        assert_int_equal(fake->lane->outstanding, 1);
        if (parts[i].fails) {
            ps_lane_failed(fake->lane, block, parts[i].count, "refused by the fake");
        } else {
            ps_lane_completed(fake->lane, block, parts[i].count, at(parts[i].at_ms / 1000.0));
            for (uint32_t k = first; k < first + parts[i].count; k++)
                sum_ms += parts[i].at_ms - k;
            completed += parts[i].count;
            max_ms = parts[i].at_ms - first > max_ms ? parts[i].at_ms - first : max_ms;
        }
        first += parts[i].count;
        assert_int_equal(statistics->completed, completed);
        assert_int_equal(statistics->bytes, completed * 64);
        assert_int_equal(statistics->latency_ns.count, completed);
        /* Neighbours in one bucket are recorded as the highest of them: at most 1/128 more. */
        assert_in_range(statistics->latency_ns.sum, sum_ms * PS_NS_PER_MS, sum_ms * PS_NS_PER_MS * 129 / 128);
        assert_int_equal(statistics->latency_ns.max, max_ms * PS_NS_PER_MS);
    }
    assert_int_equal(statistics->failed, 15);
    assert_int_equal(fake->lane->outstanding, 0);
    fake->first = NULL;
    fake->outstanding = 0;
    world.now_ns = at(100);
    world_run(0);
}

/* A block with room for only a few events: random arrivals are restored and taken again; none is lost,
 * duplicated or moved, as the checks of every event show. */
static void test_small_blocks_wind_the_schedule_back(void **state)
{
    world.stall_from_ns = at(0.1);
    world.stall_to_ns = at(0.3);
    world_begin((struct plan){"poisson", 5000, S, 0, 2, 64 * 7});
    world_run(0);
    struct ps_schedule schedule;
    uint64_t expected = 0;
    for (uint32_t lane = 0; lane < 2; lane++) {
        struct ps_schedule_config config = {world.shape, lane, 2, 0, S, 5};
        ps_schedule_init(&schedule, &config);
        uint64_t count = ps_schedule_skip(&schedule, PS_NEVER - 1);
        assert_int_equal(world.lanes[lane].received, count);
        assert_int_equal(world.lanes[lane].ended, 1);
        expected += count;
    }
    assert_int_equal(world.sender->statistics.completed, expected);
}

static void test_an_interrupt_ends_it_without_a_mark(void **state)
{
    world.finished_late = true;
    world_begin((struct plan){"constant", 1000, 100 * S, 0, 4, 0});
    world_run(at(0.5));
    assert_int_equal(world.sender->statistics.sent, 500);
    assert_int_equal(world.sender->statistics.completed, 500);
    for (uint32_t lane = 0; lane < 4; lane++)
        assert_int_equal(world.lanes[lane].ended, 0);
}

static void test_retries_back_off_with_jitter(void **state)
{
    world_begin((struct plan){"constant", 1, S, 0, 1, 0});
    struct ps_lane *lane = &world.sender->lanes[0];
    uint64_t wait_ms = 100;
    for (unsigned failures = 0; failures < 12; failures++) {
        uint64_t wait_ns = ps_lane_retry_at(lane, failures, 77 * S) - 77 * S;
        uint64_t wanted_ns = (wait_ms < 5000 ? wait_ms : 5000) * PS_NS_PER_MS;
        assert_in_range(wait_ns, wanted_ns / 4 * 3, wanted_ns / 4 * 5);
        wait_ms *= 2;
    }
    world_run(0);
}

static void test_lanes_with_nothing_to_send_are_done(void **state)
{
    world_begin((struct plan){"constant", 100, 0, 3, 8, 0});
    world_run(0);
    assert_int_equal(world.sender->statistics.completed, 3);
    for (uint32_t lane = 0; lane < 8; lane++)
        assert_int_equal(world.sender->lanes[lane].sequence, lane < 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_what_is_due_is_sent, world_end),
        cmocka_unit_test_teardown(test_a_stall_is_seen_by_every_event_due_then, world_end),
        cmocka_unit_test_teardown(test_a_closed_loop_hides_a_stall, world_end),
        cmocka_unit_test_teardown(test_an_outage_is_on_the_timeline, world_end),
        cmocka_unit_test_teardown(test_an_outage_at_the_start_ends, world_end),
        cmocka_unit_test_teardown(test_the_timeline_is_bounded, world_end),
        cmocka_unit_test_teardown(test_refused_events_are_counted_by_reason, world_end),
        cmocka_unit_test_teardown(test_parts_of_a_block_have_their_own_latency, world_end),
        cmocka_unit_test_teardown(test_small_blocks_wind_the_schedule_back, world_end),
        cmocka_unit_test_teardown(test_an_interrupt_ends_it_without_a_mark, world_end),
        cmocka_unit_test_teardown(test_retries_back_off_with_jitter, world_end),
        cmocka_unit_test_teardown(test_lanes_with_nothing_to_send_are_done, world_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
