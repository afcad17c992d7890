#include "tests/support/allocations.h"
#include "tests/support/stage.h"

#include <stdio.h>

static void test_keys(void **unused)
{
    static const struct {
        const char *keys[8];
        const char *body, *after;
    } cases[] = {
        {{"searchPattern", "^INFO:", "replaceString", "Log msg:", NULL}, "INFO: x INFO:", "Log msg: x INFO:"},
        {{"searchPattern", "b", NULL}, "abcb", "ac"},
        {{"searchPattern", ".*", NULL}, "abc", ""},
        {{"searchPattern", ".*", "replaceString", "X", NULL}, "abc", "XX"}, /* also the empty end */
        {{"searchPattern", "x*", "replaceString", "-", NULL}, "abc", "-a-b-c-"},
        {{"searchPattern", "^", "replaceString", "> ", NULL}, "", "> "},
        {{"searchPattern", "q", "replaceString", "-", NULL}, "abc", "abc"},
        {{"searchPattern", "(\\w+)@(\\w+)", "replaceString", "$2 at $1", NULL}, "a@b, c@d", "b at a, d at c"},
        {{"searchPattern", "(?<user>\\w+)@", "replaceString", "<${user}>", NULL}, "a@b", "<a>b"},
        {{"searchPattern", "(a)|b", "replaceString", "[$1]", NULL}, "ab", "[a][]"},
        {{"searchPattern", "(a)", "replaceString", "$12", NULL}, "a", "a2"},
        {{"searchPattern", "a", "replaceString", "\\$1\\\\", NULL}, "a", "$1\\"},
        {{"searchPattern", "\\d{13,16}", "replaceString", "****", NULL},
         "card 4111111111111111 ok",
         "card **** ok"},
        {{"searchPattern", "(?<!\\d)\\d{4}(?!\\d)", "replaceString", "N", NULL},
         "1234 12345 9999",
         "N 12345 N"},
        {{"searchPattern", "\xC3\xA9", "replaceString", "e", NULL}, "caf\xC3\xA9", "cafe"},
        {{"searchPattern", "e", "replaceString", "\xC3\xA9", NULL}, "cafe", "caf\xC3\xA9"},
        {{"searchPattern", "b", "replaceString", "x", "charset", "UTF-8", NULL},
         "a\xFF"
         "b",
         "a\xEF\xBF\xBDx"},
        {{"searchPattern", "q", "replaceString", "x", NULL},
         "a\xFF"
         "b",
         "a\xEF\xBF\xBD"
         "b"}, /* decoded and encoded without a match */
        {{"searchPattern", "a", "replaceString", "b", "charset", "US-ASCII", NULL}, "aaa", "bbb"},
        {{"searchPattern", "a", "replaceString", "b", "charset", "US-ASCII", NULL},
         "\xC3\xA9"
         "a",
         "??b"},
        {{"searchPattern", "a", "replaceString", "b", "charset", "US-ASCII", NULL}, "\xC3\xA9", "??"},
        {{"searchPattern", "^..$", "replaceString", "two", "charset", "ISO-8859-1", NULL}, "\xC3\xA9", "two"},
        {{"searchPattern", "a", "replaceString", "b", "charset", "ISO-8859-1", NULL},
         "\xE9"
         "a\xFF",
         "\xE9"
         "b\xFF"},
        {{"searchPattern", "e", "replaceString", "\xC3\xA9", "charset", "US-ASCII", NULL}, "here", "h?r?"},
        {{"searchPattern", "e", "replaceString", "\xC3\xA9", "charset", "ISO-8859-1", NULL},
         "here",
         "h\xE9r\xE9"},
        {{"searchPattern", "a", "replaceString", "\xE2\x82\xAC", "charset", "ISO-8859-1", NULL},
         "a\xFF",
         "?\xFF"},
        {{"searchPattern", "\xE2\x82\xAC", "replaceString", "E", "charset", "windows-1252", NULL},
         "5 \x80",
         "5 E"},
        {{"searchPattern", "q", "replaceString", "E", "charset", "windows-1252", NULL}, "5 \x80", "5 \x80"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_interceptor_search_replace, cases[i].keys);
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY(cases[i].body), PS_BODY("#"));
        assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
        struct ps_test_event event = ps_test_lease_event(&stage, lease, 0);
        if (strcmp(event.body, cases[i].after) != 0)
            fail_msg("case %zu: \"%s\" became \"%s\", not \"%s\"", i, cases[i].body, event.body,
                     cases[i].after);
        assert_int_equal(event.length, strlen(cases[i].after));
        assert_int_equal(lease->bytes, event.length + ps_test_lease_event(&stage, lease, 1).length);
        ps_test_stage_fini(&stage);
    }
}

