/* Where events go: paths that org.apache.hadoop.fs.Path would make of the value of a header. */
#include "stages/lib/hadoop/bucket_writer/bucket_path.h"
#include "tests/support/stage.h"

#include <stdio.h>

struct test {
    struct ps_test_stage stage;
    struct ps_bucket_path bucket_path;
    struct ps_bucket_path_cache cache;
};

static void set_up(struct test *test, const char *path, const char *prefix)
{
    memset(test, 0, sizeof *test);
    ps_test_stage_init(&test->stage, &ps_sink_null);
    if (ps_bucket_path_build(&test->bucket_path, test->stage.arena, path, prefix, "/user/u", NULL,
                             &test->stage.err) != PS_OK)
        fail_msg("%s: %s", path, test->stage.err.text);
}

static void tear_down(struct test *test)
{
    ps_test_stage_fini(&test->stage);
}

static struct ps_bucket_name name_of(struct test *test, struct ps_lease *lease, enum ps_bucket_flaw flaw)
{
    struct ps_bucket_name name = {.length = 0};
    assert_int_equal(ps_bucket_path_of(&test->bucket_path, &test->cache, lease->batch,
                                       ps_lease_event(lease, 0), &test->stage.now, &name),
                     flaw);
    return name;
}

/* The event's header h is `value`; `wanted` is the bucket's name, whose directory ends at the "|". */
static void expect(struct test *test, const char *value, enum ps_bucket_flaw flaw, const char *wanted)
{
    struct ps_bucket_name name = name_of(test, PS_LEASE(&test->stage, PS_EVENT("x", "h", value)), flaw);
    if (flaw != PS_BUCKET_FLAW_NONE)
        return;
    char text[512];
    snprintf(text, sizeof text, "%.*s|%.*s", (int)name.directory_length, name.text,
             (int)(name.length - name.directory_length), name.text + name.directory_length);
    assert_string_equal(text, wanted);
}

/* A NUL does not end a path. */
static void expect_nul(struct test *test)
{
    struct ps_lease *lease = PS_LEASE(&test->stage, PS_EVENT("x", "h", "a?b"));
    struct ps_header *header = ps_lease_event(lease, 0)->headers;
    *strchr((char *)(uintptr_t)header->value, '?') = '\0';
    (void)name_of(test, lease, PS_BUCKET_FLAW_NUL);
}

static void test_constant(void **state)
{
    static const struct {
        const char *path, *wanted, *url;
    } rows[] = {
        {"/logs/web", "/logs/web|/F", ""},
        {"//logs///web//", "/logs/web|/F", ""},
        {"/logs/./web/.", "/logs/web|/F", ""},
        {"/logs/x/../web", "/logs/web|/F", ""},
        {"/a/b/../../c/.hidden/..x", "/c/.hidden/..x|/F", ""},
        {"/a/..", "|/F", ""},
        {"/", "|/F", ""},
        {"logs", "/user/u/logs|/F", ""},
        {"../v/logs", "/user/v/logs|/F", ""},
        {"hdfs://nn:8020/logs", "/logs|/F", "hdfs://nn:8020"},
        {"hdfs://nn:8020", "|/F", "hdfs://nn:8020"}, /* the root, not the home directory */
        {"hdfs:///logs", "/logs|/F", "hdfs://"},
        {"hdfs:/logs", "/logs|/F", "hdfs:"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct test test;
        set_up(&test, rows[i].path, "F");
        assert_string_equal(test.bucket_path.url, rows[i].url);
        expect(&test, "v", PS_BUCKET_FLAW_NONE, rows[i].wanted);
        tear_down(&test);
    }
}

static void test_headers(void **state)
{
    struct test test;
    set_up(&test, "hdfs://nn/a/%{h}/z", "p-%{h}");
    expect(&test, "v", PS_BUCKET_FLAW_NONE, "/a/v/z|/p-v");
    expect(&test, "", PS_BUCKET_FLAW_NONE, "/a/z|/p-");
    expect(&test, ".", PS_BUCKET_FLAW_NONE, "/a/z|/p-.");
    expect(&test, ".x", PS_BUCKET_FLAW_NONE, "/a/.x/z|/p-.x");
    expect(&test, "x.", PS_BUCKET_FLAW_NONE, "/a/x./z|/p-x.");
    expect(&test, "b/./c/", PS_BUCKET_FLAW_NONE, "/a/b/c/z|/p-b/c/");
    expect(&test, "a//b", PS_BUCKET_FLAW_NONE, "/a/a/b/z|/p-a/b");
    expect(&test, "//", PS_BUCKET_FLAW_NONE, "/a/z|/p-/");
    expect(&test, "b/.", PS_BUCKET_FLAW_NONE, "/a/b/z|/p-b/."); /* a number follows */
    expect(&test, "b/.c", PS_BUCKET_FLAW_NONE, "/a/b/.c/z|/p-b/.c");
    expect(&test, "..", PS_BUCKET_FLAW_PARENT, NULL);
    expect(&test, "b/../c", PS_BUCKET_FLAW_PARENT, NULL);
    expect(&test, "10:30", PS_BUCKET_FLAW_NONE, "/a/10:30/z|/p-10:30"); /* a local disk takes it */
    expect_nul(&test);
    test.bucket_path.refuses_colons = true;
    expect(&test, "10:30", PS_BUCKET_FLAW_COLON, NULL);
    expect(&test, "1030", PS_BUCKET_FLAW_NONE, "/a/1030/z|/p-1030");
    for (enum ps_bucket_flaw flaw = PS_BUCKET_FLAW_NO_TIMESTAMP; flaw <= PS_BUCKET_FLAW_COLON; flaw++)
        assert_string_not_equal(ps_bucket_flaw_text(flaw), "none");
    tear_down(&test);
}

/* A prefix may be directories and the first part of a name: ".NUMBER" follows. */
static void test_prefixes(void **state)
{
    static const struct {
        const char *prefix, *value, *wanted;
    } rows[] = {
        {"%{h}", "", "/a|/"},
        {"%{h}", "/", "/a|/"},
        {"%{h}", "//x", "/a|/x"},
        {"%{h}/x", "", "/a|/x"},
        {"%{h}/x", "./.", "/a|/x"},
        {"%{h}", "./x", "/a|/x"},
        {"%{h}", "x/", "/a|/x/"},
        {"%{h}/%{h}", "", "/a|/"},
        {"x//y", "v", "/a|/x/y"},
        {"//x/./y/", "v", "/a|/x/y/"},
        {"p-%{h}", "a///b", "/a|/p-a/b"},
        {"%{h}", ".", "/a|/."},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct test test;
        set_up(&test, "/a", rows[i].prefix);
        expect(&test, rows[i].value, PS_BUCKET_FLAW_NONE, rows[i].wanted);
        tear_down(&test);
    }
}

/* Each event with a flaw comes after a good one, whose time is remembered. */
static void test_timestamps(void **state)
{
    static const struct {
        const char *timestamp;
        enum ps_bucket_flaw flaw;
    } rows[] = {
        {"", PS_BUCKET_FLAW_BAD_TIMESTAMP},
        {"soon", PS_BUCKET_FLAW_BAD_TIMESTAMP},
        {"1700000000000x", PS_BUCKET_FLAW_BAD_TIMESTAMP},
        {"9223372036854775808", PS_BUCKET_FLAW_BAD_TIMESTAMP},
        {NULL, PS_BUCKET_FLAW_NO_TIMESTAMP},
    };
    for (unsigned in_prefix = 0; in_prefix < 2; in_prefix++) {
        struct test test;
        set_up(&test, in_prefix ? "/a/%{h}" : "/a/%Y/%{h}", in_prefix ? "p-%Y" : "p");
        for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
            struct ps_lease *good = PS_LEASE(&test.stage, PS_EVENT("x", "timestamp", "1700000000000"));
            struct ps_bucket_name name = name_of(&test, good, PS_BUCKET_FLAW_NONE);
            assert_non_null(memmem(name.text, name.length, "2023", 4));
            struct ps_lease *bad = rows[i].timestamp != NULL
                                       ? PS_LEASE(&test.stage, PS_EVENT("x", "timestamp", rows[i].timestamp))
                                       : PS_LEASE(&test.stage, PS_EVENT("x", "h", "v"));
            (void)name_of(&test, bad, rows[i].flaw);
        }
        tear_down(&test);
    }
}

