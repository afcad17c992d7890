/* stages/lib/text/escape.h: expansions as a real Flume's BucketPath made them (data/escapes.txt, recorded by
 * tests/real/flume_tables), and cases that it cannot show. */
#include "stages/lib/text/escape.h"
#include "tests/support/source_tree.h"
#include "tests/support/stage.h"

#include <stdio.h>
#include <unistd.h>

struct expansion {
    enum ps_escape_result result;
    uint32_t length;
    char text[512];
};

static struct expansion expand(struct ps_test_stage *stage, const struct ps_escape *escape,
                               struct ps_lease *lease)
{
    struct expansion expansion;
    struct ps_escape_cache cache = {.valid = false};
    for (int pass = 0; pass < 2; pass++) { /* the second time from the cache */
        memset(&expansion, 0, sizeof expansion);
        expansion.result =
            ps_escape_expand(escape, &cache, lease->batch, ps_lease_event(lease, 0), &stage->now,
                             expansion.text, sizeof expansion.text - 1, &expansion.length);
    }
    return expansion;
}

static void test_as_flume(void **unused)
{
    char line[4096];
    FILE *file = fopen(ps_test_source_path("tests/stages/data/escapes.txt"), "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file)); /* the comment */
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_sink_null);
    size_t cases = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *rest = line, *fields[6];
        for (size_t i = 0; i < 6; i++)
            assert_non_null(fields[i] = strsep(&rest, "\t"));
        struct ps_escape_options options = {
            .round = fields[3][0] != '-',
            .unit = fields[3][0] == 's'   ? PS_ESCAPE_SECOND
                    : fields[3][0] == 'm' ? PS_ESCAPE_MINUTE
                                          : PS_ESCAPE_HOUR,
            .value = atoi(fields[4]),
            .time_zone = fields[2],
        };
        if (!options.round)
            options.value = 1;
        const struct ps_escape *escape = ps_escape_compile(stage.arena, fields[0], &options, &stage.err);
        if (escape == NULL)
            fail_msg("%s: %s", fields[0], stage.err.text);
        bool timed = strcmp(fields[1], "-") != 0;
        struct ps_lease *lease =
            timed ? PS_LEASE(&stage, PS_EVENT("", "host", "h$1\\", "a.b-c", "dot", "timestamp", fields[1]))
                  : PS_LEASE(&stage, PS_EVENT("", "host", "h$1\\", "a.b-c", "dot"));
        struct expansion got = expand(&stage, escape, lease);
        bool throws = strcmp(fields[5], "!") == 0;
        if (throws != (got.result != PS_ESCAPE_OK) || (!throws && strcmp(got.text, fields[5]) != 0))
            fail_msg("%s at %s in %s, %s%s: \"%s\" (%d), not \"%s\"", fields[0], fields[1], fields[2],
                     fields[4], fields[3], got.text, got.result, fields[5]);
        ps_test_stage_recycle(&stage);
        cases++;
    }
    assert_int_equal(cases, 200);
    fclose(file);
    ps_test_stage_fini(&stage);
}

static void test_what_it_says(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_sink_null);
    assert_null(ps_escape_compile(stage.arena, "%[bogus]", NULL, &stage.err));
    assert_non_null(strstr(stage.err.text, "bogus"));
    struct ps_escape_options round = {.round = true, .unit = PS_ESCAPE_MINUTE, .value = 61};
    assert_null(ps_escape_compile(stage.arena, "%M", &round, &stage.err));
    char many[2 * PS_ESCAPE_OPS_MAX + 3];
    for (size_t i = 0; i < PS_ESCAPE_OPS_MAX + 1; i++)
        memcpy(many + 2 * i, "%y", 3);
    assert_null(ps_escape_compile(stage.arena, many, NULL, &stage.err));

    static char header[PS_HEADER_NAME_BYTES_MAX + 5] = "%{";
    memset(header + 2, 'n', PS_HEADER_NAME_BYTES_MAX + 1);
    header[PS_HEADER_NAME_BYTES_MAX + 3] = '}';
    assert_null(ps_escape_compile(stage.arena, header, NULL, &stage.err));
    header[PS_HEADER_NAME_BYTES_MAX + 2] = '}';
    header[PS_HEADER_NAME_BYTES_MAX + 3] = '\0';
    assert_non_null(ps_escape_compile(stage.arena, header, NULL, &stage.err));

    const struct ps_escape *constant = ps_escape_compile(stage.arena, "topic-1", NULL, &stage.err);
    assert_string_equal(ps_escape_constant(constant), "topic-1");
    assert_string_equal(ps_escape_constant(ps_escape_compile(stage.arena, "", NULL, &stage.err)), "");
    assert_null(ps_escape_constant(ps_escape_compile(stage.arena, "t-%{h}", NULL, &stage.err)));

    struct ps_lease *bare = PS_LEASE(&stage, PS_BODY("x"));
    const struct ps_escape *timed = ps_escape_compile(stage.arena, "%Y", NULL, &stage.err);
    assert_int_equal(expand(&stage, timed, bare).result, PS_ESCAPE_NO_TIMESTAMP);
    struct ps_lease *bad = PS_LEASE(&stage, PS_EVENT("x", "timestamp", "soon"));
    assert_int_equal(expand(&stage, timed, bad).result, PS_ESCAPE_BAD_TIMESTAMP);
    ps_test_stage_fini(&stage);
}

static void test_local_time(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_sink_null);
    struct ps_escape_options options = {.local_time = true, .time_zone = "UTC"};
    const struct ps_escape *escape = ps_escape_compile(stage.arena, "%Y%m%d-%H%M%S-%t", &options, &stage.err);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("x"));
    assert_string_equal(expand(&stage, escape, lease).text, "20231114-221320-1700000000000");
    ps_test_stage_pass_ms(&stage, 1001);
    assert_string_equal(expand(&stage, escape, lease).text, "20231114-221321-1700000001001");
    ps_test_stage_fini(&stage);
}

