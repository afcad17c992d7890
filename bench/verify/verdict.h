/* Compares the counts of a run with what was sent, and decides what is known and what is not.
 *
 * An event is lost when it was sent and had not arrived when verify ended. The number sent is known from a manifest,
 * from a number the user gives, or from the marks on the sources' last events. When it is not known, the number of
 * lost events is not 0 but unknown, and at least the number missing below the highest numbers seen.
 *
 * Thread: one at a time. */
#pragma once

#include "bench/verify/account.h"
#include "bench/verify/manifest.h"

#define PS_VERDICT_MANIFESTS_MAX 16U

/* The events that were sent, according to the user and load. */
struct ps_expected {
    bool events_known;
    uint64_t events;  /* in total */
    uint32_t sources; /* number of sources; 0: not given */
    /* number of manifests that were read, and of manifests that were named but are not written yet */
    unsigned manifest_count, manifest_missing;
    unsigned manifest_running; /* of those that were read: load goes on, or was killed */
    struct ps_manifest manifests[PS_VERDICT_MANIFESTS_MAX];
};

enum ps_known { PS_KNOWN_NOT, PS_KNOWN_MANIFEST, PS_KNOWN_EVENTS, PS_KNOWN_MARKS };
const char *ps_known_name(enum ps_known known); /* "manifest", "events", "last marks" */

struct ps_verdict {
    enum ps_known known; /* how the number of events sent is known */
    bool complete;       /* `lost` is exact */
    uint64_t lost, lost_at_least;
    uint64_t sent; /* for PS_KNOWN_MANIFEST and _EVENTS */
    /* From the manifest: those of the sent events that the target refused, and those that are missing because load did not
     * complete them. The pipeline lost none of these. */
    uint64_t failed, not_written;
    struct ps_tracker_counts tally; /* of the runs that count */
    uint64_t
        half_written; /* events that load had begun to write when it ended; neither in tally.cut nor in broken */
    uint64_t broken;     /* records with a damaged stamp */
    uint64_t other_runs; /* records of other runs */
    uint64_t early, due_before, source_count;
    unsigned run_count; /* runs that count */
    uint32_t run;       /* the first of the runs that count, or the requested run */
    bool run_known;
    char why[512]; /* when not complete: the cause and the remedy; else "" */
    struct ps_tracker_facts facts;
    int exit_code; /* 0: all events arrived, once, in order and unchanged; 1: they did not; 2: unknown */
};

/* Makes the verdict. `lossy`: far ends may have lost records themselves. */
void ps_verdict_make(struct ps_verdict *verdict, const struct ps_account *account,
                     const struct ps_expected *expected, bool lossy);

/* Returns whether this run counts: it is in a manifest, or there is no manifest. */
bool ps_verdict_looks_at(const struct ps_expected *expected, uint32_t run);

/* Writes the number after a source's last event to *end. Returns false when it is not known, or something contradicts
 * it. */
bool ps_verdict_end(const struct ps_expected *expected, const struct ps_source *source, uint64_t *end);

/* Returns how many of a source's missing events load had completed: these are lost. The others, in *not_written, were
 * refused or never written. `source` is NULL when nothing of it arrived. */
uint64_t ps_verdict_lost(const struct ps_manifest_source *entry, const struct ps_source *source,
                         uint64_t *not_written);
/* Returns what the manifests say about a source, or NULL. */
const struct ps_manifest_source *ps_verdict_entry(const struct ps_expected *expected,
                                                  const struct ps_source *source);

/* Counts the distinct events that have arrived, and those sent; returns false when the number sent is not
 * known. Used to end when everything has arrived. */
bool ps_verdict_progress(const struct ps_account *account, const struct ps_expected *expected,
                         struct ps_tracker_counts *tally, uint64_t *sent);
