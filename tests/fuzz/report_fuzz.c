/* Any result document becomes a page: without memory errors, with none of its text as markup, and without
 * numbers that a browser cannot draw. */
#include "bench/report/internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const never[] = {"<script", "<img",   "<iframe", "=\"nan",
                                        "=\"-nan", "=\"inf", "=\"-inf"};
    json_t *result = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
    if (!result)
        return 0;
    struct ps_html html = {0};
    if (!ps_report_page(&html, result) || strlen(html.data) != html.length)
        abort();
    for (size_t index = 0; index < PS_COUNT_OF(never); index++)
        if (strstr(html.data, never[index]))
            abort();
    for (const char *path = html.data; (path = strstr(path, " d=\""));
         path += 4) /* quotes in texts are escaped */
        if (memchr(path + 4, 'n', strcspn(path + 4, "\"")))
            abort(); /* nan, inf */
    ps_html_fini(&html);
    json_decref(result);
    return 0;
}
