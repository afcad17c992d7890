/* A rule set: conditions, actions and modes one by one. set_property_test.c compares random rules with a naive
 * evaluator; counters_test.c has counters, limits and samples over reloads. */
#include "tests/support/rules/set.h"

/* Runs the rules on one event. Returns the rules that acted, where it went, its body and headers, as one line. */
static const char *run(struct ps_test_rules *rules, struct ps_test_event event)
{
    struct ps_lease *lease = PS_LEASE(&rules->stage, event);
    ps_test_rules_work(rules, lease);
    if (lease->count == 0)
        return ps_arena_format(rules->arena, "%s| gone", rules->acted[0]);
    struct ps_test_event after = ps_test_lease_event(&rules->stage, lease, 0);
    assert_int_equal(lease->bytes, after.length);
    const char *line = ps_arena_format(rules->arena, "%s| %s| %.*s", rules->acted[0],
                                       rules->routes ? ps_test_rules_ways(rules, lease, 0) : "",
                                       (int)after.length, after.body);
    for (size_t i = 0; after.headers != NULL && after.headers[i] != NULL; i += 2)
        line = ps_arena_format(rules->arena, "%s %s=%s", line, after.headers[i], after.headers[i + 1]);
    return line;
}

static void assert_run(struct ps_test_rules *rules, struct ps_test_event event, const char *expected)
{
    assert_string_equal(run(rules, event), expected);
}

static void test_first(void **unused)
{
    struct ps_test_rules *rules =
        ps_test_rules_start("default c4\n"
                            "rule a { when body ~ /alpha/ route c1 }\n"
                            "rule b { when body ~ /beta/ or body ~ /alpha.*x/ route c2 }\n"
                            "rule c { when body ~ /a/ and not body ~ /z/ route c3 }\n",
                            true);
    assert_int_equal(rules->report.always_count, 0);
    assert_run(rules, PS_BODY("alpha beta x"), "a | c1 | alpha beta x");
    assert_run(rules, PS_BODY("beta"), "b | c2 | beta");
    assert_run(rules, PS_BODY("gamma"), "c | c3 | gamma");
    assert_run(rules, PS_BODY("gamma z"), "| c4 | gamma z");
    assert_run(rules, PS_BODY(""), "| c4 | ");
    ps_test_rules_end(rules);
}

static void test_all(void **unused)
{
    struct ps_test_rules *rules =
        ps_test_rules_start("mode all\ndefault c4\n"
                            "rule low priority -1 { when true route optional c1, c3 }\n"
                            "rule a { when body ~ /alpha/ route c1 route c2 }\n"
                            "rule b { when body ~ /stop/ stop }\n"
                            "rule c { when body ~ /a/ set header.seen = \"yes\" }\n"
                            "rule d { when body ~ /gone/ route c4 drop route c1 }\n",
                            true);
    assert_int_equal(rules->report.always_count, 1);
    assert_run(rules, PS_BODY("alpha"), "a c low | c1 c2 c3? | alpha seen=yes");
    assert_run(rules, PS_BODY("alpha stop"), "a b | c1 c2 | alpha stop");
    assert_run(rules, PS_BODY("stop"), "b | c4 | stop");
    assert_run(rules, PS_BODY("alpha gone"), "a c d | | alpha gone seen=yes");
    assert_run(rules, PS_BODY("x"), "low | c1? c3? | x");
    assert_int_equal(ps_test_rules_count(rules, "d").dropped, 1);
    assert_int_equal(ps_test_rules_count(rules, "low").hits, 2);
    assert_int_equal(ps_test_rules_count(rules, "a").bytes, 5 + 10 + 10);
    assert_true(ps_test_rules_count(rules, "b").last_hit_ms == 1700000000000);
    ps_test_rules_end(rules);
}

