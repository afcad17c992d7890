/* Reads fields of delimited text as values of a table's columns, as Hive's org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe
 * does with its default settings. A text that is not a value of the column's type is null, like "\N". Thread: any. */
#pragma once

#include "stages/lib/orc/type.h"
#include "stages/lib/orc/value.h"

/* Returns whether values of this type can be read from text: all types but binary, array, map and struct. */
bool ps_hive_field_knows(const struct ps_orc_type *type);

/* Reads a field. Strings point into the text; varchar and char are not cut yet. */
struct ps_orc_value ps_hive_field_read(const struct ps_orc_type *type, const char *text, uint32_t length);
