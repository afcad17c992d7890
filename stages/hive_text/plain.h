/* Texts of plain values, as Hive reads them again. Thread: any. */
#pragma once

#include "stages/byte_buffer.h"
#include "stages/orc/type.h"
#include "stages/orc/value.h"

/* The value's text: numbers, days, times; of binary its Base64; of texts their bytes, cut to the type's length. Not for nested types,
 * nor for null. Returns false: no memory. */
bool ps_hive_plain_append(const struct ps_orc_type *type, const struct ps_orc_value *value,
                          struct ps_byte_buffer *line);

/* What the value is in a JSON text without quotation marks: numbers and true or false. */
bool ps_hive_plain_is_bare(const struct ps_orc_type *type);

/* string, varchar, char. */
bool ps_hive_plain_is_text(const struct ps_orc_type *type);