static void test_continue(void **unused)
{
    struct ps_test_rules *rules =
        ps_test_rules_start("rule a { when body ~ /a/ continue set header.a = \"1\" }\n"
                            "rule b { when body ~ /b/ set header.b = \"1\" }\n"
                            "rule c { when body ~ /c/ route c1 }\n",
                            true);
    assert_run(rules, PS_BODY("abc"), "a b | | abc b=1 a=1");
    assert_run(rules, PS_BODY("ac"), "a c | c1 | ac a=1");
    assert_run(rules, PS_BODY("bc"), "b | | bc b=1");
    ps_test_rules_end(rules);
}

static void test_header_conditions(void **unused)
{
    struct ps_test_rules *rules = ps_test_rules_start(
        "mode all\n"
        "rule eq { when header.h == \"x\" route c1 }\n"
        "rule five { when header.h == \"5\" route c2 }\n"
        "rule in { when header.h in (\"x\", \"y\", \"7.0\") route c3 }\n"
        "rule more { when header.h > \"10\" route c4 }\n"
        "rule not { when header.h != \"x\" route c1 }\n"
        "rule web { when header.h ~ /^web\\d/i route c1 }\n"
        "rule none { when not exists header.h route c4 }\n"
        "rule begins { when header.h begins \"we\" and header.h ends \"9\" route c2 }\n"
        "rule both { when header.h contains \"b\" and header.k contains \"b\" route c2 }\n",
        true);
    assert_run(rules, PS_EVENT("", "h", "x"), "eq in more | c1 c3 c4 |  h=x"); /* "x" > "10" as bytes */
    assert_run(rules, PS_EVENT("", "h", "5.0"), "five not | c1 c2 |  h=5.0");
    assert_run(rules, PS_EVENT("", "h", "7"), "in not | c1 c3 |  h=7");
    assert_run(rules, PS_EVENT("", "h", "11"), "more not | c1 c4 |  h=11");
    assert_run(rules, PS_EVENT("", "h", "9"), "not | c1 |  h=9");
    assert_run(rules, PS_EVENT("", "h", "Web9"), "more not web | c1 c4 |  h=Web9");
    assert_run(rules, PS_EVENT("", "h", "we9", "k", "abc"), "more not begins | c1 c2 c4 |  k=abc h=we9");
    assert_run(rules, PS_EVENT("", "h", "b", "k", "abc"), "more not both | c1 c2 c4 |  k=abc h=b");
    assert_run(rules, PS_EVENT("", "k", "x"), "none | c4 |  k=x");
    ps_test_rules_end(rules);
}

/* All spellings of zero are one value, also the negative one. */
static void test_zero(void **unused)
{
    static const char *const zeros[] = {"0", "-0", "0.0", "-0.0", "00"};
    struct ps_test_rules *rules = ps_test_rules_start("default c4\n"
                                                      "rule zero { when header.h == 0 route c1 }\n"
                                                      "rule minus { when header.m == -0.0 route c2 }\n"
                                                      "rule one { when header.h == 1 route c3 }\n",
                                                      true);
    for (size_t i = 0; i < PS_COUNT_OF(zeros); i++) {
        const char *line = ps_arena_format(rules->arena, "zero | c1 | x h=%s", zeros[i]);
        assert_run(rules, PS_EVENT("x", "h", zeros[i]), line);
        line = ps_arena_format(rules->arena, "minus | c2 | x m=%s", zeros[i]);
        assert_run(rules, PS_EVENT("x", "m", zeros[i]), line);
    }
    assert_run(rules, PS_EVENT("x", "h", "-1"), "| c4 | x h=-1");
    ps_test_rules_end(rules);
}

