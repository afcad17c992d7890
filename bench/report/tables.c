/* Tables: the trials one by one, the machine and the versions. */
#include "bench/report/figure.h"
#include "bench/report/internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- trials ---- */

static void number_cell(struct ps_html *html, struct ps_figure figure)
{
    ps_html_print(html, "<td class=\"n\">%s</td>", figure.text);
}

/* Writes a count that should be 0; anything else is highlighted. */
static void fault_cell(struct ps_html *html, double count)
{
    ps_html_print(html, "<td class=\"n%s\">%s</td>", count > 0 ? " fault" : "", ps_figure_count(count).text);
}

static void write_trial(struct ps_html *html, const struct ps_report_trial *trial)
{
    ps_html_print(html, "<tr class=\"v-%s\"><th scope=\"row\" class=\"n\">%s</th>",
                  ps_trial_verdict_text(trial->verdict), ps_figure_count(trial->number).text);
    number_cell(html, ps_figure_count(trial->rate));
    ps_html_print(html,
                  "<td class=\"verdict\"><svg class=\"key\" viewBox=\"0 0 16 16\" aria-hidden=\"true\"><use "
                  "href=\"#v-%s\"/></svg>",
                  ps_trial_verdict_text(trial->verdict));
    ps_html_text(html, trial->verdict_text ? trial->verdict_text : "unknown");
    ps_html_raw(html, "</td><td>");
    ps_html_text(html, trial->goal ? trial->goal : PS_FIGURE_NONE);
    ps_html_raw(html, "</td>");
    number_cell(html, ps_figure_seconds(trial->seconds));
    number_cell(html, ps_figure_count(trial->achieved_rate));
    number_cell(html, ps_figure_count(trial->received));
    fault_cell(html, trial->lost);
    fault_cell(html, trial->duplicated);
    fault_cell(html, trial->reordered);
    fault_cell(html, trial->corrupted);
    number_cell(html, ps_figure_ns(trial->latency_ns[PS_P50]));
    number_cell(html, ps_figure_ns(trial->latency_ns[PS_P99]));
    number_cell(html, ps_figure_ns(trial->latency_ns[PS_P999]));
    number_cell(html, ps_figure_ns(trial->latency_ns[PS_MAX]));
    number_cell(html, ps_figure_seconds(trial->cpu_seconds));
    number_cell(html, ps_figure_bytes(trial->rss_bytes));
    ps_html_raw(html, "</tr>\n");
}

static void write_notes(struct ps_html *html, const struct ps_report *report)
{
    unsigned written = 0;
    for (size_t index = 0; index < report->trial_count && written < PS_REPORT_ITEMS_MAX; index++) {
        const struct ps_report_trial *trial = &report->trials[index];
        if (!trial->note || !trial->note[0])
            continue;
        ps_html_print(html, "%s<li>Trial %s: ", written++ ? "" : "<ul class=\"assumptions\">\n",
                      ps_figure_count(trial->number).text);
        ps_html_text(html, trial->note);
        ps_html_raw(html, "</li>\n");
    }
    ps_html_raw(html, written ? "</ul>\n" : "");
}

static void write_table(struct ps_html *html, const struct ps_report *report)
{
    static const char *const columns[] = {"trial",         "asked, 1/s", "verdict", "goal",    "time",
                                          "achieved, 1/s", "received",   "lost",    "doubled", "reordered",
                                          "changed",       "p50",        "p99",     "p99.9",   "max",
                                          "CPU time",      "memory"};
    ps_html_raw(
        html, "<div class=\"scroll\" role=\"region\" aria-label=\"Table of trials\" tabindex=\"0\">\n<table "
              "class=\"trials\">\n<thead><tr>");
    for (size_t index = 0; index < PS_COUNT_OF(columns); index++)
        ps_html_print(html, "<th scope=\"col\"%s>%s</th>", index == 2 || index == 3 ? "" : " class=\"n\"",
                      columns[index]);
    ps_html_raw(html, "</tr></thead>\n<tbody>\n");
    for (size_t index = 0; index < report->trial_count; index++)
        write_trial(html, &report->trials[index]);
    ps_html_raw(html, "</tbody></table></div>\n");
    write_notes(html, report);
    if (report->trials_left_out)
        ps_html_print(html, "<p class=\"note\">%zu more trials are in the result document.</p>\n",
                      report->trials_left_out);
}

void ps_report_trials(struct ps_html *html, const struct ps_report *report)
{
    ps_report_section_begin(
        html, "trials", "Every trial",
        "In the order they were run. CPU time and memory are those of the subject. A trial counts "
        "only when every event is accounted for at the far end.");
    if (report->trial_count)
        write_table(html, report);
    else
        ps_report_missing(html, "no trial was run");
    ps_report_section_end(html);
}

/* ---- machine ---- */

static void write_pair(struct ps_html *html, const char *name, const char *value)
{
    ps_html_print(html, "<div><dt>%s</dt><dd>", name);
    ps_html_text(html, value ? value : PS_FIGURE_NONE);
    ps_html_raw(html, "</dd></div>\n");
}

/* Writes the machine's members that the page does not know, if they are numbers or texts. */
static void write_others(struct ps_html *html, const json_t *machine)
{
    static const char *const known[] = {"cpu", "cpus",       "memory_bytes", "kernel",
                                        "os",  "librdkafka", "hyperscan"};
    unsigned written = 0;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)machine, name, value)
    {
        bool skip = !json_is_string(value) && !json_is_number(value);
        for (size_t index = 0; index < PS_COUNT_OF(known); index++)
            skip = skip || !strcmp(name, known[index]);
        if (skip || written++ == PS_REPORT_ITEMS_MAX)
            continue;
        ps_html_raw(html, "<div>");
        ps_html_element(html, "dt", name);
        ps_html_raw(html, "<dd>");
        ps_html_text(html, json_is_string(value) ? json_string_value(value)
                                                 : ps_figure_count(json_number_value(value)).text);
        ps_html_raw(html, "</dd></div>\n");
    }
}

void ps_report_machine(struct ps_html *html, const struct ps_report *report)
{
    ps_report_section_begin(
        html, "machine", "Machine and versions",
        "Load, subject and far end ran here together unless the command names other machines; the resources "
        "that they take from each other are part of the figures.");
    const json_t *machine = json_object_get(report->json, "machine");
    ps_html_raw(html, "<dl class=\"figures\">\n");
    write_pair(html, "processor", ps_report_string(machine, "cpu"));
    write_pair(html, "CPUs", ps_figure_count(ps_report_number(machine, "cpus")).text);
    write_pair(html, "memory", ps_figure_bytes(ps_report_number(machine, "memory_bytes")).text);
    write_pair(html, "system", ps_report_string(machine, "os"));
    write_pair(html, "kernel", ps_report_string(machine, "kernel"));
    write_pair(html, "penstock", ps_report_string(report->json, "penstock"));
    write_pair(html, "librdkafka", ps_report_string(machine, "librdkafka"));
    write_pair(html, "Hyperscan", ps_report_string(machine, "hyperscan"));
    double seed = ps_report_number(report->json, "seed");
    char text[32] = PS_FIGURE_NONE;
    if (isfinite(seed))
        snprintf(text, sizeof(text), "%.0f", seed);
    write_pair(html, "seed of the load", text);
    write_others(html, machine);
    ps_html_raw(html, "</dl>\n");
    ps_report_list(html, "Further assumptions", ps_report_array(report->json, "assumptions"));
    ps_report_section_end(html);
}
