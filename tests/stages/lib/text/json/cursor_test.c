/* JSON texts that are read value by value: strings written with random escapes, numbers, nested values, each cut at
 * every byte. Every text is in a block of its own that ends with the text. */
#include "stages/lib/text/json/cursor.h"
#include "core/text/utf8.h"
#include "stages/lib/text/json/text.h"
#include "tests/support/support.h"

#include <stdio.h>

#define TEXT_MAX 1024U

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static char *exact; /* the text under the cursor */
static char string[TEXT_MAX + 1];

static struct ps_json_cursor cursor_of(const char *text, size_t length)
{
    free(exact);
    exact = ps_test_exact_copy(text, length);
    return (struct ps_json_cursor){.at = exact, .end = exact + length, .string = string};
}

static struct ps_json_cursor cursor_at(const char *text)
{
    return cursor_of(text, strlen(text));
}

/* ---- strings ---- */

/* Appends the character to the JSON text, escaped in one of the ways that there are. */
static char *put_escaped(char *to, uint32_t code)
{
    static const char plain[] = "\b\f\n\r\t\"\\/", letters[] = "bfnrt\"\\/";
    const char *special = code < 0x80 && code > 0 ? strchr(plain, (int)code) : NULL;
    if (special != NULL && draw(2) == 0)
        return to + sprintf(to, "\\%c", letters[special - plain]);
    if (code >= 0x10000 && draw(2) == 0)
        return to + sprintf(to, "\\u%04x\\u%04X", 0xD800 + ((code - 0x10000) >> 10),
                            0xDC00 + ((code - 0x10000) & 0x3FF));
    if (code < 0x20 || code == '"' || code == '\\' || (code < 0x10000 && draw(2) == 0))
        return to + sprintf(to, draw(2) == 0 ? "\\u%04x" : "\\u%04X", code);
    return to + ps_utf8_put(to, code);
}

static void test_strings(void **unused)
{
    static const uint32_t codes[] = {1,      8,      0x1F,   0x20,    '"',     '/',     '\\',
                                     'a',    0x7F,   0x80,   0xE4,    0x7FF,   0x800,   0xD7FF,
                                     0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x1F600, 0x10FFFF};
    for (unsigned round = 0; round < 4000; round++) {
        char json[TEXT_MAX] = " \t\r\n\"", wanted[TEXT_MAX], decoded[TEXT_MAX], *to = json + 5,
             *made = wanted;
        for (unsigned count = (unsigned)draw(30); count > 0; count--) {
            uint32_t code = codes[draw(PS_COUNT_OF(codes))];
            to = put_escaped(to, code);
            made += ps_utf8_put(made, code);
        }
        *made = '\0';
        size_t inside = (size_t)(to - json) - 5;
        assert_int_equal(ps_json_unescape(json + 5, (uint32_t)inside, "?", decoded), made - wanted);
        assert_memory_equal(decoded, wanted, (size_t)(made - wanted));
        *to++ = '"';
        size_t length = (size_t)(to - json);
        memcpy(to, ":1", 2);
        struct ps_json_cursor cursor = cursor_of(json, length + 2);
        assert_true(ps_json_string_take(&cursor));
        assert_string_equal(string, wanted);
        assert_ptr_equal(cursor.at, exact + length);
        cursor = cursor_of(json, 4 + draw(length - 4)); /* it does not end */
        assert_false(ps_json_string_take(&cursor));
        /* Over itself, as a body of HTTP is decoded. */
        assert_int_equal(ps_json_unescape(json + 5, (uint32_t)inside, "?", json + 5), made - wanted);
        assert_memory_equal(json + 5, wanted, (size_t)(made - wanted));
    }
}

