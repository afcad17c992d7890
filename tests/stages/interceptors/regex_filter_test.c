#include "core/flow/batch_internal.h"
#include "tests/support/stage.h"

/* Returns the remaining bodies as "a,b,..". */
static const char *left(struct ps_test_stage *stage, const struct ps_lease *lease)
{
    char *text = ps_arena_text(stage->arena, "");
    for (uint32_t i = 0; i < lease->count; i++) {
        struct ps_test_event event = ps_test_lease_event(stage, lease, i);
        text = ps_arena_format(stage->arena, "%s%s%s", text, i > 0 ? "," : "", event.body);
    }
    return text;
}

static void test_keys(void **unused)
{
    static const struct {
        const char *keys[6];
        const char *left;
    } cases[] = {
        {{NULL}, "INFO one,WARN two,,ERROR three"},
        {{"excludeEvents", "true", NULL}, ""},
        {{"regex", "WARN|ERROR", NULL}, "WARN two,ERROR three"},
        {{"regex", "WARN|ERROR", "excludeEvents", "true", NULL}, "INFO one,"},
        {{"regex", "WARN|ERROR", "excludeEvents", "TRUE", NULL}, "INFO one,"},
        {{"regex", "WARN|ERROR", "excludeEvents", "yes", NULL}, "WARN two,ERROR three"},
        {{"regex", "^$", NULL}, ""},
        {{"regex", "^$", "excludeEvents", "true", NULL}, "INFO one,WARN two,ERROR three"},
        {{"regex", "t(?=h)", NULL}, "ERROR three"}, /* look-ahead: Hyperscan's prefilter */
        {{"regex", "(?<=N )t", NULL}, "WARN two"},
        {{"regex", "(.)\\1 ", NULL}, ""},
        {{"regex", "(?i)warn", NULL}, "WARN two"},
        {{"regex", "e$", NULL}, "INFO one,ERROR three"},
        {{"regex", "nothing", NULL}, ""},
        {{"regex", "nothing", "excludeEvents", "true", NULL}, "INFO one,WARN two,,ERROR three"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_interceptor_regex_filter, cases[i].keys);
        struct ps_lease *lease =
            PS_LEASE(&stage, PS_BODY("INFO one"), PS_BODY("WARN two"), PS_BODY(""), PS_BODY("ERROR three"));
        assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
        assert_string_equal(left(&stage, lease), cases[i].left);
        ps_test_stage_fini(&stage);
    }
}

static void test_names(void **unused)
{
    bool flume = false;
    for (size_t i = 0; ps_interceptor_regex_filter.aliases[i] != NULL; i++)
        flume |= strcmp(ps_interceptor_regex_filter.aliases[i],
                        "org.apache.flume.interceptor.RegexFilteringInterceptor$Builder") == 0;
    assert_true(flume);
}

static void test_bad_expressions(void **unused)
{
    static const struct {
        const char *regex, *says;
    } cases[] = {
        {"(a", "regex"}, {"a{3", "regex"},    {"*a", "regex"}, {"[a", "regex"},
        {"\\", "regex"}, {"a{3,1}", "regex"}, {"", "empty"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_interceptor_regex_filter);
        if (ps_test_stage_bind(&stage, PS_KEYS("regex", cases[i].regex)) != PS_FAIL)
            fail_msg("%s was taken", cases[i].regex);
        assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, cases[i].says));
        ps_test_stage_fini(&stage);
    }
}

/* Bodies may have any bytes, be long, or be empty. */
static void test_bad_input(void **unused)
{
    enum { LONG = 1500000 };
    char *megabyte = malloc(LONG);
    assert_non_null(megabyte);
    memset(megabyte, 'x', LONG);
    memcpy(megabyte + LONG - 6, "needle", 6);
    const struct ps_test_event events[] = {
        {.body = "\0\0needle\0", .length = 9},
        {.body = "\xFF\xC3needle\xED\xA0\x80", .length = 11},
        {.body = "nee\0dle", .length = 7},
        {.body = "needl\xC3\xA9", .length = 7},
        {.body = "nee", .length = 3}, /* must not join with the next one */
        {.body = "dle", .length = 3},
        {.body = "", .length = 0},
        {.body = "a\nneedle\r\n", .length = 10},
        {.body = megabyte, .length = LONG},
    };
    static const bool kept[] = {true, true, false, false, false, false, false, true, true};
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_regex_filter, PS_KEYS("regex", "needle"));
    struct ps_lease *lease = ps_test_lease(&stage, events, PS_COUNT_OF(events));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    uint32_t position = 0;
    for (uint32_t i = 0; i < PS_COUNT_OF(events); i++) {
        if (!kept[i])
            continue;
        assert_true(position < lease->count);
        assert_int_equal(ps_lease_row(lease, position++), i);
    }
    assert_int_equal(lease->count, position);
    ps_test_stage_fini(&stage);
    free(megabyte);
}

