#include "core/watch/page.h"

#include "core/text/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

void ps_page_fini(struct ps_page *page)
{
    free(page->text);
    *page = (struct ps_page){0};
}

static char *page_room(struct ps_page *page, size_t length)
{
    if (page->room - page->length <= length) {
        size_t room = (page->length + length + 1) * 2;
        page->room = room < 1024 ? 1024 : room;
        page->text = ps_must_realloc(page->text, page->room, "a page of metrics");
    }
    return page->text + page->length;
}

void ps_page_append(struct ps_page *page, const char *text, size_t length)
{
    char *end = page_room(page, length);
    memcpy(end, text, length);
    end[length] = '\0';
    page->length += length;
}

void ps_page_text(struct ps_page *page, const char *text)
{
    ps_page_append(page, text, strlen(text));
}

void ps_page_format(struct ps_page *page, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    char *end = page_room(page, 256);
    size_t room = page->room - page->length;
    int length = vsnprintf(end, room, format, arguments);
    va_end(arguments);
    PS_ASSERT(length >= 0);
    if ((size_t)length >= room)
        vsnprintf(page_room(page, (size_t)length), (size_t)length + 1, format, again);
    page->length += (size_t)length;
    va_end(again);
}

static void page_quote(struct ps_page *page, const char *text, size_t length, bool json)
{
    ps_page_append(page, "\"", 1);
    for (size_t at = 0; at < length;) {
        unsigned char byte = (unsigned char)text[at];
        uint32_t code;
        size_t step = ps_utf8_get(text + at, length - at, &code);
        if (step == 0) {
            ps_page_text(page, REPLACEMENT);
            step = 1;
        } else if (byte == '"' || byte == '\\') {
            ps_page_append(page, (const char[]){'\\', (char)byte}, 2);
        } else if (byte == '\n') {
            ps_page_append(page, "\\n", 2);
        } else if (json && byte < 0x20) {
            ps_page_format(page, "\\u%04x", byte);
        } else {
            ps_page_append(page, text + at, step);
        }
        at += step;
    }
    ps_page_append(page, "\"", 1);
}

void ps_page_json(struct ps_page *page, const char *text, size_t length)
{
    page_quote(page, text, length, true);
}

void ps_page_family(struct ps_page *page, const char *name, const char *type, const char *help)
{
    ps_page_format(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void ps_page_label(struct ps_page *page, const char *text)
{
    page_quote(page, text, strlen(text), false);
}

void ps_page_sample(struct ps_page *page, const char *name, ...)
{
    va_list labels;
    const char *between = "{";
    va_start(labels, name);
    ps_page_text(page, name);
    for (const char *label; (label = va_arg(labels, const char *)) != NULL; between = ",") {
        ps_page_format(page, "%s%s=", between, label);
        ps_page_label(page, va_arg(labels, const char *));
    }
    ps_page_text(page, "}");
    va_end(labels);
}

void ps_page_java_double(struct ps_page *page, double value)
{
    if (isnan(value) || isinf(value)) {
        ps_page_text(page, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        return;
    }
    /* Finds the shortest digits that read back as the same number: d.dddde+xx. */
    char digits[40];
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(digits, sizeof digits, "%.*e", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    char *exponent_at = strchr(digits, 'e');
    int exponent = (int)strtol(exponent_at + 1, NULL, 10);
    double size = fabs(value);
    if (value == 0 || (size >= 1e-3 && size < 1e7)) {
        int mantissa = (int)(strchr(digits, '.') != NULL ? exponent_at - strchr(digits, '.') - 1 : 0);
        int decimals = mantissa - exponent;
        ps_page_format(page, "%.*f", decimals < 1 ? 1 : decimals, value);
        return;
    }
    *exponent_at = '\0';
    ps_page_format(page, "%s%sE%d", digits, strchr(digits, '.') != NULL ? "" : ".0", exponent);
}
