/* Base64 (RFC 4648, 4), as java.util.Base64.getDecoder() reads it: no blanks, padding may be missing but must be right if it is there,
 * bits left over are ignored. Thread: any. */
#pragma once

#include "core/base.h"

/* Decodes to `to`, which has room for 3 bytes for each 4 characters begun. Returns false: that is no Base64. */
bool ps_base64_decode(const char *text, size_t length, char *to, size_t *decoded);