/* Halves of a pair, and what is no escape. */
static void test_halves(void **unused)
{
    static const struct {
        const char *json, *cursor, *lone; /* NULL: refused; what unescape makes of it with "?" */
    } rows[] = {
        {"\\ud83d", "\uFFFD", "?"},
        {"\\uDE00", "\uFFFD", "?"},
        {"a\\ud83db", "a\uFFFDb", "a?b"},
        {"\\ud83d\\n", "\uFFFD\n", "?\n"},
        {"\\ud83d\\ude00", "\U0001F600", "\U0001F600"},
        {"\\uD800\\uDC00", "\U00010000", "\U00010000"},
        {"\\uDBFF\\uDFFF", "\U0010FFFF", "\U0010FFFF"},
        {"\\ud83d\\ue000", NULL, "?\uE000"},
        {"\\ud83d\\udbff", NULL, "??"},
        {"\\ud83d\\u0041", NULL, "?A"},
        {"\\udc00\\ud800", "\uFFFD\uFFFD", "??"},
        {"\\udfff\\udc00", "\uFFFD\uFFFD", "??"},
        {"\\ud7ff\\ue000", "\uD7FF\uE000", "\uD7FF\uE000"},
        {"\\x", NULL, "x"},
        {"\\'", NULL, "'"},
        {"\\B", NULL, "B"},
        {"\\u12", NULL, NULL},
        {"\\u12g4", NULL, NULL},
        {"\\u 123", NULL, NULL},
        {"\\U0041", NULL, NULL},
        {"\\ud83d\\u", NULL, NULL},
        {"\\ud83d\\u12", NULL, NULL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char json[64], decoded[64];
        size_t length = strlen(rows[i].json);
        snprintf(json, sizeof json, "\"%s\"", rows[i].json);
        struct ps_json_cursor cursor = cursor_at(json);
        if (ps_json_string_take(&cursor) != (rows[i].cursor != NULL))
            fail_msg("%s", json);
        if (rows[i].cursor != NULL)
            assert_string_equal(string, rows[i].cursor);
        if (rows[i].lone == NULL)
            continue;
        char *text = ps_test_exact_copy(rows[i].json, length);
        uint32_t made = ps_json_unescape(text, (uint32_t)length, "?", decoded);
        assert_int_equal(made, strlen(rows[i].lone));
        assert_memory_equal(decoded, rows[i].lone, made);
        free(text);
    }
}

/* ---- numbers ---- */

static void test_numbers(void **unused)
{
    static const struct {
        const char *json;
        bool plain, quoted; /* whether it is a number, without and with quotation marks allowed */
        int64_t value;
        size_t taken;
    } rows[] = {
        {"0", true, true, 0, 1},
        {"-0", true, true, 0, 2},
        {" \n42,", true, true, 42, 4},
        {"-7]", true, true, -7, 2},
        {"9223372036854775807", true, true, INT64_MAX, 19},
        {"9223372036854775808", false, false, 0, 0},
        {"-9223372036854775808", true, true, INT64_MIN, 20},
        {"-9223372036854775809", false, false, 0, 0},
        {"00000000000000000000012", true, true, 12, 23},
        {"\"42\"", false, true, 42, 4},
        {"\"-1\" ", false, true, -1, 4},
        {"\"\"", false, false, 0, 0},
        {"\"4x\"", false, false, 0, 0},
        {"\"x4\"", false, false, 0, 0},
        {"\"4", false, false, 0, 0},
        {"\"00000000000000000000012\"", false, true, 12, 25},
        {"\"000000000000000000000012\"", false, false, 0, 0}, /* too long */
        {"", false, false, 0, 0},
        {"-", false, false, 0, 0},
        {"--1", false, false, 0, 0},
        {"1-", false, false, 0, 0},
        {"x", false, false, 0, 0},
        {"1.5", true, true, 1, 1},
        {"true", false, false, 0, 0},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        int64_t value = 99;
        struct ps_json_cursor cursor = cursor_at(rows[i].json);
        if (ps_json_number_take(&cursor, &value) != rows[i].plain)
            fail_msg("%s", rows[i].json);
        if (rows[i].plain) {
            assert_int_equal(value, rows[i].value);
            assert_int_equal(cursor.at - exact, rows[i].taken);
        }
        cursor = cursor_at(rows[i].json);
        if (ps_json_quoted_number_take(&cursor, &value) != rows[i].quoted)
            fail_msg("%s", rows[i].json);
        if (rows[i].quoted) {
            assert_int_equal(value, rows[i].value);
            assert_int_equal(cursor.at - exact, rows[i].taken);
        }
    }
}

/* ---- what is skipped ---- */

static char *put_space(char *to)
{
    return draw(4) == 0 ? to + sprintf(to, " ") : to;
}

/* Appends a random value. */
static char *put_value(char *to, unsigned depth)
{
    static const char *const scalars[] = {"0",    "-1.5e+9", "true",          "false",
                                          "null", "\"\"",    "\"a]}\\\",b\"", "\"\\u00e4\""};
    unsigned kind = depth == 0 ? 0 : (unsigned)draw(3), members = (unsigned)draw(4);
    if (kind == 0)
        return to + sprintf(to, "%s", scalars[draw(PS_COUNT_OF(scalars))]);
    *to++ = kind == 1 ? '[' : '{';
    to = put_space(to);
    for (unsigned i = 0; i < members; i++) {
        to += sprintf(to, "%s%s", i > 0 ? "," : "", kind == 2 ? "\"k\" :" : "");
        to = put_space(to);
        to = put_value(to, depth - 1);
        to = put_space(to);
    }
    *to++ = kind == 1 ? ']' : '}';
    return to;
}

static void test_skips(void **unused)
{
    for (unsigned round = 0; round < 3000; round++) {
        char json[64 * TEXT_MAX];
        size_t length = (size_t)(put_value(json, 1 + (unsigned)draw(4)) - json);
        if (length >= TEXT_MAX)
            continue;
        memcpy(json + length, ",1", 2);
        struct ps_json_cursor cursor = cursor_of(json, length + 2);
        if (!ps_json_skip(&cursor) || cursor.at != exact + length)
            fail_msg("%.*s", (int)length, json);
        bool nested = json[0] == '[' || json[0] == '{' || json[0] == '"';
        cursor = cursor_of(json, nested ? draw(length) : 0); /* it does not end */
        assert_false(ps_json_skip(&cursor));
    }
    static const char *const wrong[] = {"[1",    "[1,]",       "[,1]", "[1 2]",     "{\"a\"}",   "{\"a\":}",
                                        "{1:2}", "{\"a\":1,}", "[1}",  "{\"a\":1]", "{\"a\" 1}", "{,}",
                                        "]",     ",",          "}",    "\""};
    for (size_t i = 0; i < PS_COUNT_OF(wrong); i++) {
        struct ps_json_cursor cursor = cursor_at(wrong[i]);
        if (ps_json_skip(&cursor))
            fail_msg("%s", wrong[i]);
    }
}

/* As many arrays within each other as are allowed, and one more. */
static void test_depth(void **unused)
{
    for (size_t depth = PS_JSON_DEPTH_MAX - 1; depth <= PS_JSON_DEPTH_MAX + 1; depth++) {
        char json[2 * (PS_JSON_DEPTH_MAX + 1) + 1];
        memset(json, '[', depth);
        memset(json + depth, ']', depth);
        struct ps_json_cursor cursor = cursor_of(json, 2 * depth);
        assert_int_equal(ps_json_skip(&cursor), depth <= PS_JSON_DEPTH_MAX);
        assert_true(depth > PS_JSON_DEPTH_MAX || cursor.at == cursor.end);
    }
}

static void test_peek(void **unused)
{
    struct ps_json_cursor cursor = cursor_at(" \t\r\n\v");
    assert_int_equal(ps_json_peek(&cursor), '\v');
    assert_int_equal(cursor.at - exact, 4);
    assert_false(ps_json_accept(&cursor, ' '));
    assert_true(ps_json_accept(&cursor, '\v'));
    assert_int_equal(ps_json_peek(&cursor), -1);
    assert_false(ps_json_accept(&cursor, '\v'));
    cursor = cursor_of("\0\xFF", 2);
    assert_int_equal(ps_json_peek(&cursor), 0);
    cursor.at++;
    assert_int_equal(ps_json_peek(&cursor), 0xFF);
    free(exact);
    exact = NULL;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_strings), cmocka_unit_test(test_halves),
                                              cmocka_unit_test(test_numbers), cmocka_unit_test(test_skips),
                                              cmocka_unit_test(test_depth),   cmocka_unit_test(test_peek)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
