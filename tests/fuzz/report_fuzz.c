/* Any result document becomes a page: without memory errors, and with none of its text as markup: a page has as many
 * elements as that of an empty document. */
#include "bench/report/report.h"
#include "core/base.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the page of `result`, and counts its characters that begin an element. */
static size_t count_elements(const json_t *result)
{
    static char folder[] = "/tmp/report_fuzz.XXXXXX", path[64];
    struct ps_err err = {0};
    if (path[0] == '\0') {
        if (mkdtemp(folder) == NULL)
            abort();
        snprintf(path, sizeof path, "%s/page.html", folder);
    }
    if (ps_report_write(result, path, &err) != PS_OK)
        abort();
    FILE *page = fopen(path, "r");
    if (page == NULL)
        abort();
    size_t count = 0;
    for (int character; (character = getc(page)) != EOF;)
        count += character == '<';
    fclose(page);
    remove(path);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static size_t elements;
    if (elements == 0) {
        json_t *nothing = json_object();
        elements = count_elements(nothing);
        json_decref(nothing);
    }
    json_t *result = json_loadb((const char *)data, size, JSON_DECODE_ANY, NULL);
    if (json_is_object(result) && count_elements(result) != elements) /* `plan --render` refuses all else */
        abort();
    json_decref(result);
    return 0;
}
