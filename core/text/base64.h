/* Base64 (RFC 4648, 4). Thread: any. */
#pragma once

#include "core/base.h"

/* Writes four characters for every three bytes, the last four padded, and no terminating zero. Returns the number of
 * characters. */
size_t ps_base64_encode(char *to, const void *bytes, size_t length);

/* Decodes as java.util.Base64.getDecoder() does: no blanks, padding may be missing but must be right if it is
 * there, bits left over are ignored. `to` has room for 3 bytes for every 4 characters, rounded up. Returns false when
 * the text is not valid Base64. */
bool ps_base64_decode(const char *text, size_t length, char *to, size_t *decoded);
