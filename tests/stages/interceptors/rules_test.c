/* Interceptor rules: its keys, its effects on a lease, the problems that `check` reports, its counters. The meaning of the
 * language is tested with rules_set, reloading in tests/stages/lib/rules/live/live_test.c. */
#include "regex/rules/rules.h"
#include "tests/support/folder.h"
#include "tests/support/rules/files.h"

#include <stdio.h>

static const char *header(struct ps_test_stage *stage, const struct ps_lease *lease, uint32_t position,
                          const char *name)
{
    struct ps_test_event event = ps_test_lease_event(stage, lease, position);
    return ps_test_event_header(&event, name);
}

static void test_acts(void **state)
{
    struct ps_test_stage stage;
    const char *file = ps_test_rules_write(
        "a.rules", "mode all\n"
                   "rule health { when body ~ /GET \\/healthz / drop stop }\n"
                   "rule status { when body ~ /\" (?<status>[0-9]{3}) / set header.topic = \"s${status}\" }\n"
                   "rule never { when body ~ /never/ drop }\n");
    ps_test_stage_start(&stage, &ps_interceptor_rules,
                        PS_KEYS("rules.file", file, "rules.cache", "none", "rules.watch", "false"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("\"GET /healthz HTTP/1.1\" 200 1"),
                                      PS_BODY("\"GET / HTTP/1.1\" 503 1"), PS_BODY("something else"));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_int_equal(lease->count, 2);
    assert_string_equal(header(&stage, lease, 0, "topic"), "s503");
    assert_string_equal(header(&stage, lease, 0, "status"), "503");
    assert_null(header(&stage, lease, 1, "topic"));
    assert_true(ps_test_series(&stage, "rules", NULL) == 3);
    assert_true(ps_test_series(&stage, "rules_expressions", NULL) == 3);
    assert_true(ps_test_series(&stage, "rules_generation", file) == 1);
    assert_true(ps_test_series(&stage, "rules_reloads", NULL) == 0);
    assert_true(ps_test_series(&stage, "rules_last_reload_successful", NULL) == 1);
    assert_true(ps_test_series(&stage, "rules_loaded_timestamp_seconds", NULL) > 1.7e9);
    assert_true(ps_test_series(&stage, "rules_scan_errors", NULL) == 0);
    assert_true(ps_test_series(&stage, "rule_hits", "health") == 1);
    assert_true(ps_test_series(&stage, "rule_dropped", "health") == 1);
    assert_true(ps_test_series(&stage, "rule_bytes", "health") == 29);
    assert_true(ps_test_series(&stage, "rule_hits", "status") == 1);
    assert_true(ps_test_series(&stage, "rule_dropped", "status") == 0);
    assert_true(ps_test_series(&stage, "rule_last_hit_timestamp_seconds", "status") == 1700000000.0);
    assert_true(ps_test_series(&stage, "rule_hits", "never") == 0);
    assert_true(ps_test_series(&stage, "rule_last_hit_timestamp_seconds", "never") == 0);
    ps_test_stage_fini(&stage);
}

/* All events are dropped: the lease is empty, but still there. */
static void test_drops_all(void **state)
{
    struct ps_test_stage stage;
    const char *file = ps_test_rules_write("a.rules", "rule all { when true drop }\n");
    ps_test_stage_start(&stage, &ps_interceptor_rules, PS_KEYS("rules.file", file, "rules.cache", "none"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_BODY(""));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_int_equal(lease->count, 0);
    ps_test_stage_fini(&stage);
}

static void refused(const char *text, const char *why)
{
    struct ps_test_stage stage;
    char place[256];
    const char *file = ps_test_rules_write("bad.rules", "%s", text);
    ps_test_stage_init(&stage, &ps_interceptor_rules);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("rules.file", file, "rules.cache", "none")), PS_FAIL);
    snprintf(place, sizeof place, "bad.rules:%s", why);
    if (!ps_test_stage_reported(&stage, PS_LOG_ERROR, place))
        fail_msg("no error says %s", place);
    ps_test_stage_fini(&stage);
}

