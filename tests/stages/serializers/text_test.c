#include "tests/support/stage.h"

static void test_newline(void **unused)
{
    for (int newline = 0; newline < 2; newline++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_serializer_text, newline ? NULL : PS_KEYS("appendNewline", "false"));
        struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("one", "k", "v"), PS_BODY(""), PS_BODY("three\n"));
        size_t length;
        char *text = ps_test_serializer_run(&stage, lease, &length);
        assert_string_equal(text, newline ? "one\n\nthree\n\n" : "onethree\n");
        free(text);
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_newline)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
