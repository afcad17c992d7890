/* Writes the whole page: the sections in order. See report.h. */
#include "bench/report/report.h"
#include "bench/report/internal.h"
#include "bench/report/svg.h"
#include "bench/support/output.h"

#include <stdio.h>

/* Defines the shapes of verdicts once, for the table of trials. */
static void write_symbols(struct ps_html *html)
{
    struct ps_svg svg = {.html = html};
    ps_html_raw(html, "<svg class=\"symbols\" aria-hidden=\"true\">\n");
    for (unsigned verdict = 0; verdict < PS_VERDICTS; verdict++) {
        const char *name = ps_trial_verdict_text((enum ps_trial_verdict)verdict);
        char class[32];
        snprintf(class, sizeof(class), "ink v-%s", name);
        ps_html_print(html, "<symbol id=\"v-%s\" viewBox=\"0 0 16 16\">", name);
        ps_svg_mark(&svg, (enum ps_svg_shape)verdict, 8, 8, 4.5, class, NULL);
        ps_html_raw(html, "</symbol>\n");
    }
    ps_html_raw(html,
                "<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
                "patternTransform=\"rotate(45)\"><line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\" class=\"hatch\"/>"
                "</pattern></defs>\n</svg>\n");
}

static void write_page(struct ps_html *html, const struct ps_report *report)
{
    const char *name = ps_report_string(json_object_get(report->json, "subject"), "name");
    ps_html_raw(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
        "content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light "
        "dark\">\n<title>Capacity of ");
    ps_html_text(html, name ? name : "a pipeline");
    ps_html_raw(html, " – penstock plan</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n");
    ps_html_raw(html, ps_report_style);
    ps_html_raw(html, "</style>\n</head>\n<body>\n");
    write_symbols(html);
    ps_html_raw(html, "<main>\n");
    ps_report_head(html, report);
    ps_report_verdicts(html, report);
    ps_report_latency(html, report);
    ps_report_percentiles(html, report);
    ps_report_timeline(html, report);
    ps_report_limits(html, report);
    ps_report_scaling(html, report);
    ps_report_projection(html, report);
    ps_report_trials(html, report);
    ps_report_machine(html, report);
    ps_html_raw(
        html,
        "</main>\n<footer><p>Latencies count from the time an event was due, not from when it was sent: "
        "a stall shows in full. Written by penstock ");
    ps_html_text(html, ps_report_string(report->json, "penstock"));
    ps_html_raw(html, " plan; this page is one file and loads nothing from a network.</p></footer>\n</body>\n"
                      "</html>\n");
}

bool ps_report_page(struct ps_html *html, const json_t *result)
{
    struct ps_report report;
    bool read = ps_report_data_init(&report, result);
    if (read)
        write_page(html, &report);
    ps_report_data_fini(&report);
    return read && !html->failed;
}

enum ps_status ps_report_write(const json_t *result, const char *path, struct ps_err *err)
{
    struct ps_html html = {0};
    enum ps_status status = ps_report_page(&html, result) ? ps_output_write(path, html.data, html.length, err)
                                                          : ps_err_set(err, "no memory for the report");
    if (status != PS_OK)
        ps_err_append(err, "writing the report");
    ps_html_fini(&html);
    return status;
}
