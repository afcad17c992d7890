/* The matcher: borders between subjects, which engine decides, and what happens when Hyperscan refuses an expression
 * or fails. */
#include "tests/support/allocations.h"
#include "tests/regex/matcher/support.h"

#include "regex/matcher/internal.h"

#define RUINOUS "x[yw]{1,30000}u[yw]{1,30000}u[yw]{1,30000}u[ab]{1,30000}z"

static struct ps_slice slice(const char *text)
{
    return (struct ps_slice){text, (uint32_t)strlen(text)};
}

/* Cuts one text at its newlines into subjects, as a source leaves them. */
static uint32_t cut(const char *text, struct ps_slice *subjects)
{
    uint32_t count = 0;
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1)
        subjects[count++] = (struct ps_slice){text, (uint32_t)(end - text)};
    return count;
}

static const char log_text[] = "GET /index status=200\nGET /missing status=404\n\nstatus=500\nSTATUS=404\n"
                               "status=404\nx status=4\n04\nerror at end\nend of error\nERROR\nERROR \n";

static void test_in_place(void **state)
{
    const char *const patterns[] = {"status=404", "^ERROR$", "error", "end$", "^status", "", "^$", "a*"};
    struct set set;
    struct ps_slice subjects[32];
    set_init(&set, patterns, 8);
    assert_int_equal(set.matcher->border, PS_BORDER_NEWLINE);
    assert_true(set_check(&set, subjects, cut(log_text, subjects)) > 0);
    set_fini(&set);
}

/* A match must not cross from one subject to the next, nor begin or end with the bytes between them. */
static void test_borders(void **state)
{
    static const char *const sets[][4] = {
        {"a[^b]*c", "\\sfoo", "foo\\s", "x\\W+y"},
        {"a[^b]*c", "^foo", "foo$", "\\sfoo"},
        {"(?s)a.c", "(?m)^c", "(?m)a$", "\\s+"},
        {"[^x]foo[^x]", "^a|c$", "a\\n?c", "a\\nc"},
    };
    const struct ps_slice subjects[] = {slice("a"),
                                        slice("c"),
                                        slice("foo"),
                                        slice("foo"),
                                        slice(" foo "),
                                        slice("a c"),
                                        slice(""),
                                        slice("c"),
                                        slice("a"),
                                        slice("a\nc"),
                                        slice("\nfoo"),
                                        slice("foo\n"),
                                        slice("a\xFF"
                                              "c"),
                                        slice("x\r\ny"),
                                        slice("\xFF"),
                                        slice("x"),
                                        slice("y"),
                                        slice("\xC3\xA9"
                                              "foo\xC3\xA9"),
                                        slice("c")};
    for (size_t i = 0; i < PS_COUNT_OF(sets); i++) {
        struct set set;
        set_init(&set, sets[i], 4);
        set_check(&set, subjects, PS_COUNT_OF(subjects));
        set_fini(&set);
    }
}

/* The stamps that mark what was seen start again after 4 billion subjects; no old mark counts then. */
static void test_marks_that_wrap(void **state)
{
    const char *const patterns[] = {"status=404", "error", "x"};
    struct set set;
    struct ps_slice subjects[32];
    set_init(&set, patterns, 3);
    uint32_t count = cut(log_text, subjects);
    assert_true(set_check(&set, subjects, count) > 0);
    set.scratch->stamp = UINT32_MAX - 5;
    subjects[0] = slice("error status=404 x");
    for (int i = 0; i < 3; i++)
        set_check(&set, subjects, count);
    assert_in_range(set.scratch->stamp, 1, 8 * count);
    set_fini(&set);
}

static void test_equal_expressions_are_one(void **state)
{
    const char *const patterns[] = {"foo", "bar", "foo", "foo.*", "(foo)", "bar"};
    struct set set;
    struct ps_slice subjects[2] = {slice("a foo"), slice("foobar")};
    set_init(&set, patterns, 6);
    assert_true(set.matcher->expression_count <= 4);
    assert_int_equal(set_check(&set, subjects, 2), 2);
    set_fini(&set);
}

static void test_loosened_or_pcre2_alone(void **state)
{
    const char *const patterns[] = {RUINOUS, "\\B", "(a)\\1", "foo(?!bar)", "(?<=x)y+", "foo"};
    struct set set;
    struct ps_slice subjects[] = {slice("xyz"), slice("aa"),   slice("ab"),     slice("foobar"),
                                  slice("foo"), slice("xyyy"), slice("foo bar")};
    set_init(&set, patterns, 6);
    assert_int_equal(set.matcher->pcre2_count, 1);
    set_check(&set, subjects, PS_COUNT_OF(subjects));
    set_fini(&set);
}

