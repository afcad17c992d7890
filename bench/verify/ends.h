/* When a verification ends, as rules over what was seen: no clock and no file is looked at here, but for the
 * manifests, which are read when they appear or change.
 *
 * Thread: one at a time. */
#pragma once

#include "bench/verify/verdict.h"

#include <sys/stat.h>

enum ps_end {
    PS_END_NOT,
    PS_END_ALL,      /* all that was sent is there, and nothing more came for a while */
    PS_END_IDLE,     /* nothing came for the time --idle says */
    PS_END_NOTHING,  /* nothing came at all */
    PS_END_DURATION, /* --duration is over */
    PS_END_FAR,      /* the far ends were read to their ends */
    PS_END_SIGNAL,
    PS_END_FAILED, /* a far end or a manifest cannot be read */
};
const char *ps_end_name(enum ps_end end);

struct ps_ends {
    uint64_t start_ns, idle_ns;
    uint64_t duration_ns; /* 0: for ever */
    uint64_t all_ns;      /* its own: since when all are there; 0: not yet */
};

struct ps_ends_state {
    uint64_t now_ns;
    uint64_t active_ns; /* when the last event came; 0: none yet */
    bool interrupted, failed, far_over;
    bool manifest_missing; /* named and not there yet */
    bool known;            /* `sent` is */
    uint64_t sent, received;
};

/* All are there: another second of silence shows late duplicates; --idle when it is shorter. Silence: --idle,
 * but before the first event 30 s (unless a duration is given) and while a manifest is still to be written
 * 60 s, each unless --idle is longer. */
enum ps_end ps_ends_check(struct ps_ends *ends, const struct ps_ends_state *state);

/* What of a manifest's file was read last. */
struct ps_manifest_file {
    bool read;
    struct stat facts;
};

/* Reads those that are new or were replaced. Files and paths: `count` of them. PS_FAIL: one is there and
 * makes no sense. */
enum ps_status ps_ends_manifests(struct ps_manifest_file *files, const char *const *paths, unsigned count,
                                 struct ps_expected *expected, struct ps_err *err);
