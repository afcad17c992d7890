/* A rule set kept up to date: loads and compiles a rules file at build, watches it and its includes (inotify
 * on their folders, so that editors' renames, `cp` and exchanged links are seen), has what changed compiled
 * at SCHED_IDLE, and swaps the new set in behind one RCU pointer. A file that is bad, gone or half written
 * leaves the old rules running and says why in the log, with line and column, and in metrics.
 *
 * One of these is made by each stage plan (selector or interceptor `rules`). */
#pragma once

#include "stages/rules/set.h"

struct ps_rules_live;

/* Its texts outlive the live set; `set.book` is made here. */
struct ps_rules_live_options {
    const char *file;
    int64_t settle_ms; /* quiet time after a change before the file is read */
    bool watch;
    struct ps_rules_set_options set;
    const char *component; /* for the log */
};

/* Loads and compiles; NULL: the file is bad (all problems in `err`, as many as fit). Thread: control, at
 * build. */
struct ps_rules_live *ps_rules_live_create(const struct ps_rules_live_options *options, struct ps_err *err);
/* No worker uses it any more. Stops the thread; waits for a compilation under way only as long as it takes to
 * cancel it. */
void ps_rules_live_destroy(struct ps_rules_live *live);

/* Starts the watching thread at the first call. Thread: the worker's, at open. */
enum ps_status ps_rules_live_open(struct ps_rules_live *live, unsigned instance, struct ps_err *err);

/* The set to use for a new lease, with this worker's scratch for it. Good until the end of this call of
 * `work`, or until ps_rules_live_release when ps_rules_set_work said PS_RETRY: a set that is half way through
 * a lease is kept. */
const struct ps_rules_set *ps_rules_live_acquire(struct ps_rules_live *live, unsigned instance,
                                                 struct ps_rules_scratch **scratch);
void ps_rules_live_release(struct ps_rules_live *live, unsigned instance, bool finished);

/* Read the file again now (SIGHUP). Does not wait. Thread: any. */
void ps_rules_live_reread(struct ps_rules_live *live);

struct ps_rules_live_state {
    uint64_t generation; /* sets published so far */
    uint64_t reloads, reloads_failed;
    uint32_t rules, patterns;
    uint64_t compile_ns, database_bytes, scratch_bytes;
    bool cached;
    int64_t loaded_ms; /* wall clock of the current set */
    char error[512];   /* why the last reload failed; "" when it did not */
};
void ps_rules_live_look(struct ps_rules_live *live, struct ps_rules_live_state *state);
/* Rules' counters, generation, reloads, sizes, scan errors: for ps_stage_ops.series. Thread: any. */
void ps_rules_live_series(struct ps_rules_live *live,
                          void (*add)(void *argument, const struct ps_series *series), void *argument);
