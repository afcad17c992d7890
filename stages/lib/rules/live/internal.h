/* Declarations that the parts of a live rule set share:
 *   live.c     the functions that stages call
 *   load.c     makes a rule set from a file
 *   thread.c   loads when it is time (pace.h), and publishes
 *   series.c   metrics
 *
 * There are at most two threads. "rules" waits, publishes and logs, and uses little CPU time. While there
 * is something to load or to free, "rules" starts a second thread at SCHED_IDLE and waits for it. The idle
 * thread may get no CPU for a long time, so it never holds a lock (the log's, liburcu's) that a worker or
 * the control thread may need. */
#pragma once

#include <pthread.h>

#include "rings/swap.h"
#include "stages/lib/rules/live/live.h"
#include "stages/lib/rules/live/pace.h"
#include "stages/lib/rules/live/watch.h"

/* The data that workers read: published as one pointer, const after that. */
struct ps_rules_version {
    struct ps_rules_set *set;
    unsigned scratch_count;
    struct ps_rules_scratch *scratches[]; /* one per instance */
};

/* The state of one worker. */
struct ps_rules_instance {
    /* The version that must finish a lease in a later call of `work`; else NULL. Written by the worker,
     * read by the rules thread after a grace period. */
    const struct ps_rules_version *held;
    const struct ps_rules_version *used; /* the version acquired for this call; only the worker uses it */
} PS_ALIGNED_GAP;

/* One attempt to load. */
struct ps_rules_attempt {
    struct ps_rules_live *live;
    struct ps_arena *arena;
    struct ps_rules_problems *problems; /* in the arena; also has the files that were read */
    struct ps_rules_version *version;   /* NULL: see problems, or `cancelled` */
    struct ps_rules_set_report report;
    size_t rules, patterns;     /* for the log line when it takes long; accessed relaxed */
    uint64_t began_ns, said_ns; /* used by the waiting thread */
    bool idle;                  /* runs at SCHED_IDLE */
    bool restless;              /* began although the files kept changing */
    bool cancelled;
};

/* Counts loads while the files keep changing: the first one is logged as usual; then one line every 10 s sums
 * up the loads since. */
struct ps_rules_unrest {
    uint64_t said_ns;         /* time of the last line; 0: the files did not change during the last load */
    uint64_t loaded, refused; /* number of loads, and of refused loads, since that line */
};

struct ps_rules_live {
    struct ps_swap swap; /* points to a struct ps_rules_version */
    struct ps_rules_instance *instances;
    struct ps_rules_live_options options;
    struct ps_rules_counters *counters;
    int wake_fd; /* eventfd: signals requests (stop, reread) */

    pthread_mutex_t lock; /* guards the members that follow */
    bool started;
    struct ps_rules_version *version;  /* the published version; not freed while the lock is held */
    struct ps_rules_version *retiring; /* the previous version, until it is freed */
    struct ps_matcher_counts past;     /* the counts of freed versions */
    struct ps_rules_live_state state;
    pthread_t thread;

    /* Only the rules thread uses the rest (before it starts: control; while it waits for the idle thread:
     * that thread). */
    struct ps_rules_watch *watch;
    struct ps_rules_attempt good; /* the attempt that made the current rules */
    struct ps_rules_attempt bad;  /* the last attempt if it failed; else it has no arena */
    bool stop;                    /* requested */
    struct ps_rules_pace pace;
    uint64_t retry_ns; /* after a failure that may pass: when the same files are read again; else PS_NEVER */
    uint64_t retry_wait_ns; /* the last wait until then; 0: the last load did not fail like that */
    struct ps_rules_unrest unrest;
};

/* Reads, compiles and makes every scratch. *attempt must be zeroed except for `live`, `idle` and `began_ns`.
 * Thread: control (build), or the idle thread. */
void ps_rules_attempt_run(struct ps_rules_attempt *attempt);
/* Logs that the attempt takes long, if it does. Thread: the one that waits for the attempt (at build: control). */
void ps_rules_attempt_say(struct ps_rules_attempt *attempt);
/* Releases the attempt but not its version. */
void ps_rules_attempt_fini(struct ps_rules_attempt *attempt);
/* Returns true when the files still have what the attempt read, and files that were missing are still missing. */
bool ps_rules_attempt_is_current(const struct ps_rules_attempt *attempt);
/* Watches the files of an attempt from now on. */
void ps_rules_attempt_follow(const struct ps_rules_attempt *attempt);
/* Calls `line` for each kept problem, and once with the number of problems that were not kept. */
void ps_rules_attempt_each(const struct ps_rules_attempt *attempt,
                           void (*line)(void *argument, enum ps_rules_severity severity, const char *text),
                           void *argument);
void ps_rules_version_destroy(struct ps_rules_version *version);

/* Returns true when the running compilation should end: the set is being stopped, or the files changed.
 * Thread: idle, while it compiles. */
bool ps_rules_live_is_overtaken(struct ps_rules_live *live);
/* Records the result of a load in `state` and the log: a version (already published), or problems. Takes the
 * lock. */
void ps_rules_live_note(struct ps_rules_live *live, const struct ps_rules_attempt *attempt);
/* When it is time, logs the loads that ps_rules_live_note has not logged. */
void ps_rules_live_unrest(struct ps_rules_live *live, uint64_t mono_ns);
/* Clears the error; called when the files are again equal to those of the current rules. */
void ps_rules_live_forgive(struct ps_rules_live *live);

void *ps_rules_live_thread(void *live);
enum ps_rules_wish { PS_RULES_WISH_REREAD, PS_RULES_WISH_STOP };
void ps_rules_live_wish(struct ps_rules_live *live, enum ps_rules_wish wish);

/* Adds the counts of a version's scratches. The caller holds the lock. */
void ps_rules_version_count(const struct ps_rules_version *version, struct ps_matcher_counts *counts);
