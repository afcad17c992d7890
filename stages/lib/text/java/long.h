/* Reads a number as Java's Long.valueOf(String) does: a sign, then decimal digits; no blanks. (Java also takes the digits of other
 * scripts, which nobody writes into a header.) */
#pragma once

#include "core/base.h"

/* Returns false if the text is not a number, or if the number does not fit into 64 bits. Thread: any. */
bool ps_java_long_read(const struct ps_slice *text, int64_t *number);
