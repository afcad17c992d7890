/* Latency by percentile as in HdrHistogram's plots: x is 1/(1 - percentile) on a logarithmic axis, so 90 %,
 * 99 %, 99.9 % are equally far apart and the tail is visible. For a few trials around the answer. */
#include "bench/report/internal.h"
#include "bench/report/svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIES_MAX 4U
#define POINTS_MAX 400U
#define NINES_MAX 7.0

struct point {
    double nines; /* log10(1/(1 - share)): 1 at 90 %, 2 at 99 % */
    double ns;
};

struct series {
    const struct ps_report_trial *trial;
    size_t count;
    struct point points[POINTS_MAX];
    double max_nines; /* position of the slowest event */
    const char *class;
};

struct percentile_chart {
    const struct ps_report *report;
    struct series series[SERIES_MAX];
    unsigned series_count;
    double low_ns, high_ns, nines;
};

/* The series' classes, in the order in which series are chosen: the answer, the rate that was too high, others. */
static const char *const classes[SERIES_MAX] = {"s1", "s2", "s3", "s5"};

/* ---- data ---- */

static void add_point(struct series *series, double share, double ns)
{
    if (!(ns > 0) || series->count == POINTS_MAX)
        return;
    double nines = share < 1 ? fmin(-log10(1 - share), NINES_MAX) : series->max_nines;
    series->points[series->count++] = (struct point){nines, ns};
}

static int by_value(const void *one, const void *other)
{
    const double *a = one, *b = other;
    return (a[0] > b[0]) - (a[0] < b[0]);
}

/* Reads the histogram, with at most one point per 1/50 of a nine: finer steps are not visible. */
static bool read_histogram(struct series *series)
{
    size_t count = json_array_size(series->trial->histogram), used = 0;
    double(*buckets)[2] = calloc(count + 1, sizeof(*buckets)), total = 0;
    if (!buckets)
        return false;
    for (size_t index = 0; index < count; index++) {
        const json_t *pair = json_array_get(series->trial->histogram, index);
        double value = json_number_value(json_array_get(pair, 0)),
               times = json_number_value(json_array_get(pair, 1));
        if (!(value >= 0 && value <= 1e18 && times > 0 && times <= 1e18))
            continue;
        buckets[used][0] = fmax(value, 1);
        buckets[used++][1] = times;
        total += times;
    }
    qsort(buckets, used, sizeof(*buckets), by_value);
    series->max_nines = fmin(fmax(log10(fmax(total, 1)), 0.5), NINES_MAX);
    double before = 0, shown = -1;
    for (size_t index = 0; index < used; index++) {
        before += buckets[index][1];
        double nines = before < total ? -log10(1 - before / total) : series->max_nines;
        if (series->count == 0)
            add_point(series, 0, buckets[index][0]);
        if (nines < shown + 0.02 && index + 1 < used)
            continue;
        add_point(series, index + 1 < used ? before / total : 1, buckets[index][0]);
        shown = nines;
    }
    free(buckets);
    return true;
}

/* Without a histogram: reads the given percentiles, to be joined by lines. */
static void read_quantiles(struct series *series)
{
    series->max_nines = fmin(fmax(log10(fmax(series->trial->received, 10)), 4.1), NINES_MAX);
    for (unsigned index = 0; index < PS_QUANTILES; index++)
        add_point(series, ps_quantile_shares[index], series->trial->latency_ns[index]);
}

static bool usable(const struct ps_report_trial *trial)
{
    return trial->rate > 0 && (trial->histogram || trial->latency_ns[PS_P50] > 0) &&
           trial->verdict != PS_TRIAL_GENERATOR && trial->verdict != PS_TRIAL_UNTOLD;
}

static void add_series(struct percentile_chart *chart, const struct ps_report_trial *trial)
{
    if (!trial || chart->series_count == SERIES_MAX)
        return;
    for (unsigned index = 0; index < chart->series_count; index++)
        if (chart->series[index].trial == trial)
            return;
    struct series *series = &chart->series[chart->series_count];
    *series = (struct series){.trial = trial, .class = classes[chart->series_count]};
    if (trial->histogram)
        read_histogram(series);
    if (series->count < 2) {
        series->count = 0;
        read_quantiles(series);
    }
    chart->series_count += series->count >= 2;
}

/* Returns the usable trial within `low` to `high` whose rate is nearest to `rate` (as a ratio); of several equally near
 * trials, the latest. */
