/* Jetty's keys, each just inside and just outside its limits: used, refused, or only reported. */
#include "stages/lib/http/jetty.h"
#include "tests/support/support.h"

#include <string.h>

static unsigned errors, warnings;
static char last_key[128];

static void note(const struct ps_context *context, enum ps_log_level severity, const char *key,
                 const char *message)
{
    errors += severity == PS_LOG_ERROR;
    warnings += severity == PS_LOG_WARN;
    snprintf(last_key, sizeof last_key, "%s", key);
}

/* Checks and reads the options. Afterwards `errors` and `warnings` have the numbers of reports. */
static struct ps_jetty_settings read_options(const struct ps_jetty_options *options)
{
    const struct ps_context context = {.report = note};
    struct ps_jetty_settings settings;
    errors = warnings = 0;
    last_key[0] = '\0';
    enum ps_status status = ps_jetty_check(options, &context);
    assert_int_equal(status == PS_OK, errors == 0);
    ps_jetty_read(options, &settings);
    return settings;
}

static void test_numbers(void **unused)
{
    static const struct {
        const char *text;
        unsigned errors, warnings; /* reported for the header size */
        uint32_t head_bytes;
        unsigned idle_errors;
        int64_t idle_ms;
    } rows[] = {
        {NULL, 0, 0, 8192, 0, -1},         {"-2147483649", 1, 0, 8192, 1, -1},
        {"-2147483648", 1, 0, 8192, 0, 0}, {"-1", 1, 0, 8192, 0, 0},
        {"0", 1, 0, 8192, 0, 0},           {"1", 0, 1, 256, 0, 1},
        {"255", 0, 1, 256, 0, 255},        {"256", 0, 0, 256, 0, 256},
        {"8191", 0, 0, 8191, 0, 8191},     {"65536", 0, 0, 65536, 0, 65536},
        {"65537", 0, 1, 65536, 0, 65537},  {"2147483647", 0, 1, 65536, 0, 2147483647},
        {"2147483648", 1, 0, 8192, 1, -1}, {"99999999999999999999", 1, 0, 8192, 1, -1},
        {"", 1, 0, 8192, 1, -1},           {"5x", 1, 0, 8192, 1, -1},
        {"x", 1, 0, 8192, 1, -1},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct ps_pair size = {.key = "requestHeaderSize", .value = rows[i].text};
        const struct ps_pair idle = {.key = "idleTimeout", .value = rows[i].text};
        bool set = rows[i].text != NULL;
        struct ps_jetty_settings settings = read_options(&(struct ps_jetty_options){.http = {set, &size}});
        if (settings.head_bytes_max != rows[i].head_bytes || errors != rows[i].errors ||
            warnings != rows[i].warnings)
            fail_msg("requestHeaderSize %s: %u bytes, %u errors, %u warnings", rows[i].text,
                     settings.head_bytes_max, errors, warnings);
        assert_string_equal(last_key, errors + warnings > 0 ? "HttpConfiguration.requestHeaderSize" : "");
        settings = read_options(&(struct ps_jetty_options){.connector = {set, &idle}});
        if (settings.idle_ms != rows[i].idle_ms || errors != rows[i].idle_errors || warnings != 0)
            fail_msg("idleTimeout %s: %lld ms, %u errors", rows[i].text, (long long)settings.idle_ms, errors);
        assert_string_equal(last_key, errors > 0 ? "ServerConnector.idleTimeout" : "");
    }
}

static void test_booleans(void **unused)
{
    static const struct {
        const char *text;
        bool is;
    } rows[] = {{"true", true}, {"TRUE", true}, {"false", false},
                {"yes", false}, {"", false},    {"truer", false}};
    struct ps_jetty_settings settings = read_options(&(struct ps_jetty_options){.http = {0, NULL}});
    assert_true(settings.sends_server && settings.sends_date && !settings.sends_powered_by);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_pair pair = {.key = "sendServerVersion", .value = rows[i].text};
        const struct ps_jetty_options options = {.http = {1, &pair}};
        settings = read_options(&options);
        assert_true(settings.sends_server == rows[i].is && settings.sends_date && !settings.sends_powered_by);
        pair.key = "sendDateHeader";
        settings = read_options(&options);
        assert_true(settings.sends_server && settings.sends_date == rows[i].is && !settings.sends_powered_by);
        pair.key = "sendXPoweredBy";
        settings = read_options(&options);
        assert_true(settings.sends_server && settings.sends_date && settings.sends_powered_by == rows[i].is);
        assert_int_equal(errors + warnings, 0);
        pair.key = "needClientAuth";
        (void)read_options(&(struct ps_jetty_options){.tls = {1, &pair}});
        assert_int_equal(errors, rows[i].is);
        assert_string_equal(last_key, rows[i].is ? "SslContextFactory.needClientAuth" : "");
    }
}

