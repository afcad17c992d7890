/* Compares regex/matcher/matcher.h with find() of regex/regex.h, which table_test.c compares with
 * Java: every expression of the table, many in one matcher, over the subjects of all of them; scan_bits and
 * scan_each. */
#include "regex/matcher/matcher.h"
#include "tests/regex/java/table_support.h"

#define SHOWN_MAX 40
#define BITS_PATTERNS_MAX 64U
#define EACH_PATTERNS_MAX 150U
/* With a sanitizer every tenth group is checked, the first chosen by the seed: all of them take more than a minute. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHARE 10U
#else
#define SHARE 1U
#endif

static unsigned failures;
static uint64_t pairs, matches, given_ups; /* the result of a match that was given up is unknown */

/* Expressions of one matcher, and the subjects of all of them. */
struct group {
    struct ps_regex *patterns[EACH_PATTERNS_MAX];
    const struct table_pattern *rows[EACH_PATTERNS_MAX];
    uint32_t pattern_count;
    struct ps_slice *subjects;
    size_t subject_count;
    struct ps_regex_scratch *scratch;
};

static void report(const struct group *group, uint32_t pattern, const struct ps_slice *subject,
                   const char *what, bool ours)
{
    char text[4096], shown[4096];
    if (failures++ >= SHOWN_MAX)
        return;
    const char *java = group->rows[pattern]->text;
    const struct ps_java_regex *regex = ps_regex_java(group->patterns[pattern]);
    fprintf(stderr, "%s: pattern %s flags 0x%x (Hyperscan: %s, exactness %d) subject \"%s\": %s, find() %s\n",
            what, table_escape(java, strlen(java), text, sizeof text), group->rows[pattern]->flags,
            regex->hyperscan != NULL ? regex->hyperscan : "(none)", (int)regex->exactness,
            table_escape(subject->data, subject->length, shown, sizeof shown), ours ? "yes" : "no",
            ours ? "no" : "yes");
}

static void compare(const struct group *group, uint32_t pattern, const struct ps_slice *subject,
                    const char *what, bool ours)
{
    bool found =
        ps_regex_find(group->patterns[pattern], group->scratch, subject->data, subject->length, 0, NULL, 0);
    bool given_up = ps_regex_scratch_given_up(group->scratch) != given_ups;
    given_ups = ps_regex_scratch_given_up(group->scratch);
    pairs++;
    matches += found;
    if (found != ours && !given_up)
        report(group, pattern, subject, what, ours);
}

static void check_bits(const struct group *group, const struct ps_matcher *matcher,
                       struct ps_matcher_scratch *scratch, size_t first, uint32_t count)
{
    static uint64_t bits[BITS_PATTERNS_MAX * PS_MATCHER_WORDS];
    memset(bits, 0xa5, sizeof bits); /* scan_bits must write all of it */
    ps_matcher_scan_bits(matcher, scratch, group->subjects + first, count, bits);
    for (uint32_t pattern = 0; pattern < group->pattern_count; pattern++) {
        for (uint32_t i = 0; i < count; i++)
            compare(group, pattern, &group->subjects[first + i], "scan_bits",
                    bits[pattern * PS_MATCHER_WORDS + i / 64] >> (i % 64) & 1);
    }
}

struct reported {
    const struct group *group;
    unsigned char *seen; /* [subject * patterns + pattern] */
    uint32_t last;
};

static void on_match(void *argument, uint32_t subject, const uint32_t *patterns, uint32_t pattern_count)
{
    struct reported *reported = argument;
    assert_true(pattern_count > 0);
    assert_true(reported->last == UINT32_MAX || subject > reported->last);
    reported->last = subject;
    for (uint32_t i = 0; i < pattern_count; i++) {
        assert_true(patterns[i] < reported->group->pattern_count);
        assert_true(i == 0 || patterns[i] > patterns[i - 1]);
        reported->seen[(size_t)subject * reported->group->pattern_count + patterns[i]] = 1;
    }
}

