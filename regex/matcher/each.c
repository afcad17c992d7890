/* Scans batches of subjects; the result is the list of patterns that each subject matches, or a row of bits for each
 * pattern. Called by workers, once per batch; the code that runs for each hit is short. */
#include "regex/matcher/internal.h"

#include <string.h>

/* Counters of a scratch: one thread writes, any thread may read. */
static void count_add(uint64_t *count, uint64_t more)
{
    __atomic_store_n(count, *count + more, __ATOMIC_RELAXED);
}

static void count_subjects(struct ps_matcher_scratch *scratch, const struct ps_slice *subjects,
                           uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += subjects[i].length;
    count_add(&scratch->counts.subjects, count);
    count_add(&scratch->counts.bytes, bytes);
}

/* Returns whether the pattern matches, as PCRE2 decides. */
static bool ask(struct ps_matcher_scratch *scratch, uint32_t pattern, const struct ps_slice *subject)
{
    return ps_regex_find(scratch->matcher->patterns[pattern], scratch->regex, subject->data, subject->length,
                         0, NULL, 0);
}

/* Returns whether a report of Hyperscan is a match, as PCRE2 decides. */
static bool confirm(struct ps_matcher_scratch *scratch, uint32_t pattern, const struct ps_slice *subject)
{
    bool yes = ask(scratch, pattern, subject);
    count_add(&scratch->counts.confirms, 1);
    count_add(&scratch->counts.confirmed, yes);
    return yes;
}

struct report {
    void (*each)(void *argument, uint32_t subject, const uint32_t *patterns, uint32_t pattern_count);
    void *argument;
    const struct ps_slice *subjects;
};

/* Returns the subject (within the chunk) of a match that ends at `to`, or UINT32_MAX if there is none. Hyperscan reports
 * nearly in order, so this function checks the subject of the last report and the next subject, and otherwise searches.
 * It runs for every report, so it avoids unpredictable branches. */
static uint32_t subject_find(struct ps_matcher_scratch *scratch, uint32_t to)
{
    const uint32_t *ends = scratch->limits + 1, *before = scratch->limits, gap = scratch->chunk.gap;
    uint32_t low = scratch->cursor, high = scratch->chunk.count;
    if (PS_UNLIKELY(to < before[low] + gap))
        low = 0;
    low += ends[low] < to;
    /* finds the first subject that ends at `to` or later; the sentinel ends after all subjects */
    while (PS_UNLIKELY(ends[low] < to)) {
        uint32_t middle = low + (high - low) / 2;
        if (ends[middle] < to)
            low = middle + 1;
        else
            high = middle;
        if (low == high)
            break;
    }
    if (PS_UNLIKELY(low == scratch->chunk.count || to < before[low] + gap))
        return UINT32_MAX; /* within the border */
    scratch->cursor = low;
    return low;
}

static void bits_set(void *bits_, uint32_t subject, const uint32_t *patterns, uint32_t pattern_count)
{
    uint64_t *bits = (uint64_t *)bits_ + subject / 64, bit = UINT64_C(1) << subject % 64;
    for (uint32_t i = 0; i < pattern_count; i++)
        bits[(size_t)patterns[i] * PS_MATCHER_WORDS] |= bit;
}

/* Keeps a report for chunk_report(). Returns nonzero to stop the scan: there is no room. */
static int hit_keep(struct ps_matcher_scratch *scratch, unsigned id, uint32_t at)
{
    if (scratch->seen[id] == scratch->stamp + at)
        return 0; /* a match may have many ends */
    if (PS_UNLIKELY(scratch->hit_count == scratch->hit_room))
        return 1;
    scratch->seen[id] = scratch->stamp + at;
    uint64_t hit = (uint64_t)(scratch->chunk.first + at) << 32 | id;
    scratch->unordered |= scratch->hit_count > 0 && hit >> 32 < scratch->hits[scratch->hit_count - 1] >> 32;
    scratch->hits[scratch->hit_count++] = hit;
    return 0;
}

/* Fast path of scan_bits: sets the bit of a report for one pattern about which PCRE2 need not be asked. Without it the
 * interceptors execute 2 % to 9 % more instructions. Returns false if the report must be kept. */
static bool hit_bit(struct ps_matcher_scratch *scratch, unsigned id, uint32_t at)
{
    const struct ps_matcher *matcher = scratch->matcher;
    const uint32_t *start = &matcher->member_start[id], *pattern = &matcher->members[start[0]];
    uint32_t begin = scratch->limits[at] + scratch->chunk.gap, end = scratch->limits[at + 1];
    if (PS_UNLIKELY(start[1] - start[0] != 1 || begin == end))
        return false;
    if (matcher->worth[*pattern] != PS_WORTH_TAKEN) {
        if (matcher->worth[*pattern] != PS_WORTH_PLAIN || scratch->seen[id] == scratch->stamp + at ||
            !ps_matcher_is_plain(scratch->chunk.data + begin, end - begin))
            return false;
        scratch->seen[id] = scratch->stamp + at;
    }
    bits_set(scratch->bits, scratch->chunk.first + at, pattern, 1);
    return true;
}

