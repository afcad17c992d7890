/* Untrusted text is made printable: controls and malformed bytes are escaped. */
#include "core/text/printable.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

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

/* Characters that nobody sees, or that turn the text around them, and their neighbours, which stay. */
static void test_hidden_characters(void **state)
{
    static const struct {
        const char *text;
        bool is_hidden;
    } cases[] = {{"\xc2\x80", true},          {"\xc2\x9f", true},         {"\xc2\xa0", false},
                 {"\xc2\xad", true},          {"\xd8\x9b", false},        {"\xd8\x9c", true},
                 {"\xe1\xa0\x8e", true},      {"\xe1\xa0\x8f", false},    {"\xe2\x80\x8a", false},
                 {"\xe2\x80\x8b", true},      {"\xe2\x80\x8f", true},     {"\xe2\x80\x90", false},
                 {"\xe2\x80\xa7", false},     {"\xe2\x80\xa8", true},     {"\xe2\x80\xae", true},
                 {"\xe2\x80\xaf", false},     {"\xe2\x81\x9f", false},    {"\xe2\x81\xa0", true},
                 {"\xe2\x81\xaf", true},      {"\xe2\x81\xb0", false},    {"\xef\xbb\xbe", false},
                 {"\xef\xbb\xbf", true},      {"\xef\xbf\xb8", false},    {"\xef\xbf\xb9", true},
                 {"\xef\xbf\xbb", true},      {"\xef\xbf\xbc", false},    {"\xf3\xa0\x80\x81", true},
                 {"\xf3\xa0\x82\x80", false}, {"\xf0\x9f\x98\x80", false}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        size_t length = strlen(cases[i].text);
        char around[16], wanted[40], spelt[32] = "", line[40];
        snprintf(around, sizeof around, "a%sb", cases[i].text);
        for (size_t k = 0; k < length; k++)
            snprintf(spelt + 4 * k, sizeof spelt - 4 * k, "\\x%02x", (unsigned char)cases[i].text[k]);
        snprintf(wanted, sizeof wanted, "a%sb", cases[i].is_hidden ? spelt : cases[i].text);
        written_is(around, length + 2, wanted);
        line[ps_printable_put(line, around, length + 2)] = '\0';
        assert_string_equal(line, wanted);
        assert_int_equal(ps_printable_hidden(cases[i].text, length), cases[i].is_hidden ? length : 0);
        assert_int_equal(ps_printable_hidden(cases[i].text, length - 1), 0); /* cut in the middle */
        struct ps_arena *arena = ps_arena_create();
        snprintf(wanted, sizeof wanted, "a%sb", cases[i].is_hidden ? "?" : cases[i].text);
        assert_string_equal(ps_printable_line(arena, around), wanted);
        ps_arena_destroy(arena);
    }
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
        cmocka_unit_test(test_hidden_characters),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
