/* The common parts of the page's sections: their markup, a missing chart, a list of texts. */
#include "bench/report/internal.h"

void ps_report_section_begin(struct ps_html *html, const char *id, const char *heading,
                             const char *explanation)
{
    ps_html_print(
        html,
        "<section id=\"%s\" aria-labelledby=\"%s-heading\">\n<div class=\"about\"><h2 id=\"%s-heading\">%s"
        "</h2>\n<p>%s</p></div>\n<div class=\"content\">\n",
        id, id, id, heading, explanation);
}

void ps_report_section_end(struct ps_html *html)
{
    ps_html_raw(html, "</div>\n</section>\n");
}

void ps_report_missing(struct ps_html *html, const char *why)
{
    ps_html_print(html, "<p class=\"missing\">Not measured: %s.</p>\n", why);
}

void ps_report_list(struct ps_html *html, const char *heading, const json_t *texts)
{
    if (!texts)
        return;
    ps_html_print(html, "<h3>%s</h3>\n<ul class=\"assumptions\">\n", heading);
    for (size_t index = 0; index < json_array_size(texts) && index < PS_REPORT_ITEMS_MAX; index++)
        if (json_is_string(json_array_get(texts, index)))
            ps_html_element(html, "li", json_string_value(json_array_get(texts, index)));
    ps_html_raw(html, "</ul>\n");
}