/* Ten thousand services: an event takes one lookup, whatever their number. */
static void test_many_values(void **unused)
{
    size_t room = 1 << 20, used = 0;
    char *text = malloc(room), service[32], expected[128];
    assert_non_null(text);
    for (unsigned i = 0; i < 10000; i++)
        used +=
            (size_t)snprintf(text + used, room - used,
                             "rule r%u { when header.service == \"svc-%u\" route c%u }\n", i, i, 1 + i % 4);
    struct ps_test_rules *rules = ps_test_rules_start(text, true);
    assert_int_equal(rules->report.always_count, 0);
    for (unsigned i = 0; i < 10000; i += 997) {
        snprintf(service, sizeof service, "svc-%u", i);
        snprintf(expected, sizeof expected, "r%u | c%u |  service=%s", i, 1 + i % 4, service);
        assert_run(rules, PS_EVENT("", "service", service), expected);
    }
    assert_run(rules, PS_EVENT("", "service", "svc-10000"), "| |  service=svc-10000");
    free(text);
    ps_test_rules_end(rules);
}

/* A header that the whole batch has, and events whose value differs or was removed. */
static void test_shared_header(void **unused)
{
    struct ps_test_rules *rules = ps_test_rules_start("rule eq { when header.dc == \"a\" route c1 }\n"
                                                      "rule re { when header.dc ~ /b/ route c2 }\n"
                                                      "rule no { when not exists header.dc route c3 }\n",
                                                      true);
    const struct ps_name *name = ps_name_intern("dc");
    static const char *const expected[3][3] = {
        {"c1 ", "c1 ", "c1 "}, {"c1 ", "c2 ", "c1 "}, {"c3 ", "c2 ", "c1 "}};
    struct ps_lease *lease = PS_LEASE(&rules->stage, PS_BODY("1"), PS_BODY("2"), PS_BODY("3"));
    assert_true(ps_batch_shared_set(lease->batch, name, "a", 1, true));
    for (unsigned step = 0; step < 3; step++) {
        if (step == 1)
            assert_true(ps_batch_header_set(lease->batch, ps_lease_event(lease, 1), name, "xb", 2));
        if (step == 2)
            assert_true(ps_batch_header_remove(lease->batch, ps_lease_event(lease, 0), name));
        ps_test_rules_work(rules, lease);
        for (uint32_t i = 0; i < 3; i++)
            assert_string_equal(ps_test_rules_ways(rules, lease, i), expected[step][i]);
    }
    ps_test_rules_end(rules);
}

static void test_body_conditions(void **unused)
{
    struct ps_test_rules *rules = ps_test_rules_start("mode all\n"
                                                      "rule long { when size > 5 route c1 }\n"
                                                      "rule not { when body !~ /x/ route c2 }\n"
                                                      "rule same { when body == \"abc\" route c3 }\n"
                                                      "rule any { when body ~ /.*/ route c4 }\n",
                                                      true);
    assert_run(rules, PS_BODY("abc"), "not same any | c2 c3 c4 | abc");
    assert_run(rules, PS_BODY("xxxxxx"), "long any | c1 c4 | xxxxxx");
    assert_run(rules, PS_BODY(""), "not any | c2 c4 | ");
    ps_test_rules_end(rules);
}

static void test_headers_set(void **unused)
{
    struct ps_test_rules *rules = ps_test_rules_start(
        "mode all\n"
        "rule a { when body ~ /(?<user>\\w+)@(?<host>\\w+)?/\n"
        "  set header.to = \"${user} at ${host}, ${header.k}${header.missing} $$\"\n"
        "  set header.k = \"new\" unless exists\n"
        "  set header.n = \"new\" unless exists\n"
        "  copy header.k to header.copy\n"
        "  copy header.missing to header.copy\n"
        "  set header.all = \"${body}\"\n"
        "  remove header.gone\n"
        "  tag \"one\" tag \"two\" tag \"one\"\n"
        "}\n"
        "rule b { when header.k ~ /(?<first>.)/ as prefix \"k.\" tag \"two\" tag \"three\" }\n",
        false);
    assert_run(
        rules, PS_EVENT("joe@", "k", "old", "gone", "x"),
        "a b | | joe@ k.first=o tags=one,two,three all=joe@ copy=old n=new to=joe at , old $ user=joe k=old");
    assert_run(
        rules, PS_EVENT("joe@x1", "tags", "zero,two"),
        "a | | joe@x1 all=joe@x1 copy=new n=new k=new to=joe at x1,  $ host=x1 user=joe tags=zero,two,one");
    ps_test_rules_end(rules);
}

