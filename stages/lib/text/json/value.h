/* Texts of events as values in a JSON document, and bodies that are JSON themselves (RFC 8259). For sinks that make documents
 * of events. Thread: any. Allocates nothing. */
#pragma once

#include <string.h>

#include "core/base.h"

/* Returns an upper bound of what ps_json_string_put writes. */
size_t ps_json_string_bound(const char *text, size_t length);
/* Writes the content of a JSON string, without quotation marks: bytes that are not UTF-8 become U+FFFD, as Java decodes them.
 * Returns the end of what it has written. `to` has room for the bound. */
char *ps_json_string_put(char *to, const char *text, size_t length);
/* The same, with quotation marks. */
static inline char *ps_json_quoted_put(char *to, const char *text, size_t length)
{
    *to++ = '"';
    to = ps_json_string_put(to, text, length);
    *to++ = '"';
    return to;
}

/* Writes a text that is JSON itself, as it is. */
static inline char *ps_json_raw_put(char *to, const char *text)
{
    size_t length = strlen(text);
    memcpy(to, text, length);
    return to + length;
}

#define PS_JSON_VALUE_DEPTH_MAX 64U /* arrays and objects inside each other */

/* Returns whether the text is exactly one well-formed value in well-formed UTF-8, with white space around it. */
bool ps_json_is_value(const char *text, size_t length);
/* The same for an object: sets *inside to what is between its braces, without white space at both ends. */
bool ps_json_is_object(const char *text, size_t length, struct ps_slice *inside);
/* Returns whether the object, of which `inside` is what ps_json_is_object has set, has a member of this name. A name that is written
 * with escapes is another one. */
bool ps_json_object_has(struct ps_slice inside, const char *name, size_t length);
