/* Decides from the events so far when a verification ends. Reads no clock and no files, except the manifests, which
 * it reads when they appear or change.
 *
 * Thread: one at a time. */
#pragma once

#include "bench/verify/verdict.h"

#include <sys/stat.h>

enum ps_end {
    PS_END_NOT,
    PS_END_ALL,      /* all events sent have arrived, and no more came for a while */
    PS_END_IDLE,     /* no event came for the time of --idle */
    PS_END_NOTHING,  /* no event came at all */
    PS_END_DURATION, /* --duration is over */
    PS_END_FAR,      /* the far ends were read to their ends */
    PS_END_SIGNAL,
    PS_END_FAILED, /* a far end or a manifest cannot be read */
};
const char *ps_end_name(enum ps_end end);

struct ps_ends {
    uint64_t start_ns, idle_ns;
    uint64_t duration_ns; /* 0: for ever */
    uint64_t all_ns;      /* internal: time since which everything has arrived; 0: not yet */
};

struct ps_ends_state {
    uint64_t now_ns;
    uint64_t active_ns; /* when the last event came; 0: none yet */
    bool interrupted, failed, far_over;
    bool manifest_missing; /* a manifest was named and does not exist yet, or load goes on */
    bool known;            /* `sent` is known */
    uint64_t sent, received;
};

/* Returns whether and why the verification ends. When everything has arrived: after another second of
 * silence, which shows late duplicates, or after --idle if it is shorter. Otherwise after silence of --idle,
 * or of at least 30 s before the first event (unless a duration is given), or of at least 60 s while a
 * manifest is missing. */
enum ps_end ps_ends_check(struct ps_ends *ends, const struct ps_ends_state *state);

/* The state of a manifest's file when it was last read. */
struct ps_manifest_file {
    bool read;
    struct stat facts;
};

/* Returns whether load goes on, by a manifest that says so and was written not long ago; otherwise it was killed. */
bool ps_ends_running(const struct ps_manifest_file *files, unsigned count, const struct ps_expected *expected,
                     int64_t now_s);

/* Reads the manifests that are new or were replaced; `files` and `paths` have `count` entries. Returns PS_FAIL when a
 * manifest exists and is invalid. */
enum ps_status ps_ends_manifests(struct ps_manifest_file *files, const char *const *paths, unsigned count,
                                 struct ps_expected *expected, struct ps_err *err);
