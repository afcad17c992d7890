/* The course of a trial, second by second: rates, backlog, channel fill and latency, one above the other on one
 * time axis. Shown for the trial that confirmed the answer and for the one that showed which rate is too high. */
#include "bench/report/internal.h"
#include "bench/report/svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 400U /* points of a line; further samples are merged */
#define FILLS_MAX 6U
#define SAMPLES_WANTED 4U
#define PANELS_MAX 4U
#define PANEL_TITLE 30 /* pixels above a panel, for its title */
#define PANEL_GAP 16   /* pixels below a panel */

struct column {
    double t, offered, completed, received, backlog, latency_ns, fill[FILLS_MAX];
    bool outage;
};

struct timeline {
    const struct ps_report_trial *trial;
    struct column *columns;
    size_t count;
    const char *fill_names[FILLS_MAX];
    unsigned fill_count;
    double seconds; /* time of the last column */
};

static const char *const fill_classes[FILLS_MAX] = {"s1", "s2", "s3", "s4", "s5", "s6"};

/* ---- data ---- */

/* Returns the larger of two values; ignores a value that was not measured (NaN). */
static double larger(double one, double other)
{
    return fmax(one, other); /* fmax returns the number when one is NaN */
}

/* Collects the names of channels in the order of their first appearance. */
static void find_fills(struct timeline *timeline)
{
    size_t index;
    json_t *sample;
    json_array_foreach((json_t *)(uintptr_t)timeline->trial->timeline, index, sample)
    {
        const char *name;
        json_t *value;
        json_object_foreach(json_object_get(sample, "fill"), name, value)
        {
            unsigned known = 0;
            while (known < timeline->fill_count && strcmp(timeline->fill_names[known], name))
                known++;
            if (known == timeline->fill_count && known < FILLS_MAX && json_is_number(value))
                timeline->fill_names[timeline->fill_count++] = name;
        }
        if (index > COLUMNS_MAX)
            break;
    }
}

static bool read_sample(const struct timeline *timeline, const json_t *json, struct column *column)
{
    *column = (struct column){.t = ps_report_number(json, "t"),
                              .offered = ps_report_number(json, "offered"),
                              .completed = ps_report_number(json, "completed"),
                              .received = ps_report_number(json, "received"),
                              .backlog = ps_report_number(json, "backlog"),
                              .latency_ns = ps_report_number(json, "latency_p99_ns"),
                              .outage = json_is_true(json_object_get(json, "outage"))};
    for (unsigned index = 0; index < timeline->fill_count; index++)
        column->fill[index] = ps_report_number(json_object_get(json, "fill"), timeline->fill_names[index]);
    return column->t >= 0 && column->t < 1e9;
}

/* Merges samples that share a column. A mean would hide a stall, so each column shows the extreme value. */
static void merge(struct column *into, const struct column *more, unsigned fill_count)
{
    into->t = more->t;
    into->offered = larger(into->offered, more->offered);
    into->completed = fmin(into->completed, more->completed);
    into->received = fmin(into->received, more->received);
    into->backlog = larger(into->backlog, more->backlog);
    into->latency_ns = larger(into->latency_ns, more->latency_ns);
    into->outage = into->outage || more->outage;
    for (unsigned index = 0; index < fill_count; index++)
        into->fill[index] = larger(into->fill[index], more->fill[index]);
}

static int by_time(const void *one, const void *other)
{
    const struct column *a = one, *b = other;
    return (a->t > b->t) - (a->t < b->t);
}

/* Returns true when nothing is offered and nothing arrives. */
static bool over(const struct column *column)
{
    return !isfinite(column->offered) && !isfinite(column->completed) && !(column->received > 0);
}

static bool timeline_read(struct timeline *timeline)
{
    size_t samples = json_array_size(timeline->trial->timeline);
    timeline->columns = calloc(samples + 1, sizeof(*timeline->columns));
    if (!timeline->columns)
        return false;
    find_fills(timeline);
    for (size_t index = 0; index < samples; index++)
        if (read_sample(timeline, json_array_get(timeline->trial->timeline, index),
                        &timeline->columns[timeline->count]))
            timeline->count++;
    qsort(timeline->columns, timeline->count, sizeof(*timeline->columns), by_time);
    while (timeline->count > 1 && over(&timeline->columns[timeline->count - 1]))
        timeline->count--;
    size_t share = timeline->count / COLUMNS_MAX + 1, kept = 0;
    for (size_t index = 0; index < timeline->count; index++) {
        if (index % share == 0)
            timeline->columns[kept++] = timeline->columns[index];
        else
            merge(&timeline->columns[kept - 1], &timeline->columns[index], timeline->fill_count);
    }
    timeline->count = kept;
    timeline->seconds = kept ? timeline->columns[kept - 1].t : 0;
    return true;
}

