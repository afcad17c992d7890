/* Untrusted text is made printable: controls and malformed bytes are escaped. */
#include "core/text/printable.h"
#include "tests/support/support.h"

static void test_bytes(void **state)
{
    static const struct {
        unsigned char byte;
        const char *form;
    } cases[] = {{'a', "a"},   {' ', " "},      {'\n', "\\n"},   {'\r', "\\r"}, {'\t', "\\t"},
                 {0, "\\x00"}, {0x1b, "\\x1b"}, {0x7f, "\\x7f"}, {0xc3, "\xc3"}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char form[4];
        size_t length = ps_printable_byte(form, cases[i].byte);
        assert_int_equal(length, strlen(cases[i].form));
        assert_memory_equal(form, cases[i].form, length);
    }
}

static void written_is(const char *text, size_t length, const char *wanted)
{
    char *out = NULL;
    size_t out_length = 0;
    FILE *file = open_memstream(&out, &out_length);
    assert_non_null(file);
    ps_printable_write(file, text, length);
    fclose(file);
    assert_string_equal(out, wanted);
    free(out);
}

static void test_written_text(void **state)
{
    written_is("a\0b\n\x1b[2J", 8, "a\\x00b\\n\\x1b[2J");
    written_is("\xc3\xa9\xc2\x9b\xc2\xa0", 6,
               "\xc3\xa9\\xc2\\x9b\xc2\xa0"); /* U+009B is a control, U+00A0 is not */
    written_is("\xc3z\xff", 3, "\\xc3z\\xff");
    written_is("\xc2", 1, "\\xc2");
}

static void test_lines(void **state)
{
    struct ps_arena *arena = ps_arena_create();
    assert_string_equal(ps_printable_line(arena, "a\nb\x1b[2J\x7f\xc2\x9b\xc2\xa0"), "a; b?[2J??\xc2\xa0");
    assert_string_equal(ps_printable_line(arena, "\n\n"), "; ; ");
    assert_string_equal(ps_printable_line(arena, ""), "");
    assert_null(ps_printable_line(arena, NULL));
    ps_arena_destroy(arena);
}

static void test_copies(void **state)
{
    char to[8], whole[] = "a\n\x1b[2J\x7f";
    assert_int_equal(ps_printable_copy(to, sizeof to, "a\0\r\xc2\x9b\xc2\xa0", 7), 6);
    assert_string_equal(to, "a   \xc2\xa0");
    assert_int_equal(ps_printable_copy(to, sizeof to, "123456789", 9), 7);
    assert_string_equal(to, "1234567");
    assert_int_equal(ps_printable_copy(to, sizeof to, NULL, 0), 0);
    assert_string_equal(to, "");
    assert_int_equal(ps_printable_copy(whole, sizeof whole, whole, strlen(whole)), 7);
    assert_string_equal(whole, "a  [2J ");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_written_text),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
