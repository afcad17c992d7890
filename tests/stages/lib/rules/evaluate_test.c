/* Which rules act on which events: values that share their bytes, many rules on one event, full batches, conditions that
 * `explain` evaluates, and the counts of all matchers. set_property_test.c compares random rules with a model. */
#include "tests/support/rules/set.h"

static void assert_ways(struct ps_test_rules *rules, const struct ps_lease *lease,
                        const char *const *expected)
{
    for (uint32_t i = 0; i < lease->count; i++) {
        const char *ways = ps_test_rules_ways(rules, lease, i);
        if (strcmp(ways, expected[i]) != 0)
            fail_msg("event %u: %s instead of %s", i, ways, expected[i]);
    }
}

/* Values of neighbours that begin at the same byte, as groups of one body do, and have other lengths. */
static void test_values_that_share_bytes(void **unused)
{
    static const char bytes[] = "abc";
    static const uint32_t lengths[] = {1, 2, 3, 0, 2, 2, 1};
    static const char *const texts[] = {
        "rule a { when header.h == \"a\" route c1 }\nrule ab { when header.h == \"ab\" route c2 }\n",
        "rule a { when header.h ~ /^a$/ route c1 }\nrule ab { when header.h ~ /^ab$/ route c2 }\n"};
    static const char *const expected[] = {"c1 ", "c2 ", "c4 ", "c4 ", "c2 ", "c2 ", "c1 "};
    for (size_t k = 0; k < PS_COUNT_OF(texts); k++) {
        struct ps_test_rules *rules = ps_test_rules_start(texts[k], true);
        ps_test_rules_use(rules, ps_arena_format(rules->arena, "default c4\n%s", texts[k]));
        struct ps_test_event events[PS_COUNT_OF(lengths)];
        for (size_t i = 0; i < PS_COUNT_OF(lengths); i++)
            events[i] = PS_BODY("x");
        struct ps_lease *lease = ps_test_lease(&rules->stage, events, PS_COUNT_OF(lengths));
        for (uint32_t i = 0; i < lease->count; i++)
            assert_true(ps_batch_header_set(lease->batch, ps_lease_event(lease, i), ps_name_intern("h"),
                                            bytes, lengths[i]));
        ps_test_rules_work(rules, lease);
        assert_ways(rules, lease, expected);
        ps_test_rules_end(rules);
    }
}

/* More rules act on an event than are sorted one by one; their triggers are found in another order than that of the file. What one event
 * had is not left for the next one. */
static void test_many_rules_are_in_order(void **unused)
{
    enum { RULES = 70 };
    char text[8192], all[256], last[256], body[1024];
    size_t used = (size_t)snprintf(text, sizeof text, "mode all\n"), length = 0;
    all[0] = last[0] = '\0';
    for (unsigned i = 0; i < RULES; i++) {
        if (i % 2 == 0) /* always considered, after those that the body triggers */
            used += (size_t)snprintf(text + used, sizeof text - used,
                                     "rule %c%c { when not body ~ /never/ }\n", 'a' + i / 26, 'a' + i % 26);
        else
            used += (size_t)snprintf(text + used, sizeof text - used, "rule %c%c { when body ~ /w%02u/ }\n",
                                     'a' + i / 26, 'a' + i % 26, RULES - i);
        if (i % 2 != 0)
            length += (size_t)snprintf(body + length, sizeof body - length, "w%02u ", RULES - i);
        snprintf(all + strlen(all), sizeof all - strlen(all), "%c%c ", 'a' + i / 26, 'a' + i % 26);
        if (i % 2 == 0)
            snprintf(last + strlen(last), sizeof last - strlen(last), "%c%c ", 'a' + i / 26, 'a' + i % 26);
    }
    struct ps_test_rules *rules = ps_test_rules_start(text, true);
    struct ps_lease *lease = PS_LEASE(&rules->stage, PS_BODY(body), PS_BODY("none"), PS_BODY(body));
    ps_test_rules_work(rules, lease);
    assert_string_equal(rules->acted[0], all);
    assert_string_equal(rules->acted[1], last);
    assert_string_equal(rules->acted[2], all);
    ps_test_rules_end(rules);
}

/* A full batch, each event of which goes to two channels, or by default: more ways than are handed over at once. */
static void test_full_batch(void **unused)
{
    static struct ps_test_event events[PS_BATCH_EVENTS_MAX];
    static const char *const defaults[][2] = {{"", ""}, {"default c4\n", "c4 "}, {"default c1\n", "c1 "}};
    for (size_t k = 0; k < PS_COUNT_OF(defaults); k++) {
        for (unsigned step = 1; step < 6; step += 2) {
            char text[128];
            snprintf(text, sizeof text,
                     "%srule a { when body ~ /a/ route c1 route optional c2 }\nrule n { when body ~ /n/ }\n",
                     defaults[k][0]);
            struct ps_test_rules *rules = ps_test_rules_start(text, true);
            rules->quiet = true; /* the way that has no lists of hits */
            for (uint32_t i = 0; i < PS_BATCH_EVENTS_MAX; i++)
                events[i] = i % step == 0 ? PS_BODY("a") : i % step == 1 ? PS_BODY("n") : PS_BODY("z");
            struct ps_lease *lease = ps_test_lease(&rules->stage, events, PS_BATCH_EVENTS_MAX);
            ps_test_rules_work(rules, lease);
            uint64_t hits = 0;
            for (uint32_t i = 0; i < PS_BATCH_EVENTS_MAX; i++) {
                assert_string_equal(ps_test_rules_ways(rules, lease, i),
                                    i % step == 0 ? "c1 c2? " : defaults[k][1]);
                hits += i % step == 0;
            }
            assert_int_equal(ps_test_rules_count(rules, "a").hits, hits);
            assert_int_equal(ps_test_rules_count(rules, "a").bytes, hits);
            assert_true(ps_test_rules_count(rules, "a").last_hit_ms == 1700000000000);
            ps_test_rules_end(rules);
        }
    }
}