/* ---- drawing ---- */

struct line {
    const char *name, *class;
    size_t offset; /* offset of a double in struct column */
};

struct panel {
    const char *title;
    struct line lines[FILLS_MAX];
    unsigned line_count;
    ps_svg_format format;
    double low, high;
    bool log;
    double height;
};

static double value_of(const struct column *column, const struct line *line)
{
    double value;
    memcpy(&value, (const char *)column + line->offset, sizeof(value));
    return value;
}

/* Removes lines without a value. Returns false when none is left. */
static bool panel_settle(struct panel *panel, const struct timeline *timeline)
{
    unsigned kept = 0;
    for (unsigned index = 0; index < panel->line_count; index++) {
        bool any = false;
        for (size_t at = 0; at < timeline->count; at++) {
            double value = value_of(&timeline->columns[at], &panel->lines[index]);
            if (!isfinite(value) || (panel->log && value <= 0))
                continue;
            any = true;
            panel->high = larger(panel->high, value);
            panel->low = panel->log && panel->low > 0 ? fmin(panel->low, value)
                         : panel->log                 ? value
                                                      : panel->low;
        }
        if (any)
            panel->lines[kept++] = panel->lines[index];
    }
    panel->line_count = kept;
    panel->height = fmax(panel->height, kept * PS_SVG_TEXT * 1.35);
    return kept > 0;
}

static unsigned find_panels(struct panel panels[PANELS_MAX], const struct timeline *timeline)
{
    struct panel all[PANELS_MAX] = {
        {.title = "events per second",
         .lines = {{"offered", "wide-line s6", offsetof(struct column, offered)},
                   {"completed", "s1", offsetof(struct column, completed)},
                   {"received", "s2", offsetof(struct column, received)}},
         .line_count = 3,
         .format = ps_figure_short,
         .height = 130},
        {.title = "backlog: events due and not completed",
         .lines = {{"backlog", "s1", offsetof(struct column, backlog)}},
         .line_count = 1,
         .format = ps_figure_short,
         .height = 70},
        {.title = "channel fill",
         .line_count = timeline->fill_count,
         .format = ps_figure_share,
         .high = 1,
         .height = 70},
        {.title = "latency, p99 of each step",
         .lines = {{"p99", "s1", offsetof(struct column, latency_ns)}},
         .line_count = 1,
         .format = ps_figure_ns,
         .log = true,
         .height = 80},
    };
    for (unsigned index = 0; index < timeline->fill_count; index++)
        all[2].lines[index] = (struct line){timeline->fill_names[index], fill_classes[index],
                                            offsetof(struct column, fill) + index * sizeof(double)};
    unsigned count = 0;
    for (unsigned index = 0; index < PANELS_MAX; index++)
        if (panel_settle(&all[index], timeline))
            panels[count++] = all[index];
    return count;
}

/* Returns the start of a sample, which covers the time since the previous sample. */
static double began(const struct timeline *timeline, size_t at)
{
    if (at > 0)
        return timeline->columns[at - 1].t;
    double length = timeline->count > 1 ? timeline->columns[1].t - timeline->columns[0].t : 1;
    return fmax(timeline->columns[0].t - length, 0);
}

