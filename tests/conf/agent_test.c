/* Keys by agent and component: how many agents and components are kept. */
#include "conf/agent.h"
#include "conf/problem.h"
#include "tests/support/support.h"

static struct ps_arena *arena;
static struct ps_problems problems;
static struct ps_properties properties;
static struct ps_grouping grouping;

static int setup(void **state)
{
    arena = ps_arena_create();
    ps_problems_init(&problems, arena);
    ps_properties_init(&properties, arena);
    return 0;
}

static int teardown(void **state)
{
    ps_grouping_fini(&grouping);
    ps_properties_fini(&properties);
    ps_problems_fini(&problems);
    ps_arena_destroy(arena);
    return 0;
}

static void put(const char *key)
{
    ps_properties_put(&properties, (struct ps_property){.key = key, .value = "v", .file = "f", .line = 1});
}

/* One file may be that of a fleet, with an agent for each machine: the agent that is wanted is found wherever it stands. */
static void test_many_agents(void **state)
{
    for (unsigned i = 0; i < PS_AGENT_MAX + 3; i++)
        put(ps_arena_format(arena, "a%u.sources", i));
    put("last.sources");
    put("last.sinks");
    ps_grouping_init(&grouping, &properties, "last", arena, &problems);
    assert_non_null(ps_grouping_find(&grouping, "a0"));
    assert_non_null(ps_grouping_find(&grouping, ps_arena_format(arena, "a%u", PS_AGENT_MAX - 1)));
    assert_null(ps_grouping_find(&grouping, ps_arena_format(arena, "a%u", PS_AGENT_MAX)));
    const struct ps_agent_text *last = ps_grouping_find(&grouping, "last");
    assert_non_null(last);
    assert_int_equal(last->key_count, 2);
    assert_int_equal(grouping.count, PS_AGENT_MAX + 1);
}

static void test_many_components(void **state)
{
    for (unsigned i = 0; i <= PS_ENTRY_MAX; i++)
        put(ps_arena_format(arena, "a1.sinks.k%u.type", i));
    put("a1.sinks.k0.channel");
    ps_grouping_init(&grouping, &properties, "a1", arena, &problems);
    const struct ps_agent_text *agent = ps_grouping_find(&grouping, "a1");
    assert_non_null(agent);
    const struct ps_section_entries *sinks = &agent->sections[PS_SECTION_SINKS];
    assert_int_equal(sinks->count, PS_ENTRY_MAX);
    assert_non_null(ps_section_find(sinks, ps_arena_format(arena, "k%u", PS_ENTRY_MAX - 1)));
    assert_int_equal(ps_section_find(sinks, "k0")->count, 2);
    assert_int_equal(problems.warnings, 1);
    assert_string_equal(problems.items[0].key, ps_arena_format(arena, "a1.sinks.k%u.type", PS_ENTRY_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_agents, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_components, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
