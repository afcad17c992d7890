/* Rate over the number of workers: measured points and the Universal Scalability Law fitted to them (Gunther,
 * "A General Theory of Computational Scalability", 2008):
 *
 *   X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)) */
#include "bench/report/internal.h"
#include "bench/report/svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CURVE_POINTS 80U

struct scaling {
    double workers[PS_REPORT_ITEMS_MAX], rates[PS_REPORT_ITEMS_MAX];
    size_t count;
    double lambda, sigma, kappa, error, peak_workers;
    double measured_to, shown_to, rate_max;
    bool fitted;
};

static double fitted_rate(const struct scaling *scaling, double workers)
{
    double slowed = 1 + scaling->sigma * (workers - 1) + scaling->kappa * workers * (workers - 1);
    return slowed > 0 ? scaling->lambda * workers / slowed : (double)NAN;
}

static void read_scaling(struct scaling *scaling, const json_t *json)
{
    const json_t *points = ps_report_array(json, "points");
    *scaling = (struct scaling){.lambda = ps_report_number(json, "lambda"),
                                .sigma = ps_report_number(json, "sigma"),
                                .kappa = ps_report_number(json, "kappa"),
                                .error = ps_report_number(json, "error"),
                                .peak_workers = ps_report_number(json, "peak_workers")};
    for (size_t index = 0; index < json_array_size(points) && scaling->count < PS_REPORT_ITEMS_MAX; index++) {
        double workers = ps_report_number(json_array_get(points, index), "workers");
        double rate = ps_report_number(json_array_get(points, index), "rate");
        if (!(workers > 0 && workers <= 65536 && rate > 0))
            continue;
        scaling->workers[scaling->count] = workers;
        scaling->rates[scaling->count++] = rate;
        scaling->measured_to = fmax(scaling->measured_to, workers);
        scaling->rate_max = fmax(scaling->rate_max, rate);
    }
    scaling->fitted = scaling->lambda > 0 && isfinite(scaling->sigma) && isfinite(scaling->kappa);
    scaling->shown_to = fmax(scaling->measured_to * 2, 4);
    if (scaling->peak_workers > scaling->shown_to && scaling->peak_workers <= scaling->shown_to * 2)
        scaling->shown_to = ceil(scaling->peak_workers * 1.1);
    for (unsigned step = 0; scaling->fitted && step <= CURVE_POINTS; step++) {
        double rate = fitted_rate(scaling, 1 + (scaling->shown_to - 1) * step / CURVE_POINTS);
        if (isfinite(rate))
            scaling->rate_max = fmax(scaling->rate_max, rate * (1 + fmax(scaling->error, 0)));
    }
}

/* Draws the curve from one number of workers to another; returns y at its end. */
static double draw_curve(struct ps_svg *svg, const struct scaling *scaling, const struct ps_axis *workers,
                         const struct ps_axis *rates, double from, double to, const char *class)
{
    double y = (double)NAN;
    ps_svg_path_begin(svg, class);
    for (unsigned step = 0; step <= CURVE_POINTS; step++) {
        double at = from + (to - from) * step / CURVE_POINTS, rate = fitted_rate(scaling, at);
        if (!isfinite(rate))
            continue;
        y = ps_axis_at(rates, rate);
        ps_svg_path_to(svg, ps_axis_at(workers, at), y);
    }
    ps_svg_path_end(svg);
    return y;
}

static void draw_error(struct ps_svg *svg, const struct scaling *scaling, const struct ps_axis *workers,
                       const struct ps_axis *rates)
{
    if (!(scaling->error > 0) || scaling->error >= 1)
        return;
    ps_svg_path_begin(svg, "interval");
    /* The path goes forward along the upper edge and back along the lower one. */
    for (unsigned step = 0; step <= 2 * CURVE_POINTS + 1; step++) {
        bool back = step > CURVE_POINTS;
        double share = (back ? 2 * CURVE_POINTS + 1 - step : step) / (double)CURVE_POINTS;
        double at = 1 + (scaling->shown_to - 1) * share, rate = fitted_rate(scaling, at);
        if (isfinite(rate))
            ps_svg_path_to(svg, ps_axis_at(workers, at),
                           ps_axis_at(rates, rate * (back ? 1 - scaling->error : 1 + scaling->error)));
    }
    ps_svg_path_end(svg);
}