static void draw_line(struct ps_svg *svg, const struct timeline *timeline, const struct panel *panel,
                      const struct line *line, const struct ps_axis *times, const struct ps_axis *values,
                      struct ps_svg_label *label)
{
    char class[48];
    bool open = false;
    snprintf(class, sizeof(class), "series %s", line->class);
    for (size_t at = 0; at <= timeline->count; at++) {
        double value = at < timeline->count ? value_of(&timeline->columns[at], line) : (double)NAN;
        if (!isfinite(value) || (values->log && value <= 0)) { /* a gap in the data is a gap in the line */
            if (open)
                ps_svg_path_end(svg);
            open = false;
            continue;
        }
        if (!open)
            ps_svg_path_begin(svg, class);
        open = true;
        ps_svg_path_to(svg, ps_axis_at(times, began(timeline, at)), ps_axis_at(values, value));
        ps_svg_path_to(svg, ps_axis_at(times, timeline->columns[at].t), ps_axis_at(values, value));
        *label = (struct ps_svg_label){ps_axis_at(values, value), line->class, line->name};
    }
    if (timeline->count > 60)
        return;
    snprintf(class, sizeof(class), "%s small", line->class);
    for (size_t at = 0; at < timeline->count; at++) {
        double value = value_of(&timeline->columns[at], line);
        char tip[128];
        if (!isfinite(value) || (values->log && value <= 0) || !strncmp(line->class, "wide", 4))
            continue;
        double middle = (began(timeline, at) + timeline->columns[at].t) / 2;
        snprintf(tip, sizeof(tip), "%g s to %g s: %s", began(timeline, at), timeline->columns[at].t,
                 panel->format(value).text);
        ps_svg_mark(svg, PS_SVG_SHAPE_DISC, ps_axis_at(times, middle), ps_axis_at(values, value), 2, class,
                    tip);
    }
}

static void draw_outages(struct ps_svg *svg, const struct timeline *timeline, const struct ps_plot *plot,
                         const struct ps_axis *times, bool first)
{
    for (size_t at = 0; at < timeline->count; at++) {
        if (!timeline->columns[at].outage)
            continue;
        size_t end = at;
        while (end + 1 < timeline->count && timeline->columns[end + 1].outage)
            end++;
        double left = ps_axis_at(times, began(timeline, at));
        double right = ps_axis_at(times, timeline->columns[end].t);
        ps_svg_rectangle(svg, left, plot->top, fmax(right, left + 2), plot->bottom, "outage");
        const struct ps_svg_place places[] = {{(left + right) / 2, plot->top - 3, PS_ANCHOR_MIDDLE}};
        if (first)
            ps_svg_text_somewhere(svg, places, PS_COUNT_OF(places), "label", "outage");
        at = end;
    }
}

/* Draws the grid of a panel that is not the last. The axis of the last panel applies to all. */
static void draw_time_grid(struct ps_svg *svg, const struct ps_plot *plot, const struct ps_axis *times)
{
    ps_svg_line(svg, plot->left, plot->bottom, plot->right, plot->bottom, "base");
    for (unsigned index = 0; index < times->tick_count; index++) {
        double x = ps_axis_at(times, times->ticks[index]);
        ps_svg_line(svg, x, plot->top, x, plot->bottom, "grid");
    }
}

static void draw(struct ps_svg *svg, const void *context)
{
    const struct timeline *timeline = context;
    struct panel panels[PANELS_MAX];
    unsigned count = find_panels(panels, timeline);
    double top = 0, left = 0, right = svg->width - (svg->narrow ? 112 : 124);
    struct ps_axis values[PANELS_MAX];
    for (unsigned index = 0; index < count; index++) {
        double bottom = top + PANEL_TITLE + panels[index].height;
        values[index] = panels[index].log
                            ? ps_axis_log(panels[index].low, panels[index].high, 5, bottom, top + PANEL_TITLE)
                            : ps_axis_linear(0, panels[index].high, 4, bottom, top + PANEL_TITLE);
        left = fmax(left, ps_svg_axis_room(&values[index], panels[index].format));
        top = bottom + PANEL_GAP;
    }
    struct ps_axis times = ps_axis_linear(0, timeline->seconds, svg->narrow ? 6 : 11, left, right);
    for (unsigned index = 0; index < count; index++) {
        struct ps_plot plot = {left, values[index].to, right, values[index].from};
        struct ps_svg_label labels[FILLS_MAX];
        char title[64];
        ps_svg_text(svg, 0, plot.top - 14, PS_ANCHOR_START, "axis",
                    ps_svg_text_cut(panels[index].title, svg->width, title, sizeof(title)));
        draw_outages(svg, timeline, &plot, &times, index == 0);
        ps_svg_axis_left(svg, &plot, &values[index], panels[index].format, NULL);
        if (index + 1 == count)
            ps_svg_axis_bottom(svg, &plot, &times, ps_figure_number, "seconds since the trial began");
        else
            draw_time_grid(svg, &plot, &times);
        for (unsigned line = 0; line < panels[index].line_count; line++)
            draw_line(svg, timeline, &panels[index], &panels[index].lines[line], &times, &values[index],
                      &labels[line]);
        ps_svg_labels_right(svg, &plot, labels, panels[index].line_count);
    }
}