/* Each kind of condition as `explain` evaluates it, which must be what the rules do. */
static void test_conditions_of_explain(void **unused)
{
    static const struct {
        const char *condition;
        bool with, without; /* an event "body" with h=x, and one "other" without */
    } rows[] = {
        {"header.h == \"x\"", true, false},
        {"header.h != \"x\"", false, false}, /* there is no value to compare */
        {"header.h != \"y\"", true, false},
        {"exists header.h", true, false},
        {"not exists header.h", false, true},
        {"header.h ~ /x/", true, false},
        {"header.h !~ /x/", false, false},
        {"header.h !~ /y/", true, false},
        {"not header.h ~ /x/", false, true},
        {"body == \"body\"", true, false},
        {"body in (\"other\", \"body\")", true, true},
        {"body begins \"bo\"", true, false},
        {"body ~ /^.{4}$/", true, false},
        {"size == 4", true, false},
        {"size > 4", false, true},
        {"size >= 5", false, true},
        {"size < 5", true, false},
        {"size != 4", false, true},
        {"true", true, true},
        {"not true", false, false},
        {"exists header.h and size == 5", false, false},
        {"exists header.h or size == 5", true, true},
        {"not (exists header.h or size == 4)", false, true},
        {"header.h < \"y\" and header.h >= \"x\"", true, false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char text[256];
        snprintf(text, sizeof text, "rule a { when %s route c1 }\n", rows[i].condition);
        struct ps_test_rules *rules = ps_test_rules_start(text, true);
        struct ps_lease *lease =
            PS_LEASE(&rules->stage, PS_EVENT("body", "h", "x"), PS_EVENT("other", "k", "x"));
        const struct ps_condition *when = ps_rules_set_rules(rules->set)->rules[0].when;
        ps_test_rules_work(rules, lease);
        for (uint32_t k = 0; k < 2; k++) {
            bool wanted = k == 0 ? rows[i].with : rows[i].without;
            bool holds = ps_rules_condition_holds(rules->set, rules->scratch, when, lease->batch,
                                                  ps_lease_event(lease, k));
            bool acts = strcmp(ps_test_rules_ways(rules, lease, k), "c1 ") == 0;
            if (holds != wanted || acts != wanted)
                fail_msg("%s of event %u: explain %d, rule %d", rows[i].condition, k, holds, acts);
        }
        ps_test_rules_end(rules);
    }
}

/* The counts of a worker are those of the body's matcher and of each header's. */
static void test_counts_of_all_matchers(void **unused)
{
    struct ps_test_rules *rules = ps_test_rules_start("rule a { when body ~ /a/ route c1 }\n"
                                                      "rule h { when header.h ~ /long/ route c2 }\n"
                                                      "rule k { when header.k ~ /longer/ route c3 }\n",
                                                      true);
    struct ps_matcher_counts counts = {0};
    struct ps_lease *lease = PS_LEASE(&rules->stage, PS_EVENT("12345", "h", "123", "k", "1234567"),
                                      PS_EVENT("12", "k", "12345678901"));
    ps_test_rules_work(rules, lease);
    ps_rules_scratch_count(rules->scratch, &counts);
    assert_int_equal(counts.subjects, 2 + 1 + 2);
    assert_int_equal(counts.bytes, 5 + 2 + 3 + 7 + 11);
    ps_test_rules_end(rules);
}

/* Words of `tags` are compared whole, and an empty list is none. */
static void test_tags(void **unused)
{
    static const char *const rows[][2] = {
        {"", "one"},        {"one", "one"},       {"ones", "ones,one"},   {"tone", "tone,one"},
        {"a,one", "a,one"}, {"one,a", "one,a"},   {"a,one,b", "a,one,b"}, {"a,ones,b", "a,ones,b,one"},
        {",", ",,one"},     {"on,e", "on,e,one"}, {"one,", "one,"},       {" one", " one,one"},
    };
    struct ps_test_rules *rules = ps_test_rules_start("rule a { when true tag \"one\" }\n", false);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_lease *lease = PS_LEASE(&rules->stage, PS_EVENT("x", "tags", rows[i][0]));
        ps_test_rules_work(rules, lease);
        struct ps_test_event event = ps_test_lease_event(&rules->stage, lease, 0);
        assert_string_equal(ps_test_event_header(&event, "tags"), rows[i][1]);
    }
    ps_test_rules_end(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_that_share_bytes),
        cmocka_unit_test(test_many_rules_are_in_order),
        cmocka_unit_test(test_full_batch),
        cmocka_unit_test(test_conditions_of_explain),
        cmocka_unit_test(test_counts_of_all_matchers),
        cmocka_unit_test(test_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
