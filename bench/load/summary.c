#include "bench/load/summary.h"
#include "bench/support/output.h"
#include "core/quantity.h"
#include "core/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLOCK_STEP_MS 10.0             /* smaller steps are not printed */
#define BUNCHED_NS (10 * PS_NS_PER_MS) /* an event later than this came in a bunch with the next */

static json_t *integer(uint64_t number)
{
    return json_integer((json_int_t)number);
}

/* ---- progress ---- */

static void progress_object(struct ps_live *live, const struct ps_load_progress *progress)
{
    static const double percentiles[] = {50, 99};
    json_t *object = json_pack(
        "{s:s,s:f,s:f,s:o,s:o,s:o,s:o,s:o,s:f,s:o,s:o,s:o,s:b}", "type", "progress", "t", progress->t,
        "asked", progress->asked_rate < 0 ? 0 : progress->asked_rate, "due", integer(progress->due), "sent",
        integer(progress->sent), "completed", integer(progress->completed), "failed",
        integer(progress->failed), "backlog", integer(progress->backlog), "rate", progress->rate, "bytes",
        integer(progress->bytes), "connections_up", integer(progress->memory_up), "latency_ns",
        ps_live_percentiles(progress->latency_ns, percentiles, 2), "outage", progress->outage);
    if (progress->error != NULL)
        json_object_set_new(object, "error", json_string(progress->error));
    ps_live_object(live, object, true);
}

static void progress_line(struct ps_live *live, const struct ps_load_progress *progress)
{
    char asked[PS_QUANTITY_TEXT_BYTES + 4] = "closed loop", error[PS_SENDER_REASON_BYTES + 32] = "";
    bool behind = progress->backlog > (uint64_t)(progress->asked_rate / 10) && progress->asked_rate >= 0;
    const char *plain = ps_live_style(live, PS_LIVE_PLAIN);
    if (progress->failed > 0)
        snprintf(error, sizeof error, "  failed %s", ps_quantity_print_count(progress->failed).text);
    if (progress->outage && progress->error != NULL)
        snprintf(error, sizeof error, "  OUTAGE: %s", progress->error);
    if (progress->asked_rate >= 0)
        snprintf(asked, sizeof asked, "of %s", ps_quantity_print_rate(progress->asked_rate).text);
    ps_live_status(live, "%5.0f s  %s%s%s %s  backlog %s%s%s  p50 %s  p99 %s%s%s", progress->t,
                   ps_live_style(live, behind ? PS_LIVE_WARN : PS_LIVE_GOOD),
                   ps_quantity_print_rate(progress->rate).text, plain, asked,
                   ps_live_style(live, behind ? PS_LIVE_WARN : PS_LIVE_PLAIN),
                   ps_quantity_print_count(progress->backlog).text, plain,
                   ps_quantity_print_ns(ps_histogram_percentile(progress->latency_ns, 50)).text,
                   ps_quantity_print_ns(ps_histogram_percentile(progress->latency_ns, 99)).text,
                   ps_live_style(live, PS_LIVE_BAD), error);
}

void ps_summary_progress(struct ps_live *live, const struct ps_load_progress *progress)
{
    if (live->json)
        progress_object(live, progress);
    else
        progress_line(live, progress);
}

/* ---- summary ---- */

static void run_print(uint32_t run, char *text)
{
    snprintf(text, 8, "%06x", run & 0xffffffU);
}

static json_t *outages_array(const struct ps_load_result *result)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < result->outage_count; i++)
        json_array_append_new(array,
                              json_pack("{s:f,s:f,s:s}", "t", result->outages[i].t, "seconds",
                                        result->outages[i].seconds, "reason", result->outages[i].reason));
    return array;
}

static json_t *gaps_object(const struct ps_histogram *gap_ns)
{
    static const double percentiles[] = {50, 99.9};
    json_t *object = ps_live_percentiles(gap_ns, percentiles, 2);
    json_object_set_new(object, "total", integer(gap_ns->sum));
    json_object_set_new(object, "count", integer(gap_ns->count));
    return object;
}

