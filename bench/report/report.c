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

/* Returns what `plan` prints about the result, or NULL without memory. */
static char *text_of(const json_t *result)
{
    char *text = NULL;
    size_t length;
    FILE *to = open_memstream(&text, &length);
    if (to == NULL)
        return NULL;
    struct ps_live live;
    ps_live_init(&live, to, false, true);
    ps_planning_print(&live, result);
    ps_planning_print_verdicts(&live, result);
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

/* Returns the page, or NULL without memory. */
static char *page_of(const char *json, const char *text, size_t *length)
{
    char *page = NULL;
    FILE *to = open_memstream(&page, length);
    if (to == NULL)
        return NULL;
    fputs(ps_report_page, to);
    write_escaped(to, text, "&lt;", "&amp;");
    fputs("</pre></details>\n<script type=\"application/json\" id=\"result\">", to);
    /* JSON has these characters in strings only, where an escape means the same. */
    write_escaped(to, json, "\\u003c", "\\u0026");
    fputs("</script>\n</body>\n</html>\n", to);
    bool failed = ferror(to) != 0;
    if (fclose(to) == 0 && !failed)
        return page;
    free(page);
    return NULL;
}

enum ps_status ps_report_write(const json_t *result, const char *path, struct ps_err *err)
{
    char *json = ps_result_text(result), *text = text_of(result), *page = NULL;
    size_t length = 0;
    if (json != NULL && text != NULL)
        page = page_of(json, text, &length);
    enum ps_status status =
        page != NULL ? ps_output_write(path, page, length, err) : ps_err_set(err, "no memory for the report");
    if (status != PS_OK)
        ps_err_append(err, "writing the report");
    free(json);
    free(text);
    free(page);
    return status;
}
