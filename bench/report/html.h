/* Builds the text of the report's page, and escapes foreign text so that it cannot become markup.
 *
 * Thread: its owner. Running out of memory sets `failed`, which is checked once at the end. */
#pragma once

#include "core/base.h"

struct ps_html {
    char *data; /* terminated; NULL before the first byte */
    size_t length, room;
    bool failed; /* out of memory: the rest was not written */
};

void ps_html_fini(struct ps_html *html);

/* Appends markup of the report itself, unchanged. */
void ps_html_raw(struct ps_html *html, const char *markup);
/* Appends markup with numbers and fixed words; never use it for foreign text. */
void ps_html_print(struct ps_html *html, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends foreign text (UTF-8): escapes markup, and replaces characters that change the text's direction or
 * are not allowed in XML by U+FFFD. NULL writes nothing. Writes at most PS_HTML_TEXT_MAX bytes, then "…". */
#define PS_HTML_TEXT_MAX 2000U
void ps_html_text(struct ps_html *html, const char *text);
/* Appends "<tag>" text "</tag>"; `tag` may have attributes: the closing tag ends at the first blank. */
void ps_html_element(struct ps_html *html, const char *tag, const char *text);
