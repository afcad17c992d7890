/* Writes and reads the content of a JSON string (RFC 8259, 7). Thread: any. */
#pragma once

#include "core/base.h"

#define PS_JSON_TEXT_GROWTH 6U /* one byte of text becomes at most this number of bytes */

/* Returns how many bytes at the beginning stand in a JSON string as they are, and are ASCII: not a quote, a backslash or a control character,
 * DEL among them. */
size_t ps_json_plain_length(const char *text, size_t length);

/* Writes `length` bytes of text to `to`, which has room for PS_JSON_TEXT_GROWTH times `length` bytes. Escapes
 * quotes, backslashes and control characters, copies everything else. Returns the number of bytes written. */
size_t ps_json_text(const char *text, size_t length, char *to);

/* Decodes the escape at `*at` and moves `*at` past it. Takes \uXXXX together with the second half of its
 * surrogate pair, if the second half follows. Sets *code to the character, or to a half of a pair that is
 * alone. Returns false if the bytes are not an escape of JSON. */
bool ps_json_escape_take(const char **at, const char *end, uint32_t *code);

static inline bool ps_json_is_half(uint32_t code)
{
    return code >= 0xD800 && code <= 0xDFFF;
}

/* Decodes the content of a string with well-formed escapes into `out`, at most `length` bytes; `out` may be the
 * text itself. A half of a surrogate pair becomes `lone`: "?" as Java encodes it in UTF-8, or U+FFFD. Returns
 * the number of bytes written. */
uint32_t ps_json_unescape(const char *text, uint32_t length, const char *lone, char *out);