/* ---- the section ---- */

static bool write_timeline(struct ps_html *html, const struct ps_report_trial *trial, const char *id,
                           const char *what)
{
    struct timeline timeline = {.trial = trial};
    struct panel panels[PANELS_MAX];
    bool drawn = false;
    if (!timeline_read(&timeline))
        html->failed = true;
    unsigned count = find_panels(panels, &timeline);
    double height = 44;
    for (unsigned index = 0; index < count; index++)
        height += panels[index].height + PANEL_TITLE + PANEL_GAP;
    char title[160], description[300];
    snprintf(title, sizeof(title), "Trial %s: %s events/s, %s", ps_figure_count(trial->number).text,
             ps_figure_count(trial->rate).text, what);
    snprintf(description, sizeof(description),
             "%zu seconds or parts of seconds; received %s of %s events, lost %s, p99 latency %s.",
             timeline.count, ps_figure_count(trial->received).text, ps_figure_count(trial->offered).text,
             ps_figure_count(trial->lost).text, ps_figure_ns(trial->latency_ns[PS_P99]).text);
    const struct ps_svg_figure figure = {.id = id,
                                         .title = title,
                                         .description = description,
                                         .wide_height = height - PANEL_GAP,
                                         .narrow_height = height - PANEL_GAP,
                                         .draw = draw,
                                         .context = &timeline};
    if (count && timeline.count > 0) {
        ps_html_element(html, "h3", title);
        ps_svg_figure(html, &figure);
        drawn = true;
    }
    free(timeline.columns);
    return drawn;
}

/* Returns the latest held trial nearest below the answer with at least `samples` samples. */
static const struct ps_report_trial *find_held(const struct ps_report *report, size_t samples)
{
    const struct ps_report_goal *answer = ps_report_answer(report);
    const struct ps_report_trial *best = NULL;
    double rate = answer ? answer->rate * 1.01 : INFINITY;
    for (size_t index = 0; index < report->trial_count; index++) {
        const struct ps_report_trial *trial = &report->trials[index];
        bool same = !answer || !answer->goal || !trial->goal || !strcmp(answer->goal, trial->goal);
        if (same && trial->verdict == PS_TRIAL_HELD && trial->rate <= rate &&
            json_array_size(trial->timeline) >= samples && (!best || trial->rate >= best->rate))
            best = trial;
    }
    return best;
}

/* Returns the latest trial at the lowest rate above `held` that was too high. */
static const struct ps_report_trial *find_too_much(const struct ps_report *report, size_t samples,
                                                   const struct ps_report_trial *held)
{
    const struct ps_report_trial *best = NULL;
    for (size_t index = 0; index < report->trial_count; index++) {
        const struct ps_report_trial *trial = &report->trials[index];
        bool bad = trial->verdict == PS_TRIAL_LOST || trial->verdict == PS_TRIAL_LATE ||
                   trial->verdict == PS_TRIAL_FAILED;
        if (bad && json_array_size(trial->timeline) >= samples && (!held || trial->rate > held->rate) &&
            (!best || trial->rate <= best->rate))
            best = trial;
    }
    return best;
}

void ps_report_timeline(struct ps_html *html, const struct ps_report *report)
{
    ps_report_section_begin(html, "timeline", "Second by second",
                            "The trial that confirmed the answer, and the lowest rate that was too high. As "
                            "long as what is completed and "
                            "received follows what is offered, and backlog and fill stay level, the rate can "
                            "be held; a backlog that grows "
                            "steadily cannot end well, however long the buffers are.");
    const struct ps_report_trial *held = NULL, *too_much = NULL;
    /* Accepts shorter trials when there are no long ones; a short trial may have only one sample. */
    for (size_t samples = SAMPLES_WANTED; samples > 0 && !held; samples--)
        held = find_held(report, samples);
    for (size_t samples = SAMPLES_WANTED; samples > 0 && !too_much; samples--)
        too_much = find_too_much(report, samples, held);
    bool any = held && write_timeline(html, held, "timeline-held", "held");
    if (too_much) {
        char what[64];
        snprintf(what, sizeof(what), "too high (%s)", ps_trial_verdict_text(too_much->verdict));
        any = write_timeline(html, too_much, "timeline-over", what) || any;
    }
    if (!any)
        ps_report_missing(html, "no trial has a timeline");
    ps_report_section_end(html);
}
