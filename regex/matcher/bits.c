/* Scans batches of subjects for a few patterns; the result is a row of bits for each pattern. Called by
 * workers, once per batch; the code that runs for each hit is short. */
#include "regex/matcher/count.h"

#include <string.h>

static int hit_bit(unsigned id, unsigned long long, unsigned long long to, unsigned, void *argument)
{
    struct ps_matcher_scratch *scratch = argument;
    const struct ps_matcher *matcher = scratch->matcher;
    uint32_t subject = ps_matcher_chunk_find(scratch, (uint32_t)to);
    if (subject == UINT32_MAX)
        return 0;
    subject += scratch->chunk.first;
    uint64_t *row = scratch->bits + (size_t)matcher->members[matcher->member_start[id]] * PS_MATCHER_WORDS;
    row[subject / 64] |= UINT64_C(1) << subject % 64;
    return 0;
}

/* Clears the bits of subjects that do not match, as PCRE2 decides. */
static void row_verify(struct ps_matcher_scratch *scratch, uint32_t pattern, const struct ps_slice *subjects,
                       uint64_t *row)
{
    bool plain_will_do = scratch->matcher->worth[pattern] == PS_WORTH_PLAIN;
    for (uint32_t word = 0; word < PS_MATCHER_WORDS; word++) {
        for (uint64_t left = row[word]; left != 0; left &= left - 1) {
            const struct ps_slice *subject = &subjects[word * 64 + (uint32_t)__builtin_ctzll(left)];
            if (plain_will_do && ps_matcher_is_plain(subject->data, subject->length))
                continue;
            if (!ps_matcher_confirm(scratch, pattern, subject))
                row[word] &= ~(left & -left);
        }
    }
}

/* Asks PCRE2 about the subjects in `which`. */
static void row_ask(struct ps_matcher_scratch *scratch, uint32_t pattern, const struct ps_slice *subjects,
                    uint32_t count, const uint64_t *which, uint64_t *row)
{
    for (uint32_t i = 0; i < count; i++) {
        if ((which[i / 64] >> i % 64 & 1) != 0 && subjects[i].length > 0 &&
            ps_matcher_ask(scratch, pattern, &subjects[i]))
            row[i / 64] |= UINT64_C(1) << i % 64;
    }
}

static void bits_settle(struct ps_matcher_scratch *scratch, const struct ps_slice *subjects, uint64_t *bits)
{
    const struct ps_matcher *matcher = scratch->matcher;
    for (uint32_t i = 0; i < matcher->expression_count; i++) {
        uint32_t start = matcher->member_start[i], end = matcher->member_start[i + 1];
        for (uint32_t m = start + 1; m < end; m++)
            memcpy(bits + (size_t)matcher->members[m] * PS_MATCHER_WORDS,
                   bits + (size_t)matcher->members[start] * PS_MATCHER_WORDS,
                   PS_MATCHER_WORDS * sizeof *bits);
        for (uint32_t m = start; m < end; m++) {
            uint32_t pattern = matcher->members[m];
            if (matcher->worth[pattern] != PS_WORTH_TAKEN)
                row_verify(scratch, pattern, subjects, bits + (size_t)pattern * PS_MATCHER_WORDS);
        }
    }
}

static void find_empty(const struct ps_slice *subjects, uint32_t count, uint64_t *empty)
{
    memset(empty, 0, PS_MATCHER_WORDS * sizeof *empty);
    for (uint32_t i = 0; i < count; i++)
        empty[i / 64] |= (uint64_t)(subjects[i].length == 0) << i % 64;
}

/* Sets the bits of empty subjects; their matches were determined when the matcher was created. */
static void bits_empty(const struct ps_matcher *matcher, const uint64_t *empty, uint64_t *bits)
{
    for (uint32_t i = 0; i < matcher->empty_count; i++) {
        uint64_t *row = bits + (size_t)matcher->empty[i] * PS_MATCHER_WORDS;
        for (uint32_t word = 0; word < PS_MATCHER_WORDS; word++)
            row[word] |= empty[word];
    }
}

static void mark(uint64_t *row, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++)
        row[i / 64] |= UINT64_C(1) << i % 64;
}

/* Stores hits in the rows, and the subjects of failed scans in `failed`. Returns true if a scan failed. */
static bool bits_scan(struct ps_matcher_scratch *scratch, const struct ps_slice *subjects, uint32_t count,
                      uint64_t *failed)
{
    const struct ps_matcher *matcher = scratch->matcher;
    bool any = false;
    for (uint32_t at = 0; at < count; at += scratch->chunk.count) {
        ps_matcher_chunk_next(scratch, subjects, at, count);
        if (PS_LIKELY(!ps_matcher_chunk_is_missing(&scratch->chunk) &&
                      ps_hyperscan_scan(matcher->hyperscan, scratch->hyperscan, scratch->chunk.data,
                                        scratch->chunk.length, hit_bit, scratch) == PS_SCAN_DONE))
            continue;
        ps_matcher_count_add(&scratch->counts.scan_errors, 1);
        if (!any)
            memset(failed, 0, PS_MATCHER_WORDS * sizeof *failed);
        any = true;
        mark(failed, at, scratch->chunk.count);
    }
    return any;
}

static void bits_clear(uint32_t patterns, const uint64_t *which, uint64_t *bits)
{
    for (uint32_t i = 0; i < patterns * PS_MATCHER_WORDS; i++)
        bits[i] &= ~which[i % PS_MATCHER_WORDS];
}

void ps_matcher_scan_bits(const struct ps_matcher *matcher, struct ps_matcher_scratch *scratch,
                          const struct ps_slice *subjects, uint32_t count, uint64_t *bits)
{
    uint64_t empty[PS_MATCHER_WORDS], failed[PS_MATCHER_WORDS], all[PS_MATCHER_WORDS] = {0};
    PS_ASSERT(scratch->matcher == matcher && matcher->count <= 64 && count <= PS_MATCHER_SUBJECTS_MAX);
    memset(bits, 0, (size_t)matcher->count * PS_MATCHER_WORDS * sizeof *bits);
    bool any_empty = ps_matcher_count_subjects(scratch, subjects, count);
    scratch->bits = bits;
    if (any_empty)
        find_empty(subjects, count, empty);
    bool any_failed = matcher->hyperscan != NULL && bits_scan(scratch, subjects, count, failed);
    if (any_empty)
        bits_clear(matcher->count, empty, bits);
    if (PS_UNLIKELY(any_failed))
        bits_clear(matcher->count, failed, bits);
    bits_settle(scratch, subjects, bits);
    if (PS_UNLIKELY(any_failed)) {
        for (uint32_t i = 0; i < matcher->member_start[matcher->expression_count]; i++)
            row_ask(scratch, matcher->members[i], subjects, count, failed,
                    bits + (size_t)matcher->members[i] * PS_MATCHER_WORDS);
    }
    if (any_empty)
        bits_empty(matcher, empty, bits);
    if (matcher->pcre2_count + matcher->always_count > 0)
        mark(all, 0, count);
    for (uint32_t i = 0; i < matcher->pcre2_count; i++)
        row_ask(scratch, matcher->pcre2[i], subjects, count, all,
                bits + (size_t)matcher->pcre2[i] * PS_MATCHER_WORDS);
    for (uint32_t i = 0; i < matcher->always_count; i++)
        memset(bits + (size_t)matcher->always[i] * PS_MATCHER_WORDS, 0xFF, PS_MATCHER_WORDS * sizeof *bits);
    ps_matcher_count_given_up(scratch);
}