json_t *ps_summary_object(const struct ps_load_result *result)
{
    static const double errors[] = {50, 90, 99, 99.9}, latencies[] = {50, 90, 99, 99.9, 99.99};
    const struct ps_statistics *total = &result->total;
    char run[8];
    run_print(result->run, run);
    json_t *object =
        json_pack("{s:s,s:s,s:o,s:o,s:o,s:f,s:f,s:f,s:b,s:b,s:b}", "type", "summary", "run", run,
                  "source_first", integer(result->source_first), "sources", integer(result->source_count),
                  "start_unix_ns", json_integer(result->start_wall_ns), "seconds", result->seconds,
                  "asked_rate", result->asked_rate, "achieved_rate", result->achieved_rate, "held",
                  result->held, "closed_loop", result->closed_loop, "interrupted", result->interrupted);
    json_t *counts = json_pack(
        "{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:f}", "due", integer(result->due), "sent", integer(total->sent),
        "completed", integer(total->completed), "failed", integer(total->failed), "undelivered",
        integer(ps_load_result_undelivered(result)), "backlog_max", integer(result->backlog_max), "bytes",
        integer(total->bytes), "cpu_seconds", result->cpu_seconds);
    json_t *times = json_pack(
        "{s:o,s:o,s:o,s:o,s:s,s:o,s:f}", "schedule_error_ns",
        ps_live_percentiles(&total->schedule_error_ns, errors, 4), "schedule_error_net_ns",
        ps_live_percentiles(&total->schedule_error_net_ns, errors, 4), "witness_gap_ns",
        gaps_object(&total->gap_ns), "latency_ns", ps_live_percentiles(&total->latency_ns, latencies, 5),
        "completion", result->completion == PS_COMPLETION_WRITTEN ? "written" : "acknowledged", "outages",
        outages_array(result), "clock_step_ms", result->clock_step_ms);
    json_object_set_new(times, "schedule_late",
                        integer(total->schedule_error_ns.count -
                                ps_histogram_count_upto(&total->schedule_error_ns, BUNCHED_NS)));
    json_object_update(object, counts);
    json_object_update(object, times);
    json_decref(counts);
    json_decref(times);
    json_t *reasons = json_array();
    for (uint32_t i = 0; i < result->reason_count; i++)
        json_array_append_new(reasons, json_pack("{s:s,s:o}", "reason", result->reasons[i].text, "events",
                                                 integer(result->reasons[i].count)));
    json_object_set_new(object, "failures", reasons);
    return object;
}

static struct ps_quantity_text late(const struct ps_histogram *histogram, double percentile)
{
    return ps_quantity_print_ns(percentile < 100 ? ps_histogram_percentile(histogram, percentile)
                                                 : histogram->max);
}

static void print_counts(struct ps_live *live, const struct ps_load_result *result)
{
    const struct ps_statistics *total = &result->total;
    uint64_t undelivered = ps_load_result_undelivered(result);
    ps_live_print(live, "  %s        %16s events in %s\n", result->closed_loop ? "sent" : "due ",
                  ps_quantity_print_count(result->due).text, ps_quantity_print_s(result->seconds).text);
    ps_live_print(live, "  completed   %16s (%s)\n", ps_quantity_print_count(total->completed).text,
                  result->completion == PS_COMPLETION_WRITTEN ? "written: the kernel accepted them"
                                                              : "acknowledged by the target");
    if (total->failed > 0)
        ps_live_print(live, "  failed      %s%16s%s\n", ps_live_style(live, PS_LIVE_BAD),
                      ps_quantity_print_count(total->failed).text, ps_live_style(live, PS_LIVE_PLAIN));
    for (uint32_t i = 0; i < result->reason_count; i++)
        ps_live_print(live, "              %16s %s\n", ps_quantity_print_count(result->reasons[i].count).text,
                      result->reasons[i].text);
    if (undelivered > 0)
        ps_live_print(live, "  undelivered %s%16s%s\n", ps_live_style(live, PS_LIVE_BAD),
                      ps_quantity_print_count(undelivered).text, ps_live_style(live, PS_LIVE_PLAIN));
    ps_live_print(
        live, "  bytes       %16s (%s/s)\n", ps_quantity_print_bytes(total->bytes).text,
        ps_quantity_print_bytes(result->seconds > 0 ? (uint64_t)((double)total->bytes / result->seconds) : 0)
            .text);
    if (!result->closed_loop)
        ps_live_print(live, "  backlog     %16s events at most\n",
                      ps_quantity_print_count(result->backlog_max).text);
    ps_live_print(live, "  CPU         %16s\n", ps_quantity_print_s(result->cpu_seconds).text);
}

static void print_times(struct ps_live *live, const struct ps_load_result *result)
{
    const struct ps_statistics *total = &result->total;
    if (total->latency_ns.count == 0)
        ps_live_print(live, "  latency     none: no event was completed\n");
    else
        ps_live_print(live, "  latency     p50 %s, p99 %s, p99.9 %s, p99.99 %s, max %s (%s)\n",
                      late(&total->latency_ns, 50).text, late(&total->latency_ns, 99).text,
                      late(&total->latency_ns, 99.9).text, late(&total->latency_ns, 99.99).text,
                      late(&total->latency_ns, 100).text,
                      result->closed_loop
                          ? "closed loop: from rendering, so delays by a full target do not show"
                          : "from when each event was due");
    if (result->closed_loop)
        return;
    ps_live_print(live,
                  "  schedule    p99.9 %s late, %s without the gaps in which the core was lost (%s %s, %s "
                  "in all, the longest %s)\n",
                  late(&total->schedule_error_ns, 99.9).text, late(&total->schedule_error_net_ns, 99.9).text,
                  ps_quantity_print_count(total->gap_ns.count).text,
                  ps_quantity_word(total->gap_ns.count, "gap", "gaps"),
                  ps_quantity_print_ns(total->gap_ns.sum).text, late(&total->gap_ns, 100).text);
}

