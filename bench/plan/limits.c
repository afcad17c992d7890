/* Measures the parts and ranks them. */
#include "bench/plan/limits.h"
#include "bench/support/quantity.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUESTS_IN_FLIGHT 5.0 /* librdkafka's window with idempotence, per broker */

/* ---- a list of parts ---- */

const struct ps_part *ps_parts_find(const struct ps_parts *parts, const char *part)
{
    for (unsigned i = 0; i < parts->count; i++)
        if (strcmp(parts->items[i].part, part) == 0)
            return &parts->items[i];
    return NULL;
}

void ps_parts_add(struct ps_parts *parts, const char *part, const char *of, enum ps_part_kind kind,
                  double value)
{
    if (!isfinite(value))
        return;
    value = kind == PS_PART_TIME || kind == PS_PART_WAIT ? fmin(fmax(value, 0), 1) : fmax(value, 0);
    for (unsigned i = 0; i < parts->count; i++) {
        if (strcmp(parts->items[i].part, part) != 0)
            continue;
        parts->items[i].value = fmax(parts->items[i].value, value);
        return;
    }
    if (parts->count == PS_PARTS_MAX)
        return;
    struct ps_part *added = &parts->items[parts->count++];
    *added = (struct ps_part){.of = of, .kind = kind, .value = value};
    snprintf(added->part, sizeof added->part, "%s", part);
}

/* ---- from an agent's metrics page ---- */

/* Makes a part of each sample with a name: its growth per second, or its share of another gauge. */
struct rule {
    const char *name, *label, *title; /* title: "worker %s" */
    const char *of;
    /* A gauge with the same labels; NULL: the counter's growth in seconds, divided by the time passed. */
    const char *limit;
    enum ps_part_kind kind;
};

static const struct rule counters[] = {
    {"penstock_worker_busy_seconds_total", "worker", "worker %s", "cycle time", NULL, PS_PART_TIME},
    {"penstock_source_blocked_seconds_total", "component", "source %s blocked", "waiting for a full channel",
     NULL, PS_PART_WAIT},
};

static const struct rule gauges[] = {
    {"penstock_channel_size_events", "component", "channel %s", "capacity",
     "penstock_channel_capacity_events", PS_PART_QUEUE},
    {"penstock_channel_size_bytes", "component", "channel %s bytes", "byte capacity",
     "penstock_channel_capacity_bytes", PS_PART_QUEUE},
    {"penstock_memory_used_bytes", NULL, "memory", "memory budget", "penstock_memory_budget_bytes",
     PS_PART_TIME},
    {"penstock_sink_kafka_queue_messages", "component", "sink %s librdkafka queue", "queue limit",
     "penstock_sink_kafka_queue_limit_messages", PS_PART_QUEUE},
    {"penstock_ring_size_leases", "ring", "ring %s", "capacity", "penstock_ring_capacity_leases",
     PS_PART_QUEUE},
};

static void title_of(const struct rule *rule, const struct ps_scrape_sample *sample, char *title, size_t room)
{
    char value[64] = "", consumer[16] = "", producer[16] = "";
    if (rule->label != NULL && strcmp(rule->label, "ring") == 0) {
        ps_scrape_label(sample, "channel", value, sizeof value);
        ps_scrape_label(sample, "producer", producer, sizeof producer);
        ps_scrape_label(sample, "consumer", consumer, sizeof consumer);
        snprintf(title, room, "ring of %s, %s to worker %s", value, producer, consumer);
        return;
    }
    if (rule->label != NULL)
        ps_scrape_label(sample, rule->label, value, sizeof value);
    const char *hole = strstr(rule->title, "%s");
    if (hole == NULL)
        snprintf(title, room, "%s", rule->title);
    else
        snprintf(title, room, "%.*s%s%s", (int)(hole - rule->title), rule->title, value, hole + 2);
}

void ps_parts_watch(struct ps_parts *during, const struct ps_scrape *scrape)
{
    for (size_t rule = 0; rule < PS_COUNT_OF(gauges); rule++) {
        for (unsigned i = 0; i < scrape->count; i++) {
            const struct ps_scrape_sample *sample = &scrape->samples[i];
            char title[96];
            if (strcmp(sample->name, gauges[rule].name) != 0)
                continue;
            double limit = ps_scrape_value(scrape, gauges[rule].limit, sample->labels, 0);
            title_of(&gauges[rule], sample, title, sizeof title);
            if (limit > 0)
                ps_parts_add(during, title, gauges[rule].of, gauges[rule].kind, sample->value / limit);
        }
    }
}

static void measure_counters(struct ps_parts *parts, const struct ps_scrape *before,
                             const struct ps_scrape *after, double seconds)
{
    for (size_t rule = 0; rule < PS_COUNT_OF(counters); rule++) {
        for (unsigned i = 0; i < after->count; i++) {
            const struct ps_scrape_sample *sample = &after->samples[i];
            char title[96];
            if (strcmp(sample->name, counters[rule].name) != 0)
                continue;
            const struct ps_scrape_sample *old = ps_scrape_find(before, sample->name, sample->labels);
            title_of(&counters[rule], sample, title, sizeof title);
            if (old != NULL)
                ps_parts_add(parts, title, counters[rule].of, counters[rule].kind,
                             (sample->value - old->value) / seconds);
        }
    }
}

