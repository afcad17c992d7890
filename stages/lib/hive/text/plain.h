/* Texts of plain values, in the form in which Hive reads them. Thread: any. */
#pragma once

#include "stages/lib/byte_buffer.h"
#include "stages/lib/orc/type.h"
#include "stages/lib/orc/value.h"

/* Appends the value's text: numbers, days, times; binary as Base64; texts as their bytes, cut to the type's length. Not for nested
 * types or null. Returns false if there is no memory. */
bool ps_hive_plain_append(const struct ps_orc_type *type, const struct ps_orc_value *value,
                          struct ps_byte_buffer *line);

/* Returns whether the value has no quotation marks in JSON: numbers, true and false. */
bool ps_hive_plain_is_bare(const struct ps_orc_type *type);

/* Returns whether the type is string, varchar or char. */
bool ps_hive_plain_is_text(const struct ps_orc_type *type);