/* Several times in both directions through one cache. Before 1970 %s changes within a second: Flume divides, which
 * rounds toward zero, so -1000 ms is second -1 and -999 ms is second 0. */
static void test_one_cache(void **unused)
{
    static const struct {
        const char *stamp, *text;
    } cases[] = {
        {"1000", "00:00:01 1"},           {"1999", "00:00:01 1"},
        {"2000", "00:00:02 2"},           {"1000", "00:00:01 1"},
        {"-999", "23:59:59 0"},           {"-1", "23:59:59 0"},
        {"-1000", "23:59:59 -1"},         {"-999", "23:59:59 0"},
        {"-1999", "23:59:58 -1"},         {"0", "00:00:00 0"},
        {"-1000", "23:59:59 -1"},         {"86399999", "23:59:59 86399"},
        {"172799999", "23:59:59 172799"},
    };
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_sink_null);
    struct ps_escape_options options = {.time_zone = "UTC"};
    const struct ps_escape *escape = ps_escape_compile(stage.arena, "%H:%M:%S %s", &options, &stage.err);
    struct ps_escape_cache cache = {.valid = false};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char out[64] = "";
        uint32_t length = 0;
        struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("x", "timestamp", cases[i].stamp));
        assert_int_equal(ps_escape_expand(escape, &cache, lease->batch, ps_lease_event(lease, 0), &stage.now,
                                          out, sizeof out - 1, &length),
                         PS_ESCAPE_OK);
        assert_string_equal(out, cases[i].text);
    }
    ps_test_stage_fini(&stage);
}

static void test_bounds(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_sink_null);
    const struct ps_escape *escape = ps_escape_compile(stage.arena, "ab%{h}cd", NULL, &stage.err);
    struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("x", "h", "12345"));
    struct ps_escape_cache cache = {.valid = false};
    char out[9];
    uint32_t length = 0;
    for (uint32_t room = 0; room < 9; room++)
        assert_int_equal(ps_escape_expand(escape, &cache, lease->batch, ps_lease_event(lease, 0), &stage.now,
                                          out, room, &length),
                         PS_ESCAPE_TOO_LONG);
    assert_int_equal(
        ps_escape_expand(escape, &cache, lease->batch, ps_lease_event(lease, 0), &stage.now, out, 9, &length),
        PS_ESCAPE_OK);
    assert_int_equal(length, 9);
    assert_memory_equal(out, "ab12345cd", 9);
    ps_test_stage_fini(&stage);
}

static void test_host(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_sink_null);
    const struct ps_escape *escape =
        ps_escape_compile(stage.arena, "%[localhost]|%[ip]|%[FQDN]", NULL, &stage.err);
    if (escape == NULL) { /* on a machine whose own name does not resolve, Flume also fails */
        assert_non_null(strstr(stage.err.text, "does not resolve"));
    } else {
        const char *text = ps_escape_constant(escape);
        assert_non_null(text);
        char name[256];
        assert_int_equal(gethostname(name, sizeof name), 0);
        assert_int_equal(strncmp(text, name, strlen(name)), 0);
        assert_int_equal(text[strlen(name)], '|');
    }
    ps_test_stage_fini(&stage);
}

static void test_units(void **unused)
{
    enum ps_escape_unit unit;
    assert_true(ps_escape_find_unit("Hour", &unit));
    assert_int_equal(unit, PS_ESCAPE_HOUR);
    assert_true(ps_escape_find_unit("second", &unit));
    assert_int_equal(unit, PS_ESCAPE_SECOND);
    assert_false(ps_escape_find_unit("day", &unit));
    assert_false(ps_escape_find_unit("", &unit));
}

/* Patterns of which `check` warns: they are written as nothing, or as their own text. */
static void test_check(void **unused)
{
    static const struct {
        const char *pattern, *warning; /* NULL: none */
    } rows[] = {
        {"/a/%Y-%m-%d/%H%M%S/%{host}/%t%%x", NULL},
        {"/a/%{h-1.b}%[localhost]", NULL},
        {"/100%/x", NULL}, /* copied, as written */
        {"/a/%Q/x", "%Q is not an escape"},
        {"/%%%N", "%N is not an escape"},
        {"/%{}", "%{} is not an escape"},
        {"/%{a b}/x", "%{a b}/x is not an escape"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_sink_null);
        ps_escape_check(&stage.context, "key", rows[i].pattern);
        if (ps_test_stage_reported(&stage, PS_LOG_WARN, rows[i].warning != NULL ? rows[i].warning : "") !=
            (rows[i].warning != NULL))
            fail_msg("%s", rows[i].pattern);
        ps_test_stage_fini(&stage);
    }
}

static void test_writes(void **unused)
{
    assert_true(ps_escape_writes("/a/%H:%M", ':'));
    assert_true(ps_escape_writes("/a/%c", ':'));
    assert_true(ps_escape_writes("%{a:b}", ':')); /* the text is not an escape */
    assert_false(ps_escape_writes("/a/%H-%M/%{host}", ':'));
    assert_false(ps_escape_writes("", ':'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),      cmocka_unit_test(test_writes),
        cmocka_unit_test(test_as_flume),   cmocka_unit_test(test_what_it_says),
        cmocka_unit_test(test_local_time), cmocka_unit_test(test_one_cache),
        cmocka_unit_test(test_bounds),     cmocka_unit_test(test_host),
        cmocka_unit_test(test_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
