#include "regex/regex.h"
#include "tests/support/stage.h"

#include <stdio.h>

#define MILLIS "org.apache.flume.interceptor.RegexExtractorInterceptorMillisSerializer"
#define PASS "org.apache.flume.interceptor.RegexExtractorInterceptorPassThroughSerializer"

/* Returns all headers of the event as "name=value name=value", newest first. */
static const char *headers(struct ps_test_stage *stage, const struct ps_lease *lease, uint32_t position)
{
    struct ps_test_event event = ps_test_lease_event(stage, lease, position);
    char *text = ps_arena_text(stage->arena, "");
    for (size_t i = 0; event.headers != NULL && event.headers[i] != NULL; i += 2)
        text = ps_arena_format(stage->arena, "%s%s%s=%s", text, i > 0 ? " " : "", event.headers[i],
                               event.headers[i + 1]);
    return text;
}

static void test_keys(void **unused)
{
    static const struct {
        const char *keys[16];
        const char *body, *headers;
    } cases[] = {
        /* The example of Flume's user guide. */
        {{"regex", "(\\d):(\\d):(\\d)", "serializers", "s1 s2 s3", "serializers.s1.name", "one",
          "serializers.s2.name", "two", "serializers.s3.name", "three", NULL},
         "1:2:3.4foobar5",
         "three=3 two=2 one=1"},
        /* Fewer serializers than groups: the rest are skipped. */
        {{"regex", "(\\d):(\\d):(\\d)", "serializers", "s1 s2", "serializers.s1.name", "one",
          "serializers.s2.name", "two", NULL},
         "1:2:3.4foobar5",
         "two=2 one=1"},
        /* More serializers than groups: the rest set nothing. */
        {{"regex", "(\\d):", "serializers", "s1 s2", "serializers.s1.name", "one", "serializers.s2.name",
          "two", NULL},
         "1:2:3.4foobar5",
         "one=1"},
        /* Only the first match counts. */
        {{"regex", "([a-z]+)=", "serializers", "s1", "serializers.s1.name", "k", NULL}, "a=1 b=2", "k=a"},
        /* No match, no group, no header. */
        {{"regex", "([a-z]+)#", "serializers", "s1", "serializers.s1.name", "k", NULL}, "a=1 b=2", ""},
        {{"regex", "[a-z]+", "serializers", "s1", "serializers.s1.name", "k", NULL}, "abc", ""},
        /* One name twice: the later group wins. */
        {{"regex", "(a)(b)", "serializers", "s1 s2", "serializers.s1.name", "k", "serializers.s2.name", "k",
          NULL},
         "ab",
         "k=b"},
        {{"regex", "(a)(b)", "serializers", "s1 s1", "serializers.s1.name", "k", NULL}, "ab", "k=b"},
        /* An empty group gives an empty value; one that did not take part gives no header. */
        {{"regex", "(x*)(a)", "serializers", "s1 s2", "serializers.s1.name", "e", "serializers.s2.name", "a",
          NULL},
         "ba",
         "a=a e="},
        {{"regex", "(x)|(a)", "serializers", "s1 s2", "serializers.s1.name", "e", "serializers.s2.name", "a",
          NULL},
         "ba",
         "a=a"},
        {{"regex", "(?<first>\\w+) (\\w+)", "serializers", "s1 s2", "serializers.s1.name", "x y",
          "serializers.s1.type", "DEFAULT", "serializers.s2.name", "z", "serializers.s2.type", PASS, NULL},
         "hello world",
         "z=world x y=hello"},
        {{"regex", "^(\\S+ \\S+) ", "serializers", "s1", "serializers.s1.name", "timestamp",
          "serializers.s1.type", MILLIS, "serializers.s1.pattern", "yyyy-MM-dd HH:mm:ssZ", NULL},
         "2012-10-17 14:34:44+0000 text",
         "timestamp=1350484484000"},
        {{"regex", "^(\\S+ \\S+) ", "serializers", "s1", "serializers.s1.name", "timestamp",
          "serializers.s1.type", MILLIS, "serializers.s1.pattern", "yyyy-MM-dd HH:mm:ssZ", NULL},
         "2012-10-17 34:34:44+0000 text",
         ""},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_interceptor_regex_extractor, cases[i].keys);
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY(cases[i].body));
        assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
        assert_int_equal(lease->count, 1);
        assert_string_equal(ps_test_lease_event(&stage, lease, 0).body, cases[i].body);
        assert_string_equal(headers(&stage, lease, 0), cases[i].headers);
        ps_test_stage_fini(&stage);
    }
}

