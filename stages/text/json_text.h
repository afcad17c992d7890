/* Writes text as the content of a JSON string (RFC 8259, 7): for bodies of HTTP requests. Thread: any. */
#pragma once

#include "core/base.h"

#define PS_JSON_TEXT_GROWTH 6U /* one byte becomes at most this many */

/* Writes `length` bytes of text to `to`, which has room for PS_JSON_TEXT_GROWTH times as many. Escapes
 * quotes, backslashes and control characters, copies everything else. Returns the number of bytes written. */
size_t ps_json_text(const char *text, size_t length, char *to);