static int hit_take(unsigned id, unsigned long long, unsigned long long to, unsigned, void *argument)
{
    struct ps_matcher_scratch *scratch = argument;
    uint32_t at = subject_find(scratch, (uint32_t)to);
    if (at == UINT32_MAX || (scratch->bits != NULL && hit_bit(scratch, id, at)))
        return 0;
    return hit_keep(scratch, id, at);
}

/* Heap sort: in place, no allocation, no quadratic case. It rarely runs, mostly on short arrays. */
#define SIFT_DOWN(type)                                                                                      \
    static void sift_down_##type(type *items, uint32_t at, uint32_t count)                                   \
    {                                                                                                        \
        type item = items[at];                                                                               \
        for (uint32_t child; (child = 2 * at + 1) < count; at = child) {                                     \
            child += child + 1 < count && items[child + 1] > items[child];                                   \
            if (items[child] <= item)                                                                        \
                break;                                                                                       \
            items[at] = items[child];                                                                        \
        }                                                                                                    \
        items[at] = item;                                                                                    \
    }                                                                                                        \
    static void sort_##type(type *items, uint32_t count)                                                     \
    {                                                                                                        \
        for (uint32_t at = count / 2; at-- > 0;)                                                             \
            sift_down_##type(items, at, count);                                                              \
        for (uint32_t end = count; end-- > 1;) {                                                             \
            type largest = items[0];                                                                         \
            items[0] = items[end];                                                                           \
            items[end] = largest;                                                                            \
            sift_down_##type(items, 0, end);                                                                 \
        }                                                                                                    \
    }
SIFT_DOWN(uint32_t)
SIFT_DOWN(uint64_t)

/* Writes to `scratch->matched` those patterns of the hits' expressions that really match. Returns their number. */
static uint32_t decide(struct ps_matcher_scratch *scratch, const struct ps_slice *subject,
                       const uint64_t *hits, uint32_t hit_count)
{
    const struct ps_matcher *matcher = scratch->matcher;
    uint32_t count = 0;
    int plain = -1; /* -1: not tested yet */
    for (uint32_t i = 0; i < hit_count; i++) {
        uint32_t expression = (uint32_t)hits[i];
        if (i > 0 && hits[i] == hits[i - 1]) /* repeats occur only in sorted hits */
            continue;
        for (uint32_t m = matcher->member_start[expression]; m < matcher->member_start[expression + 1]; m++) {
            uint32_t pattern = matcher->members[m];
            uint8_t worth = matcher->worth[pattern];
            if (worth == PS_WORTH_PLAIN && plain < 0)
                plain = ps_matcher_is_plain(subject->data, subject->length);
            if (worth == PS_WORTH_TAKEN || (worth == PS_WORTH_PLAIN && plain > 0) ||
                confirm(scratch, pattern, subject))
                scratch->matched[count++] = pattern;
        }
    }
    return count;
}

/* Writes to `scratch->matched` those of Hyperscan's patterns that match, as PCRE2 decides. Returns their number. */
static uint32_t ask_all(struct ps_matcher_scratch *scratch, const struct ps_slice *subject)
{
    const struct ps_matcher *matcher = scratch->matcher;
    uint32_t count = 0;
    for (uint32_t m = 0; m < matcher->member_start[matcher->expression_count]; m++) {
        if (ask(scratch, matcher->members[m], subject))
            scratch->matched[count++] = matcher->members[m];
    }
    return count;
}

/* `hits`: NULL if the scan failed. */
static void report_one(struct ps_matcher_scratch *scratch, const struct report *report, uint32_t subject,
                       const uint64_t *hits, uint32_t hit_count)
{
    const struct ps_matcher *matcher = scratch->matcher;
    const struct ps_slice *text = &report->subjects[subject];
    if (text->length == 0) { /* determined when the matcher was created */
        if (matcher->empty_count > 0)
            report->each(report->argument, subject, matcher->empty, matcher->empty_count);
        return;
    }
    uint32_t count = hits == NULL ? ask_all(scratch, text) : decide(scratch, text, hits, hit_count);
    for (uint32_t i = 0; i < matcher->pcre2_count; i++) {
        if (ask(scratch, matcher->pcre2[i], text))
            scratch->matched[count++] = matcher->pcre2[i];
    }
    if (count == 0)
        return;
    sort_uint32_t(scratch->matched, count);
    report->each(report->argument, subject, scratch->matched, count);
}

