/* The requirements, and the changes since an older result: the verdicts that `plan --require` and `plan --compare`
 * put into the document. Without both options the section is left out. */
#include "bench/report/figure.h"
#include "bench/report/internal.h"

#include <string.h>

static const struct {
    const char *verdict, *class, *sign;
} verdicts[] = {
    {"met", "good", "✓"},    {"missed", "bad", "✕"}, {"not-shown", "warn", "◷"}, {"same", "good", "="},
    {"better", "good", "▲"}, {"worse", "bad", "▼"},  {"unknown", "warn", "◷"},
};

static void write_verdict(struct ps_html *html, const char *verdict)
{
    for (size_t i = 0; verdict && i < PS_COUNT_OF(verdicts); i++)
        if (!strcmp(verdict, verdicts[i].verdict)) {
            ps_html_print(html,
                          "<td><span class=\"status %s\"><span aria-hidden=\"true\">%s</span> %s</span></td>",
                          verdicts[i].class, verdicts[i].sign, verdicts[i].verdict);
            return;
        }
    ps_html_element(html, "td", verdict ? verdict : PS_FIGURE_NONE);
}

/* Writes one row for each item: its name, its verdict, the reason. */
static void write_list(struct ps_html *html, const char *heading, const json_t *list, const char *key)
{
    ps_html_print(
        html,
        "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">%s</th><th scope=\"col\">verdict</th>"
        "<th scope=\"col\">why</th></tr></thead>\n<tbody>\n",
        heading);
    for (size_t i = 0; i < json_array_size(list) && i < PS_REPORT_ITEMS_MAX; i++) {
        const json_t *item = json_array_get(list, i);
        ps_html_raw(html, "<tr>");
        ps_html_element(html, "th scope=\"row\"", ps_report_string(item, key));
        write_verdict(html, ps_report_string(item, "verdict"));
        ps_html_element(html, "td", ps_report_string(item, "text"));
        ps_html_raw(html, "</tr>\n");
    }
    ps_html_raw(html, "</tbody></table></div>\n");
}

void ps_report_verdicts(struct ps_html *html, const struct ps_report *report)
{
    const json_t *requirements = ps_report_array(report->json, "requirements");
    const json_t *comparison = json_object_get(report->json, "comparison");
    const json_t *figures = ps_report_array(comparison, "figures");
    if (!requirements && !figures)
        return;
    ps_report_section_begin(html, "verdicts", "Required and compared",
                            "A change is better or worse only when its whole 95 % interval is: both "
                            "measurements' intervals are in it.");
    if (requirements)
        write_list(html, "requirement", requirements, "requirement");
    if (figures) {
        ps_html_raw(html, "<p>Compared with <code>");
        ps_html_text(html, ps_report_string(comparison, "with"));
        ps_html_raw(html, "</code>, measured ");
        ps_html_text(html, ps_report_string(comparison, "started"));
        ps_html_raw(html, " with penstock ");
        ps_html_text(html, ps_report_string(comparison, "penstock"));
        ps_html_raw(html, ".</p>\n");
        write_list(html, "figure", figures, "figure");
        ps_report_list(html, "Not the same in both", ps_report_array(comparison, "differences"));
    }
    ps_report_section_end(html);
}
