/* Rules over unusual input: NUL, malformed UTF-8, megabytes, ten thousand rules, batches without room. And a warm set
 * allocates nothing. */
#include "tests/support/allocations.h"
#include "tests/support/rules/set.h"

static struct ps_test_event bytes(const char *body, size_t length)
{
    return (struct ps_test_event){.body = body, .length = (uint32_t)length};
}

static void test_any_bytes(void **unused)
{
    struct ps_test_rules *rules =
        ps_test_rules_start("rule nul { when body ~ /a\\x00b/ route c1 }\n"
                            "rule bad { when body ~ /(?<x>.)z$/ set header.y = \"<${x}>\" route c2 }\n"
                            "rule no { when body ~ /^\\n$/ route c3 }\n"
                            "default c4\n",
                            true);
    struct ps_lease *lease = PS_LEASE(&rules->stage, bytes("a\0b", 3), bytes("\xC3z", 2), bytes("\n", 1),
                                      bytes("\0", 1), bytes("a\n", 2), bytes("b", 1), bytes("\xC3\xA9z", 3));
    static const char *const expected[] = {"c1 ", "c2 ", "c3 ", "c4 ", "c4 ", "c4 ", "c2 "};
    ps_test_rules_work(rules, lease);
    for (uint32_t i = 0; i < PS_COUNT_OF(expected); i++)
        assert_string_equal(ps_test_rules_ways(rules, lease, i), expected[i]);
    struct ps_test_event event = ps_test_lease_event(&rules->stage, lease, 1);
    assert_string_equal(ps_test_event_header(&event, "x"), "\xEF\xBF\xBD"); /* as Java decodes it */
    assert_string_equal(ps_test_event_header(&event, "y"), "<\xEF\xBF\xBD>");
    event = ps_test_lease_event(&rules->stage, lease, 6);
    assert_string_equal(ps_test_event_header(&event, "x"), "\xC3\xA9");
    ps_test_rules_end(rules);
}

/* Bodies of megabytes: found at their end, replaced, cut into headers. */
static void test_megabytes(void **unused)
{
    struct ps_test_rules *rules = ps_test_rules_start(
        "rule a { when body ~ /(?<end>needle)$/ replace /x{1000}/ with \"yy\" route c1 }\n"
        "rule b { when body ~ /^z/ set header.copy = \"${body}!\" route c2 }",
        true);
    size_t length = 3 << 20;
    char *body = malloc(length);
    assert_non_null(body);
    memset(body, 'x', length);
    memcpy(body + length - 6, "needle", 6);
    struct ps_lease *lease = PS_LEASE(&rules->stage, bytes("short", 5), bytes(body, length), bytes("z", 1));
    ps_test_rules_work(rules, lease);
    assert_string_equal(ps_test_rules_ways(rules, lease, 1), "c1 ");
    assert_string_equal(ps_test_rules_ways(rules, lease, 2), "c2 ");
    assert_int_equal(ps_lease_event(lease, 1)->body_length,
                     (length - 6) / 1000 * 2 + (length - 6) % 1000 + 6);
    assert_int_equal(lease->bytes, 5 + 1 + ps_lease_event(lease, 1)->body_length);
    ps_test_stage_recycle(&rules->stage);

    body[0] = 'z'; /* a header of megabytes */
    lease = PS_LEASE(&rules->stage, bytes(body, length));
    ps_test_rules_use(rules, "rule b { when body ~ /^z/ set header.copy = \"${body}!\" route c2 }");
    ps_test_rules_work(rules, lease);
    struct ps_slice copy;
    assert_true(ps_event_header(lease->batch, ps_lease_event(lease, 0), ps_name_intern("copy"), &copy));
    assert_int_equal(copy.length, length + 1);
    free(body);
    ps_test_rules_end(rules);
}

/* Actions that need more memory than a batch can ever have are given up and counted; the event continues. */
static void test_no_room_ever(void **unused)
{
    size_t length = 100000;
    char *body = malloc(length), text[8192];
    assert_non_null(body);
    memset(body, 'x', length);
    size_t used = (size_t)snprintf(text, sizeof text, "rule a { when true route c1\n");
    for (unsigned i = 0; i < 200; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "set header.h%u = \"!${body}\"\n", i);
    snprintf(text + used, sizeof text - used, "}\n");
    struct ps_test_rules *rules = ps_test_rules_start(text, true);
    struct ps_lease *lease =
        PS_LEASE(&rules->stage, bytes(body, length), bytes(body, length), bytes(body, length));
    ps_test_rules_work(rules, lease);
    for (uint32_t i = 0; i < lease->count; i++)
        assert_string_equal(ps_test_rules_ways(rules, lease, i), "c1 ");
    struct ps_rules_count count = ps_test_rules_count(rules, "a");
    assert_int_equal(count.hits, 3);
    assert_true(count.failed > 0 && count.failed < 600);
    struct ps_slice value;
    assert_true(ps_event_header(lease->batch, ps_lease_event(lease, 0), ps_name_intern("h0"), &value));
    assert_int_equal(value.length, length + 1);
    assert_true(ps_batch_block_count(lease->batch) <
                PS_BATCH_BLOCKS_MAX); /* there is room for the leases' index lists */
    free(body);
    ps_test_rules_end(rules);
}

