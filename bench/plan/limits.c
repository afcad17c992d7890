/* Measures the parts and ranks them. */
#include "bench/plan/limits.h"
#include "core/quantity.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUESTS_IN_FLIGHT 5.0 /* librdkafka's window with idempotence, per broker */
/* A part counts as growing if its growth from rate 0 to the found rate is more than this share of the whole. */
#define GROWTH_LEAST 0.005
#define GROWTH_ERRORS 3.0 /* growth counts from this number of standard errors on */
/* A time that is used up below this multiple of the found rate is named as a limit. */
#define NEAR 1.3
#define EVIDENCE 0.5          /* a queue or a wait above this shows that its consumer is too slow */
#define EVIDENCE_IN_STEPS 0.9 /* the same for a queue that also holds what waits for the next delivery */
#define LOSS_EVIDENCE 0.0005
#define MET 0.9        /* a time that was used up by this share in a trial is met */
#define SAME_RATE 1.01 /* a trial may achieve a rate slightly above the asked one */

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
    {"penstock_sink_kafka_queue_messages", "component", "sink %s client queue", "queue limit",
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

/* ---- the ranking ---- */

/* value = base + slope * rate, by least squares; base is at least 0, so a single rate gives a line
 * through 0. */
struct line {
    double base, slope;
    double at;    /* value in the trial whose rate is nearest to the answer's */
    double error; /* standard error of the slope; 0: too few trials to know it */
    bool one_rate;
};

static bool use(const struct ps_limits_trial *trial, bool held_only)
{
    return trial->rate > 0 && (trial->held || !held_only);
}

struct sums {
    double n, x, y, xx, xy, yy;
};

static double slope_error(const struct sums *sums, double base, double slope)
{
    double spread = sums->xx - sums->x * sums->x / sums->n;
    double residual = sums->yy - base * sums->y - slope * sums->xy;
    return sums->n > 2 && spread > 0 ? sqrt(fmax(residual, 0) / (sums->n - 2) / spread) : 0;
}

static bool line_of(const struct ps_limits_trial *trials, unsigned count, bool held_only, const char *part,
                    double rate, struct line *line)
{
    struct sums sums = {0};
    double nearest = INFINITY;
    for (unsigned i = 0; i < count; i++) {
        const struct ps_part *found = ps_parts_find(&trials[i].parts, part);
        if (found == NULL || !use(&trials[i], held_only))
            continue;
        double scaled = trials[i].rate / rate, distance = fabs(log(scaled));
        sums.n++;
        sums.x += scaled;
        sums.y += found->value;
        sums.xx += scaled * scaled;
        sums.xy += scaled * found->value;
        sums.yy += found->value * found->value;
        if (distance <= nearest) {
            nearest = distance;
            line->at = found->value;
        }
    }
    if (sums.n == 0)
        return false;
    double determinant = sums.n * sums.xx - sums.x * sums.x;
    line->one_rate = determinant <= 1e-6;
    line->slope = line->one_rate ? sums.y / sums.x : (sums.n * sums.xy - sums.x * sums.y) / determinant;
    line->base = (sums.y - line->slope * sums.x) / sums.n;
    line->error = line->one_rate ? 0 : slope_error(&sums, line->base, line->slope);
    if (line->base < 0) {
        line->base = 0;
        line->slope = sums.xy / sums.xx;
    }
    line->slope /= rate;
    line->error /= rate;
    return true;
}

/* Returns whether the part grew with the rate by more than its noise. A part that was seen at only one rate is taken
 * to grow in proportion to the rate. */
static bool grew(const struct line *line, double rate)
{
    return line->slope * rate > GROWTH_LEAST && line->slope > GROWTH_ERRORS * line->error;
}

/* Finds the part's value at the lowest rate that was too high, and that rate; 0: not seen. */
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

/* Returns whether the part is a full queue, a wait, or a loss: these show where the pipeline is too slow. */
static bool is_evidence(const struct ps_limit *limit)
{
    double most = fmax(limit->utilisation, limit->beyond);
    if (limit->kind == PS_PART_LOSS)
        return most > LOSS_EVIDENCE;
    return limit->kind != PS_PART_TIME &&
           most > (limit->kind == PS_PART_QUEUE && limit->in_steps ? EVIDENCE_IN_STEPS : EVIDENCE);
}

static void describe(struct ps_limit *limit, const struct ps_part *part, double rate, double beyond_at,
                     bool one_rate)
{
    double percent = limit->utilisation * 100;
    const struct ps_quantity_text at = ps_quantity_print_event_rate(rate),
                                  full = ps_quantity_print_event_rate(limit->saturates_at);
    char beyond[96] = "";
    if (limit->beyond > 0.0005)
        snprintf(beyond, sizeof beyond, ", %.3g %% at %s", limit->beyond * 100,
                 ps_quantity_print_event_rate(beyond_at).text);
    if (part->kind == PS_PART_QUEUE)
        text_set(limit, "%s was %.0f %% full at %s%s%s", part->part, percent, at.text, beyond,
                 is_evidence(limit) ? ": its consumer is slower than its producer" : "");
    else if (part->kind == PS_PART_LOSS)
        text_set(limit, "%s: %.3g %% of %s at %s%s", part->part, percent, part->of, at.text, beyond);
    else if (part->kind == PS_PART_WAIT)
        text_set(limit, "%s: %.0f %% of the time %s at %s%s", part->part, percent, part->of, at.text, beyond);
    else if (limit->saturates_at > 0)
        text_set(limit, "%s: %.0f %% of %s at %s; %s it is full at %s", part->part, percent, part->of,
                 at.text,
                 one_rate ? "if it grows in proportion (it was seen at one rate only)"
                          : "by a straight line through the trials",
                 full.text);
    else
        text_set(limit, "%s: %.0f %% of %s at %s; it did not grow with the rate", part->part, percent,
                 part->of, at.text);
}

/* ---- the order ---- */

static bool is_near(const struct ps_limit *limit, double rate)
{
    return limit->kind == PS_PART_TIME && limit->saturates_at > 0 && limit->saturates_at < NEAR * rate;
}

/* Returns the key for sorting. First come parts that grew with the rate, ordered by the rate at which they are full;
 * then queues, losses and waits that were seen; then the parts that did not grow. When no part that grew is nearly
 * full, evidence comes before these parts. */
static double order_of(const struct ps_limit *limit, bool evidence_first)
{
    double most = fmin(fmax(limit->utilisation, limit->beyond), 1);
    if (limit->kind == PS_PART_PIPELINE)
        return -1;
    if (evidence_first && is_evidence(limit))
        return 1 - most;
    if (limit->kind == PS_PART_TIME)
        return limit->saturates_at > 0 ? 2 + limit->saturates_at : 1e30;
    return (most > LOSS_EVIDENCE ? 1e29 : 1e31) * (2 - most);
}

static void sort(struct ps_limits *limits, bool evidence_first)
{
    /* insertion sort keeps the order of equal items; there are at most 193 */
    for (unsigned i = 1; i < limits->count; i++)
        for (unsigned k = i; k > 0; k--) {
            struct ps_limit *one = &limits->items[k - 1], *two = &limits->items[k], swap = *two;
            if (order_of(one, evidence_first) <= order_of(two, evidence_first))
                break;
            *two = *one;
            *one = swap;
        }
}

/* Adds the item for a pipeline whose capacity none of the measured parts explains. */
static void pipeline_add(struct ps_limits *limits, double rate)
{
    struct ps_limit *limit = &limits->items[limits->count++];
    *limit = (struct ps_limit){.kind = PS_PART_PIPELINE, .part = "the pipeline itself"};
    text_set(limit,
             "the pipeline itself, not this machine: nothing that was measured grew with the rate and was "
             "near its end at %s",
             ps_quantity_print_event_rate(rate).text);
}

void ps_limits_end_not_seen(struct ps_limits *limits, bool rate_max, double rate)
{
    struct ps_limit *limit = &limits->items[0];
    const struct ps_quantity_text shown = ps_quantity_print_event_rate(rate);
    if (limits->count == 0 || limit->kind != PS_PART_PIPELINE)
        return;
    snprintf(limit->part, sizeof limit->part, "%s", rate_max ? "--rate-max" : "the load generator");
    if (rate_max)
        text_set(limit,
                 "--rate-max, not the pipeline: nothing was near its end at %s, the highest rate allowed; a "
                 "higher --rate-max finds the limit",
                 shown.text);
    else
        text_set(limit,
                 "the load generator, not the pipeline: nothing was near its end at %s, and more could not "
                 "be offered; give load more --threads or a machine of its own",
                 shown.text);
}

bool ps_limits_keep_met(struct ps_limits *limits, const struct ps_limits_trial *trials, unsigned count,
                        double failed)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < limits->count; i++) {
        const struct ps_limit *limit = &limits->items[i];
        double most = 0;
        for (unsigned trial = 0; trial < count; trial++) {
            const struct ps_part *part = trials[trial].rate <= failed * SAME_RATE
                                             ? ps_parts_find(&trials[trial].parts, limit->part)
                                             : NULL;
            most = part != NULL ? fmax(most, part->value) : most;
        }
        if (limit->kind == PS_PART_PIPELINE ||
            (limit->kind == PS_PART_TIME ? most < MET : !is_evidence(limit)))
            continue;
        if (kept != i)
            limits->items[kept] = *limit;
        kept++;
    }
    limits->count = kept;
    return kept > 0;
}