static void test_utf16(void **unused)
{
    static const struct ps_test_event events[] = {
        {.body = "\xFF\xFE"
                 "a\0b\0",
         .length = 6}, /* its mark says little-endian; it is written as big-endian */
        {.body = "\0a\0b", .length = 4},
        {.body = "", .length = 0},
    };
    static const struct ps_test_event after[] = {
        {.body = "\xFE\xFF\0x\0b", .length = 6},
        {.body = "\xFE\xFF\0x\0b", .length = 6},
        {.body = "", .length = 0},
    };
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_search_replace,
                        PS_KEYS("searchPattern", "a", "replaceString", "x", "charset", "UTF-16"));
    struct ps_lease *lease = ps_test_lease(&stage, events, PS_COUNT_OF(events));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    for (uint32_t i = 0; i < PS_COUNT_OF(after); i++) {
        const struct ps_event *event = ps_lease_event(lease, i);
        assert_int_equal(event->body_length, after[i].length);
        assert_memory_equal(event->body, after[i].body, after[i].length);
    }
    ps_test_stage_fini(&stage);
}

static void test_bad_keys(void **unused)
{
    static const struct {
        const char *keys[8];
        const char *says;
    } cases[] = {
        {{"replaceString", "x", NULL}, "searchPattern"},
        {{"searchPattern", "", NULL}, "searchPattern"},
        {{"searchPattern", "(a", NULL}, "searchPattern"},
        {{"searchPattern", "(a)", "replaceString", "$2", NULL}, "replaceString"},
        {{"searchPattern", "(a)", "replaceString", "$x", NULL}, "replaceString"},
        {{"searchPattern", "(a)", "replaceString", "${x}", NULL}, "replaceString"},
        {{"searchPattern", "(a)", "replaceString", "cost: $", NULL}, "replaceString"},
        {{"searchPattern", "(a)", "replaceString", "\\", NULL}, "replaceString"},
        {{"searchPattern", "(a)", "charset", "no-such-charset", NULL}, "charset"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_interceptor_search_replace);
        if (ps_test_stage_bind(&stage, cases[i].keys) != PS_FAIL)
            fail_msg("case %zu was taken", i);
        if (!ps_test_stage_reported(&stage, PS_LOG_ERROR, cases[i].says))
            fail_msg("case %zu: %s", i, stage.err.text);
        ps_test_stage_fini(&stage);
    }
}

/* Bodies may have NUL bytes or a megabyte, and results may be many times as long as their input. */
static void test_sizes(void **unused)
{
    enum { LONG = 1100000 };
    char *megabyte = malloc(LONG);
    assert_non_null(megabyte);
    memset(megabyte, 'y', LONG);
    megabyte[17] = 'a';
    const struct ps_test_event events[] = {
        {.body = "\0a\0", .length = 3},
        {.body = "aaaaaaaaaaaaaaaa", .length = 16},
        {.body = megabyte, .length = LONG}, /* last: with a sanitizer it may use up the batch's time */
    };
    struct ps_test_stage stage;
    char thousand[1001];
    memset(thousand, 'r', 1000);
    thousand[1000] = '\0';
    ps_test_stage_start(&stage, &ps_interceptor_search_replace,
                        PS_KEYS("searchPattern", "a", "replaceString", thousand));
    struct ps_lease *lease = ps_test_lease(&stage, events, PS_COUNT_OF(events));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    const struct ps_event *event = ps_lease_event(lease, 0);
    assert_int_equal(event->body_length, 1002);
    assert_true(event->body[0] == '\0' && event->body[1] == 'r' && event->body[1001] == '\0');
    event = ps_lease_event(lease, 1);
    assert_int_equal(event->body_length, 16000);
    event = ps_lease_event(lease, 2);
    assert_int_equal(event->body_length, LONG + 999);
    assert_true(event->body[16] == 'y' && event->body[17] == 'r' && event->body[1017] == 'y');
    assert_int_equal(lease->bytes, 1002 + LONG + 999 + 16000);
    ps_test_stage_fini(&stage);
    free(megabyte);
}

