#include "tests/support/stage.h"

/* What is left of headers a, b, "c d", e (own) and s (of the batch), as "a,b,.." in that order. */
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
    (void)unused;
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
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        assert_string_equal(left(&stage, cases[i].keys), cases[i].left);
        ps_test_stage_fini(&stage);
    }
}

static void test_what_is_not_understood(void **unused)
{
    (void)unused;
    static const char *const separators[] = {"[,;]", "a|b", ".", "\\d", ",?", "\\", "(,)", "\\s*"};
    for (size_t i = 0; i < PS_COUNT_OF(separators); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_interceptor_remove_header);
        if (ps_test_stage_bind(&stage, PS_KEYS("fromList", "a", "fromListSeparator", separators[i])) !=
            PS_FAIL)
            fail_msg("%s was taken", separators[i]);
        assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "plain text"));
        ps_test_stage_fini(&stage);
    }
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_interceptor_remove_header);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("withName", "a", "matching", "x.*")), PS_OK);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "matching"));
    ps_test_stage_fini(&stage);
    ps_test_stage_init(&stage, &ps_interceptor_remove_header);
    assert_int_equal(ps_test_stage_bind(&stage, NULL), PS_OK);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_WARN, "nothing is removed"));
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_what_is_not_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
