/* Exports of a result document for other tools: CSV, and HdrHistogram's two text formats. Each function writes the
 * whole file or none (bench/support/output.h). Debian 12 has no HdrHistogram library for C, so the formats are written
 * here; tests/real/hdr_histogram_test.sh reads the files with the Java library.
 *
 * Thread: any, at the end of a plan. */
#pragma once

#include "core/status.h"

#include <jansson.h>

/* Writes one row for each trial (RFC 4180, with a header). Figures that were not measured are empty. */
enum ps_status ps_export_csv(const json_t *document, const char *path, struct ps_err *err);

/* Writes the latencies at the first goal's result, in ms: the table that HdrHistogram's outputPercentileDistribution
 * prints with five steps for each halving of the distance to 100 %. PS_FAIL when no trial at that rate has latencies.
 */
enum ps_status ps_export_hgrm(const json_t *document, const char *path, struct ps_err *err);

/* Writes the latencies of all trials, in ns, as a histogram log (format 1.3, encoding V2): one line for each trial with
 * the tag trial-NUMBER/GOAL/RATE/VERDICT. The log has two significant digits, with which its buckets are the same as in
 * core/watch/histogram.h, so nothing is lost. PS_FAIL when no trial has latencies. */
enum ps_status ps_export_hlog(const json_t *document, const char *path, struct ps_err *err);