static void add(void *argument, const struct ps_series *series)
{
    double *left = argument;
    if (strcmp(series->name, "replacements_left_out") == 0)
        *left = series->value;
}

/* A body that would never fit the memory budget is left unchanged, and counted. */
static void test_too_long(void **unused)
{
    enum { LONG = 200000 };
    struct ps_test_stage stage;
    char *body = malloc(LONG), thousand[1001];
    assert_non_null(body);
    memset(body, 'a', LONG);
    memset(thousand, 'r', 1000);
    thousand[1000] = '\0';
    ps_test_stage_start(&stage, &ps_interceptor_search_replace,
                        PS_KEYS("searchPattern", "a", "replaceString", thousand));
    const struct ps_test_event events[] = {{.body = body, .length = LONG}, {.body = "a", .length = 1}};
    struct ps_lease *lease = ps_test_lease(&stage, events, PS_COUNT_OF(events));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_int_equal(ps_lease_event(lease, 0)->body_length, LONG);
    assert_int_equal(ps_lease_event(lease, 1)->body_length, 1000);
    double left = 0;
    stage.ops->series(stage.plan, add, &left);
    assert_int_equal((int)left, 1);
    ps_test_stage_fini(&stage);
    free(body);
}

/* The limit is per batch: bytes of earlier batches do not count. */
static void test_limit_of_each_batch(void **unused)
{
    struct ps_test_stage stage;
    char body[501] = "", thousand[1001] = "";
    memset(body, 'a', 500);
    memset(thousand, 'r', 1000);
    ps_test_stage_start(&stage, &ps_interceptor_search_replace,
                        PS_KEYS("searchPattern", "a", "replaceString", thousand));
    const struct ps_test_event events[] = {PS_BODY(body)};
    uint64_t made = 0;
    while (made <= stage.context.memory_budget_bytes) {
        struct ps_lease *lease = ps_test_lease(&stage, events, 1);
        assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
        made += ps_lease_event(lease, 0)->body_length;
        ps_test_stage_recycle(&stage);
    }
    double left = -1;
    stage.ops->series(stage.plan, add, &left);
    assert_int_equal((int)left, 0);
    ps_test_stage_fini(&stage);
}

/* A full batch: new bodies are written into its blocks one after the other, with a newline between. */
static void test_many(void **unused)
{
    static char bodies[PS_BATCH_EVENTS_MAX][300];
    static struct ps_test_event events[PS_BATCH_EVENTS_MAX];
    for (unsigned i = 0; i < PS_BATCH_EVENTS_MAX; i++) {
        memset(bodies[i], 'y', sizeof bodies[i]);
        snprintf(bodies[i], sizeof bodies[i], "%c number %u", i % 3 == 0 ? 'a' : 'b', i);
        bodies[i][strlen(bodies[i])] = ' ';
        events[i] = (struct ps_test_event){.body = bodies[i], .length = sizeof bodies[i]};
    }
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_search_replace,
                        PS_KEYS("searchPattern", "a (number)", "replaceString", "$1"));
    struct ps_lease *lease = ps_test_lease(&stage, events, PS_BATCH_EVENTS_MAX);
    uint32_t count = lease->count; /* as many as the blocks have room for */
    assert_true(count > 500);
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    uint64_t bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct ps_event *event = ps_lease_event(lease, i);
        unsigned cut = i % 3 == 0 ? 2 : 0;
        assert_int_equal(event->body_length, sizeof bodies[i] - cut);
        assert_memory_equal(event->body, bodies[i] + cut, event->body_length);
        if (cut > 0)
            assert_int_equal(event->body[event->body_length], '\n');
        bytes += event->body_length;
    }
    assert_int_equal(lease->bytes, bytes);
    ps_test_stage_fini(&stage);
}