static enum ps_hyperscan_scan chunk_scan(struct ps_matcher_scratch *scratch)
{
    const struct ps_matcher_chunk *chunk = &scratch->chunk;
    if (PS_UNLIKELY(scratch->stamp > UINT32_MAX - 2 * PS_MATCHER_SUBJECTS_MAX)) {
        memset(scratch->seen, 0, scratch->matcher->expression_count * sizeof *scratch->seen);
        scratch->stamp = 1;
    }
    scratch->hit_count = 0;
    scratch->unordered = false;
    enum ps_hyperscan_scan done = PS_SCAN_DONE;
    if (PS_UNLIKELY(chunk->data == NULL && chunk->length > 0))
        done = PS_SCAN_ERROR; /* there was no memory for a copy of the subject */
    else if (scratch->matcher->hyperscan != NULL)
        done = ps_hyperscan_scan(scratch->matcher->hyperscan, scratch->hyperscan, chunk->data, chunk->length,
                                 hit_take, scratch);
    scratch->stamp += chunk->count;
    return done;
}

/* Fast path: one report about the subject, for one pattern that needs no confirmation. */
static bool report_simple(const struct ps_matcher *matcher, const struct report *report, uint64_t hit)
{
    const uint32_t *start = &matcher->member_start[(uint32_t)hit];
    const uint32_t *pattern = &matcher->members[start[0]];
    if (start[1] - start[0] != 1 || matcher->worth[*pattern] != PS_WORTH_TAKEN)
        return false;
    report->each(report->argument, (uint32_t)(hit >> 32), pattern, 1);
    return true;
}

/* Reports the subjects of a chunk after all its hits were collected. */
static void chunk_report(struct ps_matcher_scratch *scratch, const struct report *report)
{
    const struct ps_matcher *matcher = scratch->matcher;
    bool only_hits = matcher->pcre2_count + matcher->empty_count == 0; /* no other subject matches */
    uint32_t last = scratch->chunk.first + scratch->chunk.count, count = scratch->hit_count;
    const uint64_t *hits = scratch->hits;
    if (PS_UNLIKELY(scratch->unordered))
        sort_uint64_t(scratch->hits, count);
    for (uint32_t subject = scratch->chunk.first, i = 0; only_hits ? i < count : subject < last; subject++) {
        uint32_t start = i;
        if (only_hits)
            subject = (uint32_t)(hits[i] >> 32);
        while (i < count && hits[i] >> 32 == subject)
            i++;
        if (!only_hits || i - start > 1 || !report_simple(matcher, report, hits[start]))
            report_one(scratch, report, subject, hits + start, i - start);
    }
}

/* Handles a chunk with more hits than there is room for: scans one subject at a time, whose hits always
 * fit. */
static void chunk_singly(struct ps_matcher_scratch *scratch, const struct report *report)
{
    uint32_t first = scratch->chunk.first, last = first + scratch->chunk.count;
    for (uint32_t subject = first; subject < last; subject++) {
        ps_matcher_chunk_alone(scratch, &report->subjects[subject], subject);
        if (chunk_scan(scratch) == PS_SCAN_DONE) {
            chunk_report(scratch, report);
        } else {
            count_add(&scratch->counts.scan_errors, 1);
            report_one(scratch, report, subject, NULL, 0);
        }
    }
}

void ps_matcher_scan_each(const struct ps_matcher *matcher, struct ps_matcher_scratch *scratch,
                          const struct ps_slice *subjects, uint32_t count,
                          void (*each)(void *argument, uint32_t subject, const uint32_t *patterns,
                                       uint32_t pattern_count),
                          void *argument)
{
    struct report report = {each, argument, subjects};
    PS_ASSERT(scratch->matcher == matcher && count <= PS_MATCHER_SUBJECTS_MAX);
    count_subjects(scratch, subjects, count);
    for (uint32_t at = 0; at < count;) {
        ps_matcher_chunk_next(scratch, subjects, at, count);
        uint32_t next = at + scratch->chunk.count;
        enum ps_hyperscan_scan done = chunk_scan(scratch);
        if (PS_LIKELY(done == PS_SCAN_DONE)) {
            chunk_report(scratch, &report);
        } else if (done == PS_SCAN_STOPPED) {
            chunk_singly(scratch, &report);
        } else {
            count_add(&scratch->counts.scan_errors, 1);
            for (; at < next; at++)
                report_one(scratch, &report, at, NULL, 0);
        }
        at = next;
    }
    __atomic_store_n(&scratch->counts.given_up, ps_regex_scratch_given_up(scratch->regex), __ATOMIC_RELAXED);
}

void ps_matcher_scan_bits(const struct ps_matcher *matcher, struct ps_matcher_scratch *scratch,
                          const struct ps_slice *subjects, uint32_t count, uint64_t *bits)
{
    memset(bits, 0, (size_t)matcher->count * PS_MATCHER_WORDS * sizeof *bits);
    scratch->bits = bits;
    ps_matcher_scan_each(matcher, scratch, subjects, count, bits_set, bits);
    scratch->bits = NULL;
    for (uint32_t i = 0; i < matcher->always_count; i++)
        memset(bits + (size_t)matcher->always[i] * PS_MATCHER_WORDS, 0xFF, PS_MATCHER_WORDS * sizeof *bits);
}