/* Events dropped before are neither tested nor counted. */
static void test_after_another_filter(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_regex_filter, PS_KEYS("regex", "b"));
    struct ps_lease *lease =
        PS_LEASE(&stage, PS_BODY("b1"), PS_BODY("b2"), PS_BODY("c"), PS_BODY("b3"), PS_BODY("d"));
    uint64_t keep = 0x1A; /* b2, b3, d */
    assert_true(ps_lease_filter_bits(lease, &keep));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_string_equal(left(&stage, lease), "b2,b3");
    assert_int_equal(lease->bytes, 4);
    ps_test_stage_fini(&stage);
}

/* More events than fit into one word of bits, and none at all. */
static void test_many_events_and_none(void **unused)
{
    enum { EVENTS = 3 * 64 + 8 };
    static struct ps_test_event events[EVENTS];
    static const char *const excludes[] = {"false", "true"};
    for (size_t i = 0; i < EVENTS; i++)
        events[i] = i % 3 == 0 ? PS_BODY("yes") : PS_BODY("no");
    for (size_t exclude = 0; exclude < 2; exclude++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_interceptor_regex_filter,
                            PS_KEYS("regex", "y", "excludeEvents", excludes[exclude]));
        struct ps_lease *lease = ps_test_lease(&stage, events, EVENTS);
        assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
        uint32_t position = 0;
        for (uint32_t i = 0; i < EVENTS; i++) {
            if ((i % 3 == 0) != (exclude == 1))
                assert_int_equal(ps_lease_row(lease, position++), i);
        }
        assert_int_equal(lease->count, position);
        const uint64_t nothing[PS_BATCH_EVENTS_MAX / 64] = {0};
        assert_true(ps_lease_filter_bits(lease, nothing));
        assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
        assert_int_equal(lease->count, 0);
        ps_test_stage_fini(&stage);
    }
}

/* No memory for the list: the same lease is processed later. */
static void test_no_memory(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_init_sized(&stage, &ps_interceptor_regex_filter, UINT64_C(16) * PS_BLOCK_BYTES);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("regex", "b")), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_BODY("b"), PS_BODY("c"));
    struct ps_block_cache hoard;
    struct ps_block *taken[16];
    unsigned count = 0;
    ps_block_cache_init(&hoard, stage.depot);
    while ((taken[count] = ps_block_take(&hoard)) != NULL)
        count++;
    while (ps_batch_alloc(lease->batch, 64) != NULL)
        ;
    while (ps_batch_alloc(lease->batch, 1) != NULL)
        ;
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_RETRY);
    assert_int_equal(lease->count, 3);
    while (count > 0)
        ps_block_drop(&hoard, taken[--count]);
    ps_block_cache_fini(&hoard);
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_string_equal(left(&stage, lease), "b");
    ps_test_stage_fini(&stage);
}

static void say(void *argument, const char *text)
{
    struct ps_test_stage *stage = argument;
    stage->err.length = 0;
    ps_err_set(&stage->err, "%s", text);
}

static void test_describe(void **unused)
{
    static const struct {
        const char *regex, *says;
    } cases[] = {
        {"status=(200|404)", "test t1: regex \"status=(200|404)\": Hyperscan"},
        {"(?<!x)ab", "PCRE2"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_interceptor_regex_filter);
        assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("regex", cases[i].regex)), PS_OK);
        stage.ops->describe(stage.plan, &stage.context, say, &stage);
        if (strstr(stage.err.text, cases[i].says) == NULL)
            fail_msg("%s", stage.err.text);
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_bad_expressions),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_after_another_filter),
        cmocka_unit_test(test_many_events_and_none),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_describe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
