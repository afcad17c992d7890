/* When rules are loaded, under a fake clock: files that change once, again and again, and all the time. */
#include "tests/support/support.h"

#include "core/clock.h"
#include "stages/lib/rules/live/pace.h"

#define SETTLE_MS 200U
#define LIMIT_MS ((uint64_t)SETTLE_MS * PS_RULES_SETTLES_MAX)

/* A rules thread whose loads take `load_ms`, over a file that is replaced every `every_ms` until `until_ms`. */
struct run {
    uint64_t load_ms, every_ms, until_ms;
    uint64_t changes, changed_ms; /* changes of the file, and the time of the last one */
    uint64_t loaded;              /* the last change whose text was loaded */
    uint64_t stale_ms,
        stale_since_ms; /* longest time without loading a newer text than the last; start of that time */
    uint64_t loads, overtaken, closest_ms;
};

static void run_change(struct run *run, struct ps_rules_pace *pace, uint64_t now_ms)
{
    run->changes++;
    run->changed_ms = now_ms;
    ps_rules_pace_change(pace, now_ms * PS_NS_PER_MS);
}

static void run_done(struct run *run, struct ps_rules_pace *pace, uint64_t read, uint64_t read_ms,
                     uint64_t now_ms)
{
    run->loads++;
    run->loaded = read;
    run->stale_ms =
        now_ms - run->stale_since_ms > run->stale_ms ? now_ms - run->stale_since_ms : run->stale_ms;
    run->stale_since_ms = read_ms; /* changes since then are not loaded */
    ps_rules_pace_done(pace, read == run->changes, now_ms * PS_NS_PER_MS);
}

static void run_all(struct run *run)
{
    struct ps_rules_pace pace = {.settle_ns = SETTLE_MS * PS_NS_PER_MS};
    uint64_t began_ms = 0, read = 0;
    bool loading = false;
    run->closest_ms = UINT64_MAX;
    for (uint64_t now_ms = 1; now_ms < run->until_ms + 2 * (LIMIT_MS + run->load_ms); now_ms++) {
        if (now_ms % run->every_ms == 0 && now_ms <= run->until_ms)
            run_change(run, &pace, now_ms);
        if (loading && ps_rules_pace_is_overtaken(&pace)) {
            run->overtaken++;
            loading = false;
            ps_rules_pace_cancelled(&pace, now_ms * PS_NS_PER_MS);
        } else if (loading && now_ms - began_ms >= run->load_ms) {
            loading = false;
            run_done(run, &pace, read, began_ms, now_ms);
        } else if (!loading && now_ms * PS_NS_PER_MS >= ps_rules_pace_due_ns(&pace)) {
            assert_false(ps_rules_pace_begin(&pace, now_ms * PS_NS_PER_MS));
            loading = run->loaded != run->changes; /* an unchanged text is not compiled */
            if (!loading) {
                ps_rules_pace_done(&pace, true, now_ms * PS_NS_PER_MS);
                continue;
            }
            if (began_ms > 0 && now_ms - began_ms < run->closest_ms)
                run->closest_ms = now_ms - began_ms;
            began_ms = now_ms;
            read = run->changes;
        }
    }
    assert_int_equal(run->loaded, run->changes); /* the last text is loaded, whatever happened before */
}

/* The file is replaced 195 times in 10 s: it is loaded all the time, although every load meets a change. */
static void test_changes_all_the_time(void **state)
{
    struct run run = {.load_ms = 120, .every_ms = 51, .until_ms = 10000};
    run_all(&run);
    assert_int_equal(run.changes, 196);
    assert_int_equal(run.overtaken, 0);
    assert_in_range(run.loads, 8, 11);
    assert_in_range(run.stale_ms, LIMIT_MS, LIMIT_MS + 2 * run.load_ms + 51);
    assert_true(run.closest_ms >= SETTLE_MS);
}

/* The same with a compilation that takes far longer than the time between two changes. */
static void test_slow_to_load(void **state)
{
    struct run run = {.load_ms = 3000, .every_ms = 51, .until_ms = 60000};
    run_all(&run);
    assert_int_equal(run.overtaken, 0);
    assert_in_range(run.loads, 60000 / (LIMIT_MS + 3000), 60000 / 3000 + 2);
    assert_true(run.stale_ms <= LIMIT_MS + 2 * run.load_ms + 51);
}

/* The file stays unchanged long enough between changes: a load is ended by the next change, but not twice in a row. */
static void test_left_alone_between(void **state)
{
    struct run run = {.load_ms = 1000, .every_ms = 500, .until_ms = 30000};
    run_all(&run);
    assert_true(run.overtaken > 0);
    assert_true(run.loads >= run.overtaken);
    assert_true(run.stale_ms <= 2 * (LIMIT_MS + run.load_ms) + run.every_ms);
}

static void test_one_change(void **state)
{
    struct ps_rules_pace pace = {.settle_ns = SETTLE_MS * PS_NS_PER_MS};
    assert_int_equal(ps_rules_pace_due_ns(&pace), PS_NEVER);
    ps_rules_pace_change(&pace, 1000);
    assert_int_equal(ps_rules_pace_due_ns(&pace), 1000 + pace.settle_ns);
    assert_false(ps_rules_pace_begin(&pace, 1000 + pace.settle_ns));
    assert_false(pace.restless);
    assert_false(ps_rules_pace_is_overtaken(&pace));
    ps_rules_pace_change(&pace, 2000 + pace.settle_ns);
    assert_true(ps_rules_pace_is_overtaken(&pace));
}

/* SIGHUP does not wait for quiet, and is answered even if the file is never quiet. */
static void test_wanted(void **state)
{
    struct ps_rules_pace pace = {.settle_ns = SETTLE_MS * PS_NS_PER_MS};
    ps_rules_pace_change(&pace, 1000);
    pace.wanted = true;
    assert_int_equal(ps_rules_pace_due_ns(&pace), 0);
    assert_true(ps_rules_pace_begin(&pace, 1001));
    assert_int_equal(ps_rules_pace_due_ns(&pace), PS_NEVER);
    pace.wanted = true;
    assert_true(ps_rules_pace_is_overtaken(&pace));
    ps_rules_pace_cancelled(&pace, 1002);
    assert_true(ps_rules_pace_begin(&pace, 1003)); /* the request is still open */
    pace.wanted = true;
    assert_false(ps_rules_pace_is_overtaken(&pace));
}

/* A file that differs at each read: it is read again a few times at once, and later only at regular intervals. */
static void test_differs_at_each_reading(void **state)
{
    struct ps_rules_pace pace = {.settle_ns = SETTLE_MS * PS_NS_PER_MS};
    for (unsigned i = 0; i < PS_RULES_UNSETTLED_MAX; i++) {
        ps_rules_pace_done(&pace, false, 1000);
        assert_true(pace.dirty);
        assert_false(ps_rules_pace_looks(&pace));
        (void)ps_rules_pace_begin(&pace, 1000 + pace.settle_ns);
    }
    ps_rules_pace_done(&pace, false, 1000);
    assert_false(pace.dirty);
    assert_true(ps_rules_pace_looks(&pace)); /* the file is still checked */
    ps_rules_pace_done(&pace, true, 1000);
    assert_false(ps_rules_pace_looks(&pace));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_all_the_time),
        cmocka_unit_test(test_slow_to_load),
        cmocka_unit_test(test_left_alone_between),
        cmocka_unit_test(test_one_change),
        cmocka_unit_test(test_wanted),
        cmocka_unit_test(test_differs_at_each_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
