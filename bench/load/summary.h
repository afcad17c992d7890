/* Prints and writes the results of a load run: progress once a second, the summary, the manifest. Thread: the
 * main one. */
#pragma once

#include "bench/load/load.h"

/* One second of a run. */
struct ps_load_progress {
    double t, asked_rate, rate; /* rate: completed in this second; asked < 0: closed loop */
    uint64_t due, sent, completed, failed, backlog, bytes, memory_up, lanes;
    const struct ps_histogram *latency_ns; /* of this second */
    bool outage;
    const char *error; /* NULL: none */
};
void ps_summary_progress(struct ps_live *live, const struct ps_load_progress *progress);

/* Makes the summary as an object. Owns: the caller. */
json_t *ps_summary_object(const struct ps_load_result *result);
void ps_summary_write(struct ps_live *live, const struct ps_load_config *config,
                      const struct ps_load_result *result);

/* Writes {"run":"3fa9c2","start":"..","seconds":..,"size_bytes":..,"sources":[..]} to a temporary file and
 * renames it. */
enum ps_status ps_summary_manifest_write(const char *path, const struct ps_load_result *result,
                                         struct ps_err *err);
