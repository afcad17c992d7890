/* Text as the inside of a JSON string (RFC 8259, 7): for bodies of HTTP requests. Thread: any. */
#pragma once

#include "core/base.h"

#define PS_JSON_TEXT_GROWTH 6U /* a byte becomes so many at most */

/* Writes `length` bytes of text to `to`, which has room for PS_JSON_TEXT_GROWTH times as many: quotes,
 * backslashes and control characters escaped, everything else as it is. Returns how many were written. */
size_t ps_json_text(const char *text, size_t length, char *to);
