#include "tests/support/stage.h"

#include <stdio.h>

/* Returns the remaining ones of the headers a, b, "c d", e (of the event) and s (of the batch), as "a,b,.." in that
 * order. */
static const char *left(struct ps_test_stage *stage, const char *const *keys)
{
    static const char *const names[] = {"a", "b", "c d", "e", "s"};
    ps_test_stage_start(stage, &ps_interceptor_remove_header, keys);
    struct ps_lease *lease = PS_LEASE(stage, PS_EVENT("x", "a", "1", "b", "2", "c d", "3", "e", "4"));
    assert_true(ps_batch_shared_set(lease->batch, ps_name_intern("s"), "5", 1, true));
    assert_int_equal(ps_test_interceptor_work(stage, lease), PS_DONE);
    struct ps_test_event event = ps_test_lease_event(stage, lease, 0);
    char *text = ps_arena_text(stage->arena, "");
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        if (ps_test_event_header(&event, names[i]) != NULL)
            text = ps_arena_format(stage->arena, "%s%s%s", text, text[0] != '\0' ? "," : "", names[i]);
    }
    return text;
}

static void test_names(void **unused)
{
    static const struct {
        const char *keys[8];
        const char *left;
    } cases[] = {
        {{NULL}, "a,b,c d,e,s"},
        {{"withName", "b", NULL}, "a,c d,e,s"},
        {{"withName", "s", NULL}, "a,b,c d,e"},
        {{"withName", "B", NULL}, "a,b,c d,e,s"},
        {{"fromList", "a, b ,e", NULL}, "c d,s"},
        {{"fromList", "a,,s", "withName", "e", NULL}, "b,c d"},
        {{"fromList", "a b,c d", NULL}, "a,b,e,s"},
        {{"fromList", "a;c d", "fromListSeparator", ";", NULL}, "b,e,s"},
        {{"fromList", "a ; c d", "fromListSeparator", ";", NULL}, "a,b,c d,e,s"},
        {{"fromList", "a|b", "fromListSeparator", "\\|", NULL}, "c d,e,s"},
        {{"fromList", "a b  e", "fromListSeparator", "\\s+", NULL}, "c d,s"},
        {{"fromList", "a b", "fromListSeparator", "\\s", NULL}, "c d,e,s"},
        {{"fromList", "a  :: b", "fromListSeparator", "\\s*::\\s+", NULL}, "c d,e,s"},
        {{"fromList", "a,b;s", "fromListSeparator", "[,;]", NULL}, "c d,e"},
        {{"fromList", "a1b22s", "fromListSeparator", "\\d+", NULL}, "c d,e"},
        {{"fromList", "aXbxs", "fromListSeparator", "(?i)x", NULL}, "c d,e"},
        {{"fromList", "abs", "fromListSeparator", "(?=[a-z])", NULL}, "c d,e"},
        {{"fromList", "abs", "fromListSeparator", ",?", NULL}, "c d,e"},
        {{"fromList", "a", "fromListSeparator", ",", NULL}, "b,c d,e,s"},
        {{"matching", "[ab]", NULL}, "c d,e,s"},
        {{"matching", "c", NULL}, "a,b,c d,e,s"}, /* only the whole name matches */
        {{"matching", "c.*", NULL}, "a,b,e,s"},
        {{"matching", "a|s", "withName", "b", "fromList", "e", NULL}, "c d"},
        {{"matching", ".*", NULL}, ""},
        {{"matching", "(?!a).*", NULL}, "a"},
        {{"fromListSeparator", "(", "withName", "a", NULL}, "b,c d,e,s"}, /* unused, not compiled */
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        const char *rest = left(&stage, cases[i].keys);
        if (strcmp(rest, cases[i].left) != 0)
            fail_msg("case %zu: %s is left, not %s", i, rest, cases[i].left);
        ps_test_stage_fini(&stage);
    }
}

/* String.split: a leading empty name stays, trailing ones are dropped. */
static void test_empty_names(void **unused)
{
    static const struct {
        const char *list, *separator;
        bool removed;
    } cases[] = {
        {",a", ",", true},      {"a,,b", ",", true}, {"a,,", ",", false},
        {"ab", "(?=a)", false}, {"x", "x*", false},  {"xa", "x", true},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_interceptor_remove_header,
                            PS_KEYS("fromList", cases[i].list, "fromListSeparator", cases[i].separator));
        struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("x", "", "1", "z", "2"));
        assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
        struct ps_test_event event = ps_test_lease_event(&stage, lease, 0);
        if ((ps_test_event_header(&event, "") == NULL) != cases[i].removed)
            fail_msg("case %zu", i);
        assert_string_equal(ps_test_event_header(&event, "z"), "2");
        ps_test_stage_fini(&stage);
    }
}

/* Names match although they are more than the interceptor remembers, long, or not UTF-8; in the event and in the
 * batch. */
static void test_matching_many(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_remove_header,
                        PS_KEYS("matching", "drop.*[02468]|.*\\x{FFFD}"));
    for (unsigned round = 0; round < 3; round++) {
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_BODY("b"));
        struct ps_batch *batch = lease->batch;
        char text[512];
        for (unsigned i = 0; i < 300; i++) {
            /* some are longer than what is remembered */
            int length = snprintf(text, sizeof text, "drop%*s%u", i % 7 == 0 ? 100 : 1, "", i);
            const struct ps_name *name = ps_batch_name(batch, text, (size_t)length);
            assert_non_null(name);
            if (i % 5 == 0)
                assert_true(ps_batch_shared_set(batch, name, "s", 1, false));
            else
                assert_true(ps_batch_header_add(batch, &batch->events[i % 2], name, "o", 1));
        }
        assert_true(ps_batch_header_add(batch, &batch->events[0], ps_batch_name(batch, "x\xFF", 2), "o", 1));
        assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
        unsigned count[2] = {0, 0};
        for (uint32_t i = 0; i < 2; i++) {
            struct ps_header_cursor cursor = ps_headers_begin(batch, &batch->events[i]);
            const struct ps_header *header;
            while ((header = ps_headers_next(&cursor)) != NULL) {
                assert_int_equal(header->name->text[header->name->length - 1] % 2, 1);
                count[i]++;
            }
        }
        assert_int_equal(count[0], 30);       /* odd headers of the batch */
        assert_int_equal(count[1], 30 + 120); /* and those of the event */
        ps_test_stage_recycle(&stage);
    }
    ps_test_stage_fini(&stage);
}

static void test_what_is_refused(void **unused)
{
    static const char *const bad[] = {"(", "[a", "a{2", "*", "(?z)a"};
    for (size_t i = 0; i < PS_COUNT_OF(bad); i++) {
        for (int matching = 0; matching < 2; matching++) {
            struct ps_test_stage stage;
            const char *key = matching ? "matching" : "fromListSeparator";
            ps_test_stage_init(&stage, &ps_interceptor_remove_header);
            if (ps_test_stage_bind(&stage, PS_KEYS("fromList", "a", key, bad[i])) != PS_FAIL)
                fail_msg("%s was taken", bad[i]);
            assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, key));
            ps_test_stage_fini(&stage);
        }
    }
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_interceptor_remove_header);
    assert_int_equal(ps_test_stage_bind(&stage, NULL), PS_OK);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_WARN, "nothing is removed"));
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_empty_names),
        cmocka_unit_test(test_matching_many),
        cmocka_unit_test(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