/* Little's law: requests per second, times the duration of each, divided by how many may be in flight. */
static void measure_brokers(struct ps_parts *parts, const struct ps_scrape *before,
                            const struct ps_scrape *after, double seconds)
{
    for (unsigned i = 0; i < after->count; i++) {
        const struct ps_scrape_sample *sent = &after->samples[i];
        char title[96], sink[64];
        if (strcmp(sent->name, "penstock_sink_kafka_requests_sent_total") != 0 ||
            !ps_scrape_label(sent, "component", sink, sizeof sink))
            continue;
        double round_trip_s = ps_scrape_value(after, "penstock_sink_kafka_rtt_avg_seconds", sent->labels, 0);
        double old = ps_scrape_value(before, sent->name, sent->labels, sent->value);
        snprintf(title, sizeof title, "sink %s broker round trip", sink);
        if (round_trip_s > 0)
            ps_parts_add(parts, title, "window of 5 requests in flight", PS_PART_TIME,
                         (sent->value - old) / seconds * round_trip_s / REQUESTS_IN_FLIGHT);
    }
}

static void measure_kernel(struct ps_parts *parts, const struct ps_scrape *before,
                           const struct ps_scrape *after)
{
    for (unsigned i = 0; i < after->count; i++) {
        const struct ps_scrape_sample *sample = &after->samples[i];
        char title[96], source[64];
        if (strcmp(sample->name, "penstock_source_events_kernel_dropped_total") != 0 ||
            !ps_scrape_label(sample, "component", source, sizeof source))
            continue;
        static const char received[] = "penstock_source_events_received_total";
        double dropped = sample->value - ps_scrape_value(before, sample->name, sample->labels, 0);
        double taken = ps_scrape_value(after, received, sample->labels, 0) -
                       ps_scrape_value(before, received, sample->labels, 0);
        snprintf(title, sizeof title, "source %s kernel drops", source);
        if (dropped + taken > 0)
            ps_parts_add(parts, title, "datagrams", PS_PART_LOSS, dropped / (dropped + taken));
    }
}

void ps_parts_measure(struct ps_parts *parts, const struct ps_scrape *before, const struct ps_scrape *after,
                      const struct ps_parts *during, double seconds, double cpus)
{
    if (!(seconds > 0))
        return;
    measure_counters(parts, before, after, seconds);
    measure_brokers(parts, before, after, seconds);
    measure_kernel(parts, before, after);
    static const char cpu[] = "process_cpu_seconds_total";
    if (ps_scrape_find(before, cpu, NULL) != NULL && cpus > 0)
        ps_parts_add(parts, "agent's CPU", "all CPUs", PS_PART_TIME,
                     (ps_scrape_value(after, cpu, NULL, 0) - ps_scrape_value(before, cpu, NULL, 0)) /
                         seconds / cpus);
    if (during != NULL)
        for (unsigned i = 0; i < during->count; i++)
            ps_parts_add(parts, during->items[i].part, during->items[i].of, during->items[i].kind,
                         during->items[i].value);
    ps_parts_watch(parts, after);
}

bool ps_machine_busy(double *busy_s, double *all_s)
{
    double ticks[8] = {0}, all = 0;
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL)
        return false;
    int found = fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &ticks[0], &ticks[1], &ticks[2],
                       &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]);
    fclose(file);
    for (unsigned i = 0; i < 8; i++)
        all += ticks[i];
    *all_s = all / 100; /* USER_HZ */
    *busy_s = (all - ticks[3] - ticks[4]) / 100;
    return found == 8;
}

/* ---- the ranking ---- */

/* value = base + slope * rate, by least squares; base is at least 0, so a single rate gives a line
 * through 0. */
struct line {
    double base, slope;
    double at; /* value at the answer's rate: that of the nearest trial */
};

static bool use(const struct ps_limits_trial *trial, bool held_only)
{
    return trial->rate > 0 && (trial->held || !held_only);
}

static bool line_of(const struct ps_limits_trial *trials, unsigned count, bool held_only, const char *part,
                    double rate, struct line *line)
{
    double n = 0, x = 0, y = 0, xx = 0, xy = 0, nearest = INFINITY;
    for (unsigned i = 0; i < count; i++) {
        const struct ps_part *found = ps_parts_find(&trials[i].parts, part);
        if (found == NULL || !use(&trials[i], held_only))
            continue;
        double scaled = trials[i].rate / rate, distance = fabs(log(scaled));
        n++;
        x += scaled;
        y += found->value;
        xx += scaled * scaled;
        xy += scaled * found->value;
        if (distance <= nearest) {
            nearest = distance;
            line->at = found->value;
        }
    }
    if (n == 0)
        return false;
    double determinant = n * xx - x * x;
    line->slope = determinant > 1e-6 ? (n * xy - x * y) / determinant : y / x;
    line->base = (y - line->slope * x) / n;
    if (line->base < 0) {
        line->base = 0;
        line->slope = xy / xx;
    }
    line->slope /= rate;
    return true;
}

