/* A complete run of load: creates target, content and schedule, starts, watches and joins the senders, and
 * collects the result. Thread: the main one. */
#pragma once

#include "bench/load/content/content.h"
#include "bench/load/sender.h"
#include "bench/load/shape/shape.h"
#include "bench/support/live.h"

#include <signal.h>

#define PS_LOAD_CPUS_MAX 256U
#define PS_LOAD_THREADS_MAX 256U
#define PS_LOAD_CONNECTIONS_MAX 65536U

struct ps_load_config {
    const char *target;               /* URL */
    struct ps_content_config content; /* the run sets framing, run and seed */
    struct ps_shape_config shape;
    uint64_t event_max;   /* 0: no limit */
    uint32_t connections; /* sources */
    uint64_t connect_over_ns;
    uint32_t threads;   /* 0: as many as needed */
    uint32_t cpu_count; /* 0: not pinned */
    int cpus[PS_LOAD_CPUS_MAX];
    bool spin;
    uint64_t seed;
    int64_t start_wall_ns; /* since the epoch; 0: now */
    uint32_t run;          /* the run number in the stamps */
    uint32_t source_first;
    const char *manifest; /* NULL: none */
    uint64_t settle_ns;
    uint64_t every_ns; /* interval between progress reports */
    double tolerance;  /* share of the asked rate that may be missing */
    /* Time for which the target may refuse connections at the start; PS_NEVER: for ever. */
    uint64_t connect_ns;
    const volatile sig_atomic_t *interrupts; /* 1: end in order, 2: end immediately */
};

/* The result of a run. Times are seconds since the schedule's start. */
struct ps_load_result {
    uint32_t run, source_first, source_count;
    double seconds; /* duration of the schedule */
    double asked_rate, achieved_rate;
    bool held, closed_loop, interrupted;
    bool running; /* for a manifest that is written while the run goes on */
    uint64_t due, backlog_max;
    struct ps_statistics total;
    double cpu_seconds;
    enum ps_completion completion;
    double clock_step_ms;
    int64_t start_wall_ns;
    uint32_t size_bytes;
    uint32_t outage_count;
    struct ps_load_outage {
        double t, seconds;
        char reason[PS_SENDER_REASON_BYTES];
    } outages[PS_SENDER_OUTAGES];
    uint32_t reason_count;
    struct ps_sender_reason reasons[PS_SENDER_REASONS];
    struct ps_load_source {
        uint64_t events;    /* given to the target: numbered 0 to events - 1 */
        uint64_t completed; /* of these */
        uint64_t failed;    /* of these: refused for good */
        uint64_t
            unfinished_from; /* the lowest number that is neither completed nor failed; `events`: there is none */
    } * sources;             /* `source_count` items */
};

/* Refuses what `penstock load` would not start with: an unknown scheme, a missing or wrong part of the URL, a host without
 * an address. Opens nothing; blocks while a name is resolved. */
enum ps_status ps_load_target_check(const char *target, struct ps_err *err);

/* Returns PS_FAIL when the run could not start or the manifest could not be written. Owns: the caller calls
 * ps_load_result_fini in any case. */
enum ps_status ps_load_run(const struct ps_load_config *config, struct ps_live *live,
                           struct ps_load_result *result, struct ps_err *err);
void ps_load_result_fini(struct ps_load_result *result);

/* Returns the number of events that were due and neither completed nor failed. */
uint64_t ps_load_result_undelivered(const struct ps_load_result *result);
/* Returns the exit code: 0: the rate was held; 1: events failed or were not delivered; 3: the asked rate was not
 * held. */
int ps_load_result_code(const struct ps_load_result *result);
