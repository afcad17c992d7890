/* The value of a Content-Type field (RFC 9110, 8.3). Thread: any. */
#pragma once

#include "core/base.h"

/* Finds the parameter charset; *charset is its value without quotes. Returns false if there is no such
 * parameter. */
bool ps_content_type_charset(const char *value, size_t length, struct ps_slice *charset);

/* Returns whether the type, without parameters, is this one; case does not matter. */
bool ps_content_type_is(const char *value, size_t length, const char *type);