static const struct ps_report_trial *nearest(const struct percentile_chart *chart, double rate, double low,
                                             double high)
{
    const struct ps_report_trial *best = NULL;
    double distance = INFINITY;
    for (size_t index = 0; index < chart->report->trial_count; index++) {
        const struct ps_report_trial *trial = &chart->report->trials[index];
        if (!usable(trial) || trial->rate < low || trial->rate > high ||
            fabs(log(trial->rate / rate)) > distance)
            continue;
        best = trial;
        distance = fabs(log(trial->rate / rate));
    }
    return best;
}

/* Returns the trial at the lowest rate above the answer that did not hold; preferably a trial of the same goal. */
static const struct ps_report_trial *too_much(const struct percentile_chart *chart, double rate,
                                              const struct ps_report_goal *answer)
{
    const struct ps_report_trial *best = NULL;
    bool best_same = false;
    for (size_t index = 0; index < chart->report->trial_count; index++) {
        const struct ps_report_trial *trial = &chart->report->trials[index];
        bool same = answer && answer->goal && trial->goal && !strcmp(answer->goal, trial->goal);
        if (!usable(trial) || trial->verdict == PS_TRIAL_HELD || trial->rate <= rate * 1.001 ||
            (best_same && !same))
            continue;
        if (!best || same > best_same || trial->rate < best->rate) {
            best = trial;
            best_same = same;
        }
    }
    return best;
}

static int series_by_rate(const void *one, const void *other)
{
    const struct series *a = one, *b = other;
    return (a->trial->rate > b->trial->rate) - (a->trial->rate < b->trial->rate);
}

/* Chooses about half of the answer, nine tenths of it, the answer, and the first rate that was too high. */
static void choose(struct percentile_chart *chart)
{
    const struct ps_report_goal *answer = ps_report_answer(chart->report);
    double rate = answer ? answer->rate : 0;
    for (size_t index = 0; !answer && index < chart->report->trial_count; index++)
        rate = fmax(rate, usable(&chart->report->trials[index]) ? chart->report->trials[index].rate : 0);
    if (!(rate > 0))
        return;
    const struct ps_report_trial *held = ps_report_trial_at(chart->report, rate);
    add_series(chart, held && usable(held) ? held : nearest(chart, rate, 0, INFINITY));
    add_series(chart, too_much(chart, rate, answer));
    add_series(chart, nearest(chart, rate * 0.5, 0, rate * 0.8));
    add_series(chart, nearest(chart, rate * 0.9, rate * 0.8, rate * 0.97));
    for (double share = 0.7; chart->series_count < 3 && share > 0.01; share /= 2)
        add_series(chart, nearest(chart, rate * share, 0, rate * 0.999));
    for (double share = 1.2; chart->series_count < 3 && share < 20; share *= 1.5)
        add_series(chart, nearest(chart, rate * share, rate * 1.001, INFINITY));
    qsort(chart->series, chart->series_count, sizeof(chart->series[0]), series_by_rate);
    chart->low_ns = INFINITY;
    for (unsigned index = 0; index < chart->series_count; index++) {
        const struct series *series = &chart->series[index];
        chart->low_ns = fmin(chart->low_ns, series->points[0].ns);
        chart->high_ns = fmax(chart->high_ns, series->points[series->count - 1].ns);
        chart->nines = fmax(chart->nines, series->max_nines);
    }
}

/* ---- drawing ---- */

static struct ps_figure format_nines(double nines)
{
    struct ps_figure figure;
    if (nines < 0.5)
        snprintf(figure.text, sizeof(figure.text), "0" PS_FIGURE_BLANK "%%");
    else
        snprintf(figure.text, sizeof(figure.text), "%.*f" PS_FIGURE_BLANK "%%",
                 nines < 2.5 ? 0 : (int)(nines - 1.5), 100 * (1 - pow(10, -nines)));
    return figure;
}

