/* Sets of expressions and subjects for tests of the matcher, and the expected results: each expression asked
 * alone. */
#pragma once

#include <stdio.h>

#include "regex/matcher/matcher.h"
#include "tests/support/support.h"

#define SET_PATTERNS_MAX 256U

struct set {
    struct ps_regex *regexes[SET_PATTERNS_MAX];
    uint32_t count;
    struct ps_matcher *matcher;
    struct ps_matcher_scratch *scratch;
    struct ps_regex_scratch *naive;
    struct ps_matcher_report report;
};

static inline void set_add(struct set *set, const char *pattern, unsigned flags)
{
    struct ps_err err;
    assert_true(set->count < SET_PATTERNS_MAX);
    set->regexes[set->count] = ps_regex_create(pattern, flags, PS_REGEX_FIND, &err);
    if (set->regexes[set->count] == NULL)
        fail_msg("%s: %s", pattern, err.text);
    set->count++;
}

static inline void set_make(struct set *set, const struct ps_matcher_options *options)
{
    struct ps_err err;
    set->matcher = ps_matcher_create((const struct ps_regex *const *)set->regexes, set->count, options,
                                     &set->report, &err);
    if (set->matcher == NULL)
        fail_msg("%s", err.text);
    set->scratch = ps_matcher_scratch_create(set->matcher, &err);
    assert_non_null(set->scratch);
    set->naive = ps_regex_scratch_create();
}

static inline void set_init(struct set *set, const char *const *patterns, uint32_t count)
{
    memset(set, 0, sizeof *set);
    for (uint32_t i = 0; i < count; i++)
        set_add(set, patterns[i], 0);
    set_make(set, NULL);
}

static inline void set_fini(struct set *set)
{
    ps_matcher_scratch_destroy(set->scratch);
    ps_matcher_destroy(set->matcher);
    ps_regex_scratch_destroy(set->naive);
    for (uint32_t i = 0; i < set->count; i++)
        ps_regex_destroy(set->regexes[i]);
}

/* The result of asking each expression alone. PCRE2 may give up: then the result is unknown. */
enum { EXPECTED_NO, EXPECTED_YES, EXPECTED_UNKNOWN };
static uint8_t set_expected[SET_PATTERNS_MAX][PS_MATCHER_SUBJECTS_MAX];

static inline void set_ask(struct set *set, const struct ps_slice *subjects, uint32_t count)
{
    for (uint32_t p = 0; p < set->count; p++) {
        for (uint32_t s = 0; s < count; s++) {
            uint64_t given_up = ps_regex_scratch_given_up(set->naive);
            bool is =
                ps_regex_find(set->regexes[p], set->naive, subjects[s].data, subjects[s].length, 0, NULL, 0);
            set_expected[p][s] = ps_regex_scratch_given_up(set->naive) != given_up ? EXPECTED_UNKNOWN : is;
        }
    }
}

static inline bool set_always(const struct set *set, uint32_t pattern)
{
    return ps_regex_java(set->regexes[pattern])->exactness == PS_REGEX_ALWAYS;
}

static inline void set_report(const struct set *set, const char *how, uint32_t pattern, uint32_t number,
                              const struct ps_slice *subject, bool is)
{
    fprintf(stderr, "%s: /%s/ (Hyperscan: %s) gives %s for subject %u of %u bytes: ", how,
            ps_regex_text(set->regexes[pattern]), ps_regex_java(set->regexes[pattern])->hyperscan,
            is ? "yes" : "no", number, subject->length);
    for (uint32_t i = 0; i < subject->length && i < 200; i++)
        fprintf(stderr, subject->data[i] >= ' ' && subject->data[i] < 0x7F ? "%c" : "\\x%02X",
                (unsigned char)subject->data[i]);
    fprintf(stderr, "\n");
    fail();
}

struct set_each {
    struct set *set;
    const struct ps_slice *subjects;
    uint32_t next, calls; /* the subject after the last one reported */
};

static inline void set_compare(struct set_each *each, const char *how, uint32_t pattern, uint32_t subject,
                               bool is)
{
    uint8_t expected = set_expected[pattern][subject];
    if (expected != EXPECTED_UNKNOWN && expected != is)
        set_report(each->set, how, pattern, subject, &each->subjects[subject], is);
}

/* Subjects that were not reported must match nothing. */
static inline void set_each_skip(struct set_each *each, uint32_t until)
{
    for (; each->next < until; each->next++) {
        for (uint32_t p = 0; p < each->set->count; p++) {
            if (!set_always(each->set, p))
                set_compare(each, "each", p, each->next, false);
        }
    }
}

static inline void set_each_check(void *argument, uint32_t subject, const uint32_t *patterns, uint32_t count)
{
    struct set_each *each = argument;
    assert_true(subject >= each->next && count > 0);
    set_each_skip(each, subject);
    uint32_t at = 0;
    for (uint32_t p = 0; p < each->set->count; p++) {
        bool is = at < count && patterns[at] == p;
        at += is;
        if (is && set_always(each->set, p))
            fail_msg("pattern %u must not be reported", p);
        if (!set_always(each->set, p))
            set_compare(each, "each", p, subject, is);
    }
    assert_int_equal(at, count); /* ascending, no repeats */
    each->next = subject + 1;
    each->calls++;
}

/* Compares both scan functions with the expected results. */
static inline uint32_t set_check(struct set *set, const struct ps_slice *subjects, uint32_t count)
{
    struct set_each each = {set, subjects, 0, 0};
    set_ask(set, subjects, count);
    if (set->count <= 64) {
        static uint64_t bits[64 * PS_MATCHER_WORDS];
        memset(bits, 0x5A, sizeof bits);
        ps_matcher_scan_bits(set->matcher, set->scratch, subjects, count, bits);
        for (uint32_t p = 0; p < set->count; p++) {
            for (uint32_t s = 0; s < PS_MATCHER_SUBJECTS_MAX; s++) {
                bool is = bits[p * PS_MATCHER_WORDS + s / 64] >> s % 64 & 1;
                if (s >= count)
                    assert_true(is == set_always(set, p));
                else
                    set_compare(&each, "bits", p, s, is);
            }
        }
    }
    ps_matcher_scan_each(set->matcher, set->scratch, subjects, count, set_each_check, &each);
    set_each_skip(&each, count);
    return each.calls;
}