/* Groups without a name between those with one. */
static void test_groups_without_names(void **unused)
{
    struct ps_test_rules *rules = ps_test_rules_start("rule a { when body ~ /(a)(b)(?<c>.)((d))(?<e>.)/\n"
                                                      "  extract body ~ /(.)(?<last>.)$/\n"
                                                      "  set header.h = \"${c}${e}${last}\"\n"
                                                      "}\n",
                                                      false);
    assert_run(rules, PS_BODY("abXdYz"), "a | | abXdYz h=XYz last=z e=Y c=X");
    ps_test_rules_end(rules);
}

/* Conditions see events as they arrived, whatever earlier rules did to them; templates see the changes. */
static void test_conditions_see_what_came(void **unused)
{
    struct ps_test_rules *rules = ps_test_rules_start(
        "mode all\n"
        "rule a { when body ~ /secret/ replace /secret/ with \"***\" set header.h = \"new\" }\n"
        "rule b { when body ~ /(?<word>secret)/ set header.b = \"${body}\" }\n"
        "rule c { when header.h == \"new\" set header.c = \"no\" }\n"
        "rule d { when header.h ~ /(?<was>o\\w+)/ set header.d = \"${was} ${header.h}\" }\n",
        false);
    assert_run(rules, PS_EVENT("a secret", "h", "old"),
               "a b d | | a *** d=old new was=old b=a *** word=secret h=new");
    ps_test_rules_end(rules);
}

static void test_extract_and_replace(void **unused)
{
    struct ps_test_rules *rules = ps_test_rules_start("rule a { when body ~ /card/\n"
                                                      "  extract body ~ /card (?<digits>\\d+)(?<more>x)?/\n"
                                                      "  replace /\\d(?=\\d{2})/ with \"*\"\n"
                                                      "  set header.left = \"${digits}\"\n"
                                                      "  extract header.h ~ /(?<letter>[a-z])/\n"
                                                      "  extract header.missing ~ /(?<nothing>[a-z])/\n"
                                                      "  replace /card (\\S+)/ with \"$1 card\"\n"
                                                      "}\n",
                                                      false);
    assert_run(rules, PS_EVENT("card 12345", "h", "7q"),
               "a | | ***45 card letter=q left=12345 digits=12345 h=7q");
    ps_test_rules_end(rules);
}

/* `replace` keeps the lease's bytes right, also when the body becomes empty. */
static void test_replaced_bytes(void **unused)
{
    struct ps_test_rules *rules =
        ps_test_rules_start("rule a { when body ~ /x/ replace /x+/ with \"\" }\n"
                            "rule b { when body ~ /y/ replace /y/ with \"yyyyyyyyyyyyyyyyyyyy\" }\n"
                            "rule c { when body ~ /z/ replace /q/ with \"\" drop }\n",
                            false);
    struct ps_lease *lease = PS_LEASE(&rules->stage, PS_BODY("xxx"), PS_BODY("axb"), PS_BODY("yy"),
                                      PS_BODY("z12345"), PS_BODY("kept"));
    ps_test_rules_work(rules, lease);
    assert_int_equal(lease->count, 4);
    assert_int_equal(lease->bytes, 0 + 2 + 40 + 4);
    assert_string_equal(ps_test_lease_event(&rules->stage, lease, 3).body, "kept");
    ps_test_rules_end(rules);
}

static void test_sample(void **unused)
{
    struct ps_test_rules *rules = ps_test_rules_start(
        "default c1\nrule a { when body ~ /d/ sample 1/3 set header.kept = \"1\" }\n", true);
    for (unsigned i = 0; i < 9; i++)
        assert_run(rules, PS_BODY("d"), i % 3 == 0 ? "a | c1 | d kept=1" : "a | | d");
    assert_int_equal(ps_test_rules_count(rules, "a").hits, 9);
    assert_int_equal(ps_test_rules_count(rules, "a").dropped, 6);
    ps_test_rules_end(rules);
}

