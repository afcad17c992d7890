/* Measures how well `penstock load` keeps its schedule: 1,000, 100,000 and 1,000,000 events per second over
 * TCP on loopback to a process that discards everything; the sender is pinned to one core and that process to
 * another.
 *
 *   bench_load_pacing [--seconds 10] [--rounds 1] [--only 100000]
 *
 * Prints a record for each rate. The figure is the p99.9 of the schedule error without the gaps in which the
 * spinning sender lost its core (the sender detects them); further members are the raw error, the gaps, and the
 * achieved share of the asked rate. Goals: 1 ms; 0.999. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/load.h"
#include "bench/suite/drain.h"
#include "bench/suite/paired.h"
#include "core/clock.h"

#define GOAL_NS 1e6

static void run(const char *target, int cpu, double rate, double seconds, struct ps_load_result *result)
{
    struct ps_load_config config = {
        .target = target,
        .content = {.format = "rfc3164", .size_bytes = 120, .stamp = true},
        .shape = {.rate = rate, .duration_ns = (uint64_t)(seconds * 1e9)},
        .connections = 1,
        .cpu_count = 1,
        .cpus = {cpu},
        .spin = true,
        .seed = 1,
        .settle_ns = 10 * PS_NS_PER_S,
        .every_ns = PS_LIVE_EVERY_NS,
        .connect_ns = 10 * PS_NS_PER_S,
        .tolerance = 0.001,
    };
    struct ps_live live;
    struct ps_err err = {0};
    ps_live_init(&live, stderr, true, true);
    if (ps_load_run(&config, &live, result, &err) != PS_OK) {
        fprintf(stderr, "bench_load_pacing: %s\n", err.text);
        exit(1);
    }
}

static double percentile(const struct ps_histogram *histogram, double of)
{
    return (double)ps_histogram_percentile(histogram, of);
}

static void measure(const char *variant, const char *target, int cpu, const struct ps_bench_options *options)
{
    static struct ps_load_result result;
    struct ps_paired_result figures = {.rounds = options->rounds};
    double raw[PS_ROUNDS_MAX], share[PS_ROUNDS_MAX], gaps_s = 0, gap_max = 0, max = 0;
    for (unsigned i = 0; i < options->rounds; i++) {
        run(target, cpu, strtod(variant, NULL), options->seconds, &result);
        figures.subject[i] = percentile(&result.total.schedule_error_net_ns, 99.9);
        raw[i] = percentile(&result.total.schedule_error_ns, 99.9);
        share[i] = result.achieved_rate / result.asked_rate;
        gaps_s += (double)result.total.gap_ns.sum / 1e9;
        if ((double)result.total.gap_ns.max > gap_max)
            gap_max = (double)result.total.gap_ns.max;
        if ((double)result.total.schedule_error_ns.max > max)
            max = (double)result.total.schedule_error_ns.max;
        ps_load_result_fini(&result);
    }
    struct ps_paired paired = {
        .bench = "load_pacing", .variant = variant, .unit = "ns", .lower_is_better = true, .goal = GOAL_NS};
    ps_paired_print(
        &paired, &figures,
        "\"raw_p99.9_ns\":%.0f,\"raw_max_ns\":%.0f,\"witness_gap_max_ns\":%.0f,\"witness_gap_s\":%."
        "6f,\"seconds\":%g,\"achieved_share\":%.6f",
        ps_spread_of(raw, options->rounds).median, max, gap_max, gaps_s, options->seconds * options->rounds,
        ps_spread_of(share, options->rounds).low);
}

int main(int argc, char **argv)
{
    static const char *const rates[] = {"1000", "100000", "1000000"};
    struct ps_bench_options options = {.seconds = 10, .rounds = 1};
    char target[64];
    unsigned port;
    int other_cpu, send_cpu = 0;
    ps_bench_options_parse(&options, argc, argv);
    ps_cpu_ends(&other_cpu, &send_cpu);
    pid_t drainer = ps_drain_start(other_cpu, &port); /* the main thread runs there too */
    ps_cpu_pin(other_cpu);
    snprintf(target, sizeof target, "tcp://127.0.0.1:%u", port);
    for (size_t i = 0; i < PS_COUNT_OF(rates); i++) {
        if (ps_bench_wants(&options, rates[i]))
            measure(rates[i], target, send_cpu, &options);
    }
    ps_drain_stop(drainer);
    return 0;
}