static void test_refused(void **state)
{
    struct ps_test_stage stage;
    refused("rule a {\n  when body ~ /(/\n  drop\n}\n", "2:");
    refused("rule a {\n  when true\n  route c1\n}\n", "3:"); /* an interceptor routes nothing */
    refused("default c1\nrule a { when true drop }\n", "1:");
    refused("rule a { when true drop }\nrule a { when true drop }\n", "2:");
    refused("rule a { when true dorp }\n", "1:");
    refused("rule a { when true drop }\nrule b { when tr", "2:"); /* a file that was cut off */
    refused("rule a {\n  when body ~ /a[bc]{1,900}(d[ef]{1,900}){1,900}g/\n  drop\n}\n", "2:"); /* too costly
                                                                                                 * to match */
    refused("", "");
    ps_test_stage_init(&stage, &ps_interceptor_rules);
    const char *missing = ps_test_folder_path("missing.rules");
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("rules.file", missing)), PS_FAIL);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "missing.rules"));
    ps_test_stage_fini(&stage);
    ps_test_stage_init(&stage, &ps_interceptor_rules);
    assert_int_equal(ps_test_stage_bind(&stage, NULL), PS_FAIL);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "rules.file"));
    ps_test_stage_fini(&stage);
}

/* All problems are reported, not only the first. */
static void test_all_problems(void **state)
{
    struct ps_test_stage stage;
    const char *file = ps_test_rules_write("bad.rules", "rule a { when body ~ /[/ drop }\n"
                                                        "rule b { when true drop }\n"
                                                        "rule c { when body ~ /(?<x/ drop }\n");
    ps_test_stage_init(&stage, &ps_interceptor_rules);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("rules.file", file)), PS_FAIL);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "bad.rules:1:"));
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "bad.rules:3:"));
    ps_test_stage_fini(&stage);
}

static void test_cost_is_told(void **state)
{
    struct ps_test_stage stage;
    const char *file =
        ps_test_rules_write("a.rules", "rule a {\n  when body ~ /a[bc]{1,20000}d/\n  drop\n}\n");
    ps_test_stage_init(&stage, &ps_interceptor_rules);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("rules.file", file)), PS_OK);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_WARN, "a.rules:2:"));
    assert_true(ps_test_stage_reported(&stage, PS_LOG_WARN, "states"));
    ps_test_stage_fini(&stage);
}

struct lines {
    char text[65536];
    size_t length, count;
};

static void line_add(void *lines_, const char *text)
{
    struct lines *lines = lines_;
    lines->count++;
    lines->length +=
        (size_t)snprintf(lines->text + lines->length, sizeof lines->text - lines->length, "%s\n", text);
    assert_true(lines->length < sizeof lines->text);
}

static void test_described(void **state)
{
    struct ps_test_stage stage;
    static struct lines lines;
    char text[8192];
    size_t length = 0;
    for (int i = 0; i < 60; i++)
        length +=
            (size_t)snprintf(text + length, sizeof text - length,
                             "rule r%d { when body ~ /word-%d-%s/ drop }\n", i, i, i == 1 ? "(a)\\1" : "");
    const char *file = ps_test_rules_write("a.rules", "%s", text);
    ps_test_stage_init(&stage, &ps_interceptor_rules);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("rules.file", file, "rules.cache", "/some/where")),
                     PS_OK);
    stage.ops->describe(stage.plan, &stage.context, line_add, &lines);
    assert_non_null(strstr(lines.text, "60 rules"));
    assert_non_null(strstr(lines.text, "cache: /some/where"));
    assert_non_null(strstr(lines.text, "a.rules:1:"));
    assert_non_null(strstr(lines.text, "/word-1-(a)\\1/: "));
    assert_non_null(strstr(lines.text, "Hyperscan"));
    assert_non_null(strstr(lines.text, "PCRE2"));
    assert_non_null(strstr(lines.text, "10 expressions more"));
    assert_int_equal(lines.count, 52);
    ps_test_stage_fini(&stage);
}

