/* Dead letters that a closed source leaves to the next source on its worker. They use the next source's room, and the
 * channel gets each of them once, in order; the same happens a second time. */
#include "core/engine/dead_letter_channel.h"

#include "core/engine/engine.h"
#include "core/engine/runner.h"
#include "core/engine/worker.h"
#include "tests/support/stage.h"

#define LETTER_BYTES 65536U

extern const struct ps_stage_ops ps_selector_replicating;

static struct ps_test_stage stage;
static bool full;
static unsigned put_count, first_bodies[256];

static enum ps_put put(void *plan, unsigned producer, struct ps_lease **lease, const struct ps_now *now)
{
    if (full)
        return PS_PUT_FULL;
    for (uint32_t i = 0; i < (*lease)->count; i++) {
        assert_true(put_count < PS_COUNT_OF(first_bodies));
        first_bodies[put_count++] = (unsigned char)ps_lease_event(*lease, i)->body[0];
    }
    ps_lease_settle_all(*lease);
    ps_window_release(*lease);
    *lease = NULL;
    return PS_PUT_OK;
}

static void fill(const void *plan, struct ps_fill *to)
{
    *to = (struct ps_fill){.capacity = 1000};
}

static const struct ps_channel_ops channel_ops = {.promises = PS_LEVEL_ACCEPTED, .put = put, .fill = fill};
static const struct ps_stage_ops channel_stage = {
    .kind = PS_KIND_CHANNEL, .name = "channel", .channel = &channel_ops};

/* Puts at most `most` letters of LETTER_BYTES, with numbers from `number` on. Returns how many found room. */
static unsigned fill_box(struct ps_dead_letter_queue *queue, unsigned number, unsigned most)
{
    static char body[LETTER_BYTES];
    unsigned count = 0;
    for (; count < most && queue->ops->has_room(queue); count++) {
        body[0] = (char)(number + count);
        assert_true(queue->ops->put(queue, &(struct ps_dead_letter){.component = "source r1",
                                                                    .reason = {"test", "a test", 1},
                                                                    .bytes = body,
                                                                    .length = sizeof body}) > 0);
    }
    return count;
}

static void test_inherited(void **state)
{
    struct ps_err err = {.length = 0};
    ps_test_stage_init(&stage, &ps_selector_replicating);
    const struct ps_channel_spec channel = {.stage = {.ops = &channel_stage, .component = "channel c1"}};
    struct ps_counters counters[2] = {{{0}}};
    struct ps_flag held_back[1] = {{0}};
    struct ps_channel_waiters waiters = {{0}};
    struct ps_channel_plan channels[1] = {{.spec = &channel,
                                           .producer_count = 1,
                                           .counters = counters,
                                           .held_back = held_back,
                                           .waiters = &waiters}};
    struct ps_agent_spec spec = {.name = "a1", .channel_count = 1};
    spec.options.batch_events = 1024;
    struct ps_plan plan = {.spec = &spec, .channels = channels};
    const struct ps_stage_ops source_ops = {.kind = PS_KIND_SOURCE, .name = "source"};
    const struct ps_stage_spec source = {.component = "source r1", .ops = &source_ops};
    const struct ps_dead_letter_target target = {.is_channel = true};
    const struct ps_engine_settings settings = {.simulated = true};
    struct ps_runner runner = {.spec = &source, .counters = &stage.counters};
    runner.port.blocks = ps_pool_cache(stage.pool);
    runner.worker = ps_worker_create(NULL, 0, stage.pool, &settings, &err);
    assert_non_null(runner.worker);
    struct ps_dead_letter_channel *closed = ps_dead_letter_channel_create(&runner, &plan, &target);
    channels[0].adopts = &channels[0]; /* it stays in the next plan, which is this one */
    full = true;
    const unsigned count = PS_DEAD_LETTER_CHANNEL_BYTES_MAX / LETTER_BYTES; /* a copy is a little longer */
    assert_int_equal(fill_box(ps_dead_letter_channel_queue(closed), 0, count / 2), count / 2);
    for (unsigned round = 0; round < 3; round++) {
        struct ps_lease *left = NULL;
        uint64_t due_ns = PS_NEVER;
        assert_false(ps_dead_letter_channel_cycle(closed, true, &due_ns, &stage.now));
        struct ps_dead_letter_channel *next = ps_dead_letter_channel_create(&runner, &plan, &target);
        ps_dead_letter_channel_close(closed, &plan, &left, &stage.now);
        assert_null(left);
        ps_dead_letter_channel_inherit(next, closed);
        ps_dead_letter_channel_destroy(closed);
        closed = next;
        struct ps_dead_letter_queue *queue = ps_dead_letter_channel_queue(closed);
        assert_int_equal(fill_box(queue, count / 2, 2 * count), round == 0 ? count - count / 2 : 0);
        assert_int_equal(queue->sent, count);
        if (round == 1) { /* they were put, and all the room is free again */
            full = false;
            put_count = 0;
            assert_true(ps_dead_letter_channel_cycle(closed, true, &due_ns, &stage.now));
            assert_int_equal(put_count, count);
            for (unsigned i = 0; i < count; i++)
                assert_int_equal(first_bodies[i], i);
            assert_int_equal(queue->ops->written(queue), count);
            full = true;
            assert_int_equal(fill_box(queue, 0, 2 * count), count);
            queue->sent = count;
        }
    }
    ps_dead_letter_channel_withdraw(closed);
    ps_dead_letter_channel_close(closed, &plan, NULL, &stage.now);
    ps_dead_letter_channel_destroy(closed);
    ps_worker_destroy(runner.worker);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_inherited)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