static void test_bad_keys(void **unused)
{
    static char too_long[PS_HEADER_NAME_BYTES_MAX + 2];
    memset(too_long, 'n', sizeof too_long - 1);
    const struct {
        const char *keys[12];
        const char *says;
    } cases[] = {
        {{"regex", "(a)", "serializers", "s1", "serializers.s1.name", too_long, NULL}, "serializers.s1.name"},
        {{"serializers", "s1", "serializers.s1.name", "n", NULL}, "regex"},
        {{"regex", "(a)", NULL}, "serializers"},
        {{"regex", "(a", "serializers", "s1", "serializers.s1.name", "n", NULL}, "regex"},
        {{"regex", "", "serializers", "s1", "serializers.s1.name", "n", NULL}, "regex"},
        {{"regex", "(a)", "serializers", "s1", NULL}, "serializers.s1.name"},
        {{"regex", "(a)", "serializers", "s1", "serializers.s1.name", "", NULL}, "serializers.s1.name"},
        {{"regex", "(a)", "serializers", "s1", "serializers.s1.name", "n", "serializers.s1.type",
          "com.blah.Mine", NULL},
         "com.blah.Mine"},
        {{"regex", "(a)", "serializers", "s1", "serializers.s1.name", "n", "serializers.s1.type", MILLIS,
          NULL},
         "serializers.s1.pattern"},
        {{"regex", "(a)", "serializers", "s1", "serializers.s1.name", "n", "serializers.s1.type", MILLIS,
          "serializers.s1.pattern", "bogus", NULL},
         "serializers.s1.pattern"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_interceptor_regex_extractor);
        if (ps_test_stage_bind(&stage, cases[i].keys) != PS_FAIL)
            fail_msg("case %zu was taken", i);
        if (!ps_test_stage_reported(&stage, PS_LOG_ERROR, cases[i].says))
            fail_msg("case %zu: %s", i, stage.err.text);
        ps_test_stage_fini(&stage);
    }
}

/* One bad serializer among good ones is refused, whichever it is. */
static void test_bad_one_of_several(void **unused)
{
    for (unsigned bad = 0; bad < 3; bad++) {
        const char *keys[] = {"regex",
                              "(a)(b)(c)",
                              "serializers",
                              "s0 s1 s2",
                              "serializers.s0.name",
                              bad == 0 ? "" : "n0",
                              "serializers.s1.name",
                              bad == 1 ? "" : "n1",
                              "serializers.s2.name",
                              bad == 2 ? "" : "n2",
                              NULL};
        char key[32];
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_interceptor_regex_extractor);
        snprintf(key, sizeof key, "serializers.s%u.name", bad);
        if (ps_test_stage_bind(&stage, keys) != PS_FAIL)
            fail_msg("the bad serializer %u was taken", bad);
        assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, key));
        ps_test_stage_fini(&stage);
    }
}

/* As many serializers as groups that can be asked for, each with its own group, and one more, which is refused. */
static void test_most_serializers(void **unused)
{
    enum { MOST = PS_REGEX_GROUPS_MAX - 1 };
    for (unsigned count = MOST; count <= MOST + 1; count++) {
        static char regex[8 * (MOST + 1)], list[8 * (MOST + 1)], texts[MOST + 1][2][32], body[MOST + 2];
        const char *keys[2 * (MOST + 1) + 5] = {"regex", regex, "serializers", list};
        struct ps_test_stage stage;
        size_t used = 4;
        regex[0] = list[0] = '\0';
        for (unsigned i = 0; i < count; i++) {
            strcat(regex, "(.)");
            snprintf(list + strlen(list), sizeof list - strlen(list), "s%u ", i);
            snprintf(texts[i][0], sizeof texts[i][0], "serializers.s%u.name", i);
            snprintf(texts[i][1], sizeof texts[i][1], "n%u", i);
            body[i] = (char)('a' + i % 26);
            keys[used++] = texts[i][0];
            keys[used++] = texts[i][1];
        }
        body[count] = '\0';
        ps_test_stage_init(&stage, &ps_interceptor_regex_extractor);
        assert_int_equal(ps_test_stage_bind(&stage, keys), count > MOST ? PS_FAIL : PS_OK);
        assert_int_equal(ps_test_stage_reported(&stage, PS_LOG_ERROR, "are 100; at most 99 are possible"),
                         count > MOST);
        if (count == MOST) {
            assert_int_equal(ps_test_stage_build(&stage), PS_OK);
            assert_int_equal(ps_test_stage_open(&stage), PS_OK);
            struct ps_lease *lease = PS_LEASE(&stage, PS_BODY(body));
            assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
            struct ps_test_event event = ps_test_lease_event(&stage, lease, 0);
            for (unsigned i = 0; i < count; i++) {
                const char *value = ps_test_event_header(&event, texts[i][1]);
                if (value == NULL || value[0] != body[i] || value[1] != '\0')
                    fail_msg("%s is %s", texts[i][1], value != NULL ? value : "not there");
            }
        }
        ps_test_stage_fini(&stage);
    }
}

