/* The text of the report's page while it grows, and what keeps foreign text from becoming markup.
 *
 * Thread: its owner. Running out of memory is remembered and found out once, at the end. */
#pragma once

#include "core/base.h"

struct ps_html {
    char *data; /* terminated; NULL before the first byte */
    size_t length, room;
    bool failed; /* no memory: the rest was not written */
};

void ps_html_fini(struct ps_html *html);

/* Our own markup, as it is. */
void ps_html_raw(struct ps_html *html, const char *markup);
/* Our own markup with numbers and our own words in it; never for text from outside. */
void ps_html_print(struct ps_html *html, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Text from anywhere (UTF-8): what could be markup is escaped, what could change the direction of the text or
 * is no character of XML becomes U+FFFD. NULL writes nothing. At most PS_HTML_TEXT_MAX bytes of it, then "…".
 */
#define PS_HTML_TEXT_MAX 2000U
void ps_html_text(struct ps_html *html, const char *text);
/* "<tag>" text "</tag>"; `tag` may have attributes: the closing one ends at the first blank. */
void ps_html_element(struct ps_html *html, const char *tag, const char *text);
