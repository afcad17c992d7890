/* Serializer json: which members an object has, by each key; names that meet; times; bytes that are not UTF-8. */
#include "tests/support/stage.h"

#include <string.h>

static void expect(const char *const *keys, const struct ps_test_event *event, const char *wanted)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_serializer_json, keys);
    struct ps_lease *lease = ps_test_lease(&stage, event, 1);
    size_t length;
    char *text = ps_test_serializer_run(&stage, lease, &length);
    if (strlen(wanted) != length || memcmp(text, wanted, length) != 0)
        fail_msg("%.*s instead of %s", (int)length, text, wanted);
    free(text);
    ps_test_stage_fini(&stage);
}

#define EXPECT(wanted, event, ...)                                                                           \
    expect(PS_KEYS("appendNewline", "false", ##__VA_ARGS__), &(event), "{" wanted "}")

static void test_members(void **unused)
{
    const struct ps_test_event event = PS_EVENT("b", "host", "h"), bare = PS_BODY("b"), empty = PS_BODY("");
    expect(NULL, &event, "{\"message\":\"b\",\"host\":\"h\"}\n");
    EXPECT("\"message\":\"b\"", bare);
    EXPECT("\"message\":\"\"", empty);
    EXPECT("\"text\":\"b\",\"host\":\"h\"", event, "json.body", "text");
    EXPECT("\"message\":\"b\"", event, "json.headers", "none");
    EXPECT("\"message\":\"b\"", event, "json.headers", "hos hostname");
    EXPECT("\"message\":\"b\",\"host\":\"h\"", event, "json.headers", "other,host");
    EXPECT("\"message\":\"b\",\"\\\"x\\\"\":\"h\"", event, "json.rename.host", "\"x\"");
    EXPECT("\"message\":\"b\",\"headers\":{\"host\":\"h\"}", event, "json.nested", "true");
    EXPECT("\"message\":\"b\",\"n\":{\"y\":\"h\"}", event, "json.nested", "n", "json.rename.host", "y");
    EXPECT("\"message\":\"b\",\"headers\":{}", bare, "json.nested", "true");
    EXPECT("\"message\":\"b\",\"host\":\"h\"", event, "json.nested", "false");
}

/* No member comes twice. */
static void test_names_that_meet(void **unused)
{
    const struct ps_test_event same = PS_EVENT("b", "message", "m"),
                               two = PS_EVENT("b", "host", "h", "server", "s");
    EXPECT("\"message\":\"b\"", same);
    EXPECT("\"message\":\"b\",\"headers\":{\"message\":\"m\"}", same, "json.nested", "true");
    EXPECT("\"message\":\"b\",\"m2\":\"m\"", same, "json.rename.message", "m2");
    EXPECT("\"message\":\"b\",\"server\":\"h\"", two, "json.rename.host", "server");
    EXPECT("\"message\":\"b\",\"headers\":{\"server\":\"s\",\"message\":\"h\"}", two, "json.rename.host",
           "message", "json.nested", "true");
    EXPECT("\"message\":\"b\",\"server\":\"s\"", two, "json.rename.host", "server", "json.headers", "server");
}

static void test_times(void **unused)
{
    static const struct {
        const char *ms, *wanted; /* NULL: no time */
    } rows[] = {
        {"1065910455003", "2003-10-11T22:14:15.003Z"},
        {"0", "1970-01-01T00:00:00.000Z"},
        {"-1", "1969-12-31T23:59:59.999Z"},
        {"253402300799999", "9999-12-31T23:59:59.999Z"},
        {"253402300800000", NULL},
        {"-62167219200000", "0000-01-01T00:00:00.000Z"},
        {"-62167219200001", NULL},
        {"", NULL},
        {"12x", NULL},
        {"99999999999999999999999999", NULL},
        {"9223372036854775807", NULL},
        {"-9223372036854775808", NULL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct ps_test_event event = PS_EVENT("b", "timestamp", rows[i].ms);
        char wanted[256];
        if (rows[i].wanted == NULL)
            snprintf(wanted, sizeof wanted, "{\"message\":\"b\",\"timestamp\":\"%s\"}", rows[i].ms);
        else
            snprintf(wanted, sizeof wanted, "{\"timestamp\":\"%s\",\"message\":\"b\"}", rows[i].wanted);
        expect(PS_KEYS("appendNewline", "false", "json.timestamp", "timestamp"), &event, wanted);
    }
}

static void test_bytes(void **unused)
{
    const struct ps_test_event controls = PS_EVENT("\x01\n\"\\\x1f", "h", "\t"),
                               bad = PS_EVENT("\xFF"
                                              "a\xC3",
                                              "h", "\xED\xA0\x80"),
                               good = PS_BODY("\xC3\xA9\xF0\x9F\x98\x80\xE2\x80\xA8");
    EXPECT("\"message\":\"\\u0001\\n\\\"\\\\\\u001f\",\"h\":\"\\t\"", controls);
    EXPECT("\"message\":\"\xC3\xA9\xF0\x9F\x98\x80\xE2\x80\xA8\"", good);
    EXPECT("\"message\":\"\xEF\xBF\xBD"
           "a\xEF\xBF\xBD\",\"h\":\"\xEF\xBF\xBD\"",
           bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_members), cmocka_unit_test(test_names_that_meet),
                                       cmocka_unit_test(test_times), cmocka_unit_test(test_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
