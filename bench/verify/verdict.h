/* What can be said of a run's events, and what cannot: the counts against what was sent.
 *
 * Lost is an event that was sent and had not arrived when verify ended. How many were sent is known from a
 * manifest, from a number the user gives, or from the marks on the sources' last events; where it is not
 * known, lost is not 0 but unknown, and at least what is missing below the highest numbers seen.
 *
 * Thread: one at a time. */
#pragma once

#include "bench/verify/account.h"
#include "bench/verify/manifest.h"

#define PS_VERDICT_MANIFESTS_MAX 16U

/* What the user and load say was sent. */
struct ps_expected {
    bool events_known;
    uint64_t events;                           /* in all */
    uint32_t sources;                          /* how many there are; 0: not said */
    unsigned manifest_count, manifest_missing; /* read; named and not there yet */
    struct ps_manifest manifests[PS_VERDICT_MANIFESTS_MAX];
};

enum ps_known { PS_KNOWN_NOT, PS_KNOWN_MANIFEST, PS_KNOWN_EVENTS, PS_KNOWN_MARKS };
const char *ps_known_name(enum ps_known known); /* "manifest", "events", "last marks" */

struct ps_verdict {
    enum ps_known known; /* how it is known what was sent */
    bool complete;       /* `lost` is a fact */
    uint64_t lost, lost_at_least;
    uint64_t sent;                  /* with PS_KNOWN_MANIFEST and _EVENTS */
    uint64_t failed;                /* of them, what load itself could not deliver (manifest) */
    struct ps_tracker_counts tally; /* of the runs looked at */
    uint64_t other_runs;            /* records of runs not looked at */
    uint64_t early, due_before, source_count;
    unsigned run_count; /* looked at */
    uint32_t run;       /* the first of them, or the one that was wanted */
    bool run_known;
    char why[512]; /* not complete: the reason and the cure; else "" */
    struct ps_tracker_facts facts;
    int exit_code; /* 0 all there, once, in order and whole; 1 not; 2 cannot be told */
};

/* What far ends may have lost themselves. */
void ps_verdict_make(struct ps_verdict *verdict, const struct ps_account *account,
                     const struct ps_expected *expected, bool lossy);

/* Whether this run counts: it is in a manifest, or there is none. */
bool ps_verdict_looks_at(const struct ps_expected *expected, uint32_t run);

/* Of one source: the number after its last event, when it is known and nothing contradicts it. */
bool ps_verdict_end(const struct ps_expected *expected, const struct ps_source *source, uint64_t *end);

/* How many distinct events have come, of how many; false when it is not known how many there are. For ending
 * when all are there. */
bool ps_verdict_progress(const struct ps_account *account, const struct ps_expected *expected,
                         struct ps_tracker_counts *tally, uint64_t *sent);
