/* Types and functions that only the files of stages/lib/hive/text/ share. Thread: any. */
#pragma once

#include "stages/lib/hive/text/format.h"
#include "stages/lib/hive/text/plain.h"
#include "stages/lib/orc/column/column.h"

/* Sets `err` to "column NAME: ..". Returns false. */
bool ps_hive_text_wrong(struct ps_err *err, const char *column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

enum ps_hive_line ps_hive_lazy_append(const struct ps_hive_text_format *format,
                                      const struct ps_orc_type *row_type, const struct ps_orc_value *row,
                                      struct ps_byte_buffer *line, struct ps_err *err);
enum ps_hive_line ps_hive_json_append(const struct ps_hive_text_format *format,
                                      const struct ps_orc_type *row_type, const struct ps_orc_value *row,
                                      struct ps_byte_buffer *line, struct ps_err *err);

/* openx.c: reads the table's serde properties, and checks whether all its columns can be written. */
enum ps_status ps_hive_openx_read(const struct ps_hive_pairs *parameters, const struct ps_orc_type *row_type,
                                  struct ps_hive_text_format *format, struct ps_err *err);
/* Returns the name of a struct's field or of a column in the file. */
const char *ps_hive_openx_name(const struct ps_hive_text_format *format, const char *field);
