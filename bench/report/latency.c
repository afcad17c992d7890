/* Latency over offered rate, one point per trial: where the subject keeps up, where latency begins to grow,
 * where it fails. A percentile's line goes through the median of the trials at the same rate; the shape of a
 * point is the trial's verdict. */
#include "bench/report/internal.h"
#include "bench/report/svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CURVES 3U
#define TICKS_Y 10U
#define LIMIT_PLACES 12U
#define ANSWER_ROWS 4U /* rows of labels above the plot */
#define ANSWER_ROW 18.0
#define BRACKET 9.0
/* a close-up is drawn when the answers' interval is narrower than the whole divided by this */
#define CLOSE_UP 6
#define STEPS 150 /* rates closer together than this fraction of the axis become one point of the curve */

static const struct {
    enum ps_quantile quantile;
    const char *class;
} curves[CURVES] = {{PS_P50, "s3"}, {PS_P99, "s1"}, {PS_P999, "s2"}};

struct point {
    double rate, latency_ns[CURVES];
};

struct latency_chart {
    const struct ps_report *report;
    const struct ps_report_trial **trials; /* trials with a latency, by rate */
    size_t trial_count;
    struct point *points; /* medians, by rate */
    size_t point_count;
    double low_ns, high_ns, rate_low, rate_high;
    double knee;     /* rate of the knee, or NaN */
    double from, to; /* only trials with rates in this range are shown */
    /* Trials that the generator could not offer, at rates above all others: not shown. */
    size_t beyond;
    const char *id, *title;
    bool whole; /* the chart shows all rates, with knee and legend */
};

static int by_rate(const void *one, const void *other)
{
    const struct ps_report_trial *a = *(const struct ps_report_trial *const *)one;
    const struct ps_report_trial *b = *(const struct ps_report_trial *const *)other;
    return a->rate != b->rate ? (a->rate > b->rate) - (a->rate < b->rate) : (a > b) - (a < b);
}