static void test_nothing_to_do(void **state)
{
    struct set set;
    const char *const patterns[] = {".*"};
    struct ps_slice subjects[] = {slice("a"), slice("")};
    set_init(&set, patterns, 1);
    set_check(&set, subjects, 2);
    set_check(&set, subjects, 0);
    set_fini(&set);
    set_init(&set, NULL, 0);
    set_check(&set, subjects, 2);
    set_fini(&set);
}

/* Every subject matches many patterns: more hits than there is room for. */
static void test_more_hits_than_room(void **state)
{
    static struct ps_slice subjects[PS_MATCHER_SUBJECTS_MAX];
    struct set set = {0};
    for (unsigned i = 0; i < 100; i++) {
        char pattern[32];
        snprintf(pattern, sizeof pattern, "a{%u}", i / 4 + 1);
        set_add(&set, pattern, 0);
        snprintf(pattern, sizeof pattern, "b[a]{%u}", i / 4 + 1);
        set_add(&set, pattern, 0);
    }
    set_make(&set, NULL);
    for (unsigned i = 0; i < PS_COUNT_OF(subjects); i++)
        subjects[i] = i % 5 == 4 ? slice("b") : slice("baaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    set_check(&set, subjects, PS_COUNT_OF(subjects));
    set_fini(&set);
}

static void count_pairs(void *pairs, uint32_t subject, const uint32_t *patterns, uint32_t pattern_count)
{
    *(uint32_t *)pairs += pattern_count;
}

/* Without memory for the copy of a large subject PCRE2 decides: the result is the same. */
static void test_no_memory_for_a_copy(void **state)
{
    static char text[3000];
    const char *const patterns[] = {"needle$", "\\x{FFFD}needle", "absent"};
    struct ps_matcher_counts counts = {0};
    struct set set;
    uint64_t bits[3 * PS_MATCHER_WORDS];
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("a sanitizer has its own allocator");
    memset(text, 'x', sizeof text);
    memcpy(text + sizeof text - 7, "\xFFneedle", 7);
    const struct ps_slice subjects[] = {{text, sizeof text}, slice("needle")};
    set_init(&set, patterns, 3);
    assert_true(set.matcher->replaces_ff);
    ps_test_allocation_fails = 1;
    ps_matcher_scan_bits(set.matcher, set.scratch, subjects, 2, bits);
    assert_int_equal(ps_test_allocation_fails, 0);
    assert_int_equal(bits[0], 3);
    assert_int_equal(bits[PS_MATCHER_WORDS], 1);
    assert_int_equal(bits[2 * PS_MATCHER_WORDS], 0);
    ps_matcher_scratch_count(set.scratch, &counts);
    assert_int_equal(counts.scan_errors, 1);
    assert_int_equal(counts.given_up, 0);
    uint32_t pairs = 0; /* the same as lists */
    ps_test_allocation_fails = 1;
    ps_matcher_scan_each(set.matcher, set.scratch, subjects, 2, count_pairs, &pairs);
    assert_int_equal(ps_test_allocation_fails, 0);
    assert_int_equal(pairs, 3);
    set_fini(&set);
}

/* Large subjects are scanned alone; those with a 0xFF are copied first. */
static void test_megabytes(void **state)
{
    const char *const patterns[] = {"needle$", "^hay", "a[^n]*needle", "\\x{FFFD}needle", "hay.needle"};
    const size_t length = (1U << 20) + 7;
    char *text = malloc(length);
    assert_non_null(text);
    memset(text, 'h', length);
    memcpy(text, "hay", 3);
    memcpy(text + length - 7, "\xFFneedle", 7);
    struct set set;
    for (unsigned i = 0; i < 3; i++) {
        struct ps_slice subjects[] = {slice("needle"),
                                      {text, (uint32_t)length},
                                      slice("hay\xFFneedle"),
                                      {text + 10, 5000},
                                      slice("hay")};
        set_init(&set, patterns + i, 5 - i);
        set_check(&set, subjects, 5);
        set_fini(&set);
    }
    free(text);
}

/* No input causes a scan error; a missing scratch does. PCRE2 then decides everything, and the error is
 * counted. */
static void test_scan_errors(void **state)
{
    const char *const patterns[] = {"status=404", "^ERROR$", "error", "end$", "^$", "(a)\\1", ".*", "\\s"};
    struct set set;
    struct ps_slice subjects[32];
    struct ps_matcher_counts counts = {0};
    set_init(&set, patterns, 8);
    struct ps_hyperscan_scratch *good = set.scratch->hyperscan;
    set.scratch->hyperscan = NULL;
    assert_true(set_check(&set, subjects, cut(log_text, subjects)) > 0);
    set.scratch->hyperscan = good;
    ps_matcher_scratch_count(set.scratch, &counts);
    assert_true(counts.scan_errors >= 2);
    set_check(&set, subjects, cut(log_text, subjects));
    set_fini(&set);
}

static void test_counts(void **state)
{
    const char *const patterns[] = {"^foo$", "^fo+$"};
    struct set set;
    struct ps_matcher_counts counts = {0};
    uint64_t bits[2 * PS_MATCHER_WORDS];
    struct ps_slice subjects[] = {slice("foo"), slice("a\nfoo\nb"), slice("foo\n"), slice("bar")};
    set_init(&set, patterns, 2);
    ps_matcher_scan_bits(set.matcher, set.scratch, subjects, 4, bits);
    assert_int_equal(bits[0], 5);
    assert_int_equal(bits[PS_MATCHER_WORDS], 5);
    ps_matcher_scratch_count(set.scratch, &counts);
    assert_int_equal(counts.subjects, 4);
    assert_int_equal(counts.bytes, 3 + 7 + 4 + 3);
    assert_true(counts.confirms >= counts.confirmed && counts.confirms >= 2);
    assert_int_equal(counts.scan_errors, 0);
    assert_true(set.report.database_bytes > 0 && set.report.scratch_bytes > 0 && !set.report.cached);
    set_fini(&set);
}

static void count_only(void *argument, uint32_t subject, const uint32_t *patterns, uint32_t count)
{
    *(uint32_t *)argument += count;
}

static void test_allocates_nothing(void **state)
{
    const char *const patterns[] = {"status=404", "^ERROR$", "error", "\\send", "^$", "[^b]a"};
    struct set set;
    struct ps_slice subjects[32];
    uint64_t bits[6 * PS_MATCHER_WORDS];
    uint32_t count = cut(log_text, subjects), hits = 0;
    set_init(&set, patterns, 6);
    uint64_t before = ps_test_allocation_count;
    for (unsigned i = 0; i < 10; i++) {
        ps_matcher_scan_bits(set.matcher, set.scratch, subjects, count, bits);
        ps_matcher_scan_each(set.matcher, set.scratch, subjects, count, count_only, &hits);
    }
    assert_int_equal(ps_test_allocation_count, before);
    assert_true(hits > 0);
    set_fini(&set);
}

static void test_plain(void **state)
{
    char text[300], copy[300];
    for (unsigned length = 0; length < 200; length++) {
        memset(text, 'x', sizeof text);
        assert_true(ps_matcher_is_plain(text + length % 7, length));
        for (unsigned i = 0; i < length; i++) {
            static const char odd[] = {'\n', '\r', (char)0x80, (char)0xFF, 0, 0x7F};
            for (unsigned k = 0; k < 6; k++) {
                text[i] = odd[k];
                memset(copy, 0x11, sizeof copy);
                ps_matcher_copy(copy, text, length);
                assert_int_equal((unsigned char)copy[i], odd[k] == (char)0xFF ? 0xFE : (unsigned char)odd[k]);
                assert_int_equal(copy[length], 0x11);
                assert_true(ps_matcher_is_plain(text, length) == (k >= 4));
                assert_true(ps_matcher_has_ff(text, length) == (k == 3));
                text[i] = 'x';
            }
        }
        ps_matcher_copy(copy, text, length);
        assert_memory_equal(copy, text, length);
    }
}

static void test_explains(void **state)
{
    static const struct {
        const char *pattern;
        enum ps_matcher_engine engine;
    } cases[] = {{"status=404", PS_ENGINE_HYPERSCAN},
                 {".*", PS_ENGINE_NONE},
                 {"^a.c$", PS_ENGINE_HYPERSCAN},
                 {RUINOUS, PS_ENGINE_PREFILTER},
                 {"\\B", PS_ENGINE_PCRE2}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_matcher_cost cost;
        struct ps_regex *regex = ps_regex_create(cases[i].pattern, 0, PS_REGEX_FIND, NULL);
        assert_non_null(regex);
        ps_matcher_cost_of(regex, &cost);
        if (cost.engine != cases[i].engine || cost.engine_words[0] == '\0')
            fail_msg("%s: %d, %s", cases[i].pattern, cost.engine, cost.engine_words);
        ps_regex_destroy(regex);
    }
}

static void test_two_scratches_of_one(void **state)
{
    const char *const patterns[] = {"a+b", "^b"};
    struct set set;
    struct ps_slice subjects[] = {slice("aab"), slice("b"), slice("c")};
    set_init(&set, patterns, 2);
    struct ps_matcher_scratch *first = set.scratch;
    set.scratch = ps_matcher_scratch_create(set.matcher, NULL);
    assert_non_null(set.scratch);
    ps_matcher_scratch_destroy(first);
    assert_int_equal(set_check(&set, subjects, 3), 2);
    set_fini(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_borders),
        cmocka_unit_test(test_marks_that_wrap),
        cmocka_unit_test(test_no_memory_for_a_copy),
        cmocka_unit_test(test_equal_expressions_are_one),
        cmocka_unit_test(test_loosened_or_pcre2_alone),
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_more_hits_than_room),
        cmocka_unit_test(test_megabytes),
        cmocka_unit_test(test_scan_errors),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_allocates_nothing),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_explains),
        cmocka_unit_test(test_two_scratches_of_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
