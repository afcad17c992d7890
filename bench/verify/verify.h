/* A complete verification: reads each far end in a thread of its own until an end is reached, then prints the
 * report. Blocks SIGINT and SIGTERM and waits for them itself: they end the verification, with the report.
 *
 * Thread: the main one. */
#pragma once

#include "bench/verify/far/end.h"
#include "bench/verify/verdict.h"

#define PS_VERIFY_FROM_MAX 16U
#define PS_VERIFY_IDLE_NS UINT64_C(5000000000)   /* silence after the first event */
#define PS_VERIFY_FIRST_NS UINT64_C(30000000000) /* silence before the first event */
/* Silence that ends the verification while the manifest does not exist. */
#define PS_VERIFY_MANIFEST_NS UINT64_C(60000000000)
#define PS_VERIFY_MEMORY_BYTES (UINT64_C(512) << 20)
#define PS_VERIFY_MEMORY_BYTES_MIN (UINT64_C(1) << 20)

struct ps_verify_options {
    const char *from[PS_VERIFY_FROM_MAX];
    unsigned from_count;
    const char *manifests[PS_VERDICT_MANIFESTS_MAX];
    unsigned manifest_count;
    bool run_only;
    uint32_t run;
    bool events_known;
    uint64_t events;
    uint32_t sources;     /* 0: not given */
    uint64_t idle_ns;     /* > 0 */
    uint64_t duration_ns; /* 0: no limit */
    uint64_t memory_bytes;
    uint64_t every_ns;    /* interval between progress reports */
    uint64_t arrivals_ns; /* length of the steps in which arrivals are counted; 0: arrivals are not counted */
    bool json, quiet;
    bool histogram;      /* with json: every latency in the summary */
    const char *compare; /* a file with the JSON of an older run; NULL: none */
};

/* Refuses a --from that is no URL, or whose scheme verify cannot read. */
enum ps_status ps_verify_from_check(const char *from, struct ps_err *err);

/* Returns the exit code: 0: no event was lost, duplicated, reordered or corrupted; 1: at least one was; 2: this could
 * not be determined; 4: a figure is worse than that of the older run. */
int ps_verify_run(const struct ps_verify_options *options);