static void check_each(const struct group *group, const struct ps_matcher *matcher,
                       struct ps_matcher_scratch *scratch, size_t first, uint32_t count)
{
    struct reported reported = {.group = group, .last = UINT32_MAX};
    reported.seen = calloc(count, group->pattern_count);
    assert_non_null(reported.seen);
    ps_matcher_scan_each(matcher, scratch, group->subjects + first, count, on_match, &reported);
    for (uint32_t pattern = 0; pattern < group->pattern_count; pattern++) {
        bool always = ps_regex_java(group->patterns[pattern])->exactness == PS_REGEX_ALWAYS;
        for (uint32_t i = 0; i < count; i++) {
            bool seen = reported.seen[(size_t)i * group->pattern_count + pattern] != 0;
            compare(group, pattern, &group->subjects[first + i], "scan_each", always ? !seen : seen);
        }
    }
    free(reported.seen);
}

static void check_group(const struct group *group)
{
    struct ps_matcher_options options = {.cache_directory = NULL};
    struct ps_matcher_report made;
    struct ps_err err = {.length = 0};
    struct ps_matcher *matcher = ps_matcher_create((const struct ps_regex *const *)group->patterns,
                                                   group->pattern_count, &options, &made, &err);
    if (matcher == NULL)
        fail_msg("matcher of %u expressions: %s", group->pattern_count, err.text);
    struct ps_matcher_scratch *scratch = ps_matcher_scratch_create(matcher, &err);
    assert_non_null(scratch);
    for (size_t first = 0; first < group->subject_count; first += PS_MATCHER_SUBJECTS_MAX) {
        size_t left = group->subject_count - first;
        uint32_t count = left < PS_MATCHER_SUBJECTS_MAX ? (uint32_t)left : PS_MATCHER_SUBJECTS_MAX;
        if (group->pattern_count <= BITS_PATTERNS_MAX)
            check_bits(group, matcher, scratch, first, count);
        check_each(group, matcher, scratch, first, count);
    }
    struct ps_matcher_counts counts = {0};
    ps_matcher_scratch_count(scratch, &counts);
    assert_int_equal(counts.scan_errors, 0);
    ps_matcher_scratch_destroy(scratch);
    ps_matcher_destroy(matcher);
}

/* Checks the expressions of the table in groups of `patterns_max`; with a sanitizer, every tenth. */
static void check_table(uint32_t patterns_max, size_t subjects_max)
{
    struct table table;
    table_load(&table);
    struct group group = {.scratch = ps_regex_scratch_create()};
    uint64_t seed = ps_test_seed(), number = ps_test_random(&seed) % SHARE;
    group.subjects = calloc(table.case_count + 1, sizeof *group.subjects);
    assert_non_null(group.subjects);
    for (size_t i = 0; i < table.pattern_count;) {
        if (number++ % SHARE != 0) {
            i += patterns_max;
            continue;
        }
        group.pattern_count = 0;
        group.subject_count = 0;
        for (; i < table.pattern_count && group.pattern_count < patterns_max; i++) {
            const struct table_pattern *row = &table.patterns[i];
            struct ps_regex *regex = ps_regex_create(row->text, row->flags, PS_REGEX_FIND, NULL);
            if (regex == NULL)
                continue;
            group.patterns[group.pattern_count] = regex;
            group.rows[group.pattern_count++] = row;
            for (size_t j = 0; j < row->case_count && group.subject_count < subjects_max; j++)
                group.subjects[group.subject_count++] = row->cases[j].subject;
        }
        if (group.pattern_count > 0)
            check_group(&group);
        for (uint32_t j = 0; j < group.pattern_count; j++)
            ps_regex_destroy(group.patterns[j]);
    }
    printf("%llu pairs, %llu match, %llu given up\n", (unsigned long long)pairs, (unsigned long long)matches,
           (unsigned long long)given_ups);
    assert_true(SHARE > 1 || given_ups <= pairs / 1000); /* of all; those of some may be more */
    given_ups = 0;                                       /* the next scratch counts from 0 */
    free(group.subjects);
    ps_regex_scratch_destroy(group.scratch);
    table_free(&table);
    assert_true(matches > 0);
    assert_int_equal(failures, 0);
}

static void test_bits(void **state)
{
    check_table(BITS_PATTERNS_MAX, SIZE_MAX);
}

static void test_each(void **state)
{
    check_table(EACH_PATTERNS_MAX, 200);
}

static void test_alone(void **state)
{
    check_table(1, SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bits), cmocka_unit_test(test_each),
                                       cmocka_unit_test(test_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
