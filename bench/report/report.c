/* Writes the page: page.html with its style and script, then the result as text and as JSON. See report.h. */
#include "bench/report/report.h"
#include "bench/plan/planning_text.h"
#include "bench/plan/result.h"
#include "bench/report/page.h"
#include "bench/support/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes foreign text with `<` and `&` replaced, so that a browser takes none of it for markup. */
static void write_escaped(FILE *to, const char *text, const char *less, const char *ampersand)
{
    for (; *text != '\0'; text++) {
        if (*text == '<')
            fputs(less, to);
        else if (*text == '&')
            fputs(ampersand, to);
        else
            putc(*text, to);
    }
}

/* Returns what `plan` prints about the result. */
static char *text_of(const json_t *result)
{
    char *text;
    size_t length;
    FILE *to = ps_must_open_text(&text, &length, "a report");
    struct ps_live live;
    ps_live_init(&live, to, false, true);
    ps_planning_print(&live, result);
    ps_planning_print_verdicts(&live, result);
    fclose(to);
    return text;
}

static char *page_of(const char *json, const char *text, size_t *length)
{
    char *page;
    FILE *to = ps_must_open_text(&page, length, "a report");
    fputs(ps_report_page, to);
    write_escaped(to, text, "&lt;", "&amp;");
    fputs("</pre></details>\n<script type=\"application/json\" id=\"result\">", to);
    /* JSON has these characters in strings only, where an escape means the same. */
    write_escaped(to, json, "\\u003c", "\\u0026");
    fputs("</script>\n</body>\n</html>\n", to);
    fclose(to);
    return page;
}

enum ps_status ps_report_write(const json_t *result, const char *path, struct ps_err *err)
{
    size_t length;
    char *json = ps_result_text(result), *text = text_of(result), *page = page_of(json, text, &length);
    enum ps_status status = ps_output_write(path, page, length, err);
    if (status != PS_OK)
        ps_err_append(err, "writing the report");
    free(json);
    free(text);
    free(page);
    return status;
}