static void draw_series(struct ps_svg *svg, const struct series *series, const char *class,
                        const struct ps_axis *nines, const struct ps_axis *latencies)
{
    char classes_of_line[32], tip[192];
    snprintf(classes_of_line, sizeof(classes_of_line), "series %s", class);
    ps_svg_path_begin(svg, classes_of_line);
    for (size_t index = 0; index < series->count; index++)
        ps_svg_path_to(svg, ps_axis_at(nines, series->points[index].nines),
                       ps_axis_at(latencies, series->points[index].ns));
    ps_svg_path_end(svg);
    /* A mark at each tick; its tool tip gives the value. */
    for (unsigned whole = 1; whole <= (unsigned)NINES_MAX; whole++) {
        for (size_t index = 1; index < series->count; index++) {
            const struct point *point = &series->points[index], *before = &series->points[index - 1];
            if (before->nines >= whole || point->nines < whole)
                continue;
            double share = (whole - before->nines) / (point->nines - before->nines);
            double ns = before->ns * pow(point->ns / before->ns, share);
            snprintf(tip, sizeof(tip), "%s events/s: %s within %s", ps_figure_count(series->trial->rate).text,
                     format_nines(whole).text, ps_figure_ns(ns).text);
            char mark[48];
            snprintf(mark, sizeof(mark), "%s v-%s", class, ps_trial_verdict_text(series->trial->verdict));
            ps_svg_mark(svg, (enum ps_svg_shape)series->trial->verdict, ps_axis_at(nines, whole),
                        ps_axis_at(latencies, ns), 3.5, mark, tip);
            break;
        }
    }
}

static void draw(struct ps_svg *svg, const void *context)
{
    const struct percentile_chart *chart = context;
    struct ps_plot plot = {
        .top = 34, .right = svg->width - (svg->narrow ? 92 : 150), .bottom = svg->height - 44};
    struct ps_axis latencies = ps_axis_log(chart->low_ns, chart->high_ns, 10, plot.bottom, plot.top);
    plot.left = ps_svg_axis_room(&latencies, ps_figure_ns);
    struct ps_axis nines = {.low = 0, .high = fmax(chart->nines, 1), .from = plot.left, .to = plot.right};
    for (unsigned tick = 0; tick <= (unsigned)nines.high; tick++)
        nines.ticks[nines.tick_count++] = tick;
    ps_svg_axis_bottom(svg, &plot, &nines, format_nines, "share of events");
    ps_svg_axis_left(svg, &plot, &latencies, ps_figure_ns, NULL);
    ps_svg_text(svg, 0, 13, PS_ANCHOR_START, "axis", "latency that this share of events stays within");
    struct ps_svg_label labels[SERIES_MAX];
    char texts[SERIES_MAX][64];
    for (unsigned index = 0; index < chart->series_count; index++) {
        const struct series *series = &chart->series[index];
        draw_series(svg, series, series->class, &nines, &latencies);
        snprintf(texts[index], sizeof(texts[index]), svg->narrow ? "%s/s" : "%s/s %s",
                 ps_figure_short(series->trial->rate).text, ps_trial_verdict_text(series->trial->verdict));
        labels[index] = (struct ps_svg_label){ps_axis_at(&latencies, series->points[series->count - 1].ns),
                                              series->class, texts[index]};
    }
    ps_svg_labels_right(svg, &plot, labels, chart->series_count);
}

static void write_chart(struct ps_html *html, const struct percentile_chart *chart)
{
    char description[600];
    size_t length = 0;
    for (unsigned index = 0; index < chart->series_count && length < sizeof(description) - 1; index++) {
        const struct ps_report_trial *trial = chart->series[index].trial;
        length += (size_t)snprintf(
            description + length, sizeof(description) - length,
            "At %s events per second (%s): p50 %s, p99 %s, p99.9 %s, max %s. ",
            ps_figure_count(trial->rate).text, ps_trial_verdict_text(trial->verdict),
            ps_figure_ns(trial->latency_ns[PS_P50]).text, ps_figure_ns(trial->latency_ns[PS_P99]).text,
            ps_figure_ns(trial->latency_ns[PS_P999]).text, ps_figure_ns(trial->latency_ns[PS_MAX]).text);
    }
    const struct ps_svg_figure figure = {.id = "percentiles",
                                         .title = "Latency by percentile",
                                         .description = description,
                                         .wide_height = 400,
                                         .narrow_height = 360,
                                         .draw = draw,
                                         .context = chart};
    ps_svg_figure(html, &figure);
}

void ps_report_percentiles(struct ps_html *html, const struct ps_report *report)
{
    ps_report_section_begin(html, "latency-percentiles", "The tail of latency",
                            "The latency of events at rates around the answer. Each step to the right is ten "
                            "times rarer: at 99.9 % one event "
                            "in a thousand took longer. Lines that climb in a step show stalls; a line that "
                            "is high everywhere shows a "
                            "queue.");
    struct percentile_chart *chart = calloc(1, sizeof(*chart));
    if (!chart) {
        html->failed = true;
        return;
    }
    chart->report = report;
    choose(chart);
    if (chart->series_count)
        write_chart(html, chart);
    else
        ps_report_missing(html, "no trial has a latency histogram or percentiles");
    free(chart);
    ps_report_section_end(html);
}