/* Returns the part's value at the lowest rate that was too high, and that rate; 0: not seen. */
static double beyond_of(const struct ps_limits_trial *trials, unsigned count, const char *part, double rate,
                        double *at)
{
    double value = 0;
    *at = INFINITY;
    for (unsigned i = 0; i < count; i++) {
        const struct ps_part *found = ps_parts_find(&trials[i].parts, part);
        if (found == NULL || trials[i].held || trials[i].rate <= rate || trials[i].rate >= *at)
            continue;
        *at = trials[i].rate;
        value = found->value;
    }
    return value;
}

__attribute__((format(printf, 2, 3))) static void text_set(struct ps_limit *limit, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(limit->text, sizeof limit->text, format, arguments);
    va_end(arguments);
}

static void describe(struct ps_limit *limit, const struct ps_part *part, double rate, double beyond_at)
{
    double percent = limit->utilisation * 100;
    char at[32], full[32], over[32], beyond[96] = "";
    if (limit->beyond > 0.0005) {
        ps_quantity_print_count((uint64_t)beyond_at, over, sizeof over);
        snprintf(beyond, sizeof beyond, ", %.3g %% at %s", limit->beyond * 100, over);
    }
    ps_quantity_print_count((uint64_t)rate, at, sizeof at);
    ps_quantity_print_count((uint64_t)fmin(limit->saturates_at, 1e18), full, sizeof full);
    if (part->kind == PS_PART_QUEUE)
        text_set(limit, "%s was %.0f %% full at %s events/s%s%s", part->part, percent, at, beyond,
                 limit->utilisation > 0.5 || limit->beyond > 0.5
                     ? ": its consumer is slower than its producer"
                     : "");
    else if (part->kind == PS_PART_LOSS)
        text_set(limit, "%s: %.3g %% of %s at %s events/s%s", part->part, percent, part->of, at, beyond);
    else if (part->kind == PS_PART_WAIT)
        text_set(limit, "%s: %.0f %% of the time %s at %s events/s%s", part->part, percent, part->of, at,
                 beyond);
    else if (limit->saturates_at > 0)
        text_set(limit,
                 "%s: %.0f %% of %s at %s events/s; by a straight line through the trials it is full at %s "
                 "events/s",
                 part->part, percent, part->of, at, full);
    else
        text_set(limit, "%s: %.0f %% of %s at %s events/s; it did not grow with the rate", part->part,
                 percent, part->of, at);
}

/* Ranks parts with a line by where they saturate; then full queues, losses and waits; then the rest. */
static double order_of(const struct ps_limit *limit)
{
    if (limit->kind == PS_PART_TIME && limit->saturates_at > 0)
        return limit->saturates_at;
    if (limit->kind == PS_PART_TIME)
        return limit->utilisation > 0.95 ? 0 : 1e30;
    double most = fmax(limit->utilisation, limit->beyond);
    return (most > 0.0005 ? 1e29 : 1e31) * (2 - fmin(most, 1)); /* before parts that do not grow */
}

static int compare_limits(const void *left, const void *right)
{
    double a = order_of(left), b = order_of(right);
    return (a > b) - (a < b);
}

void ps_limits_find(struct ps_limits *limits, const struct ps_limits_trial *trials, unsigned count,
                    double rate)
{
    unsigned held = 0;
    limits->count = 0;
    if (!(rate > 0))
        return;
    for (unsigned i = 0; i < count; i++)
        held += use(&trials[i], true);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned p = 0; p < trials[i].parts.count && limits->count < PS_LIMITS_MAX; p++) {
            const struct ps_part *part = &trials[i].parts.items[p];
            struct ps_limit *limit = &limits->items[limits->count];
            struct line line = {0};
            bool known = false;
            for (unsigned before = 0; before < limits->count && !known; before++)
                known = strcmp(limits->items[before].part, part->part) == 0;
            /* A part that appeared only at rates that were too high (kernel drops) counts as 0 elsewhere. */
            if (known ||
                (!line_of(trials, count, held >= 2, part->part, rate, &line) && part->kind == PS_PART_TIME))
                continue;
            *limit = (struct ps_limit){.kind = part->kind, .utilisation = line.at};
            snprintf(limit->part, sizeof limit->part, "%s", part->part);
            limit->headroom = fmax(0, 1 - line.at);
            if (part->kind == PS_PART_TIME && line.slope * rate > 0.005)
                limit->saturates_at = fmax(1 - line.base, 0) / line.slope;
            double beyond_at = 0;
            if (part->kind != PS_PART_TIME)
                limit->beyond = beyond_of(trials, count, part->part, rate, &beyond_at);
            describe(limit, part, rate, beyond_at);
            limits->count++;
        }
    }
    qsort(limits->items, limits->count, sizeof *limits->items, compare_limits);
}