static void print_end(struct ps_live *live, const struct ps_load_config *config,
                      const struct ps_load_result *result)
{
    char run[8], asked[PS_QUANTITY_TEXT_BYTES + 16] = "";
    run_print(result->run, run);
    if (!result->closed_loop)
        snprintf(asked, sizeof asked, " of %s asked", ps_quantity_print_event_rate(result->asked_rate).text);
    bool good = result->held && ps_load_result_code(result) == 0;
    ps_live_print(
        live, "%s%s%s  %s%s  run %s, source%s %u", ps_live_style(live, good ? PS_LIVE_GOOD : PS_LIVE_BAD),
        result->closed_loop ? "CLOSED LOOP"
        : result->held      ? "HELD"
                            : "NOT HELD",
        ps_live_style(live, PS_LIVE_PLAIN), ps_quantity_print_event_rate(result->achieved_rate).text, asked,
        run, result->source_count > 1 ? "s" : "", result->source_first);
    if (result->source_count > 1)
        ps_live_print(live, " to %u", result->source_first + result->source_count - 1);
    ps_live_print(live, "%s\n  target      %s\n", result->interrupted ? " (interrupted)" : "",
                  config->target);
    print_counts(live, result);
    print_times(live, result);
    for (uint32_t i = 0; i < result->outage_count; i++)
        ps_live_print(live, "  outage      at %s for %s: %s\n",
                      ps_quantity_print_s(result->outages[i].t).text,
                      ps_quantity_print_s(result->outages[i].seconds).text, result->outages[i].reason);
    if (fabs(result->clock_step_ms) > CLOCK_STEP_MS)
        ps_live_print(live, "  clock       the wall clock moved %s by %s during the run; due times did not\n",
                      result->clock_step_ms < 0 ? "back" : "forward",
                      ps_quantity_print_s(fabs(result->clock_step_ms) / 1e3).text);
}

void ps_summary_write(struct ps_live *live, const struct ps_load_config *config,
                      const struct ps_load_result *result)
{
    if (live->json)
        ps_live_object(live, ps_summary_object(result), false);
    else
        print_end(live, config, result);
}

/* ---- manifest ---- */

static json_t *manifest_object(const struct ps_load_result *result)
{
    char run[8], start[64];
    run_print(result->run, run);
    size_t length =
        ps_utc_print(start, sizeof start, "%Y-%m-%dT%H:%M:%S", result->start_wall_ns / (int64_t)PS_NS_PER_S);
    snprintf(start + length, sizeof start - length, ".%09lldZ",
             (long long)(result->start_wall_ns % (int64_t)PS_NS_PER_S));
    json_t *sources = json_array();
    for (uint32_t i = 0; i < result->source_count; i++) {
        const struct ps_load_source *source = &result->sources[i];
        json_t *object = json_pack("{s:o,s:o,s:o,s:o}", "source", integer(result->source_first + i), "events",
                                   integer(source->events), "completed", integer(source->completed), "failed",
                                   integer(source->failed));
        if (source->unfinished_from < source->events)
            json_object_set_new(object, "unfinished_from", integer(source->unfinished_from));
        json_array_append_new(sources, object);
    }
    json_t *manifest =
        json_pack("{s:s,s:s,s:f,s:o,s:o}", "run", run, "start", start, "seconds", result->seconds,
                  "size_bytes", integer(result->size_bytes), "sources", sources);
    if (result->running)
        json_object_set_new(manifest, "running", json_true());
    return manifest;
}

enum ps_status ps_summary_manifest_write(const char *path, const struct ps_load_result *result,
                                         struct ps_err *err)
{
    char *text;
    size_t length;
    FILE *file = ps_must_open_text(&text, &length, "a manifest");
    json_t *manifest = manifest_object(result);
    json_dumpf(manifest, file, JSON_COMPACT | JSON_REAL_PRECISION(12));
    fputc('\n', file);
    fclose(file);
    enum ps_status status = ps_output_write(path, text, length, err);
    if (status != PS_OK)
        ps_err_append(err, "writing --manifest");
    json_decref(manifest);
    free(text);
    return status;
}