/* Memory runs out: after another call no event is replaced twice. */
static void test_no_memory(void **unused)
{
    enum { EVENTS = 200 };
    struct ps_test_stage stage;
    ps_test_stage_init_sized(&stage, &ps_interceptor_search_replace, UINT64_C(64) * PS_BLOCK_BYTES);
    char thousand[1001];
    memset(thousand, 'a', 1000); /* the replacement matches again */
    thousand[1000] = '\0';
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("searchPattern", "a", "replaceString", thousand)),
                     PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    struct ps_test_event events[EVENTS];
    for (unsigned i = 0; i < EVENTS; i++)
        events[i] = PS_BODY(i % 2 == 0 ? "ab" : "b");
    struct ps_lease *lease = ps_test_lease(&stage, events, EVENTS);
    struct ps_block_cache hoard;
    struct ps_block *taken[64];
    unsigned count = 0, retries = 0;
    ps_block_cache_init(&hoard, stage.depot);
    while ((taken[count] = ps_block_take(&hoard)) != NULL)
        count++;
    while (ps_batch_alloc(lease->batch, 1024) != NULL)
        ;
    while (ps_test_interceptor_work(&stage, lease) == PS_RETRY) {
        assert_true(count > 0);
        if (retries++ % 2 == 1)
            ps_block_drop(&hoard, taken[--count]);
        /* another stage takes one of two blocks */
        if (retries % 4 == 2)
            (void)ps_batch_alloc(lease->batch, PS_BLOCK_BYTES - 70000);
    }
    assert_true(retries > 2);
    while (count > 0)
        ps_block_drop(&hoard, taken[--count]);
    ps_block_cache_fini(&hoard);
    for (uint32_t i = 0; i < EVENTS; i++)
        assert_int_equal(ps_lease_event(lease, i)->body_length, i % 2 == 0 ? 1001 : 1);
    lease = PS_LEASE(&stage, PS_BODY("a"));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_int_equal(ps_lease_event(lease, 0)->body_length, 1000);
    ps_test_stage_fini(&stage);
}

/* Dropped events are not touched. */
static void test_after_a_filter(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_search_replace,
                        PS_KEYS("searchPattern", "a", "replaceString", "b"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a1"), PS_BODY("a2"), PS_BODY("a3"), PS_BODY("c"));
    uint64_t keep = 0xC;
    assert_true(ps_lease_filter_bits(lease, &keep));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_int_equal(lease->count, 2);
    assert_string_equal(ps_test_lease_event(&stage, lease, 0).body, "b3");
    assert_string_equal(ps_test_lease_event(&stage, lease, 1).body, "c");
    assert_memory_equal(lease->batch->events[0].body, "a1", 2);
    ps_test_stage_fini(&stage);
}

/* Replaces in a long body while the n-th allocation fails. Returns whether there was such an allocation. */
static bool replace_without_memory(const char *charset, const char *body, uint64_t which, unsigned *waits)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_search_replace,
                        PS_KEYS("searchPattern", "x", "replaceString", "yx", "charset", charset));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("ax"), PS_BODY(body), PS_BODY("xb"));
    enum ps_result result;
    ps_test_allocation_fails = which;
    for (*waits = 0; (result = ps_test_interceptor_work(&stage, lease)) == PS_RETRY; ++*waits)
        assert_true(*waits < 2);
    bool has_failed = ps_test_allocation_fails == 0;
    ps_test_allocation_fails = 0;
    assert_int_equal(result, PS_DONE);
    uint32_t length = ps_lease_event(lease, 1)->body_length;
    if (length != 2 * strlen(body) - 1)
        fail_msg("%s, allocation %llu: %zu bytes became %u", charset, (unsigned long long)which, strlen(body),
                 length);
    assert_int_equal(ps_lease_event(lease, 0)->body_length, 3);
    assert_int_equal(ps_lease_event(lease, 2)->body_length, 3);
    ps_test_stage_fini(&stage);
    return has_failed;
}

/* Each allocation fails once. No body passes as it was: the batch waits, and each match is replaced once. */
static void test_no_memory_for_a_body(void **unused)
{
    static const char *const charsets[] = {"UTF-8", "ISO-8859-1"};
    static char body[20001];
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("the sanitizer has its own allocator");
    memset(body, 'x', sizeof body - 1);
    for (size_t i = 0; i < PS_COUNT_OF(charsets); i++) {
        unsigned waits, all = 0;
        body[0] = i == 0 ? '-' : '\xE9';
        for (uint64_t which = 1; replace_without_memory(charsets[i], body, which, &waits); which++)
            all += waits;
        assert_true(all > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),           cmocka_unit_test(test_utf16),
        cmocka_unit_test(test_bad_keys),       cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_too_long),       cmocka_unit_test(test_limit_of_each_batch),
        cmocka_unit_test(test_many),           cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_after_a_filter), cmocka_unit_test(test_no_memory_for_a_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
