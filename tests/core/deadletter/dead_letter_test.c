/* A dead letter as one line of JSON, read back by another implementation (jansson): every byte of body and headers. */
#include "core/deadletter/dead_letter.h"
#include "tests/support/stage.h"

#include <jansson.h>

extern const struct ps_stage_ops ps_sink_null;

static size_t base64_decode(const char *text, char *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t used = 0, bits = 0;
    uint32_t value = 0;
    for (; *text != '\0' && *text != '='; text++) {
        const char *digit = strchr(digits, *text);
        assert_non_null(digit);
        value = value << 6 | (uint32_t)(digit - digits);
        if ((bits += 6) >= 8)
            to[used++] = (char)(value >> (bits -= 8));
    }
    return used;
}

static json_t *encode(const struct ps_dead_letter *letter)
{
    size_t length;
    char *line = ps_dead_letter_encode(letter, 16, &length);
    assert_non_null(line);
    const char *text = line + 16;
    assert_ptr_equal(memchr(text, '\n', length), text + length - 1); /* one line */
    json_error_t error;
    json_t *read = json_loadb(text, length, 0, &error);
    if (read == NULL)
        fail_msg("%s: %.*s", error.text, (int)length, text);
    free(line);
    return read;
}

static const char *member(const json_t *letter, const char *name)
{
    const json_t *value = json_object_get(letter, name);
    return value != NULL ? json_string_value(value) : NULL;
}

static void check_body(const char *bytes, size_t length, bool plain)
{
    struct ps_dead_letter letter = {.agent = "a", .component = "source r", .bytes = bytes, .length = length};
    letter.reason = (struct ps_dead_letter_reason){"malformed", "no datum", 0};
    json_t *read = encode(&letter);
    const char *text = member(read, plain ? "body" : "body_base64");
    assert_non_null(text);
    assert_null(json_object_get(read, plain ? "body_base64" : "body"));
    char *back = malloc(length + 4);
    size_t got = plain ? strlen(text) : base64_decode(text, back);
    assert_int_equal(got, length);
    assert_memory_equal(plain ? text : back, bytes, length);
    free(back);
    json_decref(read);
}

#define CHECK_TEXT(text, plain) check_body(text, sizeof(text) - 1, plain)

static void test_bodies(void **state)
{
    CHECK_TEXT("", true);
    CHECK_TEXT("plain", true);
    CHECK_TEXT("\"quotes\" \\ and \t\r\n\x01\x1f controls", true);
    CHECK_TEXT("gr\xc3\xbc\xc3\x9f \xf0\x9f\x9a\xb0 \xe2\x80\xa8", true);
    CHECK_TEXT("a\0b", false);
    CHECK_TEXT("\xff", false);
    CHECK_TEXT("\xc3", false);
    CHECK_TEXT("\xed\xa0\x80", false); /* a surrogate */
    uint64_t seed = ps_test_seed();
    for (unsigned round = 0; round < 2000; round++) {
        char bytes[64] = {(char)0xff};
        size_t length = 1 + ps_test_random(&seed) % (sizeof bytes - 1);
        for (size_t i = 1; i < length; i++)
            bytes[i] = (char)ps_test_random(&seed);
        check_body(bytes, length, false);
    }
}

static void test_event(void **state)
{
    struct ps_test_stage stage;
    const struct ps_test_event events[] = {
        {"body", 4, PS_WORDS("host", "h1", "na\"me", "va\\lue", "binary", "\xfe\xff", "empty", "")}};
    ps_test_stage_init(&stage, &ps_sink_null);
    struct ps_lease *lease = ps_test_lease(&stage, events, 1);
    const struct ps_dead_letter letter = {.agent = "a1",
                                          .component = "sink k1",
                                          .reason = {"record-refused", "the broker's \"policy\"", 7},
                                          .time_ms = 1763719651007,
                                          .batch = lease->batch,
                                          .event = ps_lease_event(lease, 0)};
    json_t *read = encode(&letter);
    assert_int_equal(json_integer_value(json_object_get(read, "v")), 1);
    assert_string_equal(member(read, "time"), "2025-11-21T10:07:31.007Z");
    assert_string_equal(member(read, "agent"), "a1");
    assert_string_equal(member(read, "component"), "sink k1");
    assert_string_equal(member(read, "reason"), "record-refused");
    assert_string_equal(member(read, "text"), "the broker's \"policy\"");
    assert_int_equal(json_integer_value(json_object_get(read, "attempts")), 7);
    assert_string_equal(member(read, "body"), "body");
    const json_t *headers = json_object_get(read, "headers");
    assert_int_equal(json_object_size(headers), 3);
    assert_string_equal(member(headers, "host"), "h1");
    assert_string_equal(member(headers, "na\"me"), "va\\lue");
    assert_string_equal(member(headers, "empty"), "");
    const json_t *others = json_object_get(read, "headers_base64");
    assert_int_equal(json_array_size(others), 1);
    char bytes[16];
    const json_t *pair = json_array_get(others, 0);
    assert_int_equal(base64_decode(json_string_value(json_array_get(pair, 0)), bytes), 6);
    assert_memory_equal(bytes, "binary", 6);
    assert_int_equal(base64_decode(json_string_value(json_array_get(pair, 1)), bytes), 2);
    assert_memory_equal(bytes, "\xfe\xff", 2);
    json_decref(read);
    ps_test_stage_fini(&stage);
}

/* Escapes make a body six times as long as the room that was reserved for it. */
static void test_growth(void **state)
{
    static char bytes[100000];
    memset(bytes, 1, sizeof bytes);
    check_body(bytes, sizeof bytes, true);
    memset(bytes, 0xff, sizeof bytes);
    check_body(bytes, sizeof bytes, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_event),
        cmocka_unit_test(test_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
