#include "tests/support/stage.h"

static void test_form(void **unused)
{
    for (int newline = 0; newline < 2; newline++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_serializer_header_and_text,
                            newline ? NULL : PS_KEYS("appendNewline", "false"));
        /* The order is that of Java's HashMap: lib/text/java/map_test.c has the tables. */
        struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("one", "timestamp", "5", "host", "a"),
                                          PS_BODY("two"), PS_EVENT("", "e", ""));
        size_t length;
        char *text = ps_test_serializer_run(&stage, lease, &length);
        assert_string_equal(text, newline ? "{host=a, timestamp=5} one\n{} two\n{e=} \n"
                                          : "{host=a, timestamp=5} one{} two{e=} ");
        free(text);
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_form)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
