/* Idle files leave the list of open files without a delay: at most 1,024 in a tick, and the next tick follows
 * immediately. Files that become idle a nanosecond later stay. */
#include "stages/lib/tail/tailer/internal.h"
#include "tests/support/support.h"

#define TICK_MAX 1024U /* files of one tick */
#define IDLE_NS (10 * PS_NS_PER_S)
#define NOW_NS (100 * PS_NS_PER_S)
#define MOST 2500U

static struct ps_tail_log logs[MOST], *numbered[MOST];

/* Makes files: `idle` of them have been idle for exactly the idle time, the others for a nanosecond less. They are in the queue, so that they stay open. */
static struct ps_tailer *tailer_with(const struct ps_tail_settings *settings, uint32_t idle, uint32_t others)
{
    struct ps_tailer *tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    memset(logs, 0, sizeof logs);
    tailer->settings = settings;
    tailer->now_ns = NOW_NS;
    tailer->table.logs = numbered;
    tailer->table.count = idle + others;
    ps_tail_slots_grow(&tailer->loose, 4096);
    for (uint32_t i = 0; i < idle + others; i++) {
        logs[i] = (struct ps_tail_log){
            .number = i, .named = true, .matches = true, .queued = true, .state = PS_TAIL_LOG_OPEN};
        numbered[i] = &logs[i];
        ps_tail_log_active(&tailer->open, &logs[i], NOW_NS - IDLE_NS + (i >= idle));
    }
    return tailer;
}

static uint32_t count_listed(const struct ps_tailer *tailer)
{
    uint32_t count = 0;
    for (const struct ps_tail_log *log = tailer->open.oldest; log != NULL; log = log->newer)
        count++;
    return count;
}

static void test_ticks(void **unused)
{
    static const uint32_t counts[] = {
        0, 1, TICK_MAX - 1, TICK_MAX, TICK_MAX + 1, 2 * TICK_MAX, 2 * TICK_MAX + 1, MOST - 7};
    const struct ps_tail_settings settings = {.idle_ns = IDLE_NS};
    for (size_t i = 0; i < PS_COUNT_OF(counts); i++) {
        for (uint32_t others = 0; others <= 7; others += 7) {
            struct ps_tailer *tailer = tailer_with(&settings, counts[i], others);
            uint32_t left = counts[i];
            for (;;) {
                uint64_t next_ns = ps_tail_rests_tick(tailer);
                bool more = left > TICK_MAX;
                left -= more ? TICK_MAX : left;
                assert_int_equal(count_listed(tailer), left + others);
                assert_int_equal(tailer->loose.count, counts[i] - left);
                if (!more) {
                    uint64_t look_ns =
                        NOW_NS + PS_NS_PER_S;            /* a quarter of the idle time, at most a second */
                    bool looks = tailer->loose_left > 0; /* at those that left the list */
                    assert_int_equal(tailer->idle_look_ns, look_ns);
                    assert_int_equal(looks, counts[i] > TICK_MAX);
                    assert_true(next_ns == (looks ? NOW_NS : counts[i] + others > 0 ? look_ns : PS_NEVER));
                    break;
                }
                assert_int_equal(next_ns, NOW_NS); /* at once */
            }
            ps_tail_slots_free(&tailer->loose);
            free(tailer);
        }
    }
}

/* The time between two looks. */
static void test_steps(void **unused)
{
    static const struct {
        uint64_t idle_ns, step_ns;
    } rows[] = {{0, PS_NS_PER_MS},
                {4 * PS_NS_PER_MS, 2 * PS_NS_PER_MS},
                {4 * PS_NS_PER_S - 4, PS_NS_PER_S - 1 + PS_NS_PER_MS},
                {4 * PS_NS_PER_S, PS_NS_PER_S},
                {120 * PS_NS_PER_S, PS_NS_PER_S}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct ps_tail_settings settings = {.idle_ns = rows[i].idle_ns};
        struct ps_tailer *tailer = tailer_with(&settings, 1, 0);
        assert_int_equal(ps_tail_rests_tick(tailer), NOW_NS + rows[i].step_ns);
        for (unsigned again = 0; again < 2; again++) { /* it waits until then */
            tailer->now_ns = NOW_NS + rows[i].step_ns - 1;
            assert_int_equal(ps_tail_rests_tick(tailer), NOW_NS + rows[i].step_ns);
        }
        tailer->now_ns = NOW_NS + rows[i].step_ns;
        assert_int_equal(ps_tail_rests_tick(tailer), NOW_NS + 2 * rows[i].step_ns);
        ps_tail_slots_free(&tailer->loose);
        free(tailer);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_ticks), cmocka_unit_test(test_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
