/* What the parts of a live rule set share: rules/live.c (what stages call), rules/live_load.c (file -> set),
 * rules/live_thread.c (when to load, and how to publish), rules/live_series.c (numbers).
 *
 * Two threads at most: "rules", which waits, publishes, logs and never works hard; and, while there is
 * something to load or to free, one more at SCHED_IDLE, for which "rules" waits. So the one with no claim to
 * a CPU never holds a lock (the log's, liburcu's) that a worker or the control thread may want. */
#pragma once

#include <pthread.h>
#include <sched.h>

#include "core/engine/swap.h"
#include "stages/rules/live.h"
#include "stages/rules/live_watch.h"

/* What workers read: published as one pointer, const from then on. */
struct ps_rules_version {
    struct ps_rules_set *set;
    unsigned scratch_count;
    struct ps_rules_scratch *scratches[]; /* one for each instance */
};

/* One worker's. */
struct ps_rules_instance {
    /* Kept over the end of `work`, because a lease is half done with it; else NULL. Written by the worker,
     * read by the rules thread after a grace period. */
    const struct ps_rules_version *held;
    const struct ps_rules_version *used; /* the worker's own: since acquire */
} PS_ALIGNED_GAP;

/* One attempt to load. */
struct ps_rules_attempt {
    struct ps_rules_live *live;
    struct ps_arena *arena;
    struct ps_rules_problems *problems; /* in it; and the files that were read */
    struct ps_rules_version *version;   /* NULL: see problems, or `cancelled` */
    struct ps_rules_set_report report;
    size_t rules, patterns;     /* relaxed: for the log, when it takes long */
    uint64_t began_ns, said_ns; /* the waiting thread's */
    bool idle;                  /* leave the CPUs to workers */
    bool cancelled;
};

struct ps_rules_live {
    struct ps_swap swap; /* to a struct ps_rules_version */
    struct ps_rules_instance *instances;
    struct ps_rules_live_options options;
    struct ps_rules_book *book;
    cpu_set_t cpus; /* of the process, before workers were pinned */
    bool cpus_known;
    int wake_fd; /* eventfd: wishes */

    pthread_mutex_t lock; /* of what follows */
    bool started;
    struct ps_rules_version *version;  /* the one published; not freed while the lock is held */
    struct ps_rules_version *retiring; /* the one before, until it is freed */
    struct ps_matcher_counts past;     /* of versions that were freed */
    struct ps_rules_live_state state;
    pthread_t thread;

    /* The rules thread's alone (before it is started: control's; while it waits for the idle one: that
     * one's). */
    struct ps_rules_watch *watch;
    struct ps_rules_attempt good; /* what the rules at work were made of */
    struct ps_rules_attempt bad;  /* the last one, if it failed; else without an arena */
    bool stop, wanted;            /* wishes seen */
    bool dirty;                   /* something changed since the last attempt */
    bool patient;                 /* the last attempt was overtaken: the next one is not */
    uint64_t first_ns, latest_ns; /* changes since the last attempt */
    unsigned unsettled;           /* attempts in a row that read something else than what is there now */
};

/* Reads, compiles and makes every scratch: into *attempt, zeroed but for `live`, `idle` and `began_ns`.
 * Thread: control (build), or the idle one. */
void ps_rules_attempt_run(struct ps_rules_attempt *attempt);
/* Logs that it takes long, when it does. Thread: the one that waits for it (at build: the same). */
void ps_rules_attempt_say(struct ps_rules_attempt *attempt);
/* Not its version. */
void ps_rules_attempt_fini(struct ps_rules_attempt *attempt);
/* Whether the files are what the attempt read, those missing that were. */
bool ps_rules_attempt_is_current(const struct ps_rules_attempt *attempt);
/* What is watched from now on: the files of an attempt. */
void ps_rules_attempt_follow(const struct ps_rules_attempt *attempt);
/* Calls `line` for every problem that was kept, and for how many were not. */
void ps_rules_attempt_each(const struct ps_rules_attempt *attempt,
                           void (*line)(void *argument, enum ps_rules_severity severity, const char *text),
                           void *argument);
void ps_rules_version_destroy(struct ps_rules_version *version);

/* Asked while something is compiled on the idle thread: stopped, or changed meanwhile. */
bool ps_rules_live_is_overtaken(struct ps_rules_live *live);
/* What a load came to, for `state` and the log: a version (already at work), or problems. Takes the lock. */
void ps_rules_live_note(struct ps_rules_live *live, const struct ps_rules_attempt *attempt);
/* The files are again what the rules at work were made of. */
void ps_rules_live_forgive(struct ps_rules_live *live);

void *ps_rules_live_thread(void *live);
enum ps_rules_wish { PS_RULES_WISH_REREAD, PS_RULES_WISH_STOP };
void ps_rules_live_wish(struct ps_rules_live *live, enum ps_rules_wish wish);

/* Adds what a version's scratches counted. Under the lock. */
void ps_rules_version_count(const struct ps_rules_version *version, struct ps_matcher_counts *counts);
