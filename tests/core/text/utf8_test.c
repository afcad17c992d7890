#include "tests/support/support.h"

#include "stages/lib/text/scan.h"
#include "core/text/utf8.h"

#define R "\xEF\xBF\xBD"

/* Malformed bytes are replaced as `new String(bytes, UTF_8)` of JDK 17 replaces them. */
static void test_repair(void **unused)
{
    static const struct {
        const char *text, *repaired;
    } cases[] = {
        {"plain", "plain"},
        {"é€😀", "é€😀"},
        {"\xFF", R},
        {"\xC3", R},
        {"a\xC3z", "a" R "z"},
        {"\xC0\x80", R R},
        {"\xE2\x82", R},
        {"\xE2\x82z", R "z"},
        {"\xE0\x80\x80", R R R},
        {"\xED\xA0\x80", R},
        {"\xF0\x9F\x98", R},
        {"\xF0\x9Fz", R "z"},
        {"\xF0\x80\x80\x80", R R R R},
        {"\xF4\x90\x80\x80", R R R R},
        {"\xF8\x88\x80\x80\x80", R R R R R},
        {"x\x80y\xBFz", "x" R "y" R "z"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char out[64];
        size_t length = strlen(cases[i].text), used = ps_utf8_repair(cases[i].text, length, out);
        assert_int_equal(used, strlen(cases[i].repaired));
        assert_memory_equal(out, cases[i].repaired, used);
        bool valid = strcmp(cases[i].text, cases[i].repaired) == 0;
        assert_int_equal(ps_utf8_valid_length(cases[i].text, length) == length, valid);
    }
}

/* Any bytes: repaired text is well-formed, and repairing it again changes nothing. */
static void test_repair_any(void **unused)
{
    uint64_t seed = ps_test_seed();
    static const char pool[] =
        "a\n\x80\xBF\xC0\xC2\xC3\xE0\xE2\x82\xAC\xED\xA0\xEF\xF0\x9F\x98\xF4\x90\xF8\xFF";
    for (int round = 0; round < 20000; round++) {
        char text[32], once[96], twice[288];
        size_t length = ps_test_random(&seed) % sizeof text;
        for (size_t i = 0; i < length; i++)
            text[i] = pool[ps_test_random(&seed) % (sizeof pool - 1)];
        size_t first = ps_utf8_repair(text, length, once);
        assert_true(first <= 3 * length);
        assert_int_equal(ps_utf8_valid_length(once, first), first);
        assert_int_equal(ps_utf8_repair(once, first, twice), first);
        assert_memory_equal(once, twice, first);
        assert_true(ps_utf8_valid_length(text, length) <= length);
    }
}

/* One bad byte anywhere in a long text, at any alignment. */
static void test_long(void **unused)
{
    char text[300];
    for (size_t start = 0; start < 8; start++) {
        for (size_t bad = start; bad < sizeof text; bad++) {
            memset(text, 'a', sizeof text);
            assert_int_equal(ps_utf8_valid_length(text + start, sizeof text - start), sizeof text - start);
            text[bad] = '\x80';
            assert_int_equal(ps_utf8_valid_length(text + start, sizeof text - start), bad - start);
            if (bad + 2 < sizeof text) { /* add a well-formed character beyond ASCII */
                memcpy(text + bad, "\xE2\x82\xAC", 3);
                assert_int_equal(ps_utf8_valid_length(text + start, sizeof text - start),
                                 sizeof text - start);
            }
        }
    }
}

static void test_counts(void **unused)
{
    assert_int_equal(ps_utf8_char_count("aé€😀", 10), 5);
    assert_int_equal(ps_utf8_char_count("", 0), 0);
    assert_true(ps_utf8_has_terminator("x\xC2\x85", 3));
    assert_true(ps_utf8_has_terminator("\xE2\x80\xA8", 3));
    assert_true(ps_utf8_has_terminator("\xE2\x80\xA9", 3));
    assert_false(ps_utf8_has_terminator("\xE2\x80\xAA\xC2\x86", 5));
    assert_false(ps_utf8_has_terminator("\xE2\x80", 2));
}

static void test_plain(void **unused)
{
    char text[64];
    memset(text, 'x', sizeof text);
    for (size_t at = 0; at < sizeof text; at++) {
        assert_true(ps_text_is_plain(text, at));
        for (int byte = 0; byte < 256; byte++) {
            text[at] = (char)byte;
            assert_int_equal(ps_text_is_plain(text, sizeof text), byte >= 14 && byte < 128);
        }
        text[at] = 'x';
    }
}

/* Each length at its bounds; every code point outside the surrogates is well-formed. */
static void test_put(void **unused)
{
    static const struct {
        uint32_t code;
        const char *text;
    } rows[] = {{0x7f, "\x7f"},
                {0x80, "\xc2\x80"},
                {0x7ff, "\xdf\xbf"},
                {0x800, "\xe0\xa0\x80"},
                {0xffff, "\xef\xbf\xbf"},
                {0x10000, "\xf0\x90\x80\x80"},
                {0x10ffff, "\xf4\x8f\xbf\xbf"}};
    char text[4];
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        assert_int_equal(ps_utf8_put(text, rows[i].code), strlen(rows[i].text));
        assert_memory_equal(text, rows[i].text, strlen(rows[i].text));
    }
    for (uint32_t code = 0; code < 0x110000; code += code == 0xd7ff ? 0x801 : 1) {
        size_t length = ps_utf8_put(text, code);
        assert_int_equal(ps_utf8_valid_length(text, length), length);
    }
}

static void test_nothing(void **unused)
{
    assert_int_equal(ps_utf8_valid_length(NULL, 0), 0);
    assert_int_equal(ps_utf8_repair(NULL, 0, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_repair), cmocka_unit_test(test_repair_any),
                                       cmocka_unit_test(test_long),   cmocka_unit_test(test_counts),
                                       cmocka_unit_test(test_plain),  cmocka_unit_test(test_nothing),
                                       cmocka_unit_test(test_put)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
