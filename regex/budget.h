/* A limit for all matches of one batch. Each match has limits of its own (regex/regex.h), but a thousand
 * events that ten expressions may search for milliseconds each would keep a worker busy for many seconds.
 *
 * A match may take 2 us and 20 ns for each byte of its subject (100 ns in subjects above 64 KiB): ordinary
 * expressions take a tenth to a third of that. The CPU time of a match beyond that is charged to its
 * expression and to the batch. When the batch has been charged PS_REGEX_BATCH_CPU_NS, the expressions that
 * were charged more than PS_REGEX_SUSPECT_CPU_NS are not run until the next batch: their matches are given
 * up, as those that take too many steps are. All other expressions continue. Time is the thread's CPU time,
 * so a busy machine changes nothing.
 *
 * CPU time is read at every match only in batches that were noticed: by a match that took many steps, or by
 * samples of the cheap monotonic clock.
 *
 * One budget belongs to one thread. All scratches with which a stage matches one batch share it
 * (ps_regex_scratch_limit, ps_matcher_scratch_limit). */
#pragma once

#include "core/base.h"

#define PS_REGEX_BATCH_CPU_NS UINT64_C(50000000)
#define PS_REGEX_SUSPECT_CPU_NS UINT64_C(1000000)
/* maximum number of expressions that are charged; any further ones are charged together with the last of these */
#define PS_REGEX_CHARGED_MAX 64U

struct ps_regex;

struct ps_regex_charge {
    const struct ps_regex *regex;
    uint64_t charged_ns;
};

struct ps_regex_budget {
    const char *component;                   /* for the log; NULL: nothing is logged */
    uint64_t clock_ns;                       /* the time that one reading of the CPU time takes */
    uint64_t left_ns;                        /* the rest of PS_REGEX_BATCH_CPU_NS */
    bool watched;                            /* the CPU time of every match is read */
    uint64_t odd_ns;                         /* time that sampled matches took beyond their limits, scaled */
    uint32_t weight;                         /* weight of the matches since the last sample */
    uint64_t skipped;                        /* matches given up without being run, of all batches */
    uint64_t spent_said_ns, gave_up_said_ns; /* when each message was logged last */
    unsigned charge_count;
    struct ps_regex_charge charges[PS_REGEX_CHARGED_MAX];
};

/* *budget must be zeroed. `component` must live as long as the budget. */
void ps_regex_budget_init(struct ps_regex_budget *budget, const char *component);
/* Begins a new batch. */
void ps_regex_budget_begin(struct ps_regex_budget *budget);

/* ---- for regex/regex.c ---- */

/* Returns the CPU time, in nanoseconds, of this thread. */
uint64_t ps_regex_cpu_ns(void);
uint64_t ps_regex_mono_ns(void);

/* Returns the time, in nanoseconds, that a match over this many bytes may take without being charged. The time is
 * longer for long subjects, which PCRE2's interpreter searches. */
static inline uint64_t ps_regex_allowed_ns(size_t bytes)
{
    return 2000 + (bytes > 65536 ? 100 : 20) * (uint64_t)bytes;
}

/* Returns whether the expression must not be run again for this batch; counts a match that was not run. */
bool ps_regex_budget_refuses(struct ps_regex_budget *budget, const struct ps_regex *regex);
/* Returns how much CPU time, in nanoseconds, the next match may take: at most `most_ns`. */
uint64_t ps_regex_budget_find_ns(const struct ps_regex_budget *budget, uint64_t most_ns);
/* Charges a match with the CPU time that it took beyond its limit. */
void ps_regex_budget_charge(struct ps_regex_budget *budget, const struct ps_regex *regex, uint64_t excess_ns);
/* Returns whether the next match, over this many bytes, is to be timed with the monotonic clock. Then the
 * caller calls ps_regex_budget_sampled with `scale`. */
static inline bool ps_regex_budget_samples(struct ps_regex_budget *budget, size_t bytes, uint32_t *scale)
{
    uint32_t own = 64 + (uint32_t)(bytes < 4096 ? bytes : 4096);
    budget->weight += own;
    if (PS_LIKELY(budget->weight < 2048))
        return false;
    *scale = budget->weight / own;
    budget->weight = 0;
    return true;
}
void ps_regex_budget_sampled(struct ps_regex_budget *budget, uint64_t took_ns, uint64_t allowed_ns,
                             uint32_t scale);
/* Logs that a match of the expression was given up by its own limits, at most once every 10 s. */
void ps_regex_budget_gave_up(struct ps_regex_budget *budget, const struct ps_regex *regex);
