/* The number of machines, as the plan computed it from its measurement. The section is marked as a projection
 * and lists all assumptions. */
#include "bench/report/figure.h"
#include "bench/report/internal.h"

#include <math.h>

static void write_figure(struct ps_html *html, const char *name, const char *value, const char *more)
{
    ps_html_print(html, "<div><dt>%s</dt><dd>%s%s%s</dd></div>\n", name, value, more[0] ? " " : "", more);
}

/* Writes a cost; its currency is foreign text. */
static void write_cost(struct ps_html *html, const char *name, const json_t *cost, const char *key,
                       const char *words)
{
    double amount = ps_report_number(cost, key);
    const char *currency = ps_report_string(cost, "currency");
    if (!(amount > 0))
        return;
    ps_html_print(html, "<div><dt>%s</dt><dd>%s ", name,
                  amount >= 1000 ? ps_figure_count(round(amount)).text : ps_figure_number(amount).text);
    ps_html_text(html, currency);
    ps_html_print(html, " <span class=\"quiet\">%s</span></dd></div>\n", words);
}

static void write_figures(struct ps_html *html, const json_t *json)
{
    double machines = ps_report_number(json, "machines"), spare = ps_report_number(json, "spare");
    double retention = ps_report_number(json, "retention_s"),
           replication = ps_report_number(json, "replication");
    double disk = ps_report_number(json, "disk_bytes_per_broker"), error = ps_report_number(json, "error");
    char more[192] = "";
    ps_html_raw(html, "<dl class=\"figures\">\n");
    write_figure(html, "asked for", ps_figure_count(ps_report_number(json, "asked_rate")).text, "events/s");
    write_figure(html, "event size", ps_figure_count(ps_report_number(json, "size_bytes")).text, "bytes");
    if (spare >= 0)
        snprintf(more, sizeof(more), "<span class=\"quiet\">%s may be down</span>",
                 ps_figure_count(spare).text);
    write_figure(html,
                 json_is_true(json_object_get(json, "machines_at_most")) ? "machines, at most" : "machines",
                 ps_figure_count(machines).text, more);
    write_figure(html, "counted on each", ps_figure_count(ps_report_number(json, "machine_rate")).text,
                 "events/s");
    write_figure(html, "workers on each", ps_figure_count(ps_report_number(json, "workers_per_machine")).text,
                 "");
    write_figure(html, "headroom kept", ps_figure_share(ps_report_number(json, "headroom")).text, "");
    write_figure(html, "brokers", ps_figure_count(ps_report_number(json, "brokers")).text, "");
    write_figure(html, "Kafka partitions", ps_figure_count(ps_report_number(json, "partitions")).text, "");
    more[0] = '\0';
    if (retention > 0)
        snprintf(more, sizeof(more), "<span class=\"quiet\">for %s%s%s</span>",
                 ps_figure_seconds(retention).text, replication > 0 ? ", copies: " : "",
                 replication > 0 ? ps_figure_count(replication).text : "");
    write_figure(html, "disk on each broker", ps_figure_bytes(disk).text, more);
    const json_t *cost = json_object_get(json, "cost");
    write_cost(html, "cost of the machines", cost, "per_hour", "an hour");
    write_cost(html, "cost of the machines", cost, "per_month", "a month");
    write_cost(html, "cost of a million events", cost, "per_million_events", "at the rate asked for");
    write_figure(html, "error of the measurement", ps_figure_share(error).text, "");
    ps_html_raw(html, "</dl>\n");
}

void ps_report_projection(struct ps_html *html, const struct ps_report *report)
{
    ps_report_section_begin(
        html, "projection", "How many machines",
        "Computed from what was measured here, for machines like this one. Nothing in this section "
        "was measured; it is only as good as its assumptions.");
    const json_t *json = json_object_get(report->json, "projection");
    if (json_object_size(json)) {
        ps_html_raw(
            html,
            "<div class=\"projection\">\n<p class=\"status warn\"><span aria-hidden=\"true\">◇</span> a "
            "projection, not a measurement</p>\n");
        write_figures(html, json);
        const json_t *assumptions = ps_report_array(json, "assumptions");
        ps_report_list(html, "It assumes", assumptions);
        if (!assumptions)
            ps_report_missing(html, "its assumptions were not kept");
        ps_html_raw(html, "</div>\n");
    } else {
        ps_report_missing(html, "no rate was asked for (ask with --machines-for RATE)");
    }
    ps_report_section_end(html);
}
