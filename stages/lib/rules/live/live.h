/* A rule set that follows its file. It loads and compiles a rules file at build and watches the file and
 * its includes (inotify on their folders, so it sees renames by editors, `cp` and replaced links). It
 * compiles changes on a thread at SCHED_IDLE and publishes the new set with one RCU pointer. If the file
 * is bad, missing or half written, the old rules stay; the log (with line and column) and metrics say why.
 *
 * Each stage plan (selector or interceptor `rules`) has one. */
#pragma once

#include "stages/lib/rules/set.h"

struct ps_rules_live;

/* The texts must outlive the live set. `set.counters` are made by ps_rules_live_create. */
struct ps_rules_live_options {
    const char *file;
    int64_t settle_ms; /* quiet time after a change before the file is read */
    bool watch;
    struct ps_rules_set_options set;
    const char *component; /* for the log */
};

/* Loads and compiles the file. Returns NULL with the problems in `err`, as many as fit, when the file is bad.
 * Thread: control, at build. */
struct ps_rules_live *ps_rules_live_create(const struct ps_rules_live_options *options, struct ps_err *err);
/* Stops the rules thread and releases everything. No worker may use the live set during this call or later. A
 * running compilation is cancelled. */
void ps_rules_live_destroy(struct ps_rules_live *live);

/* The first call starts the rules thread. Thread: the worker, at open. */
enum ps_status ps_rules_live_open(struct ps_rules_live *live, unsigned instance, struct ps_err *err);

/* Returns the set to use for a new lease and this worker's scratch for it. Valid until the end of this
 * call of `work`. If ps_rules_set_work returned PS_RETRY, the set stays valid until ps_rules_live_release,
 * because it must finish the lease. */
const struct ps_rules_set *ps_rules_live_acquire(struct ps_rules_live *live, unsigned instance,
                                                 struct ps_rules_scratch **scratch);
void ps_rules_live_release(struct ps_rules_live *live, unsigned instance, bool finished);

/* Asks the rules thread to read the file again now (SIGHUP). Does not wait. Thread: any. */
void ps_rules_live_reread(struct ps_rules_live *live);

struct ps_rules_live_state {
    uint64_t generation; /* number of sets published so far */
    uint64_t reloads, reloads_failed;
    uint64_t overtaken; /* number of loads that were ended because the files changed again */
    uint32_t rules, patterns;
    uint64_t compile_ns, database_bytes, scratch_bytes;
    bool cached;
    int64_t loaded_ms; /* wall clock time at which the current set was published */
    char error[512];   /* why the last reload failed; "" when it did not */
};
void ps_rules_live_look(struct ps_rules_live *live, struct ps_rules_live_state *state);
/* Reports rule counters, generation, reloads, sizes and scan errors, for ps_stage_ops.series. Thread: any. */
void ps_rules_live_series(struct ps_rules_live *live,
                          void (*add)(void *argument, const struct ps_series *series), void *argument);
