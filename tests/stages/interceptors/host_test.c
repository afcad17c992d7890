#include "stages/lib/local_host.h"
#include "tests/support/stage.h"

#include <arpa/inet.h>

static void test_address_and_name(void **unused)
{
    struct ps_local_host host;
    if (ps_local_host_find(&host, NULL) != PS_OK)
        ps_test_skip("this machine's own name does not resolve");
    for (int name = 0; name < 2; name++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_interceptor_host,
                            PS_KEYS("useIP", name ? "false" : "true", "hostHeader", "h"));
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_EVENT("b", "h", "old"));
        assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
        for (uint32_t i = 0; i < 2; i++) {
            struct ps_test_event event = ps_test_lease_event(&stage, lease, i);
            const char *value = ps_test_event_header(&event, "h");
            assert_string_equal(value, name ? host.canonical : host.address);
            unsigned char bytes[16];
            if (!name && strchr(value, '%') == NULL)
                assert_true(inet_pton(AF_INET, value, bytes) == 1 || inet_pton(AF_INET6, value, bytes) == 1);
        }
        ps_test_stage_fini(&stage);
    }
}

static void test_preserves(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_host, PS_KEYS("preserveExisting", "true"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("b", "host", "old"));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    struct ps_test_event event = ps_test_lease_event(&stage, lease, 0);
    assert_string_equal(ps_test_event_header(&event, "host"), "old");
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_and_name),
        cmocka_unit_test(test_preserves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
