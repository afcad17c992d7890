/* A whole verification: far ends are read, each by a thread of its own, until an end is reached; then the
 * report. Blocks SIGINT and SIGTERM and takes them itself: they end it, with the report.
 *
 * Thread: the main one. */
#pragma once

#include "bench/verify/far_end.h"
#include "bench/verify/verdict.h"

#define PS_VERIFY_FROM_MAX 16U
#define PS_VERIFY_IDLE_NS UINT64_C(5000000000)   /* silence after the first event */
#define PS_VERIFY_FIRST_NS UINT64_C(30000000000) /* and before it */
#define PS_VERIFY_MANIFEST_NS                                                                                \
    UINT64_C(                                                                                                \
        60000000000) /* silence that ends it while the manifest is not there                            \
                           */
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
    uint32_t sources;     /* 0: not said */
    uint64_t idle_ns;     /* > 0 */
    uint64_t duration_ns; /* 0: until another end */
    uint64_t memory_bytes;
    uint64_t every_ns; /* a progress each */
    bool json, quiet;
};

/* Returns the exit code: 0 nothing lost, duplicated, reordered or corrupted; 1 something was; 2 it could not
 * be found out. */
int ps_verify_run(const struct ps_verify_options *options);

/* The far end of this scheme, NULL: there is none. */
const struct ps_far_end_ops *ps_verify_far_end(const char *scheme);