/* One event that grows and grows: it must not take the whole budget, as nobody else could make room then. */
static void test_no_room_for_one(void **unused)
{
    struct ps_test_rules *rules = ps_test_rules_start("rule a { when true\n"
                                                      "set header.a = \"${body}${body}\"\n"
                                                      "set header.b = \"${body}${body}\"\n"
                                                      "set header.c = \"${body}${body}\"\n"
                                                      "set header.d = \"${body}${body}\"\n"
                                                      "route c1 }",
                                                      true);
    size_t length = 5 << 20; /* the budget is 64 MiB */
    char *body = malloc(length);
    assert_non_null(body);
    memset(body, 'x', length);
    struct ps_lease *lease = PS_LEASE(&rules->stage, bytes(body, length));
    ps_test_rules_work(rules, lease);
    assert_string_equal(ps_test_rules_ways(rules, lease, 0), "c1 ");
    assert_int_equal(ps_test_rules_count(rules, "a").failed, 2);
    free(body);
    ps_test_rules_end(rules);
}

/* Every one of many rules acts on every event: more actions than one round has room for. */
static void test_all_act(void **unused)
{
    enum { RULES = 6000 };
    size_t room = 1 << 20, used = 0;
    char *text = malloc(room);
    assert_non_null(text);
    used += (size_t)snprintf(text, room, "mode all\n");
    for (unsigned i = 0; i < RULES; i++)
        used += (size_t)snprintf(text + used, room - used, "rule r%u { when body ~ /a/ %s }\n", i,
                                 i == RULES - 1 ? "route c1" : "stop");
    char *at = text; /* rules without an action: `stop` was only a placeholder */
    while ((at = strstr(at, " stop ")) != NULL)
        memcpy(at, "      ", 6);
    struct ps_test_rules *rules = ps_test_rules_start(text, true);
    struct ps_test_event events[200];
    for (unsigned i = 0; i < 200; i++)
        events[i] = i % 3 == 0 ? PS_BODY("b") : PS_BODY("a");
    struct ps_lease *lease = ps_test_lease(&rules->stage, events, 200);
    ps_test_rules_work(rules, lease);
    for (uint32_t i = 0; i < 200; i++)
        assert_string_equal(ps_test_rules_ways(rules, lease, i), i % 3 == 0 ? "" : "c1 ");
    assert_int_equal(ps_test_rules_count(rules, "r0").hits, 133);
    assert_int_equal(ps_test_rules_count(rules, "r5999").hits, 133);
    free(text);
    ps_test_rules_end(rules);
}

/* Ten thousand expressions, every shape of condition: each finds its own event. */
static void test_ten_thousand(void **unused)
{
    enum { RULES = 10000 };
    size_t room = 2 << 20, used = 0;
    char *text = malloc(room);
    static char bodies[500][48];
    struct ps_test_event events[500];
    assert_non_null(text);
    used += (size_t)snprintf(text, room, "default c4\n");
    for (unsigned i = 0; i < RULES; i++) {
        static const char *const conditions[] = {"body ~ /word-%u-x/", "body ~ /word-%u-x/ and size > 3",
                                                 "body ~ /word-%u-x/ and not header.h == \"1\"",
                                                 "body ~ /^never/ or body ~ /word-%u-x/"};
        used += (size_t)snprintf(text + used, room - used, "rule r%u { when ", i);
        used += (size_t)snprintf(text + used, room - used, conditions[i % 4], i);
        used += (size_t)snprintf(text + used, room - used, " route c%u }\n", 1 + i % 3);
    }
    struct ps_test_rules *rules = ps_test_rules_start(text, true);
    assert_int_equal(rules->report.always_count, 0);
    for (unsigned i = 0; i < 500; i++) {
        snprintf(bodies[i], sizeof bodies[i], "event with word-%u-x in it", i * 21);
        events[i] = PS_BODY(bodies[i]);
    }
    struct ps_lease *lease = ps_test_lease(&rules->stage, events, 500);
    ps_test_rules_work(rules, lease);
    for (uint32_t i = 0; i < 500; i++) {
        char expected[8];
        snprintf(expected, sizeof expected, "c%u ", i * 21 < RULES ? 1 + i * 21 % 3 : 4);
        assert_string_equal(ps_test_rules_ways(rules, lease, i), expected);
    }
    free(text);
    ps_test_rules_end(rules);
}

/* Once warm, nothing is allocated: matches, captures, templates, replacements, limits. */
static void test_no_allocations(void **unused)
{
    struct ps_test_rules *rules = ps_test_rules_start(
        "mode all\n"
        "rule a { when body ~ /(?<user>u\\d+)/ set header.k = \"${user}-${header.h}\" tag \"t\" tag \"u\"\n"
        "  limit 1000/s per header.user else route c2 route c1 }\n"
        "rule b { when body ~ /secret/ replace /secret/ with \"******\" }\n"
        "rule c { when header.h ~ /x/ and not body ~ /q/ copy header.h to header.i sample 1/2 }\n",
        true);
    static const char *const with_header[] = {"h", "x", NULL};
    struct ps_test_event events[64];
    char text[64][32];
    for (unsigned round = 0; round < 6; round++) {
        for (unsigned i = 0; i < 64; i++) {
            snprintf(text[i], sizeof text[i], "u%u secret", i + 64 * round);
            events[i] = PS_BODY(text[i]);
            events[i].headers = i % 3 ? NULL : with_header;
        }
        struct ps_lease *lease = ps_test_lease(&rules->stage, events, 64);
        uint64_t before = ps_test_allocation_count;
        ps_test_rules_work(rules, lease);
        if (round > 0)
            assert_int_equal(ps_test_allocation_count, before);
    }
    ps_test_rules_end(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_bytes),      cmocka_unit_test(test_megabytes),
        cmocka_unit_test(test_no_room_ever),   cmocka_unit_test(test_no_room_for_one),
        cmocka_unit_test(test_all_act),        cmocka_unit_test(test_ten_thousand),
        cmocka_unit_test(test_no_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
