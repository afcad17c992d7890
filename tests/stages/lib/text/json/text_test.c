/* Text into JSON strings, read back by a JSON library. */
#include "stages/lib/text/json/text.h"
#include "stages/lib/text/json/value.h"
#include "tests/support/support.h"

#include <jansson.h>

static void read_back(const char *json, size_t json_length, const char *text, size_t length)
{
    json_error_t error;
    json_t *array = json_loadb(json, json_length, JSON_ALLOW_NUL, &error);
    if (array == NULL)
        fail_msg("%s: %.*s", error.text, (int)json_length, json);
    const json_t *string = json_array_get(array, 0);
    assert_int_equal(json_string_length(string), length);
    assert_memory_equal(json_string_value(string), text, length);
    json_decref(array);
}

static void round_trip(const char *text, size_t length)
{
    char json[8192] = "[\"";
    assert_true(length * PS_JSON_TEXT_GROWTH + 8 < sizeof json);
    size_t written = ps_json_text(text, length, json + 2);
    assert_true(written <= length * PS_JSON_TEXT_GROWTH);
    memcpy(json + 2 + written, "\"]", 2);
    read_back(json, written + 4, text, length);
    char *end = ps_json_quoted_put(json + 1, text, length);
    assert_true((size_t)(end - json) <= ps_json_string_bound(text, length) + 3);
    *end++ = ']';
    read_back(json, (size_t)(end - json), text, length);
}

static void test_every_byte_at_every_place(void **state)
{
    for (unsigned byte = 0; byte < 0x80; byte++) {
        for (unsigned place = 0; place < 40; place++) {
            char text[40];
            memset(text, 'x', sizeof text);
            text[place] = (char)byte;
            round_trip(text, sizeof text);
            round_trip(text + place, 1);
        }
    }
}

static void test_random_text(void **state)
{
    static const char *const pieces[] = {"a",    "\"",   "\\",   "\n",
                                         "\x01", "\x1f", "\x20", "\x7f",
                                         "é",    "日本", "😀",    "plain words of some length, "};
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 5000; round++) {
        char text[1024];
        size_t length = 0, count = ps_test_random(&random) % 30;
        for (size_t i = 0; i < count; i++) {
            const char *piece = pieces[ps_test_random(&random) % PS_COUNT_OF(pieces)];
            memcpy(text + length, piece, strlen(piece));
            length += strlen(piece);
        }
        round_trip(text, length);
    }
}

static void test_as_java_writes_it(void **state)
{
    char to[64];
    size_t length = ps_json_text("a\"b\\c\td\x02", 8, to);
    to[length] = '\0';
    assert_string_equal(to, "a\\\"b\\\\c\\td\\u0002");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_at_every_place),
        cmocka_unit_test(test_random_text),
        cmocka_unit_test(test_as_java_writes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