static void draw(struct ps_svg *svg, const void *context)
{
    const struct scaling *scaling = context;
    struct ps_plot plot = {.top = 34, .right = svg->width - 104, .bottom = svg->height - 44};
    struct ps_axis rates = ps_axis_linear(0, scaling->rate_max * 1.04, 7, plot.bottom, plot.top);
    plot.left = ps_svg_axis_room(&rates, ps_figure_short);
    struct ps_axis workers =
        ps_axis_linear(0, scaling->shown_to, svg->narrow ? 6 : 11, plot.left, plot.right);
    ps_svg_axis_bottom(svg, &plot, &workers, ps_figure_number, "workers");
    ps_svg_axis_left(svg, &plot, &rates, ps_figure_short, NULL);
    ps_svg_text(svg, 0, 13, PS_ANCHOR_START, "axis", "events per second");
    struct ps_svg_label labels[2];
    unsigned label_count = 0;
    if (scaling->fitted) {
        double end = fmin(scaling->shown_to, rates.high / scaling->lambda);
        double y = ps_axis_at(&rates, end * scaling->lambda);
        draw_error(svg, scaling, &workers, &rates);
        ps_svg_line(svg, ps_axis_at(&workers, 0), ps_axis_at(&rates, 0), ps_axis_at(&workers, end), y,
                    "series ideal");
        const struct ps_svg_place places[] = {{ps_axis_at(&workers, end * 0.7) - 8,
                                               ps_axis_at(&rates, end * 0.7 * scaling->lambda),
                                               PS_ANCHOR_END}};
        ps_svg_text_somewhere(svg, places, PS_COUNT_OF(places), "label", "linear");
        draw_curve(svg, scaling, &workers, &rates, 1, scaling->measured_to, "series s1");
        y = draw_curve(svg, scaling, &workers, &rates, scaling->measured_to, scaling->shown_to,
                       "series s1 projected");
        labels[label_count++] = (struct ps_svg_label){y, "s1 projected", "projected"};
    }
    for (size_t index = 0; index < scaling->count; index++) {
        char tip[96];
        snprintf(tip, sizeof(tip), "%g workers: %s events/s measured", scaling->workers[index],
                 ps_figure_count(scaling->rates[index]).text);
        ps_svg_mark(svg, PS_SVG_SHAPE_DISC, ps_axis_at(&workers, scaling->workers[index]),
                    ps_axis_at(&rates, scaling->rates[index]), 5, "s1 v-held", tip);
    }
    if (scaling->fitted && scaling->peak_workers >= 1 && scaling->peak_workers <= workers.high) {
        double x = ps_axis_at(&workers, scaling->peak_workers);
        double y = ps_axis_at(&rates, fitted_rate(scaling, scaling->peak_workers));
        const struct ps_svg_place places[] = {{x, y - 12, PS_ANCHOR_MIDDLE}, {x, y + 24, PS_ANCHOR_MIDDLE}};
        char text[64];
        snprintf(text, sizeof(text), "peak: %s workers", ps_figure_number(scaling->peak_workers).text);
        ps_svg_mark(svg, PS_SVG_SHAPE_DIAMOND, x, y, 4, "ink v-generator", NULL);
        ps_svg_text_somewhere(svg, places, PS_COUNT_OF(places), "label", text);
    }
    ps_svg_labels_right(svg, &plot, labels, label_count);
}

static void write_parameters(struct ps_html *html, const struct scaling *scaling)
{
    ps_html_raw(
        html,
        "<table class=\"numbers\">\n<caption>The fit</caption>\n<thead><tr><th scope=\"col\">parameter</th>"
        "<th scope=\"col\" class=\"n\">value</th><th scope=\"col\">meaning</th></tr></thead>\n<tbody>\n");
    ps_html_print(html,
                  "<tr><th scope=\"row\">λ</th><td class=\"n\">%s</td><td>events/s of one worker</td></tr>\n",
                  ps_figure_count(scaling->lambda).text);
    ps_html_print(
        html,
        "<tr><th scope=\"row\">σ</th><td class=\"n\">%s</td><td>share of the work that only one can do at "
        "a time</td></tr>\n",
        ps_figure_number(scaling->sigma).text);
    ps_html_print(html,
                  "<tr><th scope=\"row\">κ</th><td class=\"n\">%s</td><td>cost of workers agreeing with each "
                  "other</td></tr>\n",
                  ps_figure_number(scaling->kappa).text);
    ps_html_print(
        html,
        "<tr><th scope=\"row\">error</th><td class=\"n\">%s</td><td>of the fit at the measured points%s"
        "</td></tr>\n",
        isfinite(scaling->error) ? ps_figure_share(scaling->error).text : PS_FIGURE_NONE,
        isfinite(scaling->error) ? "" : ": too few points to tell");
    ps_html_print(
        html,
        "<tr><th scope=\"row\">peak</th><td class=\"n\">%s</td><td>workers, after which more make it "
        "slower</td></tr>\n</tbody></table>\n",
        scaling->peak_workers > 0 ? ps_figure_number(scaling->peak_workers).text : "none");
}

void ps_report_scaling(struct ps_html *html, const struct ps_report *report)
{
    ps_report_section_begin(
        html, "scaling", "How it scales",
        "Points are measured. The curve is the Universal Scalability Law fitted to them; where it is "
        "dashed nothing was measured. The band is the error of the fit.");
    const json_t *json = json_object_get(report->json, "scaling");
    struct scaling scaling;
    read_scaling(&scaling, json);
    if (scaling.count) {
        char description[400];
        snprintf(description, sizeof(description),
                 "%zu measured points up to %g workers, the highest rate %s events per second; error of the "
                 "fit %s.",
                 scaling.count, scaling.measured_to, ps_figure_count(scaling.rates[scaling.count - 1]).text,
                 ps_figure_share(scaling.error).text);
        const struct ps_svg_figure figure = {.id = "scaling-curve",
                                             .title = "Rate over number of workers",
                                             .description = description,
                                             .wide_height = 360,
                                             .narrow_height = 320,
                                             .draw = draw,
                                             .context = &scaling};
        ps_svg_figure(html, &figure);
        if (scaling.fitted)
            write_parameters(html, &scaling);
        const char *note = ps_report_string(json, "note");
        if (note && note[0])
            ps_html_element(html, "p class=\"note\"", note);
    } else {
        ps_report_missing(html, "only one number of workers was run (use --workers 1..N)");
    }
    ps_report_section_end(html);
}