/* The directory of compiled expressions: the key, or the first of the variables that names a whole path. */
static void test_cache_directory(void **state)
{
    static const struct {
        const char *key, *systemd, *xdg, *home, *cache;
    } rows[] = {
        {"/key", "/systemd", "/xdg", "/home", "/key"},
        {"none", "/systemd", "/xdg", "/home", "none"},
        {NULL, "/systemd", "/xdg", "/home", "/systemd"},
        {NULL, "/first:/second", "/xdg", "/home", "/first"},
        {NULL, "relative", "/xdg", "/home", "/xdg/penstock"},
        {NULL, "", "/xdg", "/home", "/xdg/penstock"},
        {NULL, NULL, "relative", "/home", "/home/.cache/penstock"},
        {NULL, NULL, NULL, "/home", "/home/.cache/penstock"},
        {NULL, NULL, NULL, "relative", "none"},
        {NULL, NULL, NULL, NULL, "none"},
    };
    static const char *const names[] = {"CACHE_DIRECTORY", "XDG_CACHE_HOME", "HOME"};
    char *before[PS_COUNT_OF(names)];
    for (size_t k = 0; k < PS_COUNT_OF(names); k++)
        before[k] = getenv(names[k]) != NULL ? strdup(getenv(names[k])) : NULL;
    const char *file = ps_test_rules_write("a.rules", "rule a { when body ~ /a/ drop }\n");
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const char *const values[] = {rows[i].systemd, rows[i].xdg, rows[i].home};
        static struct lines lines;
        struct ps_test_stage stage;
        char wanted[64];
        for (size_t k = 0; k < PS_COUNT_OF(names); k++)
            (void)(values[k] != NULL ? setenv(names[k], values[k], 1) : unsetenv(names[k]));
        ps_test_stage_init(&stage, &ps_interceptor_rules);
        assert_int_equal(ps_test_stage_bind(&stage, rows[i].key != NULL ? PS_KEYS("rules.file", file,
                                                                                  "rules.cache", rows[i].key)
                                                                        : PS_KEYS("rules.file", file)),
                         PS_OK);
        lines.length = lines.count = 0;
        stage.ops->describe(stage.plan, &stage.context, line_add, &lines);
        snprintf(wanted, sizeof wanted, "; cache: %s\n", rows[i].cache);
        if (strstr(lines.text, wanted) == NULL)
            fail_msg("row %zu: %s", i, lines.text);
        ps_test_stage_fini(&stage);
    }
    for (size_t k = 0; k < PS_COUNT_OF(names); k++) {
        (void)(before[k] != NULL ? setenv(names[k], before[k], 1) : unsetenv(names[k]));
        free(before[k]);
    }
}

/* As many problems as are kept, and one more: the others are counted. */
static void test_more_problems_than_are_kept(void **state)
{
    for (unsigned count = PS_RULES_PROBLEMS_MAX; count < PS_RULES_PROBLEMS_MAX + 3; count++) {
        struct ps_test_stage stage;
        char text[8192], wanted[64];
        size_t length = 0;
        for (unsigned i = 0; i < count; i++)
            length += (size_t)snprintf(text + length, sizeof text - length,
                                       "rule r%u { when body ~ /[/ drop }\n", i);
        const char *file = ps_test_rules_write("many.rules", "%s", text);
        ps_test_stage_init(&stage, &ps_interceptor_rules);
        assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("rules.file", file)), PS_FAIL);
        assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "many.rules:100:"));
        assert_false(ps_test_stage_reported(&stage, PS_LOG_ERROR, "many.rules:101:"));
        snprintf(wanted, sizeof wanted, "%u more like these", count - PS_RULES_PROBLEMS_MAX);
        assert_int_equal(ps_test_stage_reported(&stage, PS_LOG_WARN, wanted), count > PS_RULES_PROBLEMS_MAX);
        snprintf(wanted, sizeof wanted, "%u more like these", count);
        assert_false(ps_test_stage_reported(&stage, PS_LOG_WARN, wanted));
        ps_test_stage_fini(&stage);
    }
}

/* The file is good when it is checked, but gone when it is loaded. */
static void test_gone_before_build(void **state)
{
    struct ps_test_stage stage;
    const char *file = ps_test_rules_write("a.rules", "rule a { when true drop }\n");
    ps_test_stage_init(&stage, &ps_interceptor_rules);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("rules.file", file)), PS_OK);
    ps_test_rules_write("a.rules", "rule a { when true drop }\nrule a { when true\n");
    assert_int_equal(ps_test_stage_build(&stage), PS_FAIL);
    assert_non_null(strstr(stage.err.text, "a.rules:2:"));
    ps_test_stage_fini(&stage);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_acts),
        TEST(test_drops_all),
        TEST(test_refused),
        TEST(test_all_problems),
        TEST(test_cost_is_told),
        TEST(test_described),
        TEST(test_gone_before_build),
        TEST(test_cache_directory),
        TEST(test_more_problems_than_are_kept),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
