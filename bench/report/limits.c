/* The section about the subject's limits: how busy each part was at the answer, in the order in which the parts
 * saturate. */
#include "bench/report/figure.h"
#include "bench/report/internal.h"

#include <math.h>
#include <stdlib.h>

#define BUSY 0.9 /* from this utilisation on a part is shown as the limit */
#define IDLE 0.01
#define SHOWN 8U
#define SHOWN_ALWAYS 3U /* parts shown even when idle: the next limits are of interest */
#define TIGHT 0.7       /* from this utilisation on a part is shown as a next limit */

struct part {
    double rank, utilisation, headroom, saturates_at;
    const char *name, *text, *of;
};

static int by_rank(const void *one, const void *other)
{
    const struct part *a = one, *b = other;
    if (a->rank != b->rank)
        return (a->rank > b->rank) - (a->rank < b->rank);
    return (a->utilisation < b->utilisation) - (a->utilisation > b->utilisation);
}

/* Reads the ranked limits or, without them, how busy the parts were in the trial at the answer. */
static size_t find_parts(const struct ps_report *report, struct part parts[PS_REPORT_ITEMS_MAX])
{
    const json_t *list = ps_report_array(report->json, "limits");
    bool ranked = list != NULL;
    const struct ps_report_goal *answer = ps_report_answer(report);
    const struct ps_report_trial *trial = ps_report_trial_at(report, answer ? answer->rate : INFINITY);
    if (!ranked && trial)
        list = trial->utilisation;
    size_t count = 0;
    for (size_t index = 0; index < json_array_size(list) && count < PS_REPORT_ITEMS_MAX; index++) {
        const json_t *json = json_array_get(list, index);
        double used = ps_report_number(json, ranked ? "utilisation" : "value");
        struct part part = {.rank = ranked ? fmax(ps_report_number(json, "rank"), 0) : 0,
                            .utilisation = used >= 0 ? used : (double)NAN,
                            .headroom = ranked ? ps_report_number(json, "headroom") : 1 - used,
                            .saturates_at = ps_report_number(json, "saturates_at"),
                            .name = ps_report_string(json, "part"),
                            .text = ps_report_string(json, "text"),
                            .of = ps_report_string(json, "of")};
        if (part.name)
            parts[count++] = part;
    }
    qsort(parts, count, sizeof(*parts), by_rank);
    return count;
}

static void write_part(struct ps_html *html, const struct part *part)
{
    double used = part->utilisation;
    const char *class = used >= BUSY ? "busy" : used >= TIGHT ? "tight" : "calm";
    ps_html_print(html, "<li class=\"%s\"><div class=\"part\"><b>", class);
    ps_html_text(html, part->name);
    ps_html_raw(html, "</b>");
    if (part->of) {
        ps_html_raw(html, " <span class=\"quiet\">of its ");
        ps_html_text(html, part->of);
        ps_html_raw(html, "</span>");
    }
    ps_html_print(html, "<span class=\"used\">%s</span>", ps_figure_share(used).text);
    if (isfinite(part->headroom))
        ps_html_print(html, "<span class=\"quiet\">headroom %s</span>",
                      ps_figure_share(fmax(part->headroom, 0)).text);
    ps_html_raw(html, "</div>\n");
    if (isfinite(used)) {
        double width = fmax(fmin(used, 1), 0) * 100;
        ps_html_print(html,
                      "<svg class=\"bar\" viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" "
                      "aria-hidden=\"true\"><rect "
                      "class=\"track\" width=\"100\" height=\"6\"/><rect class=\"fill mark\" width=\"%.1f\" "
                      "height=\"6\"/></svg>\n",
                      width);
    }
    if (part->text && part->text[0])
        ps_html_element(html, "p class=\"quiet\"", part->text);
    else if (part->saturates_at > 0)
        ps_html_print(html, "<p class=\"quiet\">full at about %s events/s</p>\n",
                      ps_figure_count(part->saturates_at).text);
    ps_html_raw(html, "</li>\n");
}

void ps_report_limits(struct ps_html *html, const struct ps_report *report)
{
    ps_report_section_begin(
        html, "limits", "What limits it",
        "The use of each part at the rate found, in the order in which the parts saturate. The first is "
        "the part to enlarge; the second will be the limit after that.");
    struct part parts[PS_REPORT_ITEMS_MAX];
    size_t count = find_parts(report, parts);
    if (count) {
        ps_html_raw(html, "<ol class=\"parts\">\n");
        size_t shown = 0;
        for (size_t index = 0; index < count && shown < SHOWN; index++) {
            if (index >= SHOWN_ALWAYS && parts[index].utilisation < IDLE)
                continue;
            write_part(html, &parts[index]);
            shown++;
        }
        ps_html_raw(html, "</ol>\n");
        if (count > shown)
            ps_html_print(html, "<p class=\"note\">%zu more part%s in the result document.</p>\n",
                          count - shown, count == shown + 1 ? ", less busy, is" : "s, less busy, are");
    } else {
        ps_report_missing(html, "the subject's own figures were not read (a foreign system shows none)");
    }
    ps_report_section_end(html);
}