static void test_warnings(void **unused)
{
    static const struct {
        const char *keys[12];
        const char *says;
    } cases[] = {
        {{"regex", "(a)", "serializers", "s1 s2", "serializers.s1.name", "n", "serializers.s2.name", "m",
          NULL},
         "regex has 1 group"},
        {{"regex", "(a)", "serializers", "s1", "serializers.s1.name", "n", "serializers.s2.name", "m", NULL},
         "serializers.s2.name"},
        {{"regex", "(a)", "serializers", "s1", "serializers.s1.name", "n", "serializers.s1.dateFormat", "m",
          NULL},
         "serializers.s1.dateFormat"},
        {{"regex", "(a)", "serializers", "s1", "serializers.s1.name", "n", "serializers.s1.pattern", "m",
          NULL},
         "serializers.s1.pattern"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_interceptor_regex_extractor);
        assert_int_equal(ps_test_stage_bind(&stage, cases[i].keys), PS_OK);
        if (!ps_test_stage_reported(&stage, PS_LOG_WARN, cases[i].says))
            fail_msg("case %zu says nothing about %s", i, cases[i].says);
        ps_test_stage_fini(&stage);
    }
}

/* A group replaces a header that the event or the batch has already; a group without a match removes it, like Java's
 * null. */
static void test_headers_before(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_regex_extractor,
                        PS_KEYS("regex", "(x)?(a)", "serializers", "s1 s2", "serializers.s1.name", "e",
                                "serializers.s2.name", "a"));
    struct ps_lease *lease =
        PS_LEASE(&stage, PS_EVENT("a", "e", "old", "a", "old"), PS_EVENT("xa", "a", "old"), PS_BODY("b"));
    assert_true(ps_batch_shared_set(lease->batch, ps_name_intern("e"), "all", 3, false));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    struct ps_test_event events[3];
    for (uint32_t i = 0; i < 3; i++)
        events[i] = ps_test_lease_event(&stage, lease, i);
    assert_null(ps_test_event_header(&events[0], "e"));
    assert_string_equal(ps_test_event_header(&events[0], "a"), "a");
    assert_string_equal(ps_test_event_header(&events[1], "e"), "x");
    assert_string_equal(ps_test_event_header(&events[1], "a"), "a");
    assert_string_equal(ps_test_event_header(&events[2], "e"), "all");
    ps_test_stage_fini(&stage);
}

/* Values are slices of the body, or copies of its repaired form. */
static void test_bad_input(void **unused)
{
    enum { LONG = 1200000 };
    char *megabyte = malloc(LONG);
    assert_non_null(megabyte);
    memset(megabyte, 'y', LONG);
    memcpy(megabyte, "id=long ", 8);
    const struct ps_test_event events[] = {
        {.body = "id=a\xFFz b", .length = 8}, {.body = "\xC3 id=\xC3\xA9 ", .length = 8},
        {.body = "id=a\0b c", .length = 8},   {.body = "", .length = 0},
        {.body = "id= x", .length = 5},       {.body = megabyte, .length = LONG},
    };
    static const struct {
        const char *value;
        uint32_t length;
    } values[] = {{"a\xEF\xBF\xBDz", 5}, {"\xC3\xA9", 2}, {"a\0b", 3}, {NULL, 0}, {"", 0}, {"long", 4}};
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_regex_extractor,
                        PS_KEYS("regex", "id=(\\S*) ", "serializers", "s", "serializers.s.name", "id"));
    struct ps_lease *lease = ps_test_lease(&stage, events, PS_COUNT_OF(events));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    for (uint32_t i = 0; i < PS_COUNT_OF(events); i++) {
        struct ps_slice value;
        const struct ps_event *event = ps_lease_event(lease, i);
        bool have = ps_event_header(lease->batch, event, ps_name_intern("id"), &value);
        assert_int_equal(have, values[i].value != NULL);
        if (!have)
            continue;
        assert_int_equal(value.length, values[i].length);
        assert_memory_equal(value.data, values[i].value, value.length);
        bool inside =
            value.data >= event->body && value.data + value.length <= event->body + event->body_length;
        assert_int_equal(inside, i > 1);
    }
    ps_test_stage_fini(&stage);
    free(megabyte);
}

