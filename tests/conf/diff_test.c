/* The differences that a reload logs and `check` prints: the agent's own keys. Components:
 * tests/core/engine/plan_diff_test.c and tests/scenarios/reload_takes_effect.scn. */
#include "conf/diff.h"
#include "tests/support/support.h"

#include <stdio.h>

/* `keys`: the changed keys, which the text must name. */
static bool changed(const struct ps_agent_options *before, const struct ps_agent_options *after,
                    const char *keys)
{
    struct ps_arena *arena = ps_arena_create();
    struct ps_agent_spec old = {.name = "a1", .options = *before}, fresh = {.name = "a1", .options = *after};
    struct ps_diff diff;
    ps_diff_specs(&diff, arena, &old, &fresh);
    assert_int_equal(diff.count, 0);
    assert_int_equal(diff.any, diff.options_changed);
    assert_string_equal(ps_diff_text(arena, &diff), diff.options_changed
                                                        ? ps_arena_format(arena, "agent changed (%s)", keys)
                                                        : "nothing changed");
    ps_arena_destroy(arena);
    return diff.options_changed;
}

static struct ps_agent_options with_cpus(struct ps_texts cpus)
{
    return (struct ps_agent_options){.workers = 2, .cpus = cpus};
}

static void test_cpus(void **state)
{
    struct ps_agent_options options = with_cpus((struct ps_texts){2, PS_WORDS("0", "1")});
    struct ps_agent_options same = with_cpus((struct ps_texts){2, PS_WORDS("0", "1")});
    struct ps_agent_options other = with_cpus((struct ps_texts){2, PS_WORDS("0", "2")});
    struct ps_agent_options fewer = with_cpus((struct ps_texts){1, PS_WORDS("0")});
    assert_false(changed(&options, &same, ""));
    assert_true(changed(&options, &other, "penstock.cpus"));
    assert_true(changed(&options, &fewer, "penstock.cpus"));
    assert_true(changed(&fewer, &options, "penstock.cpus"));
}

static void test_each_key(void **state)
{
    static const char *const keys[] = {
        "workers",        "idle",        "memory.budget",     "batch.events", "drain.timeout",
        "reload.timeout", "ready.stall", "allow.unsupported", "cpus"};
    const struct ps_agent_options before = {.workers = 1};
    struct ps_agent_options after[PS_COUNT_OF(keys)], two = before;
    for (size_t i = 0; i < PS_COUNT_OF(after); i++)
        after[i] = before;
    after[0].workers++;
    after[1].idle++;
    after[2].memory_budget++;
    after[3].batch_events++;
    after[4].drain_timeout_ms++;
    after[5].reload_timeout_ms++;
    after[6].ready_stall_ms++;
    after[7].allow_unsupported = true;
    after[8].cpus = (struct ps_texts){1, PS_WORDS("0")};
    assert_false(changed(&before, &before, ""));
    for (size_t i = 0; i < PS_COUNT_OF(after); i++) {
        char key[64];
        snprintf(key, sizeof key, "penstock.%s", keys[i]);
        if (!changed(&before, &after[i], key))
            fail_msg("%s", key);
    }
    two.ready_stall_ms = two.workers = 7;
    assert_true(changed(&before, &two, "penstock.workers, penstock.ready.stall"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cpus), cmocka_unit_test(test_each_key)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
