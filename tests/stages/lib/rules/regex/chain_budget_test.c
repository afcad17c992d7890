/* Expressions that backtrack over every event of a batch: a chain of interceptors and a set of rules still finish the
 * batch soon, count what they gave up, and the other expressions are right. */
#include "tests/support/rules/files.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <stdio.h>

#include "regex/budget.h"
#include "regex/regex.h"

#define EVENTS 1000U
#define COSTLY 10U

static char texts[EVENTS][256];
static struct ps_test_event events[EVENTS];

/* Hyperscan reports every event for the costly expressions, PCRE2 has to reject them. */
static void events_make(void)
{
    for (unsigned i = 0; i < EVENTS; i++) {
        snprintf(texts[i], sizeof texts[i], "%0*d!y n=%u%s", 150, 0, i, i % 2 ? "" : "-");
        memset(texts[i], 'x', 150);
        events[i] = PS_BODY(texts[i]);
    }
}

static void costly_write(char *text, size_t room, unsigned number)
{
    snprintf(text, room, "(x+x+)+(?=[qr%u]).*y", number);
}

/* CPU time of one costly match without a limit. */
static uint64_t one_ns(void)
{
    struct ps_err err = {.length = 0};
    struct ps_regex *regex = ps_regex_create("(x+x+)+(?=[qr]).*y", 0, PS_REGEX_FIND, &err);
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    uint64_t began_ns = ps_regex_cpu_ns();
    for (unsigned i = 0; i < 10; i++)
        assert_false(ps_regex_find(regex, scratch, texts[0], strlen(texts[0]), 0, NULL, 0));
    uint64_t took_ns = (ps_regex_cpu_ns() - began_ns) / 10;
    assert_int_equal(ps_regex_scratch_given_up(scratch), 10);
    ps_regex_scratch_destroy(scratch);
    ps_regex_destroy(regex);
    return took_ns;
}

static void assert_bounded(uint64_t took_ns)
{
    uint64_t unbounded_ns = one_ns() * EVENTS * COSTLY;
    if (took_ns > unbounded_ns / 10)
        fail_msg("the batch took %llu ns of %llu", (unsigned long long)took_ns,
                 (unsigned long long)unbounded_ns);
}

/* ---- a chain ---- */

static struct ps_test_stage stages[COSTLY + 1];
static struct ps_chain_share built, opened;

static void chain_add(struct ps_test_stage *stage, const char *regex)
{
    ps_test_stage_init(stage, &ps_interceptor_regex_filter);
    stage->context.chain = &built;
    stage->port.chain = &opened;
    assert_int_equal(ps_test_stage_bind(stage, PS_KEYS("regex", regex, "excludeEvents", "true")), PS_OK);
    assert_int_equal(ps_test_stage_build(stage), PS_OK);
}

static void given_up_add(void *sum, const struct ps_series *series)
{
    if (strcmp(series->name, "regex_given_up") == 0)
        *(uint64_t *)sum += (uint64_t)series->value;
}

static void chain_fini(void)
{
    for (unsigned i = 0; i <= COSTLY; i++)
        ps_test_stage_close(&stages[i]);
    opened.destroy(opened.value);
    built.destroy(built.value);
    for (unsigned i = 0; i <= COSTLY; i++)
        ps_test_stage_fini(&stages[i]);
}

static void test_chain(void **state)
{
    struct ps_err err = {.length = 0};
    char regex[64];
    events_make();
    for (unsigned i = 0; i < COSTLY; i++) {
        costly_write(regex, sizeof regex, i);
        chain_add(&stages[i], regex);
    }
    chain_add(&stages[COSTLY], "(?<=!y n=)\\d+$");
    assert_int_equal(built.finish(built.value, &err), PS_OK);
    for (unsigned i = 0; i <= COSTLY; i++)
        assert_int_equal(ps_test_stage_open(&stages[i]), PS_OK);
    for (unsigned batch = 1; batch <= 2; batch++) {
        struct ps_lease *lease = ps_test_lease(&stages[0], events, EVENTS);
        lease->batch->sequence = batch;
        uint64_t began_ns = ps_regex_cpu_ns(), given_up = 0;
        for (unsigned i = 0; i <= COSTLY; i++)
            assert_int_equal(ps_test_interceptor_work(&stages[i], lease), PS_DONE);
        assert_bounded(ps_regex_cpu_ns() - began_ns);
        assert_int_equal(lease->count, EVENTS / 2); /* the costly expressions match nothing, the other one is
                                                     * right */
        stages[0].ops->series(stages[0].plan, given_up_add, &given_up);
        assert_int_equal(given_up, (uint64_t)batch * EVENTS * COSTLY);
    }
    chain_fini();
}

/* ---- rules ---- */

static void test_rules(void **state)
{
    static struct ps_test_stage stage;
    static char file[4096];
    char rules[4096] = "mode all\n", regex[64];
    events_make();
    for (unsigned i = 0; i < COSTLY; i++) {
        size_t used = strlen(rules);
        costly_write(regex, sizeof regex, i);
        snprintf(rules + used, sizeof rules - used, "rule costly%u { when body ~ /%s/ tag costly }\n", i,
                 regex);
    }
    strncat(rules, "rule fine { when body ~ /(?<=!y n=)\\d+$/ drop }\n", sizeof rules - strlen(rules) - 1);
    snprintf(file, sizeof file, "%s", ps_test_rules_write("a.rules", "%s", rules));
    ps_test_stage_start(&stage, &ps_interceptor_rules,
                        PS_KEYS("rules.file", file, "rules.cache", "none", "rules.watch", "false"));
    for (unsigned batch = 1; batch <= 2; batch++) {
        struct ps_lease *lease = ps_test_lease(&stage, events, EVENTS);
        uint64_t began_ns = ps_regex_cpu_ns();
        assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
        assert_bounded(ps_regex_cpu_ns() - began_ns);
        assert_int_equal(lease->count, EVENTS / 2);
        assert_true(ps_test_series(&stage, "rules_given_up", NULL) == (double)batch * EVENTS * COSTLY);
        assert_true(ps_test_series(&stage, "rule_dropped", "fine") == (double)batch * EVENTS / 2);
        assert_true(ps_test_series(&stage, "rule_hits", "costly0") == 0);
    }
    ps_test_stage_fini(&stage);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_chain), TEST(test_rules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
