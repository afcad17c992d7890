/* What the files of stages/hive_text/ share. Thread: any. */
#pragma once

#include "stages/hive_text/format.h"
#include "stages/orc/column.h"

/* The value's text: numbers, days, times; of binary its Base64; of texts their bytes, cut to the type's length. Not for nested types,
 * nor for null. Returns false: no memory. */
bool ps_hive_plain_append(const struct ps_orc_type *type, const struct ps_orc_value *value,
                          struct ps_byte_buffer *line);

/* What the value is in a JSON text without quotation marks: numbers and true or false. */
bool ps_hive_plain_is_bare(const struct ps_orc_type *type);

/* string, varchar, char. */
bool ps_hive_plain_is_text(const struct ps_orc_type *type);

/* "column NAME: ..". Returns false. */
bool ps_hive_text_wrong(struct ps_err *err, const char *column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

bool ps_hive_lazy_append(const struct ps_hive_text_format *format, const struct ps_orc_type *row_type,
                         const struct ps_orc_value *row, struct ps_byte_buffer *line, struct ps_err *err);
bool ps_hive_json_append(const struct ps_orc_type *row_type, const struct ps_orc_value *row,
                         struct ps_byte_buffer *line, struct ps_err *err);