/* A key is known only with its own prefix. With another prefix it is reported. */
static void test_other_keys(void **unused)
{
    static const struct ps_pair known = {.key = "includeProtocols", .value = "TLSv1.2"};
    const struct ps_pair two[] = {known, {.key = "maxThreads", .value = "5"}};
    (void)read_options(&(struct ps_jetty_options){.tls = {1, &known}});
    assert_int_equal(errors + warnings, 0);
    (void)read_options(&(struct ps_jetty_options){.tls = {2, two}});
    assert_int_equal(warnings, 1);
    assert_string_equal(last_key, "SslContextFactory.maxThreads");
    (void)read_options(&(struct ps_jetty_options){.http = {2, two}});
    assert_int_equal(warnings, 2);
    assert_string_equal(last_key, "HttpConfiguration.maxThreads");
    (void)read_options(&(struct ps_jetty_options){.connector = {2, two}});
    assert_int_equal(warnings, 2);
    assert_string_equal(last_key, "ServerConnector.maxThreads");
    (void)read_options(&(struct ps_jetty_options){.pool = {2, two}, .http = {1, &known}});
    assert_int_equal(warnings, 3);
    assert_string_equal(last_key, "QueuedThreadPool.maxThreads");
    assert_int_equal(errors, 0);
}

/* Each key that has an effect is known with its own prefix only, wherever it is among others. */
static void test_known_keys(void **unused)
{
    static const struct {
        unsigned prefix;
        const char *key;
    } rows[] = {{0, "sendServerVersion"}, {0, "sendDateHeader"},      {0, "sendXPoweredBy"},
                {0, "requestHeaderSize"}, {1, "idleTimeout"},         {2, "includeProtocols"},
                {2, "excludeProtocols"},  {2, "includeCipherSuites"}, {2, "excludeCipherSuites"},
                {2, "needClientAuth"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct ps_pair pairs[] = {{.key = "other", .value = "1"},
                                        {.key = rows[i].key, .value = "256"},
                                        {.key = "another", .value = "1"}};
        for (unsigned prefix = 0; prefix < 4; prefix++) {
            struct ps_jetty_options options = {.http = {0, NULL}};
            struct ps_pairs *const lists[] = {&options.http, &options.connector, &options.tls, &options.pool};
            lists[prefix]->count = 3;
            lists[prefix]->items = (struct ps_pair *)(uintptr_t)pairs;
            (void)read_options(&options);
            if (errors != 0 || warnings != (prefix == rows[i].prefix ? 2 : 3))
                fail_msg("%s with prefix %u: %u warnings", rows[i].key, prefix, warnings);
        }
    }
}

static void check_list(const struct ps_texts *texts, const char *wanted)
{
    char text[128] = "";
    for (size_t i = 0; i < texts->count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s,", texts->items[i]);
    assert_string_equal(text, wanted);
}

/* Each list replaces the default of its own key, and of no other. */
static void test_lists(void **unused)
{
    static const char *const keys[] = {"includeProtocols", "excludeProtocols", "includeCipherSuites",
                                       "excludeCipherSuites"};
    static const char *const old[] = {"old"};
    for (size_t i = 0; i < PS_COUNT_OF(keys); i++) {
        struct ps_arena *arena = ps_arena_create();
        const struct ps_pair pair = {.key = keys[i], .value = " a\tb  c "};
        const struct ps_jetty_options options = {.tls = {1, &pair}};
        const struct ps_texts before = {1, old};
        struct ps_tls_options tls = {.include_protocols = before,
                                     .exclude_protocols = before,
                                     .include_cipher_suites = before,
                                     .exclude_cipher_suites = before};
        ps_jetty_tls(&options, arena, &tls);
        check_list(&tls.include_protocols, i == 0 ? "a,b,c," : "old,");
        check_list(&tls.exclude_protocols, i == 1 ? "a,b,c," : "old,");
        check_list(&tls.include_cipher_suites, i == 2 ? "a,b,c," : "old,");
        check_list(&tls.exclude_cipher_suites, i == 3 ? "a,b,c," : "old,");
        ps_arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),    cmocka_unit_test(test_booleans), cmocka_unit_test(test_other_keys),
        cmocka_unit_test(test_known_keys), cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