/* Directory and prefix together may be as long as the limit, whichever of them is long. */
static void test_the_longest_name(void **state)
{
    static char value[PS_BUCKET_PATH_BYTES + 2];
    for (unsigned in_prefix = 0; in_prefix < 2; in_prefix++) {
        struct test test;
        set_up(&test, in_prefix ? "/a" : "/%{h}", in_prefix ? "%{h}" : "F");
        for (unsigned length = PS_BUCKET_PATH_BYTES - 5; length <= PS_BUCKET_PATH_BYTES + 1; length++) {
            bool fits = length + 3 <= PS_BUCKET_PATH_BYTES; /* two slashes and a letter */
            memset(value, 'v', length);
            value[length] = '\0';
            struct ps_bucket_name name = name_of(&test, PS_LEASE(&test.stage, PS_EVENT("x", "h", value)),
                                                 fits ? PS_BUCKET_FLAW_NONE : PS_BUCKET_FLAW_TOO_LONG);
            assert_int_equal(name.length, fits ? length + 3 : 0);
            assert_int_equal(name.directory_length, !fits ? 0 : in_prefix ? 2 : length + 1);
        }
        tear_down(&test);
    }
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *path, *prefix, *wanted;
    } rows[] = {
        {"/..", "F", "hdfs.path: \"..\" is above the root"},
        {"/a/../../b", "F", "hdfs.path: \"..\" is above the root"},
        {"/a/%{h}/../b", "F", "follows an escape"},
        {"/a", "../b", "hdfs.filePrefix: it has a component \"..\""},
        {"/a", "x/..", "hdfs.filePrefix: it has a component \"..\""},
        {"hdfs://%{h}/a", "F", "has an escape"},
    };
    struct test test = {0};
    ps_test_stage_init(&test.stage, &ps_sink_null);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_err err = {.length = 0};
        assert_int_equal(ps_bucket_path_build(&test.bucket_path, test.stage.arena, rows[i].path,
                                              rows[i].prefix, "/user/u", NULL, &err),
                         PS_FAIL);
        if (strstr(err.text, rows[i].wanted) == NULL)
            fail_msg("%s: %s", rows[i].path, err.text);
    }
    tear_down(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant),         cmocka_unit_test(test_headers),
        cmocka_unit_test(test_prefixes),         cmocka_unit_test(test_timestamps),
        cmocka_unit_test(test_the_longest_name), cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