static int by_value(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static double median_latency(struct ps_report_trial const *const *trials, size_t count,
                             enum ps_quantile quantile)
{
    double values[PS_REPORT_ITEMS_MAX];
    size_t found = 0;
    for (size_t index = 0; index < count && found < PS_REPORT_ITEMS_MAX; index++)
        if (trials[index]->latency_ns[quantile] > 0)
            values[found++] = trials[index]->latency_ns[quantile];
    if (!found)
        return (double)NAN;
    qsort(values, found, sizeof(values[0]), by_value);
    return found % 2 ? values[found / 2] : (values[found / 2 - 1] + values[found / 2]) / 2;
}

/* Joins trials of about the same rate into one point. Ignores trials that the generator could not offer. */
static void find_points(struct latency_chart *chart)
{
    const struct ps_report_trial *same[PS_REPORT_ITEMS_MAX];
    double near = (chart->whole ? chart->rate_high : chart->rate_high - chart->rate_low) / STEPS;
    for (size_t first = 0, next; first < chart->trial_count; first = next) {
        size_t count = 0;
        for (next = first;
             next < chart->trial_count && chart->trials[next]->rate <= chart->trials[first]->rate + near;
             next++)
            if (chart->trials[next]->verdict != PS_TRIAL_GENERATOR && count < PS_REPORT_ITEMS_MAX)
                same[count++] = chart->trials[next];
        if (!count)
            continue;
        struct point *point = &chart->points[chart->point_count++];
        point->rate = same[0]->rate;
        for (unsigned curve = 0; curve < CURVES; curve++)
            point->latency_ns[curve] = median_latency(same, count, curves[curve].quantile);
    }
}

/* Finds the rate where the curve of p99 is farthest below the chord from its first to its last point, on the
 * axes as drawn (Satopää and others, "Finding a kneedle in a haystack", 2011). Only for a curve that rises by
 * more than half a decade. */
static double find_knee(const struct latency_chart *chart)
{
    if (chart->point_count < 4)
        return (double)NAN;
    const struct point *first = &chart->points[0], *last = &chart->points[chart->point_count - 1];
    double rise = log10(last->latency_ns[1] / first->latency_ns[1]), width = last->rate - first->rate;
    double knee = (double)NAN, farthest = 0.1;
    if (!(rise > 0.5) || !(width > 0))
        return knee;
    for (size_t index = 1; index + 1 < chart->point_count; index++) {
        const struct point *point = &chart->points[index];
        double below =
            (point->rate - first->rate) / width - log10(point->latency_ns[1] / first->latency_ns[1]) / rise;
        if (below > farthest) {
            farthest = below;
            knee = point->rate;
        }
    }
    return knee;
}

static bool has_latency(const struct ps_report_trial *trial)
{
    bool any = false;
    for (unsigned curve = 0; curve < CURVES; curve++)
        any = any || trial->latency_ns[curves[curve].quantile] > 0;
    return any && trial->rate > 0;
}

/* Finds the range of rates to show: of trials that say something about the subject, if there are any. */
static void find_rates(struct latency_chart *chart)
{
    double all = 0;
    chart->rate_low = INFINITY;
    for (size_t index = 0; index < chart->report->trial_count; index++) {
        const struct ps_report_trial *trial = &chart->report->trials[index];
        if (!has_latency(trial) || trial->verdict == PS_TRIAL_UNTOLD || trial->rate < chart->from ||
            trial->rate > chart->to)
            continue;
        all = fmax(all, trial->rate);
        chart->rate_low = fmin(chart->rate_low, trial->rate);
        if (trial->verdict != PS_TRIAL_GENERATOR)
            chart->rate_high = fmax(chart->rate_high, trial->rate);
    }
    chart->rate_high = chart->rate_high > 0 ? chart->rate_high : all;
}

static bool find_trials(struct latency_chart *chart)
{
    find_rates(chart);
    chart->low_ns = INFINITY;
    for (size_t index = 0; index < chart->report->trial_count; index++) {
        const struct ps_report_trial *trial = &chart->report->trials[index];
        if (!has_latency(trial) || trial->rate < chart->from || trial->rate > chart->to)
            continue;
        if (trial->rate > chart->rate_high) {
            chart->beyond++;
            continue;
        }
        chart->trials[chart->trial_count++] = trial;
        for (unsigned curve = 0; curve < CURVES; curve++) {
            double ns = trial->latency_ns[curves[curve].quantile];
            chart->low_ns = ns > 0 ? fmin(chart->low_ns, ns) : chart->low_ns;
            chart->high_ns = ns > 0 ? fmax(chart->high_ns, ns) : chart->high_ns;
        }
    }
    for (size_t index = 0; index < chart->report->goal_count; index++) {
        double limit = chart->report->goals[index].latency_limit_ns;
        if (limit > 0) {
            chart->low_ns = fmin(chart->low_ns, limit);
            chart->high_ns = fmax(chart->high_ns, limit);
        }
    }
    return chart->trial_count > 0;
}

/* ---- drawing ---- */

static bool shows(const struct ps_axis *rates, const struct ps_report_goal *goal)
{
    return goal->rate > 0 && goal->rate <= rates->high && goal->rate >= rates->low;
}

/* Draws the rates found: a line each, its interval as a bracket above the plot, and labels in rows above.
 * Labels that do not fit are left out: the page's head has the rates too. */
static void draw_answers(struct ps_svg *svg, const struct latency_chart *chart, const struct ps_plot *plot,
                         const struct ps_axis *rates)
{
    double bracket = plot->top - 4;
    for (size_t index = 0; index < chart->report->goal_count; index++) {
        const struct ps_report_goal *goal = &chart->report->goals[index];
        if (!shows(rates, goal))
            continue;
        double x = ps_axis_at(rates, goal->rate);
        bracket -= BRACKET;
        ps_svg_line(svg, x, bracket, x, plot->bottom, "answer");
        ps_svg_avoid(svg, x, plot->top, x, plot->bottom);
        if (goal->lower > 0 && goal->upper >= goal->lower) {
            double from = ps_axis_at(rates, goal->lower), to = ps_axis_at(rates, goal->upper);
            ps_svg_line(svg, from, bracket, to, bracket, "bracket");
            ps_svg_line(svg, from, bracket - 3, from, bracket + 3, "bracket");
            ps_svg_line(svg, to, bracket - 3, to, bracket + 3, "bracket");
        }
        ps_svg_mark(svg, PS_SVG_SHAPE_DIAMOND, x, bracket, 3, "ink", NULL);
    }
    for (size_t index = 0; index < chart->report->goal_count; index++) {
        const struct ps_report_goal *goal = &chart->report->goals[index];
        if (!shows(rates, goal))
            continue;
        char words[96], text[160], cut[160];
        snprintf(text, sizeof(text), "%s: %s/s", ps_report_goal_words(goal, words, sizeof(words)),
                 ps_figure_short(goal->rate).text);
        ps_svg_text_cut(text, svg->width / PS_SVG_STRONG - 8, cut, sizeof(cut));
        double half = ps_svg_text_width(cut) * PS_SVG_STRONG / 2;
        double middle = fmin(fmax(ps_axis_at(rates, goal->rate), half + 1), svg->width - half - 1);
        struct ps_svg_place places[ANSWER_ROWS];
        for (unsigned row = 0; row < ANSWER_ROWS; row++)
            places[row] = (struct ps_svg_place){middle, bracket - 10 - row * ANSWER_ROW, PS_ANCHOR_MIDDLE};
        ps_svg_text_somewhere(svg, places, PS_COUNT_OF(places), "label strong", cut);
    }
}

/* Returns the room needed above the plot: the axis title, rows of labels, brackets. */
static double room_above(const struct latency_chart *chart)
{
    unsigned answers = 0;
    for (size_t index = 0; index < chart->report->goal_count; index++)
        answers += chart->report->goals[index].rate > 0;
    return 30 + (answers < ANSWER_ROWS ? answers : ANSWER_ROWS) * ANSWER_ROW + answers * BRACKET;
}

static void draw_limits(struct ps_svg *svg, const struct latency_chart *chart, const struct ps_plot *plot,
                        const struct ps_axis *latencies)
{
    for (size_t index = 0; index < chart->report->goal_count; index++) {
        const struct ps_report_goal *goal = &chart->report->goals[index];
        bool again = false; /* an earlier goal has the same limit */
        for (size_t before = 0; before < index; before++)
            again = again || (chart->report->goals[before].latency_limit_ns == goal->latency_limit_ns &&
                              chart->report->goals[before].percentile == goal->percentile);
        if (!(goal->latency_limit_ns > 0) || again)
            continue;
        double y = ps_axis_at(latencies, goal->latency_limit_ns);
        char text[96];
        snprintf(text, sizeof(text), "goal: p%g below %s", goal->percentile,
                 ps_figure_ns(goal->latency_limit_ns).text);
        ps_svg_line(svg, plot->left, y, plot->right, y, "goal");
        ps_svg_avoid(svg, plot->left, y, plot->right, y);
        /* from the left; alternately above and below the line */
        struct ps_svg_place places[2 * LIMIT_PLACES];
        double step = (plot->right - plot->left - 12 - ps_svg_text_width(text)) / (LIMIT_PLACES - 1);
        for (unsigned place = 0; place < PS_COUNT_OF(places); place++)
            places[place] = (struct ps_svg_place){plot->left + 6 + place / 2 * fmax(step, 0),
                                                  place % 2 ? y + 17 : y - 7, PS_ANCHOR_START};
        ps_svg_text_somewhere(svg, places, PS_COUNT_OF(places), "label", text);
    }
}

static void draw_curves(struct ps_svg *svg, const struct latency_chart *chart, const struct ps_plot *plot,
                        const struct ps_axis *rates, const struct ps_axis *latencies)
{
    struct ps_svg_label labels[CURVES];
    unsigned label_count = 0;
    double radius = chart->trial_count > 60 ? 3 : 4.5;
    for (unsigned curve = 0; curve < CURVES; curve++) {
        char class[32];
        double end = (double)NAN;
        snprintf(class, sizeof(class), "series %s", curves[curve].class);
        ps_svg_path_begin(svg, class);
        for (size_t index = 0; index < chart->point_count; index++) {
            double ns = chart->points[index].latency_ns[curve];
            if (!(ns > 0))
                continue;
            end = ps_axis_at(latencies, ns);
            ps_svg_path_to(svg, ps_axis_at(rates, chart->points[index].rate), end);
        }
        ps_svg_path_end(svg);
        if (isfinite(end))
            labels[label_count++] =
                (struct ps_svg_label){end, curves[curve].class, ps_quantile_names[curves[curve].quantile]};
    }
    for (unsigned curve = 0; curve < CURVES; curve++) {
        for (size_t index = 0; index < chart->trial_count; index++) {
            const struct ps_report_trial *trial = chart->trials[index];
            double ns = trial->latency_ns[curves[curve].quantile];
            if (!(ns > 0))
                continue;
            char tip[192], class[32];
            snprintf(tip, sizeof(tip), "trial %s: %s events/s, %s %s, %s",
                     ps_figure_count(trial->number).text, ps_figure_count(trial->rate).text,
                     ps_quantile_names[curves[curve].quantile], ps_figure_ns(ns).text,
                     ps_trial_verdict_text(trial->verdict));
            snprintf(class, sizeof(class), "%s v-%s", curves[curve].class,
                     ps_trial_verdict_text(trial->verdict));
            ps_svg_mark(svg, (enum ps_svg_shape)trial->verdict, ps_axis_at(rates, trial->rate),
                        ps_axis_at(latencies, ns), radius, class, tip);
        }
    }
    ps_svg_labels_right(svg, plot, labels, label_count);
}

static void draw_knee(struct ps_svg *svg, const struct latency_chart *chart, const struct ps_axis *rates,
                      const struct ps_axis *latencies)
{
    for (size_t index = 0; index < chart->point_count; index++) {
        const struct point *point = &chart->points[index];
        if (point->rate != chart->knee)
            continue;
        double x = ps_axis_at(rates, point->rate), y = ps_axis_at(latencies, point->latency_ns[1]);
        char text[64];
        snprintf(text, sizeof(text), "knee: %s/s", ps_figure_short(point->rate).text);
        ps_html_print(svg->html, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"10\" class=\"ring\"/>\n", x, y);
        const struct ps_svg_place places[] = {
            {x - 14, y - 10, PS_ANCHOR_END},   {x - 14, y + 22, PS_ANCHOR_END},
            {x + 14, y + 22, PS_ANCHOR_START}, {x - 14, y - 28, PS_ANCHOR_END},
            {x - 14, y + 38, PS_ANCHOR_END},   {x + 14, y + 38, PS_ANCHOR_START},
            {x - 14, y - 46, PS_ANCHOR_END},   {x - 14, y + 56, PS_ANCHOR_END},
            {x - 14, y - 64, PS_ANCHOR_END},   {x + 14, y - 12, PS_ANCHOR_START}};
        ps_svg_text_somewhere(svg, places, PS_COUNT_OF(places), "label", text);
    }
}

static void draw(struct ps_svg *svg, const void *context)
{
    const struct latency_chart *chart = context;
    struct ps_plot plot = {.top = room_above(chart), .right = svg->width - 86, .bottom = svg->height - 44};
    struct ps_axis latencies = ps_axis_log(chart->low_ns, chart->high_ns, TICKS_Y, plot.bottom, plot.top);
    plot.left = ps_svg_axis_room(&latencies, ps_figure_ns);
    double low = chart->rate_low > chart->rate_high * 0.5 ? chart->rate_low : 0;
    struct ps_axis rates = ps_axis_linear(low, chart->rate_high, svg->narrow ? 5 : 9, plot.left, plot.right);
    ps_svg_axis_bottom(svg, &plot, &rates, ps_figure_short, "offered rate, events per second");
    ps_svg_axis_left(svg, &plot, &latencies, ps_figure_ns, NULL);
    ps_svg_text(svg, 0, 13, PS_ANCHOR_START, "axis", "latency from the time an event was due");
    draw_answers(svg, chart, &plot, &rates);
    draw_curves(svg, chart, &plot, &rates, &latencies);
    draw_limits(svg, chart, &plot, &latencies);
    draw_knee(svg, chart, &rates, &latencies);
}

/* Writes the shapes that occur with the words of their verdicts. */
static void write_legend(struct ps_html *html, const struct latency_chart *chart)
{
    bool present[PS_VERDICTS] = {false};
    for (size_t index = 0; index < chart->trial_count; index++)
        present[chart->trials[index]->verdict] = true;
    ps_html_raw(html, "<ul class=\"legend\" aria-label=\"Verdicts of trials\">\n");
    for (unsigned verdict = 0; verdict < PS_VERDICTS; verdict++) {
        if (!present[verdict])
            continue;
        struct ps_svg svg = {.html = html};
        ps_html_raw(html, "<li><svg class=\"key\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">");
        char class[32];
        snprintf(class, sizeof(class), "ink v-%s", ps_trial_verdict_text((enum ps_trial_verdict)verdict));
        ps_svg_mark(&svg, (enum ps_svg_shape)verdict, 8, 8, 4.5, class, NULL);
        ps_html_print(html, "</svg><span><b>%s</b> %s</span></li>\n",
                      ps_trial_verdict_text((enum ps_trial_verdict)verdict),
                      ps_report_verdict_meaning((enum ps_trial_verdict)verdict));
    }
    ps_html_raw(html, "</ul>\n");
}

static void write_figure(struct ps_html *html, struct latency_chart *chart)
{
    qsort(chart->trials, chart->trial_count, sizeof(*chart->trials), by_rate);
    find_points(chart);
    chart->knee = chart->whole ? find_knee(chart) : (double)NAN;
    char description[512];
    int length =
        snprintf(description, sizeof(description),
                 "%zu trials from %s to %s events per second; latencies from %s to %s.", chart->trial_count,
                 ps_figure_count(chart->rate_low).text, ps_figure_count(chart->rate_high).text,
                 ps_figure_ns(chart->low_ns).text, ps_figure_ns(chart->high_ns).text);
    if (isfinite(chart->knee))
        snprintf(description + length, sizeof(description) - (size_t)length,
                 " The 99th percentile bends upwards at %s events per second.",
                 ps_figure_count(chart->knee).text);
    const struct ps_svg_figure figure = {.id = chart->id,
                                         .title = chart->title,
                                         .description = description,
                                         .wide_height = 440,
                                         .narrow_height = 400,
                                         .draw = draw,
                                         .context = chart};
    ps_svg_figure(html, &figure);
}

/* Draws a chart of the trials whose rates are in this range, if there are at least `least` of them; `whole`: with
 * knee and legend. Returns whether it was drawn. */
static bool write_chart(struct ps_html *html, const struct ps_report *report, const char *id,
                        const char *title, double from, double to, size_t least, bool whole)
{
    struct latency_chart chart = {.report = report,
                                  .trials = calloc(report->trial_count + 1, sizeof(void *)),
                                  .points = calloc(report->trial_count + 1, sizeof(struct point)),
                                  .from = from,
                                  .to = to,
                                  .id = id,
                                  .title = title,
                                  .whole = whole};
    bool shown = false;
    if (!chart.trials || !chart.points) {
        html->failed = true;
    } else if (find_trials(&chart) && chart.trial_count >= least) {
        shown = true;
        if (!whole)
            ps_html_element(html, "h3", title);
        write_figure(html, &chart);
        if (whole)
            write_legend(html, &chart);
        if (whole && chart.beyond)
            ps_html_print(
                html,
                "<p class=\"note\">%zu trial%s at higher rates not shown: the generator could not offer "
                "them.</p>\n",
                chart.beyond, chart.beyond == 1 ? "" : "s");
    }
    free(chart.trials);
    free(chart.points);
    return shown;
}

/* Draws a close-up: the search runs most trials close to the answers, where the whole chart has no room for
 * them. */
static void write_close_up(struct ps_html *html, const struct ps_report *report)
{
    double low = INFINITY, high = 0, widest = 0;
    for (size_t index = 0; index < report->goal_count; index++) {
        const struct ps_report_goal *goal = &report->goals[index];
        if (!(goal->rate > 0))
            continue;
        low = fmin(low, goal->lower > 0 ? fmin(goal->lower, goal->rate) : goal->rate);
        /* fmax returns the number when the other argument is NaN */
        high = fmax(high, fmax(goal->upper, goal->rate));
    }
    for (size_t index = 0; index < report->trial_count; index++)
        if (report->trials[index].verdict != PS_TRIAL_GENERATOR)
            widest = fmax(widest, report->trials[index].rate);
    if (high > 0 && (high - low) * CLOSE_UP < widest && high * 1.02 - low * 0.98 < widest / 3)
        write_chart(html, report, "latency-close", "Close to the answer", low * 0.98, high * 1.02, 5, false);
}

void ps_report_latency(struct ps_html *html, const struct ps_report *report)
{
    ps_report_section_begin(
        html, "throughput-latency", "Throughput and latency",
        "Each point is a trial. Left of the knee more load changes little; right of it events wait in "
        "queues, "
        "and latency "
        "grows with every second that the overload lasts. Plan for a rate left of the knee.");
    if (write_chart(html, report, "latency", "Latency over offered rate", 0, INFINITY, 1, true))
        write_close_up(html, report);
    else
        ps_report_missing(html, "no trial has a latency");
    ps_report_section_end(html);
}
