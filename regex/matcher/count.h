/* Counters of a scratch: one thread writes, any thread may read. */
#pragma once

#include "regex/matcher/internal.h"

static inline void ps_matcher_count_add(uint64_t *count, uint64_t more)
{
    __atomic_store_n(count, *count + more, __ATOMIC_RELAXED);
}

/* Returns true when some of the subjects are empty. */
static inline bool ps_matcher_count_subjects(struct ps_matcher_scratch *scratch,
                                             const struct ps_slice *subjects, uint32_t count)
{
    uint64_t bytes = 0;
    uint32_t empty = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += subjects[i].length;
        empty += subjects[i].length == 0;
    }
    ps_matcher_count_add(&scratch->counts.subjects, count);
    ps_matcher_count_add(&scratch->counts.bytes, bytes);
    return empty > 0;
}

static inline void ps_matcher_count_given_up(struct ps_matcher_scratch *scratch)
{
    uint64_t given_up = ps_regex_scratch_given_up(scratch->regex);
    if (given_up != scratch->counts.given_up)
        __atomic_store_n(&scratch->counts.given_up, given_up, __ATOMIC_RELAXED);
}

/* Returns whether the pattern matches, as PCRE2 decides. */
static inline bool ps_matcher_ask(struct ps_matcher_scratch *scratch, uint32_t pattern,
                                  const struct ps_slice *subject)
{
    return ps_regex_find(scratch->matcher->patterns[pattern], scratch->regex, subject->data, subject->length,
                         0, NULL, 0);
}

/* Returns whether a report of Hyperscan is a match, as PCRE2 decides. */
static inline bool ps_matcher_confirm(struct ps_matcher_scratch *scratch, uint32_t pattern,
                                      const struct ps_slice *subject)
{
    bool yes = ps_matcher_ask(scratch, pattern, subject);
    ps_matcher_count_add(&scratch->counts.confirms, 1);
    ps_matcher_count_add(&scratch->counts.confirmed, yes);
    return yes;
}
