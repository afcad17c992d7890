/* The lines of IRC that bodies become. */
#include "stages/lib/irc/text.h"
#include "core/option.h"
#include "tests/support/support.h"

#include <stdio.h>

static struct ps_regex_scratch *scratch;

/* Asserts that a body becomes these lines. */
static void expect(const char *separator, uint32_t most, const char *body, size_t length,
                   const char *const *lines)
{
    struct ps_regex *regex = separator != NULL ? ps_regex_create(separator, 0, PS_REGEX_FIND, NULL) : NULL;
    const struct ps_irc_text text = {.separator = regex, .bytes_max = most};
    size_t offset = 0;
    struct ps_slice line;
    for (; *lines != NULL; lines++) {
        assert_true(ps_irc_text_next(&text, scratch, body, length, &offset, &line));
        assert_int_equal(line.length, strlen(*lines));
        assert_memory_equal(line.data, *lines, line.length);
    }
    assert_false(ps_irc_text_next(&text, scratch, body, length, &offset, &line));
    if (regex != NULL)
        ps_regex_destroy(regex);
}

#define EXPECT(separator, most, body, ...)                                                                   \
    expect((separator), (most), (body), sizeof(body) - 1, PS_WORDS(__VA_ARGS__))

static void test_lines(void **unused)
{
    EXPECT(NULL, 100, "a\nb\n", "a\nb\n");
    EXPECT("\n", 100, "a\nb", "a", "b");
    EXPECT("\n", 100, "\n\na\n\nb\n\n", "a", "b");
    EXPECT("[;,]+ *", 100, "a;, b,c", "a", "b", "c");
    EXPECT("\\s|x*", 100, "a b", "a", "b"); /* empty matches separate nothing */
    EXPECT("\n", 100, "\n", NULL);
    EXPECT("\n", 100, "", NULL);
}

static void test_long_lines(void **unused)
{
    EXPECT("\n", 4, "abcdefghi\njk", "abcd", "efgh", "i", "jk");
    EXPECT(NULL, 4, "ab\xc3\xa9z", "ab\xc3\xa9", "z");
    EXPECT(NULL, 4, "abc\xc3\xa9z", "abc", "\xc3\xa9z");
    EXPECT(NULL, 4, "a\xf0\x9f\x98\x80z", "a", "\xf0\x9f\x98\x80", "z");
    EXPECT(NULL, 4, "\x80\x80\x80\x80\x80", "\x80", "\x80\x80\x80\x80"); /* not UTF-8 */
}

static void test_not_utf8(void **unused)
{
    EXPECT("\n", 100, "a\xff\nb", "a\xff\nb");
}

static void test_put(void **unused)
{
    char to[16];
    assert_int_equal(ps_irc_text_put(to, (struct ps_slice){"a\r\nQUIT\0b", 9}), 9);
    assert_memory_equal(to, "a  QUIT b", 9);
}

static int setup(void **unused)
{
    scratch = ps_regex_scratch_create();
    return 0;
}

static int clean(void **unused)
{
    ps_regex_scratch_destroy(scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_not_utf8),
        cmocka_unit_test(test_put),
    };
    return cmocka_run_group_tests(tests, setup, clean);
}
