/* Matches many expressions against many subjects in one pass, with Hyperscan and PCRE2 behind one interface.
 *
 * A matcher is const and shared by all workers; a scratch belongs to one worker. PCRE2 confirms Hyperscan's reports
 * where the translation requires it (regex/java/java.h), and PCRE2 alone runs the expressions that Hyperscan cannot.
 * The result is therefore always that of Java's find(), for any bytes.
 *
 * Subjects are scanned in batches where that gives the same result. The bytes between them depend on the set:
 *
 *   - "\n" when no expression can match across a newline. Bodies that are adjacent in memory with a newline
 *     between them are then scanned in place; others are copied.
 *   - "\xFF", which no translated expression matches, when no expression has ^ or $.
 *   - Otherwise "\n\xFF\n", and expressions that may begin with a newline are confirmed.
 *
 * In copies 0xFF becomes 0xFE: to Java both are U+FFFD. Long subjects are scanned alone
 * (docs/decisions/0014).
 *
 * A scan error (none is expected) is counted, and PCRE2 alone then decides about the subjects of that
 * scan. */
#pragma once

#include "regex/regex.h"

struct ps_hyperscan;
struct ps_matcher;
struct ps_matcher_scratch;

struct ps_matcher_options {
    /* Directory of compiled databases (regex/compile/cache/cache.h). NULL: no cache. */
    const char *cache_directory;
    /* As ps_context.program: the compiler runs as a process of its own, within the limits below. NULL: the compiler
     * runs in this thread, without limits. */
    const char *program;
    uint64_t compile_memory_bytes; /* 0: no limit */
    uint64_t compile_time_ms;      /* CPU time; 0: no limit */
    bool idle; /* `program` compiles at SCHED_IDLE, so that it does not slow down workers */
    bool (*cancelled)(void *argument); /* called now and then while compiling; may be NULL */
    void *argument;
};
#define PS_MATCHER_COMPILE_MEMORY_BYTES (UINT64_C(2) << 30) /* defaults for stages without a key for it */
#define PS_MATCHER_COMPILE_TIME_MS 120000U

/* The result of creating a matcher. */
struct ps_matcher_report {
    uint64_t compile_ns;     /* elapsed time, including the cache */
    uint64_t database_bytes; /* 0: no Hyperscan database was needed */
    uint64_t scratch_bytes;  /* for each worker */
    bool cached;             /* came from the cache */
    char cache_note[256];    /* why a cache file was refused or not written; "" if neither */
    uint32_t failed_pattern; /* on failure: the likely cause, or UINT32_MAX */
    bool passing;            /* on failure: it may succeed later (struct ps_compile_answer) */
};

/* Creates a matcher. Expressions that are too large for Hyperscan are loosened for it and confirmed by PCRE2,
 * or left to PCRE2; ps_matcher_cost_of reports which. A caller that refuses ruinous expressions calls
 * ps_matcher_cost_of first.
 *
 * `patterns` must outlive the matcher and may contain equal ones. Returns NULL on error; `err` names the
 * expression and the reason. `report` may be NULL. Thread: control, or a helper's. */
struct ps_matcher *ps_matcher_create(const struct ps_regex *const *patterns, uint32_t count,
                                     const struct ps_matcher_options *options,
                                     struct ps_matcher_report *report, struct ps_err *err);
void ps_matcher_destroy(struct ps_matcher *matcher);

enum ps_matcher_engine { PS_ENGINE_NONE, PS_ENGINE_HYPERSCAN, PS_ENGINE_PREFILTER, PS_ENGINE_PCRE2 };

/* Returns the matcher's database, for a bare scan of the same expressions; NULL: no expression needs Hyperscan. */
const struct ps_hyperscan *ps_matcher_hyperscan(const struct ps_matcher *matcher);

/* The engine that decides about one expression, and its cost, estimated by Hyperscan and by us without running it. */
struct ps_matcher_cost {
    enum ps_matcher_engine engine;
    /* "Hyperscan", "Hyperscan, confirmed by PCRE2 where the text is not plain ASCII", "PCRE2 alone, ..." */
    char engine_words[256];
    enum { PS_COST_FINE, PS_COST_HIGH, PS_COST_RUINOUS } grade;
    uint64_t states;         /* estimated states with bounded repeats expanded */
    uint64_t database_bytes; /* of this expression alone; 0 if too costly to compile */
    uint64_t compile_ns;
    char why[200]; /* "the repeat {1,100000} at 7 makes 100,000 states"; "" when fine */
};
/* For `check` and `penstock rules`. Compiles this expression alone, unless it is ruinous. */
void ps_matcher_cost_of(const struct ps_regex *regex, struct ps_matcher_cost *cost);

/* Creates a scratch for this matcher, before workers use it. Returns NULL when memory runs out. Thread: the
 * one that created the matcher. */
struct ps_matcher_scratch *ps_matcher_scratch_create(const struct ps_matcher *matcher, struct ps_err *err);
void ps_matcher_scratch_destroy(struct ps_matcher_scratch *scratch);
/* As ps_regex_scratch_limit. */
void ps_matcher_scratch_limit(struct ps_matcher_scratch *scratch, struct ps_regex_budget *budget);
/* One thread writes; any thread may read. */
struct ps_matcher_counts {
    uint64_t subjects, bytes;
    uint64_t confirms, confirmed; /* reports that PCRE2 was asked about, and those it confirmed */
    uint64_t scan_errors, given_up;
};
/* Adds the counts of a scratch, which may be NULL. */
void ps_matcher_scratch_count(const struct ps_matcher_scratch *scratch, struct ps_matcher_counts *sum);

#define PS_MATCHER_SUBJECTS_MAX 1024U

/* For at most 64 expressions: sets bit subject % 64 of bits[pattern * PS_MATCHER_WORDS + subject / 64] when
 * the pattern matches the subject. Writes all of `bits`. Patterns with PS_REGEX_ALWAYS get all ones. */
#define PS_MATCHER_WORDS (PS_MATCHER_SUBJECTS_MAX / 64)
void ps_matcher_scan_bits(const struct ps_matcher *matcher, struct ps_matcher_scratch *scratch,
                          const struct ps_slice *subjects, uint32_t count, uint64_t *bits);

/* For many expressions: calls `each` for every subject that any pattern matches. Subjects come in order,
 * `patterns` in ascending order without repeats. Expressions that always match (PS_REGEX_ALWAYS) are not
 * reported: callers know them. */
void ps_matcher_scan_each(const struct ps_matcher *matcher, struct ps_matcher_scratch *scratch,
                          const struct ps_slice *subjects, uint32_t count,
                          void (*each)(void *argument, uint32_t subject, const uint32_t *patterns,
                                       uint32_t pattern_count),
                          void *argument);
