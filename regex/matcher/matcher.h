/* Many expressions over many subjects in one pass: which of them match which. The seam in front of Hyperscan.
 *
 * A matcher is const and shared by all workers; a scratch is one worker's. What Hyperscan reports is
 * confirmed by PCRE2 where the translation says so (regex/java/java.h); what Hyperscan cannot do is run by PCRE2
 * alone. So the answer is always Java's find(), for any bytes.
 *
 * Subjects are scanned in batches where that gives the same answer. What stands between them depends on the
 * set: "\n" when no expression can match across one (then bodies that stand one after the other in memory
 * with a newline between are scanned in place; others are copied); "\xFF", which no translated expression
 * matches, when there is no ^ or $; else "\n\xFF\n", and those expressions that may begin with a newline are
 * confirmed. In copies 0xFF becomes 0xFE: to Java both are U+FFFD. Long subjects are scanned alone
 * (docs/decisions/0015).
 *
 * A scan error (there should be none) is counted; the subjects concerned are then decided by PCRE2 alone. */
#pragma once

#include "regex/regex.h"

struct ps_matcher;
struct ps_matcher_scratch;

struct ps_matcher_options {
    const char
        *cache_directory; /* compiled databases are kept there (regex/compile/cache.h); NULL: nowhere */
    const char *program;  /* as ps_context.program: the compiler runs as a process of its own with the
                                    limits below; NULL: in this thread, without them */
    uint64_t compile_memory_bytes;     /* 0: no limit */
    uint64_t compile_time_ms;          /* CPU time; 0: no limit */
    bool idle;                         /* `program` compiles at SCHED_IDLE, so that workers do not feel it */
    bool (*cancelled)(void *argument); /* asked now and then while compiling; or NULL */
    void *argument;
};
#define PS_MATCHER_COMPILE_MEMORY_BYTES (UINT64_C(2) << 30) /* defaults for those who have no key for it */
#define PS_MATCHER_COMPILE_TIME_MS 120000U

/* What making it came to. */
struct ps_matcher_report {
    uint64_t compile_ns;     /* wall time, cache included */
    uint64_t database_bytes; /* 0: no Hyperscan database was needed */
    uint64_t scratch_bytes;  /* a worker */
    bool cached;             /* came from the cache */
    char cache_note[256];    /* why a cache file was refused or could not be written; or "" */
    uint32_t failed_pattern; /* on failure: the expression to blame, or UINT32_MAX */
};

/* Expressions that are too much for Hyperscan are loosened for it and confirmed by PCRE2, or left to PCRE2:
 * ps_matcher_explain says so. Callers that want to refuse ruinous ones ask ps_matcher_cost_of first.
 *
 * `patterns` must outlive it; equal ones may occur twice. NULL: `err` says which expression and why. `report`
 * may be NULL. Thread: control, or a helper's. */
struct ps_matcher *ps_matcher_create(const struct ps_regex *const *patterns, uint32_t count,
                                     const struct ps_matcher_options *options,
                                     struct ps_matcher_report *report, struct ps_err *err);
void ps_matcher_destroy(struct ps_matcher *matcher);
uint32_t ps_matcher_count(const struct ps_matcher *matcher);

/* Who decides about one expression, in words: "Hyperscan", "Hyperscan, confirmed by PCRE2 where the text is
 * not plain ASCII", "PCRE2 alone: ...". For `check` and `rules explain`. Works on an expression alone:
 * nothing is compiled but this one. */
enum ps_matcher_engine { PS_ENGINE_NONE, PS_ENGINE_HYPERSCAN, PS_ENGINE_PREFILTER, PS_ENGINE_PCRE2 };
enum ps_matcher_engine ps_matcher_explain(const struct ps_regex *regex, char *why, size_t room);

/* What one expression may cost: from Hyperscan's and our own look at it, without running it. */
struct ps_matcher_cost {
    enum { PS_COST_FINE, PS_COST_HIGH, PS_COST_RUINOUS } grade;
    uint64_t states;         /* positions after bounded repeats are spelt out: an estimate */
    uint64_t database_bytes; /* of this expression alone; 0 when it was not compiled (ruinous) */
    uint64_t compile_ns;
    char why[200]; /* "the repeat {1,100000} at 7 makes 100,000 states"; "" when fine */
};
void ps_matcher_cost_of(const struct ps_regex *regex, struct ps_matcher_cost *cost);

/* Grown for this matcher; made before workers see it, by the thread that made the matcher. NULL: no memory.
 */
struct ps_matcher_scratch *ps_matcher_scratch_create(const struct ps_matcher *matcher, struct ps_err *err);
void ps_matcher_scratch_destroy(struct ps_matcher_scratch *scratch);
/* Single writer; readable from any thread. */
struct ps_matcher_counts {
    uint64_t subjects, bytes;
    uint64_t confirms, confirmed; /* PCRE2 was asked about a report of Hyperscan; said yes */
    uint64_t scan_errors, given_up;
};
void ps_matcher_scratch_counts(const struct ps_matcher_scratch *scratch, struct ps_matcher_counts *counts);

#define PS_MATCHER_SUBJECTS_MAX 1024U

/* Few expressions (at most 64): bits[pattern * PS_MATCHER_WORDS + subject / 64] bit subject % 64 is set when
 * that pattern matches that subject; all of it is written. PS_REGEX_ALWAYS: all ones. */
#define PS_MATCHER_WORDS (PS_MATCHER_SUBJECTS_MAX / 64)
void ps_matcher_scan_bits(const struct ps_matcher *matcher, struct ps_matcher_scratch *scratch,
                          const struct ps_slice *subjects, uint32_t count, uint64_t *bits);

/* Many expressions: calls `each` for every subject that any of them matches, subjects in order, `patterns` in
 * ascending order without repeats. Expressions that always match (PS_REGEX_ALWAYS) are not reported: callers
 * know them. */
void ps_matcher_scan_each(const struct ps_matcher *matcher, struct ps_matcher_scratch *scratch,
                          const struct ps_slice *subjects, uint32_t count,
                          void (*each)(void *argument, uint32_t subject, const uint32_t *patterns,
                                       uint32_t pattern_count),
                          void *argument);
