/* Implements html.h. */
#include "bench/report/html.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTML_ROOM_FIRST 65536U
#define HTML_ROOM_MAX (256U << 20) /* browsers would not open a larger page */

void ps_html_fini(struct ps_html *html)
{
    free(html->data);
    *html = (struct ps_html){0};
}

static bool html_reserve(struct ps_html *html, size_t more)
{
    if (html->failed)
        return false;
    size_t need = html->length + more + 1;
    if (need <= html->room)
        return true;
    size_t room = html->room ? html->room : HTML_ROOM_FIRST;
    while (room < need)
        room *= 2;
    char *data = room > HTML_ROOM_MAX ? NULL : realloc(html->data, room);
    if (!data) {
        html->failed = true;
        return false;
    }
    html->data = data;
    html->room = room;
    return true;
}

static void html_append(struct ps_html *html, const char *bytes, size_t length)
{
    if (!html_reserve(html, length))
        return;
    memcpy(html->data + html->length, bytes, length);
    html->length += length;
    html->data[html->length] = '\0';
}

void ps_html_raw(struct ps_html *html, const char *markup)
{
    html_append(html, markup, strlen(markup));
}

void ps_html_print(struct ps_html *html, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || !html_reserve(html, (size_t)length)) {
        html->failed = true;
        return;
    }
    va_start(arguments, format);
    vsnprintf(html->data + html->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    html->length += (size_t)length;
}

/* Returns the code point at `at` and sets its length in bytes (UINT32_MAX and 1 when it is invalid). */
static uint32_t code_point(const unsigned char *at, size_t *bytes)
{
    unsigned count = at[0] < 0x80   ? 1
                     : at[0] < 0xc2 ? 0
                     : at[0] < 0xe0 ? 2
                     : at[0] < 0xf0 ? 3
                     : at[0] < 0xf5 ? 4
                                    : 0;
    uint32_t point = count < 2 ? at[0] : at[0] & (0x7fU >> count);
    *bytes = 1;
    if (count == 0)
        return UINT32_MAX;
    /* A terminating zero is not a continuation byte, so this never reads past it. */
    for (unsigned index = 1; index < count; index++) {
        if ((at[index] & 0xc0U) != 0x80)
            return UINT32_MAX;
        point = point << 6 | (at[index] & 0x3fU);
    }
    if ((count == 3 && point < 0x800) || (count == 4 && (point < 0x10000 || point > 0x10ffff)))
        return UINT32_MAX;
    *bytes = count;
    return point;
}

/* Returns whether the code point is left out: XML 1.0 (section 2.2) does not allow it, it is a control character, or it
 * changes the text's direction (Unicode's UAX 9). */
static bool is_forbidden(uint32_t point)
{
    return (point < 0x20 && point != '\t' && point != '\n' && point != '\r') ||
           (point >= 0x7f && point < 0xa0) || (point >= 0xd800 && point < 0xe000) || point == 0x200e ||
           point == 0x200f || (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) ||
           (point & 0xfffe) == 0xfffe || point > 0x10ffff;
}

void ps_html_text(struct ps_html *html, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    for (size_t seen = 0, bytes; at && *at; at += bytes, seen += bytes) {
        uint32_t point = code_point(at, &bytes);
        if (seen + bytes > PS_HTML_TEXT_MAX) {
            ps_html_raw(html, "…");
            return;
        }
        if (is_forbidden(point))
            ps_html_raw(html, "\xef\xbf\xbd");
        else if (point == '&')
            ps_html_raw(html, "&amp;");
        else if (point == '<')
            ps_html_raw(html, "&lt;");
        else if (point == '>')
            ps_html_raw(html, "&gt;");
        else if (point == '"')
            ps_html_raw(html, "&quot;");
        else if (point == '\'')
            ps_html_raw(html, "&#39;");
        else
            html_append(html, (const char *)at, bytes);
    }
}

void ps_html_element(struct ps_html *html, const char *tag, const char *text)
{
    ps_html_print(html, "<%s>", tag);
    ps_html_text(html, text);
    ps_html_print(html, "</%.*s>", (int)strcspn(tag, " "), tag);
}