/* A full batch of which some events were dropped before: only the remaining ones get headers. */
static void test_after_a_filter(void **unused)
{
    enum { EVENTS = 300 };
    struct ps_test_event events[EVENTS];
    static char bodies[EVENTS][8];
    uint64_t keep[PS_BATCH_EVENTS_MAX / 64] = {0};
    for (unsigned i = 0; i < EVENTS; i++) {
        snprintf(bodies[i], sizeof bodies[i], "%s%u", i % 3 == 0 ? "n" : "m", i);
        events[i] = PS_BODY(bodies[i]);
        keep[i / 64] |= (uint64_t)(i % 2 == 0) << (i % 64);
    }
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_regex_extractor,
                        PS_KEYS("regex", "n(\\d+)", "serializers", "s", "serializers.s.name", "n"));
    struct ps_lease *lease = ps_test_lease(&stage, events, EVENTS);
    assert_true(ps_lease_filter_bits(lease, keep));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    for (uint32_t row = 0; row < EVENTS; row++) {
        struct ps_slice value;
        bool have = ps_event_header(lease->batch, &lease->batch->events[row], ps_name_intern("n"), &value);
        assert_int_equal(have, row % 2 == 0 && row % 3 == 0);
        if (have)
            assert_memory_equal(value.data, bodies[row] + 1, value.length);
    }
    ps_test_stage_fini(&stage);
}

/* Memory runs out in the middle: after another call every event has its headers, each once. */
static void test_no_memory(void **unused)
{
    enum { EVENTS = 200 };
    struct ps_test_stage stage;
    ps_test_stage_init_sized(&stage, &ps_interceptor_regex_extractor, UINT64_C(16) * PS_BLOCK_BYTES);
    assert_int_equal(
        ps_test_stage_bind(&stage, PS_KEYS("regex", "(a)(b)", "serializers", "s1 s2", "serializers.s1.name",
                                           "one", "serializers.s2.name", "two")),
        PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    struct ps_test_event events[EVENTS];
    for (unsigned i = 0; i < EVENTS; i++)
        events[i] = PS_BODY("ab");
    struct ps_lease *lease = ps_test_lease(&stage, events, EVENTS);
    struct ps_block_cache hoard;
    struct ps_block *taken[16];
    unsigned count = 0;
    ps_block_cache_init(&hoard, stage.depot);
    while ((taken[count] = ps_block_take(&hoard)) != NULL)
        count++;
    uint32_t room = 0; /* leaves room for the headers of some events */
    while (ps_batch_alloc(lease->batch, 1024) != NULL)
        room++;
    assert_true(room > 0);
    ps_block_drop(&hoard, taken[--count]);
    for (uint32_t used = 0; used < PS_BLOCK_BYTES - 4096; used += 1024)
        assert_non_null(ps_batch_alloc(lease->batch, 1024));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_RETRY);
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_RETRY);
    while (count > 0)
        ps_block_drop(&hoard, taken[--count]);
    ps_block_cache_fini(&hoard);
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    for (uint32_t i = 0; i < EVENTS; i++) {
        struct ps_test_event event = ps_test_lease_event(&stage, lease, i);
        assert_int_equal(ps_test_event_header_count(&event), 2);
        assert_string_equal(ps_test_event_header(&event, "one"), "a");
        assert_string_equal(ps_test_event_header(&event, "two"), "b");
    }
    /* The next batch starts at its first event. */
    lease = PS_LEASE(&stage, PS_BODY("ab"));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_string_equal(headers(&stage, lease, 0), "two=b one=a");
    ps_test_stage_fini(&stage);
}

static void add(void *argument, const struct ps_series *series)
{
    double *refused = argument;
    if (strcmp(series->name, "regex_dates_refused") == 0)
        *refused = series->value;
}

/* Text that is not a date is counted, and the other headers are set. */
static void test_dates(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_regex_extractor,
                        PS_KEYS("regex", "(\\w+) ?(\\S+)? (\\w+)", "serializers", "a b c",
                                "serializers.a.name", "a", "serializers.b.name", "b", "serializers.b.type",
                                MILLIS, "serializers.b.pattern", "yyyy-MM-dd'T'HH:mmZ", "serializers.c.name",
                                "c"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("x 1970-01-02T00:00+0000 y"), PS_BODY("x never y"),
                                      PS_BODY("x y"), PS_EVENT("x never y", "b", "old"));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_string_equal(headers(&stage, lease, 0), "c=y b=86400000 a=x");
    assert_string_equal(headers(&stage, lease, 1), "c=y a=x");
    assert_string_equal(headers(&stage, lease, 2), "c=y a=x");
    assert_string_equal(headers(&stage, lease, 3), "c=y a=x b=old");
    double refused = 0;
    stage.ops->series(stage.plan, add, &refused);
    assert_int_equal((int)refused, 3);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_bad_keys),
        cmocka_unit_test(test_bad_one_of_several),
        cmocka_unit_test(test_most_serializers),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_headers_before),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_after_a_filter),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