static void test_limit(void **unused)
{
    struct ps_test_rules *rules =
        ps_test_rules_start("rule a { when body ~ /a/ route c1 limit 2/s burst 3 else route c2 route c3 }\n"
                            "rule k { when body ~ /k/ limit 60/m per header.user burst 1 route c1 }\n",
                            true);
    assert_run(rules, PS_BODY("a"), "a | c1 c3 | a");
    ps_test_stage_pass_ms(&rules->stage, 1000); /* a rate of two more, but there is room for one */
    for (unsigned i = 0; i < 5; i++)
        assert_run(rules, PS_BODY("a"), i < 3 ? "a | c1 c3 | a" : "a | c2 | a");
    ps_test_stage_pass_ms(&rules->stage, 500);
    assert_run(rules, PS_BODY("a"), "a | c1 c3 | a");
    assert_run(rules, PS_BODY("a"), "a | c2 | a");
    ps_test_stage_pass_ms(&rules->stage, 3600000);
    for (unsigned i = 0; i < 5; i++) /* never more than the burst */
        assert_run(rules, PS_BODY("a"), i < 3 ? "a | c1 c3 | a" : "a | c2 | a");
    assert_int_equal(ps_test_rules_count(rules, "a").dropped, 0);

    assert_run(rules, PS_EVENT("k", "user", "u1"), "k | c1 | k user=u1");
    assert_run(rules, PS_EVENT("k", "user", "u1"), "k | | k user=u1");
    assert_run(rules, PS_EVENT("k", "user", "u2"), "k | c1 | k user=u2");
    assert_run(rules, PS_BODY("k"), "k | c1 | k");
    assert_run(rules, PS_EVENT("k", "user", ""), "k | | k user="); /* counts as an empty one */
    ps_test_stage_pass_ms(&rules->stage, 1000);
    assert_run(rules, PS_EVENT("k", "user", "u1"), "k | c1 | k user=u1");
    assert_int_equal(ps_test_rules_count(rules, "k").dropped, 2);
    ps_test_rules_end(rules);
}

static void test_drop(void **unused)
{
    const char *text = "rule a { when body ~ /a/ drop }\n";
    struct ps_test_rules *rules = ps_test_rules_start(text, false);
    assert_run(rules, PS_BODY("a"), "a | gone");
    assert_run(rules, PS_BODY("b"), "| | b");
    struct ps_lease *lease =
        PS_LEASE(&rules->stage, PS_BODY("a1"), PS_BODY("b1"), PS_BODY("a2"), PS_BODY("b2"));
    ps_test_rules_work(rules, lease);
    assert_int_equal(lease->count, 2);
    assert_int_equal(ps_lease_row(lease, 0), 1);
    assert_int_equal(ps_lease_row(lease, 1), 3);
    assert_int_equal(lease->bytes, 4);
    ps_test_rules_work(rules, lease); /* a lease with an index list */
    assert_int_equal(lease->count, 2);
    ps_test_rules_end(rules);
}

static void test_no_rules_touch_anything(void **unused)
{
    struct ps_test_rules *rules =
        ps_test_rules_start("default c2, c3\nrule a { when body ~ /never/ route c1 }\n", true);
    struct ps_lease *lease = PS_LEASE(&rules->stage, PS_BODY("1"), PS_BODY("2"));
    ps_test_rules_work(rules, lease);
    assert_true(rules->route.slots[2].all && rules->route.slots[4].all);
    assert_false(rules->route.slots[0].all);
    lease->count = 0; /* as after an interceptor that dropped all */
    ps_test_rules_work(rules, lease);
    ps_test_rules_end(rules);
}

/* ---- what is refused ---- */