void ps_limits_end_unknown(struct ps_limits *limits, const char *why, double held, double failed)
{
    bool first = limits->count > 0 && limits->items[0].kind == PS_PART_PIPELINE;
    if (!first) {
        if (limits->count == PS_LIMITS_MAX)
            limits->count--;
        memmove(&limits->items[1], &limits->items[0], limits->count * sizeof limits->items[0]);
        limits->count++;
    }
    struct ps_limit *limit = &limits->items[0];
    *limit = (struct ps_limit){.kind = PS_PART_PIPELINE, .part = "not known"};
    if (held > 0 && failed > 0)
        text_set(limit, "not known: %s between %s, which was held, and %s, which was not", why,
                 ps_quantity_print_event_rate(held).text, ps_quantity_print_event_rate(failed).text);
    else if (failed > 0)
        text_set(limit, "not known: %s before any rate was held; the lowest that was not is %s", why,
                 ps_quantity_print_event_rate(failed).text);
    else if (held > 0)
        text_set(limit,
                 "not known: %s; no rate was shown to be too high, and the highest that was held is %s", why,
                 ps_quantity_print_event_rate(held).text);
    else
        text_set(limit, "not known: %s before any rate was held, or shown to be too high", why);
}

static bool is_known(const struct ps_limits *limits, const char *part)
{
    for (unsigned i = 0; i < limits->count; i++)
        if (strcmp(limits->items[i].part, part) == 0)
            return true;
    return false;
}

