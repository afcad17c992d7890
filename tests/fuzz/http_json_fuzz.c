/* The JSON of source http: any bytes are scanned without reading past them; the values found lie within the
 * text; a text that is scanned in parts, because it has more events than a batch takes, has the same events;
 * an unescaped text is not longer than the escaped one, and is well-formed when the escaped one is. */
#include <stdlib.h>
#include <string.h>

#include "core/text/utf8.h"
#include "stages/lib/http/json/scan.h"
#include "stages/lib/text/json/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct ps_json_text *json, const char *text, uint32_t length, char *out)
{
    if (json->kind == PS_JSON_NULL)
        return;
    PS_ASSERT(json->at <= length && json->length <= length - json->at);
    if (json->kind != PS_JSON_ESCAPED)
        return;
    uint32_t used = ps_json_unescape(text + json->at, json->length, "\xEF\xBF\xBD", out);
    PS_ASSERT(used <= json->length);
    if (ps_utf8_valid_length(text, length) == length)
        PS_ASSERT(ps_utf8_valid_length(out, used) == used);
}

static void check(const struct ps_json_scan *scan, const char *text, uint32_t length, char *out)
{
    for (uint32_t i = 0; i < scan->event_count; i++) {
        const struct ps_json_event *event = &scan->events[i];
        PS_ASSERT(event->first_header + event->header_count <= scan->header_count);
        check_text(&event->body, text, length, out);
    }
    for (uint32_t i = 0; i < scan->header_count; i++) {
        check_text(&scan->headers[i].name, text, length, out);
        check_text(&scan->headers[i].value, text, length, out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ps_json_scan scan;
    if (size > 1 << 20)
        return 0;
    if (scan.events == NULL)
        PS_ASSERT(ps_json_scan_init(&scan));
    char *text = malloc(size + 1),
         *out = malloc(size + 1); /* of this size, so that a sanitizer sees reads past it */
    PS_ASSERT(text != NULL && out != NULL);
    text = realloc(text, size > 0 ? size : 1);
    if (size > 0)
        memcpy(text, data, size);
    bool good = ps_json_scan(&scan, text, (uint32_t)size, 0);
    PS_ASSERT(good == (scan.status == 200) && good == (scan.reason == NULL));
    if (good) {
        uint64_t total = scan.total;
        uint32_t first = scan.event_count;
        check(&scan, text, (uint32_t)size, out);
        uint32_t rest = scan.rest_at;
        if (rest == 0 && first > 1)
            rest = scan.events[0].end_at;
        uint64_t seen = scan.rest_at > 0 ? first : 1;
        while (first > 1 && rest > 0) {
            PS_ASSERT(ps_json_scan(&scan, text, (uint32_t)size, rest));
            check(&scan, text, (uint32_t)size, out);
            seen += scan.event_count;
            rest = scan.rest_at;
        }
        PS_ASSERT(first <= 1 || seen == total);
    }
    free(text);
    free(out);
    return 0;
}