static void assert_refused(bool routes, const char *text, int line, int column, const char *what)
{
    struct ps_test_rules *rules = malloc(sizeof *rules);
    assert_non_null(rules);
    ps_test_rules_begin(rules, routes);
    struct ps_rules_set *set = ps_test_rules_compile(rules, text, ps_test_rules_options(rules));
    assert_null(set);
    bool found = false;
    for (size_t i = 0; i < rules->problems.count; i++) {
        const struct ps_rules_problem *problem = &rules->problems.items[i];
        const char *whole = ps_rules_problem_text(rules->arena, problem);
        found |= problem->severity == PS_RULES_ERROR && strstr(whole, what) != NULL &&
                 problem->place.line == line && problem->place.column == column;
    }
    if (!found) {
        ps_test_rules_print(rules);
        fail_msg("no error at %d:%d with \"%s\"", line, column, what);
    }
    ps_test_rules_end(rules);
}

static void test_refused(void **unused)
{
    assert_refused(true, "rule a {\n when body ~ /a/\n route c1, c22\n}", 3, 12, "did you mean c2");
    assert_refused(true, "default elsewhere\nrule a { when body ~ /a/ route c1 }", 1, 9, "elsewhere");
    assert_refused(true, "rule a { when body ~ /a/ limit 1/s else route nowhere }", 1, 47, "nowhere");
    assert_refused(false, "rule a { when body ~ /a/ route c1 }", 1, 32, "interceptor");
    assert_refused(false, "default c1\nrule a { when body ~ /a/ drop }", 1, 9, "interceptor");
    assert_refused(true, "rule a { when body ~ /x/ or body ~ /q(?:a{1,1000}b){1,1000}q/ route c1 }", 1, 36,
                   "ruinous");
}

/* Any channel name is accepted, for users without a configuration at hand. */
static void test_any_channel(void **unused)
{
    struct ps_test_rules *rules = ps_test_rules_start("rule a { when true drop }", true);
    struct ps_rules_set_options options = {.any_channel = true, .routes = true};
    struct ps_rules_set *set = ps_test_rules_compile(
        rules, "default z\nrule a { when body ~ /a/ route x, y }\nrule b { when body ~ /b/ route y, w }",
        options);
    assert_non_null(set);
    struct ps_texts channels = ps_rules_set_channels(set);
    assert_int_equal(channels.count, 4);
    static const char *const expected[] = {"x", "y", "w", "z"};
    for (size_t i = 0; i < channels.count; i++)
        assert_string_equal(channels.items[i], expected[i]);
    ps_rules_set_destroy(set);
    ps_test_rules_end(rules);
}

static void test_condition_holds(void **unused)
{
    struct ps_test_rules *rules = ps_test_rules_start(
        "rule a { when not (body ~ /x/ and not header.h ~ /y/) or size == 3 route c1 }", true);
    const struct ps_condition *when = ps_rules_set_rules(rules->set)->rules[0].when;
    struct ps_lease *lease =
        PS_LEASE(&rules->stage, PS_BODY("x"), PS_BODY("abc"), PS_BODY("xxx"), PS_EVENT("x", "h", "y"));
    static const bool expected[] = {false, true, true, true};
    ps_test_rules_work(rules, lease);
    for (uint32_t i = 0; i < lease->count; i++) {
        assert_int_equal(ps_rules_condition_holds(rules->set, rules->scratch, when, lease->batch,
                                                  ps_lease_event(lease, i)),
                         expected[i]);
        assert_string_equal(ps_test_rules_ways(rules, lease, i), expected[i] ? "c1 " : "");
    }
    ps_test_rules_end(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_continue),
        cmocka_unit_test(test_header_conditions),
        cmocka_unit_test(test_zero),
        cmocka_unit_test(test_many_values),
        cmocka_unit_test(test_shared_header),
        cmocka_unit_test(test_body_conditions),
        cmocka_unit_test(test_headers_set),
        cmocka_unit_test(test_groups_without_names),
        cmocka_unit_test(test_conditions_see_what_came),
        cmocka_unit_test(test_extract_and_replace),
        cmocka_unit_test(test_replaced_bytes),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_no_rules_touch_anything),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_any_channel),
        cmocka_unit_test(test_condition_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
