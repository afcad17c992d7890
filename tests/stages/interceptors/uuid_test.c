#include "tests/support/stage.h"

static void assert_is_uuid(const char *text)
{
    assert_non_null(text);
    assert_int_equal(strlen(text), 36);
    for (size_t i = 0; i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23)
            assert_int_equal(text[i], '-');
        else
            assert_non_null(strchr("0123456789abcdef", text[i]));
    }
    assert_int_equal(text[14], '4');
    assert_non_null(strchr("89ab", text[19]));
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void test_all_differ(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_uuid, NULL);
    enum { BATCHES = 20, EVENTS = 500 };
    static struct ps_test_event events[EVENTS];
    static const char *seen[BATCHES * EVENTS];
    for (size_t i = 0; i < EVENTS; i++)
        events[i] = PS_BODY("x");
    for (size_t batch = 0; batch < BATCHES; batch++) {
        struct ps_lease *lease = ps_test_lease(&stage, events, EVENTS);
        assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
        for (uint32_t i = 0; i < EVENTS; i++) {
            struct ps_test_event event = ps_test_lease_event(&stage, lease, i);
            seen[batch * EVENTS + i] = ps_test_event_header(&event, "id");
            assert_is_uuid(seen[batch * EVENTS + i]);
        }
    }
    qsort(seen, PS_COUNT_OF(seen), sizeof seen[0], compare);
    for (size_t i = 1; i < PS_COUNT_OF(seen); i++)
        assert_string_not_equal(seen[i - 1], seen[i]);
    ps_test_stage_fini(&stage);
}

static void test_prefix_and_existing(void **unused)
{
    static const char *const keys[][7] = {
        {"headerName", "u", "prefix", "p-", "preserveExisting", "false", NULL},
        {"headerName", "u", "prefix", "p-", "preserveExisting", "true", NULL},
        {"headerName", "u", "prefix", "p-", NULL}, /* the default is true */
    };
    for (int preserve = 0; preserve < 3; preserve++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_interceptor_uuid, keys[preserve]);
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_EVENT("b", "u", "old"), PS_BODY("c"));
        assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
        for (uint32_t i = 0; i < 3; i++) {
            struct ps_test_event event = ps_test_lease_event(&stage, lease, i);
            const char *value = ps_test_event_header(&event, "u");
            assert_int_equal(ps_test_event_header_count(&event), 1);
            if (i == 1 && preserve) {
                assert_string_equal(value, "old");
            } else {
                assert_memory_equal(value, "p-", 2);
                assert_is_uuid(value + 2);
            }
        }
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_differ),
        cmocka_unit_test(test_prefix_and_existing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
