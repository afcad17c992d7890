/* Text that grows: for the metrics server's responses and taps. Thread: one at a time; never a worker. */
#pragma once

#include "core/base.h"

struct ps_page {
    char *text; /* terminated; NULL while empty */
    size_t length, room;
};

void ps_page_fini(struct ps_page *page);

/* Append bytes, a terminated text, or what printf would print. Without memory the process ends (ps_must_realloc). */
void ps_page_append(struct ps_page *page, const char *text, size_t length);
void ps_page_text(struct ps_page *page, const char *text);
void ps_page_format(struct ps_page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends a JSON string with its quotes (RFC 8259); bytes that are not UTF-8 become U+FFFD. */
void ps_page_json(struct ps_page *page, const char *text, size_t length);

/* Appends a Prometheus label value with its quotes (text exposition format 0.0.4); bytes that are not UTF-8 become
 * U+FFFD. */
void ps_page_label(struct ps_page *page, const char *text);
/* Appends the HELP and TYPE lines of a family, and a sample up to its value: its name, and in braces the labels, given
 * as names and values with NULL after the last. */
void ps_page_family(struct ps_page *page, const char *name, const char *type, const char *help);
void ps_page_sample(struct ps_page *page, const char *name, ...) __attribute__((sentinel));

/* Appends a double as Java's Double.toString writes it: "0.0", "66.66666666666667", "1.0E-5", "NaN". */
void ps_page_java_double(struct ps_page *page, double value);