void ps_limits_find(struct ps_limits *limits, const struct ps_limits_trial *trials, unsigned count,
                    double rate)
{
    unsigned held = 0;
    bool in_steps = false;
    limits->count = 0;
    if (!(rate > 0))
        return;
    for (unsigned i = 0; i < count; i++) {
        held += use(&trials[i], true);
        in_steps = in_steps || trials[i].in_steps;
    }
    for (unsigned i = 0; i < count; i++) {
        for (unsigned p = 0; p < trials[i].parts.count && limits->count < PS_PARTS_MAX; p++) {
            const struct ps_part *part = &trials[i].parts.items[p];
            struct ps_limit *limit = &limits->items[limits->count];
            struct line line = {0};
            /* A part that appeared only at rates that were too high (kernel drops) counts as 0 elsewhere. */
            if (is_known(limits, part->part) ||
                (!line_of(trials, count, held >= 2, part->part, rate, &line) && part->kind == PS_PART_TIME))
                continue;
            *limit = (struct ps_limit){.kind = part->kind, .in_steps = in_steps, .utilisation = line.at};
            snprintf(limit->part, sizeof limit->part, "%s", part->part);
            limit->headroom = fmax(0, 1 - line.at);
            if (part->kind == PS_PART_TIME && grew(&line, rate))
                limit->saturates_at = fmax(1 - line.base, 0) / line.slope;
            double beyond_at = 0;
            if (part->kind != PS_PART_TIME)
                limit->beyond = beyond_of(trials, count, part->part, rate, &beyond_at);
            describe(limit, part, rate, beyond_at, line.one_rate);
            limits->count++;
        }
    }
    bool near = false, evidence = false;
    for (unsigned i = 0; i < limits->count; i++) {
        near |= is_near(&limits->items[i], rate);
        evidence |= is_evidence(&limits->items[i]);
    }
    if (limits->count > 0 && !near && !evidence)
        pipeline_add(limits, rate);
    sort(limits, !near);
}
